/*
 * test_promql.c - what parses, to which tree, and where an error stands
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>

#include "query/http/promql.h"

static struct lq_arena mem;

/* A tree as a text with all parentheses. */
static void show(const struct prom_expr *x, struct lq_buf *b)
{
    static const char *const ops[] = {"+", "-", "*", "/", "%", "^", "==", "!=", ">", "<", ">=", "<=", "and", "or", "unless"};
    static const char *const aggs[] = {"sum", "avg", "min", "max", "count", "topk", "bottomk"};
    static const char *const matches[] = {"=", "!=", "=~", "!~"};
    switch (x->kind) {
    case PROM_NUMBER: lq_buf_printf(b, "%g", x->number); break;
    case PROM_SELECTOR:
        lq_buf_printf(b, "%.*s{", (int)x->name.n, x->name.p);
        for (uint32_t i = 0; i < x->n_matchers; i++) {
            const struct prom_matcher *m = &x->matchers[i];
            lq_buf_printf(b, "%s%.*s%s'%.*s'", i > 0 ? "," : "", (int)m->name.n, m->name.p, matches[m->op], (int)m->value.n, m->value.p);
        }
        lq_buf_str(b, "}");
        if (x->window_us > 0) {
            lq_buf_printf(b, "[%lld]", (long long)(x->window_us / 1000000));
        }
        if (x->offset_us != 0) {
            lq_buf_printf(b, "@%lld", (long long)(x->offset_us / 1000000));
        }
        break;
    case PROM_AGGREGATE:
        lq_buf_printf(b, "%s%s", aggs[x->aggregate], x->by ? " by" : x->without ? " without" : "");
        for (uint32_t i = 0; i < x->n_labels; i++) {
            lq_buf_printf(b, " %.*s", (int)x->labels[i].n, x->labels[i].p);
        }
        lq_buf_str(b, "(");
        if (x->aggregate >= PROM_TOPK) {
            lq_buf_printf(b, "%g,", x->number);
        }
        show(x->a, b);
        lq_buf_str(b, ")");
        break;
    case PROM_BINARY:
        lq_buf_str(b, "(");
        show(x->a, b);
        lq_buf_printf(b, " %s%s ", ops[x->binary], x->bool_modifier ? " bool" : "");
        show(x->b, b);
        lq_buf_str(b, ")");
        break;
    default:
        lq_buf_printf(b, "%s(", x->kind == PROM_RATE ? "rate" : x->kind == PROM_INCREASE ? "increase" : x->kind == PROM_IRATE ? "irate" : x->kind == PROM_QUANTILE ? "quantile" : x->kind == PROM_VECTOR ? "vector" : "neg");
        if (x->kind == PROM_QUANTILE) {
            lq_buf_printf(b, "%g,", x->number);
        }
        show(x->a, b);
        lq_buf_str(b, ")");
    }
}

Test(promql, trees)
{
    static const struct {
        const char *text, *want;
    } t[] = {
        {"1+1", "(1 + 1)"},
        {"1 + 2 * 3 ^ 2 ^ 2", "(1 + (2 * (3 ^ (2 ^ 2))))"},
        {"-2 ^ 2", "neg((2 ^ 2))"},
        {"2 - 3 - 4", "((2 - 3) - 4)"},
        {"a{}", "a{}"},
        {"{__name__=\"a\",b!~'c|d',}", "a{b!~'c|d'}"},
        {"rate(a{b=\"c\\\"d\"}[5m])", "rate(a{b='c\"d'}[300])"},
        {"increase(a[1h30m] offset 1d)", "increase(a{}[5400]@86400)"},
        {"sum by (x, y) (rate(a[1m]))", "sum by x y(rate(a{}[60]))"},
        {"sum(rate(a[1m])) by (x)", "sum by x(rate(a{}[60]))"},
        {"avg without(x)(a) > bool 3", "(avg without x(a{}) > bool 3)"},
        {"topk(5, sum by (r)(rate(a[1m])))", "topk(5,sum by r(rate(a{}[60])))"},
        {"histogram_quantile(0.99, sum by (le) (rate(a_bucket[5m])))", "quantile(0.99,sum by le(rate(a_bucket{}[300])))"},
        {"a / b or vector(0)", "((a{} / b{}) or vector(0))"},
        {"a and b unless c", "((a{} and b{}) unless c{})"},
        {"a # a comment\n + 1", "(a{} + 1)"},
        {"sum", "sum{}"}, /* a metric may be called as a function is */
        {"order_total", "order_total{}"},
        {"a or order", "(a{} or order{})"},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct lq_error e = {0};
        struct prom_expr *x = NULL;
        struct lq_buf b = {0};
        cr_assert(promql_parse(lq_str_of(t[i].text), &mem, &x, &e) == LQ_OK, "%s: %s", t[i].text, e.msg);
        show(x, &b);
        lq_buf_byte(&b, 0);
        cr_assert_str_eq(b.p, t[i].want, "%s: %s, not %s", t[i].text, b.p, t[i].want);
        lq_buf_fini(&b);
    }
    lq_arena_fini(&mem);
}

Test(promql, errors_name_their_place)
{
    static const struct {
        const char *text;
        uint32_t column;
        const char *msg;
    } t[] = {
        {"", 1, "the query ends too early"},
        {"rate(a)", 6, "a range is needed here"},
        {"rate(a[5x])", 8, "a duration is needed here"},
        {"foo(a)", 1, "this function is not known here"},
        {"a{b}", 4, "= != =~ or !~ is needed here"},
        {"a{b=c}", 5, "a quoted text is needed here"},
        {"a{b=\"c}", 5, "the closing quote is missing"},
        {"(1 + 2", 7, "\")\" is missing here"},
        {"1 2", 3, "this is not understood"},
        {"a == on(b) c", 3, "on() and ignoring() are not known here"},
        {"topk(a, b)", 6, "a number is needed here"},
        {"1e", 1, "this is no number"},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct lq_error e = {0};
        struct prom_expr *x = NULL;
        cr_assert(promql_parse(lq_str_of(t[i].text), &mem, &x, &e) == LQ_EINVAL, "%s", t[i].text);
        cr_assert_str_eq(e.msg, t[i].msg, "%s: %s", t[i].text, e.msg);
        cr_assert_eq(e.column, t[i].column, "%s: column %u", t[i].text, e.column);
    }
    lq_arena_fini(&mem);
}

Test(promql, depth_and_size_are_bounded)
{
    struct lq_buf b = {0};
    struct lq_error e = {0};
    struct prom_expr *x = NULL;
    for (int i = 0; i < 5000; i++) {
        lq_buf_str(&b, "(");
    }
    cr_assert(promql_parse((lq_str){b.p, b.n}, &mem, &x, &e) == LQ_EINVAL);
    lq_buf_clear(&b);
    for (int i = 0; i < 2000; i++) {
        lq_buf_str(&b, "1+");
    }
    cr_assert(promql_parse((lq_str){b.p, b.n}, &mem, &x, &e) == LQ_EINVAL);
    lq_buf_clear(&b);
    for (int i = 0; i < 3000; i++) {
        lq_buf_str(&b, "-");
    }
    cr_assert(promql_parse((lq_str){b.p, b.n}, &mem, &x, &e) == LQ_EINVAL);
    lq_buf_fini(&b);
    lq_arena_fini(&mem);
}
