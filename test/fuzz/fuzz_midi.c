/* Any bytes to the reader of MIDI files; what it accepts is written and reads back to the same. */
#include "data/midi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) abort();
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    midi_roll m, again;
    laco_error err;
    laco_status st = midi_parse(&m, (const char *)data, size, 1, "midi", &err);
    if (st) {
        require(err.code == st && !m.step);
        return 0;
    }
    require(m.steps > 0 && m.notes > 0);
    for (int64_t i = 0; i < m.steps * ROLL_KEYS; i++) require(m.step[i] == 0 || m.step[i] == 1);
    if (m.steps < 1 << 12) {
        buf b = { 0 };
        midi_write(&b, m.step, m.steps, 1, m.tempo);
        require(!midi_parse(&again, b.data, b.len, 1, "midi", &err) && again.steps == m.steps);
        require(!memcmp(again.step, m.step, (size_t)(m.steps * ROLL_KEYS) * sizeof *m.step));
        mem_free(again.step), buf_free(&b);
    }
    mem_free(m.step);
    return 0;
}
