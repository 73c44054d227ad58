/* A linear-chain conditional random field over the classes of a sequence (Lafferty, McCallum & Pereira 2001; on top of
   a recurrent network Huang, Xu & Yu 2015, Lample et al. 2016):

       score(y)    = start[y_0] + sum over t of e_t[y_t] + sum over t > 0 of A[y_t-1][y_t] + end[y_T-1]
       loss        = log Z - score(right y),  Z = sum over all paths y of exp score(y)
       forward     a_0 = start + e_0,   a_t[j] = e_t[j] + log sum_i exp(a_t-1[i] + A[i][j]),   log Z = log sum exp(a_T-1
   + end) backward    b_T-1 = end,         b_t[i] = log sum_j exp(A[i][j] + e_t+1[j] + b_t+1[j]) marginals   p_t[j]    =
   exp(a_t[j] + b_t[j] - log Z) of pairs    p_t[i][j] = exp(a_t-1[i] + A[i][j] + e_t[j] + b_t[j] - log Z)

   The gradient of log Z by e, start, end and A are the marginals; from it that of the right path is taken. A step of
   class -1 may be of any class: the right paths are then those that go through the classes that are known, and the
   second term is their log sum and their marginals (Tsuboi et al. 2008).

   All is in double. A sum over the classes of exp(a[i] + A[i][j]) is a product of exp(a - max a) with a matrix that is
   the same at every step, exp(A - max A); where it falls out of the range of doubles (forbidden transitions, outputs
   far apart) the sum is made again from its terms, so the result is exact for any finite numbers, and for -infinity
   too.

   A sequence is the work of one thread. Blocks of rows have gradients of their own, which are added in order: how many
   blocks depends on the rows alone. */
#include "loss/crf.h"
#include "math/simd.h"
#include <float.h>
#include <math.h>

enum { BLOCKS = 16 };
static const double least_sum = 1e-280, largest_log = 300;

struct crf {
    int64_t K, rows, block; /* classes; most rows of a batch; sequences of a block in the batch at hand */
    pool *pool;
    double *A, *E, *Et, *gradient; /* [K][K] behind which start and end lie; exp(A - top), transposed; [BLOCKS] as A */
    double *lattice, *scratch;     /* [rows][K] a, or the best score; [threads][4][K] */
    int32_t *back;                 /* [rows][K] the class before on the best path */
    double top;                    /* the largest of A */
    const crf_rows *q;
    int32_t *path;
    double *score;
};

static int64_t numbers(const crf *c) { return c->K * (c->K + 2); }
static void N(crf_free)(crf *c)
{
    if (!c) return;
    mem_free(c->A), mem_free(c->E), mem_free(c->Et), mem_free(c->gradient), mem_free(c->lattice), mem_free(c->scratch);
    mem_free(c->back), mem_free(c);
}
static size_t N(crf_bytes)(int64_t K, int64_t rows, int threads)
{
    return (size_t)((BLOCKS + 1) * K * (K + 2) + 2 * K * K + rows * K + threads * 4 * K) * sizeof(double) +
           (size_t)(rows * K) * sizeof(int32_t);
}
static laco_status N(crf_new)(crf **out, int64_t K, int64_t rows, pool *p, laco_error *err)
{
    crf *c = mem_new(1, sizeof *c);
    size_t matrix = (size_t)(K * K), lattice = (size_t)(rows * K);
    if (!c) return fail_memory(err, sizeof *c);
    c->K = K, c->rows = rows, c->pool = p;
    bool ok = (c->A = mem_new((size_t)numbers(c), sizeof *c->A)) != NULL;
    ok &= (c->E = mem_new(matrix, sizeof *c->E)) != NULL && (c->Et = mem_new(matrix, sizeof *c->Et)) != NULL;
    ok = ok && (c->gradient = mem_new((size_t)(BLOCKS * numbers(c)), sizeof *c->gradient)) != NULL;
    ok = ok && (c->lattice = mem_new(lattice, sizeof *c->lattice)) != NULL;
    ok = ok && (c->scratch = mem_new((size_t)(pool_threads(p) * 4 * K), sizeof *c->scratch)) != NULL;
    ok = ok && (c->back = mem_new(lattice, sizeof *c->back)) != NULL;
    if (!ok) return N(crf_free)(c), fail_memory(err, N(crf_bytes)(K, rows, pool_threads(p)));
    *out = c;
    return LACO_OK;
}

/* ---- sums ---- */
static double largest(int64_t n, const double *x)
{
    double top = -DBL_MAX; /* also of nothing but -infinity, so that differences to it are never NaN */
    for (int64_t i = 0; i < n; i++) top = x[i] > top ? x[i] : top;
    return top;
}
/* log sum exp(x + y), y at a stride; the slow way, term by term */
static double log_sum(int64_t n, const double *x, const double *y, int64_t stride)
{
    double top = -DBL_MAX, sum = 0;
    for (int64_t i = 0; i < n; i++) top = fmax(top, x[i] + y[i * stride]);
    for (int64_t i = 0; i < n; i++) sum += exp(x[i] + y[i * stride] - top);
    return top + log(sum);
}
/* to[j] = log sum_i exp(x[i] + M[i][j]), where E = exp(M - top) and M[i][j] lies at M[i * si + j * sj] */
static void log_product(const crf *c, const double *x, const double *E, int64_t si, int64_t sj, double *u, double *to)
{
    int64_t K = c->K;
    double m = largest(K, x);
    for (int64_t j = 0; j < K; j++) to[j] = 0;
    for (int64_t i = 0; i < K; i++) {
        double f = u[i] = exp(x[i] - m);
        for (int64_t j = 0; j < K; j++) to[j] += f * E[i * K + j];
    }
    for (int64_t j = 0; j < K; j++)
        to[j] = to[j] > least_sum ? log(to[j]) + m + c->top : log_sum(K, x, c->A + j * sj, si);
}

/* ---- the lattice of one sequence ---- */
static int64_t row_at(const crf *c, int64_t t, int64_t b) { return c->q->b->off[t] + b; }
static double *lattice_at(const crf *c, int64_t t, int64_t b) { return c->lattice + row_at(c, t, b) * c->K; }
static int64_t length_of(const ragged *g, int64_t b)
{
    int64_t low = 0, high = g->T;
    while (low < high) {
        int64_t t = (low + high) / 2;
        if (g->active[t] > b)
            low = t + 1;
        else
            high = t;
    }
    return low;
}
/* x += e of step t. clamp: the other classes, where one is known, are impossible. */
static void add_emission(const crf *c, int64_t t, int64_t b, bool clamp, double *x)
{
    int64_t r = row_at(c, t, b);
    const real *e = (const real *)c->q->emission + r * c->q->lde;
    for (int64_t j = 0; j < c->K; j++) x[j] += (double)e[j];
    if (!clamp || c->q->class[r] < 0) return;
    for (int64_t j = 0; j < c->K; j++)
        if (j != c->q->class[r]) x[j] = -INFINITY;
}
/* Makes a of every step; returns log Z. */
static double go_forward(const crf *c, int64_t b, int64_t T, bool clamp, double *scratch)
{
    const double *start = c->A + c->K * c->K, *end = start + c->K;
    for (int64_t t = 0; t < T; t++) {
        double *a = lattice_at(c, t, b);
        if (t)
            log_product(c, lattice_at(c, t - 1, b), c->E, c->K, 1, scratch, a);
        else
            memcpy(a, start, (size_t)c->K * sizeof *a);
        add_emission(c, t, b, clamp, a);
    }
    return log_sum(c->K, lattice_at(c, T - 1, b), end, 1);
}
/* gradient[i][j] += sign p_t[i][j]; w = e_t + b_t */
static void add_pairs(const crf *c, const double *before, const double *w, double log_z, double sign, double *v,
                      double *gradient)
{
    int64_t K = c->K;
    double m = largest(K, before), shift = m + c->top - log_z;
    for (int64_t j = 0; j < K; j++) v[j] = w[j] + shift < largest_log ? sign * exp(w[j] + shift) : 0;
    for (int64_t i = 0; i < K; i++) {
        double f = exp(before[i] - m);
        for (int64_t j = 0; j < K; j++) gradient[i * K + j] += f * c->E[i * K + j] * v[j];
    }
    for (int64_t j = 0; j < K; j++)
        for (int64_t i = 0; !(w[j] + shift < largest_log) && i < K; i++)
            gradient[i * K + j] += sign * exp(before[i] + c->A[i * K + j] + (w[j] - log_z));
}
/* Adds sign times the marginals: to the gradient of the parameters, and with scale to that of the emissions. */
static void go_back(const crf *c, int64_t b, int64_t T, bool clamp, double log_z, double sign, double *scratch,
                    double *gradient)
{
    const crf_rows *q = c->q;
    int64_t K = c->K;
    double *beta = scratch, *w = beta + K, *u = w + K, *v = u + K, *start = gradient + K * K, *end = start + K;
    memcpy(beta, c->A + K * K + K, (size_t)K * sizeof *beta);
    for (int64_t t = T - 1; t >= 0; t--) {
        const double *a = lattice_at(c, t, b);
        int64_t r = row_at(c, t, b);
        real *de = q->de ? (real *)q->de + r * q->ldde : NULL;
        for (int64_t j = 0; j < K; j++) {
            double p = exp(a[j] + beta[j] - log_z);
            if (q->marginal && !clamp) q->marginal[r * K + j] = p;
            if (de) de[j] += (real)(q->scale * sign * p);
            if (t == T - 1) end[j] += sign * p;
            if (!t) start[j] += sign * p;
        }
        if (!t) return;
        memcpy(w, beta, (size_t)K * sizeof *w);
        add_emission(c, t, b, clamp, w);
        if (q->de) add_pairs(c, lattice_at(c, t - 1, b), w, log_z, sign, v, gradient);
        log_product(c, w, c->Et, 1, K, u, beta);
    }
}
static bool all_known(const crf *c, int64_t b, int64_t T)
{
    bool known = true;
    for (int64_t t = 0; t < T; t++) known &= c->q->class[row_at(c, t, b)] >= 0;
    return known;
}
/* Score of the right path; its gradient is taken away. */
static double right_path(const crf *c, int64_t b, int64_t T, double *gradient)
{
    const crf_rows *q = c->q;
    int64_t K = c->K, before = -1;
    const double *start = c->A + K * K, *end = start + K;
    double score = 0;
    for (int64_t t = 0; t < T; t++) {
        int64_t r = row_at(c, t, b), k = q->class[r], step = t ? before * K + k : K * K + k;
        score += (t ? c->A[step] : start[k]) + (double)((const real *)q->emission)[r * q->lde + k];
        if (q->de) ((real *)q->de)[r * q->ldde + k] -= (real)q->scale, gradient[step] -= 1;
        before = k;
    }
    if (q->de) gradient[K * K + K + before] -= 1;
    return score + end[before];
}
static double one_sequence(const crf *c, int64_t b, double *scratch, double *gradient)
{
    const crf_rows *q = c->q;
    int64_t T = length_of(q->b, b);
    if (!T) return 0;
    for (int64_t t = 0; q->de && t < T; t++)
        memset((real *)q->de + row_at(c, t, b) * q->ldde, 0, (size_t)c->K * sizeof(real));
    double log_z = go_forward(c, b, T, false, scratch), right;
    if (q->de || q->marginal) go_back(c, b, T, false, log_z, 1, scratch, gradient);
    if (!q->class) return log_z;
    if (all_known(c, b, T)) return log_z - right_path(c, b, T, gradient);
    right = go_forward(c, b, T, true, scratch);
    if (q->de) go_back(c, b, T, true, right, -1, scratch, gradient);
    return log_z - right;
}

/* ---- a batch ---- */
static void take_parameters(crf *c)
{
    int64_t K = c->K;
    for (int64_t i = 0; i < numbers(c); i++) c->A[i] = (double)((const real *)c->q->params)[i];
    c->top = largest(K * K, c->A);
    for (int64_t i = 0; i < K; i++)
        for (int64_t j = 0; j < K; j++) c->Et[j * K + i] = c->E[i * K + j] = exp(c->A[i * K + j] - c->top);
    c->block = ceil_div(max64(1, c->q->b->B), BLOCKS);
}
static void loss_task(void *ctx, int64_t i, int thread)
{
    crf *c = ctx;
    double *gradient = c->gradient + i * numbers(c), *scratch = c->scratch + thread * 4 * c->K;
    memset(gradient, 0, (size_t)numbers(c) * sizeof *gradient);
    for (int64_t b = i * c->block; b < min64(c->q->b->B, (i + 1) * c->block); b++)
        c->q->loss[b] = one_sequence(c, b, scratch, gradient);
}
static double N(crf_run)(crf *c, const crf_rows *q)
{
    c->q = q, take_parameters(c);
    int64_t blocks = ceil_div(q->b->B, c->block);
    double sum = 0;
    pool_run(c->pool, blocks, loss_task, c);
    for (int64_t b = 0; b < q->b->B; b++) sum += q->loss[b];
    for (int64_t k = 0; q->dparams && k < numbers(c); k++) {
        double d = 0;
        for (int64_t i = 0; i < blocks; i++) d += c->gradient[i * numbers(c) + k];
        ((real *)q->dparams)[k] += (real)(q->scale * d);
    }
    return sum;
}

/* ---- the best path (Viterbi 1967); of equal ones that through the first classes ---- */
static void best_before(const crf *c, const double *before, double *best, int32_t *from)
{
    int64_t K = c->K;
    for (int64_t j = 0; j < K; j++) best[j] = before[0] + c->A[j], from[j] = 0;
    for (int64_t i = 1; i < K; i++)
        for (int64_t j = 0; j < K; j++) {
            double s = before[i] + c->A[i * K + j];
            bool better = s > best[j];
            best[j] = better ? s : best[j], from[j] = better ? (int32_t)i : from[j];
        }
}
static void path_task(void *ctx, int64_t b, int thread)
{
    const crf *c = ctx;
    int64_t T = length_of(c->q->b, b), K = c->K;
    const double *start = c->A + K * K, *end = start + K;
    int32_t last = 0;
    (void)thread;
    for (int64_t t = 0; t < T; t++) {
        double *best = lattice_at(c, t, b);
        if (t)
            best_before(c, lattice_at(c, t - 1, b), best, c->back + row_at(c, t, b) * K);
        else
            memcpy(best, start, (size_t)K * sizeof *best);
        add_emission(c, t, b, false, best);
    }
    const double *best = T ? lattice_at(c, T - 1, b) : end;
    for (int32_t j = 1; T && j < K; j++)
        if (best[j] + end[j] > best[last] + end[last]) last = j;
    if (c->score) c->score[b] = T ? best[last] + end[last] : 0;
    for (int64_t t = T - 1; t >= 0; t--) {
        c->path[row_at(c, t, b)] = last;
        last = c->back[row_at(c, t, b) * K + last];
    }
}
static void N(crf_path)(crf *c, const crf_rows *q, int32_t *path, double *score)
{
    c->q = q, c->path = path, c->score = score, take_parameters(c);
    pool_run(c->pool, q->b->B, path_task, c);
}

extern const crf_ops N(crf_ops);
const crf_ops N(crf_ops) = { N(crf_new), N(crf_bytes), N(crf_run), N(crf_path), N(crf_free) };
