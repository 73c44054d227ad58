/* What tests of networks share: a network from its description, or a sentence of what is wrong with it. */
#ifndef NET_KIT_H
#define NET_KIT_H
#include "net/net.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* outputs: where the description does not say */
static inline net *net_of(const char *text, int64_t inputs, int64_t outputs, const kernels *k, pool *p)
{
    net_description d;
    laco_error err;
    net *n = NULL;
    if (describe_parse(&d, text, inputs, outputs, k, &err) || net_new(&n, &d, inputs, k, p, &err))
        fail_msg("%s: %s", text, err.msg);
    return n;
}
/* The same with weights drawn, loaded, and room for R rows of B sequences. */
static inline net *net_drawn(const char *text, int64_t inputs, int64_t R, int64_t B, const kernels *k, pool *p)
{
    net *n = net_of(text, inputs, 0, k, p);
    laco_error err;
    if (net_reserve(n, R, B, true, &err) || net_init(n, "default", 0.5, 3, &err) || net_load(n, true, true, &err))
        fail_msg("%s: %s", text, err.msg);
    return n;
}
#endif
