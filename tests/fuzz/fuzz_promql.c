/*
 * fuzz_promql.c - any text as PromQL: parsed, or refused with a place inside the text
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/http/promql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lq_arena mem = {0};
    struct prom_expr *x = NULL;
    struct lq_error e = {0};
    if (promql_parse((lq_str){(const char *)data, size}, &mem, &x, &e) != LQ_OK) {
        LQ_ASSERT(e.msg[0] != '\0' && e.column <= size + 1);
    } else {
        LQ_ASSERT(x != NULL);
    }
    lq_arena_fini(&mem);
    return 0;
}
