/*
 * labels.h - labels of a source: host, service, version, env and custom ones
 *
 * They are given (`--label 'host={dir}'`, config) or recognised in the path: "web-1/access.log", "access-web-1.log",
 * "logs/web-1.example.org/nginx/access.log.2.gz" -> host; a recognised host is a path part that looks like one:
 * letters, '-' and a number at the end (web-1, db02), or a dotted name; never the words access, error, app, log(s) …
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_LABELS_H
#define LQ_LABELS_H

#include "schema/record.h"

enum { LABEL_MAX = 12 };
struct labels {
    uint32_t n;
    struct {
        char name[NAME_BYTES_MAX];
        char value[128];
    } l[LABEL_MAX];
};

/* One --label argument: NAME=TEMPLATE with {dir} (last directory), {file} (name without .log .gz .zst .N), {1}…{9} (groups of
 * --label-from). Kept as text until a path is known. */
struct label_rules {
    uint32_t n;
    char name[LABEL_MAX][NAME_BYTES_MAX];
    char template[LABEL_MAX][128];
    const char *from_regex; /* NULL or --label-from */
};
LQ_MUST enum lq_err label_rules_add(struct label_rules *r, const char *arg, struct lq_error *e);
LQ_MUST enum lq_err label_rules_from(struct label_rules *r, const char *regex, struct lq_error *e); /* checks the regex */
/* Labels of one source: rules applied, then what the path shows (only for names that no rule gave). */
LQ_MUST enum lq_err labels_resolve(const struct label_rules *r, const char *path, struct labels *out, struct lq_error *e);
/* Value of a label, n = 0 if absent. */
lq_str labels_get(const struct labels *l, const char *name);
/* Canonical text "env=prod,host=web-1" (sorted), for source identities. */
void labels_print(const struct labels *l, struct lq_buf *out);

#endif
