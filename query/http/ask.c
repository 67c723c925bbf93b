/*
 * ask.c - queries on behalf of requests (ask.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/http/ask.h"

#include <stdlib.h>

#define SECOND_US 1000000LL
#define DAY_US    (86400 * SECOND_US)
#define KEEP_US   SECOND_US /* where now is the wall clock: answers may be as old as the flush interval of lqd */

bool ask_extent(struct snapshot *s, int64_t *first_us, int64_t *last_us)
{
    int64_t first = INT64_MAX, last = INT64_MIN;
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_info *x = snapshot_stream(s, i);
        if (x->lines > 0) {
            first = x->first_us < first ? x->first_us : first;
            last = x->last_us > last ? x->last_us : last;
        }
    }
    *first_us = first;
    *last_us = last;
    return first <= last;
}

enum lq_err ask_close(struct snapshot **s, enum lq_err err, struct lq_error *e)
{
    if (err == LQ_OK && *s != NULL) {
        err = snapshot_check(*s, e);
    }
    snapshot_close(s);
    return err;
}

int64_t ask_now(const struct ask *a, struct snapshot *s)
{
    int64_t first, last;
    return a->wall_clock || !ask_extent(s, &first, &last) ? clock_now_us() : last + 1;
}

enum lq_err ask_time(const struct ask *a, lq_str text, int64_t now_us, int64_t *out, struct lq_error *e)
{
    return time_arg_parse(text, now_us, a->tz, out, e);
}

enum lq_err ask_range(const struct ask *a, const struct http_request *r, struct snapshot *s, bool day, int64_t *from_us, int64_t *to_us, struct lq_error *e)
{
    int64_t now = ask_now(a, s);
    lq_str since = http_param(r, "since"), until = http_param(r, "until");
    since = since.n > 0 ? since : http_param(r, "from");
    until = until.n > 0 ? until : http_param(r, "to");
    enum lq_err err = LQ_OK;
    *from_us = INT64_MIN;
    *to_us = INT64_MAX;
    if (until.n > 0) {
        err = ask_time(a, until, now, to_us, e);
    }
    if (err == LQ_OK && since.n > 0) {
        err = ask_time(a, since, now, from_us, e);
    } else if (err == LQ_OK && day) {
        *from_us = (*to_us == INT64_MAX ? now : *to_us) - DAY_US;
    }
    if (err == LQ_OK && *from_us >= *to_us) {
        err = lq_error_set(e, LQ_EINVAL, "since is not before until");
    }
    return err;
}

uint32_t ask_number(const struct http_request *r, const char *name, uint32_t fallback, uint32_t max)
{
    const char *text = http_param_text(r, name);
    unsigned long v = text != NULL ? strtoul(text, NULL, 10) : fallback;
    return v == 0 ? fallback : v > max ? max : (uint32_t)v;
}

int64_t ask_step(int64_t range_us, int64_t points)
{
    static const int steps[] = {10, 30, 60, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86400};
    int64_t want = range_us / (points > 0 ? points : 1);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (steps[i] * SECOND_US >= want) {
            return steps[i] * SECOND_US;
        }
    }
    return (want / DAY_US + 1) * DAY_US;
}

static void quote(struct lq_buf *b, lq_str s)
{
    lq_buf_byte(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\') {
            lq_buf_byte(b, '\\');
        }
        lq_buf_byte(b, (uint8_t)s.p[i]);
    }
    lq_buf_byte(b, '"');
}

/* The added filters as a query of their own; their tree is joined to the first one's. */
static enum lq_err add_filters(const struct ask_query *q, struct asked *x, struct lq_error *e)
{
    static const struct {
        const char *from, *to;
    } ops[] = {{"=", "="}, {"==", "="}, {"!=", "!="}, {"=~", "~"}, {"!~", "!~"}, {"~", "~"}, {"<", "<"}, {">", ">"}, {"<=", "<="}, {">=", ">="}};
    struct lq_buf text = {0};
    enum lq_err err = LQ_OK;
    for (uint32_t i = 0; i < q->n_filters && err == LQ_OK; i++) {
        const char *op = NULL;
        for (size_t k = 0; k < sizeof ops / sizeof ops[0]; k++) {
            op = lq_str_is(q->filters[i].op, ops[k].from) ? ops[k].to : op;
        }
        if (op == NULL) {
            lq_error_set(e, LQ_EINVAL, "unknown operator %.*s in a filter", (int)q->filters[i].op.n, q->filters[i].op.p);
            lq_error_hint(e, "= != =~ !~ < > <= >=");
            err = LQ_EINVAL;
            break;
        }
        lq_buf_printf(&text, "%s%.*s %s ", i > 0 ? " and " : "", (int)q->filters[i].key.n, q->filters[i].key.p, op);
        quote(&text, q->filters[i].value);
    }
    lq_buf_str(&text, " | count");
    if (err == LQ_OK) {
        err = query_parse((lq_str){text.p, text.n}, &x->more, e);
    }
    if (err == LQ_OK && x->more->filter == NULL) { /* a key that is a query of its own, with a comment behind it */
        err = lq_error_set(e, LQ_EINVAL, "the key of a filter is no field");
    }
    if (err == LQ_OK && x->q->filter != NULL) {
        struct filter *both = lq_arena_alloc(&x->q->mem, sizeof *both);
        *both = (struct filter){.op = FILTER_AND, .a = x->q->filter, .b = x->more->filter};
        x->q->filter = both;
    } else if (err == LQ_OK) {
        x->q->filter = x->more->filter;
    }
    lq_buf_fini(&text);
    return err;
}

static bool stopped(const void *ctx)
{
    return http_stopped(ctx);
}

struct budget ask_budget(const struct http_request *r)
{
    return (struct budget){.stopped = r != NULL ? stopped : NULL, .ctx = r, .bytes_max = ASK_BYTES_MAX};
}

enum lq_err ask_run(const struct ask *a, const struct http_request *req, const struct ask_query *q, struct asked *x, struct lq_error *e)
{
    struct snapshot *snap = NULL;
    struct exec_options o = {.from_us = q->from_us, .to_us = q->to_us, .tz = q->tz != NULL ? q->tz : a->tz, .budget = ask_budget(req), .now_us = a->wall_clock ? clock_now_us() : 0};
    memset(x, 0, sizeof *x);
    enum lq_err err = query_parse(q->text, &x->q, e);
    if (err == LQ_OK && q->n_filters > 0) {
        err = add_filters(q, x, e);
    }
    if (err == LQ_OK && q->change) {
        x->q->change = true;
        x->q->every_auto = x->q->every_auto || (x->q->every_us == 0 && q->every_us == 0);
    }
    if (err == LQ_OK && x->q->every_us == 0) {
        x->q->every_us = q->every_us;
    }
    if (err == LQ_OK) {
        err = snapshot_open(a->store, &snap, e);
    }
    if (err == LQ_OK) {
        err = exec_query(snap, x->q, &o, &x->r, e);
    }
    snapshot_close(&snap);
    if (err != LQ_OK) {
        query_free(&x->q);
        query_free(&x->more);
    }
    return err;
}

void asked_fini(struct asked *x)
{
    result_fini(&x->r);
    query_free(&x->q);
    query_free(&x->more);
}

void ask_series_name(const struct result *r, const struct result_series *s, uint32_t column, struct lq_buf *out)
{
    lq_buf_clear(out);
    for (uint32_t i = 0; i < r->n_by; i++) {
        lq_str v = s->labels[i].n > 0 ? s->labels[i] : LQ_STR("-");
        lq_buf_printf(out, "%s%.*s", i > 0 ? ", " : "", (int)v.n, v.p);
    }
    if (r->n_columns > 1 || r->n_by == 0) {
        lq_str c = r->column_names[column];
        lq_buf_printf(out, "%s%.*s", out->n > 0 ? ": " : "", (int)c.n, c.p);
    }
}

static uint64_t version(const void *ctx)
{
    return store_version(((const struct ask *)ctx)->store);
}

void ask_tables(struct ask *a, struct http_server_options *o)
{
    const struct http_route *const all[] = {page_routes, api_routes, change_routes, line_routes, run_routes, marker_routes, grafana_routes, prometheus_routes};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        LQ_ASSERT(o->n_tables < HTTP_TABLES_MAX);
        bool keep = all[i] != page_routes && all[i] != run_routes; /* `run` starts lq, which may wait */
        o->tables[o->n_tables++] = (struct http_route_table){.routes = all[i], .ctx = a, .keep = keep};
    }
    o->version = version;
    o->version_ctx = a;
    o->keep_us = a->wall_clock ? KEEP_US : INT64_MAX / 2;
}
