/*
 * why.h - what changed before the errors started?
 *
 *      target    the series that went wrong: errors of requests, or any query
 *      onset     its segments; a run of segments well above the quiet level is an incident; one of them is answered,
 * the others are named grids     every series of every stream, far back and near the onset (grid.h) events    what
 * people and programs did: releases, rollbacks, restarts, configuration, jobs, markers findings  what moved before the
 * onset or with it; values first seen or gone; one false discovery rate over all where     in which values, or pairs of
 * them, the errors concentrate suspects  findings that begin with an event belong to it; the rest stand together by
 * time; scored by evidence, not by recency
 *
 * README.md of this folder has the method, why_rank.c the scoring model. Coincidence in time alone is never high
 * confidence. Pure but for reading the snapshot; deterministic.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_WHY_H
#define LQ_WHY_H

#include "query/budget.h"
#include "schema/timefmt.h"
#include "store/reader.h"

enum {
    WHY_SUSPECTS_MAX = 40,
    WHY_MEMBERS_MAX = 12,
    WHY_EVIDENCE_MAX = 12,
    WHY_LINES_MAX = 4,
    WHY_SPARK = 60,
    WHY_NOTICES_MAX = 24,
    WHY_ONSETS_MAX = 16,
    WHY_AUDIENCES_MAX = 12,
    WHY_SILENT_MAX = 16,
    WHY_WHERE_MAX = 6,
};

/* Terms of a score, each 0…1. */
enum why_term {
    WHY_TIME,     /* how unlikely it is that such a thing stands so close before the onset by chance */
    WHY_TREND,    /* a measure or share that began to move with it, and moved on until the errors */
    WHY_NOVELTY,  /* messages or values never seen before that came with it and stayed */
    WHY_CONTRAST, /* who has it fails, who does not have it does not */
    WHY_RECOVERY, /* the errors ended when it was taken back */
    WHY_AGE,      /* the errors come at the same age after it each time */
    WHY_REPEAT,   /* it came before other onsets too */
    WHY_EFFECT,   /* how much moved */
    WHY_WORDS,    /* its message and those of the failures speak of the same thing */
    WHY_CAUSE,    /* its messages name a cause: a timeout, a full disk, an expired certificate */
    WHY_AGAINST,  /* what speaks against it: a precursor began before it, an older version fails too */
    WHY_TERMS,
};
extern const char *const why_term_names[WHY_TERMS];

struct why_options {
    const char *target;     /* NULL = errors; else a query of one column, with or without a filter */
    int64_t from_us, to_us; /* where the onset is looked for; INT64_MIN / INT64_MAX: everything stored */
    int64_t recent_us; /* an onset that is over for longer than this is answered only when there is no other; 0: all are
                          equal */
    int64_t onset_us;  /* INT64_MIN: found */
    int64_t lookback_us; /* how long before the onset causes are looked for; 0: everything stored */
    uint32_t top;        /* 0: 5 */
    struct budget budget;
};

struct why_subject {
    const char *stream, *metric, *dim[2], *value[2]; /* dim NULL = the whole stream */
};
struct why_member {
    int64_t time_us;
    const char *kind, *text;
    struct why_subject subject;
    double before, after, p; /* NAN = unknown */
};
struct why_suspect {
    const char *confidence, *kind, *title;
    struct why_subject subject;
    double score, terms[WHY_TERMS];
    bool deed;  /* something that people or programs did */
    bool stays; /* a warning that came new or more often, and goes on */
    bool bare; /* it says only that something fails, or where */
    int64_t time_us, low_us, high_us;
    uint32_t n_members, n_evidence, n_lines;
    struct why_member members[WHY_MEMBERS_MAX];
    const char *evidence[WHY_EVIDENCE_MAX];
    const char *lines[WHY_LINES_MAX];
    const char *spark_text; /* what the sparkline shows; NULL = none */
    double spark[WHY_SPARK];
};
struct why_cleared {
    const char *title, *reason;
    int64_t time_us;
};
struct why_onset {
    int64_t time_us, low_us, high_us, end_us; /* end INT64_MAX while it goes on */
    const char *type;                         /* step_change, trend_change, spike */
    bool ongoing;
    double before, after, p;
};
struct why_audience {
    const char *dim, *value;
    uint64_t requests, errors, identities; /* identities UINT64_MAX = not kept */
};
struct why_where {
    struct why_subject subject;
    const char *text;
    double share; /* of the errors beyond the usual */
};
struct why_silent {
    const char *stream, *dim, *value;
    int64_t since_us;
};
struct why_sessions { /* that were lost without a logout; stream NULL: no more than usual */
    const char *stream;
    int64_t time_us, low_us, high_us; /* when they began to be */
    double before, after, p;          /* share of the requests */
    uint64_t lost;                    /* requests that show it, in the hours around the onset */
};
struct why_answer {
    const char *target, *stream;
    const char *noun;  /* of the target in sentences: "errors", "requests", "p99(request_time)" */
    const char *unit;  /* of its values: " %", " /min", "" */
    double unit_scale; /* value * unit_scale is shown with the unit */
    bool share, requests_kind;
    int64_t from_us, to_us, now_us;
    bool has_onset;
    struct why_onset onset, others[WHY_ONSETS_MAX];
    uint32_t n_others;
    uint64_t requests, errors, identities; /* identities UINT64_MAX = not kept */
    const char *identity;                  /* "client" */
    struct why_sessions sessions;
    uint32_t n_audiences, n_where, n_silent, n_suspects, n_cleared, n_notices;
    struct why_audience audiences[WHY_AUDIENCES_MAX];
    struct why_where where[WHY_WHERE_MAX];
    struct why_silent silent[WHY_SILENT_MAX];
    struct why_suspect suspects[WHY_SUSPECTS_MAX];
    struct why_cleared cleared[WHY_SUSPECTS_MAX];
    const char *notices[WHY_NOTICES_MAX];
    uint64_t tested, moved, lines, parsed;
    double fdr;
    double spark[WHY_SPARK]; /* the target over the range; < 0: nothing there */
    double smallest_rise;    /* the level that a rise would have needed to be seen */
    struct lq_arena mem;
};
LQ_MUST enum lq_err why_run(struct snapshot *s, const struct why_options *o, struct why_answer *out,
                            struct lq_error *e);
void why_fini(struct why_answer *a);

struct why_style {
    const struct timezone_rules *tz;
    bool explain, color;
    uint32_t width; /* of the terminal; 0 = 96 */
};
void why_print_text(const struct why_answer *a, const struct why_style *style, FILE *f);
void why_print_json(const struct why_answer *a, FILE *f);
void why_print_markdown(const struct why_answer *a, const struct why_style *style, FILE *f);
void why_print_html(const struct why_answer *a, const struct why_style *style, FILE *f);

#endif
