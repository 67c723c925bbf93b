/*
 * lines.c - stored example lines for Grafana: exemplars of a PromQL expression, and rows for the logs panel (Infinity)
 *
 *      /api/v1/query_exemplars?query=…&start=…&end=…   -> [{"seriesLabels":{…},"exemplars":[{"labels":{"line":"…"},"value":"1","timestamp":…}]}]
 *      /api/v1/infinity/logs?query=…&from=…&to=…       -> [{"timestamp":…,"body":"…","level":"error","id":"…","stream":"…",…}]
 *
 * Examples are what the store keeps of single lines (exec_lines.c): the first with each value, and failures of each day. Not every panel has some.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "query/http/prom.h"
#include "query/out/out.h"

enum { EXEMPLARS_MAX = 100, LOGS_MAX = 1000 };

/* ---- exemplars ---- */

static const struct prom_expr *selector_of(const struct prom_expr *x)
{
    if (x == NULL || x->kind == PROM_SELECTOR) {
        return x;
    }
    const struct prom_expr *a = x->name.n > 0 ? x : selector_of(x->a);
    return a != NULL ? a : selector_of(x->b);
}

static bool errors_wanted(lq_str name)
{
    return lq_str_is(name, "lq_errors_total");
}

/* What a selector says, as filters of a query. PromQL's regexes match the whole value. */
static uint32_t filters_of(const struct prom_expr *sel, struct lq_arena *mem, struct body_filter out[BODY_FILTERS_MAX])
{
    static const char *const ops[] = {[PROM_EQ] = "=", [PROM_NE] = "!=", [PROM_RE] = "=~", [PROM_NRE] = "!~"};
    uint32_t n = 0;
    if (errors_wanted(sel->name)) {
        out[n++] = (struct body_filter){LQ_STR("error"), LQ_STR("="), LQ_STR("true")};
    }
    for (uint32_t i = 0; i < sel->n_matchers && n < BODY_FILTERS_MAX; i++) {
        const struct prom_matcher *m = &sel->matchers[i];
        lq_str value = m->value;
        if (lq_str_is(m->name, "__name__") || lq_str_is(m->name, "le")) {
            continue;
        }
        if (m->op == PROM_RE || m->op == PROM_NRE) {
            struct lq_buf b = {0};
            lq_buf_printf(&b, "^(?:%.*s)$", (int)value.n, value.p);
            value = lq_arena_str(mem, (lq_str){b.p, b.n});
            lq_buf_fini(&b);
        }
        out[n++] = (struct body_filter){m->name, lq_str_of(ops[m->op]), value};
    }
    return n;
}

static void print_exemplar(FILE *f, const struct result_line *l)
{
    fputs("{\"labels\":{\"line\":", f);
    json_string(f, l->text);
    fprintf(f, "},\"value\":\"1\",\"timestamp\":%.3f}", (double)(l->time_us / 1000) / 1000);
}

/* Those of one stream are a series; lines come in the order of time, so a stream's are picked out. */
static void print_exemplars(const struct result *r, lq_str name, FILE *f)
{
    bool first_series = true, *done = lq_alloc(r->n_lines + 1);
    for (size_t i = 0; i < r->n_lines; i++) {
        if (done[i]) {
            continue;
        }
        fputs(first_series ? "{\"seriesLabels\":{\"__name__\":" : ",\n{\"seriesLabels\":{\"__name__\":", f);
        first_series = false;
        json_string(f, name);
        fputs(",\"stream\":", f);
        json_string(f, lq_str_of(r->lines[i].stream));
        fputs("},\"exemplars\":[", f);
        for (size_t k = i; k < r->n_lines; k++) {
            if (strcmp(r->lines[k].stream, r->lines[i].stream) == 0) {
                fputs(k > i ? ",\n" : "", f);
                print_exemplar(f, &r->lines[k]);
                done[k] = true;
            }
        }
        fputs("]}", f);
    }
    free(done);
}

static enum lq_err exemplars(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct ask *a = ctx;
    struct prom_expr *expr = NULL;
    struct snapshot *s = NULL;
    struct asked x;
    struct body_filter filters[BODY_FILTERS_MAX];
    struct ask_query q = {.text = LQ_STR("lines 100"), .filters = filters};
    lq_str text = http_param(r, "query");
    enum lq_err err = text.n > 0 ? promql_parse(text, r->mem, &expr, e) : lq_error_set(e, LQ_EINVAL, "the parameter query is missing");
    const struct prom_expr *sel = err == LQ_OK ? selector_of(expr) : NULL;
    if (err == LQ_OK) {
        err = snapshot_open(a->store, &s, e);
    }
    if (err == LQ_OK) {
        err = prom_time(a, r, "start", INT64_MIN, &q.from_us, e);
    }
    if (err == LQ_OK) {
        err = prom_time(a, r, "end", ask_now(a, s), &q.to_us, e);
        q.to_us++;
    }
    err = ask_close(&s, err, e);
    if (err != LQ_OK) {
        return prom_failed(o, e);
    }
    fputs("{\"status\":\"success\",\"data\":[", o->out);
    if (sel != NULL) {
        q.n_filters = filters_of(sel, r->mem, filters);
        err = ask_run(a, r, &q, &x, e);
        if (err == LQ_OK) {
            print_exemplars(&x.r, sel->name, o->out);
            asked_fini(&x);
        } else if (err != LQ_EINVAL) { /* EINVAL: a label that no stream has; there is no such line */
            return prom_failed(o, e);
        }
    }
    fputs("]}\n", o->out);
    return LQ_OK;
}

/* ---- Infinity: logs ---- */

static lq_str label_of(const struct result_line *l, const char *name)
{
    for (uint32_t i = 0; i < l->n_labels; i++) {
        if (lq_str_is(l->names[i], name)) {
            return l->values[i];
        }
    }
    return (lq_str){"", 0};
}

/* An id that is the same for the same line: the panel knows by it what it has shown already. */
static void print_log(FILE *f, const struct result_line *l)
{
    lq_str level = label_of(l, "level");
    bool failed = lq_str_is(label_of(l, "error"), "true");
    fprintf(f, "{\"timestamp\":%lld,\"body\":", (long long)(l->time_us / 1000));
    json_string(f, l->text);
    fputs(",\"level\":", f);
    json_string(f, level.n > 0 ? level : failed ? LQ_STR("error") : LQ_STR("info"));
    fprintf(f, ",\"id\":\"%016llx\",\"stream\":", (unsigned long long)lq_hash(l->text.p, l->text.n, (uint64_t)l->time_us));
    json_string(f, lq_str_of(l->stream));
    for (uint32_t i = 0; i < l->n_labels; i++) {
        if (!lq_str_is(l->names[i], "level") && !lq_str_is(l->names[i], "error") && !lq_str_is(l->names[i], "id") && !lq_str_is(l->names[i], "timestamp") &&
            !lq_str_is(l->names[i], "body") && !lq_str_is(l->names[i], "stream")) {
            fputc(',', f);
            json_string(f, l->names[i]);
            fputc(':', f);
            json_string(f, l->values[i]);
        }
    }
    fputc('}', f);
}

static enum lq_err infinity_logs(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct ask *a = ctx;
    struct snapshot *s = NULL;
    struct asked x;
    char text[4096];
    lq_str filter = http_param(r, "query");
    struct ask_query q = {.text = {text, 0}};
    enum lq_err err = filter.n < sizeof text - 64 ? snapshot_open(a->store, &s, e) : lq_error_set(e, LQ_ELIMIT, "the query is longer than %zu bytes", sizeof text - 64);
    if (err == LQ_OK) {
        err = ask_range(a, r, s, true, &q.from_us, &q.to_us, e);
    }
    err = ask_close(&s, err, e);
    if (err == LQ_OK) {
        q.text.n = (size_t)snprintf(text, sizeof text, "%.*s%slines %u", (int)filter.n, filter.p, filter.n > 0 ? " | " : "", ask_number(r, "limit", 100, LOGS_MAX));
        err = ask_run(a, r, &q, &x, e);
    }
    if (err == LQ_OK) {
        fputc('[', o->out);
        for (size_t i = 0; i < x.r.n_lines; i++) {
            fputs(i > 0 ? ",\n" : "\n", o->out);
            print_log(o->out, &x.r.lines[i]);
        }
        fputs("]\n", o->out);
        asked_fini(&x);
    }
    return err;
}

const struct http_route line_routes[] = {
    {HTTP_GET | HTTP_POST, "/api/v1/query_exemplars", HTTP_READ, exemplars, "example lines of what a PromQL expression selects"},
    {HTTP_GET | HTTP_POST, "/prometheus/api/v1/query_exemplars", HTTP_READ, exemplars, "example lines of what a PromQL expression selects"},
    {HTTP_GET | HTTP_POST, "/api/v1/infinity/logs", HTTP_READ, infinity_logs, "Infinity: example lines that match a filter"},
    {0, NULL, HTTP_OPEN, NULL, NULL},
};
