/*
 * format_load.c - format files: strict YAML to a format (format.h lists the keys)
 *
 * libyaml's document tree keeps the position of every node; each conversion is strict and names file:line:column.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <yaml.h>

#include "schema/format_int.h"

enum { FILE_BYTES_MAX = 1 << 20, MATCH_LIMIT = 200000, DEPTH_LIMIT = 2000 };

struct loader {
    const char *file;
    lq_str text;
    yaml_document_t doc;
    struct format *f;
    struct lq_error *e;
};

static enum lq_err fail_at(struct loader *l, yaml_mark_t m, size_t width, const char *msg, const char *detail)
{
    const char *line = l->text.p, *end = l->text.p + l->text.n;
    for (size_t i = 0; i < m.line && line < end; i++) {
        const char *nl = memchr(line, '\n', (size_t)(end - line));
        line = nl != NULL ? nl + 1 : end;
    }
    const char *stop = line < end ? memchr(line, '\n', (size_t)(end - line)) : NULL;
    lq_error_set(l->e, LQ_EINVAL, "%s%s%s", msg, detail != NULL ? " " : "", detail != NULL ? detail : "");
    lq_error_where(l->e, l->file, (uint32_t)m.line + 1, (uint32_t)m.column + 1, (uint32_t)width, line,
                   (size_t)((stop != NULL ? stop : end) - line));
    return LQ_EINVAL;
}

static enum lq_err unknown(struct loader *l, const yaml_node_t *n, const char *what, const char *const *names, size_t n_names)
{
    const char *word = (const char *)n->data.scalar.value;
    const char *near = lq_nearest(word, n->data.scalar.length, names, n_names);
    char msg[128];
    snprintf(msg, sizeof msg, "unknown %s", what);
    fail_at(l, n->start_mark, n->data.scalar.length, msg, word);
    if (near != NULL) {
        lq_error_hint(l->e, "did you mean %s?", near);
    }
    return LQ_EINVAL;
}

static enum lq_err scalar(struct loader *l, const yaml_node_t *n, const char *what, const char **out)
{
    if (n->type != YAML_SCALAR_NODE) {
        return fail_at(l, n->start_mark, 1, "a text is expected for", what);
    }
    if (memchr(n->data.scalar.value, '\0', n->data.scalar.length) != NULL) {
        return fail_at(l, n->start_mark, 1, "a NUL byte in", what);
    }
    *out = lq_arena_strdup(&l->f->mem, (lq_str){(const char *)n->data.scalar.value, n->data.scalar.length});
    return LQ_OK;
}

static enum lq_err number(struct loader *l, const yaml_node_t *n, const char *what, uint32_t max, uint32_t *out)
{
    const char *s;
    char *end;
    enum lq_err err = scalar(l, n, what, &s);
    if (err != LQ_OK) {
        return err;
    }
    errno = 0;
    unsigned long v = strtoul(s, &end, 10);
    if (s[0] < '0' || s[0] > '9' || *end != '\0' || errno != 0 || v > max || (s[0] == '0' && s[1] != '\0')) {
        return fail_at(l, n->start_mark, n->data.scalar.length, "a whole number is expected for", what);
    }
    *out = (uint32_t)v;
    return LQ_OK;
}

typedef enum lq_err pair_fn(struct loader *l, const yaml_node_t *key, const char *name, yaml_node_t *value, void *ctx);

/* Each pair of a mapping; duplicate keys are refused. */
static enum lq_err each_pair(struct loader *l, yaml_node_t *n, const char *what, pair_fn *fn, void *ctx)
{
    if (n->type != YAML_MAPPING_NODE) {
        return fail_at(l, n->start_mark, 1, "a mapping (key: value) is expected for", what);
    }
    for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
        yaml_node_t *k = yaml_document_get_node(&l->doc, p->key), *v = yaml_document_get_node(&l->doc, p->value);
        const char *name;
        enum lq_err err = scalar(l, k, "a key", &name);
        for (yaml_node_pair_t *q = n->data.mapping.pairs.start; q < p && err == LQ_OK; q++) {
            yaml_node_t *other = yaml_document_get_node(&l->doc, q->key);
            if (strcmp((const char *)other->data.scalar.value, name) == 0) {
                err = fail_at(l, k->start_mark, k->data.scalar.length, "twice:", name);
            }
        }
        if (err == LQ_OK) {
            err = fn(l, k, name, v, ctx);
        }
        if (err != LQ_OK) {
            return err;
        }
    }
    return LQ_OK;
}

static int index_of(const char *s, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(s, names[i]) == 0) {
            return (int)i;
        }
    }
    return -1;
}

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* ---- fields ---- */

static const char *const role_names[] = {"ignore", "dimension", "measure", "identity", "message"};
static const char *const type_names[] = {"string", "int", "float", "seconds", "milliseconds", "microseconds", "bytes"};

static enum lq_err field_key(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    static const char *const keys[] = {"role", "type"};
    struct field *f = ctx;
    const char *s;
    int which = index_of(name, keys, COUNT(keys));
    if (which < 0) {
        return unknown(l, k, "key of a field:", keys, COUNT(keys));
    }
    enum lq_err err = scalar(l, v, name, &s);
    if (err != LQ_OK) {
        return err;
    }
    int i = which == 0 ? index_of(s, role_names, COUNT(role_names)) : index_of(s, type_names, COUNT(type_names));
    if (i < 0) {
        return which == 0 ? unknown(l, v, "role", role_names, COUNT(role_names)) : unknown(l, v, "type", type_names, COUNT(type_names));
    }
    if (which == 0) {
        f->role = (enum field_role)i;
    } else {
        f->type = (enum field_type)i;
    }
    return LQ_OK;
}

static enum lq_err add_field(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    struct format *f = l->f;
    (void)ctx;
    if (f->n_fields == FIELD_MAX || k->data.scalar.length >= NAME_BYTES_MAX) {
        return fail_at(l, k->start_mark, k->data.scalar.length, "too many fields, or too long a name:", name);
    }
    struct field *x = &f->fields[f->n_fields++];
    x->name = name;
    return each_pair(l, v, name, field_key, x);
}

/* ---- derived ---- */

struct derive_args {
    struct derived *d;
    const char *from, *pattern;
    yaml_node_t *from_node, *map, *values, *pattern_node;
};

static enum lq_err derive_key(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    static const char *const keys[] = {"route", "status_class", "cidr", "map", "shape", "regex", "asset", "values", "default", "pattern"};
    struct derive_args *a = ctx;
    int i = index_of(name, keys, COUNT(keys));
    if (i < 0) {
        return unknown(l, k, "key of a derived field:", keys, COUNT(keys));
    }
    if (i == 3 && v->type == YAML_MAPPING_NODE) { /* map: {…} of cidr */
        a->map = v;
        return LQ_OK;
    }
    if (i == 7) {
        a->values = v;
        return LQ_OK;
    }
    if (i == 8) {
        return scalar(l, v, name, &a->d->fallback);
    }
    if (i == 9) {
        a->pattern_node = v;
        return scalar(l, v, name, &a->pattern);
    }
    if (a->from != NULL) {
        return fail_at(l, k->start_mark, k->data.scalar.length, "a derived field has one kind; this is a second:", name);
    }
    static const enum derive_kind kinds[] = {DERIVE_ROUTE, DERIVE_STATUS_CLASS, DERIVE_CIDR, DERIVE_MAP, DERIVE_SHAPE, DERIVE_REGEX, DERIVE_ASSET};
    a->d->kind = kinds[i];
    a->from_node = v;
    return scalar(l, v, name, &a->from);
}

static enum lq_err cidr_pair(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    struct derived *d = ctx;
    struct lq_error inner;
    const char *label;
    enum lq_err err = scalar(l, v, "an audience", &label);
    if (err == LQ_OK && cidr_map_add(d->cidr, lq_str_of(name), lq_str_of(label), &inner) != LQ_OK) {
        err = fail_at(l, k->start_mark, k->data.scalar.length, inner.msg, NULL);
        lq_error_hint(l->e, "%s", inner.hint);
    }
    return err;
}

static enum lq_err value_pair(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    struct derived *d = ctx;
    const char *to;
    enum lq_err err = scalar(l, v, "a value", &to);
    (void)k;
    if (err == LQ_OK) {
        if (d->values.n == MAP_MAX) {
            return fail_at(l, k->start_mark, 1, "too many values:", name);
        }
        d->mapped[d->values.n] = to;
        lq_map_set(&d->values, lq_str_of(name), d->values.n);
    }
    return err;
}

static enum lq_err add_derived(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    struct format *f = l->f;
    (void)ctx;
    if (f->n_derived == DERIVE_MAX) {
        return fail_at(l, k->start_mark, 1, "too many derived fields:", name);
    }
    struct derived *d = &f->derived[f->n_derived];
    struct derive_args a = {.d = d};
    d->name = name;
    enum lq_err err = each_pair(l, v, name, derive_key, &a);
    if (err != LQ_OK) {
        return err;
    }
    if (a.from == NULL) {
        return fail_at(l, k->start_mark, k->data.scalar.length, "no kind (route, status_class, cidr, map, shape, regex, asset) for", name);
    }
    d->from = format_slot(f, lq_str_of(a.from));
    d->target = -1;
    uint32_t same = format_slot(f, lq_str_of(name));
    if (same != UINT32_MAX) {
        d->target = same;
    }
    f->n_derived++;
    if (d->from == UINT32_MAX) {
        const char *names[FIELD_MAX];
        for (uint32_t i = 0; i < f->n_fields; i++) {
            names[i] = f->fields[i].name;
        }
        return unknown(l, a.from_node, "field", names, f->n_fields);
    }
    if (d->kind == DERIVE_CIDR) {
        d->cidr = cidr_map_new();
        return a.map != NULL ? each_pair(l, a.map, "map", cidr_pair, d) : fail_at(l, k->start_mark, 1, "map: {network: label} is missing for", name);
    }
    if (d->kind == DERIVE_MAP) {
        d->mapped = lq_arena_alloc(&f->mem, MAP_MAX * sizeof *d->mapped);
        return a.values != NULL ? each_pair(l, a.values, "values", value_pair, d)
                                : fail_at(l, k->start_mark, 1, "values: {from: to} is missing for", name);
    }
    if (d->kind == DERIVE_REGEX) {
        struct lq_error inner = {0};
        if (a.pattern == NULL) {
            return fail_at(l, k->start_mark, 1, "pattern is missing for", name);
        }
        if (lq_regex_new(lq_str_of(a.pattern), &d->regex, &inner) != LQ_OK) {
            return fail_at(l, a.pattern_node->start_mark, 1, inner.msg, NULL);
        }
    }
    return LQ_OK;
}

/* ---- the rest ---- */

static enum lq_err time_key(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    static const char *const keys[] = {"field", "layout"};
    const char **out = ctx;
    int i = index_of(name, keys, COUNT(keys));
    return i < 0 ? unknown(l, k, "key of time:", keys, COUNT(keys)) : scalar(l, v, name, &out[i]);
}

static enum lq_err limit_key(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    static const char *const keys[] = {"match", "depth"};
    int i = index_of(name, keys, COUNT(keys));
    (void)ctx;
    return i < 0 ? unknown(l, k, "limit", keys, COUNT(keys)) : number(l, v, name, 10000000, i == 0 ? &l->f->match_limit : &l->f->depth_limit);
}

static enum lq_err expect_pair(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    struct sample *s = ctx;
    if (s->n == COUNT(s->key)) {
        return fail_at(l, k->start_mark, 1, "too many expectations:", name);
    }
    s->key[s->n] = name;
    return scalar(l, v, name, &s->want[s->n++]);
}

static enum lq_err sample_key(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    static const char *const keys[] = {"line", "expect"};
    struct sample *s = ctx;
    const char *text;
    int i = index_of(name, keys, COUNT(keys));
    if (i < 0) {
        return unknown(l, k, "key of a sample:", keys, COUNT(keys));
    }
    if (i == 1) {
        return each_pair(l, v, name, expect_pair, s);
    }
    enum lq_err err = scalar(l, v, name, &text);
    if (err == LQ_OK) {
        s->line = lq_str_of(text);
    }
    return err;
}

static enum lq_err each_item(struct loader *l, yaml_node_t *n, const char *what, enum lq_err (*fn)(struct loader *, yaml_node_t *, void *), void *ctx)
{
    if (n->type != YAML_SEQUENCE_NODE) {
        return fail_at(l, n->start_mark, 1, "a list is expected for", what);
    }
    for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top; i++) {
        enum lq_err err = fn(l, yaml_document_get_node(&l->doc, *i), ctx);
        if (err != LQ_OK) {
            return err;
        }
    }
    return LQ_OK;
}

static enum lq_err add_sample(struct loader *l, yaml_node_t *n, void *ctx)
{
    struct format *f = l->f;
    (void)ctx;
    if (f->n_samples == SAMPLE_MAX) {
        return fail_at(l, n->start_mark, 1, "too many samples", NULL);
    }
    return each_pair(l, n, "a sample", sample_key, &f->samples[f->n_samples++]);
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
    switch (index_of(name, keys, COUNT(keys))) {
    case 0: return scalar(l, v, name, &f->name);
    case 1: return scalar(l, v, name, &f->description);
    case 2: return scalar(l, v, name, &t->records);
    case 3: return number(l, v, name, 1000, &t->priority);
    case 4: t->pattern_node = v; return scalar(l, v, name, &f->pattern);
    case 5: return scalar(l, v, name, &t->parser);
    case 6: t->time_node = v; return each_pair(l, v, name, time_key, t->time);
    case 7: t->fields = v; return LQ_OK;
    case 8: t->derive = v; return LQ_OK;
    case 9: t->error = v; return scalar(l, v, name, &f->error_text);
    case 10: t->sketch_by = v; return LQ_OK;
    case 11: t->samples = v; return LQ_OK;
    case 12: t->limits = v; return LQ_OK;
    case 13: t->inner_node = v; return scalar(l, v, name, &t->inner);
    default: return unknown(l, k, "key", keys, COUNT(keys));
    }
}

static enum lq_err add_sketch_by(struct loader *l, yaml_node_t *n, void *ctx)
{
    struct stream_schema *s = &l->f->schema;
    const char *name;
    enum lq_err err = scalar(l, n, "sketch_by", &name);
    (void)ctx;
    if (err != LQ_OK) {
        return err;
    }
    int i = index_of(name, s->dims, s->n_dims);
    if (i < 0) {
        return unknown(l, n, "dimension", s->dims, s->n_dims);
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
        return fail_at(l, m, 1, inner.msg, NULL);
    }
    for (uint32_t i = 0; i < f->n_fields; i++) {
        f->fields[i].group = matcher_group(f->matcher, f->fields[i].name);
        if (f->fields[i].group == 0) {
            return fail_at(l, t->fields->start_mark, 1, "the pattern has no group named", f->fields[i].name);
        }
    }
    return LQ_OK;
}

static enum lq_err build(struct loader *l, yaml_node_t *root)
{
    struct format *f = l->f;
    struct top t = {.priority = 50};
    enum lq_err err = each_pair(l, root, "a format", top_key, &t);
    if (err != LQ_OK) {
        return err;
    }
    if (f->name == NULL || f->name[0] == '\0' || strlen(f->name) >= NAME_BYTES_MAX) {
        return fail_at(l, root->start_mark, 1, "name is missing or too long", NULL);
    }
    if (t.fields == NULL || t.time_node == NULL || t.time[0] == NULL || t.time[1] == NULL) {
        return fail_at(l, root->start_mark, 1, "missing: time: {field: …, layout: …} and fields: in", f->name);
    }
    if ((f->pattern == NULL) == (t.parser == NULL) || (t.parser != NULL && strcmp(t.parser, "json") != 0)) {
        return fail_at(l, root->start_mark, 1, "either pattern: or parser: json is needed in", f->name);
    }
    if (t.records != NULL && strcmp(t.records, "requests") != 0 && strcmp(t.records, "events") != 0) {
        return fail_at(l, root->start_mark, 1, "records is requests or events, not", t.records);
    }
    f->schema.kind = t.records != NULL && strcmp(t.records, "requests") == 0 ? STREAM_REQUESTS : STREAM_EVENTS;
    f->priority = (int)t.priority;
    err = each_pair(l, t.fields, "fields", add_field, NULL);
    if (err == LQ_OK && t.limits != NULL) {
        err = each_pair(l, t.limits, "limits", limit_key, NULL);
    }
    if (err == LQ_OK) {
        err = compile_pattern(l, &t);
    }
    struct lq_error inner = {0};
    if (err == LQ_OK) {
        f->time_slot = format_slot(f, lq_str_of(t.time[0]));
        f->layout_text = t.time[1];
        if (f->time_slot == UINT32_MAX) {
            return fail_at(l, t.time_node->start_mark, 1, "time: unknown field", t.time[0]);
        }
        if (time_layout_compile(t.time[1], &f->layout, &inner) != LQ_OK) {
            err = fail_at(l, t.time_node->start_mark, 1, inner.msg, NULL);
            lq_error_hint(l->e, "%s", inner.hint);
            return err;
        }
        f->fields[f->time_slot].role = ROLE_TIME;
    }
    if (err == LQ_OK && t.inner != NULL && (f->inner_slot = format_slot(f, lq_str_of(t.inner))) == UINT32_MAX) {
        err = fail_at(l, t.inner_node->start_mark, 1, "inner: unknown field", t.inner);
    }
    if (err == LQ_OK && f->inner_slot != UINT32_MAX && f->fields[f->inner_slot].role != ROLE_MESSAGE) {
        err = fail_at(l, t.inner_node->start_mark, 1, "inner: only the field with role message can hold another line, not", t.inner);
    }
    if (err == LQ_OK && t.derive != NULL) {
        err = each_pair(l, t.derive, "derive", add_derived, NULL);
    }
    if (err == LQ_OK && f->error_text != NULL && predicate_new(f, lq_str_of(f->error_text), &f->error, &inner) != LQ_OK) {
        yaml_mark_t m = t.error->start_mark;
        m.column += inner.column + (t.error->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? 0U : 1U) - 1;
        err = fail_at(l, m, inner.width, inner.msg, NULL);
        lq_error_hint(l->e, "%s", inner.hint);
    }
    if (err == LQ_OK && (err = format_finish(f, &inner)) != LQ_OK) {
        err = fail_at(l, root->start_mark, 1, inner.msg, NULL);
    }
    if (err == LQ_OK && t.sketch_by != NULL) {
        err = each_item(l, t.sketch_by, "sketch_by", add_sketch_by, NULL);
    }
    if (err == LQ_OK && t.samples != NULL) {
        err = each_item(l, t.samples, "samples", add_sample, NULL);
    }
    return err;
}

static enum lq_err load_text(const char *file, lq_str yaml, struct format **out, struct lq_error *e)
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
        err = fail_at(&l, p.problem_mark, 1, tab, p.problem);
    } else {
        yaml_node_t *root = yaml_document_get_root_node(&l.doc);
        err = root != NULL ? build(&l, root) : fail_at(&l, (yaml_mark_t){0, 0, 0}, 1, "the file is empty", NULL);
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

/* ---- sets ---- */

struct format_set *format_set_new(void)
{
    return lq_alloc(sizeof(struct format_set));
}

void format_set_free(struct format_set **s)
{
    if (*s != NULL) {
        for (size_t i = 0; i < (*s)->n; i++) {
            format_free(&(*s)->f[i]);
        }
        free((*s)->f);
        free(*s);
        *s = NULL;
    }
}

void format_set_put(struct format_set *s, struct format *f)
{
    size_t i = 0;
    while (i < s->n && strcmp(s->f[i]->name, f->name) < 0) {
        i++;
    }
    if (i < s->n && strcmp(s->f[i]->name, f->name) == 0) {
        format_free(&s->f[i]);
        s->f[i] = f;
        return;
    }
    lq_grow(&s->f, &s->cap, s->n + 1, sizeof *s->f);
    memmove(s->f + i + 1, s->f + i, (s->n - i) * sizeof *s->f);
    s->f[i] = f;
    s->n++;
}

enum lq_err format_set_add_text(struct format_set *s, const char *file, lq_str yaml, struct lq_error *e)
{
    struct format *f = NULL;
    enum lq_err err = load_text(file, yaml, &f, e);
    if (err == LQ_OK) {
        format_set_put(s, f);
    }
    return err;
}

static enum lq_err load_file(struct format_set *s, const char *path, struct lq_error *e)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        return lq_error_errno(e, errno, "open", path);
    }
    char *text = lq_alloc(FILE_BYTES_MAX);
    size_t n = fread(text, 1, FILE_BYTES_MAX, f);
    enum lq_err err = ferror(f) != 0 ? lq_error_errno(e, errno, "read", path) : LQ_OK;
    fclose(f);
    if (err == LQ_OK) {
        err = format_set_add_text(s, path, (lq_str){text, n}, e);
    }
    free(text);
    return err;
}

static enum lq_err load_dir(struct format_set *s, const char *dir, struct lq_error *e)
{
    struct dirent **names;
    enum lq_err err = LQ_OK;
    int n = scandir(dir, &names, NULL, alphasort);
    if (n < 0) {
        return lq_error_errno(e, errno, "open the directory of formats", dir);
    }
    for (int i = 0; i < n; i++) {
        size_t len = strlen(names[i]->d_name);
        char path[4096];
        if (err == LQ_OK && len > 5 && strcmp(names[i]->d_name + len - 5, ".yaml") == 0) {
            snprintf(path, sizeof path, "%s/%s", dir, names[i]->d_name);
            err = load_file(s, path, e);
        }
        free(names[i]);
    }
    free(names);
    return err;
}

enum lq_err format_set_load(const char *const *dirs, size_t n_dirs, struct format_set **out, struct lq_error *e)
{
    struct stat sb;
    struct format_set *s = format_set_new();
    const char *env = getenv("LQ_FORMATS");
    const char *shipped = env != NULL && env[0] != '\0' ? env : stat(LQ_FORMATS_SOURCE_DIR, &sb) == 0 ? LQ_FORMATS_SOURCE_DIR : LQ_FORMATS_DIR;
    enum lq_err err = load_dir(s, shipped, e);
    for (size_t i = 0; i < n_dirs && err == LQ_OK; i++) {
        err = load_dir(s, dirs[i], e);
    }
    if (err != LQ_OK) {
        format_set_free(&s);
        return err;
    }
    *out = s;
    return LQ_OK;
}

size_t format_set_count(const struct format_set *s)
{
    return s->n;
}

const struct format *format_set_at(const struct format_set *s, size_t i)
{
    return s->f[i];
}

struct format *format_set_get(const struct format_set *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->f[i]->name, name) == 0) {
            return s->f[i];
        }
    }
    return NULL;
}

enum lq_err format_set_find(struct format_set *s, const char *name, const struct format **out, struct lq_error *e)
{
    const char *names[256], *plus = strchr(name, '+');
    size_t n = 0;
    const struct format *f = format_set_get(s, name), *inner;
    if (f != NULL) {
        *out = f;
        return LQ_OK;
    }
    if (plus != NULL && plus - name < NAME_BYTES_MAX) {
        char outer[NAME_BYTES_MAX];
        snprintf(outer, sizeof outer, "%.*s", (int)(plus - name), name);
        enum lq_err err = format_set_find(s, outer, &f, e);
        err = err == LQ_OK ? format_set_find(s, plus + 1, &inner, e) : err;
        return err == LQ_OK ? format_pair(s, f, inner, out, e) : err;
    }
    for (; n < s->n && n < COUNT(names); n++) {
        names[n] = s->f[n]->name;
    }
    const char *near = lq_nearest(name, strlen(name), names, n);
    lq_error_set(e, LQ_EINVAL, "unknown format \"%s\"", name);
    lq_error_hint(e, near != NULL ? "did you mean %s? lq format list shows all" : "lq format list shows all%s", near != NULL ? near : "");
    return LQ_EINVAL;
}
