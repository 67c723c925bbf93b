/*
 * why_int.h - what the parts of `why` share
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_WHY_INT_H
#define LQ_WHY_INT_H

#include "query/change/grid.h"
#include "query/change/stat.h"
#include "query/change/why.h"

enum { EVENTS_MAX = 128, FINDINGS_MAX = 4096 };

enum event_kind { EVENT_RELEASE, EVENT_ROLLBACK, EVENT_RESTART, EVENT_MARKER };
struct event { /* something that people or programs did, at a known time */
    enum event_kind kind;
    int64_t time_us, end_us;
    const char *name, *service, *hosts;
    const struct grid_stream *stream;
    uint32_t dim, value; /* of the version */
    uint32_t host_mask[2]; /* exposed hosts, by index of the host list */
};

struct finding { /* a series that changed before the onset */
    const struct grid_stream *stream;
    const struct grid_series *series;
    const char *metric; /* count, errors, or a measure's name */
    struct change c;
    double when; /* step */
    bool novel, gone, accepted, harmful;
    int64_t time_us, low_us, high_us;
    double p;
    int event; /* -1 = none */
};

struct why {
    struct snapshot *s;
    struct why_answer *a;
    struct grid g;
    const struct grid_stream *target;
    uint32_t onset_step, end_step;
    double dispersion;
    struct event events[EVENTS_MAX];
    uint32_t n_events;
    struct finding *findings;
    size_t n_findings, cap_findings;
    double *y, *w; /* scratch of g.steps */
};

const char *why__printf(struct why_answer *a, const char *fmt, ...) LQ_PRINTF(2, 3);
lq_str why__value(struct why *y, const struct grid_stream *st, uint32_t dim, uint32_t value);

bool why__find_onset(struct why *y, int64_t given_us); /* why_onset.c */
void why__find_events(struct why *y);                  /* why_events.c */
void why__find_changes(struct why *y);                 /* why_changes.c */
void why__rank(struct why *y, uint32_t top);           /* why_rank.c */

#endif
