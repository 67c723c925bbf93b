/*
 * segment_each.c - the best segmentation for each number of segments (segment.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "query/change/segment_int.h"
#include "schema/base/buf.h"

/* c[t * (n + 1) + s]: points [s, t) as one segment; INFINITY where shorter than allowed. */
static double *costs(const struct segment_input *in, size_t least)
{
    size_t n = in->n;
    struct moments *m = segment__moments(in->y, in->w, n);
    double *c = lq_alloc((n + 1) * (n + 1) * sizeof *c);
    for (size_t t = 1; t <= n; t++) {
        for (size_t s = 0; s < t; s++) {
            double level, line = segment__rss(&m[s], &m[t], &level) + in->penalty;
            c[t * (n + 1) + s] = t - s < least ? INFINITY : level < line ? level : line;
        }
    }
    free(m);
    return c;
}

size_t segment_each(const struct segment_input *in, size_t most, double *cost, uint32_t *starts)
{
    size_t n = in->n, least = in->length_min > 0 ? in->length_min : 1, found = 0;
    assert(n <= SEGMENT_EACH_MAX && in->model == SEGMENT_LINE);
    if (n == 0 || most == 0) {
        return 0;
    }
    double *c = costs(in, least), *f = lq_alloc((n + 1) * sizeof *f), *next = lq_alloc((n + 1) * sizeof *next);
    uint32_t *from = lq_alloc((n + 1) * most * sizeof *from);
    for (size_t t = 0; t <= n; t++) {
        f[t] = t == 0 ? INFINITY : c[t * (n + 1)];
    }
    for (size_t j = 1; j <= most && isfinite(f[n]); j++) { /* f holds the costs of j segments */
        uint32_t *row = starts + found * most;
        cost[found++] = f[n];
        for (size_t k = j, t = n; k-- > 0;) {
            row[k] = k > 0 ? from[k * (n + 1) + t] : 0;
            t = row[k];
        }
        for (size_t t = 0; j < most && t <= n; t++) {
            const double *ct = c + t * (n + 1);
            next[t] = INFINITY;
            for (size_t s = j * least; s + least <= t; s++) {
                double v = f[s] + ct[s];
                if (v < next[t]) {
                    next[t] = v;
                    from[j * (n + 1) + t] = (uint32_t)s;
                }
            }
        }
        double *swap = f;
        f = next;
        next = swap;
    }
    free(c);
    free(f);
    free(next);
    free(from);
    return found;
}
