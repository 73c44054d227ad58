#include "gradient/newton.h"

const way ways[] = {
    { "bptt", "backpropagation through time, over the whole sequence", 1, false, NULL, NULL, bptt_full },
    { "truncated", "BPTT(k1,k2): every k1 steps, back over k2 (Williams & Peng 1990)", 1, false, truncated_make,
      mem_free, bptt_truncated },
    { "online", "an update after every sequence", 1, false, NULL, NULL, bptt_online },
    { "averaged", "online, updates averaged over the unrolled copies of a weight", 1, false, NULL, NULL,
      bptt_averaged },
    { "rtrl", "real-time recurrent learning (Williams & Zipser 1989)", 1, false, rtrl_make, rtrl_free, rtrl_run },
    { "evolution", "evolution strategy, without a gradient (Salimans et al. 2017)", 1, false, evolution_make, mem_free,
      evolution_run },
    { "hessian-free", "conjugate gradients on the Gauss-Newton matrix (Martens & Sutskever 2011)", 8, true, newton_make,
      newton_free, newton_run },
    { NULL, NULL, 0, false, NULL, NULL, NULL },
};
