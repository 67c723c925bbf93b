/*
 * push_otlp.c - the logs of an OTLP/HTTP JSON body as JSON lines of the format otlp (push.h)
 *
 *      {"otlp_ns":"1772445600000000000","level":"error","body":"…","scope":"…","trace_id":"…","attributes":{"http.request.method":"GET"}}
 *
 * A body that is a list of pairs becomes the text of a JSON object, so that its fields are found as those of any JSON log are. Values inside values (lists of
 * lists) are not kept. A record without a time has the time it was observed, else that of its receipt.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/push_int.h"

struct pair { /* {"key":…,"value":{"stringValue":…}}, in either order */
    bool any;
    uint64_t index;
    lq_str key;
    struct json_value value;
};

struct otlp {
    struct push_reader *r;
    bool in_resource, in_record;
    uint64_t resource, scope, record;
    uint32_t group;
    struct pair of_resource, of_record, of_body;
    struct lq_buf attributes, members, list; /* of the record: its attributes; its body's pairs; its body's list */
    lq_str scope_name, severity, time, observed, event, trace;
    struct json_value body;
    uint64_t number;
};

static void put_value(struct lq_buf *b, struct json_value v)
{
    if (v.type == LQ_JSON_STRING) {
        push__string(b, v.text);
    } else {
        lq_buf_add(b, v.text.p, v.text.n);
    }
}

static void put_member(struct lq_buf *b, const struct pair *p)
{
    if (b->n > 0) {
        lq_buf_byte(b, ',');
    }
    push__string(b, p->key);
    lq_buf_byte(b, ':');
    put_value(b, p->value);
}

static void finish_pair(struct otlp *x, struct pair *p)
{
    if (p->any && p->key.n > 0 && p->value.type != LQ_JSON_ABSENT) {
        if (p == &x->of_resource) {
            x->r->out->labels_over += !push_label(&x->r->out->groups[x->group], p->key, p->value.text);
        } else {
            put_member(p == &x->of_body ? &x->members : &x->attributes, p);
            if (p == &x->of_body && x->severity.n == 0 && (lq_str_is(p->key, "level") || lq_str_is(p->key, "severity"))) {
                x->severity = p->value.text;
            }
        }
    }
    *p = (struct pair){.any = false};
}

/* stringValue, intValue (a string by the rules of protobuf), doubleValue, boolValue. */
static struct json_value scalar(lq_str type, struct json_value v)
{
    if (v.type == LQ_JSON_NULL || v.type == LQ_JSON_ABSENT) {
        return (struct json_value){LQ_JSON_ABSENT, {"", 0}};
    }
    if (lq_str_is(type, "intValue") && v.type == LQ_JSON_STRING) {
        size_t digits = 0;
        for (size_t i = 0; i < v.text.n; i++) {
            digits += (v.text.p[i] >= '0' && v.text.p[i] <= '9') || (i == 0 && v.text.p[i] == '-' && v.text.n > 1);
        }
        bool plain = digits == v.text.n && v.text.n > 0 && v.text.n <= 20 && v.text.p[v.text.p[0] == '-'] != '0';
        return (struct json_value){plain ? LQ_JSON_NUMBER : LQ_JSON_STRING, v.text};
    }
    bool known = lq_str_is(type, "stringValue") || lq_str_is(type, "intValue") || lq_str_is(type, "doubleValue") || lq_str_is(type, "boolValue");
    return known ? v : (struct json_value){LQ_JSON_ABSENT, {"", 0}};
}

/* "3.key" or "3.value.stringValue" of a list of pairs. */
static void see_pair(struct otlp *x, struct pair *p, lq_str rest, struct json_value v)
{
    uint64_t n;
    if (!push__index(push__part(&rest), &n)) {
        return;
    }
    if (!p->any || n != p->index) {
        finish_pair(x, p);
        p->any = true;
        p->index = n;
    }
    lq_str part = push__part(&rest);
    if (lq_str_is(part, "key") && v.type == LQ_JSON_STRING) {
        p->key = v.text;
    } else if (lq_str_is(part, "value")) {
        struct json_value got = scalar(rest, v);
        p->value = got.type != LQ_JSON_ABSENT ? got : p->value;
    }
}

/* SeverityNumber of the data model: six levels of four numbers each. */
static lq_str level_of(const struct otlp *x)
{
    static const char *const levels[] = {"trace", "debug", "info", "warn", "error", "fatal"};
    return x->number >= 1 && x->number <= 24 ? lq_str_of(levels[(x->number - 1) / 4]) : x->severity;
}

static void put_text(struct lq_buf *b, const char *name, lq_str v)
{
    if (v.n > 0) {
        lq_buf_printf(b, ",\"%s\":", name);
        push__string(b, v);
    }
}

static void put_body(struct otlp *x, struct lq_buf *b)
{
    struct lq_buf whole = {0};
    lq_str text = x->body.type != LQ_JSON_ABSENT ? x->body.text : (lq_str){x->list.p, x->list.n};
    if (x->members.n > 0) {
        lq_buf_byte(&whole, '{');
        lq_buf_add(&whole, x->members.p, x->members.n);
        lq_buf_byte(&whole, '}');
        text = (lq_str){whole.p, whole.n};
    }
    put_text(b, "body", push__cut(x->r, text));
    lq_buf_fini(&whole);
}

static void finish_record(struct otlp *x)
{
    struct push_reader *r = x->r;
    struct lq_buf *b = &r->out->text;
    if (!x->in_record || r->err != LQ_OK) {
        return;
    }
    x->in_record = false;
    finish_pair(x, &x->of_record);
    finish_pair(x, &x->of_body);
    size_t at = b->n;
    lq_str ns = x->time.n > 0 ? x->time : x->observed;
    if (ns.n > 0) {
        lq_buf_printf(b, "{\"otlp_ns\":\"%.*s\"", (int)ns.n, ns.p);
    } else {
        lq_buf_printf(b, "{\"otlp_ns\":\"%lld000\"", (long long)r->o->now_us);
    }
    put_text(b, "level", level_of(x));
    put_body(x, b);
    put_text(b, "scope", x->scope_name);
    put_text(b, "event", x->event);
    put_text(b, "trace_id", x->trace);
    if (x->attributes.n > 0 && b->n - at + x->attributes.n < r->o->line_bytes_max * 2) {
        lq_buf_str(b, ",\"attributes\":{");
        lq_buf_add(b, x->attributes.p, x->attributes.n);
        lq_buf_byte(b, '}');
    }
    lq_buf_byte(b, '}');
    (void)push__line(r, at, x->group);
}

static void begin_record(struct otlp *x, uint64_t n)
{
    finish_record(x);
    x->in_record = true;
    x->record = n;
    x->severity = x->time = x->observed = x->event = x->trace = (lq_str){"", 0};
    x->body = (struct json_value){LQ_JSON_ABSENT, {"", 0}};
    x->number = 0;
    lq_buf_clear(&x->attributes);
    lq_buf_clear(&x->members);
    lq_buf_clear(&x->list);
}

/* A time that is 0 is not known. */
static bool see_time(struct otlp *x, const char *name, struct json_value v, lq_str *out)
{
    lq_str ns;
    if (v.type == LQ_JSON_NULL) {
        return true;
    }
    if (!push__nanoseconds(v, &ns)) {
        return push__fail(x->r, LQ_EINVAL, "resourceLogs[%llu].scopeLogs[%llu].logRecords[%llu].%s is no number of nanoseconds", (unsigned long long)x->resource,
                          (unsigned long long)x->scope, (unsigned long long)x->record, name);
    }
    *out = ns.p[0] == '0' ? (lq_str){"", 0} : ns;
    return true;
}

static void see_body(struct otlp *x, lq_str rest, struct json_value v)
{
    lq_str part = push__part(&rest);
    if (lq_str_is(part, "kvlistValue") && lq_str_is(push__part(&rest), "values")) {
        see_pair(x, &x->of_body, rest, v);
    } else if (lq_str_is(part, "arrayValue")) {
        if (v.type == LQ_JSON_STRING) {
            lq_buf_add(&x->list, " ", x->list.n > 0);
            lq_buf_add(&x->list, v.text.p, v.text.n);
        }
    } else {
        struct json_value got = scalar(part, v);
        x->body = got.type != LQ_JSON_ABSENT ? got : x->body;
    }
}

/* "SEVERITY_NUMBER_ERROR2" is how some write 18. */
static void see_severity_number(struct otlp *x, struct json_value v)
{
    static const char prefix[] = "SEVERITY_NUMBER_";
    size_t n = sizeof prefix - 1;
    if (v.type == LQ_JSON_STRING && v.text.n > n && memcmp(v.text.p, prefix, n) == 0) {
        lq_str name = {v.text.p + n, v.text.n - n};
        name.n -= name.n > 1 && name.p[name.n - 1] >= '1' && name.p[name.n - 1] <= '9';
        x->severity = lq_str_is(name, "UNSPECIFIED") ? x->severity : name;
    } else if (!push__index(v.text, &x->number)) {
        x->number = 0;
    }
}

static bool see_record(struct otlp *x, lq_str rest, struct json_value v)
{
    lq_str part = push__part(&rest);
    bool text = v.type == LQ_JSON_STRING;
    if (lq_str_is(part, "timeUnixNano")) {
        return see_time(x, "timeUnixNano", v, &x->time);
    }
    if (lq_str_is(part, "observedTimeUnixNano")) {
        return see_time(x, "observedTimeUnixNano", v, &x->observed);
    }
    if (lq_str_is(part, "severityNumber")) {
        see_severity_number(x, v);
    } else if (lq_str_is(part, "severityText") && text) {
        x->severity = v.text;
    } else if (lq_str_is(part, "eventName") && text) {
        x->event = v.text;
    } else if (lq_str_is(part, "traceId") && text) {
        x->trace = v.text;
    } else if (lq_str_is(part, "body")) {
        see_body(x, rest, v);
    } else if (lq_str_is(part, "attributes")) {
        see_pair(x, &x->of_record, rest, v);
    }
    return true;
}

/* resourceLogs.N.scopeLogs.M.… */
static bool see_scope(struct otlp *x, lq_str rest, struct json_value v)
{
    uint64_t scope, record;
    if (!push__index(push__part(&rest), &scope)) {
        return push__fail(x->r, LQ_EINVAL, "resourceLogs[%llu].scopeLogs is no list", (unsigned long long)x->resource);
    }
    if (scope != x->scope) {
        finish_record(x);
        x->scope = scope;
        x->scope_name = (lq_str){"", 0};
    }
    lq_str part = push__part(&rest);
    if (lq_str_is(part, "scope") && lq_str_is(rest, "name") && v.type == LQ_JSON_STRING) {
        x->scope_name = v.text;
    } else if (lq_str_is(part, "logRecords")) {
        if (!push__index(push__part(&rest), &record)) {
            return push__fail(x->r, LQ_EINVAL, "resourceLogs[%llu].scopeLogs[%llu].logRecords is no list", (unsigned long long)x->resource, (unsigned long long)scope);
        }
        if (!x->in_record || record != x->record) {
            begin_record(x, record);
        }
        return see_record(x, rest, v);
    }
    return true;
}

static bool see(void *ctx, lq_str path, struct json_value v)
{
    struct otlp *x = ctx;
    uint64_t n;
    if (!lq_str_is(push__part(&path), "resourceLogs")) {
        return true;
    }
    if (!push__index(push__part(&path), &n)) {
        return push__fail(x->r, LQ_EINVAL, "resourceLogs is no list");
    }
    if (!x->in_resource || n != x->resource) {
        finish_record(x);
        if (x->in_resource) {
            finish_pair(x, &x->of_resource);
        }
        x->in_resource = true;
        x->resource = n;
        x->scope = UINT64_MAX;
        x->group = push__group(x->r);
        if (x->group == UINT32_MAX) {
            return false;
        }
    }
    lq_str part = push__part(&path);
    if (lq_str_is(part, "resource") && lq_str_is(push__part(&path), "attributes")) {
        see_pair(x, &x->of_resource, path, v);
    } else if (lq_str_is(part, "scopeLogs")) {
        return see_scope(x, path, v) && x->r->err == LQ_OK;
    }
    return true;
}

enum lq_err push__otlp(struct push_reader *r)
{
    struct otlp x = {.r = r};
    struct lq_buf scratch = {0};
    size_t at;
    if (!json_each(r->body, see, &x, &scratch, &at) && r->err == LQ_OK) {
        push__fail(r, LQ_EINVAL, "the body is no JSON object: byte %zu", at + 1);
    }
    finish_record(&x);
    if (x.in_resource && r->err == LQ_OK) {
        finish_pair(&x, &x.of_resource);
    }
    lq_buf_fini(&x.attributes);
    lq_buf_fini(&x.members);
    lq_buf_fini(&x.list);
    lq_buf_fini(&scratch);
    return r->err;
}
