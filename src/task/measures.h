/* Figures of classifiers and of regressions, from answers and what was right; pure functions.

   classes     p [n][K] probabilities, right [n] the class, -1: not known, left out
     accuracy  share of the rows whose most probable class (the first of equals) is right
     recall    unweighted: the mean, over the classes that occur, of the share of their rows that are found
     f1        macro: the mean, over the classes that occur or are said, of 2 tp / (2 tp + fp + fn)
     auc       one class against the rest, the mean over the classes that have both sides: the probability that a row of
               the class has the higher p, equal ones count half (Mann & Whitney 1947)
     error     expected calibration error: over 15 bins of equal width of the highest p, the mean, by rows, of the
               distance of mean p and accuracy (Guo et al. 2017)
     loss      mean of -log p of the right class
   many labels p [n][K] probabilities of independent labels, right [n][K] 1, 0 or -1: not known
     exact     share of the rows with every label right (p above 1/2 says yes)
     f1        macro, over the labels that occur or are said; micro: of all labels together
   numbers     y [n] answers, t [n] right ones, NaN: not known
     r2        1 - sum (y - t)^2 / sum (t - mean t)^2
     late      the score of the PHM 2008 challenge for remaining life: the sum of exp(-d/13) - 1 for d = y - t below 0
               and of exp(d/10) - 1 above (Saxena et al. 2008): to say too late is worse than too early */
#ifndef MEASURES_H
#define MEASURES_H
#include "base/base.h"

typedef struct class_figures {
    int64_t n; /* rows that count */
    double loss, accuracy, recall, f1, auc, calibration;
} class_figures;
/* confusion: [K][K] rows by right class and class said, or NULL. */
laco_status measure_classes(class_figures *out, int64_t *confusion, const double *p, const int32_t *right, int64_t n,
                            int64_t K, laco_error *err);

typedef struct label_figures {
    int64_t n;
    double loss, exact, f1, micro_f1, auc; /* loss: the sum over the labels, the mean over rows */
} label_figures;
laco_status measure_labels(label_figures *out, const double *p, const float *right, int64_t n, int64_t K,
                           laco_error *err);

typedef struct number_figures {
    int64_t n;
    double rmse, mae, r2, late;
} number_figures;
number_figures measure_numbers(const double *y, const double *t, int64_t n);

/* The probability that a row of side 1 has the higher p; side[i] 1, 0, or -1: left out. NaN where a side is empty. */
laco_status measure_auc(double *out, const double *p, int64_t stride, const int8_t *side, int64_t n, laco_error *err);
#endif
