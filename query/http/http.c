/*
 * http.c - parameters, answers and errors of handlers (http.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/http/http.h"

#include <stdlib.h>

#include "query/http/server.h"
#include "query/out/out.h"

lq_str http_param(const struct http_request *r, const char *name)
{
    for (uint32_t i = 0; i < r->n_params; i++) {
        if (lq_str_is(r->params[i].name, name)) {
            return r->params[i].value;
        }
    }
    return (lq_str){"", 0};
}

bool http_has_param(const struct http_request *r, const char *name)
{
    for (uint32_t i = 0; i < r->n_params; i++) {
        if (lq_str_is(r->params[i].name, name)) {
            return true;
        }
    }
    return false;
}

const char *http_param_text(const struct http_request *r, const char *name)
{
    lq_str v = http_param(r, name);
    return v.n > 0 ? lq_arena_strdup(r->mem, v) : NULL;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool http_decode(lq_str in, bool plus, struct lq_arena *mem, lq_str *out)
{
    char *p = lq_arena_alloc(mem, in.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (c == '%') {
            int hi = i + 2 < in.n ? hex(in.p[i + 1]) : -1, lo = i + 2 < in.n ? hex(in.p[i + 2]) : -1;
            if (hi < 0 || lo < 0 || (hi == 0 && lo == 0)) {
                return false;
            }
            c = (char)(hi << 4 | lo);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        p[n++] = c;
    }
    *out = (lq_str){p, n};
    return true;
}

bool http_params_parse(struct http_request *r, lq_str text)
{
    const char *p = text.p, *end = text.p + text.n;
    while (p < end) {
        const char *amp = memchr(p, '&', (size_t)(end - p)), *stop = amp != NULL ? amp : end;
        const char *eq = memchr(p, '=', (size_t)(stop - p));
        if (stop > p) {
            struct http_param x;
            lq_str name = {p, (size_t)((eq != NULL ? eq : stop) - p)}, value = eq != NULL ? (lq_str){eq + 1, (size_t)(stop - eq - 1)} : (lq_str){"", 0};
            if (r->n_params == HTTP_PARAMS_MAX || !http_decode(name, true, r->mem, &x.name) || !http_decode(value, true, r->mem, &x.value)) {
                return false;
            }
            r->params[r->n_params++] = x;
        }
        p = stop + 1;
    }
    return true;
}

void http_header(struct http_response *o, const char *name, const char *value)
{
    LQ_ASSERT(o->n_headers < HTTP_HEADERS_MAX);
    o->headers[o->n_headers].name = name;
    o->headers[o->n_headers++].value = value;
}

int http_status_of(enum lq_err code)
{
    switch (code) {
    case LQ_OK: return 200;
    case LQ_EINVAL: return 400;
    case LQ_ENOENT:
    case LQ_ENODATA: return 404;
    case LQ_EACCES: return 403;
    case LQ_ELIMIT: return 422;
    case LQ_EBUSY: return 503;
    default: return 500;
    }
}

static const char *code_name(enum lq_err code)
{
    switch (code) {
    case LQ_EINVAL: return "invalid";
    case LQ_ENOENT: return "not_found";
    case LQ_ENODATA: return "no_data";
    case LQ_EACCES: return "forbidden";
    case LQ_ELIMIT: return "limit";
    case LQ_EBUSY: return "busy";
    default: return "failed";
    }
}

void http_fail(struct http_response *o, const struct lq_error *e)
{
    http_response_clear(o);
    FILE *f = o->out;
    o->status = http_status_of(e->code);
    o->type = "application/json";
    fprintf(f, "{\"error\":{\"code\":\"%s\",\"message\":", code_name(e->code));
    json_string(f, lq_str_of(e->msg));
    if (e->hint[0] != '\0') {
        fputs(",\"hint\":", f);
        json_string(f, lq_str_of(e->hint));
    }
    if (e->column > 0) {
        uint32_t at, width;
        lq_error_caret(e, &at, &width);
        fprintf(f, ",\"column\":%u,\"width\":%u,\"caret\":%u,\"caret_width\":%u,\"text\":", e->column, e->width, at, width);
        json_string(f, lq_str_of(e->text));
    }
    fputs("}}\n", f);
}

bool http_stopped(const struct http_request *r)
{
    return r->job != NULL && http_job_stopped(r->job);
}
