/*
 * test_exec.c - queries over a generated store, against sums over the records themselves
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "query/exec.h"
#include "tests/support/store_support.h"

enum { RECORDS = 26000 }; /* 7 s apart: over 2 days, so that the 10 s tier does not hold all */

static char dir[64];
static struct store *store;
static struct snapshot *snap;

static void open_all(void)
{
    struct lq_error e = {0};
    temp_dir(dir);
    store = open_store(dir, (struct store_options){0});
    fill_generated(store, RECORDS, NULL);
    cr_assert(snapshot_open(store, &snap, &e) == LQ_OK, "%s", e.msg);
}

static void close_all(void)
{
    snapshot_close(&snap);
    store_close(&store);
    remove_dir(dir);
}

TestSuite(exec, .init = open_all, .fini = close_all);

static struct query *parse(const char *text)
{
    struct query *q = NULL;
    struct lq_error e = {0};
    cr_assert(query_parse(lq_str_of(text), &q, &e) == LQ_OK, "%s: %s", text, e.msg);
    return q;
}

static struct query *ask(const char *text, struct exec_options o, struct result *r)
{
    struct lq_error e = {0};
    struct query *q = parse(text);
    o.to_us = o.to_us == 0 ? INT64_MAX : o.to_us;
    o.from_us = o.from_us == 0 ? INT64_MIN : o.from_us;
    cr_assert(exec_query(snap, q, &o, r, &e) == LQ_OK, "%s: %s", text, e.msg);
    return q;
}

static void done(struct query *q, struct result *r)
{
    result_fini(r);
    query_free(&q);
}

static const struct result_series *series_of(const struct result *r, const char *label)
{
    for (uint32_t i = 0; i < r->n_series; i++) {
        if (lq_str_is(r->series[i].labels[0], label)) {
            return &r->series[i];
        }
    }
    return NULL;
}

#define MINUTE 60000000LL

Test(exec, counts_by_route_and_minute_equal_the_records)
{
    struct result r;
    struct generated g;
    struct query *q = ask("status != 404 | count, errors, sum(bytes) by route every 5m", (struct exec_options){0}, &r);
    double (*want)[23][3] = calloc(r.steps, sizeof *want);
    for (uint32_t i = 0; i < RECORDS; i++) {
        generate(i, &g);
        if (!lq_str_is(g.r.dims[5], "404")) {
            uint32_t k = (uint32_t)((g.r.time_us - r.step_start_us[0]) / (5 * MINUTE)), route = (uint32_t)atoi(g.route + 2);
            cr_assert(k < r.steps);
            want[k][route][0]++;
            want[k][route][1] += g.r.error;
            want[k][route][2] += (double)g.r.measures[0];
        }
    }
    cr_expect(r.n_series == 23);
    for (uint32_t k = 0; k < r.steps; k++) {
        for (uint32_t route = 0; route < 23; route++) {
            char name[16];
            snprintf(name, sizeof name, "/r%u", route);
            const double *v = result_row(&r, series_of(&r, name), k);
            cr_assert(v[0] == want[k][route][0] && v[1] == want[k][route][1] && v[2] == want[k][route][2], "step %u %s: %g %g", k, name, v[0], want[k][route][0]);
        }
    }
    free(want);
    done(q, &r);
}

Test(exec, the_sum_over_steps_is_the_whole_whatever_the_step)
{
    static const char *const queries[] = {"count by host every 10s", "count by host every 70s", "count by host every 7m", "count by host every 1h",
                                          "count by host every 5h", "count by host every 1d", "count by host every 7d", "count by host"};
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        struct result r;
        double sum = 0;
        struct query *q = ask(queries[i], (struct exec_options){0}, &r);
        for (uint32_t s = 0; s < r.n_series; s++) {
            for (uint32_t k = 0; k < r.series[s].n; k++) {
                sum += r.series[s].values[k];
                cr_assert(k == 0 || r.series[s].step[k] > r.series[s].step[k - 1]);
            }
        }
        cr_expect(sum == RECORDS, "%s: %g", queries[i], sum);
        done(q, &r);
    }
}

Test(exec, compare_is_the_same_query_earlier)
{
    struct result now, before, both;
    struct generated g;
    generate(RECORDS - 1, &g);
    int64_t hour = 60 * MINUTE, to = g.r.time_us / hour * hour, from = to - 24 * hour;
    struct query *a = ask("count, avg(request_time) by status every 1h", (struct exec_options){.from_us = from, .to_us = to}, &now);
    struct query *b = ask("count, avg(request_time) by status every 1h", (struct exec_options){.from_us = from - 24 * hour, .to_us = to - 24 * hour}, &before);
    struct query *c = ask("count, avg(request_time) by status every 1h | compare 1d", (struct exec_options){.from_us = from, .to_us = to}, &both);
    cr_assert(both.n_series == 3 && now.n_series == 3 && both.steps == 24 && before.steps == 24);
    for (uint32_t i = 0; i < 3; i++) {
        for (uint32_t k = 0; k < 24; k++) {
            const double *x = result_row(&now, &now.series[i], k), *y = result_row(&before, &before.series[i], k), *v = result_row(&both, &both.series[i], k);
            cr_assert(v[0] == x[0] && v[2] == y[0] && (y[0] == 0 || fabs(v[3] - (x[0] - y[0]) / y[0]) < 1e-12), "%u %u", i, k);
            cr_assert((isnan(v[4]) && isnan(y[1])) || v[4] == y[1]);
        }
    }
    done(a, &now);
    done(b, &before);
    done(c, &both);
}

Test(exec, before_the_first_record_nothing_is_known)
{
    struct result r;
    struct query *q = ask("count every 1h | compare 30d", (struct exec_options){0}, &r);
    for (uint32_t k = 0; k < r.steps; k++) {
        const double *v = result_row(&r, &r.series[0], k);
        cr_assert(v[0] > 0 && isnan(v[1]) && isnan(v[2]));
    }
    cr_expect(strstr(r.notices.p, "not stored") != NULL);
    done(q, &r);
}

Test(exec, order_and_cuts)
{
    struct result all, top, bottom, sorted;
    struct query *a = ask("count by route", (struct exec_options){0}, &all);
    struct query *b = ask("count by route every 1h | top 3", (struct exec_options){0}, &top);
    struct query *c = ask("count by route | bottom 2", (struct exec_options){0}, &bottom);
    struct query *d = ask("count by status | sort by status desc | limit 2", (struct exec_options){0}, &sorted);
    cr_assert(all.n_series == 23 && top.n_series == 3 && bottom.n_series == 2 && sorted.n_series == 2);
    for (uint32_t i = 0; i < 3; i++) { /* over steps, counts are ranked by their sum */
        cr_expect(lq_str_eq(all.series[i].labels[0], top.series[i].labels[0]));
    }
    cr_expect(lq_str_eq(all.series[22].labels[0], bottom.series[0].labels[0]));
    cr_expect(lq_str_is(sorted.series[0].labels[0], "500") && lq_str_is(sorted.series[1].labels[0], "404"));
    done(a, &all);
    done(b, &top);
    done(c, &bottom);
    done(d, &sorted);
}

Test(exec, over_and_dist_count_what_is_above)
{
    struct result r;
    struct generated g;
    double above = 0, with = 0, sum = 0;
    for (uint32_t i = 0; i < RECORDS; i++) {
        generate(i, &g);
        above += (g.r.measure_set & 2) != 0 && g.r.measures[1] > 500000;
        with += (g.r.measure_set & 2) != 0;
    }
    struct query *q = ask("over(request_time, 500ms)", (struct exec_options){0}, &r);
    cr_expect(fabs(r.series[0].values[0] - above) < 0.02 * above, "%g %g", r.series[0].values[0], above);
    done(q, &r);
    q = ask("dist(request_time) by host", (struct exec_options){0}, &r);
    for (uint32_t i = 0; i < r.n_series; i++) {
        for (uint32_t c = 0; c < r.n_columns; c++) {
            sum += r.series[i].values[c];
        }
    }
    cr_expect(sum == with, "%g %g", sum, with);
    done(q, &r);
}

Test(exec, steps_follow_the_clock_of_the_zone)
{
    struct result r;
    struct timezone_rules *tz = NULL;
    struct lq_error e = {0};
    cr_assert(timezone_load("+05:30", &tz, &e) == LQ_OK);
    struct query *q = ask("count every 1d", (struct exec_options){.tz = tz}, &r);
    cr_expect((r.step_start_us[1] + 19800000000) % (1440 * MINUTE) == 0);
    done(q, &r);
    q = ask("count every 7d", (struct exec_options){.tz = tz}, &r);
    cr_expect((r.step_start_us[0] + 19800000000) / (1440 * MINUTE) % 7 == 4); /* a Monday */
    done(q, &r);
    timezone_free(&tz);
}

Test(exec, steps_begin_and_end_where_the_clock_says)
{
    struct timezone_rules *berlin = NULL;
    struct lq_error e;
    cr_assert(timezone_load("Europe/Berlin", &berlin, &e) == LQ_OK, "%s", e.msg);
    static const struct {
        const char *at, *start, *after;
        int64_t step_s;
    } cases[] = {
        {"2026-03-02T10:00:09Z", "2026-03-02T10:00:00Z", "2026-03-02T10:00:10Z", 10},
        {"2026-03-02T10:00:10Z", "2026-03-02T10:00:10Z", "2026-03-02T10:00:20Z", 10},
        {"2026-03-02T10:00:00Z", "2026-03-01T23:00:00Z", "2026-03-02T23:00:00Z", 86400},
        {"2026-03-29T10:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", 86400}, /* a day of 23 hours */
        {"2026-10-25T10:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", 86400}, /* of 25 */
        {"2026-10-25T00:30:05Z", "2026-10-25T00:30:00Z", "2026-10-25T00:30:10Z", 10},    /* the hour that comes twice: once, */
        {"2026-10-25T01:30:05Z", "2026-10-25T01:30:00Z", "2026-10-25T01:30:10Z", 10},    /* and again */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char start[32], after[32];
        int64_t at;
        cr_assert(time_arg_parse(lq_str_of(cases[i].at), 0, NULL, &at, &e) == LQ_OK, "%s", e.msg);
        time_print_utc(exec_step_start(at, cases[i].step_s * 1000000, berlin), start);
        time_print_utc(exec_step_after(at, cases[i].step_s * 1000000, berlin), after);
        cr_assert_str_eq(start, cases[i].start, "%s by %d s: %s", cases[i].at, (int)cases[i].step_s, start);
        cr_assert_str_eq(after, cases[i].after, "%s by %d s: %s", cases[i].at, (int)cases[i].step_s, after);
    }
    timezone_free(&berlin);
}

Test(exec, an_identity_is_answered_from_the_heaviest)
{
    struct result r;
    struct query *q = ask("count by client | top 5", (struct exec_options){0}, &r);
    cr_expect(r.n_series == 5 && r.series[0].values[0] >= r.series[4].values[0] && r.series[4].values[0] > 0);
    done(q, &r);
}

Test(exec, what_cannot_be_answered_is_refused_with_the_reason)
{
    static const struct {
        const char *text, *message, *hint;
    } cases[] = {
        {"distinct(client) by status", "one dimension at a time", "host, route"},
        {"client = 1.2.3.4 and status = 500 | count", "only the heaviest are kept", "distinct(client)"},
        {"sum(bytes) by client", "no measures", "distinct"},
        {"request_time > 1 | count", "measures are summed up", "over(request_time"},
        {"count by bytes", "this is a measure", "by route"},
        {"message ~ x | count", "the text of lines is not stored", "template"},
        {"stream = wep | count", "there is no stream wep", "did you mean web?"},
        {"distinct(route)", "unknown identity route", "count by route"},
        {"count by rout", "unknown dimension rout", "did you mean route?"},
        {"route ~ \"*.php\" | count", "bad regex", ".* is any text"},
    };
    struct exec_options o = {.from_us = INT64_MIN, .to_us = INT64_MAX};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct result r;
        struct lq_error e = {0};
        struct query *q = parse(cases[i].text);
        cr_expect(exec_query(snap, q, &o, &r, &e) == LQ_EINVAL && strstr(e.msg, cases[i].message) != NULL && strstr(e.hint, cases[i].hint) != NULL, "%s: %s (%s)",
                  cases[i].text, e.msg, e.hint);
        query_free(&q);
    }
}

Test(exec, limits_end_a_query)
{
    struct exec_options o = {.from_us = INT64_MIN, .to_us = INT64_MAX, .budget.deadline_us = 1};
    struct result r;
    struct lq_error e = {0};
    struct query *q = parse("count by route every 1m");
    cr_expect(exec_query(snap, q, &o, &r, &e) == LQ_ELIMIT && strstr(e.msg, "time limit") != NULL);
    query_free(&q);
}

Test(exec, example_lines_match_the_filter)
{
    struct result r;
    struct query *q = ask("status = 500 and line ~ \" /r1$\" | lines", (struct exec_options){0}, &r);
    for (size_t i = 0; i < r.n_lines; i++) {
        cr_expect(memcmp(r.lines[i].text.p + r.lines[i].text.n - 4, " /r1", 4) == 0);
    }
    done(q, &r);
}
