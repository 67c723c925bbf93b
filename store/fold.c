/*
 * fold.c - observations to fragments (fold.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/fold.h"

#include <stdlib.h>

#include "store/fragment_build.h"
#include "store/heavy.h"
#include "store/radix.h"

enum { HOUR_S = 3600, COUNTED_MAX = 256 };

struct folder {
    const struct observations *o;
    const struct fold_series *s;
    const struct fold_limits *l;
    const struct fold_sink *sink;
    uint64_t overflowed;
    struct builder *cells, *marginals;
    struct keyed_row *rows, *rows_tmp;
    uint64_t *keys, *keys_tmp;
    size_t keys_cap, keys_tmp_cap;
    /* the open day: hourly fragments of its hours */
    int64_t day;
    uint32_t n_hours;
    struct fragment hour_cells[24], hour_totals[24], hour_marginals[24];
};

/* ---- cells of one period ---- */

static void observe_cell(struct folder *x, uint32_t r)
{
    const struct observations *o = x->o;
    builder_count(x->cells, 1);
    for (uint32_t m = 0; m < o->n_measures; m++) {
        if ((o->measure_set[r] >> m & 1) != 0) {
            builder_measure(x->cells, m, o->measures[m][r]);
        }
    }
}

/* Series of a row after the cap on cells per bucket: rows are sorted by (series, slot), so the first series keep their cells. */
static void cap_cells(struct folder *x, struct keyed_row *rows, size_t n)
{
    enum { SLOTS = 60 };
    uint32_t cells[SLOTS] = {0};
    bool changed = false;
    uint64_t prev = UINT64_MAX;
    bool over = false;
    for (size_t i = 0; i < n; i++) {
        unsigned slot = (unsigned)(rows[i].key & 0xffff);
        if (rows[i].key != prev) {
            over = cells[slot] >= x->l->bucket_cells_max;
            cells[slot] += !over;
            prev = rows[i].key;
        }
        if (over) {
            uint32_t to = x->l->overflow_series[x->s->error[x->o->series[rows[i].row]]];
            rows[i].key = (uint64_t)to << 16 | slot;
            x->overflowed++;
            changed = true;
        }
    }
    if (changed) {
        radix_sort_rows(rows, x->rows_tmp, n);
    }
}

/* rows: keys series << 16 | slot, sorted. */
static void fold_cells(struct folder *x, struct keyed_row *rows, size_t n, struct fragment *out)
{
    if (n > x->l->bucket_cells_max) {
        cap_cells(x, rows, n);
    }
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || rows[i].key != rows[i - 1].key) {
            builder_row(x->cells, (uint32_t)(rows[i].key >> 16), (uint16_t)rows[i].key);
        }
        observe_cell(x, rows[i].row);
    }
    builder_take(x->cells, out);
}

static uint32_t map_error(void *ctx, uint32_t id, uint32_t out[REGROUP_IDS_MAX])
{
    const struct folder *x = ctx;
    out[0] = x->s->error[id];
    return 1;
}

static uint32_t map_marginals(void *ctx, uint32_t id, uint32_t out[REGROUP_IDS_MAX])
{
    const struct fold_series *s = ((const struct folder *)ctx)->s;
    uint32_t n = 0;
    for (const uint32_t *m = s->marginals + (size_t)id * s->marginals_per_series; n < s->marginals_per_series && m[n] != UINT32_MAX; n++) {
        out[n] = m[n];
    }
    return n;
}

/* ---- marginals of one hour, per minute: count and distinct ---- */

/* Key: marginal 32 | minute 6 | register 12 | rank 6. A record without the identity has rank 0: counted, no entry. */
static size_t marginal_keys(struct folder *x, const struct keyed_row *rows, size_t n, uint32_t identity, bool has_identity)
{
    const struct fold_series *s = x->s;
    size_t k = 0;
    lq_grow(&x->keys, &x->keys_cap, n * s->marginals_per_series + 1, sizeof *x->keys);
    for (size_t i = 0; i < n; i++) {
        uint32_t r = rows[i].row, series = x->o->series[r];
        uint32_t local = has_identity ? x->o->identities[identity][r] : 0;
        uint64_t entry = local != 0 ? distinct_entry(x->o->identity_hashes[identity][local]) : 0;
        uint64_t low = (rows[i].key & 63) << 18 | entry;
        const uint32_t *m = s->marginals + (size_t)series * s->marginals_per_series;
        for (uint32_t j = 0; j < s->marginals_per_series && m[j] != UINT32_MAX; j++) {
            x->keys[k++] = (uint64_t)m[j] << 24 | low;
        }
    }
    lq_grow(&x->keys_tmp, &x->keys_tmp_cap, k + 1, sizeof *x->keys);
    radix_sort_keys(x->keys, x->keys_tmp, k);
    return k;
}

static void fold_marginals(struct folder *x, const struct keyed_row *rows, size_t n, struct fragment *out)
{
    struct fragment part[IDENTITY_MAX];
    const struct fragment *parts[IDENTITY_MAX];
    uint32_t passes = x->o->n_identities > 0 ? x->o->n_identities : 1;
    for (uint32_t p = 0; p < passes; p++) {
        size_t k = marginal_keys(x, rows, n, p, x->o->n_identities > 0);
        for (size_t i = 0; i < k;) {
            uint64_t row = x->keys[i] >> 18;
            builder_row(x->marginals, (uint32_t)(row >> 6), (uint16_t)(row & 63));
            size_t end = i;
            while (end < k && x->keys[end] >> 18 == row) {
                /* of equal registers the last has the largest rank */
                bool last = end + 1 == k || x->keys[end + 1] >> 6 != x->keys[end] >> 6;
                if (last && (x->keys[end] & 63) != 0) {
                    builder_distinct(x->marginals, p, (uint32_t)(x->keys[end] & 0x3ffff));
                }
                end++;
            }
            builder_count(x->marginals, p == 0 ? end - i : 0);
            i = end;
        }
        builder_take(x->marginals, &part[p]);
        parts[p] = &part[p];
    }
    if (passes == 1) {
        *out = part[0];
        return;
    }
    fragment_merge(parts, passes, out);
    for (uint32_t p = 0; p < passes; p++) {
        fragment_fini(&part[p]);
    }
}

/* ---- heaviest identities of one hour ---- */

/* Drops the items that cannot be among the HEAVY_MAX + 1 heaviest; their number by count, up to COUNTED_MAX, tells which. */
static size_t keep_heavy(struct heavy_count *c, size_t n)
{
    size_t of_count[COUNTED_MAX + 1] = {0}, k = 0, seen = 0;
    uint64_t least = COUNTED_MAX;
    for (size_t i = 0; i < n; i++) {
        of_count[c[i].count < COUNTED_MAX ? c[i].count : COUNTED_MAX]++;
    }
    while (least > 0 && (seen += of_count[least]) <= HEAVY_MAX) {
        least--;
    }
    for (size_t i = 0; i < n; i++) {
        if (c[i].count >= least) {
            c[k++] = c[i];
        }
    }
    return k;
}

static void fold_heavy(struct folder *x, const struct keyed_row *rows, size_t n, int64_t hour)
{
    for (uint32_t p = 0; p < x->o->n_identities; p++) {
        size_t k = 0;
        lq_grow(&x->keys, &x->keys_cap, n + 1, sizeof *x->keys);
        lq_grow(&x->keys_tmp, &x->keys_tmp_cap, n + 1, sizeof *x->keys);
        for (size_t i = 0; i < n; i++) {
            uint32_t r = rows[i].row, local = x->o->identities[p][r];
            if (local != 0) {
                x->keys[k++] = (uint64_t)x->s->error[x->o->series[r]] << 32 | local;
            }
        }
        radix_sort_keys(x->keys, x->keys_tmp, k);
        struct heavy_count *counts = lq_realloc(NULL, (k + 1) * sizeof *counts);
        for (size_t i = 0; i < k;) {
            uint64_t error = x->keys[i] >> 32;
            size_t c = 0;
            for (; i < k && x->keys[i] >> 32 == error; c++) {
                size_t from = i;
                while (i < k && x->keys[i] == x->keys[from]) {
                    i++;
                }
                counts[c] = (struct heavy_count){(uint32_t)x->keys[from], i - from};
            }
            uint64_t total = 0;
            for (size_t j = 0; j < c; j++) {
                total += counts[j].count;
            }
            x->sink->heavy(x->sink->ctx, p, error != 0, hour, counts, keep_heavy(counts, c), total);
        }
        free(counts);
    }
}

/* ---- hours and days ---- */

static void emit(struct folder *x, int tier, int section, int64_t start, struct fragment *f)
{
    if (f->rows > 0) {
        x->sink->fragment(x->sink->ctx, tier, section, start, f);
    }
    fragment_fini(f);
}

static void close_day(struct folder *x)
{
    struct fragment_at at[24];
    struct fragment *sections[3] = {x->hour_cells, x->hour_totals, x->hour_marginals};
    for (int section = 0; section < 3 && x->n_hours > 0; section++) {
        struct fragment out;
        for (uint32_t i = 0; i < x->n_hours; i++) {
            at[i] = (struct fragment_at){&sections[section][i], 0};
        }
        struct regroup how = {.step_s = 1, .out_step_s = 1, .keep_sums = true, .keep_distinct = true, .keep_bins = section != FOLD_CELLS};
        fragment_regroup(at, x->n_hours, &how, &out);
        for (uint32_t i = 0; i < x->n_hours; i++) {
            fragment_fini(&sections[section][i]);
        }
        emit(x, TIER_1H, section, x->day, &out);
    }
    x->n_hours = 0;
}

/* Rows of one hour, keys series << 16 | minute, sorted. */
static void fold_hour(struct folder *x, struct keyed_row *rows, size_t n, int64_t hour)
{
    int64_t day = tier_period_of(TIER_1H, hour);
    if (x->n_hours > 0 && day != x->day) {
        close_day(x);
    }
    x->day = day;
    struct fragment cells, totals, marginals, marginals_wide, both[2];
    fold_heavy(x, rows, n, hour);
    fold_marginals(x, rows, n, &marginals);
    fold_cells(x, rows, n, &cells);
    struct fragment_at at = {&cells, hour};
    struct regroup minute = {.step_s = 60, .out_step_s = 60, .out_start_s = hour, .keep_sums = true, .keep_bins = true, .map = map_error, .ctx = x};
    fragment_regroup(&at, 1, &minute, &totals);
    if (hour >= x->l->tier_from_s[TIER_1H]) {
        uint32_t h = x->n_hours++;
        struct regroup by_hour = {.step_s = 60, .out_step_s = HOUR_S, .out_start_s = day, .keep_sums = true, .keep_bins = true};
        fragment_regroup(&at, 1, &by_hour, &x->hour_cells[h]);
        struct fragment_at at_hour = {&x->hour_cells[h], 0}, at_totals = {&totals, hour}, at_marginals = {&marginals, hour};
        by_hour.keep_distinct = true;
        fragment_regroup(&at_totals, 1, &by_hour, &x->hour_totals[h]);
        struct regroup wide = {.step_s = 1, .out_step_s = 1, .keep_sums = true, .keep_bins = true, .map = map_marginals, .ctx = x};
        fragment_regroup(&at_hour, 1, &wide, &marginals_wide);
        fragment_regroup(&at_marginals, 1, &by_hour, &both[1]);
        for (uint32_t r = 0; r < both[1].rows; r++) {
            both[1].count[r] = 0; /* counted in marginals_wide */
        }
        const struct fragment *pair[2] = {&marginals_wide, &both[1]};
        fragment_merge(pair, 2, &x->hour_marginals[h]);
        fragment_fini(&marginals_wide);
        fragment_fini(&both[1]);
    }
    if (hour < x->l->tier_from_s[TIER_1MIN]) {
        fragment_fini(&cells);
        fragment_fini(&totals);
        fragment_fini(&marginals);
        return;
    }
    emit(x, TIER_1MIN, FOLD_CELLS, hour, &cells);
    emit(x, TIER_1MIN, FOLD_TOTALS, hour, &totals);
    emit(x, TIER_1MIN, FOLD_MARGINALS, hour, &marginals);
}

static void fold_ten_seconds(struct folder *x, struct keyed_row *rows, size_t n, int64_t start)
{
    struct fragment cells, totals;
    fold_cells(x, rows, n, &cells);
    struct fragment_at at = {&cells, start};
    struct regroup how = {.step_s = 10, .out_step_s = 10, .out_start_s = start, .keep_sums = true, .keep_bins = true, .map = map_error, .ctx = x};
    fragment_regroup(&at, 1, &how, &totals);
    emit(x, TIER_10S, FOLD_CELLS, start, &cells);
    emit(x, TIER_10S, FOLD_TOTALS, start, &totals);
}

/* Sort the rows from `from` on by (period, series, slot) and hand each period to fn. */
static void each_period(struct folder *x, int tier, void (*fn)(struct folder *, struct keyed_row *, size_t, int64_t))
{
    const struct observations *o = x->o;
    int64_t period = tier_period_s(tier), step = tiers[tier].step_s;
    int64_t from = tier == TIER_10S ? x->l->tier_from_s[tier] : INT64_MIN;
    size_t n = 0;
    for (uint32_t i = 0; i < o->n; i++) {
        if (o->time_s[i] >= from) {
            int64_t start = tier_period_of(tier, o->time_s[i]);
            x->rows[n++] = (struct keyed_row){(uint64_t)(start / period + (1LL << 40)), i};
        }
    }
    radix_sort_rows(x->rows, x->rows_tmp, n); /* stable, and nearly free where lines come in order */
    for (size_t i = 0; i < n;) {
        uint64_t key = x->rows[i].key;
        int64_t start = ((int64_t)key - (1LL << 40)) * period;
        size_t end = i;
        for (; end < n && x->rows[end].key == key; end++) {
        }
        for (size_t k = i; k < end; k++) {
            uint32_t r = x->rows[k].row;
            x->rows[k].key = (uint64_t)o->series[r] << 16 | (uint64_t)((o->time_s[r] - start) / step);
        }
        radix_sort_rows(x->rows + i, x->rows_tmp, end - i);
        fn(x, x->rows + i, end - i, start);
        i = end;
    }
}

void fold(const struct observations *o, const struct fold_series *s, const struct fold_limits *l, const struct fold_sink *sink,
          uint64_t *overflowed)
{
    struct folder *x = lq_alloc(sizeof *x);
    x->o = o;
    x->s = s;
    x->l = l;
    x->sink = sink;
    x->cells = builder_new(o->n_measures, 0, BUILD_SUMS | BUILD_BINS);
    x->marginals = builder_new(0, o->n_identities, BUILD_DISTINCT);
    x->rows = lq_realloc(NULL, ((size_t)o->n + 1) * sizeof *x->rows);
    x->rows_tmp = lq_realloc(NULL, ((size_t)o->n + 1) * sizeof *x->rows_tmp);
    each_period(x, TIER_1MIN, fold_hour);
    close_day(x);
    each_period(x, TIER_10S, fold_ten_seconds);
    *overflowed = x->overflowed;
    builder_free(&x->cells);
    builder_free(&x->marginals);
    free(x->rows);
    free(x->rows_tmp);
    free(x->keys);
    free(x->keys_tmp);
    free(x);
}
