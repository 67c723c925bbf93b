/*
 * test_store_fault.c - every LMDB call of a flush fails once: the store is old or new, and the flush can be tried again
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/support/store_support.h"

#include "store/engine.h"

static void observe(struct window *w, struct stream_use *u, uint32_t from, uint32_t to)
{
    struct generated g;
    for (uint32_t i = from; i < to; i++) {
        generate(i, &g);
        window_observe(w, u, &g.r);
    }
}

static void expected(uint32_t to, char hex[33])
{
    char dir[64];
    bool capped;
    struct window *w = NULL;
    struct stream_use *u = NULL;
    struct lq_error e = {0};
    temp_dir(dir);
    struct store *s = open_store(dir, (struct store_options){0});
    cr_assert(window_new(s, &w, &e) == LQ_OK && stream_use_open(s, &web_schema, &u, &e) == LQ_OK);
    observe(w, u, 0, to);
    cr_assert(store_flush(s, &w, 1, NULL, 0, NULL, 0, 1, &e) == LQ_OK);
    digest_of(s, hex, &capped);
    window_free(&w);
    stream_use_close(&u);
    store_close(&s);
    remove_dir(dir);
}

Test(store_fault, every_call_of_a_flush_fails_once, .timeout = 250)
{
    static const enum lq_err codes[] = {LQ_EIO, LQ_ENOSPC, LQ_ELIMIT /* map full */};
    enum { OLD = 150, NEW = 300 };
    char before[33], after[33], hex[33], dir[64];
    struct checkpoint cp = {.key = LQ_STR("source"), .offset = 77};
    struct counter_delta counter = {"lines", NEW};
    bool capped, done = false;
    expected(OLD, before);
    expected(NEW, after);
    for (uint64_t n = 1; !done; n++) {
        struct window *w = NULL;
        struct stream_use *u = NULL;
        struct lq_error e = {0};
        temp_dir(dir);
        struct store *s = open_store(dir, (struct store_options){0});
        cr_assert(window_new(s, &w, &e) == LQ_OK && stream_use_open(s, &web_schema, &u, &e) == LQ_OK);
        observe(w, u, 0, OLD);
        cr_assert(store_flush(s, &w, 1, NULL, 0, NULL, 0, 1, &e) == LQ_OK);
        observe(w, u, OLD, NEW);
        engine_fault_at(n, codes[n % 3]);
        enum lq_err err = store_flush(s, &w, 1, &cp, 1, &counter, 1, 1, &e);
        done = engine_fault_calls() < n; /* the flush needs fewer calls: nothing failed */
        engine_fault_at(0, LQ_OK);
        cr_expect(done == (err == LQ_OK), "call %llu: %s", (unsigned long long)n, e.msg);
        digest_of(s, hex, &capped);
        cr_assert(strcmp(hex, done ? after : before) == 0, "call %llu: neither old nor new", (unsigned long long)n);
        verify_store(s);
        if (!done) {
            cr_assert(store_flush(s, &w, 1, &cp, 1, &counter, 1, 1, &e) == LQ_OK, "call %llu: the second try: %s", (unsigned long long)n, e.msg);
            digest_of(s, hex, &capped);
            cr_assert(strcmp(hex, after) == 0, "call %llu: the second try gives other content", (unsigned long long)n);
        }
        window_free(&w);
        stream_use_close(&u);
        store_close(&s);
        remove_dir(dir);
        cr_assert(n < 2000);
    }
}

Test(store_fault, a_second_writer_and_a_newer_store_are_refused)
{
    char dir[64];
    struct store *second = NULL;
    struct lq_error e = {0};
    struct store_options o = {.write = true, .map_bytes = 1U << 28};
    temp_dir(dir);
    struct store *s = open_store(dir, (struct store_options){0});
    cr_expect(store_open(dir, &o, &second, &e) == LQ_EBUSY, "%s", e.msg);
    cr_expect(strstr(e.msg, "pid") != NULL && e.hint[0] != '\0');
    store_close(&s);

    struct engine_options eo = {.write = true, .create = true, .no_sync = true, .map_bytes = 1U << 28};
    struct engine *g = NULL;
    struct engine_txn *t = NULL;
    cr_assert(engine_open(dir, &eo, &g, &e) == LQ_OK && engine_begin(g, true, &t, &e) == LQ_OK);
    cr_assert(engine_put_sealed(t, DB_META, LQ_STR("version"), LQ_STR("\x63"), &e) == LQ_OK && engine_commit(&t, &e) == LQ_OK);
    engine_close(&g);
    cr_expect(store_open(dir, &o, &second, &e) == LQ_EVERSION, "%s", e.msg);
    remove_dir(dir);
}

Test(store_fault, a_flipped_byte_is_found)
{
    char dir[64];
    struct window *w = NULL;
    struct stream_use *u = NULL;
    struct lq_error e = {0};
    temp_dir(dir);
    struct store *s = open_store(dir, (struct store_options){0});
    cr_assert(window_new(s, &w, &e) == LQ_OK && stream_use_open(s, &web_schema, &u, &e) == LQ_OK);
    observe(w, u, 0, 200);
    cr_assert(store_flush(s, &w, 1, NULL, 0, NULL, 0, 1, &e) == LQ_OK);
    window_free(&w);
    stream_use_close(&u);
    store_close(&s);

    struct engine_options eo = {.write = true, .create = true, .no_sync = true, .map_bytes = 1U << 28};
    struct engine *g = NULL;
    struct engine_txn *t = NULL;
    struct engine_cursor *c = NULL;
    lq_str key, value;
    struct lq_buf k = {0}, v = {0};
    cr_assert(engine_open(dir, &eo, &g, &e) == LQ_OK && engine_begin(g, true, &t, &e) == LQ_OK && engine_cursor_open(t, DB_DATA, &c, &e) == LQ_OK);
    cr_assert(engine_seek(c, LQ_STR("\1"), &key, &value, &e) == LQ_OK);
    lq_buf_add(&k, key.p, key.n);
    lq_buf_add(&v, value.p, value.n);
    v.p[v.n / 2] = (char)(v.p[v.n / 2] ^ 4);
    engine_cursor_close(&c);
    cr_assert(engine_put(t, DB_DATA, (lq_str){k.p, k.n}, (lq_str){v.p, v.n}, &e) == LQ_OK && engine_commit(&t, &e) == LQ_OK);
    engine_close(&g);
    lq_buf_fini(&k);
    lq_buf_fini(&v);

    struct snapshot *snap = NULL;
    struct lq_buf report = {0};
    s = open_store(dir, (struct store_options){0});
    cr_assert(snapshot_open(s, &snap, &e) == LQ_OK);
    cr_expect(debug_verify(snap, &report, &e) == LQ_ECORRUPT && strstr(e.msg, "damaged") != NULL, "%s", e.msg);
    lq_buf_fini(&report);
    snapshot_close(&snap);
    store_close(&s);
    remove_dir(dir);
}
