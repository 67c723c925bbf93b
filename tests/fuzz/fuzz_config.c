/*
 * fuzz_config.c - the configuration of lqd
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct config *c = NULL;
    struct lq_error e = {0};
    if (config_parse("fuzz.yaml", (lq_str){(const char *)p, n}, &c, &e) == LQ_OK) {
        LQ_ASSERT(c->n_inputs > 0 && c->threads > 0);
        config_free(&c);
    } else {
        LQ_ASSERT(e.code != LQ_OK && e.msg[0] != '\0');
    }
    return 0;
}
