/*
 * pager.c - long answers on a terminal go through a pager
 *
 * $LQ_PAGER, else $PAGER, else less; an empty one or "cat" turns it off. less quits by itself when the answer fits the screen.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <unistd.h>

#include "query/cli/cli.h"

FILE *cli_pager_open(const struct cli *c)
{
    const char *pager = getenv("LQ_PAGER");
    pager = pager != NULL ? pager : getenv("PAGER");
    pager = pager != NULL ? pager : "less";
    if (c->width == 0 || isatty(STDIN_FILENO) == 0 || pager[0] == '\0' || strcmp(pager, "cat") == 0) {
        return stdout;
    }
    setenv("LESS", "FRSX", 0);
    fflush(stdout);
    FILE *f = popen(pager, "w");
    return f != NULL ? f : stdout;
}

void cli_pager_close(FILE *f)
{
    if (f != stdout) {
        pclose(f);
    }
}
