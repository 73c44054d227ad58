/* safetensors: u64 little-endian header length, JSON header, data.
   Reading trusts nothing: every length, offset, shape product and key is checked (see test/golden/safetensors-edge). */
#ifndef SAFETENSORS_H
#define SAFETENSORS_H
#include "base/base.h"
typedef enum {
    ST_BOOL,
    ST_U8,
    ST_I8,
    ST_I16,
    ST_U16,
    ST_F16,
    ST_BF16,
    ST_I32,
    ST_U32,
    ST_F32,
    ST_F64,
    ST_I64,
    ST_U64
} st_dtype;
typedef struct st_tensor {
    const char *name;
    st_dtype dtype;
    int rank; /* at most 8 */
    int64_t shape[8];
    const void *data; /* little-endian; not necessarily aligned */
    size_t bytes;
} st_tensor;
typedef struct safetensors safetensors;
laco_status st_parse(safetensors **out, const void *bytes, size_t n, laco_error *err); /* bytes stay with the caller */
laco_status st_load(safetensors **out, const char *path, laco_error *err);             /* reads and owns the file */
size_t st_count(const safetensors *s);
const st_tensor *st_at(const safetensors *s, size_t i);
const st_tensor *st_find(const safetensors *s, const char *name); /* NULL when absent */
const char *st_metadata(const safetensors *s, const char *key);   /* NULL when absent */
size_t st_metadata_count(const safetensors *s);
void st_metadata_at(const safetensors *s, size_t i, const char **key, const char **value);
int64_t st_elements(const st_tensor *t);
/* Any numeric type converted; n must equal the number of elements. */
laco_status st_to_f64(const st_tensor *t, double *out, int64_t n, laco_error *err);
laco_status st_to_f32(const st_tensor *t, float *out, int64_t n, laco_error *err);
laco_status st_to_i64(const st_tensor *t, int64_t *out, int64_t n, laco_error *err);
void st_free(safetensors *s);

/* Writes atomically; keys and values are pairs of texts. Data starts at a multiple of 64 bytes. */
laco_status st_save(const char *path, const st_tensor *tensors, size_t count, const char *const *keys,
                    const char *const *values, size_t pairs, laco_error *err);
#endif
