/* Training logs: what is written is read back by small readers of each format. */
#include "base/file.h"
#include "base/json.h"
#include "train/log.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[64];
static laco_error err;
static const char *at(const char *name)
{
    static char path[2][128];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}
static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/laco-log-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}
static int tear_down(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}
static char *contents(const char *name, size_t *n)
{
    char *bytes;
    assert_int_equal(file_read(at(name), 1 << 20, &bytes, n, &err), LACO_OK);
    return bytes;
}
static void expect_text(const char *name, const char *want)
{
    size_t n;
    char *bytes = contents(name, &n);
    assert_string_equal(bytes, want);
    mem_free(bytes);
}
static train_log *opened(const char *name, int64_t position)
{
    train_log *l;
    if (log_open(&l, at(name), position, &err)) fail_msg("%s", err.msg);
    return l;
}
static void record(train_log *l, int64_t step, double loss, double rate)
{
    const char *const names[] = { "loss", "rate" };
    assert_int_equal(log_record(l, step, names, (const double[]){ loss, rate }, 2, &err), LACO_OK);
}

static void json_lines(void **state)
{
    (void)state;
    train_log *l = opened("a.jsonl", -1);
    record(l, 1, 0.1, NAN), record(l, 2, 1e300, -3);
    assert_int_equal(log_position(l), 69);
    log_close(l);
    expect_text("a.jsonl", "{\"step\":1,\"loss\":0.1,\"rate\":null}\n{\"step\":2,\"loss\":1e+300,\"rate\":-3}\n");
}
static void comma_separated(void **state)
{
    (void)state;
    train_log *l = opened("a.csv", -1);
    const char *const names[] = { "a, \"b\"", "rate", "new" };
    assert_int_equal(log_record(l, 1, names, (const double[]){ 1.0 / 3, NAN }, 2, &err), LACO_OK);
    log_close(l);
    l = opened("a.csv", -1); /* the columns come from the file now */
    assert_int_equal(log_record(l, 2, names + 1, (const double[]){ -INFINITY, 7 }, 2, &err), LACO_OK);
    log_close(l);
    expect_text("a.csv", "step,\"a, \"\"b\"\"\",rate\n1,0.3333333333333333,nan\n2,,-inf\n");
    FILE *f = fopen(at("other.csv"), "w");
    fputs("time,value\n", f), fclose(f);
    train_log *none;
    assert_int_equal(log_open(&none, at("other.csv"), -1, &err), LACO_EFORMAT);
    assert_non_null(strstr(err.msg, "first column"));
    assert_int_equal(log_open(&none, at("no/such.csv"), -1, &err), LACO_EIO);
}
/* A run that goes on: what was written after the position is gone, nothing is there twice. */
static void cut_back(void **state)
{
    static const char *const files[] = { "b.jsonl", "b.csv", "b.tfevents" };
    (void)state;
    for (int i = 0; i < 3; i++) {
        size_t n[2];
        train_log *l = opened(files[i], -1);
        record(l, 1, 1, 2);
        int64_t position = log_position(l);
        record(l, 2, 3, 4);
        log_close(l);
        char *whole = contents(files[i], &n[0]);
        assert_true(position > 0 && position < (int64_t)n[0]);
        l = opened(files[i], position);
        assert_int_equal(log_position(l), position);
        record(l, 2, 3, 4);
        log_close(l);
        char *again = contents(files[i], &n[1]);
        assert_int_equal(n[0], n[1]);
        assert_memory_equal(whole, again, (size_t)position);
        if (i < 2) assert_memory_equal(whole, again, n[0]);
        mem_free(whole), mem_free(again);
    }
}

/* ---- a reader of event files ---- */
static uint64_t little(const unsigned char *p, int bytes)
{
    uint64_t x = 0;
    for (int i = 0; i < bytes; i++) x |= (uint64_t)p[i] << 8 * i;
    return x;
}
static uint64_t varint(const unsigned char **p)
{
    uint64_t x = 0;
    for (int shift = 0;; shift += 7, (*p)++) {
        x |= (uint64_t)(**p & 127) << shift;
        if (!(*(*p) & 128)) return (*p)++, x;
    }
}
static void check_mask(const unsigned char *bytes, size_t n, const unsigned char *stored)
{
    uint32_t masked = (uint32_t)little(stored, 4) - 0xa282ead8u;
    assert_int_equal(masked >> 17 | masked << 15, log_crc32c(bytes, n));
}
typedef struct field {
    int number, wire;
    uint64_t value; /* or the length of bytes */
    const unsigned char *bytes;
} field;
static field next_field(const unsigned char **p)
{
    uint64_t tag = varint(p);
    field f = { .number = (int)(tag >> 3), .wire = (int)(tag & 7) };
    if (f.wire == 0) f.value = varint(p);
    if (f.wire == 1) f.value = little(*p, 8), *p += 8;
    if (f.wire == 5) f.value = little(*p, 4), *p += 4;
    if (f.wire == 2) f.value = varint(p), f.bytes = *p, *p += f.value;
    return f;
}
static void print_event(const unsigned char *p, size_t n, buf *out)
{
    for (const unsigned char *end = p + n; p < end;) {
        field f = next_field(&p);
        if (f.number == 1) {
            double seconds;
            memcpy(&seconds, &f.value, 8);
            assert_true(f.wire == 1 && seconds > 1.7e9 && seconds < 1e11);
        }
        if (f.number == 2) buf_printf(out, "step %llu ", (unsigned long long)f.value);
        if (f.number == 3) buf_add(out, f.bytes, f.value), buf_text(out, " ");
        if (f.number != 5) continue;
        for (const unsigned char *s = f.bytes, *last = s + f.value; s < last;) {
            field value = next_field(&s);
            const unsigned char *v = value.bytes;
            field tag = next_field(&v), number = next_field(&v);
            float x;
            uint32_t bits = (uint32_t)number.value;
            memcpy(&x, &bits, 4);
            assert_true(value.number == 1 && tag.number == 1 && number.number == 2 && number.wire == 5);
            buf_add(out, tag.bytes, tag.value), buf_printf(out, "=%g ", x);
        }
    }
    buf_text(out, "\n");
}
static void expect_events(const char *name, const char *want)
{
    size_t n;
    buf got = { 0 };
    char *bytes = contents(name, &n);
    for (size_t i = 0; i < n;) {
        const unsigned char *p = (unsigned char *)bytes + i;
        uint64_t length = little(p, 8);
        assert_true(length < n);
        check_mask(p, 8, p + 8), check_mask(p + 12, length, p + 12 + length);
        print_event(p + 12, length, &got);
        i += length + 16;
    }
    assert_string_equal(got.data, want);
    mem_free(bytes), buf_free(&got);
}
static void event_files(void **state)
{
    (void)state;
    assert_int_equal(log_crc32c("123456789", 9), 0xe3069283);      /* the check value of CRC-32C */
    assert_int_equal(log_crc32c((char[32]){ 0 }, 32), 0x8a9136aa); /* RFC 3720, B.4 */
    train_log *l = opened("runs/", -1);
    record(l, 1, 0.5, 2), record(l, 300, -1.5, 1e10);
    log_close(l);
    const char *file = "runs/events.out.tfevents.laco";
    expect_events(file, "brain.Event:2 \nstep 1 loss=0.5 rate=2 \nstep 300 loss=-1.5 rate=1e+10 \n");
    /* a record that a kill cut short is dropped */
    size_t n;
    mem_free(contents(file, &n));
    assert_int_equal(truncate(at(file), (off_t)n - 5), 0);
    l = opened("runs", -1);
    record(l, 301, 1, 1);
    log_close(l);
    expect_events(file, "brain.Event:2 \nstep 1 loss=0.5 rate=2 \nstep 301 loss=1 rate=1 \n");
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_lines),
        cmocka_unit_test(comma_separated),
        cmocka_unit_test(cut_back),
        cmocka_unit_test(event_files),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
