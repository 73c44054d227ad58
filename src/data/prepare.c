#include "data/prepare.h"
#include <math.h>

enum { MOST_FEATURES = 1 << 20, MOST_STACK = 1 << 12 };
const char *const prepare_scales[] = { "none", "sequence", "group", NULL };

static int64_t row_width(const preparation *p, int64_t features) { return features * (1 + p->deltas); }
static int64_t stacked(const preparation *p) { return p->stack > 1 ? p->stack : 1; }

/* ---- a step with its deltas ---- */
enum { DELTA_REACH = 2, DELTA_SUM = 10 };
/* Feature c of step t of a sequence, or its delta. */
static double value_at(const float *x, int64_t steps, int64_t features, int64_t t, int64_t c, int64_t order)
{
    t = t < 0 ? 0 : t >= steps ? steps - 1 : t;
    if (!order) return x[t * features + c];
    double sum = 0;
    for (int64_t k = 1; k <= DELTA_REACH; k++)
        sum += (double)k *
               (value_at(x, steps, features, t + k, c, order - 1) - value_at(x, steps, features, t - k, c, order - 1));
    return sum / DELTA_SUM;
}
static void read_row(const preparation *p, const series_set *s, int64_t i, int64_t t, double *row)
{
    const float *x = s->x + s->start[i] * s->features;
    for (int64_t order = 0; order <= p->deltas; order++)
        for (int64_t c = 0; c < s->features; c++) *row++ = value_at(x, series_length(s, i), s->features, t, c, order);
}

/* ---- mean and deviation, of what is not missing ---- */
typedef struct moments {
    int64_t width;
    double *row, *n, *mean, *square; /* [width] each; square: sum of squared distances from the mean (Welford 1962) */
    void *memory;
} moments;
static bool moments_new(moments *m, int64_t width)
{
    size_t w = (size_t)width;
    *m = (moments){ .width = width, .memory = mem_new(4 * w, sizeof(double)) };
    m->row = m->memory;
    if (m->row) m->n = m->row + w, m->mean = m->n + w, m->square = m->mean + w;
    return m->row != NULL;
}
static void moments_clear(moments *m) { memset(m->n, 0, 3 * (size_t)m->width * sizeof *m->n); }
static void moments_add(moments *m, const preparation *p, const series_set *s, int64_t i)
{
    for (int64_t t = 0; t < series_length(s, i); t++) {
        read_row(p, s, i, t, m->row);
        for (int64_t c = 0; c < m->width; c++) {
            if (isnan(m->row[c])) continue;
            double off = m->row[c] - m->mean[c];
            m->mean[c] += off / ++m->n[c];
            m->square[c] += off * (m->row[c] - m->mean[c]);
        }
    }
}
static double deviation(const moments *m, int64_t c)
{
    double d = m->n[c] > 0 ? sqrt(m->square[c] / m->n[c]) : 0;
    return d > 1e-7 * (1 + fabs(m->mean[c])) ? d : 1;
}

/* ---- applying ---- */
typedef struct member {
    const char *group;
    int64_t sequence;
} member;
typedef struct maker {
    const preparation *p;
    const series_set *s;
    float *x;       /* of the result */
    int64_t *start; /* of the result */
    member *member; /* [count] those that are scaled together lie together */
    moments m;
} maker;

static laco_status check_set(const preparation *p, const series_set *s, laco_error *err)
{
    if (s->step_label && p->stack > 1)
        return fail(err, LACO_EINVAL, -1, "%s has a label for every step, so its steps cannot be stacked", s->file);
    if (row_width(p, s->features) > MOST_FEATURES / stacked(p))
        return fail(err, LACO_EINVAL, -1, "%s has %lld features a step, too many to be laid %lld side by side", s->file,
                    (long long)s->features, (long long)stacked(p));
    return LACO_OK;
}
static int by_group(const void *a, const void *b)
{
    const member *p = a, *q = b;
    int order = strcmp(p->group, q->group);
    return order ? order : (p->sequence > q->sequence) - (p->sequence < q->sequence);
}
static void sort_members(maker *k)
{
    const series_set *s = k->s;
    for (int64_t i = 0; i < s->count; i++) k->member[i] = (member){ s->group && s->group[i] ? s->group[i] : "", i };
    if (k->p->scale == SCALE_GROUP && s->count) qsort(k->member, (size_t)s->count, sizeof *k->member, by_group);
}
static void write_sequence(maker *k, int64_t i)
{
    int64_t steps = series_length(k->s, i), stack = stacked(k->p), width = k->m.width;
    float *to = k->x + k->start[i] * stack * width;
    for (int64_t t = 0; t < ceil_div(steps, stack) * stack; t++, to += width) {
        read_row(k->p, k->s, i, min64(t, steps - 1), k->m.row);
        for (int64_t c = 0; c < width; c++) {
            double x = k->m.row[c];
            to[c] = (float)(k->p->scale == SCALE_NONE ? x : (x - k->m.mean[c]) / deviation(&k->m, c));
        }
    }
}
static void write_all(maker *k)
{
    const preparation *p = k->p;
    for (int64_t i = 0, end; i < k->s->count; i = end) {
        for (end = i + 1; p->scale == SCALE_GROUP && end < k->s->count; end++)
            if (strcmp(k->member[i].group, k->member[end].group)) break;
        if (p->scale != SCALE_NONE) moments_clear(&k->m);
        for (int64_t j = i; p->scale != SCALE_NONE && j < end; j++) moments_add(&k->m, p, k->s, k->member[j].sequence);
        for (int64_t j = i; j < end; j++) write_sequence(k, k->member[j].sequence);
    }
}
static laco_status make(maker *k, laco_error *err)
{
    const series_set *s = k->s;
    size_t width = (size_t)(row_width(k->p, s->features) * stacked(k->p)), values = 0;
    k->start = mem_new((size_t)s->count + 1, sizeof *k->start);
    k->member = mem_new((size_t)s->count, sizeof *k->member);
    bool ok = k->start && k->member && moments_new(&k->m, row_width(k->p, s->features));
    for (int64_t i = 0; ok && i < s->count; i++)
        k->start[i + 1] = k->start[i] + ceil_div(series_length(s, i), stacked(k->p));
    ok = ok && !mul_overflows((size_t)k->start[s->count], width, &values);
    if (!ok || !(k->x = mem_new(values, sizeof *k->x))) return fail_memory(err, values * sizeof *k->x);
    sort_members(k), write_all(k);
    return LACO_OK;
}
laco_status prepare_apply(const preparation *p, series_set *s, laco_error *err)
{
    maker k = { .p = p, .s = s };
    if (!p->deltas && !p->scale && p->stack <= 1) return LACO_OK;
    laco_status st = check_set(p, s, err);
    if (!st) st = make(&k, err);
    mem_free(k.m.memory), mem_free(k.member);
    if (st) return mem_free(k.x), mem_free(k.start), st;
    mem_free(s->x), mem_free(s->start);
    s->x = k.x, s->start = k.start;
    if (k.m.width * stacked(p) != s->features) series_texts_free(s->feature, s->features), s->feature = NULL;
    s->features = k.m.width * stacked(p);
    return LACO_OK;
}

/* ---- JSON ---- */
static void sound_to_json(const sound_settings *s, json_out *o)
{
    json_key(o, "sound"), json_begin(o, '{');
    json_key(o, "rate"), json_int(o, s->rate);
    json_key(o, "resample"), json_bool(o, s->resample);
    json_key(o, "frame"), json_number(o, s->frame);
    json_key(o, "hop"), json_number(o, s->hop);
    json_key(o, "mels"), json_int(o, s->mels);
    json_key(o, "mfcc"), json_int(o, s->mfcc);
    json_key(o, "low"), json_number(o, s->low);
    json_key(o, "high"), json_number(o, s->high);
    json_key(o, "emphasis"), json_number(o, s->emphasis);
    json_end(o, '}');
}
void prepare_to_json(const preparation *p, json_out *o)
{
    json_begin(o, '{');
    if (p->of_sound) sound_to_json(&p->sound, o);
    json_key(o, "deltas"), json_int(o, p->deltas);
    json_key(o, "scale"), json_text(o, prepare_scales[p->scale]);
    json_key(o, "stack"), json_int(o, stacked(p));
    json_end(o, '}');
}

static laco_status bad(const char *key, laco_error *err)
{
    return fail(err, LACO_EFORMAT, -1, "how the inputs of the model are made is damaged at \"%s\"", key);
}
static laco_status whole(const json *j, const char *key, int64_t low, int64_t high, int64_t *x, laco_error *err)
{
    const json *v = json_get(j, key);
    if (!v || v->kind != JSON_NUMBER || !v->integer || v->i < low || v->i > high) return bad(key, err);
    *x = v->i;
    return LACO_OK;
}
static laco_status real(const json *j, const char *key, double *x, laco_error *err)
{
    const json *v = json_get(j, key);
    if (!v || v->kind != JSON_NUMBER) return bad(key, err);
    *x = v->number;
    return LACO_OK;
}
static laco_status sound_from_json(sound_settings *s, const json *j, laco_error *err)
{
    const json *resample = json_get(j, "resample");
    laco_status st = whole(j, "rate", SOUND_LEAST_RATE, SOUND_MOST_RATE, &s->rate, err);
    if (!st) st = real(j, "frame", &s->frame, err);
    if (!st) st = real(j, "hop", &s->hop, err);
    if (!st) st = whole(j, "mels", 0, SOUND_MOST_BANDS, &s->mels, err);
    if (!st) st = whole(j, "mfcc", 0, SOUND_MOST_BANDS, &s->mfcc, err);
    if (!st) st = real(j, "low", &s->low, err);
    if (!st) st = real(j, "high", &s->high, err);
    if (!st) st = real(j, "emphasis", &s->emphasis, err);
    if (!st && (!resample || (resample->kind != JSON_TRUE && resample->kind != JSON_FALSE))) st = bad("resample", err);
    if (!st) s->resample = resample->kind == JSON_TRUE;
    return st ? st : sound_settings_check(s, err);
}
laco_status prepare_from_json(preparation *p, const json *j, laco_error *err)
{
    const json *of_sound = json_get(j, "sound"), *scale = json_get(j, "scale");
    *p = (preparation){ .of_sound = of_sound != NULL };
    laco_status st = of_sound ? sound_from_json(&p->sound, of_sound, err) : LACO_OK;
    if (!st) st = whole(j, "deltas", 0, 2, &p->deltas, err);
    if (!st) st = whole(j, "stack", 1, MOST_STACK, &p->stack, err);
    int k = 0;
    while (scale && scale->kind == JSON_STRING && prepare_scales[k] && strcmp(scale->text, prepare_scales[k])) k++;
    if (!st && (!scale || scale->kind != JSON_STRING || !prepare_scales[k])) st = bad("scale", err);
    if (!st) p->scale = (prepare_scale)k;
    return st;
}
