/*
 * maintain.c - between flushes: deltas into the tiers, ended hours into the 1 h tier (store.h, store_maintain)
 *
 * A live stream is written three times in its life: as deltas by its flushes, once a minute into the 10 s and 1 min tiers, and once an hour into the
 * 1 h tier. The boundary of the last is stream.live_from_s: hours before it are in the 1 h tier, and lines that come late for them go there directly;
 * hours from it on are not, and readers roll them up from the 1 min tier. A stream that was only ever loaded in bulk has no such boundary.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "store/unfolded.h"

enum {
    HOUR_S = 3600,
    LATE_S = 2,               /* a minute is folded this long after its end */
    HOUR_LATE_S = 60,         /* and an hour closed */
    FOLD_MIN_DELTAS = 30,     /* fewer wait for more ... */
    FOLD_SMALL_BYTES = 256 << 10, /* ... and streams with less than this in a minute for ten minutes */
    FOLD_FULL_BYTES = 4 << 20, /* never wait with more: decoded they are about ten times as large */
    FOLD_STEP_BYTES = 8 << 20,
};

/* ---- what a step writes ---- */

struct step {
    struct store *s;
    struct stream *st;
    struct engine_txn *txn;
    enum lq_err err;
    struct lq_error *e;
    struct lq_buf bytes;
    uint32_t numbers; /* of fragments, from the next flush number on (flush.c) */
    int tier, section; /* of the fragments that the sink gets */
    struct fragment day;   /* closing an hour: merged so far */
    int64_t day_s;
    bool has_day;
    struct rollup_tables tables;
    uint8_t *series_error;
    uint32_t *series_marginals;
};

static void put_fragment(struct step *x, int64_t period_s, const struct fragment *f)
{
    struct fragment_encoder *encoder = fragment_encoder_new();
    struct fragment_part p = {0};
    struct key_buf k;
    for (lq_buf_clear(&x->bytes); x->err == LQ_OK && fragment_encode_part(encoder, f, &p, &x->bytes); lq_buf_clear(&x->bytes)) {
        data_key(&k, x->tier, x->st->id, x->section, period_s, x->s->flush_no + p.n);
        x->err = engine_put(x->txn, DB_DATA, key_str(&k), (lq_str){x->bytes.p, x->bytes.n}, x->e);
    }
    x->numbers = p.n > x->numbers ? p.n : x->numbers;
    fragment_encoder_free(&encoder);
}

static void sink_fragment(void *ctx, int64_t period_s, struct fragment *f)
{
    put_fragment(ctx, period_s, f);
    fragment_fini(f);
}

/* A copy: threads that observe add series meanwhile. */
static void copy_tables(struct step *x)
{
    struct stream *st = x->st;
    pthread_mutex_lock(&x->s->lock);
    size_t n = st->n_series;
    x->series_error = lq_realloc(NULL, n + 1);
    x->series_marginals = lq_realloc(NULL, (n * MARGINALS_MAX + 1) * sizeof *x->series_marginals);
    if (n > 0) {
        memcpy(x->series_error, st->series_error, n);
        memcpy(x->series_marginals, st->series_marginals, n * MARGINALS_MAX * sizeof *x->series_marginals);
    }
    x->tables = (struct rollup_tables){x->series_error, x->series_marginals, MARGINALS_MAX, (uint32_t)n};
    pthread_mutex_unlock(&x->s->lock);
}

static enum lq_err begin_step(struct step *x)
{
    x->err = engine_begin(x->s->engine, true, &x->txn, x->e);
    copy_tables(x);
    return x->err;
}

/* Commits with the next flush numbers. */
static enum lq_err end_step(struct step *x)
{
    uint32_t no = x->s->flush_no + (x->numbers > 1 ? x->numbers : 1);
    if (x->err == LQ_OK) {
        x->err = engine_put_sealed(x->txn, DB_META, LQ_STR("flush"), (lq_str){(const char *)&no, sizeof no}, x->e);
    }
    if (x->err == LQ_OK) {
        x->err = engine_commit(&x->txn, x->e);
    }
    engine_abort(&x->txn);
    if (x->err == LQ_OK) {
        x->s->flush_no = no;
    }
    lq_buf_fini(&x->bytes);
    free(x->series_error);
    free(x->series_marginals);
    return x->err;
}

/* ---- deltas into the tiers ---- */

struct summary {
    uint32_t what; /* identity << 1 | error */
    int64_t hour_s;
    struct heavy heavy;
};

struct folding {
    struct step *step;
    int64_t before_s; /* only deltas that end before */
    struct sources sources;
    struct key_buf *keys;
    size_t n_keys, cap_keys;
    struct summary *summaries;
    size_t n_summaries, cap_summaries;
    /* what stays */
    uint32_t left;
    uint64_t left_bytes;
    int64_t left_oldest_s;
    bool more; /* left for want of room in the step */
};

static void add_summary(void *ctx, uint32_t identity, bool error, int64_t hour_s, const struct heavy *h)
{
    struct folding *x = ctx;
    uint32_t what = identity << 1 | error;
    static const struct heavy none;
    size_t i = 0;
    while (i < x->n_summaries && (x->summaries[i].what != what || x->summaries[i].hour_s != hour_s)) {
        i++;
    }
    if (i == x->n_summaries) {
        lq_grow(&x->summaries, &x->cap_summaries, i + 1, sizeof *x->summaries);
        x->summaries[x->n_summaries++] = (struct summary){what, hour_s, none};
    }
    struct heavy both;
    heavy_merge(&x->summaries[i].heavy, h, &both);
    heavy_fini(&x->summaries[i].heavy);
    x->summaries[i].heavy = both;
}

static enum lq_err take_delta(void *ctx, const struct delta_at *d, struct lq_error *e)
{
    struct folding *x = ctx;
    enum lq_err err = LQ_OK;
    bool full = x->sources.bytes >= FOLD_STEP_BYTES;
    if (d->d.last_s >= x->before_s || full) {
        x->left++;
        x->left_bytes += d->bytes;
        x->left_oldest_s = d->d.last_s < x->left_oldest_s ? d->d.last_s : x->left_oldest_s;
        x->more = x->more || d->d.last_s < x->before_s;
        return LQ_OK;
    }
    lq_grow(&x->keys, &x->cap_keys, x->n_keys + 1, sizeof *x->keys);
    delta_key(&x->keys[x->n_keys++], x->step->st->id, d->flush_no);
    for (uint32_t i = 0; i < d->d.n_days && err == LQ_OK; i++) {
        err = sources_add(&x->sources, d->d.day[i], d->d.day_s[i], FRAGMENT_ALL, x->step->st, e);
    }
    return err == LQ_OK ? delta_each_heavy(&d->d, add_summary, x) : err;
}

static void put_tiers(struct folding *x)
{
    struct step *p = x->step;
    for (p->tier = 0; p->tier < TIERS; p->tier++) {
        for (p->section = FOLD_CELLS; p->section <= FOLD_MARGINALS; p->section++) {
            struct rollup r = {.step_s = DELTA_STEP_S, .tables = &p->tables, .tier = p->tier, .from_s = tier_from(p->tier, p->st->high_water_us),
                               .to_s = p->tier == TIER_1H ? p->st->live_from_s : INT64_MAX};
            if (rollup_section(&r, p->section)) {
                sources_rollup(&x->sources, &r, sink_fragment, p);
            }
        }
    }
}

static void put_summaries(struct folding *x)
{
    struct step *p = x->step;
    for (size_t i = 0; i < x->n_summaries && p->err == LQ_OK; i++) {
        p->err = summary_put(p->txn, p->st, x->summaries[i].what, x->summaries[i].hour_s, &x->summaries[i].heavy, p->e);
    }
}

/* Where the 1 h tier's boundary of a stream begins that is live from now on: an hour of which nothing is in it. */
static enum lq_err begin_live(struct step *x)
{
    struct stream *st = x->st;
    struct engine_cursor *c = NULL;
    struct key_buf k;
    lq_str key, value;
    int64_t hour = st->delta_oldest_s - ((st->delta_oldest_s % HOUR_S) + HOUR_S) % HOUR_S;
    data_key(&k, TIER_1MIN, st->id, FOLD_CELLS, hour, 0);
    enum lq_err err = engine_cursor_open(x->txn, DB_DATA, &c, x->e);
    if (err == LQ_OK) {
        err = engine_seek(c, key_str(&k), &key, &value, x->e);
    }
    if (err == LQ_OK && key.n == DATA_KEY_BYTES && memcmp(key.p, k.p, 4) == 0) {
        hour = tier_period_of(TIER_1MIN, st->high_water_us / US) + HOUR_S;
    }
    engine_cursor_close(&c);
    if (err == LQ_OK || err == LQ_ENOENT) {
        st->live_from_s = hour;
        err = stream_put(st, x->txn, x->e);
    }
    return err;
}

static void settle_fold(const struct folding *x, struct stream *st)
{
    st->n_deltas = x->left;
    st->delta_bytes = x->left_bytes;
    st->delta_oldest_s = x->left_oldest_s;
    for (uint32_t d = 0; d < st->schema.n_dims; d++) {
        memset(st->dims[d].dirty, 0, st->dims[d].cap_dirty);
        st->dims[d].saved = st->dims[d].n;
    }
}

static enum lq_err fold_deltas(struct store *s, struct stream *st, int64_t before_s, enum maintain how, struct lq_error *e)
{
    struct step p = {.s = s, .st = st, .e = e};
    struct folding x = {.step = &p, .before_s = before_s, .left_oldest_s = INT64_MAX};
    int64_t live_from = st->live_from_s;
    if (begin_step(&p) == LQ_OK && live_from == INT64_MAX && how == MAINTAIN_DUE) {
        p.err = begin_live(&p);
    }
    if (p.err == LQ_OK) {
        p.err = delta_each(st, p.txn, take_delta, &x, e);
    }
    if (p.err == LQ_OK) {
        put_tiers(&x);
        put_summaries(&x);
    }
    pthread_mutex_lock(&s->lock); /* from the dictionaries' bytes to their marks */
    if (p.err == LQ_OK) {
        p.err = stream_put_dicts(st, p.txn, DIRTY_VALUES | DIRTY_STATS, e);
    }
    for (size_t i = 0; i < x.n_keys && p.err == LQ_OK; i++) {
        p.err = engine_del(p.txn, DB_DELTA, key_str(&x.keys[i]), e);
    }
    if (end_step(&p) == LQ_OK) {
        settle_fold(&x, st);
    } else {
        st->live_from_s = live_from;
    }
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < x.n_summaries; i++) {
        heavy_fini(&x.summaries[i].heavy);
    }
    free(x.summaries);
    free(x.keys);
    sources_fini(&x.sources);
    return p.err;
}

/* The end of what is to be folded now; INT64_MIN: nothing. */
static int64_t fold_before(const struct stream *st, enum maintain how)
{
    if (st->n_deltas == 0) {
        return INT64_MIN;
    }
    if (how == MAINTAIN_ALL || st->delta_bytes >= FOLD_FULL_BYTES) {
        return INT64_MAX;
    }
    int64_t step = st->delta_bytes >= FOLD_SMALL_BYTES ? 60 : 600, now = st->high_water_us / US - LATE_S;
    int64_t before = now - ((now % step) + step) % step;
    return st->delta_oldest_s < before && st->n_deltas >= FOLD_MIN_DELTAS ? before : INT64_MIN;
}

/* ---- ended hours into the 1 h tier ---- */

static void sink_day(void *ctx, int64_t period_s, struct fragment *f)
{
    struct step *x = ctx;
    if (x->has_day) {
        const struct fragment *both[2] = {&x->day, f};
        struct fragment merged;
        LQ_ASSERT(period_s == x->day_s); /* one hour lies in one day */
        fragment_merge(both, 2, &merged);
        fragment_fini(&x->day);
        fragment_fini(f);
        x->day = merged;
        return;
    }
    x->has_day = true;
    x->day_s = period_s;
    x->day = *f;
}

/* The next hour from live_from_s on that has anything in the 1 min tier, else that of the high-water mark. */
static enum lq_err next_hour(struct step *x, int64_t *hour_s)
{
    struct engine_cursor *c = NULL;
    struct key_buf k;
    lq_str key, value;
    data_key(&k, TIER_1MIN, x->st->id, FOLD_CELLS, x->st->live_from_s, 0);
    *hour_s = tier_period_of(TIER_1MIN, x->st->high_water_us / US);
    enum lq_err err = engine_cursor_open(x->txn, DB_DATA, &c, x->e);
    if (err == LQ_OK) {
        err = engine_seek(c, key_str(&k), &key, &value, x->e);
    }
    if (err == LQ_OK && key.n == DATA_KEY_BYTES && memcmp(key.p, k.p, 4) == 0) {
        int64_t found = key_get_i64((const uint8_t *)key.p + 4);
        *hour_s = found < *hour_s ? found : *hour_s;
    }
    engine_cursor_close(&c);
    return err == LQ_ENOENT ? LQ_OK : err;
}

static enum lq_err close_hour(struct store *s, struct stream *st, struct lq_error *e)
{
    struct step x = {.s = s, .st = st, .e = e, .tier = TIER_1H};
    int64_t before = st->live_from_s, hour = before;
    if (begin_step(&x) == LQ_OK) {
        x.err = next_hour(&x, &hour);
    }
    if (x.err == LQ_OK && hour > before) {
        st->live_from_s = hour;
    }
    bool whole = hour + HOUR_S <= st->high_water_us / US;
    for (x.section = FOLD_CELLS; whole && x.section <= FOLD_MARGINALS && x.err == LQ_OK; x.section++) {
        struct unfolded u = {.st = st, .txn = x.txn, .tables = &x.tables, .tier = TIER_1H, .section = x.section, .from_s = hour, .to_s = hour + HOUR_S,
                             .what = FRAGMENT_ALL};
        x.err = unfolded_hours(&u, sink_day, &x, e);
        if (x.has_day) {
            put_fragment(&x, x.day_s, &x.day);
            fragment_fini(&x.day);
            x.has_day = false;
        }
    }
    if (x.err == LQ_OK) {
        st->live_from_s = whole ? hour + HOUR_S : hour;
        x.err = stream_put(st, x.txn, e);
    }
    if (end_step(&x) != LQ_OK) {
        st->live_from_s = before;
    }
    return x.err;
}

static bool hour_ended(const struct stream *st, enum maintain how)
{
    int64_t late = how == MAINTAIN_ALL ? 0 : HOUR_LATE_S;
    return st->live_from_s != INT64_MAX && st->high_water_us != INT64_MIN && st->live_from_s + HOUR_S + late <= st->high_water_us / US;
}

/* ---- all of it ---- */

/* What is due: a daemon's flusher and a load beside it may look at the same time. */
static void set_due(bool *flag)
{
    __atomic_store_n(flag, true, __ATOMIC_RELAXED);
}

static bool take_due(bool *flag)
{
    return __atomic_exchange_n(flag, false, __ATOMIC_RELAXED);
}

/* One step; *did is set when there was something to do. */
static enum lq_err step(struct store *s, enum maintain how, bool *did, struct lq_error *e)
{
    *did = true;
    for (uint32_t i = 0, n = store__streams(s); i < n; i++) {
        struct stream *st = s->streams[i];
        int64_t before = fold_before(st, how);
        if (before != INT64_MIN) {
            return fold_deltas(s, st, before, how, e);
        }
        if (hour_ended(st, how)) {
            set_due(&s->compact_due);
            set_due(&s->retain_due);
            return close_hour(s, st, e);
        }
    }
    *did = false;
    return LQ_OK;
}

enum lq_err store_maintain(struct store *s, unsigned steps_max, enum maintain how, bool *more, struct lq_error *e)
{
    enum { KEYS_AT_ONCE = 1000, PERIODS_AT_ONCE = 8 };
    enum lq_err err = LQ_OK;
    *more = true;
    for (unsigned i = 0; i < steps_max && err == LQ_OK; i++) {
        bool did;
        pthread_mutex_lock(&s->writing);
        err = step(s, how, &did, e);
        bool full = err == LQ_ENOSPC && s->o.disk_bytes_max > 0;
        s->refused = s->refused || full;
        pthread_mutex_unlock(&s->writing);
        if (!full && (err != LQ_OK || did)) {
            continue;
        }
        did = take_due(&s->retain_due) || how == MAINTAIN_ALL || s->o.disk_bytes_max > 0;
        if (did) {
            enum lq_err kept = store_retain(s, KEYS_AT_ONCE, &did, full ? NULL : e);
            if (kept != LQ_OK || did) {
                set_due(&s->retain_due);
            }
            err = full && kept == LQ_OK && did ? LQ_OK : full ? LQ_ENOSPC : kept; /* there is room now: again */
        }
        if (err == LQ_OK && !did && (take_due(&s->compact_due) || how == MAINTAIN_ALL)) {
            err = store_compact(s, PERIODS_AT_ONCE, &did, e);
            if (err == LQ_ENOSPC && s->o.disk_bytes_max > 0) { /* no room to merge: not before another hour has ended */
                err = LQ_OK;
                did = false;
            } else if (err != LQ_OK || did) {
                set_due(&s->compact_due);
            }
        }
        if (err == LQ_OK && !did) {
            if (i > 0) {
                engine_reap_readers(s->engine);
            }
            *more = false;
            break;
        }
    }
    return err;
}
