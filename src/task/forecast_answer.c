/* What a network answers from origins: it reads the last `window` steps of each, from states of zero, side by side with
   other origins, and what it says of the steps to come goes back into the units of the file.

   Paths of the strategy recursive: every path draws its next value from what the network says, as the quantile at a
   random level, reads it, and goes on; levels of answers are those of the paths. A network that answers a single number
   has one path. */
#include "base/rng.h"
#include "task/forecast.h"
#include <math.h>

enum { STREAMS = 64 }; /* origins side by side */
typedef struct answerer {
    const answer_wish *w;
    const forecast_front *f;
    origin of[STREAMS]; /* longest first */
    int64_t m, ahead;
    net_state *state, *paths;
    float *x, *y;      /* [streams][inputs], [streams][outputs] */
    float *last;       /* [STREAMS][horizon of a decoder, else 1][outputs] what was said at the end */
    float *numbers;    /* states of all streams */
    float *spread;     /* those of one, as often as there are paths */
    double *answer;    /* [horizon][targets][1 + levels] */
    double *drawn;     /* [paths][horizon][targets] in the units of the file */
    double *sorted;    /* [paths] */
    line *path;        /* [paths] */
} answerer;

static int64_t row_length(const answerer *a, const origin *o) { return min64(a->f->window, o->end + 1); }
static int64_t parts_of(const answerer *a) { return a->f->way == WAY_DECODER ? a->f->horizon : 1; }

static void answerer_free(answerer *a)
{
    mem_free(a->state), mem_free(a->paths), mem_free(a->x), mem_free(a->y), mem_free(a->last), mem_free(a->numbers);
    mem_free(a->spread), mem_free(a->answer), mem_free(a->drawn), mem_free(a->sorted), mem_free(a->path);
}
static laco_status answerer_open(answerer *a, laco_error *err)
{
    const net *n = a->w->n;
    const forecast_front *f = a->f;
    const int64_t paths = f->way == WAY_RECURSIVE ? a->w->paths : 0, streams = max64(STREAMS, paths);
    const int64_t each = f->horizon * f->targets;
    size_t size = net_state_bytes(n, STREAMS), more = paths ? net_state_bytes(n, paths) : 1;
    if (!size || !more) return fail_memory(err, SIZE_MAX);
    a->state = mem_new(size, 1), a->paths = mem_new(more, 1);
    a->x = mem_new((size_t)(streams * n->inputs), sizeof *a->x);
    a->y = mem_new((size_t)(streams * n->outputs), sizeof *a->y);
    a->last = mem_new((size_t)(STREAMS * parts_of(a) * n->outputs), sizeof *a->last);
    a->numbers = mem_new((size_t)net_state_numbers(n, STREAMS), sizeof *a->numbers);
    a->spread = mem_new((size_t)net_state_numbers(n, max64(1, paths)), sizeof *a->spread);
    a->answer = mem_new((size_t)(each * (1 + a->w->levels->n)), sizeof *a->answer);
    a->drawn = mem_new((size_t)(paths * each), sizeof *a->drawn);
    a->sorted = mem_new((size_t)paths, sizeof *a->sorted), a->path = mem_new((size_t)paths, sizeof *a->path);
    if (a->state && a->paths && a->x && a->y && a->last && a->numbers && a->spread && a->answer && a->drawn && a->sorted &&
        a->path)
        return LACO_OK;
    return fail_memory(err, size + more);
}

/* ---- reading ---- */
static void read_rows(answerer *a)
{
    const net *n = a->w->n;
    const int64_t after = a->f->way == WAY_DECODER ? a->f->horizon : 0, parts = parts_of(a);
    int64_t active = a->m;
    net_state_init(n, a->state, STREAMS);
    for (int64_t s = 0; active; s++) {
        while (active && s >= row_length(a, &a->of[active - 1]) + after) active--;
        for (int64_t i = 0; i < active; i++) {
            const origin *o = &a->of[i];
            line_inputs(&a->w->line[o->series], o->end - row_length(a, o) + 1 + s, o->end, a->x + i * n->inputs);
        }
        if (active) net_step(n, a->state, 1, active, a->x, a->y);
        for (int64_t i = 0; i < active; i++) {
            int64_t part = s - (row_length(a, &a->of[i]) + after - parts);
            if (part >= 0)
                memcpy(a->last + (i * parts + part) * n->outputs, a->y + i * n->outputs, (size_t)n->outputs * sizeof *a->y);
        }
    }
}

/* ---- direct and decoder ---- */
static void say_step(const answerer *a, const line *l, const origin *o, int64_t h, int64_t d, const float *y, int64_t j)
{
    const forecast_levels *levels = a->w->levels;
    double *to = a->answer + ((h - 1) * a->f->targets + d) * (1 + levels->n), scale, shift;
    head at;
    line_scale(l, o->end, o->end, h, d, &scale, &shift);
    head_read(&at, a->f->loss, &a->f->loss_options, y, forecast_targets(a->f), j, scale);
    head_scale_by(&at, scale, shift);
    to[0] = line_back(l, o->end + h, d, head_quantile(&at, 0.5));
    for (int64_t k = 0; k < levels->n; k++) to[1 + k] = line_back(l, o->end + h, d, head_quantile(&at, levels->level[k]));
}
static laco_status hand_out(answerer *a, const origin *o, laco_error *err)
{
    calibration_apply(a->f, a->w->levels, a->answer);
    return a->w->answer(a->w->ctx, o, a->answer, err);
}
static laco_status answer_at_once(answerer *a, int64_t i, laco_error *err)
{
    const forecast_front *f = a->f;
    const origin *o = &a->of[i];
    const int64_t parts = parts_of(a);
    for (int64_t h = 1; h <= f->horizon; h++)
        for (int64_t d = 0; d < f->targets; d++) {
            bool decoder = f->way == WAY_DECODER;
            const float *y = a->last + (i * parts + (decoder ? h - 1 : 0)) * a->w->n->outputs;
            say_step(a, &a->w->line[o->series], o, h, d, y, decoder ? d : (h - 1) * f->targets + d);
        }
    return hand_out(a, o, err);
}

/* ---- recursive ---- */
static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}
static double quantile_of(const double *sorted, int64_t n, double p)
{
    double at = p * (double)(n - 1);
    int64_t i = min64((int64_t)at, n - 1), k = min64(i + 1, n - 1);
    return sorted[i] + (at - (double)i) * (sorted[k] - sorted[i]);
}
/* The next step of a path from what the network said of it. */
static void draw_step(const answerer *a, line *l, const origin *o, int64_t p, int64_t h, const float *y)
{
    const forecast_front *f = a->f;
    const int64_t D = f->targets;
    double v[MOST_TARGETS], *to = a->drawn + (p * f->horizon + h - 1) * D, scale, shift;
    uint64_t counter = ((uint64_t)o->series << 40) ^ ((uint64_t)o->end << 16);
    for (int64_t d = 0; d < D; d++) {
        head at;
        double u = rng_uniform(a->w->seed, RNG_SAMPLE, (counter + (uint64_t)((h - 1) * D + d)) * 4096 + (uint64_t)p);
        line_scale(l, l->n - 1, l->n - 1, 1, d, &scale, &shift);
        head_read(&at, f->loss, &f->loss_options, y, D, d, scale);
        head_scale_by(&at, scale, shift);
        v[d] = head_quantile(&at, a->w->paths == 1 ? 0.5 : fmin(fmax(u, 1e-6), 1 - 1e-6));
        to[d] = line_back(l, o->end + h, d, v[d]);
    }
    line_add(l, v);
}
static void collect_paths(answerer *a)
{
    const forecast_levels *levels = a->w->levels;
    const int64_t P = a->w->paths, each = a->f->horizon * a->f->targets;
    for (int64_t i = 0; i < each; i++) {
        double *to = a->answer + i * (1 + levels->n);
        for (int64_t p = 0; p < P; p++) a->sorted[p] = a->drawn[p * each + i];
        qsort(a->sorted, (size_t)P, sizeof *a->sorted, rising);
        to[0] = quantile_of(a->sorted, P, 0.5);
        for (int64_t k = 0; k < levels->n; k++) to[1 + k] = quantile_of(a->sorted, P, levels->level[k]);
    }
}
static void walk_paths(answerer *a, int64_t i)
{
    const net *n = a->w->n;
    const origin *o = &a->of[i];
    const int64_t P = a->w->paths, numbers = net_state_numbers(n, 1);
    net_state_init(n, a->paths, P);
    for (int64_t p = 0; p < P; p++) {
        memcpy(a->spread + p * numbers, a->numbers + i * numbers, (size_t)numbers * sizeof *a->spread);
        memcpy(a->y + p * n->outputs, a->last + i * n->outputs, (size_t)n->outputs * sizeof *a->y);
    }
    net_state_put(n, a->paths, a->spread);
    for (int64_t h = 1; h <= a->f->horizon; h++) {
        for (int64_t p = 0; p < P; p++) {
            line *l = &a->path[p];
            draw_step(a, l, o, p, h, a->y + p * n->outputs);
            line_inputs(l, l->n - 1, l->n - 1, a->x + p * n->inputs);
        }
        if (h < a->f->horizon) net_step(n, a->paths, 1, P, a->x, a->y);
    }
}
static laco_status answer_by_paths(answerer *a, int64_t i, laco_error *err)
{
    const origin *o = &a->of[i];
    laco_status st = LACO_OK;
    int64_t made = 0;
    for (; !st && made < a->w->paths; made++)
        st = line_copy(&a->path[made], &a->w->line[o->series], o->end + 1, a->f->horizon, err);
    if (!st) walk_paths(a, i), collect_paths(a);
    for (int64_t p = 0; p < made; p++) line_free(&a->path[p]);
    return st ? st : hand_out(a, o, err);
}

/* ---- the next step alone ---- */
static laco_status answer_first(answerer *a, int64_t i, laco_error *err)
{
    const forecast_front *f = a->f;
    const origin *o = &a->of[i];
    const line *l = &a->w->line[o->series];
    const float *y = a->last + i * parts_of(a) * a->w->n->outputs;
    laco_status st = LACO_OK;
    for (int64_t d = 0; !st && d < f->targets; d++) {
        double scale, shift;
        head at;
        line_scale(l, o->end, o->end, 1, d, &scale, &shift);
        head_read(&at, f->loss, &f->loss_options, y, forecast_targets(f), d, scale);
        head_scale_by(&at, scale, shift);
        st = a->w->first(a->w->ctx, o, d, &at, err);
    }
    return st;
}

/* ---- all ---- */
static laco_status answer_chunk(answerer *a, const origin *from, int64_t m, laco_error *err)
{
    laco_status st = LACO_OK;
    int64_t order[STREAMS], place[STREAMS];
    a->m = m;
    for (int64_t i = 0; i < m; i++) { /* by insertion, longest first; equal ones keep their order */
        int64_t k = i;
        for (; k > 0 && row_length(a, &from[order[k - 1]]) < row_length(a, &from[i]); k--) order[k] = order[k - 1];
        order[k] = i;
    }
    for (int64_t i = 0; i < m; i++) a->of[i] = from[order[i]], place[order[i]] = i;
    read_rows(a);
    for (int64_t i = 0; a->w->first && !st && i < m; i++) st = answer_first(a, place[i], err);
    if (st || a->w->first) return st;
    if (a->f->way == WAY_RECURSIVE) net_state_get(a->w->n, a->state, a->numbers);
    for (int64_t i = 0; !st && i < m; i++)
        st = a->f->way == WAY_RECURSIVE ? answer_by_paths(a, place[i], err) : answer_at_once(a, place[i], err);
    return st;
}
laco_status forecast_answer(const answer_wish *w, laco_error *err)
{
    answerer a = { .w = w, .f = w->f };
    laco_status st = answerer_open(&a, err);
    for (int64_t i = 0; !st && i < w->origins && !*w->stop; i += STREAMS)
        st = answer_chunk(&a, w->origin + i, min64(STREAMS, w->origins - i), err);
    answerer_free(&a);
    return st;
}
