/*
 * mask.c - what a store masks, and its key (store.h, schema/mask.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/mask.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include "store/store_int.h"

enum { KEY_FILE_BYTES_MAX = 256 };

static enum lq_err read_key(const char *path, uint8_t key[MASK_KEY_BYTES], struct lq_error *e)
{
    char text[KEY_FILE_BYTES_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return lq_error_errno(e, errno, "open the key", path);
    }
    ssize_t n = read(fd, text, sizeof text);
    int code = errno;
    close(fd);
    if (n < 0) {
        return lq_error_errno(e, code, "read the key", path);
    }
    struct lq_error inner = {0};
    if (mask_key_parse((lq_str){text, (size_t)n}, key, &inner) != LQ_OK) {
        lq_error_set(e, LQ_EINVAL, "%s: %s", path, inner.msg);
        lq_error_hint(e, "%s", inner.hint);
        return LQ_EINVAL;
    }
    return LQ_OK;
}

/* A new key in a file that was not there. */
static enum lq_err make_key(const char *path, uint8_t key[MASK_KEY_BYTES], struct lq_error *e)
{
    char text[2 * MASK_KEY_BYTES + 2];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return lq_error_errno(e, errno, "make the key", path);
    }
    for (int i = 0; i < MASK_KEY_BYTES; i++) {
        snprintf(text + 2 * i, 3, "%02x", key[i]);
    }
    text[2 * MASK_KEY_BYTES] = '\n';
    bool ok = write(fd, text, 2 * MASK_KEY_BYTES + 1) == 2 * MASK_KEY_BYTES + 1 && fsync(fd) == 0;
    int code = errno;
    close(fd);
    if (!ok) {
        unlink(path);
        return lq_error_errno(e, code, "write the key", path);
    }
    return LQ_OK;
}

enum lq_err store__mask_key(struct store *s, const char *key_file, struct lq_error *e)
{
    char path[sizeof s->dir + 16];
    uint8_t key[MASK_KEY_BYTES];
    if (s->has_mask_key && key_file == NULL) {
        return LQ_OK;
    }
    snprintf(path, sizeof path, "%s/mask.key", s->dir);
    enum lq_err err = LQ_OK;
    bool own = !s->o.temporary && access(path, F_OK) == 0;
    if (own) {
        err = read_key(path, key, e);
    } else if (key_file == NULL) {
        LQ_ASSERT(getrandom(key, sizeof key, 0) == (ssize_t)sizeof key);
    }
    if (err == LQ_OK && key_file != NULL) {
        uint8_t given[MASK_KEY_BYTES];
        err = read_key(key_file, given, e);
        if (err == LQ_OK && own && memcmp(key, given, sizeof key) != 0) {
            lq_error_set(e, LQ_EINVAL, "%s is not the key that the names in this store were made with", key_file);
            lq_error_hint(e, "that one is %s; without it the same client gets another name", path);
            err = LQ_EINVAL;
        }
        memcpy(key, given, sizeof key);
    }
    if (err == LQ_OK && !own && !s->o.temporary) {
        err = make_key(path, key, e);
    }
    if (err == LQ_OK) {
        memcpy(s->mask.key, key, sizeof key);
        s->has_mask_key = true;
    }
    return err;
}

enum lq_err store__mask_load(struct store *s, struct engine_txn *t, struct lq_error *e)
{
    lq_str v;
    enum lq_err err = engine_get_sealed(t, DB_META, LQ_STR("mask"), &v, e);
    if (err == LQ_OK && v.n == 1) {
        s->mask.kinds = (unsigned char)v.p[0] & MASK_ALL;
    }
    err = err == LQ_ENOENT ? LQ_OK : err;
    return err == LQ_OK && s->mask.kinds != 0 && s->o.write ? store__mask_key(s, NULL, e) : err;
}

enum lq_err store_mask(struct store *s, unsigned kinds, const char *key_file, struct lq_error *e)
{
    struct engine_txn *t = NULL;
    char bits = (char)kinds;
    enum lq_err err = kinds != 0 ? store__mask_key(s, key_file, e) : LQ_OK;
    if (err == LQ_OK && kinds != s->mask.kinds) {
        err = engine_begin(s->engine, true, &t, e);
        err = err == LQ_OK ? engine_put_sealed(t, DB_META, LQ_STR("mask"), (lq_str){&bits, 1}, e) : err;
        err = err == LQ_OK ? engine_commit(&t, e) : err;
        engine_abort(&t);
    }
    if (err == LQ_OK) {
        s->mask.kinds = kinds;
    }
    return err;
}
