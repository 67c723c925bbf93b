/*
 * flusher.h - the thread that commits
 *
 * It asks the loops for their batches each flush_every, commits what came - all loops in one transaction, with fsync - and gives the batches back. What a loop
 * hands over in between is committed at once. A commit that fails (full disk, I/O error) is tried again each second with the same batches:
 * nothing is lost, nothing is counted twice, and meanwhile the loops fill their other windows and then stop reading.
 *
 * Retention and compaction run here too, in small steps between commits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_FLUSHER_H
#define LQ_FLUSHER_H

#include "ingest/pipeline.h"

struct flusher_stats {
    uint64_t commits, failures, lines, microseconds; /* sums */
    int64_t last_ok_us;                              /* wall clock; 0 = none yet */
    bool failing;
};
struct flusher;
struct flusher *flusher_new(struct store *s, const struct config *c);
void flusher_start(struct flusher *f, struct loop *const *loops, unsigned n);
/* Commits everything that was submitted; gives up after `patience_us` of failures. False: `lost` lines could not be committed. */
bool flusher_stop(struct flusher *f, int64_t patience_us, uint64_t *lost);
void flusher_free(struct flusher **f);
void flusher_stats(struct flusher *f, struct flusher_stats *out); /* any thread */

/* From the loops: */
void flusher_submit(struct flusher *f, struct batch *b);
void flusher_answer(struct flusher *f);

#endif
