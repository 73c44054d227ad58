/* A reader of film reviews: three units, every weight set by hand.

   Words arrive one at a time as symbols. `embed 3` looks up what each word says to the three units of the one recurrent
   layer, h' = relu(x + U h):

       film        is this about a film at all? Words such as "plot" add 1, and the unit keeps what it has.
       sentiment   how good is it? Praise adds 1, blame takes 1. A relu knows no numbers below 0, so the unit lives
                   around a level of 5, which is also its initial state.
       but         what follows "but" is what counts. The word pushes sentiment far below 0, where relu leaves it at 0:
                   all that was said is forgotten. It lights this unit for one step, and at the next one the unit lifts
                   sentiment back to its level, ready to listen.

   The last layer reads film as it is and sentiment from its level.

       cc review.c $(pkg-config --cflags --libs laco) -o review */
#include <laco.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILM, SENTIMENT, BUT, UNITS };
static const float level = 5;

/* The vocabulary: a word, and what it says to each unit. Words that are not here say nothing: they are symbol 0. */
static const struct {
    const char *word;
    float says[UNITS];
} words[] = {
    { "", { 0, 0, 0 } },       { "film", { 1, 0, 0 } },      { "plot", { 1, 0, 0 } },   { "actors", { 1, 0, 0 } },
    { "scenes", { 1, 0, 0 } }, { "good", { 0, 1, 0 } },      { "moving", { 0, 1, 0 } }, { "funny", { 0, 1, 0 } },
    { "fresh", { 0, 1, 0 } },  { "brilliant", { 0, 2, 0 } }, { "slow", { 0, -1, 0 } },  { "boring", { 0, -1, 0 } },
    { "empty", { 0, -1, 0 } }, { "awful", { 0, -2, 0 } },    { "but", { 0, -100, 1 } },
};
enum { WORDS = sizeof words / sizeof words[0] };

static const struct {
    const char *text, *verdict;
} reviews[] = {
    { "a moving film with good actors", "good" },
    { "the plot is slow and the scenes are empty", "bad" },
    { "a brilliant and funny plot but the film is boring", "bad" },
    { "slow and at times awful but in the end a fresh film", "good" },
    { "good actors but slow scenes but what a moving plot", "good" },
    { "the actors have a plot", "undecided" },
    { "good bread and a brilliant cheese", "not about a film" },
};

static void check(laco_status status, const laco_error *err)
{
    if (status == LACO_OK) return;
    fprintf(stderr, "review: %s\n", err->msg);
    exit(1);
}

static float *weights(laco_model *m, const char *name)
{
    laco_error err;
    laco_tensor t;
    check(laco_model_find(m, name, &t, &err), &err);
    size_t n = 1;
    for (int i = 0; i < t.rank; i++) n *= (size_t)t.shape[i];
    memset(t.data, 0, n * sizeof(float));
    return t.data;
}

static laco_model *make_reader(void)
{
    laco_error err;
    laco_model *m;
    check(laco_model_new(&m, "embed 3; elman 3 relu learned-state bias-none; dense 2", WORDS, 0, &err), &err);
    float *table = weights(m, "layers.0.weight"), *in = weights(m, "layers.1.weight_ih");
    for (int w = 0; w < WORDS; w++) memcpy(table + w * UNITS, words[w].says, sizeof words[w].says);
    for (int u = 0; u < UNITS; u++) in[u * UNITS + u] = 1; /* each unit hears what is meant for it */

    float *back = weights(m, "layers.1.weight_hh"); /* [to][from] */
    back[FILM * UNITS + FILM] = 1;
    back[SENTIMENT * UNITS + SENTIMENT] = 1;
    back[SENTIMENT * UNITS + BUT] = level;
    weights(m, "layers.1.initial_state")[SENTIMENT] = level;

    float *out = weights(m, "layers.2.weight");
    out[0 * UNITS + FILM] = 1;
    out[1 * UNITS + SENTIMENT] = 1;
    weights(m, "layers.2.bias")[1] = -level;
    check(laco_model_ready(m, &err), &err);
    return m;
}

static int32_t symbol_of(const char *word, size_t n)
{
    for (int32_t w = 1; w < WORDS; w++)
        if (strlen(words[w].word) == n && memcmp(words[w].word, word, n) == 0) return w;
    return 0;
}

static const char *judge(const laco_model *m, void *state, const char *text)
{
    laco_error err;
    float y[2] = { 0, 0 };
    check(laco_state_init(m, state, laco_state_size(m, 1), 1, &err), &err);
    for (; *text; text += strspn(text, " ")) {
        size_t n = strcspn(text, " ");
        check(laco_step_symbol(m, state, symbol_of(text, n), y, &err), &err);
        text += n;
    }
    if (y[0] < 0.5f) return "not about a film";
    return y[1] > 0.5f ? "good" : y[1] < -0.5f ? "bad" : "undecided";
}

int main(void)
{
    int wrong = 0;
    laco_model *m = make_reader();
    void *state = aligned_alloc(64, laco_state_size(m, 1));
    if (!state) return 1;
    for (size_t i = 0; i < sizeof reviews / sizeof reviews[0]; i++) {
        const char *verdict = judge(m, state, reviews[i].text);
        printf("%-52s %s\n", reviews[i].text, verdict);
        wrong += strcmp(verdict, reviews[i].verdict) != 0;
    }
    free(state);
    laco_model_free(m);
    return wrong > 0;
}
