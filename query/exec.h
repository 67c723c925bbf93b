/*
 * exec.h - run a query over a snapshot: which tier and section, then one pass in time order
 *
 * For each stream that has the fields of the query: the filter is evaluated once per series (regexes once per value); rows are added to a window of the
 * steps that a period of the store can touch; a step that is complete becomes one row of numbers of its series, and its accumulators are used again. So
 * memory is the answer's, not (series x steps): only steps with records are kept (a query without `by` keeps all).
 *
 *      section      answers
 *      TOTALS       columns without a field of the filter or `by` but error
 *      CELLS        any combination of dimensions; quantiles in the 10 s and 1 min tiers
 *      MARGINALS    distinct (1 min, 1 h) and, in the 1 h tier, quantiles: for at most one of the stream's sketch_by dimensions, and error
 *      HEAVY        count, errors and rate by one identity, or of some: from the heaviest 64 of each hour, with the error said
 * What a tier cannot answer is refused with the reason and what could be asked instead. Counts, sums, minima and maxima are exact; quantiles within
 * 1/128, distinct within about 2 %.
 *
 * Range: [from, to), clamped to what is stored, then to whole buckets of the tier that is read. Steps are aligned to the zone's midnight (steps of weeks to Mondays).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_EXEC_H
#define LQ_EXEC_H

#include "query/budget.h"
#include "query/lang/lang.h"
#include "schema/timefmt.h"
#include "store/reader.h"

enum { RESULT_SERIES_MAX = 200000, RESULT_STEPS_MAX = 4000000, AUTO_STEPS = 100, AUTO_CHANGE_STEPS = 400 };
#define RESULT_BYTES_MAX (1LL << 30) /* of one answer in memory */

struct format_set;
struct exec_options {
    int64_t from_us, to_us; /* [from, to); INT64_MIN / INT64_MAX = everything stored */
    int64_t now_us;         /* said in the answer; 0 = the newest event */
    bool exact;             /* the range as it is given: not clamped to what is stored */
    const struct timezone_rules *tz; /* steps are aligned to its midnight; NULL = UTC */
    uint32_t auto_steps;             /* at most, for `every auto`; 0 = AUTO_STEPS */
    struct budget budget;            /* bytes_max 0 = RESULT_BYTES_MAX */
    struct format_set *formats;      /* for | lines: example lines are parsed again to test fields that they were not filed under; may be NULL */
};

struct series_change {
    uint32_t column, step, low, high; /* first step after the change, and its 95 % interval */
    const char *type; /* step_change, trend_change, spike, dip */
    double before, after, p;
};

struct result_series {
    const char *stream;
    lq_str labels[QUERY_BY_MAX]; /* in the order of by */
    uint32_t n;                  /* rows, steps ascending; steps without records have none (result_row) */
    uint32_t *step;
    double *values;      /* n * n_columns; NAN = nothing there */
    const double *empty; /* the row of a step without records: counts 0, others NAN */
    double rank;
    struct series_change *changes;
    uint32_t n_changes;
};
/* An example line of | lines. */
struct result_line {
    int64_t time_us;
    const char *stream;
    lq_str text;
    uint32_t n_labels;
    lq_str *names, *values; /* the dimensions that are known of it */
};
struct result {
    const struct query *q;
    uint32_t n_columns, n_by, n_series, steps; /* steps = 1 without every */
    lq_str column_names[QUERY_OUT_MAX];
    char units[QUERY_OUT_MAX][16];             /* "", "s", "bytes", "/s", "share" (of 1), "change" */
    int64_t from_us, to_us, now_us, step_us;   /* step_us 0 without every */
    int64_t *step_start_us;                    /* steps + 1: the last is the end */
    bool partial_first, partial_last;
    struct result_series *series;
    size_t cap_series;
    struct result_line *lines;
    size_t n_lines, cap_lines;
    uint64_t records, unparsed, overflow;
    uint64_t bytes;        /* held by rows, for the limit */
    struct lq_buf notices; /* one per line */
    struct lq_buf plan;    /* what was read and why, for people */
    struct query *spelled_out; /* owned; q points to it when the query has dist() */
    struct lq_arena mem;
};
LQ_MUST enum lq_err exec_query(struct snapshot *s, const struct query *q, const struct exec_options *o, struct result *out, struct lq_error *e);
/* Only decide what would be read: fills plan, notices, range and steps. */
LQ_MUST enum lq_err exec_plan(struct snapshot *s, const struct query *q, const struct exec_options *o, struct result *out, struct lq_error *e);
void result_fini(struct result *r);
/* The start of the step that holds a moment; exec_step_after: of the one after that. */
int64_t exec_step_start(int64_t time_us, int64_t step_us, const struct timezone_rules *tz);
int64_t exec_step_after(int64_t time_us, int64_t step_us, const struct timezone_rules *tz);
/* The numbers of a step, whether it has records or not. */
const double *result_row(const struct result *r, const struct result_series *s, uint32_t step);

#endif
