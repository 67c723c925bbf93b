/*
 * marker_view.c - markers as readers see them: recorded ones, and what the sightings in the logs come to
 *
 * Sightings are lines; a marker is a deed. In this order:
 *
 *   1. a start that names a version other than the one before (of that service, on that host) is a release, or a rollback when that version is an older one;
 *   2. a second version of something (an asset's name, a boot) that replaces the first is one too, and so is a value of the dimension `version`; a program
 *      whose process was replaced by another was restarted (process.h);
 *   3. sightings of one kind and service within WAVE_US of each other are one marker, with all their hosts; a wave of restarts that rolls over three hosts and
 *      more is taken for a release, at low confidence;
 *   4. what comes several times a day is routine, and no marker;
 *   5. the restarts of a release belong to it, several signs of one release are one, and what people recorded stands for what was inferred.
 *
 * All of it follows from the stored records alone, in an order that does not depend on how they came.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "schema/derive.h"
#include "store/process.h"
#include "store/reader_int.h"

enum { VIEW_HOSTS_MAX = 32, ROLLING_HOSTS = 3, ROLLING_CONFIDENCE = 40, SEVERAL_CONFIDENCE = 75, ROUTINE_BASE = 3, ROUTINE_PER_DAY = 3, VERSION_CONFIDENCE = 95, PROCESS_CONFIDENCE = 70 };
#define WAVE_US     (300 * US)
#define TOGETHER_US (600 * US)
#define SAME_US     (1800 * US)
#define HOUR_US     (3600 * US)

enum item_from { FROM_DEED, FROM_VERSION, FROM_DIMENSION };
struct item {
    int64_t time_us, end_us;
    lq_str kind, name, service, text;
    lq_str hosts[VIEW_HOSTS_MAX];
    uint32_t n_hosts, signs;
    int64_t last_host_us; /* when the last new host came */
    uint8_t confidence;
    enum item_from from;
    bool gone;
};

struct view {
    struct snapshot *s;
    struct lq_arena mem;
    struct sighted *seen; /* deeds and versions */
    size_t n_seen, cap_seen;
    struct program *programs;
    size_t n_programs, cap_programs;
    struct item *items;
    size_t n, cap;
    double days;
};

static bool is_version(const struct sighted *s)
{
    return (s->flags & SIGHTING_VERSION) != 0;
}

static int cmp_str2(lq_str a, lq_str b, int before)
{
    return before != 0 ? before : lq_str_cmp(a, b);
}

static int cmp_time(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

static void add_host(struct item *x, lq_str host, int64_t time_us)
{
    uint32_t i = 0;
    while (i < x->n_hosts && lq_str_cmp(x->hosts[i], host) < 0) {
        i++;
    }
    if (host.n == 0 || (i < x->n_hosts && lq_str_eq(x->hosts[i], host)) || x->n_hosts == VIEW_HOSTS_MAX) {
        return;
    }
    memmove(x->hosts + i + 1, x->hosts + i, (x->n_hosts - i) * sizeof *x->hosts);
    x->hosts[i] = host;
    x->n_hosts++;
    x->last_host_us = time_us > x->last_host_us ? time_us : x->last_host_us;
}

static struct item *add_item(struct view *v, lq_str kind, const struct sighted *s, enum item_from from)
{
    lq_grow(&v->items, &v->cap, v->n + 1, sizeof *v->items);
    struct item *x = &v->items[v->n++];
    *x = (struct item){.time_us = s->first_us, .kind = kind, .name = s->name, .service = s->service, .text = s->text, .signs = 1,
                       .confidence = s->confidence, .from = from};
    x->end_us = from == FROM_DEED ? s->last_us : s->first_us;
    add_host(x, s->host, s->first_us);
    return x;
}

/* ---- 1: starts that name a version ---- */

/* What started: the service, else what the line says around the version. */
static lq_str what_started(struct view *v, const struct sighted *s)
{
    char scratch[SHAPE_BYTES_MAX + 8];
    return s->service.n > 0 ? s->service : lq_arena_str(&v->mem, derive_shape(s->text, scratch));
}

static int by_name(const void *a, const void *b)
{
    const struct sighted *x = *(const struct sighted *const *)a, *y = *(const struct sighted *const *)b;
    int c = cmp_str2(x->name, y->name, lq_str_cmp(x->of, y->of));
    return c != 0 ? c : cmp_time(x->first_us, y->first_us);
}

static int by_place(const void *a, const void *b)
{
    const struct sighted *x = *(const struct sighted *const *)a, *y = *(const struct sighted *const *)b;
    int c = cmp_str2(x->host, y->host, lq_str_cmp(x->of, y->of));
    c = c != 0 ? c : cmp_time(x->first_us, y->first_us);
    return cmp_str2(x->name, y->name, c);
}

struct starts {
    const struct sighted **by_name, **by_place;
    size_t n;
};

/* When a version of a service was first seen, anywhere; INT64_MAX: never. */
static int64_t first_sight(const struct starts *st, lq_str of, lq_str name)
{
    size_t lo = 0, hi = st->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = cmp_str2(st->by_name[mid]->name, name, lq_str_cmp(st->by_name[mid]->of, of));
        if (c < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    bool found = lo < st->n && lq_str_eq(st->by_name[lo]->of, of) && lq_str_eq(st->by_name[lo]->name, name);
    return found ? st->by_name[lo]->first_us : INT64_MAX;
}

/* The first version of a service ever seen. */
static int64_t first_of_service(const struct starts *st, lq_str of)
{
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < st->n; i++) {
        if (lq_str_eq(st->by_name[i]->of, of) && st->by_name[i]->first_us < first) {
            first = st->by_name[i]->first_us;
        }
    }
    return first;
}

static lq_str kind_of_start(const struct starts *st, size_t i)
{
    const struct sighted *s = st->by_place[i], *before = i > 0 ? st->by_place[i - 1] : NULL;
    int64_t first = first_sight(st, s->of, s->name);
    if (before != NULL && lq_str_eq(before->of, s->of) && lq_str_eq(before->host, s->host)) {
        if (lq_str_eq(before->name, s->name)) {
            return LQ_STR("restart");
        }
        return first >= first_sight(st, s->of, before->name) ? LQ_STR("release") : LQ_STR("rollback");
    }
    bool fresh = first + SAME_US >= s->first_us && first > first_of_service(st, s->of) + SAME_US; /* a new version on a host not seen yet */
    return fresh ? LQ_STR("release") : LQ_STR("restart");
}

static void starts_of(struct view *v)
{
    struct starts st = {lq_alloc((v->n_seen + 1) * sizeof *st.by_name), lq_alloc((v->n_seen + 1) * sizeof *st.by_place), 0};
    for (size_t i = 0; i < v->n_seen; i++) {
        const struct sighted *s = &v->seen[i];
        if (!is_version(s) && lq_str_is(s->kind, "restart") && s->name.n > 0) {
            v->seen[i].of = what_started(v, s);
            st.by_name[st.n] = st.by_place[st.n] = s;
            st.n++;
        }
    }
    if (st.n > 1) {
        qsort(st.by_name, st.n, sizeof *st.by_name, by_name);
        qsort(st.by_place, st.n, sizeof *st.by_place, by_place);
    }
    for (size_t i = 0; i < st.n; i++) {
        add_item(v, kind_of_start(&st, i), st.by_place[i], FROM_DEED);
    }
    free(st.by_name);
    free(st.by_place);
}

/* ---- 2: second versions ---- */

static int by_of(const void *a, const void *b)
{
    const struct sighted *x = *(const struct sighted *const *)a, *y = *(const struct sighted *const *)b;
    int c = cmp_str2(x->of, y->of, lq_str_cmp(x->kind, y->kind));
    c = cmp_str2(x->host, y->host, cmp_str2(x->service, y->service, c));
    c = c != 0 ? c : cmp_time(x->first_us, y->first_us);
    return cmp_str2(x->name, y->name, c);
}

/* A version that came second, was seen more than once, and outlived the ones before it: an old name that a late client asks for did not. */
static void versions_of(struct view *v)
{
    const struct sighted **by = lq_alloc((v->n_seen + 1) * sizeof *by);
    size_t n = 0;
    for (size_t i = 0; i < v->n_seen; i++) {
        if (is_version(&v->seen[i])) {
            by[n++] = &v->seen[i];
        }
    }
    if (n > 1) {
        qsort(by, n, sizeof *by, by_of);
    }
    int64_t last = INT64_MIN;
    for (size_t i = 0; i < n; i++) {
        const struct sighted *s = by[i], *p = i > 0 ? by[i - 1] : NULL;
        bool second = p != NULL && lq_str_eq(p->of, s->of) && lq_str_eq(p->kind, s->kind) && lq_str_eq(p->service, s->service) && lq_str_eq(p->host, s->host);
        last = second ? last : INT64_MIN;
        bool after = !second || !lq_str_is(s->kind, "format") || s->first_us >= last - TOGETHER_US; /* two formats side by side are no change */
        if (second && after && s->last_us > last && s->count > 1) {
            add_item(v, s->kind, s, FROM_VERSION);
        }
        last = s->last_us > last ? s->last_us : last;
    }
    free(by);
}

/* ---- 2: values of the dimension version ---- */

enum { VERSION_VALUES_MAX = 64 };

static int by_first(const void *a, const void *b)
{
    const struct value_info *x = a, *y = b;
    int c = cmp_time(x->first_us, y->first_us);
    return c != 0 ? c : lq_str_cmp(x->text, y->text);
}

/* What really runs: not the long tail of versions that a client's programs have. */
static size_t running_versions(struct view *v, uint32_t stream, struct value_info out[VERSION_VALUES_MAX])
{
    const struct stream_info *info = snapshot_stream(v->s, stream);
    double range = (double)(info->last_us - info->first_us) / 1e6 + 60, rate = (double)info->lines / range;
    size_t n = 0;
    for (uint32_t i = VALUE_OVERFLOW + 1; i < snapshot_values(v->s, stream, DIM_VERSION); i++) {
        struct value_info x = *snapshot_value(v->s, stream, DIM_VERSION, i);
        double its = (double)x.count / ((double)(x.last_us - x.first_us) / 1e6 + 60);
        if (x.count >= 5 && its >= 0.05 * rate) {
            if (n == VERSION_VALUES_MAX) {
                return 0;
            }
            out[n++] = x;
        }
    }
    if (n > 1) {
        qsort(out, n, sizeof *out, by_first);
    }
    return n;
}

/* The version that ran on when x[i] had gone, if that is an older one and nothing newer had come: x[i] was taken back. */
static const struct value_info *taken_back(const struct value_info *x, size_t n, size_t i, int64_t stream_last_us)
{
    const struct value_info *older = NULL;
    if (x[i].last_us + WAVE_US >= stream_last_us) {
        return NULL;
    }
    for (size_t k = i + 1; k < n; k++) {
        if (x[k].first_us <= x[i].last_us + TOGETHER_US) {
            return NULL;
        }
    }
    for (size_t k = 0; k < i; k++) {
        if (x[k].last_us > x[i].last_us + WAVE_US && (older == NULL || x[k].last_us >= older->last_us)) {
            older = &x[k];
        }
    }
    return older;
}

static void dimension_versions(struct view *v)
{
    struct value_info x[VERSION_VALUES_MAX];
    for (uint32_t i = 0; i < snapshot_streams(v->s); i++) {
        const struct stream_info *info = snapshot_stream(v->s, i);
        if (info->lines == 0) {
            continue;
        }
        int64_t range = info->last_us - info->first_us, start = info->first_us + (range / 20 < HOUR_US ? range / 20 : HOUR_US);
        size_t n = running_versions(v, i, x);
        for (size_t k = 0; k < n; k++) {
            struct lq_buf text = {0};
            struct sighted s = {.name = x[k].text, .first_us = x[k].first_us, .confidence = VERSION_CONFIDENCE};
            if (n > 1 && x[k].first_us > start) {
                lq_buf_printf(&text, "first seen in stream %s", info->schema->name);
                s.text = lq_arena_str(&v->mem, (lq_str){text.p, text.n});
                add_item(v, LQ_STR("release"), &s, FROM_DIMENSION);
            }
            const struct value_info *older = taken_back(x, n, k, info->last_us);
            if (older != NULL) {
                lq_buf_clear(&text);
                lq_buf_printf(&text, "%.*s is seen no more in stream %s", (int)x[k].text.n, x[k].text.p, info->schema->name);
                s = (struct sighted){.name = older->text, .first_us = x[k].last_us, .confidence = VERSION_CONFIDENCE - 10};
                s.text = lq_arena_str(&v->mem, (lq_str){text.p, text.n});
                add_item(v, LQ_STR("rollback"), &s, FROM_DIMENSION);
            }
            lq_buf_fini(&text);
        }
    }
}

/* ---- 2: new processes ---- */

static void new_processes(struct view *v)
{
    struct process_restarts all;
    process_restarts_find(v->programs, v->n_programs, &all);
    for (size_t i = 0; i < all.n; i++) {
        const struct process_restart *r = &all.r[i];
        struct lq_buf text = {0};
        struct sighted s = {.host = r->host, .service = r->service, .first_us = r->time_us, .last_us = r->time_us, .confidence = PROCESS_CONFIDENCE};
        if (r->service.n == 0) {
            lq_buf_printf(&text, "%u programs have new processes", r->programs);
        } else {
            lq_buf_printf(&text, "%.*s: process %llu in place of %llu", (int)r->service.n, r->service.p, (unsigned long long)r->new_pid, (unsigned long long)r->old_pid);
        }
        s.text = lq_arena_str(&v->mem, (lq_str){text.p, text.n});
        add_item(v, LQ_STR("restart"), &s, FROM_DEED);
        lq_buf_fini(&text);
    }
    free(all.r);
}

/* ---- 3: waves ---- */

static int by_wave(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int c = cmp_str2(x->service, y->service, lq_str_cmp(x->kind, y->kind));
    c = c != 0 ? c : (x->from == FROM_VERSION) - (y->from == FROM_VERSION);
    c = c != 0 ? c : cmp_time(x->time_us, y->time_us);
    c = cmp_str2(x->name, y->name, c);
    return cmp_str2(x->text, y->text, c != 0 || x->n_hosts == 0 || y->n_hosts == 0 ? c : lq_str_cmp(x->hosts[0], y->hosts[0]));
}

/* b is part of what a is: a takes its hosts, its name where a has none, and its end. */
static void absorb(struct item *a, struct item *b)
{
    for (uint32_t i = 0; i < b->n_hosts; i++) {
        add_host(a, b->hosts[i], b->time_us);
    }
    if (a->name.n == 0 && b->name.n > 0 && lq_str_eq(a->kind, b->kind)) {
        a->name = b->name;
        a->text = b->text;
    }
    a->end_us = b->end_us > a->end_us ? b->end_us : a->end_us;
    a->time_us = b->time_us < a->time_us ? b->time_us : a->time_us;
    a->confidence = b->confidence > a->confidence ? b->confidence : a->confidence;
    a->signs += b->signs;
    a->from = b->from < a->from ? b->from : a->from;
    b->gone = true;
}

static bool names_agree(const struct item *a, const struct item *b)
{
    return a->name.n == 0 || b->name.n == 0 || lq_str_eq(a->name, b->name) || memmem(a->name.p, a->name.n, b->name.p, b->name.n) != NULL ||
           memmem(b->name.p, b->name.n, a->name.p, a->name.n) != NULL;
}

static void sweep(struct view *v)
{
    size_t n = 0;
    for (size_t i = 0; i < v->n; i++) {
        if (!v->items[i].gone) {
            v->items[n++] = v->items[i];
        }
    }
    v->n = n;
}

static void make_waves(struct view *v)
{
    if (v->n > 1) {
        qsort(v->items, v->n, sizeof *v->items, by_wave);
    }
    for (size_t i = 0; i < v->n; i++) {
        struct item *a = &v->items[i];
        for (size_t k = i + 1; k < v->n && !a->gone; k++) {
            struct item *b = &v->items[k];
            if (!lq_str_eq(a->kind, b->kind) || !lq_str_eq(a->service, b->service) || b->time_us > a->end_us + WAVE_US) {
                break;
            }
            bool both = (a->from == FROM_VERSION) == (b->from == FROM_VERSION);
            if (!b->gone && both && (a->from == FROM_VERSION || names_agree(a, b))) {
                absorb(a, b);
            }
        }
        if (!a->gone && a->from == FROM_VERSION && a->signs > 1) {
            a->confidence = a->confidence < SEVERAL_CONFIDENCE ? SEVERAL_CONFIDENCE : a->confidence;
        }
    }
    sweep(v);
}

/* ---- 4: routine ---- */

/* Restarts that roll over the hosts one after the other, by no version that is known. */
static void name_waves(struct view *v)
{
    for (size_t i = 0; i < v->n; i++) {
        struct item *a = &v->items[i];
        if (lq_str_is(a->kind, "restart") && a->n_hosts >= ROLLING_HOSTS && a->last_host_us > a->time_us + 30 * US && a->name.n == 0) {
            a->kind = LQ_STR("release");
            a->name = LQ_STR("(a wave of restarts)");
            a->confidence = ROLLING_CONFIDENCE;
        }
    }
}

static void drop_routine(struct view *v)
{
    double most = ROUTINE_BASE + ROUTINE_PER_DAY * v->days;
    for (size_t i = 0, k; i < v->n; i = k) { /* by kind and service, from make_waves */
        for (k = i + 1; k < v->n && lq_str_eq(v->items[k].kind, v->items[i].kind) && lq_str_eq(v->items[k].service, v->items[i].service); k++) {
        }
        for (size_t j = i; j < k && (double)(k - i) > most; j++) {
            v->items[j].gone = true;
        }
    }
    sweep(v);
}

/* ---- 5: signs of one deed ---- */

static int by_time(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int c = cmp_time(x->time_us, y->time_us);
    c = cmp_str2(x->kind, y->kind, c);
    c = cmp_str2(x->name, y->name, c);
    return cmp_str2(x->text, y->text, cmp_str2(x->service, y->service, c));
}

static bool is_release(const struct item *x)
{
    return lq_str_is(x->kind, "release") || lq_str_is(x->kind, "rollback");
}

static bool share_host(const struct item *a, const struct item *b)
{
    for (uint32_t i = 0; i < a->n_hosts; i++) {
        for (uint32_t k = 0; k < b->n_hosts; k++) {
            if (lq_str_eq(a->hosts[i], b->hosts[k])) {
                return true;
            }
        }
    }
    return false;
}

/* Is b a sign of what a is? a: release or rollback, or of two restarts the stronger one. */
static bool belongs(const struct item *a, const struct item *b)
{
    int64_t gap = b->time_us > a->end_us ? b->time_us - a->end_us : b->end_us < a->time_us ? a->time_us - b->end_us : 0;
    bool place = share_host(a, b) || lq_str_eq(a->service, b->service) || a->from != FROM_DEED || b->from != FROM_DEED;
    if (lq_str_is(b->kind, "restart")) {
        bool both = lq_str_is(a->kind, "restart");
        return gap <= (both ? WAVE_US : TOGETHER_US) && (both ? share_host(a, b) && (a->service.n == 0 || b->service.n == 0) : place);
    }
    return lq_str_eq(a->kind, b->kind) && gap <= SAME_US && (names_agree(a, b) || a->from == FROM_VERSION || b->from == FROM_VERSION) && place;
}

/* The stronger sign stays: a deed that names itself before a dimension's value, that before names of assets; then the earlier one. */
static bool stronger(const struct item *a, const struct item *b)
{
    int x = a->from == FROM_VERSION ? 2 : a->name.n == 0, y = b->from == FROM_VERSION ? 2 : b->name.n == 0;
    return x < y || (x == y && a < b);
}

static void join_signs(struct view *v)
{
    if (v->n > 1) {
        qsort(v->items, v->n, sizeof *v->items, by_time);
    }
    for (int round = 0; round < 3; round++) { /* releases among themselves; then their restarts; then restarts among themselves */
        for (size_t i = 0; i < v->n; i++) {
            struct item *a = &v->items[i];
            for (size_t k = 0; k < v->n && !a->gone && (round < 2 ? is_release(a) : lq_str_is(a->kind, "restart")); k++) {
                struct item *b = &v->items[k];
                bool turn = round == 0 ? is_release(b) : lq_str_is(b->kind, "restart");
                if (b->time_us > a->end_us + SAME_US) {
                    break;
                }
                if (k != i && !b->gone && turn && belongs(a, b) && (round == 1 || stronger(a, b))) {
                    absorb(a, b);
                }
            }
        }
        sweep(v);
    }
}

/* ---- reading ---- */

static void keep_recorded(lq_str key, const struct sighted *s, struct marker **recorded, size_t *n, size_t *cap)
{
    lq_grow(recorded, cap, *n + 1, sizeof **recorded);
    (*recorded)[(*n)++] = (struct marker){.time_us = key_get_i64((const uint8_t *)key.p), .kind = s->kind, .name = s->name, .host = s->host,
                                          .service = s->service, .text = s->text, .confidence = 100};
}

static enum lq_err read_all(struct view *v, struct marker **recorded, size_t *n, struct lq_error *e)
{
    struct engine_cursor *c = NULL;
    struct key_buf k = {{0}, 0};
    lq_str key, value;
    size_t cap = 0;
    key_i64(&k, INT64_MIN);
    enum lq_err err = engine_cursor_open(v->s->txn, DB_MARKER, &c, e);
    for (err = err == LQ_OK ? engine_seek(c, key_str(&k), &key, &value, e) : err; err == LQ_OK; err = engine_next(c, &key, &value, e)) {
        struct sighted s;
        if (key.n < 12 || !engine_unseal(&value) || !marker_decode(value, &s)) {
            err = lq_error_set(e, LQ_ECORRUPT, "store %s is damaged: a marker", v->s->store->dir);
            break;
        }
        if (!marker_is_sighting(key)) {
            keep_recorded(key, &s, recorded, n, &cap);
            continue;
        }
        if ((s.flags & SIGHTING_PROCESS) != 0) {
            lq_grow(&v->programs, &v->cap_programs, v->n_programs + 1, sizeof *v->programs);
            if (!program_decode(&s, &v->programs[v->n_programs++])) {
                err = lq_error_set(e, LQ_ECORRUPT, "store %s is damaged: the processes of a program", v->s->store->dir);
                break;
            }
            continue;
        }
        lq_grow(&v->seen, &v->cap_seen, v->n_seen + 1, sizeof *v->seen);
        v->seen[v->n_seen++] = s;
    }
    engine_cursor_close(&c);
    return err == LQ_ENOENT ? LQ_OK : err;
}

static void make_items(struct view *v)
{
    int64_t first = INT64_MAX, last = INT64_MIN;
    for (uint32_t i = 0; i < snapshot_streams(v->s); i++) {
        const struct stream_info *info = snapshot_stream(v->s, i);
        first = info->lines > 0 && info->first_us < first ? info->first_us : first;
        last = info->lines > 0 && info->last_us > last ? info->last_us : last;
    }
    v->days = last > first ? (double)(last - first) / 86400e6 : 0;
    for (size_t i = 0; i < v->n_seen; i++) {
        const struct sighted *s = &v->seen[i];
        if (!is_version(s) && !(lq_str_is(s->kind, "restart") && s->name.n > 0)) {
            add_item(v, s->kind, s, FROM_DEED);
        }
    }
    starts_of(v);
    versions_of(v);
    dimension_versions(v);
    new_processes(v);
    make_waves(v);
    drop_routine(v);
    join_signs(v);
    name_waves(v);
}

/* ---- answers ---- */

static struct marker marker_of(struct view *v, const struct item *x)
{
    struct marker m = {.time_us = x->time_us, .kind = x->kind, .name = x->name, .service = x->service, .text = x->text, .inferred = true,
                       .by_version = x->from == FROM_DIMENSION, .confidence = x->confidence};
    struct lq_buf hosts = {0};
    for (uint32_t i = 0; i < x->n_hosts; i++) {
        lq_buf_printf(&hosts, "%s%.*s", i > 0 ? "," : "", (int)x->hosts[i].n, x->hosts[i].p);
    }
    m.host = hosts.n > 0 ? lq_arena_str(&v->mem, (lq_str){hosts.p, hosts.n}) : (lq_str){"", 0};
    lq_buf_fini(&hosts);
    return m;
}

/* Somebody recorded it. */
static bool is_recorded(const struct item *x, const struct marker *m, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct item r = {.name = m[i].name};
        int64_t gap = m[i].time_us > x->time_us ? m[i].time_us - x->time_us : x->time_us - m[i].time_us;
        if (gap <= SAME_US && lq_str_eq(m[i].kind, x->kind) && names_agree(x, &r)) {
            return true;
        }
    }
    return false;
}

static int marker_order(const void *a, const void *b)
{
    const struct marker *x = a, *y = b;
    int c = cmp_time(x->time_us, y->time_us);
    c = c != 0 ? c : x->inferred - y->inferred;
    c = cmp_str2(x->kind, y->kind, c);
    c = cmp_str2(x->name, y->name, c);
    return cmp_str2(x->text, y->text, cmp_str2(x->host, y->host, c));
}

enum lq_err snapshot_markers(struct snapshot *s, int64_t from_us, int64_t to_us, marker_each_fn *fn, void *ctx, struct lq_error *e)
{
    struct view v = {.s = s};
    struct marker *all = NULL;
    size_t n = 0, recorded;
    enum lq_err err = read_all(&v, &all, &n, e);
    if (err == LQ_OK) {
        make_items(&v);
        err = snapshot_check(s, e);
    }
    recorded = n;
    all = lq_realloc(all, (n + v.n + 1) * sizeof *all);
    for (size_t i = 0; i < v.n; i++) {
        if (!is_recorded(&v.items[i], all, recorded)) {
            all[n++] = marker_of(&v, &v.items[i]);
        }
    }
    if (n > 1) {
        qsort(all, n, sizeof *all, marker_order);
    }
    for (size_t i = 0; i < n && err == LQ_OK; i++) {
        if (all[i].time_us >= from_us && all[i].time_us < to_us && !fn(ctx, &all[i])) {
            break;
        }
    }
    free(all);
    free(v.seen);
    free(v.programs);
    free(v.items);
    lq_arena_fini(&v.mem);
    return err;
}
