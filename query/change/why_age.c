/*
 * why_age.c - did the failures come at the same age after each start of the program?
 *
 * Something that runs out with a process (a token that nobody renews, a counter, a slow leak) fails at an age, not at a
 * time. Three ways to see it: onsets at one age, round after round; a message of the failures that begins anew at one
 * age after each start, also where an onset is not known that well; and hosts that started one after the other and fail
 * in the same order, the same time apart. The last needs one round only.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/why_rank.h"

enum { YOUNG_S = 1800, SAME_S = 600, WAVE_GAP_S = 1800, HOSTS_MIN = 3, SPREAD_MIN_S = 300, ROUNDS_MAX = INCIDENTS_MAX };
#define SAME_SHARE 0.06 /* of the age: as well as ages are known */
#define CHANCE_P   0.01
#define ORDERED    0.3 /* of the spread of the starts is left in the spread of the ages */

static bool is_start(const struct event *e)
{
    return e->kind == EVENT_RESTART || e->kind == EVENT_RELEASE || e->kind == EVENT_ROLLBACK;
}

struct ages {
    double least, most; /* seconds */
    uint32_t n;
};

static void add_age(struct ages *a, double s)
{
    a->least = a->n == 0 || s < a->least ? s : a->least;
    a->most = s > a->most ? s : a->most;
    a->n++;
}

static bool agree(const struct ages *a, double slack_s)
{
    double wide = SAME_SHARE * a->most > SAME_S ? SAME_SHARE * a->most : SAME_S;
    return a->n >= 2 && a->most - a->least <= wide + slack_s;
}

/* Of the incidents: those that are the first of their run of the program. */
static bool by_onsets(struct why *y, struct ages *out)
{
    uint32_t again = 0;
    for (uint32_t i = 0; i < y->n_incidents; i++) {
        int64_t start = INT64_MIN;
        for (uint32_t j = 0; j < y->n_events; j++) {
            const struct event *b = &y->events[j];
            start = is_start(b) && b->time_us <= y->incidents[i].time_us && b->time_us > start ? b->time_us : start;
        }
        if (start == INT64_MIN) {
            continue;
        }
        if (i > 0 && start < y->incidents[i - 1].time_us) { /* a second onset of the same run */
            again++;
        } else {
            add_age(out, (double)(y->incidents[i].time_us - start) / 1e6);
        }
    }
    return again == 0 && agree(out, 0);
}

/* The next time after `from` that a message begins anew; INT64_MAX = never. */
static int64_t begins(const struct grid *g, const struct grid_series *x, int64_t from_us)
{
    int64_t last = INT64_MIN / 2;
    for (uint32_t t = 0; t < g->steps; t++) {
        int64_t at = grid_time_us(g, t);
        if (x->count[t] > 0) {
            if (at >= from_us && at - last > (WAVE_GAP_S + g->step_s) * US) {
                return at;
            }
            last = at;
        }
    }
    return INT64_MAX;
}

/* Of one message of the failures: each run of the program that was long enough has it, at one age. */
static bool by_message(struct why *y, const struct event *start, const struct finding *f, struct ages *out)
{
    const struct grid *g = &y->far;
    const struct grid_stream *st = &g->streams[f->stream];
    const struct grid_series *x = NULL;
    double longest = 0;                     /* of the runs without it */
    double young_s = 0, old_s = 0, old = 0; /* before that age; after it, and steps with the message there */
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < st->n_series; i++) {
        x = st->series[i].dim == f->dim && st->series[i].value == f->value ? &st->series[i] : x;
    }
    for (uint32_t j = 0; j < y->n_events && x != NULL && out->n < ROUNDS_MAX; j++) {
        const struct event *b = &y->events[j];
        int64_t next = y->a->to_us;
        if (!is_start(b)) {
            continue;
        }
        for (uint32_t k = j + 1; k < y->n_events; k++) {
            next = is_start(&y->events[k]) && y->events[k].time_us > b->end_us && y->events[k].time_us < next
                       ? y->events[k].time_us
                       : next;
        }
        int64_t at = begins(g, x, b->time_us);
        if (at < next) {
            add_age(out, (double)(at - b->time_us) / 1e6);
            young_s += (double)(at - b->time_us) / 1e6;
            old_s += (double)(next - at) / 1e6;
            for (uint32_t t = grid_step(g, at); t < g->steps && grid_time_us(g, t) < next; t++) {
                old += x->count[t] > 0;
            }
        } else {
            longest = (double)(next - b->time_us) / 1e6 > longest ? (double)(next - b->time_us) / 1e6 : longest;
        }
    }
    double own = (double)(why__incident(y)->time_us - start->time_us) / 1e6, wide = SAME_SHARE * out->most + SAME_S,
           known = (double)(why__incident(y)->high_us - why__incident(y)->low_us) / 1e6 + 2 * (double)g->step_s;
    if (own < out->least - wide - known || own > out->most + wide + known) {
        return false; /* not this time */
    }
    double seldom = exp(-old / (old_s + 1) * young_s); /* it comes now and then, and did not yet */
    return out->least > YOUNG_S && longest < out->most * (1 + SAME_SHARE) && agree(out, 2 * (double)g->step_s) &&
           seldom < CHANCE_P;
}

/* When the failures of a host begin, where they do clearly. */
static bool host_fails(struct why *y, const struct grid_series *h, int64_t *at_us)
{
    const struct grid *g = &y->near;
    const struct incident *x = why__incident(y);
    int64_t span = (x->high_us - x->low_us) + 6 * 3600 * US;
    uint32_t from = grid_step(g, x->low_us - 1800 * US), to = grid_step(g, x->low_us + span);
    struct split c;
    from = from < 2 ? 2 : from;
    to = to + 2 < g->steps ? to : g->steps - 2;
    if (from >= to || !why__split(h->errors, h->count, true, g->steps, from, to, &c) || c.p > 0.01 ||
        c.after <= c.before) {
        return false;
    }
    *at_us = grid_time_us(g, c.at);
    return true;
}

/* Hosts that started apart fail the same time apart. */
static uint32_t by_hosts(struct why *y, const struct event *e, struct ages *out)
{
    const struct grid_stream *st = &y->near.streams[y->target_stream];
    double starts = 0, fails = 0, ss = 0, ff = 0, first = INFINITY, last = -INFINITY;
    uint32_t n = 0;
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < st->n_series && y->t.kind == TARGET_SHARE && y->near.steps > 8; i++) {
        const struct grid_series *h = &st->series[i];
        int64_t at;
        if (h->dim != DIM_HOST || !host_fails(y, h, &at)) {
            continue;
        }
        lq_str name = why__value(y, y->target_stream, DIM_HOST, h->value);
        for (uint32_t k = 0; k < e->n_hosts; k++) {
            if (lq_str_eq(e->hosts[k].name, name) && at > e->hosts[k].time_us) {
                double s = (double)(e->hosts[k].time_us - e->time_us) / 1e6,
                       age = (double)(at - e->hosts[k].time_us) / 1e6;
                first = s < first ? s : first;
                last = s > last ? s : last;
                starts += s;
                ss += s * s;
                fails += age;
                ff += age * age / 1e3;
                add_age(out, age);
                n++;
            }
        }
    }
    if (n < HOSTS_MIN || last - first < SPREAD_MIN_S || last - first < 4 * (double)y->near.step_s) {
        return 0;
    }
    double sd_start = sqrt(ss / n - starts / n * starts / n),
           sd_age = sqrt(fmax(0, 1e3 * ff / n - fails / n * fails / n));
    return sd_age < ORDERED * sd_start ? n : 0;
}

void why__age(struct why *y, const struct event *e, struct why_suspect *s)
{
    const struct incident *x = why__incident(y);
    struct ages a = {0};
    bool last_start = true;
    if (!is_start(e) || x->time_us - e->time_us < YOUNG_S * US) {
        return;
    }
    for (uint32_t j = 0; j < y->n_events; j++) {
        const struct event *b = &y->events[j];
        last_start = last_start && !(is_start(b) && b->time_us > e->time_us && b->time_us <= x->time_us);
    }
    uint32_t hosts = by_hosts(y, e, &a);
    if (hosts > 0) {
        s->terms[WHY_AGE] = hosts > HOSTS_MIN ? 1 : 0.9;
        why__add_evidence(
            s, why__printf(y->a, "%u hosts fail in the order in which they started, each %s to %s after its start",
                           hosts, why__lead(y, (int64_t)(a.least * 1e6)), why__lead(y, (int64_t)(a.most * 1e6))));
        return;
    }
    memset(&a, 0, sizeof a);
    bool found = last_start && by_onsets(y, &a);
    for (size_t j = 0; j < y->n_findings && last_start && !found; j++) {
        const struct finding *f = &y->findings[j];
        bool fails = f->accepted && f->message && f->at_onset && f->after > f->before &&
                     (f->failing || why__complains(y, f->stream, f->value) > 0);
        found = fails && by_message(y, e, f, &a);
    }
    if (found) {
        s->terms[WHY_AGE] = a.n >= 3 ? 1 : 0.9;
        why__add_evidence(s,
                          why__printf(y->a, "the failures came %u times at the same age: %s to %s after a start", a.n,
                                      why__lead(y, (int64_t)(a.least * 1e6)), why__lead(y, (int64_t)(a.most * 1e6))));
    }
}
