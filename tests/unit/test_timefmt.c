/*
 * test_timefmt.c - stamps, years, zones, durations
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "schema/timefmt.h"

#define REFERENCE 1772445600000000 /* 2026-03-02T10:00:00Z */

static bool parse(const char *layout, const char *text, int64_t *out)
{
    struct time_layout *l = NULL;
    cr_assert(time_layout_compile(layout, &l, NULL) == LQ_OK, "%s", layout);
    struct time_parser p = {.layout = l, .reference_us = REFERENCE};
    bool ok = time_parse(&p, lq_str_of(text), out, NULL);
    time_layout_free(&l);
    return ok;
}

Test(timefmt, stamps)
{
    static const struct {
        const char *layout, *text, *want; /* want NULL: no time */
    } cases[] = {
        {"clf", "17/May/2015:10:05:03 +0000", "2015-05-17T10:05:03Z"},
        {"clf", "02/Mar/2026:11:00:00 +0130", "2026-03-02T09:30:00Z"},
        {"clf", "30/Feb/2026:11:00:00 +0000", NULL},
        {"clf", "01/Mar/2026:25:00:00 +0000", NULL},
        {"iso8601", "2026-03-02T10:00:00.123456Z", "2026-03-02T10:00:00.123Z"},
        {"iso8601", "2026-03-02 10:00:00,5 +02:00", "2026-03-02T08:00:00.500Z"},
        {"iso8601", "2024-02-29", "2024-02-29T00:00:00Z"},
        {"iso8601", "2023-02-29", NULL},
        {"iso8601", "2026-06-30T23:59:60Z", "2026-07-01T00:00:00Z"},
        {"rfc3164", "Mar  2 09:00:00", "2026-03-02T09:00:00Z"},
        {"rfc3164", "Mar  3 09:00:00", "2026-03-03T09:00:00Z"},  /* a clock an hour or so ahead */
        {"rfc3164", "Mar 20 09:00:00", "2025-03-20T09:00:00Z"},  /* logs do not come from the future */
        {"rfc3164", "Dec 31 23:59:59", "2025-12-31T23:59:59Z"},
        {"epoch_auto", "1772445600", "2026-03-02T10:00:00Z"},
        {"epoch_auto", "1772445600.5", "2026-03-02T10:00:00.500Z"},
        {"epoch_auto", "1772445600123", "2026-03-02T10:00:00.123Z"},
        {"epoch_auto", "1772445600123456789", "2026-03-02T10:00:00.123Z"},
        {"%y/%m/%d %H:%M:%S", "17/06/09 20:10:40", "2017-06-09T20:10:40Z"},
        {"%H:%M:%S.%f", "09:59:59.25", "2026-03-02T09:59:59.250Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t t = 0;
        char got[32];
        bool ok = parse(cases[i].layout, cases[i].text, &t);
        cr_expect(ok == (cases[i].want != NULL), "%s", cases[i].text);
        if (ok && cases[i].want != NULL) {
            time_print_utc(t, got);
            cr_expect_str_eq(got, cases[i].want, "%s: %s", cases[i].text, got);
        }
    }
}

/* The cached prefix gives what the slow way gives. */
Test(timefmt, cache_and_calendar_against_timegm)
{
    struct time_layout *l = NULL;
    cr_assert(time_layout_compile("clf", &l, NULL) == LQ_OK);
    struct time_parser p = {.layout = l};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    uint64_t z = 1;
    for (int i = 0; i < 20000; i++) {
        z = z * 6364136223846793005U + 1442695040888963407U;
        time_t t = (time_t)((z >> 33) % 4102444800U); /* to 2099 */
        t = i % 3 != 0 ? t - t % 60 + i % 60 : t;
        struct tm tm;
        char text[64];
        int64_t got = 0;
        for (int k = 0; k < 3; k++, t += 7) {
            gmtime_r(&t, &tm);
            snprintf(text, sizeof text, "%02d/%s/%04d:%02d:%02d:%02d +0000", tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
            cr_assert(time_parse(&p, lq_str_of(text), &got, NULL) && got == (int64_t)t * 1000000, "%s", text);
        }
    }
    time_layout_free(&l);
}

Test(timefmt, zones_against_libc)
{
    static const char *const names[] = {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct timezone_rules *tz = NULL;
        cr_assert(timezone_load(names[i], &tz, NULL) == LQ_OK, "%s", names[i]);
        setenv("TZ", names[i], 1);
        tzset();
        for (time_t t = 1577836800; t < 1893456000; t += 5407) { /* 2020 to 2030 */
            struct tm tm;
            localtime_r(&t, &tm);
            cr_assert(timezone_offset_at(tz, t) == tm.tm_gmtoff, "%s at %ld", names[i], (long)t);
            int64_t back = timezone_to_utc(tz, t + tm.tm_gmtoff);
            cr_assert(back == t || timezone_offset_at(tz, back) != timezone_offset_at(tz, t), "%s at %ld", names[i], (long)t);
        }
        timezone_free(&tz);
    }
    struct timezone_rules *tz = NULL;
    struct lq_error e = {0};
    cr_expect(timezone_load("Europe/Berln", &tz, &e) == LQ_EINVAL);
}

Test(timefmt, durations_and_arguments)
{
    int64_t us = 0;
    struct lq_error e = {0};
    char text[40];
    cr_expect(duration_parse(LQ_STR("1d12h"), &us, &e) == LQ_OK && us == 36 * 3600 * 1000000LL);
    cr_expect(duration_parse(LQ_STR("500ms"), &us, &e) == LQ_OK && us == 500000);
    cr_expect(duration_parse(LQ_STR("7"), &us, &e) == LQ_EINVAL && strstr(e.hint, "7m") != NULL);
    cr_expect(duration_parse(LQ_STR("5x"), &us, &e) == LQ_EINVAL && duration_parse(LQ_STR(""), &us, &e) == LQ_EINVAL);
    static const struct {
        int64_t s;
        const char *said;
    } rounded[] = {{119, "1m 59s"}, {233, "4m"}, {59 * 60 + 50, "1h"}, {-900, "15m"}, {86399, "1d"}, {47 * 3600 + 1800, "2d"}};
    for (size_t i = 0; i < sizeof rounded / sizeof rounded[0]; i++) {
        duration_print_rounded(rounded[i].s * 1000000LL, text, sizeof text);
        cr_expect(strcmp(text, rounded[i].said) == 0, "%s", text);
    }
    duration_print(90 * 1000000LL, text, sizeof text);
    cr_expect_str_eq(text, "1m 30s");
    cr_expect(time_arg_parse(LQ_STR("now-2h"), REFERENCE, NULL, &us, &e) == LQ_OK && us == REFERENCE - 7200 * 1000000LL);
    cr_expect(time_arg_parse(LQ_STR("2h"), REFERENCE, NULL, &us, &e) == LQ_OK && us == REFERENCE - 7200 * 1000000LL);
    cr_expect(time_arg_parse(LQ_STR("2026-03-02 10:00"), 0, NULL, &us, &e) == LQ_OK && us == REFERENCE);
    cr_expect(time_arg_parse(LQ_STR("1772445600"), 0, NULL, &us, &e) == LQ_OK && us == REFERENCE);
    cr_expect(time_arg_parse(LQ_STR("today"), REFERENCE, NULL, &us, &e) == LQ_OK && us == REFERENCE - 10 * 3600 * 1000000LL);
    cr_expect(time_arg_parse(LQ_STR("yesterday"), REFERENCE, NULL, &us, &e) == LQ_OK && us == REFERENCE - 34 * 3600 * 1000000LL);
    cr_expect(time_arg_parse(LQ_STR("tomorrow"), 0, NULL, &us, &e) == LQ_EINVAL);
}
