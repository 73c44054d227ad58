/* Which reader reads what. */
#include "data/readers.h"
#include "base/file.h"
#include "base/folder.h"
#include "data/array.h"
#include "data/sound_set.h"
#include "data/tar.h"
#include <strings.h>

static const size_t read_limit = (size_t)1 << 36;

static bool name_is(const char *path, const char *const *ends)
{
    size_t n = strlen(path), e;
    if (n > 3 && !strcmp(path + n - 3, ".gz")) n -= 3;
    for (; *ends; ends++)
        if (n >= (e = strlen(*ends)) && !strncasecmp(path + n - e, *ends, e)) return true;
    return false;
}
bool series_of_sound(const char *path)
{
    static const char *const ends[] = { ".tar", ".tgz", NULL };
    return folder_is(path) || name_is(path, sound_endings) || name_is(path, ends);
}
bool series_known(const char *path)
{
    static const char *const ends[] = { ".ts", ".npy", "idx1-ubyte", "idx3-ubyte", NULL };
    return name_is(path, ends) || series_of_sound(path);
}

/* Images of MNIST have their labels beside them: train-images-idx3-ubyte, train-labels-idx1-ubyte. NULL: none there. */
static char *labels_beside(const char *path)
{
    static const char images[] = "images-idx3", labels[] = "labels-idx1";
    const char *slash = strrchr(path, '/'), *at = strstr(slash ? slash : path, images);
    char *beside = at ? mem_text(path, strlen(path)) : NULL;
    if (!beside) return NULL;
    memcpy(beside + (at - path), labels, sizeof labels - 1);
    if (slash) beside[slash - path] = 0;
    bool there = slash ? folder_has(beside, beside + (slash - path) + 1) : folder_has(".", beside);
    if (slash) beside[slash - path] = '/';
    return there ? beside : (mem_free(beside), NULL);
}
static laco_status read_array(const series_parts *to, bytes_view data, const series_options *o, laco_error *err)
{
    char *beside = o->labels ? NULL : labels_beside(data.name), *bytes = NULL;
    const char *path = o->labels ? o->labels : beside;
    bytes_view labels = { .name = path };
    laco_status st = path ? file_read(path, read_limit, &bytes, &labels.n, err) : LACO_OK;
    labels.at = bytes;
    if (!st) st = series_parse_array(to, data, path ? &labels : NULL, err);
    mem_free(bytes), mem_free(beside);
    return st;
}
laco_status series_read_parts(const char *path, const series_options *o, const series_parts *to, laco_error *err)
{
    static const series_options none;
    bytes_view data = { .name = path };
    char *bytes = NULL;
    o = o ? o : &none;
    if (folder_is(path)) return sound_set_read(to, data, o, err);
    laco_status st = file_read(path, read_limit, &bytes, &data.n, err);
    data.at = bytes;
    if (st) return st;
    if (array_is(data.at, data.n))
        st = read_array(to, data, o, err);
    else if (tar_is(data.at, data.n) || sound_is(data.at, data.n) || series_of_sound(path))
        st = sound_set_read(to, data, o, err);
    else
        st = series_parse_ts(to, data.at, data.n, path, err);
    mem_free(bytes);
    return st;
}
static laco_status take_whole(void *ctx, series_set *s, laco_error *err)
{
    (void)err;
    return *(series_set *)ctx = *s, LACO_OK;
}
series_parts series_whole(series_set *out)
{
    *out = (series_set){ 0 };
    return (series_parts){ INT64_MAX, take_whole, out };
}
laco_status series_read(series_set *out, const char *path, const series_options *o, laco_error *err)
{
    const series_parts to = series_whole(out);
    return series_read_parts(path, o, &to, err);
}
