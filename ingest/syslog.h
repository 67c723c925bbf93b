/*
 * syslog.h - the header of a syslog message: RFC 5424, RFC 3164, and what devices really send
 *
 * Pure; never fails: what cannot be told is absent, and the message is then all that is left. Understood besides the two RFCs:
 *   - no host (what /dev/log gets): "<13>Oct 11 22:14:15 cron[7]: x"          - ISO stamps in the old form (rsyslog's forward format)
 *   - a year in the stamp, one-digit days with one blank, fractions, a zone   - Cisco: "<189>45: r1: *Mar  1 18:48:50.483 UTC: %SYS-5-CONFIG_I: x"
 *   - no stamp: "<13>app: x"; no priority at all                              - a byte order mark before a 5424 message
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_SYSLOG_H
#define LQ_SYSLOG_H

#include "schema/timefmt.h"

enum syslog_form { SYSLOG_RAW /* no priority: a line as it is */, SYSLOG_BSD, SYSLOG_5424 };

struct syslog_message {
    enum syslog_form form;
    int priority; /* 0..191, -1 = none */
    bool has_time;
    int64_t time_us;
    lq_str host, app, pid, msgid, data; /* n = 0: absent */
    lq_str text;
};

struct syslog_parser; /* run state of one thread: stamps of the same minute are cheap */
LQ_MUST enum lq_err syslog_parser_new(const struct timezone_rules *tz, struct syslog_parser **out, struct lq_error *e);
void syslog_parser_free(struct syslog_parser **p);
/* Stamps without a year are at most a day later than this. */
void syslog_parser_reference(struct syslog_parser *p, int64_t reference_us);
/* Views into m. */
void syslog_parse(struct syslog_parser *p, lq_str m, struct syslog_message *out);

const char *syslog_severity_name(int priority); /* emerg alert crit err warning notice info debug; "" = none */
const char *syslog_facility_name(int priority);

#endif
