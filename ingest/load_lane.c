/*
 * load_lane.c - an open file: opened, cut into chunks of whole lines, closed (load_int.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "ingest/load_int.h"

enum { PIPE_SNIFF_BYTES = 65536 };

static struct parser *own_parser(struct lane *x)
{
    return events_parser(x->parsers[0].events);
}

/* ---- opening ---- */

static enum lq_err sniff(struct lane *x, struct lq_error *fe)
{
    enum lq_err err = LQ_OK;
    lq_buf_reserve(&x->head, SNIFF_BYTES);
    for (size_t n = 1; n > 0 && x->head.n < SNIFF_BYTES && err == LQ_OK;) {
        struct lq_error later; /* met again when the bytes before it have been handed on */
        n = 0;
        err = source_read(x->src, x->head.p + x->head.n, SNIFF_BYTES - x->head.n, &n, &later);
        x->head.n += n;
        if (err != LQ_OK && x->head.n == 0) {
            *fe = later;
            return err;
        }
        if (x->is_stdin && x->head.n > PIPE_SNIFF_BYTES) {
            break;
        }
    }
    return LQ_OK;
}

static enum lq_err read_some(struct lane *x, char *p, size_t cap, size_t *n, struct lq_error *e)
{
    if (x->head_at < x->head.n) {
        *n = x->head.n - x->head_at < cap ? x->head.n - x->head_at : cap;
        memcpy(p, x->head.p + x->head_at, *n);
        x->head_at += *n;
        return LQ_OK;
    }
    return source_read(x->src, p, cap, n, e);
}

/* Skips what was loaded before; header lines in it still hold. */
static enum lq_err skip_bytes(struct lane *x, uint64_t n, struct lq_error *e)
{
    char *p = lq_alloc(CHUNK_BYTES);
    struct parser *parser = own_parser(x);
    enum lq_err err = LQ_OK;
    size_t kept = 0; /* of a line that is not whole yet */
    while (n > 0 && err == LQ_OK) {
        size_t got = 0, room = CHUNK_BYTES - kept;
        err = read_some(x, p + kept, n < room ? (size_t)n : room, &got, e);
        if (got == 0) {
            break;
        }
        n -= got;
        if (parser_has_columns(parser)) {
            const char *last = memrchr(p, '\n', kept + got);
            size_t whole = last != NULL ? (size_t)(last + 1 - p) : 0;
            parser_learn(parser, (lq_str){p, whole});
            kept = kept + got - whole < CHUNK_BYTES / 2 ? kept + got - whole : 0;
            memmove(p, p + whole, kept);
        }
    }
    free(p);
    return err;
}

/* Where the lane begins in event time: the first line that parses, among the sniffed ones. */
static int64_t first_time(struct lane *x)
{
    const char *p = x->head.p, *end = p + x->head.n;
    int64_t t = INT64_MIN;
    if (x->has_last) {
        return x->last_us;
    }
    for (int i = 0; i < 64 && p < end; i++) {
        const char *from = p;
        line_cut(&p, end);
        if (lines_time(own_parser(x), (lq_str){from, (size_t)(p - from)}, &t)) {
            break;
        }
    }
    return t;
}

static enum lq_err open_known(struct loader *l, struct lane *x, const struct labels *labels, struct lq_error *fe)
{
    x->has_last = x->known && x->cp.last_time_us != INT64_MIN;
    x->last_us = x->cp.last_time_us;
    enum lq_err err = load__choose_format(l, x, fe);
    if (err == LQ_OK && x->cp.key.n > 0) {
        x->cp.format = lq_arena_str(&x->mem, lq_str_of(x->file->format));
    }
    if (err == LQ_OK) {
        err = lane_open_parsers(l, x, labels, fe);
    }
    if (err == LQ_OK && x->known) {
        err = skip_bytes(x, x->cp.offset, fe);
    }
    if (err == LQ_OK) {
        x->file->state = x->known ? LOAD_CONTINUED : LOAD_DONE;
        x->offset = x->cp.offset;
        x->at_us = first_time(x);
    }
    return err;
}

static enum lq_err open_source(struct loader *l, const struct load_file *file, struct source **out, struct lq_error *e)
{
    return load__open(l->o, l->paths, (size_t)(file - l->report->files), out, e);
}

enum lq_err lane_open(struct loader *l, struct load_file *file, struct lane **out, bool *busy)
{
    struct lane *x = lq_alloc(sizeof *x);
    struct labels labels;
    struct lq_error fe = {0};
    x->file = file;
    x->is_stdin = strcmp(file->path, "-") == 0;
    *out = NULL;
    *busy = false;
    enum lq_err err = open_source(l, file, &x->src, &fe), store_err = LQ_OK;
    if (err == LQ_OK) {
        err = labels_resolve(l->o->labels, x->is_stdin ? "" : file->path, &labels, &fe);
        x->labels = labels;
    }
    if (err == LQ_OK) {
        err = sniff(x, &fe);
    }
    bool empty = err == LQ_OK && x->head.n == 0;
    if (err == LQ_OK && !empty) {
        int64_t mtime_us = source_mtime_us(x->src);
        x->reference_us = l->o->reference_us != 0 ? l->o->reference_us : mtime_us != 0 ? mtime_us : clock_now_us();
        store_err = load__identify(l, x, &labels, busy);
        if (store_err == LQ_OK && !*busy) {
            err = open_known(l, x, &labels, &fe);
        }
    }
    if (err != LQ_OK) {
        file->state = LOAD_FAILED;
        file->error = fe;
    } else if (empty) {
        file->state = LOAD_EMPTY;
    }
    if (err == LQ_OK && store_err == LQ_OK && !empty && !*busy) {
        *out = x;
        return LQ_OK;
    }
    lane_close(&x);
    return store_err;
}

void lane_close(struct lane **xp)
{
    struct lane *x = *xp;
    for (unsigned i = 0; i < THREADS_MAX; i++) {
        struct lane_parser *p = &x->parsers[i];
        events_free(&p->events);
        for (unsigned k = 0; k <= INNER_MAX; k++) {
            stream_use_close(&p->use[k]);
        }
        stream_use_close(&p->unparsed);
    }
    for (unsigned k = 0; k < x->n_others; k++) {
        other_free(&x->others[k]);
    }
    source_close(&x->src);
    lq_buf_fini(&x->head);
    lq_buf_fini(&x->rest);
    lq_arena_fini(&x->mem);
    free(x);
    *xp = NULL;
}

/* ---- chunks ---- */

/* Where to cut n bytes of whole lines so that no event is cut: n, or the beginning of the last event. */
static size_t event_cut(struct lane *x, const char *p, size_t n)
{
    struct events *e = x->parsers[0].events;
    size_t at = n;
    if (!events_joins(e)) {
        return n;
    }
    while (at > 0 && n - at < EVENT_BYTES_MAX) {
        const char *nl = at > 1 ? memrchr(p, '\n', at - 1) : NULL;
        size_t from = nl != NULL ? (size_t)(nl + 1 - p) : 0;
        const char *before = from > 1 ? memrchr(p, '\n', from - 1) : NULL;
        size_t start = before != NULL ? (size_t)(before + 1 - p) : 0;
        lq_str line = {p + from, at - from - 1}, previous = {p + start, from > 0 ? from - 1 - start : 0};
        if (from > 0 && !line_is_blank(line) && events_boundary(e, previous, line)) {
            return from;
        }
        at = from;
    }
    return n;
}

/* What came of a line of which the beginning was cut off is dropped, up to its end. */
static size_t drop_skipped(struct lane *x, char *p, size_t n)
{
    const char *nl = memchr(p, '\n', n);
    size_t cut = nl != NULL ? (size_t)(nl + 1 - p) : n;
    memmove(p, p + cut, n - cut);
    x->skipping = nl == NULL;
    return n - cut;
}

static enum lq_err fill_bytes(struct lane *x, struct chunk *c, struct lq_error *e)
{
    enum lq_err err = LQ_OK;
    if (x->rest.n > 0) {
        memcpy(c->p, x->rest.p, x->rest.n);
    }
    c->n = x->rest.n;
    lq_buf_clear(&x->rest);
    while (c->n < CHUNK_BYTES && !x->ended) {
        size_t n = 0;
        err = read_some(x, c->p + c->n, CHUNK_BYTES - c->n, &n, e);
        x->ended = n == 0 || err != LQ_OK;
        x->offset += n;
        c->n += x->skipping && n > 0 ? drop_skipped(x, c->p + c->n, n) : n;
    }
    return err;
}

/*
 * A line longer than LINE_BYTES_MAX (a chunk is as long as the longest line) is cut there, and the rest of it is skipped. The end of a damaged file is
 * no end of a line.
 */
void lane_fill(struct loader *l, struct lane *x, struct chunk *c)
{
    struct lq_error fe;
    enum lq_err err = fill_bytes(x, c, &fe);
    bool whole = x->ended && err == LQ_OK;
    const char *last = c->n > 0 && !whole ? memrchr(c->p, '\n', c->n) : NULL;
    c->lane = x;
    if (x->ended && !whole && last == NULL) {
        x->offset -= c->n;
        c->n = 0;
    } else if (last != NULL) {
        size_t keep = event_cut(x, c->p, (size_t)(last + 1 - c->p));
        lq_buf_add(&x->rest, c->p + keep, c->n - keep);
        c->n = keep;
    } else if (!x->ended) {
        c->p[c->n - 1] = '\n';
        x->skipping = true;
        l->too_long++;
    }
    c->end_offset = x->offset - x->rest.n;
    x->file->bytes += c->n;
    c->columns.n = 0;
    if (parser_has_columns(own_parser(x))) {
        c->columns = *parser_columns(own_parser(x));
        parser_learn(own_parser(x), (lq_str){c->p, c->n});
    }
    lane_look(l, x, c);
    lines_time(own_parser(x), (lq_str){c->p, c->n}, &x->at_us);
    if (err != LQ_OK) {
        x->file->state = LOAD_FAILED;
        x->file->error = fe;
    }
}
