/*
 * prom_data.c - from buckets to the values of a selector at each step (prom.h)
 *
 * One pass over the cells of each stream that has the metric. Rows are added to dense arrays of (group, bucket); a window's value is a difference of running
 * sums. Quantiles keep (group, bucket, bin) entries and slide a table of bins along.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/http/prom.h"

#define SECOND_US 1000000LL
enum { COUNTER_BEFORE_S = 300, BINS_TABLE = 8192, BINS_ZERO = 4096, ENTRIES_MAX = 100000000 };

struct bin_entry {
    uint32_t bucket;
    int32_t bin;
    uint32_t n;
};
struct group {
    struct prom_series *series;
    double *sum;          /* by bucket */
    int64_t *min, *max;   /* by bucket, quantiles only */
    struct bin_entry *bins;
    size_t n_bins, cap_bins;
};
struct fetch {
    struct prom_eval *x;
    const struct prom_fetch *f;
    const struct stream_info *info;
    struct prom_metric metric;
    struct prom_bound *bound;
    int tier;
    int64_t unit_s, from_s, window_s; /* from_s: first bucket's start */
    uint32_t buckets;
    bool keep_stream;
    struct lq_map ids;
    struct group *g;
    size_t n, cap;
    int32_t *of_series; /* group by series id, -1 not selected, -2 not looked at */
};

/* ---- time ---- */

static int64_t floor_to(int64_t t, int64_t unit)
{
    return t - ((t % unit) + unit) % unit;
}

/* The rule of prom.h. */
static void choose_tier(struct fetch *q)
{
    const struct prom_eval *x = q->x;
    int64_t window = q->f->selector->window_us / SECOND_US, offset = q->f->selector->offset_us / SECOND_US, step = x->step_us / SECOND_US;
    int64_t start = x->start_us / SECOND_US - offset, from = start - (window > 0 ? window : COUNTER_BEFORE_S), first = q->info->first_us / SECOND_US;
    int best = -1, finest = TIER_1H;
    from = from > first ? from : first;
    for (int t = TIERS - 1; t >= 0; t--) {
        int64_t unit = tiers[t].step_s, have = q->info->tier_from_s[t];
        bool reaches = have != INT64_MAX && have <= floor_to(from, unit) + tier_period_s(t);
        reaches = reaches && (have <= floor_to(from, unit) || have <= first);
        if (!reaches || (q->f->kind == PROM_QUANTILE && t == TIER_1H)) { /* cells of the 1 h tier have no bins */
            continue;
        }
        finest = t < finest ? t : finest;
        bool fits = window % unit == 0 && (step % unit == 0 || x->steps == 1) && start % unit == 0 && x->start_us % SECOND_US == 0;
        if (fits && best < 0) {
            best = t;
        }
    }
    q->tier = best >= 0 ? best : finest;
    q->unit_s = tiers[q->tier].step_s;
    if (best < 0) {
        char text[160];
        snprintf(text, sizeof text, "times and windows are rounded to buckets of %s (stream %s)\n", tiers[q->tier].name, q->info->schema->name);
        if (x->infos->n == 0 || memmem(x->infos->p, x->infos->n, text, strlen(text)) == NULL) {
            lq_buf_str(x->infos, text);
        }
    }
    q->window_s = window > 0 ? (window + q->unit_s - 1) / q->unit_s * q->unit_s : COUNTER_BEFORE_S;
    q->window_s = q->f->kind == PROM_IRATE ? q->unit_s : q->window_s;
    q->window_s = (q->window_s + q->unit_s - 1) / q->unit_s * q->unit_s;
    q->from_s = floor_to(start, q->unit_s) - q->window_s;
    int64_t last = floor_to(start + (int64_t)(x->steps - 1) * x->step_us / SECOND_US, q->unit_s);
    q->buckets = (uint32_t)((last - q->from_s) / q->unit_s);
}

/* ---- groups ---- */

static bool label_listed(const struct prom_fetch *f, lq_str name)
{
    for (uint32_t i = 0; i < f->n_labels; i++) {
        if (lq_str_eq(f->labels[i], name)) {
            return true;
        }
    }
    return false;
}

static bool label_kept(const struct fetch *q, const char *name)
{
    lq_str n = lq_str_of(name);
    return !q->f->grouped || label_listed(q->f, n) != q->f->without;
}

static int by_name(const void *a, const void *b)
{
    return lq_str_cmp(((const struct prom_label *)a)->name, ((const struct prom_label *)b)->name);
}

static struct prom_series *new_series(struct fetch *q, const uint32_t *ids)
{
    struct prom_eval *x = q->x;
    const struct stream_schema *s = q->info->schema;
    struct prom_series *out = lq_arena_alloc(x->mem, sizeof *out);
    out->labels = lq_arena_alloc(x->mem, (DIM_MAX + 2) * sizeof *out->labels);
    if (q->keep_stream || label_kept(q, "stream")) {
        out->labels[out->n++] = (struct prom_label){LQ_STR("stream"), lq_arena_str(x->mem, lq_str_of(s->name))};
    }
    for (uint32_t d = 0; ids != NULL && d < s->n_dims; d++) {
        if (ids[d] != VALUE_ABSENT && label_kept(q, s->dims[d])) {
            out->labels[out->n++] = (struct prom_label){lq_arena_str(x->mem, lq_str_of(s->dims[d])), lq_arena_str(x->mem, snapshot_value(x->snap, q->info->id, d, ids[d])->text)};
        }
    }
    qsort(out->labels, out->n, sizeof *out->labels, by_name);
    out->v = lq_arena_alloc(x->mem, x->steps * sizeof *out->v);
    return out;
}

/* Group of a key; UINT32_MAX: over a limit, the error is set. */
static uint32_t group_of(struct fetch *q, const uint32_t *ids)
{
    uint32_t key[DIM_MAX] = {0};
    for (uint32_t d = 0; ids != NULL && d < q->info->schema->n_dims; d++) {
        key[d] = label_kept(q, q->info->schema->dims[d]) ? ids[d] : 0;
    }
    lq_str k = {(const char *)key, sizeof key};
    uint32_t g = lq_map_get(&q->ids, k);
    if (g != LQ_MAP_NONE) {
        return g;
    }
    uint64_t more = (uint64_t)q->buckets * (q->f->kind == PROM_QUANTILE ? 3 : 1) + q->x->steps;
    if (q->n == PROM_SERIES_MAX || q->x->values + more > PROM_VALUES_MAX) {
        (void)prom_too_many(q->x);
        return UINT32_MAX;
    }
    q->x->values += more;
    lq_grow(&q->g, &q->cap, q->n + 1, sizeof *q->g);
    q->g[q->n] = (struct group){.series = new_series(q, ids), .sum = lq_alloc((q->buckets + 1) * sizeof(double))};
    if (q->f->kind == PROM_QUANTILE) {
        q->g[q->n].min = lq_alloc((q->buckets + 1) * sizeof(int64_t));
        q->g[q->n].max = lq_alloc((q->buckets + 1) * sizeof(int64_t));
        for (uint32_t b = 0; b <= q->buckets; b++) {
            q->g[q->n].min[b] = INT64_MAX;
            q->g[q->n].max[b] = INT64_MIN;
        }
    }
    lq_map_set(&q->ids, k, (uint32_t)q->n);
    return (uint32_t)q->n++;
}

/* ---- the pass ---- */

static void add_bins(struct group *g, const struct measure_column *m, uint32_t r, uint32_t bucket)
{
    struct bin one;
    size_t n;
    const struct bin *b = fragment_bins(m, r, &one, &n);
    lq_grow(&g->bins, &g->cap_bins, g->n_bins + n, sizeof *g->bins);
    for (size_t i = 0; i < n; i++) {
        g->bins[g->n_bins++] = (struct bin_entry){bucket, b[i].bin, b[i].n};
    }
    g->min[bucket] = m->min[r] < g->min[bucket] ? m->min[r] : g->min[bucket];
    g->max[bucket] = m->max[r] > g->max[bucket] ? m->max[r] : g->max[bucket];
}

static void add_row(struct fetch *q, struct group *g, const struct fragment *f, uint32_t r, uint32_t bucket)
{
    const struct prom_metric *k = &q->metric;
    if (k->part == PROM_PART_NONE) {
        g->sum[bucket] += (double)f->count[r];
        return;
    }
    const struct measure_column *m = &f->m[k->measure];
    if (k->measure >= f->n_measures || m->n == NULL || m->n[r] == 0) {
        return;
    }
    if (k->part == PROM_PART_BUCKET) {
        add_bins(g, m, r, bucket);
    } else {
        g->sum[bucket] += k->part == PROM_PART_SUM ? (double)m->sum[r] : (double)m->n[r];
    }
}

/* TOTALS where no dimension is asked for, else CELLS. */
static enum lq_err scan_stream(struct fetch *q)
{
    struct prom_eval *x = q->x;
    struct scan *c = NULL;
    const struct fragment *f;
    int64_t period, to_s = q->from_s + (int64_t)q->buckets * q->unit_s;
    uint32_t n_series = 0, stream = q->info->id;
    unsigned what = q->metric.part == PROM_PART_NONE ? FRAGMENT_COUNTS : q->metric.part == PROM_PART_BUCKET ? FRAGMENT_BINS : FRAGMENT_SUMS;
    bool total = prom_bound_total(q->bound) && q->f->grouped && !q->f->without;
    for (uint32_t d = 0; d < q->info->schema->n_dims && total; d++) {
        total = !label_kept(q, q->info->schema->dims[d]);
    }
    if (!total) {
        n_series = snapshot_n_series(x->snap, stream);
        q->of_series = lq_alloc((n_series + 1) * sizeof *q->of_series);
        memset(q->of_series, 0xfe, n_series * sizeof *q->of_series);
    }
    enum lq_err err = scan_open(x->snap, stream, q->tier, total ? SECTION_TOTALS : SECTION_CELLS, q->from_s, to_s, what, &c, x->e);
    while (err == LQ_OK && (err = scan_next(c, &f, &period, x->e)) == LQ_OK && f != NULL) {
        if (x->request != NULL && http_stopped(x->request)) {
            err = LQ_ELIMIT;
        }
        for (uint32_t r = 0; r < f->rows && err == LQ_OK; r++) {
            int64_t t = period + (int64_t)f->slot[r] * q->unit_s;
            if (t < q->from_s || t >= to_s) {
                continue;
            }
            uint32_t g = 0;
            if (total) {
                if (q->metric.errors && f->id[r] != 1) {
                    continue;
                }
                g = group_of(q, NULL);
            } else if (q->of_series[f->id[r]] >= 0) {
                g = (uint32_t)q->of_series[f->id[r]];
            } else if (q->of_series[f->id[r]] == -1) {
                continue;
            } else {
                const uint32_t *ids = snapshot_series(x->snap, stream, f->id[r]);
                bool in = prom_passes(q->bound, ids) &&
                          (!q->metric.errors || lq_str_is(snapshot_value(x->snap, stream, DIM_ERROR, ids[DIM_ERROR])->text, "true"));
                g = in ? group_of(q, ids) : 0;
                q->of_series[f->id[r]] = in ? (int32_t)g : -1;
                if (!in) {
                    continue;
                }
            }
            if (g == UINT32_MAX) {
                err = LQ_ELIMIT;
            } else {
                add_row(q, &q->g[g], f, r, (uint32_t)((t - q->from_s) / q->unit_s));
            }
        }
    }
    scan_close(&c);
    return err;
}

/* ---- values ---- */

/* Buckets [*a, *b) of the window that ends at a step. */
static void window_of(const struct fetch *q, uint32_t step, uint32_t *a, uint32_t *b)
{
    int64_t t = q->x->start_us + (int64_t)step * q->x->step_us - q->f->selector->offset_us;
    int64_t end = floor_to(t >= 0 ? t / SECOND_US : (t - SECOND_US + 1) / SECOND_US, q->unit_s);
    int64_t hi = (end - q->from_s) / q->unit_s, lo = hi - q->window_s / q->unit_s;
    *a = q->f->kind == PROM_SELECTOR || lo < 0 ? 0 : (uint32_t)lo;
    *b = hi < 0 ? 0 : hi > q->buckets ? q->buckets : (uint32_t)hi;
}

static void rates(const struct fetch *q, struct group *g)
{
    double scale = q->metric.part == PROM_PART_SUM ? 1.0 / (double)q->info->schema->measures[q->metric.measure].scale : 1;
    double per = q->f->kind == PROM_RATE || q->f->kind == PROM_IRATE ? (double)q->window_s : 1;
    double run = 0, *before = lq_alloc((q->buckets + 1) * sizeof *before);
    for (uint32_t b = 0; b < q->buckets; b++) { /* counts and integer sums: exact below 2^53 */
        before[b] = run;
        run += g->sum[b];
    }
    before[q->buckets] = run;
    for (uint32_t k = 0; k < q->x->steps; k++) {
        uint32_t a, b;
        window_of(q, k, &a, &b);
        g->series->v[k] = (before[b] - before[a]) * scale / per;
    }
    free(before);
}

static int by_bucket(const void *a, const void *b)
{
    const struct bin_entry *x = a, *y = b;
    return x->bucket != y->bucket ? (x->bucket < y->bucket ? -1 : 1) : x->bin < y->bin ? -1 : x->bin > y->bin;
}

static uint32_t table_at(int32_t bin)
{
    int32_t i = bin + BINS_ZERO;
    return i < 0 ? 0 : i >= BINS_TABLE ? BINS_TABLE - 1 : (uint32_t)i;
}

/* Quantiles of sliding windows: the table holds the bins of buckets [a, b). */
static void quantiles(const struct fetch *q, struct group *g)
{
    double scale = (double)q->info->schema->measures[q->metric.measure].scale;
    uint64_t *table = lq_alloc(BINS_TABLE * sizeof *table);
    struct bin *list = lq_alloc(BINS_TABLE * sizeof *list);
    size_t in = 0, out = 0;
    qsort(g->bins, g->n_bins, sizeof *g->bins, by_bucket);
    for (uint32_t k = 0; k < q->x->steps; k++) {
        uint32_t a, b;
        int64_t min = INT64_MAX, max = INT64_MIN;
        window_of(q, k, &a, &b);
        for (; in < g->n_bins && g->bins[in].bucket < b; in++) {
            table[table_at(g->bins[in].bin)] += g->bins[in].n;
        }
        for (; out < in && g->bins[out].bucket < a; out++) {
            table[table_at(g->bins[out].bin)] -= g->bins[out].n;
        }
        for (uint32_t i = a; i < b; i++) {
            min = g->min[i] < min ? g->min[i] : min;
            max = g->max[i] > max ? g->max[i] : max;
        }
        size_t n = 0;
        for (uint32_t i = min <= max ? table_at(sketch_bin(min)) : BINS_TABLE; i < BINS_TABLE && (int32_t)i - BINS_ZERO <= sketch_bin(max); i++) {
            if (table[i] > 0) {
                list[n++] = (struct bin){(int32_t)i - BINS_ZERO, table[i] > UINT32_MAX ? UINT32_MAX : (uint32_t)table[i]};
            }
        }
        g->series->v[k] = n > 0 ? sketch_quantile(list, n, q->f->quantile, min, max) / scale : (double)NAN;
    }
    free(table);
    free(list);
}

static enum lq_err fetch_stream(struct prom_eval *x, const struct prom_fetch *f, const struct stream_info *info, const struct prom_metric *metric, struct prom_bound *bound,
                                bool keep_stream, struct lq_buf *out)
{
    struct fetch q = {.x = x, .f = f, .info = info, .metric = *metric, .bound = bound, .keep_stream = keep_stream};
    choose_tier(&q);
    enum lq_err err = scan_stream(&q);
    for (size_t i = 0; i < q.n; i++) {
        if (err == LQ_OK) {
            if (f->kind == PROM_QUANTILE) {
                quantiles(&q, &q.g[i]);
            } else {
                rates(&q, &q.g[i]);
            }
            lq_buf_add(out, q.g[i].series, sizeof *q.g[i].series);
        }
        x->values -= (uint64_t)q.buckets * (f->kind == PROM_QUANTILE ? 3 : 1); /* the steps stay */
        free(q.g[i].sum);
        free(q.g[i].min);
        free(q.g[i].max);
        free(q.g[i].bins);
    }
    free(q.g);
    free(q.of_series);
    lq_map_fini(&q.ids);
    return err;
}

static enum lq_err unknown_metric(struct prom_eval *x, const struct prom_expr *sel)
{
    char names[64][176];
    const char *list[64];
    size_t n = 0;
    snprintf(names[n++], sizeof names[0], "lq_records_total");
    snprintf(names[n++], sizeof names[0], "lq_errors_total");
    for (uint32_t i = 0; i < snapshot_streams(x->snap); i++) {
        const struct stream_schema *s = snapshot_stream(x->snap, i)->schema;
        for (uint32_t m = 0; m < s->n_measures && n + 3 <= 64; m++) {
            char base[160];
            prom_measure_name(s, m, base);
            snprintf(names[n++], sizeof names[0], "%s_sum", base);
            snprintf(names[n++], sizeof names[0], "%s_count", base);
            snprintf(names[n++], sizeof names[0], "%s_bucket", base);
        }
    }
    for (size_t i = 0; i < n; i++) {
        list[i] = names[i];
    }
    const char *near = lq_nearest(sel->name.p, sel->name.n, list, n);
    lq_buf_printf(x->infos, "there is no metric %.*s%s%s\n", (int)(sel->name.n < 100 ? sel->name.n : 100), sel->name.p, near != NULL ? "; did you mean " : "", near != NULL ? near : "");
    return LQ_OK; /* as Prometheus: an unknown metric has no series */
}

static int by_labels(const void *a, const void *b)
{
    const struct prom_series *x = a, *y = b;
    for (uint32_t i = 0; i < x->n && i < y->n; i++) {
        int c = lq_str_cmp(x->labels[i].name, y->labels[i].name);
        c = c != 0 ? c : lq_str_cmp(x->labels[i].value, y->labels[i].value);
        if (c != 0) {
            return c;
        }
    }
    return x->n < y->n ? -1 : x->n > y->n;
}

enum lq_err prom_too_many(const struct prom_eval *x)
{
    lq_error_set(x->e, LQ_ELIMIT, "the query touches too many series");
    lq_error_hint(x->e, "aggregate, for example sum by (host) (…), ask for a shorter range, or filter");
    return LQ_ELIMIT;
}

enum lq_err prom_fetch(struct prom_eval *x, const struct prom_fetch *f, struct prom_value *out)
{
    uint32_t known = 0, selected = 0;
    struct prom_bound *bound[STREAM_MAX] = {NULL};
    struct prom_metric metric[STREAM_MAX];
    struct lq_buf series = {0};
    enum lq_err err = LQ_OK;
    for (uint32_t i = 0; i < snapshot_streams(x->snap) && err == LQ_OK; i++) {
        const struct stream_info *info = snapshot_stream(x->snap, i);
        if (info->lines == 0 || !prom_metric_of(info->schema, f->selector->name, &metric[i])) {
            continue;
        }
        known++;
        if ((metric[i].part == PROM_PART_BUCKET) != (f->kind == PROM_QUANTILE)) {
            err = lq_error_set(x->e, LQ_EINVAL, f->kind == PROM_QUANTILE ? "histogram_quantile needs a metric that ends in _bucket" : "%.*s is only answered inside histogram_quantile",
                               (int)f->selector->name.n, f->selector->name.p);
            lq_error_hint(x->e, "histogram_quantile(0.99, sum by (le) (rate(lq_request_time_seconds_bucket[5m])))");
            break;
        }
        err = prom_bind(x->snap, info, f->selector, &bound[i], x->e);
        if (err == LQ_OK && !prom_bound_stream(bound[i])) {
            prom_unbind(&bound[i]);
        }
        selected += err == LQ_OK && bound[i] != NULL;
    }
    if (err == LQ_OK && known == 0) {
        err = unknown_metric(x, f->selector);
    }
    if (err == LQ_OK && selected > 1 && f->grouped && !f->without && !label_listed(f, LQ_STR("stream"))) {
        lq_buf_str(x->infos, "streams are not added together: each keeps its label\n");
    }
    for (uint32_t i = 0; i < snapshot_streams(x->snap); i++) {
        if (bound[i] != NULL && err == LQ_OK) {
            err = fetch_stream(x, f, snapshot_stream(x->snap, i), &metric[i], bound[i], selected > 1, &series);
        }
        prom_unbind(&bound[i]);
    }
    *out = (struct prom_value){.n = (uint32_t)(series.n / sizeof(struct prom_series))};
    if (out->n > 0) {
        out->s = lq_arena_alloc(x->mem, series.n);
        memcpy(out->s, series.p, series.n);
        qsort(out->s, out->n, sizeof *out->s, by_labels);
    }
    lq_buf_fini(&series);
    return err;
}

lq_str prom_label(const struct prom_series *s, lq_str name)
{
    for (uint32_t i = 0; i < s->n; i++) {
        if (lq_str_eq(s->labels[i].name, name)) {
            return s->labels[i].value;
        }
    }
    return (lq_str){"", 0};
}
