/*
 * grid.c - one pass over the cells of each stream into dense arrays (grid.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/change/grid.h"

#include <math.h>
#include <stdlib.h>

enum { BIN_LIMIT = 3712 };

static const int64_t steps_s[] = {60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400};

static void alloc_series(struct grid *g, struct grid_series *x, uint32_t n_measures)
{
    x->count = lq_arena_alloc(&g->mem, g->steps * sizeof *x->count);
    x->errors = lq_arena_alloc(&g->mem, g->steps * sizeof *x->errors);
    for (uint32_t m = 0; m < n_measures; m++) {
        x->log_sum[m] = lq_arena_alloc(&g->mem, g->steps * sizeof *x->log_sum[m]);
        x->log_n[m] = lq_arena_alloc(&g->mem, g->steps * sizeof *x->log_n[m]);
    }
}

struct ranked {
    uint32_t value;
    uint64_t count;
};

static int by_count(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->count != y->count ? (x->count > y->count ? -1 : 1) : x->value < y->value ? -1 : x->value > y->value;
}

/* The series of a stream; index[dim][value] = series + 1, 0 = not followed. */
static void choose_series(struct snapshot *s, struct grid *g, struct grid_stream *gs, uint32_t *index[DIM_MAX])
{
    const struct stream_schema *x = gs->info->schema;
    size_t cap = 0;
    alloc_series(g, &gs->total, x->n_measures);
    gs->total.dim = UINT32_MAX;
    for (uint32_t d = DIM_HOST; d < x->n_dims; d++) {
        uint32_t n = snapshot_values(s, gs->info->id, d), k = 0;
        struct ranked *r = lq_alloc((n + 1) * sizeof *r);
        index[d] = lq_arena_alloc(&g->mem, (n + 1) * sizeof *index[d]);
        for (uint32_t v = VALUE_OVERFLOW + 1; v < n; v++) {
            r[k++] = (struct ranked){v, snapshot_value(s, gs->info->id, d, v)->count};
        }
        qsort(r, k, sizeof *r, by_count);
        bool measured = (x->sketch_by >> d & 1) != 0;
        for (uint32_t i = 0; i < k && i < GRID_VALUES_MAX; i++) {
            struct grid_series one = {.dim = d, .value = r[i].value};
            alloc_series(g, &one, measured ? x->n_measures : 0);
            lq_grow(&gs->series, &cap, gs->n_series + 1, sizeof *gs->series);
            gs->series[gs->n_series++] = one;
            index[d][r[i].value] = gs->n_series;
        }
        free(r);
    }
}

static void add(struct grid_series *x, uint32_t t, float count, bool error, const float *log_sum, const float *log_n, uint32_t n_measures)
{
    x->count[t] += count;
    x->errors[t] += error ? count : 0;
    for (uint32_t m = 0; m < n_measures && x->log_sum[m] != NULL; m++) {
        x->log_sum[m][t] += log_sum[m];
        x->log_n[m][t] += log_n[m];
    }
}

static enum lq_err read_stream(struct snapshot *s, struct grid *g, struct grid_stream *gs, int tier, const float *log_of_bin, struct lq_error *e)
{
    const struct stream_info *info = gs->info;
    const struct stream_schema *x = info->schema;
    uint32_t *index[DIM_MAX] = {0};
    struct scan *c = NULL;
    const struct fragment *f;
    int64_t period;
    choose_series(s, g, gs, index);
    uint32_t n_series = snapshot_n_series(s, info->id);
    uint8_t *error = lq_alloc(n_series + 1);
    for (uint32_t i = 0; i < n_series; i++) {
        error[i] = snapshot_value(s, info->id, DIM_ERROR, snapshot_series(s, info->id, i)[DIM_ERROR])->text.n == 4;
    }
    enum lq_err err = scan_open(s, info->id, tier, SECTION_CELLS, g->from_s, g->from_s + (int64_t)g->steps * g->step_s,
                                x->n_measures > 0 ? FRAGMENT_BINS : FRAGMENT_COUNTS, &c, e);
    while (err == LQ_OK && (err = scan_next(c, &f, &period, e)) == LQ_OK && f != NULL) {
        for (uint32_t r = 0; r < f->rows; r++) {
            int64_t d = period + (int64_t)f->slot[r] * tiers[tier].step_s - g->from_s;
            float log_sum[MEASURE_MAX] = {0}, log_n[MEASURE_MAX] = {0};
            if (d < 0 || d >= (int64_t)g->steps * g->step_s || f->id[r] >= n_series) {
                continue;
            }
            uint32_t t = (uint32_t)(d / g->step_s);
            for (uint32_t m = 0; m < f->n_measures; m++) {
                struct bin one;
                size_t n;
                const struct bin *bins = fragment_bins(&f->m[m], r, &one, &n);
                for (size_t k = 0; k < n; k++) {
                    log_sum[m] += log_of_bin[bins[k].bin + BIN_LIMIT] * (float)bins[k].n;
                    log_n[m] += (float)bins[k].n;
                }
            }
            const uint32_t *ids = snapshot_series(s, info->id, f->id[r]);
            float count = (float)f->count[r];
            add(&gs->total, t, count, error[f->id[r]] != 0, log_sum, log_n, f->n_measures);
            for (uint32_t dim = DIM_HOST; dim < x->n_dims; dim++) {
                uint32_t i = ids[dim] != VALUE_ABSENT ? index[dim][ids[dim]] : 0;
                if (i > 0) {
                    add(&gs->series[i - 1], t, count, error[f->id[r]] != 0, log_sum, log_n, f->n_measures);
                }
            }
        }
    }
    scan_close(&c);
    free(error);
    return err;
}

enum lq_err grid_read(struct snapshot *s, int64_t from_us, int64_t to_us, struct grid *g, struct lq_error *e)
{
    int64_t from_s = from_us / 1000000, span = to_us / 1000000 - from_s + 1;
    size_t k = 0;
    enum lq_err err = LQ_OK;
    memset(g, 0, sizeof *g);
    while (k + 1 < sizeof steps_s / sizeof steps_s[0] && span / steps_s[k] >= GRID_STEPS_MAX) {
        k++;
    }
    g->step_s = steps_s[k];
    g->from_s = from_s - ((from_s % g->step_s) + g->step_s) % g->step_s;
    g->steps = (uint32_t)((from_s + span - g->from_s + g->step_s - 1) / g->step_s);
    float *log_of_bin = lq_alloc((2 * BIN_LIMIT + 1) * sizeof *log_of_bin);
    for (int32_t b = -BIN_LIMIT + 1; b < BIN_LIMIT; b++) {
        log_of_bin[b + BIN_LIMIT] = b > 0 ? (float)log1p(sketch_bin_middle(b)) : 0;
    }
    g->streams = lq_arena_alloc(&g->mem, snapshot_streams(s) * sizeof *g->streams + 1);
    for (uint32_t i = 0; i < snapshot_streams(s) && err == LQ_OK; i++) {
        const struct stream_info *info = snapshot_stream(s, i);
        if (info->lines > 0) {
            /* quantile bins are in the 1 min tier; where it no longer reaches, counts of the 1 h tier must do */
            bool minute = info->tier_from_s[TIER_1MIN] != INT64_MAX && (info->tier_from_s[TIER_1MIN] <= from_s || g->step_s < 3600);
            struct grid_stream *gs = &g->streams[g->n_streams++];
            gs->info = info;
            err = read_stream(s, g, gs, minute ? TIER_1MIN : TIER_1H, log_of_bin, e);
        }
    }
    free(log_of_bin);
    if (err != LQ_OK) {
        grid_fini(g);
    }
    return err;
}

void grid_fini(struct grid *g)
{
    for (uint32_t i = 0; i < g->n_streams; i++) {
        free(g->streams[i].series);
    }
    lq_arena_fini(&g->mem);
    memset(g, 0, sizeof *g);
}
