/*
 * exec.c - run a query (exec.h): range, steps, streams, order
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/exec_int.h"

#include <math.h>
#include <stdlib.h>

void result_fini(struct result *r)
{
    for (uint32_t i = 0; i < r->n_series; i++) {
        free(r->series[i].values);
    }
    free(r->series);
    free(r->step_start_us);
    lq_buf_fini(&r->notices);
    lq_buf_fini(&r->plan);
    lq_arena_fini(&r->mem);
    memset(r, 0, sizeof *r);
}

/* ---- range and steps ---- */

static bool stream_wanted(const struct filter *f, const char *name)
{
    /* A filter that can only be false for this stream: stream = other, at the top level or under `and`. */
    if (f == NULL) {
        return true;
    }
    if (f->op == FILTER_AND) {
        return stream_wanted(f->a, name) && stream_wanted(f->b, name);
    }
    if (f->op == FILTER_OR) {
        return stream_wanted(f->a, name) || stream_wanted(f->b, name);
    }
    if (f->op == FILTER_NOT || !lq_str_is(f->field, "stream")) {
        return true;
    }
    return f->op == FILTER_EQ ? lq_str_is(f->values[0], name) : f->op == FILTER_NE ? !lq_str_is(f->values[0], name) : true;
}

static enum lq_err set_steps(struct result *r, const struct query *q, const struct timezone_rules *tz, struct lq_error *e)
{
    r->steps = 1;
    r->step_us = q->every_us;
    if (q->every_us == 0) {
        r->step_start_us = lq_alloc(sizeof *r->step_start_us);
        r->step_start_us[0] = r->from_us;
        return LQ_OK;
    }
    int64_t unit = tiers[TIER_10S].step_s * US;
    if (r->step_us % unit != 0) {
        r->step_us += unit - r->step_us % unit;
        lq_buf_printf(&r->notices, "every is rounded up to a multiple of 10 s\n");
    }
    int64_t offset = tz != NULL ? timezone_offset_at(tz, r->from_us / US) * US : 0, local = r->from_us + offset;
    int64_t first = local - ((local % r->step_us) + r->step_us) % r->step_us - offset;
    int64_t n = (r->to_us - first + r->step_us - 1) / r->step_us;
    if (n > RESULT_POINTS_MAX / 4) {
        lq_error_set(e, LQ_ELIMIT, "%lld steps are too many", (long long)n);
        lq_error_hint(e, "use a longer every or a shorter range");
        return LQ_ELIMIT;
    }
    r->steps = n > 0 ? (uint32_t)n : 1;
    r->step_start_us = lq_alloc(r->steps * sizeof *r->step_start_us);
    for (uint32_t i = 0; i < r->steps; i++) {
        r->step_start_us[i] = first + i * r->step_us;
    }
    r->partial_first = first < r->from_us;
    r->partial_last = first + (int64_t)r->steps * r->step_us > r->to_us;
    return LQ_OK;
}

static const struct query *sort_query;

static int by_rank(const void *a, const void *b)
{
    const struct result_series *x = a, *y = b;
    if (x->rank != y->rank) {
        return (x->rank > y->rank) != sort_query->bottom ? -1 : 1;
    }
    int c = strcmp(x->stream, y->stream);
    for (uint32_t i = 0; i < sort_query->n_by && c == 0; i++) {
        c = lq_str_cmp(x->labels[i], y->labels[i]);
    }
    return c;
}

static int by_labels(const void *a, const void *b)
{
    const struct result_series *x = a, *y = b;
    int c = strcmp(x->stream, y->stream);
    for (uint32_t i = 0; i < sort_query->n_by && c == 0; i++) {
        c = lq_str_cmp(x->labels[i], y->labels[i]);
    }
    return c;
}

static void order_series(struct result *r, const struct query *q)
{
    uint32_t keep = q->top > 0 ? q->top : q->limit;
    sort_query = q; /* qsort has no context; the program asks one query at a time */
    if (r->n_series > 1) {
        qsort(r->series, r->n_series, sizeof *r->series, q->top > 0 || q->every_us == 0 ? by_rank : by_labels);
    }
    keep = q->limit > 0 && q->limit < keep ? q->limit : keep;
    while (keep > 0 && r->n_series > keep) {
        free(r->series[--r->n_series].values);
    }
}

enum lq_err exec_query(struct snapshot *s, const struct query *q, const struct exec_options *o, struct result *out, struct lq_error *e)
{
    enum lq_err err = LQ_OK;
    uint32_t fits = 0;
    int64_t first = INT64_MAX, last = INT64_MIN;
    bool use[STREAM_MAX] = {false};
    memset(out, 0, sizeof *out);
    out->q = q;
    out->n_columns = q->n_columns;
    out->n_by = q->n_by;
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_info *x = snapshot_stream(s, i);
        bool named = q->filter != NULL && stream_wanted(q->filter, x->schema->name);
        use[i] = x->lines > 0 && exec__stream_fits(x->schema, q) && (q->filter == NULL || named);
        /* what no format matched is no answer unless it is asked for */
        use[i] = use[i] && (strcmp(x->schema->name, "unparsed") != 0 || (q->filter != NULL && !stream_wanted(q->filter, "")));
        fits += use[i];
        if (use[i]) {
            first = x->first_us < first ? x->first_us : first;
            last = x->last_us > last ? x->last_us : last;
        }
        out->now_us = i == 0 || x->high_water_us > out->now_us ? x->high_water_us : out->now_us;
    }
    if (fits == 0) {
        return exec__explain(s, q, e);
    }
    out->from_us = o->from_us == INT64_MIN || o->from_us < first ? first : o->from_us;
    out->to_us = o->to_us == INT64_MAX || o->to_us > last ? last + 1 : o->to_us;
    if (out->from_us >= out->to_us) {
        out->to_us = out->from_us + 1;
    }
    err = set_steps(out, q, o->tz, e);
    for (uint32_t i = 0; i < snapshot_streams(s) && err == LQ_OK; i++) {
        if (use[i]) {
            err = exec__run_stream(s, q, snapshot_stream(s, i), out, e);
        }
    }
    if (err == LQ_OK) {
        order_series(out, q);
        out->lines = snapshot_counter(s, "lines");
        out->unparsed = out->lines - snapshot_counter(s, "parsed");
        out->overflow = snapshot_counter(s, "overflow_values") + snapshot_counter(s, "overflow_series") + snapshot_counter(s, "overflow_cells");
    } else {
        result_fini(out);
    }
    return err;
}
