/*
 * why_split.c - the likeliest step of counts or shares around a place
 *
 * Binomial likelihood of part of whole, or Poisson of counts in equal steps, over the over-dispersion that is left on
 * both sides of the step. p is for the best of the splits that were looked at. 95 % interval by profile likelihood, a
 * step wider on each side: events are stamped when they end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/why_int.h"

enum { DISPERSION_MAX = 200 };

static double xlogy(double x, double y)
{
    return x > 0 ? x * log(y) : 0;
}

static double fit_at_own(double s, double w, bool binomial)
{
    if (w <= 0) {
        return 0;
    }
    return binomial ? xlogy(s, s / w) + xlogy(w - s, (w - s) / w) : xlogy(s, s / w);
}

/* Pearson's chi-square over its degrees of freedom, on the steps that expect enough. */
static double left_over(const float *part, const float *whole, bool binomial, uint32_t n, const struct split *x)
{
    double chi = 0, k = 0;
    for (uint32_t i = 0; i < n; i++) {
        double w = whole != NULL ? (double)whole[i] : 1, p = i < x->at ? x->before : x->after,
               var = w * p * (binomial ? 1 - p : 1);
        if (var > 0.5) {
            double d = (double)part[i] - w * p;
            chi += d * d / var;
            k++;
        }
    }
    double d = k > 8 ? chi / (k - 2) : 1;
    return d < 1 ? 1 : d > DISPERSION_MAX ? DISPERSION_MAX : d;
}

bool why__split(const float *part, const float *whole, bool binomial, uint32_t n, uint32_t from, uint32_t to,
                struct split *out)
{
    double ts = 0, tw = 0, s = 0, w = 0, best = -INFINITY;
    to = to < n ? to : n > 0 ? n - 1 : 0;
    from = from > 0 ? from : 1;
    if (n < 4 || from > to) {
        return false;
    }
    double *gain = lq_alloc(n * sizeof *gain);
    for (uint32_t i = 0; i < n; i++) {
        ts += (double)part[i];
        tw += whole != NULL ? (double)whole[i] : 1;
    }
    memset(out, 0, sizeof *out);
    for (uint32_t i = 1; i <= to; i++) {
        s += (double)part[i - 1];
        w += whole != NULL ? (double)whole[i - 1] : 1;
        gain[i] = -INFINITY;
        if (i >= from && w > 0 && tw - w > 0) {
            gain[i] = fit_at_own(s, w, binomial) + fit_at_own(ts - s, tw - w, binomial);
            if (gain[i] > best) {
                best = gain[i];
                *out = (struct split){.at = i, .before = s / w, .after = (ts - s) / (tw - w)};
            }
        }
    }
    bool ok = isfinite(best) && ts >= 4;
    if (ok) {
        out->dispersion = left_over(part, whole, binomial, n, out);
        out->stat = 2 * (best - fit_at_own(ts, tw, binomial)) / out->dispersion;
        double z = sqrt(out->stat > 0 ? out->stat : 0), tries = 1 + 2 * log(1 + (double)(to - from + 1));
        out->p = erfc(z / 1.4142135623730951) * tries;
        out->p = out->p > 1 ? 1 : out->p < CHANGE_P_FLOOR ? CHANGE_P_FLOOR : out->p;
        out->low = out->high = out->at;
        for (uint32_t i = from; i <= to; i++) {
            if ((best - gain[i]) / out->dispersion <= 1.92) {
                out->low = i < out->low ? i : out->low;
                out->high = i > out->high ? i : out->high;
            }
        }
        out->low -= out->low > 0;
    }
    free(gain);
    return ok;
}
