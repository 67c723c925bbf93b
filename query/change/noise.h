/*
 * noise.h - robust pieces of the change engine: medians, spread, isolated outliers
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_NOISE_H
#define LQ_NOISE_H

#include <stddef.h>

/* The median of n values (the lower middle and the upper one averaged), in O(n); reorders v. 0 for n = 0. */
double noise_median(double *v, size_t n);

/* Spread of white noise around any slow movement, as a standard deviation: 1.4826 / sqrt(2) of the median absolute
 * deviation of the differences of neighbours. Outliers and steps hardly move it. */
double noise_spread(const double *y, const double *w, size_t n);

/*
 * Sets w = 0 where a point stands alone: further from the median of the 7 points around it than 5 standard deviations
 * (of all such distances, robustly) and than OUTLIER_RANGE of the range of the series, so that a smooth curve has no
 * outliers at its bends. Returns how many. Three points in a row can still be outliers, four cannot (the median moves
 * with them): they are a short level.
 */
#define OUTLIER_RANGE 0.15
size_t noise_outliers(const double *y, double *w, size_t n);

#endif
