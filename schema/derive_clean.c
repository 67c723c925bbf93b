/*
 * derive_clean.c - any bytes to valid UTF-8, a version to itself alone (derive.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/derive.h"

/* Length of the valid UTF-8 sequence at p (RFC 3629), 0 if there is none. */
static size_t utf8_len(const unsigned char *p, size_t n)
{
    if (p[0] < 0x80) {
        return 1;
    }
    size_t len = p[0] >= 0xc2 && p[0] <= 0xdf ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : 0;
    if (len == 0 || len > n) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool bad = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f);
    return bad ? 0 : len;
}

/* Are eight bytes all printable ASCII? Below 0x20 the subtraction borrows, 0x7f carries; what a borrow does to the byte above does not matter: the answer is no already. */
static bool plain8(const char *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
    return ((x | (x + 0x0101010101010101ULL) | (x - 0x2020202020202020ULL)) & 0x8080808080808080ULL) == 0;
}

lq_str derive_clean(lq_str s, char *scratch, size_t cap)
{
    static const char hex[] = "0123456789abcdef";
    size_t i = 0, n = 0;
    if (s.n <= cap) {
        while (i + 8 <= s.n && plain8(s.p + i)) {
            i += 8;
        }
        while (i < s.n && (unsigned char)s.p[i] >= 0x20 && (unsigned char)s.p[i] < 0x7f) {
            i++;
        }
        if (i == s.n) {
            return s;
        }
    }
    LQ_ASSERT(cap >= 8);
    size_t keep = 0; /* where to cut, with room for the "…", should the whole not fit */
    for (i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t len = utf8_len((const unsigned char *)s.p + i, s.n - i);
        bool escape = len == 0 || (c < 0x20 && c != '\t') || c == 0x7f;
        size_t need = escape ? 4 : len;
        keep = n <= cap - 3 ? n : keep;
        if (n + need > cap) {
            memcpy(scratch + keep, "…", 3);
            n = keep + 3;
            break;
        }
        if (escape) {
            scratch[n] = '\\';
            scratch[n + 1] = 'x';
            scratch[n + 2] = hex[c >> 4];
            scratch[n + 3] = hex[c & 15];
        } else {
            memcpy(scratch + n, s.p + i, len);
        }
        n += need;
        i += escape ? 1 : len;
    }
    return (lq_str){scratch, n};
}

lq_str derive_version(lq_str v)
{
    while (v.n > 1) {
        char last = v.p[v.n - 1];
        if (last != ',' && last != ';' && (last != ')' || memchr(v.p, '(', v.n) != NULL)) {
            break;
        }
        v.n--;
    }
    return v;
}
