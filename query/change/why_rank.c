/*
 * why_rank.c - changes and events to suspects: evidence, score, confidence, and who is cleared
 *
 * Terms of a score, each 0…1, shown by --explain:
 *
 *      time      0.10 + 0.25 * exp(-age / 3 days): never zero, never enough alone
 *      trend     a measure or share that began to move with the event, and moved on until the errors (strength: how far it went)
 *      novelty   messages or values never seen before that appeared with the event and stayed
 *      contrast  hosts that have it fail, hosts that do not have it do not
 *      recovery  the errors ended when it was taken back
 *
 * score = 1 - product of (1 - weight * term). An event after the onset is cleared; one without any term but time is cleared when another has evidence.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/why_int.h"

#define US 1000000LL
enum { WITH_EVENT_S = 3 * 3600 /* a new message may take a while to appear first */, AT_ONCE_S = 900, GROUP_STEPS = 3 };
enum { TERM_TIME, TERM_TREND, TERM_NOVELTY, TERM_CONTRAST, TERM_RECOVERY, TERMS };
static const double weights[TERMS] = {1, 0.7, 0.35, 0.8, 0.6};

static const char *event_title(struct why *y, const struct event *e)
{
    static const char *const kinds[] = {"release", "rollback to", "restart of", "marker"};
    return e->hosts != NULL && e->hosts[0] != '\0' ? why__printf(y->a, "%s %s on %s", kinds[e->kind], e->name, e->hosts)
                                                    : why__printf(y->a, "%s %s", kinds[e->kind], e->name);
}

static const char *subject_text(struct why *y, const struct finding *f)
{
    const struct stream_schema *s = f->stream->info->schema;
    if (f->series->dim == UINT32_MAX) {
        return why__printf(y->a, "%s of %s", f->metric, s->name);
    }
    lq_str v = why__value(y, f->stream, f->series->dim, f->series->value);
    return why__printf(y->a, "%s of %s \"%.*s\"", f->metric, s->dims[f->series->dim], (int)v.n, v.p);
}

static const char *finding_kind(const struct finding *f)
{
    if (f->novel) {
        return strcmp(f->stream->info->schema->dims[f->series->dim], "template") == 0 ? "new_template" : "new_value";
    }
    return f->gone ? "vanished" : f->c.shape == SHAPE_KINK ? "trend_change" : "step_change";
}

static const char *unit_of(const struct finding *f)
{
    const struct stream_schema *s = f->stream->info->schema;
    for (uint32_t m = 0; m < s->n_measures; m++) {
        if (strcmp(s->measures[m].name, f->metric) == 0) {
            return strcmp(s->measures[m].unit, "s") == 0 ? " s" : strcmp(s->measures[m].unit, "bytes") == 0 ? " bytes" : "";
        }
    }
    return "";
}

static const char *finding_text(struct why *y, const struct finding *f)
{
    const char *what = subject_text(y, f);
    double hours = (double)y->g.step_s / 3600;
    if (f->novel) {
        lq_str v = why__value(y, f->stream, f->series->dim, f->series->value);
        return why__printf(y->a, "first seen: %s \"%.*s\", %.3g an hour since", f->stream->info->schema->dims[f->series->dim], (int)v.n, v.p, f->c.after / hours);
    }
    if (f->gone) {
        return why__printf(y->a, "not seen any more: %s, %.3g an hour before", what, f->c.before / hours);
    }
    bool share = strcmp(f->metric, "count") == 0 || strcmp(f->metric, "errors") == 0;
    const char *verb = f->c.shape == SHAPE_KINK ? (f->c.after > f->c.before ? "began to rise" : "began to fall") : f->c.after > f->c.before ? "rose" : "fell";
    if (share) {
        return why__printf(y->a, "%s %s: %.3g %% of %s before, %.3g %% %s", what, verb, 100 * f->c.before, strcmp(f->metric, "count") == 0 ? "records" : "its requests",
                           100 * f->c.after, f->c.shape == SHAPE_KINK ? "just before the errors" : "after");
    }
    return why__printf(y->a, "%s %s: %.3g%s before, %.3g%s %s", what, verb, f->c.before, unit_of(f), f->c.after, unit_of(f),
                       f->c.shape == SHAPE_KINK ? "just before the errors" : "after");
}

/* The event that a change belongs to: its interval holds the event, or it appeared within hours after it. The nearest one. */
static void assign(struct why *y, struct finding *f)
{
    int64_t best = INT64_MAX, slack = 2 * y->g.step_s * US;
    for (uint32_t i = 0; i < y->n_events; i++) {
        const struct event *e = &y->events[i];
        int64_t gap = f->time_us - e->time_us;
        int64_t wide = slack; /* where a slow trend began is known no better than a tenth of how long it went on */
        if (!f->novel && !f->gone && f->c.shape == SHAPE_KINK && y->a->onset_us > f->time_us) {
            wide += (y->a->onset_us - f->time_us) / 10;
        }
        bool with = f->novel || f->gone ? gap >= -slack && gap <= WITH_EVENT_S * US
                                        : f->low_us <= e->end_us + wide && f->high_us >= e->time_us - wide;
        gap = gap < 0 ? -gap : gap;
        if (with && gap < best) {
            best = gap;
            f->event = (int)i;
        }
    }
}

static void add_member(struct why *y, struct why_suspect *s, const struct finding *f)
{
    if (s->n_members == WHY_MEMBERS_MAX) {
        return;
    }
    const struct stream_schema *x = f->stream->info->schema;
    struct why_member *m = &s->members[s->n_members++];
    *m = (struct why_member){.time_us = f->time_us, .kind = finding_kind(f), .text = finding_text(y, f), .stream = why__printf(y->a, "%s", x->name), .metric = why__printf(y->a, "%s", f->metric),
                             .before = f->c.before, .after = f->c.after, .p = f->p};
    if (f->series->dim != UINT32_MAX) {
        lq_str v = why__value(y, f->stream, f->series->dim, f->series->value);
        m->dim = why__printf(y->a, "%s", x->dims[f->series->dim]);
        m->value = why__printf(y->a, "%.*s", (int)v.n, v.p);
    }
}

static void add_evidence(struct why_suspect *s, const char *text)
{
    if (s->n_evidence < WHY_EVIDENCE_MAX) {
        s->evidence[s->n_evidence++] = text;
    }
}

struct line_wanted {
    struct why *y;
    struct why_suspect *s;
};

static bool take_line(void *ctx, const struct example *x)
{
    struct line_wanted *l = ctx;
    if (l->s->n_lines < WHY_LINES_MAX) {
        const char *text = why__printf(l->y->a, "%.*s", (int)x->text.n, x->text.p);
        for (uint32_t i = 0; i < l->s->n_lines; i++) {
            if (strcmp(l->s->lines[i], text) == 0) {
                return false;
            }
        }
        l->s->lines[l->s->n_lines++] = text;
    }
    return false; /* the first of the value is enough */
}

static void add_line(struct why *y, struct why_suspect *s, const struct grid_stream *st, uint32_t dim, uint32_t value)
{
    struct line_wanted l = {y, s};
    enum lq_err err = snapshot_examples(y->s, st->info->id, dim, value, INT64_MIN, INT64_MAX, take_line, &l, NULL);
    (void)err; /* no example is no harm */
}

static double combine(struct why_suspect *s)
{
    double rest = 1;
    for (int i = 0; i < TERMS; i++) {
        rest *= 1 - weights[i] * s->terms[i];
    }
    return 1 - rest;
}

static double time_term(const struct why *y, int64_t time_us)
{
    double days = (double)(y->a->onset_us - time_us) / 86400e6;
    return 0.1 + 0.25 * exp(-(days > 0 ? days : 0) / 3);
}

/* How far a change went: 0…1; and only what moved towards harm counts as a trend: slower, more errors, more of a message. */
static double strength(const struct finding *f)
{
    double r = log((f->c.after + 1e-9) / (f->c.before + 1e-9));
    return r <= 0 ? 0 : 1 - exp(-3 * r);
}

static int stronger(const void *a, const void *b)
{
    const struct finding *x = *(const struct finding *const *)a, *z = *(const struct finding *const *)b;
    double sx = x->novel ? 1e9 : x->c.stat, sz = z->novel ? 1e9 : z->c.stat; /* what was never seen before says most */
    if (sx != sz) {
        return sx > sz ? -1 : 1;
    }
    return x->time_us != z->time_us ? (x->time_us < z->time_us ? -1 : 1) : x < z ? -1 : x > z;
}

/* Errors after the onset on hosts with the version against hosts without it. */
static void contrast(struct why *y, const struct event *e, struct why_suspect *s)
{
    double se = 0, ne = 0, su = 0, nu = 0;
    uint32_t exposed = 0, others = 0;
    if (e->hosts == NULL || e->hosts[0] == '\0') {
        return;
    }
    for (uint32_t i = 0; i < y->target->n_series; i++) {
        const struct grid_series *x = &y->target->series[i];
        if (x->dim != DIM_HOST) {
            continue;
        }
        lq_str host = why__value(y, y->target, DIM_HOST, x->value);
        const char *at = memmem(e->hosts, strlen(e->hosts), host.p, host.n);
        bool with = at != NULL && (at[host.n] == '\0' || at[host.n] == ',');
        for (uint32_t t = y->onset_step; t < y->end_step; t++) {
            *(with ? &se : &su) += (double)x->errors[t];
            *(with ? &ne : &nu) += (double)x->count[t];
        }
        exposed += with;
        others += !with;
    }
    if (exposed == 0 || others == 0 || ne <= 0 || nu <= 0) {
        return;
    }
    double p = share_contrast_p(se, ne, su, nu, y->dispersion);
    if (p < 1e-3 && se / ne > 1.5 * su / nu) {
        s->terms[TERM_CONTRAST] = 1 - exp(-2 * log((se / ne) / (su / nu + 1e-9)));
        add_evidence(s, why__printf(y->a, "requests on %s fail %.3g %% of the time since, on the other %u host%s %.3g %%", e->hosts, 100 * se / ne, others,
                                    others == 1 ? "" : "s", 100 * su / nu));
    } else if (p < 1e-3 && se / ne * 1.5 < su / nu) {
        add_evidence(s, why__printf(y->a, "against it: hosts without it fail more (%.3g %%) than those with it (%.3g %%)", 100 * su / nu, 100 * se / ne));
        s->terms[TERM_TIME] *= 0.3;
    }
}

static void recovery(struct why *y, const struct event *e, struct why_suspect *s)
{
    if (y->a->ongoing || e->kind != EVENT_RELEASE) {
        return;
    }
    for (uint32_t i = 0; i < y->n_events; i++) {
        const struct event *b = &y->events[i];
        int64_t gap = y->a->end_us - b->time_us;
        if (b->kind == EVENT_ROLLBACK && b->time_us > e->time_us && strcmp(b->name, e->name) != 0 && gap > -AT_ONCE_S * US && gap < 2 * AT_ONCE_S * US + y->g.step_s * US) {
            s->terms[TERM_RECOVERY] = 1;
            add_evidence(s, why__printf(y->a, "the errors ended when it was taken back (%s came back)", b->name));
            return;
        }
    }
}

static const char *confidence(const struct why *y, const struct why_suspect *s, bool two_kinds)
{
    bool at_once = y->a->onset_us - s->time_us <= (AT_ONCE_S + y->g.step_s) * US;
    if ((s->terms[TERM_CONTRAST] > 0.5 && at_once) || (s->terms[TERM_RECOVERY] > 0 && at_once) || (s->terms[TERM_TREND] > 0.3 && two_kinds) ||
        (s->terms[TERM_CONTRAST] > 0.5 && s->terms[TERM_TREND] > 0)) {
        return "high";
    }
    if (s->terms[TERM_TREND] > 0.2 || s->terms[TERM_CONTRAST] > 0.5 || (at_once && s->terms[TERM_TIME] > 0.2)) {
        return "medium";
    }
    return "low";
}

static void lead_text(struct why *y, struct why_suspect *s)
{
    char lead[40];
    duration_print((y->a->onset_us - s->time_us) / (60 * US) * 60 * US, lead, sizeof lead);
    add_evidence(s, why__printf(y->a, "it happened %s before the errors started", lead));
}

static void judge_event(struct why *y, uint32_t i, struct why_suspect *s)
{
    const struct event *e = &y->events[i];
    const struct finding *mine[FINDINGS_MAX];
    size_t n = 0;
    bool measure = false, message = false;
    static const char *const kinds[] = {"release", "rollback", "restart", "marker"};
    *s = (struct why_suspect){.kind = kinds[e->kind], .title = event_title(y, e), .time_us = e->time_us, .low_us = e->time_us, .high_us = e->end_us, .metric = "count"};
    if (e->stream != NULL) {
        s->stream = why__printf(y->a, "%s", e->stream->info->schema->name);
        s->dim = "version";
        s->value = e->name;
        add_line(y, s, e->stream, e->dim, e->value);
    }
    s->terms[TERM_TIME] = time_term(y, e->time_us);
    for (size_t k = 0; k < y->n_findings && n < FINDINGS_MAX; k++) {
        if (y->findings[k].accepted && y->findings[k].event == (int)i) {
            mine[n++] = &y->findings[k];
        }
    }
    qsort(mine, n, sizeof *mine, stronger);
    lead_text(y, s);
    for (size_t k = 0; k < n; k++) {
        const struct finding *f = mine[k];
        bool is_message = f->novel || strcmp(f->metric, "count") == 0;
        double x = f->novel ? 0 : strength(f);
        if (f->novel) {
            s->terms[TERM_NOVELTY] = 1 - (1 - s->terms[TERM_NOVELTY]) * 0.4;
        } else if (!(is_message && f->stream == y->target)) { /* which routes people use is no trend towards failure */
            s->terms[TERM_TREND] = x > s->terms[TERM_TREND] ? x : s->terms[TERM_TREND];
        }
        measure = measure || (!is_message && x > 0.1);
        message = message || (is_message && f->stream != y->target && (f->novel || x > 0.1));
        add_member(y, s, f);
        if (k < 5) {
            add_evidence(s, finding_text(y, f));
        }
        if (f->series->dim != UINT32_MAX && (f->novel || (is_message && f->stream != y->target && x > 0.1))) {
            add_line(y, s, f->stream, f->series->dim, f->series->value);
        }
    }
    contrast(y, e, s);
    recovery(y, e, s);
    s->score = combine(s);
    s->confidence = confidence(y, s, measure && message);
}

/* Changes that belong to no event: those that begin together are one suspect. */
static void judge_loose(struct why *y)
{
    struct why_answer *a = y->a;
    const struct finding *loose[FINDINGS_MAX];
    size_t n = 0;
    for (size_t k = 0; k < y->n_findings && n < FINDINGS_MAX; k++) {
        const struct finding *f = &y->findings[k];
        if (f->accepted && f->event < 0 && (f->novel || strength(f) > 0.1 || f->gone)) {
            loose[n++] = f;
        }
    }
    qsort(loose, n, sizeof *loose, stronger);
    bool *used = lq_alloc(n + 1);
    for (size_t k = 0; k < n && a->n_suspects < WHY_SUSPECTS_MAX; k++) {
        const struct finding *f = loose[k];
        if (used[k]) {
            continue;
        }
        struct why_suspect *s = &a->suspects[a->n_suspects++];
        const struct stream_schema *x = f->stream->info->schema;
        *s = (struct why_suspect){.kind = finding_kind(f), .title = finding_text(y, f), .time_us = f->time_us, .low_us = f->low_us, .high_us = f->high_us, .stream = why__printf(a, "%s", x->name), .metric = why__printf(a, "%s", f->metric)};
        if (f->series->dim != UINT32_MAX) {
            lq_str v = why__value(y, f->stream, f->series->dim, f->series->value);
            s->dim = why__printf(a, "%s", x->dims[f->series->dim]);
            s->value = why__printf(a, "%.*s", (int)v.n, v.p);
        }
        s->terms[TERM_TIME] = time_term(y, f->time_us);
        lead_text(y, s);
        for (size_t j = k; j < n; j++) {
            if (!used[j] && fabs(loose[j]->when - f->when) <= GROUP_STEPS) {
                used[j] = true;
                double st = loose[j]->novel ? 0.3 : strength(loose[j]);
                bool traffic = strcmp(loose[j]->metric, "count") == 0;
                double *term = loose[j]->novel ? &s->terms[TERM_NOVELTY] : &s->terms[TERM_TREND];
                st = traffic ? st * 0.4 : st * 0.6; /* no event explains it: what moved may be a symptom as well */
                *term = st > *term ? st : *term;
                add_member(y, s, loose[j]);
                if (j != k && s->n_evidence < 5) {
                    add_evidence(s, finding_text(y, loose[j]));
                }
                if (traffic && loose[j]->series->dim != UINT32_MAX) {
                    add_line(y, s, loose[j]->stream, loose[j]->series->dim, loose[j]->series->value);
                }
            }
        }
        s->score = combine(s) * 0.9;
        s->confidence = s->score > 0.45 ? "medium" : "low";
    }
    free(used);
}

/* One identity that makes most of the errors since, and made few before. */
static void judge_identities(struct why *y)
{
    struct why_answer *a = y->a;
    const struct stream_info *info = y->target->info;
    int64_t onset = a->onset_us / US, end = a->ongoing ? a->to_us / US + 1 : a->end_us / US;
    for (uint32_t i = 0; i < info->schema->n_identities && a->n_suspects < WHY_SUSPECTS_MAX; i++) {
        struct heavy after = {0}, before = {0};
        if (snapshot_heavy(y->s, info->id, i, true, onset, end, &after, NULL) == LQ_OK &&
            snapshot_heavy(y->s, info->id, i, true, a->from_us / US, onset - 3600, &before, NULL) == LQ_OK && after.n > 0 && after.total > 0) {
            double share = (double)after.items[0].count / (double)after.total, was = 0;
            for (uint32_t k = 0; k < before.n; k++) {
                was = lq_str_eq(before.items[k].name, after.items[0].name) ? (double)before.items[k].count / (double)(before.total + 1) : was;
            }
            if (share > 0.4 && was < share / 4) {
                struct why_suspect *s = &a->suspects[a->n_suspects++];
                const char *name = why__printf(a, "%.*s", (int)after.items[0].name.n, after.items[0].name.p);
                *s = (struct why_suspect){.kind = "new_value", .confidence = share > 0.6 ? "high" : "medium", .title = why__printf(a, "one %s: %s", info->schema->identities[i], name),
                                          .time_us = a->onset_us, .low_us = a->onset_low_us, .high_us = a->onset_high_us, .stream = why__printf(a, "%s", info->schema->name),
                                          .dim = why__printf(a, "%s", info->schema->identities[i]), .value = name, .metric = "errors", .score = 0.5 + 0.5 * share};
                s->terms[TERM_CONTRAST] = share;
                add_evidence(s, why__printf(a, "%s makes %.3g %% of all errors since they started, %.3g %% before (counts within %llu)", name, 100 * share, 100 * was,
                                            (unsigned long long)after.error_bound));
            }
        }
        heavy_fini(&after);
        heavy_fini(&before);
    }
}

static int better(const void *a, const void *b)
{
    const struct why_suspect *x = a, *z = b;
    if (x->score != z->score) {
        return x->score > z->score ? -1 : 1;
    }
    return x->time_us != z->time_us ? (x->time_us > z->time_us ? -1 : 1) : strcmp(x->title, z->title);
}

static void clear(struct why *y, const char *title, int64_t time_us, const char *reason)
{
    if (y->a->n_cleared < WHY_SUSPECTS_MAX) {
        y->a->cleared[y->a->n_cleared++] = (struct why_cleared){title, reason, time_us};
    }
}

/* Why an event without evidence is cleared. */
static const char *clear_reason(struct why *y, const struct why_suspect *s, const struct why_suspect *first)
{
    char gap[40];
    int64_t d = s->time_us - first->time_us;
    duration_print((d < 0 ? -d : d) / (60 * US) * 60 * US, gap, sizeof gap);
    if (s->terms[TERM_TREND] == 0 && s->terms[TERM_NOVELTY] == 0) {
        return d > 0 ? why__printf(y->a, "nothing that is measured changed with it; what leads to the errors began %s before it", gap)
                     : why__printf(y->a, "nothing that is measured changed with it; what leads to the errors began %s after it", gap);
    }
    return why__printf(y->a, "what changed with it does not lead to the errors; the stronger evidence began %s %s it", gap, d > 0 ? "before" : "after");
}

void why__rank(struct why *y, uint32_t top)
{
    struct why_answer *a = y->a;
    for (size_t i = 0; i < y->n_findings; i++) {
        assign(y, &y->findings[i]);
    }
    for (uint32_t i = 0; i < y->n_events; i++) {
        const struct event *e = &y->events[i];
        int64_t at_start = y->target->info->first_us + 3600 * US;
        if (e->time_us < at_start && e->kind == EVENT_RELEASE) {
            continue; /* what ran when the logs begin is no change */
        }
        if (e->time_us > a->onset_high_us + 60 * US) { /* clocks of two logs differ a little */
            if (e->kind == EVENT_RELEASE || e->kind == EVENT_ROLLBACK || e->kind == EVENT_RESTART) {
                clear(y, event_title(y, e), e->time_us, "it came after the errors had started");
            }
        } else if (a->n_suspects < WHY_SUSPECTS_MAX / 2) {
            judge_event(y, i, &a->suspects[a->n_suspects++]);
        }
    }
    judge_identities(y);
    judge_loose(y);
    if (a->n_suspects > 1) {
        qsort(a->suspects, a->n_suspects, sizeof *a->suspects, better);
    }
    uint32_t kept = 0;
    const struct why_suspect first = a->n_suspects > 0 ? a->suspects[0] : (struct why_suspect){0};
    bool evidence = a->n_suspects > 0 && strcmp(first.confidence, "low") != 0;
    for (uint32_t i = 0; i < a->n_suspects; i++) {
        struct why_suspect *s = &a->suspects[i];
        bool weak = s->terms[TERM_TREND] < 0.15 && s->terms[TERM_CONTRAST] == 0 && s->terms[TERM_RECOVERY] == 0;
        bool is_event = strcmp(s->kind, "release") == 0 || strcmp(s->kind, "rollback") == 0 || strcmp(s->kind, "restart") == 0 || strcmp(s->kind, "marker") == 0;
        if (evidence && i > 0 && weak && is_event) {
            clear(y, s->title, s->time_us, clear_reason(y, s, &first));
        } else if (kept < top && (i == 0 || s->score > 0.25 * first.score)) {
            a->suspects[kept++] = *s;
        }
    }
    a->n_suspects = kept;
}
