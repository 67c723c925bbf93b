/*
 * lqd_push.h - the addresses at which lqd takes logs, a part of the composition root: HTTP of query/ on one side, input_http.h on the other
 *
 *      POST /api/v1/lq/push     lines, or JSON objects a line each; the parameters of the address are labels
 *      POST /loki/api/v1/push   Loki (JSON)                204
 *      POST /v1/logs            OTLP/HTTP (JSON)           200 {"partialSuccess":{}}
 *      POST /_bulk, /elastic/_bulk, /elastic/INDEX/_bulk   Elasticsearch: 200, and what became of each document
 *
 * 2xx: it is in the store, and fsync has returned. 400, 413, 415: nothing was taken. 503 with Retry-After: come again; the text says whether anything may have been taken.
 * Each protocol gets its errors in its own shape.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_LQD_PUSH_H
#define LQ_LQD_PUSH_H

#include "query/http/http.h"

extern const struct http_route push_routes[]; /* ctx: struct daemon */

#endif
