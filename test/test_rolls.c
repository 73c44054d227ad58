/* Piano rolls: what is read, where errors are, and the counting baselines against figures known from elsewhere. */
#include "base/json.h"
#include "data/rolls.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

static float key(const rolls *r, int64_t position, int note) { return r->step[position * ROLL_KEYS + note - ROLL_LOW]; }

static void sequences_lie_behind_silence(void **state)
{
    (void)state;
    static const char text[] = "{\"train\":[[[21,108],[60]],[[-1,64,64]]],\"test\":[[[],[22]]],\"name\":1}";
    rolls part[ROLL_PARTS];
    assert_int_equal(rolls_parse(part, text, strlen(text), "r", NULL), LACO_OK);
    const rolls *r = &part[ROLL_TRAIN];
    assert_true(r->count == 2 && r->steps == 3);
    assert_true(r->start[0] == 0 && r->start[1] == 3 && r->start[2] == 5);
    double sum = 0;
    for (int64_t i = 0; i < r->start[2] * ROLL_KEYS; i++) sum += r->step[i];
    assert_true(sum == 4);
    assert_true(key(r, 1, 21) == 1 && key(r, 1, 108) == 1 && key(r, 2, 60) == 1 && key(r, 4, 64) == 1);
    assert_true(part[ROLL_VALID].count == 0 && part[ROLL_TEST].steps == 2 && key(&part[ROLL_TEST], 2, 22) == 1);
    for (int i = 0; i < ROLL_PARTS; i++) rolls_free(&part[i]);
}
static void errors_name_the_place(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "{\"train\":[[[60]],[[60],[20]]]}", "r: \"train\", sequence 2, step 2: a note must be" },
        { "{\"train\":[[[60]]],\"valid\":[[[60.5]]]}", "r: \"valid\", sequence 1, step 1: a note must be" },
        { "{\"train\":[[[60]],[]]}", "r: \"train\", sequence 2: it has no steps" },
        { "{\"train\":[[60]]}", "r: \"train\", sequence 1, step 1: a step must be" },
        { "{\"train\":[3]}", "r: \"train\", sequence 1: a sequence must be" },
        { "{\"train\":3}", "r: \"train\": it must be" },
        { "{\"valid\":[[[60]]]}", "r holds no piano rolls" },
        { "[]", "r holds no piano rolls" },
        { "{", "r: not valid JSON at byte 1" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rolls part[ROLL_PARTS];
        laco_error err;
        assert_int_equal(rolls_parse(part, rows[i][0], strlen(rows[i][0]), "r", &err), LACO_EFORMAT);
        if (strncmp(err.msg, rows[i][1], strlen(rows[i][1]))) fail_msg("%s", err.msg);
    }
}

static double baseline(const json *result, const char *name)
{
    return json_get(json_get(json_get(json_get(result, "baselines"), name), "test"), "nats")->number;
}
/* Independent keys give 11.06 nats on the chorales in quarter notes, keys that look at their last step 10.48. */
static void baselines_of_the_chorales(void **state)
{
    (void)state;
    const char *data = getenv("LACO_DATA");
    if (!data) skip();
    char path[1024], out[] = "/tmp/laco-rolls-XXXXXX";
    snprintf(path, sizeof path, "%s/polyphonic/jsb-chorales-quarter.json", data);
    FILE *f = fopen(path, "rb");
    if (!f) skip();
    fclose(f);
    close(mkstemp(out));
    const char *const set[][2] = { { "data", path }, { "out", out }, { "hidden", "1" }, { "epochs", "1" } };
    laco_job *job;
    json_doc *d;
    assert_int_equal(laco_job_new(&job, "train compose", NULL), LACO_OK);
    for (size_t i = 0; i < 4; i++) assert_int_equal(laco_job_set(job, set[i][0], set[i][1], NULL), LACO_OK);
    assert_int_equal(laco_job_run(job, NULL, NULL), LACO_OK);
    assert_int_equal(json_parse(&d, laco_job_result(job), strlen(laco_job_result(job)), NULL), LACO_OK);
    const json *root = json_root(d);
    assert_int_equal(json_get(json_get(root, "train"), "steps")->i, 13807);
    assert_int_equal(json_get(json_get(root, "valid"), "steps")->i, 4602);
    assert_int_equal(json_get(json_get(root, "test"), "steps")->i, 4725);
    assert_float_equal(baseline(root, "frequency of keys"), 11.06, 0.005);
    assert_float_equal(baseline(root, "from the step before"), 10.48, 0.005);
    json_free(d), laco_job_free(job), remove(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_lie_behind_silence),
        cmocka_unit_test(errors_name_the_place),
        cmocka_unit_test(baselines_of_the_chorales),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
