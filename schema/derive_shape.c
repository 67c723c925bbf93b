/*
 * derive_shape.c - the masked shape of a message (derive.h)
 *
 * A message is cut into tokens at blanks and at the brackets and punctuation around words; one pass gathers what a token holds. What varies, and is
 * masked: tokens with a digit (whatever letters are around it: node12, broadcast_9, 0x1f, 5.2ms), addresses, paths, URLs, dotted names of three parts and
 * more (hosts, classes, packages), quoted strings, names of days and months beside a number, the unit behind a number, and values joined to a name: Name(123), and that of key=value
 * with the bracket that follows it. What each rule is worth, and to how many of the six labelled systems of bench/templates.c: schema/README.md.
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/derive.h"

#define MASK "<*>"

enum { C_SEPARATOR = 1, C_DIGIT = 2, C_SLASH = 4, C_DOT = 8, C_AT = 16, C_COLON = 32, C_UPPER = 64, QUOTED_MAX = 100 };

#define S C_SEPARATOR
#define D C_DIGIT
#define U C_UPPER
static const uint8_t class_of[256] = {
    /* by byte, 16 a row; those over 127 are letters */
    S, S, S, S, S, S, S, S, S, S, S, S, S, S, S, S,
    S, S, S, S, S, S, S, S, S, S, S, S, S, S, S, S,
    S, 0, S, 0, 0, 0, 0, S, S, S, 0, 0, S, 0, C_DOT, C_SLASH,
    D, D, D, D, D, D, D, D, D, D, C_COLON, S, S, S, S, 0,
    C_AT, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U,
    U, U, U, U, U, U, U, U, U, U, U, S, 0, S, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, S, S, S, 0, S,
};
#undef S
#undef D
#undef U

struct shaper {
    char *out;
    size_t n;
    bool full;
};

static inline void emit(struct shaper *s, const char *p, size_t n)
{
    if (s->full || s->n + n > SHAPE_BYTES_MAX) {
        s->full = true;
        return;
    }
    for (size_t i = 0; i < n; i++) { /* a few bytes: no call */
        s->out[s->n + i] = p[i];
    }
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

static bool is_alpha(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}

/* Mon … Sun, Jan … Dec. */
static bool is_date_word(const char *p, size_t n)
{
    static const char words[] = "MonTueWedThuFriSatSunJanFebMarAprMayJunJulAugSepOctNovDec";
    if (n != 3) {
        return false;
    }
    for (size_t i = 0; i + 3 < sizeof words; i += 3) {
        if (words[i] == p[0] && words[i + 1] == p[1] && words[i + 2] == p[2]) {
            return true;
        }
    }
    return false;
}

/* What becomes one space in the shape. */
static bool is_blank(unsigned char c)
{
    return c <= ' ' || c == 0x7f;
}

/* The word at p is a day or month, and a number or another such word follows. */
static bool in_date(const char *p, size_t n, const char *end)
{
    const char *q = p + n;
    while (q < end && is_blank((unsigned char)*q)) {
        q++;
    }
    return q > p + n && q < end && is_date_word(p, n) && ((class_of[(unsigned char)*q] & C_DIGIT) != 0 || (end - q >= 3 && is_date_word(q, 3)));
}

static bool varies(const char *p, size_t n, unsigned has)
{
    if ((has & C_DIGIT) != 0) {
        return true;
    }
    if ((has & (C_AT | C_SLASH | C_DOT)) == 0) {
        return false;
    }
    size_t slashes = 0, dots = 0, at = 0;
    for (size_t i = 0; i < n; i++) {
        slashes += p[i] == '/';
        dots += p[i] == '.' && i > 0 && i + 1 < n && p[i - 1] != '.' && p[i + 1] != '.';
        at += p[i] == '@';
    }
    return (at > 0 && n > 3) || (p[0] == '/' && slashes >= 2) || (slashes >= 2 && (has & C_COLON) != 0) || dots >= 2;
}

/* A token without its closing punctuation (. : ! ?), which is kept. */
static void emit_token(struct shaper *s, const char *p, size_t n, unsigned has, const char *end)
{
    size_t tail = 0;
    while (tail < n && (p[n - tail - 1] == '.' || p[n - tail - 1] == ':' || p[n - tail - 1] == '!' || p[n - tail - 1] == '?')) {
        tail++;
    }
    size_t body = n - tail;
    if (body > 0 && (varies(p, body, has) || ((has & C_UPPER) != 0 && tail == 0 && body == 3 && in_date(p, n, end)))) {
        emit_mask(s);
    } else {
        emit(s, p, body);
    }
    emit(s, p + body, tail);
}

/* Length of a quoted string at p (with both quotes), 0 if it does not close within QUOTED_MAX bytes, or is an apostrophe. */
static size_t quoted(const char *start, const char *p, const char *end)
{
    if (*p == '\'' && p > start && is_alpha((unsigned char)p[-1])) {
        return 0;
    }
    size_t room = (size_t)(end - p) > QUOTED_MAX ? QUOTED_MAX : (size_t)(end - p);
    const char *close = memchr(p + 1, *p, room > 1 ? room - 1 : 0);
    return close != NULL && close > p + 1 ? (size_t)(close - p) + 1 : 0;
}

/* Behind the value that began at p and ended at q: also behind a bracket that follows it at once (Rect(0,0 - 7,9)). */
static const char *behind_value(const char *p, const char *q, const char *end)
{
    const char *open = q < end && q > p ? strchr("([{", *q) : NULL;
    if (open == NULL || *q == '\0') {
        return q;
    }
    char close = *q == '(' ? ')' : *q == '[' ? ']' : '}';
    size_t depth = 0;
    for (const char *r = q; r < end && r < q + QUOTED_MAX; r++) {
        depth += *r == *q;
        if (*r == close && --depth == 0) {
            return r + 1;
        }
    }
    return q;
}

/* Behind the unit of the number that ended at q ("5.2 KB", "17 ms"); q when there is none. */
static const char *behind_unit(const char *q, const char *end)
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "kB", "ms", "us", "ns", "s", "sec", "secs", "bytes"};
    if (q == end || *q != ' ') {
        return q;
    }
    const char *from = q + 1, *p = from;
    while (p < end && p - from < 6 && is_alpha((unsigned char)*p)) {
        p++;
    }
    size_t n = (size_t)(p - from);
    for (size_t i = 0; i < sizeof units / sizeof units[0] && n > 0; i++) {
        if (units[i][0] == *from && strlen(units[i]) == n && memcmp(units[i], from, n) == 0) {
            return p == end || !(class_of[(unsigned char)*p] & C_DIGIT) ? p : q;
        }
    }
    return q;
}

/* Name(123): a thing and its number, with a capital first letter so that failed(13) stays. Behind it, or q. */
static const char *behind_number(const char *p, const char *q, const char *end)
{
    if (q == end || *q != '(' || (class_of[(unsigned char)*p] & C_UPPER) == 0) {
        return q;
    }
    const char *r = q + 1;
    while (r < end && (class_of[(unsigned char)*r] & C_DIGIT) != 0) {
        r++;
    }
    return r > q + 1 && r < end && *r == ')' ? r + 1 : q;
}

/* A value that a program joins to a name without a blank: name=value, Name(1). The token at p ended at q: behind the value, NULL when there is none. */
static const char *behind_joined(const char *start, const char *p, const char *q, const char *end)
{
    if (p > start && p[-1] == '=') {
        return behind_value(p, q, end);
    }
    const char *numbered = behind_number(p, q, end);
    return numbered > q ? numbered : NULL;
}

lq_str derive_shape(lq_str m, char scratch[SHAPE_BYTES_MAX + 8])
{
    struct shaper s = {scratch, 0, false};
    const char *p = m.p, *nl = m.n > 0 ? memchr(p, '\n', m.n) : NULL, *end = nl != NULL ? nl : m.p + m.n;
    while (p < end && !s.full) {
        unsigned char c = (unsigned char)*p;
        if ((class_of[c] & C_SEPARATOR) == 0) {
            const char *q = p;
            unsigned has = 0, k;
            while (q < end && ((k = class_of[(unsigned char)*q]) & C_SEPARATOR) == 0) {
                has |= k;
                q++;
            }
            const char *joined = behind_joined(m.p, p, q, end);
            if (joined != NULL) {
                emit_mask(&s);
                p = joined;
                continue;
            }
            emit_token(&s, p, (size_t)(q - p), has, end);
            p = (has & C_DIGIT) != 0 && (class_of[(unsigned char)*p] & C_DIGIT) != 0 ? behind_unit(q, end) : q;
            continue;
        }
        if (c == '<' && end - p >= 3 && memcmp(p, MASK, 3) == 0) {
            emit_mask(&s);
            p += 3;
            continue;
        }
        size_t n = c == '"' || c == '\'' ? quoted(m.p, p, end) : 0;
        if (n > 0) {
            emit_mask(&s);
            p += n;
            continue;
        }
        bool blank = is_blank(c);
        if (!(blank && (s.n == 0 || s.out[s.n - 1] == ' '))) {
            emit(&s, blank ? " " : p, 1);
        }
        p++;
    }
    while (s.n > 0 && s.out[s.n - 1] == ' ') {
        s.n--;
    }
    if (s.full) {
        memcpy(s.out + s.n, "…", 3);
        s.n += 3;
    }
    return (lq_str){scratch, s.n};
}
