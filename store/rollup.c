/*
 * rollup.c - regrouping cells into tiers and sections (rollup.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/rollup.h"

#include <stdlib.h>

static uint32_t map_error(void *ctx, uint32_t id, uint32_t out[REGROUP_IDS_MAX])
{
    const struct rollup_tables *t = ctx;
    if (id >= t->n_series) {
        return 0;
    }
    out[0] = t->error[id];
    return 1;
}

static uint32_t map_marginals(void *ctx, uint32_t id, uint32_t out[REGROUP_IDS_MAX])
{
    const struct rollup_tables *t = ctx;
    uint32_t n = 0;
    if (id >= t->n_series) {
        return 0;
    }
    for (const uint32_t *m = t->marginals + (size_t)id * t->stride; n < t->stride && m[n] != UINT32_MAX; n++) {
        out[n] = m[n];
    }
    return n;
}

bool rollup_section(struct rollup *r, int section)
{
    unsigned bins = FRAGMENT_SUMS | FRAGMENT_BINS;
    switch (section) {
    case FOLD_CELLS:
        r->rows = ROLLUP_SAME;
        r->columns = r->tier == TIER_1H ? (unsigned)FRAGMENT_SUMS : bins;
        return true;
    case FOLD_TOTALS:
        r->rows = ROLLUP_BY_ERROR;
        r->columns = bins;
        return true;
    case FOLD_MARGINALS:
        r->rows = ROLLUP_BY_MARGINAL;
        r->columns = FRAGMENT_DISTINCT | (r->tier == TIER_1H ? bins : 0U);
        return r->tier != TIER_10S;
    default:
        return false;
    }
}

struct periods { /* the periods that have rows, ascending */
    int64_t *start;
    size_t n, cap;
};

static int by_start(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void add_period(struct periods *p, int64_t start)
{
    for (size_t i = p->n; i-- > 0;) { /* the last ones first: rows come in runs */
        if (p->start[i] == start) {
            return;
        }
    }
    lq_grow(&p->start, &p->cap, p->n + 1, sizeof *p->start);
    p->start[p->n++] = start;
}

static void find_periods(const struct rollup *r, struct periods *out)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct fragment_at *x = &r->in[i];
        uint32_t last_slot = UINT32_MAX;
        for (uint32_t row = 0; row < x->f->rows; row++) {
            int64_t at = x->start_s + (int64_t)x->f->slot[row] * r->step_s;
            if (x->f->slot[row] != last_slot && at >= r->from_s && at < r->to_s) {
                add_period(out, tier_period_of(r->tier, at));
            }
            last_slot = x->f->slot[row];
        }
    }
    if (out->n > 1) {
        qsort(out->start, out->n, sizeof *out->start, by_start);
    }
}

void rollup(const struct rollup *r, rollup_sink *sink, void *ctx)
{
    static regroup_map *const maps[] = {[ROLLUP_SAME] = NULL, [ROLLUP_BY_ERROR] = map_error, [ROLLUP_BY_MARGINAL] = map_marginals};
    struct periods p = {0};
    find_periods(r, &p);
    for (size_t i = 0; i < p.n; i++) {
        int64_t start = p.start[i], end = start + tier_period_s(r->tier);
        struct fragment f;
        struct regroup how = {.step_s = r->step_s, .out_step_s = tiers[r->tier].step_s, .out_start_s = start, .bounded = true,
                              .from_s = start > r->from_s ? start : r->from_s, .to_s = end < r->to_s ? end : r->to_s, .map = maps[r->rows],
                              .ctx = (void *)(uintptr_t)r->tables, .keep_sums = (r->columns & (FRAGMENT_SUMS | FRAGMENT_BINS)) != 0,
                              .keep_bins = (r->columns & FRAGMENT_BINS) != 0, .keep_distinct = (r->columns & FRAGMENT_DISTINCT) != 0};
        fragment_regroup(r->in, r->n, &how, &f);
        if (f.rows > 0) {
            sink(ctx, start, &f);
        } else {
            fragment_fini(&f);
        }
    }
    free(p.start);
}
