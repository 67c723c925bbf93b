/*
 * detect.h - from one series to its changes, each with type, time, interval and p
 *
 *   screen    is anything there at all? block sums, microseconds; most series end here
 *   season    a day's and a week's, when three cycles are there: out of values; into the exposure of counts
 *   cuts      values: levels and lines (changepoints.h, without its resolution); counts and shares: exact segmentation
 * (segment.h), the likelihood divided by dispersion and inflation of what it leaves test      each cut by change_best.h
 * among its neighbours; the weakest goes first, then its neighbours are tested again type      a segment of a few
 * points that returns is a spike or a dip, never two steps; a kink is a trend change
 *
 * p is for the series: the p of the best place among the neighbours times how often such a neighbourhood fits into the
 * series. Missing (w = 0) is not zero: where a source was silent, the caller says so by w.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_DETECT_H
#define LQ_DETECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum detect_kind { DETECT_VALUE, DETECT_COUNT, DETECT_SHARE };
enum detect_type { DETECT_STEP, DETECT_TREND, DETECT_SPIKE, DETECT_DIP, DETECT_DISTRIBUTION };

struct detect_input {
    enum detect_kind kind;
    const double *y, *w; /* value and weight; events and exposure; successes and trials. w = 0: missing */
    size_t n;
    size_t day, week; /* points of a day and of a week, 0 = no season is looked for */
    double p_max;     /* 0 = 0.01 */
};
struct detection {
    enum detect_type type;
    uint32_t at, low, high; /* the first index that is different; 95 % interval */
    uint32_t end;           /* where this state ends: the next change, or n; of a spike, the first index after it */
    double before, after;   /* levels, rates or shares; of a trend, the level at its end */
    double p;
};

/* Changes in order of time; at most cap, the surest are kept. Returns how many. */
size_t detect(const struct detect_input *in, struct detection *out, size_t cap);

/* The screen: true = detect() would look no further. O(n), no allocation. */
bool detect_quiet(const struct detect_input *in);

/* The most likely change of a whole distribution: rows of counts in ordered bins (n rows x n_bins). For each bound
 * between bins, the share below it is tested (change_best_share); p is the smallest times the number of bounds. False:
 * nothing to test. before and after are the shares below the bound that moved most, which is *bound (bins 0 .. bound
 * are below). */
bool detect_distribution(const double *bins, size_t n, size_t n_bins, struct detection *out, size_t *bound);

/* "step_change", "trend_change", "spike", "dip", "distribution_change" */
const char *detect_type_name(enum detect_type t);

#endif
