/*
 * format_inner.c - a line inside a line: the access log that came by syslog
 *
 * An envelope (a format with `inner: FIELD`) gives the host, the service and a message; when the message is itself a line of another format, the record is
 * that format's, with host and service from the envelope as if they were labels. The pair is a format of its own, named OUTER+INNER, made when it
 * is first asked for; messages that the inner format does not match stay records of the envelope.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "schema/format_int.h"

enum { INNER_LEAST = 2, INNER_SHARE = 50 /* 1 in so many sample lines */ };

static bool may_be_inner(const struct format *f)
{
    return f->inner == NULL && f->inner_slot == UINT32_MAX;
}

enum lq_err format_pair(struct format_set *s, const struct format *outer, const struct format *inner, const struct format **out, struct lq_error *e)
{
    char name[NAME_BYTES_MAX];
    if (outer->inner_slot == UINT32_MAX || !may_be_inner(inner)) {
        lq_error_set(e, LQ_EINVAL, "%s+%s: %s", outer->name, inner->name,
                     may_be_inner(inner) ? "the first format carries no lines of another" : "the second format is an envelope itself");
        lq_error_hint(e, "an envelope is a format with inner: in its file, such as rfc3164");
        return LQ_EINVAL;
    }
    if ((size_t)snprintf(name, sizeof name, "%s+%s", outer->name, inner->name) >= sizeof name) {
        return lq_error_set(e, LQ_EINVAL, "%s+%s: the name is too long", outer->name, inner->name);
    }
    struct format *f = (struct format *)format_set_get(s, name);
    if (f == NULL) {
        f = lq_alloc(sizeof *f);
        f->name = lq_arena_strdup(&f->mem, lq_str_of(name));
        f->description = "lines of the second format in messages of the first";
        f->priority = outer->priority;
        f->schema = outer->schema;
        f->inner_slot = UINT32_MAX;
        f->outer = outer;
        f->inner = inner;
        format_set_put(s, f);
    }
    *out = f;
    return LQ_OK;
}

const struct format *format_detect_inner(struct format_set *s, const struct format *outer, lq_str sample, uint32_t *matched, uint32_t *lines)
{
    struct parser *p = NULL;
    struct parser_config c = {.format = outer, .reference_us = DETECT_REFERENCE_US};
    struct lq_buf messages = {0};
    const struct format *best = NULL;
    *matched = *lines = 0;
    if (outer->inner_slot == UINT32_MAX || parser_new(&c, &p, NULL) != LQ_OK) {
        return NULL;
    }
    while (sample.n > 0 && *lines < DETECT_LINES) {
        struct record r;
        lq_str line = format_next_line(&sample);
        ++*lines;
        if (parser_parse(p, line, &r) == PARSE_OK && r.message.n > 0) {
            lq_buf_add(&messages, r.message.p, r.message.n);
            lq_buf_byte(&messages, '\n');
        }
    }
    parser_free(&p);
    format_infer(s, (lq_str){messages.p, messages.n});
    for (size_t i = 0; i < s->n; i++) {
        if (may_be_inner(s->f[i])) {
            struct detect_score x = format_score(s->f[i], (lq_str){messages.p, messages.n}, true);
            if (x.matched > *matched || (x.matched == *matched && best != NULL && s->f[i]->priority > best->priority)) {
                *matched = x.matched;
                best = s->f[i];
            }
        }
    }
    lq_buf_fini(&messages);
    return *matched >= INNER_LEAST && *matched * INNER_SHARE >= *lines ? best : NULL;
}
