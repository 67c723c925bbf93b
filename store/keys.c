/*
 * keys.c - keys of the databases: byte order is logical order (store_int.h has the table)
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/store_int.h"

static void put(struct key_buf *k, uint64_t v, unsigned bytes)
{
    LQ_ASSERT(k->n + bytes <= sizeof k->p);
    for (unsigned i = bytes; i-- > 0;) {
        k->p[k->n++] = (uint8_t)(v >> (8 * i));
    }
}

void key_u8(struct key_buf *k, uint8_t v)
{
    put(k, v, 1);
}

void key_u16(struct key_buf *k, uint32_t v)
{
    put(k, v, 2);
}

void key_u32(struct key_buf *k, uint32_t v)
{
    put(k, v, 4);
}

void key_i64(struct key_buf *k, int64_t v)
{
    put(k, (uint64_t)v ^ (1ULL << 63), 8);
}

lq_str key_str(const struct key_buf *k)
{
    return (lq_str){(const char *)k->p, k->n};
}

static uint64_t get(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

uint32_t key_get_u16(const uint8_t *p)
{
    return (uint32_t)get(p, 2);
}

uint32_t key_get_u32(const uint8_t *p)
{
    return (uint32_t)get(p, 4);
}

int64_t key_get_i64(const uint8_t *p)
{
    return (int64_t)(get(p, 8) ^ (1ULL << 63));
}

void data_key(struct key_buf *k, int tier, uint32_t stream, int section, int64_t period_s, uint32_t number)
{
    k->n = 0;
    key_u8(k, (uint8_t)tier);
    key_u16(k, stream);
    key_u8(k, (uint8_t)section);
    key_i64(k, period_s);
    key_u32(k, number);
}
