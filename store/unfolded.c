/*
 * unfolded.c - deltas and open hours, rolled up (unfolded.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/unfolded.h"

#include <stdlib.h>

enum { BATCH_FRAGMENTS = 8, BATCH_BYTES = 1 << 20 };

enum lq_err sources_add(struct sources *x, lq_str bytes, int64_t start_s, unsigned what, const struct stream *st, struct lq_error *e)
{
    lq_grow(&x->f, &x->cap_f, x->n + 1, sizeof *x->f);
    lq_grow(&x->start_s, &x->cap_start, x->n + 1, sizeof *x->start_s);
    if (fragment_decode(bytes.p, bytes.n, what, &x->f[x->n]) != LQ_OK) {
        return lq_error_set(e, LQ_ECORRUPT, "store %s is damaged: a fragment of stream %s from %lld does not decode", st->store->dir,
                            st->schema.name, (long long)start_s);
    }
    x->start_s[x->n++] = start_s;
    x->bytes += bytes.n;
    return LQ_OK;
}

void sources_rollup(const struct sources *x, const struct rollup *r, rollup_sink *sink, void *ctx)
{
    struct fragment_at *at = lq_alloc((x->n + 1) * sizeof *at);
    for (size_t i = 0; i < x->n; i++) {
        at[i] = (struct fragment_at){&x->f[i], x->start_s[i]};
    }
    struct rollup with = *r;
    with.in = at;
    with.n = x->n;
    rollup(&with, sink, ctx);
    free(at);
}

void sources_clear(struct sources *x)
{
    for (size_t i = 0; i < x->n; i++) {
        fragment_fini(&x->f[i]);
    }
    x->n = 0;
    x->bytes = 0;
}

void sources_fini(struct sources *x)
{
    sources_clear(x);
    free(x->f);
    free(x->start_s);
    memset(x, 0, sizeof *x);
}

/* ---- deltas ---- */

struct delta_sources {
    struct unfolded *u;
    struct sources sources;
    unsigned what;
};

static enum lq_err take_delta(void *ctx, const struct delta_at *x, struct lq_error *e)
{
    struct delta_sources *y = ctx;
    enum lq_err err = LQ_OK;
    if (x->d.last_s < y->u->from_s || x->d.first_s >= y->u->to_s) {
        return LQ_OK;
    }
    for (uint32_t i = 0; i < x->d.n_days && err == LQ_OK; i++) {
        err = sources_add(&y->sources, x->d.day[i], x->d.day_s[i], y->what, y->u->st, e);
    }
    return err;
}

enum lq_err unfolded_deltas(struct unfolded *u, rollup_sink *sink, void *ctx, struct lq_error *e)
{
    struct delta_sources x = {.u = u};
    struct rollup r = {.step_s = DELTA_STEP_S, .tables = u->tables, .tier = u->tier, .from_s = u->from_s, .to_s = u->to_s};
    if (!rollup_section(&r, u->section)) {
        return LQ_OK;
    }
    r.columns &= u->what;
    x.what = r.columns;
    enum lq_err err = delta_each(u->st, u->txn, take_delta, &x, e);
    if (err == LQ_OK && x.sources.n > 0) {
        sources_rollup(&x.sources, &r, sink, ctx);
        u->fragments += x.sources.n;
        u->bytes += x.sources.bytes;
    }
    sources_fini(&x.sources);
    return err;
}

/* ---- open hours ---- */

static void roll_batch(struct unfolded *u, struct sources *x, const struct rollup *r, bool counted, rollup_sink *sink, void *ctx)
{
    for (size_t i = 0; counted && i < x->n; i++) { /* their lines come from the cells */
        memset(x->f[i].count, 0, x->f[i].rows * sizeof *x->f[i].count);
    }
    sources_rollup(x, r, sink, ctx);
    u->fragments += x->n;
    u->bytes += x->bytes;
    sources_clear(x);
}

/* A section of the 1 min tier, regrouped by r. */
static enum lq_err roll_minutes(struct unfolded *u, int section, const struct rollup *r, bool counted, rollup_sink *sink, void *ctx,
                                struct lq_error *e)
{
    struct engine_cursor *c = NULL;
    struct sources x = {0};
    struct key_buf k;
    lq_str key, value;
    data_key(&k, TIER_1MIN, u->st->id, section, r->from_s, 0);
    enum lq_err err = engine_cursor_open(u->txn, DB_DATA, &c, e);
    for (err = err == LQ_OK ? engine_seek(c, key_str(&k), &key, &value, e) : err; err == LQ_OK; err = engine_next(c, &key, &value, e)) {
        int64_t period = key.n == DATA_KEY_BYTES ? key_get_i64((const uint8_t *)key.p + 4) : INT64_MAX;
        if (memcmp(key.p, k.p, 4) != 0 || period >= r->to_s) {
            err = LQ_ENOENT;
            break;
        }
        err = sources_add(&x, value, period, r->columns, u->st, e);
        if (err != LQ_OK) {
            break;
        }
        if (x.n == BATCH_FRAGMENTS || x.bytes >= BATCH_BYTES) {
            roll_batch(u, &x, r, counted, sink, ctx);
        }
    }
    if (err == LQ_ENOENT) {
        err = LQ_OK;
        roll_batch(u, &x, r, counted, sink, ctx);
    }
    engine_cursor_close(&c);
    sources_fini(&x);
    return err;
}

enum lq_err unfolded_hours(struct unfolded *u, rollup_sink *sink, void *ctx, struct lq_error *e)
{
    struct rollup r = {.step_s = tiers[TIER_1MIN].step_s, .tables = u->tables, .tier = TIER_1H, .to_s = u->to_s,
                       .from_s = u->from_s > u->st->live_from_s ? u->from_s : u->st->live_from_s};
    if (u->tier != TIER_1H || r.from_s >= r.to_s || !rollup_section(&r, u->section)) {
        return LQ_OK;
    }
    r.columns &= u->what;
    if (u->section != FOLD_MARGINALS) { /* totals are by error already */
        r.rows = ROLLUP_SAME;
        return roll_minutes(u, u->section, &r, false, sink, ctx, e);
    }
    struct rollup distinct = r;
    r.columns &= ~(unsigned)FRAGMENT_DISTINCT;
    enum lq_err err = roll_minutes(u, FOLD_CELLS, &r, false, sink, ctx, e);
    distinct.columns &= FRAGMENT_DISTINCT;
    distinct.rows = ROLLUP_SAME;
    if (err == LQ_OK && distinct.columns != 0) { /* the 1 min marginals have the distinct entries */
        err = roll_minutes(u, FOLD_MARGINALS, &distinct, true, sink, ctx, e);
    }
    return err;
}
