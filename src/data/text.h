/* Text as symbols: units, vocabulary, encoding and decoding.

   unit byte   every byte is a symbol (vocabulary 0..255 as far as they occur)
   unit char   every Unicode code point is a symbol; the text must be UTF-8
   unit word   symbols are the words between blanks; every line ends in <eos>; rare words become <unk> */
#ifndef TEXT_H
#define TEXT_H
#include "base/base.h"
typedef enum { UNIT_BYTE, UNIT_CHAR, UNIT_WORD } text_unit;
laco_status text_unit_named(text_unit *out, const char *name, laco_error *err);
const char *text_unit_name(text_unit u);

typedef struct vocab vocab;
typedef struct vocab_options {
    text_unit unit;
    bool lower;        /* words and chars are lower-cased first (through utf8proc where present, else ASCII) */
    int64_t min_count; /* words rarer than this become <unk>; 0 or 1: none */
    int64_t max_size;  /* at most so many symbols, the most frequent; 0: no limit */
} vocab_options;
/* From training text. `name` is the file, for messages: not UTF-8 (line and byte), empty, a single symbol (nothing to
   learn), a vocabulary size larger than the text has. Order: by code point for byte and char; by falling count, then by
   bytes, for words. <eos> and <unk> are symbols only of words; a text that already spells "<unk>" shares that symbol.
 */
laco_status vocab_build(vocab **out, const vocab_options *o, const char *text, size_t n, const char *name,
                        laco_error *err);
/* To and from one JSON text: {"unit":"char","lower":false,"symbols":["a",…]} (bytes as numbers). */
laco_status vocab_to_json(const vocab *v, buf *out, laco_error *err);
laco_status vocab_from_json(vocab **out, const char *text, size_t n, laco_error *err);
int32_t vocab_size(const vocab *v);
text_unit vocab_unit(const vocab *v);
int32_t vocab_eos(const vocab *v); /* -1: none. char and byte: the symbol of '\n' when there is one */
int32_t vocab_unk(const vocab *v); /* -1: none */
const char *vocab_symbol(const vocab *v, int32_t id, size_t *len);
/* Appends what id looks like in text: words get a blank before them except at a line's start, <eos> is a line break.
 *line_start is kept by the caller between calls, true at first. */
void vocab_decode(const vocab *v, int32_t id, bool *line_start, buf *out);
/* Encodes a text. Unknown symbols become <unk> where there is one; else they are an error (symbol and line named)
   unless `skip` is set: then they are left out and counted in *skipped (may be NULL). whole_lines: a last line without
   line break also gets <eos> (unit word). *ids is freed with mem_free. */
laco_status vocab_encode(const vocab *v, const char *text, size_t n, const char *name, bool whole_lines, bool skip,
                         int32_t **ids, int64_t *count, int64_t *skipped, laco_error *err);
void vocab_free(vocab *v);
#endif
