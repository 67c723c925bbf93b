/*
 * heavy.c - Misra-Gries summaries (heavy.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/heavy.h"

#include <stdlib.h>

enum { HEAVY_VERSION = 1, HEAVY_NAME_BYTES_MAX = 256 };

void heavy_fini(struct heavy *h)
{
    lq_arena_fini(&h->mem);
    memset(h, 0, sizeof *h);
}

static int heavier(const void *a, const void *b)
{
    const struct heavy_item *x = a, *y = b;
    if (x->count != y->count) {
        return x->count > y->count ? -1 : 1;
    }
    return lq_str_cmp(x->name, y->name);
}

/* Sorts items; keeps the heaviest, every count less the first one dropped (so that a kept count is too low by at most the bound). */
static void keep(struct heavy_item *items, size_t n, struct heavy *out)
{
    qsort(items, n, sizeof *items, heavier);
    uint64_t cut = n > HEAVY_MAX ? items[HEAVY_MAX].count : 0;
    for (size_t i = 0; i < n && i < HEAVY_MAX && items[i].count > cut; i++) {
        lq_str name = items[i].name;
        name.n = name.n > HEAVY_NAME_BYTES_MAX ? HEAVY_NAME_BYTES_MAX : name.n;
        out->items[out->n++] = (struct heavy_item){lq_arena_str(&out->mem, name), items[i].count - cut};
    }
    out->error_bound += cut;
}

void heavy_from(const struct heavy_item *items, size_t n, struct heavy *out)
{
    memset(out, 0, sizeof *out);
    struct heavy_item *copy = lq_alloc((n + 1) * sizeof *copy);
    for (size_t i = 0; i < n; i++) {
        copy[i] = items[i];
        out->total += items[i].count;
    }
    keep(copy, n, out);
    free(copy);
}

void heavy_merge(const struct heavy *a, const struct heavy *b, struct heavy *out)
{
    struct heavy_item all[2 * HEAVY_MAX];
    size_t n = 0;
    memset(out, 0, sizeof *out);
    out->total = a->total + b->total;
    out->error_bound = a->error_bound + b->error_bound;
    for (uint32_t i = 0; i < a->n; i++) {
        all[n++] = a->items[i];
    }
    for (uint32_t i = 0; i < b->n; i++) {
        uint32_t j = 0;
        while (j < a->n && !lq_str_eq(all[j].name, b->items[i].name)) {
            j++;
        }
        if (j < a->n) {
            all[j].count += b->items[i].count;
        } else {
            all[n++] = b->items[i];
        }
    }
    keep(all, n, out);
}

void heavy_encode(const struct heavy *h, struct lq_buf *out)
{
    size_t start = out->n;
    lq_buf_add(out, "\0\0\0\0\0\0\0", 8);
    lq_buf_byte(out, HEAVY_VERSION);
    lq_buf_varint(out, h->error_bound);
    lq_buf_varint(out, h->total);
    lq_buf_varint(out, h->n);
    for (uint32_t i = 0; i < h->n; i++) {
        lq_buf_varint(out, h->items[i].count);
        lq_buf_varint(out, h->items[i].name.n);
        lq_buf_add(out, h->items[i].name.p, h->items[i].name.n);
    }
    uint64_t sum = lq_hash(out->p + start + 8, out->n - start - 8, 0);
    for (unsigned i = 0; i < 8; i++) {
        out->p[start + i] = (char)(sum >> (8 * i));
    }
}

enum lq_err heavy_decode(const void *data, size_t size, struct heavy *out)
{
    const uint8_t *p = data, *end = p + size;
    uint64_t sum = 0, n, count, len;
    memset(out, 0, sizeof *out);
    for (unsigned i = 0; i < 8 && size >= 8; i++) {
        sum |= (uint64_t)p[i] << (8 * i);
    }
    if (size < 9 || sum != lq_hash(p + 8, size - 8, 0) || p[8] != HEAVY_VERSION) {
        return LQ_ECORRUPT;
    }
    p += 9;
    if (!lq_varint_get(&p, end, &out->error_bound) || !lq_varint_get(&p, end, &out->total) || !lq_varint_get(&p, end, &n) ||
        n > HEAVY_MAX) {
        heavy_fini(out);
        return LQ_ECORRUPT;
    }
    for (uint64_t i = 0; i < n; i++) {
        if (!lq_varint_get(&p, end, &count) || !lq_varint_get(&p, end, &len) || len > (uint64_t)(end - p)) {
            heavy_fini(out);
            return LQ_ECORRUPT;
        }
        out->items[out->n++] = (struct heavy_item){lq_arena_str(&out->mem, (lq_str){(const char *)p, len}), count};
        p += len;
    }
    return LQ_OK;
}
