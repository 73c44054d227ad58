/* UTF-8 (RFC 3629), whole texts. Lower case is the simple mapping of Unicode (one code point to one) where the build
   found utf8proc, else A to Z only. */
#include "data/utf8.h"
#include "base/json_utf8.h"
#ifdef HAVE_UTF8PROC
#include <utf8proc.h>
#endif

size_t utf8_check(const char *s, size_t n)
{
    const uint64_t high = UINT64_C(0x8080808080808080);
    size_t at = 0;
    while (at < n) {
        uint64_t eight, four[4];
        if (n - at >= sizeof four) {
            memcpy(four, s + at, sizeof four);
            if (!((four[0] | four[1] | four[2] | four[3]) & high)) {
                at += sizeof four;
                continue;
            }
        }
        if (n - at >= sizeof eight) {   /* eight ASCII bytes at once: most text is that */
            memcpy(&eight, s + at, sizeof eight);
            if (!(eight & high)) {
                at += sizeof eight;
                continue;
            }
        }
        size_t bytes = json_utf8_next(s + at, n - at, NULL);
        if (bytes == 0) return at;
        at += bytes;
    }
    return n;
}

static uint32_t utf8_lower_code(uint32_t code)
{
    if (code < 0x80) return code >= 'A' && code <= 'Z' ? code + ('a' - 'A') : code;
#ifdef HAVE_UTF8PROC
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)code);
#else
    return code;
#endif
}

/* A code point above ASCII takes at least 2 bytes and its lower case at most 4: hence the 2 n bytes of `out`. */
size_t utf8_lower(char *out, const char *s, size_t n)
{
    size_t used = 0;
    uint32_t code;
    for (size_t at = 0, bytes; at < n && (bytes = json_utf8_next(s + at, n - at, &code)) > 0; at += bytes) {
        char lower[4];
        size_t length = json_utf8_put(utf8_lower_code(code), lower);
        memcpy(out + used, lower, length);
        used += length;
    }
    return used;
}
