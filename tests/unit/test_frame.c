/*
 * test_frame.c - bytes of a stream into messages; the same messages however the bytes are cut
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "ingest/frame.h"

/* All messages of the input, read `step` bytes at a time, one a line; "!" marks a cut one, "?" one with a bad count. */
static void frames(const char *in, size_t n, enum frame_mode mode, size_t max, size_t step, struct lq_buf *out)
{
    struct framer f = {.mode = mode, .bytes_max = max};
    struct lq_buf held = {0};
    lq_buf_clear(out);
    for (size_t at = 0; at < n; at += step) {
        size_t from = 0, used;
        lq_buf_add(&held, in + at, at + step < n ? step : n - at);
        for (;;) {
            lq_str m;
            enum frame_result r = frame_next(&f, held.p + from, held.n - from, &m, &used);
            if (r == FRAME_MORE) {
                break;
            }
            from += used;
            if (r != FRAME_SKIPPED) {
                lq_buf_add(out, m.p, m.n);
                lq_buf_str(out, r == FRAME_TOO_LONG ? "!\n" : r == FRAME_BAD ? "?\n" : "\n");
            }
        }
        cr_assert(held.n - from <= max + 32, "the framer holds %zu bytes", held.n - from);
        memmove(held.p, held.p + from, held.n - from);
        held.n -= from;
    }
    lq_str rest = frame_rest(&f, held.p != NULL ? held.p : "", held.n);
    if (rest.n > 0) {
        lq_buf_add(out, rest.p, rest.n);
        lq_buf_str(out, "$\n");
    }
    lq_buf_fini(&held);
}

static void expect(const char *in, enum frame_mode mode, size_t max, const char *want)
{
    struct lq_buf out = {0};
    for (size_t step = 1; step <= strlen(in); step++) {
        frames(in, strlen(in), mode, max, step, &out);
        lq_buf_byte(&out, '\0');
        cr_assert_str_eq(out.p, want, "%zu bytes at a time: got %s, expected %s", step, out.p, want);
    }
    lq_buf_fini(&out);
}

Test(frame, lines) { expect("one\ntwo\r\n\n12 <3>four\nrest", FRAME_LINES, 100, "one\ntwo\n\n12 <3>four\nrest$\n"); }

Test(frame, octet_counted) { expect("6 <13>a\n7 <13>b\nc10 <14>hello\n", FRAME_SYSLOG, 100, "<13>a\n<13>b\nc\n<14>hello\n"); }

Test(frame, nontransparent) { expect("<13>a\n<13>b\r\n<13>c", FRAME_SYSLOG, 100, "<13>a\n<13>b\n<13>c$\n"); }

Test(frame, both_on_one_connection) { expect("<13>a\n5 <13>b<13>c\n5 <13>d", FRAME_SYSLOG, 100, "<13>a\n<13>b\n<13>c\n<13>d\n"); }

Test(frame, octet_badframe)
{
    expect("5 apples\n5 <13>b", FRAME_SYSLOG, 100, "5 apples?\n<13>b\n");          /* digits and a blank, but no message behind them */
    expect("2026-03-02 10:00:00 ERROR x\n", FRAME_SYSLOG, 100, "2026-03-02 10:00:00 ERROR x\n");
    expect("05 <13>b\n<13>c\n", FRAME_SYSLOG, 100, "05 <13>b?\n<13>c\n");         /* no leading zero in RFC 6587 */
    expect("123456789 <13>b\n<13>c\n", FRAME_SYSLOG, 100, "123456789 <13>b?\n<13>c\n");
}

Test(frame, octet_maxline) { expect("20 <13>0123456789abcdef6 <13>ab", FRAME_SYSLOG, 10, "<13>012345!\n<13>ab\n"); }

Test(frame, nontransparent_maxline) { expect("<13>0123456789abcdef\n<13>b\n", FRAME_SYSLOG, 10, "<13>012345!\n<13>b\n"); }

Test(frame, a_line_of_exactly_the_limit) { expect("0123456789\nx\n", FRAME_LINES, 10, "0123456789\nx\n"); }

Test(frame, the_rest_of_a_cut_line_is_no_message) { expect("0123456789abc", FRAME_LINES, 10, "0123456789!\n"); }

Test(frame, nul_before_the_end) { expect("<13>a\n", FRAME_SYSLOG, 10, "<13>a\n"); }

Test(frame, endless_line_holds_no_memory)
{
    struct lq_buf in = {0}, out = {0};
    for (int i = 0; i < 100000; i++) {
        lq_buf_byte(&in, 'x');
    }
    lq_buf_str(&in, "\nend\n");
    frames(in.p, in.n, FRAME_LINES, 1000, 777, &out);
    cr_assert(out.n == 1000 + 2 + 4, "%zu", out.n);
    lq_buf_fini(&in);
    lq_buf_fini(&out);
}
