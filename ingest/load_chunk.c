/*
 * load_chunk.c - the lines of a chunk to observations (load_int.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/load_int.h"

enum { TIME_LINES_MAX = 8 };

static void observe_unparsed(struct worker *w, struct lane_parser *p, lq_str line, int64_t time_us)
{
    struct record r;
    parser_unparsed(events_parser(p->events), line, time_us, &r);
    window_observe(w->window, p->unparsed, &r);
}

/* A line that says all but when. */
static bool observe_undated(struct worker *w, struct lane_parser *p, lq_str line, int64_t time_us)
{
    struct record r;
    bool ok = parser_parse_at(events_parser(p->events), line, time_us, &r) == PARSE_OK;
    if (ok) {
        window_observe(w->window, p->use[r.inner], &r);
    }
    return ok;
}

bool line_is_blank(lq_str line)
{
    return line.n == 0 || (line.n == 1 && line.p[0] == '\r');
}

lq_str line_cut(const char **p, const char *end)
{
    const char *nl = memchr(*p, '\n', (size_t)(end - *p));
    lq_str line = {*p, (size_t)((nl != NULL ? nl : end) - *p)};
    *p = nl != NULL ? nl + 1 : end;
    return line;
}

static void saw(struct chunk *c, unsigned format, lq_str text, int64_t time_us)
{
    struct format_seen *f = &c->seen[format];
    if (f->n++ == 0 || time_us < f->first_us) {
        f->first_us = time_us;
        f->first = text;
    }
    if (f->n == 1 || time_us >= f->last_us) {
        f->last_us = time_us;
        f->last = text;
    }
}

static void parsed(struct worker *w, unsigned format, lq_str text, const struct record *r, struct stream_use *const *use)
{
    struct chunk *c = w->chunk;
    if (!c->any_parsed) {
        c->any_parsed = true;
        c->first_us = r->time_us;
        c->head = (size_t)(text.p - c->p);
    }
    c->last_us = r->time_us;
    saw(c, format, text, r->time_us);
    window_observe(w->window, use[r->inner], r);
}

/* A line of a format that the log changed to. */
static bool parsed_otherwise(struct worker *w, lq_str text)
{
    struct chunk *c = w->chunk;
    struct record r;
    for (unsigned k = 0; k < c->n_others; k++) {
        struct other_parser *o = &c->lane->others[k]->parsers[w->number];
        if (parser_parse(o->parser, text, &r) == PARSE_OK) {
            parsed(w, k + 1, text, &r, o->use);
            return true;
        }
    }
    return false;
}

static void on_event(void *ctx, enum parse_result result, lq_str text, const struct record *r)
{
    struct worker *w = ctx;
    struct chunk *c = w->chunk;
    struct lane_parser *p = &c->lane->parsers[w->number];
    if (result == PARSE_OK) {
        parsed(w, 0, text, r, p->use);
        return;
    }
    if (result != PARSE_HEADER && c->n_others > 0 && parsed_otherwise(w, text)) {
        return;
    }
    c->tally.results[result]++;
    if (result == PARSE_HEADER) {
        return;
    }
    if (result == PARSE_NO_TIME) {
        if (c->any_parsed && !observe_undated(w, p, text, c->last_us)) {
            observe_unparsed(w, p, text, c->last_us);
        }
        return;
    }
    c->tally.nul += memchr(text.p, '\0', text.n) != NULL;
    if (c->any_parsed) {
        observe_unparsed(w, p, text, c->last_us);
    }
}

static enum lq_err open_parser(struct worker *w, struct lane *x, const struct labels *labels, struct lq_error *e)
{
    struct lane_parser *p = &x->parsers[w->number];
    struct store *s = w->l->store;
    struct parser_config c = {
        .format = x->format, .labels = labels, .tz = w->l->o->tz, .reference_us = x->reference_us, .memo = w->memo};
    enum lq_err err = events_new(&c, on_event, w, &p->events, e);
    for (unsigned k = 0;
         k <= INNER_MAX && err == LQ_OK && x->format != NULL && parser_schema_at(events_parser(p->events), k) != NULL;
         k++) {
        err = stream_use_open(s, parser_schema_at(events_parser(p->events), k), &p->use[k], e);
    }
    return err == LQ_OK ? stream_use_open(s, parser_unparsed_schema(events_parser(p->events)), &p->unparsed, e) : err;
}

enum lq_err lane_open_parsers(struct loader *l, struct lane *x, const struct labels *labels, struct lq_error *e)
{
    enum lq_err err = LQ_OK;
    for (unsigned i = 0; i < l->n_workers && err == LQ_OK; i++) {
        err = open_parser(&l->workers[i], x, labels, e);
    }
    return err;
}

void chunk_parse(struct worker *w, struct chunk *c)
{
    struct events *events = c->lane->parsers[w->number].events;
    const char *p = c->p, *end = c->p + c->n;
    c->any_parsed = false;
    c->head = c->n;
    memset(&c->tally, 0, sizeof c->tally);
    memset(c->seen, 0, sizeof c->seen);
    w->chunk = c;
    if (c->columns.n > 0) {
        events_set_columns(events, &c->columns);
    }
    while (p < end) {
        lq_str line = line_cut(&p, end);
        c->tally.lines += !line_is_blank(line);
        events_line(events, line);
    }
    events_flush(events);
    chunk_sight_formats(w, c);
    c->tally.lines -= c->tally.results[PARSE_HEADER];
    c->tally.results[PARSE_OK] = c->tally.lines; /* a line of a parsed event is parsed */
    for (int i = PARSE_OK + 1; i < PARSE_RESULTS; i++) {
        c->tally.results[PARSE_OK] -= i != PARSE_HEADER && i != PARSE_NO_TIME ? c->tally.results[i] : 0;
    }
}

static void observe_leading(struct worker *w, struct lane_parser *p, lq_str line, int64_t time_us)
{
    struct record r;
    enum parse_result result = parser_parse(events_parser(p->events), line, &r);
    if (result == PARSE_HEADER || (result == PARSE_NO_TIME && observe_undated(w, p, line, time_us))) {
        return;
    }
    observe_unparsed(w, p, line, time_us);
}

/* The leading lines of a chunk that matched nothing, or have no time, take the last time before them (at the file's start: the first after them). */
void chunk_settle(struct loader *l, struct chunk *c)
{
    struct lane *x = c->lane;
    struct lane_parser *own = &x->parsers[0];
    const char *p = c->p, *end = c->p + c->head;
    int64_t t = x->has_last ? x->last_us : c->any_parsed ? c->first_us : x->reference_us;
    while (p < end) {
        lq_str line = line_cut(&p, end);
        if (!line_is_blank(line)) {
            observe_leading(&l->workers[0], own, line, t);
        }
    }
    if (c->any_parsed) {
        x->last_us = c->last_us;
        x->has_last = true;
    }
    x->cp.offset = c->end_offset;
    x->cp.lines += c->tally.lines;
    x->cp.parsed += c->tally.results[PARSE_OK];
    x->moved = true;
    x->file->lines += c->tally.lines;
    x->file->parsed += c->tally.results[PARSE_OK];
    l->report->lines += c->tally.lines;
    l->report->parsed += c->tally.results[PARSE_OK];
    l->tally.lines += c->tally.lines;
    l->tally.nul += c->tally.nul;
    for (int i = 0; i < PARSE_RESULTS; i++) {
        l->tally.results[i] += c->tally.results[i];
    }
}

bool lines_time(struct parser *parser, lq_str lines, int64_t *time_us)
{
    size_t end = lines.n;
    struct record r;
    for (int i = 0; i < TIME_LINES_MAX && end > 0; i++) {
        const char *nl = end > 1 ? memrchr(lines.p, '\n', end - 1) : NULL;
        size_t from = nl != NULL ? (size_t)(nl + 1 - lines.p) : 0;
        size_t n = end - from - (lines.p[end - 1] == '\n');
        if (n > 0 && parser_parse(parser, (lq_str){lines.p + from, n}, &r) == PARSE_OK) {
            *time_us = r.time_us;
            return true;
        }
        end = from;
    }
    return false;
}
