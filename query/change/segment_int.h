/*
 * segment_int.h - the two engines behind segment.h
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_SEGMENT_INT_H
#define LQ_SEGMENT_INT_H

#include "query/change/segment.h"

/* last[t] for t in 1..n: the start of the last segment of the best segmentation of the first t points. Returns the
 * cost. */
double segment__functional(const struct segment_input *in, uint32_t *last);
double segment__direct(const struct segment_input *in, uint32_t *last);

struct moments { /* running sums before a point; t and y centred */
    double w, y, yy, t, tt, ty;
};
/* n + 1 of them; free() it. */
struct moments *segment__moments(const double *y, const double *w, size_t n);
/* Residual sum of squares of the points between two of them around their own line, and around their own level. */
double segment__rss(const struct moments *a, const struct moments *b, double *level);

#endif
