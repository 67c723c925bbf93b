/*
 * derive_shape.c - the masked shape of a message, and clean UTF-8 (derive.h)
 *
 * A message is cut into tokens at blanks and at the brackets and punctuation around words. A token that contains a digit varies, and is masked, unless
 * the digit belongs to a word that names a thing (http2, utf8: letters, then one or two digits, nothing else). Quoted strings,
 * paths, URLs and addresses vary too. key=value keeps its key.
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/derive.h"

#define MASK "<*>"

struct shaper {
    char *out;
    size_t n;
    bool full;
};

static void emit(struct shaper *s, const char *p, size_t n)
{
    if (s->full || s->n + n > SHAPE_BYTES_MAX) {
        s->full = true;
        return;
    }
    memcpy(s->out + s->n, p, n);
    s->n += n;
}

/* A mask; one that follows another mask and only a blank or comma is not repeated. */
static void emit_mask(struct shaper *s)
{
    size_t n = s->n;
    while (n > 0 && (s->out[n - 1] == ' ' || s->out[n - 1] == ',')) {
        n--;
    }
    if (n >= 3 && memcmp(s->out + n - 3, MASK, 3) == 0) {
        s->n = n;
        return;
    }
    emit(s, MASK, 3);
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}

static bool is_separator(char c)
{
    return c == ' ' || c == '\t' || strchr("()[]{}<>,;=\"'|", c) != NULL;
}

/* Letters and then at most two digits, or no digit at all. */
static bool names_a_thing(const char *p, size_t n)
{
    size_t i = 0, tail = 0;
    while (i < n && (is_alpha((unsigned char)p[i]) || p[i] == '_')) {
        i++;
    }
    if (i < 2) {
        return false;
    }
    while (i + tail < n && is_digit((unsigned char)p[i + tail])) {
        tail++;
    }
    return tail <= 1 && i + tail == n;
}

static bool all_hex(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_digit((unsigned char)p[i]) && !(p[i] >= 'a' && p[i] <= 'f') && !(p[i] >= 'A' && p[i] <= 'F')) {
            return false;
        }
    }
    return true;
}

static bool varies(const char *p, size_t n)
{
    size_t digits = 0, slashes = 0;
    for (size_t i = 0; i < n; i++) {
        digits += is_digit((unsigned char)p[i]);
        slashes += p[i] == '/';
    }
    if (digits > 0) {
        return !names_a_thing(p, n);
    }
    if (memchr(p, '@', n) != NULL && n > 3) {
        return true;
    }
    return (p[0] == '/' && slashes >= 2) || (n > 8 && memmem(p, n, "://", 3) != NULL) || (n >= 12 && all_hex(p, n));
}

/* A token without its closing punctuation (. : ! ?), which is kept. */
static void emit_token(struct shaper *s, const char *p, size_t n)
{
    size_t tail = 0;
    while (tail < n && strchr(".:!?", p[n - tail - 1]) != NULL) {
        tail++;
    }
    size_t body = n - tail;
    if (body > 0 && varies(p, body)) {
        emit_mask(s);
    } else {
        emit(s, p, body);
    }
    emit(s, p + body, tail);
}

/* Length of a quoted string at p (with both quotes), 0 if it does not close within 100 bytes, or is an apostrophe. */
static size_t quoted(const char *start, const char *p, const char *end)
{
    if (*p == '\'' && p > start && is_alpha((unsigned char)p[-1])) {
        return 0;
    }
    size_t room = (size_t)(end - p) > 100 ? 100 : (size_t)(end - p);
    const char *close = memchr(p + 1, *p, room > 1 ? room - 1 : 0);
    return close != NULL && close > p + 1 ? (size_t)(close - p) + 1 : 0;
}

lq_str derive_shape(lq_str m, char scratch[SHAPE_BYTES_MAX + 8])
{
    struct shaper s = {scratch, 0, false};
    const char *p = m.p, *end = m.p + m.n;
    const char *nl = m.n > 0 ? memchr(p, '\n', m.n) : NULL;
    end = nl != NULL ? nl : end;
    while (p < end && !s.full) {
        if (end - p >= 3 && memcmp(p, MASK, 3) == 0) {
            emit_mask(&s);
            p += 3;
            continue;
        }
        if (*p == '"' || *p == '\'') {
            size_t n = quoted(m.p, p, end);
            if (n > 0) {
                emit_mask(&s);
                p += n;
                continue;
            }
        }
        if (is_separator(*p)) {
            bool blank = *p == '\t' || *p == ' ' || (unsigned char)*p < 0x20;
            if (!(blank && s.n > 0 && s.out[s.n - 1] == ' ') && !(blank && s.n == 0)) {
                emit(&s, blank ? " " : p, 1);
            }
            p++;
            continue;
        }
        const char *q = p;
        while (q < end && !is_separator(*q)) {
            q++;
        }
        emit_token(&s, p, (size_t)(q - p));
        p = q;
    }
    while (s.n > 0 && s.out[s.n - 1] == ' ') {
        s.n--;
    }
    if (s.full) {
        memcpy(s.out + s.n, "…", 3);
        s.n += 3;
    }
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.out[i] < 0x20 || s.out[i] == 0x7f) {
            s.out[i] = '?';
        }
    }
    return (lq_str){scratch, s.n};
}

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

lq_str derive_clean(lq_str s, char *scratch, size_t cap)
{
    static const char hex[] = "0123456789abcdef";
    size_t i = 0, n = 0;
    if (s.n <= cap) {
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
