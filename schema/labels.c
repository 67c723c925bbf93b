/*
 * labels.c - labels of a source from flags and from its path (labels.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/labels.h"

#include <stdlib.h>

#include "schema/format.h"

enum lq_err label_rules_add(struct label_rules *r, const char *arg, struct lq_error *e)
{
    const char *eq = strchr(arg, '=');
    size_t n = eq != NULL ? (size_t)(eq - arg) : 0;
    if (n == 0 || n >= NAME_BYTES_MAX || strlen(eq + 1) >= sizeof r->template[0] || r->n == LABEL_MAX) {
        lq_error_set(e, LQ_EINVAL, r->n == LABEL_MAX ? "too many labels (%s)" : "\"%s\" is no label", arg);
        lq_error_hint(e, "labels are like env=prod, or 'host={dir}' for the last directory of the path");
        return LQ_EINVAL;
    }
    for (size_t i = 0; i < n; i++) {
        if (!(arg[i] == '_' || (arg[i] >= 'a' && arg[i] <= 'z') || (arg[i] >= 'A' && arg[i] <= 'Z') || (i > 0 && arg[i] >= '0' && arg[i] <= '9'))) {
            return lq_error_set(e, LQ_EINVAL, "a label's name has letters, digits and _: \"%.*s\"", (int)n, arg);
        }
    }
    memcpy(r->name[r->n], arg, n);
    r->name[r->n][n] = '\0';
    strcpy(r->template[r->n], eq + 1);
    r->n++;
    return LQ_OK;
}

enum lq_err label_rules_from(struct label_rules *r, const char *regex, struct lq_error *e)
{
    struct lq_regex *re = NULL;
    enum lq_err err = lq_regex_new(lq_str_of(regex), &re, e);
    lq_regex_free(&re);
    r->from_regex = regex;
    return err;
}

static lq_str last_part(lq_str path)
{
    const char *slash = path.n > 0 ? memrchr(path.p, '/', path.n) : NULL;
    return slash != NULL ? (lq_str){slash + 1, (size_t)(path.p + path.n - slash - 1)} : path;
}

static lq_str parent(lq_str path)
{
    const char *slash = path.n > 0 ? memrchr(path.p, '/', path.n) : NULL;
    return (lq_str){path.p, slash != NULL ? (size_t)(slash - path.p) : 0};
}

/* A file's name without .gz, .zst, .log, .txt and rotation numbers. */
static lq_str stem(lq_str name)
{
    static const char *const endings[] = {".gz", ".zst", ".log", ".txt", ".json"};
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
            size_t n = strlen(endings[i]);
            if (name.n > n && memcmp(name.p + name.n - n, endings[i], n) == 0) {
                name.n -= n;
                again = true;
            }
        }
        size_t digits = 0;
        while (digits < name.n && name.p[name.n - digits - 1] >= '0' && name.p[name.n - digits - 1] <= '9') {
            digits++;
        }
        if (digits > 0 && digits < name.n && name.p[name.n - digits - 1] == '.') {
            name.n -= digits + 1;
            again = name.n > 0;
        }
    }
    return name;
}

static void set_label(struct labels *out, const char *name, lq_str value)
{
    if (value.n == 0 || out->n == LABEL_MAX) {
        return;
    }
    size_t n = value.n < sizeof out->l[0].value ? value.n : sizeof out->l[0].value - 1;
    snprintf(out->l[out->n].name, sizeof out->l[0].name, "%s", name);
    memcpy(out->l[out->n].value, value.p, n);
    out->l[out->n].value[n] = '\0';
    out->n++;
}

/* web-1, db02, host.example.org; never the words of log files. */
static bool looks_like_host(lq_str s)
{
    static const char *const words[] = {"access", "error", "app", "log", "logs", "var", "nginx", "apache2", "httpd", "syslog", "messages", "tmp",
                                        "home", "data", "archive", "old", "auth", "kern", "daemon"};
    size_t letters = 0, digits = 0, dots = 0;
    if (s.n < 2 || s.n > 63) {
        return false;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (lq_str_is(s, words[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        letters += letter;
        digits += c >= '0' && c <= '9';
        dots += c == '.';
        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '.') {
            return false;
        }
    }
    char last = s.p[s.n - 1], first = s.p[0];
    bool first_letter = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z');
    if (!first_letter || last == '-' || last == '.') {
        return false;
    }
    if (dots >= 2 && letters > digits) {
        return true;
    }
    bool number_at_end = last >= '0' && last <= '9';
    return dots == 0 && number_at_end && digits <= 4 && letters >= 2 && (memchr(s.p, '-', s.n) != NULL || digits <= 3);
}

/* The host that a path shows: a directory, or a part of the file's name after its first word ("access-web-1.log"). */
static lq_str host_in_path(lq_str path)
{
    lq_str name = stem(last_part(path));
    for (lq_str dir = parent(path); dir.n > 0; dir = parent(dir)) {
        if (looks_like_host(last_part(dir))) {
            return last_part(dir);
        }
    }
    static const char *const kinds[] = {"access", "error", "app"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t n = strlen(kinds[i]);
        if (name.n > n + 1 && memcmp(name.p, kinds[i], n) == 0 && strchr("-_.", name.p[n]) != NULL) {
            lq_str rest = {name.p + n + 1, name.n - n - 1};
            return looks_like_host(rest) ? rest : (lq_str){"", 0};
        }
        if (name.n > n + 1 && memcmp(name.p + name.n - n, kinds[i], n) == 0 && strchr("-_.", name.p[name.n - n - 1]) != NULL) {
            lq_str rest = {name.p, name.n - n - 1};
            return looks_like_host(rest) ? rest : (lq_str){"", 0};
        }
    }
    return (lq_str){"", 0};
}

static void expand(const char *template, lq_str path, const lq_str *groups, size_t n_groups, struct lq_buf *out)
{
    for (const char *p = template; *p != '\0';) {
        if (strncmp(p, "{dir}", 5) == 0) {
            lq_str d = last_part(parent(path));
            lq_buf_add(out, d.p, d.n);
            p += 5;
        } else if (strncmp(p, "{file}", 6) == 0) {
            lq_str f = stem(last_part(path));
            lq_buf_add(out, f.p, f.n);
            p += 6;
        } else if (p[0] == '{' && p[1] >= '1' && p[1] <= '9' && p[2] == '}') {
            size_t g = (size_t)(p[1] - '0');
            if (g < n_groups) {
                lq_buf_add(out, groups[g].p, groups[g].n);
            }
            p += 3;
        } else {
            lq_buf_byte(out, (uint8_t)*p++);
        }
    }
}

enum lq_err labels_resolve(const struct label_rules *r, const char *path, struct labels *out, struct lq_error *e)
{
    lq_str p = lq_str_of(path), groups[10];
    size_t n_groups = 0;
    struct lq_buf b = {0};
    memset(out, 0, sizeof *out);
    if (r != NULL && r->from_regex != NULL) {
        struct lq_regex *re = NULL;
        enum lq_err err = lq_regex_new(lq_str_of(r->from_regex), &re, e);
        if (err != LQ_OK) {
            return err;
        }
        n_groups = lq_regex_groups(re, p, groups, 10);
        lq_regex_free(&re);
    }
    for (uint32_t i = 0; r != NULL && i < r->n; i++) {
        lq_buf_clear(&b);
        expand(r->template[i], p, groups, n_groups, &b);
        set_label(out, r->name[i], (lq_str){b.p, b.n});
    }
    lq_buf_fini(&b);
    if (labels_get(out, "host").n == 0) {
        set_label(out, "host", host_in_path(p));
    }
    return LQ_OK;
}

lq_str labels_get(const struct labels *l, const char *name)
{
    for (uint32_t i = 0; i < l->n; i++) {
        if (strcmp(l->l[i].name, name) == 0) {
            return lq_str_of(l->l[i].value);
        }
    }
    return (lq_str){"", 0};
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void labels_print(const struct labels *l, struct lq_buf *out)
{
    const char *names[LABEL_MAX];
    for (uint32_t i = 0; i < l->n; i++) {
        names[i] = l->l[i].name;
    }
    qsort(names, l->n, sizeof *names, by_name);
    for (uint32_t i = 0; i < l->n; i++) {
        lq_str v = labels_get(l, names[i]);
        lq_buf_printf(out, "%s%s=%.*s", i > 0 ? "," : "", names[i], (int)v.n, v.p);
    }
}
