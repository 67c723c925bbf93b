/*
 * store.c - open and close a store; streams
 *
 * A directory holds data.mdb and lock.mdb (LMDB's) and lock.writer: its holder, by flock, is the one process that writes; its content is
 * the holder's pid, for people.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store_int.h"

enum { DIM_VALUES_MAX = 10000, SERIES_LIMIT = 100000, BUCKET_CELLS_LIMIT = 50000, SNAPSHOT_S_MAX = 300 };
static const uint64_t map_bytes_default = 1ULL << 40;

/* With parents, as mkdir -p. Files made in it belong to its group (setgid): its members may read, as far as the umask lets them. */
enum lq_err store__make_dir(const char *dir, struct lq_error *e)
{
    char path[4096];
    struct stat sb;
    snprintf(path, sizeof path, "%s", dir);
    for (char *p = path + 1; *p != '\0'; p++) {
        if (*p == '/') {
            *p = '\0';
            if (mkdir(path, 0777) != 0 && errno != EEXIST) {
                return lq_error_errno(e, errno, "create directory", path);
            }
            *p = '/';
        }
    }
    if (mkdir(path, 0770) == 0) {
        if (stat(path, &sb) == 0) {
            (void)!chmod(path, (sb.st_mode & 0777) | S_ISGID); /* mkdir(2) does not set the bit */
        }
    } else if (errno != EEXIST) {
        return lq_error_errno(e, errno, "create directory", path);
    } else if (stat(path, &sb) == 0 && !S_ISDIR(sb.st_mode)) {
        return lq_error_errno(e, ENOTDIR, "create directory", path);
    }
    return LQ_OK;
}

/* A reader of LMDB writes its slot into the lock file: whoever may read the directory by its group must be able to. */
static void share_lock_file(const struct store *s)
{
    char path[4200];
    struct stat dir, file;
    snprintf(path, sizeof path, "%s/lock.mdb", s->dir);
    if (stat(s->dir, &dir) == 0 && (dir.st_mode & 050) == 050 && stat(path, &file) == 0 && (file.st_mode & 020) == 0) {
        (void)!chmod(path, 0660);
    }
}

static enum lq_err take_writer_lock(struct store *s, struct lq_error *e)
{
    char path[4200], pid[32] = "";
    snprintf(path, sizeof path, "%s/lock.writer", s->dir);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0660);
    if (s->lock_fd < 0) {
        enum lq_err err = lq_error_errno(e, errno, "write to", path);
        lq_error_hint(e, "choose another directory with --data, or become a user who may write there");
        return err;
    }
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t n = pread(s->lock_fd, pid, sizeof pid - 1, 0);
        pid[n > 0 ? n - 1 : 0] = '\0';
        lq_error_set(e, LQ_EBUSY, "store %s is being written by another process (pid %s)", s->dir, n > 0 ? pid : "not known yet");
        lq_error_hint(e, "wait until it is done, or choose another directory with --data");
        return LQ_EBUSY;
    }
    int n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    if (ftruncate(s->lock_fd, 0) != 0 || pwrite(s->lock_fd, pid, (size_t)n, 0) != n) {
        return lq_error_errno(e, errno, "write to", path);
    }
    return LQ_OK;
}

bool store_is_written(const char *dir)
{
    char path[4200], line[200];
    struct stat sb;
    unsigned long inode;
    bool is = false;
    snprintf(path, sizeof path, "%s/lock.writer", dir);
    FILE *f = stat(path, &sb) == 0 ? fopen("/proc/locks", "re") : NULL;
    while (f != NULL && !is && fgets(line, sizeof line, f) != NULL) { /* "1: FLOCK  ADVISORY  WRITE 27084 fe:00:10975290 0 EOF"; the device is not stat's on every file system */
        is = sscanf(line, "%*d: FLOCK %*s WRITE %*d %*[^:]:%*[^:]:%lu", &inode) == 1 && inode == sb.st_ino;
    }
    if (f != NULL) {
        fclose(f);
    }
    return is;
}

/* Checks the format version; writes it into a new store. */
static enum lq_err check_version(struct store *s, struct lq_error *e)
{
    struct engine_txn *t = NULL;
    lq_str v;
    enum lq_err err = engine_begin(s->engine, s->o.write, &t, e);
    if (err != LQ_OK) {
        return err;
    }
    err = engine_get_sealed(t, DB_META, LQ_STR("version"), &v, e);
    bool older = err == LQ_OK && v.n == 1 && (uint8_t)v.p[0] < STORE_FORMAT_VERSION;
    if ((err == LQ_ENOENT || older) && s->o.write) { /* versions only added so far: opening for writing is the whole upgrade */
        uint8_t version = STORE_FORMAT_VERSION;
        err = engine_put_sealed(t, DB_META, LQ_STR("version"), (lq_str){(const char *)&version, 1}, e);
        return err == LQ_OK ? engine_commit(&t, e) : (engine_abort(&t), err);
    }
    if (err == LQ_ENOENT) {
        err = lq_error_set(e, LQ_ENOENT, "no store in %s", s->dir);
    } else if (err == LQ_OK && (v.n != 1 || (uint8_t)v.p[0] > STORE_FORMAT_VERSION)) {
        err = lq_error_set(e, LQ_EVERSION, "store %s has format version %u; this lq reads up to %d", s->dir, v.n > 0 ? (uint8_t)v.p[0] : 0U,
                           STORE_FORMAT_VERSION);
        lq_error_hint(e, "use the newer lq that wrote it; the store is untouched");
    }
    engine_abort(&t);
    return err;
}

static enum lq_err load_streams(struct store *s, struct lq_error *e)
{
    struct engine_txn *t = NULL;
    lq_str v;
    enum lq_err err = engine_begin(s->engine, false, &t, e);
    if (err != LQ_OK) {
        return err;
    }
    err = engine_get_sealed(t, DB_META, LQ_STR("flush"), &v, e);
    if (err == LQ_OK && v.n == sizeof s->flush_no) {
        memcpy(&s->flush_no, v.p, sizeof s->flush_no);
    }
    err = err == LQ_OK || err == LQ_ENOENT ? store__mask_load(s, t, e) : err;
    err = err == LQ_ENOENT ? LQ_OK : err; /* a number used twice would replace a fragment */
    for (uint32_t i = 0; i < STREAM_MAX && err == LQ_OK; i++) {
        struct key_buf k = {{0}, 0};
        key_u8(&k, 's');
        key_u16(&k, i);
        err = engine_get_sealed(t, DB_META, key_str(&k), &v, e);
        if (err == LQ_OK) {
            struct stream *st = stream_new(s, i, LQ_STR(""));
            s->streams[s->n_streams++] = st;
            if (stream_decode(st, v) != LQ_OK) {
                err = lq_error_set(e, LQ_ECORRUPT, "store %s is damaged: the record of stream %u", s->dir, i);
            } else {
                lq_map_set(&s->stream_ids, lq_str_of(st->schema.name), i);
                err = stream_load(st, t, e);
            }
        }
    }
    engine_abort(&t);
    return err == LQ_ENOENT ? LQ_OK : err;
}

static enum lq_err temporary_dir(struct store *s, struct lq_error *e)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(s->dir, sizeof s->dir, "%s/lq-XXXXXX", tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");
    return mkdtemp(s->dir) == NULL ? lq_error_errno(e, errno, "create a temporary directory", s->dir) : LQ_OK;
}

static void unlink_dir(const char *dir)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", "lock.writer"};
    char path[4200];
    for (unsigned i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

enum lq_err store_open(const char *dir, const struct store_options *o, struct store **out, struct lq_error *e)
{
    struct store *s = lq_alloc(sizeof *s);
    enum lq_err err = LQ_OK;
    struct stat sb;
    s->o = *o;
    s->o.write = o->write || o->temporary;
    s->o.no_sync = o->no_sync || o->temporary;
    s->o.dim_values_max = o->dim_values_max > 0 ? o->dim_values_max : DIM_VALUES_MAX;
    s->o.series_max = o->series_max > 0 ? o->series_max : SERIES_LIMIT;
    s->o.bucket_cells_max = o->bucket_cells_max > 0 ? o->bucket_cells_max : BUCKET_CELLS_LIMIT;
    s->o.snapshot_s_max = o->snapshot_s_max > 0 ? o->snapshot_s_max : SNAPSHOT_S_MAX;
    s->lock_fd = -1;
    s->expected_us = INT64_MIN;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->writing, NULL);
    if (o->temporary) {
        err = temporary_dir(s, e);
    } else {
        snprintf(s->dir, sizeof s->dir, "%s", dir);
        if (s->o.write) {
            err = store__make_dir(dir, e);
        } else if (stat(dir, &sb) != 0) {
            err = errno == ENOENT ? lq_error_set(e, LQ_ENOENT, "no store in %s", dir) : lq_error_errno(e, errno, "open store", dir);
        }
    }
    if (err == LQ_OK && s->o.write) {
        err = take_writer_lock(s, e);
    }
    uint64_t map_bytes = o->map_bytes > 0 ? o->map_bytes : map_bytes_default;
    if (s->o.write && o->disk_bytes_max > 0 && o->disk_bytes_max < map_bytes) {
        map_bytes = o->disk_bytes_max; /* LMDB itself refuses to grow beyond */
    }
    struct engine_options eo = {s->o.write, s->o.write, s->o.no_sync, map_bytes};
    if (err == LQ_OK) {
        err = engine_open(s->dir, &eo, &s->engine, e);
    }
    if (err == LQ_OK && s->o.write) {
        share_lock_file(s);
    }
    if (err == LQ_OK) {
        err = check_version(s, e);
    }
    if (err == LQ_OK && s->o.write) {
        err = load_streams(s, e);
    }
    if (o->temporary) {
        unlink_dir(s->dir);
    }
    if (err == LQ_ENOENT && !s->o.write && e != NULL && e->hint[0] == '\0') {
        lq_error_hint(e, "load logs first: lq load FILE…, or name a store with --data DIR");
    }
    if (err != LQ_OK) {
        store_close(&s);
        return err;
    }
    *out = s;
    return LQ_OK;
}

void store_close(struct store **sp)
{
    struct store *s = *sp;
    if (s == NULL) {
        return;
    }
    engine_close(&s->engine);
    store__free_parts(s);
    for (uint32_t i = 0; i < s->n_streams; i++) {
        stream_free(&s->streams[i]);
    }
    lq_map_fini(&s->stream_ids);
    if (s->lock_fd >= 0) {
        close(s->lock_fd);
    }
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->writing);
    free(s);
    *sp = NULL;
}

uint64_t store_version(const struct store *s)
{
    return engine_version(s->engine);
}

const char *store_dir(const struct store *s)
{
    return s->dir;
}

void store_default_dir(char *out, size_t cap)
{
    const char *env = getenv("LQ_DATA"), *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (env != NULL && env[0] != '\0') {
        snprintf(out, cap, "%s", env);
    } else if (state != NULL && state[0] != '\0') {
        snprintf(out, cap, "%s/lq", state);
    } else {
        snprintf(out, cap, "%s/.local/state/lq", home != NULL ? home : "");
    }
}

void store_expect_high_water(struct store *s, int64_t time_us)
{
    pthread_mutex_lock(&s->lock);
    s->expected_us = time_us;
    pthread_mutex_unlock(&s->lock);
}

/* ---- streams ---- */

static uint32_t find_name(const char *name, const char *const *names, uint32_t n)
{
    uint32_t i = 0;
    while (i < n && strcmp(names[i], name) != 0) {
        i++;
    }
    return i;
}

/* Adds what `add` has and the stream lacks; fills the mapping. */
static enum lq_err extend_schema(struct stream *st, const struct stream_schema *add, struct stream_use *u, struct lq_error *e)
{
    struct stream_schema *s = &st->schema;
    for (uint32_t i = 0; i < add->n_dims; i++) {
        uint32_t at = find_name(add->dims[i], s->dims, s->n_dims);
        if (at == DIM_MAX) {
            return lq_error_set(e, LQ_ELIMIT, "stream %s has %d dimensions already; no room for %s", s->name, DIM_MAX, add->dims[i]);
        }
        if (at == s->n_dims) {
            s->dims[s->n_dims++] = lq_arena_strdup(&st->names, lq_str_of(add->dims[i]));
            dict_init(&st->dims[at]);
            st->dirty = true;
        }
        u->dim_to[i] = (uint8_t)at;
        s->sketch_by |= (add->sketch_by >> i & 1) << at;
        s->no_cap_probation |= (add->no_cap_probation >> i & 1) << at;
    }
    for (uint32_t i = 0; i < add->n_measures; i++) {
        uint32_t at = 0;
        while (at < s->n_measures && strcmp(s->measures[at].name, add->measures[i].name) != 0) {
            at++;
        }
        if (at == MEASURE_MAX) {
            return lq_error_set(e, LQ_ELIMIT, "stream %s has %d measures already; no room for %s", s->name, MEASURE_MAX, add->measures[i].name);
        }
        if (at == s->n_measures) {
            s->measures[s->n_measures++] = (struct measure_schema){lq_arena_strdup(&st->names, lq_str_of(add->measures[i].name)),
                                                                   lq_arena_strdup(&st->names, lq_str_of(add->measures[i].unit)),
                                                                   add->measures[i].scale};
        } else if (s->measures[at].scale != add->measures[i].scale) {
            return lq_error_set(e, LQ_EINVAL, "measure %s of stream %s is stored with another scale", add->measures[i].name, s->name);
        }
        u->measure_to[i] = (uint8_t)at;
    }
    for (uint32_t i = 0; i < add->n_identities; i++) {
        uint32_t at = find_name(add->identities[i], s->identities, s->n_identities);
        if (at == IDENTITY_MAX) {
            return lq_error_set(e, LQ_ELIMIT, "stream %s has %d identities already; no room for %s", s->name, IDENTITY_MAX, add->identities[i]);
        }
        if (at == s->n_identities) {
            s->identities[s->n_identities++] = lq_arena_strdup(&st->names, lq_str_of(add->identities[i]));
        }
        u->identity_to[i] = (uint8_t)at;
    }
    return LQ_OK;
}

enum lq_err stream_use_open(struct store *s, const struct stream_schema *schema, struct stream_use **out, struct lq_error *e)
{
    enum lq_err err = LQ_OK;
    struct stream_use *u = lq_alloc(sizeof *u);
    if (schema->mask != 0 && (err = store__mask_key(s, NULL, e)) != LQ_OK) {
        free(u);
        return err;
    }
    pthread_mutex_lock(&s->lock);
    uint32_t id = lq_map_get(&s->stream_ids, lq_str_of(schema->name));
    if (id == LQ_MAP_NONE && s->n_streams == STREAM_MAX) {
        err = lq_error_set(e, LQ_ELIMIT, "the store has %d streams already; no room for %s", STREAM_MAX, schema->name);
    } else if (id == LQ_MAP_NONE) {
        id = s->n_streams;
        s->streams[id] = stream_new(s, id, lq_str_of(schema->name));
        s->streams[id]->schema.kind = schema->kind;
        __atomic_store_n(&s->n_streams, id + 1, __ATOMIC_RELEASE); /* whole before it can be seen: maintenance does not take the lock */
        lq_map_set(&s->stream_ids, lq_str_of(schema->name), id);
    }
    if (err == LQ_OK) {
        u->stream = s->streams[id];
        u->schema = *schema;
        err = extend_schema(u->stream, schema, u, e);
        u->n_dims = u->stream->schema.n_dims;
        u->n_measures = u->stream->schema.n_measures;
        u->n_identities = u->stream->schema.n_identities;
    }
    pthread_mutex_unlock(&s->lock);
    if (err != LQ_OK) {
        free(u);
        return err;
    }
    *out = u;
    return LQ_OK;
}

void stream_use_close(struct stream_use **u)
{
    free(*u);
    *u = NULL;
}
