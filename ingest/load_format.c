/*
 * load_format.c - a log that changes its format on the way
 *
 * A release adds a field to the access log, or turns text into JSON: lines that the format of the file does not match any more. The reading thread looks at
 * the last lines of each chunk; when most of them match nothing known, their format is detected as that of a new file is, and from this chunk on lines
 * that the first format does not match are offered to the other one. It all follows from the bytes of the file and where its chunks are cut, not
 * from threads. Lines of the new format go on in the stream of the first where both are requests, or both events: the series does not break. When which format
 * was seen is left with the store as sightings of kind `format`: one that takes the place of another is a marker (store/marker_view.c), also when the two are in
 * files that were rotated.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "ingest/load_int.h"

enum { LOOK_LINES = 64, LOOK_LINES_MIN = 20, STRANGE_MIN = 10, LOOK_BYTES = 1 << 16, DETECTIONS_MAX = 8 };

static bool is_known(struct lane *x, lq_str line)
{
    struct record r;
    enum parse_result result = parser_parse(events_parser(x->parsers[0].events), line, &r);
    bool known = result == PARSE_OK || result == PARSE_HEADER || result == PARSE_NO_TIME;
    for (unsigned k = 0; k < x->n_others && !known; k++) {
        known = parser_parse(x->others[k]->parsers[0].parser, line, &r) == PARSE_OK;
    }
    return known;
}

/* Do fewer than half of the last lines match anything that is known? */
static bool is_strange(struct lane *x, lq_str tail)
{
    uint32_t lines = 0, matched = 0;
    size_t end = tail.n;
    while (end > 0 && lines < LOOK_LINES) {
        const char *nl = end > 1 ? memrchr(tail.p, '\n', end - 1) : NULL;
        size_t from = nl != NULL ? (size_t)(nl + 1 - tail.p) : 0;
        lq_str line = {tail.p + from, end - from - (tail.p[end - 1] == '\n')};
        end = from;
        if (!line_is_blank(line)) {
            lines++;
            matched += is_known(x, line);
        }
    }
    return lines >= LOOK_LINES_MIN && matched * 2 < lines;
}

/* The lines that match nothing known: beside many that do, the new format would not be detected. */
static unsigned strange_lines(struct lane *x, lq_str tail, struct lq_buf *out)
{
    unsigned lines = 0;
    const char *p = tail.p, *end = tail.p + tail.n;
    while (p < end) {
        lq_str line = line_cut(&p, end);
        if (!line_is_blank(line) && !multiline_is_trace(line) && !is_known(x, line)) {
            lq_buf_add(out, line.p, line.n);
            lq_buf_byte(out, '\n');
            lines++;
        }
    }
    return lines;
}

static enum lq_err open_other(struct loader *l, struct lane *x, struct other_format *o, struct lq_error *e)
{
    enum lq_err err = LQ_OK;
    for (unsigned i = 0; i < l->n_workers && err == LQ_OK; i++) {
        struct other_parser *p = &o->parsers[i];
        struct parser_config c = {.format = o->format, .labels = &x->labels, .tz = l->o->tz, .reference_us = x->reference_us};
        err = parser_new(&c, &p->parser, e);
        for (unsigned k = 0; k <= INNER_MAX && err == LQ_OK && parser_schema_at(p->parser, k) != NULL; k++) {
            struct stream_schema own = *parser_schema_at(p->parser, k), same = own;
            same.name = format_schema(x->format)->name;
            bool goes_on = k == 0 && own.kind == format_schema(x->format)->kind;
            if (!goes_on || stream_use_open(l->store, &same, &p->use[k], NULL) != LQ_OK) {
                err = stream_use_open(l->store, &own, &p->use[k], e);
            }
        }
    }
    return err;
}

void lane_look(struct loader *l, struct lane *x, struct chunk *c)
{
    lq_str tail = {c->p, c->n};
    struct lq_buf strange = {0};
    struct detection d;
    c->n_others = x->n_others;
    if (l->o->format_name != NULL || x->format == NULL || x->n_others == OTHER_FORMATS_MAX || x->detections == DETECTIONS_MAX || !is_strange(x, tail)) {
        return;
    }
    if (tail.n > LOOK_BYTES) {
        const char *nl = memchr(tail.p + tail.n - LOOK_BYTES, '\n', LOOK_BYTES);
        tail = (lq_str){nl + 1, nl != NULL ? (size_t)(tail.p + tail.n - nl - 1) : 0};
    }
    x->detections++;
    bool enough = strange_lines(x, tail, &strange) >= STRANGE_MIN;
    format_detect(l->o->formats, (lq_str){strange.p, strange.n}, &d);
    lq_buf_fini(&strange);
    bool known = !enough || d.format == NULL || d.format == x->format;
    for (unsigned k = 0; k < x->n_others; k++) {
        known = known || d.format == x->others[k]->format;
    }
    if (known) {
        return;
    }
    struct other_format *o = x->others[x->n_others] = lq_alloc(sizeof *o);
    struct lq_error e;
    o->format = d.format;
    x->n_others++;
    if (open_other(l, x, o, &e) == LQ_OK) {
        size_t n = strlen(x->file->why);
        snprintf(x->file->why + n, sizeof x->file->why - n, "; later lines are %s", format_name(o->format));
        c->n_others = x->n_others;
        return;
    }
    other_free(&x->others[--x->n_others]);
}

void other_free(struct other_format **op)
{
    struct other_format *o = *op;
    for (unsigned i = 0; o != NULL && i < THREADS_MAX; i++) {
        parser_free(&o->parsers[i].parser);
        for (unsigned k = 0; k <= INNER_MAX; k++) {
            stream_use_close(&o->parsers[i].use[k]);
        }
    }
    free(o);
    *op = NULL;
}

/* access.log, access.log.1 and access.log.2.gz are one log. */
static lq_str log_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    lq_str name = lq_str_of(slash != NULL ? slash + 1 : path);
    const char *dot = memmem(name.p, name.n, ".log", 4);
    dot = dot != NULL ? dot : memchr(name.p, '.', name.n);
    return (lq_str){name.p, dot != NULL && dot > name.p ? (size_t)(dot - name.p) : name.n};
}

void chunk_sight_formats(struct worker *w, struct chunk *c)
{
    struct lane *x = c->lane;
    struct sighting s = {.kind = "format", .confidence = 90, .version = true, .of = log_name(x->file->path)};
    s.host = labels_get(&x->labels, "host");
    s.service = labels_get(&x->labels, "service");
    for (unsigned k = 0; k <= c->n_others; k++) {
        const struct format_seen *f = &c->seen[k];
        if (f->n > 0) {
            const struct format *format = k == 0 ? x->format : x->others[k - 1]->format;
            s.name = lq_str_of(format_name(format));
            window_sight(w->window, &s, f->first_us, f->first, format_mask(format));
            window_sight(w->window, &s, f->last_us, f->last, format_mask(format));
        }
    }
}
