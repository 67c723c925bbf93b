/*
 * derive_level.c - one spelling for levels, whatever the program calls them (derive.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include <strings.h>

#include "schema/derive.h"

enum { LEVEL_WORDS = 6 };

static const struct {
    const char *word, *level;
} words[] = {
    {"trace", "trace"}, {"verbose", "trace"}, {"finest", "trace"}, {"finer", "trace"}, {"debug", "debug"}, {"fine", "debug"}, {"config", "debug"},
    {"info", "info"}, {"information", "info"}, {"informational", "info"}, {"notice", "notice"}, {"note", "notice"}, {"log", "info"}, {"warn", "warn"},
    {"warning", "warn"}, {"error", "error"}, {"err", "error"}, {"severe", "error"}, {"crit", "critical"}, {"critical", "critical"},
    {"fatal", "fatal"}, {"panic", "fatal"}, {"dpanic", "fatal"}, {"alert", "fatal"}, {"emerg", "fatal"}, {"emergency", "fatal"}, {"failure", "error"},
    {"v", "trace"}, {"t", "trace"}, {"d", "debug"}, {"i", "info"}, {"n", "notice"}, {"w", "warn"}, {"e", "error"}, {"c", "critical"}, {"f", "fatal"},
    {"a", "fatal"}, {"10", "trace"}, {"20", "debug"}, {"30", "info"}, {"40", "warn"}, {"50", "error"}, {"60", "fatal"},
    {".", "debug"}, {"-", "trace"}, {"*", "notice"}, {"#", "warn"},
};

lq_str derive_level(lq_str v)
{
    for (size_t i = 0; v.n > 0 && i < sizeof words / sizeof words[0]; i++) {
        if ((words[i].word[0] | 0x20) == (v.p[0] | 0x20) && strlen(words[i].word) == v.n && strncasecmp(words[i].word, v.p, v.n) == 0) {
            return lq_str_of(words[i].level);
        }
    }
    return v;
}

bool derive_is_level(lq_str v)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strlen(words[i].word) == v.n && v.n >= 3 && strcmp(words[i].word, "log") != 0 && strcmp(words[i].word, "failure") != 0 &&
            strcmp(words[i].word, "note") != 0 && strcmp(words[i].word, "config") != 0 && strcmp(words[i].word, "fine") != 0 &&
            strncasecmp(words[i].word, v.p, v.n) == 0) {
            return true;
        }
    }
    return false;
}

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

lq_str derive_level_in(lq_str m)
{
    const char *p = m.p, *end = m.p + m.n;
    for (int word = 0; word < LEVEL_WORDS && p < end; word++) {
        while (p < end && !letter(*p)) {
            p++;
        }
        const char *from = p;
        while (p < end && letter(*p)) {
            p++;
        }
        lq_str w = {from, (size_t)(p - from)};
        bool alone = (from == m.p || (!digit(from[-1]) && from[-1] != '.' && from[-1] != '_')) && (p == end || (!digit(*p) && *p != '.' && *p != '_'));
        if (alone && w.n >= 3 && derive_is_level(w)) {
            return w;
        }
    }
    return (lq_str){"", 0};
}

lq_str derive_severity(lq_str pri)
{
    static const char *const names[8] = {"fatal", "fatal", "critical", "error", "warn", "notice", "info", "debug"};
    unsigned v = 0;
    if (pri.n == 0 || pri.n > 3) {
        return (lq_str){"", 0};
    }
    for (size_t i = 0; i < pri.n; i++) {
        if (pri.p[i] < '0' || pri.p[i] > '9') {
            return (lq_str){"", 0};
        }
        v = v * 10 + (unsigned)(pri.p[i] - '0');
    }
    return lq_str_of(names[v & 7]);
}
