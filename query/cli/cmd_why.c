/*
 * cmd_why.c - lq why: with files, from a temporary store of which nothing is left; else from the store
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/change/why.h"
#include "query/cli/cli.h"

static enum lq_err why_options(struct cli *c, struct why_options *o, struct snapshot *snap, struct lq_error *e)
{
    int64_t now = clock_now_us();
    for (uint32_t i = 0; i < snapshot_streams(snap); i++) {
        int64_t hw = snapshot_stream(snap, i)->high_water_us;
        now = i == 0 || hw > now ? hw : now;
    }
    *o = (struct why_options){.target = c->target, .onset_us = INT64_MIN, .top = c->top};
    enum lq_err err = cli_range(c, now, &o->from_us, &o->to_us, e);
    if (err == LQ_OK && c->onset != NULL) {
        err = time_arg_parse(lq_str_of(c->onset), now, c->tz, &o->onset_us, e);
    }
    if (err == LQ_OK && c->lookback != NULL) {
        err = duration_parse(lq_str_of(c->lookback), &o->lookback_us, e);
    }
    return err;
}

int cmd_why(struct cli *c)
{
    struct lq_error e = {0};
    struct store *store = NULL;
    struct snapshot *snap = NULL;
    struct why_options o;
    struct why_answer answer = {0};
    int status = EXIT_DONE;
    bool json = c->format != NULL && strcmp(c->format, "json") == 0;
    if (c->format != NULL && !json && strcmp(c->format, "text") != 0) {
        lq_error_set(&e, LQ_EINVAL, "lq why has no output format \"%s\"", c->format);
        lq_error_hint(&e, "formats: text, json");
        return cli_fail(&e);
    }
    enum lq_err err = LQ_OK;
    if (c->n_args > 0) {
        err = cli_load_temporary(c, 0, &store, &status, &e);
    } else {
        err = cli_open(c, false, &store, &e);
    }
    if (err == LQ_OK) {
        err = snapshot_open(store, &snap, &e);
    }
    if (err == LQ_OK) {
        err = why_options(c, &o, snap, &e);
    }
    if (err == LQ_OK) {
        err = why_run(snap, &o, &answer, &e);
    }
    snapshot_close(&snap);
    store_close(&store);
    if (err != LQ_OK) {
        return cli_fail(&e);
    }
    if (json) {
        why_print_json(&answer, stdout);
    } else {
        why_print_text(&answer, c->tz, c->explain, c->color, stdout);
    }
    why_fini(&answer);
    return status;
}
