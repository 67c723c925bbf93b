/*
 * why_deeds.c - messages that report what people or programs did
 *
 * By their words (why_words.c) where they are rare; and whatever their words are where they are seldom: a message that
 * complains of nothing, that each host says once or a few times in all these days. A setting, a flag, a zone, a rule is
 * changed now and then, each time with another name or number, so a message and its variants (the same words but one or
 * two) count together. Where seldom messages come more than a few times a day (free text, names in messages) they say
 * nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "query/change/why_events.h"

enum { EACH_WAVE_MAX = 12, DEED_PER_DAY = 6, SELDOM_PER_DAY = 6, SELDOM_WAVES = 5, THEN_S = 900, GOES_ON = 6 };

static double hosts_of(const struct grid_stream *st)
{
    double n = 0;
    for (uint32_t i = 0; i < st->n_series; i++) {
        n += st->series[i].dim == DIM_HOST;
    }
    return n > 1 ? n : 1;
}

/* A message that reports a deed: each wave of one that is rare, the last wave before the onset of others. */
static void deeds_of(struct why *y, uint32_t stream)
{
    const struct grid_stream *st = &y->far.streams[stream];
    double days = (double)y->far.steps * (double)y->far.step_s / 86400, hosts = hosts_of(st);
    struct wave w[WAVES_MAX];
    for (uint32_t i = 0; i < st->n_series; i++) {
        const struct grid_series *x = &st->series[i];
        enum event_kind kind;
        uint32_t used;
        double count = 0, errors = 0;
        if (!why__is_template(st->info->schema, x->dim)) {
            continue;
        }
        const struct value_info info = *snapshot_value(y->s, st->info->id, x->dim, x->value);
        if (!why__event_words(info.text, &kind)) {
            continue;
        }
        bool complains = why__complains(y, stream, x->value) > 0, cause = why__cause_words(info.text) != NULL;
        for (uint32_t t = 0; t < y->far.steps; t++) {
            count += (double)x->count[t];
            errors += (double)x->errors[t];
        }
        uint32_t n = why__waves(&y->far, x, kind == EVENT_RESTART || kind == EVENT_RELEASE ? WAVE_GAP_S : NEAR_GAP_S, w,
                                WAVES_MAX, &used);
        if (n == 0 || n > WAVES_MAX || n > 3 + DEED_PER_DAY * days || errors * 2 > count ||
            used > 4 + y->far.steps / 8 || (kind == EVENT_JOB && (complains || cause)) ||
            (complains && (cause || count > GOES_ON * n * hosts))) {
            continue; /* "rotation skipped, disk nearly full": a complaint; a deed is said when it is done */
        }
        for (uint32_t k = 0; k < n; k++) {
            int64_t at = k == 0 && w[0].from > 0 ? info.first_us : grid_time_us(&y->far, w[k].from);
            bool last = grid_time_us(&y->far, w[k].from) <= why__incident(y)->high_us &&
                        (k + 1 == n || grid_time_us(&y->far, w[k + 1].from) > why__incident(y)->high_us);
            bool each = n <= EACH_WAVE_MAX && kind != EVENT_JOB;
            if ((!last && !each) || why__at_start(st->info, at)) {
                continue;
            }
            struct event e = {.kind = kind,
                              .time_us = at,
                              .end_us = grid_time_us(&y->far, w[k].to + 1),
                              .stream = stream,
                              .dim = x->dim,
                              .value = x->value,
                              .waves = n};
            e.end_us = e.end_us > at + ROLL_MAX_S * US ? at + ROLL_MAX_S * US : e.end_us;
            e.name = "";
            e.text = why__printf(y->a, "%.*s", (int)info.text.n, info.text.p);
            why__add_event(y, e);
        }
    }
}

static lq_str next_word(lq_str *rest)
{
    size_t i = 0, j;
    while (i < rest->n && rest->p[i] == ' ') {
        i++;
    }
    for (j = i; j < rest->n && rest->p[j] != ' '; j++) {
    }
    lq_str w = {rest->p + i, j - i};
    *rest = (lq_str){rest->p + j, rest->n - j};
    return w;
}

/* The same words but one or two: a name or a number that was not masked. */
static bool is_variant(lq_str a, lq_str b)
{
    uint32_t words = 0, differ = 0;
    lq_str x, z;
    do {
        x = next_word(&a);
        z = next_word(&b);
        words += x.n > 0;
        differ += !lq_str_eq(x, z);
    } while (x.n > 0 && z.n > 0);
    return differ <= (words > 4 ? 2 : 1);
}

static double series_count(const struct grid *g, const struct grid_series *x)
{
    double n = 0;
    for (uint32_t t = 0; t < g->steps; t++) {
        n += (double)x->count[t];
    }
    return n;
}

/* How often the other messages that have the same words but one or two were said; more than `most`: too often. */
static uint32_t variants_said(struct why *y, const struct grid_stream *st, const struct grid_series *of, uint32_t most,
                              double hosts)
{
    lq_str text = snapshot_value(y->s, st->info->id, of->dim, of->value)->text;
    uint32_t n = 0;
    for (uint32_t i = 0; i < st->n_series && n <= most; i++) {
        const struct grid_series *x = &st->series[i];
        if (x->dim == of->dim && x->value != of->value &&
            is_variant(text, snapshot_value(y->s, st->info->id, x->dim, x->value)->text)) {
            struct wave w[WAVES_MAX];
            uint32_t used;
            uint32_t waves = why__waves(&y->far, x, NEAR_GAP_S, w, most < WAVES_MAX ? most + 1 : WAVES_MAX, &used);
            n += series_count(&y->far, x) > waves * hosts ? most + 1 : waves;
        }
    }
    return n;
}

/* What a seldom message is an event for: it complains of nothing, or it names a cause, once, just before the errors. */
static bool no_complaint(struct why *y, uint32_t stream, const struct grid_series *x, const struct value_info *info,
                         double errors, bool once)
{
    int complains = why__complains(y, stream, x->value);
    bool cause = why__cause_words(info->text) != NULL,
         complaint = complains > 0 || errors > 0 || (complains < 0 && cause);
    int64_t lead = why__incident(y)->low_us - info->first_us;
    return !complaint || (once && cause && lead < THEN_S * US && info->first_us <= why__incident(y)->time_us);
}

/* The last time before the onset that a message was said which is seldom said; false: it is none. */
static bool seldom(struct why *y, uint32_t stream, const struct grid_series *x, double hosts, struct event *out)
{
    const struct grid_stream *st = &y->far.streams[stream];
    const struct value_info info = *snapshot_value(y->s, st->info->id, x->dim, x->value);
    enum event_kind kind;
    struct wave w[WAVES_MAX];
    double days = (double)y->far.steps * (double)y->far.step_s / 86400, count = 0, errors = 0;
    uint32_t used, most = SELDOM_WAVES + (uint32_t)days, n, last = 0;
    most = most < WAVES_MAX - 1 ? most : WAVES_MAX - 1;
    n = why__waves(&y->far, x, NEAR_GAP_S, w, most, &used);
    if (n == 0 || n > most || why__event_words(info.text, &kind)) {
        return false;
    }
    for (uint32_t t = w[0].from; t <= w[n - 1].to; t++) {
        count += (double)x->count[t];
        errors += (double)x->errors[t];
    }
    while (last + 1 < n && grid_time_us(&y->far, w[last + 1].from) <= why__incident(y)->high_us) {
        last++;
    }
    int64_t at = last == 0 ? info.first_us : grid_time_us(&y->far, w[last].from);
    if (count > n * hosts || !no_complaint(y, stream, x, &info, errors, n == 1) || why__at_start(st->info, at)) {
        return false;
    }
    if (n + variants_said(y, st, x, most, hosts) > most) {
        return false;
    }
    *out = (struct event){.kind = EVENT_ONCE,
                          .time_us = at,
                          .end_us = n == 1 ? info.last_us : grid_time_us(&y->far, w[last].to + 1),
                          .stream = stream,
                          .dim = x->dim,
                          .value = x->value,
                          .waves = n,
                          .name = ""};
    out->text = why__printf(y->a, "%.*s", (int)info.text.n, info.text.p);
    return true;
}

static void seldom_said(struct why *y, uint32_t stream)
{
    const struct grid_stream *st = &y->far.streams[stream];
    double days = (double)y->far.steps * (double)y->far.step_s / 86400, hosts = hosts_of(st), said[2] = {0, 0};
    uint32_t first = y->n_events, kept = first;
    days = days > 1 ? days : 1; /* what is seldom in a day may all be done in its half */
    for (uint32_t i = 0; i < st->n_series; i++) {
        struct event e;
        if (why__is_template(st->info->schema, st->series[i].dim) && seldom(y, stream, &st->series[i], hosts, &e)) {
            why__add_event(y, e);
            said[e.waves > 1] += e.waves;
        }
    }
    bool once = said[0] <= 2 + SELDOM_PER_DAY * days, both = said[0] + said[1] <= 2 + SELDOM_PER_DAY * days;
    for (uint32_t i = first; i < y->n_events; i++) {
        if (both || (once && y->events[i].waves == 1)) {
            y->events[kept++] = y->events[i];
        }
    }
    y->n_events = kept;
}

void why__find_deeds(struct why *y)
{
    for (uint32_t i = 0; i < y->far.n_streams; i++) {
        deeds_of(y, i);
    }
    for (uint32_t i = 0; i < y->far.n_streams; i++) {
        seldom_said(y, i);
    }
}
