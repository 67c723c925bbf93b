/*
 * input_stdin.c - lines on standard input
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "ingest/input.h"

static enum lq_err stdin_open(struct input *in, struct lq_error *e)
{
    in->fds[0][0] = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    return in->fds[0][0] >= 0 ? LQ_OK : lq_error_errno(e, errno, "read", "standard input");
}

static void stdin_start(struct input *in, struct loop *l)
{
    if (l->index == 0) {
        struct conn_options o = {.fd = in->fds[0][0], .feed = in->feeds[0], .ended = in->env->drained, .arg = in->env->arg};
        in->fds[0][0] = -1;
        conn_open(l, &o);
    }
}

static void stdin_stop(struct input *in, struct loop *l)
{
    conn_close_all(l, in->feeds[l->index]);
}

static void stdin_moved(struct input *in, struct loop *l, struct feed *old)
{
    conn_move_all(l, old, in->feeds[l->index]);
}

const struct input_type input_stdin = {stdin_open, stdin_start, stdin_stop, stdin_moved, NULL, NULL, NULL};
