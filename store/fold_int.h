/*
 * fold_int.h - shared by fold.c (hours, days, threads) and fold_hour.c (one hour)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_FOLD_INT_H
#define LQ_FOLD_INT_H

#include <stdlib.h>

#include "store/fold.h"
#include "store/fragment_build.h"

enum { HOUR_S = 3600, FOLD_SLOTS = 64 /* buckets of a period, rounded up */ };

/* What an hour gives to its day: fragments of the 1 h tier, slot = hour of the day. */
struct fold_hour_out {
    struct fragment section[3]; /* by FOLD_… */
};

struct fold_run { /* observations of one series within a period: what its measures come to */
    uint32_t series, rows;
    uint32_t n[MEASURE_MAX];
    int64_t sum[MEASURE_MAX], min[MEASURE_MAX], max[MEASURE_MAX];
    uint32_t bins_at[MEASURE_MAX]; /* n bins from here in folder.bins */
};

struct folder {
    const struct observations *o;
    const struct fold_series *s;
    const struct fold_limits *l;
    const struct fold_sink *sink;
    uint64_t overflowed;
    struct builder *cells, *totals, *marginals, *hour_cells, *hour_totals, *hour_marginals;
    /* sort: series << 6 | slot in the upper, row in the lower half */
    uint64_t *keys, *keys_tmp;
    size_t keys_cap, tmp_cap;
    struct fold_run *runs;
    size_t n_runs, runs_cap;
    int16_t *bins[MEASURE_MAX]; /* of the observations that have the measure, in the order of the keys */
    size_t bins_cap[MEASURE_MAX], n_bins[MEASURE_MAX];
    int16_t *total_bins[MEASURE_MAX]; /* the same, by (error, slot) */
    size_t total_cap[MEASURE_MAX];
    uint64_t *pairs, *pairs_tmp; /* marginal << 32 | run */
    size_t pairs_cap, pairs_tmp_cap;
    uint32_t *at; /* by marginal: where its next entry goes */
    size_t at_cap;
    uint32_t *entries[IDENTITY_MAX]; /* slot << 18 | entry, grouped by marginal */
    size_t entries_cap[IDENTITY_MAX];
    uint8_t registers[DISTINCT_REGISTERS];
    uint64_t registers_used[DISTINCT_REGISTERS / 64];
    uint32_t *counts[2], *touched; /* heaviest identities: by local id */
    size_t counts_cap[2], touched_cap;
    struct heavy_count *heavy;
    size_t heavy_cap;
};

/* Rows (numbers of observations, ascending) of one hour. *day_slot >= 0: also fill *out for the 1 h tier. */
void fold__hour(struct folder *x, const uint32_t *rows, size_t n, int64_t hour, int day_slot,
                struct fold_hour_out *out);

#endif
