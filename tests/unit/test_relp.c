/*
 * test_relp.c - RELP frames
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "ingest/relp.h"

static void expect(const char *in, size_t max, const char *want)
{
    for (size_t step = 1; step <= strlen(in); step++) {
        struct relp_reader r = {.data_max = max};
        struct lq_buf out = {0}, held = {0};
        bool bad = false;
        for (size_t at = 0, n = strlen(in); at < n && !bad; at += step) {
            size_t from = 0, used;
            lq_buf_add(&held, in + at, at + step < n ? step : n - at);
            for (;;) {
                struct relp_frame f;
                enum relp_result x = relp_next(&r, held.p + from, held.n - from, &f, &used);
                from += used;
                if (x == RELP_MORE) {
                    break;
                }
                if (x == RELP_BAD) {
                    lq_buf_str(&out, "bad");
                    bad = true;
                    break;
                }
                if (x != RELP_SKIPPED) {
                    lq_buf_printf(&out, "%u %.*s [%.*s]%s;", f.txnr, (int)f.command.n, f.command.p, (int)f.data.n, f.data.p, x == RELP_TOO_LONG ? "!" : "");
                }
            }
            memmove(held.p, held.p + from, held.n - from);
            held.n -= from;
        }
        lq_buf_byte(&out, '\0');
        cr_assert_str_eq(out.p, want, "%zu bytes at a time: got %s, expected %s", step, out.p, want);
        lq_buf_fini(&out);
        lq_buf_fini(&held);
    }
}

Test(relp, frames) { expect("1 open 4 abcd\n2 syslog 5 <13>x\n3 close 0\n", 100, "1 open [abcd];2 syslog [<13>x];3 close [];"); }
Test(relp, data_may_hold_line_ends) { expect("9 syslog 3 a\nb\n1 x 0\n", 100, "9 syslog [a\nb];1 x [];"); }
Test(relp, too_long_is_cut_and_the_rest_skipped) { expect("2 syslog 8 01234567\n3 syslog 1 x\n", 4, "2 syslog [0123]!;3 syslog [x];"); }
Test(relp, no_relp)
{
    static const char *const cases[] = {"GET / HTTP/1.1\n", "x", "1  syslog 0\n", "1 sys7log 0\n", "1234567890 syslog 0\n", "1 syslog x\n", "1 syslog 2 abX", "-1 open 0\n"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect(cases[i], 100, "bad");
    }
}
Test(relp, answers)
{
    struct lq_buf out = {0};
    relp_answer(&out, 7, LQ_STR("200 OK"));
    relp_answer(&out, 8, (lq_str){"", 0});
    lq_buf_byte(&out, '\0');
    cr_assert_str_eq(out.p, "7 rsp 6 200 OK\n8 rsp 0\n");
    lq_buf_fini(&out);
}
