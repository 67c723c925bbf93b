/*
 * ramp.c - when did a share begin to grow? (ramp.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/change/ramp.h"

#include <math.h>

#include "schema/base/buf.h"

enum { SHAPES = 8, LEVELS = 3, ROUNDS = 25, TOPS = 10, COARSE = 4, STEPS_MIN = 8, TURN_TERMS = 5, TURN_SIDE = 6 };
#define LN_2      0.6931471805599453
#define LEAST     1e-12 /* share */
#define CHI2_95   3.84
#define TURN_PAYS 13.8 /* a chi-square of two degrees, 1 in 1,000 */
#define RAMP_PAYS 6.0  /* twice the log likelihood that two more parameters must bring */

/* The plainer shape unless the other fits clearly better. */
static const struct shape {
    enum ramp_shape shape;
    double doublings;
    bool jump;
    double price;
} shapes[SHAPES] = {{RAMP_STEP, 0, true, 0},        {RAMP_LINE, 0, false, 0},         {RAMP_CURVE, 0, false, 1},
                    {RAMP_DOUBLING, 2, false, 1.5}, {RAMP_DOUBLING, 3.5, false, 1.5}, {RAMP_DOUBLING, 5, false, 1.5},
                    {RAMP_DOUBLING, 7, false, 1.5}, {RAMP_LINE, 0, true, 4}};

struct series {
    const double *s, *w;
    uint32_t n;
    double before_s[RAMP_STEPS_MAX + 1], before_w[RAMP_STEPS_MAX + 1];
};

struct levels {
    double p[LEVELS]; /* base, jump, rise */
};

static double part(const struct shape *m, uint32_t i, uint32_t at, uint32_t top)
{
    double x = ((double)(i - at) + 0.5) / (double)(top - at);
    return m->shape == RAMP_STEP    ? 0
           : i >= top || x >= 1     ? 1
           : m->shape == RAMP_LINE  ? x
           : m->shape == RAMP_CURVE ? x * x
                                    : expm1(m->doublings * LN_2 * x) / expm1(m->doublings * LN_2);
}

static double term(double s, double w, double p)
{
    p = p < LEAST ? LEAST : p > 1 - LEAST ? 1 - LEAST : p;
    return (s > 0 ? s * log(p) : 0) + (w > s ? (w - s) * log1p(-p) : 0);
}

static double likelihood(const struct series *x, const struct shape *m, uint32_t at, uint32_t top,
                         const struct levels *l)
{
    double sum = term(x->before_s[at], x->before_w[at], l->p[0]);
    for (uint32_t i = at; i < x->n; i++) {
        sum += x->w[i] > 0 ? term(x->s[i], x->w[i], l->p[0] + l->p[1] + l->p[2] * part(m, i, at, top)) : 0;
    }
    return sum;
}

struct normal { /* equations of one round of Fisher scoring */
    double g[LEVELS], h[LEVELS][LEVELS];
};

static void add_point(struct normal *e, double s, double w, double p, const double *f)
{
    p = p < LEAST ? LEAST : p > 1 - LEAST ? 1 - LEAST : p;
    double v = 1 / (p * (1 - p)), r = (s - w * p) * v;
    for (int a = 0; a < LEVELS; a++) {
        e->g[a] += r * f[a];
        for (int b = 0; b <= a; b++) {
            e->h[a][b] += w * v * f[a] * f[b];
        }
    }
}

/* The step of those levels that are free, by Cholesky. */
static bool solve(const struct normal *e, const bool *free_, double *d)
{
    double c[LEVELS][LEVELS] = {{0}}, y[LEVELS] = {0};
    for (int a = 0; a < LEVELS; a++) {
        d[a] = 0;
        for (int b = 0; b <= a && free_[a]; b++) {
            double v = free_[b] ? e->h[a][b] : 0;
            for (int k = 0; k < b; k++) {
                v -= c[a][k] * c[b][k];
            }
            if (a == b) {
                if (!(v > 1e-9 * e->h[a][a])) {
                    return false;
                }
                c[a][a] = sqrt(v);
            } else {
                c[a][b] = free_[b] ? v / c[b][b] : 0;
            }
        }
    }
    for (int a = 0; a < LEVELS; a++) {
        y[a] = e->g[a];
        for (int k = 0; k < a; k++) {
            y[a] -= c[a][k] * y[k];
        }
        y[a] = free_[a] ? y[a] / c[a][a] : 0;
    }
    for (int a = LEVELS; a-- > 0;) {
        double v = y[a];
        for (int k = a + 1; k < LEVELS; k++) {
            v -= c[k][a] * d[k];
        }
        d[a] = free_[a] ? v / c[a][a] : 0;
    }
    return true;
}

/* The likeliest levels of one shape with given ends. Returns the log likelihood, -INFINITY: it does not rise. */
static double best_levels(const struct series *x, const struct shape *m, uint32_t at, uint32_t top, struct levels *l,
                          bool warm)
{
    double bs = x->before_s[at], bw = x->before_w[at], as = x->before_s[x->n] - bs, aw = x->before_w[x->n] - bw;
    if (!(bw > 0) || !(aw > 0) || !(as / aw > bs / bw)) {
        return -INFINITY;
    }
    double base = bs / bw, rise = as / aw - base;
    if (m->shape == RAMP_STEP) {
        *l = (struct levels){{base, rise, 0}};
        return likelihood(x, m, at, top, l);
    }
    if (!warm) { /* else from the levels of the place before */
        *l = (struct levels){{base, m->jump ? rise / 2 : 0, m->jump ? rise / 2 : rise}};
    }
    double now = likelihood(x, m, at, top, l);
    for (int round = 0; round < ROUNDS; round++) {
        struct normal e = {.g = {0}, .h = {{0}}};
        double d[LEVELS];
        add_point(&e, bs, bw, l->p[0], (double[]){1, 0, 0});
        for (uint32_t i = at; i < x->n; i++) {
            double f[LEVELS] = {1, 1, part(m, i, at, top)};
            if (x->w[i] > 0) {
                add_point(&e, x->s[i], x->w[i], l->p[0] + l->p[1] + l->p[2] * f[2], f);
            }
        }
        bool free_[LEVELS] = {true, m->jump, true};
        for (int a = 0; a < LEVELS; a++) { /* at its bound, and pushed against it */
            free_[a] = free_[a] && !(l->p[a] <= LEAST && e.g[a] <= 0);
        }
        if (!solve(&e, free_, d)) {
            break;
        }
        double was = now, width = 1;
        struct levels next = *l;
        for (int half = 0; half < 20; half++, width /= 2) {
            for (int a = 0; a < LEVELS; a++) {
                next.p[a] = l->p[a] + width * d[a] < LEAST ? (a == 1 && !m->jump ? 0 : LEAST) : l->p[a] + width * d[a];
            }
            double then = next.p[0] + next.p[1] + next.p[2] < 1 ? likelihood(x, m, at, top, &next) : -INFINITY;
            if (then > now) {
                now = then;
                *l = next;
                break;
            }
        }
        if (now - was < 0.02) {
            break;
        }
    }
    return now;
}

static double dispersion_of(const struct series *x, const struct shape *m, uint32_t at, uint32_t top,
                            const struct levels *l)
{
    double chi = 0, k = 0;
    for (uint32_t i = 0; i < x->n; i++) {
        double p = l->p[0] + (i < at ? 0 : l->p[1] + l->p[2] * part(m, i, at, top)), v = x->w[i] * p * (1 - p);
        if (v > 0.3) {
            double r = x->s[i] - x->w[i] * p;
            chi += r * r / v;
            k++;
        }
    }
    double d = k > 12 ? chi / (k - 4) : 1;
    return d < 1 ? 1 : d;
}

struct best {
    double value;
    uint32_t at, top;
    int shape;
    struct levels l;
};

/* Candidates for T: denser near the place where the rise is plain. */
static uint32_t top_of(uint32_t i, uint32_t by, uint32_t n)
{
    static const double at[TOPS] = {0, 0.04, 0.1, 0.18, 0.28, 0.4, 0.55, 0.7, 0.85, 1};
    return by + (uint32_t)(at[i] * (n - by) + 0.5);
}

static void try_places(const struct series *x, uint32_t top, uint32_t every, struct best *best, double *profile)
{
    const struct shape *m = &shapes[best->shape];
    struct levels l = {{0}};
    bool warm = false;
    for (uint32_t at = 1; at < x->n && (m->shape == RAMP_STEP || at + 2 <= top); at += every) {
        double v = best_levels(x, m, at, top, &l, warm);
        warm = v > -INFINITY;
        profile[at] = v > profile[at] ? v : profile[at];
        if (v > best->value) {
            *best = (struct best){v, at, top, best->shape, l};
        }
    }
}

bool ramp_fit(const double *s, const double *w, uint32_t n, uint32_t by, struct ramp *out)
{
    struct series x = {.s = s, .w = w, .n = n};
    struct best best[SHAPES];
    double profile[SHAPES][RAMP_STEPS_MAX + 1];
    if (n < STEPS_MIN || n > RAMP_STEPS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        x.before_s[i + 1] = x.before_s[i] + s[i];
        x.before_w[i + 1] = x.before_w[i] + w[i];
    }
    by = by < 1 ? 1 : by >= n ? n - 1 : by;
    for (int k = 0; k < SHAPES; k++) {
        best[k] = (struct best){.value = -INFINITY, .shape = k};
        for (uint32_t i = 0; i <= n; i++) {
            profile[k][i] = -INFINITY;
        }
        for (uint32_t j = 0; j < TOPS && shapes[k].shape != RAMP_STEP; j++) { /* each T, at every fourth place */
            try_places(&x, top_of(j, by, n), COARSE, &best[k], profile[k]);
        }
        try_places(&x, best[k].top, 1, &best[k], profile[k]); /* each place, at the best T */
    }
    const struct best *b = NULL;
    for (int k = 1; k < SHAPES; k++) {
        b = best[k].value > -INFINITY && (b == NULL || best[k].value > b->value) ? &best[k] : b;
    }
    if (b == NULL || !(best[0].value > -INFINITY)) {
        return false;
    }
    double d = dispersion_of(&x, &shapes[b->shape], b->at, b->top, &b->l);
    for (int k = 1; k < SHAPES; k++) {
        if (2 * best[k].value / d - shapes[k].price > 2 * b->value / d - shapes[b->shape].price) {
            b = &best[k];
        }
    }
    double flat = likelihood(&x, &shapes[0], 0, n, &(struct levels){{0, x.before_s[n] / x.before_w[n], 0}}),
           peak = 2 * b->value / d - shapes[b->shape].price, gain = 2 * (b->value - best[0].value) / d;
    *out = (struct ramp){.at = b->at,
                         .low = b->at,
                         .high = b->at,
                         .top = b->top,
                         .shape = gain > RAMP_PAYS ? shapes[b->shape].shape : RAMP_STEP,
                         .jump = shapes[b->shape].jump,
                         .before = b->l.p[0],
                         .after = b->l.p[0] + b->l.p[1] + b->l.p[2],
                         .gain = gain,
                         .rise = 2 * ((b->value > best[0].value ? b->value : best[0].value) - flat) / d,
                         .dispersion = d};
    for (int k = 0; k < SHAPES; k++) {
        for (uint32_t i = 1; i < n; i++) {
            if (peak - (2 * profile[k][i] / d - shapes[k].price) <= CHI2_95) {
                out->low = i < out->low ? i : out->low;
                out->high = i > out->high ? i : out->high;
            }
        }
    }
    return true;
}

/* Weighted least squares of z on the first k of five functions: 1, x, x^2, a jump and a bend at x = 0. Returns the
 * weighted squares that are left. */
static double squares_left(const double *z, const double *v, const double *x, uint32_t n, int k, double *c)
{
    double h[TURN_TERMS][TURN_TERMS + 1] = {{0}}, left = 0;
    for (uint32_t i = 0; i < n; i++) {
        double f[TURN_TERMS] = {1, x[i], x[i] * x[i], x[i] > 0 ? 1 : 0, x[i] > 0 ? x[i] : 0};
        for (int a = 0; a < k; a++) {
            for (int b = 0; b < k; b++) {
                h[a][b] += v[i] * f[a] * f[b];
            }
            h[a][TURN_TERMS] += v[i] * f[a] * z[i];
        }
    }
    for (int a = 0; a < k; a++) { /* elimination; the matrix is positive */
        if (!(h[a][a] > 1e-12)) {
            return -1;
        }
        for (int b = 0; b < k; b++) {
            double m = b == a ? 0 : h[b][a] / h[a][a];
            for (int j = a; j <= TURN_TERMS && m != 0; j++) {
                h[b][j] -= m * h[a][j];
            }
        }
    }
    for (int a = 0; a < TURN_TERMS; a++) {
        c[a] = a < k ? h[a][TURN_TERMS] / h[a][a] : 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        double r = z[i] - c[0] - c[1] * x[i] - c[2] * x[i] * x[i] - (x[i] > 0 ? c[3] + c[4] * x[i] : 0);
        left += v[i] * r * r;
    }
    return left;
}

int ramp_turn(const double *s, const double *w, uint32_t n, uint32_t at)
{
    double z[RAMP_STEPS_MAX], v[RAMP_STEPS_MAX], x[RAMP_STEPS_MAX], sum_s = 0, sum_w = 0, smooth[TURN_TERMS],
                                                                    turned[TURN_TERMS];
    if (n > RAMP_STEPS_MAX || at < TURN_SIDE || n - at < TURN_SIDE) {
        return 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        sum_s += s[i];
        sum_w += w[i];
    }
    double mean = sum_w > 0 ? sum_s / sum_w : 0;
    if (!(mean > 0) || mean >= 1) {
        return 0;
    }
    for (int round = 0; round < 2; round++) { /* the variances follow from the first curve */
        for (uint32_t i = 0; i < n; i++) {
            x[i] = ((double)i + 0.5 - at) / n;
            double p = round == 0 ? mean : smooth[0] + smooth[1] * x[i] + smooth[2] * x[i] * x[i];
            p = p < mean / 4 ? mean / 4 : p > 0.98 ? 0.98 : p;
            z[i] = w[i] > 0 ? s[i] / w[i] : 0;
            v[i] = w[i] / (p * (1 - p));
        }
        if (squares_left(z, v, x, n, 3, smooth) < 0) {
            return 0;
        }
    }
    double plain = squares_left(z, v, x, n, 3, smooth), with = squares_left(z, v, x, n, TURN_TERMS, turned);
    double noise = with / (n - TURN_TERMS);
    if (with < 0 || (plain - with) / (noise > 1 ? noise : 1) < TURN_PAYS) {
        return 0;
    }
    return turned[3] + turned[4] / 4 > 0 ? 1 : -1;
}
