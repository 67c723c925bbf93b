/*
 * buf.h - views, growable buffers, arenas and hashing: the memory of the project
 *
 * lq_str is a borrowed view (not NUL-terminated). lq_buf owns and grows. lq_arena hands out memory of one lifetime
 * (a query, a batch) that is freed at once. Allocation failure aborts: no caller checks for NULL.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_BUF_H
#define LQ_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "schema/base/err.h"

typedef struct lq_str {
    const char *p;
    size_t n;
} lq_str;

#define LQ_STR(lit) ((lq_str){(lit), sizeof(lit) - 1})

static inline lq_str lq_str_of(const char *cstr)
{
    return (lq_str){cstr, strlen(cstr)};
}
static inline bool lq_str_eq(lq_str a, lq_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool lq_str_is(lq_str a, const char *cstr)
{
    return lq_str_eq(a, lq_str_of(cstr));
}
/* Byte order, shorter first on a tie: -1, 0, 1. */
int lq_str_cmp(lq_str a, lq_str b);

void *lq_alloc(size_t n);              /* zeroed */
void *lq_realloc(void *p, size_t n);   /* grown part is not zeroed */
void *lq_alloc_pages(size_t n);        /* 4096-aligned, not zeroed; free() it */
char *lq_strdup(lq_str s);             /* NUL-terminated copy */
/* Grow array *p of items of `size` bytes so that it holds at least `need`; *cap is in items (doubles). */
void lq_grow(void *p, size_t *cap, size_t need, size_t size);

struct lq_buf {
    char *p;
    size_t n, cap;
};
void lq_buf_fini(struct lq_buf *b);
void lq_buf_reserve(struct lq_buf *b, size_t more);
void lq_buf_add(struct lq_buf *b, const void *p, size_t n);
void lq_buf_printf(struct lq_buf *b, const char *fmt, ...) LQ_PRINTF(2, 3);
static inline void lq_buf_clear(struct lq_buf *b)
{
    b->n = 0;
}
static inline void lq_buf_str(struct lq_buf *b, const char *cstr)
{
    lq_buf_add(b, cstr, strlen(cstr));
}
static inline void lq_buf_byte(struct lq_buf *b, uint8_t c)
{
    if (b->n == b->cap) {
        lq_buf_reserve(b, 1);
    }
    b->p[b->n++] = (char)c;
}
/* LEB128 varint; signed values zigzag. */
void lq_buf_varint_long(struct lq_buf *b, uint64_t v);
static inline void lq_buf_varint(struct lq_buf *b, uint64_t v)
{
    if (v < 0x80 && b->n < b->cap) {
        b->p[b->n++] = (char)v;
    } else {
        lq_buf_varint_long(b, v);
    }
}
static inline uint64_t lq_zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}
static inline int64_t lq_unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}
/* Reads a varint at *p (end exclusive), advances *p; false when it runs past the end or over 64 bits. */
bool lq_varint_get(const uint8_t **p, const uint8_t *end, uint64_t *v);

struct lq_arena {
    struct lq_arena_chunk *head;
    size_t total; /* bytes handed out, for limits */
};
void *lq_arena_alloc(struct lq_arena *a, size_t n); /* 16-aligned, zeroed */
void *lq_arena_raw(struct lq_arena *a, size_t n);   /* the same, not zeroed */
char *lq_arena_strdup(struct lq_arena *a, lq_str s); /* NUL-terminated */
lq_str lq_arena_str(struct lq_arena *a, lq_str s);   /* NUL-terminated copy as a view */
void lq_arena_reset(struct lq_arena *a);             /* keeps one chunk */
void lq_arena_fini(struct lq_arena *a);

/* memcpy() without the call, for short texts. They do not overlap. */
static inline void lq_copy(char *restrict to, const char *restrict from, size_t n)
{
    if (n >= 8) {
        for (size_t i = 0; i + 8 < n; i += 8) {
            memcpy(to + i, from + i, 8);
        }
        memcpy(to + n - 8, from + n - 8, 8);
    } else if (n >= 4) {
        memcpy(to, from, 4);
        memcpy(to + n - 4, from + n - 4, 4);
    } else if (n > 0) {
        to[0] = from[0];
        to[n / 2] = from[n / 2];
        to[n - 1] = from[n - 1];
    }
}

/* memcmp() == 0 without the call: the hot path compares short texts that are mostly equal. */
static inline bool lq_equal(const char *a, const char *b, size_t n)
{
    uint64_t x, y;
    if (n < 8) {
        for (size_t i = 0; i < n; i++) {
            if (a[i] != b[i]) {
                return false;
            }
        }
        return true;
    }
    for (size_t i = 0; i + 8 < n; i += 8) {
        memcpy(&x, a + i, 8);
        memcpy(&y, b + i, 8);
        if (x != y) {
            return false;
        }
    }
    memcpy(&x, a + n - 8, 8);
    memcpy(&y, b + n - 8, 8);
    return x == y;
}

/* XXH3 64 bit. */
uint64_t lq_hash(const void *p, size_t n, uint64_t seed);

/*
 * lq_map: bytes -> uint32_t, open addressing, insert only. Keys are copied into the map's arena.
 */
struct lq_map_slot {
    uint64_t hash;
    const char *key;
    uint32_t key_len;
    uint32_t value;
};
struct lq_map {
    struct lq_map_slot *slots;
    uint32_t n, mask; /* mask + 1 slots; 0 slots before the first insert */
    struct lq_arena keys;
};
#define LQ_MAP_NONE UINT32_MAX
uint32_t lq_map_get(const struct lq_map *m, lq_str key); /* LQ_MAP_NONE when absent */
uint32_t lq_map_get_hashed(const struct lq_map *m, lq_str key, uint64_t hash);
/* Ask for a key's slot, and then for the stored key, some time before they are needed. */
static inline void lq_map_prefetch(const struct lq_map *m, uint64_t hash)
{
    if (m->slots != NULL) {
        __builtin_prefetch(&m->slots[(uint32_t)hash & m->mask]);
    }
}
static inline void lq_map_prefetch_key(const struct lq_map *m, uint64_t hash)
{
    if (m->slots != NULL) {
        __builtin_prefetch(m->slots[(uint32_t)hash & m->mask].key);
    }
}
/* Insert a key that is absent. hash = lq_hash(key, len, 0). Returns the stored key (NUL-terminated). */
const char *lq_map_add(struct lq_map *m, lq_str key, uint64_t hash, uint32_t value);
void lq_map_set(struct lq_map *m, lq_str key, uint32_t value); /* insert or replace */
/* Forgets the keys. The slots stay if they were used well: one that is filled again and again need not grow again and again. */
void lq_map_clear(struct lq_map *m);
void lq_map_fini(struct lq_map *m);

#endif
