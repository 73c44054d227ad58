#include "net/kernels.h"

/* Best first. The build says which exist: HAVE_ISA_avx2 and so on. */
#if defined(HAVE_ISA_avx512)
extern const kernels kernels_f32_avx512, kernels_f64_avx512;
#endif
#if defined(HAVE_ISA_avx2)
extern const kernels kernels_f32_avx2, kernels_f64_avx2;
#endif
#if defined(HAVE_ISA_neon)
extern const kernels kernels_f32_neon, kernels_f64_neon;
#endif
#if defined(HAVE_ISA_portable)
extern const kernels kernels_f32_portable, kernels_f64_portable;
#endif
static const kernels *const built[][2] = {
#if defined(HAVE_ISA_avx512)
    { &kernels_f32_avx512, &kernels_f64_avx512 },
#endif
#if defined(HAVE_ISA_avx2)
    { &kernels_f32_avx2, &kernels_f64_avx2 },
#endif
#if defined(HAVE_ISA_neon)
    { &kernels_f32_neon, &kernels_f64_neon },
#endif
#if defined(HAVE_ISA_portable)
    { &kernels_f32_portable, &kernels_f64_portable },
#endif
};
enum { BUILT = sizeof built / sizeof *built };

/* __builtin_cpu_supports also asks whether the operating system saves the registers (XGETBV). */
static bool machine_has(const char *isa)
{
#if defined(__x86_64__)
    if (!strcmp(isa, "avx512"))
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("fma");
    if (!strcmp(isa, "avx2")) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    (void)isa;
    return true;
}

const char *kernels_built(void) { return LACO_ISAS; }

const kernels *kernels_at(int i, int real)
{
    for (int b = 0; b < BUILT; b++)
        if (machine_has(built[b][0]->isa) && i-- == 0) return built[b][real];
    return NULL;
}

laco_status kernels_choose(const kernels **out, int real, laco_error *err)
{
    const char *cap = getenv("LACO_ISA");
    bool below = !cap || !*cap;
    for (int b = 0; b < BUILT; b++) {
        below |= cap && !strcmp(cap, built[b][0]->isa);
        if (below && machine_has(built[b][0]->isa)) return *out = built[b][real], LACO_OK;
    }
    return fail(err, LACO_EINVAL, -1, "LACO_ISA=%s: this build has %s", cap, kernels_built());
}

const layer_kind *kernels_layer(const kernels *k, const char *name)
{
    for (int i = 0; k->layers[i]; i++)
        if (!strcmp(k->layers[i]->name, name)) return k->layers[i];
    return NULL;
}
