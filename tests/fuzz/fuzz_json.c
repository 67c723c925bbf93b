/*
 * fuzz_json.c - the JSON scanner against Jansson: the same texts are accepted, the same values found
 *
 * Left out, because Jansson limits them otherwise: text that is no UTF-8, nesting over 32, numbers out of range, keys with NUL. Keys with dots have no
 * one answer in a tree, and are left out of the comparison of values.
 *
 * SPDX-License-Identifier: MIT
 */
#include <jansson.h>
#include <stdlib.h>

#include "schema/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const paths[] = {"a", "b", "a.b", "a.c.d", "a.0", "b.1.a", "msg", "level", "c"};
enum { PATHS = sizeof paths / sizeof paths[0] };

static json_t *find(json_t *v, const char *path)
{
    while (v != NULL && *path != '\0') {
        const char *dot = strchr(path, '.');
        size_t n = dot != NULL ? (size_t)(dot - path) : strlen(path);
        char key[32];
        snprintf(key, sizeof key, "%.*s", (int)n, path);
        v = json_is_array(v) ? (key[0] >= '0' && key[0] <= '9' ? json_array_get(v, strtoul(key, NULL, 10)) : NULL) : json_object_get(v, key);
        path += n + (dot != NULL);
    }
    return v;
}

static bool same(const struct json_value *x, json_t *y)
{
    switch (x->type) {
    case LQ_JSON_ABSENT: return y == NULL;
    case LQ_JSON_STRING: return json_is_string(y) && json_string_length(y) == x->text.n && memcmp(json_string_value(y), x->text.p, x->text.n) == 0;
    case LQ_JSON_NUMBER: {
        char text[64];
        snprintf(text, sizeof text, "%.*s", (int)x->text.n, x->text.p);
        return json_is_number(y) && (x->text.n >= sizeof text || strtod(text, NULL) == json_number_value(y));
    }
    case LQ_JSON_TRUE: return json_is_true(y);
    case LQ_JSON_FALSE: return json_is_false(y);
    case LQ_JSON_NULL: return json_is_null(y);
    case LQ_JSON_OBJECT: return json_is_object(y);
    default: return json_is_array(y);
    }
}

/* Depth, NUL escapes and dots are judged from the text: a little too often is no harm. */
static bool comparable(const uint8_t *p, size_t n, bool *dots)
{
    size_t depth = 0, most = 0;
    bool nul = memmem(p, n, "\\u0000", 6) != NULL;
    *dots = memchr(p, '.', n) != NULL || memmem(p, n, "\\u", 2) != NULL;
    for (size_t i = 0; i < n; i++) {
        depth += p[i] == '{' || p[i] == '[';
        most = depth > most ? depth : most;
    }
    return most < 32 && !nul && memchr(p, '\0', n) == NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_paths *wanted;
    struct json_value out[PATHS];
    struct lq_buf scratch = {0};
    json_error_t e;
    size_t at;
    bool dots;
    if (wanted == NULL) {
        wanted = json_paths_new(paths, PATHS);
    }
    bool ours = json_scan(wanted, (lq_str){(const char *)data, size}, out, &scratch, &at);
    LQ_ASSERT(at <= size);
    json_t *tree = json_loadb((const char *)data, size, JSON_DECODE_INT_AS_REAL, &e);
    bool theirs = json_is_object(tree);
    enum json_error_code code = tree == NULL ? json_error_code(&e) : json_error_unknown;
    if (comparable(data, size, &dots) && code != json_error_invalid_utf8 && code != json_error_numeric_overflow) {
        LQ_ASSERT(ours == theirs);
        for (size_t i = 0; i < PATHS && ours && !dots; i++) {
            LQ_ASSERT(same(&out[i], find(tree, paths[i])));
        }
    }
    json_decref(tree);
    lq_buf_fini(&scratch);
    return 0;
}
