/* Strict JSON (RFC 8259): UTF-8 checked, no duplicate keys, no trailing bytes, depth at most 64. */
#ifndef JSON_H
#define JSON_H
#include "base.h"
typedef enum { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT } json_kind;
typedef struct json {
    json_kind kind;
    double number;
    bool integer;             /* written without fraction or exponent, and exact in int64 */
    int64_t i;                /* its value then */
    const char *text;         /* string value, terminated (may contain 0: see len) */
    size_t len;               /* bytes of text; members of an array or object */
    const char *key;          /* of a member of an object */
    size_t key_len;
    const struct json *item;  /* members, in the order of the text */
} json;
typedef struct json_doc json_doc;
laco_status json_parse(json_doc **out, const char *bytes, size_t n, laco_error *err);   /* err->at: byte */
const json *json_root(const json_doc *d);
const json *json_get(const json *object, const char *key);   /* NULL when absent or not an object */
void json_free(json_doc *d);

/* Writing: commas and escapes are handled; numbers print so that they read back to the same double. */
typedef struct json_out {
    buf *to;
    int depth;
    bool comma[64], after_key;
} json_out;
void json_begin(json_out *o, char bracket);            /* '{' or '[' */
void json_end(json_out *o, char bracket);              /* '}' or ']' */
void json_key(json_out *o, const char *key);
void json_string(json_out *o, const char *s, size_t n);   /* bytes that are not UTF-8 become U+FFFD */
void json_text(json_out *o, const char *s);
void json_number(json_out *o, double x);               /* NaN and infinity become null */
void json_int(json_out *o, int64_t x);
void json_bool(json_out *o, bool x);
void json_raw(json_out *o, const char *value, size_t n); /* JSON that is written already */
#endif
