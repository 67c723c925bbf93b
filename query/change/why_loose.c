/*
 * why_loose.c - changes that belong to no event: those that begin together are one suspect, named by the one that says
 * most about a cause
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/why_rank.h"

enum { LOOSE_MAX = 2048, TOGETHER_S = 180, SHOWN = 6, WIDE_S = 3 * 3600 };
#define GOES_ON 0.3 /* a trend, of a warning that came new and stays until a slow rise */

/* "Request failed", and no more: the incident in the program's own words. */
static bool only_failure(const struct finding *f)
{
    return f->message && f->cause == NULL && why__only_failure_words(f->text);
}

/* It says only that something fails, how many lines that makes, what is answered, or how long that takes. */
static bool bare(const struct why *y, const struct finding *f)
{
    bool answered =
             f->at_onset && f->dim != NO_DIM && strcmp(why__info(y, f->stream)->schema->dims[f->dim], "status") == 0,
         took = f->at_onset && f->near && f->metric == METRIC_MEASURE,
         lines = f->dim == NO_DIM && f->metric == METRIC_COUNT && f->shape != FINDING_SURGE;
    return only_failure(f) || answered || took || lines;
}

/* How many lines a log has, or a host or a logger writes of them: what its messages say explains it. */
static bool line_share(const struct why *y, const struct finding *f)
{
    bool lines = f->dim == NO_DIM && f->metric == METRIC_COUNT && f->shape == FINDING_STEP;
    return (lines || (f->metric == METRIC_SHARE && !f->message && f->dim != NO_DIM)) &&
           why__info(y, f->stream)->schema->kind != STREAM_REQUESTS &&
           strcmp(why__info(y, f->stream)->schema->name, "unparsed") != 0;
}

/* A slow rise in the program's own words: seen first when there were enough failures. */
static bool rise_in_words(const struct why *y, const struct finding *f)
{
    return why__slow(y) && f->message && f->failing && f->time_us >= why__incident(y)->low_us;
}

static bool warns(const struct why *y, const struct finding *f)
{
    return f->message && !f->failing && why__complains(y, f->stream, f->value) > 0;
}

/* A new message that warns, and fails not: it comes more and more; or it goes on into a slow rise. */
static double warns_more(const struct why *y, const struct finding *f)
{
    if (!warns(y, f)) {
        return 0;
    }
    double x = 0.7 * why__grows(y, f);
    return why__slow(y) && x < GOES_ON ? GOES_ON : x;
}

/* How much a finding says about a cause: messages that name one, silence and floods before what may be the failure
 * itself. */
static double says(const struct why *y, const struct finding *f)
{
    bool unparsed = strcmp(why__info(y, f->stream)->schema->name, "unparsed") == 0;
    double lead = f->at_onset || !f->near ? 0 : 0.4;
    if (f->shape == FINDING_SILENCE) {
        return 3;
    }
    if (f->shape == FINDING_SURGE) {
        return f->stat > 1.05 ? 2.8 : 2.2;
    }
    if (f->metric == METRIC_IDENTITIES) {
        return 3;
    }
    if (f->message) {
        double x = f->shape == FINDING_NEW ? 2.0 : f->shape == FINDING_GONE ? 0.8 : 1.5;
        x -= only_failure(f) || rise_in_words(y, f) ? 0.9 : 0;
        x += f->shape == FINDING_NEW && warns_more(y, f) > 0 ? 0.3 : 0;
        return x + (f->cause != NULL ? 0.8 : 0) + (f->after > f->before ? lead : 0) - (unparsed ? 0.3 : 0);
    }
    if (f->dim == NO_DIM && f->metric == METRIC_COUNT) {
        return unparsed ? 2.1 : 0.5;
    }
    switch (f->shape) {
    case FINDING_NEW:
        return 2.2 * f->stat + lead;
    case FINDING_GONE:
        return 1.5;
    case FINDING_RENAME:
        return 0.8;
    default:
        if (f->metric == METRIC_MEASURE) {
            return (f->dim != NO_DIM ? 1.5 : 1.2) + lead; /* of one host says more than of all */
        }
        return (f->metric == METRIC_ERRORS ? 1.4 : line_share(y, f) ? 1.0 : 1.6) + lead;
    }
}

static bool usable(const struct finding *f)
{
    bool presence = f->shape == FINDING_NEW || f->shape == FINDING_GONE || f->shape == FINDING_SILENCE ||
                    f->shape == FINDING_RENAME || f->shape == FINDING_SURGE;
    return f->accepted && f->event < 0 && !f->level_only && !f->routine && (presence || why__strength(f) > 0.1) &&
           !(f->message && f->shape == FINDING_GONE);
}

/* The answer's own axis: a share, a rate or a mean in each of its cells. */
void why__spark(struct why *y, const struct finding *f, struct why_suspect *s)
{
    const struct grid_stream *st = &y->far.streams[f->stream];
    const struct grid_series *x = f->dim == NO_DIM || f->metric == METRIC_IDENTITIES ? &st->total : NULL;
    for (uint32_t i = 0; i < st->n_series && x == NULL; i++) {
        x = st->series[i].dim == f->dim && st->series[i].value == f->value ? &st->series[i] : NULL;
    }
    if (x == NULL || f->metric == METRIC_IDENTITIES ||
        (f->metric == METRIC_MEASURE && x->log_sum[f->measure] == NULL)) {
        return;
    }
    for (uint32_t i = 0; i < WHY_SPARK; i++) {
        double a = 0, b = 0;
        uint32_t lo = (uint32_t)((uint64_t)i * y->far.steps / WHY_SPARK),
                 hi = (uint32_t)((uint64_t)(i + 1) * y->far.steps / WHY_SPARK);
        for (uint32_t t = lo; t < (hi > lo ? hi : lo + 1) && t < y->far.steps; t++) {
            a += f->metric == METRIC_MEASURE  ? x->log_sum[f->measure][t] / GRID_LOG_UNIT
                 : f->metric == METRIC_ERRORS ? (double)x->errors[t]
                                              : (double)x->count[t];
            b += f->metric == METRIC_MEASURE  ? (double)x->log_n[f->measure][t]
                 : f->metric == METRIC_ERRORS ? (double)x->count[t]
                 : f->metric == METRIC_SHARE  ? (double)st->total.count[t]
                                              : 1;
        }
        s->spark[i] = b > 0 ? a / b : -1;
        s->spark[i] = f->metric == METRIC_MEASURE && b > 0 ? expm1(s->spark[i]) : s->spark[i];
    }
    const struct stream_schema *schema = st->info->schema;
    const char *what = f->metric == METRIC_MEASURE       ? schema->measures[f->measure].name
                       : f->metric == METRIC_ERRORS      ? "errors"
                       : f->metric == METRIC_SHARE       ? "share"
                       : schema->kind == STREAM_REQUESTS ? "requests"
                                                         : "lines";
    lq_str v = f->dim != NO_DIM ? why__value(y, f->stream, f->dim, f->value) : lq_str_of(schema->name);
    s->spark_text = f->message ? why__printf(y->a, "\"%.*s%s\"", (int)(v.n < 40 ? v.n : 40), v.p, v.n > 40 ? "…" : "")
                               : why__printf(y->a, "%s of %.*s", what, (int)(v.n < 40 ? v.n : 40), v.p);
}

static double closeness(const struct why *y, const struct finding *f)
{
    const struct incident *x = why__incident(y);
    int64_t gap = x->low_us - f->time_us;
    double days = (double)(gap < 0 ? 0 : gap) / 86400e6, close = exp(-(double)(gap < 0 ? 0 : gap) / 1e6 / AT_ONCE_S),
           rest = 0.04 + 0.1 * exp(-days / 3);
    if (why__slow(y) ||
        x->high_us - x->low_us > WIDE_S * US) { /* the wider the interval, the less it says to lie within */
        double known = (double)(x->high_us - x->low_us) / 8e6;
        close *= (f->time_us > x->time_us ? why__start_at(y, f->time_us) : 1) * AT_ONCE_S / (AT_ONCE_S + known);
    }
    return close > rest ? close : rest;
}

/* The errors concentrate on the very value. */
static double concentration(const struct why *y, const struct why_suspect *s)
{
    for (uint32_t i = 0; i < y->a->n_where; i++) {
        const struct why_where *w = &y->a->where[i];
        for (int k = 0; k < 2; k++) {
            if (w->subject.value[k] != NULL && s->subject.value[0] != NULL &&
                strcmp(w->subject.value[k], s->subject.value[0]) == 0 &&
                strcmp(w->subject.dim[k], s->subject.dim[0]) == 0) {
                return w->share;
            }
        }
    }
    return 0;
}

/* A message that comes almost only from the host where the errors are. */
static double same_host(struct why *y, const struct finding *f)
{
    const struct why_where *w = y->a->n_where > 0 ? &y->a->where[0] : NULL;
    const struct grid_stream *st = &y->near.streams[f->stream];
    double there = 0, all = 0;
    if (w == NULL || !f->message || w->subject.value[1] != NULL || strcmp(w->subject.dim[0], "host") != 0) {
        return 0;
    }
    for (uint32_t i = 0; i < st->n_windows; i++) {
        const uint32_t *ids = snapshot_series(y->s, st->info->id, i);
        double n = (double)st->windows[i].count[0] + (double)st->windows[i].count[1];
        if (n > 0 && ids[f->dim] == f->value) {
            all += n;
            there += lq_str_is(why__value(y, f->stream, DIM_HOST, ids[DIM_HOST]), w->subject.value[0]) ? n : 0;
        }
    }
    return all >= 3 && there > 0.9 * all ? w->share * there / all : 0;
}

static void lead_text(struct why *y, struct why_suspect *s, const struct finding *f)
{
    int64_t gap = why__incident(y)->time_us - f->time_us;
    if (f->at_onset && gap < 120 * US) {
        why__add_evidence(s, f->metric == METRIC_IDENTITIES
                                 ? "in the hour of the onset"
                                 : "it came with the errors, so it may be their cause or their effect");
    } else {
        why__add_evidence(
            s, why__printf(y->a, "it began %s %s the errors started", why__lead(y, gap), gap < 0 ? "after" : "before"));
    }
}

static void terms_of(const struct why *y, struct why_suspect *s, const struct finding *f)
{
    double x = why__strength(f), *t = s->terms, usual = f->shape == FINDING_NEW ? (f->near ? f->stat : 1) : 0;
    bool within = why__slow(y) && f->metric == METRIC_MEASURE && f->time_us <= why__incident(y)->time_us,
         trend = f->shape == FINDING_TREND && (!f->near || within), traffic = f->metric == METRIC_SHARE && !f->message;
    t[WHY_NOVELTY] = usual > t[WHY_NOVELTY] ? usual : t[WHY_NOVELTY];
    x *= trend ? (traffic ? 0.4 : 0.7) * (f->message ? why__leads(y, f) : 1) : f->near ? 0.3 : 0.2;
    if (f->shape == FINDING_SURGE) {
        x = log(f->after / (f->before + 1e-9)) / log(3);
        x = 0.9 * (x > 1 ? 1 : x < 0 ? 0 : x);
    } else if (f->shape == FINDING_SILENCE || f->shape == FINDING_RENAME || f->shape == FINDING_GONE ||
               f->shape == FINDING_NEW || (f->at_onset && !(within && trend))) {
        x = 0;
    }
    x = f->shape == FINDING_NEW ? warns_more(y, f) : x;
    t[WHY_TREND] = x > t[WHY_TREND] ? x : t[WHY_TREND];
    t[WHY_CAUSE] = f->message && f->cause != NULL && f->after > f->before ? 1 : t[WHY_CAUSE];
}

static void judge_group(struct why *y, const struct finding *const *group, size_t n)
{
    struct why_answer *a = y->a;
    const struct finding *first = group[0];
    if (a->n_suspects == WHY_SUSPECTS_MAX) {
        return;
    }
    for (size_t i = 1; i < n; i++) {
        first = says(y, group[i]) > says(y, first) ? group[i] : first;
    }
    struct why_suspect *s = &a->suspects[a->n_suspects++];
    *s = (struct why_suspect){.kind = why__finding_kind(y, first),
                              .title = why__finding_text(y, first),
                              .time_us = first->time_us,
                              .low_us = first->low_us,
                              .high_us = first->high_us,
                              .subject = why__subject(y, first)};
    lead_text(y, s, first);
    terms_of(y, s, first);
    s->terms[WHY_TIME] = closeness(y, first);
    if (first->shape == FINDING_SURGE && first->high_us - first->low_us <= 2 * 3600 * US) {
        s->terms[WHY_TREND] *= 0.4 + 0.6 * closeness(y, first); /* a sudden flood hurts soon, or it did not */
    }
    s->terms[WHY_EFFECT] = why__strength(first);
    s->stays = first->after > first->before && warns(y, first) && why__goes_on(y, first);
    double host = only_failure(first) ? 0 : same_host(y, first);
    s->terms[WHY_CONTRAST] = first->shape == FINDING_SILENCE ? 0.8 : host > 0 ? host : concentration(y, s);
    if (first->metric == METRIC_IDENTITIES) {
        double share = first->after * (first->failing ? 1 : 1.5);
        s->terms[WHY_CONTRAST] = share > 1 ? 1 : share;
        s->terms[WHY_NOVELTY] = first->before < first->after / 10 ? 1 : 0.5;
        s->title = why__printf(a, "one %s: %s", s->subject.dim[0], first->cause);
        why__add_evidence(s, why__finding_text(y, first));
    }
    why__add_member(y, s, first);
    why__spark(y, first, s);
    if (first->cause != NULL && first->message) {
        why__add_evidence(s, why__printf(a, "its words point to %s", first->cause));
    }
    if (host > 0) {
        why__add_evidence(s, why__printf(a, "it comes from %s, where %.0f %% of the new errors are",
                                         y->a->where[0].subject.value[0], 100 * y->a->where[0].share));
    } else if (s->terms[WHY_CONTRAST] > 0 && first->shape != FINDING_SILENCE && first->metric != METRIC_IDENTITIES) {
        why__add_evidence(s, why__printf(a, "%.0f %% of the new errors are there", 100 * s->terms[WHY_CONTRAST]));
    }
    if (first->dim != NO_DIM && first->metric != METRIC_IDENTITIES && first->shape != FINDING_GONE) {
        why__add_line(y, s, first->stream, first->dim, first->shape == FINDING_RENAME ? first->other : first->value);
    }
    for (size_t i = 0; i < n; i++) {
        if (group[i] != first && s->n_members < WHY_MEMBERS_MAX) {
            double novelty = s->terms[WHY_NOVELTY];
            terms_of(y, s, group[i]);
            s->terms[WHY_NOVELTY] = bare(y, group[i]) ? novelty : s->terms[WHY_NOVELTY]; /* no news of the first */
            if (why__told(group[i], group, i) || why__told(group[i], &first, 1)) {
                continue;
            }
            why__add_member(y, s, group[i]);
            if (s->n_evidence < SHOWN) {
                why__add_evidence(s, why__finding_text(y, group[i]));
            }
            if (group[i]->message && group[i]->after > group[i]->before) {
                why__add_line(y, s, group[i]->stream, group[i]->dim, group[i]->value);
            }
        }
    }
    s->score = why__combine(s, false);
    if (first->metric == METRIC_MEASURE && first->near && (!first->here || first->at_onset)) {
        s->score *= 0.7; /* slowness so close to the errors is more often their twin than their cause */
    } else if (first->message && first->failing && first->cause == NULL && s->terms[WHY_CONTRAST] < 0.5) {
        /* it says that something failed, not why; less when it always said so, or says no more than that */
        s->score *= only_failure(first) ? 0.4 : first->shape == FINDING_NEW ? 0.9 : 0.5;
    }
    const struct incident *x = why__incident(y);
    s->score *= rise_in_words(y, first) ? 0.3 : 1;
    s->score *= line_share(y, first) ? 0.6 : 1;
    bool symptom = first->dim != NO_DIM && !first->message && first->failing && !y->a->requests_kind; /* an exception */
    bool place = !first->message && first->stream == y->target_stream && first->metric != METRIC_IDENTITIES &&
                 (first->shape == FINDING_NEW || first->metric == METRIC_SHARE),
         everyday = first->message && first->cause == NULL && first->shape == FINDING_NEW &&
                    why__complains(y, first->stream, first->value) == 0;
    bool harmless = (place || everyday) && !first->failing && s->terms[WHY_CONTRAST] == 0 &&
                    (why__slow(y) || first->time_us < x->low_us - AT_ONCE_S * US);
    s->score *= symptom ? 0.6 : 1;
    bool old = (first->message || first->shape == FINDING_NEW) && s->terms[WHY_TIME] < 0.3 &&
               s->terms[WHY_TREND] < 0.3; /* it came long ago, and led to nothing since */
    s->score *= harmless ? 0.5 : old ? 0.6 : 1;
    bool sure = !symptom && host == 0 && s->terms[WHY_CONTRAST] > 0.6 && s->terms[WHY_NOVELTY] > 0.5 &&
                s->terms[WHY_TIME] > 0.5 && (first->metric == METRIC_IDENTITIES || first->shape == FINDING_NEW);
    s->confidence = sure ? "high" : s->score > 0.5 ? "medium" : "low";
    s->bare = host == 0 && bare(y, first) && s->terms[WHY_CONTRAST] < 0.5;
}

/* Where the errors are, when nothing else says so. */
static void judge_where(struct why *y)
{
    struct why_answer *a = y->a;
    const struct incident *x = why__incident(y);
    if (a->n_where == 0 || a->n_suspects == WHY_SUSPECTS_MAX || a->where[0].share < 0.8) {
        return;
    }
    for (uint32_t i = 0; i < a->n_suspects; i++) {
        const struct why_suspect *s = &a->suspects[i];
        bool known = s->deed && s->confidence[0] != 'l';
        if (s->deed && why__slow(y) && s->time_us >= x->low_us && why__start_at(y, s->time_us) > LIKELY) {
            return;
        }
        if (((s->terms[WHY_CONTRAST] > 0.5 || known) && s->terms[WHY_TIME] > 0.3) ||
            (s->confidence[0] != 'l' && !s->bare)) {
            return;
        }
    }
    struct why_suspect *s = &a->suspects[a->n_suspects++];
    const struct why_where *w = &a->where[0];
    *s = (struct why_suspect){.kind = "step_change",
                              .subject = w->subject,
                              .time_us = x->time_us,
                              .low_us = x->low_us,
                              .high_us = x->high_us};
    s->title =
        why__printf(a, "something on %s %s%s%s%s%s: almost only there it fails", w->subject.dim[0], w->subject.value[0],
                    w->subject.dim[1] != NULL ? " with " : "", w->subject.dim[1] != NULL ? w->subject.dim[1] : "",
                    w->subject.dim[1] != NULL ? " " : "", w->subject.value[1] != NULL ? w->subject.value[1] : "");
    s->terms[WHY_TIME] = 0.8;
    s->terms[WHY_CONTRAST] = 0.6 * w->share;
    why__add_evidence(s, w->text);
    why__add_evidence(s, "no change that came before it is known: look there for what these logs do not show");
    s->score = (why__is_place(w->subject.dim[0]) ? 0.6 : 0.5) * why__combine(s, false); /* where, not why */
    s->confidence = "low";
    s->bare = true;
}

void why__judge_loose(struct why *y)
{
    const struct finding **loose = lq_alloc((y->n_findings + 1) * sizeof *loose);
    const struct incident *x = why__incident(y);
    size_t n = 0;
    for (size_t i = 0; i < y->n_findings && n < LOOSE_MAX; i++) {
        const struct finding *f = &y->findings[i];
        bool in = y->o->lookback_us == 0 || f->time_us >= x->time_us - y->o->lookback_us;
        bool seen_late = f->shape == FINDING_NEW && f->at_onset;
        if (usable(f) && in && (seen_late || f->time_us <= x->high_us + 120 * US)) {
            loose[n++] = f;
        }
    }
    qsort(loose, n, sizeof *loose, why__finding_order);
    for (size_t i = 0; i < n; i++) { /* floods, silences and clients stand for themselves */
        bool own = loose[i] != NULL && (loose[i]->metric == METRIC_IDENTITIES || loose[i]->shape == FINDING_SURGE ||
                                        loose[i]->shape == FINDING_SILENCE);
        if (own) {
            judge_group(y, &loose[i], 1);
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (loose[i]->metric != METRIC_IDENTITIES && loose[i]->shape != FINDING_SURGE &&
            loose[i]->shape != FINDING_SILENCE) {
            loose[kept++] = loose[i];
        }
    }
    for (size_t i = kept; i > 0 && !why__over(y);) { /* the newest first: places are limited */
        size_t j = i - 1;
        int64_t together = (loose[i - 1]->near ? TOGETHER_S : 2 * y->far.step_s) * US;
        while (j > 0 && loose[j - 1]->near == loose[i - 1]->near &&
               ((loose[j - 1]->at_onset && loose[i - 1]->at_onset) ||
                loose[j]->time_us - loose[j - 1]->time_us <= together)) {
            j--;
        }
        judge_group(y, loose + j, i - j);
        i = j;
    }
    judge_where(y);
    free(loose);
}
