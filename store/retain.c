/*
 * retain.c - retention and compaction, in bounded steps
 *
 * Retention drops periods that left their tier's reach, and example lines with them; where the store is limited in size, the oldest periods of the
 * finest tier that has any to give. Compaction merges the fragments of a period where that pays; the result has the number of the newest
 * (and those before it, where it has parts).
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "store/marker.h"
#include "store/reader_int.h"

enum {
    RESERVE_SHARE = 8,          /* of the limited size stays free: deleting needs pages too, a large fragment needs neighbours, readers keep old ones for a while */
    REFUSED_SHARE = 4,          /* so much is freed where that was not enough - and no more: what readers keep does not come back by giving up more */
    SCATTERED_REFUSALS = 3,
    COMPACT_SMALL_BYTES = 16384, /* fragments smaller than this on average are merged in any case */
    COMPACT_BYTES_MAX = 16 << 20, /* a larger period is left: merging needs several times as much memory */
    COMPACT_KEYS_MAX = 4096,    /* looked at in a step */
};

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

static int64_t period_of(lq_str key)
{
    return key_get_i64((const uint8_t *)key.p + 4);
}

/* ---- retention ---- */

/* Keys of one section whose period is before `before_s`, up to `max` in all. */
static enum lq_err collect_before(struct engine_txn *t, int tier, uint32_t stream, int section, int64_t before_s, size_t max,
                                  struct key_list *out, struct lq_error *e)
{
    struct engine_cursor *c = NULL;
    struct key_buf k;
    lq_str key, value;
    data_key(&k, tier, stream, section, INT64_MIN, 0);
    enum lq_err err = engine_cursor_open(t, DB_DATA, &c, e);
    for (err = err == LQ_OK ? engine_seek(c, key_str(&k), &key, &value, e) : err; err == LQ_OK; err = engine_next(c, &key, &value, e)) {
        if (key.n != DATA_KEY_BYTES || memcmp(key.p, k.p, 4) != 0 || period_of(key) >= before_s || out->n >= max) {
            break;
        }
        add_key(out, key);
    }
    engine_cursor_close(&c);
    return err == LQ_ENOENT ? LQ_OK : err;
}

/* Where retention of a tier may go at most: hours that are in the 1 min tier only stay. */
static int64_t may_go_before(const struct stream *st, int tier, int64_t wanted)
{
    return tier == TIER_1MIN && wanted > st->live_from_s ? st->live_from_s : wanted;
}

static enum lq_err collect_aged(struct store *s, struct engine_txn *t, size_t max, struct key_list *out, struct lq_error *e)
{
    enum lq_err err = LQ_OK;
    for (int tier = 0; tier < TIERS && err == LQ_OK; tier++) {
        for (uint32_t i = 0, n = store__streams(s); i < n && err == LQ_OK; i++) {
            int64_t before = may_go_before(s->streams[i], tier, tier_from(tier, s->streams[i]->high_water_us));
            for (int section = 0; section < SECTIONS && err == LQ_OK; section++) {
                err = collect_before(t, tier, i, section, before, max, out, e);
            }
        }
    }
    return err;
}

/* Examples of days that left the longest tier. (The first example of a value stays as long as the value.) */
static enum lq_err collect_examples(struct store *s, struct engine_txn *t, size_t max, struct key_list *out, struct lq_error *e)
{
    struct engine_cursor *c = NULL;
    lq_str key, value;
    enum lq_err err = engine_cursor_open(t, DB_EXAMPLE, &c, e);
    for (err = err == LQ_OK ? engine_seek(c, LQ_STR("\0"), &key, &value, e) : err; err == LQ_OK; err = engine_next(c, &key, &value, e)) {
        const uint8_t *p = (const uint8_t *)key.p;
        uint32_t stream = key.n == 16 ? key_get_u16(p) : STREAM_MAX;
        if (stream < store__streams(s) && p[7] != EXAMPLE_FIRST && key_get_i64(p + 8) < tier_from(TIER_1H, s->streams[stream]->high_water_us)) {
            add_key(out, key);
            if (out->n >= max) {
                break;
            }
        }
    }
    engine_cursor_close(&c);
    return err == LQ_ENOENT ? LQ_OK : err;
}

/* Deeds that left the longest tier of every stream. */
static enum lq_err collect_sightings(struct store *s, struct engine_txn *t, size_t max, struct key_list *out, struct lq_error *e)
{
    struct engine_cursor *c = NULL;
    struct key_buf k = {{0}, 0};
    lq_str key, value;
    int64_t before = INT64_MIN;
    for (uint32_t i = 0; i < s->n_streams; i++) {
        int64_t from = tier_from(TIER_1H, s->streams[i]->high_water_us);
        before = from > before ? from : before;
    }
    key_i64(&k, INT64_MIN + 1); /* behind the versions */
    enum lq_err err = before > INT64_MIN / US ? engine_cursor_open(t, DB_MARKER, &c, e) : LQ_ENOENT;
    for (err = err == LQ_OK ? engine_seek(c, key_str(&k), &key, &value, e) : err; err == LQ_OK; err = engine_next(c, &key, &value, e)) {
        if (out->n >= max || key_get_i64((const uint8_t *)key.p) >= before * US) {
            break;
        }
        if (marker_is_sighting(key)) {
            add_key(out, key);
        }
    }
    engine_cursor_close(&c);
    return err == LQ_ENOENT ? LQ_OK : err;
}

static enum lq_err oldest_period(struct engine_txn *t, int tier, uint32_t stream, int section, int64_t *oldest, struct lq_error *e)
{
    struct engine_cursor *c = NULL;
    struct key_buf k;
    lq_str key, value;
    data_key(&k, tier, stream, section, INT64_MIN, 0);
    enum lq_err err = engine_cursor_open(t, DB_DATA, &c, e);
    if (err == LQ_OK) {
        err = engine_seek(c, key_str(&k), &key, &value, e);
    }
    if (err == LQ_OK && key.n == DATA_KEY_BYTES && memcmp(key.p, k.p, 4) == 0) {
        *oldest = period_of(key) < *oldest ? period_of(key) : *oldest;
    }
    engine_cursor_close(&c);
    return err == LQ_ENOENT ? LQ_OK : err;
}

/* The oldest period of the finest tier that has one to give: never the newest period of a stream. */
static enum lq_err collect_for_size(struct store *s, struct engine_txn *t, struct key_list *out, struct lq_error *e)
{
    enum lq_err err = LQ_OK;
    for (int tier = 0; tier < TIERS && err == LQ_OK && out->n == 0; tier++) {
        int64_t oldest = INT64_MAX;
        for (uint32_t i = 0, n = store__streams(s); i < n && err == LQ_OK; i++) {
            int64_t own = INT64_MAX, newest = tier_period_of(tier, s->streams[i]->high_water_us / US);
            for (int section = 0; section < SECTIONS && err == LQ_OK; section++) {
                err = oldest_period(t, tier, i, section, &own, e);
            }
            oldest = own < oldest && own < may_go_before(s->streams[i], tier, newest) ? own : oldest; /* what a quiet stream keeps hides nothing of the others */
        }
        for (uint32_t i = 0, n = store__streams(s); i < n && err == LQ_OK && oldest != INT64_MAX; i++) {
            int64_t newest = tier_period_of(tier, s->streams[i]->high_water_us / US), before = oldest + tier_period_s(tier);
            before = may_go_before(s->streams[i], tier, before < newest ? before : newest);
            for (int section = 0; section < SECTIONS && err == LQ_OK; section++) {
                err = collect_before(t, tier, i, section, before, SIZE_MAX, out, e); /* all sections at once: they count the same lines */
            }
        }
    }
    return err;
}

/* Refused again and again, and no reader keeps old pages: a large fragment lacks neighbouring free pages. A period more for each refusal. */
static bool scattered(struct store *s)
{
    bool yes = s->refusals > SCATTERED_REFUSALS && s->given_up != s->refusals && !engine_is_read(s->engine);
    s->given_up = yes ? s->refusals : s->given_up;
    return yes;
}

static bool over_size(struct store *s, struct engine_txn *t)
{
    struct engine_usage u;
    uint64_t max = s->o.disk_bytes_max;
    if (max > 0 && scattered(s)) {
        return true;
    }
    return max > 0 && engine_usage(s->engine, t, &u, NULL) == LQ_OK && u.pages_used * u.page_bytes > max - max / (s->refused ? REFUSED_SHARE : RESERVE_SHARE);
}

static enum lq_err delete_keys(struct engine_txn *t, enum engine_db db, const struct key_list *l, struct lq_error *e)
{
    enum lq_err err = LQ_OK;
    for (size_t i = 0; i < l->n && err == LQ_OK; i++) {
        err = engine_del(t, db, key_str(&l->k[i]), e);
    }
    return err;
}

/* LMDB gives pages that a transaction freed to the next but one. Where every flush is refused there is no next one, and they would never come
 * back: this one writes what is there. */
static enum lq_err turn_over(struct store *s, struct engine_txn **t, struct lq_error *e)
{
    enum lq_err err = engine_put_sealed(*t, DB_META, LQ_STR("flush"), (lq_str){(const char *)&s->flush_no, sizeof s->flush_no}, e);
    return err == LQ_OK ? engine_commit(t, e) : err;
}

enum lq_err store_retain(struct store *s, uint32_t keys_max, bool *more, struct lq_error *e)
{
    struct engine_txn *t = NULL;
    struct key_list dead = {0}, examples = {0}, sightings = {0};
    *more = false;
    pthread_mutex_lock(&s->writing);
    enum lq_err err = engine_begin(s->engine, true, &t, e);
    if (err == LQ_OK) {
        err = collect_aged(s, t, keys_max, &dead, e);
    }
    if (err == LQ_OK && dead.n == 0) {
        err = collect_examples(s, t, keys_max, &examples, e);
        err = err == LQ_OK ? collect_sightings(s, t, keys_max, &sightings, e) : err;
    }
    if (err == LQ_OK && dead.n + examples.n + sightings.n == 0 && over_size(s, t)) {
        err = collect_for_size(s, t, &dead, e);
    }
    if (err == LQ_OK) {
        err = delete_keys(t, DB_DATA, &dead, e);
    }
    if (err == LQ_OK) {
        err = delete_keys(t, DB_EXAMPLE, &examples, e);
    }
    if (err == LQ_OK) {
        err = delete_keys(t, DB_MARKER, &sightings, e);
    }
    if (err == LQ_OK && dead.n + examples.n + sightings.n > 0) {
        err = engine_commit(&t, e);
        *more = err == LQ_OK; /* ask again: there may be more */
    } else if (err == LQ_OK && s->refused) {
        err = turn_over(s, &t, e);
    }
    engine_abort(&t);
    pthread_mutex_unlock(&s->writing);
    free(dead.k);
    free(sightings.k);
    free(examples.k);
    return err;
}

/* ---- compaction ---- */

/* The fragments of one period, as the walk over keys finds them. */
struct group {
    struct key_buf *keys;
    size_t n, cap;
    uint64_t bytes;
};

static void fini_parts(struct fragment *parts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fragment_fini(&parts[i]);
    }
}

static enum lq_err decode_group(struct engine_txn *t, const struct group *g, unsigned what, struct fragment *parts, struct fragment *merged,
                                struct lq_error *e)
{
    const struct fragment **views = lq_alloc(g->n * sizeof(const struct fragment *));
    enum lq_err err = LQ_OK;
    lq_str value;
    memset(parts, 0, g->n * sizeof *parts);
    for (size_t i = 0; i < g->n && err == LQ_OK; i++) {
        err = engine_get(t, DB_DATA, key_str(&g->keys[i]), &value, e);
        if (err == LQ_OK && fragment_decode(value.p, value.n, what, &parts[i]) != LQ_OK) {
            err = lq_error_set(e, LQ_ECORRUPT, "a fragment does not decode: lq debug verify tells which");
        }
        views[i] = &parts[i];
    }
    if (err == LQ_OK) {
        fragment_merge(views, g->n, merged);
    }
    free(views);
    return err;
}

/* Small fragments, or rows that would become one. */
static enum lq_err pays(struct engine_txn *t, const struct group *g, bool *yes, struct lq_error *e)
{
    *yes = g->bytes / g->n < COMPACT_SMALL_BYTES;
    if (*yes) {
        return LQ_OK;
    }
    struct fragment *parts = lq_alloc(g->n * sizeof *parts), merged = {0};
    enum lq_err err = decode_group(t, g, FRAGMENT_COUNTS, parts, &merged, e);
    uint64_t rows = 0;
    for (size_t i = 0; i < g->n; i++) {
        rows += parts[i].rows;
    }
    *yes = err == LQ_OK && (uint64_t)merged.rows * 10 < rows * 9;
    fini_parts(parts, g->n);
    fragment_fini(&merged);
    free(parts);
    return err;
}

/* In place of a group: the parts of its merged fragment, with the newest number and those before it, which are free when the group has gone. */
static enum lq_err put_merged(struct engine_txn *t, const struct group *g, const struct fragment *merged, struct lq_error *e)
{
    struct fragment_encoder *encoder = fragment_encoder_new();
    struct fragment_part p = {0};
    struct lq_buf bytes = {0};
    size_t *ends = NULL, cap = 0, at = 0;
    enum lq_err err = LQ_OK;
    while (fragment_encode_part(encoder, merged, &p, &bytes)) {
        lq_grow(&ends, &cap, p.n, sizeof *ends);
        ends[p.n - 1] = bytes.n;
    }
    struct key_buf k = g->keys[g->n - 1];
    uint32_t newest = key_get_u32(k.p + DATA_KEY_BYTES - 4);
    bool room = p.n <= newest; /* else a store with large fragments and hardly a flush: it stays as it is */
    for (size_t i = 0; room && i < g->n && err == LQ_OK; i++) {
        err = engine_del(t, DB_DATA, key_str(&g->keys[i]), e);
    }
    for (uint32_t i = 0; room && i < p.n && err == LQ_OK; i++) {
        k.n = DATA_KEY_BYTES - 4;
        key_u32(&k, newest - i);
        err = engine_put(t, DB_DATA, key_str(&k), (lq_str){bytes.p + at, ends[i] - at}, e);
        at = ends[i];
    }
    fragment_encoder_free(&encoder);
    lq_buf_fini(&bytes);
    free(ends);
    return err;
}

static enum lq_err merge_group(struct engine_txn *t, const struct group *g, struct lq_error *e)
{
    struct fragment *parts = lq_alloc(g->n * sizeof *parts), merged = {0};
    enum lq_err err = decode_group(t, g, FRAGMENT_ALL, parts, &merged, e);
    fini_parts(parts, g->n);
    free(parts);
    err = err == LQ_OK ? put_merged(t, g, &merged, e) : err;
    fragment_fini(&merged);
    return err;
}

/* The next group with more than one fragment and one that is new since the last pass, from s->compact_at on. LQ_ENOENT at the end. */
static enum lq_err next_group(struct store *s, struct engine_txn *t, struct group *g, uint32_t *looked_at, struct lq_error *e)
{
    struct engine_cursor *c = NULL;
    lq_str key, value;
    g->n = 0;
    g->bytes = 0;
    enum lq_err err = engine_cursor_open(t, DB_DATA, &c, e);
    bool fresh = false;
    for (err = err == LQ_OK ? engine_seek(c, key_str(&s->compact_at), &key, &value, e) : err; err == LQ_OK; err = engine_next(c, &key, &value, e)) {
        ++*looked_at;
        if (key.n != DATA_KEY_BYTES || key.p[3] == SECTION_HEAVY) {
            continue;
        }
        if (g->n > 0 && memcmp(g->keys[g->n - 1].p, key.p, 12) != 0) {
            if (g->n > 1 && fresh) {
                break;
            }
            g->n = 0;
            g->bytes = 0;
            fresh = false;
        }
        lq_grow(&g->keys, &g->cap, g->n + 1, sizeof *g->keys);
        struct key_buf *k = &g->keys[g->n++];
        k->n = DATA_KEY_BYTES;
        memcpy(k->p, key.p, DATA_KEY_BYTES);
        g->bytes += value.n;
        fresh = fresh || key_get_u32((const uint8_t *)key.p + 12) > s->compacted_no;
        if (g->n == 1 && *looked_at >= COMPACT_KEYS_MAX) {
            break; /* go on from here with the next step */
        }
    }
    engine_cursor_close(&c);
    return err == LQ_ENOENT && g->n > 1 && fresh ? LQ_OK : err;
}

enum lq_err store_compact(struct store *s, uint32_t periods_max, bool *more, struct lq_error *e)
{
    struct engine_txn *t = NULL;
    struct group g = {0};
    uint32_t merged = 0, looked_at = 0;
    *more = false;
    pthread_mutex_lock(&s->writing);
    if (s->compact_at.n == 0) { /* a new pass */
        data_key(&s->compact_at, 0, 0, 0, INT64_MIN, 0);
        s->compact_pass_no = s->flush_no;
    }
    struct key_buf at = s->compact_at;
    enum lq_err err = engine_begin(s->engine, true, &t, e);
    while (err == LQ_OK && merged < periods_max && looked_at < COMPACT_KEYS_MAX) {
        bool yes = false;
        err = next_group(s, t, &g, &looked_at, e);
        if (err != LQ_OK) {
            break;
        }
        s->compact_at = g.keys[g.n - 1];
        if (g.n > 1) {
            s->compact_at.p[s->compact_at.n++] = 0; /* behind the group */
            err = g.bytes <= COMPACT_BYTES_MAX ? pays(t, &g, &yes, e) : LQ_OK;
        }
        if (err == LQ_OK && yes) {
            err = merge_group(t, &g, e);
            merged++;
        }
    }
    bool end = err == LQ_ENOENT;
    err = end ? LQ_OK : err;
    if (err == LQ_OK && merged > 0) {
        err = engine_commit(&t, e);
    }
    if (err != LQ_OK) {
        s->compact_at = at;
    } else if (end) {
        s->compact_at.n = 0;
        s->compacted_no = s->compact_pass_no;
    }
    *more = err == LQ_OK && !end;
    engine_abort(&t);
    pthread_mutex_unlock(&s->writing);
    free(g.keys);
    return err;
}
