/*
 * kept.c - answers kept while nothing is new (kept.h)
 *
 * A ring: the next answer takes the place of the oldest. Looking up compares a hash with each of at most KEPT_ENTRIES_MAX; that is less than a microsecond, an
 * answer takes milliseconds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/http/kept.h"

#include <pthread.h>
#include <stdlib.h>

struct entry {
    uint64_t hash, version;
    int64_t now_us;
    char *key, *body;
    size_t n_key, n;
    const char *type;
    bool zipped;
};
struct http_kept {
    pthread_mutex_t lock;
    int64_t age_us;
    uint32_t next;
    size_t bytes;
    struct entry entries[KEPT_ENTRIES_MAX];
};

struct http_kept *http_kept_new(int64_t age_us)
{
    struct http_kept *k = lq_alloc(sizeof *k);
    pthread_mutex_init(&k->lock, NULL);
    k->age_us = age_us;
    return k;
}

static void drop(struct http_kept *k, struct entry *x)
{
    k->bytes -= x->n_key + x->n;
    free(x->key);
    free(x->body);
    *x = (struct entry){0};
}

void http_kept_free(struct http_kept **pk)
{
    struct http_kept *k = *pk;
    if (k != NULL) {
        for (uint32_t i = 0; i < KEPT_ENTRIES_MAX; i++) {
            drop(k, &k->entries[i]);
        }
        pthread_mutex_destroy(&k->lock);
        free(k);
        *pk = NULL;
    }
}

static struct entry *find(struct http_kept *k, lq_str key, uint64_t hash)
{
    for (uint32_t i = 0; i < KEPT_ENTRIES_MAX; i++) {
        struct entry *x = &k->entries[i];
        if (x->hash == hash && x->key != NULL && lq_str_eq((lq_str){x->key, x->n_key}, key)) {
            return x;
        }
    }
    return NULL;
}

static char *copy(const char *p, size_t n)
{
    char *out = lq_alloc(n + 1);
    memcpy(out, p, n);
    return out;
}

bool http_kept_get(struct http_kept *k, const struct kept_wanted *w, struct http_response *o, bool *zipped, int64_t *begun_us)
{
    uint64_t hash = lq_hash(w->key.p, w->key.n, 0);
    bool found = false;
    pthread_mutex_lock(&k->lock);
    struct entry *x = find(k, w->key, hash);
    bool good = x != NULL && ((x->version == w->version && w->now_us - x->now_us <= k->age_us) || x->now_us >= w->enough_us);
    if (x != NULL && !good) {
        drop(k, x);
    } else if (good && http_response_close(o)) {
        free(o->body);
        o->body = copy(x->body, x->n);
        o->n = x->n;
        o->type = x->type;
        *zipped = x->zipped;
        *begun_us = x->now_us;
        found = true;
    }
    pthread_mutex_unlock(&k->lock);
    return found;
}

void http_kept_put(struct http_kept *k, lq_str key, uint64_t version, int64_t now_us, const struct http_response *o, bool zipped)
{
    if ((o->status != 0 && o->status != 200) || o->failed || o->fd >= 0 || o->n_headers > 0 || o->n == 0 || o->n > KEPT_ANSWER_BYTES_MAX) {
        return;
    }
    struct entry one = {.hash = lq_hash(key.p, key.n, 0), .version = version, .now_us = now_us, .n_key = key.n, .n = o->n, .type = o->type, .zipped = zipped};
    pthread_mutex_lock(&k->lock);
    struct entry *x = find(k, key, one.hash); /* another worker was asked the same at the same time */
    if (x != NULL && x->now_us > now_us) {
        pthread_mutex_unlock(&k->lock);
        return; /* and began later */
    }
    if (x != NULL) {
        drop(k, x);
    }
    one.key = copy(key.p, key.n);
    one.body = copy(o->body, o->n);
    do {
        drop(k, &k->entries[k->next]);
        x = &k->entries[k->next];
        k->next = (k->next + 1) % KEPT_ENTRIES_MAX;
    } while (k->bytes + one.n_key + one.n > KEPT_BYTES_MAX);
    *x = one;
    k->bytes += one.n_key + one.n;
    pthread_mutex_unlock(&k->lock);
}
