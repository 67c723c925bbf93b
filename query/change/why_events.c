/*
 * why_events.c - what people and programs did: releases, rollbacks, restarts, configuration, jobs, markers
 *
 * - Versions. A version value is mentioned by every line (steady), or when a program starts. Mentions less than an hour
 * apart are one wave over the hosts. The first wave of a value is its release; a later one is a restart, or a rollback
 * when another version was mentioned in between. What runs when the logs begin is no event.
 * - Messages that report a deed (why_deeds.c).
 * - Markers that people recorded.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "query/change/why_events.h"

enum {
    HOST_LOOK_S = 7200,
    SAID_S = 60,
    READY_S = 180,    /* of its start, what a host says once belongs to that */
    INFERRED_MIN = 50 /* percent: less sure markers are shown, but suspected of nothing */
};

static const char NEW_FORMAT[] = "new log format";

struct event *why__add_event(struct why *y, struct event e)
{
    if (y->n_events == EVENTS_MAX) {
        return NULL;
    }
    y->events[y->n_events] = e;
    return &y->events[y->n_events++];
}

static void add_host(struct event *e, lq_str name, int64_t time_us)
{
    for (uint32_t i = 0; i < e->n_hosts; i++) {
        if (lq_str_eq(e->hosts[i].name, name)) {
            e->hosts[i].time_us = time_us < e->hosts[i].time_us ? time_us : e->hosts[i].time_us;
            return;
        }
    }
    if (e->n_hosts < EVENT_HOSTS_MAX) {
        e->hosts[e->n_hosts++] = (struct event_host){name, time_us};
    }
}

/* Hosts of the series that carry the value, whenever. */
static void any_hosts(struct why *y, struct event *e)
{
    const struct stream_info *info = why__info(y, e->stream);
    for (uint32_t i = 0; i < snapshot_n_series(y->s, info->id); i++) {
        const uint32_t *ids = snapshot_series(y->s, info->id, i);
        if (ids[e->dim] == e->value && ids[DIM_HOST] != VALUE_ABSENT) {
            add_host(e, why__value(y, e->stream, DIM_HOST, ids[DIM_HOST]), e->time_us);
        }
    }
}

/* An event that is to be dated to the minute, and the seconds in which its value is looked for. */
struct look {
    struct event *e;
    int64_t lo, hi, first, last;
};

static struct look look_for(struct event *e)
{
    int64_t lasts = (e->end_us - e->time_us) / US + 60, from = e->time_us / US;
    return (struct look){.e = e,
                         .lo = from - (e->time_us % (3600 * US) == 0 ? 60 : 600),
                         .hi = from + (lasts > HOST_LOOK_S ? lasts : HOST_LOOK_S),
                         .first = INT64_MAX,
                         .last = INT64_MIN};
}

static int by_stream(const void *a, const void *b)
{
    const struct look *x = a, *z = b;
    return x->e->stream != z->e->stream ? (x->e->stream < z->e->stream ? -1 : 1)
           : x->lo != z->lo             ? (x->lo < z->lo ? -1 : 1)
                                        : (x->e > z->e) - (x->e < z->e);
}

/* When each host had it first. */
static void take_seen(struct why *y, struct look *l, const uint32_t *ids, int64_t t)
{
    uint32_t host = ids[DIM_HOST];
    l->first = t < l->first ? t : l->first;
    if (host != VALUE_ABSENT) {
        add_host(l->e, why__value(y, l->e->stream, DIM_HOST, host), t * US);
    }
    if (host == VALUE_ABSENT || l->e->n_hosts == EVENT_HOSTS_MAX) {
        l->last = t > l->last ? t : l->last;
    }
}

/* One pass over the minutes in which n events of a stream are looked for. ours: the series that carry one of them. */
static void scan_looks(struct why *y, struct look *l, uint32_t n, int64_t hi, const bool *ours)
{
    const struct stream_info *info = why__info(y, l->e->stream);
    const struct fragment *f;
    struct scan *c = NULL;
    uint32_t known = snapshot_n_series(y->s, info->id);
    int64_t period;
    if (info->tier_from_s[TIER_1MIN] > l->lo ||
        scan_open(y->s, info->id, TIER_1MIN, SECTION_CELLS, l->lo, hi, FRAGMENT_COUNTS, &c, NULL) != LQ_OK) {
        return;
    }
    while (!why__over(y) && scan_part(c, &f, &period, NULL) == LQ_OK && f != NULL) {
        for (uint32_t r = 0; r < f->rows; r++) {
            if (f->id[r] >= known || !ours[f->id[r]]) {
                continue;
            }
            int64_t t = period + (int64_t)f->slot[r] * tiers[TIER_1MIN].step_s;
            const uint32_t *ids = snapshot_series(y->s, info->id, f->id[r]);
            for (uint32_t i = 0; i < n; i++) {
                if (t >= l[i].lo && t < l[i].hi && ids[l[i].e->dim] == l[i].e->value) {
                    take_seen(y, &l[i], ids, t);
                }
            }
        }
    }
    scan_close(&c);
}

/* To the minute: when each host had it first, within two hours, or as long as it was going on. */
static void settle(struct why *y, struct look *l)
{
    struct event *e = l->e;
    if (l->first == INT64_MAX) {
        any_hosts(y, e);
        return;
    }
    const struct value_info *v = snapshot_value(y->s, why__info(y, e->stream)->id, e->dim, e->value);
    bool is_first = v->first_us / US >= l->first && v->first_us / US < l->first + 60;
    e->time_us = is_first ? v->first_us : l->first * US;
    e->end_us = l->last > l->first ? l->last * US : l->first * US;
    for (uint32_t i = 0; i < e->n_hosts; i++) {
        e->end_us = e->hosts[i].time_us > e->end_us ? e->hosts[i].time_us : e->end_us;
        e->hosts[i].time_us = e->hosts[i].time_us < e->time_us ? e->time_us : e->hosts[i].time_us;
    }
    e->end_us += 60 * US;
}

static const bool *carriers(struct why *y, const struct look *l, uint32_t n)
{
    uint32_t id = why__info(y, l->e->stream)->id, series = snapshot_n_series(y->s, id);
    bool *ours = lq_arena_alloc(&y->a->mem, series * sizeof *ours + 1);
    for (uint32_t s = 0; s < series; s++) {
        const uint32_t *ids = snapshot_series(y->s, id, s);
        ours[s] = false;
        for (uint32_t i = 0; i < n && !ours[s]; i++) {
            ours[s] = ids[l[i].e->dim] == l[i].e->value;
        }
    }
    return ours;
}

/* The events of one stream, by time: those looked for in the same hours share a pass. */
static void date_stream(struct why *y, struct look *l, uint32_t n)
{
    const bool *ours = carriers(y, l, n);
    for (uint32_t from = 0, to; from < n; from = to) {
        int64_t hi = l[from].hi;
        for (to = from + 1; to < n && l[to].lo <= hi; to++) {
            hi = l[to].hi > hi ? l[to].hi : hi;
        }
        scan_looks(y, l + from, to - from, hi, ours);
    }
    for (uint32_t i = 0; i < n; i++) {
        settle(y, &l[i]);
    }
}

/* What ran when the logs begin is no event. */
bool why__at_start(const struct stream_info *info, int64_t us)
{
    return us < info->first_us + BASELINE_S * US && us < info->first_us + (info->last_us - info->first_us) / 20;
}

uint32_t why__waves(const struct grid *g, const struct grid_series *x, int64_t gap_s, struct wave *out, uint32_t cap,
                    uint32_t *used)
{
    uint32_t n = 0, gap = (uint32_t)(gap_s / g->step_s) + 1;
    *used = 0;
    for (uint32_t t = 0; t < g->steps; t++) {
        if (x->count[t] <= 0) {
            continue;
        }
        ++*used;
        if (n > 0 && t - out[n - 1].to <= gap) {
            out[n - 1].to = t;
        } else if (n < cap) {
            out[n++] = (struct wave){t, t};
        } else {
            return cap + 1;
        }
    }
    return n;
}

static void versions_of(struct why *y, uint32_t stream)
{
    const struct grid_stream *st = &y->far.streams[stream];
    struct wave w[WAVES_MAX];
    for (uint32_t i = 0; i < st->n_series; i++) {
        const struct grid_series *x = &st->series[i];
        uint32_t used, n;
        if (x->dim != DIM_VERSION || (n = why__waves(&y->far, x, WAVE_GAP_S, w, WAVES_MAX, &used)) == 0) {
            continue;
        }
        const struct value_info info = *snapshot_value(y->s, st->info->id, DIM_VERSION, x->value);
        n = n > WAVES_MAX ? WAVES_MAX : n;
        bool steady = used > 4 && used * 2 > w[n - 1].to - w[0].from + 1;
        for (uint32_t k = 0; k < n; k++) {
            int64_t at = k == 0 ? info.first_us : grid_time_us(&y->far, w[k].from);
            if (why__at_start(st->info, at)) {
                continue;
            }
            struct event e = {.kind = k == 0 ? EVENT_RELEASE : EVENT_RESTART,
                              .time_us = at,
                              .end_us = steady ? at : grid_time_us(&y->far, w[k].to + 1),
                              .stream = stream,
                              .dim = DIM_VERSION,
                              .value = x->value,
                              .waves = n};
            e.end_us = e.end_us > at + ROLL_MAX_S * US ? at + ROLL_MAX_S * US : e.end_us;
            e.name = why__printf(y->a, "%.*s", (int)info.text.n, info.text.p);
            e.text = steady && k > 0 ? "" : NULL; /* only a rollback if another version ran meanwhile */
            why__add_event(y, e);
        }
    }
}

static bool take_marker(void *ctx, const struct marker *m)
{
    static const struct {
        const char *name;
        enum event_kind kind;
    } kinds[] = {
        {"release", EVENT_RELEASE}, {"rollback", EVENT_ROLLBACK}, {"restart", EVENT_RESTART}, {"config", EVENT_CONFIG}};
    struct why *y = ctx;
    struct event e = {.kind = EVENT_MARKER, .time_us = m->time_us, .end_us = m->time_us, .stream = NO_DIM, .waves = 1};
    bool begins = m->time_us < y->a->from_us + BASELINE_S * US;
    if (m->by_version || (m->inferred && (begins || m->confidence < INFERRED_MIN))) {
        return true; /* found here from the series, and better */
    }
    e.inferred = m->inferred;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        e.kind = lq_str_is(m->kind, kinds[i].name) ? kinds[i].kind : e.kind;
    }
    if (e.kind == EVENT_MARKER) {
        e.word = lq_str_is(m->kind, "format") ? NEW_FORMAT
                 : lq_str_is(m->kind, "oom")  ? "killed for want of memory"
                                              : why__printf(y->a, "%.*s", (int)m->kind.n, m->kind.p);
    }
    e.name = why__printf(y->a, "%.*s", (int)m->name.n, m->name.p);
    e.text = m->text.n > 0 ? why__printf(y->a, "%.*s", (int)m->text.n, m->text.p) : NULL;
    for (lq_str rest = m->host; rest.n > 0;) { /* several are separated by commas */
        const char *comma = memchr(rest.p, ',', rest.n);
        lq_str one = {rest.p, comma != NULL ? (size_t)(comma - rest.p) : rest.n};
        add_host(&e, lq_arena_str(&y->a->mem, one), m->time_us);
        rest = comma != NULL ? (lq_str){comma + 1, rest.n - one.n - 1} : (lq_str){"", 0};
    }
    why__add_event(y, e);
    return true;
}

static int by_time(const void *a, const void *b)
{
    const struct event *x = a, *z = b;
    if (x->time_us != z->time_us) {
        return x->time_us < z->time_us ? -1 : 1;
    }
    int c = strcmp(x->name, z->name);
    c = c != 0 || x->text == NULL || z->text == NULL ? c : strcmp(x->text, z->text);
    c = c != 0 ? c : (int)x->kind - (int)z->kind;
    return c;
}

/* The minute of a wave that the near grid shows. */
static void refine_near(struct why *y, struct event *e)
{
    const struct grid *g = &y->near;
    struct wave w[WAVES_MAX];
    uint32_t used;
    if (e->stream == NO_DIM || g->steps == 0 || e->time_us < grid_time_us(g, 0) - y->far.step_s * US) {
        return;
    }
    const struct grid_stream *st = &g->streams[e->stream];
    for (uint32_t i = 0; i < st->n_series; i++) {
        if (st->series[i].dim == e->dim && st->series[i].value == e->value) {
            uint32_t n = why__waves(g, &st->series[i], NEAR_GAP_S, w, WAVES_MAX, &used);
            for (uint32_t k = 0; k < n && n <= WAVES_MAX; k++) {
                int64_t at = grid_time_us(g, w[k].from),
                        first = snapshot_value(y->s, st->info->id, e->dim, e->value)->first_us;
                if (at >= e->time_us - y->far.step_s * US && at <= e->end_us) {
                    e->time_us = first >= at && first < at + g->step_s * US ? first : at;
                    e->end_us = grid_time_us(g, w[k].to + 1);
                    return;
                }
            }
        }
    }
}

/* From an event to another that may take its time: rolled over hosts, each host shows it again. */
static int64_t apart(const struct event *e, const struct event *wave)
{
    return e->time_us < wave->time_us  ? wave->time_us - e->time_us
           : e->time_us > wave->end_us ? e->time_us - wave->end_us
                                       : 0;
}

static bool has_host(const struct event *e, lq_str host)
{
    bool has = false;
    for (uint32_t i = 0; i < e->n_hosts; i++) {
        has = has || lq_str_eq(e->hosts[i].name, host);
    }
    return has;
}

/* A host starts the version that somebody said is released: once; when it starts once more, that is a restart. */
static bool rolls_out(const struct event *e, const struct event *release)
{
    bool said = release->stream == NO_DIM && !release->inferred &&
                (release->kind == EVENT_RELEASE || release->kind == EVENT_ROLLBACK),
         shown = e->inferred && e->kind <= EVENT_RESTART && e->name[0] != '\0' && release->name[0] != '\0' &&
                 (strstr(e->name, release->name) != NULL || strstr(release->name, e->name) != NULL);
    bool fresh = e->n_hosts > 0;
    for (uint32_t i = 0; i < e->n_hosts; i++) {
        fresh = fresh && !has_host(release, e->hosts[i].name);
    }
    return said && shown && fresh && e->time_us >= release->time_us - 600 * US &&
           e->time_us <= release->time_us + ROLL_MAX_S * US;
}

static void join_rollouts(struct why *y)
{
    for (uint32_t i = 0; i < y->n_events;) {
        struct event *e = &y->events[i], *of = NULL;
        for (uint32_t j = 0; j < y->n_events && of == NULL; j++) {
            of = j != i && rolls_out(e, &y->events[j]) ? &y->events[j] : NULL;
        }
        if (of == NULL) {
            i++;
            continue;
        }
        for (uint32_t k = 0; k < e->n_hosts; k++) {
            add_host(of, e->hosts[k].name, e->hosts[k].time_us);
        }
        of->end_us = e->end_us > of->end_us ? e->end_us : of->end_us;
        memmove(e, e + 1, (y->n_events - i - 1) * sizeof *e);
        y->n_events--;
    }
}

/* "Ready", after a start: most of the hosts that said it had just started. A deed that falls into a long wave of starts
 * over other hosts is one of its own. */
static bool after_start(const struct event *once, const struct event *start)
{
    uint32_t near = 0;
    bool together = llabs(once->time_us - start->time_us) <= READY_S * US; /* of a marker one time is known */
    for (uint32_t i = 0; i < once->n_hosts; i++) {
        for (uint32_t k = 0; k < start->n_hosts; k++) {
            near += lq_str_eq(once->hosts[i].name, start->hosts[k].name) &&
                    (together || llabs(once->hosts[i].time_us - start->hosts[k].time_us) <= READY_S * US);
        }
    }
    return once->n_hosts == 0 || start->n_hosts == 0 || near * 2 > once->n_hosts;
}

static void say_also(struct event *e, const struct event *with)
{
    if (e->n_also < EVENT_ALSO_MAX && with->text != NULL) {
        e->also[e->n_also++] = with->said != NULL ? with->said : with->text;
    }
}

/* Several messages of one deed are one event; a start message belongs to the release that it starts. */
static void merge_events(struct why *y)
{
    static const int rank[] = {[EVENT_RELEASE] = 0, [EVENT_ROLLBACK] = 1, [EVENT_CONFIG] = 2, [EVENT_RESTART] = 3,
                               [EVENT_JOB] = 4,     [EVENT_MARKER] = 5,   [EVENT_ONCE] = 6};
    for (uint32_t i = 0; i < y->n_events; i++) {
        struct event *e = &y->events[i];
        for (uint32_t j = i + 1; j < y->n_events && e->text != NULL;) {
            struct event *b = &y->events[j];
            int64_t gap = b->time_us - e->time_us;
            if (gap > 300 * US) {
                break;
            }
            bool told = e->stream != NO_DIM && b->stream != NO_DIM && b->text != NULL; /* by messages, both */
            bool same = told && gap <= 120 * US && e->kind == b->kind && e->stream == b->stream;
            bool marked = gap <= 60 * US && e->inferred && b->inferred && e->kind == EVENT_MARKER &&
                          b->kind == EVENT_MARKER && strcmp(e->word, b->word) == 0 && strcmp(e->name, b->name) == 0;
            if (same && e->kind == EVENT_ONCE && b->waves < e->waves) { /* the rarer one says more of what was done */
                struct event rarer = *b;
                *b = *e;
                *e = rarer;
                e->time_us = b->time_us < e->time_us ? b->time_us : e->time_us;
            }
            if (marked || (same && e->kind == EVENT_ONCE)) {
                say_also(e, b);
            }
            if (same || marked) {
                e->end_us = b->end_us > e->end_us ? b->end_us : e->end_us;
                memmove(b, b + 1, (y->n_events - j - 1) * sizeof *b);
                y->n_events--;
            } else {
                j++;
            }
        }
    }
    for (uint32_t i = 0; i < y->n_events;) { /* start messages, and a marker of what the logs show as well */
        struct event *e = &y->events[i];
        struct event *of = NULL;
        bool drop = false;
        for (uint32_t j = 0; j < y->n_events && !drop; j++) {
            struct event *b = of = &y->events[j];
            int64_t gap = apart(e, b);
            bool start = e->kind == EVENT_RESTART && e->text != NULL && e->stream != NO_DIM &&
                         (rank[b->kind] < rank[EVENT_CONFIG] || (b->kind == EVENT_CONFIG && after_start(e, b)));
            bool twice = e->kind == EVENT_RESTART && e->text != NULL && e->stream != NO_DIM &&
                         b->kind == EVENT_RESTART && b->text == NULL;
            bool deploy = e->kind == EVENT_RELEASE && e->text != NULL && e->stream != NO_DIM &&
                          b->kind == EVENT_RELEASE && b->text == NULL;
            bool both = e->stream == NO_DIM && b->stream != NO_DIM && b->kind == e->kind && b->name[0] != '\0' &&
                        strstr(e->name, b->name) != NULL;
            bool found = e->inferred && b->stream != NO_DIM &&
                         (b->kind == e->kind || (e->kind == EVENT_RESTART && rank[b->kind] <= rank[EVENT_RESTART]));
            if (found && b->kind == e->kind && b->name[0] == '\0' && gap <= 600 * US) {
                b->name = e->name;
            }
            bool form = e->inferred && e->kind == EVENT_MARKER && rank[b->kind] <= rank[EVENT_RESTART] &&
                        strcmp(e->word, NEW_FORMAT) == 0; /* what was released writes another log */
            bool once = e->kind == EVENT_ONCE && rank[b->kind] <= rank[EVENT_RESTART] && after_start(e, b);
            once = once || (e->kind == EVENT_ONCE && b->kind == EVENT_MARKER && gap <= 60 * US && after_start(e, b));
            /* "shutting down", and then the start of another version */
            once = once || (e->inferred && b->inferred && e->kind == EVENT_RESTART && b->kind <= EVENT_ROLLBACK &&
                            e->n_hosts <= b->n_hosts && after_start(e, b));
            bool rolled_out = start && e->time_us >= b->time_us && b->stream == NO_DIM && !b->inferred &&
                              (b->kind == EVENT_RELEASE || b->kind == EVENT_ROLLBACK);
            bool close = start || twice || deploy || once || found ||
                         form; /* what a pipeline records may stand well before the hosts start */
            drop = j != i && (close && !rolled_out ? gap <= 600 * US : (both || rolled_out) && gap <= 1800 * US);
        }
        if (drop) {
            if (of != NULL && e->kind == EVENT_ONCE && e->waves == 1 && of->stream != NO_DIM) {
                say_also(of, e);
            }
            memmove(e, e + 1, (y->n_events - i - 1) * sizeof *e);
            y->n_events--;
        } else {
            i++;
        }
    }
}

/* Both were seen on one host; or no hosts are known. */
static bool share_host(struct why *y, const struct event *a, const struct event *b)
{
    struct event x, z;
    x = z = (struct event){.n_hosts = 0};
    x.stream = a->stream, x.dim = a->dim, x.value = a->value;
    z.stream = b->stream, z.dim = b->dim, z.value = b->value;
    any_hosts(y, &x);
    any_hosts(y, &z);
    bool share = x.n_hosts == 0 || z.n_hosts == 0;
    for (uint32_t i = 0; i < x.n_hosts && !share; i++) {
        share = has_host(&z, x.hosts[i].name);
    }
    return share;
}

/* A version that comes back after another is a rollback. A steady version that was only silent for a while is no event.
 */
static void tell_rollbacks(struct why *y)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < y->n_events; i++) {
        struct event e = y->events[i];
        if (e.stream != NO_DIM && e.dim == DIM_VERSION) {
            bool other = false, found = false;
            for (uint32_t k = kept; k-- > 0 && !found;) { /* what ran there last */
                const struct event *b = &y->events[k];
                found = b->stream == e.stream && b->dim == DIM_VERSION && share_host(y, &e, b);
                other = found && strcmp(b->name, e.name) != 0;
            }
            if (e.kind == EVENT_RESTART && e.text != NULL && !other) {
                continue;
            }
            e.kind = e.kind == EVENT_RESTART && other ? EVENT_ROLLBACK : e.kind;
            e.text = NULL;
        }
        y->events[kept++] = e;
    }
    y->n_events = kept;
}

static int by_name(const void *a, const void *b)
{
    return lq_str_cmp(((const struct event_host *)a)->name, ((const struct event_host *)b)->name);
}

/* All to the minute, before it is asked which of them are one deed. */
static void find_hosts(struct why *y)
{
    struct look *l = lq_arena_alloc(&y->a->mem, (y->n_events + 1) * sizeof *l);
    uint32_t n = 0;
    for (uint32_t i = 0; i < y->n_events; i++) {
        struct event *e = &y->events[i];
        if (e->stream != NO_DIM) {
            refine_near(y, e);
            e->n_hosts = 0;
            l[n++] = look_for(e);
        }
    }
    if (n > 1) {
        qsort(l, n, sizeof *l, by_stream);
    }
    for (uint32_t from = 0, to; from < n && !why__over(y); from = to) {
        for (to = from + 1; to < n && l[to].e->stream == l[from].e->stream; to++) {
        }
        date_stream(y, l + from, to - from);
    }
    for (uint32_t i = 0; i < n; i++) {
        qsort(l[i].e->hosts, l[i].e->n_hosts, sizeof *l[i].e->hosts, by_name);
    }
}

struct spoken {
    const struct event *e;
    struct why *y;
    const char *said;
    int64_t distance_us;
};

static bool take_said(void *ctx, const struct example *x)
{
    struct spoken *k = ctx;
    int64_t gap = x->time_us < k->e->time_us ? k->e->time_us - x->time_us : x->time_us - k->e->time_us;
    lq_str said = why__said(x->text, lq_str_of(k->e->text));
    if (x->time_us >= k->e->time_us - SAID_S * US && x->time_us <= k->e->end_us + SAID_S * US && said.n > 0 &&
        gap < k->distance_us) {
        k->distance_us = gap;
        k->said = why__printf(k->y->a, "%.*s", (int)said.n, said.p);
    }
    return true;
}

/* The names and numbers that the template left out, where the line of that day is kept. */
static void find_said(struct why *y, struct event *e)
{
    struct spoken k = {.e = e, .y = y, .distance_us = INT64_MAX};
    if (e->stream == NO_DIM || e->text == NULL || strstr(e->text, "<*>") == NULL) {
        return;
    }
    if (snapshot_examples(y->s, why__info(y, e->stream)->id, e->dim, e->value, INT64_MIN, INT64_MAX, take_said, &k,
                          NULL) == LQ_OK) {
        e->said = k.said;
    }
}

void why__find_events(struct why *y)
{
    y->events = lq_arena_alloc(&y->a->mem, EVENTS_MAX * sizeof *y->events);
    for (uint32_t i = 0; i < y->far.n_streams; i++) {
        versions_of(y, i);
    }
    if (snapshot_markers(y->s, y->a->from_us - 86400 * US, y->a->to_us + 1, take_marker, y, NULL) != LQ_OK) {
        why__notice(y->a, "markers could not be read");
    }
    why__find_deeds(y);
    if (y->n_events > 1) {
        qsort(y->events, y->n_events, sizeof *y->events, by_time);
    }
    tell_rollbacks(y);
    find_hosts(y);
    if (y->n_events > 1) {
        qsort(y->events, y->n_events, sizeof *y->events, by_time);
    }
    for (uint32_t i = 0; i < y->n_events; i++) {
        find_said(y, &y->events[i]);
    }
    join_rollouts(y);
    merge_events(y);
    double range = (double)y->far.steps * (double)y->far.step_s;
    for (uint32_t i = 0; i < y->n_events; i++) {
        uint32_t alike = 0;
        for (uint32_t j = 0; j < y->n_events; j++) {
            bool same = y->events[j].kind == y->events[i].kind;
            alike += !same ? 0 : y->events[i].kind == EVENT_ONCE ? y->events[j].waves : 1;
        }
        alike = y->events[i].waves > alike ? y->events[i].waves : alike;
        y->events[i].rate = alike / range;
    }
}
