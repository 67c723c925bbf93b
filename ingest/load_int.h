/*
 * load_int.h - the inside of a load, shared by the load*.c files
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_LOAD_INT_H
#define LQ_LOAD_INT_H

#include <pthread.h>

#include "ingest/load.h"
#include "ingest/source.h"
#include "schema/event.h"
#include "store/window.h"

enum { THREADS_MAX = 64, SNIFF_BYTES = DETECT_BYTES };

struct tally {
    uint64_t lines, results[PARSE_RESULTS];
    uint64_t invalid, nul;
};

struct chunk {
    char *p;
    size_t n;
    uint64_t end_offset; /* in the content, after this chunk */
    bool busy, done;
    struct columns columns; /* of formats with a header line: those that hold at its beginning */
    size_t head;         /* bytes of leading lines that did not match: settled in order */
    bool any_parsed;
    int64_t first_us, last_us;
    struct tally tally;
};

struct worker {
    struct loader *l;
    pthread_t thread;
    struct window *window;
    struct memo *memo;
    struct events *events;
    struct chunk *chunk; /* being parsed */
    struct stream_use *use[INNER_MAX + 1], *unparsed; /* by the record's inner */
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

struct reading {
    struct source *src;
    struct lq_buf head; /* sniffed bytes, not yet handed on */
    size_t head_at;
};

/* Looks at the last lines of the files and tells the store where the data will end, so that what the finest tier would drop again never enters it. */
void load__expect_high_water(struct store *s, const struct load_options *o, const char *const *paths, size_t n);

/* load_identity.c */
/* Find or make the identity of the open file; l->cp is its checkpoint. *known: there is one already. The result is a failure of the store. */
LQ_MUST enum lq_err load__identify(struct loader *l, const struct reading *r, const struct labels *labels, bool is_stdin, bool *known);
/* The named format, the one it was loaded with before, or the detected one; NULL: none fits. */
enum lq_err load__choose_format(struct loader *l, const struct reading *r, bool known, const struct format **out, struct lq_error *e);

#endif
