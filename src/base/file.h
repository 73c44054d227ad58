/* Whole files in, whole files out. Reading understands gzip (through zlib where the build found it); writing goes to a
   temporary name in the same directory, is synced and renamed, so an error leaves the old file untouched. */
#ifndef FILE_H
#define FILE_H
#include "base.h"
/* Reads path ("-": standard input) into *bytes (terminated by an extra 0, freed with mem_free). A directory, a missing
   file, one above `limit` bytes after expansion: one sentence with the path. */
laco_status file_read(const char *path, size_t limit, char **bytes, size_t *n, laco_error *err);

/* The same a piece at a time, gzip expanded as it comes. */
typedef struct file_stream file_stream;
laco_status file_stream_open(file_stream **out, const char *path, laco_error *err);
/* At least one byte and at most room, what is there now; *got 0: the end. */
laco_status file_stream_read(file_stream *s, char *to, size_t room, size_t *got, laco_error *err);
size_t file_stream_size(const file_stream *s); /* bytes that it will give; 0: not known */
void file_stream_close(file_stream *s);        /* NULL is fine */

typedef struct file_writer file_writer;
laco_status file_create(file_writer **out, const char *path, laco_error *err);
laco_status file_write(file_writer *w, const void *bytes, size_t n, laco_error *err);
laco_status file_commit(file_writer *w, laco_error *err);   /* sync, rename, free; on error the temporary is removed */
void file_abandon(file_writer *w);                          /* removes the temporary, frees; NULL is fine */
laco_status file_check_writable(const char *path, laco_error *err);   /* before hours of work: can it be created? */

laco_status file_rename(const char *from, const char *to, laco_error *err);   /* in place of what has that name */
void file_remove(const char *path);

/* A log that is appended to line by line (JSONL). */
typedef struct file_log file_log;
laco_status file_log_open(file_log **out, const char *path, laco_error *err);
laco_status file_log_line(file_log *l, const char *line, laco_error *err);   /* adds the line break, flushes */
/* Cut back to its first `position` bytes, or appended to as it is when it has fewer or is no plain file. */
laco_status file_log_open_at(file_log **out, const char *path, int64_t position, laco_error *err);
laco_status file_log_bytes(file_log *l, const void *bytes, size_t n, laco_error *err);   /* in one call, as they are */
int64_t file_log_position(const file_log *l);   /* bytes of the file; 0: no plain file */
void file_log_close(file_log *l);

double clock_seconds(void);   /* monotonic */
#endif
