/*
 * lang.h - the query language: text to a checked tree
 *
 *      query    := [filter "|"] [columns] ("by" FIELD ("," FIELD)* | "every" (DURATION | "auto"))* ("|" stage)*
 *      stage    := ("top" | "bottom") N ["by" rank] | "sort" ["by"] rank ["asc" | "desc"] | "limit" N
 *                | "compare" DURATION | "change" | "lines" [N]
 *      rank     := ["max" | "min" | "avg" | "sum" | "last"] [COLUMN or its beginning] | FIELD of `by` (sort only)
 *      columns  := column ["as" NAME] ("," column ["as" NAME])*
 *      column   := product (("+" | "-") product)*;  product := primary (("*" | "/") primary)*
 *      primary  := NUMBER | FUNCTION | FUNCTION "(" FIELD ["," NUMBER] ")" | "(" column ")"
 *      filter   := or;  or := and ("or" and)*;  and := not ("and" not)*;  not := "not" not | "(" or ")" | test
 *      test     := FIELD ("=" | "!=" | ">" | ">=" | "<" | "<=" | "~" | "!~") VALUE | FIELD ["not"] "in" "(" VALUE ("," VALUE)* ")"
 *      VALUE    := word | "text" | 'text'      comment := "#" to the end of the line
 *
 * A query that begins with a function has no filter; a filter alone counts. `stream` is a field of the filter and of `by`. Functions: lang_functions;
 * stages: lang_stages; what both mean is in their help texts, from which `lq help query` and the manual are made (lang_help.c).
 * Pure: no store is needed to parse; names of fields are resolved per stream by exec.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_LANG_H
#define LQ_LANG_H

#include "schema/base/buf.h"

enum {
    QUERY_BYTES_MAX = 16384, QUERY_NODES_MAX = 256, QUERY_DEPTH_MAX = 32, QUERY_COLUMNS_MAX = 16, QUERY_BY_MAX = 6, QUERY_VALUES_MAX = 256,
    QUERY_AGGS_MAX = 32,
    QUERY_OUT_MAX = 3 * QUERY_COLUMNS_MAX, /* with `compare`: now, before, change */
    LINES_DEFAULT = 20, LINES_MAX = 10000,
};

enum agg_func { AGG_COUNT, AGG_ERRORS, AGG_RATE, AGG_SUM, AGG_AVG, AGG_MIN, AGG_MAX, AGG_QUANTILE, AGG_OVER, AGG_DISTINCT, AGG_DIST };
struct lang_function {
    const char *name, *help;
    enum agg_func func;
    bool takes_field;
    bool takes_number; /* over(FIELD, NUMBER) */
};
extern const struct lang_function lang_functions[]; /* ends with name NULL; pXX is parsed by rule */
struct lang_stage {
    const char *name, *usage, *help;
};
extern const struct lang_stage lang_stages[]; /* ends with name NULL */

enum filter_op { FILTER_AND, FILTER_OR, FILTER_NOT, FILTER_EQ, FILTER_NE, FILTER_GT, FILTER_GE, FILTER_LT, FILTER_LE, FILTER_MATCH, FILTER_NO_MATCH, FILTER_IN };
struct filter {
    enum filter_op op;
    struct filter *a, *b;
    lq_str field, *values; /* values: 1, or those of `in` */
    uint32_t n_values;
    uint32_t at;       /* byte of the field in the text */
    uint32_t value_at; /* byte of the (first) value */
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
    double q;      /* quantile, 0..1; the bound of over() */
    lq_str field;
    uint32_t at;   /* byte of the field, or of the function */
};

/* How the steps of a series become one number to rank it by. AUTO: the sum for what adds up (count, errors, sum and sums of them), else the largest. */
enum rank_fold { RANK_AUTO, RANK_MAX, RANK_MIN, RANK_AVG, RANK_SUM, RANK_LAST };
struct rank {
    uint32_t column; /* of the output */
    enum rank_fold fold;
    uint32_t field;  /* sort by FIELD: index into by; UINT32_MAX = by column */
    lq_str text;     /* as written, until the stages are all read */
};

struct query {
    lq_str text;
    struct filter *filter; /* NULL = all */
    uint32_t n_aggs, n_columns, n_by;
    uint32_t n_out; /* columns of the output: n_columns, or three times that with compare */
    struct agg aggs[QUERY_AGGS_MAX];
    struct column_expr *columns[QUERY_COLUMNS_MAX];
    lq_str column_names[QUERY_OUT_MAX];
    lq_str by[QUERY_BY_MAX];
    uint32_t by_at[QUERY_BY_MAX];
    int64_t every_us; /* 0 = one value for the whole range */
    uint32_t every_at;
    bool every_auto;  /* the step is chosen for the range */
    uint32_t top, limit; /* 0 = all */
    bool bottom, sorted, ascending;
    struct rank top_rank, sort_rank;
    int64_t compare_us; /* 0 = no comparison */
    bool change;
    uint32_t change_at;
    bool distribution; /* dist(FIELD), the only column; exec spells it out */
    uint32_t columns_at, columns_end; /* where the columns stand in the text */
    uint32_t lines; /* 0 = no lines */
    struct lq_arena mem;
};
LQ_MUST enum lq_err query_parse(lq_str text, struct query **out, struct lq_error *e);
void query_free(struct query **q);
/* An error at a place of the query's text. */
enum lq_err query_error_at(const struct query *q, struct lq_error *e, uint32_t at, size_t width, const char *msg);
/* Does a column add up over steps and series? */
bool query_column_adds(const struct query *q, const struct column_expr *c);

/* The language in words: grammar, functions, stages, examples. roff = as part of a manual page. */
void lang_help(FILE *f, bool roff);

#endif
