/*
 * out_int.h - what the outputs share
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_OUT_INT_H
#define LQ_OUT_INT_H

#include "query/out/out.h"

enum { FLUSH_BYTES = 1 << 16 };

/* text.c */
void out__json_string(struct lq_buf *b, lq_str s);
void out__number(struct lq_buf *b, double v); /* exact integers, else 10 significant digits; nothing for NAN */
void out__json_number(struct lq_buf *b, double v);
/* Give the buffer to f once it is large; `now`: in any case. */
void out__flush(struct lq_buf *b, FILE *f, bool now);
/* With its unit, short: 45 ms, 1.2 MB, 13.1 %, +25 %. "-" for NAN. */
void out__human(double v, const char *unit, char out[32]);
/* Columns on the screen. */
size_t out__width(lq_str s);
/* A text in exactly `width` columns; the middle of a long one is cut: both ends tell most. */
void out__fit(struct lq_buf *b, lq_str s, size_t width, bool right);
/* "host=web-1 status=500", or the stream's name where there are no labels. */
void out__series_name(const struct result *r, const struct result_series *s, bool streams, struct lq_buf *b);
bool out__many_streams(const struct result *r);

void out__table(const struct result *r, const struct out_options *o, FILE *f);
void out__chart(const struct result *r, const struct out_options *o, FILE *f);
void out__csv(const struct result *r, const struct out_options *o, FILE *f);
void out__ndjson(const struct result *r, const struct out_options *o, FILE *f);
void out__json(const struct result *r, const struct out_options *o, FILE *f);

#endif
