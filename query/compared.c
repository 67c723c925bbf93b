/*
 * compared.c - a count beside that of the period before (compared.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/compared.h"

#include <math.h>

const char *const compared_states[COMPARED_STATES] = {"new", "gone", "more", "fewer", "same", "?"};

unsigned compared_state(double now, double before)
{
    if (isnan(before)) {
        return 5;
    }
    double noise = 3 * sqrt(now + before + 1);
    return before == 0 && now > 0 ? 0 : now == 0 && before > 0 ? 1 : now >= 2 * before && now - before > noise ? 2 : before >= 2 * now && before - now > noise ? 3 : 4;
}
