/*
 * input.h - inputs: one row of input_types and one file for each sort
 *
 * Life: open (main thread, still privileged: sockets), start on each loop, stop on each loop (reads what is there, then no more), close (main thread). On a
 * reload an input whose addresses stay keeps its sockets and connections, and gets new feeds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_INPUT_H
#define LQ_INPUT_H

#include <sys/stat.h>

#include "ingest/conn.h"

struct input_env {
    struct ev_loop *main;
    struct loop *loops[LOOPS_MAX];
    unsigned n_loops;
    void (*drained)(void *arg); /* standard input has ended; a loop's thread */
    void *arg;
};

struct input {
    struct input *next;
    const struct input_config *config;
    const struct input_type *type;
    struct input_env *env;
    struct feed *feeds[LOOPS_MAX];        /* each its loop's */
    struct input_stats stats[LOOPS_MAX + 1]; /* the last row is the main thread's */
    void *state[LOOPS_MAX];
    int fds[LISTEN_MAX][LOOPS_MAX];       /* -1 = none; a listener has one, UDP one for each loop */
    ev_io accept[LISTEN_MAX];
    ev_timer accept_again;
    unsigned turn;                        /* whose connection is next */
    struct tls_context *tls;
    struct tls_context **retired;         /* of earlier configurations: open connections use them */
    size_t n_retired, cap_retired;
    uint64_t open;                        /* connections (atomic) */
    bool kept;                            /* by the reload in progress */
};

struct input_type {
    LQ_MUST enum lq_err (*open)(struct input *in, struct lq_error *e);
    void (*start)(struct input *in, struct loop *l); /* on the loop; the feed is there */
    void (*stop)(struct input *in, struct loop *l);  /* on the loop; the feed is still there */
    void (*moved)(struct input *in, struct loop *l, struct feed *old); /* reload: in->feeds is the new one; may be NULL */
    void (*begin)(struct input *in);                 /* main thread, after all starts; may be NULL */
    void (*end)(struct input *in);                   /* main thread, before all stops; may be NULL */
    bool (*follows)(struct input *in, const struct stat *st); /* is this file one of its own? No loop's thread; may be NULL */
};
extern const struct input_type input_stream, input_datagram, input_tail, input_stdin, input_http; /* one file each */
const struct input_type *input_type_of(enum input_kind k);

LQ_MUST enum lq_err input_open(const struct input_config *c, struct input_env *env, struct input **out, struct lq_error *e);
/* A reload: certificates are read again. The configuration is taken over by the caller when all loops have moved. */
LQ_MUST enum lq_err input_renew(struct input *in, const struct input_config *c, struct lq_error *e);
void input_free(struct input **in); /* closes its sockets; feeds must be gone */
uint64_t input_stat(const struct input *in, enum stat_id id); /* all loops together */

/* For the files: a bound socket of an address, told in the log. */
LQ_MUST enum lq_err input_bind(const struct input *in, const char *listen, int type, bool share, bool tell, int *fd, struct lq_error *e);
/* The sender's address as text (no port); "" for Unix sockets. */
struct sockaddr_storage;
uint32_t input_peer(const struct sockaddr_storage *a, char out[48]);

#endif
