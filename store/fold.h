/*
 * fold.h - observations to fragments: sort, then fold runs
 *
 * Pure. The observations of one stream, in any order, become the fragments of every tier and section. They are grouped by hour; hours are folded by any number of
 * threads, each with one sort and one pass for everything (fold_hour.c), then the days of the 1 h tier are put together from their hours (fold.c).
 * fold(a ∪ b) = merge(fold(a), fold(b)): the property tests hold it to that.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_FOLD_H
#define LQ_FOLD_H

#include "store/fragment.h"
#include "store/tier.h"

struct observations {
    uint32_t n;
    const uint32_t *series;
    const int64_t *time_s;
    uint32_t n_measures;
    const int64_t *measures[MEASURE_MAX];
    const uint8_t *measure_set; /* bit i: measure i present */
    uint32_t n_identities;
    const uint32_t *identities[IDENTITY_MAX]; /* local ids, 0 = absent */
    const uint64_t *identity_hashes[IDENTITY_MAX]; /* by local id */
    uint32_t identity_count[IDENTITY_MAX]; /* local ids in use, 0 included */
};

struct fold_series { /* what is known of each series, by id */
    const uint8_t *error;
    uint32_t marginals_per_series; /* stride */
    const uint32_t *marginals;     /* series * stride + i; UINT32_MAX ends a shorter list */
};

enum { FOLD_CELLS = 0, FOLD_TOTALS = 1, FOLD_MARGINALS = 2 }; /* = enum section (reader.h) */

struct heavy_count {
    uint32_t identity; /* local id */
    uint64_t count;
};
/* What a thread needs to fold: it grows to the largest period and stays, for fold after fold. */
struct folder;
struct folder *folder_new(void);
void folder_free(struct folder **x);

/* Where a thread's results go: called from that thread only, in no order. Fragments are borrowed for the call. */
struct fold_sink {
    struct folder *folder; /* of this thread */
    void *ctx;
    void (*fragment)(void *ctx, int tier, int section, int64_t period_start_s, const struct fragment *f);
    /* Exact counts of one hour with this error flag: at least the HEAVY_MAX + 1 heaviest identities; total counts all of them. */
    void (*heavy)(void *ctx, uint32_t identity_no, bool error, int64_t hour_start_s, const struct heavy_count *c, size_t n, uint64_t total);
};

/* tier_from_s: observations before it do not enter a tier. bucket_cells_max: a 1 min or 10 s bucket with more cells files the surplus
 * under series `overflow_series[error]`; *overflowed counts the observations. */
struct fold_limits {
    int64_t tier_from_s[TIERS];
    int64_t hour_before_s; /* hours from here on do not enter the 1 h tier yet */
    uint32_t bucket_cells_max;
    uint32_t overflow_series[2];
};
/* sinks: one for each thread. */
void fold(const struct observations *o, const struct fold_series *s, const struct fold_limits *l, const struct fold_sink *sinks, unsigned n_threads,
          uint64_t *overflowed);

#endif
