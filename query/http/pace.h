/*
 * pace.h - how much processor time questions may take while what is more urgent wants it
 *
 * An account. It holds at most PACE_SAVED_US; while pressed, a part in PACE_PART of the time that passes is paid in, what questions have taken is paid out, and
 * nobody begins a question who finds it overdrawn. What is owed beyond PACE_OWED_US is forgiven: one costly question does not close the door for longer than
 * PACE_OWED_US x PACE_PART. While not pressed the account is full, and no question waits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_HTTP_PACE_H
#define LQ_HTTP_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum { PACE_PART = 20 /* 5 % of one core */, PACE_SAVED_US = 25000, PACE_OWED_US = 250000 };
struct http_pace {
    int64_t now_us, spent_us, saved_us; /* saved_us < 0: owed */
    bool pressed;
};
/* spent_us: processor time of all questions so far. 0 = a question may begin; else how long until one may, if nothing is spent meanwhile. */
int64_t http_pace_wait(struct http_pace *p, int64_t now_us, int64_t spent_us, bool pressed);

#endif
