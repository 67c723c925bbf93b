/*
 * lqd.c - the daemon's program: its flags (CLI.md), and what it is put together from: the daemon, and the HTTP side of query/
 *
 * SPDX-License-Identifier: MIT
 */
#include <ev.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ingest/log.h"
#include "ingest/lqd_push.h"
#include "ingest/metrics.h"
#include "query/http/ask.h"
#include "query/http/server.h"

/* Where there is not enough for both, questions wait for logs: everything that serves HTTP has this niceness, a thirtieth of the weight of what takes lines. */
enum { STATUS_DONE = 0, STATUS_USAGE = 2, HTTP_NICE = 15 };

/* ---- HTTP ---- */

struct web {
    struct daemon *daemon;
    struct http_server *server;
    struct ask ask;
    struct pressure pressure;
    struct timezone_rules *tz; /* its own, as the texts: a reload frees those of the configuration */
    struct lq_arena mem;
    struct http_route own[3];
    struct ev_loop *loop; /* of a thread of its own: bytes of answers, too, wait for lines */
    ev_async end;
    pthread_t thread;
};

static enum lq_err get_metrics(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    struct web *w = ctx;
    struct lq_buf text = {0};
    struct http_server_counts c = http_server_counts(w->server);
    (void)r;
    (void)e;
    metrics_print(w->daemon, &text);
    const struct {
        const char *name, *type, *help;
        uint64_t n;
    } rows[] = {{"requests_total", "counter", "requests", c.requests}, {"rejected_total", "counter", "of them, refused: address, token, size, rate, load", c.rejected},
                {"failed_total", "counter", "answers with a status of 500 and over", c.failed}, {"stopped_total", "counter", "given up: the client went away, or the time was over", c.stopped},
                {"kept_total", "counter", "answers given again while nothing was new", c.kept},
                {"paced_total", "counter", "questions that were held because the loops had all they can do", c.paced},
                {"connections", "gauge", "open connections", c.connections}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        lq_buf_printf(&text, "# HELP lqd_http_%s %s\n# TYPE lqd_http_%s %s\nlqd_http_%s %llu\n", rows[i].name, rows[i].help, rows[i].name, rows[i].type, rows[i].name,
                      (unsigned long long)rows[i].n);
    }
    lq_buf_printf(&text, "# HELP lqd_http_paced_seconds_total how long they were held, together\n# TYPE lqd_http_paced_seconds_total counter\nlqd_http_paced_seconds_total %.6f\n",
                  (double)c.paced_us / 1e6);
    o->type = "text/plain; version=0.0.4";
    fwrite(text.p, 1, text.n, o->out);
    lq_buf_fini(&text);
    return LQ_OK;
}

/* Ready: the store takes commits. */
static enum lq_err get_ready(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct web *w = ctx;
    struct flusher_stats s;
    (void)r;
    (void)e;
    flusher_stats(w->daemon->flusher, &s);
    o->status = s.failing ? 503 : 200;
    fputs(s.failing ? "{\"ready\":false,\"reason\":\"commits fail\"}\n" : "{\"ready\":true}\n", o->out);
    return LQ_OK;
}

/* Lines wait to be read while the loops do not keep up: questions are paced. */
static bool pressed(void *ctx)
{
    struct web *w = ctx;
    return pressure_look(&w->pressure, w->daemon->env.loops, w->daemon->env.n_loops, clock_monotonic_us());
}

static void *serve(void *arg)
{
    struct web *w = arg;
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), getpriority(PRIO_PROCESS, 0) + HTTP_NICE); /* Linux: of this thread alone */
    ev_run(w->loop, 0);
    return NULL;
}

static void on_end(struct ev_loop *loop, ev_async *a, int events)
{
    (void)a;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static enum lq_err web_start(struct daemon *d, void *ctx, struct lq_error *e)
{
    struct web *w = ctx;
    const struct config *c = d->config;
    char host[256], port[8];
    if (c->http == NULL || strcmp(c->http, "off") == 0) {
        return LQ_OK;
    }
    LQ_ASSERT(listen_split(c->http, host, port));
    enum lq_err err = timezone_load(c->tz_name, &w->tz, e);
    if (err != LQ_OK) {
        return err;
    }
    w->daemon = d;
    w->ask = (struct ask){.store = d->store, .tz = w->tz, .writable = true, .wall_clock = true};
    w->own[0] = (struct http_route){HTTP_GET, "/metrics", HTTP_READ, get_metrics, "counters of lqd for Prometheus"};
    w->own[1] = (struct http_route){HTTP_GET, "/readyz", HTTP_OPEN, get_ready, "the store takes commits"};
    struct http_server_options o = {.address = host, .port = (uint16_t)strtoul(port, NULL, 10), .tls_cert = c->http_tls_cert, .tls_key = c->http_tls_key,
                                    .token_file = c->http_tokens, .cors_origin = c->http_cors_origin != NULL ? lq_arena_strdup(&w->mem, lq_str_of(c->http_cors_origin)) : NULL, .rate_max = c->http_rate_max, .time_ms = (unsigned)(c->http_time_us / 1000), .nice = HTTP_NICE,
                                    .pressed = pressed, .pressed_ctx = w};
    o.tables[0] = (struct http_route_table){.routes = w->own, .ctx = w, .first = true};
    o.tables[1] = (struct http_route_table){.routes = push_routes, .ctx = d};
    o.n_tables = 2;
    ask_tables(&w->ask, &o);
    w->loop = ev_loop_new(EVFLAG_AUTO);
    LQ_ASSERT(w->loop != NULL);
    err = http_server_start(w->loop, &o, &w->server, e);
    if (err != LQ_OK) {
        ev_loop_destroy(w->loop);
    } else {
        ev_async_init(&w->end, on_end);
        ev_async_start(w->loop, &w->end);
        LQ_ASSERT(pthread_create(&w->thread, NULL, serve, w) == 0);
        log_say(LOG_NOTE, "http listens on %s:%u", host, http_server_port(w->server));
    }
    return err;
}

static void web_stop(struct daemon *d, void *ctx)
{
    struct web *w = ctx;
    (void)d;
    if (w->server != NULL) {
        ev_async_send(w->loop, &w->end);
        pthread_join(w->thread, NULL);
        http_server_stop(&w->server);
        ev_async_stop(w->loop, &w->end);
        ev_loop_destroy(w->loop);
    }
    timezone_free(&w->tz);
    lq_arena_fini(&w->mem);
}

/* ---- flags ---- */

static const struct flag { /* --help and the manual page say what is here */
    const char *name, *arg, *text;
} flags[] = {
    {"-c", "FILE", "configuration (YAML); lqd.yaml among the installed files has the keys"},
    {"--data", "DIR", "the store (else the configuration's data:, $LQ_DATA, $XDG_STATE_HOME/lq, ~/.local/state/lq)"},
    {"--formats", "DIR", "format files of your own, besides the shipped ones"},
    {"--check", NULL, "check the configuration and the formats, then exit"},
    {"--once", NULL, "until standard input ends; commits and exits (without -c: only standard input is read)"},
    {"--version", NULL, "version and build facts"},
    {"--help", NULL, "this text"},
};
enum { FLAGS = sizeof flags / sizeof flags[0] };
static const char purpose[] = "Takes logs by syslog (UDP, TCP, TLS), RELP, TCP lines, HTTP, Unix sockets, from files and standard input into the store.\n"
                              "Without -c it listens on loopback only and says on what.\n";
static const char signals[] = "SIGHUP reads the configuration again and keeps connections; SIGTERM commits everything and exits.\n";

static void help(void)
{
    printf("usage: lqd [-c FILE] [--data DIR] [--formats DIR] [--check] [--once]\n\n%s\n", purpose);
    for (size_t i = 0; i < FLAGS; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s %s", flags[i].name, flags[i].arg != NULL ? flags[i].arg : "");
        printf("  %-14s %s\n", name, flags[i].text);
    }
    printf("\n%s", signals);
}

/* lqd --man: lqd.8, made when lqd is built */
static void man(void)
{
    printf(".TH LQD 8 \"\" \"lq " LQ_VERSION "\" \"System Administration\"\n.SH NAME\nlqd \\- takes logs into the store of lq\n"
           ".SH SYNOPSIS\n.B lqd\n[\\-c FILE] [\\-\\-data DIR] [\\-\\-formats DIR] [\\-\\-check] [\\-\\-once]\n.SH DESCRIPTION\n%s.SH OPTIONS\n", purpose);
    for (size_t i = 0; i < FLAGS; i++) {
        const char *name = flags[i].name;
        printf(".TP\n.B ");
        for (; *name != '\0'; name++) {
            fputs(*name == '-' ? "\\" : "", stdout);
            putchar(*name);
        }
        printf("%s%s\n%s\n", flags[i].arg != NULL ? " " : "", flags[i].arg != NULL ? flags[i].arg : "", flags[i].text);
    }
    printf(".SH SIGNALS\n%s.SH EXIT STATUS\n0 done, 2 a wrong command line or configuration, 3 it failed.\n"
           ".SH FILES\n/etc/lq/lqd.yaml (a configuration to begin with), /var/lib/lq (the store of the service)\n.SH SEE ALSO\n.BR lq (1)\n", signals);
}

static int usage(const char *what, const char *arg)
{
    const char *names[FLAGS];
    struct lq_error e;
    for (size_t i = 0; i < FLAGS; i++) {
        names[i] = flags[i].name;
    }
    const char *near = lq_nearest(arg, strlen(arg), names, FLAGS);
    lq_error_set(&e, LQ_EINVAL, "%s %s", what, arg);
    if (near != NULL && strcmp(near, arg) != 0) {
        lq_error_hint(&e, "did you mean %s?", near);
    } else {
        lq_error_hint(&e, "lqd --help shows the flags");
    }
    lq_error_print(stderr, "lqd", &e);
    return STATUS_USAGE;
}

int main(int argc, char **argv)
{
    char data[4096];
    struct web web = {0};
    struct daemon_options o = {.default_data = data, .serve = web_start, .serve_end = web_stop, .ctx = &web};
    bool check = false;
    store_default_dir(data, sizeof data);
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        const char **value = strcmp(a, "-c") == 0 ? &o.config_file : strcmp(a, "--data") == 0 ? &o.data : strcmp(a, "--formats") == 0 ? &o.formats_dir : NULL;
        if (value != NULL && i + 1 == argc) {
            return usage("a value is missing behind", a);
        }
        if (value != NULL) {
            *value = argv[++i];
        } else if (strcmp(a, "--check") == 0) {
            check = true;
        } else if (strcmp(a, "--once") == 0) {
            o.once = true;
        } else if (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0) {
            help();
            return STATUS_DONE;
        } else if (strcmp(a, "--man") == 0) {
            man();
            return STATUS_DONE;
        } else if (strcmp(a, "--version") == 0) {
            printf("lqd %s (store format %d, %s)\n", LQ_VERSION, STORE_FORMAT_VERSION, __VERSION__);
            return STATUS_DONE;
        } else {
            return usage("unknown flag", a);
        }
    }
    return check ? daemon_check(&o) : daemon_run(&o);
}
