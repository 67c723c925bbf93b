/*
 * stat.c - over-dispersion, false discovery rate, contrasts (stat.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/change/stat.h"

#include <math.h>

#include "query/change/segment.h"
#include "schema/base/buf.h"

#include <stdlib.h>

size_t binomial_segment(const double *s, const double *t, size_t n, double dispersion, double asked,
                        uint32_t *starts)
{
    /* three parameters a segment: place, level, and being looked for. A cut pays only next to a success: where they are
     * rare there are fewer places to look. */
    size_t places = 0;
    for (size_t i = 0; i < n; i++) {
        places += s[i] > 0;
    }
    places = 2 * places < n ? 2 * places : n;
    struct segment_input in = {
        .model = SEGMENT_SHARE, .n = n, .y = s, .w = t, .penalty = dispersion * (6 * log((double)places + 2) + 2 * log(asked))};
    return segment(&in, starts, NULL);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double binomial_dispersion(const double *s, const double *t, size_t n)
{
    enum { HALF = 6 };
    double *z = lq_alloc((n + 1) * sizeof *z);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        double ls = 0, lt = 0; /* the neighbours, without the point itself */
        for (size_t j = i > HALF ? i - HALF : 0; j < n && j <= i + HALF; j++) {
            ls += j != i ? s[j] : 0;
            lt += j != i ? t[j] : 0;
        }
        double p = lt > 0 ? (ls + 0.5) / (lt + 1) : 0;
        double var = t[i] * p * (1 - p) * (1 + t[i] / (lt > 0 ? lt : 1));
        if (var > 0.2) {
            z[k++] = (s[i] - t[i] * p) * (s[i] - t[i] * p) / var;
        }
    }
    double d = 1;
    if (k >= 8) {
        qsort(z, k, sizeof *z, by_value);
        d = z[k / 2] / 0.4549; /* the median of a chi-square of one degree: robust against the incident itself */
    }
    free(z);
    return d < 1 ? 1 : d > 50 ? 50 : d;
}

struct ranked_p {
    double p;
    size_t i;
};

static int by_p(const void *a, const void *b)
{
    const struct ranked_p *x = a, *y = b;
    return x->p != y->p ? (x->p < y->p ? -1 : 1) : x->i < y->i ? -1 : x->i > y->i;
}

size_t benjamini_hochberg(const double *p, size_t n, double fdr, bool *accepted)
{
    struct ranked_p *r = lq_alloc((n + 1) * sizeof *r);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        r[i] = (struct ranked_p){p[i], i};
        accepted[i] = false;
    }
    qsort(r, n, sizeof *r, by_p);
    for (size_t i = 0; i < n; i++) {
        if (r[i].p <= fdr * (double)(i + 1) / (double)n) {
            k = i + 1;
        }
    }
    for (size_t i = 0; i < k; i++) {
        accepted[r[i].i] = true;
    }
    free(r);
    return k;
}

/* Log likelihood of s successes of n at their own share. */
static double own_share(double s, double n)
{
    double f = n - s;
    return (s > 0 ? s * log(s / n) : 0) + (f > 0 ? f * log(f / n) : 0);
}

double share_contrast_p(double s1, double n1, double s2, double n2, double dispersion)
{
    if (n1 <= 0 || n2 <= 0) {
        return 1;
    }
    double g = 2 * (own_share(s1, n1) + own_share(s2, n2) - own_share(s1 + s2, n1 + n2)) / dispersion;
    double p = erfc(sqrt(g > 0 ? g / 2 : 0));
    return p < CHANGE_P_FLOOR ? CHANGE_P_FLOOR : p;
}
