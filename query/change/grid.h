/*
 * grid.h - every series that `why` looks at, on one time axis
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_GRID_H
#define LQ_GRID_H

#include "store/reader.h"

enum { GRID_STEPS_MAX = 1500, GRID_VALUES_MAX = 300 /* of a dimension: the most frequent */ };

struct grid_series { /* one dimension value, or a stream's total (dim = UINT32_MAX) */
    uint32_t dim, value;
    float *count, *errors;       /* by step */
    float *log_sum[MEASURE_MAX]; /* sum of ln(1 + value), NULL where not kept */
    float *log_n[MEASURE_MAX];
};
struct grid_stream {
    const struct stream_info *info;
    struct grid_series total;
    uint32_t n_series;
    struct grid_series *series;
};
struct grid {
    int64_t from_s, step_s;
    uint32_t steps, n_streams;
    struct grid_stream *streams;
    struct lq_arena mem;
};
LQ_MUST enum lq_err grid_read(struct snapshot *s, int64_t from_us, int64_t to_us, struct grid *out, struct lq_error *e);
void grid_fini(struct grid *g);
static inline int64_t grid_time_us(const struct grid *g, double step)
{
    return (g->from_s + (int64_t)(step * (double)g->step_s)) * 1000000;
}

#endif
