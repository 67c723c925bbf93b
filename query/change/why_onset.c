/*
 * why_onset.c - when did the errors start?
 *
 * The share of errors is cut into segments; the level of the quiet time is the share that the calmest third of the requests saw. A run of
 * segments well above it that lasts is an incident; the worst one (most errors beyond the quiet level) is answered.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/why_int.h"

struct segment {
    uint32_t from, to;
    double errors, count, rate;
};

static int by_rate(const void *a, const void *b)
{
    const struct segment *x = a, *y = b;
    return x->rate != y->rate ? (x->rate < y->rate ? -1 : 1) : x->from < y->from ? -1 : x->from > y->from;
}

/* The share below which the calmest third of the requests lies. */
static double quiet_rate(const struct segment *seg, size_t n, double total)
{
    struct segment *sorted = lq_alloc((n + 1) * sizeof *sorted);
    double seen = 0, errors = 0, count = 0;
    memcpy(sorted, seg, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_rate);
    for (size_t i = 0; i < n && seen < total / 3; i++) {
        seen += sorted[i].count;
        errors += sorted[i].errors;
        count += sorted[i].count;
    }
    free(sorted);
    return count > 0 ? (errors + 0.5) / (count + 1) : 0;
}

static bool elevated(const struct why *y, const struct segment *s, double quiet)
{
    double expected = s->count * quiet, z = (s->errors - expected) / sqrt(y->dispersion * (expected * (1 - quiet) + 1));
    return s->rate > 1.5 * quiet + 1e-9 && z > 5;
}

/* Where exactly: the split of the buckets around the segment's start that makes the data likeliest; 95 % by profile. */
static void refine(struct why *y, int64_t lo_s, int64_t hi_s, int64_t unit_s, int tier)
{
    struct scan *c = NULL;
    const struct fragment *f;
    int64_t period;
    size_t n = (size_t)((hi_s - lo_s) / unit_s);
    double *err = lq_alloc((n + 1) * sizeof *err), *cnt = lq_alloc((n + 1) * sizeof *cnt);
    if (scan_open(y->s, y->target->info->id, tier, SECTION_TOTALS, lo_s, hi_s, FRAGMENT_COUNTS, &c, NULL) == LQ_OK) {
        while (scan_next(c, &f, &period, NULL) == LQ_OK && f != NULL) {
            for (uint32_t r = 0; r < f->rows; r++) {
                int64_t t = period + (int64_t)f->slot[r] * tiers[tier].step_s - lo_s;
                if (t >= 0 && t < (int64_t)n * unit_s) {
                    cnt[t / unit_s] += (double)f->count[r];
                    err[t / unit_s] += f->id[r] == 1 ? (double)f->count[r] : 0;
                }
            }
        }
    }
    scan_close(&c);
    double te = 0, tc = 0, e = 0, k = 0, best = -INFINITY;
    double *ll = lq_alloc((n + 1) * sizeof *ll);
    for (size_t i = 0; i < n; i++) {
        te += err[i];
        tc += cnt[i];
    }
    size_t at = 0;
    for (size_t i = 1; i < n; i++) {
        e += err[i - 1];
        k += cnt[i - 1];
        double p = (e + 0.5) / (k + 1), q = (te - e + 0.5) / (tc - k + 1);
        ll[i] = k > 0 && tc > k && q > p ? e * log(p) + (k - e) * log(1 - p) + (te - e) * log(q) + (tc - k - te + e) * log(1 - q) : -INFINITY;
        if (ll[i] > best) {
            best = ll[i];
            at = i;
        }
    }
    if (isfinite(best)) {
        size_t low = at, high = at;
        for (size_t i = 1; i < n; i++) {
            if ((best - ll[i]) / y->dispersion <= 1.92) {
                low = i < low ? i : low;
                high = i > high ? i : high;
            }
        }
        y->a->onset_us = (lo_s + (int64_t)at * unit_s) * 1000000;
        y->a->onset_low_us = (lo_s + ((int64_t)low - 1) * unit_s) * 1000000;
        y->a->onset_high_us = (lo_s + (int64_t)high * unit_s) * 1000000;
    }
    free(err);
    free(cnt);
    free(ll);
}

static void describe(struct why *y, const struct segment *seg, size_t from, size_t to, size_t n, double quiet)
{
    struct why_answer *a = y->a;
    double worst = 0, errors = 0, count = 0, before_e = 0, before_c = 0;
    for (size_t i = from; i <= to; i++) {
        worst = seg[i].rate > worst ? seg[i].rate : worst;
        errors += seg[i].errors;
        count += seg[i].count;
    }
    for (size_t i = 0; i < from; i++) {
        before_e += seg[i].errors;
        before_c += seg[i].count;
    }
    a->has_onset = true;
    a->ongoing = to + 1 == n;
    a->rate_before = before_c > 0 ? before_e / before_c : quiet;
    a->rate_after = count > 0 ? errors / count : 0;
    a->onset_p = CHANGE_P_FLOOR;
    y->onset_step = seg[from].from;
    y->end_step = seg[to].to;
    a->onset_us = grid_time_us(&y->g, y->onset_step);
    a->onset_low_us = a->onset_us - y->g.step_s * 1000000;
    a->onset_high_us = a->onset_us + y->g.step_s * 1000000;
    a->end_us = a->ongoing ? INT64_MAX : grid_time_us(&y->g, y->end_step);
    bool rising = to > from && seg[from].rate < 0.5 * worst;
    a->onset_type = y->end_step - y->onset_step < 3 && !a->ongoing ? "spike" : rising ? "trend_change" : "step_change";
    int64_t lo = y->g.from_s + ((int64_t)y->onset_step - 6) * y->g.step_s, hi = y->g.from_s + ((int64_t)y->onset_step + 6) * y->g.step_s;
    if (y->target->info->tier_from_s[TIER_1MIN] != INT64_MAX && y->target->info->tier_from_s[TIER_1MIN] <= lo + 3600 && y->g.step_s > 60) {
        refine(y, lo, hi, 60, TIER_1MIN);
    }
}

static bool given_onset(struct why *y, int64_t given_us, const struct segment *seg, size_t n, double quiet)
{
    size_t i = 0;
    while (i + 1 < n && grid_time_us(&y->g, seg[i].to) <= given_us) {
        i++;
    }
    describe(y, seg, i, n - 1, n, quiet);
    y->a->onset_us = y->a->onset_low_us = y->a->onset_high_us = given_us;
    int64_t step = (given_us / 1000000 - y->g.from_s) / y->g.step_s;
    y->onset_step = step < 0 ? 0 : step >= y->g.steps ? y->g.steps - 1 : (uint32_t)step;
    return true;
}

bool why__find_onset(struct why *y, int64_t given_us)
{
    uint32_t n = y->g.steps;
    double *s = lq_alloc(n * sizeof *s), *t = lq_alloc(n * sizeof *t), total = 0;
    uint32_t *starts = lq_alloc((n + 1) * sizeof *starts);
    bool found = false;
    for (uint32_t i = 0; i < n; i++) {
        s[i] = (double)y->target->total.errors[i];
        t[i] = (double)y->target->total.count[i];
        total += t[i];
    }
    y->dispersion = binomial_dispersion(s, t, n);
    size_t k = binomial_segment(s, t, n, y->dispersion, starts);
    struct segment *seg = lq_alloc((k + 1) * sizeof *seg);
    for (size_t i = 0; i < k; i++) {
        seg[i].from = starts[i];
        seg[i].to = i + 1 < k ? starts[i + 1] : n;
        for (uint32_t j = seg[i].from; j < seg[i].to; j++) {
            seg[i].errors += s[j];
            seg[i].count += t[j];
        }
        seg[i].rate = seg[i].count > 0 ? seg[i].errors / seg[i].count : 0;
    }
    double quiet = quiet_rate(seg, k, total), worst = 0;
    y->a->smallest_rise = total > 0 ? quiet + 5 * sqrt(y->dispersion * quiet * (1 - quiet) / (total / n * 6 + 1)) : 1;
    size_t best_from = 0, best_to = 0;
    for (size_t i = 0; i < k; i++) {
        if (!elevated(y, &seg[i], quiet)) {
            continue;
        }
        double excess = 0;
        size_t j = i;
        for (; j < k && (elevated(y, &seg[j], quiet) || (seg[j].to - seg[j].from < 3 && j + 1 < k)); j++) {
            excess += seg[j].errors - seg[j].count * quiet;
        }
        while (j > i + 1 && !elevated(y, &seg[j - 1], quiet)) {
            j--;
        }
        if (i > 0 && excess > worst) { /* what was so from the beginning did not start */
            worst = excess;
            best_from = i;
            best_to = j - 1;
            found = true;
        }
        i = j - 1;
    }
    if (given_us != INT64_MIN) {
        found = given_onset(y, given_us, seg, k, quiet);
    } else if (found) {
        describe(y, seg, best_from, best_to, k, quiet);
    }
    free(s);
    free(t);
    free(starts);
    free(seg);
    return found;
}
