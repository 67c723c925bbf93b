/*
 * input_stream.c - listeners: tcp, syslog_tcp, syslog_tls, relp, unix
 *
 * The main loop accepts and deals the connections out to the loops in turn.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ingest/input.h"
#include "ingest/log.h"

enum { ACCEPTS_AT_ONCE = 64 };
#define ACCEPT_AGAIN_S 1.0 /* after the process ran out of file descriptors */

static struct log_limit refused_limit, descriptors_limit;

static enum lq_err stream_open(struct input *in, struct lq_error *e)
{
    enum lq_err err = LQ_OK;
    for (uint32_t i = 0; i < in->config->n_listen && err == LQ_OK; i++) {
        err = input_bind(in, in->config->listen[i], SOCK_STREAM, false, true, &in->fds[i][0], e);
    }
    return err;
}

struct newcomer {
    struct input *in;
    struct conn_options o;
};

static void adopt(struct loop *l, void *arg)
{
    struct newcomer *n = arg;
    if (n->in->feeds[l->index] != NULL) {
        n->o.feed = n->in->feeds[l->index];
        conn_open(l, &n->o);
    } else {
        close(n->o.fd); /* stopping */
        __atomic_sub_fetch(&n->in->open, 1, __ATOMIC_RELAXED);
    }
    free(n);
}

static void refuse(struct input *in, int fd)
{
    close(fd);
    stat_add(&in->stats[LOOPS_MAX], STAT_DROP_CONNECTION, 1); /* the main thread's own row */
    if (log_may(&refused_limit)) {
        log_say(LOG_WARN, "%s: a connection was refused: connections_max is %llu", in->config->name, (unsigned long long)in->config->connections_max);
    }
}

static void out_of_descriptors(struct input *in)
{
    stat_add(&in->stats[LOOPS_MAX], STAT_DROP_CONNECTION, 1);
    if (log_may(&descriptors_limit)) {
        log_say(LOG_ERROR, "%s cannot accept: %s; trying again each second (raise LimitNOFILE, or lower connections_max)", in->config->name, strerror(errno));
    }
    for (uint32_t i = 0; i < in->config->n_listen; i++) {
        ev_io_stop(in->env->main, &in->accept[i]);
    }
    ev_timer_again(in->env->main, &in->accept_again);
}

static void on_accept(struct ev_loop *ev, ev_io *w, int events)
{
    struct input *in = w->data;
    (void)ev;
    (void)events;
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        struct sockaddr_storage a = {0};
        socklen_t n = sizeof a;
        int fd = accept4(w->fd, (struct sockaddr *)&a, &n, SOCK_CLOEXEC | SOCK_NONBLOCK), one = 1;
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                out_of_descriptors(in);
            }
            return;
        }
        if (__atomic_load_n(&in->open, __ATOMIC_RELAXED) >= in->config->connections_max) {
            refuse(in, fd);
            continue;
        }
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
        __atomic_add_fetch(&in->open, 1, __ATOMIC_RELAXED);
        struct newcomer *c = lq_alloc(sizeof *c);
        c->in = in;
        c->o.fd = fd;
        c->o.tls = in->tls;
        c->o.open = &in->open;
        c->o.peer_n = input_peer(&a, c->o.peer);
        loop_post(in->env->loops[in->turn++ % in->env->n_loops], adopt, c);
    }
}

static void on_again(struct ev_loop *ev, ev_timer *w, int events)
{
    struct input *in = w->data;
    (void)events;
    ev_timer_stop(ev, w);
    for (uint32_t i = 0; i < in->config->n_listen; i++) {
        ev_io_start(ev, &in->accept[i]);
    }
}

static void stream_begin(struct input *in)
{
    ev_timer_init(&in->accept_again, on_again, 0., ACCEPT_AGAIN_S);
    in->accept_again.data = in;
    for (uint32_t i = 0; i < in->config->n_listen; i++) {
        ev_io_init(&in->accept[i], on_accept, in->fds[i][0], EV_READ);
        in->accept[i].data = in;
        ev_io_start(in->env->main, &in->accept[i]);
    }
}

static void stream_end(struct input *in)
{
    ev_timer_stop(in->env->main, &in->accept_again);
    for (uint32_t i = 0; i < in->config->n_listen; i++) {
        on_accept(in->env->main, &in->accept[i], EV_READ); /* who has connected already is still heard */
        ev_io_stop(in->env->main, &in->accept[i]);
        if (in->config->listen[i][0] == '/') {
            unlink(in->config->listen[i]);
        }
    }
}

static void stream_start(struct input *in, struct loop *l)
{
    (void)in;
    (void)l;
}

static void stream_stop(struct input *in, struct loop *l)
{
    conn_close_all(l, in->feeds[l->index]);
}

static void stream_moved(struct input *in, struct loop *l, struct feed *old)
{
    conn_move_all(l, old, in->feeds[l->index]);
}

const struct input_type input_stream = {stream_open, stream_start, stream_stop, stream_moved, stream_begin, stream_end, NULL};
