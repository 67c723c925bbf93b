/*
 * conn.h - a stream connection: bytes to frames to messages, answers back
 *
 * Read into the loop's one buffer; only the bytes of an unfinished message are kept by the connection, and all of them together are limited (buffers_max), so
 * that ten thousand idle connections cost their structs and endless lines cost nothing. Protocols: lines, syslog (both framings), RELP.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_CONN_H
#define LQ_CONN_H

#include "ingest/loop.h"
#include "ingest/tls.h"

struct conn_options {
    int fd;                    /* taken */
    struct feed *feed;
    struct tls_context *tls;   /* NULL: plain */
    char peer[48];             /* address; "" = local */
    uint32_t peer_n;
    uint64_t *open;            /* counted down at the end (atomic); may be NULL */
    void (*ended)(void *arg);  /* may be NULL */
    void *arg;
};
/* On the loop's thread. */
void conn_open(struct loop *l, const struct conn_options *o);
/* Reads what is there, takes an unfinished last line for a line, and closes: all connections of a feed. */
void conn_close_all(struct loop *l, struct feed *f);
/* A reload: connections of `from` go on with `to`. */
void conn_move_all(struct loop *l, struct feed *from, struct feed *to);
void conn_close_idle(struct loop *l);
/* Answers the RELP messages of a committed batch. */
void conn_acknowledge(struct loop *l, const struct batch *b);

#endif
