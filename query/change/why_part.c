/*
 * why_part.c - the same question of one value alone: what fails on one route, one host or in one way drowns in the total
 *
 * Failures on a route that has a twentieth of the requests hardly move the share of all of them, and where they do,
 * the base of all others blurs the beginning. So each value of each dimension is asked too: its failures among its own
 * records, or, where the value itself says failure (a status, a message), among all records; one that is new is compared
 * with what all others were like before. The series are read once, coarsely; those in which a stretch stands out are cut
 * as the total is. A cut costs more the more series were asked: the likelihood of the strangest of m series by chance
 * grows by log m.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/why_onset.h"

enum {
    PART_STEPS = 720,
    PART_ERRORS_MIN = 6,
    PART_VALUES_MAX = 400,
    TRIED_MAX = 4,
    LINES_BY_MINUTES = 1000000,
    KNOWN_STEPS = 10,
    NEW_AFTER = 20
};
#define CLEARER        1.2 /* so many times the likelihood of the total's own incident: the beginning is better seen there */
#define FAR_CLEARER    2
#define FAILURE_ITSELF 0.9
#define SCREENED       0.7 /* of the price: windows of doubling length hold most of an incident, not all of it */

struct row {
    uint32_t id, step;
    float n;
    bool error;
};
struct part {
    uint32_t dim, value;
    bool among_all; /* the value itself says failure */
    uint32_t since; /* step of the target from which on it is there; before that, all others stand for it */
    double gain;
};
struct parts {
    struct why *y;
    int tier;
    uint32_t width, steps; /* a step of these is `width` steps of the target */
    struct row *rows;
    size_t n_rows, cap_rows;
    bool *error; /* by series */
    bool too_many;
    double asked;
    const struct incident *total; /* the onset of the total; NULL = it shows none */
    double total_gain;
    struct part best[TRIED_MAX];
    uint32_t n_best;
};

typedef void row_fn(void *ctx, uint32_t id, uint32_t step, double n);

static enum lq_err each_row(struct parts *p, row_fn *fn, void *ctx, struct lq_error *e)
{
    struct why *y = p->y;
    const struct target *t = &y->t;
    int64_t end = t->from_s + (int64_t)t->n * t->step_s, period;
    struct scan *c = NULL;
    const struct fragment *f;
    enum lq_err err = scan_open(y->s, t->info->id, p->tier, SECTION_CELLS, t->from_s, end, FRAGMENT_COUNTS, &c, e);
    while (err == LQ_OK && (err = budget_check(&y->o->budget, e)) == LQ_OK &&
           (err = scan_part(c, &f, &period, e)) == LQ_OK && f != NULL) {
        for (uint32_t r = 0; r < f->rows; r++) {
            int64_t at = period + (int64_t)f->slot[r] * tiers[p->tier].step_s, step = (at - t->from_s) / t->step_s;
            if (at + tiers[p->tier].step_s > t->from_s && at < end && f->id[r] < t->info->n_series) {
                fn(ctx, f->id[r], step < 0 ? 0 : (uint32_t)step, (double)f->count[r]);
            }
        }
    }
    scan_close(&c);
    return err;
}

static void keep_row(void *ctx, uint32_t id, uint32_t step, double n)
{
    struct parts *p = ctx;
    int64_t most = p->y->o->budget.bytes_max;
    p->too_many = p->too_many || (most > 0 && (int64_t)((p->n_rows + 1) * sizeof *p->rows) > most);
    if (p->too_many) {
        return;
    }
    lq_grow(&p->rows, &p->cap_rows, p->n_rows + 1, sizeof *p->rows);
    p->rows[p->n_rows++] = (struct row){id, step / p->width, (float)n, p->error[id]};
}

static double cost(double s, double w)
{
    double f = w - s;
    return s > 0 && f > 0 ? -2 * (s * log(s / w) + f * log(f / w)) : 0;
}

/* What it gains to take s of w out of the whole as a stretch of its own; 0 where less fails there. */
static double gain_of(double s, double w, double all_s, double all_w)
{
    double out_s = all_s - s, out_w = all_w - w;
    return w > 0 && s < w + 0.5 && s * (out_w + 1) > 1.5 * (out_s + 0.5) * w
               ? cost(all_s, all_w) - cost(s, w) - cost(out_s, out_w)
               : 0;
}

static double price(double places, double steps, int cuts, double asked)
{
    return cuts * 6 * log(fmin(2 * places, steps) + 2) + 2 * log(asked);
}

static bool overlaps(const struct parts *p, uint32_t from, uint32_t to)
{
    const struct incident *x = p->total;
    uint32_t a = from * p->width, b = to * p->width;
    return x == NULL || 2 * ((b < x->to ? b : x->to) - fmax(a, x->from)) >= b - a;
}

/* The stretch that stands out most, of doubling lengths or up to the end: its gain over its price; <= 0: none. s and w are running sums. */
static double strangest(const struct parts *p, const double *s, const double *w, double places)
{
    uint32_t n = p->steps;
    double best = 0, two = price(places, n, 2, p->asked), one = price(places, n, 1, p->asked);
    for (uint32_t length = 1; length <= n / 2; length *= 2) {
        uint32_t by = length > 1 ? length / 2 : 1;
        for (uint32_t i = 0; i + length <= n; i += by) {
            uint32_t j = i + length;
            double gain =
                s[j] - s[i] >= 3 && i > 0 ? gain_of(s[j] - s[i], w[j] - w[i], s[n], w[n]) / p->y->dispersion : 0;
            best = gain > SCREENED * two && gain > best && overlaps(p, i, j) ? gain : best;
        }
    }
    for (uint32_t i = 1; i < n; i++) {
        double gain = s[i + 1] > s[i] ? gain_of(s[n] - s[i], w[n] - w[i], s[n], w[n]) / p->y->dispersion : 0;
        best = gain > SCREENED * one && gain > best && overlaps(p, i, n) ? gain : best;
    }
    return best;
}

static void offer(struct parts *p, struct part one)
{
    uint32_t i = p->n_best;
    if (i == TRIED_MAX && one.gain <= p->best[i - 1].gain) {
        return;
    }
    i = i == TRIED_MAX ? i - 1 : p->n_best++;
    for (; i > 0 && p->best[i - 1].gain < one.gain; i--) {
        p->best[i] = p->best[i - 1];
    }
    p->best[i] = one;
}

struct of_value {
    uint32_t value, first; /* step in which it was first seen */
    bool among_all;
    double n, errors;
    lq_str text; /* ids depend on the order of loading, the answer must not */
};

static int by_errors(const void *a, const void *b)
{
    const struct of_value *x = a, *y = b;
    return x->errors != y->errors ? (x->errors > y->errors ? -1 : 1) : lq_str_cmp(x->text, y->text);
}

/* Of a dimension: the values that are asked, most failures first. */
static uint32_t values_to_ask(const struct parts *p, uint32_t dim, struct of_value **out)
{
    const struct stream_info *info = p->y->t.info;
    uint32_t n = snapshot_values(p->y->s, info->id, dim), k = 0;
    struct of_value *v = lq_alloc((n + 1) * sizeof *v);
    double all = 0, failing = 0;
    for (size_t i = 0; i < p->n_rows; i++) {
        const struct row *r = &p->rows[i];
        struct of_value *x = &v[snapshot_series(p->y->s, info->id, r->id)[dim]];
        x->first = x->n == 0 || r->step < x->first ? r->step : x->first;
        x->n += (double)r->n;
        x->errors += r->error ? (double)r->n : 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        v[i].value = i;
        v[i].among_all = v[i].errors > FAILURE_ITSELF * v[i].n;
        all += v[i].n;
        failing += v[i].errors;
    }
    for (uint32_t i = VALUE_OVERFLOW + 1; i < n; i++) {
        if (v[i].errors >= PART_ERRORS_MIN && (v[i].among_all ? v[i].errors < 0.95 * failing : v[i].n < 0.95 * all)) {
            v[k] = v[i];
            v[k++].text = snapshot_value(p->y->s, info->id, dim, i)->text;
        }
    }
    qsort(v, k, sizeof *v, by_errors);
    *out = v;
    return k < PART_VALUES_MAX ? k : PART_VALUES_MAX;
}

static void ask_value(struct parts *p, struct part one, const double *s, const double *w)
{
    double places = 0;
    for (uint32_t t = 0; t < p->steps; t++) {
        places += s[t + 1] > s[t];
    }
    one.gain = strangest(p, s, w, places);
    if (one.gain > CLEARER * p->total_gain + (p->total != NULL ? 2 * log(p->asked) : 0)) {
        offer(p, one);
    }
}

/* What was not there before has no before of its own: that of all others is what it should be like. */
static void ask_new(struct parts *p, struct part one, uint32_t first, double *s, double *w, const double *all_s,
                    const double *all_w)
{
    for (uint32_t t = 0; t <= p->steps; t++) {
        s[t] = t <= first ? all_s[t] : s[t] + all_s[first];
        w[t] = t <= first ? all_w[t] : w[t] + all_w[first];
    }
    one.since = first * p->width;
    ask_value(p, one, s, w);
}

/* Running sums of each value: row i + 1 of s and w is v[i], row 0 all of them. */
static void ask_dimension(struct parts *p, uint32_t dim, const struct of_value *v, uint32_t k)
{
    const struct stream_info *info = p->y->t.info;
    uint32_t n = snapshot_values(p->y->s, info->id, dim), cols = p->steps + 1;
    uint32_t *index = lq_alloc((n + 1) * sizeof *index);
    double *s = lq_alloc((size_t)(k + 1) * cols * sizeof *s), *w = lq_alloc((size_t)(k + 1) * cols * sizeof *w);
    for (uint32_t i = 0; i < k; i++) {
        index[v[i].value] = i + 1;
    }
    for (size_t i = 0; i < p->n_rows; i++) {
        const struct row *r = &p->rows[i];
        uint32_t at = index[snapshot_series(p->y->s, info->id, r->id)[dim]];
        w[r->step + 1] += (double)r->n;
        s[r->step + 1] += r->error ? (double)r->n : 0;
        if (at > 0) {
            w[(size_t)at * cols + r->step + 1] += (double)r->n;
            s[(size_t)at * cols + r->step + 1] += r->error ? (double)r->n : 0;
        }
    }
    for (uint32_t i = 0; i <= k; i++) {
        double *si = s + (size_t)i * cols, *wi = w + (size_t)i * cols;
        for (uint32_t t = 0; t < p->steps; t++) {
            si[t + 1] += si[t];
            wi[t + 1] += wi[t];
        }
        struct part one = i > 0 ? (struct part){.dim = dim, .value = v[i - 1].value, .among_all = v[i - 1].among_all}
                                : (struct part){0};
        if (i > 0) {
            ask_value(p, one, si, one.among_all ? w : wi);
        }
        if (i > 0 && !one.among_all && v[i - 1].first > p->steps / NEW_AFTER) {
            ask_new(p, one, v[i - 1].first, si, wi, s, w);
        }
    }
    free(index);
    free(s);
    free(w);
}

static void ask_all(struct parts *p)
{
    const struct stream_schema *x = p->y->t.info->schema;
    struct of_value *v[DIM_MAX] = {0};
    uint32_t k[DIM_MAX] = {0};
    p->asked = 1;
    for (uint32_t d = DIM_HOST; d < x->n_dims; d++) {
        k[d] = strcmp(x->dims[d], "status_class") != 0 ? values_to_ask(p, d, &v[d]) : 0;
        p->asked += k[d];
    }
    for (uint32_t d = DIM_HOST; d < x->n_dims; d++) {
        if (k[d] > 0) {
            ask_dimension(p, d, v[d], k[d]);
        }
        free(v[d]);
    }
}

/* ---- one part, exactly ---- */

struct exactly {
    struct parts *p;
    const struct part *part;
    double *num, *den;
};

static void add_exactly(void *ctx, uint32_t id, uint32_t step, double n)
{
    struct exactly *x = ctx;
    const struct why *y = x->p->y;
    bool in = step < x->part->since || snapshot_series(y->s, y->t.info->id, id)[x->part->dim] == x->part->value;
    x->num[step] += in && x->p->error[id] ? n : 0;
    x->den[step] += in || x->part->among_all ? n : 0;
}

static double incident_gain(const struct why *y, const struct incident *x)
{
    double s = 0, w = 0, all_s = 0, all_w = 0;
    for (uint32_t i = 0; i < y->t.n; i++) {
        all_s += y->t.num[i];
        all_w += y->t.den[i];
        s += i >= x->from && i < x->to ? y->t.num[i] : 0;
        w += i >= x->from && i < x->to ? y->t.den[i] : 0;
    }
    return gain_of(s, w, all_s, all_w) / y->dispersion;
}

/* The incident of the part that stands out most, refined: of use only where its beginning is known better, or far surer. */
static bool incident_of(struct parts *p, struct incident *out)
{
    struct why *y = p->y;
    double best = 0;
    uint32_t k = why__incidents(y, p->asked), at = 0;
    for (uint32_t i = 0; i < y->n_incidents; i++) {
        struct incident *x = &y->incidents[i];
        int64_t start_us = (y->t.from_s + (int64_t)x->from * y->t.step_s) * US;
        bool asked = start_us >= y->o->from_us && start_us < y->o->to_us;
        if (p->total != NULL) { /* another place of the same onset */
            asked = 2 * (fmin(x->to, p->total->to) - fmax(x->from, p->total->from)) >= x->to - x->from;
        }
        double gain = asked ? incident_gain(y, x) : 0;
        at = gain > best ? i : at;
        best = gain > best ? gain : best;
    }
    if (best <= CLEARER * p->total_gain) {
        return false;
    }
    why__refine(y, &y->incidents[at], k);
    *out = y->incidents[at];
    return p->total == NULL || best > FAR_CLEARER * p->total_gain ||
           out->high_us - out->low_us < p->total->high_us - p->total->low_us;
}

static bool try_part(struct parts *p, const struct part *part, struct incident *out, struct lq_error *e)
{
    struct why *y = p->y, saved = *y;
    struct exactly x = {.p = p, .part = part};
    double smallest = y->a->smallest_rise;
    bool found = false;
    x.num = lq_alloc((y->t.n + 1) * sizeof *x.num);
    x.den = lq_alloc((y->t.n + 1) * sizeof *x.den);
    y->over = each_row(p, add_exactly, &x, e);
    if (y->over == LQ_OK) {
        y->t.num = x.num;
        y->t.den = x.den;
        y->n_incidents = 0;
        found = incident_of(p, out);
        saved.over = y->over;
        *y = saved;
    }
    y->a->smallest_rise = smallest;
    free(x.num);
    free(x.den);
    return found;
}

static void say_part(struct why *y, const struct part *x, const struct incident *in)
{
    lq_str v = snapshot_value(y->s, y->t.info->id, x->dim, x->value)->text;
    const char *where = why__printf(y->a, "%s %.*s", y->t.info->schema->dims[x->dim], (int)v.n, v.p),
               *what = y->a->requests_kind ? "requests" : "records", *was = why__percent(y, in->before),
               *is = why__percent(y, in->after);
    why__notice(
        y->a, x->since > 0 ? why__printf(y->a, "seen on %s alone, which is new: %s of it fail, of all %s %s did before",
                                         where, is, what, was)
              : x->among_all
                  ? why__printf(y->a, "seen in %s alone: %s of all %s before, %s since", where, was, what, is)
                  : why__printf(y->a, "seen on %s alone: %s of its %s failed before, %s since", where, was, what, is));
}

/* The levels are those of all requests. */
static void take(struct why *y, const struct incident *found, struct incident *x)
{
    const struct target *t = &y->t;
    double s = 0, w = 0, bs = 0, bw = 0;
    uint32_t from = (uint32_t)((found->time_us / US - t->from_s) / t->step_s);
    for (uint32_t i = 0; i < found->to; i++) {
        *(i < from ? &bs : &s) += t->num[i];
        *(i < from ? &bw : &w) += t->den[i];
    }
    *x = *found;
    x->before = bw > 0 ? bs / bw : 0;
    x->after = w > 0 ? s / w : 0;
    x->peak = x->after;
    x->severity = found->excess;
}

void why__look_closer(struct why *y)
{
    struct incident total = *why__incident(y), x;
    struct parts p = {.y = y, .total = y->n_incidents > 0 ? &total : NULL};
    const struct stream_info *info = y->t.info;
    if (y->t.kind != TARGET_SHARE || y->o->target != NULL || y->t.n_parts > 0 || y->t.n < 2 || info->lines == 0 ||
        (p.total != NULL && p.total->high_us - p.total->low_us <= KNOWN_STEPS * y->t.step_s * US)) {
        return;
    }
    uint32_t n = snapshot_n_series(y->s, info->id);
    p.tier = y->t.step_s >= 3600 || info->lines > LINES_BY_MINUTES ? TIER_1H : y->t.step_s >= 60 ? TIER_1MIN : TIER_10S;
    p.width = (y->t.n + PART_STEPS - 1) / PART_STEPS;
    p.width = p.tier == TIER_1H && p.width * y->t.step_s < 3600 ? (uint32_t)(3600 / y->t.step_s) : p.width;
    p.steps = (y->t.n + p.width - 1) / p.width;
    p.error = lq_alloc((n + 1) * sizeof *p.error);
    for (uint32_t i = 0; i < n; i++) {
        p.error[i] =
            snapshot_value(y->s, info->id, DIM_ERROR, snapshot_series(y->s, info->id, i)[DIM_ERROR])->text.n == 4;
    }
    p.total_gain = p.total != NULL ? incident_gain(y, p.total) : 0;
    y->over = each_row(&p, keep_row, &p, &y->over_error);
    if (p.too_many) {
        why__notice(y->a, "single values were not asked for an onset of their own: they need more memory than is allowed");
    } else if (y->over == LQ_OK) {
        ask_all(&p);
    }
    p.tier = y->t.step_s >= 3600 ? TIER_1H : y->t.step_s >= 60 ? TIER_1MIN : TIER_10S;
    bool found = false;
    for (uint32_t i = 0; i < p.n_best && !found && y->over == LQ_OK; i++) {
        found = try_part(&p, &p.best[i], &x, &y->over_error);
        if (found) {
            say_part(y, &p.best[i], &x);
        }
    }
    if (found) {
        y->chosen = p.total != NULL ? y->chosen : 0;
        y->n_incidents = p.total != NULL ? y->n_incidents : 1;
        take(y, &x, &y->incidents[y->chosen]);
    }
    free(p.rows);
    free(p.error);
}
