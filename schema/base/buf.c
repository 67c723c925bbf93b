/*
 * buf.c - views, buffers, arenas, varints, the byte map
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define ARENA_CHUNK_BYTES (64U * 1024)
enum { MAP_KEEP_FRACTION = 8, MAP_KEEP_SLOTS_MAX = 1 << 17 };

int lq_str_cmp(lq_str a, lq_str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n > 0 ? memcmp(a.p, b.p, n) : 0;
    if (c != 0) {
        return c < 0 ? -1 : 1;
    }
    return a.n < b.n ? -1 : a.n > b.n;
}

static void *checked(void *p)
{
    if (p == NULL) {
        fputs("lq: out of memory\n", stderr);
        abort();
    }
    return p;
}

void *lq_alloc(size_t n)
{
    return checked(calloc(1, n > 0 ? n : 1));
}

void *lq_realloc(void *p, size_t n)
{
    return checked(realloc(p, n > 0 ? n : 1));
}

void *lq_alloc_pages(size_t n)
{
    return checked(aligned_alloc(4096, (n + 4095) & ~(size_t)4095));
}

char *lq_strdup(lq_str s)
{
    char *p = lq_alloc(s.n + 1);
    if (s.n > 0) {
        memcpy(p, s.p, s.n);
    }
    return p;
}

void lq_grow(void *p, size_t *cap, size_t need, size_t size)
{
    void **array = p;
    if (need <= *cap) {
        return;
    }
    size_t n = *cap > 0 ? *cap : 8;
    while (n < need) {
        LQ_ASSERT(n <= SIZE_MAX / 2 / size);
        n *= 2;
    }
    *array = lq_realloc(*array, n * size);
    *cap = n;
}

void lq_buf_fini(struct lq_buf *b)
{
    free(b->p);
    *b = (struct lq_buf){0};
}

void lq_buf_reserve(struct lq_buf *b, size_t more)
{
    lq_grow(&b->p, &b->cap, b->n + more, 1);
}

void lq_buf_add(struct lq_buf *b, const void *p, size_t n)
{
    if (n > 0) {
        lq_buf_reserve(b, n);
        memcpy(b->p + b->n, p, n);
        b->n += n;
    }
}

void lq_buf_printf(struct lq_buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    LQ_ASSERT(n >= 0);
    lq_buf_reserve(b, (size_t)n + 1);
    vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
    va_end(again);
    b->n += (size_t)n;
}

void lq_buf_varint_long(struct lq_buf *b, uint64_t v)
{
    lq_buf_reserve(b, 10);
    char *p = b->p + b->n;
    while (v >= 0x80) {
        *p++ = (char)(v | 0x80);
        v >>= 7;
    }
    *p++ = (char)v;
    b->n = (size_t)(p - b->p);
}

bool lq_varint_get(const uint8_t **p, const uint8_t *end, uint64_t *v)
{
    uint64_t r = 0;
    for (unsigned shift = 0; shift < 64 && *p < end; shift += 7) {
        uint8_t c = *(*p)++;
        if (shift == 63 && c > 1) {
            return false;
        }
        r |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80) {
            *v = r;
            return true;
        }
    }
    return false;
}

struct lq_arena_chunk {
    struct lq_arena_chunk *next;
    size_t used, cap;
    _Alignas(16) char data[];
};

void *lq_arena_raw(struct lq_arena *a, size_t n)
{
    n = (n + 15) & ~(size_t)15;
    struct lq_arena_chunk *c = a->head;
    if (c == NULL || c->cap - c->used < n) {
        size_t cap = n > ARENA_CHUNK_BYTES ? n : ARENA_CHUNK_BYTES;
        c = checked(malloc(sizeof *c + cap));
        c->used = 0;
        c->cap = cap;
        c->next = a->head;
        a->head = c;
    }
    void *p = c->data + c->used;
    c->used += n;
    a->total += n;
    return p;
}

void *lq_arena_alloc(struct lq_arena *a, size_t n)
{
    return memset(lq_arena_raw(a, n), 0, n);
}

lq_str lq_arena_str(struct lq_arena *a, lq_str s)
{
    char *p = lq_arena_alloc(a, s.n + 1);
    if (s.n > 0) {
        memcpy(p, s.p, s.n);
    }
    return (lq_str){p, s.n};
}

char *lq_arena_strdup(struct lq_arena *a, lq_str s)
{
    char *p = lq_arena_alloc(a, s.n + 1);
    if (s.n > 0) {
        memcpy(p, s.p, s.n);
    }
    return p;
}

void lq_arena_reset(struct lq_arena *a)
{
    struct lq_arena_chunk *c = a->head;
    while (c != NULL && c->next != NULL) {
        struct lq_arena_chunk *next = c->next;
        free(c);
        c = next;
    }
    a->head = c;
    if (c != NULL) {
        c->used = 0;
    }
    a->total = 0;
}

void lq_arena_fini(struct lq_arena *a)
{
    lq_arena_reset(a);
    free(a->head);
    *a = (struct lq_arena){0};
}

uint64_t lq_hash(const void *p, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(p, n, seed);
}

uint32_t lq_map_get_hashed(const struct lq_map *m, lq_str key, uint64_t hash)
{
    if (m->slots == NULL) {
        return LQ_MAP_NONE;
    }
    for (uint32_t i = (uint32_t)hash & m->mask;; i = (i + 1) & m->mask) {
        const struct lq_map_slot *s = &m->slots[i];
        if (s->key == NULL) {
            return LQ_MAP_NONE;
        }
        if (s->hash == hash && s->key_len == key.n && lq_equal(s->key, key.p, key.n)) {
            return s->value;
        }
    }
}

uint32_t lq_map_get(const struct lq_map *m, lq_str key)
{
    return lq_map_get_hashed(m, key, lq_hash(key.p, key.n, 0));
}

static void map_put(struct lq_map *m, struct lq_map_slot s)
{
    uint32_t i = (uint32_t)s.hash & m->mask;
    while (m->slots[i].key != NULL) {
        i = (i + 1) & m->mask;
    }
    m->slots[i] = s;
}

const char *lq_map_add(struct lq_map *m, lq_str key, uint64_t hash, uint32_t value)
{
    if (m->slots == NULL || (uint64_t)(m->n + 1) * 4 > (uint64_t)(m->mask + 1) * 3) {
        struct lq_map_slot *old = m->slots;
        uint32_t old_n = old != NULL ? m->mask + 1 : 0;
        uint32_t cap = old_n > 0 ? old_n * 2 : 16;
        m->slots = lq_alloc(cap * sizeof *m->slots);
        m->mask = cap - 1;
        for (uint32_t i = 0; i < old_n; i++) {
            if (old[i].key != NULL) {
                map_put(m, old[i]);
            }
        }
        free(old);
    }
    const char *copy = lq_arena_strdup(&m->keys, key);
    map_put(m, (struct lq_map_slot){hash, copy, (uint32_t)key.n, value});
    m->n++;
    return copy;
}

void lq_map_set(struct lq_map *m, lq_str key, uint32_t value)
{
    uint64_t hash = lq_hash(key.p, key.n, 0);
    if (m->slots != NULL) {
        for (uint32_t i = (uint32_t)hash & m->mask; m->slots[i].key != NULL; i = (i + 1) & m->mask) {
            struct lq_map_slot *s = &m->slots[i];
            if (s->hash == hash && s->key_len == key.n && lq_equal(s->key, key.p, key.n)) {
                s->value = value;
                return;
            }
        }
    }
    lq_map_add(m, key, hash, value);
}

void lq_map_clear(struct lq_map *m)
{
    if (m->slots == NULL || m->n < m->mask / MAP_KEEP_FRACTION || m->mask >= MAP_KEEP_SLOTS_MAX) {
        lq_map_fini(m);
        return;
    }
    memset(m->slots, 0, ((size_t)m->mask + 1) * sizeof *m->slots);
    lq_arena_reset(&m->keys);
    m->n = 0;
}

void lq_map_fini(struct lq_map *m)
{
    free(m->slots);
    lq_arena_fini(&m->keys);
    *m = (struct lq_map){0};
}
