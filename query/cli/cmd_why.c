/*
 * cmd_why.c - lq why: with files, from a temporary store of which nothing is left; else from the store
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "query/change/why.h"
#include "query/cli/cli.h"

enum { RECENT_S = 24 * 3600 };

static enum lq_err why_options(struct cli *c, struct why_options *o, struct snapshot *snap, struct lq_error *e)
{
    int64_t now = cli_now(c, snap, c->n_args > 0);
    *o = (struct why_options){.target = c->target, .onset_us = INT64_MIN, .top = c->top};
    enum lq_err err = cli_range(c, now, &o->from_us, &o->to_us, e);
    if (err == LQ_OK && c->onset != NULL) {
        err = time_arg_parse(lq_str_of(c->onset), now, c->tz, &o->onset_us, e);
    }
    if (err == LQ_OK && c->lookback != NULL) {
        err = duration_parse(lq_str_of(c->lookback), &o->lookback_us, e);
    }
    if (c->n_args == 0 && c->since == NULL) {
        o->recent_us = RECENT_S * 1000000LL; /* of a store: the last day, unless nothing began in it */
    }
    return err;
}

static const struct output {
    const char *name;
} outputs[] = {{"text"}, {"json"}, {"markdown"}, {"html"}};
enum { OUT_TEXT, OUT_JSON, OUT_MARKDOWN, OUT_HTML, OUTPUTS };

static enum lq_err choose_output(const struct cli *c, int *out, struct lq_error *e)
{
    const char *names[OUTPUTS], *want = c->format == NULL || strcmp(c->format, "table") == 0 ? "text"
                                        : strcmp(c->format, "md") == 0                       ? "markdown"
                                                                                             : c->format;
    for (int i = 0; i < OUTPUTS; i++) {
        names[i] = outputs[i].name;
        if (strcmp(names[i], want) == 0) {
            *out = i;
            return LQ_OK;
        }
    }
    const char *near = lq_nearest(want, strlen(want), names, OUTPUTS);
    lq_error_set(e, LQ_EINVAL, "lq why has no output format \"%s\"", want);
    lq_error_hint(
        e, near != NULL ? "did you mean %s? (text, json, markdown, html)" : "formats: text, json, markdown, html%s",
        near != NULL ? near : "");
    return LQ_EINVAL;
}

static void print(const struct cli *c, const struct why_answer *a, int output)
{
    struct why_style st = {.tz = c->tz, .explain = c->explain, .color = c->color, .width = c->width};
    switch (output) {
    case OUT_JSON:
        why_print_json(a, stdout);
        break;
    case OUT_MARKDOWN:
        why_print_markdown(a, &st, stdout);
        break;
    case OUT_HTML:
        why_print_html(a, &st, stdout);
        break;
    default:
        why_print_text(a, &st, stdout);
    }
}

int cmd_why(struct cli *c)
{
    struct lq_error e = {0};
    struct store *store = NULL;
    struct snapshot *snap = NULL;
    struct why_options o;
    struct why_answer *answer = lq_alloc(sizeof *answer);
    int status = EXIT_DONE, output = OUT_TEXT;
    enum lq_err err = choose_output(c, &output, &e);
    if (err == LQ_OK && c->n_args > 0) {
        err = cli_load_temporary(c, 0, &store, &status, &e);
    } else if (err == LQ_OK) {
        err = cli_open(c, false, &store, &e);
    }
    if (err == LQ_OK) {
        err = snapshot_open(store, &snap, &e);
    }
    if (err == LQ_OK) {
        err = why_options(c, &o, snap, &e);
    }
    if (err == LQ_OK) {
        o.budget.deadline_us = cli_deadline(c);
        err = why_run(snap, &o, answer, &e);
    }
    snapshot_close(&snap);
    store_close(&store);
    if (err == LQ_OK) {
        print(c, answer, output);
        why_fini(answer);
    }
    free(answer);
    return err != LQ_OK ? cli_fail(&e) : status;
}
