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
/* why_grows.c: of a message since its first sighting, up to the onset, of a slow rise up to half of it. Does it come more
 * and more, 0...1? And does it go through a time within, clearly after the first one, as before? */
double why__grows(const struct why *y, const struct finding *f);
bool why__goes_on(const struct why *y, const struct finding *f); /* at least half as often in the last third */
/* What grows from nothing is seen even later than what is rare: of N that came in all, the first comes after the square
 * root of 1/N of the time. */
int64_t why__unseen(const struct why *y, const struct finding *f);
bool why__same_course(const struct why *y, const struct finding *f, int64_t since_us, int64_t at_us);
/* The series of the finding moved the same way in one of the first n of these, which says so already. */
bool why__told(const struct finding *f, const struct finding *const *of, size_t n);
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
