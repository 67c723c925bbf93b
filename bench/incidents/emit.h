/*
 * emit.h - requests and messages to lines of the world's formats, each file in order of time
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_INCIDENTS_EMIT_H
#define LQ_INCIDENTS_EMIT_H

#include "bench/incidents/plan.h"

struct emit;
/* Creates the files under dir. NULL: said on stderr. */
struct emit *emit_open(struct plan *p, const char *dir);
void emit_access(struct emit *m, double hour, unsigned host, const struct world_route *r, const char *client, unsigned status, unsigned bytes, double seconds);
/* text: level letter, logger digit or '-', message with '#', '@', '~' to fill. */
void emit_app(struct emit *m, double hour, unsigned host, const char *text);
void emit_flush(struct emit *m); /* what came since the last call, sorted by time */
int emit_close(struct emit **m); /* 0, or -1 when something could not be written (said) */
void emit_client_name(unsigned client, char out[32]);

#endif
