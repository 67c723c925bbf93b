/*
 * json_scan.h - the fields of a JSON line, without building a tree
 *
 * One pass over a JSON object; for every scalar member whose dotted path ("a.b", arrays: "a.0") is wanted, a view of
 * its value. Strings are unescaped only when they contain a backslash (into scratch). It accepts exactly the texts that
 * RFC 8259 accepts for objects (checked against Jansson by tests/fuzz/fuzz_json.c): depth at most 32, a duplicate key's last value wins,
 * no trailing bytes but white space; bytes that are no UTF-8 pass. A key that has a dot itself ("log.level") is found by its path too. Never reads past the line.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_JSON_SCAN_H
#define LQ_JSON_SCAN_H

#include "schema/base/buf.h"

enum json_type { LQ_JSON_ABSENT = 0, LQ_JSON_STRING, LQ_JSON_NUMBER, LQ_JSON_TRUE, LQ_JSON_FALSE, LQ_JSON_NULL, LQ_JSON_OBJECT, LQ_JSON_ARRAY };

struct json_value {
    enum json_type type;
    lq_str text; /* string: unescaped content; others: the raw text */
};

struct json_paths; /* a compiled set of wanted dotted paths, immutable */
struct json_paths *json_paths_new(const char *const *paths, size_t n);
void json_paths_free(struct json_paths **p);

/* out[i] for path i (LQ_JSON_ABSENT when not there). scratch is appended to; views into it stay valid until it is cleared
 * (it is reserved up front to line.n, so it never moves). false: not a JSON object; *error_at gets the byte offset. */
bool json_scan(const struct json_paths *p, lq_str line, struct json_value *out, struct lq_buf *scratch,
               size_t *error_at);

/* Every scalar of the object in order, for inference: path, value. Return false from fn to stop. */
typedef bool json_each_fn(void *ctx, lq_str path, struct json_value v);
bool json_each(lq_str line, json_each_fn *fn, void *ctx, struct lq_buf *scratch, size_t *error_at);

#endif
