/*
 * stream.c - a stream: its schema and what is known of its values, series and marginals
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "store/delta.h"

enum { STREAM_VERSION = 2 /* 1 had no live_from_s */ };

struct stream *stream_new(struct store *s, uint32_t id, lq_str name)
{
    struct stream *st = lq_alloc(sizeof *st);
    st->store = s;
    st->id = id;
    st->schema.name = lq_arena_strdup(&st->names, name);
    st->first_us = INT64_MAX;
    st->last_us = st->high_water_us = INT64_MIN;
    st->live_from_s = st->delta_oldest_s = INT64_MAX;
    return st;
}

void stream_free(struct stream **sp)
{
    struct stream *st = *sp;
    if (st == NULL) {
        return;
    }
    for (uint32_t d = 0; d < DIM_MAX; d++) {
        dict_fini(&st->dims[d]);
    }
    lq_map_fini(&st->series_ids);
    lq_map_fini(&st->marginal_ids);
    free(st->series);
    free(st->series_error);
    free(st->series_day);
    free(st->series_marginals);
    free(st->marginals);
    lq_arena_fini(&st->names);
    free(st);
    *sp = NULL;
}

static void put_text(struct lq_buf *out, const char *s)
{
    size_t n = strlen(s);
    lq_buf_varint(out, n);
    lq_buf_add(out, s, n);
}

void stream_encode(const struct stream *st, struct lq_buf *out)
{
    const struct stream_schema *s = &st->schema;
    lq_buf_byte(out, STREAM_VERSION);
    put_text(out, s->name);
    lq_buf_byte(out, (uint8_t)s->kind);
    lq_buf_varint(out, s->n_dims);
    for (uint32_t i = 0; i < s->n_dims; i++) {
        put_text(out, s->dims[i]);
    }
    lq_buf_varint(out, s->n_measures);
    for (uint32_t i = 0; i < s->n_measures; i++) {
        put_text(out, s->measures[i].name);
        put_text(out, s->measures[i].unit);
        lq_buf_varint(out, (uint64_t)s->measures[i].scale);
    }
    lq_buf_varint(out, s->n_identities);
    for (uint32_t i = 0; i < s->n_identities; i++) {
        put_text(out, s->identities[i]);
    }
    lq_buf_varint(out, s->sketch_by);
    lq_buf_varint(out, s->no_cap_probation);
    lq_buf_varint(out, lq_zigzag(st->first_us));
    lq_buf_varint(out, lq_zigzag(st->last_us));
    lq_buf_varint(out, lq_zigzag(st->high_water_us));
    lq_buf_varint(out, st->lines);
    lq_buf_varint(out, st->errors);
    lq_buf_varint(out, lq_zigzag(st->live_from_s));
}

struct input {
    const uint8_t *p, *end;
    bool bad;
};

static uint64_t get(struct input *in)
{
    uint64_t v = 0;
    if (!lq_varint_get(&in->p, in->end, &v)) {
        in->bad = true;
    }
    return v;
}

static const char *get_text(struct input *in, struct lq_arena *mem)
{
    uint64_t n = get(in);
    if (in->bad || n > (uint64_t)(in->end - in->p)) {
        in->bad = true;
        return "";
    }
    const char *s = lq_arena_strdup(mem, (lq_str){(const char *)in->p, n});
    in->p += n;
    return s;
}

enum lq_err stream_decode(struct stream *st, lq_str bytes)
{
    struct input in = {(const uint8_t *)bytes.p, (const uint8_t *)bytes.p + bytes.n, false};
    struct stream_schema *s = &st->schema;
    uint64_t version = get(&in);
    if (version < 1 || version > STREAM_VERSION) {
        return LQ_ECORRUPT;
    }
    s->name = get_text(&in, &st->names);
    s->kind = get(&in) == STREAM_REQUESTS ? STREAM_REQUESTS : STREAM_EVENTS;
    s->n_dims = (uint32_t)get(&in);
    for (uint32_t i = 0; i < s->n_dims && i < DIM_MAX; i++) {
        s->dims[i] = get_text(&in, &st->names);
    }
    s->n_measures = (uint32_t)get(&in);
    for (uint32_t i = 0; i < s->n_measures && i < MEASURE_MAX; i++) {
        s->measures[i].name = get_text(&in, &st->names);
        s->measures[i].unit = get_text(&in, &st->names);
        s->measures[i].scale = (int64_t)get(&in);
    }
    s->n_identities = (uint32_t)get(&in);
    for (uint32_t i = 0; i < s->n_identities && i < IDENTITY_MAX; i++) {
        s->identities[i] = get_text(&in, &st->names);
    }
    s->sketch_by = (uint32_t)get(&in);
    s->no_cap_probation = (uint32_t)get(&in);
    st->first_us = lq_unzigzag(get(&in));
    st->last_us = lq_unzigzag(get(&in));
    st->high_water_us = lq_unzigzag(get(&in));
    st->lines = get(&in);
    st->errors = get(&in);
    st->live_from_s = version >= 2 ? lq_unzigzag(get(&in)) : INT64_MAX;
    return in.bad || s->n_dims > DIM_MAX || s->n_measures > MEASURE_MAX || s->n_identities > IDENTITY_MAX ? LQ_ECORRUPT : LQ_OK;
}

static enum lq_err damaged(const struct stream *st, const char *what, struct lq_error *e)
{
    return lq_error_set(e, LQ_ECORRUPT, "store %s is damaged: %s of stream %s", st->store->dir, what, st->schema.name);
}

/* Each chunk of `db` whose key begins with `prefix`, decoded by fn. */
static enum lq_err load_chunks(struct engine_txn *t, enum engine_db db, lq_str prefix, void *ctx, enum lq_err (*fn)(void *, lq_str),
                               struct lq_error *e)
{
    struct engine_cursor *c;
    lq_str key, value;
    enum lq_err err = engine_cursor_open(t, db, &c, e);
    if (err != LQ_OK) {
        return err;
    }
    for (err = engine_seek(c, prefix, &key, &value, e); err == LQ_OK; err = engine_next(c, &key, &value, e)) {
        if (key.n < prefix.n || memcmp(key.p, prefix.p, prefix.n) != 0) {
            err = LQ_ENOENT;
            break;
        }
        if (!engine_unseal(&value) || fn(ctx, value) != LQ_OK) {
            err = LQ_ECORRUPT;
            break;
        }
    }
    engine_cursor_close(&c);
    return err == LQ_ENOENT ? LQ_OK : err;
}

static enum lq_err add_dict_chunk(void *ctx, lq_str bytes)
{
    return dict_decode_chunk(ctx, bytes);
}

static enum lq_err add_series_chunk(void *ctx, lq_str bytes)
{
    return stream_decode_series(ctx, bytes);
}

static enum lq_err add_marginal_chunk(void *ctx, lq_str bytes)
{
    return stream_decode_marginals(ctx, bytes);
}

enum lq_err stream_load_dict(struct stream *st, uint32_t dim, struct engine_txn *t, struct lq_error *e)
{
    struct key_buf k = {{0}, 0};
    if (st->dims[dim].n > 0) {
        return LQ_OK;
    }
    key_u16(&k, st->id);
    key_u8(&k, (uint8_t)dim);
    enum lq_err err = load_chunks(t, DB_DICT, key_str(&k), &st->dims[dim], add_dict_chunk, e);
    if (err == LQ_ECORRUPT) {
        return damaged(st, "a dictionary", e);
    }
    if (err == LQ_OK && st->dims[dim].n == 0) {
        dict_init(&st->dims[dim]);
    }
    return err;
}

enum lq_err stream_load_series(struct stream *st, struct engine_txn *t, struct lq_error *e)
{
    struct key_buf k = {{0}, 0};
    if (st->n_series > 0) {
        return LQ_OK;
    }
    enum lq_err err = stream_load_dict(st, DIM_ERROR, t, e);
    if (err != LQ_OK) {
        return err;
    }
    key_u16(&k, st->id);
    err = load_chunks(t, DB_SERIES, key_str(&k), st, add_series_chunk, e);
    return err == LQ_ECORRUPT ? damaged(st, "the series table", e) : err;
}

enum lq_err stream_load_marginals(struct stream *st, struct engine_txn *t, struct lq_error *e)
{
    struct key_buf k = {{0}, 0};
    if (st->n_marginals > 0) {
        return LQ_OK;
    }
    key_u16(&k, st->id);
    enum lq_err err = load_chunks(t, DB_MARGINAL, key_str(&k), st, add_marginal_chunk, e);
    return err == LQ_ECORRUPT ? damaged(st, "the table of marginals", e) : err;
}

void stream_rebuild_marginals(struct stream *st)
{
    lq_grow(&st->series_marginals, &st->cap_marginals, (size_t)st->n_series * MARGINALS_MAX, sizeof *st->series_marginals);
    for (uint32_t i = 0; i < st->n_series; i++) {
        const uint32_t *ids = st->series + (size_t)i * DIM_MAX;
        uint32_t *out = st->series_marginals + (size_t)i * MARGINALS_MAX, n = 0;
        for (uint32_t d = 0; d <= st->schema.n_dims; d++) {
            bool total = d == 0;
            if (!total && ((st->schema.sketch_by >> (d - 1) & 1) == 0 || ids[d - 1] == VALUE_ABSENT)) {
                continue;
            }
            uint32_t key[3] = {total ? MARGINAL_TOTAL : d - 1, total ? 0 : ids[d - 1], st->series_error[i]};
            uint32_t id = lq_map_get(&st->marginal_ids, (lq_str){(const char *)key, sizeof key});
            if (id != LQ_MAP_NONE) {
                out[n++] = id;
            }
        }
        for (; n < MARGINALS_MAX; n++) {
            out[n] = UINT32_MAX;
        }
    }
}

/* Statistics that are not in the dictionaries yet. */
static enum lq_err take_delta(void *ctx, const struct delta_at *x, struct lq_error *e)
{
    struct stream *st = ctx;
    enum lq_err err = LQ_OK;
    (void)e;
    for (uint32_t d = 0; d < st->schema.n_dims && err == LQ_OK; d++) {
        err = delta_apply_stats(&x->d, d, &st->dims[d]);
    }
    st->n_deltas++;
    st->delta_bytes += x->bytes;
    st->delta_oldest_s = x->d.last_s < st->delta_oldest_s ? x->d.last_s : st->delta_oldest_s;
    return err;
}

enum lq_err stream_load(struct stream *st, struct engine_txn *t, struct lq_error *e)
{
    enum lq_err err = LQ_OK;
    for (uint32_t d = 0; d < st->schema.n_dims && err == LQ_OK; d++) {
        err = stream_load_dict(st, d, t, e);
    }
    if (err == LQ_OK) {
        err = stream_load_series(st, t, e);
    }
    if (err == LQ_OK) {
        err = stream_load_marginals(st, t, e);
    }
    if (err == LQ_OK) {
        stream_rebuild_marginals(st);
        err = delta_each(st, t, take_delta, st, e);
    }
    return err;
}

enum lq_err stream_put_dicts(const struct stream *st, struct engine_txn *t, unsigned dirty, struct lq_error *e)
{
    struct lq_buf b = {0};
    enum lq_err err = LQ_OK;
    for (uint32_t d = 0; d < st->schema.n_dims; d++) {
        const struct dict *x = &st->dims[d];
        for (uint32_t c = 0; c * DICT_CHUNK < x->n && err == LQ_OK; c++) {
            struct key_buf k = {{0}, 0};
            if ((x->dirty[c] & dirty) == 0) {
                continue;
            }
            key_u16(&k, st->id);
            key_u8(&k, (uint8_t)d);
            key_u32(&k, c);
            lq_buf_clear(&b);
            dict_encode_chunk(x, c, &b);
            err = engine_put_sealed(t, DB_DICT, key_str(&k), (lq_str){b.p, b.n}, e);
        }
    }
    lq_buf_fini(&b);
    return err;
}

enum lq_err stream_put(const struct stream *st, struct engine_txn *t, struct lq_error *e)
{
    struct lq_buf b = {0};
    struct key_buf k = {{0}, 0};
    key_u8(&k, 's');
    key_u16(&k, st->id);
    stream_encode(st, &b);
    enum lq_err err = engine_put_sealed(t, DB_META, key_str(&k), (lq_str){b.p, b.n}, e);
    lq_buf_fini(&b);
    return err;
}

int64_t tier_from(int tier, int64_t high_water_us)
{
    if (high_water_us == INT64_MIN) {
        return INT64_MIN / 2;
    }
    int64_t s = high_water_us / US - tiers[tier].reach_s;
    return tier_period_of(tier, s);
}
