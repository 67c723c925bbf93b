/*
 * rate.h - how often one address may ask: a bucket of tokens for each
 *
 * A bucket holds two seconds' worth. A fixed table: an address that was not seen for longest makes room, and starts again with a full bucket, so that memory is bounded and
 * the worst that many addresses can do is not to be limited. An IPv6 network of 64 bits is one address. Loopback is not limited.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_HTTP_RATE_H
#define LQ_HTTP_RATE_H

#include "schema/base/buf.h"

struct sockaddr;
struct http_rate;
struct http_rate *http_rate_new(unsigned per_second);
void http_rate_free(struct http_rate **r);
/* False: not now; *wait_s is when to come again. One thread. */
bool http_rate_take(struct http_rate *r, const struct sockaddr *from, int64_t now_us, unsigned *wait_s);

#endif
