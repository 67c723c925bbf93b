/*
 * pace.c - processor time of questions while what is more urgent wants it (pace.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/http/pace.h"

int64_t http_pace_wait(struct http_pace *p, int64_t now_us, int64_t spent_us, bool pressed)
{
    int64_t saved = PACE_SAVED_US;
    if (pressed && p->pressed) {
        int64_t earned = (now_us - p->now_us) / PACE_PART, most = p->saved_us + earned;
        saved = (most < PACE_SAVED_US ? most : PACE_SAVED_US) - (spent_us - p->spent_us);
        saved = saved < -PACE_OWED_US ? -PACE_OWED_US : saved;
        now_us = p->now_us + earned * PACE_PART; /* what is less than a microsecond's worth is earned later */
    }
    *p = (struct http_pace){.now_us = now_us, .spent_us = spent_us, .saved_us = saved, .pressed = pressed};
    return saved >= 0 ? 0 : -saved * PACE_PART;
}
