/*
 * tier.c - the table of tiers
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/tier.h"

enum { DAY_S = 86400 };

const struct tier tiers[TIERS] = {
    {10, 60, 2 * DAY_S, "10s"},
    {60, 60, 35 * DAY_S, "1m"},
    {3600, 24, 400 * DAY_S, "1h"},
};

int64_t tier_period_of(int t, int64_t time_s)
{
    int64_t p = tier_period_s(t), r = time_s % p;
    return time_s - (r < 0 ? r + p : r);
}
