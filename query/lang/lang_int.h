/*
 * lang_int.h - what the parts of the parser share
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_LANG_INT_H
#define LQ_LANG_INT_H

#include "query/lang/lang.h"

struct lang_parser {
    struct query *q;
    const char *p, *end;
    struct lq_error *e;
    bool failed; /* the first error stands */
    unsigned nodes;
};

/* lang.c: characters, words, errors */
void lang__fail(struct lang_parser *p, const char *at, size_t width, const char *msg);
void lang__blanks(struct lang_parser *p);
lq_str lang__peek(struct lang_parser *p); /* the word that stands here, n = 0 if none */
bool lang__keyword(struct lang_parser *p, const char *k);
bool lang__symbol(struct lang_parser *p, char c);
void *lang__node(struct lang_parser *p, size_t size);
/* lang_filter.c */
struct filter *lang__filter(struct lang_parser *p);
bool lang__comparison(struct lang_parser *p, enum filter_op *op);
/* lang_columns.c */
const struct lang_function *lang__function(lq_str w, double *q);
void lang__columns(struct lang_parser *p);
void lang__count_column(struct lang_parser *p); /* the column `count`, for a query that has none */
/* lang_stage.c */
void lang__by_and_every(struct lang_parser *p);
bool lang__at_stage(struct lang_parser *p); /* does a stage's name stand here? */
void lang__stage(struct lang_parser *p);
bool lang__is_stage(lq_str word);
void lang__finish(struct lang_parser *p); /* names of compared columns, ranks */

#endif
