/* How often each value was seen: by a hash of 64 bits, in the order that values are first met, up to a limit. */
#ifndef TALLY_H
#define TALLY_H
#include "base/base.h"
typedef struct tally_value {
    uint64_t hash;
    int64_t count, mark; /* mark: the caller's, -1 at first */
    char *text;          /* NULL when texts are not kept */
} tally_value;
typedef struct tally {
    tally_value *value;
    int64_t n, room, most, texts; /* at most `most` values; the first `texts` keep their text */
    int64_t *slot, slots;         /* open addressing; -1: free */
    bool full, failed;            /* full: a value was left out; failed: no memory */
} tally;
/* The value, counted once more; NULL: it is not there and there is no room. */
tally_value *tally_add(tally *t, uint64_t hash, const char *text, size_t n);
tally_value *tally_find(const tally *t, uint64_t hash);
void tally_free(tally *t);
#endif
