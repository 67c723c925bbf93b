/*
 * grafana_int.h - annotations: markers, releases seen in the logs, changes of a query
 *
 * What to annotate is a text: "markers" (also the empty text): recorded and inferred ones, "releases": of these the releases and rollbacks, "changes of QUERY".
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_GRAFANA_INT_H
#define LQ_GRAFANA_INT_H

#include "query/http/ask.h"

bool grafana__is_annotation(lq_str text);
/* A table frame: time, timeEnd, title, text, tags. */
LQ_MUST enum lq_err grafana__annotation_frame(const struct ask *a, const struct http_request *r, lq_str what, int64_t from_us, int64_t to_us, bool *first, FILE *f, struct lq_error *e);
/* A list of objects; echo: JSON put into each as "annotation", or NULL. */
LQ_MUST enum lq_err grafana__annotation_list(const struct ask *a, const struct http_request *r, lq_str what, int64_t from_us, int64_t to_us, const char *echo, FILE *f, struct lq_error *e);

#endif
