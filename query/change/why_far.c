/*
 * why_far.c - what moved before the onset, far back: every series of the far grid tested, up to the onset only
 *
 * What moves with or after the errors may be their effect, so only the time before them counts here. Volumes are tested
 * as shares of their stream (the daily cycle cancels), and count as changed only when the volume itself moved the same
 * way: when one value grows, the shares of all others fall. Latencies are tested as the mean of their logarithm; a host
 * or route counts only when it also moved apart from its stream. New and vanished values: the chance that all records
 * fall into the part of the time where they were seen. A series is tested once more on each side of its best change.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/why_onset.h"

enum { PLACE_BEFORE = 48, RECORDS_MIN = 32, SPLIT_POINTS_MIN = 24, MEASURED_MIN = 200, NOVEL_MIN = 4, LOCAL_MIN = 10 };
#define PLACE_P   1e-3
#define MATTERS   0.05   /* of what the measure usually is */
#define MATTERS_S 0.0005 /* seconds */

int why__finding_order(const void *a, const void *b)
{
    const struct finding *x = *(const struct finding *const *)a, *z = *(const struct finding *const *)b;
    if (x->time_us != z->time_us) {
        return x->time_us < z->time_us ? -1 : 1;
    }
    int c = strcmp(x->stream_name, z->stream_name);
    c = c != 0 ? c : (x->dim > z->dim) - (x->dim < z->dim);
    c = c != 0 ? c : lq_str_cmp(x->text, z->text);
    c = c != 0 ? c : (int)x->metric - (int)z->metric;
    c = c != 0 ? c : (int)x->shape - (int)z->shape;
    c = c != 0 ? c : (int)x->measure - (int)z->measure;
    return c != 0 ? c : (int)x->near - (int)z->near;
}

struct finding *why__add_finding(struct why *y, uint32_t stream, uint32_t dim, uint32_t value)
{
    lq_grow(&y->findings, &y->cap_findings, y->n_findings + 1, sizeof *y->findings);
    struct finding *f = &y->findings[y->n_findings++];
    *f = (struct finding){.stream = stream, .dim = dim, .value = value, .event = -1, .p = 1, .stat = 0};
    f->stream_name = why__info(y, stream)->schema->name;
    f->text = dim != NO_DIM ? why__value(y, stream, dim, value) : (lq_str){0};
    f->message = why__is_template(why__info(y, stream)->schema, dim);
    if (f->message) {
        f->cause = why__cause_words(why__value(y, stream, dim, value));
    }
    return f;
}

/* Steps before the onset; one is left out: the rise may have begun within it. */
static uint32_t before_onset(const struct why *y)
{
    uint32_t t = grid_step(&y->far, why__incident(y)->low_us);
    return t > 1 ? t - 1 : 0;
}

/* What leads to a slow rise goes on while it grows, and often has not moved much before. Where nothing has, the first half of
 * the rise is looked at too. Not for failures, and what counts them. */
static uint32_t before_half(const struct why *y)
{
    const struct incident *x = why__incident(y);
    int64_t us = why__slow(y) ? x->time_us + (x->top_us - x->time_us) / 2 : x->time_us - y->far.step_s * US;
    uint32_t t = grid_step(&y->far, us), n = before_onset(y);
    return t > n ? t : n;
}

static bool fails(const struct grid_series *x, uint32_t n)
{
    double count = 0, errors = 0;
    for (uint32_t t = 0; t < n; t++) {
        count += (double)x->count[t];
        errors += (double)x->errors[t];
    }
    return errors * 2 > count;
}

static void keep(struct why *y, struct finding *f, const struct change *c, uint32_t from)
{
    f->shape = c->shape == SHAPE_KINK ? FINDING_TREND : FINDING_STEP;
    f->p = c->p;
    f->stat = c->stat;
    f->before = c->before;
    f->after = c->after;
    f->time_us = grid_time_us(&y->far, from + c->at);
    f->low_us = grid_time_us(&y->far, from + (c->low > 0 ? c->low - 1 : 0));
    f->high_us = grid_time_us(&y->far, from + c->high + 1);
}

/*
 * The exact place of a change that was found. change_best leaves out the outer twentieth, where its p would not mean
 * what it says: of two weeks that is the last 17 hours, and a step among them was taken for a line that began to rise
 * long before it. Here y is on its own scale, not its logarithm, on which a straight ramp bends; w in records,
 * whose variance is at least `least`.
 */
static void place_exactly(struct why *y, struct finding *f, uint32_t from, uint32_t to, double least)
{
    uint32_t at = grid_step(&y->far, f->time_us), back = 2 * (to - at) + PLACE_BEFORE;
    struct rise r;
    double s = 0, ss = 0, n = 0, k = 0;
    from = at > from + back ? at - back : from;
    for (uint32_t t = from; t < at; t++) {
        n += y->w[t];
        s += y->w[t] * y->y[t];
    }
    for (uint32_t t = from; t < at; t++) {
        double d = y->y[t] - s / n;
        ss += y->w[t] * d * d;
        k += y->w[t] > 0;
    }
    double each = k > 8 ? fmax(ss / (k - 1), least) : least; /* variance of one record */
    if (each <= 0) {
        return;
    }
    for (uint32_t t = from; t < to; t++) {
        y->w[t] /= each;
    }
    if (rise_fit(y->y + from, y->w + from, to - from, f->after < f->before, &r)) {
        f->shape = r.shape == RISE_STEP ? FINDING_STEP : FINDING_TREND;
        f->time_us = grid_time_us(&y->far, from + r.at);
        f->low_us = grid_time_us(&y->far, from + (r.low > 0 ? r.low - 1 : 0));
        f->high_us = grid_time_us(&y->far, from + r.high + 1);
    }
}

static double mean_of(const float *x, uint32_t from, uint32_t to)
{
    double s = 0;
    for (uint32_t i = from; i < to; i++) {
        s += (double)x[i];
    }
    return to > from ? s / (to - from) : 0;
}

struct place { /* a series of the far grid */
    uint32_t stream;
    const struct grid_stream *st;
    const struct grid_series *x;
};

static struct finding *place_finding(struct why *y, const struct place *p)
{
    return why__add_finding(y, p->stream, p->x == &p->st->total ? NO_DIM : p->x->dim, p->x->value);
}

/* A share of its whole over [from, to); then each side of the change. */
static void test_share(struct why *y, const struct place *p, const float *part, const float *whole,
                       enum finding_metric metric, uint32_t from, uint32_t to, int depth)
{
    double sum = 0, all = 0;
    for (uint32_t t = from; t < to; t++) {
        sum += (double)part[t];
        all += (double)whole[t];
        y->w[t] = (double)whole[t];
        y->y[t] = whole[t] > 0 ? (double)part[t] / (double)whole[t] : 0;
    }
    struct change c;
    if (sum < RECORDS_MIN || sum > all - RECORDS_MIN / 4 || !change_best(y->y + from, y->w + from, to - from, &c)) {
        return;
    }
    double least = 1 / all;
    struct finding *f = place_finding(y, p);
    f->metric = metric;
    keep(y, f, &c, from);
    f->before = f->before > least ? f->before : least;
    f->after = f->after > least ? f->after : least;
    double moved = log(f->after / f->before);
    if (metric == METRIC_SHARE) { /* the volume must move the same way */
        double v = log((mean_of(part, from + c.at, to) + 1e-6) / (mean_of(part, from, from + c.at) + 1e-6));
        f->level_only = v * moved <= 0 || fabs(v) < 0.1;
    }
    bool small = fabs(moved) < 0.15 || f->level_only;
    double found = f->p;
    f->p = small ? 1 : f->p;
    if (f->p < PLACE_P && c.shape == SHAPE_KINK) {
        double middle = (f->before + f->after) / 2;
        place_exactly(y, f, from, to, middle * (1 - middle));
    }
    if (depth > 0 && found < 1e-3) {
        uint32_t at = from + c.at;
        if (at - from >= SPLIT_POINTS_MIN) {
            test_share(y, p, part, whole, metric, from, at, depth - 1);
        }
        if (to - at >= SPLIT_POINTS_MIN) {
            test_share(y, p, part, whole, metric, at, to, depth - 1);
        }
    }
}

/* The same question about the difference from the stream's own mean: a host that only follows its stream did not
 * change. */
static double apart_from_total(struct why *y, const struct grid_stream *st, uint32_t m, uint32_t from, uint32_t to)
{
    struct change c;
    for (uint32_t t = from; t < to; t++) {
        y->y[t] -= grid_mean_log(&st->total, m, t);
    }
    return change_best(y->y + from, y->w + from, to - from, &c) ? c.p : 1;
}

static void test_measure(struct why *y, const struct place *p, uint32_t m, uint32_t from, uint32_t to, int depth)
{
    const struct grid_series *x = p->x;
    double seen = 0;
    for (uint32_t t = from; t < to; t++) {
        double k = (double)x->log_n[m][t];
        y->w[t] = k;
        y->y[t] = grid_mean_log(x, m, t);
        seen += k;
    }
    struct change c;
    if (seen < MEASURED_MIN || !change_best(y->y + from, y->w + from, to - from, &c)) {
        return;
    }
    struct finding *f = place_finding(y, p);
    double scale = (double)p->st->info->schema->measures[m].scale;
    f->metric = METRIC_MEASURE;
    f->measure = m;
    keep(y, f, &c, from);
    f->before = expm1(c.before) / scale;
    f->after = expm1(c.after) / scale;
    double found = f->p;
    if (fabs(c.after - c.before) < 0.04) {
        f->p = 1;
    } else if (x != &p->st->total) {
        double q = apart_from_total(y, p->st, m, from, to);
        f->p = q > f->p ? q : f->p;
    }
    for (uint32_t t = from; t < to && f->p < PLACE_P && c.shape == SHAPE_KINK; t++) {
        y->w[t] = (double)x->log_n[m][t];
        y->y[t] = expm1(grid_mean_log(x, m, t));
    }
    if (f->p < PLACE_P && c.shape == SHAPE_KINK) {
        place_exactly(y, f, from, to, 0);
    }
    if (depth > 0 && found < 1e-3) {
        uint32_t at = from + c.at;
        if (at - from >= SPLIT_POINTS_MIN) {
            test_measure(y, p, m, from, at, depth - 1);
        }
        if (to - at >= SPLIT_POINTS_MIN) {
            test_measure(y, p, m, at, to, depth - 1);
        }
    }
}

struct presence {
    uint32_t first, last, steps;
    double count, whole, since_first, until_last, errors;
};

static struct presence presence_of(const struct place *p, uint32_t n)
{
    struct presence r = {.first = UINT32_MAX};
    for (uint32_t t = 0; t < n; t++) {
        double all = (double)p->st->total.count[t];
        r.whole += all;
        if (p->x->count[t] > 0) {
            r.since_first = r.first == UINT32_MAX ? 0 : r.since_first;
            r.first = r.first == UINT32_MAX ? t : r.first;
            r.last = t;
            r.steps++;
            r.count += (double)p->x->count[t];
            r.errors += (double)p->x->errors[t];
            r.until_last = r.whole;
        }
        r.since_first += r.first == UINT32_MAX ? 0 : all;
    }
    return r;
}

/* Seen first, or last, inside the range. */
static void test_presence(struct why *y, const struct place *p, uint32_t n)
{
    struct presence r = presence_of(p, n);
    if (r.first == UINT32_MAX || r.count < NOVEL_MIN || r.whole <= 0) {
        return;
    }
    double trials = r.steps < r.count ? r.steps : r.count; /* records of one step are not independent */
    double p_new = pow(r.since_first / r.whole, trials - 1), p_gone = pow(r.until_last / r.whole, trials - 1);
    const struct value_info v = *snapshot_value(y->s, p->st->info->id, p->x->dim, p->x->value);
    bool novel = p_new <= p_gone;
    if (novel ? r.first == 0 : v.last_us >= grid_time_us(&y->far, n)) {
        return; /* there from the beginning; or it came back */
    }
    struct finding *f = place_finding(y, p);
    f->metric = METRIC_COUNT;
    f->shape = novel ? FINDING_NEW : FINDING_GONE;
    f->p = novel ? p_new : p_gone;
    f->p = f->p < CHANGE_P_FLOOR ? CHANGE_P_FLOOR : f->p;
    f->time_us = novel ? v.first_us : v.last_us;
    f->low_us = f->high_us = f->time_us;
    f->failing = r.errors * 2 > r.count;
    double steps = novel ? n - r.first : r.last + 1; /* counts per second */
    f->before = novel ? 0 : r.count / steps / (double)y->far.step_s;
    f->after = novel ? r.count / steps / (double)y->far.step_s : 0;
}

static void test_stream(struct why *y, uint32_t i, uint32_t n)
{
    struct grid_stream *st = &y->far.streams[i];
    const struct stream_schema *s = st->info->schema;
    struct place p = {i, st, &st->total};
    why__calm(&st->total, n, y->calm[1]);
    if (i == y->target_stream) {
        test_share(y, &p, st->total.errors, st->total.count, METRIC_ERRORS, 0, n, 0);
    }
    for (uint32_t m = 0; m < s->n_measures; m++) {
        test_measure(y, &p, m, 0, n, 1);
    }
    for (uint32_t k = 0; k < st->n_series && !why__over(y); k++) {
        p.x = &st->series[k];
        if (p.x->dim == DIM_VERSION || why__repeats(s, p.x->dim)) {
            continue; /* events of their own; what another dimension says already */
        }
        test_presence(y, &p, n);
        bool message = why__is_template(s, p.x->dim), calm = s->kind != STREAM_REQUESTS && !message;
        if (calm) {
            why__calm(p.x, n, y->calm[0]);
        }
        test_share(y, &p, calm ? y->calm[0] : p.x->count, calm ? y->calm[1] : st->total.count, METRIC_SHARE, 0, n, 1);
        if (i == y->target_stream) {
            test_share(y, &p, p.x->errors, p.x->count, METRIC_ERRORS, 0, n, 0);
        }
        for (uint32_t m = 0; m < s->n_measures && p.x->log_sum[m] != NULL; m++) {
            test_measure(y, &p, m, 0, n, 1);
        }
    }
}

static void test_half(struct why *y, uint32_t i, uint32_t half)
{
    struct grid_stream *st = &y->far.streams[i];
    const struct stream_schema *s = st->info->schema;
    struct place p = {i, st, &st->total};
    for (uint32_t m = 0; m < s->n_measures; m++) {
        test_measure(y, &p, m, 0, half, 1);
    }
    for (uint32_t k = 0; k < st->n_series && !why__over(y); k++) {
        p.x = &st->series[k];
        if (p.x->dim == DIM_VERSION || why__repeats(s, p.x->dim)) {
            continue;
        }
        bool message = why__is_template(s, p.x->dim);
        if (message && why__complains(y, i, p.x->value) != 0 && !fails(p.x, half)) {
            test_share(y, &p, p.x->count, st->total.count, METRIC_SHARE, 0, half, 1);
        }
        for (uint32_t m = 0; m < s->n_measures && p.x->log_sum[m] != NULL; m++) {
            test_measure(y, &p, m, 0, half, 1);
        }
    }
}

/* A measure, or a message that warns, that began to rise before the onset. */
static bool something_led(const struct why *y)
{
    for (size_t i = 0; i < y->n_findings; i++) {
        const struct finding *f = &y->findings[i];
        if (f->p < PLACE_P && f->after > f->before && f->shape != FINDING_STEP &&
            (f->metric == METRIC_MEASURE ||
             (f->message && (f->failing || f->cause != NULL || why__complains(y, f->stream, f->value) > 0)))) {
            return true;
        }
    }
    return false;
}

void why__alloc_scratch(struct why *y, uint32_t n)
{
    y->y = lq_alloc((n + 1) * sizeof *y->y);
    y->w = lq_alloc((n + 1) * sizeof *y->w);
    y->calm[0] = lq_alloc((n + 1) * sizeof *y->calm[0]);
    y->calm[1] = lq_alloc((n + 1) * sizeof *y->calm[1]);
}

void why__free_scratch(struct why *y)
{
    free(y->y);
    free(y->w);
    free(y->calm[0]);
    free(y->calm[1]);
    y->y = y->w = NULL;
    y->calm[0] = y->calm[1] = NULL;
}

void why__calm(const struct grid_series *x, uint32_t n, float *out)
{
    for (uint32_t t = 0; t < n; t++) {
        out[t] = x->count[t] - x->errors[t];
    }
}

void why__far_findings(struct why *y)
{
    uint32_t n = before_onset(y);
    why__alloc_scratch(y, y->far.steps);
    for (uint32_t i = 0; i < y->far.n_streams; i++) {
        test_stream(y, i, n);
    }
    uint32_t half = before_half(y);
    bool look = half > n && !something_led(y);
    for (uint32_t i = 0; i < y->far.n_streams && look; i++) {
        test_half(y, i, half);
    }
    why__free_scratch(y);
}

/* The same records under two dimensions (a logger and its only message) are one finding; the message says more. */
static void drop_twins(struct why *y)
{
    for (size_t i = 0; i < y->n_findings && !why__over(y); i++) {
        struct finding *f = &y->findings[i];
        for (size_t j = 0; j < y->n_findings && f->accepted && f->dim != NO_DIM && f->metric != METRIC_IDENTITIES;
             j++) {
            const struct finding *b = &y->findings[j];
            bool same = b->accepted && b->stream == f->stream && b->dim != NO_DIM && b->dim != f->dim &&
                        b->shape == f->shape && b->metric == f->metric && b->near == f->near &&
                        b->time_us == f->time_us && fabs(b->before - f->before) <= 1e-9 * b->before &&
                        fabs(b->after - f->after) <= 1e-9 * b->after;
            if (same && (b->message || (!f->message && b->dim < f->dim))) {
                f->accepted = false;
            }
        }
    }
}

struct moved { /* of a measure at a change: records and sums of logarithms, before and after */
    double n[2], s[2];
};

static struct moved moved_at(const struct grid_series *x, uint32_t m, uint32_t at, uint32_t to)
{
    struct moved r = {{0, 0}, {0, 0}};
    for (uint32_t t = 0; t < to; t++) {
        r.n[t >= at] += (double)x->log_n[m][t];
        r.s[t >= at] += x->log_sum[m][t] / GRID_LOG_UNIT;
    }
    return r;
}

/*
 * All requests became slower, because those of one host did: then that is what is said. The part of a host in the rise is
 * how many requests it had since, times how far their mean moved. A host's own series is too thin to be found by itself
 * when there are few requests; that something moved is known from the whole.
 */
static void localise(struct why *y, struct finding *f)
{
    const struct grid *g = f->near ? &y->near : &y->far;
    const struct grid_stream *st = &g->streams[f->stream];
    uint32_t at = grid_step(g, f->time_us), to = f->near ? g->steps : before_onset(y), hosts = 0, best = UINT32_MAX;
    double whole = 0, most = 0;
    struct moved b = {{0, 0}, {0, 0}};
    for (uint32_t i = 0; i < st->n_series; i++) {
        const struct grid_series *x = &st->series[i];
        if (x->dim != DIM_HOST || x->log_sum[f->measure] == NULL) {
            continue;
        }
        struct moved m = moved_at(x, f->measure, at, to);
        double part = m.n[0] > 0 && m.n[1] > 0 ? m.n[1] * (m.s[1] / m.n[1] - m.s[0] / m.n[0]) : 0;
        hosts += m.n[1] > 0;
        whole += part;
        if (part > most) {
            most = part;
            best = i;
            b = m;
        }
    }
    if (hosts < 3 || most < 0.7 * whole || b.n[1] < LOCAL_MIN) {
        return;
    }
    double scale = (double)st->info->schema->measures[f->measure].scale;
    f->dim = DIM_HOST;
    f->value = st->series[best].value;
    f->text = why__value(y, f->stream, f->dim, f->value);
    f->before = expm1(b.s[0] / b.n[0]) / scale;
    f->after = expm1(b.s[1] / b.n[1]) / scale;
}

/* Statistically firm is not enough: a route that takes a twentieth of a millisecond more, where requests take twenty,
 * is nobody's trouble. */
static bool matters(const struct why *y, const struct finding *f)
{
    if (f->metric != METRIC_MEASURE) {
        return true;
    }
    const struct grid_series *x = &y->far.streams[f->stream].total;
    const struct stream_schema *schema = why__info(y, f->stream)->schema;
    double sum = 0, n = 0, moved = fabs(f->after - f->before);
    for (uint32_t t = 0; t < y->far.steps; t++) {
        sum += x->log_sum[f->measure][t] / GRID_LOG_UNIT;
        n += (double)x->log_n[f->measure][t];
    }
    double usual = n > 0 ? expm1(sum / n) / (double)schema->measures[f->measure].scale : 0;
    return moved >= MATTERS * usual && (strcmp(schema->measures[f->measure].unit, "s") != 0 || moved >= MATTERS_S);
}

void why__accept_findings(struct why *y)
{
    double *p = lq_alloc((y->n_findings + 1) * sizeof *p);
    bool *accepted = lq_alloc(y->n_findings + 1);
    for (size_t i = 0; i < y->n_findings; i++) {
        p[i] = y->findings[i].p;
    }
    y->a->fdr = WHY_FDR;
    y->a->tested = y->n_findings;
    y->a->moved = benjamini_hochberg(p, y->n_findings, WHY_FDR, accepted);
    for (size_t i = 0; i < y->n_findings; i++) {
        y->findings[i].accepted = accepted[i] && matters(y, &y->findings[i]);
    }
    for (size_t i = 0; i < y->n_findings; i++) {
        struct finding *f = &y->findings[i];
        if (f->accepted && f->metric == METRIC_MEASURE && f->dim == NO_DIM && f->after > f->before) {
            localise(y, f);
        }
    }
    why__drop_inexact(y);
    drop_twins(y);
    free(p);
    free(accepted);
}
