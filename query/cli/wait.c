/*
 * wait.c - waiting that ends with a signal, or with the reader of the output (wait.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/cli/wait.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <unistd.h>

static volatile sig_atomic_t ended;

static void on_signal(int signal)
{
    (void)signal;
    ended = 1;
}

void wait_init(void)
{
    struct sigaction a = {.sa_handler = on_signal}; /* without SA_RESTART: it ends a poll */
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
    signal(SIGPIPE, SIG_IGN);
}

bool wait_ms(unsigned ms)
{
    struct pollfd p = {.fd = STDOUT_FILENO}; /* POLLERR: the last reader of the pipe is gone */
    int n = ended == 0 ? poll(&p, 1, (int)ms) : 0; /* a signal just before the poll is seen after it: a look later */
    return ended == 0 && !(n > 0 && (p.revents & (POLLERR | POLLHUP)) != 0);
}

bool wait_flush(void)
{
    if (fflush(stdout) == 0) {
        return true;
    }
    if (errno == EPIPE) {
        __fpurge(stdout);
        clearerr(stdout);
    }
    return false;
}
