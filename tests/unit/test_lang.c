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
        {"level = ERROR | lines 5", 1, 0, true, 0, 0},
        {"status = 500 by host every 5m", 1, 1, true, 300, 0},
        {"route not in ('/a', \"/b\") and agent != x/1.0 | count as n by host | sort by host desc | limit 3", 1, 1, true, 0, 0},
        {"over(request_time, 500ms) / count as slow by route | compare 7d | top 5 by change", 1, 1, false, 0, 5},
        {"errors every auto | change", 1, 0, false, 0, 0},
        {"dist(request_time) by host every 1h", 1, 1, false, 3600, 0},
        {"count\n  by status # one\n  every 1h # two\n| top 3", 1, 1, false, 3600, 3},
        {"count(*), p99(request_time) by route | top 3 by last p99", 2, 1, false, 0, 3},
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
        {"count where status = 500", 7, "the filter stands before", "status >= 500 | count"},
        {"count errors", 7, "expected here", "commas"},
        {"status = 500 & host = a", 14, "and, or or | expected", "write and"},
        {"status = 500 count", 14, "and, or or | expected", "a | stands between"},
        {"route like '/api'", 7, "a comparison is missing", "~ tests a regex"},
        {"mean(request_time)", 1, "unknown function mean", "write avg"},
        {"over(request_time)", 18, "a bound is missing", "over(request_time, 0.5)"},
        {"count | group by host", 9, "unknown stage group", "by FIELD"},
        {"count | compare", 16, "a duration is missing", "7d"},
        {"dist(x), count", 6, "dist stands alone", ""},
        {"count by host | top 3 | bottom 2", 25, "one top or bottom", ""},
        {"count |", 8, "a stage is missing", "top N"},
        {"count by a, b, c, d, e, f, g", 28, "too many fields", ""},
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

Test(lang, compared_columns_have_names_and_ranks_find_them)
{
    struct query *q = NULL;
    struct lq_error e = {0};
    cr_assert(query_parse(LQ_STR("errors / count, count by host | compare 36h | top 3 by max count change | sort by host"), &q, &e) == LQ_OK, "%s", e.msg);
    static const char *const names[] = {"errors / count", "count", "errors / count -36h", "errors / count change", "count -36h", "count change"};
    cr_assert(q->n_out == 6);
    for (uint32_t i = 0; i < q->n_out; i++) {
        cr_expect(lq_str_is(q->column_names[i], names[i]), "%.*s", (int)q->column_names[i].n, q->column_names[i].p);
    }
    cr_expect(q->top_rank.column == 5 && q->top_rank.fold == RANK_MAX && q->sort_rank.field == 0 && q->ascending);
    cr_expect(query_column_adds(q, q->columns[1]) && !query_column_adds(q, q->columns[0]));
    query_free(&q);
}

Test(lang, an_error_in_a_query_of_several_lines_shows_its_line)
{
    struct query *q = NULL;
    struct lq_error e = {0};
    cr_assert(query_parse(LQ_STR("count\n  by status\n  evry 5m"), &q, &e) == LQ_EINVAL);
    cr_expect(e.column == 3 && strcmp(e.text, "  evry 5m") == 0, "%u %s", e.column, e.text);
}
