/*
 * format_json.c - a format for JSON lines, inferred from a sample
 *
 * A field's role follows from its name and from what it holds: the time by name and a layout that parses it; level, status, method, … are dimensions; numbers
 * of durations and sizes are measures; addresses, users, sessions are identities; the message by name; other strings are dimensions when they take few
 * values (at most 1 for 5 lines, and 50), else ignored. The same fields give the same format.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "schema/format_int.h"

enum { VALUES_SEEN = 64 };

struct seen_field {
    char name[NAME_BYTES_MAX];
    uint32_t n, strings, numbers;
    lq_str first;
    struct lq_map values;
};

struct inference {
    struct seen_field f[FIELD_MAX];
    uint32_t n, lines;
    struct lq_arena mem;
};

static bool see(void *ctx, lq_str path, struct json_value v)
{
    struct inference *x = ctx;
    uint32_t i = 0;
    if (path.n >= NAME_BYTES_MAX || path.n == 0 || v.type == LQ_JSON_NULL) {
        return true;
    }
    while (i < x->n && !lq_str_is(path, x->f[i].name)) {
        i++;
    }
    if (i == FIELD_MAX) {
        return true;
    }
    struct seen_field *f = &x->f[i];
    if (i == x->n) {
        memcpy(f->name, path.p, path.n);
        f->first = lq_arena_str(&x->mem, v.text);
        x->n++;
    }
    f->n++;
    f->strings += v.type == LQ_JSON_STRING;
    f->numbers += v.type == LQ_JSON_NUMBER;
    if (f->values.n < VALUES_SEEN) {
        lq_map_set(&f->values, v.text, 0);
    }
    return true;
}

static const char *last_part(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL ? dot + 1 : name;
}

static bool named(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcasecmp(last_part(name), names[i]) == 0) {
            return true;
        }
    }
    return false;
}

#define NAMED(f, ...) named((f), (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static const char *layout_of(lq_str v)
{
    static const char *const layouts[] = {"iso8601", "clf", "epoch_auto"};
    for (size_t i = 0; i < 3; i++) {
        struct time_layout *l = NULL;
        int64_t t;
        if (time_layout_compile(layouts[i], &l, NULL) != LQ_OK) {
            continue;
        }
        struct time_parser p = {.layout = l};
        bool ok = time_parse(&p, v, &t, NULL) && t > 315532800000000 /* 1980 */ && t < 4102444800000000 /* 2100 */;
        time_layout_free(&l);
        if (ok) {
            return layouts[i];
        }
    }
    return NULL;
}

static bool is_time(const struct seen_field *f)
{
    return NAMED(f->name, "time", "timestamp", "@timestamp", "ts", "date", "datetime", "asctime", "eventtime", "t", "time_local", "time_iso8601", "msec") &&
           layout_of(f->first) != NULL;
}

static void set_role(const struct inference *x, const struct seen_field *s, struct field *f)
{
    bool number = s->numbers == s->n && s->n > 0;
    uint32_t few = x->lines / 5 < 50 ? (x->lines / 5 > 3 ? x->lines / 5 : 3) : 50;
    if (NAMED(s->name, "message", "msg", "log", "text", "short_message", "error_message")) {
        f->role = ROLE_MESSAGE;
    } else if (NAMED(s->name, "client", "client_ip", "remote_addr", "clientip", "ip", "remote_ip", "user", "user_id", "userid", "username", "session", "session_id")) {
        f->role = ROLE_IDENTITY;
    } else if (NAMED(s->name, "status", "level", "severity", "method", "logger", "host", "hostname", "service", "version", "env", "code", "lvl", "app", "pod", "container")) {
        f->role = s->values.n < VALUES_SEEN ? ROLE_DIMENSION : ROLE_IGNORE;
    } else if (number && NAMED(s->name, "duration", "request_time", "elapsed", "latency", "response_time", "upstream_response_time", "took", "duration_s")) {
        f->role = ROLE_MEASURE;
        f->type = TYPE_SECONDS;
    } else if (number && NAMED(s->name, "duration_ms", "elapsed_ms", "latency_ms", "took_ms", "response_time_ms", "ms", "responsetime")) {
        f->role = ROLE_MEASURE;
        f->type = TYPE_MILLISECONDS;
    } else if (number && NAMED(s->name, "bytes", "size", "bytes_sent", "body_bytes_sent", "length", "content_length")) {
        f->role = ROLE_MEASURE;
        f->type = TYPE_BYTES;
    } else if (s->strings > 0 && s->values.n <= few && !NAMED(s->name, "id", "trace_id", "traceid", "span_id", "spanid", "request_id", "requestid")) {
        f->role = ROLE_DIMENSION;
    } else {
        f->role = ROLE_IGNORE;
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct seen_field *)a)->name, ((const struct seen_field *)b)->name);
}

/* Derived: the route of a path, the shape of the message, the status class. */
static void add_derived(struct format *f)
{
    static const struct {
        const char *name;
        enum derive_kind kind;
        const char *from[4];
    } wanted[] = {{"route", DERIVE_ROUTE, {"path", "uri", "request_uri", "url"}}, {"template", DERIVE_SHAPE, {"message", "msg", "log", "text"}},
                  {"status_class", DERIVE_STATUS_CLASS, {"status", "status_code", NULL, NULL}}};
    for (size_t w = 0; w < 3; w++) {
        for (size_t k = 0; k < 4 && wanted[w].from[k] != NULL; k++) {
            uint32_t from = format_slot(f, lq_str_of(wanted[w].from[k]));
            if (from != UINT32_MAX && from < FIELD_MAX) {
                f->derived[f->n_derived++] = (struct derived){.name = wanted[w].name, .kind = wanted[w].kind, .from = from, .target = -1};
                if (f->fields[from].role != ROLE_MESSAGE && wanted[w].kind == DERIVE_ROUTE) {
                    f->fields[from].role = ROLE_IGNORE;
                }
                break;
            }
        }
    }
}

static void add_error(struct format *f)
{
    static const char *const levels[] = {"level", "severity", "lvl"};
    char text[300];
    const char *level = NULL;
    for (size_t i = 0; i < 3 && level == NULL; i++) {
        if (format_slot(f, lq_str_of(levels[i])) != UINT32_MAX) {
            level = levels[i];
        }
    }
    bool status = format_slot(f, LQ_STR("status")) != UINT32_MAX;
    if (level == NULL && !status) {
        return;
    }
    text[0] = '\0';
    if (level != NULL) {
        snprintf(text, sizeof text, "%s in (error, ERROR, Error, err, fatal, FATAL, critical, CRITICAL, crit, panic, alert, emerg)", level);
    }
    if (status) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "%sstatus >= 500", level != NULL ? " or " : "");
    }
    f->error_text = lq_arena_strdup(&f->mem, lq_str_of(text));
    if (predicate_new(f, lq_str_of(text), &f->error, NULL) != LQ_OK) {
        f->error = NULL;
    }
}

static struct format *build(struct inference *x, const struct seen_field *time)
{
    struct format *f = lq_alloc(sizeof *f);
    f->inner_slot = UINT32_MAX;
    const char *paths[FIELD_MAX];
    char time_name[NAME_BYTES_MAX];
    snprintf(time_name, sizeof time_name, "%s", time->name);
    f->layout_text = layout_of(time->first);
    qsort(x->f, x->n, sizeof *x->f, by_name);
    f->name = "json";
    f->description = "JSON lines, roles inferred from the data";
    f->priority = 40;
    f->kind = PARSER_JSON;
    for (uint32_t i = 0; i < x->n; i++) {
        struct field *d = &f->fields[f->n_fields];
        d->name = d->path = lq_arena_strdup(&f->mem, lq_str_of(x->f[i].name));
        d->group = f->n_fields;
        if (strcmp(d->name, time_name) == 0) {
            d->role = ROLE_TIME;
            f->time_slot = f->n_fields;
        } else {
            set_role(x, &x->f[i], d);
        }
        paths[f->n_fields++] = d->name;
    }
    f->paths = json_paths_new(paths, f->n_fields);
    add_derived(f);
    if (format_slot(f, LQ_STR("status")) != UINT32_MAX && (format_slot(f, LQ_STR("method")) != UINT32_MAX || f->n_derived > 1)) {
        f->schema.kind = STREAM_REQUESTS;
    }
    add_error(f);
    if (time_layout_compile(f->layout_text, &f->layout, NULL) != LQ_OK || format_finish(f, NULL) != LQ_OK) {
        format_free(&f);
        return NULL;
    }
    for (uint32_t i = 0; i < f->schema.n_dims; i++) {
        if (strcmp(f->schema.dims[i], "route") == 0 || strcmp(f->schema.dims[i], "template") == 0) {
            f->schema.sketch_by |= 1U << i;
        }
    }
    return f;
}

struct format *format_infer_json(lq_str sample, uint32_t lines_max)
{
    struct inference *x = lq_alloc(sizeof *x);
    struct lq_buf scratch = {0};
    struct format *f = NULL;
    uint32_t objects = 0;
    while (sample.n > 0 && x->lines < lines_max) {
        const char *nl = memchr(sample.p, '\n', sample.n);
        lq_str line = {sample.p, nl != NULL ? (size_t)(nl - sample.p) : sample.n};
        size_t at, used = line.n + (nl != NULL);
        sample.p += used;
        sample.n -= used;
        if (line.n == 0) {
            continue;
        }
        x->lines++;
        lq_buf_clear(&scratch);
        objects += json_each(line, see, x, &scratch, &at);
    }
    for (uint32_t i = 0; i < x->n && objects * 2 >= x->lines && f == NULL; i++) {
        if (is_time(&x->f[i])) {
            f = build(x, &x->f[i]);
            break;
        }
    }
    for (uint32_t i = 0; i < FIELD_MAX; i++) {
        lq_map_fini(&x->f[i].values);
    }
    lq_arena_fini(&x->mem);
    lq_buf_fini(&scratch);
    free(x);
    return f;
}
