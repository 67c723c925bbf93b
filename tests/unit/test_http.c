/*
 * test_http.c - parameters, tokens and bodies of the HTTP side
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "query/http/body.h"
#include "query/http/run.h"
#include "query/http/server_int.h"

Test(http, parameters_are_decoded)
{
    struct lq_arena mem = {0};
    struct http_request r = {.mem = &mem};
    cr_assert(http_params_parse(&r, LQ_STR("query=a%20%7C+b&empty=&flag&x=%C3%A9")));
    cr_assert_eq(r.n_params, 4);
    cr_assert(lq_str_is(http_param(&r, "query"), "a | b"));
    cr_assert(http_has_param(&r, "flag") && http_param(&r, "flag").n == 0 && http_param_text(&r, "empty") == NULL);
    cr_assert(lq_str_is(http_param(&r, "x"), "\xc3\xa9"));
    lq_arena_fini(&mem);
}

Test(http, broken_escapes_and_too_many_parameters_are_refused)
{
    static const char *const bad[] = {"a=%", "a=%4", "a=%zz", "a=%00", "%00=1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct lq_arena mem = {0};
        struct http_request r = {.mem = &mem};
        cr_assert_not(http_params_parse(&r, lq_str_of(bad[i])), "%s", bad[i]);
        lq_arena_fini(&mem);
    }
    struct lq_arena mem = {0};
    struct http_request r = {.mem = &mem};
    struct lq_buf many = {0};
    for (int i = 0; i <= HTTP_PARAMS_MAX; i++) {
        lq_buf_printf(&many, "p%d=1&", i);
    }
    cr_assert_not(http_params_parse(&r, (lq_str){many.p, many.n}));
    lq_buf_fini(&many);
    lq_arena_fini(&mem);
}

static enum lq_err load(const char *text, struct http_tokens *t, struct lq_error *e)
{
    char path[] = "/tmp/lq-test-tokens-XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    enum lq_err err = http_tokens_load(path, t, e);
    unlink(path);
    return err;
}

Test(http, tokens_give_their_scopes)
{
    static struct http_tokens t;
    struct lq_error e = {0};
    cr_assert(load("# people\nreader-0123456789 read\n\nwriter-0123456789 read,write\nroot-0123456789ab admin\n", &t, &e) == LQ_OK, "%s", e.msg);
    cr_assert_eq(t.n, 3);
    cr_assert(http_tokens_scopes(&t, "Bearer reader-0123456789") == HTTP_READ);
    cr_assert(http_tokens_scopes(&t, "Bearer writer-0123456789") == (HTTP_READ | HTTP_WRITE));
    cr_assert(http_tokens_scopes(&t, "Bearer root-0123456789ab") == (HTTP_READ | HTTP_WRITE | HTTP_ADMIN));
    cr_assert(http_tokens_scopes(&t, "Basic Z3JhZmFuYTpyZWFkZXItMDEyMzQ1Njc4OQ==") == HTTP_READ); /* grafana:reader-0123456789 */
    static const char *const wrong[] = {NULL, "", "Bearer ", "Bearer reader-012345678", "Bearer reader-01234567890", "Basic !!!!", "Basic cmVhZGVyLTAxMjM0NTY3ODk=", "reader-0123456789"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert(http_tokens_scopes(&t, wrong[i]) == 0, "%s", wrong[i] != NULL ? wrong[i] : "none");
    }
}

Test(http, a_bad_token_file_is_refused_with_its_line)
{
    static struct http_tokens t;
    static const char *const bad[] = {"ok-0123456789abcdef read\nshort read\n", "ok-0123456789abcdef read\nlong-enough-012345 everything\n", "ok-0123456789abcdef read\nno-scope-0123456789\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct lq_error e = {0};
        cr_assert(load(bad[i], &t, &e) == LQ_EINVAL, "%s", bad[i]);
        cr_assert_eq(e.line, 2);
        cr_assert_str_eq(e.text, "", "the text is a secret");
    }
    struct lq_error e = {0};
    cr_assert(load("# none\n", &t, &e) == LQ_EINVAL);
}

Test(http, hosts_of_this_machine)
{
    static const char *const yes[] = {"localhost", "localhost:8088", "127.0.0.1:1", "127.1.2.3", "[::1]:80", "[::1]"};
    static const char *const no[] = {"example.org", "localhost.example.org", "127.0.0.1.example.org", "127.0.0.1@x", "[::2]", "localhostx:1"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        cr_assert(http__loopback_host(yes[i]), "%s", yes[i]);
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        cr_assert_not(http__loopback_host(no[i]), "%s", no[i]);
    }
    cr_assert(http__same_origin("http://localhost:8088", "localhost:8088") && !http__same_origin("http://evil.example", "localhost:8088"));
}

Test(http, gzip_both_ways_and_its_limit)
{
    size_t n = 100000;
    char *text = lq_alloc(n + 1);
    memset(text, 'a', n);
    cr_assert(http__gzip(&text, &n) && n < 1000);
    struct lq_buf b = {0};
    lq_buf_add(&b, text, n);
    cr_assert_not(http__gunzip(&b, 99999));
    cr_assert(http__gunzip(&b, 100000) && b.n == 100000 && b.p[99999] == 'a');
    lq_buf_clear(&b);
    lq_buf_add(&b, text, n / 2);
    cr_assert_not(http__gunzip(&b, 100000));
    lq_buf_clear(&b);
    for (int i = 0; i < 2; i++) { /* two members */
        lq_buf_add(&b, text, n);
    }
    cr_assert(http__gunzip(&b, 200000) && b.n == 200000 && b.p[199999] == 'a');
    lq_buf_clear(&b);
    lq_buf_add(&b, text, n);
    lq_buf_str(&b, "and what is no gzip");
    cr_assert_not(http__gunzip(&b, 200000));
    lq_buf_fini(&b);
    free(text);
}

Test(http, bodies_of_both_data_sources)
{
    struct lq_arena mem = {0};
    static struct body b;
    struct lq_error e = {0};
    lq_str text = LQ_STR("{\"panelId\":1,\"range\":{\"from\":\"2026-03-02T10:00:00Z\",\"to\":\"2026-03-02T11:00:00Z\"},\"intervalMs\":30000,\"maxDataPoints\":100,"
                         "\"targets\":[{\"refId\":\"A\",\"target\":\"count\",\"payload\":{}},{\"target\":\"query\",\"payload\":{\"query\":\"errors\",\"format\":\"table\"},\"hide\":true},"
                         "{\"target\":\"rate\",\"type\":\"table\"}],\"adhocFilters\":[{\"key\":\"host\",\"operator\":\"!=\",\"value\":\"a\"},{\"key\":\"\"}],"
                         "\"annotation\":{\"name\":\"n\",\"query\":\"markers\"}}");
    cr_assert(body_parse(text, &mem, &b, &e) == LQ_OK, "%s", e.msg);
    cr_assert(b.n_targets == 3 && lq_str_is(b.targets[0].query, "count") && !b.targets[0].hidden && !b.targets[0].table);
    cr_assert(lq_str_is(b.targets[1].query, "errors") && b.targets[1].hidden && b.targets[1].table);
    cr_assert(b.targets[2].table && b.interval_ms == 30000 && b.points_max == 100);
    cr_assert(b.n_filters == 1 && lq_str_is(b.filters[0].op, "!="));
    cr_assert(lq_str_is(b.annotation_query, "markers") && lq_str_is(b.annotation, "{\"name\":\"n\",\"query\":\"markers\"}"));
    static const char *const bad[] = {"[1]", "{", "\"x\"", "{\"a\":1,\"a\":2}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert(body_parse(lq_str_of(bad[i]), &mem, &b, &e) == LQ_EINVAL, "%s", bad[i]);
    }
    cr_assert(body_parse((lq_str){"", 0}, &mem, &b, &e) == LQ_OK);
    lq_arena_fini(&mem);
}

Test(http, command_lines_that_may_come_from_afar)
{
    static const char *const good[][6] = {{"why"}, {"why", "--since", "2d", "--top=3", "--explain"}, {"query", "errors by host"}, {"query", "--format", "json", "count"}, {"values", "host", "web"}, {"format", "list"}, {"format", "show", "combined"}, {"query", "--", "-count"}, {"tail", "--after", "new", "count"}, {"tail", "count", "--after=1.2.3.0"}};
    static const char *const bad[][6] = {{"load", "x"}, {"why", "/etc/passwd"}, {"why", "-"}, {"query", "count", "/etc/passwd"}, {"why", "--data", "/x"}, {"why", "--formats=/x"}, {"format", "try", "/etc/passwd"}, {"debug", "dump"}, {"query", "--", "count", "/etc/passwd"}, {"web"}, {"../lq"}, {"why", "--since", "2d", "/etc/passwd"}, {"tail", "count"}, {"tail", "count", "--", "--after"}, {"tail", "--after", "new", "count", "/etc/passwd"}};
    struct lq_error e;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        size_t n = 0;
        while (n < 6 && good[i][n] != NULL) {
            n++;
        }
        cr_assert(run_check(good[i], n, false, &e) == LQ_OK, "%s %s: %s", good[i][0], n > 1 ? good[i][1] : "", e.msg);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t n = 0;
        while (n < 6 && bad[i][n] != NULL) {
            n++;
        }
        cr_assert(run_check(bad[i], n, false, &e) == LQ_EINVAL, "%s %s", bad[i][0], n > 1 ? bad[i][1] : "");
    }
    cr_assert(run_check(NULL, 0, false, &e) == LQ_EINVAL);
    static const char *const mark[] = {"mark", "release", "2.4.1", "--at", "now", "--data=/x"}, *const why[] = {"why"};
    cr_assert(run_check(mark, 5, true, &e) == LQ_OK && run_check(mark, 5, false, &e) == LQ_EINVAL && run_check(mark, 6, true, &e) == LQ_EINVAL);
    cr_assert(run_check(why, 1, true, &e) == LQ_EINVAL);
}
