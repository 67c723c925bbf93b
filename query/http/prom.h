/*
 * prom.h - PromQL over buckets: the mapping, and evaluation
 *
 *      metric                       what                                          per series
 *      lq_records_total             records of a stream                            every combination of dimension values
 *      lq_errors_total              records that the format calls errors
 *      lq_MEASURE_sum, _count       sum (unscaled) and number of a measure         MEASURE with its unit: request_time in s -> request_time_seconds
 *      lq_MEASURE_bucket            only inside histogram_quantile                 answered from the quantile sketches, not from bounds
 *
 * Labels: stream and the dimensions. Counts are exact for each window: they are sums of stored buckets, never extrapolated between samples and never
 * filled. The buckets set the resolution, by this rule: of the tiers that reach back far enough, the coarsest whose bucket divides window, step
 * and start; where none does, the finest, with each window rounded up to whole buckets and each time rounded down to a bucket's start (an info notice says so).
 * rate(x[w]) at t = records in [t - w, t) / w; increase without the division; irate = the last bucket's rate. A plain counter starts at zero 5 min before the range.
 * Streams are never added together: where several match, aggregations keep the label `stream`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_PROM_H
#define LQ_PROM_H

#include "query/http/ask.h"
#include "query/http/promql.h"

enum { PROM_STEPS_MAX = 11000, PROM_SERIES_MAX = 20000, PROM_VALUES_MAX = 32000000 /* 256 MiB, of all parts of a query together */ };

struct prom_label {
    lq_str name, value;
};
struct prom_series {
    uint32_t n; /* labels, sorted by name */
    struct prom_label *labels;
    double *v; /* by step; NAN = absent */
};
struct prom_value { /* a scalar (n = 1, no labels) or a vector, at each step */
    bool scalar;
    uint32_t n;
    struct prom_series *s;
};
struct prom_eval {
    struct snapshot *snap;
    const struct http_request *request; /* for giving up; may be NULL */
    int64_t start_us, step_us;
    uint32_t steps;
    struct lq_arena *mem;
    uint64_t values; /* numbers held so far */
    double *spill;   /* what is printed over the limit */
    struct lq_buf *infos; /* one per line */
    struct lq_error *e;
};
LQ_MUST enum lq_err prom_eval(struct prom_eval *x, const struct prom_expr *expr, struct prom_value *out);

/* prom_data.c: what a selector stands for, summed into groups */
struct prom_fetch {
    const struct prom_expr *selector;
    enum prom_kind kind;  /* RATE, INCREASE, IRATE, SELECTOR (the counter) or QUANTILE */
    double quantile;
    bool grouped;         /* add up to these labels, else one series per combination */
    bool without;         /* all but these */
    uint32_t n_labels;
    const lq_str *labels;
};
LQ_MUST enum lq_err prom_fetch(struct prom_eval *x, const struct prom_fetch *f, struct prom_value *out);

enum lq_err prom_too_many(const struct prom_eval *x); /* LQ_ELIMIT, and the words for it */

/* prometheus.c: an error in the API's shape; a time in seconds, or as the command line takes it. */
LQ_MUST enum lq_err prom_failed(struct http_response *o, const struct lq_error *e);
LQ_MUST enum lq_err prom_time(const struct ask *a, const struct http_request *r, const char *name, int64_t fallback, int64_t *out, struct lq_error *e);

enum prom_measure_part { PROM_PART_NONE, PROM_PART_SUM, PROM_PART_COUNT, PROM_PART_BUCKET };
struct prom_metric {
    bool errors;
    uint32_t measure;
    enum prom_measure_part part; /* NONE: records or errors */
};
/* What a name means in a stream; false: it has no such metric. */
bool prom_metric_of(const struct stream_schema *s, lq_str name, struct prom_metric *out);
/* "lq_request_time_seconds" of measure m. */
void prom_measure_name(const struct stream_schema *s, uint32_t m, char out[160]);
/* Value of a series' label, n = 0 when absent. */
lq_str prom_label(const struct prom_series *s, lq_str name);
/* Does a series (value ids of a stream) pass? ids NULL: only `stream` is asked, the rest passes. */
struct prom_bound;
LQ_MUST enum lq_err prom_bind(struct snapshot *s, const struct stream_info *info, const struct prom_expr *selector, struct prom_bound **out, struct lq_error *e);
bool prom_passes(const struct prom_bound *b, const uint32_t *ids);
bool prom_bound_stream(const struct prom_bound *b); /* the stream itself is selected */
bool prom_bound_total(const struct prom_bound *b);  /* no dimension is asked for */
void prom_unbind(struct prom_bound **b);

#endif
