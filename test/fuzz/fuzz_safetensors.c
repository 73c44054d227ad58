/* Any bytes to the safetensors reader; of what it accepts every element is converted, which reads every byte. */
#include "format/safetensors.h"
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool ok, const char *what)
{
    if (ok) return;
    fprintf(stderr, "fuzz_safetensors: %s\n", what);
    abort();
}

static void read_all(const safetensors *s, const st_tensor *t)
{
    int64_t n = st_elements(t);
    must(n >= 0 && (uint64_t)n <= t->bytes, "more elements than bytes");
    must(st_find(s, t->name) == t, "a tensor that is not found by its name");
    void *out = mem_new((size_t)n, 8);
    if (!out) return;
    must(st_to_f64(t, out, n, NULL) == LACO_OK, "a tensor that is not read as f64");
    must(st_to_f32(t, out, n, NULL) == LACO_OK, "a tensor that is not read as f32");
    laco_status status = st_to_i64(t, out, n, NULL);
    must(status == LACO_OK || status == LACO_EFORMAT, "an unknown status");
    must(st_to_f64(t, out, n + 1, NULL) == LACO_EINVAL, "a wrong number of elements");
    mem_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    safetensors *s;
    laco_error e = { 0 };
    laco_status status = st_parse(&s, bytes, n, &e);
    if (status) {
        must(e.code == status && e.msg[0] != 0 && s == NULL, "an error without a message");
        return 0;
    }
    size_t sum = 0;
    for (size_t i = 0; i < st_count(s); i++) {
        read_all(s, st_at(s, i));
        sum += st_at(s, i)->bytes;
    }
    must(sum < n, "more data than the file holds");
    for (size_t i = 0; i < st_metadata_count(s); i++) {
        const char *key, *value;
        st_metadata_at(s, i, &key, &value);
        must(st_metadata(s, key) == value, "metadata that is not found by its key");
    }
    st_free(s);
    return 0;
}
