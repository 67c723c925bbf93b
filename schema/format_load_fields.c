/*
 * format_load_fields.c - the mappings fields: and derive: of a format file
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/format_yaml.h"

static const char *const role_names[] = {"ignore", "dimension", "measure", "identity", "message"};
static const char *const type_names[] = {"string", "int", "float", "seconds", "milliseconds", "microseconds", "bytes", "nanoseconds", "duration"};

static enum lq_err field_key(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    static const char *const keys[] = {"role", "type", "path", "required"};
    struct field *f = ctx;
    const char *s;
    int which = yaml_index(name, keys, COUNT(keys));
    if (which < 0) {
        return yaml_unknown(l, k, "key of a field:", keys, COUNT(keys));
    }
    enum lq_err err = yaml_text(l, v, name, which == 2 ? &f->path : &s);
    if (err != LQ_OK || which == 2) {
        return err;
    }
    if (which == 3) {
        f->required = strcmp(s, "true") == 0;
        return f->required ? LQ_OK : yaml_fail(l, v->start_mark, v->data.scalar.length, "required is true or left out, not", s);
    }
    int i = which == 0 ? yaml_index(s, role_names, COUNT(role_names)) : yaml_index(s, type_names, COUNT(type_names));
    if (i < 0) {
        return which == 0 ? yaml_unknown(l, v, "role", role_names, COUNT(role_names)) : yaml_unknown(l, v, "type", type_names, COUNT(type_names));
    }
    if (which == 0) {
        f->role = (enum field_role)i;
    } else {
        f->type = (enum field_type)i;
    }
    return LQ_OK;
}

enum lq_err load_field(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    struct format *f = l->f;
    (void)ctx;
    if (f->n_fields == FIELD_MAX || k->data.scalar.length >= NAME_BYTES_MAX) {
        return yaml_fail(l, k->start_mark, k->data.scalar.length, "too many fields, or too long a name:", name);
    }
    struct field *x = &f->fields[f->n_fields++];
    x->name = x->path = name;
    return yaml_each_pair(l, v, name, field_key, x);
}

enum lq_err load_field_slot(struct loader *l, const yaml_node_t *n, const char *what, uint32_t *out)
{
    const char *name;
    enum lq_err err = yaml_text(l, n, what, &name);
    if (err == LQ_OK && (*out = format_slot(l->f, lq_str_of(name))) == UINT32_MAX) {
        const char *names[FIELD_MAX];
        for (uint32_t i = 0; i < l->f->n_fields; i++) {
            names[i] = l->f->fields[i].name;
        }
        err = yaml_unknown(l, n, "field", names, l->f->n_fields);
    }
    return err;
}

/* ---- derived ---- */

struct derive_args {
    struct derived *d;
    const char *from, *pattern;
    yaml_node_t *from_node, *map, *values, *pattern_node;
    const yaml_node_t *arg_key; /* of session_end */
};

static enum lq_err derive_key(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    static const char *const keys[] = {"route", "status_class", "cidr", "map", "shape", "regex", "asset", "values", "default", "pattern", "level", "severity",
                                       "exception", "frame", "level_in", "session_end", "target", "method", "user", "referrer", "location", "query"};
    enum { SESSION_KIND = 15, FIRST_ARG };
    struct derive_args *a = ctx;
    int i = yaml_index(name, keys, COUNT(keys));
    if (i < 0) {
        return yaml_unknown(l, k, "key of a derived field:", keys, COUNT(keys));
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
        return yaml_text(l, v, name, &a->d->fallback);
    }
    if (i == 9) {
        a->pattern_node = v;
        return yaml_text(l, v, name, &a->pattern);
    }
    if (i >= FIRST_ARG) {
        a->arg_key = k;
        return load_field_slot(l, v, name, &a->d->arg[i - FIRST_ARG]);
    }
    if (a->from != NULL) {
        return yaml_fail(l, k->start_mark, k->data.scalar.length, "a derived field has one kind; this is a second:", name);
    }
    static const enum derive_kind kinds[] = {DERIVE_ROUTE, DERIVE_STATUS_CLASS, DERIVE_CIDR, DERIVE_MAP, DERIVE_SHAPE, DERIVE_REGEX, DERIVE_ASSET,
                                             DERIVE_MAP, DERIVE_MAP, DERIVE_REGEX, DERIVE_LEVEL, DERIVE_SEVERITY, DERIVE_EXCEPTION, DERIVE_FRAME,
                                             DERIVE_LEVEL_IN, DERIVE_SESSION_END};
    _Static_assert(COUNT(kinds) == SESSION_KIND + 1, "a kind for each key that is one");
    a->d->kind = kinds[i];
    a->from_node = v;
    return yaml_text(l, v, name, &a->from);
}

static enum lq_err cidr_pair(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    struct derived *d = ctx;
    struct lq_error inner;
    const char *label;
    enum lq_err err = yaml_text(l, v, "an audience", &label);
    if (err == LQ_OK && cidr_map_add(d->cidr, lq_str_of(name), lq_str_of(label), &inner) != LQ_OK) {
        err = yaml_fail(l, k->start_mark, k->data.scalar.length, inner.msg, NULL);
        lq_error_hint(l->e, "%s", inner.hint);
    }
    return err;
}

static enum lq_err value_pair(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    struct derived *d = ctx;
    const char *to;
    enum lq_err err = yaml_text(l, v, "a value", &to);
    (void)k;
    if (err == LQ_OK) {
        if (d->values.n == MAP_MAX) {
            return yaml_fail(l, k->start_mark, 1, "too many values:", name);
        }
        d->mapped[d->values.n] = to;
        lq_map_set(&d->values, lq_str_of(name), d->values.n);
    }
    return err;
}

enum lq_err load_derived(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    struct format *f = l->f;
    (void)ctx;
    if (f->n_derived == DERIVE_MAX) {
        return yaml_fail(l, k->start_mark, 1, "too many derived fields:", name);
    }
    struct derived *d = &f->derived[f->n_derived];
    struct derive_args a = {.d = d};
    d->name = name;
    memset(d->arg, 0xff, sizeof d->arg);
    enum lq_err err = yaml_each_pair(l, v, name, derive_key, &a);
    if (err != LQ_OK) {
        return err;
    }
    if (a.from == NULL) {
        return yaml_fail(l, k->start_mark, k->data.scalar.length, "no kind (route, status_class, cidr, map, shape, regex, asset, level, severity, exception, frame, level_in, session_end) for", name);
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
        return yaml_unknown(l, a.from_node, "field", names, f->n_fields);
    }
    if (a.arg_key != NULL && d->kind != DERIVE_SESSION_END) {
        return yaml_fail(l, a.arg_key->start_mark, a.arg_key->data.scalar.length, "only session_end has this key, not", name);
    }
    if (d->kind == DERIVE_SESSION_END && d->arg[SESSION_TARGET] == UINT32_MAX) {
        return yaml_fail(l, k->start_mark, k->data.scalar.length, "target: is missing for", name);
    }
    if (d->kind == DERIVE_CIDR) {
        d->cidr = cidr_map_new();
        return a.map != NULL ? yaml_each_pair(l, a.map, "map", cidr_pair, d) : yaml_fail(l, k->start_mark, 1, "map: {network: label} is missing for", name);
    }
    if (d->kind == DERIVE_MAP) {
        d->mapped = lq_arena_alloc(&f->mem, MAP_MAX * sizeof *d->mapped);
        return a.values != NULL ? yaml_each_pair(l, a.values, "values", value_pair, d)
                                : yaml_fail(l, k->start_mark, 1, "values: {from: to} is missing for", name);
    }
    if (d->kind == DERIVE_REGEX) {
        struct lq_error inner = {0};
        size_t at;
        if (a.pattern == NULL) {
            return yaml_fail(l, k->start_mark, 1, "pattern is missing for", name);
        }
        if (matcher_new(a.pattern, false, f->match_limit, f->depth_limit, &d->regex, &at, &inner) != LQ_OK) {
            return yaml_fail(l, a.pattern_node->start_mark, 1, inner.msg, NULL);
        }
    }
    return LQ_OK;
}
