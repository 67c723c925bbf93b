/*
 * load_int.h - the inside of a load, shared by the load*.c files
 *
 *      lanes (open files) --the one that is behind in event time--> chunks of whole lines -> workers (threads) -> windows -> flush
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_LOAD_INT_H
#define LQ_LOAD_INT_H

#include <pthread.h>
#include <sys/stat.h>

#include "ingest/load.h"
#include "ingest/source.h"
#include "schema/event.h"
#include "store/window.h"

enum { THREADS_MAX = 64, SNIFF_BYTES = DETECT_BYTES };

struct tally {
    uint64_t lines, results[PARSE_RESULTS];
    uint64_t nul;
};

/* The parsers of a lane in one thread. */
struct lane_parser {
    struct events *events;
    struct stream_use *use[INNER_MAX + 1], *unparsed; /* by the record's inner */
};

/* A format that the lines of a lane had later on (load_format.c). */
enum { OTHER_FORMATS_MAX = 3 };
struct other_parser {
    struct parser *parser;
    struct stream_use *use[INNER_MAX + 1];
};
struct other_format {
    const struct format *format;
    struct other_parser parsers[THREADS_MAX];
};
struct format_seen { /* of a chunk: when which format was seen */
    uint64_t n;
    int64_t first_us, last_us;
    lq_str first, last; /* lines of it */
};

/* Of path i. */
LQ_MUST enum lq_err load__open(const struct load_options *o, const char *const *paths, size_t i, struct source **out, struct lq_error *e);
bool load__stat(const struct load_options *o, const char *const *paths, size_t i, struct stat *st); /* false: there is none, or it is standard input */

/* An open file. */
struct lane {
    struct load_file *file;
    struct source *src;
    const struct format *format;
    struct lq_arena mem;  /* of the strings of cp */
    struct checkpoint cp; /* of what is settled */
    bool is_stdin, known; /* known: loaded before, up to cp.offset */
    bool moved;           /* cp is newer than what was committed */
    int64_t last_us;      /* time of the last parsed line that is settled */
    bool has_last;
    int64_t reference_us;
    struct lane_parser parsers[THREADS_MAX]; /* by worker; [0] belongs to the reading thread */
    /* reading */
    struct lq_buf head; /* sniffed bytes, not yet handed on */
    size_t head_at;
    struct lq_buf rest; /* read, but of a line or an event that is not whole yet */
    uint64_t offset;    /* in the content, of what was read */
    bool skipping;      /* the rest of a line over LINE_BYTES_MAX */
    bool ended;
    struct labels labels;
    struct other_format *others[OTHER_FORMATS_MAX];
    unsigned n_others, detections;
    int64_t at_us; /* about the event time of what comes next: the lane with the least is read next */
};

struct chunk {
    struct lane *lane;
    char *p;
    size_t n;
    uint64_t end_offset; /* in the content, after this chunk */
    bool done;
    struct columns columns; /* of formats with a header line: those that hold at its beginning */
    size_t head;            /* bytes of leading lines that did not match: settled in order */
    unsigned n_others; /* formats of the lane, besides the first, that its lines may have */
    struct format_seen seen[OTHER_FORMATS_MAX + 1];
    bool any_parsed;
    int64_t first_us, last_us;
    struct tally tally;
};

struct worker {
    struct loader *l;
    unsigned number;
    pthread_t thread;
    struct window *window;
    struct memo *memo;
    struct chunk *chunk; /* being parsed */
};

struct loader {
    struct store *store;
    const struct load_options *o;
    const char *const *paths;
    struct load_report *report;
    struct lq_error *e;
    unsigned n_workers, n_started, n_chunks;
    struct worker workers[THREADS_MAX];
    struct chunk *chunks;
    pthread_mutex_t lock;
    pthread_cond_t work, finished;
    uint64_t next_fill, next_take, next_settle; /* chunk numbers */
    bool stop;
    struct lane *lanes[LANES_MAX];
    size_t n_lanes;
    /* committed with the next flush */
    struct checkpoint *pending; /* of files that were read to their end */
    size_t n_pending, cap_pending;
    struct lq_arena pending_mem;
    struct tally tally;
    uint64_t too_long;
    /* progress */
    uint64_t total_bytes, done_bytes;
    int64_t started_us, shown_us;
};

/* load_expect.c */
/* Looks at the last lines of the files and tells the store where the data will end, so that what the finest tier would drop again never enters it. */
void load__expect_high_water(struct store *s, const struct load_options *o, const char *const *paths, size_t n);

/* load_identity.c */
/* Find or make the identity of a lane that has its head; its cp is the checkpoint. *busy: a file of the same content is open: this one must wait for
 * its end. The result is a failure of the store. */
LQ_MUST enum lq_err load__identify(struct loader *l, struct lane *x, const struct labels *labels, bool *busy);
/* The named format, the one it was loaded with before, or the detected one; NULL: none fits. */
enum lq_err load__choose_format(struct loader *l, struct lane *x, struct lq_error *e);

/* load_lane.c */
/* Opens a file. *out is NULL when there is nothing to read: then file->state says why. *busy: not now (load__identify). The result is a
 * failure of the store; the file's own is in its report. */
LQ_MUST enum lq_err lane_open(struct loader *l, struct load_file *file, struct lane **out, bool *busy);
void lane_close(struct lane **x);
/* The next whole lines into c, which has CHUNK_BYTES; c->n may be 0 when the lane has ended. */
void lane_fill(struct loader *l, struct lane *x, struct chunk *c);

/* load_format.c */
/* Looks at the last lines of a filled chunk: is it still the format of the lane? */
void lane_look(struct loader *l, struct lane *x, struct chunk *c);
void other_free(struct other_format **o);
/* What a parsed chunk says about formats, for the store. */
void chunk_sight_formats(struct worker *w, struct chunk *c);

/* load_chunk.c */
LQ_MUST enum lq_err lane_open_parsers(struct loader *l, struct lane *x, const struct labels *labels,
                                      struct lq_error *e);
void chunk_parse(struct worker *w, struct chunk *c);
/* What depends on the lines before it; by the reading thread, in the order of the chunks of a lane. */
void chunk_settle(struct loader *l, struct chunk *c);
bool line_is_blank(lq_str line);
/* The next line of *p, without its line end. */
lq_str line_cut(const char **p, const char *end);
/* The event time of the last line, of some bytes of whole lines, that parses. false: none of the last ones does. */
bool lines_time(struct parser *parser, lq_str lines, int64_t *time_us);

#endif
