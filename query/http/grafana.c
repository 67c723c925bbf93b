/*
 * grafana.c - the JSON data sources of Grafana: simPod's, the old simple-json, and flat rows for Infinity
 *
 * One set of addresses, at the root and below /grafana: POST /search /metrics /metric-payload-options /query /variable /annotations /tag-keys /tag-values; and for
 * Infinity GET or POST /api/v1/infinity/query, /annotations, /logs, /values. A target is a query of lq's language; without `every` it takes the panel's step, rounded
 * up to one that buckets can give. `markers` and `changes of QUERY` are targets of annotations.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/http/ask.h"
#include "query/http/grafana_int.h"
#include "query/out/out.h"

enum { GRAFANA_POINTS_DEFAULT = 1000 };

/* ---- bodies ---- */

static enum lq_err body_range(const struct ask *a, const struct body *body, int64_t *from_us, int64_t *to_us, struct lq_error *e)
{
    enum lq_err err = LQ_OK;
    *from_us = INT64_MIN;
    *to_us = INT64_MAX;
    if (body->from.n > 0) {
        err = ask_time(a, body->from, clock_now_us(), from_us, e);
    }
    if (err == LQ_OK && body->to.n > 0) {
        err = ask_time(a, body->to, clock_now_us(), to_us, e);
    }
    if (err == LQ_OK && *from_us >= *to_us) {
        err = lq_error_set(e, LQ_EINVAL, "range.from is not before range.to");
    }
    return err;
}

/* The step of a panel: its interval, but no more points than it asks for. */
static int64_t body_step(const struct body *body, int64_t from_us, int64_t to_us)
{
    int64_t points = body->points_max;
    bool known = from_us != INT64_MIN && to_us != INT64_MAX;
    int64_t range = known ? to_us - from_us : 86400 * 1000000LL, want = body->interval_ms > 0 && body->interval_ms < INT32_MAX ? body->interval_ms * 1000 : 0;
    int64_t least = ask_step(range, points > 0 ? points : GRAFANA_POINTS_DEFAULT), unit = 10 * 1000000LL;
    want = want > 0 ? (want + unit - 1) / unit * unit : least;
    return want > least ? want : least;
}

/* ---- answers ---- */

static void print_ms(FILE *f, int64_t us)
{
    fprintf(f, "%lld", (long long)(us / 1000));
}

static void print_timeserie(const struct result *r, bool *first, FILE *f)
{
    struct lq_buf name = {0};
    for (uint32_t i = 0; i < r->n_series; i++) {
        for (uint32_t c = 0; c < r->n_columns; c++) {
            ask_series_name(r, &r->series[i], c, &name);
            fputs(*first ? "\n{\"target\":" : ",\n{\"target\":", f);
            *first = false;
            json_string(f, (lq_str){name.p, name.n});
            fputs(",\"datapoints\":[", f);
            for (uint32_t k = 0; k < r->steps; k++) {
                fputs(k > 0 ? ",[" : "[", f);
                json_number(f, result_row(r, &r->series[i], k)[c]);
                fputc(',', f);
                print_ms(f, r->step_start_us[k]);
                fputc(']', f);
            }
            fputs("]}", f);
        }
    }
    lq_buf_fini(&name);
}

static void print_rows(const struct result *r, FILE *f)
{
    bool first = true;
    for (uint32_t i = 0; i < r->n_series; i++) {
        for (uint32_t k = 0; k < r->steps; k++) {
            fputs(first ? "[" : ",[", f);
            first = false;
            if (r->step_us > 0) {
                print_ms(f, r->step_start_us[k]);
                fputc(',', f);
            }
            json_string(f, lq_str_of(r->series[i].stream));
            for (uint32_t b = 0; b < r->n_by; b++) {
                fputc(',', f);
                json_string(f, r->series[i].labels[b]);
            }
            for (uint32_t c = 0; c < r->n_columns; c++) {
                fputc(',', f);
                json_number(f, result_row(r, &r->series[i], k)[c]);
            }
            fputc(']', f);
        }
    }
}

static void print_column(FILE *f, bool *first, lq_str text, const char *type)
{
    fputs(*first ? "{\"text\":" : ",{\"text\":", f);
    *first = false;
    json_string(f, text);
    fprintf(f, ",\"type\":\"%s\"}", type);
}

static void print_table(const struct result *r, bool *first, FILE *f)
{
    bool head = true;
    fputs(*first ? "\n{\"type\":\"table\",\"columns\":[" : ",\n{\"type\":\"table\",\"columns\":[", f);
    *first = false;
    if (r->step_us > 0) {
        print_column(f, &head, LQ_STR("Time"), "time");
    }
    print_column(f, &head, LQ_STR("stream"), "string");
    for (uint32_t b = 0; b < r->n_by; b++) {
        print_column(f, &head, r->q->by[b], "string");
    }
    for (uint32_t c = 0; c < r->n_columns; c++) {
        print_column(f, &head, r->column_names[c], "number");
    }
    fputs("],\"rows\":[", f);
    print_rows(r, f);
    fputs("]}", f);
}

static enum lq_err answer_target(const struct ask *a, const struct http_request *r, const struct body_target *t, struct ask_query q, bool *first, FILE *f,
                                 struct lq_error *e)
{
    struct asked x = {0};
    q.text = t->query;
    if (grafana__is_annotation(q.text)) {
        return grafana__annotation_frame(a, r, q.text, q.from_us, q.to_us, first, f, e);
    }
    if (q.text.n == 0) {
        return LQ_OK;
    }
    q.every_us = t->table ? 0 : q.every_us;
    enum lq_err err = ask_run(a, r, &q, &x, e);
    if (err == LQ_OK) {
        if (t->table) {
            print_table(&x.r, first, f);
        } else {
            print_timeserie(&x.r, first, f);
        }
        asked_fini(&x);
    }
    return err;
}

static enum lq_err grafana_query(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct ask *a = ctx;
    struct ask_query q = {0};
    struct body *body = lq_arena_alloc(r->mem, sizeof *body);
    bool first = true;
    enum lq_err err = body_parse(r->body, r->mem, body, e);
    if (err == LQ_OK) {
        err = body_range(a, body, &q.from_us, &q.to_us, e);
    }
    if (err != LQ_OK) {
        return err;
    }
    q.n_filters = body->n_filters;
    q.filters = body->filters;
    q.every_us = body_step(body, q.from_us, q.to_us);
    fputc('[', o->out);
    for (uint32_t i = 0; i < body->n_targets && err == LQ_OK && !http_stopped(r); i++) {
        if (!body->targets[i].hidden) {
            err = answer_target(a, r, &body->targets[i], q, &first, o->out, e);
        }
    }
    fputs("]\n", o->out);
    return err;
}

/* ---- what can be asked ---- */

static void print_option(FILE *f, bool *first, const char *label_key, lq_str label, const char *value_key, lq_str value)
{
    fprintf(f, *first ? "\n{\"%s\":" : ",\n{\"%s\":", label_key);
    *first = false;
    json_string(f, label);
    fprintf(f, ",\"%s\":", value_key);
    json_string(f, value);
}

static void print_stream_metrics(struct snapshot *s, const char *label_key, const char *value_key, FILE *f, bool *first)
{
    char label[200], value[200];
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_schema *x = snapshot_stream(s, i)->schema;
        static const char *const columns[] = {"count", "errors", "errors / count"};
        for (size_t k = 0; k < sizeof columns / sizeof columns[0]; k++) {
            snprintf(label, sizeof label, "%s: %s", x->name, columns[k]);
            snprintf(value, sizeof value, "stream = %s | %s", x->name, columns[k]);
            print_option(f, first, label_key, lq_str_of(label), value_key, lq_str_of(value));
            fputc('}', f);
        }
        for (uint32_t m = 0; m < x->n_measures; m++) {
            snprintf(label, sizeof label, "%s: p50 and p99 of %s", x->name, x->measures[m].name);
            snprintf(value, sizeof value, "stream = %s | p50(%s), p99(%s)", x->name, x->measures[m].name, x->measures[m].name);
            print_option(f, first, label_key, lq_str_of(label), value_key, lq_str_of(value));
            fputc('}', f);
        }
    }
}

static enum lq_err grafana_metrics(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct ask *a = ctx;
    struct snapshot *s = NULL;
    bool first = true;
    (void)r;
    enum lq_err err = snapshot_open(a->store, &s, e);
    if (err != LQ_OK) {
        return err;
    }
    fputc('[', o->out);
    print_option(o->out, &first, "label", LQ_STR("a query of your own"), "value", LQ_STR("query"));
    fputs(",\"payloads\":[{\"label\":\"query\",\"name\":\"query\",\"type\":\"textarea\",\"placeholder\":\"errors / count by host\",\"width\":60},"
          "{\"label\":\"format\",\"name\":\"format\",\"type\":\"select\",\"options\":[{\"label\":\"time series\",\"value\":\"timeserie\"},{\"label\":\"table\",\"value\":\"table\"}]}]}",
          o->out);
    print_stream_metrics(s, "label", "value", o->out, &first);
    print_option(o->out, &first, "label", LQ_STR("annotations: markers"), "value", LQ_STR("markers"));
    fputs("}]\n", o->out);
    return ask_close(&s, LQ_OK, e);
}

static enum lq_err grafana_search(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct ask *a = ctx;
    struct snapshot *s = NULL;
    bool first = true;
    (void)r;
    enum lq_err err = snapshot_open(a->store, &s, e);
    if (err == LQ_OK) {
        fputc('[', o->out);
        print_stream_metrics(s, "text", "value", o->out, &first);
        fputs("]\n", o->out);
    }
    return ask_close(&s, err, e);
}

static enum lq_err grafana_options(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    struct body *body = lq_arena_alloc(r->mem, sizeof *body);
    (void)ctx;
    enum lq_err err = body_parse(r->body, r->mem, body, e);
    if (err == LQ_OK) {
        bool format = lq_str_is(body->name, "format");
        fputs(format ? "[{\"label\":\"time series\",\"value\":\"timeserie\"},{\"label\":\"table\",\"value\":\"table\"}]\n" : "[]\n", o->out);
    }
    return err;
}

/* Each value of a field once, over all streams; by count. */
typedef void value_printer(FILE *f, lq_str value);
static void each_value(struct snapshot *s, lq_str field, value_printer *print, FILE *f)
{
    enum { VALUES_SHOWN_MAX = 5000 };
    struct lq_map seen = {0};
    uint32_t n = 0;
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_schema *x = snapshot_stream(s, i)->schema;
        for (uint32_t d = 0; d < x->n_dims; d++) {
            for (uint32_t v = 2; lq_str_is(field, x->dims[d]) && v < snapshot_values(s, i, d) && n < VALUES_SHOWN_MAX; v++) {
                const struct value_info *info = snapshot_value(s, i, d, v);
                if (info->count > 0 && lq_map_get(&seen, info->text) == LQ_MAP_NONE) {
                    lq_map_set(&seen, info->text, 1);
                    fputs(n++ > 0 ? ",\n" : "\n", f);
                    print(f, info->text);
                }
            }
        }
        if (lq_str_is(field, "stream") && lq_map_get(&seen, lq_str_of(x->name)) == LQ_MAP_NONE) {
            lq_map_set(&seen, lq_str_of(x->name), 1);
            fputs(n++ > 0 ? ",\n" : "\n", f);
            print(f, lq_str_of(x->name));
        }
    }
    lq_map_fini(&seen);
}

static void print_variable(FILE *f, lq_str v)
{
    fputs("{\"__text\":", f);
    json_string(f, v);
    fputs(",\"__value\":", f);
    json_string(f, v);
    fputc('}', f);
}

static void print_text(FILE *f, lq_str v)
{
    fputs("{\"text\":", f);
    json_string(f, v);
    fputc('}', f);
}

/* "values(route)", "route", "streams". */
static lq_str variable_field(lq_str t)
{
    if (t.n > 8 && memcmp(t.p, "values(", 7) == 0 && t.p[t.n - 1] == ')') {
        return (lq_str){t.p + 7, t.n - 8};
    }
    return lq_str_is(t, "streams") ? LQ_STR("stream") : t;
}

static enum lq_err print_values_of(const struct ask *a, lq_str field, value_printer *print, FILE *f, struct lq_error *e)
{
    struct snapshot *s = NULL;
    enum lq_err err = snapshot_open(a->store, &s, e);
    if (err == LQ_OK) {
        fputc('[', f);
        each_value(s, field, print, f);
        fputs("]\n", f);
    }
    return ask_close(&s, err, e);
}

static enum lq_err grafana_variable(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    struct body *body = lq_arena_alloc(r->mem, sizeof *body);
    enum lq_err err = body_parse(r->body, r->mem, body, e);
    return err == LQ_OK ? print_values_of(ctx, variable_field(body->target), print_variable, o->out, e) : err;
}

static enum lq_err grafana_tag_values(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    struct body *body = lq_arena_alloc(r->mem, sizeof *body);
    enum lq_err err = body_parse(r->body, r->mem, body, e);
    return err == LQ_OK ? print_values_of(ctx, body->key, print_text, o->out, e) : err;
}

static enum lq_err grafana_tag_keys(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct ask *a = ctx;
    struct snapshot *s = NULL;
    struct lq_map seen = {0};
    (void)r;
    enum lq_err err = snapshot_open(a->store, &s, e);
    if (err != LQ_OK) {
        return err;
    }
    fputs("[{\"type\":\"string\",\"text\":\"stream\"}", o->out);
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_schema *x = snapshot_stream(s, i)->schema;
        for (uint32_t d = 0; d < x->n_dims; d++) {
            if (snapshot_values(s, i, d) > 2 && lq_map_get(&seen, lq_str_of(x->dims[d])) == LQ_MAP_NONE) {
                lq_map_set(&seen, lq_str_of(x->dims[d]), 1);
                fputs(",\n{\"type\":\"string\",\"text\":", o->out);
                json_string(o->out, lq_str_of(x->dims[d]));
                fputc('}', o->out);
            }
        }
    }
    fputs("]\n", o->out);
    lq_map_fini(&seen);
    return ask_close(&s, LQ_OK, e);
}

static enum lq_err grafana_annotations(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct ask *a = ctx;
    struct body *body = lq_arena_alloc(r->mem, sizeof *body);
    int64_t from = 0, to = 0;
    enum lq_err err = body_parse(r->body, r->mem, body, e);
    if (err == LQ_OK) {
        err = body_range(a, body, &from, &to, e);
    }
    return err == LQ_OK ? grafana__annotation_list(a, r, body->annotation_query, from, to, body->annotation.n > 0 ? body->annotation.p : NULL, o->out, e) : err;
}

/* ---- Infinity: flat rows ---- */

static void print_flat(const struct result *r, FILE *f)
{
    struct lq_buf name = {0};
    bool first = true;
    for (uint32_t i = 0; i < r->n_series; i++) {
        const struct result_series *s = &r->series[i];
        for (uint32_t k = 0; k < r->steps; k++) {
            for (uint32_t c = 0; c < r->n_columns; c++) {
                double v = result_row(r, s, k)[c];
                if (isnan(v) && r->n_by > 0) {
                    continue; /* a long table leaves out what is not there */
                }
                fputs(first ? "\n{" : ",\n{", f);
                first = false;
                if (r->step_us > 0) {
                    fputs("\"time\":", f);
                    print_ms(f, r->step_start_us[k]);
                    fputc(',', f);
                }
                ask_series_name(r, s, c, &name);
                fputs("\"series\":", f);
                json_string(f, (lq_str){name.p, name.n});
                fputs(",\"stream\":", f);
                json_string(f, lq_str_of(s->stream));
                for (uint32_t b = 0; b < r->n_by; b++) {
                    fputc(',', f);
                    json_string(f, r->q->by[b]);
                    fputc(':', f);
                    json_string(f, s->labels[b]);
                }
                fputs(",\"value\":", f);
                json_number(f, v);
                fputc('}', f);
            }
        }
    }
    lq_buf_fini(&name);
}

static enum lq_err infinity_query(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct ask *a = ctx;
    struct ask_query q = {.text = http_param(r, "query")};
    struct snapshot *s = NULL;
    struct asked x = {0};
    const char *points = http_param_text(r, "points");
    enum lq_err err = q.text.n > 0 ? snapshot_open(a->store, &s, e) : lq_error_set(e, LQ_EINVAL, "the parameter query is missing");
    if (err == LQ_OK) {
        err = ask_range(a, r, s, true, &q.from_us, &q.to_us, e);
    }
    snapshot_close(&s);
    if (err == LQ_OK && points != NULL && q.to_us != INT64_MAX) {
        q.every_us = ask_step(q.to_us - q.from_us, strtol(points, NULL, 10));
    }
    if (err == LQ_OK) {
        err = ask_run(a, r, &q, &x, e);
    }
    if (err == LQ_OK) {
        fputc('[', o->out);
        print_flat(&x.r, o->out);
        fputs("]\n", o->out);
        asked_fini(&x);
    }
    return err;
}

static enum lq_err infinity_annotations(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct ask *a = ctx;
    struct snapshot *s = NULL;
    int64_t from = 0, to = 0;
    enum lq_err err = snapshot_open(a->store, &s, e);
    if (err == LQ_OK) {
        err = ask_range(a, r, s, false, &from, &to, e);
        snapshot_close(&s);
    }
    return err == LQ_OK ? grafana__annotation_list(a, r, http_param(r, "query"), from, to, NULL, o->out, e) : err;
}

static void print_plain(FILE *f, lq_str v)
{
    json_string(f, v);
}

static enum lq_err infinity_values(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    lq_str field = http_param(r, "field");
    return field.n > 0 ? print_values_of(ctx, variable_field(field), print_plain, o->out, e) : lq_error_set(e, LQ_EINVAL, "the parameter field is missing");
}

static enum lq_err grafana_alive(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    struct snapshot *s = NULL;
    const struct ask *a = ctx;
    (void)r;
    enum lq_err err = snapshot_open(a->store, &s, e);
    snapshot_close(&s);
    if (err == LQ_OK) {
        fputs("{\"status\":\"ok\"}\n", o->out);
    }
    return err;
}

#define BOTH(method, path, scope, run, help) {method, path, scope, run, help}, {method, "/grafana" path, scope, run, help}
const struct http_route grafana_routes[] = {
    {HTTP_GET, "/grafana", HTTP_READ, grafana_alive, "health of the JSON data sources"},
    {HTTP_GET, "/grafana/", HTTP_READ, grafana_alive, "health of the JSON data sources"},
    BOTH(HTTP_POST, "/metrics", HTTP_READ, grafana_metrics, "simPod: what can be asked"),
    BOTH(HTTP_POST, "/metric-payload-options", HTTP_READ, grafana_options, "simPod: options of a payload"),
    BOTH(HTTP_POST, "/query", HTTP_READ, grafana_query, "simPod and simple-json: panels"),
    BOTH(HTTP_POST, "/variable", HTTP_READ, grafana_variable, "simPod: values of a variable"),
    BOTH(HTTP_POST, "/search", HTTP_READ, grafana_search, "simple-json: what can be asked"),
    BOTH(HTTP_POST, "/annotations", HTTP_READ, grafana_annotations, "simple-json: annotations"),
    BOTH(HTTP_POST, "/tag-keys", HTTP_READ, grafana_tag_keys, "ad hoc filters: fields"),
    BOTH(HTTP_POST, "/tag-values", HTTP_READ, grafana_tag_values, "ad hoc filters: values"),
    {HTTP_GET | HTTP_POST, "/api/v1/infinity/query", HTTP_READ, infinity_query, "Infinity: flat rows of a query"},
    {HTTP_GET | HTTP_POST, "/api/v1/infinity/annotations", HTTP_READ, infinity_annotations, "Infinity: annotations"},
    {HTTP_GET | HTTP_POST, "/api/v1/infinity/values", HTTP_READ, infinity_values, "Infinity: values of a field"},
    {0, NULL, HTTP_OPEN, NULL, NULL},
};
