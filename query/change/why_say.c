/*
 * why_say.c - findings and events in words and in the units that people use
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/why_int.h"

enum { LINE_S = 300 };

static const char *shown(struct why *y, lq_str v)
{
    enum { SHOWN_MAX = 90 };
    size_t n = v.n;
    if (n > SHOWN_MAX) {
        n = SHOWN_MAX;
        while (n > 0 && ((unsigned char)v.p[n] & 0xC0) == 0x80) {
            n--;
        }
    }
    return why__printf(y->a, "%.*s%s", (int)n, v.p, n < v.n ? "…" : "");
}

const char *why__event_title(struct why *y, const struct event *e)
{
    static const char *const kinds[] = {[EVENT_RELEASE] = "release",
                                        [EVENT_ROLLBACK] = "rollback to",
                                        [EVENT_RESTART] = "restart of",
                                        [EVENT_CONFIG] = "config",
                                        [EVENT_JOB] = "job",
                                        [EVENT_MARKER] = "marker",
                                        [EVENT_ONCE] = "message"};
    static const char *const told[] = {
        [EVENT_RELEASE] = "release",      [EVENT_ROLLBACK] = "rollback", [EVENT_RESTART] = "restart",
        [EVENT_CONFIG] = "config change", [EVENT_JOB] = "job",           [EVENT_MARKER] = "note",
        [EVENT_ONCE] = "said once"};
    struct lq_buf b = {0};
    if (e->stream != NO_DIM && e->text != NULL) {
        const char *what = e->kind == EVENT_ONCE && e->waves > 1 ? "seldom said" : told[e->kind];
        lq_buf_printf(&b, "%s: \"%s\"", what, shown(y, lq_str_of(e->said != NULL ? e->said : e->text)));
    } else {
        const char *kind = e->word != NULL                                   ? e->word
                           : e->stream == NO_DIM && e->kind != EVENT_RELEASE ? told[e->kind]
                                                                             : kinds[e->kind];
        lq_buf_printf(&b, "%s%s%s", kind, e->name[0] != '\0' ? " " : "", e->name);
    }
    for (uint32_t i = 0; i < e->n_hosts && e->n_hosts <= 6; i++) {
        lq_buf_printf(&b, "%s%.*s", i == 0 ? " on " : ", ", (int)e->hosts[i].name.n, e->hosts[i].name.p);
    }
    if (e->n_hosts > 6) {
        lq_buf_printf(&b, " on %u hosts", e->n_hosts);
    }
    if (e->stream == NO_DIM && e->text != NULL &&
        !e->inferred) { /* what a person wrote; of what was inferred it is a line */
        lq_buf_printf(&b, " (%s)", shown(y, lq_str_of(e->text)));
    }
    const char *out = why__printf(y->a, "%.*s", (int)b.n, b.p);
    lq_buf_fini(&b);
    return out;
}

const char *why__lead(struct why *y, int64_t us)
{
    char t[40];
    duration_print_rounded(us, t, sizeof t);
    return why__printf(y->a, "%s", t);
}

const char *why__finding_kind(const struct why *y, const struct finding *f)
{
    (void)y;
    switch (f->shape) {
    case FINDING_NEW:
        return f->message ? "new_template" : "new_value";
    case FINDING_GONE:
        return "vanished";
    case FINDING_SILENCE:
        return "silence";
    case FINDING_RENAME:
        return "new_value";
    case FINDING_TREND:
        return "trend_change";
    default:
        return f->metric == METRIC_IDENTITIES ? "new_value" : "step_change";
    }
}

/* "12 a minute", "0.4 a second", "3 an hour": in the unit that fits `scale`, so that two of one sentence compare. */
static const char *rate_as(struct why *y, double per_second, double scale)
{
    double v = per_second;
    const char *unit = "a second";
    if (scale < 1.0 / 60) {
        v = per_second * 3600;
        unit = "an hour";
    } else if (scale < 2) {
        v = per_second * 60;
        unit = "a minute";
    }
    return why__printf(y->a, v >= 9.95 ? "%.0f %s" : "%.2g %s", v, unit);
}

static const char *rate(struct why *y, double per_second)
{
    return rate_as(y, per_second, per_second);
}

/* What was looked at is a part of the range: a zero there does not say that there were none. */
static const char *rate_beside(struct why *y, double per_second, double scale)
{
    return per_second < scale / 1000 ? "hardly any" : rate_as(y, per_second, scale);
}

/* "0.3 a minute before, 2.6 a minute after" */
static const char *rates(struct why *y, const struct finding *f)
{
    double scale = f->before > f->after ? f->before : f->after;
    return why__printf(y->a, "%s before, %s after", rate_beside(y, f->before, scale), rate_beside(y, f->after, scale));
}

static const char *amount(struct why *y, double v, const char *unit)
{
    if (strcmp(unit, "s") == 0) {
        return v < 0.0095 ? why__printf(y->a, "%.2g ms", v * 1000)
               : v < 1    ? why__printf(y->a, "%.0f ms", v * 1000)
               : v < 120  ? why__printf(y->a, "%.2g s", v)
                          : why__printf(y->a, "%.0f s", v);
    }
    if (strcmp(unit, "bytes") == 0) {
        return v < 1000  ? why__printf(y->a, "%.0f bytes", v)
               : v < 1e6 ? why__printf(y->a, "%.1f kB", v / 1e3)
                         : why__printf(y->a, "%.1f MB", v / 1e6);
    }
    return why__printf(y->a, "%.4g%s%s", v, unit[0] != '\0' ? " " : "", unit);
}

const char *why__percent(struct why *y, double share)
{
    double p = 100 * share;
    return p >= 9.95    ? why__printf(y->a, "%.0f %%", p)
           : p >= 0.095 ? why__printf(y->a, "%.1f %%", p)
                        : why__printf(y->a, "%.1g %%", p);
}

static const char *subject(struct why *y, const struct finding *f)
{
    const struct stream_schema *s = why__info(y, f->stream)->schema;
    if (f->dim == NO_DIM) {
        return NULL;
    }
    if (why__is_lost_session(s, f->dim, why__value(y, f->stream, f->dim, f->value))) {
        return "sessions lost without a logout";
    }
    const char *v = shown(y, why__value(y, f->stream, f->dim, f->value));
    return f->message ? why__printf(y->a, "message \"%s\"", v) : why__printf(y->a, "%s %s", s->dims[f->dim], v);
}

static const char *verb(const struct finding *f)
{
    bool up = f->after > f->before;
    return f->shape == FINDING_TREND ? (up ? "began to rise" : "began to fall") : up ? "rose" : "fell";
}

/* Seen first within these logs: what the fit calls "before" were a few at its beginning. */
static bool came_new(const struct why *y, const struct finding *f)
{
    for (size_t i = 0; i < y->n_findings; i++) {
        const struct finding *b = &y->findings[i];
        if (b->accepted && b->shape == FINDING_NEW && b->stream == f->stream && b->dim == f->dim &&
            b->value == f->value) {
            return true;
        }
    }
    return false;
}

static const char *step_text(struct why *y, const struct finding *f)
{
    const struct stream_info *info = why__info(y, f->stream);
    const struct stream_schema *s = info->schema;
    const char *what = subject(y, f), *then = f->shape == FINDING_TREND ? "just before the errors" : "after",
               *records = s->kind == STREAM_REQUESTS ? "requests" : "lines";
    switch (f->metric) {
    case METRIC_MEASURE: {
        const char *name = s->measures[f->measure].name, *unit = s->measures[f->measure].unit;
        return why__printf(y->a, "%s%s%s %s: typically %s before, %s %s", name, what != NULL ? " of " : "",
                           what != NULL ? what : "", verb(f), amount(y, f->before, unit), amount(y, f->after, unit),
                           then);
    }
    case METRIC_ERRORS:
        return why__printf(y->a, "errors%s%s %s: %s before, %s %s", what != NULL ? " of " : "",
                           what != NULL ? what : "", verb(f), why__percent(y, f->before), why__percent(y, f->after),
                           then);
    case METRIC_SHARE:
        if (f->message && f->after > f->before && came_new(y, f)) {
            return why__printf(y->a, "%s came more and more often: %s of the %s of %s %s", what,
                               why__percent(y, f->after), records, s->name, then);
        }
        return what != NULL && f->message
                   ? why__printf(y->a, "%s %s: %s of the %s of %s before, %s %s", what,
                                 f->shape == FINDING_TREND
                                     ? (f->after > f->before ? "began to come more often" : "began to come less often")
                                 : f->after > f->before ? "came more often"
                                                        : "came less often",
                                 why__percent(y, f->before), records, s->name, why__percent(y, f->after), then)
                   : why__printf(y->a, "%s %s: %s of the %s before, %s %s", what != NULL ? what : s->name, verb(f),
                                 why__percent(y, f->before), records, why__percent(y, f->after), then);
    case METRIC_IDENTITIES:
        return why__printf(y->a, "%s makes %s of %s, %s before", f->cause, why__percent(y, f->after),
                           f->failing ? "the errors" : "all requests", why__percent(y, f->before));
    default:
        return what != NULL ? why__printf(y->a, "%s: %s", what, rates(y, f))
                            : why__printf(y->a, "%s of %s: %s", records, s->name, rates(y, f));
    }
}

const char *why__finding_text(struct why *y, const struct finding *f)
{
    const struct stream_schema *s = why__info(y, f->stream)->schema;
    const char *what = subject(y, f);
    switch (f->shape) {
    case FINDING_NEW:
        return why__printf(y->a, "first seen: %s, %s since", what, rate(y, f->after));
    case FINDING_GONE:
        return why__printf(y->a, "not seen any more: %s, %s before", what, rate(y, f->before));
    case FINDING_SILENCE:

        return f->until_us == INT64_MAX
                   ? why__printf(y->a, "%s fell silent: %s before, nothing since", what, rate(y, f->before))
                   : why__printf(y->a, "%s fell silent: %s before, nothing for %s", what, rate(y, f->before),
                                 why__lead(y, f->until_us - f->time_us));
    case FINDING_RENAME:
        return why__printf(y->a, "%s became %s: the same volume under a new name", what,
                           shown(y, why__value(y, f->stream, f->dim, f->other)));
    case FINDING_SURGE:
        return why__printf(y->a, "traffic%s%s rose: %s%s", what != NULL ? " on " : "", what != NULL ? what : "",
                           rates(y, f), f->stat > 1.05 ? ", more than ever before in these logs" : "");
    default:
        (void)s;
        return step_text(y, f);
    }
}

struct why_subject why__subject(struct why *y, const struct finding *f)
{
    const struct stream_schema *s = why__info(y, f->stream)->schema;
    struct why_subject out = {.stream = why__printf(y->a, "%s", s->name)};
    out.metric = f->metric == METRIC_MEASURE ? why__printf(y->a, "%s", s->measures[f->measure].name)
                 : f->metric == METRIC_ERRORS || (f->metric == METRIC_IDENTITIES && f->failing) ? "errors"
                                                                                                : "count";
    if (f->metric == METRIC_IDENTITIES) {
        out.dim[0] = why__printf(y->a, "%s", s->identities[f->value]);
        out.value[0] = f->cause;
    } else if (f->dim != NO_DIM) {
        lq_str v = why__value(y, f->stream, f->dim, f->shape == FINDING_RENAME ? f->other : f->value);
        out.dim[0] = why__printf(y->a, "%s", s->dims[f->dim]);
        out.value[0] = why__printf(y->a, "%.*s", (int)v.n, v.p);
    }
    return out;
}

void why__add_evidence(struct why_suspect *s, const char *text)
{
    for (uint32_t i = 0; i < s->n_evidence; i++) {
        if (strcmp(s->evidence[i], text) == 0) {
            return;
        }
    }
    if (s->n_evidence < WHY_EVIDENCE_MAX) {
        s->evidence[s->n_evidence++] = text;
    }
}

void why__add_member(struct why *y, struct why_suspect *s, const struct finding *f)
{
    if (s->n_members == WHY_MEMBERS_MAX) {
        return;
    }
    struct why_member *m = &s->members[s->n_members++];
    *m = (struct why_member){.time_us = f->time_us,
                             .kind = why__finding_kind(y, f),
                             .text = why__finding_text(y, f),
                             .subject = why__subject(y, f),
                             .before = f->before,
                             .after = f->after,
                             .p = f->p};
    if (f->shape == FINDING_GONE || f->shape == FINDING_SILENCE) {
        m->after = 0;
    }
}

struct wanted {
    const struct why_suspect *s;
    int64_t from_us, to_us; /* lines of another time are not of this */
    int64_t distance_us;
    struct lq_buf text;
};

static bool take_line(void *ctx, const struct example *x)
{
    struct wanted *l = ctx;
    int64_t gap = x->time_us - l->s->time_us;
    gap = gap < 0 ? -2 * gap : gap; /* one after it shows it better than one before */
    if (gap < l->distance_us && x->time_us >= l->from_us && x->time_us <= l->to_us) {
        l->distance_us = gap;
        lq_buf_clear(&l->text);
        lq_buf_add(&l->text, x->text.p, x->text.n);
    }
    return true;
}

/* The stored line with the value that is nearest in time. */
void why__add_line(struct why *y, struct why_suspect *s, uint32_t stream, uint32_t dim, uint32_t value)
{
    int64_t slack = s->deed && s->n_lines == 0 ? LINE_S * US : INT64_MAX / 4; /* the first line of a deed is its own */
    struct wanted l = {.s = s, .distance_us = INT64_MAX, .from_us = s->low_us - slack, .to_us = s->high_us + slack};
    if (s->n_lines == WHY_LINES_MAX) {
        return;
    }
    enum lq_err err =
        snapshot_examples(y->s, why__info(y, stream)->id, dim, value, INT64_MIN, INT64_MAX, take_line, &l, NULL);
    bool known = err != LQ_OK || l.text.n == 0; /* no example is no harm */
    for (uint32_t i = 0; i < s->n_lines && !known; i++) {
        known = strlen(s->lines[i]) == l.text.n && memcmp(s->lines[i], l.text.p, l.text.n) == 0;
    }
    if (!known) {
        s->lines[s->n_lines++] = why__printf(y->a, "%.*s", (int)l.text.n, l.text.p);
    }
    lq_buf_fini(&l.text);
}

/* How far a change towards harm went: 0…1. */
double why__strength(const struct finding *f)
{
    if (f->shape == FINDING_NEW || f->shape == FINDING_SILENCE || f->shape == FINDING_GONE) {
        return 1;
    }
    double r = log((f->after + 1e-9) / (f->before + 1e-9));
    r = f->metric == METRIC_COUNT && f->message ? r / 2 : r;
    return r <= 0 ? 0 : 1 - exp(-3 * r);
}
