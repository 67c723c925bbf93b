/*
 * why_judge.c - what speaks for an event, and what against it
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/why_rank.h"

enum {
    MINE_MAX = 512,
    SHOWN = 6,
    AT_ONSET_SHOWN = 3,
    ALIKE_SHOWN = 2,
    REPEAT_LOOK_S = 1800,
    STARTS_MAX = EVENTS_MAX,
    SOON_S = 300,
    UNSEEN_S = 4 * 3600,
    TAKEN_S = 4 * 3600
};
#define LATE            0.5 /* of its closeness an event has lost where the onset can hardly be */
#define TAKEN_P         0.2 /* so seldom is such a deed in the time before a start */
#define TOOK_IN         0.9
#define FEW_P           0.05 /* so few failures are no surprise */
#define CALM_TREND      0.3 /* a message of everyday that comes more and more: it may be the work that a release brought */
#define DELAYED_SETTING 0.7 /* a setting, flag or rule waits for what needs it; a program that starts is used at once */
#define DELAYED                                                                                                        \
    0.4 /* of causes act after a delay of any length: its chance alone fades with the logarithm of the gap */

/* Of a chance: 1 at one in 300. */
static double rarity(double chance)
{
    double x = -log10(chance + 1e-12) / 2.5;
    return x > 1 ? 1 : x < 0 ? 0 : x;
}

double why__chance(double rate, int64_t gap_us)
{
    return 1 - exp(-rate * ((double)(gap_us < 0 ? 0 : gap_us) / 1e6 + 60));
}

/* From the event to the onset: none when the event stands within the onset's interval. */
static int64_t gap_of(const struct why *y, int64_t time_us)
{
    const struct incident *x = why__incident(y);
    int64_t gap = x->low_us - time_us;
    return gap < 0 ? 0 : gap;
}

/* Had it acted at once, failures would have come between it and the onset: how likely were so few of them? */
static double few_between(const struct why *y, int64_t from_us, int64_t to_us)
{
    const struct incident *x = why__incident(y);
    const struct target *t = &y->t;
    double whole = 0, seen = 0, mean, sum, term;
    if (t->kind != TARGET_SHARE || x->after <= x->before) {
        return 1;
    }
    for (uint32_t i = 0; i < t->n; i++) {
        int64_t at = (t->from_s + (int64_t)i * t->step_s) * US;
        if (at >= from_us && at + t->step_s * US <= to_us) {
            whole += t->den[i];
            seen += t->num[i];
        }
    }
    double spread = y->dispersion > 1 ? y->dispersion : 1;
    mean = whole * (strcmp(x->type, "trend_change") == 0 ? (x->after + x->before) / 2 : x->after) / spread;
    seen = floor(seen / spread);
    if (mean > 200 || seen >= mean) {
        return seen >= mean ? 1 : 0;
    }
    sum = term = exp(-mean);
    for (double k = 1; k <= seen; k++) {
        term *= mean / k;
        sum += term;
    }
    return sum < 1 ? sum : 1;
}

/* Within the interval of a sudden onset, but after its best estimate: the later, the less likely. */
static double before_onset(const struct why *y, int64_t time_us)
{
    const struct incident *x = why__incident(y);
    int64_t late = time_us - x->time_us - 60 * US, room = why__latest(y) - x->time_us;
    return why__slow(y) || late <= 0 || room <= 0 ? 1 : 1 - LATE * (double)late / (double)room;
}

/* How closely and rarely such an event stands before the onset, 0…1; not faded over days. */
static double closeness(struct why *y, const struct event *e)
{
    const struct incident *x = why__incident(y);
    int64_t wave = e->end_us - e->time_us;
    wave = wave > 3600 * US ? 3600 * US : wave;
    bool slow = why__slow(y);
    int64_t begins = slow ? x->low_us : x->time_us; /* of a slow rise */
    int64_t from = e->time_us + wave + 60 * US, late = begins - from;
    double apart = (double)(late > 0 ? late : 0) / 1e6, few = few_between(y, from, begins) / FEW_P;
    few = (few < 1 ? few : 1) * exp(-apart / UNSEEN_S);
    double soon = exp(-apart / SOON_S), delayed = e->kind <= EVENT_RESTART ? DELAYED : DELAYED_SETTING,
           close = delayed + (1 - delayed) * (soon > few ? soon : few);
    int64_t off = x->time_us - e->time_us; /* chance knows nothing of the onset: any distance from it is as likely */
    off = slow ? llabs(off) : late > 0 ? late : off < 0 ? -off : 0;
    int64_t known = (x->high_us - x->low_us) / 4; /* and what is known to hours says nothing of minutes */
    off = slow && off < known ? known : off;
    return close * rarity(why__chance(e->rate, off)) * before_onset(y, e->time_us);
}

static void time_terms(struct why *y, const struct event *e, struct why_suspect *s)
{
    const struct incident *x = why__incident(y);
    int64_t gap = gap_of(y, e->time_us);
    bool slow = why__slow(y);
    double rest = 0.04 + 0.1 * exp(-(double)gap / 86400e6 / 3);
    double before = slow && e->time_us > x->time_us ? why__start_at(y, e->time_us) : 1;
    s->terms[WHY_TIME] = closeness(y, e);
    s->terms[WHY_TIME] = s->terms[WHY_TIME] > rest ? s->terms[WHY_TIME] : rest;
    gap = x->time_us - e->time_us;
    if (e->kin != NULL) {
        s->terms[WHY_WORDS] = 1;
        why__add_evidence(s, why__printf(y->a, "messages of the failures speak of the same: \"%s\"", e->kin));
    }
    s->terms[WHY_TIME] *= before;
    if (slow && gap < 0) { /* within a slow rise, but its start is an estimate */
        if (before < 0.2) {
            s->terms[WHY_AGAINST] = 1 - (1 - s->terms[WHY_AGAINST]) * 0.5;
        }
        why__add_evidence(
            s,
            why__printf(y->a, "%sit happened %s after the likeliest start of the rise, which is not known more closely",
                        before < 0.2 ? "against it: " : "", why__lead(y, -gap)));
        return;
    }
    why__add_evidence(s, gap >= 60 * US ? why__printf(y->a, "it happened %s before the %s", why__lead(y, gap),
                                                      x->falling ? "drop" : "errors started")
                                        : "it happened within a minute of the onset");
}

static int stronger(const void *a, const void *b)
{
    const struct finding *x = *(const struct finding *const *)a, *z = *(const struct finding *const *)b;
    bool nx = x->shape == FINDING_NEW && !x->at_onset,
         nz = z->shape == FINDING_NEW && !z->at_onset; /* what was never seen before says most */
    if (nx != nz) {
        return nx ? -1 : 1;
    }
    if (x->at_onset != z->at_onset) {
        return x->at_onset ? 1 : -1;
    }
    bool cx = x->cause != NULL, cz = z->cause != NULL;
    if (cx != cz) {
        return cx ? -1 : 1;
    }
    if (x->stat != z->stat) {
        return x->stat > z->stat ? -1 : 1;
    }
    return why__finding_order(a, b);
}

struct kinds { /* of measurements that agree */
    bool measure, message;
};

/* It came new with a release, say, and as often from then on: that is no trend. */
static bool only_new(const struct why *y, const struct finding *f)
{
    for (size_t i = 0; i < y->n_findings; i++) {
        const struct finding *b = &y->findings[i];
        if (b->accepted && b->shape == FINDING_NEW && b->stream == f->stream && b->dim == f->dim &&
            b->value == f->value) {
            return why__grows(y, b) < 0.5;
        }
    }
    return false;
}

double why__leads(const struct why *y, const struct finding *f)
{
    if (f->shape == FINDING_GONE || f->shape == FINDING_RENAME) {
        return 0;
    }
    if (!f->message || f->failing || f->cause != NULL) {
        return 1;
    }
    int complains = why__complains(y, f->stream, f->value);
    return complains > 0 ? 1 : f->shape != FINDING_TREND || only_new(y, f) ? 0 : CALM_TREND;
}

/* A new message that complains of nothing only says that the program is another one. */
static bool calm(const struct why *y, const struct finding *f)
{
    return f->message && !f->failing && f->cause == NULL && why__complains(y, f->stream, f->value) == 0;
}

/* What began with the event. */
static struct kinds own_findings(struct why *y, uint32_t i, struct why_suspect *s)
{
    const struct finding *mine[MINE_MAX];
    const struct event *e = &y->events[i];
    struct kinds k = {false, false};
    size_t n = 0, shown_at_onset = 0, shown = 0, alike = 0;
    for (size_t j = 0; j < y->n_findings && n < MINE_MAX; j++) {
        if (y->findings[j].accepted && y->findings[j].event == (int)i) {
            mine[n++] = &y->findings[j];
        }
    }
    qsort(mine, n, sizeof *mine, stronger);
    for (size_t j = 0; j < n; j++) {
        const struct finding *f = mine[j];
        bool itself = f->stream == e->stream && f->dim == e->dim && f->value == e->value,
             traffic = (f->metric == METRIC_SHARE || f->metric == METRIC_COUNT) && !f->message;
        double x = why__strength(f);
        if (itself || f->routine || (x < 0.05 && f->shape != FINDING_RENAME)) {
            continue;
        }
        if (f->shape == FINDING_NEW) {
            s->terms[WHY_NOVELTY] = 1 - (1 - s->terms[WHY_NOVELTY]) * (calm(y, f) ? 0.9 : f->at_onset ? 0.7 : 0.4);
            bool says = f->failing || f->cause != NULL || why__complains(y, f->stream, f->value) > 0;
            k.message = k.message || (!f->at_onset && f->message && says);
        } else if (!f->at_onset && !traffic && why__leads(y, f) > 0) {
            x *= why__leads(y, f);
            s->terms[WHY_TREND] = x > s->terms[WHY_TREND] ? x : s->terms[WHY_TREND];
            k.measure = k.measure || (f->metric == METRIC_MEASURE && x > 0.1);
            k.message = k.message || (f->message && x > 0.1 && why__leads(y, f) > CALM_TREND);
        }
        s->terms[WHY_CAUSE] = f->cause != NULL && f->message ? 1 : s->terms[WHY_CAUSE];
        if (why__told(f, mine, j)) {
            continue;
        }
        why__add_member(y, s, f);
        shown_at_onset += f->at_onset;
        alike += f->metric == METRIC_MEASURE && f->after > f->before;
        bool again = f->metric == METRIC_MEASURE && f->after > f->before && alike > ALIKE_SHOWN; /* counted below */
        bool lines = f->dim == NO_DIM && f->metric == METRIC_COUNT && k.message; /* its messages say that */
        if (shown < SHOWN && !again && !lines && shown_at_onset <= AT_ONSET_SHOWN) {
            shown++;
            why__add_evidence(s, why__finding_text(y, f));
        }
        if (f->message && f->after > f->before) {
            why__add_line(y, s, f->stream, f->dim, f->value);
        }
        if (s->spark_text == NULL &&
            (f->shape == FINDING_TREND || f->shape == FINDING_NEW || f->shape == FINDING_STEP)) {
            why__spark(y, f, s);
        }
    }
    if (alike > ALIKE_SHOWN) {
        why__add_evidence(s, why__printf(y->a, "%zu more measures rose with it", alike - ALIKE_SHOWN));
    }
    return k;
}

/* The strongest trend towards the errors, or rise where they are, that began clearly after the event. */
static const struct finding *later_path(struct why *y, const struct event *e)
{
    const struct finding *best = NULL;
    for (size_t j = 0; j < y->n_findings; j++) {
        const struct finding *f = &y->findings[j];
        bool leads = f->here ? !f->at_onset : !f->near && f->shape == FINDING_TREND;
        bool harmful = f->accepted && leads && f->after > f->before &&
                       (f->metric == METRIC_MEASURE || f->metric == METRIC_ERRORS || (f->message && f->cause != NULL));
        bool apart = f->event < 0 && f->low_us > e->end_us + (f->here ? CLOSE_S : 3600) * US && f->time_us < why__incident(y)->low_us;
        if (harmful && apart && why__strength(f) > 0.3 &&
            (best == NULL || f->stat > best->stat || (f->stat == best->stat && why__finding_order(&f, &best) < 0))) {
            best = f;
        }
    }
    return best;
}

static void contrast(struct why *y, const struct event *e, struct why_suspect *s)
{
    struct contrast c;
    if (!why__event_contrast(y, e, &c)) {
        return;
    }
    bool versions = c.exposed == 0;
    const char *with =
        versions ? why__printf(y->a, "%s%s", e->name, e->kind == EVENT_ROLLBACK ? "" : " or later")
                 : "hosts that have it";
    const char *without = versions ? "older ones" : "hosts that do not have it at the same time";
    bool requests = y->a->requests_kind;
    const char *records = requests ? "requests" : "records", *by = !requests ? "of" : versions ? "served by" : "to";
    const struct incident *o = why__incident(y);
    double with_it = c.errors[0] / c.count[0], others = c.errors[1] / c.count[1],
           shared = (others - o->before) / (with_it - o->before); /* what the others suffer as well, it does not explain */
    const char *a = why__percent(y, with_it), *b = why__percent(y, others);
    if (c.p < 1e-3 && c.ratio > 1.5) {
        shared = shared > 1 || with_it <= o->before ? 1 : shared < 0 ? 0 : shared;
        double x = (1 - exp(-1.5 * log(c.ratio))) * (1 - shared), late = (double)gap_of(y, e->time_us) / 1e6 - CLOSE_S;
        const struct finding *path = late > 0 && s->terms[WHY_TREND] < 0.15 ? later_path(y, e) : NULL;
        if (path != NULL) { /* one host of several fails, long after, and what leads there began apart from the event */
            x *= 0.5;
            s->terms[WHY_AGAINST] = 1 - (1 - s->terms[WHY_AGAINST]) * 0.5;
            why__add_evidence(s, why__printf(y->a, "against it: %s after it, %s",
                                             why__lead(y, path->time_us - e->time_us), why__finding_text(y, path)));
        }
        s->terms[WHY_CONTRAST] = x > s->terms[WHY_CONTRAST] ? x : s->terms[WHY_CONTRAST];
        why__add_evidence(s, why__printf(y->a, "of the %s %s %s %s fail, of those %s %s %s", records, by, with, a, by,
                                         without, b));
        return;
    }
    bool local = e->kind == EVENT_RELEASE || e->kind == EVENT_ROLLBACK ||
                 e->kind == EVENT_RESTART; /* a job or a setting of one host may hurt all */
    double enough = c.count[1] * (o->after - o->before);
    if (local && c.ratio < 1.25 && enough > 10 && others > 2 * o->before &&
        others > o->before + 0.4 * (o->after - o->before)) {
        s->terms[WHY_AGAINST] = 1 - (1 - s->terms[WHY_AGAINST]) * 0.3;
        why__add_evidence(s, why__printf(y->a, "against it: %s fail just as much (%s, %s %s)", without, b,
                                         versions ? "newer ones" : "those with it", a));
    }
}

/* Ended when it was taken back. */
static void recovery(struct why *y, const struct event *e, struct why_suspect *s)
{
    const struct incident *x = why__incident(y);
    if (x->ongoing) {
        return;
    }
    for (const struct event *b = e + 1; b < y->events + y->n_events && b->time_us <= x->high_us; b++) {
        if (b->kind == EVENT_RELEASE && e->kind == EVENT_RELEASE &&
            (b->stream == e->stream || b->stream == NO_DIM || e->stream == NO_DIM)) {
            return; /* another one ran when it began */
        }
    }
    for (uint32_t i = 0; i < y->n_events; i++) {
        const struct event *b = &y->events[i];
        int64_t gap = x->end_us - b->time_us;
        bool soon = gap > -300 * US &&
                    gap<(1800 + y->t.step_s) * US + (b->end_us - b->time_us), later = b->time_us> e->time_us &&
                    b->time_us > x->time_us;
        bool undone = (e->kind == EVENT_RELEASE && b->kind == EVENT_ROLLBACK) ||
                      (e->kind == EVENT_CONFIG && (b->kind == EVENT_CONFIG || b->kind == EVENT_ROLLBACK)) ||
                      (e->kind == EVENT_RELEASE && b->kind == EVENT_RELEASE && e->stream == NO_DIM) ||
                      (e->kind == EVENT_ROLLBACK && b->kind == EVENT_RELEASE);
        if (b != e && soon && later && undone) {
            s->terms[WHY_RECOVERY] = e->kind == EVENT_RELEASE && b->kind == EVENT_ROLLBACK ? 1 : 0.7;
            why__add_evidence(s, why__printf(y->a, "the errors ended within %s of %s",
                                             why__lead(y, gap < 60 * US ? 60 * US : gap), why__event_title(y, b)));
            return;
        }
        if (b != e && soon && later && b->kind == EVENT_RESTART && e->kind != EVENT_JOB) {
            why__add_evidence(s, why__printf(y->a, "the errors ended within %s of a start of the program (%s)",
                                             why__lead(y, gap < 60 * US ? 60 * US : gap), why__event_title(y, b)));
            return;
        }
    }
}

/* Did messages of this kind stand before other onsets too? */
static void repetition(struct why *y, const struct event *e, struct why_suspect *s)
{
    uint32_t hits = 0, m = 0;
    if (e->stream == NO_DIM || e->text == NULL || y->n_incidents < 2) {
        return;
    }
    const struct grid_stream *st = &y->far.streams[e->stream];
    const struct grid_series *x = NULL;
    for (uint32_t i = 0; i < st->n_series; i++) {
        x = st->series[i].dim == e->dim && st->series[i].value == e->value ? &st->series[i] : x;
    }
    int64_t look = REPEAT_LOOK_S > y->far.step_s ? REPEAT_LOOK_S : y->far.step_s;
    double looked = 0; /* seconds before each onset, on average: where one is known to hours only, chance has hours */
    for (uint32_t i = 0; i < y->n_incidents && x != NULL; i++) {
        uint32_t from = grid_step(&y->far, y->incidents[i].low_us - look * US),
                 to = grid_step(&y->far, y->incidents[i].time_us + 60 * US);
        bool hit = false;
        for (uint32_t t = from; t <= to && t < y->far.steps; t++) {
            hit = hit || x->count[t] > 0;
        }
        hits += hit;
        looked += (double)(y->incidents[i].time_us - y->incidents[i].low_us) / 1e6 + (double)look;
        m++;
    }
    looked /= m > 0 ? m : 1;
    double p = 1 - exp(-e->rate * (looked + 120)), tail = 0, term = pow(1 - p, m);
    for (uint32_t k = 0; k <= m; k++) {
        tail += k >= hits ? term : 0;
        term *= (double)(m - k) / (k + 1) * p / (1 - p + 1e-12);
    }
    if (hits >= 2 && tail < 1e-3) {
        s->terms[WHY_REPEAT] = hits >= 3 && tail < 1e-4 ? 1 : 0.7;
        why__add_evidence(s, why__printf(y->a, "it came just before %u of %u onsets", hits, m));
    }
}

/* What leads to the errors began before the event: then it is not its effect. */
static void precursor(struct why *y, uint32_t i, struct why_suspect *s)
{
    const struct event *e = &y->events[i];
    const struct finding *best = NULL;
    for (size_t j = 0; j < y->n_findings; j++) {
        const struct finding *f = &y->findings[j];
        bool harmful = f->accepted && f->after > f->before &&
                       (f->metric == METRIC_MEASURE || f->metric == METRIC_ERRORS || (f->message && f->cause != NULL));
        if (harmful && f->shape == FINDING_TREND && !f->near && f->event != (int)i &&
            f->high_us + (why__incident(y)->time_us - f->time_us) / 10 < e->time_us && why__strength(f) > 0.15 &&
            (best == NULL || f->stat > best->stat || (f->stat == best->stat && why__finding_order(&f, &best) < 0))) {
            best = f;
        }
    }
    if (best != NULL && s->terms[WHY_TREND] < why__strength(best) && s->terms[WHY_CONTRAST] < 0.5) {
        s->terms[WHY_AGAINST] = 1 - (1 - s->terms[WHY_AGAINST]) * 0.4;
        why__add_evidence(s, why__printf(y->a, "against it: %s before it, %s", why__lead(y, e->time_us - best->time_us),
                                         why__finding_text(y, best)));
    }
}

static const char *confidence(struct why *y, const struct why_suspect *s, const struct event *e, struct kinds k)
{
    const double *t = s->terms;
    int64_t gap = gap_of(y, e->time_us);
    bool close = gap <= CLOSE_S * US + (e->end_us - e->time_us), rare = why__chance(e->rate, gap) < 0.03;
    if (t[WHY_AGAINST] > 0.4) {
        return s->score > 0.5 ? "medium" : "low";
    }
    bool after = e->time_us > why__incident(y)->time_us + 60 * US; /* only the interval lets it come before */
    if ((t[WHY_CONTRAST] > 0.5 && (close || t[WHY_TREND] > 0.15)) || (t[WHY_RECOVERY] >= 1 && close && rare) ||
        (t[WHY_TREND] > 0.3 && k.measure && k.message) || (t[WHY_REPEAT] >= 1 && !after) || t[WHY_AGE] >= 1) {
        return "high";
    }
    return t[WHY_TREND] > 0.2 || t[WHY_CONTRAST] > 0.5 || t[WHY_REPEAT] > 0.5 || t[WHY_AGE] > 0.5 ||
                   (close && rare && s->score > 0.5) ||
                   (t[WHY_WORDS] > 0 && s->score > 0.5 && why__chance(e->rate, gap) < TAKEN_P)
               ? "medium"
               : "low";
}

static void judge(struct why *y, uint32_t i, struct why_suspect *s)
{
    static const char *const kinds[] = {
        [EVENT_RELEASE] = "release",  [EVENT_ROLLBACK] = "rollback", [EVENT_RESTART] = "restart",
        [EVENT_CONFIG] = "config",    [EVENT_JOB] = "spike",         [EVENT_MARKER] = "marker",
        [EVENT_ONCE] = "new_template"};
    const struct event *e = &y->events[i];
    *s = (struct why_suspect){.kind = kinds[e->kind],
                              .title = why__event_title(y, e),
                              .deed = true,
                              .time_us = e->time_us,
                              .low_us = e->time_us,
                              .high_us = e->end_us};
    s->subject.metric = "count";
    s->subject.stream = y->a->stream;
    if (e->stream != NO_DIM) {
        const struct stream_schema *x = why__info(y, e->stream)->schema;
        s->subject.stream = why__printf(y->a, "%s", x->name);
        s->subject.dim[0] = why__printf(y->a, "%s", x->dims[e->dim]);
        s->subject.value[0] = e->text != NULL ? e->text : e->name;
        why__add_line(y, s, e->stream, e->dim, e->value);
    } else if (e->n_hosts > 0) {
        s->subject.dim[0] = "host";
        s->subject.value[0] = why__printf(y->a, "%.*s", (int)e->hosts[0].name.n, e->hosts[0].name.p);
    }
    if (e->inferred && e->text != NULL) {
        s->lines[s->n_lines++] = e->text;
    }
    time_terms(y, e, s);
    for (uint32_t k = 0; k < e->n_also; k++) {
        if (e->stream != NO_DIM) {
            why__add_evidence(s, why__printf(y->a, "said with it: \"%s\"", e->also[k]));
        } else if (s->n_lines < WHY_LINES_MAX) { /* of a marker that was inferred it is a line */
            s->lines[s->n_lines++] = e->also[k];
        }
    }
    struct kinds k = own_findings(y, i, s);
    if (s->terms[WHY_TREND] < 0.15) { /* news of long ago, and nothing since */
        double long_ago = (double)gap_of(y, e->time_us) / 1e6 / UNSEEN_S - 1;
        s->terms[WHY_NOVELTY] *= long_ago > 0 ? exp(-long_ago) : 1;
    }
    contrast(y, e, s);
    recovery(y, e, s);
    repetition(y, e, s);
    why__age(y, e, s);
    precursor(y, i, s);
    s->score = why__combine(s, true);
    s->confidence = confidence(y, s, e, k);
}

/* A start changes nothing by itself: it takes in what was changed since the last one. */
static bool takes_in(const struct why *y, const struct event *start, const struct event *deed)
{
    bool setting = deed->kind == EVENT_CONFIG || deed->kind == EVENT_MARKER || deed->kind == EVENT_ONCE,
         only = start->kind == EVENT_RELEASE && start->stream != NO_DIM && start->dim == DIM_VERSION;
    for (uint32_t v = VALUE_OVERFLOW + 1;
         only && v < snapshot_values(y->s, why__info(y, start->stream)->id, DIM_VERSION); v++) {
        only = v == start->value ||
               snapshot_value(y->s, why__info(y, start->stream)->id, DIM_VERSION, v)->first_us > start->time_us;
    } /* only: no other version was named before, so it may have run all the time */
    if ((start->kind != EVENT_RESTART && !only) || !setting || deed->time_us >= start->time_us) {
        return false;
    }
    for (const struct event *b = deed + 1; b < start; b++) {
        if (b->kind <= EVENT_RESTART && b->kind != EVENT_CONFIG && b->time_us > deed->time_us) {
            return false;
        }
    }
    int64_t wait = start->time_us - deed->time_us;
    return wait < TAKEN_S * US && why__chance(deed->rate, wait) < TAKEN_P;
}

/* What speaks for the start speaks for what it took in. */
static void take_in(struct why *y, struct why_suspect *start, struct why_suspect *deed)
{
    for (int t = 0; t < WHY_TERMS; t++) {
        deed->terms[t] = start->terms[t] > deed->terms[t] ? start->terms[t] : deed->terms[t];
    }
    start->terms[WHY_TIME] *= TOOK_IN;
    start->score = why__combine(start, true);
    deed->score = why__combine(deed, true);
    deed->confidence = start->confidence;
    why__add_evidence(deed, why__printf(y->a, "%s after it the program was started, and may have taken it in: %s",
                                        why__lead(y, start->time_us - deed->time_us), start->title));
    for (uint32_t i = 0; i < start->n_evidence && deed->n_evidence < SHOWN; i++) {
        if (i > 0) { /* not the time of the start */
            why__add_evidence(deed, start->evidence[i]);
        }
    }
    for (uint32_t i = 0; i < start->n_members && deed->n_members < WHY_MEMBERS_MAX; i++) {
        deed->members[deed->n_members++] = start->members[i];
    }
    for (uint32_t i = 0; i < start->n_lines && deed->n_lines < WHY_LINES_MAX; i++) {
        deed->lines[deed->n_lines++] = start->lines[i];
    }
}

/* A seldom message of hosts on which a program had just started: that they fail and others do not is told by the start. */
static bool of_start(const struct event *once, const struct event *start)
{
    uint32_t same = 0;
    for (uint32_t i = 0; i < once->n_hosts; i++) {
        for (uint32_t k = 0; k < start->n_hosts; k++) {
            same += lq_str_eq(once->hosts[i].name, start->hosts[k].name);
        }
    }
    int64_t gap = once->time_us - start->time_us;
    return once->kind == EVENT_ONCE && start->kind <= EVENT_RESTART && gap >= 0 && gap <= AT_ONCE_S * US && same > 0 &&
           same == once->n_hosts;
}

static void give_to_start(struct why_suspect *s, const struct why_suspect *start)
{
    if (s->terms[WHY_CONTRAST] > 0 && start->terms[WHY_CONTRAST] > 0) {
        s->terms[WHY_CONTRAST] *= 0.5;
        s->score = why__combine(s, true);
        s->confidence = s->confidence[0] == 'h' ? "medium" : s->confidence;
    }
}

void why__judge_events(struct why *y)
{
    struct why_answer *a = y->a;
    const struct incident *x = why__incident(y);
    const struct event *of[WHY_SUSPECTS_MAX];
    for (uint32_t i = y->n_events;
         i-- > 0 && a->n_suspects < WHY_SUSPECTS_MAX / 2 && !why__over(y);) { /* the newest have the places */
        const struct event *e = &y->events[i];
        bool in = y->o->lookback_us == 0 || e->time_us >= x->time_us - y->o->lookback_us;
        if (e->time_us <= why__latest(y) && in) {
            of[a->n_suspects] = e;
            judge(y, i, &a->suspects[a->n_suspects++]);
        }
    }
    for (uint32_t i = 0; i < a->n_suspects; i++) {
        bool taken = false;
        for (uint32_t k = 0; k < a->n_suspects; k++) {
            if (of_start(of[i], of[k])) {
                give_to_start(&a->suspects[i], &a->suspects[k]);
            }
        }
        for (uint32_t k = i + 1; k < a->n_suspects && !taken; k++) { /* the last one before it */
            taken = takes_in(y, of[i], of[k]);
            if (taken) {
                take_in(y, &a->suspects[i], &a->suspects[k]);
            }
        }
    }
}
