/*
 * body.h - the JSON bodies of Grafana's data sources, read into one plain struct
 *
 * Unknown keys are ignored, absent ones leave their field empty. Pure: bytes in, struct out (fuzz target `body`).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_HTTP_BODY_H
#define LQ_HTTP_BODY_H

#include "schema/base/buf.h"

enum { BODY_TARGETS_MAX = 64, BODY_FILTERS_MAX = 32 };
struct body_target {
    lq_str query; /* "target", or the payload's query where the target is empty or the word `query` */
    bool table, hidden;
};
struct body_filter {
    lq_str key, op, value;
};
struct body {
    lq_str from, to;                  /* of range, as written */
    int64_t interval_ms, points_max;  /* 0 = absent */
    uint32_t n_targets, n_filters;
    struct body_target targets[BODY_TARGETS_MAX];
    struct body_filter filters[BODY_FILTERS_MAX]; /* filters (simPod) or adhocFilters (simple-json) */
    lq_str target, key, name;         /* /variable, /tag-values, /metric-payload-options */
    lq_str annotation_query, annotation; /* /annotations: its query; the whole object as JSON, n = 0 when absent */
};
/* Strings are in mem. LQ_EINVAL: no JSON object, with the line; LQ_ELIMIT: too many targets. An empty body is an empty object. */
LQ_MUST enum lq_err body_parse(lq_str text, struct lq_arena *mem, struct body *out, struct lq_error *e);

#endif
