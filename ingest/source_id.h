/*
 * source_id.h - which file is this? Labels and the fingerprint of its first bytes (load.h), so that a file keeps its checkpoint when it is renamed, compressed or grows
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_SOURCE_ID_H
#define LQ_SOURCE_ID_H

#include "schema/labels.h"
#include "store/store.h"

enum { FINGERPRINT_BYTES = 4096, LAST_BYTES = 256 };

/* The key of a checkpoint: labels and the fingerprint of n bytes (at most FINGERPRINT_BYTES). */
void source_id_key(const struct labels *labels, const char *head, size_t n, struct lq_buf *out);
/* Is the checkpoint really of this content? (What stands before its offset may be compared.) */
typedef bool source_id_accept_fn(void *ctx, const struct checkpoint *c);
/*
 * The checkpoint of content that begins with head: of all its first FINGERPRINT_BYTES, else of the time when it was shorter (the longest match). accept may be
 * NULL. LQ_ENOENT: there is none. Any other failure is the store's: taken for "none", the content would be counted twice. Texts go to mem.
 */
LQ_MUST enum lq_err source_id_find(struct store *s, const struct labels *labels, lq_str head, source_id_accept_fn *accept, void *ctx,
                                   struct checkpoint *out, struct lq_arena *mem, struct lq_error *e);

#endif
