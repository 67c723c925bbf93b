/*
 * test_memo.c - a record is the same whether its dimensions were remembered or worked out
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>

#include "schema/format.h"

static bool same(const struct record *a, const struct record *b, const struct stream_schema *s)
{
    bool ok = a->time_us == b->time_us && a->error == b->error && a->success == b->success &&
              a->measure_set == b->measure_set && a->inner == b->inner;
    for (uint32_t d = 0; d < s->n_dims; d++) {
        ok = ok && lq_str_eq(a->dims[d], b->dims[d]);
    }
    for (uint32_t i = 0; i < s->n_identities; i++) {
        ok = ok && lq_str_eq(a->identities[i], b->identities[i]);
    }
    for (uint32_t i = 0; i < s->n_measures; i++) {
        ok = ok && ((a->measure_set >> i & 1) == 0 || a->measures[i] == b->measures[i]);
    }
    return ok && lq_str_eq(a->message, b->message);
}

Test(memo, samples_of_every_format_parse_as_without)
{
    struct format_set *set = NULL;
    struct lq_error e = {0};
    struct memo *memo = memo_new();
    uint32_t remembered = 0;
    cr_assert(format_set_load(NULL, 0, &set, &e) == LQ_OK, "%s", e.msg);
    for (size_t i = 0; i < format_set_count(set); i++) {
        struct parser_config c = {.format = format_set_at(set, i), .reference_us = 1772445600000000};
        struct parser *plain = NULL, *with = NULL;
        cr_assert(parser_new(&c, &plain, &e) == LQ_OK);
        c.memo = memo;
        cr_assert(parser_new(&c, &with, &e) == LQ_OK);
        for (int round = 0; round < 4; round++) { /* asked for, kept, remembered */
            for (size_t k = 0; format_sample(c.format, k).n > 0; k++) {
                struct record a = {0}, b = {0};
                enum parse_result x = parser_parse(plain, format_sample(c.format, k), &a),
                                  y = parser_parse(with, format_sample(c.format, k), &b);
                cr_assert(x == y && (x != PARSE_OK || same(&a, &b, parser_schema(plain))), "%s, sample %zu, round %d",
                          format_name(c.format), k, round);
                cr_expect(a.memo == 0);
                remembered += b.memo != 0;
            }
        }
        parser_free(&plain);
        parser_free(&with);
    }
    cr_expect(remembered > 20, "%u", remembered);
    memo_free(&memo);
    format_set_free(&set);
}

/* Paths with numbers of their own: remembered by their routes, and never as those of another line. */
Test(memo, paths_that_never_repeat_share_what_their_route_has)
{
    struct format_set *set = NULL;
    struct lq_error e = {0};
    struct memo *memo = memo_new();
    struct parser *plain = NULL, *with = NULL;
    enum { LINES = 3000, KINDS = 4 };
    static const char *const target[KINDS] = {"/orders/", "/products/", "/orders/", "/cart?n="}, *const status[KINDS] = {"200", "200", "502", "200"};
    uint64_t number[KINDS] = {0};
    cr_assert(format_set_load(NULL, 0, &set, &e) == LQ_OK, "%s", e.msg);
    struct parser_config c = {.reference_us = 1772445600000000};
    cr_assert(format_set_find(set, "combined", &c.format, &e) == LQ_OK, "%s", e.msg);
    cr_assert(parser_new(&c, &plain, &e) == LQ_OK);
    c.memo = memo;
    cr_assert(parser_new(&c, &with, &e) == LQ_OK);
    for (unsigned i = 0; i < LINES; i++) {
        unsigned kind = i * 7 % 11 % KINDS;
        char path[32], line[256];
        struct record a = {0}, b = {0};
        snprintf(path, sizeof path, "%s%u", target[kind], kind < KINDS - 1 ? i : 0);
        int n = snprintf(line, sizeof line, "192.0.2.%u - - [01/Mar/2026:10:00:%02u +0000] \"GET %s HTTP/1.1\" %s %u \"-\" \"x\"", i % 250, i % 60, path, status[kind], i);
        cr_assert(parser_parse(plain, (lq_str){line, (size_t)n}, &a) == PARSE_OK);
        cr_assert(parser_parse(with, (lq_str){line, (size_t)n}, &b) == PARSE_OK);
        cr_assert(same(&a, &b, parser_schema(plain)), "%s", line);
        cr_assert(i < 100 || b.memo != 0, "%s", line);
        cr_assert(number[kind] == 0 || b.memo == number[kind] || kind == KINDS - 1, "%s", line);
        number[kind] = b.memo;
    }
    cr_expect(number[0] != number[1] && number[0] != number[2] && number[1] != number[3]);
    parser_free(&plain);
    parser_free(&with);
    memo_free(&memo);
    format_set_free(&set);
}

/* More texts than are kept, each three times: numbers stand for one set of dimensions only. */
Test(memo, forgets_when_full_and_never_mixes_up)
{
    struct memo *memo = memo_new();
    enum { TEXTS = 3 * MEMO_ENTRIES_MAX };
    uint64_t *number_of = lq_alloc(TEXTS * sizeof *number_of), last = 0;
    for (uint32_t i = 0; i < TEXTS; i++) {
        char text[16];
        snprintf(text, sizeof text, "/route%u", i);
        lq_str key = lq_str_of(text);
        uint64_t hash = lq_hash(key.p, key.n, 0);
        struct record r = {.error = i % 3 == 0, .dims = &key};
        for (int round = 0; round < 3; round++) {
            memo_tidy(memo);
            const struct memo_entry *m = memo_get(memo, key, hash);
            if (m == NULL) {
                const struct memo_entry *kept = memo_put(memo, key, hash, 1, &r, NULL);
                number_of[i] = kept != NULL ? kept->id : 0;
                cr_assert(number_of[i] == 0 || number_of[i] > last);
                last = number_of[i] != 0 ? number_of[i] : last;
                continue;
            }
            cr_assert(m->id == number_of[i] && m->error == r.error && lq_str_eq(m->dims[0], key), "%s", text);
        }
        cr_expect(number_of[i] != 0);
    }
    free(number_of);
    memo_free(&memo);
}
