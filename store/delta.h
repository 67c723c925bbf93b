/*
 * delta.h - what a small flush leaves: one record of a stream, folded into the tiers later
 *
 * A flush of one second of live traffic has few lines for each of its cells. Writing them into every section of every tier costs far more than
 * the cells that remain (README.md has the figures), so such a flush appends one record: its cells at the finest step with everything that any
 * tier needs (sums, bins, distinct entries), the statistics of the values it touched, and its heaviest identities. maintain.c folds records into
 * the tiers; readers merge those that are not folded yet (scan.c).
 *
 * Key: stream u16, flush number u32. Value (sealed), varints unless said:
 *      version (1), zigzag(first second), last - first, days, per day: day - first day, size
 *      tail: raw size, stored size (smaller: zstd)
 *      the days' fragments (fragment.h; slots of 10 s within the UTC day), then the tail:
 *        dimensions, per dimension: values, per value: id - previous id - 1, count, zigzag(last us - first second), last - first us, flags (1 byte);
 *          statistics are those after the flush, not differences: applying a record twice changes nothing
 *        summaries, per summary: identity << 1 | error, hour - first hour, size, bytes (heavy.h)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_DELTA_H
#define LQ_DELTA_H

#include "store/fold.h"
#include "store/heavy.h"
#include "store/store_int.h"

enum {
    DELTA_DAYS_MAX = 32,              /* a flush that spans more days goes into the tiers at once */
    DELTA_OBSERVATIONS_MAX = 1 << 17, /* so does one with more observations: it has many for each cell */
    DELTA_KEY_BYTES = 6,
    DELTA_STEP_S = 10,
};

void delta_key(struct key_buf *k, uint32_t stream, uint32_t flush_no);
/* The record of the stream's observations. names: of local identities, by identity and local id. */
void delta_encode(const struct stream *st, const struct observations *o, lq_str *const *names, const uint8_t *const *touched,
                  struct lq_buf *out);

struct delta { /* an open record: views into the value */
    int64_t first_s, last_s;
    uint32_t n_days;
    int64_t day_s[DELTA_DAYS_MAX];
    lq_str day[DELTA_DAYS_MAX];
    uint64_t tail_raw;
    lq_str tail; /* as stored */
};
/* value: after engine_unseal. */
LQ_MUST enum lq_err delta_open(lq_str value, struct delta *out);
/* Statistics of the values of one dimension into its dictionary. */
LQ_MUST enum lq_err delta_apply_stats(const struct delta *d, uint32_t dim, struct dict *into);
typedef void delta_heavy_fn(void *ctx, uint32_t identity, bool error, int64_t hour_s, const struct heavy *h);
LQ_MUST enum lq_err delta_each_heavy(const struct delta *d, delta_heavy_fn *fn, void *ctx);

/* Each record of a stream in the order of flushes; d views the store. A result other than LQ_OK ends the walk and is returned. */
struct delta_at {
    uint32_t flush_no;
    size_t bytes; /* of the record */
    struct delta d;
};
typedef enum lq_err delta_each_fn(void *ctx, const struct delta_at *x, struct lq_error *e);
LQ_MUST enum lq_err delta_each(const struct stream *st, struct engine_txn *t, delta_each_fn *fn, void *ctx, struct lq_error *e);

#endif
