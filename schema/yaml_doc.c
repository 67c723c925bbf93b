/*
 * yaml_doc.c - strict YAML on libyaml's document tree (yaml_doc.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/yaml_doc.h"

#include <stdlib.h>
#include <yaml.h>

#include "schema/timefmt.h"

struct yaml_doc {
    char file[256];
    lq_str text;
    yaml_document_t doc;
};

static yaml_node_t *node_of(const struct yaml_doc *d, int node)
{
    return yaml_document_get_node((yaml_document_t *)(uintptr_t)&d->doc, node);
}

static void place(const struct yaml_doc *d, size_t line_no, size_t column, size_t width, struct lq_error *e)
{
    const char *line = d->text.p, *end = d->text.p + d->text.n;
    for (size_t i = 0; i < line_no && line < end; i++) {
        const char *nl = memchr(line, '\n', (size_t)(end - line));
        line = nl != NULL ? nl + 1 : end;
    }
    const char *stop = line < end ? memchr(line, '\n', (size_t)(end - line)) : NULL;
    lq_error_where(e, d->file, (uint32_t)line_no + 1, (uint32_t)column + 1, (uint32_t)(width > 0 ? width : 1), line,
                   (size_t)((stop != NULL ? stop : end) - line));
}

enum lq_err yaml_doc_fail(const struct yaml_doc *d, int node, struct lq_error *e, const char *fmt, ...)
{
    char msg[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    lq_error_set(e, LQ_EINVAL, "%s", msg);
    yaml_node_t *n = node_of(d, node);
    if (n != NULL && e != NULL) {
        size_t width = n->type == YAML_SCALAR_NODE && n->end_mark.line == n->start_mark.line ? n->end_mark.column - n->start_mark.column : 1;
        place(d, n->start_mark.line, n->start_mark.column, width, e);
    }
    return LQ_EINVAL;
}

enum lq_err yaml_doc_unknown(const struct yaml_doc *d, int node, const char *what, const char *const *names, size_t n, struct lq_error *e)
{
    const yaml_node_t *x = node_of(d, node);
    const char *word = x->type == YAML_SCALAR_NODE ? (const char *)x->data.scalar.value : "";
    const char *near = lq_nearest(word, strlen(word), names, n);
    yaml_doc_fail(d, node, e, "unknown %s \"%s\"", what, word);
    if (near != NULL) {
        lq_error_hint(e, "did you mean %s?", near);
    } else {
        char list[200] = "";
        for (size_t i = 0, at = 0; i < n && at < sizeof list - 1; i++) {
            at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", i > 0 ? ", " : "", names[i]);
        }
        lq_error_hint(e, "known: %s", list);
    }
    return LQ_EINVAL;
}

/* Keys are texts and stand once; a node that was reached twice is an alias. */
static enum lq_err check(const struct yaml_doc *d, int node, bool *seen, struct lq_error *e)
{
    const yaml_node_t *n = node_of(d, node);
    enum lq_err err = LQ_OK;
    if (seen[node]) {
        return yaml_doc_fail(d, node, e, "an alias (*name) is not supported here");
    }
    seen[node] = true;
    if (n->type == YAML_SCALAR_NODE && memchr(n->data.scalar.value, '\0', n->data.scalar.length) != NULL) {
        return yaml_doc_fail(d, node, e, "a NUL byte");
    }
    for (size_t i = 0; n->type == YAML_SEQUENCE_NODE && i < yaml_doc_len(d, node) && err == LQ_OK; i++) {
        err = check(d, yaml_doc_item(d, node, i), seen, e);
    }
    for (size_t i = 0; n->type == YAML_MAPPING_NODE && i < yaml_doc_len(d, node) && err == LQ_OK; i++) {
        int key = yaml_doc_key_node(d, node, i);
        if (node_of(d, key)->type != YAML_SCALAR_NODE) {
            return yaml_doc_fail(d, key, e, "a key must be a text");
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(yaml_doc_key(d, node, k), yaml_doc_key(d, node, i)) == 0) {
                return yaml_doc_fail(d, key, e, "\"%s\" stands here twice", yaml_doc_key(d, node, i));
            }
        }
        err = check(d, yaml_doc_value(d, node, i), seen, e);
    }
    return err;
}

static enum lq_err load(struct yaml_doc *d, struct lq_error *e)
{
    yaml_parser_t p;
    yaml_document_t next;
    LQ_ASSERT(yaml_parser_initialize(&p));
    yaml_parser_set_input_string(&p, (const unsigned char *)d->text.p, d->text.n);
    if (!yaml_parser_load(&p, &d->doc)) {
        lq_error_set(e, LQ_EINVAL, "no valid YAML: %s", p.problem != NULL ? p.problem : "cannot read it");
        if (e != NULL) {
            place(d, p.problem_mark.line, p.problem_mark.column, 1, e);
        }
        yaml_parser_delete(&p);
        memset(&d->doc, 0, sizeof d->doc);
        return LQ_EINVAL;
    }
    bool more = yaml_parser_load(&p, &next) && yaml_document_get_root_node(&next) != NULL;
    if (more) {
        lq_error_set(e, LQ_EINVAL, "%s holds a second YAML document", d->file);
    }
    yaml_document_delete(&next);
    yaml_parser_delete(&p);
    return more ? LQ_EINVAL : LQ_OK;
}

enum lq_err yaml_doc_parse(const char *file, lq_str text, struct yaml_doc **out, struct lq_error *e)
{
    if (text.n > YAML_BYTES_MAX) {
        return lq_error_set(e, LQ_ELIMIT, "%s is longer than %d bytes", file, YAML_BYTES_MAX);
    }
    struct yaml_doc *d = lq_alloc(sizeof *d);
    snprintf(d->file, sizeof d->file, "%s", file);
    d->text = (lq_str){lq_strdup(text), text.n};
    enum lq_err err = load(d, e);
    if (err == LQ_OK && yaml_doc_root(d) != 0) {
        size_t n = (size_t)(d->doc.nodes.top - d->doc.nodes.start) + 1;
        bool *seen = lq_alloc(n);
        err = check(d, yaml_doc_root(d), seen, e);
        free(seen);
    }
    if (err != LQ_OK) {
        yaml_doc_free(&d);
        return err;
    }
    *out = d;
    return LQ_OK;
}

void yaml_doc_free(struct yaml_doc **dp)
{
    if (*dp != NULL) {
        yaml_document_delete(&(*dp)->doc);
        free((void *)(uintptr_t)(*dp)->text.p);
        free(*dp);
        *dp = NULL;
    }
}

int yaml_doc_root(const struct yaml_doc *d)
{
    return d->doc.nodes.top > d->doc.nodes.start ? 1 : 0;
}

enum yaml_kind yaml_doc_kind(const struct yaml_doc *d, int node)
{
    const yaml_node_t *n = node_of(d, node);
    if (n == NULL) {
        return YAML_EMPTY;
    }
    bool plain = n->type == YAML_SCALAR_NODE && n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (plain && (n->data.scalar.length == 0 || strcmp((const char *)n->data.scalar.value, "null") == 0 || strcmp((const char *)n->data.scalar.value, "~") == 0)) {
        return YAML_EMPTY;
    }
    return n->type == YAML_SCALAR_NODE ? YAML_TEXT : n->type == YAML_SEQUENCE_NODE ? YAML_LIST : YAML_MAP;
}

size_t yaml_doc_len(const struct yaml_doc *d, int node)
{
    const yaml_node_t *n = node_of(d, node);
    if (n == NULL || n->type == YAML_SCALAR_NODE) {
        return 0;
    }
    return n->type == YAML_SEQUENCE_NODE ? (size_t)(n->data.sequence.items.top - n->data.sequence.items.start)
                                         : (size_t)(n->data.mapping.pairs.top - n->data.mapping.pairs.start);
}

int yaml_doc_item(const struct yaml_doc *d, int list, size_t i)
{
    return node_of(d, list)->data.sequence.items.start[i];
}

int yaml_doc_key_node(const struct yaml_doc *d, int map, size_t i)
{
    return node_of(d, map)->data.mapping.pairs.start[i].key;
}

const char *yaml_doc_key(const struct yaml_doc *d, int map, size_t i)
{
    return (const char *)node_of(d, yaml_doc_key_node(d, map, i))->data.scalar.value;
}

int yaml_doc_value(const struct yaml_doc *d, int map, size_t i)
{
    return node_of(d, map)->data.mapping.pairs.start[i].value;
}

enum lq_err yaml_doc_want(const struct yaml_doc *d, int node, enum yaml_kind kind, const char *what, struct lq_error *e)
{
    static const char *const names[] = {"nothing", "a text", "a list", "a map of names and values"};
    enum yaml_kind is = yaml_doc_kind(d, node);
    return is == kind ? LQ_OK : yaml_doc_fail(d, node, e, "%s must be %s, not %s", what, names[kind], names[is]);
}

enum lq_err yaml_doc_text(const struct yaml_doc *d, int node, const char *what, const char **out, struct lq_error *e)
{
    enum lq_err err = yaml_doc_want(d, node, YAML_TEXT, what, e);
    if (err == LQ_OK) {
        *out = (const char *)node_of(d, node)->data.scalar.value;
    }
    return err;
}

/* Decimal digits, no leading zero; *rest is what follows. */
static bool digits(const char *s, uint64_t *out, const char **rest)
{
    uint64_t v = 0;
    const char *p = s;
    while (*p >= '0' && *p <= '9') {
        if (v > (UINT64_MAX - 9) / 10) {
            return false;
        }
        v = v * 10 + (uint64_t)(*p++ - '0');
    }
    *out = v;
    *rest = p;
    return p > s && !(p - s > 1 && s[0] == '0');
}

enum lq_err yaml_doc_number(const struct yaml_doc *d, int node, const char *what, uint64_t min, uint64_t max, uint64_t *out, struct lq_error *e)
{
    const char *s, *rest;
    uint64_t v;
    enum lq_err err = yaml_doc_text(d, node, what, &s, e);
    if (err != LQ_OK) {
        return err;
    }
    if (!digits(s, &v, &rest) || *rest != '\0' || v < min || v > max) {
        return yaml_doc_fail(d, node, e, "%s must be a number from %llu to %llu, not \"%s\"", what, (unsigned long long)min, (unsigned long long)max, s);
    }
    *out = v;
    return LQ_OK;
}

enum lq_err yaml_doc_bytes(const struct yaml_doc *d, int node, const char *what, uint64_t min, uint64_t max, uint64_t *out, struct lq_error *e)
{
    static const struct {
        const char *name;
        uint64_t n;
    } units[] = {{"", 1}, {"B", 1}, {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30}, {"TiB", 1ULL << 40},
                 {"kB", 1000}, {"MB", 1000000}, {"GB", 1000000000}, {"TB", 1000000000000}};
    const char *s, *rest;
    uint64_t v;
    enum lq_err err = yaml_doc_text(d, node, what, &s, e);
    if (err != LQ_OK) {
        return err;
    }
    for (size_t i = 0; digits(s, &v, &rest) && i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(units[i].name, rest) == 0 && v <= UINT64_MAX / units[i].n && v * units[i].n >= min && v * units[i].n <= max) {
            *out = v * units[i].n;
            return LQ_OK;
        }
    }
    yaml_doc_fail(d, node, e, "%s must be a size from %llu to %llu bytes, not \"%s\"", what, (unsigned long long)min, (unsigned long long)max, s);
    lq_error_hint(e, "like 64KiB, 10MiB or 2GiB");
    return LQ_EINVAL;
}

enum lq_err yaml_doc_duration(const struct yaml_doc *d, int node, const char *what, int64_t min_us, int64_t max_us, int64_t *out, struct lq_error *e)
{
    const char *s;
    char low[64], high[64];
    int64_t v;
    enum lq_err err = yaml_doc_text(d, node, what, &s, e);
    if (err != LQ_OK) {
        return err;
    }
    if (duration_parse(lq_str_of(s), &v, NULL) == LQ_OK && v >= min_us && v <= max_us) {
        *out = v;
        return LQ_OK;
    }
    snprintf(low, sizeof low, "%lldms", (long long)(min_us / 1000));
    if (min_us >= 1000000) {
        duration_print(min_us, low, sizeof low);
    }
    duration_print(max_us, high, sizeof high);
    yaml_doc_fail(d, node, e, "%s must be a duration from %s to %s, not \"%s\"", what, low, high, s);
    lq_error_hint(e, "like 500ms, 30s, 5m, 2h or 7d");
    return LQ_EINVAL;
}

enum lq_err yaml_doc_bool(const struct yaml_doc *d, int node, const char *what, bool *out, struct lq_error *e)
{
    const char *s;
    enum lq_err err = yaml_doc_text(d, node, what, &s, e);
    if (err != LQ_OK) {
        return err;
    }
    if (strcmp(s, "true") != 0 && strcmp(s, "false") != 0) {
        return yaml_doc_fail(d, node, e, "%s must be true or false, not \"%s\"", what, s);
    }
    *out = s[0] == 't';
    return LQ_OK;
}

enum lq_err yaml_doc_choice(const struct yaml_doc *d, int node, const char *what, const char *const *names, size_t n, size_t *out, struct lq_error *e)
{
    const char *s;
    enum lq_err err = yaml_doc_text(d, node, what, &s, e);
    for (size_t i = 0; i < n && err == LQ_OK; i++) {
        if (strcmp(names[i], s) == 0) {
            *out = i;
            return LQ_OK;
        }
    }
    return err != LQ_OK ? err : yaml_doc_unknown(d, node, what, names, n, e);
}
