/*
 * format_load.c - a format file: strict YAML to a format (format.h lists the keys)
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/format_yaml.h"

enum { MATCH_LIMIT = 200000, DEPTH_LIMIT = 2000 };

static enum lq_err time_key(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    static const char *const keys[] = {"field", "layout"};
    const char **out = ctx;
    int i = yaml_index(name, keys, COUNT(keys));
    return i < 0 ? yaml_unknown(l, k, "key of time:", keys, COUNT(keys)) : yaml_text(l, v, name, &out[i]);
}

static enum lq_err limit_key(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    static const char *const keys[] = {"match", "depth"};
    int i = yaml_index(name, keys, COUNT(keys));
    (void)ctx;
    return i < 0 ? yaml_unknown(l, k, "limit", keys, COUNT(keys)) : yaml_number(l, v, name, 10000000, i == 0 ? &l->f->match_limit : &l->f->depth_limit);
}

static enum lq_err expect_pair(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    struct sample *s = ctx;
    if (s->n == COUNT(s->key)) {
        return yaml_fail(l, k->start_mark, 1, "too many expectations:", name);
    }
    s->key[s->n] = name;
    return yaml_text(l, v, name, &s->want[s->n++]);
}

static enum lq_err sample_key(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    static const char *const keys[] = {"line", "expect"};
    struct sample *s = ctx;
    const char *text;
    int i = yaml_index(name, keys, COUNT(keys));
    if (i < 0) {
        return yaml_unknown(l, k, "key of a sample:", keys, COUNT(keys));
    }
    if (i == 1) {
        return yaml_each_pair(l, v, name, expect_pair, s);
    }
    enum lq_err err = yaml_text(l, v, name, &text);
    if (err == LQ_OK) {
        s->line = lq_str_of(text);
    }
    return err;
}

static enum lq_err add_sample(struct loader *l, yaml_node_t *n, void *ctx)
{
    struct format *f = l->f;
    (void)ctx;
    if (f->n_samples == SAMPLE_MAX) {
        return yaml_fail(l, n->start_mark, 1, "too many samples", NULL);
    }
    return yaml_each_pair(l, n, "a sample", sample_key, &f->samples[f->n_samples++]);
}

struct top {
    const char *records, *parser, *time[2];
    yaml_node_t *time_node, *pattern_node, *fields, *derive, *error, *sketch_by, *samples, *limits, *inner_node;
    const char *inner;
    uint32_t priority;
};

static enum lq_err top_key(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    static const char *const keys[] = {"name", "description", "records", "priority", "pattern", "parser", "time", "fields", "derive", "error",
                                       "sketch_by", "samples", "limits", "inner"};
    struct top *t = ctx;
    struct format *f = l->f;
    switch (yaml_index(name, keys, COUNT(keys))) {
    case 0: return yaml_text(l, v, name, &f->name);
    case 1: return yaml_text(l, v, name, &f->description);
    case 2: return yaml_text(l, v, name, &t->records);
    case 3: return yaml_number(l, v, name, 1000, &t->priority);
    case 4: t->pattern_node = v; return yaml_text(l, v, name, &f->pattern);
    case 5: return yaml_text(l, v, name, &t->parser);
    case 6: t->time_node = v; return yaml_each_pair(l, v, name, time_key, t->time);
    case 7: t->fields = v; return LQ_OK;
    case 8: t->derive = v; return LQ_OK;
    case 9: t->error = v; return yaml_text(l, v, name, &f->error_text);
    case 10: t->sketch_by = v; return LQ_OK;
    case 11: t->samples = v; return LQ_OK;
    case 12: t->limits = v; return LQ_OK;
    case 13: t->inner_node = v; return yaml_text(l, v, name, &t->inner);
    default: return yaml_unknown(l, k, "key", keys, COUNT(keys));
    }
}

static enum lq_err add_sketch_by(struct loader *l, yaml_node_t *n, void *ctx)
{
    struct stream_schema *s = &l->f->schema;
    const char *name;
    enum lq_err err = yaml_text(l, n, "sketch_by", &name);
    (void)ctx;
    if (err != LQ_OK) {
        return err;
    }
    int i = yaml_index(name, s->dims, s->n_dims);
    if (i < 0) {
        return yaml_unknown(l, n, "dimension", s->dims, s->n_dims);
    }
    s->sketch_by |= 1U << i;
    return LQ_OK;
}

static enum lq_err compile_pattern(struct loader *l, const struct top *t)
{
    struct format *f = l->f;
    struct lq_error inner = {0};
    size_t at;
    if (t->parser != NULL && strcmp(t->parser, "json") == 0) {
        const char *paths[FIELD_MAX];
        for (uint32_t i = 0; i < f->n_fields; i++) {
            paths[i] = f->fields[i].name;
            f->fields[i].group = i;
        }
        f->is_json = true;
        f->paths = json_paths_new(paths, f->n_fields);
        return LQ_OK;
    }
    if (matcher_new(f->pattern, f->match_limit, f->depth_limit, &f->matcher, &at, &inner) != LQ_OK) {
        yaml_mark_t m = t->pattern_node->start_mark;
        if (t->pattern_node->data.scalar.style != YAML_LITERAL_SCALAR_STYLE) {
            m.column += at + (t->pattern_node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? 0 : 1);
        }
        return yaml_fail(l, m, 1, inner.msg, NULL);
    }
    for (uint32_t i = 0; i < f->n_fields; i++) {
        f->fields[i].group = matcher_group(f->matcher, f->fields[i].name);
        if (f->fields[i].group == 0) {
            return yaml_fail(l, t->fields->start_mark, 1, "the pattern has no group named", f->fields[i].name);
        }
    }
    return LQ_OK;
}

static enum lq_err build(struct loader *l, yaml_node_t *root)
{
    struct format *f = l->f;
    struct top t = {.priority = 50};
    enum lq_err err = yaml_each_pair(l, root, "a format", top_key, &t);
    if (err != LQ_OK) {
        return err;
    }
    if (f->name == NULL || f->name[0] == '\0' || strlen(f->name) >= NAME_BYTES_MAX) {
        return yaml_fail(l, root->start_mark, 1, "name is missing or too long", NULL);
    }
    if (t.fields == NULL || t.time_node == NULL || t.time[0] == NULL || t.time[1] == NULL) {
        return yaml_fail(l, root->start_mark, 1, "missing: time: {field: …, layout: …} and fields: in", f->name);
    }
    if ((f->pattern == NULL) == (t.parser == NULL) || (t.parser != NULL && strcmp(t.parser, "json") != 0)) {
        return yaml_fail(l, root->start_mark, 1, "either pattern: or parser: json is needed in", f->name);
    }
    if (t.records != NULL && strcmp(t.records, "requests") != 0 && strcmp(t.records, "events") != 0) {
        return yaml_fail(l, root->start_mark, 1, "records is requests or events, not", t.records);
    }
    f->schema.kind = t.records != NULL && strcmp(t.records, "requests") == 0 ? STREAM_REQUESTS : STREAM_EVENTS;
    f->priority = (int)t.priority;
    err = yaml_each_pair(l, t.fields, "fields", load_field, NULL);
    if (err == LQ_OK && t.limits != NULL) {
        err = yaml_each_pair(l, t.limits, "limits", limit_key, NULL);
    }
    if (err == LQ_OK) {
        err = compile_pattern(l, &t);
    }
    struct lq_error inner = {0};
    if (err == LQ_OK) {
        f->time_slot = format_slot(f, lq_str_of(t.time[0]));
        f->layout_text = t.time[1];
        if (f->time_slot == UINT32_MAX) {
            return yaml_fail(l, t.time_node->start_mark, 1, "time: unknown field", t.time[0]);
        }
        if (time_layout_compile(t.time[1], &f->layout, &inner) != LQ_OK) {
            err = yaml_fail(l, t.time_node->start_mark, 1, inner.msg, NULL);
            lq_error_hint(l->e, "%s", inner.hint);
            return err;
        }
        f->fields[f->time_slot].role = ROLE_TIME;
    }
    if (err == LQ_OK && t.inner != NULL && (f->inner_slot = format_slot(f, lq_str_of(t.inner))) == UINT32_MAX) {
        err = yaml_fail(l, t.inner_node->start_mark, 1, "inner: unknown field", t.inner);
    }
    if (err == LQ_OK && f->inner_slot != UINT32_MAX && f->fields[f->inner_slot].role != ROLE_MESSAGE) {
        err = yaml_fail(l, t.inner_node->start_mark, 1, "inner: only the field with role message can hold another line, not", t.inner);
    }
    if (err == LQ_OK && t.derive != NULL) {
        err = yaml_each_pair(l, t.derive, "derive", load_derived, NULL);
    }
    if (err == LQ_OK && f->error_text != NULL && predicate_new(f, lq_str_of(f->error_text), &f->error, &inner) != LQ_OK) {
        yaml_mark_t m = t.error->start_mark;
        m.column += inner.column + (t.error->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? 0U : 1U) - 1;
        err = yaml_fail(l, m, inner.width, inner.msg, NULL);
        lq_error_hint(l->e, "%s", inner.hint);
    }
    if (err == LQ_OK && (err = format_finish(f, &inner)) != LQ_OK) {
        err = yaml_fail(l, root->start_mark, 1, inner.msg, NULL);
    }
    if (err == LQ_OK && t.sketch_by != NULL) {
        err = yaml_each_item(l, t.sketch_by, "sketch_by", add_sketch_by, NULL);
    }
    if (err == LQ_OK && t.samples != NULL) {
        err = yaml_each_item(l, t.samples, "samples", add_sample, NULL);
    }
    return err;
}

enum lq_err format_load_text(const char *file, lq_str yaml, struct format **out, struct lq_error *e)
{
    yaml_parser_t p;
    struct loader l = {.file = file, .text = yaml, .e = e};
    enum lq_err err;
    l.f = lq_alloc(sizeof *l.f);
    l.f->file = lq_arena_strdup(&l.f->mem, lq_str_of(file));
    l.f->description = "";
    l.f->inner_slot = UINT32_MAX;
    l.f->match_limit = MATCH_LIMIT;
    l.f->depth_limit = DEPTH_LIMIT;
    LQ_ASSERT(yaml_parser_initialize(&p) == 1);
    yaml_parser_set_input_string(&p, (const unsigned char *)yaml.p, yaml.n);
    if (yaml_parser_load(&p, &l.doc) == 0) {
        const char *tab = yaml.n > 0 && p.problem != NULL && strstr(p.problem, "cannot start any token") != NULL ? "a tab? indent with blanks:" : "bad YAML:";
        err = yaml_fail(&l, p.problem_mark, 1, tab, p.problem);
    } else {
        yaml_node_t *root = yaml_document_get_root_node(&l.doc);
        err = root != NULL ? build(&l, root) : yaml_fail(&l, (yaml_mark_t){0, 0, 0}, 1, "the file is empty", NULL);
        yaml_document_delete(&l.doc);
    }
    yaml_parser_delete(&p);
    if (err != LQ_OK) {
        format_free(&l.f);
        return err;
    }
    *out = l.f;
    return LQ_OK;
}
