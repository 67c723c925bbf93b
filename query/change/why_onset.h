/*
 * why_onset.h - between why_onset.c (which incidents) and why_refine.c (their exact times)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_WHY_ONSET_H
#define LQ_WHY_ONSET_H

#include "query/change/why_int.h"

/* why_ramp.c: a share that grows for hours began before its first stair stands out; not before step `floor`. */
bool why__slow_rise(const struct why *y, struct incident *x);
void why__slow_start(const struct why *y, struct incident *x, uint32_t floor);

/* The incidents of the target, known to as many of its steps as returned. asked: it is the strangest of so many series. */
uint32_t why__incidents(struct why *y, double asked);
/* why_part.c: is there an incident of one value that the total does not show, or shows less well? */
void why__look_closer(struct why *y);

/* Start, interval, type, end and p of an incident whose ends are known to the coarse step of k target steps. */
void why__refine(struct why *y, struct incident *x, uint32_t k);

/*
 * The start of a rise in y with weights w (0 = missing) over n steps, by weighted least squares: a step; a line that
 * bends up (kink); or a jump onto a line. The plainer shape is taken unless the richer one fits clearly better. low and
 * high are the 95 % interval by profile, in steps. False: nothing to fit.
 */
enum rise_shape { RISE_STEP, RISE_KINK, RISE_JUMP };
struct rise {
    enum rise_shape shape;
    uint32_t at, low, high;
    double gain; /* drop of the weighted squares, over their spread: a chi-square of one degree when nothing happened */
};
bool rise_fit(const double *y, const double *w, uint32_t n, bool falling, struct rise *out);

#endif
