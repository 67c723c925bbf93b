/*
 * test_changepoints.c - medians, outliers, season, and the generic change points on series of known kinds
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "query/change/changepoints.h"
#include "query/change/noise.h"
#include "query/change/season.h"
#include "query/change/segment.h"
#include "tests/support/random.h"

enum { N = 240, RUNS = 40 };

static double y[12000], w[12000];
static uint32_t at[12000];

static void ones(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        w[i] = 1;
    }
}

Test(noise, median_and_spread)
{
    double v[] = {5, 1, 4, 2, 3}, two[] = {3, 1};
    struct random r = {1};
    cr_expect_eq(noise_median(v, 5), 3);
    cr_expect_eq(noise_median(two, 2), 2);
    cr_expect_eq(noise_median(NULL, 0), 0);
    for (int i = 0; i < 4000; i++) { /* a slope, a step and outliers do not move it */
        y[i] = 2 * random_normal(&r) + i * 0.01 + (i > 2000 ? 50 : 0) + (i % 100 == 7 ? 400 : 0);
        w[i] = 1;
    }
    cr_expect(fabs(noise_spread(y, w, 4000) - 2) < 0.15, "%g", noise_spread(y, w, 4000));
}

Test(noise, outliers_stand_alone)
{
    struct random r = {2};
    ones(N);
    for (int i = 0; i < N; i++) {
        y[i] = random_normal(&r) + (i >= 120 ? 40 : 0); /* a step is none */
    }
    y[50] = y[51] = 30;
    y[200] = -20;
    cr_expect_eq(noise_outliers(y, w, N), 3);
    cr_expect(w[50] == 0 && w[51] == 0 && w[200] == 0);
}

Test(season, found_and_taken_out_in_spite_of_an_incident)
{
    struct random r = {3};
    struct season s;
    double worst = 0;
    ones(N);
    for (int i = 0; i < N; i++) {
        y[i] = 10 + 3 * sin(i * 6.283185307179586 / 24) + 0.3 * random_normal(&r) + (i >= 100 && i < 110 ? 20 : 0);
    }
    w[30] = 0;
    y[30] = NAN;
    cr_assert(season_find(y, w, N, &s));
    cr_expect_eq(s.period, 24);
    y[30] = 0;
    season_remove(&s, y, N);
    for (int i = 0; i < N; i++) {
        double d = fabs(y[i] - 10);
        worst = i != 30 && (i < 100 || i >= 110) && d > worst ? d : worst;
    }
    cr_expect(worst < 1.6, "%g", worst);
    season_fini(&s);
}

Test(season, needs_three_cycles_and_noise_has_none)
{
    struct random r = {4};
    struct season s;
    int found = 0;
    ones(N);
    for (int i = 0; i < N; i++) {
        y[i] = sin(i * 6.283185307179586 / 100);
    }
    cr_expect(!season_of(y, w, N, 100, &s), "two cycles");
    cr_expect(!season_find(y, w, 5, &s));
    for (int k = 0; k < 200; k++) {
        for (int i = 0; i < N; i++) {
            y[i] = random_normal(&r);
        }
        if (season_find(y, w, N, &s)) {
            found++;
            season_fini(&s);
        }
    }
    cr_expect(found <= 2, "%d of 200", found);
}

/* Every number of segments: no cheaper way exists (each way of j cuts is tried for small n). */
Test(segment, each_number_of_segments_is_the_best)
{
    enum { SMALL = 16 };
    struct random r = {5};
    for (int round = 0; round < 30; round++) {
        double cost[4];
        uint32_t starts[16];
        for (int i = 0; i < SMALL; i++) {
            y[i] = random_normal(&r) + (i > 5 ? 3 : 0) + (i > 9 ? i : 0);
            w[i] = random_unit(&r) < 0.1 ? 0 : 0.5 + random_unit(&r);
        }
        struct segment_input in = {.model = SEGMENT_LINE, .n = SMALL, .y = y, .w = w, .penalty = 3, .length_min = 2};
        struct segment_input flat = in;
        flat.model = SEGMENT_LEVEL;
        cr_assert_eq(segment_each(&in, 4, cost, starts), 4);
        double best[3] = {INFINITY, INFINITY, INFINITY};
        for (size_t a = 0; a < SMALL; a++) {
            for (size_t b = a; b < SMALL; b++) {
                size_t ends[4] = {0, a, b, SMALL}, parts = 0;
                double c = 0;
                for (int k = 0; k < 3; k++) {
                    if (ends[k] < ends[k + 1]) {
                        double level = segment_cost(&flat, ends[k], ends[k + 1]),
                               line = segment_cost(&in, ends[k], ends[k + 1]) + in.penalty;
                        c += ends[k + 1] - ends[k] < 2 ? INFINITY : level < line ? level : line;
                        parts++;
                    }
                }
                best[parts - 1] = c < best[parts - 1] ? c : best[parts - 1];
            }
        }
        for (int j = 0; j < 3; j++) {
            cr_expect(fabs(cost[j] - best[j]) < 1e-9 * (1 + best[j]), "%d segments: %g, not %g", j + 1, cost[j],
                      best[j]);
            cr_expect_eq(starts[j * 4], 0);
        }
    }
}

/* Mean number of cuts over RUNS series of a kind, and how many had a cut within 5 of `where`. */
static double cuts(double (*point)(struct random *r, int i), int where, int *hits)
{
    struct random r = {6};
    size_t all = 0;
    *hits = 0;
    for (int k = 0; k < RUNS; k++) {
        for (int i = 0; i < N; i++) {
            y[i] = point(&r, i);
        }
        size_t n = changepoints(y, N, at);
        bool near = false;
        for (size_t i = 0; i < n; i++) {
            cr_expect(at[i] > 0 && at[i] < N && (i == 0 || at[i] > at[i - 1]));
            near |= abs((int)at[i] - where) <= 5;
        }
        *hits += near;
        all += n;
    }
    return (double)all / RUNS;
}

static double white(struct random *r, int i)
{
    return random_normal(r) + 0 * i;
}
static double wandering(struct random *r, int i)
{
    static double x;
    x = (i == 0 ? 0 : 0.6 * x) + random_normal(r);
    return x;
}
static double straight(struct random *r, int i)
{
    return random_normal(r) + 0.1 * i;
}
static double seasonal(struct random *r, int i)
{
    return random_normal(r) + 4 * sin(i * 6.283185307179586 / 12);
}
static double spiky(struct random *r, int i)
{
    return random_normal(r) + (random_unit(r) < 0.01 ? 30 : 0) + 0 * i;
}
static double step(struct random *r, int i)
{
    return i % 19 == 5 ? NAN : seasonal(r, i) + (i >= 150 ? 3 : 0) + (random_unit(r) < 0.005 ? 30 : 0);
}
static double bend(struct random *r, int i)
{
    return 0.3 * random_normal(r) + (i >= 90 ? 0.1 * (i - 90) : 0);
}
static double pulse(struct random *r, int i)
{
    return random_normal(r) + (i >= 100 && i < 115 ? 6 : 0);
}

Test(changepoints, nothing_where_nothing_changed)
{
    int hits;
    cr_expect(cuts(white, 0, &hits) <= 0.05);
    cr_expect(cuts(wandering, 0, &hits) <= 0.5);
    cr_expect(cuts(straight, 0, &hits) <= 0.1);
    cr_expect(cuts(seasonal, 0, &hits) <= 0.1);
    cr_expect(cuts(spiky, 0, &hits) <= 0.1);
}

Test(changepoints, steps_bends_and_pulses)
{
    int hits;
    double n = cuts(step, 150, &hits);
    cr_expect(n >= 0.9 && n <= 1.15 && hits >= RUNS * 9 / 10, "%g, %d", n, hits);
    n = cuts(bend, 90, &hits);
    cr_expect(n >= 1 && n <= 1.5 && hits >= RUNS * 8 / 10, "%g, %d", n, hits);
    n = cuts(pulse, 115, &hits);
    cr_expect(n >= 1.9 && n <= 2.2 && hits >= RUNS * 9 / 10, "%g, %d", n, hits);
}

Test(changepoints, long_series_are_cut_at_the_point)
{
    struct random r = {7};
    for (int i = 0; i < 10080; i++) {
        y[i] = random_normal(&r) + (i >= 7777 ? 4 : 0);
    }
    cr_assert_eq(changepoints(y, 10080, at), 1);
    cr_expect(abs((int)at[0] - 7777) <= 1, "%u", at[0]);
}

Test(changepoints, odd_input)
{
    for (int i = 0; i < 50; i++) {
        y[i] = NAN;
    }
    cr_expect_eq(changepoints(y, 0, at), 0);
    cr_expect_eq(changepoints(y, 50, at), 0);
    y[3] = INFINITY;
    y[4] = -1e300;
    y[5] = 7;
    cr_expect_eq(changepoints(y, 50, at), 0);
    for (int n = 1; n < 30; n++) {
        for (int i = 0; i < n; i++) {
            y[i] = i >= n / 2 ? 1e100 : -1e100;
        }
        cr_expect(changepoints(y, (size_t)n, at) <= 2, "%d", n);
    }
}

/* The scores of bench/score_changepoints.py hang on these places; they are the same in every build. */
Test(changepoints, real_series)
{
    static const struct {
        const char *name;
        size_t n;
        uint32_t at[3];
    } cases[] = {{"businv", 2, {119, 205}},
                 {"jfk_passengers", 1, {323}},
                 {"quality_control_3", 1, {179}},
                 {"rail_lines", 2, {5, 26}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[512];
        struct lq_buf text = {0};
        struct lq_error e = {0};
        double *v = NULL;
        size_t n = 0;
        snprintf(path, sizeof path, LQ_SHARED_DATA "/tcpd/%s.json", cases[i].name);
        FILE *f = fopen(path, "rb");
        if (f == NULL) {
            cr_skip_test("no %s", path);
        }
        lq_buf_reserve(&text, 1 << 20);
        text.n = fread(text.p, 1, 1 << 20, f);
        fclose(f);
        cr_assert_eq(changepoints_parse((lq_str){text.p, text.n}, &v, &n, &e), LQ_OK);
        cr_assert_eq(changepoints(v, n, at), cases[i].n, "%s", cases[i].name);
        for (size_t k = 0; k < cases[i].n; k++) {
            cr_expect_eq(at[k], cases[i].at[k], "%s: %u", cases[i].name, at[k]);
        }
        free(v);
        lq_buf_fini(&text);
    }
}
