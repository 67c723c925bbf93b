/*
 * why.c - the answer, put together (why.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

#include "query/change/why_int.h"

enum {
    NEAR_BEFORE_S = 6 * 3600,
    NEAR_AFTER_S = 6 * 3600,
    NEAR_RECOVERY_S = 1800,
    NEAR_LINES_MAX = 200000,
    HOURS_AROUND = 72,
    FINE_LINES_MAX = 2000000,
    FAR_STEPS = 1000
};

const char *why__printf(struct why_answer *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = lq_arena_alloc(&a->mem, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p;
}

void why__notice(struct why_answer *a, const char *text)
{
    if (a->n_notices < WHY_NOTICES_MAX) {
        a->notices[a->n_notices++] = text;
    }
}

bool why__over(struct why *y)
{
    if (y->over == LQ_OK) {
        y->over = budget_check(&y->o->budget, &y->over_error);
    }
    return y->over != LQ_OK;
}

lq_str why__value(struct why *y, uint32_t stream, uint32_t dim, uint32_t value)
{
    return snapshot_value(y->s, why__info(y, stream)->id, dim, value)->text;
}

void why_fini(struct why_answer *a)
{
    lq_arena_fini(&a->mem);
    memset(a, 0, sizeof *a);
}

/* What is read: everything stored, up to --until. The onset is looked for since --since; causes are looked for as far
 * back as there are lines. */
static enum lq_err range(struct snapshot *s, const struct why_options *o, struct why_answer *a, struct lq_error *e)
{
    int64_t first = INT64_MAX, last = INT64_MIN;
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_info *x = snapshot_stream(s, i);
        if (x->lines > 0) {
            first = x->first_us < first ? x->first_us : first;
            last = x->last_us > last ? x->last_us : last;
        }
    }
    if (first > last) {
        lq_error_set(e, LQ_ENODATA, "there are no lines to look at");
        lq_error_hint(e, "lq why FILE…, or load logs first: lq load FILE…");
        return LQ_ENODATA;
    }
    a->from_us = first;
    a->to_us = o->to_us <= last ? o->to_us : last + 1;
    a->now_us = last;
    if (a->from_us >= a->to_us || (o->from_us != INT64_MIN && o->from_us > last)) {
        char lo[32], hi[32];
        time_print_utc(first, lo);
        time_print_utc(last, hi);
        lq_error_set(e, LQ_EINVAL, "no lines between --since and --until");
        lq_error_hint(e, "the lines reach from %s to %s", lo, hi);
        return LQ_EINVAL;
    }
    if (o->onset_us != INT64_MIN && (o->onset_us < a->from_us || o->onset_us >= a->to_us)) {
        char lo[32], hi[32];
        time_print_utc(a->from_us, lo);
        time_print_utc(a->to_us, hi);
        lq_error_set(e, LQ_EINVAL, "--onset lies outside of the lines");
        lq_error_hint(e, "they reach from %s to %s", lo, hi);
        return LQ_EINVAL;
    }
    return LQ_OK;
}

static void sparkline(struct why *y)
{
    const struct target *t = &y->t;
    for (uint32_t i = 0; i < WHY_SPARK; i++) {
        double s = 0, w = 0;
        uint32_t lo = (uint32_t)((uint64_t)i * t->n / WHY_SPARK), hi = (uint32_t)((uint64_t)(i + 1) * t->n / WHY_SPARK);
        for (uint32_t k = lo; k < (hi > lo ? hi : lo + 1) && k < t->n; k++) {
            s += t->kind == TARGET_VALUE ? t->num[k] * t->den[k] : t->num[k];
            w += t->den[k];
        }
        y->a->spark[i] = w > 0 ? s / w * y->a->unit_scale : -1;
    }
}

/* Days of few lines are read by minutes; weeks of many by hours. Lines are counted, not bytes: the same lines give the
 * same answer however they came. */
static struct grid_options far_options(struct why *y)
{
    const struct why_answer *a = y->a;
    double lines = 0;
    bool minutes = true;
    struct grid_options o = {.from_s = a->from_us / US, .to_s = a->to_us / US + 1, .budget = &y->o->budget};
    for (uint32_t i = 0; i < snapshot_streams(y->s); i++) {
        const struct stream_info *x = snapshot_stream(y->s, i);
        lines += (double)x->lines;
        minutes = minutes && (x->lines == 0 || (x->tier_from_s[TIER_1MIN] != INT64_MAX &&
                                                x->tier_from_s[TIER_1MIN] <=
                                                    (x->first_us > a->from_us ? x->first_us : a->from_us) / US));
    }
    o.tier = minutes && lines <= FINE_LINES_MAX ? TIER_1MIN : TIER_1H;
    if (o.tier == TIER_1MIN) {
        o.step_s = 60;
        static const int64_t nice[] = {60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 14400};
        for (size_t k = 0; k < sizeof nice / sizeof nice[0] && (o.to_s - o.from_s) / o.step_s > FAR_STEPS; k++) {
            o.step_s = nice[k];
        }
    }
    return o;
}

/* How much of the hours around the onset is read: less where there are very many lines, which then say as much. */
static double near_scale(const struct why *y)
{
    double per_s = 0, lines = (double)(NEAR_BEFORE_S + NEAR_AFTER_S);
    for (uint32_t i = 0; i < snapshot_streams(y->s); i++) {
        const struct stream_info *x = snapshot_stream(y->s, i);
        per_s += x->lines > 0 ? (double)x->lines / ((double)(x->last_us - x->first_us) / 1e6 + 1) : 0;
    }
    lines *= per_s;
    return lines <= NEAR_LINES_MAX ? 1 : NEAR_LINES_MAX / lines < 0.4 ? 0.4 : NEAR_LINES_MAX / lines;
}

static struct grid_options near_options(struct why *y)
{
    double scale = near_scale(y);
    const struct incident *x = why__incident(y);
    const struct why_answer *a = y->a;
    int64_t end = x->ongoing ? a->to_us / US + 1 : x->end_us / US + NEAR_RECOVERY_S,
            limit = x->time_us / US + (int64_t)(scale * NEAR_AFTER_S);
    struct grid_options o = {.tier = TIER_1MIN, .step_s = 60, .windows = true, .budget = &y->o->budget};
    o.from_s = x->low_us / US - (int64_t)(scale * NEAR_BEFORE_S);
    o.from_s = o.from_s < a->from_us / US ? a->from_us / US : o.from_s;
    o.to_s = end < limit ? end : limit;
    o.to_s = o.to_s > a->to_us / US + 1 ? a->to_us / US + 1 : o.to_s;
    o.to_s = o.to_s <= x->time_us / US ? x->time_us / US + 60 : o.to_s;
    o.before_to_s = x->low_us / US;
    o.after_from_s = x->time_us / US - x->time_us / US % 60;
    o.after_to_s = x->ongoing ? o.to_s : x->end_us / US;
    return o;
}

static bool minutes_at(const struct why *y, int64_t from_s)
{
    for (uint32_t i = 0; i < snapshot_streams(y->s); i++) {
        const struct stream_info *x = snapshot_stream(y->s, i);
        if (x->lines > 0 && x->last_us / US >= from_s &&
            (x->tier_from_s[TIER_1MIN] == INT64_MAX ||
             (x->tier_from_s[TIER_1MIN] > from_s && x->tier_from_s[TIER_1MIN] > x->first_us / US))) {
            return false;
        }
    }
    return true;
}

static struct grid_options hour_options(struct why *y, struct grid_options o)
{
    const struct why_answer *a = y->a;
    o.tier = TIER_1H;
    o.step_s = tiers[TIER_1H].step_s;
    o.from_s -= HOURS_AROUND * o.step_s;
    o.from_s = o.from_s < a->from_us / US ? a->from_us / US : o.from_s;
    o.to_s += HOURS_AROUND * o.step_s;
    o.to_s = o.to_s > a->to_us / US + 1 ? a->to_us / US + 1 : o.to_s;
    return o;
}

static enum lq_err read_grids(struct why *y, struct lq_error *e)
{
    struct grid_options far = far_options(y), near = near_options(y);
    enum lq_err err = grid_read(y->s, &far, &y->far, e);
    y->target_stream = NO_DIM;
    for (uint32_t i = 0; i < y->far.n_streams && err == LQ_OK; i++) {
        y->target_stream = y->far.streams[i].info->id == y->t.info->id ? i : y->target_stream;
    }
    if (err == LQ_OK && !minutes_at(y, near.from_s)) { /* older than minutes are kept: hours */
        near = hour_options(y, near);
    }
    if (err == LQ_OK) {
        err = grid_read(y->s, &near, &y->near, e);
    }
    y->complains = lq_alloc((y->far.n_streams + 1) * sizeof *y->complains);
    return err;
}

static void copy_onset(const struct incident *x, struct why_onset *o)
{
    *o = (struct why_onset){.time_us = x->time_us,
                            .low_us = x->low_us,
                            .high_us = x->high_us,
                            .end_us = x->end_us,
                            .type = x->type,
                            .ongoing = x->ongoing,
                            .before = x->before,
                            .after = x->after,
                            .p = x->p};
}

static void take_onset(struct why *y)
{
    struct why_answer *a = y->a;
    a->has_onset = true;
    copy_onset(why__incident(y), &a->onset);
    for (uint32_t i = y->n_incidents; i-- > 0;) {
        if (i != y->chosen && a->n_others < WHY_ONSETS_MAX) {
            copy_onset(&y->incidents[i], &a->others[a->n_others++]);
        }
    }
}

static void say_none(struct why *y)
{
    struct why_answer *a = y->a;
    why__notice(
        a, y->t.kind == TARGET_SHARE
               ? why__printf(
                     a, "no onset: the %s did not start to rise; a lasting rise to %.3g %% of %s would have been seen",
                     a->noun, 100 * a->smallest_rise, a->requests_kind ? "requests" : "records")
               : why__printf(a, "no onset: %s did not change; a lasting change to %.3g%s would have been seen", a->noun,
                             a->smallest_rise * a->unit_scale, a->unit));
}

static void say_coverage(struct why *y)
{
    struct why_answer *a = y->a;
    if (a->lines > 0 && a->parsed < a->lines) {
        uint64_t n = a->lines - a->parsed;
        why__notice(a, why__printf(a, "%llu of %llu lines %s no format (stream unparsed)", (unsigned long long)n,
                                   (unsigned long long)a->lines, n == 1 ? "matches" : "match"));
    }
}

/* What was found with a budget that is spent is no answer. */
static enum lq_err spent(const struct why *y, struct lq_error *e)
{
    if (y->over != LQ_OK && e != NULL) {
        *e = y->over_error;
    }
    return y->over;
}

static enum lq_err explain(struct why *y, struct lq_error *e)
{
    static void (*const parts[])(struct why *) = {
        why__find_where,      why__find_events,  why__far_findings, why__near_findings, why__place_findings, why__volume_findings,
        why__accept_findings, why__place_surges, why__rank,         why__impact,        why__sessions};
    struct why_answer *a = y->a;
    enum lq_err err = read_grids(y, e);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && err == LQ_OK; i++) {
        if (!why__over(y)) {
            parts[i](y);
        }
        err = spent(y, e);
    }
    if (err != LQ_OK) {
        return err;
    }
    if (a->n_suspects == 0) {
        why__notice(a, "nothing in these logs changed before it started");
    } else if (strcmp(a->suspects[0].confidence, "low") == 0) {
        why__notice(a, "no recorded change explains it");
    }
    return LQ_OK;
}

enum lq_err why_run(struct snapshot *s, const struct why_options *o, struct why_answer *a, struct lq_error *e)
{
    struct why y = {.s = s, .a = a, .o = o};
    memset(a, 0, sizeof *a);
    a->identities = UINT64_MAX;
    a->lines = snapshot_counter(s, "lines");
    a->parsed = snapshot_counter(s, "parsed");
    enum lq_err err = range(s, o, a, e);
    if (err == LQ_OK) {
        err = why__read_target(&y, e);
    }
    if (err == LQ_OK) {
        a->stream = why__printf(a, "%s", y.t.info->schema->name);
        sparkline(&y);
        why__silence(&y);
        bool found = why__find_onset(&y);
        err = spent(&y, e);
        if (found && err == LQ_OK) {
            why__target_at(&y, why__incident(&y)->time_us + 60 * US);
            take_onset(&y);
            err = explain(&y, e);
        } else if (err == LQ_OK) {
            say_none(&y);
            if (o->target == NULL) {
                why__streams_hint(&y);
                why__sessions_hint(&y);
            }
            err = spent(&y, e);
        }
        say_coverage(&y);
    }
    if (err == LQ_OK) {
        err = snapshot_check(s, e);
    }
    for (uint32_t i = 0; y.complains != NULL && i < y.far.n_streams; i++) {
        free(y.complains[i]);
    }
    free(y.complains);
    free(y.findings);
    free(y.t.num);
    free(y.t.den);
    free(y.t.seen);
    grid_fini(&y.far);
    grid_fini(&y.near);
    if (err != LQ_OK) {
        why_fini(a);
    }
    return err;
}
