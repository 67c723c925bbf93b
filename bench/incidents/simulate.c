/*
 * simulate.c - a plan in its world, minute by minute, to log files
 *
 * Requests of a minute are Poisson around the world's traffic; each draws host, route, client, request time and status, then the effects act on it.
 * Each file's lines of a minute are sorted by time before they are written, as a logger would have written them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/incidents/emit.h"

enum { ERROR_SAYS_PERCENT = 80 };

struct sim {
    struct plan *p;
    struct world *w;
    struct emit *out;
    double route_cum[WORLD_ROUTES_MAX], client_cum[WORLD_CLIENTS_MAX];
    double minute_noise, error_noise;
};

struct response {
    unsigned status, bytes;
    double seconds;
    const struct effect *failed_by;
};

static unsigned pick(struct sim *s, const double *cum, unsigned n)
{
    double u = rng_unit(&s->w->rng) * cum[n - 1];
    unsigned lo = 0, hi = n - 1;
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        if (cum[mid] < u) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

/* Hours since the host's last start before `hour`. */
static double host_age(const struct plan *p, unsigned host, double hour)
{
    double last = -1e9;
    for (unsigned i = 0; i < p->n_starts[host]; i++) {
        double t = p->starts_h[host][i];
        last = t <= hour && t > last ? t : last;
    }
    return hour - last;
}

/* Strength of an effect on a host, 0…1. */
static double level(const struct plan *p, const struct effect *e, double hour, unsigned host)
{
    if (hour < e->from_h || (e->to_h > 0 && hour >= e->to_h) || (e->hosts != 0 && (e->hosts >> host & 1) == 0)) {
        return 0;
    }
    if (e->every_h > 0 && fmod(hour - e->from_h, e->every_h) >= e->for_h) {
        return 0;
    }
    double since = hour - e->from_h, age = e->since_start || e->age_h > 0 ? host_age(p, host, hour) : 0;
    if (e->since_start && hour - age < e->from_h) {
        return 0;
    }
    if (e->age_h > 0) {
        if (age > 1e6 || age < e->age_h) {
            return 0;
        }
        since = age - e->age_h;
    }
    double part = e->ramp_h > 0 && since < e->ramp_h ? since / e->ramp_h : 1;
    return e->doublings > 0 ? (exp2(e->doublings * part) - 1) / (exp2(e->doublings) - 1) : part;
}

static bool on_route(const struct world *w, const struct effect *e, unsigned route)
{
    return e->routes == ROUTES_ALL || (e->routes == ROUTES_DEPEND ? w->routes[route].depends : (unsigned)e->routes == route);
}

static void planted(struct plan *p, const struct effect *e, double hour)
{
    if (e->harm) {
        unsigned i = p->planted < PLAN_FAILURES_KEPT ? (unsigned)p->planted : PLAN_FAILURES_KEPT;
        if (i < PLAN_FAILURES_KEPT) {
            p->failure_h[i] = hour;
        }
        p->planted++;
    }
}

static struct response respond(struct sim *s, unsigned route, unsigned host, double hour, const char *client)
{
    struct plan *p = s->p;
    struct rng *r = &s->w->rng;
    const struct world_route *x = &s->w->routes[route];
    struct response a = {.status = 200};
    bool at_work = false;
    double u = rng_unit(r), base = s->w->error_base * s->error_noise;
    a.status = u < base * 0.7 ? 500 : u < base ? 503 : u < base + 0.012 ? 404 : u < base + 0.018 ? 401 : u < 0.09 && x->method[0] == 'G' ? 304 : 200;
    a.seconds = x->median_s * exp(s->w->slow_sigma * rng_normal(r));
    for (unsigned i = 0; i < p->n_effects; i++) {
        const struct effect *e = &p->effects[i];
        double l = (e->fail > 0 || e->slow != 0) && on_route(s->w, e, route) && (e->client == NULL || client == e->client) ? level(p, e, hour, host) : 0;
        if (l <= 0) {
            continue;
        }
        at_work = at_work || e->harm;
        a.seconds *= 1 + e->slow * l;
        if (e->fail > 0 && rng_chance(r, e->fail * l)) {
            a.status = e->status != 0 ? e->status : 500;
            a.seconds = e->hang_s > 0 ? e->hang_s * (1 + 0.02 * rng_unit(r)) : a.seconds;
            a.failed_by = e;
        }
    }
    if (a.failed_by != NULL && a.status >= 500) {
        planted(p, a.failed_by, hour);
    } else if (a.status >= 500 && at_work) {
        p->others++;
    }
    a.bytes = a.status == 304 ? 0 : a.status >= 400 ? 200 + rng_below(r, 300) : (unsigned)(1500 * exp(1.0 * rng_normal(r)));
    return a;
}

static void say_failure(struct sim *s, unsigned host, double hour, unsigned route, const struct response *a)
{
    struct rng *r = &s->w->rng;
    char text[WORLD_TEXT_MAX];
    const struct effect *e = a->failed_by;
    if (e != NULL && e->fail_says[0] != '\0') {
        if (rng_chance(r, e->fail_says_share)) {
            emit_app(s->out, hour, host, e->fail_says);
        }
    } else if (rng_below(r, 100) < ERROR_SAYS_PERCENT) {
        const struct world_route *x = &s->w->routes[route];
        snprintf(text, sizeof text, "E0Request failed: %s %s status %u", x->method, x->path, a->status);
        emit_app(s->out, hour, host, text);
    }
}

/* A host that takes the request: one that is not lost. n_hosts = nowhere. */
static unsigned pick_host(struct sim *s, double hour)
{
    const struct plan *p = s->p;
    for (unsigned tries = 0; tries < 20; tries++) {
        unsigned host = world_pick(s->w, s->w->n_hosts);
        bool gone = false, nowhere = false;
        for (unsigned i = 0; i < p->n_effects; i++) {
            const struct effect *e = &p->effects[i];
            if (e->vanish > 0 && rng_chance(&s->w->rng, e->vanish * level(p, e, hour, host))) {
                gone = true;
                nowhere = e->nowhere;
            }
        }
        if (!gone) {
            return host;
        }
        if (nowhere) {
            break;
        }
    }
    return s->w->n_hosts;
}

static void one_request(struct sim *s, double hour, int route_or_all, const char *client)
{
    unsigned host = pick_host(s, hour), route;
    if (host == s->w->n_hosts) {
        return;
    }
    do {
        route = route_or_all >= 0 ? (unsigned)route_or_all : pick(s, s->route_cum, s->w->n_routes);
    } while (route_or_all < 0 && s->w->routes[route].from_h > hour);
    char name[32];
    if (client == NULL) {
        emit_client_name(pick(s, s->client_cum, s->w->n_clients), name);
    }
    struct response a = respond(s, route, host, hour, client);
    emit_access(s->out, hour, host, &s->w->routes[route], client != NULL ? client : name, a.status, a.bytes, a.seconds);
    if (a.status >= 500) {
        say_failure(s, host, hour, route, &a);
    }
}

static void requests(struct sim *s, unsigned minute)
{
    struct world *w = s->w;
    double hour = minute / 60.0, factor = 1;
    for (unsigned i = 0; i < s->p->n_effects; i++) {
        factor += s->p->effects[i].factor != 0 ? s->p->effects[i].factor * level(s->p, &s->p->effects[i], hour, 0) : 0;
    }
    uint32_t n = rng_poisson(&w->rng, w->requests_per_hour / 60 * world_traffic(w, hour) * factor * s->minute_noise);
    for (uint32_t i = 0; i < n; i++) {
        one_request(s, hour + rng_unit(&w->rng) / 60, -1, NULL);
    }
    for (unsigned i = 0; i < s->p->n_effects; i++) {
        const struct effect *e = &s->p->effects[i];
        double l = e->extra_per_hour > 0 ? level(s->p, e, hour, 0) : 0;
        uint32_t more = l > 0 ? rng_poisson(&w->rng, e->extra_per_hour / 60 * l) : 0;
        for (uint32_t k = 0; k < more; k++) {
            double at = hour + rng_unit(&w->rng) / 60;
            if (at >= e->from_h) {
                one_request(s, at, e->routes, e->client);
            }
        }
    }
}

/* The routine of a quiet day grows with traffic; effects say what they say. */
static void messages(struct sim *s, unsigned minute)
{
    struct world *w = s->w;
    double hour = minute / 60.0;
    for (unsigned h = 0; h < w->n_hosts + w->n_backends; h++) {
        for (unsigned k = 0; w->trade->routine[k] != NULL; k++) {
            double per_hour = fmin(12 + w->requests_per_hour / w->n_hosts, 400) * (0.08 / (1 + k)) * world_traffic(w, hour);
            for (uint32_t n = rng_poisson(&w->rng, per_hour / 60); n > 0; n--) {
                emit_app(s->out, hour + rng_unit(&w->rng) / 60, h, w->trade->routine[k]);
            }
        }
        for (unsigned i = 0; i < s->p->n_effects; i++) {
            const struct effect *e = &s->p->effects[i];
            double l = e->says_per_hour > 0 && (h < w->n_hosts || e->hosts != 0) ? level(s->p, e, hour, h) : 0;
            for (uint32_t n = l > 0 ? rng_poisson(&w->rng, e->says_per_hour / 60 * l) : 0; n > 0; n--) {
                double at = hour + rng_unit(&w->rng) / 60;
                emit_app(s->out, at < e->from_h ? e->from_h : at, h, e->says);
            }
        }
    }
}

static int by_time(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    return x->at_h != y->at_h ? (x->at_h < y->at_h ? -1 : 1) : (int)x->host - (int)y->host;
}

int simulate(struct plan *p, const char *dir)
{
    struct sim *s = calloc(1, sizeof *s);
    assert(s != NULL);
    s->p = p;
    s->w = p->w;
    s->out = emit_open(p, dir);
    if (s->out == NULL) {
        free(s);
        return -1;
    }
    double sum = 0;
    for (unsigned i = 0; i < p->w->n_routes; i++) {
        s->route_cum[i] = sum += p->w->routes[i].weight;
    }
    sum = 0;
    for (unsigned i = 0; i < p->w->n_clients; i++) {
        s->client_cum[i] = sum += 1.0 / (40.0 + i);
    }
    qsort(p->events, p->n_events, sizeof p->events[0], by_time);
    s->minute_noise = s->error_noise = 1;
    unsigned minutes = (unsigned)(p->w->days * 1440), next = 0;
    double drift = 0;
    for (unsigned m = 0; m < minutes; m++) {
        drift = 0.97 * drift + 0.24 * rng_normal(&s->w->rng); /* AR(1), unit variance, a memory of half an hour */
        s->minute_noise = exp(s->w->noise * 0.5 * drift);
        s->error_noise = m % 10 == 0 ? exp(s->w->noise * rng_normal(&s->w->rng)) : s->error_noise;
        for (; next < p->n_events && p->events[next].at_h < (m + 1) / 60.0; next++) {
            emit_app(s->out, p->events[next].at_h, p->events[next].host, p->events[next].text);
        }
        requests(s, m);
        messages(s, m);
        emit_flush(s->out);
    }
    int err = emit_close(&s->out);
    free(s);
    return err;
}
