/*
 * format_load.c - a format file: strict YAML to a format (format.h lists the keys)
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/format_yaml.h"
#include "schema/grok.h"
#include "schema/mask.h"
#include "schema/plain.h"
#include "schema/sighting_int.h"

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
    yaml_node_t *time_node, *pattern_node, *fields, *derive, *error, *sketch_by, *samples, *limits, *inner_node, *parser_node, *extract, *partial, *skip, *markers;
    const char *inner, *partial_text, *skip_text;
    struct grok_own own;
    uint32_t priority;
};

static enum lq_err piece(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    struct grok_own *own = ctx;
    if (own->n == GROK_OWN_MAX) {
        return yaml_fail(l, k->start_mark, 1, "too many pieces:", name);
    }
    own->name[own->n] = name;
    return yaml_text(l, v, name, &own->pattern[own->n++]);
}

static enum lq_err multiline_key(struct loader *l, const yaml_node_t *n, const char *what)
{
    static const char *const words[] = {"false", "true", "all"};
    const char *s;
    enum lq_err err = yaml_text(l, n, what, &s);
    int i = err == LQ_OK ? yaml_index(s, words, COUNT(words)) : 0;
    l->f->multiline = i == 2 ? MULTILINE_ALL : i == 1 ? MULTILINE_YES : MULTILINE_NO;
    return i < 0 ? yaml_fail(l, n->start_mark, n->data.scalar.length, "true, false or all is expected for", what) : err;
}

static enum lq_err mask_key(struct loader *l, const yaml_node_t *n, const char *what)
{
    struct lq_error inner = {0};
    const char *s;
    enum lq_err err = yaml_text(l, n, what, &s);
    if (err == LQ_OK && mask_parse(lq_str_of(s), &l->f->schema.mask, &inner) != LQ_OK) {
        err = yaml_fail(l, n->start_mark, n->data.scalar.length, inner.msg, NULL);
        lq_error_hint(l->e, "%s", inner.hint);
    }
    return err;
}

static enum lq_err top_key(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    static const char *const keys[] = {"name", "description", "records", "priority", "pattern", "parser", "time", "fields", "derive", "error",
                                       "sketch_by", "samples", "limits", "inner", "patterns", "extract", "multiline", "partial", "skip", "markers", "mask"};
    struct top *t = ctx;
    struct format *f = l->f;
    switch (yaml_index(name, keys, COUNT(keys))) {
    case 0: return yaml_text(l, v, name, &f->name);
    case 1: return yaml_text(l, v, name, &f->description);
    case 2: return yaml_text(l, v, name, &t->records);
    case 3: return yaml_number(l, v, name, 1000, &t->priority);
    case 4: t->pattern_node = v; return yaml_text(l, v, name, &f->pattern);
    case 5: t->parser_node = v; return yaml_text(l, v, name, &t->parser);
    case 6: t->time_node = v; return yaml_each_pair(l, v, name, time_key, t->time);
    case 7: t->fields = v; return LQ_OK;
    case 8: t->derive = v; return LQ_OK;
    case 9: t->error = v; return yaml_text(l, v, name, &f->error_text);
    case 10: t->sketch_by = v; return LQ_OK;
    case 11: t->samples = v; return LQ_OK;
    case 12: t->limits = v; return LQ_OK;
    case 13: t->inner_node = v; return yaml_text(l, v, name, &t->inner);
    case 14: return yaml_each_pair(l, v, name, piece, &t->own);
    case 15: t->extract = v; return LQ_OK;
    case 16: return multiline_key(l, v, name);
    case 17: t->partial = v; return yaml_text(l, v, name, &t->partial_text);
    case 18: t->skip = v; return yaml_text(l, v, name, &t->skip_text);
    case 19: t->markers = v; return LQ_OK;
    case 20: return mask_key(l, v, name);
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

/* The pieces expanded; an error names the place in the file. */
static enum lq_err expand(struct loader *l, const struct top *t, yaml_node_t *node, const char **pattern)
{
    struct lq_buf out = {0};
    struct lq_error inner = {0};
    enum lq_err err = grok_expand(lq_str_of(*pattern), &t->own, &out, &inner);
    if (err != LQ_OK) {
        yaml_mark_t m = node->start_mark;
        m.column += inner.column > 0 ? inner.column - (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? 1U : 0U) : 0;
        err = yaml_fail(l, m, inner.width, inner.msg, NULL);
        lq_error_hint(l->e, "%s", inner.hint);
    } else {
        *pattern = lq_arena_strdup(&l->f->mem, (lq_str){out.p, out.n});
    }
    lq_buf_fini(&out);
    return err;
}

static enum lq_err compile(struct loader *l, const struct top *t, yaml_node_t *node, const char **pattern, struct matcher **out)
{
    struct format *f = l->f;
    struct lq_error inner = {0};
    size_t at = 0;
    const char *written = *pattern;
    enum lq_err err = expand(l, t, node, pattern);
    if (err == LQ_OK && matcher_new(*pattern, node == t->pattern_node, f->match_limit, f->depth_limit, out, &at, &inner) != LQ_OK) {
        yaml_mark_t m = node->start_mark;
        if (node->data.scalar.style != YAML_LITERAL_SCALAR_STYLE && strcmp(written, *pattern) == 0) {
            m.column += at + (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? 0 : 1);
        }
        err = yaml_fail(l, m, 1, inner.msg, strcmp(written, *pattern) != 0 ? "of the expanded pattern" : NULL);
    }
    return err;
}

static enum lq_err extract_key(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    static const char *const keys[] = {"field", "pattern"};
    const struct top *t = ctx;
    struct extract *x = &l->f->extracts[l->f->n_extracts - 1];
    int i = yaml_index(name, keys, COUNT(keys));
    if (i < 0) {
        return yaml_unknown(l, k, "key of extract:", keys, COUNT(keys));
    }
    if (i == 1) {
        enum lq_err err = yaml_text(l, v, name, &x->pattern);
        return err == LQ_OK ? compile(l, t, v, &x->pattern, &x->matcher) : err;
    }
    enum lq_err err = yaml_text(l, v, name, &x->from_name);
    x->from = err == LQ_OK ? format_slot(l->f, lq_str_of(x->from_name)) : UINT32_MAX;
    return err == LQ_OK && x->from == UINT32_MAX ? yaml_fail(l, v->start_mark, v->data.scalar.length, "extract: unknown field", x->from_name) : err;
}

static enum lq_err add_extract(struct loader *l, yaml_node_t *n, void *ctx)
{
    if (l->f->n_extracts == EXTRACT_MAX) {
        return yaml_fail(l, n->start_mark, 1, "too many in extract:", NULL);
    }
    struct extract *x = &l->f->extracts[l->f->n_extracts++];
    enum lq_err err = yaml_each_pair(l, n, "an item of extract", extract_key, ctx);
    return err == LQ_OK && (x->from_name == NULL || x->matcher == NULL)
               ? yaml_fail(l, n->start_mark, 1, "extract needs field: and pattern:", NULL) : err;
}

static const char *const parser_names[] = {"pattern", "json", "logfmt", "csv", "w3c", "plain"};

const char *parser_kind_name(enum parser_kind k)
{
    return parser_names[k];
}

/* Fields come from groups of the pattern, or of a second regex; from paths in structured text; the plain parser gives three. */
static enum lq_err bind_fields(struct loader *l, const struct top *t)
{
    struct format *f = l->f;
    const char *paths[FIELD_MAX];
    for (uint32_t i = 0; i < f->n_fields; i++) {
        struct field *x = &f->fields[i];
        paths[i] = "";
        for (uint32_t k = 0; k < f->n_extracts && x->extract == 0; k++) {
            x->group = matcher_group(f->extracts[k].matcher, x->name);
            x->extract = x->group > 0 ? k + 1 : 0;
        }
        if (x->extract == 0) {
            x->group = f->kind == PARSER_PATTERN ? matcher_group(f->matcher, x->name) : i;
            paths[i] = x->path;
        }
        if (x->group == 0 && f->kind == PARSER_PATTERN) {
            return yaml_fail(l, t->fields->start_mark, 1, "the pattern has no group named", x->name);
        }
        if (f->kind == PARSER_PLAIN && strcmp(x->name, plain_fields[i < PLAIN_FIELDS ? i : 0]) != 0) {
            return yaml_fail(l, t->fields->start_mark, 1, "the plain parser gives time, level and message, in this order, not", x->name);
        }
    }
    if (f->kind == PARSER_JSON) {
        f->paths = json_paths_new(paths, f->n_fields);
    }
    return LQ_OK;
}

static enum lq_err compile_parser(struct loader *l, struct top *t)
{
    struct format *f = l->f;
    enum lq_err err = LQ_OK;
    if (t->parser != NULL) {
        int kind = yaml_index(t->parser, parser_names, COUNT(parser_names));
        if (kind < 1) {
            return yaml_unknown(l, t->parser_node, "parser", parser_names + 1, COUNT(parser_names) - 1);
        }
        f->kind = (enum parser_kind)kind;
    } else {
        err = compile(l, t, t->pattern_node, &f->pattern, &f->matcher);
    }
    if (err == LQ_OK && t->skip != NULL) {
        err = compile(l, t, t->skip, &t->skip_text, &f->skip);
    }
    if (err == LQ_OK && t->extract != NULL) {
        err = yaml_each_item(l, t->extract, "extract", add_extract, t);
    }
    return err == LQ_OK ? bind_fields(l, t) : err;
}

static enum lq_err compile_time(struct loader *l, const struct top *t)
{
    struct format *f = l->f;
    struct lq_error inner = {0};
    f->time_slot = UINT32_MAX;
    if (t->time_node == NULL) { /* lines without a time: only in an envelope */
        return LQ_OK;
    }
    if (t->time[0] == NULL || t->time[1] == NULL) {
        return yaml_fail(l, t->time_node->start_mark, 1, "time needs field: and layout:", NULL);
    }
    f->time_slot = format_slot(f, lq_str_of(t->time[0]));
    f->layout_text = f->kind == PARSER_PLAIN && strcmp(t->time[1], "plain") == 0 ? plain_layout : t->time[1];
    if (f->time_slot == UINT32_MAX) {
        return yaml_fail(l, t->time_node->start_mark, 1, "time: unknown field", t->time[0]);
    }
    if (time_layout_compile(f->layout_text, &f->layout, &inner) != LQ_OK) {
        enum lq_err err = yaml_fail(l, t->time_node->start_mark, 1, inner.msg, NULL);
        lq_error_hint(l->e, "%s", inner.hint);
        return err;
    }
    f->fields[f->time_slot].role = ROLE_TIME;
    return LQ_OK;
}

static enum lq_err compile_inner(struct loader *l, const struct top *t)
{
    struct format *f = l->f;
    if (t->inner != NULL && (f->inner_slot = format_slot(f, lq_str_of(t->inner))) == UINT32_MAX) {
        return yaml_fail(l, t->inner_node->start_mark, 1, "inner: unknown field", t->inner);
    }
    if (f->inner_slot != UINT32_MAX && f->fields[f->inner_slot].role != ROLE_MESSAGE) {
        return yaml_fail(l, t->inner_node->start_mark, 1, "inner: only the field with role message can hold another line, not", t->inner);
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
    if (t.fields == NULL && t.markers != NULL && f->pattern == NULL && t.parser == NULL) { /* rules for the messages of all formats */
        f->only_markers = true;
        return load_markers(l, t.markers);
    }
    if (f->name == NULL || f->name[0] == '\0' || strlen(f->name) >= NAME_BYTES_MAX) {
        return yaml_fail(l, root->start_mark, 1, "name is missing or too long", NULL);
    }
    if (t.fields == NULL) {
        return yaml_fail(l, root->start_mark, 1, "missing: fields: in", f->name);
    }
    if ((f->pattern == NULL) == (t.parser == NULL)) {
        return yaml_fail(l, root->start_mark, 1, "either pattern: or parser: is needed in", f->name);
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
        err = compile_parser(l, &t);
    }
    if (err == LQ_OK) {
        err = compile_time(l, &t);
    }
    if (err == LQ_OK) {
        err = compile_inner(l, &t);
    }
    if (err == LQ_OK && t.derive != NULL) {
        err = yaml_each_pair(l, t.derive, "derive", load_derived, NULL);
    }
    if (err == LQ_OK && f->error_text != NULL) {
        err = yaml_predicate(l, t.error, f->error_text, &f->error);
    }
    if (err == LQ_OK && t.partial != NULL) {
        err = yaml_predicate(l, t.partial, t.partial_text, &f->partial);
    }
    struct lq_error inner = {0};
    if (err == LQ_OK && (err = format_finish(f, &inner)) != LQ_OK) {
        err = yaml_fail(l, root->start_mark, 1, inner.msg, NULL);
    }
    if (err == LQ_OK && t.markers != NULL) {
        err = load_markers(l, t.markers);
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
