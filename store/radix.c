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

enum { DIGIT_BITS = 12, DIGIT_BITS_FEW = 8, FEW_KEYS = 8192 };

/* Wide digits, so that the usual 13 to 25 bits of a period take two passes; narrow ones where clearing the counters would cost more than sorting. */
void radix_sort_from(uint64_t *a, uint64_t *tmp, size_t n, unsigned bit)
{
    uint64_t all_or = 0, all_and = UINT64_MAX, *from = a, *to = tmp;
    uint32_t at[1U << DIGIT_BITS];
    for (size_t i = 0; i < n; i++) {
        all_or |= a[i];
        all_and &= a[i];
    }
    uint64_t differ = n > 0 ? (all_or ^ all_and) >> bit : 0;
    unsigned bits = differ != 0 ? 64U - (unsigned)__builtin_clzll(differ) : 0, widest = n < FEW_KEYS ? DIGIT_BITS_FEW : DIGIT_BITS;
    unsigned passes = (bits + widest - 1) / widest, width = passes > 0 ? (bits + passes - 1) / passes : 0;
    for (unsigned p = 0; p < passes; p++) {
        unsigned shift = bit + p * width;
        uint64_t mask = (1ULL << width) - 1;
        uint32_t sum = 0;
        if ((differ >> (p * width) & mask) == 0) {
            continue;
        }
        memset(at, 0, sizeof at[0] << width);
        for (size_t i = 0; i < n; i++) {
            at[from[i] >> shift & mask]++;
        }
        for (uint64_t d = 0; d <= mask; d++) {
            uint32_t c = at[d];
            at[d] = sum;
            sum += c;
        }
        for (size_t i = 0; i < n; i++) {
            to[at[from[i] >> shift & mask]++] = from[i];
        }
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != a) {
        memcpy(a, from, n * sizeof *a);
    }
}
