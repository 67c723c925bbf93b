/*
 * rate.c - buckets of tokens by address (rate.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/http/rate.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { SLOTS = 1024, WAYS = 4, BURST_S = 2, SECOND_US = 1000000 };

struct slot {
    uint64_t key; /* 0 = free */
    int64_t at_us;
    double tokens;
};
struct http_rate {
    unsigned per_second;
    struct slot slots[SLOTS];
};

struct http_rate *http_rate_new(unsigned per_second)
{
    struct http_rate *r = lq_alloc(sizeof *r);
    r->per_second = per_second;
    return r;
}

void http_rate_free(struct http_rate **r)
{
    free(*r);
    *r = NULL;
}

/* 0: not limited. */
static uint64_t key_of(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET) {
        const struct in_addr *v4 = &((const struct sockaddr_in *)(const void *)a)->sin_addr;
        return ntohl(v4->s_addr) >> 24 == 127 ? 0 : lq_hash(v4, sizeof *v4, 4) | 1;
    }
    if (a->sa_family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
        bool mapped = IN6_IS_ADDR_V4MAPPED(v6);
        return IN6_IS_ADDR_LOOPBACK(v6) || (mapped && v6->s6_addr[12] == 127) ? 0 : lq_hash(v6, mapped ? 16 : 8, 6) | 1;
    }
    return 0;
}

static struct slot *slot_of(struct http_rate *r, uint64_t key, int64_t now_us)
{
    struct slot *set = &r->slots[key / 2 % (SLOTS / WAYS) * WAYS], *oldest = set;
    for (int i = 0; i < WAYS; i++) {
        if (set[i].key == key) {
            return &set[i];
        }
        oldest = set[i].at_us < oldest->at_us ? &set[i] : oldest;
    }
    *oldest = (struct slot){key, now_us, (double)r->per_second * BURST_S};
    return oldest;
}

bool http_rate_take(struct http_rate *r, const struct sockaddr *from, int64_t now_us, unsigned *wait_s)
{
    uint64_t key = key_of(from);
    if (key == 0) {
        return true;
    }
    struct slot *s = slot_of(r, key, now_us);
    double most = (double)r->per_second * BURST_S;
    s->tokens += (double)(now_us - s->at_us) / SECOND_US * r->per_second;
    s->tokens = s->tokens > most ? most : s->tokens;
    s->at_us = now_us;
    if (s->tokens < 1) {
        *wait_s = 1;
        return false;
    }
    s->tokens -= 1;
    return true;
}
