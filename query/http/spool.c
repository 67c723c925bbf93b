/*
 * spool.c - the body of an answer while it is printed: in memory, or in a file without a name where it grows large (http.h)
 *
 * A large answer is thus in memory once - as rows of the query - and never as text, and a client that reads slowly holds neither memory nor a worker.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "query/http/http.h"

enum { STREAM_BUFFER_BYTES = 64 << 10 };

static bool write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return false;
        }
        p += done;
        n -= (size_t)done;
    }
    return true;
}

static int nameless_file(void)
{
    const char *dir = getenv("TMPDIR");
    char path[] = "/var/tmp/lq-answer-XXXXXX";
    int fd = open(dir != NULL && dir[0] == '/' ? dir : "/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) { /* a file system without O_TMPFILE */
        fd = mkostemp(path, O_CLOEXEC);
        if (fd >= 0) {
            unlink(path);
        }
    }
    return fd;
}

/* Over to a file; false: it cannot be. */
static bool spill(struct http_response *o)
{
    int fd = nameless_file();
    if (fd < 0 || !write_all(fd, o->body, o->n)) {
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    o->fd = fd;
    free(o->body);
    o->body = NULL;
    o->cap = 0;
    return true;
}

static ssize_t on_write(void *cookie, const char *p, size_t n)
{
    struct http_response *o = cookie;
    if (o->fd < 0 && o->n + n > HTTP_MEMORY_BYTES_MAX && !spill(o)) {
        o->failed = true;
    }
    if (o->failed || (o->fd >= 0 && !write_all(o->fd, p, n))) {
        o->failed = true;
        return (ssize_t)n; /* told at the end, once */
    }
    if (o->fd < 0) {
        lq_grow(&o->body, &o->cap, o->n + n + 1, 1);
        memcpy(o->body + o->n, p, n);
        o->body[o->n + n] = '\0';
    }
    o->n += n;
    return (ssize_t)n;
}

static void open_stream(struct http_response *o)
{
    o->fd = -1;
    o->out = fopencookie(o, "w", (cookie_io_functions_t){.write = on_write});
    LQ_ASSERT(o->out != NULL);
    (void)setvbuf(o->out, NULL, _IOFBF, STREAM_BUFFER_BYTES);
}

static void drop(struct http_response *o)
{
    if (o->out != NULL) {
        fclose(o->out);
    }
    if (o->fd >= 0) {
        close(o->fd);
    }
    free(o->body);
    o->out = NULL;
    o->fd = -1;
    o->body = NULL;
    o->n = o->cap = 0;
    o->failed = false;
}

void http_response_init(struct http_response *o)
{
    memset(o, 0, sizeof *o);
    open_stream(o);
}

void http_response_fini(struct http_response *o)
{
    drop(o);
}

void http_response_clear(struct http_response *o)
{
    drop(o);
    open_stream(o);
}

bool http_response_close(struct http_response *o)
{
    if (o->out != NULL) {
        fclose(o->out);
        o->out = NULL;
    }
    return !o->failed;
}
