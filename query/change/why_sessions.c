/*
 * why_sessions.c - sessions that ended without a logout: did they rise around the onset, and when?
 *
 * People meet a failing session store as sudden logouts, and those are no errors: a 401 succeeds as far as a server can tell. Lines that show one have session_end = lost
 * (schema/derive.h). Their share of the requests is tested for one step in the hours around the onset, before it or with it. What moved long before the onset is a
 * finding like any other. Where the errors have no onset at all, the same share is searched for one: people who are logged out call, although nothing fails.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

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

/* ---- no onset of errors ---- */

static bool loses_sessions(struct why *y, const struct stream_info *info)
{
    for (uint32_t d = DIM_HOST; d < info->schema->n_dims; d++) {
        for (uint32_t v = VALUE_OVERFLOW + 1; v < snapshot_values(y->s, info->id, d); v++) {
            const struct value_info *x = snapshot_value(y->s, info->id, d, v);
            if (why__is_lost_session(info->schema, d, x->text) && x->count >= LOST_MIN) {
                return true;
            }
        }
    }
    return false;
}

static bool read_counts(struct why *y, struct why *out, const struct why_options *o, struct why_answer *a)
{
    *a = (struct why_answer){.from_us = y->a->from_us, .to_us = y->a->to_us};
    *out = (struct why){.s = y->s, .a = a, .o = o};
    struct lq_error e = {0};
    return why__read_target(out, &e) == LQ_OK;
}

static void free_counts(struct why *y)
{
    free(y->t.num);
    free(y->t.den);
    free(y->t.seen);
    lq_arena_fini(&y->a->mem);
}

/* Lost sessions as a share of the requests of one stream: their onset, if they have one. */
static bool lost_onset(struct why *y, const char *stream, struct incident *out)
{
    struct why_options all = *y->o, some = *y->o;
    struct why_answer a, b;
    struct why every, lost;
    bool found = false;
    all.target = why__printf(y->a, "stream = %s | count", stream);
    some.target = why__printf(y->a, "stream = %s and session_end = lost | count", stream);
    bool ok = read_counts(y, &every, &all, &a);
    if (read_counts(y, &lost, &some, &b) && ok && lost.t.n == every.t.n && lost.t.step_s == every.t.step_s) {
        every.t.kind = TARGET_SHARE;
        for (uint32_t i = 0; i < every.t.n; i++) {
            every.t.den[i] = every.t.num[i];
            every.t.num[i] = lost.t.num[i] < every.t.den[i] ? lost.t.num[i] : every.t.den[i];
        }
        found = why__find_onset(&every);
        if (found) {
            *out = *why__incident(&every);
        }
    }
    free_counts(&every);
    free_counts(&lost);
    return found;
}

void why__sessions_hint(struct why *y)
{
    for (uint32_t i = 0; i < snapshot_streams(y->s); i++) {
        const struct stream_info *info = snapshot_stream(y->s, i);
        struct incident x;
        if (info->lines > 0 && info->schema->kind == STREAM_REQUESTS && loses_sessions(y, info) &&
            lost_onset(y, info->schema->name, &x)) {
            char at[32];
            time_print_utc(x.time_us, at);
            why__notice(y->a, why__printf(y->a,
                                          "but sessions lost without a logout rose: %s of the requests in %s before "
                                          "%s, %s since; what changed before that: --target \"session_end = lost | "
                                          "count\"",
                                          why__percent(y, x.before), info->schema->name, at, why__percent(y, x.after)));
            return;
        }
    }
}
