/*
 * exec.c - run a query (exec.h): which streams, which range, then each stream, then order
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "query/exec_int.h"

void result_fini(struct result *r)
{
    for (uint32_t i = 0; i < r->n_series; i++) {
        free(r->series[i].step);
        free(r->series[i].values);
        free(r->series[i].changes);
    }
    free(r->series);
    free(r->lines);
    free(r->step_start_us);
    lq_buf_fini(&r->notices);
    lq_buf_fini(&r->plan);
    query_free(&r->spelled_out);
    lq_arena_fini(&r->mem);
    memset(r, 0, sizeof *r);
}

static bool names_stream(const struct filter *f)
{
    if (f == NULL) {
        return false;
    }
    return f->op > FILTER_NOT ? lq_str_is(f->field, "stream") : names_stream(f->a) || (f->op != FILTER_NOT && names_stream(f->b));
}

/* The streams that answer. What no format matched is no answer unless it is asked for. */
static uint32_t choose_streams(struct snapshot *s, const struct query *q, bool use[STREAM_MAX])
{
    uint32_t n = 0;
    bool named = names_stream(q->filter);
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_info *x = snapshot_stream(s, i);
        use[i] = (x->lines > 0 || named) && exec__stream_fits(x->schema, q) && (named || strcmp(x->schema->name, "unparsed") != 0);
        n += use[i];
    }
    return n;
}

void exec__range(struct snapshot *s, const struct exec_options *o, const bool use[STREAM_MAX], struct result *r)
{
    int64_t first = INT64_MAX, last = INT64_MIN, now = INT64_MIN;
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_info *x = snapshot_stream(s, i);
        if (use[i] && x->lines > 0) {
            first = x->first_us < first ? x->first_us : first;
            last = x->last_us > last ? x->last_us : last;
        }
        now = x->lines > 0 && x->high_water_us > now ? x->high_water_us : now;
    }
    now = now == INT64_MIN ? 0 : now;
    r->now_us = o->now_us != 0 ? o->now_us : now;
    if (o->exact) {
        r->from_us = o->from_us;
        r->to_us = o->to_us;
        return;
    }
    if (first > last) {
        first = last = now;
    }
    r->from_us = o->from_us == INT64_MIN || o->from_us < first ? first : o->from_us;
    r->to_us = o->to_us == INT64_MAX || o->to_us > last ? last + 1 : o->to_us;
    if (r->from_us >= r->to_us) {
        char a[32], b[32];
        time_print_local(first, o->tz, a);
        time_print_local(last, o->tz, b);
        lq_buf_printf(&r->notices, "nothing is stored of this range: the data reach from %s to %s\n", a, b);
        r->from_us = o->from_us != INT64_MIN ? o->from_us : r->to_us - 1;
        r->to_us = r->from_us + 1;
    }
}

static void compare_notice(struct snapshot *s, const struct query *q, const struct exec_options *o, const bool use[STREAM_MAX], struct result *r)
{
    int64_t first = INT64_MAX;
    char text[32];
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        first = use[i] && snapshot_stream(s, i)->first_us < first ? snapshot_stream(s, i)->first_us : first;
    }
    if (q->compare_us > 0 && first != INT64_MAX && r->from_us - q->compare_us + 3600 * US < first) {
        time_print_local(first, o->tz, text);
        lq_buf_printf(&r->notices, "compare: the earlier range is %s, the data begin %s\n", r->to_us - q->compare_us <= first ? "not stored" : "only partly stored", text);
    }
}

static enum lq_err finish(struct snapshot *s, const struct query *q, const struct budget *b, struct result *r, struct lq_error *e)
{
    enum lq_err err = q->change ? exec__changes(r, b, e) : LQ_OK;
    exec__order(r, q);
    r->records = snapshot_counter(s, "lines");
    r->unparsed = r->records - snapshot_counter(s, "parsed");
    r->overflow = snapshot_counter(s, "overflow_values") + snapshot_counter(s, "overflow_series") + snapshot_counter(s, "overflow_cells");
    return err;
}

static enum lq_err execute(struct snapshot *s, const struct query *q, const struct exec_options *o, bool plan_only, struct result *out, struct lq_error *e)
{
    bool use[STREAM_MAX] = {false};
    uint32_t at;
    memset(out, 0, sizeof *out);
    out->q = q;
    out->n_columns = q->n_out;
    out->n_by = q->n_by;
    memcpy(out->column_names, q->column_names, sizeof out->column_names);
    if (exec__heavy_field(s, q, &at).n > 0 && q->lines == 0) {
        enum lq_err err = exec__heavy(s, q, o, plan_only, out, e);
        err = err == LQ_OK ? finish(s, q, &o->budget, out, e) : err;
        if (err != LQ_OK) {
            result_fini(out);
        }
        return err;
    }
    if (choose_streams(s, q, use) == 0 && q->lines == 0) {
        return exec__explain(s, q, e);
    }
    enum lq_err err = LQ_OK;
    if (q->lines > 0) {
        err = exec__lines(s, q, o, use, out, e);
    } else {
        exec__range(s, o, use, out);
        err = exec__steps(s, q, o, use, TIER_10S, out, e);
        for (uint32_t i = 0; i < snapshot_streams(s) && err == LQ_OK; i++) {
            if (use[i]) {
                err = exec__run_stream(s, q, o, snapshot_stream(s, i), plan_only, out, e);
            }
        }
    }
    if (err != LQ_OK) {
        result_fini(out);
        return err;
    }
    exec__value_notices(s, q, use, out);
    compare_notice(s, q, o, use, out);
    if (!plan_only && q->lines == 0) {
        err = finish(s, q, &o->budget, out, e);
    }
    err = err == LQ_OK ? snapshot_check(s, e) : err; /* a dictionary that cannot be read looks empty: no answer is better than a wrong one */
    if (err != LQ_OK) {
        result_fini(out);
    }
    return err;
}

static enum lq_err expand(struct snapshot *s, const struct query *q, const struct exec_options *o, bool plan_only, struct result *out, struct lq_error *e)
{
    struct query *spelled_out = NULL;
    if (!q->distribution || q->lines > 0) {
        return execute(s, q, o, plan_only, out, e);
    }
    enum lq_err err = exec__spell_out(s, q, o, &spelled_out, e);
    err = err == LQ_OK ? execute(s, spelled_out, o, plan_only, out, e) : err;
    if (err == LQ_OK) {
        out->spelled_out = spelled_out;
    } else {
        query_free(&spelled_out);
    }
    return err;
}

enum lq_err exec_query(struct snapshot *s, const struct query *q, const struct exec_options *o, struct result *out, struct lq_error *e)
{
    return expand(s, q, o, false, out, e);
}

enum lq_err exec_plan(struct snapshot *s, const struct query *q, const struct exec_options *o, struct result *out, struct lq_error *e)
{
    return expand(s, q, o, true, out, e);
}
