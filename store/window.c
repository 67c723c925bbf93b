/*
 * window.c - one thread's open observations (window.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "schema/derive.h"
#include "schema/timefmt.h"
#include "store/process.h"
#include "store/window_int.h"

enum { FUTURE_S = 300, SERIES_CACHE_MAX = 400000, RECYCLE_AFTER_S = 86400, MASK_LINE_BYTES = 4096 };
#define SERIES_OVER (1U << 31) /* beside a series number: it is a coarser one */

enum lq_err window_new(struct store *s, struct window **out, struct lq_error *e)
{
    if (!s->o.write) {
        return lq_error_set(e, LQ_EINVAL, "store %s is open for reading", s->dir);
    }
    struct window *w = lq_alloc(sizeof *w);
    w->store = s;
    w->limit_us = clock_now_us() + FUTURE_S * US;
    *out = w;
    return LQ_OK;
}

static void window_stream_free(struct window_stream *ws)
{
    window_stream_reset(ws);
    for (uint32_t d = 0; d < DIM_MAX; d++) {
        struct window_dim *x = &ws->dims[d];
        lq_map_fini(&x->cache);
        free(x->stats);
        free(x->first_example);
        free(x->first_slot);
        for (int k = 0; k < 2; k++) {
            free(x->day_example[k]);
            free(x->day_time[k]);
            free(x->day_slot[k]);
        }
    }
    for (uint32_t i = 0; i < IDENTITY_MAX; i++) {
        free(ws->identities[i].names);
        free(ws->identities[i].hashes);
        free(ws->identity[i]);
    }
    for (uint32_t i = 0; i < MEASURE_MAX; i++) {
        free(ws->measures[i]);
    }
    lq_map_fini(&ws->series_cache);
    free(ws->series);
    free(ws->time_s);
    free(ws->measure_set);
    free(ws->examples);
    free(ws->memos);
    free(ws->memo_dims);
    free(ws->mask_scratch);
    free(ws);
}

void window_free(struct window **wp)
{
    struct window *w = *wp;
    if (w == NULL) {
        return;
    }
    for (uint32_t i = 0; i < STREAM_MAX; i++) {
        if (w->streams[i] != NULL) {
            window_stream_free(w->streams[i]);
        }
    }
    if (w->sightings != NULL) {
        window_sightings_fini(w->sightings);
        free(w->sightings);
    }
    if (w->programs != NULL) {
        window_programs_fini(w->programs);
        free(w->programs);
    }
    free(w);
    *wp = NULL;
}

void window_stream_reset(struct window_stream *ws)
{
    for (uint32_t d = 0; d < DIM_MAX; d++) {
        struct window_dim *x = &ws->dims[d];
        for (uint32_t i = 0; i < x->n; i++) {
            x->stats[i] = (struct value_stats){INT64_MAX, INT64_MIN, 0, 0};
            x->first_example[i] = INT64_MAX;
            x->day_example[0][i] = x->day_example[1][i] = INT64_MIN;
        }
        x->n = 0;
        x->last_len = UINT32_MAX;
    }
    for (uint32_t i = 0; i < IDENTITY_MAX; i++) {
        struct window_identity *x = &ws->identities[i];
        lq_map_clear(&x->ids);
        x->n = 1;
        for (uint32_t k = 0; k < LATE; k++) {
            x->late[k].n = 0;
        }
    }
    window_memos_clear(ws);
    if (ws->overflowed) {
        lq_map_fini(&ws->series_cache);
        ws->overflowed = false;
    }
    ws->n = 0;
    ws->n_examples = 0;
    ws->errors = 0;
    ws->first_us = INT64_MAX;
    ws->last_us = INT64_MIN;
}

void window_clear(struct window *w)
{
    for (uint32_t i = 0; i < STREAM_MAX; i++) {
        if (w->streams[i] != NULL) {
            window_stream_reset(w->streams[i]);
        }
    }
    if (w->sightings != NULL) {
        window_sightings_clear(w->sightings);
    }
    if (w->programs != NULL) {
        window_programs_clear(w->programs);
    }
    w->observations = 0;
    w->future = w->overflow_values = w->overflow_series = 0;
    w->limit_us = clock_now_us() + FUTURE_S * US;
}

static struct window_stream *window_stream_of(struct window *w, struct stream *st)
{
    struct window_stream *ws = w->streams[st->id];
    if (ws == NULL) {
        ws = w->streams[st->id] = lq_alloc(sizeof *ws);
        ws->stream = st;
        window_stream_reset(ws);
    }
    return ws;
}

/* Room for value id in the arrays of a dimension. */
static void touch(struct window_dim *x, uint32_t id)
{
    if (id >= x->cap) {
        size_t cap = x->cap > 0 ? x->cap : 16;
        while (cap <= id) {
            cap *= 2;
        }
        x->stats = lq_realloc(x->stats, cap * sizeof *x->stats);
        x->first_example = lq_realloc(x->first_example, cap * sizeof *x->first_example);
        x->first_slot = lq_realloc(x->first_slot, cap * sizeof *x->first_slot);
        for (int k = 0; k < 2; k++) {
            x->day_example[k] = lq_realloc(x->day_example[k], cap * sizeof *x->day_example[k]);
            x->day_time[k] = lq_realloc(x->day_time[k], cap * sizeof *x->day_time[k]);
            x->day_slot[k] = lq_realloc(x->day_slot[k], cap * sizeof *x->day_slot[k]);
        }
        x->cap = cap;
    }
    for (; x->n <= id; x->n++) {
        x->stats[x->n] = (struct value_stats){INT64_MAX, INT64_MIN, 0, 0};
        x->first_example[x->n] = INT64_MAX;
        x->day_example[0][x->n] = x->day_example[1][x->n] = INT64_MIN;
    }
}

/* The id of a value: same as last time, this thread's cache, else the store's dictionary. */
static uint32_t value_id(struct window *w, struct window_stream *ws, uint32_t d, lq_str text, const struct record *r)
{
    struct window_dim *x = &ws->dims[d];
    if (text.n == 0) {
        return VALUE_ABSENT;
    }
    if (text.n == x->last_len && lq_equal(text.p, x->last, text.n)) {
        return x->last_id;
    }
    uint64_t hash = lq_hash(text.p, text.n, 0);
    uint32_t id = lq_map_get_hashed(&x->cache, text, hash);
    if (id == LQ_MAP_NONE) {
        struct stream *st = ws->stream;
        struct dict_limits l = {w->store->o.dim_values_max, false, r->time_us - RECYCLE_AFTER_S * US};
        char masked[VALUE_BYTES_MAX + 1];
        bool plain = ws->mask == 0 || d == DIM_VERSION || d == DIM_ERROR; /* a version looks like an address */
        lq_str stored = plain ? text : mask_text(&w->store->mask, ws->mask, text, masked, VALUE_BYTES_MAX);
        pthread_mutex_lock(&w->store->lock);
        l.no_probation = (st->schema.no_cap_probation >> d & 1) != 0;
        id = dict_intern(&st->dims[d], stored, r->success, &l);
        pthread_mutex_unlock(&w->store->lock);
        if (id == VALUE_OVERFLOW) {
            w->overflow_values++;
            return id;
        }
        lq_map_add(&x->cache, text, hash, id);
    }
    if (text.n <= sizeof x->last) {
        memcpy(x->last, text.p, text.n);
        x->last_len = (uint32_t)text.n;
        x->last_id = id;
    }
    return id;
}

/* The line as it may be kept. */
static lq_str kept_line(struct window_stream *ws, const struct record *r)
{
    if (ws->mask == 0) {
        return r->line;
    }
    if (!ws->line_masked) {
        lq_str head = r->line;
        if (head.n > MASK_LINE_BYTES) { /* more is not kept in any case; a value that would be cut is left out */
            head.n = MASK_LINE_BYTES;
            while (head.n > MASK_LINE_BYTES / 2 && head.p[head.n - 1] != ' ') {
                head.n--;
            }
        }
        ws->mask_scratch = ws->mask_scratch != NULL ? ws->mask_scratch : lq_alloc(2 * MASK_LINE_BYTES);
        ws->mask_line = mask_text(&ws->stream->store->mask, ws->mask, head, ws->mask_scratch, 2 * MASK_LINE_BYTES);
        ws->line_masked = true;
    }
    return ws->mask_line;
}

static uint32_t new_example(struct window_stream *ws)
{
    lq_grow(&ws->examples, &ws->cap_examples, ws->n_examples + 1, sizeof *ws->examples);
    return (uint32_t)ws->n_examples++;
}

uint64_t window__sight_hash(struct sight *s)
{
    if (!s->hashed) {
        lq_str line = kept_line(s->ws, s->r);
        s->hash = lq_hash(line.p, line.n, 0);
        s->hashed = true;
    }
    return s->hash;
}

static void fill_example(struct window_stream *ws, uint32_t slot, uint32_t d, uint32_t id, int64_t day, struct sight *sight)
{
    const struct record *r = sight->r;
    struct example_slot *x = &ws->examples[slot];
    char scratch[EXAMPLE_BYTES_MAX + 16];
    lq_str line = kept_line(ws, r), text = derive_clean(line, scratch, EXAMPLE_BYTES_MAX);
    x->time_us = r->time_us;
    x->hash = window__sight_hash(sight);
    x->dim = d;
    x->value = id;
    x->day = day;
    x->kind = day == INT64_MIN ? EXAMPLE_FIRST : sight->r->error ? EXAMPLE_ERROR : EXAMPLE_CALM;
    x->text_len = (uint32_t)text.n;
    memcpy(x->text, text.p, text.n);
}

/* Earlier, or as early with a smaller hash. */
static bool better(const struct window_stream *ws, uint32_t slot, struct sight *s)
{
    const struct example_slot *x = &ws->examples[slot];
    return s->r->time_us < x->time_us || window__sight_hash(s) < x->hash;
}

static void examples_of(struct window_stream *ws, uint32_t d, uint32_t id, struct sight *sight)
{
    const struct record *r = sight->r;
    struct window_dim *x = &ws->dims[d];
    if (r->time_us <= x->first_example[id]) {
        bool fresh = x->first_example[id] == INT64_MAX;
        if (fresh || better(ws, x->first_slot[id], sight)) {
            if (fresh) {
                x->first_slot[id] = new_example(ws);
            }
            fill_example(ws, x->first_slot[id], d, id, INT64_MIN, sight);
            x->first_example[id] = r->time_us;
        }
    }
    if (!r->error && !x->messages) {
        return;
    }
    int64_t day = tier_period_of(TIER_1H, r->time_us / US);
    int k = r->error;
    bool same_day = x->day_example[k][id] == day;
    if (same_day && (r->time_us > x->day_time[k][id] || !better(ws, x->day_slot[k][id], sight))) {
        return;
    }
    if (!same_day) {
        x->day_slot[k][id] = new_example(ws); /* several of one day are settled at the flush */
    }
    fill_example(ws, x->day_slot[k][id], d, id, day, sight);
    x->day_example[k][id] = day;
    x->day_time[k][id] = r->time_us;
}

static uint32_t series_of(struct window *w, struct window_stream *ws, const uint32_t ids[DIM_MAX], int64_t time_us)
{
    lq_str key = {(const char *)ids, ws->n_dims * sizeof *ids}; /* the rest is absent */
    uint64_t hash = lq_hash(key.p, key.n, 0);
    uint32_t series = lq_map_get_hashed(&ws->series_cache, key, hash);
    if (series == LQ_MAP_NONE) {
        bool over;
        pthread_mutex_lock(&w->store->lock);
        series = stream_series(ws->stream, ids, time_us, &over);
        pthread_mutex_unlock(&w->store->lock);
        ws->overflowed = ws->overflowed || over;
        series |= over ? SERIES_OVER : 0;
        if (ws->series_cache.n < SERIES_CACHE_MAX) {
            lq_map_add(&ws->series_cache, key, hash, series);
        }
    }
    return series;
}

static uint32_t new_identity(struct window_identity *x, lq_str name, uint64_t hash)
{
    uint32_t id = lq_map_get_hashed(&x->ids, name, hash);
    if (id == LQ_MAP_NONE) {
        id = x->n++;
        lq_grow(&x->names, &x->cap_names, x->n, sizeof *x->names);
        lq_grow(&x->hashes, &x->cap_hashes, x->n, sizeof *x->hashes);
        x->names[id] = (lq_str){lq_map_add(&x->ids, name, hash, id), name.n};
        x->hashes[id] = hash;
    }
    return id;
}

/* Known by the text of the line, kept by what may be kept of it. */
static uint32_t local_identity(struct window_stream *ws, uint32_t k, lq_str name, uint64_t hash)
{
    struct window_identity *x = &ws->identities[k];
    char scratch[VALUE_BYTES_MAX + 1];
    if (ws->mask == 0) {
        return new_identity(x, name, hash);
    }
    uint32_t id = lq_map_get_hashed(&x->ids, name, hash);
    if (id == LQ_MAP_NONE) {
        lq_str kept = mask_text(&ws->stream->store->mask, ws->mask, name, scratch, VALUE_BYTES_MAX);
        if (kept.p == name.p) {
            return new_identity(x, name, hash);
        }
        id = new_identity(x, kept, lq_hash(kept.p, kept.n, 0));
        lq_map_add(&x->ids, name, hash, id);
    }
    return id;
}

static void settle_late(struct window_stream *ws, uint32_t k, struct late_identity *x)
{
    if (x->n > 0) {
        ws->identity[k][x->row] = local_identity(ws, k, (lq_str){x->text, x->n}, x->hash);
        x->n = 0;
    }
}

/* The identity of the observation that is appended next; its place in the log must be there. */
static void observe_identity(struct window_stream *ws, uint32_t k, lq_str text)
{
    struct window_identity *x = &ws->identities[k];
    uint64_t hash = lq_hash(text.p, text.n, 0);
    if (text.n > LATE_BYTES_MAX) {
        ws->identity[k][ws->n] = local_identity(ws, k, text, hash);
        return;
    }
    lq_map_prefetch(&x->ids, hash);
    const struct late_identity *earlier = &x->late[(x->next_late + LATE - LATE_KEY) % LATE];
    struct late_identity *slot = &x->late[x->next_late++ % LATE];
    if (earlier->n > 0) {
        lq_map_prefetch_key(&x->ids, earlier->hash);
    }
    settle_late(ws, k, slot);
    *slot = (struct late_identity){.hash = hash, .row = ws->n, .n = (uint16_t)text.n};
    memcpy(slot->text, text.p, text.n);
}

/* Room for `more` observations, with at least so many measures and identities. */
static void reserve_log(struct window_stream *ws, uint32_t more, uint32_t n_measures, uint32_t n_identities)
{
    bool wider = n_measures > ws->n_measures || n_identities > ws->n_identities;
    if (ws->n + more <= ws->cap && !wider) {
        return;
    }
    size_t cap = ws->cap > 0 ? ws->cap : 4096;
    while (cap < ws->n + (size_t)more) {
        cap *= 2;
    }
    ws->n_measures = n_measures > ws->n_measures ? n_measures : ws->n_measures;
    ws->series = lq_realloc(ws->series, cap * sizeof *ws->series);
    ws->time_s = lq_realloc(ws->time_s, cap * sizeof *ws->time_s);
    ws->measure_set = lq_realloc(ws->measure_set, cap);
    for (uint32_t i = 0; i < ws->n_measures; i++) {
        ws->measures[i] = lq_realloc(ws->measures[i], cap * sizeof *ws->measures[i]);
    }
    uint32_t before = ws->n_identities;
    ws->n_identities = n_identities > before ? n_identities : before;
    for (uint32_t i = 0; i < ws->n_identities; i++) {
        ws->identity[i] = lq_realloc(ws->identity[i], cap * sizeof *ws->identity[i]);
        if (i >= before) {
            memset(ws->identity[i], 0, ws->n * sizeof *ws->identity[i]);
        }
    }
    ws->cap = cap;
}

static void append_log(struct window_stream *ws, const struct stream_use *u, const struct record *r, uint32_t series)
{
    uint32_t i = ws->n;
    uint8_t set = 0;
    for (uint32_t m = 0; m < u->schema.n_measures; m++) {
        if ((r->measure_set >> m & 1) != 0) {
            ws->measures[u->measure_to[m]][i] = r->measures[m];
            set |= (uint8_t)(1U << u->measure_to[m]);
        }
    }
    int64_t s = r->time_us / US;
    ws->time_s[i] = r->time_us % US < 0 ? s - 1 : s;
    ws->series[i] = series;
    ws->measure_set[i] = set;
    ws->n++;
}

void window_receive(struct window *w, int64_t now_us)
{
    w->limit_us = now_us + FUTURE_S * US;
}

void window_stream_settle(struct window_stream *ws)
{
    window_memos_settle(ws);
    for (uint32_t k = 0; k < ws->n_identities; k++) {
        for (uint32_t i = 0; i < LATE; i++) {
            settle_late(ws, k, &ws->identities[k].late[i]);
        }
    }
}

/* ---- observe ---- */

static void observe_dims(struct window *w, struct window_stream *ws, const struct stream_use *u, struct sight *sight, uint32_t ids[DIM_MAX])
{
    const struct record *r = sight->r;
    for (uint32_t i = 0; i < u->schema.n_dims; i++) {
        uint32_t d = u->dim_to[i];
        uint32_t id = ids[d] = value_id(w, ws, d, r->dims[i], r);
        if (id == VALUE_ABSENT) {
            continue;
        }
        struct window_dim *x = &ws->dims[d];
        touch(x, id);
        struct value_stats *s = &x->stats[id];
        s->first_us = r->time_us < s->first_us ? r->time_us : s->first_us;
        s->last_us = r->time_us > s->last_us ? r->time_us : s->last_us;
        s->count++;
        s->flags |= r->success ? VALUE_SUCCEEDED : 0;
        if (r->error || x->messages || r->time_us <= x->first_example[id]) {
            examples_of(ws, d, id, sight);
        }
    }
}

/* The series of a record, and its dimensions' statistics and examples. */
static uint32_t observe_series(struct window *w, struct window_stream *ws, const struct stream_use *u,
                               const struct record *r)
{
    struct window_memo *m = r->memo != 0 ? window_memo_of(ws, r->memo) : NULL;
    struct sight sight = {.ws = ws, .r = r};
    if (m != NULL && m->memo == r->memo && window_memo_covers(m, &sight)) {
        m->last_us = r->time_us > m->last_us ? r->time_us : m->last_us;
        m->count++;
        return m->series;
    }
    uint32_t ids[DIM_MAX] = {0};
    observe_dims(w, ws, u, &sight, ids);
    uint32_t series = series_of(w, ws, ids, r->time_us);
    if ((series & SERIES_OVER) != 0) {
        w->overflow_series++;
        return series & ~(uint32_t)SERIES_OVER;
    }
    if (m != NULL) {
        window_memo_take(ws, &sight, ids, series);
    }
    return series;
}

void window_observe(struct window *w, struct stream_use *u, const struct record *record)
{
    struct window_stream *ws = window_stream_of(w, u->stream);
    struct record limited;
    ws->mask = w->store->mask.kinds | u->schema.mask;
    ws->line_masked = false;
    const struct record *r = record;
    if (r->time_us > w->limit_us) {
        limited = *record;
        limited.time_us = w->limit_us - FUTURE_S * US;
        r = &limited;
        w->future++;
    }
    if (r->memo != 0) {
        __builtin_prefetch(window_memo_of(ws, r->memo), 1);
    }
    for (; ws->n_dims < u->n_dims; ws->n_dims++) {
        ws->dims[ws->n_dims].messages = strcmp(ws->stream->schema.dims[ws->n_dims], "template") == 0;
        ws->messages = ws->messages || ws->dims[ws->n_dims].messages;
    }
    reserve_log(ws, 1, u->n_measures, u->n_identities);
    for (uint32_t k = 0; k < ws->n_identities; k++) {
        ws->identity[k][ws->n] = 0;
    }
    for (uint32_t k = 0; k < u->schema.n_identities; k++) {
        if (r->identities[k].n > 0) {
            observe_identity(ws, u->identity_to[k], r->identities[k]);
        }
    }
    ws->first_us = r->time_us < ws->first_us ? r->time_us : ws->first_us;
    ws->last_us = r->time_us > ws->last_us ? r->time_us : ws->last_us;
    ws->errors += r->error;
    uint32_t series = observe_series(w, ws, u, r);
    append_log(ws, u, r, series);
    if (r->sighting != NULL) {
        w->sightings = w->sightings != NULL ? w->sightings : lq_alloc(sizeof *w->sightings);
        window_sightings_add(w->sightings, r->sighting, r->time_us, kept_line(ws, r), &w->store->mask, ws->mask);
    }
    if (r->pid != 0 && r->dims[DIM_SERVICE].n > 0) {
        w->programs = w->programs != NULL ? w->programs : lq_alloc(sizeof *w->programs);
        window_programs_add(w->programs, r->dims[DIM_HOST], r->dims[DIM_SERVICE], r->pid, r->time_us, &w->store->mask, ws->mask);
    }
    __atomic_store_n(&w->observations, w->observations + 1, __ATOMIC_RELAXED); /* a load looks at it from outside */
}

void window_sight(struct window *w, const struct sighting *x, int64_t time_us, lq_str line, unsigned mask)
{
    char scratch[MASK_LINE_BYTES];
    mask |= w->store->mask.kinds;
    line.n = line.n < MASK_LINE_BYTES / 2 ? line.n : MASK_LINE_BYTES / 2;
    line = mask != 0 ? mask_text(&w->store->mask, mask, line, scratch, sizeof scratch) : line;
    w->sightings = w->sightings != NULL ? w->sightings : lq_alloc(sizeof *w->sightings);
    window_sightings_add(w->sightings, x, time_us < w->limit_us ? time_us : w->limit_us - FUTURE_S * US, line, &w->store->mask, mask);
}

uint32_t window_observations(const struct window *w)
{
    return __atomic_load_n(&w->observations, __ATOMIC_RELAXED);
}

size_t window_bytes(const struct window *w)
{
    size_t n = sizeof *w;
    for (uint32_t i = 0; i < STREAM_MAX; i++) {
        const struct window_stream *ws = w->streams[i];
        if (ws == NULL) {
            continue;
        }
        n += sizeof *ws + ws->cap * (13 + 8 * (size_t)ws->n_measures + 4 * (size_t)ws->n_identities);
        n += ws->cap_examples * sizeof *ws->examples;
        for (uint32_t k = 0; k < IDENTITY_MAX; k++) {
            n += ws->identities[k].ids.keys.total + ws->identities[k].ids.mask * sizeof(struct lq_map_slot);
        }
    }
    return n;
}

/* The identities of `from` among those of `to`: by local id. */
static uint32_t *map_identities(struct window_identity *to, const struct window_identity *from)
{
    uint32_t *map = lq_alloc((from->n + 1) * sizeof *map);
    for (uint32_t i = 1; i < from->n; i++) {
        map[i] = new_identity(to, from->names[i], from->hashes[i]);
    }
    return map;
}

void window_stream_absorb(struct window_stream *to, struct window_stream *from)
{
    uint32_t n = to->n, more = from->n;
    if (more == 0) {
        return;
    }
    reserve_log(to, more, from->n_measures, from->n_identities);
    memcpy(to->series + n, from->series, more * sizeof *to->series);
    memcpy(to->time_s + n, from->time_s, more * sizeof *to->time_s);
    memcpy(to->measure_set + n, from->measure_set, more);
    for (uint32_t m = 0; m < from->n_measures; m++) {
        memcpy(to->measures[m] + n, from->measures[m], more * sizeof *to->measures[m]);
    }
    for (uint32_t k = 0; k < to->n_identities; k++) {
        if (k >= from->n_identities) {
            memset(to->identity[k] + n, 0, more * sizeof *to->identity[k]);
            continue;
        }
        uint32_t *map = map_identities(&to->identities[k], &from->identities[k]);
        for (uint32_t i = 0; i < more; i++) {
            to->identity[k][n + i] = map[from->identity[k][i]];
        }
        free(map);
    }
    to->n += more;
}
