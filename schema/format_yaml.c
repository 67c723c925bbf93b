/*
 * format_yaml.c - strict reading of YAML nodes (format_yaml.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/format_yaml.h"

#include <errno.h>
#include <stdlib.h>

enum lq_err yaml_fail(struct loader *l, yaml_mark_t m, size_t width, const char *msg, const char *detail)
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

enum lq_err yaml_unknown(struct loader *l, const yaml_node_t *n, const char *what, const char *const *names, size_t n_names)
{
    const char *word = (const char *)n->data.scalar.value;
    const char *near = lq_nearest(word, n->data.scalar.length, names, n_names);
    char msg[128];
    snprintf(msg, sizeof msg, "unknown %s", what);
    yaml_fail(l, n->start_mark, n->data.scalar.length, msg, word);
    if (near != NULL) {
        lq_error_hint(l->e, "did you mean %s?", near);
    }
    return LQ_EINVAL;
}

enum lq_err yaml_text(struct loader *l, const yaml_node_t *n, const char *what, const char **out)
{
    if (n->type != YAML_SCALAR_NODE) {
        return yaml_fail(l, n->start_mark, 1, "a text is expected for", what);
    }
    if (memchr(n->data.scalar.value, '\0', n->data.scalar.length) != NULL) {
        return yaml_fail(l, n->start_mark, 1, "a NUL byte in", what);
    }
    *out = lq_arena_strdup(&l->f->mem, (lq_str){(const char *)n->data.scalar.value, n->data.scalar.length});
    return LQ_OK;
}

enum lq_err yaml_number(struct loader *l, const yaml_node_t *n, const char *what, uint32_t max, uint32_t *out)
{
    const char *s;
    char *end;
    enum lq_err err = yaml_text(l, n, what, &s);
    if (err != LQ_OK) {
        return err;
    }
    errno = 0;
    unsigned long v = strtoul(s, &end, 10);
    if (s[0] < '0' || s[0] > '9' || *end != '\0' || errno != 0 || v > max || (s[0] == '0' && s[1] != '\0')) {
        return yaml_fail(l, n->start_mark, n->data.scalar.length, "a whole number is expected for", what);
    }
    *out = (uint32_t)v;
    return LQ_OK;
}

enum lq_err yaml_predicate(struct loader *l, const yaml_node_t *node, const char *text, struct predicate **out)
{
    struct lq_error inner = {0};
    if (predicate_new(l->f, lq_str_of(text), out, &inner) == LQ_OK) {
        return LQ_OK;
    }
    yaml_mark_t m = node->start_mark;
    m.column += inner.column + (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? 0U : 1U) - 1;
    yaml_fail(l, m, inner.width, inner.msg, NULL);
    lq_error_hint(l->e, "%s", inner.hint);
    return LQ_EINVAL;
}

/* Each pair of a mapping; duplicate keys are refused. */
enum lq_err yaml_each_pair(struct loader *l, yaml_node_t *n, const char *what, yaml_pair_fn *fn, void *ctx)
{
    if (n->type != YAML_MAPPING_NODE) {
        return yaml_fail(l, n->start_mark, 1, "a mapping (key: value) is expected for", what);
    }
    for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
        yaml_node_t *k = yaml_document_get_node(&l->doc, p->key), *v = yaml_document_get_node(&l->doc, p->value);
        const char *name;
        enum lq_err err = yaml_text(l, k, "a key", &name);
        for (yaml_node_pair_t *q = n->data.mapping.pairs.start; q < p && err == LQ_OK; q++) {
            yaml_node_t *other = yaml_document_get_node(&l->doc, q->key);
            if (strcmp((const char *)other->data.scalar.value, name) == 0) {
                err = yaml_fail(l, k->start_mark, k->data.scalar.length, "twice:", name);
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

int yaml_index(const char *s, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(s, names[i]) == 0) {
            return (int)i;
        }
    }
    return -1;
}

enum lq_err yaml_each_item(struct loader *l, yaml_node_t *n, const char *what, enum lq_err (*fn)(struct loader *, yaml_node_t *, void *), void *ctx)
{
    if (n->type != YAML_SEQUENCE_NODE) {
        return yaml_fail(l, n->start_mark, 1, "a list is expected for", what);
    }
    for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top; i++) {
        enum lq_err err = fn(l, yaml_document_get_node(&l->doc, *i), ctx);
        if (err != LQ_OK) {
            return err;
        }
    }
    return LQ_OK;
}
