/* The plain files of a tar archive in memory: ustar (POSIX.1-1988), with the long names of GNU and of pax
   (POSIX.1-2001).

   A member is a block of 512 bytes with its name (100), size in octal (12 at 124), check sum (8 at 148), type (1 at
   156), "ustar" (at 257) and the first part of its name (155 at 345); then its bytes, filled up to a multiple of 512.
 */
#ifndef TAR_H
#define TAR_H
#include "base/base.h"

bool tar_is(const char *bytes, size_t n);
typedef struct tar {
    const char *bytes, *file; /* file: its name, for messages */
    size_t n, at;
    char *name; /* of the member; long names live as long as the next is not asked for */
    const char *data;
    size_t size;
} tar;
/* The next plain file: t->name, t->data, t->size; *more false at the end. */
laco_status tar_next(tar *t, bool *more, laco_error *err);
void tar_close(tar *t);
#endif
