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
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct engine {
    MDB_env *env;
    MDB_dbi dbi[DBS];
    bool absent[DBS]; /* a store of version 1 that is open for reading has no deltas */
    bool old_names;
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
    bool is_meta;
};

/*
 * Each commit writes the page that lists the databases anyway, so the small records of meta live in it: a page less for each flush. Its own records begin with
 * NAME_MARK. Stores of format version 1 have a database for meta and plain names; they keep them.
 */
static const char *const db_names[DBS] = {"meta", "=dict", "=series", "=marginal", "=data", "=example", "=checkpoint", "=marker", "=delta"};
enum { NAME_MARK = '=' };

static _Atomic uint64_t fault_at, fault_calls;
static enum lq_err fault_code;

void engine_fault_at(uint64_t n, enum lq_err code)
{
    fault_code = code;
    fault_calls = 0;
    fault_at = n;
}

uint64_t engine_fault_calls(void)
{
    return fault_calls;
}

/* The error that this call is to meet, or 0. */
static int fault(void)
{
    if (fault_at == 0 || ++fault_calls != fault_at) {
        return 0;
    }
    return fault_code == LQ_ENOSPC ? ENOSPC : fault_code == LQ_ELIMIT ? MDB_MAP_FULL : EIO;
}

static _Thread_local int met;
#define CALL(x) ((met = fault()) != 0 ? met : (x))

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
    if (rc == MDB_MAP_FULL) {
        lq_error_hint(e, "the store is as large as it may be (disk_max of lqd), or readers keep its old pages; it is unchanged");
    } else if (code == LQ_ENOSPC) {
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
    int rc = CALL(mdb_env_create(&g->env));
    if (rc != 0) {
        return rc;
    }
    mdb_env_set_mapsize(g->env, map_bytes);
    mdb_env_set_maxdbs(g->env, DBS);
    mdb_env_set_maxreaders(g->env, 510);
    unsigned flags = MDB_NOTLS | (o->write ? 0U : (unsigned)MDB_RDONLY) | (o->no_sync ? (unsigned)(MDB_NOSYNC | MDB_NOMETASYNC) : 0U);
    rc = CALL(mdb_env_open(g->env, g->dir, flags, 0660));
    if (rc != 0) {
        mdb_env_close(g->env);
        g->env = NULL;
    }
    return rc;
}

static int open_databases(struct engine *g, MDB_txn *txn, const struct engine_options *o)
{
    MDB_val first = {strlen(db_names[DB_DICT]), (void *)(uintptr_t)db_names[DB_DICT]}, v;
    MDB_stat st = {0};
    int rc = CALL(mdb_dbi_open(txn, db_names[DB_META], 0, &g->dbi[DB_META]));
    g->old_names = rc == 0;
    if (rc == MDB_NOTFOUND) {
        rc = CALL(mdb_dbi_open(txn, NULL, 0, &g->dbi[DB_META]));
        if (rc == 0 && o->create && (rc = CALL(mdb_stat(txn, g->dbi[DB_META], &st))) == 0 && st.ms_entries > 0 &&
            mdb_get(txn, g->dbi[DB_META], &first, &v) != 0) {
            rc = MDB_INVALID; /* an LMDB file of another program: nothing of ours goes into it */
        }
    }
    for (int i = DB_META + 1; rc == 0 && i < DBS; i++) {
        rc = CALL(mdb_dbi_open(txn, db_names[i] + g->old_names, o->create ? MDB_CREATE : 0, &g->dbi[i]));
        g->absent[i] = rc == MDB_NOTFOUND && i == DB_DELTA && g->old_names;
        rc = g->absent[i] ? 0 : rc;
    }
    return rc;
}

/* Bytes that data.mdb lacks: LMDB reads through a map, so a page behind the end of the file would kill the process. */
static uint64_t missing_bytes(struct engine *g)
{
    MDB_envinfo info;
    struct stat sb;
    mdb_filehandle_t fd;
    if (mdb_env_info(g->env, &info) != 0 || mdb_env_get_fd(g->env, &fd) != 0 || fstat(fd, &sb) != 0) {
        return 0;
    }
    uint64_t want = (info.me_last_pgno + 1) * (uint64_t)sysconf(_SC_PAGESIZE), have = (uint64_t)sb.st_size;
    return want > have ? want - have : 0;
}

/* Pages that a transaction took and gave back are not written, even at the end of the file: make it as long as LMDB says it is. */
static void fill_up(struct engine *g)
{
    MDB_envinfo info;
    mdb_filehandle_t fd;
    if (missing_bytes(g) > 0 && mdb_env_info(g->env, &info) == 0 && mdb_env_get_fd(g->env, &fd) == 0) {
        (void)!ftruncate(fd, (off_t)((info.me_last_pgno + 1) * (uint64_t)sysconf(_SC_PAGESIZE)));
    }
}

static enum lq_err check_length(struct engine *g, struct lq_error *e)
{
    enum { TRIES = 1000, OLD_SLACK_BYTES = 64 << 10 };
    uint64_t missing = missing_bytes(g);
    for (int i = 0; i < TRIES && missing > OLD_SLACK_BYTES; i++) { /* a writer may be between a commit and fill_up */
        sched_yield();
        missing = missing_bytes(g);
    }
    if (missing <= OLD_SLACK_BYTES) { /* stores of version 1 were not filled up */
        return LQ_OK;
    }
    lq_error_set(e, LQ_ECORRUPT, "store %s is damaged: data.mdb lacks its last %llu bytes", g->dir, (unsigned long long)missing);
    lq_error_hint(e, "put back a whole copy of it (lq backup makes them), or load the logs into a new directory");
    return LQ_ECORRUPT;
}

enum lq_err engine_open(const char *dir, const struct engine_options *o, struct engine **out, struct lq_error *e)
{
    struct engine *g = lq_alloc(sizeof *g);
    MDB_txn *txn = NULL;
    int rc = ENOMEM;
    snprintf(g->dir, sizeof g->dir, "%s", dir);
    for (uint64_t size = o->map_bytes; size >= 1U << 20; size /= 4) {
        rc = open_env(g, o, size);
        if (rc != ENOMEM && rc != EINVAL) { /* EINVAL: under valgrind */
            break;
        }
    }
    if (rc == 0 && check_length(g, e) != LQ_OK) {
        engine_close(&g);
        return LQ_ECORRUPT;
    }
    if (rc == 0 && o->write) {
        fill_up(g);
        engine_reap_readers(g);
    }
    if (rc == 0) {
        rc = CALL(mdb_txn_begin(g->env, NULL, o->write ? 0 : MDB_RDONLY, &txn));
    }
    if (rc == 0) {
        rc = open_databases(g, txn, o);
    }
    if (rc == 0 && (rc = CALL(0)) == 0) {
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
        fill_up(g);
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
    MDB_val k = to_val(key), v;
    if (t->g->absent[db]) {
        return LQ_ENOENT;
    }
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
    MDB_val k = to_val(key), v = to_val(value);
    int rc = CALL(mdb_put(t->txn, t->g->dbi[db], &k, &v, 0));
    return rc == 0 ? LQ_OK : failed(t->g, rc, "write to", e);
}

enum lq_err engine_del(struct engine_txn *t, enum engine_db db, lq_str key, struct lq_error *e)
{
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
        err = lq_error_set(e, LQ_ECORRUPT, "store %s is damaged: a record of %s has a wrong checksum", t->g->dir, db_names[db] + (db != DB_META));
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
    MDB_cursor *cur = NULL;
    int rc = t->g->absent[db] ? 0 : CALL(mdb_cursor_open(t->txn, t->g->dbi[db], &cur));
    if (rc != 0) {
        return failed(t->g, rc, "read", e);
    }
    *out = lq_alloc(sizeof **out);
    (*out)->g = t->g;
    (*out)->cur = cur;
    (*out)->is_meta = db == DB_META;
    return LQ_OK;
}

void engine_cursor_close(struct engine_cursor **c)
{
    if (*c != NULL) {
        if ((*c)->cur != NULL) {
            mdb_cursor_close((*c)->cur);
        }
        free(*c);
        *c = NULL;
    }
}

static enum lq_err cursor_get(struct engine_cursor *c, MDB_val *k, lq_str *found, lq_str *value, MDB_cursor_op op, struct lq_error *e)
{
    MDB_val v;
    if (c->cur == NULL) {
        return LQ_ENOENT;
    }
    int rc = CALL(mdb_cursor_get(c->cur, k, &v, op));
    while (rc == 0 && c->is_meta && k->mv_size > 0 && *(const char *)k->mv_data == NAME_MARK) {
        rc = mdb_cursor_get(c->cur, k, &v, MDB_NEXT);
    }
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

enum lq_err engine_copy(struct engine *g, int fd, struct lq_error *e)
{
    int rc = CALL(mdb_env_copyfd2(g->env, fd, MDB_CP_COMPACT));
    return rc == 0 ? LQ_OK : failed(g, rc, "copy", e);
}

void engine_reap_readers(struct engine *g)
{
    int dead;
    mdb_reader_check(g->env, &dead);
}

static int count_reader(const char *msg, void *ctx)
{
    (void)msg;
    ++*(uint64_t *)ctx;
    return 0;
}

uint64_t engine_version(struct engine *g)
{
    MDB_envinfo info;
    return mdb_env_info(g->env, &info) == 0 ? info.me_last_txnid : 0;
}

enum lq_err engine_usage(struct engine *g, struct engine_txn *t, struct engine_usage *out, struct lq_error *e)
{
    MDB_stat st;
    MDB_envinfo info;
    memset(out, 0, sizeof *out);
    mdb_env_info(g->env, &info);
    for (int i = 0; i < DBS; i++) {
        if (g->absent[i]) {
            continue;
        }
        int rc = CALL(mdb_stat(t->txn, g->dbi[i], &st));
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

/* A line of mdb_reader_list: pid, thread, and the snapshot's transaction, "-" where there is none. */
static int see_reader(const char *line, void *ctx)
{
    char txn[32];
    bool *any = ctx;
    *any = *any || (sscanf(line, "%*d %*s %31s", txn) == 1 && strcmp(txn, "-") != 0);
    return 0;
}

bool engine_is_read(struct engine *g)
{
    bool any = false;
    int dead;
    mdb_reader_check(g->env, &dead);
    mdb_reader_list(g->env, see_reader, &any);
    return any;
}
