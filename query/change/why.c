/*
 * why.c - the answer, put together (why.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

#include "query/change/why_int.h"

const char *why__printf(struct why_answer *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = lq_arena_alloc(&a->mem, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p;
}

lq_str why__value(struct why *y, const struct grid_stream *st, uint32_t dim, uint32_t value)
{
    return snapshot_value(y->s, st->info->id, dim, value)->text;
}

void why_fini(struct why_answer *a)
{
    lq_arena_fini(&a->mem);
    memset(a, 0, sizeof *a);
}

/* The stream of requests with most lines; else the one with most errors. */
static const struct grid_stream *default_target(const struct grid *g, const char *name)
{
    const struct grid_stream *best = NULL;
    for (uint32_t i = 0; i < g->n_streams; i++) {
        const struct grid_stream *x = &g->streams[i];
        if (name != NULL) {
            if (strcmp(x->info->schema->name, name) == 0) {
                return x;
            }
            continue;
        }
        if (strcmp(x->info->schema->name, "unparsed") == 0) {
            continue;
        }
        bool requests = x->info->schema->kind == STREAM_REQUESTS, was = best != NULL && best->info->schema->kind == STREAM_REQUESTS;
        uint64_t weight = requests ? x->info->lines : x->info->errors, had = best == NULL ? 0 : was ? best->info->lines : best->info->errors;
        if (best == NULL || (requests && !was) || (requests == was && weight > had)) {
            best = x;
        }
    }
    return best;
}

/* "errors", "stream = NAME | errors", "stream = NAME". */
static enum lq_err parse_target(const char *target, char name[NAME_BYTES_MAX], bool *named, struct lq_error *e)
{
    char tail[32] = "";
    *named = false;
    if (target == NULL || strcmp(target, "errors") == 0) {
        return LQ_OK;
    }
    int n = sscanf(target, " stream = %63[A-Za-z0-9_.-] | %31s", name, tail);
    if (n < 1 || (n == 2 && strcmp(tail, "errors") != 0)) {
        lq_error_set(e, LQ_EINVAL, "the target \"%s\" is not understood", target);
        lq_error_hint(e, "targets are errors, or: stream = NAME | errors");
        return LQ_EINVAL;
    }
    *named = true;
    return LQ_OK;
}

static void impact(struct why *y)
{
    struct why_answer *a = y->a;
    const struct stream_info *info = y->target->info;
    struct scan *c = NULL;
    const struct fragment *f;
    int64_t period, from = a->onset_us / 1000000, to = a->ongoing ? INT64_MAX / 8 : a->end_us / 1000000;
    int tier = info->tier_from_s[TIER_1MIN] <= from ? TIER_1MIN : TIER_1H;
    uint8_t *registers = lq_alloc(DISTINCT_REGISTERS);
    if (scan_open(y->s, info->id, tier, SECTION_MARGINALS, from, to, FRAGMENT_DISTINCT, &c, NULL) == LQ_OK) {
        while (scan_next(c, &f, &period, NULL) == LQ_OK && f != NULL) {
            for (uint32_t r = 0; r < f->rows; r++) {
                int64_t t = period + (int64_t)f->slot[r] * tiers[tier].step_s;
                struct marginal_info m = snapshot_marginal(y->s, info->id, f->id[r]);
                if (m.dim != UINT32_MAX || t < from - tiers[tier].step_s || t >= to) {
                    continue;
                }
                a->requests += f->count[r];
                a->errors += m.error ? f->count[r] : 0;
                for (uint32_t k = f->n_identities > 0 && m.error ? f->d[0].at[r] : 0; f->n_identities > 0 && m.error && k < f->d[0].at[r + 1]; k++) {
                    uint32_t reg = f->d[0].entries[k] >> 6;
                    uint8_t rank = (uint8_t)(f->d[0].entries[k] & 63);
                    registers[reg] = rank > registers[reg] ? rank : registers[reg];
                }
            }
        }
    }
    scan_close(&c);
    uint32_t entries[DISTINCT_REGISTERS];
    size_t n = 0;
    for (uint32_t i = 0; i < DISTINCT_REGISTERS; i++) {
        if (registers[i] > 0) {
            entries[n++] = i << 6 | registers[i];
        }
    }
    a->identities = (uint64_t)llround(distinct_estimate(entries, n));
    free(registers);
}

static void sparkline(struct why *y)
{
    for (uint32_t i = 0; i < WHY_SPARK; i++) {
        double e = 0, n = 0;
        for (uint32_t t = (uint32_t)((uint64_t)i * y->g.steps / WHY_SPARK); t < (uint64_t)(i + 1) * y->g.steps / WHY_SPARK; t++) {
            e += (double)y->target->total.errors[t];
            n += (double)y->target->total.count[t];
        }
        y->a->spark[i] = n > 0 ? e / n : -1;
    }
}

static enum lq_err range(struct snapshot *s, const struct why_options *o, struct why_answer *a, struct lq_error *e)
{
    int64_t first = INT64_MAX, last = INT64_MIN;
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_info *x = snapshot_stream(s, i);
        if (x->lines > 0) {
            first = x->first_us < first ? x->first_us : first;
            last = x->last_us > last ? x->last_us : last;
        }
    }
    if (first > last) {
        lq_error_set(e, LQ_ENODATA, "there are no lines to look at");
        lq_error_hint(e, "lq why FILE…, or load logs first: lq load FILE…");
        return LQ_ENODATA;
    }
    a->from_us = o->from_us > first ? o->from_us : first;
    a->to_us = o->to_us <= last ? o->to_us : last + 1;
    a->now_us = last;
    if (a->from_us >= a->to_us) {
        return lq_error_set(e, LQ_EINVAL, "no lines between --since and --until");
    }
    return LQ_OK;
}

enum lq_err why_run(struct snapshot *s, const struct why_options *o, struct why_answer *a, struct lq_error *e)
{
    struct why y = {.s = s, .a = a};
    char name[NAME_BYTES_MAX];
    bool named;
    memset(a, 0, sizeof *a);
    a->target = "errors";
    a->lines = snapshot_counter(s, "lines");
    a->parsed = snapshot_counter(s, "parsed");
    enum lq_err err = parse_target(o->target, name, &named, e);
    if (err == LQ_OK) {
        err = range(s, o, a, e);
    }
    if (err == LQ_OK && o->lookback_us > 0 && o->onset_us != INT64_MIN && o->onset_us - o->lookback_us > a->from_us) {
        a->from_us = o->onset_us - o->lookback_us;
    }
    if (err == LQ_OK) {
        err = grid_read(s, a->from_us, a->to_us, &y.g, e);
    }
    if (err == LQ_OK) {
        y.target = default_target(&y.g, named ? name : NULL);
        if (y.target == NULL) {
            err = lq_error_set(e, named ? LQ_EINVAL : LQ_ENODATA, named ? "no stream %s" : "no line was understood, so there is nothing to count%s", named ? name : "");
            lq_error_hint(e, named ? "lq streams lists them" : "lq format try FILE shows where the formats stop matching");
        }
    }
    if (err == LQ_OK) {
        a->stream = why__printf(a, "%s", y.target->info->schema->name);
        sparkline(&y);
        if (why__find_onset(&y, o->onset_us)) {
            why__find_events(&y);
            why__find_changes(&y);
            why__rank(&y, o->top > 0 ? o->top : 5);
            impact(&y);
            if (a->n_suspects == 0) {
                a->notices[a->n_notices++] = "nothing in these logs changed before the errors started";
            } else if (strcmp(a->suspects[0].confidence, "low") == 0) {
                a->notices[a->n_notices++] = "no recorded change explains the errors: what is listed only came before them";
            }
        } else {
            a->notices[a->n_notices++] = why__printf(a, "no onset: the errors did not start to rise; a lasting rise to %.3g %% of records would have been seen", 100 * a->smallest_rise);
        }
        if (a->lines > 0 && a->parsed < a->lines) {
            a->notices[a->n_notices++] = why__printf(a, "%llu of %llu lines match no format (stream unparsed)", (unsigned long long)(a->lines - a->parsed), (unsigned long long)a->lines);
        }
    }
    free(y.findings);
    grid_fini(&y.g);
    if (err != LQ_OK) {
        why_fini(a);
    }
    return err;
}
