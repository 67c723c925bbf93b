/*
 * test_segment.c - the exact engines against the slow reference, on random data
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "query/change/segment.h"
#include "tests/support/random.h"

enum { N_MAX = 90, BINS = 6 };

/* Optimal partitioning as it is defined: every last segment of every prefix, each cost from scratch. */
static double reference(const struct segment_input *in, uint32_t *starts, size_t *segments)
{
    double f[N_MAX + 1];
    uint32_t last[N_MAX + 1] = {0};
    size_t least = in->length_min > 0 ? in->length_min : 1, k = 0;
    f[0] = -in->penalty;
    for (size_t t = 1; t <= in->n; t++) {
        f[t] = t < least ? INFINITY : segment_cost(in, 0, t);
        for (size_t s = least; s + least <= t; s++) {
            double c = f[s] + segment_cost(in, s, t) + in->penalty;
            if (c < f[t]) {
                f[t] = c;
                last[t] = (uint32_t)s;
            }
        }
    }
    for (size_t t = in->n; t > 0; t = last[t]) {
        starts[k++] = last[t];
    }
    *segments = k;
    return f[in->n];
}

/* What the answer of segment() really costs. */
static double cost_of(const struct segment_input *in, const uint32_t *starts, size_t k)
{
    double c = -in->penalty;
    for (size_t i = 0; i < k; i++) {
        c += segment_cost(in, starts[i], i + 1 < k ? starts[i + 1] : in->n) + in->penalty;
    }
    return c;
}

static void fill(struct random *r, enum segment_model model, size_t n, double *y, double *w, double *bins)
{
    double level = 0, slope = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || random_unit(r) < 0.06) {
            level = 4 * random_normal(r);
            slope = random_normal(r) / 4;
        }
        double rate = exp(level / 4), share = 1 / (1 + exp(-level / 2));
        w[i] = random_unit(r) < 0.1 ? 0 : model == SEGMENT_SHARE ? floor(30 * random_unit(r)) : 0.5 + random_unit(r);
        level += model == SEGMENT_LINE ? slope : 0;
        y[i] = level + random_normal(r) * (random_unit(r) < 0.05 ? 12 : 1);
        if (model == SEGMENT_COUNT || model == SEGMENT_OVERCOUNT) {
            y[i] = random_poisson(r, rate * w[i]);
        } else if (model == SEGMENT_SHARE) {
            y[i] = random_binomial(r, w[i], share);
        }
        for (size_t b = 0; b < BINS; b++) {
            bins[i * BINS + b] = random_poisson(r, 2 * exp(-fabs((double)b - 2.5 - level / 2)));
        }
        y[i] = w[i] > 0 ? y[i] : NAN; /* what is missing must not be looked at */
    }
}

Test(segment, equals_the_reference_for_every_model)
{
    struct random r = {20261125};
    for (int round = 0; round < 350; round++) {
        double y[N_MAX], w[N_MAX], bins[N_MAX * BINS], total = 0;
        uint32_t starts[N_MAX + 1], expected[N_MAX + 1];
        size_t m = 0;
        struct segment_input in = {.model = (enum segment_model)(round % 7),
                                   .n = 1 + (size_t)(random_unit(&r) * (N_MAX - 1)),
                                   .y = y,
                                   .w = w,
                                   .bins = bins,
                                   .n_bins = BINS};
        in.penalty = 1 + 12 * random_unit(&r);
        in.outlier = 2 + 2 * random_unit(&r);
        in.length_min =
            in.model == SEGMENT_LINE || in.model == SEGMENT_DISTRIBUTION ? 1 + (size_t)(5 * random_unit(&r)) : 0;
        in.length_min = in.length_min > in.n ? in.n : in.length_min;
        fill(&r, in.model, in.n, y, w, bins);
        size_t k = segment(&in, starts, &total);
        double best = reference(&in, expected, &m);
        cr_assert(k >= 1 && starts[0] == 0, "round %d", round);
        cr_assert(fabs(total - best) < 1e-6 * (1 + fabs(best)), "round %d, model %d, n %zu: %.12g instead of %.12g",
                  round, (int)in.model, in.n, total, best);
        cr_assert(fabs(cost_of(&in, starts, k) - best) < 1e-6 * (1 + fabs(best)),
                  "round %d, model %d: the segments cost %.12g, not %.12g", round, (int)in.model,
                  cost_of(&in, starts, k), best);
    }
}

Test(segment, outlier_is_no_segment_and_a_step_is)
{
    double y[200], w[200];
    uint32_t starts[200];
    struct random r = {7};
    for (size_t i = 0; i < 200; i++) {
        w[i] = 1;
        y[i] = random_normal(&r) + (i >= 120 ? 3 : 0) + (i == 60 ? 500 : 0);
    }
    struct segment_input in = {
        .model = SEGMENT_ROBUST, .n = 200, .y = y, .w = w, .penalty = 3 * log(200), .outlier = 3};
    size_t k = segment(&in, starts, NULL);
    cr_assert_eq(k, 2, "%zu", k);
    cr_expect(starts[1] >= 118 && starts[1] <= 122, "%u", starts[1]);
    in.model = SEGMENT_LEVEL;
    cr_expect_eq(segment(&in, starts, NULL), 4);
}

Test(segment, nothing_and_one_point)
{
    double y[1] = {3}, w[1] = {1};
    uint32_t starts[1] = {9};
    struct segment_input in = {.model = SEGMENT_LEVEL, .n = 0, .y = y, .w = w, .penalty = 5};
    cr_expect_eq(segment(&in, starts, NULL), 0);
    in.n = 1;
    cr_expect_eq(segment(&in, starts, NULL), 1);
    cr_expect_eq(starts[0], 0);
}
