/*
 * format_inner.c - a line inside a line: the access log that came by syslog
 *
 * An envelope (a format with `inner: FIELD`) gives the host, the service and a message; when the message is itself a line of another format, the record is
 * that format's, with host and service from the envelope as if they were labels. The pair is a format of its own, named OUTER+INNER, made when it
 * is first asked for; INNER may be a pair again (a CSV of Docker's JSON of Java's lines). Messages that the inner format does not match stay records
 * of the envelope.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "schema/format_int.h"

/* How many envelopes a line of f has, its own included when it is one. */
static unsigned envelopes(const struct format *f)
{
    unsigned n = 0;
    for (; f->inner != NULL; f = f->inner) {
        n++;
    }
    return n;
}

enum lq_err format_pair(struct format_set *s, const struct format *outer, const struct format *inner, const struct format **out, struct lq_error *e)
{
    char name[NAME_BYTES_MAX];
    if (outer->inner_slot == UINT32_MAX || outer == inner || envelopes(inner) >= INNER_MAX) {
        lq_error_set(e, LQ_EINVAL, "%s+%s: %s", outer->name, inner->name,
                     outer->inner_slot == UINT32_MAX ? "the first format carries no lines of another" : outer == inner ? "a format in itself" : "too many envelopes");
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

lq_str format_unmark(lq_str m)
{
    if (m.n >= 5 && memcmp(m.p, "@cee:", 5) == 0) { /* structured syslog says so in front */
        m = (lq_str){m.p + 5, m.n - 5};
    }
    while (m.n > 0 && m.p[0] == ' ') {
        m = (lq_str){m.p + 1, m.n - 1};
    }
    return m;
}
