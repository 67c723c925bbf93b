/*
 * exec_heavy.c - questions about single identities: `by client`, `client = 10.0.0.7`
 *
 * Identities are not stored record by record: each hour keeps the 64 heaviest per stream, field and error, and how much any count may be too low
 * (store/heavy.h). So: count, errors and rate only; one identity; no other field but error and stream; steps and ends of whole hours.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/exec_int.h"

static bool is_identity(struct snapshot *s, lq_str name)
{
    bool identity = false;
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_schema *x = snapshot_stream(s, i)->schema;
        identity = identity || exec__identity(x, name) != NO_DIM;
        if (exec__dim(x, name) != NO_DIM) {
            return false;
        }
    }
    return identity;
}

static lq_str filter_identity(struct snapshot *s, const struct filter *f, uint32_t *at)
{
    if (f == NULL) {
        return (lq_str){NULL, 0};
    }
    if (f->op > FILTER_NOT) {
        *at = f->at;
        return is_identity(s, f->field) ? f->field : (lq_str){NULL, 0};
    }
    lq_str a = filter_identity(s, f->a, at);
    return a.n > 0 || f->op == FILTER_NOT ? a : filter_identity(s, f->b, at);
}

lq_str exec__heavy_field(struct snapshot *s, const struct query *q, uint32_t *at)
{
    for (uint32_t i = 0; i < q->n_by; i++) {
        if (is_identity(s, q->by[i])) {
            *at = q->by_at[i];
            return q->by[i];
        }
    }
    return filter_identity(s, q->filter, at);
}

/* ---- what cannot be answered ---- */

static enum lq_err refuse(const struct query *q, struct lq_error *e, uint32_t at, size_t width, lq_str identity, const char *why)
{
    char msg[256];
    snprintf(msg, sizeof msg, "of %.*s only the heaviest are kept, by the hour: %s", (int)(identity.n < 64 ? identity.n : 64), identity.p, why);
    query_error_at(q, e, at, width, msg);
    lq_error_hint(e, "distinct(%.*s) counts all of them, by one of route, host, version …", (int)(identity.n < 64 ? identity.n : 64), identity.p);
    return LQ_EINVAL;
}

static enum lq_err check_filter(const struct query *q, const struct filter *f, lq_str identity, struct lq_error *e)
{
    if (f == NULL) {
        return LQ_OK;
    }
    if (f->op <= FILTER_NOT) {
        enum lq_err err = check_filter(q, f->a, identity, e);
        return err != LQ_OK || f->op == FILTER_NOT ? err : check_filter(q, f->b, identity, e);
    }
    if (lq_str_eq(f->field, identity) || lq_str_is(f->field, "stream") || lq_str_is(f->field, "error")) {
        return LQ_OK;
    }
    return refuse(q, e, f->at, f->field.n, identity, "no other field but error can be in the filter");
}

static enum lq_err check(const struct query *q, lq_str identity, struct lq_error *e)
{
    for (uint32_t i = 0; i < q->n_by; i++) {
        if (!lq_str_eq(q->by[i], identity) && !lq_str_is(q->by[i], "stream")) {
            return refuse(q, e, q->by_at[i], q->by[i].n, identity, "not together with another field");
        }
    }
    for (uint32_t i = 0; i < q->n_aggs; i++) {
        const struct agg *a = &q->aggs[i];
        if (a->func != AGG_COUNT && a->func != AGG_ERRORS && a->func != AGG_RATE) {
            return refuse(q, e, a->at, a->field.n > 0 ? a->field.n : 1, identity, "with count, errors and rate, no measures");
        }
    }
    return check_filter(q, q->filter, identity, e);
}

/* ---- the run ---- */

struct heavy_run {
    struct run x;
    struct leaf_set leaves;
    lq_str identity;
    uint32_t field;
    bool by_name;
    struct lq_map ids; /* name -> group */
    lq_str *names;
    size_t cap_names;
    uint64_t bound;   /* the most that a count may be too low */
    uint64_t hidden;  /* of the step in work: how many records an absent identity may have */
    bool unknown;     /* of the step in work: nobody was found, but may be below the bound */
    /* of the step in work, by group */
    struct cell_acc *cells;
    size_t cap_cells;
};

struct candidate {
    const struct heavy_run *h;
    lq_str name;
    bool error;
};

static bool leaf_value(void *ctx, const struct filter *f, lq_str *v)
{
    const struct candidate *c = ctx;
    *v = lq_str_eq(f->field, c->h->identity)    ? c->name
         : lq_str_is(f->field, "stream") ? lq_str_of(c->h->x.info->schema->name)
         : c->error                      ? LQ_STR("true")
                                         : LQ_STR("false");
    return true;
}

static uint32_t group_named(struct heavy_run *h, lq_str name)
{
    uint32_t key[QUERY_BY_MAX] = {0}, g = lq_map_get(&h->ids, name);
    if (g != LQ_MAP_NONE) {
        return g;
    }
    g = (uint32_t)h->ids.n;
    lq_map_set(&h->ids, name, g);
    lq_grow(&h->names, &h->cap_names, g + 1, sizeof *h->names);
    h->names[g] = lq_arena_str(&h->x.r->mem, name);
    h->x.identities = h->names;
    for (uint32_t i = 0; i < h->x.q->n_by; i++) {
        key[i] = h->x.by[i] == FIELD_IDENTITY ? g : 0;
    }
    exec__group(&h->x, key);
    size_t old = h->cap_cells;
    lq_grow(&h->cells, &h->cap_cells, g + 1, sizeof *h->cells);
    memset(h->cells + old, 0, (h->cap_cells - old) * sizeof *h->cells);
    return g;
}

static enum lq_err add_hours(struct heavy_run *h, bool error, int64_t from_s, int64_t to_s)
{
    struct heavy sum;
    struct candidate c = {h, {"", 0}, error};
    enum lq_err err = snapshot_heavy(h->x.s, h->x.info->id, h->field, error, from_s, to_s, &sum, h->x.e);
    if (err != LQ_OK) {
        return err;
    }
    for (uint32_t i = 0; i < sum.n; i++) {
        c.name = sum.items[i].name;
        if (exec__evaluate(h->x.q->filter, &h->leaves, leaf_value, &c) == 1) {
            uint32_t g = group_named(h, h->by_name ? c.name : LQ_STR(""));
            h->cells[g].count += sum.items[i].count;
            h->cells[g].errors += error ? sum.items[i].count : 0;
            h->unknown = false;
        }
    }
    h->hidden += sum.error_bound;
    h->bound = sum.error_bound > h->bound ? sum.error_bound : h->bound;
    heavy_fini(&sum);
    return LQ_OK;
}

static double agg_value(const struct run *x, uint32_t i, size_t at, double seconds)
{
    const struct cell_acc *c = &x->c.cells[at];
    switch (x->q->aggs[i].func) {
    case AGG_COUNT: return (double)c->count;
    case AGG_ERRORS: return (double)c->errors;
    default: return (double)c->count / seconds;
    }
}

static enum lq_err one_step(struct heavy_run *h, uint32_t step)
{
    struct run *x = &h->x;
    double row[QUERY_COLUMNS_MAX];
    int64_t from = (x->r->step_start_us[step] - x->shift_us) / US, to = (x->r->step_start_us[step + 1] - x->shift_us + US - 1) / US;
    h->unknown = true;
    h->hidden = 0;
    enum lq_err err = add_hours(h, false, from, to);
    err = err == LQ_OK ? add_hours(h, true, from, to) : err;
    x->c.cells = h->cells;
    for (uint32_t g = 0; g < x->n_groups && err == LQ_OK; g++) {
        if (h->cells[g].count == 0 && x->q->n_by > 0) {
            continue;
        }
        for (uint32_t k = 0; k < x->q->n_columns; k++) {
            bool known = !h->unknown || h->hidden == 0; /* else not a made-up zero */
            row[k] = known ? exec__column(x, x->q->columns[k], agg_value, g, exec__step_seconds(x->r, step)) : NAN;
        }
        err = exec__row(x, g, step, row);
        h->cells[g] = (struct cell_acc){0, 0};
    }
    return err;
}

static enum lq_err one_stream(struct snapshot *s, const struct query *q, const struct exec_options *o, const struct stream_info *info, lq_str identity,
                              struct result *r, struct lq_error *e)
{
    struct heavy_run h = {.x = {.s = s, .q = q, .o = o, .r = r, .info = info, .e = e}, .identity = identity};
    h.field = exec__identity(info->schema, identity);
    for (uint32_t i = 0; i < q->n_by; i++) {
        bool name = lq_str_eq(q->by[i], identity);
        h.x.by[i] = name ? FIELD_IDENTITY : FIELD_STREAM;
        h.by_name = h.by_name || name;
    }
    enum lq_err err = exec__leaves(q, q->filter, &h.leaves, e);
    if (q->n_by == 0) {
        group_named(&h, LQ_STR(""));
    }
    for (h.x.pass = 0; h.x.pass < (q->compare_us > 0 ? 2U : 1U) && err == LQ_OK; h.x.pass++) {
        h.x.shift_us = h.x.pass * q->compare_us;
        for (uint32_t step = 0; step < r->steps && err == LQ_OK; step++) {
            err = one_step(&h, step);
        }
    }
    if (err == LQ_OK) {
        exec__emit(&h.x);
        const char *field = info->schema->identities[h.field];
        if (h.bound > 0) {
            lq_buf_printf(&r->notices, "only the 64 heaviest of %s are kept of each hour: a count may be too low by up to %llu\n", field, (unsigned long long)h.bound);
        }
    }
    exec__leaves_fini(&h.leaves);
    for (unsigned p = 0; p < PASSES_MAX; p++) {
        for (uint32_t g = 0; h.x.rows[p] != NULL && g < h.x.n_groups; g++) {
            free(h.x.rows[p][g].step);
            free(h.x.rows[p][g].values);
        }
        free(h.x.rows[p]);
    }
    lq_map_fini(&h.x.group_ids);
    lq_map_fini(&h.ids);
    free(h.x.group_values);
    free(h.names);
    free(h.cells);
    return err;
}

/* May records of a stream of this name pass? Other fields are not looked at. */
static bool stream_may(const struct filter *f, const char *name)
{
    if (f == NULL) {
        return true;
    }
    if (f->op == FILTER_AND) {
        return stream_may(f->a, name) && stream_may(f->b, name);
    }
    if (f->op == FILTER_OR) {
        return stream_may(f->a, name) || stream_may(f->b, name);
    }
    if ((f->op != FILTER_EQ && f->op != FILTER_NE && f->op != FILTER_IN) || !lq_str_is(f->field, "stream")) {
        return true;
    }
    return exec__test_value(f, lq_str_of(name), NULL);
}

enum lq_err exec__heavy(struct snapshot *s, const struct query *q, const struct exec_options *o, bool plan_only, struct result *r, struct lq_error *e)
{
    bool use[STREAM_MAX] = {false}, any = false;
    uint32_t at = 0;
    lq_str identity = exec__heavy_field(s, q, &at);
    enum lq_err err = check(q, identity, e);
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_info *x = snapshot_stream(s, i);
        use[i] = x->lines > 0 && exec__identity(x->schema, identity) != NO_DIM && stream_may(q->filter, x->schema->name);
        any = any || use[i];
    }
    if (err == LQ_OK && !any) {
        err = exec__explain(s, q, e);
    }
    if (err != LQ_OK) {
        return err;
    }
    exec__range(s, o, use, r);
    int64_t hour = 3600 * US, from = r->from_us - ((r->from_us % hour) + hour) % hour;
    bool cut = (o->from_us != INT64_MIN && o->from_us > from && from != r->from_us) || (o->to_us != INT64_MAX && r->to_us == o->to_us && r->to_us % hour != 0);
    r->from_us = from;
    r->to_us += (hour - r->to_us % hour) % hour;
    if (cut) {
        lq_buf_printf(&r->notices, "the ends of the range are rounded to whole hours: %.*s is kept by the hour\n", (int)identity.n, identity.p);
    }
    err = exec__steps(s, q, o, use, TIER_1H, r, e);
    for (uint32_t i = 0; i < snapshot_streams(s) && err == LQ_OK; i++) {
        if (use[i]) {
            lq_buf_printf(&r->plan, "stream %s: heaviest identities of each hour\n", snapshot_stream(s, i)->schema->name);
            err = plan_only ? LQ_OK : one_stream(s, q, o, snapshot_stream(s, i), identity, r, e);
        }
    }
    return err;
}
