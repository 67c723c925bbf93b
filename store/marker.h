/*
 * marker.h - what was done: markers that people record, and sightings in logs (schema/sighting.h)
 *
 *      marker database:  recorded   time (sign flipped) u64, number u32                      12 bytes
 *                        deed       minute (sign flipped) u64, hash of what it is u64        16 bytes
 *                        program    day (sign flipped) u64, hash of host, service   16 bytes (process.h)
 *                        version    0 u64, hash of what it is u64                            16 bytes: all of them stand in front
 *      value: kind, name, host, service, text; of a sighting also flags, confidence, of, first, last, count
 *
 * Sightings of one minute that say the same are one record: the earliest time with its text, the latest, and the sum of counts. That is commutative, so the
 * records - and what marker_view.c makes of them - are the same for any order of lines. A version is one record for all times.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_STORE_MARKER_H
#define LQ_STORE_MARKER_H

#include "store/store_int.h"

enum { SIGHTING_TEXT_MAX = 240, SIGHTING_KEY_BYTES = 16, WINDOW_SIGHTINGS_MAX = 20000, VERSIONS_MAX = 20000 };
enum { SIGHTING_INFERRED = 1, SIGHTING_VERSION = 2, SIGHTING_PROCESS = 4 /* process.h */ };

struct sighted {
    lq_str kind, name, host, service, text, of;
    uint8_t flags, confidence;
    int64_t first_us, last_us;
    uint64_t count;
};

/* A window's sightings, since its last flush. */
struct window_sightings {
    struct lq_map ids;
    struct lq_buf key; /* scratch */
    struct lq_arena mem;
    struct sighted *s;
    size_t n, cap;
    uint64_t overflowed;
};
/* line: as it may be kept. mask: what of the other texts may not. */
void window_sightings_add(struct window_sightings *w, const struct sighting *x, int64_t time_us, lq_str line, const struct masker *m, unsigned mask);
void window_sightings_clear(struct window_sightings *w);
void window_sightings_fini(struct window_sightings *w);

/* Merge them into the store, within the transaction of a flush. *overflowed: those that found no room. */
LQ_MUST enum lq_err sightings_put(struct engine_txn *t, const struct window_sightings *w, uint64_t *overflowed, struct lq_error *e);

void marker_encode(const struct marker *m, struct lq_buf *out);
void sighting_encode(const struct sighted *s, struct lq_buf *out);
bool marker_decode(lq_str value, struct sighted *out); /* flags 0: recorded */
static inline bool marker_is_sighting(lq_str key)
{
    return key.n == SIGHTING_KEY_BYTES;
}

#endif
