/* Any bytes to the readers of sequences (.ts, .npy, idx) and of tar; what they accept must hold together. */
#include "data/readers.h"
#include "data/tar.h"
#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) abort();
}
/* What was handed over, of which nothing stays. */
typedef struct tally {
    int64_t count, steps;
} tally;
static laco_status check_part(void *ctx, series_set *s, laco_error *err)
{
    (void)err;
    tally *t = ctx;
    require(s->count > 0 && s->features > 0 && s->start[0] == 0 && s->first == t->count);
    for (int64_t i = 0; i < s->count; i++) require(s->start[i + 1] >= s->start[i]);
    for (int64_t i = 0; i < s->start[s->count] * s->features; i++) require(!isinf(s->x[i]));
    t->count += s->count, t->steps += s->start[s->count];
    return series_free(s), LACO_OK;
}
typedef laco_status reads(const series_parts *to, bytes_view bytes, laco_error *err);
static laco_status read_ts(const series_parts *to, bytes_view bytes, laco_error *err)
{
    return series_parse_ts(to, bytes.at, bytes.n, "ts", err);
}
static laco_status read_array(const series_parts *to, bytes_view bytes, laco_error *err)
{
    return series_parse_array(to, bytes, NULL, err);
}
static laco_status read_labelled(const series_parts *to, bytes_view bytes, laco_error *err)
{
    return series_parse_array(to, bytes, &bytes, err);
}
/* All at once and two at a time: the same sequences, the same error. */
static void check(reads *read, bytes_view bytes)
{
    tally whole = { 0 }, parts = { 0 };
    laco_error err = { 0 }, again = { 0 };
    laco_status st = read(&(series_parts){ INT64_MAX, check_part, &whole }, bytes, &err);
    require(read(&(series_parts){ 2, check_part, &parts }, bytes, &again) == st);
    require(st ? err.code == st && !strcmp(err.msg, again.msg) && !whole.count
               : whole.count > 0 && whole.count == parts.count && whole.steps == parts.steps);
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    laco_error err;
    bytes_view bytes = { (const char *)data, "array", size };
    check(read_ts, bytes), check(read_array, bytes), check(read_labelled, bytes);
    tar t = { .bytes = bytes.at, .n = size, .file = "tar" };
    bool more = true;
    while (!tar_next(&t, &more, &err) && more)
        require(t.data >= bytes.at && t.size <= size && t.data + t.size <= bytes.at + size);
    tar_close(&t);
    return 0;
}
