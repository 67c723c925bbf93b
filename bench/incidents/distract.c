/*
 * distract.c - changes that hurt nobody, placed where they cannot be mistaken for the cause (plan.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "bench/incidents/plan.h"

static const double near_h = 0.75; /* no distractor this close to what matters: nobody could tell them apart */

static void new_message(struct plan *p, double at_h)
{
    static const char *const texts[] = {"W1Deprecated option \"legacy_mode\" is ignored", "I2Feature toggle darkmode evaluated for # users", "W0Client sent unknown header X-Trace-#",
                                        "I3Background index rebuild step # finished", "D2Cache warmup visited # keys"};
    struct effect *e = plan_effect(p, at_h, at_h + world_between(p->w, 2, 60));
    plan_says(e, world_between(p->w, 0.5, 6), "%s", texts[world_pick(p->w, 5)]);
    plan_change(p, at_h, at_h, "message", "new harmless message");
}

/* Someone looks for holes: paths that nobody has, all 404. */
static void scan(struct plan *p, double at_h)
{
    struct world *w = p->w;
    static const char *const paths[] = {"/wp-admin/{id}.php", "/.env.{id}", "/cgi-bin/{id}"};
    if (w->n_routes == WORLD_ROUTES_MAX || p->n_effects + 2 > WORLD_EFFECTS_MAX) {
        return;
    }
    struct world_route *r = &w->routes[w->n_routes++];
    *r = (struct world_route){.median_s = 0.002, .from_h = at_h, .method = "GET"};
    snprintf(r->path, sizeof r->path, "%s", paths[world_pick(w, 3)]);
    for (unsigned i = 0; i < 2; i++) {
        struct effect *e = plan_effect(p, at_h, at_h + 1.5);
        e->routes = (int)w->n_routes - 1;
        e->client = "185.220.101.4";
        e->extra_per_hour = i == 0 ? w->requests_per_hour * world_between(w, 0.1, 0.6) : 0;
        e->fail = i == 1 ? 1 : 0;
        e->status = 404;
    }
    plan_change(p, at_h, at_h, "traffic", "a scanner");
}

/* Something odd that is over soon: slower for a while, fewer visitors, or (in a case with an incident) a few errors. */
static void blip(struct plan *p, double at_h)
{
    struct world *w = p->w;
    struct effect *e = plan_effect(p, at_h, at_h + world_between(w, 0.2, 1));
    switch (world_pick(w, p->n_onsets > 0 ? 3 : 2)) {
    case 0: e->slow = world_between(w, 0.5, 2); break;
    case 1: e->factor = -world_between(w, 0.3, 0.7); break;
    default:
        e->to_h = at_h + 0.15;
        e->fail = 0.03;
        break;
    }
}

static void harmless(struct plan *p, double at_h)
{
    struct world *w = p->w;
    if (w->n_backends > 0 && !p->no_starts && rng_chance(&w->rng, 0.2)) {
        plan_wave(p, at_h, 1U << w->n_hosts, 0, "restart");
        return;
    }
    switch (p->no_starts ? 4 + world_pick(w, 5) : world_pick(w, 9)) {
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
    case 6: scan(p, at_h); break;
    case 7: blip(p, at_h); break;
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

void distract(struct plan *p)
{
    for (unsigned tries = 0; p->n_distract > 0 && tries < 200; tries++) {
        double t = world_between(p->w, 0.06, 0.97) * p->w->days * 24;
        if (free_of_all(p, t) && p->n_effects < WORLD_EFFECTS_MAX - 6 && p->n_changes < WORLD_EVENTS_MAX) {
            harmless(p, t);
            p->n_distract--;
        }
    }
}
