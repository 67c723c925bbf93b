/*
 * test_detect.c - typed changes of one series: what is found, how it is named, and silence where nothing changed
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/calibrate/null_series.h"
#include "query/change/detect.h"

enum { N = 1008, RUNS = 40, FOUND_MAX = 16 };
#define DAY 144

static double y[NULL_POINTS_MAX], w[NULL_POINTS_MAX];
static struct detection found[FOUND_MAX];

static double day(int i)
{
    return 1 + 0.7 * sin(i * 6.283185307179586 / DAY);
}

struct scene {
    const char *name;
    enum detect_kind kind;
    enum detect_type type;
    uint32_t at, tolerance;
    size_t season;
    void (*point)(struct random *r, int i);
};

static void value_step(struct random *r, int i)
{
    y[i] = random_normal(r) + (i >= 700 ? 1 : 0);
}
static void value_ramp(struct random *r, int i)
{
    y[i] = random_normal(r) + (i >= 500 ? 0.01 * (i - 500) : 0);
}
static void value_spike(struct random *r, int i)
{
    y[i] = random_normal(r) + (i == 333 ? 12 : 0);
}
static void value_dip(struct random *r, int i)
{
    y[i] = random_normal(r) - (i >= 333 && i < 338 ? 8 : 0);
}
static void count_step(struct random *r, int i)
{
    y[i] = random_poisson(r, i >= 600 ? 1.5 : 0.8);
}
static void count_seasonal_step(struct random *r, int i)
{
    y[i] = random_poisson(r, 30 * day(i) * (i >= 650 ? 1.3 : 1));
}
static void count_burst(struct random *r, int i)
{
    y[i] = random_poisson(r, i == 90 ? 60 : 10);
}
static void share_from_zero(struct random *r, int i)
{
    w[i] = random_poisson(r, 50 * day(i));
    y[i] = i >= 900 ? random_binomial(r, w[i], 0.01) : 0;
}
static void share_silent(struct random *r, int i)
{
    w[i] = i >= 200 && i < 400 ? 0 : 20; /* silence is not a share of zero */
    y[i] = w[i] > 0 ? random_binomial(r, w[i], i >= 800 ? 0.6 : 0.3) : 0;
}

static const struct scene scenes[] = {
    {"value step", DETECT_VALUE, DETECT_STEP, 700, 25, 0, value_step},
    {"value ramp", DETECT_VALUE, DETECT_TREND, 500, 80, 0, value_ramp},
    {"value spike", DETECT_VALUE, DETECT_SPIKE, 333, 0, 0, value_spike},
    {"value dip", DETECT_VALUE, DETECT_DIP, 333, 1, 0, value_dip},
    {"count step", DETECT_COUNT, DETECT_STEP, 600, 25, 0, count_step},
    {"count step with season", DETECT_COUNT, DETECT_STEP, 650, 8, DAY, count_seasonal_step},
    {"count burst", DETECT_COUNT, DETECT_SPIKE, 90, 0, 0, count_burst},
    {"share from zero", DETECT_SHARE, DETECT_STEP, 900, 15, 0, share_from_zero},
    {"share with silence", DETECT_SHARE, DETECT_STEP, 800, 6, 0, share_silent},
};

Test(detect, finds_and_names_each_type)
{
    for (size_t s = 0; s < sizeof scenes / sizeof scenes[0]; s++) {
        struct random r = {31 + s};
        int right = 0, extra = 0, inside = 0;
        for (int run = 0; run < RUNS; run++) {
            for (int i = 0; i < N; i++) {
                w[i] = 1;
                scenes[s].point(&r, i);
            }
            struct detect_input in = {.kind = scenes[s].kind, .y = y, .w = w, .n = N, .day = scenes[s].season};
            size_t k = detect(&in, found, FOUND_MAX);
            int hits = 0;
            for (size_t i = 0; i < k; i++) {
                cr_assert(found[i].low <= found[i].at && found[i].at <= found[i].high && found[i].at < found[i].end &&
                          found[i].end <= N && found[i].p <= 0.01);
                cr_assert(i == 0 || found[i - 1].at <= found[i].at);
                bool hit = found[i].type == scenes[s].type &&
                           labs((long)found[i].at - (long)scenes[s].at) <= (long)scenes[s].tolerance;
                hits += hit;
                inside += hit && found[i].low <= scenes[s].at && scenes[s].at <= found[i].high;
                extra += !hit;
            }
            right += hits == 1;
        }
        cr_expect(right >= RUNS * 9 / 10, "%s: right in %d of %d", scenes[s].name, right, RUNS);
        cr_expect(extra <= RUNS / 10, "%s: %d more", scenes[s].name, extra);
        cr_expect(inside >= RUNS * 8 / 10, "%s: inside its interval %d", scenes[s].name, inside);
    }
}

Test(detect, silent_on_null_series)
{
    enum { SERIES = 150 };
    for (size_t kind = 0; kind < null_kinds; kind++) {
        struct random r = {1000 + kind};
        int any = 0, sure = 0;
        for (int run = 0; run < SERIES; run++) {
            null_fill(&null_table[kind], N, &r, y, w);
            struct detect_input in = {.kind = (enum detect_kind)null_table[kind].model, .y = y, .w = w, .n = N};
            size_t k = detect(&in, found, FOUND_MAX);
            bool is_sure = false;
            for (size_t i = 0; i < k; i++) {
                is_sure |= found[i].p <= 1e-4;
            }
            any += k > 0;
            sure += is_sure;
        }
        bool heavy = null_table[kind].model == NULL_VALUE &&
                     null_table[kind].extra > 0; /* log-normal: its spikes are told apart less well */
        cr_expect(any <= (heavy ? 20 : 6), "%s: %d of %d", null_name(kind), any, SERIES);
        cr_expect(sure <= (heavy ? 6 : 0), "%s: %d sure", null_name(kind), sure);
    }
}

Test(detect, the_screen_stops_no_clear_step)
{
    struct random r = {12};
    int stopped = 0, clear = 0;
    for (int run = 0; run < 400; run++) {
        double size = 0.1 + 0.5 * random_unit(&r);
        size_t at = (size_t)(N * (0.06 + 0.88 * random_unit(&r)));
        for (size_t i = 0; i < N; i++) {
            w[i] = 1;
            y[i] = random_normal(&r) + (i >= at ? size : 0);
        }
        struct change c;
        struct detect_input in = {.kind = DETECT_VALUE, .y = y, .w = w, .n = N};
        if (change_best(y, w, N, &c) && c.p <= 0.005) {
            clear++;
            stopped += detect_quiet(&in);
        }
    }
    cr_expect(clear > 100 && stopped <= clear / 50, "%d of %d", stopped, clear);
}

Test(detect, distribution_changes_while_the_mean_stays)
{
    enum { BINS = 8, ROWS = 200 };
    static double bins[ROWS * BINS];
    struct random r = {13};
    struct detection d;
    size_t bound;
    int early = 0;
    for (int run = 0; run < 100; run++) {
        memset(bins, 0, sizeof bins);
        for (int i = 0; i < ROWS; i++) {
            for (int k = 0; k < 40; k++) {
                double v = 4 + random_normal(&r) * (run > 0 ? 1 : i >= 120 ? 2.5 : 1);
                bins[i * BINS + (v < 0 ? 0 : v >= BINS ? BINS - 1 : (int)v)]++;
            }
        }
        cr_assert(detect_distribution(bins, ROWS, BINS, &d, &bound));
        if (run == 0) {
            cr_expect(d.p <= 1e-4 && d.low <= 120 && 120 <= d.high && d.type == DETECT_DISTRIBUTION, "%u p %g", d.at,
                      d.p);
        } else {
            early += d.p <= 0.01;
        }
    }
    cr_expect(early <= 5, "%d of 99 where nothing changed", early);
    cr_expect(!detect_distribution(bins, ROWS, 1, &d, &bound));
}

Test(detect, odd_input)
{
    struct detect_input in = {.kind = DETECT_VALUE, .y = y, .w = w};
    for (size_t n = 0; n < 40; n++) {
        for (size_t i = 0; i < n; i++) {
            y[i] = i % 2 ? INFINITY : NAN;
            w[i] = i % 3 ? 0 : 1;
        }
        in.n = n;
        cr_expect_eq(detect(&in, found, FOUND_MAX), 0, "%zu", n);
    }
    for (size_t i = 0; i < 300; i++) {
        w[i] = 1;
        y[i] = i < 150 ? 0 : 9;
    }
    in.n = 300;
    cr_expect_eq(detect(&in, found, 0), 0);
    cr_assert_eq(detect(&in, found, FOUND_MAX), 1, "without any noise");
    cr_expect(found[0].at == 150 && found[0].type == DETECT_STEP && found[0].before == 0 && found[0].after == 9);
}
