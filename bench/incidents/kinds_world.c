/*
 * kinds_world.c - incidents that happen to a service: dependencies, traffic, clients, certificates, disks, hosts; and the quiet ones
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "bench/incidents/kinds.h"

void dependency_down(struct plan *p)
{
    struct world *w = p->w;
    static const char *const slow_says[] = {"W3{} answered after # ms", "W2retry # to {}", "W4circuit breaker for {} half-open", "W3slow response from {} (# ms)"};
    static const char *const fail_says[] = {"E3Connection to {} refused (~)", "E2read timeout calling {} after # ms", "E4{} unavailable: no healthy endpoint", "E3could not connect to {}: Connection timed out after # ms"};
    double t = kind_moment(p, 0.25, 0.9), lead = rng_chance(&w->rng, 0.5) ? 0 : world_between(w, 0.1, 2), end = kind_end(p, t);
    char text[WORLD_TEXT_MAX];
    t = t - lead < 1 ? 1 + lead : t;
    plan_distract(p, world_pick(w, 5));
    if (lead > 0) {
        struct effect *s = plan_effect(p, t - lead, t);
        s->routes = ROUTES_DEPEND;
        s->slow = world_between(w, 0.5, 5);
        kind_text(text, slow_says[world_pick(w, 4)], w->upstream);
        plan_says(s, world_between(w, 20, 200), "%s", text);
    }
    struct effect *e = plan_effect(p, t, end);
    e->routes = ROUTES_DEPEND;
    e->fail = world_between(w, 0.2, 0.95);
    e->status = (unsigned[]){500, 502, 503, 504}[world_pick(w, 4)];
    e->hang_s = rng_chance(&w->rng, 0.4) ? (double[]){1, 3, 5, 30}[world_pick(w, 4)] : 0;
    e->harm = true;
    kind_text(text, fail_says[world_pick(w, 4)], w->upstream);
    plan_fail_says(e, world_between(w, 0.5, 1), "%s", text);
    struct want *x = plan_want(p, NULL, t - lead - 0.2, t + 0.5);
    x->dim = "template|message|upstream|logger";
    snprintf(x->has, sizeof x->has, "%s", w->upstream);
    plan_onset(p, t);
    p->end_h = end;
    p->high_allowed = true;
    kind_app_only(p);
    p->variant = lead > 0 ? "slow first" : "at once";
}

void traffic_surge(struct plan *p)
{
    struct world *w = p->w;
    double t = kind_moment(p, 0.3, 0.85), rise = rng_chance(&w->rng, 0.5) ? 0 : world_between(w, 0.2, 2), lasts = world_between(w, 0.8, 6);
    bool one = rng_chance(&w->rng, 0.4), goes_on = t + lasts > w->days * 24 - 0.5;
    int route = (int)world_pick(w, w->n_routes);
    plan_distract(p, world_pick(w, 4));
    struct effect *e = plan_effect(p, t, goes_on ? 0 : t + lasts);
    e->ramp_h = rise;
    e->routes = one ? route : ROUTES_ALL;
    e->extra_per_hour = w->requests_per_hour * world_between(w, 2.5, 7);
    double onset = t + rise * world_between(w, 0.2, 0.7);
    struct effect *x = plan_effect(p, onset, e->to_h);
    x->ramp_h = rise / 2;
    x->fail = world_between(w, 0.05, 0.35);
    x->slow = world_between(w, 1, 6);
    x->status = rng_chance(&w->rng, 0.7) ? 503 : 502;
    x->harm = true;
    if (rng_chance(&w->rng, 0.6)) {
        plan_fail_says(x, 0.6, "E3Rejected request @: all # workers busy");
    } else if (rng_chance(&w->rng, 0.5)) {
        w->app = APP_NONE;
    }
    plan_change(p, t, t, "traffic", "surge")->cause = true;
    struct want *y = plan_want(p, "step_change trend_change spike distribution_change", t - 0.3, t + rise + 0.3);
    y->metric = "count rate requests distinct client";
    if (one) {
        struct want *z = plan_neutral(p, NULL, t - 0.3, t + rise + 0.5);
        z->dim = "route";
        snprintf(z->is, sizeof z->is, "%s", w->routes[route].path);
        y->dim = "route";
        snprintf(y->is, sizeof y->is, "%s", w->routes[route].path);
    }
    plan_onset(p, onset);
    p->onset_ramp = rise > 0;
    p->end_h = e->to_h;
    p->high_allowed = true;
    p->variant = one ? "one route" : "all routes";
}

void bad_client(struct plan *p)
{
    struct world *w = p->w;
    static const char *const names[] = {"203.0.113.66", "198.51.100.23", "10.8.0.99", "2001:db8::bad:1"};
    double t = kind_moment(p, 0.25, 0.9), end = kind_end(p, t);
    const char *client = names[world_pick(w, 4)];
    bool broken = rng_chance(&w->rng, 0.4); /* not a flood: what it sends breaks the route for it */
    plan_distract(p, world_pick(w, 4));
    struct effect *e = plan_effect(p, t, end);
    e->routes = (int)world_pick(w, w->n_routes);
    e->client = client;
    e->extra_per_hour = broken ? fmax(40, w->requests_per_hour * world_between(w, 0.03, 0.15)) : w->requests_per_hour * world_between(w, 0.4, 3);
    struct effect *x = plan_effect(p, t, end);
    x->routes = e->routes;
    x->client = client;
    x->fail = broken ? world_between(w, 0.6, 1) : world_between(w, 0.25, 0.9);
    x->status = broken ? 500 : 503;
    x->harm = true;
    if (rng_chance(&w->rng, 0.4)) {
        plan_fail_says(x, 0.8, "E0Malformed body in request @: unexpected byte at #");
    } else if (rng_chance(&w->rng, 0.4)) {
        w->app = APP_NONE;
    }
    plan_change(p, t, t, "traffic", client)->cause = true;
    struct want *y = plan_want(p, NULL, t - 0.5, t + 1);
    y->dim = "client";
    snprintf(y->is, sizeof y->is, "%s", client);
    struct want *z = plan_neutral(p, NULL, t - 0.5, t + 1);
    z->dim = "route";
    snprintf(z->is, sizeof z->is, "%s", w->routes[e->routes].path);
    plan_onset(p, t);
    p->end_h = end;
    p->high_allowed = true;
    p->variant = broken ? "broken requests" : "flood";
}

void cert_expiry(struct plan *p)
{
    struct world *w = p->w;
    double t = floor(kind_moment(p, 0.35, 0.9)) + (rng_chance(&w->rng, 0.5) ? 0 : 59.0 / 60), end = kind_end(p, t);
    static const char *const warn[] = {"W4TLS certificate of {} expires soon, # hours left", "W2certificate for {} will expire"};
    static const char *const bad[] = {"E4TLS handshake with {} failed: certificate has expired", "E3x509: certificate has expired or is not yet valid ({})", "E4SSLHandshakeException: {}: certificate expired"};
    char text[WORLD_TEXT_MAX];
    bool warned = rng_chance(&w->rng, 0.5);
    plan_distract(p, world_pick(w, 4));
    for (double h = t - 1; warned && h > 0; h -= 24) {
        kind_text(text, warn[w->seed % 2], w->upstream);
        plan_line(p, h, world_pick(w, w->n_hosts), "%s", text);
    }
    struct effect *e = plan_effect(p, t, end);
    e->routes = rng_chance(&w->rng, 0.7) ? ROUTES_DEPEND : ROUTES_ALL;
    e->fail = world_between(w, 0.7, 1);
    e->status = (unsigned[]){502, 500, 525, 503}[world_pick(w, 4)];
    e->harm = true;
    kind_text(text, bad[world_pick(w, 3)], w->upstream);
    plan_fail_says(e, 0.9, "%s", text);
    struct want *x = plan_want(p, NULL, 0, t + 0.5);
    x->dim = "template|message";
    snprintf(x->has, sizeof x->has, "certificate");
    plan_onset(p, t);
    p->end_h = end;
    p->high_allowed = true;
    kind_app_only(p);
    p->variant = warned ? "warned" : "not warned";
}

void disk_full(struct plan *p)
{
    struct world *w = p->w;
    kind_at_least(w, 2, 1);
    double end = w->days * 24, onset = world_between(w, 0.5, 0.92) * end, t = onset - world_between(w, 3, 0.7 * onset);
    unsigned host = world_pick(w, w->n_hosts);
    bool one = w->n_hosts > 1 && rng_chance(&w->rng, 0.5);
    plan_distract(p, 1 + world_pick(w, 4));
    struct effect *e = plan_effect(p, t, 0);
    e->hosts = one ? 1U << host : 0;
    e->ramp_h = onset - t;
    static const char *const warns[] = {"W4Free space on /var/lib low: # MB left", "W2disk usage above threshold on /data (# MB free)", "W3log rotation skipped: volume nearly full, # MB left"};
    static const char *const fulls[] = {"E4write failed: No space left on device (file @)", "E3could not extend file: No space left on device", "E2OSError: [Errno 28] No space left on device: /data/@"};
    plan_says(e, world_between(w, 4, 30), "%s", warns[world_pick(w, 3)]);
    struct effect *x = plan_effect(p, onset, kind_end(p, onset));
    x->hosts = e->hosts;
    x->routes = rng_chance(&w->rng, 0.6) ? ROUTES_DEPEND : ROUTES_ALL;
    x->fail = world_between(w, 0.2, 0.9);
    x->status = rng_chance(&w->rng, 0.5) ? 500 : 507;
    x->harm = true;
    plan_fail_says(x, 0.9, "%s", fulls[world_pick(w, 3)]);
    static const char *const names[] = {"Free space|usage above threshold|nearly full", "No space left"};
    for (unsigned i = 0; i < 2; i++) { /* the warnings, or at least the failure in its own words */
        struct want *y = plan_want(p, NULL, t - fmax(0.3, 0.15 * (onset - t)), i == 0 ? onset : onset + 0.5);
        y->dim = "template|message";
        snprintf(y->has, sizeof y->has, "%s", names[i]);
    }
    plan_onset(p, onset);
    p->end_h = x->to_h;
    p->high_allowed = true;
    kind_app_only(p);
    p->variant = one ? "one host" : "all hosts";
}

void host_lost(struct plan *p)
{
    struct world *w = p->w;
    kind_at_least(w, 1, 3 + world_pick(w, 6));
    w->one_access_file = false;
    double t = kind_moment(p, 0.3, 0.9), end = kind_end(p, t);
    bool region = w->n_regions > 1 && rng_chance(&w->rng, 0.4);
    unsigned lost = world_pick(w, w->n_hosts);
    uint32_t mask = 1U << lost;
    for (unsigned h = 0; region && h < w->n_hosts; h++) {
        mask |= w->region[h] == w->region[lost] ? 1U << h : 0;
    }
    plan_distract(p, world_pick(w, 4));
    struct effect *e = plan_effect(p, t, end);
    e->hosts = mask;
    e->vanish = 1;
    struct effect *x = plan_effect(p, t + world_between(w, 0, 0.2), end); /* the others take its traffic, or fail to reach its shard */
    x->hosts = plan_all_hosts(p) & ~mask;
    x->fail = world_between(w, 0.05, 0.4);
    x->slow = world_between(w, 0, 3);
    x->status = rng_chance(&w->rng, 0.5) ? 503 : 502;
    x->harm = true;
    if (rng_chance(&w->rng, 0.6)) {
        plan_fail_says(x, 0.7, "E3no route to shard owner, request @ rejected");
    }
    plan_change(p, t, t, "host", w->host[lost])->cause = true;
    for (unsigned h = 0; h < w->n_hosts && p->n_wants < PLAN_WANTS_MAX; h++) {
        if (mask >> h & 1) {
            struct want *y = plan_want(p, "silence vanished dip step_change trend_change", t - 0.3, t + 0.6);
            y->dim = "host";
            snprintf(y->is, sizeof y->is, "%s", w->host[h]);
        }
    }
    plan_onset(p, x->from_h);
    p->end_h = end;
    p->high_allowed = true;
    p->variant = region ? "region" : "host";
}

void slow_host(struct plan *p)
{
    struct world *w = p->w;
    kind_at_least(w, 1, 3 + world_pick(w, 6));
    w->one_access_file = false;
    w->access = ACCESS_COMBINED_TIME;
    double t = kind_moment(p, 0.3, 0.8), lead = world_between(w, 0.5, 6), onset = t + lead;
    onset = onset > w->days * 24 - 1 ? w->days * 24 - 1 : onset;
    unsigned host = world_pick(w, w->n_hosts);
    plan_distract(p, world_pick(w, 4));
    struct effect *e = plan_effect(p, t, 0);
    e->hosts = 1U << host;
    e->slow = world_between(w, 1, 5);
    e->ramp_h = rng_chance(&w->rng, 0.5) ? 0 : onset - t;
    struct effect *x = plan_effect(p, onset, kind_end(p, onset));
    x->hosts = e->hosts;
    x->fail = world_between(w, 0.15, 0.7);
    x->status = 504;
    x->hang_s = 10;
    x->harm = true;
    if (rng_chance(&w->rng, 0.3)) {
        w->app = APP_NONE;
    }
    struct want *y = plan_want(p, NULL, t - fmax(0.3, 0.25 * lead), e->ramp_h > 0 ? onset : t + 0.5);
    y->dim = "host";
    snprintf(y->is, sizeof y->is, "%s", w->host[host]);
    plan_onset(p, onset);
    p->end_h = x->to_h;
    p->high_allowed = true;
    p->variant = e->ramp_h > 0 ? "slower and slower" : "slow at once";
}

void no_cause(struct plan *p)
{
    struct world *w = p->w;
    double t = kind_moment(p, 0.25, 0.9);
    plan_distract(p, 1 + world_pick(w, 5));
    struct effect *e = plan_effect(p, t, kind_end(p, t));
    e->routes = kind_route(p);
    e->fail = world_between(w, 0.05, 0.6);
    e->ramp_h = rng_chance(&w->rng, 0.3) ? world_between(w, 0.3, 4) : 0;
    e->status = (unsigned[]){500, 502, 503, 504}[world_pick(w, 4)];
    e->harm = true;
    p->onset_ramp = e->ramp_h > 0;
    if (rng_chance(&w->rng, 0.3)) {
        w->app = APP_NONE;
    }
    kind_app_only(p);
    plan_onset(p, t);
    p->end_h = e->to_h;
}

void seasonal_peak(struct plan *p)
{
    struct world *w = p->w;
    kind_at_least(w, 3, 1);
    w->swing = world_between(w, 0.6, 0.9);
    plan_distract(p, world_pick(w, 4));
    double peak = floor(world_between(w, 11, 21));
    if (rng_chance(&w->rng, 0.6)) { /* at the peak a few more requests fail, as on every day */
        struct effect *e = plan_effect(p, peak, 0);
        e->every_h = 24;
        e->for_h = world_between(w, 1, 4);
        e->fail = world_between(w, 0.003, 0.02);
        e->slow = world_between(w, 0.1, 0.8);
        e->status = 503;
        p->onset_optional = true;
        p->variant = "a few more fail at the peak";
    }
}

void stationary(struct plan *p)
{
    struct world *w = p->w;
    w->days = 7;
    w->requests_per_hour = world_between(w, 0.3, 1.0) * w->lines_max / (7 * 24);
    world_add_routes(w, 150);
    w->error_base = world_between(w, 0.001, 0.01);
}
