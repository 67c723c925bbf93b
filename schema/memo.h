/*
 * memo.h - what the parser of a thread remembers: the same texts have the same dimensions
 *
 * The dimensions of a record, whether it is an error and whether it succeeded depend on a few fields only - of an
 * access log on method, target and status - and these repeat. So the whole second half of parsing (derived fields,
 * cleaning, the error predicate) is remembered by the bytes of those fields, and the window remembers the series by the
 * number of the memo (window.h). Measured on a week of 5 M access lines: 40 % of the instructions of parsing and
 * observing. Texts that never repeat cost a probe: one is kept only when it is seen for the second time.
 *
 *      key of a record: parser, then length and bytes of each field that matters and, in an envelope, of each built-in label
 *      second key:      parser, error and success, then length and bytes of each dimension, before it is cleaned
 *
 * The second is asked for what the first does not know: one path in seven of a shop has a number of its own in it, and many of these share a route.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_MEMO_H
#define LQ_MEMO_H

#include "schema/record.h"

enum { MEMO_ENTRIES_MAX = 8192, MEMO_KEY_BYTES_MAX = 512 };

struct memo; /* of one thread, for any number of parsers */
struct memo *memo_new(void);
void memo_free(struct memo **m);

/* What is remembered of a key. The dimensions lie apart: of a record whose series the window knows nobody reads them. */
struct memo_entry {
    uint64_t id; /* never 0, and never used again in this process */
    const lq_str *dims;
    uint16_t key_n;
    bool error, success, sighting;
    char key[];
};
/* Ask for the slot of a key, and then for its entry, some time before memo_get: both are seldom in the caches. */
void memo_prefetch(const struct memo *m, uint64_t hash);
void memo_prefetch_entry(const struct memo *m, uint64_t hash);
/* NULL: not remembered. The entry lives until the next memo_tidy. */
const struct memo_entry *memo_get(struct memo *m, lq_str key, uint64_t hash);
/* Remember the dimensions of a record (texts are copied) if the key was asked for before; same: they are remembered by another key already, and this one
 * is to lead there. NULL (or same): not kept. When full, everything is forgotten by the next memo_tidy. */
const struct memo_entry *memo_put(struct memo *m, lq_str key, uint64_t hash, uint32_t n_dims, const struct record *r, const struct memo_entry *same);

/* Before a line: what it will be told lives until the next one (a line in an envelope uses what the envelope was told). */
void memo_tidy(struct memo *m);

#endif
