/*
 * test_checkpoint.c - a source is found again: while it grows, and with labels so long that the store must shorten its key
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/source_id.h"
#include "schema/mask.h"
#include "tests/support/store_support.h"

struct source_case {
    const char *why;
    size_t label_bytes; /* of a path's part in a label */
    uint32_t labels;
    unsigned mask;
};
static const struct source_case cases[] = {
    {"short", 10, 1, 0},
    {"longer than the engine takes", 120, 5, 0},
    {"as many labels as may be", 127, LABEL_MAX, 0},
    {"masked", 120, 5, MASK_ALL},
};

static char head[FINGERPRINT_BYTES];

static void labels_of(const struct source_case *x, char last, struct labels *out)
{
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < x->labels; i++) {
        char *value = out->l[i].value;
        snprintf(out->l[i].name, sizeof out->l[i].name, "part%02u", i);
        memset(value, 'd', x->label_bytes);
        memcpy(value, "ann@example.com/", x->label_bytes < 16 ? 4 : 16);
        value[x->label_bytes - 1] = i + 1 == x->labels ? last : 'd';
        value[x->label_bytes] = '\0';
        out->n++;
    }
}

static void keep(struct store *s, const struct labels *l, size_t n, uint64_t offset)
{
    struct lq_error e = {0};
    struct lq_buf key = {0};
    struct window *w = NULL;
    source_id_key(l, head, n, &key);
    struct checkpoint cp = {.key = {key.p, key.n}, .offset = offset, .name = LQ_STR("/var/log/a"), .format = LQ_STR("app")};
    cr_assert(window_new(s, &w, &e) == LQ_OK);
    cr_assert(store_flush(s, &w, 1, &cp, 1, NULL, 0, 1, &e) == LQ_OK, "%zu bytes of key: %s", key.n, e.msg);
    window_free(&w);
    lq_buf_fini(&key);
}

/* 0: it is new. */
static uint64_t offset_of(struct store *s, const struct labels *l, size_t n)
{
    struct lq_error e = {0};
    struct lq_arena mem = {0};
    struct checkpoint cp = {0};
    enum lq_err err = source_id_find(s, l, (lq_str){head, n}, NULL, NULL, &cp, &mem, &e);
    cr_assert(err == LQ_OK || err == LQ_ENOENT, "%s", e.msg);
    lq_arena_fini(&mem);
    return err == LQ_OK ? cp.offset : 0;
}

Test(checkpoint, sources_are_found_again)
{
    for (size_t i = 0; i < sizeof head; i++) {
        head[i] = (char)('a' + i % 23);
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct source_case *x = &cases[i];
        char dir[64];
        struct lq_error e = {0};
        struct labels a, b;
        temp_dir(dir);
        struct store *s = open_store(dir, (struct store_options){0});
        cr_assert(x->mask == 0 || store_mask(s, x->mask, NULL, &e) == LQ_OK, "%s", e.msg);
        labels_of(x, 'a', &a);
        labels_of(x, 'b', &b);
        keep(s, &a, FINGERPRINT_BYTES, 5000);
        keep(s, &b, 100, 90);
        cr_assert(offset_of(s, &a, FINGERPRINT_BYTES) == 5000, "%s", x->why);
        cr_assert(offset_of(s, &b, FINGERPRINT_BYTES) == 90, "%s: it has grown", x->why);
        cr_assert(offset_of(s, &b, 100) == 90, "%s: it has not grown", x->why);
        cr_assert(offset_of(s, &a, 100) == 0, "%s: another's", x->why);
        store_close(&s);
        remove_dir(dir);
    }
}

static bool count(void *ctx, const struct checkpoint *c)
{
    (void)c;
    ++*(int *)ctx;
    return true;
}

Test(checkpoint, a_key_that_was_shortened_stays_the_same)
{
    char dir[64];
    struct lq_error e = {0};
    struct lq_arena mem = {0};
    struct labels l;
    struct checkpoint cp;
    struct window *w = NULL;
    int n = 0;
    temp_dir(dir);
    struct store *s = open_store(dir, (struct store_options){0});
    labels_of(&cases[2], 'a', &l);
    keep(s, &l, 100, 90);
    cr_assert(source_id_find(s, &l, (lq_str){head, sizeof head}, NULL, NULL, &cp, &mem, &e) == LQ_OK); /* under the key of when it was shorter */
    cp.offset = 95;
    cr_assert(window_new(s, &w, &e) == LQ_OK && store_flush(s, &w, 1, &cp, 1, NULL, 0, 1, &e) == LQ_OK, "%s", e.msg);
    window_free(&w);
    cr_assert(store_checkpoint_each(s, count, &n, &e) == LQ_OK && n == 1, "%d checkpoints", n);
    cr_assert(offset_of(s, &l, 100) == 95);
    lq_arena_fini(&mem);
    store_close(&s);
    remove_dir(dir);
}
