/*
 * server_run.c - a server with a loop of its own (server.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include <ev.h>
#include <signal.h>

#include "query/http/server.h"

static void on_signal(struct ev_loop *loop, ev_signal *w, int events)
{
    (void)w;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

enum lq_err http_server_run(const struct http_server_options *o, void (*ready)(void *ctx, uint16_t port), void *ctx, struct lq_error *e)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO); /* the default loop would wait for children that run.c waits for */
    struct http_server *server = NULL;
    ev_signal signals[2];
    LQ_ASSERT(loop != NULL);
    signal(SIGPIPE, SIG_IGN);
    enum lq_err err = http_server_start(loop, o, &server, e);
    if (err == LQ_OK) {
        ev_signal_init(&signals[0], on_signal, SIGINT);
        ev_signal_init(&signals[1], on_signal, SIGTERM);
        ev_signal_start(loop, &signals[0]);
        ev_signal_start(loop, &signals[1]);
        ready(ctx, http_server_port(server));
        ev_run(loop, 0);
        ev_signal_stop(loop, &signals[0]);
        ev_signal_stop(loop, &signals[1]);
        http_server_stop(&server);
    }
    ev_loop_destroy(loop);
    return err;
}
