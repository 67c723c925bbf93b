/*
 * process.h - which processes of a program wrote, day by day: one that took the place of the only one before it was a restart
 *
 *      record.pid --window--> processes of (host, service, day) --flush--> marker database, as a sighting of its own kind --marker_view--> restarts
 *
 * A program that has a process for each connection or job (sshd, cron) is told by having more than PROCESSES_MAX in a day: its record says `many`, and stays
 * so. Union, then that, is commutative: the records are the same for any order of lines. process_view.c decides.
 *
 *      value's text:  for each process, by number: pid, first and last (zigzag), count, as varints; one byte 0 = many
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_STORE_PROCESS_H
#define LQ_STORE_PROCESS_H

#include "store/marker.h"

enum { PROCESSES_MAX = 6, WINDOW_PROGRAMS_MAX = 4096, DAY_PROGRAMS_MAX = 4000 };
#define DAY_US (86400 * US)

struct process {
    uint64_t pid, count;
    int64_t first_us, last_us;
};
struct program { /* on one host, on one day */
    lq_str host, service;
    int64_t day_us;
    uint32_t n; /* PROCESSES_MAX + 1: many */
    struct process p[PROCESSES_MAX];
};

/* A window's, since its last flush. */
struct window_programs {
    struct lq_map ids; /* by the hash of host, service and day */
    struct lq_arena mem;
    struct program *p;
    size_t n, cap, last; /* last: of the line before, often the same program */
    uint64_t overflowed;
};
void window_programs_add(struct window_programs *w, lq_str host, lq_str service, uint64_t pid, int64_t time_us, const struct masker *m, unsigned mask);
void window_programs_clear(struct window_programs *w);
void window_programs_fini(struct window_programs *w);
LQ_MUST enum lq_err programs_put(struct engine_txn *t, const struct window_programs *w, uint64_t *overflowed, struct lq_error *e);

/* As sightings: `text` of s is in `text`. */
void program_encode(const struct program *x, struct lq_buf *text);
bool program_decode(const struct sighted *s, struct program *out);
/* What both say. */
void program_merge(struct program *to, const struct program *from);

/* process_view.c. Sorts p; texts of the restarts are views into it. */
struct process_restart {
    int64_t time_us; /* the first line of the new one */
    lq_str host, service; /* service empty: of the host */
    uint64_t old_pid, new_pid;
    uint32_t programs;
};
struct process_restarts {
    struct process_restart *r; /* malloc'd */
    size_t n, cap;
};
void process_restarts_find(struct program *p, size_t n, struct process_restarts *out);

#endif
