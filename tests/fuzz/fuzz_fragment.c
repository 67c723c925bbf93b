/*
 * fuzz_fragment.c - any bytes with a right checksum: rejected, or decoded to what encodes and decodes again
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "store/fragment.h"
#include "store/heavy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fragment f, again;
    struct heavy h;
    struct lq_buf b = {0}, out = {0};
    uint64_t sum = lq_hash(data, size, 0);
    lq_buf_add(&b, &sum, sizeof sum); /* little-endian, as the codec writes it */
    lq_buf_add(&b, data, size);
    if (fragment_decode(b.p, b.n, FRAGMENT_ALL, &f) == LQ_OK) {
        fragment_encode(&f, &out);
        LQ_ASSERT(fragment_decode(out.p, out.n, FRAGMENT_ALL, &again) == LQ_OK && again.rows == f.rows);
        fragment_fini(&again);
        fragment_fini(&f);
    }
    if (heavy_decode(b.p, b.n, &h) == LQ_OK) {
        heavy_fini(&h);
    }
    lq_buf_fini(&b);
    lq_buf_fini(&out);
    return 0;
}
