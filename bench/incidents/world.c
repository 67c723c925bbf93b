/*
 * world.c - a world from a seed (world.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/incidents/world.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { HOST_STYLES = 6, VERSION_STYLES = 4 };
static const double day_choices[] = {1, 1, 2, 3, 3, 5, 7, 7, 10, 14};
static const double hour_choices[] = {60, 150, 300, 300, 600, 1200, 2500, 6000}; /* requests an hour */
static const double lines_min = 4000;

void world_name_hosts(struct world *w)
{
    static const char *const regions[] = {"fra", "iad", "sin", "gru"};
    for (unsigned i = 0; i < w->n_hosts; i++) {
        w->region[i] = i % w->n_regions;
        const char *r = regions[w->region[i]];
        unsigned k = w->host_base + i;
        char *out = w->host[i];
        switch (w->host_style) {
        case 0: snprintf(out, HOST_BYTES, "web-%u", i + 1); break;
        case 1: snprintf(out, HOST_BYTES, "app%02u", k); break;
        case 2: snprintf(out, HOST_BYTES, "%s-node-%u", r, k); break;
        case 3: snprintf(out, HOST_BYTES, "n%u.%s.example.net", k, r); break;
        case 4: snprintf(out, HOST_BYTES, "%s-%u", w->service, k); break;
        default: snprintf(out, HOST_BYTES, "fe%02u.dc%u.example.com", k, w->region[i] + 1); break;
        }
    }
    snprintf(w->host[w->n_hosts], HOST_BYTES, "%s-1", w->upstream);
}

static void draw_hosts(struct world *w)
{
    static const unsigned counts[] = {1, 1, 2, 3, 4, 4, 6, 8, 12};
    w->host_style = world_pick(w, HOST_STYLES);
    w->host_base = 1 + world_pick(w, 40);
    w->n_hosts = counts[world_pick(w, sizeof counts / sizeof counts[0])];
    w->n_regions = w->n_hosts >= 4 ? 2 + world_pick(w, 2) : 1;
    world_name_hosts(w);
}

static void draw_routes(struct world *w)
{
    for (const char *const *r = w->trade->routes; *r != NULL && w->n_routes < WORLD_ROUTES_MAX; r++) {
        struct world_route *x = &w->routes[w->n_routes];
        double ms;
        if (sscanf(*r, "%7s %71s %lf %lf", x->method, x->path, &ms, &x->weight) != 4) {
            continue;
        }
        x->median_s = ms / 1000 * world_between(w, 0.6, 1.7);
        x->weight *= world_between(w, 0.5, 1.8);
        x->depends = ms >= 20 && rng_chance(&w->rng, 0.6);
        w->n_routes++;
    }
    w->routes[world_pick(w, w->n_routes)].depends = true;
}

void world_add_routes(struct world *w, unsigned n)
{
    static const char *const words[] = {"orders", "teams", "notes", "plans", "files", "reports", "alerts", "units", "rates", "tags", "items", "users"};
    for (unsigned i = 0; i < n && w->n_routes < WORLD_ROUTES_MAX; i++) {
        struct world_route *x = &w->routes[w->n_routes++];
        *x = (struct world_route){.median_s = world_between(w, 0.004, 0.3), .weight = 12.0 / (4.0 + i)};
        snprintf(x->method, sizeof x->method, "%s", i % 5 == 2 ? "POST" : "GET");
        snprintf(x->path, sizeof x->path, "/api/%s/%s-%c", words[i % 12], words[(i / 12 + i) % 12], (char)('a' + i / 24));
    }
}

static void draw_volume(struct world *w)
{
    w->days = day_choices[world_pick(w, sizeof day_choices / sizeof day_choices[0])];
    w->requests_per_hour = hour_choices[world_pick(w, sizeof hour_choices / sizeof hour_choices[0])] * world_between(w, 0.7, 1.4);
    double total = w->requests_per_hour * 24 * w->days;
    if (total < lines_min) {
        w->requests_per_hour = lines_min / (24 * w->days);
    } else if (total > w->lines_max) {
        w->requests_per_hour = w->lines_max / (24 * w->days);
    }
    w->n_clients = 30 + (unsigned)(w->requests_per_hour * w->days);
    w->n_clients = w->n_clients > WORLD_CLIENTS_MAX ? WORLD_CLIENTS_MAX : w->n_clients;
    w->swing = world_between(w, 0.0, 0.85);
    w->weekend = world_between(w, 0.4, 1.1);
    w->error_base = rng_chance(&w->rng, 0.15) ? 0 : 0.0003 * exp(3.2 * rng_unit(&w->rng)); /* none, or 0.03 % to 0.7 % */
    w->noise = world_between(w, 0.0, 0.5);
    w->slow_sigma = world_between(w, 0.25, 0.8);
}

void world_draw(struct world *w, uint64_t seed, double lines_max)
{
    memset(w, 0, sizeof *w);
    w->lines_max = lines_max;
    w->seed = seed;
    w->rng.s = seed * 0x9e3779b97f4a7c15U + 0x1234567;
    w->trade = &trades[world_pick(w, n_trades)];
    snprintf(w->service, sizeof w->service, "%s", w->trade->service);
    unsigned ups = 0;
    while (w->trade->upstreams[ups] != NULL) {
        ups++;
    }
    w->upstream = w->trade->upstreams[world_pick(w, ups)];
    w->start_s = 1767225600 + 86400 * (int64_t)world_pick(w, 300) + (rng_chance(&w->rng, 0.5) ? 3600 * (int64_t)world_pick(w, 24) : 0); /* an hour of 2026 */
    draw_volume(w);
    draw_hosts(w);
    draw_routes(w);
    w->access = (enum access_format[]){ACCESS_COMBINED_TIME, ACCESS_COMBINED_TIME, ACCESS_COMBINED, ACCESS_COMMON}[world_pick(w, 4)];
    w->app = (enum app_format[]){APP_LOGBACK, APP_LOGBACK, APP_LOGBACK, APP_SPRING, APP_SPRING, APP_PYTHON, APP_SYSLOG, APP_SYSLOG5424}[world_pick(w, 8)];
    w->one_access_file = rng_chance(&w->rng, 0.2);
    w->layout = world_pick(w, 3);
    w->n_backends = rng_chance(&w->rng, 0.25) ? 1 : 0;
    w->version_style = world_pick(w, VERSION_STYLES);
    w->start_style = (unsigned[]){0, 0, 0, 0, 1, 1, 1, 2, 2, 3}[world_pick(w, 10)];
    w->version_field = w->start_style < 2 && (w->app == APP_LOGBACK || w->app == APP_SPRING || w->app == APP_PYTHON);
    world_next_version(w, "", w->version);
}

void world_next_version(struct world *w, const char *from, char out[32])
{
    unsigned a = 1 + world_pick(w, 6), b = world_pick(w, 20), c = world_pick(w, 9);
    bool known = sscanf(from, "%u.%u.%u", &a, &b, &c) == 3;
    switch (w->version_style) {
    case 0: snprintf(out, 32, "%u.%u.%u", a, b, known ? c + 1 : c); break;
    case 1: snprintf(out, 32, "%u.%u.0", a, known ? b + 1 : b); break;
    case 2: snprintf(out, 32, "%u.%u.%u", known ? a : 2026, known ? b : 1 + world_pick(w, 11), known ? c + 1 + world_pick(w, 4) : 1 + c); break;
    default: snprintf(out, 32, "%u.%u.%u-%u", a, b, known ? c + 1 : c, 100 + world_pick(w, 900)); break;
    }
}

double world_traffic(const struct world *w, double hour)
{
    hour += (double)(w->start_s / 3600 % 24);
    double day = floor(hour / 24 + (double)(w->start_s / 86400 % 7)); /* days since a Thursday */
    double x = 1.0 - w->swing * cos(6.283185307179586 * (fmod(hour, 24.0) - 4.0) / 24.0);
    unsigned of_week = (unsigned)day % 7; /* 0 = Thursday */
    return of_week == 2 || of_week == 3 ? x * w->weekend : x;
}
