/*
 * ramp.h - when did a share begin to grow? A likelihood for slow rises
 *
 *                        ______  after T as high as at T
 *                     _/
 *                 __/           from tau to T: base + jump + rise f((t - tau) / (T - tau))
 *      __________/              before tau: base
 *
 * Successes of trials in equal steps, binomial with over-dispersion. f is a straight line, a square, or doubles again and
 * again. A cut into levels finds a slow rise when its first stair stands out, long after
 * the beginning; this finds where the line leaves the base.
 *
 * For each tau, T and shape the levels are the likeliest ones (the likelihood is concave in them: Fisher scoring, levels
 * not below 0). The interval holds each tau whose likelihood, at its best shape, is within 95 % of the best (profile
 * likelihood: Hinkley 1971 for bends, Venzon, Moolgavkar 1988), divided by the dispersion of the residuals.
 *
 * Pure. O(n^2) for at most RAMP_STEPS_MAX steps.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_RAMP_H
#define LQ_RAMP_H

#include <stdbool.h>
#include <stdint.h>

enum { RAMP_STEPS_MAX = 96 };

enum ramp_shape { RAMP_STEP, RAMP_LINE, RAMP_CURVE, RAMP_DOUBLING };
struct ramp {
    uint32_t at, low, high; /* first step of the rise, and the interval of it */
    uint32_t top;           /* T */
    enum ramp_shape shape;  /* STEP: a rise at once is about as likely */
    bool jump;              /* it begins with a jump */
    double before, after;   /* base; from T on */
    double gain;            /* over the best step: twice the log likelihood, over the dispersion */
    double rise;            /* the same over no rise at all */
    double dispersion;
};

/* The rise in s of w over n <= RAMP_STEPS_MAX steps, which is known to have reached its level by step `by` at the latest
 * if it is one at once. False: too little there (fewer than 8 steps, or nothing rises). */
bool ramp_fit(const double *s, const double *w, uint32_t n, uint32_t by, struct ramp *out);

/* Did the share that grows take another course at step `at`: a jump, or another slope, against a smooth curve (a square)
 * through all n steps? > 0: more from there on, < 0: less, 0: the same course, or too little to tell. */
int ramp_turn(const double *s, const double *w, uint32_t n, uint32_t at);

#endif
