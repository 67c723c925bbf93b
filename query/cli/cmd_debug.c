/*
 * cmd_debug.c - lq debug dump | digest | verify | stats: the doors that people and tests use to look inside
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/cli/cli.h"
#include "store/reader.h"

static enum lq_err run(struct snapshot *s, const char *verb, struct lq_error *e)
{
    struct lq_buf out = {0};
    char hex[33];
    bool capped;
    enum lq_err err;
    if (strcmp(verb, "digest") == 0) {
        err = debug_digest(s, hex, &capped, e);
        if (err == LQ_OK) {
            lq_buf_printf(&out, "%s%s\n", hex, capped ? " capped" : "");
        }
    } else if (strcmp(verb, "verify") == 0) {
        err = debug_verify(s, &out, e);
    } else if (strcmp(verb, "stats") == 0) {
        err = debug_stats(s, &out, e);
    } else {
        err = debug_dump(s, stdout, e);
    }
    fwrite(out.p, 1, out.n, stdout);
    lq_buf_fini(&out);
    return err;
}

int cmd_debug(struct cli *c)
{
    static const char *const verbs[] = {"digest", "verify", "stats", "dump"};
    struct lq_error e = {0};
    struct store *store = NULL;
    struct snapshot *snap = NULL;
    const char *verb = c->n_args > 0 ? c->args[0] : "";
    bool known = false;
    for (size_t i = 0; i < 4; i++) {
        known = known || strcmp(verb, verbs[i]) == 0;
    }
    if (!known || c->n_args != 1) {
        const char *near = lq_nearest(verb, strlen(verb), verbs, 4);
        lq_error_set(&e, LQ_EINVAL, "lq debug needs one of: digest, verify, stats, dump");
        if (near != NULL) {
            lq_error_hint(&e, "did you mean %s?", near);
        }
        return cli_fail(&e);
    }
    enum lq_err err = cli_open(c, false, &store, &e);
    if (err == LQ_OK) {
        err = snapshot_open(store, &snap, &e);
    }
    if (err == LQ_OK) {
        err = run(snap, verb, &e);
    }
    snapshot_close(&snap);
    store_close(&store);
    return err == LQ_OK ? EXIT_DONE : cli_fail(&e);
}
