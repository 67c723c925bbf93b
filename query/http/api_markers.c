/*
 * api_markers.c - markers read and recorded over HTTP
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/http/ask.h"
#include "query/http/event_body.h"
#include "query/out/out.h"

struct printing {
    FILE *f;
    bool any;
};

static void print_key(FILE *f, const char *key, lq_str v)
{
    fprintf(f, ",\"%s\":", key);
    if (v.n > 0) {
        json_string(f, v);
    } else {
        fputs("null", f);
    }
}

static void print_one(FILE *f, const struct marker *m)
{
    fputs("{\"time\":", f);
    json_time(f, m->time_us);
    print_key(f, "kind", m->kind);
    print_key(f, "name", m->name);
    print_key(f, "host", m->host);
    print_key(f, "service", m->service);
    print_key(f, "text", m->text);
    fprintf(f, ",\"inferred\":%s,\"confidence\":%.2f}", m->inferred ? "true" : "false", m->inferred ? m->confidence / 100.0 : 1.0);
}

static bool print_marker(void *ctx, const struct marker *m)
{
    struct printing *p = ctx;
    fputs(p->any ? ",\n" : "\n", p->f);
    p->any = true;
    print_one(p->f, m);
    return true;
}

static enum lq_err list_markers(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct ask *a = ctx;
    struct snapshot *s = NULL;
    struct printing p = {.f = o->out};
    int64_t from, to;
    enum lq_err err = snapshot_open(a->store, &s, e);
    if (err == LQ_OK) {
        err = ask_range(a, r, s, false, &from, &to, e);
    }
    if (err == LQ_OK) {
        fputs("{\"markers\":[", o->out);
        err = snapshot_markers(s, from, to, print_marker, &p, e);
        fputs("]}\n", o->out);
    }
    return ask_close(&s, err, e);
}

static enum lq_err record(const struct ask *a, const struct marker *m, struct http_response *o, struct lq_error *e)
{
    if (!a->writable) {
        lq_error_set(e, LQ_EACCES, "this server only reads the store");
        lq_error_hint(e, "lq mark records a marker; lqd takes them over HTTP");
        return LQ_EACCES;
    }
    enum lq_err err = store_marker_add(a->store, m, e);
    if (err == LQ_OK) {
        o->status = 201;
        print_one(o->out, m);
        fputc('\n', o->out);
    }
    return err;
}

static enum lq_err add_marker(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    struct marker m;
    enum lq_err err = event_body_parse(r->body, clock_now_us(), r->mem, &m, e);
    return err == LQ_OK ? record(ctx, &m, o, e) : err;
}

static enum lq_err add_cdevent(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    struct marker m;
    enum lq_err err = event_body_parse_cdevent(r->body, clock_now_us(), r->mem, &m, e);
    return err == LQ_OK ? record(ctx, &m, o, e) : err;
}

const struct http_route marker_routes[] = {
    {HTTP_GET, "/api/v1/lq/markers", HTTP_READ, list_markers, "the markers of since … until"},
    {HTTP_POST, "/api/v1/lq/markers", HTTP_WRITE, add_marker, "record a marker: {kind, name, time, host, service, text}"},
    {HTTP_POST, "/api/v1/cdevents", HTTP_WRITE, add_cdevent, "record a CDEvents service event as a marker"},
    {0, NULL, HTTP_OPEN, NULL, NULL},
};
