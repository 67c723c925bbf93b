/*
 * cmd_backup.c - lq backup DIR
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/cli/cli.h"

int cmd_backup(struct cli *c)
{
    struct lq_error e = {0};
    struct store *store = NULL;
    uint64_t bytes = 0;
    if (c->n_args != 1) {
        lq_error_set(&e, LQ_EINVAL, "lq backup needs one directory");
        lq_error_hint(&e, "lq backup /var/backups/lq-monday");
        return cli_fail(&e);
    }
    enum lq_err err = cli_open(c, false, &store, &e);
    if (err == LQ_OK) {
        err = store_backup(store, c->args[0], &bytes, &e);
    }
    if (err == LQ_OK) {
        printf("%s: %.1f MB copied to %s\n", store_dir(store), (double)bytes / 1e6, c->args[0]);
    }
    store_close(&store);
    return err == LQ_OK ? EXIT_DONE : cli_fail(&e);
}
