/* In which order the blocks of a window go forward and back when only some of the states between them can be kept.

   n blocks follow a kept state, and there is room for c - 1 more states. Behind which of the blocks is the next one
   kept? With every block passed at most r times before it goes back, c states reach (c + r over r) blocks (Griewank &
   Walther 2000, "Revolve", algorithm 799); for the smallest such r that place is max((c + r - 2 over r - 2), n - (c - 1
   + r over r)), and no other order goes forward through fewer blocks. */
#ifndef RECOMPUTE_H
#define RECOMPUTE_H
#include "base/base.h"

typedef struct recompute {
    int64_t end;       /* the blocks below it have not gone back */
    int64_t *kept;     /* [states + 1] before which block each kept state stands; that of the first, 0, is given */
    int64_t top, room; /* the last kept state; how many there can be beside the first */
} recompute;
/* From kept state `start`, which stands before block `from`, forward to block `to`. There the state is kept, as the
   kept state start + 1; or else block `to` goes forward with its tapes, and back. */
typedef struct recompute_move {
    int64_t start, from, to;
    bool keep;
} recompute_move;
bool recompute_next(recompute *s, recompute_move *m); /* false: all blocks have gone back */
#endif
