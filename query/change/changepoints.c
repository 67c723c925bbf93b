/*
 * changepoints.c - generic change points (changepoints.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/change/changepoints.h"

#include <math.h>
#include <stdlib.h>

#include "query/change/stat.h"
#include "schema/json_scan.h"

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Share of the variance that a straight line leaves: a plain trend is no change. */
static double line_unexplained(const double *v, const double *w, size_t n)
{
    double k = 0, st = 0, sy = 0, tt = 0, ty = 0, yy = 0;
    for (size_t i = 0; i < n; i++) {
        k += w[i];
        st += w[i] * (double)i;
        sy += w[i] * v[i];
    }
    double mt = k > 0 ? st / k : 0, my = k > 0 ? sy / k : 0;
    for (size_t i = 0; i < n; i++) {
        tt += w[i] * ((double)i - mt) * ((double)i - mt);
        ty += w[i] * ((double)i - mt) * (v[i] - my);
        yy += w[i] * (v[i] - my) * (v[i] - my);
    }
    return tt > 0 && yy > 0 ? 1 - ty * ty / (tt * yy) : 1;
}

/* What a split must leave less than a line does: two parameters more (its place, and a level), by the Bayesian information criterion. */
static double bic_margin(size_t n)
{
    return exp(-2 * log((double)n) / (double)n);
}

size_t changepoints(const double *y, size_t n, uint32_t *out)
{
    struct range {
        size_t from, to;
    } *todo = lq_alloc((n + 2) * sizeof *todo);
    double *v = lq_alloc((n + 1) * sizeof *v), *w = lq_alloc((n + 1) * sizeof *w);
    size_t n_todo = 1, found = 0;
    for (size_t i = 0; i < n; i++) {
        w[i] = isfinite(y[i]) && fabs(y[i]) < 1e150 ? 1 : 0;
        v[i] = w[i] > 0 ? y[i] : 0;
    }
    todo[0] = (struct range){0, n};
    while (n_todo > 0) {
        struct range r = todo[--n_todo];
        struct change c;
        if (change_best(v + r.from, w + r.from, r.to - r.from, &c) && c.p < CHANGEPOINTS_P &&
            c.unexplained < bic_margin(r.to - r.from) * line_unexplained(v + r.from, w + r.from, r.to - r.from)) {
            size_t at = r.from + c.at;
            out[found++] = (uint32_t)at;
            todo[n_todo++] = (struct range){r.from, at};
            todo[n_todo++] = (struct range){at, r.to};
        }
    }
    if (found > 1) {
        qsort(out, found, sizeof *out, ascending);
    }
    free(todo);
    free(v);
    free(w);
    return found;
}

struct numbers {
    double *y;
    size_t n, cap;
};

static void push(struct numbers *x, double v)
{
    lq_grow(&x->y, &x->cap, x->n + 1, sizeof *x->y);
    x->y[x->n++] = v;
}

static bool take(void *ctx, lq_str path, struct json_value v)
{
    static const char prefix[] = "series.0.raw.";
    if (path.n >= sizeof prefix && memcmp(path.p, prefix, sizeof prefix - 1) == 0) {
        char buf[64] = "";
        memcpy(buf, v.text.p, v.text.n < sizeof buf - 1 ? v.text.n : sizeof buf - 1);
        push(ctx, v.type == LQ_JSON_NUMBER ? strtod(buf, NULL) : NAN);
    }
    return true;
}

static enum lq_err parse_lines(lq_str text, struct numbers *x, struct lq_error *e)
{
    uint32_t line = 1;
    for (; text.n > 0; line++) {
        const char *nl = memchr(text.p, '\n', text.n);
        size_t n = nl != NULL ? (size_t)(nl - text.p) : text.n;
        char buf[64] = "", *end = buf;
        memcpy(buf, text.p, n < sizeof buf - 1 ? n : sizeof buf - 1);
        double v = strtod(buf, &end);
        while (*end == ' ' || *end == '\r') {
            end++;
        }
        if (*end != '\0' && strcmp(buf, "null") != 0) {
            lq_error_set(e, LQ_EINVAL, "this is no number");
            lq_error_where(e, "series", line, 1, (uint32_t)(n < 60 ? n : 60), text.p, n);
            return LQ_EINVAL;
        }
        if (n > 0) {
            push(x, end == buf || strcmp(buf, "null") == 0 ? NAN : v);
        }
        text.p += n + (nl != NULL);
        text.n -= n + (nl != NULL);
    }
    return LQ_OK;
}

enum lq_err changepoints_parse(lq_str text, double **y, size_t *n, struct lq_error *e)
{
    struct numbers x = {0};
    struct lq_buf scratch = {0};
    enum lq_err err = LQ_OK;
    size_t at = 0, i = 0;
    while (i < text.n && (text.p[i] == ' ' || text.p[i] == '\n')) {
        i++;
    }
    if (i < text.n && text.p[i] == '{') {
        if (!json_each(text, take, &x, &scratch, &at)) {
            err = lq_error_set(e, LQ_EINVAL, "the series is no JSON object (at byte %zu)", at + 1);
        } else if (x.n == 0) {
            err = lq_error_set(e, LQ_EINVAL, "the object has no {\"series\":[{\"raw\":[…]}]}");
        }
    } else {
        err = parse_lines(text, &x, e);
    }
    lq_buf_fini(&scratch);
    if (err != LQ_OK) {
        free(x.y);
        return err;
    }
    *y = x.y;
    *n = x.n;
    return LQ_OK;
}
