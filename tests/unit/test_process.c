/*
 * test_process.c - restarts from the processes that wrote
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "store/process.h"

#define T0    1772409600000000LL /* 2026-03-02 */
#define MIN   (60 * US)
#define HOURS (60 * MIN)

struct log {
    struct window_programs w;
};

static void line(struct log *l, const char *host, const char *service, uint64_t pid, int64_t us)
{
    window_programs_add(&l->w, lq_str_of(host), lq_str_of(service), pid, us, NULL, 0);
}

/* Lines of a process from one time to another. */
static void lives(struct log *l, const char *host, const char *service, uint64_t pid, int64_t from_us, int64_t to_us, int64_t every_us)
{
    for (int64_t t = from_us; t <= to_us; t += every_us) {
        line(l, host, service, pid, t);
    }
}

static struct process_restarts found(struct log *l)
{
    struct process_restarts r;
    process_restarts_find(l->w.p, l->w.n, &r);
    return r;
}

static void end(struct log *l, struct process_restarts *r)
{
    free(r->r);
    window_programs_fini(&l->w);
}

Test(process, one_in_place_of_another_is_a_restart)
{
    struct log l = {0};
    lives(&l, "a", "redis", 100, T0, T0 + 30 * HOURS, 5 * MIN); /* over midnight */
    lives(&l, "a", "redis", 230, T0 + 30 * HOURS + 2 * MIN, T0 + 60 * HOURS, 5 * MIN);
    lives(&l, "b", "redis", 77, T0, T0 + 60 * HOURS, 5 * MIN);
    struct process_restarts r = found(&l);
    cr_assert_eq(r.n, 1, "%zu restarts", r.n);
    cr_expect(lq_str_is(r.r[0].host, "a") && lq_str_is(r.r[0].service, "redis") && r.r[0].time_us == T0 + 30 * HOURS + 2 * MIN);
    cr_expect(r.r[0].old_pid == 100 && r.r[0].new_pid == 230);
    end(&l, &r);
}

Test(process, all_workers_replaced_at_once_are_one_restart_and_one_after_the_other_none)
{
    struct log l = {0};
    for (uint64_t k = 0; k < 3; k++) {
        lives(&l, "a", "nginx", 10 + k, T0 + (int64_t)k * MIN, T0 + 10 * HOURS, 7 * MIN);
        lives(&l, "a", "nginx", 20 + k, T0 + 10 * HOURS + MIN, T0 + 20 * HOURS, 7 * MIN);
        lives(&l, "a", "pool", 40 + k, T0 + (int64_t)k * 2 * HOURS, T0 + (int64_t)k * 2 * HOURS + 5 * HOURS, 7 * MIN); /* recycled in turn */
    }
    struct process_restarts r = found(&l);
    cr_assert_eq(r.n, 1, "%zu restarts", r.n);
    cr_expect(lq_str_is(r.r[0].service, "nginx"));
    end(&l, &r);
}

Test(process, programs_that_fork_show_none)
{
    struct log l = {0};
    for (uint64_t k = 0; k < 40; k++) {
        int64_t at = T0 + (int64_t)k * 37 * MIN;
        lives(&l, "a", "sshd", 1000 + 7 * k, at, at + 36 * MIN, 2 * MIN);    /* a session follows the other, all day */
        lives(&l, "a", "CRON", 5000 + 3 * k, at, at, MIN);
        lives(&l, "a", "postfix/smtpd", 9000 + k, at, at + 100 * US, 10 * US);
    }
    for (uint64_t k = 0; k < 5; k++) { /* few long sessions a day, with pauses; a job each night */
        lives(&l, "b", "sshd", 100 + k, T0 + (int64_t)k * 24 * HOURS + 8 * HOURS, T0 + (int64_t)k * 24 * HOURS + 16 * HOURS, 20 * MIN);
        lives(&l, "b", "backup", 300 + k, T0 + (int64_t)k * 24 * HOURS, T0 + (int64_t)k * 24 * HOURS + 50 * MIN, MIN);
    }
    struct process_restarts r = found(&l);
    cr_expect_eq(r.n, 0, "%zu restarts, one of %.*s", r.n, r.n > 0 ? (int)r.r[0].service.n : 0, r.n > 0 ? r.r[0].service.p : "");
    end(&l, &r);
}

Test(process, several_programs_are_their_host)
{
    static const char *const services[] = {"redis", "nginx", "chronyd", "dovecot"};
    struct log l = {0};
    for (size_t i = 0; i < 4; i++) {
        lives(&l, "a", services[i], 10 + i, T0, T0 + 5 * HOURS, 5 * MIN);
        lives(&l, "a", services[i], 500 + i, T0 + 5 * HOURS + (int64_t)(i + 1) * 20 * US, T0 + 9 * HOURS, 5 * MIN);
    }
    struct process_restarts r = found(&l);
    cr_assert_eq(r.n, 1, "%zu restarts", r.n);
    cr_expect(r.r[0].service.n == 0 && r.r[0].programs == 4 && lq_str_is(r.r[0].host, "a"));
    end(&l, &r);
}

/* What is stored is the same however lines came, also where there are too many processes. */
Test(process, merge_knows_no_order)
{
    for (uint32_t kinds = 1; kinds <= PROCESSES_MAX + 3; kinds++) {
        struct lq_buf texts[2] = {{0}, {0}};
        for (uint32_t way = 0; way < 2; way++) {
            struct log a = {0}, b = {0};
            for (uint32_t i = 0; i < 60; i++) {
                uint32_t k = way == 0 ? i : 59 - i;
                line(k % 3 == way ? &a : &b, "h", "s", 1 + k % kinds, T0 + (int64_t)k * MIN);
            }
            struct program all = a.w.p[0], back;
            program_merge(&all, &b.w.p[0]);
            program_encode(&all, &texts[way]);
            struct sighted s = {.first_us = T0, .text = {texts[way].p, texts[way].n}};
            cr_expect(program_decode(&s, &back) && (back.n > PROCESSES_MAX) == (kinds > PROCESSES_MAX));
            window_programs_fini(&a.w);
            window_programs_fini(&b.w);
        }
        cr_expect(texts[0].n == texts[1].n && memcmp(texts[0].p, texts[1].p, texts[0].n) == 0, "%u processes", kinds);
        lq_buf_fini(&texts[0]);
        lq_buf_fini(&texts[1]);
    }
}

Test(process, damage_is_told)
{
    struct program p;
    const char cut[] = {5, (char)0x80}, long_text[] = {1, 2, 3};
    cr_expect_not(program_decode(&(struct sighted){.text = {cut, sizeof cut}}, &p));
    cr_expect_not(program_decode(&(struct sighted){.text = {long_text, sizeof long_text}}, &p));
}
