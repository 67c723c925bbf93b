/*
 * exec_stream.c - one stream: groups, and the pass over its data in time order
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "query/exec_int.h"

/* ---- groups ---- */

int32_t exec__group(struct run *x, const uint32_t key[QUERY_BY_MAX])
{
    lq_str k = {(const char *)key, QUERY_BY_MAX * sizeof *key};
    uint32_t g = lq_map_get(&x->group_ids, k);
    if (g != LQ_MAP_NONE) {
        return (int32_t)g;
    }
    g = x->n_groups++;
    lq_map_set(&x->group_ids, k, g);
    lq_grow(&x->group_values, &x->cap_groups, x->n_groups, sizeof *x->group_values);
    memcpy(x->group_values[g], key, k.n);
    for (unsigned p = 0; p < PASSES_MAX; p++) {
        lq_grow(&x->rows[p], &x->cap_rows[p], x->n_groups, sizeof **x->rows);
        memset(&x->rows[p][g], 0, sizeof **x->rows);
    }
    return (int32_t)g;
}

static int32_t group_of(struct run *x, const uint32_t *ids)
{
    uint32_t key[QUERY_BY_MAX] = {0};
    for (uint32_t i = 0; i < x->q->n_by; i++) {
        key[i] = x->by[i] == FIELD_STREAM ? 0 : ids[x->by[i]];
    }
    return exec__group(x, key);
}

/* ---- the pass ---- */

/* One section that is read: the cells, and beside them the marginals when distinct counts are asked for. */
struct source {
    enum section section;
    bool counts;
    struct scan *scan;
    const struct fragment *f;
    int64_t period;
    uint32_t known;
    int32_t *group;
    uint8_t *error;
};

/* What a row's id means as value ids; false: not a row of this question. */
static bool row_ids(struct run *x, enum section section, uint32_t id, uint32_t ids[DIM_MAX], const uint32_t **out)
{
    uint32_t stream = x->info->id;
    *out = ids;
    if (section == SECTION_CELLS) {
        *out = snapshot_series(x->s, stream, id);
        return true;
    }
    memset(ids, 0, DIM_MAX * sizeof *ids);
    bool error = id == 1;
    if (section == SECTION_MARGINALS) {
        struct marginal_info m = snapshot_marginal(x->s, stream, id);
        if (m.dim != x->marginal_dim) {
            return false;
        }
        if (m.dim != NO_DIM) {
            ids[m.dim] = m.value;
        }
        error = m.error;
    }
    uint32_t v = snapshot_value_id(x->s, stream, DIM_ERROR, error ? LQ_STR("true") : LQ_STR("false"));
    ids[DIM_ERROR] = v == UINT32_MAX ? VALUE_ABSENT : v;
    return true;
}

static bool is_error(struct run *x, const uint32_t *ids)
{
    return snapshot_value(x->s, x->info->id, DIM_ERROR, ids[DIM_ERROR])->text.n == 4; /* "true" */
}

/* A series seen for the first time: which group, or none. */
static enum lq_err meet(struct run *x, struct source *c, uint32_t id)
{
    uint32_t ids[DIM_MAX];
    const uint32_t *row;
    bool in = row_ids(x, c->section, id, ids, &row) && (x->filter == NULL || exec__passes(x->filter, row));
    c->error[id] = in && is_error(x, row);
    c->group[id] = in ? group_of(x, row) : GROUP_OUT;
    exec__cells_reserve(x);
    size_t cell = sizeof(struct cell_acc) + (x->need_measures != 0 ? sizeof(struct measure_acc) + sizeof(struct bins_acc) : 0);
    if (x->n_groups > RESULT_SERIES_MAX || (long long)(x->c.cap * cell) > exec__bytes_max(x)) {
        lq_error_set(x->e, LQ_ELIMIT, "the answer would have more than %d series", x->n_groups > RESULT_SERIES_MAX ? RESULT_SERIES_MAX : (int)x->n_groups - 1);
        lq_error_hint(x->e, "ask for fewer fields after by, or filter before |");
        return LQ_ELIMIT;
    }
    return LQ_OK;
}

static enum lq_err add_fragment(struct run *x, struct source *c)
{
    const struct fragment *f = c->f;
    const int64_t step_s = tiers[x->tier].step_s, shift_s = x->shift_us / US;
    const bool plain = c->counts && x->need_measures == 0;
    for (uint32_t r = 0; r < f->rows; r++) {
        uint32_t id = f->id[r];
        int64_t t = c->period + (int64_t)f->slot[r] * step_s;
        if (id >= c->known) {
            return lq_error_set(x->e, LQ_ECORRUPT, "the store is damaged: an unknown series; lq debug verify tells more");
        }
        if (c->group[id] == GROUP_NEW) {
            enum lq_err err = meet(x, c, id);
            if (err != LQ_OK) {
                return err;
            }
        }
        if (c->group[id] == GROUP_OUT || t < x->from_s || t >= x->to_s) {
            continue;
        }
        uint32_t g = (uint32_t)c->group[id], step = exec__step_of(x->r, (t + shift_s) * US);
        size_t at = (size_t)g * x->c.width + step % x->c.width;
        if (plain) {
            x->c.cells[at].count += f->count[r];
            x->c.cells[at].errors += c->error[id] != 0 ? f->count[r] : 0;
        } else {
            exec__cells_add(x, f, r, at, c->error[id] != 0, c->counts);
        }
        x->c.touched[g] = 1;
    }
    return LQ_OK;
}

static enum lq_err open_source(struct run *x, enum section section, unsigned what, bool counts, struct source *c)
{
    uint32_t stream = x->info->id;
    *c = (struct source){.section = section, .counts = counts};
    c->known = section == SECTION_CELLS ? snapshot_n_series(x->s, stream) : section == SECTION_MARGINALS ? snapshot_marginals(x->s, stream) : 2;
    c->group = lq_alloc((c->known + 1) * sizeof *c->group);
    c->error = lq_alloc(c->known + 1);
    for (uint32_t i = 0; i < c->known; i++) {
        c->group[i] = GROUP_NEW;
    }
    enum lq_err err = scan_open(x->s, stream, x->tier, section, x->from_s, x->to_s, what, &c->scan, x->e);
    return err == LQ_OK ? scan_part(c->scan, &c->f, &c->period, x->e) : err;
}

static void close_source(struct source *c)
{
    scan_close(&c->scan);
    free(c->group);
    free(c->error);
}

/* All sources together, one period of the store after the other. */
static enum lq_err run_pass(struct run *x)
{
    struct source c[2] = {{0}, {0}};
    unsigned n = 0;
    unsigned what = (x->need_measures != 0 ? (unsigned)FRAGMENT_SUMS : 0) | (x->need_bins != 0 ? (unsigned)FRAGMENT_BINS : 0);
    enum lq_err err = open_source(x, x->section, what, true, &c[n++]);
    if (err == LQ_OK && x->need_distinct != 0) {
        err = open_source(x, SECTION_MARGINALS, FRAGMENT_DISTINCT, false, &c[n++]);
    }
    x->done = 0;
    while (err == LQ_OK && (c[0].f != NULL || c[1].f != NULL)) {
        int64_t period = c[0].f == NULL || (c[1].f != NULL && c[1].period < c[0].period) ? c[1].period : c[0].period;
        err = exec__cells_finish(x, exec__step_of(x->r, period * US + x->shift_us));
        for (unsigned i = 0; i < n && err == LQ_OK; i++) {
            while (err == LQ_OK && c[i].f != NULL && c[i].period == period) {
                err = add_fragment(x, &c[i]);
                err = err == LQ_OK ? scan_part(c[i].scan, &c[i].f, &c[i].period, x->e) : err;
            }
        }
        err = err == LQ_OK ? budget_check(&x->o->budget, x->e) : err;
    }
    if (err == LQ_OK) {
        err = exec__cells_finish(x, x->r->steps);
    }
    close_source(&c[0]);
    close_source(&c[1]);
    return err;
}

/* ---- one stream ---- */

static void resolve(struct run *x)
{
    const struct query *q = x->q;
    for (uint32_t i = 0; i < q->n_by; i++) {
        x->by[i] = exec__dim(x->info->schema, q->by[i]);
        if (x->by[i] == NO_DIM) {
            x->by[i] = FIELD_STREAM;
        } else if (x->by[i] != DIM_ERROR) {
            x->filter_dims |= 1U << x->by[i];
        }
    }
    for (uint32_t i = 0; i < q->n_aggs; i++) {
        uint32_t f = x->agg_field[i] = exec__agg_field(x->info->schema, &q->aggs[i]);
        if (q->aggs[i].func == AGG_DISTINCT) {
            x->need_distinct |= 1U << f;
        } else if (q->aggs[i].field.n > 0) {
            x->need_measures |= 1U << f;
            x->need_bins |= q->aggs[i].func == AGG_QUANTILE || q->aggs[i].func == AGG_OVER ? 1U << f : 0;
        }
    }
}

static enum lq_err one_pass(struct run *x)
{
    enum lq_err err = exec__choose(x);
    if (err != LQ_OK || x->planning) {
        return err;
    }
    int64_t period = x->tier >= 0 ? tier_period_s(x->tier) * US : US;
    x->c.width = x->r->step_us == 0 ? 1 : (uint32_t)(period / x->r->step_us + 3);
    if (x->q->n_by == 0) {
        uint32_t none[QUERY_BY_MAX] = {0};
        exec__group(x, none); /* one series, even when nothing matches */
    }
    exec__cells_reserve(x);
    err = x->tier < 0 ? exec__cells_finish(x, x->r->steps) : run_pass(x);
    exec__cells_fini(x);
    memset(&x->c, 0, sizeof x->c);
    return err;
}

static void run_fini(struct run *x)
{
    for (unsigned p = 0; p < PASSES_MAX; p++) {
        for (uint32_t g = 0; x->rows[p] != NULL && g < x->n_groups; g++) {
            free(x->rows[p][g].step);
            free(x->rows[p][g].values);
        }
        free(x->rows[p]);
    }
    lq_map_fini(&x->group_ids);
    free(x->group_values);
}

enum lq_err exec__run_stream(struct snapshot *s, const struct query *q, const struct exec_options *o, const struct stream_info *info, bool plan_only,
                             struct result *r, struct lq_error *e)
{
    struct run x = {.s = s, .q = q, .o = o, .r = r, .info = info, .planning = plan_only, .e = e};
    struct bound *filter = NULL;
    enum lq_err err = LQ_OK;
    resolve(&x);
    if (q->filter != NULL) {
        err = exec__bind(&x, q->filter, &filter);
        x.filter = filter;
    }
    for (x.pass = 0; x.pass < (q->compare_us > 0 ? 2U : 1U) && err == LQ_OK; x.pass++) {
        x.shift_us = x.pass * q->compare_us;
        err = one_pass(&x);
    }
    if (err == LQ_OK && !x.planning) {
        exec__emit(&x);
    }
    run_fini(&x);
    return err;
}
