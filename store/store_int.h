/*
 * store_int.h - the insides that the files of store/ share; never included elsewhere
 *
 * Keys (big-endian integers, so that byte order is logical order):
 *
 *      meta        "version" "flush" "created" | 's' stream u16 -> stream | 'c' name -> counter
 *      dict        stream u16, dimension u8, chunk u32      -> DICT_CHUNK values: text, first, last, count, flags
 *      series      stream u16, chunk u32                    -> SERIES_CHUNK series: value ids of each dimension
 *      marginal    stream u16, chunk u32                    -> SERIES_CHUNK marginals: dimension, value, error
 *      data        tier u8, stream u16, section u8, period start (sign flipped) u64, flush number u32 -> fragment
 *                  section HEAVY: hour start for the period, identity << 1 | error for the flush number -> heavy summary
 *      example     stream u16, dimension u8, value u32, kind u8, day (sign flipped) u64 -> time, hash, text
 *      checkpoint  source key -> checkpoint                 marker  marker.h
 *      delta       stream u16, flush number u32             -> what a small flush left for the tiers (delta.h)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_STORE_INT_H
#define LQ_STORE_INT_H

#include <pthread.h>

#include "schema/mask.h"
#include "store/engine.h"
#include "store/fold.h"
#include "store/reader.h"
#include "store/window.h"

enum {
    DICT_CHUNK = 64,
    SERIES_CHUNK = 1024,
    DATA_KEY_BYTES = 16,
    EXAMPLE_BYTES_MAX = 512,
    DAY_S = 86400,
    MARGINALS_MAX = DIM_MAX + 1, /* per series: the total and each sketch_by dimension */
};
#define US             1000000LL
#define MARGINAL_TOTAL UINT32_MAX

enum { DIRTY_STATS = 1 /* a delta has them until it is folded */, DIRTY_VALUES = 2 /* to be written with the next flush */ };
enum { VALUE_SUCCEEDED = 1 /* seen in a successful record: counts fully, else on probation */ };

struct value_stats {
    int64_t first_us, last_us;
    uint64_t count;
    uint8_t flags;
};

struct dict { /* values of one dimension, by id */
    struct lq_map ids;
    const char **text;
    uint32_t *text_len;
    struct value_stats *stats;
    size_t cap_text, cap_len, cap_stats;
    uint32_t n, saved;    /* values; values that are in LMDB */
    uint32_t live, on_probation;
    uint8_t *dirty;       /* per chunk: DIRTY_… */
    size_t cap_dirty;
};

struct stream {
    struct store *store;
    uint32_t id;
    struct stream_schema schema; /* strings in names */
    struct lq_arena names;
    struct dict dims[DIM_MAX];
    /* series */
    struct lq_map series_ids;
    uint32_t *series; /* n_series * DIM_MAX value ids */
    size_t cap_series;
    uint32_t n_series, series_saved;
    uint8_t *series_error;
    size_t cap_error;
    uint16_t *series_day; /* write side: the newest event day of each, 0 = not known */
    size_t cap_series_day;
    uint32_t live_series; /* as of live_day */
    int64_t live_day;
    uint32_t *series_marginals; /* n_series * MARGINALS_MAX */
    size_t cap_marginals;
    /* marginals */
    struct lq_map marginal_ids;
    struct marginal_info *marginals;
    size_t cap_marginal;
    uint32_t n_marginals, marginals_saved;
    int64_t first_us, last_us, high_water_us;
    uint64_t lines, errors;
    bool dirty;
    int64_t live_from_s; /* hours from here on are not in the 1 h tier yet; INT64_MAX: all are (maintain.c) */
    /* write side: what waits in deltas */
    uint32_t n_deltas;
    uint64_t delta_bytes;
    int64_t delta_oldest_s; /* the earliest end of a delta's times; INT64_MAX: none */
};

struct key_buf { /* keys.c */
    uint8_t p[64];
    size_t n;
};

struct store {
    char dir[4096];
    struct masker mask;
    bool has_mask_key;
    struct store_options o;
    struct engine *engine;
    int lock_fd;
    pthread_mutex_t writing; /* a flush, a step of maintenance: taken before `lock` */
    pthread_mutex_t lock;    /* dictionaries, series, streams */
    struct stream *streams[STREAM_MAX];
    uint32_t n_streams;
    struct lq_map stream_ids;
    uint32_t flush_no;
    uint32_t compacted_no;         /* fragments up to this flush were looked at by the compactor */
    uint32_t compact_pass_no;      /* of the pass that is under way; 0 = none */
    struct key_buf compact_at;     /* where it goes on */
    bool compact_due, retain_due;
    uint32_t refusals, given_up; /* flushes in a row that found no room; for which of them retention gave up a period more */
    struct flush_part *parts; /* of flushes, kept between them (flush.c). Under `writing` */
    size_t n_parts, cap_parts;
    bool refused; /* the last flush, or step of maintenance, found no room: retention gives up more than usual. Under `writing` */
    int64_t expected_us;
};

struct stream_use {
    struct stream *stream;
    struct stream_schema schema; /* the caller's, by value (names are not kept) */
    uint8_t dim_to[DIM_MAX], measure_to[MEASURE_MAX], identity_to[IDENTITY_MAX];
    uint32_t n_dims, n_measures, n_identities; /* of the stream when it was opened: threads that observe do not see it grow */
};

/* mask.c */
LQ_MUST enum lq_err store__mask_key(struct store *s, const char *key_file, struct lq_error *e); /* unless there is one */
LQ_MUST enum lq_err store__mask_load(struct store *s, struct engine_txn *t, struct lq_error *e); /* what was set before */

/* flush.c */
void store__free_parts(struct store *s);

/* store.c */
/* The streams there are, for those who do not hold the lock. */
static inline uint32_t store__streams(const struct store *s)
{
    return __atomic_load_n(&s->n_streams, __ATOMIC_ACQUIRE);
}
LQ_MUST enum lq_err store__make_dir(const char *dir, struct lq_error *e);

/* keys.c */
void key_u8(struct key_buf *k, uint8_t v);
void key_u16(struct key_buf *k, uint32_t v);
void key_u32(struct key_buf *k, uint32_t v);
void key_i64(struct key_buf *k, int64_t v); /* sign flipped */
lq_str key_str(const struct key_buf *k);
uint32_t key_get_u16(const uint8_t *p);
uint32_t key_get_u32(const uint8_t *p);
int64_t key_get_i64(const uint8_t *p);
void data_key(struct key_buf *k, int tier, uint32_t stream, int section, int64_t period_s, uint32_t number);

/* dict.c: dictionaries, series and marginals of a stream; the caller holds the store's lock */
struct dict_limits {
    uint32_t values_max;
    bool no_probation;
    int64_t recycle_before_us; /* live values last used before may give up their slot */
};
void dict_init(struct dict *d);
void dict_fini(struct dict *d);
/* Id of a value; a new one is admitted if the caps allow, else VALUE_OVERFLOW. */
uint32_t dict_intern(struct dict *d, lq_str text, bool success, const struct dict_limits *l);
void dict_merge_stats(struct dict *d, uint32_t id, const struct value_stats *s);
/* Newer statistics of a value, absolute: taken over where they go further. */
void dict_take_stats(struct dict *d, uint32_t id, const struct value_stats *s);
void dict_encode_chunk(const struct dict *d, uint32_t chunk, struct lq_buf *out);
LQ_MUST enum lq_err dict_decode_chunk(struct dict *d, lq_str bytes);
/* Series of value ids (n = DIM_MAX). *over: the cap is reached, and this is a coarser series. */
uint32_t stream_series(struct stream *st, const uint32_t ids[DIM_MAX], int64_t time_us, bool *over);
/* Observations that were committed: which series are in use (see dict.c). */
void stream_count_live(struct stream *st, const uint32_t *series, const int64_t *time_s, uint32_t n);
void stream_add_series(struct stream *st, const uint32_t ids[DIM_MAX]);
void stream_add_marginal(struct stream *st, struct marginal_info m);
void stream_encode_series(const struct stream *st, uint32_t chunk, struct lq_buf *out);
LQ_MUST enum lq_err stream_decode_series(struct stream *st, lq_str bytes);
void stream_encode_marginals(const struct stream *st, uint32_t chunk, struct lq_buf *out);
LQ_MUST enum lq_err stream_decode_marginals(struct stream *st, lq_str bytes);

/* stream.c */
struct stream *stream_new(struct store *s, uint32_t id, lq_str name);
void stream_free(struct stream **st);
void stream_encode(const struct stream *st, struct lq_buf *out);
LQ_MUST enum lq_err stream_decode(struct stream *st, lq_str bytes);
/* Everything of all streams (write side), or the meta record only (read side: the rest on demand). */
LQ_MUST enum lq_err stream_load(struct stream *st, struct engine_txn *t, struct lq_error *e);
LQ_MUST enum lq_err stream_load_dict(struct stream *st, uint32_t dim, struct engine_txn *t, struct lq_error *e);
LQ_MUST enum lq_err stream_load_series(struct stream *st, struct engine_txn *t, struct lq_error *e);
LQ_MUST enum lq_err stream_load_marginals(struct stream *st, struct engine_txn *t, struct lq_error *e);
/* The marginals of all series, from the tables. */
void stream_rebuild_marginals(struct stream *st);
/* Write the changed chunks of the dictionaries (dirty: DIRTY_…); the caller clears the marks after the commit. */
LQ_MUST enum lq_err stream_put_dicts(const struct stream *st, struct engine_txn *t, unsigned dirty, struct lq_error *e);
LQ_MUST enum lq_err stream_put(const struct stream *st, struct engine_txn *t, struct lq_error *e); /* its record in meta */
/* First second of a tier's reach, at a period's start, for a high-water mark. */
int64_t tier_from(int tier, int64_t high_water_us);

/* window.c: what flush takes from a window */
enum example_kind { EXAMPLE_FIRST, EXAMPLE_ERROR, EXAMPLE_CALM }; /* the last two: first of its day; calm ones of messages only */
struct example_slot {
    int64_t time_us;
    uint64_t hash;
    uint32_t dim, value;
    int64_t day; /* INT64_MIN: the first line ever */
    uint8_t kind; /* enum example_kind */
    uint32_t text_len;
    char text[EXAMPLE_BYTES_MAX];
};
struct window_dim {
    struct lq_map cache; /* text -> id; values admitted in this process */
    struct value_stats *stats; /* by id, count 0 = untouched */
    size_t cap;
    uint32_t n; /* ids 0..n-1 may be touched */
    char last[64];
    uint32_t last_len, last_id;
    bool last_success;
    int64_t *first_example;                 /* by id: time of the kept first example */
    int64_t *day_example[2], *day_time[2];  /* day of the kept example of a day: of what did not fail, of what did */
    uint32_t *first_slot, *day_slot[2];
    bool messages;                          /* what did not fail has examples of each day as well */
    size_t cap_ex;
};
/* An identity gets its local id a few observations late: its slot in the map, and then its key, arrive from memory meanwhile. */
enum { LATE = 4, LATE_KEY = 2, LATE_BYTES_MAX = 46 };
struct late_identity {
    uint64_t hash;
    uint32_t row;
    uint16_t n; /* 0: free */
    char text[LATE_BYTES_MAX];
};
struct window_identity {
    struct lq_map ids;
    lq_str *names; /* by local id, 0 unused */
    uint64_t *hashes;
    size_t cap_names, cap_hashes;
    uint32_t n;
    struct late_identity late[LATE];
    uint32_t next_late;
};
struct window_memo { /* what records with one memo number (record.h) did to the dimensions, given to them all at once */
    uint64_t memo;   /* 0: free */
    int64_t first_us, last_us, day, day_time; /* day: the last one of which a line was offered as an example */
    uint64_t first_hash, day_hash;             /* of the lines of first_us and day_time */
    uint32_t series;
    uint32_t count;
};
_Static_assert(sizeof(struct window_memo) == 64, "one cache line for each record of a known memo");
struct window_memo_dims { /* what is settled of it at last */
    uint32_t ids[DIM_MAX];
    bool success;
};
struct window_stream {
    struct stream *stream;
    unsigned mask;      /* of the record in hand: enum mask_kind bits */
    bool line_masked;   /* mask_line is of the record in hand */
    lq_str mask_line;
    char *mask_scratch; /* NULL: nothing was masked yet */
    bool messages; /* a dimension has them */
    bool overflowed; /* the series cache holds coarser series: they are looked up again after the flush */
    struct window_memo *memos; /* by memo number, n_memos; NULL before the first */
    struct window_memo_dims *memo_dims;
    uint32_t n_memos, memos_lost; /* a power of two; how many had to give up their place since there are so many */
    bool memos_used;              /* since the last flush */
    struct window_dim dims[DIM_MAX];
    struct lq_map series_cache;
    struct window_identity identities[IDENTITY_MAX];
    /* observations */
    uint32_t n;
    size_t cap;
    uint32_t *series;
    int64_t *time_s;
    int64_t *measures[MEASURE_MAX];
    uint8_t *measure_set;
    uint32_t *identity[IDENTITY_MAX];
    uint32_t n_dims, n_measures, n_identities; /* as many as the uses that were seen know */
    int64_t first_us, last_us;
    uint64_t errors;
    struct example_slot *examples;
    size_t n_examples, cap_examples;
};
struct window_sightings;
struct window_programs;
struct window {
    struct store *store;
    struct window_sightings *sightings; /* NULL: none yet */
    struct window_programs *programs;   /* NULL: none yet */
    struct window_stream *streams[STREAM_MAX];
    uint32_t observations;
    uint64_t future, overflow_values, overflow_series;
    int64_t limit_us; /* later records are filed under it */
};
void window_stream_reset(struct window_stream *ws);
/* Before the observations and the statistics of the dimensions are read. */
void window_stream_settle(struct window_stream *ws);
/* Append the observations of `from` (same stream) to `to`, translating local identity ids. */
void window_stream_absorb(struct window_stream *to, struct window_stream *from);

/* checkpoint.c */
/* Merge a summary of heaviest identities into the stored one of its hour. what: identity << 1 | error. */
LQ_MUST enum lq_err summary_put(struct engine_txn *t, const struct stream *st, uint32_t what, int64_t hour_s, const struct heavy *h,
                                struct lq_error *e);
/* A text: its length as varint, its bytes. get_text: false when it runs past the end. */
void record_put(struct lq_buf *out, lq_str s);
bool record_get(const uint8_t **p, const uint8_t *end, lq_str *out);
/* Names (paths) of checkpoints, as they may be kept; and keys (labels, fingerprint): of one that is longer than the engine takes, a hash and its end. */
enum { CHECKPOINT_TEXT_MAX = 4096 };
lq_str checkpoint_text(const struct store *s, lq_str text, char scratch[CHECKPOINT_TEXT_MAX]);
lq_str checkpoint_key(const struct store *s, lq_str key, char scratch[CHECKPOINT_TEXT_MAX]);
void checkpoint_encode(const struct checkpoint *c, struct lq_buf *out);

#endif
