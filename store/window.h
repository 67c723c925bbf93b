/*
 * window.h - one thread's open observations
 *
 * A window is a log of observations in columns (series, time, measures, identities), not a table of cells: a line costs a few appends, and the
 * flush sorts and folds. Measured reason: a hash table of cells with sketches needs an allocation per cell and misses the cache
 * when lines come out of order; sorting observations costs 30-60 ns each whatever their order. Values become dictionary ids here through a
 * thread-local cache; only a value never seen by this thread takes the store's dictionary lock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_WINDOW_H
#define LQ_WINDOW_H

#include "store/store.h"

enum { WINDOW_OBSERVATIONS = 3 << 17 }; /* a window that holds as many wants a flush */

LQ_MUST enum lq_err window_new(struct store *s, struct window **out, struct lq_error *e);
void window_free(struct window **w);
/* Observe a record of u's schema. Never fails: over a cap it is filed under the overflow value and counted. The record's views are copied
 * where kept (dictionary, identities, example line). */
void window_observe(struct window *w, struct stream_use *u, const struct record *r);
/* Something that no line says by itself: a log has another format. line: one that shows it; mask: what its format masks. */
void window_sight(struct window *w, const struct sighting *x, int64_t time_us, lq_str line, unsigned mask);
/* A process that lives long says what time it is: records later than FUTURE_S behind it are filed under it and counted (future_time). */
void window_receive(struct window *w, int64_t now_us);
uint32_t window_observations(const struct window *w);
size_t window_bytes(const struct window *w);
/* Forget everything observed (a source whose read failed before its checkpoint). Dictionary values stay. */
void window_clear(struct window *w);

#endif
