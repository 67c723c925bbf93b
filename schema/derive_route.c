/*
 * derive_route.c - request paths to routes, status classes, assets (derive.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/derive.h"

enum { SEGMENTS_MAX = 16 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool all_digits(lq_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_digit(s.p[i])) {
            return false;
        }
    }
    return s.n > 0;
}

static bool is_uuid(lq_str s)
{
    if (s.n != 36) {
        return false;
    }
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? s.p[i] != '-' : !is_hex(s.p[i])) {
            return false;
        }
    }
    return true;
}

/* Hex of 8 or more with a digit, or letters and digits mixed like base64 of 16 or more. */
static bool is_hash(lq_str s)
{
    size_t hex = 0, num = 0, upper = 0, lower = 0, other = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        hex += is_hex(c);
        num += is_digit(c);
        upper += c >= 'A' && c <= 'Z';
        lower += c >= 'a' && c <= 'z';
        other += !is_digit(c) && !is_alpha(c) && c != '_' && c != '-' && c != '=';
    }
    if (s.n >= 8 && hex == s.n && num > 0) {
        return true;
    }
    return s.n >= 16 && other == 0 && num >= 2 && num * 12 >= s.n && upper + lower > 0 && upper > 0 && lower > 0;
}

static bool is_date(lq_str s)
{
    if (s.n == 10 && s.p[4] == '-' && s.p[7] == '-') {
        return all_digits((lq_str){s.p, 4}) && all_digits((lq_str){s.p + 5, 2}) && all_digits((lq_str){s.p + 8, 2});
    }
    return s.n == 8 && all_digits(s) && (memcmp(s.p, "19", 2) == 0 || memcmp(s.p, "20", 2) == 0) && (s.p[4] == '0' || s.p[4] == '1') &&
           s.p[6] <= '3' && (s.p[4] == '0' || s.p[5] <= '2');
}

static bool is_ip(lq_str s)
{
    size_t dots = 0, run = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.') {
            dots++;
            if (run == 0) {
                return false;
            }
            run = 0;
        } else if (!is_digit(s.p[i]) || ++run > 3) {
            return false;
        }
    }
    return dots == 3 && run > 0;
}

static const char *segment_kind(lq_str s)
{
    if (s.n == 0) {
        return NULL;
    }
    if (is_date(s)) {
        return "{date}";
    }
    if (all_digits(s)) {
        return "{id}";
    }
    if (is_uuid(s)) {
        return "{uuid}";
    }
    if (is_ip(s)) {
        return "{ip}";
    }
    const char *at = memchr(s.p, '@', s.n);
    if (at != NULL && at > s.p && memchr(at, '.', (size_t)(s.p + s.n - at)) != NULL) {
        return "{email}";
    }
    return is_hash(s) ? "{hash}" : NULL;
}

/* name.3f9c2b1d.js: the hashed middle part of an asset's name; n = 0 if there is none. */
static lq_str hashed_part(lq_str s)
{
    const char *dot = memrchr(s.p, '.', s.n);
    if (dot == NULL || dot == s.p) {
        return (lq_str){s.p, 0};
    }
    const char *start = dot;
    while (start > s.p && start[-1] != '.' && start[-1] != '-' && start[-1] != '_') {
        start--;
    }
    lq_str part = {start, (size_t)(dot - start)};
    bool hex = part.n >= 8 && start > s.p;
    size_t num = 0;
    for (size_t i = 0; i < part.n; i++) {
        hex = hex && is_hex(part.p[i]);
        num += is_digit(part.p[i]);
    }
    return hex && num > 0 ? part : (lq_str){s.p, 0};
}

lq_str derive_path(lq_str t)
{
    const char *slashes = t.n > 8 && t.p[0] != '/' ? memmem(t.p, 9, "://", 3) : NULL;
    if (slashes != NULL) {
        const char *host = slashes + 3, *end = t.p + t.n;
        const char *slash = memchr(host, '/', (size_t)(end - host));
        t = slash != NULL ? (lq_str){slash, (size_t)(end - slash)} : LQ_STR("/");
    }
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] == '?' || t.p[i] == '#' || t.p[i] == ';') {
            t.n = i;
        }
    }
    return t;
}

/* Nothing to change: no digit, no "//", no '@', no control byte, few segments. The usual case. */
static bool plain(lq_str p)
{
    size_t slashes = 0;
    for (size_t i = 0; i < p.n; i++) {
        unsigned char c = (unsigned char)p.p[i];
        if (c < 0x20 || c == 0x7f || is_digit((char)c) || c == '@' || (c == '/' && i > 0 && p.p[i - 1] == '/')) {
            return false;
        }
        slashes += c == '/';
    }
    return slashes <= SEGMENTS_MAX;
}

struct writer {
    char *p;
    size_t n, cap;
};

static void put(struct writer *w, const char *s, size_t n)
{
    for (size_t i = 0; i < n && w->n < w->cap; i++) {
        unsigned char c = (unsigned char)s[i];
        w->p[w->n++] = c < 0x20 || c == 0x7f ? '~' : (char)c;
    }
}

/* Year, month and day as three segments, at s. */
static size_t date_segments(const char *s, const char *end)
{
    if (end - s < 10 || s[4] != '/' || s[7] != '/' || (end - s > 10 && s[10] != '/')) {
        return 0;
    }
    char flat[10] = {s[0], s[1], s[2], s[3], '-', s[5], s[6], '-', s[8], s[9]};
    return is_date((lq_str){flat, 10}) && (s[0] == '1' || s[0] == '2') ? 10 : 0;
}

lq_str derive_route(lq_str path, char *scratch, size_t cap)
{
    lq_str p = derive_path(path);
    if (p.n <= cap && plain(p)) {
        return p;
    }
    struct writer w = {scratch, 0, cap};
    const char *q = p.p, *end = p.p + p.n;
    unsigned segments = 0;
    while (q < end && w.n < cap) {
        if (*q == '/') {
            while (q + 1 < end && q[1] == '/') {
                q++;
            }
            put(&w, q++, 1);
            if (++segments > SEGMENTS_MAX && q < end) {
                put(&w, "…", 3);
                break;
            }
            size_t date = date_segments(q, end);
            if (date > 0) {
                put(&w, "{date}", 6);
                q += date;
            }
            continue;
        }
        const char *slash = memchr(q, '/', (size_t)(end - q));
        lq_str s = {q, (size_t)((slash != NULL ? slash : end) - q)};
        const char *kind = segment_kind(s);
        lq_str part = kind == NULL ? hashed_part(s) : (lq_str){s.p, 0};
        if (kind != NULL) {
            put(&w, kind, strlen(kind));
        } else if (part.n > 0) {
            put(&w, s.p, (size_t)(part.p - s.p));
            put(&w, "{hash}", 6);
            put(&w, part.p + part.n, (size_t)(s.p + s.n - part.p) - part.n);
        } else {
            put(&w, s.p, s.n);
        }
        q += s.n;
    }
    return (lq_str){scratch, w.n};
}

lq_str derive_status_class(lq_str s)
{
    static const char *const classes[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
    if (s.n != 3 || s.p[0] < '1' || s.p[0] > '5' || !is_digit(s.p[1]) || !is_digit(s.p[2])) {
        return (lq_str){"", 0};
    }
    return (lq_str){classes[s.p[0] - '1'], 3};
}

bool derive_is_asset(lq_str path)
{
    static const char *const endings[] = {"css", "js", "png", "jpg", "jpeg", "gif", "svg", "ico", "woff", "woff2", "ttf", "map", "webp", "mp4"};
    path = derive_path(path);
    const char *dot = path.n > 0 ? memrchr(path.p, '.', path.n) : NULL;
    if (dot == NULL) {
        return false;
    }
    lq_str ending = {dot + 1, (size_t)(path.p + path.n - dot - 1)};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        if (lq_str_is(ending, endings[i])) {
            return true;
        }
    }
    return false;
}
