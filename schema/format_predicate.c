/*
 * format_predicate.c - the `error:` predicate: comparisons over fields, compiled once
 *
 *      or := and ("or" and)*     and := not ("and" not)*     not := "not" not | "(" or ")" | FIELD OP VALUE | FIELD in (VALUE, …)
 *      OP := = != > >= < <= ~ !~
 *
 * A comparison with a number is numeric; a field that is absent or no number is false then.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "schema/format_int.h"

enum { NODES_MAX = 64, DEPTH_MAX = 16, VALUES_MAX = 32 };
enum op { OP_EQ, OP_NE, OP_GT, OP_GE, OP_LT, OP_LE, OP_MATCH, OP_NO_MATCH, OP_IN, OP_AND, OP_OR, OP_NOT };

struct pred_node {
    enum op op;
    uint8_t a, b; /* children */
    uint32_t slot;
    lq_str text;
    double number;
    bool numeric;
    struct lq_regex *regex;
    uint32_t n_values;
    lq_str *values; /* in the predicate's memory */
};
struct predicate {
    struct pred_node nodes[NODES_MAX];
    uint32_t n;
    uint8_t root;
    struct lq_arena mem;
};

struct pred_parser {
    const struct format *f;
    struct predicate *out;
    lq_str text;
    size_t at;
    struct lq_error *e;
    bool failed;
};

bool number_parse(lq_str s, double *v)
{
    char buf[64], *end;
    if (s.n == 0 || s.n >= sizeof buf || !(s.p[0] == '-' || s.p[0] == '+' || s.p[0] == '.' || (s.p[0] >= '0' && s.p[0] <= '9'))) {
        return false;
    }
    if (s.n <= 6) { /* the usual case: a few digits */
        unsigned x = 0;
        size_t i = 0;
        while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9') {
            x = x * 10 + (unsigned)(s.p[i++] - '0');
        }
        if (i == s.n) {
            *v = x;
            return true;
        }
    }
    memcpy(buf, s.p, s.n);
    buf[s.n] = '\0';
    *v = strtod(buf, &end);
    return *end == '\0' && memchr(buf, 'x', s.n) == NULL;
}

static void fail(struct pred_parser *p, const char *msg, size_t at, size_t width)
{
    if (!p->failed) {
        lq_error_set(p->e, LQ_EINVAL, "%s", msg);
        lq_error_where(p->e, "error", 0, (uint32_t)at + 1, (uint32_t)width, p->text.p, p->text.n);
        p->failed = true;
    }
}

static void blanks(struct pred_parser *p)
{
    while (p->at < p->text.n && (p->text.p[p->at] == ' ' || p->text.p[p->at] == '\n')) {
        p->at++;
    }
}

static bool word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-' || c == '@';
}

static lq_str word(struct pred_parser *p)
{
    blanks(p);
    size_t start = p->at;
    while (p->at < p->text.n && word_char(p->text.p[p->at])) {
        p->at++;
    }
    return (lq_str){p->text.p + start, p->at - start};
}

static bool keyword(struct pred_parser *p, const char *k)
{
    size_t before = p->at;
    if (lq_str_is(word(p), k)) {
        return true;
    }
    p->at = before;
    return false;
}

static lq_str value(struct pred_parser *p)
{
    blanks(p);
    if (p->at < p->text.n && (p->text.p[p->at] == '"' || p->text.p[p->at] == '\'')) {
        size_t start = ++p->at;
        const char *close = memchr(p->text.p + start, p->text.p[start - 1], p->text.n - start);
        if (close == NULL) {
            fail(p, "a quote is not closed", start - 1, 1);
            return (lq_str){"", 0};
        }
        p->at = (size_t)(close - p->text.p) + 1;
        return (lq_str){p->text.p + start, (size_t)(close - p->text.p) - start};
    }
    lq_str w = word(p);
    if (w.n == 0) {
        fail(p, "a value is missing", p->at, 1);
    }
    return w;
}

static uint8_t node_new(struct pred_parser *p, enum op op)
{
    if (p->out->n == NODES_MAX) {
        fail(p, "the predicate is too long", p->at, 1);
        return 0;
    }
    p->out->nodes[p->out->n].op = op;
    return (uint8_t)p->out->n++;
}

static bool parse_op(struct pred_parser *p, enum op *op)
{
    static const struct {
        const char *text;
        enum op op;
    } ops[] = {{"!=", OP_NE}, {">=", OP_GE}, {"<=", OP_LE}, {"!~", OP_NO_MATCH}, {"==", OP_EQ}, {"=", OP_EQ}, {">", OP_GT}, {"<", OP_LT}, {"~", OP_MATCH}};
    blanks(p);
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        size_t n = strlen(ops[i].text);
        if (p->text.n - p->at >= n && memcmp(p->text.p + p->at, ops[i].text, n) == 0) {
            p->at += n;
            *op = ops[i].op;
            return true;
        }
    }
    return false;
}

static void parse_list(struct pred_parser *p, struct pred_node *n)
{
    blanks(p);
    if (p->at == p->text.n || p->text.p[p->at++] != '(') {
        fail(p, "( expected after in", p->at, 1);
        return;
    }
    lq_str values[VALUES_MAX];
    for (;;) {
        if (n->n_values == VALUES_MAX) {
            fail(p, "too many values", p->at, 1);
            return;
        }
        values[n->n_values++] = lq_arena_str(&p->out->mem, value(p));
        blanks(p);
        char c = p->at < p->text.n ? p->text.p[p->at++] : '\0';
        if (p->failed || c == ')') {
            n->values = lq_arena_alloc(&p->out->mem, n->n_values * sizeof *values);
            memcpy(n->values, values, n->n_values * sizeof *values);
            return;
        }
        if (c != ',') {
            fail(p, ", or ) expected", p->at, 1);
            return;
        }
    }
}

static uint8_t parse_or(struct pred_parser *p, unsigned depth);

static uint8_t parse_comparison(struct pred_parser *p)
{
    blanks(p);
    size_t start = p->at;
    lq_str name = word(p);
    uint8_t n = node_new(p, OP_EQ);
    struct pred_node *x = &p->out->nodes[n];
    if (name.n == 0) {
        fail(p, "a field's name is missing", start, 1);
        return n;
    }
    x->slot = format_slot(p->f, name);
    if (x->slot == UINT32_MAX) {
        const char *names[SLOT_MAX];
        uint32_t k = 0;
        for (uint32_t i = 0; i < p->f->n_fields; i++) {
            names[k++] = p->f->fields[i].name;
        }
        for (uint32_t i = 0; i < p->f->n_derived; i++) {
            names[k++] = p->f->derived[i].name;
        }
        const char *near = lq_nearest(name.p, name.n, names, k);
        fail(p, "unknown field in the error predicate", start, name.n);
        if (near != NULL) {
            lq_error_hint(p->e, "did you mean %s?", near);
        }
        return n;
    }
    if (keyword(p, "in")) {
        x->op = OP_IN;
        parse_list(p, x);
        return n;
    }
    if (!parse_op(p, &x->op)) {
        fail(p, "a comparison is missing: = != > >= < <= ~ !~ in", p->at, 1);
        return n;
    }
    size_t value_at = p->at;
    x->text = lq_arena_str(&p->out->mem, value(p));
    x->numeric = number_parse(x->text, &x->number);
    bool regex = x->op == OP_MATCH || x->op == OP_NO_MATCH;
    if (regex && !p->failed && lq_regex_new(x->text, &x->regex, p->e) != LQ_OK) {
        p->failed = true;
    } else if (!regex && x->op != OP_EQ && x->op != OP_NE && !x->numeric && !p->failed) {
        fail(p, "a number is needed to compare with < or >", value_at, p->at - value_at);
    }
    return n;
}

static uint8_t parse_not(struct pred_parser *p, unsigned depth)
{
    if (depth > DEPTH_MAX) {
        fail(p, "nested too deep", p->at, 1);
        return 0;
    }
    if (keyword(p, "not")) {
        uint8_t n = node_new(p, OP_NOT), a = parse_not(p, depth + 1);
        p->out->nodes[n].a = a;
        return n;
    }
    blanks(p);
    if (p->at < p->text.n && p->text.p[p->at] == '(') {
        p->at++;
        uint8_t n = parse_or(p, depth + 1);
        blanks(p);
        if (p->at == p->text.n || p->text.p[p->at] != ')') {
            fail(p, ") expected", p->at, 1);
        } else {
            p->at++;
        }
        return n;
    }
    return parse_comparison(p);
}

static uint8_t parse_chain(struct pred_parser *p, unsigned depth, enum op op)
{
    uint8_t left = op == OP_OR ? parse_chain(p, depth, OP_AND) : parse_not(p, depth);
    while (!p->failed && keyword(p, op == OP_OR ? "or" : "and")) {
        uint8_t right = op == OP_OR ? parse_chain(p, depth, OP_AND) : parse_not(p, depth), n = node_new(p, op);
        p->out->nodes[n].a = left;
        p->out->nodes[n].b = right;
        left = n;
    }
    return left;
}

static uint8_t parse_or(struct pred_parser *p, unsigned depth)
{
    return parse_chain(p, depth, OP_OR);
}

enum lq_err predicate_new(const struct format *f, lq_str text, struct predicate **out, struct lq_error *e)
{
    struct predicate *x = lq_alloc(sizeof *x);
    struct pred_parser p = {f, x, text, 0, e, false};
    x->root = parse_or(&p, 0);
    blanks(&p);
    if (p.at < text.n) {
        fail(&p, "and, or or the end expected", p.at, 1);
    }
    if (p.failed) {
        predicate_free(&x);
        return LQ_EINVAL;
    }
    *out = x;
    return LQ_OK;
}

void predicate_free(struct predicate **p)
{
    if (*p != NULL) {
        for (uint32_t i = 0; i < (*p)->n; i++) {
            lq_regex_free(&(*p)->nodes[i].regex);
        }
        lq_arena_fini(&(*p)->mem);
        free(*p);
        *p = NULL;
    }
}

static bool compare(const struct pred_node *n, lq_str v)
{
    double x;
    lq_str groups[1];
    switch (n->op) {
    case OP_MATCH: return lq_regex_groups(n->regex, v, groups, 1) > 0;
    case OP_NO_MATCH: return lq_regex_groups(n->regex, v, groups, 1) == 0;
    case OP_EQ:
    case OP_NE:
        if (n->numeric && number_parse(v, &x)) {
            return (x == n->number) == (n->op == OP_EQ);
        }
        return lq_str_eq(v, n->text) == (n->op == OP_EQ);
    case OP_IN:
        for (uint32_t i = 0; i < n->n_values; i++) {
            if (lq_str_eq(v, n->values[i])) {
                return true;
            }
        }
        return false;
    default:
        break;
    }
    if (!number_parse(v, &x)) {
        return false;
    }
    return n->op == OP_GT ? x > n->number : n->op == OP_GE ? x >= n->number : n->op == OP_LT ? x < n->number : x <= n->number;
}

static bool eval(const struct predicate *p, uint8_t i, const lq_str *slots)
{
    const struct pred_node *n = &p->nodes[i];
    switch (n->op) {
    case OP_AND: return eval(p, n->a, slots) && eval(p, n->b, slots);
    case OP_OR: return eval(p, n->a, slots) || eval(p, n->b, slots);
    case OP_NOT: return !eval(p, n->a, slots);
    default: return compare(n, slots[n->slot]);
    }
}

bool predicate_true(const struct predicate *p, const lq_str *slots)
{
    return eval(p, p->root, slots);
}

static bool uses(const struct predicate *p, uint8_t i, uint32_t slot)
{
    const struct pred_node *n = &p->nodes[i];
    switch (n->op) {
    case OP_AND:
    case OP_OR: return uses(p, n->a, slot) || uses(p, n->b, slot);
    case OP_NOT: return uses(p, n->a, slot);
    default: return n->slot == slot;
    }
}

bool predicate_uses(const struct predicate *p, uint32_t slot)
{
    return uses(p, p->root, slot);
}
