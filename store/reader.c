/*
 * reader.c - snapshots: streams, dictionaries and series on demand (reader.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/reader_int.h"

#include <stdlib.h>

#include "schema/timefmt.h"
#include "store/delta.h"

void snapshot_close(struct snapshot **sp)
{
    struct snapshot *s = *sp;
    if (s == NULL) {
        return;
    }
    engine_abort(&s->txn);
    for (uint32_t i = 0; i < s->n_streams; i++) {
        stream_free(&s->streams[i]);
    }
    free(s);
    *sp = NULL;
}

/* First stored period of a tier's totals at or after `at_least`; INT64_MAX = none. */
static enum lq_err oldest_stored(struct snapshot *s, uint32_t stream, int tier, int64_t at_least, int64_t *out, struct lq_error *e)
{
    struct engine_cursor *c = NULL;
    struct key_buf k;
    lq_str key, value;
    *out = INT64_MAX;
    data_key(&k, tier, stream, SECTION_TOTALS, at_least, 0);
    enum lq_err err = engine_cursor_open(s->txn, DB_DATA, &c, e);
    if (err == LQ_OK) {
        err = engine_seek(c, key_str(&k), &key, &value, e);
    }
    if (err == LQ_OK && key.n == DATA_KEY_BYTES && memcmp(key.p, k.p, 4) == 0) {
        *out = key_get_i64((const uint8_t *)key.p + 4);
    }
    engine_cursor_close(&c);
    return err == LQ_ENOENT ? LQ_OK : err;
}

struct range {
    int64_t first, last;
};

static enum lq_err range_of_delta(void *ctx, const struct delta_at *x, struct lq_error *e)
{
    struct range *r = ctx;
    (void)e;
    r->first = x->d.first_s < r->first ? x->d.first_s : r->first;
    r->last = x->d.last_s > r->last ? x->d.last_s : r->last;
    return LQ_OK;
}

/* Start of the oldest period of each tier, stored or not yet; INT64_MAX = none. */
static enum lq_err oldest(struct snapshot *s, uint32_t stream, int64_t from[TIERS], struct lq_error *e)
{
    const struct stream *st = s->streams[stream];
    struct range waiting = {INT64_MAX, INT64_MIN};
    enum lq_err err = delta_each(st, s->txn, range_of_delta, &waiting, e);
    s->has_deltas[stream] = waiting.first != INT64_MAX;
    for (int t = 0; t < TIERS && err == LQ_OK; t++) {
        int64_t reach = tier_from(t, st->high_water_us);
        err = oldest_stored(s, stream, t, reach, &from[t], e);
        if (err == LQ_OK && t == TIER_1H && st->live_from_s != INT64_MAX) { /* hours that are in the 1 min tier only */
            int64_t open;
            err = oldest_stored(s, stream, TIER_1MIN, st->live_from_s, &open, e);
            open = open != INT64_MAX ? tier_period_of(t, open) : open;
            from[t] = open < from[t] ? open : from[t];
        }
        if (waiting.last >= reach) {
            int64_t at = tier_period_of(t, waiting.first);
            at = at > reach ? at : reach;
            from[t] = at < from[t] ? at : from[t];
        }
    }
    return err;
}

enum lq_err snapshot_open(struct store *s, struct snapshot **out, struct lq_error *e)
{
    struct snapshot *n = lq_alloc(sizeof *n);
    lq_str v;
    n->store = s;
    n->opened_us = clock_monotonic_us();
    enum lq_err err = engine_begin(s->engine, false, &n->txn, e);
    for (uint32_t i = 0; i < STREAM_MAX && err == LQ_OK; i++) {
        struct key_buf k = {{0}, 0};
        key_u8(&k, 's');
        key_u16(&k, i);
        err = engine_get_sealed(n->txn, DB_META, key_str(&k), &v, e);
        if (err != LQ_OK) {
            break;
        }
        struct stream *st = n->streams[n->n_streams++] = stream_new(s, i, LQ_STR(""));
        if (stream_decode(st, v) != LQ_OK) {
            err = lq_error_set(e, LQ_ECORRUPT, "store %s is damaged: the record of stream %u", s->dir, i);
        }
    }
    err = err == LQ_ENOENT ? LQ_OK : err;
    for (uint32_t i = 0; i < n->n_streams && err == LQ_OK; i++) {
        struct stream *st = n->streams[i];
        struct stream_info *x = &n->info[i];
        *x = (struct stream_info){.id = i, .schema = &st->schema, .first_us = st->first_us, .last_us = st->last_us,
                                  .high_water_us = st->high_water_us, .lines = st->lines, .errors = st->errors};
        err = oldest(n, i, x->tier_from_s, e);
    }
    if (err != LQ_OK) {
        snapshot_close(&n);
        return err;
    }
    *out = n;
    return LQ_OK;
}

enum lq_err snapshot__tables(struct snapshot *s, uint32_t stream, bool marginals, struct rollup_tables *out, struct lq_error *e)
{
    struct stream *st = s->streams[stream];
    enum lq_err err = stream_load_series(st, s->txn, e);
    if (err == LQ_OK && marginals && st->series_marginals == NULL) {
        err = stream_load_marginals(st, s->txn, e);
        if (err == LQ_OK) {
            stream_rebuild_marginals(st);
        }
    }
    *out = (struct rollup_tables){st->series_error, st->series_marginals, MARGINALS_MAX, st->n_series};
    return err;
}

enum lq_err snapshot__age(const struct snapshot *s, struct lq_error *e)
{
    uint32_t max = s->store->o.snapshot_s_max;
    if (clock_monotonic_us() - s->opened_us <= max * US) {
        return LQ_OK;
    }
    lq_error_set(e, LQ_ELIMIT, "given up after %u s: a reader that stays longer makes the store grow", max);
    lq_error_hint(e, "ask for less: a shorter time, fewer series, a coarser step");
    return LQ_ELIMIT;
}

enum lq_err snapshot_check(const struct snapshot *s, struct lq_error *e)
{
    if (s->trouble.code != LQ_OK && e != NULL) {
        *e = s->trouble;
    }
    return s->trouble.code;
}

uint32_t snapshot_streams(const struct snapshot *s)
{
    return s->n_streams;
}

const struct stream_info *snapshot_stream(const struct snapshot *s, uint32_t i)
{
    return i < s->n_streams ? &s->info[i] : NULL;
}

const struct stream_info *snapshot_stream_named(const struct snapshot *s, const char *name)
{
    for (uint32_t i = 0; i < s->n_streams; i++) {
        if (strcmp(s->info[i].schema->name, name) == 0) {
            return &s->info[i];
        }
    }
    return NULL;
}

struct dict_dim {
    struct dict *dict;
    uint32_t dim;
};

static enum lq_err stats_of_delta(void *ctx, const struct delta_at *x, struct lq_error *e)
{
    const struct dict_dim *y = ctx;
    (void)e;
    return delta_apply_stats(&x->d, y->dim, y->dict);
}

/* The first trouble stays: what comes after may follow from it. */
static void note(struct snapshot *s, const struct lq_error *e)
{
    if (s->trouble.code == LQ_OK && e->code != LQ_OK) {
        s->trouble = *e;
    }
}

/* A damaged dictionary reads as empty here; snapshot_check tells. */
static struct dict *dict_of(struct snapshot *s, uint32_t stream, uint32_t dim)
{
    struct stream *st = s->streams[stream];
    if (s->dict_loaded[stream] >> dim & 1) {
        return &st->dims[dim];
    }
    s->dict_loaded[stream] |= 1U << dim;
    struct dict_dim x = {&st->dims[dim], dim};
    struct lq_error e = {0};
    enum lq_err err = stream_load_dict(st, dim, s->txn, &e);
    if (err == LQ_OK) {
        err = delta_each(st, s->txn, stats_of_delta, &x, &e);
    }
    if (err != LQ_OK && st->dims[dim].n == 0) {
        dict_init(&st->dims[dim]);
    }
    note(s, &e);
    return &st->dims[dim];
}

uint32_t snapshot_values(struct snapshot *s, uint32_t stream, uint32_t dim)
{
    return dict_of(s, stream, dim)->n;
}

const struct value_info *snapshot_value(struct snapshot *s, uint32_t stream, uint32_t dim, uint32_t value)
{
    const struct dict *d = dict_of(s, stream, dim);
    if (value >= d->n) {
        value = VALUE_ABSENT;
    }
    s->value = (struct value_info){{d->text[value], d->text_len[value]}, d->stats[value].first_us, d->stats[value].last_us, d->stats[value].count};
    return &s->value;
}

uint32_t snapshot_value_id(struct snapshot *s, uint32_t stream, uint32_t dim, lq_str text)
{
    return lq_map_get(&dict_of(s, stream, dim)->ids, text);
}

static void need_series(struct snapshot *s, uint32_t stream)
{
    struct stream *st = s->streams[stream];
    struct lq_error e = {0};
    if (st->n_series == 0 && stream_load_series(st, s->txn, &e) != LQ_OK) {
        st->n_series = 0;
        note(s, &e);
    }
    s->info[stream].n_series = st->n_series;
}

uint32_t snapshot_n_series(struct snapshot *s, uint32_t stream)
{
    need_series(s, stream);
    return s->streams[stream]->n_series;
}

const uint32_t *snapshot_series(struct snapshot *s, uint32_t stream, uint32_t series)
{
    need_series(s, stream);
    LQ_ASSERT(series < s->streams[stream]->n_series);
    return s->streams[stream]->series + (size_t)series * DIM_MAX;
}

uint32_t snapshot_marginals(struct snapshot *s, uint32_t stream)
{
    struct lq_error e = {0};
    if (stream_load_marginals(s->streams[stream], s->txn, &e) != LQ_OK) {
        note(s, &e);
        return 0;
    }
    return s->streams[stream]->n_marginals;
}

struct marginal_info snapshot_marginal(struct snapshot *s, uint32_t stream, uint32_t marginal)
{
    LQ_ASSERT(marginal < snapshot_marginals(s, stream));
    return s->streams[stream]->marginals[marginal];
}

/* ---- small records ---- */

struct heavy_of { /* what is asked for, and the summary so far */
    uint32_t what;
    int64_t from_s, to_s;
    struct heavy *out;
};

static void join_heavy(struct heavy *into, const struct heavy *one)
{
    struct heavy both;
    heavy_merge(into, one, &both);
    heavy_fini(into);
    *into = both;
}

static void delta_heavy(void *ctx, uint32_t identity, bool error, int64_t hour_s, const struct heavy *h)
{
    const struct heavy_of *x = ctx;
    if ((identity << 1 | error) == x->what && hour_s >= x->from_s && hour_s < x->to_s) {
        join_heavy(x->out, h);
    }
}

static enum lq_err heavy_of_delta(void *ctx, const struct delta_at *x, struct lq_error *e)
{
    (void)e;
    return delta_each_heavy(&x->d, delta_heavy, ctx);
}

enum lq_err snapshot_heavy(struct snapshot *s, uint32_t stream, uint32_t identity, bool error, int64_t from_s, int64_t to_s,
                           struct heavy *out, struct lq_error *e)
{
    struct engine_cursor *c = NULL;
    struct key_buf k;
    lq_str key, value;
    memset(out, 0, sizeof *out);
    int64_t start = from_s - ((from_s % 3600) + 3600) % 3600;
    data_key(&k, TIER_1H, stream, SECTION_HEAVY, start, 0);
    enum lq_err err = engine_cursor_open(s->txn, DB_DATA, &c, e);
    for (err = err == LQ_OK ? engine_seek(c, key_str(&k), &key, &value, e) : err; err == LQ_OK; err = engine_next(c, &key, &value, e)) {
        struct heavy one;
        const uint8_t *p = (const uint8_t *)key.p;
        if (memcmp(p, k.p, 4) != 0 || key_get_i64(p + 4) >= to_s) {
            break;
        }
        if (key_get_u32(p + 12) != (identity << 1 | error)) {
            continue;
        }
        if (heavy_decode(value.p, value.n, &one) != LQ_OK) {
            err = lq_error_set(e, LQ_ECORRUPT, "store %s is damaged: heaviest identities", s->store->dir);
            break;
        }
        join_heavy(out, &one);
        heavy_fini(&one);
    }
    engine_cursor_close(&c);
    if (err == LQ_OK || err == LQ_ENOENT) {
        struct heavy_of x = {identity << 1 | error, start, to_s, out};
        err = delta_each(s->streams[stream], s->txn, heavy_of_delta, &x, e);
    }
    if (err != LQ_OK) {
        heavy_fini(out);
    }
    return err;
}

static enum lq_err each_example(struct snapshot *s, const struct key_buf *prefix, int64_t from_s, int64_t to_s, example_each_fn *fn,
                                void *ctx, struct lq_error *e)
{
    struct engine_cursor *c = NULL;
    lq_str key, value;
    enum lq_err err = engine_cursor_open(s->txn, DB_EXAMPLE, &c, e);
    for (err = err == LQ_OK ? engine_seek(c, key_str(prefix), &key, &value, e) : err; err == LQ_OK; err = engine_next(c, &key, &value, e)) {
        const uint8_t *p = (const uint8_t *)key.p;
        if (key.n < prefix->n || memcmp(p, prefix->p, prefix->n) != 0) {
            break;
        }
        if (!engine_unseal(&value) || value.n < 16) {
            err = lq_error_set(e, LQ_ECORRUPT, "store %s is damaged: an example line", s->store->dir);
            break;
        }
        int64_t t;
        memcpy(&t, value.p, sizeof t);
        struct example x = {t, {value.p + 16, value.n - 16}, key_get_u16(p), p[2], key_get_u32(p + 3), p[7] == EXAMPLE_ERROR};
        if (t >= from_s * US && t < to_s * US && !fn(ctx, &x)) {
            break;
        }
    }
    engine_cursor_close(&c);
    return err == LQ_ENOENT ? LQ_OK : err;
}

enum lq_err snapshot_examples(struct snapshot *s, uint32_t stream, uint32_t dim, uint32_t value, int64_t from_s, int64_t to_s,
                              example_each_fn *fn, void *ctx, struct lq_error *e)
{
    struct key_buf k = {{0}, 0};
    key_u16(&k, stream);
    if (dim != UINT32_MAX) {
        key_u8(&k, (uint8_t)dim);
        if (value != UINT32_MAX) {
            key_u32(&k, value);
        }
    }
    from_s = from_s < -(1LL << 40) ? -(1LL << 40) : from_s;
    to_s = to_s > 1LL << 40 ? 1LL << 40 : to_s;
    return each_example(s, &k, from_s, to_s, fn, ctx, e);
}

enum lq_err snapshot_counters(struct snapshot *s, counter_each_fn *fn, void *ctx, struct lq_error *e)
{
    struct engine_cursor *c = NULL;
    lq_str key, value;
    enum lq_err err = engine_cursor_open(s->txn, DB_META, &c, e);
    for (err = err == LQ_OK ? engine_seek(c, LQ_STR("c"), &key, &value, e) : err; err == LQ_OK; err = engine_next(c, &key, &value, e)) {
        uint64_t n;
        if (key.n < 2 || key.p[0] != 'c') {
            break;
        }
        if (!engine_unseal(&value) || value.n != sizeof n) {
            err = lq_error_set(e, LQ_ECORRUPT, "store %s is damaged: a counter", s->store->dir);
            break;
        }
        memcpy(&n, value.p, sizeof n);
        if (!fn(ctx, (lq_str){key.p + 1, key.n - 1}, n)) {
            break;
        }
    }
    engine_cursor_close(&c);
    return err == LQ_ENOENT ? LQ_OK : err;
}

struct one_counter {
    const char *name;
    uint64_t n;
};

static bool match_counter(void *ctx, lq_str name, uint64_t n)
{
    struct one_counter *x = ctx;
    if (lq_str_is(name, x->name)) {
        x->n = n;
    }
    return true;
}

uint64_t snapshot_counter(struct snapshot *s, const char *name)
{
    struct one_counter x = {name, 0};
    struct lq_error e = {0};
    if (snapshot_counters(s, match_counter, &x, &e) != LQ_OK) {
        note(s, &e);
        return 0;
    }
    return x.n;
}
