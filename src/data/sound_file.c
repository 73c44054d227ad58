/* Samples from files: through libsndfile's virtual input, so from memory, whatever the bytes came from. */
#include "data/sound.h"
#include <math.h>
#ifdef HAVE_SNDFILE
#include <sndfile.h>
#endif

const char *const sound_endings[] = { ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3",
                                      ".aif", ".aiff", ".au",  ".caf", ".w64",  NULL };
bool sound_is(const char *bytes, size_t n)
{
    static const char *const begins[] = { "RIFF", "RIFX", "RF64", "fLaC", "OggS", "FORM", ".snd", "caff", "riff" };
    for (size_t k = 0; n >= 12 && k < sizeof begins / sizeof *begins; k++)
        if (!memcmp(bytes, begins[k], 4)) return true;
    return false;
}

#ifdef HAVE_SNDFILE
enum { CHUNK = 16384 }; /* numbers, of all channels */
static const int64_t most_samples = (int64_t)1 << 31;

typedef struct source {
    const char *bytes;
    sf_count_t n, at;
} source;
static sf_count_t source_length(void *ctx) { return ((source *)ctx)->n; }
static sf_count_t source_tell(void *ctx) { return ((source *)ctx)->at; }
static sf_count_t source_seek(sf_count_t offset, int whence, void *ctx)
{
    source *s = ctx;
    sf_count_t from = whence == SEEK_CUR ? s->at : whence == SEEK_END ? s->n : 0;
    if (offset < -from || offset > s->n - from) return -1;
    return s->at = from + offset;
}
static sf_count_t source_read(void *to, sf_count_t n, void *ctx)
{
    source *s = ctx;
    if (n > s->n - s->at) n = s->n - s->at;
    if (n <= 0) return 0;
    memcpy(to, s->bytes + s->at, (size_t)n);
    s->at += n;
    return n;
}
static sf_count_t source_write(const void *from, sf_count_t n, void *ctx)
{
    (void)from, (void)n, (void)ctx;
    return 0;
}

static laco_status bad(const char *name, const char *what, laco_error *err)
{
    return fail(err, LACO_EFORMAT, -1, "%s: %s", name, what);
}
static laco_status read_samples(buf *x, SNDFILE *f, int channels, float *chunk, const char *name, laco_error *err)
{
    sf_count_t got;
    while ((got = sf_readf_float(f, chunk, CHUNK / channels)) > 0) {
        for (sf_count_t t = 0; t < got; t++) {
            float sum = 0;
            for (int c = 0; c < channels; c++) sum += chunk[t * channels + c];
            if (!isfinite(sum)) return bad(name, "a sample of it is not finite; make it again", err);
            sum /= (float)channels;
            buf_add(x, &sum, sizeof sum);
        }
        if ((int64_t)(x->len / sizeof *chunk) > most_samples) return bad(name, "it is longer than 2^31 samples", err);
    }
    if (x->failed) return fail_memory(err, x->len);
    return x->len ? LACO_OK : bad(name, "it holds no samples; take it out", err);
}
laco_status sound_decode(recording *out, const char *bytes, size_t n, const char *name, laco_error *err)
{
    SF_VIRTUAL_IO io = { source_length, source_seek, source_read, source_write, source_tell };
    SF_INFO info = { 0 };
    source from = { bytes, (sf_count_t)n, 0 };
    buf x = { 0 };
    *out = (recording){ 0 };
    SNDFILE *f = sf_open_virtual(&io, SFM_READ, &info, &from);
    if (!f) return bad(name, "it is no sound that libsndfile can read, or is damaged", err);
    float *chunk = mem_new(CHUNK, sizeof *chunk);
    laco_status st = chunk ? LACO_OK : fail_memory(err, CHUNK * sizeof *chunk);
    if (!st && (info.samplerate < SOUND_LEAST_RATE || info.samplerate > SOUND_MOST_RATE))
        st = fail(err, LACO_EFORMAT, -1, "%s: %d samples a second; %d to %d are read", name, info.samplerate,
                  SOUND_LEAST_RATE, SOUND_MOST_RATE);
    if (!st && (info.channels < 1 || info.channels > CHUNK)) st = bad(name, "its number of channels is not known", err);
    if (!st) st = read_samples(&x, f, info.channels, chunk, name, err);
    sf_close(f), mem_free(chunk);
    if (st) return buf_free(&x), st;
    *out = (recording){ (float *)x.data, (int64_t)(x.len / sizeof(float)), info.samplerate };
    return LACO_OK;
}
#else
laco_status sound_decode(recording *out, const char *bytes, size_t n, const char *name, laco_error *err)
{
    (void)bytes, (void)n;
    *out = (recording){ 0 };
    return fail(err, LACO_EUNSUPPORTED, -1,
                "%s is a sound, which this build cannot read; install libsndfile1-dev and build again", name);
}
#endif

/* ---- another rate ---- */
enum { ZEROS = 16 };
static int64_t common_divisor(int64_t a, int64_t b) { return b ? common_divisor(b, a % b) : a; }
/* The weight of a sample at a distance, in samples of the old rate; cut: share of its frequencies that is kept. */
static double sinc_weight(double distance, double cut)
{
    double u = distance * cut;
    if (fabs(u) >= ZEROS) return 0;
    double sinc = u == 0 ? 1 : sin(M_PI * u) / (M_PI * u);
    return cut * sinc * (1 + cos(M_PI * u / ZEROS)) / 2;
}
/* New sample j lies at j down / up between the old ones: there are `up` sets of weights. */
laco_status sound_resample(recording *s, int64_t rate, laco_error *err)
{
    if (rate == s->rate) return LACO_OK;
    int64_t divisor = common_divisor(rate, s->rate), up = rate / divisor, down = s->rate / divisor;
    double cut = rate < s->rate ? (double)rate / (double)s->rate : 1;
    int64_t reach = (int64_t)ceil(ZEROS / cut), taps = 2 * reach, n = ceil_div(s->n * up, down);
    float *weight = mem_new((size_t)(up * taps), sizeof *weight), *x = mem_new((size_t)n, sizeof *x);
    if (!weight || !x) return mem_free(weight), mem_free(x), fail_memory(err, (size_t)n * sizeof *x);
    for (int64_t phase = 0; phase < up; phase++)
        for (int64_t k = 0; k < taps; k++)
            weight[phase * taps + k] = (float)sinc_weight((double)(k - reach + 1) - (double)phase / (double)up, cut);
    for (int64_t j = 0; j < n; j++) {
        int64_t first = j * down / up - reach + 1, from = max64(0, -first), to = min64(taps, s->n - first);
        const float *w = weight + j * down % up * taps;
        double sum = 0;
        for (int64_t k = from; k < to; k++) sum += (double)w[k] * s->x[first + k];
        x[j] = (float)sum;
    }
    mem_free(weight), mem_free(s->x);
    *s = (recording){ x, n, rate };
    return LACO_OK;
}
