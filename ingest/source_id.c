/*
 * source_id.c - which file is this? (source_id.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/source_id.h"

#include <stdlib.h>

void source_id_key(const struct labels *labels, const char *head, size_t n, struct lq_buf *out)
{
    n = n < FINGERPRINT_BYTES ? n : FINGERPRINT_BYTES;
    lq_buf_clear(out);
    labels_print(labels, out);
    lq_buf_printf(out, "|%zu|%016llx%016llx", n, (unsigned long long)lq_hash(head, n, 0), (unsigned long long)lq_hash(head, n, 1));
}

struct shorter {
    const struct store *store;
    const struct labels *labels;
    lq_str head;
    struct lq_buf key;
    struct lq_arena *mem;
    struct checkpoint *out;
    source_id_accept_fn *accept;
    void *ctx;
    size_t best;
};

static void take(struct shorter *x, const struct checkpoint *c)
{
    *x->out = *c;
    x->out->key = lq_arena_str(x->mem, c->key);
    x->out->name = lq_arena_str(x->mem, c->name);
    x->out->format = lq_arena_str(x->mem, c->format);
}

/* A checkpoint of this content from when it was shorter than the fingerprint. */
static bool match_shorter(void *ctx, const struct checkpoint *c)
{
    struct shorter *x = ctx;
    const char *bar = c->key.n > 33 ? memrchr(c->key.p, '|', c->key.n) : NULL;
    const char *first = bar != NULL ? memrchr(c->key.p, '|', (size_t)(bar - c->key.p)) : NULL;
    size_t n = first != NULL ? strtoul(first + 1, NULL, 10) : 0;
    if (n > 0 && n < FINGERPRINT_BYTES && n <= x->head.n && n > x->best) {
        source_id_key(x->labels, x->head.p, n, &x->key);
        if (store_checkpoint_has_key(x->store, c, (lq_str){x->key.p, x->key.n}) && (x->accept == NULL || x->accept(x->ctx, c))) {
            take(x, c);
            x->best = n;
        }
    }
    return true;
}

enum lq_err source_id_find(struct store *s, const struct labels *labels, lq_str head, source_id_accept_fn *accept, void *ctx,
                           struct checkpoint *out, struct lq_arena *mem, struct lq_error *e)
{
    struct shorter x = {.store = s, .labels = labels, .head = head, .mem = mem, .out = out, .accept = accept, .ctx = ctx};
    struct checkpoint whole;
    source_id_key(labels, head.p, head.n, &x.key);
    enum lq_err err = store_checkpoint_get(s, (lq_str){x.key.p, x.key.n}, &whole, mem, e);
    if (err == LQ_OK && (accept == NULL || accept(ctx, &whole))) {
        *out = whole;
    } else if (err == LQ_OK || err == LQ_ENOENT) {
        err = store_checkpoint_each(s, match_shorter, &x, e);
        err = err == LQ_OK && x.best == 0 ? LQ_ENOENT : err;
    }
    lq_buf_fini(&x.key);
    return err;
}
