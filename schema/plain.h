/*
 * plain.h - the last resort: a line with a recognisable time stamp at or near its beginning
 *
 *      [2026-03-02 10:00:00.123] WARN something      - 1117838570 2005.06.03 R02-M1 … text      10:00:00,123 text
 *
 * The stamp begins within the first PLAIN_REACH bytes, at the line's start or behind a blank or an opening bracket; the layouts are those of
 * plain_layout(). What follows the stamp is the message; the first word of it that names a level (of the first few) is the level. The same
 * line gives the same answer whatever came before it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_PLAIN_H
#define LQ_PLAIN_H

#include "schema/timefmt.h"

enum { PLAIN_REACH = 64 };
enum { PLAIN_TIME, PLAIN_LEVEL, PLAIN_MESSAGE, PLAIN_FIELDS };
extern const char *const plain_fields[PLAIN_FIELDS];

/* false: no stamp. level.n = 0: none. */
bool plain_scan(lq_str line, lq_str *stamp, lq_str *level, lq_str *message);
/* Length of a time stamp at the beginning of s; 0: none. */
size_t plain_stamp(lq_str s);
/* The layouts as one text for time_layout_compile ("A || B || …"). */
extern const char plain_layout[];

#endif
