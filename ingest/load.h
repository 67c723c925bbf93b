/*
 * load.h - log files into a store: framed, parsed in parallel, committed in groups, each content once
 *
 *      sources (bytes) -> chunks of whole lines -> parsers (threads) -> windows -> store_flush with checkpoints
 *
 * Files that are given together are read together, in the order of event time.
 *
 * Identity of a source: its labels and the fingerprint (xxh3) of the first FINGERPRINT_BYTES of its decompressed content, or of all of it while it is
 * shorter; so a grown file continues where it ended, a renamed or compressed one is not counted again, and identical files of two hosts differ
 * by label. Standard input has an identity only when it is given one. The checkpoint - bytes whose lines are in the store - commits in the same
 * transaction as the lines: killed half-way and started again, a load ends with the same content as an undisturbed one.
 *
 * A last line without a line end is taken as a line: the file is what it is. Should the file grow later and complete that line, the rest of it is a line
 * of its own (and most likely unparsed).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_LOAD_H
#define LQ_LOAD_H

#include "schema/format.h"
#include "store/store.h"

enum { CHUNK_BYTES = 1 << 20, LANES_MAX = 16 /* files that are open at once */ };

struct load_options {
    struct format_set *formats;
    const char *format_name;          /* NULL: detect for each file */
    const struct label_rules *labels; /* may be NULL */
    const struct timezone_rules *tz;  /* zone of stamps without one; NULL = UTC */
    int64_t reference_us;             /* for stamps without a year; 0 = the file's modification time, else now */
    unsigned threads;                 /* parsers; 0 = one per core */
    FILE *progress;                   /* NULL = none */
    const char *stdin_id;             /* NULL = standard input is never recognised again */
    const int *fds;                   /* of the paths, open already (they stay the caller's); NULL = open the paths */
    int cancel_fd;                    /* with fds: when it is readable or closed the load ends early, whole up to a committed offset; -1 = never */
};

enum load_state { LOAD_DONE, LOAD_CONTINUED, LOAD_ALREADY, LOAD_EMPTY, LOAD_FAILED, LOAD_FOLLOWED /* by the lqd that was asked */, LOAD_STATES };
struct load_file {
    const char *path;
    enum load_state state;
    char format[NAME_BYTES_MAX];
    char why[256];
    uint64_t lines, parsed, bytes; /* of this load */
    struct lq_error error;         /* when LOAD_FAILED: what was read before it is loaded */
};
struct load_report {
    struct load_file *files;
    size_t n;
    uint64_t lines, parsed, bytes, failed;
    int64_t elapsed_us;
    bool cancelled;
};
void load_report_fini(struct load_report *r);

/* One bad file does not stop the others (it is in the report). The result is LQ_OK unless the store failed. */
LQ_MUST enum lq_err load_files(struct store *s, const char *const *paths, size_t n, const struct load_options *o,
                               struct load_report *report, struct lq_error *e);

#endif
