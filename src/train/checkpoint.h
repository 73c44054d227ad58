/* The folder of checkpoints of one training run.

     run.json                          what runs: version, command, options, hash of the data
     update-000000001234.safetensors   the newest two; each holds all that a run needs to go on
     epoch-00000008.safetensors        after epochs 1, 2, 4, 8, …: kept
     best.safetensors                  after the best validation so far
   (the last two unless another was written less than a second before)
     lock                              held by the run that writes here

   A file is written under another name, synced and renamed, so that after a crash at any moment the newest name holds a
   whole file. Its metadata has a checksum of its tensors all the same: disks forget. */
#ifndef CHECKPOINT_H
#define CHECKPOINT_H
#include "base/json.h"
#include "format/safetensors.h"

typedef struct checkpoints checkpoints;
/* A new run; run: the text of run.json. LACO_EINVAL when the folder already holds one. */
laco_status checkpoints_create(checkpoints **out, const char *folder, const char *run, laco_error *err);
/* What runs in a folder; freed with json_free. */
laco_status checkpoints_read_run(json_doc **out, const char *folder, laco_error *err);
/* To go on with the run in a folder. */
laco_status checkpoints_open(checkpoints **out, const char *folder, laco_error *err);
void checkpoints_close(checkpoints *c);

typedef struct checkpoint_kind {
    int64_t update, epoch; /* epoch: epochs done, when one has just ended and is to be kept; else 0 */
    bool best;             /* validation has just been the best so far */
} checkpoint_kind;
laco_status checkpoints_write(checkpoints *c, const checkpoint_kind *kind, const st_tensor *t, size_t count,
                              laco_error *err);
/* The newest that is whole; `damaged` hears a sentence about every one that is not. *out NULL: there is none yet. */
laco_status checkpoints_newest(checkpoints *c, safetensors **out, void (*damaged)(void *ctx, const char *sentence),
                               void *ctx, laco_error *err);
/* The numbers of a tensor of that name, as raw bytes; LACO_EFORMAT unless it has just so many. */
laco_status checkpoint_get(const safetensors *s, const char *name, void *to, size_t bytes, laco_error *err);
#endif
