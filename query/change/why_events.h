/*
 * why_events.h - between why_events.c (what happened) and why_deeds.c (what messages report)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_WHY_EVENTS_H
#define LQ_WHY_EVENTS_H

#include "query/change/why_int.h"

enum {
    WAVE_GAP_S = 3600,
    NEAR_GAP_S = 600,
    WAVES_MAX = 64,
    BASELINE_S = 900,
    ROLL_MAX_S = 6 * 3600 /* a deed that rolls over hosts for longer is taken for that long */
};

struct wave {
    uint32_t from, to; /* steps, the last one inclusive */
};
/* Runs of steps in which the series has records, no more than gap_s apart; more than cap: cap + 1. used: steps with
 * records, until then. */
uint32_t why__waves(const struct grid *g, const struct grid_series *x, int64_t gap_s, struct wave *out, uint32_t cap,
                    uint32_t *used);
/* What ran when the logs begin is no event. */
bool why__at_start(const struct stream_info *info, int64_t us);
/* NULL = there are too many. */
struct event *why__add_event(struct why *y, struct event e);
void why__find_deeds(struct why *y);

#endif
