/*
 * sketch.c - quantile bins and distinct counts (sketch.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/sketch.h"

#include <math.h>

enum { SUB_BITS = 6, SUB = 1 << SUB_BITS, FEW_BINS = 24 };

static int32_t bin_of_magnitude(uint64_t v)
{
    if (v < SUB) {
        return (int32_t)v;
    }
    int e = 63 - __builtin_clzll(v);
    return (e - SUB_BITS + 1) * SUB + (int32_t)((v >> (e - SUB_BITS)) - SUB);
}

int32_t sketch_bin(int64_t value)
{
    return value >= 0 ? bin_of_magnitude((uint64_t)value) : -bin_of_magnitude(0 - (uint64_t)value);
}

static uint64_t magnitude_low(int32_t bin)
{
    if (bin < SUB) {
        return (uint64_t)bin;
    }
    int shift = bin / SUB - 1;
    return (uint64_t)(bin % SUB + SUB) << shift;
}

static uint64_t magnitude_high(int32_t bin)
{
    if (bin < SUB) {
        return (uint64_t)bin;
    }
    int shift = bin / SUB - 1;
    return magnitude_low(bin) + ((uint64_t)1 << shift) - 1;
}

static int64_t signed_of(uint64_t magnitude, bool negative)
{
    if (negative) {
        return magnitude > (uint64_t)INT64_MAX ? INT64_MIN : -(int64_t)magnitude;
    }
    return magnitude > (uint64_t)INT64_MAX ? INT64_MAX : (int64_t)magnitude;
}

int64_t sketch_bin_low(int32_t bin)
{
    return bin >= 0 ? signed_of(magnitude_low(bin), false) : signed_of(magnitude_high(-bin), true);
}

int64_t sketch_bin_high(int32_t bin)
{
    return bin >= 0 ? signed_of(magnitude_high(bin), false) : signed_of(magnitude_low(-bin), true);
}

double sketch_bin_middle(int32_t bin)
{
    int32_t b = bin < 0 ? -bin : bin;
    double low = (double)magnitude_low(b), high = (double)magnitude_high(b);
    double middle = low + (high - low) / 2;
    return bin < 0 ? -middle : middle;
}

/* Few by insertion. */
static size_t sort_few(struct bin *t, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        struct bin x = t[i];
        size_t j = k;
        while (j > 0 && t[j - 1].bin > x.bin) {
            j--;
        }
        if (j > 0 && t[j - 1].bin == x.bin) {
            t[j - 1].n = add_saturating(t[j - 1].n, x.n);
            continue;
        }
        memmove(t + j + 1, t + j, (k - j) * sizeof *t);
        t[j] = x;
        k++;
    }
    return k;
}

void bins_count(struct bin_scratch *s, const int16_t *bins, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t x = (uint32_t)(bins[i] + BIN_LIMIT);
        s->n[x] = add_saturating(s->n[x], 1);
        s->used[x / 64] |= 1ULL << (x % 64);
    }
}

size_t bins_counted(const struct bin_scratch *s)
{
    size_t k = 0;
    for (uint32_t word = 0; word < sizeof s->used / sizeof s->used[0]; word++) {
        k += (size_t)__builtin_popcountll(s->used[word]);
    }
    return k;
}

static size_t take_word(struct bin_scratch *s, uint32_t word, struct bin *out)
{
    size_t k = 0;
    for (uint64_t bits = s->used[word]; bits != 0; bits &= bits - 1) {
        uint32_t x = word * 64 + (uint32_t)__builtin_ctzll(bits);
        out[k++] = (struct bin){(int32_t)x - BIN_LIMIT, s->n[x]};
        s->n[x] = 0;
    }
    s->used[word] = 0;
    return k;
}

void bins_take(struct bin_scratch *s, struct bin *out)
{
    for (uint32_t word = 0; word < sizeof s->used / sizeof s->used[0]; word++) {
        out += take_word(s, word, out);
    }
}

/* Many by counting them out: a sort by comparison took a third of a query for quantiles. */
size_t bins_sort(struct bin_scratch *s, struct bin *t, size_t n)
{
    size_t k = 0;
    if (n <= FEW_BINS) {
        return sort_few(t, n);
    }
    uint32_t low = sizeof s->used / sizeof s->used[0], high = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t x = (uint32_t)(t[i].bin + BIN_LIMIT), word = x / 64;
        s->n[x] = add_saturating(s->n[x], t[i].n);
        s->used[word] |= 1ULL << (x % 64);
        low = word < low ? word : low;
        high = word > high ? word : high;
    }
    for (uint32_t word = low; word <= high; word++) {
        k += take_word(s, word, t + k);
    }
    return k;
}

double sketch_quantile(const struct bin *bins, size_t n, double q, int64_t min, int64_t max)
{
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        total += bins[i].n;
    }
    if (total == 0) {
        return NAN;
    }
    double want = ceil(q * (double)total);
    uint64_t rank = want < 1 ? 1 : want >= (double)total ? total : (uint64_t)want, seen = 0;
    double v = (double)max;
    for (size_t i = 0; i < n; i++) {
        seen += bins[i].n;
        if (seen >= rank) {
            v = sketch_bin_middle(bins[i].bin);
            break;
        }
    }
    return v < (double)min ? (double)min : v > (double)max ? (double)max : v;
}

uint32_t distinct_entry(uint64_t hash)
{
    uint32_t reg = (uint32_t)(hash >> (64 - DISTINCT_P));
    uint64_t rest = hash << DISTINCT_P;
    uint32_t rank = rest == 0 ? 64 - DISTINCT_P + 1 : (uint32_t)__builtin_clzll(rest) + 1;
    return reg << 6 | rank;
}

/* Ertl 2017, "New cardinality estimation algorithms for HyperLogLog sketches", algorithm 6. */
static double sigma(double x)
{
    if (x == 1.0) {
        return INFINITY;
    }
    double y = 1, z = x, before;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z != before);
    return z;
}

static double tau(double x)
{
    if (x == 0.0 || x == 1.0) {
        return 0;
    }
    double y = 1, z = 1 - x, before;
    do {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z != before);
    return z / 3;
}

double distinct_estimate(const uint32_t *entries, size_t n)
{
    enum { Q = 64 - DISTINCT_P };
    const double m = DISTINCT_REGISTERS;
    uint32_t of_rank[Q + 2] = {0};
    of_rank[0] = (uint32_t)(DISTINCT_REGISTERS - n);
    for (size_t i = 0; i < n; i++) {
        uint32_t r = entries[i] & 63;
        of_rank[r <= Q + 1 ? r : Q + 1]++;
    }
    if (n == 0) {
        return 0;
    }
    double z = m * tau(1 - of_rank[Q + 1] / m);
    for (int k = Q; k >= 1; k--) {
        z = 0.5 * (z + of_rank[k]);
    }
    z += m * sigma(of_rank[0] / m);
    return m * m / (2 * 0.6931471805599453) / z;
}

size_t distinct_merge(const uint32_t *a, size_t na, const uint32_t *b, size_t nb, uint32_t *out)
{
    size_t i = 0, j = 0, n = 0;
    while (i < na && j < nb) {
        uint32_t ra = a[i] >> 6, rb = b[j] >> 6;
        if (ra < rb) {
            out[n++] = a[i++];
        } else if (rb < ra) {
            out[n++] = b[j++];
        } else {
            out[n++] = a[i] > b[j] ? a[i] : b[j];
            i++;
            j++;
        }
    }
    while (i < na) {
        out[n++] = a[i++];
    }
    while (j < nb) {
        out[n++] = b[j++];
    }
    return n;
}
