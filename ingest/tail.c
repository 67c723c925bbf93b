/*
 * tail.c - one followed file (tail.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "ingest/log.h"

enum { DAY_S = 86400 };
static struct log_limit truncated_limit, damaged_limit;

/* ---- identity ---- */

/* Up to n bytes of content at the front; compressed files are read through a source of their own. */
static size_t read_head(const char *path, int fd, bool *compressed, char *p, size_t n)
{
    struct source *s = NULL;
    size_t have = 0, got = 1;
    *compressed = false;
    if (source_open(path, &s, NULL) != LQ_OK) {
        return 0;
    }
    if (!source_compressed(s)) {
        source_close(&s);
        ssize_t r = pread(fd, p, n, 0);
        return r > 0 ? (size_t)r : 0;
    }
    *compressed = true;
    while (have < n && got > 0 && source_read(s, p + have, n - have, &got, NULL) == LQ_OK) {
        have += got;
    }
    source_close(&s);
    return have;
}

/* The bytes before the checkpoint's offset are those that were there. */
static bool accept(void *ctx, const struct checkpoint *c)
{
    struct tail *t = ctx;
    char last[LAST_BYTES];
    if (t->compressed) {
        return true;
    }
    if (c->offset > (uint64_t)t->st.st_size) {
        return false;
    }
    if (c->last_n == 0 || c->last_n > LAST_BYTES || c->last_n > c->offset) {
        return true;
    }
    ssize_t n = pread(t->fd, last, c->last_n, (off_t)(c->offset - c->last_n));
    return n == (ssize_t)c->last_n && lq_hash(last, c->last_n, 0) == c->last_hash;
}

static void remember_last(struct tail *t)
{
    uint32_t n = t->offset < LAST_BYTES ? (uint32_t)t->offset : LAST_BYTES;
    ssize_t got = t->compressed ? -1 : pread(t->fd, t->last, n, (off_t)(t->offset - n));
    t->last_n = got == (ssize_t)n ? n : 0;
}

static void set_key(struct tail *t)
{
    source_id_key(&t->labels, t->head, t->head_n, &t->key);
}

/* Begin at an offset that is no line's start: that was a line cut at line_bytes_max, or taken without its end. */
static void start_at(struct tail *t, uint64_t offset)
{
    char before = '\n';
    t->offset = offset;
    memset(&t->frame, 0, sizeof t->frame);
    t->frame.bytes_max = feed_config(t->feed)->line_bytes_max;
    if (offset > 0 && !t->compressed && pread(t->fd, &before, 1, (off_t)(offset - 1)) == 1) {
        t->frame.skip_line = before != '\n';
    }
    remember_last(t);
}

/* *ok: it may be followed. The result is a failure of the store: then the file is tried again later, not taken for a new one. */
static enum lq_err identify(struct tail *t, bool known_only, bool from_end, bool *ok, struct lq_error *e)
{
    struct pipeline *p = feed_pipeline(t->feed);
    struct lq_arena mem = {0};
    struct checkpoint cp = {0};
    char format[NAME_BYTES_MAX] = "";
    enum lq_err err = source_id_find(p->store, &t->labels, (lq_str){t->head, t->head_n}, accept, t, &cp, &mem, e);
    if (err != LQ_OK && err != LQ_ENOENT) {
        lq_arena_fini(&mem);
        return err;
    }
    bool known = err == LQ_OK;
    *ok = known || !known_only;
    if (known) {
        snprintf(format, sizeof format, "%.*s", (int)cp.format.n, cp.format.p);
        set_key(t);
        if (!lq_str_eq(cp.key, (lq_str){t->key.p, t->key.n})) {
            lq_buf_add(&t->old_key, cp.key.p, cp.key.n);
        }
    }
    t->channel = channel_new(t->feed, &t->labels, (lq_str){"", 0}, format);
    int64_t modified = t->st.st_mtim.tv_sec;
    bool old = p->now_us / 1000000 - modified > DAY_S; /* stamps without a year are of its time, not of today */
    channel_resume(t->channel, known ? cp.last_time_us : INT64_MIN, old ? modified * 1000000 : 0);
    t->lines = known ? cp.lines : 0;
    t->parsed_before = known ? cp.parsed : 0;
    set_key(t);
    start_at(t, known ? cp.offset : from_end && !t->compressed ? (uint64_t)t->st.st_size : 0);
    t->dirty = !known && t->offset > 0;
    lq_arena_fini(&mem);
    return LQ_OK;
}

struct tail *tail_open(struct loop *l, struct feed *f, const char *path, bool known_only, bool from_end, char *why, size_t why_cap)
{
    struct tail *t = lq_alloc(sizeof *t);
    struct lq_error e = {0};
    bool ok = false;
    why[0] = '\0';
    t->l = l;
    t->feed = f;
    t->path = lq_strdup(lq_str_of(path));
    t->wd = -1;
    t->quiet_us = clock_monotonic_us();
    t->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (t->fd < 0 || fstat(t->fd, &t->st) != 0) {
        if (errno != ENOENT) {
            snprintf(why, why_cap, "%s", strerror(errno));
        }
    } else if (S_ISREG(t->st.st_mode) && t->st.st_size > 0) {
        t->head_n = (uint32_t)read_head(path, t->fd, &t->compressed, t->head, sizeof t->head);
        if (labels_resolve(&feed_config(f)->labels, path, &t->labels, &e) != LQ_OK) {
            snprintf(why, why_cap, "%s", e.msg);
        } else if (t->head_n > 0 && identify(t, known_only, from_end, &ok, &e) != LQ_OK) {
            snprintf(why, why_cap, "%s", e.msg);
        }
    }
    if (!ok) {
        tail_free(&t);
        return NULL;
    }
    return t;
}

void tail_free(struct tail **tp)
{
    struct tail *t = *tp;
    if (t != NULL) {
        channel_free(&t->channel);
        source_close(&t->source);
        if (t->fd >= 0) {
            close(t->fd);
        }
        lq_buf_fini(&t->key);
        lq_buf_fini(&t->old_key);
        lq_buf_fini(&t->unpacked);
        free(t->path);
        free(t);
        *tp = NULL;
    }
}

/* ---- reading ---- */

/* Frames of p[0..n): offset and checkpoint follow. The bytes of an unfinished message are not counted as used. */
static size_t take(struct tail *t, const char *p, size_t n, bool last)
{
    size_t at = 0;
    t->holds = false;
    for (;;) {
        lq_str m = {"", 0};
        size_t used = 0;
        enum frame_result r = frame_next(&t->frame, p + at, n - at, &m, &used);
        if (r == FRAME_MORE) {
            t->frame.scanned = 0; /* it is read again */
            break;
        }
        at += used;
        if (r == FRAME_TOO_LONG) {
            feed_too_long(t->feed);
        }
        if (r != FRAME_SKIPPED && m.n > 0) {
            channel_line(t->channel, m);
            t->lines++;
        }
    }
    const char *open = channel_open(t->channel);
    if (open != NULL && !last && !t->frame.skip_line && (size_t)(p + n - open) <= EVENT_BYTES_MAX) {
        t->lines -= channel_open_lines(t->channel);
        channel_forget(t->channel);
        t->holds = true;
        at = (size_t)(open - p);
        t->held_n = n - at;
    } else {
        channel_flush(t->channel);
    }
    if (at > 0) {
        t->offset += at;
        t->dirty = true;
        if (at >= LAST_BYTES) {
            memcpy(t->last, p + at - LAST_BYTES, LAST_BYTES);
            t->last_n = LAST_BYTES;
        } else {
            uint32_t keep = t->last_n + at > LAST_BYTES ? LAST_BYTES - (uint32_t)at : t->last_n;
            memmove(t->last, t->last + t->last_n - keep, keep);
            memcpy(t->last + keep, p, at);
            t->last_n = keep + (uint32_t)at;
        }
    }
    return at;
}

/* The file's first bytes are still those that it is known by; with more of them the key becomes that of the whole fingerprint. */
static bool same_head(struct tail *t)
{
    char head[FINGERPRINT_BYTES];
    ssize_t n = pread(t->fd, head, sizeof head, 0);
    if (n < (ssize_t)t->head_n || memcmp(head, t->head, t->head_n) != 0) {
        return false;
    }
    if (t->head_n < FINGERPRINT_BYTES && (n == FINGERPRINT_BYTES || (t->head_n == 0 && n > 0))) {
        if (t->old_key.n == 0 && t->head_n > 0) {
            lq_buf_add(&t->old_key, t->key.p, t->key.n);
        }
        memcpy(t->head, head, (size_t)n);
        t->head_n = (uint32_t)n;
        set_key(t);
        t->dirty = true;
    }
    return true;
}

static void written_anew(struct tail *t)
{
    struct pipeline *p = feed_pipeline(t->feed);
    pipeline_settle(p);
    tail_checkpoint(t, p->open); /* of the content that was here: a copy of it may be read on */
    stat_add(feed_stats(t->feed), STAT_TRUNCATED, 1);
    if (log_may(&truncated_limit)) {
        log_say(LOG_WARN, "%s was truncated or written anew: it is read from its start (lines written between the copy and the truncation are lost: copytruncate)", t->path);
    }
    ssize_t n = pread(t->fd, t->head, sizeof t->head, 0);
    t->head_n = n > 0 ? (uint32_t)n : 0;
    t->lines = t->parsed_before = 0;
    lq_buf_clear(&t->old_key);
    set_key(t);
    start_at(t, 0);
}

static bool reopen(struct tail *t)
{
    if (t->fd < 0) {
        t->fd = open(t->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    }
    return t->fd >= 0 && fstat(t->fd, &t->st) == 0;
}

static bool read_plain(struct tail *t)
{
    struct loop *l = t->l;
    if (!reopen(t)) {
        return false;
    }
    if ((uint64_t)t->st.st_size < t->offset || (t->st.st_size > 0 && !same_head(t))) {
        written_anew(t);
        if (t->head_n == 0) {
            return false; /* empty: wait for its first bytes */
        }
    }
    ssize_t n = pread(t->fd, l->buf, READ_BYTES + feed_config(t->feed)->line_bytes_max, (off_t)t->offset);
    if (n <= 0) {
        return false;
    }
    bool nothing_new = t->holds && (size_t)n == t->held_n;
    if (nothing_new && clock_monotonic_us() - t->quiet_us < EVENT_IDLE_US) {
        return false; /* the open event may go on */
    }
    t->quiet_us = nothing_new ? t->quiet_us : clock_monotonic_us();
    size_t used = take(t, l->buf, (size_t)n, nothing_new);
    stat_add(feed_stats(t->feed), STAT_BYTES, used);
    return used > 0;
}

/* The last bytes: whole lines of an open event, and a line without its end. */
static void take_last(struct tail *t, const char *p, size_t n)
{
    size_t used = t->holds ? take(t, p, n, true) : 0;
    lq_str m = used < n ? frame_rest(&t->frame, p + used, n - used) : (lq_str){"", 0};
    if (m.n > 0) {
        channel_line(t->channel, m);
        channel_flush(t->channel);
        t->lines++;
    }
    t->offset += n - used;
    t->dirty = true;
}

static void archive_end(struct tail *t, enum lq_err err, const struct lq_error *e)
{
    t->done = true;
    t->damaged = err != LQ_OK; /* perhaps it is still being written */
    if (err == LQ_OK && t->unpacked.n > 0) {
        take_last(t, t->unpacked.p, t->unpacked.n);
    } else if (err != LQ_OK && log_may(&damaged_limit)) {
        log_say(LOG_WARN, "%s (it is read on when it has changed)", e->msg);
    }
    source_close(&t->source);
    lq_buf_fini(&t->unpacked);
    t->unpacked = (struct lq_buf){0};
    if (t->fd >= 0) {
        close(t->fd);
        t->fd = -1;
    }
}

/* A compressed file is read once, in portions; what was read of it before is skipped. */
static bool read_compressed(struct tail *t)
{
    struct loop *l = t->l;
    struct lq_error e = {0};
    size_t n = 0;
    if (t->source == NULL) {
        if (!reopen(t) || source_open(t->path, &t->source, &e) != LQ_OK) {
            return false;
        }
        char *skip = l->buf;
        for (uint64_t left = t->offset; left > 0;) {
            enum lq_err err = source_read(t->source, skip, left < READ_BYTES ? (size_t)left : READ_BYTES, &n, &e);
            if (err != LQ_OK || n == 0) {
                archive_end(t, err, &e);
                return false;
            }
            left -= n;
        }
    }
    t->quiet_us = clock_monotonic_us();
    if (t->unpacked.n > 0) {
        memcpy(l->buf, t->unpacked.p, t->unpacked.n);
    }
    enum lq_err err = source_read(t->source, l->buf + t->unpacked.n, READ_BYTES, &n, &e);
    if (err != LQ_OK || n == 0) {
        archive_end(t, err, &e);
        return false;
    }
    stat_add(feed_stats(t->feed), STAT_BYTES, n);
    n += t->unpacked.n;
    size_t used = take(t, l->buf, n, false);
    lq_buf_clear(&t->unpacked);
    lq_buf_add(&t->unpacked, l->buf + used, n - used);
    return true;
}

bool tail_wants(const struct tail *t)
{
    return t->state == TAIL_OPEN && !t->shadow && !t->done;
}

bool tail_read(struct tail *t)
{
    return tail_wants(t) && (t->compressed ? read_compressed(t) : read_plain(t));
}

/* ---- twins ---- */

bool tail_same(const struct tail *t, const struct tail *o)
{
    char before[LAST_BYTES];
    struct lq_buf a = {0}, b = {0};
    uint32_t n = t->head_n < o->head_n ? t->head_n : o->head_n;
    labels_print(&t->labels, &a);
    labels_print(&o->labels, &b);
    bool same = lq_str_eq((lq_str){a.p, a.n}, (lq_str){b.p, b.n}) && memcmp(t->head, o->head, n) == 0;
    lq_buf_fini(&a);
    lq_buf_fini(&b);
    if (!same || n == FINGERPRINT_BYTES) {
        return same;
    }
    if (o->offset <= t->head_n) { /* short ones: what was read of the other is all here */
        return memcmp(t->head, o->head, o->offset < n ? o->offset : n) == 0 && memcmp(t->head + o->offset - o->last_n, o->last, o->last_n) == 0;
    }
    return !t->compressed && pread(t->fd, before, o->last_n, (off_t)(o->offset - o->last_n)) == (ssize_t)o->last_n && memcmp(before, o->last, o->last_n) == 0;
}

/* ---- what happens to files ---- */

void tail_renamed(struct tail *t)
{
    if (!t->renamed) {
        t->renamed = true;
        t->quiet_us = clock_monotonic_us();
        stat_add(feed_stats(t->feed), STAT_ROTATIONS, 1);
    }
}

void tail_finish(struct tail *t)
{
    struct loop *l = t->l;
    if (t->state == TAIL_FINISHED) {
        return;
    }
    if (!t->compressed && t->fd >= 0 && !t->shadow) { /* the last line, without its end */
        ssize_t n = pread(t->fd, l->buf, READ_BYTES + feed_config(t->feed)->line_bytes_max, (off_t)t->offset);
        if (n > 0) {
            take_last(t, l->buf, (size_t)n);
            remember_last(t);
        }
    }
    t->state = TAIL_FINISHED;
    tail_rest(t);
}

void tail_rest(struct tail *t)
{
    if (t->fd >= 0 && t->source == NULL) {
        close(t->fd);
        t->fd = -1;
    }
}

bool tail_changed(const struct tail *t, const struct stat *now)
{
    return now->st_size != t->st.st_size || now->st_mtim.tv_sec != t->st.st_mtim.tv_sec || now->st_mtim.tv_nsec != t->st.st_mtim.tv_nsec ||
           now->st_ino != t->st.st_ino || now->st_dev != t->st.st_dev;
}

static void add_checkpoint(struct batch *b, const struct checkpoint *c)
{
    lq_grow(&b->checkpoints, &b->cap_checkpoints, b->n_checkpoints + 1, sizeof *b->checkpoints);
    b->checkpoints[b->n_checkpoints++] = *c;
}

void tail_checkpoint(struct tail *t, struct batch *b)
{
    if (!t->dirty) {
        return;
    }
    struct checkpoint c = {.offset = t->offset, .lines = t->lines, .parsed = t->parsed_before + channel_parsed(t->channel),
                           .last_time_us = channel_last_us(t->channel), .last_n = t->last_n};
    c.key = lq_arena_str(&b->mem, (lq_str){t->key.p, t->key.n});
    c.name = lq_arena_str(&b->mem, lq_str_of(t->path));
    c.format = lq_arena_str(&b->mem, lq_str_of(channel_format(t->channel)));
    c.last_hash = lq_hash(t->last, t->last_n, 0);
    add_checkpoint(b, &c);
    if (t->old_key.n > 0) { /* another file that begins alike must not start at this one's offset */
        struct checkpoint old = {.key = lq_arena_str(&b->mem, (lq_str){t->old_key.p, t->old_key.n}), .last_time_us = INT64_MIN};
        old.name = c.name;
        add_checkpoint(b, &old);
        lq_buf_clear(&t->old_key);
    }
    t->dirty = false;
}

void tail_move(struct tail *t, struct feed *to)
{
    int64_t last = channel_last_us(t->channel);
    char format[NAME_BYTES_MAX];
    t->parsed_before += channel_parsed(t->channel);
    snprintf(format, sizeof format, "%s", feed_config(to)->format != NULL ? feed_config(to)->format : channel_format(t->channel));
    channel_free(&t->channel);
    t->feed = to;
    t->channel = channel_new(to, &t->labels, (lq_str){"", 0}, format);
    channel_resume(t->channel, last, 0);
    t->frame.bytes_max = feed_config(to)->line_bytes_max;
}
