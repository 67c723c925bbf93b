/*
 * grid.h - every series that `why` looks at, on one time axis
 *
 * `why` reads two grids. The far one reaches back to the oldest data, at steps of minutes or hours: slow changes, days
 * before the onset. The near one has steps of a minute (or ten seconds) around the onset: what happened just before,
 * and who was hit. The near grid also sums every series over a window before and one after the onset, from which any
 * contrast of values, or of pairs of them, follows without reading again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_GRID_H
#define LQ_GRID_H

#include "query/budget.h"
#include "store/reader.h"

enum {
    GRID_STEPS_MAX = 1500,
    GRID_VALUES_MAX = 400 /* of a dimension: the most frequent, half of them those first seen in the range */
};

struct grid_series { /* one dimension value, or a stream's total (dim = UINT32_MAX) */
    uint32_t dim, value;
    float *count, *errors;        /* by step */
    double *log_sum[MEASURE_MAX]; /* sum of ln(1 + value) in whole millionths, so that any order of adding gives the
                                     same; NULL where not kept */
    float *log_n[MEASURE_MAX];
};
struct grid_window {           /* of one series of the store */
    float count[2], errors[2]; /* before, after */
};
struct grid_stream {
    const struct stream_info *info;
    struct grid_series total;
    uint32_t n_series, n_windows;
    struct grid_series *series;
    struct grid_window *windows; /* by series id; NULL unless asked for */
};
struct grid {
    int64_t from_s, step_s;
    uint32_t steps, n_streams;
    int64_t bytes;               /* of all series */
    struct grid_stream *streams; /* those with lines, in the order of the snapshot */
    struct lq_arena mem;
};
struct grid_options {
    int64_t from_s, to_s, step_s; /* step 0: the finest of at most GRID_STEPS_MAX steps */
    int tier;                     /* TIER_10S or TIER_1MIN: cells; TIER_1H: cells for counts, marginals for measures */
    bool windows;
    int64_t before_to_s, after_from_s, after_to_s; /* before = [from, before_to), after = [after_from, after_to) */
    const struct budget *budget; /* NULL = none; bytes_max is for each grid */
};
LQ_MUST enum lq_err grid_read(struct snapshot *s, const struct grid_options *o, struct grid *out, struct lq_error *e);
void grid_fini(struct grid *g);

#define GRID_LOG_UNIT 1e6
/* Mean of ln(1 + value) of a measure in a step; 0 where there is none. */
static inline double grid_mean_log(const struct grid_series *x, uint32_t m, uint32_t t)
{
    return x->log_n[m][t] > 0 ? x->log_sum[m][t] / GRID_LOG_UNIT / (double)x->log_n[m][t] : 0;
}
static inline int64_t grid_time_us(const struct grid *g, double step)
{
    return (g->from_s + (int64_t)(step * (double)g->step_s)) * 1000000;
}
/* The step that holds a time, clamped to 0 … steps. */
static inline uint32_t grid_step(const struct grid *g, int64_t us)
{
    int64_t d = us / 1000000 - g->from_s;
    return d <= 0 || g->steps == 0 ? 0 : d / g->step_s > g->steps ? g->steps : (uint32_t)(d / g->step_s);
}

#endif
