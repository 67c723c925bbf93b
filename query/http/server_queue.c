/*
 * server_queue.c - jobs that wait for a worker, and which of them is next (server.h)
 *
 * A list: those that wait for no question at its head, the others as they came. While the server is pressed and questions have had their share of processor time
 * (pace.h), or one is being answered, they are passed over - pushed lines and markers behind them are not - until there is time again, or the oldest has waited for
 * `hold_us_max`.
 * No worker is held up by that: it sleeps until something else comes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <poll.h>
#include <time.h>

#include "query/http/server_int.h"
#include "schema/timefmt.h"

int64_t http__thread_us(void)
{
    struct timespec t;
    return clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0 ? (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 : 0;
}

/* A question: it reads, and is not one of the short ones. */
static bool is_question(const struct http_job *j)
{
    return j->route->scope == HTTP_READ && !j->first;
}

static void unlink_job(struct http_server *s, struct http_job **at)
{
    struct http_job *j = *at;
    *at = j->next;
    s->tail = j->next == NULL ? at : s->tail;
    s->waiting -= !j->first;
}

/* With the lock held: the next that may be run. NULL: none, *wait_us says when there may be one; INT64_MAX = when one comes. */
static struct http_job *pick(struct http_server *s, int64_t now_us, int64_t *wait_us)
{
    bool asked = false, held = false;
    *wait_us = INT64_MAX;
    for (struct http_job **at = &s->head; *at != NULL; at = &(*at)->next) {
        struct http_job *j = *at;
        bool question = s->o.pressed != NULL && is_question(j);
        if (question && !asked) { /* the oldest of them */
            bool pressed = s->o.pressed(s->o.pressed_ctx);
            atomic_store(&s->is_pressed, pressed);
            int64_t pace = http_pace_wait(&s->pace, now_us, s->spent_us, pressed), most = j->queued_us + s->hold_us_max - now_us;
            pace = pressed && s->questions > 0 && pace == 0 ? HOLD_STEP_US : pace;
            *wait_us = pace < most ? pace : most;
            asked = true;
            held = *wait_us > 0 && !s->ending;
        }
        if (question && held) {
            j->held_us = j->held_us > 0 ? j->held_us : now_us;
            continue;
        }
        unlink_job(s, at);
        s->questions += is_question(j);
        if (j->held_us > 0) {
            atomic_fetch_add(&s->paced, 1);
            atomic_fetch_add(&s->paced_us, (uint64_t)(now_us - j->held_us));
        }
        return j;
    }
    return NULL;
}

struct http_job *http__next(struct http_server *s)
{
    for (;;) {
        int64_t now = clock_monotonic_us(), wait_us;
        bool pressed = atomic_load(&s->is_pressed);
        struct http_job *j = pick(s, now, &wait_us);
        if (j != NULL) {
            if (s->head != NULL && (pressed || atomic_load(&s->is_pressed))) {
                pthread_cond_signal(&s->more); /* another worker looks at the rest, and at the clock; else each that came has woken one */
            }
            return j;
        }
        if (s->ending) {
            return NULL;
        }
        if (wait_us == INT64_MAX) {
            pthread_cond_wait(&s->more, &s->lock);
        } else {
            int64_t then = now + (wait_us > HOLD_STEP_US ? HOLD_STEP_US : wait_us);
            struct timespec t = {then / 1000000, then % 1000000 * 1000};
            pthread_cond_timedwait(&s->more, &s->lock, &t);
        }
    }
}

static void spent(struct http_server *s, const struct http_job *j, int64_t us)
{
    s->spent_us += is_question(j) ? us : 0;
}

void http__ran(struct http_server *s, const struct http_job *j, int64_t us)
{
    s->questions -= is_question(j);
    spent(s, j, us);
}

/* With the lock held: those that wait and whose clients have left make room. */
static void sweep(struct http_server *s)
{
    struct http_job **at = &s->head;
    while (*at != NULL) {
        struct http_job *j = *at;
        struct pollfd p = {.fd = j->fd, .events = POLLRDHUP};
        if (poll(&p, 1, 0) > 0 && p.revents != 0) {
            unlink_job(s, at);
            atomic_fetch_add(&s->stopped, 1);
            http__done(j);
        } else {
            at = &j->next;
        }
    }
}

bool http__enqueue(struct http_server *s, struct http_job *j)
{
    bool room;
    int64_t cpu = atomic_load(&s->is_pressed) ? http__thread_us() : 0; /* else nobody asks what it costs, and asking costs, too */
    pthread_mutex_lock(&s->lock);
    spent(s, j, cpu > 0 && s->loop_us > 0 ? cpu - s->loop_us : 0); /* what this thread did since the last job: to read this one, and to send answers */
    s->loop_us = cpu;
    if (s->waiting >= s->o.jobs_max) {
        sweep(s);
    }
    room = !s->ending && (s->waiting < s->o.jobs_max || j->first); /* workers that have ended would leave it suspended */
    if (room) {
        j->state = JOB_QUEUED;
        j->queued_us = clock_monotonic_us();
        MHD_suspend_connection(j->connection);
        j->next = j->first ? s->head : NULL;
        if (j->first) {
            s->head = j;
        } else {
            *s->tail = j;
        }
        s->tail = j->next == NULL ? &j->next : s->tail;
        s->waiting += !j->first;
        pthread_cond_signal(&s->more);
    }
    pthread_mutex_unlock(&s->lock);
    return room;
}
