/*
 * logfmt.h - key=value lines
 *
 *      time=2026-03-02T10:00:00Z level=info msg="user 17 \"x\" failed" took=12ms ok
 *
 * A value is bare (up to a blank) or quoted with \" \\ \n \t \r inside; a key alone has an empty value; keys end at '=' or a blank. Prose is not logfmt:
 * text counts as such only when at least two keys carry '=' and no fewer than half of its words do.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_LOGFMT_H
#define LQ_LOGFMT_H

#include "schema/base/buf.h"

/* Each pair in order; return false from fn to stop. Values with escapes are unescaped into scratch (views stay valid until it is cleared: it is
 * reserved up front). false: not logfmt (a quote that does not close, or prose). */
typedef bool logfmt_each_fn(void *ctx, lq_str key, lq_str value);
bool logfmt_each(lq_str line, logfmt_each_fn *fn, void *ctx, struct lq_buf *scratch);

#endif
