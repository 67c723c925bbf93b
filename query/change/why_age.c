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

enum { YOUNG_S = 1800, SAME_S = 600, WAVE_GAP_S = 1800, HOSTS_MIN = 3, SPREAD_MIN_S = 300, ROUNDS_MAX = INCIDENTS_MAX, LOOK_S = 1800, FAILS_MIN = 2 };
#define SAME_SHARE 0.06 /* of the age: as well as ages are known */
#define CHANCE_P   0.01
#define ORDERED    4.6 /* a logarithm: 100 to one */
#define SURELY     6.9 /* 1,000 to one */
#define OWN_STEP   2.5 /* for each host */
#define OWN_SHARE  0.1 /* of what the order explains */

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

struct run {       /* of one host */
    double *seen;  /* failures before each step, then records before each step */
    int64_t after; /* steps that it started after the first one */
};

struct order {
    struct run run[EVENT_HOSTS_MAX];
    uint32_t n, steps;
};

static double log_like(double failed, double all)
{
    double ok = all - failed;
    return (failed > 0 ? failed * log(failed / all) : 0) + (ok > 0 ? ok * log(ok / all) : 0);
}

/* Records and failures of a host in [from, to). */
static void count_in(const struct order *o, uint32_t k, int64_t from, int64_t to, double out[2])
{
    int64_t n = o->steps;
    from = from < 0 ? 0 : from > n ? n : from;
    to = to < 0 ? 0 : to > n ? n : to;
    for (int i = 0; i < 2; i++) {
        const double *sum = o->run[k].seen + (i == 0 ? n + 1 : 0);
        out[i] += sum[to] - sum[from];
    }
}

/* How well it fits that all hosts fail from one step on (apart: as many steps later as they started later); rate: before and since. */
static double fits(const struct order *o, int64_t at, bool apart, double rate[2])
{
    double before[2] = {0, 0}, since[2] = {0, 0};
    for (uint32_t k = 0; k < o->n; k++) {
        int64_t begins = at + (apart ? o->run[k].after : 0);
        count_in(o, k, 0, begins, before);
        count_in(o, k, begins, o->steps, since);
    }
    rate[0] = (before[1] + 0.1) / (before[0] + 1);
    rate[1] = (since[1] + 0.1) / (since[0] + 1);
    return rate[1] > rate[0] ? log_like(before[1], before[0]) + log_like(since[1], since[0]) : -INFINITY;
}

static double best_fit(const struct order *o, int64_t from, int64_t to, bool apart, int64_t *at, double rate[2])
{
    double best = -INFINITY;
    for (int64_t i = from; i <= to; i++) {
        double r[2], x = fits(o, i, apart, r);
        if (x > best) {
            best = x;
            *at = i;
            memcpy(rate, r, sizeof r);
        }
    }
    return best;
}

static double like_at(const struct order *o, uint32_t k, int64_t at, const double rate[2])
{
    double before[2] = {0, 0}, since[2] = {0, 0};
    count_in(o, k, 0, at, before);
    count_in(o, k, at, o->steps, since);
    return before[1] * log(rate[0]) + (before[0] - before[1]) * log1p(-rate[0]) + since[1] * log(rate[1]) +
           (since[0] - since[1]) * log1p(-rate[1]);
}

/* How much better hosts would fit that each begin at a step of their own. */
static double own_steps(const struct order *o, int64_t from, int64_t to, int64_t at, const double rate[2])
{
    double gain = 0;
    for (uint32_t k = 0; k < o->n; k++) {
        double best = -INFINITY;
        for (int64_t i = from; i <= to; i++) {
            double x = like_at(o, k, i, rate);
            best = x > best ? x : best;
        }
        gain += best - like_at(o, k, at + o->run[k].after, rate);
    }
    return gain;
}

static int64_t first_start(const struct event *e)
{
    int64_t first = INT64_MAX;
    for (uint32_t k = 0; k < e->n_hosts; k++) {
        first = e->hosts[k].time_us < first ? e->hosts[k].time_us : first;
    }
    return first;
}

static void free_order(struct order *o)
{
    for (uint32_t k = 0; k < o->n; k++) {
        free(o->run[k].seen);
    }
    o->n = 0;
}

/* The hosts of an event that a log knows, and that fail. */
static void read_order(struct why *y, const struct event *e, uint32_t stream, struct order *o)
{
    const struct grid *g = &y->near;
    const struct grid_stream *st = &g->streams[stream];
    int64_t first = first_start(e);
    o->steps = g->steps;
    for (uint32_t i = 0; i < st->n_series && o->n < EVENT_HOSTS_MAX; i++) {
        const struct grid_series *h = &st->series[i];
        const struct event_host *own = NULL;
        for (uint32_t k = 0; k < e->n_hosts && h->dim == DIM_HOST; k++) {
            own = lq_str_eq(e->hosts[k].name, why__value(y, stream, DIM_HOST, h->value)) ? &e->hosts[k] : own;
        }
        double fails = 0;
        for (uint32_t t = 0; t < g->steps; t++) {
            fails += (double)h->errors[t];
        }
        if (own == NULL || fails < FAILS_MIN) {
            continue;
        }
        struct run *r = &o->run[o->n++];
        double *failed = r->seen = lq_alloc(2 * ((size_t)g->steps + 1) * sizeof *failed), *all = failed + g->steps + 1;
        r->after = (own->time_us - first) / (g->step_s * US);
        failed[0] = all[0] = 0;
        for (uint32_t t = 0; t < g->steps; t++) {
            failed[t + 1] = failed[t] + (double)h->errors[t];
            all[t + 1] = all[t] + (double)h->count[t];
        }
    }
}

/* How much better than with one time for all, where it is hardly worse than with a time for each; else 0. */
static double in_order(struct why *y, const struct order *o, int64_t *at)
{
    const struct incident *x = why__incident(y);
    const struct grid *g = &y->near;
    int64_t spread = 0, common = 0;
    double rate[2] = {0, 0}, other[2], noise = y->dispersion > 1 ? y->dispersion : 1;
    for (uint32_t k = 0; k < o->n; k++) {
        spread = o->run[k].after > spread ? o->run[k].after : spread;
    }
    if (o->n < HOSTS_MIN || spread < 4 || spread * g->step_s < SPREAD_MIN_S) {
        return 0;
    }
    int64_t from = grid_step(g, x->low_us - LOOK_S * US), to = grid_step(g, x->high_us + LOOK_S * US),
            low = from > spread ? from - spread : 0, last = to + spread < o->steps ? to + spread : o->steps - 1;
    double gain = best_fit(o, low, to, true, at, rate) - best_fit(o, low, last, false, &common, other);
    double own = isfinite(gain) ? own_steps(o, low, last, *at, rate) : INFINITY;
    return own / noise < OWN_STEP * o->n || own < OWN_SHARE * gain ? gain / noise : 0;
}

/* One of the hosts started once more before it failed, or just then. */
static bool started_since(const struct why *y, const struct event *e, int64_t age_us)
{
    for (uint32_t i = 0; i < y->n_events; i++) {
        const struct event *b = &y->events[i];
        for (uint32_t k = 0; k < e->n_hosts && b != e && is_start(b); k++) {
            for (uint32_t j = 0; j < b->n_hosts; j++) {
                int64_t since = b->hosts[j].time_us - e->hosts[k].time_us;
                if (lq_str_eq(b->hosts[j].name, e->hosts[k].name) && since > SAME_S * US && since < age_us + LOOK_S * US) {
                    return true;
                }
            }
        }
    }
    return false;
}

/* Hosts that started apart fail the same time apart. */
static uint32_t by_hosts(struct why *y, const struct event *e, struct ages *out, double *gain)
{
    const struct grid *g = &y->near;
    struct order o = {.n = 0};
    uint32_t hosts = 0;
    int64_t at = 0;
    memset(out, 0, sizeof *out);
    if (y->t.kind != TARGET_SHARE || g->steps <= 8) {
        return 0;
    }
    read_order(y, e, y->target_stream, &o);
    for (uint32_t i = 0; i < g->n_streams && o.n < HOSTS_MIN; i++) { /* hosts share one access log, and have others */
        free_order(&o);
        read_order(y, e, i, &o);
    }
    *gain = in_order(y, &o, &at);
    if (*gain > ORDERED) {
        add_age(out, (double)(grid_time_us(g, (uint32_t)at) - first_start(e)) / 1e6);
        hosts = out->least > YOUNG_S && !started_since(y, e, (int64_t)(out->least * 1e6)) ? o.n : 0;
    }
    free_order(&o);
    return hosts;
}

void why__age(struct why *y, const struct event *e, struct why_suspect *s)
{
    const struct incident *x = why__incident(y);
    struct ages a = {0};
    bool last_start = true;
    double gain = 0;
    if (!is_start(e) || x->time_us - e->time_us < YOUNG_S * US) {
        return;
    }
    for (uint32_t j = 0; j < y->n_events; j++) {
        const struct event *b = &y->events[j];
        last_start = last_start && !(is_start(b) && b->time_us > e->time_us && b->time_us <= x->time_us);
    }
    uint32_t hosts = by_hosts(y, e, &a, &gain);
    if (hosts > 0) {
        s->terms[WHY_AGE] = hosts > HOSTS_MIN && gain > SURELY ? 1 : 0.9;
        why__add_evidence(
            s, why__printf(y->a, "%u hosts fail in the order in which they started, each %s after its start", hosts,
                           why__lead(y, (int64_t)(a.least * 1e6))));
        return;
    }
    memset(&a, 0, sizeof a);
    bool found = last_start && by_onsets(y, &a);
    for (size_t j = 0; j < y->n_findings && last_start && !found; j++) {
        const struct finding *f = &y->findings[j];
        bool near = f->near && (f->at_onset || f->time_us > x->low_us - LOOK_S * US),
             fails = f->accepted && f->message && near && f->after > f->before &&
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
