/*
 * remote.c - the program lq-remote: lq --server URL COMMAND … sends the command line to a server and prints what lq printed there (http/run.c). lq has put the word
 * query before a bare query
 *
 * `tail` is asked again and again, one look (--after CURSOR) at a time.
 *
 * $LQ_TOKEN, or the first word of the file $LQ_TOKEN_FILE, is sent as a bearer token. `format` and `completion` need no server and are run here.
 *
 * SPDX-License-Identifier: MIT
 */
#include <curl/curl.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "query/cli/wait.h"
#include "schema/base/buf.h"

enum { STATUS_USAGE = 2, STATUS_FAILED = 3, LOOK_MS = 1000, ANSWER_BYTES_MAX = 256 << 20 };

static int fail(int status, enum lq_err code, const char *msg, const char *hint)
{
    struct lq_error e;
    lq_error_set(&e, code, "%s", msg);
    if (hint != NULL) {
        lq_error_hint(&e, "%s", hint);
    }
    lq_error_print(stderr, "lq", &e);
    return status;
}

static size_t take(char *p, size_t size, size_t n, void *ctx)
{
    struct lq_buf *b = ctx;
    if (b->n + size * n > ANSWER_BYTES_MAX) {
        return 0;
    }
    lq_buf_add(b, p, size * n);
    return size * n;
}

static const char *token(char out[256])
{
    const char *given = getenv("LQ_TOKEN"), *file = getenv("LQ_TOKEN_FILE");
    out[0] = '\0';
    if (given != NULL) {
        snprintf(out, 256, "%s", given);
    } else if (file != NULL) {
        FILE *f = fopen(file, "re");
        if (f == NULL || fscanf(f, "%255s", out) != 1) {
            out[0] = '\0';
        }
        if (f != NULL) {
            fclose(f);
        }
    }
    return out;
}

static json_t *command_line(int argc, char **argv, const char **server)
{
    json_t *list = json_array();
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--server") == 0 && i + 1 < argc) {
            *server = argv[++i];
        } else if (strncmp(argv[i], "--server=", 9) == 0) {
            *server = argv[i] + 9;
        } else {
            json_t *x = json_string(argv[i]);
            if (x == NULL) { /* no UTF-8 */
                json_decref(list);
                return NULL;
            }
            json_array_append_new(list, x);
        }
    }
    return list;
}

/* What to ask, and how: a connection is kept between the looks of lq tail. */
struct asking {
    CURL *curl;
    const char *server;
    struct curl_slist *headers;
    json_t *request, *args;
    char *cursor; /* lq tail: of the next look; NULL: another command */
    bool answered, silent; /* lq tail: the server has answered once; that it does not now is said */
};

/* The first line of a look is the cursor of the next; the rest is for people. */
static const char *take_cursor(struct asking *a, const char *out)
{
    const char *nl = strchr(out, '\n');
    if (a->cursor == NULL || nl == NULL) {
        return out;
    }
    free(a->cursor);
    a->cursor = strndup(out, (size_t)(nl - out));
    LQ_ASSERT(a->cursor != NULL);
    return nl + 1;
}

static int print_answer(struct asking *a, const struct lq_buf *b, long code)
{
    json_error_t je;
    json_t *j = json_loadb(b->p != NULL ? b->p : "", b->n, 0, &je);
    const json_t *error = json_object_get(j, "error"), *out = json_object_get(j, "out"), *err = json_object_get(j, "err");
    int status = STATUS_FAILED;
    if (json_is_string(out) && json_is_string(err)) {
        const char *text = json_string_value(out), *rest = take_cursor(a, text);
        fwrite(json_string_value(err), 1, json_string_length(err), stderr);
        fwrite(rest, 1, json_string_length(out) - (size_t)(rest - text), stdout);
        status = (int)json_integer_value(json_object_get(j, "status"));
        a->answered = true;
    } else if (json_is_object(error)) {
        const char *msg = json_string_value(json_object_get(error, "message")), *hint = json_string_value(json_object_get(error, "hint"));
        status = fail(code == 400 ? STATUS_USAGE : STATUS_FAILED, LQ_EINVAL, msg != NULL ? msg : "the server refused", code == 401 ? "give a token in $LQ_TOKEN" : hint);
    } else {
        fail(STATUS_FAILED, LQ_EIO, "the answer is not lq's: is this the address of an lq server?", NULL);
    }
    json_decref(j);
    return fflush(stdout) != 0 ? STATUS_FAILED : status;
}

/* Asked about once a second while an answer is waited for. */
static int on_progress(void *ctx, curl_off_t to_get, curl_off_t got, curl_off_t to_put, curl_off_t put)
{
    (void)ctx, (void)to_get, (void)got, (void)to_put, (void)put;
    return wait_ms(0) ? 0 : 1;
}

static void open_connection(struct asking *a, struct lq_buf *answer, char problem[CURL_ERROR_SIZE])
{
    struct lq_buf url = {0};
    char secret[256], text[300];
    size_t n = strlen(a->server);
    a->curl = curl_easy_init();
    LQ_ASSERT(a->curl != NULL);
    a->headers = curl_slist_append(NULL, "Content-Type: application/json");
    bool writes = strcmp(json_string_value(json_array_get(a->args, 0)), "mark") == 0;
    lq_buf_printf(&url, "%s%.*s/api/v1/lq/run%s", strstr(a->server, "://") != NULL ? "" : "http://", (int)(n > 0 && a->server[n - 1] == '/' ? n - 1 : n), a->server,
                  writes ? "/write" : "");
    lq_buf_byte(&url, 0);
    if (token(secret)[0] != '\0') {
        snprintf(text, sizeof text, "Authorization: Bearer %s", secret);
        a->headers = curl_slist_append(a->headers, text);
    }
    curl_easy_setopt(a->curl, CURLOPT_URL, url.p);
    curl_easy_setopt(a->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(a->curl, CURLOPT_HTTPHEADER, a->headers);
    curl_easy_setopt(a->curl, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(a->curl, CURLOPT_CONNECTTIMEOUT_MS, 10000L);
    curl_easy_setopt(a->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(a->curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(a->curl, CURLOPT_ERRORBUFFER, problem);
    curl_easy_setopt(a->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(a->curl, CURLOPT_NOPROGRESS, 0L);
    lq_buf_fini(&url);
}

static void close_connection(struct asking *a)
{
    curl_easy_cleanup(a->curl);
    curl_slist_free_all(a->headers);
}

static int send_command(struct asking *a, struct lq_buf *answer, const char problem[CURL_ERROR_SIZE])
{
    char text[300];
    long code = 0;
    int status = STATUS_FAILED;
    if (a->cursor != NULL) {
        json_array_set_new(a->args, 2, json_string(a->cursor));
    }
    char *body = json_dumps(a->request, JSON_COMPACT);
    answer->n = 0;
    curl_easy_setopt(a->curl, CURLOPT_POSTFIELDS, body);
    CURLcode done = curl_easy_perform(a->curl);
    curl_easy_getinfo(a->curl, CURLINFO_RESPONSE_CODE, &code);
    if (done == CURLE_ABORTED_BY_CALLBACK) {
        status = 0;
    } else if (done == CURLE_OK && (code < 500 || !a->answered)) {
        status = print_answer(a, answer, code);
        a->silent = false;
    } else if (!a->silent) {
        snprintf(text, sizeof text, "cannot ask %s: %s", a->server, done == CURLE_OK ? "it is not ready" : problem[0] != '\0' ? problem : curl_easy_strerror(done));
        fail(STATUS_FAILED, LQ_EIO, text, a->answered ? "trying again each second" : "is lq web or lqd running there?");
        a->silent = true;
    }
    free(body);
    return status;
}

/* Looks each second until somebody ends it; a server that is away for a while (a restart) is waited for, once it has answered at all. */
static int tail(struct asking *a, struct lq_buf *answer, const char problem[CURL_ERROR_SIZE])
{
    int status;
    bool on;
    a->cursor = strdup("new");
    LQ_ASSERT(a->cursor != NULL);
    json_array_insert_new(a->args, 1, json_string("--after"));
    json_array_insert_new(a->args, 2, json_string(a->cursor));
    wait_init();
    do {
        status = send_command(a, answer, problem);
        on = wait_flush() && (status == 0 || (a->silent && a->answered));
    } while (on && wait_ms(LOOK_MS));
    free(a->cursor);
    return on ? 0 : status;
}

static bool has(const json_t *args, const char *word)
{
    size_t i;
    const json_t *x;
    json_array_foreach(args, i, x)
    {
        if (strncmp(json_string_value(x), word, strlen(word)) == 0) {
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    const char *server = NULL;
    struct winsize ws;
    bool terminal = isatty(STDOUT_FILENO) != 0;
    const char *no_color = getenv("NO_COLOR"), *tz = getenv("TZ");
    json_t *list = command_line(argc, argv, &server);
    if (list == NULL) {
        return fail(STATUS_USAGE, LQ_EINVAL, "an argument is no UTF-8", NULL);
    }
    if (server == NULL || json_array_size(list) == 0) {
        json_decref(list);
        return fail(STATUS_USAGE, LQ_EINVAL, server == NULL ? "--server needs a value (URL)" : "a command is missing", "lq --server http://127.0.0.1:8088 why");
    }
    int width = terminal ? (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col >= 40 ? ws.ws_col : 80) : 0;
    json_t *request = json_pack("{s:o,s:i,s:b}", "args", list, "width", width, "color", terminal && !(no_color != NULL && no_color[0] != '\0'));
    if (tz != NULL) {
        json_object_set_new(request, "tz", json_string(tz));
    }
    struct asking a = {.server = server, .request = request, .args = list};
    struct lq_buf answer = {0};
    char problem[CURL_ERROR_SIZE] = "";
    bool live = strcmp(json_string_value(json_array_get(list, 0)), "tail") == 0 && !has(list, "--after") && !has(list, "--help");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    open_connection(&a, &answer, problem);
    int status = live ? tail(&a, &answer, problem) : send_command(&a, &answer, problem);
    close_connection(&a);
    curl_global_cleanup();
    lq_buf_fini(&answer);
    json_decref(request);
    return status;
}
