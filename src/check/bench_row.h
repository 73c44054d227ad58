/* One row of the comparison with other programs (bench/run), measured as a program of its own.

   train CELL I,H,B,T           packing, forward, backward with all gradients
   infer CELL I,H,B,T           forward alone
   stream CELL H [bf16|int8]    one call of laco_step, I = H
   lm char|word|tiny            a step of training */
#ifndef BENCH_ROW_H
#define BENCH_ROW_H
#include "check/bench_probe.h"
#include "check/sheet.h"

enum { ROW_SIZES = 4, ROW_LARGEST = 1 << 16 };
typedef struct row_kind row_kind;
typedef struct bench_row {
    char name[64];
    const row_kind *kind;
    char word[24];           /* the cell, or which language model */
    int64_t size[ROW_SIZES]; /* I, H, B, T; of stream H */
    char weights[8];         /* of stream: float when empty */
} bench_row;
laco_status row_parse(bench_row *out, const char *text, const kernels *k, laco_error *err);
/* Fills one row of a table that it starts. */
laco_status row_measure(const bench_row *r, meter *m, pool *p, sheet *t, laco_error *err);
/* Runs it so often and measures nothing: for tools that count instructions, in row_repeated alone. */
laco_status row_repeat(const bench_row *r, const kernels *k, pool *p, int64_t times, laco_error *err);
#endif
