/*
 * server.h - the HTTP server: libmicrohttpd driven by a libev loop, handlers on worker threads
 *
 * The loop only moves bytes. A complete request becomes a job: its connection is suspended, a worker runs the handler, and the connection is
 * resumed with the answer. A slow query therefore delays neither ingest nor other connections. At most `jobs_max` jobs wait; over that the answer is
 * 503 with Retry-After. A request has `time_ms` of time; a client that goes away stops its handler.
 *
 * Answers carry what a browser needs to be safe: nosniff, a strict Content-Security-Policy, no referrer, and (only for the origins configured) CORS headers.
 * Bodies over 1 KiB are gzipped when the client takes it. Errors are JSON.
 *
 * Tokens: a file of lines `TOKEN SCOPE[,SCOPE]` (read, write, admin). With tokens, a request needs `Authorization: Bearer TOKEN`, or Basic with the token as the
 * password (Grafana). Without, everything is allowed - and the server refuses to listen on anything but loopback.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_HTTP_SERVER_H
#define LQ_HTTP_SERVER_H

#include "query/http/http.h"

struct ev_loop;
struct http_server;

enum { HTTP_TABLES_MAX = 16, HTTP_TOKENS_MAX = 256 };
struct http_route_table {
    const struct http_route *routes; /* ends with path NULL */
    void *ctx;                       /* handed to its handlers */
    bool first;                      /* its requests are short and are taken before all that wait, as are those that need no token (health, the page) */
    bool keep;                       /* answers to HTTP_READ depend on the store, the request and the clock only: kept.h */
};
struct http_server_options {
    const char *address; /* IPv4, IPv6 or "localhost"; NULL = 127.0.0.1 */
    uint16_t port;       /* 0 = any free one: http_server_port */
    const char *tls_cert, *tls_key; /* PEM files; NULL = plain HTTP */
    const char *token_file;         /* NULL = no tokens */
    const char *cors_origin;        /* NULL = none; "*" or one origin */
    unsigned connections_max, per_address_max, idle_s, threads, jobs_max, time_ms; /* 0: 1024, 512, 60, 2, 128, 60,000 */
    int nice;                                                                     /* added to the workers' niceness: what shares the machine comes first */
    size_t body_bytes_max, bodies_bytes_max; /* of one body, plain or unzipped; of all being received. 0: 8 MiB, eight times that */
    uint64_t (*version)(const void *ctx); /* of what the answers of tables with `keep` depend on; NULL = none is kept */
    const void *version_ctx;
    bool (*pressed)(void *ctx); /* something more urgent has all it can do: questions are paced (pace.h). One thread at a time; NULL = never */
    void *pressed_ctx;
    int64_t keep_us; /* how old a kept answer may be at most */
    unsigned rate_max;                       /* requests a second from one address (its burst: two seconds of them), but for loopback; 0 = any number */
    FILE *log;                                                                    /* request log, one line each; NULL = none */
    uint32_t n_tables;
    struct http_route_table tables[HTTP_TABLES_MAX];
};
LQ_MUST enum lq_err http_server_start(struct ev_loop *loop, const struct http_server_options *o, struct http_server **out, struct lq_error *e);
uint16_t http_server_port(const struct http_server *s);
/* Stops listening, waits for the jobs under way (they are told to stop), frees everything. On the loop's thread. */
void http_server_stop(struct http_server **s);

/* A loop of its own until SIGINT or SIGTERM; ready() is told the port. */
LQ_MUST enum lq_err http_server_run(const struct http_server_options *o, void (*ready)(void *ctx, uint16_t port), void *ctx, struct lq_error *e);

/* For /metrics. */
struct http_server_counts {
    uint64_t requests, rejected, failed, stopped, connections, kept, paced, paced_us;
};
struct http_server_counts http_server_counts(const struct http_server *s);

bool http_job_stopped(struct http_job *j);

/* auth.c: tokens of a file, and what a request's Authorization header is worth. */
struct http_tokens {
    uint32_t n;
    struct {
        char token[HTTP_TOKEN_BYTES_MAX];
        unsigned scopes;
    } t[HTTP_TOKENS_MAX];
};
LQ_MUST enum lq_err http_tokens_load(const char *path, struct http_tokens *out, struct lq_error *e);
/* Scopes of "Bearer …" or "Basic …"; 0 when there is none or it is wrong. Compares in constant time. */
unsigned http_tokens_scopes(const struct http_tokens *t, const char *authorization);

#endif
