/*
 * run.h - which command lines `lq --server` may send
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_HTTP_RUN_H
#define LQ_HTTP_RUN_H

#include "query/http/ask.h"

/* args[0] is the command. LQ_EINVAL: a command, flag or file that is not answered from afar. */
LQ_MUST enum lq_err run_check(const char *const *args, size_t n, bool writes, struct lq_error *e);

#endif
