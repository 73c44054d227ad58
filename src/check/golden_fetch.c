#include "check/golden_fetch.h"

double *golden_fetch(const safetensors *file, const char *name, int64_t n, laco_error *err)
{
    const st_tensor *t = st_find(file, name);
    double *x = NULL;
    if (!t)
        fail(err, LACO_EFORMAT, -1, "tensor \"%s\" is missing", name);
    else if (st_elements(t) != n)
        fail(err, LACO_EFORMAT, -1, "tensor \"%s\" has %lld numbers, not %lld", name, (long long)st_elements(t),
             (long long)n);
    else if (!(x = mem_new((size_t)n, sizeof *x)))
        fail_memory(err, (size_t)n * sizeof *x);
    else if (st_to_f64(t, x, n, err))
        mem_free(x), x = NULL;
    return x;
}
