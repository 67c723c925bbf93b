/*
 * test_sketch.c - quantile bins, distinct counts, the fragment codec, heaviest identities, statistics
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "query/change/stat.h"
#include "store/fragment.h"
#include "store/fragment_build.h"
#include "store/heavy.h"

static uint64_t state = 42;

static uint64_t next(void)
{
    uint64_t z = (state += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

static void observe(struct builder *b, uint32_t m, int64_t value)
{
    int16_t bin = (int16_t)sketch_bin(value);
    builder_run(b, m, 1, &(struct builder_sum){value, value, value}, &bin);
}

Test(sketch, bins_hold_their_values_within_a_128th)
{
    static const int64_t edges[] = {0, 1, 63, 64, 65, 127, 128, 1000, INT64_MAX, INT64_MAX - 1, INT64_MIN, INT64_MIN + 1, -1, -63, -64, -1000};
    cr_expect_eq(sketch_bin(1000), 317);
    for (int i = 0; i < 100000; i++) {
        int64_t v = i < (int)(sizeof edges / sizeof edges[0]) ? edges[i] : (int64_t)(next() >> (i % 63)) * (i % 2 == 0 ? 1 : -1);
        int32_t b = sketch_bin(v);
        cr_assert(sketch_bin_low(b) <= v && v <= sketch_bin_high(b), "%lld", (long long)v);
        cr_assert(fabs(sketch_bin_middle(b) - (double)v) <= fabs((double)v) / 128 + 1e-9, "%lld", (long long)v);
    }
}

Test(sketch, distinct_counts_within_five_percent)
{
    for (uint32_t n = 1; n <= 1000000; n *= 10) {
        uint8_t reg[DISTINCT_REGISTERS] = {0};
        uint32_t entries[DISTINCT_REGISTERS];
        size_t k = 0;
        for (uint32_t i = 0; i < n; i++) {
            uint32_t e = distinct_entry(lq_hash(&i, sizeof i, 0));
            reg[e >> 6] = (e & 63) > reg[e >> 6] ? (uint8_t)(e & 63) : reg[e >> 6];
        }
        for (uint32_t i = 0; i < DISTINCT_REGISTERS; i++) {
            if (reg[i] > 0) {
                entries[k++] = i << 6 | reg[i];
            }
        }
        double got = distinct_estimate(entries, k);
        cr_expect(fabs(got - n) <= 0.05 * n + 0.5, "%u: %g", n, got);
    }
    cr_expect(distinct_estimate(NULL, 0) == 0);
}

Test(sketch, codec_vector_and_round_trip)
{
    static const uint8_t want[] = {0x02, 0x01, 0x00, 0x01, 0x00, 0x02, 0x02, 0x01, 0x01, 0x01, 0x01, 0x00, 0x00, 0x03,
                                   0x03, 0x00, 0x00, 0x00, 0x00, 0x05, 0x00, 0x07, 0x01, 0xac, 0x02, 0x02};
    struct builder *b = builder_new(1, 0, BUILD_SUMS);
    struct fragment f, back;
    struct lq_buf bytes = {0};
    builder_row(b, 5, 7);
    builder_count(b, 1);
    observe(b, 0, 300);
    builder_take(b, &f);
    fragment_encode(&f, &bytes);
    cr_expect(bytes.n == 8 + sizeof want && memcmp(bytes.p + 8, want, sizeof want) == 0, "the worked example of fragment_codec.c");
    static const uint8_t version_1[] = {0x01, 0x01, 0x00, 0x01, 0x00, 0x02, 0x02, 0x01, 0x01, 0x01, 0x01, 0x00, 0x00, 0x02, 0x02,
                                        0x00, 0x00, 0x00, 0x00, 0x05, 0x00, 0x07, 0x01, 0xd8, 0x04};
    uint64_t sum = lq_hash(version_1, sizeof version_1, 0);
    struct lq_buf old = {0};
    lq_buf_add(&old, &sum, sizeof sum);
    lq_buf_add(&old, version_1, sizeof version_1);
    cr_assert(fragment_decode(old.p, old.n, FRAGMENT_ALL, &back) == LQ_OK);
    cr_expect(back.rows == 1 && back.id[0] == 5 && back.slot[0] == 7 && back.count[0] == 1 && back.m[0].sum[0] == 300, "version 1 is read");
    fragment_fini(&back);
    lq_buf_fini(&old);
    for (size_t i = 0; i < bytes.n; i++) { /* every flipped bit is found */
        bytes.p[i] = (char)(bytes.p[i] ^ 1);
        cr_expect(fragment_decode(bytes.p, bytes.n, FRAGMENT_ALL, &back) == LQ_ECORRUPT);
        bytes.p[i] = (char)(bytes.p[i] ^ 1);
    }
    cr_expect(fragment_decode(bytes.p, bytes.n, FRAGMENT_ALL, &back) == LQ_OK && back.rows == 1 && back.id[0] == 5 && back.slot[0] == 7 && back.m[0].sum[0] == 300);
    fragment_fini(&f);
    fragment_fini(&back);
    builder_free(&b);
    lq_buf_fini(&bytes);
}

/* A random fragment; merge must not care for order, and decode must undo encode. */
static void random_fragment(struct fragment *out, uint64_t seed)
{
    struct builder *b = builder_new(2, 1, BUILD_SUMS | BUILD_BINS | BUILD_DISTINCT);
    state = seed;
    for (uint32_t id = 0; id < 60; id++) {
        for (uint16_t slot = 0; slot < 60; slot++) {
            uint64_t z = next();
            if (z % 5 != 0) {
                continue;
            }
            builder_row(b, id, slot);
            for (uint64_t k = 0; k <= z % 40; k++) {
                builder_count(b, 1);
                observe(b, 0, (int64_t)(next() >> (20 + next() % 40)) - 1000);
                if (k % 3 == 0) {
                    observe(b, 1, (int64_t)(next() % 100000));
                }
                builder_distinct(b, 0, distinct_entry(next() % 500 * 0x9e3779b97f4a7c15U));
            }
        }
    }
    builder_take(b, out);
    builder_free(&b);
}

static void bytes_of(const struct fragment *f, struct lq_buf *out)
{
    lq_buf_clear(out);
    fragment_encode(f, out);
}

Test(sketch, merge_is_commutative_and_associative_and_decode_undoes_encode)
{
    struct fragment a, b, c, ab, ba, ab_c, bc, a_bc, back;
    struct lq_buf x = {0}, y = {0};
    random_fragment(&a, 1);
    random_fragment(&b, 2);
    random_fragment(&c, 3);
    fragment_merge((const struct fragment *[]){&a, &b}, 2, &ab);
    fragment_merge((const struct fragment *[]){&b, &a}, 2, &ba);
    fragment_merge((const struct fragment *[]){&ab, &c}, 2, &ab_c);
    fragment_merge((const struct fragment *[]){&b, &c}, 2, &bc);
    fragment_merge((const struct fragment *[]){&a, &bc}, 2, &a_bc);
    bytes_of(&ab, &x);
    bytes_of(&ba, &y);
    cr_expect(x.n == y.n && memcmp(x.p, y.p, x.n) == 0, "commutative");
    bytes_of(&ab_c, &x);
    bytes_of(&a_bc, &y);
    cr_expect(x.n == y.n && memcmp(x.p, y.p, x.n) == 0, "associative");
    cr_assert(fragment_decode(x.p, x.n, FRAGMENT_ALL, &back) == LQ_OK);
    bytes_of(&back, &y);
    cr_expect(x.n == y.n && memcmp(x.p, y.p, x.n) == 0, "decode undoes encode");
    struct fragment *all[] = {&a, &b, &c, &ab, &ba, &ab_c, &bc, &a_bc, &back};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        fragment_fini(all[i]);
    }
    lq_buf_fini(&x);
    lq_buf_fini(&y);
}

Test(sketch, a_large_fragment_has_parts_that_merge_to_it)
{
    struct builder *b = builder_new(1, 1, BUILD_SUMS | BUILD_BINS | BUILD_DISTINCT);
    struct fragment f, parts[64], merged;
    const struct fragment *views[64];
    struct fragment_encoder *encoder = fragment_encoder_new();
    struct fragment_part p = {0};
    struct lq_buf x = {0}, y = {0};
    state = 7;
    for (uint32_t id = 0; id < 20000; id++) { /* thin rows, then thick ones: what fitted does not fit any more, and again */
        builder_row(b, id, (uint16_t)(id % 60));
        for (uint32_t k = 0, n = id < 15000 ? 1 : id < 19000 ? 60 : 2; k < n; k++) {
            builder_count(b, 1);
            observe(b, 0, (int64_t)(next() >> (20 + next() % 40)));
            builder_distinct(b, 0, distinct_entry(next()));
        }
    }
    builder_take(b, &f);
    for (size_t n = 0; fragment_encode_part(encoder, &f, &p, &x); n++) {
        cr_assert(n < 64 && p.n == n + 1 && x.n <= FRAGMENT_BYTES_MAX, "part %zu: %zu bytes", n, x.n);
        cr_expect(p.from == f.rows || x.n > FRAGMENT_BYTES_MAX / 4, "part %zu is small: %zu bytes", n, x.n);
        cr_assert(fragment_decode(x.p, x.n, FRAGMENT_ALL, &parts[n]) == LQ_OK);
        views[n] = &parts[n];
        lq_buf_clear(&x);
    }
    cr_assert(p.n > 4 && p.from == f.rows);
    fragment_merge(views, p.n, &merged);
    bytes_of(&f, &x);
    bytes_of(&merged, &y);
    cr_expect(x.n == y.n && memcmp(x.p, y.p, x.n) == 0);
    for (uint32_t i = 0; i < p.n; i++) {
        fragment_fini(&parts[i]);
    }
    fragment_fini(&f);
    fragment_fini(&merged);
    builder_free(&b);
    fragment_encoder_free(&encoder);
    lq_buf_fini(&x);
    lq_buf_fini(&y);
}

Test(sketch, heavy_keeps_within_its_bound)
{
    struct heavy_item items[300];
    char names[300][16];
    struct heavy a, b, both;
    for (int i = 0; i < 300; i++) {
        snprintf(names[i], sizeof names[i], "c%d", i);
        items[i] = (struct heavy_item){lq_str_of(names[i]), i < 3 ? 10000U * (3U - (unsigned)i) : (uint64_t)(i % 17 + 1)};
    }
    heavy_from(items, 300, &a);
    heavy_from(items, 150, &b);
    heavy_merge(&a, &b, &both);
    cr_expect(both.n > 0 && lq_str_is(both.items[0].name, "c0"));
    cr_expect(60000 - both.items[0].count <= both.error_bound && both.items[0].count <= 60000);
    struct lq_buf bytes = {0};
    struct heavy back;
    heavy_encode(&both, &bytes);
    cr_assert(heavy_decode(bytes.p, bytes.n, &back) == LQ_OK && back.n == both.n && back.total == both.total);
    heavy_fini(&a);
    heavy_fini(&b);
    heavy_fini(&both);
    heavy_fini(&back);
    lq_buf_fini(&bytes);
}

/* ---- statistics ---- */

static double gauss(void)
{
    double u = ((double)(next() >> 11) + 1) * 0x1p-53;
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * (double)(next() >> 11) * 0x1p-53);
}

/* Null series with autocorrelation: far fewer false changes than the level asks for would be a loss of power, more would be false claims. */
Test(stat, null_series_keep_their_level_under_autocorrelation)
{
    enum { SERIES = 600, N = 600 };
    static const double rhos[] = {0, 0.5};
    double y[N], w[N];
    state = 99;
    for (int r = 0; r < 2; r++) {
        int hits = 0;
        for (int s = 0; s < SERIES; s++) {
            double x = 0;
            for (int i = 0; i < N; i++) {
                x = rhos[r] * x + gauss();
                y[i] = x;
                w[i] = 1;
            }
            struct change c;
            hits += change_best(y, w, N, &c) && c.p < 0.01;
        }
        cr_expect(hits <= 18, "rho %g: %d of %d null series at p < 0.01", rhos[r], hits, SERIES);
    }
}

Test(stat, steps_and_kinks_are_found_where_they_are)
{
    enum { N = 800 };
    double y[N], w[N];
    struct change c;
    state = 5;
    for (int i = 0; i < N; i++) {
        y[i] = gauss() + (i >= 500 ? 1.5 : 0);
        w[i] = 1;
    }
    cr_assert(change_best(y, w, N, &c));
    cr_expect(c.shape == SHAPE_STEP && c.p <= 1e-5 && abs((int)c.at - 500) < 10 && c.low <= 500 && c.high >= 500, "%u", c.at);
    for (int i = 0; i < N; i++) {
        y[i] = gauss() + (i >= 300 ? 0.01 * (i - 300) : 0);
    }
    cr_assert(change_best(y, w, N, &c));
    cr_expect(c.shape == SHAPE_KINK && c.p <= 1e-5 && abs((int)c.at - 300) < 60, "%u", c.at);
    cr_expect(!change_best(y, w, 5, &c), "too few points");
}

/* Pruned segmentation against plain dynamic programming over all splits. */
Test(stat, segmentation_equals_the_reference)
{
    enum { N = 120 };
    double s[N], t[N];
    uint32_t starts[N + 1];
    for (uint64_t seed = 1; seed <= 20; seed++) {
        state = seed;
        for (int i = 0; i < N; i++) {
            t[i] = (double)(next() % 200);
            double p = i > 40 && i < 70 ? 0.3 : 0.05;
            s[i] = 0;
            for (int k = 0; k < (int)t[i]; k++) {
                s[i] += (double)(next() >> 11) * 0x1p-53 < p;
            }
        }
        double beta = 3 * log(N + 1.0), f[N + 1];
        int last[N + 1];
        f[0] = -beta;
        for (int i = 1; i <= N; i++) {
            double cs = 0, ct = 0;
            f[i] = INFINITY;
            for (int j = i - 1; j >= 0; j--) {
                cs += s[j];
                ct += t[j];
                double cost = ct > 0 ? -((cs > 0 ? cs * log(cs / ct) : 0) + (ct - cs > 0 ? (ct - cs) * log((ct - cs) / ct) : 0)) : 0;
                if (f[j] + cost + beta <= f[i] - 1e-9) {
                    f[i] = f[j] + cost + beta;
                    last[i] = j;
                }
            }
        }
        size_t want = 0, got = binomial_segment(s, t, N, 1, 1, starts);
        for (int i = N; i > 0; i = last[i]) {
            want++;
        }
        cr_expect(got == want, "seed %llu: %zu segments, reference %zu", (unsigned long long)seed, got, want);
    }
}

Test(stat, benjamini_hochberg_as_published)
{
    static const double p[] = {0.01, 0.04, 0.03, 0.005, 0.5};
    bool accepted[5];
    cr_expect(benjamini_hochberg(p, 5, 0.05, accepted) == 4 && !accepted[4] && accepted[0] && accepted[1]);
    cr_expect(benjamini_hochberg(p, 0, 0.05, accepted) == 0);
}
