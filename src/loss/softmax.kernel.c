/* Softmax cross entropy fused with the output layer: logits l = W h + b, loss -c log softmax(l)[target], c the weight
   of the target's class (1 where there are none).

   In chunks of C rows that count (those that do not are left out: where they lie between, h of a chunk is gathered, and
   dh scattered), logits transposed, [V][C]: a row of the batch is a lane, so maximum and sum over the vocabulary
   need no sum across lanes, and W, its gradient and h are used as they lie, without packing the vocabulary.
     1  block of V: l = W h^T, its maximum and sum of exponentials per row
     2  log Z per row from the blocks in order; loss
     3  block of V: d = c scale (exp(l - log Z) - (1-e) onehot - e/V);  dW += d h;  db += row sums
     4  panel of H: dh = d^T W
   With label smoothing e (Szegedy et al. 2016) the gradient is that of (1-e) -log p[target] + e mean_v -log p[v]; the
   loss that is returned stays -log p[target], so that it compares with others.
   Blocks and chunks depend on the sizes alone, so the result does not depend on the threads. */
#include "loss/loss_kernel.h"
#include "math/gemm.h"
#include <math.h>

enum { CLEARED = 64 }; /* rows of a task */
struct softmax {
    int64_t V, H, C, block, blocks; /* vocabulary, width; rows of a chunk; rows of V in a block */
    pool *pool;
    vec *ht;            /* [C / PANEL][H][PANEL] h transposed */
    real *l;            /* [V][C] */
    real *max, *sum;    /* [blocks][C] */
    real *logz, *scale; /* [C] */
    real *scratch;      /* [thread][per_thread] */
    int64_t per_thread;
    const softmax_rows *rows; /* of the call in progress */
    /* the chunk in hand: m rows, row i of the batch's row at[i]; h and dh as they lie or gathered */
    int64_t *at, m, ldh, lddh, ld_gather;
    const real *h;
    real *dh, *gather[2]; /* [C][ld_gather] of h, of dh */
};

static void N(softmax_free)(softmax *s)
{
    if (!s) return;
    mem_free(s->ht), mem_free(s->l), mem_free(s->max), mem_free(s->sum), mem_free(s->logz), mem_free(s->scale);
    mem_free(s->scratch), mem_free(s->at), mem_free(s->gather[0]), mem_free(s->gather[1]), mem_free(s);
}
static laco_status N(softmax_new)(softmax **out, int64_t V, int64_t H, pool *p, laco_error *err)
{
    softmax *s = mem_new(1, sizeof *s);
    if (!s) return fail_memory(err, sizeof *s);
    s->V = V, s->H = H, s->pool = p;
    s->C = V > 4096 ? 128 : KC; /* not above KC: the scratch holds the rows of a chunk */
    s->block = min64(480, max64(24, ceil_div(ceil_div(V, 16), 12) * 12)), s->blocks = ceil_div(V, s->block);
    s->per_thread = KC * PANEL + ROW_BLOCK * PANEL;
    s->ht = mem_new((size_t)(s->C * H), sizeof(real));
    s->l = mem_new((size_t)(V * s->C + PANEL), sizeof(real));
    s->max = mem_new((size_t)(s->blocks * s->C), sizeof(real)),
    s->sum = mem_new((size_t)(s->blocks * s->C), sizeof(real));
    s->logz = mem_new((size_t)s->C, sizeof(real)), s->scale = mem_new((size_t)s->C, sizeof(real));
    s->scratch = mem_new((size_t)(pool_threads(p) * s->per_thread), sizeof(real));
    s->ld_gather = row_stride(H), s->at = mem_new((size_t)s->C, sizeof *s->at);
    for (int i = 0; i < 2; i++) s->gather[i] = mem_new((size_t)(s->C * s->ld_gather + PANEL), sizeof(real));
    if (!s->at || !s->gather[0] || !s->gather[1] || !s->ht || !s->l || !s->max || !s->sum || !s->logz || !s->scale ||
        !s->scratch)
        return N(softmax_free)(s), fail_memory(err, (size_t)(V * s->C) * sizeof(real));
    *out = s;
    return LACO_OK;
}
static size_t N(softmax_bytes)(const softmax *s)
{
    return (size_t)(s->C * (s->H + 2 * s->ld_gather) + s->V * s->C + 2 * s->blocks * s->C +
                    pool_threads(s->pool) * s->per_thread) *
           sizeof(real);
}

static void transpose_task(void *ctx, int64_t p, int thread)
{
    softmax *s = ctx;
    const real *M[NV];
    int64_t lanes[NV];
    (void)thread;
    for (int v = 0; v < NV; v++) {
        int64_t r = p * PANEL + v * LANES;
        M[v] = r < s->m ? s->h + r * s->ldh : NULL, lanes[v] = s->m - r;
    }
    pack_panel(M, lanes, s->H, s->ldh, (real *)(s->ht + p * s->H * NV));
}
static void logits_task(void *ctx, int64_t i, int thread)
{
    softmax *s = ctx;
    int64_t v0 = i * s->block, n = min64(s->block, s->V - v0);
    const real *W = s->rows->weight, *bias = s->rows->bias;
    (void)thread;
    for (int64_t c = 0; c < s->m; c += PANEL)
        panel_product(n, s->H, W + v0 * s->H, s->H, s->ht + c / PANEL * s->H * NV, s->l + v0 * s->C + c, s->C, false);
    for (int64_t c = 0; c < s->m; c += LANES) {
        vec top = splat((real)-1e30), sum = splat(0);
        for (int64_t v = v0; v < v0 + n; v++) {
            vec x = load(s->l + v * s->C + c) + (bias ? bias[v] : 0);
            store(s->l + v * s->C + c, x);
            top = vmax(top, x);
        }
        for (int64_t v = v0; v < v0 + n; v++) sum += vexp(load(s->l + v * s->C + c) - top);
        store(s->max + i * s->C + c, top), store(s->sum + i * s->C + c, sum);
    }
}
static void normalise(softmax *s)
{
    for (int64_t c = 0; c < s->m; c += LANES) {
        vec top = load(s->max + c), sum = splat(0);
        for (int64_t i = 1; i < s->blocks; i++) top = vmax(top, load(s->max + i * s->C + c));
        for (int64_t i = 0; i < s->blocks; i++)
            sum += load(s->sum + i * s->C + c) * vexp(load(s->max + i * s->C + c) - top);
        store(s->logz + c, top + vlog(sum));
    }
}
static double chunk_loss(softmax *s)
{
    double loss = 0;
    for (int64_t c = 0; c < s->m; c++) {
        int32_t t = s->rows->target[s->at[c]];
        double p = (double)s->l[t * s->C + c] - (double)s->logz[c];
        double weight = s->rows->class_weight ? s->rows->class_weight[t] : 1;
        s->scale[c] = (real)(s->rows->scale * weight);
        if (s->rows->log_prob) s->rows->log_prob[s->at[c]] = p;
        loss -= weight * p;
    }
    for (int64_t c = s->m; c < s->C; c++) s->scale[c] = 0, s->logz[c] = 0;
    return loss;
}

/* c[n][w] += a[n][K] block, K at most KC */
static void add_product(int64_t n, int64_t w, int64_t K, const real *a, int64_t lda, const vec *block, real *c,
                        int64_t ldc, real *edge)
{
    if (w == PANEL) {
        rows_by_panel(n, K, a, lda, block, c, ldc, true);
        return;
    }
    for (int64_t r = 0; r < n; r += ROW_BLOCK) {
        int64_t m = min64(ROW_BLOCK, n - r);
        rows_by_panel(m, K, a + r * lda, lda, block, edge, PANEL, false);
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < w; j++) c[(r + i) * ldc + j] += edge[i * PANEL + j];
    }
}
static void gradient_task(void *ctx, int64_t i, int thread)
{
    softmax *s = ctx;
    int64_t v0 = i * s->block, n = min64(s->block, s->V - v0), H = s->H;
    real *dW = s->rows->dweight, *db = s->rows->dbias, *scratch = s->scratch + thread * s->per_thread;
    const real uniform = (real)(s->rows->smoothing / (double)s->V), onehot = (real)(1 - s->rows->smoothing);
    for (int64_t v = v0; v < v0 + n; v++)
        for (int64_t c = 0; c < s->m; c += LANES) {
            vec p = vexp(load(s->l + v * s->C + c) - load(s->logz + c));
            store(s->l + v * s->C + c, (p - uniform) * load(s->scale + c));
        }
    for (int64_t c = 0; c < s->m; c++) {
        int32_t t = s->rows->target[s->at[c]];
        if (t >= v0 && t < v0 + n) s->l[t * s->C + c] -= onehot * s->scale[c];
    }
    for (int64_t j = 0; j < H; j += PANEL) {
        int64_t w = min64(PANEL, H - j);
        copy_block(s->m, w, s->h + j, s->ldh, (vec *)scratch);
        add_product(n, w, s->m, s->l + v0 * s->C, s->C, (vec *)scratch, dW + v0 * H + j, H, scratch + KC * PANEL);
    }
    for (int64_t v = v0; db && v < v0 + n; v++) {
        vec sum = splat(0);
        for (int64_t c = 0; c < s->m; c += LANES) sum += load(s->l + v * s->C + c);
        db[v] += lane_sum(sum);
    }
}
static void hidden_task(void *ctx, int64_t p, int thread)
{
    softmax *s = ctx;
    int64_t j = p * PANEL, w = min64(PANEL, s->H - j);
    const real *W = s->rows->weight;
    real *dh = s->dh + j, *scratch = s->scratch + thread * s->per_thread;
    for (int64_t r = 0; r < s->m; r++) memset(dh + r * s->lddh, 0, (size_t)w * sizeof(real));
    for (int64_t v = 0; v < s->V; v += KC) {
        int64_t n = min64(KC, s->V - v);
        copy_block(n, w, W + v * s->H + j, s->H, (vec *)scratch);
        across_by_block(s->m, w, n, s->l + v * s->C, s->C, (vec *)scratch, dh, s->lddh);
    }
}
/* The next chunk: up to C rows that count, from row r on. Returns the row behind them. */
static int64_t next_chunk(softmax *s, int64_t r)
{
    const softmax_rows *rows = s->rows;
    for (s->m = 0; r < rows->R && s->m < s->C; r++)
        if (rows->target[r] >= 0)
            s->at[s->m++] = r;
        else if (rows->log_prob)
            rows->log_prob[r] = 0;
    return r;
}
static const real *row_h(const softmax *s, int64_t i) { return (const real *)s->rows->h + s->at[i] * s->rows->ldh; }
static real *row_dh(const softmax *s, int64_t i) { return (real *)s->rows->dh + s->at[i] * s->rows->lddh; }
static bool lies_together(const softmax *s) { return s->at[s->m - 1] - s->at[0] == s->m - 1; }
static void lay_chunk(softmax *s)
{
    if (lies_together(s)) {
        s->h = row_h(s, 0), s->ldh = s->rows->ldh, s->dh = s->rows->dh ? row_dh(s, 0) : NULL, s->lddh = s->rows->lddh;
        return;
    }
    for (int64_t i = 0; i < s->m; i++)
        memcpy(s->gather[0] + i * s->ld_gather, row_h(s, i), (size_t)s->H * sizeof(real));
    s->h = s->gather[0], s->dh = s->gather[1], s->ldh = s->lddh = s->ld_gather;
}
static void scatter_chunk(const softmax *s)
{
    for (int64_t i = 0; i < s->m && !lies_together(s); i++)
        memcpy(row_dh(s, i), s->gather[1] + i * s->ld_gather, (size_t)s->H * sizeof(real));
}
static void clear_task(void *ctx, int64_t i, int thread)
{
    const softmax_rows *rows = ((softmax *)ctx)->rows;
    (void)thread;
    for (int64_t r = i * CLEARED; r < min64(rows->R, (i + 1) * CLEARED); r++)
        if (rows->target[r] < 0)
            memset((real *)rows->dh + r * rows->lddh, 0, (size_t)((softmax *)ctx)->H * sizeof(real));
}
static double N(softmax_run)(softmax *s, const softmax_rows *rows)
{
    double loss = 0;
    s->rows = rows;
    if (rows->dh && !rows->partly) pool_run(s->pool, ceil_div(rows->R, CLEARED), clear_task, s);
    for (int64_t r = 0; r < rows->R;) {
        r = next_chunk(s, r);
        if (!s->m) break;
        lay_chunk(s);
        pool_run(s->pool, ceil_div(s->m, PANEL), transpose_task, s);
        pool_run(s->pool, s->blocks, logits_task, s);
        normalise(s);
        loss += chunk_loss(s);
        if (!rows->dweight) continue;
        pool_run(s->pool, s->blocks, gradient_task, s);
        if (!rows->dh) continue;
        pool_run(s->pool, ceil_div(s->H, PANEL), hidden_task, s);
        scatter_chunk(s);
    }
    return loss;
}
extern const loss_ops N(loss_ops);
const loss_ops N(loss_ops) = { N(softmax_new),  N(softmax_bytes), N(softmax_run),
                               N(softmax_free), N(loss_row_of),   N(run_loss) };
