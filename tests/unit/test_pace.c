/*
 * test_pace.c - questions are paced while something more urgent has all it can do
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <ev.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "query/http/pace.h"
#include "query/http/server_int.h"
#include "schema/timefmt.h"

Test(pace, an_account_of_processor_time)
{
    struct http_pace p = {0};
    int64_t now = 1000000, spent = 0;
    cr_expect_eq(http_pace_wait(&p, now, spent, true), 0, "it begins full");
    spent += PACE_SAVED_US + 1000;
    cr_expect_eq(http_pace_wait(&p, now, spent, true), 1000 * PACE_PART);
    cr_expect_eq(http_pace_wait(&p, now += 500 * PACE_PART, spent, true), 500 * PACE_PART);
    cr_expect_eq(http_pace_wait(&p, now += 500 * PACE_PART, spent, true), 0);
    spent += 10 * PACE_OWED_US;
    cr_expect_eq(http_pace_wait(&p, now, spent, true), PACE_OWED_US * PACE_PART, "what is owed is limited");
    cr_expect_eq(http_pace_wait(&p, now, spent, false), 0, "nothing presses");
    spent += PACE_SAVED_US;
    cr_expect_eq(http_pace_wait(&p, now, spent, true), 0, "and the account was full again");
    cr_expect_eq(http_pace_wait(&p, now + 3600000000, spent + PACE_SAVED_US + 1, true), PACE_PART, "no more than that is saved");
}

Test(pace, looking_often_earns_no_less)
{
    struct http_pace p = {0};
    int64_t now = 1;
    cr_expect_eq(http_pace_wait(&p, now, 0, true), 0);
    cr_expect_gt(http_pace_wait(&p, now, PACE_SAVED_US + 1000, true), 0);
    for (int i = 0; i < 1000 * PACE_PART; i++) {
        http_pace_wait(&p, ++now, PACE_SAVED_US + 1000, true);
    }
    cr_expect_eq(http_pace_wait(&p, now, PACE_SAVED_US + 1000, true), 0);
}

/* ---- a server ---- */

enum { QUESTIONS = 6, COST_US = 70000 };
static atomic_bool pressing;
static atomic_int answered;

static bool pressed(void *ctx)
{
    (void)ctx;
    return atomic_load(&pressing);
}

static enum lq_err question(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    (void)ctx;
    (void)r;
    (void)e;
    for (int64_t end = http__thread_us() + COST_US; http__thread_us() < end;) {
    }
    fputs("{}\n", o->out);
    atomic_fetch_add(&answered, 1);
    return LQ_OK;
}

static enum lq_err quick(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    (void)ctx;
    (void)r;
    (void)e;
    fputs("{}\n", o->out);
    return LQ_OK;
}

static const struct http_route routes[] = {
    {HTTP_GET, "/question", HTTP_READ, question, ""}, {HTTP_GET, "/health", HTTP_OPEN, quick, ""}, {HTTP_POST, "/push", HTTP_WRITE, quick, ""}, {0, NULL, HTTP_OPEN, NULL, NULL}};

struct running {
    struct ev_loop *loop;
    ev_async end;
    pthread_t thread;
    struct http_server *server;
};

static void on_end(struct ev_loop *loop, ev_async *w, int events)
{
    (void)w;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static void *run(void *arg)
{
    ev_run(((struct running *)arg)->loop, 0);
    return NULL;
}

static void start(struct running *x, unsigned time_ms)
{
    struct http_server_options o = {.time_ms = time_ms, .pressed = pressed, .n_tables = 1, .tables = {{.routes = routes}}};
    struct lq_error e = {0};
    x->loop = ev_loop_new(EVFLAG_AUTO);
    cr_assert(http_server_start(x->loop, &o, &x->server, &e) == LQ_OK, "%s", e.msg);
    ev_async_init(&x->end, on_end);
    ev_async_start(x->loop, &x->end);
    cr_assert(pthread_create(&x->thread, NULL, run, x) == 0);
}

static void stop(struct running *x)
{
    ev_async_send(x->loop, &x->end);
    pthread_join(x->thread, NULL);
    http_server_stop(&x->server);
    ev_async_stop(x->loop, &x->end);
    ev_loop_destroy(x->loop);
}

static int ask(const struct running *x, const char *method, const char *path, bool close_after)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(http_server_port(x->server)), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    char text[256];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    int n = snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n%s\r\n", method, path, close_after ? "Connection: close\r\n" : "");
    cr_assert(write(fd, text, (size_t)n) == n);
    return fd;
}

/* One connection, on which many requests wait already: those that come while the server ends are refused, none is left hanging. */
Test(pace, requests_that_come_while_it_ends, .timeout = 60)
{
    static const char one[] = "GET /question HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct running x = {0};
    start(&x, 60000);
    int fds[4];
    for (int i = 0; i < 4; i++) {
        fds[i] = ask(&x, "GET", "/health", false);
        for (int k = 0; k < 20; k++) {
            cr_assert(write(fds[i], one, sizeof one - 1) == (ssize_t)sizeof one - 1);
        }
    }
    while (atomic_load(&answered) == 0) {
    }
    stop(&x);
    for (int i = 0; i < 4; i++) {
        close(fds[i]);
    }
}

static void is_answered(int fd)
{
    char text[16] = "";
    cr_assert(recv(fd, text, 12, MSG_WAITALL) == 12);
    cr_expect_str_eq(text, "HTTP/1.1 200");
    close(fd);
}

Test(pace, questions_wait_and_nothing_else_does, .timeout = 60)
{
    struct running x = {0};
    int fds[QUESTIONS];
    start(&x, 60000);
    for (int i = 0; i < 2; i++) {
        is_answered(ask(&x, "GET", "/question", true));
    }
    struct http_server_counts c = http_server_counts(x.server);
    cr_expect(c.paced == 0 && c.paced_us == 0, "nothing presses, nothing waits");
    atomic_store(&pressing, true);
    for (int i = 0; i < QUESTIONS; i++) {
        fds[i] = ask(&x, "GET", "/question", true);
    }
    for (int i = 0; i < 3; i++) { /* behind them, and before them */
        is_answered(ask(&x, "POST", "/push", true));
        is_answered(ask(&x, "GET", "/health", true));
    }
    cr_expect_lt(atomic_load(&answered), 2 + QUESTIONS, "questions have overdrawn their account; those that are left wait");
    atomic_store(&pressing, false);
    for (int i = 0; i < QUESTIONS; i++) {
        is_answered(fds[i]);
    }
    c = http_server_counts(x.server);
    cr_expect(c.paced > 0 && c.paced < QUESTIONS && c.paced_us > 0, "%llu held", (unsigned long long)c.paced);
    stop(&x);
}

Test(pace, none_waits_longer_than_a_quarter_of_its_time, .timeout = 60)
{
    struct running x = {0};
    int fds[QUESTIONS];
    atomic_store(&pressing, true);
    start(&x, 12000);
    for (int i = 0; i < QUESTIONS; i++) {
        fds[i] = ask(&x, "GET", "/question", true);
    }
    for (int i = 0; i < QUESTIONS; i++) {
        is_answered(fds[i]);
    }
    cr_expect_gt(http_server_counts(x.server).paced, 0);
    cr_expect_eq(http_server_counts(x.server).stopped, 0);
    stop(&x);
}

Test(pace, a_stop_waits_for_no_pace, .timeout = 60)
{
    struct running x = {0};
    int fds[QUESTIONS];
    atomic_store(&pressing, true);
    start(&x, 3600000);
    for (int i = 0; i < QUESTIONS; i++) {
        fds[i] = ask(&x, "GET", "/question", true);
    }
    while (http_server_counts(x.server).requests < QUESTIONS) {
    }
    stop(&x);
    for (int i = 0; i < QUESTIONS; i++) {
        close(fds[i]);
    }
}
