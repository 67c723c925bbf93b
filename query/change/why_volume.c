/*
 * why_volume.c - traffic surges, and what fell silent
 *
 * A surge is told from the daily cycle by the cycle itself: how much the traffic of ten minutes differs from that of
 * the twenty minutes before is measured at every time before, and a rise counts when it stands out among all of those.
 * Heavier traffic than ever before counts as well. Silence: a host, a service or a whole stream that wrote regularly,
 * and wrote nothing at the end of the data.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/why_int.h"

enum { SURGE_S = 600, LOOK_S = 3 * 3600, NULL_MIN = 24, SILENT_MIN_S = 300, SILENT_RECORDS = 20 };

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, z = *(const double *)b;
    return x < z ? -1 : x > z;
}

struct volume {
    const double *sum; /* sum[i] = records before step i */
    uint32_t n, width; /* steps; of the window */
};

static double log_ratio(const struct volume *v, uint32_t t)
{
    double after = v->sum[t + v->width] - v->sum[t], before = (v->sum[t] - v->sum[t - 2 * v->width]) / 2;
    return log((after + 1) / (before + 1));
}

/* Middle and spread of the ratio at all times before `until`. */
static bool usual_ratio(const struct volume *v, uint32_t until, double *middle, double *spread)
{
    double *r = lq_alloc((v->n + 1) * sizeof *r);
    size_t k = 0;
    for (uint32_t t = 2 * v->width; t + v->width<until; t += v->width / 2> 0 ? v->width / 2 : 1) {
        r[k++] = log_ratio(v, t);
    }
    bool ok = k >= NULL_MIN;
    if (ok) {
        qsort(r, k, sizeof *r, by_size);
        *middle = r[k / 2];
        for (size_t i = 0; i < k; i++) {
            r[i] = fabs(r[i] - *middle);
        }
        qsort(r, k, sizeof *r, by_size);
        *spread = 1.4826 * r[k / 2] > r[k - 1 - k / 50] / 3 ? 1.4826 * r[k / 2] : r[k - 1 - k / 50] / 3;
    }
    free(r);
    return ok;
}

/* The most that a window saw before `until`. */
static double most_before(const struct volume *v, uint32_t until)
{
    double most = 0;
    for (uint32_t t = 0; t + v->width <= until && t + v->width <= v->n; t++) {
        double x = v->sum[t + v->width] - v->sum[t];
        most = x > most ? x : most;
    }
    return most;
}

static void surge(struct why *y, const struct volume *v)
{
    const struct target *t = &y->t;
    const struct incident *x = why__incident(y);
    int64_t onset = (x->high_us / US - t->from_s) / t->step_s + 1, look = LOOK_S / t->step_s;
    int64_t from = onset - look > 2 * v->width ? onset - look : 2 * v->width, until = from;
    double middle = 0, spread = 0.2, best = -INFINITY;
    uint32_t at = 0;
    bool known = usual_ratio(v, (uint32_t)until, &middle, &spread);
    for (int64_t i = from; i <= onset && i + v->width <= v->n; i++) {
        double r = log_ratio(v, (uint32_t)i);
        if (r > best) {
            best = r;
            at = (uint32_t)i;
        }
    }
    if (at == 0) {
        return;
    }
    double after = v->sum[at + v->width] - v->sum[at], before = (v->sum[at] - v->sum[at - 2 * v->width]) / 2;
    double noise = sqrt(spread * spread + 1 / (before + 1) + 1 / (after + 1)), z = (best - middle) / noise;
    double most = most_before(v, at), record = after / (most + 1);
    struct finding *f = why__add_finding(y, y->target_stream, NO_DIM, 0);
    f->shape = FINDING_SURGE;
    f->metric = METRIC_COUNT;
    f->near = true;
    f->time_us = (t->from_s + (int64_t)at * t->step_s) * US;
    f->low_us = f->time_us - t->step_s * US;
    f->high_us = f->time_us + t->step_s * US;
    f->at_onset = f->high_us >= x->low_us;
    f->before = before / ((double)v->width * (double)t->step_s);
    f->after = after / ((double)v->width * (double)t->step_s);
    f->p = z > 4 && best > (known ? 0.26 : 0.5) && (record > 1.05 || z > 6)
               ? erfc(z / 1.4142135623730951) * (double)look
               : 1;
    f->p = f->p < CHANGE_P_FLOOR ? CHANGE_P_FLOOR : f->p > 1 ? 1 : f->p;
    f->stat = record;
}

/* One identity whose share of all records rose: a client that came to flood. Hours are the finest that is kept. */
static void heavy_clients(struct why *y)
{
    const struct stream_info *info = y->t.info;
    const struct incident *x = why__incident(y);
    int64_t onset = x->time_us / US, hour = onset - onset % 3600,
            end = x->ongoing ? y->a->to_us / US + 1 : x->end_us / US + 1;
    for (uint32_t i = 0; i < info->schema->n_identities; i++) {
        for (int error = 1; error >= 0; error--) {
            struct heavy after = {0}, before = {0};
            if (snapshot_heavy(y->s, info->id, i, error == 1, hour, end, &after, NULL) == LQ_OK &&
                snapshot_heavy(y->s, info->id, i, error == 1, y->a->from_us / US, hour, &before, NULL) == LQ_OK &&
                after.n > 0 && after.total >= 20) {
                double share = (double)after.items[0].count / (double)after.total, was = 0;
                for (uint32_t k = 0; k < before.n; k++) {
                    was = lq_str_eq(before.items[k].name, after.items[0].name)
                              ? (double)before.items[k].count / (double)(before.total + 1)
                              : was;
                }
                double exact = 1 - (double)after.error_bound / ((double)after.items[0].count + 1);
                if (share * exact > (error == 1 ? 0.35 : 0.15) && was < share / 3) {
                    struct finding *f = why__add_finding(y, y->target_stream, NO_DIM, i);
                    f->metric = METRIC_IDENTITIES;
                    f->shape = FINDING_STEP;
                    f->near = f->at_onset = true;
                    f->failing = error == 1;
                    f->before = was;
                    f->after = share;
                    f->time_us = x->time_us;
                    f->low_us = hour * US;
                    f->high_us = x->high_us;
                    f->p = CHANGE_P_FLOOR;
                    f->cause = why__printf(y->a, "%.*s", (int)after.items[0].name.n, after.items[0].name.p);
                }
            }
            heavy_fini(&after);
            heavy_fini(&before);
        }
    }
}

void why__volume_findings(struct why *y)
{
    const struct target *t = &y->t;
    double *sum = lq_alloc((t->n + 2) * sizeof *sum);
    struct volume v = {.sum = sum, .n = t->n, .width = (uint32_t)(SURGE_S / t->step_s)};
    for (uint32_t i = 0; i < t->n; i++) {
        sum[i + 1] = sum[i] + t->seen[i];
    }
    if (v.width >= 1 && t->n > 4 * v.width && t->kind != TARGET_COUNT) {
        surge(y, &v);
    }
    heavy_clients(y);
    free(sum);
}

static void add_silent(struct why *y, const char *stream, const char *dim, const char *value, int64_t since_us)
{
    struct why_answer *a = y->a;
    if (a->n_silent < WHY_SILENT_MAX) {
        a->silent[a->n_silent++] = (struct why_silent){stream, dim, value, since_us};
    }
}

/* What wrote regularly and is silent at the end of the data. */
void why__silence(struct why *y)
{
    for (uint32_t i = 0; i < snapshot_streams(y->s); i++) {
        const struct stream_info *info = snapshot_stream(y->s, i);
        if (info->lines < SILENT_RECORDS || strcmp(info->schema->name, "unparsed") == 0) {
            continue;
        }
        int64_t lived = info->last_us - info->first_us, gap = y->a->to_us - info->last_us,
                usual = lived / (int64_t)info->lines;
        if (gap > SILENT_MIN_S * US && gap > 50 * usual && gap > lived / 50) {
            add_silent(y, why__printf(y->a, "%s", info->schema->name), NULL, NULL, info->last_us);
            continue;
        }
        for (uint32_t d = DIM_HOST; d <= DIM_SERVICE; d++) {
            for (uint32_t v = VALUE_OVERFLOW + 1; v < snapshot_values(y->s, info->id, d); v++) {
                const struct value_info x = *snapshot_value(y->s, info->id, d, v);
                int64_t life = x.last_us - x.first_us, quiet = info->last_us - x.last_us;
                if (x.count >= SILENT_RECORDS && quiet > SILENT_MIN_S * US && quiet > 50 * (life / (int64_t)x.count) &&
                    quiet > life / 50) {
                    add_silent(y, why__printf(y->a, "%s", info->schema->name),
                               why__printf(y->a, "%s", info->schema->dims[d]),
                               why__printf(y->a, "%.*s", (int)x.text.n, x.text.p), x.last_us);
                }
            }
        }
    }
}
