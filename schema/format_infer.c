/*
 * format_infer.c - a format for JSON, logfmt or CSV lines, inferred from a sample
 *
 * A field's role follows from its name and from what it holds: the time by name and a layout that parses it; level, status, method, … are dimensions; numbers
 * of durations and sizes (also in strings) are measures; addresses, users, sessions are identities; the message by name; other strings are dimensions when
 * they take few values (at most 1 for 5 lines, and 50), else ignored. What programs call by many names gets one (host, service, version, env, level). The
 * same fields give the same format. The message may be a line of another format.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "schema/csv.h"
#include "schema/format_int.h"
#include "schema/logfmt.h"

enum { VALUES_SEEN = 64 };

struct seen_field {
    char name[NAME_BYTES_MAX];
    uint32_t n, strings, numbers, durations;
    lq_str first;
    struct lq_map values;
};

struct inference {
    struct seen_field f[FIELD_MAX];
    uint32_t n, lines, good;
    struct lq_arena mem;
    struct lq_buf scratch;
};

/* "12.5ms", "1.2s": a number and a unit of time. */
static bool is_duration(lq_str v)
{
    size_t i = 0;
    while (i < v.n && ((v.p[i] >= '0' && v.p[i] <= '9') || v.p[i] == '.')) {
        i++;
    }
    lq_str unit = {v.p + i, v.n - i};
    return i > 0 && (lq_str_is(unit, "ms") || lq_str_is(unit, "s") || lq_str_is(unit, "us") || lq_str_is(unit, "µs") || lq_str_is(unit, "ns"));
}

static bool see(void *ctx, lq_str path, struct json_value v)
{
    struct inference *x = ctx;
    uint32_t i = 0;
    double number;
    if (path.n >= NAME_BYTES_MAX || path.n == 0 || v.type == LQ_JSON_NULL || memchr(path.p, '\0', path.n) != NULL) {
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
        x->n++;
    }
    if (f->first.n == 0) {
        f->first = lq_arena_str(&x->mem, v.text);
    }
    bool is_number = v.type == LQ_JSON_NUMBER || (v.text.n > 0 && number_parse(v.text, &number));
    f->n++;
    f->numbers += is_number;
    f->durations += !is_number && is_duration(v.text);
    f->strings += v.type == LQ_JSON_STRING && !is_number;
    if (f->values.n < VALUES_SEEN) {
        lq_map_set(&f->values, v.text, 0);
    }
    return true;
}

static bool see_pair(void *ctx, lq_str key, lq_str value)
{
    return value.n == 0 || see(ctx, key, (struct json_value){LQ_JSON_STRING, value});
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

/* One name for what programs call by many; whole paths, because request.host is no host of the log. NULL: its own. */
static const char *canonical(const char *path)
{
    static const struct {
        const char *name, *paths[12];
    } names[] = {
        {"host", {"host", "hostname", "host.name", "node", "nodename", "node_name", "kubernetes.node_name", "kubernetes.host", "_hostname", "computer", "machine"}},
        {"service", {"service", "service.name", "service_name", "servicename", "app", "application", "app_name", "kubernetes.labels.app", "syslog_identifier", "program"}},
        {"version", {"version", "service.version", "app_version", "appversion", "release", "build"}},
        {"env", {"env", "environment", "deployment.environment", "service.environment"}},
        {"level", {"level", "severity", "lvl", "loglevel", "log_level", "levelname", "log.level", "level_name"}},
        {"pod", {"podname", "pod", "pod_name", "kubernetes.pod_name", "kubernetes.pod.name"}},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        for (size_t k = 0; k < 12 && names[i].paths[k] != NULL; k++) {
            if (strcasecmp(path, names[i].paths[k]) == 0) {
                return names[i].name;
            }
        }
    }
    return NULL;
}

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
    return NAMED(f->name, "time", "timestamp", "@timestamp", "ts", "date", "datetime", "asctime", "eventtime", "t", "time_local", "time_iso8601", "msec", "@t") &&
           layout_of(f->first) != NULL;
}

static bool is_message(const char *name)
{
    return NAMED(name, "message", "msg", "log", "text", "short_message", "@message", "@m", "@mt");
}

static void set_role(const struct inference *x, const struct seen_field *s, struct field *f)
{
    bool number = s->numbers == s->n && s->n > 0, duration = s->durations > 0 && s->durations + s->numbers == s->n;
    uint32_t few = x->lines / 5 < 50 ? (x->lines / 5 > 3 ? x->lines / 5 : 3) : 50;
    f->role = ROLE_IGNORE;
    if (is_message(s->name)) {
        f->role = ROLE_MESSAGE;
    } else if (NAMED(s->name, "client", "client_ip", "remote_addr", "clientip", "ip", "remote_ip", "user", "user_id", "userid", "username", "session", "session_id")) {
        f->role = ROLE_IDENTITY;
    } else if (strcmp(f->name, "pod") == 0) {
        f->role = ROLE_IGNORE;
    } else if (canonical(s->name) != NULL || NAMED(s->name, "status", "method", "logger", "code", "container", "stream")) {
        f->role = s->values.n < VALUES_SEEN ? ROLE_DIMENSION : ROLE_IGNORE;
    } else if (duration) {
        f->role = ROLE_MEASURE;
        f->type = TYPE_DURATION;
    } else if (number && NAMED(s->name, "duration", "request_time", "elapsed", "latency", "response_time", "upstream_response_time", "took", "duration_s")) {
        f->role = ROLE_MEASURE;
        f->type = TYPE_SECONDS;
    } else if (number && NAMED(s->name, "duration_ms", "elapsed_ms", "latency_ms", "took_ms", "response_time_ms", "ms", "responsetime")) {
        f->role = ROLE_MEASURE;
        f->type = TYPE_MILLISECONDS;
    } else if (number && NAMED(s->name, "duration_us", "elapsed_us", "latency_us", "duration_ns", "elapsed_ns", "latency_ns")) {
        f->role = ROLE_MEASURE;
        f->type = strstr(s->name, "_us") != NULL ? TYPE_MICROSECONDS : TYPE_NANOSECONDS;
    } else if (number && NAMED(s->name, "bytes", "size", "bytes_sent", "body_bytes_sent", "length", "content_length")) {
        f->role = ROLE_MEASURE;
        f->type = TYPE_BYTES;
    } else if (s->strings > 0 && s->values.n <= few &&
               !NAMED(s->name, "id", "trace_id", "traceid", "span_id", "spanid", "request_id", "requestid", "pid", "thread", "caller", "stack", "stacktrace", "stack_trace")) {
        f->role = ROLE_DIMENSION;
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct seen_field *)a)->name, ((const struct seen_field *)b)->name);
}

static void derive(struct format *f, const char *name, enum derive_kind kind, uint32_t from)
{
    uint32_t same = format_slot(f, lq_str_of(name));
    if (from < FIELD_MAX && f->n_derived < DERIVE_MAX && (same == UINT32_MAX || same == from || kind == DERIVE_LEVEL)) {
        f->derived[f->n_derived++] = (struct derived){.name = name, .kind = kind, .from = from, .target = same == UINT32_MAX ? -1 : (int64_t)same};
    }
}

static uint32_t first_of(const struct format *f, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < f->n_fields; k++) {
            if (strcasecmp(f->fields[k].path, names[i]) == 0) {
                return k;
            }
        }
    }
    return UINT32_MAX;
}

#define FIRST_OF(f, ...) first_of((f), (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static uint32_t path_of(const struct format *f)
{
    return FIRST_OF(f, "path", "uri", "request_uri", "url", "request.path", "request.uri", "http.path", "http.target");
}

/* Derived: the route of a path, the shape of the message, the status class, the level's one spelling, the service of a pod, exceptions. */
static void add_derived(struct format *f)
{
    uint32_t path = path_of(f);
    uint32_t stack = FIRST_OF(f, "stack_trace", "stacktrace", "stack", "error.stack", "error.stack_trace", "exc_info", "exception.stacktrace");
    uint32_t pod = format_slot(f, LQ_STR("pod")), message = UINT32_MAX;
    for (uint32_t i = 0; i < f->n_fields; i++) {
        message = f->fields[i].role == ROLE_MESSAGE ? i : message;
    }
    derive(f, "route", DERIVE_ROUTE, path);
    if (path != UINT32_MAX && f->fields[path].role != ROLE_MESSAGE) {
        f->fields[path].role = ROLE_IGNORE;
    }
    derive(f, "template", DERIVE_SHAPE, message);
    derive(f, "status_class", DERIVE_STATUS_CLASS, FIRST_OF(f, "status", "status_code"));
    derive(f, "level", DERIVE_LEVEL, format_slot(f, LQ_STR("level")));
    derive(f, "exception", DERIVE_EXCEPTION, stack != UINT32_MAX ? stack : message);
    derive(f, "frame", DERIVE_FRAME, stack != UINT32_MAX ? stack : message);
    if (pod != UINT32_MAX && format_slot(f, LQ_STR("service")) == UINT32_MAX) {
        size_t at;
        derive(f, "service", DERIVE_REGEX, pod);
        if (matcher_new("^(.+?)(?:(?:-[a-f0-9]{6,10})?-[a-z0-9]{5}|-\\d+)?$", false, f->match_limit, f->depth_limit, &f->derived[f->n_derived - 1].regex, &at, NULL) != LQ_OK) {
            f->n_derived--;
        }
    }
}

/* How sessions end, where the lines are requests that show it: DERIVE_SESSION_END needs a status and a path, and says more with the rest. */
static void add_session_end(struct format *f, uint32_t path)
{
    uint32_t status = FIRST_OF(f, "status", "status_code");
    derive(f, "session_end", DERIVE_SESSION_END, path != UINT32_MAX && f->schema.kind == STREAM_REQUESTS ? status : UINT32_MAX);
    struct derived *d = f->n_derived > 0 ? &f->derived[f->n_derived - 1] : NULL;
    if (d == NULL || d->kind != DERIVE_SESSION_END) {
        return;
    }
    d->arg[SESSION_TARGET] = path;
    d->arg[SESSION_METHOD] = FIRST_OF(f, "method", "request_method", "request.method", "http.method");
    d->arg[SESSION_USER] = FIRST_OF(f, "user", "remote_user", "username", "user_id", "userid", "user.id", "user.name", "session", "session_id");
    d->arg[SESSION_REFERRER] = FIRST_OF(f, "referrer", "referer", "http_referer", "http_referrer", "request.referer");
    d->arg[SESSION_LOCATION] = FIRST_OF(f, "location", "sent_http_location", "response.location");
    d->arg[SESSION_QUERY] = FIRST_OF(f, "query", "query_string", "args");
}

static void add_error(struct format *f)
{
    char text[120] = "";
    bool status = format_slot(f, LQ_STR("status")) != UINT32_MAX;
    if (format_slot(f, LQ_STR("level")) != UINT32_MAX) {
        snprintf(text, sizeof text, "level in (error, critical, fatal)%s", status ? " or " : "");
    }
    if (status) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "status >= 500");
    }
    if (text[0] == '\0') {
        return;
    }
    f->error_text = lq_arena_strdup(&f->mem, lq_str_of(text));
    if (predicate_new(f, lq_str_of(text), &f->error, NULL) != LQ_OK) {
        f->error = NULL;
    }
}

/* Fields of the sample by name order; identities and measures over their number are ignored, and so are messages but the first. */
static void add_fields(struct format *f, struct inference *x, const char *time_name)
{
    uint32_t identities = 0, measures = 0, messages = 0, dims = 0;
    qsort(x->f, x->n, sizeof *x->f, by_name);
    for (uint32_t i = 0; i < x->n; i++) {
        struct field *d = &f->fields[f->n_fields];
        const char *other = canonical(x->f[i].name);
        *d = (struct field){.path = lq_arena_strdup(&f->mem, lq_str_of(x->f[i].name)), .group = f->n_fields};
        d->name = other != NULL && format_slot(f, lq_str_of(other)) == UINT32_MAX ? other : d->path;
        if (time_name != NULL && strcmp(d->path, time_name) == 0) {
            d->role = ROLE_TIME;
            f->time_slot = f->n_fields;
        } else {
            set_role(x, &x->f[i], d);
        }
        bool over = (d->role == ROLE_IDENTITY && identities++ >= IDENTITY_MAX) || (d->role == ROLE_MEASURE && measures++ >= MEASURE_MAX) ||
                    (d->role == ROLE_MESSAGE && messages++ > 0) || (d->role == ROLE_DIMENSION && dims++ >= DIM_MAX - DIM_BUILTIN - 8);
        d->role = over ? ROLE_IGNORE : d->role;
        if (d->role == ROLE_MESSAGE) {
            f->inner_slot = f->n_fields;
        }
        f->n_fields++;
    }
}

static struct format *build(struct inference *x, const struct seen_field *time, enum parser_kind kind)
{
    struct format *f = lq_alloc(sizeof *f);
    char time_name[NAME_BYTES_MAX] = "";
    f->inner_slot = f->time_slot = UINT32_MAX;
    if (time != NULL) {
        snprintf(time_name, sizeof time_name, "%s", time->name);
        f->layout_text = layout_of(time->first);
    }
    f->kind = kind;
    f->name = parser_kind_name(kind);
    f->description = kind == PARSER_JSON ? "JSON lines, roles inferred from the data" : kind == PARSER_CSV ? "CSV with a header line, roles inferred" : "key=value lines, roles inferred";
    f->priority = 40;
    f->match_limit = 10000;
    f->depth_limit = 1000;
    add_fields(f, x, time != NULL ? time_name : NULL);
    const char *paths[FIELD_MAX];
    for (uint32_t i = 0; i < f->n_fields; i++) {
        paths[i] = f->fields[i].path;
    }
    f->paths = kind == PARSER_JSON ? json_paths_new(paths, f->n_fields) : NULL;
    add_derived(f);
    if (format_slot(f, LQ_STR("status")) != UINT32_MAX && (format_slot(f, LQ_STR("method")) != UINT32_MAX || format_slot(f, LQ_STR("route")) != UINT32_MAX)) {
        f->schema.kind = STREAM_REQUESTS;
    }
    add_session_end(f, path_of(f));
    add_error(f);
    if ((time != NULL && time_layout_compile(f->layout_text, &f->layout, NULL) != LQ_OK) || format_finish(f, NULL) != LQ_OK) {
        format_free(&f);
        return NULL;
    }
    for (uint32_t i = 0; i < f->schema.n_dims; i++) {
        if (strcmp(f->schema.dims[i], "route") == 0 || strcmp(f->schema.dims[i], "template") == 0 || strcmp(f->schema.dims[i], "service") == 0) {
            f->schema.sketch_by |= 1U << i;
        }
    }
    return f;
}

/* ---- looking at the lines ---- */

static bool see_csv_line(struct inference *x, lq_str line, lq_str *names, uint32_t *n_names)
{
    bool more = true, first = *n_names == 0;
    lq_str cell;
    uint32_t i = 0;
    lq_buf_clear(&x->scratch);
    lq_buf_reserve(&x->scratch, line.n + 1);
    for (; more; i++) {
        if ((i == FIELD_MAX && first) || !csv_next(&line, ',', &x->scratch, &cell, &more)) {
            return false;
        }
        if (first) {
            names[i] = lq_arena_str(&x->mem, cell);
            *n_names = i + 1;
        } else if (i < *n_names && cell.n > 0) {
            see(x, names[i], (struct json_value){LQ_JSON_STRING, cell});
        }
    }
    return i == *n_names && i >= 3;
}

static bool see_line(struct inference *x, enum parser_kind kind, lq_str line, lq_str *names, uint32_t *n_names)
{
    size_t at;
    lq_buf_clear(&x->scratch);
    return kind == PARSER_JSON ? json_each(line, see, x, &x->scratch, &at) : kind == PARSER_LOGFMT ? logfmt_each(line, see_pair, x, &x->scratch)
                                                                             : see_csv_line(x, line, names, n_names);
}

/* Could the sample be of this kind at all? Its first line that is not blank says so. */
static bool looks_like(enum parser_kind kind, lq_str sample)
{
    lq_str line = {"", 0};
    while (sample.n > 0 && line.n == 0) {
        line = format_next_line(&sample);
    }
    if (kind == PARSER_JSON) {
        return line.n > 0 && (line.p[0] == '{' || (line.p[0] == ' ' && memchr(line.p, '{', line.n) != NULL));
    }
    if (kind == PARSER_LOGFMT) {
        return line.n > 0 && memchr(line.p, '=', line.n) != NULL;
    }
    size_t commas = 0, digits = 0;
    for (size_t i = 0; i < line.n; i++) {
        commas += line.p[i] == ',';
        digits += line.p[i] >= '0' && line.p[i] <= '9';
    }
    return commas >= 2 && digits * 4 <= line.n; /* a header has names, not values */
}

struct format *format_infer(lq_str sample, enum parser_kind kind, uint32_t lines_max, bool enveloped)
{
    struct inference *x = lq_alloc(sizeof *x);
    struct format *f = NULL;
    lq_str names[FIELD_MAX];
    uint32_t n_names = 0;
    const struct seen_field *time = NULL;
    bool look = looks_like(kind, sample);
    while (look && sample.n > 0 && x->lines < lines_max) {
        lq_str line = format_next_line(&sample);
        if (line.n > 0) {
            x->lines++;
            x->good += see_line(x, kind, line, names, &n_names);
        }
    }
    for (uint32_t i = 0; i < x->n && time == NULL; i++) {
        time = is_time(&x->f[i]) ? &x->f[i] : NULL;
    }
    if (look && x->n > 0 && (time != NULL || kind == PARSER_JSON || (enveloped && kind != PARSER_CSV)) && x->good * 2 >= x->lines) {
        f = build(x, time, kind);
    }
    for (uint32_t i = 0; i < FIELD_MAX; i++) {
        lq_map_fini(&x->f[i].values);
    }
    lq_arena_fini(&x->mem);
    lq_buf_fini(&x->scratch);
    free(x);
    return f;
}
