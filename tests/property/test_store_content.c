/*
 * test_store_content.c - the same records give the same content: any order, any number of windows and flushes, compacted or not, reopened
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/store_int.h"
#include "tests/support/store_support.h"

enum { RECORDS = 6000 };

static uint64_t memo_number(const struct record *r)
{
    uint64_t h = r->success + 2U * r->error + 5;
    for (uint32_t d = 0; d < web_schema.n_dims; d++) {
        h = lq_hash(r->dims[d].p, r->dims[d].n, h);
    }
    return h;
}

static void maintain(struct store *s, enum maintain how)
{
    struct lq_error e = {0};
    for (bool more = true; more;) {
        cr_assert(store_maintain(s, 3, how, &more, &e) == LQ_OK, "%s", e.msg);
    }
}

struct way { /* how the records come */
    uint32_t stride; /* order: a permutation by multiplication */
    uint32_t windows, flushes; /* windows take records in turn */
    bool maintained; /* after each flush, as a daemon does */
    uint32_t direct; /* flushes with more observations go into the tiers at once; 0 = the default */
    bool memo;       /* records carry their memo */
};

static void fill(struct store *s, const struct way *x)
{
    struct window *w[4];
    struct stream_use *u = NULL;
    struct lq_error e = {0};
    struct generated g;
    cr_assert(stream_use_open(s, &web_schema, &u, &e) == LQ_OK, "%s", e.msg);
    for (uint32_t i = 0; i < x->windows; i++) {
        cr_assert(window_new(s, &w[i], &e) == LQ_OK);
    }
    for (uint32_t i = 0; i < RECORDS; i++) {
        generate((uint32_t)((uint64_t)i * x->stride % RECORDS), &g);
        g.r.memo = x->memo ? memo_number(&g.r) : 0;
        window_observe(w[i % x->windows], u, &g.r);
        if ((i + 1) % (RECORDS / x->flushes) == 0) {
            cr_assert(store_flush(s, w, x->windows, NULL, 0, NULL, 0, x->windows, &e) == LQ_OK, "%s", e.msg);
            if (x->maintained) {
                maintain(s, MAINTAIN_DUE);
            }
        }
    }
    cr_assert(store_flush(s, w, x->windows, NULL, 0, NULL, 0, x->windows, &e) == LQ_OK, "%s", e.msg);
    for (uint32_t i = 0; i < x->windows; i++) {
        window_free(&w[i]);
    }
    stream_use_close(&u);
}

static void expect_digest(struct store *s, const char *want, size_t way, const char *when)
{
    char hex[33];
    bool capped;
    digest_of(s, hex, &capped);
    cr_expect(!capped && strcmp(want, hex) == 0, "way %zu, %s: %s, not %s", way, when, hex, want);
    verify_store(s);
}

Test(store_content, digest_does_not_depend_on_how_the_records_came, .timeout = 250)
{
    static const struct way ways[] = {
        {1, 1, 1, false, RECORDS - 1, false}, /* one flush, straight into the tiers */
        {1, 1, 1, false, 0, false},           /* one delta */
        {5999, 1, 1, false, 0, false},        {7, 3, 4, false, 0, false},         {1, 4, 10, false, 1000, false}, {1201, 2, 3, false, 0, false},
        {1, 1, 1000, true, 0, false},         /* a daemon */
        {7, 2, 300, true, 0, false},          /* lines come hours late */
        {1, 2, 400, true, 10, false},         /* deltas and large flushes mixed */
        {1, 1, 1, false, 0, true},            {1201, 2, 3, false, 10, true},      {5999, 1, 2, false, 0, true},
    };
    char first[33] = "", dir[64];
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        bool capped, more = true;
        temp_dir(dir);
        struct store *s = open_store(dir, (struct store_options){.bucket_cells_max = ways[i].direct});
        fill(s, &ways[i]);
        if (i == 0) {
            digest_of(s, first, &capped);
        }
        expect_digest(s, first, i, "written");
        store_close(&s);
        s = open_store(dir, (struct store_options){0});
        expect_digest(s, first, i, "reopened");
        maintain(s, MAINTAIN_ALL);
        expect_digest(s, first, i, "maintained");
        while (more) {
            cr_assert(store_compact(s, 5, &more, NULL) == LQ_OK);
        }
        expect_digest(s, first, i, "compacted");
        store_close(&s);
        s = open_store(dir, (struct store_options){0});
        expect_digest(s, first, i, "reopened again");
        store_close(&s);
        remove_dir(dir);
    }
}

/* Values in the store, those of one section; none is larger than a part may be. */
static size_t parts_of(struct store *s, int section)
{
    struct engine_txn *t = NULL;
    struct engine_cursor *c = NULL;
    struct lq_error e = {0};
    lq_str key, value;
    size_t n = 0;
    cr_assert(engine_begin(s->engine, false, &t, &e) == LQ_OK && engine_cursor_open(t, DB_DATA, &c, &e) == LQ_OK);
    for (enum lq_err err = engine_seek(c, LQ_STR("\0"), &key, &value, &e); err == LQ_OK; err = engine_next(c, &key, &value, &e)) {
        cr_expect(value.n <= FRAGMENT_BYTES_MAX, "%zu bytes", value.n);
        n += key.p[3] == section;
    }
    engine_cursor_close(&c);
    engine_abort(&t);
    return n;
}

/* So many routes in one hour that its fragments do not fit into a value; the same routes again in a second flush. */
static void fill_wide(struct store *s, bool delta)
{
    enum { WIDE = 40000, TURNS = 2, FLUSH = 2 * WIDE };
    struct window *w = NULL;
    struct stream_use *u = NULL;
    struct lq_error e = {0};
    struct generated g;
    cr_assert(window_new(s, &w, &e) == LQ_OK && stream_use_open(s, &web_schema, &u, &e) == LQ_OK);
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        for (uint32_t i = 0; i < FLUSH; i++) {
            generate(i % WIDE, &g);
            snprintf(g.route, sizeof g.route, "/wide%u", i % WIDE);
            g.dims[6] = lq_str_of(g.route);
            g.r.time_us = 1772445600000000 + (int64_t)(i % WIDE % 3000) * 1000000;
            window_observe(w, u, &g.r);
            if (delta && i % 8000 == 0) {
                cr_assert(store_flush(s, &w, 1, NULL, 0, NULL, 0, 1, &e) == LQ_OK, "%s", e.msg);
            }
        }
        cr_assert(store_flush(s, &w, 1, NULL, 0, NULL, 0, 1, &e) == LQ_OK, "%s", e.msg);
    }
    window_free(&w);
    stream_use_close(&u);
}

Test(store_content, large_fragments_are_kept_in_parts, .timeout = 250)
{
    struct store_options o = {.dim_values_max = 100000, .series_max = 100000, .bucket_cells_max = 60000}; /* a flush of more observations goes into the tiers at once */
    char dir[64], first[33];
    bool capped;
    size_t before = 0;
    for (int delta = 0; delta < 2; delta++) {
        temp_dir(dir);
        struct store *s = open_store(dir, o);
        fill_wide(s, delta != 0);
        if (delta == 0) {
            digest_of(s, first, &capped);
            before = parts_of(s, FOLD_CELLS);
            cr_expect(!capped && before > 3 * 8, "%zu parts", before); /* two flushes: of six periods of 10 min, an hour, a day */
        }
        expect_digest(s, first, (size_t)delta, "written");
        maintain(s, MAINTAIN_ALL);
        for (bool more = true; more;) {
            cr_assert(store_compact(s, 5, &more, NULL) == LQ_OK);
        }
        expect_digest(s, first, (size_t)delta, "compacted");
        cr_expect(parts_of(s, FOLD_CELLS) < before, "%zu of %zu parts", parts_of(s, FOLD_CELLS), before);
        store_close(&s);
        s = open_store(dir, o);
        fill_wide(s, false); /* numbers do not meet those of parts */
        verify_store(s);
        maintain(s, MAINTAIN_ALL);
        verify_store(s);
        store_close(&s);
        remove_dir(dir);
    }
}

/* Every tier's totals and cells against plain counting. */
Test(store_content, cells_equal_a_reference_model)
{
    char dir[64];
    struct lq_error e = {0};
    struct snapshot *snap = NULL;
    temp_dir(dir);
    struct store *s = open_store(dir, (struct store_options){0});
    fill(s, &(struct way){7, 2, 300, true, 0, false});
    cr_assert(snapshot_open(s, &snap, &e) == LQ_OK);
    for (int tier = 0; tier < TIERS; tier++) {
        struct scan *c = NULL;
        const struct fragment *f;
        int64_t period;
        uint64_t count = 0, bins = 0, want_bins = 0;
        int64_t bytes = 0, want_bytes = 0, slowest = 0, want_slowest = 0;
        for (uint32_t i = 0; i < RECORDS; i++) {
            struct generated g;
            generate(i, &g);
            want_bytes += g.r.measures[0];
            if ((g.r.measure_set & 2) != 0) {
                want_bins++;
                want_slowest = g.r.measures[1] > want_slowest ? g.r.measures[1] : want_slowest;
            }
        }
        cr_assert(scan_open(snap, 0, tier, SECTION_TOTALS, INT64_MIN / 4, INT64_MAX / 4, FRAGMENT_ALL, &c, &e) == LQ_OK);
        while (scan_next(c, &f, &period, &e) == LQ_OK && f != NULL) {
            for (uint32_t r = 0; r < f->rows; r++) {
                struct bin one;
                size_t n;
                const struct bin *b = fragment_bins(&f->m[1], r, &one, &n);
                count += f->count[r];
                bytes += f->m[0].sum[r];
                slowest = f->m[1].n[r] > 0 && f->m[1].max[r] > slowest ? f->m[1].max[r] : slowest;
                for (size_t k = 0; k < n; k++) {
                    bins += b[k].n;
                }
            }
        }
        scan_close(&c);
        cr_expect(count == RECORDS && bytes == want_bytes && slowest == want_slowest && bins == want_bins, "tier %d: %llu %lld", tier,
                  (unsigned long long)count, (long long)bytes);
    }
    snapshot_close(&snap);
    store_close(&s);
    remove_dir(dir);
}

Test(store_content, caps_do_not_blind)
{
    char dir[64], name[32];
    struct lq_error e = {0};
    struct snapshot *snap = NULL;
    struct window *w = NULL;
    struct stream_use *u = NULL;
    struct generated g;
    temp_dir(dir);
    struct store *s = open_store(dir, (struct store_options){.dim_values_max = 100});
    cr_assert(window_new(s, &w, &e) == LQ_OK && stream_use_open(s, &web_schema, &u, &e) == LQ_OK);
    for (uint32_t i = 0; i < 3000; i++) { /* a scanner first, then real routes */
        generate(i, &g);
        bool real = i >= 2900;
        snprintf(name, sizeof name, real ? "/real%u" : "/scan%u", real ? i % 50 : i);
        g.dims[6] = lq_str_of(name);
        g.r.success = real;
        g.r.error = false;
        g.dims[0] = LQ_STR("false");
        window_observe(w, u, &g.r);
    }
    struct window *all[] = {w};
    cr_assert(store_flush(s, all, 1, NULL, 0, NULL, 0, 1, &e) == LQ_OK, "%s", e.msg);
    cr_assert(snapshot_open(s, &snap, &e) == LQ_OK);
    uint32_t real = 0, scanned = 0;
    for (uint32_t v = 2; v < snapshot_values(snap, 0, 6); v++) {
        bool is_real = memcmp(snapshot_value(snap, 0, 6, v)->text.p, "/real", 5) == 0;
        real += is_real;
        scanned += !is_real;
    }
    cr_expect(real == 50 && scanned == 25, "%u real routes, %u of the scanner", real, scanned);
    cr_expect(snapshot_value(snap, 0, 6, VALUE_OVERFLOW)->count == 2875, "the rest is counted under (overflow)");
    cr_expect(snapshot_counter(snap, "overflow_values") == 2875);
    snapshot_close(&snap);
    window_free(&w);
    stream_use_close(&u);
    store_close(&s);
    remove_dir(dir);
}

/* Fills a store that has room for 200 series with releases that have 150 each, all routes of one in use for days; then one with far too many. */
Test(store_content, old_series_do_not_keep_out_those_of_the_next_release)
{
    char dir[64], route[32], version[32];
    struct lq_error e = {0};
    struct snapshot *snap = NULL;
    struct window *w = NULL;
    struct stream_use *u = NULL;
    struct generated g;
    int64_t start = 1772000000;
    temp_dir(dir);
    struct store *s = open_store(dir, (struct store_options){.series_max = 200});
    cr_assert(window_new(s, &w, &e) == LQ_OK && stream_use_open(s, &web_schema, &u, &e) == LQ_OK);
    struct window *all[] = {w};
    for (uint32_t release = 0; release < 5; release++) {
        uint32_t routes = release < 4 ? 150 : 500;
        for (uint32_t i = 0; i < routes; i++) {
            generate(0, &g);
            g.r.time_us = (start + (int64_t)release * 4 * 86400 + i) * 1000000;
            g.dims[0] = LQ_STR("false");
            g.r.error = false;
            g.r.success = true;
            snprintf(route, sizeof route, "/r%u", i);
            snprintf(version, sizeof version, "%u.0", release);
            g.dims[6] = lq_str_of(route);
            g.dims[3] = lq_str_of(version);
            window_observe(w, u, &g.r);
        }
        cr_assert(store_flush(s, all, 1, NULL, 0, NULL, 0, 1, &e) == LQ_OK, "%s", e.msg);
        cr_assert(snapshot_open(s, &snap, &e) == LQ_OK);
        cr_expect(snapshot_counter(snap, "overflow_series") == (release < 4 ? 0 : 300), "release %u: %llu over", release,
                  (unsigned long long)snapshot_counter(snap, "overflow_series"));
        cr_expect(snapshot_n_series(snap, 0) == (release < 4 ? 150 * (release + 1) : 601 + 200), "release %u: %u series", release, snapshot_n_series(snap, 0));
        if (release == 4) { /* what is over the cap loses its route, not its version */
            const uint32_t *ids = snapshot_series(snap, 0, snapshot_n_series(snap, 0) - 1);
            cr_expect(ids[6] == VALUE_OVERFLOW && ids[3] != VALUE_OVERFLOW);
        }
        snapshot_close(&snap);
    }
    window_free(&w);
    stream_use_close(&u);
    store_close(&s);
    remove_dir(dir);
}

Test(store_content, a_line_from_the_future_expires_nothing)
{
    char dir[64];
    struct lq_error e = {0};
    struct window *w = NULL;
    struct stream_use *u = NULL;
    struct generated g;
    struct snapshot *snap = NULL;
    bool more;
    temp_dir(dir);
    struct store *s = open_store(dir, (struct store_options){0});
    cr_assert(window_new(s, &w, &e) == LQ_OK && stream_use_open(s, &web_schema, &u, &e) == LQ_OK);
    generate(1, &g);
    g.r.time_us = 4070908800000000; /* 2099 */
    window_observe(w, u, &g.r);
    for (uint32_t i = 0; i < 10; i++) {
        generate(i, &g);
        g.r.time_us = clock_now_us() - 1000000;
        window_observe(w, u, &g.r);
    }
    struct window *all[] = {w};
    cr_assert(store_flush(s, all, 1, NULL, 0, NULL, 0, 1, &e) == LQ_OK);
    cr_assert(store_retain(s, 100, &more, &e) == LQ_OK);
    cr_assert(snapshot_open(s, &snap, &e) == LQ_OK);
    cr_expect(snapshot_counter(snap, "future_time") == 1);
    cr_expect(snapshot_stream(snap, 0)->lines == 11 && snapshot_stream(snap, 0)->high_water_us < 4070908800000000);
    snapshot_close(&snap);
    window_free(&w);
    stream_use_close(&u);
    store_close(&s);
    remove_dir(dir);
}
