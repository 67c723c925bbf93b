/*
 * push_loki.c - Loki's push body as JSON lines of the format loki (push.h)
 *
 *      {"loki_ns":"1772445600000000000","line":"GET /a 200","level":"info"}      the level where the stream has such a label
 *
 * The labels of a stream may stand behind its values (all but the level): a group is complete at the end of the body. Structured metadata is not kept.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/push_int.h"
#include "schema/derive.h"

struct loki {
    struct push_reader *r;
    bool in_stream, in_entry;
    uint64_t stream, entry;
    uint32_t group;
    struct json_value time, line;
};

static void finish_entry(struct loki *x)
{
    struct push_reader *r = x->r;
    struct lq_buf *b = &r->out->text;
    lq_str ns;
    if (!x->in_entry || r->err != LQ_OK) {
        return;
    }
    x->in_entry = false;
    if (!push__nanoseconds(x->time, &ns) || x->line.type != LQ_JSON_STRING) {
        push__fail(r, LQ_EINVAL, "streams[%llu].values[%llu] is no [\"<nanoseconds>\", \"line\"]", (unsigned long long)x->stream, (unsigned long long)x->entry);
        return;
    }
    if (x->line.text.n > 0) {
        size_t at = b->n;
        lq_buf_printf(b, "{\"loki_ns\":\"%.*s\",\"line\":", (int)ns.n, ns.p);
        push__string(b, push__cut(r, x->line.text));
        lq_str level = labels_get(&r->out->groups[x->group], "level");
        if (derive_is_level(level)) {
            lq_str known = derive_level(level);
            lq_buf_printf(b, ",\"level\":\"%.*s\"", (int)known.n, known.p);
        }
        lq_buf_byte(b, '}');
        (void)push__line(r, at, x->group);
    }
}

static bool begin_stream(struct loki *x, uint64_t n)
{
    finish_entry(x);
    x->in_stream = true;
    x->stream = n;
    x->group = push__group(x->r);
    return x->group != UINT32_MAX;
}

/* streams.N.values.M.0 and .1 */
static bool see_value(struct loki *x, lq_str rest, struct json_value v)
{
    uint64_t entry, place;
    if (!push__index(push__part(&rest), &entry)) {
        return push__fail(x->r, LQ_EINVAL, "streams[%llu].values is no list", (unsigned long long)x->stream);
    }
    if (!x->in_entry || entry != x->entry) {
        finish_entry(x);
        x->in_entry = true;
        x->entry = entry;
        x->time = x->line = (struct json_value){LQ_JSON_ABSENT, {"", 0}};
    }
    if (push__index(push__part(&rest), &place) && rest.n == 0 && place <= 1) {
        *(place == 0 ? &x->time : &x->line) = v;
    }
    return x->r->err == LQ_OK;
}

static bool see(void *ctx, lq_str path, struct json_value v)
{
    struct loki *x = ctx;
    uint64_t n;
    if (!lq_str_is(push__part(&path), "streams")) {
        return true;
    }
    if (!push__index(push__part(&path), &n)) {
        return push__fail(x->r, LQ_EINVAL, "streams is no list");
    }
    if ((!x->in_stream || n != x->stream) && !begin_stream(x, n)) {
        return false;
    }
    lq_str part = push__part(&path);
    if (lq_str_is(part, "values")) {
        return see_value(x, path, v);
    }
    if (lq_str_is(part, "stream") && v.type == LQ_JSON_STRING) {
        x->r->out->labels_over += !push_label(&x->r->out->groups[x->group], path, v.text);
    }
    return true;
}

enum lq_err push__loki(struct push_reader *r)
{
    struct loki x = {.r = r};
    struct lq_buf scratch = {0};
    size_t at;
    if (!json_each(r->body, see, &x, &scratch, &at) && r->err == LQ_OK) {
        push__fail(r, LQ_EINVAL, "the body is no JSON object: byte %zu", at + 1);
    }
    finish_entry(&x);
    lq_buf_fini(&scratch);
    return r->err;
}
