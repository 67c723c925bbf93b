/*
 * verify.c - lq debug verify: every byte of every value, and what must agree
 *
 * Checksums find a changed value. A changed key would move a value somewhere else; so cells, totals and marginals must count the same lines in
 * every period of every tier, and every id must stand for something.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "store/delta.h"
#include "store/reader_int.h"

static const char *const db_names[DBS] = {"meta", "dictionaries", "series", "marginals", "data", "examples", "checkpoints", "markers", "deltas"};

static bool fragment_ok(lq_str value)
{
    struct fragment f;
    if (fragment_decode(value.p, value.n, FRAGMENT_ALL, &f) != LQ_OK) {
        return false;
    }
    fragment_fini(&f);
    return true;
}

static void ignore_heavy(void *ctx, uint32_t identity, bool error, int64_t hour_s, const struct heavy *h)
{
    (void)ctx;
    (void)identity;
    (void)error;
    (void)hour_s;
    (void)h;
}

static bool delta_ok(lq_str value)
{
    struct delta d;
    if (!engine_unseal(&value) || delta_open(value, &d) != LQ_OK) {
        return false;
    }
    for (uint32_t i = 0; i < d.n_days; i++) {
        if (!fragment_ok(d.day[i])) {
            return false;
        }
    }
    return delta_each_heavy(&d, ignore_heavy, NULL) == LQ_OK; /* walks the statistics too */
}

static bool value_ok(enum engine_db db, lq_str key, lq_str value)
{
    struct heavy h;
    if (db == DB_DELTA) {
        return key.n == DELTA_KEY_BYTES && delta_ok(value);
    }
    if (db != DB_DATA) {
        return engine_unseal(&value);
    }
    if (key.n != DATA_KEY_BYTES || key.p[3] != SECTION_HEAVY) {
        return key.n == DATA_KEY_BYTES && fragment_ok(value);
    }
    if (heavy_decode(value.p, value.n, &h) != LQ_OK) {
        return false;
    }
    heavy_fini(&h);
    return true;
}

static void describe(const struct snapshot *s, enum engine_db db, lq_str key, char *out, size_t cap)
{
    const uint8_t *p = (const uint8_t *)key.p;
    if (db == DB_DATA && key.n == DATA_KEY_BYTES && p[0] < TIERS && key_get_u16(p + 1) < s->n_streams) {
        snprintf(out, cap, " (stream %s, tier %s, section %u, period %lld)", s->streams[key_get_u16(p + 1)]->schema.name, tiers[p[0]].name, p[3],
                 (long long)key_get_i64(p + 4));
    } else {
        out[0] = '\0';
    }
}

static enum lq_err verify_values(struct snapshot *s, enum engine_db db, uint64_t *checked, struct lq_error *e)
{
    struct engine_cursor *c = NULL;
    lq_str key, value;
    uint64_t n = 0;
    enum lq_err err = engine_cursor_open(s->txn, db, &c, e);
    for (err = err == LQ_OK ? engine_seek(c, LQ_STR("\0"), &key, &value, e) : err; err == LQ_OK; err = engine_next(c, &key, &value, e)) {
        if (!value_ok(db, key, value)) {
            char what[200];
            describe(s, db, key, what, sizeof what);
            err = lq_error_set(e, LQ_ECORRUPT, "store %s is damaged: record %llu of the %s%s has a wrong checksum or structure", s->store->dir,
                               (unsigned long long)n, db_names[db], what);
            break;
        }
        n++;
    }
    engine_cursor_close(&c);
    *checked += n;
    return err == LQ_ENOENT ? LQ_OK : err;
}

/* ---- tables ---- */

static enum lq_err verify_tables(struct snapshot *s, uint32_t stream, struct lq_error *e)
{
    struct stream *st = s->streams[stream];
    enum lq_err err = LQ_OK;
    for (uint32_t d = 0; d < st->schema.n_dims && err == LQ_OK; d++) {
        (void)snapshot_values(s, stream, d);
        err = snapshot_check(s, e);
    }
    if (err == LQ_OK) {
        err = stream_load_series(st, s->txn, e);
    }
    if (err == LQ_OK) {
        err = stream_load_marginals(st, s->txn, e);
    }
    for (uint32_t i = 0; i < st->n_series && err == LQ_OK; i++) {
        for (uint32_t d = 0; d < DIM_MAX && err == LQ_OK; d++) {
            uint32_t id = st->series[(size_t)i * DIM_MAX + d], n = d < st->schema.n_dims ? st->dims[d].n : 1;
            if (id >= n) {
                err = lq_error_set(e, LQ_ECORRUPT, "store %s is damaged: series %u of stream %s has a value that is not in the dictionary",
                                   s->store->dir, i, st->schema.name);
            }
        }
    }
    for (uint32_t i = 0; i < st->n_marginals && err == LQ_OK; i++) {
        const struct marginal_info *m = &st->marginals[i];
        if (m->dim != MARGINAL_TOTAL && (m->dim >= st->schema.n_dims || m->value >= st->dims[m->dim].n)) {
            err = lq_error_set(e, LQ_ECORRUPT, "store %s is damaged: marginal %u of stream %s has a value that is not in the dictionary", s->store->dir,
                               i, st->schema.name);
        }
    }
    return err;
}

/* ---- counts ---- */

struct counting {
    struct scan *scan;
    const struct fragment *f;
    int64_t period_s;
};

/* Lines of the open period, each once. */
static uint64_t lines_of(struct snapshot *s, uint32_t stream, int section, const struct fragment *f)
{
    uint64_t n = 0;
    for (uint32_t r = 0; r < f->rows; r++) {
        bool counts = section != SECTION_MARGINALS || s->streams[stream]->marginals[f->id[r]].dim == MARGINAL_TOTAL;
        n += counts ? f->count[r] : 0;
    }
    return n;
}

static bool ids_known(const struct stream *st, int section, const struct fragment *f)
{
    uint32_t known = section == SECTION_CELLS ? st->n_series : section == SECTION_TOTALS ? 2 : st->n_marginals;
    for (uint32_t r = 0; r < f->rows; r++) {
        if (f->id[r] >= known) {
            return false;
        }
    }
    return true;
}

static enum lq_err next_count(struct snapshot *s, uint32_t stream, int section, struct counting *x, uint64_t *lines, struct lq_error *e)
{
    const struct stream *st = s->streams[stream];
    enum lq_err err = scan_next(x->scan, &x->f, &x->period_s, e);
    if (err != LQ_OK || x->f == NULL) {
        return err;
    }
    if (!ids_known(st, section, x->f)) {
        return lq_error_set(e, LQ_ECORRUPT, "store %s is damaged: stream %s, period %lld has a row of something unknown", s->store->dir,
                            st->schema.name, (long long)x->period_s);
    }
    *lines = lines_of(s, stream, section, x->f);
    return LQ_OK;
}

/* Cells, totals and (where the tier has them) marginals count the same lines in each period. */
static enum lq_err verify_counts(struct snapshot *s, uint32_t stream, int tier, struct lq_error *e)
{
    static const char *const names[] = {"cells", "totals", "marginals"};
    int n = tier == TIER_10S ? 2 : 3;
    struct counting x[3] = {0};
    enum lq_err err = LQ_OK;
    for (int i = 0; i < n && err == LQ_OK; i++) {
        err = scan_open(s, stream, tier, (enum section)i, INT64_MIN / 4, INT64_MAX / 4, FRAGMENT_COUNTS, &x[i].scan, e);
    }
    for (bool end = false; err == LQ_OK && !end;) {
        uint64_t lines[3] = {0};
        for (int i = 0; i < n && err == LQ_OK; i++) {
            err = next_count(s, stream, i, &x[i], &lines[i], e);
        }
        end = err != LQ_OK || x[0].f == NULL;
        for (int i = 1; i < n && err == LQ_OK; i++) {
            bool same = (x[i].f == NULL) == (x[0].f == NULL) && (x[i].f == NULL || (x[i].period_s == x[0].period_s && lines[i] == lines[0]));
            if (!same) {
                err = lq_error_set(e, LQ_ECORRUPT, "store %s is damaged: stream %s, tier %s, period %lld: cells and %s do not count the same lines (%llu and %llu)",
                                   s->store->dir, s->streams[stream]->schema.name, tiers[tier].name, (long long)x[0].period_s, names[i],
                                   (unsigned long long)lines[0], (unsigned long long)lines[i]);
            }
        }
    }
    for (int i = 0; i < n; i++) {
        scan_close(&x[i].scan);
    }
    return err;
}

enum lq_err debug_verify(struct snapshot *s, struct lq_buf *report, struct lq_error *e)
{
    uint64_t checked = 0;
    enum lq_err err = LQ_OK;
    for (int db = 0; db < DBS && err == LQ_OK; db++) {
        err = verify_values(s, (enum engine_db)db, &checked, e);
    }
    for (uint32_t i = 0; i < s->n_streams && err == LQ_OK; i++) {
        err = verify_tables(s, i, e);
        for (int t = 0; t < TIERS && err == LQ_OK; t++) {
            err = verify_counts(s, i, t, e);
        }
    }
    if (err == LQ_OK) {
        lq_buf_printf(report, "%llu records checked, no damage\n", (unsigned long long)checked);
    } else if (err == LQ_ECORRUPT) {
        lq_error_hint(e, "load the logs into a new directory, or take a backup made by lq backup; this store can still be queried where it is whole");
    }
    return err;
}
