/*
 * fragment_build.h - build a fragment row by row, in order
 *
 * The one engine behind fold, merge and roll-up: open rows in ascending (id, slot), add any number of contributions to the open row
 * in any order, and each row is brought to its canonical form (bins sorted and combined, one entry per register) when the next begins.
 * That is why the result cannot depend on the order of contributions.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_FRAGMENT_BUILD_H
#define LQ_FRAGMENT_BUILD_H

#include "store/fragment.h"

struct builder;
enum { BUILD_SUMS = 1, BUILD_BINS = 2, BUILD_DISTINCT = 4 };
struct builder *builder_new(uint32_t n_measures, uint32_t n_identities, unsigned columns);
void builder_free(struct builder **b);
/* An empty builder for fragments of other measures and identities; its memory stays. */
void builder_reshape(struct builder *b, uint32_t n_measures, uint32_t n_identities);
void builder_row(struct builder *b, uint32_t id, uint16_t slot);
void builder_count(struct builder *b, uint64_t count);
/* n observations of measure m at once; bins: the bin of each, in any order (not looked at where no bins are kept). */
struct builder_sum {
    int64_t sum, min, max;
};
void builder_run(struct builder *b, uint32_t m, uint32_t n, const struct builder_sum *sum, const int16_t *bins);
/* The cell of another fragment's row (all columns that both have). */
void builder_cell(struct builder *b, const struct fragment *f, uint32_t row);
void builder_distinct(struct builder *b, uint32_t identity, uint32_t entry);
uint32_t builder_rows(const struct builder *b);
/* Finish: move everything into *out (owned by out->mem) and start anew. */
void builder_take(struct builder *b, struct fragment *out);
/* The same without moving anything: *out borrows the builder's arrays until its next row. */
void builder_view(struct builder *b, struct fragment *out);

#endif
