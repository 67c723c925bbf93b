/*
 * fuzz_delta.c - any bytes as a record of a small flush: rejected, or read to its end
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/delta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(void *ctx, uint32_t identity, bool error, int64_t hour_s, const struct heavy *h)
{
    (void)hour_s;
    *(uint64_t *)ctx += h->total + identity + error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct delta d;
    struct dict dict = {0};
    uint64_t seen = 0;
    if (delta_open((lq_str){(const char *)data, size}, &d) != LQ_OK) {
        return 0;
    }
    LQ_ASSERT(d.n_days <= DELTA_DAYS_MAX && d.first_s <= d.last_s);
    dict_init(&dict);
    for (uint32_t dim = 0; dim < 3; dim++) {
        enum lq_err err = delta_apply_stats(&d, dim, &dict);
        LQ_ASSERT(err == LQ_OK || err == LQ_ECORRUPT);
    }
    enum lq_err err = delta_each_heavy(&d, ignore, &seen);
    LQ_ASSERT(err == LQ_OK || err == LQ_ECORRUPT);
    for (uint32_t i = 0; i < d.n_days; i++) {
        struct fragment f;
        if (fragment_decode(d.day[i].p, d.day[i].n, FRAGMENT_ALL, &f) == LQ_OK) {
            fragment_fini(&f);
        }
    }
    dict_fini(&dict);
    return 0;
}
