/*
 * flusher.c - the thread that commits (flusher.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/flusher.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "ingest/log.h"
#include "ingest/loop.h"

enum { RETRY_US = 1000000, ANSWER_US = 200000, TRIM_US = 60000000, MAINTAIN_STEP = 64, BATCHES_MAX = 4 * LOOPS_MAX };

struct flusher {
    struct store *store;
    struct loop *const *loops;
    unsigned n_loops;
    int64_t flush_us, compact_us, patience_us;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct batch *first, **last; /* submitted */
    unsigned answers;
    bool stop, lost;
    uint64_t lost_lines;
    struct flusher_stats stats;
    int64_t failed_us; /* monotonic: since when commits fail; 0 = they do not */
    int64_t trim_us;   /* when memory is given back next */
    struct log_limit limit;
};

struct flusher *flusher_new(struct store *s, const struct config *c)
{
    struct flusher *f = lq_alloc(sizeof *f);
    pthread_condattr_t a;
    f->store = s;
    f->flush_us = c->flush_us;
    f->compact_us = c->compact_us;
    f->last = &f->first;
    pthread_mutex_init(&f->lock, NULL);
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC); /* the wall clock may jump */
    pthread_cond_init(&f->changed, &a);
    pthread_condattr_destroy(&a);
    return f;
}

void flusher_free(struct flusher **fp)
{
    if (*fp != NULL) {
        pthread_mutex_destroy(&(*fp)->lock);
        pthread_cond_destroy(&(*fp)->changed);
        free(*fp);
        *fp = NULL;
    }
}

void flusher_submit(struct flusher *f, struct batch *b)
{
    b->next = NULL;
    pthread_mutex_lock(&f->lock);
    *f->last = b;
    f->last = &b->next;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

void flusher_answer(struct flusher *f)
{
    pthread_mutex_lock(&f->lock);
    f->answers++;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

void flusher_stats(struct flusher *f, struct flusher_stats *out)
{
    pthread_mutex_lock(&f->lock);
    *out = f->stats;
    pthread_mutex_unlock(&f->lock);
}

/* With the lock held: until something changes or the moment comes. */
static void wait_until(struct flusher *f, int64_t monotonic_us)
{
    struct timespec t = {monotonic_us / 1000000, monotonic_us % 1000000 * 1000};
    pthread_cond_timedwait(&f->changed, &f->lock, &t);
}

/* ---- one commit ---- */

struct commit { /* what goes together */
    struct batch *batches[BATCHES_MAX];
    struct window *windows[BATCHES_MAX];
    size_t n;
    struct checkpoint *checkpoints;
    size_t n_checkpoints, cap_checkpoints;
};

static void collect(struct commit *c, struct batch *b)
{
    c->n = 0;
    c->n_checkpoints = 0;
    for (; b != NULL; b = b->next) {
        LQ_ASSERT(c->n < BATCHES_MAX); /* a loop has two */
        c->batches[c->n] = b;
        c->windows[c->n++] = b->window;
        lq_grow(&c->checkpoints, &c->cap_checkpoints, c->n_checkpoints + b->n_checkpoints + 1, sizeof *c->checkpoints);
        if (b->n_checkpoints > 0) {
            memcpy(c->checkpoints + c->n_checkpoints, b->checkpoints, b->n_checkpoints * sizeof *b->checkpoints);
        }
        c->n_checkpoints += b->n_checkpoints;
    }
}

static enum lq_err commit(struct flusher *f, struct commit *c, uint64_t *lines, struct lq_error *e)
{
    struct counter_delta counters[BATCH_COUNTS];
    for (int i = 0; i < BATCH_COUNTS; i++) {
        counters[i] = (struct counter_delta){batch_count_names[i], 0};
        for (size_t k = 0; k < c->n; k++) {
            counters[i].n += c->batches[k]->counts[i];
        }
    }
    *lines = counters[COUNT_LINES].n;
    return store_flush(f->store, c->windows, c->n, c->checkpoints, c->n_checkpoints, counters, BATCH_COUNTS, 1, e);
}

static void settled(struct flusher *f, enum lq_err err, uint64_t lines, int64_t took_us, const struct lq_error *e)
{
    int64_t now = clock_monotonic_us();
    if (err != LQ_OK) {
        if (f->failed_us == 0) {
            f->failed_us = now;
            f->limit.next_us = 0;
        }
        if (log_may(&f->limit)) {
            log_failure(LOG_ERROR, e);
            log_say(LOG_ERROR, "nothing is lost: the commit is tried again each second, and inputs wait (or drop and count) when memory for two windows is used up");
        }
    } else if (f->failed_us != 0) {
        log_say(LOG_NOTICE, "commits work again after %lld s", (long long)((now - f->failed_us) / 1000000));
        f->failed_us = 0;
    }
    pthread_mutex_lock(&f->lock);
    f->stats.failing = err != LQ_OK;
    f->stats.failures += err != LQ_OK;
    if (err == LQ_OK) {
        f->stats.commits++;
        f->stats.lines += lines;
        f->stats.microseconds += (uint64_t)took_us;
        f->stats.last_ok_us = clock_now_us();
    }
    pthread_mutex_unlock(&f->lock);
}

/* Retention and compaction. What flushes and merging hours took is given back once a minute: malloc would keep it. */
static void maintain(struct flusher *f)
{
    struct lq_error e = {0};
    bool more = false;
    enum lq_err err = store_maintain(f->store, MAINTAIN_STEP, MAINTAIN_DUE, &more, &e);
    if (err != LQ_OK && log_may(&f->limit)) {
        log_failure(LOG_WARN, &e);
    }
    if (clock_monotonic_us() >= f->trim_us) {
        store_trim(f->store);
        malloc_trim(0);
        f->trim_us = clock_monotonic_us() + TRIM_US;
    }
}

/* Commits the list, again and again until it works. False: patience ended while stopping. */
static bool commit_all(struct flusher *f, struct commit *c, struct batch *list)
{
    collect(c, list);
    for (;;) {
        struct lq_error e = {0};
        uint64_t lines = 0;
        int64_t start = clock_monotonic_us();
        enum lq_err err = commit(f, c, &lines, &e);
        bool first = f->failed_us == 0;
        settled(f, err, lines, clock_monotonic_us() - start, &e);
        if (err == LQ_OK) {
            for (size_t i = 0; i < c->n; i++) {
                loop_give_back(c->batches[i]->loop, c->batches[i]);
            }
            return true;
        }
        if (err == LQ_ENOSPC) { /* of disk_max, perhaps: retention makes room */
            maintain(f);
        }
        pthread_mutex_lock(&f->lock);
        int64_t again = clock_monotonic_us() + (err == LQ_ENOSPC && first ? 0 : RETRY_US);
        while (clock_monotonic_us() < again && !(f->stop && clock_monotonic_us() - f->failed_us > f->patience_us)) {
            wait_until(f, again);
        }
        bool give_up = f->stop && clock_monotonic_us() - f->failed_us > f->patience_us;
        f->lost = f->lost || give_up;
        f->lost_lines += give_up ? lines : 0;
        pthread_mutex_unlock(&f->lock);
        if (give_up) {
            for (size_t i = 0; i < c->n; i++) {
                batch_free(&c->batches[i]);
            }
            return false;
        }
    }
}

/* ---- the thread ---- */

static struct batch *take_submitted(struct flusher *f)
{
    struct batch *b = f->first;
    f->first = NULL;
    f->last = &f->first;
    return b;
}

/* Asks every loop and waits for all answers, for a while. Lock held. */
static void ask(struct flusher *f)
{
    int64_t until = clock_monotonic_us() + ANSWER_US;
    f->answers = 0;
    for (unsigned i = 0; i < f->n_loops; i++) {
        loop_ask(f->loops[i]);
    }
    while (f->answers < f->n_loops && clock_monotonic_us() < until) {
        wait_until(f, until);
    }
}

static void *run(void *arg)
{
    struct flusher *f = arg;
    struct commit c = {.n = 0};
    int64_t next = clock_monotonic_us() + f->flush_us, next_maintain = clock_monotonic_us() + f->compact_us;
    bool fine = true;
    pthread_mutex_lock(&f->lock);
    while (fine && (!f->stop || f->first != NULL)) {
        while (!f->stop && f->first == NULL && clock_monotonic_us() < next) {
            wait_until(f, next);
        }
        if (!f->stop && clock_monotonic_us() >= next) {
            ask(f);
            next += f->flush_us;
            next = next < clock_monotonic_us() ? clock_monotonic_us() + f->flush_us : next;
        }
        struct batch *list = take_submitted(f);
        pthread_mutex_unlock(&f->lock);
        if (list != NULL) {
            fine = commit_all(f, &c, list);
        }
        if (fine && !f->stop && (list != NULL || clock_monotonic_us() >= next_maintain)) { /* mostly nothing is due, which costs nothing */
            maintain(f);
            next_maintain = clock_monotonic_us() + f->compact_us;
        }
        pthread_mutex_lock(&f->lock);
    }
    for (struct batch *b = take_submitted(f), *next_b; b != NULL; b = next_b) { /* handed over behind those that were given up */
        f->lost_lines += b->counts[COUNT_LINES];
        next_b = b->next;
        batch_free(&b);
    }
    pthread_mutex_unlock(&f->lock);
    free(c.checkpoints);
    return NULL;
}

void flusher_start(struct flusher *f, struct loop *const *loops, unsigned n)
{
    sigset_t all, old;
    f->loops = loops;
    f->n_loops = n;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    LQ_ASSERT(pthread_create(&f->thread, NULL, run, f) == 0);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

bool flusher_stop(struct flusher *f, int64_t patience_us, uint64_t *lost)
{
    pthread_mutex_lock(&f->lock);
    f->stop = true;
    f->patience_us = patience_us;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->thread, NULL);
    *lost = f->lost_lines;
    return !f->lost;
}
