/*
 * checkpoint.c - progress of sources
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/store_int.h"

void record_put(struct lq_buf *out, lq_str s)
{
    lq_buf_varint(out, s.n);
    lq_buf_add(out, s.p, s.n);
}

bool record_get(const uint8_t **p, const uint8_t *end, lq_str *out)
{
    uint64_t n;
    if (!lq_varint_get(p, end, &n) || n > (uint64_t)(end - *p)) {
        return false;
    }
    *out = (lq_str){(const char *)*p, n};
    *p += n;
    return true;
}

lq_str checkpoint_text(const struct store *s, lq_str text, char scratch[CHECKPOINT_TEXT_MAX])
{
    return s->mask.kinds != 0 ? mask_text(&s->mask, s->mask.kinds, text, scratch, CHECKPOINT_TEXT_MAX) : text;
}

/* Labels made of long paths: "~", a hash of all of it, and the end, which has the fingerprint. A key that was shortened stays what it is. */
static lq_str shortened(lq_str key, char scratch[CHECKPOINT_TEXT_MAX])
{
    enum { HASH_BYTES = 33 };
    char hash[HASH_BYTES + 1];
    if (key.n <= ENGINE_KEY_MAX) {
        return key;
    }
    snprintf(hash, sizeof hash, "~%016llx%016llx", (unsigned long long)lq_hash(key.p, key.n, 0), (unsigned long long)lq_hash(key.p, key.n, 1));
    memmove(scratch + HASH_BYTES, key.p + key.n - (ENGINE_KEY_MAX - HASH_BYTES), ENGINE_KEY_MAX - HASH_BYTES);
    memcpy(scratch, hash, HASH_BYTES);
    return (lq_str){scratch, ENGINE_KEY_MAX};
}

lq_str checkpoint_key(const struct store *s, lq_str key, char scratch[CHECKPOINT_TEXT_MAX])
{
    return shortened(checkpoint_text(s, key, scratch), scratch);
}

bool store_checkpoint_has_key(const struct store *s, const struct checkpoint *c, lq_str key)
{
    char scratch[CHECKPOINT_TEXT_MAX];
    return lq_str_eq(c->key, shortened(key, scratch)) || lq_str_eq(c->key, checkpoint_key(s, key, scratch));
}

void checkpoint_encode(const struct checkpoint *c, struct lq_buf *out)
{
    lq_buf_varint(out, c->offset);
    lq_buf_varint(out, c->lines);
    lq_buf_varint(out, c->parsed);
    lq_buf_varint(out, lq_zigzag(c->last_time_us));
    record_put(out, c->name);
    record_put(out, c->format);
    if (c->last_n > 0) { /* absent in checkpoints of older versions, skipped by their readers */
        lq_buf_varint(out, c->last_n);
        lq_buf_varint(out, c->last_hash);
    }
}

static bool decode(lq_str key, lq_str value, struct checkpoint *c)
{
    const uint8_t *p = (const uint8_t *)value.p, *end = p + value.n;
    uint64_t t;
    c->key = key;
    if (!lq_varint_get(&p, end, &c->offset) || !lq_varint_get(&p, end, &c->lines) || !lq_varint_get(&p, end, &c->parsed) ||
        !lq_varint_get(&p, end, &t) || !record_get(&p, end, &c->name) || !record_get(&p, end, &c->format)) {
        return false;
    }
    c->last_time_us = lq_unzigzag(t);
    c->last_n = 0;
    c->last_hash = 0;
    if (p < end && lq_varint_get(&p, end, &t) && lq_varint_get(&p, end, &c->last_hash)) {
        c->last_n = (uint32_t)t;
    }
    return true;
}

enum lq_err store_checkpoint_get(struct store *s, lq_str key, struct checkpoint *out, struct lq_arena *mem, struct lq_error *e)
{
    struct engine_txn *t = NULL;
    lq_str value;
    enum lq_err err = engine_begin(s->engine, false, &t, e);
    if (err != LQ_OK) {
        return err;
    }
    char scratch[CHECKPOINT_TEXT_MAX];
    err = engine_get_sealed(t, DB_CHECKPOINT, checkpoint_key(s, key, scratch), &value, e);
    if (err == LQ_ENOENT && s->mask.kinds != 0) { /* from before the store masked */
        err = engine_get_sealed(t, DB_CHECKPOINT, shortened(key, scratch), &value, e);
    }
    if (err == LQ_OK && !decode(key, value, out)) {
        err = lq_error_set(e, LQ_ECORRUPT, "store %s is damaged: a checkpoint", s->dir);
    }
    if (err == LQ_OK) {
        out->key = lq_arena_str(mem, key);
        out->name = lq_arena_str(mem, out->name);
        out->format = lq_arena_str(mem, out->format);
    }
    engine_abort(&t);
    return err;
}

enum lq_err store_checkpoint_each(struct store *s, checkpoint_each_fn *fn, void *ctx, struct lq_error *e)
{
    struct engine_txn *t = NULL;
    struct engine_cursor *c = NULL;
    struct checkpoint cp;
    lq_str key, value;
    enum lq_err err = engine_begin(s->engine, false, &t, e);
    if (err == LQ_OK) {
        err = engine_cursor_open(t, DB_CHECKPOINT, &c, e);
    }
    if (err == LQ_OK) {
        for (err = engine_seek(c, LQ_STR("\0"), &key, &value, e); err == LQ_OK; err = engine_next(c, &key, &value, e)) {
            if (!engine_unseal(&value) || !decode(key, value, &cp)) {
                err = lq_error_set(e, LQ_ECORRUPT, "store %s is damaged: a checkpoint", s->dir);
                break;
            }
            if (!fn(ctx, &cp)) {
                break;
            }
        }
    }
    engine_cursor_close(&c);
    engine_abort(&t);
    return err == LQ_ENOENT ? LQ_OK : err;
}

enum lq_err summary_put(struct engine_txn *t, const struct stream *st, uint32_t what, int64_t hour_s, const struct heavy *h, struct lq_error *e)
{
    struct key_buf k;
    struct heavy old, both = {0};
    struct lq_buf b = {0};
    lq_str stored;
    bool merged = false;
    data_key(&k, TIER_1H, st->id, SECTION_HEAVY, hour_s, what);
    enum lq_err err = engine_get(t, DB_DATA, key_str(&k), &stored, e);
    if (err == LQ_OK && heavy_decode(stored.p, stored.n, &old) == LQ_OK) { /* a damaged one is replaced: verify has told, nothing else is lost */
        heavy_merge(h, &old, &both);
        heavy_fini(&old);
        merged = true;
    }
    if (err == LQ_OK || err == LQ_ENOENT) {
        heavy_encode(merged ? &both : h, &b);
        err = engine_put(t, DB_DATA, key_str(&k), (lq_str){b.p, b.n}, e);
    }
    heavy_fini(&both);
    lq_buf_fini(&b);
    return err;
}
