/*
 * scenario.c - the table of scenarios
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/gen/scenario.h"

#define H(day, hour) (((day)-1) * 24.0 + (hour))

const struct scenario scenarios[] = {
    {"story",
     "a release on day 4 starts a slow leak in the shared session store; two harmless deploys follow; on day 8 it fails",
     10, 600000,
     {{H(1, 0.2), "2.4.0", 0}, {H(4, 10), "2.4.1", 0}, {H(5, 14), "2.4.2", 0}, {H(7, 11), "2.4.3", 0}, {H(9, 6), "", 0}},
     H(4, 10), FAIL_SATURATION, H(8, 10), 0, 0},
    {"twin", "the same deploys and the same failure, but nothing that began before it", 10, 600000,
     {{H(1, 0.2), "2.4.0", 0}, {H(4, 10), "2.4.1", 0}, {H(5, 14), "2.4.2", 0}, {H(7, 11), "2.4.3", 0}, {H(9, 6), "", 0}},
     0, FAIL_SATURATION, H(8, 10), 0, 0},
    {"quiet", "the same deploys, no failure", 10, 600000,
     {{H(1, 0.2), "2.4.0", 0}, {H(4, 10), "2.4.1", 0}, {H(5, 14), "2.4.2", 0}, {H(7, 11), "2.4.3", 0}},
     0, FAIL_NONE, 0, 0, 0},
    {"instant", "a release that fails at once on every host and is rolled back two hours later", 6, 360000,
     {{H(1, 0.2), "2.4.0", 0}, {H(3, 9), "2.4.1", 0}, {H(5, 11), "2.5.0", 0}, {H(5, 13), "2.4.1", 0}},
     0, FAIL_ERRORS, H(5, 11), H(5, 13.1), 0},
    {"canary", "a new version on one host of four fails there only", 6, 360000,
     {{H(1, 0.2), "2.4.0", 0}, {H(3, 9), "2.4.1", 0}, {H(5, 11), "2.5.0", 1 << 2}},
     0, FAIL_ERRORS, H(5, 11), 0, 1 << 2},
    {"bad_client", "one client floods one route, which fails for it; a harmless deploy the day before", 6, 360000,
     {{H(1, 0.2), "2.4.0", 0}, {H(4, 9), "2.4.1", 0}}, 0, FAIL_CLIENT, H(5, 13), 0, 0},
    {"week", "seven days of traffic over 300 paths and 14 statuses, no incident: for benchmarks", 7, 5000000,
     {{H(1, 0.2), "2.4.0", 0}}, 0, FAIL_NONE, 0, 0, 0},
};
const unsigned n_scenarios = sizeof scenarios / sizeof scenarios[0];
