/*
 * why_rank.h - between why_rank.c (the order), why_judge.c (events) and why_loose.c (changes without an event)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_WHY_RANK_H
#define LQ_WHY_RANK_H

#include "query/change/why_int.h"

#define LIKELY 0.15 /* of the beginning of a slow rise, against its best place */

enum { AT_ONCE_S = 1800, CLOSE_S = 900 };

/* What came later than this is no cause. */
int64_t why__latest(const struct why *y);
/* Does it lead towards failure, 0…1? Which routes people use does not, nor do messages that became frequent and
 * complain of nothing. */
double why__leads(const struct why *y, const struct finding *f);
double why__combine(const struct why_suspect *s, bool event);
/* why_age.c: did the failures come at the same age after each start? */
void why__age(struct why *y, const struct event *e, struct why_suspect *s);
void why__judge_events(struct why *y);
void why__judge_loose(struct why *y);
/* The series of a finding on the axis of the answer, for a sparkline. */
void why__spark(struct why *y, const struct finding *f, struct why_suspect *s);
/* The event happened before an onset of the target: by chance with probability p when it happens `rate` times a second.
 */
double why__chance(double rate, int64_t gap_us);

#endif
