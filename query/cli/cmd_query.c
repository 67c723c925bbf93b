/*
 * cmd_query.c - lq 'QUERY', lq plan, lq streams, lq fields, lq values
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "query/cli/cli.h"
#include "query/out/out.h"

#define DAY_US (86400 * 1000000LL)

static int64_t newest(struct snapshot *s)
{
    int64_t now = INT64_MIN;
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        int64_t hw = snapshot_stream(s, i)->high_water_us;
        now = hw > now ? hw : now;
    }
    return now == INT64_MIN ? clock_now_us() : now + 1;
}

static int64_t oldest(struct snapshot *s)
{
    int64_t t = INT64_MAX;
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        int64_t first = snapshot_stream(s, i)->first_us;
        t = first < t ? first : t;
    }
    return t;
}

static enum lq_err open_snapshot(struct cli *c, struct store **store, struct snapshot **snap, struct lq_error *e)
{
    enum lq_err err = cli_open(c, false, store, e);
    return err == LQ_OK ? snapshot_open(*store, snap, e) : err;
}

static int run_query(struct cli *c, bool plan)
{
    struct lq_error e = {0};
    struct query *q = NULL;
    struct store *store = NULL;
    struct snapshot *snap = NULL;
    struct result r = {0};
    const struct out_format *format = NULL;
    struct exec_options o = {.tz = c->tz};
    int status = EXIT_DONE;
    if (c->n_args != 1) {
        lq_error_set(&e, LQ_EINVAL, c->n_args == 0 ? "a query is missing" : "one query, in quotes, is needed");
        lq_error_hint(&e, "for example: lq 'errors / count by host every 5m'");
        return cli_fail(&e);
    }
    enum lq_err err = query_parse(lq_str_of(c->args[0]), &q, &e);
    if (err == LQ_OK) {
        err = out_format_find(c->format != NULL ? c->format : "table", &format, &e);
    }
    if (err == LQ_OK) {
        err = open_snapshot(c, &store, &snap, &e);
    }
    if (err == LQ_OK) {
        int64_t now = newest(snap);
        err = cli_range(c, now, &o.from_us, &o.to_us, &e);
        if (err == LQ_OK && c->since == NULL) {
            o.from_us = (o.to_us == INT64_MAX ? now : o.to_us) - DAY_US;
            if (oldest(snap) < o.from_us) {
                char from[32];
                time_print_local(oldest(snap), c->tz, from);
                fprintf(stderr, "lq: the last 24 h of the data; older ones exist since %s: --since %.10s\n", from, from);
            }
        }
    }
    if (err == LQ_OK) {
        err = exec_query(snap, q, &o, &r, &e);
    }
    snapshot_close(&snap); /* a slow reader of the output must not pin pages */
    store_close(&store);
    if (err != LQ_OK) {
        status = cli_fail(&e);
    } else if (plan) {
        fwrite(r.plan.p, 1, r.plan.n, stdout);
        printf("%u series of %u steps\n", r.n_series, r.steps);
    } else {
        struct out_options oo = {c->tz, c->width};
        format->print(&r, &oo, stdout);
        if (r.notices.n > 0) {
            fprintf(stderr, "lq: %.*s", (int)r.notices.n, r.notices.p);
        }
    }
    if (err == LQ_OK) {
        result_fini(&r);
    }
    query_free(&q);
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

static int with_snapshot(struct cli *c, enum lq_err (*fn)(struct cli *, struct snapshot *, struct lq_error *))
{
    struct lq_error e = {0};
    struct store *store = NULL;
    struct snapshot *snap = NULL;
    enum lq_err err = open_snapshot(c, &store, &snap, &e);
    if (err == LQ_OK) {
        err = fn(c, snap, &e);
    }
    snapshot_close(&snap);
    store_close(&store);
    return err == LQ_OK ? EXIT_DONE : cli_fail(&e);
}

static enum lq_err print_streams(struct cli *c, struct snapshot *s, struct lq_error *e)
{
    (void)e;
    printf("%-20s %-9s %12s %10s  %-19s  %-19s\n", "stream", "records", "lines", "errors", "first", "last");
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_info *x = snapshot_stream(s, i);
        char first[32] = "-", last[32] = "-";
        if (x->lines > 0) {
            time_print_local(x->first_us, c->tz, first);
            time_print_local(x->last_us, c->tz, last);
        }
        printf("%-20s %-9s %12llu %10llu  %-19s  %-19s\n", x->schema->name, x->schema->kind == STREAM_REQUESTS ? "requests" : "events",
               (unsigned long long)x->lines, (unsigned long long)x->errors, first, last);
    }
    return LQ_OK;
}

static enum lq_err print_fields(struct cli *c, struct snapshot *s, struct lq_error *e)
{
    (void)c;
    (void)e;
    printf("%-20s %-14s %-10s %s\n", "stream", "field", "role", "values");
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_schema *x = snapshot_stream(s, i)->schema;
        for (uint32_t d = 0; d < x->n_dims; d++) {
            uint32_t n = snapshot_values(s, i, d);
            if (n > 2) {
                printf("%-20s %-14s %-10s %u\n", x->name, x->dims[d], (x->sketch_by >> d & 1) != 0 ? "dimension*" : "dimension", n - 2);
            }
        }
        for (uint32_t m = 0; m < x->n_measures; m++) {
            printf("%-20s %-14s %-10s %s\n", x->name, x->measures[m].name, "measure", x->measures[m].unit);
        }
        for (uint32_t k = 0; k < x->n_identities; k++) {
            printf("%-20s %-14s %-10s\n", x->name, x->identities[k], "identity");
        }
    }
    return LQ_OK;
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

static enum lq_err print_values(struct cli *c, struct snapshot *s, struct lq_error *e)
{
    bool any = false;
    const char *names[DIM_MAX * 4];
    size_t n_names = 0;
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_schema *x = snapshot_stream(s, i)->schema;
        for (uint32_t d = 0; d < x->n_dims; d++) {
            if (n_names < sizeof names / sizeof names[0]) {
                names[n_names++] = x->dims[d];
            }
            if (strcmp(x->dims[d], c->args[0]) != 0) {
                continue;
            }
            uint32_t n = snapshot_values(s, i, d), k = 0;
            struct ranked *r = lq_alloc(n * sizeof *r);
            for (uint32_t v = 1; v < n; v++) {
                r[k++] = (struct ranked){v, snapshot_value(s, i, d, v)->count};
            }
            qsort(r, k, sizeof *r, by_count);
            for (uint32_t v = 0; v < k && r[v].count > 0; v++) {
                const struct value_info *info = snapshot_value(s, i, d, r[v].id);
                char first[32], last[32];
                time_print_local(info->first_us, c->tz, first);
                time_print_local(info->last_us, c->tz, last);
                if (!any) {
                    printf("%12s  %-19s  %-19s  %s\n", "count", "first seen", "last seen", c->args[0]);
                }
                any = true;
                printf("%12llu  %-19s  %-19s  %.*s\n", (unsigned long long)info->count, first, last, (int)info->text.n, info->text.p);
            }
            free(r);
        }
    }
    if (!any) {
        const char *near = lq_nearest(c->args[0], strlen(c->args[0]), names, n_names);
        lq_error_set(e, LQ_EINVAL, "no dimension %s, or it has no values", c->args[0]);
        if (near != NULL && strcmp(near, c->args[0]) != 0) {
            lq_error_hint(e, "did you mean %s?", near);
        }
    }
    return any ? LQ_OK : LQ_EINVAL;
}

int cmd_streams(struct cli *c)
{
    return with_snapshot(c, print_streams);
}

int cmd_fields(struct cli *c)
{
    return with_snapshot(c, print_fields);
}

int cmd_values(struct cli *c)
{
    if (c->n_args != 1) {
        struct lq_error e;
        lq_error_set(&e, LQ_EINVAL, "lq values needs one field");
        lq_error_hint(&e, "lq fields lists them");
        return cli_fail(&e);
    }
    return with_snapshot(c, print_values);
}
