/* Any bytes to the reader of piano rolls; what it accepts must hold together. */
#include "data/rolls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) abort();
}
static void check_part(const rolls *r)
{
    int64_t steps = 0;
    for (int64_t i = 0; i < r->count; i++) {
        int64_t length = r->start[i + 1] - r->start[i] - 1;
        require(length > 0);
        steps += length;
        for (int k = 0; k < ROLL_KEYS; k++) require(r->step[r->start[i] * ROLL_KEYS + k] == 0);
        for (int64_t p = r->start[i] * ROLL_KEYS; p < r->start[i + 1] * ROLL_KEYS; p++)
            require(r->step[p] == 0 || r->step[p] == 1);
    }
    require(steps == r->steps);
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rolls part[ROLL_PARTS];
    laco_error err;
    laco_status st = rolls_parse(part, (const char *)data, size, "rolls", &err);
    if (st) require(err.code == st);
    for (int i = 0; i < ROLL_PARTS; i++) {
        if (st) require(!part[i].step && !part[i].start);
        if (!st) check_part(&part[i]);
        rolls_free(&part[i]);
    }
    return 0;
}
