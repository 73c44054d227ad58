#include "task/diagnose.h"
#include <math.h>

static void numbers(json_out *o, const char *key, const double *x, int64_t n)
{
    json_key(o, key), json_begin(o, '[');
    for (int64_t i = 0; i < n; i++) json_number(o, x[i]);
    json_end(o, ']');
}
static void gradient(json_out *o, const char *key, const diag_model *d, const diag_layer *l, int s)
{
    json_key(o, key), json_begin(o, '{');
    json_key(o, "slope"), json_number(o, l->slope[s]);
    json_key(o, "memory"), l->memory[s] < 0 ? json_number(o, NAN) : json_int(o, l->memory[s]);
    json_key(o, "mean_lag"), json_number(o, l->mean_lag[s]);
    numbers(o, "norm", l->norm[s], d->shown);
    json_end(o, '}');
}
static void jacobian_json(json_out *o, const diag_layer *l)
{
    json_key(o, "jacobian"), json_begin(o, '{');
    json_key(o, "step"), json_begin(o, '[');
    for (int i = 0; i < l->places; i++) json_int(o, l->step[i]);
    json_end(o, ']');
    numbers(o, "spectral_radius", l->radius, l->places);
    numbers(o, "largest_singular_value", l->largest, l->places);
    numbers(o, "mean_singular_values", l->singular, l->singulars);
    json_end(o, '}');
}
static void part_json(json_out *o, const diag_part *p)
{
    json_begin(o, '{');
    json_key(o, "name"), json_text(o, p->name);
    json_key(o, "mean"), json_number(o, p->mean);
    json_key(o, "smallest"), json_number(o, p->seen_low);
    json_key(o, "largest"), json_number(o, p->seen_high);
    if (p->range != RANGE_OPEN) {
        json_key(o, "saturated_low"), json_number(o, p->saturated_low);
        json_key(o, "saturated_high"), json_number(o, p->saturated_high);
    }
    json_key(o, "histogram"), json_begin(o, '{');
    json_key(o, "from"), json_number(o, p->low);
    json_key(o, "to"), json_number(o, p->high);
    json_key(o, "counts"), json_begin(o, '[');
    for (int i = 0; i < DIAG_BINS; i++) json_int(o, p->bin[i]);
    json_end(o, ']'), json_end(o, '}'), json_end(o, '}');
}
static void layer_json(json_out *o, const diag_model *d, const diag_layer *l)
{
    json_begin(o, '{');
    json_key(o, "layer"), json_int(o, l->index);
    json_key(o, "cell"), json_text(o, l->cell);
    json_key(o, "units"), json_int(o, l->units);
    json_key(o, "dead_units"), json_int(o, l->dead);
    json_key(o, "gradient"), json_begin(o, '{');
    gradient(o, "hidden_state", d, l, LAG_HIDDEN), gradient(o, "all_states", d, l, LAG_ALL);
    json_end(o, '}');
    if (l->places) jacobian_json(o, l);
    json_key(o, "values"), json_begin(o, '[');
    for (int q = 0; q < l->parts; q++) part_json(o, &l->part[q]);
    json_end(o, ']'), json_end(o, '}');
}
void diag_json(const diag_model *d, int models, buf *out)
{
    json_out o = { .to = out };
    json_begin(&o, '{');
    json_key(&o, "task"), json_text(&o, "diagnose");
    json_key(&o, "models"), json_begin(&o, '[');
    for (; models-- > 0; d++) {
        json_begin(&o, '{');
        json_key(&o, "model"), json_text(&o, d->path);
        json_key(&o, "network"), json_text(&o, d->m->description);
        json_key(&o, "parameters"), json_int(&o, d->m->net->params);
        json_key(&o, "data"), json_text(&o, d->data.about);
        if (d->updates >= 0) {
            json_key(&o, "updates"), json_int(&o, d->updates);
            json_key(&o, "clipped"), json_int(&o, d->clipped);
        }
        json_key(&o, "layers"), json_begin(&o, '[');
        for (int k = 0; k < d->layers; k++) layer_json(&o, d, &d->layer[k]);
        json_end(&o, ']'), json_end(&o, '}');
    }
    json_end(&o, ']'), json_end(&o, '}');
}
