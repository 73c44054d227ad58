/* A model: a network, its metadata, and its file (safetensors).

   Metadata: "format" = "laco", "format_version" = "1", "description", "inputs" and "outputs" as decimal numbers, and
   what the task added ("task", "vocabulary", "options", "training"). Tensors: the parameters, F32, under their names in
   the network ("layers.0.weight_ih"); and a parity vector, "parity.input" (I32 symbols [T] or F32 [T][inputs]) and
   "parity.output" (F32 [T][outputs]), T = 8, which is recomputed on load: a file that computes something else is
   refused. */
#ifndef MODEL_H
#define MODEL_H
#include "net/net.h"

struct laco_model {
    net *net;
    pool *pool;
    bool ready;            /* the weights are packed as they are: it can run */
    bool steps;            /* it can step: no layer looks ahead */
    char *description;     /* canonical */
    char **keys, **values; /* metadata, with "format" and its like */
    int pairs;
};
/* threads: of the model's own pool; 0 as pool_new. outputs 0: as the description says. Weights are zero. */
laco_status model_new(laco_model **out, const char *description, int64_t inputs, int64_t outputs, int threads,
                      laco_error *err);
/* Whatever the bytes ask for, no more memory is taken than a fixed multiple of n. */
laco_status model_parse(laco_model **out, const void *bytes, size_t n, int threads, laco_error *err);
laco_status model_load(laco_model **out, const char *path, int threads, laco_error *err);
laco_status model_save(const laco_model *m, const char *path, laco_error *err);
laco_status model_ready(laco_model *m, laco_error *err); /* packs the weights */
laco_status weights_parse(const char *name, weights_kind *kind, laco_error *err);
laco_status model_weights(laco_model *m, const char *kind, laco_error *err); /* of that kind from now on */
laco_status model_set(laco_model *m, const char *key, const char *value, laco_error *err); /* metadata, replaced */
const char *model_get(const laco_model *m, const char *key);
/* A second network with the same weights and one thread, packed: whoever has only a const model runs this one. */
typedef struct model_copy {
    net *net;
    pool *pool;
} model_copy;
laco_status model_copy_new(model_copy *out, const laco_model *m, laco_error *err);
void model_copy_free(model_copy *c);
/* layers, shapes, parameters, multiply-adds and bytes per step, training memory for a batch: as text or as JSON */
laco_status model_describe(const laco_model *m, int64_t batch, int64_t steps, bool as_json, buf *out, laco_error *err);
#endif
