/*
 * calibrate.c - does p mean what it says? usage: calibrate [RUNS [SEED [LENGTH]]]
 *
 * Series that never change are tested RUNS times; a line of the table is (observed share of p <= x) / x. 1 is right,
 * below 1 careful, above 1 too sure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/calibrate/null_series.h"

static const double levels[] = {1e-1, 1e-2, 1e-3, 1e-4, 1e-5};
enum { LEVELS = sizeof levels / sizeof levels[0] };

int main(int argc, char **argv)
{
    long runs = argc > 1 ? atol(argv[1]) : 100000;
    static const size_t lengths[] = {48, 168, 1008};
    size_t only = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    printf("observed / expected share of p; %ld runs each (fewer than 10 expected: in brackets)\n%-34s %5s", runs,
           "null series", "n");
    for (int k = 0; k < LEVELS; k++) {
        printf(" %9.0e", levels[k]);
    }
    puts("");
    for (size_t kind = 0; kind < null_kinds; kind++) {
        for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
            if (only > 0 && lengths[l] != only) {
                continue;
            }
            struct random r = {(argc > 2 ? strtoull(argv[2], NULL, 10) : 1) + 1000003 * kind + 7919 * l};
            long hits[LEVELS] = {0};
            for (long i = 0; i < runs; i++) {
                double p = null_p(kind, lengths[l], &r);
                for (int k = 0; k < LEVELS; k++) {
                    hits[k] += p <= levels[k];
                }
            }
            printf("%-34s %5zu", null_name(kind), lengths[l]);
            for (int k = 0; k < LEVELS; k++) {
                char cell[32];
                snprintf(cell, sizeof cell, (double)runs * levels[k] < 10 ? "(%.2f)" : "%.2f",
                         (double)hits[k] / ((double)runs * levels[k]));
                printf(" %9s", cell);
            }
            puts("");
            fflush(stdout);
        }
    }
    return 0;
}
