/* Any bytes as a table of series, read in a way that the first byte chooses; or, beginning with {, as what a model says
   of its inputs. What is accepted must hold together. */
#include "task/forecast.h"
#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) abort();
}
static void check_data(const forecast_data *d)
{
    for (int64_t i = 0; i < d->count; i++) {
        require(d->start[i + 1] >= d->start[i] && d->known[i] >= 0 && d->known[i] <= d->start[i + 1] - d->start[i]);
        for (int64_t t = d->start[i] + 1; d->time && t < d->start[i + 1]; t++) require(d->time[t] > d->time[t - 1]);
    }
    for (int64_t t = 0; t < d->start[d->count] * d->targets; t++) require(!isinf(d->y[t]));
}
static void read_table(const uint8_t *data, size_t size)
{
    int count;
    const laco_option *rows = laco_options(&count);
    static char a[] = "a", b[] = "b", c[] = "c", s[] = "s";
    static char *y[] = { c }, *statics[] = { s };
    laco_error err;
    forecast_data d;
    const int way = size ? data[0] : 0;
    task_job j = { .command = "train forecast" };
    forecast_columns columns = { .wide = way & 1, .sort = way & 2, .gaps = way >> 2 & 3, .independent = way & 64 };
    if (columns.gaps > GAPS_IGNORE) columns.gaps = GAPS_MASK;
    if (!columns.wide) {
        columns.time = a, columns.id = way & 16 ? b : NULL;
        if (way & 32) columns.target = (name_list){ y, 1 }, columns.statics = (name_list){ statics, 1 };
    }
    options *o = NULL;
    if (options_new(&o, rows, count, j.command, NULL)) return;
    j.o = o, j.text[TEXT_DATA] = mem_text((const char *)data + (size > 0), size - (size > 0)), j.length[TEXT_DATA] = size - (size > 0);
    laco_status st = j.text[TEXT_DATA] ? forecast_read(&d, &j, TEXT_DATA, &columns, &err) : LACO_ENOMEM;
    if (!st) check_data(&d), forecast_data_free(&d);
    mem_free(j.text[TEXT_DATA]), options_free(o);
}
static void check_calibration(const forecast_front *f)
{
    forecast_levels l;
    double answer[8 * (1 + LOSS_LEVELS)];
    forecast_levels_of(f, 0.8, &l);
    if (f->horizon * f->targets > 8) return;
    for (int64_t i = 0; i < f->horizon * f->targets * (1 + l.n); i++) answer[i] = (double)(i % (1 + l.n)) + (i % (1 + l.n) ? 0 : (double)l.n / 2);
    calibration_apply(f, &l, answer);
    for (int64_t i = 0; i < f->horizon * f->targets; i++)
        for (int64_t k = 1; k < l.n; k++) require(answer[i * (1 + l.n) + k] <= answer[i * (1 + l.n) + k + 1]);
}
static void read_front(const uint8_t *data, size_t size)
{
    laco_model *m;
    forecast_front f;
    char *text = mem_text((const char *)data, size);
    if (!text || model_new(&m, "dense 2", 2, 2, 1, NULL)) return mem_free(text);
    if (!model_set(m, "front", text, NULL) && !forecast_from_model(&f, m, NULL)) {
        require(forecast_inputs(&f) == 2 && f.horizon > 0 && f.window > 0 && f.season > 0);
        check_calibration(&f);
        forecast_free(&f);
    }
    laco_model_free(m), mem_free(text);
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size && data[0] == '{')
        read_front(data, size);
    else
        read_table(data, size);
    return 0;
}
