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

static const double near_h = 0.75; /* no distractor this close to what matters: nobody could tell them apart */

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
    if (at_h > 0.5) {
        static const char *const byes[] = {"I-Shutting down: received SIGTERM", "I-Stopping server, draining # connections", "W-Signal 15 received, exiting",
                                           "I-Graceful stop finished in # ms"};
        plan_line(p, at_h, host, "%s", byes[w->start_style]);
    }
    switch (w->start_style) {
    case 0: plan_line(p, at_h + 0.002, host, "I-Starting %s version %s on %s with PID #", w->service, version, w->host[host]); break;
    case 1: plan_line(p, at_h + 0.002, host, "I-Starting up %s, version: %s, profile prod", w->service, version); break;
    case 2: plan_line(p, at_h + 0.002, host, "I-Booting %s@%s (build @)", w->service, version); break;
    default: plan_line(p, at_h + 0.002, host, "I-%s is listening on port 8080", w->service); break; /* no version at all */
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
    for (unsigned h = 0; h < p->w->n_hosts; h++) {
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

static void new_message(struct plan *p, double at_h)
{
    static const char *const texts[] = {"W1Deprecated option \"legacy_mode\" is ignored", "I2Feature toggle darkmode evaluated for # users", "W0Client sent unknown header X-Trace-#",
                                        "I3Background index rebuild step # finished", "D2Cache warmup visited # keys"};
    struct effect *e = plan_effect(p, at_h, at_h + world_between(p->w, 2, 60));
    plan_says(e, world_between(p->w, 0.5, 6), "%s", texts[world_pick(p->w, 5)]);
    plan_change(p, at_h, at_h, "message", "new harmless message");
}

static void harmless(struct plan *p, double at_h)
{
    struct world *w = p->w;
    switch (p->no_starts ? 4 + world_pick(w, 3) : world_pick(w, 7)) {
    case 0:
    case 1: plan_wave(p, at_h, 0, world_between(w, 0.01, 0.08), "release"); break;
    case 2: plan_wave(p, at_h, 1U << world_pick(w, w->n_hosts), 0, "restart"); break;
    case 3: plan_wave(p, at_h, 0, world_between(w, 0.01, 0.1), "restart"); break;
    case 4:
        if (w->n_routes < WORLD_ROUTES_MAX) {
            struct world_route *r = &w->routes[w->n_routes++];
            *r = (struct world_route){.median_s = 0.03, .weight = 2, .from_h = at_h, .method = "GET"};
            snprintf(r->path, sizeof r->path, "/beta/%s", (const char *[]){"compare", "gifts", "map", "export"}[world_pick(w, 4)]);
            plan_change(p, at_h, at_h, "route", r->path);
        }
        break;
    case 5: {
        struct effect *e = plan_effect(p, at_h, at_h + world_between(w, 1, 8));
        e->factor = world_between(w, 0.15, 0.5);
        plan_change(p, at_h, e->to_h, "traffic", "a little more traffic");
        break;
    }
    default: new_message(p, at_h); break;
    }
}

void plan_distract(struct plan *p, unsigned n)
{
    p->n_distract += n;
}

/* Not within `near_h` of anything that matters: causes, onsets, the end, and what the truth's windows hold. */
static bool free_of_all(const struct plan *p, double t)
{
    for (unsigned i = 0; i < p->n_changes; i++) {
        if (t > p->changes[i].at_h - near_h && t < p->changes[i].end_h + near_h) {
            return false;
        }
    }
    for (unsigned i = 0; i < p->n_onsets; i++) {
        if (fabs(t - p->onset_h[i]) < near_h) {
            return false;
        }
    }
    for (unsigned i = 0; i < p->n_effects; i++) {
        if (fabs(t - p->effects[i].from_h) < near_h) {
            return false;
        }
    }
    return p->end_h <= 0 || p->n_onsets == 0 || t < p->onset_h[0] || t > p->end_h + near_h; /* none while it lasts, if it ends */
}

/* Names each wave's version in order of time: releases count on, rollbacks return, restarts keep. */
static void name_versions(struct plan *p)
{
    struct world *w = p->w;
    char running[32], before[32], newest[32];
    bool done[WORLD_EVENTS_MAX] = {false};
    snprintf(running, sizeof running, "%s", w->version);
    snprintf(before, sizeof before, "%s", running);
    snprintf(newest, sizeof newest, "%s", running);
    for (;;) {
        struct change *c = NULL;
        for (unsigned i = 0; i < p->n_changes; i++) {
            if (p->changes[i].wave && !done[i] && (c == NULL || p->changes[i].at_h < c->at_h)) {
                c = &p->changes[i];
            }
        }
        if (c == NULL) {
            return;
        }
        done[c - p->changes] = true;
        if (strcmp(c->kind, "release") == 0) {
            char v[32];
            world_next_version(w, newest, v);
            snprintf(newest, sizeof newest, "%s", v);
            snprintf(c->name, sizeof c->name, "%s", v);
            if (c->hosts == plan_all_hosts(p)) {
                snprintf(before, sizeof before, "%s", running);
                snprintf(running, sizeof running, "%s", v);
            }
        } else {
            if (strcmp(c->kind, "rollback") == 0) {
                snprintf(running, sizeof running, "%s", before);
            }
            snprintf(c->name, sizeof c->name, "%s", running);
        }
        double at = c->at_h;
        for (unsigned h = 0; h < w->n_hosts; h++) {
            if ((c->hosts >> h & 1) != 0) {
                start_lines(p, at, h, c->name);
                at += c->gap_h;
            }
        }
    }
}

void plan_finish(struct plan *p)
{
    for (unsigned tries = 0; p->n_distract > 0 && tries < 200; tries++) {
        double t = world_between(p->w, 0.06, 0.97) * p->w->days * 24;
        if (free_of_all(p, t) && p->n_effects < WORLD_EFFECTS_MAX && p->n_changes < WORLD_EVENTS_MAX) {
            harmless(p, t);
            p->n_distract--;
        }
    }
    name_versions(p);
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
    x->dim = "template";
    snprintf(x->has, sizeof x->has, "%s", texts[p->w->start_style]);
}

void plan_onset(struct plan *p, double at_h)
{
    assert(p->n_onsets < PLAN_ONSETS_MAX);
    p->onset_h[p->n_onsets++] = at_h;
}
