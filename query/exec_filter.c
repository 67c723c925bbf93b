/*
 * exec_filter.c - filters: bound to a stream, each leaf evaluated once per value
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <strings.h>

#include "query/exec_int.h"
#include "schema/format.h"

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

static bool equal(lq_str a, lq_str b)
{
    double x, y;
    return lq_str_eq(a, b) || (number_of(a, &x) && number_of(b, &y) && x == y);
}

bool exec__test_value(const struct filter *f, lq_str v, const struct lq_regex *re)
{
    double x, y;
    switch (f->op) {
    case FILTER_EQ: return equal(v, f->values[0]);
    case FILTER_NE: return !equal(v, f->values[0]);
    case FILTER_IN:
        for (uint32_t i = 0; i < f->n_values; i++) {
            if (equal(v, f->values[i])) {
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

static enum lq_err regex_of(const struct query *q, const struct filter *f, struct lq_regex **re, struct lq_error *e)
{
    struct lq_error inner = {0};
    if ((f->op != FILTER_MATCH && f->op != FILTER_NO_MATCH) || lq_regex_new(f->values[0], re, &inner) == LQ_OK) {
        return LQ_OK;
    }
    query_error_at(q, e, f->value_at, f->values[0].n > 0 ? f->values[0].n : 1, inner.msg);
    if (f->values[0].n > 0 && (f->values[0].p[0] == '*' || f->values[0].p[0] == '+' || f->values[0].p[0] == '?')) {
        lq_error_hint(e, "~ takes a regex: .* is any text, and \\%c the sign itself", f->values[0].p[0]);
    }
    return LQ_EINVAL;
}

enum lq_err exec__leaves(const struct query *q, const struct filter *f, struct leaf_set *set, struct lq_error *e)
{
    if (f == NULL) {
        return LQ_OK;
    }
    if (f->op <= FILTER_NOT) {
        enum lq_err err = exec__leaves(q, f->a, set, e);
        return err != LQ_OK || f->op == FILTER_NOT ? err : exec__leaves(q, f->b, set, e);
    }
    LQ_ASSERT(set->n < QUERY_NODES_MAX);
    set->leaf[set->n] = f;
    return regex_of(q, f, &set->re[set->n++], e);
}

void exec__leaves_fini(struct leaf_set *set)
{
    for (uint32_t i = 0; i < set->n; i++) {
        lq_regex_free(&set->re[i]);
    }
}

int exec__evaluate(const struct filter *f, const struct leaf_set *set, leaf_value_fn *value, void *ctx)
{
    lq_str v;
    if (f == NULL) {
        return 1;
    }
    if (f->op <= FILTER_NOT) {
        int a = exec__evaluate(f->a, set, value, ctx);
        if (f->op == FILTER_NOT) {
            return a < 0 ? a : !a;
        }
        int b = exec__evaluate(f->b, set, value, ctx);
        int decides = f->op == FILTER_OR;
        return a == decides || b == decides ? decides : a < 0 || b < 0 ? -1 : !decides;
    }
    if (!value(ctx, f, &v)) {
        return -1;
    }
    for (uint32_t i = 0; i < set->n; i++) {
        if (set->leaf[i] == f) {
            return exec__test_value(f, v, set->re[i]);
        }
    }
    return -1;
}

/* ---- bound to a stream ---- */

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
    enum lq_err err = regex_of(x->q, f, &re, x->e);
    if (err != LQ_OK) {
        return err;
    }
    b->dim = exec__dim(x->info->schema, f->field);
    if (lq_str_is(f->field, "stream")) {
        b->dim = FIELD_STREAM;
        b->constant = exec__test_value(f, lq_str_of(x->info->schema->name), re);
    } else if (b->dim == NO_DIM) {
        b->dim = FIELD_STREAM; /* the stream has no such field: no record of it passes (one branch of an `or`) */
    } else {
        x->filter_dims |= b->dim != DIM_ERROR ? 1U << b->dim : 0;
        uint32_t n = snapshot_values(x->s, x->info->id, b->dim);
        b->passes = lq_arena_alloc(mem, n + 1);
        for (uint32_t v = 0; v < n; v++) {
            b->passes[v] = exec__test_value(f, snapshot_value(x->s, x->info->id, b->dim, v)->text, re);
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

/* ---- what a filter says of a whole stream ---- */

enum { NEVER = 0, MAYBE = 1, ALWAYS = 2, NO_FIELD = -1 };

static int stream_leaf(const struct filter *f, const struct stream_schema *s)
{
    if (!lq_str_is(f->field, "stream")) {
        return exec__dim(s, f->field) != NO_DIM ? MAYBE : NO_FIELD;
    }
    struct lq_regex *re = NULL;
    if ((f->op == FILTER_MATCH || f->op == FILTER_NO_MATCH) && lq_regex_new(f->values[0], &re, NULL) != LQ_OK) {
        return MAYBE; /* said when it is bound */
    }
    bool pass = exec__test_value(f, lq_str_of(s->name), re);
    lq_regex_free(&re);
    return pass ? ALWAYS : NEVER;
}

int exec__filter_stream(const struct filter *f, const struct stream_schema *s)
{
    if (f == NULL) {
        return ALWAYS;
    }
    if (f->op > FILTER_NOT) {
        return stream_leaf(f, s);
    }
    int a = exec__filter_stream(f->a, s);
    if (f->op == FILTER_NOT) {
        return a == NO_FIELD || a == MAYBE ? a : a == NEVER ? ALWAYS : NEVER;
    }
    int b = exec__filter_stream(f->b, s), low = a < b ? a : b, high = a < b ? b : a;
    if (f->op == FILTER_OR) {
        return high > NEVER ? high : low == NO_FIELD && high == NO_FIELD ? NO_FIELD : NEVER;
    }
    return a == NEVER || b == NEVER ? NEVER : low;
}

/* ---- values that nobody has ---- */

static bool value_known(struct snapshot *s, const struct filter *one, const bool use[STREAM_MAX], const char **near, lq_str want)
{
    bool any_dim = false;
    *near = NULL;
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        uint32_t d = use[i] ? exec__dim(snapshot_stream(s, i)->schema, one->field) : NO_DIM;
        uint32_t n = d != NO_DIM ? snapshot_values(s, i, d) : 0;
        any_dim = any_dim || d != NO_DIM;
        for (uint32_t v = 0; v < n; v++) {
            lq_str t = snapshot_value(s, i, d, v)->text;
            if (equal(t, want)) {
                return true;
            }
            if (*near == NULL && v > VALUE_OVERFLOW && t.n > 0 && t.n < 100) {
                const char *name = t.p; /* dictionary texts end in a NUL */
                bool same = t.n == want.n && strncasecmp(t.p, want.p, t.n) == 0;
                *near = same || (n < 5000 && want.n > 2 && lq_nearest(want.p, want.n, &name, 1) != NULL) ? name : NULL;
            }
        }
    }
    return !any_dim;
}

/* status = 4xx: another dimension has that value. */
static const char *dimension_with(struct snapshot *s, const bool use[STREAM_MAX], lq_str value)
{
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_schema *x = snapshot_stream(s, i)->schema;
        for (uint32_t d = 0; use[i] && d < x->n_dims; d++) {
            uint32_t id = snapshot_value_id(s, i, d, value);
            if (id != UINT32_MAX && id > VALUE_OVERFLOW) {
                return x->dims[d];
            }
        }
    }
    return NULL;
}

static void notice_values(struct snapshot *s, const struct filter *f, const bool use[STREAM_MAX], struct result *r)
{
    if (f->op == FILTER_AND || f->op == FILTER_OR) {
        notice_values(s, f->a, use, r);
        notice_values(s, f->b, use, r);
    }
    if ((f->op != FILTER_EQ && f->op != FILTER_IN) || lq_str_is(f->field, "stream")) {
        return;
    }
    for (uint32_t i = 0; i < f->n_values; i++) {
        const char *near;
        if (!value_known(s, f, use, &near, f->values[i])) {
            const char *other = dimension_with(s, use, f->values[i]);
            lq_buf_printf(&r->notices, "%.*s has no value %.*s", (int)f->field.n, f->field.p, (int)f->values[i].n, f->values[i].p);
            if (other != NULL) {
                lq_buf_printf(&r->notices, "; did you mean %s = %.*s?\n", other, (int)f->values[i].n, f->values[i].p);
            } else if (near != NULL) {
                lq_buf_printf(&r->notices, "; did you mean %s?\n", near);
            } else {
                lq_buf_printf(&r->notices, " (lq values %.*s lists them)\n", (int)f->field.n, f->field.p);
            }
        }
    }
}

void exec__value_notices(struct snapshot *s, const struct query *q, const bool use[STREAM_MAX], struct result *r)
{
    if (q->filter != NULL) {
        notice_values(s, q->filter, use, r);
    }
}
