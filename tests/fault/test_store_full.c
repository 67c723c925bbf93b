/*
 * test_store_full.c - a store of limited size goes on for ever: retention makes room for each flush, also after a reader has kept old pages for a while
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/support/store_support.h"

enum { LIMIT_BYTES = 24 << 20, FLUSHES = 40, LINES = 140000 /* of a flush: into the tiers at once */, PER_SECOND = 300, HELD_FROM = 20, HELD_TO = 26, TRIES = 3 };

struct limited {
    struct store *s;
    struct window *w;
    struct stream_use *u;
    struct lq_error e;
    uint64_t lines;
    bool reader_holds;
};

static void observe(struct limited *x)
{
    struct generated g;
    for (uint32_t i = 0; i < LINES; i++, x->lines++) {
        generate((uint32_t)x->lines, &g);
        g.r.time_us = 1772445600000000 + (int64_t)(x->lines * 1000000 / PER_SECOND);
        window_observe(x->w, x->u, &g.r);
    }
}

/* As lqd does: what is due after each flush, and where there was no room, again. */
static bool flush(struct limited *x, unsigned tries)
{
    enum lq_err err = LQ_ENOSPC;
    for (unsigned i = 0; i < tries && err == LQ_ENOSPC; i++) {
        bool more = true;
        err = store_flush(x->s, &x->w, 1, NULL, 0, NULL, 0, 1, &x->e);
        cr_assert(err == LQ_OK || err == LQ_ENOSPC, "%s", x->e.msg);
        for (int k = 0; k < 64 && more; k++) {
            enum lq_err kept = store_maintain(x->s, 16, MAINTAIN_DUE, &more, &x->e);
            cr_assert(kept == LQ_OK || (kept == LQ_ENOSPC && x->reader_holds), "maintenance: %s", x->e.msg);
            more = more && kept == LQ_OK;
        }
    }
    return err == LQ_OK;
}

static uint64_t stored(struct snapshot *s)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        n += snapshot_stream(s, i)->lines;
    }
    return n;
}

Test(store_full, retention_makes_room)
{
    char dir[64];
    struct limited x = {0};
    struct snapshot *held = NULL, *last = NULL;
    struct store *reader = NULL;
    unsigned refused = 0;
    temp_dir(dir);
    x.s = open_store(dir, (struct store_options){.disk_bytes_max = LIMIT_BYTES});
    cr_assert(window_new(x.s, &x.w, &x.e) == LQ_OK && stream_use_open(x.s, &web_schema, &x.u, &x.e) == LQ_OK);
    cr_assert(store_open(dir, &(struct store_options){0}, &reader, &x.e) == LQ_OK);
    for (int i = 0; i < FLUSHES; i++) {
        if (i == HELD_FROM) {
            cr_assert(snapshot_open(reader, &held, &x.e) == LQ_OK);
        }
        if (i == HELD_TO) {
            snapshot_close(&held);
        }
        x.reader_holds = held != NULL;
        observe(&x);
        bool done = flush(&x, TRIES);
        refused += !done;
        cr_assert(done || held != NULL, "flush %d: %s", i, x.e.msg);
        while (!done) { /* the reader ends: then there is room */
            snapshot_close(&held);
            x.reader_holds = false;
            done = flush(&x, TRIES);
            cr_assert(done, "flush %d, after the reader: %s", i, x.e.msg);
        }
    }
    struct lq_buf report = {0};
    cr_assert(snapshot_open(reader, &last, &x.e) == LQ_OK);
    cr_assert(stored(last) == x.lines, "%llu of %llu lines", (unsigned long long)stored(last), (unsigned long long)x.lines);
    cr_assert(debug_verify(last, &report, &x.e) == LQ_OK, "%s", x.e.msg);
    cr_assert(snapshot_stream(last, 0)->tier_from_s[TIER_10S] > 0);
    printf("%d flushes, %u of them waited for a reader\n", FLUSHES, refused);
    snapshot_close(&last);
    lq_buf_fini(&report);
    window_free(&x.w);
    stream_use_close(&x.u);
    store_close(&reader);
    store_close(&x.s);
    remove_dir(dir);
}
