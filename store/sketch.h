/*
 * sketch.h - the two sketches: quantiles and distinct counts
 *
 * Quantiles: a DDSketch-type histogram (Masson, Rim, Lee 2019) with integer log-linear bins (as HdrHistogram's): bin of
 * v >= 0 is v itself below 64, else 64 sub-bins for each power of two, so that a bin's middle is within 1/128 (0.78 %) of
 * every value in it. Only integer operations: the same bins on every machine. Negative values mirror.
 *      bin(v) = v                                   0 <= v < 64
 *             = (e - 5) * 64 + ((v >> (e - 6)) - 64)   e = floor(log2 v) >= 6
 *      bin(-v) = -bin(v)
 * Merge adds counts. Worked example: bin(1000) = (9-5)*64 + ((1000>>3) - 64) = 256 + 61 = 317; its values are 1000..1007.
 *
 * Distinct: HyperLogLog (Flajolet et al. 2007) with 2^12 registers over a 64-bit hash, as a sorted list of
 * (register << 6 | rank), one entry per non-zero register; its form depends on content only. Standard error 1.6 %; small counts by
 * linear counting; estimator of Ertl 2017 (improved raw) without bias tables. Merge takes the larger rank of each register.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_SKETCH_H
#define LQ_SKETCH_H

#include "schema/base/buf.h"

struct bin {
    int32_t bin;
    uint32_t n; /* saturates */
};
enum { BIN_LIMIT = 3712 }; /* -BIN_LIMIT <= bin < BIN_LIMIT for any int64 */
int32_t sketch_bin(int64_t value);
int64_t sketch_bin_low(int32_t bin);   /* smallest value of a bin */
int64_t sketch_bin_high(int32_t bin);  /* largest value */
double sketch_bin_middle(int32_t bin); /* within 1/128 of all its values */
/* Quantile q in [0,1] of bins sorted by bin: middle of the bin that holds rank ceil(q*n) (lower nearest rank), clamped to [min, max]. */
double sketch_quantile(const struct bin *bins, size_t n, double q, int64_t min, int64_t max);
static inline uint32_t add_saturating(uint32_t a, uint32_t b)
{
    return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}
struct bin_scratch { /* all zero between uses */
    uint32_t n[2 * BIN_LIMIT];
    uint64_t used[2 * BIN_LIMIT / 64];
};
/* Sort by bin and add up equal ones, in place; returns how many there are then. */
size_t bins_sort(struct bin_scratch *s, struct bin *bins, size_t n);
/* The same in two steps, for observations that come as bare bins: count them, any number of times, then take what was counted, sorted. */
void bins_count(struct bin_scratch *s, const int16_t *bins, size_t n);
size_t bins_counted(const struct bin_scratch *s); /* different bins so far */
void bins_take(struct bin_scratch *s, struct bin *out);

enum { DISTINCT_P = 12, DISTINCT_REGISTERS = 1 << DISTINCT_P };
uint32_t distinct_entry(uint64_t hash); /* register << 6 | rank, rank 1..53 */
/* Estimate from n sorted entries with distinct registers. */
double distinct_estimate(const uint32_t *entries, size_t n);
/* Union of two sorted lists into out (room for na + nb, at most 4096); returns its length. */
size_t distinct_merge(const uint32_t *a, size_t na, const uint32_t *b, size_t nb, uint32_t *out);

#endif
