/*
 * test_control.c - frames of the control socket, and what they become
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ingest/control_request.h"

static lq_str payload(const struct lq_buf *b)
{
    return (lq_str){b->p + CONTROL_HEADER_BYTES, b->n - CONTROL_HEADER_BYTES};
}

Test(control, bytes_of_a_frame)
{
    struct lq_buf b = {0};
    enum control_type t;
    uint32_t n;
    control_begin(&b, CONTROL_GO);
    control_end(&b);
    cr_assert(b.n == 8 && memcmp(b.p, "lq\x01\x04\0\0\0\0", 8) == 0);
    control_begin(&b, CONTROL_FILE);
    control_put(&b, TAG_PATH, LQ_STR("/x"));
    control_end(&b);
    cr_assert(b.n == 13 && memcmp(b.p, "lq\x01\x03\x05\0\0\0\x10\x02\0/x", 13) == 0);
    cr_assert(control_header(b.p, &t, &n) && t == CONTROL_FILE && n == 5);
    b.p[2]++;
    cr_assert(!control_header(b.p, &t, &n), "another version");
    lq_buf_fini(&b);
}

Test(control, fields_come_back)
{
    struct lq_buf b = {0};
    struct lq_error e, back = {0};
    enum control_tag tag;
    lq_str v;
    lq_error_set(&e, LQ_ELIMIT, "too much");
    lq_error_hint(&e, "less");
    control_begin(&b, CONTROL_ERROR);
    control_put_error(&b, &e);
    control_end(&b);
    lq_str rest = payload(&b);
    while (control_next(&rest, &tag, &v) == CONTROL_FIELD) {
        cr_assert(control_get_error(tag, v, &back));
    }
    cr_assert(back.code == LQ_ELIMIT && strcmp(back.msg, "too much") == 0 && strcmp(back.hint, "less") == 0);
    for (size_t cut = 1; cut < b.n - CONTROL_HEADER_BYTES; cut++) { /* a frame that ends within a field */
        enum control_step step;
        rest = (lq_str){b.p + CONTROL_HEADER_BYTES, cut};
        while ((step = control_next(&rest, &tag, &v)) == CONTROL_FIELD) {
        }
        cr_assert(step == CONTROL_BAD || cut == 11 || cut == 22, "cut at %zu", cut);
    }
    lq_buf_fini(&b);
}

static enum request_step take(struct control_request *r, struct lq_buf *b, enum control_type t, int fd, struct lq_error *e)
{
    control_end(b);
    return control_request_take(r, t, payload(b), fd, e);
}

Test(control, a_load_in_its_order)
{
    struct control_request r;
    struct lq_buf b = {0};
    struct lq_error e;
    control_request_init(&r);
    control_begin(&b, CONTROL_LOAD);
    control_put(&b, TAG_LABEL, LQ_STR("env=prod"));
    control_put(&b, TAG_TZ, LQ_STR("UTC"));
    cr_assert_eq(take(&r, &b, CONTROL_LOAD, -1, &e), REQUEST_MORE);
    control_begin(&b, CONTROL_FILE);
    control_put(&b, TAG_PATH, LQ_STR("/var/log/a"));
    int fd = open("/dev/null", O_RDONLY);
    cr_assert_eq(take(&r, &b, CONTROL_FILE, fd, &e), REQUEST_MORE);
    control_begin(&b, CONTROL_GO);
    cr_assert_eq(take(&r, &b, CONTROL_GO, -1, &e), REQUEST_READY);
    cr_assert(r.n_files == 1 && strcmp(r.files[0].path, "/var/log/a") == 0 && r.labels.n == 1 && strcmp(r.tz, "UTC") == 0);
    control_request_fini(&r);
    cr_assert(fcntl(fd, F_GETFD) == -1 && errno == EBADF, "the descriptor is closed with the request");
    lq_buf_fini(&b);
}

Test(control, what_does_not_belong_is_refused)
{
    static const enum control_type wrong[] = {CONTROL_FILE, CONTROL_GO, CONTROL_DONE, CONTROL_REPORT};
    struct lq_buf b = {0};
    struct lq_error e;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct control_request r;
        control_request_init(&r);
        control_begin(&b, wrong[i]);
        int fd = open("/dev/null", O_RDONLY);
        cr_assert_eq(take(&r, &b, wrong[i], fd, &e), REQUEST_BAD, "case %zu", i);
        cr_assert(fcntl(fd, F_GETFD) == -1, "a descriptor of a refused frame is closed");
        control_request_fini(&r);
    }
    struct control_request r; /* no descriptor left in the process that takes it */
    control_request_init(&r);
    control_begin(&b, CONTROL_LOAD);
    cr_assert_eq(take(&r, &b, CONTROL_LOAD, -1, &e), REQUEST_MORE);
    control_begin(&b, CONTROL_FILE);
    control_put(&b, TAG_PATH, LQ_STR("a"));
    cr_assert(take(&r, &b, CONTROL_FILE, -1, &e) == REQUEST_BAD && e.code == LQ_ELIMIT);
    control_request_fini(&r);
    lq_buf_fini(&b);
}

Test(control, a_descriptor_travels)
{
    char dir[200] = "/tmp/lq-control-XXXXXX", long_dir[400], byte = 0;
    struct lq_error e;
    struct lq_buf b = {0}, got = {0};
    struct stat st;
    enum control_type t;
    int listener, asker, taker, passed, p[2];
    cr_assert(mkdtemp(dir) != NULL && pipe(p) == 0);
    snprintf(long_dir, sizeof long_dir, "%s/%0180d", dir, 7); /* longer than sun_path */
    cr_assert(mkdir(long_dir, 0770) == 0);
    cr_assert_eq(control_connect(long_dir, &asker, &e), LQ_ENOENT);
    cr_assert_eq(control_listen(long_dir, &listener, &e), LQ_OK, "%s", e.msg);
    char path[500];
    snprintf(path, sizeof path, "%s/" CONTROL_NAME, long_dir);
    cr_assert(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "the group cannot write");
    cr_assert_eq(control_connect(long_dir, &asker, &e), LQ_OK, "%s", e.msg);
    cr_assert((taker = accept(listener, NULL, NULL)) >= 0);
    control_begin(&b, CONTROL_FILE);
    control_put(&b, TAG_PATH, LQ_STR("a"));
    control_end(&b);
    cr_assert_eq(control_send(asker, &b, p[0], &e), LQ_OK);
    cr_assert_eq(control_receive(taker, &t, &got, &passed, &e), LQ_OK);
    cr_assert(t == CONTROL_FILE && passed >= 0 && write(p[1], "x", 1) == 1 && read(passed, &byte, 1) == 1 && byte == 'x');
    close(passed);
    cr_assert(write(asker, "lq", 2) == 2);
    close(asker);
    cr_assert_eq(control_receive(taker, &t, &got, &passed, &e), LQ_EINVAL, "closed within a frame");
    close(listener);
    cr_assert_eq(control_connect(long_dir, &asker, &e), LQ_ENOENT, "what a killed daemon left");
    control_unlink(long_dir);
    rmdir(long_dir);
    rmdir(dir);
    lq_buf_fini(&b);
    lq_buf_fini(&got);
}
