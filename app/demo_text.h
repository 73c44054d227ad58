/* The two texts of the demonstration, and what is wrong with sentences of the first. */
#ifndef DEMO_TEXT_H
#define DEMO_TEXT_H
#include <stdbool.h>
#include <stddef.h>

/* All are terminated and freed with free(); NULL when memory runs out. */
char *demo_book(int sentences);
char *demo_alphabet(int recitals);
/* The other direction to its end, so that a network is in its stride, then this one up to "... last then". */
char *demo_prime(bool forwards, char last);

/* A sentence is the words up to and including a full stop. It is right when it reads NAME saw NAME . with two different
   names. A wrong one counts once, in the first of these classes that fits:
     itself    somebody sees themselves: X saw X anywhere in it
     run-on    saw stands in it more than once: Jane saw Spot saw Doug .
     fragment  fewer than the four words: Doug .   saw Jane .   .
     other     anything else: Doug Jane saw Spot .  */
enum { DEMO_ITSELF, DEMO_RUN_ON, DEMO_FRAGMENT, DEMO_OTHER, DEMO_MISTAKES };
typedef struct demo_count {
    int sentences, mistakes[DEMO_MISTAKES];
} demo_count;
/* Counts at most `limit` sentences; <eos> is no word, and words after the last full stop are not counted. */
demo_count demo_judge(const char *text, int limit);
/* Bytes of text up to the end of the given number of sentences, for showing its beginning. */
size_t demo_beginning(const char *text, int sentences);
#endif
