/*
 * exec_stream.c - one stream: groups, the pass over the data, the values
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/exec_int.h"

#include <math.h>
#include <stdlib.h>

/* ---- groups ---- */

static void grow_cells(struct run *x)
{
    size_t steps = x->r->steps, need = (size_t)x->n_groups * steps, old = x->cap_cells;
    if (need <= old) {
        return;
    }
    size_t cap = old * 2 > need ? old * 2 : need;
    x->cells = lq_realloc(x->cells, cap * sizeof *x->cells);
    memset(x->cells + old, 0, (cap - old) * sizeof *x->cells);
    for (uint32_t m = 0; m < MEASURE_MAX; m++) {
        if ((x->need_measures >> m & 1) != 0) {
            x->measures[m] = lq_realloc(x->measures[m], cap * sizeof *x->measures[m]);
            memset(x->measures[m] + old, 0, (cap - old) * sizeof *x->measures[m]);
        }
        if ((x->need_bins >> m & 1) != 0) {
            x->bins[m] = lq_realloc(x->bins[m], cap * sizeof *x->bins[m]);
            memset(x->bins[m] + old, 0, (cap - old) * sizeof *x->bins[m]);
        }
    }
    for (uint32_t i = 0; i < IDENTITY_MAX; i++) {
        if ((x->need_distinct >> i & 1) != 0) {
            x->distinct[i] = lq_realloc(x->distinct[i], cap * sizeof *x->distinct[i]);
            memset(x->distinct[i] + old, 0, (cap - old) * sizeof *x->distinct[i]);
        }
    }
    x->cap_cells = cap;
}

static int32_t group_of(struct run *x, const uint32_t *ids)
{
    uint32_t key[QUERY_BY_MAX] = {0};
    for (uint32_t i = 0; i < x->q->n_by; i++) {
        key[i] = x->by[i] == FIELD_STREAM ? 0 : ids[x->by[i]];
    }
    lq_str k = {(const char *)key, sizeof key};
    uint32_t g = lq_map_get(&x->group_ids, k);
    if (g == LQ_MAP_NONE) {
        g = x->n_groups++;
        lq_map_set(&x->group_ids, k, g);
        lq_grow(&x->group_values, &x->cap_groups, x->n_groups, sizeof *x->group_values);
        memcpy(x->group_values[g], key, sizeof key);
        grow_cells(x);
    }
    return (int32_t)g;
}

/* ---- the pass ---- */

static uint32_t step_of(const struct run *x, int64_t time_s)
{
    if (x->r->step_us == 0) {
        return 0;
    }
    int64_t d = time_s * US - x->r->step_start_us[0];
    return d < 0 ? 0 : (uint32_t)(d / x->r->step_us);
}

static void add_row(struct run *x, const struct fragment *f, uint32_t r, size_t at, bool error, bool counts)
{
    if (counts) {
        x->cells[at].count += f->count[r];
        x->cells[at].errors += error ? f->count[r] : 0;
    }
    for (uint32_t m = 0; m < f->n_measures; m++) {
        const struct measure_column *c = &f->m[m];
        if ((x->need_measures >> m & 1) == 0 || c->n == NULL || c->n[r] == 0) {
            continue;
        }
        struct measure_acc *a = &x->measures[m][at];
        a->min = a->n == 0 || c->min[r] < a->min ? c->min[r] : a->min;
        a->max = a->n == 0 || c->max[r] > a->max ? c->max[r] : a->max;
        a->n += c->n[r];
        a->sum += c->sum[r];
        if ((x->need_bins >> m & 1) != 0) {
            struct bin one;
            size_t n;
            const struct bin *from = fragment_bins(c, r, &one, &n);
            struct bins_acc *b = &x->bins[m][at];
            lq_grow(&b->bins, &b->cap, b->n + n, sizeof *b->bins);
            if (n > 0) {
                memcpy(b->bins + b->n, from, n * sizeof *from);
            }
            b->n += n;
        }
    }
    for (uint32_t i = 0; i < f->n_identities; i++) {
        const struct distinct_column *d = &f->d[i];
        if ((x->need_distinct >> i & 1) == 0 || d->at == NULL) {
            continue;
        }
        struct distinct_acc *a = &x->distinct[i][at];
        if (a->registers == NULL) {
            a->registers = lq_alloc(DISTINCT_REGISTERS);
        }
        for (uint32_t k = d->at[r]; k < d->at[r + 1]; k++) {
            uint8_t rank = (uint8_t)(d->entries[k] & 63), *reg = &a->registers[d->entries[k] >> 6];
            *reg = rank > *reg ? rank : *reg;
        }
    }
}

/* What a row's id means as value ids; false: not a row of this question. */
static bool row_ids(struct run *x, enum section section, uint32_t id, uint32_t marginal_dim, uint32_t ids[DIM_MAX], const uint32_t **out)
{
    uint32_t stream = x->info->id;
    *out = ids;
    if (section == SECTION_CELLS) {
        *out = snapshot_series(x->s, stream, id);
        return true;
    }
    memset(ids, 0, DIM_MAX * sizeof *ids);
    bool error = id == 1;
    if (section == SECTION_MARGINALS) {
        struct marginal_info m = snapshot_marginal(x->s, stream, id);
        if (m.dim != marginal_dim) {
            return false;
        }
        if (m.dim != NO_DIM) {
            ids[m.dim] = m.value;
        }
        error = m.error;
    }
    uint32_t v = snapshot_value_id(x->s, stream, DIM_ERROR, error ? LQ_STR("true") : LQ_STR("false"));
    ids[DIM_ERROR] = v == UINT32_MAX ? VALUE_ABSENT : v;
    return true;
}

static bool is_error(struct run *x, const uint32_t *ids)
{
    return snapshot_value(x->s, x->info->id, DIM_ERROR, ids[DIM_ERROR])->text.n == 4; /* "true" */
}

static enum lq_err pass(struct run *x, enum section section, unsigned what, uint32_t marginal_dim, const struct bound *filter, bool counts)
{
    struct scan *c;
    const struct fragment *f;
    int64_t period;
    uint32_t known = section == SECTION_CELLS ? snapshot_n_series(x->s, x->info->id) : section == SECTION_MARGINALS ? snapshot_marginals(x->s, x->info->id) : 2;
    int32_t *group = lq_alloc((known + 1) * sizeof *group);
    uint8_t *error = lq_alloc(known + 1);
    uint32_t ids[DIM_MAX];
    const uint32_t *row;
    for (uint32_t i = 0; i < known; i++) {
        group[i] = GROUP_NEW;
    }
    enum lq_err err = scan_open(x->s, x->info->id, x->tier, section, x->from_s, x->to_s, what, &c, x->e);
    while (err == LQ_OK && (err = scan_next(c, &f, &period, x->e)) == LQ_OK && f != NULL) {
        for (uint32_t r = 0; r < f->rows && err == LQ_OK; r++) {
            uint32_t id = f->id[r];
            int64_t t = period + (int64_t)f->slot[r] * tiers[x->tier].step_s;
            if (id >= known) {
                err = lq_error_set(x->e, LQ_ECORRUPT, "the store is damaged: an unknown series; lq debug verify tells more");
                break;
            }
            if (group[id] == GROUP_NEW) {
                bool in = row_ids(x, section, id, marginal_dim, ids, &row) && (filter == NULL || exec__passes(filter, row));
                error[id] = in && is_error(x, row);
                group[id] = in ? group_of(x, row) : GROUP_OUT;
                if ((uint64_t)x->n_groups * x->r->steps > RESULT_POINTS_MAX || x->n_groups > RESULT_SERIES_MAX) {
                    err = lq_error_set(x->e, LQ_ELIMIT, "the answer would have %u series of %u steps; at most %d points", x->n_groups, x->r->steps,
                                       RESULT_POINTS_MAX);
                    lq_error_hint(x->e, "ask for fewer fields after by, a longer every, or a shorter range");
                    break;
                }
            }
            if (group[id] != GROUP_OUT && t >= x->from_s && t < x->to_s) {
                add_row(x, f, r, (size_t)group[id] * x->r->steps + step_of(x, t), error[id] != 0, counts);
            }
        }
    }
    scan_close(&c);
    free(group);
    free(error);
    return err;
}

/* ---- tiers ---- */

/* The coarsest tier that serves the step and, if that can be, the whole range. */
static int choose_tier(const struct run *x, int64_t from_us, int64_t to_us, bool distinct, bool cell_quantile)
{
    int64_t step = x->r->step_us, offset = x->r->step_us > 0 ? x->r->step_start_us[0] : 0;
    int best = -1;
    for (int t = TIERS - 1; t >= TIER_10S; t--) {
        int64_t unit = tiers[t].step_s * US, have = x->info->tier_from_s[t];
        bool fits = step == 0 ? (from_us <= x->info->first_us || from_us % unit == 0) && (to_us > x->info->last_us || to_us % unit == 0)
                              : step % unit == 0 && offset % unit == 0 && (from_us <= x->info->first_us || from_us % unit == 0);
        if ((distinct && t == TIER_10S) || (cell_quantile && t == TIER_1H) || have == INT64_MAX) {
            continue;
        }
        bool covers = have * US <= (from_us > x->info->first_us ? from_us : x->info->first_us);
        if (fits && covers) {
            return t;
        }
        best = covers && best < 0 ? t : best;
    }
    return best;
}

static enum lq_err refuse(struct run *x, uint32_t at, const char *msg, const char *hint)
{
    query_error_at(x->q, x->e, at, 1, msg);
    lq_error_hint(x->e, "%s", hint);
    return LQ_EINVAL;
}

static uint32_t lone_dim(uint32_t dims)
{
    return dims == 0 ? NO_DIM : (uint32_t)__builtin_ctz(dims);
}

static enum lq_err read_data(struct run *x, const struct bound *filter)
{
    const struct query *q = x->q;
    struct result *r = x->r;
    uint32_t sketchable = x->info->schema->sketch_by, dims = x->filter_dims;
    bool one = (dims & (dims - 1)) == 0, marginal = one && (dims & ~sketchable) == 0, totals = dims == 0;
    uint32_t at = 0;
    bool quantile = x->need_bins != 0, distinct = x->need_distinct != 0;
    for (uint32_t i = 0; i < q->n_aggs; i++) {
        at = q->aggs[i].func == AGG_DISTINCT ? q->aggs[i].at : at;
    }
    if (distinct && !marginal) {
        return refuse(x, at, "distinct counts are kept for one dimension at a time",
                      "use one of route, host, version or template in the filter and by (lq fields marks them with *), and error");
    }
    x->tier = choose_tier(x, r->from_us, r->to_us, distinct, quantile && !totals && !marginal);
    if (x->tier < 0) {
        if (quantile && !totals && !marginal && x->info->lines > 0) {
            return refuse(x, q->aggs[0].at, "quantiles for these fields are kept for 35 days, at a resolution of a minute",
                          "ask for a later --since, or by one of route, host, version or template");
        }
        return LQ_OK; /* nothing stored */
    }
    int64_t unit = tiers[x->tier].step_s;
    if (r->step_us > 0 && r->step_us % (unit * US) != 0) {
        lq_buf_printf(&r->notices, "steps of this range are kept at %s: every is coarser than asked\n", tiers[x->tier].name);
    }
    x->from_s = r->from_us <= x->info->first_us ? INT64_MIN / (4 * US) : r->from_us / US;
    x->to_s = r->to_us > x->info->last_us ? INT64_MAX / (4 * US) : (r->to_us + US - 1) / US;
    unsigned what = (x->need_measures != 0 ? (unsigned)FRAGMENT_SUMS : 0) | (quantile ? (unsigned)FRAGMENT_BINS : 0);
    enum section section = totals ? SECTION_TOTALS : marginal && quantile && x->tier == TIER_1H ? SECTION_MARGINALS : SECTION_CELLS;
    static const char *const names[] = {"cells", "totals", "marginals"};
    struct scan_cost cost;
    if (scan_cost(x->s, x->info->id, x->tier, section, x->from_s, x->to_s, &cost, NULL) == LQ_OK) {
        lq_buf_printf(&r->plan, "stream %s: tier %s, %s: %llu periods, %llu fragments, %llu bytes%s\n", x->info->schema->name, tiers[x->tier].name,
                      names[section], (unsigned long long)cost.periods, (unsigned long long)cost.fragments, (unsigned long long)cost.bytes,
                      distinct ? "; distinct from marginals" : "");
    }
    enum lq_err err = pass(x, section, what, lone_dim(dims), filter, true);
    if (err == LQ_OK && distinct) {
        uint32_t measures = x->need_measures, bins = x->need_bins;
        x->need_measures = x->need_bins = 0;
        err = pass(x, SECTION_MARGINALS, FRAGMENT_DISTINCT, lone_dim(dims), filter, false);
        x->need_measures = measures;
        x->need_bins = bins;
    }
    return err;
}

/* ---- values ---- */

static int by_bin(const void *a, const void *b)
{
    return ((const struct bin *)a)->bin < ((const struct bin *)b)->bin ? -1 : ((const struct bin *)a)->bin > ((const struct bin *)b)->bin;
}

static double quantile_at(struct run *x, uint32_t m, size_t at, double q)
{
    struct bins_acc *b = &x->bins[m][at];
    const struct measure_acc *a = &x->measures[m][at];
    size_t k = 0;
    if (b->n == 0) {
        return NAN;
    }
    qsort(b->bins, b->n, sizeof *b->bins, by_bin);
    for (size_t i = 0; i < b->n; i++) {
        if (k > 0 && b->bins[k - 1].bin == b->bins[i].bin) {
            b->bins[k - 1].n += b->bins[i].n;
        } else {
            b->bins[k++] = b->bins[i];
        }
    }
    b->n = k;
    return sketch_quantile(b->bins, k, q, a->min, a->max) / (double)x->info->schema->measures[m].scale;
}

static double agg_value(struct run *x, uint32_t i, size_t at, double seconds)
{
    const struct agg *a = &x->q->aggs[i];
    const struct cell_acc *c = &x->cells[at];
    uint32_t f = x->agg_field[i];
    if (a->func == AGG_DISTINCT) {
        uint32_t entries[DISTINCT_REGISTERS];
        size_t n = 0;
        for (uint32_t k = 0; x->distinct[f][at].registers != NULL && k < DISTINCT_REGISTERS; k++) {
            if (x->distinct[f][at].registers[k] > 0) {
                entries[n++] = k << 6 | x->distinct[f][at].registers[k];
            }
        }
        return round(distinct_estimate(entries, n));
    }
    if (a->func == AGG_COUNT || a->func == AGG_ERRORS || a->func == AGG_RATE) {
        return a->func == AGG_COUNT ? (double)c->count : a->func == AGG_ERRORS ? (double)c->errors : (double)c->count / seconds;
    }
    const struct measure_acc *m = &x->measures[f][at];
    double scale = (double)x->info->schema->measures[f].scale;
    if (m->n == 0) {
        return a->func == AGG_SUM ? 0 : NAN;
    }
    switch (a->func) {
    case AGG_SUM: return (double)m->sum / scale;
    case AGG_AVG: return (double)m->sum / scale / (double)m->n;
    case AGG_MIN: return (double)m->min / scale;
    case AGG_MAX: return (double)m->max / scale;
    default: return quantile_at(x, f, at, a->q);
    }
}

static double column_value(struct run *x, const struct column_expr *c, size_t at, double seconds)
{
    if (c->op == COLUMN_NUMBER) {
        return c->number;
    }
    if (c->op == COLUMN_AGG) {
        return agg_value(x, c->agg, at, seconds);
    }
    double a = column_value(x, c->a, at, seconds), b = column_value(x, c->b, at, seconds);
    switch (c->op) {
    case COLUMN_ADD: return a + b;
    case COLUMN_SUB: return a - b;
    case COLUMN_MUL: return a * b;
    default: return b == 0 ? NAN : a / b;
    }
}

static void emit_series(struct run *x)
{
    struct result *r = x->r;
    const struct query *q = x->q;
    for (uint32_t g = 0; g < x->n_groups; g++) {
        struct result_series out = {.stream = lq_arena_strdup(&r->mem, lq_str_of(x->info->schema->name)), .rank = -INFINITY};
        bool any = false;
        for (uint32_t i = 0; i < q->n_by; i++) {
            lq_str v = x->by[i] == FIELD_STREAM ? lq_str_of(x->info->schema->name) : snapshot_value(x->s, x->info->id, x->by[i], x->group_values[g][i])->text;
            out.labels[i] = lq_arena_str(&r->mem, v);
        }
        out.values = lq_alloc((size_t)r->steps * r->n_columns * sizeof *out.values);
        for (uint32_t s = 0; s < r->steps; s++) {
            size_t at = (size_t)g * r->steps + s;
            double seconds = (double)(r->step_us > 0 ? r->step_us : r->to_us - r->from_us) / US;
            any = any || x->cells[at].count > 0;
            for (uint32_t c = 0; c < r->n_columns; c++) {
                double v = column_value(x, q->columns[c], at, seconds);
                out.values[(size_t)s * r->n_columns + c] = v;
                if (c == q->top_column && v > out.rank) {
                    out.rank = v;
                }
            }
        }
        if (!any && q->n_by > 0) {
            free(out.values);
            continue;
        }
        lq_grow(&r->series, &r->cap_series, r->n_series + 1, sizeof *r->series);
        r->series[r->n_series++] = out;
    }
}

static void run_fini(struct run *x)
{
    size_t n = (size_t)x->n_groups * x->r->steps;
    for (uint32_t m = 0; m < MEASURE_MAX; m++) {
        for (size_t i = 0; x->bins[m] != NULL && i < n; i++) {
            free(x->bins[m][i].bins);
        }
        free(x->bins[m]);
        free(x->measures[m]);
    }
    for (uint32_t k = 0; k < IDENTITY_MAX; k++) {
        for (size_t i = 0; x->distinct[k] != NULL && i < n; i++) {
            free(x->distinct[k][i].registers);
        }
        free(x->distinct[k]);
    }
    lq_map_fini(&x->group_ids);
    free(x->group_values);
    free(x->cells);
}

enum lq_err exec__run_stream(struct snapshot *s, const struct query *q, const struct stream_info *info, struct result *r, struct lq_error *e)
{
    struct run x = {.s = s, .q = q, .r = r, .info = info, .e = e};
    struct bound *filter = NULL;
    enum lq_err err = LQ_OK;
    for (uint32_t i = 0; i < q->n_by; i++) {
        x.by[i] = exec__dim(info->schema, q->by[i]);
        if (x.by[i] == NO_DIM) {
            x.by[i] = FIELD_STREAM;
        } else if (x.by[i] != DIM_ERROR) {
            x.filter_dims |= 1U << x.by[i];
        }
    }
    for (uint32_t i = 0; i < q->n_aggs; i++) {
        uint32_t f = x.agg_field[i] = exec__agg_field(info->schema, &q->aggs[i]);
        if (q->aggs[i].func == AGG_DISTINCT) {
            x.need_distinct |= 1U << f;
        } else if (q->aggs[i].field.n > 0) {
            x.need_measures |= 1U << f;
            x.need_bins |= q->aggs[i].func == AGG_QUANTILE ? 1U << f : 0;
        }
    }
    if (q->filter != NULL) {
        err = exec__bind(&x, q->filter, &filter);
    }
    if (err == LQ_OK && q->n_by == 0) {
        uint32_t none[DIM_MAX] = {0};
        group_of(&x, none); /* one series, even when nothing matches */
    }
    if (err == LQ_OK) {
        err = read_data(&x, filter);
    }
    if (err == LQ_OK) {
        emit_series(&x);
    }
    run_fini(&x);
    return err;
}
