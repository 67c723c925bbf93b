/*
 * lang.c - recursive descent over the query's text (lang.h has the grammar)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/lang/lang.h"

#include <stdio.h>
#include <stdlib.h>

#include "schema/timefmt.h"

const struct lang_function lang_functions[] = {
    {"count", "number of records", AGG_COUNT, false},
    {"errors", "records that the format calls errors", AGG_ERRORS, false},
    {"rate", "records per second", AGG_RATE, false},
    {"sum", "sum of a measure", AGG_SUM, true},
    {"avg", "mean of a measure", AGG_AVG, true},
    {"min", "smallest value of a measure", AGG_MIN, true},
    {"max", "largest value of a measure", AGG_MAX, true},
    {"p50", "quantile of a measure; any of p0 to p100, also p99.9", AGG_QUANTILE, true},
    {"distinct", "number of different values of an identity (within 2 %)", AGG_DISTINCT, true},
    {NULL, NULL, AGG_COUNT, false},
};

struct lang_parser {
    struct query *q;
    const char *p, *end;
    struct lq_error *e;
    bool failed;
    unsigned nodes;
};

static void fail(struct lang_parser *p, const char *at, size_t width, const char *msg)
{
    if (!p->failed) {
        query_error_at(p->q, p->e, (uint32_t)(at - p->q->text.p), width, msg);
        p->failed = true;
    }
}

enum lq_err query_error_at(const struct query *q, struct lq_error *e, uint32_t at, size_t width, const char *msg)
{
    lq_error_set(e, LQ_EINVAL, "%s", msg);
    lq_error_where(e, "query", 1, at + 1, (uint32_t)width, q->text.p, q->text.n);
    if (e != NULL) {
        e->line = 0;
    }
    return LQ_EINVAL;
}

static void blanks(struct lang_parser *p)
{
    for (;;) {
        while (p->p < p->end && (*p->p == ' ' || *p->p == '\t' || *p->p == '\n')) {
            p->p++;
        }
        if (p->p == p->end || *p->p != '#') {
            return;
        }
        while (p->p < p->end && *p->p != '\n') { /* a comment */
            p->p++;
        }
    }
}

static bool word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '@' || (unsigned char)c >= 0x80;
}

static lq_str peek_word(struct lang_parser *p)
{
    blanks(p);
    const char *q = p->p;
    while (q < p->end && word_char(*q)) {
        q++;
    }
    return (lq_str){p->p, (size_t)(q - p->p)};
}

static bool keyword(struct lang_parser *p, const char *k)
{
    lq_str w = peek_word(p);
    if (lq_str_is(w, k)) {
        p->p += w.n;
        return true;
    }
    return false;
}

static bool symbol(struct lang_parser *p, char c)
{
    blanks(p);
    if (p->p < p->end && *p->p == c) {
        p->p++;
        return true;
    }
    return false;
}

static void *node(struct lang_parser *p, size_t size)
{
    if (++p->nodes > QUERY_NODES_MAX) {
        fail(p, p->p, 1, "the query is too long");
    }
    return lq_arena_alloc(&p->q->mem, size);
}

/* ---- filter ---- */

/* A quoted string ("" or '', with \" for the quote itself), or a bare word. */
static lq_str value(struct lang_parser *p)
{
    blanks(p);
    if (p->p < p->end && (*p->p == '"' || *p->p == '\'')) {
        char quote = *p->p;
        const char *start = p->p++;
        char *out = lq_arena_alloc(&p->q->mem, (size_t)(p->end - p->p) + 1);
        size_t n = 0;
        while (p->p < p->end && *p->p != quote) {
            if (*p->p == '\\' && p->p + 1 < p->end && p->p[1] == quote) {
                p->p++;
            }
            out[n++] = *p->p++;
        }
        if (p->p == p->end) {
            fail(p, start, 1, "a quote is not closed");
            return (lq_str){"", 0};
        }
        p->p++;
        return (lq_str){out, n};
    }
    const char *q = p->p;
    while (q < p->end && (word_char(*q) || strchr("/-:+*{}$%", *q) != NULL)) {
        q++;
    }
    lq_str v = {p->p, (size_t)(q - p->p)};
    if (v.n == 0) {
        fail(p, p->p, 1, "a value is missing here");
    }
    p->p = q;
    return v;
}

static bool comparison(struct lang_parser *p, enum filter_op *op)
{
    static const struct {
        const char *text;
        enum filter_op op;
    } ops[] = {{"!=", FILTER_NE}, {">=", FILTER_GE}, {"<=", FILTER_LE}, {"!~", FILTER_NO_MATCH}, {"==", FILTER_EQ},
               {"=~", FILTER_MATCH}, {"=", FILTER_EQ}, {">", FILTER_GT}, {"<", FILTER_LT}, {"~", FILTER_MATCH}};
    blanks(p);
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        size_t n = strlen(ops[i].text);
        if ((size_t)(p->end - p->p) >= n && memcmp(p->p, ops[i].text, n) == 0) {
            p->p += n;
            *op = ops[i].op;
            return true;
        }
    }
    return false;
}

static struct filter *parse_or(struct lang_parser *p, unsigned depth);

static struct filter *parse_test(struct lang_parser *p)
{
    struct filter *f = node(p, sizeof *f);
    f->field = peek_word(p);
    f->at = (uint32_t)(f->field.p - p->q->text.p);
    if (f->field.n == 0) {
        fail(p, p->p, 1, "a field is missing here");
        return f;
    }
    p->p += f->field.n;
    f->values = lq_arena_alloc(&p->q->mem, sizeof *f->values);
    if (keyword(p, "in")) {
        f->op = FILTER_IN;
        f->values = lq_arena_alloc(&p->q->mem, QUERY_VALUES_MAX * sizeof *f->values);
        if (!symbol(p, '(')) {
            fail(p, p->p, 1, "( is missing after in");
        }
        do {
            if (f->n_values == QUERY_VALUES_MAX) {
                fail(p, p->p, 1, "too many values");
                break;
            }
            f->values[f->n_values++] = value(p);
        } while (!p->failed && symbol(p, ','));
        if (!p->failed && !symbol(p, ')')) {
            fail(p, p->p, 1, ", or ) is missing here");
        }
        return f;
    }
    if (!comparison(p, &f->op)) {
        fail(p, p->p, 1, "a comparison is missing here: = != > >= < <= ~ !~ or in (…)");
        return f;
    }
    f->values[0] = value(p);
    f->n_values = 1;
    return f;
}

static struct filter *parse_not(struct lang_parser *p, unsigned depth)
{
    if (depth > QUERY_DEPTH_MAX) {
        fail(p, p->p, 1, "nested too deep");
        return NULL;
    }
    if (keyword(p, "not")) {
        struct filter *f = node(p, sizeof *f);
        f->op = FILTER_NOT;
        f->a = parse_not(p, depth + 1);
        return f;
    }
    if (symbol(p, '(')) {
        struct filter *f = parse_or(p, depth + 1);
        if (!symbol(p, ')')) {
            fail(p, p->p, 1, ") is missing here");
        }
        return f;
    }
    return parse_test(p);
}

static struct filter *parse_and(struct lang_parser *p, unsigned depth)
{
    struct filter *left = parse_not(p, depth);
    while (!p->failed && keyword(p, "and")) {
        struct filter *f = node(p, sizeof *f);
        f->op = FILTER_AND;
        f->a = left;
        f->b = parse_not(p, depth);
        left = f;
    }
    return left;
}

static struct filter *parse_or(struct lang_parser *p, unsigned depth)
{
    struct filter *left = parse_and(p, depth);
    while (!p->failed && keyword(p, "or")) {
        struct filter *f = node(p, sizeof *f);
        f->op = FILTER_OR;
        f->a = left;
        f->b = parse_and(p, depth);
        left = f;
    }
    return left;
}

/* ---- columns ---- */

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

static const struct lang_function *function_named(lq_str w, double *q)
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

static void hint_function(struct lang_parser *p, lq_str w)
{
    const char *names[16];
    size_t n = 0;
    for (const struct lang_function *f = lang_functions; f->name != NULL; f++) {
        names[n++] = f->name;
    }
    const char *near = lq_nearest(w.p, w.n, names, n);
    if (near != NULL) {
        lq_error_hint(p->e, "did you mean %s?", near);
    } else {
        lq_error_hint(p->e, "functions: count errors rate sum avg min max p50…p99 distinct");
    }
}

static struct column_expr *parse_sum(struct lang_parser *p, unsigned depth);

static struct column_expr *parse_function(struct lang_parser *p, lq_str w)
{
    struct column_expr *x = node(p, sizeof *x);
    double q = 0;
    const struct lang_function *f = function_named(w, &q);
    if (f == NULL) {
        fail(p, w.p, w.n, "unknown function");
        hint_function(p, w);
        return x;
    }
    if (p->q->n_aggs == QUERY_COLUMNS_MAX) {
        fail(p, w.p, w.n, "too many functions");
        return x;
    }
    p->p = w.p + w.n;
    struct agg a = {.func = f->func, .q = q, .at = (uint32_t)(w.p - p->q->text.p)};
    if (f->takes_field) {
        if (!symbol(p, '(')) {
            fail(p, w.p, w.n, "this function needs a field");
            lq_error_hint(p->e, "like %.*s(request_time)", (int)w.n, w.p);
            return x;
        }
        a.field = peek_word(p);
        a.at = (uint32_t)(a.field.p - p->q->text.p);
        p->p += a.field.n;
        if (a.field.n == 0 || !symbol(p, ')')) {
            fail(p, p->p, 1, a.field.n == 0 ? "a field is missing here" : ") is missing here");
        }
    } else if (symbol(p, '(') && !symbol(p, ')')) {
        fail(p, p->p, 1, "this function takes no field");
    }
    x->op = COLUMN_AGG;
    x->agg = p->q->n_aggs;
    p->q->aggs[p->q->n_aggs++] = a;
    return x;
}

static struct column_expr *parse_primary(struct lang_parser *p, unsigned depth)
{
    lq_str w = peek_word(p);
    if (depth > QUERY_DEPTH_MAX) {
        fail(p, p->p, 1, "nested too deep");
        return NULL;
    }
    if (symbol(p, '(')) {
        struct column_expr *x = parse_sum(p, depth + 1);
        if (!symbol(p, ')')) {
            fail(p, p->p, 1, ") is missing here");
        }
        return x;
    }
    if (w.n == 0) {
        fail(p, p->p, 1, "a function is missing here, like count or p99(request_time)");
        return NULL;
    }
    if (w.p[0] >= '0' && w.p[0] <= '9') {
        char buf[32], *end;
        struct column_expr *x = node(p, sizeof *x);
        snprintf(buf, sizeof buf, "%.*s", (int)w.n, w.p);
        x->op = COLUMN_NUMBER;
        x->number = strtod(buf, &end);
        if (*end != '\0' || w.n >= sizeof buf) {
            fail(p, w.p, w.n, "this is no number");
        }
        p->p += w.n;
        return x;
    }
    return parse_function(p, w);
}

static struct column_expr *binary(struct lang_parser *p, enum column_op op, struct column_expr *a, struct column_expr *b)
{
    struct column_expr *x = node(p, sizeof *x);
    x->op = op;
    x->a = a;
    x->b = b;
    return x;
}

static struct column_expr *parse_product(struct lang_parser *p, unsigned depth)
{
    struct column_expr *left = parse_primary(p, depth);
    while (!p->failed) {
        if (symbol(p, '*')) {
            left = binary(p, COLUMN_MUL, left, parse_primary(p, depth));
        } else if (symbol(p, '/')) {
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
        if (symbol(p, '+')) {
            left = binary(p, COLUMN_ADD, left, parse_product(p, depth));
        } else if (symbol(p, '-')) {
            left = binary(p, COLUMN_SUB, left, parse_product(p, depth));
        } else {
            break;
        }
    }
    return left;
}

static void parse_columns(struct lang_parser *p)
{
    struct query *q = p->q;
    do {
        blanks(p);
        const char *start = p->p;
        if (q->n_columns == QUERY_COLUMNS_MAX) {
            fail(p, p->p, 1, "too many columns");
            return;
        }
        q->columns[q->n_columns] = parse_sum(p, 0);
        const char *stop = p->p;
        while (stop > start && (stop[-1] == ' ' || stop[-1] == '\n')) {
            stop--;
        }
        q->column_names[q->n_columns++] = (lq_str){start, (size_t)(stop - start)};
    } while (!p->failed && symbol(p, ','));
}

/* ---- by, every, stages ---- */

static void parse_by(struct lang_parser *p)
{
    do {
        lq_str w = peek_word(p);
        if (w.n == 0 || p->q->n_by == QUERY_BY_MAX) {
            fail(p, p->p, 1, w.n == 0 ? "a field is missing after by" : "too many fields after by");
            return;
        }
        p->q->by_at[p->q->n_by] = (uint32_t)(w.p - p->q->text.p);
        p->q->by[p->q->n_by++] = w;
        p->p += w.n;
    } while (symbol(p, ','));
}

static void parse_every(struct lang_parser *p)
{
    lq_str w = peek_word(p);
    struct lq_error inner = {0};
    if (duration_parse(w, &p->q->every_us, &inner) != LQ_OK) {
        fail(p, p->p, w.n > 0 ? w.n : 1, inner.msg);
        lq_error_hint(p->e, "%s", inner.hint);
    }
    p->p += w.n;
}

static uint32_t parse_count(struct lang_parser *p)
{
    lq_str w = peek_word(p);
    uint32_t n = 0;
    for (size_t i = 0; i < w.n; i++) {
        if (w.p[i] < '0' || w.p[i] > '9' || n > 100000000) {
            n = 0;
            break;
        }
        n = n * 10 + (uint32_t)(w.p[i] - '0');
    }
    if (n == 0) {
        fail(p, p->p, w.n > 0 ? w.n : 1, "a number is needed here, like top 10");
    }
    p->p += w.n;
    return n;
}

/* top N by COLUMN: a column's text, a part of it ("p99"), or the word max (of the first column). */
static void parse_top_column(struct lang_parser *p)
{
    blanks(p);
    const char *start = p->p;
    while (p->p < p->end && *p->p != '|') {
        p->p++;
    }
    const char *stop = p->p;
    while (stop > start && stop[-1] == ' ') {
        stop--;
    }
    lq_str w = {start, (size_t)(stop - start)};
    for (uint32_t i = 0; i < p->q->n_columns; i++) {
        if (lq_str_eq(p->q->column_names[i], w)) {
            p->q->top_column = i;
            return;
        }
    }
    for (uint32_t i = 0; i < p->q->n_columns; i++) {
        if (w.n > 0 && p->q->column_names[i].n > w.n && memcmp(p->q->column_names[i].p, w.p, w.n) == 0) {
            p->q->top_column = i;
            return;
        }
    }
    if (!lq_str_is(w, "max")) {
        fail(p, start, w.n, "this is none of the columns");
        lq_error_hint(p->e, "the columns are what stands before by and every; without one, top uses the first");
    }
}

static void parse_stage(struct lang_parser *p)
{
    static const char *const stages[] = {"top", "bottom", "limit"};
    lq_str w = peek_word(p);
    if (keyword(p, "top") || keyword(p, "bottom")) {
        p->q->bottom = w.p[0] == 'b';
        p->q->top = parse_count(p);
        if (keyword(p, "by")) {
            parse_top_column(p);
        }
    } else if (keyword(p, "limit")) {
        p->q->limit = parse_count(p);
    } else {
        const char *near = lq_nearest(w.p, w.n, stages, 3);
        fail(p, p->p, w.n > 0 ? w.n : 1, "unknown stage after |");
        lq_error_hint(p->e, near != NULL ? "did you mean %s?" : "stages: top N, bottom N, limit N%s", near != NULL ? near : "");
    }
}

/* Does the text begin with a filter? It does unless a function, number or parenthesised column stands first. */
static bool begins_with_filter(struct lang_parser *p)
{
    double q;
    lq_str w = peek_word(p);
    const char *save = p->p;
    if (w.n == 0) {
        while (symbol(p, '(')) {
        }
        w = peek_word(p);
        p->p = save;
    }
    if (lq_str_is(w, "not")) {
        return true;
    }
    enum filter_op op;
    p->p = w.p + w.n;
    bool compares = comparison(p, &op) || keyword(p, "in");
    p->p = save;
    return compares || (function_named(w, &q) == NULL && memchr(p->p, '|', (size_t)(p->end - p->p)) != NULL &&
                        !(w.n > 0 && w.p[0] >= '0' && w.p[0] <= '9') && p->p[w.n] != '(');
}

static void parse_query(struct lang_parser *p)
{
    struct query *q = p->q;
    blanks(p);
    if (p->p == p->end) {
        fail(p, p->p, 1, "the query is empty");
        lq_error_hint(p->e, "for example: errors / count by host every 5m");
        return;
    }
    if (begins_with_filter(p)) {
        q->filter = parse_or(p, 0);
        if (p->failed) {
            return;
        }
        blanks(p);
        if (p->p == p->end) {
            q->columns[0] = node(p, sizeof **q->columns);
            q->columns[0]->op = COLUMN_AGG;
            q->aggs[q->n_aggs++] = (struct agg){.func = AGG_COUNT};
            q->column_names[q->n_columns++] = LQ_STR("count");
            return;
        }
        if (!symbol(p, '|')) {
            fail(p, p->p, 1, "and, or or | expected here");
            return;
        }
    }
    parse_columns(p);
    while (!p->failed) {
        if (keyword(p, "by")) {
            parse_by(p);
        } else if (keyword(p, "every")) {
            parse_every(p);
        } else {
            break;
        }
    }
    while (!p->failed && symbol(p, '|')) {
        parse_stage(p);
    }
    blanks(p);
    if (!p->failed && p->p < p->end) {
        static const char *const words[] = {"by", "every"};
        lq_str w = peek_word(p);
        const char *near = lq_nearest(w.p, w.n, words, 2);
        fail(p, p->p, w.n > 0 ? w.n : 1, "by, every, | or the end of the query expected here");
        if (near != NULL) {
            lq_error_hint(p->e, "did you mean %s?", near);
        }
    }
}

enum lq_err query_parse(lq_str text, struct query **out, struct lq_error *e)
{
    struct query *q = lq_alloc(sizeof *q);
    if (text.n > QUERY_BYTES_MAX) {
        query_free(&q);
        return lq_error_set(e, LQ_EINVAL, "the query is longer than %d bytes", QUERY_BYTES_MAX);
    }
    q->text = lq_arena_str(&q->mem, text);
    struct lang_parser p = {q, q->text.p, q->text.p + q->text.n, e, false, 0};
    parse_query(&p);
    if (p.failed) {
        query_free(&q);
        return LQ_EINVAL;
    }
    *out = q;
    return LQ_OK;
}

void query_free(struct query **q)
{
    if (*q != NULL) {
        lq_arena_fini(&(*q)->mem);
        free(*q);
        *q = NULL;
    }
}
