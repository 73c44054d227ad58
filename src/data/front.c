#include "data/front.h"
#include "base/rng.h"
#include <math.h>

enum { MOST_FEATURES = 1 << 20, MOST_STACK = 1 << 16 };
const char *const front_scales[] = { "none", "set", "sequence", "group", NULL };

void front_free(front *f)
{
    mem_free(f->mean), mem_free(f->deviation);
    *f = (front){ 0 };
}
static int64_t row_width(const front *f) { return f->features * (1 + f->deltas); }
static int64_t stacked(const front *f) { return f->stack > 1 ? f->stack : 1; }
int64_t front_inputs(const front *f) { return row_width(f) * (1 + f->marks) * stacked(f); }

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
static void read_row(const front *f, const series_set *s, int64_t i, int64_t t, double *row)
{
    const float *x = s->x + s->start[i] * s->features;
    for (int64_t order = 0; order <= f->deltas; order++)
        for (int64_t c = 0; c < f->features; c++)
            row[order * f->features + c] = value_at(x, series_length(s, i), f->features, t, c, order);
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
static void moments_add(moments *m, const front *f, const series_set *s, int64_t i)
{
    for (int64_t t = 0; t < series_length(s, i); t++) {
        read_row(f, s, i, t, m->row);
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

/* ---- fitting ---- */
static laco_status fit_length(front *f, const series_set *s, laco_error *err)
{
    for (int64_t i = 0; i < s->count; i++) {
        int64_t length = ceil_div(series_length(s, i), stacked(f));
        if (i && length != f->length)
            return fail(
                err, LACO_EINVAL, i,
                "%s: sequence %lld has another length than the first; only sequences of one length have an order "
                "to permute",
                s->file, (long long)i + 1);
        f->length = length;
    }
    return LACO_OK;
}
static laco_status fit_scale(front *f, const series_set *s, laco_error *err)
{
    moments m;
    size_t w = (size_t)row_width(f);
    f->mean = mem_new(w, sizeof *f->mean), f->deviation = mem_new(w, sizeof *f->deviation);
    if (!moments_new(&m, row_width(f)) || !f->mean || !f->deviation)
        return mem_free(m.memory), fail_memory(err, w * sizeof *f->mean);
    for (int64_t i = 0; i < s->count; i++) moments_add(&m, f, s, i);
    for (int64_t c = 0; c < m.width; c++) f->mean[c] = m.mean[c], f->deviation[c] = deviation(&m, c);
    mem_free(m.memory);
    return LACO_OK;
}
laco_status front_fit(front *f, const series_set *s, laco_error *err)
{
    mem_free(f->mean), mem_free(f->deviation);
    f->mean = f->deviation = NULL;
    f->features = s->features, f->of_sound = s->rate > 0, f->marks = series_missing(s) > 0;
    if (s->rate) f->sound.rate = s->rate;
    if (f->features > MOST_FEATURES / (3 * 2 * stacked(f)))
        return fail(err, LACO_EINVAL, -1, "%s has %lld features a step, which is too many to be laid %lld side by side",
                    s->file, (long long)f->features, (long long)stacked(f));
    laco_status st = f->permute ? fit_length(f, s, err) : LACO_OK;
    return !st && f->scale == SCALE_SET ? fit_scale(f, s, err) : st;
}

/* ---- applying ---- */
typedef struct member {
    const char *group;
    int64_t sequence;
} member;
typedef struct maker {
    const front *f;
    const series_set *s;
    float *x;       /* of the result */
    int64_t *start; /* of the result */
    int64_t *place; /* [length] where a stacked step goes when permuted; else NULL */
    member *member; /* [count] those that are scaled together lie together */
    moments m;
} maker;

static laco_status check_set(const front *f, const series_set *s, laco_error *err)
{
    if (s->features != f->features || (s->rate > 0) != f->of_sound)
        return fail(err, LACO_EINVAL, -1, "%s has %lld features a step%s, and %lld%s are expected", s->file,
                    (long long)s->features, s->rate ? " of sound" : "", (long long)f->features,
                    f->of_sound ? " of sound" : "");
    if (s->step_label && (f->permute || f->stack > 1))
        return fail(err, LACO_EINVAL, -1, "%s has a label for every step, so its steps cannot be stacked or permuted",
                    s->file);
    for (int64_t i = 0; i < s->count; i++) {
        if (f->permute && ceil_div(series_length(s, i), stacked(f)) != f->length)
            return fail(err, LACO_EINVAL, i, "%s: sequence %lld is not of the %lld steps whose order is permuted",
                        s->file, (long long)i + 1, (long long)f->length);
        for (int64_t k = s->start[i] * s->features; !f->marks && k < s->start[i + 1] * s->features; k++)
            if (isnan(s->x[k]))
                return fail(err, LACO_EINVAL, i,
                            "%s: sequence %lld, step %lld: a value is missing, and none was in training", s->file,
                            (long long)i + 1, (long long)(k / s->features - s->start[i]) + 1);
    }
    return LACO_OK;
}
static bool draw_places(maker *k)
{
    int64_t n = k->f->length;
    if (!k->f->permute) return true;
    if (!(k->place = mem_new((size_t)n, sizeof *k->place))) return false;
    for (int64_t t = 0; t < n; t++) k->place[t] = t;
    for (int64_t t = n - 1; t > 0; t--) {
        int64_t other = (int64_t)(rng_uniform(k->f->permute, RNG_DATA, (uint64_t)t) * (double)(t + 1)),
                was = k->place[t];
        k->place[t] = k->place[other], k->place[other] = was;
    }
    return true;
}
static int by_group(const void *a, const void *b)
{
    const member *p = a, *q = b;
    int order = strcmp(p->group, q->group);
    return order ? order : (p->sequence > q->sequence) - (p->sequence < q->sequence);
}
static bool sort_members(maker *k)
{
    const series_set *s = k->s;
    if (!(k->member = mem_new((size_t)s->count, sizeof *k->member))) return false;
    for (int64_t i = 0; i < s->count; i++) k->member[i] = (member){ s->group && s->group[i] ? s->group[i] : "", i };
    if (k->f->scale == SCALE_GROUP && s->count) qsort(k->member, (size_t)s->count, sizeof *k->member, by_group);
    return true;
}
/* One step as it goes in: scaled, with its marks. */
static void write_step(const maker *k, float *to)
{
    const front *f = k->f;
    for (int64_t c = 0; c < k->m.width; c++) {
        double mean = f->mean ? f->mean[c] : k->m.mean[c], x = k->m.row[c];
        if (f->scale != SCALE_NONE) x = (x - mean) / (f->mean ? f->deviation[c] : deviation(&k->m, c));
        to[c] = isnan(x) ? 0 : (float)x;
        if (f->marks) to[k->m.width + c] = isnan(x) ? 1 : 0;
    }
}
static void write_sequence(maker *k, int64_t i)
{
    int64_t steps = series_length(k->s, i), stack = stacked(k->f), one = front_inputs(k->f) / stack;
    float *x = k->x + k->start[i] * front_inputs(k->f);
    for (int64_t t = 0; t < ceil_div(steps, stack) * stack; t++) {
        int64_t to = k->place ? k->place[t / stack] : t / stack;
        read_row(k->f, k->s, i, min64(t, steps - 1), k->m.row);
        write_step(k, x + (to * stack + t % stack) * one);
    }
}
static void write_all(maker *k)
{
    const front *f = k->f;
    for (int64_t i = 0, end; i < k->s->count; i = end) {
        for (end = i + 1; f->scale == SCALE_GROUP && end < k->s->count; end++)
            if (strcmp(k->member[i].group, k->member[end].group)) break;
        if (!f->mean && f->scale != SCALE_NONE) {
            moments_clear(&k->m);
            for (int64_t j = i; j < end; j++) moments_add(&k->m, f, k->s, k->member[j].sequence);
        }
        for (int64_t j = i; j < end; j++) write_sequence(k, k->member[j].sequence);
    }
}
static laco_status make(maker *k, laco_error *err)
{
    const series_set *s = k->s;
    size_t values;
    k->start = mem_new((size_t)s->count + 1, sizeof *k->start);
    bool ok = k->start && moments_new(&k->m, row_width(k->f)) && draw_places(k) && sort_members(k);
    for (int64_t i = 0; ok && i < s->count; i++)
        k->start[i + 1] = k->start[i] + ceil_div(series_length(s, i), stacked(k->f));
    ok = ok && !mul_overflows((size_t)k->start[s->count], (size_t)front_inputs(k->f), &values);
    if (!ok || !(k->x = mem_new(values, sizeof *k->x))) return fail_memory(err, ok ? values * sizeof *k->x : 0);
    write_all(k);
    return LACO_OK;
}
laco_status front_apply(const front *f, series_set *s, laco_error *err)
{
    maker k = { .f = f, .s = s };
    laco_status st = check_set(f, s, err);
    if (!st) st = make(&k, err);
    mem_free(k.m.memory), mem_free(k.place), mem_free(k.member);
    if (st) return mem_free(k.x), mem_free(k.start), st;
    mem_free(s->x), mem_free(s->start);
    s->x = k.x, s->start = k.start;
    if (front_inputs(f) != s->features) series_texts_free(s->feature, s->features), s->feature = NULL;
    s->features = front_inputs(f);
    return LACO_OK;
}

/* ---- JSON ---- */
static void numbers_to_json(json_out *o, const char *key, const double *x, int64_t n)
{
    json_key(o, key), json_begin(o, '[');
    for (int64_t i = 0; i < n; i++) json_number(o, x[i]);
    json_end(o, ']');
}
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
void front_to_json(const front *f, json_out *o)
{
    json_begin(o, '{');
    json_key(o, "features"), json_int(o, f->features);
    if (f->of_sound) sound_to_json(&f->sound, o);
    json_key(o, "deltas"), json_int(o, f->deltas);
    json_key(o, "scale"), json_text(o, front_scales[f->scale]);
    if (f->mean) numbers_to_json(o, "mean", f->mean, row_width(f));
    if (f->mean) numbers_to_json(o, "deviation", f->deviation, row_width(f));
    json_key(o, "marks"), json_bool(o, f->marks);
    json_key(o, "stack"), json_int(o, stacked(f));
    if (f->permute) json_key(o, "permute"), json_int(o, (int64_t)f->permute);
    if (f->permute) json_key(o, "length"), json_int(o, f->length);
    json_end(o, '}');
}

static laco_status bad(const char *key, laco_error *err)
{
    return fail(err, LACO_EFORMAT, -1,
                "\"front\" in the model, which says how its inputs are made, is damaged at \"%s\"", key);
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
static laco_status truth(const json *j, const char *key, bool *x, laco_error *err)
{
    const json *v = json_get(j, key);
    if (!v || (v->kind != JSON_TRUE && v->kind != JSON_FALSE)) return bad(key, err);
    *x = v->kind == JSON_TRUE;
    return LACO_OK;
}
static laco_status numbers(const json *j, const char *key, int64_t n, double **x, laco_error *err)
{
    const json *v = json_get(j, key);
    if (!v || v->kind != JSON_ARRAY || (int64_t)v->len != n) return bad(key, err);
    if (!(*x = mem_new((size_t)n, sizeof **x))) return fail_memory(err, (size_t)n * sizeof **x);
    for (int64_t i = 0; i < n; i++) {
        if (v->item[i].kind != JSON_NUMBER) return bad(key, err);
        (*x)[i] = v->item[i].number;
    }
    return LACO_OK;
}
static laco_status sound_from_json(sound_settings *s, const json *j, laco_error *err)
{
    laco_status st = whole(j, "rate", SOUND_LEAST_RATE, SOUND_MOST_RATE, &s->rate, err);
    if (!st) st = truth(j, "resample", &s->resample, err);
    if (!st) st = real(j, "frame", &s->frame, err);
    if (!st) st = real(j, "hop", &s->hop, err);
    if (!st) st = whole(j, "mels", 0, MOST_FEATURES, &s->mels, err);
    if (!st) st = whole(j, "mfcc", 0, MOST_FEATURES, &s->mfcc, err);
    if (!st) st = real(j, "low", &s->low, err);
    if (!st) st = real(j, "high", &s->high, err);
    if (!st) st = real(j, "emphasis", &s->emphasis, err);
    return st ? st : sound_settings_check(s, err);
}
static laco_status scale_from_json(front *f, const json *j, laco_error *err)
{
    const json *v = json_get(j, "scale");
    int k = 0;
    while (v && v->kind == JSON_STRING && front_scales[k] && strcmp(v->text, front_scales[k])) k++;
    if (!v || v->kind != JSON_STRING || !front_scales[k]) return bad("scale", err);
    f->scale = (front_scale)k;
    laco_status st = k == SCALE_SET ? numbers(j, "mean", row_width(f), &f->mean, err) : LACO_OK;
    if (!st && k == SCALE_SET) st = numbers(j, "deviation", row_width(f), &f->deviation, err);
    for (int64_t c = 0; !st && f->deviation && c < row_width(f); c++)
        if (!(f->deviation[c] > 0)) st = bad("deviation", err);
    return st;
}
laco_status front_from_json(front *f, const json *j, laco_error *err)
{
    int64_t permute = 0;
    const json *sound = json_get(j, "sound");
    *f = (front){ .of_sound = sound != NULL };
    laco_status st = whole(j, "stack", 1, MOST_STACK, &f->stack, err);
    if (!st) st = whole(j, "features", 1, MOST_FEATURES / (6 * f->stack), &f->features, err);
    if (!st && sound) st = sound_from_json(&f->sound, sound, err);
    if (!st && sound && f->features != sound_feature_count(&f->sound)) st = bad("features", err);
    if (!st) st = whole(j, "deltas", 0, 2, &f->deltas, err);
    if (!st) st = scale_from_json(f, j, err);
    if (!st) st = truth(j, "marks", &f->marks, err);
    if (!st && json_get(j, "permute")) st = whole(j, "permute", 1, INT64_MAX, &permute, err);
    if (!st && permute) st = whole(j, "length", 1, INT32_MAX, &f->length, err);
    f->permute = (uint64_t)permute;
    if (st) front_free(f);
    return st;
}
