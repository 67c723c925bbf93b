/*
 * format_load_markers.c - the list markers: of a format file (sighting.h has the keys)
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/format_yaml.h"
#include "schema/sighting_int.h"

static enum lq_err regex(struct loader *l, const yaml_node_t *n, const char *what, struct matcher **out)
{
    struct lq_error inner = {0};
    const char *pattern;
    size_t at = 0;
    enum lq_err err = yaml_text(l, n, what, &pattern);
    if (err == LQ_OK && *out != NULL) {
        err = yaml_fail(l, n->start_mark, 1, "twice:", what);
    }
    if (err == LQ_OK && matcher_new(pattern, false, l->f->match_limit, l->f->depth_limit, out, &at, &inner) != LQ_OK) {
        yaml_mark_t m = n->start_mark;
        m.column += n->data.scalar.style == YAML_LITERAL_SCALAR_STYLE ? 0 : at + (n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? 0 : 1);
        err = yaml_fail(l, m, 1, inner.msg, NULL);
    }
    return err;
}

static enum lq_err add_from(struct loader *l, yaml_node_t *n, void *ctx)
{
    struct sight_rule *r = ctx;
    if (r->n_from == SIGHT_FROM_MAX) {
        return yaml_fail(l, n->start_mark, 1, "too many services in from:", NULL);
    }
    return yaml_text(l, n, "from", &r->from[r->n_from++]);
}

static enum lq_err rule_key(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx)
{
    static const char *const keys[] = {"kind", "template", "when", "read", "from", "name", "service", "host", "version_of", "confidence", "called"};
    struct sight_rule *r = ctx;
    const char *text;
    enum lq_err err;
    switch (yaml_index(name, keys, COUNT(keys))) {
    case 0: {
        err = yaml_text(l, v, name, &text);
        int i = err == LQ_OK ? yaml_index(text, sighting_kinds, n_sighting_kinds) : 0;
        r->kind = err == LQ_OK && i >= 0 ? sighting_kinds[i] : NULL;
        return err == LQ_OK && i < 0 ? yaml_unknown(l, v, "kind of marker", sighting_kinds, n_sighting_kinds) : err;
    }
    case 1: return regex(l, v, name, &r->shape);
    case 2:
        err = yaml_text(l, v, name, &text);
        return err == LQ_OK ? yaml_predicate(l, v, text, &r->when) : err;
    case 3: return regex(l, v, name, &r->read);
    case 4: return v->type == YAML_SEQUENCE_NODE ? yaml_each_item(l, v, name, add_from, r) : add_from(l, v, r);
    case 5: return load_field_slot(l, v, name, &r->name);
    case 6: return load_field_slot(l, v, name, &r->service);
    case 7: return load_field_slot(l, v, name, &r->host);
    case 8: return load_field_slot(l, v, name, &r->of);
    case 9:
        err = yaml_number(l, v, name, 100, &r->confidence);
        return err == LQ_OK && r->confidence == 0 ? yaml_fail(l, v->start_mark, 1, "a confidence is 1 to 100 percent, not", "0") : err;
    case 10: return yaml_text(l, v, name, &r->called);
    default: return yaml_unknown(l, k, "key of a marker:", keys, COUNT(keys));
    }
}

static enum lq_err add_rule(struct loader *l, yaml_node_t *n, void *ctx)
{
    struct sight_rules *rules = ctx;
    if (rules->n == SIGHT_RULES_MAX) {
        return yaml_fail(l, n->start_mark, 1, "too many markers", NULL);
    }
    struct sight_rule *r = &rules->r[rules->n++];
    *r = (struct sight_rule){.confidence = 70, .name = UINT32_MAX, .service = UINT32_MAX, .host = UINT32_MAX, .of = UINT32_MAX};
    enum lq_err err = yaml_each_pair(l, n, "a marker", rule_key, r);
    if (err != LQ_OK) {
        return err;
    }
    if (r->kind == NULL || (r->shape == NULL && r->when == NULL && r->of == UINT32_MAX)) {
        return yaml_fail(l, n->start_mark, 1, r->kind == NULL ? "a marker needs kind:" : "a marker needs template:, when: or version_of:", NULL);
    }
    if (r->of != UINT32_MAX && r->name == UINT32_MAX) {
        return yaml_fail(l, n->start_mark, 1, "version_of: needs name:", NULL);
    }
    if (r->read != NULL) {
        r->group_name = matcher_group(r->read, "name");
        r->group_service = matcher_group(r->read, "service");
        r->group_host = matcher_group(r->read, "host");
    }
    return LQ_OK;
}

enum lq_err load_markers(struct loader *l, void *list)
{
    struct format *f = l->f;
    f->sights = lq_alloc(sizeof *f->sights); /* freed with the format */
    return yaml_each_item(l, list, "markers", add_rule, f->sights);
}
