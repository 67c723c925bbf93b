/*
 * frame.c - bytes of a stream into messages (frame.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/frame.h"

/* "123 <": the count, and the bytes before the message. -1: there is no count here, 0: cannot be told yet. */
static int octet_count(const char *p, size_t n, size_t *count)
{
    size_t i = 0, v = 0;
    while (i < n && i <= FRAME_COUNT_DIGITS && p[i] >= '0' && p[i] <= '9') {
        v = v * 10 + (size_t)(p[i++] - '0');
    }
    if (i == 0 || i > FRAME_COUNT_DIGITS || p[0] == '0') {
        return -1;
    }
    if (i == n) {
        return 0;
    }
    if (p[i] != ' ') {
        return -1;
    }
    if (i + 1 == n) {
        return 0;
    }
    *count = v;
    return p[i + 1] == '<' ? (int)i + 1 : -1;
}

static lq_str trimmed(const char *p, size_t n)
{
    if (n > 0 && p[n - 1] == '\n') {
        n--;
    }
    while (n > 0 && (p[n - 1] == '\r' || p[n - 1] == '\0')) {
        n--;
    }
    return (lq_str){p, n};
}

static enum frame_result next_line(struct framer *f, const char *p, size_t n, lq_str *message, size_t *used)
{
    size_t from = f->scanned < n ? f->scanned : n;
    const char *nl = n > from ? memchr(p + from, '\n', n - from) : NULL;
    if (nl != NULL && (size_t)(nl - p) <= f->bytes_max) {
        f->scanned = 0;
        *used = (size_t)(nl + 1 - p);
        *message = trimmed(p, (size_t)(nl - p));
        return FRAME_MESSAGE;
    }
    if (nl == NULL && n <= f->bytes_max) {
        f->scanned = n;
        return FRAME_MORE;
    }
    f->scanned = 0;
    f->skip_line = true;
    *used = f->bytes_max;
    *message = trimmed(p, f->bytes_max);
    return FRAME_TOO_LONG;
}

/* The rest of a message that was cut. */
static enum frame_result skip(struct framer *f, const char *p, size_t n, size_t *used)
{
    if (f->skip > 0) {
        *used = n < f->skip ? n : f->skip;
        f->skip -= *used;
        return FRAME_SKIPPED;
    }
    const char *nl = memchr(p, '\n', n);
    *used = nl != NULL ? (size_t)(nl + 1 - p) : n;
    f->skip_line = nl == NULL;
    return FRAME_SKIPPED;
}

enum frame_result frame_next(struct framer *f, const char *p, size_t n, lq_str *message, size_t *used)
{
    *used = 0;
    if (n == 0) {
        return FRAME_MORE;
    }
    if (f->skip > 0 || f->skip_line) {
        return skip(f, p, n, used);
    }
    if (f->mode == FRAME_LINES || p[0] < '0' || p[0] > '9') {
        return next_line(f, p, n, message, used);
    }
    size_t count = 0;
    int head = octet_count(p, n, &count);
    if (head == 0) {
        return FRAME_MORE;
    }
    if (head < 0) {
        bool almost = n > 1 && memchr(p, ' ', n < FRAME_COUNT_DIGITS + 2 ? n : FRAME_COUNT_DIGITS + 2) != NULL;
        enum frame_result r = next_line(f, p, n, message, used);
        return r == FRAME_MESSAGE && almost && p[strspn(p, "0123456789")] == ' ' ? FRAME_BAD : r;
    }
    size_t at = (size_t)head;
    if (count > f->bytes_max) {
        if (n - at < f->bytes_max) {
            return FRAME_MORE;
        }
        *message = trimmed(p + at, f->bytes_max);
        *used = at + f->bytes_max;
        f->skip = count - f->bytes_max;
        return FRAME_TOO_LONG;
    }
    if (n - at < count) {
        return FRAME_MORE;
    }
    *message = trimmed(p + at, count);
    *used = at + count;
    return FRAME_MESSAGE;
}

lq_str frame_rest(struct framer *f, const char *p, size_t n)
{
    lq_str m = trimmed(p, f->skip > 0 || f->skip_line ? 0 : n);
    size_t count;
    int head = f->mode == FRAME_SYSLOG ? octet_count(m.p, m.n, &count) : -1;
    if (head > 0) {
        m.p += head;
        m.n -= (size_t)head;
    }
    f->skip = 0;
    f->skip_line = false;
    f->scanned = 0;
    return m;
}
