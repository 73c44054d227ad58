/* The matrix products of a row alone, by another library: what a recurrent layer built upon that library cannot beat.
   -DWITH_DNNL: dnnl_sgemm, else cblas_sgemm. Inputs and weight gradients as one product over all steps, the recurrent
   ones step by step. The number of threads comes from OPENBLAS_NUM_THREADS or OMP_NUM_THREADS. */
#include "peer.h"
#ifdef WITH_DNNL
#include <dnnl.h>
static void sgemm(char ta, char tb, long m, long n, long k, const float *a, const float *b, float *c)
{
    dnnl_sgemm(ta, tb, m, n, k, 1, a, ta == 'N' ? k : m, b, tb == 'N' ? n : k, 0, c, n);
}
#else
#include <cblas.h>
#undef I /* of complex.h */
static void sgemm(char ta, char tb, long m, long n, long k, const float *a, const float *b, float *c)
{
    cblas_sgemm(CblasRowMajor, ta == 'N' ? CblasNoTrans : CblasTrans, tb == 'N' ? CblasNoTrans : CblasTrans, (int)m,
                (int)n, (int)k, 1, a, (int)(ta == 'N' ? k : m), b, (int)(tb == 'N' ? n : k), 0, c, (int)n);
}
#endif

typedef struct products {
    peer_row r;
    int backward;
    float *x, *h, *gates, *wx, *wh, *dwx, *dwh;
} products;

static void *prepare(const peer_row *r)
{
    products *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    long R = r->B * r->T, GH = r->gates * r->H;
    p->r = *r, p->backward = !strcmp(r->kind, "train");
    p->x = peer_numbers(R * r->I), p->h = peer_numbers(R * r->H), p->gates = peer_numbers(R * GH);
    p->wx = peer_numbers(GH * r->I), p->wh = peer_numbers(GH * r->H);
    if (p->backward) p->dwx = peer_numbers(GH * r->I), p->dwh = peer_numbers(GH * r->H);
    return p;
}
static void run(void *state)
{
    const products *p = state;
    const long I = p->r.I, H = p->r.H, B = p->r.B, T = p->r.T, R = B * T, GH = p->r.gates * H;
    sgemm('N', 'N', R, GH, I, p->x, p->wx, p->gates);
    for (long t = 0; t < T; t++) sgemm('N', 'N', B, GH, H, p->h + t * B * H, p->wh, p->gates + t * B * GH);
    if (!p->backward) return;
    for (long t = T; t-- > 0;) sgemm('N', 'T', B, H, GH, p->gates + t * B * GH, p->wh, p->h + t * B * H);
    sgemm('N', 'T', R, I, GH, p->gates, p->wx, p->x);
    sgemm('T', 'N', GH, I, R, p->gates, p->x, p->dwx);
    sgemm('T', 'N', GH, H, R, p->gates, p->h, p->dwh);
}
int main(int argc, char **argv) { return peer_main(argc, argv, prepare, run); }
