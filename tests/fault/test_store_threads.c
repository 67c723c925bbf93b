/*
 * test_store_threads.c - readers, observers and a backup while the writer flushes and maintains
 *
 * Each snapshot is one commit: its digest is computed and its counts verified, and no reader ever sees fewer lines than before.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>

#include "tests/support/store_support.h"

enum { READERS = 2, OBSERVERS = 2, ROUNDS = 60, EACH = 25 };

struct shared {
    struct store *s;
    _Atomic bool stop;
    _Atomic uint32_t bad, looks;
};

static void *read_on(void *ctx)
{
    struct shared *x = ctx;
    uint64_t before = 0;
    while (!x->stop) {
        struct snapshot *snap = NULL;
        struct lq_error e = {0};
        struct lq_buf report = {0};
        bool ok = snapshot_open(x->s, &snap, &e) == LQ_OK && debug_verify(snap, &report, &e) == LQ_OK && snapshot_check(snap, &e) == LQ_OK;
        uint64_t lines = ok && snapshot_streams(snap) > 0 ? snapshot_stream(snap, 0)->lines : 0;
        x->bad += !ok || lines < before;
        before = lines;
        x->looks++;
        lq_buf_fini(&report);
        snapshot_close(&snap);
    }
    return NULL;
}

struct observer { /* as an ingest loop: fills a window that only it touches, until the writer takes it */
    struct window *w;
    struct stream_use *u;
    uint32_t from;
};

static void *observe(void *ctx)
{
    struct observer *o = ctx;
    struct generated g;
    for (uint32_t i = 0; i < EACH; i++) {
        generate(o->from + i, &g);
        window_observe(o->w, o->u, &g.r);
    }
    return NULL;
}

Test(store_threads, readers_see_whole_commits, .timeout = 250)
{
    struct shared x = {0};
    struct observer o[2][OBSERVERS];
    pthread_t readers[READERS], observers[OBSERVERS];
    char dir[64], copy[64], a[33], b[33];
    struct lq_error e = {0};
    bool capped, more;
    uint64_t bytes = 0;
    temp_dir(dir);
    temp_dir(copy);
    x.s = open_store(dir, (struct store_options){0});
    for (int k = 0; k < 2 * OBSERVERS; k++) {
        struct observer *y = &o[k / OBSERVERS][k % OBSERVERS];
        cr_assert(window_new(x.s, &y->w, &e) == LQ_OK && stream_use_open(x.s, &web_schema, &y->u, &e) == LQ_OK);
    }
    for (int i = 0; i < READERS; i++) {
        cr_assert(pthread_create(&readers[i], NULL, read_on, &x) == 0);
    }
    for (uint32_t round = 0; round <= ROUNDS; round++) { /* one set of windows fills while the other is flushed */
        struct observer *filling = o[round % 2], *full = o[(round + 1) % 2];
        for (uint32_t i = 0; i < OBSERVERS && round < ROUNDS; i++) {
            filling[i].from = (round * OBSERVERS + i) * EACH;
            cr_assert(pthread_create(&observers[i], NULL, observe, &filling[i]) == 0);
        }
        struct window *w[OBSERVERS] = {full[0].w, full[1].w};
        cr_assert(store_flush(x.s, w, OBSERVERS, NULL, 0, NULL, 0, 1, &e) == LQ_OK, "%s", e.msg);
        cr_assert(store_maintain(x.s, 4, round % 10 == 9 ? MAINTAIN_ALL : MAINTAIN_DUE, &more, &e) == LQ_OK, "%s", e.msg);
        for (uint32_t i = 0; i < OBSERVERS && round < ROUNDS; i++) {
            pthread_join(observers[i], NULL);
        }
        if (round == ROUNDS / 2) {
            cr_assert(store_backup(x.s, copy, &bytes, &e) == LQ_OK, "%s", e.msg);
        }
    }
    while (x.looks < 2 * READERS) { /* each has looked */
    }
    x.stop = true;
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i], NULL);
    }
    cr_expect(x.bad == 0, "%u of %u looks were not whole", x.bad, x.looks);
    digest_of(x.s, a, &capped);
    verify_store(x.s);
    for (int k = 0; k < 2 * OBSERVERS; k++) {
        struct observer *y = &o[k / OBSERVERS][k % OBSERVERS];
        window_free(&y->w);
        stream_use_close(&y->u);
    }
    store_close(&x.s);
    /* the backup is one of the commits: what is missing may be loaded on top */
    struct observer rest = {0};
    x.s = open_store(copy, (struct store_options){0});
    struct snapshot *snap = NULL;
    cr_assert(snapshot_open(x.s, &snap, &e) == LQ_OK && snapshot_streams(snap) == 1);
    uint64_t have = snapshot_stream(snap, 0)->lines;
    snapshot_close(&snap);
    cr_assert(have == (ROUNDS / 2) * OBSERVERS * EACH && bytes > 0);
    cr_assert(window_new(x.s, &rest.w, &e) == LQ_OK && stream_use_open(x.s, &web_schema, &rest.u, &e) == LQ_OK);
    for (rest.from = (uint32_t)have; rest.from < ROUNDS * OBSERVERS * EACH; rest.from += EACH) {
        observe(&rest);
    }
    cr_assert(store_flush(x.s, &rest.w, 1, NULL, 0, NULL, 0, 1, &e) == LQ_OK);
    digest_of(x.s, b, &capped);
    cr_expect(strcmp(a, b) == 0);
    window_free(&rest.w);
    stream_use_close(&rest.u);
    store_close(&x.s);
    remove_dir(copy);
    remove_dir(dir);
}
