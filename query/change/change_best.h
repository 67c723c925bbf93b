/*
 * change_best.h - the best single change of a series, and how likely chance alone would have made one as good
 *
 * In O(n): the step or the kink (a line that bends) that explains the series best. p is for the maximum over all places
 * and both shapes, not for a place chosen beforehand:
 *
 *   LR   n_eff * log(variance without / variance with the change); n_eff = n / inflation
 *   inflation   long-run variance over variance, from the residuals around the change (so that a change is not taken
 * for correlation): (1 + rho) / (1 - rho) of an AR(1), whose rho has its bias taken out (Kendall 1954), times what a
 * Bartlett window finds in its own residuals (Andrews, Monahan 1992): counts whose rate moves slowly have a small
 * correlation that lasts long tail Siegmund's tail of the supremum of a standardised Brownian bridge (James, James,
 * Siegmund 1987), corrected for a walk of n steps p    the tail, averaged over what the inflation may be (log-normal;
 * wider where tails are heavy): an inflation that is too small by chance makes a large LR, so the tail at the estimate
 * alone said 1e-5 ten times too often at n = 168, rho = 0.6
 *
 * `bench/calibrate` prints expected against observed p. Below CHANGE_P_FLOOR nothing was simulated, so no p is smaller.
 *
 * Counts and shares: the likelihood ratio of the Poisson or binomial over the dispersion, because a few events in a
 * short stretch are not normal. Their kinks are judged as values weighted by exposure, and only where events are many.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_CHANGE_BEST_H
#define LQ_CHANGE_BEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHANGE_P_FLOOR 1e-6

enum change_shape { SHAPE_STEP, SHAPE_KINK };
struct change {
    enum change_shape shape;
    uint32_t at, low, high; /* first index after the change; 95 % interval by profile likelihood */
    double before, after;   /* level (rate, share) before; level after a step, or value reached at the end of a kink */
    double stat, p;         /* LR at the estimate of rho */
    double rho;             /* lag-one correlation of the residuals */
    double inflation;       /* their long-run variance over their variance */
    double dispersion;      /* of counts and shares, at least 1; 1 for values */
    double unexplained;     /* share of the variance that is left */
};

/* y with weights w (1 / variance up to a factor; 0 = missing). False: fewer than 12 points, or constant. */
bool change_best(const double *y, const double *w, size_t n, struct change *out);
/* Events per exposure, successes of trials (exposure, trials 0 = missing). before and after are rates and shares. */
bool change_best_count(const double *events, const double *exposure, size_t n, struct change *out);
bool change_best_share(const double *successes, const double *trials, size_t n, struct change *out);

/* P(the supremum of the likelihood ratio over all splits in [trim, 1 - trim] of n points > stat) for white noise of
 * known variance.
 */
double change_sup_p(double stat, double trim, double n);

#endif
