/*
 * mask.c - personal data and secrets out of texts (mask.h)
 *
 * One pass. Each word - where a letter or digit follows something else - is offered to the finders in turn; what one of them claims is replaced, all else is
 * copied. A finder says how many bytes in front of its value stay (password=) and how long the value is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/mask.h"

#include <ctype.h>

#include "schema/derive.h"

enum { EMAIL_LOCAL_MAX = 64, CARD_MIN = 13, CARD_MAX = 19, PREFIXED_MIN = 16, JWT_MIN = 20 };

/* ---- SipHash-2-4 ---- */

static uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

static uint64_t le64(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--) {
        v = v << 8 | p[i];
    }
    return v;
}

static void sip_rounds(uint64_t v[4], int n)
{
    for (int i = 0; i < n; i++) {
        v[0] += v[1], v[1] = rotl(v[1], 13) ^ v[0], v[0] = rotl(v[0], 32);
        v[2] += v[3], v[3] = rotl(v[3], 16) ^ v[2];
        v[0] += v[3], v[3] = rotl(v[3], 21) ^ v[0];
        v[2] += v[1], v[1] = rotl(v[1], 17) ^ v[2], v[2] = rotl(v[2], 32);
    }
}

uint64_t siphash(const uint8_t key[MASK_KEY_BYTES], const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint64_t k0 = le64(key), k1 = le64(key + 8), last = (uint64_t)n << 56;
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573};
    for (size_t i = 0; i + 8 <= n; i += 8) {
        uint64_t m = le64(p + i);
        v[3] ^= m;
        sip_rounds(v, 2);
        v[0] ^= m;
    }
    for (size_t i = 0; i < n % 8; i++) {
        last |= (uint64_t)p[n - n % 8 + i] << (8 * i);
    }
    v[3] ^= last;
    sip_rounds(v, 2);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- what people write ---- */

static const char *const kind_names[] = {"email", "token", "card", "ip", "all"};

enum lq_err mask_parse(lq_str list, unsigned *kinds, struct lq_error *e)
{
    unsigned bits = 0;
    for (const char *p = list.p, *end = list.p + list.n; p <= end;) {
        const char *comma = p < end ? memchr(p, ',', (size_t)(end - p)) : NULL;
        lq_str word = {p, (size_t)((comma != NULL ? comma : end) - p)};
        unsigned bit = 0;
        for (unsigned i = 0; i < 5; i++) {
            bit = lq_str_is(word, kind_names[i]) ? (i == 4 ? MASK_ALL : 1U << i) : bit;
        }
        if (bit == 0) {
            const char *near = word.n > 0 ? lq_nearest(word.p, word.n, kind_names, 5) : NULL;
            lq_error_set(e, LQ_EINVAL, "\"%.*s\" is nothing that can be masked", (int)(word.n < 60 ? word.n : 60), word.p);
            lq_error_hint(e, "%s%s%semail, token, card, ip (with commas between), or all", near != NULL ? "did you mean " : "", near != NULL ? near : "", near != NULL ? "? " : "");
            return LQ_EINVAL;
        }
        bits |= bit;
        p += word.n + 1;
    }
    *kinds = bits;
    return LQ_OK;
}

enum lq_err mask_key_parse(lq_str hex, uint8_t key[MASK_KEY_BYTES], struct lq_error *e)
{
    while (hex.n > 0 && (hex.p[hex.n - 1] == '\n' || hex.p[hex.n - 1] == '\r' || hex.p[hex.n - 1] == ' ')) {
        hex.n--;
    }
    for (size_t i = 0; i < 2 * MASK_KEY_BYTES; i++) {
        int c = i < hex.n ? tolower((unsigned char)hex.p[i]) : 0, v = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (v < 0 || hex.n != 2 * MASK_KEY_BYTES) {
            lq_error_set(e, LQ_EINVAL, "a key for masking has 32 hexadecimal digits");
            lq_error_hint(e, "make one: head -c16 /dev/urandom | xxd -p");
            return LQ_EINVAL;
        }
        key[i / 2] = (uint8_t)(i % 2 == 0 ? v << 4 : key[i / 2] | v);
    }
    return LQ_OK;
}

/* ---- finders: the value at p, or false ---- */

struct found {
    size_t keep, n;          /* bytes before the value that stay; the value */
    char canonical[320];     /* what is hashed: one spelling of it */
    size_t canonical_n;
    enum mask_kind kind;
};

static bool word(unsigned char c)
{
    return isalnum(c) != 0 || c == '_' || c >= 0x80;
}

static void canonical(struct found *f, const char *p, size_t n, bool lower)
{
    f->canonical_n = n < sizeof f->canonical ? n : sizeof f->canonical;
    for (size_t i = 0; i < f->canonical_n; i++) {
        f->canonical[i] = lower ? (char)tolower((unsigned char)p[i]) : p[i];
    }
}

/* The length of a host name with a dot at p; 0: none. */
static size_t domain(const char *p, const char *end)
{
    const char *q = p, *label = p;
    size_t dots = 0;
    while (q < end && (isalnum((unsigned char)*q) != 0 || *q == '-' || (*q == '.' && q > label && q + 1 < end && isalnum((unsigned char)q[1]) != 0) || (unsigned char)*q >= 0x80)) {
        dots += *q == '.';
        label = *q == '.' ? q + 1 : label;
        q++;
    }
    return dots > 0 && q - label >= 2 ? (size_t)(q - p) : 0;
}

static bool email(const char *p, const char *end, struct found *f)
{
    const char *q = p, *at = NULL;
    size_t width = 0;
    while (q < end && q - p < EMAIL_LOCAL_MAX && (word((unsigned char)*q) || strchr(".%+-'!#$&*/=?^`{|}~", *q) != NULL) && *q != '\0') {
        if (q > p && end - q > 3 && memcmp(q, "%40", 3) == 0) {
            at = q;
            width = 3;
            break;
        }
        q++;
    }
    if (at == NULL && q > p && q < end && *q == '@') {
        at = q;
        width = 1;
    }
    size_t n = at != NULL ? domain(at + width, end) : 0;
    if (n == 0) {
        return false;
    }
    for (const char *s = at; s > p; s--) { /* a=b@host: the address begins behind what cannot be meant to belong to it */
        if (strchr("=/&?{|#*`$^", s[-1]) != NULL) {
            f->keep = (size_t)(s - p);
            break;
        }
    }
    f->n = (size_t)(at - p) + width + n - f->keep;
    f->kind = MASK_EMAIL;
    if (f->n == width + n) {
        return false; /* nothing before the @ */
    }
    canonical(f, p + f->keep, f->n, true);
    if (width == 3 && f->canonical_n == f->n) { /* %40 is @ */
        size_t i = (size_t)(at - p) - f->keep;
        f->canonical[i] = '@';
        memmove(f->canonical + i + 1, f->canonical + i + 3, f->canonical_n - i - 3);
        f->canonical_n -= 2;
    }
    return true;
}

static bool luhn(const char *digits, size_t n)
{
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned d = (unsigned)(digits[n - 1 - i] - '0') * (i % 2 == 1 ? 2 : 1);
        sum += d > 9 ? d - 9 : d;
    }
    return sum % 10 == 0;
}

static bool card(const char *p, const char *end, struct found *f)
{
    const char *q = p, *stop = p;
    size_t n = 0, group = 0;
    if (*p < '2' || *p > '6') {
        return false;
    }
    for (; q < end && n <= CARD_MAX; q++) {
        if (isdigit((unsigned char)*q) != 0) {
            f->canonical[n++] = *q;
            group++;
            stop = q + 1;
        } else if ((*q == ' ' || *q == '-' || *q == '+') && group >= 4 && group <= 6 && q + 1 < end && isdigit((unsigned char)q[1]) != 0) {
            group = 0;
        } else {
            break;
        }
    }
    if (n < CARD_MIN || n > CARD_MAX || (stop < end && word((unsigned char)*stop)) || !luhn(f->canonical, n)) {
        return false;
    }
    f->canonical_n = n;
    f->n = (size_t)(stop - p);
    f->kind = MASK_CARD;
    return true;
}

static bool ip(const char *p, const char *end, struct found *f)
{
    const char *q = p;
    size_t colons = 0, dots = 0;
    while (q < end && q - p < 46 && (isxdigit((unsigned char)*q) != 0 || *q == ':' || *q == '.')) {
        colons += *q == ':';
        dots += *q == '.';
        q++;
    }
    if (dots >= 3 && colons <= 1) { /* v4, perhaps with a port */
        const char *colon = memchr(p, ':', (size_t)(q - p));
        q = colon != NULL ? colon : q;
    }
    while (q > p && (q[-1] == '.' || (q[-1] == ':' && !(q - p >= 2 && q[-2] == ':')))) {
        q--;
    }
    bool whole = q == end || (!word((unsigned char)*q) && !(*q == '-' && q + 1 < end && word((unsigned char)q[1])));
    uint8_t a[16];
    if ((dots < 3 && colons < 2) || !whole || !address_parse((lq_str){p, (size_t)(q - p)}, a)) {
        return false;
    }
    memcpy(f->canonical, a, sizeof a);
    f->canonical_n = sizeof a;
    f->n = (size_t)(q - p);
    f->kind = MASK_IP;
    return true;
}

static bool ends_with(const char *p, size_t n, const char *low)
{
    size_t k = strlen(low);
    return n >= k && strncasecmp(p + n - k, low, k) == 0;
}

static bool secret_name(const char *p, size_t n, bool *line)
{
    static const char *const names[] = {"password", "passwd",   "passphrase", "pwd",       "secret",      "token",       "apikey",     "api_key",   "api-key",
                                        "access_key", "access-key", "authorization", "sessionid", "session_id", "session-id", "jsessionid", "phpsessid", "credential", "credentials",
                                        "private_key", "signature"};
    *line = ends_with(p, n, "cookie");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (ends_with(p, n, names[i])) {
            return true;
        }
    }
    return *line;
}

static const char *past(const char *q, const char *end, const char *set)
{
    while (q < end && *q != '\0' && strchr(set, *q) != NULL) {
        q++;
    }
    return q;
}

/* Behind "Bearer " and the like at q; q when there is none. */
static const char *past_scheme(const char *q, const char *end)
{
    static const char *const schemes[] = {"Bearer ", "Basic ", "Token ", "Digest ", "ApiKey "};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t n = strlen(schemes[i]);
        if ((size_t)(end - q) > n && strncasecmp(q, schemes[i], n) == 0) {
            return past(q + n, end, " ");
        }
    }
    return q;
}

/* The end of a value at q; quote: the one it began with, or 0. */
static const char *value_end(const char *q, const char *end, char quote, bool line)
{
    while (q < end && *q != '\n') {
        bool stop = quote != 0 ? *q == quote || (*q == '\\' && q + 1 < end && q[1] == quote) : line ? *q == '"' : strchr(" \t,;&\"'<>)}]", *q) != NULL && *q != '\0';
        if (stop) {
            break;
        }
        q++;
    }
    return q;
}

/* NAME = VALUE, NAME: "VALUE", \"NAME\":\"VALUE\", Authorization: Bearer VALUE */
static bool named_secret(const char *p, const char *end, struct found *f)
{
    const char *q = p;
    bool line;
    while (q < end && (word((unsigned char)*q) || *q == '-' || *q == '.')) {
        q++;
    }
    if (!secret_name(p, (size_t)(q - p), &line)) {
        return false;
    }
    q = past(q, end, "\\\"'] ");
    const char *sign = q;
    q = past(q, end, "=:>");
    if (end - sign >= 3 && strncasecmp(sign, "%3D", 3) == 0) {
        q = sign + 3;
    }
    if (q == sign) {
        return false;
    }
    q = past(q, end, " ");
    char quote = 0;
    if (q < end && *q == '\\') {
        q++;
    }
    if (q < end && (*q == '"' || *q == '\'')) {
        quote = *q++;
    }
    q = past_scheme(q, end);
    const char *stop = value_end(q, end, quote, line);
    if (stop == q || (stop - q >= 3 && memcmp(q, "<*>", 3) == 0)) {
        return false;
    }
    f->keep = (size_t)(q - p);
    f->n = (size_t)(stop - q);
    f->kind = MASK_TOKEN;
    canonical(f, q, f->n, false);
    return true;
}

/* Values that show what they are: Bearer VALUE, JSON Web Tokens, keys of well-known makers. */
static bool known_secret(const char *p, const char *end, struct found *f)
{
    static const char *const prefixes[] = {"eyJ", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "sk_live_", "sk_test_", "rk_live_", "xoxb-", "xoxp-",
                                           "xoxa-", "AKIA", "ASIA", "AIza", "sk-", "hf_", "npm_"};
    const char *from = past_scheme(p, end), *q = from;
    bool known = false, jwt = false;
    size_t dots = 0;
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0] && from == p; i++) {
        size_t n = strlen(prefixes[i]);
        if ((size_t)(end - p) > n && memcmp(p, prefixes[i], n) == 0) {
            known = true;
            jwt = i == 0;
        }
    }
    if (!known && from == p) {
        return false;
    }
    while (q < end && (isalnum((unsigned char)*q) != 0 || strchr("_-.+/=~", *q) != NULL) && *q != '\0') {
        dots += *q == '.';
        q++;
    }
    size_t n = (size_t)(q - from);
    if (n < (jwt ? (size_t)JWT_MIN : known ? (size_t)PREFIXED_MIN : 8) || (jwt && dots == 0)) {
        return false;
    }
    f->keep = (size_t)(from - p);
    f->n = n;
    f->kind = MASK_TOKEN;
    canonical(f, from, n, false);
    return true;
}

/* scheme://USER:PASSWORD@host */
static bool url_secret(const char *p, const char *end, struct found *f)
{
    const char *q = p;
    while (q < end && isalpha((unsigned char)*q) != 0) {
        q++;
    }
    if (end - q < 4 || memcmp(q, "://", 3) != 0) {
        return false;
    }
    const char *from = q + 3, *at = from;
    bool colon = false;
    while (at < end && *at != '@' && *at != '/' && *at != ' ' && *at != '"' && *at != '?') {
        colon = colon || *at == ':';
        at++;
    }
    if (at == end || *at != '@' || !colon || at == from) {
        return false;
    }
    f->keep = (size_t)(from - p);
    f->n = (size_t)(at - from);
    f->kind = MASK_TOKEN;
    canonical(f, from, f->n, false);
    return true;
}

static bool find(unsigned kinds, const char *p, const char *end, struct found *f)
{
    unsigned char c = (unsigned char)*p;
    f->keep = 0;
    return ((kinds & MASK_TOKEN) != 0 && (isalpha(c) != 0) && (known_secret(p, end, f) || url_secret(p, end, f) || named_secret(p, end, f))) ||
           ((kinds & MASK_CARD) != 0 && isdigit(c) != 0 && card(p, end, f)) || ((kinds & MASK_IP) != 0 && (isxdigit(c) != 0 || c == ':') && ip(p, end, f)) ||
           ((kinds & MASK_EMAIL) != 0 && word(c) && email(p, end, f));
}

/* ---- the pass ---- */

struct output {
    char *p;
    size_t n, cap;
    bool full;
};

static void put(struct output *o, const char *p, size_t n)
{
    size_t fits = o->full ? 0 : n < o->cap - o->n ? n : o->cap - o->n;
    if (fits > 0) {
        memcpy(o->p + o->n, p, fits);
    }
    o->n += fits;
    o->full = o->full || fits < n;
}

static void put_name(struct output *o, const struct masker *m, const struct found *f)
{
    char name[MASK_NAME_BYTES_MAX];
    unsigned kind = f->kind == MASK_EMAIL ? 0 : f->kind == MASK_TOKEN ? 1 : f->kind == MASK_CARD ? 2 : 3;
    int n = snprintf(name, sizeof name, "%s-%012llx", kind_names[kind], (unsigned long long)(siphash(m->key, f->canonical, f->canonical_n) >> 16));
    if (o->cap - o->n < (size_t)n) {
        o->full = true;
    }
    put(o, name, (size_t)n);
}

lq_str mask_text(const struct masker *m, unsigned kinds, lq_str in, char *scratch, size_t cap)
{
    struct output o = {scratch, 0, cap, false};
    struct found f;
    const char *p = in.p, *end = in.p + in.n, *copied = in.p;
    bool any = false;
    while (p < end && !o.full) {
        unsigned char before = p > in.p ? (unsigned char)p[-1] : ' ', c = (unsigned char)*p;
        bool starts = (word(c) && !word(before) && before != '.' && !(before == '-' && p - in.p >= 2 && word((unsigned char)p[-2]))) ||
                      (c == ':' && !word(before) && before != ':' && end - p > 2 && p[1] == ':');
        if (!starts || !find(kinds, p, end, &f)) {
            p++;
            continue;
        }
        any = true;
        put(&o, copied, (size_t)(p - copied) + f.keep);
        put_name(&o, m, &f);
        p += f.keep + f.n;
        copied = p;
    }
    if (!any) {
        return in;
    }
    put(&o, copied, (size_t)(end - copied));
    return (lq_str){scratch, o.n};
}
