/*
 * why.h - what changed before the errors started?
 *
 *      grid      one pass over the cells of every stream: counts and errors of every frequent dimension value, log-mean of every measure, per bucket
 *      onset     segmentation of errors of requests: the worst lasting rise, its interval
 *      events    releases (a version value seen first), restarts and rollbacks (it is seen again), markers
 *      changes   the best step or kink of every series before the onset; values first seen or gone; one false discovery rate over all
 *      suspects  changes that begin with an event belong to it; the rest stand for themselves; scored by evidence, not by recency
 *
 * Confidence: coincidence in time alone is never more than low (medium within a few minutes); a trend that begins at the event and leads to the
 * errors is medium, high when a second, different measurement or a contrast between exposed and unexposed hosts agrees.
 * Pure but for reading the snapshot; deterministic.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_WHY_H
#define LQ_WHY_H

#include "schema/timefmt.h"
#include "store/reader.h"

enum { WHY_SUSPECTS_MAX = 32, WHY_MEMBERS_MAX = 12, WHY_EVIDENCE_MAX = 10, WHY_LINES_MAX = 4, WHY_SPARK = 60 };

struct why_options {
    const char *target; /* NULL or "errors", or "stream = NAME | errors" */
    int64_t from_us, to_us; /* INT64_MIN / INT64_MAX: everything stored */
    int64_t onset_us;       /* INT64_MIN: found */
    int64_t lookback_us;    /* 0: everything */
    uint32_t top;           /* 0: 5 */
};

struct why_member {
    int64_t time_us;
    const char *kind, *text, *stream, *dim, *value, *metric;
    double before, after, p;
};
struct why_suspect {
    const char *confidence, *kind, *title, *stream, *dim, *value, *metric;
    double score, terms[5]; /* time, trend, novelty, contrast, recovery */
    int64_t time_us, low_us, high_us;
    uint32_t n_members, n_evidence, n_lines;
    struct why_member members[WHY_MEMBERS_MAX];
    const char *evidence[WHY_EVIDENCE_MAX];
    const char *lines[WHY_LINES_MAX];
};
struct why_cleared {
    const char *title, *reason;
    int64_t time_us;
};
struct why_answer {
    const char *target, *stream;
    int64_t from_us, to_us, now_us;
    bool has_onset, ongoing;
    int64_t onset_us, onset_low_us, onset_high_us, end_us;
    const char *onset_type;
    double rate_before, rate_after, onset_p;
    uint64_t requests, errors, identities;
    uint32_t n_suspects, n_cleared, n_notices;
    struct why_suspect suspects[WHY_SUSPECTS_MAX];
    struct why_cleared cleared[WHY_SUSPECTS_MAX];
    const char *notices[8];
    uint64_t tested, moved, lines, parsed;
    double fdr;
    double spark[WHY_SPARK]; /* share of errors over the range; < 0: nothing there */
    double smallest_rise;    /* the share that a rise would have needed to be seen */
    struct lq_arena mem;
};
LQ_MUST enum lq_err why_run(struct snapshot *s, const struct why_options *o, struct why_answer *out, struct lq_error *e);
void why_fini(struct why_answer *a);

void why_print_text(const struct why_answer *a, const struct timezone_rules *tz, bool explain, bool color, FILE *f);
void why_print_json(const struct why_answer *a, FILE *f);

#endif
