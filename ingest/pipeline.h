/*
 * pipeline.h - one loop's way from messages to a window, and the batch that a commit takes
 *
 *      message --feed_syslog / channel_line--> format --record--> window     batch = window + checkpoints + acknowledgements + counts
 *
 * A feed is an input as one loop sees it. A channel is where lines of one format come from: a connection, a file, a program that speaks syslog. A
 * channel whose format is not configured is sampled: its first lines are held - until there are DETECT_LINES of them, or the next commit is due - and
 * then the format is detected and they are parsed. What no format matches goes to the stream unparsed (of syslog: stays in the stream syslog), and the
 * channel is sampled again from time to time.
 *
 * Everything here belongs to one thread. Only the detection of formats is shared (struct formats has a lock).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_PIPELINE_H
#define LQ_PIPELINE_H

#include <pthread.h>

#include "ingest/stats.h"
#include "ingest/syslog.h"
#include "schema/multiline.h"
#include "store/window.h"

struct formats { /* shared by the loops */
    struct format_set *set;
    pthread_mutex_t lock;
};

/* Counters of the store that a batch adds to. */
enum batch_count { COUNT_LINES, COUNT_PARSED, COUNT_NO_MATCH, COUNT_BAD_TIME, COUNT_NO_TIME, COUNT_TOO_COSTLY, COUNT_TOO_LONG, COUNT_DROPPED, BATCH_COUNTS };
extern const char *const batch_count_names[BATCH_COUNTS];

struct acknowledgement {
    void *to; /* struct conn */
    uint32_t txnr;
};
struct batch {
    struct loop *loop; /* whose it is */
    struct batch *next;
    struct window *window;
    struct lq_arena mem; /* texts of the checkpoints */
    struct checkpoint *checkpoints;
    size_t n_checkpoints, cap_checkpoints;
    struct acknowledgement *acks;
    size_t n_acks, cap_acks;
    uint64_t counts[BATCH_COUNTS];
};
bool batch_empty(const struct batch *b);
void batch_acknowledge(struct batch *b, void *to, uint32_t txnr);
void batch_free(struct batch **b);
void batch_clear(struct batch *b); /* after its commit (the window is empty already) */

struct pipeline {
    struct store *store;
    struct formats *formats;
    const struct timezone_rules *tz;
    struct batch *open, *spare; /* the one being filled; the other, while it is not at the flusher */
    uint64_t window_lines, window_bytes;
    int64_t now_us;
    struct memo *memo;          /* of all its parsers */
    struct record record;       /* of the line in hand: zeroed once, not for each line */
    struct channel *sampling;   /* list */
    struct binding *bindings;   /* list */
    struct feed *feeds;         /* list */
    int64_t ack_us;
    uint64_t acks_held;         /* acknowledgements of messages in events that are still open */
};
LQ_MUST enum lq_err pipeline_new(struct store *s, struct formats *formats, const struct config *c, struct loop *loop, struct pipeline **out, struct lq_error *e);
void pipeline_free(struct pipeline **p);
/* At the beginning of each event: receive time. */
void pipeline_now(struct pipeline *p, int64_t now_us);
/* The open window holds as much as it may, and the other is not back yet. */
bool pipeline_full(const struct pipeline *p);
bool pipeline_wants_commit(const struct pipeline *p);
/* Detects the formats of what is held, and hands on the events that nothing was added to for a while. Before a batch is handed over. */
void pipeline_settle(struct pipeline *p);
/* The batch to be committed; NULL: nothing in it, or the other one is still away. */
struct batch *pipeline_take(struct pipeline *p);
void pipeline_give(struct pipeline *p, struct batch *b);

struct feed;
LQ_MUST enum lq_err feed_new(struct pipeline *p, const struct input_config *in, struct input_stats *stats, struct feed **out, struct lq_error *e);
void feed_free(struct feed **f);
const struct input_config *feed_config(const struct feed *f);
struct input_stats *feed_stats(const struct feed *f);
struct pipeline *feed_pipeline(const struct feed *f);
/* One syslog message; peer is the sender's address (n = 0: local). */
void feed_syslog(struct feed *f, lq_str message, lq_str peer);
/* The same of a connection. With ack: its acknowledgement goes with the batch that has the message. */
struct origin {
    lq_str peer;
    void *conn; /* whose messages may be lines of one event */
    bool ack;
    uint32_t txnr;
};
void feed_syslog_from(struct feed *f, lq_str message, const struct origin *o);
/* Nothing more comes from it: its open events are handed on. */
void feed_origin_gone(struct feed *f, const void *conn);
void feed_dropped(struct feed *f, enum stat_id reason, uint64_t n); /* counts, also in the store */
void feed_too_long(struct feed *f);

struct channel;
/* labels NULL: those of the feed. peer: the host where nothing else tells it. format NULL: the feed's, else detected. */
struct channel *channel_new(struct feed *f, const struct labels *labels, lq_str peer, const char *format);
void channel_free(struct channel **c);
void channel_line(struct channel *c, lq_str line);
/*
 * Lines of one event (a stack trace) are joined where the format joins them (schema/event.h). The reader's bytes end or move before the next call: it either
 * brings the lines of the open event again later, from channel_open on (NULL: nothing is open that could be brought again), and says channel_forget; or
 * says channel_flush: then the event is handed on as it is.
 */
const char *channel_open(const struct channel *c);
uint32_t channel_open_lines(const struct channel *c);
void channel_forget(struct channel *c);
void channel_flush(struct channel *c);
const char *channel_format(const struct channel *c); /* "" while unknown */
int64_t channel_last_us(const struct channel *c);    /* of the last line that matched; INT64_MIN: none */
void channel_resume(struct channel *c, int64_t last_us, int64_t reference_us);
uint64_t channel_parsed(const struct channel *c);

#endif
