/*
 * lang.h - the query language: text to a checked tree
 *
 *      query    := [filter "|"] columns ["by" FIELD ("," FIELD)*] ["every" DURATION] ("|" stage)*
 *      stage    := ("top" | "bottom") N ["by" column] | "limit" N
 *      columns  := column ("," column)*          column := sum of products of: NUMBER | FUNCTION | FUNCTION "(" FIELD ")" | "(" column ")"
 *      filter   := or;  or := and ("or" and)*;  and := not ("and" not)*;  not := "not" not | "(" or ")" | test
 *      test     := FIELD ("=" | "!=" | ">" | ">=" | "<" | "<=" | "~" | "!~") VALUE | FIELD "in" "(" VALUE ("," VALUE)* ")"
 *
 * A query that begins with a function has no filter; a filter alone counts. `stream` is a field of the filter. Functions: lang_functions.
 * Pure: no store is needed to parse; names of fields are resolved per stream by exec.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_LANG_H
#define LQ_LANG_H

#include "schema/base/buf.h"

enum { QUERY_BYTES_MAX = 16384, QUERY_NODES_MAX = 256, QUERY_DEPTH_MAX = 32, QUERY_COLUMNS_MAX = 16, QUERY_BY_MAX = 6, QUERY_VALUES_MAX = 256 };

enum agg_func { AGG_COUNT, AGG_ERRORS, AGG_RATE, AGG_SUM, AGG_AVG, AGG_MIN, AGG_MAX, AGG_QUANTILE, AGG_DISTINCT };
struct lang_function {
    const char *name, *help;
    enum agg_func func;
    bool takes_field;
};
extern const struct lang_function lang_functions[]; /* ends with name NULL; pXX is parsed by rule */

enum filter_op { FILTER_AND, FILTER_OR, FILTER_NOT, FILTER_EQ, FILTER_NE, FILTER_GT, FILTER_GE, FILTER_LT, FILTER_LE, FILTER_MATCH, FILTER_NO_MATCH, FILTER_IN };
struct filter {
    enum filter_op op;
    struct filter *a, *b;
    lq_str field, *values; /* values: 1, or those of `in` */
    uint32_t n_values;
    uint32_t at; /* byte of the field in the text */
};

enum column_op { COLUMN_NUMBER, COLUMN_AGG, COLUMN_ADD, COLUMN_SUB, COLUMN_MUL, COLUMN_DIV };
struct column_expr {
    enum column_op op;
    struct column_expr *a, *b;
    double number;
    uint32_t agg; /* index into query.aggs */
};
struct agg {
    enum agg_func func;
    double q; /* quantile, 0..1 */
    lq_str field;
    uint32_t at;
};

struct query {
    lq_str text;
    struct filter *filter; /* NULL = all */
    uint32_t n_aggs, n_columns, n_by;
    struct agg aggs[QUERY_COLUMNS_MAX];
    struct column_expr *columns[QUERY_COLUMNS_MAX];
    lq_str column_names[QUERY_COLUMNS_MAX];
    lq_str by[QUERY_BY_MAX];
    uint32_t by_at[QUERY_BY_MAX];
    int64_t every_us; /* 0 = one value for the whole range */
    uint32_t top, limit; /* 0 = all */
    bool bottom;
    uint32_t top_column;
    struct lq_arena mem;
};
LQ_MUST enum lq_err query_parse(lq_str text, struct query **out, struct lq_error *e);
void query_free(struct query **q);
/* An error at a place of the query's text. */
enum lq_err query_error_at(const struct query *q, struct lq_error *e, uint32_t at, size_t width, const char *msg);

#endif
