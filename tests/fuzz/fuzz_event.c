/*
 * fuzz_event.c - events are the same however the bytes come: whole, line by line, or cut at an events_boundary
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "schema/event.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct format_set *set;

static void see(void *ctx, enum parse_result result, lq_str text, const struct record *r)
{
    struct lq_buf *out = ctx;
    lq_buf_printf(out, "%d %zu %d ", (int)result, text.n, r != NULL ? r->inner : -1);
    if (r != NULL) {
        lq_buf_printf(out, "%lld ", (long long)r->time_us);
        lq_buf_add(out, r->message.p, r->message.n);
        for (uint32_t i = 0; i < DIM_BUILTIN + 2; i++) {
            lq_buf_byte(out, '|');
            lq_buf_add(out, r->dims[i].p, r->dims[i].n);
        }
    }
    lq_buf_byte(out, '\n');
}

enum how { WHOLE, LINES, CUT };

static void run(const struct format *f, lq_str text, enum how how, struct lq_buf *out)
{
    struct parser_config c = {.format = f, .reference_us = 1772445600000000};
    struct events *e = NULL, *scout = NULL;
    lq_str before = {"", 0};
    if (events_new(&c, see, out, &e, NULL) != LQ_OK || events_new(&c, see, out, &scout, NULL) != LQ_OK) {
        abort();
    }
    while (text.n > 0) {
        const char *nl = memchr(text.p, '\n', text.n);
        lq_str line = {text.p, nl != NULL ? (size_t)(nl - text.p) : text.n};
        text.p += line.n + (nl != NULL);
        text.n -= line.n + (nl != NULL);
        bool blank = line.n == 0 || (line.n == 1 && line.p[0] == '\r');
        if (how == CUT && !blank && events_boundary(scout, before, line)) {
            events_flush(e);
        }
        if (how == LINES) {
            char *copy = malloc(line.n + 1);
            memcpy(copy, line.p, line.n);
            events_line(e, (lq_str){copy, line.n});
            events_keep(e);
            free(copy);
        } else {
            events_line(e, line);
        }
        before = line;
    }
    events_flush(e);
    events_free(&e);
    events_free(&scout);
}

/* Once, outside the time that an input may take. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    if (format_set_load(NULL, 0, &set, NULL) != LQ_OK) {
        abort();
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"log4j", "plain", "docker+log4j", "cri+log4j", "combined"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct format *f = NULL;
        struct lq_buf whole = {0}, other = {0};
        if (format_set_find(set, names[i], &f, NULL) != LQ_OK) {
            abort();
        }
        run(f, (lq_str){(const char *)data, size}, WHOLE, &whole);
        for (enum how how = LINES; how <= CUT; how++) {
            lq_buf_clear(&other);
            run(f, (lq_str){(const char *)data, size}, how, &other);
            LQ_ASSERT(lq_str_eq((lq_str){whole.p, whole.n}, (lq_str){other.p, other.n}));
        }
        lq_buf_fini(&whole);
        lq_buf_fini(&other);
    }
    return 0;
}
