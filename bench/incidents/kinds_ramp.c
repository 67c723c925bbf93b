/*
 * kinds_ramp.c - errors that grow for hours or days, with something harmless on the way
 *
 * The share of failures itself rises, in a straight line or by doubling, from nothing or from a base of errors. What did it stands at the beginning or hours
 * before; a release, a restart or a change of traffic in the middle did nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "bench/incidents/kinds.h"

/* Each plants its cause before hour t, returns what it is called. */
static const char *by_release(struct plan *p, struct effect *e, double t)
{
    static const char *const says[] = {"E0Unhandled IllegalStateException in request @: stale entry", "E1KeyError: 'ledger' while serving request @", "E2checksum mismatch in record @ of # bytes"};
    struct change *c = plan_wave(p, t - world_between(p->w, 0, 0.05), 0, world_between(p->w, 0.005, 0.05), "release");
    c->cause = true;
    if (rng_chance(&p->w->rng, 0.7)) {
        plan_fail_says(e, world_between(p->w, 0.3, 1), "%s", says[world_pick(p->w, 3)]);
    }
    plan_want_wave(p, c);
    return "release";
}

static const char *by_leak(struct plan *p, struct effect *e, double t)
{
    static const char *const quiet[] = {"W3Connection pool nearly exhausted: # in use", "W2Heap after GC # MB, pause # ms", "W0Open file descriptors: #"};
    static const char *const full[] = {"E3Timeout waiting for connection from pool after # ms", "E2OutOfMemoryError: unable to allocate # bytes", "E0accept failed: Too many open files (#)"};
    struct world *w = p->w;
    double lead = world_between(w, 2, fmin(24, 0.6 * t));
    unsigned k = world_pick(w, 3);
    struct change *c = plan_wave(p, t - lead, 0, world_between(w, 0.01, 0.06), "release");
    c->cause = true;
    struct effect *s = plan_effect(p, t - lead, 0);
    s->ramp_h = lead + e->ramp_h;
    s->routes = e->routes;
    s->slow = world_between(w, 1, 5);
    w->access = ACCESS_COMBINED_TIME;
    plan_says(s, world_between(w, 10, 80), "%s", quiet[k]);
    plan_fail_says(e, 0.8, "%s", full[k]);
    plan_want_wave(p, c);
    return "leak";
}

static const char *by_setting(struct plan *p, struct effect *e, double t)
{
    static const char *const says[] = {"I0Configuration reloaded: cache.ttl changed from # to #", "I1Setting worker.count set to # by operator", "I2Feature flag async_writes enabled"};
    static const char *const has[] = {"Configuration reloaded", "Setting worker.count", "Feature flag async_writes"};
    struct world *w = p->w;
    double at = t - world_between(w, 0, 1.5);
    unsigned k = world_pick(w, 3);
    for (unsigned h = 0; h < w->n_hosts; h++) {
        plan_line(p, at + 0.002 * h, h, "%s", says[k]);
    }
    plan_change(p, at, at + 0.002 * w->n_hosts, "config", has[k])->cause = true;
    if (rng_chance(&w->rng, 0.6)) {
        plan_fail_says(e, 0.8, "E3Request @ gave up after # attempts");
    }
    struct want *x = plan_want(p, NULL, at - 0.1, at + 0.3);
    x->dim = "template|message";
    snprintf(x->has, sizeof x->has, "%s", has[k]);
    return "setting";
}

static const char *by_upstream(struct plan *p, struct effect *e, double t)
{
    static const char *const slow_says[] = {"W3{} answered after # ms", "W2retry # to {}", "W3slow response from {} (# ms)"};
    static const char *const fail_says[] = {"E2read timeout calling {} after # ms", "E4{} unavailable: no healthy endpoint", "E3Connection to {} refused (~)"};
    struct world *w = p->w;
    char text[WORLD_TEXT_MAX];
    double at = t - world_between(w, 0.2, 6);
    e->routes = ROUTES_DEPEND;
    struct effect *s = plan_effect(p, at, 0);
    s->routes = ROUTES_DEPEND;
    s->ramp_h = t + e->ramp_h - at;
    s->slow = world_between(w, 1, 5);
    kind_text(text, slow_says[world_pick(w, 3)], w->upstream);
    plan_says(s, world_between(w, 20, 150), "%s", text);
    kind_text(text, fail_says[world_pick(w, 3)], w->upstream);
    plan_fail_says(e, world_between(w, 0.5, 1), "%s", text);
    struct want *x = plan_want(p, NULL, at - fmax(0.3, 0.15 * s->ramp_h), t + fmax(0.5, 0.25 * e->ramp_h));
    x->dim = "template|message|upstream|logger";
    snprintf(x->has, sizeof x->has, "%s", w->upstream);
    return "upstream";
}

static const char *by_table(struct plan *p, struct effect *e, double t)
{
    struct world *w = p->w;
    double lead = world_between(w, 2, fmin(30, 0.7 * t));
    struct effect *s = plan_effect(p, t - lead, 0);
    w->access = ACCESS_COMBINED_TIME;
    s->routes = e->routes;
    s->ramp_h = lead + e->ramp_h;
    s->slow = world_between(w, 2, 8);
    plan_says(s, world_between(w, 10, 100), "W3Slow query on table bookings: # ms, # rows examined");
    plan_fail_says(e, 0.8, "E3Query @ canceled: statement timeout after # ms");
    double low = t - lead - fmax(0.3, 0.15 * s->ramp_h), high = t + fmax(0.5, 0.1 * e->ramp_h);
    struct want *x = plan_want(p, NULL, low, high), *z = plan_want(p, NULL, low, high);
    x->dim = "template|message";
    snprintf(x->has, sizeof x->has, "Slow query on|statement timeout");
    z->metric = "request_time";
    return "table";
}

static void middle(struct plan *p, double at)
{
    struct world *w = p->w;
    unsigned what = world_pick(w, 10);
    if (what < 6) {
        plan_wave(p, at, 0, world_between(w, 0.01, 0.08), "release");
    } else if (what < 8) {
        plan_wave(p, at, 0, world_between(w, 0.01, 0.1), "restart");
    } else {
        struct effect *e = plan_effect(p, at, at + world_between(w, 1, 8));
        e->factor = world_between(w, 0.3, 0.8);
        plan_change(p, at, e->to_h, "traffic", "more traffic");
    }
}

void error_ramp(struct plan *p)
{
    static const char *(*const causes[])(struct plan *, struct effect *, double) = {by_release, by_release, by_leak, by_setting, by_upstream, by_table};
    struct world *w = p->w;
    kind_at_least(w, 2, 1);
    p->whole = true;
    double end = w->days * 24, ramp = 6 * exp(world_between(w, 0, 1) * log(fmin(72, 0.6 * end) / 6)), to_see = ramp * world_between(w, 0.6, 1.3);
    double least = fmin(10, 0.35 * end), t = world_between(w, least, fmax(least, end - to_see));
    to_see = fmin(to_see, end - t);
    if (w->error_base > 0 && rng_chance(&w->rng, 0.3)) {
        w->error_base = world_between(w, 0.003, 0.015);
    }
    plan_distract(p, world_pick(w, 3));
    struct effect *e = plan_effect(p, t, 0);
    e->ramp_h = ramp;
    e->doublings = rng_chance(&w->rng, 0.4) ? world_between(w, 2, 6) : 0;
    e->routes = kind_route(p);
    e->fail = world_between(w, 0.04, 0.5);
    e->status = rng_chance(&w->rng, 0.6) ? 500 : 503;
    e->harm = true;
    p->variant = causes[world_pick(w, 6)](p, e, t);
    for (unsigned i = 0, n = 1 + world_pick(w, 2); i < n; i++) {
        middle(p, t + fmin(ramp, to_see) * world_between(w, 0.25 + 0.3 * i, 0.5 + 0.3 * i));
    }
    p->onset_ramp = true;
    plan_onset(p, t);
    p->high_allowed = true;
}
