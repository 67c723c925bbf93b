/*
 * api_changes.c - what kinds of messages there are and which are new, and where a query's series change (openapi.json)
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/compared.h"
#include "query/http/ask.h"
#include "query/out/out.h"

static void print_notices(const struct result *r, FILE *f)
{
    lq_str rest = {r->notices.p, r->notices.n};
    fputs("],\"notices\":[", f);
    for (bool first = true; rest.n > 0; first = false) {
        const char *nl = memchr(rest.p, '\n', rest.n);
        size_t n = nl != NULL ? (size_t)(nl - rest.p) : rest.n;
        fputs(first ? "" : ",", f);
        json_string(f, (lq_str){rest.p, n});
        rest = (lq_str){rest.p + n + (nl != NULL), rest.n - n - (nl != NULL)};
    }
    fputs("]}\n", f);
}

static void print_range(const struct result *r, FILE *f)
{
    fputs("\"from\":", f);
    json_time(f, r->from_us);
    fputs(",\"to\":", f);
    json_time(f, r->to_us);
}

/* ---- templates ---- */

struct state_row {
    const struct result_series *s;
    double now, before;
    unsigned state;
};

static int by_interest(const void *a, const void *b)
{
    const struct state_row *x = a, *y = b;
    double dx = x->now > x->before || isnan(x->before) ? x->now : x->before, dy = y->now > y->before || isnan(y->before) ? y->now : y->before;
    return x->state != y->state ? (x->state < y->state ? -1 : 1) : dx != dy ? (dx > dy ? -1 : 1) : lq_str_cmp(x->s->labels[0], y->s->labels[0]);
}

static void print_template(const struct result *r, const struct state_row *row, FILE *f)
{
    (void)r;
    fputs("{\"stream\":", f);
    json_string(f, lq_str_of(row->s->stream));
    fputs(",\"template\":", f);
    json_string(f, row->s->labels[0]);
    fputs(",\"now\":", f);
    json_number(f, row->now);
    if (compared_states[row->state][0] != '?') {
        fprintf(f, ",\"state\":\"%s\"", compared_states[row->state]);
    }
    fputs(",\"before\":", f);
    json_number(f, row->before);
    fputc('}', f);
}

static void print_templates(const struct result *r, uint32_t limit, bool compared, FILE *f)
{
    struct state_row *rows = lq_alloc((r->n_series + 1) * sizeof *rows);
    for (uint32_t i = 0; i < r->n_series; i++) {
        const double *v = result_row(r, &r->series[i], 0);
        double before = compared ? v[1] : NAN;
        rows[i] = (struct state_row){&r->series[i], v[0], before, compared_state(v[0], before)};
    }
    qsort(rows, r->n_series, sizeof *rows, by_interest);
    fputc('{', f);
    print_range(r, f);
    fputs(",\"templates\":[", f);
    for (uint32_t i = 0; i < r->n_series && i < limit; i++) {
        fputs(i > 0 ? ",\n" : "\n", f);
        print_template(r, &rows[i], f);
    }
    print_notices(r, f);
    free(rows);
}

/* The text of the query: streams and periods are a person's, and are checked before they are put in. */
static enum lq_err templates_query(const struct http_request *r, char text[320], struct lq_error *e)
{
    lq_str stream = http_param(r, "stream"), compare = http_param(r, "compare");
    int64_t us;
    for (size_t i = 0; i < stream.n; i++) {
        char c = stream.p[i];
        if (stream.n > NAME_BYTES_MAX || c == '"' || c == '\\' || (unsigned char)c < 0x20) {
            return lq_error_set(e, LQ_EINVAL, "the parameter stream is no name of a stream");
        }
    }
    if (compare.n > 0 && (compare.n > 40 || duration_parse(compare, &us, e) != LQ_OK)) {
        return compare.n > 40 ? lq_error_set(e, LQ_EINVAL, "the parameter compare is no duration") : LQ_EINVAL;
    }
    snprintf(text, 320, "%s%.*s%scount by template%s%.*s", stream.n > 0 ? "stream = \"" : "", (int)stream.n, stream.p, stream.n > 0 ? "\" | " : "",
             compare.n > 0 ? " | compare " : "", (int)compare.n, compare.p);
    return LQ_OK;
}

static enum lq_err api_templates(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct ask *a = ctx;
    struct snapshot *s = NULL;
    struct asked x;
    char text[320];
    int64_t compare_us = 0;
    lq_str compare = http_param(r, "compare");
    struct ask_query q = {.from_us = INT64_MIN, .to_us = INT64_MAX};
    enum lq_err err = templates_query(r, text, e);
    if (err == LQ_OK) {
        err = snapshot_open(a->store, &s, e);
    }
    if (err == LQ_OK) {
        err = ask_range(a, r, s, false, &q.from_us, &q.to_us, e);
    }
    if (err == LQ_OK && compare.n > 0 && http_param(r, "since").n == 0 && http_param(r, "from").n == 0) {
        err = duration_parse(compare, &compare_us, e); /* the last period against the one before */
        q.from_us = ask_now(a, s) + 1 - compare_us;
    }
    err = ask_close(&s, err, e);
    q.text = lq_str_of(text);
    if (err == LQ_OK) {
        err = ask_run(a, r, &q, &x, e);
    }
    if (err == LQ_OK) {
        print_templates(&x.r, ask_number(r, "limit", 1000, 100000), compare.n > 0, o->out);
        asked_fini(&x);
    }
    return err;
}

/* ---- changes ---- */

static void print_change(const struct result *r, const struct result_series *s, const struct series_change *c, FILE *f)
{
    fputs("{\"time\":", f);
    json_time(f, r->step_start_us[c->step]);
    fputs(",\"low\":", f);
    json_time(f, r->step_start_us[c->low]);
    fputs(",\"high\":", f);
    json_time(f, r->step_start_us[c->high]);
    fprintf(f, ",\"type\":\"%s\",\"before\":", c->type);
    json_number(f, c->before);
    fputs(",\"after\":", f);
    json_number(f, c->after);
    fputs(",\"p\":", f);
    json_number(f, c->p);
    fputs(",\"stream\":", f);
    json_string(f, lq_str_of(s->stream));
    fputs(",\"column\":", f);
    json_string(f, r->column_names[c->column]);
    fputs(",\"labels\":{", f);
    for (uint32_t i = 0; i < r->n_by; i++) {
        fputs(i > 0 ? "," : "", f);
        json_string(f, r->q->by[i]);
        fputc(':', f);
        json_string(f, s->labels[i]);
    }
    fputs("}}", f);
}

static enum lq_err api_changes(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct ask *a = ctx;
    struct snapshot *s = NULL;
    struct asked x;
    FILE *f = o->out;
    bool first = true;
    struct ask_query q = {.text = http_param(r, "query"), .change = true};
    q.text = q.text.n > 0 ? q.text : LQ_STR("errors / count");
    enum lq_err err = snapshot_open(a->store, &s, e);
    if (err == LQ_OK) {
        err = ask_range(a, r, s, false, &q.from_us, &q.to_us, e);
    }
    err = ask_close(&s, err, e);
    if (err == LQ_OK) {
        err = ask_run(a, r, &q, &x, e);
    }
    if (err != LQ_OK) {
        return err;
    }
    fputs("{\"query\":", f);
    json_string(f, q.text);
    fputc(',', f);
    print_range(&x.r, f);
    fprintf(f, ",\"step_s\":%lld,\"series\":%u,\"changes\":[", (long long)(x.r.step_us / 1000000), x.r.n_series);
    for (uint32_t i = 0; i < x.r.n_series; i++) {
        for (uint32_t k = 0; k < x.r.series[i].n_changes; k++) {
            fputs(first ? "\n" : ",\n", f);
            first = false;
            print_change(&x.r, &x.r.series[i], &x.r.series[i].changes[k], f);
        }
    }
    print_notices(&x.r, f);
    asked_fini(&x);
    return LQ_OK;
}

const struct http_route change_routes[] = {
    {HTTP_GET, "/api/v1/lq/templates", HTTP_READ, api_templates, "the kinds of messages; with `compare` what is new, gone, more, fewer"},
    {HTTP_GET | HTTP_POST, "/api/v1/lq/changes", HTTP_READ, api_changes, "where the series of `query` (errors / count) change"},
    {0, NULL, HTTP_OPEN, NULL, NULL},
};
