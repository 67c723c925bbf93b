/*
 * fragment_codec.c - a fragment as bytes (fragment.h has the outer layout)
 *
 * Columns, each a byte string of varints, zstd-compressed where that saves at least a tenth:
 *
 *      ids       per run of one id: id - previous id - 1 (first: id), rows in the run - 1
 *      slots     per row: slot, or within a run slot - previous slot - 1
 *      counts    per row: count
 *      per measure
 *        n       per row: observations; empty column = equal to counts
 *        sums    unit, then per row with n > 0: zigzag(sum / unit). The unit divides every sum, min and max: a time with three decimals, kept in
 *                microseconds, has 1000. (Version 1 had no unit; with it a live store is 6 % smaller.)
 *        minmax  per row with n > 1: zigzag(min / unit), (max - min) / unit
 *        bins    per row with n > 1: number of bins, then zigzag(first bin) or bin - previous bin, and its count. Number 0, where n is 2 or 3:
 *                they follow from sum, min and max (version 1 spelled them out)
 *      per identity
 *        numbers per row: entries       registers  register - previous (first: register)       ranks  one byte each
 *
 * Header after the version byte, varints: rows, flags (1 bins, 2 distinct), n_measures, n_identities, then raw size and
 * stored size of each column (stored < raw: zstd).
 *
 * Worked example, also a test vector: one row, series 5, slot 7, count 1, one measure of value 300, no bins kept:
 *      checksum(8) 02 | 01 00 01 00 | 02 02 01 01 01 01 00 00 03 03 00 00 00 00 | 05 00  07  01  ac 02 02
 *
 * SPDX-License-Identifier: MIT
 */
#define ZSTD_STATIC_LINKING_ONLY /* ZSTD_c_literalCompressionMode */
#include <stdlib.h>
#include <zstd.h>

#include "store/fragment.h"

enum {
    CODEC_VERSION = 2, /* 1 is read */
    FLAG_BINS = 1,
    FLAG_DISTINCT = 2,
    COMPRESS_MIN_BYTES = 256,
    COLUMNS_MAX = 3 + 4 * MEASURE_MAX + 3 * IDENTITY_MAX,
    COLUMN_BYTES_MAX = 256 << 20,
    EXPANSION_MAX = 20000, /* zstd cannot expand more on our columns */
    SLOT_MAX = 1 << 16,
    ZSTD_LEVEL = -50,
    ZSTD_LEVEL_FALLBACK = 1,
};

/* ---- encode ---- */

/*
 * Our columns hardly repeat; what compresses them is the entropy coder. So zstd hardly looks for matches (level -50),
 * but codes literals, which it leaves out at negative levels unless told. Columns of 1.5 M access lines: level 1 3.5
 * ns/byte and 22.6 MB, this 1.5 ns/byte and 23.1 MB, level 3 7.1 ns/byte and 22.1 MB.
 */
struct fragment_encoder {
    ZSTD_CCtx *zstd;
    struct lq_buf col[COLUMNS_MAX], packed[COLUMNS_MAX];
};

struct fragment_encoder *fragment_encoder_new(void)
{
    struct fragment_encoder *e = lq_alloc(sizeof *e);
    e->zstd = ZSTD_createCCtx();
    LQ_ASSERT(e->zstd != NULL);
    if (ZSTD_isError(ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_literalCompressionMode, (int)ZSTD_ps_enable)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL))) {
        ZSTD_CCtx_reset(e->zstd, ZSTD_reset_session_and_parameters);
        ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL_FALLBACK);
    }
    return e;
}

void fragment_encoder_free(struct fragment_encoder **ep)
{
    struct fragment_encoder *e = *ep;
    if (e != NULL) {
        ZSTD_freeCCtx(e->zstd);
        for (unsigned i = 0; i < COLUMNS_MAX; i++) {
            lq_buf_fini(&e->col[i]);
            lq_buf_fini(&e->packed[i]);
        }
        free(e);
        *ep = NULL;
    }
}

/* Room was made for the whole column: the hot path neither checks nor grows. */
enum {
    VARINT_BYTES_MAX = 10,
    VARINT32_BYTES_MAX = 5,
    SLOT_BYTES_MAX = 3,
    BIN_BYTES_MAX = 3 + 5,
    REGISTER_BYTES_MAX = 2
};
static inline void put_varint(struct lq_buf *b, uint64_t v)
{
    char *p = b->p + b->n;
    while (v >= 0x80) {
        *p++ = (char)(v | 0x80);
        v >>= 7;
    }
    *p++ = (char)v;
    b->n = (size_t)(p - b->p);
}

static void encode_rows(const struct fragment *f, struct lq_buf *col)
{
    lq_buf_reserve(&col[0], (size_t)f->rows * 2 * VARINT32_BYTES_MAX);
    lq_buf_reserve(&col[1], (size_t)f->rows * SLOT_BYTES_MAX);
    lq_buf_reserve(&col[2], (size_t)f->rows * VARINT_BYTES_MAX);
    for (uint32_t r = 0, prev = UINT32_MAX; r < f->rows;) {
        uint32_t end = r;
        while (end < f->rows && f->id[end] == f->id[r]) {
            uint32_t gap = end == r ? f->slot[end] : (uint32_t)(f->slot[end] - f->slot[end - 1] - 1);
            put_varint(&col[1], gap);
            put_varint(&col[2], f->count[end]);
            end++;
        }
        put_varint(&col[0], (uint32_t)(f->id[r] - prev - 1));
        put_varint(&col[0], end - r - 1);
        prev = f->id[r];
        r = end;
    }
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

static uint64_t magnitude(int64_t v)
{
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

static int64_t unit_of(const struct fragment *f, const struct measure_column *m)
{
    uint64_t unit = 0;
    for (uint32_t r = 0; r < f->rows && unit != 1; r++) {
        if (m->n[r] == 0) {
            continue;
        }
        unit = gcd(unit, magnitude(m->sum[r]));
        if (m->n[r] > 1) {
            unit = gcd(gcd(unit, magnitude(m->min[r])), magnitude(m->max[r]));
        }
    }
    return unit == 0 || unit > INT64_MAX ? 1 : (int64_t)unit;
}

/* Bins of a row with two or three observations, sorted: its values are min, max and what is left of the sum. Their number, 0 = does not hold. */
static uint32_t bins_of_few(uint32_t n, int64_t sum, int64_t min, int64_t max, struct bin out[3])
{
    int64_t v[3] = {min, max, max}, rest;
    if (n < 2 || n > 3 || __builtin_sub_overflow(sum, min, &rest) || __builtin_sub_overflow(rest, max, &rest)) {
        return 0;
    }
    if (n == 3) {
        v[1] = rest;
    }
    if ((n == 2 && rest != 0) || v[1] < min || v[1] > max) {
        return 0;
    }
    uint32_t k = 0;
    for (uint32_t i = 0; i < n; i++) {
        int32_t bin = sketch_bin(v[i]);
        if (k > 0 && out[k - 1].bin == bin) {
            out[k - 1].n++;
        } else {
            out[k++] = (struct bin){bin, 1};
        }
    }
    return k;
}

static bool follow(const struct measure_column *m, uint32_t r)
{
    struct bin few[3];
    uint32_t at = m->bins_at[r], k = bins_of_few(m->n[r], m->sum[r], m->min[r], m->max[r], few);
    bool same = k > 0 && k == m->bins_at[r + 1] - at;
    for (uint32_t i = 0; same && i < k; i++) {
        same = few[i].bin == m->bins[at + i].bin && few[i].n == m->bins[at + i].n;
    }
    return same;
}

static void encode_measure(const struct fragment *f, const struct measure_column *m, struct lq_buf *col)
{
    bool same = true;
    size_t n_bins = m->bins_at != NULL && f->rows > 0 ? m->bins_at[f->rows] - m->bins_at[0] : 0;
    lq_buf_reserve(&col[0], (size_t)f->rows * VARINT32_BYTES_MAX);
    lq_buf_reserve(&col[1], ((size_t)f->rows + 1) * VARINT_BYTES_MAX);
    lq_buf_reserve(&col[2], (size_t)f->rows * 2 * VARINT_BYTES_MAX);
    lq_buf_reserve(&col[3], f->rows * SLOT_BYTES_MAX + n_bins * BIN_BYTES_MAX);
    int64_t unit = unit_of(f, m);
    for (uint32_t r = 0; r < f->rows && same; r++) {
        same = m->n[r] == f->count[r];
    }
    put_varint(&col[1], (uint64_t)unit);
    for (uint32_t r = 0; r < f->rows; r++) {
        if (!same) {
            put_varint(&col[0], m->n[r]);
        }
        if (m->n[r] == 0) {
            continue;
        }
        put_varint(&col[1], lq_zigzag(m->sum[r] / unit));
        if (m->n[r] == 1) {
            continue;
        }
        put_varint(&col[2], lq_zigzag(m->min[r] / unit));
        put_varint(&col[2], ((uint64_t)m->max[r] - (uint64_t)m->min[r]) / (uint64_t)unit);
        if (m->bins_at == NULL) {
            continue;
        }
        uint32_t at = m->bins_at[r], end = follow(m, r) ? at : m->bins_at[r + 1];
        put_varint(&col[3], end - at);
        for (uint32_t i = at; i < end; i++) {
            int64_t gap = i == at ? m->bins[i].bin : m->bins[i].bin - m->bins[i - 1].bin;
            put_varint(&col[3], i == at ? lq_zigzag(gap) : (uint64_t)gap);
            put_varint(&col[3], m->bins[i].n);
        }
    }
}

static void encode_identity(const struct fragment *f, const struct distinct_column *d, struct lq_buf *col)
{
    size_t n = f->rows > 0 ? d->at[f->rows] - d->at[0] : 0;
    lq_buf_reserve(&col[0], (size_t)f->rows * SLOT_BYTES_MAX);
    lq_buf_reserve(&col[1], n * REGISTER_BYTES_MAX);
    lq_buf_reserve(&col[2], n);
    for (uint32_t r = 0; r < f->rows; r++) {
        put_varint(&col[0], d->at[r + 1] - d->at[r]);
        for (uint32_t i = d->at[r], prev = 0; i < d->at[r + 1]; i++) {
            put_varint(&col[1], (d->entries[i] >> 6) - prev);
            col[2].p[col[2].n++] = (char)(d->entries[i] & 63);
            prev = d->entries[i] >> 6;
        }
    }
}

/* Stored size of column i: packed where that saves a tenth, else packed[i] is empty. */
static size_t pack_column(struct fragment_encoder *e, uint32_t i)
{
    struct lq_buf *col = &e->col[i], *packed = &e->packed[i];
    packed->n = 0;
    if (col->n < COMPRESS_MIN_BYTES) {
        return col->n;
    }
    lq_buf_reserve(packed, ZSTD_compressBound(col->n));
    size_t size = ZSTD_compress2(e->zstd, packed->p, packed->cap, col->p, col->n);
    packed->n = !ZSTD_isError(size) && size < col->n - col->n / 10 ? size : 0;
    return packed->n > 0 ? packed->n : col->n;
}

void fragment_encode_with(struct fragment_encoder *e, const struct fragment *f, struct lq_buf *out)
{
    struct lq_buf *col = e->col;
    bool bins = f->n_measures > 0 && f->m[0].bins_at != NULL, distinct = f->n_identities > 0 && f->d[0].at != NULL;
    uint32_t n = 3;
    size_t start = out->n;
    for (uint32_t i = 0; i < COLUMNS_MAX; i++) {
        col[i].n = 0;
    }
    encode_rows(f, col);
    for (uint32_t i = 0; i < f->n_measures; i++, n += 4) {
        encode_measure(f, &f->m[i], col + n);
    }
    for (uint32_t i = 0; distinct && i < f->n_identities; i++, n += 3) {
        encode_identity(f, &f->d[i], col + n);
    }
    lq_buf_add(out, "\0\0\0\0\0\0\0", 8);
    lq_buf_byte(out, CODEC_VERSION);
    lq_buf_varint(out, f->rows);
    lq_buf_varint(out, (bins ? FLAG_BINS : 0U) | (distinct ? FLAG_DISTINCT : 0U));
    lq_buf_varint(out, f->n_measures);
    lq_buf_varint(out, distinct ? f->n_identities : 0);
    for (uint32_t i = 0; i < n; i++) {
        size_t stored = pack_column(e, i);
        lq_buf_varint(out, col[i].n);
        lq_buf_varint(out, stored);
    }
    for (uint32_t i = 0; i < n; i++) {
        const struct lq_buf *b = e->packed[i].n > 0 ? &e->packed[i] : &col[i];
        lq_buf_add(out, b->p, b->n);
    }
    uint64_t sum = lq_hash(out->p + start + 8, out->n - start - 8, 0);
    for (unsigned i = 0; i < 8; i++) {
        out->p[start + i] = (char)(sum >> (8 * i));
    }
}

void fragment_encode(const struct fragment *f, struct lq_buf *out)
{
    struct fragment_encoder *e = fragment_encoder_new();
    fragment_encode_with(e, f, out);
    fragment_encoder_free(&e);
}

/* ---- decode ---- */

struct column {
    const uint8_t *p, *end; /* decompressed */
    uint64_t raw, stored;
    const uint8_t *at; /* as stored */
    uint8_t *owned;
};

struct decoder {
    struct fragment *f;
    struct column col[COLUMNS_MAX];
    uint32_t n;
    uint64_t rows;
    uint8_t version;
    bool bad;
};

static uint64_t get(struct decoder *d, struct column *c)
{
    uint64_t v = 0;
    if (c->p < c->end && *c->p < 0x80) {
        return *c->p++;
    }
    if (!lq_varint_get(&c->p, c->end, &v)) {
        d->bad = true;
    }
    return v;
}

static bool open_column(struct decoder *d, struct column *c)
{
    if (c->stored == c->raw) {
        c->p = c->at;
    } else {
        c->owned = lq_realloc(NULL, c->raw);
        size_t size = ZSTD_decompress(c->owned, c->raw, c->at, c->stored);
        if (ZSTD_isError(size) || size != c->raw) {
            d->bad = true;
            return false;
        }
        c->p = c->owned;
    }
    c->end = c->p + c->raw;
    return true;
}

static void *rows_of(struct decoder *d, size_t size)
{
    return lq_arena_alloc(&d->f->mem, (d->rows + 1) * size);
}

static void decode_rows(struct decoder *d)
{
    struct fragment *f = d->f;
    struct column *ids = &d->col[0], *slots = &d->col[1], *counts = &d->col[2];
    if (!open_column(d, ids) || !open_column(d, slots) || !open_column(d, counts)) {
        return;
    }
    if (slots->raw < d->rows || counts->raw < d->rows) {
        d->bad = true;
        return;
    }
    f->id = rows_of(d, sizeof *f->id);
    f->slot = rows_of(d, sizeof *f->slot);
    f->count = rows_of(d, sizeof *f->count);
    uint64_t id = UINT64_MAX; /* so that the first id is gap + 0 */
    for (uint32_t r = 0; r < f->rows && !d->bad;) {
        uint64_t gap = get(d, ids), run = get(d, ids);
        id += gap + 1;
        if (gap > UINT32_MAX || id > UINT32_MAX || run >= f->rows - r) {
            d->bad = true;
            return;
        }
        uint64_t slot = 0;
        for (uint64_t i = 0; i <= run; i++, r++) {
            uint64_t g = get(d, slots);
            slot = i == 0 ? g : slot + g + 1;
            if (g >= SLOT_MAX || slot >= SLOT_MAX) {
                d->bad = true;
                return;
            }
            f->id[r] = (uint32_t)id;
            f->slot[r] = (uint16_t)slot;
            f->count[r] = get(d, counts);
        }
    }
}

static void decode_bins(struct decoder *d, struct measure_column *m, struct column *c)
{
    size_t n = 0, cap = (size_t)(c->end - c->p) / 2 + 3 * d->rows + 1; /* a stored bin has two bytes at least; few observations need none */
    struct bin *bins = m->bins = lq_arena_raw(&d->f->mem, cap * sizeof *bins);
    m->bins_at = rows_of(d, sizeof *m->bins_at);
    for (uint32_t r = 0; r < d->f->rows && !d->bad; r++) {
        m->bins_at[r] = (uint32_t)n;
        uint64_t k = m->n[r] > 1 ? get(d, c) : 0;
        if (k > (uint64_t)(c->end - c->p) / 2) {
            d->bad = true;
            break;
        }
        if (k == 0 && d->version >= 2) {
            n += bins_of_few(m->n[r], m->sum[r], m->min[r], m->max[r], bins + n);
        }
        int64_t bin = 0;
        for (uint64_t i = 0; i < k; i++) {
            uint64_t g = get(d, c), count = get(d, c);
            int64_t step = i == 0 ? lq_unzigzag(g) : (int64_t)g;
            if (step > 1 << 14 || step < -(1 << 14) || (i > 0 && step <= 0) || count == 0 || count > UINT32_MAX) {
                d->bad = true;
                break;
            }
            bin += step;
            if (bin >= BIN_LIMIT || bin < -BIN_LIMIT) {
                d->bad = true;
                break;
            }
            bins[n++] = (struct bin){(int32_t)bin, (uint32_t)count};
        }
    }
    m->bins_at[d->f->rows] = (uint32_t)n;
}

static void decode_measure(struct decoder *d, struct measure_column *m, struct column *col, bool bins)
{
    struct fragment *f = d->f;
    if (!open_column(d, &col[0]) || !open_column(d, &col[1]) || !open_column(d, &col[2])) {
        return;
    }
    m->n = rows_of(d, sizeof *m->n);
    m->sum = rows_of(d, sizeof *m->sum);
    m->min = rows_of(d, sizeof *m->min);
    m->max = rows_of(d, sizeof *m->max);
    uint64_t unit = d->version >= 2 ? get(d, &col[1]) : 1; /* products wrap: only damage could make them */
    for (uint32_t r = 0; r < f->rows && !d->bad; r++) {
        uint64_t n = col[0].raw > 0 ? get(d, &col[0]) : f->count[r];
        m->n[r] = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
        if (n == 0) {
            continue;
        }
        m->sum[r] = (int64_t)((uint64_t)lq_unzigzag(get(d, &col[1])) * unit);
        m->min[r] = m->max[r] = m->sum[r];
        if (n > 1) {
            m->min[r] = (int64_t)((uint64_t)lq_unzigzag(get(d, &col[2])) * unit);
            m->max[r] = (int64_t)((uint64_t)m->min[r] + get(d, &col[2]) * unit);
        }
    }
    if (bins && !d->bad && open_column(d, &col[3])) {
        decode_bins(d, m, &col[3]);
    }
}

static void decode_identity(struct decoder *d, struct distinct_column *x, struct column *col)
{
    struct fragment *f = d->f;
    if (!open_column(d, &col[0]) || !open_column(d, &col[1]) || !open_column(d, &col[2])) {
        return;
    }
    x->at = rows_of(d, sizeof *x->at);
    x->entries = lq_arena_raw(&f->mem, (col[2].raw + 1) * sizeof *x->entries);
    uint64_t n = 0;
    for (uint32_t r = 0; r < f->rows && !d->bad; r++) {
        uint64_t k = get(d, &col[0]), reg = 0;
        x->at[r] = (uint32_t)n;
        if (k > col[2].raw - n) {
            d->bad = true;
            return;
        }
        for (uint64_t i = 0; i < k; i++) {
            uint64_t g = get(d, &col[1]);
            reg += g;
            uint8_t rank = *col[2].p++;
            if (g >= DISTINCT_REGISTERS || reg >= DISTINCT_REGISTERS || (i > 0 && g == 0) || rank == 0 || rank > 53) {
                d->bad = true;
                return;
            }
            x->entries[n++] = (uint32_t)reg << 6 | rank;
        }
    }
    x->at[f->rows] = (uint32_t)n;
}

/* Header and the places of the columns; false when they do not fit. */
static bool decode_header(struct decoder *d, const uint8_t *p, const uint8_t *end, uint64_t *flags)
{
    uint64_t measures, identities, v[2];
    d->version = p < end ? *p++ : 0;
    if (d->version < 1 || d->version > CODEC_VERSION || !lq_varint_get(&p, end, &d->rows) || !lq_varint_get(&p, end, flags) ||
        !lq_varint_get(&p, end, &measures) || !lq_varint_get(&p, end, &identities) || measures > MEASURE_MAX ||
        identities > IDENTITY_MAX || d->rows > COLUMN_BYTES_MAX / 8) {
        return false;
    }
    d->n = (uint32_t)(3 + 4 * measures + 3 * identities);
    for (uint32_t i = 0; i < d->n; i++) {
        if (!lq_varint_get(&p, end, &v[0]) || !lq_varint_get(&p, end, &v[1]) || v[1] > v[0] ||
            v[0] > COLUMN_BYTES_MAX || v[0] > v[1] * EXPANSION_MAX) {
            return false;
        }
        d->col[i].raw = v[0];
        d->col[i].stored = v[1];
    }
    for (uint32_t i = 0; i < d->n; i++) {
        if (d->col[i].stored > (uint64_t)(end - p)) {
            return false;
        }
        d->col[i].at = p;
        p += d->col[i].stored;
    }
    d->f->rows = (uint32_t)d->rows;
    d->f->n_measures = (uint32_t)measures;
    d->f->n_identities = (uint32_t)identities;
    return p == end;
}

enum lq_err fragment_decode(const void *data, size_t size, unsigned what, struct fragment *out)
{
    const uint8_t *p = data;
    uint64_t sum = 0, flags = 0;
    struct decoder *d = lq_alloc(sizeof *d);
    memset(out, 0, sizeof *out);
    d->f = out;
    for (unsigned i = 0; i < 8 && size >= 8; i++) {
        sum |= (uint64_t)p[i] << (8 * i);
    }
    if (size < 9 || sum != lq_hash(p + 8, size - 8, 0) || !decode_header(d, p + 8, p + size, &flags)) {
        d->bad = true;
    } else {
        decode_rows(d);
    }
    uint32_t n = 3;
    bool sums = (what & (FRAGMENT_SUMS | FRAGMENT_BINS)) != 0;
    for (uint32_t i = 0; i < out->n_measures && !d->bad; i++, n += 4) {
        if (sums) {
            decode_measure(d, &out->m[i], d->col + n, (what & FRAGMENT_BINS) != 0 && (flags & FLAG_BINS) != 0);
        }
    }
    for (uint32_t i = 0; i < out->n_identities && !d->bad; i++, n += 3) {
        if ((what & FRAGMENT_DISTINCT) != 0) {
            decode_identity(d, &out->d[i], d->col + n);
        }
    }
    if (!sums) {
        out->n_measures = 0;
    }
    if ((what & FRAGMENT_DISTINCT) == 0) {
        out->n_identities = 0;
    }
    bool bad = d->bad;
    for (uint32_t i = 0; i < d->n; i++) {
        free(d->col[i].owned);
    }
    free(d);
    if (bad) {
        fragment_fini(out);
    }
    return bad ? LQ_ECORRUPT : LQ_OK;
}
