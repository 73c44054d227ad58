/* Sentences in columns: the files of the CoNLL shared tasks, and CoNLL-U of Universal Dependencies.

   A line is a word, its columns are between tabs, or between blanks where the line has no tab; a blank line ends a
   sentence. A line that begins with # is a comment where no word of its sentence came before and it has not as many
   columns as the words of the file. In CoNLL-U (ten columns between tabs, the first a number) the lines of ranges (3-4)
   and of empty nodes (3.1) are no words, and "_" is a value that is missing.

   The columns that are wanted are named by their number from 1 on, or as CoNLL-U names them: ID FORM LEMMA UPOS XPOS
   FEATS HEAD DEPREL DEPS MISC.

   A reader hands out sentence after sentence, so a file of any length takes the memory of its longest sentence. */
#ifndef CONLL_H
#define CONLL_H
#include "base/base.h"

enum { CONLL_COLUMNS = 16, CONLL_WORD = 0, CONLL_TAG = 1 }; /* most that are wanted; places of the first two */
typedef struct conll_options {
    const char *words, *tags; /* NULL: FORM and UPOS of CoNLL-U, else the first column and the last */
    const char *others;       /* between commas; NULL: none */
    bool untagged;            /* there need be no column of tags: it is empty where the file ends before it */
    bool text;                /* no columns: a sentence in every line, cut into words (data/words.h) */
    const char *hint;         /* what the error of lines with different columns ends in; NULL: nothing */
    bool skip_bad;            /* sentences with a bad line are counted and left out, not an error */
    void (*bad)(void *ctx, const char *sentence, size_t n, int64_t line, const char *why); /* with skip_bad; or NULL */
    void *ctx;
} conll_options;

typedef struct conll_part {
    int64_t at, n; /* bytes of the sentence's text */
} conll_part;
typedef struct conll_line {
    conll_part whole;     /* without its line break */
    int64_t number, word; /* of the file, from 1; of the sentence, -1: it is no word */
} conll_line;
typedef struct conll_sentence {
    char *text;
    conll_line *line;
    conll_part *cell; /* [words][columns] those that are wanted: word, tag, others */
    int64_t lines, words, columns;
    size_t bytes, text_room; /* of the text */
    int64_t line_room, cell_room;
} conll_sentence;
void conll_sentence_free(conll_sentence *s); /* its contents; {0} is fine */

typedef struct conll conll;
/* path "-" is standard input; gzip is expanded. Or bytes from memory: path is then their name. */
laco_status conll_open(conll **out, const char *path, const conll_options *o, laco_error *err);
laco_status conll_open_bytes(conll **out, const char *bytes, size_t n, const char *path, const conll_options *o,
                             laco_error *err);
/* The next sentence; words 0: the end. Its memory is used again by the next one. */
laco_status conll_next(conll *c, conll_sentence *s, laco_error *err);
bool conll_is_u(const conll *c);       /* CoNLL-U; known after the first sentence */
int64_t conll_columns(const conll *c); /* of its lines; known then too */
int64_t conll_skipped(const conll *c); /* sentences */
bool conll_waits(const conll *c);      /* the next sentence is not here yet: what there is can be handed over */
void conll_close(conll *c);
#endif
