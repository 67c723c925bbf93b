/*
 * grok.h - %{NAME:field} in patterns: named pieces of regex
 *
 *      %{IP:client} %{WORD}   ->   (?<client>…) (?:…)
 *
 * The built-in names are in grok.c; a format file may add its own under `patterns:` (they may use others, and win over
 * built-in ones). Pieces that the scanner (lower.h) understands are preferred, so that most expanded patterns still run as one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_GROK_H
#define LQ_GROK_H

#include "schema/base/buf.h"

enum { GROK_DEPTH_MAX = 8, GROK_BYTES_MAX = 16384, GROK_OWN_MAX = 32 };

/* The pieces a format file defines itself. */
struct grok_own {
    uint32_t n;
    const char *name[GROK_OWN_MAX], *pattern[GROK_OWN_MAX];
};

/* Appends the expanded pattern to out. LQ_EINVAL: an unknown name (with the nearest as hint), a brace that does not close, pieces that use
 * each other without end, or more than GROK_BYTES_MAX; e->column is the byte in the pattern. own may be NULL. */
LQ_MUST enum lq_err grok_expand(lq_str pattern, const struct grok_own *own, struct lq_buf *out, struct lq_error *e);

#endif
