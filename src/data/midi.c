/* A file is chunks: four letters, a length of four bytes, the content. "MThd": format, tracks, division (ticks a
   quarter; or, below 0, frames a second and ticks a frame). "MTrk": events, each behind the ticks since the last one as
   a number of 7-bit digits:

       8n key speed    note off          9n key speed    note on, of speed 0 off       An, Bn, En + 2 bytes
       Cn, Dn + 1 byte                   FF type length bytes    (51: microseconds a quarter, 2F: the end)
       F0, F7 length bytes

   n is the channel. An event without its first byte has that of the event before (running status). */
#include "data/midi.h"
#include <math.h>

enum { CHANNELS = 16, DRUMS = 9, KEYS = 128, TICKS = 480, MOST_TICKS = 1 << 30 };
typedef struct span {
    int64_t from, to; /* ticks */
    int key;
} span;
typedef struct reading {
    const unsigned char *at, *end, *begin; /* at, end: of the chunk in hand */
    const char *name;
    laco_error *err;
    span *spans;
    size_t count, room;
    int64_t since[CHANNELS][KEYS]; /* tick at which a note began, + 1; 0: silent */
    int64_t tick;
    double ticks_a_quarter, tempo;
    bool by_seconds; /* ticks are parts of a second */
} reading;

static laco_status bad(const reading *r, const char *what)
{
    return fail(r->err, LACO_EFORMAT, r->at - r->begin, "%s, byte %lld: %s", r->name, (long long)(r->at - r->begin),
                what);
}
static int64_t big_endian(const unsigned char *p, int n)
{
    int64_t x = 0;
    for (int i = 0; i < n; i++) x = x << 8 | p[i];
    return x;
}
/* A number of up to four 7-bit digits, all but the last with bit 7. */
static laco_status take_number(reading *r, int64_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++) {
        if (r->at == r->end) return bad(r, "the track ends in the middle of an event");
        *out = *out << 7 | (*r->at & 127);
        if (!(*r->at++ & 128)) return LACO_OK;
    }
    return bad(r, "a number of more than four bytes");
}
static laco_status take_bytes(reading *r, int64_t n, const unsigned char **out)
{
    if (r->end - r->at < n) return bad(r, "the track ends in the middle of an event");
    *out = r->at, r->at += n;
    return LACO_OK;
}

/* ---- notes ---- */
static laco_status end_note(reading *r, int channel, int key)
{
    int64_t since = r->since[channel][key];
    r->since[channel][key] = 0;
    if (!since || channel == DRUMS) return LACO_OK;
    if (r->count == r->room) {
        size_t more = r->room ? 2 * r->room : 1024;
        span *spans = mem_resize(r->spans, r->room * sizeof *spans, more * sizeof *spans);
        if (!spans) return fail_memory(r->err, more * sizeof *spans);
        r->spans = spans, r->room = more;
    }
    r->spans[r->count++] = (span){ since - 1, r->tick, key };
    return LACO_OK;
}
static laco_status begin_note(reading *r, int channel, int key)
{
    laco_status st = end_note(r, channel, key);
    r->since[channel][key] = r->tick + 1;
    return st;
}
static laco_status end_all(reading *r)
{
    laco_status st = LACO_OK;
    for (int c = 0; c < CHANNELS; c++)
        for (int key = 0; !st && key < KEYS; key++) st = end_note(r, c, key);
    return st;
}

/* ---- events ---- */
static laco_status take_meta(reading *r, bool *over)
{
    int64_t n;
    const unsigned char *type = NULL, *data = NULL;
    laco_status st = take_bytes(r, 1, &type);
    if (!st) st = take_number(r, &n);
    if (!st) st = take_bytes(r, n, &data);
    if (st) return st;
    *over = *type == 0x2F;
    if (*type == 0x51 && n == 3 && !r->tempo && big_endian(data, 3)) r->tempo = 60e6 / (double)big_endian(data, 3);
    return LACO_OK;
}
static laco_status take_event(reading *r, int *status, bool *over)
{
    const unsigned char *data = NULL;
    if (r->at == r->end) return bad(r, "the track ends in the middle of an event");
    if (*r->at & 128) *status = *r->at++;
    if (*status == 0xFF) return *status = 0, take_meta(r, over);
    if (*status == 0xF0 || *status == 0xF7) {
        int64_t n;
        laco_status st = take_number(r, &n);
        *status = 0;
        return st ? st : take_bytes(r, n, &data);
    }
    if (*status < 0x80 || *status > 0xEF) return r->at--, bad(r, "no event begins with this byte");
    int kind = *status >> 4, channel = *status & 15;
    laco_status st = take_bytes(r, kind == 0xC || kind == 0xD ? 1 : 2, &data);
    if (st || kind > 9) return st;
    if (data[0] & 128) return bad(r, "a note above 127");
    return kind == 9 && data[1] ? begin_note(r, channel, data[0]) : end_note(r, channel, data[0]);
}
static laco_status take_track(reading *r)
{
    int status = 0;
    bool over = false;
    for (r->tick = 0; !over && r->at < r->end;) {
        int64_t wait;
        laco_status st = take_number(r, &wait);
        if (st) return st;
        if ((r->tick += wait) > MOST_TICKS) return bad(r, "the track lasts longer than 2^30 ticks");
        if ((st = take_event(r, &status, &over))) return st;
    }
    return end_all(r);
}

/* ---- chunks ---- */
static laco_status take_header(reading *r, int64_t size)
{
    if (size < 6) return bad(r, "the header is shorter than 6 bytes");
    int64_t format = big_endian(r->at, 2), division = big_endian(r->at + 4, 2);
    if (format > 1)
        return fail(r->err, LACO_EUNSUPPORTED, -1, "%s: a MIDI file of format %lld; formats 0 and 1 are read", r->name,
                    (long long)format);
    r->by_seconds = division >> 15;
    r->ticks_a_quarter = (double)division;
    if (r->by_seconds) r->ticks_a_quarter = (double)((256 - (division >> 8)) * (division & 255)); /* a second yet */
    return r->ticks_a_quarter > 0 ? LACO_OK : bad(r, "a division of 0 ticks");
}
static laco_status take_chunks(reading *r, const char *bytes, size_t n)
{
    const unsigned char *all = (const unsigned char *)bytes;
    size_t at = 0;
    laco_status st = LACO_OK;
    r->begin = r->at = all, r->end = all + n;
    if (!midi_is(bytes, n)) return bad(r, "not a MIDI file: it does not begin with MThd");
    while (!st && n - at >= 8) {
        size_t size = (size_t)big_endian(all + at + 4, 4);
        r->at = all + at;
        if (n - at - 8 < size) return bad(r, "the chunk is longer than the file; is it complete?");
        r->at += 8, r->end = r->at + size;
        if (at == 0)
            st = take_header(r, (int64_t)size);
        else if (!memcmp(all + at, "MTrk", 4))
            st = take_track(r);
        at += 8 + size;
    }
    return st || at ? st : bad(r, "the file ends in its header");
}

/* ---- steps ---- */
static int by_key(const void *a, const void *b)
{
    const span *x = a, *y = b;
    if (x->key != y->key) return x->key - y->key;
    return (x->from > y->from) - (x->from < y->from);
}
static void span_steps(const span *s, double tick, int64_t *from, int64_t *to)
{
    *from = llround((double)s->from * tick), *to = max64(*from + 1, llround((double)s->to * tick));
}
static bool of_piano(const span *s) { return s->key >= ROLL_LOW && s->key < ROLL_LOW + ROLL_KEYS; }
/* Notes in the order of their keys and beginnings, so that no step is set twice however many notes overlap. */
static void set_keys(midi_roll *out, const reading *r, double tick)
{
    int64_t from, to, done = 0;
    if (r->count) qsort(r->spans, r->count, sizeof *r->spans, by_key);
    for (size_t i = 0; i < r->count; i++) {
        const span *s = &r->spans[i];
        if (!i || s->key != s[-1].key) done = 0;
        if (!of_piano(s)) continue;
        span_steps(s, tick, &from, &to);
        for (int64_t t = max64(from, done); t < to; t++) out->step[t * ROLL_KEYS + s->key - ROLL_LOW] = 1;
        done = max64(done, to);
    }
}
static laco_status fill(midi_roll *out, const reading *r, double quarters)
{
    const double tick = 1 / (r->ticks_a_quarter * quarters); /* in steps */
    int64_t from, to;
    for (size_t i = 0; i < r->count; i++) {
        if (!of_piano(&r->spans[i])) {
            out->left_out++;
            continue;
        }
        span_steps(&r->spans[i], tick, &from, &to);
        out->steps = max64(out->steps, to), out->notes++;
    }
    if (!out->notes)
        return fail(r->err, LACO_EFORMAT, -1, "%s has no notes that a piano could play; take it out", r->name);
    if (out->steps > MIDI_MOST_STEPS)
        return fail(r->err, LACO_EFORMAT, -1, "%s: %lld steps of %g quarters, more than %d; give a longer --step", r->name,
                    (long long)out->steps, quarters, MIDI_MOST_STEPS);
    if (!(out->step = mem_new((size_t)out->steps, ROLL_KEYS * sizeof *out->step)))
        return fail_memory(r->err, (size_t)out->steps * ROLL_KEYS * sizeof *out->step);
    set_keys(out, r, tick);
    return LACO_OK;
}
bool midi_is(const char *bytes, size_t n) { return n >= 4 && !memcmp(bytes, "MThd", 4); }
laco_status midi_parse(midi_roll *out, const char *bytes, size_t n, double quarters, const char *name, laco_error *err)
{
    reading *r = mem_new(1, sizeof *r);
    *out = (midi_roll){ 0 };
    if (!r) return fail_memory(err, sizeof *r);
    r->name = name, r->err = err;
    laco_status st = take_chunks(r, bytes, n);
    out->tempo = r->tempo > 0 ? r->tempo : 120;
    if (r->by_seconds) r->ticks_a_quarter *= 60 / out->tempo;
    if (!st) st = fill(out, r, quarters);
    mem_free(r->spans), mem_free(r);
    return st;
}

/* ---- writing ---- */
static void put_big(buf *to, int64_t x, int n)
{
    for (int i = n - 1; i >= 0; i--) buf_add(to, &(char){ (char)(x >> 8 * i & 255) }, 1);
}
static void put_number(buf *to, int64_t x)
{
    for (int digit = 3; digit >= 0; digit--)
        if (!digit || x >> 7 * digit) buf_add(to, &(char){ (char)((x >> 7 * digit & 127) | (digit ? 128 : 0)) }, 1);
}
/* Every key that changes between two steps; `last` is the tick of the event before. */
static void put_changes(buf *to, const float *before, const float *after, int64_t tick, int64_t *last)
{
    for (int on = 0; on < 2; on++) /* what ends, then what begins */
        for (int k = 0; k < ROLL_KEYS; k++) {
            bool was = before && before[k] > 0, is = after && after[k] > 0;
            if (was == is || is != on) continue;
            put_number(to, tick - *last), *last = tick;
            put_big(to, 0x900000 | (ROLL_LOW + k) << 8 | (is ? 80 : 0), 3);
        }
}
void midi_write(buf *to, const float *step, int64_t steps, double quarters, double tempo)
{
    buf track = { 0 };
    int64_t last = 0;
    put_big(&track, 0x00FF5103, 4), put_big(&track, llround(fmin(60e6 / tempo, 0xFFFFFF)), 3);
    for (int64_t t = 0; t <= steps; t++)
        put_changes(&track, t ? step + (t - 1) * ROLL_KEYS : NULL, t < steps ? step + t * ROLL_KEYS : NULL,
                    llround((double)t * quarters * TICKS), &last);
    put_number(&track, llround((double)steps * quarters * TICKS) - last), put_big(&track, 0xFF2F00, 3);
    buf_text(to, "MThd"), put_big(to, 6, 4), put_big(to, 0, 2), put_big(to, 1, 2), put_big(to, TICKS, 2);
    buf_text(to, "MTrk"), put_big(to, (int64_t)track.len, 4);
    if (track.len) buf_add(to, track.data, track.len);
    to->failed |= track.failed, buf_free(&track);
}
