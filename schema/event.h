/*
 * event.h - lines to events: a parser that joins the lines of one event (multiline.h says which)
 *
 *      bytes --lines--> events_line --(one event at a time)--> fn(result, text, record)
 *
 * For formats that are not multi-line a line is an event and goes straight through. Else an event is handed on when the next one begins, when
 * it is flushed (end of file, connection closed, EVENT_IDLE_US without a line), or when it would grow over EVENT_BYTES_MAX; lines that continue an event
 * that is no longer open are events without a record (no_match).
 *
 * In envelopes (Docker, CRI, syslog) each physical line of a trace has an envelope of its own: the messages of consecutive lines with the same dimensions
 * (host, service, stdout or stderr) are joined, when the first is a line of a multi-line inner format and the others match none; so are the parts of a message that the envelope
 * marks as partial.
 *
 * Nothing older is joined to something newer: in a file that has the newest line first each line stands alone.
 *
 * A line's bytes must stay where they are until its event is handed on, or until events_keep copies what is open: a reader of files flushes
 * at the end of its buffer (cut at events_boundary), a reader of streams calls events_keep. Lines of one event must be neighbours in memory
 * between two calls of events_keep.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_EVENT_H
#define LQ_EVENT_H

#include "schema/format.h"
#include "schema/multiline.h"

/* text: all lines of the event. r: only with PARSE_OK; valid during the call. PARSE_HEADER: there is no record of this line, nor should there be. */
typedef void event_fn(void *ctx, enum parse_result result, lq_str text, const struct record *r);

struct events; /* run state of one source in one thread */
LQ_MUST enum lq_err events_new(const struct parser_config *c, event_fn *fn, void *ctx, struct events **out, struct lq_error *e);
void events_free(struct events **e); /* what is open is lost: flush first */
/* One line without its line end. A blank one is no event, but may be part of one. */
void events_line(struct events *e, lq_str line);
/* Hand on what is open. */
void events_flush(struct events *e);
/* The reader's buffer moves: what is open is copied. */
void events_keep(struct events *e);
bool events_open(const struct events *e); /* something waits: the reader should arm its EVENT_IDLE_US timer */
bool events_joins(const struct events *e); /* false: each line is an event */
/* For readers that can bring lines again: where the bytes of the open event begin (NULL: none is open, or it was kept), how many lines it has, and: forget it.
 * During fn: the lines of the event handed on. */
const char *events_start(const struct events *e);
uint32_t events_lines(const struct events *e);
void events_forget(struct events *e);
/* For readers that join by themselves: a line that no event begins with, and that continues the one before it. */
bool events_continues(struct events *e, lq_str line);
/* parser_envelope and parser_reference for the lines that follow. */
void events_envelope(struct events *e, lq_str host, lq_str service);
void events_reference(struct events *e, int64_t reference_us);
/* May a reader cut its bytes between these two lines, so that the result is the same as without the cut? */
bool events_boundary(struct events *e, lq_str before, lq_str line);
/* The parser, for schemas, unparsed lines and columns. */
struct parser *events_parser(struct events *e);
/* Set the columns for the lines that follow (CSV, W3C): parser_columns of another parser of the same source. */
void events_set_columns(struct events *e, const struct columns *c);

#endif
