/*
 * tail.h - one followed file: its identity, how far its lines are in the store, and what happened to it since
 *
 * Exactly once: the offset behind the last handled line goes into the same transaction as the lines (a checkpoint). The next start finds the file again by its
 * labels and first bytes (source_id.h) - renamed, compressed, grown - and, where that could be another file with the same beginning, by the bytes before the offset.
 *
 *      open --read--> at the end --grows--> read …
 *             |          +--renamed: goes on until nothing came for RENAMED_KEEP_S, its last line counts without a line end--> finished
 *             +--shrank or was written anew (copytruncate): its start again, as a new content
 *
 * Unfinished lines, and the lines of an event (a stack trace) that may go on, are not held in memory: the offset stays before them, and they are read again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_TAIL_H
#define LQ_TAIL_H

#include <sys/stat.h>

#include "ingest/frame.h"
#include "ingest/loop.h"
#include "ingest/source.h"
#include "ingest/source_id.h"

enum { RENAMED_KEEP_S = 30, QUIET_CLOSE_S = 300 };

enum tail_state { TAIL_OPEN, TAIL_FINISHED };
struct tail {
    struct tail *next;
    enum tail_state state;
    struct loop *l;
    struct feed *feed;
    char *path;
    int fd, wd;
    struct stat st;           /* when it was looked at last */
    bool renamed, compressed, dirty;
    bool holds;               /* whole lines behind offset are of an event that is still open: they are read again */
    size_t held_n;            /* bytes that were behind offset then */
    bool damaged, done;       /* of compressed files: the archive is not whole (yet); read to its end */
    bool shadow;              /* content of another followed file: not read */
    int64_t quiet_us;         /* monotonic: nothing came since */
    struct labels labels;
    struct channel *channel;
    struct framer frame;
    struct source *source;    /* of a compressed file */
    struct lq_buf unpacked;   /* its unfinished line */
    /* identity */
    struct lq_buf key, old_key; /* old_key: of when it was shorter; to be made harmless */
    char head[FINGERPRINT_BYTES];
    uint32_t head_n;
    uint64_t offset, lines, parsed_before;
    char last[LAST_BYTES];
    uint32_t last_n;
};

/* Opens and identifies a file that has bytes. NULL: it is not there, is empty, is no file, or cannot be read (*why says so, else ""). `known_only`: only if the
 * store has a checkpoint of it. `from_end`: a file without checkpoint starts at its end. */
struct tail *tail_open(struct loop *l, struct feed *f, const char *path, bool known_only, bool from_end, char *why, size_t why_cap);
void tail_free(struct tail **t);
/* The same content under another name: a copy, a compressed form. */
bool tail_same(const struct tail *t, const struct tail *other);
bool tail_wants(const struct tail *t);
/* Reads and handles one portion. True: there is more. The caller has asked loop_room. */
bool tail_read(struct tail *t);
/* The path leads to another file now, or nowhere. */
void tail_renamed(struct tail *t);
/* Takes the last line without its end; closes. */
void tail_finish(struct tail *t);
/* Closes the file descriptor of a quiet file; tail_read opens it again when the file has changed. */
void tail_rest(struct tail *t);
bool tail_changed(const struct tail *t, const struct stat *now);
void tail_checkpoint(struct tail *t, struct batch *b);
void tail_move(struct tail *t, struct feed *to);

#endif
