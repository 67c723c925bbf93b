/*
 * push_int.h - shared by push.c, push_loki.c and push_otlp.c
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_PUSH_INT_H
#define LQ_PUSH_INT_H

#include "ingest/push.h"
#include "schema/json_scan.h"

struct push_reader {
    const struct push_options *o;
    struct push_body *out;
    lq_str body;
    enum lq_err err; /* the first error; nothing is read after it */
    struct lq_error *e;
};
/* A group with the labels of the address; its number. UINT32_MAX, with an error: too many. */
uint32_t push__group(struct push_reader *r);
/* A line of that group was added to text from `at`. False, with an error: too many. */
bool push__line(struct push_reader *r, size_t at, uint32_t group);
bool push__fail(struct push_reader *r, enum lq_err code, const char *fmt, ...) LQ_PRINTF(3, 4); /* always false */
/* "…" with what JSON needs escaped. Bytes that are no UTF-8 stay: the scanner passes them. */
void push__string(struct lq_buf *b, lq_str s);
lq_str push__cut(struct push_reader *r, lq_str s); /* at line_bytes_max, counted */
/* The part of a dotted path before the next dot; the rest moves on. */
lq_str push__part(lq_str *path);
bool push__index(lq_str part, uint64_t *out);
/* Nanoseconds since 1970 as digits, from 1970 to 2200. */
bool push__nanoseconds(struct json_value v, lq_str *digits);

LQ_MUST enum lq_err push__loki(struct push_reader *r);
LQ_MUST enum lq_err push__otlp(struct push_reader *r);

#endif
