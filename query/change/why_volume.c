/*
 * why_volume.c - traffic surges, and what fell silent
 *
 * A surge is told from the daily cycle by the cycle itself: how much the traffic of ten minutes differs from that of
 * the twenty minutes before is measured at every time before, and a rise counts when it stands out among all of those.
 * Heavier traffic than ever before counts as well. Silence: a host, a service or a whole stream that wrote regularly,
 * and wrote nothing at the end of the data.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/why_onset.h"

enum { SURGE_S = 600, LOOK_S = 3 * 3600, NULL_MIN = 24, SILENT_MIN_S = 300, SILENT_RECORDS = 20 };

enum { BIN_S = 600, DAY_BINS = 144, OTHER_DAYS = 30, SLOW_LOOK = 36 };

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, z = *(const double *)b;
    return x < z ? -1 : x > z;
}

static double middle_of(double *v, size_t n)
{
    qsort(v, n, sizeof *v, by_size);
    return n > 0 ? v[n / 2] : 0;
}

/* In a log of events each failure writes a line of its own: no traffic. */
static double traffic(const struct why *y, uint32_t i)
{
    const struct target *t = &y->t;
    return t->seen[i] - (t->kind == TARGET_SHARE && !y->a->requests_kind ? t->num[i] : 0);
}

#define WIDE_LEAST 0.5 /* logarithm: within an hour the day itself does less */

struct volume {
    const double *sum; /* sum[i] = records before step i */
    uint32_t n, width; /* steps; of the window */
};

static double log_ratio(const struct volume *v, uint32_t t)
{
    double after = v->sum[t + v->width] - v->sum[t], before = (v->sum[t] - v->sum[t - 2 * v->width]) / 2;
    return log((after + 1) / (before + 1));
}

/* Middle and spread of the ratio at all times before `until`. */
static bool usual_ratio(const struct volume *v, uint32_t until, double *middle, double *spread)
{
    double *r = lq_alloc((v->n + 1) * sizeof *r);
    size_t k = 0;
    for (uint32_t t = 2 * v->width; t + v->width<until; t += v->width / 2> 0 ? v->width / 2 : 1) {
        r[k++] = log_ratio(v, t);
    }
    bool ok = k >= NULL_MIN;
    if (ok) {
        qsort(r, k, sizeof *r, by_size);
        *middle = r[k / 2];
        for (size_t i = 0; i < k; i++) {
            r[i] = fabs(r[i] - *middle);
        }
        qsort(r, k, sizeof *r, by_size);
        *spread = 1.4826 * r[k / 2] > r[k - 1 - k / 50] / 3 ? 1.4826 * r[k / 2] : r[k - 1 - k / 50] / 3;
    }
    free(r);
    return ok;
}

/* The most that a window saw before `until`. */
static double most_before(const struct volume *v, uint32_t until)
{
    double most = 0;
    for (uint32_t t = 0; t + v->width <= until && t + v->width <= v->n; t++) {
        double x = v->sum[t + v->width] - v->sum[t];
        most = x > most ? x : most;
    }
    return most;
}

/* What swells for an hour is still there when the errors begin. */
static bool lasts(const struct volume *v, uint32_t at, int64_t onset, double before)
{
    double after = v->sum[at + v->width] - v->sum[at];
    int64_t i = onset < at ? at : onset;
    i = i + v->width > v->n ? (int64_t)v->n - v->width : i;
    return v->sum[i + v->width] - v->sum[i] > sqrt((before + 1) * (after + 1));
}

/* The same time of the other days saw clearly less, where there are other days. */
static bool more_than_usual(const struct volume *v, uint32_t at, int64_t step_s)
{
    double u[OTHER_DAYS];
    size_t k = 0;
    int64_t day = 86400 / step_s;
    for (int64_t i = at % day; i + v->width <= v->n && k < OTHER_DAYS; i += day) {
        if (i != at) {
            u[k++] = v->sum[i + v->width] - v->sum[i];
        }
    }
    return k == 0 || v->sum[at + v->width] - v->sum[at] > 1.3 * (middle_of(u, k) + 1);
}

static bool surge(struct why *y, const struct volume *v, bool wide)
{
    const struct target *t = &y->t;
    const struct incident *x = why__incident(y);
    int64_t onset = (x->high_us / US - t->from_s) / t->step_s + 1, look = (wide ? LOOK_S / 2 : LOOK_S) / t->step_s;
    int64_t from = onset - look > 2 * v->width ? onset - look : 2 * v->width, until = from;
    double middle = 0, spread = 0.2, best = -INFINITY;
    uint32_t at = 0;
    bool known = usual_ratio(v, (uint32_t)until, &middle, &spread);
    for (int64_t i = from; i <= onset && i + v->width <= v->n; i++) {
        double r = log_ratio(v, (uint32_t)i);
        if (r > best) {
            best = r;
            at = (uint32_t)i;
        }
    }
    if (at == 0) {
        return false;
    }
    double after = v->sum[at + v->width] - v->sum[at], before = (v->sum[at] - v->sum[at - 2 * v->width]) / 2;
    double noise = sqrt(spread * spread + 1 / (before + 1) + 1 / (after + 1)), z = (best - middle) / noise;
    double most = most_before(v, at), record = after / (most + 1), least = wide ? WIDE_LEAST : known ? 0.26 : 0.5;
    if (wide && (!known || !lasts(v, at, (x->time_us / US - t->from_s) / t->step_s, before) ||
                 !more_than_usual(v, at, t->step_s))) {
        return false;
    }
    struct finding *f = why__add_finding(y, y->target_stream, NO_DIM, 0);
    f->shape = FINDING_SURGE;
    f->metric = METRIC_COUNT;
    f->near = true;
    f->time_us = (t->from_s + (int64_t)at * t->step_s) * US;
    int64_t slack = (wide ? v->width : 1) * t->step_s;
    f->low_us = f->time_us - slack * US;
    f->high_us = f->time_us + slack * US;
    f->at_onset = f->high_us >= x->low_us;
    f->before = before / ((double)v->width * (double)t->step_s);
    f->after = after / ((double)v->width * (double)t->step_s);
    f->p = z > 4 && best > least && (record > 1.05 || z > 6)
               ? erfc(z / 1.4142135623730951) * (double)look
               : 1;
    f->p = f->p < CHANGE_P_FLOOR ? CHANGE_P_FLOOR : f->p > 1 ? 1 : f->p;
    f->stat = record;
    return f->p < 1e-3;
}

/* What the same time of the other days saw: the middle of them, of half an hour. */
static double other_days(const double *bin, uint32_t n, uint32_t i)
{
    double v[OTHER_DAYS];
    size_t k = 0;
    for (uint32_t j = i % DAY_BINS; j < n && k < OTHER_DAYS; j += DAY_BINS) {
        if (j != i && j > 0 && j + 1 < n) {
            v[k++] = (bin[j - 1] + bin[j] + bin[j + 1]) / 3;
        }
    }
    qsort(v, k, sizeof *v, by_size);
    return k == 0 ? NAN : k % 2 == 1 ? v[k / 2] : (v[k / 2 - 1] + v[k / 2]) / 2;
}

struct slow {
    uint32_t n, lo, hi; /* bins; of the look */
    double *r, *w;      /* log of the ratio to the other days, and its inverse variance; 0 = unknown */
    double level, spread;
};

static void ratios(const double *bin, struct slow *x)
{
    double *v = lq_alloc((x->n + 1) * sizeof *v);
    size_t k = 0;
    for (uint32_t i = 0; i < x->n; i++) {
        double e = other_days(bin, x->n, i);
        x->w[i] = isfinite(e) && e > 2 ? 1 : 0;
        x->r[i] = x->w[i] > 0 ? log((bin[i] + 0.5) / (e + 0.5)) : 0;
        if (x->w[i] > 0 && i < x->lo) {
            v[k++] = x->r[i];
        }
    }
    size_t day = k > DAY_BINS ? k - DAY_BINS : 0;
    x->level = middle_of(v + day, k - day);
    for (size_t i = 0; i < k; i++) {
        v[i] = fabs(v[i] - x->level);
    }
    x->spread = k > 12 ? 1.4826 * middle_of(v, k) + 0.02 : 0.3;
    free(v);
}

/* A rise over an hour hides in the daily cycle; against the same time of the other days it shows. */
static void slow_surge(struct why *y)
{
    const struct target *t = &y->t;
    const struct incident *inc = why__incident(y);
    uint32_t per = (uint32_t)(BIN_S / t->step_s), n = per > 0 ? t->n / per : 0,
             onset = per > 0 ? (uint32_t)((inc->high_us / US - t->from_s) / BIN_S) : 0;
    if (n < DAY_BINS + 12 || onset < 12 || onset >= n) {
        return;
    }
    double *bin = lq_alloc(n * sizeof *bin);
    struct slow x = {.n = n,
                     .lo = onset > SLOW_LOOK ? onset - SLOW_LOOK : 1,
                     .hi = onset + 6 < n ? onset + 6 : n,
                     .r = lq_alloc(n * sizeof *x.r),
                     .w = lq_alloc(n * sizeof *x.w)};
    for (uint32_t i = 0; i < n * per; i++) {
        bin[i / per] += traffic(y, i);
    }
    ratios(bin, &x);
    double best = 0;
    uint32_t top = 0;
    for (uint32_t i = onset > 6 ? onset - 6 : 1; i + 1 < x.hi; i++) {
        double r = (x.r[i - 1] + x.r[i] + x.r[i + 1]) / 3 - x.level;
        if (x.w[i] > 0 && r > best) {
            best = r;
            top = i;
        }
    }
    struct rise rise;
    if (best > 0.26 && best > 3.5 * x.spread && top > x.lo + 2 &&
        rise_fit(x.r + x.lo, x.w + x.lo, top + 1 - x.lo, false, &rise)) {
        struct finding *f = why__add_finding(y, y->target_stream, NO_DIM, 0);
        uint32_t at = x.lo + rise.at;
        f->shape = FINDING_SURGE;
        f->metric = METRIC_COUNT;
        f->near = true;
        f->time_us = (t->from_s + (int64_t)at * BIN_S) * US;
        f->low_us = (t->from_s + (int64_t)(x.lo + rise.low) * BIN_S) * US;
        f->high_us = (t->from_s + (int64_t)(x.lo + rise.high + 1) * BIN_S) * US;
        f->at_onset = f->high_us >= inc->low_us;
        f->before = bin[top] / exp(best) / BIN_S;
        f->after = bin[top] / BIN_S;
        f->stat = 1;
        f->p = CHANGE_P_FLOOR * 10;
    }
    free(bin);
    free(x.r);
    free(x.w);
}

/* Where two values gained about the same share, the one that was rare before says more: a route, not its method. */
static bool places_better(const struct finding *a, const struct finding *b)
{
    double x = a->after - a->before, z = b->after - b->before;
    return x > 0.8 * z && z > 0.8 * x ? a->before < b->before : x > z;
}

/* Most of the additional traffic is of one value: then that is what surged. */
void why__place_surges(struct why *y)
{
    for (size_t i = 0; i < y->n_findings; i++) {
        struct finding *f = &y->findings[i], *best = NULL;
        for (size_t j = 0; j < y->n_findings && f->accepted && f->shape == FINDING_SURGE; j++) {
            struct finding *b = &y->findings[j];
            bool kin = b->accepted && b->near && b->stream == f->stream && b->metric == METRIC_SHARE &&
                       b->shape == FINDING_STEP && b->dim >= DIM_BUILTIN && b->after - b->before > 0.15 &&
                       llabs(b->time_us - f->time_us) <= 2400 * US;
            if (kin && (best == NULL || places_better(b, best))) {
                best = b;
            }
        }
        if (best != NULL) {
            f->before *= best->before;
            f->after *= best->after;
            f->dim = best->dim;
            f->value = best->value;
            f->text = best->text;
            best->level_only = true;
        }
    }
}

/* Of the records, failed ones or not, those of one identity; 0 where it is not among the heaviest. */
static double share_of(const struct heavy *h, lq_str name)
{
    for (uint32_t k = 0; k < h->n; k++) {
        if (lq_str_eq(h->items[k].name, name)) {
            return (double)h->items[k].count / (double)(h->total + 1);
        }
    }
    return 0;
}

/* The same of all records: h[0] did not fail, h[1] did. */
static double share_of_both(const struct heavy h[2], lq_str name)
{
    double n = (double)h[0].total + 1, m = (double)h[1].total + 1;
    return (share_of(&h[0], name) * n + share_of(&h[1], name) * m) / (n + m);
}

/*
 * Does the identity fail more than its part of the traffic explains? Behind a proxy that hides the clients all requests are of one address, and so are all errors. One whose
 * part of the traffic is new is no such address.
 */
static bool fails_more(const struct heavy after[2], const struct heavy before[2], lq_str name)
{
    double share = share_of(&after[1], name), all = share_of_both(after, name);
    return share_of_both(before, name) < all / 3 || share > 3 * all || 1 - share < (1 - all) / 3;
}

/* One identity whose share of the records, or of the failed ones, rose: a client that came to flood. Hours are the finest that is kept. */
static void heavy_clients(struct why *y)
{
    const struct stream_info *info = y->t.info;
    const struct incident *x = why__incident(y);
    int64_t onset = x->time_us / US, hour = onset - onset % 3600,
            end = x->ongoing ? y->a->to_us / US + 1 : x->end_us / US + 1;
    for (uint32_t i = 0; i < info->schema->n_identities; i++) {
        struct heavy after[2] = {{0}}, before[2] = {{0}};
        bool read = true;
        for (int error = 0; error < 2; error++) {
            read =
                read && snapshot_heavy(y->s, info->id, i, error == 1, hour, end, &after[error], NULL) == LQ_OK &&
                snapshot_heavy(y->s, info->id, i, error == 1, y->a->from_us / US, hour, &before[error], NULL) == LQ_OK;
        }
        for (int error = 1; read && error >= 0; error--) {
            const struct heavy *h = &after[error];
            if (h->n == 0 || h->total < 20) {
                continue;
            }
            lq_str name = h->items[0].name;
            double share = (double)h->items[0].count / (double)h->total, was = share_of(&before[error], name);
            double exact = 1 - (double)h->error_bound / ((double)h->items[0].count + 1);
            if (share * exact > (error == 1 ? 0.35 : 0.15) && was < share / 3 &&
                (error == 0 || fails_more(after, before, name))) {
                struct finding *f = why__add_finding(y, y->target_stream, NO_DIM, i);
                f->metric = METRIC_IDENTITIES;
                f->shape = FINDING_STEP;
                f->near = f->at_onset = true;
                f->failing = error == 1;
                f->before = was;
                f->after = share;
                f->time_us = x->time_us;
                f->low_us = hour * US;
                f->high_us = x->high_us;
                f->p = CHANGE_P_FLOOR;
                f->cause = why__printf(y->a, "%.*s", (int)name.n, name.p);
            }
        }
        for (int error = 0; error < 2; error++) {
            heavy_fini(&after[error]);
            heavy_fini(&before[error]);
        }
    }
}

void why__volume_findings(struct why *y)
{
    const struct target *t = &y->t;
    double *sum = lq_alloc((t->n + 2) * sizeof *sum);
    struct volume v = {.sum = sum, .n = t->n};
    static const int64_t widths_s[] = {SURGE_S, 3 * SURGE_S, 6 * SURGE_S};
    bool known = false;
    for (uint32_t i = 0; i < t->n; i++) {
        sum[i + 1] = sum[i] + traffic(y, i);
    }
    for (size_t i = 0; i < sizeof widths_s / sizeof widths_s[0] && !known && t->kind != TARGET_COUNT; i++) {
        v.width = (uint32_t)(widths_s[i] / t->step_s);
        known = v.width >= 1 && t->n > 4 * v.width && surge(y, &v, i > 0);
    }
    if (!known && t->kind != TARGET_COUNT) {
        slow_surge(y);
    }
    heavy_clients(y);
    free(sum);
}

static bool silent_before(const struct why_silent *a, const struct why_silent *b)
{
    if (a->since_us != b->since_us) {
        return a->since_us > b->since_us;
    }
    int c = strcmp(a->stream, b->stream);
    c = c != 0 || a->value == NULL || b->value == NULL ? c : strcmp(a->value, b->value);
    return c < 0;
}

/* The last to fall silent first; when there are too many, those who did so long ago are left out. */
static void add_silent(struct why *y, const char *stream, const char *dim, const char *value, int64_t since_us)
{
    struct why_answer *a = y->a;
    struct why_silent x = {stream, dim, value, since_us};
    uint32_t at = a->n_silent;
    while (at > 0 && silent_before(&x, &a->silent[at - 1])) {
        at--;
    }
    if (at == WHY_SILENT_MAX) {
        return;
    }
    a->n_silent += a->n_silent < WHY_SILENT_MAX;
    memmove(a->silent + at + 1, a->silent + at, (a->n_silent - 1 - at) * sizeof x);
    a->silent[at] = x;
}

/* What wrote regularly and is silent at the end of the data. */
void why__silence(struct why *y)
{
    for (uint32_t i = 0; i < snapshot_streams(y->s); i++) {
        const struct stream_info *info = snapshot_stream(y->s, i);
        if (info->lines < SILENT_RECORDS || strcmp(info->schema->name, "unparsed") == 0) {
            continue;
        }
        int64_t lived = info->last_us - info->first_us, gap = y->a->to_us - info->last_us,
                usual = lived / (int64_t)info->lines;
        if (gap > SILENT_MIN_S * US && gap > 50 * usual && gap > lived / 50) {
            add_silent(y, why__printf(y->a, "%s", info->schema->name), NULL, NULL, info->last_us);
            continue;
        }
        for (uint32_t d = DIM_HOST; d <= DIM_SERVICE; d++) {
            for (uint32_t v = VALUE_OVERFLOW + 1; v < snapshot_values(y->s, info->id, d); v++) {
                const struct value_info x = *snapshot_value(y->s, info->id, d, v);
                int64_t life = x.last_us - x.first_us, quiet = info->last_us - x.last_us;
                if (x.count >= SILENT_RECORDS && quiet > SILENT_MIN_S * US && quiet > 50 * (life / (int64_t)x.count) &&
                    quiet > life / 50) {
                    add_silent(y, why__printf(y->a, "%s", info->schema->name),
                               why__printf(y->a, "%s", info->schema->dims[d]),
                               why__printf(y->a, "%.*s", (int)x.text.n, x.text.p), x.last_us);
                }
            }
        }
    }
}
