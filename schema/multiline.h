/*
 * multiline.h - which lines belong to the one before them
 *
 * Decided from the line alone, so that any reader, whatever it has read before and wherever its buffer ends, decides the same:
 *
 *      a line that the format matches                                      starts an event
 *      else, one that is blank at its beginning, or begins like a part of a stack trace   continues it (multiline_is_trace)
 *      else, one with a time stamp near its beginning, or a JSON object    stands alone: it is of another format
 *      else                                                                continues
 *
 * An event is at most EVENT_BYTES_MAX long, and (on streams) open for EVENT_IDLE_US at most; what comes after is an event of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_MULTILINE_H
#define LQ_MULTILINE_H

#include "schema/base/buf.h"

enum { EVENT_BYTES_MAX = 65536, EVENT_IDLE_US = 500000 };

/* A line of a stack trace or a wrapped message, by its beginning: blanks, "Caused by: ", "Traceback (", "goroutine ", "}", … */
bool multiline_is_trace(lq_str line);
/* Does a line that the format does not match continue the event before it? */
bool multiline_continues(lq_str line);

#endif
