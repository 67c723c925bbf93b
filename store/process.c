/*
 * process.c - which processes of a program wrote (process.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/process.h"

#include <stdlib.h>

static int64_t day_of(int64_t us)
{
    int64_t d = us / DAY_US * DAY_US;
    return us < d ? d - DAY_US : d;
}

static void add(struct program *x, const struct process *p)
{
    uint32_t i = 0;
    if (x->n > PROCESSES_MAX) {
        return;
    }
    while (i < x->n && x->p[i].pid < p->pid) {
        i++;
    }
    if (i < x->n && x->p[i].pid == p->pid) {
        struct process *q = &x->p[i];
        q->first_us = p->first_us < q->first_us ? p->first_us : q->first_us;
        q->last_us = p->last_us > q->last_us ? p->last_us : q->last_us;
        q->count += p->count;
        return;
    }
    if (x->n < PROCESSES_MAX) {
        memmove(x->p + i + 1, x->p + i, (x->n - i) * sizeof *x->p);
        x->p[i] = *p;
    }
    x->n++;
}

void program_merge(struct program *to, const struct program *from)
{
    if (from->n > PROCESSES_MAX) {
        to->n = from->n;
    }
    for (uint32_t i = 0; i < from->n && i < PROCESSES_MAX; i++) {
        add(to, &from->p[i]);
    }
}

/* ---- a window's ---- */

static lq_str kept(struct lq_arena *mem, const struct masker *m, unsigned mask, lq_str s)
{
    char scratch[VALUE_BYTES_MAX + 16];
    s.n = s.n < SIGHTING_NAME_MAX ? s.n : SIGHTING_NAME_MAX;
    s = mask != 0 ? mask_text(m, mask, s, scratch, SIGHTING_NAME_MAX) : s;
    return s.n > 0 ? lq_arena_str(mem, s) : (lq_str){"", 0};
}

void window_programs_add(struct window_programs *w, lq_str host, lq_str service, uint64_t pid, int64_t time_us, const struct masker *m, unsigned mask)
{
    struct process one = {.pid = pid, .count = 1, .first_us = time_us, .last_us = time_us};
    int64_t day_us = day_of(time_us);
    struct program *before = w->n > 0 && mask == 0 ? &w->p[w->last] : NULL; /* its names are those of the lines */
    if (before != NULL && before->day_us == day_us && lq_str_eq(before->service, service) && lq_str_eq(before->host, host)) {
        add(before, &one);
        return;
    }
    uint64_t hash = lq_hash(service.p, service.n, lq_hash(host.p, host.n, (uint64_t)day_us));
    lq_str key = {(const char *)&hash, sizeof hash};
    uint32_t i = lq_map_get_hashed(&w->ids, key, hash);
    if (i == LQ_MAP_NONE && w->n == WINDOW_PROGRAMS_MAX) {
        w->overflowed++;
        return;
    }
    if (i == LQ_MAP_NONE) {
        i = (uint32_t)w->n;
        (void)lq_map_add(&w->ids, key, hash, i);
        lq_grow(&w->p, &w->cap, w->n + 1, sizeof *w->p);
        w->p[w->n++] = (struct program){.host = kept(&w->mem, m, mask, host), .service = kept(&w->mem, m, mask, service), .day_us = day_us};
    }
    w->last = i;
    add(&w->p[i], &one);
}

void window_programs_clear(struct window_programs *w)
{
    lq_map_fini(&w->ids);
    lq_arena_reset(&w->mem);
    w->n = w->last = 0;
    w->overflowed = 0;
}

void window_programs_fini(struct window_programs *w)
{
    lq_map_fini(&w->ids);
    lq_arena_fini(&w->mem);
    free(w->p);
}

/* ---- the store's ---- */

void program_encode(const struct program *x, struct lq_buf *text)
{
    if (x->n > PROCESSES_MAX) {
        lq_buf_byte(text, 0);
        return;
    }
    for (uint32_t i = 0; i < x->n; i++) {
        lq_buf_varint(text, x->p[i].pid);
        lq_buf_varint(text, lq_zigzag(x->p[i].first_us));
        lq_buf_varint(text, lq_zigzag(x->p[i].last_us));
        lq_buf_varint(text, x->p[i].count);
    }
}

bool program_decode(const struct sighted *s, struct program *out)
{
    const uint8_t *p = (const uint8_t *)s->text.p, *end = p + s->text.n;
    *out = (struct program){.host = s->host, .service = s->service, .day_us = day_of(s->first_us)};
    if (s->text.n == 1 && *p == 0) {
        out->n = PROCESSES_MAX + 1;
        return true;
    }
    while (p < end && out->n < PROCESSES_MAX) {
        struct process *q = &out->p[out->n++];
        uint64_t first, last;
        if (!lq_varint_get(&p, end, &q->pid) || !lq_varint_get(&p, end, &first) || !lq_varint_get(&p, end, &last) || !lq_varint_get(&p, end, &q->count)) {
            return false;
        }
        q->first_us = lq_unzigzag(first);
        q->last_us = lq_unzigzag(last);
    }
    return p == end;
}

/* Programs of a day in the store already: what names itself anew with each line must not fill the disk. */
static enum lq_err count_day(struct engine_txn *t, int64_t day_us, uint32_t *n, struct lq_error *e)
{
    struct engine_cursor *c = NULL;
    struct key_buf k = {{0}, 0};
    lq_str key, value;
    key_i64(&k, day_us);
    *n = 0;
    enum lq_err err = engine_cursor_open(t, DB_MARKER, &c, e);
    for (err = err == LQ_OK ? engine_seek(c, key_str(&k), &key, &value, e) : err; err == LQ_OK; err = engine_next(c, &key, &value, e)) {
        if (key_get_i64((const uint8_t *)key.p) != day_us) {
            break;
        }
        ++*n;
    }
    engine_cursor_close(&c);
    return err == LQ_ENOENT ? LQ_OK : err;
}

static enum lq_err put_one(struct engine_txn *t, const struct program *x, uint64_t *overflowed, struct lq_error *e)
{
    struct program all = *x, old;
    struct sighted s = {.kind = LQ_STR("process"), .host = x->host, .service = x->service, .flags = SIGHTING_INFERRED | SIGHTING_PROCESS, .first_us = x->day_us, .last_us = x->day_us,
                        .count = 1},
                   before;
    struct key_buf k = {{0}, 0};
    struct lq_buf text = {0}, value = {0};
    lq_str stored;
    uint32_t n = 0;
    key_i64(&k, x->day_us);
    key_i64(&k, (int64_t)lq_hash(x->service.p, x->service.n, lq_hash(x->host.p, x->host.n, 0x9d1d)));
    enum lq_err err = engine_get_sealed(t, DB_MARKER, key_str(&k), &stored, e);
    if (err == LQ_OK && marker_decode(stored, &before) && program_decode(&before, &old)) {
        program_merge(&all, &old);
    }
    if (err == LQ_ENOENT) {
        err = count_day(t, x->day_us, &n, e);
    }
    if (err == LQ_OK && n >= DAY_PROGRAMS_MAX) {
        ++*overflowed;
    } else if (err == LQ_OK) {
        program_encode(&all, &text);
        s.text = (lq_str){text.p, text.n};
        sighting_encode(&s, &value);
        err = engine_put_sealed(t, DB_MARKER, key_str(&k), (lq_str){value.p, value.n}, e);
    }
    lq_buf_fini(&text);
    lq_buf_fini(&value);
    return err;
}

enum lq_err programs_put(struct engine_txn *t, const struct window_programs *w, uint64_t *overflowed, struct lq_error *e)
{
    enum lq_err err = LQ_OK;
    for (size_t i = 0; i < w->n && err == LQ_OK; i++) {
        err = put_one(t, &w->p[i], overflowed, e);
    }
    *overflowed += w->overflowed;
    return err;
}
