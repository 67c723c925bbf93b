/*
 * stat.h - the statistics of the change engine: arrays in, numbers out
 *
 * - binomial_segment: exact penalised segmentation of successes of trials (segment.h), the likelihood divided by the over-dispersion.
 * - change_best: the best single step or kink (a line that bends) of a series by weighted least squares, in O(n). The statistic is divided by the
 *   long-run variance, estimated by an AR(1) on the residuals of the fit; its p is for the maximum over all splits (Siegmund's tail of the
 *   supremum of a standardised Brownian bridge, as in James, James and Siegmund 1987), floored at CHANGE_P_FLOOR.
 * - benjamini_hochberg: which of many p are accepted at a false discovery rate.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_STAT_H
#define LQ_STAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHANGE_P_FLOOR 1e-6

/* Change points: starts[0] = 0, then the first index of each further segment. Returns the number of segments (at most n). trials 0 = missing. */
size_t binomial_segment(const double *successes, const double *trials, size_t n, double dispersion, uint32_t *starts);
/* Over-dispersion (>= 1) of shares around a running mean. */
double binomial_dispersion(const double *successes, const double *trials, size_t n);

enum change_shape { SHAPE_STEP, SHAPE_KINK };
struct change {
    enum change_shape shape;
    uint32_t at, low, high; /* first index after the change; 95 % interval */
    double before, after;   /* level before; level (step) or value reached at the end (kink) */
    double stat, p;
    double unexplained; /* share of the variance that is left */
};
/* y with weights w (0 = missing). False: too few points, or constant. */
bool change_best(const double *y, const double *w, size_t n, struct change *out);

/* accepted[i] for p[i]; returns how many. */
size_t benjamini_hochberg(const double *p, size_t n, double fdr, bool *accepted);

/* Two shares: two-sided p of equality with over-dispersion (normal approximation of the log odds). */
double share_contrast_p(double s1, double n1, double s2, double n2, double dispersion);

#endif
