/*
 * api.c - lq's own API: /api/v1/lq/… (openapi.json describes it)
 *
 * What it answers is what the command line prints: the JSON of CLI.md, or any other output format by `format=`.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "query/change/why.h"
#include "query/http/ask.h"
#include "query/out/out.h"

static enum lq_err zone(const struct ask *a, const struct http_request *r, struct timezone_rules **own, const struct timezone_rules **tz, struct lq_error *e)
{
    const char *name = http_param_text(r, "tz");
    *own = NULL;
    *tz = a->tz;
    enum lq_err err = name != NULL ? timezone_load(name, own, e) : LQ_OK;
    *tz = *own != NULL ? *own : a->tz;
    return err;
}

static const char *type_of(const char *format)
{
    return strcmp(format, "json") == 0     ? "application/json"
           : strcmp(format, "ndjson") == 0 ? "application/x-ndjson"
           : strcmp(format, "csv") == 0    ? "text/csv; charset=utf-8"
           : strcmp(format, "html") == 0   ? "text/html; charset=utf-8"
                                           : "text/plain; charset=utf-8";
}

static enum lq_err api_query(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct ask *a = ctx;
    const char *format = http_param_text(r, "format");
    const struct out_format *out = NULL;
    struct timezone_rules *own = NULL;
    struct ask_query q = {.text = http_param(r, "query")};
    struct asked x = {0};
    struct snapshot *snap = NULL;
    format = format != NULL ? format : "json";
    enum lq_err err = q.text.n > 0 ? LQ_OK : lq_error_set(e, LQ_EINVAL, "the parameter query is missing");
    if (err == LQ_OK) {
        err = out_format_find(format, &out, e);
    }
    if (err == LQ_OK) {
        err = zone(a, r, &own, &q.tz, e);
    }
    if (err == LQ_OK) {
        err = snapshot_open(a->store, &snap, e);
    }
    if (err == LQ_OK) {
        err = ask_range(a, r, snap, true, &q.from_us, &q.to_us, e);
    }
    snapshot_close(&snap);
    if (err == LQ_OK) {
        err = ask_run(a, r, &q, &x, e);
    }
    if (err == LQ_OK) {
        struct out_options oo = {.tz = q.tz, .width = ask_number(r, "width", 0, 1000)};
        o->type = type_of(format);
        out->print(&x.r, &oo, o->out);
        asked_fini(&x);
    }
    timezone_free(&own);
    return err;
}

static enum lq_err why_times(const struct ask *a, const struct http_request *r, struct snapshot *s, struct why_options *w, struct lq_error *e)
{
    lq_str onset = http_param(r, "onset"), lookback = http_param(r, "lookback");
    enum lq_err err = ask_range(a, r, s, false, &w->from_us, &w->to_us, e);
    if (err == LQ_OK && onset.n > 0) {
        err = ask_time(a, onset, ask_now(a, s), &w->onset_us, e);
    }
    if (err == LQ_OK && lookback.n > 0) {
        err = duration_parse(lookback, &w->lookback_us, e);
    }
    return err;
}

/* The HTML is a file to keep and send: it has its styles in it, which no page of this server may have. */
static void why_print(const struct why_answer *a, const struct why_style *style, const char *format, struct http_response *o)
{
    if (strcmp(format, "markdown") == 0) {
        why_print_markdown(a, style, o->out);
    } else if (strcmp(format, "html") == 0) {
        http_header(o, "Content-Disposition", "attachment; filename=\"what-changed.html\"");
        why_print_html(a, style, o->out);
    } else {
        why_print_text(a, style, o->out);
    }
}

static enum lq_err api_why(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct ask *a = ctx;
    const char *format = http_param_text(r, "format");
    struct timezone_rules *own = NULL;
    const struct timezone_rules *tz = NULL;
    struct why_options w = {.target = http_param_text(r, "target"), .onset_us = INT64_MIN, .top = ask_number(r, "top", 0, 100), .budget = ask_budget(r)};
    struct why_answer *answer = lq_alloc(sizeof *answer);
    struct snapshot *snap = NULL;
    bool json = format == NULL || strcmp(format, "json") == 0;
    enum lq_err err = zone(a, r, &own, &tz, e);
    if (err == LQ_OK && !json && strcmp(format, "text") != 0 && strcmp(format, "markdown") != 0 && strcmp(format, "html") != 0) {
        err = lq_error_set(e, LQ_EINVAL, "why has no output format \"%s\"", format);
        lq_error_hint(e, "formats: json, text, markdown, html");
    }
    if (err == LQ_OK) {
        err = snapshot_open(a->store, &snap, e);
    }
    if (err == LQ_OK) {
        err = why_times(a, r, snap, &w, e);
    }
    if (err == LQ_OK) {
        err = why_run(snap, &w, answer, e);
    }
    snapshot_close(&snap);
    if (err == LQ_OK) {
        o->type = type_of(json ? "json" : format);
        if (json) {
            why_print_json(answer, o->out);
        } else {
            struct why_style style = {.tz = tz, .explain = http_has_param(r, "explain")};
            why_print(answer, &style, format, o);
        }
        why_fini(answer);
    }
    free(answer);
    timezone_free(&own);
    return err;
}

/* ---- what is there ---- */

static void json_key(FILE *f, const char *key, const char *value)
{
    fprintf(f, "\"%s\":", key);
    json_string(f, lq_str_of(value));
}

static enum lq_err api_streams(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct ask *a = ctx;
    struct snapshot *s = NULL;
    FILE *f = o->out;
    (void)r;
    enum lq_err err = snapshot_open(a->store, &s, e);
    if (err != LQ_OK) {
        return err;
    }
    fputs("{\"now\":", f);
    json_time(f, ask_now(a, s));
    fputs(",\"streams\":[", f);
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_info *x = snapshot_stream(s, i);
        fputs(i > 0 ? ",\n{" : "\n{", f);
        json_key(f, "stream", x->schema->name);
        fprintf(f, ",\"records\":\"%s\",\"lines\":%llu,\"errors\":%llu,\"first\":", x->schema->kind == STREAM_REQUESTS ? "requests" : "events",
                (unsigned long long)x->lines, (unsigned long long)x->errors);
        if (x->lines > 0) {
            json_time(f, x->first_us);
            fputs(",\"last\":", f);
            json_time(f, x->last_us);
        } else {
            fputs("null,\"last\":null", f);
        }
        fputs("}", f);
    }
    fputs("]}\n", f);
    return ask_close(&s, LQ_OK, e);
}

static enum lq_err api_fields(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct ask *a = ctx;
    struct snapshot *s = NULL;
    FILE *f = o->out;
    lq_str wanted = http_param(r, "stream");
    bool first = true;
    enum lq_err err = snapshot_open(a->store, &s, e);
    if (err != LQ_OK) {
        return err;
    }
    fputs("{\"fields\":[", f);
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_schema *x = snapshot_stream(s, i)->schema;
        if (wanted.n > 0 && !lq_str_is(wanted, x->name)) {
            continue;
        }
        for (uint32_t k = 0; k < x->n_dims + x->n_measures + x->n_identities; k++) {
            uint32_t d = k, m = k - x->n_dims, id = k - x->n_dims - x->n_measures;
            bool dim = k < x->n_dims, measure = !dim && m < x->n_measures;
            uint32_t values = dim ? snapshot_values(s, i, d) - 2 : 0;
            if (dim && values == 0) {
                continue;
            }
            fputs(first ? "\n{" : ",\n{", f);
            first = false;
            json_key(f, "stream", x->name);
            fputc(',', f);
            json_key(f, "field", dim ? x->dims[d] : measure ? x->measures[m].name : x->identities[id]);
            fprintf(f, ",\"role\":\"%s\"", dim ? "dimension" : measure ? "measure" : "identity");
            if (dim) {
                fprintf(f, ",\"values\":%u,\"sketched\":%s", values, (x->sketch_by >> d & 1) != 0 ? "true" : "false");
            } else if (measure) {
                fputc(',', f);
                json_key(f, "unit", x->measures[m].unit);
            }
            fputc('}', f);
        }
    }
    fputs("]}\n", f);
    return ask_close(&s, LQ_OK, e);
}

struct ranked {
    uint32_t id;
    uint64_t count;
};

static int by_count(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->count != y->count ? (x->count > y->count ? -1 : 1) : x->id < y->id ? -1 : x->id > y->id;
}

static void print_values(struct snapshot *s, uint32_t stream, uint32_t dim, uint32_t limit, bool *first, FILE *f)
{
    uint32_t n = snapshot_values(s, stream, dim), k = 0;
    struct ranked *r = lq_alloc((n + 1) * sizeof *r);
    for (uint32_t v = 1; v < n; v++) {
        uint64_t count = snapshot_value(s, stream, dim, v)->count;
        if (count > 0) {
            r[k++] = (struct ranked){v, count};
        }
    }
    qsort(r, k, sizeof *r, by_count);
    for (uint32_t v = 0; v < k && v < limit; v++) {
        const struct value_info *info = snapshot_value(s, stream, dim, r[v].id);
        fputs(*first ? "\n{" : ",\n{", f);
        *first = false;
        json_key(f, "stream", snapshot_stream(s, stream)->schema->name);
        fputs(",\"value\":", f);
        json_string(f, info->text);
        fprintf(f, ",\"count\":%llu,\"first\":", (unsigned long long)info->count);
        json_time(f, info->first_us);
        fputs(",\"last\":", f);
        json_time(f, info->last_us);
        fputc('}', f);
    }
    free(r);
}

static enum lq_err api_values(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct ask *a = ctx;
    struct snapshot *s = NULL;
    lq_str field = http_param(r, "field"), stream = http_param(r, "stream");
    const char *names[STREAM_MAX];
    size_t n_names = 0;
    bool first = true, known = false;
    if (field.n == 0) {
        return lq_error_set(e, LQ_EINVAL, "the parameter field is missing");
    }
    enum lq_err err = snapshot_open(a->store, &s, e);
    if (err != LQ_OK) {
        return err;
    }
    fputs("{\"values\":[", o->out);
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_schema *x = snapshot_stream(s, i)->schema;
        for (uint32_t d = 0; d < x->n_dims && (stream.n == 0 || lq_str_is(stream, x->name)); d++) {
            if (n_names < STREAM_MAX) {
                names[n_names++] = x->dims[d];
            }
            if (lq_str_is(field, x->dims[d])) {
                known = true;
                print_values(s, i, d, ask_number(r, "limit", 1000, 100000), &first, o->out);
            }
        }
    }
    fputs("]}\n", o->out);
    if (!known) {
        const char *near = lq_nearest(field.p, field.n, names, n_names);
        err = lq_error_set(e, LQ_EINVAL, "no dimension %.*s", (int)field.n, field.p);
        if (near != NULL) {
            lq_error_hint(e, "did you mean %s?", near);
        }
    }
    return ask_close(&s, err, e);
}

static enum lq_err api_health(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    (void)ctx;
    (void)r;
    (void)e;
    o->type = "text/plain; charset=utf-8";
    fputs("ok\n", o->out);
    return LQ_OK;
}

static enum lq_err api_ready(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct ask *a = ctx;
    struct snapshot *s = NULL;
    enum lq_err err = snapshot_open(a->store, &s, e);
    return ask_close(&s, err, e) == LQ_OK ? api_health(ctx, r, o, e) : LQ_EBUSY;
}

const struct http_route api_routes[] = {
    {HTTP_GET | HTTP_POST, "/api/v1/lq/query", HTTP_READ, api_query, "run a query: query, since, until, tz, format"},
    {HTTP_GET | HTTP_POST, "/api/v1/lq/why", HTTP_READ, api_why, "what changed before the errors started: target, since, until, onset, lookback, top, format"},
    {HTTP_GET, "/api/v1/lq/streams", HTTP_READ, api_streams, "the streams"},
    {HTTP_GET, "/api/v1/lq/fields", HTTP_READ, api_fields, "the fields of each stream, or of `stream`"},
    {HTTP_GET, "/api/v1/lq/values", HTTP_READ, api_values, "the values of `field`, most frequent first, at most `limit`"},
    {HTTP_GET, "/healthz", HTTP_OPEN, api_health, "the process lives"},
    {HTTP_GET, "/readyz", HTTP_OPEN, api_ready, "the store can be read"},
    {0, NULL, HTTP_OPEN, NULL, NULL},
};
