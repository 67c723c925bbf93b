/*
 * prom_eval.c - evaluation of a PromQL tree at every step (prom.h)
 *
 * sum() directly over rate/increase/irate is pushed down: buckets are added up by the labels wanted and nothing else is read.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/http/prom.h"

static enum lq_err eval(struct prom_eval *x, const struct prom_expr *p, struct prom_value *out);

/* Over the limit all share one row, and eval() refuses what comes of it. */
static double *steps_of(struct prom_eval *x)
{
    x->values += x->steps;
    if (x->values <= PROM_VALUES_MAX) {
        return lq_arena_alloc(x->mem, x->steps * sizeof(double));
    }
    x->spill = x->spill != NULL ? x->spill : lq_arena_alloc(x->mem, x->steps * sizeof(double));
    return x->spill;
}

static enum lq_err within(const struct prom_eval *x)
{
    if (x->request != NULL && http_stopped(x->request)) {
        return LQ_ELIMIT;
    }
    return x->values <= PROM_VALUES_MAX ? LQ_OK : prom_too_many(x);
}

static struct prom_value scalar(struct prom_eval *x, double v)
{
    struct prom_value out = {.scalar = true, .n = 1, .s = lq_arena_alloc(x->mem, sizeof *out.s)};
    out.s->v = steps_of(x);
    for (uint32_t k = 0; k < x->steps; k++) {
        out.s->v[k] = v;
    }
    return out;
}

static bool same_labels(const struct prom_series *a, const struct prom_series *b)
{
    bool same = a->n == b->n;
    for (uint32_t i = 0; i < a->n && same; i++) {
        same = lq_str_eq(a->labels[i].name, b->labels[i].name) && lq_str_eq(a->labels[i].value, b->labels[i].value);
    }
    return same;
}

/* The labels as one text, to find equal ones. */
static lq_str labels_key(const struct prom_series *s, struct lq_buf *b)
{
    lq_buf_clear(b);
    for (uint32_t i = 0; i < s->n; i++) {
        lq_buf_varint(b, s->labels[i].name.n);
        lq_buf_add(b, s->labels[i].name.p, s->labels[i].name.n);
        lq_buf_varint(b, s->labels[i].value.n);
        lq_buf_add(b, s->labels[i].value.p, s->labels[i].value.n);
    }
    return (lq_str){b->p, b->n};
}

/* ---- aggregation ---- */

static bool listed(const struct prom_expr *p, lq_str name)
{
    for (uint32_t i = 0; i < p->n_labels; i++) {
        if (lq_str_eq(p->labels[i], name)) {
            return true;
        }
    }
    return false;
}

static bool several_streams(const struct prom_value *v)
{
    for (uint32_t i = 1; i < v->n; i++) {
        if (!lq_str_eq(prom_label(&v->s[i], LQ_STR("stream")), prom_label(&v->s[0], LQ_STR("stream")))) {
            return true;
        }
    }
    return false;
}

static struct prom_series reduced(struct prom_eval *x, const struct prom_expr *p, const struct prom_series *s, bool keep_stream)
{
    struct prom_series out = {.labels = lq_arena_alloc(x->mem, (s->n + 1) * sizeof *out.labels)};
    for (uint32_t i = 0; i < s->n; i++) {
        bool in = listed(p, s->labels[i].name);
        bool stays = p->without ? !in : in;
        if (stays || (keep_stream && lq_str_is(s->labels[i].name, "stream"))) {
            out.labels[out.n++] = s->labels[i];
        }
    }
    return out;
}

static void combine(enum prom_aggregate how, double *to, double *count, const double *v, uint32_t steps)
{
    for (uint32_t k = 0; k < steps; k++) {
        if (isnan(v[k])) {
            continue;
        }
        bool first = count[k] == 0;
        count[k]++;
        if (how == PROM_MIN || how == PROM_MAX) {
            to[k] = first || (how == PROM_MIN ? v[k] < to[k] : v[k] > to[k]) ? v[k] : to[k];
        } else {
            to[k] = first ? v[k] : to[k] + v[k];
        }
    }
}

static void aggregate_groups(struct prom_eval *x, const struct prom_expr *p, const struct prom_value *in, bool keep_stream, struct prom_value *out)
{
    struct lq_map ids = {0};
    struct lq_buf key = {0};
    double **counts = lq_alloc((in->n + 1) * sizeof *counts);
    out->s = lq_arena_alloc(x->mem, (in->n + 1) * sizeof *out->s);
    for (uint32_t i = 0; i < in->n; i++) {
        struct prom_series s = reduced(x, p, &in->s[i], keep_stream);
        lq_str k = labels_key(&s, &key);
        uint32_t g = lq_map_get(&ids, k);
        if (g == LQ_MAP_NONE) {
            g = out->n++;
            lq_map_set(&ids, k, g);
            s.v = steps_of(x);
            out->s[g] = s;
            counts[g] = lq_alloc(x->steps * sizeof(double));
        }
        combine(p->aggregate, out->s[g].v, counts[g], in->s[i].v, x->steps);
    }
    for (uint32_t g = 0; g < out->n; g++) {
        for (uint32_t k = 0; k < x->steps; k++) {
            double n = counts[g][k], *v = &out->s[g].v[k];
            *v = n == 0 ? (double)NAN : p->aggregate == PROM_COUNT ? n : p->aggregate == PROM_AVG ? *v / n : *v;
        }
        free(counts[g]);
    }
    free(counts);
    lq_buf_fini(&key);
    lq_map_fini(&ids);
}

struct ranked {
    double v;
    uint32_t i;
};

static int by_value_up(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->v != y->v ? (x->v < y->v ? -1 : 1) : x->i < y->i ? -1 : x->i > y->i;
}

static int by_value_down(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->v != y->v ? (x->v > y->v ? -1 : 1) : x->i < y->i ? -1 : x->i > y->i;
}

/* At each step the k largest (smallest) series of each group keep their value. */
static void topk(struct prom_eval *x, const struct prom_expr *p, const struct prom_value *in, struct prom_value *out)
{
    struct ranked *r = lq_alloc((in->n + 1) * sizeof *r);
    struct prom_series *group = lq_alloc((in->n + 1) * sizeof *group);
    uint32_t *of = lq_alloc((in->n + 1) * sizeof *of), groups = 0;
    bool *any = lq_alloc(in->n + 1);
    out->s = lq_arena_alloc(x->mem, (in->n + 1) * sizeof *out->s);
    for (uint32_t i = 0; i < in->n; i++) {
        struct prom_series s = reduced(x, p, &in->s[i], false);
        uint32_t g = 0;
        while (g < groups && !same_labels(&group[g], &s)) {
            g++;
        }
        groups += g == groups;
        group[g] = s;
        of[i] = g;
    }
    for (uint32_t k = 0; k < x->steps; k++) {
        for (uint32_t g = 0; g < groups; g++) {
            uint32_t n = 0;
            for (uint32_t i = 0; i < in->n; i++) {
                if (of[i] == g && !isnan(in->s[i].v[k])) {
                    r[n++] = (struct ranked){in->s[i].v[k], i};
                }
            }
            qsort(r, n, sizeof *r, p->aggregate == PROM_TOPK ? by_value_down : by_value_up);
            for (uint32_t i = 0; i < n; i++) {
                if (i < p->number) {
                    any[r[i].i] = true;
                } else {
                    in->s[r[i].i].v[k] = (double)NAN;
                }
            }
        }
    }
    for (uint32_t i = 0; i < in->n; i++) {
        if (any[i]) {
            out->s[out->n++] = in->s[i];
        }
    }
    free(r);
    free(group);
    free(of);
    free(any);
}

static bool is_range(const struct prom_expr *p)
{
    return p->kind == PROM_RATE || p->kind == PROM_INCREASE || p->kind == PROM_IRATE;
}

static enum lq_err eval_aggregate(struct prom_eval *x, const struct prom_expr *p, struct prom_value *out)
{
    struct prom_value in;
    if (p->aggregate == PROM_SUM && is_range(p->a)) {
        struct prom_fetch f = {.selector = p->a->a, .kind = p->a->kind, .grouped = true, .without = p->without, .n_labels = p->n_labels, .labels = p->labels};
        return prom_fetch(x, &f, out);
    }
    enum lq_err err = eval(x, p->a, &in);
    if (err == LQ_OK && in.scalar) {
        lq_error_set(x->e, LQ_EINVAL, "an aggregation needs series, not a number");
        lq_error_where(x->e, "query", 0, p->at + 1, 1, "", 0);
        err = LQ_EINVAL;
    }
    if (err != LQ_OK) {
        return err;
    }
    memset(out, 0, sizeof *out);
    if (p->aggregate == PROM_TOPK || p->aggregate == PROM_BOTTOMK) {
        topk(x, p, &in, out);
        return LQ_OK;
    }
    bool keep = several_streams(&in);
    if (keep && !p->without && !listed(p, LQ_STR("stream"))) {
        lq_buf_str(x->infos, "streams are not added together: each keeps its label\n");
    }
    aggregate_groups(x, p, &in, keep, out);
    return LQ_OK;
}

/* histogram_quantile(q, [sum by (le, …)] (rate|increase (…_bucket[w]))) */
static enum lq_err eval_quantile(struct prom_eval *x, const struct prom_expr *p, struct prom_value *out)
{
    static const lq_str le = {"le", 2};
    const struct prom_expr *in = p->a;
    bool sum = in->kind == PROM_AGGREGATE && in->aggregate == PROM_SUM && is_range(in->a);
    if (!sum && !is_range(in)) {
        lq_error_set(x->e, LQ_EINVAL, "histogram_quantile is answered from sketches, only over rate() or increase() of a _bucket metric");
        lq_error_hint(x->e, "histogram_quantile(0.99, sum by (le) (rate(lq_request_time_seconds_bucket[5m])))");
        return LQ_EINVAL;
    }
    if (p->number < 0 || p->number > 1 || isnan(p->number)) {
        return lq_error_set(x->e, LQ_EINVAL, "a quantile is from 0 to 1");
    }
    struct prom_fetch f = {.selector = sum ? in->a->a : in->a, .kind = PROM_QUANTILE, .quantile = p->number, .grouped = sum, .without = sum && in->without};
    lq_str *labels = lq_arena_alloc(x->mem, (PROM_LABELS_MAX + 1) * sizeof *labels);
    for (uint32_t i = 0; sum && i < in->n_labels; i++) {
        if (!lq_str_eq(in->labels[i], le)) {
            labels[f.n_labels++] = in->labels[i];
        }
    }
    f.labels = labels;
    return prom_fetch(x, &f, out);
}

/* ---- operators ---- */

static double apply(enum prom_binary op, double a, double b)
{
    switch (op) {
    case PROM_ADD: return a + b;
    case PROM_SUB: return a - b;
    case PROM_MUL: return a * b;
    case PROM_DIV: return a / b;
    case PROM_MOD: return fmod(a, b);
    case PROM_POW: return pow(a, b);
    case PROM_CMP_EQ: return a == b;
    case PROM_CMP_NE: return a != b;
    case PROM_CMP_GT: return a > b;
    case PROM_CMP_LT: return a < b;
    case PROM_CMP_GE: return a >= b;
    default: return a <= b;
    }
}

static bool is_comparison(enum prom_binary op)
{
    return op >= PROM_CMP_EQ && op <= PROM_CMP_LE;
}

/* One series; a comparison without `bool` keeps the left value (the vector's, when a scalar stands left) or nothing. */
static struct prom_series pair(struct prom_eval *x, const struct prom_expr *p, const struct prom_series *a, const struct prom_series *b, const struct prom_series *labels,
                               bool scalar_left)
{
    struct prom_series out = {.n = labels->n, .labels = labels->labels, .v = steps_of(x)};
    for (uint32_t k = 0; k < x->steps; k++) {
        double l = a->v[k], r = b->v[k], v = apply(p->binary, l, r);
        if (isnan(l) || isnan(r)) {
            v = (double)NAN;
        } else if (is_comparison(p->binary) && !p->bool_modifier) {
            v = v == 0 ? (double)NAN : scalar_left ? r : l;
        }
        out.v[k] = v;
    }
    return out;
}

static void match_sets(struct prom_eval *x, const struct prom_expr *p, const struct prom_value *a, const struct prom_value *b, struct prom_value *out)
{
    struct lq_map right = {0};
    struct lq_buf key = {0};
    out->s = lq_arena_alloc(x->mem, (a->n + b->n + 1) * sizeof *out->s);
    for (uint32_t i = 0; i < b->n; i++) {
        lq_map_set(&right, labels_key(&b->s[i], &key), i);
    }
    for (uint32_t i = 0; i < a->n; i++) {
        uint32_t j = lq_map_get(&right, labels_key(&a->s[i], &key));
        bool set = p->binary >= PROM_AND;
        if (j == LQ_MAP_NONE) {
            if (p->binary == PROM_OR || p->binary == PROM_UNLESS) {
                out->s[out->n++] = a->s[i];
            }
            continue;
        }
        if (!set) {
            out->s[out->n++] = pair(x, p, &a->s[i], &b->s[j], &a->s[i], false);
            continue;
        }
        struct prom_series s = {.n = a->s[i].n, .labels = a->s[i].labels, .v = steps_of(x)};
        for (uint32_t k = 0; k < x->steps; k++) {
            double l = a->s[i].v[k], r = b->s[j].v[k];
            bool keep = p->binary == PROM_AND ? !isnan(r) : p->binary == PROM_UNLESS ? isnan(r) : true;
            s.v[k] = !keep ? (double)NAN : p->binary == PROM_OR && isnan(l) ? r : l;
        }
        out->s[out->n++] = s;
    }
    if (p->binary == PROM_OR) { /* what only the right side has */
        struct lq_map left = {0};
        for (uint32_t i = 0; i < a->n; i++) {
            lq_map_set(&left, labels_key(&a->s[i], &key), i);
        }
        for (uint32_t i = 0; i < b->n; i++) {
            if (lq_map_get(&left, labels_key(&b->s[i], &key)) == LQ_MAP_NONE) {
                out->s[out->n++] = b->s[i];
            }
        }
        lq_map_fini(&left);
    }
    lq_buf_fini(&key);
    lq_map_fini(&right);
}

static enum lq_err eval_binary(struct prom_eval *x, const struct prom_expr *p, struct prom_value *out)
{
    struct prom_value a, b;
    enum lq_err err = eval(x, p->a, &a);
    if (err == LQ_OK) {
        err = eval(x, p->b, &b);
    }
    if (err != LQ_OK) {
        return err;
    }
    if (p->binary >= PROM_AND && (a.scalar || b.scalar)) {
        return lq_error_set(x->e, LQ_EINVAL, "and, or and unless stand between series, not numbers");
    }
    if (is_comparison(p->binary) && a.scalar && b.scalar && !p->bool_modifier) {
        return lq_error_set(x->e, LQ_EINVAL, "a comparison of two numbers needs bool: 1 < bool 2");
    }
    memset(out, 0, sizeof *out);
    if (!a.scalar && !b.scalar) {
        match_sets(x, p, &a, &b, out);
        return LQ_OK;
    }
    const struct prom_value *v = a.scalar ? &b : &a;
    out->scalar = a.scalar && b.scalar;
    out->s = lq_arena_alloc(x->mem, (v->n + 1) * sizeof *out->s);
    for (uint32_t i = 0; i < v->n; i++) {
        out->s[out->n++] = pair(x, p, a.scalar ? &a.s[0] : &a.s[i], b.scalar ? &b.s[0] : &b.s[i], &v->s[i], a.scalar && !b.scalar);
    }
    return LQ_OK;
}

static enum lq_err eval_part(struct prom_eval *x, const struct prom_expr *p, struct prom_value *out)
{
    struct prom_fetch f;
    enum lq_err err;
    switch (p->kind) {
    case PROM_NUMBER: *out = scalar(x, p->number); return LQ_OK;
    case PROM_SELECTOR:
        if (p->window_us > 0) {
            lq_error_set(x->e, LQ_EINVAL, "a range stands only inside rate, increase or irate");
            lq_error_where(x->e, "query", 0, p->at + 1, 1, "", 0);
            return LQ_EINVAL;
        }
        f = (struct prom_fetch){.selector = p, .kind = PROM_SELECTOR};
        return prom_fetch(x, &f, out);
    case PROM_RATE:
    case PROM_INCREASE:
    case PROM_IRATE: f = (struct prom_fetch){.selector = p->a, .kind = p->kind}; return prom_fetch(x, &f, out);
    case PROM_QUANTILE: return eval_quantile(x, p, out);
    case PROM_AGGREGATE: return eval_aggregate(x, p, out);
    case PROM_BINARY: return eval_binary(x, p, out);
    case PROM_VECTOR:
        err = eval(x, p->a, out);
        if (err == LQ_OK && !out->scalar) {
            err = lq_error_set(x->e, LQ_EINVAL, "vector() needs a number");
        }
        out->scalar = false;
        return err;
    case PROM_NEGATE:
        err = eval(x, p->a, out);
        for (uint32_t i = 0; err == LQ_OK && i < out->n; i++) {
            for (uint32_t k = 0; k < x->steps; k++) {
                out->s[i].v[k] = -out->s[i].v[k];
            }
        }
        return err;
    }
    return LQ_EINVAL;
}

static enum lq_err eval(struct prom_eval *x, const struct prom_expr *p, struct prom_value *out)
{
    enum lq_err err = eval_part(x, p, out);
    return err == LQ_OK ? within(x) : err;
}

enum lq_err prom_eval(struct prom_eval *x, const struct prom_expr *expr, struct prom_value *out)
{
    return eval(x, expr, out);
}
