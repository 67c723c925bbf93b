/*
 * rollup.h - rows of a fine step as the fragments of a coarser one, period by period
 *
 * Pure. The source is cells (rows of series) with sums, quantile bins and, where the result is marginals, distinct entries: the deltas of flushes
 * (10 s steps), or stored fragments of the 1 min tier. One function serves the maintenance, which writes the result, and the readers, which need
 * what has not been written yet: so both give the same content.
 *
 * Private to store/.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_ROLLUP_H
#define LQ_ROLLUP_H

#include "store/fold.h"

struct rollup_tables { /* what is known of each series, by id */
    const uint8_t *error;
    const uint32_t *marginals; /* lists of `stride`, ended early by UINT32_MAX; NULL where no marginals are asked for */
    uint32_t stride, n_series;
};
enum rollup_rows { ROLLUP_SAME /* the source's rows */, ROLLUP_BY_ERROR, ROLLUP_BY_MARGINAL };
struct rollup {
    const struct fragment_at *in;
    size_t n;
    uint32_t step_s; /* of the source's slots */
    const struct rollup_tables *tables;
    int tier;
    enum rollup_rows rows;
    unsigned columns;      /* FRAGMENT_… */
    int64_t from_s, to_s; /* only rows with from_s <= time < to_s */
};
/* Rows and columns of a section (FOLD_…) of r->tier made from cells. False: that tier has no such section. */
bool rollup_section(struct rollup *r, int section);
/* Takes ownership of *f, which has rows. Periods come in ascending order, each once. */
typedef void rollup_sink(void *ctx, int64_t period_s, struct fragment *f);
void rollup(const struct rollup *r, rollup_sink *sink, void *ctx);

#endif
