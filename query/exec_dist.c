/*
 * exec_dist.c - dist(FIELD): the distribution of a measure as columns, one for each band of values
 *
 * The bands are logarithmic between the 1 % and 99.9 % quantile of the range, found by a first query; then dist(FIELD) is spelled out as
 * over(FIELD, a) - over(FIELD, b), and the query runs as any other. A chart of it is a heat map.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/exec_int.h"

enum { BANDS = 14 };

/* Two digits: 0.0137 -> 0.014. */
static double rounded(double v)
{
    double unit = pow(10, floor(log10(v)) - 1);
    return round(v / unit) * unit;
}

static enum lq_err bounds(struct snapshot *s, const struct query *q, const struct exec_options *o, double out[BANDS], char unit[16], struct lq_error *e)
{
    struct lq_buf text = {0};
    struct query *first = NULL;
    struct result r;
    double low = INFINITY, high = -INFINITY;
    const struct agg *a = &q->aggs[q->columns[0]->agg];
    if (q->filter != NULL) {
        lq_buf_printf(&text, "%.*s ", (int)q->columns_at, q->text.p);
    }
    lq_buf_printf(&text, "p1(%.*s), p99.9(%.*s)", (int)a->field.n, a->field.p, (int)a->field.n, a->field.p);
    enum lq_err err = query_parse((lq_str){text.p, text.n}, &first, e);
    lq_buf_fini(&text);
    if (err == LQ_OK) {
        first->filter = q->filter; /* it may hold more than the text: Grafana's ad hoc filters */
        err = exec_query(s, first, o, &r, e);
    }
    if (err == LQ_OK) {
        for (uint32_t i = 0; i < r.n_series; i++) {
            const double *v = result_row(&r, &r.series[i], 0);
            low = v[0] < low ? v[0] : low;
            high = v[1] > high ? v[1] : high;
        }
        memcpy(unit, r.units[0], 16);
        result_fini(&r);
    }
    query_free(&first);
    low = isfinite(low) && low > 0 ? low : 0.001;
    high = isfinite(high) && high > low * 1.5 ? high : low * 1.5;
    for (int i = 0; i < BANDS; i++) {
        out[i] = rounded(low * pow(high / low, (double)i / (BANDS - 1)));
    }
    return err;
}

static void band_name(struct query *q, uint32_t column, const char *sign, double v, const char *unit)
{
    char buf[40];
    if (strcmp(unit, "s") == 0) {
        snprintf(buf, sizeof buf, v < 1 ? "%s%g ms" : "%s%g s", sign, v < 1 ? v * 1000 : v);
    } else {
        snprintf(buf, sizeof buf, "%s%g", sign, v);
    }
    q->column_names[column] = lq_arena_str(&q->mem, lq_str_of(buf));
}

enum lq_err exec__spell_out(struct snapshot *s, const struct query *q, const struct exec_options *o, struct query **out, struct lq_error *e)
{
    double at[BANDS];
    char unit[16] = "";
    struct lq_buf text = {0};
    const struct agg *a = &q->aggs[q->columns[0]->agg];
    int n = (int)a->field.n;
    enum lq_err err = bounds(s, q, o, at, unit, e);
    if (err != LQ_OK) {
        return err;
    }
    lq_buf_printf(&text, "%.*s over(%.*s, -1) - over(%.*s, %.9g)", (int)q->columns_at, q->text.p, n, a->field.p, n, a->field.p, at[0]);
    for (int i = 1; i < BANDS; i++) {
        lq_buf_printf(&text, ", over(%.*s, %.9g) - over(%.*s, %.9g)", n, a->field.p, at[i - 1], n, a->field.p, at[i]);
    }
    lq_buf_printf(&text, ", over(%.*s, %.9g) %.*s", n, a->field.p, at[BANDS - 1], (int)(q->text.n - q->columns_end), q->text.p + q->columns_end);
    err = query_parse((lq_str){text.p, text.n}, out, e);
    lq_buf_fini(&text);
    if (err == LQ_OK) {
        (*out)->distribution = true;
        (*out)->filter = q->filter;
        (*out)->every_us = q->every_us; /* a chart or Grafana may have chosen it */
        (*out)->every_auto = q->every_auto;
        for (uint32_t i = 0; i < BANDS; i++) {
            band_name(*out, i, "<= ", at[i], unit);
        }
        band_name(*out, BANDS, "> ", at[BANDS - 1], unit);
    }
    return err;
}
