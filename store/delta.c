/*
 * delta.c - records of small flushes (delta.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/delta.h"

#include <stdlib.h>
#include <zstd.h>

#include "store/fragment_build.h"
#include "store/radix.h"

enum { DELTA_VERSION = 1, HOUR_S = 3600, TAIL_BYTES_MAX = 64 << 20 };

void delta_key(struct key_buf *k, uint32_t stream, uint32_t flush_no)
{
    k->n = 0;
    key_u16(k, stream);
    key_u32(k, flush_no);
}

static int64_t floor_to(int64_t t, int64_t step)
{
    int64_t r = t % step;
    return t - (r < 0 ? r + step : r);
}

/* ---- cells ---- */

struct day_bytes {
    int64_t day_s;
    size_t bytes;
};

static void add_observation(struct builder *b, const struct observations *o, uint32_t r)
{
    builder_count(b, 1);
    for (uint32_t m = 0; m < o->n_measures; m++) {
        if ((o->measure_set[r] >> m & 1) != 0) {
            int64_t v = o->measures[m][r];
            int16_t bin = (int16_t)sketch_bin(v);
            builder_run(b, m, 1, &(struct builder_sum){v, v, v}, &bin);
        }
    }
    for (uint32_t i = 0; i < o->n_identities; i++) {
        uint32_t local = o->identities[i][r];
        if (local != 0) {
            builder_distinct(b, i, distinct_entry(o->identity_hashes[i][local]));
        }
    }
}

static size_t encode_cells(const struct observations *o, int64_t first_day, struct day_bytes *days, struct lq_buf *out)
{
    struct keyed_row *rows = lq_realloc(NULL, 2 * ((size_t)o->n + 1) * sizeof *rows);
    struct builder *b = builder_new(o->n_measures, o->n_identities, BUILD_SUMS | BUILD_BINS | BUILD_DISTINCT);
    size_t n_days = 0;
    for (uint32_t i = 0; i < o->n; i++) {
        int64_t in = o->time_s[i] - first_day;
        rows[i] = (struct keyed_row){(uint64_t)(in / DAY_S) << 48 | (uint64_t)o->series[i] << 16 | (uint64_t)(in % DAY_S / DELTA_STEP_S), i};
    }
    radix_sort_rows(rows, rows + o->n + 1, o->n);
    for (uint32_t i = 0; i < o->n;) {
        uint64_t day = rows[i].key >> 48;
        struct fragment f;
        size_t at = out->n;
        for (; i < o->n && rows[i].key >> 48 == day; i++) {
            if (builder_rows(b) == 0 || rows[i].key != rows[i - 1].key) {
                builder_row(b, (uint32_t)(rows[i].key >> 16), (uint16_t)rows[i].key);
            }
            add_observation(b, o, rows[i].row);
        }
        builder_take(b, &f);
        fragment_encode(&f, out);
        fragment_fini(&f);
        days[n_days++] = (struct day_bytes){first_day + (int64_t)day * DAY_S, out->n - at};
    }
    builder_free(&b);
    free(rows);
    return n_days;
}

/* ---- tail ---- */

static void encode_stats(const struct stream *st, const uint8_t *const *touched, int64_t first_s, struct lq_buf *out)
{
    lq_buf_varint(out, st->schema.n_dims);
    for (uint32_t d = 0; d < st->schema.n_dims; d++) {
        const struct dict *x = &st->dims[d];
        uint32_t n = 0, prev = UINT32_MAX;
        for (uint32_t i = 0; i < x->n; i++) {
            n += touched[d][i];
        }
        lq_buf_varint(out, n);
        for (uint32_t i = 0; i < x->n; i++) {
            if (touched[d][i] != 0) {
                const struct value_stats *s = &x->stats[i];
                lq_buf_varint(out, (uint32_t)(i - prev - 1));
                lq_buf_varint(out, s->count);
                lq_buf_varint(out, lq_zigzag(s->last_us - first_s * US));
                lq_buf_varint(out, (uint64_t)s->last_us - (uint64_t)s->first_us);
                lq_buf_byte(out, s->flags);
                prev = i;
            }
        }
    }
}

static void encode_summary(const struct heavy_item *items, size_t n, uint64_t key, struct lq_buf *out)
{
    struct lq_buf b = {0};
    struct heavy h;
    heavy_from(items, n, &h);
    heavy_encode(&h, &b);
    lq_buf_varint(out, key & 0xff);
    lq_buf_varint(out, key >> 8);
    lq_buf_varint(out, b.n);
    lq_buf_add(out, b.p, b.n);
    heavy_fini(&h);
    lq_buf_fini(&b);
}

/* Summaries by (hour, identity, error): keys hour - first hour 16 | error 1 | local id 32. */
static void encode_heavies(const struct observations *o, const uint8_t *series_error, lq_str *const *names, int64_t first_hour, struct lq_buf *out)
{
    struct lq_buf body = {0};
    uint64_t *keys = lq_realloc(NULL, 2 * ((size_t)o->n + 1) * sizeof *keys), summaries = 0;
    struct heavy_item *items = lq_realloc(NULL, ((size_t)o->n + 1) * sizeof *items);
    for (uint32_t p = 0; p < o->n_identities; p++) {
        size_t k = 0;
        for (uint32_t r = 0; r < o->n; r++) {
            if (o->identities[p][r] != 0) {
                uint64_t hour = (uint64_t)((o->time_s[r] - first_hour) / HOUR_S);
                keys[k++] = hour << 33 | (uint64_t)series_error[o->series[r]] << 32 | o->identities[p][r];
            }
        }
        radix_sort_keys(keys, keys + o->n + 1, k);
        for (size_t i = 0; i < k; summaries++) {
            uint64_t group = keys[i] >> 32;
            size_t n = 0;
            while (i < k && keys[i] >> 32 == group) {
                size_t from = i;
                while (i < k && keys[i] == keys[from]) {
                    i++;
                }
                items[n++] = (struct heavy_item){names[p][(uint32_t)keys[from]], i - from};
            }
            encode_summary(items, n, group >> 1 << 8 | p << 1 | (group & 1), &body);
        }
    }
    lq_buf_varint(out, summaries);
    lq_buf_add(out, body.p, body.n);
    lq_buf_fini(&body);
    free(keys);
    free(items);
}

void delta_encode(const struct stream *st, const struct observations *o, lq_str *const *names, const uint8_t *const *touched,
                  struct lq_buf *out)
{
    struct day_bytes days[DELTA_DAYS_MAX];
    struct lq_buf cells = {0}, tail = {0}, packed = {0};
    int64_t first = INT64_MAX, last = INT64_MIN;
    for (uint32_t i = 0; i < o->n; i++) {
        first = o->time_s[i] < first ? o->time_s[i] : first;
        last = o->time_s[i] > last ? o->time_s[i] : last;
    }
    int64_t first_day = floor_to(first, DAY_S);
    LQ_ASSERT(o->n > 0 && (last - first_day) / DAY_S < DELTA_DAYS_MAX);
    size_t n_days = encode_cells(o, first_day, days, &cells);
    encode_stats(st, touched, first, &tail);
    encode_heavies(o, st->series_error, names, floor_to(first, HOUR_S), &tail);
    lq_buf_reserve(&packed, ZSTD_compressBound(tail.n));
    size_t size = ZSTD_compress(packed.p, packed.cap, tail.p, tail.n, 1);
    packed.n = !ZSTD_isError(size) && size < tail.n ? size : 0;
    lq_buf_varint(out, DELTA_VERSION);
    lq_buf_varint(out, lq_zigzag(first));
    lq_buf_varint(out, (uint64_t)(last - first));
    lq_buf_varint(out, n_days);
    for (size_t i = 0; i < n_days; i++) {
        lq_buf_varint(out, (uint64_t)(days[i].day_s - first_day) / DAY_S);
        lq_buf_varint(out, days[i].bytes);
    }
    lq_buf_varint(out, tail.n);
    lq_buf_varint(out, packed.n > 0 ? packed.n : tail.n);
    lq_buf_add(out, cells.p, cells.n);
    lq_buf_add(out, packed.n > 0 ? packed.p : tail.p, packed.n > 0 ? packed.n : tail.n);
    lq_buf_fini(&cells);
    lq_buf_fini(&tail);
    lq_buf_fini(&packed);
}

/* ---- decode ---- */

enum lq_err delta_open(lq_str value, struct delta *out)
{
    const uint8_t *p = (const uint8_t *)value.p, *end = p + value.n;
    uint64_t version, first, span, n, day, stored, size[DELTA_DAYS_MAX];
    memset(out, 0, sizeof *out);
    if (!lq_varint_get(&p, end, &version) || version != DELTA_VERSION || !lq_varint_get(&p, end, &first) || !lq_varint_get(&p, end, &span) ||
        !lq_varint_get(&p, end, &n) || n > DELTA_DAYS_MAX || span >= DELTA_DAYS_MAX * (uint64_t)DAY_S) {
        return LQ_ECORRUPT;
    }
    out->first_s = lq_unzigzag(first);
    if (out->first_s > 1LL << 50 || out->first_s < -(1LL << 50)) {
        return LQ_ECORRUPT;
    }
    out->last_s = out->first_s + (int64_t)span;
    for (uint64_t i = 0; i < n; i++) {
        if (!lq_varint_get(&p, end, &day) || day >= DELTA_DAYS_MAX || !lq_varint_get(&p, end, &size[i])) {
            return LQ_ECORRUPT;
        }
        out->day_s[i] = floor_to(out->first_s, DAY_S) + (int64_t)day * DAY_S;
    }
    if (!lq_varint_get(&p, end, &out->tail_raw) || !lq_varint_get(&p, end, &stored) || out->tail_raw > TAIL_BYTES_MAX || stored > out->tail_raw) {
        return LQ_ECORRUPT;
    }
    for (uint64_t i = 0; i < n; i++) {
        if (size[i] > (uint64_t)(end - p)) {
            return LQ_ECORRUPT;
        }
        out->day[out->n_days++] = (lq_str){(const char *)p, size[i]};
        p += size[i];
    }
    out->tail = (lq_str){(const char *)p, stored};
    return stored == (uint64_t)(end - p) ? LQ_OK : LQ_ECORRUPT;
}

/* The tail's bytes; *owned is to be freed. */
static bool open_tail(const struct delta *d, uint8_t **owned, const uint8_t **p, const uint8_t **end)
{
    *owned = NULL;
    *p = (const uint8_t *)d->tail.p;
    if (d->tail.n < d->tail_raw) {
        *owned = lq_realloc(NULL, d->tail_raw);
        size_t size = ZSTD_decompress(*owned, d->tail_raw, d->tail.p, d->tail.n);
        if (ZSTD_isError(size) || size != d->tail_raw) {
            return false;
        }
        *p = *owned;
    }
    *end = *p + d->tail_raw;
    return true;
}

static bool next_value(const struct delta *d, const uint8_t **p, const uint8_t *end, uint64_t *id, struct value_stats *s)
{
    uint64_t gap, last, span;
    if (!lq_varint_get(p, end, &gap) || !lq_varint_get(p, end, &s->count) || !lq_varint_get(p, end, &last) || !lq_varint_get(p, end, &span) ||
        *p == end || gap > UINT32_MAX) {
        return false;
    }
    s->flags = *(*p)++;
    *id += gap + 1;
    s->last_us = (int64_t)((uint64_t)d->first_s * (uint64_t)US + (uint64_t)lq_unzigzag(last));
    s->first_us = (int64_t)((uint64_t)s->last_us - span);
    return *id <= UINT32_MAX;
}

/* Past the statistics; those of `dim` (if any) go into the dictionary. */
static bool walk_stats(const struct delta *d, const uint8_t **p, const uint8_t *end, uint32_t dim, struct dict *into)
{
    uint64_t dims, n;
    if (!lq_varint_get(p, end, &dims) || dims > DIM_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < dims; i++) {
        uint64_t id = UINT64_MAX;
        struct value_stats s;
        if (!lq_varint_get(p, end, &n)) {
            return false;
        }
        for (uint64_t k = 0; k < n; k++) {
            if (!next_value(d, p, end, &id, &s) || (i == dim && into != NULL && id >= into->n)) {
                return false;
            }
            if (i == dim && into != NULL) {
                dict_take_stats(into, (uint32_t)id, &s);
            }
        }
    }
    return true;
}

enum lq_err delta_apply_stats(const struct delta *d, uint32_t dim, struct dict *into)
{
    uint8_t *owned;
    const uint8_t *p, *end;
    bool ok = open_tail(d, &owned, &p, &end) && walk_stats(d, &p, end, dim, into);
    free(owned);
    return ok ? LQ_OK : LQ_ECORRUPT;
}

enum lq_err delta_each_heavy(const struct delta *d, delta_heavy_fn *fn, void *ctx)
{
    uint8_t *owned;
    const uint8_t *p, *end;
    uint64_t n = 0, what, hour, size;
    bool ok = open_tail(d, &owned, &p, &end) && walk_stats(d, &p, end, UINT32_MAX, NULL) && lq_varint_get(&p, end, &n);
    for (uint64_t i = 0; ok && i < n; i++) {
        struct heavy h;
        ok = lq_varint_get(&p, end, &what) && what < 2 * IDENTITY_MAX && lq_varint_get(&p, end, &hour) && hour <= DELTA_DAYS_MAX * 24U &&
             lq_varint_get(&p, end, &size) && size <= (uint64_t)(end - p) && heavy_decode(p, size, &h) == LQ_OK;
        if (ok) {
            fn(ctx, (uint32_t)what >> 1, (what & 1) != 0, floor_to(d->first_s, HOUR_S) + (int64_t)hour * HOUR_S, &h);
            heavy_fini(&h);
            p += size;
        }
    }
    free(owned);
    return ok ? LQ_OK : LQ_ECORRUPT;
}

/* ---- all of a stream ---- */

enum lq_err delta_each(const struct stream *st, struct engine_txn *t, delta_each_fn *fn, void *ctx, struct lq_error *e)
{
    struct engine_cursor *c = NULL;
    struct key_buf prefix;
    lq_str key, value;
    delta_key(&prefix, st->id, 0);
    enum lq_err err = engine_cursor_open(t, DB_DELTA, &c, e);
    for (err = err == LQ_OK ? engine_seek(c, key_str(&prefix), &key, &value, e) : err; err == LQ_OK; err = engine_next(c, &key, &value, e)) {
        struct delta_at x = {0};
        if (key.n != DELTA_KEY_BYTES || memcmp(key.p, prefix.p, 2) != 0) {
            err = key.n != DELTA_KEY_BYTES ? LQ_ECORRUPT : LQ_ENOENT;
            break;
        }
        x.flush_no = key_get_u32((const uint8_t *)key.p + 2);
        x.bytes = value.n;
        err = !engine_unseal(&value) || delta_open(value, &x.d) != LQ_OK ? LQ_ECORRUPT : fn(ctx, &x, e);
        if (err != LQ_OK) {
            break;
        }
    }
    engine_cursor_close(&c);
    if (err == LQ_ECORRUPT) {
        lq_error_set(e, LQ_ECORRUPT, "store %s is damaged: what a flush of stream %s left", st->store->dir, st->schema.name);
    }
    return err == LQ_ENOENT ? LQ_OK : err;
}
