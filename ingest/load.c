/*
 * load.c - load log files (load.h)
 *
 * One thread reads and cuts chunks at line ends; the others parse. Finished chunks are settled in order, because a line that no format matches takes the time of the
 * last line before it that did, wherever the chunks were cut. With one thread everything runs in place.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/load.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "ingest/load_int.h"
#include "ingest/source.h"
#include "store/window.h"

enum { THREADS_MAX = 64, SNIFF_BYTES = DETECT_BYTES, PROGRESS_EVERY_US = 200000 };

struct tally {
    uint64_t lines, results[PARSE_RESULTS];
    uint64_t invalid, nul;
};

struct chunk {
    char *p;
    size_t n;
    uint64_t end_offset; /* in the content, after this chunk */
    bool busy, done;
    size_t head;         /* bytes of leading lines that did not match: settled in order */
    bool any_parsed;
    int64_t first_us, last_us;
    struct tally tally;
};

struct worker {
    struct loader *l;
    pthread_t thread;
    struct window *window;
    struct parser *parser;
    struct stream_use *use, *inner, *unparsed;
};

struct loader {
    struct store *store;
    const struct load_options *o;
    struct load_report *report;
    struct lq_error *e;
    unsigned n_workers, n_chunks;
    struct worker workers[THREADS_MAX];
    struct chunk *chunks;
    pthread_mutex_t lock;
    pthread_cond_t work, finished;
    uint64_t next_fill, next_take, next_settle; /* chunk numbers */
    bool stop;
    /* the open file */
    struct load_file *file;
    struct checkpoint cp;
    int64_t last_us;
    bool has_last;
    int64_t reference_us;
    /* committed with the next flush */
    struct checkpoint *pending;
    size_t n_pending, cap_pending;
    struct lq_arena pending_mem;
    struct tally tally;
    uint64_t too_long;
    /* progress */
    uint64_t total_bytes, done_bytes;
    int64_t started_us, shown_us;
};

void load_report_fini(struct load_report *r)
{
    free(r->files);
    memset(r, 0, sizeof *r);
}

/* ---- parsing a chunk ---- */

static void observe_unparsed(struct worker *w, lq_str line, int64_t time_us)
{
    struct record r;
    parser_unparsed(w->parser, line, time_us, &r);
    window_observe(w->window, w->unparsed, &r);
}

static void parse_chunk(struct worker *w, struct chunk *c)
{
    const char *p = c->p, *end = c->p + c->n;
    struct record r = {0};
    c->any_parsed = false;
    c->head = c->n;
    memset(&c->tally, 0, sizeof c->tally);
    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        lq_str line = {p, (size_t)((nl != NULL ? nl : end) - p)};
        const char *next = nl != NULL ? nl + 1 : end;
        if (line.n == 0 || (line.n == 1 && line.p[0] == '\r')) {
            p = next; /* a blank line is no line */
            continue;
        }
        enum parse_result result = parser_parse(w->parser, line, &r);
        c->tally.lines++;
        c->tally.results[result]++;
        if (result == PARSE_OK) {
            if (!c->any_parsed) {
                c->any_parsed = true;
                c->first_us = r.time_us;
                c->head = (size_t)(p - c->p);
            }
            c->last_us = r.time_us;
            window_observe(w->window, r.inner ? w->inner : w->use, &r);
        } else {
            c->tally.nul += memchr(line.p, '\0', line.n) != NULL;
            if (c->any_parsed) {
                observe_unparsed(w, line, c->last_us);
            }
        }
        p = next;
    }
}

/* The leading lines of a chunk that matched nothing: they take the last time before them (at the file's start: the first after them). */
static void settle_chunk(struct loader *l, struct chunk *c)
{
    const char *p = c->p, *end = c->p + c->head;
    int64_t t = l->has_last ? l->last_us : c->any_parsed ? c->first_us : l->reference_us;
    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        lq_str line = {p, (size_t)((nl != NULL ? nl : end) - p)};
        if (line.n > 0 && !(line.n == 1 && line.p[0] == '\r')) {
            observe_unparsed(&l->workers[0], line, t);
        }
        p = nl != NULL ? nl + 1 : end;
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
                                  sizeof counters / sizeof counters[0], l->n_workers, l->e);
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

struct reading {
    struct source *src;
    struct lq_buf head; /* sniffed bytes, not yet handed on */
    size_t head_at;
};

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

static enum lq_err skip_bytes(struct reading *r, uint64_t n, struct lq_error *e)
{
    char *p = lq_alloc(CHUNK_BYTES);
    enum lq_err err = LQ_OK;
    while (n > 0 && err == LQ_OK) {
        size_t got = 0;
        err = read_some(r, p, n < CHUNK_BYTES ? (size_t)n : CHUNK_BYTES, &got, e);
        if (got == 0) {
            break;
        }
        n -= got;
    }
    free(p);
    return err;
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
            size_t keep = (size_t)(last + 1 - c->p);
            lq_buf_add(&rest, c->p + keep, c->n - keep);
            c->n = keep;
        } else if (!eof) { /* a chunk is as long as the longest line: cut it, and skip the rest */
            c->p[c->n - 1] = '\n';
            skipping = true;
            l->too_long++;
        }
        c->end_offset = offset - rest.n;
        l->file->bytes += c->n;
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

static void make_key(const struct labels *labels, const char *p, size_t n, struct lq_buf *out)
{
    lq_buf_clear(out);
    labels_print(labels, out);
    lq_buf_printf(out, "|%zu|%016llx%016llx", n, (unsigned long long)lq_hash(p, n, 0), (unsigned long long)lq_hash(p, n, 1));
}

struct shorter {
    const struct reading *r;
    const struct labels *labels;
    struct lq_buf key;
    struct lq_arena *mem;
    struct checkpoint *out;
    size_t best;
};

/* A checkpoint of this file from when it was shorter than the fingerprint. */
static bool match_shorter(void *ctx, const struct checkpoint *c)
{
    struct shorter *x = ctx;
    const char *bar = c->key.n > 40 ? memrchr(c->key.p, '|', c->key.n) : NULL;
    const char *first = bar != NULL ? memrchr(c->key.p, '|', (size_t)(bar - c->key.p)) : NULL;
    size_t n = first != NULL ? strtoul(first + 1, NULL, 10) : 0;
    if (n > 0 && n < FINGERPRINT_BYTES && n <= x->r->head.n && n > x->best) {
        make_key(x->labels, x->r->head.p, n, &x->key);
        if (lq_str_eq(c->key, (lq_str){x->key.p, x->key.n})) {
            *x->out = *c;
            x->out->key = lq_arena_str(x->mem, c->key);
            x->out->name = lq_arena_str(x->mem, c->name);
            x->out->format = lq_arena_str(x->mem, c->format);
            x->best = n;
        }
    }
    return true;
}

/* Find or make the identity of the open file; l->cp is its checkpoint. True: there is one already. */
static bool identify(struct loader *l, const struct reading *r, const struct labels *labels, bool is_stdin)
{
    struct lq_buf key = {0};
    size_t n = r->head.n < FINGERPRINT_BYTES ? r->head.n : FINGERPRINT_BYTES;
    struct checkpoint old = {0};
    bool known = false;
    memset(&l->cp, 0, sizeof l->cp);
    if (is_stdin && l->o->stdin_id == NULL) {
        return false;
    }
    if (is_stdin) {
        labels_print(labels, &key);
        lq_buf_printf(&key, "|id|%s", l->o->stdin_id);
    } else {
        make_key(labels, r->head.p, n, &key);
    }
    known = store_checkpoint_get(l->store, (lq_str){key.p, key.n}, &old, &l->pending_mem) == LQ_OK;
    if (!known && !is_stdin) {
        struct shorter x = {.r = r, .labels = labels, .mem = &l->pending_mem, .out = &old};
        if (store_checkpoint_each(l->store, match_shorter, &x) == LQ_OK) {
            known = x.best > 0;
        }
        lq_buf_fini(&x.key);
    }
    for (size_t i = 0; i < l->n_pending && !known; i++) { /* the same content twice in one command */
        if (lq_str_eq(l->pending[i].key, (lq_str){key.p, key.n})) {
            old = l->pending[i];
            known = true;
        }
    }
    if (known) {
        l->cp = old;
    }
    l->cp.key = lq_arena_str(&l->pending_mem, (lq_str){key.p, key.n});
    l->cp.name = lq_arena_str(&l->pending_mem, lq_str_of(l->file->path));
    lq_buf_fini(&key);
    return known;
}

static bool is_binary(lq_str s)
{
    size_t nul = 0, control = 0;
    for (size_t i = 0; i < s.n && i < 65536; i++) {
        unsigned char c = (unsigned char)s.p[i];
        nul += c == 0;
        control += c < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != 0x1b;
    }
    size_t n = s.n < 65536 ? s.n : 65536;
    return n > 0 && (nul * 20 > n || control * 5 > n);
}

static enum lq_err choose_format(struct loader *l, const struct reading *r, bool known, const struct format **out, struct lq_error *e)
{
    const char *name = l->o->format_name;
    char stored[NAME_BYTES_MAX];
    *out = NULL;
    if (name != NULL) {
        snprintf(l->file->why, sizeof l->file->why, "chosen by --format-name");
        snprintf(l->file->format, sizeof l->file->format, "%s", name);
        return format_set_find(l->o->formats, name, out, e);
    }
    snprintf(stored, sizeof stored, "%.*s", (int)l->cp.format.n, l->cp.format.p);
    if (known && format_set_find(l->o->formats, stored, out, NULL) == LQ_OK) {
        snprintf(l->file->why, sizeof l->file->why, "as before");
    } else {
        struct detection d;
        format_detect(l->o->formats, (lq_str){r->head.p, r->head.n}, &d);
        *out = d.format;
        snprintf(l->file->why, sizeof l->file->why, "%s", d.why);
    }
    if (*out == NULL && is_binary((lq_str){r->head.p, r->head.n})) {
        lq_error_set(e, LQ_EINVAL, "%s is a binary file, no log", l->file->path);
        lq_error_hint(e, "compressed logs are read when they are gzip or zstd; --format-name NAME loads it all the same");
        return LQ_EINVAL;
    }
    snprintf(l->file->format, sizeof l->file->format, "%s", *out != NULL ? format_name(*out) : "unparsed");
    return LQ_OK;
}

static void close_workers(struct loader *l)
{
    for (unsigned i = 0; i < l->n_workers; i++) {
        parser_free(&l->workers[i].parser);
        stream_use_close(&l->workers[i].use);
        stream_use_close(&l->workers[i].inner);
        stream_use_close(&l->workers[i].unparsed);
    }
}

static enum lq_err open_workers(struct loader *l, const struct format *f, const struct labels *labels, struct lq_error *e)
{
    struct parser_config c = {f, labels, l->o->tz, l->reference_us};
    enum lq_err err = LQ_OK;
    for (unsigned i = 0; i < l->n_workers && err == LQ_OK; i++) {
        struct worker *w = &l->workers[i];
        err = parser_new(&c, &w->parser, e);
        if (err == LQ_OK && f != NULL) {
            err = stream_use_open(l->store, parser_schema(w->parser), &w->use, e);
        }
        if (err == LQ_OK && parser_inner_schema(w->parser) != NULL) {
            err = stream_use_open(l->store, parser_inner_schema(w->parser), &w->inner, e);
        }
        if (err == LQ_OK) {
            err = stream_use_open(l->store, parser_unparsed_schema(w->parser), &w->unparsed, e);
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
        known = identify(l, &r, &labels, is_stdin);
        l->has_last = known && l->cp.last_time_us != INT64_MIN;
        l->last_us = l->cp.last_time_us;
        err = choose_format(l, &r, known, &f, fe);
    }
    if (err == LQ_OK && l->cp.key.n > 0) {
        l->cp.format = lq_arena_str(&l->pending_mem, lq_str_of(l->file->format));
    }
    if (err == LQ_OK) {
        err = open_workers(l, f, &labels, fe);
    }
    if (err == LQ_OK && known) {
        err = skip_bytes(&r, l->cp.offset, fe);
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
