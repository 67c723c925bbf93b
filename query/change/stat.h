/*
 * stat.h - the statistics of the change engine: arrays in, numbers out
 *
 * - binomial_segment: exact penalised segmentation of successes of trials (segment.h), the likelihood divided by the
 * over-dispersion.
 * - benjamini_hochberg: which of many p are accepted at a false discovery rate.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_STAT_H
#define LQ_STAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "query/change/change_best.h"

/* Change points: starts[0] = 0, then the first index of each further segment. Returns the number of segments (at most
 * n). trials 0 = missing. asked: it was chosen of so many series. */
size_t binomial_segment(const double *successes, const double *trials, size_t n, double dispersion, double asked,
                        uint32_t *starts);
/* Over-dispersion (>= 1) of shares around a running mean. */
double binomial_dispersion(const double *successes, const double *trials, size_t n);

/* accepted[i] for p[i]; returns how many. */
size_t benjamini_hochberg(const double *p, size_t n, double fdr, bool *accepted);

/* Two shares: p of equality by their likelihood ratio over the dispersion (chi-squared, one degree; Wilks 1938). */
double share_contrast_p(double s1, double n1, double s2, double n2, double dispersion);

#endif
