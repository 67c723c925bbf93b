/*
 * why_sessions.c - sessions that ended without a logout: did they rise around the onset, and when?
 *
 * People meet a failing session store as sudden logouts, and those are no errors: a 401 succeeds as far as a server can tell. Lines that show one have session_end = lost
 * (schema/derive.h). Their share of the requests is tested for one step in the hours around the onset, before it or with it. What moved long before the onset is a
 * finding like any other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/change/why_int.h"

#define SESSIONS_P    1e-3
#define SESSIONS_RISE 1.5
enum { LOST_MIN = 10 };

bool why__is_lost_session(const struct stream_schema *s, uint32_t dim, lq_str value)
{
    return dim != NO_DIM && strcmp(s->dims[dim], "session_end") == 0 && lq_str_is(value, "lost");
}

/* The rise in one stream; false: none. */
static bool rise_of(struct why *y, uint32_t stream, struct why_sessions *out)
{
    const struct grid_stream *st = &y->near.streams[stream];
    const struct incident *x = why__incident(y);
    const struct grid_series *lost = NULL;
    for (uint32_t k = 0; k < st->n_series; k++) {
        const struct grid_series *g = &st->series[k];
        lost = why__is_lost_session(st->info->schema, g->dim, why__value(y, stream, g->dim, g->value)) ? g : lost;
    }
    struct split c;
    if (lost == NULL || !why__split(lost->count, st->total.count, true, y->near.steps, 1, y->near.steps - 1, &c) ||
        c.p > SESSIONS_P || c.after < SESSIONS_RISE * c.before) {
        return false;
    }
    *out = (struct why_sessions){.stream = why__printf(y->a, "%s", st->info->schema->name),
                                 .time_us = grid_time_us(&y->near, c.at),
                                 .low_us = grid_time_us(&y->near, c.low),
                                 .high_us = grid_time_us(&y->near, c.high + 1),
                                 .before = c.before,
                                 .after = c.after,
                                 .p = c.p};
    uint32_t end = x->ongoing ? y->near.steps : grid_step(&y->near, x->end_us);
    double n = 0;
    for (uint32_t t = c.at; t < end; t++) {
        n += (double)lost->count[t];
    }
    out->lost = (uint64_t)n;
    return out->lost >= LOST_MIN;
}

void why__sessions(struct why *y)
{
    for (uint32_t i = 0; i < y->near.n_streams; i++) {
        struct why_sessions s;
        bool nearest = i == y->target_stream;
        if (y->near.steps >= 8 && rise_of(y, i, &s) &&
            (nearest || y->a->sessions.stream == NULL || s.lost > y->a->sessions.lost)) {
            y->a->sessions = s;
            if (nearest) {
                return;
            }
        }
    }
}
