/* All memory of the library. Blocks are zeroed and aligned to 64 bytes (a cache line and the widest vector); large ones
   to 2 MiB with huge pages advised, which spares the matrix products most of their address misses.

   Without a hook blocks come from posix_memalign, or lie on disk when they are larger than memory allows (spill.h). With
   one, which aligns to 16 only, a block is
       base … padding | base pointer (16 bytes) | block   (aligned)                                               */
#include "base.h"
#include "spill.h"
#include <sys/mman.h>

enum { MEM_ALIGN = 64, MEM_HEAD = 16, MEM_LARGE = 4 << 20, MEM_HUGE_PAGE = 2 << 20 };

/* The one hook of the process: laco_set_allocator is called before any other function, so it never changes under use
   and every block goes back to where it came from. */
static struct {
    laco_resize *resize;
    void *ctx;
} mem_hook;

void laco_set_allocator(laco_resize *resize, void *ctx)
{
    mem_hook.resize = resize;
    mem_hook.ctx = ctx;
}

static void *mem_take_hooked(size_t bytes, size_t align)
{
    if (bytes > SIZE_MAX - align - MEM_HEAD) return NULL;
    char *base = mem_hook.resize(mem_hook.ctx, NULL, bytes + align + MEM_HEAD);
    if (!base) return NULL;
    uintptr_t first = (uintptr_t)base + MEM_HEAD;
    char *p = base + MEM_HEAD + (align - first % align) % align;
    memcpy(p - MEM_HEAD, &base, sizeof base);
    return p;
}

static void *mem_take(size_t bytes, bool *zeroed)
{
    size_t align = bytes >= MEM_LARGE ? MEM_HUGE_PAGE : MEM_ALIGN;
    void *p = mem_hook.resize ? NULL : spill_take(bytes);
    if ((*zeroed = p != NULL)) return p;
    if (bytes == 0) bytes = 1;
    if (mem_hook.resize)
        p = mem_take_hooked(bytes, align);
    else if (posix_memalign(&p, align, bytes))
        return NULL;
#ifdef MADV_HUGEPAGE
    if (p && bytes >= MEM_LARGE) madvise(p, bytes / MEM_HUGE_PAGE * MEM_HUGE_PAGE, MADV_HUGEPAGE);
#endif
    return p;
}

bool mul_overflows(size_t a, size_t b, size_t *product) { return __builtin_mul_overflow(a, b, product); }

void *mem_new(size_t n, size_t size)
{
    size_t bytes;
    if (mul_overflows(n, size, &bytes)) return NULL;
    bool zeroed;
    void *p = mem_take(bytes, &zeroed);
    if (p && !zeroed) memset(p, 0, bytes);
    return p;
}

void *mem_resize(void *p, size_t old_bytes, size_t new_bytes)
{
    char *q = spill_resize(p, new_bytes);
    bool zeroed;
    if (q) return q;
    if (!(q = mem_take(new_bytes, &zeroed))) return NULL;
    size_t kept = !p ? 0 : old_bytes < new_bytes ? old_bytes : new_bytes;
    if (kept) memcpy(q, p, kept);
    if (!zeroed) memset(q + kept, 0, new_bytes - kept);
    mem_free(p);
    return q;
}

void mem_free(void *p)
{
    if (!p) return;
    if (!mem_hook.resize) {
        if (!spill_free(p)) free(p);
        return;
    }
    void *base;
    memcpy(&base, (char *)p - MEM_HEAD, sizeof base);
    mem_hook.resize(mem_hook.ctx, base, 0);
}

char *mem_text(const char *s, size_t n)
{
    char *p = n < SIZE_MAX ? mem_new(n + 1, 1) : NULL;
    if (p && n) memcpy(p, s, n);
    return p;
}
