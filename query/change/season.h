/*
 * season.h - what repeats: found, and taken out
 *
 * The series less its moving average over one period (the classical decomposition) is averaged over the cycles at each
 * phase; the average is a median, so that an incident in one cycle is not taken for season. Multiplicative (a share of
 * the moving average) where that leaves less. A season counts only with SEASON_CYCLES cycles, and when it explains more
 * of the absolute deviation than medians over that few cycles explain of noise.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_SEASON_H
#define LQ_SEASON_H

#include <stdbool.h>
#include <stddef.h>

enum { SEASON_CYCLES = 3 };
#define SEASON_STRENGTH 0.4

struct season {
    size_t period; /* points; 0 = none */
    bool multiplicative;
    double strength; /* share of the absolute deviation from the moving average that the profile explains, less what
                        chance explains */
    double *profile; /* of one period, from index 0 on; mean 0 */
};

/* The season of this period (a day, a week). False: too few cycles, or weaker than SEASON_STRENGTH. season_fini(out) is
 * needed after true. */
bool season_of(const double *y, const double *w, size_t n, size_t period, struct season *out);
/* The best of all periods, from 3 points to n / 4. The shortest wins unless a longer one explains clearly more. */
bool season_find(const double *y, const double *w, size_t n, struct season *out);
/* Takes it out of y in place. */
void season_remove(const struct season *s, double *y, size_t n);
void season_fini(struct season *s);

#endif
