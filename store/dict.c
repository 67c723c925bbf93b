/*
 * dict.c - dictionaries of values, series and marginals of a stream
 *
 * Caps that do not blind: a dimension keeps `values_max` live values. Values that were only ever seen in unsuccessful records are on
 * probation and share a quarter of the slots, so that a scanner's random 404 paths cannot push out real routes. When all slots are taken, a
 * value that succeeds takes the slot of the live value unused for longest (by event time, at least a day). Ids are never reused: old data
 * keep their meaning. What is not admitted is filed under "(overflow)" and counted.
 *
 * So with series: `series_max` counts those that were used within SERIES_LIVE_DAYS before the newest event, so that the series of old releases do not
 * keep out those of the next one; SERIES_TOTAL times as many may exist. Over the cap a combination keeps the values of the dimensions that have few of
 * them (host, version, status, level) and loses those that have many (route, template); for such there is a COARSE_SHARE-th of room, and at last
 * everything but `error` is "(overflow)".
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "schema/timefmt.h"
#include "store/store_int.h"

enum { PROBATION_SHARE = 4, VALUE_RETIRED = 2, SERIES_LIVE_DAYS = 2, SERIES_TOTAL = 4, COARSE_VALUES_MAX = 64, COARSE_SHARE = 4 };

static uint32_t add_value(struct dict *d, lq_str text, uint64_t hash)
{
    uint32_t id = d->n;
    lq_grow(&d->text, &d->cap_text, id + 1, sizeof *d->text);
    lq_grow(&d->text_len, &d->cap_len, id + 1, sizeof *d->text_len);
    lq_grow(&d->stats, &d->cap_stats, id + 1, sizeof *d->stats);
    size_t chunks = d->cap_dirty;
    lq_grow(&d->dirty, &d->cap_dirty, id / DICT_CHUNK + 1, 1);
    if (d->cap_dirty > chunks) {
        memset(d->dirty + chunks, 0, d->cap_dirty - chunks);
    }
    d->text[id] = lq_map_add(&d->ids, text, hash, id);
    d->text_len[id] = (uint32_t)text.n;
    d->stats[id] = (struct value_stats){INT64_MAX, INT64_MIN, 0, 0};
    d->dirty[id / DICT_CHUNK] |= DIRTY_VALUES;
    d->n++;
    return id;
}

void dict_init(struct dict *d)
{
    static const char *const fixed[] = {"", "(overflow)"};
    for (uint32_t i = VALUE_ABSENT; i <= VALUE_OVERFLOW; i++) {
        lq_str s = lq_str_of(fixed[i]);
        add_value(d, s, lq_hash(s.p, s.n, 0));
    }
}

void dict_fini(struct dict *d)
{
    lq_map_fini(&d->ids);
    free(d->text);
    free(d->text_len);
    free(d->stats);
    free(d->dirty);
    memset(d, 0, sizeof *d);
}

/* Retire the live value that was used longest ago, if that is long enough. */
static bool recycle(struct dict *d, int64_t before_us)
{
    uint32_t oldest = 0;
    int64_t at = before_us;
    for (uint32_t i = VALUE_OVERFLOW + 1; i < d->n; i++) {
        if ((d->stats[i].flags & VALUE_RETIRED) == 0 && d->stats[i].last_us < at && d->stats[i].count > 0) {
            at = d->stats[i].last_us;
            oldest = i;
        }
    }
    if (oldest == 0) {
        return false;
    }
    struct value_stats *s = &d->stats[oldest];
    d->on_probation -= (s->flags & VALUE_SUCCEEDED) == 0;
    d->live--;
    s->flags |= VALUE_RETIRED;
    d->dirty[oldest / DICT_CHUNK] |= DIRTY_VALUES;
    return true;
}

uint32_t dict_intern(struct dict *d, lq_str text, bool success, const struct dict_limits *l)
{
    uint64_t hash = lq_hash(text.p, text.n, 0);
    uint32_t id = lq_map_get_hashed(&d->ids, text, hash);
    if (id != LQ_MAP_NONE && (d->stats[id].flags & VALUE_RETIRED) == 0) {
        return id;
    }
    bool probation = !success && !l->no_probation;
    if (probation && d->on_probation >= l->values_max / PROBATION_SHARE) {
        return VALUE_OVERFLOW;
    }
    if (d->live >= l->values_max && !(success && recycle(d, l->recycle_before_us))) {
        return VALUE_OVERFLOW;
    }
    if (id == LQ_MAP_NONE) {
        id = add_value(d, text, hash);
    }
    d->stats[id].flags = probation ? 0 : VALUE_SUCCEEDED;
    d->dirty[id / DICT_CHUNK] |= DIRTY_VALUES;
    d->live++;
    d->on_probation += probation;
    return id;
}

void dict_merge_stats(struct dict *d, uint32_t id, const struct value_stats *s)
{
    struct value_stats *t = &d->stats[id];
    t->first_us = s->first_us < t->first_us ? s->first_us : t->first_us;
    t->last_us = s->last_us > t->last_us ? s->last_us : t->last_us;
    t->count += s->count;
    if ((s->flags & ~t->flags & VALUE_SUCCEEDED) != 0 && id > VALUE_OVERFLOW) {
        t->flags |= VALUE_SUCCEEDED;
        d->on_probation -= d->on_probation > 0;
    }
    d->dirty[id / DICT_CHUNK] |= DIRTY_STATS;
}

void dict_take_stats(struct dict *d, uint32_t id, const struct value_stats *s)
{
    struct value_stats *t = &d->stats[id];
    t->first_us = s->first_us < t->first_us ? s->first_us : t->first_us;
    t->last_us = s->last_us > t->last_us ? s->last_us : t->last_us;
    t->count = s->count > t->count ? s->count : t->count;
    if ((s->flags & ~t->flags & VALUE_SUCCEEDED) != 0 && id > VALUE_OVERFLOW) {
        t->flags |= VALUE_SUCCEEDED;
        d->on_probation -= d->on_probation > 0;
    }
    d->dirty[id / DICT_CHUNK] |= DIRTY_STATS;
}

void dict_encode_chunk(const struct dict *d, uint32_t chunk, struct lq_buf *out)
{
    uint32_t from = chunk * DICT_CHUNK, to = from + DICT_CHUNK < d->n ? from + DICT_CHUNK : d->n;
    for (uint32_t i = from; i < to; i++) {
        const struct value_stats *s = &d->stats[i];
        lq_buf_varint(out, d->text_len[i]);
        lq_buf_add(out, d->text[i], d->text_len[i]);
        lq_buf_varint(out, lq_zigzag(s->first_us));
        lq_buf_varint(out, (uint64_t)s->last_us - (uint64_t)s->first_us);
        lq_buf_varint(out, s->count);
        lq_buf_byte(out, s->flags);
    }
}

enum lq_err dict_decode_chunk(struct dict *d, lq_str bytes)
{
    const uint8_t *p = (const uint8_t *)bytes.p, *end = p + bytes.n;
    while (p < end) {
        uint64_t len, first, span, count;
        if (!lq_varint_get(&p, end, &len) || len >= (uint64_t)(end - p)) {
            return LQ_ECORRUPT;
        }
        lq_str text = {(const char *)p, len};
        p += len;
        if (!lq_varint_get(&p, end, &first) || !lq_varint_get(&p, end, &span) || !lq_varint_get(&p, end, &count) || p == end) {
            return LQ_ECORRUPT;
        }
        uint8_t flags = *p++;
        uint32_t id = add_value(d, text, lq_hash(text.p, text.n, 0));
        int64_t first_us = lq_unzigzag(first);
        d->stats[id] = (struct value_stats){first_us, (int64_t)((uint64_t)first_us + span), count, flags};
        d->dirty[id / DICT_CHUNK] = 0;
        if (id > VALUE_OVERFLOW && (flags & VALUE_RETIRED) == 0) {
            d->live++;
            d->on_probation += (flags & VALUE_SUCCEEDED) == 0;
        }
    }
    d->saved = d->n;
    return LQ_OK;
}

/* ---- series ---- */

static lq_str series_key(const uint32_t ids[DIM_MAX])
{
    size_t n = DIM_MAX; /* trailing absent values are cut, so that a longer schema keeps its series */
    while (n > 0 && ids[n - 1] == VALUE_ABSENT) {
        n--;
    }
    return (lq_str){(const char *)ids, n * sizeof *ids};
}

static uint32_t marginal_id(struct stream *st, struct marginal_info m)
{
    uint32_t key[3] = {m.dim, m.value, m.error};
    lq_str k = {(const char *)key, sizeof key};
    uint32_t id = lq_map_get(&st->marginal_ids, k);
    if (id == LQ_MAP_NONE) {
        id = st->n_marginals;
        stream_add_marginal(st, m);
    }
    return id;
}

void stream_add_marginal(struct stream *st, struct marginal_info m)
{
    uint32_t key[3] = {m.dim, m.value, m.error};
    lq_grow(&st->marginals, &st->cap_marginal, st->n_marginals + 1, sizeof *st->marginals);
    st->marginals[st->n_marginals] = m;
    lq_map_set(&st->marginal_ids, (lq_str){(const char *)key, sizeof key}, st->n_marginals++);
}

static bool is_error_series(const struct stream *st, const uint32_t ids[DIM_MAX])
{
    uint32_t v = ids[DIM_ERROR];
    return v < st->dims[DIM_ERROR].n && st->dims[DIM_ERROR].text_len[v] == 4; /* "true" */
}

/* Marginals of a new series, in place; ids are given in order of first need. */
static void series_marginals(struct stream *st, uint32_t series, const uint32_t ids[DIM_MAX])
{
    uint32_t *out = st->series_marginals + (size_t)series * MARGINALS_MAX, n = 0;
    bool error = st->series_error[series] != 0;
    out[n++] = marginal_id(st, (struct marginal_info){MARGINAL_TOTAL, 0, error});
    for (uint32_t d = 0; d < st->schema.n_dims; d++) {
        if ((st->schema.sketch_by >> d & 1) != 0 && ids[d] != VALUE_ABSENT) {
            out[n++] = marginal_id(st, (struct marginal_info){d, ids[d], error});
        }
    }
    for (; n < MARGINALS_MAX; n++) {
        out[n] = UINT32_MAX;
    }
}

void stream_add_series(struct stream *st, const uint32_t ids[DIM_MAX])
{
    uint32_t n = st->n_series;
    lq_str key = series_key(ids);
    lq_grow(&st->series, &st->cap_series, ((size_t)n + 1) * DIM_MAX, sizeof *st->series);
    lq_grow(&st->series_error, &st->cap_error, n + 1, 1);
    memcpy(st->series + (size_t)n * DIM_MAX, ids, DIM_MAX * sizeof *ids);
    lq_map_set(&st->series_ids, key, n);
    st->series_error[n] = is_error_series(st, ids);
    st->n_series++;
}

/* Event days fit 16 bits until 2149; a series of another time is never live. */
static void series_used(struct stream *st, uint32_t series, int64_t day)
{
    size_t known = st->cap_series_day;
    if (st->n_series > known) {
        lq_grow(&st->series_day, &st->cap_series_day, st->n_series, sizeof *st->series_day);
        memset(st->series_day + known, 0, (st->cap_series_day - known) * sizeof *st->series_day);
    }
    if (day > st->series_day[series] && day <= UINT16_MAX) {
        st->series_day[series] = (uint16_t)day;
    }
}

static uint32_t new_series(struct stream *st, const uint32_t ids[DIM_MAX], int64_t day)
{
    uint32_t id = st->n_series;
    stream_add_series(st, ids);
    lq_grow(&st->series_marginals, &st->cap_marginals, ((size_t)id + 1) * MARGINALS_MAX, sizeof *st->series_marginals);
    series_marginals(st, id, ids);
    st->live_series++;
    series_used(st, id, day);
    return id;
}

/* The series of which the dimensions with more than few_max values are cut to the overflow value. */
static void coarsen(const struct stream *st, const uint32_t ids[DIM_MAX], uint32_t few_max, uint32_t out[DIM_MAX])
{
    for (uint32_t d = 0; d < DIM_MAX; d++) {
        bool keep = d == DIM_ERROR || d >= st->schema.n_dims || st->dims[d].n - VALUE_OVERFLOW - 1 <= few_max;
        out[d] = keep ? ids[d] : (uint32_t)VALUE_OVERFLOW;
    }
}

static void count_live(struct stream *st, int64_t day)
{
    st->live_series = 0;
    st->live_day = day;
    for (uint32_t i = 0; i < st->n_series && i < st->cap_series_day; i++) {
        st->live_series += st->series_day[i] + SERIES_LIVE_DAYS > day;
    }
}

uint32_t stream_series(struct stream *st, const uint32_t ids[DIM_MAX], int64_t time_us, bool *over)
{
    uint32_t coarse[DIM_MAX], id = lq_map_get(&st->series_ids, series_key(ids));
    uint32_t max = st->store->o.series_max, total = max * SERIES_TOTAL;
    int64_t day = time_us / US / DAY_S;
    *over = false;
    if (id != LQ_MAP_NONE) {
        return id;
    }
    if (st->live_series >= max && day > st->live_day) {
        count_live(st, day);
    }
    if (st->live_series < max && st->n_series < total) {
        return new_series(st, ids, day);
    }
    *over = true;
    for (uint32_t few = COARSE_VALUES_MAX;; few = 0) {
        coarsen(st, ids, few, coarse);
        id = lq_map_get(&st->series_ids, series_key(coarse));
        if (id != LQ_MAP_NONE) {
            return id;
        }
        if (few == 0 || (st->live_series < max + max / COARSE_SHARE && st->n_series < total + total / COARSE_SHARE)) {
            return new_series(st, coarse, day);
        }
    }
}

void stream_count_live(struct stream *st, const uint32_t *series, const int64_t *time_s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        series_used(st, series[i], time_s[i] / DAY_S);
    }
    count_live(st, st->high_water_us / US / DAY_S);
}

void stream_encode_series(const struct stream *st, uint32_t chunk, struct lq_buf *out)
{
    uint32_t from = chunk * SERIES_CHUNK, to = from + SERIES_CHUNK < st->n_series ? from + SERIES_CHUNK : st->n_series;
    for (uint32_t i = from; i < to; i++) {
        const uint32_t *ids = st->series + (size_t)i * DIM_MAX;
        lq_str key = series_key(ids);
        lq_buf_byte(out, (uint8_t)(key.n / sizeof *ids));
        for (size_t d = 0; d < key.n / sizeof *ids; d++) {
            lq_buf_varint(out, ids[d]);
        }
    }
}

enum lq_err stream_decode_series(struct stream *st, lq_str bytes)
{
    const uint8_t *p = (const uint8_t *)bytes.p, *end = p + bytes.n;
    while (p < end) {
        uint32_t ids[DIM_MAX] = {0};
        uint8_t n = *p++;
        for (uint8_t d = 0; d < n; d++) {
            uint64_t v;
            if (n > DIM_MAX || !lq_varint_get(&p, end, &v) || v > UINT32_MAX) {
                return LQ_ECORRUPT;
            }
            ids[d] = (uint32_t)v;
        }
        stream_add_series(st, ids);
    }
    st->series_saved = st->n_series;
    return LQ_OK;
}

void stream_encode_marginals(const struct stream *st, uint32_t chunk, struct lq_buf *out)
{
    uint32_t from = chunk * SERIES_CHUNK, to = from + SERIES_CHUNK < st->n_marginals ? from + SERIES_CHUNK : st->n_marginals;
    for (uint32_t i = from; i < to; i++) {
        const struct marginal_info *m = &st->marginals[i];
        lq_buf_varint(out, m->dim == MARGINAL_TOTAL ? 0 : m->dim + 1);
        lq_buf_varint(out, m->value);
        lq_buf_byte(out, m->error);
    }
}

enum lq_err stream_decode_marginals(struct stream *st, lq_str bytes)
{
    const uint8_t *p = (const uint8_t *)bytes.p, *end = p + bytes.n;
    while (p < end) {
        uint64_t dim, value;
        if (!lq_varint_get(&p, end, &dim) || !lq_varint_get(&p, end, &value) || p == end || dim > DIM_MAX || value > UINT32_MAX) {
            return LQ_ECORRUPT;
        }
        stream_add_marginal(st, (struct marginal_info){dim == 0 ? MARGINAL_TOTAL : (uint32_t)dim - 1, (uint32_t)value, *p++ != 0});
    }
    st->marginals_saved = st->n_marginals;
    return LQ_OK;
}
