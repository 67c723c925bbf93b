/*
 * server.c - bytes, connections, jobs and workers (server.h)
 *
 * A connection's life: on_uri() makes the job; on_access() has it screened when its headers are there, collects the body, then queues it and suspends the
 * connection; a worker runs it and resumes the connection, or whoever was left with a deferred answer does; on_access() is called again and sends the answer;
 * on_completed() frees the job. Jobs belong to the loop's thread except while QUEUED.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "query/http/server_int.h"
#include "schema/timefmt.h"

enum { DRAIN_BYTES_MAX = 64 << 20, KEY_BODY_BYTES_MAX = 64 << 10 };

/* ---- workers ---- */

/* Asked often: looks at the socket at most every 20 ms. */
bool http_job_stopped(struct http_job *j)
{
    int64_t now = clock_monotonic_us();
    if (!j->gone && (atomic_load(&j->server->stop_all) || now > j->deadline_us)) {
        j->gone = true;
    }
    if (j->gone) {
        return true;
    }
    if (now - j->looked_us < 20000) {
        return false;
    }
    j->looked_us = now;
    struct pollfd p = {.fd = j->fd, .events = POLLRDHUP}; /* whatever still stands in the socket: the end of TLS, another request */
    j->gone = poll(&p, 1, 0) > 0 && p.revents != 0;
    return j->gone;
}

/* The same request of the same store: the answer that was kept. Else it is known from now on what its answer would be kept under. */
static bool given_again(struct http_job *j)
{
    struct http_server *s = j->server;
    if (!j->keep || j->body.n > KEY_BODY_BYTES_MAX) {
        j->keep = false;
        return false;
    }
    lq_buf_printf(&j->key, "%d %d %s\n%.*s\n", (int)j->request.method, j->takes_gzip, j->uri, (int)j->request.content_type.n, j->request.content_type.p);
    lq_buf_add(&j->key, j->body.p, j->body.n);
    j->version = s->o.version(s->o.version_ctx);
    j->begun_us = clock_monotonic_us();
    struct kept_wanted w = {.key = {j->key.p, j->key.n}, .version = j->version, .now_us = j->begun_us, .enough_us = INT64_MAX};
    if (atomic_load(&s->is_pressed)) { /* but who has written, and was answered, finds it */
        int64_t wrote = atomic_load(&s->wrote_us);
        w.enough_us = j->begun_us - KEPT_PRESSED_US > wrote ? j->begun_us - KEPT_PRESSED_US : wrote;
    }
    int64_t begun_us = 0;
    j->kept = http_kept_get(s->kept, &w, &j->response, &j->zipped, &begun_us);
    atomic_fetch_add(&s->answers_kept, j->kept);
    if (j->kept && j->begun_us - begun_us >= 1000000) {
        char *age = lq_arena_alloc(&j->mem, 12);
        snprintf(age, 12, "%d", (int)((j->begun_us - begun_us) / 1000000));
        http_header(&j->response, "Age", age);
    }
    return j->kept;
}

static void close_answer(struct http_job *j)
{
    if (j->kept) {
        return;
    }
    http__close_body(j);
    if (j->keep && !j->gone) {
        http_kept_put(j->server->kept, (lq_str){j->key.p, j->key.n}, j->version, j->begun_us, &j->response, j->zipped);
    }
}

static void run_job(struct http_job *j)
{
    struct lq_error e = {0};
    bool left = !j->first && http_job_stopped(j); /* while it waited; what waits for no question has no limit of time either */
    if (!left && (!http__open_body(j) || given_again(j))) {
        return;
    }
    enum lq_err err = left ? lq_error_set(&e, LQ_EBUSY, "the server ends") : j->route->run(j->ctx, &j->request, &j->response, &e);
    if (j->gone) {
        atomic_fetch_add(&j->server->stopped, 1);
        if (clock_monotonic_us() > j->deadline_us) {
            lq_error_set(&e, LQ_ELIMIT, "the request took longer than %g s", j->server->o.time_ms / 1e3);
            lq_error_hint(&e, "ask for a shorter range, longer steps or fewer series");
            err = LQ_ELIMIT;
        } else if (!j->deferred) { /* nobody is there, or the server ends: what was printed is a part only */
            err = lq_error_set(&e, LQ_EBUSY, "the server ends");
        }
    }
    if (err != LQ_OK) {
        e.code = err;
        http_fail(&j->response, &e);
    }
}

/* It may do so at once, when something else has woken it: from then on the job is its own, and perhaps freed. */
void http__done(struct http_job *j)
{
    struct http_server *s = j->server;
    j->state = JOB_DONE;
    if ((j->route->scope & (HTTP_WRITE | HTTP_ADMIN)) != 0) {
        atomic_store(&s->wrote_us, clock_monotonic_us());
    }
    MHD_resume_connection(j->connection);
    ev_async_send(s->loop, &s->wake);
}

void http_spent(const struct http_request *r, int64_t us)
{
    if (r->job != NULL) {
        r->job->spent_us += us;
    }
}

void http_defer(const struct http_request *r)
{
    r->job->deferred = true; /* the worker looks at it when the handler has returned */
}

void http_finish(struct http_job *j)
{
    struct http_server *s = j->server;
    pthread_mutex_lock(&s->lock);
    j->finished = true;
    if (j->parked) {
        s->parked--;
        pthread_cond_broadcast(&s->more);
        http__done(j);
    }
    pthread_mutex_unlock(&s->lock);
}

static void *work(void *arg)
{
    struct http_server *s = arg;
    if (s->o.nice > 0) {
        (void)setpriority(PRIO_PROCESS, (id_t)gettid(), getpriority(PRIO_PROCESS, 0) + s->o.nice); /* Linux: of this thread alone */
    }
    struct http_job *j;
    pthread_mutex_lock(&s->lock);
    while ((j = http__next(s)) != NULL) {
        s->running++;
        pthread_mutex_unlock(&s->lock);
        bool pressed = atomic_load(&s->is_pressed); /* else nobody asks what it costs */
        int64_t cpu = pressed ? http__thread_us() : 0;
        run_job(j);
        if (!j->deferred) {
            close_answer(j);
        }
        cpu = pressed ? http__thread_us() - cpu + j->spent_us : 0;
        pthread_mutex_lock(&s->lock);
        s->running--;
        http__ran(s, j, cpu);
        if (j->deferred && !j->finished) {
            j->parked = true;
            s->parked++;
        } else {
            http__done(j);
        }
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
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
    j->encoding = "";
    j->start_us = clock_monotonic_us();
    http_response_init(&j->response);
    return j;
}

/* A refused body is read to its end where that is near, so that the sender reads the answer and not a reset connection. */
static void collect(struct http_server *s, struct http_job *j, const char *data, size_t n)
{
    if (j->state != JOB_COLLECTING) {
        return;
    }
    if (j->body.n + n > s->o.body_bytes_max) {
        http__refuse(j, 413, "too_large", "the body is too large");
    } else if (s->bodies_bytes + n > s->o.bodies_bytes_max) {
        http__refuse(j, 503, "busy", "too many bodies are being received already");
        http_header(&j->response, "Retry-After", "1");
    } else {
        lq_buf_add(&j->body, data, n);
        j->counted += n;
        s->bodies_bytes += n;
        return;
    }
    j->state = JOB_REFUSED;
    lq_buf_fini(&j->body);
}

/* The request is complete. False: there is no room for it, which is the answer. */
static bool admit(struct http_server *s, struct http_job *j)
{
    j->deadline_us = clock_monotonic_us() + (int64_t)s->o.time_ms * 1000;
    if (!http__enqueue(s, j)) {
        http__refuse(j, 503, "busy", "too many requests wait already");
        http_header(&j->response, "Retry-After", "1");
        return false;
    }
    return true;
}

static enum MHD_Result on_access(void *cls, struct MHD_Connection *c, const char *url, const char *method, const char *version, const char *data, size_t *n,
                                 void **con_cls)
{
    struct http_server *s = cls;
    struct http_job *j = *con_cls;
    (void)url;
    (void)version;
    if (j->state == JOB_NEW) {
        const char *encoding = http__header(c, "Content-Encoding"), *length = http__header(c, "Content-Length");
        j->method = lq_arena_strdup(&j->mem, lq_str_of(method));
        j->encoding = encoding != NULL ? lq_arena_strdup(&j->mem, lq_str_of(encoding)) : "";
        atomic_fetch_add(&s->requests, 1);
        j->state = http__screen(s, j) ? JOB_COLLECTING : JOB_REFUSED;
        bool far = length != NULL && strtoull(length, NULL, 10) > DRAIN_BYTES_MAX;
        return j->state == JOB_REFUSED && far ? http__answer(j) : MHD_YES;
    }
    if (*n > 0) {
        collect(s, j, data, *n);
        *n = 0;
        return MHD_YES;
    }
    if (j->state == JOB_COLLECTING && admit(s, j)) {
        return MHD_YES;
    }
    return http__answer(j);
}

static void on_completed(void *cls, struct MHD_Connection *c, void **con_cls, enum MHD_RequestTerminationCode code)
{
    struct http_job *j = *con_cls;
    (void)cls;
    (void)c;
    (void)code;
    if (j != NULL) {
        j->server->bodies_bytes -= j->counted;
        lq_buf_fini(&j->body);
        lq_buf_fini(&j->key);
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
    o->jobs_max = o->jobs_max > 0 ? o->jobs_max : 128;
    o->time_ms = o->time_ms > 0 ? o->time_ms : 60000;
    o->body_bytes_max = o->body_bytes_max > 0 ? o->body_bytes_max : 8u << 20;
    o->bodies_bytes_max = o->bodies_bytes_max > 0 ? o->bodies_bytes_max : 8 * o->body_bytes_max;
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
    pthread_condattr_t monotonic;
    enum lq_err err = LQ_OK;
    s->o = *o;
    s->loop = loop;
    s->tail = &s->head;
    defaults(&s->o);
    s->hold_us_max = (int64_t)s->o.time_ms * 1000 / 4 < HOLD_US_MAX ? (int64_t)s->o.time_ms * 1000 / 4 : HOLD_US_MAX;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC); /* the wall clock may jump */
    pthread_cond_init(&s->more, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (o->token_file != NULL) {
        s->tokens = lq_alloc(sizeof *s->tokens);
        err = http_tokens_load(o->token_file, s->tokens, e);
    }
    s->kept = o->version != NULL ? http_kept_new(o->keep_us) : NULL;
    s->rate = o->rate_max > 0 ? http_rate_new(o->rate_max) : NULL;
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
    *out = s; /* before the first request: a handler may ask for it */
    run_daemon(s);
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
    pthread_mutex_lock(&s->lock);
    while (s->parked > 0) { /* whoever has deferred an answer gives one */
        pthread_cond_wait(&s->more, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    if (s->daemon != NULL) {
        if (s->n_workers > 0) {
            ev_io_stop(s->loop, &s->io);
            ev_timer_stop(s->loop, &s->timer);
            ev_async_stop(s->loop, &s->wake);
        }
        for (int i = 0; i < 3; i++) {
            (void)MHD_run(s->daemon); /* resumed connections get their answers */
        }
        MHD_stop_daemon(s->daemon);
    }
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->more);
    free(s->workers);
    free(s->tokens);
    http_rate_free(&s->rate);
    http_kept_free(&s->kept);
    free(s->cert_pem);
    free(s->key_pem);
    free(s);
    *ps = NULL;
}

struct http_server_counts http_server_counts(const struct http_server *s)
{
    return (struct http_server_counts){.requests = atomic_load(&s->requests), .rejected = atomic_load(&s->rejected), .failed = atomic_load(&s->failed),
                                       .stopped = atomic_load(&s->stopped), .connections = atomic_load(&s->connections), .kept = atomic_load(&s->answers_kept),
                                       .paced = atomic_load(&s->paced), .paced_us = atomic_load(&s->paced_us)};
}
