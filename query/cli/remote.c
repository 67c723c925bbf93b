/*
 * remote.c - the program lq-remote: lq --server URL COMMAND … sends the command line to a server and prints what lq printed there (http/run.c). lq has put the word
 * query before a bare query
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

#include "schema/base/buf.h"

enum { STATUS_USAGE = 2, STATUS_FAILED = 3, ANSWER_BYTES_MAX = 256 << 20 };

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

static int print_answer(const struct lq_buf *b, long code)
{
    json_error_t je;
    json_t *j = json_loadb(b->p != NULL ? b->p : "", b->n, 0, &je);
    const json_t *error = json_object_get(j, "error"), *out = json_object_get(j, "out"), *err = json_object_get(j, "err");
    int status = STATUS_FAILED;
    if (json_is_string(out) && json_is_string(err)) {
        fwrite(json_string_value(err), 1, json_string_length(err), stderr);
        fwrite(json_string_value(out), 1, json_string_length(out), stdout);
        status = (int)json_integer_value(json_object_get(j, "status"));
    } else if (json_is_object(error)) {
        const char *msg = json_string_value(json_object_get(error, "message")), *hint = json_string_value(json_object_get(error, "hint"));
        status = fail(code == 400 ? STATUS_USAGE : STATUS_FAILED, LQ_EINVAL, msg != NULL ? msg : "the server refused", code == 401 ? "give a token in $LQ_TOKEN" : hint);
    } else {
        fail(STATUS_FAILED, LQ_EIO, "the answer is not lq's: is this the address of an lq server?", NULL);
    }
    json_decref(j);
    return fflush(stdout) != 0 ? STATUS_FAILED : status;
}

static int send_command(const char *server, const char *body)
{
    struct lq_buf answer = {0}, url = {0};
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    char secret[256], text[300], problem[CURL_ERROR_SIZE] = "";
    long code = 0;
    int status;
    CURL *c = curl_easy_init();
    size_t n = strlen(server);
    lq_buf_printf(&url, "%s%.*s/api/v1/lq/run", strstr(server, "://") != NULL ? "" : "http://", (int)(n > 0 && server[n - 1] == '/' ? n - 1 : n), server);
    lq_buf_byte(&url, 0);
    if (token(secret)[0] != '\0') {
        snprintf(text, sizeof text, "Authorization: Bearer %s", secret);
        headers = curl_slist_append(headers, text);
    }
    curl_easy_setopt(c, CURLOPT_URL, url.p);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, 10000L);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &answer);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, problem);
    CURLcode done = curl_easy_perform(c);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &code);
    if (done != CURLE_OK) {
        snprintf(text, sizeof text, "cannot ask %s: %s", server, problem[0] != '\0' ? problem : curl_easy_strerror(done));
        status = fail(STATUS_FAILED, LQ_EIO, text, "is lq web or lqd running there?");
    } else {
        status = print_answer(&answer, code);
    }
    curl_easy_cleanup(c);
    curl_slist_free_all(headers);
    lq_buf_fini(&answer);
    lq_buf_fini(&url);
    return status;
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
    char *body = json_dumps(request, JSON_COMPACT);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int status = send_command(server, body);
    curl_global_cleanup();
    free(body);
    json_decref(request);
    return status;
}
