/*
 * test_syslog.c - headers of syslog messages, from the RFCs and from real devices
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "ingest/syslog.h"

#define REFERENCE 1772445600000000 /* 2026-03-02T10:00:00Z */

static const struct {
    const char *in, *want; /* priority time host app pid msgid data | text */
} cases[] = {
    /* RFC 3164 */
    {"<34>Oct 11 22:14:15 mymachine su: 'su root' failed", "34 2025-10-11T22:14:15Z mymachine su - - - | 'su root' failed"},
    {"<13>Mar  1 13:06:56 web-1 app[77]: hi there", "13 2026-03-01T13:06:56Z web-1 app 77 - - | hi there"},
    {"<13>Mar  1 13:06:56 web-1 just words", "13 2026-03-01T13:06:56Z web-1 - - - - | just words"},
    /* no host: what /dev/log gets */
    {"<13>Mar  1 13:06:56 cron[7]: x", "13 2026-03-01T13:06:56Z - cron 7 - - | x"},
    {"<6>Mar  1 13:06:56 kernel: [   12.5] usb", "6 2026-03-01T13:06:56Z - kernel - - - | [   12.5] usb"},
    /* a one-digit day with one blank, a year, fractions, ISO in the old form */
    {"<13>Mar 1 13:06:56 h a: x", "13 2026-03-01T13:06:56Z h a - - - | x"},
    {"<13>Mar  1 2024 13:06:56 h a: x", "13 2024-03-01T13:06:56Z h a - - - | x"},
    {"<13>Mar  1 13:06:56.250 h a: x", "13 2026-03-01T13:06:56.250Z h a - - - | x"},
    {"<13>2026-03-01T13:06:56.5+01:00 h a[1]: x", "13 2026-03-01T12:06:56.500Z h a 1 - - | x"},
    /* Cisco */
    {"<189>45: r1: *Mar  1 18:48:50.483 UTC: %SYS-5-CONFIG_I: Configured", "189 2026-03-01T18:48:50.483Z r1 %SYS-5-CONFIG_I - - - | Configured"},
    {"<189>29: Mar  1 18:48:50: %LINK-3-UPDOWN: down", "189 2026-03-01T18:48:50Z - %LINK-3-UPDOWN - - - | down"},
    {"<166>Mar  1 2026 06:48:50 fw1 : %ASA-6-302013: Built", "166 2026-03-01T06:48:50Z fw1 %ASA-6-302013 - - - | Built"},
    /* no stamp, no tag, no priority */
    {"<13>app: x", "13 - - app - - - | x"},
    {"<13>whatever it is", "13 - - - - - - | whatever it is"},
    {"<13>", "13 - - - - - - | "},
    {"no syslog at all", "-1 - - - - - - | no syslog at all"},
    {"<192>too high", "-1 - - - - - - | <192>too high"},
    {"<1234>x", "-1 - - - - - - | <1234>x"},
    {"<>x", "-1 - - - - - - | <>x"},
    {"<13>Feb 30 10:00:00 h a: x", "13 - - - - - - | Feb 30 10:00:00 h a: x"},
    {"<13>Mar  1 13:06:56 h http://x/ was asked", "13 2026-03-01T13:06:56Z h - - - - | http://x/ was asked"},
    /* RFC 5424 */
    {"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xef\xbb\xbf'su root' failed",
     "34 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - | 'su root' failed"},
    {"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time",
     "165 2003-08-24T12:14:15Z 192.0.2.1 myproc 8710 - - | %% It's time"},
    {"<165>1 2003-10-11T22:14:15.003Z h evntslog - ID47 [exampleSDID@32473 iut=\"3\" x=\"a\\]b\"][y@1] An event",
     "165 2003-10-11T22:14:15.003Z h evntslog - ID47 [exampleSDID@32473 iut=\"3\" x=\"a\\]b\"][y@1] | An event"},
    {"<165>1 - - - - - -", "165 - - - - - - | "},
    {"<165>1 2003-10-11T22:14:15.003Z h a - - [x@1 a=\"open", "165 - - - - - - | 1 2003-10-11T22:14:15.003Z h a - - [x@1 a=\"open"},
    {"<165>1 nonsense h a 1 2 - x", "165 - h a 1 2 - | x"},
};

static void put(struct lq_buf *b, lq_str s)
{
    lq_buf_byte(b, ' ');
    if (s.n == 0) {
        lq_buf_byte(b, '-');
    }
    lq_buf_add(b, s.p, s.n);
}

Test(syslog, headers)
{
    struct syslog_parser *p = NULL;
    cr_assert(syslog_parser_new(NULL, &p, NULL) == LQ_OK);
    syslog_parser_reference(p, REFERENCE);
    for (size_t k = 0; k < 2 * sizeof cases / sizeof cases[0]; k++) { /* each twice: a stamp that was just seen is not parsed again */
        size_t i = k / 2;
        struct syslog_message m;
        struct lq_buf got = {0};
        char when[32] = "-";
        syslog_parse(p, lq_str_of(cases[i].in), &m);
        if (m.has_time) {
            time_print_utc(m.time_us, when);
        }
        lq_buf_printf(&got, "%d %s", m.priority, when);
        put(&got, m.host);
        put(&got, m.app);
        put(&got, m.pid);
        put(&got, m.msgid);
        put(&got, m.data);
        lq_buf_str(&got, " | ");
        lq_buf_add(&got, m.text.p, m.text.n);
        lq_buf_byte(&got, '\0');
        cr_expect_str_eq(got.p, cases[i].want, "%s\n got  %s\n want %s", cases[i].in, got.p, cases[i].want);
        lq_buf_fini(&got);
    }
    syslog_parser_free(&p);
}

Test(syslog, the_year_of_a_repeated_stamp_follows_the_reference)
{
    struct syslog_parser *p = NULL;
    struct syslog_message m;
    lq_str line = LQ_STR("<13>Mar  1 13:06:56 h a: x");
    cr_assert(syslog_parser_new(NULL, &p, NULL) == LQ_OK);
    for (int year = 0; year < 2; year++) {
        syslog_parser_reference(p, REFERENCE + year * 365 * 86400LL * 1000000);
        for (int i = 0; i < 2; i++) {
            char when[32];
            syslog_parse(p, line, &m);
            time_print_utc(m.time_us, when);
            cr_expect_str_eq(when, year == 0 ? "2026-03-01T13:06:56Z" : "2027-03-01T13:06:56Z");
        }
    }
    syslog_parser_free(&p);
}

Test(syslog, names)
{
    cr_assert_str_eq(syslog_severity_name(34), "crit");
    cr_assert_str_eq(syslog_facility_name(34), "auth");
    cr_assert_str_eq(syslog_severity_name(191), "debug");
    cr_assert_str_eq(syslog_facility_name(191), "local7");
    cr_assert_str_eq(syslog_severity_name(-1), "");
}
