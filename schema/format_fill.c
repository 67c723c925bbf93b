/*
 * format_fill.c - the fields of a line to a record: what is derived of them, dimensions, verdicts, measures
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "schema/sighting_int.h"

/* The first group, or the whole match. */
static lq_str search(struct parser *p, const struct matcher *m, lq_str v)
{
    uint32_t spans[2 * (GROUP_MAX + 1)];
    if (v.n == 0 || matcher_run(m, p->search, v, spans) != MATCH_YES) {
        return (lq_str){"", 0};
    }
    uint32_t g = matcher_groups(m) > 0 && spans[2] != LOWER_UNSET ? 1 : 0;
    return (lq_str){v.p + spans[2 * g], spans[2 * g + 1] - spans[2 * g]};
}

struct session_line parser_session_line(const struct parser *p)
{
    const struct derived *d = &p->f->derived[p->f->session];
    lq_str v[SESSION_ARGS];
    for (int i = 0; i < SESSION_ARGS; i++) {
        v[i] = parser_slot(p, d->arg[i]);
    }
    return (struct session_line){.status = p->s.slots[d->from],
                                 .target = v[SESSION_TARGET],
                                 .method = v[SESSION_METHOD],
                                 .user = v[SESSION_USER],
                                 .referrer = v[SESSION_REFERRER],
                                 .location = v[SESSION_LOCATION],
                                 .query = v[SESSION_QUERY],
                                 .shows_referrer = d->arg[SESSION_REFERRER] != UINT32_MAX,
                                 .shows_location = d->arg[SESSION_LOCATION] != UINT32_MAX};
}

static lq_str derive_one(struct parser *p, const struct derived *d, lq_str v, char *scratch)
{
    switch (d->kind) {
    case DERIVE_ROUTE: return derive_route(v, scratch, VALUE_BYTES_MAX);
    case DERIVE_STATUS_CLASS: return derive_status_class(v);
    case DERIVE_CIDR: return cidr_map_get(d->cidr, v);
    case DERIVE_SHAPE: return derive_shape(v, scratch);
    case DERIVE_ASSET: return derive_is_asset(v) ? LQ_STR("asset") : LQ_STR("page");
    case DERIVE_MAP: {
        uint32_t i = lq_map_get(&d->values, v);
        return i != LQ_MAP_NONE ? lq_str_of(d->mapped[i]) : d->fallback != NULL ? lq_str_of(d->fallback) : v;
    }
    case DERIVE_REGEX: return search(p, d->regex, v);
    case DERIVE_LEVEL: return derive_level(v);
    case DERIVE_LEVEL_IN: return derive_level(derive_level_in(v));
    case DERIVE_SEVERITY: return derive_severity(v);
    case DERIVE_EXCEPTION: return derive_exception(v);
    case DERIVE_FRAME: return derive_frame(v, scratch);
    case DERIVE_SESSION_END: {
        lq_str target = parser_slot(p, d->arg[SESSION_TARGET]);
        if (!derive_session_shows(v, target, parser_slot(p, d->arg[SESSION_QUERY]))) {
            return derive_session_plain(v, target);
        }
        struct session_line x = parser_session_line(p);
        return derive_session_end(&x);
    }
    }
    return (lq_str){"", 0};
}

static void fill_derived(struct parser *p)
{
    const struct format *f = p->f;
    lq_str *slots = p->s.slots;
    for (uint32_t i = 0; i < f->n_derived; i++) {
        const struct derived *d = &f->derived[i];
        lq_str v = derive_one(p, d, slots[d->from], p->s.derive[i]);
        slots[FIELD_MAX + i] = v;
        if (d->target >= 0 && (slots[d->target].n == 0 || d->kind == DERIVE_MAP || d->kind == DERIVE_ROUTE || d->kind == DERIVE_LEVEL)) {
            slots[d->target] = v;
        }
    }
}

static bool scaled(lq_str s, enum field_type type, int64_t scale, int64_t *out)
{
    /* digits with an optional fraction: exact, no floating point */
    int64_t v = 0;
    size_t i = 0;
    bool negative = s.n > 0 && s.p[0] == '-';
    i += negative;
    size_t start = i;
    int64_t unit = type == TYPE_MILLISECONDS ? 1000 : type == TYPE_MICROSECONDS || type == TYPE_NANOSECONDS ? 1 : scale;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && i - start < 12) {
        v = v * 10 + (s.p[i++] - '0');
    }
    if (i == start && !(i < s.n && s.p[i] == '.')) {
        return false;
    }
    v *= unit;
    if (i < s.n && s.p[i] == '.') {
        int64_t f = unit;
        size_t digit = ++i;
        for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
            if (f >= 10) {
                f /= 10;
                v += (s.p[i] - '0') * f;
            } else if (f > 0) { /* round half up on the first digit that does not fit */
                v += s.p[i] >= '5';
                f = 0;
            }
        }
        if (i == digit && digit == start + 1) {
            return false;
        }
    }
    if (i < s.n) { /* 1e3 and the like, 13 digits and more */
        double d;
        if (!number_parse(s, &d) || !(fabs(d) * (double)unit < 9e18)) {
            return false;
        }
        *out = (int64_t)llround(type == TYPE_NANOSECONDS ? d / 1000 : d * (double)unit);
        return true;
    }
    v = type == TYPE_NANOSECONDS ? (v + 500) / 1000 : v;
    *out = negative ? -v : v;
    return true;
}

/* "12.5ms", "1.2s", "17µs": Go's way to write a duration; a bare number is seconds. */
static bool duration_us(lq_str s, int64_t *out)
{
    static const struct {
        const char *suffix;
        enum field_type type;
    } units[] = {{"ms", TYPE_MILLISECONDS}, {"µs", TYPE_MICROSECONDS}, {"us", TYPE_MICROSECONDS}, {"ns", TYPE_NANOSECONDS}, {"s", TYPE_SECONDS}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t n = strlen(units[i].suffix);
        if (s.n > n && memcmp(s.p + s.n - n, units[i].suffix, n) == 0) {
            return scaled((lq_str){s.p, s.n - n}, units[i].type, 1000000, out);
        }
    }
    return scaled(s, TYPE_SECONDS, 1000000, out);
}

/* The dimensions as the line has them, and the verdicts. */
static void fill_dims(struct parser *p, struct record *r)
{
    const struct format *f = p->f;
    const lq_str *slots = p->s.slots;
    lq_str *dims = p->s.dims;
    for (uint32_t d = DIM_HOST; d < p->schema.n_dims; d++) {
        lq_str v = d < f->schema.n_dims && f->dim_slot[d] != UINT32_MAX ? slots[f->dim_slot[d]] : (lq_str){"", 0};
        if (v.n == 1 && v.p[0] == '-') {
            v.n = 0;
        }
        v = d == DIM_VERSION ? derive_version(v) : v;
        dims[d] = v.n > 0 ? v : p->label_value[d];
    }
    r->error = f->error != NULL && predicate_true(f->error, slots);
    dims[DIM_ERROR] = r->error ? LQ_STR("true") : LQ_STR("false");
    r->dims = dims;
    r->success = !r->error;
    if (f->status_slot != UINT32_MAX && f->schema.kind == STREAM_REQUESTS) {
        lq_str s = slots[f->status_slot];
        r->success = r->success && s.n == 3 && s.p[0] < '4';
    }
}

/* As they are stored. */
static void clean_dims(struct parser *p)
{
    for (uint32_t d = DIM_HOST; d < p->schema.n_dims; d++) {
        p->s.dims[d] = derive_clean(p->s.dims[d], p->s.cut[d], VALUE_BYTES_MAX);
    }
}

/* What the fields did not recall, the dimensions may: a path with a number of its own in it has a route that many have. NULL: neither. */
static const struct memo_entry *fill_new(struct parser *p, struct record *r)
{
    char bytes[MEMO_KEY_BYTES_MAX];
    fill_derived(p);
    fill_dims(p, r);
    lq_str key = parser_memo_dims_key(p, r, bytes);
    uint64_t hash = key.n > 0 ? lq_hash(key.p, key.n, 0) : 0;
    const struct memo_entry *known = key.n > 0 ? memo_get(p->memo, key, hash) : NULL;
    if (known != NULL) {
        r->dims = known->dims;
        return known;
    }
    clean_dims(p);
    r->sighting = NULL;
    return key.n > 0 ? memo_put(p->memo, key, hash, p->schema.n_dims, r, NULL) : NULL;
}

/* What the line shows that was done. A version that the line has itself is the name of what started. */
static bool find_sighting(struct parser *p, const struct record *r)
{
    const struct format *f = p->f;
    struct sight_line line = {.slots = p->s.slots, .message = r->message, .host = r->dims[DIM_HOST], .service = r->dims[DIM_SERVICE]};
    line.shape = f->shape_slot != UINT32_MAX ? p->s.slots[f->shape_slot] : (lq_str){"", 0};
    if (!sight_find(f->sights, p->common, p->sights, p->search, &line, &p->sighting)) {
        return false;
    }
    if (p->sighting.name.n == 0) {
        p->sighting.name = r->dims[DIM_VERSION];
    }
    return true;
}

static void fill_measures(struct parser *p, struct record *r)
{
    const struct format *f = p->f;
    const lq_str *slots = p->s.slots;
    r->measure_set = 0;
    for (uint32_t i = 0; i < f->schema.n_measures; i++) {
        uint32_t s = f->measure_slot[i];
        enum field_type type = f->fields[s].type;
        if (type == TYPE_DURATION ? duration_us(slots[s], &r->measures[i]) : scaled(slots[s], type, f->schema.measures[i].scale, &r->measures[i])) {
            r->measure_set |= 1U << i;
        }
    }
    for (uint32_t i = 0; i < f->schema.n_identities; i++) {
        lq_str v = slots[f->identity_slot[i]];
        v.n = v.n > VALUE_BYTES_MAX ? VALUE_BYTES_MAX : v.n;
        r->identities[i] = v.n == 1 && v.p[0] == '-' ? (lq_str){"", 0} : v;
    }
}

/* The measures are worked out while memory brings what is remembered. */
void parser_fill(struct parser *p, lq_str key, uint64_t hash, struct record *r)
{
    const struct memo_entry *known = NULL;
    if (key.n > 0) {
        memo_prefetch_entry(p->memo, hash);
        fill_measures(p, r);
        known = memo_get(p->memo, key, hash);
    }
    if (known != NULL) {
        r->dims = known->dims;
        r->error = known->error;
        r->success = known->success;
        r->memo = known->id;
        r->sighting = NULL;
        if (known->sighting) {
            fill_derived(p);
            r->sighting = find_sighting(p, r) ? &p->sighting : NULL;
        }
        return;
    }
    known = fill_new(p, r);
    if (key.n == 0) {
        fill_measures(p, r);
    }
    r->sighting = p->sights != NULL && find_sighting(p, r) ? &p->sighting : NULL;
    known = key.n > 0 ? memo_put(p->memo, key, hash, p->schema.n_dims, r, known) : known;
    r->memo = known != NULL ? known->id : 0;
}
