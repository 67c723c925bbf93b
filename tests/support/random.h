/*
 * random.h - the same random numbers in every run: for tests and benchmarks of the statistics
 *
 * SplitMix64 (Steele, Lea, Flood 2014); normals by the polar method, so that only sqrt and log decide their bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_TEST_RANDOM_H
#define LQ_TEST_RANDOM_H

#include <math.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

/* In (0, 1). */
static inline double random_unit(struct random *r)
{
    return ((double)(random_next(r) >> 11) + 0.5) / 9007199254740992.0;
}

static inline double random_normal(struct random *r)
{
    double a, s;
    do {
        a = 2 * random_unit(r) - 1;
        double b = 2 * random_unit(r) - 1;
        s = a * a + b * b;
    } while (s >= 1 || s == 0);
    return a * sqrt(-2 * log(s) / s);
}

/* Gamma of this shape and scale 1 (Marsaglia, Tsang 2000). */
static inline double random_gamma(struct random *r, double shape)
{
    if (shape < 1) {
        return random_gamma(r, shape + 1) * pow(random_unit(r), 1 / shape);
    }
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = random_normal(r), v = 1 + c * x;
        if (v > 0 && log(random_unit(r)) < x * x / 2 + d - d * v * v * v + d * log(v * v * v)) {
            return d * v * v * v;
        }
    }
}

static inline double random_poisson(struct random *r, double mean)
{
    double k = 0;
    while (mean > 30) { /* halves: the time of the m-th event is gamma */
        double m = floor(mean * 7 / 8), t = random_gamma(r, m);
        if (t > mean) { /* m - 1 events, uniform over [0, t] */
            double inside = 0;
            for (double i = 0; i < m - 1; i++) {
                inside += random_unit(r) < mean / t ? 1 : 0;
            }
            return k + inside;
        }
        k += m;
        mean -= t;
    }
    for (double p = exp(-mean), u = random_unit(r); u > p; k++) {
        u *= random_unit(r);
    }
    return k;
}

static inline double random_binomial(struct random *r, double n, double p)
{
    double k = 0;
    for (double i = 0; i < n; i++) {
        k += random_unit(r) < p ? 1 : 0;
    }
    return k;
}

#endif
