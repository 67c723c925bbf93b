/*
 * cmd_debug.c - lq debug dump | digest | verify | stats | changepoints FILE: the doors that people and tests use to look inside
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>

#include "query/change/changepoints.h"
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
    if (out.n > 0) {
        fwrite(out.p, 1, out.n, stdout);
    }
    lq_buf_fini(&out);
    return err;
}

static int print_changepoints(const char *path)
{
    struct lq_error e = {0};
    struct lq_buf text = {0};
    double *y = NULL;
    size_t n = 0, got;
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    enum lq_err err = f == NULL ? lq_error_errno(&e, errno, "open", path) : LQ_OK;
    do {
        lq_buf_reserve(&text, 1 << 16);
        got = f != NULL ? fread(text.p + text.n, 1, 1 << 16, f) : 0;
        text.n += got;
    } while (got > 0);
    if (f != NULL && ferror(f)) {
        err = lq_error_errno(&e, errno, "read", path);
    }
    if (f != NULL && f != stdin) {
        fclose(f);
    }
    if (err == LQ_OK) {
        err = changepoints_parse((lq_str){text.p, text.n}, &y, &n, &e);
    }
    if (err == LQ_OK) {
        uint32_t *at = lq_alloc((n + 1) * sizeof *at);
        size_t k = changepoints(y, n, at);
        for (size_t i = 0; i < k; i++) {
            printf("%u\n", at[i]);
        }
        free(at);
        free(y);
    }
    lq_buf_fini(&text);
    return err == LQ_OK ? EXIT_DONE : cli_fail(&e);
}

int cmd_debug(struct cli *c)
{
    static const char *const verbs[] = {"digest", "verify", "stats", "dump", "changepoints"};
    struct lq_error e = {0};
    struct store *store = NULL;
    struct snapshot *snap = NULL;
    const char *verb = c->n_args > 0 ? c->args[0] : "";
    bool known = false;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        known = known || strcmp(verb, verbs[i]) == 0;
    }
    if (c->n_args == 2 && strcmp(verb, "changepoints") == 0) {
        return print_changepoints(c->args[1]);
    }
    if (!known || c->n_args != 1 || strcmp(verb, "changepoints") == 0) {
        const char *near = lq_nearest(verb, strlen(verb), verbs, sizeof verbs / sizeof verbs[0]);
        lq_error_set(&e, LQ_EINVAL, "lq debug needs one of: digest, verify, stats, dump, changepoints FILE");
        if (near != NULL && strcmp(near, verb) != 0) {
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
