/*
 * season.c - what repeats (season.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/change/season.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "query/change/noise.h"
#include "schema/base/buf.h"

enum { PERIOD_MIN = 3, CANDIDATES = 12 };

/* y with gaps bridged by straight lines; false when nothing is there. */
static bool bridged(const double *y, const double *w, size_t n, double *x)
{
    size_t last = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        if (w[i] > 0) {
            x[i] = y[i];
            size_t from = last == SIZE_MAX ? 0 : last + 1;
            for (size_t k = from; k < i; k++) {
                x[k] = last == SIZE_MAX ? y[i] : y[last] + (y[i] - y[last]) * (double)(k - last) / (double)(i - last);
            }
            last = i;
        }
    }
    for (size_t k = last + 1; last != SIZE_MAX && k < n; k++) {
        x[k] = y[last];
    }
    return last != SIZE_MAX;
}

/* Moving average over one period, centred (an even period has halves at both ends): ma[i] belongs to x[i + half].
 * Returns how many. */
static size_t moving_average(const double *x, size_t n, size_t period, double *ma)
{
    size_t half = period / 2, m = 2 * half < n ? n - 2 * half : 0;
    double sum = 0;
    for (size_t i = 0; i < 2 * half + 1 && m > 0; i++) {
        sum += x[i];
    }
    for (size_t i = 0; i < m; i++) {
        double ends = period % 2 ? 0 : (x[i] + x[i + 2 * half]) / 2;
        ma[i] = (sum - ends) / (double)period;
        sum += i + 1 < m ? x[i + 2 * half + 1] - x[i] : 0;
    }
    return m;
}

struct workspace {
    const double *x;
    size_t n;
    double *ma, *phase, *profile;
};

/* Strength of this period; the profile is left in ws->profile, from phase 0 of the moving average on. */
static double strength_of(struct workspace *ws, size_t period, bool multiplicative)
{
    size_t half = period / 2, m = moving_average(ws->x, ws->n, period, ws->ma), k = 0;
    double all = 0, left = 0;
    if (m < SEASON_CYCLES * period) {
        return 0;
    }
    for (size_t q = 0; q < period; q++) {
        k = 0;
        for (size_t i = q; i < m; i += period) {
            double d = ws->x[i + half] - ws->ma[i];
            if (multiplicative && !(ws->ma[i] > 0 && ws->x[i + half] > 0)) {
                return 0;
            }
            ws->phase[k++] = multiplicative ? d / ws->ma[i] : d;
        }
        ws->profile[q] = noise_median(ws->phase, k);
    }
    for (size_t i = 0; i < m; i++) {
        double d = ws->x[i + half] - ws->ma[i];
        all += fabs(d);
        left += fabs(d - ws->profile[i % period] * (multiplicative ? ws->ma[i] : 1));
    }
    return all > 0 ? 1 - left / all - 0.8 * (double)period / (double)m : 0;
}

static void workspace_init(struct workspace *ws, const double *x, size_t n)
{
    *ws = (struct workspace){.x = x, .n = n};
    ws->ma = lq_alloc((n + 1) * sizeof *ws->ma);
    ws->phase = lq_alloc((n + 1) * sizeof *ws->phase);
    ws->profile = lq_alloc((n + 1) * sizeof *ws->profile);
}

static void workspace_fini(struct workspace *ws)
{
    free(ws->ma);
    free(ws->phase);
    free(ws->profile);
}

static void consider(struct workspace *ws, size_t period, struct season *best)
{
    for (int multiplicative = 0; multiplicative < 2; multiplicative++) {
        double s = strength_of(ws, period, multiplicative != 0), mean = 0;
        if (s <= SEASON_STRENGTH || (best->period > 0 && s <= best->strength + 0.02)) {
            continue;
        }
        free(best->profile);
        *best = (struct season){.period = period, .multiplicative = multiplicative != 0, .strength = s};
        best->profile = lq_alloc(period * sizeof *best->profile);
        for (size_t q = 0; q < period; q++) {
            mean += ws->profile[q] / (double)period;
        }
        for (size_t q = 0; q < period; q++) {
            best->profile[(q + period / 2) % period] = ws->profile[q] - mean;
        }
    }
}

bool season_of(const double *y, const double *w, size_t n, size_t period, struct season *out)
{
    double *x = lq_alloc((n + 1) * sizeof *x);
    struct workspace ws;
    memset(out, 0, sizeof *out);
    if (period >= 2 && n >= period * SEASON_CYCLES && bridged(y, w, n, x)) {
        workspace_init(&ws, x, n);
        consider(&ws, period, out);
        workspace_fini(&ws);
    }
    free(x);
    return out->period > 0;
}

/* Peaks of the autocorrelation of v at lags from PERIOD_MIN to n / 4: the highest CANDIDATES of them are added to lags.
 */
static size_t peaks(const double *v, size_t n, size_t *lags, size_t k)
{
    size_t most = n / 4, first = k;
    double *r = lq_alloc((most + 3) * sizeof *r), best[CANDIDATES];
    for (size_t lag = PERIOD_MIN - 1; lag <= most + 1 && lag < n; lag++) {
        for (size_t i = lag; i < n; i++) {
            r[lag] += v[i] * v[i - lag];
        }
        r[lag] /= (double)(n - lag);
    }
    for (size_t lag = PERIOD_MIN; lag <= most; lag++) {
        if (r[lag] > 0 && r[lag] >= r[lag - 1] && r[lag] >= r[lag + 1]) {
            size_t at = k;
            if (k - first == CANDIDATES) {
                at = first;
                for (size_t i = first; i < k; i++) {
                    at = best[i - first] < best[at - first] ? i : at;
                }
                if (best[at - first] >= r[lag]) {
                    continue;
                }
            } else {
                k++;
            }
            lags[at] = lag;
            best[at - first] = r[lag];
        }
    }
    free(r);
    return k;
}

static int ascending(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

bool season_find(const double *y, const double *w, size_t n, struct season *out)
{
    double *x = lq_alloc((n + 1) * sizeof *x), *v = lq_alloc((n + 1) * sizeof *v);
    size_t lags[2 * CANDIDATES], k = 0;
    struct workspace ws;
    memset(out, 0, sizeof *out);
    if (n >= 4 * PERIOD_MIN && bridged(y, w, n, x)) {
        double slope = (x[n - 1] - x[0]) / (double)(n - 1), mean = 0;
        for (size_t i = 0; i < n; i++) {
            mean += (x[i] - slope * (double)i) / (double)n;
        }
        for (size_t i = 0; i < n; i++) {
            v[i] = x[i] - slope * (double)i - mean;
        }
        k = peaks(v, n, lags, k);
        for (size_t i = 0; i + 1 < n; i++) { /* differences show a short season on top of slow movement */
            v[i] = x[i + 1] - x[i];
        }
        k = peaks(v, n - 1, lags, k);
        qsort(lags, k, sizeof *lags, ascending);
        workspace_init(&ws, x, n);
        for (size_t i = 0; i < k; i++) {
            if (i == 0 || lags[i] != lags[i - 1]) {
                consider(&ws, lags[i], out);
            }
        }
        workspace_fini(&ws);
    }
    free(x);
    free(v);
    return out->period > 0;
}

void season_remove(const struct season *s, double *y, size_t n)
{
    for (size_t i = 0; i < n && s->period > 0; i++) {
        double p = s->profile[i % s->period];
        y[i] = s->multiplicative ? y[i] / (1 + p) : y[i] - p;
    }
}

void season_fini(struct season *s)
{
    free(s->profile);
    memset(s, 0, sizeof *s);
}
