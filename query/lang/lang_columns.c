/*
 * lang_columns.c - columns: functions and numbers with arithmetic
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "query/lang/lang_int.h"
#include "schema/timefmt.h"

const struct lang_function lang_functions[] = {
    {"count", "number of records", AGG_COUNT, false, false},
    {"errors", "records that their format calls errors", AGG_ERRORS, false, false},
    {"rate", "records per second", AGG_RATE, false, false},
    {"sum", "sum of a measure, exact", AGG_SUM, true, false},
    {"avg", "mean of a measure", AGG_AVG, true, false},
    {"min", "smallest value of a measure", AGG_MIN, true, false},
    {"max", "largest value of a measure", AGG_MAX, true, false},
    {"p50", "quantile of a measure, within 0.8 %; any of p0 to p100, also p99.9", AGG_QUANTILE, true, false},
    {"over", "records whose measure is above a bound, like over(request_time, 0.5) or over(request_time, 500ms)", AGG_OVER, true, true},
    {"dist", "the distribution of a measure: records in bands of its values; as a chart, a heat map", AGG_DIST, true, false},
    {"distinct", "number of different values of an identity, within about 2 %", AGG_DISTINCT, true, false},
    {NULL, NULL, AGG_COUNT, false, false},
};

/* What people from other tools type. */
static const struct {
    const char *word, *say;
} aliases[] = {
    {"mean", "avg"}, {"average", "avg"}, {"median", "p50"}, {"total", "sum"}, {"uniq", "distinct"}, {"unique", "distinct"}, {"count_distinct", "distinct"},
    {"p999", "p99.9"}, {"p9999", "p99.99"}, {"percentile", "p95"}, {"pct", "p95"}, {"quantile", "p95"}, {"hits", "count"}, {"requests", "count"}, {"error_rate", "errors / count"}, {"stats", "count"},
    {"topk", "count by FIELD | top 5"}, {"bottomk", "count by FIELD | bottom 5"}, {"histogram", "dist"}, {"group", "count by FIELD"},
    {"filter", "the filter first: status >= 500 | count"}, {"select", "it without SQL: status = 500 | count by route"},
    {"show", "count, or a filter | lines"}, {"tail", "a filter | lines"},
};

/* p99, p99.9 */
static bool quantile_name(lq_str w, double *q)
{
    char buf[16], *end;
    if (w.n < 2 || w.n >= sizeof buf || w.p[0] != 'p' || w.p[1] < '0' || w.p[1] > '9') {
        return false;
    }
    memcpy(buf, w.p + 1, w.n - 1);
    buf[w.n - 1] = '\0';
    *q = strtod(buf, &end) / 100;
    return *end == '\0' && *q >= 0 && *q <= 1;
}

const struct lang_function *lang__function(lq_str w, double *q)
{
    if (quantile_name(w, q)) {
        w = LQ_STR("p50");
    }
    for (const struct lang_function *f = lang_functions; f->name != NULL; f++) {
        if (lq_str_is(w, f->name)) {
            return f;
        }
    }
    return NULL;
}

static void unknown_function(struct lang_parser *p, lq_str w)
{
    const char *names[16];
    size_t n = 0;
    char msg[128];
    if (lq_str_is(w, "every") || lq_str_is(w, "by")) {
        lang__fail(p, w.p, w.n, "a column is missing before this word");
        lq_error_hint(p->e, "for example: errors / count by host every 5m");
        return;
    }
    snprintf(msg, sizeof msg, "unknown function %.*s", (int)(w.n < 60 ? w.n : 60), w.p);
    lang__fail(p, w.p, w.n, msg);
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
        if (w.n == strlen(aliases[i].word) && strncasecmp(w.p, aliases[i].word, w.n) == 0) {
            lq_error_hint(p->e, "write %s", aliases[i].say);
            return;
        }
    }
    for (const struct lang_function *f = lang_functions; f->name != NULL; f++) {
        names[n++] = f->name;
    }
    const char *near = lq_nearest(w.p, w.n, names, n);
    if (near != NULL) {
        lq_error_hint(p->e, "did you mean %s?", near);
    } else {
        lq_error_hint(p->e, "functions: count errors rate sum avg min max p50…p99 over distinct; a filter is like: status >= 500 | count");
    }
}

static struct column_expr *parse_sum(struct lang_parser *p, unsigned depth);

/* A number, or a duration (500ms) as seconds. */
static bool number(lq_str w, double *v)
{
    char buf[32], *end;
    int64_t us;
    struct lq_error ignored;
    if (w.n == 0 || w.n >= sizeof buf || w.p[0] < '0' || w.p[0] > '9') {
        return false;
    }
    memcpy(buf, w.p, w.n);
    buf[w.n] = '\0';
    *v = strtod(buf, &end);
    if (*end == '\0') {
        return true;
    }
    if (duration_parse(w, &us, &ignored) == LQ_OK) {
        *v = (double)us / 1e6;
        return true;
    }
    return false;
}

/* (FIELD) or (FIELD, NUMBER) */
static void parse_field(struct lang_parser *p, lq_str w, const struct lang_function *f, struct agg *a)
{
    if (!lang__symbol(p, '(')) {
        lang__fail(p, w.p, w.n, "this function needs a field");
        lq_error_hint(p->e, f->takes_number ? "like %.*s(request_time, 0.5)" : f->func == AGG_DISTINCT ? "like %.*s(client)" : "like %.*s(request_time)", (int)w.n, w.p);
        return;
    }
    a->field = lang__peek(p);
    a->at = (uint32_t)(a->field.p - p->q->text.p);
    p->p += a->field.n;
    if (a->field.n == 0) {
        lang__fail(p, p->p, 1, "a field is missing here");
        return;
    }
    if (f->takes_number) {
        bool comma = lang__symbol(p, ',');
        bool minus = comma && lang__symbol(p, '-');
        lq_str v = lang__peek(p);
        if (!comma || !number(v, &a->q)) {
            lang__fail(p, comma ? v.p : p->p, comma && v.n > 0 ? v.n : 1, "a bound is missing here");
            lq_error_hint(p->e, "like %.*s(%.*s, 0.5)", (int)w.n, w.p, (int)(a->field.n < 60 ? a->field.n : 60), a->field.p);
            return;
        }
        a->q = minus ? -a->q : a->q;
        p->p = v.p + v.n;
    }
    if (!lang__symbol(p, ')')) {
        lang__fail(p, p->p, 1, ") is missing here");
    }
}

static struct column_expr *parse_function(struct lang_parser *p, lq_str w)
{
    struct column_expr *x = lang__node(p, sizeof *x);
    double q = 0;
    const struct lang_function *f = lang__function(w, &q);
    if (f == NULL) {
        unknown_function(p, w);
        return x;
    }
    if (p->q->n_aggs == QUERY_AGGS_MAX) {
        lang__fail(p, w.p, w.n, "too many functions");
        return x;
    }
    p->p = w.p + w.n;
    struct agg a = {.func = f->func, .q = q, .at = (uint32_t)(w.p - p->q->text.p)};
    if (f->takes_field) {
        parse_field(p, w, f, &a);
    } else if (lang__symbol(p, '(')) {
        lang__symbol(p, '*'); /* count(*) */
        if (!lang__symbol(p, ')')) {
            lang__fail(p, p->p, 1, "this function takes no field");
            lq_error_hint(p->e, f->func == AGG_COUNT ? "distinct(FIELD) counts different values; a filter before | counts some records"
                                : f->func == AGG_RATE ? "rate is that of all records; of failures: errors every 5m" : "write it without ( )");
        }
    }
    x->op = COLUMN_AGG;
    x->agg = p->q->n_aggs;
    p->q->aggs[p->q->n_aggs++] = a;
    return x;
}

static struct column_expr *parse_primary(struct lang_parser *p, unsigned depth)
{
    lq_str w = lang__peek(p);
    if (depth > QUERY_DEPTH_MAX) {
        lang__fail(p, p->p, 1, "nested too deep");
        return NULL;
    }
    if (lang__symbol(p, '(')) {
        struct column_expr *x = parse_sum(p, depth + 1);
        if (!lang__symbol(p, ')')) {
            lang__fail(p, p->p, 1, ") is missing here");
        }
        return x;
    }
    if (w.n == 0) {
        lang__fail(p, p->p, 1, "a function is missing here, like count or p99(request_time)");
        return NULL;
    }
    if (w.p[0] >= '0' && w.p[0] <= '9') {
        struct column_expr *x = lang__node(p, sizeof *x);
        x->op = COLUMN_NUMBER;
        if (!number(w, &x->number)) {
            lang__fail(p, w.p, w.n, "this is no number");
        }
        p->p += w.n;
        return x;
    }
    return parse_function(p, w);
}

static struct column_expr *binary(struct lang_parser *p, enum column_op op, struct column_expr *a, struct column_expr *b)
{
    struct column_expr *x = lang__node(p, sizeof *x);
    x->op = op;
    x->a = a;
    x->b = b;
    return x;
}

static struct column_expr *parse_product(struct lang_parser *p, unsigned depth)
{
    struct column_expr *left = parse_primary(p, depth);
    while (!p->failed) {
        if (lang__symbol(p, '*')) {
            left = binary(p, COLUMN_MUL, left, parse_primary(p, depth));
        } else if (lang__symbol(p, '/')) {
            left = binary(p, COLUMN_DIV, left, parse_primary(p, depth));
        } else {
            break;
        }
    }
    return left;
}

static struct column_expr *parse_sum(struct lang_parser *p, unsigned depth)
{
    struct column_expr *left = parse_product(p, depth);
    while (!p->failed) {
        if (lang__symbol(p, '+')) {
            left = binary(p, COLUMN_ADD, left, parse_product(p, depth));
        } else if (lang__symbol(p, '-')) {
            left = binary(p, COLUMN_SUB, left, parse_product(p, depth));
        } else {
            break;
        }
    }
    return left;
}

/* The text of a column is its name, with blanks and comments between words as one blank. */
static lq_str column_name(struct lang_parser *p, const char *start, const char *stop)
{
    char *out = lq_arena_alloc(&p->q->mem, (size_t)(stop - start) + 1);
    size_t n = 0;
    struct lang_parser at = {.p = start, .end = stop};
    while (at.p < stop) {
        const char *before = at.p;
        lang__blanks(&at);
        if (at.p > before && n > 0 && at.p < stop) {
            out[n++] = ' ';
        }
        if (at.p < stop) {
            out[n++] = *at.p++;
        }
    }
    return (lq_str){out, n};
}

/* dist() is many columns: it stands alone. */
static void check_distribution(struct lang_parser *p)
{
    struct query *q = p->q;
    for (uint32_t i = 0; i < q->n_aggs; i++) {
        if (q->aggs[i].func == AGG_DIST && (q->n_aggs > 1 || q->n_columns > 1 || q->columns[0]->op != COLUMN_AGG)) {
            lang__fail(p, q->text.p + q->aggs[i].at, q->aggs[i].field.n, "dist stands alone: it gives many columns");
        }
        q->distribution = q->distribution || q->aggs[i].func == AGG_DIST;
    }
}

void lang__columns(struct lang_parser *p)
{
    struct query *q = p->q;
    lang__blanks(p);
    q->columns_at = (uint32_t)(p->p - q->text.p);
    do {
        lang__blanks(p);
        const char *start = p->p;
        if (q->n_columns == QUERY_COLUMNS_MAX) {
            lang__fail(p, p->p, 1, "too many columns");
            return;
        }
        q->columns[q->n_columns] = parse_sum(p, 0);
        const char *stop = p->p;
        lq_str name = {0};
        if (!p->failed && lang__keyword(p, "as")) {
            name = lang__peek(p);
            p->p += name.n;
            if (name.n == 0) {
                lang__fail(p, p->p, 1, "a name is missing after as");
            }
        }
        q->column_names[q->n_columns++] = name.n > 0 ? name : column_name(p, start, stop);
        q->columns_end = (uint32_t)(p->p - q->text.p);
    } while (!p->failed && lang__symbol(p, ','));
    if (!p->failed) {
        check_distribution(p);
    }
}

void lang__count_column(struct lang_parser *p)
{
    struct query *q = p->q;
    q->columns[0] = lang__node(p, sizeof **q->columns);
    q->columns[0]->op = COLUMN_AGG;
    q->columns[0]->agg = q->n_aggs;
    q->aggs[q->n_aggs++] = (struct agg){.func = AGG_COUNT};
    q->column_names[q->n_columns++] = LQ_STR("count");
}

bool query_column_adds(const struct query *q, const struct column_expr *c)
{
    switch (c->op) {
    case COLUMN_AGG: {
        enum agg_func f = q->aggs[c->agg].func;
        return f == AGG_COUNT || f == AGG_ERRORS || f == AGG_SUM || f == AGG_OVER;
    }
    case COLUMN_ADD:
    case COLUMN_SUB: return query_column_adds(q, c->a) && query_column_adds(q, c->b);
    case COLUMN_MUL: return (c->a->op == COLUMN_NUMBER && query_column_adds(q, c->b)) || (c->b->op == COLUMN_NUMBER && query_column_adds(q, c->a));
    case COLUMN_DIV: return c->b->op == COLUMN_NUMBER && query_column_adds(q, c->a);
    default: return false;
    }
}
