/*
 * server_request.c - one request: may it be, where does it go, what is sent back (server_int.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "query/http/server_int.h"
#include "schema/timefmt.h"

void http__refuse(struct http_job *j, int status, const char *code, const char *message)
{
    j->response.status = status;
    j->response.type = "application/json";
    http_response_clear(&j->response);
    fprintf(j->response.out, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}\n", code, message);
    atomic_fetch_add(&j->server->rejected, 1);
}

static void add_header(struct MHD_Response *r, const char *name, const char *value)
{
    if (MHD_add_response_header(r, name, value) != MHD_YES) {
        abort(); /* only out of memory */
    }
}

static void safety_headers(struct http_job *j, struct MHD_Response *r)
{
    const char *origin = http__header(j->connection, "Origin"), *allowed = j->server->o.cors_origin;
    add_header(r, "X-Content-Type-Options", "nosniff");
    add_header(r, "Referrer-Policy", "no-referrer");
    add_header(r, "Content-Security-Policy",
               "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'");
    add_header(r, "Cache-Control", j->response.cacheable ? "public, max-age=31536000, immutable" : "no-store");
    if (origin != NULL && allowed != NULL && (strcmp(allowed, "*") == 0 || strcmp(allowed, origin) == 0)) {
        add_header(r, "Access-Control-Allow-Origin", allowed);
        add_header(r, "Access-Control-Allow-Headers", "accept, authorization, content-type");
        add_header(r, "Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE, OPTIONS");
        add_header(r, "Access-Control-Max-Age", "600");
        add_header(r, "Vary", "Origin");
    }
}

static void log_request(const struct http_job *j, int status, size_t bytes)
{
    if (j->server->o.log != NULL) {
        char path[512];
        size_t n = strcspn(j->uri, "?");
        snprintf(path, sizeof path, "%.*s", (int)(n < 400 ? n : 400), j->uri);
        for (char *p = path; *p != '\0'; p++) {
            *p = (unsigned char)*p < 0x21 || (unsigned char)*p > 0x7e ? '~' : *p;
        }
        fprintf(j->server->o.log, "http: %s %s %d %zu bytes %.1f ms\n", j->method, path, status, bytes, (double)(clock_monotonic_us() - j->start_us) / 1000);
    }
}

enum MHD_Result http__answer(struct http_job *j)
{
    struct http_response *o = &j->response;
    if (!http_response_close(o)) {
        http__refuse(j, 507, "failed", "no room for the answer, which is large");
        (void)http_response_close(o);
    }
    int status = o->status != 0 ? o->status : 200;
    size_t n = o->n;
    struct MHD_Response *r = o->fd >= 0 ? MHD_create_response_from_fd64(n, o->fd) : MHD_create_response_from_buffer(n, o->body, MHD_RESPMEM_MUST_FREE);
    if (r == NULL) {
        return MHD_NO;
    }
    o->body = NULL; /* the response owns it */
    o->fd = -1;
    add_header(r, "Content-Type", o->type != NULL ? o->type : "application/json");
    if (j->zipped) {
        add_header(r, "Content-Encoding", "gzip");
    }
    for (uint32_t i = 0; i < o->n_headers; i++) {
        add_header(r, o->headers[i].name, o->headers[i].value);
    }
    safety_headers(j, r);
    if (status >= 500) {
        atomic_fetch_add(&j->server->failed, 1);
    }
    enum MHD_Result done = MHD_queue_response(j->connection, (unsigned)status, r);
    MHD_destroy_response(r);
    log_request(j, status, n);
    return done;
}

static bool route_fits(const struct http_route *r, lq_str path, lq_str *tail)
{
    size_t n = strlen(r->path);
    if (n >= 2 && r->path[n - 1] == '*') {
        bool below = path.n >= n - 1 && memcmp(path.p, r->path, n - 1) == 0;
        if (below) {
            *tail = (lq_str){path.p + n - 1, path.n - (n - 1)};
        }
        return below;
    }
    return path.n == n && memcmp(path.p, r->path, n) == 0;
}

/* The route; NULL with *allowed = the methods of the path, 0 when there is no such path. */
static const struct http_route *find_route(struct http_server *s, struct http_job *j, unsigned method, unsigned *allowed)
{
    *allowed = 0;
    for (uint32_t t = 0; t < s->o.n_tables; t++) {
        for (const struct http_route *r = s->o.tables[t].routes; r->path != NULL; r++) {
            if (route_fits(r, j->request.path, &j->request.tail)) {
                *allowed |= r->methods;
                if ((r->methods & method) != 0) {
                    j->ctx = s->o.tables[t].ctx;
                    j->first = s->o.tables[t].first || r->scope == HTTP_OPEN;
                    j->keep = s->kept != NULL && s->o.tables[t].keep && r->scope == HTTP_READ;
                    return r;
                }
            }
        }
    }
    return NULL;
}

static void methods_text(unsigned m, char out[64])
{
    snprintf(out, 64, "%s%s%s%sOPTIONS", (m & HTTP_GET) != 0 ? "GET, HEAD, " : "", (m & HTTP_POST) != 0 ? "POST, " : "", (m & HTTP_PUT) != 0 ? "PUT, " : "",
             (m & HTTP_DELETE) != 0 ? "DELETE, " : "");
}

/* 0, or the status of a refusal that was written. */
static int authorise(struct http_server *s, struct http_job *j)
{
    const char *host = http__header(j->connection, "Host"), *origin = http__header(j->connection, "Origin");
    if (j->route->scope == HTTP_OPEN) {
        return 0;
    }
    bool foreign = (j->route->scope & (HTTP_WRITE | HTTP_ADMIN)) != 0 && origin != NULL && !http__same_origin(origin, host) &&
                   (s->o.cors_origin == NULL || strcmp(s->o.cors_origin, origin) != 0);
    if (s->tokens != NULL) {
        const char *given = http__header(j->connection, "Authorization");
        unsigned scopes = http_tokens_scopes(s->tokens, given);
        if (foreign && given != NULL && strncasecmp(given, "Basic ", 6) == 0) { /* a browser that knows it adds it to any page's request */
            http__refuse(j, 403, "forbidden", "a page of another origin may not write");
            return 403;
        }
        if (scopes == 0) {
            http__refuse(j, 401, "unauthorized", "a token is needed: Authorization: Bearer TOKEN");
            http_header(&j->response, "WWW-Authenticate", "Bearer realm=\"lq\", Basic realm=\"lq\"");
            return 401;
        }
        if ((scopes & j->route->scope) == 0) {
            http__refuse(j, 403, "forbidden", "this token does not allow that");
            return 403;
        }
        return 0;
    }
    /* No tokens: only this machine asks, and no web page of somebody else's may ask through its browser. */
    if (!http__loopback_host(host)) {
        http__refuse(j, 403, "forbidden", "without tokens only localhost is answered");
        return 403;
    }
    if (foreign) {
        http__refuse(j, 403, "forbidden", "a page of another origin may not write");
        return 403;
    }
    return 0;
}

/* Another request of this address, so soon? */
static bool too_many(struct http_server *s, struct http_job *j)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(j->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    unsigned wait_s;
    if (s->rate == NULL || info == NULL || http_rate_take(s->rate, info->client_addr, clock_monotonic_us(), &wait_s)) {
        return false;
    }
    char *text = lq_arena_alloc(&j->mem, 12);
    snprintf(text, 12, "%u", wait_s);
    http__refuse(j, 429, "too_many_requests", "too many requests from this address");
    http_header(&j->response, "Retry-After", text);
    return true;
}

static void peer_of(struct http_job *j)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(j->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char *text = lq_arena_alloc(&j->mem, INET6_ADDRSTRLEN);
    const struct sockaddr *a = info != NULL ? info->client_addr : NULL;
    if (a != NULL && a->sa_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)a)->sin_addr, text, INET6_ADDRSTRLEN);
    } else if (a != NULL && a->sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, text, INET6_ADDRSTRLEN);
    }
    j->request.peer = lq_str_of(text);
}

static unsigned method_bit(const char *name)
{
    static const struct {
        const char *name;
        unsigned method;
    } methods[] = {{"GET", HTTP_GET}, {"HEAD", HTTP_GET}, {"POST", HTTP_POST}, {"PUT", HTTP_PUT}, {"DELETE", HTTP_DELETE}};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(methods[i].name, name) == 0) {
            return methods[i].method;
        }
    }
    return 0;
}

/* Where the request goes, and whether it may: known from its headers, before a byte of its body is kept. */
bool http__screen(struct http_server *s, struct http_job *j)
{
    struct http_request *r = &j->request;
    const char *query = strchr(j->uri, '?'), *type = http__header(j->connection, "Content-Type"), *length = http__header(j->connection, "Content-Length");
    lq_str path = {j->uri, query != NULL ? (size_t)(query - j->uri) : strlen(j->uri)};
    const char *accept = http__header(j->connection, "Accept-Encoding");
    unsigned allowed;
    char list[64];
    j->takes_gzip = accept != NULL && strstr(accept, "gzip") != NULL;
    r->mem = &j->mem;
    r->job = j;
    r->content_type = lq_str_of(type != NULL ? lq_arena_strdup(&j->mem, lq_str_of(type)) : "");
    r->method = (enum http_method)method_bit(j->method);
    peer_of(j);
    if (too_many(s, j)) {
        return false;
    }
    if (path.n > HTTP_PATH_BYTES_MAX || !http_decode(path, false, &j->mem, &r->path) || (query != NULL && !http_params_parse(r, lq_str_of(query + 1)))) {
        http__refuse(j, path.n > HTTP_PATH_BYTES_MAX ? 414 : 400, "bad_request", "the address cannot be read");
        return false;
    }
    j->route = find_route(s, j, r->method, &allowed);
    methods_text(allowed, list);
    if (strcmp(j->method, "OPTIONS") == 0 && allowed != 0) {
        j->response.status = 204;
        http_header(&j->response, "Allow", lq_arena_strdup(&j->mem, lq_str_of(list)));
        return false;
    }
    if (j->route == NULL) {
        http__refuse(j, allowed != 0 ? 405 : 404, allowed != 0 ? "method_not_allowed" : "not_found", allowed != 0 ? "not with this method" : "there is nothing at this address");
        if (allowed != 0) {
            http_header(&j->response, "Allow", lq_arena_strdup(&j->mem, lq_str_of(list)));
        }
        return false;
    }
    if (authorise(s, j) != 0) {
        return false;
    }
    if (length != NULL && strtoull(length, NULL, 10) > s->o.body_bytes_max) {
        http__refuse(j, 413, "too_large", "the body is too large");
        return false;
    }
    return true;
}

void http__close_body(struct http_job *j)
{
    struct http_response *o = &j->response;
    j->zipped = http_response_close(o) && o->fd < 0 && o->n > 1024 && j->takes_gzip && http__gzip(&o->body, &o->n);
}

bool http__open_body(struct http_job *j)
{
    static const char form[] = "application/x-www-form-urlencoded";
    struct http_request *r = &j->request;
    const char *encoding = j->encoding;
    if (encoding[0] != '\0' && strcmp(encoding, "gzip") != 0 && strcmp(encoding, "identity") != 0) {
        http__refuse(j, 415, "unsupported_encoding", "a body is plain or gzip");
        return false;
    }
    if (strcmp(encoding, "gzip") == 0 && !http__gunzip(&j->body, j->server->o.body_bytes_max)) {
        http__refuse(j, 400, "bad_request", "the gzip body is damaged or too large");
        return false;
    }
    r->body = (lq_str){j->body.p, j->body.n};
    if (r->content_type.n >= sizeof form - 1 && memcmp(r->content_type.p, form, sizeof form - 1) == 0 && !http_params_parse(r, r->body)) {
        http__refuse(j, 400, "bad_request", "the form cannot be read");
        return false;
    }
    return true;
}
