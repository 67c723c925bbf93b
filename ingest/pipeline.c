/*
 * pipeline.c - batches and bindings of one loop (pipeline.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "ingest/pipeline_int.h"

enum { WINDOWS_BYTES_MAX = 64 << 20 /* of all loops */, WINDOW_BYTES_MIN = 4 << 20 };

const char *const batch_count_names[BATCH_COUNTS] = {"lines", "parsed", "no_match", "bad_time", "no_time", "too_costly", "line_too_long", "dropped"};

static enum lq_err batch_new(struct store *s, struct loop *loop, struct batch **out, struct lq_error *e)
{
    struct batch *b = lq_alloc(sizeof *b);
    b->loop = loop;
    enum lq_err err = window_new(s, &b->window, e);
    if (err != LQ_OK) {
        free(b);
        return err;
    }
    *out = b;
    return LQ_OK;
}

void batch_free(struct batch **bp)
{
    struct batch *b = *bp;
    if (b != NULL) {
        window_free(&b->window);
        lq_arena_fini(&b->mem);
        free(b->checkpoints);
        free(b->acks);
        free(b);
        *bp = NULL;
    }
}

bool batch_empty(const struct batch *b)
{
    uint64_t counts = 0;
    for (int i = 0; i < BATCH_COUNTS; i++) {
        counts |= b->counts[i];
    }
    return counts == 0 && b->n_checkpoints == 0 && b->n_acks == 0 && window_observations(b->window) == 0;
}

void batch_acknowledge(struct batch *b, void *to, uint32_t txnr)
{
    lq_grow(&b->acks, &b->cap_acks, b->n_acks + 1, sizeof *b->acks);
    b->acks[b->n_acks++] = (struct acknowledgement){to, txnr};
}

void batch_clear(struct batch *b)
{
    lq_arena_reset(&b->mem);
    b->n_checkpoints = b->n_acks = 0;
    memset(b->counts, 0, sizeof b->counts);
}

enum lq_err pipeline_new(struct store *s, struct formats *formats, const struct config *c, struct loop *loop, struct pipeline **out, struct lq_error *e)
{
    struct pipeline *p = lq_alloc(sizeof *p);
    p->store = s;
    p->formats = formats;
    p->tz = c->tz;
    p->ack_us = c->ack_us;
    p->window_lines = c->window_lines;
    p->window_bytes = WINDOWS_BYTES_MAX / (2 * (c->threads > 0 ? c->threads : 1)); /* a loop has two */
    p->window_bytes = p->window_bytes > WINDOW_BYTES_MIN ? p->window_bytes : WINDOW_BYTES_MIN;
    p->memo = memo_new();
    enum lq_err err = batch_new(s, loop, &p->open, e);
    if (err == LQ_OK) {
        err = batch_new(s, loop, &p->spare, e);
    }
    if (err != LQ_OK) {
        pipeline_free(&p);
        return err;
    }
    *out = p;
    return LQ_OK;
}

void pipeline_free(struct pipeline **pp)
{
    struct pipeline *p = *pp;
    if (p != NULL) {
        LQ_ASSERT(p->sampling == NULL && p->bindings == NULL && p->feeds == NULL);
        batch_free(&p->open);
        batch_free(&p->spare);
        memo_free(&p->memo);
        free(p);
        *pp = NULL;
    }
}

void pipeline_now(struct pipeline *p, int64_t now_us)
{
    p->now_us = now_us;
    window_receive(p->open->window, now_us);
}

bool pipeline_wants_commit(const struct pipeline *p)
{
    return window_observations(p->open->window) >= p->window_lines || window_bytes(p->open->window) >= p->window_bytes;
}

bool pipeline_full(const struct pipeline *p)
{
    return p->spare == NULL && pipeline_wants_commit(p);
}

void pipeline_settle(struct pipeline *p)
{
    for (struct channel *c = p->sampling, *next; c != NULL; c = next) {
        next = c->next;
        if (c->held_lines > 0) {
            channel__settle(c);
        }
    }
    for (struct feed *f = p->feeds; f != NULL; f = f->next) {
        feed__hand_on_idle(f);
    }
}

struct batch *pipeline_take(struct pipeline *p)
{
    if (p->spare == NULL || batch_empty(p->open)) {
        return NULL;
    }
    struct batch *b = p->open;
    p->open = p->spare;
    p->spare = NULL;
    window_receive(p->open->window, p->now_us);
    return b;
}

void pipeline_give(struct pipeline *p, struct batch *b)
{
    LQ_ASSERT(p->spare == NULL);
    batch_clear(b);
    p->spare = b;
}

static bool same_labels(const struct labels *a, const struct labels *b)
{
    if (a->n != b->n) {
        return false;
    }
    for (uint32_t i = 0; i < a->n; i++) {
        if (strcmp(a->l[i].name, b->l[i].name) != 0 || strcmp(a->l[i].value, b->l[i].value) != 0) {
            return false;
        }
    }
    return true;
}

static enum lq_err binding_open(struct pipeline *p, struct binding *b, struct lq_error *e)
{
    struct parser_config c = {.format = b->format, .labels = &b->labels, .tz = b->tz, .reference_us = p->now_us, .memo = p->memo};
    enum lq_err err = parser_new(&c, &b->parser, e);
    if (err == LQ_OK) {
        err = events_new(&c, channel__event, b, &b->events, e);
    }
    if (err == LQ_OK && !events_joins(b->events)) {
        events_free(&b->events);
    }
    for (unsigned k = 0; k <= INNER_MAX && err == LQ_OK && b->format != NULL && parser_schema_at(b->parser, k) != NULL; k++) {
        err = stream_use_open(p->store, parser_schema_at(b->parser, k), &b->use[k], e);
    }
    if (err == LQ_OK) {
        err = stream_use_open(p->store, parser_unparsed_schema(b->parser), &b->unparsed, e);
    }
    return err;
}

enum lq_err binding_get(struct pipeline *p, const struct format *f, const struct labels *labels, const struct timezone_rules *tz,
                        struct binding **out, struct lq_error *e)
{
    for (struct binding *b = p->bindings; b != NULL; b = b->next) {
        if (b->format == f && b->tz == tz && same_labels(&b->labels, labels)) {
            b->refs++;
            *out = b;
            return LQ_OK;
        }
    }
    struct binding *b = lq_alloc(sizeof *b);
    b->format = f;
    b->labels = *labels;
    b->tz = tz;
    b->refs = 1;
    enum lq_err err = binding_open(p, b, e);
    b->next = p->bindings;
    p->bindings = b;
    if (err != LQ_OK) {
        binding_release(p, &b);
        return err;
    }
    *out = b;
    return LQ_OK;
}

void binding_release(struct pipeline *p, struct binding **bp)
{
    struct binding *b = *bp;
    *bp = NULL;
    if (b == NULL || --b->refs > 0) {
        return;
    }
    struct binding **at = &p->bindings;
    while (*at != b) {
        at = &(*at)->next;
    }
    *at = b->next;
    parser_free(&b->parser);
    events_free(&b->events);
    for (unsigned k = 0; k <= INNER_MAX; k++) {
        stream_use_close(&b->use[k]);
    }
    stream_use_close(&b->unparsed);
    free(b);
}
