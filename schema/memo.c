/*
 * memo.c - the memory of a parser (memo.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/memo.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { SLOTS = 2 * MEMO_ENTRIES_MAX, SEEN = 8192, NUMBER_SHIFT = 40 };

struct memo_slot {
    uint64_t hash;
    struct memo_entry *entry;
};
struct memo {
    struct memo_slot slots[SLOTS];
    uint32_t seen[SEEN]; /* by hash: what was asked for once */
    uint32_t n;
    uint64_t next_id;
    struct lq_arena mem;
};

struct memo *memo_new(void)
{
    static _Atomic uint64_t memos;
    struct memo *m = lq_alloc(sizeof *m);
    m->next_id = (atomic_fetch_add(&memos, 1) + 1) << NUMBER_SHIFT;
    return m;
}

void memo_free(struct memo **m)
{
    if (*m != NULL) {
        lq_arena_fini(&(*m)->mem);
        free(*m);
        *m = NULL;
    }
}

void memo_prefetch(const struct memo *m, uint64_t hash)
{
    __builtin_prefetch(&m->slots[(uint32_t)hash % SLOTS]);
}

void memo_prefetch_entry(const struct memo *m, uint64_t hash)
{
    const struct memo_entry *e = m->slots[(uint32_t)hash % SLOTS].entry;
    if (e != NULL) {
        __builtin_prefetch(e);
        __builtin_prefetch((const char *)e + 64);
    }
}

const struct memo_entry *memo_get(struct memo *m, lq_str key, uint64_t hash)
{
    for (uint32_t i = (uint32_t)hash % SLOTS; m->slots[i].entry != NULL; i = (i + 1) % SLOTS) {
        const struct memo_entry *e = m->slots[i].entry;
        if (m->slots[i].hash == hash && e->key_n == key.n && lq_equal(e->key, key.p, key.n)) {
            return e;
        }
    }
    return NULL;
}

void memo_tidy(struct memo *m)
{
    if (m->n < MEMO_ENTRIES_MAX) {
        return;
    }
    memset(m->slots, 0, sizeof m->slots);
    lq_arena_reset(&m->mem);
    m->n = 0;
}

static const lq_str *keep_dims(struct memo *m, uint32_t n, const lq_str *dims)
{
    lq_str *kept = lq_arena_alloc(&m->mem, n * sizeof *kept);
    for (uint32_t d = 0; d < n; d++) {
        kept[d] = dims[d].n > 0 ? lq_arena_str(&m->mem, dims[d]) : (lq_str){"", 0};
    }
    return kept;
}

const struct memo_entry *memo_put(struct memo *m, lq_str key, uint64_t hash, uint32_t n_dims, const struct record *r, const struct memo_entry *same)
{
    uint32_t *seen = &m->seen[(hash >> 32) % SEEN], mark = (uint32_t)hash | 1;
    if (*seen != mark) {
        *seen = mark;
        return same;
    }
    if (m->n == MEMO_ENTRIES_MAX) {
        return same;
    }
    struct memo_entry *e = lq_arena_alloc(&m->mem, sizeof *e + key.n);
    e->id = same != NULL ? same->id : m->next_id++;
    e->dims = same != NULL ? same->dims : keep_dims(m, n_dims, r->dims);
    e->key_n = (uint16_t)key.n;
    memcpy(e->key, key.p, key.n);
    e->error = r->error;
    e->success = r->success;
    e->sighting = r->sighting != NULL;
    uint32_t i = (uint32_t)hash % SLOTS;
    while (m->slots[i].entry != NULL) {
        i = (i + 1) % SLOTS;
    }
    m->slots[i] = (struct memo_slot){hash, e};
    m->n++;
    return e;
}
