/*
 * prometheus.c - the part of Prometheus' HTTP API that Grafana's built-in data source asks for (prom.h has the mapping)
 *
 * Served at /api/v1/… and at /prometheus/api/v1/…
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/http/prom.h"
#include "query/out/out.h"

#define SECOND_US 1000000LL

enum lq_err prom_failed(struct http_response *o, const struct lq_error *e)
{
    http_response_clear(o);
    o->status = http_status_of(e->code);
    fprintf(o->out, "{\"status\":\"error\",\"errorType\":\"%s\",\"error\":", o->status == 400 ? "bad_data" : o->status == 503 ? "unavailable" : o->status == 422 ? "execution" : "internal");
    char text[900];
    snprintf(text, sizeof text, "%s%s%s", e->msg, e->hint[0] != '\0' ? "; " : "", e->hint);
    if (e->column > 0) {
        snprintf(text, sizeof text, "1:%u: %s%s%s", e->column, e->msg, e->hint[0] != '\0' ? "; " : "", e->hint);
    }
    json_string(o->out, lq_str_of(text));
    fputs("}\n", o->out);
    return LQ_OK;
}

/* Seconds with a fraction, or RFC 3339. */
enum lq_err prom_time(const struct ask *a, const struct http_request *r, const char *name, int64_t fallback, int64_t *out, struct lq_error *e)
{
    const char *text = http_param_text(r, name);
    char *end;
    *out = fallback;
    if (text == NULL) {
        return LQ_OK;
    }
    double v = strtod(text, &end);
    if (*end == '\0' && fabs(v) < 4e12 /* the difference of two fits in microseconds */) {
        *out = llround(v * 1e6);
        return LQ_OK;
    }
    return time_arg_parse(lq_str_of(text), 0, a->tz, out, e);
}

/* Seconds with a fraction, or a duration. */
static enum lq_err step_param(const struct http_request *r, int64_t *out, struct lq_error *e)
{
    const char *text = http_param_text(r, "step");
    char *end;
    if (text == NULL) {
        return lq_error_set(e, LQ_EINVAL, "the parameter step is missing");
    }
    double v = strtod(text, &end);
    if (*end == '\0') {
        if (!(v > 0) || v > 1e9) {
            return lq_error_set(e, LQ_EINVAL, "zero or negative query resolution step widths are not accepted; try a positive number");
        }
        *out = llround(v * 1e6);
        return *out > 0 ? LQ_OK : lq_error_set(e, LQ_EINVAL, "the step is too small");
    }
    return duration_parse(lq_str_of(text), out, e);
}

static void print_value(FILE *f, double v)
{
    char text[40];
    if (isnan(v) || isinf(v)) {
        fputs(isnan(v) ? "\"NaN\"" : v > 0 ? "\"+Inf\"" : "\"-Inf\"", f);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) { /* the shortest that reads back as the same number */
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v) {
            break;
        }
    }
    fprintf(f, "\"%s\"", text);
}

static void print_time(FILE *f, int64_t us)
{
    if (us % SECOND_US == 0) {
        fprintf(f, "%lld", (long long)(us / SECOND_US));
    } else {
        fprintf(f, "%.3f", (double)us / 1e6);
    }
}

static void print_labels(FILE *f, const struct prom_series *s, lq_str name)
{
    bool first = true;
    fputs("{", f);
    if (name.n > 0) {
        fputs("\"__name__\":", f);
        json_string(f, name);
        first = false;
    }
    for (uint32_t i = 0; i < s->n; i++) {
        fputs(first ? "" : ",", f);
        first = false;
        json_string(f, s->labels[i].name);
        fputc(':', f);
        json_string(f, s->labels[i].value);
    }
    fputs("}", f);
}

static void print_infos(FILE *f, const struct lq_buf *infos)
{
    const char *p = infos->p, *end = p + infos->n;
    if (infos->n == 0) {
        return;
    }
    fputs(",\"infos\":[", f);
    for (bool first = true; p < end; first = false) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        fputs(first ? "" : ",", f);
        json_string(f, (lq_str){p, (size_t)(nl - p)});
        p = nl + 1;
    }
    fputs("]", f);
}

/* Where and when an evaluation happens; parsed query included. */
struct asked_prom {
    struct prom_eval x;
    struct prom_expr *expr;
    struct prom_value value;
    struct lq_buf infos;
};

/* What part of the lines had no format: a panel that says nothing of it would look complete. */
static void say_coverage(struct snapshot *s, struct lq_buf *infos)
{
    uint64_t lines = snapshot_counter(s, "lines"), parsed = snapshot_counter(s, "parsed");
    if (lines > 0 && parsed < lines && (lines - parsed) * 200 >= lines) {
        lq_buf_printf(infos, "%.2g %% of the lines stored match no format and are in the stream unparsed only\n", 100. * (double)(lines - parsed) / (double)lines);
    }
}

static enum lq_err evaluate(const struct ask *a, const struct http_request *r, struct asked_prom *p, struct lq_error *e)
{
    lq_str text = http_param(r, "query");
    p->x.request = r;
    p->x.mem = r->mem;
    p->x.infos = &p->infos;
    p->x.e = e;
    enum lq_err err = text.n > 0 ? promql_parse(text, r->mem, &p->expr, e) : lq_error_set(e, LQ_EINVAL, "the parameter query is missing");
    if (err == LQ_OK) {
        err = snapshot_open(a->store, &p->x.snap, e);
    }
    if (err == LQ_OK) {
        err = prom_eval(&p->x, p->expr, &p->value);
        if (!p->value.scalar) {
            say_coverage(p->x.snap, &p->infos);
        }
        err = ask_close(&p->x.snap, err, e);
    }
    return err;
}

static lq_str name_of(const struct prom_expr *x)
{
    return x->kind == PROM_SELECTOR ? x->name : (lq_str){"", 0};
}

static enum lq_err prom_range(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct ask *a = ctx;
    struct asked_prom p = {0};
    int64_t end = 0;
    FILE *f = o->out;
    enum lq_err err = http_has_param(r, "start") && http_has_param(r, "end") ? LQ_OK : lq_error_set(e, LQ_EINVAL, "the parameters start and end are needed");
    if (err == LQ_OK) {
        err = prom_time(a, r, "start", 0, &p.x.start_us, e);
    }
    if (err == LQ_OK) {
        err = prom_time(a, r, "end", 0, &end, e);
    }
    if (err == LQ_OK) {
        err = step_param(r, &p.x.step_us, e);
    }
    if (err == LQ_OK && end < p.x.start_us) {
        err = lq_error_set(e, LQ_EINVAL, "the end lies before the start");
    }
    if (err == LQ_OK && (end - p.x.start_us) / p.x.step_us >= PROM_STEPS_MAX) {
        err = lq_error_set(e, LQ_EINVAL, "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)");
    }
    if (err == LQ_OK) {
        p.x.steps = (uint32_t)((end - p.x.start_us) / p.x.step_us) + 1;
        err = evaluate(a, r, &p, e);
    }
    if (err != LQ_OK) {
        lq_buf_fini(&p.infos);
        return prom_failed(o, e);
    }
    fputs("{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[", f);
    bool first_series = true;
    for (uint32_t i = 0; i < p.value.n; i++) {
        bool first = true;
        for (uint32_t k = 0; k < p.x.steps; k++) {
            if (isnan(p.value.s[i].v[k])) {
                continue;
            }
            if (first) {
                fputs(first_series ? "{\"metric\":" : ",\n{\"metric\":", f);
                print_labels(f, &p.value.s[i], name_of(p.expr));
                fputs(",\"values\":[", f);
                first_series = false;
            }
            fputs(first ? "[" : ",[", f);
            first = false;
            print_time(f, p.x.start_us + k * p.x.step_us);
            fputc(',', f);
            print_value(f, p.value.s[i].v[k]);
            fputc(']', f);
        }
        fputs(first ? "" : "]}", f);
    }
    fputs("]}", f);
    print_infos(f, &p.infos);
    fputs("}\n", f);
    lq_buf_fini(&p.infos);
    return LQ_OK;
}

static enum lq_err prom_instant(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct ask *a = ctx;
    struct asked_prom p = {.x = {.steps = 1, .step_us = SECOND_US}};
    struct snapshot *s = NULL;
    FILE *f = o->out;
    enum lq_err err = snapshot_open(a->store, &s, e);
    if (err == LQ_OK) {
        err = prom_time(a, r, "time", ask_now(a, s), &p.x.start_us, e);
        snapshot_close(&s);
    }
    if (err == LQ_OK) {
        err = evaluate(a, r, &p, e);
    }
    if (err != LQ_OK) {
        lq_buf_fini(&p.infos);
        return prom_failed(o, e);
    }
    fprintf(f, "{\"status\":\"success\",\"data\":{\"resultType\":\"%s\",\"result\":[", p.value.scalar ? "scalar" : "vector");
    bool first = true;
    for (uint32_t i = 0; i < p.value.n; i++) {
        double v = p.value.s[i].v[0];
        if (p.value.scalar) {
            print_time(f, p.x.start_us);
            fputc(',', f);
            print_value(f, v);
        } else if (!isnan(v)) {
            fputs(first ? "{\"metric\":" : ",\n{\"metric\":", f);
            first = false;
            print_labels(f, &p.value.s[i], name_of(p.expr));
            fputs(",\"value\":[", f);
            print_time(f, p.x.start_us);
            fputc(',', f);
            print_value(f, v);
            fputs("]}", f);
        }
    }
    fputs("]}", f);
    print_infos(f, &p.infos);
    fputs("}\n", f);
    lq_buf_fini(&p.infos);
    return LQ_OK;
}

/* ---- metadata ---- */

struct names { /* sorted, each once */
    struct lq_map seen;
    lq_str *p;
    size_t n, cap;
};

static void add_name(struct names *x, lq_str name)
{
    if (name.n > 0 && lq_map_get(&x->seen, name) == LQ_MAP_NONE) {
        const char *kept = lq_map_add(&x->seen, name, lq_hash(name.p, name.n, 0), 1);
        lq_grow(&x->p, &x->cap, x->n + 1, sizeof *x->p);
        x->p[x->n++] = (lq_str){kept, name.n};
    }
}

static int by_text(const void *a, const void *b)
{
    return lq_str_cmp(*(const lq_str *)a, *(const lq_str *)b);
}

static void print_names(struct names *x, FILE *f)
{
    if (x->n > 1) {
        qsort(x->p, x->n, sizeof *x->p, by_text);
    }
    fputs("{\"status\":\"success\",\"data\":[", f);
    for (size_t i = 0; i < x->n; i++) {
        fputs(i > 0 ? "," : "", f);
        json_string(f, x->p[i]);
    }
    fputs("]}\n", f);
    free(x->p);
    lq_map_fini(&x->seen);
}

static void add_metrics(const struct stream_schema *s, struct names *x)
{
    static const char *const parts[] = {"_sum", "_count", "_bucket"};
    char base[160], name[176];
    add_name(x, LQ_STR("lq_records_total"));
    add_name(x, LQ_STR("lq_errors_total"));
    for (uint32_t m = 0; m < s->n_measures; m++) {
        prom_measure_name(s, m, base);
        for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
            snprintf(name, sizeof name, "%s%s", base, parts[k]);
            add_name(x, lq_str_of(name));
        }
    }
}

/* Streams that match[] selects; all without one. */
static enum lq_err selected(struct snapshot *s, const struct http_request *r, bool use[STREAM_MAX], struct lq_error *e)
{
    enum lq_err err = LQ_OK;
    bool any = http_has_param(r, "match[]");
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        use[i] = !any && snapshot_stream(s, i)->lines > 0;
    }
    for (uint32_t k = 0; k < r->n_params && err == LQ_OK; k++) {
        struct prom_expr *sel = NULL;
        if (!lq_str_is(r->params[k].name, "match[]")) {
            continue;
        }
        err = promql_parse_selector(r->params[k].value, r->mem, &sel, e);
        for (uint32_t i = 0; i < snapshot_streams(s) && err == LQ_OK; i++) {
            const struct stream_info *info = snapshot_stream(s, i);
            struct prom_metric metric;
            struct prom_bound *b = NULL;
            if (info->lines == 0 || (sel->name.n > 0 && !prom_metric_of(info->schema, sel->name, &metric))) {
                continue;
            }
            err = prom_bind(s, info, sel, &b, e);
            use[i] = use[i] || (err == LQ_OK && prom_bound_stream(b));
            prom_unbind(&b);
        }
    }
    return err;
}

static enum lq_err prom_labels(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct ask *a = ctx;
    struct snapshot *s = NULL;
    struct names names = {0};
    bool use[STREAM_MAX] = {false};
    enum lq_err err = snapshot_open(a->store, &s, e);
    if (err == LQ_OK) {
        err = selected(s, r, use, e);
    }
    if (err != LQ_OK) {
        snapshot_close(&s);
        return prom_failed(o, e);
    }
    add_name(&names, LQ_STR("__name__"));
    add_name(&names, LQ_STR("stream"));
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_schema *x = snapshot_stream(s, i)->schema;
        for (uint32_t d = 0; use[i] && d < x->n_dims; d++) {
            if (snapshot_values(s, i, d) > 2) {
                add_name(&names, lq_str_of(x->dims[d]));
            }
        }
    }
    print_names(&names, o->out);
    return ask_close(&s, LQ_OK, e) == LQ_OK ? LQ_OK : prom_failed(o, e);
}

/* /api/v1/label/NAME/values */
static enum lq_err prom_label_values(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct ask *a = ctx;
    struct snapshot *s = NULL;
    struct names names = {0};
    bool use[STREAM_MAX] = {false};
    lq_str label = r->tail;
    if (label.n <= 7 || memcmp(label.p + label.n - 7, "/values", 7) != 0) {
        lq_error_set(e, LQ_ENOENT, "there is nothing at this address");
        return prom_failed(o, e);
    }
    label.n -= 7;
    enum lq_err err = snapshot_open(a->store, &s, e);
    if (err == LQ_OK) {
        err = selected(s, r, use, e);
    }
    if (err != LQ_OK) {
        snapshot_close(&s);
        return prom_failed(o, e);
    }
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_schema *x = snapshot_stream(s, i)->schema;
        if (!use[i]) {
            continue;
        }
        if (lq_str_is(label, "__name__")) {
            add_metrics(x, &names);
        } else if (lq_str_is(label, "stream")) {
            add_name(&names, lq_str_of(x->name));
        }
        for (uint32_t d = 0; d < x->n_dims; d++) {
            for (uint32_t v = 1; lq_str_is(label, x->dims[d]) && v < snapshot_values(s, i, d); v++) {
                const struct value_info *info = snapshot_value(s, i, d, v);
                if (info->count > 0) {
                    add_name(&names, info->text);
                }
            }
        }
    }
    print_names(&names, o->out);
    return ask_close(&s, LQ_OK, e) == LQ_OK ? LQ_OK : prom_failed(o, e);
}

static void print_series(struct snapshot *s, const struct stream_info *info, lq_str name, const struct prom_bound *b, bool *first, uint32_t *room, FILE *f)
{
    uint32_t n = snapshot_n_series(s, info->id);
    for (uint32_t i = 0; i < n && *room > 0; i++) {
        const uint32_t *ids = snapshot_series(s, info->id, i);
        if (!prom_passes(b, ids)) {
            continue;
        }
        (*room)--;
        fputs(*first ? "\n{\"__name__\":" : ",\n{\"__name__\":", f);
        *first = false;
        json_string(f, name);
        fputs(",\"stream\":", f);
        json_string(f, lq_str_of(info->schema->name));
        for (uint32_t d = 0; d < info->schema->n_dims; d++) {
            if (ids[d] != VALUE_ABSENT) {
                fputc(',', f);
                json_string(f, lq_str_of(info->schema->dims[d]));
                fputc(':', f);
                json_string(f, snapshot_value(s, info->id, d, ids[d])->text);
            }
        }
        fputc('}', f);
    }
}

static enum lq_err prom_series_list(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct ask *a = ctx;
    struct snapshot *s = NULL;
    bool first = true;
    uint32_t room = PROM_SERIES_MAX;
    enum lq_err err = http_has_param(r, "match[]") ? snapshot_open(a->store, &s, e) : lq_error_set(e, LQ_EINVAL, "no match[] parameter provided");
    fputs("{\"status\":\"success\",\"data\":[", o->out);
    for (uint32_t k = 0; k < r->n_params && err == LQ_OK; k++) {
        struct prom_expr *sel = NULL;
        if (!lq_str_is(r->params[k].name, "match[]")) {
            continue;
        }
        err = promql_parse_selector(r->params[k].value, r->mem, &sel, e);
        for (uint32_t i = 0; i < snapshot_streams(s) && err == LQ_OK; i++) {
            const struct stream_info *info = snapshot_stream(s, i);
            struct prom_metric metric;
            struct prom_bound *b = NULL;
            if (info->lines == 0 || (sel->name.n > 0 && !prom_metric_of(info->schema, sel->name, &metric))) {
                continue;
            }
            err = prom_bind(s, info, sel, &b, e);
            if (err == LQ_OK && prom_bound_stream(b)) {
                print_series(s, info, sel->name.n > 0 ? sel->name : LQ_STR("lq_records_total"), b, &first, &room, o->out);
            }
            prom_unbind(&b);
        }
    }
    fputs("]}\n", o->out);
    err = ask_close(&s, err, e);
    return err == LQ_OK ? LQ_OK : prom_failed(o, e);
}

static enum lq_err prom_metadata(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct ask *a = ctx;
    struct snapshot *s = NULL;
    (void)r;
    enum lq_err err = snapshot_open(a->store, &s, e);
    if (err != LQ_OK) {
        return prom_failed(o, e);
    }
    fputs("{\"status\":\"success\",\"data\":{\"lq_records_total\":[{\"type\":\"counter\",\"help\":\"records of a stream\",\"unit\":\"\"}],"
          "\"lq_errors_total\":[{\"type\":\"counter\",\"help\":\"records that their format calls errors\",\"unit\":\"\"}]",
          o->out);
    struct names seen = {0};
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_schema *x = snapshot_stream(s, i)->schema;
        for (uint32_t m = 0; m < x->n_measures; m++) {
            char base[160];
            prom_measure_name(x, m, base);
            size_t had = seen.n;
            add_name(&seen, lq_str_of(base));
            if (seen.n > had) {
                fprintf(o->out, ",\"%s\":[{\"type\":\"histogram\",\"help\":\"quantile sketches of a measure\",\"unit\":\"\"}]", base);
            }
        }
    }
    free(seen.p);
    lq_map_fini(&seen.seen);
    fputs("}}\n", o->out);
    return ask_close(&s, LQ_OK, e) == LQ_OK ? LQ_OK : prom_failed(o, e);
}

static enum lq_err prom_buildinfo(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    (void)ctx;
    (void)r;
    (void)e;
    fputs("{\"status\":\"success\",\"data\":{\"version\":\"2.55.0\",\"revision\":\"\",\"branch\":\"\",\"buildUser\":\"\",\"buildDate\":\"\",\"goVersion\":\"\"}}\n", o->out);
    return LQ_OK;
}

static enum lq_err prom_rules(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    (void)ctx;
    (void)r;
    (void)e;
    fputs("{\"status\":\"success\",\"data\":{\"groups\":[]}}\n", o->out);
    return LQ_OK;
}

static enum lq_err prom_alerts(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    (void)ctx;
    (void)r;
    (void)e;
    fputs("{\"status\":\"success\",\"data\":{\"alerts\":[]}}\n", o->out);
    return LQ_OK;
}

#define ASK (HTTP_GET | HTTP_POST)
#define BOTH(methods, path, run, help) {methods, path, HTTP_READ, run, help}, {methods, "/prometheus" path, HTTP_READ, run, help}
const struct http_route prometheus_routes[] = {
    BOTH(ASK, "/api/v1/query", prom_instant, "PromQL at one time: query, time"),
    BOTH(ASK, "/api/v1/query_range", prom_range, "PromQL over a range: query, start, end, step"),
    BOTH(ASK, "/api/v1/labels", prom_labels, "names of labels"),
    BOTH(HTTP_GET, "/api/v1/label/*", prom_label_values, "values of a label: /api/v1/label/NAME/values"),
    BOTH(ASK, "/api/v1/series", prom_series_list, "series of match[]"),
    BOTH(HTTP_GET, "/api/v1/metadata", prom_metadata, "metrics and their types"),
    BOTH(HTTP_GET, "/api/v1/status/buildinfo", prom_buildinfo, "what Grafana asks to know which API this is"),
    BOTH(HTTP_GET, "/api/v1/rules", prom_rules, "no rules"),
    BOTH(HTTP_GET, "/api/v1/alerts", prom_alerts, "no alerts"),
    {0, NULL, HTTP_OPEN, NULL, NULL},
};
