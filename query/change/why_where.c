/*
 * why_where.c - in which values the errors concentrate
 *
 * The near grid summed each series over a window before and one after the onset. The errors beyond the usual of a value
 * are those after the onset less what its requests would have had at the rate of before. A dimension that only says the
 * same as `error` (a status, a level) explains nothing and is left out. Pairs of values are looked at below a value
 * that stands out, never all of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/why_int.h"

enum { VALUES_MAX = 4096, EXCESS_MIN = 5 };
#define CONCENTRATED 0.6

struct part { /* of the requests */
    double n[2], e[2];
};

static double excess_of(const struct part *x, double usual)
{
    double r = (x->e[0] + usual * 20) / (x->n[0] + 20);
    return x->e[1] - x->n[1] * r;
}

static struct part *sum_by(struct why *y, uint32_t dim, uint32_t only_dim, uint32_t only_value, uint32_t *n)
{
    const struct grid_stream *st = &y->near.streams[y->target_stream];
    *n = snapshot_values(y->s, st->info->id, dim);
    struct part *p = lq_alloc((*n + 1) * sizeof *p);
    for (uint32_t i = 0; i < st->n_windows; i++) {
        const uint32_t *ids = snapshot_series(y->s, st->info->id, i);
        if (only_dim != NO_DIM && ids[only_dim] != only_value) {
            continue;
        }
        for (int k = 0; k < 2; k++) {
            p[ids[dim]].n[k] += (double)st->windows[i].count[k];
            p[ids[dim]].e[k] += (double)st->windows[i].errors[k];
        }
    }
    return p;
}

/* Almost every value fails always or never: the dimension tells the error, not its place. */
static bool tells_error(const struct part *p, uint32_t n)
{
    double pure = 0, all = 0, failing = 0;
    for (uint32_t v = 0; v < n; v++) {
        double c = p[v].n[0] + p[v].n[1], e = p[v].e[0] + p[v].e[1];
        pure += e > c - e ? e : c - e;
        all += c;
        failing += e;
    }
    return all <= 0 || all - pure < 0.02 * failing;
}

struct place {
    uint32_t dim, value;
    double concentration, traffic, rate[2], others[2];
};

/* The value with most of the excess, if it stands out. */
static bool best_value(struct why *y, const struct part *p, uint32_t n, uint32_t dim, const struct part *all,
                       struct place *out)
{
    double usual = all->e[0] / (all->n[0] + 1), total = all->e[1] - all->n[1] * usual, most = 0;
    uint32_t best = 0;
    for (uint32_t v = VALUE_OVERFLOW + 1; v < n; v++) {
        double x = excess_of(&p[v], usual);
        if (x > most) {
            most = x;
            best = v;
        }
    }
    if (best == 0 || most < EXCESS_MIN || total <= 0) {
        return false;
    }
    const struct part *b = &p[best];
    *out = (struct place){dim,
                          best,
                          most / total > 1 ? 1 : most / total,
                          b->n[1] / (all->n[1] + 1e-9),
                          {b->e[0] / (b->n[0] + 1e-9), b->e[1] / (b->n[1] + 1e-9)},
                          {0, 0}};
    for (int k = 0; k < 2; k++) {
        out->others[k] = (all->e[k] - b->e[k]) / (all->n[k] - b->n[k] + 1e-9);
    }
    double fail = share_contrast_p(b->e[1], b->n[1], all->e[1] - b->e[1], all->n[1] - b->n[1], y->dispersion);
    return out->concentration >= CONCENTRATED && out->traffic < 0.75 * out->concentration &&
           out->rate[1] > 2 * out->others[1] && fail < 1e-4;
}

static void add_where(struct why *y, const struct place *x, const struct place *second)
{
    struct why_answer *a = y->a;
    const struct stream_info *info = why__info(y, y->target_stream);
    if (a->n_where == WHY_WHERE_MAX) {
        return;
    }
    struct why_where *w = &a->where[a->n_where++];
    w->subject = (struct why_subject){.stream = a->stream, .metric = "errors"};
    const struct place *two[2] = {x, second};
    for (int i = 0; i < 2 && two[i] != NULL; i++) {
        lq_str v = why__value(y, y->target_stream, two[i]->dim, two[i]->value);
        w->subject.dim[i] = why__printf(a, "%s", info->schema->dims[two[i]->dim]);
        w->subject.value[i] = why__printf(a, "%.*s", (int)v.n, v.p);
    }
    w->share = x->concentration;
    const char *what = second == NULL ? why__printf(a, "%s %s", w->subject.dim[0], w->subject.value[0])
                                      : why__printf(a, "%s %s with %s %s", w->subject.dim[0], w->subject.value[0],
                                                    w->subject.dim[1], w->subject.value[1]);
    w->text = why__printf(a, "%s of the new errors are on %s, which has %s of the %s: %s fail there, %s elsewhere",
                          why__percent(y, x->concentration), what, why__percent(y, x->traffic),
                          a->requests_kind ? "requests" : "records", why__percent(y, x->rate[1]),
                          why__percent(y, x->others[1]));
}

static int by_lift(const void *a, const void *b)
{
    const struct place *x = a, *z = b;
    double lx = x->concentration - x->traffic, lz = z->concentration - z->traffic;
    return lx != lz ? (lx > lz ? -1 : 1) : x->dim < z->dim ? -1 : x->dim > z->dim;
}

/* Below a value that stands out: a second one that holds most of its errors. */
static bool second_value(struct why *y, const struct place *x, struct place *out)
{
    const struct stream_schema *s = why__info(y, y->target_stream)->schema;
    struct place best = {0}, one;
    for (uint32_t d = DIM_HOST; d < s->n_dims; d++) {
        uint32_t n;
        if (d == x->dim) {
            continue;
        }
        struct part *p = sum_by(y, d, x->dim, x->value, &n), all = {0};
        for (uint32_t v = 0; v < n; v++) {
            for (int k = 0; k < 2; k++) {
                all.n[k] += p[v].n[k];
                all.e[k] += p[v].e[k];
            }
        }
        if (!tells_error(p, n) && best_value(y, p, n, d, &all, &one) && one.concentration > 0.8 &&
            one.concentration - one.traffic > best.concentration - best.traffic) {
            best = one;
        }
        free(p);
    }
    *out = best;
    return best.value != 0;
}

void why__find_where(struct why *y)
{
    const struct stream_schema *s = why__info(y, y->target_stream)->schema;
    struct place found[DIM_MAX], second;
    size_t k = 0;
    if (y->near.steps == 0 || y->t.kind != TARGET_SHARE) {
        return;
    }
    for (uint32_t d = DIM_HOST; d < s->n_dims; d++) {
        uint32_t n;
        struct part *p = sum_by(y, d, NO_DIM, 0, &n), all = {0};
        for (uint32_t v = 0; v < n; v++) {
            for (int i = 0; i < 2; i++) {
                all.n[i] += p[v].n[i];
                all.e[i] += p[v].e[i];
            }
        }
        y->tells[d] = tells_error(p, n);
        if (!y->tells[d] && best_value(y, p, n, d, &all, &found[k])) {
            k++;
        }
        free(p);
    }
    if (k > 1) {
        qsort(found, k, sizeof *found, by_lift);
    }
    for (size_t i = 0; i < k; i++) {
        bool pair = i == 0 && second_value(y, &found[0], &second);
        add_where(y, &found[i], pair && second.dim != found[0].dim ? &second : NULL);
        if (pair) { /* the pair says both */
            size_t kept = i + 1;
            for (size_t j = i + 1; j < k; j++) {
                if (found[j].dim != second.dim) {
                    found[kept++] = found[j];
                }
            }
            k = kept;
        }
    }
}
