/*
 * kinds.h - what the files of kinds share
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_INCIDENTS_KINDS_H
#define LQ_INCIDENTS_KINDS_H

#include "bench/incidents/plan.h"

double kind_moment(struct plan *p, double lo, double hi); /* hours, at a share of the range; never in the first or the last hour */
double kind_end(struct plan *p, double onset_h);
void kind_at_least(struct world *w, double days, unsigned hosts);
int kind_route(struct plan *p);
void kind_app_only(struct plan *p); /* now and then there is no access log */
void kind_text(char out[WORLD_TEXT_MAX], const char *text, const char *name); /* "{}" becomes the name */

/* kinds_world.c: what happens to a service rather than in it. */
void dependency_down(struct plan *p);
void traffic_surge(struct plan *p);
void bad_client(struct plan *p);
void cert_expiry(struct plan *p);
void disk_full(struct plan *p);
void host_lost(struct plan *p);
void slow_host(struct plan *p);
void no_cause(struct plan *p);
void seasonal_peak(struct plan *p);
void stationary(struct plan *p);

/* kinds_ramp.c */
void error_ramp(struct plan *p);

/* kinds_rise.c */
void slow_rise(struct plan *p);

/* kinds_people.c: what people did besides releases, and what ended by itself. */
void deed_said(struct plan *p);
void ended(struct plan *p);
void flag_hosts(struct plan *p);
void setting_again(struct plan *p);

#endif
