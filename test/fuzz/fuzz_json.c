/* Any bytes to the JSON reader; what it accepts is written back and must read back as the same value. */
#include "base/json.h"
#include <math.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool ok, const char *what)
{
    if (ok) return;
    fprintf(stderr, "fuzz_json: %s\n", what);
    abort();
}

/* json_null does not exist: an infinite number is written as null. */
static void write_value(json_out *o, const json *v)
{
    bool object = v->kind == JSON_OBJECT;
    switch (v->kind) {
    case JSON_NULL:
        json_number(o, INFINITY);
        break;
    case JSON_FALSE:
    case JSON_TRUE:
        json_bool(o, v->kind == JSON_TRUE);
        break;
    case JSON_STRING:
        json_string(o, v->text, v->len);
        break;
    case JSON_NUMBER:
        if (v->integer)
            json_int(o, v->i);
        else
            json_number(o, v->number);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        json_begin(o, object ? '{' : '[');
        for (size_t i = 0; i < v->len; i++) {
            if (object) json_key(o, v->item[i].key);
            write_value(o, &v->item[i]);
        }
        json_end(o, object ? '}' : ']');
    }
}

static bool same(const json *a, const json *b)
{
    if (a->kind != b->kind || a->len != b->len || a->number != b->number) return false;
    if (a->kind == JSON_STRING) return memcmp(a->text, b->text, a->len) == 0;
    for (size_t i = 0; i < a->len; i++) {
        const json *x = &a->item[i], *y = &b->item[i];
        if (a->kind == JSON_OBJECT && (x->key_len != y->key_len || memcmp(x->key, y->key, x->key_len))) return false;
        if (!same(x, y)) return false;
    }
    return true;
}

static bool has_zero_in_key(const json *v)
{
    bool found = false;
    if (v->kind != JSON_ARRAY && v->kind != JSON_OBJECT) return false;
    for (size_t i = 0; i < v->len && !found; i++)
        found = (v->item[i].key && strlen(v->item[i].key) != v->item[i].key_len) || has_zero_in_key(&v->item[i]);
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    json_doc *d, *again;
    laco_error e;
    laco_status status = json_parse(&d, (const char *)bytes, n, &e);
    if (status) {
        must(e.code == status && e.at >= 0 && e.at <= (int64_t)n, "an error without its place");
        return 0;
    }
    if (!has_zero_in_key(json_root(d))) {
        buf b = { 0 };
        json_out o = { .to = &b };
        write_value(&o, json_root(d));
        must(!b.failed, "what was read cannot be written");
        must(json_parse(&again, b.data, b.len, &e) == LACO_OK, "what was written cannot be read");
        must(same(json_root(d), json_root(again)), "what was written reads as something else");
        json_free(again);
        buf_free(&b);
    }
    json_free(d);
    return 0;
}
