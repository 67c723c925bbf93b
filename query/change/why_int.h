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

#define US        1000000LL
#define NO_DIM    UINT32_MAX
#define WHY_FDR   0.05
#define WHY_WAITS 2.5 /* mean times between, until all but one in twelve have been seen */

enum { EVENTS_MAX = 160, EVENT_HOSTS_MAX = 64, EVENT_ALSO_MAX = 2, INCIDENTS_MAX = 64, TARGET_PARTS_MAX = 3 };

/* ---- the target ---- */

enum target_kind { TARGET_SHARE, TARGET_COUNT, TARGET_VALUE };
struct target {
    enum target_kind kind;
    const struct stream_info *info,
        *parts[TARGET_PARTS_MAX]; /* parts: the same log in other formats, before or after */
    uint32_t n_parts;
    int64_t from_s, step_s;
    uint32_t n;
    double *num, *den; /* by step: errors of requests; counts of seconds; value and its weight (0 = nothing there) */
    double *seen;      /* records of the stream, whatever the target */
};

struct incident {      /* a run of segments above the quiet level */
    uint32_t from, to; /* steps of the target */
    double before, after, excess, severity, p, peak;
    int64_t time_us, low_us, high_us, end_us, top_us; /* top: of a slow rise, when it was complete; 0: no slow rise */
    const char *type;
    bool ongoing, falling, recurring;
};

/* ---- events ---- */

enum event_kind { EVENT_RELEASE, EVENT_ROLLBACK, EVENT_RESTART, EVENT_CONFIG, EVENT_JOB, EVENT_MARKER, EVENT_ONCE };
struct event_host {
    lq_str name;
    int64_t time_us;
};
struct event { /* something that people or programs did, at a known time */
    enum event_kind kind;
    int64_t time_us, end_us;
    const char *name, *text;     /* text: the message or note that shows it, as its template */
    const char *also[EVENT_ALSO_MAX]; /* what was said with it, once in all these days */
    uint32_t n_also;
    const char *said;            /* that message as it was written then; NULL = not kept */
    const char *word;            /* what a marker of no other kind is called */
    uint32_t stream, dim, value; /* where it was seen: stream NO_DIM for markers */
    uint32_t n_hosts;
    struct event_host hosts[EVENT_HOSTS_MAX];
    bool inferred;   /* a marker that logs show: what this finds itself stands for it */
    const char *kin; /* a rare word that it shares with a message of the failures; NULL = none */
    double rate;     /* such events per second, over the range */
    uint32_t waves;
};

/* ---- findings ---- */

enum finding_shape {
    FINDING_STEP,
    FINDING_TREND,
    FINDING_NEW,
    FINDING_GONE,
    FINDING_SILENCE,
    FINDING_SURGE,
    FINDING_RENAME
};
enum finding_metric { METRIC_COUNT, METRIC_SHARE, METRIC_ERRORS, METRIC_MEASURE, METRIC_IDENTITIES };
struct finding {
    uint32_t stream; /* index in both grids */
    uint32_t dim, value;
    enum finding_metric metric;
    enum finding_shape shape;
    uint32_t measure;
    bool near, accepted, message, failing /* its records are errors */,
        at_onset /* may have begun with the onset, not before */, level_only,
        routine, /* comes with every start or stop */
        here;    /* asked of the place where it fails */
    double before, after, p, stat;
    int64_t time_us, low_us, high_us;
    int64_t until_us;  /* of a silence: when it ended */
    int event;         /* -1 = none */
    const char *cause; /* a cause that its message names, or NULL */
    uint32_t other;    /* of a rename: the new value */
    lq_str text;       /* of the value: ids depend on the order of loading, the answer must not */
    const char *stream_name;
};

struct why {
    struct snapshot *s;
    struct why_answer *a;
    const struct why_options *o;
    struct target t;
    struct incident incidents[INCIDENTS_MAX];
    uint32_t n_incidents, chosen;
    double quiet, dispersion, asked; /* asked: the target is the strangest of so many series */
    bool tells[DIM_MAX]; /* dimensions of the target's stream that only say the same as `error` */
    struct grid far, near;
    uint32_t target_stream; /* index in the grids, NO_DIM = none */
    int8_t **complains;     /* by stream and template: filled when asked */
    struct event *events;
    uint32_t n_events;
    struct finding *findings;
    size_t n_findings, cap_findings;
    double *y, *w;    /* scratch */
    enum lq_err over; /* the budget is spent: what was found so far is no answer */
    struct lq_error over_error;
    float *calm[2];
};

const char *why__printf(struct why_answer *a, const char *fmt, ...) LQ_PRINTF(2, 3);
void why__notice(struct why_answer *a, const char *text);
/* Asked in outer loops: the budget is spent, leave. why_run sees it at the end. */
bool why__over(struct why *y);
lq_str why__value(struct why *y, uint32_t stream, uint32_t dim, uint32_t value);
static inline const struct stream_info *why__info(const struct why *y, uint32_t stream)
{
    return y->far.streams[stream].info;
}
static inline const struct incident *why__incident(const struct why *y)
{
    return &y->incidents[y->chosen];
}
static inline bool why__is_template(const struct stream_schema *s, uint32_t dim)
{
    return dim != NO_DIM && strcmp(s->dims[dim], "template") == 0;
}

/* Dimensions that only repeat what another says: the class of a status; level and logger of a message. */
static inline bool why__repeats(const struct stream_schema *s, uint32_t dim)
{
    bool messages = false;
    for (uint32_t d = 0; d < s->n_dims; d++) {
        messages = messages || why__is_template(s, d);
    }
    return strcmp(s->dims[dim], "status_class") == 0 ||
           (messages && (strcmp(s->dims[dim], "level") == 0 || strcmp(s->dims[dim], "severity") == 0 ||
                         strcmp(s->dims[dim], "logger") == 0));
}

/* why_target.c */
LQ_MUST enum lq_err why__read_target(struct why *y, struct lq_error *e);
void why__target_at(struct why *y, int64_t us);
/* why_onset.c: false = none */
bool why__find_onset(struct why *y);
/* why_ramp.c: why an event after the onset is no cause; how well the beginning of a slow rise, which is an estimate, fits
 * a time (1: best) */
const char *why__after_start(struct why *y, int64_t us);
double why__start_at(const struct why *y, int64_t us);
static inline bool why__slow(const struct why *y)
{
    return why__incident(y)->top_us > 0;
}
/* why_split.c: pure */
struct split {
    uint32_t at, low, high; /* first step after; 95 % interval */
    double before, after, stat, p, dispersion;
};
/* The likeliest step with its first step in [from, to]: of part in whole (binomial), or of counts for an exposure
 * (Poisson; whole NULL: equal steps). False: too little to tell. */
bool why__split(const float *part, const float *whole, bool binomial, uint32_t n, uint32_t from, uint32_t to,
                struct split *out);
/* why_events.c */
void why__find_events(struct why *y);
/* why_far.c, why_near.c, why_volume.c: findings */
void why__far_findings(struct why *y);
void why__near_findings(struct why *y);
void why__volume_findings(struct why *y);
void why__silence(struct why *y);
/* why_place.c: what moved at the place where most of the new errors are; and of two findings of one rise there, the less
 * exact one goes */
void why__place_findings(struct why *y);
void why__drop_inexact(struct why *y);
/* A dimension that names where something runs: host, region, pod … */
bool why__is_place(const char *dim);
/* Accepted surges get the value whose share rose with them. Messages of starts and stops are no news when they come
 * with each of them. */
void why__place_surges(struct why *y);
/* qsort of pointers to findings: by time, then by what they are. */
int why__finding_order(const void *a, const void *b);
struct finding *why__add_finding(struct why *y, uint32_t stream, uint32_t dim, uint32_t value);
void why__accept_findings(struct why *y);
void why__alloc_scratch(struct why *y, uint32_t n);
void why__free_scratch(struct why *y);
/* What did not fail. Of a log of events a failing line is one more, not one of those that came anyway: shares of hosts
 * and the like are taken without them, or each failure would be a change of its own place. */
void why__calm(const struct grid_series *x, uint32_t n, float *out);
/* why_words.c: what messages say */
/* By the level of its lines: 1 it warns or worse, 0 it does not, -1 its lines have no level. */
int why__complains(const struct why *y, uint32_t stream, uint32_t template_value);
const char *why__cause_words(lq_str text);
bool why__event_words(lq_str text, enum event_kind *kind);
bool why__only_failure_words(lq_str text);
bool why__word_of_any_failure(lq_str word);
bool why__next_word(lq_str *rest, lq_str *word);
/* why_line.c: what a stored line says, of which the template is known; n 0 = it does not fit */
lq_str why__said(lq_str line, lq_str template);
/* why_kin.c: events and messages of the failures that speak of the same thing */
void why__find_kin(struct why *y);
/* why_where.c */
void why__find_where(struct why *y);
/* why_contrast.c */
struct contrast {
    double errors[2], count[2]; /* with, without */
    double p, ratio;
    uint32_t exposed, others;
};
bool why__event_contrast(struct why *y, const struct event *e, struct contrast *out);
/* why_impact.c */
void why__impact(struct why *y);
/* why_sessions.c */
void why__sessions(struct why *y);
void why__sessions_hint(struct why *y);
/* why_other.c: no onset among requests; says so where one is among events */
void why__streams_hint(struct why *y);
bool why__is_lost_session(const struct stream_schema *s, uint32_t dim, lq_str value);
/* why_rank.c, why_say.c */
void why__rank(struct why *y);
const char *why__event_title(struct why *y, const struct event *e);
const char *why__finding_kind(const struct why *y, const struct finding *f);
const char *why__finding_text(struct why *y, const struct finding *f);
const char *why__lead(struct why *y, int64_t us);
const char *why__percent(struct why *y, double share);
struct why_subject why__subject(struct why *y, const struct finding *f);
double why__strength(const struct finding *f);
void why__add_line(struct why *y, struct why_suspect *s, uint32_t stream, uint32_t dim, uint32_t value);
void why__add_member(struct why *y, struct why_suspect *s, const struct finding *f);
void why__add_evidence(struct why_suspect *s, const char *text);

#endif
