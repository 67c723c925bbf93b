/*
 * lang.c - recursive descent over the query's text (lang.h has the grammar): words, errors, and the whole
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <strings.h>

#include "query/lang/lang_int.h"

void lang__fail(struct lang_parser *p, const char *at, size_t width, const char *msg)
{
    if (!p->failed) {
        query_error_at(p->q, p->e, (uint32_t)(at - p->q->text.p), width, msg);
        p->failed = true;
    }
}

enum lq_err query_error_at(const struct query *q, struct lq_error *e, uint32_t at, size_t width, const char *msg)
{
    const char *start = q->text.p, *end = start + q->text.n; /* a query may have lines: the one with the error is shown */
    for (const char *p = start; p < q->text.p + at; p++) {
        start = *p == '\n' ? p + 1 : start;
    }
    const char *nl = memchr(q->text.p + at, '\n', q->text.n - at);
    end = nl != NULL ? nl : end;
    lq_error_set(e, LQ_EINVAL, "%s", msg);
    lq_error_where(e, "query", 1, (uint32_t)(q->text.p + at - start) + 1, (uint32_t)width, start, (size_t)(end - start));
    if (e != NULL) {
        e->line = 0;
    }
    return LQ_EINVAL;
}

void lang__blanks(struct lang_parser *p)
{
    for (;;) {
        while (p->p < p->end && (*p->p == ' ' || *p->p == '\t' || *p->p == '\n' || *p->p == '\r')) {
            p->p++;
        }
        if (p->p == p->end || *p->p != '#') {
            return;
        }
        while (p->p < p->end && *p->p != '\n') { /* a comment */
            p->p++;
        }
    }
}

static bool word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '@' || (unsigned char)c >= 0x80;
}

lq_str lang__peek(struct lang_parser *p)
{
    lang__blanks(p);
    const char *q = p->p;
    while (q < p->end && word_char(*q)) {
        q++;
    }
    return (lq_str){p->p, (size_t)(q - p->p)};
}

bool lang__keyword(struct lang_parser *p, const char *k)
{
    lq_str w = lang__peek(p);
    if (w.n == strlen(k) && strncasecmp(w.p, k, w.n) == 0) { /* AND, BY: as SQL people type */
        p->p += w.n;
        return true;
    }
    return false;
}

bool lang__symbol(struct lang_parser *p, char c)
{
    lang__blanks(p);
    if (p->p < p->end && *p->p == c) {
        p->p++;
        return true;
    }
    return false;
}

void *lang__node(struct lang_parser *p, size_t size)
{
    if (++p->nodes > QUERY_NODES_MAX) {
        lang__fail(p, p->p, 1, "the query is too long");
    }
    return lq_arena_alloc(&p->q->mem, size);
}

/* Does the text begin with a filter? It does unless a function, number or parenthesised column stands first. */
static bool begins_with_filter(struct lang_parser *p)
{
    lq_str w = lang__peek(p);
    const char *save = p->p;
    if (w.n == 0) {
        while (lang__symbol(p, '(')) {
        }
        w = lang__peek(p);
        p->p = save;
    }
    if (lq_str_is(w, "not")) {
        return true;
    }
    enum filter_op op;
    p->p = w.p + w.n;
    bool compares = lang__comparison(p, &op) || lang__keyword(p, "in") || (lang__keyword(p, "not") && lang__keyword(p, "in"));
    static const char *const almost[] = {"like", "contains", "matches", "is", "equals", "eq"}; /* said in the filter's terms */
    lq_str next = lang__peek(p);
    compares = compares || (w.n > 0 && p->p < p->end && *p->p == ':');
    for (size_t i = 0; w.n > 0 && i < sizeof almost / sizeof almost[0]; i++) {
        compares = compares || lq_str_is(next, almost[i]);
    }
    p->p = save;
    return compares;
}

static void rest_of_query(struct lang_parser *p)
{
    static const char *const words[] = {"by", "every"}, *const joins[] = {"and", "or"};
    lang__by_and_every(p);
    while (!p->failed && lang__symbol(p, '|')) {
        lang__stage(p);
    }
    lang__blanks(p);
    if (p->failed || p->p == p->end) {
        return;
    }
    lq_str w = lang__peek(p);
    if (lq_str_is(w, "where") || lq_str_is(w, joins[0]) || lq_str_is(w, joins[1])) {
        lang__fail(p, p->p, w.n, "the filter stands before the columns");
        lq_error_hint(p->e, "like: status >= 500 | count by route");
        return;
    }
    const char *near = lq_nearest(w.p, w.n, words, 2);
    lang__fail(p, p->p, w.n > 0 ? w.n : 1, "by, every, | or the end of the query expected here");
    if (near != NULL && w.n > 0) {
        lq_error_hint(p->e, "did you mean %s?", near);
    } else if (lang__function(w, &(double){0}) != NULL) {
        lq_error_hint(p->e, "columns are separated by commas, like: count, errors by host");
    } else if (lang__is_stage(w)) {
        lq_error_hint(p->e, "a | stands before it: | %.*s", (int)w.n, w.p);
    } else if (w.n == 0 && (*p->p == '=' || *p->p == '<' || *p->p == '>' || *p->p == '~' || *p->p == '!')) {
        lq_error_hint(p->e, "the filter stands before the columns, like: status >= 500 | count by route");
    }
}

/* After the filter: | and columns, | and a stage, or nothing. */
static void after_filter(struct lang_parser *p)
{
    lq_str w = lang__peek(p);
    const char *save = p->p;
    if (p->p == p->end || lq_str_is(w, "by") || lq_str_is(w, "every")) {
        lang__count_column(p);
        return;
    }
    if (!lang__symbol(p, '|')) {
        lang__fail(p, p->p, w.n > 0 ? w.n : 1, "and, or or | expected here");
        if (*p->p == '&') {
            lq_error_hint(p->e, "write and");
        } else if (*p->p == ',') {
            lq_error_hint(p->e, "write and, or or; a list of values is like: status in (500, 502)");
        } else if (lang__function(w, &(double){0}) != NULL) {
            lq_error_hint(p->e, "a | stands between the filter and the columns, like: status >= 500 | count by route");
        } else {
            lq_error_hint(p->e, "a value of several words needs quotes");
        }
        return;
    }
    w = lang__peek(p);
    if (lang__at_stage(p)) {
        p->p = save; /* the stages come next; what is left out is count */
        lang__count_column(p);
    } else if (lq_str_is(w, "by") || lq_str_is(w, "every")) {
        lang__count_column(p);
    } else {
        lang__columns(p);
    }
}

static void parse_query(struct lang_parser *p)
{
    lang__blanks(p);
    if (p->p == p->end) {
        lang__fail(p, p->p, 1, "the query is empty");
        lq_error_hint(p->e, "for example: errors / count by host every 5m");
        return;
    }
    if (lang__keyword(p, "where")) { /* as SQL people begin */
        lang__blanks(p);
    }
    if (begins_with_filter(p)) {
        p->q->filter = lang__filter(p);
        if (!p->failed) {
            after_filter(p);
        }
    } else if (lang__at_stage(p) && memchr(p->p, '(', (size_t)(p->end - p->p)) == NULL) {
        lang__count_column(p);
        lang__stage(p);
    } else {
        lang__columns(p);
    }
    if (!p->failed) {
        rest_of_query(p);
    }
    if (!p->failed) {
        lang__finish(p);
    }
}

enum lq_err query_parse(lq_str text, struct query **out, struct lq_error *e)
{
    if (text.n > QUERY_BYTES_MAX) {
        return lq_error_set(e, LQ_EINVAL, "the query is longer than %d bytes", QUERY_BYTES_MAX);
    }
    struct query *q = lq_alloc(sizeof *q);
    q->text = lq_arena_str(&q->mem, text);
    struct lang_parser p = {q, q->text.p, q->text.p + q->text.n, e, false, 0};
    parse_query(&p);
    if (p.failed) {
        query_free(&q);
        return LQ_EINVAL;
    }
    *out = q;
    return LQ_OK;
}

void query_free(struct query **q)
{
    if (*q != NULL) {
        lq_arena_fini(&(*q)->mem);
        free(*q);
        *q = NULL;
    }
}
