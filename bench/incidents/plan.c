/*
 * plan.c - planting: waves of starts, distractors, what the truth wants (plan.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/incidents/plan.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

struct effect *plan_effect(struct plan *p, double from_h, double to_h)
{
    assert(p->n_effects < WORLD_EFFECTS_MAX);
    struct effect *e = &p->effects[p->n_effects++];
    *e = (struct effect){.from_h = from_h, .to_h = to_h, .routes = ROUTES_ALL};
    return e;
}

void plan_says(struct effect *e, double per_hour, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->says, sizeof e->says, fmt, ap);
    va_end(ap);
    e->says_per_hour = per_hour;
}

void plan_fail_says(struct effect *e, double share, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->fail_says, sizeof e->fail_says, fmt, ap);
    va_end(ap);
    e->fail_says_share = share;
}

void plan_line(struct plan *p, double at_h, unsigned host, const char *fmt, ...)
{
    va_list ap;
    if (p->n_events == WORLD_EVENTS_MAX || at_h < 0) {
        return;
    }
    struct event *e = &p->events[p->n_events++];
    *e = (struct event){.at_h = at_h, .host = host};
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
}

struct change *plan_change(struct plan *p, double at_h, double end_h, const char *kind, const char *name)
{
    assert(p->n_changes < WORLD_EVENTS_MAX);
    struct change *c = &p->changes[p->n_changes++];
    *c = (struct change){.at_h = at_h, .end_h = end_h, .kind = kind};
    snprintf(c->name, sizeof c->name, "%s", name);
    return c;
}

uint32_t plan_all_hosts(const struct plan *p)
{
    return (1U << p->w->n_hosts) - 1;
}

/* How a program of this world says that it starts. */
static void start_lines(struct plan *p, double at_h, unsigned host, const char *version)
{
    struct world *w = p->w;
    const char *service = host < w->n_hosts ? w->service : w->upstream;
    if (at_h > 0.5) {
        static const char *const byes[] = {"I-Shutting down: received SIGTERM", "I-Stopping server, draining # connections", "W-Signal 15 received, exiting",
                                           "I-Graceful stop finished in # ms"};
        plan_line(p, at_h, host, "%s", byes[w->start_style]);
    }
    switch (w->start_style) {
    case 0: plan_line(p, at_h + 0.002, host, "I-Starting %s version %s on %s with PID #", service, version, w->host[host]); break;
    case 1: plan_line(p, at_h + 0.002, host, "I-Starting up %s, version: %s, profile prod", service, version); break;
    case 2: plan_line(p, at_h + 0.002, host, "I-Booting %s@%s (build @)", service, version); break;
    default: plan_line(p, at_h + 0.002, host, "I-%s is listening on port 8080", service); break; /* no version at all */
    }
    plan_line(p, at_h + 0.005, host, "I-Ready after # ms");
}

struct change *plan_wave(struct plan *p, double at_h, uint32_t hosts, double gap_h, const char *kind)
{
    double at = at_h;
    struct change *c = plan_change(p, at_h, at_h, kind, "");
    c->wave = true;
    c->hosts = hosts == 0 ? plan_all_hosts(p) : hosts;
    c->gap_h = gap_h;
    for (unsigned h = 0; h < p->w->n_hosts + p->w->n_backends; h++) {
        if ((c->hosts >> h & 1) != 0) {
            if (p->n_starts[h] < WORLD_STARTS_MAX) {
                p->starts_h[h][p->n_starts[h]++] = at;
            }
            c->end_h = at;
            at += gap_h;
        }
    }
    return c;
}

/* A release brings messages of its own, more often than not: harmless ones, wherever it runs. */
static void news(struct plan *p)
{
    static const char *const verbs[] = {"Prefetched", "Resolved", "Compacted", "Validated", "Forwarded", "Indexed"};
    static const char *const nouns[] = {"profile", "voucher", "bundle", "manifest", "address", "webhook", "segment rule"};
    for (unsigned i = 0; i < p->n_changes && p->n_effects < WORLD_EFFECTS_MAX; i++) {
        const struct change *c = &p->changes[i];
        if (c->wave && strcmp(c->kind, "release") == 0 && rng_chance(&p->w->rng, 0.55)) {
            struct effect *e = plan_effect(p, c->at_h, 0);
            e->since_start = true;
            e->hosts = c->hosts;
            plan_says(e, world_between(p->w, 0.3, 12), "I%u%s %s @ in # ms", world_pick(p->w, 5), verbs[world_pick(p->w, 6)], nouns[world_pick(p->w, 7)]);
        }
    }
}

struct lineage { /* of one service */
    char running[32], before[32], newest[32];
};

static void lineage_init(struct lineage *l, const char *version)
{
    snprintf(l->running, sizeof l->running, "%s", version);
    snprintf(l->before, sizeof l->before, "%s", version);
    snprintf(l->newest, sizeof l->newest, "%s", version);
}

/* Releases count on, rollbacks return, restarts keep; a release of some hosts only is not what runs. */
static void lineage_name(struct plan *p, struct lineage *l, struct change *c, bool whole)
{
    if (strcmp(c->kind, "release") == 0) {
        char v[32];
        world_next_version(p->w, l->newest, v);
        snprintf(l->newest, sizeof l->newest, "%s", v);
        snprintf(c->name, sizeof c->name, "%s", v);
        if (whole) {
            snprintf(l->before, sizeof l->before, "%s", l->running);
            snprintf(l->running, sizeof l->running, "%s", v);
        }
        return;
    }
    if (strcmp(c->kind, "rollback") == 0) {
        snprintf(l->running, sizeof l->running, "%s", l->before);
    }
    snprintf(c->name, sizeof c->name, "%s", l->running);
}

static struct change *next_wave(struct plan *p, const bool *done)
{
    struct change *c = NULL;
    for (unsigned i = 0; i < p->n_changes; i++) {
        if (p->changes[i].wave && !done[i] && (c == NULL || p->changes[i].at_h < c->at_h)) {
            c = &p->changes[i];
        }
    }
    return c;
}

/* Names the waves in order of time, and writes their start-up lines. */
static void name_versions(struct plan *p)
{
    struct world *w = p->w;
    struct lineage own, backend;
    bool done[WORLD_EVENTS_MAX] = {false};
    char other[32];
    world_next_version(w, "", other);
    lineage_init(&own, w->version);
    lineage_init(&backend, other);
    for (struct change *c; (c = next_wave(p, done)) != NULL;) {
        bool theirs = c->hosts == 1U << w->n_hosts;
        done[c - p->changes] = true;
        lineage_name(p, theirs ? &backend : &own, c, theirs || c->hosts == plan_all_hosts(p));
        double at = c->at_h;
        for (unsigned h = 0; h < w->n_hosts + w->n_backends; h++) {
            if ((c->hosts >> h & 1) != 0) {
                start_lines(p, at, h, c->name);
                at += c->gap_h;
            }
        }
    }
}

void plan_finish(struct plan *p)
{
    struct world *w = p->w;
    bool burning = rng_chance(&w->rng, 0.4);
    if (p->n_onsets == 1 && burning && p->draw == 0 && !p->whole) { /* asked while it burns, if enough is to be seen by then */
        double end = p->onset_h[0] + world_between(w, 0.4, 3);
        w->days = end < w->days * 24 ? end / 24 : w->days;
        p->end_h = p->end_h > w->days * 24 ? 0 : p->end_h;
    }
    distract(p);
    name_versions(p);
    news(p);
    for (unsigned i = 0; i < p->n_wants; i++) {
        if (p->wants[i].version_of != NULL) {
            snprintf(p->wants[i].is, sizeof p->wants[i].is, "%s", p->wants[i].version_of->name);
        }
    }
}

static struct want *add_want(struct want *list, unsigned *n, const char *kinds_, double low_h, double high_h)
{
    assert(*n < PLAN_WANTS_MAX);
    struct want *x = &list[(*n)++];
    *x = (struct want){.kinds = kinds_, .low_h = low_h, .high_h = high_h};
    return x;
}

struct want *plan_want(struct plan *p, const char *kinds_, double low_h, double high_h)
{
    return add_want(p->wants, &p->n_wants, kinds_, low_h, high_h);
}

struct want *plan_neutral(struct plan *p, const char *kinds_, double low_h, double high_h)
{
    return add_want(p->neutral, &p->n_neutral, kinds_, low_h, high_h);
}

void plan_want_wave(struct plan *p, const struct change *c)
{
    static const char *const texts[] = {"Shutting down: received SIGTERM|Starting ", "Stopping server, draining|Starting up ", "Signal 15 received|Booting ",
                                        "Graceful stop finished|is listening on port"};
    struct want *x = plan_want(p, "release restart rollback config marker", c->at_h - 0.1, c->end_h + 0.2);
    if (p->w->version_field && p->w->app != APP_NONE) {
        x->dim = "version";
        x->version_of = c;
        return;
    }
    x = plan_want(p, NULL, c->at_h - 0.1, c->end_h + 0.2);
    x->dim = "template|message|logger"; /* the logger that says nothing but start-up lines will do */
    snprintf(x->has, sizeof x->has, "%s|.Application", texts[p->w->start_style]);
}

void plan_onset(struct plan *p, double at_h)
{
    assert(p->n_onsets < PLAN_ONSETS_MAX);
    p->onset_h[p->n_onsets++] = at_h;
}
