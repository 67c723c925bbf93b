/*
 * cmd_web_start.c - lq web in the program lq: hands over to lq-web, which has the server in it (query/CMakeLists.txt says why)
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "query/cli/cli.h"

int cmd_web(struct cli *c)
{
    char path[4096 + 16];
    struct lq_error e;
    ssize_t n = readlink("/proc/self/exe", path, 4096);
    while (n > 0 && path[n - 1] != '/') { /* beside this program, or where it is installed */
        n--;
    }
    snprintf(path + (n > 0 ? n : 0), sizeof path - (size_t)(n > 0 ? n : 0), "lq-web");
    fflush(stdout);
    execv(path, c->argv);
    execv(LQ_LIBEXEC_DIR "/lq-web", c->argv);
    lq_error_errno(&e, errno, "start", LQ_LIBEXEC_DIR "/lq-web");
    return cli_fail(&e);
}
