/*
 * prom_match.c - matchers bound to a stream: one verdict per dimension value (prom.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "query/http/prom.h"
#include "schema/format.h"

struct prom_bound {
    bool stream, nothing; /* the stream is selected; a matcher that no series can pass */
    uint32_t n;
    struct {
        uint32_t dim;
        uint8_t *passes; /* by value id */
    } m[PROM_MATCHERS_MAX];
};

static void unit_suffix(const struct measure_schema *m, char out[32])
{
    bool bytes = strcmp(m->unit, "bytes") == 0, has = strlen(m->name) >= 5 && strcmp(m->name + strlen(m->name) - 5, "bytes") == 0;
    snprintf(out, 32, "%s", strcmp(m->unit, "s") == 0 ? "_seconds" : bytes && !has ? "_bytes" : "");
}

void prom_measure_name(const struct stream_schema *s, uint32_t m, char out[160])
{
    char suffix[32];
    unit_suffix(&s->measures[m], suffix);
    snprintf(out, 160, "lq_%s%s", s->measures[m].name, suffix);
    for (char *p = out; *p != '\0'; p++) { /* dotted paths of JSON */
        bool ok = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '_';
        *p = ok ? *p : '_';
    }
}

bool prom_metric_of(const struct stream_schema *s, lq_str name, struct prom_metric *out)
{
    static const struct {
        const char *text;
        enum prom_measure_part part;
    } parts[] = {{"_sum", PROM_PART_SUM}, {"_count", PROM_PART_COUNT}, {"_bucket", PROM_PART_BUCKET}};
    *out = (struct prom_metric){0};
    if (lq_str_is(name, "lq_records_total") || lq_str_is(name, "lq_errors_total")) {
        out->errors = name.p[3] == 'e';
        return true;
    }
    for (uint32_t m = 0; m < s->n_measures; m++) {
        char base[160];
        prom_measure_name(s, m, base);
        size_t n = strlen(base);
        for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
            if (name.n == n + strlen(parts[k].text) && memcmp(name.p, base, n) == 0 && memcmp(name.p + n, parts[k].text, name.n - n) == 0) {
                *out = (struct prom_metric){.measure = m, .part = parts[k].part};
                return true;
            }
        }
    }
    return false;
}

struct test { /* a matcher ready to run */
    const struct prom_matcher *m;
    struct lq_regex *re;
};

static enum lq_err test_new(const struct prom_matcher *m, struct test *t, struct lq_error *e)
{
    struct lq_buf b = {0};
    *t = (struct test){.m = m};
    if (m->op != PROM_RE && m->op != PROM_NRE) {
        return LQ_OK;
    }
    lq_buf_printf(&b, "\\A(?:%.*s)\\z", (int)m->value.n, m->value.p); /* PromQL's expressions match the whole value */
    enum lq_err err = lq_regex_new((lq_str){b.p, b.n}, &t->re, e);
    lq_buf_fini(&b);
    return err;
}

static bool test_passes(const struct test *t, lq_str value)
{
    switch (t->m->op) {
    case PROM_EQ: return lq_str_eq(value, t->m->value);
    case PROM_NE: return !lq_str_eq(value, t->m->value);
    case PROM_RE: return lq_regex_match(t->re, value);
    default: return !lq_regex_match(t->re, value);
    }
}

static uint32_t dim_of(const struct stream_schema *s, lq_str name)
{
    for (uint32_t d = 0; d < s->n_dims; d++) {
        if (lq_str_is(name, s->dims[d])) {
            return d;
        }
    }
    return UINT32_MAX;
}

static void bind_one(struct prom_bound *b, struct snapshot *s, const struct stream_info *info, const struct test *t)
{
    uint32_t d = dim_of(info->schema, t->m->name);
    if (lq_str_is(t->m->name, "stream")) {
        b->stream = b->stream && test_passes(t, lq_str_of(info->schema->name));
    } else if (d == UINT32_MAX) {
        b->nothing = b->nothing || !test_passes(t, (lq_str){"", 0}); /* an absent label is an empty one */
    } else {
        uint32_t n = snapshot_values(s, info->id, d);
        uint8_t *passes = lq_alloc(n + 1);
        for (uint32_t v = 0; v < n; v++) {
            passes[v] = test_passes(t, v == VALUE_ABSENT ? (lq_str){"", 0} : snapshot_value(s, info->id, d, v)->text);
        }
        b->m[b->n].dim = d;
        b->m[b->n++].passes = passes;
    }
}

enum lq_err prom_bind(struct snapshot *s, const struct stream_info *info, const struct prom_expr *selector, struct prom_bound **out, struct lq_error *e)
{
    struct prom_bound *b = lq_alloc(sizeof *b);
    enum lq_err err = LQ_OK;
    b->stream = true;
    for (uint32_t i = 0; i < selector->n_matchers && err == LQ_OK; i++) {
        struct test t;
        err = test_new(&selector->matchers[i], &t, e);
        if (err == LQ_OK) {
            bind_one(b, s, info, &t);
        }
        lq_regex_free(&t.re);
    }
    if (err != LQ_OK) {
        prom_unbind(&b);
        return err;
    }
    *out = b;
    return LQ_OK;
}

bool prom_bound_stream(const struct prom_bound *b)
{
    return b->stream && !b->nothing;
}

bool prom_bound_total(const struct prom_bound *b)
{
    return b->n == 0;
}

bool prom_passes(const struct prom_bound *b, const uint32_t *ids)
{
    for (uint32_t i = 0; i < b->n; i++) {
        if (b->m[i].passes[ids[b->m[i].dim]] == 0) {
            return false;
        }
    }
    return true;
}

void prom_unbind(struct prom_bound **pb)
{
    struct prom_bound *b = *pb;
    for (uint32_t i = 0; b != NULL && i < b->n; i++) {
        free(b->m[i].passes);
    }
    free(b);
    *pb = NULL;
}
