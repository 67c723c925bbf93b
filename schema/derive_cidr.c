/*
 * derive_cidr.c - addresses to labels by longest prefix (derive.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "schema/derive.h"

struct cidr_rule {
    uint8_t net[16];
    unsigned bits; /* of 128 */
    char label[64];
};
struct cidr_map {
    struct cidr_rule *rules; /* longest prefix first */
    size_t n, cap;
};

struct cidr_map *cidr_map_new(void)
{
    return lq_alloc(sizeof(struct cidr_map));
}

void cidr_map_free(struct cidr_map **m)
{
    if (*m != NULL) {
        free((*m)->rules);
        free(*m);
        *m = NULL;
    }
}

bool address_parse(lq_str s, uint8_t out[16])
{
    char text[64];
    struct in_addr v4;
    if (s.n == 0 || s.n >= sizeof text) {
        return false;
    }
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    if (inet_pton(AF_INET, text, &v4) == 1) {
        memset(out, 0, 10);
        out[10] = out[11] = 0xff;
        memcpy(out + 12, &v4, 4);
        return true;
    }
    struct in6_addr v6;
    if (inet_pton(AF_INET6, text, &v6) == 1) {
        memcpy(out, &v6, 16);
        return true;
    }
    return false;
}

static bool covers(const struct cidr_rule *r, const uint8_t a[16])
{
    unsigned bytes = r->bits / 8, rest = r->bits % 8;
    if (memcmp(r->net, a, bytes) != 0) {
        return false;
    }
    return rest == 0 || ((r->net[bytes] ^ a[bytes]) >> (8 - rest)) == 0;
}

enum lq_err cidr_map_add(struct cidr_map *m, lq_str cidr, lq_str label, struct lq_error *e)
{
    struct cidr_rule r = {{0}, 0, ""};
    if (!lq_str_is(cidr, "*")) {
        const char *slash = memchr(cidr.p, '/', cidr.n);
        lq_str addr = {cidr.p, slash != NULL ? (size_t)(slash - cidr.p) : cidr.n};
        unsigned bits = 0, given = 0;
        for (const char *p = slash != NULL ? slash + 1 : cidr.p + cidr.n; p < cidr.p + cidr.n && *p >= '0' && *p <= '9' && bits < 1000; p++) {
            bits = bits * 10 + (unsigned)(*p - '0');
            given++;
        }
        bool ok = address_parse(addr, r.net), v4 = ok && memchr(addr.p, ':', addr.n) == NULL;
        unsigned width = v4 ? 32 : 128;
        bits = slash == NULL ? width : bits;
        if (!ok || bits > width || (slash != NULL && given != cidr.n - addr.n - 1) || (slash != NULL && given == 0)) {
            lq_error_set(e, LQ_EINVAL, "\"%.*s\" is no network", (int)(cidr.n < 60 ? cidr.n : 60), cidr.p);
            lq_error_hint(e, "networks are like 10.0.0.0/8 or 2001:db8::/32; \"*\" is all the rest");
            return LQ_EINVAL;
        }
        r.bits = v4 ? bits + 96 : bits;
    }
    size_t n = label.n < sizeof r.label ? label.n : sizeof r.label - 1, i;
    memcpy(r.label, label.p, n);
    lq_grow(&m->rules, &m->cap, m->n + 1, sizeof *m->rules);
    for (i = m->n; i > 0 && m->rules[i - 1].bits < r.bits; i--) {
        m->rules[i] = m->rules[i - 1];
    }
    m->rules[i] = r;
    m->n++;
    return LQ_OK;
}

lq_str cidr_map_get(const struct cidr_map *m, lq_str address)
{
    uint8_t a[16];
    if (address_parse(address, a)) {
        for (size_t i = 0; i < m->n; i++) {
            if (covers(&m->rules[i], a)) {
                return lq_str_of(m->rules[i].label);
            }
        }
    }
    return (lq_str){"", 0};
}
