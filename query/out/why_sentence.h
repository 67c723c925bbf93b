/*
 * why_sentence.h - the sentences that the text, markdown and html of `why` share
 *
 * Each writes one sentence without a line end into out, cut at cap.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_WHY_SENTENCE_H
#define LQ_WHY_SENTENCE_H

#include "query/change/why.h"

void why_onset_sentence(const struct why_answer *a, const struct timezone_rules *tz, char *out, size_t cap);
/* What the bars of the target are, and the highest of them: the mean of its time, not a peak. */
void why_spark_label(const struct why_answer *a, char *out, size_t cap);
void why_level_sentence(const struct why_answer *a, char *out, size_t cap);
void why_impact_sentence(const struct why_answer *a, char *out, size_t cap);
void why_audience_sentence(const struct why_audience *x, const char *identity, char *out, size_t cap);
void why_sessions_sentence(const struct why_sessions *x, const struct timezone_rules *tz, char *out, size_t cap);
void why_tested_sentence(const struct why_answer *a, char *out, size_t cap);
void why_silent_sentence(const struct why_silent *x, const struct timezone_rules *tz, char *out, size_t cap);
/* How long it lasted or has been going on: "2d 14h". */
void why_lasted(const struct why_answer *a, char *out, size_t cap);

/* Characters of UTF-8 text, and the bytes of the longest start of at most `columns` characters. */
size_t why_columns(lq_str s);
size_t why_fit(lq_str s, size_t columns);

#endif
