/*
 * fold.c - observations to fragments: hours and days, by any number of threads (fold.h)
 *
 * Observations are grouped by hour with one counting sort; hours are folded in any order by any thread (fold_hour.c),
 * then days of the 1 h tier are put together from them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/fold_int.h"

#include <pthread.h>
#include <stdatomic.h>

#include "store/radix.h"

enum { COUNTED_HOURS_MAX = 1 << 16 };

struct unit { /* an hour */
    int64_t hour;
    size_t from, n; /* in rows */
    bool in_day;
    struct fold_hour_out out;
};

struct job {
    const struct observations *o;
    const struct fold_series *s;
    const struct fold_limits *l;
    uint32_t *rows; /* by hour */
    struct unit *units;
    size_t n_units, units_cap;
    size_t *days; /* first unit of each day, and the end */
    size_t n_days;
    _Atomic size_t next_unit, next_day;
    _Atomic uint64_t overflowed;
    pthread_barrier_t hours_done;
};

struct fold_thread {
    struct job *job;
    const struct fold_sink *sink;
    pthread_t thread;
};

/* ---- hours ---- */

static void add_unit(struct job *j, int64_t hour, size_t from, size_t n)
{
    lq_grow(&j->units, &j->units_cap, j->n_units + 1, sizeof *j->units);
    j->units[j->n_units++] =
        (struct unit){.hour = hour, .from = from, .n = n, .in_day = hour >= j->l->tier_from_s[TIER_1H] && hour < j->l->hour_before_s};
}

static int64_t hour_of(int64_t time_s)
{
    return tier_period_of(TIER_1MIN, time_s);
}

/* Hours far apart: sorted by the hour itself. */
static void group_sparse(struct job *j)
{
    const struct observations *o = j->o;
    struct keyed_row *k = lq_realloc(NULL, ((size_t)o->n + 1) * sizeof *k),
                     *tmp = lq_realloc(NULL, ((size_t)o->n + 1) * sizeof *tmp);
    for (uint32_t i = 0; i < o->n; i++) {
        k[i] = (struct keyed_row){(uint64_t)(hour_of(o->time_s[i]) / HOUR_S + (1LL << 40)), i};
    }
    radix_sort_rows(k, tmp, o->n);
    for (size_t i = 0, from = 0; i < o->n; i++) {
        j->rows[i] = k[i].row;
        if (i + 1 == o->n || k[i + 1].key != k[i].key) {
            add_unit(j, ((int64_t)k[i].key - (1LL << 40)) * HOUR_S, from, i + 1 - from);
            from = i + 1;
        }
    }
    free(k);
    free(tmp);
}

static void group_by_hour(struct job *j)
{
    const struct observations *o = j->o;
    int64_t first = INT64_MAX, last = INT64_MIN;
    for (uint32_t i = 0; i < o->n; i++) {
        first = o->time_s[i] < first ? o->time_s[i] : first;
        last = o->time_s[i] > last ? o->time_s[i] : last;
    }
    first = hour_of(first);
    if (last - first >= (int64_t)COUNTED_HOURS_MAX * HOUR_S) {
        group_sparse(j);
        return;
    }
    size_t hours = (size_t)((last - first) / HOUR_S) + 1, sum = 0;
    uint32_t *at = lq_alloc(hours * sizeof *at);
    for (uint32_t i = 0; i < o->n; i++) {
        at[(uint64_t)(o->time_s[i] - first) / HOUR_S]++;
    }
    for (size_t h = 0; h < hours; h++) {
        uint32_t n = at[h];
        if (n > 0) {
            add_unit(j, first + (int64_t)h * HOUR_S, sum, n);
        }
        at[h] = (uint32_t)sum;
        sum += n;
    }
    for (uint32_t i = 0; i < o->n; i++) {
        j->rows[at[(uint64_t)(o->time_s[i] - first) / HOUR_S]++] = i;
    }
    free(at);
}

static void group_by_day(struct job *j)
{
    j->days = lq_realloc(NULL, (j->n_units + 1) * sizeof *j->days);
    for (size_t i = 0; i < j->n_units; i++) {
        if (i == 0 || tier_period_of(TIER_1H, j->units[i].hour) != tier_period_of(TIER_1H, j->units[i - 1].hour)) {
            j->days[j->n_days++] = i;
        }
    }
    j->days[j->n_days] = j->n_units;
}

/* ---- days ---- */

static void close_day(struct job *j, size_t day, const struct fold_sink *sink)
{
    struct unit *u = j->units + j->days[day];
    size_t n = j->days[day + 1] - j->days[day];
    for (int section = 0; section < 3; section++) {
        struct fragment_at at[24];
        struct fragment out;
        size_t k = 0;
        for (size_t i = 0; i < n; i++) {
            if (u[i].in_day) {
                at[k++] = (struct fragment_at){&u[i].out.section[section], 0};
            }
        }
        if (k == 0) {
            return;
        }
        struct regroup how = {
            .step_s = 1, .out_step_s = 1, .keep_sums = true, .keep_distinct = true, .keep_bins = section != FOLD_CELLS};
        fragment_regroup(at, k, &how, &out);
        for (size_t i = 0; i < n; i++) {
            fragment_fini(&u[i].out.section[section]);
        }
        if (out.rows > 0) {
            sink->fragment(sink->ctx, TIER_1H, section, tier_period_of(TIER_1H, u->hour), &out);
        }
        fragment_fini(&out);
    }
}

/* ---- threads ---- */

struct folder *folder_new(void)
{
    struct folder *x = lq_alloc(sizeof *x);
    x->cells = builder_new(0, 0, BUILD_SUMS | BUILD_BINS);
    x->totals = builder_new(0, 0, BUILD_SUMS | BUILD_BINS);
    x->marginals = builder_new(0, 0, BUILD_DISTINCT);
    x->hour_cells = builder_new(0, 0, BUILD_SUMS);
    x->hour_totals = builder_new(0, 0, BUILD_SUMS | BUILD_BINS);
    x->hour_marginals = builder_new(0, 0, BUILD_SUMS | BUILD_BINS | BUILD_DISTINCT);
    return x;
}

static void folder_start(struct folder *x, const struct job *j, const struct fold_sink *sink)
{
    uint32_t m = j->o->n_measures, d = j->o->n_identities;
    x->o = j->o;
    x->s = j->s;
    x->l = j->l;
    x->sink = sink;
    x->overflowed = 0;
    builder_reshape(x->cells, m, 0);
    builder_reshape(x->totals, m, 0);
    builder_reshape(x->marginals, 0, d);
    builder_reshape(x->hour_cells, m, 0);
    builder_reshape(x->hour_totals, m, 0);
    builder_reshape(x->hour_marginals, m, d);
}

void folder_free(struct folder **xp)
{
    struct folder *x = *xp;
    if (x == NULL) {
        return;
    }
    builder_free(&x->cells);
    builder_free(&x->totals);
    builder_free(&x->marginals);
    builder_free(&x->hour_cells);
    builder_free(&x->hour_totals);
    builder_free(&x->hour_marginals);
    free(x->keys);
    free(x->keys_tmp);
    free(x->runs);
    for (uint32_t m = 0; m < MEASURE_MAX; m++) {
        free(x->bins[m]);
        free(x->total_bins[m]);
    }
    for (uint32_t p = 0; p < IDENTITY_MAX; p++) {
        free(x->entries[p]);
    }
    free(x->pairs);
    free(x->pairs_tmp);
    free(x->at);
    free(x->counts[0]);
    free(x->counts[1]);
    free(x->touched);
    free(x->heavy);
    free(x);
    *xp = NULL;
}

static void *fold_work(void *arg)
{
    struct fold_thread *t = arg;
    struct job *j = t->job;
    struct folder *x = t->sink->folder;
    folder_start(x, j, t->sink);
    for (size_t i; (i = atomic_fetch_add(&j->next_unit, 1)) < j->n_units;) {
        struct unit *u = &j->units[i];
        int day_slot = u->in_day ? (int)((u->hour - tier_period_of(TIER_1H, u->hour)) / HOUR_S) : -1;
        fold__hour(x, j->rows + u->from, u->n, u->hour, day_slot, &u->out);
    }
    atomic_fetch_add(&j->overflowed, x->overflowed);
    pthread_barrier_wait(&j->hours_done);
    for (size_t i; (i = atomic_fetch_add(&j->next_day, 1)) < j->n_days;) {
        close_day(j, i, t->sink);
    }
    return NULL;
}

void fold(const struct observations *o, const struct fold_series *s, const struct fold_limits *l,
          const struct fold_sink *sinks, unsigned n_threads, uint64_t *overflowed)
{
    struct job j = {.o = o, .s = s, .l = l};
    struct fold_thread *t = lq_alloc(n_threads * sizeof *t);
    *overflowed = 0;
    j.rows = lq_realloc(NULL, ((size_t)o->n + 1) * sizeof *j.rows);
    if (o->n > 0) {
        group_by_hour(&j);
    }
    group_by_day(&j);
    pthread_barrier_init(&j.hours_done, NULL, n_threads);
    for (unsigned i = 0; i < n_threads; i++) {
        t[i] = (struct fold_thread){.job = &j, .sink = &sinks[i]};
        if (i > 0) {
            LQ_ASSERT(pthread_create(&t[i].thread, NULL, fold_work, &t[i]) == 0);
        }
    }
    fold_work(&t[0]);
    for (unsigned i = 1; i < n_threads; i++) {
        pthread_join(t[i].thread, NULL);
    }
    pthread_barrier_destroy(&j.hours_done);
    *overflowed = j.overflowed;
    free(j.rows);
    free(j.units);
    free(j.days);
    free(t);
}
