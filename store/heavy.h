/*
 * heavy.h - the heaviest identities of an hour: "one bad client" gets a name
 *
 * A Misra-Gries summary (Misra, Gries 1982; merged as in Agarwal et al. 2012) of at most HEAVY_MAX identities per (stream, identity
 * field, error, hour). `error_bound` is the most that any count may be too low (an absent identity's count is at most it).
 * Outside the digest: its content may depend on order once more than HEAVY_MAX identities were seen.
 * Bytes: xxh3-64 of what follows, version, error bound, n, then (count, length, bytes) by count descending, name ascending.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_HEAVY_H
#define LQ_HEAVY_H

#include "schema/base/buf.h"

enum { HEAVY_MAX = 64 };
struct heavy_item {
    lq_str name; /* view: caller's memory, or the summary's arena after decode/merge */
    uint64_t count;
};
struct heavy {
    uint32_t n;
    uint64_t error_bound;
    uint64_t total; /* observations summarised */
    struct heavy_item items[HEAVY_MAX];
    struct lq_arena mem;
};
void heavy_fini(struct heavy *h);
/* Keep the HEAVY_MAX heaviest of any number of exact (name, count) items (names distinct); names are copied. */
void heavy_from(const struct heavy_item *items, size_t n, struct heavy *out);
void heavy_merge(const struct heavy *a, const struct heavy *b, struct heavy *out);
void heavy_encode(const struct heavy *h, struct lq_buf *out);
LQ_MUST enum lq_err heavy_decode(const void *p, size_t n, struct heavy *out);

#endif
