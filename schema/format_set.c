/*
 * format_set.c - all formats known to the program, by name order
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/format_int.h"

enum { FILE_BYTES_MAX = 1 << 20, NAMES_MAX = 256 };

struct format_set *format_set_new(void)
{
    return lq_alloc(sizeof(struct format_set));
}

void format_set_free(struct format_set **s)
{
    if (*s != NULL) {
        for (size_t i = 0; i < (*s)->n; i++) {
            format_free(&(*s)->f[i]);
        }
        format_free(&(*s)->messages);
        free((*s)->f);
        free(*s);
        *s = NULL;
    }
}

void format_set_put(struct format_set *s, struct format *f)
{
    size_t i = 0;
    f->set = s;
    if (f->only_markers) {
        format_free(&s->messages);
        s->messages = f;
        return;
    }
    while (i < s->n && strcmp(s->f[i]->name, f->name) < 0) {
        i++;
    }
    if (i < s->n && strcmp(s->f[i]->name, f->name) == 0) {
        format_free(&s->f[i]);
        s->f[i] = f;
        return;
    }
    lq_grow(&s->f, &s->cap, s->n + 1, sizeof *s->f);
    memmove(s->f + i + 1, s->f + i, (s->n - i) * sizeof *s->f);
    s->f[i] = f;
    s->n++;
}

enum lq_err format_set_add_text(struct format_set *s, const char *file, lq_str yaml, struct lq_error *e)
{
    struct format *f = NULL;
    enum lq_err err = format_load_text(file, yaml, &f, e);
    if (err == LQ_OK) {
        format_set_put(s, f);
    }
    return err;
}

static enum lq_err load_file(struct format_set *s, const char *path, struct lq_error *e)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        return lq_error_errno(e, errno, "open", path);
    }
    char *text = lq_realloc(NULL, FILE_BYTES_MAX);
    size_t n = fread(text, 1, FILE_BYTES_MAX, f);
    enum lq_err err = ferror(f) != 0 ? lq_error_errno(e, errno, "read", path) : LQ_OK;
    fclose(f);
    if (err == LQ_OK && n == FILE_BYTES_MAX) {
        err = lq_error_set(e, LQ_EINVAL, "%s: a format file of %d bytes or more", path, FILE_BYTES_MAX);
        lq_error_hint(e, "is it a log? lq load reads logs; --formats names a folder of YAML files");
    }
    if (err == LQ_OK) {
        err = format_set_add_text(s, path, (lq_str){text, n}, e);
    }
    free(text);
    return err;
}

static enum lq_err load_dir(struct format_set *s, const char *dir, struct lq_error *e)
{
    struct dirent **names;
    enum lq_err err = LQ_OK;
    int n = scandir(dir, &names, NULL, alphasort);
    if (n < 0) {
        return lq_error_errno(e, errno, "open the directory of formats", dir);
    }
    for (int i = 0; i < n; i++) {
        size_t len = strlen(names[i]->d_name);
        char path[4096];
        if (err == LQ_OK && len > 5 && strcmp(names[i]->d_name + len - 5, ".yaml") == 0) {
            snprintf(path, sizeof path, "%s/%s", dir, names[i]->d_name);
            err = load_file(s, path, e);
        }
        free(names[i]);
    }
    free(names);
    return err;
}

/* The shipped formats: $LQ_FORMATS, else PREFIX/share of the program's PREFIX/bin (a package may be installed under any root), else the source tree. */
static const char *shipped_dir(char buf[4096 + 32])
{
    struct stat sb;
    const char *env = getenv("LQ_FORMATS");
    if (env != NULL && env[0] != '\0') {
        return env;
    }
    ssize_t n = readlink("/proc/self/exe", buf, 4096);
    for (int up = 0; up < 2 && n > 0; up++) {
        for (n--; n > 0 && buf[n] != '/';) {
            n--;
        }
    }
    if (n >= 0) {
        snprintf(buf + n, 32, "/share/lq/formats");
        if (stat(buf, &sb) == 0) {
            return buf;
        }
    }
    return stat(LQ_FORMATS_SOURCE_DIR, &sb) == 0 ? LQ_FORMATS_SOURCE_DIR : LQ_FORMATS_DIR;
}

enum lq_err format_set_load(const char *const *dirs, size_t n_dirs, struct format_set **out, struct lq_error *e)
{
    char buf[4096 + 32];
    struct format_set *s = format_set_new();
    enum lq_err err = load_dir(s, shipped_dir(buf), e);
    for (size_t i = 0; i < n_dirs && err == LQ_OK; i++) {
        err = load_dir(s, dirs[i], e);
    }
    if (err != LQ_OK) {
        format_set_free(&s);
        return err;
    }
    *out = s;
    return LQ_OK;
}

size_t format_set_count(const struct format_set *s)
{
    return s->n;
}

const struct format *format_set_at(const struct format_set *s, size_t i)
{
    return s->f[i];
}

struct format *format_set_get(const struct format_set *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->f[i]->name, name) == 0) {
            return s->f[i];
        }
    }
    return NULL;
}

enum lq_err format_set_find(struct format_set *s, const char *name, const struct format **out, struct lq_error *e)
{
    const char *names[NAMES_MAX], *plus = strchr(name, '+');
    size_t n = 0;
    const struct format *f = format_set_get(s, name), *inner;
    if (f != NULL) {
        *out = f;
        return LQ_OK;
    }
    if (plus != NULL && plus - name < NAME_BYTES_MAX) {
        char outer[NAME_BYTES_MAX];
        snprintf(outer, sizeof outer, "%.*s", (int)(plus - name), name);
        enum lq_err err = format_set_find(s, outer, &f, e);
        err = err == LQ_OK ? format_set_find(s, plus + 1, &inner, e) : err;
        return err == LQ_OK ? format_pair(s, f, inner, out, e) : err;
    }
    for (; n < s->n && n < NAMES_MAX; n++) {
        names[n] = s->f[n]->name;
    }
    const char *near = lq_nearest(name, strlen(name), names, n);
    lq_error_set(e, LQ_EINVAL, "unknown format \"%s\"", name);
    if (strcmp(name, "json") == 0 || strcmp(name, "csv") == 0 || strcmp(name, "logfmt") == 0) {
        lq_error_hint(e, "%s has no fixed fields: they are inferred from each file, without --format-name", name);
        return LQ_EINVAL;
    }
    lq_error_hint(e, near != NULL ? "did you mean %s? lq format list shows all" : "lq format list shows all%s", near != NULL ? near : "");
    return LQ_EINVAL;
}
