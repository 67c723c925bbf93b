/*
 * cmd_explore.c - lq streams, lq fields, lq values, lq templates: what is there
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "query/cli/cli.h"
#include "query/compared.h"
#include "query/out/out.h"
#include "schema/derive.h"

static int with_snapshot(struct cli *c, enum lq_err (*fn)(struct cli *, struct snapshot *, struct lq_error *))
{
    struct lq_error e = {0};
    struct store *store = NULL;
    struct snapshot *snap = NULL;
    enum lq_err err = cli_open(c, false, &store, &e);
    if (err == LQ_OK) {
        err = snapshot_open(store, &snap, &e);
    }
    if (err == LQ_OK) {
        err = fn(c, snap, &e);
    }
    if (err == LQ_OK) {
        err = snapshot_check(snap, &e); /* what was printed may be a part: the status says so */
    }
    snapshot_close(&snap);
    store_close(&store);
    return err == LQ_OK ? EXIT_DONE : cli_fail(&e);
}

static enum lq_err print_streams(struct cli *c, struct snapshot *s, struct lq_error *e)
{
    (void)e;
    printf("%-20s %-9s %12s %10s  %-19s  %-19s\n", "stream", "records", "lines", "errors", "first", "last");
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_info *x = snapshot_stream(s, i);
        char first[32] = "-", last[32] = "-";
        if (x->lines > 0) {
            time_print_local(x->first_us, c->tz, first);
            time_print_local(x->last_us, c->tz, last);
        }
        printf("%-20s %-9s %12llu %10llu  %-19s  %-19s\n", x->schema->name, x->schema->kind == STREAM_REQUESTS ? "requests" : "events",
               (unsigned long long)x->lines, (unsigned long long)x->errors, first, last);
    }
    return LQ_OK;
}

static enum lq_err print_fields(struct cli *c, struct snapshot *s, struct lq_error *e)
{
    (void)c;
    (void)e;
    printf("%-20s %-14s %-10s %s\n", "stream", "field", "role", "values");
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_schema *x = snapshot_stream(s, i)->schema;
        for (uint32_t d = 0; d < x->n_dims; d++) {
            uint32_t n = snapshot_values(s, i, d);
            if (n > 2) {
                printf("%-20s %-14s %-10s %u\n", x->name, x->dims[d], (x->sketch_by >> d & 1) != 0 ? "dimension*" : "dimension", n - 2);
            }
        }
        for (uint32_t m = 0; m < x->n_measures; m++) {
            printf("%-20s %-14s %-10s %s\n", x->name, x->measures[m].name, "measure", x->measures[m].unit);
        }
        for (uint32_t k = 0; k < x->n_identities; k++) {
            printf("%-20s %-14s %-10s\n", x->name, x->identities[k], "identity");
        }
    }
    return LQ_OK;
}

struct ranked {
    uint32_t id;
    uint64_t count;
};

static int by_count(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->count != y->count ? (x->count > y->count ? -1 : 1) : x->id < y->id ? -1 : x->id > y->id;
}

static void put_value(struct cli *c, const struct value_info *info, const char *stream)
{
    char first[32], last[32];
    time_print_local(info->first_us, c->tz, first);
    time_print_local(info->last_us, c->tz, last);
    printf("%12llu  %-19s  %-19s  ", (unsigned long long)info->count, first, last);
    if (stream != NULL) {
        printf("%-16s  ", stream);
    }
    char scratch[1200];
    lq_str text = derive_clean(info->text, scratch, sizeof scratch - 8);
    printf("%.*s\n", (int)text.n, text.p);
}

/* The values of one dimension of one stream that match, by count. */
static void stream_values(struct cli *c, struct snapshot *s, uint32_t stream, uint32_t dim, const struct lq_regex *re, bool name_stream, bool *any)
{
    uint32_t n = snapshot_values(s, stream, dim), k = 0;
    struct ranked *r = lq_alloc((n + 1) * sizeof *r);
    for (uint32_t v = 1; v < n; v++) {
        const struct value_info *info = snapshot_value(s, stream, dim, v);
        if (info->count > 0 && (re == NULL || lq_regex_match(re, info->text))) {
            r[k++] = (struct ranked){v, info->count};
        }
    }
    qsort(r, k, sizeof *r, by_count);
    for (uint32_t v = 0; v < k; v++) {
        if (!*any) {
            printf("%12s  %-19s  %-19s  %s%s\n", "count", "first seen", "last seen", name_stream ? "stream            " : "", c->args[0]);
        }
        *any = true;
        put_value(c, snapshot_value(s, stream, dim, r[v].id), name_stream ? snapshot_stream(s, stream)->schema->name : NULL);
    }
    free(r);
}

static enum lq_err no_values(struct snapshot *s, const char *field, bool exists, struct lq_error *e)
{
    const char *names[256];
    size_t n = 0;
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_schema *x = snapshot_stream(s, i)->schema;
        for (uint32_t d = 0; d < x->n_dims && n < 256; d++) {
            names[n++] = x->dims[d];
        }
        for (uint32_t k = 0; k < x->n_identities; k++) {
            if (strcmp(x->identities[k], field) == 0) {
                lq_error_set(e, LQ_EINVAL, "%s is an identity: its values are counted, not stored", field);
                lq_error_hint(e, "lq 'count by %s' names the heaviest", field);
                return LQ_EINVAL;
            }
        }
        for (uint32_t k = 0; k < x->n_measures; k++) {
            if (strcmp(x->measures[k].name, field) == 0) {
                lq_error_set(e, LQ_EINVAL, "%s is a measure: it has no list of values", field);
                lq_error_hint(e, "lq 'dist(%s)' shows how they are spread", field);
                return LQ_EINVAL;
            }
        }
    }
    const char *near = exists ? NULL : lq_nearest(field, strlen(field), names, n);
    lq_error_set(e, LQ_EINVAL, exists ? "the dimension %s has no such values" : "no dimension %s", field);
    lq_error_hint(e, near != NULL ? "did you mean %s?" : "lq fields lists the fields%s", near != NULL ? near : "");
    return LQ_EINVAL;
}

/* lq values FIELD [REGEX] */
static enum lq_err print_values(struct cli *c, struct snapshot *s, struct lq_error *e)
{
    bool any = false, exists = false;
    struct lq_regex *re = NULL;
    uint32_t streams = 0;
    if (c->n_args > 1 && lq_regex_new(lq_str_of(c->args[1]), &re, e) != LQ_OK) {
        return LQ_EINVAL;
    }
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < snapshot_streams(s); i++) {
            const struct stream_schema *x = snapshot_stream(s, i)->schema;
            for (uint32_t d = 0; d < x->n_dims; d++) {
                if (strcmp(x->dims[d], c->args[0]) != 0) {
                    continue;
                }
                exists = true;
                if (pass == 0) {
                    streams += snapshot_values(s, i, d) > 2;
                } else {
                    stream_values(c, s, i, d, re, streams > 1, &any);
                }
            }
        }
    }
    lq_regex_free(&re);
    return any ? LQ_OK : no_values(s, c->args[0], exists, e);
}

/* ---- templates ---- */

static void print_compared(const struct result *r, const struct lq_regex *re)
{
    printf("%-6s %10s %10s  %s\n", "state", "now", "before", "template");
    for (unsigned k = 0; k < COMPARED_STATES; k++) {
        for (uint32_t i = 0; i < r->n_series; i++) {
            const double *v = result_row(r, &r->series[i], 0);
            lq_str t = r->series[i].labels[0];
            if (compared_state(v[0], v[1]) == k && (re == NULL || lq_regex_match(re, t))) {
                char before[32];
                number_print(v[1], before);
                printf("%-6s %10.0f %10s  %.*s\n", compared_states[k], v[0], before[0] != '\0' ? before : "-", (int)t.n, t.p);
            }
        }
    }
}

static enum lq_err compare_templates(struct cli *c, struct snapshot *s, struct lq_error *e)
{
    char text[128];
    int64_t d = 0;
    struct query *q = NULL;
    struct result r;
    struct lq_regex *re = NULL;
    struct exec_options o = {.tz = c->tz, .to_us = INT64_MAX};
    enum lq_err err = duration_parse(lq_str_of(c->compare), &d, e);
    if (err == LQ_OK && c->n_args > 0) {
        err = lq_regex_new(lq_str_of(c->args[0]), &re, e);
    }
    if (err == LQ_OK) {
        snprintf(text, sizeof text, "count by template | compare %.40s", c->compare);
        err = query_parse(lq_str_of(text), &q, e);
    }
    if (err == LQ_OK) {
        o.from_us = cli_now(c, s, false) - d;
        err = exec_query(s, q, &o, &r, e);
    }
    if (err == LQ_OK) {
        fprintf(stderr, "%.*s", (int)r.notices.n, r.notices.n > 0 ? r.notices.p : "");
        print_compared(&r, re);
        result_fini(&r);
    }
    query_free(&q);
    lq_regex_free(&re);
    return err;
}

static enum lq_err print_templates(struct cli *c, struct snapshot *s, struct lq_error *e)
{
    if (c->compare != NULL) {
        return compare_templates(c, s, e);
    }
    c->args[1] = c->args[0]; /* lq values template [REGEX] */
    c->args[0] = "template";
    c->n_args++;
    return print_values(c, s, e);
}

static int too_many(struct cli *c, const char *hint)
{
    struct lq_error e;
    lq_error_set(&e, LQ_EINVAL, "\"%s\" is one word too many", c->args[0]);
    lq_error_hint(&e, "%s", hint);
    return cli_fail(&e);
}

int cmd_streams(struct cli *c)
{
    return c->n_args > 0 ? too_many(c, "lq streams lists all of them") : with_snapshot(c, print_streams);
}

int cmd_fields(struct cli *c)
{
    return c->n_args > 0 ? too_many(c, "lq fields lists all of them; lq values FIELD the values of one") : with_snapshot(c, print_fields);
}

int cmd_values(struct cli *c)
{
    if (c->n_args < 1 || c->n_args > 2) {
        struct lq_error e;
        lq_error_set(&e, LQ_EINVAL, "a field is missing: lq values FIELD [REGEX]");
        lq_error_hint(&e, "lq fields lists them");
        return cli_fail(&e);
    }
    return with_snapshot(c, print_values);
}

int cmd_templates(struct cli *c)
{
    return with_snapshot(c, print_templates);
}
