/*
 * exec_emit.c - the rows of a stream's groups become series of the result; `compare` puts two ranges side by side
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/exec_int.h"

/* An aggregate of nothing. */
static double nothing(const struct run *x, uint32_t i, size_t at, double seconds)
{
    (void)at;
    (void)seconds;
    enum agg_func f = x->q->aggs[i].func;
    return f == AGG_AVG || f == AGG_MIN || f == AGG_MAX || f == AGG_QUANTILE ? NAN : 0;
}

static const char *agg_unit(const struct run *x, uint32_t i)
{
    const struct agg *a = &x->q->aggs[i];
    if (a->func == AGG_RATE) {
        return "/s";
    }
    bool of_measure = a->field.n > 0 && a->func != AGG_DISTINCT && a->func != AGG_OVER;
    return of_measure ? x->info->schema->measures[x->agg_field[i]].unit : "count";
}

/* "count" stays inside: a number of things, which divided by one of the same kind is a share. */
static const char *unit_of(const struct run *x, const struct column_expr *c)
{
    if (c->op == COLUMN_NUMBER) {
        return "number";
    }
    if (c->op == COLUMN_AGG) {
        return agg_unit(x, c->agg);
    }
    const char *a = unit_of(x, c->a), *b = unit_of(x, c->b);
    if (c->op == COLUMN_DIV && strcmp(a, "count") == 0 && strcmp(b, "count") == 0) {
        return "share";
    }
    if (strcmp(b, "number") == 0) {
        return c->op == COLUMN_MUL || c->op == COLUMN_DIV ? (strcmp(a, "share") == 0 || strcmp(a, "count") == 0 ? "" : a) : a;
    }
    if (strcmp(a, "number") == 0) {
        return c->op == COLUMN_DIV ? "" : strcmp(b, "share") == 0 || strcmp(b, "count") == 0 ? "" : b;
    }
    return (c->op == COLUMN_ADD || c->op == COLUMN_SUB) && strcmp(a, b) == 0 ? a : "";
}

static void set_unit(char out[16], const char *unit)
{
    snprintf(out, 16, "%s", strcmp(unit, "count") == 0 || strcmp(unit, "number") == 0 ? "" : unit);
}

static void set_units(const struct run *x)
{
    const struct query *q = x->q;
    for (uint32_t c = 0; c < q->n_columns; c++) {
        set_unit(x->r->units[c], unit_of(x, q->columns[c]));
        if (q->compare_us > 0) {
            set_unit(x->r->units[q->n_columns + 2 * c], unit_of(x, q->columns[c]));
            set_unit(x->r->units[q->n_columns + 2 * c + 1], "change");
        }
    }
}

/* Was anything stored in a step of the earlier range? Before the first record nothing is known: null, not zero. */
static bool before_known(const struct run *x, uint32_t step)
{
    return x->r->step_start_us[step + 1] - x->q->compare_us > x->info->first_us;
}

static void put_compared(const struct run *x, uint32_t step, const double *now, const double *before, double *out)
{
    uint32_t n = x->q->n_columns;
    for (uint32_t c = 0; c < n; c++) {
        double b = before_known(x, step) ? before[c] : NAN;
        out[c] = now[c];
        out[n + 2 * c] = b;
        out[n + 2 * c + 1] = b == 0 ? NAN : (now[c] - b) / fabs(b);
    }
}

/* Both lists of rows, joined by step. */
static void join(const struct run *x, uint32_t g, const double *empty, struct result_series *out)
{
    const struct group_rows *now = &x->rows[0][g], *before = &x->rows[1][g];
    uint32_t n = x->q->n_columns, i = 0, k = 0;
    out->step = lq_alloc(((size_t)now->n + before->n + 1) * sizeof *out->step);
    out->values = lq_alloc(((size_t)now->n + before->n + 1) * x->q->n_out * sizeof *out->values);
    while (i < now->n || k < before->n) {
        uint32_t si = i < now->n ? now->step[i] : UINT32_MAX, sk = k < before->n ? before->step[k] : UINT32_MAX, s = si < sk ? si : sk;
        put_compared(x, s, si == s ? now->values + (size_t)i * n : empty, sk == s ? before->values + (size_t)k * n : empty,
                     out->values + (size_t)out->n * x->q->n_out);
        out->step[out->n++] = s;
        i += si == s;
        k += sk == s;
    }
}

static void take_rows(struct run *x, uint32_t g, const double *empty, struct result_series *out)
{
    if (x->q->compare_us > 0) {
        join(x, g, empty, out);
        return;
    }
    struct group_rows *rows = &x->rows[0][g];
    out->n = rows->n;
    out->step = rows->step;
    out->values = rows->values;
    memset(rows, 0, sizeof *rows);
}

void exec__emit(struct run *x)
{
    struct result *r = x->r;
    const struct query *q = x->q;
    const char *name = lq_arena_strdup(&r->mem, lq_str_of(x->info->schema->name));
    double *base = lq_arena_alloc(&r->mem, q->n_columns * sizeof *base), *empty = base;
    for (uint32_t c = 0; c < q->n_columns; c++) {
        base[c] = exec__column(x, q->columns[c], nothing, 0, 1);
    }
    if (q->compare_us > 0) {
        empty = lq_arena_alloc(&r->mem, q->n_out * sizeof *empty);
        put_compared(x, r->steps - 1, base, base, empty);
    }
    if (r->n_series == 0) {
        set_units(x);
    }
    for (uint32_t g = 0; g < x->n_groups; g++) {
        if (x->rows[0][g].n + x->rows[1][g].n == 0 && q->n_by > 0) {
            continue;
        }
        struct result_series out = {.stream = name, .empty = empty};
        take_rows(x, g, base, &out);
        for (uint32_t i = 0; i < q->n_by; i++) {
            lq_str v = x->by[i] == FIELD_STREAM     ? lq_str_of(name)
                       : x->by[i] == FIELD_IDENTITY ? x->identities[x->group_values[g][i]]
                                                    : snapshot_value(x->s, x->info->id, x->by[i], x->group_values[g][i])->text;
            out.labels[i] = lq_arena_str(&r->mem, v);
        }
        lq_grow(&r->series, &r->cap_series, r->n_series + 1, sizeof *r->series);
        r->series[r->n_series++] = out;
    }
}

const double *result_row(const struct result *r, const struct result_series *s, uint32_t step)
{
    uint32_t low = 0, high = s->n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (s->step[mid] < step) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < s->n && s->step[low] == step ? s->values + (size_t)low * r->n_columns : s->empty;
}
