/*
 * test_budget.c - `why` and queries that nobody waits for any more: they leave at every place where they ask, with an error and without a leak
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/change/why.h"
#include "query/exec.h"
#include "tests/support/store_support.h"

enum { RECORDS = 9000, ONSET = 6000, RELEASE = 4000 };

static char dir[64];
static struct store *store;
static struct snapshot *snap;

/* A release, and long after it one route that fails. */
static void fail_late(uint32_t i, struct generated *g)
{
    bool fails = i >= ONSET && strcmp(g->route, "/r7") == 0;
    g->r.error = fails || i % 997 == 0;
    g->r.success = !g->r.error;
    g->dims[0] = g->r.error ? LQ_STR("true") : LQ_STR("false");
    g->dims[3] = i >= RELEASE ? LQ_STR("2.0") : LQ_STR("1.9");
    g->dims[5] = g->r.error ? LQ_STR("500") : LQ_STR("200");
}

static void open_all(void)
{
    struct lq_error e = {0};
    temp_dir(dir);
    store = open_store(dir, (struct store_options){0});
    fill_generated(store, RECORDS, fail_late);
    cr_assert(snapshot_open(store, &snap, &e) == LQ_OK, "%s", e.msg);
}

static void close_all(void)
{
    snapshot_close(&snap);
    store_close(&store);
    remove_dir(dir);
}

TestSuite(budget, .init = open_all, .fini = close_all);

struct patience {
    uint32_t asked, most;
};
static bool spent(const void *ctx)
{
    struct patience *p = (struct patience *)ctx;
    return p->asked++ >= p->most;
}

static enum lq_err why_with(struct budget b, struct why_answer *a, struct lq_error *e)
{
    struct why_options o = {.from_us = INT64_MIN, .to_us = INT64_MAX, .onset_us = INT64_MIN, .budget = b};
    memset(e, 0, sizeof *e);
    return why_run(snap, &o, a, e);
}

Test(budget, why_leaves_wherever_it_is_stopped)
{
    static struct why_answer a;
    struct lq_error e;
    struct patience all = {.most = UINT32_MAX};
    cr_assert(why_with((struct budget){.stopped = spent, .ctx = &all}, &a, &e) == LQ_OK, "%s", e.msg);
    cr_assert(a.has_onset && a.n_suspects > 0);
    why_fini(&a);
    cr_assert_gt(all.asked, 100, "asked %u times", all.asked); /* the target, two grids, the tests of each series, suspects */
    for (uint32_t n = 0; n < all.asked; n += n < 20 || n > all.asked - 20 ? 1 : 7) {
        struct patience p = {.most = n};
        cr_expect(why_with((struct budget){.stopped = spent, .ctx = &p}, &a, &e) == LQ_ELIMIT && strstr(e.msg, "nobody waits") != NULL, "stopped at %u of %u: %s", n, all.asked,
                  e.msg);
        cr_expect_leq(p.asked, n + 2, "goes on after it was stopped at %u", n);
    }
}

Test(budget, why_has_a_time_and_a_memory)
{
    static struct why_answer a;
    struct lq_error e;
    cr_expect(why_with((struct budget){.deadline_us = 1}, &a, &e) == LQ_ELIMIT && strstr(e.msg, "time limit") != NULL, "%s", e.msg);
    cr_expect(why_with((struct budget){.bytes_max = 200000}, &a, &e) == LQ_ELIMIT && strstr(e.msg, "need more than") != NULL, "%s", e.msg);
    cr_expect(why_with((struct budget){.bytes_max = 64 << 20}, &a, &e) == LQ_OK, "%s", e.msg);
    why_fini(&a);
}

Test(budget, queries_leave_too)
{
    static const char *const texts[] = {"count, p99(request_time) by route every 10m", "count by route every 10m | change"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct query *q = NULL;
        struct lq_error e = {0};
        struct result r;
        struct patience all = {.most = UINT32_MAX};
        struct exec_options o = {.from_us = INT64_MIN, .to_us = INT64_MAX, .budget = {.stopped = spent, .ctx = &all}};
        cr_assert(query_parse(lq_str_of(texts[i]), &q, &e) == LQ_OK);
        cr_assert(exec_query(snap, q, &o, &r, &e) == LQ_OK, "%s", e.msg);
        result_fini(&r);
        for (uint32_t n = 0; n < all.asked; n++) {
            struct patience p = {.most = n};
            o.budget.ctx = &p;
            cr_expect(exec_query(snap, q, &o, &r, &e) == LQ_ELIMIT, "%s stopped at %u of %u", texts[i], n, all.asked);
        }
        query_free(&q);
    }
}
