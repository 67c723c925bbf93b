/*
 * retain.c - retention and compaction, in bounded steps
 *
 * Retention drops periods that left their tier's reach, fine tiers first (that is the key order). Compaction merges the fragments of a
 * period into one; the result has the number of the newest of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "store/reader_int.h"

struct key_list {
    struct key_buf *k;
    size_t n, cap;
};

static void add_key(struct key_list *l, lq_str key)
{
    lq_grow(&l->k, &l->cap, l->n + 1, sizeof *l->k);
    struct key_buf *k = &l->k[l->n++];
    k->n = key.n < sizeof k->p ? key.n : sizeof k->p;
    memcpy(k->p, key.p, k->n);
}

static bool past_reach(const struct store *s, lq_str key)
{
    const uint8_t *p = (const uint8_t *)key.p;
    uint32_t stream = key_get_u16(p + 1);
    return stream < s->n_streams && key_get_i64(p + 4) < tier_from(p[0], s->streams[stream]->high_water_us);
}

enum lq_err store_retain(struct store *s, uint32_t periods_max, bool *more, struct lq_error *e)
{
    struct engine_txn *t = NULL;
    struct engine_cursor *c = NULL;
    struct key_list dead = {0};
    lq_str key, value;
    *more = false;
    pthread_mutex_lock(&s->lock);
    enum lq_err err = engine_begin(s->engine, true, &t, e);
    if (err == LQ_OK) {
        err = engine_cursor_open(t, DB_DATA, &c, e);
    }
    for (err = err == LQ_OK ? engine_seek(c, LQ_STR("\0"), &key, &value, e) : err; err == LQ_OK; err = engine_next(c, &key, &value, e)) {
        if (key.n == DATA_KEY_BYTES && past_reach(s, key)) {
            if (dead.n == periods_max) {
                *more = true;
                break;
            }
            add_key(&dead, key);
        }
    }
    engine_cursor_close(&c);
    err = err == LQ_ENOENT ? LQ_OK : err;
    for (size_t i = 0; i < dead.n && err == LQ_OK; i++) {
        err = engine_del(t, DB_DATA, key_str(&dead.k[i]), e);
    }
    if (err == LQ_OK && dead.n > 0) {
        err = engine_commit(&t, e);
    }
    engine_abort(&t);
    pthread_mutex_unlock(&s->lock);
    free(dead.k);
    return err;
}

/* Merge the fragments of keys[0..n) into one, under the last key. */
static enum lq_err merge_period(struct engine_txn *t, const struct key_buf *keys, size_t n, struct lq_error *e)
{
    struct fragment *parts = lq_alloc(n * sizeof *parts), merged = {0};
    const struct fragment **p = lq_alloc(n * sizeof *p);
    struct lq_buf bytes = {0};
    enum lq_err err = LQ_OK;
    lq_str value;
    for (size_t i = 0; i < n && err == LQ_OK; i++) {
        err = engine_get(t, DB_DATA, key_str(&keys[i]), &value, e);
        if (err == LQ_OK && fragment_decode(value.p, value.n, FRAGMENT_ALL, &parts[i]) != LQ_OK) {
            err = lq_error_set(e, LQ_ECORRUPT, "a fragment does not decode: lq debug verify tells which");
        }
        p[i] = &parts[i];
    }
    if (err == LQ_OK) {
        fragment_merge(p, n, &merged);
        fragment_encode(&merged, &bytes);
    }
    for (size_t i = 0; i + 1 < n && err == LQ_OK; i++) {
        err = engine_del(t, DB_DATA, key_str(&keys[i]), e);
    }
    if (err == LQ_OK) {
        err = engine_put(t, DB_DATA, key_str(&keys[n - 1]), (lq_str){bytes.p, bytes.n}, e);
    }
    for (size_t i = 0; i < n; i++) {
        fragment_fini(&parts[i]);
    }
    fragment_fini(&merged);
    lq_buf_fini(&bytes);
    free(parts);
    free(p);
    return err;
}

enum lq_err store_compact(struct store *s, uint32_t periods_max, bool *more, struct lq_error *e)
{
    struct engine_txn *t = NULL;
    struct engine_cursor *c = NULL;
    struct key_list keys = {0};
    size_t *starts = NULL, n_starts = 0, cap_starts = 0, run = 0;
    lq_str key, value;
    *more = false;
    pthread_mutex_lock(&s->lock);
    enum lq_err err = engine_begin(s->engine, true, &t, e);
    if (err == LQ_OK) {
        err = engine_cursor_open(t, DB_DATA, &c, e);
    }
    /* keys: runs of one period; a run of one is dropped again */
    for (err = err == LQ_OK ? engine_seek(c, LQ_STR("\0"), &key, &value, e) : err; err == LQ_OK; err = engine_next(c, &key, &value, e)) {
        if (key.n != DATA_KEY_BYTES || key.p[3] == SECTION_HEAVY) {
            continue;
        }
        bool same = keys.n > run && memcmp(keys.k[keys.n - 1].p, key.p, 12) == 0;
        if (!same) {
            if (keys.n - run == 1) {
                keys.n = run;
            } else if (keys.n > run) {
                lq_grow(&starts, &cap_starts, n_starts + 2, sizeof *starts);
                starts[n_starts++] = run;
                run = keys.n;
                if (n_starts == periods_max) {
                    *more = true;
                    break;
                }
            }
        }
        add_key(&keys, key);
    }
    if (!*more && keys.n - run > 1) {
        lq_grow(&starts, &cap_starts, n_starts + 2, sizeof *starts);
        starts[n_starts++] = run;
        run = keys.n;
    }
    engine_cursor_close(&c);
    err = err == LQ_ENOENT ? LQ_OK : err;
    for (size_t i = 0; i < n_starts && err == LQ_OK; i++) {
        size_t end = i + 1 < n_starts ? starts[i + 1] : run;
        err = merge_period(t, keys.k + starts[i], end - starts[i], e);
    }
    if (err == LQ_OK && n_starts > 0) {
        err = engine_commit(&t, e);
    }
    engine_abort(&t);
    pthread_mutex_unlock(&s->lock);
    free(keys.k);
    free(starts);
    return err;
}
