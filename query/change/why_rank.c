/*
 * why_rank.c - suspects: what happened, what came with it, how much it explains; and who is cleared
 *
 *      score = (1 - product over terms of (1 - weight * term)) * (1 - 0.7 * against)
 *
 *      term      of an event                                        of changes without an event
 *      time      how rarely such an event stands so close before an   how close before the onset
 *                onset, faded over half an hour; a small rest that
 *                fades over days
 *      trend     a measure or share began to move with it, went on    the same
 *      novelty   messages or values never seen before came with it    the same, less where new ones come all the time
 *      contrast  hosts or versions that have it fail, others do not   the errors are all on this value
 *      recovery  the errors ended when it was taken back              the errors ended when it ended
 *      age       each start is followed by an onset at the same age   -
 *      repeat    it came before other onsets too, beyond chance       -
 *      effect    -                                                    how far it moved
 *      words     its message shares a rare word with those of the       -
 *                failures
 *      cause     a message that came with it names a cause            the same
 *      against   what leads to the errors began before it; hosts without it fail as much
 *
 * Confidence. High needs two kinds of evidence that do not follow from the time alone: a contrast together with time or
 * trend; a trend seen in two different measurements; recovery with time; repetition. Coincidence in time alone is at
 * most medium. What may as well be an effect of the failure is at most medium.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/why_rank.h"

enum { WAIT_MAX_S = 2 * 3600, MANY_HOSTS = 3, ALONE_MIN = 8 };
#define ANY_DEED_P 0.05      /* so seldom does anything that people do stand so close before an onset by chance */
enum { DELAY_S = 4 * 3600 }; /* the hours in which a setting may still wait */
#define SAID_BY 0.95         /* what says that it fails stands behind what was done just before */

const char *const why_term_names[WHY_TERMS] = {"time",   "trend",  "novelty", "contrast", "recovery", "age",
                                               "repeat", "effect", "words",   "cause",    "against"};
static const double event_weights[WHY_TERMS] = {0.72, 0.7, 0.35, 0.85, 0.6, 0.85, 0.8, 0, 0.5, 0.15, 0};
static const double loose_weights[WHY_TERMS] = {0.35, 0.55, 0.25, 0.5, 0.3, 0, 0, 0.2, 0, 0.35, 0};

double why__combine(const struct why_suspect *s, bool event)
{
    double rest = 1;
    for (int i = 0; i < WHY_TERMS; i++) {
        rest *= 1 - (event ? event_weights : loose_weights)[i] * s->terms[i];
    }
    return (1 - rest) * (1 - 0.7 * s->terms[WHY_AGAINST]);
}

bool why__told(const struct finding *f, const struct finding *const *of, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct finding *b = of[i];
        bool moved = (f->shape == FINDING_STEP || f->shape == FINDING_TREND) &&
                     (b->shape == FINDING_STEP || b->shape == FINDING_TREND),
             same = b->stream == f->stream && b->dim == f->dim && b->value == f->value && b->metric == f->metric &&
                    b->measure == f->measure;
        if (b != f && moved && same && (b->after > b->before) == (f->after > f->before)) {
            return true;
        }
    }
    return false;
}

/* A message that comes with nearly every start or stop says that there was one, nothing else. One that complains must
 * have come with two of them: it may be what the only one broke. */
static bool comes_with_events(const struct why *y, const struct finding *f)
{
    const struct grid *g = &y->far;
    const struct grid_stream *st = &g->streams[f->stream];
    double with = 0, all = 0;
    uint32_t starts = 0, hosts = 0;
    int64_t slack = 900 > g->step_s ? 900 * US : g->step_s * US, last = INT64_MIN;
    for (uint32_t i = 0; i < st->n_series; i++) {
        if (st->series[i].dim != f->dim || st->series[i].value != f->value) {
            continue;
        }
        for (uint32_t t = 0; t < g->steps; t++) {
            const struct event *near = NULL;
            for (uint32_t k = 0; k < y->n_events && st->series[i].count[t] > 0 && near == NULL; k++) {
                const struct event *e = &y->events[k];
                near = grid_time_us(g, t) >= e->time_us - slack && grid_time_us(g, t) <= e->end_us + slack &&
                               e->kind <= EVENT_RESTART
                           ? e
                           : NULL;
            }
            if (near != NULL && near->time_us > last) {
                starts++;
                hosts += near->n_hosts;
                last = near->end_us + 2 * slack;
            }
            with += near != NULL ? (double)st->series[i].count[t] : 0;
            all += (double)st->series[i].count[t];
        }
    }
    bool complaint = f->failing || f->cause != NULL || why__complains(y, f->stream, f->value) > 0;
    return all > 0 && with > 0.8 * all &&
           (starts > 1 || !complaint || all <= hosts); /* once each: it stops, or starts */
}

/* Clocks of two logs differ a little, and where a rise builds up its interval is itself an estimate. */
int64_t why__latest(const struct why *y)
{
    const struct incident *x = why__incident(y);
    int64_t slack = (x->high_us - x->low_us) / 4;
    return x->high_us + (slack < 60 * US ? 60 * US : slack > 600 * US ? 600 * US : slack);
}

/* How many of the hosts had it: what happened on one of many explains less of what moved on all. */
static double coverage(const struct why *y, const struct event *e)
{
    uint32_t hosts = 0;
    if (e->n_hosts == 0 || e->stream == NO_DIM) {
        return 1;
    }
    const struct grid_stream *st = &y->far.streams[e->stream];
    for (uint32_t i = 0; i < st->n_series; i++) {
        hosts += st->series[i].dim == DIM_HOST;
    }
    return hosts > e->n_hosts ? (double)e->n_hosts / hosts : 1;
}

/* The value came with the event, and from then on more and more. */
static bool grows(const struct why *y, const struct finding *f, int event)
{
    bool step = !f->near && f->dim != NO_DIM && f->metric == METRIC_SHARE && f->after > f->before;
    for (size_t i = 0; i < y->n_findings && step; i++) {
        const struct finding *b = &y->findings[i];
        if (b->accepted && b->shape == FINDING_NEW && b->event == event && b->stream == f->stream && b->dim == f->dim &&
            b->value == f->value && f->time_us >= b->time_us) {
            return true;
        }
    }
    return false;
}

/*
 * A message that comes from hosts of all kinds, when the event was on few of them. Where those write nothing of it, they
 * may be another service, that the others ask. Or one that comes from one host alone, when the event was on many.
 */
static bool elsewhere(const struct why *y, const struct finding *f, const struct event *e)
{
    const struct grid_stream *st = &y->near.streams[f->stream];
    double by_host[EVENT_HOSTS_MAX] = {0}, there = 0, all = 0, most = 0;
    bool few = coverage(y, e) <= 0.5, many = e->n_hosts >= MANY_HOSTS;
    if (!f->message || e->kind > EVENT_RESTART || e->stream == NO_DIM || st->windows == NULL || !(few || many)) {
        return false;
    }
    for (uint32_t i = 0; i < st->n_windows; i++) {
        const uint32_t *ids = snapshot_series(y->s, st->info->id, i);
        double n = (double)st->windows[i].count[0] + (double)st->windows[i].count[1];
        if (n > 0 && ids[f->dim] == f->value) {
            lq_str host = snapshot_value(y->s, st->info->id, DIM_HOST, ids[DIM_HOST])->text;
            for (uint32_t k = 0; k < e->n_hosts; k++) {
                if (lq_str_eq(e->hosts[k].name, host)) {
                    there += n;
                    by_host[k] += n;
                    most = by_host[k] > most ? by_host[k] : most;
                }
            }
            all += n;
        }
    }
    bool alone = many && all >= ALONE_MIN && most > 0.9 * all;
    return alone || (few && there > 0 && there < 0.7 * all);
}

/* What rose on one host does not come from a start on others. */
static bool on_others(const struct finding *f, const struct event *e)
{
    bool has = f->dim != DIM_HOST || e->n_hosts == 0 || e->kind > EVENT_RESTART;
    for (uint32_t i = 0; i < e->n_hosts && !has; i++) {
        has = lq_str_eq(e->hosts[i].name, f->text);
    }
    return !has;
}

/* The event that a finding belongs to: its interval holds the event, or it appeared within hours after it. The nearest
 * one. */
static void assign(struct why *y, struct finding *f)
{
    int64_t best = INT64_MAX, step = f->near ? y->near.step_s : y->far.step_s, slack = 2 * step * US,
            first = f->shape == FINDING_NEW ? why__unseen(y, f) : 0;
    for (uint32_t i = 0; i < y->n_events; i++) {
        const struct event *e = &y->events[i];
        int64_t gap = f->time_us - e->time_us, wide = slack,
                after = f->at_onset ? 600 * US
                        : f->near   ? 1800 * US
                                    : 3 * 3600 * US;
        if (f->shape == FINDING_NEW && f->after > 0) { /* what comes twice an hour is not seen at once */
            int64_t wait = (int64_t)(WHY_WAITS / f->after * 1e6);
            wait = wait < WAIT_MAX_S * US ? wait : WAIT_MAX_S * US;
            after = after > wait ? after : wait;
            after = after > first ? after : first;
        }
        if (f->shape == FINDING_TREND && !f->near && why__incident(y)->time_us > f->time_us) {
            wide += (why__incident(y)->time_us - f->time_us) / 10; /* where a slow trend began is known no better */
        }
        bool exact = f->shape == FINDING_NEW || f->shape == FINDING_GONE || f->shape == FINDING_SILENCE;
        bool with = exact || f->at_onset ? gap >= -slack && gap <= after
                                         : f->low_us <= e->end_us + wide && f->high_us >= e->time_us - wide;
        bool itself = e->stream == f->stream && e->dim == f->dim && e->value == f->value;
        with = with || (itself && llabs(gap) <= 1800 * US) || grows(y, f, (int)i);
        gap = gap < 0 ? -gap : gap;
        if (f->shape == FINDING_TREND && !f->near && f->dim != DIM_HOST) {
            gap = (int64_t)((double)(gap + 600 * US) / coverage(y, e));
        }
        if (with && e->time_us <= why__latest(y) && (itself ? 0 : gap) < best && !on_others(f, e) &&
            !elsewhere(y, f, e)) {
            best = itself ? 0 : gap;
            f->event = (int)i;
        }
    }
}

/* Of a value that had begun to come, or to come more often, before: where its growth began. */
static struct finding *beginning(struct why *y, const struct finding *f)
{
    struct finding *first = NULL;
    for (size_t i = 0; i < y->n_findings; i++) {
        struct finding *b = &y->findings[i];
        bool same = b != f && b->stream == f->stream && b->dim == f->dim && b->value == f->value,
             rises = b->shape == FINDING_NEW ||
                     (b->shape == FINDING_TREND && b->after > b->before && b->metric == f->metric);
        bool before = b->shape == FINDING_NEW || b->time_us < f->time_us;
        if (b->accepted && same && rises && before &&
            (first == NULL || (b->shape == FINDING_NEW && first->shape != FINDING_NEW) ||
             (b->shape == first->shape && b->time_us < first->time_us))) {
            first = b;
        }
    }
    return first;
}

/* A message that goes on growing belongs to where that began, not to what happened on its way. */
static void goes_on(struct why *y, struct finding *f)
{
    bool part = f->message && f->after > f->before && (f->shape == FINDING_STEP || f->shape == FINDING_TREND);
    struct finding *b = part ? beginning(y, f) : NULL;
    if (b == NULL || b->event == f->event) {
        return;
    }
    int64_t at = f->event >= 0 ? y->events[f->event].time_us : f->time_us;
    if (f->shape == FINDING_TREND && f->time_us < b->time_us && b->shape == FINDING_NEW) {
        f->time_us = b->time_us; /* what was not there did not grow */
        f->low_us = f->low_us < b->time_us ? b->time_us : f->low_us;
        f->high_us = f->high_us < b->time_us ? b->time_us : f->high_us;
    }
    int64_t step_us = y->far.step_s * US;
    bool before = f->event >= 0 && at < b->time_us,
         itself = b->shape == FINDING_NEW && f->low_us <= b->time_us + step_us && f->high_us >= b->time_us - step_us;
    if (before && b->event < 0 && b->shape == FINDING_NEW && f->shape == FINDING_TREND) {
        b->event = f->event; /* it was seen when it had grown enough */
    }
    if (before ? b->event >= 0 : itself || why__same_course(y, f, b->time_us, at)) {
        f->event = b->event;
    }
}

static int level(const struct why_suspect *s)
{
    return s->confidence[0] == 'h' ? 2 : s->confidence[0] == 'm' ? 1 : 0;
}

/* What is surer stands first; then the score; then the newer. */
static int better(const void *a, const void *b)
{
    const struct why_suspect *x = a, *z = b;
    if (level(x) != level(z)) {
        return level(x) > level(z) ? -1 : 1;
    }
    if (x->score != z->score) {
        return x->score > z->score ? -1 : 1;
    }
    return x->time_us != z->time_us ? (x->time_us > z->time_us ? -1 : 1) : strcmp(x->title, z->title);
}

static void clear(struct why *y, const char *title, int64_t time_us, const char *reason)
{
    if (y->a->n_cleared < WHY_SUSPECTS_MAX) {
        y->a->cleared[y->a->n_cleared++] = (struct why_cleared){title, reason, time_us};
    }
}

static bool is_event(const struct why_suspect *s)
{
    return s->deed && strcmp(s->kind, "new_template") != 0;
}

/* Why an event that another suspect beats is cleared. */
static const char *clear_reason(struct why *y, const struct why_suspect *s, const struct why_suspect *first)
{
    int64_t d = s->time_us - first->time_us;
    if (d > 0 && d <= 60 * US) {
        return "the stronger evidence belongs to what came first";
    }
    if (s->terms[WHY_TREND] == 0 && s->terms[WHY_NOVELTY] == 0) {
        return why__printf(y->a, "nothing that is measured changed with it; what leads to the errors began %s %s it",
                           why__lead(y, d), d > 0 ? "before" : "after");
    }
    return why__printf(y->a, "what changed with it does not lead to the errors; the stronger evidence began %s %s it",
                       why__lead(y, d), d > 0 ? "before" : "after");
}

static void clear_later(struct why *y)
{
    const struct incident *x = why__incident(y);
    int64_t end = x->ongoing ? INT64_MAX : x->end_us + 600 * US;
    for (uint32_t i = 0; i < y->n_events; i++) {
        const struct event *e = &y->events[i];
        if (e->time_us > why__latest(y) && e->kind != EVENT_JOB && e->kind != EVENT_MARKER && e->kind != EVENT_ONCE) {
            clear(y, why__event_title(y, e), e->time_us,
                  e->time_us <= end ? why__after_start(y, e->time_us) : "it came after the errors were over");
        }
    }
}

static bool one_place(const struct why_suspect *a, const struct why_suspect *b)
{
    const char *x = a->subject.value[0], *z = b->subject.value[0];
    return x != NULL && z != NULL && strcmp(x, z) == 0;
}

/* The same measure, of another route or of all, at the same time. */
static bool one_measure(const struct why *y, const struct why_suspect *a, const struct why_suspect *b)
{
    const struct stream_schema *s = y->t.info->schema;
    bool same = false;
    for (uint32_t m = 0; m < s->n_measures; m++) {
        same = same || (strcmp(s->measures[m].name, a->subject.metric) == 0 &&
                        strcmp(a->subject.metric, b->subject.metric) == 0);
    }
    int64_t step = y->far.step_s * US;
    return same && !a->deed && !b->deed && a->low_us <= b->high_us + step && b->low_us <= a->high_us + step;
}

/* What came only with the errors is the last link of a chain, when something began to move long before and led there. */
static void chain(struct why *y)
{
    struct why_answer *a = y->a;
    const struct incident *x = why__incident(y);
    double trend = 0;
    for (uint32_t i = 0; i < a->n_suspects; i++) {
        const struct why_suspect *s = &a->suspects[i];
        bool leads = s->time_us < x->low_us - 3600 * US && s->terms[WHY_AGAINST] < 0.4;
        bool symptom = !is_event(s) && s->subject.dim[0] != NULL && strcmp(s->subject.dim[0], "template") != 0;
        double leading = s->terms[WHY_TREND] * (symptom ? 0.6 : 1); /* slower and slower: of what, the message says */
        trend = leads && leading > trend ? leading : trend;
    }
    for (uint32_t i = 0; i < a->n_suspects && trend >= 0.5; i++) {
        struct why_suspect *s = &a->suspects[i];
        if (!s->deed && s->time_us >= x->low_us - 60 * US && s->terms[WHY_TREND] < 0.3 &&
            strcmp(s->kind, "silence") != 0 && strcmp(s->confidence, "high") != 0) {
            s->score *= 1 - 0.5 * trend;
            why__add_evidence(s, "what leads to the errors began long before it");
        }
    }
}

/* Somebody did it, and not a clock: a job seen once in all these days is none. */
static bool is_setting(const struct event *e)
{
    return e->kind == EVENT_CONFIG || e->kind == EVENT_MARKER || e->kind == EVENT_ONCE ||
           (e->kind == EVENT_JOB && e->waves == 1);
}

/*
 * The chance that any of the deeds of these days stands so close before an onset, not only one of this sort: ten sorts of them, each seldom, are one that
 * is not. Programs that start are left out: they have reasons of their own.
 */
static double any_deed(const struct why *y, const struct event *e)
{
    const struct incident *x = why__incident(y);
    double n = 0, range_s = (double)y->far.steps * (double)y->far.step_s;
    for (uint32_t i = 0; i < y->n_events; i++) {
        n += is_setting(&y->events[i]);
    }
    int64_t known = (x->high_us - x->low_us) / 2, gap = x->time_us - e->time_us;
    return why__chance(n / (range_s > 1 ? range_s : 1), gap > known ? gap : known);
}

static bool is_of(const struct why *y, const struct why_suspect *s, const struct event *e)
{
    return s->deed && s->time_us == e->time_us && strcmp(s->title, why__event_title((struct why *)y, e)) == 0;
}

/* New long ago, and no more. */
static bool stale(const struct why_suspect *s)
{
    return !s->deed && level(s) == 0 && s->terms[WHY_TIME] < 0.3 && s->terms[WHY_TREND] < 0.3 && !s->stays;
}

static bool in_the_hours_before(const struct why *y, const struct event *e)
{
    return e->time_us >= why__incident(y)->time_us - DELAY_S * US;
}

static bool hardly_by_chance(const struct why *y, const struct event *e)
{
    return any_deed(y, e) < ANY_DEED_P;
}

/* The likeliest suspect that is a setting done before the onset, with nothing against it; NULL = none, or a slow rise. */
static struct why_suspect *best_setting(struct why *y, bool (*so_close)(const struct why *, const struct event *))
{
    struct why_answer *a = y->a;
    struct why_suspect *best = NULL;
    for (uint32_t i = 0; i < y->n_events && !why__slow(y); i++) {
        const struct event *e = &y->events[i];
        bool fits = is_setting(e) && e->time_us < why__incident(y)->time_us && so_close(y, e);
        for (uint32_t k = 0; k < a->n_suspects && fits; k++) {
            struct why_suspect *s = &a->suspects[k];
            best = is_of(y, s, e) && s->terms[WHY_AGAINST] == 0 && (best == NULL || s->score >= best->score) ? s : best;
        }
    }
    return best;
}

/* What says only that something fails, or where, or came long ago, is no answer while something was changed in the hours before. */
static void behind_settings(struct why *y)
{
    struct why_answer *a = y->a;
    struct why_suspect *done = best_setting(y, in_the_hours_before);
    for (uint32_t i = 0; i < a->n_suspects && done != NULL; i++) {
        struct why_suspect *s = &a->suspects[i];
        if ((s->bare || stale(s)) && level(s) < 2 && s->score > SAID_BY * done->score) {
            s->score = SAID_BY * done->score;
            s->confidence = level(s) > level(done) ? done->confidence : s->confidence;
        }
    }
}

/* A message that came with the errors tells how they fail. Where something was done so shortly before that chance hardly explains it, that is the change. */
static void said_by(struct why *y)
{
    struct why_answer *a = y->a;
    const struct incident *x = why__incident(y);
    struct why_suspect *done = best_setting(y, hardly_by_chance);
    for (uint32_t i = 0; i < a->n_suspects && done != NULL; i++) {
        struct why_suspect *s = &a->suspects[i];
        if (!s->deed && strcmp(s->kind, "new_template") == 0 && s->time_us >= x->low_us - 60 * US &&
            s->time_us > done->time_us && s->terms[WHY_CONTRAST] < 0.5 && level(s) < 2 &&
            (level(s) > level(done) || s->score > SAID_BY * done->score)) {
            done->confidence = level(s) > level(done) ? s->confidence : done->confidence;
            s->score = s->score < SAID_BY * done->score ? s->score : SAID_BY * done->score;
            why__add_evidence(
                s, why__printf(a, "it came %s after %s", why__lead(y, s->time_us - done->time_us), done->title));
        }
    }
}

/* The order, and who is dropped or cleared. */
static void sift(struct why *y)
{
    struct why_answer *a = y->a;
    uint32_t kept = 0, top = y->o->top > 0 ? y->o->top : 5;
    if (a->n_suspects == 0) {
        return;
    }
    chain(y);
    said_by(y);
    behind_settings(y);
    qsort(a->suspects, a->n_suspects, sizeof *a->suspects, better);
    const struct why_suspect first = a->suspects[0];
    /* What came with the errors may be their effect: what people did before stays in sight. */
    bool effect = !first.deed && first.time_us >= why__incident(y)->low_us && first.terms[WHY_CONTRAST] < 0.5,
         evidence = strcmp(first.confidence, "low") != 0 && !effect;
    for (uint32_t i = 0; i < a->n_suspects; i++) {
        struct why_suspect *s = &a->suspects[i];
        bool weak = s->terms[WHY_TREND] < 0.15 && s->terms[WHY_CONTRAST] == 0 && s->terms[WHY_RECOVERY] == 0 &&
                    s->terms[WHY_REPEAT] == 0 && s->terms[WHY_AGE] == 0;
        weak = weak || (level(&first) == 2 && level(s) == 0 && s->terms[WHY_AGAINST] > 0.5);
        bool again = false;
        for (uint32_t k = 0; k < kept; k++) {
            again = again || (one_place(s, &a->suspects[k]) && !is_event(s)) || one_measure(y, s, &a->suspects[k]);
        }
        if (again || (i > 0 && stale(s))) {
            continue;
        }
        bool in = why__slow(y) && s->time_us >= why__incident(y)->low_us && why__start_at(y, s->time_us) > LIKELY;
        if (evidence && i > 0 && weak && !in && is_event(s) && s->score < 0.6 * first.score &&
            strcmp(s->kind, "spike") != 0) {
            clear(y, s->title, s->time_us, clear_reason(y, s, &first));
        } else if (kept < top && (i == 0 || s->score > 0.2 * first.score || (!evidence && s->deed && kept < 3))) {
            a->suspects[kept++] = *s;
        } else if (evidence && is_event(s) && strcmp(s->kind, "spike") != 0) { /* nobody asks in vain about a release */
            clear(y, s->title, s->time_us, clear_reason(y, s, &first));
        }
    }
    a->n_suspects = kept;
}

static int cleared_order(const void *a, const void *b)
{
    const struct why_cleared *x = a, *z = b;
    return x->time_us != z->time_us ? (x->time_us > z->time_us ? -1 : 1) : strcmp(x->title, z->title);
}

void why__rank(struct why *y)
{
    for (int later = 0; later < 2; later++) { /* what is new first: its growth belongs to the same event */
        for (size_t i = 0; i < y->n_findings; i++) {
            struct finding *f = &y->findings[i];
            if (f->accepted && (f->shape != FINDING_NEW) == (later == 1)) {
                assign(y, f);
                f->routine = f->message && comes_with_events(y, f);
            }
        }
    }
    for (size_t i = 0; i < y->n_findings; i++) { /* when each has its event */
        if (y->findings[i].accepted) {
            goes_on(y, &y->findings[i]);
        }
    }
    why__find_kin(y);
    why__judge_events(y);
    why__judge_loose(y);
    sift(y);
    clear_later(y);
    if (y->a->n_cleared > 1) {
        qsort(y->a->cleared, y->a->n_cleared, sizeof *y->a->cleared, cleared_order);
    }
}
