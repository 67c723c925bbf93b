/*
 * test_session.c - how a session ends, from one line
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>

#include "schema/derive.h"
#include "schema/format.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static lq_str text(const char *s)
{
    return s != NULL ? lq_str_of(s) : (lq_str){"", 0};
}

Test(session, ends)
{
    static const struct {
        const char *status, *method, *target, *user, *referrer, *location, *want;
    } cases[] = {
        {"200", "GET", "/cart", "u7", "https://shop/", NULL, ""},
        {"401", "GET", "/cart", "u7", "-", NULL, "lost"},
        {"401", "GET", "/cart", "-", "https://shop/", NULL, ""}, /* a visitor who never signed in */
        {"401", "GET", "/cart", "", NULL, NULL, ""},
        {"401", "POST", "/login", "u7", NULL, NULL, ""}, /* a wrong password */
        {"403", "GET", "/admin", "u7", NULL, NULL, ""},
        {"419", "POST", "/cart/items", "-", NULL, NULL, "lost"},
        {"440", "POST", "/owa/x", "-", NULL, NULL, "lost"},
        {"419", "POST", "/login", "-", NULL, NULL, ""},
        {"302", "GET", "/orders", "u7", NULL, "/login", "lost"},
        {"302", "GET", "/orders", "-", "https://shop/cart", "https://login.example/auth?x=1", "lost"},
        {"302", "GET", "/orders", "-", "-", "/login", ""},             /* a bookmark */
        {"302", "GET", "/orders", "u7", NULL, "/orders/", ""},
        {"304", "GET", "/orders", "u7", NULL, "/login", ""},
        {"302", "POST", "/login", "u7", "https://shop/login", "/login?error", ""},
        {"302", "GET", "/logout", "u7", "https://shop/", "/login", "logout"},
        {"200", "POST", "/users/Sign_Out", "-", NULL, NULL, "logout"},
        {"500", "GET", "/logout", "u7", NULL, NULL, ""},
        {"200", "GET", "/logouts-report", "u7", NULL, NULL, ""},
        {"200", "GET", "/login?next=/orders", "-", "https://shop/orders", NULL, "lost"},
        {"200", "GET", "/Account/Login?x=1&ReturnUrl=%2f", "-", "https://shop/orders", NULL, "lost"},
        {"200", "GET", "/wp-login.php?redirect_to=%2F&reauth=1", "-", "https://blog/wp-admin/", NULL, "lost"},
        {"200", "GET", "/login?nextpage=1", "-", "https://shop/orders", NULL, ""},
        {"200", "GET", "/login?next=/orders", "-", "-", NULL, ""},
        {"200", "GET", "/login?next=/orders", "-", "https://shop/login?next=/orders", NULL, ""}, /* tried again */
        {"302", "POST", "/login?next=/orders", "-", "https://shop/orders", NULL, ""},
        {"200", "GET", "/login?next", "-", "https://shop/orders", NULL, "lost"},
        {"200", "GET", "/login?", "-", "https://shop/orders", NULL, ""},
        {"200", "GET", "/login?&&", "-", "https://shop/orders", NULL, ""},
        {"", "", "", "", "", NULL, ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct session_line x = {text(cases[i].status), text(cases[i].target), text(cases[i].method), text(cases[i].user), text(cases[i].referrer), text(cases[i].location),
                                 .shows_location = cases[i].location != NULL, .shows_referrer = true};
        lq_str end = derive_session_end(&x);
        cr_expect(lq_str_is(end, cases[i].want), "%s %s %s: '%.*s', not '%s'", cases[i].status, cases[i].method, cases[i].target, (int)end.n, end.p, cases[i].want);
    }
}

/* Formats whose lines have an address with its host, a query of its own, or no referrer. */
Test(session, of_other_formats)
{
    static const struct {
        const char *status, *method, *target, *referrer, *query, *want;
    } cases[] = {
        {"200", "GET", "/login", "https://shop/cart", "next=/cart", "lost"},
        {"200", "GET", "/login", "https://shop/cart", "nextpage=1", ""},
        {"200", "GET", "/login", "https://shop/cart", "-", ""},
        {"200", "GET", "/login", "-", "next=/cart", ""},
        {"200", "GET", "/login", NULL, "next=/cart", ""}, /* who is not signed in and opens a bookmark is sent there, too */
        {"200", "GET", "/login", NULL, "a=1&Expired=1", "lost"},
        {"200", "GET", "https://www.example.com:443/login?timeout", NULL, NULL, "lost"},
        {"200", "GET", "https://login.example.com:443/login?next=/", NULL, NULL, ""},
        {"419", "POST", "https://login.example.com:443/orders", NULL, NULL, "lost"},
        {"200", "GET", "https://www.example.com:443/logout", NULL, NULL, "logout"},
        {"200", "GET", "https://logout.example.com", NULL, NULL, ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct session_line x = {.status = text(cases[i].status), .target = text(cases[i].target), .method = text(cases[i].method), .referrer = text(cases[i].referrer),
                                 .query = text(cases[i].query), .shows_referrer = cases[i].referrer != NULL};
        lq_str end = derive_session_end(&x);
        cr_expect(lq_str_is(end, cases[i].want), "%s %s: '%.*s', not '%s'", cases[i].target, cases[i].query != NULL ? cases[i].query : "", (int)end.n, end.p, cases[i].want);
    }
}

/* What a parser remembers of a line is keyed by the evidence, not by user, referrer and location: it must say all that they say. */
Test(session, equal_evidence_is_an_equal_end)
{
    static const char *const status[] = {"200", "204", "301", "302", "304", "401", "403", "419", "440", "500", "-"};
    static const char *const target[] = {"/", "/cart", "/login", "/login?next=/x", "/cart?next=1", "/logout", "/logout?next=/", "/signin?expired", ""};
    static const char *const method[] = {"GET", "POST", ""}, *const user[] = {"", "-", "u7", "x"};
    static const char *const referrer[] = {"", "-", "https://s/", "https://s/login?a"}, *const location[] = {"", "/login", "/cart"};
    static const char *const query[] = {"", "next=/x", "a&expired"};
    unsigned lines = 0;
    for (unsigned k = 0; k < COUNT(status) * COUNT(target) * COUNT(method) * 2; k++) {
        const char *seen[32] = {0};
        for (unsigned i = 0; i < COUNT(user) * COUNT(referrer) * COUNT(location) * COUNT(query); i++) {
            struct session_line x = {text(status[k % COUNT(status)]), text(target[k / COUNT(status) % COUNT(target)]), text(method[k / COUNT(status) / COUNT(target) % COUNT(method)]),
                                     text(user[i % COUNT(user)]), text(referrer[i / COUNT(user) % COUNT(referrer)]), text(location[i / COUNT(user) / COUNT(referrer) % COUNT(location)]),
                                     .query = text(query[i / COUNT(user) / COUNT(referrer) / COUNT(location)]),
                                     .shows_location = k >= COUNT(status) * COUNT(target) * COUNT(method), .shows_referrer = true};
            unsigned evidence = derive_session_evidence(&x);
            lq_str end = derive_session_end(&x);
            cr_assert(evidence < COUNT(seen));
            if (!derive_session_shows(x.status, x.target, x.query)) {
                cr_expect(evidence == 0 && lq_str_eq(derive_session_plain(x.status, x.target), end), "%.*s %.*s", (int)x.status.n, x.status.p, (int)x.target.n, x.target.p);
            }
            cr_expect(seen[evidence] == NULL || lq_str_is(end, seen[evidence]), "%.*s %.*s", (int)x.status.n, x.status.p, (int)x.target.n, x.target.p);
            seen[evidence] = end.n == 0 ? "" : lq_str_is(end, "lost") ? "lost" : "logout";
            lines++;
        }
    }
    cr_expect(lines > 20000);
}

Test(session, remembered_lines_end_as_others_do)
{
    static const char *const lines[][2] = {
        {"1.2.3.4 - u7 [27/Feb/2026:00:00:05 +0000] \"GET /cart HTTP/1.1\" 401 381 \"-\" \"x\"", "lost"},
        {"1.2.3.4 - - [27/Feb/2026:00:00:05 +0000] \"GET /cart HTTP/1.1\" 401 381 \"-\" \"x\"", ""},
        {"1.2.3.4 - - [27/Feb/2026:00:00:05 +0000] \"GET /login?next=/cart HTTP/1.1\" 200 381 \"https://s/cart\" \"x\"", "lost"},
        {"1.2.3.4 - - [27/Feb/2026:00:00:05 +0000] \"GET /login?next=/cart HTTP/1.1\" 200 381 \"-\" \"x\"", ""},
    };
    struct format_set *set = NULL;
    struct lq_error e = {0};
    struct memo *memo = memo_new();
    struct parser *p = NULL;
    struct parser_config c = {.memo = memo};
    unsigned remembered = 0;
    cr_assert(format_set_load(NULL, 0, &set, &e) == LQ_OK, "%s", e.msg);
    cr_assert(format_set_find(set, "combined", &c.format, &e) == LQ_OK && parser_new(&c, &p, &e) == LQ_OK);
    uint32_t d = 0;
    while (strcmp(parser_schema(p)->dims[d], "session_end") != 0) {
        d++;
    }
    for (int round = 0; round < 4; round++) {
        for (size_t i = 0; i < COUNT(lines); i++) {
            struct record r = {0};
            cr_assert(parser_parse(p, lq_str_of(lines[i][0]), &r) == PARSE_OK);
            cr_expect(lq_str_is(r.dims[d], lines[i][1]), "round %d, line %zu: %.*s", round, i, (int)r.dims[d].n, r.dims[d].p);
            remembered += r.memo != 0;
        }
    }
    cr_expect(remembered >= COUNT(lines));
    parser_free(&p);
    memo_free(&memo);
    format_set_free(&set);
}

Test(session, json_requests_end_sessions_too)
{
    static const char lines[] = "{\"time\":\"2026-03-02T10:00:00Z\",\"method\":\"GET\",\"path\":\"/cart\",\"status\":401,\"user\":\"u7\",\"referer\":\"\"}\n"
                                "{\"time\":\"2026-03-02T10:00:01Z\",\"method\":\"GET\",\"path\":\"/cart\",\"status\":200,\"user\":\"u8\",\"referer\":\"\"}\n"
                                "{\"time\":\"2026-03-02T10:00:02Z\",\"method\":\"GET\",\"path\":\"/login?next=/cart\",\"status\":200,\"user\":\"-\",\"referer\":\"https://s/cart\"}\n";
    static const char *const want[] = {"lost", "", "lost"};
    struct format_set *set = NULL;
    struct lq_error e = {0};
    struct detection found;
    struct parser *p = NULL;
    struct parser_config c = {0};
    cr_assert(format_set_load(NULL, 0, &set, &e) == LQ_OK, "%s", e.msg);
    format_detect(set, LQ_STR(lines), &found);
    c.format = found.format;
    cr_assert(c.format != NULL && strcmp(format_name(c.format), "json") == 0 && parser_new(&c, &p, &e) == LQ_OK, "%s", found.why);
    const struct stream_schema *x = parser_schema(p);
    uint32_t d = 0;
    while (d < x->n_dims && strcmp(x->dims[d], "session_end") != 0) {
        d++;
    }
    cr_assert(d < x->n_dims && x->kind == STREAM_REQUESTS);
    const char *line = lines;
    for (size_t i = 0; i < COUNT(want); i++) {
        const char *nl = strchr(line, '\n');
        struct record r = {0};
        cr_assert(parser_parse(p, (lq_str){line, (size_t)(nl - line)}, &r) == PARSE_OK);
        cr_expect(lq_str_is(r.dims[d], want[i]), "line %zu: %.*s", i, (int)r.dims[d].n, r.dims[d].p);
        line = nl + 1;
    }
    parser_free(&p);
    format_set_free(&set);
}

Test(session, wrong_arguments_are_named)
{
    static const char *const yaml = "name: x\npattern: '^(?<time>\\S+) (?<status>\\d+) (?<target>\\S+)$'\ntime: {field: time, layout: iso8601}\n"
                                    "fields:\n  time: {role: ignore}\n  status: {role: dimension}\n  target: {role: ignore}\nderive:\n  s: ";
    static const char *const cases[][2] = {
        {"{session_end: status, target: target}", NULL},
        {"{session_end: status}", "target: is missing for"},
        {"{session_end: status, target: targt}", "unknown field"},
        {"{session_end: sttus, target: target}", "unknown field"},
        {"{route: target, user: status}", "only session_end"},
        {"{target: target}", "no kind"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char body[512];
        struct format_set *set = format_set_new();
        struct lq_error e = {0};
        snprintf(body, sizeof body, "%s%s\n", yaml, cases[i][0]);
        enum lq_err err = format_set_add_text(set, "x.yaml", lq_str_of(body), &e);
        cr_expect((err == LQ_OK) == (cases[i][1] == NULL) && (err == LQ_OK || strstr(e.msg, cases[i][1]) != NULL), "%s: %s", cases[i][0], e.msg);
        format_set_free(&set);
    }
}
