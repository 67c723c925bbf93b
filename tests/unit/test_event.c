/*
 * test_event.c - lines to events: traces of six runtimes, envelopes, partial messages; the same however the bytes come
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "schema/event.h"

static struct format_set *shipped(void)
{
    struct format_set *s = NULL;
    struct lq_error e = {0};
    cr_assert(format_set_load(NULL, 0, &s, &e) == LQ_OK, "%s: %s", e.file, e.msg);
    return s;
}

struct seen {
    struct events *e;
    struct lq_buf out; /* one line for each event: result, depth, named dimensions, length */
};

static void see(void *ctx, enum parse_result result, lq_str text, const struct record *r)
{
    static const char *const wanted[] = {"level", "exception", "frame", "template"};
    struct seen *s = ctx;
    lq_buf_printf(&s->out, "%s", parse_result_name(result));
    const struct stream_schema *x = r != NULL ? parser_schema_at(events_parser(s->e), r->inner) : NULL;
    for (size_t w = 0; w < 4 && x != NULL; w++) {
        for (uint32_t i = 0; i < x->n_dims; i++) {
            if (strcmp(x->dims[i], wanted[w]) == 0) {
                lq_buf_printf(&s->out, "|%.*s", (int)r->dims[i].n, r->dims[i].p);
            }
        }
    }
    size_t lines = 1;
    for (size_t i = 0; i < text.n; i++) {
        lines += text.p[i] == '\n';
    }
    lq_buf_printf(&s->out, "|%zu\n", lines);
}

/* step 0: the whole text in one buffer; else: every line in a buffer of its own that goes away, with a keep after each `step` lines. */
static char *run(struct format_set *set, const char *format, const char *text, unsigned step)
{
    struct parser_config c = {.reference_us = 1772445600000000};
    struct seen s = {0};
    struct lq_error e = {0};
    cr_assert(format_set_find(set, format, &c.format, &e) == LQ_OK, "%s", e.msg);
    cr_assert(events_new(&c, see, &s, &s.e, NULL) == LQ_OK);
    size_t n = strlen(text), at = 0;
    while (at < n) {
        size_t take = 0;
        for (unsigned k = 0; (step == 0 || k < step) && at + take < n; k++) {
            const char *nl = memchr(text + at + take, '\n', n - at - take);
            take = nl != NULL ? (size_t)(nl + 1 - (text + at)) : n - at;
        }
        char *copy = malloc(take);
        memcpy(copy, text + at, take);
        for (size_t i = 0; i < take;) {
            const char *nl = memchr(copy + i, '\n', take - i);
            size_t len = nl != NULL ? (size_t)(nl - (copy + i)) : take - i;
            events_line(s.e, (lq_str){copy + i, len});
            i += len + 1;
        }
        events_keep(s.e);
        free(copy);
        at += take;
    }
    events_flush(s.e);
    events_free(&s.e);
    lq_buf_byte(&s.out, '\0');
    return s.out.p;
}

static void expect(struct format_set *set, const char *format, const char *text, const char *want)
{
    for (unsigned step = 0; step < 4; step++) {
        char *got = run(set, format, text, step);
        cr_expect_str_eq(got, want, "%s, %u lines at a time:\n%s\nwanted:\n%s", format, step, got, want);
        free(got);
    }
}

Test(event, traces_join_their_first_line)
{
    struct format_set *s = shipped();
    expect(s, "log4j",
           "2026-03-02 10:00:00,000 ERROR [http-1] com.shop.Api - cannot price 17\n"
           "java.lang.IllegalStateException: no price\n"
           "\tat com.shop.Price.get(Price.java:12)\n"
           "\n"
           "Caused by: java.net.SocketTimeoutException: Read timed out\n"
           "\tat java.base/java.net.Socket.read(Socket.java:50)\n"
           "\t... 12 more\n"
           "2026-03-02 10:00:01,000 INFO [http-1] com.shop.Api - ok\n",
           "parsed|error|java.net.SocketTimeoutException|java.net.Socket.read|cannot price <*>|7\nparsed|info|||ok|1\n");
    expect(s, "plain",
           "2026-03-02 10:00:00 ERROR handler failed\n"
           "Traceback (most recent call last):\n  File \"/app/main.py\", line 3, in handler\n    pay(x)\n  File \"/app/pay.py\", line 9, in pay\n    raise ValueError(x)\n"
           "ValueError: bad card 17\n"
           "2026-03-02 10:00:01 ERROR crash\npanic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:\n"
           "main.(*Cart).total(0xc000012345)\n\t/src/cart.go:17 +0x1d\nexit status 2\n"
           "2026-03-02 10:00:02 ERROR request\nTypeError: Cannot read properties of undefined (reading 'id')\n    at Cart.total (/app/cart.js:7:12)\n"
           "    at async /app/server.js:10:3\n"
           "2026-03-02 10:00:03 ERROR order\nSystem.InvalidOperationException: no stock\n   at Shop.Orders.Place(Order o) in /src/Orders.cs:line 42\n"
           "   at Shop.Api.Post()\n--- End of stack trace from previous location ---\n"
           "2026-03-02 10:00:04 ERROR job\napp.rb:3:in `price': no price (KeyError)\n\tfrom app.rb:7:in `<main>'\n",
           "parsed|error|ValueError|pay.py:pay|ERROR handler failed|7\n"
           "parsed|error|panic: runtime error|main.(*Cart).total|ERROR crash|7\n"
           "parsed|error|TypeError|Cart.total|ERROR request|4\n"
           "parsed|error|System.InvalidOperationException|Shop.Orders.Place|ERROR order|5\n"
           "parsed|error|KeyError|price|ERROR job|3\n");
    format_set_free(&s);
}

Test(event, what_is_no_part_of_an_event_stands_alone)
{
    struct format_set *s = shipped();
    expect(s, "log4j", "\tat a.b.C.m(C.java:1)\n2026-03-02 10:00:00,000 WARN [m] a.B - x\n{\"json\":1}\nMar  2 10:00:00 web-1 sshd[1]: other\n\tat a.b.C.m(C.java:1)\n",
           "no_match|1\nparsed|warn|||x|1\nno_match|1\nno_match|1\nno_match|1\n");
    struct lq_buf b = {0}, want = {0};
    lq_buf_str(&b, "2026-03-02 10:00:00,000 WARN [m] a.B - x\n");
    for (int i = 0; i < EVENT_BYTES_MAX / 1000 + 3; i++) {
        lq_buf_printf(&b, "\t%0999d\n", 0);
    }
    lq_buf_byte(&b, '\0');
    lq_buf_printf(&want, "parsed|warn|||x|66\n");
    for (int i = 0; i < EVENT_BYTES_MAX / 1000 + 3 - 65; i++) {
        lq_buf_str(&want, "no_match|1\n");
    }
    lq_buf_byte(&want, '\0');
    expect(s, "log4j", b.p, want.p);
    lq_buf_fini(&b);
    lq_buf_fini(&want);
    format_set_free(&s);
}

Test(event, traces_in_envelopes)
{
    struct format_set *s = shipped();
    expect(s, "docker+log4j",
           "{\"log\":\"2026-03-02 10:00:00,000 ERROR [m] a.B - \\\"x\\\" failed\\n\",\"stream\":\"stderr\",\"time\":\"2026-03-02T10:00:00Z\"}\n"
           "{\"log\":\"a.b.BadException: no\\n\",\"stream\":\"stderr\",\"time\":\"2026-03-02T10:00:00Z\"}\n"
           "{\"log\":\"\\tat a.b.C.m(C.java:1)\\n\",\"stream\":\"stderr\",\"time\":\"2026-03-02T10:00:00Z\"}\n"
           "{\"log\":\"2026-03-02 10:00:01,000 INFO [m] a.B - ok\\n\",\"stream\":\"stdout\",\"time\":\"2026-03-02T10:00:01Z\"}\n"
           "{\"log\":\"2026-03-02 10:00:02,000 INFO [m] a.B - long \",\"stream\":\"stdout\",\"time\":\"2026-03-02T10:00:02Z\"}\n"
           "{\"log\":\"text\\n\",\"stream\":\"stdout\",\"time\":\"2026-03-02T10:00:02Z\"}\n",
           "parsed|error|a.b.BadException|a.b.C.m|<*> failed|3\nparsed|info|||ok|1\nparsed|info|||long text|2\n");
    expect(s, "cri+log4j",
           "2026-03-02T10:00:00.1Z stdout P 2026-03-02 10:00:00,0\n2026-03-02T10:00:00.1Z stdout P 00 ERROR [m] a.B\n2026-03-02T10:00:00.1Z stdout F  - one\n"
           "2026-03-02T10:00:00.2Z stdout F \tat a.b.C.m(C.java:1)\n2026-03-02T10:00:00.3Z stderr F something else\n",
           "parsed|error||a.b.C.m|one|4\nparsed|||something else|1\n");
    format_set_free(&s);
}
