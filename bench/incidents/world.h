/*
 * world.h - who runs what: the system whose logs are written, drawn from a seed before anything is planted in it
 *
 *      seed -> world (trade, hosts, routes, clients, formats, traffic) -> kind plants effects and events (plant.h) -> simulate -> files + truth
 *
 * Two cases of one kind share nothing but what the kind means: names, layouts, volumes, length and noise are the world's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_INCIDENTS_WORLD_H
#define LQ_INCIDENTS_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/gen/rng.h"

enum {
    WORLD_HOSTS_MAX = 24,
    WORLD_ROUTES_MAX = 220,
    WORLD_CLIENTS_MAX = 8000,
    WORLD_EFFECTS_MAX = 48,
    WORLD_EVENTS_MAX = 400,
    WORLD_STARTS_MAX = 40,
    WORLD_TEXT_MAX = 224,
    HOST_BYTES = 40,
};

enum access_format { ACCESS_COMBINED_TIME, ACCESS_COMBINED, ACCESS_COMMON, ACCESS_PIPES };
enum app_format { APP_LOGBACK, APP_SPRING, APP_PYTHON, APP_SYSLOG, APP_SYSLOG5424, APP_NONE };

struct trade { /* tables in trades.c */
    const char *service, *package;
    const char *const *routes;  /* "METHOD path median_ms weight" */
    const char *const *loggers; /* suffixes of package */
    const char *const *routine; /* "L logger# message": what the application says on a quiet day */
    const char *const *upstreams;
};
extern const struct trade trades[];
extern const unsigned n_trades;

struct world_route {
    char method[8], path[72];
    double median_s, weight;
    bool depends; /* asks the upstream that may fail */
    double from_h; /* first seen; 0 = from the start */
};

struct world {
    struct rng rng;
    uint64_t seed;
    const struct trade *trade;
    char service[32], version[32]; /* the version that runs when the logs begin */
    unsigned version_style, start_style;
    bool version_field; /* the start-up line carries the version in the words that formats know */
    double days;
    int64_t start_s;
    unsigned n_hosts, n_regions;
    unsigned n_backends; /* 1: the upstream writes an application log too, as host [n_hosts] */
    unsigned host_style, host_base;
    char host[WORLD_HOSTS_MAX + 1][HOST_BYTES];
    unsigned region[WORLD_HOSTS_MAX];
    unsigned n_routes, n_clients;
    struct world_route routes[WORLD_ROUTES_MAX];
    double requests_per_hour; /* mean */
    double lines_max;
    double swing, weekend;    /* daily amplitude 0…0.9; weekend factor */
    double error_base, noise; /* share that fails on a good day; spread of the minute rates (log-normal sigma) */
    double slow_sigma;
    enum access_format access;
    enum app_format app;
    bool no_access; /* the application log is all there is */
    bool one_access_file; /* a proxy in front writes one log for all hosts */
    unsigned layout;      /* of paths */
    const char *upstream;
};

/* A whole world from the seed; kinds may change it before planting. About lines_max requests at most. */
void world_draw(struct world *w, uint64_t seed, double lines_max);
/* A version later than `from`, in the world's style. */
void world_next_version(struct world *w, const char *from, char out[32]);
/* Relative traffic at an hour since the start, mean about 1. */
double world_traffic(const struct world *w, double hour);
void world_name_hosts(struct world *w); /* after n_hosts changed */
void world_add_routes(struct world *w, unsigned n); /* many more paths, for series-rich weeks */

static inline unsigned world_pick(struct world *w, unsigned n)
{
    return rng_below(&w->rng, n);
}
static inline double world_between(struct world *w, double lo, double hi)
{
    return lo + (hi - lo) * rng_unit(&w->rng);
}

#endif
