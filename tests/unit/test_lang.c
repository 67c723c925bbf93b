/*
 * test_lang.c - queries that parse, and what is said of those that do not
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>

#include "query/lang/lang.h"

Test(lang, queries_parse)
{
    static const struct {
        const char *text;
        uint32_t columns, by;
        bool filter;
        int64_t every_s;
        uint32_t top;
    } cases[] = {
        {"count", 1, 0, false, 0, 0},
        {"errors / count by host every 1m", 1, 1, false, 60, 0},
        {"status >= 500 and route ~ \"^/api\" | count by route, status every 5m | top 5 by max", 1, 2, true, 300, 5},
        {"p50(request_time), p99.9(request_time), distinct(client) by version every 10m", 3, 1, false, 600, 0},
        {"stream = app and (level = error or not level in (info, debug))", 1, 0, true, 0, 0},
        {"(errors + 1) / (count * 2) - 3 # a comment", 1, 0, false, 0, 0},
        {"route = '/a b' | rate | limit 3", 1, 0, true, 0, 0},
        {"host = count | count", 1, 0, true, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct query *q = NULL;
        struct lq_error e = {0};
        cr_expect(query_parse(lq_str_of(cases[i].text), &q, &e) == LQ_OK, "%s: %s", cases[i].text, e.msg);
        if (q != NULL) {
            cr_expect(q->n_columns == cases[i].columns && q->n_by == cases[i].by && (q->filter != NULL) == cases[i].filter &&
                          q->every_us == cases[i].every_s * 1000000 && q->top == cases[i].top, "%s", cases[i].text);
        }
        query_free(&q);
    }
}

Test(lang, errors_name_place_and_remedy)
{
    static const struct {
        const char *text;
        uint32_t column;
        const char *message, *hint;
    } cases[] = {
        {"", 1, "the query is empty", "for example"},
        {"cuont by host", 1, "unknown function", "count"},
        {"p99 by host", 1, "needs a field", "p99(request_time)"},
        {"count evry 5m", 7, "expected here", "every"},
        {"count every 5", 13, "no duration", "5m"},
        {"count | tpo 5", 9, "unknown stage", "top"},
        {"count | top x", 13, "a number is needed", ""},
        {"status >= | count", 11, "a value is missing", ""},
        {"status = 'x | count", 10, "a quote is not closed", ""},
        {"(status = 1 | count", 13, ") is missing", ""},
        {"count by", 9, "a field is missing", ""},
        {"count, p50(x) | top 3 by nothing", 26, "none of the columns", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct query *q = NULL;
        struct lq_error e = {0};
        cr_expect(query_parse(lq_str_of(cases[i].text), &q, &e) == LQ_EINVAL, "%s", cases[i].text);
        cr_expect(e.column == cases[i].column && strstr(e.msg, cases[i].message) != NULL && strstr(e.hint, cases[i].hint) != NULL, "%s: %u: %s (%s)", cases[i].text,
                  e.column, e.msg, e.hint);
        query_free(&q);
    }
}

Test(lang, nesting_and_length_are_bounded)
{
    struct lq_buf b = {0};
    struct query *q = NULL;
    struct lq_error e = {0};
    for (int i = 0; i < 1000; i++) {
        lq_buf_str(&b, "(");
    }
    lq_buf_str(&b, "status = 1");
    cr_expect(query_parse((lq_str){b.p, b.n}, &q, &e) == LQ_EINVAL && strstr(e.msg, "too deep") != NULL, "%s", e.msg);
    lq_buf_reserve(&b, 20000);
    memset(b.p, 'a', 20000);
    cr_expect(query_parse((lq_str){b.p, 20000}, &q, &e) == LQ_EINVAL && strstr(e.msg, "longer than") != NULL);
    lq_buf_fini(&b);
}
