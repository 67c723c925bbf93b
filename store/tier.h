/*
 * tier.h - resolutions and how long they are kept
 *
 * A tier has a step (the bucket), a period (the unit of storage: one or a few fragments) and a reach (retention, counted back
 * from the stream's event high-water mark). Lines older than a tier's reach never enter it.
 *
 *      tier  step   buckets/period  period   reach (default)
 *      0     10 s   60              10 min   2 days
 *      1     1 min  60              1 h      35 days
 *      2     1 h    24              1 day    400 days
 * The reach of the 1 h tier counts from the high-water mark too; a file from 2015 alone loads whole.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_TIER_H
#define LQ_TIER_H

#include <stdint.h>

enum { TIER_10S = 0, TIER_1MIN = 1, TIER_1H = 2, TIERS = 3 };
struct tier {
    uint32_t step_s, slots;
    int64_t reach_s;
    const char *name;
};
extern const struct tier tiers[TIERS]; /* the fixed steps, default reaches */
static inline int64_t tier_period_s(int t)
{
    return (int64_t)tiers[t].step_s * tiers[t].slots;
}
/* Start (multiple of the period, floor also for negative times) of the period that holds a second. */
int64_t tier_period_of(int t, int64_t time_s);

#endif
