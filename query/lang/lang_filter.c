/*
 * lang_filter.c - filters: tests of fields, joined by and, or, not
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/lang/lang_int.h"

/* A quoted string ("" or '', with \" for the quote itself), or a bare word. */
static lq_str value(struct lang_parser *p)
{
    lang__blanks(p);
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
            lang__fail(p, start, 1, "a quote is not closed");
            lq_error_hint(p->e, "%c ends it; the shell takes away the quotes around the whole query", quote);
            return (lq_str){"", 0};
        }
        p->p++;
        return (lq_str){out, n};
    }
    const char *q = p->p;
    while (q < p->end && strchr(" \t\n\r,()|\"'#=<>~!&;", *q) == NULL) {
        q++;
    }
    lq_str v = {p->p, (size_t)(q - p->p)};
    if (v.n == 0) {
        lang__fail(p, p->p, 1, "a value is missing here");
        lq_error_hint(p->e, "for example: status = 500, status in (500, 502), path = \"/a b\"");
    }
    p->p = q;
    return v;
}

bool lang__comparison(struct lang_parser *p, enum filter_op *op)
{
    static const struct {
        const char *text;
        enum filter_op op;
    } ops[] = {{"!=", FILTER_NE}, {"<>", FILTER_NE}, {">=", FILTER_GE}, {"<=", FILTER_LE}, {"!~", FILTER_NO_MATCH}, {"==", FILTER_EQ},
               {"=~", FILTER_MATCH}, {"=", FILTER_EQ}, {">", FILTER_GT}, {"<", FILTER_LT}, {"~", FILTER_MATCH}};
    lang__blanks(p);
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

static void parse_list(struct lang_parser *p, struct filter *f)
{
    f->op = FILTER_IN;
    f->values = lq_arena_alloc(&p->q->mem, QUERY_VALUES_MAX * sizeof *f->values);
    if (!lang__symbol(p, '(')) {
        lang__fail(p, p->p, 1, "( is missing after in");
        lq_error_hint(p->e, "like: %.*s in (500, 502)", (int)(f->field.n < 60 ? f->field.n : 60), f->field.p);
        return;
    }
    lang__blanks(p);
    f->value_at = (uint32_t)(p->p - p->q->text.p);
    do {
        if (f->n_values == QUERY_VALUES_MAX) {
            lang__fail(p, p->p, 1, "too many values");
            return;
        }
        f->values[f->n_values++] = value(p);
    } while (!p->failed && lang__symbol(p, ','));
    if (!p->failed && !lang__symbol(p, ')')) {
        lang__fail(p, p->p, 1, ", or ) is missing here");
    }
}

static struct filter *negated(struct lang_parser *p, struct filter *f)
{
    struct filter *n = lang__node(p, sizeof *n);
    n->op = FILTER_NOT;
    n->a = f;
    return n;
}

static struct filter *parse_test(struct lang_parser *p)
{
    struct filter *f = lang__node(p, sizeof *f);
    f->field = lang__peek(p);
    f->at = (uint32_t)(f->field.p - p->q->text.p);
    if (f->field.n == 0) {
        lang__fail(p, p->p, 1, "a field is missing here");
        return f;
    }
    p->p += f->field.n;
    if (lang__keyword(p, "in")) {
        parse_list(p, f);
        return f;
    }
    if (lang__keyword(p, "not")) {
        if (!lang__keyword(p, "in")) {
            lang__fail(p, p->p, 1, "in is missing after not");
            return f;
        }
        parse_list(p, f);
        return negated(p, f);
    }
    if (!lang__comparison(p, &f->op)) {
        lq_str w = lang__peek(p);
        lang__fail(p, p->p, w.n > 0 ? w.n : 1, "a comparison is missing here: = != > >= < <= ~ !~ or in (…)");
        if (lq_str_is(w, "like") || lq_str_is(w, "contains") || lq_str_is(w, "matches")) {
            lq_error_hint(p->e, "~ tests a regex, like: route ~ \"^/api\"");
        } else if (w.n == 0 && p->p < p->end && *p->p == ':') {
            lq_error_hint(p->e, "write = for :");
        } else if (lq_str_is(w, "is") || lq_str_is(w, "equals") || lq_str_is(w, "eq")) {
            lq_error_hint(p->e, "write =");
        }
        return f;
    }
    lang__blanks(p);
    f->value_at = (uint32_t)(p->p - p->q->text.p);
    f->values = lq_arena_alloc(&p->q->mem, sizeof *f->values);
    f->values[0] = value(p);
    f->n_values = 1;
    return f;
}

static struct filter *parse_not(struct lang_parser *p, unsigned depth)
{
    if (depth > QUERY_DEPTH_MAX) {
        lang__fail(p, p->p, 1, "nested too deep");
        return NULL;
    }
    if (lang__keyword(p, "not")) {
        return negated(p, parse_not(p, depth + 1));
    }
    if (lang__symbol(p, '(')) {
        struct filter *f = parse_or(p, depth + 1);
        if (!lang__symbol(p, ')')) {
            lang__fail(p, p->p, 1, ") is missing here");
        }
        return f;
    }
    return parse_test(p);
}

static struct filter *joined(struct lang_parser *p, enum filter_op op, struct filter *a, struct filter *b)
{
    struct filter *f = lang__node(p, sizeof *f);
    f->op = op;
    f->a = a;
    f->b = b;
    return f;
}

static struct filter *parse_and(struct lang_parser *p, unsigned depth)
{
    struct filter *left = parse_not(p, depth);
    while (!p->failed && lang__keyword(p, "and")) {
        left = joined(p, FILTER_AND, left, parse_not(p, depth));
    }
    return left;
}

static struct filter *parse_or(struct lang_parser *p, unsigned depth)
{
    struct filter *left = parse_and(p, depth);
    while (!p->failed && lang__keyword(p, "or")) {
        left = joined(p, FILTER_OR, left, parse_and(p, depth));
    }
    return left;
}

struct filter *lang__filter(struct lang_parser *p)
{
    return parse_or(p, 0);
}
