/*
 * run.c - commands of `lq --server`: the program lq itself runs them here, so that the output is the same by construction
 *
 * POST /api/v1/lq/run {"args":["why","--since","2d"],"width":80,"color":true} -> {"status":0,"out":"…","err":"…"}
 *
 * A command is a process of its own: it may take its time and memory (RLIMIT_DATA), and it is killed when the client goes away or its time is over. Only the
 * commands and flags of the tables below are accepted, and no argument that could name a file of this machine. Commands that write have an address of their own,
 * because a token's scope is asked for before the body is read.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "query/http/run.h"

enum { RUN_ARGS_MAX = 64, RUN_OUT_BYTES_MAX = 64 << 20, RUN_POLL_MS = 50 };

struct run_command {
    const char *name;
    unsigned positional_min, positional_max;
};
static const struct run_command read_commands[] = {
    {"why", 0, 0}, {"query", 1, 1}, {"tail", 1, 1}, {"plan", 1, 1}, {"streams", 0, 0}, {"fields", 0, 0}, {"values", 1, 2}, {"templates", 0, 1}, {"markers", 0, 0}, {"format", 1, 2}, {NULL, 0, 0},
};
static const struct run_command write_commands[] = {{"mark", 2, 3}, {NULL, 0, 0}};
static const struct {
    const char *name;
    bool value;
} flags[] = {
    {"--format", true}, {"--since", true}, {"--until", true}, {"--tz", true}, {"--target", true}, {"--onset", true}, {"--lookback", true}, {"--top", true},
    {"--explain", false}, {"--compare", true}, {"--timeout", true}, {"--after", true}, {"--help", false}, {"--at", true}, {"--host", true}, {"--service", true},
};

/* `lq tail` without --after does not end by itself. */
static enum lq_err check_ends(const char *const *args, size_t n, struct lq_error *e)
{
    bool ends = strcmp(args[0], "tail") != 0;
    for (size_t i = 1; i < n && strcmp(args[i], "--") != 0; i++) {
        ends = ends || strcmp(args[i], "--after") == 0 || strncmp(args[i], "--after=", 8) == 0 || strcmp(args[i], "--help") == 0;
    }
    return ends ? LQ_OK : lq_error_set(e, LQ_EINVAL, "lq tail needs --after here: one look at a time");
}

static enum lq_err check_flag(const char *arg, bool *takes_next, struct lq_error *e)
{
    const char *eq = strchr(arg, '=');
    size_t n = eq != NULL ? (size_t)(eq - arg) : strlen(arg);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (strlen(flags[i].name) == n && memcmp(flags[i].name, arg, n) == 0) {
            *takes_next = flags[i].value && eq == NULL;
            return LQ_OK;
        }
    }
    return lq_error_set(e, LQ_EINVAL, "the flag %.*s does not work with --server", (int)(n < 60 ? n : 60), arg);
}

enum lq_err run_check(const char *const *args, size_t n, bool writes, struct lq_error *e)
{
    const struct run_command *c = writes ? write_commands : read_commands;
    unsigned positional = 0;
    if (n == 0) {
        return lq_error_set(e, LQ_EINVAL, "a command is missing");
    }
    while (c->name != NULL && strcmp(c->name, args[0]) != 0) {
        c++;
    }
    if (c->name == NULL) {
        return lq_error_set(e, LQ_EINVAL, "lq %.60s does not work with --server", args[0]);
    }
    if (strcmp(c->name, "format") == 0 && n > 1 && strcmp(args[1], "list") != 0 && strcmp(args[1], "show") != 0) {
        return lq_error_set(e, LQ_EINVAL, "lq format %.40s does not work with --server", args[1]);
    }
    bool only_positional = false;
    enum lq_err ends = check_ends(args, n, e);
    if (ends != LQ_OK) {
        return ends;
    }
    for (size_t i = 1; i < n; i++) {
        bool takes_next = false;
        if (!only_positional && strcmp(args[i], "--") == 0) {
            only_positional = true;
            continue;
        }
        if (only_positional || args[i][0] != '-' || args[i][1] == '\0') {
            positional++;
            continue;
        }
        enum lq_err err = check_flag(args[i], &takes_next, e);
        if (err != LQ_OK) {
            return err;
        }
        i += takes_next;
    }
    if (positional > c->positional_max) { /* too few: the command says so itself */
        return lq_error_set(e, LQ_EINVAL, strcmp(c->name, "why") == 0 || strcmp(c->name, "query") == 0 ? "files are not sent with --server: lq %s FILE… runs here" : "too many arguments for lq %s", c->name);
    }
    return LQ_OK;
}

/* Beside this program, or where lq is installed. */
static const char *program(struct lq_arena *mem)
{
    char path[4096 + 8];
    ssize_t n = readlink("/proc/self/exe", path, 4096);
    while (n > 0 && path[n - 1] != '/') {
        n--;
    }
    snprintf(path + (n > 0 ? n : 0), sizeof path - (size_t)(n > 0 ? n : 0), "lq");
    return lq_arena_strdup(mem, lq_str_of(access(path, X_OK) == 0 ? path : LQ_BIN_DIR "/lq"));
}

struct child {
    pid_t pid;
    int out, err;
};

static enum lq_err start(const char *path, char *const *argv, char *const *env, struct child *c, struct lq_error *e)
{
    int out[2], err[2];
    posix_spawn_file_actions_t fa;
    if (pipe2(out, O_CLOEXEC) != 0) {
        return lq_error_errno(e, errno, "start", path);
    }
    if (pipe2(err, O_CLOEXEC) != 0) {
        close(out[0]);
        close(out[1]);
        return lq_error_errno(e, errno, "start", path);
    }
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&fa, out[1], 1);
    posix_spawn_file_actions_adddup2(&fa, err[1], 2);
    int failed = posix_spawn(&c->pid, path, &fa, NULL, argv, env);
    posix_spawn_file_actions_destroy(&fa);
    close(out[1]);
    close(err[1]);
    if (failed != 0) {
        close(out[0]);
        close(err[0]);
        return lq_error_errno(e, failed, "start", path);
    }
    c->out = out[0];
    c->err = err[0];
    return LQ_OK;
}

/* False at the end, or when there is too much. */
static bool drain(int fd, struct lq_buf *to)
{
    lq_buf_reserve(to, 64 << 10);
    ssize_t n = read(fd, to->p + to->n, 64 << 10);
    if (n > 0) {
        to->n += (size_t)n;
    }
    return n > 0 || (n < 0 && errno == EINTR);
}

/* Everything it prints, until it ends; killed when the request is stopped. */
static enum lq_err collect(const struct http_request *r, struct child *c, struct lq_buf *out, struct lq_buf *err_text, int *status, struct lq_error *e)
{
    struct pollfd p[2] = {{c->out, POLLIN, 0}, {c->err, POLLIN, 0}};
    bool killed = false, large = false;
    while (p[0].fd >= 0 || p[1].fd >= 0) {
        (void)poll(p, 2, RUN_POLL_MS);
        for (int i = 0; i < 2; i++) {
            if (p[i].fd >= 0 && p[i].revents != 0 && !drain(p[i].fd, i == 0 ? out : err_text)) {
                p[i].fd = -1;
            }
        }
        large = large || out->n + err_text->n > RUN_OUT_BYTES_MAX;
        if (!killed && (large || http_stopped(r))) {
            kill(c->pid, SIGKILL);
            killed = true;
        }
    }
    close(c->out);
    close(c->err);
    struct rusage used = {0};
    pid_t ended;
    while ((ended = wait4(c->pid, status, 0, &used)) < 0 && errno == EINTR) {
    }
    LQ_ASSERT(ended == c->pid); /* a status that somebody else took must not pass for 0 */
    http_spent(r, (int64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 + used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    if (large) {
        lq_error_set(e, LQ_ELIMIT, "the answer is larger than %d MiB", RUN_OUT_BYTES_MAX >> 20);
        lq_error_hint(e, "ask for fewer series, longer steps or a shorter range");
        return LQ_ELIMIT;
    }
    return killed ? LQ_ELIMIT : LQ_OK;
}

static void environment(const json_t *body, struct lq_arena *mem, char **env)
{
    char columns[32];
    uint32_t n = 0;
    snprintf(columns, sizeof columns, "LQ_WIDTH=%lld", (long long)json_integer_value(json_object_get(body, "width")));
    env[n++] = lq_arena_strdup(mem, lq_str_of(columns));
    env[n++] = lq_arena_strdup(mem, lq_str_of(json_is_true(json_object_get(body, "color")) ? "LQ_COLOR=1" : "NO_COLOR=1"));
    const char *tz = getenv("TZ"), *given = json_string_value(json_object_get(body, "tz"));
    if (given != NULL || tz != NULL) {
        struct lq_buf b = {0};
        lq_buf_printf(&b, "TZ=%s", given != NULL ? given : tz);
        env[n++] = lq_arena_strdup(mem, (lq_str){b.p, b.n});
        lq_buf_fini(&b);
    }
    env[n] = NULL;
}

static enum lq_err run(const struct ask *a, bool writes, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    json_error_t je;
    json_t *body = json_loadb(r->body.n > 0 ? r->body.p : "", r->body.n, 0, &je), *list = json_object_get(body, "args"), *x;
    const char *args[RUN_ARGS_MAX + 4] = {"lq", "--data", store_dir(a->store)};
    char *env[8];
    struct lq_buf out = {0}, err_text = {0};
    struct child c;
    size_t i, n = 0;
    int status = 0;
    enum lq_err err = json_is_array(list) && json_array_size(list) <= RUN_ARGS_MAX ? LQ_OK : lq_error_set(e, LQ_EINVAL, "the body is {\"args\":[…]} with at most %d texts", RUN_ARGS_MAX);
    json_array_foreach(list, i, x)
    {
        if (err == LQ_OK && json_is_string(x) && strlen(json_string_value(x)) == json_string_length(x)) {
            args[3 + n++] = json_string_value(x);
        } else if (err == LQ_OK) {
            err = lq_error_set(e, LQ_EINVAL, "an argument is no text");
        }
    }
    if (err == LQ_OK) {
        err = run_check(args + 3, n, writes, e);
    }
    if (err == LQ_OK) {
        environment(body, r->mem, env);
        err = start(program(r->mem), (char *const *)args, env, &c, e);
    }
    if (err == LQ_OK) {
        err = collect(r, &c, &out, &err_text, &status, e);
    }
    json_decref(body);
    if (err == LQ_OK) {
        json_t *answer = json_pack("{s:i,s:o,s:o}", "status", WIFEXITED(status) ? WEXITSTATUS(status) : 3, "out", json_stringn_nocheck(out.p != NULL ? out.p : "", out.n), "err",
                                   json_stringn_nocheck(err_text.p != NULL ? err_text.p : "", err_text.n));
        if (answer == NULL || json_dumpf(answer, o->out, JSON_COMPACT) != 0) {
            err = lq_error_set(e, LQ_EIO, "the command printed what is no UTF-8");
        }
        json_decref(answer);
    }
    lq_buf_fini(&out);
    lq_buf_fini(&err_text);
    return err;
}

static enum lq_err run_reading(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    return run(ctx, false, r, o, e);
}

static enum lq_err run_writing(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    return run(ctx, true, r, o, e);
}

const struct http_route run_routes[] = {
    {HTTP_POST, "/api/v1/lq/run", HTTP_READ, run_reading, "a command of lq --server: {args, width, color, tz} -> {status, out, err}"},
    {HTTP_POST, "/api/v1/lq/run/write", HTTP_WRITE, run_writing, "one that writes (lq mark): the same"},
    {0, NULL, HTTP_OPEN, NULL, NULL},
};
