/*
 * promql.h - the part of PromQL that Grafana's built-in data source needs: text to a tree
 *
 *      expr     := or-and-unless of comparisons of sums of products of powers of unary of:
 *                  NUMBER | STRING-free call | selector | "(" expr ")"
 *      selector := NAME ["{" matcher ("," matcher)* "}"] ["[" DURATION "]"] ["offset" DURATION]
 *      call     := ("rate"|"increase"|"irate") "(" selector ")" | "histogram_quantile" "(" NUMBER "," expr ")" | "vector" "(" expr ")"
 *      aggregate:= ("sum"|"avg"|"min"|"max"|"count"|"topk"|"bottomk") [("by"|"without") "(" NAME, … ")"] "(" [NUMBER ","] expr ")" [by…]
 *      binary   := + - * / % ^  == != > < >= <= [bool]  and or unless    (vectors match one to one on all labels)
 *
 * Grammar and meaning as in the Prometheus documentation (prometheus.io, "Querying"). Pure; fuzz target `promql`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_PROMQL_H
#define LQ_PROMQL_H

#include "schema/base/buf.h"

enum { PROM_DEPTH_MAX = 40, PROM_NODES_MAX = 400, PROM_MATCHERS_MAX = 32, PROM_LABELS_MAX = 32, PROM_BYTES_MAX = 16384 };

enum prom_kind { PROM_NUMBER, PROM_SELECTOR, PROM_RATE, PROM_INCREASE, PROM_IRATE, PROM_QUANTILE, PROM_VECTOR, PROM_AGGREGATE, PROM_BINARY, PROM_NEGATE };
enum prom_match { PROM_EQ, PROM_NE, PROM_RE, PROM_NRE };
enum prom_aggregate { PROM_SUM, PROM_AVG, PROM_MIN, PROM_MAX, PROM_COUNT, PROM_TOPK, PROM_BOTTOMK };
enum prom_binary {
    PROM_ADD, PROM_SUB, PROM_MUL, PROM_DIV, PROM_MOD, PROM_POW,
    PROM_CMP_EQ, PROM_CMP_NE, PROM_CMP_GT, PROM_CMP_LT, PROM_CMP_GE, PROM_CMP_LE,
    PROM_AND, PROM_OR, PROM_UNLESS,
};
struct prom_matcher {
    lq_str name, value;
    enum prom_match op;
};
struct prom_expr {
    enum prom_kind kind;
    uint32_t at;              /* byte in the text */
    double number;            /* NUMBER; the parameter of QUANTILE and of topk, bottomk */
    struct prom_expr *a, *b;
    /* SELECTOR */
    lq_str name;
    uint32_t n_matchers;
    struct prom_matcher *matchers;
    int64_t window_us;        /* 0 = an instant vector */
    int64_t offset_us;
    /* AGGREGATE, BINARY */
    enum prom_aggregate aggregate;
    enum prom_binary binary;
    bool bool_modifier, by, without;
    uint32_t n_labels;
    lq_str *labels;
};
/* The tree is in mem. Errors are LQ_EINVAL with the position. */
LQ_MUST enum lq_err promql_parse(lq_str text, struct lq_arena *mem, struct prom_expr **out, struct lq_error *e);
/* One selector, as in match[]. */
LQ_MUST enum lq_err promql_parse_selector(lq_str text, struct lq_arena *mem, struct prom_expr **out, struct lq_error *e);

#endif
