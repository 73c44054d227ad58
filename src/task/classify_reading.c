/* What the network reads of examples. Texts become symbols of the vocabulary of the training part; numbers are scaled
   by mean and standard deviation of each feature over the steps of the training part, and where one is missing it is
   the mean, with one more input that says so (of the features that miss some in the training part). */
#include "base/rng.h"
#include "task/classify.h"
#include "task/series_options.h"
#include <math.h>
#include <stdio.h>

const char *const reading_columns[COLS] = { "text", "label", "target", "id", "time", "group" };

static laco_status keep_text(char **to, const char *text, laco_error *err)
{
    if (text && !(*to = mem_text(text, strlen(text)))) return fail_memory(err, strlen(text));
    return LACO_OK;
}
laco_status reading_options(reading *f, const options *o, laco_error *err)
{
    const char *unit = options_text(o, "unit"), *separator = options_text(o, "multi-label"),
               *data = options_text(o, "data");
    laco_status st = LACO_OK;
    for (int i = 0; !st && i < COLS; i++) st = keep_text(&f->column[i], options_text(o, reading_columns[i]), err);
    f->no_header = options_flag(o, "no-header"), f->decimal_comma = options_flag(o, "decimal-comma");
    f->spell = !strcmp(unit, "both"), f->max_length = options_int(o, "max-length");
    if (!st) st = text_unit_named(&f->unit, f->spell ? "word" : unit, err);
    f->line = (line_options){ options_flag(o, "lower"), f->unit == UNIT_WORD };
    f->remaining = options_flag(o, "remaining"), f->cap = options_real(o, "cap");
    if (isnan(f->cap) || !(f->cap > 0)) f->cap = INFINITY;
    f->every = f->remaining, f->y_scale = 1;
    f->answer = separator ? ANSWER_LABELS : f->remaining || f->column[COL_TARGET] ? ANSWER_NUMBER : ANSWER_CLASS;
    snprintf(f->separator, sizeof f->separator, "%s", separator ? separator : "");
    bool by_class = data && data[strcspn(data, "=/")] == '='; /* class=file,… */
    f->numbers = !f->column[COL_TEXT] && !by_class;
    if (!st) st = keep_text(&f->pattern, options_text(o, "pattern"), err);
    if (!st) st = task_preparation(&f->prepare, o, err);
    f->scaled = strcmp(options_text(o, "scale"), "none");
    if (st) return st;
    if (separator && (!*separator || strlen(separator) >= sizeof f->separator))
        return fail(err, LACO_EINVAL, -1, "--multi-label is what stands between labels, such as \",\"");
    if (f->answer == ANSWER_NUMBER && f->column[COL_LABEL])
        return fail(err, LACO_EINVAL, -1, "--label asks for classes, --target and --remaining for a number: give one");
    if (f->column[COL_ID] && (f->prepare.deltas || f->prepare.stack > 1 || f->prepare.scale != SCALE_NONE))
        return fail(err, LACO_EINVAL, -1, "--deltas, --stack and --scale by sequence or group are not for tables");
    if (f->column[COL_TEXT] && f->column[COL_ID])
        return fail(err, LACO_EINVAL, -1, "--text reads texts, --id series of numbers: give one of them");
    return LACO_OK;
}
void reading_free(reading *f)
{
    for (int i = 0; i < COLS; i++) mem_free(f->column[i]);
    for (int64_t i = 0; f->feature && i < f->features; i++) mem_free(f->feature[i]);
    for (int32_t i = 0; f->class && i < f->classes; i++) mem_free(f->class[i]);
    mem_free(f->feature), mem_free(f->class), mem_free(f->pattern), mem_free(f->prior), mem_free(f->mean);
    mem_free(f->scale), mem_free(f->flag), mem_free(f->order), vocab_free(f->v);
    *f = (reading){ 0 };
}
int64_t reading_outputs(const reading *f) { return f->answer == ANSWER_NUMBER ? 1 : f->classes; }
int32_t reading_class(const reading *f, const char *name)
{
    int32_t low = 0, high = f->classes;
    while (low < high) {
        int32_t middle = (low + high) / 2;
        int order = strcmp(f->class[middle], name);
        if (!order) return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}
void reading_answer(const reading *f, const float *y, double *p)
{
    if (f->answer == ANSWER_NUMBER) {
        *p = *y * f->y_scale + f->y_mean;
        return;
    }
    double top = y[0], sum = 0;
    for (int32_t k = 1; k < f->classes; k++) top = fmax(top, y[k]);
    for (int32_t k = 0; k < f->classes; k++)
        sum += p[k] = f->answer == ANSWER_LABELS ? 1 / (1 + exp(-(double)y[k])) : exp(y[k] - top);
    for (int32_t k = 0; f->answer == ANSWER_CLASS && k < f->classes; k++) p[k] /= sum;
}

/* ---- learning: texts ---- */
typedef struct piece {
    const char *at;
    size_t n;
} piece;
static piece line_of(const examples *e, int64_t i)
{
    return (piece){ e->text.data + e->row[i].text, (size_t)e->row[i].bytes };
}
/* A word that the vocabulary lacks as characters, each marked: cat is @@c @@a @@t. */
static void spell_word(buf *to, const char *word, size_t n)
{
    for (size_t i = 0, bytes; i < n; i += bytes) {
        bytes = 1;
        while (i + bytes < n && ((unsigned char)word[i + bytes] & 0xc0) == 0x80) bytes++;
        buf_text(to, i ? " @@" : "@@"), buf_add(to, word + i, bytes);
    }
}
/* The text with every word that v lacks spelled. */
static laco_status spell_rare(buf *to, const vocab *v, const char *text, size_t n, laco_error *err)
{
    int32_t *ids;
    int64_t count, k = 0;
    laco_status st = vocab_encode(v, text, n, "the texts", true, true, &ids, &count, NULL, err);
    for (size_t at = 0; !st && at < n; at++, k++) { /* a line: its words and one symbol for its end */
        const char *word;
        size_t length;
        for (bool first = true; k < count && words_next(text, n, &at, &word, &length); first = false, k++) {
            if (!first) buf_add(to, " ", 1);
            if (ids[k] == vocab_unk(v))
                spell_word(to, word, length);
            else
                buf_add(to, word, length);
        }
        buf_add(to, "\n", 1);
    }
    if (!st) mem_free(ids);
    return st ? st : to->failed ? fail_memory(err, to->len) : LACO_OK;
}
static laco_status learn_text(reading *f, const examples *e, const options *o, laco_error *err)
{
    vocab_options vo = { .unit = f->unit,
                         .min_count = options_int(o, "min-count"),
                         .max_size = options_int(o, "vocab-size") };
    buf text = { 0 }, spelled = { 0 };
    for (int64_t i = 0; i < e->count; i++)
        if (e->row[i].part == PART_TRAIN) buf_add(&text, line_of(e, i).at, line_of(e, i).n);
    laco_status st = text.failed ? fail_memory(err, text.len) : LACO_OK;
    if (f->unit != UNIT_WORD) vo.min_count = vo.max_size = 0;
    if (!st) st = vocab_build(&f->v, &vo, text.data, text.len, "the training texts", err);
    if (!st && f->spell) {
        st = spell_rare(&spelled, f->v, text.data, text.len, err);
        vocab_free(f->v), f->v = NULL;
        if (!st) st = vocab_build(&f->v, &vo, spelled.data, spelled.len, "the training texts", err);
    }
    buf_free(&text), buf_free(&spelled);
    return st;
}

/* ---- learning: numbers ---- */
static laco_status learn_numbers(reading *f, const examples *e, const task_job *j, laco_error *err)
{
    size_t F = (size_t)e->features;
    int64_t *seen = mem_new(F, sizeof *seen), steps = 0;
    f->features = e->features;
    f->mean = mem_new(F, sizeof *f->mean), f->scale = mem_new(F, sizeof *f->scale);
    f->flag = mem_new(F, sizeof *f->flag);
    if (!seen || !f->mean || !f->scale || !f->flag) return mem_free(seen), fail_memory(err, F * 32);
    for (int round = 0; round < 2; round++)
        for (int64_t i = 0; i < e->count; i++) {
            const example *r = &e->row[i];
            if (r->part != PART_TRAIN) continue;
            for (int64_t t = r->start; t < r->start + r->length; t++)
                for (size_t c = 0; c < F; c++) {
                    double x = e->x[t * e->features + (int64_t)c];
                    if (isnan(x)) continue;
                    if (round)
                        f->scale[c] += (x - f->mean[c]) * (x - f->mean[c]) / (double)seen[c];
                    else
                        f->mean[c] += (x - f->mean[c]) / (double)++seen[c];
                }
            steps += round ? 0 : r->length;
        }
    int64_t flags = 0, missing = 0;
    for (size_t c = 0; c < F; c++) {
        f->scale[c] = sqrt(f->scale[c]), f->flag[c] = seen[c] < steps;
        if (!f->scaled) f->mean[c] = 0, f->scale[c] = 1;
        if (!(f->scale[c] > 1e-6 * fabs(f->mean[c]))) f->scale[c] = 0; /* constant: says nothing */
        flags += f->flag[c], missing += steps - seen[c];
    }
    f->inputs = f->features + flags;
    mem_free(seen);
    char a[32];
    if (flags)
        task_note(j, "missing   %s numbers of %lld features: the mean stands there, and %lld more inputs say where",
                  task_count(missing, a), (long long)flags, (long long)flags);
    return LACO_OK;
}
/* The order of steps that --permute draws: of sequences of one length. */
static laco_status learn_order(reading *f, const examples *e, const options *o, laco_error *err)
{
    int64_t seed = options_int(o, "permute"), T = e->count ? e->row[0].length : 0;
    if (!seed) return LACO_OK;
    for (int64_t i = 0; i < e->count; i++)
        if (e->row[i].length != T || T > INT32_MAX)
            return fail(err, LACO_EINVAL, -1,
                        "--permute needs sequences of one length, but there are %lld and %lld steps", (long long)T,
                        (long long)e->row[i].length);
    if (!(f->order = mem_new((size_t)T, sizeof *f->order))) return fail_memory(err, (size_t)T * sizeof *f->order);
    f->length = T;
    for (int64_t t = 0; t < T; t++) f->order[t] = (int32_t)t;
    for (int64_t t = T - 1; t > 0; t--) {
        int64_t k = (int64_t)(rng_uniform((uint64_t)seed, RNG_SHUFFLE, (uint64_t)t) * (double)(t + 1));
        int32_t x = f->order[t];
        f->order[t] = f->order[k], f->order[k] = x;
    }
    return LACO_OK;
}

/* ---- learning: answers that are numbers ---- */
/* Mean and deviation by the recurrence of Welford 1962. */
static laco_status learn_scale(reading *f, const examples *e, laco_error *err)
{
    double n = 0, mean = 0, squares = 0;
    for (int64_t i = 0; i < e->count; i++) {
        const example *r = &e->row[i];
        for (int64_t t = 0; r->part == PART_TRAIN && t < (f->every ? r->length : 1); t++) {
            double y = f->every ? e->y[r->start + t] : r->number, off = y - mean;
            if (!isnan(y)) mean += off / ++n, squares += off * (y - mean);
        }
    }
    if (!(n > 0)) return fail(err, LACO_EINVAL, -1, "no training example has a number to answer");
    f->y_mean = mean, f->y_scale = squares > 0 ? sqrt(squares / n) : 1;
    return LACO_OK;
}
laco_status reading_learn(reading *f, const examples *e, const options *o, const task_job *j, laco_error *err)
{
    laco_status st = f->numbers ? learn_numbers(f, e, j, err) : learn_text(f, e, o, err);
    if (!st && f->numbers) st = learn_order(f, e, o, err);
    if (!st && f->answer == ANSWER_NUMBER) st = learn_scale(f, e, err);
    return st;
}

/* ---- reading as learnt ---- */
/* The symbols of all lines; a line that is too long is cut, but for its end where words have one. */
static laco_status apply_text(const reading *f, examples *e, laco_error *err)
{
    buf spelled = { 0 };
    const char *text = e->text.data ? e->text.data : "";
    size_t n = e->text.len;
    int64_t count, skipped, to = 0, k = 0;
    int32_t eos = vocab_eos(f->v);
    laco_status st = f->spell ? spell_rare(&spelled, f->v, text, n, err) : LACO_OK;
    if (f->spell && !st) text = spelled.data ? spelled.data : "", n = spelled.len;
    mem_free(e->ids), e->ids = NULL;
    if (!st) st = vocab_encode(f->v, text, n, "the texts", true, true, &e->ids, &count, &skipped, err);
    buf_free(&spelled);
    for (int64_t i = 0; !st && i < e->count; i++) {
        example *r = &e->row[i];
        for (r->start = to; k < count; k++) {
            if (!f->max_length || to - r->start < f->max_length) e->ids[to++] = e->ids[k];
            if (e->ids[k] == eos) break;
        }
        k++, r->length = to - r->start;
    }
    e->positions = to;
    return st;
}
static void apply_row(const reading *f, const float *raw, float *x, int64_t *missing)
{
    int64_t flag = f->features;
    for (int64_t c = 0; c < f->features; c++) {
        bool there = !isnan(raw[c]);
        *missing += !there && !f->flag[c];
        x[c] = there && f->scale[c] > 0 ? (float)((raw[c] - f->mean[c]) / f->scale[c]) : 0;
        if (f->flag[c]) x[flag++] = !there;
    }
}
static laco_status apply_numbers(const reading *f, examples *e, const task_job *j, laco_error *err)
{
    float *x = mem_new((size_t)e->positions, (size_t)f->inputs * sizeof *x);
    int64_t missing = 0;
    if (e->features != f->features)
        return mem_free(x), fail(err, LACO_EINVAL, -1, "the model reads %lld features, the data have %lld",
                                 (long long)f->features, (long long)e->features);
    if (!x) return fail_memory(err, (size_t)(e->positions * f->inputs) * sizeof *x);
    for (int64_t i = 0; i < e->count; i++) {
        const example *r = &e->row[i];
        if (f->order && r->length != f->length)
            return mem_free(x),
                   fail(err, LACO_EINVAL, r->line, "the model reads sequences of %lld steps, number %lld has %lld",
                        (long long)f->length, (long long)r->line, (long long)r->length);
        for (int64_t t = 0; t < r->length; t++) {
            int64_t from = r->start + (f->order ? f->order[t] : t);
            apply_row(f, e->x + from * e->features, x + (r->start + t) * f->inputs, &missing);
        }
    }
    if (missing)
        task_note(j, "missing   %lld numbers of features that were never missing in training: their mean stands there",
                  (long long)missing);
    mem_free(e->x), e->x = x;
    return LACO_OK;
}
laco_status reading_apply(const reading *f, examples *e, const task_job *j, laco_error *err)
{
    return f->numbers ? apply_numbers(f, e, j, err) : apply_text(f, e, err);
}

/* ---- in a model ---- */
static void numbers_json(const reading *f, json_out *o)
{
    json_key(o, "prepare"), prepare_to_json(&f->prepare, o);
    if (f->pattern) json_key(o, "pattern"), json_text(o, f->pattern);
    json_key(o, "features"), json_begin(o, '[');
    for (int64_t i = 0; i < f->features; i++) {
        json_begin(o, '{');
        if (f->feature) json_key(o, "name"), json_text(o, f->feature[i]);
        json_key(o, "mean"), json_number(o, f->mean[i]);
        json_key(o, "deviation"), json_number(o, f->scale[i]);
        if (f->flag[i]) json_key(o, "missing"), json_bool(o, true);
        json_end(o, '}');
    }
    json_end(o, ']');
    if (!f->order) return;
    json_key(o, "order"), json_begin(o, '[');
    for (int64_t t = 0; t < f->length; t++) json_int(o, f->order[t]);
    json_end(o, ']');
}
static const char *const answers[] = { "class", "labels", "number" };
static void reading_json(const reading *f, json_out *o)
{
    json_begin(o, '{');
    json_key(o, "reads"), json_text(o, f->numbers ? "numbers" : "text");
    json_key(o, "answer"), json_text(o, answers[f->answer]);
    json_key(o, "columns"), json_begin(o, '{');
    for (int i = 0; i < COLS; i++)
        if (f->column[i]) json_key(o, reading_columns[i]), json_text(o, f->column[i]);
    json_end(o, '}');
    if (f->no_header) json_key(o, "no_header"), json_bool(o, true);
    if (f->decimal_comma) json_key(o, "decimal_comma"), json_bool(o, true);
    if (f->answer == ANSWER_LABELS) json_key(o, "separator"), json_text(o, f->separator);
    if (f->prior) {
        json_key(o, "frequencies"), json_begin(o, '[');
        for (int32_t k = 0; k < f->classes; k++) json_number(o, f->prior[k]);
        json_end(o, ']');
    }
    if (f->answer == ANSWER_NUMBER) {
        json_key(o, "mean"), json_number(o, f->y_mean);
        json_key(o, "deviation"), json_number(o, f->y_scale);
        json_key(o, "every"), json_bool(o, f->every);
        json_key(o, "remaining"), json_bool(o, f->remaining);
        if (isfinite(f->cap)) json_key(o, "cap"), json_number(o, f->cap);
    }
    if (f->numbers)
        numbers_json(f, o);
    else {
        json_key(o, "unit"), json_text(o, f->spell ? "both" : text_unit_name(f->unit));
        json_key(o, "lower"), json_bool(o, f->line.lower);
        json_key(o, "max_length"), json_int(o, f->max_length);
    }
    json_end(o, '}');
}
laco_status reading_save(const reading *f, laco_model *m, laco_error *err)
{
    buf text = { 0 }, names = { 0 }, voc = { 0 };
    json_out o = { .to = &text }, c = { .to = &names };
    reading_json(f, &o);
    json_begin(&c, '[');
    for (int32_t i = 0; i < f->classes; i++) json_text(&c, f->class[i]);
    json_end(&c, ']');
    laco_status st = text.failed || names.failed ? fail_memory(err, text.len + names.len) : LACO_OK;
    if (!st) st = model_set(m, "task", "classify", err);
    if (!st) st = model_set(m, "front", text.data, err);
    if (!st && f->classes) st = model_set(m, "classes", names.data, err);
    if (!st && f->v) st = vocab_to_json(f->v, &voc, err);
    if (!st && f->v) st = model_set(m, "vocabulary", voc.data, err);
    buf_free(&text), buf_free(&names), buf_free(&voc);
    return st;
}
static bool says(const json *o, const char *key)
{
    const json *v = json_get(o, key);
    return v && v->kind == JSON_TRUE;
}
static double number_of(const json *o, const char *key, double otherwise)
{
    const json *v = json_get(o, key);
    return v && v->kind == JSON_NUMBER ? v->number : otherwise;
}
static const char *text_of(const json *o, const char *key)
{
    const json *v = json_get(o, key);
    return v && v->kind == JSON_STRING ? v->text : "";
}
static laco_status load_numbers(reading *f, const json *v, laco_error *err)
{
    const json *list = json_get(v, "features"), *order = json_get(v, "order");
    if (!list || list->kind != JSON_ARRAY || !list->len) return fail(err, LACO_EFORMAT, -1, "it names no features");
    if (!json_get(v, "prepare")) return fail(err, LACO_EFORMAT, -1, "it does not say how its series are prepared");
    laco_status st = prepare_from_json(&f->prepare, json_get(v, "prepare"), err);
    if (!st && json_get(v, "pattern")) st = keep_text(&f->pattern, text_of(v, "pattern"), err);
    if (st) return st;
    size_t n = list->len;
    f->features = (int64_t)n, f->inputs = f->features;
    f->mean = mem_new(n, sizeof *f->mean), f->scale = mem_new(n, sizeof *f->scale);
    f->flag = mem_new(n, sizeof *f->flag);
    if (json_get(&list->item[0], "name")) f->feature = mem_new(n, sizeof *f->feature);
    if (!f->mean || !f->scale || !f->flag) return fail_memory(err, n * 16);
    for (size_t i = 0; !st && i < n; i++) {
        const json *c = &list->item[i];
        f->mean[i] = number_of(c, "mean", 0), f->scale[i] = number_of(c, "deviation", 0),
        f->flag[i] = says(c, "missing");
        f->inputs += f->flag[i];
        if (f->feature) st = keep_text(&f->feature[i], text_of(c, "name"), err);
    }
    if (st || !order) return st;
    f->length = order->kind == JSON_ARRAY ? (int64_t)order->len : 0;
    if (!(f->order = mem_new((size_t)f->length, sizeof *f->order))) return fail_memory(err, order->len * 4);
    for (int64_t t = 0; t < f->length; t++) {
        const json *k = &order->item[t];
        if (!k->integer || k->i < 0 || k->i >= f->length)
            return fail(err, LACO_EFORMAT, -1, "its order of steps is damaged");
        f->order[t] = (int32_t)k->i;
    }
    return LACO_OK;
}
static laco_status load_text(reading *f, const json *v, const laco_model *m, laco_error *err)
{
    const char *unit = text_of(v, "unit"), *voc = model_get(m, "vocabulary");
    f->spell = !strcmp(unit, "both"), f->max_length = (int64_t)fmin(fmax(number_of(v, "max_length", 0), 0), 1e15);
    laco_status st = text_unit_named(&f->unit, f->spell ? "word" : unit, err);
    f->line = (line_options){ says(v, "lower"), f->unit == UNIT_WORD };
    if (!st && !voc) st = fail(err, LACO_EFORMAT, -1, "it has no vocabulary");
    if (!st) st = vocab_from_json(&f->v, voc, strlen(voc), err);
    if (!st && vocab_size(f->v) != m->net->inputs)
        st = fail(err, LACO_EFORMAT, -1, "its vocabulary has %d symbols, its network reads %lld", vocab_size(f->v),
                  (long long)m->net->inputs);
    return st;
}
static laco_status load_priors(reading *f, const json *v, laco_error *err)
{
    const json *list = json_get(v, "frequencies");
    if (!f->classes) return LACO_OK;
    if (!list || list->kind != JSON_ARRAY || (int64_t)list->len != f->classes)
        return fail(err, LACO_EFORMAT, -1, "it does not say how frequent its classes are");
    if (!(f->prior = mem_new(list->len, sizeof *f->prior))) return fail_memory(err, list->len * sizeof *f->prior);
    for (int32_t k = 0; k < f->classes; k++) f->prior[k] = list->item[k].number;
    return LACO_OK;
}
static laco_status load_classes(reading *f, const laco_model *m, laco_error *err)
{
    const char *text = model_get(m, "classes");
    json_doc *d = NULL;
    if (f->answer == ANSWER_NUMBER) return LACO_OK;
    if (!text) return fail(err, LACO_EFORMAT, -1, "it names no classes");
    laco_status st = json_parse(&d, text, strlen(text), err);
    if (st) return st;
    const json *list = json_root(d);
    if (list->kind != JSON_ARRAY || (int64_t)list->len != m->net->outputs)
        st = fail(err, LACO_EFORMAT, -1, "it names other classes than its network has");
    else if (!(f->class = mem_new(list->len, sizeof *f->class)))
        st = fail_memory(err, list->len * sizeof *f->class);
    for (size_t i = 0; !st && i < list->len; i++, f->classes++) {
        const json *c = &list->item[i];
        st = c->kind == JSON_STRING ? keep_text(&f->class[i], c -> text, err)
                                    : fail(err, LACO_EFORMAT, -1, "its classes are not names");
        if (!st && i && strcmp(f->class[i - 1], f -> class[i]) >= 0)
            st = fail(err, LACO_EFORMAT, -1, "its classes are not in order");
    }
    json_free(d);
    return st;
}
static laco_status load_reading(reading *f, const json *v, const laco_model *m, laco_error *err)
{
    const char *answer = text_of(v, "answer");
    laco_status st = LACO_OK;
    f->numbers = !strcmp(text_of(v, "reads"), "numbers");
    while (f->answer < ANSWER_NUMBER && strcmp(answers[f->answer], answer)) f->answer++;
    for (int i = 0; !st && i < COLS; i++)
        if (json_get(json_get(v, "columns"), reading_columns[i]))
            st = keep_text(&f->column[i], text_of(json_get(v, "columns"), reading_columns[i]), err);
    f->no_header = says(v, "no_header"), f->decimal_comma = says(v, "decimal_comma");
    f->every = says(v, "every"), f->remaining = says(v, "remaining"), f->cap = number_of(v, "cap", INFINITY);
    f->y_mean = number_of(v, "mean", 0), f->y_scale = number_of(v, "deviation", 1);
    snprintf(f->separator, sizeof f->separator, "%s", text_of(v, "separator"));
    if (!st) st = load_classes(f, m, err);
    if (!st) st = load_priors(f, v, err);
    if (!st) st = f->numbers ? load_numbers(f, v, err) : load_text(f, v, m, err);
    if (!st && f->numbers && (m->net->symbols || m->net->inputs != f->inputs))
        st = fail(err, LACO_EFORMAT, -1, "its network does not read its %lld inputs", (long long)f->inputs);
    if (!st && m->net->outputs != reading_outputs(f))
        st = fail(err, LACO_EFORMAT, -1, "its network has %lld outputs", (long long)m->net->outputs);
    return st;
}
laco_status reading_load(reading *f, const laco_model *m, const char *path, laco_error *err)
{
    const char *text = model_get(m, "front");
    json_doc *d = NULL;
    laco_error why = { 0 };
    *f = (reading){ 0 };
    if (!text) return fail(err, LACO_EFORMAT, -1, "%s was not made by laco train classify", path);
    laco_status st = json_parse(&d, text, strlen(text), &why);
    if (!st) st = load_reading(f, json_root(d), m, &why);
    json_free(d);
    if (st) reading_free(f), fail(err, st, -1, "%s: %s", path, why.msg);
    return st;
}
