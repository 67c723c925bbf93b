/*
 * exec.c - run a query (exec.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/exec.h"

#include <math.h>
#include <stdlib.h>

#include "schema/format.h"

#define US     1000000LL
#define NO_DIM UINT32_MAX

enum { FIELD_STREAM = 1000, GROUP_NEW = -2, GROUP_OUT = -1 };

struct cell_acc {
    uint64_t count, errors;
};
struct measure_acc {
    uint64_t n;
    int64_t sum, min, max;
};
struct bins_acc {
    struct bin *bins;
    size_t n, cap;
};
struct distinct_acc {
    uint8_t *registers;
};

/* One stream's run. */
struct run {
    struct snapshot *s;
    const struct query *q;
    struct result *r;
    const struct stream_info *info;
    uint32_t by[QUERY_BY_MAX];
    uint32_t agg_field[QUERY_COLUMNS_MAX]; /* measure or identity */
    int64_t from_s, to_s;
    int tier;
    /* filter results per dimension value, for regexes and numbers: evaluated once */
    struct lq_map group_ids;
    uint32_t n_groups;
    uint32_t (*group_values)[QUERY_BY_MAX];
    size_t cap_groups;
    struct cell_acc *cells;
    struct measure_acc *measures[MEASURE_MAX];
    struct bins_acc *bins[MEASURE_MAX];
    struct distinct_acc *distinct[IDENTITY_MAX];
    size_t cap_cells;
    uint32_t need_measures, need_bins, need_distinct; /* bit sets */
    struct lq_error *e;
    uint32_t filter_dims; /* dimensions that the filter and by use, DIM_ERROR excluded */
    bool uses_error;
};

void result_fini(struct result *r)
{
    for (uint32_t i = 0; i < r->n_series; i++) {
        free(r->series[i].values);
    }
    free(r->series);
    free(r->step_start_us);
    lq_buf_fini(&r->notices);
    lq_buf_fini(&r->plan);
    lq_arena_fini(&r->mem);
    memset(r, 0, sizeof *r);
}

/* ---- names ---- */

static uint32_t dim_named(const struct stream_schema *s, lq_str name)
{
    for (uint32_t i = 0; i < s->n_dims; i++) {
        if (lq_str_is(name, s->dims[i])) {
            return i;
        }
    }
    return NO_DIM;
}

static uint32_t measure_named(const struct stream_schema *s, lq_str name)
{
    for (uint32_t i = 0; i < s->n_measures; i++) {
        if (lq_str_is(name, s->measures[i].name)) {
            return i;
        }
    }
    return NO_DIM;
}

static uint32_t identity_named(const struct stream_schema *s, lq_str name)
{
    for (uint32_t i = 0; i < s->n_identities; i++) {
        if (lq_str_is(name, s->identities[i])) {
            return i;
        }
    }
    return NO_DIM;
}

static bool filter_fits(const struct stream_schema *s, const struct filter *f)
{
    if (f == NULL) {
        return true;
    }
    if (f->op <= FILTER_NOT) {
        return filter_fits(s, f->a) && (f->op == FILTER_NOT || filter_fits(s, f->b));
    }
    return lq_str_is(f->field, "stream") || dim_named(s, f->field) != NO_DIM;
}

static uint32_t agg_field(const struct stream_schema *s, const struct agg *a)
{
    return a->field.n == 0 ? 0 : a->func == AGG_DISTINCT ? identity_named(s, a->field) : measure_named(s, a->field);
}

static bool stream_fits(const struct stream_schema *s, const struct query *q)
{
    for (uint32_t i = 0; i < q->n_by; i++) {
        if (dim_named(s, q->by[i]) == NO_DIM && !lq_str_is(q->by[i], "stream")) {
            return false;
        }
    }
    for (uint32_t i = 0; i < q->n_aggs; i++) {
        if (agg_field(s, &q->aggs[i]) == NO_DIM) {
            return false;
        }
    }
    return filter_fits(s, q->filter);
}

/* No stream has all fields: say which field nobody has, and what is near. */
static enum lq_err unknown_field(struct snapshot *s, const struct query *q, lq_str name, uint32_t at, int kind, struct lq_error *e)
{
    static const char *const kinds[] = {"dimension", "measure", "identity"};
    const char *names[STREAM_MAX];
    char msg[160];
    size_t n = 0;
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_schema *x = snapshot_stream(s, i)->schema;
        uint32_t count = kind == 0 ? x->n_dims : kind == 1 ? x->n_measures : x->n_identities;
        for (uint32_t k = 0; k < count && n < STREAM_MAX; k++) {
            const char *name_k = kind == 0 ? x->dims[k] : kind == 1 ? x->measures[k].name : x->identities[k];
            bool known = false;
            for (size_t j = 0; j < n; j++) {
                known = known || strcmp(names[j], name_k) == 0;
            }
            if (!known) {
                names[n++] = name_k;
            }
        }
    }
    snprintf(msg, sizeof msg, "unknown %s %.*s", kinds[kind], (int)(name.n < 80 ? name.n : 80), name.p);
    query_error_at(q, e, at, name.n, msg);
    const char *near = lq_nearest(name.p, name.n, names, n);
    if (near != NULL) {
        lq_error_hint(e, "did you mean %s?", near);
    } else {
        char list[200] = "";
        for (size_t i = 0; i < n && strlen(list) < 150; i++) {
            snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i > 0 ? ", " : "", names[i]);
        }
        lq_error_hint(e, "%s%s: %s", kinds[kind], kind == 2 ? " fields" : "s", n > 0 ? list : "none here");
    }
    return LQ_EINVAL;
}

static bool any_stream(struct snapshot *s, lq_str name, int kind)
{
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_schema *x = snapshot_stream(s, i)->schema;
        if ((kind == 0 ? dim_named(x, name) : kind == 1 ? measure_named(x, name) : identity_named(x, name)) != NO_DIM) {
            return true;
        }
    }
    return false;
}

static enum lq_err check_filter_names(struct snapshot *s, const struct query *q, const struct filter *f, struct lq_error *e)
{
    if (f == NULL) {
        return LQ_OK;
    }
    if (f->op <= FILTER_NOT) {
        enum lq_err err = check_filter_names(s, q, f->a, e);
        return err != LQ_OK || f->op == FILTER_NOT ? err : check_filter_names(s, q, f->b, e);
    }
    if (lq_str_is(f->field, "stream") || any_stream(s, f->field, 0)) {
        return LQ_OK;
    }
    if (any_stream(s, f->field, 2)) {
        query_error_at(q, e, f->at, f->field.n, "identities are counted, not stored: no filter on one");
        lq_error_hint(e, "distinct(%.*s) counts them; lq why names the heaviest", (int)f->field.n, f->field.p);
        return LQ_EINVAL;
    }
    return unknown_field(s, q, f->field, f->at, 0, e);
}

static enum lq_err explain_no_stream(struct snapshot *s, const struct query *q, struct lq_error *e)
{
    enum lq_err err = check_filter_names(s, q, q->filter, e);
    for (uint32_t i = 0; i < q->n_aggs && err == LQ_OK; i++) {
        int kind = q->aggs[i].func == AGG_DISTINCT ? 2 : 1;
        if (q->aggs[i].field.n > 0 && !any_stream(s, q->aggs[i].field, kind)) {
            err = unknown_field(s, q, q->aggs[i].field, q->aggs[i].at, kind, e);
        }
    }
    for (uint32_t i = 0; i < q->n_by && err == LQ_OK; i++) {
        if (!any_stream(s, q->by[i], 0) && !lq_str_is(q->by[i], "stream")) {
            err = unknown_field(s, q, q->by[i], q->by_at[i], 0, e);
        }
    }
    if (err == LQ_OK) {
        err = lq_error_set(e, LQ_EINVAL, "no stream has all the fields of this query");
        lq_error_hint(e, "lq fields shows which stream has which field");
    }
    return err;
}

/* ---- filter ---- */

static bool number_of(lq_str s, double *v)
{
    char buf[64], *end;
    if (s.n == 0 || s.n >= sizeof buf || !((s.p[0] >= '0' && s.p[0] <= '9') || s.p[0] == '-' || s.p[0] == '.')) {
        return false;
    }
    memcpy(buf, s.p, s.n);
    buf[s.n] = '\0';
    *v = strtod(buf, &end);
    return *end == '\0';
}

static bool test_value(const struct filter *f, lq_str v, const struct lq_regex *re)
{
    double x, y;
    switch (f->op) {
    case FILTER_EQ:
    case FILTER_NE:
        if (number_of(v, &x) && number_of(f->values[0], &y)) {
            return (x == y) == (f->op == FILTER_EQ);
        }
        return lq_str_eq(v, f->values[0]) == (f->op == FILTER_EQ);
    case FILTER_IN:
        for (uint32_t i = 0; i < f->n_values; i++) {
            if (lq_str_eq(v, f->values[i])) {
                return true;
            }
        }
        return false;
    case FILTER_MATCH: return lq_regex_match(re, v);
    case FILTER_NO_MATCH: return !lq_regex_match(re, v);
    default: break;
    }
    int c;
    if (number_of(v, &x) && number_of(f->values[0], &y)) {
        c = x < y ? -1 : x > y;
    } else if (v.n == 0) {
        return false;
    } else {
        c = lq_str_cmp(v, f->values[0]);
    }
    return f->op == FILTER_GT ? c > 0 : f->op == FILTER_GE ? c >= 0 : f->op == FILTER_LT ? c < 0 : c <= 0;
}

/* A filter bound to a stream: leaves hold one verdict per value. */
struct bound {
    enum filter_op op;
    struct bound *a, *b;
    uint32_t dim;    /* FIELD_STREAM: constant */
    uint8_t *passes; /* by value id */
    bool constant;
};

static enum lq_err bind_filter(struct run *x, const struct filter *f, struct bound **out)
{
    struct lq_arena *mem = &x->r->mem;
    struct bound *b = *out = lq_arena_alloc(mem, sizeof *b);
    struct lq_regex *re = NULL;
    b->op = f->op;
    if (f->op <= FILTER_NOT) {
        enum lq_err err = bind_filter(x, f->a, &b->a);
        return err != LQ_OK || f->op == FILTER_NOT ? err : bind_filter(x, f->b, &b->b);
    }
    if (f->op == FILTER_MATCH || f->op == FILTER_NO_MATCH) {
        struct lq_error inner = {0};
        if (lq_regex_new(f->values[0], &re, &inner) != LQ_OK) {
            return query_error_at(x->q, x->e, f->at, f->field.n, inner.msg);
        }
    }
    if (lq_str_is(f->field, "stream")) {
        b->dim = FIELD_STREAM;
        b->constant = test_value(f, lq_str_of(x->info->schema->name), re);
    } else {
        b->dim = dim_named(x->info->schema, f->field);
        if (b->dim == DIM_ERROR) {
            x->uses_error = true;
        } else {
            x->filter_dims |= 1U << b->dim;
        }
        uint32_t n = snapshot_values(x->s, x->info->id, b->dim);
        b->passes = lq_arena_alloc(mem, n + 1);
        for (uint32_t v = 0; v < n; v++) {
            b->passes[v] = test_value(f, snapshot_value(x->s, x->info->id, b->dim, v)->text, re);
        }
    }
    lq_regex_free(&re);
    return LQ_OK;
}

static bool passes(const struct bound *b, const uint32_t *ids)
{
    switch (b->op) {
    case FILTER_AND: return passes(b->a, ids) && passes(b->b, ids);
    case FILTER_OR: return passes(b->a, ids) || passes(b->b, ids);
    case FILTER_NOT: return !passes(b->a, ids);
    default: return b->dim == FIELD_STREAM ? b->constant : b->passes[ids[b->dim]] != 0;
    }
}

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
                bool in = row_ids(x, section, id, marginal_dim, ids, &row) && (filter == NULL || passes(filter, row));
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

static enum lq_err run_stream(struct snapshot *s, const struct query *q, const struct stream_info *info, struct result *r, struct lq_error *e)
{
    struct run x = {.s = s, .q = q, .r = r, .info = info, .e = e};
    struct bound *filter = NULL;
    enum lq_err err = LQ_OK;
    for (uint32_t i = 0; i < q->n_by; i++) {
        x.by[i] = dim_named(info->schema, q->by[i]);
        if (x.by[i] == NO_DIM) {
            x.by[i] = FIELD_STREAM;
        } else if (x.by[i] != DIM_ERROR) {
            x.filter_dims |= 1U << x.by[i];
        }
    }
    for (uint32_t i = 0; i < q->n_aggs; i++) {
        uint32_t f = x.agg_field[i] = agg_field(info->schema, &q->aggs[i]);
        if (q->aggs[i].func == AGG_DISTINCT) {
            x.need_distinct |= 1U << f;
        } else if (q->aggs[i].field.n > 0) {
            x.need_measures |= 1U << f;
            x.need_bins |= q->aggs[i].func == AGG_QUANTILE ? 1U << f : 0;
        }
    }
    if (q->filter != NULL) {
        err = bind_filter(&x, q->filter, &filter);
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

/* ---- range and steps ---- */

static bool stream_wanted(const struct filter *f, const char *name)
{
    /* A filter that can only be false for this stream: stream = other, at the top level or under `and`. */
    if (f == NULL) {
        return true;
    }
    if (f->op == FILTER_AND) {
        return stream_wanted(f->a, name) && stream_wanted(f->b, name);
    }
    if (f->op == FILTER_OR) {
        return stream_wanted(f->a, name) || stream_wanted(f->b, name);
    }
    if (f->op == FILTER_NOT || !lq_str_is(f->field, "stream")) {
        return true;
    }
    return f->op == FILTER_EQ ? lq_str_is(f->values[0], name) : f->op == FILTER_NE ? !lq_str_is(f->values[0], name) : true;
}

static enum lq_err set_steps(struct result *r, const struct query *q, const struct timezone_rules *tz, struct lq_error *e)
{
    r->steps = 1;
    r->step_us = q->every_us;
    if (q->every_us == 0) {
        r->step_start_us = lq_alloc(sizeof *r->step_start_us);
        r->step_start_us[0] = r->from_us;
        return LQ_OK;
    }
    int64_t unit = tiers[TIER_10S].step_s * US;
    if (r->step_us % unit != 0) {
        r->step_us += unit - r->step_us % unit;
        lq_buf_printf(&r->notices, "every is rounded up to a multiple of 10 s\n");
    }
    int64_t offset = tz != NULL ? timezone_offset_at(tz, r->from_us / US) * US : 0, local = r->from_us + offset;
    int64_t first = local - ((local % r->step_us) + r->step_us) % r->step_us - offset;
    int64_t n = (r->to_us - first + r->step_us - 1) / r->step_us;
    if (n > RESULT_POINTS_MAX / 4) {
        lq_error_set(e, LQ_ELIMIT, "%lld steps are too many", (long long)n);
        lq_error_hint(e, "use a longer every or a shorter range");
        return LQ_ELIMIT;
    }
    r->steps = n > 0 ? (uint32_t)n : 1;
    r->step_start_us = lq_alloc(r->steps * sizeof *r->step_start_us);
    for (uint32_t i = 0; i < r->steps; i++) {
        r->step_start_us[i] = first + i * r->step_us;
    }
    r->partial_first = first < r->from_us;
    r->partial_last = first + (int64_t)r->steps * r->step_us > r->to_us;
    return LQ_OK;
}

static const struct query *sort_query;

static int by_rank(const void *a, const void *b)
{
    const struct result_series *x = a, *y = b;
    if (x->rank != y->rank) {
        return (x->rank > y->rank) != sort_query->bottom ? -1 : 1;
    }
    int c = strcmp(x->stream, y->stream);
    for (uint32_t i = 0; i < sort_query->n_by && c == 0; i++) {
        c = lq_str_cmp(x->labels[i], y->labels[i]);
    }
    return c;
}

static int by_labels(const void *a, const void *b)
{
    const struct result_series *x = a, *y = b;
    int c = strcmp(x->stream, y->stream);
    for (uint32_t i = 0; i < sort_query->n_by && c == 0; i++) {
        c = lq_str_cmp(x->labels[i], y->labels[i]);
    }
    return c;
}

static void order_series(struct result *r, const struct query *q)
{
    uint32_t keep = q->top > 0 ? q->top : q->limit;
    sort_query = q; /* qsort has no context; the program asks one query at a time */
    if (r->n_series > 1) {
        qsort(r->series, r->n_series, sizeof *r->series, q->top > 0 || q->every_us == 0 ? by_rank : by_labels);
    }
    keep = q->limit > 0 && q->limit < keep ? q->limit : keep;
    while (keep > 0 && r->n_series > keep) {
        free(r->series[--r->n_series].values);
    }
}

enum lq_err exec_query(struct snapshot *s, const struct query *q, const struct exec_options *o, struct result *out, struct lq_error *e)
{
    enum lq_err err = LQ_OK;
    uint32_t fits = 0;
    int64_t first = INT64_MAX, last = INT64_MIN;
    bool use[STREAM_MAX] = {false};
    memset(out, 0, sizeof *out);
    out->q = q;
    out->n_columns = q->n_columns;
    out->n_by = q->n_by;
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_info *x = snapshot_stream(s, i);
        bool named = q->filter != NULL && stream_wanted(q->filter, x->schema->name);
        use[i] = x->lines > 0 && stream_fits(x->schema, q) && (q->filter == NULL || named);
        /* what no format matched is no answer unless it is asked for */
        use[i] = use[i] && (strcmp(x->schema->name, "unparsed") != 0 || (q->filter != NULL && !stream_wanted(q->filter, "")));
        fits += use[i];
        if (use[i]) {
            first = x->first_us < first ? x->first_us : first;
            last = x->last_us > last ? x->last_us : last;
        }
        out->now_us = i == 0 || x->high_water_us > out->now_us ? x->high_water_us : out->now_us;
    }
    if (fits == 0) {
        return explain_no_stream(s, q, e);
    }
    out->from_us = o->from_us == INT64_MIN || o->from_us < first ? first : o->from_us;
    out->to_us = o->to_us == INT64_MAX || o->to_us > last ? last + 1 : o->to_us;
    if (out->from_us >= out->to_us) {
        out->to_us = out->from_us + 1;
    }
    err = set_steps(out, q, o->tz, e);
    for (uint32_t i = 0; i < snapshot_streams(s) && err == LQ_OK; i++) {
        if (use[i]) {
            err = run_stream(s, q, snapshot_stream(s, i), out, e);
        }
    }
    if (err == LQ_OK) {
        order_series(out, q);
        out->lines = snapshot_counter(s, "lines");
        out->unparsed = out->lines - snapshot_counter(s, "parsed");
        out->overflow = snapshot_counter(s, "overflow_values") + snapshot_counter(s, "overflow_series") + snapshot_counter(s, "overflow_cells");
    } else {
        result_fini(out);
    }
    return err;
}
