/*
 * cmd_web_start.c - lq web in the program lq: hands over to lq-web, which has the server in it (query/CMakeLists.txt says why)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/cli/cli.h"

int cmd_web(struct cli *c)
{
    return cli_start("lq-web", c->argv);
}
