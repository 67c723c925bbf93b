/*
 * detect_distribution.c - did the shape of a distribution change? (detect.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "query/change/change_best.h"
#include "query/change/detect.h"
#include "schema/base/buf.h"

bool detect_distribution(const double *bins, size_t n, size_t n_bins, struct detection *out, size_t *bound)
{
    double *below = lq_alloc((n + 1) * sizeof *below), *all = lq_alloc((n + 1) * sizeof *all);
    struct change best = {.p = 2};
    size_t tested = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t b = 0; b < n_bins; b++) {
            all[i] += bins[i * n_bins + b];
        }
    }
    for (size_t b = 0; b + 1 < n_bins; b++) {
        struct change c;
        for (size_t i = 0; i < n; i++) {
            below[i] += bins[i * n_bins + b];
        }
        if (change_best_share(below, all, n, &c)) {
            tested++;
            if (c.p < best.p || (c.p == best.p && c.stat > best.stat)) {
                best = c;
                *bound = b;
            }
        }
    }
    free(below);
    free(all);
    if (tested == 0) {
        return false;
    }
    double p = best.p * (double)tested;
    *out = (struct detection){.type = DETECT_DISTRIBUTION,
                              .at = best.at,
                              .low = best.low,
                              .high = best.high,
                              .end = (uint32_t)n,
                              .before = best.before,
                              .after = best.after};
    out->p = p > 1 ? 1 : p;
    return true;
}
