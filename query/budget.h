/*
 * budget.h - how long and how much a question may take
 *
 * Whoever works for somebody else asks budget_check in its outer loops: between fragments of a scan, between the series of a test. A budget that is all
 * zero has no limits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_BUDGET_H
#define LQ_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "schema/base/err.h"

struct budget {
    bool (*stopped)(const void *ctx); /* nobody waits for the answer any more; NULL = never */
    const void *ctx;
    int64_t deadline_us; /* clock_monotonic_us when to give up; 0 = never */
    int64_t bytes_max;   /* memory of the answer; 0 = the asked part's own limit */
};

/* LQ_ELIMIT, with what ran out: time, or somebody who waits. */
LQ_MUST enum lq_err budget_check(const struct budget *b, struct lq_error *e);

#endif
