/* The numbers of the activation functions; their names are in src/net/describe.c. */
#ifndef ACT_H
#define ACT_H
enum { ACT_LINEAR, ACT_TANH, ACT_SIGMOID, ACT_RELU, ACT_COUNT };
#endif
