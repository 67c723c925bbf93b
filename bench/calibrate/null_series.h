/*
 * null_series.h - series without any change, for the calibration of p: the bench prints tables, a unit test runs a few
 * thousand
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_NULL_SERIES_H
#define LQ_NULL_SERIES_H

#include "query/change/change_best.h"
#include "query/change/season.h"
#include "tests/support/random.h"

enum { NULL_POINTS_MAX = 10080 };
enum null_model { NULL_VALUE, NULL_COUNT, NULL_SHARE };

struct null_kind {
    const char *name;
    enum null_model model;
    double rho;    /* of the noise, on the scale of values or of log rates */
    double mean;   /* events or trials per point */
    double share;  /* of successes */
    double extra;  /* standard deviation of the logarithm: of the rate, or of a log-normal value */
    double season; /* amplitude of a daily season: of the exposure, or of the value */
};
static const struct null_kind null_table[] = {
    {"white", NULL_VALUE, 0, 0, 0, 0, 0},
    {"AR(1) 0.3", NULL_VALUE, 0.3, 0, 0, 0, 0},
    {"AR(1) 0.6", NULL_VALUE, 0.6, 0, 0, 0, 0},
    {"log-normal, rho 0.3", NULL_VALUE, 0.3, 0, 0, 0.7, 0},
    {"AR(1) 0.3, season taken out", NULL_VALUE, 0.3, 0, 0, 0, 3},
    {"counts, mean 0.2", NULL_COUNT, 0, 0.2, 0, 0, 0},
    {"counts, mean 20", NULL_COUNT, 0, 20, 0, 0, 0},
    {"counts, over-dispersed", NULL_COUNT, 0, 20, 0, 0.4, 0},
    {"counts, over-dispersed, rho 0.5", NULL_COUNT, 0.5, 20, 0, 0.4, 0},
    {"counts, seasonal exposure", NULL_COUNT, 0, 20, 0, 0.2, 0.7},
    {"shares, 0.1 % of 200", NULL_SHARE, 0, 200, 0.001, 0, 0},
    {"shares, 2 % of 200, seasonal", NULL_SHARE, 0, 200, 0.02, 0, 0.7},
    {"shares, 2 %, over-dispersed", NULL_SHARE, 0, 200, 0.02, 0.5, 0.7},
    {"shares, 2 %, over-disp., rho 0.5", NULL_SHARE, 0.5, 200, 0.02, 0.5, 0.7},
};
static const size_t null_kinds = sizeof null_table / sizeof null_table[0];

static inline const char *null_name(size_t kind)
{
    return null_table[kind].name;
}

/* One series of n points of this kind: y, and w = weight, exposure or trials. */
static inline void null_fill(const struct null_kind *k, size_t n, struct random *r, double *y, double *w)
{
    double z = random_normal(r), innovation = sqrt(1 - k->rho * k->rho), phase = 24 * random_unit(r);
    for (size_t i = 0; i < n; i++) {
        double day = 1 + k->season * sin(((double)i + phase) * 6.283185307179586 / 24);
        double rate = exp(k->extra * z - k->extra * k->extra / 2);
        if (k->model == NULL_VALUE) {
            y[i] = (k->extra > 0 ? exp(k->extra * z) : z) + day;
            w[i] = 1;
        } else if (k->model == NULL_COUNT) {
            w[i] = day;
            y[i] = random_poisson(r, k->mean * day * rate);
        } else {
            w[i] = random_poisson(r, k->mean * day);
            y[i] = random_poisson(r, w[i] * k->share * rate); /* rare: binomial in all but name */
            y[i] = y[i] > w[i] ? w[i] : y[i];
        }
        z = k->rho * z + innovation * random_normal(r);
    }
}

static inline double null_p(size_t kind, size_t n, struct random *r)
{
    static double y[NULL_POINTS_MAX], w[NULL_POINTS_MAX];
    const struct null_kind *k = &null_table[kind];
    struct change c;
    null_fill(k, n, r, y, w);
    struct season s;
    if (k->model == NULL_VALUE && k->season > 0 && season_of(y, w, n, 24, &s)) {
        season_remove(&s, y, n);
        season_fini(&s);
    }
    bool ok = k->model == NULL_VALUE   ? change_best(y, w, n, &c)
              : k->model == NULL_COUNT ? change_best_count(y, w, n, &c)
                                       : change_best_share(y, w, n, &c);
    return ok ? c.p : 1;
}

#endif
