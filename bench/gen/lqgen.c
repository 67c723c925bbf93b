/*
 * lqgen.c - realistic logs with planted incidents, the same bytes for the same arguments
 *
 *      lqgen --scenario NAME [--lines N] [--days D] [--seed S] [--no-app] [--one-file] DIR
 *
 * writes DIR/web-1/access.log … DIR/web-4/access.log (combined format with the request time in seconds at the end, as nginx writes it
 * with `$request_time` appended) and DIR/web-N/app.log (logback layout). Traffic has a daily and a weekly cycle, routes and clients are
 * Zipf-distributed, latency is log-normal around a median per route; arrivals are Poisson within each minute.
 *
 * What a scenario plants is in scenario.c. The leak: from its start the session routes slow down linearly and the application warns
 * about evictions from the session store, rarely at first. Nothing in the web log's statuses shows it until the failure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "bench/gen/rng.h"
#include "bench/gen/scenario.h"

enum { CLIENTS = 20000, ROUTES_MAX = 300, STATUSES = 14 };

struct route {
    char method[8];
    char path[64]; /* {id} is replaced by a number */
    double median_s;
    bool session; /* touches the session store */
    double weight;
};

struct gen {
    const struct scenario *sc;
    struct rng rng;
    double days;
    uint64_t lines;
    bool app, week, one_file; /* one_file: all hosts behind one proxy's log */
    FILE *access[HOSTS], *applog[HOSTS];
    struct route routes[ROUTES_MAX];
    unsigned n_routes;
    double route_cum[ROUTES_MAX];
    double client_cum[CLIENTS];
    const char *version[HOSTS];
    unsigned pid[HOSTS];
    uint64_t written;
};

static const char *const agents[] = {
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/121.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (X11; Linux x86_64; rv:122.0) Gecko/20100101 Firefox/122.0",
    "ShopApp/5.3 (Android 14; Pixel 8)",
};

static const struct route shop_routes[] = {
    {"GET", "/", 0.020, false, 0},
    {"GET", "/products", 0.045, false, 0},
    {"GET", "/products/{id}", 0.035, false, 0},
    {"GET", "/assets/app.css", 0.002, false, 0},
    {"GET", "/assets/app.js", 0.003, false, 0},
    {"GET", "/cart", 0.030, true, 0},
    {"POST", "/cart/items", 0.050, true, 0},
    {"GET", "/search", 0.090, false, 0},
    {"GET", "/account", 0.040, true, 0},
    {"GET", "/account/orders", 0.060, true, 0},
    {"GET", "/account/orders/{id}", 0.055, true, 0},
    {"POST", "/login", 0.120, true, 0},
    {"GET", "/login", 0.015, false, 0},
    {"POST", "/checkout", 0.180, true, 0},
    {"GET", "/checkout", 0.060, true, 0},
    {"GET", "/api/stock/{id}", 0.012, false, 0},
    {"GET", "/api/prices", 0.018, false, 0},
    {"GET", "/help", 0.020, false, 0},
    {"GET", "/help/contact", 0.022, false, 0},
    {"POST", "/api/events", 0.008, false, 0},
    {"GET", "/robots.txt", 0.001, false, 0},
    {"GET", "/admin/reports", 0.400, true, 0},
};

static void setup_routes(struct gen *g)
{
    if (g->week) {
        static const char *const words[] = {"orders", "users", "items", "search", "cart", "stock", "prices", "help", "news", "files",
                                            "media", "teams", "plans", "tasks", "notes"};
        for (unsigned i = 0; i < ROUTES_MAX; i++) {
            struct route *r = &g->routes[i];
            unsigned a = i % 15, b = i / 15;
            snprintf(r->method, sizeof r->method, "%s", i % 7 == 3 ? "POST" : "GET");
            snprintf(r->path, sizeof r->path, "/api/%s/%c%s", words[a], (char)('a' + b), words[(a + b) % 15]);
            r->median_s = 0.005 + 0.002 * (double)((i * 37) % 50);
            r->weight = 1.0 / (20.0 + i);
        }
        g->n_routes = ROUTES_MAX;
    } else {
        g->n_routes = sizeof shop_routes / sizeof shop_routes[0];
        for (unsigned i = 0; i < g->n_routes; i++) {
            g->routes[i] = shop_routes[i];
            g->routes[i].weight = 1.0 / (2.0 + i);
        }
    }
    double sum = 0;
    for (unsigned i = 0; i < g->n_routes; i++) {
        g->route_cum[i] = sum += g->routes[i].weight;
    }
    for (unsigned i = 0; i < g->n_routes; i++) {
        g->route_cum[i] /= sum;
    }
    sum = 0;
    for (unsigned i = 0; i < CLIENTS; i++) {
        g->client_cum[i] = sum += 1.0 / (50.0 + i);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        g->client_cum[i] /= sum;
    }
}

static unsigned pick(struct gen *g, const double *cum, unsigned n)
{
    double u = rng_unit(&g->rng);
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

/* Relative traffic at a moment: low at 4 in the morning, high at 16:00, weekends at 60 %. */
static double traffic_weight(double hour)
{
    double of_day = fmod(hour, 24.0);
    unsigned day = (unsigned)(hour / 24.0); /* day 0 is a Friday */
    double w = 1.0 - 0.75 * cos(6.283185307179586 * (of_day - 4.0) / 24.0);
    return (day % 7 == 1 || day % 7 == 2) ? w * 0.6 : w;
}

static void print_client(char out[32], unsigned client)
{
    if (client % 11 == 7) { /* employees */
        snprintf(out, 32, "10.%u.%u.%u", client % 5, (client >> 8) & 255, client & 255);
    } else {
        unsigned h = client * 2654435761U;
        snprintf(out, 32, "%u.%u.%u.%u", 80 + (h >> 28), (h >> 20) & 255, (h >> 12) & 255, 1 + ((h >> 4) & 127));
    }
}

static const char *const month_names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static void print_clf_time(char out[32], int64_t s)
{
    static int64_t last = -1;
    static char text[32];
    if (s != last) {
        time_t t = (time_t)s;
        struct tm tm;
        gmtime_r(&t, &tm);
        snprintf(text, sizeof text, "%02d/%s/%04d:%02d:%02d:%02d +0000", tm.tm_mday % 100, month_names[tm.tm_mon % 12],
                 (tm.tm_year + 1900) % 10000, tm.tm_hour % 100, tm.tm_min % 100, tm.tm_sec % 100);
        last = s;
    }
    memcpy(out, text, sizeof text);
}

/* One line of the application log of a host; extra is appended to the message. */
static void app_line(struct gen *g, unsigned host, double hour, const char *level, const char *logger, const char *message)
{
    if (!g->app) {
        return;
    }
    int64_t ms = (int64_t)(hour * 3600e3);
    time_t t = (time_t)(GEN_START_S + ms / 1000);
    struct tm tm;
    gmtime_r(&t, &tm);
    fprintf(g->applog[host], "%04d-%02d-%02d %02d:%02d:%02d,%03d %-5s [http-%u] %s - %s\n", tm.tm_year + 1900, tm.tm_mon + 1,
            tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ms % 1000), level, 1 + (unsigned)(ms % 16), logger, message);
}

/* How far the session store is filled, 0…1: linear from the leak's start to the failure. */
static double leak_level(const struct gen *g, double hour)
{
    if (g->sc->leak_from_h <= 0 || hour < g->sc->leak_from_h) {
        return 0;
    }
    double x = (hour - g->sc->leak_from_h) / (g->sc->fail_h - g->sc->leak_from_h);
    return x < 1 ? x : 1;
}

/* Strength of the failure on a host, 0…1: it builds up over the first three hours when the system saturates. */
static double failure_level(const struct gen *g, double hour, unsigned host)
{
    const struct scenario *sc = g->sc;
    double rolled = sc->failure == FAIL_ERRORS ? 0.05 * host + 0.01 : 0; /* a bad release fails where it has arrived */
    if (sc->failure == FAIL_NONE || sc->failure == FAIL_CLIENT || hour < sc->fail_h + rolled ||
        (sc->fail_end_h > 0 && hour >= sc->fail_end_h) || (sc->fail_hosts_mask != 0 && (sc->fail_hosts_mask >> host & 1) == 0)) {
        return 0;
    }
    if (sc->failure == FAIL_ERRORS) {
        return 1;
    }
    double x = 0.25 + (hour - sc->fail_h) / 4.0;
    return x < 1 ? x : 1;
}

struct response {
    unsigned status;
    double seconds;
    unsigned bytes;
};

static unsigned draw_status(struct gen *g, const struct route *r)
{
    double u = rng_unit(&g->rng);
    if (g->week) {
        static const unsigned all[STATUSES] = {200, 304, 302, 404, 301, 206, 400, 401, 403, 204, 500, 499, 503, 502};
        static const double cum[STATUSES] = {0.82, 0.88, 0.91, 0.935, 0.95, 0.96, 0.968, 0.976, 0.982, 0.988, 0.9915, 0.9945, 0.9975, 1.0};
        unsigned i = 0;
        while (i < STATUSES - 1 && cum[i] < u) {
            i++;
        }
        return all[i];
    }
    if (u < 0.0015) {
        return 500;
    }
    if (u < 0.0022) {
        return 503;
    }
    if (u < 0.020) {
        return 404;
    }
    if (r->session && u < 0.024) {
        return 401;
    }
    if (u < 0.10 && strcmp(r->method, "GET") == 0) {
        return 304;
    }
    return strcmp(r->path, "/login") == 0 && r->method[0] == 'P' ? 302 : 200;
}

static struct response respond(struct gen *g, const struct route *r, double hour, unsigned host)
{
    double fail = failure_level(g, hour, host), leak = leak_level(g, hour);
    struct response x = {draw_status(g, r), 0, 0};
    x.seconds = r->median_s * exp(0.45 * rng_normal(&g->rng));
    if (r->session) {
        x.seconds *= 1.0 + 0.8 * leak;
    }
    if (fail > 0 && g->sc->failure == FAIL_SATURATION) {
        x.seconds *= 1.0 + (r->session ? 6.0 : 1.5) * fail;
        if (r->session && rng_chance(&g->rng, 0.35 * fail)) {
            x.status = rng_chance(&g->rng, 0.45) ? 401 : 503;
        } else if (rng_chance(&g->rng, 0.05 * fail)) {
            x.status = 500;
        }
    } else if (fail > 0 && rng_chance(&g->rng, r->session ? 0.25 : 0.04)) {
        x.status = 500;
    }
    x.bytes = x.status == 304 || x.status == 204 ? 0 : x.status >= 400 ? 300 + rng_below(&g->rng, 200) : (unsigned)(2000 * exp(1.1 * rng_normal(&g->rng)));
    return x;
}

static void access_line(struct gen *g, unsigned host, int64_t second, const char *client, const char *user, const struct route *r,
                        struct response x)
{
    char when[32], path[96];
    const char *id = strstr(r->path, "{id}");
    if (id != NULL) {
        snprintf(path, sizeof path, "%.*s%u%s", (int)(id - r->path), r->path, 1000 + rng_below(&g->rng, 9000), id + 4);
    } else {
        snprintf(path, sizeof path, "%s", r->path);
    }
    print_clf_time(when, second);
    fprintf(g->access[host], "%s - %s [%s] \"%s %s HTTP/1.1\" %u %u \"https://shop.example/\" \"%s\" %u.%03u\n", client, user, when,
            r->method, path, x.status, x.bytes, agents[rng_below(&g->rng, 5)], (unsigned)x.seconds,
            (unsigned)(fmod(x.seconds, 1.0) * 1000));
    g->written++;
}

/* What the application says of a request, sometimes. */
static void app_of_request(struct gen *g, unsigned host, double hour, const struct route *r, struct response x)
{
    char msg[200];
    if (!g->app) {
        return;
    }
    if (x.status == 500) {
        snprintf(msg, sizeof msg, "Request %s %s failed: java.lang.IllegalStateException: order %u not in state OPEN", r->method,
                 r->session ? "/checkout" : "/products", rng_below(&g->rng, 100000));
        app_line(g, host, hour, "ERROR", "com.shop.web.ErrorHandler", msg);
    } else if (x.status == 503) {
        bool full = failure_level(g, hour, host) > 0 && g->sc->leak_from_h > 0;
        snprintf(msg, sizeof msg,
                 full ? "Session store rejected write for session s%08x: capacity exhausted" : "Backend timeout after %u ms",
                 (unsigned)(rng_next(&g->rng) & 0xffffffff) % (full ? 0xffffffffU : 9000));
        app_line(g, host, hour, "ERROR", full ? "com.shop.session.SessionStore" : "com.shop.web.Gateway", msg);
    } else if (r->path[1] == 'c' && r->method[0] == 'P' && x.status == 200 && rng_chance(&g->rng, 0.2)) {
        snprintf(msg, sizeof msg, "Order %u accepted for customer %u in %u ms", rng_below(&g->rng, 1000000), rng_below(&g->rng, CLIENTS),
                 (unsigned)(x.seconds * 1000));
        app_line(g, host, hour, "INFO", "com.shop.order.OrderService", msg);
    } else if (strcmp(r->path, "/login") == 0 && r->method[0] == 'P' && rng_chance(&g->rng, 0.3)) {
        snprintf(msg, sizeof msg, "User u%u signed in", rng_below(&g->rng, CLIENTS));
        app_line(g, host, hour, "INFO", "com.shop.session.LoginService", msg);
    }
}

static void deploys(struct gen *g, double from_h, double to_h)
{
    char msg[200];
    for (unsigned i = 0; i < DEPLOYS_MAX && g->sc->deploys[i].version != NULL; i++) {
        const struct deploy *d = &g->sc->deploys[i];
        for (unsigned host = 0; host < HOSTS; host++) {
            double at = d->at_h + 0.05 * host; /* one host every three minutes */
            if (at < from_h || at >= to_h || (d->hosts_mask != 0 && (d->hosts_mask >> host & 1) == 0)) {
                continue;
            }
            if (d->version[0] != '\0') {
                g->version[host] = d->version;
            }
            g->pid[host] = 1000 + rng_below(&g->rng, 30000);
            if (at > 1) {
                app_line(g, host, at, "INFO", "com.shop.Application", "Shutting down: received SIGTERM");
            }
            snprintf(msg, sizeof msg, "Starting shop-web version %s on web-%u with PID %u", g->version[host], host + 1, g->pid[host]);
            app_line(g, host, at + 0.002, "INFO", "com.shop.Application", msg);
            snprintf(msg, sizeof msg, "Started shop-web in %u.%03u seconds", 7 + rng_below(&g->rng, 4), rng_below(&g->rng, 1000));
            app_line(g, host, at + 0.005, "INFO", "com.shop.Application", msg);
        }
    }
}

/* Background of the application log: housekeeping, and the leak's quiet warnings. */
static void app_background(struct gen *g, unsigned minute)
{
    char msg[200];
    double hour = minute / 60.0;
    if (!g->app) {
        return;
    }
    for (unsigned host = 0; host < HOSTS; host++) {
        double at = hour + (0.1 + 0.2 * host) / 60.0;
        if (minute % 10 == host) {
            snprintf(msg, sizeof msg, "Price cache refreshed: %u entries in %u ms", 4000 + rng_below(&g->rng, 500), 20 + rng_below(&g->rng, 60));
            app_line(g, host, at, "INFO", "com.shop.price.PriceCache", msg);
        }
        if (rng_chance(&g->rng, 0.01)) {
            snprintf(msg, sizeof msg, "Slow query: %u ms for select from orders where customer_id = %u", 1000 + rng_below(&g->rng, 3000),
                     rng_below(&g->rng, CLIENTS));
            app_line(g, host, at + 0.001, "WARN", "com.shop.db.Pool", msg);
        }
        double leak = leak_level(g, hour);
        if (leak > 0 && rng_chance(&g->rng, 0.01 + 0.25 * leak)) {
            snprintf(msg, sizeof msg, "Session store evicted %u entries before expiry", 1 + rng_below(&g->rng, 1 + (unsigned)(40 * leak)));
            app_line(g, host, at + 0.002, "WARN", "com.shop.session.SessionStore", msg);
        }
    }
}

static void one_request(struct gen *g, double hour)
{
    unsigned host = rng_below(&g->rng, HOSTS);
    unsigned client = pick(g, g->client_cum, CLIENTS);
    const struct route *r = &g->routes[pick(g, g->route_cum, g->n_routes)];
    char ip[32], user[16] = "-";
    print_client(ip, client);
    if (r->session && !g->week) {
        snprintf(user, sizeof user, "u%u", client);
    }
    struct response x = respond(g, r, hour, host);
    access_line(g, host, GEN_START_S + (int64_t)(hour * 3600), ip, user, r, x);
    app_of_request(g, host, hour, r, x);
}

static void flood(struct gen *g, unsigned minute)
{
    static const struct route export = {"GET", "/search", 0.9, false, 0};
    double hour = minute / 60.0;
    if (g->sc->failure != FAIL_CLIENT || hour < g->sc->fail_h) {
        return;
    }
    for (unsigned i = 0; i < 12; i++) {
        unsigned host = rng_below(&g->rng, HOSTS);
        struct response x = {rng_chance(&g->rng, 0.8) ? 503 : 200, 0.9 * exp(0.3 * rng_normal(&g->rng)), 400};
        access_line(g, host, GEN_START_S + (int64_t)minute * 60 + 5 * i, "203.0.113.66", "-", &export, x);
    }
}

static int compare_seconds(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void generate(struct gen *g)
{
    unsigned minutes = (unsigned)(g->days * 1440);
    double sum = 0, *at = NULL;
    size_t cap = 0;
    for (unsigned m = 0; m < minutes; m++) {
        sum += traffic_weight(m / 60.0);
    }
    for (unsigned m = 0; m < minutes; m++) {
        uint32_t n = rng_poisson(&g->rng, (double)g->lines * traffic_weight(m / 60.0) / sum);
        if (n > cap) {
            cap = 2 * (size_t)n;
            at = realloc(at, cap * sizeof *at);
            if (at == NULL) {
                abort();
            }
        }
        for (uint32_t i = 0; i < n; i++) {
            at[i] = (m + rng_unit(&g->rng)) / 60.0;
        }
        if (n > 0) {
            qsort(at, n, sizeof *at, compare_seconds);
        }
        deploys(g, m / 60.0, (m + 1) / 60.0);
        app_background(g, m);
        for (uint32_t i = 0; i < n; i++) {
            one_request(g, at[i]);
        }
        flood(g, m);
    }
    free(at);
}

static FILE *create(const char *dir, unsigned host, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/web-%u", dir, host + 1);
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "lqgen: cannot create %s: %s\n", path, strerror(errno));
        exit(3);
    }
    snprintf(path, sizeof path, "%s/web-%u/%s", dir, host + 1, name);
    FILE *f = fopen(path, "w");
    if (f == NULL) {
        fprintf(stderr, "lqgen: cannot write %s: %s\n", path, strerror(errno));
        exit(3);
    }
    setvbuf(f, NULL, _IOFBF, 1 << 20);
    return f;
}

static void usage(FILE *f)
{
    fputs("usage: lqgen --scenario NAME [--lines N] [--days D] [--seed S] [--no-app] [--one-file] DIR\n\nscenarios:\n", f);
    for (unsigned i = 0; i < n_scenarios; i++) {
        fprintf(f, "  %-12s %s\n", scenarios[i].name, scenarios[i].text);
    }
}

int main(int argc, char **argv)
{
    static struct gen g;
    const char *dir = NULL, *name = "story";
    g.rng.s = 1;
    g.app = true;
    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--help") == 0) {
            usage(stdout);
            return 0;
        } else if (strcmp(argv[i], "--no-app") == 0) {
            g.app = false;
        } else if (strcmp(argv[i], "--one-file") == 0) {
            g.one_file = true;
        } else if (has_value && strcmp(argv[i], "--scenario") == 0) {
            name = argv[++i];
        } else if (has_value && strcmp(argv[i], "--lines") == 0) {
            g.lines = strtoull(argv[++i], NULL, 10);
        } else if (has_value && strcmp(argv[i], "--days") == 0) {
            g.days = strtod(argv[++i], NULL);
        } else if (has_value && strcmp(argv[i], "--seed") == 0) {
            g.rng.s = strtoull(argv[++i], NULL, 10);
        } else if (argv[i][0] != '-') {
            dir = argv[i];
        } else {
            usage(stderr);
            return 2;
        }
    }
    for (unsigned i = 0; i < n_scenarios; i++) {
        if (strcmp(scenarios[i].name, name) == 0) {
            g.sc = &scenarios[i];
        }
    }
    if (dir == NULL || g.sc == NULL) {
        usage(stderr);
        return 2;
    }
    g.week = strcmp(name, "week") == 0;
    g.app = g.app && !g.week;
    g.lines = g.lines > 0 ? g.lines : g.sc->lines;
    g.days = g.days > 0 ? g.days : g.sc->days;
    if (mkdir(dir, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "lqgen: cannot create %s: %s\n", dir, strerror(errno));
        return 3;
    }
    for (unsigned h = 0; h < HOSTS; h++) {
        g.version[h] = "2.4.0";
        g.access[h] = g.one_file && h > 0 ? g.access[0] : create(dir, h, "access.log");
        g.applog[h] = g.app ? create(dir, h, "app.log") : NULL;
    }
    setup_routes(&g);
    generate(&g);
    int failed = 0;
    for (unsigned h = 0; h < HOSTS; h++) {
        failed |= (h == 0 || !g.one_file) && fclose(g.access[h]) != 0;
        failed |= g.applog[h] != NULL && fclose(g.applog[h]) != 0;
    }
    if (failed) {
        fprintf(stderr, "lqgen: cannot write to %s: %s\n", dir, strerror(errno));
        return 3;
    }
    fprintf(stderr, "lqgen: %s: %llu access lines\n", name, (unsigned long long)g.written);
    return 0;
}
