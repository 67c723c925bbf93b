/*
 * test_kept.c - answers kept while nothing is new
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "query/http/kept.h"

enum { AGE = 1000 };

static void put(struct http_kept *k, const char *key, uint64_t version, int64_t now, const char *text, int status)
{
    struct http_response o;
    http_response_init(&o);
    fputs(text, o.out);
    o.status = status;
    o.type = "text/plain";
    cr_assert(http_response_close(&o));
    http_kept_put(k, lq_str_of(key), version, now, &o, false);
    http_response_fini(&o);
}

/* The text kept, "" for none. */
static const char *get_begun(struct http_kept *k, const char *key, uint64_t version, int64_t now, int64_t enough)
{
    int64_t begun = -1;
    static char text[64];
    struct http_response o;
    bool zipped = true;
    text[0] = '\0';
    http_response_init(&o);
    if (http_kept_get(k, &(struct kept_wanted){lq_str_of(key), version, now, enough}, &o, &zipped, &begun)) {
        snprintf(text, sizeof text, "%.*s", (int)o.n, o.body);
        cr_expect(!zipped && strcmp(o.type, "text/plain") == 0);
    }
    http_response_fini(&o);
    cr_expect((text[0] == '\0') == (begun < 0));
    return text;
}

static const char *get(struct http_kept *k, const char *key, uint64_t version, int64_t now)
{
    return get_begun(k, key, version, now, INT64_MAX);
}

Test(kept, the_same_question_of_the_same_store)
{
    struct http_kept *k = http_kept_new(AGE);
    put(k, "a", 7, 100, "one", 0);
    put(k, "b", 7, 100, "two", 200);
    cr_expect_str_eq(get(k, "a", 7, 100 + AGE), "one");
    cr_expect_str_eq(get(k, "b", 7, 100), "two");
    cr_expect_str_eq(get(k, "c", 7, 100), "");
    cr_expect_str_eq(get(k, "a", 8, 100), "", "there is a new commit");
    cr_expect_str_eq(get(k, "a", 7, 100), "", "what is old is forgotten");
    cr_expect_str_eq(get(k, "b", 7, 101 + AGE), "", "the clock has gone on");
    put(k, "b", 7, 100, "again", 0);
    put(k, "b", 9, 100, "newer", 0);
    cr_expect_str_eq(get(k, "b", 9, 100), "newer");
    http_kept_free(&k);
}

Test(kept, new_enough_whatever_was_committed)
{
    struct http_kept *k = http_kept_new(AGE);
    put(k, "a", 7, 100, "one", 0);
    cr_expect_str_eq(get_begun(k, "a", 8, 100 + 3 * AGE, 100), "one");
    cr_expect_str_eq(get_begun(k, "a", 8, 100 + 3 * AGE, 101), "", "something was written at 101");
    put(k, "a", 8, 200, "newer", 0);
    put(k, "a", 7, 150, "begun earlier, done later", 0);
    cr_expect_str_eq(get(k, "a", 8, 200), "newer");
    http_kept_free(&k);
}

Test(kept, refusals_and_large_answers_are_not_kept)
{
    struct http_kept *k = http_kept_new(AGE);
    char *large = malloc(KEPT_ANSWER_BYTES_MAX + 2);
    memset(large, 'x', KEPT_ANSWER_BYTES_MAX + 1);
    large[KEPT_ANSWER_BYTES_MAX + 1] = '\0';
    put(k, "e", 1, 0, "no", 422);
    put(k, "l", 1, 0, large, 0);
    put(k, "n", 1, 0, "", 0);
    cr_expect_str_eq(get(k, "e", 1, 0), "");
    cr_expect_str_eq(get(k, "l", 1, 0), "");
    cr_expect_str_eq(get(k, "n", 1, 0), "");
    large[KEPT_ANSWER_BYTES_MAX] = '\0';
    char key[16];
    for (int i = 0; i < 3 * KEPT_ENTRIES_MAX; i++) { /* more than there is room for: the newest stay */
        snprintf(key, sizeof key, "k%d", i);
        put(k, key, 1, 0, i % 2 == 0 ? large : "small", 0);
    }
    cr_expect_str_eq(get(k, key, 1, 0), "small");
    cr_expect_str_eq(get(k, "k1", 1, 0), "");
    int there = 0;
    for (int i = 0; i < 3 * KEPT_ENTRIES_MAX; i += 2) {
        snprintf(key, sizeof key, "k%d", i);
        there += get(k, key, 1, 0)[0] == 'x';
    }
    cr_expect(there > 0 && there <= KEPT_BYTES_MAX / KEPT_ANSWER_BYTES_MAX, "%d large ones", there);
    free(large);
    http_kept_free(&k);
}
