/*
 * log.c - what lqd says about itself (log.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "schema/timefmt.h"

enum { SAY_AGAIN_US = 60000000 };

void log_say(enum log_level level, const char *fmt, ...)
{
    char text[1200];
    int head = getenv("JOURNAL_STREAM") != NULL ? snprintf(text, sizeof text, "<%d>", level) : snprintf(text, sizeof text, "lqd: ");
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text + head, sizeof text - (size_t)head - 1, fmt, ap);
    va_end(ap);
    size_t len = (size_t)head + ((size_t)n < sizeof text - (size_t)head - 1 ? (size_t)n : sizeof text - (size_t)head - 2);
    for (size_t i = 0; i < len; i++) { /* one line, whatever a peer sent */
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            text[i] = '~';
        }
    }
    text[len] = '\n';
    if (write(STDERR_FILENO, text, len + 1) < 0) {
        return; /* nobody to tell it to */
    }
}

void log_failure(enum log_level level, const struct lq_error *e)
{
    log_say(level, "%s%s%s%s", e->msg, e->hint[0] != '\0' ? " (" : "", e->hint, e->hint[0] != '\0' ? ")" : "");
}

bool log_may(struct log_limit *l)
{
    int64_t now = clock_monotonic_us();
    if (now < l->next_us) {
        l->held++;
        return false;
    }
    l->next_us = now + SAY_AGAIN_US;
    l->held = 0;
    return true;
}

void log_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (path == NULL || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof a.sun_path) {
        return;
    }
    size_t n = strlen(path);
    memcpy(a.sun_path, path, n);
    if (path[0] == '@') {
        a.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0) {
            log_say(LOG_WARN, "cannot notify systemd");
        }
        close(fd);
    }
}
