/*
 * fuzz_body.c - any bytes as a JSON body of Grafana's data sources, as a marker, as an event, and as parameters
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "query/http/body.h"
#include "query/http/event_body.h"
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
    typedef enum lq_err marker_parse(lq_str body, int64_t now_us, struct lq_arena *mem, struct marker *out, struct lq_error *e);
    static marker_parse *const parse[] = {event_body_parse, event_body_parse_cdevent};
    for (size_t i = 0; i < 2; i++) {
        struct marker m = {0};
        e.msg[0] = '\0';
        bool ok = parse[i](text, 1772445600000000, &mem, &m, &e) == LQ_OK;
        LQ_ASSERT(ok ? m.kind.n > 0 : e.msg[0] != '\0');
        for (size_t k = 0; k < m.text.n; k++) {
            LQ_ASSERT((unsigned char)m.text.p[k] >= 0x20 || m.text.p[k] == '\t');
        }
    }
    LQ_ASSERT(b->n_targets <= BODY_TARGETS_MAX && b->n_filters <= BODY_FILTERS_MAX);
    if (http_params_parse(&r, text)) {
        LQ_ASSERT(r.n_params <= HTTP_PARAMS_MAX);
    }
    free(b);
    lq_arena_fini(&mem);
    return 0;
}
