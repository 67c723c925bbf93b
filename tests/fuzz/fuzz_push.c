/*
 * fuzz_push.c - any bytes as a pushed body: the first chooses the shape
 *
 * Whatever comes, lines lie within the text, belong to a group, and what was made into JSON is JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "ingest/push.h"
#include "schema/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(lq_str line)
{
    struct json_paths *none = json_paths_new(NULL, 0);
    struct lq_buf scratch = {0};
    size_t at;
    LQ_ASSERT(json_scan(none, line, NULL, &scratch, &at));
    lq_buf_fini(&scratch);
    json_paths_free(&none);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct push_body b;
    struct lq_error e = {0};
    if (size == 0) {
        return 0;
    }
    char *copy = malloc(size); /* reading past the end is seen */
    LQ_ASSERT(copy != NULL);
    memcpy(copy, data + 1, size - 1);
    struct push_options o = {.shape = data[0] % PUSH_SHAPES, .line_bytes_max = 200, .now_us = 1772445600000000};
    enum lq_err err = push_parse((lq_str){copy, size - 1}, &o, &b, &e);
    LQ_ASSERT(err == LQ_OK || (e.msg[0] != '\0' && e.hint[0] != '\0'));
    LQ_ASSERT(b.n_lines <= PUSH_LINES_MAX && b.n_groups <= PUSH_GROUPS_MAX);
    for (size_t i = 0; err == LQ_OK && i < b.n_lines; i++) {
        LQ_ASSERT(b.lines[i].at + b.lines[i].n <= b.text.n && b.lines[i].group < b.n_groups);
        if (o.shape != PUSH_LINES) {
            check_line((lq_str){b.text.p + b.lines[i].at, b.lines[i].n});
        }
    }
    for (size_t i = 0; i < b.n_items; i++) {
        LQ_ASSERT(b.items[i].group < b.n_groups);
    }
    for (size_t i = 0; i < b.n_groups; i++) {
        LQ_ASSERT(b.groups[i].n <= PUSH_LABELS_MAX);
    }
    push_body_fini(&b);
    free(copy);
    return 0;
}
