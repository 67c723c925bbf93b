/*
 * grid.c - one pass over the cells of each stream into dense arrays (grid.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/change/grid.h"

#include <math.h>
#include <stdlib.h>

static const int64_t steps_s[] = {10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400};

struct reading { /* one stream */
    struct snapshot *s;
    struct grid *g;
    struct grid_stream *gs;
    const struct grid_options *o;
    uint32_t *index[DIM_MAX]; /* index[dim][value] = series + 1, 0 = not followed */
    uint8_t *error;           /* by series id */
    const double *log_of_bin;
    struct lq_error *e;
};

static void alloc_series(struct grid *g, struct grid_series *x, uint32_t n_measures)
{
    x->count = lq_arena_alloc(&g->mem, g->steps * sizeof *x->count);
    x->errors = lq_arena_alloc(&g->mem, g->steps * sizeof *x->errors);
    for (uint32_t m = 0; m < n_measures; m++) {
        x->log_sum[m] = lq_arena_alloc(&g->mem, g->steps * sizeof *x->log_sum[m]);
        x->log_n[m] = lq_arena_alloc(&g->mem, g->steps * sizeof *x->log_n[m]);
    }
    g->bytes += (int64_t)g->steps *
                (int64_t)(2 * sizeof *x->count + n_measures * (sizeof *x->log_sum[0] + sizeof *x->log_n[0]));
}

struct ranked {
    uint32_t value;
    bool fresh; /* first seen within the range */
    uint64_t count;
    lq_str text;
};

static int by_count(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->count != y->count) {
        return x->count > y->count ? -1 : 1;
    }
    return lq_str_cmp(x->text, y->text);
}

static enum lq_err follow(struct reading *r, uint32_t dim, uint32_t value, bool measured, size_t *cap)
{
    struct grid_series one = {.dim = dim, .value = value};
    int64_t most = r->o->budget != NULL ? r->o->budget->bytes_max : 0;
    if (most > 0 && r->g->bytes > most) {
        lq_error_set(r->e, LQ_ELIMIT, "the series to look at need more than %lld MB", (long long)(most >> 20));
        lq_error_hint(r->e, "fewer of them, or less time: --until, or a store of these logs alone");
        return LQ_ELIMIT;
    }
    alloc_series(r->g, &one, measured ? r->gs->info->schema->n_measures : 0);
    lq_grow(&r->gs->series, cap, r->gs->n_series + 1, sizeof *r->gs->series);
    r->gs->series[r->gs->n_series++] = one;
    r->index[dim][value] = r->gs->n_series;
    return LQ_OK;
}

/* The values followed: what was never seen before the range has half of the places, the most frequent of the others the
 * rest. */
static enum lq_err choose_series(struct reading *r)
{
    enum lq_err err = LQ_OK;
    struct grid_stream *gs = r->gs;
    const struct stream_schema *x = gs->info->schema;
    int64_t from_us = r->g->from_s * 1000000, to_us = r->o->to_s * 1000000;
    size_t cap = 0;
    alloc_series(r->g, &gs->total, x->n_measures);
    gs->total.dim = UINT32_MAX;
    for (uint32_t d = DIM_HOST; d < x->n_dims && err == LQ_OK; d++) {
        uint32_t n = snapshot_values(r->s, gs->info->id, d), k = 0, fresh = 0;
        struct ranked *v = lq_alloc((n + 1) * sizeof *v);
        r->index[d] = lq_arena_alloc(&r->g->mem, (n + 1) * sizeof *r->index[d]);
        for (uint32_t i = VALUE_OVERFLOW + 1; i < n; i++) {
            const struct value_info *info = snapshot_value(r->s, gs->info->id, d, i);
            if (info->last_us >= from_us && info->first_us < to_us) {
                bool is_new = info->first_us > from_us + r->g->step_s * 1000000;
                v[k++] = (struct ranked){i, is_new, info->count, info->text};
            }
        }
        qsort(v, k, sizeof *v, by_count);
        bool measured = (x->sketch_by >> d & 1) != 0;
        for (uint32_t i = 0; i < k && fresh < GRID_VALUES_MAX / 2 && err == LQ_OK; i++) {
            if (v[i].fresh) {
                err = follow(r, d, v[i].value, measured, &cap);
                fresh++;
            }
        }
        for (uint32_t i = 0, taken = fresh; i < k && taken < GRID_VALUES_MAX && err == LQ_OK; i++) {
            if (r->index[d][v[i].value] == 0) {
                err = follow(r, d, v[i].value, measured, &cap);
                taken++;
            }
        }
        free(v);
    }
    return err;
}

static void add(struct grid_series *x, uint32_t t, float count, bool error, const double *log_sum, const float *log_n,
                uint32_t n_measures)
{
    x->count[t] += count;
    x->errors[t] += error ? count : 0;
    for (uint32_t m = 0; m < n_measures && x->log_sum[m] != NULL; m++) {
        x->log_sum[m][t] += log_sum[m];
        x->log_n[m][t] += log_n[m];
    }
}

static void logs_of_row(const struct reading *rd, const struct fragment *f, uint32_t r, double *log_sum, float *log_n)
{
    for (uint32_t m = 0; m < f->n_measures; m++) {
        struct bin one;
        size_t n = 0;
        const struct bin *bins = f->m[m].n != NULL ? fragment_bins(&f->m[m], r, &one, &n) : NULL;
        log_sum[m] = log_n[m] = 0;
        for (size_t k = 0; k < n; k++) {
            log_sum[m] += rd->log_of_bin[bins[k].bin + BIN_LIMIT] * bins[k].n;
            log_n[m] += (float)bins[k].n;
        }
    }
}

static void add_window(struct grid_window *w, const struct grid_options *o, int64_t t_s, float count, bool error)
{
    int side = t_s < o->before_to_s ? 0 : t_s >= o->after_from_s && t_s < o->after_to_s ? 1 : -1;
    if (side >= 0) {
        w->count[side] += count;
        w->errors[side] += error ? count : 0;
    }
}

static void cell_row(struct reading *rd, const struct fragment *f, uint32_t r, int64_t t_s, bool measures)
{
    struct grid *g = rd->g;
    struct grid_stream *gs = rd->gs;
    double log_sum[MEASURE_MAX];
    float log_n[MEASURE_MAX];
    uint32_t t = (uint32_t)((t_s - g->from_s) / g->step_s), n_measures = measures ? f->n_measures : 0;
    bool error = rd->error[f->id[r]] != 0;
    float count = (float)f->count[r];
    if (measures) {
        logs_of_row(rd, f, r, log_sum, log_n);
    }
    const uint32_t *ids = snapshot_series(rd->s, gs->info->id, f->id[r]);
    add(&gs->total, t, count, error, log_sum, log_n, n_measures);
    for (uint32_t dim = DIM_HOST; dim < gs->info->schema->n_dims; dim++) {
        uint32_t i = ids[dim] != VALUE_ABSENT ? rd->index[dim][ids[dim]] : 0;
        if (i > 0) {
            add(&gs->series[i - 1], t, count, error, log_sum, log_n, n_measures);
        }
    }
    if (gs->windows != NULL) {
        add_window(&gs->windows[f->id[r]], rd->o, t_s, count, error);
    }
}

/* In the 1 h tier the bins of measures are kept by single values only. */
static void marginal_row(struct reading *rd, const struct fragment *f, uint32_t r, int64_t t_s)
{
    struct marginal_info m = snapshot_marginal(rd->s, rd->gs->info->id, f->id[r]);
    double log_sum[MEASURE_MAX];
    float log_n[MEASURE_MAX];
    uint32_t i = m.dim != UINT32_MAX && rd->index[m.dim] != NULL ? rd->index[m.dim][m.value] : 0;
    struct grid_series *x = m.dim == UINT32_MAX ? &rd->gs->total : i > 0 ? &rd->gs->series[i - 1] : NULL;
    if (x != NULL) {
        logs_of_row(rd, f, r, log_sum, log_n);
        add(x, (uint32_t)((t_s - rd->g->from_s) / rd->g->step_s), 0, false, log_sum, log_n, f->n_measures);
    }
}

static enum lq_err read_section(struct reading *rd, enum section section, unsigned what, struct lq_error *e)
{
    struct grid *g = rd->g;
    int64_t end = g->from_s + (int64_t)g->steps * g->step_s, period;
    end = rd->o->to_s < end ? rd->o->to_s : end;
    uint32_t known = section == SECTION_CELLS ? snapshot_n_series(rd->s, rd->gs->info->id)
                                              : snapshot_marginals(rd->s, rd->gs->info->id);
    struct scan *c = NULL;
    const struct fragment *f;
    enum lq_err err = scan_open(rd->s, rd->gs->info->id, rd->o->tier, section, g->from_s, end, what, &c, e);
    while (err == LQ_OK && (err = rd->o->budget != NULL ? budget_check(rd->o->budget, e) : LQ_OK) == LQ_OK &&
           (err = scan_next(c, &f, &period, e)) == LQ_OK && f != NULL) {
        for (uint32_t r = 0; r < f->rows; r++) {
            int64_t t_s = period + (int64_t)f->slot[r] * tiers[rd->o->tier].step_s;
            if (t_s < g->from_s || t_s >= end || f->id[r] >= known) {
                continue;
            }
            if (section == SECTION_CELLS) {
                cell_row(rd, f, r, t_s, (what & FRAGMENT_BINS) != 0);
            } else {
                marginal_row(rd, f, r, t_s);
            }
        }
    }
    scan_close(&c);
    return err;
}

static enum lq_err read_stream(struct reading *rd, struct lq_error *e)
{
    const struct stream_info *info = rd->gs->info;
    bool measures = info->schema->n_measures > 0, hours = rd->o->tier == TIER_1H;
    enum lq_err err = choose_series(rd);
    if (err != LQ_OK) {
        return err;
    }
    uint32_t n = snapshot_n_series(rd->s, info->id);
    rd->error = lq_alloc(n + 1);
    for (uint32_t i = 0; i < n; i++) {
        rd->error[i] =
            snapshot_value(rd->s, info->id, DIM_ERROR, snapshot_series(rd->s, info->id, i)[DIM_ERROR])->text.n == 4;
    }
    if (rd->o->windows) {
        rd->gs->n_windows = n;
        rd->gs->windows = lq_arena_alloc(&rd->g->mem, (n + 1) * sizeof *rd->gs->windows);
    }
    err = read_section(rd, SECTION_CELLS, measures && !hours ? FRAGMENT_BINS : FRAGMENT_COUNTS, e);
    if (err == LQ_OK && measures && hours) {
        err = read_section(rd, SECTION_MARGINALS, FRAGMENT_BINS, e);
    }
    free(rd->error);
    return err;
}

static void set_steps(struct grid *g, const struct grid_options *o)
{
    int64_t span = o->to_s - o->from_s;
    size_t k = 0;
    g->step_s = o->step_s;
    if (g->step_s == 0) {
        while (k + 1 < sizeof steps_s / sizeof steps_s[0] &&
               (span / steps_s[k] >= GRID_STEPS_MAX || steps_s[k] < tiers[o->tier].step_s)) {
            k++;
        }
        g->step_s = steps_s[k];
    }
    g->from_s = o->from_s - ((o->from_s % g->step_s) + g->step_s) % g->step_s;
    g->steps = (uint32_t)((o->to_s - g->from_s + g->step_s - 1) / g->step_s);
    g->steps = g->steps > 0 ? g->steps : 1;
}

enum lq_err grid_read(struct snapshot *s, const struct grid_options *o, struct grid *g, struct lq_error *e)
{
    enum lq_err err = LQ_OK;
    memset(g, 0, sizeof *g);
    set_steps(g, o);
    double *log_of_bin = lq_alloc((2 * BIN_LIMIT + 1) * sizeof *log_of_bin);
    for (int32_t b = -BIN_LIMIT + 1; b < BIN_LIMIT; b++) {
        log_of_bin[b + BIN_LIMIT] = b > 0 ? round(log1p(sketch_bin_middle(b)) * GRID_LOG_UNIT) : 0;
    }
    g->streams = lq_arena_alloc(&g->mem, (snapshot_streams(s) + 1) * sizeof *g->streams);
    for (uint32_t i = 0; i < snapshot_streams(s) && err == LQ_OK; i++) {
        const struct stream_info *info = snapshot_stream(s, i);
        if (info->lines > 0) {
            struct reading rd = {.s = s, .g = g, .gs = &g->streams[g->n_streams++], .o = o, .log_of_bin = log_of_bin, .e = e};
            rd.gs->info = info;
            err = read_stream(&rd, e);
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
