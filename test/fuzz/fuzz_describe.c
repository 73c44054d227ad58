/* Any text to the reader of network descriptions; what it accepts is printed, and must read back as the same text. */
#include "net/describe.h"
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool ok, const char *what)
{
    if (ok) return;
    fprintf(stderr, "fuzz_describe: %s\n", what);
    abort();
}
static void try_text(const char *text, int64_t inputs, int64_t outputs, const kernels *k)
{
    static net_description d, again;
    buf first = { 0 }, second = { 0 };
    laco_error e;
    laco_status status = describe_parse(&d, text, inputs, outputs, k, &e);
    if (status) {
        must(e.code == status && e.at >= -1 && e.at <= (int64_t)strlen(text) && *e.msg, "an error without its place");
        return;
    }
    describe_print(&d, k, &first);
    must(!first.failed && first.data, "what was read cannot be printed");
    must(describe_parse(&again, first.data, inputs, 0, k, &e) == LACO_OK, "what was printed cannot be read");
    describe_print(&again, k, &second);
    must(!strcmp(first.data, second.data), "what was printed reads as something else");
    buf_free(&first), buf_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const kernels *k = NULL;
    char *text = mem_text((const char *)bytes, n);
    if (!text || kernels_choose(&k, REAL_FLOAT, NULL)) return 0;
    try_text(text, 7, 0, k);
    try_text(text, 7, 5, k);
    try_text(text, 7, 7, k);
    mem_free(text);
    return 0;
}
