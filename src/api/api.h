/* What the files of the public functions share. */
#ifndef API_H
#define API_H
#include "format/model.h"
laco_status null_argument(laco_error *err, const char *function, const char *argument);
#endif
