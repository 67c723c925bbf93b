/*
 * fragment.c - building, merging and regrouping fragments in memory
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/fragment.h"

#include <stdlib.h>

#include "store/fragment_build.h"
#include "store/radix.h"

enum { SMALL_TAIL = 24, LONG_RUN = 16 };

struct build_measure {
    uint32_t *n, *bins_at;
    int64_t *sum, *min, *max;
    struct bin *bins;
    size_t n_bins, cap_bins;
    struct bin_scratch *counted; /* of the open row: bins of its long runs, counted at once; NULL before the first */
    bool counts;                 /* there are some */
    int64_t open_first; /* first value of the open row: its bin is added only when a second one comes */
};

struct build_identity {
    uint32_t *at, *entries;
    size_t n_entries, cap_entries;
};

struct builder {
    uint32_t n_measures, n_identities, rows, cap;
    uint32_t have_measures, have_identities; /* that have room for cap rows */
    unsigned columns;
    bool open;
    uint32_t *id;
    uint16_t *slot;
    uint64_t *count;
    struct build_measure m[MEASURE_MAX];
    struct build_identity d[IDENTITY_MAX];
    /* scratch of a row with many contributions: dense tables, and a bit for each entry in use (a sweep over the tables themselves was 18 % of a load) */
    struct bin_scratch scratch;
    uint8_t registers[DISTINCT_REGISTERS];
    uint64_t registers_used[DISTINCT_REGISTERS / 64];
};

void fragment_fini(struct fragment *f)
{
    lq_arena_fini(&f->mem);
    memset(f, 0, sizeof *f);
}

struct builder *builder_new(uint32_t n_measures, uint32_t n_identities, unsigned columns)
{
    struct builder *b = lq_alloc(sizeof *b);
    b->columns = columns;
    builder_reshape(b, n_measures, n_identities);
    return b;
}

void builder_reshape(struct builder *b, uint32_t n_measures, uint32_t n_identities)
{
    LQ_ASSERT(b->rows == 0 && !b->open);
    b->n_measures = (b->columns & BUILD_SUMS) != 0 ? n_measures : 0;
    b->n_identities = (b->columns & BUILD_DISTINCT) != 0 ? n_identities : 0;
    if (b->n_measures > b->have_measures || b->n_identities > b->have_identities) {
        b->cap = 0;
    }
}

void builder_free(struct builder **bp)
{
    struct builder *b = *bp;
    if (b == NULL) {
        return;
    }
    for (uint32_t i = 0; i < MEASURE_MAX; i++) {
        free(b->m[i].n);
        free(b->m[i].sum);
        free(b->m[i].min);
        free(b->m[i].max);
        free(b->m[i].bins_at);
        free(b->m[i].counted);
        free(b->m[i].bins);
    }
    for (uint32_t i = 0; i < IDENTITY_MAX; i++) {
        free(b->d[i].at);
        free(b->d[i].entries);
    }
    free(b->id);
    free(b->slot);
    free(b->count);
    free(b);
    *bp = NULL;
}

static void grow_rows(struct builder *b)
{
    uint32_t cap = b->cap > 0 ? b->cap * 2 : 64;
    b->id = lq_realloc(b->id, cap * sizeof *b->id);
    b->slot = lq_realloc(b->slot, cap * sizeof *b->slot);
    b->count = lq_realloc(b->count, cap * sizeof *b->count);
    for (uint32_t i = 0; i < b->n_measures; i++) {
        struct build_measure *m = &b->m[i];
        m->n = lq_realloc(m->n, cap * sizeof *m->n);
        m->sum = lq_realloc(m->sum, cap * sizeof *m->sum);
        m->min = lq_realloc(m->min, cap * sizeof *m->min);
        m->max = lq_realloc(m->max, cap * sizeof *m->max);
        m->bins_at = lq_realloc(m->bins_at, ((size_t)cap + 1) * sizeof *m->bins_at);
    }
    for (uint32_t i = 0; i < b->n_identities; i++) {
        b->d[i].at = lq_realloc(b->d[i].at, ((size_t)cap + 1) * sizeof *b->d[i].at);
    }
    b->cap = cap;
    b->have_measures = b->n_measures;
    b->have_identities = b->n_identities;
}

static void close_bins(struct builder *b, struct build_measure *m, uint32_t row)
{
    if (m->counts) {
        size_t n = bins_counted(m->counted);
        lq_grow(&m->bins, &m->cap_bins, m->n_bins + n, sizeof *m->bins);
        bins_take(m->counted, m->bins + m->n_bins);
        m->counts = false;
        bool only = m->n_bins == m->bins_at[row];
        m->n_bins += n;
        if (only) {
            return; /* sorted already */
        }
    }
    m->n_bins = m->bins_at[row] + bins_sort(&b->scratch, m->bins + m->bins_at[row], m->n_bins - m->bins_at[row]);
}

static void close_entries(struct builder *b, struct build_identity *d, uint32_t row)
{
    uint32_t *t = d->entries + d->at[row];
    size_t n = d->n_entries - d->at[row], k = 0, sorted = 1;
    while (sorted < n && t[sorted - 1] >> 6 < t[sorted] >> 6) {
        sorted++;
    }
    if (sorted == n) {
        return; /* the usual case of a fold */
    }
    if (n <= SMALL_TAIL) {
        for (size_t i = 0; i < n; i++) {
            uint32_t x = t[i];
            size_t j = k;
            while (j > 0 && t[j - 1] >> 6 > x >> 6) {
                j--;
            }
            if (j > 0 && t[j - 1] >> 6 == x >> 6) {
                t[j - 1] = t[j - 1] > x ? t[j - 1] : x;
                continue;
            }
            memmove(t + j + 1, t + j, (k - j) * sizeof *t);
            t[j] = x;
            k++;
        }
    } else {
        for (size_t i = 0; i < n; i++) {
            uint32_t reg = t[i] >> 6;
            uint8_t *r = &b->registers[reg], rank = (uint8_t)(t[i] & 63);
            *r = rank > *r ? rank : *r;
            b->registers_used[reg / 64] |= 1ULL << (reg % 64);
        }
        for (uint32_t word = 0; word < DISTINCT_REGISTERS / 64; word++) {
            for (uint64_t bits = b->registers_used[word]; bits != 0; bits &= bits - 1) {
                uint32_t reg = word * 64 + (uint32_t)__builtin_ctzll(bits);
                t[k++] = reg << 6 | b->registers[reg];
                b->registers[reg] = 0;
            }
            b->registers_used[word] = 0;
        }
    }
    d->n_entries = d->at[row] + k;
}

static void close_row(struct builder *b)
{
    uint32_t row = b->rows - 1;
    for (uint32_t i = 0; i < b->n_measures && (b->columns & BUILD_BINS) != 0; i++) {
        if (b->m[i].counts || b->m[i].n_bins > b->m[i].bins_at[row]) {
            close_bins(b, &b->m[i], row);
        }
    }
    for (uint32_t i = 0; i < b->n_identities; i++) {
        if (b->d[i].n_entries > (size_t)b->d[i].at[row] + 1) {
            close_entries(b, &b->d[i], row);
        }
    }
    b->open = false;
}

void builder_row(struct builder *b, uint32_t id, uint16_t slot)
{
    if (b->open) {
        close_row(b);
    }
    if (b->rows == b->cap) {
        grow_rows(b);
    }
    uint32_t r = b->rows++;
    LQ_ASSERT(r == 0 || b->id[r - 1] < id || (b->id[r - 1] == id && b->slot[r - 1] < slot));
    b->id[r] = id;
    b->slot[r] = slot;
    b->count[r] = 0;
    for (uint32_t i = 0; i < b->n_measures; i++) {
        b->m[i].n[r] = 0;
        b->m[i].sum[r] = b->m[i].min[r] = b->m[i].max[r] = 0;
        b->m[i].bins_at[r] = (uint32_t)b->m[i].n_bins;
    }
    for (uint32_t i = 0; i < b->n_identities; i++) {
        b->d[i].at[r] = (uint32_t)b->d[i].n_entries;
    }
    b->open = true;
}

void builder_count(struct builder *b, uint64_t count)
{
    uint64_t *c = &b->count[b->rows - 1];
    *c = *c > UINT64_MAX - count ? UINT64_MAX : *c + count;
}

static void push_bin(struct build_measure *m, struct bin x)
{
    lq_grow(&m->bins, &m->cap_bins, m->n_bins + 1, sizeof *m->bins);
    m->bins[m->n_bins++] = x;
}

static int64_t sum_saturating(int64_t a, int64_t b)
{
    int64_t s;
    return !__builtin_add_overflow(a, b, &s) ? s : a < 0 ? INT64_MIN : INT64_MAX;
}

/* Adds a cell of n observations; a lone observation keeps no bin until a second one joins it. */
static void add_measure(struct builder *b, uint32_t i, uint32_t n, int64_t sum, int64_t min, int64_t max)
{
    struct build_measure *m = &b->m[i];
    uint32_t r = b->rows - 1, before = m->n[r];
    if (before == 0) {
        m->min[r] = min;
        m->max[r] = max;
        m->open_first = sum;
    } else {
        if (before == 1 && (b->columns & BUILD_BINS) != 0) {
            push_bin(m, (struct bin){sketch_bin(m->open_first), 1});
        }
        m->min[r] = min < m->min[r] ? min : m->min[r];
        m->max[r] = max > m->max[r] ? max : m->max[r];
    }
    m->n[r] = add_saturating(before, n);
    m->sum[r] = sum_saturating(m->sum[r], sum);
}

void builder_run(struct builder *b, uint32_t i, uint32_t n, const struct builder_sum *sum, const int16_t *bins)
{
    struct build_measure *m = &b->m[i];
    bool lone = n == 1 && m->n[b->rows - 1] == 0;
    add_measure(b, i, n, sum->sum, sum->min, sum->max);
    if (lone || (b->columns & BUILD_BINS) == 0) {
        return;
    }
    if (n >= LONG_RUN) {
        m->counted = m->counted != NULL ? m->counted : lq_alloc(sizeof *m->counted);
        bins_count(m->counted, bins, n);
        m->counts = true;
        return;
    }
    lq_grow(&m->bins, &m->cap_bins, m->n_bins + n, sizeof *m->bins);
    for (uint32_t k = 0; k < n; k++) {
        m->bins[m->n_bins + k] = (struct bin){bins[k], 1};
    }
    m->n_bins += n;
}

void builder_cell(struct builder *b, const struct fragment *f, uint32_t row)
{
    builder_count(b, f->count[row]);
    for (uint32_t i = 0; i < b->n_measures && i < f->n_measures; i++) {
        const struct measure_column *c = &f->m[i];
        if (c->n == NULL || c->n[row] == 0) {
            continue;
        }
        bool bins = (b->columns & BUILD_BINS) != 0, first = b->m[i].n[b->rows - 1] == 0;
        add_measure(b, i, c->n[row], c->sum[row], c->min[row], c->max[row]);
        if (!bins || (first && c->n[row] == 1)) {
            continue;
        }
        struct bin one;
        size_t n;
        const struct bin *from = fragment_bins(c, row, &one, &n);
        lq_grow(&b->m[i].bins, &b->m[i].cap_bins, b->m[i].n_bins + n, sizeof *from);
        if (n > 0) {
            memcpy(b->m[i].bins + b->m[i].n_bins, from, n * sizeof *from);
        }
        b->m[i].n_bins += n;
    }
    for (uint32_t i = 0; i < b->n_identities && i < f->n_identities; i++) {
        const struct distinct_column *c = &f->d[i];
        if (c->at != NULL) {
            size_t n = c->at[row + 1] - c->at[row];
            struct build_identity *d = &b->d[i];
            lq_grow(&d->entries, &d->cap_entries, d->n_entries + n, sizeof *d->entries);
            if (n > 0) {
                memcpy(d->entries + d->n_entries, c->entries + c->at[row], n * sizeof *d->entries);
            }
            d->n_entries += n;
        }
    }
}

void builder_distinct(struct builder *b, uint32_t i, uint32_t entry)
{
    struct build_identity *d = &b->d[i];
    lq_grow(&d->entries, &d->cap_entries, d->n_entries + 1, sizeof *d->entries);
    d->entries[d->n_entries++] = entry;
}

uint32_t builder_rows(const struct builder *b)
{
    return b->rows;
}

static void *copy(struct lq_arena *mem, const void *p, size_t n)
{
    void *q = lq_arena_raw(mem, n > 0 ? n : 1);
    if (n > 0) {
        memcpy(q, p, n);
    }
    return q;
}

void builder_take(struct builder *b, struct fragment *out)
{
    if (b->open) {
        close_row(b);
    }
    memset(out, 0, sizeof *out);
    size_t rows = b->rows;
    out->rows = b->rows;
    out->n_measures = b->n_measures;
    out->n_identities = b->n_identities;
    out->id = copy(&out->mem, b->id, rows * sizeof *b->id);
    out->slot = copy(&out->mem, b->slot, rows * sizeof *b->slot);
    out->count = copy(&out->mem, b->count, rows * sizeof *b->count);
    for (uint32_t i = 0; i < b->n_measures; i++) {
        struct build_measure *m = &b->m[i];
        out->m[i].n = copy(&out->mem, m->n, rows * sizeof *m->n);
        out->m[i].sum = copy(&out->mem, m->sum, rows * sizeof *m->sum);
        out->m[i].min = copy(&out->mem, m->min, rows * sizeof *m->min);
        out->m[i].max = copy(&out->mem, m->max, rows * sizeof *m->max);
        if ((b->columns & BUILD_BINS) != 0) {
            if (b->cap > 0) {
                m->bins_at[rows] = (uint32_t)m->n_bins;
            }
            out->m[i].bins_at = copy(&out->mem, m->bins_at, b->cap > 0 ? (rows + 1) * sizeof *m->bins_at : 0);
            out->m[i].bins = copy(&out->mem, m->bins, m->n_bins * sizeof *m->bins);
        }
        m->n_bins = 0;
    }
    for (uint32_t i = 0; i < b->n_identities; i++) {
        struct build_identity *d = &b->d[i];
        if (b->cap > 0) {
            d->at[rows] = (uint32_t)d->n_entries;
        }
        out->d[i].at = copy(&out->mem, d->at, b->cap > 0 ? (rows + 1) * sizeof *d->at : 0);
        out->d[i].entries = copy(&out->mem, d->entries, d->n_entries * sizeof *d->entries);
        d->n_entries = 0;
    }
    b->rows = 0;
}

void builder_view(struct builder *b, struct fragment *out)
{
    if (b->open) {
        close_row(b);
    }
    memset(out, 0, sizeof *out);
    out->rows = b->rows;
    out->n_measures = b->n_measures;
    out->n_identities = b->n_identities;
    out->id = b->id;
    out->slot = b->slot;
    out->count = b->count;
    for (uint32_t i = 0; i < b->n_measures && b->cap > 0; i++) {
        struct build_measure *m = &b->m[i];
        m->bins_at[b->rows] = (uint32_t)m->n_bins;
        out->m[i] = (struct measure_column){m->n, m->sum, m->min, m->max, (b->columns & BUILD_BINS) != 0 ? m->bins_at : NULL, m->bins};
        m->n_bins = 0;
    }
    for (uint32_t i = 0; i < b->n_identities && b->cap > 0; i++) {
        struct build_identity *d = &b->d[i];
        d->at[b->rows] = (uint32_t)d->n_entries;
        out->d[i] = (struct distinct_column){d->at, d->entries};
        d->n_entries = 0;
    }
    b->rows = 0;
}

/* ---- regroup ---- */

struct source_row {
    const struct fragment *f;
    uint32_t row;
};

void fragment_regroup(const struct fragment_at *in, size_t n, const struct regroup *how, struct fragment *out)
{
    uint32_t n_measures = 0, n_identities = 0, ids[REGROUP_IDS_MAX];
    bool has_bins = false;
    size_t keys = 0, cap = 0, rows_cap = 0;
    struct keyed_row *k = NULL;
    struct source_row *rows = NULL;
    size_t n_rows = 0;
    for (size_t i = 0; i < n; i++) {
        const struct fragment *f = in[i].f;
        n_measures = f->n_measures > n_measures ? f->n_measures : n_measures;
        n_identities = f->n_identities > n_identities ? f->n_identities : n_identities;
        has_bins = has_bins || (f->n_measures > 0 && f->m[0].bins_at != NULL);
        lq_grow(&rows, &rows_cap, n_rows + f->rows, sizeof *rows);
        for (uint32_t r = 0; r < f->rows; r++) {
            int64_t at = in[i].start_s + (int64_t)f->slot[r] * how->step_s, t = at - how->out_start_s;
            if (how->bounded && (at < how->from_s || at >= how->to_s)) {
                continue;
            }
            uint64_t slot = (uint64_t)(t / how->out_step_s);
            uint32_t m = 1;
            ids[0] = f->id[r];
            if (how->map != NULL) {
                m = how->map(how->ctx, f->id[r], ids);
            }
            lq_grow(&k, &cap, keys + m, sizeof *k);
            for (uint32_t j = 0; j < m; j++) {
                k[keys++] = (struct keyed_row){(uint64_t)ids[j] << 16 | slot, (uint32_t)n_rows};
            }
            rows[n_rows++] = (struct source_row){f, r};
        }
    }
    struct keyed_row *tmp = lq_realloc(NULL, keys * sizeof *tmp);
    if (keys > 0) {
        radix_sort_rows(k, tmp, keys);
    }
    free(tmp);
    struct builder *b = builder_new(n_measures, n_identities,
                                    (how->keep_sums ? (unsigned)BUILD_SUMS : 0) | (how->keep_bins && has_bins ? (unsigned)BUILD_BINS : 0) |
                                        (how->keep_distinct ? (unsigned)BUILD_DISTINCT : 0));
    for (size_t i = 0; i < keys; i++) {
        if (i == 0 || k[i].key != k[i - 1].key) {
            builder_row(b, (uint32_t)(k[i].key >> 16), (uint16_t)k[i].key);
        }
        builder_cell(b, rows[k[i].row].f, rows[k[i].row].row);
    }
    builder_take(b, out);
    builder_free(&b);
    free(k);
    free(rows);
}

void fragment_merge(const struct fragment *const *in, size_t n, struct fragment *out)
{
    struct fragment_at *at = lq_alloc(n * sizeof *at);
    for (size_t i = 0; i < n; i++) {
        at[i].f = in[i];
    }
    struct regroup same = {.step_s = 1, .out_step_s = 1, .keep_bins = true, .keep_sums = true, .keep_distinct = true};
    fragment_regroup(at, n, &same, out);
    free(at);
}
