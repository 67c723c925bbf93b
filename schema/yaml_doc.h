/*
 * yaml_doc.h - strict YAML: a tree whose every node knows its place
 *
 * For what people write (the configuration of lqd). No silent conversion: "7d" is no number, "010" is no number, "yes" is no truth value. Each
 * error names file:line:column, shows the line with a caret, and suggests the nearest known name. Duplicate keys, aliases and second
 * documents are errors.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_YAML_DOC_H
#define LQ_YAML_DOC_H

#include <stdbool.h>

#include "schema/base/buf.h"

enum { YAML_BYTES_MAX = 1 << 20 };
enum yaml_kind { YAML_EMPTY, YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_doc;
LQ_MUST enum lq_err yaml_doc_parse(const char *file, lq_str text, struct yaml_doc **out, struct lq_error *e);
void yaml_doc_free(struct yaml_doc **d);

/* Nodes are numbers; 0 is no node. Texts live as long as the document. */
int yaml_doc_root(const struct yaml_doc *d);
enum yaml_kind yaml_doc_kind(const struct yaml_doc *d, int node);
size_t yaml_doc_len(const struct yaml_doc *d, int node);            /* items of a list, pairs of a map */
int yaml_doc_item(const struct yaml_doc *d, int list, size_t i);
const char *yaml_doc_key(const struct yaml_doc *d, int map, size_t i);
int yaml_doc_key_node(const struct yaml_doc *d, int map, size_t i);
int yaml_doc_value(const struct yaml_doc *d, int map, size_t i);

/* Conversions; `what` names the thing in the message ("listen"). */
LQ_MUST enum lq_err yaml_doc_text(const struct yaml_doc *d, int node, const char *what, const char **out, struct lq_error *e);
LQ_MUST enum lq_err yaml_doc_number(const struct yaml_doc *d, int node, const char *what, uint64_t min, uint64_t max, uint64_t *out, struct lq_error *e);
/* "64KiB", "10GiB", "1MB" or plain bytes. */
LQ_MUST enum lq_err yaml_doc_bytes(const struct yaml_doc *d, int node, const char *what, uint64_t min, uint64_t max, uint64_t *out, struct lq_error *e);
/* "30s", "5m", "7d": microseconds. */
LQ_MUST enum lq_err yaml_doc_duration(const struct yaml_doc *d, int node, const char *what, int64_t min_us, int64_t max_us, int64_t *out, struct lq_error *e);
LQ_MUST enum lq_err yaml_doc_bool(const struct yaml_doc *d, int node, const char *what, bool *out, struct lq_error *e);
LQ_MUST enum lq_err yaml_doc_want(const struct yaml_doc *d, int node, enum yaml_kind kind, const char *what, struct lq_error *e);
/* One of n names: its index. */
LQ_MUST enum lq_err yaml_doc_choice(const struct yaml_doc *d, int node, const char *what, const char *const *names, size_t n, size_t *out, struct lq_error *e);

/* An error at a node: the message is printf-like. */
enum lq_err yaml_doc_fail(const struct yaml_doc *d, int node, struct lq_error *e, const char *fmt, ...) LQ_PRINTF(4, 5);
enum lq_err yaml_doc_unknown(const struct yaml_doc *d, int node, const char *what, const char *const *names, size_t n, struct lq_error *e);

#endif
