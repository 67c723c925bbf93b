/*
 * why_contrast.c - do those who had an event fail, and the others not? Hosts, and requests by the version that served them
 *
 * Only what does the same work is compared: the hosts of another service neither had the event nor could fail.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <stdlib.h>

#include "query/change/why_int.h"

enum { CONTRAST_MIN = 3 };
#define SAME_WORK 0.5 /* of what a host does */

static int64_t host_time(const struct event *e, lq_str host)
{
    for (uint32_t i = 0; i < e->n_hosts; i++) {
        if (lq_str_eq(e->hosts[i].name, host)) {
            return e->hosts[i].time_us;
        }
    }
    return INT64_MAX;
}

/* The dimension that says what a host does: which routes it serves, else which messages it writes. */
static uint32_t work_dim(const struct stream_schema *s)
{
    uint32_t dim = NO_DIM;
    for (uint32_t d = 0; d < s->n_dims; d++) {
        bool route = strcmp(s->dims[d], "route") == 0;
        dim = route || (dim == NO_DIM && why__is_template(s, d)) ? d : dim;
    }
    return dim;
}

/* Names of hosts that share a word before their domain: app03 and app11, fra-node-2 and iad-node-7. */
static bool named_alike(lq_str a, lq_str b)
{
    for (size_t i = 0; i < a.n && a.p[i] != '.'; i++) {
        size_t n = 0;
        while (i + n < a.n && isalpha((unsigned char)a.p[i + n])) {
            n++;
        }
        for (size_t k = 0; n > 0 && k + n <= b.n && b.p[k] != '.'; k++) {
            bool starts = k == 0 || !isalpha((unsigned char)b.p[k - 1]),
                 ends = k + n == b.n || !isalpha((unsigned char)b.p[k + n]);
            if (starts && ends && memcmp(a.p + i, b.p + k, n) == 0) {
                return true;
            }
        }
        i += n;
    }
    return false;
}

static bool numbered(lq_str name)
{
    bool digit = false, letter = false; /* an address is no name */
    for (size_t i = 0; i < name.n && name.p[i] != '.'; i++) {
        digit = digit || isdigit((unsigned char)name.p[i]);
        letter = letter || isalpha((unsigned char)name.p[i]);
    }
    return digit && letter;
}

/* By value of the host: no name of those that had the event is like its own, though they are like others, or numbered:
 * core-api-5 alone is a family, too. */
static void leave_strangers(struct why *y, const struct event *e, bool *same, uint32_t hosts)
{
    bool *alike = lq_alloc(hosts + 1), any = numbered(e->hosts[0].name);
    for (uint32_t h = VALUE_OVERFLOW + 1; h < hosts; h++) {
        lq_str name = why__value(y, y->target_stream, DIM_HOST, h);
        for (uint32_t i = 0; i < e->n_hosts; i++) {
            bool itself = lq_str_eq(e->hosts[i].name, name), like = itself || named_alike(e->hosts[i].name, name);
            alike[h] = alike[h] || like;
            any = any || (like && !itself);
        }
    }
    for (uint32_t h = 0; h < hosts && any; h++) {
        same[h] = same[h] && alike[h];
    }
    free(alike);
}

/* By value of the host: does it the work of those that had the event? Another service is nothing to compare with. */
static bool *same_work(struct why *y, const struct event *e)
{
    const struct grid_stream *st = &y->near.streams[y->target_stream];
    uint32_t dim = work_dim(st->info->schema), hosts = snapshot_values(y->s, st->info->id, DIM_HOST),
             values = dim != NO_DIM ? snapshot_values(y->s, st->info->id, dim) : 0;
    bool *same = lq_alloc(hosts + 1), *theirs = lq_alloc(values + 1);
    double *shared = lq_alloc((hosts + 1) * sizeof *shared), *all = lq_alloc((hosts + 1) * sizeof *all);
    for (int pass = 0; pass < 2 && dim != NO_DIM; pass++) {
        for (uint32_t i = 0; i < st->n_windows; i++) {
            const uint32_t *ids = snapshot_series(y->s, st->info->id, i);
            double n = (double)st->windows[i].count[0] - (double)st->windows[i].errors[0];
            uint32_t h = ids[DIM_HOST], v = ids[dim];
            if (n <= 0 || h == VALUE_ABSENT || v == VALUE_ABSENT) {
                continue;
            }
            if (pass == 0) {
                theirs[v] = theirs[v] || host_time(e, why__value(y, y->target_stream, DIM_HOST, h)) != INT64_MAX;
            } else {
                all[h] += n;
                shared[h] += theirs[v] ? n : 0;
            }
        }
    }
    for (uint32_t h = 0; h < hosts; h++) {
        same[h] = shared[h] >= SAME_WORK * all[h];
    }
    leave_strangers(y, e, same, hosts);
    free(theirs);
    free(shared);
    free(all);
    return same;
}

/*
 * Errors of hosts from the moment they had it, against hosts that did not have it at the same time. Steps where all
 * have it or none has it compare nothing. What differed between the hosts before is taken out of the ratio.
 */
static bool host_contrast(struct why *y, const struct event *e, struct contrast *out)
{
    const struct grid *g = &y->near;
    const struct grid_stream *st = &g->streams[y->target_stream];
    const struct incident *x = why__incident(y);
    double before_e[2] = {0, 0}, before_n[2] = {0, 0};
    uint32_t end = x->ongoing ? g->steps : grid_step(g, x->end_us);
    bool *same = same_work(y, e);
    for (uint32_t t = 0; t < end; t++) {
        int64_t at = grid_time_us(g, t);
        double se[2] = {0, 0}, sn[2] = {0, 0};
        for (uint32_t i = 0; i < st->n_series; i++) {
            const struct grid_series *h = &st->series[i];
            if (h->dim == DIM_HOST && h->count[t] > 0 && same[h->value]) {
                int64_t had = host_time(e, why__value(y, y->target_stream, DIM_HOST, h->value));
                int with = had != INT64_MAX && at >= had - had % (g->step_s * US) ? 0 : 1;
                if (at < e->time_us - 60 * US) { /* before: by who will have it */
                    with = had != INT64_MAX ? 0 : 1;
                    before_e[with] += (double)h->errors[t];
                    before_n[with] += (double)h->count[t];
                    continue;
                }
                se[with] += (double)h->errors[t];
                sn[with] += (double)h->count[t];
            }
        }
        for (int k = 0; k < 2 && sn[0] > 0 && sn[1] > 0; k++) {
            out->errors[k] += se[k];
            out->count[k] += sn[k];
        }
    }
    for (uint32_t i = 0; i < st->n_series; i++) {
        if (st->series[i].dim == DIM_HOST && same[st->series[i].value]) {
            bool with = host_time(e, why__value(y, y->target_stream, DIM_HOST, st->series[i].value)) != INT64_MAX;
            out->exposed += with;
            out->others += !with;
        }
    }
    free(same);
    if (out->count[0] <= 0 || out->count[1] <= 0 || out->errors[0] + out->errors[1] < CONTRAST_MIN) {
        return false;
    }
    double r = (out->errors[0] + 0.5) / (out->count[0] + 1) / ((out->errors[1] + 0.5) / (out->count[1] + 1)), was = 1;
    if (before_n[0] > 0 && before_n[1] > 0) {
        was = (before_e[0] + 2) / (before_n[0] + 4) / ((before_e[1] + 2) / (before_n[1] + 4));
        was = was < 1 ? 1 : was;
    }
    out->ratio = r / was;
    out->p = share_contrast_p(out->errors[0], out->count[0], out->errors[1], out->count[1], y->dispersion);
    return true;
}

/* Requests served by the version or a later one, against older ones, after the onset. */
static bool version_contrast(struct why *y, const struct event *e, struct contrast *out)
{
    const struct grid_stream *st = &y->near.streams[y->target_stream];
    if (st->windows == NULL || e->dim != DIM_VERSION || e->stream == NO_DIM) {
        return false;
    }
    lq_str name = lq_str_of(e->name);
    uint32_t id = snapshot_value_id(y->s, st->info->id, DIM_VERSION, name);
    if (id == UINT32_MAX) {
        return false;
    }
    int64_t born = snapshot_value(y->s, st->info->id, DIM_VERSION, id)->first_us;
    for (uint32_t i = 0; i < st->n_windows; i++) {
        uint32_t v = snapshot_series(y->s, st->info->id, i)[DIM_VERSION];
        if (v > VALUE_OVERFLOW) {
            int k = snapshot_value(y->s, st->info->id, DIM_VERSION, v)->first_us >= born ? 0 : 1;
            k = e->kind == EVENT_ROLLBACK ? (v == id ? 0 : 1) : k;
            out->errors[k] += (double)st->windows[i].errors[1];
            out->count[k] += (double)st->windows[i].count[1];
        }
    }
    if (out->count[0] <= 0 || out->count[1] < 5 || out->errors[0] + out->errors[1] < CONTRAST_MIN) {
        return false;
    }
    out->ratio = (out->errors[0] + 0.5) / (out->count[0] + 1) / ((out->errors[1] + 0.5) / (out->count[1] + 1));
    out->p = share_contrast_p(out->errors[0], out->count[0], out->errors[1], out->count[1], y->dispersion);
    out->exposed = out->others = 0;
    return true;
}

bool why__event_contrast(struct why *y, const struct event *e, struct contrast *out)
{
    memset(out, 0, sizeof *out);
    if (y->near.steps == 0 || y->t.kind != TARGET_SHARE) {
        return false;
    }
    if (version_contrast(y, e, out)) {
        return true;
    }
    memset(out, 0, sizeof *out);
    return e->n_hosts > 0 && host_contrast(y, e, out);
}
