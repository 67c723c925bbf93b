/*
 * cmd_markers.c - lq markers [FILE…]: what was done, as people recorded it and as logs show it
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/cli/cli.h"
#include "query/out/out.h"

struct listing {
    struct cli *c;
    bool json;
    size_t n;
};

static void print_key(const char *key, lq_str v)
{
    printf(",\"%s\":", key);
    if (v.n > 0) {
        json_string(stdout, v);
    } else {
        fputs("null", stdout);
    }
}

static bool print_marker(void *ctx, const struct marker *m)
{
    struct listing *l = ctx;
    l->n++;
    if (l->json) {
        printf("%s\n{\"time\":", l->n > 1 ? "," : "");
        json_time(stdout, m->time_us);
        print_key("kind", m->kind);
        print_key("name", m->name);
        print_key("host", m->host);
        print_key("service", m->service);
        print_key("text", m->text);
        printf(",\"inferred\":%s,\"confidence\":%.2f}", m->inferred ? "true" : "false", m->inferred ? m->confidence / 100.0 : 1.0);
        return true;
    }
    char time[32], sure[16] = "recorded";
    time_print_local(m->time_us, l->c->tz, time);
    if (m->inferred) {
        snprintf(sure, sizeof sure, "%u %%", m->confidence);
    }
    if (l->n == 1) {
        printf("%-19s  %-8s %-8s  %-20s %-16s %-20s %s\n", "time", "kind", "sure", "name", "service", "host", "text");
    }
    printf("%-19s  %-8.*s %-8s  %-20.*s %-16.*s %-20.*s %.*s\n", time, (int)m->kind.n, m->kind.p, sure, (int)m->name.n, m->name.p, (int)m->service.n,
           m->service.p, (int)m->host.n, m->host.p, (int)m->text.n, m->text.p);
    return true;
}

static enum lq_err list(struct cli *c, struct store **store, struct snapshot **s, int *status, struct lq_error *e)
{
    struct listing l = {.c = c, .json = c->format != NULL && strcmp(c->format, "json") == 0};
    int64_t from, to;
    if (c->format != NULL && !l.json && strcmp(c->format, "table") != 0) {
        lq_error_set(e, LQ_EINVAL, "unknown format \"%s\"", c->format);
        lq_error_hint(e, "lq markers prints table or json");
        return LQ_EINVAL;
    }
    enum lq_err err = c->n_args > 0 ? cli_load_temporary(c, 0, store, status, e) : cli_open(c, false, store, e);
    if (err == LQ_OK) {
        err = snapshot_open(*store, s, e);
    }
    if (err == LQ_OK) {
        err = cli_range(c, cli_now(c, *s, c->n_args > 0), &from, &to, e);
    }
    if (err != LQ_OK) {
        return err;
    }
    fputs(l.json ? "{\"markers\":[" : "", stdout);
    err = snapshot_markers(*s, from, to, print_marker, &l, e);
    fputs(l.json ? "]}\n" : l.n == 0 ? "no markers: nothing was recorded, and no log shows a restart, a release or the like\n" : "", stdout);
    return err;
}

int cmd_markers(struct cli *c)
{
    struct lq_error e = {0};
    struct store *store = NULL;
    struct snapshot *snap = NULL;
    int status = EXIT_DONE;
    enum lq_err err = list(c, &store, &snap, &status, &e);
    snapshot_close(&snap);
    store_close(&store);
    return err != LQ_OK ? cli_fail(&e) : status;
}
