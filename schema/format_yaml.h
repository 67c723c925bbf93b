/*
 * format_yaml.h - strict reading of YAML nodes: each conversion is checked, and an error names file:line:column
 *
 * Shared by the format_load*.c files. libyaml's document tree keeps the position of every node.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_FORMAT_YAML_H
#define LQ_FORMAT_YAML_H

#include <yaml.h>

#include "schema/format_int.h"

struct loader {
    const char *file;
    lq_str text;
    yaml_document_t doc;
    struct format *f;
    struct lq_error *e;
};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* Always LQ_EINVAL: msg and detail (may be NULL) at a place. */
enum lq_err yaml_fail(struct loader *l, yaml_mark_t m, size_t width, const char *msg, const char *detail);
/* Always LQ_EINVAL: "unknown WHAT word", with the nearest of the names as hint. */
enum lq_err yaml_unknown(struct loader *l, const yaml_node_t *n, const char *what, const char *const *names, size_t n_names);
/* A text without NUL bytes, copied into the format's memory. */
enum lq_err yaml_text(struct loader *l, const yaml_node_t *n, const char *what, const char **out);
enum lq_err yaml_number(struct loader *l, const yaml_node_t *n, const char *what, uint32_t max, uint32_t *out);

LQ_MUST enum lq_err yaml_predicate(struct loader *l, const yaml_node_t *node, const char *text, struct predicate **out);

typedef enum lq_err yaml_pair_fn(struct loader *l, const yaml_node_t *key, const char *name, yaml_node_t *value, void *ctx);
/* Each pair of a mapping; duplicate keys are refused. */
enum lq_err yaml_each_pair(struct loader *l, yaml_node_t *n, const char *what, yaml_pair_fn *fn, void *ctx);
enum lq_err yaml_each_item(struct loader *l, yaml_node_t *n, const char *what, enum lq_err (*fn)(struct loader *, yaml_node_t *, void *), void *ctx);
int yaml_index(const char *s, const char *const *names, size_t n); /* -1: none of them */

/* format_load_fields.c: the mappings fields: and derive: */
enum lq_err load_field(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx);
enum lq_err load_derived(struct loader *l, const yaml_node_t *k, const char *name, yaml_node_t *v, void *ctx);
/* A field of the format, by its name. */
enum lq_err load_field_slot(struct loader *l, const yaml_node_t *n, const char *what, uint32_t *out);

#endif
