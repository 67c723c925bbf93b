/*
 * test_event_body.c - markers from JSON: lq's own and CDEvents
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>

#include "query/http/event_body.h"

#define NOW 1772445600000000 /* 2026-03-02T10:00:00Z */

Test(event_body, own)
{
    struct lq_arena mem = {0};
    struct lq_error e = {0};
    struct marker m;
    cr_assert(event_body_parse(LQ_STR("{\"kind\":\"release\",\"name\":\"2.4.1\",\"time\":\"2026-03-01T00:00:00Z\",\"service\":\"shop\"}"), NOW, &mem, &m, &e) == LQ_OK, "%s", e.msg);
    cr_assert(lq_str_is(m.kind, "release") && lq_str_is(m.name, "2.4.1") && lq_str_is(m.service, "shop") && m.host.n == 0);
    cr_assert_eq(m.time_us, NOW - 34 * 3600 * 1000000LL);
    cr_assert(event_body_parse(LQ_STR("{\"kind\":\"note\"}"), NOW, &mem, &m, &e) == LQ_OK);
    cr_assert_eq(m.time_us, NOW);
    cr_assert(event_body_parse(LQ_STR("{\"kind\":\"note\",\"text\":\"a\\u001b[2Jb\"}"), NOW, &mem, &m, &e) == LQ_OK);
    cr_assert(lq_str_is(m.text, "a\\x1b[2Jb"), "no terminal obeys a marker: %.*s", (int)m.text.n, m.text.p);
    static const struct {
        const char *body, *msg;
    } bad[] = {
        {"", "the body is no JSON (line 1): '[' or '{' expected near end of file"},
        {"[]", "the body is no JSON object"},
        {"{}", "the key kind is missing"},
        {"{\"kind\":\"relase\"}", "unknown kind of marker \"relase\""},
        {"{\"kind\":\"note\",\"nmae\":\"x\"}", "unknown key nmae"},
        {"{\"kind\":\"note\",\"name\":7}", "name is no text"},
        {"{\"kind\":\"note\",\"time\":\"soon\"}", "\"soon\" is no time"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert(event_body_parse(lq_str_of(bad[i].body), NOW, &mem, &m, &e) == LQ_EINVAL, "%s", bad[i].body);
        cr_assert_str_eq(e.msg, bad[i].msg, "%s: %s", bad[i].body, e.msg);
    }
    lq_arena_fini(&mem);
}

Test(event_body, cdevents)
{
    struct lq_arena mem = {0};
    struct lq_error e = {0};
    struct marker m;
    static const struct {
        const char *type, *artifact, *kind, *name;
    } t[] = {
        {"dev.cdevents.service.deployed.0.2.0", "pkg:oci/shop@2.4.1", "release", "2.4.1"},
        {"dev.cdevents.service.upgraded.0.1.1", "pkg:oci/shop@sha256%3Aab?repository_url=x&tag=2.4.2", "release", "2.4.2"},
        {"dev.cdevents.service.rolledback.0.1.1", "pkg:deb/debian/shop@1.0-1?arch=amd64", "rollback", "1.0-1"},
        {"dev.cdevents.service.removed.0.1.1", "", "note", ""},
        {"dev.cdevents.service.published", "shop", "release", ""},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct lq_buf b = {0};
        lq_buf_printf(&b, "{\"context\":{\"type\":\"%s\",\"timestamp\":\"2026-03-02T09:00:00Z\"},\"subject\":{\"id\":\"shop\",\"content\":{\"environment\":{\"id\":\"prod\"},\"artifactId\":\"%s\"}}}", t[i].type, t[i].artifact);
        cr_assert(event_body_parse_cdevent((lq_str){b.p, b.n}, NOW, &mem, &m, &e) == LQ_OK, "%s: %s", t[i].type, e.msg);
        cr_assert(lq_str_is(m.kind, t[i].kind) && lq_str_is(m.name, t[i].name) && lq_str_is(m.service, "shop"), "%s: %.*s", t[i].type, (int)m.name.n, m.name.p);
        cr_assert_eq(m.time_us, NOW - 3600 * 1000000LL);
        lq_buf_fini(&b);
    }
    cr_assert(event_body_parse_cdevent(LQ_STR("{\"context\":{\"type\":\"dev.cdevents.build.finished.0.1.0\"}}"), NOW, &mem, &m, &e) == LQ_EINVAL);
    cr_assert(event_body_parse_cdevent(LQ_STR("{}"), NOW, &mem, &m, &e) == LQ_EINVAL);
    lq_arena_fini(&mem);
}
