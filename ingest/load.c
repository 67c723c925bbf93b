/*
 * load.c - load log files (load.h)
 *
 * One thread reads and cuts chunks at line ends; the others parse. Finished chunks are settled in order, because a line that no format matches takes the time of the
 * last line before it that did, wherever the chunks were cut. With one thread everything runs in place.
 *
 * Up to LANES_MAX files are open at once, and the one that is behind in event time is read next: the files of four hosts, one after the other, would fill
 * each period four times (5 M lines: 8.3 s of processor time and 25.7 bytes a line, against 4.3 s and 16.0 read together).
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/load.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "ingest/load_int.h"

enum { PROGRESS_EVERY_US = 200000 };

void load_report_fini(struct load_report *r)
{
    free(r->files);
    memset(r, 0, sizeof *r);
}

/* ---- threads ---- */

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
        chunk_parse(w, c);
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
    chunk_settle(l, c);
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
        chunk_parse(&l->workers[0], c);
        chunk_settle(l, c);
        return;
    }
    pthread_mutex_lock(&l->lock);
    l->next_fill++;
    pthread_cond_signal(&l->work);
    pthread_mutex_unlock(&l->lock);
}

/* ---- flush ---- */

static struct checkpoint *pending_add(struct loader *l, const struct lane *x)
{
    lq_grow(&l->pending, &l->cap_pending, l->n_pending + LANES_MAX + 1, sizeof *l->pending);
    struct checkpoint *cp = &l->pending[l->n_pending++];
    *cp = x->cp;
    cp->last_time_us = x->has_last ? x->last_us : INT64_MIN;
    return cp;
}

static enum lq_err flush(struct loader *l)
{
    struct window *windows[THREADS_MAX];
    settle_all(l);
    for (unsigned i = 0; i < l->n_workers; i++) {
        windows[i] = l->workers[i].window;
    }
    size_t n_closed = l->n_pending;
    for (size_t i = 0; i < l->n_lanes; i++) {
        if (l->lanes[i]->moved && l->lanes[i]->cp.key.n > 0) {
            pending_add(l, l->lanes[i]);
        }
    }
    const struct counter_delta counters[] = {
        {"lines", l->tally.lines},
        {"parsed", l->tally.results[PARSE_OK]},
        {"no_match", l->tally.results[PARSE_NO_MATCH]},
        {"bad_time", l->tally.results[PARSE_BAD_TIME]},
        {"no_time", l->tally.results[PARSE_NO_TIME]},
        {"too_costly", l->tally.results[PARSE_TOO_COSTLY]},
        {"line_too_long", l->too_long},
        {"nul_bytes", l->tally.nul},
    };
    enum lq_err err = store_flush(l->store, windows, l->n_workers, l->pending, l->n_pending, counters,
                                  sizeof counters / sizeof counters[0], threaded(l) ? l->n_workers - 1 : 1, l->e);
    if (err != LQ_OK) {
        l->n_pending = n_closed;
        return err;
    }
    for (size_t i = 0; i < l->n_lanes; i++) {
        l->lanes[i]->moved = false;
    }
    l->n_pending = 0;
    lq_arena_reset(&l->pending_mem);
    memset(&l->tally, 0, sizeof l->tally);
    l->too_long = 0;
    return LQ_OK;
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

static void show_progress(struct loader *l, bool last)
{
    if (l->o->progress == NULL) {
        return;
    }
    int64_t now = clock_monotonic_us();
    if (!last && now - l->shown_us < PROGRESS_EVERY_US) {
        return;
    }
    l->shown_us = now;
    uint64_t done = l->done_bytes;
    for (size_t i = 0; i < l->n_lanes; i++) {
        done += source_consumed(l->lanes[i]->src);
    }
    double seconds = (double)(now - l->started_us) / 1e6,
           share = l->total_bytes > 0 ? (double)done / (double)l->total_bytes : 0;
    share = share > 1 ? 1 : share;
    char bar[31], eta[40] = "";
    for (int i = 0; i < 30; i++) {
        bar[i] = i < (int)(share * 30) ? '#' : '.';
    }
    bar[30] = '\0';
    if (share > 0.01 && share < 1) {
        duration_print((int64_t)(seconds * (1 - share) / share * 1e6) / 1000000 * 1000000, eta, sizeof eta);
    }
    fprintf(l->o->progress, "\r[%s] %3d%%  %.1f MB/s  %.2f M lines/s  %s%s \033[K%s", bar, (int)(share * 100),
            (double)done / 1e6 / (seconds + 1e-9), (double)l->report->lines / 1e6 / (seconds + 1e-9),
            eta[0] != '\0' ? "ETA " : "", eta, last ? "\r\033[K" : "");
    fflush(l->o->progress);
}

/* ---- lanes ---- */

struct order {
    size_t file;
    int64_t mtime_us;
};

static int by_mtime(const void *a, const void *b)
{
    const struct order *x = a, *y = b;
    return x->mtime_us != y->mtime_us ? (x->mtime_us < y->mtime_us ? -1 : 1) : x->file < y->file ? -1 : 1;
}

/* Files are opened in the order in which they were last written, so that those of one time are open together; standard input comes last. */
static struct order *order_files(const struct load_options *options, const char *const *paths, size_t n)
{
    struct order *o = lq_alloc((n + 1) * sizeof *o);
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        bool is_stdin = strcmp(paths[i], "-") == 0;
        o[i].file = i;
        o[i].mtime_us = is_stdin                              ? INT64_MAX
                        : load__stat(options, paths, i, &st) ? (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000
                                                              : 0;
    }
    qsort(o, n, sizeof *o, by_mtime);
    return o;
}

/* Opens files as long as there is room; *next is the first that is not open. */
static enum lq_err open_lanes(struct loader *l, const struct order *order, size_t n, size_t *next)
{
    enum lq_err err = LQ_OK;
    while (err == LQ_OK && *next < n && l->n_lanes < LANES_MAX) {
        struct load_file *file = &l->report->files[order[*next].file];
        struct lane *x = NULL;
        bool busy = false;
        if (order[*next].mtime_us == INT64_MAX && l->n_lanes > 0) { /* a pipe may be slow: files do not wait for it */
            return LQ_OK;
        }
        err = lane_open(l, file, &x, &busy);
        if (busy) {
            return LQ_OK;
        }
        l->report->failed += x == NULL && file->state == LOAD_FAILED;
        if (x != NULL) {
            l->lanes[l->n_lanes++] = x;
        }
        (*next)++;
    }
    return err;
}

static void end_lane(struct loader *l, size_t i)
{
    struct lane *x = l->lanes[i];
    uint64_t offset = x->offset - x->rest.n;
    settle_all(l);
    x->moved = x->moved || x->cp.offset != offset;
    x->cp.offset = offset;
    if (x->file->bytes == 0 && x->known && x->file->state != LOAD_FAILED) {
        x->file->state = LOAD_ALREADY;
    }
    if (x->cp.key.n > 0) {
        struct checkpoint *cp = pending_add(l, x);
        cp->key = lq_arena_str(&l->pending_mem, cp->key);
        cp->name = lq_arena_str(&l->pending_mem, cp->name);
        cp->format = lq_arena_str(&l->pending_mem, cp->format);
    }
    l->report->bytes += x->file->bytes;
    l->report->failed += x->file->state == LOAD_FAILED;
    l->done_bytes += source_size(x->src);
    lane_close(&x);
    l->lanes[i] = l->lanes[--l->n_lanes];
}

/* The lane that is behind in event time. */
static size_t behind(const struct loader *l)
{
    size_t best = 0;
    for (size_t i = 1; i < l->n_lanes; i++) {
        best = l->lanes[i]->at_us < l->lanes[best]->at_us ? i : best;
    }
    return best;
}

bool load__stat(const struct load_options *o, const char *const *paths, size_t i, struct stat *st)
{
    return strcmp(paths[i], "-") != 0 && (o->fds != NULL ? fstat(o->fds[i], st) : stat(paths[i], st)) == 0;
}

enum lq_err load__open(const struct load_options *o, const char *const *paths, size_t i, struct source **out, struct lq_error *e)
{
    if (o->fds == NULL) {
        return source_open(paths[i], out, e);
    }
    if (strcmp(paths[i], "-") != 0) {
        (void)lseek(o->fds[i], 0, SEEK_SET); /* a file may be opened more than once; of a pipe there is nothing to go back in */
    }
    return source_open_fd(paths[i], o->fds[i], o->cancel_fd, out, e);
}

static bool is_cancelled(struct loader *l)
{
    struct pollfd p = {l->o->fds != NULL ? l->o->cancel_fd : -1, POLLIN | POLLRDHUP, 0};
    l->report->cancelled = l->report->cancelled || (p.fd >= 0 && poll(&p, 1, 0) > 0);
    return l->report->cancelled;
}

/* Fill chunks with whole lines and hand them on. */
static enum lq_err pump(struct loader *l, const struct order *order, size_t n)
{
    size_t next = 0;
    enum lq_err err = open_lanes(l, order, n, &next);
    while (err == LQ_OK && l->n_lanes > 0 && !is_cancelled(l)) {
        size_t i = behind(l);
        struct chunk *c = chunk_get(l);
        lane_fill(l, l->lanes[i], c);
        if (c->n > 0) {
            chunk_put(l, c);
        }
        if (l->lanes[i]->ended) {
            end_lane(l, i);
            err = open_lanes(l, order, n, &next);
        }
        show_progress(l, false);
        if (err == LQ_OK && wants_flush(l)) {
            err = flush(l);
        }
    }
    settle_all(l);
    if (l->report->failed > 0) { /* a pipe that was being read says it by a failure */
        (void)is_cancelled(l);
    }
    return err == LQ_OK ? flush(l) : err;
}

/* ---- the whole ---- */

static enum lq_err start(struct loader *l)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned threads = l->o->threads > 0 ? l->o->threads : cores > 0 ? (unsigned)cores : 1;
    enum lq_err err = LQ_OK;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->finished, NULL);
    l->n_workers = threads > 1 ? (threads < THREADS_MAX ? threads + 1 : THREADS_MAX) : 1;
    l->n_chunks = threaded(l) ? 3 * l->n_workers : 1;
    l->chunks = lq_alloc(l->n_chunks * sizeof *l->chunks);
    for (unsigned i = 0; i < l->n_chunks; i++) {
        l->chunks[i].p = lq_alloc_pages(CHUNK_BYTES);
    }
    for (unsigned i = 0; i < l->n_workers && err == LQ_OK; i++) {
        struct worker *w = &l->workers[i];
        w->l = l;
        w->number = i;
        w->memo = memo_new();
        err = window_new(l->store, &w->window, l->e);
        if (err == LQ_OK && i > 0) {
            LQ_ASSERT(pthread_create(&w->thread, NULL, work, w) == 0);
            l->n_started = i;
        }
    }
    return err;
}

static void stop(struct loader *l)
{
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (unsigned i = 1; i <= l->n_started; i++) {
        pthread_join(l->workers[i].thread, NULL);
    }
    for (size_t i = 0; i < l->n_lanes; i++) { /* when the store failed */
        lane_close(&l->lanes[i]);
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
}

static uint64_t size_of_all(const struct load_options *o, const char *const *paths, size_t n)
{
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        total += load__stat(o, paths, i, &st) ? (uint64_t)st.st_size : 0;
    }
    return total;
}

enum lq_err load_files(struct store *s, const char *const *paths, size_t n, const struct load_options *o,
                       struct load_report *report, struct lq_error *e)
{
    struct loader *l = lq_alloc(sizeof *l);
    struct order *order = order_files(o, paths, n);
    memset(report, 0, sizeof *report);
    report->files = lq_alloc((n + 1) * sizeof *report->files);
    report->n = n;
    for (size_t i = 0; i < n; i++) {
        report->files[i].path = paths[i];
    }
    *l = (struct loader){.store = s,
                         .o = o,
                         .paths = paths,
                         .report = report,
                         .e = e,
                         .started_us = clock_monotonic_us(),
                         .total_bytes = size_of_all(o, paths, n)};
    enum lq_err err = start(l);
    if (err == LQ_OK) {
        load__expect_high_water(s, o, paths, n);
        err = pump(l, order, n);
    }
    show_progress(l, true);
    stop(l);
    report->elapsed_us = clock_monotonic_us() - l->started_us;
    free(order);
    free(l);
    return err;
}
