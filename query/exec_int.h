/*
 * exec_int.h - what the parts of query execution share
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_EXEC_INT_H
#define LQ_EXEC_INT_H

#include "query/exec.h"
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

/* A filter bound to a stream: leaves hold one verdict per value. */
struct bound {
    enum filter_op op;
    struct bound *a, *b;
    uint32_t dim;    /* FIELD_STREAM: constant */
    uint8_t *passes; /* by value id */
    bool constant;
};

/* exec_names.c: fields of a stream by name, UINT32_MAX = none; which streams a query fits; why it fits none */
uint32_t exec__dim(const struct stream_schema *s, lq_str name);
uint32_t exec__agg_field(const struct stream_schema *s, const struct agg *a);
bool exec__stream_fits(const struct stream_schema *s, const struct query *q);
LQ_MUST enum lq_err exec__explain(struct snapshot *s, const struct query *q, struct lq_error *e);
/* exec_filter.c */
LQ_MUST enum lq_err exec__bind(struct run *x, const struct filter *f, struct bound **out);
bool exec__passes(const struct bound *b, const uint32_t *ids);
/* exec_stream.c */
LQ_MUST enum lq_err exec__run_stream(struct snapshot *s, const struct query *q, const struct stream_info *info, struct result *r, struct lq_error *e);

#endif
