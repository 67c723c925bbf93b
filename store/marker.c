/*
 * marker.c - markers recorded, and sightings kept (marker.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/marker.h"

#include <stdlib.h>

#include "schema/derive.h"

#define MINUTE_US (60 * US)

void marker_encode(const struct marker *m, struct lq_buf *out)
{
    const lq_str fields[] = {m->kind, m->name, m->host, m->service, m->text};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        record_put(out, fields[i]);
    }
}

void sighting_encode(const struct sighted *s, struct lq_buf *out)
{
    const struct marker m = {.kind = s->kind, .name = s->name, .host = s->host, .service = s->service, .text = s->text};
    marker_encode(&m, out);
    lq_buf_byte(out, s->flags);
    lq_buf_byte(out, s->confidence);
    record_put(out, s->of);
    lq_buf_varint(out, lq_zigzag(s->first_us));
    lq_buf_varint(out, lq_zigzag(s->last_us));
    lq_buf_varint(out, s->count);
}

bool marker_decode(lq_str value, struct sighted *s)
{
    const uint8_t *p = (const uint8_t *)value.p, *end = p + value.n;
    lq_str *fields[] = {&s->kind, &s->name, &s->host, &s->service, &s->text};
    uint64_t first, last;
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (!record_get(&p, end, fields[i])) {
            return false;
        }
    }
    if (p == end) {
        return true;
    }
    if (end - p < 2) {
        return false;
    }
    s->flags = *p++;
    s->confidence = *p++;
    if (!record_get(&p, end, &s->of) || !lq_varint_get(&p, end, &first) || !lq_varint_get(&p, end, &last) || !lq_varint_get(&p, end, &s->count)) {
        return false;
    }
    s->first_us = lq_unzigzag(first);
    s->last_us = lq_unzigzag(last);
    return true;
}

/* The earlier one, and of two as early the one with the smaller text, gives time and text. */
static void merge(struct sighted *to, const struct sighted *from)
{
    if (from->first_us < to->first_us || (from->first_us == to->first_us && lq_str_cmp(from->text, to->text) < 0)) {
        to->first_us = from->first_us;
        to->text = from->text;
    }
    to->last_us = from->last_us > to->last_us ? from->last_us : to->last_us;
    to->count += from->count;
    to->confidence = from->confidence > to->confidence ? from->confidence : to->confidence;
}

static int64_t minute_of(int64_t us)
{
    int64_t m = us / MINUTE_US * MINUTE_US;
    return us < m ? m - MINUTE_US : m;
}

/* What it is, and for a deed its minute: bytes that are equal for what is merged. */
static void identity_of(const struct sighted *s, struct lq_buf *out)
{
    const lq_str fields[] = {s->kind, s->name, s->of, s->host, s->service};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        record_put(out, fields[i]);
    }
    lq_buf_byte(out, s->flags);
    lq_buf_varint(out, (s->flags & SIGHTING_VERSION) != 0 ? 0 : lq_zigzag(minute_of(s->first_us)));
}

/* ---- a window's ---- */

/* Valid UTF-8 of bounded length, masked. */
static lq_str kept(const struct masker *m, unsigned mask, lq_str s, char scratch[2][SIGHTING_NAME_MAX + 16])
{
    s = mask != 0 ? mask_text(m, mask, s, scratch[0], SIGHTING_NAME_MAX) : s;
    return derive_clean(s, scratch[1], SIGHTING_NAME_MAX);
}

void window_sightings_add(struct window_sightings *w, const struct sighting *x, int64_t time_us, lq_str line, const struct masker *m, unsigned mask)
{
    char text[SIGHTING_TEXT_MAX + 16], scratch[4][2][SIGHTING_NAME_MAX + 16];
    const char *nl = line.n > 0 ? memchr(line.p, '\n', line.n) : NULL;
    struct sighted s = {.kind = lq_str_of(x->kind), .confidence = x->confidence, .first_us = time_us, .last_us = time_us, .count = 1};
    bool of_host = (x->of.n > 0 && lq_str_eq(x->of, x->host)) || strcmp(x->kind, "format") == 0; /* else the hosts that serve it are not what a version is of */
    s.flags = SIGHTING_INFERRED | (x->version ? SIGHTING_VERSION : 0);
    s.name = kept(m, mask & ~(unsigned)MASK_IP, x->name, scratch[0]); /* a version looks like an address */
    s.of = kept(m, mask, x->of, scratch[1]);
    s.host = kept(m, mask, x->version && !of_host ? (lq_str){"", 0} : x->host, scratch[2]);
    s.service = kept(m, mask, x->service, scratch[3]);
    s.text = derive_clean((lq_str){line.p, nl != NULL ? (size_t)(nl - line.p) : line.n}, text, SIGHTING_TEXT_MAX);
    lq_buf_clear(&w->key);
    identity_of(&s, &w->key);
    lq_str key = {w->key.p, w->key.n};
    uint32_t i = lq_map_get(&w->ids, key);
    if (i != LQ_MAP_NONE) {
        lq_str room = w->s[i].text;
        merge(&w->s[i], &s);
        if (w->s[i].text.p == s.text.p) { /* its text instead, in the same place */
            memcpy((char *)room.p, s.text.p, s.text.n);
            w->s[i].text.p = room.p;
        }
    } else if (w->n == WINDOW_SIGHTINGS_MAX) {
        w->overflowed++;
    } else {
        lq_str *fields[] = {&s.name, &s.of, &s.host, &s.service};
        for (size_t k = 0; k < sizeof fields / sizeof fields[0]; k++) {
            *fields[k] = fields[k]->n > 0 ? lq_arena_str(&w->mem, *fields[k]) : (lq_str){"", 0};
        }
        char *room = lq_arena_alloc(&w->mem, sizeof text);
        memcpy(room, s.text.p, s.text.n);
        s.text.p = room;
        lq_map_set(&w->ids, key, (uint32_t)w->n);
        lq_grow(&w->s, &w->cap, w->n + 1, sizeof *w->s);
        w->s[w->n++] = s;
    }
}

void window_sightings_clear(struct window_sightings *w)
{
    lq_map_fini(&w->ids);
    lq_arena_reset(&w->mem);
    w->n = 0;
    w->overflowed = 0;
}

void window_sightings_fini(struct window_sightings *w)
{
    lq_map_fini(&w->ids);
    lq_arena_fini(&w->mem);
    lq_buf_fini(&w->key);
    free(w->s);
}

/* ---- the store's ---- */

static enum lq_err count_versions(struct engine_txn *t, uint32_t *n, struct lq_error *e)
{
    struct engine_cursor *c = NULL;
    struct key_buf k = {{0}, 0};
    lq_str key, value;
    key_i64(&k, INT64_MIN);
    *n = 0;
    enum lq_err err = engine_cursor_open(t, DB_MARKER, &c, e);
    for (err = err == LQ_OK ? engine_seek(c, key_str(&k), &key, &value, e) : err; err == LQ_OK; err = engine_next(c, &key, &value, e)) {
        if (key_get_i64((const uint8_t *)key.p) != INT64_MIN) {
            break;
        }
        ++*n;
    }
    engine_cursor_close(&c);
    return err == LQ_ENOENT ? LQ_OK : err;
}

static enum lq_err put_one(struct engine_txn *t, struct sighted s, uint32_t *versions, uint64_t *overflowed, struct lq_error *e)
{
    struct lq_buf b = {0};
    struct key_buf k = {{0}, 0};
    struct sighted old;
    lq_str stored;
    bool version = (s.flags & SIGHTING_VERSION) != 0;
    identity_of(&s, &b);
    key_i64(&k, version ? INT64_MIN : minute_of(s.first_us));
    key_i64(&k, (int64_t)lq_hash(b.p, b.n, 0x5163));
    enum lq_err err = engine_get_sealed(t, DB_MARKER, key_str(&k), &stored, e);
    bool fresh = err == LQ_ENOENT;
    if (err == LQ_OK && marker_decode(stored, &old)) {
        merge(&s, &old);
    }
    lq_buf_clear(&b);
    if (fresh && version && *versions == UINT32_MAX) {
        err = count_versions(t, versions, e);
        err = err == LQ_OK ? LQ_ENOENT : err;
    }
    if (fresh && version && err == LQ_ENOENT && *versions >= VERSIONS_MAX) {
        ++*overflowed;
        err = LQ_OK;
    } else if (err == LQ_OK || err == LQ_ENOENT) {
        *versions += fresh && version;
        sighting_encode(&s, &b);
        err = engine_put_sealed(t, DB_MARKER, key_str(&k), (lq_str){b.p, b.n}, e);
    }
    lq_buf_fini(&b);
    return err;
}

enum lq_err sightings_put(struct engine_txn *t, const struct window_sightings *w, uint64_t *overflowed, struct lq_error *e)
{
    enum lq_err err = LQ_OK;
    uint32_t versions = UINT32_MAX;
    for (size_t i = 0; i < w->n && err == LQ_OK; i++) {
        err = put_one(t, w->s[i], &versions, overflowed, e);
    }
    *overflowed += w->overflowed;
    return err;
}

enum lq_err store_marker_add(struct store *s, const struct marker *m, struct lq_error *e)
{
    struct engine_txn *t = NULL;
    struct lq_buf b = {0};
    struct key_buf k = {{0}, 0};
    lq_str old;
    marker_encode(m, &b);
    enum lq_err err = engine_begin(s->engine, true, &t, e);
    for (uint32_t n = 0; err == LQ_OK; n++) {
        k.n = 0;
        key_i64(&k, m->time_us);
        key_u32(&k, n);
        err = engine_get(t, DB_MARKER, key_str(&k), &old, e);
    }
    if (err == LQ_ENOENT) {
        err = engine_put_sealed(t, DB_MARKER, key_str(&k), (lq_str){b.p, b.n}, e);
    }
    if (err == LQ_OK) {
        err = engine_commit(&t, e);
    }
    engine_abort(&t);
    lq_buf_fini(&b);
    return err;
}
