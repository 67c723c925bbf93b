/*
 * load.c - load log files (load.h)
 *
 * One thread reads and cuts chunks at line ends; the others parse. Finished chunks are settled in order, because a line that no format matches takes the time of the
 * last line before it that did, wherever the chunks were cut. With one thread everything runs in place.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/load.h"

#include <stdlib.h>
#include <unistd.h>

#include "ingest/load_int.h"

enum { PROGRESS_EVERY_US = 200000 };

void load_report_fini(struct load_report *r)
{
    free(r->files);
    memset(r, 0, sizeof *r);
}

/* ---- parsing a chunk ---- */

static void observe_unparsed(struct worker *w, lq_str line, int64_t time_us)
{
    struct record r;
    parser_unparsed(events_parser(w->events), line, time_us, &r);
    window_observe(w->window, w->unparsed, &r);
}

static bool is_blank(lq_str line)
{
    return line.n == 0 || (line.n == 1 && line.p[0] == '\r');
}

/* The next line of *p, without its line end. */
static lq_str cut_line(const char **p, const char *end)
{
    const char *nl = memchr(*p, '\n', (size_t)(end - *p));
    lq_str line = {*p, (size_t)((nl != NULL ? nl : end) - *p)};
    *p = nl != NULL ? nl + 1 : end;
    return line;
}

static void on_event(void *ctx, enum parse_result result, lq_str text, const struct record *r)
{
    struct worker *w = ctx;
    struct chunk *c = w->chunk;
    if (result == PARSE_OK) {
        if (!c->any_parsed) {
            c->any_parsed = true;
            c->first_us = r->time_us;
            c->head = (size_t)(text.p - c->p);
        }
        c->last_us = r->time_us;
        window_observe(w->window, w->use[r->inner], r);
        return;
    }
    c->tally.results[result]++;
    if (result == PARSE_HEADER) {
        return;
    }
    c->tally.nul += memchr(text.p, '\0', text.n) != NULL;
    if (c->any_parsed) {
        observe_unparsed(w, text, c->last_us);
    }
}

static void parse_chunk(struct worker *w, struct chunk *c)
{
    const char *p = c->p, *end = c->p + c->n;
    c->any_parsed = false;
    c->head = c->n;
    memset(&c->tally, 0, sizeof c->tally);
    w->chunk = c;
    if (c->columns.n > 0) {
        events_set_columns(w->events, &c->columns);
    }
    while (p < end) {
        lq_str line = cut_line(&p, end);
        c->tally.lines += !is_blank(line);
        events_line(w->events, line);
    }
    events_flush(w->events);
    c->tally.lines -= c->tally.results[PARSE_HEADER];
    c->tally.results[PARSE_OK] = c->tally.lines; /* a line of a parsed event is parsed */
    for (int i = PARSE_OK + 1; i < PARSE_RESULTS; i++) {
        c->tally.results[PARSE_OK] -= i != PARSE_HEADER ? c->tally.results[i] : 0;
    }
}

static bool is_header(struct worker *w, lq_str line)
{
    struct parser *p = events_parser(w->events);
    struct record r;
    return parser_has_columns(p) && parser_parse(p, line, &r) == PARSE_HEADER;
}

/* The leading lines of a chunk that matched nothing: they take the last time before them (at the file's start: the first after them). */
static void settle_chunk(struct loader *l, struct chunk *c)
{
    const char *p = c->p, *end = c->p + c->head;
    int64_t t = l->has_last ? l->last_us : c->any_parsed ? c->first_us : l->reference_us;
    while (p < end) {
        lq_str line = cut_line(&p, end);
        if (!is_blank(line) && !is_header(&l->workers[0], line)) {
            observe_unparsed(&l->workers[0], line, t);
        }
    }
    if (c->any_parsed) {
        l->last_us = c->last_us;
        l->has_last = true;
    }
    l->cp.offset = c->end_offset;
    l->cp.lines += c->tally.lines;
    l->cp.parsed += c->tally.results[PARSE_OK];
    l->file->lines += c->tally.lines;
    l->file->parsed += c->tally.results[PARSE_OK];
    l->tally.lines += c->tally.lines;
    l->tally.nul += c->tally.nul;
    for (int i = 0; i < PARSE_RESULTS; i++) {
        l->tally.results[i] += c->tally.results[i];
    }
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct loader *l = w->l;
    pthread_mutex_lock(&l->lock);
    for (;;) {
        while (!l->stop && l->next_take == l->next_fill) {
            pthread_cond_wait(&l->work, &l->lock);
        }
        if (l->stop) {
            break;
        }
        struct chunk *c = &l->chunks[l->next_take++ % l->n_chunks];
        pthread_mutex_unlock(&l->lock);
        parse_chunk(w, c);
        pthread_mutex_lock(&l->lock);
        c->done = true;
        pthread_cond_signal(&l->finished);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static bool threaded(const struct loader *l)
{
    return l->n_workers > 1;
}

/* Worker 0 belongs to the reading thread: it settles, and parses when there are no others. */
static void settle_next(struct loader *l)
{
    struct chunk *c = &l->chunks[l->next_settle % l->n_chunks];
    pthread_mutex_lock(&l->lock);
    while (!c->done) {
        pthread_cond_wait(&l->finished, &l->lock);
    }
    c->done = false;
    l->next_settle++;
    pthread_mutex_unlock(&l->lock);
    settle_chunk(l, c);
}

static void settle_all(struct loader *l)
{
    while (threaded(l) && l->next_settle < l->next_fill) {
        settle_next(l);
    }
}

/* A free chunk buffer. */
static struct chunk *chunk_get(struct loader *l)
{
    if (threaded(l) && l->next_fill - l->next_settle == l->n_chunks) {
        settle_next(l);
    }
    return &l->chunks[l->next_fill % l->n_chunks];
}

static void chunk_put(struct loader *l, struct chunk *c)
{
    if (!threaded(l)) {
        parse_chunk(&l->workers[0], c);
        settle_chunk(l, c);
        return;
    }
    pthread_mutex_lock(&l->lock);
    l->next_fill++;
    pthread_cond_signal(&l->work);
    pthread_mutex_unlock(&l->lock);
}

/* ---- flush ---- */

static enum lq_err flush(struct loader *l, bool open_file)
{
    struct window *windows[THREADS_MAX];
    settle_all(l);
    for (unsigned i = 0; i < l->n_workers; i++) {
        windows[i] = l->workers[i].window;
    }
    if (open_file && l->cp.key.n > 0) {
        l->cp.last_time_us = l->has_last ? l->last_us : INT64_MIN;
        lq_grow(&l->pending, &l->cap_pending, l->n_pending + 1, sizeof *l->pending);
        l->pending[l->n_pending] = l->cp;
    }
    const struct counter_delta counters[] = {
        {"lines", l->tally.lines}, {"parsed", l->tally.results[PARSE_OK]}, {"no_match", l->tally.results[PARSE_NO_MATCH]},
        {"bad_time", l->tally.results[PARSE_BAD_TIME]}, {"too_costly", l->tally.results[PARSE_TOO_COSTLY]},
        {"line_too_long", l->too_long}, {"nul_bytes", l->tally.nul},
    };
    enum lq_err err = store_flush(l->store, windows, l->n_workers, l->pending, l->n_pending + (open_file && l->cp.key.n > 0), counters,
                                  sizeof counters / sizeof counters[0], threaded(l) ? l->n_workers - 1 : 1, l->e);
    if (err == LQ_OK) {
        l->n_pending = 0;
        lq_arena_reset(&l->pending_mem);
        memset(&l->tally, 0, sizeof l->tally);
        l->too_long = 0;
    }
    return err;
}

static bool wants_flush(const struct loader *l)
{
    /* Workers append while this reads: an old number only delays the flush by a chunk. */
    uint64_t n = 0;
    for (unsigned i = 0; i < l->n_workers; i++) {
        n += window_observations(l->workers[i].window);
    }
    return n >= WINDOW_OBSERVATIONS;
}

/* ---- progress ---- */

static void show_progress(struct loader *l, const struct source *s, bool last)
{
    if (l->o->progress == NULL) {
        return;
    }
    int64_t now = clock_monotonic_us();
    if (!last && now - l->shown_us < PROGRESS_EVERY_US) {
        return;
    }
    l->shown_us = now;
    uint64_t done = l->done_bytes + (s != NULL ? source_consumed(s) : 0);
    double seconds = (double)(now - l->started_us) / 1e6, share = l->total_bytes > 0 ? (double)done / (double)l->total_bytes : 0;
    share = share > 1 ? 1 : share;
    char bar[31], eta[40] = "";
    for (int i = 0; i < 30; i++) {
        bar[i] = i < (int)(share * 30) ? '#' : '.';
    }
    bar[30] = '\0';
    if (share > 0.01 && share < 1) {
        duration_print((int64_t)(seconds * (1 - share) / share * 1e6) / 1000000 * 1000000, eta, sizeof eta);
    }
    fprintf(l->o->progress, "\r[%s] %3d%%  %.1f MB/s  %.2f M lines/s  %s%s \033[K%s", bar, (int)(share * 100), (double)done / 1e6 / (seconds + 1e-9),
            (double)(l->report->lines + l->file->lines) / 1e6 / (seconds + 1e-9), eta[0] != '\0' ? "ETA " : "", eta, last ? "\r\033[K" : "");
    fflush(l->o->progress);
}

/* ---- one file ---- */

static enum lq_err read_some(struct reading *r, char *p, size_t cap, size_t *n, struct lq_error *e)
{
    if (r->head_at < r->head.n) {
        *n = r->head.n - r->head_at < cap ? r->head.n - r->head_at : cap;
        memcpy(p, r->head.p + r->head_at, *n);
        r->head_at += *n;
        return LQ_OK;
    }
    return source_read(r->src, p, cap, n, e);
}

/* Skips what was loaded before; header lines in it still hold. */
static enum lq_err skip_bytes(struct loader *l, struct reading *r, uint64_t n, struct lq_error *e)
{
    char *p = lq_alloc(CHUNK_BYTES);
    struct parser *parser = events_parser(l->workers[0].events);
    enum lq_err err = LQ_OK;
    size_t kept = 0; /* of a line that is not whole yet */
    while (n > 0 && err == LQ_OK) {
        size_t got = 0, room = CHUNK_BYTES - kept;
        err = read_some(r, p + kept, n < room ? (size_t)n : room, &got, e);
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

/* Where to cut n bytes of whole lines so that no event is cut: n, or the beginning of the last event. */
static size_t event_cut(struct loader *l, const char *p, size_t n)
{
    struct events *e = l->workers[0].events;
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
        if (from > 0 && !is_blank(line) && events_boundary(e, previous, line)) {
            return from;
        }
        at = from;
    }
    return n;
}

/*
 * Fill chunks with whole lines and hand them on. A line longer than LINE_BYTES_MAX is cut there; the rest of it is skipped. Chunk buffers have
 * room for the unfinished line of the chunk before.
 */
static enum lq_err pump(struct loader *l, struct reading *r, uint64_t offset, struct lq_error *file_error)
{
    struct lq_buf rest = {0};
    bool eof = false, skipping = false;
    enum lq_err err = LQ_OK, read_err = LQ_OK;
    while (!eof && err == LQ_OK) {
        struct chunk *c = chunk_get(l);
        if (rest.n > 0) {
            memcpy(c->p, rest.p, rest.n);
        }
        c->n = rest.n;
        lq_buf_clear(&rest);
        while (c->n < CHUNK_BYTES && !eof) {
            size_t n = 0;
            read_err = read_some(r, c->p + c->n, CHUNK_BYTES - c->n, &n, file_error);
            eof = n == 0 || read_err != LQ_OK;
            offset += n;
            if (skipping && n > 0) {
                const char *nl = memchr(c->p + c->n, '\n', n);
                size_t cut = nl != NULL ? (size_t)(nl + 1 - (c->p + c->n)) : n;
                memmove(c->p + c->n, c->p + c->n + cut, n - cut);
                n -= cut;
                skipping = nl == NULL;
            }
            c->n += n;
        }
        bool whole = eof && read_err == LQ_OK; /* the end of a damaged file is no end of a line */
        const char *last = c->n > 0 && !whole ? memrchr(c->p, '\n', c->n) : NULL;
        if (eof && !whole && last == NULL) {
            offset -= c->n;
            c->n = 0;
        } else if (last != NULL) {
            size_t keep = event_cut(l, c->p, (size_t)(last + 1 - c->p));
            lq_buf_add(&rest, c->p + keep, c->n - keep);
            c->n = keep;
        } else if (!eof) { /* a chunk is as long as the longest line: cut it, and skip the rest */
            c->p[c->n - 1] = '\n';
            skipping = true;
            l->too_long++;
        }
        c->end_offset = offset - rest.n;
        l->file->bytes += c->n;
        struct parser *parser = events_parser(l->workers[0].events);
        c->columns.n = 0;
        if (parser_has_columns(parser)) {
            c->columns = *parser_columns(parser);
            parser_learn(parser, (lq_str){c->p, c->n});
        }
        if (c->n > 0) {
            chunk_put(l, c);
        }
        show_progress(l, r->src, false);
        if (wants_flush(l)) {
            err = flush(l, true);
        }
    }
    settle_all(l);
    l->cp.offset = offset - rest.n;
    lq_buf_fini(&rest);
    if (err == LQ_OK && read_err != LQ_OK) {
        l->file->state = LOAD_FAILED;
        l->file->error = *file_error;
    }
    return err;
}

static void close_workers(struct loader *l)
{
    for (unsigned i = 0; i < l->n_workers; i++) {
        events_free(&l->workers[i].events);
        for (unsigned k = 0; k <= INNER_MAX; k++) {
            stream_use_close(&l->workers[i].use[k]);
        }
        stream_use_close(&l->workers[i].unparsed);
    }
}

static enum lq_err open_workers(struct loader *l, const struct format *f, const struct labels *labels, struct lq_error *e)
{
    struct parser_config c = {.format = f, .labels = labels, .tz = l->o->tz, .reference_us = l->reference_us};
    enum lq_err err = LQ_OK;
    for (unsigned i = 0; i < l->n_workers && err == LQ_OK; i++) {
        struct worker *w = &l->workers[i];
        c.memo = w->memo;
        err = events_new(&c, on_event, w, &w->events, e);
        for (unsigned k = 0; k <= INNER_MAX && err == LQ_OK && f != NULL && parser_schema_at(events_parser(w->events), k) != NULL; k++) {
            err = stream_use_open(l->store, parser_schema_at(events_parser(w->events), k), &w->use[k], e);
        }
        if (err == LQ_OK) {
            err = stream_use_open(l->store, parser_unparsed_schema(events_parser(w->events)), &w->unparsed, e);
        }
    }
    return err;
}

/* The result is an error of the store only; the file's own goes into its report. */
static enum lq_err load_one(struct loader *l, struct lq_error *fe)
{
    struct reading r = {0};
    struct labels labels;
    const struct format *f = NULL;
    bool is_stdin = strcmp(l->file->path, "-") == 0, known = false;
    enum lq_err err = source_open(l->file->path, &r.src, fe), store_err = LQ_OK;
    if (err == LQ_OK) {
        err = labels_resolve(l->o->labels, is_stdin ? "" : l->file->path, &labels, fe);
    }
    lq_buf_reserve(&r.head, SNIFF_BYTES);
    for (size_t n = 1; err == LQ_OK && n > 0 && r.head.n < SNIFF_BYTES;) {
        struct lq_error later;
        n = 0;
        enum lq_err sniff = source_read(r.src, r.head.p + r.head.n, SNIFF_BYTES - r.head.n, &n, &later);
        r.head.n += n;
        if (sniff != LQ_OK && r.head.n == 0) {
            *fe = later;
            err = sniff;
        }
        if (sniff != LQ_OK || (is_stdin && r.head.n > 65536)) {
            break;
        }
    }
    if (err == LQ_OK && r.head.n == 0) {
        l->file->state = LOAD_EMPTY;
        goto out;
    }
    if (err == LQ_OK) {
        l->reference_us = l->o->reference_us != 0 ? l->o->reference_us : source_mtime_us(r.src) != 0 ? source_mtime_us(r.src) : clock_now_us();
        store_err = load__identify(l, &r, &labels, is_stdin, &known);
        if (store_err != LQ_OK) {
            goto out;
        }
        l->has_last = known && l->cp.last_time_us != INT64_MIN;
        l->last_us = l->cp.last_time_us;
        err = load__choose_format(l, &r, known, &f, fe);
    }
    if (err == LQ_OK && l->cp.key.n > 0) {
        l->cp.format = lq_arena_str(&l->pending_mem, lq_str_of(l->file->format));
    }
    if (err == LQ_OK) {
        err = open_workers(l, f, &labels, fe);
    }
    if (err == LQ_OK && known) {
        err = skip_bytes(l, &r, l->cp.offset, fe);
    }
    if (err == LQ_OK) {
        uint64_t from = l->cp.offset;
        l->file->state = known ? LOAD_CONTINUED : LOAD_DONE;
        store_err = pump(l, &r, from, fe);
        if (l->file->bytes == 0 && known && l->file->state != LOAD_FAILED) {
            l->file->state = LOAD_ALREADY;
        }
        if (store_err == LQ_OK && l->cp.key.n > 0) {
            l->cp.last_time_us = l->has_last ? l->last_us : INT64_MIN;
            lq_grow(&l->pending, &l->cap_pending, l->n_pending + 2, sizeof *l->pending);
            l->pending[l->n_pending++] = l->cp;
        }
    }
out:
    if (err != LQ_OK) {
        l->file->state = LOAD_FAILED;
        l->file->error = *fe;
    }
    close_workers(l);
    if (r.src != NULL) {
        l->done_bytes += source_size(r.src);
    }
    source_close(&r.src);
    lq_buf_fini(&r.head);
    return store_err;
}

enum lq_err load_files(struct store *s, const char *const *paths, size_t n, const struct load_options *o, struct load_report *report,
                       struct lq_error *e)
{
    struct loader *l = lq_alloc(sizeof *l);
    enum lq_err err = LQ_OK;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    memset(report, 0, sizeof *report);
    report->files = lq_alloc((n + 1) * sizeof *report->files);
    l->store = s;
    l->o = o;
    l->report = report;
    l->e = e;
    l->started_us = clock_monotonic_us();
    unsigned threads = o->threads > 0 ? o->threads : cores > 0 ? (unsigned)cores : 1;
    l->n_workers = threads > 1 ? (threads < THREADS_MAX ? threads + 1 : THREADS_MAX) : 1;
    l->n_chunks = threaded(l) ? 3 * l->n_workers : 1;
    l->chunks = lq_alloc(l->n_chunks * sizeof *l->chunks);
    for (unsigned i = 0; i < l->n_chunks; i++) {
        l->chunks[i].p = lq_alloc_pages(CHUNK_BYTES);
    }
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->finished, NULL);
    unsigned started = 0;
    for (unsigned i = 0; i < l->n_workers && err == LQ_OK; i++) {
        l->workers[i].l = l;
        l->workers[i].memo = memo_new();
        err = window_new(s, &l->workers[i].window, e);
        if (err == LQ_OK && i > 0) {
            LQ_ASSERT(pthread_create(&l->workers[i].thread, NULL, work, &l->workers[i]) == 0);
            started = i;
        }
    }
    if (err == LQ_OK) {
        load__expect_high_water(s, o, paths, n);
    }
    for (size_t i = 0; i < n && o->progress != NULL; i++) {
        struct source *src = NULL;
        if (strcmp(paths[i], "-") != 0 && source_open(paths[i], &src, NULL) == LQ_OK) {
            l->total_bytes += source_size(src);
            source_close(&src);
        }
    }
    for (size_t i = 0; i < n && err == LQ_OK; i++) {
        struct lq_error fe = {0};
        l->file = &report->files[report->n++];
        l->file->path = paths[i];
        err = load_one(l, &fe);
        report->lines += l->file->lines;
        report->parsed += l->file->parsed;
        report->bytes += l->file->bytes;
        report->failed += l->file->state == LOAD_FAILED;
    }
    if (err == LQ_OK) {
        err = flush(l, false);
    }
    if (report->n > 0) {
        show_progress(l, NULL, true);
    }
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (unsigned i = 1; i <= started; i++) {
        pthread_join(l->workers[i].thread, NULL);
    }
    for (unsigned i = 0; i < l->n_workers; i++) {
        window_free(&l->workers[i].window);
        memo_free(&l->workers[i].memo);
    }
    for (unsigned i = 0; i < l->n_chunks; i++) {
        free(l->chunks[i].p);
    }
    free(l->chunks);
    free(l->pending);
    lq_arena_fini(&l->pending_mem);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->work);
    pthread_cond_destroy(&l->finished);
    report->elapsed_us = clock_monotonic_us() - l->started_us;
    free(l);
    return err;
}
