/*
 * source.c - plain, gzip and zstd files as one stream of bytes (source.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { INPUT_BYTES = 1 << 18 };
enum source_kind { SOURCE_PLAIN, SOURCE_GZIP, SOURCE_ZSTD };

struct source {
    int fd, cancel;
    enum source_kind kind;
    char path[4096];
    struct stat st;
    char *in;
    size_t at, have;
    bool eof, at_member_end, started;
    uint64_t consumed;
    z_stream z;
    ZSTD_DCtx *zstd;
};

static enum lq_err read_bytes(struct source *s, char *p, size_t cap, size_t *n, struct lq_error *e)
{
    ssize_t got = -1;
    do {
        struct pollfd fds[2] = {{s->fd, POLLIN, 0}, {s->cancel, POLLIN | POLLRDHUP, 0}};
        if (s->cancel >= 0 && !S_ISREG(s->st.st_mode) && poll(fds, 2, -1) > 0 && fds[1].revents != 0) {
            return lq_error_set(e, LQ_EIO, "reading %s was given up", s->path);
        }
        got = read(s->fd, p, cap);
    } while (got < 0 && (errno == EINTR || (errno == EAGAIN && s->cancel >= 0)));
    if (got < 0) {
        return lq_error_errno(e, errno, "read", s->path);
    }
    *n = (size_t)got;
    s->consumed += (uint64_t)got;
    return LQ_OK;
}

static enum lq_err fill(struct source *s, struct lq_error *e)
{
    if (s->at < s->have || s->eof) {
        return LQ_OK;
    }
    size_t n = 0;
    enum lq_err err = read_bytes(s, s->in, INPUT_BYTES, &n, e);
    if (err == LQ_OK) {
        s->at = 0;
        s->have = n;
        s->eof = n == 0;
    }
    return err;
}

static const char *shown(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

/* The descriptor is the source's; -1: errno says why there is none. */
static enum lq_err start(const char *path, int fd, int cancel, struct source **out, struct lq_error *e)
{
    struct source *s = lq_alloc(sizeof *s);
    enum lq_err err = LQ_OK;
    snprintf(s->path, sizeof s->path, "%s", shown(path));
    s->fd = fd;
    s->cancel = cancel;
    if (s->fd < 0 || fstat(s->fd, &s->st) != 0) {
        err = lq_error_errno(e, errno, "open", s->path);
    } else if (S_ISDIR(s->st.st_mode)) {
        err = lq_error_set(e, LQ_EINVAL, "%s is a directory", path);
        lq_error_hint(e, "name the files in it: %s/*", path);
    }
    if (err == LQ_OK) {
        s->in = lq_alloc_pages(INPUT_BYTES);
        err = fill(s, e);
    }
    if (err != LQ_OK) {
        source_close(&s);
        return err;
    }
    const unsigned char *p = (const unsigned char *)s->in;
    if (s->have >= 2 && p[0] == 0x1f && p[1] == 0x8b) {
        s->kind = SOURCE_GZIP;
        LQ_ASSERT(inflateInit2(&s->z, 15 + 16) == Z_OK);
    } else if (s->have >= 4 && p[0] == 0x28 && p[1] == 0xb5 && p[2] == 0x2f && p[3] == 0xfd) {
        s->kind = SOURCE_ZSTD;
        s->zstd = ZSTD_createDCtx();
        LQ_ASSERT(s->zstd != NULL);
    }
    *out = s;
    return LQ_OK;
}

enum lq_err source_open(const char *path, struct source **out, struct lq_error *e)
{
    return start(path, strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), -1, out, e);
}

enum lq_err source_open_fd(const char *path, int fd, int cancel, struct source **out, struct lq_error *e)
{
    return start(path, fcntl(fd, F_DUPFD_CLOEXEC, 0), cancel, out, e);
}

void source_close(struct source **sp)
{
    struct source *s = *sp;
    if (s == NULL) {
        return;
    }
    if (s->kind == SOURCE_GZIP) {
        inflateEnd(&s->z);
    }
    ZSTD_freeDCtx(s->zstd);
    if (s->fd >= 0) {
        close(s->fd);
    }
    free(s->in);
    free(s);
    *sp = NULL;
}

static enum lq_err damaged(struct source *s, const char *what, struct lq_error *e)
{
    return lq_error_set(e, LQ_ECORRUPT, "%s: the archive is %s near byte %llu", s->path, what, (unsigned long long)(s->consumed - s->have + s->at));
}

static enum lq_err read_gzip(struct source *s, char *p, size_t cap, size_t *n, struct lq_error *e)
{
    s->z.next_out = (unsigned char *)p;
    s->z.avail_out = (unsigned)cap;
    while (s->z.avail_out == cap) {
        enum lq_err err = fill(s, e);
        if (err != LQ_OK) {
            return err;
        }
        if (s->at == s->have) {
            return s->at_member_end ? LQ_OK : damaged(s, "truncated", e);
        }
        if (s->at_member_end) {
            inflateReset(&s->z); /* the next member of a concatenated file */
            s->at_member_end = false;
        }
        s->z.next_in = (unsigned char *)s->in + s->at;
        s->z.avail_in = (unsigned)(s->have - s->at);
        int rc = inflate(&s->z, Z_NO_FLUSH);
        s->at = s->have - s->z.avail_in;
        if (rc == Z_STREAM_END) {
            s->at_member_end = true;
        } else if (rc != Z_OK && rc != Z_BUF_ERROR) {
            *n = cap - s->z.avail_out;
            return *n > 0 ? LQ_OK : damaged(s, "damaged", e);
        }
    }
    *n = cap - s->z.avail_out;
    return LQ_OK;
}

static enum lq_err read_zstd(struct source *s, char *p, size_t cap, size_t *n, struct lq_error *e)
{
    ZSTD_outBuffer out = {p, cap, 0};
    while (out.pos == 0) {
        enum lq_err err = fill(s, e);
        if (err != LQ_OK) {
            return err;
        }
        if (s->at == s->have) {
            return s->at_member_end ? LQ_OK : damaged(s, "truncated", e);
        }
        ZSTD_inBuffer in = {s->in, s->have, s->at};
        size_t rc = ZSTD_decompressStream(s->zstd, &out, &in);
        s->at = in.pos;
        if (ZSTD_isError(rc)) {
            return damaged(s, "damaged", e);
        }
        s->at_member_end = rc == 0;
    }
    *n = out.pos;
    return LQ_OK;
}

enum lq_err source_read(struct source *s, char *p, size_t cap, size_t *n, struct lq_error *e)
{
    *n = 0;
    if (s->kind == SOURCE_GZIP) {
        return read_gzip(s, p, cap, n, e);
    }
    if (s->kind == SOURCE_ZSTD) {
        return read_zstd(s, p, cap, n, e);
    }
    if (s->at < s->have) {
        *n = s->have - s->at < cap ? s->have - s->at : cap;
        memcpy(p, s->in + s->at, *n);
        s->at += *n;
        return LQ_OK;
    }
    return read_bytes(s, p, cap, n, e);
}

bool source_compressed(const struct source *s)
{
    return s->kind != SOURCE_PLAIN;
}

bool source_is_file(const struct source *s)
{
    return S_ISREG(s->st.st_mode);
}

int64_t source_mtime_us(const struct source *s)
{
    return S_ISREG(s->st.st_mode) ? s->st.st_mtim.tv_sec * 1000000 : 0;
}

uint64_t source_size(const struct source *s)
{
    return S_ISREG(s->st.st_mode) ? (uint64_t)s->st.st_size : 0;
}

uint64_t source_consumed(const struct source *s)
{
    return s->consumed;
}
