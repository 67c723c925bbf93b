/*
 * scan.c - the fragments of a section in time order, one period at a time
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "store/reader_int.h"

enum { FRAGMENTS_MAX = 4096 }; /* of one period; the compactor keeps it far below */

struct scan {
    struct snapshot *snap;
    struct engine_cursor *cur;
    struct key_buf prefix; /* tier, stream, section */
    int64_t to_s;
    unsigned what;
    lq_str key, value;
    bool has; /* key and value hold the next fragment */
    struct fragment parts[FRAGMENTS_MAX];
    struct fragment merged;
    uint32_t n_parts;
};

/* First key of the section whose period may overlap from_s, inside the tier's reach. */
static void start_key(struct snapshot *s, uint32_t stream, int tier, enum section section, int64_t from_s, struct key_buf *k)
{
    int64_t reach = tier_from(tier, s->streams[stream]->high_water_us);
    int64_t start = from_s < -(1LL << 50) ? from_s : tier_period_of(tier, from_s);
    data_key(k, tier, stream, (int)section, start > reach ? start : reach, 0);
}

static bool take(struct scan *c, enum lq_err err)
{
    c->has = err == LQ_OK && c->key.n == DATA_KEY_BYTES && memcmp(c->key.p, c->prefix.p, 4) == 0 &&
             key_get_i64((const uint8_t *)c->key.p + 4) < c->to_s;
    return err == LQ_OK || err == LQ_ENOENT;
}

enum lq_err scan_open(struct snapshot *s, uint32_t stream, int tier, enum section section, int64_t from_s, int64_t to_s,
                      unsigned what, struct scan **out, struct lq_error *e)
{
    struct scan *c = lq_alloc(sizeof *c);
    c->snap = s;
    c->to_s = to_s;
    c->what = what;
    start_key(s, stream, tier, section, from_s, &c->prefix);
    enum lq_err err = engine_cursor_open(s->txn, DB_DATA, &c->cur, e);
    if (err == LQ_OK) {
        err = engine_seek(c->cur, key_str(&c->prefix), &c->key, &c->value, e);
        if (take(c, err)) {
            err = LQ_OK;
        }
    }
    if (err != LQ_OK) {
        scan_close(&c);
        return err;
    }
    *out = c;
    return LQ_OK;
}

static void drop_parts(struct scan *c)
{
    for (uint32_t i = 0; i < c->n_parts; i++) {
        fragment_fini(&c->parts[i]);
    }
    fragment_fini(&c->merged);
    c->n_parts = 0;
}

void scan_close(struct scan **cp)
{
    if (*cp != NULL) {
        drop_parts(*cp);
        engine_cursor_close(&(*cp)->cur);
        free(*cp);
        *cp = NULL;
    }
}

static enum lq_err damaged(struct scan *c, int64_t period, struct lq_error *e)
{
    const uint8_t *p = c->prefix.p;
    return lq_error_set(e, LQ_ECORRUPT, "store %s is damaged: a fragment of stream %s, tier %s, section %u, period %lld does not decode",
                        c->snap->store->dir, c->snap->streams[key_get_u16(p + 1)]->schema.name, tiers[p[0]].name, p[3], (long long)period);
}

enum lq_err scan_next(struct scan *c, const struct fragment **f, int64_t *period_start_s, struct lq_error *e)
{
    const struct fragment *parts[FRAGMENTS_MAX];
    drop_parts(c);
    *f = NULL;
    if (!c->has) {
        return LQ_OK;
    }
    int64_t period = key_get_i64((const uint8_t *)c->key.p + 4);
    while (c->has && key_get_i64((const uint8_t *)c->key.p + 4) == period) {
        if (c->n_parts == FRAGMENTS_MAX || fragment_decode(c->value.p, c->value.n, c->what, &c->parts[c->n_parts]) != LQ_OK) {
            return damaged(c, period, e);
        }
        parts[c->n_parts] = &c->parts[c->n_parts];
        c->n_parts++;
        enum lq_err err = engine_next(c->cur, &c->key, &c->value, e);
        if (!take(c, err)) {
            return err;
        }
    }
    *period_start_s = period;
    if (c->n_parts == 1) {
        *f = &c->parts[0];
        return LQ_OK;
    }
    fragment_merge(parts, c->n_parts, &c->merged);
    *f = &c->merged;
    return LQ_OK;
}

enum lq_err scan_cost(struct snapshot *s, uint32_t stream, int tier, enum section section, int64_t from_s, int64_t to_s,
                      struct scan_cost *out, struct lq_error *e)
{
    struct scan *c;
    int64_t last = INT64_MIN;
    memset(out, 0, sizeof *out);
    enum lq_err err = scan_open(s, stream, tier, section, from_s, to_s, 0, &c, e);
    if (err != LQ_OK) {
        return err;
    }
    while (c->has) {
        int64_t period = key_get_i64((const uint8_t *)c->key.p + 4);
        out->periods += period != last;
        last = period;
        out->fragments++;
        out->bytes += c->value.n;
        err = engine_next(c->cur, &c->key, &c->value, e);
        if (!take(c, err)) {
            break;
        }
        err = LQ_OK;
    }
    scan_close(&c);
    return err;
}
