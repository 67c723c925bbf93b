/*
 * test_derive.c - routes, shapes, clean text, networks, labels, JSON
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <jansson.h>

#include "schema/derive.h"
#include "schema/json_scan.h"
#include "schema/labels.h"

static uint64_t mix64(uint64_t y)
{
    return (y ^ y >> 29) * 0xbf58476d1ce4e5b9U + 1;
}

Test(derive, routes)
{
    static const char *const cases[][2] = {
        {"/", "/"}, {"/a/b?x=1#y", "/a/b"}, {"/orders/4711/items", "/orders/{id}/items"}, {"//a///b", "/a/b"},
        {"/u/550e8400-e29b-41d4-a716-446655440000", "/u/{uuid}"}, {"/c/3f9c2b1d0a", "/c/{hash}"}, {"/app.3f9c2b1d.js", "/app.{hash}.js"},
        {"/2015/05/17/post", "/{date}/post"}, {"/d/2015-05-17", "/d/{date}"}, {"/h/10.1.2.3", "/h/{ip}"}, {"/m/bob@example.org", "/m/{email}"},
        {"http://shop.example/a/1?q", "/a/{id}"}, {"/api/v2/users", "/api/v2/users"}, {"/a\tb", "/a~b"}, {"/deadbeef", "/deadbeef"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char a[300], b[300];
        lq_str once = derive_route(lq_str_of(cases[i][0]), a, 256), twice = derive_route(once, b, 256);
        cr_expect(lq_str_is(once, cases[i][1]), "%s -> %.*s", cases[i][0], (int)once.n, once.p);
        cr_expect(lq_str_eq(once, twice), "not idempotent: %.*s", (int)once.n, once.p);
    }
}

Test(derive, shapes)
{
    static const char *const cases[][2] = {
        {"Order 17 accepted for customer 4 in 12 ms", "Order <*> accepted for customer <*> in <*>"},
        {"Server listening on 0.0.0.0 port 22.", "Server listening on <*> port <*>."},
        {"cannot open /var/log/app/x.log: No such file", "cannot open <*>: No such file"},
        {"user=bob id=77 ok", "user=<*> id=<*> ok"},
        {"don't panic", "don't panic"}, {"got 'a b' and \"c\"", "got <*> and <*>"}, {"took 1 2 3", "took <*>"}, {"size 5.2 KB, free 14 B left", "size <*>, free <*> left"}, {"synced to LOCAL(0), failed(13)", "synced to <*>, failed(<*>)"},
        {"at Fri Jul 01 08:16:53 2005", "at <*>"}, {"run com.a.b.C now", "run <*> now"}, {"ws=WorkSource{10113}, x", "ws=<*>, x"}, {"disk sda1 on node-12 gone", "disk <*> on <*> gone"}, {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char a[SHAPE_BYTES_MAX + 8], b[SHAPE_BYTES_MAX + 8];
        lq_str once = derive_shape(lq_str_of(cases[i][0]), a), twice = derive_shape(once, b);
        cr_expect(lq_str_is(once, cases[i][1]), "%s -> %.*s", cases[i][0], (int)once.n, once.p);
        cr_expect(lq_str_eq(once, twice), "not idempotent: %.*s -> %.*s", (int)once.n, once.p, (int)twice.n, twice.p);
    }
}

Test(derive, networks_by_longest_prefix)
{
    struct cidr_map *m = cidr_map_new();
    struct lq_error e = {0};
    cr_assert(cidr_map_add(m, LQ_STR("*"), LQ_STR("customers"), &e) == LQ_OK && cidr_map_add(m, LQ_STR("10.0.0.0/8"), LQ_STR("employees"), &e) == LQ_OK &&
              cidr_map_add(m, LQ_STR("10.9.0.0/16"), LQ_STR("robots"), &e) == LQ_OK && cidr_map_add(m, LQ_STR("2001:db8::/33"), LQ_STR("lab"), &e) == LQ_OK);
    cr_expect(lq_str_is(cidr_map_get(m, LQ_STR("10.1.2.3")), "employees") && lq_str_is(cidr_map_get(m, LQ_STR("10.9.2.3")), "robots"));
    cr_expect(lq_str_is(cidr_map_get(m, LQ_STR("8.8.8.8")), "customers") && lq_str_is(cidr_map_get(m, LQ_STR("::ffff:10.9.0.1")), "robots"));
    cr_expect(lq_str_is(cidr_map_get(m, LQ_STR("2001:db8:1::1")), "lab") && cidr_map_get(m, LQ_STR("bob")).n == 0);
    cr_expect(cidr_map_add(m, LQ_STR("10.0.0.0/33"), LQ_STR("x"), &e) == LQ_EINVAL && cidr_map_add(m, LQ_STR("ten/8"), LQ_STR("x"), &e) == LQ_EINVAL);
    cidr_map_free(&m);
}

Test(derive, hosts_in_paths)
{
    static const char *const cases[][2] = {
        {"web-1/access.log", "web-1"}, {"/logs/access-web-1.log", "web-1"}, {"/var/log/nginx/access.log", ""}, {"logs/db02/app.log.3.gz", "db02"},
        {"web-1.example.org/nginx/access.log.2.gz", "web-1.example.org"}, {"app.log", ""}, {"/tmp/tmp.Ab12/app.log", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct labels l;
        cr_assert(labels_resolve(NULL, cases[i][0], &l, NULL) == LQ_OK);
        cr_expect(lq_str_is(labels_get(&l, "host"), cases[i][1]), "%s -> %s", cases[i][0], labels_get(&l, "host").p);
    }
}

static bool count_scalars(void *ctx, lq_str path, struct json_value v)
{
    (void)path;
    (void)v;
    ++*(size_t *)ctx;
    return true;
}

/* What Jansson accepts as an object, the scanner accepts, and nothing else: on texts made from pieces, and on damaged ones. */
Test(derive, json_agrees_with_jansson)
{
    static const char *const pieces[] = {"{", "}", "[", "]", ",", ":", "\"a\"", "\"b\\n\\u00e9\"", "1", "-0.5", "true", "null", " ", "01", "\"\\ud83d\\ude00\"", "\"\\ud83d\"", "{\"k\":1}", "{\"x\":[1,{\"y\":\"z\"}]}"};
    uint64_t z = 7;
    for (int i = 0; i < 60000; i++) {
        char text[256] = "";
        z = z * 6364136223846793005U + 1442695040888963407U;
        if (i % 2 == 0) {
            strcpy(text, "{\"a\":");
        }
        for (uint64_t k = z >> 60, y = z >> 20; k > 0; k--, y = mix64(y)) {
            strcat(text, pieces[y % (sizeof pieces / sizeof pieces[0])]);
        }
        if (i % 2 == 0) {
            strcat(text, "}");
        }
        struct lq_buf scratch = {0};
        size_t at, n = 0;
        bool ours = json_each(lq_str_of(text), count_scalars, &n, &scratch, &at);
        json_t *j = json_loads(text, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
        bool theirs = j != NULL && json_is_object(j);
        cr_assert(ours == theirs, "%s: ours %d, Jansson %d", text, ours, theirs);
        json_decref(j);
        lq_buf_fini(&scratch);
    }
}

Test(derive, clean_text_is_left_alone_byte_for_byte)
{
    char text[20], scratch[80];
    for (unsigned at = 0; at < 19; at++) {
        for (unsigned c = 0; c < 256; c++) {
            memcpy(text, "GET /a~ /index.html", 19);
            text[at] = (char)c;
            lq_str out = derive_clean((lq_str){text, 19}, scratch, sizeof scratch);
            bool plain = c >= 0x20 && c < 0x7f;
            cr_assert(plain == (out.p == text), "byte %u at %u", c, at);
            cr_assert(!plain ? out.n == (c == '\t' ? 19U : 22U) : out.n == 19, "byte %u at %u: %zu", c, at, out.n);
        }
    }
}

Test(derive, versions_without_the_sentence_around_them)
{
    static const char *const cases[][2] = {{"2.4.1", "2.4.1"},   {"2026.2.4,", "2026.2.4"}, {"2.4.1);", "2.4.1"}, {"1.2 (b5)", "1.2 (b5)"},
                                           {"1.2(b5),", "1.2(b5)"}, {"2.4.1-rc.1", "2.4.1-rc.1"}, {",", ","},         {"", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lq_str v = derive_version(lq_str_of(cases[i][0]));
        cr_expect(lq_str_is(v, cases[i][1]), "%s -> %.*s", cases[i][0], (int)v.n, v.p);
    }
}
