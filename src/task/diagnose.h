/* laco diagnose: what was measured of one or two models, and the files that show it.

   diagnose_data.c     the sequences to look at, as the model's task has them
   diagnose_measure.c  the measurements, on a copy of the network in double
   diagnose_json.c     the figures
   diagnose_svg.c      charts          diagnose_page.c  the page made of them */
#ifndef DIAGNOSE_H
#define DIAGNOSE_H
#include "base/json.h"
#include "format/model.h"
#include "math/spectrum.h"
#include "net/inspect.h"
#include "task/task.h"

/* B sequences of T steps, step by step; those of a text begin `warm` steps earlier than what is looked at. */
typedef struct diag_data {
    int64_t B, T, warm;
    int32_t *ids;     /* [T][B] symbols, or */
    double *x;        /* [T][B][inputs] numbers */
    int32_t *classes; /* [T][B] of softmax */
    float *y;         /* [T][B][outputs] of the other losses */
    loss_kind loss;
    int64_t skipped; /* symbols that the model does not know */
    char about[200]; /* "16 passages of 250 characters of book.txt" */
} diag_data;
laco_status diag_data_make(diag_data *out, const laco_model *m, task_job *j, laco_error *err);
void diag_data_free(diag_data *d);

enum { DIAG_BINS = 40, DIAG_MODELS = 2, DIAG_PLACES = 24 };
/* A gate or a state over all units, steps and rows. */
typedef struct diag_part {
    const char *name;
    value_range range;
    double low, high; /* edges of the histogram: of the range, or of what occurred */
    double seen_low, seen_high, mean;
    int64_t bin[DIAG_BINS], values;
    double saturated_low, saturated_high; /* shares; NaN for an open range */
} diag_part;
typedef struct diag_layer {
    int index; /* in the network */
    const char *cell;
    int64_t units, states; /* hidden state; numbers of all states */
    int parts;
    diag_part part[MAX_PARTS];
    int64_t dead; /* units */
    double slope[LAG_PARTS], mean_lag[LAG_PARTS];
    int64_t memory[LAG_PARTS];
    const double *norm[LAG_PARTS]; /* [lags], of diag_model.lags */
    int places;                    /* steps at which the Jacobian was taken; 0: none */
    int64_t step[DIAG_PLACES];
    double radius[DIAG_PLACES], largest[DIAG_PLACES];
    int64_t singulars; /* mean over the places of each singular value, falling; 0: too large */
    double singular[SPECTRUM_EXACT];
} diag_layer;
typedef struct diag_model {
    const char *path;
    laco_model *m;
    diag_data data;
    net_lags lags;
    int64_t shown; /* lags of them that are shown: those behind the warm-up */
    int layers;
    diag_layer layer[MAX_LAYERS]; /* recurrent ones */
    int64_t updates, clipped;     /* of training; -1: the file does not say */
} diag_model;

/* Shares outside of these count as saturated: below and above for sigmoid gates, beyond plus or minus for tanh. */
#define SATURATED_LOW 0.1
#define SATURATED_HIGH 0.9
/* A unit is dead when its hidden state stays within so narrow a range over all that is looked at. */
#define DEAD_RANGE 0.02

laco_status diag_measure(diag_model *d, task_job *j, laco_error *err);
double diag_middle(const double *values, int n); /* the median */
void diag_json(const diag_model *d, int models, buf *out);
laco_status diag_page(const diag_model *d, int models, buf *out, laco_error *err);

/* ---- charts ---- src/task/diagnose_svg.c */
typedef struct chart {
    buf *to;
    double left, right, low, high; /* of the axes */
    bool logarithmic;              /* the vertical one: low and high are powers of ten then */
    int width, height;
    const char *place; /* attributes of its svg within another: x, y, width, height; NULL: none */
    void (*name_tick)(void *ctx, double x, char to[32]); /* of the horizontal axis; NULL: the number */
    void *ctx;
} chart;
/* title: what a reader hears; x, y: labels of the axes, with units. */
void chart_begin(chart *c, const char *title, const char *x, const char *y);
void chart_line(chart *c, const double *x, const double *y, int64_t n, int colour, bool dashed, bool dots);
void chart_dots(chart *c, const double *x, const double *y, int64_t n, int colour);
void chart_band(chart *c, const double *x, const double *low, const double *high, int64_t n, int colour);
void chart_level(chart *c, double y, const char *label); /* a horizontal line to compare with */
void chart_bars(chart *c, const int64_t *count, int n, int64_t most);
void chart_shade(chart *c, double from, double to); /* a part of the horizontal axis */
void chart_end(chart *c);
void chart_key(buf *to, int colour, bool dashed, const char *label); /* an item of a legend */
void page_text(buf *to, const char *text);                           /* with <, > and & made harmless */
enum { CHART_COLOURS = 8 };
#endif
