/* A stereo effect: blocks of samples in, blocks of samples out.

   The network is one linear unit, which smooths what it hears (a low-pass filter of the first order):

       h' = x / 4 + 3/4 h

   A trained network of any size goes in its place; nothing else changes. Left and right are two streams of one state:
   they share the weights, which are read once for both, and hear nothing of each other. Frames of stereo sound, L R
   L R, are already what laco_steps takes: [steps][streams][inputs].

   `process` is what an audio program calls from its real-time thread. It allocates nothing, locks nothing and makes no
   system call; everything else is done before the sound starts.

       cc stream.c $(pkg-config --cflags --libs laco) -o stream */
#include <laco.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHANNELS = 2, FRAMES = 4 };

typedef struct effect {
    laco_model *model;
    void *state, *ahead; /* of both channels; a second one to try things */
    unsigned char *kept; /* a saved state */
    size_t state_bytes, kept_bytes;
} effect;

static void check(laco_status status, const laco_error *err)
{
    if (status == LACO_OK) return;
    fprintf(stderr, "stream: %s\n", err->msg);
    exit(1);
}

static void set(laco_model *m, const char *name, float weight)
{
    laco_error err;
    laco_tensor t;
    check(laco_model_find(m, name, &t, &err), &err);
    t.data[0] = weight;
}

/* ---- before the sound starts ---- */
static void effect_begin(effect *e)
{
    laco_error err;
    check(laco_model_new(&e->model, "elman 1 linear bias-none", 1, 0, &err), &err);
    set(e->model, "layers.0.weight_ih", 0.25f);
    set(e->model, "layers.0.weight_hh", 0.75f);
    check(laco_model_ready(e->model, &err), &err);
    e->state_bytes = laco_state_size(e->model, CHANNELS), e->kept_bytes = laco_state_saved_size(e->model, CHANNELS);
    e->state = aligned_alloc(64, e->state_bytes), e->ahead = aligned_alloc(64, e->state_bytes);
    e->kept = malloc(e->kept_bytes);
    if (!e->state || !e->ahead || !e->kept) exit(1);
    check(laco_state_init(e->model, e->state, e->state_bytes, CHANNELS, &err), &err);
    check(laco_state_init(e->model, e->ahead, e->state_bytes, CHANNELS, &err), &err);
}
static void effect_end(effect *e)
{
    free(e->state), free(e->ahead), free(e->kept);
    laco_model_free(e->model);
}

/* ---- on the real-time thread ---- */
static void process(effect *e, const float *in, float *out, int frames)
{
    if (laco_steps(e->model, e->state, frames, CHANNELS, in, out, NULL))
        memset(out, 0, (size_t)frames * CHANNELS * sizeof *out); /* silence is better than noise */
}
/* What would be heard if the sound stopped now; the effect itself does not move. */
static void tail(effect *e, float *out, int frames)
{
    static const float silence[FRAMES * CHANNELS];
    if (laco_state_copy(e->model, e->ahead, e->state, NULL)) return;
    laco_steps(e->model, e->ahead, frames, CHANNELS, silence, out, NULL);
}

static void print(const char *name, const float *frames)
{
    printf("%-8s", name);
    for (int channel = 0; channel < CHANNELS; channel++) {
        printf(channel ? "   |" : "");
        for (int i = 0; i < FRAMES; i++) printf(" %6.3f", frames[i * CHANNELS + channel]);
    }
    printf("\n");
}

int main(void)
{
    static const float sound[2][FRAMES * CHANNELS] = { { 1, 1, 1, -1, 1, 1, 1, -1 }, { 0, 1, 0, 1, 0, -1, 0, -1 } };
    float out[FRAMES * CHANNELS], again[FRAMES * CHANNELS];
    laco_error err;
    effect e = { 0 };
    effect_begin(&e);

    printf("          left                          right\n");
    process(&e, sound[0], out, FRAMES);
    print("block 1", out);
    tail(&e, again, FRAMES);
    print("tail", again);

    /* The state as bytes: for a file, another program, another machine. */
    check(laco_state_save(e.model, e.state, e.kept, e.kept_bytes, &err), &err);
    process(&e, sound[1], out, FRAMES);
    print("block 2", out);
    check(laco_state_restore(e.model, e.state, e.kept, e.kept_bytes, &err), &err);
    process(&e, sound[1], again, FRAMES);
    printf("from the saved state: %s\n", memcmp(out, again, sizeof out) ? "different" : "the same bits");

    /* One channel starts afresh, the other goes on. */
    check(laco_state_reset(e.model, e.state, 1, &err), &err);
    process(&e, sound[0], out, FRAMES);
    print("reset R", out);
    effect_end(&e);
    return 0;
}
