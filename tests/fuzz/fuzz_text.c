/*
 * fuzz_text.c - routes, shapes, clean text, times, JSON, detection on any bytes: laws that must hold
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "schema/csv.h"
#include "schema/derive.h"
#include "schema/format.h"
#include "schema/grok.h"
#include "schema/json_scan.h"
#include "schema/logfmt.h"
#include "schema/plain.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct format_set *formats;
static struct parser **parsers;
static size_t n_parsers;

static bool seen(void *ctx, lq_str path, struct json_value v)
{
    (void)path;
    *(size_t *)ctx += v.text.n + 1;
    return true;
}

static bool seen_pair(void *ctx, lq_str key, lq_str value)
{
    *(size_t *)ctx += key.n + value.n + 1;
    return true;
}

/* Structured text: cells and pairs never hold more than the line, and a part of it or of the scratch. */
static void structured(lq_str text, struct lq_buf *scratch)
{
    size_t sum = 0, cells = 0;
    bool more = true;
    lq_str rest = text, cell;
    lq_buf_clear(scratch);
    (void)logfmt_each(text, seen_pair, &sum, scratch);
    LQ_ASSERT(sum <= 2 * text.n + 1);
    lq_buf_clear(scratch);
    lq_buf_reserve(scratch, text.n + 1);
    for (sum = 0; more && csv_next(&rest, ',', scratch, &cell, &more); sum += cell.n) {
        cells++;
    }
    LQ_ASSERT(sum <= text.n && cells <= text.n + 1);
    lq_str stamp, level, message;
    if (plain_scan(text, &stamp, &level, &message)) {
        LQ_ASSERT(stamp.n > 0 && stamp.p >= text.p && message.p + message.n == text.p + text.n && level.n <= message.n);
    }
    struct lq_buf pattern = {0};
    (void)!grok_expand(text, NULL, &pattern, NULL);
    LQ_ASSERT(pattern.n <= 2 * GROK_BYTES_MAX + 2 * text.n);
    lq_buf_fini(&pattern);
    lq_str class = derive_exception(text);
    LQ_ASSERT(class.n <= text.n);
}

/* Once, outside the time that an input may take: one parser for each format that can stand alone. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    if (format_set_load(NULL, 0, &formats, NULL) != LQ_OK) {
        abort();
    }
    parsers = lq_alloc(format_set_count(formats) * sizeof(struct parser *));
    for (size_t i = 0; i < format_set_count(formats); i++) {
        struct parser_config c = {.format = format_set_at(formats, i)};
        n_parsers += parser_new(&c, &parsers[n_parsers], NULL) == LQ_OK;
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const layouts[] = {"clf", "iso8601", "rfc3164", "epoch_auto", "%d/%m/%y %H:%M:%S.%f %Z"};
    char a[300], b[300];
    lq_str text = {(const char *)data, size};
    struct lq_buf scratch = {0};
    size_t at, sum = 0;
    int64_t t;
    lq_str r1 = derive_route(text, a, 256);
    LQ_ASSERT(r1.n <= 256 && lq_str_eq(r1, derive_route(r1, b, 256)) | (r1.n > 200));
    lq_str s1 = derive_shape(text, a);
    bool quotes = memchr(s1.p, '"', s1.n) != NULL || memchr(s1.p, '\'', s1.n) != NULL || memchr(s1.p, '`', s1.n) != NULL;
    LQ_ASSERT(s1.n <= SHAPE_BYTES_MAX + 8 && (quotes || lq_str_eq(s1, derive_shape(s1, b)) || s1.n > SHAPE_BYTES_MAX - 4));
    lq_str c1 = derive_clean(text, a, 256);
    LQ_ASSERT(c1.n <= 256 && lq_str_eq(c1, derive_clean(c1, b, 256)));
    (void)json_each(text, seen, &sum, &scratch, &at);
    LQ_ASSERT(at <= size);
    structured(text, &scratch);
    char frame[256];
    LQ_ASSERT(derive_frame(text, frame).n <= (size > 256 ? size : 256));
    lq_buf_fini(&scratch);
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        struct time_layout *l = NULL;
        if (time_layout_compile(layouts[i], &l, NULL) == LQ_OK) {
            struct time_parser p = {.layout = l, .reference_us = 1772445600000000};
            bool first = time_parse(&p, text, &t, NULL);
            int64_t again = 0;
            LQ_ASSERT(time_parse(&p, text, &again, NULL) == first && (!first || again == t)); /* the cache says the same */
            time_layout_free(&l);
        }
    }
    for (size_t i = 0; i < n_parsers && size < 1000; i++) {
        struct record r;
        (void)parser_parse(parsers[i], text, &r);
    }
    return 0;
}
