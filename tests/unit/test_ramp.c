/*
 * test_ramp.c - slow rises of a share are dated where they began, and the interval means what it says
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>

#include "query/change/ramp.h"
#include "tests/support/random.h"

enum { N = 96, RUNS = 20 };

struct growth {
    uint32_t from, to;
    double doublings, base, peak, traffic, spread; /* spread: of the base, log-normal */
    uint32_t turn;                                 /* from here on `more` is added to the share */
    double more;
};

static void fill(struct random *r, const struct growth *g, double *s, double *w)
{
    for (uint32_t i = 0; i < N; i++) {
        double x = i < g->from ? 0 : i >= g->to ? 1 : ((double)(i - g->from) + 0.5) / (double)(g->to - g->from),
               f = g->doublings > 0 ? (exp2(g->doublings * x) - 1) / (exp2(g->doublings) - 1) : x,
               p = g->base * exp(g->spread * random_normal(r)) + g->peak * f + (g->turn > 0 && i >= g->turn ? g->more : 0);
        w[i] = random_poisson(r, g->traffic * (1 + 0.6 * cos(i / 15.0))); /* by day and by night */
        s[i] = random_binomial(r, w[i], fmin(p, 1));
    }
}

Test(ramp, dated_where_it_began)
{
    static const struct {
        const char *name;
        double base, peak, traffic, doublings;
        int covered, told, within; /* of RUNS: interval holds the beginning, not taken for a step; mean distance */
    } rows[] = {
        {"plain", 0, 0.3, 300, 0, 18, 20, 1},
        {"from a base of errors", 0.02, 0.3, 300, 0, 17, 20, 3},
        {"little traffic", 0, 0.3, 30, 0, 17, 18, 5},
        {"small", 0, 0.05, 300, 0, 17, 18, 3},
        {"doubling", 0, 0.3, 300, 4, 16, 20, 3},
        {"doubling five times", 0.003, 0.3, 300, 5, 14, 20, 6}, /* the first doublings are lost in the base */
        {"doubling, little traffic", 0, 0.3, 30, 3, 16, 17, 8},
        {"hardly any traffic: only the interval", 0.003, 0.05, 3, 0, 16, 0, 48},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        struct random r = {100 + k};
        int covered = 0, told = 0;
        double away = 0;
        for (int run = 0; run < RUNS; run++) {
            double s[N], w[N];
            struct growth g = {.base = rows[k].base, .peak = rows[k].peak, .traffic = rows[k].traffic, .doublings = rows[k].doublings, .spread = 0.3};
            struct ramp out;
            g.from = 24 + (uint32_t)(30 * random_unit(&r));
            g.to = g.from + 24 + (uint32_t)(36 * random_unit(&r));
            fill(&r, &g, s, w);
            cr_assert(ramp_fit(s, w, N, (g.from + g.to) / 2, &out), "%s: nothing found", rows[k].name);
            cr_expect(out.low <= out.at && out.at <= out.high, "%s", rows[k].name);
            covered += out.low <= g.from + 1 && out.high + 1 >= g.from;
            told += out.shape != RAMP_STEP;
            away += fabs((double)out.at - g.from) / RUNS;
        }
        cr_expect(covered >= rows[k].covered, "%s: %d of %d intervals hold the beginning", rows[k].name, covered, RUNS);
        cr_expect(told >= rows[k].told, "%s: %d of %d are told from a step", rows[k].name, told, RUNS);
        cr_expect(away <= rows[k].within, "%s: %.1f steps away", rows[k].name, away);
    }
}

Test(ramp, a_step_is_a_step)
{
    struct random r = {7};
    int steps = 0;
    for (int run = 0; run < RUNS; run++) {
        double s[N], w[N];
        struct growth g = {.from = 40, .to = 40, .base = 0.005, .peak = 0.2, .traffic = 100, .spread = 0.3};
        struct ramp out;
        fill(&r, &g, s, w);
        cr_assert(ramp_fit(s, w, N, 41, &out));
        steps += out.shape == RAMP_STEP;
    }
    cr_expect(steps >= 19, "%d of %d", steps, RUNS);
}

Test(ramp, nothing_that_rises)
{
    double s[N] = {0}, w[N] = {0};
    struct ramp out;
    cr_expect_not(ramp_fit(s, w, N, 40, &out), "no trials at all");
    for (uint32_t i = 0; i < N; i++) {
        w[i] = 100;
        s[i] = i < 48 ? 30 : 1;
    }
    cr_expect_not(ramp_fit(s, w, N, 40, &out), "it falls");
    cr_expect_not(ramp_fit(s, w, 5, 2, &out), "too short");
}

Test(ramp, what_happens_on_the_way)
{
    static const struct {
        const char *name;
        double doublings, more;
        int least, most; /* of RUNS: said to turn upwards */
    } rows[] = {
        {"a straight line goes on", 0, 0, 0, 1},
        {"doubling goes on", 3, 0, 0, 1},
        {"more from there on", 0, 0.08, 18, RUNS},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        struct random r = {300 + k};
        int up = 0;
        for (int run = 0; run < RUNS; run++) {
            double s[N], w[N];
            struct growth g = {.from = 0, .to = N, .doublings = rows[k].doublings, .base = 0.003, .peak = 0.25, .traffic = 200, .spread = 0.3};
            g.turn = 30 + (uint32_t)(36 * random_unit(&r));
            g.more = rows[k].more;
            fill(&r, &g, s, w);
            up += ramp_turn(s, w, N, g.turn) > 0;
        }
        cr_expect(up >= rows[k].least && up <= rows[k].most, "%s: %d of %d", rows[k].name, up, RUNS);
    }
}

/* The rise over none at all: what chance makes of flat shares stays below what why_ramp.c asks for, a faint slow rise does not. */
Test(ramp, a_faint_rise_is_told_from_none)
{
    enum { FLAT_RUNS = 60 };
    const double pays = 25;
    struct random r = {21};
    double s[N], w[N], most = 0;
    int seen = 0;
    struct ramp out;
    for (int run = 0; run < FLAT_RUNS; run++) {
        struct growth flat = {.from = N, .to = N, .base = 0.004, .traffic = 100, .spread = 0.3};
        fill(&r, &flat, s, w);
        most = ramp_fit(s, w, N, N / 2, &out) && out.rise > most ? out.rise : most;
    }
    cr_expect(most < pays, "flat: %.1f", most);
    for (int run = 0; run < RUNS; run++) {
        struct growth faint = {.from = 30, .to = N, .base = 0.004, .peak = 0.02, .traffic = 100, .spread = 0.3};
        fill(&r, &faint, s, w);
        seen += ramp_fit(s, w, N, N / 2, &out) && out.rise > pays && out.after > 1.5 * out.before;
    }
    cr_expect(seen >= 18, "%d of %d faint rises are seen", seen, RUNS);
}
