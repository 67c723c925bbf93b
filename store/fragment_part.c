/*
 * fragment_part.c - a large fragment as several values (fragment.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/fragment.h"

enum {
    WANTED_BYTES = FRAGMENT_BYTES_MAX - FRAGMENT_BYTES_MAX / 8,
    ROW_BYTES = 3, MEASURE_BYTES = 6, BIN_BYTES = 2, ENTRY_BYTES = 2, /* what they take, about: */
    AS_ESTIMATED = 600,                                              /* thousandths of it, in a week of web logs 250 to 770 */
};

/* Rows [from, from + rows) of a fragment; borrows its columns. */
static struct fragment rows_of(const struct fragment *f, uint32_t from, uint32_t rows)
{
    struct fragment v = {.rows = rows, .n_measures = f->n_measures, .n_identities = f->n_identities,
                         .id = f->id + from, .slot = f->slot + from, .count = f->count + from};
    for (uint32_t i = 0; i < f->n_measures; i++) {
        const struct measure_column *m = &f->m[i];
        v.m[i] = (struct measure_column){m->n + from, m->sum + from, m->min + from, m->max + from, m->bins_at != NULL ? m->bins_at + from : NULL, m->bins};
    }
    for (uint32_t i = 0; i < f->n_identities; i++) {
        v.d[i] = (struct distinct_column){f->d[i].at != NULL ? f->d[i].at + from : NULL, f->d[i].entries};
    }
    return v;
}

/* About what rows [from, to) take. */
static uint64_t estimate(const struct fragment *f, uint32_t from, uint32_t to)
{
    uint64_t n = (uint64_t)(to - from) * (ROW_BYTES + MEASURE_BYTES * f->n_measures);
    for (uint32_t i = 0; i < f->n_measures; i++) {
        n += f->m[i].bins_at != NULL ? (uint64_t)BIN_BYTES * (f->m[i].bins_at[to] - f->m[i].bins_at[from]) : 0;
    }
    for (uint32_t i = 0; i < f->n_identities; i++) {
        n += f->d[i].at != NULL ? (uint64_t)ENTRY_BYTES * (f->d[i].at[to] - f->d[i].at[from]) : 0;
    }
    return n;
}

/* The end of the rows that fit, one at least. */
static uint32_t end_of(const struct fragment *f, uint32_t from, uint64_t as_estimated)
{
    uint32_t fits = from + 1, over = f->rows + 1;
    while (over - fits > 1) {
        uint32_t middle = fits + (over - fits) / 2;
        if (estimate(f, from, middle) * as_estimated / 1000 <= WANTED_BYTES) {
            fits = middle;
        } else {
            over = middle;
        }
    }
    return fits;
}

bool fragment_encode_part(struct fragment_encoder *e, const struct fragment *f, struct fragment_part *p, struct lq_buf *out)
{
    uint64_t as_estimated = p->as_estimated > 0 ? p->as_estimated : AS_ESTIMATED;
    uint32_t end = p->from;
    size_t start = out->n, bytes = SIZE_MAX;
    if (p->from == f->rows) {
        return false;
    }
    while (bytes > FRAGMENT_BYTES_MAX && end != p->from + 1) {
        end = end_of(f, p->from, as_estimated);
        struct fragment v = rows_of(f, p->from, end - p->from);
        out->n = start;
        fragment_encode_with(e, &v, out);
        bytes = out->n - start;
        as_estimated = bytes * 1000 / estimate(f, p->from, end) + 1;
    }
    p->from = end;
    p->as_estimated = as_estimated;
    p->n++;
    return true;
}
