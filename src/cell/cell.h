/* What a cell file is written in: the shape of a cell, and the values of one unit block of one row.

   Layout. LANES units side by side make a unit block; the hidden size is padded to whole blocks with zero weights.
   A cell has slots (gate pre-activations; later, in the same place, what the backward pass needs; later still, the
   gradients of the pre-activations). Slots are grouped in sections by the products that feed them:
       FROM_X  weight_ih times the input         (one product for all steps)
       FROM_H  weight_hh times the source states of the step before
       FROM_V  a matrix times the vector v that stage 1 made of all units (second stage of the same step)
   A row of the buffer g is [section][unit block][slot][lane], sections fed alike side by side, so that the columns of
   each product are one contiguous range. A row of state is [state][unit block][lane], source states first.

   forward reads pre-activations through gate() and leaves in the slots what backward wants; backward leaves there the
   gradients of the pre-activations. In a two-stage cell forward makes v, forward2 the new state; backward2 runs first.
 */
#ifndef CELL_H
#define CELL_H
#include "cell/recur.h"
#include "math/activation.h"

enum { FROM_X = 1, FROM_H = 2, FROM_V = 4 };
enum { NO_TENSOR = -1 };

typedef struct cell_shape cell_shape;
typedef struct cell_args cell_args;
typedef void cell_fn(const cell_args *a);
typedef struct slot_info { /* what a slot holds after forward; name NULL: nothing to look at */
    const char *name;
    value_range range;
} slot_info;
typedef struct cell_def {
    cell_info info;
    laco_status (*shape)(cell_shape *s, laco_error *err);
    cell_fn *forward, *forward2, *backward, *backward2; /* the second of each: NULL for one stage */
    slot_info (*slot_info)(unsigned words, int slot);    /* NULL: no slot has a name */
    const char *(*state_name)(unsigned words, int state); /* NULL: "hidden state" */
} cell_def;

struct cell_shape {
    cell_spec spec;
    const cell_def *def;
    int sections, slots, states, sources, params, stages;
    int section_slots[MAX_SECTIONS], section_feeds[MAX_SECTIONS];
    int slot_section[MAX_SLOTS], slot_index[MAX_SLOTS];
    int tensors;
    param_tensor tensor[MAX_TENSORS];
    int64_t size; /* reals of all tensors */
    /* where the [H][.] matrix or the [H] vector of a slot lies among the parameters; NO_TENSOR: zero */
    int64_t x[MAX_SLOTS], h[MAX_STATES][MAX_SLOTS], v[MAX_SLOTS];
    int64_t bias[MAX_SLOTS][2];                 /* summed: bias_ih and bias_hh */
    int64_t param[MAX_CELL_PARAMS][MAX_SHARED]; /* vectors [H] of the cell itself; several tensors are summed */
    int64_t project, project_bias;              /* [project][hidden], [project] */
    int project_act;
    int norm; /* 0, or NORM_ALL / NORM_GATE: see norm.h */
};
enum { NORM_ALL = 1, NORM_GATE = 2 };

/* ---- building a shape ---- */
static void add_section(cell_shape *s, int slots, int feeds)
{
    for (int i = 0; i < slots; i++) s->slot_section[s->slots + i] = s->sections, s->slot_index[s->slots + i] = i;
    s->section_slots[s->sections] = slots, s->section_feeds[s->sections++] = feeds, s->slots += slots;
}

/* A tensor of `blocks` row blocks of [H] or [H][cols]; returns its offset. */
static int64_t add_tensor(cell_shape *s, const char *name, init_role role, int blocks, int64_t rows, int64_t cols)
{
    param_tensor *t = &s->tensor[s->tensors++];
    *t = (param_tensor){ .rank = cols ? 2 : 1,
                         .shape = { blocks * rows, cols },
                         .offset = s->size,
                         .role = role,
                         .gates = blocks,
                         .forget_block = -1,
                         .size = blocks * rows * (cols ? cols : 1) };
    strncpy(t->name, name, sizeof t->name - 1);
    s->size += t->size;
    return t->offset;
}

/* weight_ih or weight_hh whose row blocks feed the given slots, in order; to is s->x, s->h[k] or s->v per block. */
static int64_t add_matrix(cell_shape *s, const char *name, init_role role, int blocks, int64_t cols)
{
    return add_tensor(s, name, role, blocks, s->spec.hidden, cols);
}
static void feed(cell_shape *s, int64_t *to, int64_t offset, int blocks, const int *slots, int64_t cols)
{
    for (int i = 0; i < blocks; i++) to[slots[i]] = offset + i * s->spec.hidden * cols;
}
static void add_bias(cell_shape *s, const char *name, int which, int blocks, const int *slots, int forget_block)
{
    int64_t at = add_tensor(s, name, INIT_BIAS, blocks, s->spec.hidden, 0);
    s->tensor[s->tensors - 1].forget_block = forget_block;
    for (int i = 0; i < blocks; i++) s->bias[slots[i]][which] = at + i * s->spec.hidden;
}

/* The common case: weight_ih [x blocks], weight_hh [h blocks] over the hidden state, biases of the style asked for.
   h_slots may name slots fed FROM_V: their block multiplies v. forget is the block of the forget gate or -1. */
static void add_weights(cell_shape *s, int x_blocks, const int *x_slots, int h_blocks, const int *h_slots, int forget)
{
    int64_t in = s->spec.inputs, width = s->spec.project ? s->spec.project : s->spec.hidden;
    feed(s, s->x, add_matrix(s, "weight_ih", INIT_INPUT, x_blocks, in), x_blocks, x_slots, in);
    if (h_blocks) {
        int64_t at = add_matrix(s, "weight_hh", INIT_RECURRENT, h_blocks, width);
        for (int i = 0; i < h_blocks; i++) {
            bool second = s->section_feeds[s->slot_section[h_slots[i]]] & FROM_V;
            (second ? s->v : s->h[0])[h_slots[i]] = at + i * s->spec.hidden * width;
        }
    }
    if (s->spec.biases > 0) add_bias(s, "bias_ih", 0, x_blocks, x_slots, forget);
    if (s->spec.biases > 1 && h_blocks) add_bias(s, "bias_hh", 1, h_blocks, h_slots, -1);
}

/* A vector [blocks][H] of parameters of the cell itself, numbered from s->params on. */
static void add_params(cell_shape *s, const char *name, init_role role, int blocks)
{
    int64_t at = add_tensor(s, name, role, blocks, s->spec.hidden, 0);
    if (blocks > 1) {
        param_tensor *t = &s->tensor[s->tensors - 1];
        t->rank = 2, t->shape[0] = blocks, t->shape[1] = s->spec.hidden;
    }
    for (int i = 0; i < blocks; i++) s->param[s->params++][0] = at + i * s->spec.hidden;
}

static void add_projection(cell_shape *s, int act, bool bias)
{
    s->project = add_tensor(s, "weight_hr", INIT_INPUT, 1, s->spec.project, s->spec.hidden);
    if (bias) s->project_bias = add_tensor(s, "bias_hr", INIT_BIAS, 1, s->spec.project, 0);
    s->project_act = act;
}

/* ---- the values of one unit block, m rows ---- */
struct cell_args {
    int64_t rows;
    unsigned words;
    const real *clip;                  /* NULL: none; else clip, then sigmoid and tanh of -clip and of clip */
    real *g;                           /* row 0 of the buffer of slots */
    int64_t lg, section[MAX_SECTIONS]; /* row stride; where this block's slots of a section begin */
    const real *z;                     /* recurrent products; where this block's of a section begin */
    int64_t lz, product[MAX_SECTIONS];
    const vec *bias[MAX_SECTIONS], *p; /* biases of the slots; parameters of the cell */
    const real *s;                     /* states before and after the step, at this block */
    real *sn;
    int64_t ls, state[MAX_STATES]; /* row stride; offset of state k */
    real *v, *m;                   /* the vector of stage 1; the input of the projection, or NULL */
    int64_t lv, lm;
    /* backward */
    int sources;
    const real *dy, *dz[MAX_STATES], *dv, *dm; /* from above; from the step after, per source; of v; of m */
    int64_t ldy, ldz, ldv, ldm;
    real *carry; /* gradient of the states: new in, old out; strided as s */
    vec *dp;
    const real *drop; /* mask of the candidate, or NULL */
    int64_t ldrop;
    const real *stats; /* norm.h: mean and 1/deviation of the cell state of each row */
    int64_t lstats;
};
#define APART static __attribute__((noinline)) /* a rarer form, so that the plain one is not held up by its registers */
#define EACH_ROW(a) for (int64_t r = 0; r < (a).rows; r++)

INLINE real *slot_at(const cell_args *a, int64_t r, int sec, int i)
{
    return a->g + r * a->lg + a->section[sec] + i * LANES;
}
INLINE vec slot(const cell_args *a, int64_t r, int sec, int i) { return load(slot_at(a, r, sec, i)); }
INLINE void put_slot(const cell_args *a, int64_t r, int sec, int i, vec x) { store(slot_at(a, r, sec, i), x); }
INLINE vec product(const cell_args *a, int64_t r, int sec, int i)
{
    return load(a->z + r * a->lz + a->product[sec] + i * LANES);
}
/* the pre-activation of a slot fed by the input and by a product, by the input alone, by a product alone */
INLINE vec gate(const cell_args *a, int64_t r, int sec, int i)
{
    return slot(a, r, sec, i) + product(a, r, sec, i) + a->bias[sec][i];
}
INLINE vec gate_x(const cell_args *a, int64_t r, int sec, int i) { return slot(a, r, sec, i) + a->bias[sec][i]; }
INLINE vec gate_h(const cell_args *a, int64_t r, int sec, int i) { return product(a, r, sec, i) + a->bias[sec][i]; }

INLINE vec old_state(const cell_args *a, int64_t r, int k) { return load(a->s + r * a->ls + a->state[k]); }
INLINE vec new_state(const cell_args *a, int64_t r, int k) { return load(a->sn + r * a->ls + a->state[k]); }
INLINE void put_state(const cell_args *a, int64_t r, int k, vec x) { store(a->sn + r * a->ls + a->state[k], x); }
/* the output of a cell that may be projected: state 0, or the input of the projection */
INLINE void put_output(const cell_args *a, int64_t r, vec x)
{
    a->m ? store(a->m + r * a->lm, x) : put_state(a, r, 0, x);
}
INLINE void put_v(const cell_args *a, int64_t r, vec x) { store(a->v + r * a->lv, x); }

/* the candidate x as it enters the new state, or a gradient on its way back through the same mask */
INLINE vec dropped(const cell_args *a, int64_t r, vec x)
{
    if (a->drop) x *= load(a->drop + r * a->ldrop);
    return x;
}

/* gradient of new state k: carried, from the step after through the weights, from the layer above */
INLINE vec d_state(const cell_args *a, int64_t r, int k)
{
    vec d = load(a->carry + r * a->ls + a->state[k]);
    if (k < a->sources) d += load(a->dz[k] + r * a->ldz);
    if (k == 0) d += load(a->dy + r * a->ldy);
    return d;
}
INLINE vec d_output(const cell_args *a, int64_t r) { return a->dm ? load(a->dm + r * a->ldm) : d_state(a, r, 0); }
INLINE vec d_v(const cell_args *a, int64_t r) { return load(a->dv + r * a->ldv); }
INLINE vec carried(const cell_args *a, int64_t r, int k) { return load(a->carry + r * a->ls + a->state[k]); }
INLINE void put_carry(const cell_args *a, int64_t r, int k, vec x) { store(a->carry + r * a->ls + a->state[k], x); }

/* ---- gate functions; clip bounds their arguments, and the derivative is 0 where it did ---- */
INLINE vec clipped(const cell_args *a, vec x)
{
    if (a->clip) x = vmax(splat(-a->clip[0]), vmin(splat(a->clip[0]), x));
    return x;
}
INLINE vec inside(vec y, vec d, real low, real high)
{
    return select_vec((vec_int)(y > low) & (vec_int)(y < high), d, splat(0));
}
INLINE vec gate_sigmoid(const cell_args *a, vec x) { return vsigmoid(clipped(a, x)); }
INLINE vec gate_tanh(const cell_args *a, vec x) { return vtanh(clipped(a, x)); }
INLINE vec d_gate_sigmoid(const cell_args *a, vec y)
{
    return a->clip ? inside(y, dsigmoid(y), a->clip[1], a->clip[2]) : dsigmoid(y);
}
INLINE vec d_gate_tanh(const cell_args *a, vec y)
{
    return a->clip ? inside(y, dtanh(y), a->clip[3], a->clip[4]) : dtanh(y);
}
#endif
