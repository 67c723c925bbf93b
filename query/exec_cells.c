/*
 * exec_cells.c - accumulators of the steps in work, and the numbers that they become
 *
 * A step that is complete is evaluated, appended to its group's rows, and cleared: bins and distinct sketches never outlive the window.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/exec_int.h"

enum { SPARSE_MAX = 1024, COMPACT_SLACK = 1024 };

static void *grown(void *p, size_t old, size_t cap, size_t size)
{
    p = lq_realloc(p, cap * size);
    memset((char *)p + old * size, 0, (cap - old) * size);
    return p;
}

void exec__cells_reserve(struct run *x)
{
    struct cells *c = &x->c;
    size_t need = (size_t)x->n_groups * c->width, old = c->cap;
    if (need <= old) {
        return;
    }
    size_t cap = old * 2 > need ? old * 2 : need;
    c->cells = grown(c->cells, old, cap, sizeof *c->cells);
    c->touched = grown(c->touched, old / c->width, cap / c->width + 1, 1);
    for (uint32_t m = 0; m < MEASURE_MAX; m++) {
        if ((x->need_measures >> m & 1) != 0) {
            c->measures[m] = grown(c->measures[m], old, cap, sizeof *c->measures[m]);
        }
        if ((x->need_bins >> m & 1) != 0) {
            c->scratch = c->scratch != NULL ? c->scratch : lq_alloc(sizeof *c->scratch);
            c->bins[m] = grown(c->bins[m], old, cap, sizeof *c->bins[m]);
        }
    }
    for (uint32_t i = 0; i < IDENTITY_MAX; i++) {
        if ((x->need_distinct >> i & 1) != 0) {
            c->distinct[i] = grown(c->distinct[i], old, cap, sizeof *c->distinct[i]);
        }
    }
    c->cap = cap;
}

/* ---- adding ---- */

/* Sorted, one entry for each bin. */
static void compact(const struct run *x, struct bins_acc *b)
{
    bool sorted = true;
    for (size_t i = 1; i < b->n && sorted; i++) {
        sorted = b->bins[i - 1].bin < b->bins[i].bin;
    }
    if (!sorted) {
        b->n = bins_sort(x->c.scratch, b->bins, b->n);
    }
    b->compact_at = 2 * b->n + COMPACT_SLACK;
}

static void add_bins(struct run *x, struct bins_acc *b, const struct measure_column *c, uint32_t r)
{
    struct bin one;
    size_t n, cap = b->cap;
    const struct bin *from = fragment_bins(c, r, &one, &n);
    if (n == 0) {
        return;
    }
    if (b->n + n > b->compact_at && b->n > 0) {
        compact(x, b);
    }
    lq_grow(&b->bins, &b->cap, b->n + n, sizeof *b->bins);
    memcpy(b->bins + b->n, from, n * sizeof *from);
    b->n += n;
    x->r->bytes += (b->cap - cap) * sizeof *b->bins;
}

static void set_register(uint8_t *registers, uint32_t entry)
{
    uint8_t rank = (uint8_t)(entry & 63), *reg = &registers[entry >> 6];
    *reg = rank > *reg ? rank : *reg;
}

/* A list of entries while it is short, then registers. */
static void add_distinct(struct run *x, struct distinct_acc *a, const uint32_t *entries, size_t n)
{
    size_t cap = a->cap;
    if (a->registers == NULL && a->n + n <= SPARSE_MAX) {
        lq_grow(&a->entries, &a->cap, a->n + n, sizeof *a->entries);
        memcpy(a->entries + a->n, entries, n * sizeof *entries);
        a->n += n;
        x->r->bytes += (a->cap - cap) * sizeof *a->entries;
        return;
    }
    if (a->registers == NULL) {
        a->registers = lq_alloc(DISTINCT_REGISTERS);
        x->r->bytes += DISTINCT_REGISTERS;
        for (size_t i = 0; i < a->n; i++) {
            set_register(a->registers, a->entries[i]);
        }
        a->n = 0;
    }
    for (size_t i = 0; i < n; i++) {
        set_register(a->registers, entries[i]);
    }
}

void exec__cells_add(struct run *x, const struct fragment *f, uint32_t r, size_t at, bool error, bool counts)
{
    struct cells *c = &x->c;
    if (counts) {
        c->cells[at].count += f->count[r];
        c->cells[at].errors += error ? f->count[r] : 0;
    }
    for (uint32_t m = 0; counts && x->need_measures != 0 && m < f->n_measures; m++) {
        const struct measure_column *col = &f->m[m];
        if ((x->need_measures >> m & 1) == 0 || col->n == NULL || col->n[r] == 0) {
            continue;
        }
        struct measure_acc *a = &c->measures[m][at];
        a->min = a->n == 0 || col->min[r] < a->min ? col->min[r] : a->min;
        a->max = a->n == 0 || col->max[r] > a->max ? col->max[r] : a->max;
        a->n += col->n[r];
        a->sum += col->sum[r];
        if ((x->need_bins >> m & 1) != 0) {
            add_bins(x, &c->bins[m][at], col, r);
        }
    }
    for (uint32_t i = 0; !counts && i < f->n_identities; i++) {
        const struct distinct_column *d = &f->d[i];
        if ((x->need_distinct >> i & 1) != 0 && d->at != NULL && d->at[r + 1] > d->at[r]) {
            add_distinct(x, &c->distinct[i][at], d->entries + d->at[r], d->at[r + 1] - d->at[r]);
        }
    }
}

/* ---- values ---- */

static double distinct_value(struct distinct_acc *a)
{
    uint8_t registers[DISTINCT_REGISTERS];
    uint32_t entries[DISTINCT_REGISTERS];
    const uint8_t *from = a->registers;
    size_t n = 0;
    if (from == NULL) {
        memset(registers, 0, sizeof registers);
        for (size_t i = 0; i < a->n; i++) {
            set_register(registers, a->entries[i]);
        }
        from = registers;
    }
    for (uint32_t k = 0; k < DISTINCT_REGISTERS; k++) {
        if (from[k] > 0) {
            entries[n++] = k << 6 | from[k];
        }
    }
    return round(distinct_estimate(entries, n));
}

static double over_value(struct bins_acc *b, double bound, int64_t scale)
{
    double scaled = bound * (double)scale;
    int64_t limit = scaled >= 9e18 ? INT64_MAX : scaled <= -9e18 ? INT64_MIN : (int64_t)floor(scaled);
    int32_t last = sketch_bin(limit);
    uint64_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        n += b->bins[i].bin > last ? b->bins[i].n : 0;
    }
    return (double)n;
}

static double agg_value(const struct run *x, uint32_t i, size_t at, double seconds)
{
    const struct agg *a = &x->q->aggs[i];
    const struct cell_acc *c = &x->c.cells[at];
    uint32_t f = x->agg_field[i];
    if (a->func == AGG_DISTINCT) {
        return distinct_value(&x->c.distinct[f][at]);
    }
    if (a->func == AGG_COUNT || a->func == AGG_ERRORS || a->func == AGG_RATE) {
        return a->func == AGG_COUNT ? (double)c->count : a->func == AGG_ERRORS ? (double)c->errors : (double)c->count / seconds;
    }
    const struct measure_acc *m = &x->c.measures[f][at];
    int64_t scale = x->info->schema->measures[f].scale;
    if (m->n == 0) {
        return a->func == AGG_SUM || a->func == AGG_OVER ? 0 : NAN;
    }
    switch (a->func) {
    case AGG_SUM: return (double)m->sum / (double)scale;
    case AGG_AVG: return (double)m->sum / (double)scale / (double)m->n;
    case AGG_MIN: return (double)m->min / (double)scale;
    case AGG_MAX: return (double)m->max / (double)scale;
    default: break;
    }
    struct bins_acc *b = &x->c.bins[f][at];
    compact(x, b);
    if (a->func == AGG_OVER) {
        return over_value(b, a->q, scale);
    }
    return b->n > 0 ? sketch_quantile(b->bins, b->n, a->q, m->min, m->max) / (double)scale : NAN;
}

double exec__column(const struct run *x, const struct column_expr *c, double (*agg)(const struct run *, uint32_t, size_t, double), size_t at, double seconds)
{
    if (c->op == COLUMN_NUMBER) {
        return c->number;
    }
    if (c->op == COLUMN_AGG) {
        return agg(x, c->agg, at, seconds);
    }
    double a = exec__column(x, c->a, agg, at, seconds), b = exec__column(x, c->b, agg, at, seconds);
    switch (c->op) {
    case COLUMN_ADD: return a + b;
    case COLUMN_SUB: return a - b;
    case COLUMN_MUL: return a * b;
    default: return b == 0 ? NAN : a / b;
    }
}

/* ---- a step is complete ---- */

enum lq_err exec__row(struct run *x, uint32_t group, uint32_t step, const double *values)
{
    struct group_rows *g = &x->rows[x->pass][group];
    uint32_t columns = x->q->n_columns;
    size_t cap = g->cap_step * sizeof *g->step + g->cap_values * sizeof *g->values;
    size_t rows = g->n == 0 && x->q->n_by == 0 ? x->r->steps : (size_t)g->n + 1; /* without by every step has one */
    lq_grow(&g->step, &g->cap_step, rows, sizeof *g->step);
    lq_grow(&g->values, &g->cap_values, rows * columns, sizeof *g->values);
    g->step[g->n] = step;
    memcpy(g->values + (size_t)g->n * columns, values, columns * sizeof *values);
    g->n++;
    x->r->bytes += g->cap_step * sizeof *g->step + g->cap_values * sizeof *g->values - cap;
    long long most = exec__bytes_max(x);
    if ((long long)x->r->bytes > most) {
        lq_error_set(x->e, LQ_ELIMIT, "the answer is larger than %lld MB", most >> 20);
        lq_error_hint(x->e, "ask for fewer fields after by, a longer every, or a shorter range (--since)");
        return LQ_ELIMIT;
    }
    return LQ_OK;
}

static void clear(struct run *x, size_t at)
{
    struct cells *c = &x->c;
    c->cells[at] = (struct cell_acc){0, 0};
    for (uint32_t m = 0; x->need_measures != 0 && m < MEASURE_MAX; m++) {
        if (c->measures[m] != NULL) {
            c->measures[m][at].n = 0;
            c->measures[m][at].sum = 0;
        }
        if (c->bins[m] != NULL) {
            c->bins[m][at].n = 0;
        }
    }
    for (uint32_t i = 0; x->need_distinct != 0 && i < IDENTITY_MAX; i++) {
        if (c->distinct[i] != NULL) {
            struct distinct_acc *a = &c->distinct[i][at];
            x->r->bytes -= a->registers != NULL ? (uint64_t)DISTINCT_REGISTERS : 0;
            free(a->registers);
            a->registers = NULL;
            a->n = 0;
        }
    }
}

static enum lq_err finish_group(struct run *x, uint32_t g, uint32_t to)
{
    struct cells *c = &x->c;
    double row[QUERY_COLUMNS_MAX];
    enum lq_err err = LQ_OK;
    for (uint32_t s = x->done; s < to && err == LQ_OK; s++) {
        size_t at = (size_t)g * c->width + s % c->width;
        bool some = c->cells[at].count > 0;
        if (!some && x->q->n_by > 0) {
            continue;
        }
        double seconds = exec__step_seconds(x->r, s);
        for (uint32_t k = 0; k < x->q->n_columns; k++) {
            row[k] = exec__column(x, x->q->columns[k], agg_value, at, seconds);
        }
        err = exec__row(x, g, s, row);
        clear(x, at);
    }
    c->touched[g] = 0;
    return err;
}

enum lq_err exec__cells_finish(struct run *x, uint32_t step)
{
    enum lq_err err = LQ_OK;
    uint32_t to = step, window_end = x->done + x->c.width;
    if (step <= x->done) {
        return LQ_OK;
    }
    if (x->q->n_by > 0 && to > window_end) { /* steps behind the window have nothing */
        to = window_end;
    }
    for (uint32_t g = 0; g < x->n_groups && err == LQ_OK; g++) {
        if (x->c.touched[g] != 0 || x->q->n_by == 0) {
            err = finish_group(x, g, to);
        }
    }
    x->done = step;
    return err;
}

void exec__cells_fini(struct run *x)
{
    struct cells *c = &x->c;
    for (uint32_t m = 0; m < MEASURE_MAX; m++) {
        for (size_t i = 0; c->bins[m] != NULL && i < c->cap; i++) {
            free(c->bins[m][i].bins);
        }
        free(c->bins[m]);
        free(c->measures[m]);
    }
    for (uint32_t k = 0; k < IDENTITY_MAX; k++) {
        for (size_t i = 0; c->distinct[k] != NULL && i < c->cap; i++) {
            free(c->distinct[k][i].registers);
            free(c->distinct[k][i].entries);
        }
        free(c->distinct[k]);
    }
    free(c->scratch);
    free(c->cells);
    free(c->touched);
}
