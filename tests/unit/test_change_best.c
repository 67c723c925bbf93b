/*
 * test_change_best.c - the best single change: p on series without any change, power, intervals, odd input
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>

#include "bench/calibrate/null_series.h"

/* A quick version of bench/calibrate: 3000 series of each kind; the bounds are 1.5 times the expected number and four
 * standard errors. */
Test(change_best, p_is_not_too_sure_on_any_null_series)
{
    enum { RUNS = 3000 };
    static const double levels[] = {1e-1, 1e-2, 1e-3};
    for (size_t kind = 0; kind < null_kinds; kind++) {
        struct random r = {99 + kind};
        int hits[3] = {0};
        for (int i = 0; i < RUNS; i++) {
            double p = null_p(kind, 168, &r);
            for (int k = 0; k < 3; k++) {
                hits[k] += p <= levels[k];
            }
        }
        for (int k = 0; k < 3; k++) {
            double most = 1.5 * RUNS * levels[k];
            cr_expect(hits[k] <= most + 4 * sqrt(most), "%s: p <= %g in %d of %d", null_name(kind), levels[k], hits[k],
                      RUNS);
        }
        cr_expect(hits[0] >= RUNS / 10 / 5, "%s: far too careful, %d", null_name(kind), hits[0]);
    }
}

Test(change_best, a_step_of_a_share_is_found_inside_its_interval)
{
    enum { N = 300, RUNS = 300 };
    struct random r = {4};
    int found = 0, inside = 0;
    for (int i = 0; i < RUNS; i++) {
        double s[N], t[N];
        for (int k = 0; k < N; k++) {
            t[k] = k % 17 == 3 ? 0 : 100;
            s[k] = random_poisson(&r, t[k] * (k >= 200 ? 0.03 : 0.01));
        }
        struct change c;
        cr_assert(change_best_share(s, t, N, &c));
        found += c.p <= 1e-4 && c.shape == SHAPE_STEP;
        inside += c.low <= 200 && 200 <= c.high;
        cr_expect(c.low <= c.at && c.at <= c.high);
    }
    cr_expect(found > RUNS * 95 / 100, "%d", found);
    cr_expect(inside >= RUNS * 93 / 100, "%d", inside);
}

Test(change_best, a_ramp_is_a_kink)
{
    double y[400], w[400];
    struct random r = {8};
    for (int i = 0; i < 400; i++) {
        w[i] = 1;
        y[i] = random_normal(&r) + (i > 150 ? (i - 150) * 0.03 : 0);
    }
    struct change c;
    cr_assert(change_best(y, w, 400, &c));
    cr_expect(c.shape == SHAPE_KINK && c.p == CHANGE_P_FLOOR && c.low <= 150 && 150 <= c.high, "%u [%u, %u] p %g", c.at,
              c.low, c.high, c.p);
    cr_expect(fabs(c.before) < 0.5 && fabs(c.after - 7.5) < 1);
}

Test(change_best, too_short_and_constant_and_perfect)
{
    double y[60] = {0}, w[60];
    struct change c;
    for (int i = 0; i < 60; i++) {
        w[i] = 1;
    }
    cr_expect(!(change_best(y, w, 11, &c)));
    cr_expect(!(change_best(y, w, 60, &c)), "constant");
    cr_expect(!(change_best_count(y, w, 60, &c)), "no events");
    for (int i = 30; i < 60; i++) {
        y[i] = 5;
    }
    cr_assert(change_best(y, w, 60, &c));
    cr_expect(c.at == 30 && c.low == 30 && c.high == 30 && c.p <= 1e-5 && c.before == 0 && c.after == 5, "at %u p %g",
              c.at, c.p);
    for (int i = 0; i < 60; i++) {
        w[i] = i % 2;
        y[i] = i % 2 ? y[i] : NAN; /* what is missing is not looked at */
    }
    cr_assert(change_best(y, w, 60, &c));
    cr_expect(c.low <= 30 && c.at >= 30 && c.at <= 31 && isfinite(c.p));
}
