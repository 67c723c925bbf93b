/*
 * lqd_push.c - pushed bodies and their answers (lqd_push.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/lqd_push.h"

#include "ingest/input_http.h"
#include "query/out/out.h"

/* ---- errors in the shape of each protocol ---- */

static void fail_loki(struct http_response *o, const struct lq_error *e)
{
    o->type = "text/plain; charset=utf-8";
    fprintf(o->out, "%s; %s\n", e->msg, e->hint);
}

static void fail_elastic(struct http_response *o, const struct lq_error *e)
{
    fprintf(o->out, "{\"error\":{\"type\":\"%s\",\"reason\":", o->status == 503 ? "es_rejected_execution_exception" : "illegal_argument_exception");
    json_string(o->out, lq_str_of(e->msg));
    fprintf(o->out, "},\"status\":%d}\n", o->status);
}

/* google.rpc.Status: 3 = INVALID_ARGUMENT, 8 = RESOURCE_EXHAUSTED, 14 = UNAVAILABLE. */
static void fail_otlp(struct http_response *o, const struct lq_error *e)
{
    fprintf(o->out, "{\"code\":%d,\"message\":", o->status == 503 ? 14 : o->status == 413 ? 8 : 3);
    json_string(o->out, lq_str_of(e->msg));
    fputs("}\n", o->out);
}

static void fail(enum push_shape shape, struct http_response *o, const struct lq_error *e)
{
    http_fail(o, e);
    o->status = e->code == LQ_ELIMIT ? 413 : o->status;
    if (o->status == 503) {
        http_header(o, "Retry-After", "1");
    }
    if (shape == PUSH_LOKI || shape == PUSH_ELASTIC || shape == PUSH_OTLP) {
        http_response_clear(o);
        (shape == PUSH_LOKI ? fail_loki : shape == PUSH_ELASTIC ? fail_elastic : fail_otlp)(o, e);
    }
}

/* ---- answers ---- */

static void answer_elastic(FILE *f, const struct push_body *b)
{
    static const char *const actions[] = {"create", "index", "update", "delete"};
    bool errors = b->n_items > b->n_lines;
    fprintf(f, "{\"took\":1,\"errors\":%s,\"items\":[", errors ? "true" : "false");
    for (size_t i = 0; i < b->n_items; i++) {
        const struct push_item *x = &b->items[i];
        fprintf(f, "%s{\"%s\":{\"_index\":", i > 0 ? "," : "", actions[x->action]);
        json_string(f, labels_get(&b->groups[x->group], "index"));
        fputs(x->state == ITEM_TAKEN       ? ",\"status\":201,\"result\":\"created\"}}"
              : x->state == ITEM_BAD_ACTION ? ",\"status\":400,\"error\":{\"type\":\"illegal_argument_exception\",\"reason\":\"logs are only added to\"}}}"
                                            : ",\"status\":400,\"error\":{\"type\":\"mapper_parsing_exception\",\"reason\":\"the document is no JSON object, or too long\"}}}",
              f);
    }
    fputs("]}\n", f);
}

static void answer(enum push_shape shape, struct http_response *o, const struct push_body *b)
{
    switch (shape) {
    case PUSH_LOKI: o->status = 204; break;
    case PUSH_OTLP: fputs("{\"partialSuccess\":{}}\n", o->out); break;
    case PUSH_ELASTIC: answer_elastic(o->out, b); break;
    default: fprintf(o->out, "{\"lines\":%zu,\"cut\":%llu}\n", b->n_lines, (unsigned long long)b->cut); break;
    }
}

/* ---- one body ---- */

struct pushing {
    enum push_shape shape;
    struct http_job *job;
    struct http_response *response;
};

static void on_done(void *arg, bool durable)
{
    struct pushing *p = arg;
    if (!durable) {
        struct lq_error e;
        lq_error_set(&e, LQ_EBUSY, "not committed yet");
        lq_error_hint(&e, "it may be stored later, and counts twice if it is sent again");
        fail(p->shape, p->response, &e);
    }
    http_finish(p->job);
}

/* Those for which there was no room. */
static uint64_t labels_of_address(const struct http_request *r, struct labels *l)
{
    uint64_t over = 0;
    for (uint32_t i = 0; i < r->n_params; i++) {
        over += !push_label(l, r->params[i].name, r->params[i].value);
    }
    return over;
}

static enum lq_err take(struct daemon *d, enum push_shape shape, const char *index, const struct http_request *r, struct http_response *o)
{
    struct labels labels = {0};
    struct push_options options = {.shape = shape, .labels = &labels, .now_us = clock_now_us(), .line_bytes_max = push_line_bytes_max(d), .index = index};
    struct push_body body;
    struct lq_error e = {0};
    uint64_t over = shape == PUSH_LINES || shape == PUSH_NDJSON ? labels_of_address(r, &labels) : 0;
    enum lq_err err = push_parse(r->body, &options, &body, &e);
    body.labels_over += over;
    if (err != LQ_OK) {
        push_refused(d);
    } else {
        struct pushing *p = lq_arena_alloc(r->mem, sizeof *p);
        *p = (struct pushing){shape, r->job, o};
        answer(shape, o, &body);
        if (body.n_lines > 0) {
            err = push_send(d, shape, &body, r->body.n, r->peer, on_done, p, &e);
            if (err == LQ_OK) {
                http_defer(r);
                return LQ_OK; /* request and response are the loop's now */
            }
        }
    }
    push_body_fini(&body);
    if (err != LQ_OK) {
        fail(shape, o, &e);
    }
    return LQ_OK;
}

/* Protobuf is another encoding of the same protocols: said by name, for it is what their senders do unless told otherwise. */
static bool is_json(const struct http_request *r)
{
    return r->content_type.n == 0 || memmem(r->content_type.p, r->content_type.n, "json", 4) != NULL;
}

static enum lq_err not_json(enum push_shape shape, const char *hint, struct http_response *o)
{
    struct lq_error e;
    lq_error_set(&e, LQ_EINVAL, "only JSON is taken here");
    lq_error_hint(&e, "%s", hint);
    fail(shape, o, &e);
    o->status = 415;
    return LQ_OK;
}

static enum lq_err post_lines(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    (void)e;
    return take(ctx, r->content_type.n > 0 && is_json(r) ? PUSH_NDJSON : PUSH_LINES, NULL, r, o);
}

static enum lq_err post_loki(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    (void)e;
    return is_json(r) ? take(ctx, PUSH_LOKI, NULL, r, o) : not_json(PUSH_LOKI, "application/json, not snappy and protobuf", o);
}

static enum lq_err post_otlp(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    (void)e;
    return is_json(r) ? take(ctx, PUSH_OTLP, NULL, r, o) : not_json(PUSH_OTLP, "set the exporter's encoding to json (OTEL_EXPORTER_OTLP_PROTOCOL=http/json)", o);
}

/* ---- Elasticsearch ---- */

static enum lq_err post_bulk(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    (void)e;
    http_header(o, "X-Elastic-Product", "Elasticsearch"); /* its clients look for it */
    return take(ctx, PUSH_ELASTIC, NULL, r, o);
}

/* Senders ask before they send. */
static enum lq_err get_health(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    (void)ctx;
    (void)r;
    (void)e;
    o->type = "text/plain; charset=utf-8";
    fputs("lq green\n", o->out);
    return LQ_OK;
}

/* /elastic/, /elastic/_bulk, /elastic/INDEX/_bulk */
static enum lq_err any_elastic(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    lq_str tail = r->tail;
    static const char bulk[] = "/_bulk";
    size_t n = sizeof bulk - 1;
    http_header(o, "X-Elastic-Product", "Elasticsearch");
    if (r->method == HTTP_GET && tail.n == 0) {
        fputs("{\"name\":\"lq\",\"cluster_name\":\"lq\",\"version\":{\"number\":\"8.0.0\"},\"tagline\":\"takes _bulk, and nothing else\"}\n", o->out);
        return LQ_OK;
    }
    if (r->method == HTTP_GET && lq_str_is(tail, "_cat/health")) {
        return get_health(ctx, r, o, e);
    }
    if (r->method != HTTP_GET && lq_str_is(tail, "_bulk")) {
        return take(ctx, PUSH_ELASTIC, NULL, r, o);
    }
    if (r->method != HTTP_GET && tail.n > n && memcmp(tail.p + tail.n - n, bulk, n) == 0 && memchr(tail.p, '/', tail.n - n) == NULL) {
        return take(ctx, PUSH_ELASTIC, lq_arena_strdup(r->mem, (lq_str){tail.p, tail.n - n}), r, o);
    }
    lq_error_set(e, LQ_ENOENT, "of Elasticsearch's API there is only _bulk");
    return LQ_ENOENT;
}

const struct http_route push_routes[] = {
    {HTTP_POST, "/api/v1/lq/push", HTTP_WRITE, post_lines, "take log lines, or JSON objects a line each; parameters are labels"},
    {HTTP_POST, "/loki/api/v1/push", HTTP_WRITE, post_loki, "Loki's push, JSON"},
    {HTTP_POST, "/v1/logs", HTTP_WRITE, post_otlp, "OTLP/HTTP logs, JSON"},
    {HTTP_POST | HTTP_PUT, "/_bulk", HTTP_WRITE, post_bulk, "Elasticsearch's bulk request"},
    {HTTP_GET, "/_cat/health", HTTP_WRITE, get_health, "what senders of bulk requests ask first"},
    {HTTP_GET | HTTP_POST | HTTP_PUT, "/elastic/*", HTTP_WRITE, any_elastic, "the same below a path"},
    {0, NULL, HTTP_OPEN, NULL, NULL},
};
