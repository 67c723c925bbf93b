/*
 * backup.c - a copy of a store while it is in use (store.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store_int.h"

static enum lq_err sync_dir(const char *dir, struct lq_error *e)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    int code = errno;
    if (fd >= 0) {
        close(fd);
    }
    return ok ? LQ_OK : lq_error_errno(e, code, "sync", dir);
}

enum lq_err store_backup(struct store *s, const char *dir, uint64_t *bytes, struct lq_error *e)
{
    char path[4200], part[4210];
    struct stat sb;
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    snprintf(part, sizeof part, "%s.part", path);
    enum lq_err err = store__make_dir(dir, e);
    if (err != LQ_OK) {
        return err;
    }
    if (stat(path, &sb) == 0) {
        lq_error_set(e, LQ_EINVAL, "%s holds a store already", dir);
        lq_error_hint(e, "name a new directory for the backup");
        return LQ_EINVAL;
    }
    int fd = open(part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0660);
    if (fd < 0) {
        return lq_error_errno(e, errno, "create", part);
    }
    err = engine_copy(s->engine, fd, e);
    if (err == LQ_OK && (fsync(fd) != 0 || fstat(fd, &sb) != 0)) {
        err = lq_error_errno(e, errno, "sync", part);
    }
    close(fd);
    if (err == LQ_OK && rename(part, path) != 0) {
        err = lq_error_errno(e, errno, "name", path);
    }
    if (err == LQ_OK) {
        err = sync_dir(dir, e);
    }
    if (err != LQ_OK) {
        unlink(part);
        if (err == LQ_ENOSPC) {
            lq_error_set(e, err, "cannot back up to %s: no space left on device", dir);
            lq_error_hint(e, "free some space there, or choose another directory; the store itself is untouched");
        }
        return err;
    }
    *bytes = (uint64_t)sb.st_size;
    return LQ_OK;
}
