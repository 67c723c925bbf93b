/*
 * reader.h - a consistent view of the store for queries
 *
 * A snapshot holds an LMDB read transaction, the dictionaries (loaded on first use, per stream) and the series tables. Collect what you need, close it, then
 * print. Never blocks the writer. Ids are valid within one snapshot only. Value id 0 = absent, 1 = "(overflow)".
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_READER_H
#define LQ_READER_H

#include "store/fragment.h"
#include "store/heavy.h"
#include "store/store.h"

enum section { SECTION_CELLS = 0, SECTION_TOTALS = 1, SECTION_MARGINALS = 2, SECTION_HEAVY = 3, SECTIONS = 4 };
enum { VALUE_ABSENT = 0, VALUE_OVERFLOW = 1 };

struct snapshot;
/* LQ_ENOENT (no store there; hint: lq load), LQ_EVERSION, LQ_EACCES, LQ_ECORRUPT. A writer's own handle may be used too. */
LQ_MUST enum lq_err snapshot_open(struct store *s, struct snapshot **out, struct lq_error *e);
void snapshot_close(struct snapshot **s);
/* The first damage or failure that a call without a result of its own met (a dictionary that could not be read looks empty). Ask it before an
 * answer is given. */
LQ_MUST enum lq_err snapshot_check(const struct snapshot *s, struct lq_error *e);

struct value_info {
    lq_str text;
    int64_t first_us, last_us; /* first and last event time seen with it */
    uint64_t count;            /* records with it, ever */
};
struct stream_info {
    uint32_t id; /* index for the calls below */
    const struct stream_schema *schema;
    int64_t first_us, last_us;        /* event times stored */
    int64_t high_water_us;
    uint64_t lines, errors;
    uint32_t n_series;
    int64_t tier_from_s[TIERS]; /* start of the oldest stored period of a tier; INT64_MAX = the tier is empty */
};
uint32_t snapshot_streams(const struct snapshot *s);
const struct stream_info *snapshot_stream(const struct snapshot *s, uint32_t i);
const struct stream_info *snapshot_stream_named(const struct snapshot *s, const char *name); /* NULL */

/* Values of dimension d of a stream: ids 0..n-1 (0 absent, 1 overflow). */
uint32_t snapshot_values(struct snapshot *s, uint32_t stream, uint32_t dim);
/* Valid until the next call. */
const struct value_info *snapshot_value(struct snapshot *s, uint32_t stream, uint32_t dim, uint32_t value);
uint32_t snapshot_value_id(struct snapshot *s, uint32_t stream, uint32_t dim, lq_str text); /* UINT32_MAX when unknown */
/* Series of a stream (stream_info.n_series is set by this call: tables are loaded on first use). */
uint32_t snapshot_n_series(struct snapshot *s, uint32_t stream);
/* Series i (0..n_series-1) as value ids, one per dimension of the schema. */
const uint32_t *snapshot_series(struct snapshot *s, uint32_t stream, uint32_t series);
/* Marginals: (dimension, value, error) or the stream total (dim = UINT32_MAX). */
struct marginal_info {
    uint32_t dim, value;
    bool error;
};
uint32_t snapshot_marginals(struct snapshot *s, uint32_t stream);
struct marginal_info snapshot_marginal(struct snapshot *s, uint32_t stream, uint32_t marginal);

/*
 * Scan one section of one tier of a stream in time order: each step gives one period, merged when it has several fragments. [from_s, to_s) selects
 * periods that overlap; rows outside are the caller's to skip.
 */
struct scan;
LQ_MUST enum lq_err scan_open(struct snapshot *s, uint32_t stream, int tier, enum section section, int64_t from_s, int64_t to_s,
                              unsigned what, struct scan **out, struct lq_error *e);
/* *f borrowed until the next call; NULL at the end. */
LQ_MUST enum lq_err scan_next(struct scan *c, const struct fragment **f, int64_t *period_start_s, struct lq_error *e);
/* The same without merging: a period may come in several fragments, one after the other, with the same rows in them. For callers that add up. */
LQ_MUST enum lq_err scan_part(struct scan *c, const struct fragment **f, int64_t *period_start_s, struct lq_error *e);
void scan_close(struct scan **c);
/* What a scan would read: periods, fragments, stored bytes. */
struct scan_cost {
    uint64_t periods, fragments, bytes;
};
LQ_MUST enum lq_err scan_cost(struct snapshot *s, uint32_t stream, int tier, enum section section, int64_t from_s, int64_t to_s,
                              struct scan_cost *out, struct lq_error *e);

/* Heaviest identities of [from_s, to_s), hours merged. */
LQ_MUST enum lq_err snapshot_heavy(struct snapshot *s, uint32_t stream, uint32_t identity, bool error, int64_t from_s, int64_t to_s,
                                   struct heavy *out, struct lq_error *e);

/* Example lines: per dimension value, the first line ever seen with it; and per day the first error line with it. Chosen by (event time,
 * hash of the line): independent of order. */
struct example {
    int64_t time_us;
    lq_str text; /* in mem */
    uint32_t stream, dim, value;
    bool error;
};
typedef bool example_each_fn(void *ctx, const struct example *x);
/* value = UINT32_MAX: all values of the dimension; dim = UINT32_MAX: all. */
LQ_MUST enum lq_err snapshot_examples(struct snapshot *s, uint32_t stream, uint32_t dim, uint32_t value, int64_t from_s, int64_t to_s,
                                      example_each_fn *fn, void *ctx, struct lq_error *e);

typedef bool marker_each_fn(void *ctx, const struct marker *m);
LQ_MUST enum lq_err snapshot_markers(struct snapshot *s, int64_t from_us, int64_t to_us, marker_each_fn *fn, void *ctx,
                                     struct lq_error *e);

typedef bool counter_each_fn(void *ctx, lq_str name, uint64_t n);
LQ_MUST enum lq_err snapshot_counters(struct snapshot *s, counter_each_fn *fn, void *ctx, struct lq_error *e);
uint64_t snapshot_counter(struct snapshot *s, const char *name); /* 0 when absent */

/* Doors for people and tests (lq debug …). */
LQ_MUST enum lq_err debug_digest(struct snapshot *s, char out_hex[33], bool *capped, struct lq_error *e);
LQ_MUST enum lq_err debug_verify(struct snapshot *s, struct lq_buf *report, struct lq_error *e); /* LQ_ECORRUPT with what and where */
LQ_MUST enum lq_err debug_stats(struct snapshot *s, struct lq_buf *out, struct lq_error *e);     /* sizes by tier, section, stream; pages used and free */
LQ_MUST enum lq_err debug_dump(struct snapshot *s, FILE *out, struct lq_error *e);               /* every cell as one text line, by values, sorted */

#endif
