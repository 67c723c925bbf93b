/*
 * exec_names.c - fields by name, and a helpful word when there is none
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/exec_int.h"

uint32_t exec__dim(const struct stream_schema *s, lq_str name)
{
    for (uint32_t i = 0; i < s->n_dims; i++) {
        if (lq_str_is(name, s->dims[i])) {
            return i;
        }
    }
    return NO_DIM;
}

static uint32_t measure_named(const struct stream_schema *s, lq_str name)
{
    for (uint32_t i = 0; i < s->n_measures; i++) {
        if (lq_str_is(name, s->measures[i].name)) {
            return i;
        }
    }
    return NO_DIM;
}

static uint32_t identity_named(const struct stream_schema *s, lq_str name)
{
    for (uint32_t i = 0; i < s->n_identities; i++) {
        if (lq_str_is(name, s->identities[i])) {
            return i;
        }
    }
    return NO_DIM;
}

static bool filter_fits(const struct stream_schema *s, const struct filter *f)
{
    if (f == NULL) {
        return true;
    }
    if (f->op <= FILTER_NOT) {
        return filter_fits(s, f->a) && (f->op == FILTER_NOT || filter_fits(s, f->b));
    }
    return lq_str_is(f->field, "stream") || exec__dim(s, f->field) != NO_DIM;
}

uint32_t exec__agg_field(const struct stream_schema *s, const struct agg *a)
{
    return a->field.n == 0 ? 0 : a->func == AGG_DISTINCT ? identity_named(s, a->field) : measure_named(s, a->field);
}

bool exec__stream_fits(const struct stream_schema *s, const struct query *q)
{
    for (uint32_t i = 0; i < q->n_by; i++) {
        if (exec__dim(s, q->by[i]) == NO_DIM && !lq_str_is(q->by[i], "stream")) {
            return false;
        }
    }
    for (uint32_t i = 0; i < q->n_aggs; i++) {
        if (exec__agg_field(s, &q->aggs[i]) == NO_DIM) {
            return false;
        }
    }
    return filter_fits(s, q->filter);
}

/* No stream has all fields: say which field nobody has, and what is near. */
static enum lq_err unknown_field(struct snapshot *s, const struct query *q, lq_str name, uint32_t at, int kind, struct lq_error *e)
{
    static const char *const kinds[] = {"dimension", "measure", "identity"};
    const char *names[STREAM_MAX];
    char msg[160];
    size_t n = 0;
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_schema *x = snapshot_stream(s, i)->schema;
        uint32_t count = kind == 0 ? x->n_dims : kind == 1 ? x->n_measures : x->n_identities;
        for (uint32_t k = 0; k < count && n < STREAM_MAX; k++) {
            const char *name_k = kind == 0 ? x->dims[k] : kind == 1 ? x->measures[k].name : x->identities[k];
            bool known = false;
            for (size_t j = 0; j < n; j++) {
                known = known || strcmp(names[j], name_k) == 0;
            }
            if (!known) {
                names[n++] = name_k;
            }
        }
    }
    snprintf(msg, sizeof msg, "unknown %s %.*s", kinds[kind], (int)(name.n < 80 ? name.n : 80), name.p);
    query_error_at(q, e, at, name.n, msg);
    const char *near = lq_nearest(name.p, name.n, names, n);
    if (near != NULL) {
        lq_error_hint(e, "did you mean %s?", near);
    } else {
        char list[200] = "";
        for (size_t i = 0; i < n && strlen(list) < 150; i++) {
            snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i > 0 ? ", " : "", names[i]);
        }
        lq_error_hint(e, "%s%s: %s", kinds[kind], kind == 2 ? " fields" : "s", n > 0 ? list : "none here");
    }
    return LQ_EINVAL;
}

static bool any_stream(struct snapshot *s, lq_str name, int kind)
{
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_schema *x = snapshot_stream(s, i)->schema;
        if ((kind == 0 ? exec__dim(x, name) : kind == 1 ? measure_named(x, name) : identity_named(x, name)) != NO_DIM) {
            return true;
        }
    }
    return false;
}

static enum lq_err check_filter_names(struct snapshot *s, const struct query *q, const struct filter *f, struct lq_error *e)
{
    if (f == NULL) {
        return LQ_OK;
    }
    if (f->op <= FILTER_NOT) {
        enum lq_err err = check_filter_names(s, q, f->a, e);
        return err != LQ_OK || f->op == FILTER_NOT ? err : check_filter_names(s, q, f->b, e);
    }
    if (lq_str_is(f->field, "stream") || any_stream(s, f->field, 0)) {
        return LQ_OK;
    }
    if (any_stream(s, f->field, 2)) {
        query_error_at(q, e, f->at, f->field.n, "identities are counted, not stored: no filter on one");
        lq_error_hint(e, "distinct(%.*s) counts them; lq why names the heaviest", (int)f->field.n, f->field.p);
        return LQ_EINVAL;
    }
    return unknown_field(s, q, f->field, f->at, 0, e);
}

enum lq_err exec__explain(struct snapshot *s, const struct query *q, struct lq_error *e)
{
    enum lq_err err = check_filter_names(s, q, q->filter, e);
    for (uint32_t i = 0; i < q->n_aggs && err == LQ_OK; i++) {
        int kind = q->aggs[i].func == AGG_DISTINCT ? 2 : 1;
        if (q->aggs[i].field.n > 0 && !any_stream(s, q->aggs[i].field, kind)) {
            err = unknown_field(s, q, q->aggs[i].field, q->aggs[i].at, kind, e);
        }
    }
    for (uint32_t i = 0; i < q->n_by && err == LQ_OK; i++) {
        if (!any_stream(s, q->by[i], 0) && !lq_str_is(q->by[i], "stream")) {
            err = unknown_field(s, q, q->by[i], q->by_at[i], 0, e);
        }
    }
    if (err == LQ_OK) {
        err = lq_error_set(e, LQ_EINVAL, "no stream has all the fields of this query");
        lq_error_hint(e, "lq fields shows which stream has which field");
    }
    return err;
}
