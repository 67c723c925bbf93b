/*
 * metrics.h - what lqd knows about itself as Prometheus text
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_METRICS_H
#define LQ_METRICS_H

#include "ingest/daemon.h"

/* Any thread that the daemon's inputs outlive (the HTTP workers: they end before the inputs do, and a reload waits for them: daemon.inputs_lock). */
void metrics_print(struct daemon *d, struct lq_buf *out);

#endif
