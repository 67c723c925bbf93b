/*
 * event.c - lines to events (event.h)
 *
 * Two parsers take turns: the record of the open event lies in one while the next line is parsed by the other. An event of several lines is parsed once more, whole,
 * when it is complete.
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/event.h"

#include <stdlib.h>

#include "schema/format_int.h"

struct events {
    event_fn *fn;
    void *ctx;
    bool joins;
    struct parser *parser[2];
    unsigned turn; /* of the open event's parser */
    bool open, kept, stale;
    lq_str text;          /* all lines of the open event */
    const char *seen;     /* behind the blank lines that followed it, which belong to it when more of it follows */
    size_t first_n;       /* bytes of its first line */
    uint32_t lines;       /* of it, or of what is handed on */
    struct record record; /* of its first line; its views are gone when stale */
    struct lq_buf copy;   /* its lines, when kept */
    struct lq_buf inside; /* its messages, joined, when it spans several envelopes */
    bool partial;         /* the envelope says that more of this message follows */
    bool whole_matches;   /* and now that it is whole, the inner format matches it */
};

static const struct format *innermost(const struct format *f)
{
    while (f->inner != NULL) {
        f = f->inner;
    }
    return f;
}

static bool any_joins(const struct format *f)
{
    bool joins = innermost(f)->multiline != MULTILINE_NO;
    for (; f != NULL; f = f->inner) {
        const struct format *own = f->outer != NULL ? f->outer : f;
        joins = joins || own->multiline != MULTILINE_NO || own->partial != NULL;
    }
    return joins;
}

enum lq_err events_new(const struct parser_config *c, event_fn *fn, void *ctx, struct events **out, struct lq_error *e)
{
    struct events *x = lq_alloc(sizeof *x);
    x->fn = fn;
    x->ctx = ctx;
    x->joins = c->format != NULL && any_joins(c->format);
    struct parser_config own = *c;
    own.memo = x->joins ? NULL : c->memo; /* an open event's record must outlive what the memo forgets */
    enum lq_err err = parser_new(&own, &x->parser[0], e);
    if (err == LQ_OK && x->joins) {
        err = parser_new(&own, &x->parser[1], e);
    }
    for (struct parser *p = x->parser[0]; p != NULL && x->joins; p = p->inner) {
        p->pending = true;
    }
    for (struct parser *p = x->parser[1]; p != NULL; p = p->inner) {
        p->pending = true;
    }
    if (err != LQ_OK) {
        events_free(&x);
        return err;
    }
    *out = x;
    return LQ_OK;
}

void events_free(struct events **e)
{
    if (*e != NULL) {
        parser_free(&(*e)->parser[0]);
        parser_free(&(*e)->parser[1]);
        lq_buf_fini(&(*e)->copy);
        lq_buf_fini(&(*e)->inside);
        free(*e);
        *e = NULL;
    }
}

struct parser *events_parser(struct events *e)
{
    return e->parser[0];
}

void events_set_columns(struct events *e, const struct columns *c)
{
    for (int i = 0; i < 2 && e->parser[i] != NULL; i++) {
        e->parser[i]->columns = *c;
    }
}

void events_set_envelope(struct events *e, bool enveloped, int64_t us)
{
    for (int i = 0; i < 2 && e->parser[i] != NULL; i++) {
        e->parser[i]->enveloped = e->parser[i]->envelope_zoned = enveloped;
        e->parser[i]->envelope_us = us;
    }
}

static struct parser *at_depth(struct parser *p, unsigned depth)
{
    for (; depth > 0 && p->inner != NULL; depth--) {
        p = p->inner;
    }
    return p;
}

/* The views of the open event's record are gone: parse its first line again, so that record and parser hold its state. */
static void revive(struct events *e)
{
    if (e->stale) {
        struct record r;
        LQ_ASSERT(parser_parse(e->parser[e->turn], (lq_str){e->text.p, e->first_n}, &r) == PARSE_OK);
        e->record = r;
        e->stale = false;
    }
}

/* What the deepest envelope around a parsed line holds: the text for the parser at depth *target. */
static lq_str envelope_message(struct parser *p, const struct record *r, unsigned *target)
{
    const struct parser *at = at_depth(p, r->inner);
    *target = r->inner + (at->inner != NULL ? 1U : 0U);
    return at->inner != NULL ? r->message : at->text;
}

/* Does an envelope around the line say that the message goes on? */
static bool is_partial(struct parser *p, const struct record *r)
{
    bool partial = false;
    for (unsigned d = 0; d <= r->inner; d++) {
        partial = partial || at_depth(p, d)->partial;
    }
    return partial;
}

/* The open event is complete. */
static void hand_on(struct events *e)
{
    enum parse_result result = PARSE_OK;
    if (!e->open) {
        return;
    }
    struct parser *p = e->parser[e->turn];
    e->open = false;
    if (e->inside.n > 0) { /* the envelope's own record stands unless the joined message is a line of the inner format */
        struct record joined;
        unsigned target;
        revive(e);
        envelope_message(p, &e->record, &target);
        struct parser *in = at_depth(p, target);
        if (in != p && parser_parse(in, (lq_str){e->inside.p, e->inside.n}, &joined) == PARSE_OK) {
            e->record = joined;
            e->record.inner = (uint8_t)(joined.inner + target);
        }
        e->record.line = e->text;
    } else if (e->kept || e->text.n > e->first_n) {
        result = parser_parse(p, e->text, &e->record);
    }
    result = result == PARSE_OK && e->record.time_us == TIME_PENDING ? PARSE_BAD_TIME : result;
    e->fn(e->ctx, result, e->text, result == PARSE_OK ? &e->record : NULL);
}

/* The dimensions that the envelopes around both lines give: host, service, stdout or stderr. */
static bool same_place(struct parser *a, struct parser *b, unsigned target)
{
    for (unsigned d = 0; d < target; d++) {
        const struct parser *x = at_depth(a, d), *y = at_depth(b, d);
        for (uint32_t i = 0; i < x->f->n_fields; i++) {
            if (x->f->fields[i].role == ROLE_DIMENSION && !lq_str_eq(x->s.slots[i], y->s.slots[i])) {
                return false;
            }
        }
    }
    return true;
}

static bool continues(const struct format *f, lq_str line)
{
    return f->multiline == MULTILINE_ALL || (f->multiline == MULTILINE_YES && multiline_continues(line));
}

static void extend_text(struct events *e, lq_str line)
{
    e->lines++;
    if (e->kept) {
        lq_buf_byte(&e->copy, '\n');
        lq_buf_add(&e->copy, line.p, line.n);
        e->text = (lq_str){e->copy.p, e->copy.n};
        e->stale = true;
    } else {
        e->text.n = (size_t)(line.p + line.n - e->text.p);
        e->seen = line.p + line.n;
    }
}

/* A line in an envelope of its own (parsed by p) whose message continues that of the open event: joined. */
static bool join_inside(struct events *e, struct parser *p, const struct record *r, lq_str line)
{
    unsigned target, other;
    revive(e);
    lq_str open = envelope_message(e->parser[e->turn], &e->record, &target), more = envelope_message(p, r, &other);
    if (target != other || !same_place(e->parser[e->turn], p, target)) {
        return false;
    }
    const struct parser *in = at_depth(e->parser[e->turn], target);
    /* Newest first, or a whole line of its own: nothing to be joined. */
    if (at_depth(p, target)->envelope_us < in->envelope_us || r->inner == target) {
        return false;
    }
    bool joins = (e->record.inner == target || e->whole_matches) && continues(in->f, more);
    if (!e->partial && !joins) {
        return false;
    }
    if (e->inside.n == 0) {
        lq_buf_add(&e->inside, open.p, open.n);
    }
    if (!e->partial) {
        lq_buf_byte(&e->inside, '\n');
    }
    lq_buf_add(&e->inside, more.p, more.n);
    if (e->partial && !is_partial(p, r)) {
        struct record whole;
        e->whole_matches = parser_parse(at_depth(e->parser[e->turn], target), (lq_str){e->inside.p, e->inside.n}, &whole) == PARSE_OK;
    }
    e->partial = is_partial(p, r);
    extend_text(e, line);
    return true;
}

static void open_event(struct events *e, unsigned turn, lq_str line, const struct record *r)
{
    e->turn = turn;
    e->open = true;
    e->kept = e->stale = false;
    e->text = line;
    e->seen = line.p + line.n;
    e->first_n = line.n;
    e->lines = 1;
    e->record = *r;
    e->partial = is_partial(e->parser[turn], r);
    e->whole_matches = false;
    lq_buf_clear(&e->inside);
}

/* A blank line is no line, but it may lie within an event. */
static void see_blank(struct events *e, lq_str line)
{
    if (e->open && e->kept) {
        lq_buf_byte(&e->copy, '\n');
        lq_buf_add(&e->copy, line.p, line.n);
        e->text.p = e->copy.p;
        e->stale = true;
    } else if (e->open) {
        e->seen = line.p + line.n;
    }
}

void events_line(struct events *e, lq_str line)
{
    struct record r;
    if (line.n == 0 || (line.n == 1 && line.p[0] == '\r')) {
        see_blank(e, line);
        return;
    }
    if (!e->joins) {
        e->lines = 1;
        enum parse_result result = parser_parse(e->parser[0], line, &r);
        e->fn(e->ctx, result, line, result == PARSE_OK ? &r : NULL);
        return;
    }
    unsigned other = e->open ? e->turn ^ 1 : 0;
    enum parse_result result = parser_parse(e->parser[other], line, &r);
    bool room = e->open && e->text.n + line.n < EVENT_BYTES_MAX;
    if (result == PARSE_OK) {
        bool may_join = room && (e->partial || e->whole_matches || r.inner < e->record.inner);
        if (!may_join || !join_inside(e, e->parser[other], &r, line)) {
            hand_on(e);
            open_event(e, other, line, &r);
        }
    } else if (result != PARSE_HEADER && room && e->inside.n == 0 && continues(e->parser[e->turn]->f, line)) {
        extend_text(e, line);
    } else {
        hand_on(e);
        if (result == PARSE_HEADER) { /* one of the two has learned it */
            events_set_columns(e, &e->parser[other]->columns);
        }
        e->lines = 1;
        e->fn(e->ctx, result, line, NULL);
    }
}

void events_flush(struct events *e)
{
    hand_on(e);
}

bool events_open(const struct events *e)
{
    return e->open;
}

void events_keep(struct events *e)
{
    if (e->open && !e->kept) {
        lq_buf_clear(&e->copy);
        lq_buf_add(&e->copy, e->text.p, (size_t)(e->seen - e->text.p));
        e->text.p = e->copy.p;
        e->kept = e->stale = true;
    }
}

bool events_joins(const struct events *e)
{
    return e->joins;
}

const char *events_start(const struct events *e)
{
    return e->open && !e->kept ? e->text.p : NULL;
}

uint32_t events_lines(const struct events *e)
{
    return e->lines;
}

void events_forget(struct events *e)
{
    e->open = false;
}

bool events_continues(struct events *e, lq_str line)
{
    struct record r;
    return e->joins && continues(e->parser[0]->f, line) && parser_parse(e->parser[0], line, &r) != PARSE_OK;
}

void events_envelope(struct events *e, lq_str host, lq_str service)
{
    for (int i = 0; i < 2 && e->parser[i] != NULL; i++) {
        parser_envelope(e->parser[i], host, service);
    }
}

void events_reference(struct events *e, int64_t reference_us)
{
    for (int i = 0; i < 2 && e->parser[i] != NULL; i++) {
        parser_reference(e->parser[i], reference_us);
    }
}

bool events_boundary(struct events *e, lq_str before, lq_str line)
{
    struct record r;
    if (!e->joins) {
        return true;
    }
    struct parser *p = e->parser[0];
    if (before.n > 0 && parser_parse(p, before, &r) == PARSE_OK && is_partial(p, &r)) {
        return false;
    }
    if (parser_parse(p, line, &r) != PARSE_OK) {
        return !continues(p->f, line);
    }
    unsigned target;
    lq_str m = envelope_message(p, &r, &target);
    return r.inner == target || !continues(at_depth(p, target)->f, m);
}
