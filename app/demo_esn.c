/* laco demo esn: a reservoir is drawn at random, only its readout is solved, and then it goes on with a chaotic series by
   itself. All of it goes through jobs of the library, as the commands do. */
#include "demo_kit.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 300, WIDTH = 75, HEIGHT = 13, PRIME = 4000 };

/* The answers of laco esn generate: columns step, what came, what was answered. */
static int read_run(const char *csv, double *came, double *said)
{
    int n = 0;
    for (const char *line = strchr(csv, '\n'); line && line[1] && n < STEPS; line = strchr(line + 1, '\n')) {
        const char *comma = strchr(line + 1, ',');
        char *end;
        if (!comma) break;
        came[n] = strtod(comma + 1, &end);
        if (*end == ',') said[n++] = strtod(end + 1, NULL);
    }
    return n;
}
/* Two curves in letters, from left to right: . what came, o what the network makes of it, * both. */
static void draw(const double *came, const double *said, int n)
{
    char page[HEIGHT][WIDTH + 1];
    double low = INFINITY, high = -INFINITY;
    memset(page, ' ', sizeof page);
    for (int i = 0; i < n; i++) low = fmin(low, fmin(came[i], said[i])), high = fmax(high, fmax(came[i], said[i]));
    for (int c = 0; c < WIDTH; c++) {
        const int i = c * (n - 1) / (WIDTH - 1);
        const int a = (int)lround((high - came[i]) / (high - low) * (HEIGHT - 1)), b = (int)lround((high - said[i]) / (high - low) * (HEIGHT - 1));
        page[a][c] = '.', page[b][c] = a == b ? '*' : 'o';
    }
    for (int r = 0; r < HEIGHT; r++) printf("  %.*s\n", WIDTH, page[r]);
}
static int show(const char *folder)
{
    char series[DEMO_PATH + 32], model[DEMO_PATH + 32], prime[16], steps[16], *csv = NULL, *trained = NULL, *ran = NULL;
    snprintf(series, sizeof series, "%s/series.csv", folder), snprintf(model, sizeof model, "%s/model.safetensors", folder);
    snprintf(prime, sizeof prime, "%d", PRIME), snprintf(steps, sizeof steps, "%d", STEPS);
    const setting make[] = { { "series", "mackey-glass" }, { "steps", "5000" }, { "out", series }, { "quiet", "true" }, { NULL, NULL } };
    const setting learn[] = { { "data", series }, { "size", "500" },  { "density", "0.02" }, { "radius", "1.1" }, { "leak", "0.5" },
                              { "input-scale", "0.5" }, { "bias-scale", "0.5" }, { "ridge", "1e-8" }, { "ahead", "84" }, { "json", "true" },
                              { "out", model }, { "quiet", "true" }, { NULL, NULL } };
    const setting run[] = { { "model-file", model }, { "data", series }, { "prime", prime }, { "steps", steps }, { "quiet", "true" }, { NULL, NULL } };
    double came[STEPS], said[STEPS];
    printf("What does a network know that learns nothing but its last layer?\n\n"
           "The series of Mackey & Glass is chaotic: two of its futures that begin almost\n"
           "alike soon have nothing in common.\n\n"
           "  laco esn series mackey-glass --steps 5000 --out series.csv\n\n");
    fflush(stdout);
    int code = demo_job("esn series", make, NULL, NULL);
    if (code == EXIT_DONE) code = demo_job("esn train", learn, NULL, &trained);
    if (code == EXIT_DONE) {
        printf("A reservoir of 500 units is drawn at random and stays as it is. The series\n"
               "drives it, and one set of linear equations finds the weights that read the\n"
               "next value from it:\n\n"
               "  laco esn train --data series.csv --size 500 ... --out m.safetensors\n\n"
               "  %-28s%8.0f steps (echo state property)\n"
               "  steps a second              %8.0f\n",
               "forgets how it began after", demo_number(trained, "forgets"),
               demo_number(trained, "steps_per_second"));
        const char *ahead = strstr(trained, "\"ahead\":{");
        printf("  error 84 steps ahead        %8.2g deviations; of a linear model %.2g\n\n", demo_number(ahead, "nrmse"),
               demo_number(ahead, "linear_nrmse"));
        fflush(stdout);
        code = demo_job("esn generate", run, &csv, &ran);
    }
    const int n = code == EXIT_DONE ? read_run(csv, came, said) : 0;
    if (n > 1) {
        printf("Led through %d steps, it then reads its own answers for %d steps\n(. the series, o the network, * both):\n\n"
               "  laco esn generate m.safetensors --data series.csv --prime %d --steps %d\n\n", PRIME, n, PRIME, n);
        draw(came, said, n);
        printf("\nMore: laco esn info m.safetensors --memory 100, laco esn bench, laco help esn\n");
    }
    free(csv), free(trained), free(ran);
    return code;
}
int demo_esn(void)
{
    char folder[DEMO_PATH];
    int code = demo_make_folder(folder);
    if (code != EXIT_DONE) return code;
    code = show(folder);
    demo_remove_folder(folder);
    return code;
}
