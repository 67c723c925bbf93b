/*
 * csv.c - cells of a line with separators (csv.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/csv.h"

static bool quoted_cell(lq_str *rest, struct lq_buf *scratch, lq_str *cell)
{
    const char *p = rest->p + 1, *end = rest->p + rest->n, *from = p;
    size_t at = scratch->n;
    bool copied = false;
    for (;;) {
        const char *q = p < end ? memchr(p, '"', (size_t)(end - p)) : NULL;
        if (q == NULL) {
            return false;
        }
        if (q + 1 < end && q[1] == '"') {
            lq_buf_add(scratch, p, (size_t)(q - p) + 1);
            copied = true;
            p = q + 2;
            continue;
        }
        if (copied) {
            lq_buf_add(scratch, p, (size_t)(q - p));
        }
        *cell = copied ? (lq_str){scratch->p + at, scratch->n - at} : (lq_str){from, (size_t)(q - from)};
        rest->n = (size_t)(end - q) - 1;
        rest->p = q + 1;
        return true;
    }
}

bool csv_next(lq_str *rest, char separator, struct lq_buf *scratch, lq_str *cell, bool *more)
{
    if (rest->n > 0 && rest->p[0] == '"') {
        if (!quoted_cell(rest, scratch, cell) || (rest->n > 0 && rest->p[0] != separator)) {
            return false;
        }
    } else {
        const char *sep = rest->n > 0 ? memchr(rest->p, separator, rest->n) : NULL;
        *cell = (lq_str){rest->p, sep != NULL ? (size_t)(sep - rest->p) : rest->n};
        rest->p += cell->n;
        rest->n -= cell->n;
    }
    *more = rest->n > 0;
    rest->p += *more;
    rest->n -= *more;
    return true;
}
