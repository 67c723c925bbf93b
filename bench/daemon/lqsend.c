/*
 * lqsend.c - sends syslog messages at a rate: lqsend udp|tcp PORT COUNT PER-SECOND [FILE of lines]
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

enum { LINE_MAX_BYTES = 4096 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc < 5 || (strcmp(argv[1], "udp") != 0 && strcmp(argv[1], "tcp") != 0)) {
        fputs("usage: lqsend udp|tcp PORT COUNT PER-SECOND [FILE]\n", stderr);
        return 2;
    }
    int udp = argv[1][0] == 'u';
    long count = atol(argv[3]), rate = atol(argv[4]);
    FILE *in = argc > 5 ? fopen(argv[5], "r") : NULL;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2])), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, udp ? SOCK_DGRAM : SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
        perror("connect");
        return 3;
    }
    char line[LINE_MAX_BYTES];
    double start = now();
    for (long i = 0; i < count; i++) {
        if (in == NULL || fgets(line, sizeof line, in) == NULL) {
            snprintf(line, sizeof line, "<190>Mar  2 10:00:00 web-1 shop: order %ld of customer %ld took %ld ms and everything about it went well so far, "
                     "as far as anybody can tell from here, in region eu-central-1\n", i, i % 1000, i % 97);
        }
        size_t n = strlen(line);
        for (size_t at = 0; at < n;) {
            ssize_t sent = send(fd, line + at, n - at, 0);
            if (sent < 0) {
                perror("send");
                return 3;
            }
            at += (size_t)sent;
        }
        while ((i & 31) == 0 && (double)i / (double)rate > now() - start) {
            struct timespec t = {0, 100000};
            nanosleep(&t, NULL);
        }
    }
    fprintf(stderr, "  sent %ld in %.1f s: %.0f a second\n", count, now() - start, (double)count / (now() - start));
    close(fd);
    return 0;
}
