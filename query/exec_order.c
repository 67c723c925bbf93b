/*
 * exec_order.c - which series come first, and which are left out
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/exec_int.h"

static enum rank_fold fold_of(const struct query *q, const struct rank *k)
{
    if (k->fold != RANK_AUTO) {
        return k->fold;
    }
    uint32_t c = k->column < q->n_columns ? k->column : (k->column - q->n_columns) / 2;
    bool change = k->column >= q->n_columns && (k->column - q->n_columns) % 2 == 1;
    return !change && query_column_adds(q, q->columns[c]) ? RANK_SUM : RANK_MAX;
}

/* One number for a series; NAN when no step has one. Steps without records count with their zeros. */
static double rank_of(const struct result *r, const struct result_series *s, const struct rank *k)
{
    enum rank_fold fold = fold_of(r->q, k);
    double sum = 0, n = 0, low = INFINITY, high = -INFINITY;
    if (fold == RANK_LAST) {
        return result_row(r, s, r->steps - 1)[k->column];
    }
    for (uint32_t i = 0; i <= s->n; i++) {
        double times = i < s->n ? 1 : r->steps - s->n, v = i < s->n ? s->values[(size_t)i * r->n_columns + k->column] : s->empty[k->column];
        if (isnan(v) || times == 0) {
            continue;
        }
        sum += v * times;
        n += times;
        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    return n == 0 ? NAN : fold == RANK_SUM ? sum : fold == RANK_AVG ? sum / n : fold == RANK_MIN ? low : high;
}

struct order {
    const struct query *q;
    bool ascending, by_rank;
    uint32_t field;
};

static bool number_of(lq_str s, double *v)
{
    char buf[64], *end;
    if (s.n == 0 || s.n >= sizeof buf) {
        return false;
    }
    memcpy(buf, s.p, s.n);
    buf[s.n] = '\0';
    *v = strtod(buf, &end);
    return *end == '\0' && !isnan(*v);
}

static int label_order(lq_str a, lq_str b)
{
    double x, y;
    if (number_of(a, &x) && number_of(b, &y) && x != y) {
        return x < y ? -1 : 1;
    }
    return lq_str_cmp(a, b);
}

static int compare(const void *a, const void *b, void *ctx)
{
    const struct result_series *x = a, *y = b;
    const struct order *o = ctx;
    int c = 0;
    if (o->by_rank && (isnan(x->rank) || isnan(y->rank))) {
        c = isnan(x->rank) - isnan(y->rank); /* nothing to rank by comes last */
    } else if (o->by_rank) {
        c = x->rank == y->rank ? 0 : (x->rank < y->rank) == o->ascending ? -1 : 1;
    } else if (o->field != UINT32_MAX) {
        c = label_order(x->labels[o->field], y->labels[o->field]);
        c = o->ascending ? c : -c;
    }
    c = c != 0 ? c : strcmp(x->stream, y->stream);
    for (uint32_t i = 0; i < o->q->n_by && c == 0; i++) {
        c = lq_str_cmp(x->labels[i], y->labels[i]);
    }
    return c;
}

static void sort_by(struct result *r, const struct rank *k, bool ascending)
{
    struct order o = {r->q, ascending, k != NULL && k->field == UINT32_MAX, k != NULL ? k->field : UINT32_MAX};
    for (uint32_t i = 0; o.by_rank && i < r->n_series; i++) {
        r->series[i].rank = rank_of(r, &r->series[i], k);
    }
    if (r->n_series > 1) {
        qsort_r(r->series, r->n_series, sizeof *r->series, compare, &o);
    }
}

static void keep(struct result *r, uint32_t n)
{
    while (n > 0 && r->n_series > n) {
        struct result_series *s = &r->series[--r->n_series];
        free(s->step);
        free(s->values);
    }
}

void exec__order(struct result *r, const struct query *q)
{
    if (q->top > 0) {
        sort_by(r, &q->top_rank, q->bottom);
        keep(r, q->top);
    }
    if (q->sorted) {
        sort_by(r, &q->sort_rank, q->ascending);
    } else if (q->top == 0) {
        sort_by(r, r->step_us == 0 ? &q->top_rank : NULL, false);
    }
    keep(r, q->limit);
}
