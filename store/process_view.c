/*
 * process_view.c - from the processes of programs to restarts (process.h)
 *
 * A program that is one process, or a few that live long, is told by having been there nearly all the time that it wrote. Where all its processes were
 * replaced by others, after they had lived for a while and written several lines, it was restarted. What has a process for each job covers little of its
 * time; what has one for each connection has many. Where several programs of a host restart together, the host did.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "store/process.h"

enum { LINES_MIN = 8, LINES_AFTER_MIN = 2, HOST_PROGRAMS = 3 };
#define LIFE_MIN_US  (30LL * 60 * US)
#define GAP_MIN_US   (10LL * 60 * US)
#define HOST_WAVE_US (300LL * US)
#define COVERED_MIN  0.8

struct life { /* processes that overlap, one after the other */
    int64_t first_us, last_us;
    uint64_t count, pid; /* pid: of the first */
    uint32_t n;          /* processes */
};

static int by_program(const void *a, const void *b)
{
    const struct program *x = a, *y = b;
    int c = lq_str_cmp(x->host, y->host);
    c = c != 0 ? c : lq_str_cmp(x->service, y->service);
    return c != 0 ? c : x->day_us < y->day_us ? -1 : x->day_us > y->day_us;
}

static int by_first(const void *a, const void *b)
{
    const struct process *x = a, *y = b;
    return x->first_us != y->first_us ? (x->first_us < y->first_us ? -1 : 1) : x->pid < y->pid ? -1 : x->pid > y->pid;
}

/* The processes of all days, in the order of their first lines; one that wrote on several days is several: they touch. n = 0: there are too many of them. */
static size_t all_processes(const struct program *p, size_t n, struct process *out)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i].n > PROCESSES_MAX) {
            return 0;
        }
        for (uint32_t j = 0; j < p[i].n; j++) {
            size_t m = k;
            while (m > 0 && m + 3 * PROCESSES_MAX > k && out[m - 1].pid != p[i].p[j].pid) {
                m--;
            }
            bool again = m > 0 && m + 3 * PROCESSES_MAX > k;
            if (again && out[m - 1].last_us <= p[i].p[j].last_us) {
                out[m - 1].last_us = p[i].p[j].last_us;
                out[m - 1].count += p[i].p[j].count;
            } else {
                out[k++] = p[i].p[j];
            }
        }
    }
    if (k > 1) {
        qsort(out, k, sizeof *out, by_first);
    }
    return k;
}

static size_t lives_of(const struct process *p, size_t n, struct life *out)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (k > 0 && p[i].first_us <= out[k - 1].last_us) {
            struct life *x = &out[k - 1];
            x->last_us = p[i].last_us > x->last_us ? p[i].last_us : x->last_us;
            x->count += p[i].count;
            x->n++;
        } else {
            out[k++] = (struct life){p[i].first_us, p[i].last_us, p[i].count, p[i].pid, 1};
        }
    }
    return k;
}

static void add_restart(struct process_restarts *r, const struct program *p, const struct life *from, const struct life *to)
{
    lq_grow(&r->r, &r->cap, r->n + 1, sizeof *r->r);
    r->r[r->n++] = (struct process_restart){.time_us = to->first_us, .host = p->host, .service = p->service, .old_pid = from->pid, .new_pid = to->pid, .programs = 1};
}

static void judge(struct process_restarts *r, const struct program *p, const struct life *x, size_t n)
{
    int64_t covered = 0;
    for (size_t i = 0; i < n; i++) {
        covered += x[i].last_us - x[i].first_us;
    }
    if (n < 2 || (double)covered < COVERED_MIN * (double)(x[n - 1].last_us - x[0].first_us)) {
        return;
    }
    for (size_t i = 0; i + 1 < n; i++) {
        int64_t life = x[i].last_us - x[i].first_us, gap = x[i + 1].first_us - x[i].last_us, most = life / 4 > GAP_MIN_US ? life / 4 : GAP_MIN_US;
        if (life >= LIFE_MIN_US && x[i].count >= LINES_MIN && x[i + 1].count >= LINES_AFTER_MIN && gap <= most) {
            add_restart(r, p, &x[i], &x[i + 1]);
        }
    }
}

static int by_host_time(const void *a, const void *b)
{
    const struct process_restart *x = a, *y = b;
    int c = lq_str_cmp(x->host, y->host);
    c = c != 0 ? c : x->time_us < y->time_us ? -1 : x->time_us > y->time_us;
    return c != 0 ? c : lq_str_cmp(x->service, y->service);
}

/* Restarts of several programs within minutes: of their host. */
static void join_hosts(struct process_restarts *r)
{
    size_t n = 0;
    if (r->n > 1) {
        qsort(r->r, r->n, sizeof *r->r, by_host_time);
    }
    for (size_t i = 0, k; i < r->n; i = k) {
        for (k = i + 1; k < r->n && lq_str_eq(r->r[k].host, r->r[i].host) && r->r[k].time_us <= r->r[k - 1].time_us + HOST_WAVE_US; k++) {
        }
        if (k - i >= HOST_PROGRAMS) {
            r->r[n] = r->r[i];
            r->r[n].service = (lq_str){"", 0};
            r->r[n++].programs = (uint32_t)(k - i);
        } else {
            for (size_t j = i; j < k; j++) {
                r->r[n++] = r->r[j];
            }
        }
    }
    r->n = n;
}

void process_restarts_find(struct program *p, size_t n, struct process_restarts *out)
{
    *out = (struct process_restarts){0};
    if (n > 1) {
        qsort(p, n, sizeof *p, by_program);
    }
    for (size_t i = 0, k; i < n; i = k) {
        for (k = i + 1; k < n && lq_str_eq(p[k].host, p[i].host) && lq_str_eq(p[k].service, p[i].service); k++) {
        }
        struct process *all = lq_alloc((k - i) * PROCESSES_MAX * sizeof *all);
        struct life *lives = lq_alloc((k - i) * PROCESSES_MAX * sizeof *lives);
        judge(out, &p[i], lives, lives_of(all, all_processes(p + i, k - i, all), lives));
        free(lives);
        free(all);
    }
    join_hosts(out);
}
