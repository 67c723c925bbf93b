/*
 * reader_int.h - the inside of a snapshot, shared by reader.c, scan.c, retain.c and debug.c
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_READER_INT_H
#define LQ_READER_INT_H

#include "store/reader.h"
#include "store/store_int.h"

struct snapshot {
    struct store *store;
    struct engine_txn *txn;
    struct stream *streams[STREAM_MAX];
    struct stream_info info[STREAM_MAX];
    uint32_t n_streams;
    struct value_info value; /* what snapshot_value returned last */
    struct lq_error trouble; /* of calls that cannot return one */
};

/* Start of the oldest period inside a tier's reach; INT64_MAX = none. */
int64_t snapshot__oldest(struct snapshot *s, uint32_t stream, int tier);

#endif
