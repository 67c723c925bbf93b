/*
 * exec_filter.c - filters: bound to a stream, each leaf evaluated once per value
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/exec_int.h"

#include <stdlib.h>

static bool number_of(lq_str s, double *v)
{
    char buf[64], *end;
    if (s.n == 0 || s.n >= sizeof buf || !((s.p[0] >= '0' && s.p[0] <= '9') || s.p[0] == '-' || s.p[0] == '.')) {
        return false;
    }
    memcpy(buf, s.p, s.n);
    buf[s.n] = '\0';
    *v = strtod(buf, &end);
    return *end == '\0';
}

static bool test_value(const struct filter *f, lq_str v, const struct lq_regex *re)
{
    double x, y;
    switch (f->op) {
    case FILTER_EQ:
    case FILTER_NE:
        if (number_of(v, &x) && number_of(f->values[0], &y)) {
            return (x == y) == (f->op == FILTER_EQ);
        }
        return lq_str_eq(v, f->values[0]) == (f->op == FILTER_EQ);
    case FILTER_IN:
        for (uint32_t i = 0; i < f->n_values; i++) {
            if (lq_str_eq(v, f->values[i])) {
                return true;
            }
        }
        return false;
    case FILTER_MATCH: return lq_regex_match(re, v);
    case FILTER_NO_MATCH: return !lq_regex_match(re, v);
    default: break;
    }
    int c;
    if (number_of(v, &x) && number_of(f->values[0], &y)) {
        c = x < y ? -1 : x > y;
    } else if (v.n == 0) {
        return false;
    } else {
        c = lq_str_cmp(v, f->values[0]);
    }
    return f->op == FILTER_GT ? c > 0 : f->op == FILTER_GE ? c >= 0 : f->op == FILTER_LT ? c < 0 : c <= 0;
}

enum lq_err exec__bind(struct run *x, const struct filter *f, struct bound **out)
{
    struct lq_arena *mem = &x->r->mem;
    struct bound *b = *out = lq_arena_alloc(mem, sizeof *b);
    struct lq_regex *re = NULL;
    b->op = f->op;
    if (f->op <= FILTER_NOT) {
        enum lq_err err = exec__bind(x, f->a, &b->a);
        return err != LQ_OK || f->op == FILTER_NOT ? err : exec__bind(x, f->b, &b->b);
    }
    if (f->op == FILTER_MATCH || f->op == FILTER_NO_MATCH) {
        struct lq_error inner = {0};
        if (lq_regex_new(f->values[0], &re, &inner) != LQ_OK) {
            return query_error_at(x->q, x->e, f->at, f->field.n, inner.msg);
        }
    }
    if (lq_str_is(f->field, "stream")) {
        b->dim = FIELD_STREAM;
        b->constant = test_value(f, lq_str_of(x->info->schema->name), re);
    } else {
        b->dim = exec__dim(x->info->schema, f->field);
        if (b->dim == DIM_ERROR) {
            x->uses_error = true;
        } else {
            x->filter_dims |= 1U << b->dim;
        }
        uint32_t n = snapshot_values(x->s, x->info->id, b->dim);
        b->passes = lq_arena_alloc(mem, n + 1);
        for (uint32_t v = 0; v < n; v++) {
            b->passes[v] = test_value(f, snapshot_value(x->s, x->info->id, b->dim, v)->text, re);
        }
    }
    lq_regex_free(&re);
    return LQ_OK;
}

bool exec__passes(const struct bound *b, const uint32_t *ids)
{
    switch (b->op) {
    case FILTER_AND: return exec__passes(b->a, ids) && exec__passes(b->b, ids);
    case FILTER_OR: return exec__passes(b->a, ids) || exec__passes(b->b, ids);
    case FILTER_NOT: return !exec__passes(b->a, ids);
    default: return b->dim == FIELD_STREAM ? b->constant : b->passes[ids[b->dim]] != 0;
    }
}
