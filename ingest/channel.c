/*
 * channel.c - where lines of one format come from (pipeline.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "ingest/log.h"
#include "ingest/pipeline_int.h"

enum { LINE_END_BYTES_MAX = 3 /* NUL, CR, LF */, JOINED_LINES_MAX = 200 /* held past the sample, while they continue its last event */ };

static struct log_limit bind_limit;

static void unlink_sampling(struct channel *c)
{
    if (c->at != NULL) {
        *c->at = c->next;
        if (c->next != NULL) {
            c->next->at = c->at;
        }
        c->at = NULL;
        c->next = NULL;
    }
}

static void set_state(struct channel *c, enum channel_state s)
{
    struct pipeline *p = c->feed->p;
    unlink_sampling(c);
    c->state = s;
    if (s == CHANNEL_SAMPLING) {
        c->next = p->sampling;
        c->at = &p->sampling;
        if (c->next != NULL) {
            c->next->at = &c->next;
        }
        p->sampling = c;
    } else {
        lq_buf_fini(&c->held);
        c->held_lines = 0;
    }
}

static void release(struct channel *c)
{
    if (c->binding != NULL && c->binding->holder == c) {
        channel_flush(c);
        c->binding->holder = NULL;
    }
    binding_release(c->feed->p, &c->binding);
}

/* With a format the channel is bound; without one its lines are unparsed (or stay what their envelope makes of them). */
static void bind_to(struct channel *c, const struct format *f)
{
    struct feed *feed = c->feed;
    struct lq_error e = {0};
    release(c);
    if (binding_get(feed->p, f, &c->labels, feed->tz, &c->binding, &e) != LQ_OK) {
        if (log_may(&bind_limit)) {
            log_failure(LOG_ERROR, &e);
        }
        LQ_ASSERT(binding_get(feed->p, NULL, &(struct labels){0}, feed->tz, &c->binding, &e) == LQ_OK);
    }
    c->misses = 0;
    c->sighted_minute = INT64_MIN;
}

static const struct format *named(struct formats *formats, const char *name)
{
    const struct format *f = NULL;
    pthread_mutex_lock(&formats->lock);
    if (format_set_find(formats->set, name, &f, NULL) != LQ_OK) {
        f = NULL;
    }
    pthread_mutex_unlock(&formats->lock);
    return f;
}

struct channel *channel_new(struct feed *f, const struct labels *labels, lq_str peer, const char *format)
{
    struct channel *c = lq_alloc(sizeof *c);
    const char *name = format != NULL && format[0] != '\0' ? format : f->in->format;
    const struct format *known = name != NULL ? named(f->p->formats, name) : NULL;
    c->feed = f;
    c->labels = labels != NULL ? *labels : f->labels;
    c->peer_n = (uint32_t)(peer.n < sizeof c->peer ? peer.n : sizeof c->peer);
    if (c->peer_n > 0) {
        memcpy(c->peer, peer.p, c->peer_n);
    }
    c->last_us = INT64_MIN;
    c->configured = f->in->format != NULL;
    set_state(c, CHANNEL_SAMPLING);
    bind_to(c, known);
    if (known != NULL) {
        set_state(c, CHANNEL_BOUND);
    }
    return c;
}

void channel_free(struct channel **cp)
{
    struct channel *c = *cp;
    if (c != NULL) {
        if (c->held_lines > 0) {
            channel__settle(c);
        }
        if (c->is_app) {
            feed__hand_on(c->feed, c, NULL);
        }
        unlink_sampling(c);
        release(c);
        lq_buf_fini(&c->held);
        free(c);
        *cp = NULL;
    }
}

/* ---- sampling ---- */

static void put(struct lq_buf *b, const void *p, size_t n)
{
    lq_buf_add(b, p, n);
}

void channel__hold(struct channel *c, lq_str line, lq_str peer)
{
    uint32_t n = (uint32_t)line.n;
    uint8_t peer_n = (uint8_t)(peer.n < PEER_BYTES_MAX ? peer.n : PEER_BYTES_MAX);
    put(&c->held, &n, sizeof n);
    put(&c->held, &c->feed->p->now_us, sizeof(int64_t));
    lq_buf_byte(&c->held, peer_n);
    put(&c->held, peer.p, peer_n);
    put(&c->held, line.p, line.n);
    c->held_lines++;
    if (c->held_lines >= DETECT_LINES + JOINED_LINES_MAX || c->held.n >= SAMPLE_BYTES_MAX) {
        channel__settle(c);
    }
}

struct held {
    const char *p, *end;
    lq_str line, peer;
    int64_t now_us;
};

static bool next_held(struct held *h)
{
    uint32_t n;
    if (h->p == h->end) {
        return false;
    }
    memcpy(&n, h->p, sizeof n);
    memcpy(&h->now_us, h->p + sizeof n, sizeof h->now_us);
    h->p += sizeof n + sizeof h->now_us;
    h->peer = (lq_str){h->p + 1, (uint8_t)h->p[0]};
    h->line = (lq_str){h->peer.p + h->peer.n, n};
    h->p = h->line.p + n;
    return true;
}

static const char *inside(struct channel *c, lq_str line, lq_str *out)
{
    struct syslog_message m;
    *out = line;
    if (c->is_app) {
        syslog_parse(c->feed->syslog, line, &m);
        *out = m.text;
    }
    return out->p;
}

/* Does this format match the first lines? */
static bool fits(const struct format *f, const struct timezone_rules *tz, int64_t now_us, lq_str sample)
{
    struct parser_config c = {.format = f, .tz = tz, .reference_us = now_us};
    struct parser *p = NULL;
    struct record r = {0};
    uint32_t lines = 0, matched = 0;
    if (f == NULL || parser_new(&c, &p, NULL) != LQ_OK) {
        return false;
    }
    while (sample.n > 0 && lines < 20) {
        const char *nl = memchr(sample.p, '\n', sample.n);
        size_t n = nl != NULL ? (size_t)(nl - sample.p) : sample.n;
        lines++;
        matched += parser_parse(p, (lq_str){sample.p, n}, &r) == PARSE_OK;
        sample.p += n + (nl != NULL);
        sample.n -= n + (nl != NULL);
    }
    parser_free(&p);
    return matched == lines;
}

static const struct format *detect(struct channel *c, lq_str sample)
{
    struct feed *feed = c->feed;
    struct detection d;
    if (!c->is_app && feed->in->kind != INPUT_HTTP && fits(feed->last_format, feed->tz, feed->p->now_us, sample)) {
        return feed->last_format;
    }
    pthread_mutex_lock(&feed->p->formats->lock);
    format_detect(feed->p->formats->set, sample, &d);
    pthread_mutex_unlock(&feed->p->formats->lock);
    if (d.format == NULL || strcmp(format_name(d.format), "plain") != 0) {
        feed->last_format = d.format;
        return d.format;
    }
    return c->is_app ? NULL : d.format; /* the last resort of lines; a text in syslog has its stamp in the header */
}

static void deliver(struct channel *c, lq_str line);

/* The host of the channel's lines, where labels give none. Channels of equal format and labels share a binding: its parsers may have served
 * another, which may be gone, and which had its own. */
static void take_place(const struct channel *c)
{
    struct binding *b = c->binding;
    lq_str none = {"", 0}, host = labels_get(&c->labels, "host").n == 0 ? (lq_str){c->peer, c->peer_n} : none;
    parser_envelope(b->parser, host, none);
    if (b->events != NULL) {
        events_envelope(b->events, host, none);
    }
}

/* The first lines that do not match take the time of the first that does, as in a file that is loaded. */
static void find_first_time(struct channel *c, struct held h)
{
    struct record r = {0};
    take_place(c);
    while (c->last_us == INT64_MIN && next_held(&h)) {
        if (parser_parse(c->binding->parser, h.line, &r) == PARSE_OK) {
            c->last_us = r.time_us;
        }
    }
}

void channel__settle(struct channel *c)
{
    struct pipeline *p = c->feed->p;
    struct lq_buf held = c->held, sample = {0};
    struct held h = {.p = held.p, .end = held.p + held.n};
    int64_t now = p->now_us;
    uint32_t lines = c->held_lines;
    lq_str text;
    while (next_held(&h)) {
        inside(c, h.line, &text);
        put(&sample, text.p, text.n);
        lq_buf_byte(&sample, '\n');
    }
    c->held = (struct lq_buf){0};
    c->held_lines = 0;
    const struct format *f = detect(c, (lq_str){sample.p, sample.n});
    lq_buf_fini(&sample);
    if (f != NULL) {
        bind_to(c, f);
        set_state(c, CHANNEL_BOUND);
    } else if (c->lines + lines >= DETECT_LINES) {
        c->probe_at = (c->lines + lines) * PROBE_AGAIN;
        set_state(c, CHANNEL_PLAIN);
    }
    h = (struct held){.p = held.p, .end = held.p + held.n};
    if (f != NULL && !c->is_app) {
        find_first_time(c, h);
    }
    enum channel_state after = c->state;
    c->state = f != NULL ? CHANNEL_BOUND : CHANNEL_PLAIN; /* while what was held is handled */
    c->settling = true;
    while (next_held(&h)) {
        p->now_us = h.now_us;
        if (c->is_app) {
            struct syslog_message m;
            syslog_parse(c->feed->syslog, h.line, &m);
            if (f != NULL && c->binding->events != NULL) {
                feed__join(c->feed, c, h.line, &m, &(struct origin){.peer = h.peer});
            } else {
                feed__syslog_message(c->feed, c, h.line, &m, h.peer);
            }
        } else {
            deliver(c, h.line);
        }
    }
    channel_flush(c);
    if (c->is_app) {
        feed__hand_on(c->feed, c, NULL); /* their acknowledgements are in the batch already */
    }
    c->settling = false;
    p->now_us = now;
    c->state = after;
    lq_buf_fini(&held);
}

void channel__probe(struct channel *c)
{
    if (c->state == CHANNEL_PLAIN && !c->configured && c->lines >= c->probe_at) {
        set_state(c, CHANNEL_SAMPLING);
    }
}

void channel__plain(struct channel *c)
{
    c->probe_at = UINT64_MAX;
    set_state(c, CHANNEL_PLAIN);
}

void channel__missed(struct channel *c)
{
    c->misses++;
    if (c->state == CHANNEL_BOUND && !c->configured && c->misses >= MISSES_MAX) {
        c->misses = 0;
        set_state(c, CHANNEL_SAMPLING);
    }
}

/* ---- lines ---- */

bool channel__parse(struct channel *c, lq_str line, struct record *r, enum parse_result *result)
{
    struct binding *b = c->binding;
    *result = parser_parse(b->parser, line, r);
    if (*result != PARSE_OK) {
        return false;
    }
    c->misses = 0;
    c->parsed++;
    return true;
}

/* Once a minute the store is told which format the channel has: another one in its place is a marker. */
static void sight_format(struct channel *c, const struct record *r)
{
    const int64_t minute_us = 60000000;
    if (r->time_us / minute_us == c->sighted_minute || c->binding->format == NULL) {
        return;
    }
    c->sighted_minute = r->time_us / minute_us;
    struct sighting s = {.kind = "format", .confidence = 80, .version = true, .name = lq_str_of(format_name(c->binding->format)), .of = lq_str_of(c->feed->in->name)};
    lq_str host = labels_get(&c->labels, "host");
    s.host = host.n > 0 ? host : (lq_str){c->peer, c->peer_n};
    s.service = labels_get(&c->labels, "service");
    window_sight(c->feed->p->open->window, &s, r->time_us, r->line, format_mask(c->binding->format));
}

static void count(struct channel *c, enum parse_result result, uint32_t lines)
{
    static const enum stat_id reasons[PARSE_RESULTS] = {STAT_PARSED, STAT_NO_MATCH, STAT_BAD_TIME, STAT_TOO_COSTLY, STAT_PARSED, STAT_PARSED};
    static const enum batch_count counts[PARSE_RESULTS] = {COUNT_PARSED, COUNT_NO_MATCH, COUNT_BAD_TIME, COUNT_TOO_COSTLY, COUNT_PARSED, COUNT_PARSED};
    struct batch *b = c->feed->p->open;
    c->lines += lines;
    stat_add(c->feed->stats, reasons[result], lines);
    stat_add(c->feed->stats, STAT_NO_TIME, result == PARSE_NO_TIME ? lines : 0);
    b->counts[COUNT_NO_TIME] += result == PARSE_NO_TIME ? lines : 0;
    b->counts[counts[result]] += lines;
    b->counts[COUNT_LINES] += lines;
}

/* A line that matches nothing, or has no time, takes the last time before it, else that of the file, or of receipt. */
static void without_time(struct channel *c, lq_str text, enum parse_result result)
{
    struct pipeline *p = c->feed->p;
    struct binding *b = c->binding;
    int64_t us = c->last_us != INT64_MIN ? c->last_us : c->reference_us != 0 ? c->reference_us : p->now_us;
    if (result == PARSE_NO_TIME && parser_parse_at(b->parser, text, us, &p->record) == PARSE_OK) {
        c->misses = 0;
        c->parsed++;
        window_observe(p->open->window, b->use[p->record.inner], &p->record);
        return;
    }
    parser_unparsed(b->parser, text, us, &p->record);
    window_observe(p->open->window, b->unparsed, &p->record);
    channel__missed(c);
}

void channel__event(void *ctx, enum parse_result result, lq_str text, const struct record *r)
{
    struct binding *b = ctx;
    struct channel *c = b->holder;
    struct pipeline *p = c->feed->p;
    uint32_t lines = events_lines(b->events);
    if (result == PARSE_OK) {
        c->misses = 0;
        c->parsed += lines;
        c->last_us = r->time_us;
        sight_format(c, r);
        window_observe(p->open->window, b->use[r->inner], r);
    } else if (result != PARSE_HEADER) {
        without_time(c, text, result);
    }
    if (!c->settling) { /* what was held is counted already; lines may be brought more than once, events are handed on once */
        stat_add(c->feed->stats, STAT_LINES, lines);
    }
    count(c, result, lines);
}

/* Lines are neighbours in memory but for their line ends - or what is open is copied. */
static void deliver_joined(struct channel *c, lq_str line)
{
    struct binding *b = c->binding;
    if (b->holder != c) {
        if (b->holder != NULL) {
            channel_flush(b->holder);
        }
        b->holder = c;
    } else if (line.p < b->line_end || line.p > b->line_end + LINE_END_BYTES_MAX) {
        events_keep(b->events);
    }
    b->line_end = line.p + line.n;
    take_place(c);
    events_reference(b->events, c->reference_us != 0 ? c->reference_us : c->feed->p->now_us);
    events_line(b->events, line);
}

static bool joins(const struct channel *c)
{
    return c->state == CHANNEL_BOUND && c->binding->events != NULL && !c->is_app;
}

/* A line whose channel has decided. */
static void deliver(struct channel *c, lq_str line)
{
    struct pipeline *p = c->feed->p;
    struct binding *b = c->binding;
    struct record *r = &p->record;
    enum parse_result result;
    if (joins(c)) {
        deliver_joined(c, line);
        return;
    }
    take_place(c);
    parser_reference(b->parser, c->reference_us != 0 ? c->reference_us : p->now_us);
    if (channel__parse(c, line, r, &result)) {
        c->last_us = r->time_us;
        sight_format(c, r);
        window_observe(p->open->window, b->use[r->inner], r);
    } else if (result != PARSE_HEADER) {
        without_time(c, line, result);
    }
    count(c, result, 1);
}

const char *channel_open(const struct channel *c)
{
    return c->binding->events != NULL && c->binding->holder == c ? events_start(c->binding->events) : NULL;
}

uint32_t channel_open_lines(const struct channel *c)
{
    return channel_open(c) != NULL ? events_lines(c->binding->events) : 0;
}

void channel_forget(struct channel *c)
{
    events_forget(c->binding->events);
}

void channel_flush(struct channel *c)
{
    if (c->binding->events != NULL && c->binding->holder == c) {
        events_flush(c->binding->events);
    }
}

void channel_line(struct channel *c, lq_str line)
{
    if (line.n > 0 && line.p[line.n - 1] == '\r') {
        line.n--;
    }
    if (line.n == 0) {
        if (joins(c) && c->binding->holder == c) { /* a blank line is no line, but may lie within an event */
            deliver_joined(c, line);
        }
        return;
    }
    if (!joins(c)) {
        stat_add(c->feed->stats, STAT_LINES, 1);
    }
    if (c->state == CHANNEL_PLAIN) {
        channel__probe(c);
    }
    if (c->state == CHANNEL_SAMPLING && c->held_lines >= DETECT_LINES && !multiline_continues(line)) {
        channel__settle(c); /* not within an event */
    }
    if (c->state == CHANNEL_SAMPLING) {
        channel_flush(c); /* of the format that it had */
        channel__hold(c, line, (lq_str){"", 0});
    } else {
        deliver(c, line);
    }
}

const char *channel_format(const struct channel *c)
{
    return c->state == CHANNEL_BOUND && c->binding->format != NULL ? format_name(c->binding->format) : "";
}

int64_t channel_last_us(const struct channel *c)
{
    return c->last_us;
}

void channel_resume(struct channel *c, int64_t last_us, int64_t reference_us)
{
    c->last_us = last_us;
    c->reference_us = reference_us;
}

uint64_t channel_parsed(const struct channel *c)
{
    return c->parsed;
}
