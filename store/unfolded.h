/*
 * unfolded.h - what belongs to a section of a tier and is not stored there yet
 *
 * Two things wait: the deltas of small flushes, for every section of every tier; and for the 1 h tier the hours from stream.live_from_s on, which are
 * in the 1 min tier only until maintain.c closes them. Scans add both to what is stored; closing an hour writes the second.
 *
 * Private to store/.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_UNFOLDED_H
#define LQ_UNFOLDED_H

#include "store/delta.h"
#include "store/rollup.h"

struct unfolded { /* what is asked for, and what it was made from */
    const struct stream *st;
    struct engine_txn *txn;
    const struct rollup_tables *tables;
    int tier, section;
    int64_t from_s, to_s; /* seconds */
    unsigned what;        /* FRAGMENT_… wanted */
    uint64_t fragments, bytes;
};
/* Each calls the sink any number of times, also several times for one period. */
LQ_MUST enum lq_err unfolded_deltas(struct unfolded *u, rollup_sink *sink, void *ctx, struct lq_error *e);
/* For the 1 h tier; a few source fragments at a time, so that they are never all in memory. */
LQ_MUST enum lq_err unfolded_hours(struct unfolded *u, rollup_sink *sink, void *ctx, struct lq_error *e);

/* Decoded fragments that are rolled up together. */
struct sources {
    struct fragment *f;
    int64_t *start_s;
    size_t n, cap_f, cap_start;
    uint64_t bytes; /* encoded */
};
LQ_MUST enum lq_err sources_add(struct sources *x, lq_str bytes, int64_t start_s, unsigned what, const struct stream *st, struct lq_error *e);
/* r: all but in and n. The sources stay. */
void sources_rollup(const struct sources *x, const struct rollup *r, rollup_sink *sink, void *ctx);
void sources_clear(struct sources *x); /* keeps the arrays */
void sources_fini(struct sources *x);

#endif
