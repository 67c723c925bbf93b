/*
 * exec_lines.c - the stage `lines`: stored example lines that match the filter
 *
 * The store keeps, for each dimension value, the first line seen with it, and each day's first error line. A line is filed under one value at a
 * time; what else it says is known from its other filings, and from parsing it again with its format. A line of which a field of the filter stays
 * unknown is not shown, but counted.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "query/exec_int.h"
#include "schema/format.h"

enum { LINES_READ_MAX = 200000 };

struct known_line {
    int64_t time_us;
    lq_str text;
    lq_str *values; /* by dimension of the stream; p = NULL: unknown */
};

struct collect {
    struct snapshot *s;
    const struct stream_info *info;
    struct lq_arena mem;
    struct lq_map ids;
    struct known_line *lines;
    size_t n, cap;
    struct lq_buf key;
};

static bool collect_line(void *ctx, const struct example *x)
{
    struct collect *c = ctx;
    uint32_t dims = c->info->schema->n_dims;
    c->key.n = 0;
    lq_buf_add(&c->key, &x->time_us, sizeof x->time_us);
    lq_buf_add(&c->key, x->text.p, x->text.n);
    uint32_t i = lq_map_get(&c->ids, (lq_str){c->key.p, c->key.n});
    if (i == LQ_MAP_NONE) {
        i = (uint32_t)c->n++;
        lq_map_set(&c->ids, (lq_str){c->key.p, c->key.n}, i);
        lq_grow(&c->lines, &c->cap, c->n, sizeof *c->lines);
        c->lines[i] = (struct known_line){x->time_us, lq_arena_str(&c->mem, x->text), lq_arena_alloc(&c->mem, dims * sizeof(lq_str))};
    }
    if (x->dim < dims) {
        c->lines[i].values[x->dim] = lq_arena_str(&c->mem, snapshot_value(c->s, c->info->id, x->dim, x->value)->text);
    }
    if (x->error) {
        c->lines[i].values[DIM_ERROR] = LQ_STR("true");
    }
    return c->n < LINES_READ_MAX;
}

/* Parse the kept text again: fields that it was not filed under. Labels from the path stay as they are. */
static void parse_again(struct collect *c, const struct exec_options *o)
{
    const struct format *f;
    struct parser *p = NULL;
    struct record rec;
    struct parser_config config = {.tz = o->tz};
    if (o->formats == NULL || format_set_find(o->formats, c->info->schema->name, &f, NULL) != LQ_OK) {
        return;
    }
    config.format = f;
    if (parser_new(&config, &p, NULL) != LQ_OK) {
        return;
    }
    const struct stream_schema *schema = parser_schema(p);
    for (size_t i = 0; i < c->n; i++) {
        config.reference_us = c->lines[i].time_us;
        if (parser_parse(p, c->lines[i].text, &rec) != PARSE_OK || rec.inner) {
            continue;
        }
        for (uint32_t d = 0; d < schema->n_dims; d++) {
            uint32_t to = exec__dim(c->info->schema, lq_str_of(schema->dims[d]));
            bool own = d >= DIM_BUILTIN || d == DIM_ERROR; /* an absent own field is known to be absent; an absent host may be a label */
            if (to != NO_DIM && c->lines[i].values[to].p == NULL && (rec.dims[d].n > 0 || own)) {
                c->lines[i].values[to] = lq_arena_str(&c->mem, rec.dims[d]);
            }
        }
    }
    parser_free(&p);
}

struct line_fields {
    const struct collect *c;
    const struct known_line *line;
};

static bool leaf_value(void *ctx, const struct filter *f, lq_str *v)
{
    const struct line_fields *x = ctx;
    const struct stream_schema *s = x->c->info->schema;
    if (lq_str_is(f->field, "line")) {
        *v = x->line->text;
        return true;
    }
    if (lq_str_is(f->field, "stream")) {
        *v = lq_str_of(s->name);
        return true;
    }
    uint32_t d = exec__dim(s, f->field);
    *v = d == NO_DIM ? (lq_str){"", 0} : x->line->values[d];
    return v->p != NULL;
}

static void keep_line(struct result *r, const struct collect *c, const struct known_line *l)
{
    const struct stream_schema *s = c->info->schema;
    struct result_line out = {.time_us = l->time_us, .stream = lq_arena_strdup(&r->mem, lq_str_of(s->name)), .text = lq_arena_str(&r->mem, l->text)};
    out.names = lq_arena_alloc(&r->mem, s->n_dims * sizeof *out.names);
    out.values = lq_arena_alloc(&r->mem, s->n_dims * sizeof *out.values);
    for (uint32_t d = 0; d < s->n_dims; d++) {
        if (l->values[d].n > 0) {
            out.names[out.n_labels] = lq_arena_str(&r->mem, lq_str_of(s->dims[d]));
            out.values[out.n_labels++] = lq_arena_str(&r->mem, l->values[d]);
        }
    }
    lq_grow(&r->lines, &r->cap_lines, r->n_lines + 1, sizeof *r->lines);
    r->lines[r->n_lines++] = out;
}

static int by_time(const void *a, const void *b)
{
    const struct result_line *x = a, *y = b;
    int c = x->time_us < y->time_us ? -1 : x->time_us > y->time_us;
    c = c != 0 ? c : strcmp(x->stream, y->stream);
    return c != 0 ? c : lq_str_cmp(x->text, y->text);
}

/* Every field of the filter is one of the stream, or `line`. */
static bool filter_fits(const struct filter *f, const struct stream_schema *s)
{
    if (f == NULL) {
        return true;
    }
    if (f->op == FILTER_OR) {
        return filter_fits(f->a, s) || filter_fits(f->b, s);
    }
    if (f->op <= FILTER_NOT) {
        return filter_fits(f->a, s) && (f->op == FILTER_NOT || filter_fits(f->b, s));
    }
    return lq_str_is(f->field, "stream") || lq_str_is(f->field, "line") || exec__dim(s, f->field) != NO_DIM;
}

static enum lq_err stream_lines(struct snapshot *s, const struct query *q, const struct exec_options *o, const struct stream_info *info,
                                const struct leaf_set *leaves, struct result *r, uint64_t *unknown, struct lq_error *e)
{
    struct collect c = {.s = s, .info = info};
    int64_t from = r->from_us / US, to = (r->to_us + US - 1) / US;
    enum lq_err err = snapshot_examples(s, info->id, UINT32_MAX, UINT32_MAX, from, to, collect_line, &c, e);
    if (err == LQ_OK && q->filter != NULL) {
        parse_again(&c, o);
    }
    for (size_t i = 0; i < c.n && err == LQ_OK; i++) {
        struct line_fields x = {&c, &c.lines[i]};
        int pass = exec__evaluate(q->filter, leaves, leaf_value, &x);
        *unknown += pass < 0;
        if (pass == 1) {
            keep_line(r, &c, &c.lines[i]);
        }
    }
    lq_buf_printf(&r->plan, "stream %s: %zu example lines of the range\n", info->schema->name, c.n);
    lq_map_fini(&c.ids);
    lq_arena_fini(&c.mem);
    lq_buf_fini(&c.key);
    free(c.lines);
    return err;
}

enum lq_err exec__lines(struct snapshot *s, const struct query *q, const struct exec_options *o, const bool use[STREAM_MAX], struct result *r, struct lq_error *e)
{
    struct leaf_set leaves = {0};
    bool fits[STREAM_MAX] = {false}, any = false;
    uint64_t unknown = 0;
    (void)use;
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        fits[i] = snapshot_stream(s, i)->lines > 0 && filter_fits(q->filter, snapshot_stream(s, i)->schema);
        any = any || fits[i];
    }
    if (!any) {
        return exec__explain(s, q, e);
    }
    exec__range(s, o, fits, r);
    enum lq_err err = exec__leaves(q, q->filter, &leaves, e);
    for (uint32_t i = 0; i < snapshot_streams(s) && err == LQ_OK; i++) {
        if (fits[i]) {
            err = stream_lines(s, q, o, snapshot_stream(s, i), &leaves, r, &unknown, e);
        }
    }
    exec__leaves_fini(&leaves);
    if (r->n_lines > 1) {
        qsort(r->lines, r->n_lines, sizeof *r->lines, by_time);
    }
    if (r->n_lines > q->lines) { /* the latest */
        lq_buf_printf(&r->notices, "the latest %u of %zu lines (| lines %zu shows all)\n", q->lines, r->n_lines, r->n_lines);
        memmove(r->lines, r->lines + (r->n_lines - q->lines), q->lines * sizeof *r->lines);
        r->n_lines = q->lines;
    }
    if (unknown > 0) {
        lq_buf_printf(&r->notices, "%llu stored lines are not shown: whether they match is not known of them\n", (unsigned long long)unknown);
    }
    if (err == LQ_OK && r->n_lines == 0) {
        lq_buf_printf(&r->notices, "no stored example line matches: kept are the first line with each value, and failures of each day\n");
    }
    return err;
}
