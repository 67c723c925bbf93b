/*
 * why_ramp.c - errors that grow for hours: when the rise began, and what its course says of those who came later
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/ramp.h"
#include "query/change/why_onset.h"

enum { RAMP_MIN_S = 2 * 3600, ZOOMS = 4, STEPS_ZOOM = 32, RISE_BLOCKS = 5, SIDE_MIN = 12, SIDE_BLOCKS = 40 };
#define RISE_PAYS 25.0 /* by chance 1 in 100,000 times: of 20,000 series without a rise the most is 21 */
#define RISE_ONE  0.2  /* of what is more than usual, at most this in one block of the range */
#define RISE_MIN  15
#define DOUBT     3.0 /* a slow rise fits better by so much, not enough to call it one: its beginning is possible too */

/* Sums of steps [lo, hi) in blocks of equal width. */
static uint32_t blocks(const struct target *t, uint32_t lo, uint32_t hi, uint32_t width, double *s, double *w)
{
    uint32_t n = (hi - lo + width - 1) / width;
    memset(s, 0, n * sizeof *s);
    memset(w, 0, n * sizeof *w);
    for (uint32_t i = lo; i < hi; i++) {
        s[(i - lo) / width] += t->num[i];
        w[(i - lo) / width] += t->den[i];
    }
    return n;
}

static int64_t step_us(const struct target *t, uint32_t step)
{
    return (t->from_s + (int64_t)step * t->step_s) * US;
}

/*
 * A rise over hours: its first stair stands out long after the beginning, so all that lies before it is looked at, then
 * what lies around the rise, closer and closer. Only the closest look counts: in wide blocks the block in which a step
 * lies is half of one and half of the other, and looks like a slope.
 */
void why__slow_start(const struct why *y, struct incident *x, uint32_t floor)
{
    const struct target *t = &y->t;
    double s[RAMP_STEPS_MAX], w[RAMP_STEPS_MAX];
    uint32_t lo = floor, hi = x->to, low, at, high, top;
    struct ramp r;
    for (int zoom = 0;; zoom++) {
        uint32_t width = (hi - lo + RAMP_STEPS_MAX - 1) / RAMP_STEPS_MAX, n = blocks(t, lo, hi, width, s, w);
        uint32_t by = x->from > lo ? (x->from - lo) / width + 1 : 1;
        if (hi - lo < STEPS_ZOOM || !ramp_fit(s, w, n, by, &r)) {
            return;
        }
        low = lo + (r.low > 1 ? r.low - 1 : 0) * width;
        at = lo + r.at * width;
        high = lo + (r.high + 1) * width;
        top = lo + r.top * width;
        uint32_t longer = (top > at ? top - at : 0) + (high - low) / 2, from = low > lo + longer ? low - longer : lo,
                 to = top + longer / 2 < hi ? top + longer / 2 : hi;
        if (zoom == ZOOMS || to - from > (hi - lo) / 4 * 3) {
            break;
        }
        lo = from;
        hi = to;
    }
    if (top < at + RISE_BLOCKS * ((hi - lo) / RAMP_STEPS_MAX) || (int64_t)(top - at) * t->step_s < RAMP_MIN_S) {
        return;
    }
    if (r.shape != RAMP_STEP) {
        x->type = "trend_change";
        x->before = r.before < 1e-9 ? 0 : r.before;
        x->time_us = step_us(t, at);
        x->top_us = step_us(t, top);
        x->low_us = step_us(t, low);
        x->high_us = step_us(t, high);
    } else if (r.gain > DOUBT && strcmp(x->type, "step_change") == 0) { /* too few failures to tell */
        x->low_us = step_us(t, low) < x->low_us ? step_us(t, low) : x->low_us;
    }
}

/*
 * Nothing stands out, but is there a slow rise up to the end? It is one question about the whole range, so less is asked of it than
 * of each of many cuts; but it must be spread: one burst is no rise.
 */
bool why__slow_rise(const struct why *y, struct incident *x)
{
    const struct target *t = &y->t;
    double s[RAMP_STEPS_MAX], w[RAMP_STEPS_MAX], sum = 0, whole = 0, most = 0, all = 0;
    uint32_t width = (t->n + RAMP_STEPS_MAX - 1) / RAMP_STEPS_MAX, n = blocks(t, 0, t->n, width, s, w);
    struct ramp r;
    if (!ramp_fit(s, w, n, n / 2, &r) || r.rise < RISE_PAYS || r.after < 1.5 * r.before) {
        return false;
    }
    for (uint32_t i = r.at; i < n; i++) {
        double more = s[i] - w[i] * r.before;
        most = more > most ? more : most;
        all += more;
        sum += s[i];
        whole += w[i];
    }
    if (most > RISE_ONE * all || all < RISE_MIN) {
        return false;
    }
    uint32_t mid = (r.at + (r.top > r.at ? r.top : r.at)) / 2;
    *x = (struct incident){.from = mid * width,
                           .to = t->n,
                           .ongoing = true,
                           .before = r.before < 1e-9 ? 0 : r.before,
                           .after = sum / whole,
                           .peak = r.after,
                           .excess = all,
                           .p = CHANGE_P_FLOOR};
    return true;
}

static bool in_rise(const struct incident *x, int64_t us)
{
    return x->top_us > 0 && us > x->time_us && us < (x->top_us > x->high_us ? x->top_us : x->high_us);
}

/* Does the rise take another course at a time within it? Looked at as far on one side as on the other. */
static int turn_at(const struct why *y, int64_t us, bool *known)
{
    const struct incident *x = why__incident(y);
    const struct target *t = &y->t;
    double s[RAMP_STEPS_MAX], w[RAMP_STEPS_MAX];
    int64_t at = (us / US - t->from_s) / t->step_s, lo = (x->time_us / US - t->from_s) / t->step_s,
            hi = (x->top_us / US - t->from_s) / t->step_s;
    int64_t side = at - lo < hi - at ? at - lo : hi - at, width = side / SIDE_BLOCKS > 0 ? side / SIDE_BLOCKS : 1;
    *known = side / width >= SIDE_MIN;
    if (!*known) {
        return 0;
    }
    side -= side % width;
    side = side < SIDE_BLOCKS * width ? side : SIDE_BLOCKS * width;
    uint32_t n = blocks(t, (uint32_t)(at - side), (uint32_t)(at + side), (uint32_t)width, s, w);
    return ramp_turn(s, w, n, (uint32_t)(side / width));
}

const char *why__after_start(struct why *y, int64_t us)
{
    const struct incident *x = why__incident(y);
    const char *ago = why__lead(y, us - x->time_us);
    if (!in_rise(x, us)) {
        return why__printf(y->a, "it came %s after the errors had started", ago);
    }
    bool known;
    int turn = turn_at(y, us, &known);
    return turn > 0 ? why__printf(y->a, "the errors had begun to rise %s before it; from it on they rise faster", ago)
           : turn < 0 || !known
               ? why__printf(y->a, "the errors had begun to rise %s before it", ago)
               : why__printf(y->a, "the errors had begun to rise %s before it, and went on rising as before", ago);
}

double why__start_at(const struct why *y, int64_t us)
{
    const struct incident *x = why__incident(y);
    int64_t side = us > x->time_us ? x->high_us - x->time_us : x->time_us - x->low_us;
    double z = 1.96 * (double)(us - x->time_us) / (double)(side + 60 * US);
    return exp(-z * z / 2);
}
