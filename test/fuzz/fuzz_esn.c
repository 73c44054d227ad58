/* Any bytes as what the model of an echo state network says of its inputs. What is accepted must hold together. */
#include "task/esn.h"
#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) abort();
}
static void check(esn_front *f)
{
    require(esn_inputs(f) == 2 && f->targets == 1 && f->horizon > 0 && f->washout >= 0);
    require(f->columns.target.n == f->targets && f->columns.future.n == f->drivers && f->own == (f->drivers == 1));
    for (int64_t k = 0; k < f->targets + f->drivers; k++) require(isfinite(f->mean[k]) && f->deviation[k] > 0);
    for (int64_t k = 0; k < f->targets; k++) require(isfinite(f->residual[k]) && isfinite(f->flag[k]));
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    laco_model *m;
    esn_front f;
    char *text = mem_text((const char *)data, size);
    if (!text || model_new(&m, "reservoir 3; dense 1", 2, 1, 1, NULL)) return mem_free(text), 0;
    if (!model_set(m, "task", "esn", NULL) && !model_set(m, "front", text, NULL) && !esn_from_model(&f, m, NULL)) {
        check(&f);
        buf again = { 0 };
        require(!esn_to_json(&f, &again, NULL));
        esn_front_free(&f), buf_free(&again);
    }
    laco_model_free(m), mem_free(text);
    return 0;
}
