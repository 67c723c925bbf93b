/*
 * control_server.h - the daemon's end of the control socket: markers and loads of files by `lq`, while lqd holds the store (store/control.h)
 *
 * One thread accepts, each request has a thread of its own (a load reads and parses for minutes; a marker does not wait for it), at most
 * CONTROL_REQUESTS_MAX of them. Loads take turns: two of the same content at once would count it twice. What is no request is answered with the reason, closed
 * and counted.
 *
 * A load ends early when its asker goes away or lqd stops: what was read is committed with its checkpoints, and the same load goes on from there.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_CONTROL_SERVER_H
#define LQ_CONTROL_SERVER_H

#include "ingest/control_request.h"

enum { CONTROL_REQUESTS_MAX = 16, CONTROL_PATIENCE_S = 10 /* for the next frame; for a reader of answers */ };

struct daemon;
struct control_server;
struct control_stats {
    uint64_t requests, refused;
};
/* Listens in the store's directory. */
LQ_MUST enum lq_err control_server_start(struct daemon *d, struct control_server **out, struct lq_error *e);
/* Ends loads early and waits for every request. */
void control_server_stop(struct control_server **s);
void control_server_stats(struct control_server *s, struct control_stats *out); /* any thread */

/* control_load.c: does a load and answers it on fd. The caller has made sure that it is the only one. */
void control_load(struct daemon *d, const struct control_request *r, int fd);
void control_answer_error(int fd, const struct lq_error *e);

#endif
