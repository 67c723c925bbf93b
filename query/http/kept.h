/*
 * kept.h - answers kept while nothing is new: the panels of a dashboard that many people look at are worked out once a commit
 *
 * An answer is given again for the same request while the store stands where it stood before the answer was worked out, and for age_us at most, for what
 * depends on the clock; or, whatever has become of the store, when it was begun at a moment that the asker takes for new enough (a server that is pressed).
 * Small whole answers only, the newest within bytes_max. Any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_HTTP_KEPT_H
#define LQ_HTTP_KEPT_H

#include "query/http/http.h"

enum { KEPT_ENTRIES_MAX = 256, KEPT_ANSWER_BYTES_MAX = 1 << 20, KEPT_BYTES_MAX = 32 << 20 };

struct http_kept;
struct http_kept *http_kept_new(int64_t age_us);
void http_kept_free(struct http_kept **k);
/* What is asked: of this version, or begun at enough_us or later (INT64_MAX: of this version only). */
struct kept_wanted {
    lq_str key;
    uint64_t version;
    int64_t now_us, enough_us;
};
/* True: a copy is in o, whose body is closed; *begun_us is when it was begun. */
bool http_kept_get(struct http_kept *k, const struct kept_wanted *w, struct http_response *o, bool *zipped, int64_t *begun_us);
/* `version` and `now_us` from before the answer was begun. Keeps a copy, or nothing when the answer is no plain 200 or too large. */
void http_kept_put(struct http_kept *k, lq_str key, uint64_t version, int64_t now_us, const struct http_response *o, bool zipped);

#endif
