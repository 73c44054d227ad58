/* Blocks that are larger than memory allows lie in files without a name, so data may be larger than memory: the kernel
   keeps the pages that are used and writes the others to disk. A block is above the limit when it alone is larger than
   a quarter of the memory of the machine (or of its control group), or than LACO_SPILL bytes where that is set (with K,
   M or G behind it; 0: never). The files lie in TMPDIR, or /var/tmp; their room is taken at once, so that a full disk is
   seen here and not when a page is written. Copies of the process (fork) share such a block. */
#ifndef SPILL_H
#define SPILL_H
#include "base.h"
void *spill_take(size_t bytes); /* zeroed, aligned to a page; NULL: not above the limit, or there is no room */
/* Larger or smaller, contents kept, the rest zeroed; NULL: p is not such a block, or there is no room: p is as it was. */
void *spill_resize(void *p, size_t bytes);
bool spill_free(void *p); /* false: p is not such a block */
size_t spill_held(void);  /* bytes on disk now */
#endif
