/*
 * engine.h - LMDB, and nothing else of it: every call of the store goes through here
 *
 * One environment with a few named databases. Values other than fragments carry an xxh3-64 in front (fragments have their own): LMDB
 * has no checksums. Every call can be made to fail once by its number (fault injection).
 *
 * Private to store/.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_ENGINE_H
#define LQ_ENGINE_H

#include "schema/base/buf.h"

enum { ENGINE_KEY_MAX = 511 }; /* bytes; LMDB's limit */
enum engine_db { DB_META, DB_DICT, DB_SERIES, DB_MARGINAL, DB_DATA, DB_EXAMPLE, DB_CHECKPOINT, DB_MARKER, DB_DELTA, DBS };

struct engine;
struct engine_txn;
struct engine_cursor;

/* Does anybody hold a snapshot, of whatever process? */
bool engine_is_read(struct engine *g);

struct engine_options {
    bool write, create, no_sync;
    uint64_t map_bytes;
};
LQ_MUST enum lq_err engine_open(const char *dir, const struct engine_options *o, struct engine **out, struct lq_error *e);
void engine_close(struct engine **g);

LQ_MUST enum lq_err engine_begin(struct engine *g, bool write, struct engine_txn **out, struct lq_error *e);
LQ_MUST enum lq_err engine_commit(struct engine_txn **t, struct lq_error *e);
void engine_abort(struct engine_txn **t);

/* LQ_ENOENT when absent. The view lives until the transaction ends or writes. */
LQ_MUST enum lq_err engine_get(struct engine_txn *t, enum engine_db db, lq_str key, lq_str *value, struct lq_error *e);
LQ_MUST enum lq_err engine_put(struct engine_txn *t, enum engine_db db, lq_str key, lq_str value, struct lq_error *e);
LQ_MUST enum lq_err engine_del(struct engine_txn *t, enum engine_db db, lq_str key, struct lq_error *e);
/* With a checksum in front of the value. LQ_ECORRUPT when it is wrong. */
LQ_MUST enum lq_err engine_get_sealed(struct engine_txn *t, enum engine_db db, lq_str key, lq_str *value, struct lq_error *e);
LQ_MUST enum lq_err engine_put_sealed(struct engine_txn *t, enum engine_db db, lq_str key, lq_str value, struct lq_error *e);
bool engine_unseal(lq_str *value);

LQ_MUST enum lq_err engine_cursor_open(struct engine_txn *t, enum engine_db db, struct engine_cursor **out, struct lq_error *e);
void engine_cursor_close(struct engine_cursor **c);
/* First pair with a key >= key; next pair. LQ_ENOENT at the end. */
LQ_MUST enum lq_err engine_seek(struct engine_cursor *c, lq_str key, lq_str *found, lq_str *value, struct lq_error *e);
LQ_MUST enum lq_err engine_next(struct engine_cursor *c, lq_str *found, lq_str *value, struct lq_error *e);

struct engine_usage {
    uint64_t page_bytes, pages_used, pages_free, readers, stale_readers;
    uint64_t entries[DBS];
    uint64_t pages[DBS];
};
/* Of the last commit, by whomever: another number after each. */
uint64_t engine_version(struct engine *g);
LQ_MUST enum lq_err engine_usage(struct engine *g, struct engine_txn *t, struct engine_usage *out, struct lq_error *e);

/* A compacted copy of the last commit into an open file. */
LQ_MUST enum lq_err engine_copy(struct engine *g, int fd, struct lq_error *e);
/* Give back the slots of readers that died. */
void engine_reap_readers(struct engine *g);

/* Fault injection for tests: the n-th call from now on (1 = the next) fails with `code`; 0 = off. Counts calls. */
void engine_fault_at(uint64_t n, enum lq_err code);
uint64_t engine_fault_calls(void); /* calls since engine_fault_at */

#endif
