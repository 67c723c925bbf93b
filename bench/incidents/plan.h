/*
 * plan.h - what is planted in a world: effects on requests and messages, events people made, and the truth about it
 *
 * Times are hours since the start of the logs. Effects add up; each is a strength over time (step, ramp, repeated window, age since the host's last
 * start) times what it does. The truth names what the right first suspect must name, by kind, subject and time - never by wording of a title.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_INCIDENTS_PLAN_H
#define LQ_INCIDENTS_PLAN_H

#include <stdio.h>

#include "bench/incidents/world.h"

enum { PLAN_WANTS_MAX = 12, PLAN_ONSETS_MAX = 16, PLAN_FAILURES_KEPT = 64 };
enum which_routes { ROUTES_ALL = -1, ROUTES_DEPEND = -2 }; /* else an index */

struct effect {
    double from_h, to_h;     /* to 0 = goes on */
    double ramp_h;           /* full strength after this long, linearly; 0 = at once */
    double doublings;        /* not 0: it doubles so often on the way, instead of a straight line */
    double every_h, for_h;   /* only for for_h of each every_h since from_h; 0 = always */
    bool since_start;        /* only on hosts whose last start is not before from_h: what a release brought */
    double age_h;            /* only on hosts that started at least this long ago; the ramp then runs over the age */
    uint32_t hosts;          /* mask, 0 = all */
    int routes;              /* an index or enum which_routes */
    double fail, slow;       /* probability of failure; request time x (1 + slow) */
    unsigned status;         /* of the failure; 0 = 500 */
    double hang_s;           /* how long a failing request takes; 0 = as any other */
    double vanish;           /* share of the requests that go to other hosts instead, or nowhere */
    bool nowhere;
    double extra_per_hour;   /* more requests to `routes` (an index, or all) */
    const char *client;      /* that make them; NULL = anyone */
    double factor;           /* more requests of everyone: x (1 + factor) */
    char says[WORLD_TEXT_MAX], fail_says[WORLD_TEXT_MAX]; /* of the application: "Lnmessage", level, logger index, text */
    double says_per_hour, fail_says_share;
    bool harm; /* its failures are the incident */
};

struct event { /* one line of a host's application log at a time */
    double at_h;
    unsigned host;
    char text[WORLD_TEXT_MAX];
};

struct change { /* what people did, as a baseline sees it */
    double at_h, end_h;
    const char *kind; /* release restart rollback config traffic route job message */
    char name[64];
    bool cause;
    bool wave; /* programs start: start-up lines are written and the version is known once all waves are planted (plan_finish) */
    uint32_t hosts;
    double gap_h;
};

struct want { /* one way to name the cause: all that is given must hold */
    const char *kinds;  /* "release restart"; NULL = any */
    const char *dim;    /* "version", "template|logger", NULL = no subject asked for */
    char is[96], has[96];
    const char *metric; /* NULL = any */
    double low_h, high_h;
    const struct change *version_of; /* not NULL: `is` becomes its version */
};

struct plan {
    struct world *w;
    struct effect effects[WORLD_EFFECTS_MAX];
    struct event events[WORLD_EVENTS_MAX];
    struct change changes[WORLD_EVENTS_MAX];
    struct want wants[PLAN_WANTS_MAX], neutral[PLAN_WANTS_MAX];
    unsigned n_distract;
    bool no_starts; /* distractors start no program */
    bool whole;     /* the logs do not end soon after the onset */
    unsigned n_effects, n_events, n_changes, n_wants, n_neutral, n_onsets;
    double onset_h[PLAN_ONSETS_MAX];
    double onset_high_h[PLAN_ONSETS_MAX]; /* 0 = by the planted failures */
    bool onset_ramp;
    bool onset_optional; /* a rise that is normal: an onset may be found, a claim may not be made */
    bool high_allowed;
    double end_h; /* 0 = goes on */
    double format_change_h; /* not 0: from here access lines are written in `format_after` */
    enum access_format format_after;
    double starts_h[WORLD_HOSTS_MAX][WORLD_STARTS_MAX];
    unsigned n_starts[WORLD_HOSTS_MAX];
    const char *variant;
    double failure_h[PLAN_FAILURES_KEPT]; /* first planted failures */
    uint64_t planted, others, lines; /* others: errors of no effect, where and while the incident was at work */
    unsigned draw;
};

struct kind {
    const char *name, *text;
    bool held_out; /* set aside as a whole before any tuning */
    void (*plant)(struct plan *p);
};
extern const struct kind kinds[];
extern const unsigned n_kinds;

/* Planting (plan.c). */
struct effect *plan_effect(struct plan *p, double from_h, double to_h);
void plan_says(struct effect *e, double per_hour, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void plan_fail_says(struct effect *e, double share, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void plan_line(struct plan *p, double at_h, unsigned host, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
struct change *plan_change(struct plan *p, double at_h, double end_h, const char *kind, const char *name);
/* Programs start, host after host, `gap_h` apart; hosts 0 = all. Kind release (a new version; of all hosts: what runs from then on), restart, or rollback (to
 * the version before the newest). */
struct change *plan_wave(struct plan *p, double at_h, uint32_t hosts, double gap_h, const char *kind);
/* Ask for n harmless changes; plan_finish places them. */
void plan_distract(struct plan *p, unsigned n);
void distract(struct plan *p); /* distract.c; of plan_finish */
/* Distractors near nothing that matters, versions in order of time, start-up lines. After this the plan is only read. */
void plan_finish(struct plan *p);
struct want *plan_want(struct plan *p, const char *kinds, double low_h, double high_h);
struct want *plan_neutral(struct plan *p, const char *kinds, double low_h, double high_h);
/* The wave is the cause: by its version where the logs name it in a field, else by the start-up lines. */
void plan_want_wave(struct plan *p, const struct change *c);
void plan_onset(struct plan *p, double at_h);
uint32_t plan_all_hosts(const struct plan *p);

/* simulate.c: writes the files; fills failure_h, planted, lines. LQ-independent; 0 = ok */
int simulate(struct plan *p, const char *dir);
/* truth.c */
int truth_write(struct plan *p, const struct kind *k, uint64_t seed, const char *dir);

#endif
