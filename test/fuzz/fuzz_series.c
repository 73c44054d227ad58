/* Any bytes to the readers of sequences (.ts, .npy, idx) and of tar; what they accept must hold together. */
#include "data/readers.h"
#include "data/tar.h"
#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) abort();
}
static void check_set(laco_status st, const laco_error *err, series_set *s)
{
    if (st) require(err->code == st && !s->x && !s->start);
    if (!st) require(s->count > 0 && s->features > 0 && s->start[0] == 0);
    for (int64_t i = 0; !st && i < s->count; i++) require(s->start[i + 1] >= s->start[i]);
    for (int64_t i = 0; !st && i < s->start[s->count] * s->features; i++) require(!isinf(s->x[i]));
    series_free(s);
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    series_set s;
    laco_error err;
    bytes_view bytes = { (const char *)data, "array", size };
    check_set(series_parse_ts(&s, bytes.at, size, "ts", &err), &err, &s);
    check_set(series_parse_array(&s, bytes, NULL, &err), &err, &s);
    check_set(series_parse_array(&s, bytes, &bytes, &err), &err, &s);
    tar t = { .bytes = bytes.at, .n = size, .file = "tar" };
    bool more = true;
    while (!tar_next(&t, &more, &err) && more)
        require(t.data >= bytes.at && t.size <= size && t.data + t.size <= bytes.at + size);
    tar_close(&t);
    return 0;
}
