/*
 * why_events.c - releases, restarts and rollbacks, from the versions that logs mention; and markers
 *
 * A version value is mentioned when a program starts. Mentions less than an hour apart are one wave over the hosts. The first wave of a value is its
 * release; a later one is a restart, or a rollback when another version was mentioned in between.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "query/change/why_int.h"

enum { WAVE_GAP_S = 3600, STEADY_SHARE = 4 };

static void add_event(struct why *y, struct event e)
{
    if (y->n_events < EVENTS_MAX) {
        y->events[y->n_events++] = e;
    }
}

/* Hosts of the series that carry this version. */
static const char *hosts_of(struct why *y, const struct grid_stream *st, uint32_t dim, uint32_t value)
{
    struct lq_buf b = {0};
    uint32_t seen[64], k = 0;
    for (uint32_t i = 0; i < snapshot_n_series(y->s, st->info->id); i++) {
        const uint32_t *ids = snapshot_series(y->s, st->info->id, i);
        bool known = ids[dim] != value || ids[DIM_HOST] == VALUE_ABSENT;
        for (uint32_t j = 0; j < k && !known; j++) {
            known = seen[j] == ids[DIM_HOST];
        }
        if (!known && k < 64) {
            lq_str h = why__value(y, st, DIM_HOST, ids[DIM_HOST]);
            seen[k++] = ids[DIM_HOST];
            lq_buf_printf(&b, "%s%.*s", b.n > 0 ? ", " : "", (int)h.n, h.p);
        }
    }
    const char *out = why__printf(y->a, "%.*s", (int)b.n, b.n > 0 ? b.p : "");
    lq_buf_fini(&b);
    return out;
}

static void versions_of(struct why *y, const struct grid_stream *st)
{
    for (uint32_t i = 0; i < st->n_series; i++) {
        const struct grid_series *x = &st->series[i];
        if (x->dim != DIM_VERSION) {
            continue;
        }
        const struct value_info info = *snapshot_value(y->s, st->info->id, DIM_VERSION, x->value);
        const char *name = why__printf(y->a, "%.*s", (int)info.text.n, info.text.p), *hosts = hosts_of(y, st, DIM_VERSION, x->value);
        uint32_t gap = (uint32_t)(WAVE_GAP_S / y->g.step_s) + 1, last = UINT32_MAX, used = 0;
        for (uint32_t t = 0; t < y->g.steps; t++) {
            used += x->count[t] > 0;
        }
        bool steady = used > y->g.steps / STEADY_SHARE; /* carried by every line: only its first appearance is an event */
        for (uint32_t t = 0; t < y->g.steps; t++) {
            if (x->count[t] <= 0) {
                continue;
            }
            if (last == UINT32_MAX || (!steady && t - last > gap)) {
                int64_t at = last == UINT32_MAX ? info.first_us : grid_time_us(&y->g, t);
                add_event(y, (struct event){.kind = last == UINT32_MAX ? EVENT_RELEASE : EVENT_RESTART, .time_us = at, .end_us = at, .name = name, .hosts = hosts,
                                            .stream = st, .dim = DIM_VERSION, .value = x->value});
            }
            if (y->n_events > 0 && !steady) {
                y->events[y->n_events - 1].end_us = grid_time_us(&y->g, t + 1);
            }
            last = t;
        }
    }
}

static bool take_marker(void *ctx, const struct marker *m)
{
    struct why *y = ctx;
    struct event e = {.kind = lq_str_is(m->kind, "release") ? EVENT_RELEASE : lq_str_is(m->kind, "rollback") ? EVENT_ROLLBACK : lq_str_is(m->kind, "restart") ? EVENT_RESTART : EVENT_MARKER,
                      .time_us = m->time_us, .end_us = m->time_us};
    e.name = why__printf(y->a, "%.*s", (int)m->name.n, m->name.p);
    e.hosts = why__printf(y->a, "%.*s", (int)m->host.n, m->host.p);
    add_event(y, e);
    return true;
}

static int by_time(const void *a, const void *b)
{
    const struct event *x = a, *z = b;
    return x->time_us != z->time_us ? (x->time_us < z->time_us ? -1 : 1) : strcmp(x->name, z->name);
}

void why__find_events(struct why *y)
{
    for (uint32_t i = 0; i < y->g.n_streams; i++) {
        versions_of(y, &y->g.streams[i]);
    }
    if (snapshot_markers(y->s, y->a->from_us, y->a->to_us, take_marker, y, NULL) != LQ_OK) {
        y->a->notices[y->a->n_notices++] = "markers could not be read";
    }
    if (y->n_events > 1) {
        qsort(y->events, y->n_events, sizeof *y->events, by_time);
    }
    const char *running = NULL;
    for (uint32_t i = 0; i < y->n_events; i++) { /* a version that comes back after another is a rollback */
        struct event *e = &y->events[i];
        if (e->kind == EVENT_RESTART && running != NULL && strcmp(running, e->name) != 0) {
            e->kind = EVENT_ROLLBACK;
        }
        running = e->kind == EVENT_MARKER ? running : e->name;
    }
}
