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
    char self[4096], path[4096 + 64];
    struct lq_error e;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    while (n > 0 && self[n - 1] != '/') {
        n--;
    }
    self[n > 0 ? n : 0] = '\0';
    fflush(stdout);
    snprintf(path, sizeof path, "%s%s", self, name); /* beside this program, or where a package puts it, under any root */
    execv(path, argv);
    snprintf(path, sizeof path, "%s../libexec/%s", self, name);
    execv(path, argv);
    lq_error_errno(&e, errno, "start", path);
    return cli_fail(&e);
}
