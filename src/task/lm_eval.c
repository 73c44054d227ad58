/* laco eval: the loss of a text. laco score: the log-probability of each line of a text, to compare them. */
#include "task/lm.h"
#include "task/use.h"
#include <math.h>
#include <stdio.h>

typedef struct measured {
    lm l;
    lm_text text;
    trainer *t;
    train_settings s;
    int64_t skipped;
} measured;

static void measured_free(measured *m) { trainer_free(m->t), lm_text_free(&m->text), lm_close(&m->l); }
static laco_status open_both(measured *m, task_job *j, laco_model *model, int64_t batch, int64_t steps, laco_error *err)
{
    char *bytes = NULL;
    size_t n = 0;
    const char *name = NULL;
    laco_status st = lm_open(&m->l, model, j, err);
    if (!st) st = task_read(j, TEXT_DATA, &bytes, &n, &name, err);
    if (!st && !bytes) st = fail(err, LACO_EINVAL, -1, "--data is missing: the text to judge");
    if (!st) st = lm_encode(&m->text, m->l.v, bytes, n, name, true, &m->skipped, err);
    mem_free(bytes);
    m->s = (train_settings){ .steps = steps, .batch = batch };
    lm_fit_window(&m->s, m->text.n - 1, m->l.lines);
    return st ? st : trainer_new(&m->t, m->l.m->net, &m->s, err);
}

laco_status lm_eval(task_job *j, laco_model *model, laco_error *err)
{
    measured m = { 0 };
    lm_loss loss;
    laco_status st = open_both(&m, j, model, options_int(j->o, "batch"), options_int(j->o, "steps"), err);
    if (!st) st = lm_measure(m.t, &m.text, &m.s, m.l.lines, vocab_eos(m.l.v), j, &loss, err);
    if (!st && *j->stop) st = fail(err, LACO_ESTOPPED, -1, "stopped before the whole text was read");
    if (!st) {
        double nats = lm_mean(loss);
        json_out o = { .to = j->result };
        json_begin(&o, '{');
        json_key(&o, "task"), json_text(&o, "lm");
        lm_loss_json(&o, "data", loss);
        json_key(&o, "skipped"), json_int(&o, m.skipped);
        json_end(&o, '}');
        if (!options_flag(j->o, "json")) {
            buf text = { 0 };
            buf_printf(&text, "%.4f nats per %s, %.4f bits, perplexity %.2f, over %lld symbols\n", nats,
                       text_unit_name(vocab_unit(m.l.v)), nats / log(2), exp(nats), (long long)loss.tokens);
            task_out_buf(j, &text), buf_free(&text);
        }
        if (m.skipped) task_note(j, "%lld symbols that the model does not know were left out", (long long)m.skipped);
    }
    measured_free(&m);
    return st;
}

enum { SCORE_ROWS = 32 };
/* Adds the log-probabilities of a batch to the sums of its lines; order[r] is the line of row r. */
static laco_status score_batch(measured *m, const text_row *rows, int64_t n, double *sum, laco_error *err)
{
    double *p = mem_new((size_t)(m->s.steps * m->s.batch), sizeof *p);
    if (!p) return fail_memory(err, (size_t)(m->s.steps * m->s.batch) * sizeof *p);
    trainer_begin(m->t, &(train_batch){ .ids = m->text.ids, .row = rows, .B = n });
    while (trainer_more(m->t)) {
        window_result w;
        trainer_measure_window(m->t, &w, p);
        const ragged *r = trainer_ragged(m->t);
        for (int64_t t = 0; t < r->T; t++)
            for (int64_t b = 0; b < r->active[t]; b++) sum[b] += p[r->off[t] + b];
    }
    mem_free(p);
    return LACO_OK;
}
static void print_score(task_job *j, const measured *m, const text_row *row, double sum, buf *line)
{
    bool start = true;
    buf_printf(line, "%.4f\t%lld\t", sum, (long long)row->length);
    for (int64_t i = row->start; i < row->start + row->length; i++)
        if (m->text.ids[i] != vocab_eos(m->l.v)) vocab_decode(m->l.v, m->text.ids[i], &start, line);
    buf_text(line, "\n");
    task_out_buf(j, line);
}
laco_status lm_score(task_job *j, laco_model *model, laco_error *err)
{
    measured m = { 0 };
    text_row *lines = NULL, rows[SCORE_ROWS];
    int64_t n = 0;
    buf line = { 0 };
    json_out o = { .to = j->result };
    laco_status st = open_both(&m, j, model, SCORE_ROWS, 64, err);
    if (!st) st = lm_lines(&m.text, vocab_eos(m.l.v), &lines, &n, err);
    if (!st) st = net_load(m.l.m->net, false, false, err);
    json_begin(&o, '{'), json_key(&o, "lines"), json_begin(&o, '[');
    for (int64_t i = 0; !st && i < n && !*j->stop; i += SCORE_ROWS) {
        int64_t count = min64(SCORE_ROWS, n - i);
        double sum[SCORE_ROWS] = { 0 };
        memcpy(rows, lines + i, (size_t)count * sizeof *rows);
        lm_sort_rows(rows, count);
        if ((st = score_batch(&m, rows, count, sum, err))) break;
        for (int64_t k = 0; k < count; k++) /* in the order of the text again */
            for (int64_t r = 0; r < count; r++) {
                if (rows[r].start != lines[i + k].start) continue;
                if (!options_flag(j->o, "json")) print_score(j, &m, &rows[r], sum[r], &line);
                json_begin(&o, '{'), json_key(&o, "log_probability"), json_number(&o, sum[r]);
                json_key(&o, "symbols"), json_int(&o, rows[r].length), json_end(&o, '}');
            }
    }
    json_end(&o, ']'), json_end(&o, '}');
    mem_free(lines), buf_free(&line), measured_free(&m);
    return st;
}
