/*
 * cmd_format.c - lq format list | show NAME | try FILE | detect FILE… | bench [NAME]
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "ingest/source.h"
#include "query/cli/cli.h"

static void list(const struct format_set *s)
{
    for (size_t i = 0; i < format_set_count(s); i++) {
        const struct format *f = format_set_at(s, i);
        printf("%-16s %-9s %s\n", format_name(f), format_schema(f)->kind == STREAM_REQUESTS ? "requests" : "events", format_description(f));
    }
}

static enum lq_err read_head(const char *path, char *p, size_t cap, size_t *n, struct lq_error *e)
{
    struct source *src = NULL;
    size_t got = 1;
    enum lq_err err = source_open(path, &src, e);
    *n = 0;
    while (err == LQ_OK && *n < cap && got > 0) {
        err = source_read(src, p + *n, cap - *n, &got, e);
        *n += err == LQ_OK ? got : 0;
    }
    source_close(&src);
    return *n > 0 ? LQ_OK : err; /* what a damaged archive still gives is worth a look */
}

static enum lq_err detect(struct format_set *s, const char *path, char *buf, struct lq_error *e)
{
    size_t n = 0;
    struct detection d;
    enum lq_err err = read_head(path, buf, DETECT_BYTES, &n, e);
    if (err == LQ_OK) {
        format_detect(s, (lq_str){buf, n}, &d);
        printf("%s: %s (%s)\n", path, d.format != NULL ? format_name(d.format) : "unparsed", d.why);
    }
    return err;
}

enum { TRY_LINES = 5 };

static enum lq_err try_file(struct cli *c, struct format_set *s, const char *path, char *buf, struct lq_error *e)
{
    const struct format *f = NULL;
    size_t n = 0;
    struct lq_buf out = {0};
    enum lq_err err = read_head(path, buf, DETECT_BYTES, &n, e);
    if (err == LQ_OK && c->format_name != NULL) {
        err = format_set_find(s, c->format_name, &f, e);
    }
    if (err == LQ_OK && f == NULL) {
        struct detection d;
        format_detect(s, (lq_str){buf, n}, &d);
        f = d.format;
        lq_buf_printf(&out, "%s: %s\n\n", f != NULL ? format_name(f) : "unparsed", d.why);
    }
    lq_str rest = {buf, n};
    for (int i = 0; err == LQ_OK && i < TRY_LINES && rest.n > 0; i++) {
        const char *nl = memchr(rest.p, '\n', rest.n);
        lq_str line = {rest.p, nl != NULL ? (size_t)(nl - rest.p) : rest.n};
        rest.p += line.n + (nl != NULL);
        rest.n -= line.n + (nl != NULL);
        lq_buf_printf(&out, "%.*s\n", (int)(line.n < 300 ? line.n : 300), line.p);
        (void)format_try(s, f, (lq_str){buf, (size_t)(line.p - buf)}, line, &out);
        lq_buf_byte(&out, '\n');
    }
    fwrite(out.p, 1, out.n, stdout);
    lq_buf_fini(&out);
    return err;
}

enum { BENCH_US = 50000, BENCH_ROUND = 256 };

/* What a line of the format's samples costs, pattern, fields and all; and how its pattern is run. */
static void bench_one(const struct format *f)
{
    struct parser_config pc = {.format = f, .reference_us = clock_now_us()};
    struct parser *p = NULL;
    uint64_t lines = 0, bytes = 0;
    if (format_sample(f, 0).n == 0 || parser_new(&pc, &p, NULL) != LQ_OK) {
        return;
    }
    int64_t from = clock_monotonic_us(), took = 0;
    while (took < BENCH_US) {
        for (int round = 0; round < BENCH_ROUND; round++) {
            for (size_t i = 0; format_sample(f, i).n > 0; i++) {
                struct record r;
                lq_str line = format_sample(f, i);
                if (parser_has_columns(p)) {
                    parser_learn(p, line);
                    line = format_record_line(f, i);
                }
                (void)parser_parse(p, line, &r);
                lines++;
                bytes += line.n;
            }
        }
        took = clock_monotonic_us() - from;
    }
    printf("%-16s %8.0f ns/line %8.0f MB/s  %s\n", format_name(f), (double)took * 1e3 / (double)lines, (double)bytes / (double)took, format_runs_as(f));
    parser_free(&p);
}

static enum lq_err bench(struct format_set *s, const char *name, struct lq_error *e)
{
    const struct format *f = NULL;
    enum lq_err err = name != NULL ? format_set_find(s, name, &f, e) : LQ_OK;
    for (size_t i = 0; i < format_set_count(s) && err == LQ_OK && f == NULL; i++) {
        bench_one(format_set_at(s, i));
    }
    if (err == LQ_OK && f != NULL) {
        bench_one(f);
    }
    return err;
}

int cmd_format(struct cli *c)
{
    static const char *const verbs[] = {"list", "show", "try", "detect", "bench"};
    struct lq_error e = {0};
    struct format_set *s = NULL;
    const struct format *f;
    struct lq_buf out = {0};
    const char *verb = c->n_args > 0 ? c->args[0] : "";
    char *buf = lq_alloc(DETECT_BYTES);
    enum lq_err err = cli_formats(c, &s, &e);
    if (err != LQ_OK) {
    } else if (strcmp(verb, "list") == 0 && c->n_args == 1) {
        list(s);
    } else if (strcmp(verb, "show") == 0 && c->n_args == 2) {
        err = format_set_find(s, c->args[1], &f, &e);
        if (err == LQ_OK) {
            format_print(f, &out);
            fwrite(out.p, 1, out.n, stdout);
        }
    } else if (strcmp(verb, "try") == 0 && c->n_args == 2) {
        err = try_file(c, s, c->args[1], buf, &e);
    } else if (strcmp(verb, "detect") == 0 && c->n_args > 1) {
        for (size_t i = 1; i < c->n_args; i++) {
            enum lq_err one = detect(s, c->args[i], buf, &e);
            if (one != LQ_OK && i + 1 < c->n_args) {
                lq_error_print(stderr, "lq", &e);
            }
            err = one != LQ_OK ? one : err;
        }
    } else if (strcmp(verb, "bench") == 0 && c->n_args <= 2) {
        err = bench(s, c->n_args == 2 ? c->args[1] : NULL, &e);
    } else {
        const char *near = lq_nearest(verb, strlen(verb), verbs, 5);
        err = lq_error_set(&e, LQ_EINVAL, "lq format needs one of: list, show NAME, try FILE, detect FILE…, bench [NAME]");
        if (near != NULL && strcmp(near, verb) != 0) {
            lq_error_hint(&e, "did you mean %s?", near);
        }
    }
    lq_buf_fini(&out);
    format_set_free(&s);
    free(buf);
    return err == LQ_OK ? EXIT_DONE : cli_fail(&e);
}
