/*
 * why_impact.c - who was hurt: requests, errors, distinct identities, by audience
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/why_int.h"

static void merge(uint8_t *registers, const struct fragment *f, uint32_t r)
{
    const struct distinct_column *d = &f->d[0];
    for (uint32_t k = d->at != NULL ? d->at[r] : 0; d->at != NULL && k < d->at[r + 1]; k++) {
        uint32_t reg = d->entries[k] >> 6;
        uint8_t rank = (uint8_t)(d->entries[k] & 63);
        registers[reg] = rank > registers[reg] ? rank : registers[reg];
    }
}

static uint64_t distinct(const uint8_t *registers)
{
    uint32_t *entries = lq_alloc(DISTINCT_REGISTERS * sizeof *entries);
    size_t n = 0;
    for (uint32_t i = 0; i < DISTINCT_REGISTERS; i++) {
        if (registers[i] > 0) {
            entries[n++] = i << 6 | registers[i];
        }
    }
    uint64_t out = (uint64_t)llround(distinct_estimate(entries, n));
    free(entries);
    return out;
}

struct hurt {
    uint64_t requests, errors;
    uint8_t *registers;
};

struct window {
    const struct stream_info *info;
    int64_t from_s, to_s;
    int tier;
    uint32_t audience; /* dimension */
};

/* Totals in slot 0, audience value v in slot v. */
static void read_marginals(struct why *y, const struct window *w, struct hurt *h, uint32_t n)
{
    struct scan *c = NULL;
    const struct fragment *f;
    int64_t period, step = tiers[w->tier].step_s;
    if (scan_open(y->s, w->info->id, w->tier, SECTION_MARGINALS, w->from_s, w->to_s, FRAGMENT_DISTINCT, &c, NULL) ==
        LQ_OK) {
        while (!why__over(y) && scan_next(c, &f, &period, NULL) == LQ_OK && f != NULL) {
            for (uint32_t r = 0; r < f->rows; r++) {
                int64_t t = period + (int64_t)f->slot[r] * step;
                struct marginal_info m = snapshot_marginal(y->s, w->info->id, f->id[r]);
                uint32_t at = m.dim == NO_DIM ? 0 : m.dim == w->audience ? m.value : UINT32_MAX;
                if (t <= w->from_s - step || t >= w->to_s || at >= n) {
                    continue;
                }
                h[at].requests += f->count[r];
                h[at].errors += m.error ? f->count[r] : 0;
                if (m.error && f->n_identities > 0) {
                    h[at].registers = h[at].registers == NULL ? lq_alloc(DISTINCT_REGISTERS) : h[at].registers;
                    merge(h[at].registers, f, r);
                }
            }
        }
    }
    scan_close(&c);
}

/* Whole hours of a long incident from the 1 h tier, its ragged ends by minutes: the same sums for a sixtieth of the
 * reading. */
static void read_window(struct why *y, const struct window *w, struct hurt *h, uint32_t n)
{
    enum { HOUR = 3600, WORTH_IT = 6 };
    int64_t first = (w->from_s + HOUR - 1) / HOUR * HOUR, last = w->to_s / HOUR * HOUR;
    if (w->tier != TIER_1MIN || last - first < WORTH_IT * HOUR) {
        read_marginals(y, w, h, n);
        return;
    }
    struct window part = *w;
    part.to_s = first;
    if (part.from_s < first) {
        read_marginals(y, &part, h, n);
    }
    part.tier = TIER_1H;
    part.from_s = first;
    part.to_s = last;
    read_marginals(y, &part, h, n);
    part.tier = TIER_1MIN;
    part.from_s = last;
    part.to_s = w->to_s;
    if (part.from_s < part.to_s) {
        read_marginals(y, &part, h, n);
    }
}

void why__impact(struct why *y)
{
    struct why_answer *a = y->a;
    const struct incident *x = why__incident(y);
    const struct stream_info *info = y->t.info;
    struct window w = {.info = info,
                       .from_s = x->time_us / US,
                       .to_s = x->ongoing ? INT64_MAX / 8 : x->end_us / US,
                       .audience = NO_DIM};
    w.to_s = w.to_s > a->to_us / US + 1 ? a->to_us / US + 1 : w.to_s;
    w.tier = info->tier_from_s[TIER_1MIN] <= w.from_s ? TIER_1MIN : TIER_1H;
    for (uint32_t d = DIM_BUILTIN; d < info->schema->n_dims; d++) {
        w.audience =
            strcmp(info->schema->dims[d], "audience") == 0 && (info->schema->sketch_by >> d & 1) != 0 ? d : w.audience;
    }
    uint32_t n = w.audience != NO_DIM ? snapshot_values(y->s, info->id, w.audience) : 1;
    struct hurt *h = lq_alloc((n + 1) * sizeof *h);
    read_window(y, &w, h, n);
    a->requests = h[0].requests;
    a->errors = h[0].errors;
    a->identities =
        info->schema->n_identities > 0 ? (h[0].registers != NULL ? distinct(h[0].registers) : 0) : UINT64_MAX;
    a->identity = info->schema->n_identities > 0 ? why__printf(a, "%s", info->schema->identities[0]) : NULL;
    for (uint32_t v = VALUE_OVERFLOW + 1; v < n && a->n_audiences < WHY_AUDIENCES_MAX; v++) {
        lq_str name = why__value(y, y->target_stream, w.audience, v);
        a->audiences[a->n_audiences++] =
            (struct why_audience){why__printf(a, "%s", info->schema->dims[w.audience]),
                                  why__printf(a, "%.*s", (int)name.n, name.p), h[v].requests, h[v].errors,
                                  h[v].registers != NULL           ? distinct(h[v].registers)
                                  : info->schema->n_identities > 0 ? 0
                                                                   : UINT64_MAX};
    }
    for (uint32_t v = 0; v < n; v++) {
        free(h[v].registers);
    }
    free(h);
}
