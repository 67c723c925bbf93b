/*
 * logfmt.c - key=value lines (logfmt.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/logfmt.h"

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

/* At the opening quote; *p moves past the closing one. */
static bool quoted(const char **p, const char *end, struct lq_buf *scratch, lq_str *out)
{
    const char *from = ++*p, *q = from;
    while (q < end && *q != '"' && *q != '\\') {
        q++;
    }
    if (q < end && *q == '"') {
        *out = (lq_str){from, (size_t)(q - from)};
        *p = q + 1;
        return true;
    }
    size_t at = scratch->n;
    lq_buf_add(scratch, from, (size_t)(q - from));
    for (; q < end && *q != '"'; q++) {
        char c = *q;
        if (c == '\\' && q + 1 < end) {
            c = *++q;
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
        }
        lq_buf_byte(scratch, (uint8_t)c);
    }
    *out = (lq_str){scratch->p + at, scratch->n - at};
    *p = q < end ? q + 1 : q;
    return q < end;
}

bool logfmt_each(lq_str line, logfmt_each_fn *fn, void *ctx, struct lq_buf *scratch)
{
    const char *p = line.p, *end = line.p + line.n;
    unsigned words = 0, pairs = 0;
    bool stopped = false;
    lq_buf_reserve(scratch, line.n + 1); /* views into it must not move */
    while (p < end) {
        if (blank(*p)) {
            p++;
            continue;
        }
        lq_str key = {p, 0}, value = {"", 0};
        while (p < end && !blank(*p) && *p != '=' && *p != '"') {
            p++;
        }
        key.n = (size_t)(p - key.p);
        words++;
        if (p < end && *p == '"') {
            return false;
        }
        if (p < end && *p == '=' && key.n > 0) {
            pairs++;
            p++;
            if (p < end && *p == '"') {
                if (!quoted(&p, end, scratch, &value)) {
                    return false;
                }
            } else {
                value.p = p;
                while (p < end && !blank(*p)) {
                    p++;
                }
                value.n = (size_t)(p - value.p);
            }
        } else if (p < end && *p == '=') {
            return false;
        }
        stopped = stopped || !fn(ctx, key, value);
    }
    return pairs >= 2 && 2 * pairs >= words;
}
