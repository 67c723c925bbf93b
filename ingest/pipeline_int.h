/*
 * pipeline_int.h - shared by pipeline.c, channel.c and feed.c
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_PIPELINE_INT_H
#define LQ_PIPELINE_INT_H

#include "ingest/pipeline.h"
#include "schema/event.h"

enum { PEER_BYTES_MAX = 48, APP_BYTES_MAX = 64, APPS_MAX = 256, SAMPLE_BYTES_MAX = 64 << 10, PROBE_AGAIN = 10, MISSES_MAX = 200 };

/* A format with labels: the parser and where its records go. Shared by the channels of a loop that have both in common. */
struct binding {
    struct binding *next;
    unsigned refs;
    const struct format *format; /* NULL: only unparsed */
    struct labels labels;
    const struct timezone_rules *tz;
    struct parser *parser;
    struct events *events;  /* NULL: each line is an event */
    struct channel *holder; /* whose lines are in events */
    const char *line_end;   /* of the last one */
    struct stream_use *use[INNER_MAX + 1], *unparsed; /* by the record's inner */
};

enum channel_state { CHANNEL_SAMPLING, CHANNEL_BOUND, CHANNEL_PLAIN };

struct channel {
    struct feed *feed;
    enum channel_state state;
    bool is_app;    /* lines are whole syslog messages; what is in them has a format */
    bool configured, settling;
    struct binding *binding;
    struct labels labels;
    char peer[PEER_BYTES_MAX];
    uint32_t peer_n;
    struct lq_buf held; /* sampled lines: length u32, receive time i64, peer length u8, peer, line */
    uint32_t held_lines, misses;
    uint64_t lines, parsed, probe_at;
    int64_t last_us, reference_us;
    int64_t sighted_minute; /* when the store was told last which format it has */
    struct channel *next, **at; /* in the pipeline's list while sampling */
};

/* An event of a program whose lines came as messages of their own (feed_event.c). */
struct open_event {
    struct open_event *next;
    struct channel *app;
    uint64_t key;        /* of connection, host and process */
    const void *conn;
    struct lq_buf text;  /* the first message, and the texts of the others */
    size_t first_n;
    uint32_t lines;
    int64_t received_us; /* the first */
    int64_t idle_us;     /* since, monotonic */
    char peer[PEER_BYTES_MAX];
    uint32_t peer_n;
    struct acknowledgement *acks;
    size_t n_acks, cap_acks;
};

struct feed {
    struct feed *next;
    struct pipeline *p;
    const struct input_config *in;
    struct input_stats *stats;
    struct labels labels;
    const struct timezone_rules *tz;
    const struct format *last_format; /* what was detected last: tried first */
    /* syslog */
    struct syslog_parser *syslog;
    struct stream_schema schema;
    struct message_sights *sights;
    struct stream_use *use;
    uint8_t label_dim[LABEL_MAX];
    struct lq_map app_ids;
    struct channel *apps[APPS_MAX + 1]; /* the last is of all that came too late */
    uint32_t n_apps, last_app_n;
    struct channel *last_app;
    char last_app_name[APP_BYTES_MAX];
    struct open_event *open; /* list: the latest first */
    uint32_t n_open;
    size_t open_bytes;
};

LQ_MUST enum lq_err binding_get(struct pipeline *p, const struct format *f, const struct labels *labels, const struct timezone_rules *tz,
                                struct binding **out, struct lq_error *e);
void binding_release(struct pipeline *p, struct binding **b);

/* A message whose channel has decided (feed.c). */
void feed__syslog_message(struct feed *f, struct channel *app, lq_str raw, const struct syslog_message *m, lq_str peer);
/* The same of an event of several lines; false: its format does not match it, nothing is done. */
bool feed__syslog_event(struct feed *f, struct channel *app, lq_str raw, const struct syslog_message *m, lq_str peer, uint32_t lines);
/* feed_event.c: a message of a program whose format joins lines; what is over is handed on: of one program or connection (NULL: any), or idle. */
void feed__join(struct feed *f, struct channel *app, lq_str raw, const struct syslog_message *m, const struct origin *o);
void feed__hand_on(struct feed *f, const struct channel *app, const void *conn);
void feed__hand_on_idle(struct feed *f);
/* Messages are held until their channel has decided. */
void channel__hold(struct channel *c, lq_str line, lq_str peer);
void channel__settle(struct channel *c);
/* An event of a binding whose format joins lines; ctx is the binding. */
void channel__event(void *ctx, enum parse_result result, lq_str text, const struct record *r);
/* Counts and observes; false: the line did not match. */
bool channel__parse(struct channel *c, lq_str line, struct record *r, enum parse_result *result);
/* After a line that did not match: perhaps the format has changed. */
void channel__missed(struct channel *c);
/* A channel that found no format looks again after ten times as many lines. */
void channel__probe(struct channel *c);
/* No format, for good. */
void channel__plain(struct channel *c);

#endif
