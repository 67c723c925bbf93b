/*
 * cmd_why.c - lq why: with files, from a temporary store of which nothing is left; else from the store
 *
 * SPDX-License-Identifier: MIT
 */
#include <unistd.h>

#include "ingest/load.h"
#include "query/change/why.h"
#include "query/cli/cli.h"

/* 0, or an exit status: files that could not be read are said, and the others answered from. */
static enum lq_err load(struct cli *c, struct format_set *formats, struct store **store, int *status, struct lq_error *e)
{
    struct store_options so = {.temporary = true};
    struct load_report report = {0};
    struct load_options lo = {.formats = formats, .format_name = c->format_name, .labels = &c->labels, .tz = c->tz, .threads = c->threads,
                              .progress = isatty(STDERR_FILENO) != 0 ? stderr : NULL};
    enum lq_err err = LQ_OK;
    if (c->reference != NULL) {
        err = time_arg_parse(lq_str_of(c->reference), clock_now_us(), c->tz, &lo.reference_us, e);
    }
    if (err == LQ_OK) {
        err = store_open(NULL, &so, store, e);
    }
    if (err == LQ_OK) {
        err = load_files(*store, c->args, c->n_args, &lo, &report, e);
    }
    for (size_t i = 0; i < report.n; i++) {
        if (report.files[i].state == LOAD_FAILED) {
            lq_error_print(stderr, "lq", &report.files[i].error);
            *status = EXIT_FAILED;
        }
    }
    load_report_fini(&report);
    return err;
}

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
    struct format_set *formats = NULL;
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
        err = cli_formats(c, &formats, &e);
        if (err == LQ_OK) {
            err = load(c, formats, &store, &status, &e);
        }
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
    format_set_free(&formats);
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
