/*
 * stats.h - what happened, counted: one table that feeds the enum, /metrics and the log
 *
 * Each loop has its own counters for each input; only the loop writes them, anybody reads (relaxed atomics). Nothing is dropped without a row here.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_STATS_H
#define LQ_STATS_H

#include "ingest/config.h"

/* X(enum, name, drop?, help) of each input */
#define STATS_TABLE(X)                                                                              \
    X(STAT_BYTES, "bytes", 0, "bytes received")                                                     \
    X(STAT_LINES, "lines", 0, "lines or messages received")                                         \
    X(STAT_PARSED, "parsed", 0, "of them, matched by a format")                                     \
    X(STAT_NO_MATCH, "no_match", 0, "kept in the stream unparsed: no format matches")               \
    X(STAT_BAD_TIME, "bad_time", 0, "kept in the stream unparsed: the stamp is no time")            \
    X(STAT_TOO_COSTLY, "too_costly", 0, "kept in the stream unparsed: a pattern took too long")     \
    X(STAT_NO_TIME, "no_time", 0, "without a stamp: syslog is filed under its receipt, JSON under the line before it") \
    X(STAT_TOO_LONG, "line_too_long", 0, "lines cut at line_bytes_max")                             \
    X(STAT_BAD_FRAME, "bad_frame", 0, "octet counts that are none; RELP frames that are none")      \
    X(STAT_CONNECTIONS, "connections_accepted", 0, "connections accepted")                          \
    X(STAT_CLOSED_IDLE, "connections_closed_idle", 0, "connections closed: nothing came for `idle`") \
    X(STAT_HANDSHAKE, "tls_handshake_failed", 0, "TLS handshakes that failed")                      \
    X(STAT_PAUSES, "pauses", 0, "times reading stopped because the windows were full")              \
    X(STAT_ROTATIONS, "rotations", 0, "files that were renamed and read to their end")              \
    X(STAT_TRUNCATED, "truncations", 0, "files that shrank: read again from their start")           \
    X(STAT_BODIES, "bodies", 0, "bodies pushed by HTTP and committed")                              \
    X(STAT_LABELS_OVER, "labels_over", 0, "labels of pushed bodies that were not kept: beyond eight, a long name, error") \
    X(STAT_BODIES_BAD, "bodies_refused", 0, "bodies refused: damaged, or over a limit")             \
    X(STAT_DROP_FULL, "full", 1, "the windows were full (when_full: drop)")                         \
    X(STAT_DROP_KERNEL, "kernel_buffer", 1, "datagrams that the kernel had no room for")            \
    X(STAT_DROP_BUFFER, "buffers_max", 1, "unfinished lines beyond buffers_max")                    \
    X(STAT_DROP_CONNECTION, "connections_max", 1, "connections refused: connections_max or no file descriptor")

#define STATS_ENUM(id, name, drop, help) id,
enum stat_id { STATS_TABLE(STATS_ENUM) STATS };
#undef STATS_ENUM

struct stat_row {
    const char *name, *help;
    bool drop;
};
extern const struct stat_row stat_rows[STATS];

struct input_stats {
    uint64_t n[STATS];
};

static inline void stat_add(struct input_stats *s, enum stat_id id, uint64_t n)
{
    __atomic_store_n(&s->n[id], __atomic_load_n(&s->n[id], __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}
static inline uint64_t stat_get(const struct input_stats *s, enum stat_id id)
{
    return __atomic_load_n(&s->n[id], __ATOMIC_RELAXED);
}

#endif
