/*
 * radix.h - sort 64-bit keys, with or without a row number: least significant digit first, only over bytes that differ
 *
 * Stable. Keys that differ in k bytes cost k passes of about 1.5 ns each per key.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_RADIX_H
#define LQ_RADIX_H

#include <stddef.h>
#include <stdint.h>

struct keyed_row {
    uint64_t key;
    uint32_t row;
};
/* The result is in `a` (tmp: same size, scratch). */
void radix_sort_rows(struct keyed_row *a, struct keyed_row *tmp, size_t n);
void radix_sort_keys(uint64_t *a, uint64_t *tmp, size_t n);
/* By the bits from `bit` on only; the lower ones ride along, in the order that they had. */
void radix_sort_from(uint64_t *a, uint64_t *tmp, size_t n, unsigned bit);

#endif
