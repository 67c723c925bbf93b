/*
 * fuzz_format.c - any text as a format file; where it loads, its parser reads any line
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct format_set *s = format_set_new();
    struct lq_error e = {0};
    if (format_set_add_text(s, "fuzz.yaml", (lq_str){(const char *)data, size}, &e) == LQ_OK) {
        struct parser_config c = {.format = format_set_at(s, 0)};
        struct parser *p = NULL;
        struct record r;
        if (parser_new(&c, &p, &e) == LQ_OK) {
            (void)parser_parse(p, (lq_str){(const char *)data, size}, &r);
            (void)parser_parse(p, LQ_STR("2026-03-02 10:00:00 a=1 b"), &r);
            parser_free(&p);
        }
    } else {
        LQ_ASSERT(e.msg[0] != '\0');
    }
    format_set_free(&s);
    return 0;
}
