/*
 * why_near.c - what changed within hours before the onset, or with it: every series of the near grid
 *
 * Counts are tested for their likeliest step in the two hours before the onset and at it, as messages per request or as
 * a share of their stream. A step whose interval reaches the onset may be an effect of the failure as well as its
 * cause: it is marked, and says less. New values are those that the store never saw before; where new values come all
 * the time (free text), one more is no surprise.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/why_int.h"

enum {
    LOOK_S = 2 * 3600,
    LATE_S = 1800,
    COUNT_MIN = 6,
    NOVEL_MIN = 3,
    MEASURED_MIN = 60,
    SILENT_EXPECTED = 12,
    RENAME_GAP_S = 180,
    BEFORE_MIN = 60
};

struct nearness {
    uint32_t from, to; /* steps where a change may begin */
    uint32_t n;
    int64_t low_us, high_us;
};

static void place_time(struct why *y, struct finding *f, const struct nearness *o, const struct split *x)
{
    f->near = true;
    f->time_us = grid_time_us(&y->near, x->at);
    f->low_us = grid_time_us(&y->near, x->low);
    f->high_us = grid_time_us(&y->near, x->high + 1);
    f->at_onset = f->high_us >= o->low_us - y->near.step_s * US;
}

struct novelties {  /* of a dimension: how often each value came that was first seen while nothing happened */
    double *counts; /* ascending */
    uint32_t n;
    double quarters; /* of hours that they came in */
};

static int by_count(const void *a, const void *b)
{
    double x = *(const double *)a, z = *(const double *)b;
    return x < z ? -1 : x > z;
}

static struct novelties novelties_of(struct why *y, const struct stream_info *info, uint32_t dim, int64_t until_us)
{
    int64_t from_us = info->first_us + (until_us - info->first_us) / 4;
    uint32_t values = snapshot_values(y->s, info->id, dim);
    struct novelties u = {.counts = lq_alloc((values + 1) * sizeof *u.counts)};
    for (uint32_t v = VALUE_OVERFLOW + 1; v < values; v++) {
        const struct value_info *x = snapshot_value(y->s, info->id, dim, v);
        if (x->first_us > from_us && x->first_us < until_us) {
            u.counts[u.n++] = (double)x->count;
        }
    }
    if (u.n > 1) {
        qsort(u.counts, u.n, sizeof *u.counts, by_count);
    }
    u.quarters = until_us > from_us ? (double)(until_us - from_us) / 900e6 : 0;
    return u;
}

/* How many new values come in a quarter of an hour when nothing happens, that come a third as often as this one at
 * least: among names of pictures that are asked for once each, a route that many ask for at once is new. */
static double novelty_rate(const struct novelties *u, double count)
{
    uint32_t lo = 0, hi = u->n;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (u->counts[mid] < count / 3) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return u->quarters > 0 ? (u->n - lo) / u->quarters : 0;
}

/* Another stream had the value before: a route that the access log knows is not new where failures are logged. */
static bool known_elsewhere(const struct why *y, uint32_t stream, uint32_t dim, const struct value_info *v)
{
    const char *name = y->near.streams[stream].info->schema->dims[dim];
    for (uint32_t k = 0; k < y->near.n_streams; k++) {
        const struct stream_info *info = y->near.streams[k].info;
        for (uint32_t d = 0; d < info->schema->n_dims && k != stream; d++) {
            bool it = strcmp(info->schema->dims[d], name) == 0;
            uint32_t i = it ? snapshot_value_id(y->s, info->id, d, v->text) : UINT32_MAX;
            if (i != UINT32_MAX && snapshot_value(y->s, info->id, d, i)->first_us < v->first_us) {
                return true;
            }
        }
    }
    return false;
}

static void test_new(struct why *y, uint32_t stream, const struct grid_series *x, const struct nearness *o,
                     const struct novelties *novelties)
{
    const struct grid_stream *st = &y->near.streams[stream];
    const struct value_info v = *snapshot_value(y->s, st->info->id, x->dim, x->value);
    if (v.first_us < grid_time_us(&y->near, o->from) || v.first_us > o->high_us + LATE_S * US ||
        v.first_us <= st->info->first_us + 300 * US) {
        return;
    }
    double count = 0, errors = 0, steps = 0, since = 0, before = 0;
    uint32_t first = grid_step(&y->near, v.first_us);
    for (uint32_t t = 0; t < o->n; t++) {
        count += (double)x->count[t];
        errors += (double)x->errors[t];
        steps += x->count[t] > 0;
        *(t < first ? &before : &since) += (double)st->total.count[t];
    }
    double far = 0;
    for (uint32_t t = 0; t < grid_step(&y->far, grid_time_us(&y->near, 0)); t++) {
        far += (double)y->far.streams[stream].total.count[t];
    }
    before += far;
    bool failure = stream == y->target_stream && y->tells[x->dim] && errors * 2 > count &&
                   !why__is_template(st->info->schema, x->dim); /* a new status that means failure */
    double rate = count / ((double)(o->n - first) * (double)y->near.step_s), late = WHY_WAITS / (rate + 1e-9);
    bool complaint =
        why__is_template(st->info->schema, x->dim) && (errors * 2 > count || why__complains(y, stream, x->value) > 0);
    late = complaint ? (late < LATE_S ? late : LATE_S) : 0; /* what is rare is seen late */
    late = late > 2 * (double)y->near.step_s ? late : 2 * (double)y->near.step_s;
    bool message = why__is_template(st->info->schema, x->dim);
    if (count < NOVEL_MIN || before <= 0 || failure || v.first_us > o->high_us + (int64_t)(late * 1e6) ||
        (!message && known_elsewhere(y, stream, x->dim, &v))) {
        return;
    }
    struct finding *f = why__add_finding(y, stream, x->dim, x->value);
    f->near = true;
    f->shape = FINDING_NEW;
    f->metric = METRIC_COUNT;
    f->failing = errors * 2 > count;
    f->time_us = f->low_us = f->high_us = v.first_us;
    f->at_onset = v.first_us >= o->low_us - y->near.step_s * US;
    f->after = rate;
    f->p = pow((since + 1) / (before + since + 1), (steps < count ? steps : count));
    f->p = f->p < CHANGE_P_FLOOR ? CHANGE_P_FLOOR : f->p;
    double usual = novelty_rate(novelties, (double)v.count);
    f->stat = exp(-usual);
    if (usual > 1) {
        f->p = 1; /* new values come all the time */
    }
}

/* Messages follow the requests, values are shares of their stream. */
static void test_count(struct why *y, uint32_t stream, const struct grid_series *x, const struct nearness *o)
{
    const struct grid_stream *st = &y->near.streams[stream], *target = &y->near.streams[y->target_stream];
    const struct stream_schema *s = st->info->schema;
    bool message = why__is_template(s, x->dim), total = x->dim == UINT32_MAX;
    bool by_requests =
        (message || total) && stream != y->target_stream && target->info->schema->kind == STREAM_REQUESTS;
    const float *whole = by_requests        ? target->total.count
                         : message || total ? NULL
                                            : st->total.count,
                *part = x->count;
    if (!message && !total && s->kind != STREAM_REQUESTS) {
        why__calm(x, o->n, y->calm[0]);
        why__calm(&st->total, o->n, y->calm[1]);
        part = y->calm[0];
        whole = y->calm[1];
    }
    double count = 0, errors = 0;
    for (uint32_t t = 0; t < o->n; t++) {
        count += (double)x->count[t];
        errors += (double)x->errors[t];
    }
    if (stream == y->target_stream && !message && !total && y->tells[x->dim] && errors * 2 > count) {
        return; /* a status that means failure is the failure itself */
    }
    struct split c;
    const struct value_info *v = total ? NULL : snapshot_value(y->s, st->info->id, x->dim, x->value);
    bool fresh = v != NULL && v->first_us >= grid_time_us(&y->near, o->from);
    if (count < COUNT_MIN || fresh ||
        !why__split(part, whole, whole != NULL && !by_requests, o->n, o->from, o->to, &c)) {
        return;
    }
    double raw[2] = {0, 0}; /* in the volume itself, within an hour around */
    uint32_t hour = (uint32_t)(3600 / y->near.step_s), lo = c.at > hour ? c.at - hour : 0,
             hi = c.at + hour < o->n ? c.at + hour : o->n;
    for (uint32_t t = lo; t < hi; t++) {
        raw[t >= c.at] += (double)part[t];
    }
    raw[0] /= c.at - lo;
    raw[1] /= hi > c.at ? hi - c.at : 1;
    double moved = log((c.after + 1e-12) / (c.before + 1e-12)), volume = log((raw[1] + 1e-3) / (raw[0] + 1e-3));
    struct finding *f = why__add_finding(y, stream, total ? NO_DIM : x->dim, x->value);
    f->shape = FINDING_STEP;
    f->metric = whole != NULL && !by_requests ? METRIC_SHARE : METRIC_COUNT;
    f->failing = errors * 2 > count;
    place_time(y, f, o, &c);
    f->before = f->metric == METRIC_SHARE ? c.before : raw[0] / (double)y->near.step_s;
    f->after = f->metric == METRIC_SHARE ? c.after : raw[1] / (double)y->near.step_s;
    f->p = c.p;
    f->stat = c.stat;
    f->level_only = moved * volume <= 0 || fabs(volume) < 0.2;
    if (fabs(moved) < (message ? 0.7 : 0.3) || f->level_only) {
        f->p = 1;
    }
}

static void test_measure(struct why *y, uint32_t stream, const struct grid_series *x, uint32_t m,
                         const struct nearness *o, uint32_t until)
{
    const struct grid_stream *st = &y->near.streams[stream];
    double seen = 0;
    for (uint32_t t = 0; t < until; t++) {
        double k = (double)x->log_n[m][t];
        y->w[t] = k;
        y->y[t] = grid_mean_log(x, m, t);
        seen += k;
    }
    struct change c;
    if (seen < MEASURED_MIN || !change_best(y->y, y->w, until, &c)) {
        return;
    }
    struct finding *f = why__add_finding(y, stream, x->dim == UINT32_MAX ? NO_DIM : x->dim, x->value);
    double scale = (double)st->info->schema->measures[m].scale;
    struct split place = {.at = c.at, .low = c.low, .high = c.high};
    f->shape = c.shape == SHAPE_KINK ? FINDING_TREND : FINDING_STEP;
    f->metric = METRIC_MEASURE;
    f->measure = m;
    place_time(y, f, o, &place);
    f->before = expm1(c.before) / scale;
    f->after = expm1(c.after) / scale;
    f->p = fabs(c.after - c.before) < 0.1 ? 1 : c.p;
    f->stat = c.stat;
    if (f->low_us > o->high_us || c.at < o->from) { /* after the onset; or long before: the far grid has it */
        f->p = 1;
    }
}

/* What failed is slower or faster than what did not: in the hours before the onset the same question is asked once more,
 * or the failure hides what led there. */
static void test_measures(struct why *y, uint32_t stream, const struct grid_series *x, uint32_t m,
                          const struct nearness *o)
{
    uint32_t onset = grid_step(&y->near, o->low_us);
    test_measure(y, stream, x, m, o, o->n);
    if (onset >= BEFORE_MIN && onset < o->n) {
        test_measure(y, stream, x, m, o, onset);
    }
}

bool why__is_place(const char *dim)
{
    static const char *const places[] = {"host", "service",    "region", "zone", "instance",
                                         "pod",  "datacenter", "dc",     "az",   "node"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (strcmp(dim, places[i]) == 0) {
            return true;
        }
    }
    return false;
}

struct lull {          /* the longest time of nothing that begins where a change may begin */
    uint32_t from, to; /* steps, to exclusive */
    double expected;   /* records that its share of the stream before would have made */
    double before;     /* records until then */
    double usual;      /* the longest lull before where a change may begin, in records that were to be expected */
};

static bool find_lull(const struct grid_stream *st, const struct grid_series *x, const struct nearness *o, bool place,
                      struct lull *out)
{
    double count = 0, whole = 0, share = 0, during = 0, usual = 0;
    bool by_share = place && st->info->schema->kind == STREAM_REQUESTS;
    uint32_t start = 0;
    bool in = false;
    memset(out, 0, sizeof *out);
    for (uint32_t t = 0; t <= o->n; t++) {
        bool silent = t < o->n && x->count[t] <= 0;
        if (silent && !in) {
            start = t;
            during = 0;
            share = whole > 0 ? count / whole : 0;
        }
        double time = start > 0 ? count / start * (t - start) : 0, here = share * during;
        here = by_share || here < time ? here : time; /* in a stream that swells with failures a share says too much */
        if (!silent && in && start < o->from) {
            usual = here > usual ? here : usual;
        } else if (!silent && in && start <= o->to + 2 && here > out->expected) {
            *out = (struct lull){start, t, here, count, 0};
        }
        in = silent;
        if (t < o->n) {
            during += (double)st->total.count[t];
            whole += (double)st->total.count[t];
            count += (double)x->count[t];
        }
    }
    out->usual = usual;
    return out->to - out->from >= 3 && out->expected >= SILENT_EXPECTED && out->expected > (place ? 2 : 2.5) * usual;
}

/* By chance: among as many lulls as there were, of which the longest tells how bursty they are. */
static double lull_chance(const struct lull *l)
{
    double n = l->before > 2 ? l->before : 2, bursts = l->usual / (log(n) + 0.6);
    return n * exp(-l->expected / (bursts > 1 ? bursts : 1));
}

/* Regular before, nothing at all since, or for a while: for hosts and their like this is silence. The stream itself
 * must go on. */
static void test_gone(struct why *y, uint32_t stream, const struct grid_series *x, const struct nearness *o)
{
    const struct grid_stream *st = &y->near.streams[stream];
    bool place = why__is_place(st->info->schema->dims[x->dim]);
    struct lull l;
    if (!find_lull(st, x, o, place, &l) || (!place && l.to < o->n)) {
        return;
    }
    struct finding *f = why__add_finding(y, stream, x->dim, x->value);
    const struct value_info *v = snapshot_value(y->s, st->info->id, x->dim, x->value);
    int64_t at = grid_time_us(&y->near, l.from);
    f->near = true;
    f->shape = place ? FINDING_SILENCE : FINDING_GONE;
    f->metric = METRIC_COUNT;
    f->time_us = v->last_us < at ? v->last_us : at;
    f->low_us = f->time_us - y->near.step_s * US;
    f->high_us = f->time_us + 2 * y->near.step_s * US;
    f->at_onset = f->high_us >= o->low_us;
    f->before = l.before / ((double)(l.from > 0 ? l.from : 1) * (double)y->near.step_s);
    f->until_us = l.to < o->n ? grid_time_us(&y->near, l.to) : INT64_MAX;
    double p = exp(-l.expected / 4), chance = place ? lull_chance(&l) : p;
    p = chance < p ? chance : p;
    f->p = p < CHANGE_P_FLOOR ? CHANGE_P_FLOOR : p;
}

/* A value that goes when another of the same dimension comes with about the same volume was renamed: neither a loss nor
 * a gain. */
static void find_renames(struct why *y, size_t first)
{
    for (size_t i = first; i < y->n_findings; i++) {
        struct finding *gone = &y->findings[i];
        for (size_t j = first; j < y->n_findings && (gone->shape == FINDING_GONE || gone->shape == FINDING_SILENCE);
             j++) {
            struct finding *came = &y->findings[j];
            int64_t gap = came->time_us - gone->time_us;
            bool worse = came->message && (came->failing || came->cause != NULL); /* a warning became a failure */
            if (came->shape == FINDING_NEW && came->stream == gone->stream && came->dim == gone->dim && !worse &&
                llabs(gap) <= RENAME_GAP_S * US && came->after > 0.6 * gone->before &&
                came->after < 1.6 * gone->before) {
                gone->shape = FINDING_RENAME;
                gone->other = came->value;
                gone->after = came->after;
                gone->time_us = came->time_us;
                came->p = 1;
                came->level_only = true;
                break;
            }
        }
    }
}

static void test_stream(struct why *y, uint32_t i, const struct nearness *o)
{
    struct grid_stream *st = &y->near.streams[i];
    const struct stream_schema *s = st->info->schema;
    struct novelties usual[DIM_MAX];
    int64_t quiet_until = grid_time_us(&y->near, o->from);
    for (uint32_t d = DIM_HOST; d < s->n_dims; d++) {
        usual[d] = novelties_of(y, st->info, d, quiet_until);
    }
    if (i != y->target_stream) {
        test_count(y, i, &st->total, o);
    }
    for (uint32_t m = 0; m < s->n_measures; m++) {
        test_measures(y, i, &st->total, m, o);
    }
    for (uint32_t k = 0; k < st->n_series && !why__over(y); k++) {
        const struct grid_series *x = &st->series[k];
        if (x->dim == DIM_VERSION || why__repeats(s, x->dim)) {
            continue;
        }
        test_new(y, i, x, o, &usual[x->dim]);
        test_gone(y, i, x, o);
        test_count(y, i, x, o);
        for (uint32_t m = 0; m < s->n_measures && x->log_sum[m] != NULL && x->dim == DIM_HOST; m++) {
            test_measures(y, i, x, m, o);
        }
    }
    for (uint32_t d = DIM_HOST; d < s->n_dims; d++) {
        free(usual[d].counts);
    }
}

void why__near_findings(struct why *y)
{
    const struct incident *x = why__incident(y);
    struct nearness o = {.n = y->near.steps, .low_us = x->low_us, .high_us = x->high_us};
    uint32_t look = (uint32_t)(LOOK_S / y->near.step_s), at = grid_step(&y->near, x->low_us);
    size_t first = y->n_findings;
    if (y->near.steps < 8) {
        return;
    }
    o.from = at > look + 2 ? at - look : 2;
    o.to = grid_step(&y->near, x->high_us) + 1;
    o.to = o.to < o.n ? o.to : o.n - 1;
    why__alloc_scratch(y, o.n);
    for (uint32_t i = 0; i < y->near.n_streams; i++) {
        test_stream(y, i, &o);
    }
    find_renames(y, first);
    why__free_scratch(y);
}
