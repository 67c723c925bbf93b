/*
 * server.c - bytes, connections, jobs and workers (server.h)
 *
 * A connection's life: uri() makes the job; on_access() collects the body, then admits the request - refused at once, or queued with its connection suspended;
 * a worker runs it and resumes the connection; on_access() is called again and sends the answer; on_completed() frees the job. Jobs belong to the loop's
 * thread except while QUEUED or RUNNING.
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "query/http/server_int.h"
#include "schema/timefmt.h"

struct http_job {
    struct http_server *server;
    struct MHD_Connection *connection;
    struct http_request request;
    struct http_response response;
    struct lq_arena mem;
    struct lq_buf body;
    const char *uri, *method;
    const struct http_route *route;
    void *ctx;
    enum { JOB_NEW, JOB_COLLECTING, JOB_QUEUED, JOB_DONE } state;
    int64_t start_us, deadline_us, looked_us;
    int fd;
    bool too_large, gone;
    struct http_job *next;
};

struct http_server {
    struct http_server_options o;
    struct http_tokens *tokens;
    struct MHD_Daemon *daemon;
    struct ev_loop *loop;
    ev_io io;
    ev_timer timer;
    ev_async wake;
    char *key_pem, *cert_pem;
    pthread_t *workers;
    unsigned n_workers;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct http_job *head, **tail; /* waiting */
    unsigned waiting, running;
    bool ending;
    atomic_bool stop_all;
    atomic_uint_fast64_t requests, rejected, failed, stopped, connections;
};

/* ---- workers ---- */

/* Asked often: looks at the clock and the socket at most every 20 ms. */
bool http_job_stopped(struct http_job *j)
{
    int64_t now = clock_monotonic_us();
    char byte;
    if (j->gone || atomic_load(&j->server->stop_all)) {
        return true;
    }
    if (now - j->looked_us < 20000) {
        return false;
    }
    j->looked_us = now;
    ssize_t n = recv(j->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    j->gone = now > j->deadline_us || n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
    return j->gone;
}

static void run_job(struct http_job *j)
{
    struct lq_error e = {0};
    enum lq_err err = j->route->run(j->ctx, &j->request, &j->response, &e);
    if (j->gone) {
        atomic_fetch_add(&j->server->stopped, 1);
        if (clock_monotonic_us() > j->deadline_us) {
            lq_error_set(&e, LQ_ELIMIT, "the request took longer than %u s", j->server->o.time_ms / 1000);
            lq_error_hint(&e, "ask for a shorter range, longer steps or fewer series");
            err = LQ_ELIMIT;
        }
    }
    if (err != LQ_OK) {
        e.code = err;
        http_fail(&j->response, &e);
    }
}

static void *work(void *arg)
{
    struct http_server *s = arg;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (s->head == NULL && !s->ending) {
            pthread_cond_wait(&s->more, &s->lock);
        }
        struct http_job *j = s->head;
        if (j == NULL) {
            break;
        }
        s->head = j->next;
        s->tail = s->head == NULL ? &s->head : s->tail;
        s->waiting--;
        s->running++;
        pthread_mutex_unlock(&s->lock);
        run_job(j);
        pthread_mutex_lock(&s->lock);
        s->running--;
        j->state = JOB_DONE;
        MHD_resume_connection(j->connection);
        ev_async_send(s->loop, &s->wake);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static bool enqueue(struct http_server *s, struct http_job *j)
{
    bool room;
    pthread_mutex_lock(&s->lock);
    room = s->waiting < s->o.jobs_max;
    if (room) {
        j->state = JOB_QUEUED;
        MHD_suspend_connection(j->connection);
        j->next = NULL;
        *s->tail = j;
        s->tail = &j->next;
        s->waiting++;
        pthread_cond_signal(&s->more);
    }
    pthread_mutex_unlock(&s->lock);
    return room;
}

/* ---- a request ---- */

static void refuse(struct http_job *j, int status, const char *code, const char *message)
{
    j->response.status = status;
    j->response.type = "application/json";
    http_response_clear(&j->response);
    fprintf(j->response.out, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}\n", code, message);
    atomic_fetch_add(&j->server->rejected, 1);
}

static void add_header(struct MHD_Response *r, const char *name, const char *value)
{
    if (MHD_add_response_header(r, name, value) != MHD_YES) {
        abort(); /* only out of memory */
    }
}

static void safety_headers(struct http_job *j, struct MHD_Response *r)
{
    const char *origin = http__header(j->connection, "Origin"), *allowed = j->server->o.cors_origin;
    add_header(r, "X-Content-Type-Options", "nosniff");
    add_header(r, "Referrer-Policy", "no-referrer");
    add_header(r, "Content-Security-Policy",
               "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'");
    add_header(r, "Cache-Control", j->response.cacheable ? "public, max-age=31536000, immutable" : "no-store");
    if (origin != NULL && allowed != NULL && (strcmp(allowed, "*") == 0 || strcmp(allowed, origin) == 0)) {
        add_header(r, "Access-Control-Allow-Origin", allowed);
        add_header(r, "Access-Control-Allow-Headers", "accept, authorization, content-type");
        add_header(r, "Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE, OPTIONS");
        add_header(r, "Access-Control-Max-Age", "600");
        add_header(r, "Vary", "Origin");
    }
}

static void log_request(const struct http_job *j, int status, size_t bytes)
{
    if (j->server->o.log != NULL) {
        char path[512];
        size_t n = strcspn(j->uri, "?");
        snprintf(path, sizeof path, "%.*s", (int)(n < 400 ? n : 400), j->uri);
        for (char *p = path; *p != '\0'; p++) {
            *p = (unsigned char)*p < 0x21 || (unsigned char)*p > 0x7e ? '~' : *p;
        }
        fprintf(j->server->o.log, "http: %s %s %d %zu bytes %.1f ms\n", j->method, path, status, bytes, (double)(clock_monotonic_us() - j->start_us) / 1000);
    }
}

static enum MHD_Result answer(struct http_job *j)
{
    struct http_response *o = &j->response;
    const char *accept = http__header(j->connection, "Accept-Encoding");
    int status = o->status != 0 ? o->status : 200;
    LQ_ASSERT(fclose(o->out) == 0); /* in memory: fails only without memory */
    o->out = NULL;
    bool zipped = o->n > 1024 && accept != NULL && strstr(accept, "gzip") != NULL && http__gzip(&o->body, &o->n);
    size_t n = o->n;
    struct MHD_Response *r = MHD_create_response_from_buffer(n, o->body, MHD_RESPMEM_MUST_FREE);
    if (r == NULL) {
        return MHD_NO;
    }
    o->body = NULL; /* the response owns it */
    add_header(r, "Content-Type", o->type != NULL ? o->type : "application/json");
    if (zipped) {
        add_header(r, "Content-Encoding", "gzip");
    }
    for (uint32_t i = 0; i < o->n_headers; i++) {
        add_header(r, o->headers[i].name, o->headers[i].value);
    }
    safety_headers(j, r);
    if (status >= 500) {
        atomic_fetch_add(&j->server->failed, 1);
    }
    enum MHD_Result done = MHD_queue_response(j->connection, (unsigned)status, r);
    MHD_destroy_response(r);
    log_request(j, status, n);
    return done;
}

static bool route_fits(const struct http_route *r, lq_str path, lq_str *tail)
{
    size_t n = strlen(r->path);
    if (n >= 2 && r->path[n - 1] == '*') {
        bool below = path.n >= n - 1 && memcmp(path.p, r->path, n - 1) == 0;
        if (below) {
            *tail = (lq_str){path.p + n - 1, path.n - (n - 1)};
        }
        return below;
    }
    return path.n == n && memcmp(path.p, r->path, n) == 0;
}

/* The route; NULL with *allowed = the methods of the path, 0 when there is no such path. */
static const struct http_route *find_route(struct http_server *s, struct http_job *j, unsigned method, unsigned *allowed)
{
    *allowed = 0;
    for (uint32_t t = 0; t < s->o.n_tables; t++) {
        for (const struct http_route *r = s->o.tables[t].routes; r->path != NULL; r++) {
            if (route_fits(r, j->request.path, &j->request.tail)) {
                *allowed |= r->methods;
                if ((r->methods & method) != 0) {
                    j->ctx = s->o.tables[t].ctx;
                    return r;
                }
            }
        }
    }
    return NULL;
}

static void methods_text(unsigned m, char out[64])
{
    snprintf(out, 64, "%s%s%s%sOPTIONS", (m & HTTP_GET) != 0 ? "GET, HEAD, " : "", (m & HTTP_POST) != 0 ? "POST, " : "", (m & HTTP_PUT) != 0 ? "PUT, " : "",
             (m & HTTP_DELETE) != 0 ? "DELETE, " : "");
}

/* 0, or the status of a refusal that was written. */
static int authorise(struct http_server *s, struct http_job *j)
{
    const char *host = http__header(j->connection, "Host"), *origin = http__header(j->connection, "Origin");
    if (j->route->scope == HTTP_OPEN) {
        return 0;
    }
    if (s->tokens != NULL) {
        unsigned scopes = http_tokens_scopes(s->tokens, http__header(j->connection, "Authorization"));
        if (scopes == 0) {
            refuse(j, 401, "unauthorized", "a token is needed: Authorization: Bearer TOKEN");
            http_header(&j->response, "WWW-Authenticate", "Bearer realm=\"lq\", Basic realm=\"lq\"");
            return 401;
        }
        if ((scopes & j->route->scope) == 0) {
            refuse(j, 403, "forbidden", "this token does not allow that");
            return 403;
        }
        return 0;
    }
    /* No tokens: only this machine asks, and no web page of somebody else's may ask through its browser. */
    if (!http__loopback_host(host)) {
        refuse(j, 403, "forbidden", "without tokens only localhost is answered");
        return 403;
    }
    if ((j->route->scope & (HTTP_WRITE | HTTP_ADMIN)) != 0 && origin != NULL && !http__same_origin(origin, host) &&
        (s->o.cors_origin == NULL || strcmp(s->o.cors_origin, origin) != 0)) {
        refuse(j, 403, "forbidden", "a page of another origin may not write");
        return 403;
    }
    return 0;
}

/* The request is complete. True: an answer is ready now; false: a worker has it. */
static bool admit(struct http_server *s, struct http_job *j)
{
    static const struct {
        const char *name;
        unsigned method;
    } methods[] = {{"GET", HTTP_GET}, {"HEAD", HTTP_GET}, {"POST", HTTP_POST}, {"PUT", HTTP_PUT}, {"DELETE", HTTP_DELETE}};
    struct http_request *r = &j->request;
    const char *query = strchr(j->uri, '?');
    lq_str path = {j->uri, query != NULL ? (size_t)(query - j->uri) : strlen(j->uri)};
    unsigned method = 0, allowed;
    char list[64];
    r->mem = &j->mem;
    r->job = j;
    if (j->too_large) {
        refuse(j, 413, "too_large", "the body is too large");
        return true;
    }
    if (path.n > HTTP_PATH_BYTES_MAX || !http_decode(path, false, &j->mem, &r->path) || (query != NULL && !http_params_parse(r, lq_str_of(query + 1)))) {
        refuse(j, path.n > HTTP_PATH_BYTES_MAX ? 414 : 400, "bad_request", "the address cannot be read");
        return true;
    }
    const char *type = http__header(j->connection, "Content-Type"), *encoding = http__header(j->connection, "Content-Encoding");
    r->content_type = lq_str_of(type != NULL ? type : "");
    if (encoding != NULL && strcmp(encoding, "gzip") == 0 && !http__gunzip(&j->body, s->o.body_bytes_max)) {
        refuse(j, 400, "bad_request", "the gzip body is damaged or too large");
        return true;
    }
    r->body = (lq_str){j->body.p, j->body.n};
    if (r->content_type.n >= 33 && memcmp(type, "application/x-www-form-urlencoded", 33) == 0 && !http_params_parse(r, r->body)) {
        refuse(j, 400, "bad_request", "the form cannot be read");
        return true;
    }
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        method = strcmp(methods[i].name, j->method) == 0 ? methods[i].method : method;
    }
    r->method = (enum http_method)method;
    j->route = find_route(s, j, method, &allowed);
    methods_text(allowed, list);
    if (strcmp(j->method, "OPTIONS") == 0 && allowed != 0) {
        j->response.status = 204;
        http_header(&j->response, "Allow", lq_arena_strdup(&j->mem, lq_str_of(list)));
        return true;
    }
    if (j->route == NULL) {
        refuse(j, allowed != 0 ? 405 : 404, allowed != 0 ? "method_not_allowed" : "not_found", allowed != 0 ? "not with this method" : "there is nothing at this address");
        if (allowed != 0) {
            http_header(&j->response, "Allow", lq_arena_strdup(&j->mem, lq_str_of(list)));
        }
        return true;
    }
    if (authorise(s, j) != 0) {
        return true;
    }
    j->deadline_us = clock_monotonic_us() + (int64_t)s->o.time_ms * 1000;
    if (!enqueue(s, j)) {
        refuse(j, 503, "busy", "too many requests wait already");
        http_header(&j->response, "Retry-After", "1");
        return true;
    }
    return false;
}

/* ---- libmicrohttpd ---- */

static void *on_uri(void *cls, const char *uri, struct MHD_Connection *c)
{
    struct http_job *j = lq_alloc(sizeof *j);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    j->server = cls;
    j->connection = c;
    j->uri = lq_arena_strdup(&j->mem, lq_str_of(uri));
    j->fd = info != NULL ? info->connect_fd : -1;
    j->start_us = clock_monotonic_us();
    http_response_init(&j->response);
    return j;
}

static enum MHD_Result on_access(void *cls, struct MHD_Connection *c, const char *url, const char *method, const char *version, const char *data, size_t *n,
                                 void **con_cls)
{
    struct http_server *s = cls;
    struct http_job *j = *con_cls;
    (void)url;
    (void)version;
    if (j->state == JOB_NEW) {
        const char *length = http__header(c, "Content-Length");
        j->state = JOB_COLLECTING;
        j->method = lq_arena_strdup(&j->mem, lq_str_of(method));
        atomic_fetch_add(&s->requests, 1);
        if (length != NULL && strtoull(length, NULL, 10) > s->o.body_bytes_max) {
            refuse(j, 413, "too_large", "the body is too large");
            return answer(j);
        }
        return MHD_YES;
    }
    if (*n > 0) {
        j->too_large = j->too_large || j->body.n + *n > s->o.body_bytes_max;
        if (!j->too_large) {
            lq_buf_add(&j->body, data, *n);
        }
        *n = 0;
        return MHD_YES;
    }
    if (j->state == JOB_COLLECTING && !admit(s, j)) {
        return MHD_YES;
    }
    return answer(j);
}

static void on_completed(void *cls, struct MHD_Connection *c, void **con_cls, enum MHD_RequestTerminationCode code)
{
    struct http_job *j = *con_cls;
    (void)cls;
    (void)c;
    (void)code;
    if (j != NULL) {
        lq_buf_fini(&j->body);
        http_response_fini(&j->response);
        lq_arena_fini(&j->mem);
        free(j);
        *con_cls = NULL;
    }
}

static void on_connection(void *cls, struct MHD_Connection *c, void **ctx, enum MHD_ConnectionNotificationCode code)
{
    struct http_server *s = cls;
    (void)c;
    (void)ctx;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        atomic_fetch_add(&s->connections, 1);
    } else {
        atomic_fetch_sub(&s->connections, 1);
    }
}

/* Paths and parameters are decoded in admit(), where a broken escape is refused; libmicrohttpd would cut at a NUL. */
static size_t keep_escapes(void *cls, struct MHD_Connection *c, char *text)
{
    (void)cls;
    (void)c;
    return strlen(text);
}

static void run_daemon(struct http_server *s)
{
    MHD_UNSIGNED_LONG_LONG ms;
    (void)MHD_run(s->daemon);
    ev_timer_stop(s->loop, &s->timer);
    if (MHD_get_timeout(s->daemon, &ms) == MHD_YES) {
        ev_timer_set(&s->timer, (double)ms / 1000, 0.);
        ev_timer_start(s->loop, &s->timer);
    }
}

static void on_io(struct ev_loop *loop, ev_io *w, int events)
{
    (void)loop;
    (void)events;
    run_daemon(w->data);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)loop;
    (void)events;
    run_daemon(w->data);
}

static void on_wake(struct ev_loop *loop, ev_async *w, int events)
{
    (void)loop;
    (void)events;
    run_daemon(w->data);
}

/* ---- start and stop ---- */

static void defaults(struct http_server_options *o)
{
    o->connections_max = o->connections_max > 0 ? o->connections_max : 1024;
    o->per_address_max = o->per_address_max > 0 ? o->per_address_max : 512;
    o->idle_s = o->idle_s > 0 ? o->idle_s : 60;
    o->threads = o->threads > 0 ? o->threads : 2;
    o->jobs_max = o->jobs_max > 0 ? o->jobs_max : 64;
    o->time_ms = o->time_ms > 0 ? o->time_ms : 60000;
    o->body_bytes_max = o->body_bytes_max > 0 ? o->body_bytes_max : 8u << 20;
}

static enum lq_err start_daemon(struct http_server *s, struct lq_error *e)
{
    const struct http_server_options *o = &s->o;
    struct sockaddr_storage at;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
    bool loopback;
    enum lq_err err = http__address(o->address, o->port, &at, &loopback, e);
    if (err == LQ_OK && !loopback && s->tokens == NULL) {
        lq_error_set(e, LQ_EINVAL, "will not serve %s without tokens", o->address);
        lq_error_hint(e, "give a token file, or listen on 127.0.0.1");
        return LQ_EINVAL;
    }
    if (err == LQ_OK && o->tls_cert != NULL) {
        flags |= MHD_USE_TLS;
        err = http__read_file(o->tls_cert, &s->cert_pem, e);
        if (err == LQ_OK) {
            err = http__read_file(o->tls_key != NULL ? o->tls_key : o->tls_cert, &s->key_pem, e);
        }
    }
    if (err != LQ_OK) {
        return err;
    }
    flags |= at.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0;
    struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, s->cert_pem}, {MHD_OPTION_HTTPS_MEM_KEY, 0, s->key_pem}, {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    s->daemon = MHD_start_daemon(flags, o->port, NULL, NULL, on_access, s, MHD_OPTION_URI_LOG_CALLBACK, on_uri, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
                                 MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, s, MHD_OPTION_SOCK_ADDR, &at,
                                 MHD_OPTION_CONNECTION_LIMIT, o->connections_max, MHD_OPTION_PER_IP_CONNECTION_LIMIT, o->per_address_max,
                                 MHD_OPTION_CONNECTION_TIMEOUT, o->idle_s, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_ARRAY,
                                 o->tls_cert != NULL ? tls : none, MHD_OPTION_END);
    if (s->daemon == NULL) {
        lq_error_set(e, LQ_EIO, "cannot serve HTTP on %s port %u: %s", o->address != NULL ? o->address : "127.0.0.1", o->port,
                     o->tls_cert != NULL && errno == 0 ? "the certificate or its key is not usable" : strerror(errno));
        return LQ_EIO;
    }
    return LQ_OK;
}

enum lq_err http_server_start(struct ev_loop *loop, const struct http_server_options *o, struct http_server **out, struct lq_error *e)
{
    struct http_server *s = lq_alloc(sizeof *s);
    enum lq_err err = LQ_OK;
    s->o = *o;
    s->loop = loop;
    s->tail = &s->head;
    defaults(&s->o);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->more, NULL);
    if (o->token_file != NULL) {
        s->tokens = lq_alloc(sizeof *s->tokens);
        err = http_tokens_load(o->token_file, s->tokens, e);
    }
    errno = 0;
    if (err == LQ_OK) {
        err = start_daemon(s, e);
    }
    if (err != LQ_OK) {
        http_server_stop(&s);
        return err;
    }
    ev_io_init(&s->io, on_io, MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, EV_READ);
    ev_init(&s->timer, on_timer);
    ev_async_init(&s->wake, on_wake);
    s->io.data = s->timer.data = s->wake.data = s;
    ev_io_start(loop, &s->io);
    ev_async_start(loop, &s->wake);
    s->workers = lq_alloc(s->o.threads * sizeof *s->workers);
    for (; s->n_workers < s->o.threads; s->n_workers++) {
        LQ_ASSERT(pthread_create(&s->workers[s->n_workers], NULL, work, s) == 0);
    }
    run_daemon(s);
    *out = s;
    return LQ_OK;
}

uint16_t http_server_port(const struct http_server *s)
{
    return MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

void http_server_stop(struct http_server **ps)
{
    struct http_server *s = *ps;
    if (s == NULL) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    s->ending = true;
    atomic_store(&s->stop_all, true);
    pthread_cond_broadcast(&s->more);
    pthread_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < s->n_workers; i++) {
        pthread_join(s->workers[i], NULL);
    }
    if (s->daemon != NULL) {
        if (s->n_workers > 0) {
            ev_io_stop(s->loop, &s->io);
            ev_timer_stop(s->loop, &s->timer);
            ev_async_stop(s->loop, &s->wake);
        }
        (void)MHD_run(s->daemon); /* resumed connections get their answers */
        MHD_stop_daemon(s->daemon);
    }
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->more);
    free(s->workers);
    free(s->tokens);
    free(s->cert_pem);
    free(s->key_pem);
    free(s);
    *ps = NULL;
}

struct http_server_counts http_server_counts(const struct http_server *s)
{
    return (struct http_server_counts){.requests = atomic_load(&s->requests), .rejected = atomic_load(&s->rejected), .failed = atomic_load(&s->failed),
                                       .stopped = atomic_load(&s->stopped), .connections = atomic_load(&s->connections)};
}
