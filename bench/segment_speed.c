/*
 * segment_speed.c - what the change engine's statistics cost: the screen on a week of minutes for 4,171 series, the
 * exact engines on one week
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <time.h>

#include "bench/calibrate/null_series.h"
#include "query/change/changepoints.h"
#include "query/change/detect.h"
#include "query/change/segment.h"

enum { N = 10080, SERIES = 4171, POOL = 64 /* distinct series: 10 MB, so that memory is read as in life */ };

static double y[POOL][N], w[POOL][N];
static uint32_t starts[N + 1];

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void screens(void)
{
    struct random r = {1};
    size_t quiet = 0, found = 0;
    struct detection d[16];
    for (size_t i = 0; i < POOL; i++) {
        null_fill(&null_table[i % null_kinds], N, &r, y[i], w[i]);
    }
    double t = now_ms();
    for (size_t i = 0; i < SERIES; i++) {
        struct detect_input in = {.kind = (enum detect_kind)null_table[i % POOL % null_kinds].model,
                                  .y = y[i % POOL],
                                  .w = w[i % POOL],
                                  .n = N};
        quiet += detect_quiet(&in);
    }
    double screen = now_ms() - t;
    printf("screen, %d series of %d points: %.0f ms, %.1f us each; %.0f %% quiet\n", SERIES, N, screen,
           screen * 1e3 / SERIES, 100.0 * (double)quiet / SERIES);
    t = now_ms();
    for (size_t i = 0; i < POOL; i++) {
        struct detect_input in = {
            .kind = (enum detect_kind)null_table[i % null_kinds].model, .y = y[i], .w = w[i], .n = N};
        found += detect(&in, d, 16);
    }
    printf("detect, the same series whole: %.2f ms each, %zu changes in %d\n", (now_ms() - t) / POOL, found, POOL);
}

int main(void)
{
    static const char *const names[] = {"level", "robust", "count", "overcount", "share"};
    screens();
    for (int changes = 0; changes < 2; changes++) {
        for (int m = SEGMENT_LEVEL; m <= SEGMENT_SHARE; m++) {
            struct random r = {2};
            for (size_t i = 0; i < N; i++) {
                double level = changes && i / 500 % 2 ? 0.7 : 0;
                w[0][i] = m == SEGMENT_SHARE ? 100 : m == SEGMENT_OVERCOUNT ? 10 : 1;
                y[0][i] = m <= SEGMENT_ROBUST ? level + random_normal(&r)
                                              : random_poisson(&r, (m == SEGMENT_SHARE ? 2 : 20) * exp(level));
            }
            struct segment_input in = {.model = (enum segment_model)m,
                                       .n = N,
                                       .y = y[0],
                                       .w = w[0],
                                       .outlier = 3,
                                       .penalty = (m == SEGMENT_OVERCOUNT ? 9 : 3) * log(N)};
            double t = now_ms();
            size_t k = segment(&in, starts, NULL);
            printf("exact %-9s, %d points, %2zu segments: %.1f ms\n", names[m], N, k, now_ms() - t);
        }
    }
    double t = now_ms();
    size_t k = changepoints(y[0], N, starts);
    printf("lq debug changepoints, %d points, %zu cuts: %.1f ms\n", N, k, now_ms() - t);
    struct change c;
    t = now_ms();
    for (int i = 0; i < 100; i++) {
        change_best(y[i % POOL], w[i % POOL], 1008, &c);
    }
    printf("change_best, 1008 points: %.1f us\n", (now_ms() - t) * 10);
    return 0;
}
