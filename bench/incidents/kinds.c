/*
 * kinds.c - incidents that people made: releases, restarts, configuration, jobs, flags; and the table of all kinds
 *
 * Each function plants one incident in a world that is already drawn, varies it, and states the truth. What is planted must be visible in the logs to an
 * engineer who reads them; where it is not, the case has no cause and high confidence is not allowed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "bench/incidents/kinds.h"

double kind_moment(struct plan *p, double lo, double hi)
{
    double end = p->w->days * 24, t = world_between(p->w, lo, hi) * end;
    return t > end - 1.5 ? end - 1.5 : t < 1 ? 1 : t;
}

/* When the incident is over; 0 = it goes on. */
double kind_end(struct plan *p, double onset_h)
{
    double end = onset_h + world_between(p->w, 0.5, 8) * (1 + 2.0 * p->draw); /* longer where a first draw showed too little */
    return end > p->w->days * 24 - 0.5 || rng_chance(&p->w->rng, 0.4) ? 0 : end;
}

void kind_at_least(struct world *w, double days, unsigned hosts)
{
    w->days = w->days < days ? days : w->days;
    if (w->n_hosts < hosts) {
        w->n_hosts = hosts;
        world_name_hosts(w);
    }
    double total = w->requests_per_hour * 24 * w->days;
    w->requests_per_hour *= total > w->lines_max ? w->lines_max / total : 1;
}

void kind_app_only(struct plan *p)
{
    p->w->no_access = p->w->app != APP_NONE && rng_chance(&p->w->rng, 0.12);
}

int kind_route(struct plan *p)
{
    return rng_chance(&p->w->rng, 0.4) ? ROUTES_ALL : rng_chance(&p->w->rng, 0.5) ? ROUTES_DEPEND : (int)world_pick(p->w, p->w->n_routes);
}

void kind_text(char out[WORLD_TEXT_MAX], const char *text, const char *name)
{
    const char *hole = strstr(text, "{}");
    int before = hole != NULL ? (int)(hole - text) : (int)strlen(text);
    snprintf(out, WORLD_TEXT_MAX, "%.*s%s%s", before, text, hole != NULL ? name : "", hole != NULL ? hole + 2 : "");
}

static struct change *release(struct plan *p, double at_h, uint32_t hosts, double gap_h)
{
    struct change *c = plan_wave(p, at_h, hosts, gap_h, "release");
    c->cause = true;
    return c;
}

static void bug_says(struct plan *p, struct effect *e)
{
    static const char *const texts[] = {"E0Unhandled NullPointerException in request @: value must not be null", "E1KeyError: 'currency' while serving request @",
                                        "E3ERROR column \"tax_code\" does not exist at character #", "E2TypeError: cannot read properties of undefined (request @)",
                                        "E0panic recovered: index out of range # with length #"};
    if (rng_chance(&p->w->rng, 0.7)) {
        plan_fail_says(e, world_between(p->w, 0.3, 1), "%s", texts[world_pick(p->w, 5)]);
    }
}

static void bad_release(struct plan *p)
{
    struct world *w = p->w;
    double t = kind_moment(p, 0.25, 0.9), end = kind_end(p, t);
    plan_distract(p, world_pick(w, 4));
    struct change *c = release(p, t, 0, world_between(w, 0.005, rng_chance(&w->rng, 0.2) ? 0.3 : 0.05));
    struct effect *e = plan_effect(p, t, 0);
    e->since_start = true;
    e->routes = kind_route(p);
    e->fail = world_between(w, 0.04, e->routes == ROUTES_ALL ? 0.3 : 0.8);
    e->slow = rng_chance(&w->rng, 0.3) ? world_between(w, 0.3, 3) : 0;
    e->status = rng_chance(&w->rng, 0.8) ? 500 : 502;
    e->harm = true;
    kind_app_only(p);
    bug_says(p, e);
    if (end > c->end_h + 0.5) {
        struct change *back = plan_wave(p, end, 0, 0.01, "rollback");
        e->to_h = p->end_h = back->at_h;
    }
    plan_want_wave(p, c);
    plan_onset(p, t);
    p->high_allowed = true;
    p->variant = p->end_h > 0 ? "rolled back" : "goes on";
}

static void canary(struct plan *p)
{
    struct world *w = p->w;
    kind_at_least(w, 1, 4 + world_pick(w, 5));
    w->one_access_file = false;
    double t = kind_moment(p, 0.3, 0.9);
    plan_distract(p, world_pick(w, 3));
    unsigned host = world_pick(w, w->n_hosts);
    struct change *c = release(p, t, 1U << host, 0);
    struct effect *e = plan_effect(p, t, 0);
    e->hosts = 1U << host;
    e->fail = world_between(w, 0.1, 0.6);
    e->harm = true;
    bug_says(p, e);
    plan_want_wave(p, c);
    if (!w->version_field) { /* the host at that time is all there is to name */
        struct want *x = plan_want(p, NULL, t - 0.2, t + 0.5);
        x->dim = "host";
        snprintf(x->is, sizeof x->is, "%s", w->host[host]);
    }
    struct want *n = plan_neutral(p, NULL, t - 0.2, t + 2);
    n->dim = "host";
    snprintf(n->is, sizeof n->is, "%s", w->host[host]);
    plan_onset(p, t + 0.002);
    p->high_allowed = true;
}

/* What fills up slowly, and what is said of it. */
struct filling {
    const char *quiet, *full;
};
static const struct filling fillings[] = {
    {"W4Session store evicted # entries before expiry", "E4Session store rejected write @: capacity exhausted"},
    {"W3Connection pool nearly exhausted: # in use", "E3Timeout waiting for connection from pool after # ms"},
    {"W2Heap after GC # MB, pause # ms", "E2OutOfMemoryError: unable to allocate # bytes"},
    {"W1Work queue length # above soft limit", "E1Work queue full, dropped task @"},
    {"W0Open file descriptors: #", "E0accept failed: Too many open files (#)"},
};

static void leak(struct plan *p)
{
    struct world *w = p->w;
    kind_at_least(w, 4, 1);
    double end = w->days * 24, onset = world_between(w, 0.55, 0.93) * end, lead = world_between(w, 14, 0.8 * onset), t = onset - lead;
    const struct filling *f = &fillings[world_pick(w, 5)];
    bool says = rng_chance(&w->rng, 0.8), slows = !says || rng_chance(&w->rng, 0.7);
    plan_distract(p, 1 + world_pick(w, 2));
    struct change *c = release(p, t, 0, world_between(w, 0.01, 0.06));
    unsigned n = 1 + world_pick(w, 3);
    for (unsigned i = 0; i < n; i++) { /* releases that change nothing on the way */
        release(p, t + lead * (0.15 + 0.7 * (i + rng_unit(&w->rng)) / n), 0, 0.03)->cause = false;
    }
    struct effect *e = plan_effect(p, t, 0);
    e->ramp_h = lead;
    e->routes = rng_chance(&w->rng, 0.5) ? ROUTES_ALL : ROUTES_DEPEND;
    e->slow = slows ? world_between(w, 0.4, 2.5) : 0;
    if (slows) {
        w->access = ACCESS_COMBINED_TIME;
    }
    if (says) {
        kind_app_only(p);
        plan_says(e, world_between(w, 3, 40), "%s", f->quiet);
    }
    struct effect *x = plan_effect(p, onset, 0);
    x->routes = e->routes;
    x->ramp_h = rng_chance(&w->rng, 0.5) ? 0 : world_between(w, 0.3, 3);
    x->fail = world_between(w, 0.06, 0.4);
    x->slow = world_between(w, 0, 4);
    x->status = rng_chance(&w->rng, 0.5) ? 503 : 500;
    x->harm = true;
    plan_fail_says(x, 0.8, "%s", f->full);
    p->onset_ramp = x->ramp_h > 0;
    plan_want_wave(p, c);
    plan_onset(p, onset);
    p->high_allowed = true;
    p->variant = says && slows ? "slower and warnings" : says ? "warnings only" : "slower only";
}

static void age_failure(struct plan *p)
{
    struct world *w = p->w;
    kind_at_least(w, 3, 1);
    double end = w->days * 24, age = world_between(w, 8, 0.45 * end), t = world_between(w, 0.06, 0.3) * end, gap = world_between(w, 0.02, 0.5);
    static const char *const texts[] = {"E4Access token expired, refresh not implemented (client @)", "E3Counter overflow in sequence generator at #", "E2License lease ended, refusing request @",
                                        "E1Prepared statement @ does not exist"};
    bool twice = t + 2 * age + 3 < end;
    p->no_starts = true; /* a distractor that restarts would begin a round of its own */
    plan_distract(p, world_pick(w, 4));
    if (t + age > end - 2) {
        t = end - 2 - age;
    }
    struct change *c = plan_wave(p, t, 0, gap, "restart");
    c->cause = true;
    struct effect *e = plan_effect(p, t, 0);
    e->age_h = age;
    e->fail = world_between(w, 0.2, 0.9);
    e->routes = kind_route(p);
    e->harm = true;
    plan_fail_says(e, 0.9, "%s", texts[world_pick(w, 4)]);
    plan_want_wave(p, c);
    plan_onset(p, t + age);
    if (twice) { /* a restart heals, and begins the next round */
        struct change *again = plan_wave(p, t + age + world_between(w, 0.5, 2), 0, 0.02, "restart");
        again->cause = true;
        double next = again->at_h + age;
        if (next < end - 1) {
            plan_onset(p, next);
        }
        plan_want_wave(p, again);
    }
    p->high_allowed = true;
    kind_app_only(p);
    p->variant = twice ? "twice" : "once";
}

static void config_change(struct plan *p)
{
    struct world *w = p->w;
    static const char *const keys[] = {"pool.max", "cache.ttl", "upstream.timeout_ms", "tls.min_version", "rate_limit.burst", "worker_threads"};
    static const char *const says[] = {"I-Configuration reloaded: {}=#", "I-Applied config change {}=# by deploy-bot", "W-Settings updated: {} set to #", "I-reloading configuration, {}=#"};
    double t = kind_moment(p, 0.25, 0.8), onset = t + (rng_chance(&w->rng, 0.6) ? world_between(w, 0.01, 0.1) : world_between(w, 0.5, 6));
    unsigned key = world_pick(w, 6), style = world_pick(w, 4);
    onset = onset > w->days * 24 - 1 ? t + 0.05 : onset;
    plan_distract(p, world_pick(w, 4));
    if (rng_chance(&w->rng, 0.5)) { /* an earlier, harmless one in the same words */
        double early = t * world_between(w, 0.2, 0.8);
        for (unsigned h = 0; h < w->n_hosts; h++) {
            char line[WORLD_TEXT_MAX];
            kind_text(line, says[style], keys[(key + 1) % 6]);
            plan_line(p, early + 0.003 * h, h, "%s", line);
        }
        plan_change(p, early, early, "config", keys[(key + 1) % 6]);
    }
    for (unsigned h = 0; h < w->n_hosts; h++) {
        char line[WORLD_TEXT_MAX];
        kind_text(line, says[style], keys[key]);
        plan_line(p, t + 0.003 * h, h, "%s", line);
    }
    plan_change(p, t, t, "config", keys[key])->cause = true;
    struct effect *e = plan_effect(p, onset, kind_end(p, onset));
    e->routes = kind_route(p);
    e->fail = world_between(w, 0.05, 0.5);
    e->status = (unsigned[]){500, 502, 503, 504}[world_pick(w, 4)];
    e->harm = true;
    if (rng_chance(&w->rng, 0.5)) {
        plan_fail_says(e, 0.7, "E3Request @ gave up after # ms");
    }
    struct effect *s = plan_effect(p, t, onset);
    s->slow = rng_chance(&w->rng, 0.5) ? world_between(w, 0.3, 2) : 0;
    struct want *x = plan_want(p, NULL, t - 0.1, t + 0.2);
    x->dim = "template|message|config|name";
    snprintf(x->has, sizeof x->has, "%s", keys[key]);
    plan_onset(p, onset);
    p->end_h = e->to_h;
    p->high_allowed = true;
    kind_app_only(p);
    p->variant = onset - t > 0.3 ? "later" : "at once";
}

static void cron(struct plan *p)
{
    struct world *w = p->w;
    kind_at_least(w, 3, 1);
    static const char *const jobs[] = {"nightly-report", "export_invoices", "vacuum full", "reindex-search", "backup snapshot"};
    const char *job = jobs[world_pick(w, 5)];
    unsigned days = (unsigned)w->days, first = 1 + world_pick(w, days - 1), host = world_pick(w, w->n_hosts);
    double hour = world_between(w, 0, 22), lasts = world_between(w, 0.25, 1.2), t = first * 24 + hour;
    plan_distract(p, world_pick(w, 4));
    static const char *const housekeeping = "I2Job cleanup-temp finished in # ms"; /* another, old and harmless */
    for (unsigned d = 0; d < days; d++) {
        plan_line(p, d * 24 + hour + lasts / 3, host, "%s", housekeeping);
    }
    for (unsigned d = first; d < days; d++) {
        plan_line(p, d * 24 + hour, host, "I2Job %s started", job);
        plan_line(p, d * 24 + hour + lasts, host, "I2Job %s finished in # s", job);
        if (d * 24 + hour < w->days * 24 - 0.5 && p->n_onsets < PLAN_ONSETS_MAX) {
            plan_onset(p, d * 24 + hour + 0.01);
        }
    }
    plan_change(p, t, t, "job", job)->cause = true;
    struct effect *e = plan_effect(p, t + 0.01, 0);
    e->every_h = 24;
    e->for_h = lasts;
    e->fail = world_between(w, 0.15, 0.7);
    e->slow = world_between(w, 1, 8);
    e->status = rng_chance(&w->rng, 0.5) ? 503 : 504;
    e->routes = rng_chance(&w->rng, 0.5) ? ROUTES_ALL : ROUTES_DEPEND;
    e->harm = true;
    plan_fail_says(e, 0.7, "E3Lock wait timeout exceeded after # ms");
    struct want *x = plan_want(p, NULL, t - 0.2, w->days * 24);
    x->dim = "template|message";
    snprintf(x->has, sizeof x->has, "Job %s", job);
    p->high_allowed = true;
}

static void flag_route(struct plan *p)
{
    struct world *w = p->w;
    double t = kind_moment(p, 0.25, 0.85), end = w->days * 24;
    plan_distract(p, world_pick(w, 4));
    struct world_route *r = &w->routes[w->n_routes++];
    *r = (struct world_route){.median_s = 0.08, .weight = 0, .from_h = t, .method = "POST"};
    snprintf(r->path, sizeof r->path, "%s", (const char *[]){"/api/wishlist", "/v3/quotes", "/one-click", "/graphql"}[world_pick(w, 4)]);
    struct effect *e = plan_effect(p, t, end);
    e->routes = (int)w->n_routes - 1;
    e->extra_per_hour = w->requests_per_hour * world_between(w, 0.04, 0.3);
    struct effect *x = plan_effect(p, t, 0);
    x->routes = e->routes;
    x->fail = world_between(w, 0.3, 0.95);
    x->harm = true;
    bug_says(p, x);
    plan_change(p, t, t, "route", r->path)->cause = true;
    struct want *v = plan_want(p, NULL, t - 0.2, t + 0.5);
    v->dim = "route";
    snprintf(v->is, sizeof v->is, "%s", r->path);
    plan_onset(p, t);
    p->high_allowed = true;
}

/* A ramp with a harmless release in its middle: what began with the ramp is the cause; without it, nothing is. */
static void ramp_harmless(struct plan *p)
{
    struct world *w = p->w;
    kind_at_least(w, 2, 1);
    double end = w->days * 24, t = world_between(w, 0.2, 0.5) * end, ramp = world_between(w, 10, 0.9 * (end - t)), middle = t + ramp * world_between(w, 0.3, 0.6);
    bool cause = rng_chance(&w->rng, 0.6);
    const struct filling *f = &fillings[world_pick(w, 5)];
    plan_distract(p, 1);
    struct change *c = cause ? release(p, t, 0, 0.03) : NULL;
    struct effect *e = plan_effect(p, t, 0);
    e->ramp_h = ramp;
    e->fail = world_between(w, 0.08, 0.4);
    e->slow = world_between(w, 0, 2);
    e->harm = true;
    if (cause || rng_chance(&w->rng, 0.5)) {
        plan_says(e, world_between(w, 5, 30), "%s", f->quiet);
    }
    plan_fail_says(e, 0.8, "%s", f->full);
    release(p, middle, 0, 0.03)->cause = false;
    p->onset_ramp = true;
    plan_onset(p, t);
    if (cause) {
        plan_want_wave(p, c);
    }
    struct want *n = plan_neutral(p, "trend_change step_change new_template spike distribution_change", t - 1, middle);
    n->dim = NULL;
    p->high_allowed = cause;
    p->variant = cause ? "a release began it" : "nothing began it";
}

static void format_change(struct plan *p)
{
    struct world *w = p->w;
    double t = kind_moment(p, 0.3, 0.8);
    bool fails = rng_chance(&w->rng, 0.4);
    if (w->access == ACCESS_COMMON) {
        w->access = ACCESS_COMBINED;
    }
    plan_distract(p, world_pick(w, 3));
    struct change *c = release(p, t, 0, 0.02);
    c->cause = fails;
    p->format_change_h = t + 0.02 * w->n_hosts;
    p->format_after = fails || rng_chance(&w->rng, 0.6) ? (w->access == ACCESS_COMBINED_TIME ? ACCESS_COMBINED : ACCESS_COMBINED_TIME) : ACCESS_PIPES;
    p->variant = fails ? "and it fails" : p->format_after == ACCESS_PIPES ? "to one that nobody knows" : "to a known one";
    if (fails) {
        struct effect *e = plan_effect(p, t, 0);
        e->since_start = true;
        e->fail = world_between(w, 0.1, 0.4);
        e->harm = true;
        bug_says(p, e);
        plan_want_wave(p, c);
        plan_onset(p, t);
        p->high_allowed = true;
    }
}

/* Another service releases; this one fails where it asks it. */
static void neighbour_release(struct plan *p)
{
    struct world *w = p->w;
    static const char *const texts[] = {"E3{} answered 500 for request @", "E2unexpected field in response of {} (#)", "E4{}: schema mismatch, wanted # columns"};
    char text[WORLD_TEXT_MAX];
    w->n_backends = 1;
    double t = kind_moment(p, 0.25, 0.9), end = kind_end(p, t);
    plan_distract(p, world_pick(w, 4));
    struct change *c = release(p, t, 1U << w->n_hosts, 0);
    struct effect *e = plan_effect(p, t + 0.003, end);
    e->routes = ROUTES_DEPEND;
    e->fail = world_between(w, 0.15, 0.8);
    e->status = rng_chance(&w->rng, 0.5) ? 502 : 500;
    e->slow = world_between(w, 0, 2);
    e->harm = true;
    kind_text(text, texts[world_pick(w, 3)], w->upstream);
    plan_fail_says(e, world_between(w, 0.4, 1), "%s", text);
    plan_want_wave(p, c);
    plan_onset(p, e->from_h);
    p->end_h = end;
    p->high_allowed = true;
}

static void harmless_release(struct plan *p)
{
    struct world *w = p->w;
    double t = kind_moment(p, 0.3, 0.9);
    plan_distract(p, world_pick(w, 4));
    release(p, t, 0, world_between(w, 0.01, 0.1))->cause = false;
    kind_app_only(p);
    if (rng_chance(&w->rng, 0.3)) { /* it is faster, or a little slower; nobody is hurt */
        struct effect *e = plan_effect(p, t, 0);
        e->slow = world_between(w, -0.3, 0.4);
    }
}

const struct kind kinds[] = {
    {"bad_release", "a release that fails at once", false, bad_release},
    {"canary", "a release on one of many hosts that fails there", false, canary},
    {"neighbour_release", "a release of another service that this one asks", false, neighbour_release},
    {"leak", "a release whose leak breaks the service days later; harmless releases follow it", false, leak},
    {"age_failure", "a failure at a fixed age after the restart of each host", false, age_failure},
    {"dependency_down", "an upstream service is down or slow", false, dependency_down},
    {"config_change", "a setting was changed", true, config_change},
    {"traffic_surge", "more visitors than the service can take", false, traffic_surge},
    {"bad_client", "one client floods or breaks one route", false, bad_client},
    {"cert_expiry", "a certificate expires", true, cert_expiry},
    {"disk_full", "a disk fills up and is full", false, disk_full},
    {"cron_collision", "a new daily job locks what requests need", false, cron},
    {"host_lost", "a host or a region is gone; the others suffer, or a proxy fails for it", false, host_lost},
    {"slow_host", "one host becomes slow, then fails", false, slow_host},
    {"flag_route", "a new route appears and fails", false, flag_route},
    {"deed_said", "a setting, flag, rule, secret or schema was changed, and somebody said so", false, deed_said},
    {"flag_hosts", "a flag that is on for some of the hosts", false, flag_hosts},
    {"setting_again", "a setting of a sort that is changed now and then; this time it hurts", false, setting_again},
    {"ended", "something reached its end at an instant; only the failures say what", false, ended},
    {"format_change", "the access log changes its format, with or without a real failure", false, format_change},
    {"ramp_harmless", "a slow ramp with a harmless release in the middle", true, ramp_harmless},
    {"error_ramp", "errors that grow for hours or days, something harmless on the way", false, error_ramp},
    {"slow_rise", "errors that grow, of many shapes and causes, among harmless releases", false, slow_rise},
    {"harmless_release", "a release and no error", false, harmless_release},
    {"no_cause", "errors without any cause in the logs", false, no_cause},
    {"seasonal_peak", "the evening peak, every day, normal", false, seasonal_peak},
    {"stationary", "weeks without incident, many series", false, stationary},
};
const unsigned n_kinds = sizeof kinds / sizeof kinds[0];
