/*
 * lqsend.c - sends syslog messages at a rate: lqsend udp|tcp PORT COUNT PER-SECOND [FILE of lines | @START/EACH]; lqsend print - COUNT 0 @START/EACH
 *
 * PER-SECOND 0: as fast as they are taken. @START/EACH: lines of nginx with their own time, from START (epoch seconds), a second later every EACH lines: four hosts, 300
 * routes, four statuses, 187,500 clients. print: those lines alone, without a syslog header, to standard output.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096, BATCH_BYTES = 64 << 10 };

struct sender {
    int fd;
    int udp, print;
    FILE *in;
    long start_s, each; /* each 0: no time of their own */
    char clock[64];
    char batch[BATCH_BYTES + LINE_MAX_BYTES];
    size_t n;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int send_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = write(fd, p, n);
        if (sent < 0) {
            perror("write");
            return 3;
        }
        p += sent;
        n -= (size_t)sent;
    }
    return 0;
}

static void make_line(struct sender *s, long i, char line[LINE_MAX_BYTES])
{
    if (s->each > 0) {
        if (i % s->each == 0) {
            time_t t = s->start_s + i / s->each;
            struct tm tm;
            strftime(s->clock, sizeof s->clock, "%d/%b/%Y:%H:%M:%S +0000", gmtime_r(&t, &tm));
        }
        unsigned long r = (unsigned long)i * 2654435761UL >> 7; /* scattered, and the same every time */
        int n = s->print ? 0 : snprintf(line, LINE_MAX_BYTES, "<190>Mar  2 10:00:00 web-%ld nginx: ", i % 4);
        snprintf(line + n, LINE_MAX_BYTES - (size_t)n, "10.%lu.%lu.%lu - - [%s] \"GET /api/%c%c%c/%ld HTTP/1.1\" %d %lu \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\" 0.%03lu\n",
                 r % 3, r / 3 % 250, r / 750 % 250, s->clock, 'a' + (int)(r % 300 / 60), 'k' + (int)(r % 60 / 6), 'p' + (int)(r % 6), i,
                 r % 211 == 0 ? 502 : r % 17 == 0 ? 404 : r % 13 == 0 ? 304 : 200, 200 + r % 5000, r % 900);
    } else if (s->in == NULL || fgets(line, LINE_MAX_BYTES, s->in) == NULL) {
        snprintf(line, LINE_MAX_BYTES, "<190>Mar  2 10:00:00 web-1 shop: order %ld of customer %ld took %ld ms and everything about it went well so far, "
                 "as far as anybody can tell from here, in region eu-central-1\n", i, i % 1000, i % 97);
    }
}

/* A datagram is a message; on a connection many go together where they need not keep to a rate. */
static int put(struct sender *s, const char *line, int together)
{
    size_t n = strlen(line);
    if (s->udp || !together) {
        return send_all(s->fd, line, n);
    }
    memcpy(s->batch + s->n, line, n);
    s->n += n;
    if (s->n < BATCH_BYTES) {
        return 0;
    }
    n = s->n;
    s->n = 0;
    return send_all(s->fd, s->batch, n);
}

int main(int argc, char **argv)
{
    int print = argc > 1 && strcmp(argv[1], "print") == 0;
    if (argc < 5 || (!print && strcmp(argv[1], "udp") != 0 && strcmp(argv[1], "tcp") != 0)) {
        fputs("usage: lqsend udp|tcp|print PORT COUNT PER-SECOND [FILE | @START/EACH]\n", stderr);
        return 2;
    }
    static struct sender s;
    long count = atol(argv[3]), rate = atol(argv[4]);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2])), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    s.udp = argv[1][0] == 'u';
    s.print = print;
    if (argc > 5 && argv[5][0] == '@') {
        char *end;
        s.start_s = strtol(argv[5] + 1, &end, 10);
        s.each = *end == '/' ? atol(end + 1) : 1;
    } else if (argc > 5) {
        s.in = fopen(argv[5], "r");
    }
    s.fd = print ? STDOUT_FILENO : socket(AF_INET, s.udp ? SOCK_DGRAM : SOCK_STREAM, 0);
    if (s.fd < 0 || (!print && connect(s.fd, (struct sockaddr *)&a, sizeof a) != 0)) {
        perror("connect");
        return 3;
    }
    char line[LINE_MAX_BYTES];
    double start = now();
    for (long i = 0; i < count; i++) {
        make_line(&s, i, line);
        if (put(&s, line, rate == 0) != 0) {
            return 3;
        }
        while (rate > 0 && (i & 31) == 0 && (double)i / (double)rate > now() - start) {
            struct timespec t = {0, 100000};
            nanosleep(&t, NULL);
        }
    }
    if (send_all(s.fd, s.batch, s.n) != 0) {
        return 3;
    }
    fprintf(stderr, "  sent %ld in %.1f s: %.0f a second\n", count, now() - start, (double)count / (now() - start));
    close(s.fd);
    return 0;
}
