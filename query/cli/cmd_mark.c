/*
 * cmd_mark.c - lq mark KIND NAME: what people did and no log says
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/cli/cli.h"
#include "store/control.h"

static const char *const kinds[] = {"release", "rollback", "restart", "config", "note"};
enum { KINDS = sizeof kinds / sizeof kinds[0], NAME_MAX_BYTES = 200, TEXT_MAX_BYTES = 2000 };

static enum lq_err check_kind(const char *kind, struct lq_error *e)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (strcmp(kind, kinds[i]) == 0) {
            return LQ_OK;
        }
    }
    const char *near = lq_nearest(kind, strlen(kind), kinds, KINDS);
    lq_error_set(e, LQ_EINVAL, "unknown kind of marker \"%s\"", kind);
    lq_error_hint(e,
                  near != NULL ? "did you mean %s? (release, rollback, restart, config, note)"
                               : "kinds: release, rollback, restart, config, note%s",
                  near != NULL ? near : "");
    return LQ_EINVAL;
}

static enum lq_err check_text(const char *what, const char *s, size_t max, struct lq_error *e)
{
    if (s == NULL || strlen(s) <= max) {
        return LQ_OK;
    }
    return lq_error_set(e, LQ_EINVAL, "%s has %zu bytes, at most %zu are kept", what, strlen(s), max);
}

static enum lq_err read_args(const struct cli *c, struct marker *m, struct lq_error *e)
{
    if (c->n_args < 2 || c->n_args > 3 || c->args[1][0] == '\0') {
        lq_error_set(e, LQ_EINVAL,
                     c->n_args < 2 ? "a marker needs a kind and a name" : "too many words: put quotes around the text");
        lq_error_hint(e, "lq mark release 2.4.1 --at \"2026-03-02 10:00\" --host web-1");
        return LQ_EINVAL;
    }
    *m = (struct marker){.kind = lq_str_of(c->args[0]), .name = lq_str_of(c->args[1])};
    m->host = c->host != NULL ? lq_str_of(c->host) : (lq_str){0};
    m->service = c->service != NULL ? lq_str_of(c->service) : (lq_str){0};
    m->text = c->n_args == 3 ? lq_str_of(c->args[2]) : (lq_str){0};
    enum lq_err err = check_kind(c->args[0], e);
    err = err != LQ_OK ? err : check_text("the name", c->args[1], NAME_MAX_BYTES, e);
    err = err != LQ_OK ? err : check_text("the host", c->host, NAME_MAX_BYTES, e);
    err = err != LQ_OK ? err : check_text("the service", c->service, NAME_MAX_BYTES, e);
    err = err != LQ_OK ? err : check_text("the text", c->n_args == 3 ? c->args[2] : NULL, TEXT_MAX_BYTES, e);
    m->time_us = clock_now_us();
    return err != LQ_OK || c->at == NULL ? err : time_arg_parse(lq_str_of(c->at), m->time_us, c->tz, &m->time_us, e);
}

int cmd_mark(struct cli *c)
{
    struct lq_error e = {0};
    struct store *store = NULL;
    struct marker m;
    char t[32];
    int lqd = -1;
    enum lq_err err = read_args(c, &m, &e);
    if (err == LQ_OK) {
        err = control_connect(c->data, &lqd, &e); /* while an lqd holds the store it is asked */
        err = err == LQ_ENOENT ? LQ_OK : err;
    }
    if (err == LQ_OK && lqd >= 0) {
        err = control_marker_add(lqd, &m, &e);
    } else if (err == LQ_OK) {
        err = cli_open(c, true, &store, &e);
        err = err == LQ_OK ? store_marker_add(store, &m, &e) : err;
    }
    if (err == LQ_OK) {
        time_print_local(m.time_us, c->tz, t);
        printf("%s %s at %s\n", c->args[0], c->args[1], t);
    }
    store_close(&store);
    return err != LQ_OK ? cli_fail(&e) : EXIT_DONE;
}
