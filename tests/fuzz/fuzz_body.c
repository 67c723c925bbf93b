/*
 * fuzz_body.c - any bytes as a JSON body of Grafana's data sources, and as parameters
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "query/http/body.h"
#include "query/http/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lq_arena mem = {0};
    struct body *b = lq_alloc(sizeof *b);
    struct lq_error e = {0};
    struct http_request r = {.mem = &mem};
    lq_str text = {(const char *)data, size};
    if (body_parse(text, &mem, b, &e) != LQ_OK) {
        LQ_ASSERT(e.msg[0] != '\0');
    }
    LQ_ASSERT(b->n_targets <= BODY_TARGETS_MAX && b->n_filters <= BODY_FILTERS_MAX);
    if (http_params_parse(&r, text)) {
        LQ_ASSERT(r.n_params <= HTTP_PARAMS_MAX);
    }
    free(b);
    lq_arena_fini(&mem);
    return 0;
}
