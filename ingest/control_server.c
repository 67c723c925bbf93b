/*
 * control_server.c - accepts requests by the control socket (control_server.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/control_server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "ingest/daemon.h"
#include "ingest/log.h"

enum { TURN_MS = 100 };

struct request_thread {
    struct control_server *s;
    pthread_t thread;
    int fd;
    bool used, done;
};
struct control_server {
    struct daemon *d;
    int listen_fd, stop_fd;
    pthread_t thread;
    pthread_mutex_t lock, loading;
    struct request_thread requests[CONTROL_REQUESTS_MAX];
    struct control_stats stats;
    struct log_limit limit;
};

void control_answer_error(int fd, const struct lq_error *e)
{
    struct lq_buf b = {0};
    control_begin(&b, CONTROL_ERROR);
    control_put_error(&b, e);
    control_end(&b);
    (void)!control_send(fd, &b, -1, NULL); /* who does not listen misses it */
    lq_buf_fini(&b);
}

static void refuse(struct control_server *s, int fd, const struct lq_error *e)
{
    __atomic_add_fetch(&s->stats.refused, 1, __ATOMIC_RELAXED);
    control_answer_error(fd, e);
    pthread_mutex_lock(&s->lock);
    if (log_may(&s->limit)) {
        log_say(LOG_WARN, "control: a request is refused: %s", e->msg);
    }
    pthread_mutex_unlock(&s->lock);
}

/* The file's mode keeps others out; this does it where the directory lies on a system without modes. */
static bool is_ours(int fd)
{
    struct ucred c;
    socklen_t n = sizeof c;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &n) == 0 && (c.uid == 0 || c.uid == geteuid());
}

/* ---- one request ---- */

static void add_marker(struct control_server *s, const struct control_request *r, int fd)
{
    struct lq_error e = {0};
    struct lq_buf b = {0};
    if (store_marker_add(s->d->store, &r->marker, &e) != LQ_OK) {
        control_answer_error(fd, &e);
    } else {
        control_begin(&b, CONTROL_DONE);
        control_end(&b);
        (void)!control_send(fd, &b, -1, NULL);
    }
    lq_buf_fini(&b);
}

/* False: the asker has gone, or lqd stops. */
static bool await_turn(struct control_server *s, int fd)
{
    while (pthread_mutex_trylock(&s->loading) != 0) {
        struct pollfd p = {fd, POLLIN | POLLRDHUP, 0};
        if (poll(&p, 1, TURN_MS) > 0) {
            return false;
        }
    }
    return true;
}

static void carry_out(struct control_server *s, const struct control_request *r, int fd)
{
    __atomic_add_fetch(&s->stats.requests, 1, __ATOMIC_RELAXED);
    if (r->kind == CONTROL_MARK) {
        add_marker(s, r, fd);
    } else if (await_turn(s, fd)) {
        control_load(s->d, r, fd);
        pthread_mutex_unlock(&s->loading);
    }
}

static void serve(struct control_server *s, int fd)
{
    struct control_request r;
    struct lq_buf payload = {0};
    struct lq_error e = {0};
    enum request_step step = REQUEST_MORE;
    enum lq_err err = is_ours(fd) ? LQ_OK : lq_error_set(&e, LQ_EACCES, "only the user of lqd, and root, may give it orders");
    control_request_init(&r);
    while (err == LQ_OK && step == REQUEST_MORE) {
        enum control_type t = CONTROL_GO;
        int passed = -1;
        err = control_receive(fd, &t, &payload, &passed, &e);
        if (err == LQ_OK) {
            step = control_request_take(&r, t, (lq_str){payload.p, payload.n}, passed, &e);
        }
    }
    if (err == LQ_OK && step == REQUEST_READY) {
        carry_out(s, &r, fd);
    } else if (err != LQ_ENODATA || r.kind != 0) {
        refuse(s, fd, &e);
    }
    control_request_fini(&r);
    lq_buf_fini(&payload);
}

static void *request_run(void *arg)
{
    struct request_thread *q = arg;
    struct control_server *s = q->s;
    serve(s, q->fd);
    pthread_mutex_lock(&s->lock);
    shutdown(q->fd, SHUT_RDWR);
    close(q->fd);
    q->fd = -1;
    q->done = true;
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- the accepting thread ---- */

static void create_thread(pthread_t *t, void *(*run)(void *), void *arg)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old); /* signals are the main thread's */
    LQ_ASSERT(pthread_create(t, NULL, run, arg) == 0);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static struct request_thread *free_thread(struct control_server *s)
{
    struct request_thread *found = NULL;
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < CONTROL_REQUESTS_MAX; i++) {
        struct request_thread *q = &s->requests[i];
        if (q->used && q->done) {
            pthread_join(q->thread, NULL);
            q->used = q->done = false;
        }
        found = found == NULL && !q->used ? q : found;
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

static void take_connection(struct control_server *s)
{
    const struct timeval patience = {CONTROL_PATIENCE_S, 0};
    int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE) { /* it stays in the queue: look again a little later */
            poll(NULL, 0, TURN_MS);
        }
        return;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    struct request_thread *q = free_thread(s);
    if (q == NULL) {
        struct lq_error e;
        lq_error_set(&e, LQ_EBUSY, "lqd has %d requests in hand already", CONTROL_REQUESTS_MAX);
        lq_error_hint(&e, "try again when one of them is done");
        refuse(s, fd, &e);
        close(fd);
        return;
    }
    *q = (struct request_thread){.s = s, .fd = fd, .used = true};
    create_thread(&q->thread, request_run, q);
}

static void *accept_run(void *arg)
{
    struct control_server *s = arg;
    for (;;) {
        struct pollfd fds[2] = {{s->listen_fd, POLLIN, 0}, {s->stop_fd, POLLIN, 0}};
        if (poll(fds, 2, -1) < 0) {
            continue;
        }
        if (fds[1].revents != 0) {
            return NULL;
        }
        take_connection(s);
    }
}

/* ---- start, stop ---- */

enum lq_err control_server_start(struct daemon *d, struct control_server **out, struct lq_error *e)
{
    int fd = -1;
    enum lq_err err = control_listen(d->data, &fd, e);
    if (err != LQ_OK) {
        return err;
    }
    struct control_server *s = lq_alloc(sizeof *s);
    s->d = d;
    s->listen_fd = fd;
    s->stop_fd = eventfd(0, EFD_CLOEXEC);
    LQ_ASSERT(s->stop_fd >= 0);
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->loading, NULL);
    create_thread(&s->thread, accept_run, s);
    *out = s;
    return LQ_OK;
}

void control_server_stop(struct control_server **sp)
{
    struct control_server *s = *sp;
    if (s == NULL) {
        return;
    }
    LQ_ASSERT(eventfd_write(s->stop_fd, 1) == 0);
    pthread_join(s->thread, NULL);
    control_unlink(s->d->data);
    for (int i = 0; i < CONTROL_REQUESTS_MAX; i++) {
        struct request_thread *q = &s->requests[i];
        pthread_mutex_lock(&s->lock);
        if (q->used && q->fd >= 0) {
            shutdown(q->fd, SHUT_RD); /* answers still leave: a load says how far it came */
        }
        pthread_mutex_unlock(&s->lock);
        if (q->used) {
            pthread_join(q->thread, NULL);
        }
    }
    close(s->listen_fd);
    close(s->stop_fd);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->loading);
    free(s);
    *sp = NULL;
}

void control_server_stats(struct control_server *s, struct control_stats *out)
{
    out->requests = __atomic_load_n(&s->stats.requests, __ATOMIC_RELAXED);
    out->refused = __atomic_load_n(&s->stats.refused, __ATOMIC_RELAXED);
}
