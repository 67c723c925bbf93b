/*
 * timefmt.h - event times: layouts, zones, the years that logs leave out
 *
 * Pure: no clock is read; what "now" is comes in (`reference_us`). strptime is never used (770 ns; this costs ~15 ns:
 * the minute prefix of the last stamp is kept, so that stamps of the same minute parse only their seconds).
 *
 * Layouts (in format files, `time: {field: …, layout: …}`) are named or spelled with the directives
 *   %Y %y %m %d %e %b %H %k (hour, blank or digit first) %M %S %f (fraction of 1 to 9 digits, also after ',' or '.') %z (+0200, +02:00, Z) %Z (UTC, GMT, CET…)
 *   %a %j %s (epoch seconds, fraction allowed) %L (epoch ms) %% and literal characters. Named layouts:
 *   clf      17/May/2015:10:05:03 +0000        iso8601  2026-03-02T10:00:00[.,fff][Z|±hh:mm] or with a blank for T
 * "A || B" tries A, then B.
 *   rfc3164  Mar  7 13:06:56                    epoch    1425765600.123     epoch_ms, epoch_us, epoch_ns, epoch_auto
 *
 * Zone: the stamp's own, else the zone of the source (`--tz`, an IANA name, "UTC", "local" or ±hh:mm), else local.
 * Ambiguous local times (autumn) are the first; skipped ones (spring) move forward.
 * Year: a stamp without one (RFC 3164) takes the year that puts it nearest to reference_us, but not more than a day after it:
 * logs do not come from the future, and the nearest year alone would put a log of last March into next March from October on. A
 * time of day without a date takes its date by the same rule.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_TIMEFMT_H
#define LQ_TIMEFMT_H

#include "schema/base/buf.h"

struct timezone_rules; /* immutable, shared between threads; read from the system's zoneinfo (RFC 8536) */

/* "UTC", "local" (TZ or /etc/localtime), "+02:00", "Europe/Berlin". LQ_EINVAL with a hint when unknown. */
LQ_MUST enum lq_err timezone_load(const char *name, struct timezone_rules **out, struct lq_error *e);
void timezone_free(struct timezone_rules **tz);
const char *timezone_name(const struct timezone_rules *tz);
/* Seconds east of UTC at a moment; and civil local seconds to UTC seconds. */
int32_t timezone_offset_at(const struct timezone_rules *tz, int64_t utc_s);
int64_t timezone_to_utc(const struct timezone_rules *tz, int64_t local_s);

struct time_layout; /* a compiled layout, immutable */
LQ_MUST enum lq_err time_layout_compile(const char *text, struct time_layout **out, struct lq_error *e);
void time_layout_free(struct time_layout **l);
bool time_layout_has_year(const struct time_layout *l);
bool time_layout_has_zone(const struct time_layout *l);

/* Run state of one parser (one thread, one source, one layout); zero-initialise, then set tz and reference_us. */
struct time_parser {
    const struct time_layout *layout;
    const struct timezone_rules *tz; /* NULL = UTC */
    int64_t reference_us;            /* for stamps without year or date */
    bool zoned; /* the last stamp knew its zone (epochs do) */
    /* private: cache of the last prefix */
    char prefix[32];
    uint32_t prefix_n;
    int64_t prefix_us;
};
/* Parses the whole of s. false: does not fit the layout or is no valid date (Feb 30, hour 25; second 60 is allowed and
 * counts as the next second). *used gets the bytes consumed when not NULL: then trailing bytes are allowed. */
bool time_parse(struct time_parser *p, lq_str s, int64_t *time_us, size_t *used);

/* What people type (CLI.md): RFC 3339, "2026-03-02 14:00[:05]", "2026-03-02", epoch seconds, "now", "now-2h", "2h" (= that
 * long ago), "today", "yesterday" (the midnight, in tz, with which that day began). */
LQ_MUST enum lq_err time_arg_parse(lq_str s, int64_t now_us, const struct timezone_rules *tz, int64_t *time_us,
                                   struct lq_error *e);
/* "30s", "5m", "2h", "7d", "4w", "1d12h", also "500ms"; microseconds. "0" or "7" (no unit) is an error with a hint. */
LQ_MUST enum lq_err duration_parse(lq_str s, int64_t *us, struct lq_error *e);
/* "2h", "1d 12h", "90s" -> "1m 30s": the two largest units. */
void duration_print(int64_t us, char *out, size_t cap);

/* For sentences: rounded to the smallest unit shown; from two minutes on without seconds. */
void duration_print_rounded(int64_t us, char *out, size_t cap);

/* RFC 3339 UTC, "2026-03-02T10:00:00Z" (fraction only when not zero, milliseconds); out needs 32 bytes. */
void time_print_utc(int64_t us, char *out);
/* "2026-03-02 11:00:00" in tz (NULL = UTC); out needs 32 bytes. */
void time_print_local(int64_t us, const struct timezone_rules *tz, char *out);

/* Civil calendar, proleptic Gregorian (Howard Hinnant's days_from_civil). */
int64_t civil_to_days(int64_t y, unsigned m, unsigned d);
void civil_from_days(int64_t days, int64_t *y, unsigned *m, unsigned *d);

/* The one place that asks the OS for the time. */
int64_t clock_now_us(void);       /* wall clock */
int64_t clock_monotonic_us(void); /* for progress and timeouts only */

#endif
