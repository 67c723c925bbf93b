/*
 * exec.h - run a query over a snapshot: which tier and section, then one pass
 *
 * For each stream that has every field of the query: the filter is evaluated once per series (regexes once per value), rows are added to dense
 * accumulators of (group, step). Counts, sums, minima and maxima are exact; quantiles within 1/128, distinct within about 2 %.
 *
 *      section      answers
 *      TOTALS       columns without a field of the filter or `by` but error
 *      CELLS        any combination of dimensions; quantiles in the 10 s and 1 min tiers
 *      MARGINALS    distinct (1 min, 1 h) and, in the 1 h tier, quantiles: for at most one of the stream's sketch_by dimensions, and error
 * What a tier cannot answer is refused with the reason and what could be asked instead.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_EXEC_H
#define LQ_EXEC_H

#include "query/lang/lang.h"
#include "schema/timefmt.h"
#include "store/reader.h"

enum { RESULT_SERIES_MAX = 200000, RESULT_POINTS_MAX = 60000000 };

struct exec_options {
    int64_t from_us, to_us; /* [from, to); INT64_MIN / INT64_MAX = everything stored */
    const struct timezone_rules *tz; /* steps are aligned to its midnight; NULL = UTC */
};

struct result_series {
    const char *stream;
    lq_str labels[QUERY_BY_MAX]; /* in the order of by */
    double *values;              /* steps * columns; NAN = nothing there */
    double rank;                 /* for top */
};
struct result {
    const struct query *q;
    uint32_t n_columns, n_by, n_series, steps; /* steps = 1 without every */
    int64_t from_us, to_us, now_us, step_us;   /* step_us 0 without every */
    int64_t *step_start_us;
    bool partial_first, partial_last;
    struct result_series *series;
    size_t cap_series;
    uint64_t lines, unparsed, overflow;
    struct lq_buf notices; /* one per line */
    struct lq_buf plan;    /* what was read, for people */
    struct lq_arena mem;
};
LQ_MUST enum lq_err exec_query(struct snapshot *s, const struct query *q, const struct exec_options *o, struct result *out, struct lq_error *e);
void result_fini(struct result *r);

#endif
