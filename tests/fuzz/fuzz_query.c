/*
 * fuzz_query.c - any text as a query: parsed, or refused with a place inside the text
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/lang/lang.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct query *q = NULL;
    struct lq_error e = {0};
    if (query_parse((lq_str){(const char *)data, size}, &q, &e) != LQ_OK) {
        LQ_ASSERT(e.msg[0] != '\0' && e.column <= size + 1);
    } else {
        LQ_ASSERT(q->n_columns > 0);
    }
    query_free(&q);
    return 0;
}
