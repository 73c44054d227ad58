/* Any bytes as the space of a search; what is accepted must give every trial values that its options allow. */
#include "task/space.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) abort();
}
static void check_trial(const space *s, bool grid, int64_t trial)
{
    int count;
    const laco_option *rows = laco_options(&count);
    options *o;
    require(options_new(&o, rows, count, s->command, NULL) == LACO_OK);
    for (int i = 0; i < s->rows; i++) {
        buf value = { 0 };
        space_value(s, i, grid, 1, trial, &value);
        require(value.data && options_set(o, s->row[i].name, value.data, NULL) == LACO_OK);
        buf_free(&value);
    }
    options_free(o);
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    space s;
    laco_error err;
    laco_status st = space_parse(&s, (const char *)data, size, "space", &err);
    if (st) {
        require(err.code == st && s.rows == 0 && !s.command);
        return 0;
    }
    int64_t all = space_combinations(&s);
    for (int64_t i = 0; i < 4; i++) {
        check_trial(&s, false, i);
        if (all) check_trial(&s, true, i);
    }
    space_free(&s);
    return 0;
}
