/* Folders of files that belong together: made, locked, listed, cleaned. */
#ifndef FOLDER_H
#define FOLDER_H
#include "base.h"
laco_status folder_make(const char *path, laco_error *err); /* it may exist already; its parent must */
/* One holder at a time, until folder_unlock or the end of the process; what other processes left half-written
   (temporaries of file_create) is removed. LACO_EIO when another process holds it. */
typedef struct folder_lock folder_lock;
laco_status folder_lock_take(folder_lock **out, const char *path, laco_error *err);
/* The same; *held instead of an error when another process holds it. */
laco_status folder_lock_try(folder_lock **out, const char *path, bool *held, laco_error *err);
void folder_unlock(folder_lock *l); /* NULL is fine */
/* Names of the files that begin and end so, in order of bytes, newest names last; freed with folder_names_free. */
laco_status folder_names(const char *path, const char *begin, const char *end, char ***names, size_t *n,
                         laco_error *err);
void folder_names_free(char **names, size_t n);
/* All files in it and in the folders below it, as "folder/name" from there, in order of bytes. What begins with a dot,
   and links to folders, are left out. */
laco_status folder_files(const char *path, char ***names, size_t *n, laco_error *err);
bool folder_is(const char *path);
char *folder_path(const char *folder, const char *name); /* "folder/name"; NULL: no memory */
bool folder_has(const char *folder, const char *name);
void folder_remove(const char *folder, const char *name);
void folder_delete(const char *path); /* with all that is in it; what cannot be removed stays */
/* `as` becomes another name of the file `name`, at once, in place of what had that name. */
laco_status folder_link(const char *folder, const char *name, const char *as, laco_error *err);
#endif
