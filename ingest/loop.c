/*
 * loop.c - one thread with an event loop and a pipeline (loop.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/loop.h"

#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "ingest/conn.h"
#include "ingest/flusher.h"
#include "ingest/log.h"

enum { IDLE_CHECK_S = 1 };

bool memory_take(struct memory *m, uint64_t n)
{
    uint64_t used = __atomic_add_fetch(&m->used, n, __ATOMIC_RELAXED);
    if (used > m->max) {
        __atomic_sub_fetch(&m->used, n, __ATOMIC_RELAXED);
        return false;
    }
    return true;
}

void memory_give(struct memory *m, uint64_t n)
{
    __atomic_sub_fetch(&m->used, n, __ATOMIC_RELAXED);
}

/* ---- tasks ---- */

void loop_post(struct loop *l, void (*run)(struct loop *, void *), void *arg)
{
    struct task *t = lq_alloc(sizeof *t);
    t->run = run;
    t->arg = arg;
    pthread_mutex_lock(&l->lock);
    *l->last = t;
    l->last = &t->next;
    pthread_mutex_unlock(&l->lock);
    ev_async_send(l->ev, &l->wake);
}

static void on_wake(struct ev_loop *ev, ev_async *w, int events)
{
    struct loop *l = w->data;
    (void)ev;
    (void)events;
    pthread_mutex_lock(&l->lock);
    struct task *t = l->first;
    l->first = NULL;
    l->last = &l->first;
    pthread_mutex_unlock(&l->lock);
    pipeline_now(l->pipeline, clock_now_us());
    while (t != NULL) {
        struct task *next = t->next;
        t->run(l, t->arg);
        free(t);
        t = next;
    }
}

struct call {
    void (*run)(struct loop *l, void *arg);
    void *arg;
    sem_t done;
};

static void run_call(struct loop *l, void *arg)
{
    struct call *c = arg;
    c->run(l, c->arg);
    sem_post(&c->done);
}

void loop_call(struct loop *l, void (*run)(struct loop *, void *), void *arg)
{
    struct call c = {run, arg, {{0}}};
    sem_init(&c.done, 0, 0);
    loop_post(l, run_call, &c);
    while (sem_wait(&c.done) != 0) {
    }
    sem_destroy(&c.done);
}

/* ---- commit ---- */

bool loop_commit(struct loop *l)
{
    struct pipeline *p = l->pipeline;
    if (p->spare == NULL) {
        return false;
    }
    pipeline_settle(p);
    for (struct commit_hook *h = l->hooks; h != NULL; h = h->next) {
        h->before(h, p->open);
    }
    struct batch *b = pipeline_take(p);
    if (b == NULL) {
        return false;
    }
    ev_timer_stop(l->ev, &l->ack);
    flusher_submit(l->flusher, b);
    if (p->acks_held > 0) {
        loop_commit_soon(l);
    }
    return true;
}

bool loop_room(struct loop *l)
{
    pipeline_now(l->pipeline, clock_now_us());
    if (pipeline_wants_commit(l->pipeline) && !loop_commit(l)) {
        l->full = true;
        return !pipeline_full(l->pipeline);
    }
    return true;
}

void loop_wait(struct loop *l, struct waiter *w)
{
    if (!w->waiting) {
        w->waiting = true;
        w->next = l->waiters;
        l->waiters = w;
    }
}

void loop_wait_cancel(struct loop *l, struct waiter *w)
{
    for (struct waiter **at = &l->waiters; w->waiting && *at != NULL; at = &(*at)->next) {
        if (*at == w) {
            *at = w->next;
            w->waiting = false;
            return;
        }
    }
}

/* A batch is back: its transaction is on the disk. */
static void batch_done(struct loop *l, void *arg)
{
    struct batch *b = arg;
    conn_acknowledge(l, b);
    for (struct commit_hook *h = l->hooks; h != NULL; h = h->next) {
        if (h->after != NULL) {
            h->after(h, b);
        }
    }
    pipeline_give(l->pipeline, b);
    if (l->full) {
        l->full = false;
        loop_commit(l);
    }
    struct waiter *w = l->waiters;
    l->waiters = NULL;
    while (w != NULL) {
        struct waiter *next = w->next;
        w->waiting = false;
        w->resume(w);
        w = next;
    }
}

void loop_give_back(struct loop *l, struct batch *b)
{
    loop_post(l, batch_done, b);
}

static void answer_tick(struct loop *l, void *arg)
{
    (void)arg;
    if (!loop_commit(l) && !batch_empty(l->pipeline->open)) {
        l->full = true; /* as soon as the other one is back */
    }
    flusher_answer(l->flusher);
}

void loop_ask(struct loop *l)
{
    loop_post(l, answer_tick, NULL);
}

static void on_ack(struct ev_loop *ev, ev_timer *w, int events)
{
    struct loop *l = w->data;
    (void)ev;
    (void)events;
    pipeline_now(l->pipeline, clock_now_us());
    if (!loop_commit(l) && !batch_empty(l->pipeline->open)) {
        l->full = true;
    } else if (l->pipeline->acks_held > 0) {
        loop_commit_soon(l);
    }
}

void loop_commit_soon(struct loop *l)
{
    if (!ev_is_active(&l->ack)) {
        ev_timer_set(&l->ack, (double)l->ack_us / 1e6, 0.);
        ev_timer_start(l->ev, &l->ack);
    }
}

static void on_idle(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    conn_close_idle(w->data);
}

/* ---- how busy ---- */

/* libev tells before it waits, and when it has waited. */
static void on_sleep(struct ev_loop *ev) EV_NOEXCEPT
{
    struct loop *l = ev_userdata(ev);
    if (l->waiters == NULL) {
        int64_t awake = __atomic_load_n(&l->awake_us, __ATOMIC_RELAXED);
        __atomic_store_n(&l->busy_us, l->busy_us + clock_monotonic_us() - awake, __ATOMIC_RELAXED);
        __atomic_store_n(&l->awake_us, 0, __ATOMIC_RELEASE);
    }
}

static void on_awake(struct ev_loop *ev) EV_NOEXCEPT
{
    struct loop *l = ev_userdata(ev);
    if (l->awake_us == 0) {
        __atomic_store_n(&l->awake_us, clock_monotonic_us(), __ATOMIC_RELEASE);
    }
}

int64_t loop_busy_us(struct loop *l, int64_t now_us)
{
    int64_t awake = __atomic_load_n(&l->awake_us, __ATOMIC_ACQUIRE), busy = __atomic_load_n(&l->busy_us, __ATOMIC_RELAXED);
    return busy + (awake != 0 && now_us > awake ? now_us - awake : 0);
}

/* How long it stood ready to run and did not; 0 where the system does not say. */
static int64_t waited_us(struct loop *l)
{
    char path[64];
    unsigned long long ran, waited = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/schedstat", __atomic_load_n(&l->tid, __ATOMIC_RELAXED));
    FILE *f = fopen(path, "re");
    if (f != NULL) {
        waited = fscanf(f, "%llu %llu", &ran, &waited) == 2 ? waited : 0;
        fclose(f);
    }
    return (int64_t)(waited / 1000);
}

bool pressure_look(struct pressure *p, struct loop *const *loops, unsigned n, int64_t now_us)
{
    int64_t passed = now_us - p->at_us;
    bool first = p->at_us == 0;
    if (passed < PRESSURE_US) {
        return now_us < p->until_us;
    }
    for (unsigned i = 0; i < n; i++) {
        int64_t busy = loop_busy_us(loops[i], now_us), waited = waited_us(loops[i]);
        int64_t did = (busy - p->busy_us[i]) * 100 / passed, stood = (waited - p->waited_us[i]) * 100 / passed;
        if (!first && (did >= PRESSURE_FULL || (did >= PRESSURE_HALF && stood >= PRESSURE_WAITED))) {
            p->until_us = now_us + PRESSURE_LASTS_US;
        }
        p->busy_us[i] = busy;
        p->waited_us[i] = waited;
    }
    p->at_us = now_us;
    return now_us < p->until_us;
}

/* ---- the thread ---- */

enum lq_err loop_new(unsigned index, struct store *s, struct formats *formats, const struct config *c, struct memory *m, struct flusher *f,
                     struct loop **out, struct lq_error *e)
{
    struct loop *l = lq_alloc(sizeof *l);
    l->index = index;
    l->flusher = f;
    l->memory = m;
    l->ack_us = c->ack_us;
    l->last = &l->first;
    l->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOSIGMASK);
    LQ_ASSERT(l->ev != NULL);
    pthread_mutex_init(&l->lock, NULL);
    enum lq_err err = pipeline_new(s, formats, c, l, &l->pipeline, e);
    if (err != LQ_OK) {
        loop_free(&l);
        return err;
    }
    pipeline_now(l->pipeline, clock_now_us());
    l->buf = lq_alloc_pages(READ_BUFFER_BYTES);
    ev_set_userdata(l->ev, l);
    ev_set_loop_release_cb(l->ev, on_sleep, on_awake);
    l->awake_us = clock_monotonic_us();
    ev_async_init(&l->wake, on_wake);
    ev_timer_init(&l->ack, on_ack, 0., 0.);
    ev_timer_init(&l->idle, on_idle, IDLE_CHECK_S, IDLE_CHECK_S);
    l->wake.data = l->ack.data = l->idle.data = l;
    ev_async_start(l->ev, &l->wake);
    *out = l;
    return LQ_OK;
}

static void *run(void *arg)
{
    struct loop *l = arg;
    __atomic_store_n(&l->tid, gettid(), __ATOMIC_RELAXED);
    ev_run(l->ev, 0);
    return NULL;
}

void loop_start(struct loop *l)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old); /* signals are the main thread's */
    LQ_ASSERT(pthread_create(&l->thread, NULL, run, l) == 0);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void stop(struct loop *l, void *arg)
{
    (void)arg;
    ev_break(l->ev, EVBREAK_ALL);
}

void loop_join(struct loop *l)
{
    loop_post(l, stop, NULL);
    pthread_join(l->thread, NULL);
}

void loop_free(struct loop **lp)
{
    struct loop *l = *lp;
    if (l == NULL) {
        return;
    }
    while (l->first != NULL) {
        struct task *t = l->first;
        l->first = t->next;
        free(t);
    }
    pipeline_free(&l->pipeline);
    if (l->ev != NULL) {
        ev_loop_destroy(l->ev);
    }
    pthread_mutex_destroy(&l->lock);
    free(l->buf);
    free(l);
    *lp = NULL;
}

void loop_watch_idle(struct loop *l, bool on)
{
    if (on) {
        ev_timer_again(l->ev, &l->idle);
    } else {
        ev_timer_stop(l->ev, &l->idle);
    }
}
