/*
 * loop.h - one thread with an event loop, a pipeline and the readers that feed it
 *
 * Others talk to a loop by loop_post only. A loop hands its batch to the flusher when the flusher asks (each flush_every), when its window is full, or when
 * acknowledgements wait for ack_every; it fills the other window meanwhile. When that is full too, readers wait (loop_wait) until a batch comes back.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_LOOP_H
#define LQ_LOOP_H

#include <ev.h>

#include "ingest/pipeline.h"

enum { READ_BYTES = 256 << 10, READ_BUFFER_BYTES = READ_BYTES + LINE_BYTES_MAX + 4096 };

struct flusher;
struct loop;

struct waiter { /* a reader that waits for room */
    struct waiter *next;
    bool waiting;
    void (*resume)(struct waiter *w);
};
struct commit_hook { /* asked for checkpoints before a batch goes; told when it is committed (may be NULL) */
    struct commit_hook *next;
    void (*before)(struct commit_hook *h, struct batch *b);
    void (*after)(struct commit_hook *h, const struct batch *b);
};
struct task {
    struct task *next;
    void (*run)(struct loop *l, void *arg);
    void *arg;
};
struct memory { /* of unfinished lines, all loops together */
    uint64_t used, max;
};

struct conn;
struct loop {
    unsigned index;
    pthread_t thread;
    struct ev_loop *ev;
    struct pipeline *pipeline;
    struct flusher *flusher;
    struct memory *memory;
    char *buf; /* READ_BUFFER_BYTES, shared by all readers of the loop */
    struct conn *conns;
    uint32_t n_conns;
    struct waiter *waiters;
    struct commit_hook *hooks;
    int64_t ack_us;
    bool full; /* a batch is to be submitted as soon as the other comes back */
    /* private */
    ev_async wake;
    ev_timer ack, idle;
    pthread_mutex_t lock;
    struct task *first, **last;
    int64_t busy_us, awake_us; /* atomic: loop_busy_us */
    int tid;                   /* atomic; 0 = not yet */
};

LQ_MUST enum lq_err loop_new(unsigned index, struct store *s, struct formats *formats, const struct config *c, struct memory *m, struct flusher *f,
                             struct loop **out, struct lq_error *e);
void loop_start(struct loop *l);
void loop_join(struct loop *l); /* ends the thread, after everything posted before is done */
void loop_free(struct loop **l);
/* Any thread. */
void loop_post(struct loop *l, void (*run)(struct loop *l, void *arg), void *arg);
/* Run and wait until it is done. Any thread but the loop's own. */
void loop_call(struct loop *l, void (*run)(struct loop *l, void *arg), void *arg);

/* The loop's own thread: */
/* Receive time for what comes next; commits a full window. False: no room, the reader must wait or drop. */
bool loop_room(struct loop *l);
void loop_wait(struct loop *l, struct waiter *w);
void loop_wait_cancel(struct loop *l, struct waiter *w);
/* Hand the batch over; false: nothing to hand over, or the other one is still away. */
bool loop_commit(struct loop *l);
/* Acknowledgements wait: commit within ack_every. */
void loop_commit_soon(struct loop *l);

/* For conn.c: connections are looked at once a second, while there are any. */
void loop_watch_idle(struct loop *l, bool on);
/* For the flusher, its thread: the batch is committed; the next one is wanted. */
void loop_give_back(struct loop *l, struct batch *b);
void loop_ask(struct loop *l);

/* How long it was not waiting for anything to do, so far; a reader that waits for room counts as work. Any thread. */
int64_t loop_busy_us(struct loop *l, int64_t now_us);
/*
 * Do the loops keep up? Looked at each PRESSURE_US, when asked. Not, when since the last look one of them was busy for PRESSURE_FULL percent of the time, or for
 * PRESSURE_HALF and meanwhile waited for a processor for PRESSURE_WAITED (schedstat of Linux: others had it); and for PRESSURE_LASTS_US after that.
 * Zeroed before; one thread at a time.
 */
enum { PRESSURE_US = 250000, PRESSURE_LASTS_US = 2000000, PRESSURE_FULL = 90, PRESSURE_HALF = 50, PRESSURE_WAITED = 5 };
struct pressure {
    int64_t at_us, until_us, busy_us[LOOPS_MAX], waited_us[LOOPS_MAX];
};
bool pressure_look(struct pressure *p, struct loop *const *loops, unsigned n, int64_t now_us);

/* Memory of unfinished lines. False: over the limit, nothing is taken. */
bool memory_take(struct memory *m, uint64_t n);
void memory_give(struct memory *m, uint64_t n);

#endif
