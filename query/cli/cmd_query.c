/*
 * cmd_query.c - lq 'QUERY' [FILE…], lq plan 'QUERY'
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <unistd.h>

#include "query/cli/cli.h"
#include "query/out/out.h"

#define DAY_US (86400 * 1000000LL)

static int64_t oldest(struct snapshot *s)
{
    int64_t t = INT64_MAX;
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_info *x = snapshot_stream(s, i);
        t = x->lines > 0 && x->first_us < t ? x->first_us : t;
    }
    return t;
}

/* --since and --until; without --since the last 24 h of a store, everything of files. */
static enum lq_err range(struct cli *c, struct snapshot *snap, bool files, struct exec_options *o, struct lq_error *e)
{
    int64_t now = o->now_us = cli_now(c, snap, files);
    enum lq_err err = cli_range(c, now, &o->from_us, &o->to_us, e);
    if (err != LQ_OK || c->since != NULL || files) {
        return err;
    }
    o->from_us = (o->to_us == INT64_MAX ? now : o->to_us) - DAY_US;
    int64_t first = oldest(snap);
    if (first < o->from_us && first != INT64_MAX) {
        char from[32];
        time_print_local(first, c->tz, from);
        fprintf(stderr, "lq: the last 24 h%s; older data exist since %s (--since %.10s)\n", o->to_us == INT64_MAX ? "" : " before --until", from, from);
    }
    return LQ_OK;
}

/* What stands behind a query: the answer, and what it needs for a while. */
struct asking {
    struct query *q;
    struct store *store;
    struct snapshot *snap;
    struct format_set *formats;
    struct result r;
    struct marker *markers;
    size_t n_markers, cap_markers;
    struct lq_arena mem;
};

static bool keep_marker(void *ctx, const struct marker *m)
{
    struct asking *a = ctx;
    lq_grow(&a->markers, &a->cap_markers, a->n_markers + 1, sizeof *a->markers);
    struct marker *k = &a->markers[a->n_markers++];
    k->time_us = m->time_us;
    k->kind = lq_arena_str(&a->mem, m->kind);
    k->name = lq_arena_str(&a->mem, m->name);
    k->host = lq_arena_str(&a->mem, m->host);
    k->service = lq_arena_str(&a->mem, m->service);
    k->text = lq_arena_str(&a->mem, m->text);
    k->inferred = m->inferred;
    k->confidence = m->confidence;
    return true;
}

static enum lq_err ask(struct cli *c, struct asking *a, bool plan, bool chart, int *status, struct lq_error *e)
{
    struct exec_options o = {.tz = c->tz};
    bool files = c->n_args > 1;
    enum lq_err err = files ? cli_load_temporary(c, 1, &a->store, status, e) : cli_open(c, false, &a->store, e);
    if (err == LQ_OK) {
        err = snapshot_open(a->store, &a->snap, e);
    }
    if (err == LQ_OK) {
        err = range(c, a->snap, files, &o, e);
    }
    if (err == LQ_OK && a->q->lines > 0 && a->q->filter != NULL) {
        err = cli_formats(c, &a->formats, e);
        o.formats = a->formats;
    }
    if (err != LQ_OK) {
        return err;
    }
    if (chart && a->q->every_us == 0 && (a->q->n_by == 0 || a->q->distribution)) {
        a->q->every_auto = true;
        o.auto_steps = c->width > 40 ? c->width - 10 : 70;
    }
    o.budget.deadline_us = cli_deadline(c);
    err = plan ? exec_plan(a->snap, a->q, &o, &a->r, e) : exec_query(a->snap, a->q, &o, &a->r, e);
    if (err == LQ_OK && chart) {
        err = snapshot_markers(a->snap, a->r.from_us, a->r.to_us, keep_marker, a, e);
    }
    return err;
}

void cli_notices(const struct result *r)
{
    const char *p = r->notices.p, *end = p + r->notices.n;
    while (p != NULL && p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        fprintf(stderr, "lq: %.*s\n", (int)(nl - p), p);
        p = nl + 1;
    }
}

static void print(struct cli *c, const struct asking *a, const struct out_format *format)
{
    struct out_options oo = {.tz = c->tz, .width = c->width, .color = c->color, .markers = a->markers, .n_markers = a->n_markers};
    cli_notices(&a->r); /* before the answer: a pager would cover what comes behind it */
    FILE *f = cli_pager_open(c);
    format->print(&a->r, &oo, f);
    cli_pager_close(f);
}

/* lq count by status: the shell has made several arguments of one query. */
static bool unquoted(const struct cli *c, struct lq_error *e)
{
    struct lq_buf text = {0};
    struct query *q = NULL;
    struct lq_error ignored;
    bool file = false;
    for (size_t i = 0; i < c->n_args; i++) {
        file = file || (i > 0 && (strcmp(c->args[i], "-") == 0 || access(c->args[i], F_OK) == 0));
        lq_buf_printf(&text, "%s%s", i > 0 ? " " : "", c->args[i]);
    }
    bool is = c->n_args > 1 && !file && query_parse((lq_str){text.p, text.n}, &q, &ignored) == LQ_OK;
    if (is) {
        lq_error_set(e, LQ_EINVAL, "a query is one argument: put it in quotes");
        lq_error_hint(e, "lq '%.*s'", (int)(text.n < 200 ? text.n : 200), text.p);
    }
    query_free(&q);
    lq_buf_fini(&text);
    return is;
}

enum lq_err cli_query(const struct cli *c, struct query **out, struct lq_error *e)
{
    if (c->n_args == 0) {
        lq_error_set(e, LQ_EINVAL, "a query is missing");
        lq_error_hint(e, "for example: lq 'errors / count by host every 5m'");
        return LQ_EINVAL;
    }
    return unquoted(c, e) ? LQ_EINVAL : query_parse(lq_str_of(c->args[0]), out, e);
}

static int run_query(struct cli *c, bool plan)
{
    struct lq_error e = {0};
    struct asking a = {0};
    const struct out_format *format = NULL;
    int status = EXIT_DONE;
    enum lq_err err = cli_query(c, &a.q, &e);
    if (err == LQ_OK) {
        err = out_format_find(c->format != NULL ? c->format : "table", &format, &e);
    }
    if (err == LQ_OK) {
        err = ask(c, &a, plan, strcmp(format->name, "chart") == 0, &status, &e);
    }
    snapshot_close(&a.snap); /* a slow reader of the output must not pin pages */
    store_close(&a.store);
    format_set_free(&a.formats);
    if (err != LQ_OK) {
        status = cli_fail(&e);
    } else if (plan) {
        fwrite(a.r.plan.p, 1, a.r.plan.n, stdout);
        printf("steps: %u", a.r.steps);
        if (a.r.step_us > 0) {
            char step[32], from[32];
            duration_print(a.r.step_us, step, sizeof step);
            time_print_local(a.r.step_start_us[0], c->tz, from);
            printf(" of %s from %s", step, from);
        }
        printf("\n%.*s", (int)a.r.notices.n, a.r.notices.n > 0 ? a.r.notices.p : "");
    } else {
        print(c, &a, format);
    }
    if (err == LQ_OK) {
        result_fini(&a.r);
    }
    query_free(&a.q);
    free(a.markers);
    lq_arena_fini(&a.mem);
    return fflush(stdout) != 0 ? EXIT_FAILED : status;
}

int cmd_query(struct cli *c)
{
    return run_query(c, false);
}

int cmd_plan(struct cli *c)
{
    return run_query(c, true);
}
