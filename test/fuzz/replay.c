/* Feeds files, and the files of folders, to a fuzz target: what the fuzzer found stays found, with any compiler. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return -1;
    }
    uint8_t *bytes = NULL; /* of exactly the file's size, so that a sanitizer sees every byte read behind its end */
    size_t n = 0;
    if (fseek(f, 0, SEEK_END) == 0 && ftell(f) > 0) n = (size_t)ftell(f);
    rewind(f);
    bytes = malloc(n ? n : 1);
    int done = bytes && fread(bytes, 1, n, f) == n ? 1 : -1;
    fclose(f);
    if (done == 1)
        LLVMFuzzerTestOneInput(bytes, n);
    else
        perror(path);
    free(bytes);
    return done;
}

/* How many inputs were fed; -1 when one could not be read. */
static int replay(const char *path)
{
    DIR *d = opendir(path);
    if (!d) return replay_file(path);
    int total = 0;
    for (struct dirent *e; total >= 0 && (e = readdir(d));) {
        char inner[4096];
        if (e->d_name[0] == '.') continue;
        snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
        int n = replay(inner);
        total = n < 0 ? -1 : total + n;
    }
    closedir(d);
    return total;
}

int main(int argc, char **argv)
{
    int total = 0;
    for (int i = 1; i < argc; i++) {
        int n = replay(argv[i]);
        if (n < 0) return 1;
        total += n;
    }
    printf("%d inputs\n", total);
    return 0;
}
