/*
 * test_commit_fault.c - a commit of lqd that fails at each of its store calls: tried again, nothing lost, nothing twice
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/engine.h"
#include "tests/support/store_support.h"

#include "ingest/pipeline.h"

static struct formats formats;

static void setup(struct config **c, struct store **s, char dir[64], struct pipeline **p, struct feed **f, struct input_stats *stats)
{
    struct lq_error e = {0};
    temp_dir(dir);
    *s = open_store(dir, (struct store_options){0});
    cr_assert(config_parse("t", lq_str_of("inputs: [{type: syslog_tcp}]\ntz: UTC\n"), c, &e) == LQ_OK, "%s", e.msg);
    pthread_mutex_init(&formats.lock, NULL);
    cr_assert(format_set_load(NULL, 0, &formats.set, &e) == LQ_OK, "%s", e.msg);
    cr_assert(pipeline_new(*s, &formats, *c, NULL, p, &e) == LQ_OK, "%s", e.msg);
    pipeline_now(*p, 1772445600000000);
    cr_assert(feed_new(*p, &(*c)->inputs[0], stats, f, &e) == LQ_OK, "%s", e.msg);
}

static void observe(struct pipeline *p, struct feed *f, int round)
{
    char line[200];
    for (int i = 0; i < 50; i++) {
        snprintf(line, sizeof line, "<13>Mar  2 09:%02d:%02d h%d app%d: round %c took %d ms", i, round % 60, i % 3, i % 5, 'a' + round % 26, i);
        feed_syslog(f, lq_str_of(line), LQ_STR("10.0.0.1"));
    }
    pipeline_settle(p);
    struct checkpoint cp = {.key = LQ_STR("source"), .offset = (uint64_t)round};
    struct batch *b = p->open;
    lq_grow(&b->checkpoints, &b->cap_checkpoints, 1, sizeof cp);
    b->checkpoints[0] = cp;
    b->n_checkpoints = 1;
}

static enum lq_err commit(struct store *s, struct batch *b)
{
    struct lq_error e = {0};
    struct counter_delta lines = {"lines", b->counts[COUNT_LINES]};
    return store_flush(s, &b->window, 1, b->checkpoints, b->n_checkpoints, &lines, 1, 1, &e);
}

static uint64_t lines_of(struct store *s, uint64_t *counter)
{
    struct snapshot *snap = NULL;
    uint64_t n = 0;
    cr_assert(snapshot_open(s, &snap, NULL) == LQ_OK);
    for (uint32_t i = 0; i < snapshot_streams(snap); i++) {
        n += snapshot_stream(snap, i)->lines;
    }
    *counter = snapshot_counter(snap, "lines");
    snapshot_close(&snap);
    return n;
}

static void every_call_fails(enum lq_err code)
{
    struct config *c = NULL;
    struct store *s = NULL;
    struct pipeline *p = NULL;
    struct feed *f = NULL;
    struct input_stats stats = {{0}};
    char dir[64];
    int rounds = 0, failures = 0;
    uint64_t counter = 0;
    setup(&c, &s, dir, &p, &f, &stats);
    for (uint64_t at = 1; rounds < 400; at++) {
        rounds++;
        observe(p, f, rounds);
        struct batch *b = pipeline_take(p);
        cr_assert(b != NULL);
        engine_fault_at(at, code);
        enum lq_err err = commit(s, b);
        bool reached = engine_fault_calls() >= at;
        engine_fault_at(0, LQ_OK);
        cr_assert(!reached || err != LQ_OK, "call %d failed, the commit did not", (int)at);
        failures += err != LQ_OK;
        if (err != LQ_OK) {
            observe(p, f, rounds + 1000); /* the other window is filled meanwhile */
            cr_assert(lines_of(s, &counter) == (uint64_t)(stats.n[STAT_LINES] - 100), "a failed commit left something behind");
            cr_assert(commit(s, b) == LQ_OK);
            pipeline_give(p, b);
            b = pipeline_take(p);
            cr_assert(commit(s, b) == LQ_OK);
        }
        pipeline_give(p, b);
        cr_assert(lines_of(s, &counter) == stats.n[STAT_LINES], "round %d", rounds);
        cr_assert(counter == stats.n[STAT_LINES]);
        if (!reached) {
            break;
        }
    }
    cr_assert(failures > 20, "only %d calls failed", failures);
    verify_store(s);
    feed_free(&f);
    pipeline_free(&p);
    store_close(&s);
    format_set_free(&formats.set);
    config_free(&c);
    remove_dir(dir);
}

Test(commit_fault, io_error) { every_call_fails(LQ_EIO); }
Test(commit_fault, no_space) { every_call_fails(LQ_ENOSPC); }
Test(commit_fault, map_full) { every_call_fails(LQ_ELIMIT); }

/* A clock that jumps: records keep their own times; what is far in the future goes to the receive time and is counted. */
Test(commit_fault, clock_jump)
{
    struct config *c = NULL;
    struct store *s = NULL;
    struct pipeline *p = NULL;
    struct feed *f = NULL;
    struct input_stats stats = {{0}};
    struct snapshot *snap = NULL;
    char dir[64];
    setup(&c, &s, dir, &p, &f, &stats);
    feed_syslog(f, LQ_STR("<13>1 2026-03-02T09:59:00Z h a - - - one"), (lq_str){"", 0});
    pipeline_now(p, 1772445600000000 - 3600LL * 1000000); /* an hour back: 09:59 is the future now */
    feed_syslog(f, LQ_STR("<13>1 2026-03-02T09:59:30Z h a - - - two"), (lq_str){"", 0});
    pipeline_settle(p);
    pipeline_now(p, 1772445600000000);
    feed_syslog(f, LQ_STR("<13>1 2099-01-01T00:00:00Z h a - - - three"), (lq_str){"", 0});
    pipeline_settle(p);
    struct batch *b = pipeline_take(p);
    cr_assert(commit(s, b) == LQ_OK);
    pipeline_give(p, b);
    cr_assert(snapshot_open(s, &snap, NULL) == LQ_OK);
    const struct stream_info *i = snapshot_stream_named(snap, "syslog");
    cr_assert(i != NULL && i->lines == 3);
    cr_assert(i->last_us <= 1772445600000000, "one line from 2099 moves the end of the data to %lld", (long long)i->last_us);
    cr_assert(snapshot_counter(snap, "future_time") >= 1);
    snapshot_close(&snap);
    feed_free(&f);
    pipeline_free(&p);
    store_close(&s);
    format_set_free(&formats.set);
    config_free(&c);
    remove_dir(dir);
}
