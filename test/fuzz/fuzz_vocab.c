/* Any bytes, as the JSON of a vocabulary and as a text of each unit. What is accepted must hold together: a vocabulary
   reads back from its own JSON as it was, and text decoded from symbols encodes to the same symbols. */
#include "data/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) abort();
}

static void check_json(const vocab *v)
{
    vocab *again;
    buf json = { 0 }, other = { 0 };
    require(vocab_to_json(v, &json, NULL) == LACO_OK);
    require(vocab_from_json(&again, json.data, json.len, NULL) == LACO_OK);
    require(vocab_to_json(again, &other, NULL) == LACO_OK);
    require(json.len == other.len && memcmp(json.data, other.data, json.len) == 0);
    require(vocab_eos(v) == vocab_eos(again) && vocab_unk(v) == vocab_unk(again));
    buf_free(&json);
    buf_free(&other);
    vocab_free(again);
}

static void check_text(const vocab *v, const char *text, size_t size, bool skip)
{
    int32_t *ids, *again;
    int64_t count, count_again, skipped;
    if (vocab_encode(v, text, size, "text", false, skip, &ids, &count, &skipped, NULL) != LACO_OK) return;
    buf decoded = { 0 };
    bool line_start = true;
    for (int64_t i = 0; i < count; i++) {
        require(ids[i] >= 0 && ids[i] < vocab_size(v));
        vocab_decode(v, ids[i], &line_start, &decoded);
    }
    require(vocab_encode(v, decoded.data, decoded.len, "text", false, false, &again, &count_again, &skipped, NULL) ==
            LACO_OK);
    require(count == count_again && skipped == 0 && memcmp(ids, again, (size_t)count * sizeof *ids) == 0);
    buf_free(&decoded);
    mem_free(ids);
    mem_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const vocab_options options[] = {
        { UNIT_BYTE, false, 0, 0 }, { UNIT_CHAR, false, 0, 0 }, { UNIT_CHAR, true, 0, 5 },
        { UNIT_WORD, false, 0, 0 }, { UNIT_WORD, true, 2, 0 },  { UNIT_WORD, false, 0, 6 },
    };
    const char *text = (const char *)data;
    vocab *v;
    if (vocab_from_json(&v, text, size, NULL) == LACO_OK) {
        check_json(v);
        check_text(v, text, size, true);
        vocab_free(v);
    }
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (vocab_build(&v, &options[i], text, size, "text", NULL) != LACO_OK) continue;
        check_json(v);
        check_text(v, text, size, options[i].max_size > 0);
        vocab_free(v);
    }
    return 0;
}
