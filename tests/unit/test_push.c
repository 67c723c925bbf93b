/*
 * test_push.c - pushed bodies: lines, labels, errors (push.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>

#include "ingest/push.h"

static struct push_body b;
static struct lq_error e;

static enum lq_err parse(enum push_shape shape, const char *text)
{
    struct push_options o = {.shape = shape, .line_bytes_max = 100, .now_us = 1772445600000000};
    push_body_fini(&b);
    memset(&e, 0, sizeof e);
    return push_parse(lq_str_of(text), &o, &b, &e);
}

static void line_is(size_t i, const char *want)
{
    cr_assert_lt(i, b.n_lines);
    lq_str line = {b.text.p + b.lines[i].at, b.lines[i].n};
    cr_assert(lq_str_is(line, want), "line %zu is %.*s", i, (int)line.n, line.p);
}

static void label_is(size_t line, const char *name, const char *want)
{
    lq_str v = labels_get(&b.groups[b.lines[line].group], name);
    cr_assert(lq_str_is(v, want), "%s of line %zu is %.*s", name, line, (int)v.n, v.p);
}

Test(push, lines_are_taken_as_they_are)
{
    cr_assert_eq(parse(PUSH_LINES, "a\r\n\n  \nb"), LQ_OK);
    cr_assert_eq(b.n_lines, 2);
    line_is(0, "a");
    line_is(1, "b");
    push_body_fini(&b);
}

Test(push, long_lines_are_cut_at_a_character)
{
    char text[205] = "";
    for (int i = 0; i < 33; i++) {
        strcat(text, "\xe2\x82\xac");
    }
    strcat(text, "\xc3\xa9\xc3\xa9"); /* bytes 99 and 100 are one character */
    cr_assert_eq(parse(PUSH_LINES, text), LQ_OK);
    cr_assert(b.lines[0].n == 99 && b.cut == 1);
    push_body_fini(&b);
}

Test(push, a_body_is_taken_whole_or_not_at_all)
{
    cr_assert_eq(parse(PUSH_NDJSON, "{\"a\":1}\n{\"a\":}\n"), LQ_EINVAL);
    cr_assert_str_eq(e.msg, "line 2 of the body is no JSON object: byte 6");
    cr_assert_str_eq(e.hint, "nothing of this body was stored");
    push_body_fini(&b);
}

Test(push, labels_have_many_names_and_one_meaning)
{
    struct labels l = {0};
    cr_assert(push_label(&l, LQ_STR("service.name"), LQ_STR("a")) && push_label(&l, LQ_STR("app"), LQ_STR("b")));
    cr_assert(lq_str_is(labels_get(&l, "service"), "a"), "the first of its names says it");
    cr_assert(push_label(&l, LQ_STR("service"), LQ_STR("c")));
    cr_assert(lq_str_is(labels_get(&l, "service"), "c"), "unless the name itself comes");
    cr_assert(push_label(&l, LQ_STR("__path__"), LQ_STR("x")) && push_label(&l, LQ_STR("empty"), LQ_STR("")));
    cr_assert_eq(l.n, 1);
    cr_assert(push_label(&l, LQ_STR("k8s/pod-name"), LQ_STR("p")));
    cr_assert(lq_str_is(labels_get(&l, "k8s_pod_name"), "p"));
    cr_assert_not(push_label(&l, LQ_STR("error"), LQ_STR("true")), "what an error is, the format says");
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        (void)push_label(&l, lq_str_of(name), LQ_STR("v"));
    }
    cr_assert_eq(l.n, PUSH_LABELS_MAX);
    cr_assert_not(push_label(&l, LQ_STR("host.name"), LQ_STR("web-1")), "host has room always, and what it costs is told");
    cr_assert(lq_str_is(labels_get(&l, "host"), "web-1") && l.n == PUSH_LABELS_MAX);
}

Test(push, loki)
{
    cr_assert_eq(parse(PUSH_LOKI, "{\"streams\":[{\"values\":[[\"1772445600000000001\",\"a \\\"b\\\"\\n\"],[\"5\",\"\"]],\"stream\":{\"app\":\"shop\"}},"
                                  "{\"stream\":{\"level\":\"WARN\",\"node\":\"h\"},\"values\":[[\"6\",\"c\",{\"x\":\"y\"}]]}]}"), LQ_OK);
    cr_assert_eq(b.n_lines, 2);
    line_is(0, "{\"loki_ns\":\"1772445600000000001\",\"line\":\"a \\\"b\\\"\\n\"}");
    line_is(1, "{\"loki_ns\":\"6\",\"line\":\"c\",\"level\":\"warn\"}");
    label_is(0, "service", "shop");
    label_is(1, "host", "h");
    cr_assert_eq(parse(PUSH_LOKI, "{\"streams\":[{\"stream\":{},\"values\":[[\"1\",\"a\"],[\"x\",\"b\"]]}]}"), LQ_EINVAL);
    cr_assert(strstr(e.msg, "streams[0].values[1]") != NULL, "%s", e.msg);
    push_body_fini(&b);
}

Test(push, bulk)
{
    cr_assert_eq(parse(PUSH_ELASTIC, "{\"create\":{\"_index\":\"app-2026.03.02\"}}\n{\"a\":1}\n{\"delete\":{\"_id\":\"1\"}}\n{\"index\":{ }}\n{\"a\":\n"), LQ_OK);
    cr_assert(b.n_lines == 1 && b.n_items == 3);
    line_is(0, "{\"a\":1}");
    label_is(0, "index", "app");
    cr_assert(b.items[0].state == ITEM_TAKEN && b.items[1].state == ITEM_BAD_ACTION && b.items[2].state == ITEM_BAD_DOCUMENT);
    cr_assert_eq(parse(PUSH_ELASTIC, "{\"create\":{}}\n{}\n{\"create\":{}}\n"), LQ_EINVAL);
    cr_assert(strstr(e.msg, "line 3 ") != NULL, "%s", e.msg);
    push_body_fini(&b);
}

Test(push, otlp)
{
    cr_assert_eq(parse(PUSH_OTLP, "{\"resourceLogs\":[{\"scopeLogs\":[{\"scope\":{\"name\":\"s\"},\"logRecords\":[{\"timeUnixNano\":\"7\",\"severityNumber\":18,\"body\":{\"stringValue\":\"m\"},"
                                  "\"attributes\":[{\"key\":\"a\",\"value\":{\"intValue\":\"-3\"}},{\"value\":{\"boolValue\":true},\"key\":\"b\"},{\"key\":\"c\",\"value\":{\"intValue\":\"007\"}}]},"
                                  "{\"observedTimeUnixNano\":8,\"body\":{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"doubleValue\":1.5}}]}}},{}]}],"
                                  "\"resource\":{\"attributes\":[{\"key\":\"host.name\",\"value\":{\"stringValue\":\"h\"}}]}}]}"), LQ_OK);
    cr_assert_eq(b.n_lines, 2);
    line_is(0, "{\"otlp_ns\":\"7\",\"level\":\"error\",\"body\":\"m\",\"scope\":\"s\",\"attributes\":{\"a\":-3,\"b\":true,\"c\":\"007\"}}");
    line_is(1, "{\"otlp_ns\":\"8\",\"body\":\"{\\\"k\\\":1.5}\",\"scope\":\"s\"}");
    label_is(1, "host", "h");
    push_body_fini(&b);
}
