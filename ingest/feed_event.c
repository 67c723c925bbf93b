/*
 * feed_event.c - stack traces that arrive as syslog messages, one for each line (pipeline.h)
 *
 *      <11>Mar  2 10:00:00 h shop[7]: 2026-03-02 10:00:00,000 ERROR [m] Api - no price     -- a line of the program's format: opens an event
 *      <11>Mar  2 10:00:00 h shop[7]: \tat com.shop.Price.get(Price.java:12)                -- continues it, when it is of the same connection, host and process
 *
 * The event is parsed whole, once, when the next one begins, when it would grow over EVENT_BYTES_MAX, when its connection ends, or when a commit finds that nothing
 * was added to it for EVENT_IDLE_US. A message is acknowledged (RELP) with the commit that has its event, never before; events with acknowledgements
 * are given up for ended after ack_us, so that a sender with a small window does not wait for long.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "ingest/pipeline_int.h"
#include "schema/timefmt.h"

enum { OPEN_MAX = 256, OPEN_BYTES_MAX = 4 << 20 };

static void event_free(struct open_event *x)
{
    lq_buf_fini(&x->text);
    free(x->acks);
    free(x);
}

/* No line of the format after all: each is a message of its own, with the header of the first. */
static void deliver_apart(struct feed *f, const struct open_event *x, const struct syslog_message *m, lq_str peer)
{
    const char *p = x->text.p + x->first_n, *end = x->text.p + x->text.n;
    feed__syslog_message(f, x->app, (lq_str){x->text.p, x->first_n}, m, peer);
    while (p < end) {
        const char *nl = memchr(p + 1, '\n', (size_t)(end - p - 1));
        struct syslog_message line = *m;
        line.text = (lq_str){p + 1, (size_t)((nl != NULL ? nl : end) - p - 1)};
        feed__syslog_message(f, x->app, line.text, &line, peer);
        p = nl != NULL ? nl : end;
    }
}

static void deliver(struct feed *f, const struct open_event *x)
{
    struct pipeline *p = f->p;
    struct syslog_message m;
    lq_str peer = {x->peer, x->peer_n};
    int64_t now = p->now_us;
    p->now_us = x->received_us;
    syslog_parser_reference(f->syslog, x->received_us);
    syslog_parse(f->syslog, (lq_str){x->text.p, x->first_n}, &m);
    struct syslog_message whole = m;
    whole.text.n = (size_t)(x->text.p + x->text.n - whole.text.p);
    if (x->lines == 1 || !feed__syslog_event(f, x->app, (lq_str){x->text.p, x->text.n}, &whole, peer, x->lines)) {
        deliver_apart(f, x, &m, peer);
    }
    p->now_us = now;
}

static void hand_on(struct feed *f, struct open_event **at)
{
    struct open_event *x = *at;
    *at = x->next;
    f->n_open--;
    f->open_bytes -= x->text.n;
    deliver(f, x);
    for (size_t i = 0; i < x->n_acks; i++) {
        batch_acknowledge(f->p->open, x->acks[i].to, x->acks[i].txnr);
    }
    f->p->acks_held -= x->n_acks;
    event_free(x);
}

void feed__hand_on(struct feed *f, const struct channel *app, const void *conn)
{
    for (struct open_event **at = &f->open; *at != NULL;) {
        if ((app == NULL || (*at)->app == app) && (conn == NULL || (*at)->conn == conn)) {
            hand_on(f, at);
        } else {
            at = &(*at)->next;
        }
    }
}

void feed__hand_on_idle(struct feed *f)
{
    int64_t now = f->open != NULL ? clock_monotonic_us() : 0;
    for (struct open_event **at = &f->open; *at != NULL;) {
        int64_t limit = (*at)->n_acks > 0 && f->p->ack_us < EVENT_IDLE_US ? f->p->ack_us : EVENT_IDLE_US;
        if (now - (*at)->idle_us >= limit - limit / 10) { /* a timer of the same length may be a little early */
            hand_on(f, at);
        } else {
            at = &(*at)->next;
        }
    }
}

static void hand_on_oldest(struct feed *f)
{
    struct open_event **at = &f->open;
    while ((*at)->next != NULL) {
        at = &(*at)->next;
    }
    hand_on(f, at);
}

static void add_ack(struct feed *f, struct open_event *x, const struct origin *o)
{
    if (o->ack) {
        lq_grow(&x->acks, &x->cap_acks, x->n_acks + 1, sizeof *x->acks);
        x->acks[x->n_acks++] = (struct acknowledgement){o->conn, o->txnr};
        f->p->acks_held++;
    }
}

static void open_event(struct feed *f, struct channel *app, uint64_t key, lq_str raw, const struct origin *o)
{
    if (f->n_open == OPEN_MAX || (f->n_open > 0 && f->open_bytes + raw.n > OPEN_BYTES_MAX)) {
        hand_on_oldest(f);
    }
    struct open_event *x = lq_alloc(sizeof *x);
    x->app = app;
    x->key = key;
    x->conn = o->conn;
    lq_buf_add(&x->text, raw.p, raw.n);
    x->first_n = raw.n;
    x->lines = 1;
    x->received_us = f->p->now_us;
    x->idle_us = clock_monotonic_us();
    x->peer_n = (uint32_t)(o->peer.n < sizeof x->peer ? o->peer.n : sizeof x->peer);
    if (x->peer_n > 0) {
        memcpy(x->peer, o->peer.p, x->peer_n);
    }
    add_ack(f, x, o);
    x->next = f->open;
    f->open = x;
    f->n_open++;
    f->open_bytes += raw.n;
}

static uint64_t key_of(const struct syslog_message *m, const struct origin *o)
{
    uint64_t h = lq_hash(o->peer.p, o->peer.n, (uint64_t)(uintptr_t)o->conn);
    h = lq_hash(m->host.p, m->host.n, h);
    return lq_hash(m->pid.p, m->pid.n, h);
}

void feed__join(struct feed *f, struct channel *app, lq_str raw, const struct syslog_message *m, const struct origin *o)
{
    uint64_t key = key_of(m, o);
    struct open_event **at = &f->open, *x;
    bool continues = events_continues(app->binding->events, m->text);
    while ((x = *at) != NULL && (x->app != app || x->key != key)) {
        at = &x->next;
    }
    if (x != NULL && continues && x->text.n + m->text.n < EVENT_BYTES_MAX) {
        lq_buf_byte(&x->text, '\n');
        lq_buf_add(&x->text, m->text.p, m->text.n);
        f->open_bytes += m->text.n + 1;
        x->lines++;
        x->idle_us = clock_monotonic_us();
        add_ack(f, x, o);
        return;
    }
    if (x != NULL) {
        hand_on(f, at);
    }
    if (!continues) {
        open_event(f, app, key, raw, o);
        return;
    }
    feed__syslog_message(f, app, raw, m, o->peer);
    if (o->ack) {
        batch_acknowledge(f->p->open, o->conn, o->txnr);
    }
}
