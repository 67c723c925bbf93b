/*
 * syslog.c - the header of a syslog message (syslog.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/syslog.h"

#include <stdlib.h>

enum { APP_BYTES_MAX = 48, HOST_BYTES_MAX = 255 };
enum { STAMPS = 4, BSD_STAMP_BYTES = 15 };

/* In the order of trial; the first byte decides which of them can be. */
static const char *const stamp_layouts[STAMPS] = {"rfc3164", "iso8601", "%b %e %Y %H:%M:%S", "%b %e %H:%M:%S%f"};
enum { STAMP_BSD, STAMP_ISO, STAMP_YEAR, STAMP_FRACTION };

struct syslog_parser {
    struct time_layout *layouts[STAMPS];
    struct time_parser stamps[STAMPS];
    char last[BSD_STAMP_BYTES]; /* the last BSD stamp: thousands of messages share one */
    bool last_known;            /* since the reference changed, which decides the year */
    int64_t last_us;
};

enum lq_err syslog_parser_new(const struct timezone_rules *tz, struct syslog_parser **out, struct lq_error *e)
{
    struct syslog_parser *p = lq_alloc(sizeof *p);
    for (int i = 0; i < STAMPS; i++) {
        enum lq_err err = time_layout_compile(stamp_layouts[i], &p->layouts[i], e);
        if (err != LQ_OK) {
            syslog_parser_free(&p);
            return err;
        }
        p->stamps[i].layout = p->layouts[i];
        p->stamps[i].tz = tz;
    }
    *out = p;
    return LQ_OK;
}

void syslog_parser_free(struct syslog_parser **pp)
{
    if (*pp != NULL) {
        for (int i = 0; i < STAMPS; i++) {
            time_layout_free(&(*pp)->layouts[i]);
        }
        free(*pp);
        *pp = NULL;
    }
}

void syslog_parser_reference(struct syslog_parser *p, int64_t reference_us)
{
    if (p->stamps[0].reference_us == reference_us) {
        return;
    }
    for (int i = 0; i < STAMPS; i++) {
        p->stamps[i].reference_us = reference_us;
    }
    p->last_known = false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void advance(lq_str *s, size_t n)
{
    s->p += n;
    s->n -= n;
}

/* "<34>": the priority, or -1. */
static int priority(lq_str *s)
{
    size_t i = 1;
    int v = 0;
    if (s->n < 3 || s->p[0] != '<') {
        return -1;
    }
    while (i < s->n && i <= 3 && is_digit(s->p[i])) {
        v = v * 10 + (s->p[i++] - '0');
    }
    if (i == 1 || i >= s->n || s->p[i] != '>' || v > 191) {
        return -1;
    }
    advance(s, i + 1);
    return v;
}

/* The word up to a blank; "-" is absent. False at the end. */
static bool word(lq_str *s, lq_str *out)
{
    const char *blank = s->n > 0 ? memchr(s->p, ' ', s->n) : NULL;
    if (blank == NULL) {
        return false;
    }
    *out = (lq_str){s->p, (size_t)(blank - s->p)};
    advance(s, out->n + 1);
    if (out->n == 1 && out->p[0] == '-') {
        out->n = 0;
    }
    return true;
}

/* "-" or "[id a="b" …][…]": escapes are \" \\ \]. */
static bool structured_data(lq_str *s, lq_str *out)
{
    size_t i = 0;
    if (s->n > 0 && s->p[0] == '-') {
        *out = (lq_str){s->p, 0};
        advance(s, 1);
        return true;
    }
    while (i < s->n && s->p[i] == '[') {
        bool quoted = false;
        for (i++; i < s->n && (quoted || s->p[i] != ']'); i++) {
            if (s->p[i] == '\\' && i + 1 < s->n) {
                i++;
            } else if (s->p[i] == '"') {
                quoted = !quoted;
            }
        }
        if (i == s->n) {
            return false;
        }
        i++;
    }
    if (i == 0) {
        return false;
    }
    *out = (lq_str){s->p, i};
    advance(s, i);
    return true;
}

static bool stamp(struct syslog_parser *p, int which, lq_str *s, struct syslog_message *m)
{
    size_t used = 0;
    if (!time_parse(&p->stamps[which], *s, &m->time_us, &used) || used == 0) {
        return false;
    }
    m->has_time = true;
    advance(s, used);
    return true;
}

static bool parse_5424(struct syslog_parser *p, lq_str s, struct syslog_message *m)
{
    struct syslog_message x = *m;
    lq_str when;
    advance(&s, 2); /* "1 " */
    if (!word(&s, &when) || !word(&s, &x.host) || !word(&s, &x.app) || !word(&s, &x.pid) || !word(&s, &x.msgid) || !structured_data(&s, &x.data)) {
        return false;
    }
    if (when.n > 0 && (!stamp(p, STAMP_ISO, &when, &x) || when.n > 0)) {
        x.has_time = false;
    }
    if (s.n > 0 && s.p[0] == ' ') {
        advance(&s, 1);
    }
    if (s.n >= 3 && memcmp(s.p, "\xef\xbb\xbf", 3) == 0) {
        advance(&s, 3);
    }
    x.form = SYSLOG_5424;
    x.text = s;
    *m = x;
    return true;
}

static void skip_blanks(lq_str *s)
{
    while (s->n > 0 && s->p[0] == ' ') {
        advance(s, 1);
    }
}

/* A BSD stamp with all that devices do to it. */
static bool bsd_stamp(struct syslog_parser *p, lq_str *s, struct syslog_message *m)
{
    lq_str t = *s;
    if (p->last_known && s->n > BSD_STAMP_BYTES && s->p[BSD_STAMP_BYTES] == ' ' && memcmp(s->p, p->last, BSD_STAMP_BYTES) == 0) {
        m->has_time = true;
        m->time_us = p->last_us;
        advance(s, BSD_STAMP_BYTES);
        return true;
    }
    if (t.n > 0 && (t.p[0] == '*' || t.p[0] == '.')) { /* Cisco: the clock is not set, or not synchronised */
        advance(&t, 1);
    }
    if (t.n < 12) {
        return false;
    }
    bool ok;
    if (is_digit(t.p[0])) {
        ok = t.p[4] == '-' && stamp(p, STAMP_ISO, &t, m);
    } else if (t.p[0] < 'A' || t.p[0] > 'S') { /* Apr … Sep */
        ok = false;
    } else {
        bool fraction = t.n > 15 && t.p[6] == ' ' && t.p[15] == '.' && is_digit(t.p[t.n > 16 ? 16 : 15]);
        ok = (fraction && stamp(p, STAMP_FRACTION, &t, m)) || stamp(p, STAMP_BSD, &t, m) || stamp(p, STAMP_YEAR, &t, m);
    }
    if (!ok || (t.n > 0 && t.p[0] != ' ' && t.p[0] != ':')) {
        m->has_time = false;
        return false;
    }
    p->last_known = (size_t)(t.p - s->p) == BSD_STAMP_BYTES;
    if (p->last_known) {
        memcpy(p->last, s->p, BSD_STAMP_BYTES);
        p->last_us = m->time_us;
    }
    *s = t;
    return true;
}

/* "app[7]: " or "app: " at the front; what is before the message. */
static bool tag(lq_str *s, struct syslog_message *m)
{
    static const bool ends[256] = {['['] = true, [':'] = true, [' '] = true};
    size_t i = 0, n = s->n < APP_BYTES_MAX ? s->n : APP_BYTES_MAX;
    while (i < n && !ends[(unsigned char)s->p[i]]) {
        i++;
    }
    if (i == 0 || i == s->n || i == APP_BYTES_MAX || s->p[i] == ' ') {
        return false;
    }
    lq_str app = {s->p, i}, pid = {"", 0};
    if (s->p[i] == '[') {
        const char *close = memchr(s->p + i, ']', s->n - i < APP_BYTES_MAX ? s->n - i : APP_BYTES_MAX);
        if (close == NULL) {
            return false;
        }
        pid = (lq_str){s->p + i + 1, (size_t)(close - s->p) - i - 1};
        i = (size_t)(close - s->p) + 1;
        if (i < s->n && s->p[i] == ':') {
            i++;
        }
    } else if (i + 1 < s->n && s->p[i + 1] != ' ' && s->p[0] != '%') { /* "http://…" and "a:b" are no tags */
        return false;
    } else {
        i++;
    }
    m->app = app;
    m->pid = pid;
    advance(s, i);
    skip_blanks(s);
    return true;
}

/* Cisco: "45: " a sequence number, perhaps "r1: " a name, before the stamp. */
static void cisco_front(lq_str *s, struct syslog_message *m)
{
    size_t i = 0;
    while (i < s->n && is_digit(s->p[i])) {
        i++;
    }
    if (i == 0 || i + 1 >= s->n || s->p[i] != ':' || s->p[i + 1] != ' ') {
        return;
    }
    advance(s, i + 2);
    const char *blank = memchr(s->p, ' ', s->n);
    if (blank != NULL && blank > s->p + 1 && blank[-1] == ':' && s->p[0] != '*' && s->p[0] != '.' && s->p[0] != '%') {
        m->host = (lq_str){s->p, (size_t)(blank - s->p) - 1};
        advance(s, m->host.n + 2);
    }
}

/* What stands between a Cisco stamp and its ": %FACILITY-5-NAME: ": a zone. */
static void after_stamp(lq_str *s)
{
    size_t i = 0;
    while (i < s->n && i < 8 && (s->p[i] == ' ' || (s->p[i] >= 'A' && s->p[i] <= 'Z'))) {
        i++;
    }
    if (i + 2 < s->n && s->p[i] == ':' && s->p[i + 1] == ' ' && (s->p[i + 2] == '%' || i == 0)) {
        advance(s, i + 2);
    }
    skip_blanks(s);
}

static void parse_bsd(struct syslog_parser *p, lq_str s, struct syslog_message *m)
{
    m->form = SYSLOG_BSD;
    cisco_front(&s, m);
    if (!bsd_stamp(p, &s, m)) {
        m->text = s;
        if (tag(&s, m)) {
            m->text = s;
        }
        return;
    }
    after_stamp(&s);
    m->text = s;
    if (tag(&s, m)) { /* no host */
        m->text = s;
        return;
    }
    lq_str host, rest = s;
    if (!word(&rest, &host) || host.n > HOST_BYTES_MAX) {
        return;
    }
    m->host = host;
    if (rest.n > 2 && rest.p[0] == ':' && rest.p[1] == ' ') { /* "host : %ASA-6-…" */
        advance(&rest, 2);
    }
    skip_blanks(&rest);
    m->text = rest;
    if (tag(&rest, m)) {
        m->text = rest;
    }
}

void syslog_parse(struct syslog_parser *p, lq_str s, struct syslog_message *m)
{
    *m = (struct syslog_message){.form = SYSLOG_RAW, .priority = -1, .text = s};
    m->priority = priority(&s);
    if (m->priority < 0) {
        return;
    }
    if (s.n >= 2 && s.p[0] == '1' && s.p[1] == ' ' && parse_5424(p, s, m)) {
        return;
    }
    parse_bsd(p, s, m);
}

const char *syslog_severity_name(int priority)
{
    static const char *const names[8] = {"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"};
    return priority < 0 ? "" : names[priority & 7];
}

const char *syslog_facility_name(int priority)
{
    static const char *const names[24] = {"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
                                          "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"};
    return priority < 0 ? "" : names[priority >> 3];
}
