/*
 * event_body.h - markers that come by HTTP: lq's own JSON, and CDEvents
 *
 *      {"kind":"release","name":"2.4.1","time":"2026-03-02T10:00:00Z","host":"web-1","service":"shop","text":"…"}      only kind is needed
 *      {"context":{"type":"dev.cdevents.service.deployed.0.2.0","timestamp":"…"},"subject":{"id":"shop","content":{"artifactId":"pkg:oci/shop@2.4.1"}}}
 *
 * Of CDEvents (cdevents.dev) the service events deployed, upgraded, rolledback, published and removed become markers; other types are refused by name.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_EVENT_BODY_H
#define LQ_EVENT_BODY_H

#include "store/store.h"

/* Strings are in mem; time_us = now_us where the body says none. LQ_EINVAL with what is wrong. */
LQ_MUST enum lq_err event_body_parse(lq_str body, int64_t now_us, struct lq_arena *mem, struct marker *out, struct lq_error *e);
LQ_MUST enum lq_err event_body_parse_cdevent(lq_str body, int64_t now_us, struct lq_arena *mem, struct marker *out, struct lq_error *e);

#endif
