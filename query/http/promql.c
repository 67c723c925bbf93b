/*
 * promql.c - recursive descent over PromQL (promql.h has the grammar)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/http/promql.h"

#include <math.h>
#include <stdlib.h>

#include "schema/timefmt.h"

struct prom_parser {
    lq_str text;
    const char *p, *end;
    struct lq_arena *mem;
    struct lq_error *e;
    bool failed;
    unsigned nodes, depth;
};

static void fail(struct prom_parser *p, const char *at, size_t width, const char *msg, const char *hint)
{
    if (!p->failed) {
        p->failed = true;
        lq_error_set(p->e, LQ_EINVAL, "%s", msg);
        lq_error_where(p->e, "query", 0, (uint32_t)(at - p->text.p) + 1, (uint32_t)(width > 0 ? width : 1), p->text.p, p->text.n);
        if (hint != NULL) {
            lq_error_hint(p->e, "%s", hint);
        }
    }
}

static void blanks(struct prom_parser *p)
{
    while (p->p < p->end) {
        if (*p->p == '#') {
            while (p->p < p->end && *p->p != '\n') {
                p->p++;
            }
        } else if (*p->p == ' ' || *p->p == '\t' || *p->p == '\n' || *p->p == '\r') {
            p->p++;
        } else {
            return;
        }
    }
}

static bool name_byte(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' || (!first && c >= '0' && c <= '9');
}

/* The name at the place, not consumed; n = 0: none. */
static lq_str peek_name(struct prom_parser *p)
{
    blanks(p);
    const char *q = p->p;
    while (q < p->end && name_byte(*q, q == p->p)) {
        q++;
    }
    return (lq_str){p->p, (size_t)(q - p->p)};
}

static bool take_word(struct prom_parser *p, const char *word)
{
    if (lq_str_is(peek_name(p), word)) {
        p->p += strlen(word);
        return true;
    }
    return false;
}

static bool take(struct prom_parser *p, const char *text)
{
    size_t n = strlen(text);
    blanks(p);
    if ((size_t)(p->end - p->p) >= n && memcmp(p->p, text, n) == 0) {
        p->p += n;
        return true;
    }
    return false;
}

static void expect(struct prom_parser *p, const char *text)
{
    char msg[64];
    if (!take(p, text)) {
        snprintf(msg, sizeof msg, "\"%s\" is missing here", text);
        fail(p, p->p, 1, msg, NULL);
    }
}

static struct prom_expr *node(struct prom_parser *p, enum prom_kind kind, const char *at)
{
    if (++p->nodes > PROM_NODES_MAX) {
        fail(p, at, 1, "the query has too many parts", NULL);
    }
    struct prom_expr *x = lq_arena_alloc(p->mem, sizeof *x);
    x->kind = kind;
    x->at = (uint32_t)(at - p->text.p);
    return x;
}

static struct prom_expr *parse_expr(struct prom_parser *p, int level);

/* ---- tokens ---- */

static int64_t parse_duration(struct prom_parser *p)
{
    int64_t us = 0;
    blanks(p);
    const char *at = p->p;
    while (p->p < p->end && ((*p->p >= '0' && *p->p <= '9') || (*p->p >= 'a' && *p->p <= 'z'))) {
        p->p++;
    }
    struct lq_error e = {0};
    lq_str text = {at, (size_t)(p->p - at)};
    if (text.n == 0 || duration_parse(text, &us, &e) != LQ_OK) {
        fail(p, at, text.n, "a duration is needed here", "like 5m, 1h30m or 7d");
    }
    return us;
}

static lq_str parse_string(struct prom_parser *p)
{
    blanks(p);
    const char *at = p->p;
    char quote = p->p < p->end ? *p->p : '\0';
    if (quote != '"' && quote != '\'' && quote != '`') {
        fail(p, at, 1, "a quoted text is needed here", NULL);
        return (lq_str){"", 0};
    }
    char *out = lq_arena_alloc(p->mem, (size_t)(p->end - at) + 1);
    size_t n = 0;
    for (p->p++; p->p < p->end && *p->p != quote; p->p++) {
        char c = *p->p;
        if (c == '\\' && quote != '`' && p->p + 1 < p->end) {
            c = *++p->p;
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c; /* \\ \" \' stand for themselves */
        }
        out[n++] = c;
    }
    if (p->p == p->end) {
        fail(p, at, 1, "the closing quote is missing", NULL);
    } else {
        p->p++;
    }
    return (lq_str){out, n};
}

static bool parse_number(struct prom_parser *p, double *v)
{
    char text[64];
    size_t n = 0;
    blanks(p);
    lq_str word = peek_name(p);
    if ((word.n == 3 && (strncasecmp(word.p, "inf", 3) == 0 || strncasecmp(word.p, "nan", 3) == 0))) {
        *v = strncasecmp(word.p, "inf", 3) == 0 ? (double)INFINITY : (double)NAN;
        p->p += 3;
        return true;
    }
    const char *q = p->p;
    if (q == p->end || !((*q >= '0' && *q <= '9') || *q == '.')) {
        return false;
    }
    while (q < p->end && n < sizeof text - 1 && ((*q >= '0' && *q <= '9') || *q == '.' || *q == 'e' || *q == 'E' || *q == 'x' || ((*q == '+' || *q == '-') && (q[-1] == 'e' || q[-1] == 'E')))) {
        text[n++] = *q++;
    }
    text[n] = '\0';
    char *end;
    *v = strtod(text, &end);
    if (*end != '\0' || (q < p->end && name_byte(*q, false))) {
        fail(p, p->p, (size_t)(q - p->p), "this is no number", NULL);
    }
    p->p = q;
    return true;
}

/* ---- parts ---- */

static void parse_matchers(struct prom_parser *p, struct prom_expr *x)
{
    static const struct {
        const char *text;
        enum prom_match op;
    } ops[] = {{"=~", PROM_RE}, {"!~", PROM_NRE}, {"!=", PROM_NE}, {"=", PROM_EQ}};
    x->matchers = lq_arena_alloc(p->mem, PROM_MATCHERS_MAX * sizeof *x->matchers);
    while (!p->failed && !take(p, "}")) {
        struct prom_matcher m = {0};
        bool known = false;
        m.name = peek_name(p);
        if (m.name.n == 0) {
            fail(p, p->p, 1, "a label's name or \"}\" is needed here", NULL);
            return;
        }
        p->p += m.name.n;
        blanks(p);
        const char *at = p->p;
        for (size_t i = 0; i < sizeof ops / sizeof ops[0] && !known; i++) {
            known = take(p, ops[i].text);
            m.op = ops[i].op;
        }
        if (!known) {
            fail(p, at, 1, "= != =~ or !~ is needed here", NULL);
        }
        m.value = parse_string(p);
        if (lq_str_is(m.name, "__name__") && m.op == PROM_EQ && x->name.n == 0) {
            x->name = m.value;
        } else if (x->n_matchers == PROM_MATCHERS_MAX) {
            fail(p, at, 1, "too many matchers", NULL);
        } else {
            x->matchers[x->n_matchers++] = m;
        }
        if (!take(p, ",") && !p->failed) {
            expect(p, "}");
            return;
        }
    }
}

static struct prom_expr *parse_selector(struct prom_parser *p)
{
    struct prom_expr *x = node(p, PROM_SELECTOR, p->p);
    x->name = peek_name(p);
    p->p += x->name.n;
    const char *at = p->p;
    if (take(p, "{")) {
        parse_matchers(p, x);
    } else if (x->name.n == 0) {
        fail(p, at, 1, at < p->end ? "this is not understood" : "the query ends too early", NULL);
    }
    if (take(p, "[")) {
        x->window_us = parse_duration(p);
        expect(p, "]");
    }
    if (take_word(p, "offset")) {
        bool minus = take(p, "-");
        x->offset_us = parse_duration(p) * (minus ? -1 : 1);
    }
    return x;
}

static void parse_label_list(struct prom_parser *p, struct prom_expr *x)
{
    expect(p, "(");
    x->labels = lq_arena_alloc(p->mem, PROM_LABELS_MAX * sizeof *x->labels);
    x->n_labels = 0;
    while (!p->failed && !take(p, ")")) {
        lq_str name = peek_name(p);
        if (name.n == 0 || x->n_labels == PROM_LABELS_MAX) {
            fail(p, p->p, 1, name.n == 0 ? "a label's name is needed here" : "too many labels", NULL);
            return;
        }
        p->p += name.n;
        x->labels[x->n_labels++] = name;
        if (!take(p, ",")) {
            expect(p, ")");
            return;
        }
    }
}

static bool parse_grouping(struct prom_parser *p, struct prom_expr *x)
{
    bool by = take_word(p, "by"), without = !by && take_word(p, "without");
    if (by || without) {
        x->by = by;
        x->without = without;
        parse_label_list(p, x);
    }
    return by || without;
}

static struct prom_expr *parse_aggregate(struct prom_parser *p, enum prom_aggregate kind, const char *at)
{
    struct prom_expr *x = node(p, PROM_AGGREGATE, at);
    x->aggregate = kind;
    bool grouped = parse_grouping(p, x);
    expect(p, "(");
    if (kind == PROM_TOPK || kind == PROM_BOTTOMK) {
        if (!p->failed && !parse_number(p, &x->number)) {
            fail(p, p->p, 1, "a number is needed here", "topk(5, …)");
        }
        expect(p, ",");
    }
    x->a = p->failed ? NULL : parse_expr(p, 0);
    expect(p, ")");
    if (!grouped && !p->failed) {
        parse_grouping(p, x);
    }
    return x;
}

static struct prom_expr *parse_range_call(struct prom_parser *p, enum prom_kind kind, const char *at)
{
    struct prom_expr *x = node(p, kind, at);
    expect(p, "(");
    blanks(p);
    const char *inside = p->p;
    x->a = p->failed ? NULL : parse_selector(p);
    if (!p->failed && x->a->window_us == 0) {
        fail(p, inside, (size_t)(p->p - inside), "a range is needed here", "like lq_records_total[5m]");
    }
    expect(p, ")");
    return x;
}

static struct prom_expr *parse_call(struct prom_parser *p, lq_str name, const char *at)
{
    static const char *const aggregates[] = {"sum", "avg", "min", "max", "count", "topk", "bottomk"};
    static const char *const others[] = {"rate", "increase", "irate", "histogram_quantile", "vector", "sum", "avg", "min", "max", "count", "topk", "bottomk"};
    for (size_t i = 0; i < sizeof aggregates / sizeof aggregates[0]; i++) {
        if (lq_str_is(name, aggregates[i])) {
            return parse_aggregate(p, (enum prom_aggregate)i, at);
        }
    }
    if (lq_str_is(name, "rate") || lq_str_is(name, "increase") || lq_str_is(name, "irate")) {
        return parse_range_call(p, name.p[1] == 'a' ? PROM_RATE : name.p[1] == 'n' ? PROM_INCREASE : PROM_IRATE, at);
    }
    if (lq_str_is(name, "histogram_quantile")) {
        struct prom_expr *x = node(p, PROM_QUANTILE, at);
        expect(p, "(");
        if (!p->failed && !parse_number(p, &x->number)) {
            fail(p, p->p, 1, "a number is needed here", "histogram_quantile(0.99, …)");
        }
        expect(p, ",");
        x->a = p->failed ? NULL : parse_expr(p, 0);
        expect(p, ")");
        return x;
    }
    if (lq_str_is(name, "vector")) {
        struct prom_expr *x = node(p, PROM_VECTOR, at);
        expect(p, "(");
        x->a = p->failed ? NULL : parse_expr(p, 0);
        expect(p, ")");
        return x;
    }
    char hint[96];
    const char *near = lq_nearest(name.p, name.n, others, sizeof others / sizeof others[0]);
    snprintf(hint, sizeof hint, near != NULL ? "did you mean %s?" : "there are rate increase irate histogram_quantile vector and the aggregations%s", near != NULL ? near : "");
    fail(p, at, name.n, "this function is not known here", hint);
    return NULL;
}

static struct prom_expr *parse_primary(struct prom_parser *p)
{
    double v;
    blanks(p);
    const char *at = p->p;
    if (take(p, "(")) {
        struct prom_expr *x = parse_expr(p, 0);
        expect(p, ")");
        return x;
    }
    if (parse_number(p, &v)) {
        struct prom_expr *x = node(p, PROM_NUMBER, at);
        x->number = v;
        return x;
    }
    lq_str name = peek_name(p);
    if (name.n > 0) {
        p->p += name.n;
        blanks(p);
        bool call = p->p < p->end && *p->p == '(';
        lq_str next = peek_name(p);
        bool grouped = lq_str_is(next, "by") || lq_str_is(next, "without");
        if (call || grouped) {
            return parse_call(p, name, at);
        }
        p->p = at;
    }
    return parse_selector(p);
}

/* ---- operators ---- */

static const struct {
    const char *text;
    int level; /* 0 or, 1 and unless, 2 comparison, 3 + -, 4 * / %, 5 ^ */
    enum prom_binary op;
    bool word;
} operators[] = {
    {"or", 0, PROM_OR, true},    {"and", 1, PROM_AND, true},   {"unless", 1, PROM_UNLESS, true}, {"==", 2, PROM_CMP_EQ, false}, {"!=", 2, PROM_CMP_NE, false},
    {">=", 2, PROM_CMP_GE, false}, {"<=", 2, PROM_CMP_LE, false}, {">", 2, PROM_CMP_GT, false},     {"<", 2, PROM_CMP_LT, false},  {"+", 3, PROM_ADD, false},
    {"-", 3, PROM_SUB, false},   {"*", 4, PROM_MUL, false},    {"/", 4, PROM_DIV, false},        {"%", 4, PROM_MOD, false},     {"^", 5, PROM_POW, false},
};
enum { LEVEL_POWER = 5 };

static bool take_operator(struct prom_parser *p, int level, enum prom_binary *op)
{
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        if (operators[i].level == level && (operators[i].word ? take_word(p, operators[i].text) : take(p, operators[i].text))) {
            *op = operators[i].op;
            return true;
        }
    }
    return false;
}

static struct prom_expr *parse_unary(struct prom_parser *p)
{
    blanks(p);
    const char *at = p->p;
    if (take(p, "-")) {
        struct prom_expr *x = node(p, PROM_NEGATE, at);
        x->a = parse_expr(p, LEVEL_POWER); /* -2^2 = -(2^2) */
        return x;
    }
    (void)take(p, "+");
    return parse_primary(p);
}

static struct prom_expr *parse_expr(struct prom_parser *p, int level)
{
    if (p->failed || ++p->depth > PROM_DEPTH_MAX * (LEVEL_POWER + 1)) {
        fail(p, p->p, 1, "the query is nested too deeply", NULL);
        return NULL;
    }
    struct prom_expr *left = level > LEVEL_POWER ? parse_unary(p) : parse_expr(p, level + 1);
    enum prom_binary op;
    blanks(p);
    const char *at = p->p;
    while (!p->failed && level <= LEVEL_POWER && take_operator(p, level, &op)) {
        struct prom_expr *x = node(p, PROM_BINARY, at);
        x->binary = op;
        x->a = left;
        x->bool_modifier = op >= PROM_CMP_EQ && op <= PROM_CMP_LE && take_word(p, "bool");
        if (take_word(p, "on") || take_word(p, "ignoring")) {
            fail(p, at, 1, "on() and ignoring() are not known here", "aggregate both sides to the same labels: sum by (…)");
        }
        x->b = parse_expr(p, level == LEVEL_POWER ? level : level + 1); /* ^ binds to the right */
        left = x;
        blanks(p);
        at = p->p;
    }
    p->depth--;
    return left;
}

enum lq_err promql_parse(lq_str text, struct lq_arena *mem, struct prom_expr **out, struct lq_error *e)
{
    if (text.n > PROM_BYTES_MAX) {
        return lq_error_set(e, LQ_EINVAL, "the query is longer than %d bytes", PROM_BYTES_MAX);
    }
    lq_str copy = lq_arena_str(mem, text);
    struct prom_parser p = {.text = copy, .p = copy.p, .end = copy.p + copy.n, .mem = mem, .e = e};
    struct prom_expr *x = parse_expr(&p, 0);
    blanks(&p);
    if (!p.failed && p.p < p.end) {
        fail(&p, p.p, 1, "this is not understood", NULL);
    }
    if (p.failed) {
        return LQ_EINVAL;
    }
    *out = x;
    return LQ_OK;
}

enum lq_err promql_parse_selector(lq_str text, struct lq_arena *mem, struct prom_expr **out, struct lq_error *e)
{
    enum lq_err err = promql_parse(text, mem, out, e);
    if (err == LQ_OK && ((*out)->kind != PROM_SELECTOR || (*out)->window_us != 0)) {
        err = lq_error_set(e, LQ_EINVAL, "a selector is needed, like lq_records_total{host=\"web-1\"}");
    }
    return err;
}
