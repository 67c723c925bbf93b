/*
 * input_http.h - bodies pushed by HTTP, on their way into the store and back as an answer
 *
 * The server's worker reads a body (push.h), then hands it over; a loop takes all its lines in one go into one window, and the answer is given when that window is
 * committed. A body is therefore in the store whole or not at all, and a sender that got no answer sends it again: nothing acknowledged is lost; a body whose answer was lost counts twice.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_INPUT_HTTP_H
#define LQ_INPUT_HTTP_H

#include "ingest/daemon.h"
#include "ingest/push.h"

/* What an HTTP worker thread asks and does. */
size_t push_line_bytes_max(struct daemon *d);
void push_refused(struct daemon *d); /* counts */
/* On a loop's thread, once: durable, or not known to be (commits fail, the input was closed). */
typedef void push_done(void *arg, bool durable);
/* Takes the body when it succeeds. peer: the sender's address. LQ_EBUSY: commits fail, or too many bodies wait (buffers_max); LQ_ENOENT: no input of type http. */
LQ_MUST enum lq_err push_send(struct daemon *d, enum push_shape shape, struct push_body *body, uint64_t bytes, lq_str peer, push_done *done, void *arg, struct lq_error *e);

#endif
