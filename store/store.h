/*
 * store.h - the time-series store: one directory, one LMDB environment, one writer, many readers
 *
 * Contract in short (README.md of this folder has the picture):
 *  - store_open for writing takes the writer lock (DIR/lock.writer, flock) and fails with LQ_EBUSY naming the holder's pid.
 *  - Writing: each parsing thread owns a `struct window` (window.h) and observes records into it; store_flush folds all windows and
 *    commits everything - fragments, dictionaries, examples, checkpoints - in one transaction: all or nothing, also at kill -9.
 *  - Reading: snapshot_open sees one consistent state and never blocks the writer (reader.h).
 *  - Errors name the directory and what to do. After any failed flush the store is what it was before, the windows still hold their
 *    observations (flush can be tried again or given up).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_STORE_H
#define LQ_STORE_H

#include "schema/record.h"
#include "store/tier.h"

enum { STORE_FORMAT_VERSION = 2, STREAM_MAX = 256 };

struct store;
struct window;

struct store_options {
    bool write;      /* take the writer lock; create the directory (mode 2770) and store if absent */
    bool temporary;  /* a fresh store in a directory under $TMPDIR that is unlinked at once (write implied): nothing is left behind; no fsync */
    bool no_sync;    /* benchmarks only */
    uint64_t map_bytes;   /* address space reserved, 0 = 1 TiB (falls back to smaller where the OS refuses) */
    uint64_t disk_bytes_max; /* of data.mdb: retention keeps below, a flush beyond fails with LQ_ENOSPC; 0 = no limit */
    uint32_t snapshot_s_max; /* an older snapshot is refused further reading, so that it cannot pin pages for ever; 0 = 300 s */
    uint32_t dim_values_max;  /* cap per dimension, 0 = 10,000 */
    uint32_t series_max;      /* cap per stream on series in use, 0 = 100,000; four times as many may ever be (dict.c) */
    uint32_t bucket_cells_max; /* cap per bucket of a stream, 0 = 50,000 */
};
LQ_MUST enum lq_err store_open(const char *dir, const struct store_options *o, struct store **out, struct lq_error *e);
void store_close(struct store **s);
const char *store_dir(const struct store *s);
/* Another number after each commit, by this process or another: what was read before it may be told again. */
uint64_t store_version(const struct store *s);
/* Does a process hold the writer lock of the directory? Asks /proc/locks: taking the lock for a moment would refuse a writer that starts. */
bool store_is_written(const char *dir);
/* Where a store is when nobody says: $LQ_DATA, else $XDG_STATE_HOME/lq, else ~/.local/state/lq. */
void store_default_dir(char *out, size_t cap);

/*
 * Streams. stream_register returns the stream of that name, creating it or extending its schema with dimensions, measures or
 * identities it does not have yet (append only; a measure with another scale is LQ_EINVAL). The returned stream has a column mapping for this
 * schema: keep one `struct stream_use` per (thread, schema). Thread-safe.
 */
struct stream_use;
LQ_MUST enum lq_err stream_use_open(struct store *s, const struct stream_schema *schema, struct stream_use **out,
                                    struct lq_error *e);
void stream_use_close(struct stream_use **u);

/*
 * Mask what is personal in everything stored from now on (schema/mask.h; bits of enum mask_kind), also by later processes, until it is set again. The key is in the file
 * mask.key of the store's directory (mode 0600), made when absent: from key_file, or (NULL) at random. Another key than that is refused. A temporary store has a key that nobody keeps. Before windows are
 * made. Formats may mask too: then the key is made when their stream is first used. A backup does not hold the key.
 */
LQ_MUST enum lq_err store_mask(struct store *s, unsigned kinds, const char *key_file, struct lq_error *e);

/* A source's progress, committed with the data that it produced. key: the source's identity (fingerprint + labels), opaque. */
struct checkpoint {
    lq_str key;
    uint64_t offset;     /* bytes of the (decompressed) content whose lines are in the store */
    uint64_t lines;      /* lines among them */
    uint64_t parsed;     /* lines that a format matched */
    int64_t last_time_us; /* event time of the last parsed line (for unmatched lines at a restart) */
    lq_str name;         /* last known path, for people */
    lq_str format;       /* format chosen for it */
    uint64_t last_hash;  /* lq_hash of the bytes before offset, */
    uint32_t last_n;     /* as many as these; 0 = not known (a load does not keep them) */
};
/* LQ_ENOENT: the source is new. Any other failure must stop the caller: taken for new, a file would be counted twice. */
LQ_MUST enum lq_err store_checkpoint_get(struct store *s, lq_str key, struct checkpoint *out, struct lq_arena *mem, struct lq_error *e);
/* Is a key that store_checkpoint_each gives that of `key`? The store masks labels in it, and shortens long ones. */
bool store_checkpoint_has_key(const struct store *s, const struct checkpoint *c, lq_str key);
typedef bool checkpoint_each_fn(void *ctx, const struct checkpoint *c);
LQ_MUST enum lq_err store_checkpoint_each(struct store *s, checkpoint_each_fn *fn, void *ctx, struct lq_error *e);

/* Named counters of what happened ("lines", "parsed", "no_match", "line_too_long", "overflow_values" …): added to the stored ones at flush. */
struct counter_delta {
    const char *name;
    uint64_t n;
};

/*
 * Fold the windows and commit with checkpoints and counters. n_threads: folding may use that many threads. On success the windows are empty. Flushes of
 * several threads take turns.
 */
LQ_MUST enum lq_err store_flush(struct store *s, struct window *const *w, size_t n_windows, const struct checkpoint *cp, size_t n_cp,
                                const struct counter_delta *counters, size_t n_counters, unsigned n_threads, struct lq_error *e);

/* Gives back the memory that flushes keep for the next one. Any thread, any time. */
void store_trim(struct store *s);

/* A promise about the event times to come: no stream's high-water mark will end below it (known from the last lines of files to be
 * loaded). Lines that would leave the finest tier again at once do not enter it. Optional; INT64_MIN takes it back. */
void store_expect_high_water(struct store *s, int64_t time_us);

/* Markers: what was done. People and programs record them; others are inferred from what lines show (marker.h). */
struct marker {
    int64_t time_us;
    lq_str kind;    /* release rollback restart config note; inferred: also oom format */
    lq_str name;    /* "2.4.1" */
    lq_str host;    /* several of an inferred one: "web-1,web-2" */
    lq_str service;
    lq_str text;
    bool inferred;
    bool by_version;    /* inferred from when values of the dimension version were first and last seen */
    uint8_t confidence; /* percent; of a recorded one 100 */
};
LQ_MUST enum lq_err store_marker_add(struct store *s, const struct marker *m, struct lq_error *e);

/*
 * Maintenance, by the writer between flushes, at most `steps_max` bounded steps of a transaction each: deltas of small flushes into the tiers, hours
 * that have ended into the 1 h tier, retention by age and by size (fine tiers first), compaction where it pays, readers that died. *more is set when work
 * is left. MAINTAIN_DUE: what is due by the streams' own time, after each flush of a daemon. MAINTAIN_ALL: everything, at the end of a load. Content
 * never changes by it, nor what a reader sees (but for what retention drops).
 */
enum maintain { MAINTAIN_DUE, MAINTAIN_ALL };
LQ_MUST enum lq_err store_maintain(struct store *s, unsigned steps_max, enum maintain how, bool *more, struct lq_error *e);
/* A compacted copy of the last commit in a new directory, made while readers and the writer go on; the store may be open for reading only. All or
 * nothing: an interrupted backup leaves no data.mdb. LQ_EINVAL when the directory holds a store already. */
LQ_MUST enum lq_err store_backup(struct store *s, const char *dir, uint64_t *bytes, struct lq_error *e);

/* Parts of the maintenance, for tests: retention deletes at most `keys_max` fragments; compaction merges at most `periods_max` periods. */
LQ_MUST enum lq_err store_retain(struct store *s, uint32_t keys_max, bool *more, struct lq_error *e);
LQ_MUST enum lq_err store_compact(struct store *s, uint32_t periods_max, bool *more, struct lq_error *e);

#endif
