/*
 * kinds_rise.c - errors that grow for hours or days, of as many sorts as come to mind
 *
 * error_ramp (kinds_ramp.c) has straight lines and doublings after five causes. Here the rise may also come in stairs or in bursts, on one host, to a small
 * share or a large one; what did it is a program that started, a deed in words of its own, a message of something that nobody did, a measure or a warning
 * that has long been there and grows, or nothing that is logged. Harmless releases and restarts stand before it, early in it, in its middle, and near its
 * steep end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "bench/incidents/kinds.h"

enum shape { LINE, CONVEX, STAIRS, BURSTS, SHAPES };

struct rise {
    struct plan *p;
    struct effect like; /* what a failure of it is like */
    double t, ramp_h;
    uint32_t hosts; /* 0 = all */
};

static const char *at_program(struct rise *r, const char *kind)
{
    static const char *const says[] = {"E0Unhandled ConcurrentModificationException in request @: slot #", "E1TypeError: cannot read field total of request @", "E2record @ has # bytes more than its header says",
                                       "E3no free worker for request @ (# queued)"};
    struct world *w = r->p->w;
    double delay = rng_chance(&w->rng, 0.6) ? world_between(w, 0, 0.08) : world_between(w, 0.08, fmin(5, 0.3 * r->t));
    struct change *c = plan_wave(r->p, r->t - delay, r->hosts, world_between(w, 0.005, 0.07), kind);
    c->cause = true;
    if (rng_chance(&w->rng, 0.6)) {
        plan_fail_says(&r->like, world_between(w, 0.3, 1), "%s", says[world_pick(w, 4)]);
    }
    plan_want_wave(r->p, c);
    return kind;
}

static const char *by_release(struct rise *r)
{
    return at_program(r, "release");
}

static const char *by_restart(struct rise *r)
{
    return at_program(r, "restart");
}

/* A program that starts, a warning or a measure that grows from then on, and errors later still. */
static const char *by_leak(struct rise *r)
{
    static const char *const quiet[] = {"W3pool orders: # of # connections in use", "W2old generation # MB after collection", "W0# sockets in CLOSE_WAIT", "W4queue mail: # jobs waiting, oldest # s"};
    static const char *const full[] = {"E3could not get a connection within # ms", "E2Java heap space, request @ dropped", "E0accept: too many open files", "E4job @ expired in queue after # s"};
    struct world *w = r->p->w;
    double lead = world_between(w, 1, fmin(20, 0.6 * r->t));
    unsigned k = world_pick(w, 4);
    struct change *c = plan_wave(r->p, r->t - lead, 0, world_between(w, 0.005, 0.07), rng_chance(&w->rng, 0.75) ? "release" : "restart");
    struct effect *s = plan_effect(r->p, r->t - lead, 0);
    c->cause = true;
    s->ramp_h = lead + r->ramp_h;
    s->routes = r->like.routes;
    if (rng_chance(&w->rng, 0.6)) {
        s->slow = world_between(w, 0.6, 4);
        w->access = ACCESS_COMBINED_TIME;
    }
    plan_says(s, world_between(w, 5, 60), "%s", quiet[k]);
    if (rng_chance(&w->rng, 0.7)) {
        plan_fail_says(&r->like, 0.8, "%s", full[k]);
    }
    plan_want_wave(r->p, c);
    return "leak";
}

static const char *by_deed(struct rise *r)
{
    static const char *const says[] = {"I3Updated setting http.pool.max from # to #", "I0Reloaded configuration /etc/app/main.yml (checksum @)", "I1flag new_ranking set to ON for #% of users", "I2shard # moved to node-#",
                                       "I4Retention of table events set to # days", "I3Swapped connection pool implementation: hikari -> agroal", "I0Log rotation policy is now size=#MB keep=#", "I1Admin console: cache eviction set to LRU",
                                       "I2Enabled compression for {}", "I4Cron entry reindex disabled by ops"};
    static const char *const has[] = {"Updated setting", "Reloaded configuration", "new_ranking", "shard", "Retention of table", "connection pool implementation", "Log rotation policy", "cache eviction", "Enabled compression", "reindex disabled"};
    static const char *const fails[] = {"E3Request @ waited # ms for a slot", "E0cannot write temporary file for @", "E1ranking of @ took too long", "E2{} refused batch @"};
    struct world *w = r->p->w;
    char text[WORLD_TEXT_MAX];
    double at = r->t - (rng_chance(&w->rng, 0.5) ? world_between(w, 0, 0.3) : world_between(w, 0.3, fmin(5, 0.3 * r->t)));
    unsigned k = world_pick(w, 10), hosts = rng_chance(&w->rng, 0.6) ? w->n_hosts : 1;
    kind_text(text, says[k], w->upstream);
    for (unsigned h = 0; h < hosts; h++) {
        plan_line(r->p, at + 0.003 * h, h, "%s", text);
    }
    plan_change(r->p, at, at + 0.003 * hosts, "config", has[k])->cause = true;
    if (rng_chance(&w->rng, 0.5)) {
        kind_text(text, fails[world_pick(w, 4)], w->upstream);
        plan_fail_says(&r->like, 0.8, "%s", text);
    }
    struct want *x = plan_want(r->p, NULL, at - 0.1, at + 0.3);
    x->dim = "template|message";
    snprintf(x->has, sizeof x->has, "%s", has[k]);
    return "deed";
}

/* Something that nobody did, and that a message tells of from its beginning: at its full rate, or more and more. */
static const char *by_message(struct rise *r)
{
    static const char *const says[] = {"W3replica of {} is # s behind", "W2falling back to full scan of index @", "W4journal of {} at #% of its limit", "W0clock differs from {} by # ms", "I3rebalancing # partitions of {}"};
    static const char *const has[] = {"replica of", "full scan", "journal of", "clock differs", "rebalancing"};
    struct world *w = r->p->w;
    char text[WORLD_TEXT_MAX];
    double lead = rng_chance(&w->rng, 0.4) ? world_between(w, 0, 0.5) : world_between(w, 0.5, fmin(12, 0.5 * r->t));
    unsigned k = world_pick(w, 5);
    struct effect *s = plan_effect(r->p, r->t - lead, 0);
    s->ramp_h = rng_chance(&w->rng, 0.5) ? 0 : lead + r->ramp_h;
    kind_text(text, says[k], w->upstream);
    plan_says(s, world_between(w, 4, 60), "%s", text);
    if (rng_chance(&w->rng, 0.5)) {
        plan_fail_says(&r->like, 0.8, "E1request @ could not be answered in time");
    }
    struct want *x = plan_want(r->p, NULL, r->t - lead - 0.3, r->t + fmax(0.5, 0.15 * r->ramp_h));
    x->dim = "template|message|upstream";
    snprintf(x->has, sizeof x->has, "%s", has[k]);
    return "message";
}

/* Slower and slower, and then failing: only the request time tells. */
static const char *by_measure(struct rise *r)
{
    struct world *w = r->p->w;
    double lead = world_between(w, 1, fmin(24, 0.6 * r->t)), full = lead + r->ramp_h;
    struct effect *s = plan_effect(r->p, r->t - lead, 0);
    w->access = ACCESS_COMBINED_TIME;
    s->routes = r->like.routes;
    s->hosts = r->hosts;
    s->ramp_h = full;
    s->slow = world_between(w, 1.5, 8);
    if (rng_chance(&w->rng, 0.5)) {
        plan_fail_says(&r->like, 0.8, "E3request @ canceled after # ms");
    }
    struct want *x = plan_want(r->p, NULL, r->t - lead - fmax(0.3, 0.2 * full), r->t + fmax(0.5, 0.15 * r->ramp_h));
    x->metric = "request_time";
    return "measure";
}

/* A warning that has been there from the first day, and grows. */
static const char *by_warning(struct rise *r)
{
    static const char *const says[] = {"W3slow statement on table ledger: # ms", "W2# of # threads busy", "W4queue import: # waiting", "W0retrying write to {} (attempt #)"};
    static const char *const has[] = {"slow statement", "threads busy", "queue import", "retrying write"};
    static const char *const fails[] = {"E3statement canceled after # ms", "E2request @ rejected: all threads busy", "E4import @ dropped", "E0write to {} failed after # attempts"};
    struct world *w = r->p->w;
    char text[WORLD_TEXT_MAX];
    double lead = world_between(w, 1, fmin(24, 0.6 * r->t)), full = lead + r->ramp_h, usual = world_between(w, 0.3, 4);
    unsigned k = world_pick(w, 4);
    kind_text(text, says[k], w->upstream);
    struct effect *a = plan_effect(r->p, 0, 0);
    plan_says(a, usual, "%s", text);
    struct effect *s = plan_effect(r->p, r->t - lead, 0);
    s->ramp_h = full;
    plan_says(s, usual * world_between(w, 8, 40), "%s", text);
    if (rng_chance(&w->rng, 0.6)) {
        kind_text(text, fails[k], w->upstream);
        plan_fail_says(&r->like, 0.8, "%s", text);
    }
    struct want *x = plan_want(r->p, NULL, r->t - lead - fmax(0.3, 0.2 * full), r->t + fmax(0.5, 0.15 * r->ramp_h));
    x->dim = "template|message|upstream";
    snprintf(x->has, sizeof x->has, "%s", has[k]);
    return "warning";
}

/* Nothing is logged of what did it. */
static const char *by_nothing(struct rise *r)
{
    if (rng_chance(&r->p->w->rng, 0.5)) {
        plan_fail_says(&r->like, 0.8, "E2request @ ended with code #");
    }
    return "nothing";
}

static void failures(struct rise *r, enum shape shape, double end_h)
{
    struct world *w = r->p->w;
    unsigned stairs = shape == STAIRS ? 3 + world_pick(w, 5) : 1;
    for (unsigned i = 0; i < stairs; i++) {
        double from = r->t + r->ramp_h * i / stairs;
        if (end_h > 0 && from >= end_h) {
            break;
        }
        struct effect *e = plan_effect(r->p, from, end_h);
        *e = r->like;
        e->from_h = from;
        e->to_h = end_h;
        e->fail = r->like.fail / stairs;
        e->ramp_h = shape == STAIRS ? 0 : r->ramp_h;
        e->doublings = shape == CONVEX ? world_between(w, 2, 6) : 0;
        if (shape == BURSTS) {
            e->every_h = world_between(w, 0.3, 1.5);
            e->for_h = e->every_h * world_between(w, 0.25, 0.6);
        }
    }
}

static void harmless(struct plan *p, double at)
{
    struct world *w = p->w;
    plan_wave(p, at, rng_chance(&w->rng, 0.85) ? 0 : 1U << world_pick(w, w->n_hosts), world_between(w, 0.005, 0.1), rng_chance(&w->rng, 0.75) ? "release" : "restart");
}

void slow_rise(struct plan *p)
{
    static const char *(*const causes[])(struct rise *) = {by_release, by_release, by_restart, by_leak, by_deed, by_message, by_measure, by_warning, by_nothing};
    static const char *const shapes[] = {"line", "convex", "stairs", "bursts"};
    static char variant[48];
    struct world *w = p->w;
    kind_at_least(w, 1, 1);
    p->whole = true;
    double all = w->days * 24, ramp = 4 * exp(world_between(w, 0, 1) * log(fmin(96, 0.7 * all) / 4)), to_see = ramp * world_between(w, 0.5, 1.4);
    double least = fmin(8, 0.3 * all), t = world_between(w, least, fmax(least, all - to_see)), seen = fmin(to_see, all - t);
    bool over = rng_chance(&w->rng, 0.15) && seen > 6;
    double end = over ? t + seen * world_between(w, 0.7, 0.95) : 0;
    if (w->error_base > 0 && rng_chance(&w->rng, 0.35)) {
        w->error_base = world_between(w, 0.003, 0.02);
    }
    struct rise r = {.p = p, .like = {.routes = kind_route(p), .harm = true}, .t = t, .ramp_h = ramp};
    r.like.fail = 0.03 * exp(world_between(w, 0, 1) * log(0.6 / 0.03));
    r.like.fail = r.like.routes == ROUTES_ALL ? r.like.fail : fmin(3 * r.like.fail, 0.9); /* to be seen among all requests */
    r.like.status = (unsigned[]){500, 500, 502, 503, 504}[world_pick(w, 5)];
    if (w->n_hosts >= 3 && rng_chance(&w->rng, 0.2)) {
        r.hosts = r.like.hosts = 1U << world_pick(w, w->n_hosts);
        r.like.routes = ROUTES_ALL;
        r.like.fail = fmax(r.like.fail, 0.1);
    }
    plan_distract(p, world_pick(w, 3));
    unsigned k = world_pick(w, 9);
    enum shape shape = (enum shape[]){LINE, LINE, CONVEX, CONVEX, STAIRS, BURSTS}[world_pick(w, 6)];
    snprintf(variant, sizeof variant, "%s %s", causes[k](&r), shapes[shape]);
    p->variant = variant;
    failures(&r, shape, end);
    double last = fmin(ramp, over ? end - t : seen);
    for (unsigned i = 0, n = 1 + world_pick(w, 2); i < n; i++) { /* early, in the middle, near the steep end */
        harmless(p, t + last * world_between(w, 0.15, 0.9));
    }
    for (unsigned i = 0, n = world_pick(w, 3); i < n; i++) {
        double before = world_between(w, 0.1, 0.55) * t;
        harmless(p, before);
    }
    if (over) {
        plan_wave(p, end, r.hosts, 0.01, k < 2 ? "rollback" : "restart");
    }
    p->end_h = end;
    p->onset_ramp = true;
    plan_onset(p, t);
    p->high_allowed = p->n_wants > 0;
}
