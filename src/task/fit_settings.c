/* What the options of training say. */
#include "base/number.h"
#include "task/fit.h"
#include <math.h>

static double given_or(const options *o, const char *name, double otherwise)
{
    double x = options_real(o, name);
    return isnan(x) ? otherwise : x;
}
/* "2G", "500M", "64k", "1e9": bytes. */
static laco_status parse_memory(train_settings *s, const char *text, laco_error *err)
{
    static const char units[] = "kMGT";
    char number[32];
    double x = 0;
    size_t n = text ? strlen(text) : 0;
    if (!n) return LACO_OK;
    const char *unit = strchr(units, text[n - 1] == 'K' ? 'k' : text[n - 1]);
    if (unit) n--;
    if (n < sizeof number) memcpy(number, text, n), number[n] = 0;
    if (n >= sizeof number || !number_parse(number, &x) || !(x > 0))
        return fail(err, LACO_EINVAL, -1, "--memory %.40s: a size such as 500M or 2G", text);
    s->memory = (size_t)fmax(1, fmin(ldexp(x, unit ? 10 * (int)(unit - units + 1) : 0), 1e18));
    return LACO_OK;
}
void fit_recurrent(const options *o, int64_t hidden, bool below, const char *direction, buf *out)
{
    double drop = options_real(o, "dropout");
    int64_t layers = max64(1, options_int(o, "layers")), given = options_int(o, "hidden");
    for (int64_t i = 0; i < layers; i++) {
        if (drop > 0 && (i || below)) buf_printf(out, "dropout %g; ", drop);
        buf_printf(out, "%s %lld%s; ", options_text(o, "cell"), (long long)(given ? given : hidden), direction);
    }
}
laco_status fit_weights(net *n, const options *o, double forget_bias, laco_error *err)
{
    weights_kind kind = WEIGHTS_FLOAT;
    laco_status st = weights_parse(options_text(o, "precision"), &kind, err);
    if (!st) st = net_weights(n, kind, err);
    return st ? st : net_init(n, options_text(o, "init"), forget_bias, (uint64_t)options_int(o, "seed"), err);
}
laco_status fit_settings(fit *f, const options *o, const kernels *k, laco_error *err)
{
    const char *name = options_text(o, "optimizer");
    train_settings *s = &f->s;
    f->o = o;
    while (k->optim->row(s->optimizer) && strcmp(k->optim->row(s->optimizer)->name, name)) s->optimizer++;
    if (!k->optim->row(s->optimizer))
        return fail(err, LACO_EINVAL, -1, "unknown optimizer \"%s\"; `laco help optimizers` lists them", name);
    const optim_row *row = k->optim->row(s->optimizer);
    s->seed = (uint64_t)options_int(o, "seed");
    s->steps = options_int(o, "steps"), s->batch = options_int(o, "batch");
    s->accumulate = row->full_batch ? INT64_MAX : options_int(o, "accumulate");
    s->optim = (optim_step){ .momentum = options_real(o, "momentum"),
                             .beta1 = given_or(o, "beta1", row->beta1),
                             .beta2 = given_or(o, "beta2", row->beta2),
                             .eps = given_or(o, "eps", row->eps),
                             .weight_decay = options_real(o, "weight-decay") };
    s->schedule = (schedule){ .lr = given_or(o, "lr", row->lr),
                              .decay = options_real(o, "decay"),
                              .warmup = options_int(o, "warmup"),
                              .decay_start = options_int(o, "decay-start"),
                              .final = options_real(o, "lr-final"),
                              .periods = options_int(o, "periods"),
                              .period_factor = options_real(o, "period-factor"),
                              .plateau_patience = options_int(o, "plateau-patience") };
    s->clip = options_real(o, "clip"), s->clip_value = options_real(o, "clip-value");
    s->advance = options_int(o, "advance"), s->smoothing = options_real(o, "label-smoothing");
    s->weight_noise = options_real(o, "weight-noise"), s->gradient_noise = options_real(o, "gradient-noise");
    s->average = options_real(o, "average"), f->patience_to_average = options_int(o, "average-after");
    s->average_waits = f->patience_to_average > 0;
    if (s->average_waits && s->average <= 0) s->average = 1;
    s->skip_nan = !strcmp(options_text(o, "on-nan"), "skip"), s->outlier = options_real(o, "outlier");
    f->rolls_back = !strcmp(options_text(o, "on-nan"), "rollback"), f->worse = options_real(o, "rollback");
    s->per_sequence = !strcmp(options_text(o, "reduction"), "sequence");
    f->epochs = options_int(o, "epochs"), f->limit = options_real(o, "minutes") * 60;
    f->solves = options_type(o, "readout") && !strcmp(options_text(o, "readout"), "ridge");
    if (f->solves) f->epochs = 1;
    laco_status st = parse_memory(s, options_text(o, "memory"), err);
    return st ? st : schedule_named(&s->schedule.row, options_text(o, "schedule"), err);
}
