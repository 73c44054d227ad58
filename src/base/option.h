/* Values for rows of laco_option (see laco.h): parsing with bounds, defaults, spelling suggestions. */
#ifndef OPTION_H
#define OPTION_H
#include "base.h"
typedef struct options options;
/* Over the rows whose `command` names the command ("train lm" takes rows of "train" and of "train.lm"); the rows are
   kept. */
laco_status options_new(options **out, const laco_option *rows, int count, const char *command, laco_error *err);
laco_status options_set(options *o, const char *name, const char *value, laco_error *err);   /* checked here */
bool options_given(const options *o, const char *name);           /* set by the caller, not by default */
const char *options_text(const options *o, const char *name);     /* NULL when neither given nor default */
int64_t options_int(const options *o, const char *name);
double options_real(const options *o, const char *name);          /* NaN when neither given nor default */
bool options_flag(const options *o, const char *name);
bool options_at(const options *o, int i, const char **name, const char **value); /* value NULL: not given; false past
                                                                                    the last */
char options_type(const options *o, const char *name); /* of its row; 0: there is none */
void options_free(options *o);
#endif
