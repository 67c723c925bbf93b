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

uint32_t exec__identity(const struct stream_schema *s, lq_str name)
{
    for (uint32_t i = 0; i < s->n_identities; i++) {
        if (lq_str_is(name, s->identities[i])) {
            return i;
        }
    }
    return NO_DIM;
}

uint32_t exec__agg_field(const struct stream_schema *s, const struct agg *a)
{
    return a->field.n == 0 ? 0 : a->func == AGG_DISTINCT ? exec__identity(s, a->field) : measure_named(s, a->field);
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
    return exec__filter_stream(q->filter, s) > 0;
}

static bool any_stream(struct snapshot *s, lq_str name, int kind)
{
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_schema *x = snapshot_stream(s, i)->schema;
        if ((kind == 0 ? exec__dim(x, name) : kind == 1 ? measure_named(x, name) : exec__identity(x, name)) != NO_DIM) {
            return true;
        }
    }
    return false;
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
    if (kind > 0 && any_stream(s, name, 0)) {
        lq_error_hint(e, "it is a dimension: count by %.*s, or lq values %.*s", (int)(name.n < 64 ? name.n : 64), name.p, (int)(name.n < 64 ? name.n : 64), name.p);
    } else if (near != NULL) {
        lq_error_hint(e, "did you mean %s?", near);
    } else if (snapshot_streams(s) == 0) {
        lq_error_hint(e, "the store is empty: lq load FILE… first");
    } else {
        char list[200] = "";
        for (size_t i = 0; i < n && strlen(list) < 150; i++) {
            snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i > 0 ? ", " : "", names[i]);
        }
        lq_error_hint(e, "%s%s: %s", kinds[kind], kind == 2 ? " fields" : "s", n > 0 ? list : "none here");
    }
    return LQ_EINVAL;
}

static enum lq_err unknown_stream(struct snapshot *s, const struct query *q, const struct filter *f, lq_str name, struct lq_error *e)
{
    const char *names[STREAM_MAX];
    char msg[160], list[200] = "";
    uint32_t n = snapshot_streams(s);
    for (uint32_t i = 0; i < n; i++) {
        names[i] = snapshot_stream(s, i)->schema->name;
        if (lq_str_is(name, names[i])) {
            return LQ_OK;
        }
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i > 0 ? ", " : "", names[i]);
    }
    snprintf(msg, sizeof msg, "there is no stream %.*s", (int)(name.n < 80 ? name.n : 80), name.p);
    query_error_at(q, e, f->value_at, name.n, msg);
    const char *near = lq_nearest(name.p, name.n, names, n);
    lq_error_hint(e, near != NULL ? "did you mean %s?" : "streams: %s", near != NULL ? near : list);
    return LQ_EINVAL;
}

/* A name that is a field, but not one that can stand in a filter or behind by. */
static enum lq_err no_dimension(struct snapshot *s, const struct query *q, lq_str name, uint32_t at, bool by, struct lq_error *e)
{
    int n = (int)(name.n < 64 ? name.n : 64);
    if (any_stream(s, name, 1)) {
        query_error_at(q, e, at, name.n, by ? "by takes dimensions; this is a measure" : "measures are summed up, not stored record by record: no filter on one");
        lq_error_hint(e, by ? "avg(%.*s), p99(%.*s) … by route" : "over(%.*s, 0.5) counts the records above a bound; p99(%.*s) is a quantile", n, name.p, n, name.p);
        return LQ_EINVAL;
    }
    if (any_stream(s, name, 2)) {
        query_error_at(q, e, at, name.n, "identities are counted, not stored record by record");
        lq_error_hint(e, "distinct(%.*s) counts them; count by %.*s names the heaviest", n, name.p, n, name.p);
        return LQ_EINVAL;
    }
    if (!by && (lq_str_is(name, "line") || lq_str_is(name, "message") || lq_str_is(name, "msg") || lq_str_is(name, "text"))) {
        query_error_at(q, e, at, name.n, "the text of lines is not stored, but for examples");
        lq_error_hint(e, "template ~ \"…\" finds kinds of messages; line ~ \"…\" | lines searches the stored examples");
        return LQ_EINVAL;
    }
    return unknown_field(s, q, name, at, 0, e);
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
    if (lq_str_is(f->field, "stream")) {
        return f->op == FILTER_EQ || f->op == FILTER_IN ? unknown_stream(s, q, f, f->values[0], e) : LQ_OK;
    }
    if (any_stream(s, f->field, 0) || (q->lines > 0 && lq_str_is(f->field, "line"))) {
        return LQ_OK;
    }
    return no_dimension(s, q, f->field, f->at, false, e);
}

/* "status, route of nginx; level of app": who has which of the names. */
static void say_who_has_what(struct snapshot *s, const struct query *q, struct lq_error *e)
{
    char list[220] = "";
    for (uint32_t i = 0; i < snapshot_streams(s) && strlen(list) < 140; i++) {
        const struct stream_schema *x = snapshot_stream(s, i)->schema;
        char has[120] = "";
        for (uint32_t k = 0; k < q->n_by; k++) {
            if (exec__dim(x, q->by[k]) != NO_DIM) {
                snprintf(has + strlen(has), sizeof has - strlen(has), "%s%.*s", has[0] != '\0' ? ", " : "", (int)(q->by[k].n < 30 ? q->by[k].n : 30), q->by[k].p);
            }
        }
        for (uint32_t k = 0; k < q->n_aggs; k++) {
            lq_str f = q->aggs[k].field;
            if (f.n > 0 && exec__agg_field(x, &q->aggs[k]) != NO_DIM) {
                snprintf(has + strlen(has), sizeof has - strlen(has), "%s%.*s", has[0] != '\0' ? ", " : "", (int)(f.n < 30 ? f.n : 30), f.p);
            }
        }
        if (has[0] != '\0') {
            snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s has %s", list[0] != '\0' ? "; " : "", x->name, has);
        }
    }
    lq_error_hint(e, "%s%slq fields lists the fields of each stream", list, list[0] != '\0' ? "; " : "");
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
            err = no_dimension(s, q, q->by[i], q->by_at[i], true, e);
        }
    }
    if (err != LQ_OK) {
        return err;
    }
    uint64_t lines = 0;
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        lines += snapshot_stream(s, i)->lines;
    }
    if (lines == 0) {
        err = lq_error_set(e, LQ_ENODATA, "the store is empty");
        lq_error_hint(e, "lq load FILE… fills it");
    } else {
        err = lq_error_set(e, LQ_EINVAL, "no stream has all the fields of this query");
        say_who_has_what(s, q, e);
    }
    return err;
}
