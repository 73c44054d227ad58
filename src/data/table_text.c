/* Records that are lines. */
#include "data/table_parts.h"

bool record_line(record *r)
{
    const char *end = memchr(r->from, '\n', (size_t)(r->end - r->from));
    if (!end && !r->last) return false;
    r->n = (size_t)((end ? end : r->end) - r->from);
    r->next = r->n + !!end, r->lines = !!end;
    if (r->n && r->from[r->n - 1] == '\r') r->n--;
    return true;
}
record_state text_record(parser *p, table *t, record *r)
{
    (void)p;
    if (!record_line(r)) return RECORD_CUT;
    return table_add_cell(t, (span){ 0, (uint32_t)r->n }) ? RECORD_WHOLE : RECORD_NO_MEMORY;
}
