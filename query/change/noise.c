/*
 * noise.c - medians, spread, isolated outliers (noise.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/change/noise.h"

#include <math.h>
#include <stdlib.h>

#include "schema/base/buf.h"

#define MAD 1.4826 /* of a normal: standard deviation over median absolute deviation */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The value that would stand at k if v were sorted; what is before k is not larger (Hoare's quickselect, median of
 * three). */
static double nth(double *v, size_t n, size_t k)
{
    size_t lo = 0, hi = n - 1;
    while (lo < hi) {
        double a = v[lo], b = v[lo + (hi - lo) / 2], c = v[hi];
        double pivot = a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
        size_t i = lo, j = hi;
        for (;; i++, j--) {
            for (; v[i] < pivot; i++) {
            }
            for (; v[j] > pivot; j--) {
            }
            if (i >= j) {
                break;
            }
            double x = v[i];
            v[i] = v[j];
            v[j] = x;
        }
        if (k <= j) {
            hi = j;
        } else {
            lo = j + 1;
        }
    }
    return v[k];
}

double noise_median(double *v, size_t n)
{
    if (n == 0) {
        return 0;
    }
    if (n <= 8) { /* the running medians */
        for (size_t i = 1; i < n; i++) {
            double x = v[i];
            size_t k = i;
            for (; k > 0 && v[k - 1] > x; k--) {
                v[k] = v[k - 1];
            }
            v[k] = x;
        }
        return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
    }
    double upper = nth(v, n, n / 2), lower = v[0];
    for (size_t i = 0; n % 2 == 0 && i < n / 2; i++) {
        lower = v[i] > lower ? v[i] : lower;
    }
    return n % 2 ? upper : (lower + upper) / 2;
}

/* Median distance from the median; reorders v. */
static double deviation(double *v, size_t n)
{
    double m = noise_median(v, n);
    for (size_t i = 0; i < n; i++) {
        v[i] = fabs(v[i] - m);
    }
    return MAD * noise_median(v, n);
}

double noise_spread(const double *y, const double *w, size_t n)
{
    double *d = lq_alloc((n + 1) * sizeof *d), prev = 0;
    size_t k = 0, seen = 0;
    for (size_t i = 0; i < n; i++) {
        if (w[i] > 0) {
            if (seen++ > 0) {
                d[k++] = y[i] - prev;
            }
            prev = y[i];
        }
    }
    double s = deviation(d, k) / 1.4142135623730951;
    free(d);
    return s;
}

size_t noise_outliers(const double *y, double *w, size_t n)
{
    enum { HALF = 3 };
    double *d = lq_alloc((n + 1) * sizeof *d), *copy = lq_alloc((n + 1) * sizeof *copy);
    size_t k = 0, out = 0;
    for (size_t i = 0; i < n; i++) {
        double near[2 * HALF + 1];
        size_t m = 0;
        for (size_t j = i > HALF ? i - HALF : 0; j < n && j <= i + HALF; j++) {
            if (w[j] > 0) {
                near[m++] = y[j];
            }
        }
        if (w[i] > 0) {
            d[i] = y[i] - noise_median(near, m);
            copy[k++] = d[i];
        }
    }
    double spread = deviation(copy, k);
    k = 0;
    for (size_t i = 0; i < n; i++) {
        if (w[i] > 0) {
            copy[k++] = y[i];
        }
    }
    qsort(copy, k, sizeof *copy, by_value); /* the range without the outer 2 % on each side: the outliers themselves */
    double range =
        k > 0 ? copy[(size_t)(0.98 * (double)(k - 1) + 0.5)] - copy[(size_t)(0.02 * (double)(k - 1) + 0.5)] : 0;
    double most = 5 * spread > OUTLIER_RANGE * range ? 5 * spread : OUTLIER_RANGE * range;
    for (size_t i = 0; i < n; i++) {
        if (w[i] > 0 && fabs(d[i]) > most) {
            w[i] = 0;
            out++;
        }
    }
    free(d);
    free(copy);
    return out;
}
