/*
 * start.c - hand over to a program beside this one
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "query/cli/cli.h"

int cli_start(const char *name, char **argv)
{
    char path[4096 + 32];
    struct lq_error e;
    ssize_t n = readlink("/proc/self/exe", path, 4096);
    while (n > 0 && path[n - 1] != '/') { /* beside this program, or where it is installed */
        n--;
    }
    snprintf(path + (n > 0 ? n : 0), sizeof path - (size_t)(n > 0 ? n : 0), "%s", name);
    fflush(stdout);
    execv(path, argv);
    snprintf(path, sizeof path, "%s/%s", LQ_LIBEXEC_DIR, name);
    execv(path, argv);
    lq_error_errno(&e, errno, "start", path);
    return cli_fail(&e);
}
