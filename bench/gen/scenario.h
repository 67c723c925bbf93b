/*
 * scenario.h - what is planted in the generated logs
 *
 * A scenario is one row of data: deploys and restarts (each a wave over hosts), an optional slow leak that begins at a deploy,
 * and an optional failure. Times are hours since the start of the first day (2026-02-27 00:00 UTC, a Friday: day 4 is a Monday).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_GEN_SCENARIO_H
#define LQ_GEN_SCENARIO_H

#include <stdint.h>

enum { GEN_START_S = 1772150400 /* 2026-02-27T00:00:00Z */, HOSTS = 4, DEPLOYS_MAX = 6 };

enum failure_kind {
    FAIL_NONE = 0,
    FAIL_SATURATION, /* pages slow down, sessions are lost, then 5xx: on every host */
    FAIL_ERRORS,     /* 5xx at once, on the hosts of `hosts_mask` */
    FAIL_CLIENT,     /* one client floods one route, which fails for it */
};

struct deploy {
    double at_h;
    const char *version; /* "" = a restart of what runs */
    uint32_t hosts_mask; /* 0 = all */
};

struct scenario {
    const char *name, *text;
    double days;
    uint64_t lines; /* access lines, default */
    struct deploy deploys[DEPLOYS_MAX];
    double leak_from_h; /* 0 = none: session routes slow down and the session store fills from here */
    enum failure_kind failure;
    double fail_h, fail_end_h; /* end 0 = goes on */
    uint32_t fail_hosts_mask;  /* 0 = all */
};

extern const struct scenario scenarios[];
extern const unsigned n_scenarios;

#endif
