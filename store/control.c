/*
 * control.c - frames and the socket by which a daemon is asked to write (control.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/control.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIELD_MAX = 8192, BACKLOG = 16 };

/* ---- the bytes ---- */

void control_begin(struct lq_buf *b, enum control_type t)
{
    const char head[CONTROL_HEADER_BYTES] = {'l', 'q', CONTROL_VERSION, (char)t};
    lq_buf_clear(b);
    lq_buf_add(b, head, sizeof head);
}

void control_put(struct lq_buf *b, enum control_tag tag, lq_str v)
{
    size_t n = v.n < FIELD_MAX ? v.n : FIELD_MAX;
    lq_buf_byte(b, (uint8_t)tag);
    lq_buf_byte(b, (uint8_t)(n & 0xff));
    lq_buf_byte(b, (uint8_t)(n >> 8));
    lq_buf_add(b, v.p, n);
}

void control_put_u64(struct lq_buf *b, enum control_tag tag, uint64_t v)
{
    char bytes[8];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (char)(uint8_t)(v >> (8 * i));
    }
    control_put(b, tag, (lq_str){bytes, sizeof bytes});
}

void control_put_error(struct lq_buf *b, const struct lq_error *e)
{
    control_put_u64(b, TAG_CODE, (uint64_t)e->code);
    control_put(b, TAG_MESSAGE, lq_str_of(e->msg));
    control_put(b, TAG_HINT, lq_str_of(e->hint));
}

void control_end(struct lq_buf *b)
{
    size_t n = b->n - CONTROL_HEADER_BYTES;
    LQ_ASSERT(n <= CONTROL_PAYLOAD_MAX);
    for (int i = 0; i < 4; i++) {
        b->p[4 + i] = (char)(uint8_t)(n >> (8 * i));
    }
}

static uint64_t little(const char *p, int n)
{
    uint64_t v = 0;
    for (int i = n; i-- > 0;) {
        v = v << 8 | (uint8_t)p[i];
    }
    return v;
}

bool control_header(const char h[CONTROL_HEADER_BYTES], enum control_type *t, uint32_t *n)
{
    uint8_t type = (uint8_t)h[3];
    *n = (uint32_t)little(h + 4, 4);
    *t = (enum control_type)type;
    return h[0] == 'l' && h[1] == 'q' && h[2] == CONTROL_VERSION && type > 0 && type < CONTROL_TYPES && *n <= CONTROL_PAYLOAD_MAX;
}

enum control_step control_next(lq_str *payload, enum control_tag *tag, lq_str *v)
{
    if (payload->n == 0) {
        return CONTROL_END;
    }
    uint8_t t = (uint8_t)payload->p[0];
    size_t n = payload->n >= 3 ? (size_t)little(payload->p + 1, 2) : SIZE_MAX - 3;
    if (t == 0 || t >= TAGS || n + 3 > payload->n) {
        return CONTROL_BAD;
    }
    *tag = (enum control_tag)t;
    *v = (lq_str){payload->p + 3, n};
    payload->p += n + 3;
    payload->n -= n + 3;
    return CONTROL_FIELD;
}

uint64_t control_u64(lq_str v)
{
    return v.n == 8 ? little(v.p, 8) : 0;
}

bool control_get_error(enum control_tag tag, lq_str v, struct lq_error *e)
{
    if (tag == TAG_CODE) {
        e->code = control_u64(v) > 0 && control_u64(v) <= LQ_ENODATA ? (enum lq_err)control_u64(v) : LQ_EIO;
    } else if (tag == TAG_MESSAGE) {
        snprintf(e->msg, sizeof e->msg, "%.*s", (int)v.n, v.p);
    } else if (tag == TAG_HINT) {
        snprintf(e->hint, sizeof e->hint, "%.*s", (int)v.n, v.p);
    } else {
        return false;
    }
    return true;
}

/* ---- the socket ---- */

/* By way of the open directory: a path of any length fits. */
static enum lq_err address(const char *dir, int *dir_fd, struct sockaddr_un *a, struct lq_error *e)
{
    *dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*dir_fd < 0) {
        return lq_error_errno(e, errno, "open store", dir);
    }
    a->sun_family = AF_UNIX;
    snprintf(a->sun_path, sizeof a->sun_path, "/proc/self/fd/%d/" CONTROL_NAME, *dir_fd);
    return LQ_OK;
}

enum lq_err control_listen(const char *dir, int *out, struct lq_error *e)
{
    struct sockaddr_un a = {0};
    int dir_fd, fd = -1;
    enum lq_err err = address(dir, &dir_fd, &a, e);
    if (err != LQ_OK) {
        return err;
    }
    unlinkat(dir_fd, CONTROL_NAME, 0);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* The mode of the socket before bind is the mode of the file: at no moment could others connect. */
    if (fd < 0 || fchmod(fd, 0600) != 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, BACKLOG) != 0) {
        err = lq_error_errno(e, errno, "listen on the control socket in", dir);
        if (fd >= 0) {
            close(fd);
        }
    } else {
        *out = fd;
    }
    close(dir_fd);
    return err;
}

void control_unlink(const char *dir)
{
    struct sockaddr_un a = {0};
    int dir_fd;
    if (address(dir, &dir_fd, &a, NULL) == LQ_OK) {
        unlinkat(dir_fd, CONTROL_NAME, 0);
        close(dir_fd);
    }
}

bool control_is_served(const char *dir)
{
    char path[4200];
    struct stat sb;
    snprintf(path, sizeof path, "%s/" CONTROL_NAME, dir);
    return lstat(path, &sb) == 0 && S_ISSOCK(sb.st_mode) && store_is_written(dir); /* a killed one leaves its socket */
}

enum lq_err control_connect(const char *dir, int *out, struct lq_error *e)
{
    struct sockaddr_un a = {0};
    int dir_fd;
    enum lq_err err = address(dir, &dir_fd, &a, e);
    if (err != LQ_OK) {
        return LQ_ENOENT;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
        int why = errno;
        err = why == ENOENT || why == ECONNREFUSED || why == ENOTSOCK || why == ENOTDIR ? lq_error_set(e, LQ_ENOENT, "no lqd holds the store %s", dir)
                                                                      : lq_error_errno(e, why, "ask the lqd that holds the store", dir);
        if (why == EACCES || why == EPERM) {
            lq_error_hint(e, "it takes orders from its own user and from root only");
        }
        if (fd >= 0) {
            close(fd);
        }
    } else {
        *out = fd;
    }
    close(dir_fd);
    return err;
}

enum lq_err control_send(int fd, const struct lq_buf *b, int pass, struct lq_error *e)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {{0}};
    size_t at = 0;
    while (at < b->n) {
        struct iovec iov = {b->p + at, b->n - at};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
        if (pass >= 0 && at == 0) {
            m.msg_control = control.bytes;
            m.msg_controllen = sizeof control.bytes;
            struct cmsghdr *h = CMSG_FIRSTHDR(&m);
            h->cmsg_level = SOL_SOCKET;
            h->cmsg_type = SCM_RIGHTS;
            h->cmsg_len = CMSG_LEN(sizeof(int));
            memcpy(CMSG_DATA(h), &pass, sizeof pass);
        }
        ssize_t n = sendmsg(fd, &m, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return lq_error_errno(e, errno, "write to", "the control socket of lqd");
        }
        at += (size_t)n;
    }
    return LQ_OK;
}

/* A descriptor that came with these bytes; what came before it, or too much of them, is closed. */
static void take_passed(struct msghdr *m, int *passed)
{
    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h != NULL; h = CMSG_NXTHDR(m, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        for (size_t i = 0; CMSG_LEN((i + 1) * sizeof(int)) <= h->cmsg_len; i++) {
            if (*passed >= 0) {
                close(*passed);
            }
            memcpy(passed, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
        }
    }
}

static enum lq_err receive(int fd, char *p, size_t n, bool first, int *passed, struct lq_error *e)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(8 * sizeof(int))];
    } control;
    for (size_t at = 0; at < n;) {
        struct iovec iov = {p + at, n - at};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
        ssize_t got = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return errno == EAGAIN ? lq_error_set(e, LQ_EIO, "nothing came from the other side of the control socket for too long")
                                   : lq_error_errno(e, errno, "read from", "the control socket");
        }
        if (got == 0) {
            return first && at == 0 ? lq_error_set(e, LQ_ENODATA, "the other side of the control socket has closed")
                                    : lq_error_set(e, LQ_EINVAL, "the control socket was closed within a frame");
        }
        take_passed(&m, passed);
        at += (size_t)got;
    }
    return LQ_OK;
}

enum lq_err control_receive(int fd, enum control_type *t, struct lq_buf *payload, int *passed, struct lq_error *e)
{
    char head[CONTROL_HEADER_BYTES];
    uint32_t n = 0;
    *passed = -1;
    enum lq_err err = receive(fd, head, sizeof head, true, passed, e);
    if (err == LQ_OK && !control_header(head, t, &n)) {
        err = lq_error_set(e, LQ_EINVAL, "no frame of the control protocol, or one of another version of lq");
    }
    if (err == LQ_OK) {
        lq_buf_clear(payload);
        lq_buf_reserve(payload, (size_t)n + 1);
        err = receive(fd, payload->p, n, false, passed, e);
        payload->n = n;
    }
    if (err != LQ_OK && *passed >= 0) {
        close(*passed);
        *passed = -1;
    }
    return err;
}

/* DONE, or the error that came instead. */
static enum lq_err await_done(int fd, struct lq_error *e)
{
    struct lq_buf b = {0};
    enum control_type t = CONTROL_ERROR;
    int passed;
    struct lq_error told = {.code = LQ_EIO};
    enum lq_err err = control_receive(fd, &t, &b, &passed, e);
    if (err == LQ_OK && t != CONTROL_DONE) {
        lq_str rest = {b.p, b.n}, v;
        enum control_tag tag;
        while (control_next(&rest, &tag, &v) == CONTROL_FIELD) {
            control_get_error(tag, v, &told);
        }
        err = told.code;
        if (e != NULL) {
            *e = told;
        }
    }
    lq_buf_fini(&b);
    return err;
}

enum lq_err control_marker_add(int fd, const struct marker *m, struct lq_error *e)
{
    struct lq_buf b = {0};
    control_begin(&b, CONTROL_MARK);
    control_put_u64(&b, TAG_TIME, (uint64_t)m->time_us);
    control_put(&b, TAG_KIND, m->kind);
    control_put(&b, TAG_NAME, m->name);
    control_put(&b, TAG_HOST, m->host);
    control_put(&b, TAG_SERVICE, m->service);
    control_put(&b, TAG_TEXT, m->text);
    control_end(&b);
    enum lq_err err = control_send(fd, &b, -1, e);
    if (err == LQ_OK) {
        err = await_done(fd, e);
    }
    lq_buf_fini(&b);
    close(fd);
    return err;
}
