/*
 * scan.c - the fragments of a section in time order, one period at a time
 *
 * What is stored for the section, merged with what is not there yet (unfolded.h), which is rolled up when the scan opens: it is little, by the same
 * function that the maintenance writes with.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "store/reader_int.h"
#include "store/unfolded.h"

struct extra { /* a fragment that is not stored */
    int64_t period_s;
    struct fragment f;
};

struct scan {
    struct snapshot *snap;
    struct engine_cursor *cur;
    struct key_buf prefix; /* tier, stream, section */
    int64_t to_s;
    unsigned what;
    lq_str key, value;
    bool has; /* key and value hold the next stored fragment */
    struct extra *extras; /* by period, one each */
    size_t n_extras, cap_extras, next_extra;
    uint64_t extra_fragments, extra_bytes; /* what they were made from */
    struct fragment *parts; /* decoded */
    size_t n_parts, cap_parts;
    const struct fragment **views; /* parts and an extra */
    size_t cap_views;
    struct fragment merged;
};

static int64_t key_period(lq_str key)
{
    return key_get_i64((const uint8_t *)key.p + 4);
}

static bool take(struct scan *c, enum lq_err err)
{
    c->has = err == LQ_OK && c->key.n == DATA_KEY_BYTES && memcmp(c->key.p, c->prefix.p, 4) == 0 && key_period(c->key) < c->to_s;
    return err == LQ_OK || err == LQ_ENOENT;
}

static void drop_parts(struct scan *c)
{
    for (size_t i = 0; i < c->n_parts; i++) {
        fragment_fini(&c->parts[i]);
    }
    fragment_fini(&c->merged);
    c->n_parts = 0;
}

void scan_close(struct scan **cp)
{
    struct scan *c = *cp;
    if (c == NULL) {
        return;
    }
    drop_parts(c);
    for (size_t i = 0; i < c->n_extras; i++) {
        fragment_fini(&c->extras[i].f);
    }
    free(c->extras);
    free(c->parts);
    free(c->views);
    engine_cursor_close(&c->cur);
    free(c);
    *cp = NULL;
}

/* ---- open ---- */

static void add_extra(void *ctx, int64_t period_s, struct fragment *f)
{
    struct scan *c = ctx;
    size_t at = 0;
    while (at < c->n_extras && c->extras[at].period_s < period_s) {
        at++;
    }
    if (at < c->n_extras && c->extras[at].period_s == period_s) { /* at once, so that what it was made from does not pile up */
        const struct fragment *both[2] = {&c->extras[at].f, f};
        struct fragment merged;
        fragment_merge(both, 2, &merged);
        fragment_fini(f);
        fragment_fini(&c->extras[at].f);
        c->extras[at].f = merged;
        return;
    }
    lq_grow(&c->extras, &c->cap_extras, c->n_extras + 1, sizeof *c->extras);
    memmove(c->extras + at + 1, c->extras + at, (c->n_extras - at) * sizeof *c->extras);
    c->extras[at] = (struct extra){period_s, *f};
    c->n_extras++;
}

static enum lq_err add_unfolded(struct scan *c, uint32_t stream, int tier, enum section section, int64_t from_s, struct lq_error *e)
{
    const struct stream *st = c->snap->streams[stream];
    struct rollup_tables tables = {0};
    if (section == SECTION_HEAVY || (!c->snap->has_deltas[stream] && (tier != TIER_1H || st->live_from_s == INT64_MAX))) {
        return LQ_OK; /* the usual case after a load: nothing waits, no table is needed */
    }
    enum lq_err err = snapshot__tables(c->snap, stream, section == SECTION_MARGINALS, &tables, e);
    struct unfolded u = {.st = st, .txn = c->snap->txn, .tables = &tables, .tier = tier, .section = (int)section, .from_s = from_s,
                         .to_s = c->to_s, .what = c->what};
    if (err == LQ_OK) {
        err = unfolded_deltas(&u, add_extra, c, e);
    }
    if (err == LQ_OK) {
        err = unfolded_hours(&u, add_extra, c, e);
    }
    c->extra_fragments = u.fragments;
    c->extra_bytes = u.bytes;
    return err;
}

enum lq_err scan_open(struct snapshot *s, uint32_t stream, int tier, enum section section, int64_t from_s, int64_t to_s,
                      unsigned what, struct scan **out, struct lq_error *e)
{
    struct scan *c = lq_alloc(sizeof *c);
    int64_t reach = tier_from(tier, s->streams[stream]->high_water_us);
    int64_t start = from_s < -(1LL << 50) ? from_s : tier_period_of(tier, from_s); /* a period that overlaps comes whole */
    start = start > reach ? start : reach;
    c->snap = s;
    c->to_s = to_s < 1LL << 50 && to_s > -(1LL << 50) ? tier_period_of(tier, to_s - 1) + tier_period_s(tier) : to_s;
    c->what = what;
    data_key(&c->prefix, tier, stream, (int)section, start, 0);
    enum lq_err err = engine_cursor_open(s->txn, DB_DATA, &c->cur, e);
    if (err == LQ_OK) {
        err = engine_seek(c->cur, key_str(&c->prefix), &c->key, &c->value, e);
        if (take(c, err)) {
            err = add_unfolded(c, stream, tier, section, start, e);
        }
    }
    if (err != LQ_OK) {
        scan_close(&c);
        return err;
    }
    *out = c;
    return LQ_OK;
}

/* ---- next ---- */

static enum lq_err damaged(const struct scan *c, int64_t period, struct lq_error *e)
{
    const uint8_t *p = c->prefix.p;
    return lq_error_set(e, LQ_ECORRUPT, "store %s is damaged: a fragment of stream %s, tier %s, section %u, period %lld does not decode",
                        c->snap->store->dir, c->snap->streams[key_get_u16(p + 1)]->schema.name, tiers[p[0]].name, p[3], (long long)period);
}

static enum lq_err decode_next(struct scan *c, struct lq_error *e)
{
    lq_grow(&c->parts, &c->cap_parts, c->n_parts + 1, sizeof *c->parts);
    if (fragment_decode(c->value.p, c->value.n, c->what, &c->parts[c->n_parts]) != LQ_OK) {
        return damaged(c, key_period(c->key), e);
    }
    c->n_parts++;
    enum lq_err err = engine_next(c->cur, &c->key, &c->value, e);
    return take(c, err) ? LQ_OK : err;
}

/* The extra that comes before everything stored that is left, or belongs to its period. */
static const struct extra *next_extra(const struct scan *c)
{
    const struct extra *x = c->next_extra < c->n_extras ? &c->extras[c->next_extra] : NULL;
    return x != NULL && (!c->has || x->period_s <= key_period(c->key)) ? x : NULL;
}

enum lq_err scan_part(struct scan *c, const struct fragment **f, int64_t *period_start_s, struct lq_error *e)
{
    drop_parts(c);
    *f = NULL;
    const struct extra *x = next_extra(c);
    if (!c->has && x == NULL) {
        return LQ_OK;
    }
    enum lq_err err = snapshot__age(c->snap, e);
    if (err == LQ_OK && x != NULL) {
        c->next_extra++;
        *period_start_s = x->period_s;
        *f = &x->f;
    } else if (err == LQ_OK) {
        *period_start_s = key_period(c->key);
        err = decode_next(c, e);
        *f = err == LQ_OK ? &c->parts[0] : NULL;
    }
    return err;
}

enum lq_err scan_next(struct scan *c, const struct fragment **f, int64_t *period_start_s, struct lq_error *e)
{
    drop_parts(c);
    *f = NULL;
    const struct extra *x = next_extra(c);
    if (!c->has && x == NULL) {
        return LQ_OK;
    }
    enum lq_err err = snapshot__age(c->snap, e);
    int64_t period = x != NULL ? x->period_s : key_period(c->key);
    while (err == LQ_OK && c->has && key_period(c->key) == period) {
        err = decode_next(c, e);
    }
    if (err != LQ_OK) {
        return err;
    }
    *period_start_s = period;
    size_t n = 0;
    lq_grow(&c->views, &c->cap_views, c->n_parts + 1, sizeof(const struct fragment *));
    for (; n < c->n_parts; n++) {
        c->views[n] = &c->parts[n];
    }
    if (x != NULL) {
        c->next_extra++;
        c->views[n++] = &x->f;
    }
    if (n == 1) {
        *f = c->views[0];
        return LQ_OK;
    }
    fragment_merge(c->views, n, &c->merged);
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
    out->fragments = c->extra_fragments;
    out->bytes = c->extra_bytes;
    for (size_t i = 0; i < c->n_extras; i++) {
        out->periods++;
    }
    while (c->has) {
        int64_t period = key_period(c->key);
        bool counted = false;
        for (size_t i = 0; i < c->n_extras; i++) {
            counted = counted || c->extras[i].period_s == period;
        }
        out->periods += period != last && !counted;
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
