/*
 * http.h - requests and answers as the handlers see them
 *
 *      client --bytes--> server.c (libmicrohttpd on libev) --job--> worker thread: route, check, handler --> response --> client
 *
 * A handler is a function from a request to a response: it knows no socket and no event loop. It runs on a worker thread, so it may take its
 * time; it asks http_stopped() now and then and gives up when the client has gone or the time is over. Handlers of one server run at the same
 * time on several threads.
 *
 * Routes are tables; a program puts tables of several parts together (lqd: this folder's, and its own for metrics and pushed logs). A path that ends
 * in "/" + "*" matches all below it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_HTTP_H
#define LQ_HTTP_H

#include <stdio.h>

#include "schema/base/buf.h"

enum { HTTP_PARAMS_MAX = 64, HTTP_PATH_BYTES_MAX = 2048, HTTP_HEADERS_MAX = 6, HTTP_TOKEN_BYTES_MAX = 128, HTTP_MEMORY_BYTES_MAX = 8 << 20 };
enum http_method { HTTP_GET = 1, HTTP_POST = 2, HTTP_PUT = 4, HTTP_DELETE = 8 }; /* HEAD is answered as GET */
/* What a token lets its bearer do; a route asks for one. HTTP_OPEN needs no token (health, and the page itself, which asks for one). */
enum http_scope { HTTP_OPEN = 0, HTTP_READ = 1, HTTP_WRITE = 2, HTTP_ADMIN = 4 };

struct http_param {
    lq_str name, value; /* decoded; of the query string first, then of a form body */
};
struct http_job; /* server.c */
struct http_request {
    enum http_method method;
    lq_str path; /* decoded, without the query string */
    lq_str tail; /* of a route that ends in a star: what it stands for */
    lq_str body;
    lq_str content_type;
    lq_str peer; /* the sender's address, without its port */
    uint32_t n_params;
    struct http_param params[HTTP_PARAMS_MAX];
    struct lq_arena *mem; /* lives until the response was sent */
    struct http_job *job; /* NULL in tests */
};
/* n = 0 when absent or empty. */
lq_str http_param(const struct http_request *r, const char *name);
bool http_has_param(const struct http_request *r, const char *name);
/* NUL-terminated copy in r->mem, NULL when absent or empty. */
const char *http_param_text(const struct http_request *r, const char *name);
/* The answer is not yet known when the handler returns: somebody calls http_finish, once, on any thread (also before the handler has returned); until then
 * request and response live. The server's stop waits for it. */
void http_defer(const struct http_request *r);
void http_finish(struct http_job *j);
/* Processor time that another process took for this request. On the handler's thread. */
void http_spent(const struct http_request *r, int64_t us);
/* The client has gone, or the time of the request is over. */
bool http_stopped(const struct http_request *r);
/* "a=1&b=x%20y" (also + for a blank) added to r->params; false when there are more than HTTP_PARAMS_MAX or an escape is broken. */
bool http_params_parse(struct http_request *r, lq_str text);
/* %XX (and + where plus is set) decoded into mem; false: a broken escape or a NUL. */
bool http_decode(lq_str in, bool plus, struct lq_arena *mem, lq_str *out);

struct http_response {
    int status;          /* 0 = 200 */
    const char *type;    /* content type; NULL = application/json */
    FILE *out;           /* the body is printed here: into memory, from HTTP_MEMORY_BYTES_MAX on into a file without a name */
    char *body;          /* valid once out is closed or flushed, while fd < 0 */
    size_t n, cap;
    int fd;              /* the file, or -1 */
    bool failed;         /* no room for that file */
    bool cacheable;      /* an asset whose name holds its hash */
    uint32_t n_headers;
    struct {
        const char *name, *value; /* static, or in the request's mem */
    } headers[HTTP_HEADERS_MAX];
};
void http_response_init(struct http_response *o);
void http_response_fini(struct http_response *o);
void http_response_clear(struct http_response *o); /* forget what was printed */
bool http_response_close(struct http_response *o); /* the body is whole; false: it could not be kept */
void http_header(struct http_response *o, const char *name, const char *value);

/* A handler may fail with an error of the program: it is answered as {"error":{…}} with a status that fits its code, see http_fail. */
typedef enum lq_err http_handler(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e);
struct http_route {
    unsigned methods;
    const char *path;
    enum http_scope scope;
    http_handler *run;
    const char *help;
};
/* {"error":{"code":"…","message":"…","hint":"…","column":12,"width":4,"caret":12,"caret_width":4,"text":"…"}}: 400 for what a person wrote, 404, 413, 503, 500. */
void http_fail(struct http_response *o, const struct lq_error *e);
int http_status_of(enum lq_err code);

#endif
