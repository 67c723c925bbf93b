/*
 * reader_int.h - the inside of a snapshot, shared by reader.c, scan.c, retain.c and debug.c
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_READER_INT_H
#define LQ_READER_INT_H

#include "store/reader.h"
#include "store/rollup.h"
#include "store/store_int.h"

struct snapshot {
    struct store *store;
    struct engine_txn *txn;
    int64_t opened_us; /* monotonic */
    struct stream *streams[STREAM_MAX];
    struct stream_info info[STREAM_MAX];
    bool has_deltas[STREAM_MAX];
    uint32_t n_streams;
    struct value_info value; /* what snapshot_value returned last */
    uint32_t dict_loaded[STREAM_MAX]; /* bit: dimension, with what the deltas know */
    struct lq_error trouble; /* of calls that cannot return one */
};

/* LQ_ELIMIT when the snapshot has reached its greatest age. */
LQ_MUST enum lq_err snapshot__age(const struct snapshot *s, struct lq_error *e);
/* The tables that rolling up needs; marginals only where asked for. */
LQ_MUST enum lq_err snapshot__tables(struct snapshot *s, uint32_t stream, bool marginals, struct rollup_tables *out, struct lq_error *e);

#endif
