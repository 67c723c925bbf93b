/*
 * test_store_fault.c - every LMDB call of every operation fails once: the store is old or new, and the operation can be tried again
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/support/store_support.h"

#include "store/engine.h"

static const enum lq_err codes[] = {LQ_EIO, LQ_ENOSPC, LQ_ELIMIT /* map full */};
enum { CODES = 3, CALLS_MAX = 5000 };

struct bench { /* an open store with observations */
    char dir[64];
    struct store *s;
    struct window *w;
    struct stream_use *u;
    struct lq_error e;
};

static void observe(struct bench *b, uint32_t from, uint32_t to)
{
    struct generated g;
    for (uint32_t i = from; i < to; i++) {
        generate(i, &g);
        window_observe(b->w, b->u, &g.r);
    }
}

static void open_bench(struct bench *b, uint32_t direct)
{
    memset(b, 0, sizeof *b);
    temp_dir(b->dir);
    b->s = open_store(b->dir, (struct store_options){.bucket_cells_max = direct});
    cr_assert(window_new(b->s, &b->w, &b->e) == LQ_OK && stream_use_open(b->s, &web_schema, &b->u, &b->e) == LQ_OK);
}

static void close_bench(struct bench *b)
{
    window_free(&b->w);
    stream_use_close(&b->u);
    store_close(&b->s);
    remove_dir(b->dir);
}

static enum lq_err flush(struct bench *b)
{
    struct checkpoint cp = {.key = LQ_STR("source"), .offset = 77};
    struct counter_delta counter = {"lines", 1};
    return store_flush(b->s, &b->w, 1, &cp, 1, &counter, 1, 1, &b->e);
}

static void expected(uint32_t to, char hex[33])
{
    struct bench b;
    bool capped;
    open_bench(&b, 0);
    observe(&b, 0, to);
    cr_assert(flush(&b) == LQ_OK);
    digest_of(b.s, hex, &capped);
    close_bench(&b);
}

/* The operation with its n-th call failing, n = 1, 2, …, until it succeeds; after each failure the store has the content `before`. */
static void fail_each_call(struct bench *b, const char *what, enum lq_err (*op)(struct bench *), enum lq_err code, const char *before, const char *after)
{
    char hex[33];
    bool capped, done = false;
    for (uint64_t n = 1; !done; n++) {
        b->e = (struct lq_error){0};
        engine_fault_at(n, code);
        enum lq_err err = op(b);
        done = engine_fault_calls() < n; /* it needs fewer calls: nothing failed */
        engine_fault_at(0, LQ_OK);
        cr_assert(done == (err == LQ_OK), "%s, call %llu, code %d: %d %s", what, (unsigned long long)n, code, err, b->e.msg);
        cr_expect(done || (b->e.msg[0] != '\0' && (err == LQ_EIO) == (code == LQ_EIO)), "%s, call %llu: %s", what, (unsigned long long)n, b->e.msg);
        digest_of(b->s, hex, &capped);
        cr_assert(strcmp(hex, done ? after : before) == 0, "%s, call %llu: neither old nor new", what, (unsigned long long)n);
        cr_assert(n < CALLS_MAX);
    }
    verify_store(b->s);
}

Test(store_fault, every_call_of_a_flush, .timeout = 250)
{
    enum { OLD = 150, NEW = 300 };
    char before[33], after[33];
    expected(OLD, before);
    expected(NEW, after);
    for (int i = 0; i < 2 * CODES; i++) {
        struct bench b;
        open_bench(&b, i < CODES ? 0 : 100 /* larger flushes go straight into the tiers */);
        observe(&b, 0, OLD);
        cr_assert(flush(&b) == LQ_OK);
        observe(&b, OLD, NEW);
        fail_each_call(&b, i < CODES ? "delta" : "direct", flush, codes[i % CODES], before, after);
        close_bench(&b);
    }
}

static enum lq_err maintain_due(struct bench *b)
{
    enum lq_err err = LQ_OK;
    for (bool more = true; more && err == LQ_OK;) {
        err = store_maintain(b->s, 4, MAINTAIN_DUE, &more, &b->e);
    }
    return err;
}

static enum lq_err maintain_all(struct bench *b)
{
    enum lq_err err = LQ_OK;
    for (bool more = true; more && err == LQ_OK;) {
        err = store_maintain(b->s, 4, MAINTAIN_ALL, &more, &b->e);
    }
    return err;
}

Test(store_fault, every_call_of_the_maintenance, .timeout = 250)
{
    enum { RECORDS = 900 }; /* almost two hours: deltas are folded, hours closed, fragments merged */
    char want[33];
    expected(RECORDS, want);
    for (int i = 0; i < CODES; i++) {
        struct bench b;
        open_bench(&b, 0);
        for (uint32_t n = 0; n < RECORDS; n += 10) {
            observe(&b, n, n + 10);
            cr_assert(flush(&b) == LQ_OK);
        }
        fail_each_call(&b, "due", maintain_due, codes[i], want, want);
        fail_each_call(&b, "all", maintain_all, codes[i], want, want);
        close_bench(&b);
    }
}

static enum lq_err add_marker(struct bench *b)
{
    struct marker m = {.time_us = 1772445600000000, .kind = LQ_STR("note"), .name = LQ_STR("x"), .text = LQ_STR("text")};
    return store_marker_add(b->s, &m, &b->e);
}

static enum lq_err read_checkpoint(struct bench *b)
{
    struct checkpoint cp;
    struct lq_arena mem = {0};
    enum lq_err err = store_checkpoint_get(b->s, LQ_STR("source"), &cp, &mem, &b->e);
    cr_expect(err != LQ_OK || cp.offset == 77);
    lq_arena_fini(&mem);
    return err;
}

static enum lq_err reopen(struct bench *b)
{
    struct store_options o = {.write = true, .no_sync = true, .map_bytes = 1U << 30};
    window_free(&b->w);
    stream_use_close(&b->u);
    store_close(&b->s);
    enum lq_err err = store_open(b->dir, &o, &b->s, &b->e);
    if (err != LQ_OK) { /* the store as it is, for who looks */
        uint64_t calls = engine_fault_calls();
        engine_fault_at(0, LQ_OK);
        b->s = open_store(b->dir, (struct store_options){0});
        engine_fault_at(UINT64_MAX, LQ_OK);
        while (engine_fault_calls() < calls) {
            struct snapshot *snap = NULL;
            struct lq_error e = {0};
            cr_assert(snapshot_open(b->s, &snap, &e) == LQ_OK);
            snapshot_close(&snap);
        }
    }
    return err;
}

static enum lq_err read_all(struct bench *b)
{
    struct snapshot *snap = NULL;
    struct lq_buf report = {0};
    char hex[33];
    bool capped;
    enum lq_err err = snapshot_open(b->s, &snap, &b->e);
    if (err == LQ_OK) {
        err = debug_digest(snap, hex, &capped, &b->e);
    }
    if (err == LQ_OK) {
        err = debug_verify(snap, &report, &b->e);
    }
    if (err == LQ_OK) {
        err = snapshot_check(snap, &b->e);
    }
    lq_buf_fini(&report);
    snapshot_close(&snap);
    return err;
}

static enum lq_err backup(struct bench *b)
{
    char dir[64];
    uint64_t bytes = 0;
    temp_dir(dir);
    enum lq_err err = store_backup(b->s, dir, &bytes, &b->e);
    cr_expect(err == LQ_OK || rmdir(dir) == 0, "a failed backup leaves nothing");
    remove_dir(dir);
    return err;
}

Test(store_fault, every_call_of_reading_opening_marking_and_copying, .timeout = 250)
{
    enum { RECORDS = 200 };
    char want[33];
    expected(RECORDS, want);
    for (int i = 0; i < CODES; i++) {
        struct bench b;
        open_bench(&b, 0);
        observe(&b, 0, RECORDS / 2);
        cr_assert(flush(&b) == LQ_OK && maintain_all(&b) == LQ_OK);
        observe(&b, RECORDS / 2, RECORDS);
        cr_assert(flush(&b) == LQ_OK);
        fail_each_call(&b, "marker", add_marker, codes[i], want, want);
        fail_each_call(&b, "checkpoint", read_checkpoint, codes[i], want, want);
        fail_each_call(&b, "read", read_all, codes[i], want, want);
        fail_each_call(&b, "backup", backup, codes[i], want, want);
        fail_each_call(&b, "open", reopen, codes[i], want, want);
        close_bench(&b);
    }
}

/* ---- damage ---- */

static void write_file(const char *path, const char *p, size_t n)
{
    FILE *f = fopen(path, "wb");
    cr_assert(f != NULL && fwrite(p, 1, n, f) == n && fclose(f) == 0);
}

static void read_file(const char *path, struct lq_buf *out)
{
    FILE *f = fopen(path, "rb");
    char p[4096];
    lq_buf_clear(out);
    cr_assert(f != NULL);
    for (size_t n; (n = fread(p, 1, sizeof p, f)) > 0;) {
        lq_buf_add(out, p, n);
    }
    fclose(f);
}

static struct lq_error open_error(const char *dir, bool write)
{
    struct store_options o = {.write = write, .map_bytes = 1U << 30};
    struct store *s = NULL;
    struct snapshot *snap = NULL;
    struct lq_error e = {0};
    enum lq_err err = store_open(dir, &o, &s, &e);
    if (err == LQ_OK) {
        err = snapshot_open(s, &snap, &e);
    }
    snapshot_close(&snap);
    store_close(&s);
    cr_expect(err == e.code);
    return e;
}

/* In each database each value, one byte of it turned over: verify names the damage. */
Test(store_fault, every_flipped_byte_is_found, .timeout = 250)
{
    struct bench b;
    struct engine_options eo = {.write = true, .create = true, .no_sync = true, .map_bytes = 1U << 28};
    struct lq_buf path = {0}, good = {0}, k = {0}, v = {0};
    uint32_t flipped = 0, of_db[DBS] = {0};
    open_bench(&b, 0);
    observe(&b, 0, 200);
    cr_assert(flush(&b) == LQ_OK && maintain_all(&b) == LQ_OK && add_marker(&b) == LQ_OK);
    observe(&b, 200, 300);
    cr_assert(flush(&b) == LQ_OK);
    window_free(&b.w);
    stream_use_close(&b.u);
    store_close(&b.s);
    lq_buf_printf(&path, "%s/data.mdb%c", b.dir, 0);
    read_file(path.p, &good);
    for (bool end = false; !end; flipped++) { /* the flipped-th value of all databases */
        struct engine *g = NULL;
        struct engine_txn *t = NULL;
        struct engine_cursor *c = NULL;
        lq_str key, value;
        uint32_t n = 0;
        end = true;
        write_file(path.p, good.p, good.n);
        cr_assert(engine_open(b.dir, &eo, &g, &b.e) == LQ_OK && engine_begin(g, true, &t, &b.e) == LQ_OK, "%s", b.e.msg);
        for (int db = 0; db < DBS && end; db++) {
            cr_assert(engine_cursor_open(t, (enum engine_db)db, &c, &b.e) == LQ_OK);
            for (enum lq_err err = engine_seek(c, LQ_STR("\0"), &key, &value, &b.e); err == LQ_OK && end; err = engine_next(c, &key, &value, &b.e)) {
                if (n++ < flipped) {
                    continue;
                }
                end = false;
                of_db[db]++;
                lq_buf_clear(&k);
                lq_buf_clear(&v);
                lq_buf_add(&k, key.p, key.n);
                lq_buf_add(&v, value.p, value.n);
                char *byte = &v.p[mix(flipped) % v.n];
                *byte = (char)(*byte ^ (1 << mix(flipped + 1) % 8));
                engine_cursor_close(&c);
                cr_assert(engine_put(t, (enum engine_db)db, (lq_str){k.p, k.n}, (lq_str){v.p, v.n}, &b.e) == LQ_OK);
                break;
            }
            engine_cursor_close(&c);
        }
        cr_assert(engine_commit(&t, &b.e) == LQ_OK);
        engine_close(&g);
        if (end) {
            break;
        }
        struct store *s = NULL;
        struct snapshot *snap = NULL;
        struct lq_buf report = {0};
        struct store_options o = {.map_bytes = 1U << 28};
        enum lq_err err = store_open(b.dir, &o, &s, &b.e);
        err = err == LQ_OK ? snapshot_open(s, &snap, &b.e) : err;
        err = err == LQ_OK ? debug_verify(snap, &report, &b.e) : err;
        cr_expect(err == LQ_ECORRUPT && strstr(b.e.msg, "damaged") != NULL, "value %u: %d %s", flipped, err, b.e.msg);
        lq_buf_fini(&report);
        snapshot_close(&snap);
        store_close(&s);
    }
    for (int db = 0; db < DBS; db++) {
        cr_expect(of_db[db] > 0, "database %d has no value to damage", db);
    }
    lq_buf_fini(&path);
    lq_buf_fini(&good);
    lq_buf_fini(&k);
    lq_buf_fini(&v);
    remove_dir(b.dir);
}

/*
 * Power loss: at any moment of a commit the file holds the last commit whole, and any part of the pages of the next one (LMDB writes pages that
 * nothing refers to yet, syncs, and only then its head). So: old heads, a random choice of new pages, one of them torn.
 */
Test(store_fault, power_loss_leaves_the_last_commit, .timeout = 250)
{
    enum { PAGE = 4096, ROUNDS = 12, MIXES = 4 };
    struct bench b;
    struct lq_buf path = {0}, old = {0}, new = {0}, mixed = {0};
    char before[33], after[33], hex[33], dir[64], copy[128];
    bool capped;
    open_bench(&b, 40);
    lq_buf_printf(&path, "%s/data.mdb%c", b.dir, 0);
    observe(&b, 0, 30);
    cr_assert(flush(&b) == LQ_OK);
    temp_dir(dir);
    snprintf(copy, sizeof copy, "%s/data.mdb", dir);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        digest_of(b.s, before, &capped);
        read_file(path.p, &old);
        observe(&b, 30 + round * 50, 30 + round * 50 + (round % 3 == 0 ? 50 : 20));
        cr_assert(flush(&b) == LQ_OK && (round % 2 == 0 || maintain_all(&b) == LQ_OK));
        digest_of(b.s, after, &capped);
        read_file(path.p, &new);
        if (round % 2 != 0) {
            continue; /* several commits: heads of the middle are not at hand */
        }
        for (uint32_t m = 0; m < MIXES; m++) {
            lq_buf_clear(&mixed);
            lq_buf_add(&mixed, old.p, old.n);
            for (size_t p = 2; (p + 1) * PAGE <= new.n; p++) {
                uint64_t z = mix(round * 1000003 + m * 7919 + p);
                if (z % 3 == 0) {
                    continue; /* this page did not reach the disk */
                }
                size_t at = p * PAGE, n = z % 3 == 1 ? PAGE : 512 * (z >> 8 & 7);
                while (mixed.n < at) {
                    lq_buf_byte(&mixed, 0);
                }
                if (mixed.n < at + PAGE) {
                    lq_buf_add(&mixed, new.p + at, PAGE);
                } else {
                    memcpy(mixed.p + at, new.p + at, n);
                }
            }
            write_file(copy, mixed.p, mixed.n);
            struct store *s = open_store(dir, (struct store_options){0});
            digest_of(s, hex, &capped);
            cr_expect(strcmp(hex, before) == 0, "round %u, mix %u", round, m);
            verify_store(s);
            store_close(&s);
        }
        write_file(copy, new.p, new.n);
        struct store *s = open_store(dir, (struct store_options){0});
        digest_of(s, hex, &capped);
        cr_expect(strcmp(hex, after) == 0, "round %u: whole", round);
        store_close(&s);
    }
    lq_buf_fini(&path);
    lq_buf_fini(&old);
    lq_buf_fini(&new);
    lq_buf_fini(&mixed);
    remove_dir(dir);
    close_bench(&b);
}

Test(store_fault, garbage_and_truncated_files_are_refused_untouched)
{
    struct bench b;
    struct lq_buf path = {0}, good = {0}, now = {0};
    char *garbage = malloc(100000);
    open_bench(&b, 40);
    observe(&b, 0, 12000);
    cr_assert(flush(&b) == LQ_OK);
    window_free(&b.w);
    stream_use_close(&b.u);
    store_close(&b.s);
    lq_buf_printf(&path, "%s/data.mdb%c", b.dir, 0);
    read_file(path.p, &good);
    cr_assert(garbage != NULL && good.n > 300000);
    for (size_t i = 0; i < 100000; i++) {
        garbage[i] = (char)mix(i);
    }
    for (int write = 0; write < 2; write++) {
        write_file(path.p, garbage, 100000);
        struct lq_error e = open_error(b.dir, write != 0);
        cr_expect(e.code == LQ_ECORRUPT && strstr(e.msg, b.dir) != NULL && e.hint[0] != '\0', "garbage: %d %s", e.code, e.msg);
        read_file(path.p, &now);
        cr_expect(now.n == 100000 && memcmp(now.p, garbage, now.n) == 0, "garbage stays as it is");
        for (size_t n = 8192; n < good.n - 100000; n += good.n / 7) {
            write_file(path.p, good.p, n);
            e = open_error(b.dir, write != 0);
            cr_expect(e.code == LQ_ECORRUPT && strstr(e.msg, "lacks its last") != NULL, "%zu bytes left: %d %s", n, e.code, e.msg);
            read_file(path.p, &now);
            cr_expect(now.n == n && memcmp(now.p, good.p, n) == 0);
        }
        write_file(path.p, good.p, good.n);
        e = open_error(b.dir, write != 0);
        cr_expect(e.code == LQ_OK, "%s", e.msg);
    }
    free(garbage);
    lq_buf_fini(&path);
    lq_buf_fini(&good);
    lq_buf_fini(&now);
    remove_dir(b.dir);
}

Test(store_fault, a_second_writer_and_a_newer_store_are_refused)
{
    struct bench b;
    open_bench(&b, 0);
    struct lq_error e = open_error(b.dir, true);
    cr_expect(e.code == LQ_EBUSY && strstr(e.msg, "pid") != NULL && e.hint[0] != '\0', "%s", e.msg);
    window_free(&b.w);
    stream_use_close(&b.u);
    store_close(&b.s);

    struct engine_options eo = {.write = true, .create = true, .no_sync = true, .map_bytes = 1U << 28};
    struct engine *g = NULL;
    struct engine_txn *t = NULL;
    cr_assert(engine_open(b.dir, &eo, &g, &e) == LQ_OK && engine_begin(g, true, &t, &e) == LQ_OK);
    cr_assert(engine_put_sealed(t, DB_META, LQ_STR("version"), LQ_STR("\x63"), &e) == LQ_OK && engine_commit(&t, &e) == LQ_OK);
    engine_close(&g);
    for (int write = 0; write < 2; write++) {
        e = open_error(b.dir, write != 0);
        cr_expect(e.code == LQ_EVERSION && strstr(e.msg, "99") != NULL && e.hint[0] != '\0', "%s", e.msg);
    }
    remove_dir(b.dir);
}
