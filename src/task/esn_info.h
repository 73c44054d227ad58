/* laco esn info: what was measured of the reservoirs of a network, and a picture of it.

   esn_info.c      measures, says it as text and as JSON
   esn_picture.c   the eigenvalues of W, the states of some units, the memory curve */
#ifndef ESN_INFO_H
#define ESN_INFO_H
#include "reservoir/property.h"
#include "task/esn.h"

typedef struct info_layer {
    int which; /* in the network */
    echo_conditions c;
} info_layer;
typedef struct info {
    task_job *j;
    laco_model *m;
    esn_front f;
    forecast_data d;
    esn_series s; /* u NULL: input is drawn */
    echo e;
    pool *pool;
    property_wish w; /* on the series */
    int layers;
    info_layer layer[MAX_LAYERS];
    int64_t forgets, kernel, generalisation, streams; /* forgets -1: not within the steps */
    double lyapunov;
    int64_t longest; /* of the memory; 0: not measured */
    double *curve, capacity;
} info;
laco_status info_picture(const info *a, laco_error *err); /* to the file of --svg, if any */
#endif
