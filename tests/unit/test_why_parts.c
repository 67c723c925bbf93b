/*
 * test_why_parts.c - the pure parts of `why`: where a rise begins, the likeliest step of counts, what messages say
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>

#include "query/change/why_onset.h"

enum { N = 120 };

/* A small deterministic wobble in place of noise. */
static double wobble(uint32_t i)
{
    return ((i * 2654435761U >> 16) % 1000) / 1000.0 - 0.5;
}

static struct rise fitted(double (*shape)(uint32_t i), bool falling)
{
    double y[N], w[N];
    struct rise r;
    for (uint32_t i = 0; i < N; i++) {
        y[i] = shape(i) + wobble(i);
        w[i] = i % 17 == 3 ? 0 : 12; /* some steps are missing; the variance of the wobble is 1/12 */
    }
    cr_assert(rise_fit(y, w, N, falling, &r));
    cr_expect(r.low <= r.at && r.at <= r.high);
    return r;
}

static double step_at_70(uint32_t i)
{
    return i < 70 ? 1 : 4;
}

static double bend_at_50(uint32_t i)
{
    return i < 50 ? 1 : 1 + 0.1 * (i - 50);
}

static double jump_at_60(uint32_t i)
{
    return i < 60 ? 1 : 4 + 0.1 * (i - 60);
}

static double drop_at_40(uint32_t i)
{
    return i < 40 ? 5 : 1;
}

Test(rise, step)
{
    struct rise r = fitted(step_at_70, false);
    cr_expect_eq(r.shape, RISE_STEP);
    cr_expect_eq(r.at, 70, "at %u", r.at);
    cr_expect(r.high - r.low <= 3, "%u..%u", r.low, r.high);
}

Test(rise, bend)
{
    struct rise r = fitted(bend_at_50, false);
    cr_expect_eq(r.shape, RISE_KINK);
    cr_expect(r.low <= 50 && r.high >= 50 && r.high - r.low < 15, "%u..%u", r.low, r.high);
}

Test(rise, jump_and_slope)
{
    struct rise r = fitted(jump_at_60, false);
    cr_expect_eq(r.shape, RISE_JUMP);
    cr_expect(r.low <= 60 && r.high >= 60 && r.high - r.low < 6, "%u..%u", r.low, r.high);
}

Test(rise, falling)
{
    struct rise r = fitted(drop_at_40, true);
    cr_expect_eq(r.at, 40);
}

Test(rise, nothing_there)
{
    double y[N] = {0}, w[N] = {0};
    struct rise r;
    cr_expect_not(rise_fit(y, w, N, false, &r), "no weight");
    for (uint32_t i = 0; i < N; i++) {
        w[i] = 1;
    }
    cr_expect_not(rise_fit(y, w, N, false, &r), "constant");
}

Test(split, counts_from_zero)
{
    float k[N] = {0};
    struct split x;
    for (uint32_t i = 80; i < N; i++) {
        k[i] = (float)(1 + i % 3);
    }
    cr_assert(why__split(k, NULL, false, N, 2, N - 1, &x));
    cr_expect_eq(x.at, 80);
    cr_expect(x.before == 0 && fabs(x.after - 2) < 0.1 && x.p < 1e-4);
}

Test(split, shares_follow_their_whole)
{
    float part[N], whole[N];
    struct split x;
    for (uint32_t i = 0; i < N; i++) { /* the whole doubles, the share stays: no step of the share */
        whole[i] = i < 60 ? 100 : 200;
        part[i] = whole[i] / 10 + (float)(i % 5) - 2;
    }
    cr_assert(why__split(part, whole, true, N, 2, N - 1, &x));
    cr_expect(x.p > 0.05, "p %g", x.p);
    cr_assert(why__split(part, NULL, false, N, 2, N - 1, &x));
    cr_expect(x.at == 60 && x.p <= 1e-5, "the counts do step: %u, p %g", x.at, x.p);
}

Test(split, too_little)
{
    float k[N] = {0};
    struct split x;
    k[7] = 2;
    cr_expect_not(why__split(k, NULL, false, N, 2, N - 1, &x));
    cr_expect_not(why__split(k, NULL, false, 3, 1, 2, &x));
}

Test(words, causes)
{
    static const char *const named[] = {"write /var/lib/db: No space left on device", "SSL: CERTIFICATE has expired",
                                        "Connection refused by inventory:5432",       "upstream timed out (110)",
                                        "HikariPool-1 - Connection is not available", "java.lang.OutOfMemoryError"};
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        cr_expect_not_null(why__cause_words(lq_str_of(named[i])), "%s", named[i]);
    }
    cr_expect_null(why__cause_words(LQ_STR("Order accepted")));
    cr_expect_null(why__cause_words(LQ_STR("")));
}

Test(words, only_failure)
{
    cr_expect(why__only_failure_words(LQ_STR("Request failed: GET <*> status <*>")));
    cr_expect(why__only_failure_words(LQ_STR("Internal Server Error")));
    cr_expect_not(why__only_failure_words(LQ_STR("could not extend file: No space left on device")));
    cr_expect_not(why__only_failure_words(LQ_STR("")));
    cr_expect(why__only_failure_words(LQ_STR("Unhandled exception while processing request <*>")));
    cr_expect(why__only_failure_words(LQ_STR("GET /checkout/basket <*> failed after <*> ms")),
              "a path says where, not why");
    cr_expect_not(why__only_failure_words(LQ_STR("license of module export has ended; request <*> refused")));
}

Test(words, next_word)
{
    static const char *const want[] = {"Rotated", "secret", "db1", "checkout", "v2"};
    lq_str rest = LQ_STR("Rotated secret /var/lib/x <*> 42 db1: checkout_v2"), w;
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        cr_assert(why__next_word(&rest, &w), "%s", want[i]);
        cr_expect(lq_str_is(w, want[i]), "%s", want[i]);
    }
    cr_expect_not(why__next_word(&rest, &w));
}

Test(words, deeds)
{
    static const struct {
        const char *text;
        enum event_kind kind;
    } deeds[] = {{"Configuration reloaded from /etc/app.yaml", EVENT_CONFIG},
                 {"Rolled back to 2.4.0", EVENT_ROLLBACK},
                 {"Deploying build 77", EVENT_RELEASE},
                 {"Server is shutting down", EVENT_RESTART},
                 {"Nightly backup began", EVENT_JOB}};
    enum event_kind kind;
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        cr_expect(why__event_words(lq_str_of(deeds[i].text), &kind) && kind == deeds[i].kind, "%s", deeds[i].text);
    }
    cr_expect_not(why__event_words(LQ_STR("Order accepted"), &kind));
    cr_expect_not(why__event_words(LQ_STR(""), &kind));
}

Test(words, whole_words_only)
{
    static const char *const none[] = {"session opened for user webconfig(uid=<*>)",
                                       "Accepted publickey for deploy from <*> port <*>",
                                       "User config logged in from <*>",
                                       "webconfig entered the room",
                                       "important message stored",
                                       "async write done",
                                       "resets today",
                                       "Lock released by <*>",
                                       "r\xc3\xa9sync"},
                             *const some[] = {"config-service: value changed",
                                              "reload_config",
                                              "ConfigWatcher: new file",
                                              "HTTPReload done",
                                              "config",
                                              "CONFIG SET maxmemory <*>",
                                              "reconfiguring"};
    enum event_kind kind;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        cr_expect_not(why__event_words(lq_str_of(none[i]), &kind), "%s", none[i]);
    }
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        cr_expect(why__event_words(lq_str_of(some[i]), &kind) && kind == EVENT_CONFIG, "%s", some[i]);
    }
    cr_expect_not_null(why__cause_words(LQ_STR("SocketTimeoutException: x")));
    cr_expect_null(why__cause_words(LQ_STR("nodnsname")));
    cr_expect_null(why__cause_words(LQ_STR("a hispanic name")));
}

Test(why_parts, what_was_said_is_found_in_its_line)
{
    static const struct {
        const char *line, *template, *said;
    } rows[] = {
        {"2026-11-14 13:04:00.300 UTC [600] LOG:  parameter \"work_mem\" changed to \"2 s\"", "parameter <*> changed to <*>",
         "parameter \"work_mem\" changed to \"2 s\""},
        {"Nov 16 12:20:00 ops deploy[7]: releasing shop c99d0 to web1 web2", "releasing shop <*> to <*>",
         "releasing shop c99d0 to web1 web2"},
        {"{\"level\": \"info\", \"msg\": \"pool resized: 20 -> 5\", \"n\": 1}", "pool resized: <*> -> <*>", "pool resized: 20 -> 5"},
        {"10:00 INFO restarting a, restarting b now", "restarting <*> now", "restarting a, restarting b now"},
        {"10:00 INFO quite another text", "parameter <*> changed", ""},
        {"10:00 INFO cut off: pa", "parameter <*> changed", ""},
        {"10:00 INFO value", "value <*>", ""},
        {"anything", "<*>", ""},
        {"", "a", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        lq_str said = why__said(lq_str_of(rows[i].line), lq_str_of(rows[i].template));
        cr_expect(lq_str_is(said, rows[i].said), "\"%s\": \"%.*s\"", rows[i].line, (int)said.n, said.p);
    }
}

Test(why, shares_are_told_apart_where_nothing_fails)
{
    cr_expect(share_contrast_p(93, 235, 0, 463, 2.4) <= CHANGE_P_FLOOR); /* none of many is evidence */
    cr_expect(share_contrast_p(2, 100, 0, 100, 1) > 0.05);
    cr_expect(share_contrast_p(50, 100, 500, 1000, 1) > 0.99);
    cr_expect(share_contrast_p(30, 100, 10, 100, 1) < 1e-3);
    cr_expect(share_contrast_p(30, 100, 10, 100, 10) > 0.05);
    cr_expect(share_contrast_p(0, 0, 5, 10, 1) == 1);
}
