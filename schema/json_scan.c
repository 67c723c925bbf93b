/*
 * json_scan.c - one pass over a JSON object (json_scan.h)
 *
 * Two walks over the same tokens: json_each keeps the dotted path of where it is and hands each scalar to a visitor; json_scan follows the wanted paths
 * by a mask of those that the keys so far begin, and builds no path (three times as fast).
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/json_scan.h"

#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { DEPTH_MAX = 32, PATH_BYTES_MAX = 512 };

enum { PATHS_MAX = 64 };

/* Paths are followed by a mask: those that the keys so far are the beginning of. */
struct json_paths {
    size_t n;
    uint64_t all, first[256]; /* by the first byte of the path */
    struct lq_arena mem;
    lq_str path[PATHS_MAX];
};

struct json_paths *json_paths_new(const char *const *paths, size_t n)
{
    struct json_paths *p = lq_alloc(sizeof *p);
    LQ_ASSERT(n <= PATHS_MAX);
    p->n = n;
    for (size_t i = 0; i < n; i++) {
        p->path[i] = lq_arena_str(&p->mem, lq_str_of(paths[i]));
        if (p->path[i].n > 0) { /* an empty one is never found */
            p->first[(uint8_t)paths[i][0]] |= UINT64_C(1) << i;
            p->all |= UINT64_C(1) << i;
        }
    }
    return p;
}

void json_paths_free(struct json_paths **p)
{
    if (*p != NULL) {
        lq_arena_fini(&(*p)->mem);
        free(*p);
        *p = NULL;
    }
}

struct scanner {
    const char *start, *p, *end;
    char path[PATH_BYTES_MAX];
    size_t path_n;
    unsigned depth;
    json_each_fn *fn;
    void *ctx;
    struct lq_buf *scratch;
    bool stopped;
};

static inline void blanks(struct scanner *s)
{
    if (s->p < s->end && (unsigned char)*s->p > ' ') { /* nearly always */
        return;
    }
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r')) {
        s->p++;
    }
}

static int hex4(const char *p, const char *end)
{
    int v = 0;
    if (end - p < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (d < 0) {
            return -1;
        }
        v = v * 16 + d;
    }
    return v;
}

static void put_utf8(struct lq_buf *b, unsigned c)
{
    if (c < 0x80) {
        lq_buf_byte(b, (uint8_t)c);
    } else if (c < 0x800) {
        lq_buf_byte(b, (uint8_t)(0xc0 | c >> 6));
        lq_buf_byte(b, (uint8_t)(0x80 | (c & 63)));
    } else if (c < 0x10000) {
        lq_buf_byte(b, (uint8_t)(0xe0 | c >> 12));
        lq_buf_byte(b, (uint8_t)(0x80 | (c >> 6 & 63)));
        lq_buf_byte(b, (uint8_t)(0x80 | (c & 63)));
    } else {
        lq_buf_byte(b, (uint8_t)(0xf0 | c >> 18));
        lq_buf_byte(b, (uint8_t)(0x80 | (c >> 12 & 63)));
        lq_buf_byte(b, (uint8_t)(0x80 | (c >> 6 & 63)));
        lq_buf_byte(b, (uint8_t)(0x80 | (c & 63)));
    }
}

/* At a backslash. */
static bool escape(struct scanner *s)
{
    if (++s->p == s->end) {
        return false;
    }
    char c = *s->p++;
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *at = c != '\0' ? strchr(from, c) : NULL;
    if (at != NULL) {
        lq_buf_byte(s->scratch, (uint8_t)to[at - from]);
        return true;
    }
    int u = c == 'u' ? hex4(s->p, s->end) : -1;
    if (u < 0) {
        return false;
    }
    s->p += 4;
    unsigned code = (unsigned)u;
    if (u >= 0xd800 && u <= 0xdbff) {
        int low = s->end - s->p >= 6 && s->p[0] == '\\' && s->p[1] == 'u' ? hex4(s->p + 2, s->end) : -1;
        if (low < 0xdc00 || low > 0xdfff) {
            return false;
        }
        s->p += 6;
        code = 0x10000 + ((unsigned)(u - 0xd800) << 10) + (unsigned)(low - 0xdc00);
    } else if (u >= 0xdc00 && u <= 0xdfff) {
        return false;
    }
    put_utf8(s->scratch, code);
    return true;
}

/* To the first byte that ends a run of plain text in a string: a quote, a backslash, a control byte. */
static inline const char *plain_run(const char *p, const char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), low = _mm_set1_epi8(0x1f);
    for (; end - p >= 16; p += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i stop = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, slash)), _mm_cmpeq_epi8(_mm_min_epu8(x, low), x));
        unsigned mask = (unsigned)_mm_movemask_epi8(stop);
        if (mask != 0) {
            return p + __builtin_ctz(mask);
        }
    }
#endif
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20) {
        p++;
    }
    return p;
}

/* At the opening quote. */
static bool string(struct scanner *s, lq_str *out)
{
    const char *from = ++s->p;
    s->p = plain_run(s->p, s->end);
    if (s->p < s->end && *s->p == '"') {
        *out = (lq_str){from, (size_t)(s->p++ - from)};
        return true;
    }
    size_t at = s->scratch->n;
    lq_buf_add(s->scratch, from, (size_t)(s->p - from));
    while (s->p < s->end && *s->p != '"') {
        if ((unsigned char)*s->p < 0x20) {
            return false;
        }
        if (*s->p == '\\') {
            if (!escape(s)) {
                return false;
            }
        } else {
            lq_buf_byte(s->scratch, (uint8_t)*s->p++);
        }
    }
    if (s->p == s->end) {
        return false;
    }
    s->p++;
    *out = (lq_str){s->scratch->p + at, s->scratch->n - at};
    return true;
}

static bool digit_run(struct scanner *s)
{
    const char *from = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9') {
        s->p++;
    }
    return s->p > from;
}

static bool number(struct scanner *s)
{
    s->p += *s->p == '-';
    if (s->p < s->end && *s->p == '0') {
        s->p++;
    } else if (!digit_run(s)) {
        return false;
    }
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        if (!digit_run(s)) {
            return false;
        }
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        s->p++;
        s->p += s->p < s->end && (*s->p == '+' || *s->p == '-');
        return digit_run(s);
    }
    return true;
}

static bool word(struct scanner *s, const char *w)
{
    size_t n = strlen(w);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, w, n) != 0) {
        return false;
    }
    s->p += n;
    return true;
}

static bool value(struct scanner *s);

/* Appends ".name" to the path; a path that is too long matches nothing. */
static size_t push(struct scanner *s, lq_str name)
{
    size_t before = s->path_n;
    if (before + name.n + 1 < PATH_BYTES_MAX) {
        if (before > 0) {
            s->path[s->path_n++] = '.';
        }
        memcpy(s->path + s->path_n, name.p, name.n);
        s->path_n += name.n;
    } else {
        s->path_n = PATH_BYTES_MAX;
    }
    return before;
}

static bool members(struct scanner *s, char close)
{
    unsigned index = 0;
    s->p++;
    if (++s->depth > DEPTH_MAX) {
        return false;
    }
    blanks(s);
    if (s->p < s->end && *s->p == close) {
        s->p++;
        s->depth--;
        return true;
    }
    for (;; index++) {
        lq_str name;
        char digits[16];
        blanks(s);
        if (close == '}') {
            if (s->p == s->end || *s->p != '"' || !string(s, &name)) {
                return false;
            }
            blanks(s);
            if (s->p == s->end || *s->p++ != ':') {
                return false;
            }
        } else {
            name = (lq_str){digits, (size_t)snprintf(digits, sizeof digits, "%u", index)};
        }
        size_t before = s->path_n < PATH_BYTES_MAX ? push(s, name) : PATH_BYTES_MAX;
        if (!value(s)) {
            return false;
        }
        s->path_n = before;
        blanks(s);
        if (s->p == s->end) {
            return false;
        }
        char c = *s->p++;
        if (c == close) {
            s->depth--;
            return true;
        }
        if (c != ',') {
            return false;
        }
    }
}

/* A value that is no object and no array; the type, and the text of a string. */
static bool scalar(struct scanner *s, struct json_value *v)
{
    switch (*s->p) {
    case '"': v->type = LQ_JSON_STRING; return string(s, &v->text);
    case 't': v->type = LQ_JSON_TRUE; return word(s, "true");
    case 'f': v->type = LQ_JSON_FALSE; return word(s, "false");
    case 'n': v->type = LQ_JSON_NULL; return word(s, "null");
    default: v->type = LQ_JSON_NUMBER; return (*s->p == '-' || (*s->p >= '0' && *s->p <= '9')) && number(s);
    }
}

static bool value(struct scanner *s)
{
    struct json_value v = {LQ_JSON_ABSENT, {"", 0}};
    blanks(s);
    if (s->p == s->end) {
        return false;
    }
    const char *from = s->p;
    if (*from == '{' || *from == '[') {
        return members(s, *from == '{' ? '}' : ']');
    }
    if (!scalar(s, &v)) {
        return false;
    }
    if (v.type != LQ_JSON_STRING) {
        v.text = (lq_str){from, (size_t)(s->p - from)};
    }
    if (!s->stopped && s->path_n < PATH_BYTES_MAX) {
        s->stopped = !s->fn(s->ctx, (lq_str){s->path, s->path_n}, v);
    }
    return true;
}

static void scanner_init(struct scanner *s, lq_str line, struct lq_buf *scratch)
{
    s->start = s->p = line.p;
    s->end = line.p + line.n;
    s->path_n = 0;
    s->depth = 0;
    s->fn = NULL;
    s->scratch = scratch;
    s->stopped = false;
    lq_buf_reserve(scratch, line.n + 1); /* views into it must not move */
}

bool json_each(lq_str line, json_each_fn *fn, void *ctx, struct lq_buf *scratch, size_t *error_at)
{
    struct scanner s;
    scanner_init(&s, line, scratch);
    s.fn = fn;
    s.ctx = ctx;
    blanks(&s);
    bool ok = s.p < s.end && *s.p == '{' && members(&s, '}');
    if (ok) {
        blanks(&s);
        ok = s.p == s.end;
    }
    *error_at = (size_t)(s.p - s.start);
    return ok;
}

/* ---- wanted paths ---- */

struct search {
    const struct json_paths *paths;
    struct json_value *out;
};

/* Of the paths in mask (all alike up to pos): *hit ends with this key, the result goes on behind it. What an earlier key of the same name gave is
 * forgotten: the last one wins. */
static inline uint64_t follow(const struct search *w, lq_str key, uint64_t mask, size_t pos, int *hit)
{
    uint64_t on = 0;
    *hit = -1;
    for (uint64_t m = mask; m != 0; m &= m - 1) {
        int i = __builtin_ctzll(m);
        lq_str path = w->paths->path[i];
        if (path.n < pos + key.n || !lq_equal(path.p + pos, key.p, key.n)) {
            continue;
        }
        if (path.n == pos + key.n) {
            *hit = i;
            w->out[i] = (struct json_value){LQ_JSON_ABSENT, {"", 0}};
        } else if (path.p[pos + key.n] == '.') {
            on |= UINT64_C(1) << i;
            w->out[i] = (struct json_value){LQ_JSON_ABSENT, {"", 0}};
        }
    }
    return on;
}

static bool walk_value(struct scanner *s, const struct search *w, uint64_t mask, size_t pos, int hit);

static bool walk_members(struct scanner *s, const struct search *w, uint64_t mask, size_t pos, char close)
{
    unsigned index = 0;
    s->p++;
    if (++s->depth > DEPTH_MAX) {
        return false;
    }
    blanks(s);
    if (s->p < s->end && *s->p == close) {
        s->p++;
        s->depth--;
        return true;
    }
    for (;; index++) {
        lq_str name = {"", 0};
        char digits[16];
        int hit = -1;
        uint64_t on = 0;
        if (close == '}') {
            blanks(s);
            if (s->p == s->end || *s->p != '"' || !string(s, &name)) {
                return false;
            }
            blanks(s);
            if (s->p == s->end || *s->p++ != ':') {
                return false;
            }
        } else if (mask != 0) {
            name = (lq_str){digits, (size_t)snprintf(digits, sizeof digits, "%u", index)};
        }
        if (mask != 0) {
            on = follow(w, name, pos == 0 && name.n > 0 ? mask & w->paths->first[(uint8_t)name.p[0]] : mask, pos, &hit);
        }
        if (!walk_value(s, w, on, pos + name.n + 1, hit)) {
            return false;
        }
        blanks(s);
        if (s->p == s->end) {
            return false;
        }
        char c = *s->p++;
        if (c == close) {
            s->depth--;
            return true;
        }
        if (c != ',') {
            return false;
        }
    }
}

static bool walk_value(struct scanner *s, const struct search *w, uint64_t mask, size_t pos, int hit)
{
    struct json_value v = {LQ_JSON_ABSENT, {"", 0}};
    blanks(s);
    if (s->p == s->end) {
        return false;
    }
    const char *from = s->p;
    bool ok;
    if (*from == '{' || *from == '[') {
        ok = walk_members(s, w, mask, pos, *from == '{' ? '}' : ']');
        v.type = *from == '{' ? LQ_JSON_OBJECT : LQ_JSON_ARRAY;
    } else {
        ok = scalar(s, &v);
    }
    if (!ok) {
        return false;
    }
    if (hit >= 0) {
        v.text = v.type == LQ_JSON_STRING ? v.text : (lq_str){from, (size_t)(s->p - from)};
        w->out[hit] = v;
    }
    return true;
}

bool json_scan(const struct json_paths *p, lq_str line, struct json_value *out, struct lq_buf *scratch, size_t *error_at)
{
    struct search w = {p, out};
    struct scanner s;
    for (size_t i = 0; i < p->n; i++) {
        out[i] = (struct json_value){LQ_JSON_ABSENT, {"", 0}};
    }
    scanner_init(&s, line, scratch);
    blanks(&s);
    bool ok = s.p < s.end && *s.p == '{' && walk_members(&s, &w, p->all, 0, '}');
    if (ok) {
        blanks(&s);
        ok = s.p == s.end;
    }
    *error_at = (size_t)(s.p - s.start);
    return ok;
}
