/*
 * conn.c - a stream connection (conn.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/conn.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ingest/frame.h"
#include "ingest/log.h"
#include "ingest/relp.h"

enum { OUT_BYTES_MAX = 1 << 20, KEEP_BYTES = 4096, FREE_BYTES = 1024, FAREWELL_READS = 64 };

struct conn {
    struct conn *next, **at;
    struct loop *l;
    struct feed *feed;
    int fd;
    ev_io r, w;
    struct waiter waiter;
    struct framer frame;
    struct relp_reader relp;
    struct channel *channel;
    struct lq_buf rest; /* the bytes of an unfinished message */
    size_t charged;     /* of them, taken from the loops' memory */
    struct lq_buf out;
    size_t out_at;
    struct tls_session *tls;
    bool handshaking, relp_open, closing, closed, is_relp, is_syslog, half_closed;
    bool holds;     /* the rest begins with whole lines of an event that is still open */
    uint32_t acks;  /* in batches that are not committed yet */
    ev_tstamp last;
    char peer[48];
    uint32_t peer_n;
    uint64_t *open;
    void (*ended)(void *arg);
    void *arg;
};

static struct log_limit tls_limit, relp_limit;

static lq_str peer_of(const struct conn *c)
{
    return (lq_str){c->peer, c->peer_n};
}

static void rest_free(struct conn *c)
{
    memory_give(c->l->memory, c->charged);
    c->charged = 0;
    lq_buf_fini(&c->rest);
    c->rest = (struct lq_buf){0};
}

/* Keep what is not a whole message yet; false: no memory for it. */
static bool rest_set(struct conn *c, const char *p, size_t n)
{
    if (n == 0) {
        if (c->rest.cap > KEEP_BYTES) {
            rest_free(c);
        }
        c->rest.n = 0;
        return true;
    }
    if (n > c->rest.cap) {
        size_t cap = 512;
        while (cap < n) {
            cap *= 2;
        }
        size_t charge = cap > FREE_BYTES ? cap : 0; /* a little for everybody, whatever the greedy ones hold */
        if (charge > 0 && !memory_take(c->l->memory, charge - c->charged)) {
            rest_free(c);
            return false;
        }
        c->charged = charge;
        c->rest.p = lq_realloc(c->rest.p, cap);
        c->rest.cap = cap;
    }
    memmove(c->rest.p, p, n);
    c->rest.n = n;
    return true;
}

static void conn_free(struct conn *c)
{
    lq_buf_fini(&c->out);
    free(c);
}

/* The struct stays until its acknowledgements came back. */
static void conn_end(struct conn *c)
{
    if (c->closed) {
        return;
    }
    c->closed = true;
    ev_io_stop(c->l->ev, &c->r);
    ev_io_stop(c->l->ev, &c->w);
    loop_wait_cancel(c->l, &c->waiter);
    channel_free(&c->channel);
    if (c->feed != NULL) {
        feed_origin_gone(c->feed, c);
    }
    rest_free(c);
    tls_session_free(&c->tls);
    close(c->fd);
    *c->at = c->next;
    if (c->next != NULL) {
        c->next->at = c->at;
    }
    if (--c->l->n_conns == 0) {
        loop_watch_idle(c->l, false);
    }
    if (c->open != NULL) {
        __atomic_sub_fetch(c->open, 1, __ATOMIC_RELAXED);
    }
    if (c->ended != NULL) {
        c->ended(c->arg);
    }
    if (c->acks == 0) {
        conn_free(c);
    }
}

/* ---- output ---- */

static ssize_t send_some(struct conn *c, const char *p, size_t n)
{
    if (c->tls != NULL) {
        size_t sent = 0;
        enum tls_result r = tls_write(c->tls, p, n, &sent);
        if (r != TLS_DONE) {
            errno = r == TLS_FAILED || r == TLS_CLOSED ? EPIPE : EAGAIN;
            return -1;
        }
        return (ssize_t)sent;
    }
    return send(c->fd, p, n, MSG_NOSIGNAL);
}

/* Writes what it can; false: the connection is broken. */
static bool flush_out(struct conn *c)
{
    while (c->out_at < c->out.n) {
        ssize_t n = send_some(c, c->out.p + c->out_at, c->out.n - c->out_at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            ev_io_start(c->l->ev, &c->w);
            return true;
        }
        if (n <= 0) {
            return false;
        }
        c->out_at += (size_t)n;
    }
    c->out_at = 0;
    lq_buf_clear(&c->out);
    ev_io_stop(c->l->ev, &c->w);
    return true;
}

static void resume_reading(struct conn *c)
{
    if (!c->closed && !c->closing && !c->waiter.waiting && c->out.n < OUT_BYTES_MAX) {
        ev_io_start(c->l->ev, &c->r);
    }
}

static bool handshake(struct conn *c);

static void on_writable(struct ev_loop *ev, ev_io *w, int events)
{
    struct conn *c = w->data;
    (void)ev;
    (void)events;
    if (c->handshaking) {
        if (!handshake(c)) {
            conn_end(c);
        }
        return;
    }
    if (!flush_out(c) || (c->closing && c->out.n == 0 && c->acks == 0)) {
        conn_end(c);
        return;
    }
    resume_reading(c);
}

/* ---- frames ---- */

static void take_message(struct conn *c, lq_str m)
{
    if (c->is_syslog) {
        feed_syslog_from(c->feed, m, &(struct origin){.peer = peer_of(c), .conn = c});
        return;
    }
    if (c->channel == NULL) {
        c->channel = channel_new(c->feed, NULL, peer_of(c), NULL);
    }
    channel_line(c->channel, m);
}

/* Of p[0..n), handled up to `at`: what of it is done with. The lines of an event that is still open are brought again with what follows, unless it is the last
 * chance, or they are too much. */
static size_t hold_back(struct conn *c, const char *p, size_t at, size_t n, bool last)
{
    c->holds = false;
    if (c->channel == NULL) {
        return at;
    }
    const char *start = channel_open(c->channel);
    if (start == NULL || last || c->frame.skip_line || (size_t)(p + n - start) > EVENT_BYTES_MAX) {
        channel_flush(c->channel);
        return at;
    }
    channel_forget(c->channel);
    c->frame.scanned = 0;
    c->holds = true;
    return (size_t)(start - p);
}

static size_t take_frames(struct conn *c, const char *p, size_t n, bool last)
{
    size_t at = 0;
    for (;;) {
        lq_str m = {"", 0};
        size_t used = 0;
        enum frame_result r = frame_next(&c->frame, p + at, n - at, &m, &used);
        if (r == FRAME_MORE) {
            return hold_back(c, p, at, n, last);
        }
        at += used;
        if (r == FRAME_TOO_LONG) {
            feed_too_long(c->feed);
        } else if (r == FRAME_BAD) {
            stat_add(feed_stats(c->feed), STAT_BAD_FRAME, 1);
        }
        if (r != FRAME_SKIPPED) {
            take_message(c, m);
        }
    }
}

static void relp_command(struct conn *c, const struct relp_frame *f, bool *bad)
{
    if (lq_str_is(f->command, "syslog") && c->relp_open) {
        lq_str m = f->data;
        while (m.n > 0 && (m.p[m.n - 1] == '\n' || m.p[m.n - 1] == '\0')) {
            m.n--;
        }
        c->acks++;
        feed_syslog_from(c->feed, m, &(struct origin){.peer = peer_of(c), .conn = c, .ack = true, .txnr = f->txnr});
        loop_commit_soon(c->l);
    } else if (lq_str_is(f->command, "open")) {
        c->relp_open = true;
        relp_answer_open(&c->out, f->txnr);
    } else if (lq_str_is(f->command, "close")) {
        relp_answer(&c->out, f->txnr, (lq_str){"", 0});
        lq_buf_str(&c->out, "0 serverclose 0\n");
        c->closing = true;
    } else {
        *bad = true;
    }
}

static size_t take_relp(struct conn *c, const char *p, size_t n, bool *bad)
{
    size_t at = 0;
    while (!*bad && !c->closing) {
        struct relp_frame f;
        size_t used = 0;
        enum relp_result r = relp_next(&c->relp, p + at, n - at, &f, &used);
        if (r == RELP_MORE) {
            return at;
        }
        at += used;
        if (r == RELP_BAD) {
            *bad = true;
        } else if (r != RELP_SKIPPED) {
            if (r == RELP_TOO_LONG) {
                feed_too_long(c->feed);
            }
            relp_command(c, &f, bad);
        }
    }
    if (*bad) {
        stat_add(feed_stats(c->feed), STAT_BAD_FRAME, 1);
        if (log_may(&relp_limit)) {
            log_say(LOG_WARN, "%s: %.*s sends no valid RELP: closed", feed_config(c->feed)->name, (int)c->peer_n, c->peer);
        }
    }
    return at;
}

/* ---- input ---- */

enum got { GOT_BYTES, GOT_NOTHING, GOT_END };

static enum got receive(struct conn *c, char *p, size_t cap, size_t *n)
{
    *n = 0;
    if (c->tls != NULL) {
        enum tls_result r;
        do { /* records of 16 KiB: several at once */
            size_t got = 0;
            r = tls_read(c->tls, p + *n, cap - *n, &got);
            *n += got;
        } while (r == TLS_DONE && *n + 16384 <= cap && tls_pending(c->tls));
        return *n > 0 ? GOT_BYTES : r == TLS_WANT_READ || r == TLS_WANT_WRITE ? GOT_NOTHING : GOT_END;
    }
    ssize_t got = read(c->fd, p, cap);
    if (got < 0 && (errno == EAGAIN || errno == EINTR || errno == EWOULDBLOCK)) {
        return GOT_NOTHING;
    }
    *n = got > 0 ? (size_t)got : 0;
    return got > 0 ? GOT_BYTES : GOT_END;
}

/* Nothing came for a while: the event that is open has ended. */
static void end_event(struct conn *c)
{
    struct loop *l = c->l;
    size_t n = c->rest.n;
    memcpy(l->buf, c->rest.p, n);
    size_t used = take_frames(c, l->buf, n, true);
    rest_set(c, l->buf + used, n - used);
}

/* The stream has ended: what is left is a message of its own, or the last lines of an event. */
static void take_rest(struct conn *c)
{
    if (!c->is_relp && c->rest.n > 0) {
        size_t n = c->rest.n, used = 0;
        char *p = c->l->buf;
        memcpy(p, c->rest.p, n);
        if (c->holds) {
            p[n] = '\n'; /* its last line, too, may have come without its end */
            used = take_frames(c, p, n + (p[n - 1] != '\n'), true);
        }
        lq_str m = used < n ? frame_rest(&c->frame, p + used, n - used) : (lq_str){"", 0};
        if (m.n > 0) {
            take_message(c, m);
        }
        if (c->channel != NULL) {
            channel_flush(c->channel);
        }
        c->rest.n = 0;
    }
}

/* One read. False: nothing more now, or the connection has ended (*ended). */
static bool read_once(struct conn *c, bool drop, bool *ended)
{
    struct loop *l = c->l;
    size_t n = 0, have = c->rest.n;
    bool bad = false;
    memcpy(l->buf, c->rest.p != NULL ? c->rest.p : "", have);
    enum got got = receive(c, l->buf + have, READ_BYTES, &n);
    if (got == GOT_NOTHING) {
        return false;
    }
    if (got == GOT_END) {
        take_rest(c);
        *ended = true;
        return false;
    }
    c->last = ev_now(l->ev);
    stat_add(feed_stats(c->feed), STAT_BYTES, n);
    if (drop) { /* whole lines are counted, the unfinished one too */
        uint64_t lines = 0;
        for (const char *p = l->buf + have; (p = memchr(p, '\n', (size_t)(l->buf + have + n - p))) != NULL; p++) {
            lines++;
        }
        feed_dropped(c->feed, STAT_DROP_FULL, lines);
        rest_set(c, "", 0);
        c->frame.skip = 0;
        c->frame.skip_line = l->buf[have + n - 1] != '\n';
        c->frame.scanned = 0;
        return true;
    }
    size_t used = c->is_relp ? take_relp(c, l->buf, have + n, &bad) : take_frames(c, l->buf, have + n, false);
    if (bad) {
        *ended = true;
        return false;
    }
    bool held = rest_set(c, l->buf + used, have + n - used);
    if (!held && c->holds) { /* no memory for an open event: it is handed on as it is */
        size_t more = take_frames(c, l->buf + used, have + n - used, true);
        held = rest_set(c, l->buf + used + more, have + n - used - more);
    }
    if (!held) {
        feed_dropped(c->feed, STAT_DROP_BUFFER, 1);
        if (c->is_relp) { /* not acknowledged: it comes again */
            *ended = true;
            return false;
        }
        c->frame.skip_line = true;
        c->frame.scanned = 0;
    }
    return true;
}

static void on_readable(struct ev_loop *ev, ev_io *w, int events)
{
    struct conn *c = w->data;
    bool ended = false;
    (void)ev;
    (void)events;
    if (c->handshaking) {
        if (!handshake(c)) {
            conn_end(c);
        }
        return;
    }
    bool room = loop_room(c->l), drop = feed_config(c->feed)->when_full == FULL_DROP && !c->is_relp;
    if (!room && !drop) {
        stat_add(feed_stats(c->feed), STAT_PAUSES, 1);
        ev_io_stop(c->l->ev, &c->r);
        loop_wait(c->l, &c->waiter);
        return;
    }
    do {
        if (!read_once(c, !room, &ended)) {
            break;
        }
    } while (c->tls != NULL && tls_pending(c->tls));
    if (!ended && c->out.n > 0 && !flush_out(c)) {
        ended = true;
    }
    if (ended || (c->closing && c->out.n == 0 && c->acks == 0)) {
        conn_end(c);
    } else if (c->closing || c->out.n >= OUT_BYTES_MAX) {
        ev_io_stop(c->l->ev, &c->r);
    }
}

static void on_room(struct waiter *w)
{
    resume_reading((struct conn *)(void *)((char *)w - offsetof(struct conn, waiter)));
}

/* True: done, or goes on later. */
static bool handshake(struct conn *c)
{
    enum tls_result r = tls_handshake(c->tls);
    c->last = ev_now(c->l->ev);
    if (r == TLS_WANT_WRITE) {
        ev_io_start(c->l->ev, &c->w);
        return true;
    }
    ev_io_stop(c->l->ev, &c->w);
    if (r == TLS_WANT_READ) {
        return true;
    }
    if (r != TLS_DONE) {
        stat_add(feed_stats(c->feed), STAT_HANDSHAKE, 1);
        if (log_may(&tls_limit)) {
            log_say(LOG_WARN, "%s: TLS with %.*s failed: %s", feed_config(c->feed)->name, (int)c->peer_n, c->peer, tls_why(c->tls));
        }
        return false;
    }
    c->handshaking = false;
    if (tls_pending(c->tls)) {
        ev_feed_event(c->l->ev, &c->r, EV_READ);
    }
    return true;
}

static void set_feed(struct conn *c, struct feed *f)
{
    const struct input_config *in = feed_config(f);
    c->feed = f;
    c->is_relp = in->kind == INPUT_RELP;
    c->is_syslog = in->kind == INPUT_SYSLOG_TCP || in->kind == INPUT_SYSLOG_TLS || in->kind == INPUT_UNIX;
    c->frame.mode = c->is_syslog ? FRAME_SYSLOG : FRAME_LINES;
    c->frame.bytes_max = in->line_bytes_max;
    c->relp.data_max = in->line_bytes_max;
}

void conn_open(struct loop *l, const struct conn_options *o)
{
    struct conn *c = lq_alloc(sizeof *c);
    c->l = l;
    c->fd = o->fd;
    set_feed(c, o->feed);
    memcpy(c->peer, o->peer, sizeof c->peer);
    c->peer_n = o->peer_n;
    c->open = o->open;
    c->ended = o->ended;
    c->arg = o->arg;
    c->last = ev_now(l->ev);
    c->waiter.resume = on_room;
    ev_io_init(&c->r, on_readable, c->fd, EV_READ);
    ev_io_init(&c->w, on_writable, c->fd, EV_WRITE);
    c->r.data = c->w.data = c;
    if (o->tls != NULL) {
        c->tls = tls_session_new(o->tls, c->fd);
        c->handshaking = true;
    }
    c->next = l->conns;
    c->at = &l->conns;
    if (c->next != NULL) {
        c->next->at = &c->next;
    }
    l->conns = c;
    if (l->n_conns++ == 0) {
        loop_watch_idle(l, true);
    }
    stat_add(feed_stats(c->feed), STAT_CONNECTIONS, 1);
    ev_io_start(l->ev, &c->r);
}

/* Standard input is not set to non-blocking: it may be shared with others. */
static bool readable(const struct conn *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    return (c->tls != NULL && tls_pending(c->tls)) || poll(&p, 1, 0) > 0;
}

void conn_close_all(struct loop *l, struct feed *f)
{
    for (struct conn *c = l->conns, *next; c != NULL; c = next) {
        bool ended = false;
        next = c->next;
        if (c->feed != f) {
            continue;
        }
        for (int i = 0; i < FAREWELL_READS && !c->handshaking && readable(c) && loop_room(l) && read_once(c, false, &ended); i++) {
        }
        if (!ended) {
            take_rest(c);
        }
        if (c->acks == 0 || ended) {
            conn_end(c);
        } else { /* its acknowledgements come first */
            feed_origin_gone(f, c);
            channel_free(&c->channel);
            c->feed = NULL; /* it goes before the acknowledgements come */
            c->closing = true;
            ev_io_stop(l->ev, &c->r);
            loop_wait_cancel(l, &c->waiter);
        }
    }
}

void conn_move_all(struct loop *l, struct feed *from, struct feed *to)
{
    for (struct conn *c = l->conns; c != NULL; c = c->next) {
        if (c->feed == from) { /* lines of an open event are in the rest: they are brought again */
            channel_free(&c->channel);
            feed_origin_gone(from, c);
            set_feed(c, to);
        }
    }
}

void conn_close_idle(struct loop *l)
{
    ev_tstamp now = ev_now(l->ev);
    for (struct conn *c = l->conns, *next; c != NULL; c = next) {
        next = c->next;
        if (c->feed == NULL) {
            continue;
        }
        if (c->holds && now - c->last > EVENT_IDLE_US / 1e6 && loop_room(l)) {
            end_event(c);
        }
        double limit = (double)feed_config(c->feed)->idle_us / 1e6;
        limit = c->handshaking && (limit <= 0 || limit > 30) ? 30 : limit;
        if (limit > 0 && now - c->last > limit && !c->waiter.waiting && c->acks == 0) {
            stat_add(feed_stats(c->feed), STAT_CLOSED_IDLE, 1);
            take_rest(c);
            conn_end(c);
        }
    }
}

void conn_acknowledge(struct loop *l, const struct batch *b)
{
    (void)l;
    for (size_t i = 0; i < b->n_acks; i++) {
        struct conn *c = b->acks[i].to;
        if (!c->closed) {
            relp_answer(&c->out, b->acks[i].txnr, LQ_STR("200 OK"));
        }
    }
    for (size_t i = 0; i < b->n_acks; i++) {
        struct conn *c = b->acks[i].to;
        bool last = --c->acks == 0, again = i + 1 < b->n_acks && b->acks[i + 1].to == c;
        if (c->closed) {
            if (last) {
                conn_free(c);
            }
        } else if (!again && (!flush_out(c) || (c->closing && c->out.n == 0 && last))) {
            conn_end(c);
        } else if (!again) {
            resume_reading(c);
        }
    }
}
