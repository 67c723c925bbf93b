/*
 * exec_int.h - what the parts of query execution share
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_EXEC_INT_H
#define LQ_EXEC_INT_H

#include "query/exec.h"
struct lq_regex; /* schema/format.h */

#define US     1000000LL
#define NO_DIM UINT32_MAX

enum { FIELD_STREAM = 1000, FIELD_IDENTITY = 1001, GROUP_NEW = -2, GROUP_OUT = -1, PASSES_MAX = 2 };

struct bins_acc {
    struct bin *bins;
    size_t n, cap, compact_at;
};
struct measure_acc {
    uint64_t n;
    int64_t sum, min, max;
};
struct distinct_acc {
    uint32_t *entries; /* while few */
    size_t n, cap;
    uint8_t *registers; /* then all of them */
};
/* Accumulators of (group, step of the window): at = group * width + step % width. */
struct cells {
    uint32_t width;
    size_t cap;
    struct cell_acc {
        uint64_t count, errors;
    } *cells;
    struct measure_acc *measures[MEASURE_MAX];
    struct bins_acc *bins[MEASURE_MAX];
    struct distinct_acc *distinct[IDENTITY_MAX];
    struct bin_scratch *scratch;
    uint8_t *touched; /* by group: the window has something of it */
};

/* Finished rows of one group and pass. */
struct group_rows {
    uint32_t n;
    size_t cap_step, cap_values;
    uint32_t *step;
    double *values; /* n * q->n_columns */
};

/* A filter bound to a stream: leaves hold one verdict per value. */
struct bound {
    enum filter_op op;
    struct bound *a, *b;
    uint32_t dim;    /* FIELD_STREAM: constant */
    uint8_t *passes; /* by value id */
    bool constant;
};

/* One stream's run. */
struct run {
    struct snapshot *s;
    const struct query *q;
    const struct exec_options *o;
    struct result *r;
    const struct stream_info *info;
    bool planning; /* nothing is read; say what would be */
    uint32_t by[QUERY_BY_MAX];
    uint32_t agg_field[QUERY_AGGS_MAX]; /* measure or identity */
    uint32_t filter_dims;               /* dimensions that the filter and by use, DIM_ERROR excluded */
    uint32_t need_measures, need_bins, need_distinct; /* bit sets */
    /* what is read */
    int tier;
    enum section section;
    uint32_t marginal_dim;
    const struct bound *filter;
    /* groups */
    struct lq_map group_ids;
    uint32_t n_groups;
    uint32_t (*group_values)[QUERY_BY_MAX];
    size_t cap_groups;
    const lq_str *identities; /* FIELD_IDENTITY: the value is an index into it */
    struct group_rows *rows[PASSES_MAX]; /* [pass][group] */
    size_t cap_rows[PASSES_MAX];
    /* the pass: 0 the range, 1 the range `compare` earlier */
    unsigned pass;
    int64_t shift_us;
    int64_t from_s, to_s;
    uint32_t done; /* steps before it are complete */
    struct cells c;
    double *empty;
    struct lq_error *e;
};

/* exec_names.c: fields of a stream by name, NO_DIM = none; which streams a query fits; why it fits none */
uint32_t exec__dim(const struct stream_schema *s, lq_str name);
uint32_t exec__identity(const struct stream_schema *s, lq_str name);
uint32_t exec__agg_field(const struct stream_schema *s, const struct agg *a);
bool exec__stream_fits(const struct stream_schema *s, const struct query *q);
LQ_MUST enum lq_err exec__explain(struct snapshot *s, const struct query *q, struct lq_error *e);
/* exec_filter.c */
LQ_MUST enum lq_err exec__bind(struct run *x, const struct filter *f, struct bound **out);
bool exec__passes(const struct bound *b, const uint32_t *ids);
bool exec__test_value(const struct filter *f, lq_str v, const struct lq_regex *re);
/* Filters over values that are no ids (identities, example lines): leaves with their regexes, three values of truth. */
struct leaf_set {
    uint32_t n;
    const struct filter *leaf[QUERY_NODES_MAX];
    struct lq_regex *re[QUERY_NODES_MAX];
};
LQ_MUST enum lq_err exec__leaves(const struct query *q, const struct filter *f, struct leaf_set *set, struct lq_error *e);
void exec__leaves_fini(struct leaf_set *set);
typedef bool leaf_value_fn(void *ctx, const struct filter *leaf, lq_str *v); /* false: unknown */
int exec__evaluate(const struct filter *f, const struct leaf_set *set, leaf_value_fn *value, void *ctx); /* 0, 1, -1 unknown */
/* What a filter says of a stream by its name and fields alone: 0 no record can pass, 1 some may, 2 all do, -1 the stream lacks a field. */
int exec__filter_stream(const struct filter *f, const struct stream_schema *s);
void exec__value_notices(struct snapshot *s, const struct query *q, const bool use[STREAM_MAX], struct result *r);
/* exec_time.c */
/* finest: the finest tier that may be used at all. */
LQ_MUST enum lq_err exec__steps(struct snapshot *s, const struct query *q, const struct exec_options *o, const bool use[STREAM_MAX], int finest,
                                struct result *r, struct lq_error *e);
bool exec__asks_distinct(const struct query *q);
uint32_t exec__step_of(const struct result *r, int64_t time_us);
/* Seconds of a step that the range holds. */
double exec__step_seconds(const struct result *r, uint32_t step);
int exec__finest_tier(const struct stream_info *x, int64_t from_us, bool distinct);
/* exec_tier.c: x->tier, section, edges; or refused */
LQ_MUST enum lq_err exec__choose(struct run *x);
/* exec_stream.c */
LQ_MUST enum lq_err exec__run_stream(struct snapshot *s, const struct query *q, const struct exec_options *o, const struct stream_info *info, bool plan_only,
                                     struct result *r, struct lq_error *e);
int32_t exec__group(struct run *x, const uint32_t key[QUERY_BY_MAX]);
/* exec_cells.c */
void exec__cells_reserve(struct run *x);
static inline long long exec__bytes_max(const struct run *x)
{
    return x->o->budget.bytes_max > 0 ? x->o->budget.bytes_max : RESULT_BYTES_MAX;
}
void exec__cells_add(struct run *x, const struct fragment *f, uint32_t r, size_t at, bool error, bool counts);
/* Steps before `step` are complete: they become rows. */
LQ_MUST enum lq_err exec__cells_finish(struct run *x, uint32_t step);
void exec__cells_fini(struct run *x);
double exec__column(const struct run *x, const struct column_expr *c, double (*agg)(const struct run *, uint32_t, size_t, double), size_t at, double seconds);
LQ_MUST enum lq_err exec__row(struct run *x, uint32_t group, uint32_t step, const double *values);
/* exec_emit.c: rows of the groups become series of the result */
void exec__emit(struct run *x);
/* exec_heavy.c: the identity that `by` or the filter names, or n = 0 */
lq_str exec__heavy_field(struct snapshot *s, const struct query *q, uint32_t *at);
LQ_MUST enum lq_err exec__heavy(struct snapshot *s, const struct query *q, const struct exec_options *o, bool plan_only, struct result *r, struct lq_error *e);
/* exec.c */
void exec__range(struct snapshot *s, const struct exec_options *o, const bool use[STREAM_MAX], struct result *r);
/* exec_lines.c */
LQ_MUST enum lq_err exec__lines(struct snapshot *s, const struct query *q, const struct exec_options *o, const bool use[STREAM_MAX], struct result *r,
                                struct lq_error *e);
/* exec_dist.c: a query with dist() as one without */
LQ_MUST enum lq_err exec__spell_out(struct snapshot *s, const struct query *q, const struct exec_options *o, struct query **out, struct lq_error *e);
/* exec_change.c, exec_order.c */
LQ_MUST enum lq_err exec__changes(struct result *r, const struct budget *b, struct lq_error *e);
void exec__order(struct result *r, const struct query *q);

#endif
