/*
 * log.h - what lqd says about itself: lines on standard error, with the priorities that journald reads
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_LOG_H
#define LQ_LOG_H

#include <stdbool.h>

#include "schema/base/err.h"

enum log_level { LOG_ERROR = 3, LOG_WARN = 4, LOG_NOTICE = 5, LOG_NOTE = 6 };
void log_say(enum log_level level, const char *fmt, ...) LQ_PRINTF(2, 3);
void log_failure(enum log_level level, const struct lq_error *e); /* message and hint */

/* Something that may happen a million times is said once a minute. */
struct log_limit {
    int64_t next_us; /* monotonic */
    uint64_t held;   /* times not said since */
};
bool log_may(struct log_limit *l);

/* Tell systemd (sd_notify): "READY=1", "STOPPING=1", "RELOADING=1". Nothing where nobody listens. */
void log_notify(const char *state);

#endif
