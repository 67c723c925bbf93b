/*
 * radix.c - LSD radix sort (radix.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/radix.h"

#include <string.h>

#define DEFINE_SORT(name, type, KEY)                                                                                           \
    void name(type *a, type *tmp, size_t n)                                                                                    \
    {                                                                                                                          \
        uint64_t all_or = 0, all_and = UINT64_MAX;                                                                             \
        type *from = a, *to = tmp;                                                                                             \
        for (size_t i = 0; i < n; i++) {                                                                                       \
            all_or |= KEY(a[i]);                                                                                               \
            all_and &= KEY(a[i]);                                                                                              \
        }                                                                                                                      \
        uint64_t differ = all_or ^ all_and;                                                                                    \
        for (unsigned shift = 0; shift < 64; shift += 8) {                                                                     \
            size_t at[256] = {0}, sum = 0;                                                                                     \
            if ((differ >> shift & 255) == 0) {                                                                                \
                continue;                                                                                                      \
            }                                                                                                                  \
            for (size_t i = 0; i < n; i++) {                                                                                   \
                at[KEY(from[i]) >> shift & 255]++;                                                                             \
            }                                                                                                                  \
            for (unsigned b = 0; b < 256; b++) {                                                                               \
                size_t c = at[b];                                                                                              \
                at[b] = sum;                                                                                                   \
                sum += c;                                                                                                      \
            }                                                                                                                  \
            for (size_t i = 0; i < n; i++) {                                                                                   \
                to[at[KEY(from[i]) >> shift & 255]++] = from[i];                                                               \
            }                                                                                                                  \
            type *swap = from;                                                                                                 \
            from = to;                                                                                                         \
            to = swap;                                                                                                         \
        }                                                                                                                      \
        if (from != a) {                                                                                                       \
            memcpy(a, from, n * sizeof *a);                                                                                    \
        }                                                                                                                      \
    }

#define ROW_KEY(x) ((x).key)
#define SAME(x)    (x)
DEFINE_SORT(radix_sort_rows, struct keyed_row, ROW_KEY)
DEFINE_SORT(radix_sort_keys, uint64_t, SAME)
