/* Error reports: one line of at most 499 bytes in the caller's laco_error. */
#include "base.h"
#include <stdio.h>

/* Control characters (a path may hold a line break) become blanks; a UTF-8 character cut at the end is dropped whole.
 */
static void error_tidy(char *s)
{
    size_t n = strlen(s), start = n;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < 32 || s[i] == 127) s[i] = ' ';
    while (start > 0 && n - start < 3 && ((unsigned char)s[start - 1] & 0xC0) == 0x80) start--;
    if (start == 0 || (unsigned char)s[start - 1] < 0xC0) return;
    unsigned char lead = (unsigned char)s[start - 1];
    size_t want = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    if (n - start < want) s[start - 1] = 0;
}

laco_status fail(laco_error *err, laco_status code, int64_t at, const char *format, ...)
{
    if (!err) return code;
    char text[sizeof err->msg]; /* not straight into err: its old sentence may be among the arguments */
    va_list args;
    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) < 0) text[0] = 0;
    va_end(args);
    error_tidy(text);
    err->code = code;
    err->at = at;
    memcpy(err->msg, text, sizeof text);
    return code;
}

laco_status fail_memory(laco_error *err, size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        return fail(err, LACO_ENOMEM, -1, "more memory was asked for than can be addressed; make the sizes smaller");
    return fail(err, LACO_ENOMEM, -1, "no memory for %zu bytes; free some, or make the network or the batch smaller",
                bytes);
}
