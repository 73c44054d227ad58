/* The figures of a tagger beside those of its baseline. */
#include "task/tag.h"
#include <math.h>
#include <stdio.h>

static void per_cent(double x, char to[16])
{
    if (isnan(x))
        snprintf(to, 16, "-");
    else
        snprintf(to, 16, "%.2f", 100 * x);
}
static void note_row(const task_job *j, const char *name, const tag_counts *c)
{
    char all[16], known[16], unknown[16];
    per_cent(tag_accuracy(c), all), per_cent(tag_accuracy_of(c, WORDS_KNOWN), known);
    per_cent(tag_accuracy_of(c, WORDS_UNKNOWN), unknown);
    if (c->spans)
        task_note(j, "  %-26s %8s %8s %8s  %9.2f %7.2f %7.2f", name, all, known, unknown, 100 * span_precision(c->all),
                  100 * span_recall(c->all), 100 * span_f1(c->all));
    else
        task_note(j, "  %-26s %8s %8s %8s", name, all, known, unknown);
}
void tag_note_table(const task_job *j, const char *const *name, const tag_counts *const *count, int n)
{
    bool spans = false;
    for (int i = 0; i < n; i++) spans |= count[i]->spans;
    task_note(j, "  %-26s %8s %8s %8s%s", "per cent", "accuracy", "known", "unknown",
              spans ? "  precision  recall      F1" : "");
    for (int i = 0; i < n; i++) note_row(j, name[i], count[i]);
}
void tag_note_types(const task_job *j, const tag_counts *c)
{
    for (int32_t k = 0; c->spans && k < intern_count(c->types); k++) {
        const char *type = intern_text(c->types, k);
        task_note(j, "  %-26s %35.2f %7.2f %7.2f   %lld", *type ? type : "(no type)", 100 * span_precision(c->type[k]),
                  100 * span_recall(c->type[k]), 100 * span_f1(c->type[k]), (long long)c->type[k].real);
    }
}
