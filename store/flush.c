/*
 * flush.c - windows to one transaction: fold, encode, commit
 *
 * Everything is prepared outside the transaction; the transaction itself only puts. What changes in memory (dictionary statistics, high-water
 * marks) is computed on copies and taken over after the commit, so that a failed flush can be tried again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "store/delta.h"
#include "store/process.h"

struct pending { /* one put */
    enum engine_db db;
    bool sealed;
    struct key_buf key;
    size_t at, n; /* value in bytes */
};

struct heavy_part { /* heaviest identities of an hour, to be merged with the stored ones */
    uint32_t identity;
    bool error;
    int64_t hour_s;
    struct heavy heavy;
};

/* Puts in preparation, of one thread. Between flushes the store keeps it, empty: what is freed and taken again each second has to be touched again each second. */
struct flush_part {
    struct flush *f;
    struct fragment_encoder *encoder;
    struct folder *folder;
    struct lq_buf bytes;
    struct pending *puts;
    size_t n_puts, cap_puts;
    struct heavy_part *heavies;
    size_t n_heavies, cap_heavies;
    uint32_t numbers; /* of fragments, from the flush's own on: the parts of one have a number each */
};

struct flush {
    struct store *s;
    struct engine_txn *txn;
    struct flush_part *parts; /* by thread; part 0 is the flush's own */
    unsigned n_threads;
    uint32_t flush_no;
    uint64_t overflow_cells, before_reach;
    /* the stream being folded */
    struct stream *st;
    struct window_stream *ws;
    enum lq_err err;
    struct lq_error *e;
};

static void add_put(struct flush_part *f, enum engine_db db, bool sealed, const struct key_buf *key, size_t at)
{
    lq_grow(&f->puts, &f->cap_puts, f->n_puts + 1, sizeof *f->puts);
    f->puts[f->n_puts++] = (struct pending){db, sealed, *key, at, f->bytes.n - at};
}

/* ---- fold ---- */

static void take_fragment(void *ctx, int tier, int section, int64_t period_s, const struct fragment *frag)
{
    struct flush_part *part = ctx;
    struct fragment_part p = {0};
    struct key_buf k;
    for (size_t at = part->bytes.n; fragment_encode_part(part->encoder, frag, &p, &part->bytes); at = part->bytes.n) {
        data_key(&k, tier, part->f->st->id, section, period_s, part->f->flush_no + p.n - 1);
        add_put(part, DB_DATA, false, &k, at);
    }
    part->numbers = p.n > part->numbers ? p.n : part->numbers;
}

static void take_heavy(void *ctx, uint32_t identity, bool error, int64_t hour_s, const struct heavy_count *c, size_t n, uint64_t total)
{
    struct flush_part *part = ctx;
    const struct window_identity *x = &part->f->ws->identities[identity];
    struct heavy_item *items = lq_alloc((n + 1) * sizeof *items);
    for (size_t i = 0; i < n; i++) {
        items[i] = (struct heavy_item){x->names[c[i].identity], c[i].count};
    }
    lq_grow(&part->heavies, &part->cap_heavies, part->n_heavies + 1, sizeof *part->heavies);
    struct heavy_part *h = &part->heavies[part->n_heavies++];
    *h = (struct heavy_part){.identity = identity, .error = error, .hour_s = hour_s};
    heavy_from(items, n, &h->heavy);
    h->heavy.total = total;
    free(items);
}

static void put_heavy(struct flush *f, struct heavy_part *h)
{
    if (f->err == LQ_OK) {
        f->err = summary_put(f->txn, f->st, h->identity << 1 | h->error, h->hour_s, &h->heavy, f->e);
    }
    heavy_fini(&h->heavy);
}

/* Puts what the parts prepared, and empties them. */
static void put_pending(struct flush *f)
{
    for (unsigned t = 0; t < f->n_threads; t++) {
        struct flush_part *part = &f->parts[t];
        for (size_t i = 0; i < part->n_heavies; i++) {
            put_heavy(f, &part->heavies[i]);
        }
        part->n_heavies = 0;
    }
    for (unsigned t = 0; t < f->n_threads; t++) {
        struct flush_part *part = &f->parts[t];
        for (size_t i = 0; i < part->n_puts && f->err == LQ_OK; i++) {
            const struct pending *p = &part->puts[i];
            lq_str value = {part->bytes.p + p->at, p->n};
            f->err = p->sealed ? engine_put_sealed(f->txn, p->db, key_str(&p->key), value, f->e)
                               : engine_put(f->txn, p->db, key_str(&p->key), value, f->e);
        }
        part->n_puts = 0;
        lq_buf_clear(&part->bytes);
    }
}

static struct observations observations_of(const struct window_stream *ws)
{
    struct observations o = {.n = ws->n, .series = ws->series, .time_s = ws->time_s, .n_measures = ws->n_measures,
                             .measure_set = ws->measure_set, .n_identities = ws->n_identities};
    for (uint32_t i = 0; i < o.n_measures; i++) {
        o.measures[i] = ws->measures[i];
    }
    for (uint32_t i = 0; i < o.n_identities; i++) {
        o.identities[i] = ws->identity[i];
        o.identity_hashes[i] = ws->identities[i].hashes;
        o.identity_count[i] = ws->identities[i].n;
    }
    return o;
}

static void fold_stream(struct flush *f, int64_t high_water_us)
{
    struct window_stream *ws = f->ws;
    struct stream *st = f->st;
    struct observations o = observations_of(ws);
    struct fold_limits l = {.bucket_cells_max = f->s->o.bucket_cells_max, .hour_before_s = st->live_from_s};
    for (int t = 0; t < TIERS; t++) {
        l.tier_from_s[t] = tier_from(t, high_water_us);
    }
    for (uint32_t error = 0; error < 2; error++) { /* made only where needed: a cell cap that is reached */
        uint32_t ids[DIM_MAX] = {0};
        l.overflow_series[error] = 0;
        if (ws->n > f->s->o.bucket_cells_max) {
            struct dict_limits dl = {UINT32_MAX, true, INT64_MIN};
            ids[DIM_ERROR] = dict_intern(&st->dims[DIM_ERROR], error != 0 ? LQ_STR("true") : LQ_STR("false"), true, &dl);
            for (uint32_t d = DIM_ERROR + 1; d < st->schema.n_dims; d++) {
                ids[d] = VALUE_OVERFLOW;
            }
            bool over;
            l.overflow_series[error] = stream_series(st, ids, INT64_MIN, &over);
        }
    }
    struct fold_series fs = {st->series_error, MARGINALS_MAX, st->series_marginals};
    struct fold_sink *sinks = lq_alloc(f->n_threads * sizeof *sinks);
    uint64_t overflowed = 0;
    for (unsigned t = 0; t < f->n_threads; t++) {
        sinks[t] = (struct fold_sink){f->parts[t].folder, &f->parts[t], take_fragment, take_heavy};
    }
    fold(&o, &fs, &l, sinks, f->n_threads, &overflowed);
    f->overflow_cells += overflowed;
    free(sinks);
}

/* ---- a delta in place of folding ---- */

/* Few observations for each cell, and so few that no cap on cells can be reached. */
static bool is_small(const struct flush *f, const struct window_stream *ws)
{
    if (ws->n > DELTA_OBSERVATIONS_MAX || ws->n > f->s->o.bucket_cells_max) {
        return false;
    }
    int64_t first = INT64_MAX, last = INT64_MIN;
    for (uint32_t i = 0; i < ws->n; i++) {
        first = ws->time_s[i] < first ? ws->time_s[i] : first;
        last = ws->time_s[i] > last ? ws->time_s[i] : last;
    }
    return last - first < (DELTA_DAYS_MAX - 2) * (int64_t)DAY_S;
}

static void put_delta(struct flush *f, struct window *const *w, size_t n_windows)
{
    struct stream *st = f->st;
    struct observations o = observations_of(f->ws);
    lq_str *names[IDENTITY_MAX] = {0};
    uint8_t *touched[DIM_MAX] = {0};
    struct key_buf k;
    size_t at = f->parts[0].bytes.n;
    for (uint32_t i = 0; i < o.n_identities; i++) {
        names[i] = f->ws->identities[i].names;
    }
    for (uint32_t d = 0; d < st->schema.n_dims; d++) {
        touched[d] = lq_alloc(st->dims[d].n + 1);
        for (size_t i = 0; i < n_windows; i++) {
            const struct window_stream *ws = w[i]->streams[st->id];
            for (uint32_t v = 0; ws != NULL && v < ws->dims[d].n; v++) {
                touched[d][v] |= ws->dims[d].stats[v].count > 0;
            }
        }
    }
    delta_encode(st, &o, names, (const uint8_t *const *)touched, &f->parts[0].bytes);
    delta_key(&k, st->id, f->flush_no);
    add_put(&f->parts[0], DB_DELTA, true, &k, at);
    for (uint32_t d = 0; d < st->schema.n_dims; d++) {
        free(touched[d]);
    }
}

/* ---- dictionaries and tables ---- */

static void put_table(struct flush *f, struct stream *st, enum engine_db db, uint32_t saved, uint32_t n,
                      void (*encode)(const struct stream *, uint32_t, struct lq_buf *))
{
    for (uint32_t c = saved / SERIES_CHUNK; saved < n && c * SERIES_CHUNK < n; c++) {
        struct key_buf k = {{0}, 0};
        size_t at = f->parts[0].bytes.n;
        key_u16(&k, st->id);
        key_u32(&k, c);
        encode(st, c, &f->parts[0].bytes);
        add_put(&f->parts[0], db, true, &k, at);
    }
}

static void put_stream(struct flush *f, struct stream *st)
{
    struct key_buf k = {{0}, 0};
    size_t at;
    put_table(f, st, DB_SERIES, st->series_saved, st->n_series, stream_encode_series);
    put_table(f, st, DB_MARGINAL, st->marginals_saved, st->n_marginals, stream_encode_marginals);
    at = f->parts[0].bytes.n;
    key_u8(&k, 's');
    key_u16(&k, st->id);
    stream_encode(st, &f->parts[0].bytes);
    add_put(&f->parts[0], DB_META, true, &k, at);
}

/* ---- examples ---- */

static void put_example(struct flush *f, const struct example_slot *x)
{
    struct key_buf k = {{0}, 0};
    lq_str old;
    uint64_t head[2] = {(uint64_t)x->time_us, x->hash}, stored[2];
    key_u16(&k, f->st->id);
    key_u8(&k, (uint8_t)x->dim);
    key_u32(&k, x->value);
    key_u8(&k, x->kind);
    key_i64(&k, x->day);
    enum lq_err err = engine_get_sealed(f->txn, DB_EXAMPLE, key_str(&k), &old, f->e);
    if (err == LQ_OK && old.n >= sizeof stored) {
        memcpy(stored, old.p, sizeof stored);
        if ((int64_t)stored[0] < x->time_us || ((int64_t)stored[0] == x->time_us && stored[1] <= x->hash)) {
            return;
        }
    } else if (err != LQ_OK && err != LQ_ENOENT) {
        f->err = err;
        return;
    }
    lq_buf_clear(&f->parts[0].bytes);
    lq_buf_add(&f->parts[0].bytes, head, sizeof head);
    lq_buf_add(&f->parts[0].bytes, x->text, x->text_len);
    err = engine_put_sealed(f->txn, DB_EXAMPLE, key_str(&k), (lq_str){f->parts[0].bytes.p, f->parts[0].bytes.n}, f->e);
    f->err = f->err == LQ_OK ? err : f->err;
}

/* ---- counters and checkpoints ---- */

static void add_counter(struct flush *f, const char *name, uint64_t n)
{
    struct key_buf k = {{0}, 0};
    lq_str old;
    uint64_t sum = 0;
    if (n == 0 || f->err != LQ_OK) {
        return;
    }
    key_u8(&k, 'c');
    size_t len = strlen(name) < sizeof k.p - 1 ? strlen(name) : sizeof k.p - 1;
    memcpy(k.p + 1, name, len);
    k.n += len;
    enum lq_err err = engine_get_sealed(f->txn, DB_META, key_str(&k), &old, f->e);
    if (err == LQ_OK && old.n == sizeof sum) {
        memcpy(&sum, old.p, sizeof sum);
    }
    if (err == LQ_OK || err == LQ_ENOENT) {
        sum += n;
        err = engine_put_sealed(f->txn, DB_META, key_str(&k), (lq_str){(const char *)&sum, sizeof sum}, f->e);
    }
    f->err = err;
}

static void put_checkpoints(struct flush *f, const struct checkpoint *cp, size_t n)
{
    for (size_t i = 0; i < n && f->err == LQ_OK; i++) {
        char key[CHECKPOINT_TEXT_MAX], name[CHECKPOINT_TEXT_MAX];
        struct checkpoint kept = cp[i];
        kept.key = checkpoint_key(f->s, cp[i].key, key);
        kept.name = checkpoint_text(f->s, cp[i].name, name);
        lq_buf_clear(&f->parts[0].bytes);
        checkpoint_encode(&kept, &f->parts[0].bytes);
        f->err = engine_put_sealed(f->txn, DB_CHECKPOINT, kept.key, (lq_str){f->parts[0].bytes.p, f->parts[0].bytes.n}, f->e);
    }
}

/* ---- one stream ---- */

struct stream_backup { /* what the flush changes in memory before it knows that it succeeds */
    struct value_stats *stats[DIM_MAX];
    uint32_t n[DIM_MAX], on_probation[DIM_MAX];
    int64_t first_us, last_us, high_water_us;
    uint64_t lines, errors;
    size_t delta_bytes; /* of the delta that the flush made; 0 = none */
    int64_t delta_last_s;
};

static void backup(const struct stream *st, struct stream_backup *b)
{
    memset(b, 0, sizeof *b);
    for (uint32_t d = 0; d < st->schema.n_dims; d++) {
        b->n[d] = st->dims[d].n;
        b->on_probation[d] = st->dims[d].on_probation;
        b->stats[d] = lq_realloc(NULL, (b->n[d] + 1) * sizeof *b->stats[d]);
        memcpy(b->stats[d], st->dims[d].stats, b->n[d] * sizeof *b->stats[d]);
    }
    b->first_us = st->first_us;
    b->last_us = st->last_us;
    b->high_water_us = st->high_water_us;
    b->lines = st->lines;
    b->errors = st->errors;
}

/* Undo (when !ok), or mark as saved; frees the backup. */
static void settle(struct stream *st, struct stream_backup *b, bool ok)
{
    for (uint32_t d = 0; d < st->schema.n_dims; d++) {
        struct dict *x = &st->dims[d];
        if (!ok && b->stats[d] != NULL) {
            memcpy(x->stats, b->stats[d], b->n[d] * sizeof *x->stats);
            x->on_probation = b->on_probation[d];
        } else if (ok) {
            for (size_t c = 0; c < x->cap_dirty; c++) {
                x->dirty[c] &= b->delta_bytes > 0 ? DIRTY_STATS : 0;
            }
            x->saved = x->n;
        }
        free(b->stats[d]);
    }
    if (ok) {
        st->series_saved = st->n_series;
        st->marginals_saved = st->n_marginals;
        st->dirty = false;
        st->n_deltas += b->delta_bytes > 0;
        st->delta_bytes += b->delta_bytes;
        if (b->delta_bytes > 0 && b->delta_last_s < st->delta_oldest_s) {
            st->delta_oldest_s = b->delta_last_s;
        }
    } else {
        st->first_us = b->first_us;
        st->last_us = b->last_us;
        st->high_water_us = b->high_water_us;
        st->lines = b->lines;
        st->errors = b->errors;
    }
}

static void merge_window_stats(struct stream *st, const struct window_stream *ws, uint64_t observed)
{
    for (uint32_t d = 0; d < st->schema.n_dims; d++) {
        const struct window_dim *x = &ws->dims[d];
        for (uint32_t i = 0; i < x->n; i++) {
            if (x->stats[i].count > 0) {
                dict_merge_stats(&st->dims[d], i, &x->stats[i]);
            }
        }
    }
    st->first_us = ws->first_us < st->first_us ? ws->first_us : st->first_us;
    st->last_us = ws->last_us > st->last_us ? ws->last_us : st->last_us;
    st->high_water_us = st->last_us;
    st->lines += observed;
    st->errors += ws->errors;
}

static void flush_stream(struct flush *f, struct window *const *w, size_t n_windows, struct stream_backup *b)
{
    struct window_stream *first = NULL;
    struct stream *st = f->st;
    uint64_t observed = 0;
    for (size_t i = 0; i < n_windows; i++) {
        struct window_stream *ws = w[i]->streams[st->id];
        if (ws == NULL) {
            continue;
        }
        window_stream_settle(ws);
        if (first == NULL) {
            first = ws;
        } else {
            window_stream_absorb(first, ws);
            ws->n = 0;
        }
    }
    for (size_t i = 0; i < n_windows; i++) {
        if (w[i]->streams[st->id] != NULL) {
            merge_window_stats(st, w[i]->streams[st->id], 0);
        }
    }
    observed = first != NULL ? first->n : 0;
    st->lines += observed;
    if (observed > 0) {
        f->ws = first;
        stream_count_live(st, first->series, first->time_s, first->n);
        int64_t hw = st->high_water_us > f->s->expected_us ? st->high_water_us : f->s->expected_us, reach = tier_from(TIER_1H, hw);
        for (uint32_t i = 0; i < observed; i++) {
            f->before_reach += first->time_s[i] < reach;
        }
        if (is_small(f, first)) {
            put_delta(f, w, n_windows);
            b->delta_bytes = f->parts[0].bytes.n;
            b->delta_last_s = first->time_s[0];
            for (uint32_t i = 1; i < observed; i++) {
                b->delta_last_s = first->time_s[i] > b->delta_last_s ? first->time_s[i] : b->delta_last_s;
            }
        } else {
            fold_stream(f, hw);
        }
    }
    put_stream(f, st);
    put_pending(f);
    if (f->err == LQ_OK) {
        f->err = stream_put_dicts(st, f->txn, b->delta_bytes > 0 ? DIRTY_VALUES : DIRTY_VALUES | DIRTY_STATS, f->e);
    }
    for (size_t i = 0; i < n_windows && f->err == LQ_OK; i++) {
        const struct window_stream *ws = w[i]->streams[st->id];
        for (size_t k = 0; ws != NULL && k < ws->n_examples && f->err == LQ_OK; k++) {
            put_example(f, &ws->examples[k]);
        }
        lq_buf_clear(&f->parts[0].bytes);
    }
}

static bool touched(const struct stream *st, struct window *const *w, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (w[i]->streams[st->id] != NULL && (w[i]->streams[st->id]->n > 0 || w[i]->streams[st->id]->last_us != INT64_MIN)) {
            return true;
        }
    }
    return st->dirty;
}

static void put_counters(struct flush *f, struct window *const *w, size_t n_windows, const struct counter_delta *c, size_t n)
{
    uint64_t future = 0, values = 0, series = 0;
    for (size_t i = 0; i < n_windows; i++) {
        future += w[i]->future;
        values += w[i]->overflow_values;
        series += w[i]->overflow_series;
    }
    for (size_t i = 0; i < n; i++) {
        add_counter(f, c[i].name, c[i].n);
    }
    add_counter(f, "future_time", future);
    add_counter(f, "overflow_values", values);
    add_counter(f, "overflow_series", series);
    add_counter(f, "overflow_cells", f->overflow_cells);
    add_counter(f, "before_reach", f->before_reach);
}

static void put_sightings(struct flush *f, struct window *const *w, size_t n)
{
    uint64_t overflowed = 0;
    for (size_t i = 0; i < n && f->err == LQ_OK; i++) {
        if (w[i]->sightings != NULL) {
            f->err = sightings_put(f->txn, w[i]->sightings, &overflowed, f->e);
        }
    }
    for (size_t i = 0; i < n && f->err == LQ_OK; i++) {
        if (w[i]->programs != NULL) {
            f->err = programs_put(f->txn, w[i]->programs, &overflowed, f->e);
        }
    }
    add_counter(f, "overflow_markers", overflowed);
}

/* As many as threads, of those that the store keeps. */
static void parts_take(struct flush *f)
{
    struct store *s = f->s;
    lq_grow(&s->parts, &s->cap_parts, f->n_threads, sizeof *s->parts);
    for (; s->n_parts < f->n_threads; s->n_parts++) {
        s->parts[s->n_parts] = (struct flush_part){.encoder = fragment_encoder_new(), .folder = folder_new()};
    }
    for (unsigned t = 0; t < f->n_threads; t++) {
        struct flush_part *part = &s->parts[t];
        part->f = f;
        part->n_puts = 0;
        part->numbers = 0;
        lq_buf_clear(&part->bytes);
    }
    f->parts = s->parts;
}

void store__free_parts(struct store *s)
{
    for (size_t t = 0; t < s->n_parts; t++) {
        struct flush_part *part = &s->parts[t];
        fragment_encoder_free(&part->encoder);
        folder_free(&part->folder);
        lq_buf_fini(&part->bytes);
        free(part->puts);
        free(part->heavies);
    }
    free(s->parts);
    s->parts = NULL;
    s->n_parts = s->cap_parts = 0;
}

void store_trim(struct store *s)
{
    pthread_mutex_lock(&s->writing);
    store__free_parts(s);
    pthread_mutex_unlock(&s->writing);
}

enum lq_err store_flush(struct store *s, struct window *const *w, size_t n_windows, const struct checkpoint *cp, size_t n_cp,
                        const struct counter_delta *counters, size_t n_counters, unsigned n_threads, struct lq_error *e)
{
    struct flush f = {.s = s, .n_threads = n_threads > 0 ? n_threads : 1, .e = e};
    struct stream_backup *backups = lq_alloc(STREAM_MAX * sizeof *backups);
    bool taken[STREAM_MAX] = {false};
    pthread_mutex_lock(&s->writing);
    parts_take(&f);
    f.flush_no = s->flush_no + 1; /* under the lock: a daemon's flusher and a load beside it take turns */
    f.err = engine_begin(s->engine, true, &f.txn, e); /* before the lock, as the maintenance does: LMDB's writer mutex is one too */
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i < s->n_streams && f.err == LQ_OK; i++) {
        f.st = s->streams[i];
        if (touched(f.st, w, n_windows)) {
            backup(f.st, &backups[i]);
            taken[i] = true;
            flush_stream(&f, w, n_windows, &backups[i]);
        }
    }
    put_sightings(&f, w, n_windows);
    if (f.err == LQ_OK) {
        put_counters(&f, w, n_windows, counters, n_counters);
    }
    put_checkpoints(&f, cp, n_cp);
    uint32_t last_no = f.flush_no;
    for (unsigned t = 0; t < f.n_threads; t++) {
        last_no = f.flush_no + f.parts[t].numbers > last_no + 1 ? f.flush_no + f.parts[t].numbers - 1 : last_no;
    }
    if (f.err == LQ_OK) {
        lq_str no = {(const char *)&last_no, sizeof last_no};
        f.err = engine_put_sealed(f.txn, DB_META, LQ_STR("flush"), no, e);
    }
    if (f.err == LQ_OK) {
        f.err = engine_commit(&f.txn, e);
    } else {
        engine_abort(&f.txn);
    }
    for (uint32_t i = 0; i < s->n_streams; i++) {
        if (taken[i]) {
            settle(s->streams[i], &backups[i], f.err == LQ_OK);
        }
    }
    if (f.err == LQ_OK) {
        s->flush_no = last_no;
        for (size_t i = 0; i < n_windows; i++) {
            window_clear(w[i]);
        }
    }
    pthread_mutex_unlock(&s->lock);
    s->refused = f.err == LQ_ENOSPC;
    s->refusals = s->refused ? s->refusals + 1 : 0;
    pthread_mutex_unlock(&s->writing);
    free(backups);
    return f.err;
}
