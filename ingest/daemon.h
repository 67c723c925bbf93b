/*
 * daemon.h - lqd from start to stop: store, loops, inputs, signals
 *
 *      main thread: signals, accept, control, HTTP      loops: read, parse, observe      flusher: commit, retain, compact
 *
 * Start: read and check everything, bind (still privileged), drop privileges, open the store, run. SIGHUP: read the configuration and the formats again; an error keeps
 * the old ones; inputs whose addresses stay keep their connections. SIGTERM, SIGINT: stop reading, commit everything, exit 0.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_DAEMON_H
#define LQ_DAEMON_H

#include "ingest/flusher.h"
#include "ingest/input.h"

struct daemon;
struct control_server;
struct daemon_options {
    const char *config_file; /* NULL: defaults */
    const char *data;        /* NULL: the configuration's, else `default_data` */
    const char *default_data;
    const char *formats_dir;
    bool once;               /* until standard input ends */
    /* The HTTP side (ingest/lqd.c: query/ is not seen from here). On the main thread; may be NULL. */
    enum lq_err (*serve)(struct daemon *d, void *ctx, struct lq_error *e);
    void (*serve_end)(struct daemon *d, void *ctx);
    void *ctx;
};
struct daemon {
    struct daemon_options o;
    struct config *config;
    char data[4096];
    struct formats formats;
    struct store *store;
    struct flusher *flusher;
    struct memory memory;
    struct input_env env;
    struct input *inputs; /* in the order of the configuration */
    pthread_mutex_t inputs_lock; /* of the list and the configuration, for other threads */
    struct control_server *control;
    struct ev_loop *main;
    ev_signal signals[4];
    ev_async drained;
    int64_t started_us;
    bool stopping, ready;
};

/* Exit status by CLI.md; errors are logged. */
int daemon_run(const struct daemon_options *o);
/* Everything received before is committed when it returns. No loop's thread, not the flusher's. False: not within patience_us. */
bool daemon_settle(struct daemon *d, int64_t patience_us);
/* lqd --check: everything that can be known without starting. */
int daemon_check(const struct daemon_options *o);

#endif
