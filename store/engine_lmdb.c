/*
 * engine_lmdb.c - the store's engine on LMDB (engine.h)
 *
 * Known traps of LMDB and what is done: the map is reserved large at open (a resize is illegal while snapshots are open); no
 * WRITEMAP (SIGBUS on a full disk); MDB_NOTLS so that a snapshot is not tied to a thread; stale readers are reaped by each writer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/engine.h"

#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct engine {
    MDB_env *env;
    MDB_dbi dbi[DBS];
    char dir[4096];
    struct lq_buf seal;
};
struct engine_txn {
    struct engine *g;
    MDB_txn *txn;
};
struct engine_cursor {
    struct engine *g;
    MDB_cursor *cur;
};

static const char *const db_names[DBS] = {"meta", "dict", "series", "marginal", "data", "example", "checkpoint", "marker"};

static uint64_t fault_at, fault_calls;
static enum lq_err fault_code;

void engine_fault_at(uint64_t n, enum lq_err code)
{
    fault_code = code;
    __atomic_store_n(&fault_calls, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&fault_at, n, __ATOMIC_RELAXED);
}

uint64_t engine_fault_calls(void)
{
    return __atomic_load_n(&fault_calls, __ATOMIC_RELAXED);
}

/* The error that this call is to meet, or 0. */
static int fault(void)
{
    uint64_t n = __atomic_add_fetch(&fault_calls, 1, __ATOMIC_RELAXED), at = __atomic_load_n(&fault_at, __ATOMIC_RELAXED); /* readers have threads of their own */
    if (at == 0 || n != at) {
        return 0;
    }
    return fault_code == LQ_ENOSPC ? ENOSPC : fault_code == LQ_ELIMIT ? MDB_MAP_FULL : EIO;
}

#define CALL(x) ((f = fault()) != 0 ? f : (x))

/* LMDB calls a short write an I/O error; most often the disk is full. */
static bool disk_is_full(const char *dir)
{
    struct statvfs v;
    return statvfs(dir, &v) == 0 && v.f_bavail * v.f_frsize < 16U << 20;
}

static enum lq_err failed(const struct engine *g, int rc, const char *doing, struct lq_error *e)
{
    enum lq_err code = LQ_EIO;
    if (rc == EIO && disk_is_full(g->dir)) {
        rc = ENOSPC;
    }
    switch (rc) {
    case ENOSPC:
    case MDB_MAP_FULL:
    case EDQUOT:
        code = LQ_ENOSPC;
        break;
    case EACCES:
    case EPERM:
    case EROFS:
        code = LQ_EACCES;
        break;
    case ENOENT:
        code = LQ_ENOENT;
        break;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_PANIC:
    case MDB_VERSION_MISMATCH:
        code = LQ_ECORRUPT;
        break;
    default:
        break;
    }
    lq_error_set(e, code, "cannot %s store %s: %s", doing, g->dir, mdb_strerror(rc));
    if (code == LQ_ENOSPC) {
        lq_error_hint(e, "free some disk space, or choose another directory with --data; the store is unchanged");
    } else if (code == LQ_EACCES) {
        lq_error_hint(e, "readers need write permission on %s/lock.mdb (be in the store's group), or choose another directory with --data", g->dir);
    } else if (code == LQ_ECORRUPT) {
        lq_error_hint(e, "this is not a store of lq, or it is damaged: lq debug verify --data %s tells", g->dir);
    }
    return code;
}

static int open_env(struct engine *g, const struct engine_options *o, uint64_t map_bytes)
{
    int rc = mdb_env_create(&g->env);
    if (rc != 0) {
        return rc;
    }
    mdb_env_set_mapsize(g->env, map_bytes);
    mdb_env_set_maxdbs(g->env, DBS);
    mdb_env_set_maxreaders(g->env, 510);
    unsigned flags = MDB_NOTLS | (o->write ? 0U : (unsigned)MDB_RDONLY) | (o->no_sync ? (unsigned)(MDB_NOSYNC | MDB_NOMETASYNC) : 0U);
    rc = mdb_env_open(g->env, g->dir, flags, 0660);
    if (rc != 0) {
        mdb_env_close(g->env);
        g->env = NULL;
    }
    return rc;
}

enum lq_err engine_open(const char *dir, const struct engine_options *o, struct engine **out, struct lq_error *e)
{
    struct engine *g = lq_alloc(sizeof *g);
    snprintf(g->dir, sizeof g->dir, "%s", dir);
    int rc = ENOMEM, dead = 0;
    for (uint64_t size = o->map_bytes; size >= 1U << 26; size /= 4) {
        rc = open_env(g, o, size);
        if (rc != ENOMEM && rc != EINVAL) { /* EINVAL: under valgrind */
            break;
        }
    }
    MDB_txn *txn = NULL;
    if (rc == 0 && o->write) {
        mdb_reader_check(g->env, &dead);
    }
    if (rc == 0) {
        rc = mdb_txn_begin(g->env, NULL, o->write ? 0 : MDB_RDONLY, &txn);
    }
    for (int i = 0; rc == 0 && i < DBS; i++) {
        rc = mdb_dbi_open(txn, db_names[i], o->create ? MDB_CREATE : 0, &g->dbi[i]);
    }
    if (rc == 0) {
        rc = mdb_txn_commit(txn);
        txn = NULL;
    }
    if (txn != NULL) {
        mdb_txn_abort(txn);
    }
    if (rc != 0) {
        enum lq_err code = rc == MDB_NOTFOUND ? lq_error_set(e, LQ_ENOENT, "no store in %s", dir) : failed(g, rc, "open", e);
        engine_close(&g);
        return code;
    }
    *out = g;
    return LQ_OK;
}

void engine_close(struct engine **gp)
{
    struct engine *g = *gp;
    if (g != NULL) {
        if (g->env != NULL) {
            mdb_env_close(g->env);
        }
        lq_buf_fini(&g->seal);
        free(g);
        *gp = NULL;
    }
}

enum lq_err engine_begin(struct engine *g, bool write, struct engine_txn **out, struct lq_error *e)
{
    int f = 0;
    struct engine_txn *t = lq_alloc(sizeof *t);
    t->g = g;
    int rc = CALL(mdb_txn_begin(g->env, NULL, write ? 0 : MDB_RDONLY, &t->txn));
    if (rc == MDB_READERS_FULL) {
        int dead;
        mdb_reader_check(g->env, &dead);
        rc = mdb_txn_begin(g->env, NULL, write ? 0 : MDB_RDONLY, &t->txn);
    }
    if (rc != 0) {
        free(t);
        return failed(g, rc, write ? "write to" : "read", e);
    }
    *out = t;
    return LQ_OK;
}

enum lq_err engine_commit(struct engine_txn **tp, struct lq_error *e)
{
    struct engine_txn *t = *tp;
    struct engine *g = t->g;
    int rc = fault();
    if (rc != 0) {
        mdb_txn_abort(t->txn);
    } else {
        rc = mdb_txn_commit(t->txn);
    }
    free(t);
    *tp = NULL;
    return rc == 0 ? LQ_OK : failed(g, rc, "commit to", e);
}

void engine_abort(struct engine_txn **tp)
{
    if (*tp != NULL) {
        mdb_txn_abort((*tp)->txn);
        free(*tp);
        *tp = NULL;
    }
}

static MDB_val to_val(lq_str s)
{
    return (MDB_val){s.n, (void *)(uintptr_t)s.p};
}

static lq_str of_val(MDB_val v)
{
    return (lq_str){v.mv_data, v.mv_size};
}

enum lq_err engine_get(struct engine_txn *t, enum engine_db db, lq_str key, lq_str *value, struct lq_error *e)
{
    int f = 0;
    MDB_val k = to_val(key), v;
    int rc = CALL(mdb_get(t->txn, t->g->dbi[db], &k, &v));
    if (rc == MDB_NOTFOUND) {
        return LQ_ENOENT;
    }
    if (rc != 0) {
        return failed(t->g, rc, "read", e);
    }
    *value = of_val(v);
    return LQ_OK;
}

enum lq_err engine_put(struct engine_txn *t, enum engine_db db, lq_str key, lq_str value, struct lq_error *e)
{
    int f = 0;
    MDB_val k = to_val(key), v = to_val(value);
    int rc = CALL(mdb_put(t->txn, t->g->dbi[db], &k, &v, 0));
    return rc == 0 ? LQ_OK : failed(t->g, rc, "write to", e);
}

enum lq_err engine_del(struct engine_txn *t, enum engine_db db, lq_str key, struct lq_error *e)
{
    int f = 0;
    MDB_val k = to_val(key);
    int rc = CALL(mdb_del(t->txn, t->g->dbi[db], &k, NULL));
    return rc == 0 || rc == MDB_NOTFOUND ? LQ_OK : failed(t->g, rc, "write to", e);
}

bool engine_unseal(lq_str *value)
{
    uint64_t sum;
    if (value->n < sizeof sum) {
        return false;
    }
    memcpy(&sum, value->p, sizeof sum);
    value->p += sizeof sum;
    value->n -= sizeof sum;
    return sum == lq_hash(value->p, value->n, 0);
}

enum lq_err engine_get_sealed(struct engine_txn *t, enum engine_db db, lq_str key, lq_str *value, struct lq_error *e)
{
    enum lq_err err = engine_get(t, db, key, value, e);
    if (err == LQ_OK && !engine_unseal(value)) {
        err = lq_error_set(e, LQ_ECORRUPT, "store %s is damaged: a record of %s has a wrong checksum", t->g->dir, db_names[db]);
    }
    return err;
}

enum lq_err engine_put_sealed(struct engine_txn *t, enum engine_db db, lq_str key, lq_str value, struct lq_error *e)
{
    uint64_t sum = lq_hash(value.p, value.n, 0);
    struct lq_buf *b = &t->g->seal;
    lq_buf_clear(b);
    lq_buf_add(b, &sum, sizeof sum);
    lq_buf_add(b, value.p, value.n);
    return engine_put(t, db, key, (lq_str){b->p, b->n}, e);
}

enum lq_err engine_cursor_open(struct engine_txn *t, enum engine_db db, struct engine_cursor **out, struct lq_error *e)
{
    int f = 0;
    MDB_cursor *cur = NULL;
    int rc = CALL(mdb_cursor_open(t->txn, t->g->dbi[db], &cur));
    if (rc != 0) {
        return failed(t->g, rc, "read", e);
    }
    *out = lq_alloc(sizeof **out);
    (*out)->g = t->g;
    (*out)->cur = cur;
    return LQ_OK;
}

void engine_cursor_close(struct engine_cursor **c)
{
    if (*c != NULL) {
        mdb_cursor_close((*c)->cur);
        free(*c);
        *c = NULL;
    }
}

static enum lq_err cursor_get(struct engine_cursor *c, MDB_val *k, lq_str *found, lq_str *value, MDB_cursor_op op, struct lq_error *e)
{
    int f = 0;
    MDB_val v;
    int rc = CALL(mdb_cursor_get(c->cur, k, &v, op));
    if (rc == MDB_NOTFOUND) {
        return LQ_ENOENT;
    }
    if (rc != 0) {
        return failed(c->g, rc, "read", e);
    }
    *found = of_val(*k);
    *value = of_val(v);
    return LQ_OK;
}

enum lq_err engine_seek(struct engine_cursor *c, lq_str key, lq_str *found, lq_str *value, struct lq_error *e)
{
    MDB_val k = to_val(key);
    return cursor_get(c, &k, found, value, MDB_SET_RANGE, e);
}

enum lq_err engine_next(struct engine_cursor *c, lq_str *found, lq_str *value, struct lq_error *e)
{
    MDB_val k = {0, NULL};
    return cursor_get(c, &k, found, value, MDB_NEXT, e);
}

static int count_reader(const char *msg, void *ctx)
{
    (void)msg;
    ++*(uint64_t *)ctx;
    return 0;
}

enum lq_err engine_usage(struct engine *g, struct engine_txn *t, struct engine_usage *out, struct lq_error *e)
{
    MDB_stat st;
    MDB_envinfo info;
    memset(out, 0, sizeof *out);
    mdb_env_info(g->env, &info);
    for (int i = 0; i < DBS; i++) {
        int rc = mdb_stat(t->txn, g->dbi[i], &st);
        if (rc != 0) {
            return failed(g, rc, "read", e);
        }
        out->entries[i] = st.ms_entries;
        out->pages[i] = st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages;
        out->pages_used += out->pages[i];
        out->page_bytes = st.ms_psize;
    }
    out->pages_free = info.me_last_pgno + 1 > out->pages_used ? info.me_last_pgno + 1 - out->pages_used : 0;
    mdb_reader_list(g->env, count_reader, &out->readers);
    return LQ_OK;
}
