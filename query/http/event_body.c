/*
 * event_body.c - markers from JSON by Jansson (event_body.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/http/event_body.h"

#include <jansson.h>

#include "schema/derive.h"
#include "schema/timefmt.h"

enum { EVENT_TEXT_BYTES_MAX = 1000 };

static enum lq_err parse(lq_str body, json_t **out, struct lq_error *e)
{
    json_error_t je;
    *out = json_loadb(body.n > 0 ? body.p : "", body.n, JSON_REJECT_DUPLICATES, &je);
    if (*out == NULL) {
        return lq_error_set(e, LQ_EINVAL, "the body is no JSON (line %d): %s", je.line, je.text);
    }
    if (!json_is_object(*out)) {
        json_decref(*out);
        *out = NULL;
        return lq_error_set(e, LQ_EINVAL, "the body is no JSON object");
    }
    return LQ_OK;
}

/* Without control bytes, which a terminal would obey, and cut where a letter ends. */
static lq_str text_of(const json_t *object, const char *key, struct lq_arena *mem)
{
    const json_t *v = json_object_get(object, key);
    char scratch[EVENT_TEXT_BYTES_MAX + 16];
    if (!json_is_string(v)) {
        return (lq_str){"", 0};
    }
    lq_str clean = derive_clean((lq_str){json_string_value(v), json_string_length(v)}, scratch, EVENT_TEXT_BYTES_MAX);
    return clean.n > 0 ? lq_arena_str(mem, clean) : (lq_str){"", 0};
}

static enum lq_err set_time(lq_str text, int64_t now_us, struct marker *out, struct lq_error *e)
{
    out->time_us = now_us;
    return text.n > 0 ? time_arg_parse(text, now_us, NULL, &out->time_us, e) : LQ_OK;
}

enum lq_err event_body_parse(lq_str body, int64_t now_us, struct lq_arena *mem, struct marker *out, struct lq_error *e)
{
    static const char *const kinds[] = {"release", "rollback", "restart", "config", "note"};
    static const char *const keys[] = {"kind", "name", "time", "host", "service", "text"};
    json_t *j = NULL;
    const char *key;
    json_t *value;
    struct marker m = {0};
    bool known = false;
    enum lq_err err = parse(body, &j, e);
    if (err != LQ_OK) {
        return err;
    }
    json_object_foreach(j, key, value)
    {
        const char *near = lq_nearest(key, strlen(key), keys, sizeof keys / sizeof keys[0]);
        if (err == LQ_OK && (near == NULL || strcmp(near, key) != 0 || !json_is_string(value))) {
            err = lq_error_set(e, LQ_EINVAL, near != NULL && strcmp(near, key) == 0 ? "%s is no text" : "unknown key %s", key);
            lq_error_hint(e, near != NULL && strcmp(near, key) != 0 ? "did you mean %s?" : "keys: kind name time host service text%s", near != NULL && strcmp(near, key) != 0 ? near : "");
        }
    }
    m.kind = text_of(j, "kind", mem);
    m.name = text_of(j, "name", mem);
    m.host = text_of(j, "host", mem);
    m.service = text_of(j, "service", mem);
    m.text = text_of(j, "text", mem);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        known = known || lq_str_is(m.kind, kinds[i]);
    }
    if (err == LQ_OK && !known) {
        const char *near = lq_nearest(m.kind.p, m.kind.n, kinds, sizeof kinds / sizeof kinds[0]);
        err = lq_error_set(e, LQ_EINVAL, m.kind.n > 0 ? "unknown kind of marker \"%.*s\"" : "the key kind is missing%.*s", (int)m.kind.n, m.kind.p);
        lq_error_hint(e, near != NULL ? "did you mean %s?" : "kinds: release rollback restart config note%s", near != NULL ? near : "");
    }
    if (err == LQ_OK) {
        err = set_time(text_of(j, "time", mem), now_us, &m, e);
    }
    json_decref(j);
    if (err == LQ_OK) {
        *out = m;
    }
    return err;
}

/* "pkg:oci/shop@2.4.1?tag=2.4.1" -> "2.4.1": the tag where the version is a digest. */
static lq_str artifact_version(lq_str purl)
{
    const char *at = memchr(purl.p, '@', purl.n), *end = purl.p + purl.n;
    const char *tag = memmem(purl.p, purl.n, "tag=", 4);
    if (tag != NULL) {
        const char *stop = memchr(tag + 4, '&', (size_t)(end - tag - 4));
        return (lq_str){tag + 4, (size_t)((stop != NULL ? stop : end) - tag - 4)};
    }
    if (at == NULL) {
        return (lq_str){"", 0};
    }
    const char *stop = memchr(at, '?', (size_t)(end - at));
    return (lq_str){at + 1, (size_t)((stop != NULL ? stop : end) - at - 1)};
}

enum lq_err event_body_parse_cdevent(lq_str body, int64_t now_us, struct lq_arena *mem, struct marker *out, struct lq_error *e)
{
    static const struct {
        const char *type, *kind;
    } types[] = {{"deployed", "release"}, {"upgraded", "release"}, {"published", "release"}, {"rolledback", "rollback"}, {"removed", "note"}};
    json_t *j = NULL;
    struct marker m = {0};
    enum lq_err err = parse(body, &j, e);
    if (err != LQ_OK) {
        return err;
    }
    const json_t *context = json_object_get(j, "context"), *subject = json_object_get(j, "subject"), *content = json_object_get(subject, "content");
    static const char prefix[] = "dev.cdevents.service.";
    lq_str type = text_of(context, "type", mem), rest = {"", 0};
    if (type.n > sizeof prefix - 1 && memcmp(type.p, prefix, sizeof prefix - 1) == 0) {
        rest = (lq_str){type.p + sizeof prefix - 1, type.n - (sizeof prefix - 1)};
        const char *dot = memchr(rest.p, '.', rest.n);
        rest.n = dot != NULL ? (size_t)(dot - rest.p) : rest.n;
    }
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        m.kind = lq_str_is(rest, types[i].type) ? lq_str_of(types[i].kind) : m.kind;
    }
    if (m.kind.n == 0) {
        err = lq_error_set(e, LQ_EINVAL, "no marker is made of the event type \"%.*s\"", (int)type.n, type.p);
        lq_error_hint(e, "dev.cdevents.service. deployed, upgraded, published, rolledback, removed");
    }
    m.service = text_of(subject, "id", mem);
    m.name = artifact_version(text_of(content, "artifactId", mem));
    m.text = lq_str_is(rest, "removed") ? LQ_STR("removed") : text_of(json_object_get(content, "environment"), "id", mem);
    if (err == LQ_OK) {
        err = set_time(text_of(context, "timestamp", mem), now_us, &m, e);
    }
    json_decref(j);
    if (err == LQ_OK) {
        *out = m;
    }
    return err;
}
