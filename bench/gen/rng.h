/*
 * rng.h - the generator's randomness: splitmix64 (Steele, Lea, Flood 2014), the same on every machine
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_GEN_RNG_H
#define LQ_GEN_RNG_H

#include <math.h>
#include <stdint.h>

struct rng {
    uint64_t s;
};

static inline uint64_t rng_next(struct rng *r)
{
    uint64_t z = (r->s += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

/* [0, 1) */
static inline double rng_unit(struct rng *r)
{
    return (double)(rng_next(r) >> 11) * 0x1p-53;
}

static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
    return (uint32_t)(((rng_next(r) >> 32) * n) >> 32);
}

static inline int rng_chance(struct rng *r, double p)
{
    return rng_unit(r) < p;
}

/* Standard normal, Box-Muller. */
static inline double rng_normal(struct rng *r)
{
    double u = 1.0 - rng_unit(r);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * rng_unit(r));
}

/* Poisson: Knuth below 30, rounded normal above (its error is far below what a log shows). */
static inline uint32_t rng_poisson(struct rng *r, double mean)
{
    if (mean > 30) {
        double x = mean + sqrt(mean) * rng_normal(r) + 0.5;
        return x > 0 ? (uint32_t)x : 0;
    }
    double limit = exp(-mean), p = 1.0;
    uint32_t n = 0;
    for (p = rng_unit(r); p > limit; p *= rng_unit(r)) {
        n++;
    }
    return n;
}

#endif
