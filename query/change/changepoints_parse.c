/*
 * changepoints_parse.c - a series as text (changepoints.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/change/changepoints.h"

#include <math.h>
#include <stdlib.h>

#include "schema/json_scan.h"

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
