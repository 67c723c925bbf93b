/*
 * budget.c - how long a question may take (budget.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/budget.h"

#include "schema/timefmt.h"

enum lq_err budget_check(const struct budget *b, struct lq_error *e)
{
    if (b->stopped != NULL && b->stopped(b->ctx)) {
        return lq_error_set(e, LQ_ELIMIT, "nobody waits for the answer any more");
    }
    if (b->deadline_us == 0 || clock_monotonic_us() < b->deadline_us) {
        return LQ_OK;
    }
    lq_error_set(e, LQ_ELIMIT, "the answer takes longer than its time limit");
    lq_error_hint(e, "use a shorter range (--since), a longer every, or a larger --timeout");
    return LQ_ELIMIT;
}
