/*
 * fold_hour.c - the observations of one hour become the fragments of every tier (fold.h)
 *
 * One sort by (series, minute); then everything is read off in that order, each observation's bin worked out once:
 *
 *      runs of (series, minute)   -> CELLS 1 min
 *      runs of series             -> CELLS 1 h; by marginal -> MARGINALS 1 h (sums, bins)
 *      bins by (error, minute)    -> TOTALS 1 min; by error -> TOTALS 1 h
 *      entries sorted by (minute, register, rank), dealt to the marginals -> MARGINALS 1 min; their union -> 1 h
 * (distinct)
 *
 * Building each of these from the cells by fragment_regroup, one after the other, cost 2,850 instructions a line; this
 * costs a fifth.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/fold_int.h"
#include "store/heavy.h"
#include "store/radix.h"

enum { COUNTED_MAX = 256, SLOT_BITS = 6, ENTRY_BITS = 18, BUCKETS = 2 * FOLD_SLOTS, ROW_BITS = 32, AHEAD = 16 };

/* ---- order ---- */

static void sort_period(struct folder *x, const uint32_t *rows, size_t n, int64_t start, int64_t step)
{
    const struct observations *o = x->o;
    uint64_t prev = 0;
    bool in_order = true;
    lq_grow(&x->keys, &x->keys_cap, n + 1, sizeof *x->keys);
    lq_grow(&x->keys_tmp, &x->tmp_cap, n + 1, sizeof *x->keys_tmp);
    for (size_t i = 0; i < n; i++) {
        uint64_t slot = (uint64_t)(o->time_s[rows[i]] - start) / (uint64_t)step;
        in_order = in_order && slot >= prev;
        prev = slot;
        x->keys[i] = ((uint64_t)o->series[rows[i]] << SLOT_BITS | slot) << ROW_BITS | rows[i];
    }
    radix_sort_from(x->keys, x->keys_tmp, n,
                    in_order ? ROW_BITS + SLOT_BITS : ROW_BITS); /* logs mostly come in order of time */
}

/* The cap on cells per bucket: the first series keep their cells, the rest is filed under the overflow series. True:
 * something was. */
static bool cap_cells(struct folder *x, size_t n)
{
    uint32_t cells[FOLD_SLOTS] = {0};
    bool changed = false, over = false;
    uint64_t prev = UINT64_MAX;
    for (size_t i = 0; n > x->l->bucket_cells_max && i < n; i++) {
        uint64_t key = x->keys[i] >> ROW_BITS;
        unsigned slot = (unsigned)(key % FOLD_SLOTS);
        if (key != prev) {
            over = cells[slot] >= x->l->bucket_cells_max;
            cells[slot] += !over;
            prev = key;
        }
        if (over) {
            uint64_t to = x->l->overflow_series[x->s->error[key >> SLOT_BITS]];
            x->keys[i] = (to << SLOT_BITS | slot) << ROW_BITS | (uint32_t)x->keys[i];
            x->overflowed++;
            changed = true;
        }
    }
    if (changed) {
        radix_sort_from(x->keys, x->keys_tmp, n, ROW_BITS);
    }
    return changed;
}

/* ---- cells ---- */

static int64_t sum_saturating(int64_t a, int64_t b)
{
    int64_t s;
    return !__builtin_add_overflow(a, b, &s) ? s : a < 0 ? INT64_MIN : INT64_MAX;
}

/* Measure m of the keys [i, end): one cell. Adds to the run. */
static void cell_measure(struct folder *x, struct fold_run *run, uint32_t m, size_t i, size_t end)
{
    const struct observations *o = x->o;
    int16_t *bins = x->bins[m] + x->n_bins[m];
    int64_t sum = 0, min = INT64_MAX, max = INT64_MIN;
    uint32_t n = 0;
    for (; i < end; i++) {
        uint32_t r = (uint32_t)x->keys[i];
        if ((o->measure_set[r] >> m & 1) != 0) {
            int64_t v = o->measures[m][r];
            bins[n++] = (int16_t)sketch_bin(v);
            sum = sum_saturating(sum, v);
            min = v < min ? v : min;
            max = v > max ? v : max;
        }
    }
    if (n == 0) {
        return;
    }
    builder_run(x->cells, m, n, &(struct builder_sum){sum, min, max}, bins);
    x->n_bins[m] += n;
    run->n[m] += n;
    run->sum[m] = sum_saturating(run->sum[m], sum);
    run->min[m] = min < run->min[m] ? min : run->min[m];
    run->max[m] = max > run->max[m] ? max : run->max[m];
}

static struct fold_run *new_run(struct folder *x, uint32_t series)
{
    lq_grow(&x->runs, &x->runs_cap, x->n_runs + 1, sizeof *x->runs);
    struct fold_run *run = &x->runs[x->n_runs++];
    run->series = series;
    run->rows = 0;
    for (uint32_t m = 0; m < x->o->n_measures; m++) {
        run->n[m] = 0;
        run->sum[m] = 0;
        run->min[m] = INT64_MAX;
        run->max[m] = INT64_MIN;
        run->bins_at[m] = (uint32_t)x->n_bins[m];
    }
    return run;
}

/* The measures of a row that is AHEAD keys away: sorted by series, rows lie far apart in the log. */
static void prefetch_row(const struct folder *x, size_t i, size_t n)
{
    if (i + AHEAD < n) {
        for (uint32_t m = 0; m < x->o->n_measures; m++) {
            __builtin_prefetch(&x->o->measures[m][(uint32_t)x->keys[i + AHEAD]]);
        }
    }
}

/* Sorted keys to cells, series runs and bins. */
static void walk(struct folder *x, size_t n, struct fragment *cells)
{
    struct fold_run *run = NULL;
    x->n_runs = 0;
    for (uint32_t m = 0; m < x->o->n_measures; m++) {
        x->n_bins[m] = 0;
        lq_grow(&x->bins[m], &x->bins_cap[m], n + 1, sizeof *x->bins[m]);
    }
    for (size_t i = 0, end; i < n; i = end) {
        uint64_t key = x->keys[i] >> ROW_BITS;
        uint32_t series = (uint32_t)(key >> SLOT_BITS);
        prefetch_row(x, i, n);
        for (end = i + 1; end < n && x->keys[end] >> ROW_BITS == key; end++) {
            prefetch_row(x, end, n);
        }
        if (run == NULL || run->series != series) {
            run = new_run(x, series);
        }
        run->rows += (uint32_t)(end - i);
        builder_row(x->cells, series, (uint16_t)(key % FOLD_SLOTS));
        builder_count(x->cells, end - i);
        for (uint32_t m = 0; m < x->o->n_measures; m++) {
            cell_measure(x, run, m, i, end);
        }
    }
    builder_view(x->cells, cells);
}

/* ---- totals ---- */

struct bucket {
    uint64_t count;
    uint32_t n[MEASURE_MAX];
    struct builder_sum sum[MEASURE_MAX];
};

static void bucket_add(struct bucket *b, uint32_t m, uint32_t n, const struct builder_sum *s)
{
    struct builder_sum *t = &b->sum[m];
    if (n == 0) {
        return;
    }
    *t = b->n[m] == 0 ? *s
                      : (struct builder_sum){sum_saturating(t->sum, s->sum), s->min < t->min ? s->min : t->min,
                                             s->max > t->max ? s->max : t->max};
    b->n[m] += n;
}

static void put_bucket(struct folder *x, struct builder *b, uint32_t error, unsigned slot, const struct bucket *k,
                       const uint32_t at[MEASURE_MAX])
{
    if (k->count == 0) {
        return;
    }
    builder_row(b, error, (uint16_t)slot);
    builder_count(b, k->count);
    for (uint32_t m = 0; m < x->o->n_measures; m++) {
        if (k->n[m] > 0) {
            builder_run(b, m, k->n[m], &k->sum[m], x->total_bins[m] + at[m]);
        }
    }
}

/* The bins of measure m, in the order of the cells, dealt to the buckets; at[b] = where bucket b's begin. */
static void deal_bins(struct folder *x, const struct fragment *cells, uint32_t m, const struct bucket *buckets,
                      uint32_t at[BUCKETS])
{
    uint32_t next[BUCKETS], sum = 0;
    lq_grow(&x->total_bins[m], &x->total_cap[m], x->n_bins[m] + 1, sizeof *x->total_bins[m]);
    for (unsigned b = 0; b < BUCKETS; b++) {
        at[b] = next[b] = sum;
        sum += buckets[b].n[m];
    }
    const int16_t *bins = x->bins[m];
    for (uint32_t r = 0; r < cells->rows; r++) {
        uint32_t n = cells->m[m].n[r], *to = &next[x->s->error[cells->id[r]] * FOLD_SLOTS + cells->slot[r]];
        for (uint32_t i = 0; i < n; i++) {
            x->total_bins[m][*to + i] = bins[i];
        }
        *to += n;
        bins += n;
    }
}

/* From the cells of the last walk: totals by (error, slot), and by error into day_slot of hour_totals when that is >=
 * 0. */
static void fold_totals(struct folder *x, const struct fragment *cells, int day_slot, struct fragment *out)
{
    struct bucket *buckets = lq_alloc(BUCKETS * sizeof *buckets), whole;
    uint32_t at[MEASURE_MAX][BUCKETS];
    for (uint32_t r = 0; r < cells->rows; r++) {
        struct bucket *b = &buckets[x->s->error[cells->id[r]] * FOLD_SLOTS + cells->slot[r]];
        b->count += cells->count[r];
        for (uint32_t m = 0; m < x->o->n_measures; m++) {
            const struct measure_column *c = &cells->m[m];
            bucket_add(b, m, c->n[r], &(struct builder_sum){c->sum[r], c->min[r], c->max[r]});
        }
    }
    for (uint32_t m = 0; m < x->o->n_measures; m++) {
        deal_bins(x, cells, m, buckets, at[m]);
    }
    for (uint32_t error = 0; error < 2; error++) {
        uint32_t first[MEASURE_MAX] = {0};
        memset(&whole, 0, sizeof whole);
        for (uint32_t m = 0; m < x->o->n_measures; m++) {
            first[m] = at[m][error * FOLD_SLOTS];
        }
        for (unsigned slot = 0; slot < FOLD_SLOTS; slot++) {
            const struct bucket *b = &buckets[error * FOLD_SLOTS + slot];
            uint32_t here[MEASURE_MAX] = {0};
            whole.count += b->count;
            for (uint32_t m = 0; m < x->o->n_measures; m++) {
                here[m] = at[m][error * FOLD_SLOTS + slot];
                bucket_add(&whole, m, b->n[m], &b->sum[m]);
            }
            put_bucket(x, x->totals, error, slot, b, here);
        }
        if (day_slot >= 0) {
            put_bucket(x, x->hour_totals, error, (unsigned)day_slot, &whole, first);
        }
    }
    builder_view(x->totals, out);
    free(buckets);
}

/* ---- marginals ---- */

/* Pairs (marginal, run) sorted by marginal; at[marginal] = where its entries begin. */
static size_t pair_marginals(struct folder *x)
{
    const struct fold_series *s = x->s;
    size_t n = 0, sum = 0;
    lq_grow(&x->pairs, &x->pairs_cap, x->n_runs * s->marginals_per_series + 1, sizeof *x->pairs);
    for (size_t k = 0; k < x->n_runs; k++) {
        const uint32_t *m = s->marginals + (size_t)x->runs[k].series * s->marginals_per_series;
        for (uint32_t j = 0; j < s->marginals_per_series && m[j] != UINT32_MAX; j++) {
            x->pairs[n++] = (uint64_t)m[j] << ROW_BITS | k;
        }
    }
    lq_grow(&x->pairs_tmp, &x->pairs_tmp_cap, n + 1, sizeof *x->pairs_tmp);
    radix_sort_from(x->pairs, x->pairs_tmp, n, ROW_BITS);
    for (size_t i = 0; i < n; i++) {
        uint32_t marginal = (uint32_t)(x->pairs[i] >> ROW_BITS);
        lq_grow(&x->at, &x->at_cap, (size_t)marginal + 1, sizeof *x->at);
        if (i == 0 || x->pairs[i - 1] >> ROW_BITS != marginal) {
            x->at[marginal] = (uint32_t)sum;
        }
        sum += x->runs[(uint32_t)x->pairs[i]].rows;
    }
    for (uint32_t p = 0; p < IDENTITY_MAX; p++) {
        if (p == 0 || p < x->o->n_identities) {
            lq_grow(&x->entries[p], &x->entries_cap[p], sum + 1, sizeof *x->entries[p]);
        }
    }
    return n;
}

/* Entries of identity p sorted by (minute, register, rank), dealt to the marginals of each record. A record without the
 * identity has rank 0: counted, no entry. */
static void deal_entries(struct folder *x, const uint32_t *rows, size_t n, int64_t hour, uint32_t p)
{
    const struct observations *o = x->o;
    const struct fold_series *s = x->s;
    for (size_t i = 0; i < n; i++) {
        uint32_t r = rows[i], local = p < o->n_identities ? o->identities[p][r] : 0;
        if (p < o->n_identities && i + AHEAD < n) {
            __builtin_prefetch(&o->identity_hashes[p][o->identities[p][rows[i + AHEAD]]]);
        }
        uint64_t slot = (uint64_t)(o->time_s[r] - hour) / 60,
                 entry = local != 0 ? distinct_entry(o->identity_hashes[p][local]) : 0;
        x->keys[i] = (slot << ENTRY_BITS | entry) << ROW_BITS | r;
    }
    radix_sort_from(x->keys, x->keys_tmp, n, ROW_BITS);
    for (size_t i = 0; i < n; i++) {
        const uint32_t *m = s->marginals + (size_t)o->series[(uint32_t)x->keys[i]] * s->marginals_per_series;
        for (uint32_t j = 0; j < s->marginals_per_series && m[j] != UINT32_MAX; j++) {
            x->entries[p][x->at[m[j]]++] = (uint32_t)(x->keys[i] >> ROW_BITS);
        }
    }
}

/* The minutes of one marginal, whose entries are [from, end) of each identity. */
static void marginal_minutes(struct folder *x, uint32_t marginal, size_t from, size_t end)
{
    size_t at[IDENTITY_MAX];
    uint32_t identities = x->o->n_identities;
    for (uint32_t p = 0; p < IDENTITY_MAX; p++) {
        at[p] = from;
    }
    while (at[0] < end) {
        uint32_t slot = x->entries[0][at[0]] >> ENTRY_BITS;
        size_t before = at[0];
        builder_row(x->marginals, marginal, (uint16_t)slot);
        for (uint32_t p = 0; p == 0 || p < identities; p++) {
            const uint32_t *e = x->entries[p];
            size_t i = at[p];
            for (; i < end && e[i] >> ENTRY_BITS == slot; i++) {
                /* of equal registers the last has the largest rank */
                if ((e[i] & 63) != 0 && (i + 1 == end || e[i + 1] >> 6 != e[i] >> 6)) {
                    builder_distinct(x->marginals, p, e[i] & ((1U << ENTRY_BITS) - 1));
                }
            }
            at[p] = i;
        }
        builder_count(x->marginals, at[0] - before);
    }
}

/* The union of a marginal's entries, to the open row of hour_marginals. */
static void marginal_union(struct folder *x, uint32_t p, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++) {
        uint32_t e = x->entries[p][i], reg = e >> 6 & (DISTINCT_REGISTERS - 1);
        uint8_t rank = (uint8_t)(e & 63), *r = &x->registers[reg];
        if (rank > *r) {
            *r = rank;
            x->registers_used[reg / 64] |= 1ULL << (reg % 64);
        }
    }
    for (uint32_t word = 0; word < DISTINCT_REGISTERS / 64; word++) {
        for (uint64_t bits = x->registers_used[word]; bits != 0; bits &= bits - 1) {
            uint32_t reg = word * 64 + (uint32_t)__builtin_ctzll(bits);
            builder_distinct(x->hour_marginals, p, reg << 6 | x->registers[reg]);
            x->registers[reg] = 0;
        }
        x->registers_used[word] = 0;
    }
}

static void fold_marginals(struct folder *x, const uint32_t *rows, size_t n, int64_t hour, int day_slot,
                           struct fragment *out)
{
    size_t pairs = pair_marginals(x), from = 0;
    for (uint32_t p = 0; p == 0 || p < x->o->n_identities; p++) {
        deal_entries(x, rows, n, hour, p);
        size_t sum = 0;
        for (size_t i = 0; i < pairs; i++) { /* at[] again where each begins */
            uint32_t marginal = (uint32_t)(x->pairs[i] >> ROW_BITS);
            if (i == 0 || x->pairs[i - 1] >> ROW_BITS != marginal) {
                x->at[marginal] = (uint32_t)sum;
            }
            sum += x->runs[(uint32_t)x->pairs[i]].rows;
        }
    }
    for (size_t i = 0, next; i < pairs; i = next) {
        uint32_t marginal = (uint32_t)(x->pairs[i] >> ROW_BITS);
        size_t count = 0;
        for (next = i; next < pairs && x->pairs[next] >> ROW_BITS == marginal; next++) {
            count += x->runs[(uint32_t)x->pairs[next]].rows;
        }
        marginal_minutes(x, marginal, from, from + count);
        if (day_slot >= 0) {
            builder_row(x->hour_marginals, marginal, (uint16_t)day_slot);
            builder_count(x->hour_marginals, count);
            for (size_t k = i; k < next; k++) {
                const struct fold_run *run = &x->runs[(uint32_t)x->pairs[k]];
                for (uint32_t m = 0; m < x->o->n_measures; m++) {
                    if (run->n[m] > 0) {
                        builder_run(x->hour_marginals, m, run->n[m],
                                    &(struct builder_sum){run->sum[m], run->min[m], run->max[m]},
                                    x->bins[m] + run->bins_at[m]);
                    }
                }
            }
            for (uint32_t p = 0; p < x->o->n_identities; p++) {
                marginal_union(x, p, from, from + count);
            }
        }
        from += count;
    }
    builder_view(x->marginals, out);
}

/* ---- heaviest identities ---- */

/* Drops the items that cannot be among the HEAVY_MAX + 1 heaviest; their number by count, up to COUNTED_MAX, tells
 * which. */
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

/* A count for each (error, local id), all 0 between calls. */
static void grow_counts(struct folder *x, size_t n)
{
    for (int error = 0; error < 2; error++) {
        size_t before = x->counts_cap[error];
        lq_grow(&x->counts[error], &x->counts_cap[error], n, sizeof *x->counts[error]);
        memset(x->counts[error] + before, 0, (x->counts_cap[error] - before) * sizeof *x->counts[error]);
    }
}

static void fold_heavy(struct folder *x, const uint32_t *rows, size_t n, int64_t hour)
{
    const struct observations *o = x->o;
    lq_grow(&x->touched, &x->touched_cap, n + 1, sizeof *x->touched);
    lq_grow(&x->heavy, &x->heavy_cap, n + 1, sizeof *x->heavy);
    for (uint32_t p = 0; p < o->n_identities; p++) {
        size_t n_touched = 0;
        grow_counts(x, o->identity_count[p] + 1);
        for (size_t i = 0; i < n; i++) {
            uint32_t local = o->identities[p][rows[i]], error = x->s->error[o->series[rows[i]]];
            if (i + AHEAD < n) {
                __builtin_prefetch(&x->counts[0][o->identities[p][rows[i + AHEAD]]], 1);
            }
            if (local != 0 && x->counts[error][local]++ == 0) {
                x->touched[n_touched++] = local << 1 | error;
            }
        }
        for (uint32_t error = 0; error < 2; error++) {
            uint64_t total = 0;
            size_t k = 0;
            for (size_t i = 0; i < n_touched; i++) {
                uint32_t local = x->touched[i] >> 1;
                if ((x->touched[i] & 1) == error) {
                    total += x->counts[error][local];
                    x->heavy[k++] = (struct heavy_count){local, x->counts[error][local]};
                    x->counts[error][local] = 0;
                }
            }
            if (k > 0) {
                x->sink->heavy(x->sink->ctx, p, error != 0, hour, x->heavy, keep_heavy(x->heavy, k), total);
            }
        }
    }
}

/* ---- the hour ---- */

static void emit(struct folder *x, int tier, int section, int64_t start, const struct fragment *f)
{
    if (f->rows > 0 && start >= x->l->tier_from_s[tier]) {
        x->sink->fragment(x->sink->ctx, tier, section, start, f);
    }
}

static void fold_ten_seconds(struct folder *x, const uint32_t *rows, size_t n, int64_t start)
{
    int64_t end = start + tier_period_s(TIER_10S);
    struct fragment cells, totals;
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t t = x->o->time_s[rows[i]];
        if (t >= start && t < end) {
            x->touched[k++] = rows[i];
        }
    }
    if (k == 0) {
        return;
    }
    sort_period(x, x->touched, k, start, tiers[TIER_10S].step_s);
    cap_cells(x, k);
    walk(x, k, &cells);
    emit(x, TIER_10S, FOLD_CELLS, start, &cells);
    fold_totals(x, &cells, -1, &totals);
    emit(x, TIER_10S, FOLD_TOTALS, start, &totals);
}

void fold__hour(struct folder *x, const uint32_t *rows, size_t n, int64_t hour, int day_slot, struct fold_hour_out *out)
{
    struct fragment cells, totals, marginals;
    fold_heavy(x, rows, n, hour);
    sort_period(x, rows, n, hour, tiers[TIER_1MIN].step_s);
    bool capped = cap_cells(x, n);
    walk(x, n, &cells);
    emit(x, TIER_1MIN, FOLD_CELLS, hour, &cells);
    for (size_t k = 0; k < x->n_runs && day_slot >= 0; k++) {
        const struct fold_run *run = &x->runs[k];
        builder_row(x->hour_cells, run->series, (uint16_t)day_slot);
        builder_count(x->hour_cells, run->rows);
        for (uint32_t m = 0; m < x->o->n_measures; m++) {
            if (run->n[m] > 0) {
                builder_run(x->hour_cells, m, run->n[m], &(struct builder_sum){run->sum[m], run->min[m], run->max[m]},
                            NULL);
            }
        }
    }
    fold_totals(x, &cells, day_slot, &totals);
    emit(x, TIER_1MIN, FOLD_TOTALS, hour, &totals);
    if (capped) { /* marginals know no cap */
        sort_period(x, rows, n, hour, tiers[TIER_1MIN].step_s);
        walk(x, n, &cells);
    }
    fold_marginals(x, rows, n, hour, day_slot, &marginals);
    emit(x, TIER_1MIN, FOLD_MARGINALS, hour, &marginals);
    if (day_slot >= 0) {
        builder_take(x->hour_cells, &out->section[FOLD_CELLS]);
        builder_take(x->hour_totals, &out->section[FOLD_TOTALS]);
        builder_take(x->hour_marginals, &out->section[FOLD_MARGINALS]);
    }
    for (int64_t start = hour; start < hour + HOUR_S; start += tier_period_s(TIER_10S)) {
        if (start >= x->l->tier_from_s[TIER_10S]) {
            fold_ten_seconds(x, rows, n, start);
        }
    }
}
