/*
 * cmd_tail.c - lq tail 'QUERY': what is stored, as it is stored
 *
 * Once a second a look at what is committed: a fresh snapshot, held as long as the look takes. A row is printed when its step is over, and never again, so all
 * that one look needs to know of those before is a cursor: a moment of event time before which everything was shown.
 *
 *      lines come in        the newest event time less SETTLE: other hosts may be that much behind
 *      none for SETTLE      the end of the newest step; while an lqd holds the store, and lines are of this hour, the wall clock: zeros are shown, too
 *      in any case          at most the wall clock less SETTLE
 *
 * Lines that come later than that are in the store but not here; a query finds them.
 *
 * --after CURSOR is one look, for scripts and for lq-remote, which asks a server again and again: nothing is kept there between two looks.
 *      CURSOR: "new", or numbers with dots: shown up to, lines stored, since when as many (microseconds), 1 when the header is printed, widths of columns
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "query/cli/cli.h"
#include "query/cli/wait.h"
#include "query/out/out.h"

#define US         1000000LL
#define SETTLE_US  (3 * US)
#define LIVE_US    (3600 * US) /* data that are older than this are not compared with the wall clock */
#define DAY_US     (86400 * US)
enum { LOOK_MS = 1000, STEP_S = 10, STEPS_FIRST = 10, STEPS_BACK_MAX = 10000, CURSOR_NUMBERS = 4 + sizeof((struct out_part *)0)->width / sizeof(uint16_t) };

struct tail {
    struct cli *c;
    struct query *q;
    const struct out_format *format;
    FILE *out;
    struct store *store;
    struct format_set *formats;
    int64_t shown_us;    /* everything before it; INT64_MIN: nothing yet */
    int64_t step_us;
    uint64_t lines;      /* in the store at the last look, */
    int64_t changed_us;  /* and since when as many, by the wall clock */
    struct out_part part;
    bool said_empty, said_alone;
};

/* ---- the cursor ---- */

static enum lq_err read_cursor(struct tail *t, const char *text, struct lq_error *e)
{
    int64_t v[CURSOR_NUMBERS] = {0};
    size_t n = 0;
    if (strcmp(text, "new") == 0) {
        return LQ_OK;
    }
    for (const char *p = text; n < CURSOR_NUMBERS && *p != '\0';) {
        char *end;
        v[n++] = strtoll(p, &end, 10);
        n = end == p || (*end != '.' && *end != '\0') ? CURSOR_NUMBERS + 1 : n;
        p = end + (*end == '.');
    }
    if (n < 4 || n > CURSOR_NUMBERS) {
        lq_error_set(e, LQ_EINVAL, "--after: \"%.60s\" is no cursor of lq tail", text);
        lq_error_hint(e, "begin with --after new; the first line printed is the next cursor");
        return LQ_EINVAL;
    }
    t->shown_us = v[0];
    t->lines = (uint64_t)v[1];
    t->changed_us = v[2];
    t->part.begun = v[3] != 0;
    for (size_t i = 4; i < CURSOR_NUMBERS; i++) {
        t->part.width[i - 4] = (uint16_t)v[i];
    }
    return LQ_OK;
}

static void print_cursor(const struct tail *t)
{
    printf("%lld.%llu.%lld.%d", (long long)t->shown_us, (unsigned long long)t->lines, (long long)t->changed_us, t->part.begun);
    size_t n = CURSOR_NUMBERS - 4;
    while (n > 0 && t->part.width[n - 1] == 0) {
        n--;
    }
    for (size_t i = 0; i < n; i++) {
        printf(".%u", t->part.width[i]);
    }
    putchar('\n');
}

/* ---- how far ---- */

/* The end of the last step that is over, or INT64_MIN: nothing is stored. */
static int64_t settled(struct tail *t, struct snapshot *s)
{
    int64_t high = INT64_MIN, wall = clock_now_us(), now;
    uint64_t lines = 0;
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_info *x = snapshot_stream(s, i);
        lines += x->lines;
        high = x->lines > 0 && x->high_water_us > high ? x->high_water_us : high;
    }
    if (lines == 0) {
        return INT64_MIN;
    }
    if (lines != t->lines) {
        t->lines = lines;
        t->changed_us = wall;
    }
    int64_t over = exec_step_after(high, t->step_us, t->c->tz);
    bool live = wall - (high > t->shown_us ? high : t->shown_us) < LIVE_US, written = store_is_written(t->c->data);
    if (!written && !t->said_alone && t->c->after == NULL) {
        fprintf(stderr, "lq: no lqd holds the store: waiting for one\n");
    }
    t->said_alone = !written;
    if (wall - t->changed_us < SETTLE_US) {
        now = high - SETTLE_US;
    } else {
        now = live && written ? wall : over;
    }
    now = now < wall - SETTLE_US ? now : wall - SETTLE_US; /* a host whose clock is ahead does not end the steps of the others */
    return exec_step_start(now, t->step_us, t->c->tz);
}

/* How long the steps are: a query may need longer ones than it asks for. */
static enum lq_err find_step(struct tail *t, struct snapshot *s, struct lq_error *e)
{
    struct result r;
    struct exec_options o = {.to_us = clock_now_us(), .exact = true, .tz = t->c->tz};
    if (t->q->lines > 0) {
        t->step_us = US;
        return LQ_OK;
    }
    if (t->q->every_us == 0) {
        t->q->every_us = STEP_S * US;
        t->q->every_auto = false;
    }
    o.from_us = o.to_us - 1;
    enum lq_err err = exec_plan(s, t->q, &o, &r, e);
    if (err == LQ_OK) {
        t->step_us = t->q->every_us = r.step_us;
        if (t->shown_us == INT64_MIN) {
            cli_notices(&r);
        }
        result_fini(&r);
    }
    return err;
}

/* ---- one look ---- */

static bool has_rows(const struct result *r)
{
    for (uint32_t i = 0; i < r->n_series; i++) {
        if (r->series[i].n > 0) {
            return true;
        }
    }
    return r->n_lines > 0;
}

static enum lq_err show(struct tail *t, struct snapshot *s, int64_t from_us, int64_t to_us, struct lq_error *e)
{
    struct exec_options o = {.from_us = from_us, .to_us = to_us, .exact = true, .tz = t->c->tz, .formats = t->formats};
    struct out_options oo = {.tz = t->c->tz, .width = t->c->width, .color = t->c->color, .part = &t->part};
    struct result r;
    enum lq_err err = exec_query(s, t->q, &o, &r, e);
    if (err == LQ_OK) {
        if (has_rows(&r)) {
            t->format->print(&r, &oo, t->out);
            t->part.begun = true;
        }
        result_fini(&r);
    }
    return err;
}

/* Where it begins: --since, else the last steps that are over, or the latest of the last day's lines. */
static enum lq_err begin(struct tail *t, struct snapshot *s, int64_t end_us, struct lq_error *e)
{
    int64_t from = t->q->lines > 0 ? end_us - DAY_US : end_us - STEPS_FIRST * t->step_us, first = end_us, until;
    enum lq_err err = t->c->since != NULL ? cli_range(t->c, end_us, &from, &until, e) : LQ_OK;
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_info *x = snapshot_stream(s, i);
        first = x->lines > 0 && x->first_us < first ? x->first_us : first;
    }
    from = from < first ? first : from;
    if (err == LQ_OK && t->q->lines == 0 && (end_us - from) / t->step_us > STEPS_BACK_MAX) {
        err = lq_error_set(e, LQ_EINVAL, "--since is more than %d steps ago", STEPS_BACK_MAX);
        lq_error_hint(e, "ask for what was without tail: lq 'QUERY' --since %.40s", t->c->since);
    }
    t->shown_us = exec_step_start(from, t->step_us, t->c->tz);
    return err;
}

static enum lq_err look_at(struct tail *t, struct snapshot *s, struct lq_error *e)
{
    enum lq_err err = t->step_us == 0 && t->lines + snapshot_counter(s, "lines") > 0 ? find_step(t, s, e) : LQ_OK;
    int64_t end = err == LQ_OK && t->step_us > 0 ? settled(t, s) : INT64_MIN;
    if (err != LQ_OK) {
        return err;
    }
    if (end == INT64_MIN) {
        if (!t->said_empty && t->c->after == NULL) {
            fprintf(stderr, "lq: nothing is stored yet: waiting\n");
        }
        t->said_empty = true;
        return LQ_OK;
    }
    if (t->shown_us == INT64_MIN) {
        err = begin(t, s, end, e);
    }
    if (err == LQ_OK && t->q->lines > 0 && t->shown_us < end) {
        err = show(t, s, t->shown_us, end, e);
        t->shown_us = end;
        t->q->lines = LINES_MAX; /* the latest few, then all that come */
    }
    if (err == LQ_OK && t->q->lines == 0 && (end - t->shown_us) / t->step_us > STEPS_BACK_MAX) { /* a replay of an old log has ended, or the program was stopped for days */
        t->shown_us = exec_step_start(end - STEPS_FIRST * t->step_us, t->step_us, t->c->tz);
        fprintf(stderr, "lq: more than %d steps have passed: going on with the last ones\n", STEPS_BACK_MAX);
    }
    while (err == LQ_OK && t->q->lines == 0 && t->shown_us < end && wait_ms(0)) { /* each step by itself: `top 5` is of the step, whenever the looks are */
        int64_t next = exec_step_after(t->shown_us, t->step_us, t->c->tz);
        err = show(t, s, t->shown_us, next, e);
        t->shown_us = next;
    }
    return err;
}

static enum lq_err look(struct tail *t, struct lq_error *e)
{
    struct snapshot *s = NULL;
    enum lq_err err = snapshot_open(t->store, &s, e);
    if (err == LQ_OK) {
        err = look_at(t, s, e);
    }
    snapshot_close(&s);
    return err;
}

/* ---- the command ---- */

static enum lq_err prepare(struct tail *t, struct lq_error *e)
{
    struct cli *c = t->c;
    enum lq_err err = cli_query(c, &t->q, e);
    if (err == LQ_OK && c->n_args > 1) {
        lq_error_set(e, LQ_EINVAL, "lq tail takes one query and no files");
        lq_error_hint(e, "lqd follows files (an input of type tail); lq 'QUERY' FILE asks them once");
        return LQ_EINVAL;
    }
    if (err == LQ_OK && t->q->change) {
        query_error_at(t->q, e, t->q->change_at, 6, "change points need a range that is over");
        lq_error_hint(e, "ask without tail: lq 'QUERY'");
        return LQ_EINVAL;
    }
    if (err == LQ_OK) {
        err = out_format_find(c->format != NULL ? c->format : "table", &t->format, e);
    }
    if (err == LQ_OK && (strcmp(t->format->name, "json") == 0 || strcmp(t->format->name, "chart") == 0)) {
        lq_error_set(e, LQ_EINVAL, "lq tail prints rows: table, csv or ndjson, not %s", t->format->name);
        return LQ_EINVAL;
    }
    if (err == LQ_OK && c->after != NULL) {
        err = read_cursor(t, c->after, e);
    }
    if (err == LQ_OK && t->q->lines > 0 && t->shown_us != INT64_MIN) {
        t->q->lines = LINES_MAX;
    }
    if (err == LQ_OK && t->q->lines > 0 && t->shown_us == INT64_MIN) {
        fprintf(stderr, "lq: not every line is kept, but the first with each value (of a template, a route, …) and failures of each day\n");
    }
    if (err == LQ_OK && t->q->lines > 0 && t->q->filter != NULL) {
        err = cli_formats(c, &t->formats, e);
    }
    return err == LQ_OK ? cli_open(c, false, &t->store, e) : err;
}

/* With --after the cursor comes first, but is known last. */
static enum lq_err look_once(struct tail *t, struct lq_error *e)
{
    char *text = NULL;
    size_t n = 0;
    t->out = open_memstream(&text, &n);
    LQ_ASSERT(t->out != NULL);
    enum lq_err err = look(t, e);
    fclose(t->out);
    if (err == LQ_OK) {
        print_cursor(t);
        fwrite(text, 1, n, stdout);
    }
    free(text);
    return err;
}

int cmd_tail(struct cli *c)
{
    struct tail t = {.c = c, .out = stdout, .shown_us = INT64_MIN};
    struct lq_error e = {0};
    enum lq_err err = prepare(&t, &e);
    bool reader = true;
    if (err == LQ_OK && c->after != NULL) {
        err = look_once(&t, &e);
    } else if (err == LQ_OK) {
        wait_init();
        do {
            err = look(&t, &e);
            reader = wait_flush();
        } while (err == LQ_OK && reader && wait_ms(LOOK_MS));
    }
    store_close(&t.store);
    format_set_free(&t.formats);
    query_free(&t.q);
    return err != LQ_OK ? cli_fail(&e) : EXIT_DONE;
}
