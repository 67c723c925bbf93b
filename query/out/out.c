/*
 * out.c - the table of output formats
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/out/out_int.h"

const struct out_format out_formats[] = {
    {"table", "aligned columns, for people", out__table},
    {"chart", "lines over time, or bars; markers below", out__chart},
    {"csv", "a header row, then one row per series and step", out__csv},
    {"json", "one object", out__json},
    {"ndjson", "one object per series and step", out__ndjson},
    {NULL, NULL, NULL},
};

enum lq_err out_format_find(const char *name, const struct out_format **out, struct lq_error *e)
{
    const char *names[8];
    char list[64] = "";
    size_t n = 0;
    for (const struct out_format *f = out_formats; f->name != NULL; f++) {
        if (strcmp(f->name, name) == 0) {
            *out = f;
            return LQ_OK;
        }
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", n > 0 ? " " : "", f->name);
        names[n++] = f->name;
    }
    const char *near = lq_nearest(name, strlen(name), names, n);
    lq_error_set(e, LQ_EINVAL, "unknown output format \"%s\"", name);
    lq_error_hint(e, near != NULL ? "did you mean %s?" : "formats: %s (a log's format is --format-name)", near != NULL ? near : list);
    return LQ_EINVAL;
}
