/*
 * derive.h - derived fields: pure functions from bytes to bytes
 *
 * All write into caller's scratch and return a view: either into the input (when nothing changes) or into scratch.
 * None allocates. Deterministic and idempotent where said so.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_DERIVE_H
#define LQ_DERIVE_H

#include "schema/base/buf.h"

/*
 * Route of a request path: query and fragment cut, "//" collapsed, each segment that looks like an id replaced:
 *   digits -> {id}   UUID -> {uuid}   hex of 8+ with a digit, base64-like of 16+ with digits -> {hash}
 *   2015-05-17, 20150517, 2015/05/17 (three segments) -> {date}   e-mail -> {email}   IPv4/6 -> {ip}
 * and hashed asset names: app.3f9c2b1d.js -> app.{hash}.js. A path of over 16 segments keeps 16 and ends in "/…".
 * Absolute URLs lose scheme and host. "%2F" etc. stay as they are (no decoding); control bytes become '~'.
 * Idempotent: route(route(x)) == route(x).
 */
lq_str derive_route(lq_str path, char *scratch, size_t cap);

/* "404" -> "4xx"; anything that is not three digits 1..5 -> "". Returns a static string. */
lq_str derive_status_class(lq_str status);

/* The path of a request target or request line part without its query ("/a?b" -> "/a"). */
lq_str derive_path(lq_str target);

/* Extension-based: true for css js png jpg svg ico woff map … (a static asset). */
bool derive_is_asset(lq_str path);

/* CIDR -> label: longest prefix wins; IPv4, IPv6, IPv4-mapped IPv6. "default" may be given as "*". */
struct cidr_map;
struct cidr_map *cidr_map_new(void);
void cidr_map_free(struct cidr_map **m);
LQ_MUST enum lq_err cidr_map_add(struct cidr_map *m, lq_str cidr, lq_str label, struct lq_error *e);
lq_str cidr_map_get(const struct cidr_map *m, lq_str address); /* n = 0: no address, or none matches */
/* Parse an address in text to 16 bytes (IPv4 as ::ffff:a.b.c.d). */
bool address_parse(lq_str s, uint8_t out[16]);

/*
 * The masked shape of a free-text message, computed from that line alone (so that it is equal whatever the order,
 * restart or machine): tokens that vary are replaced by <*>: numbers (also with units), hex, UUIDs, addresses with port,
 * e-mail, paths, URLs, dates, times, durations, quoted strings, identifiers with digits; key=value keeps the key.
 * Runs of <*> separated by blanks or commas collapse to one. At most SHAPE_BYTES_MAX bytes (cut at a token, "…" added);
 * only the first line of a multi-line message. Idempotent, but for quotes that do not pair: a mask inside may make a pair of them.
 */
enum { SHAPE_BYTES_MAX = 200 };
lq_str derive_shape(lq_str message, char scratch[SHAPE_BYTES_MAX + 8]);

/* One spelling for levels: trace debug info notice warn error critical fatal. Words in any case (WARNING, Severe), first letters (Android, glog), the
 * numbers of bunyan and pino, the signs of Redis. What is none of these stays as it is. */
lq_str derive_level(lq_str word);
bool derive_is_level(lq_str word); /* a whole word that names a level */
/* The first of the first few words of a text that names a level, as it stands there; n = 0: none. */
lq_str derive_level_in(lq_str text);
/* The level of a syslog priority ("165", or a severity alone, "5"); "" when it is none. */
lq_str derive_severity(lq_str priority);

/* A version without the punctuation of the sentence it stood in: "2.4.1," and "2.4.1)" are 2.4.1; "1.2 (b5)" stays. A view of it. */
lq_str derive_version(lq_str version);

/* The exception class (root cause) of a message, with or without a stack trace below it; n = 0: none. A view of the message. */
lq_str derive_exception(lq_str message);
/* The frame at which the root cause was raised, without file and line number; n = 0: no trace. scratch: 256 bytes. */
lq_str derive_frame(lq_str message, char *scratch);

/*
 * How a session ends, as the line of a request shows it: "logout" (asked for), "lost" (an identity that was signed in is treated as if it were not), "" (no end).
 * Lost is
 *   - 401 for a request that names a user; 419 and 440, which mean just this
 *   - a redirect to a login page, of a request that names a user or comes from another page
 *   - where a format does not show where redirects lead: GET of a login page, from another page, with a parameter that says where to go on (next=, ReturnUrl=, expired=);
 *     where it does not show pages either: with a parameter that says that a session ran out
 * but never an attempt to sign in. A password that was wrong in Basic authentication looks the same as the first (it names a user, too): what counts is a rise.
 */
struct session_line {
    lq_str status, target, method, user, referrer, location; /* n = 0: not known */
    lq_str query;                                             /* where the target has none of its own */
    bool shows_location, shows_referrer;                      /* of the format */
};
lq_str derive_session_end(const struct session_line *x);
static inline bool derive_redirect(lq_str status)
{
    return status.n == 3 && status.p[0] == '3' && !lq_str_is(status, "304");
}
/* May such a line have evidence at all? Of nearly every line no. */
static inline bool derive_session_shows(lq_str status, lq_str target, lq_str query)
{
    bool apart = query.n > 1 || (query.n == 1 && query.p[0] != '-');
    return apart || derive_redirect(status) || lq_str_is(status, "401") || (target.n > 0 && memchr(target.p, '?', target.n) != NULL);
}
/* The end of a line that shows none of that, as derive_session_end says it. */
lq_str derive_session_plain(lq_str status, lq_str target);
/* All that user, referrer, location and a query apart say about it: with equal status, target, method and evidence it is the same end. 0 for nearly every line. */
enum { SESSION_NAMED = 1, SESSION_FROM_PAGE = 2, SESSION_TO_LOGIN = 4, SESSION_RETURNS = 8, SESSION_RAN_OUT = 16 };
unsigned derive_session_evidence(const struct session_line *x);

/* Make any bytes valid UTF-8 for storage and display: each invalid byte and each control byte but tab becomes \xNN.
 * Returns a view (the input itself when clean), cut at cap (at a boundary, "…" added). */
lq_str derive_clean(lq_str s, char *scratch, size_t cap);

#endif
