/*
 * fragment.h - a sorted set of cells of one period: in memory, and as bytes
 *
 * Everything that is kept over time is a fragment: rows sorted by (row id, slot), each row the aggregates of one series in one
 * bucket. A period is a fixed number of buckets of a tier (tier.h); `slot` is the bucket's number within the period. There are
 * four sections with one codec; they differ in what the row id means and which columns are present:
 *
 *   CELLS     id = series           counts, sums of every measure; quantile bins in the 10 s and 1 min tiers
 *   TOTALS    id = 0 or 1 (error)   the stream's totals: the same columns as CELLS and quantile bins in every tier
 *   MARGINALS id = marginal         (dimension, value, error): count; distinct sketches (1 min, 1 h); sums and quantile bins (1 h)
 *   HEAVY     not a fragment: heavy.h (hourly heaviest identities)
 *
 * Fold (observations -> fragment), merge (fragments -> fragment) and roll-up (fine -> coarse tier) give equal results in any
 * order: counts and sums add, min/max combine, bins add, distinct entries take the maximum. Sums saturate at the ends of int64;
 * only there could an order show.
 *
 * Bytes (all columns little-endian varints unless said; the whole is one LMDB value):
 *      OFFSET SIZE MEANING
 *      0      8    xxh3-64 of all that follows
 *      8      1    codec version (2; 1 is read)
 *      9      …    header: rows, runs, flags, n_measures, n_identities, then per column: encoding (0 raw, 1 zstd), raw size,
 *                  stored size; then the columns in that order
 * A column that a query does not touch is skipped by its size and never decompressed. A row whose count of a measure is 1 stores
 * neither min, max nor bins: they follow from the sum.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_FRAGMENT_H
#define LQ_FRAGMENT_H

#include "schema/record.h"
#include "store/sketch.h"

/* One measure's column over the rows. bins of row r are bins[bins_at[r] .. bins_at[r+1]); NULL when not kept or not decoded. */
struct measure_column {
    uint32_t *n; /* observations of the measure in the row; 0 = none */
    int64_t *sum, *min, *max;
    uint32_t *bins_at; /* rows + 1, or NULL */
    struct bin *bins;
};
/* One identity's distinct sketches; entries of row r are entries[at[r] .. at[r+1]). */
struct distinct_column {
    uint32_t *at; /* rows + 1, or NULL when not kept */
    uint32_t *entries;
};

struct fragment {
    uint32_t rows;
    uint32_t n_measures, n_identities; /* columns present */
    uint32_t *id;
    uint16_t *slot;
    uint64_t *count;
    struct measure_column m[MEASURE_MAX];
    struct distinct_column d[IDENTITY_MAX];
    struct lq_arena mem; /* owns all arrays */
};
void fragment_fini(struct fragment *f);

/* Quantile bins of measure column m in row r: *n bins. A row with one observation keeps none: its bin is made in *one. */
static inline const struct bin *fragment_bins(const struct measure_column *m, uint32_t r, struct bin *one, size_t *n)
{
    if (m->n[r] == 1) {
        *one = (struct bin){sketch_bin(m->sum[r]), 1};
        *n = 1;
        return one;
    }
    *n = m->bins_at != NULL ? m->bins_at[r + 1] - m->bins_at[r] : 0;
    return m->bins_at != NULL ? m->bins + m->bins_at[r] : NULL;
}

/* What to decode. */
enum {
    FRAGMENT_COUNTS = 0,       /* id, slot, count: always */
    FRAGMENT_SUMS = 1 << 0,    /* n, sum, min, max of all measures */
    FRAGMENT_BINS = 1 << 1,    /* implies SUMS */
    FRAGMENT_DISTINCT = 1 << 2,
    FRAGMENT_ALL = FRAGMENT_SUMS | FRAGMENT_BINS | FRAGMENT_DISTINCT,
};

void fragment_encode(const struct fragment *f, struct lq_buf *out);
/* The same bytes, with the buffers and the compressor of one thread kept between calls: for many fragments. */
struct fragment_encoder *fragment_encoder_new(void);
void fragment_encoder_free(struct fragment_encoder **e);
void fragment_encode_with(struct fragment_encoder *e, const struct fragment *f, struct lq_buf *out);
/*
 * The same as several values of at most FRAGMENT_BYTES_MAX bytes, of consecutive rows (a single row may take more): a long value needs as many free pages
 * side by side, which a full file has not. Readers merge parts as they merge any fragments of a period. Call with a part of zeros, and again until false.
 */
enum { FRAGMENT_BYTES_MAX = (128 << 10) - 16 }; /* LMDB's pages without their header */
struct fragment_part {
    uint32_t from, n;      /* the next row; parts so far */
    uint64_t as_estimated; /* of the last part: bytes for each 1000 estimated */
};
bool fragment_encode_part(struct fragment_encoder *e, const struct fragment *f, struct fragment_part *p, struct lq_buf *out);
/* LQ_ECORRUPT on a wrong checksum, an impossible size or order. `out` is initialised by the call; arrays not asked for are NULL. */
LQ_MUST enum lq_err fragment_decode(const void *p, size_t n, unsigned what, struct fragment *out);
/* Merge n fragments of one period (a fragment with fewer measures or identities counts as having none of them: the stream's
 * schema grew). Columns that no input has stay absent. */
void fragment_merge(const struct fragment *const *in, size_t n, struct fragment *out);
/*
 * Regroup rows: merge, roll-up and totals are one operation. Row (id, slot) of fragment i becomes
 * (map(id), (start_s + slot * step_s - out_start_s) / out_step_s). map may give several ids, or none.
 */
enum { REGROUP_IDS_MAX = 1 + DIM_MAX };
typedef uint32_t regroup_map(void *ctx, uint32_t id, uint32_t out[REGROUP_IDS_MAX]);
struct regroup {
    uint32_t step_s, out_step_s;
    int64_t out_start_s;
    regroup_map *map; /* NULL: the same id */
    void *ctx;
    bool keep_bins, keep_sums, keep_distinct;
    bool bounded; /* only rows with from_s <= start_s + slot * step_s < to_s */
    int64_t from_s, to_s;
};
struct fragment_at {
    const struct fragment *f;
    int64_t start_s;
};
void fragment_regroup(const struct fragment_at *in, size_t n, const struct regroup *how, struct fragment *out);

#endif
