/*
 * sighting.c - does a line show that something was done? (sighting.h)
 *
 * Most lines show nothing, and that must cost next to nothing: which rules fit a shape is remembered by the shape's hash, in a table that a newer shape may
 * overwrite. 10 ns a line, where shape itself costs some 200.
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/sighting_int.h"

#include <stdlib.h>

const char *const sighting_kinds[] = {"release", "rollback", "restart", "config", "oom", "format", "note"};
const size_t n_sighting_kinds = sizeof sighting_kinds / sizeof sighting_kinds[0];

void sight_rules_fini(struct sight_rules *r)
{
    for (uint32_t i = 0; i < SIGHT_RULES_MAX; i++) {
        matcher_free(&r->r[i].shape);
        matcher_free(&r->r[i].read);
        predicate_free(&r->r[i].when);
    }
}

static uint64_t fitting(const struct sight_rules *rules, struct match_state *state, lq_str shape)
{
    uint32_t spans[2 * (GROUP_MAX + 1)];
    uint64_t bits = 0;
    for (uint32_t i = 0; rules != NULL && i < rules->n; i++) {
        if (rules->r[i].shape != NULL && matcher_run(rules->r[i].shape, state, shape, spans) == MATCH_YES) {
            bits |= 1ULL << i;
        }
    }
    return bits;
}

static lq_str cut(lq_str s)
{
    while (s.n > SIGHTING_NAME_MAX || (s.n > 0 && (s.p[s.n - 1] == '.' || s.p[s.n - 1] == ','))) {
        s.n = s.n > SIGHTING_NAME_MAX ? SIGHTING_NAME_MAX : s.n - 1;
    }
    return s;
}

static lq_str group(lq_str text, const uint32_t *spans, uint32_t g, lq_str otherwise)
{
    bool has = g > 0 && spans[2 * g] != LOWER_UNSET && spans[2 * g + 1] > spans[2 * g];
    return has ? cut((lq_str){text.p + spans[2 * g], spans[2 * g + 1] - spans[2 * g]}) : otherwise;
}

static lq_str slot(const struct sight_line *line, uint32_t i, lq_str otherwise)
{
    bool has = i != UINT32_MAX && line->slots != NULL && line->slots[i].n > 0 && !lq_str_is(line->slots[i], "-");
    return has ? cut(line->slots[i]) : otherwise;
}

static bool is_from(const struct sight_rule *r, lq_str service)
{
    bool is = r->n_from == 0;
    for (uint32_t i = 0; i < r->n_from && !is; i++) {
        is = lq_str_is(service, r->from[i]);
    }
    return is;
}

static bool apply(const struct sight_rule *r, struct match_state *state, const struct sight_line *line, struct sighting *out)
{
    const lq_str none = {"", 0};
    uint32_t spans[2 * (GROUP_MAX + 1)];
    if (r->of != UINT32_MAX && (line->slots == NULL || line->slots[r->of].n == 0 || line->slots[r->of].p == line->slots[r->name].p)) {
        return false; /* nothing of it varies: the usual case of a path and its route */
    }
    if (!is_from(r, line->service) || (r->when != NULL && (line->slots == NULL || !predicate_true(r->when, line->slots)))) {
        return false;
    }
    *out = (struct sighting){.kind = r->kind, .confidence = (uint8_t)r->confidence, .version = r->of != UINT32_MAX};
    out->name = r->called != NULL ? lq_str_of(r->called) : slot(line, r->name, none);
    out->service = slot(line, r->service, out->version ? none : line->service);
    out->host = slot(line, r->host, line->host);
    out->of = slot(line, r->of, none);
    if (r->read != NULL) {
        lq_str head = {line->message.p, line->message.n < 2048 ? line->message.n : 2048};
        if (matcher_run(r->read, state, head, spans) != MATCH_YES) {
            return false;
        }
        out->name = group(head, spans, r->group_name, out->name);
        out->service = group(head, spans, r->group_service, out->service);
        out->host = group(head, spans, r->group_host, out->host);
    }
    return !out->version || (out->name.n > 0 && out->of.n > 0);
}

static bool first_of(const struct sight_rules *rules, uint64_t bits, bool versions, struct match_state *state, const struct sight_line *line, struct sighting *out)
{
    for (uint32_t i = 0; rules != NULL && i < rules->n; i++) {
        if ((rules->r[i].of != UINT32_MAX) == versions && ((bits >> i & 1) != 0 || rules->r[i].shape == NULL) && apply(&rules->r[i], state, line, out)) {
            return true;
        }
    }
    return false;
}

bool sight_find(const struct sight_rules *own, const struct sight_rules *common, struct sight_cache *cache, struct match_state *state,
                const struct sight_line *line, struct sighting *out)
{
    uint64_t own_bits = 0, common_bits = 0;
    if (line->shape.n > 0) {
        uint64_t hash = lq_hash(line->shape.p, line->shape.n, 0x5167) | 1;
        uint32_t i = (uint32_t)(hash >> 32) % SIGHT_CACHE;
        if (cache->slots[i].hash != hash) {
            cache->slots[i].hash = hash;
            cache->slots[i].own = fitting(own, state, line->shape);
            cache->slots[i].common = fitting(common, state, line->shape);
        }
        own_bits = cache->slots[i].own;
        common_bits = cache->slots[i].common;
    }
    return first_of(own, own_bits, false, state, line, out) || (common_bits != 0 && first_of(common, common_bits, false, state, line, out)) ||
           first_of(own, own_bits, true, state, line, out); /* versions last: nearly every line may show one */
}

/* ---- without a format ---- */

struct message_sights {
    const struct sight_rules *rules;
    struct sight_cache cache;
    struct match_state *state;
};

struct message_sights *message_sights_new(const struct format_set *s)
{
    struct message_sights *m = lq_alloc(sizeof *m);
    m->rules = s->messages != NULL ? s->messages->sights : NULL;
    m->state = match_state_new(NULL);
    return m;
}

void message_sights_free(struct message_sights **m)
{
    if (*m != NULL) {
        match_state_free(&(*m)->state);
        free(*m);
        *m = NULL;
    }
}

bool message_sight(struct message_sights *m, lq_str shape, lq_str message, lq_str host, lq_str service, struct sighting *out)
{
    struct sight_line line = {.shape = shape, .message = message, .host = host, .service = service};
    return m->rules != NULL && sight_find(NULL, m->rules, &m->cache, m->state, &line, out);
}
