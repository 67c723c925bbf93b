/*
 * body.c - JSON bodies by Jansson (body.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/http/body.h"

#include <jansson.h>
#include <stdlib.h>

static lq_str text_of(const json_t *v, struct lq_arena *mem)
{
    return json_is_string(v) ? lq_arena_str(mem, (lq_str){json_string_value(v), json_string_length(v)}) : (lq_str){"", 0};
}

static lq_str member(const json_t *object, const char *key, struct lq_arena *mem)
{
    return text_of(json_object_get(object, key), mem);
}

static void read_target(const json_t *t, struct lq_arena *mem, struct body_target *out)
{
    const json_t *payload = json_object_get(t, "payload");
    lq_str text = member(t, "target", mem), own = json_is_string(payload) ? text_of(payload, mem) : member(payload, "query", mem);
    out->query = (text.n == 0 || lq_str_is(text, "query")) && own.n > 0 ? own : text;
    out->table = lq_str_is(member(t, "type", mem), "table") || lq_str_is(member(payload, "format", mem), "table");
    out->hidden = json_is_true(json_object_get(t, "hide"));
}

static void read_filters(const json_t *list, struct lq_arena *mem, struct body *out)
{
    const json_t *f;
    size_t i;
    json_array_foreach(list, i, f)
    {
        lq_str key = member(f, "key", mem), op = member(f, "operator", mem);
        if (key.n > 0 && out->n_filters < BODY_FILTERS_MAX) {
            out->filters[out->n_filters++] = (struct body_filter){key, op.n > 0 ? op : LQ_STR("="), member(f, "value", mem)};
        }
    }
}

enum lq_err body_parse(lq_str text, struct lq_arena *mem, struct body *out, struct lq_error *e)
{
    json_error_t je;
    lq_str given = text.n > 0 ? text : LQ_STR("{}");
    json_t *j = json_loadb(given.p, given.n, JSON_REJECT_DUPLICATES, &je);
    const json_t *range, *targets, *t;
    json_t *annotation;
    size_t i;
    memset(out, 0, sizeof *out);
    if (j == NULL || !json_is_object(j)) {
        lq_error_set(e, LQ_EINVAL, j == NULL ? "the body is no JSON (line %d): %s" : "the body is no JSON object", j == NULL ? je.line : 0, j == NULL ? je.text : "");
        json_decref(j);
        return LQ_EINVAL;
    }
    range = json_object_get(j, "range");
    out->from = member(range, "from", mem);
    out->to = member(range, "to", mem);
    out->interval_ms = json_integer_value(json_object_get(j, "intervalMs"));
    out->points_max = json_integer_value(json_object_get(j, "maxDataPoints"));
    read_filters(json_object_get(j, "filters"), mem, out);
    read_filters(json_object_get(j, "adhocFilters"), mem, out);
    targets = json_object_get(j, "targets");
    json_array_foreach(targets, i, t)
    {
        if (i < BODY_TARGETS_MAX) {
            read_target(t, mem, &out->targets[out->n_targets++]);
        }
    }
    out->target = member(json_object_get(j, "payload"), "target", mem);
    out->target = out->target.n > 0 ? out->target : member(j, "target", mem);
    out->key = member(j, "key", mem);
    out->name = member(j, "name", mem);
    annotation = json_object_get(j, "annotation");
    if (json_is_object(annotation)) {
        char *echo = json_dumps(annotation, JSON_COMPACT);
        out->annotation_query = member(annotation, "query", mem);
        out->annotation = echo != NULL ? lq_arena_str(mem, lq_str_of(echo)) : (lq_str){"", 0};
        free(echo);
    }
    bool many = json_array_size(targets) > BODY_TARGETS_MAX;
    json_decref(j);
    return many ? lq_error_set(e, LQ_ELIMIT, "more than %d targets", BODY_TARGETS_MAX) : LQ_OK;
}
