/*
 * segment_functional.c - exact segmentation by functional pruning (segment.h)
 *
 * Q_t(p) = least cost of the first t points when the last segment's parameter is p. Q_t = min(Q_{t-1}, F_{t-1} +
 * penalty) + loss of point t, and F_t = min over p of Q_t. Q_t is kept as pieces: on an interval of p, a convex
 * function of three numbers and the start of the segment it belongs to. A start whose pieces are gone can never be best
 * again, whatever comes: that is the pruning, and it works without any change in the data.
 *
 *   quadratic  f(p) = a p^2 + b p + c
 *   poisson    f(p) = a p - b log p + c
 *   binomial   f(p) = -a log p - b log(1 - p) + c
 *
 * The logarithms at the ends of an interval are kept with it, so that only a piece whose best point lies inside, or
 * that is cut, costs a logarithm.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/segment_int.h"
#include "schema/base/buf.h"

enum family { QUADRATIC, POISSON, BINOMIAL };

struct edge {
    double p, log_p, log_q; /* log_q = log(1 - p) */
};
struct piece {
    struct edge lo, hi;
    double a, b, c;
    uint32_t start;
};
struct pieces {
    struct piece *at;
    size_t n, cap;
};

static struct edge edge_at(enum family f, double p)
{
    return (struct edge){p, f == QUADRATIC ? 0 : log(p), f == BINOMIAL ? log1p(-p) : 0};
}

static double value(enum family f, const struct piece *x, const struct edge *e)
{
    switch (f) {
    case QUADRATIC:
        return (x->a * e->p + x->b) * e->p + x->c;
    case POISSON:
        return x->a * e->p - x->b * e->log_p + x->c;
    case BINOMIAL:
        break;
    }
    return -x->a * e->log_p - x->b * e->log_q + x->c;
}

/* Where the piece's function is least, if it had all of the line. */
static double least_at(enum family f, const struct piece *x)
{
    switch (f) {
    case QUADRATIC:
        return x->a > 0 ? -x->b / (2 * x->a) : x->lo.p;
    case POISSON:
        return x->a > 0 ? x->b / x->a : x->lo.p;
    case BINOMIAL:
        break;
    }
    return x->a + x->b > 0 ? x->a / (x->a + x->b) : x->lo.p;
}

static double least(enum family f, const struct piece *x, struct edge *where)
{
    double p = least_at(f, x);
    *where = p <= x->lo.p ? x->lo : p >= x->hi.p ? x->hi : edge_at(f, p);
    return value(f, x, where);
}

/* The point between `in`, where f <= level, and `out`, where f > level. Bisection: regula falsi saves half of the steps
 * and costs the guarantee. */
static struct edge cross(enum family f, const struct piece *x, struct edge in, struct edge out, double level)
{
    if (f == QUADRATIC) {
        double d = x->b * x->b - 4 * x->a * (x->c - level), r = d > 0 ? sqrt(d) : 0;
        double p = out.p > in.p ? (-x->b + r) / (2 * x->a) : (-x->b - r) / (2 * x->a);
        double lo = in.p < out.p ? in.p : out.p, hi = in.p < out.p ? out.p : in.p;
        return (struct edge){p < lo ? lo : p > hi ? hi : p, 0, 0};
    }
    double a = in.p, b = out.p, p = b;
    for (int i = 0; i < 60 && fabs(b - a) > 1e-12 * fabs(a + b); i++) {
        struct edge e = edge_at(f, p);
        double v = value(f, x, &e) - level, slope = f == POISSON ? x->a - x->b / p : x->b / (1 - p) - x->a / p;
        if (v <= 0) {
            a = p;
        } else {
            b = p;
        }
        if (fabs(v) < 1e-9) {
            break;
        }
        double newton = p - v / slope; /* from the outside, Newton on a convex function never passes the root */
        p = v > 0 && newton > (a < b ? a : b) && newton < (a < b ? b : a) ? newton : (a + b) / 2;
    }
    return edge_at(f, p);
}

static void push(struct pieces *x, struct piece p)
{
    if (p.hi.p <= p.lo.p) {
        return;
    }
    if (x->n > 0) {
        struct piece *l = &x->at[x->n - 1];
        if (l->start == p.start && l->a == p.a && l->b == p.b && l->c == p.c) {
            l->hi = p.hi;
            return;
        }
    }
    lq_grow(&x->at, &x->cap, x->n + 1, sizeof *x->at);
    x->at[x->n++] = p;
}

/* out = min(in, level): the parts above it become the new start's. */
static void cut(enum family f, const struct pieces *in, double level, uint32_t start, struct pieces *out)
{
    out->n = 0;
    for (size_t i = 0; i < in->n; i++) {
        const struct piece *x = &in->at[i];
        struct piece fresh = {x->lo, x->hi, 0, 0, level, start}, kept = *x;
        bool low_in = value(f, x, &x->lo) <= level, high_in = value(f, x, &x->hi) <= level;
        if (low_in && high_in) {
            push(out, *x);
            continue;
        }
        struct edge m = low_in ? x->lo : x->hi;
        if (!low_in && !high_in && least(f, x, &m) > level) {
            push(out, fresh);
            continue;
        }
        if (!low_in) {
            kept.lo = fresh.hi = cross(f, x, m, x->lo, level);
            push(out, fresh);
        }
        if (!high_in) {
            kept.hi = cross(f, x, m, x->hi, level);
        }
        push(out, kept);
        if (!high_in) {
            push(out, (struct piece){kept.hi, x->hi, 0, 0, level, start});
        }
    }
}

static void add_quadratic(struct pieces *x, double y, double w)
{
    for (size_t i = 0; i < x->n; i++) {
        x->at[i].a += w;
        x->at[i].b -= 2 * w * y;
        x->at[i].c += w * y * y;
    }
}

/* Beyond reach of y the loss is the constant outlier^2: pieces are split there. */
static void add_biweight(const struct pieces *in, double y, double w, double outlier, struct pieces *out)
{
    double reach = outlier / sqrt(w), from = y - reach, to = y + reach;
    out->n = 0;
    for (size_t i = 0; i < in->n; i++) {
        const struct piece *x = &in->at[i];
        double ends[4] = {x->lo.p, from, to, x->hi.p};
        for (int k = 0; k < 3; k++) {
            double lo = ends[k] > x->lo.p ? ends[k] : x->lo.p, hi = ends[k + 1] < x->hi.p ? ends[k + 1] : x->hi.p;
            if (lo < hi) {
                struct piece part = *x;
                part.lo.p = lo;
                part.hi.p = hi;
                part.a += k == 1 ? w : 0;
                part.b -= k == 1 ? 2 * w * y : 0;
                part.c += k == 1 ? w * y * y : outlier * outlier;
                push(out, part);
            }
        }
    }
}

static void add_counts(struct pieces *x, double a, double b)
{
    for (size_t i = 0; i < x->n; i++) {
        x->at[i].a += a;
        x->at[i].b += b;
    }
}

/* The range of the parameter. A rate of 0 is 1e-9 over all exposure: it costs no more than that. */
static struct piece domain(const struct segment_input *in, enum family f)
{
    double lo = INFINITY, hi = -INFINITY, events = 0, exposure = 0;
    for (size_t i = 0; i < in->n; i++) {
        if (in->w[i] > 0) {
            double v = f == QUADRATIC ? in->y[i] : in->y[i] / in->w[i];
            lo = v < lo ? v : lo;
            hi = v > hi ? v : hi;
            events += in->y[i];
            exposure += in->w[i];
        }
    }
    if (lo > hi) {
        lo = hi = 0;
    }
    double tiny = 1e-9 / (events + exposure + 1);
    if (f == QUADRATIC) {
        double some = (hi - lo + fabs(lo) + fabs(hi)) * 1e-9 + 1e-300; /* never empty, even for one value */
        lo -= some;
        hi += some;
    } else if (f == POISSON) {
        lo = lo > tiny ? lo * (1 - 1e-9) : tiny;
        hi = hi > lo ? hi * (1 + 1e-9) : 2 * lo;
    } else {
        lo = tiny;
        hi = 1 - 1e-12;
    }
    return (struct piece){edge_at(f, lo), edge_at(f, hi), 0, 0, 0, 0};
}

double segment__functional(const struct segment_input *in, uint32_t *last)
{
    enum family f = in->model == SEGMENT_COUNT                                     ? POISSON
                    : in->model == SEGMENT_OVERCOUNT || in->model == SEGMENT_SHARE ? BINOMIAL
                                                                                   : QUADRATIC;
    struct pieces now = {0}, next = {0};
    double best = 0, shift = 0;
    if (f == QUADRATIC) { /* centred, so that squares do not cancel */
        double k = 0;
        for (size_t i = 0; i < in->n; i++) {
            k += in->w[i];
            shift += in->w[i] > 0 ? in->w[i] * in->y[i] : 0;
        }
        shift = k > 0 ? shift / k : 0;
    }
    struct piece all = domain(in, f);
    if (f == QUADRATIC) {
        all.lo.p -= shift;
        all.hi.p -= shift;
    }
    push(&now, all);
    for (size_t t = 0; t < in->n; t++) {
        double y = in->y[t], w = in->w[t];
        if (w > 0) {
            if (t > 0 && isfinite(in->penalty)) {
                cut(f, &now, best + in->penalty, (uint32_t)t, &next);
                struct pieces swap = now;
                now = next;
                next = swap;
            }
            switch (in->model) {
            case SEGMENT_ROBUST: {
                add_biweight(&now, y - shift, w, in->outlier, &next);
                struct pieces swap = now;
                now = next;
                next = swap;
                break;
            }
            case SEGMENT_COUNT:
                add_counts(&now, 2 * w, 2 * y);
                break;
            case SEGMENT_OVERCOUNT:
                add_counts(&now, 2 * y, 2 * w);
                break;
            case SEGMENT_SHARE:
                add_counts(&now, 2 * y, 2 * (w - y));
                break;
            case SEGMENT_LEVEL:
            case SEGMENT_LINE:
            case SEGMENT_DISTRIBUTION:
                add_quadratic(&now, y - shift, w);
                break;
            }
        }
        struct edge ignored;
        best = INFINITY;
        for (size_t i = 0; i < now.n; i++) {
            double v = least(f, &now.at[i], &ignored);
            if (v < best) {
                best = v;
                last[t + 1] = now.at[i].start;
            }
        }
    }
    free(now.at);
    free(next.at);
    return best;
}
