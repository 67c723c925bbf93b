/*
 * timefmt_arg.c - times and durations as people type and read them
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include "schema/timefmt.h"

#define US_PER_S 1000000LL

static const struct {
    const char *name;
    int64_t us;
} units[] = {{"w", 604800 * US_PER_S}, {"d", 86400 * US_PER_S}, {"h", 3600 * US_PER_S}, {"m", 60 * US_PER_S}, {"s", US_PER_S}, {"ms", 1000}};

static bool parse_units(lq_str s, int64_t *out, size_t *bad_at)
{
    int64_t sum = 0;
    size_t i = 0;
    while (i < s.n) {
        int64_t v = 0;
        size_t start = i;
        while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && v < 1000000000) {
            v = v * 10 + (s.p[i++] - '0');
        }
        *bad_at = i;
        if (i == start) {
            return false;
        }
        size_t u = sizeof units / sizeof units[0];
        for (size_t k = 0; k < sizeof units / sizeof units[0]; k++) {
            size_t n = strlen(units[k].name);
            bool letter_follows = i + n < s.n && s.p[i + n] >= 'a' && s.p[i + n] <= 'z';
            if (s.n - i >= n && memcmp(s.p + i, units[k].name, n) == 0 && !letter_follows) {
                u = k;
            }
        }
        if (u == sizeof units / sizeof units[0] || v > INT64_MAX / 4 / units[u].us) {
            return false;
        }
        sum += v * units[u].us;
        i += strlen(units[u].name);
    }
    *out = sum;
    return s.n > 0;
}

enum lq_err duration_parse(lq_str s, int64_t *us, struct lq_error *e)
{
    size_t at = 0;
    bool whole = parse_units(s, us, &at);
    if (whole && *us > 0) {
        return LQ_OK;
    }
    if (whole) {
        lq_error_set(e, LQ_EINVAL, "\"%.*s\" is nothing: a duration is more than 0", (int)(s.n < 60 ? s.n : 60), s.p);
    } else {
        lq_error_set(e, LQ_EINVAL, "\"%.*s\" is no duration", (int)(s.n < 60 ? s.n : 60), s.p);
    }
    bool number = s.n > 0;
    for (size_t i = 0; i < s.n; i++) {
        number = number && s.p[i] >= '0' && s.p[i] <= '9';
    }
    if (number && !(s.n == 1 && s.p[0] == '0')) {
        lq_error_hint(e, "a unit is missing: %.*sm? units are s m h d w (and ms), as in 1d12h", (int)(s.n < 20 ? s.n : 20), s.p);
    } else {
        lq_error_hint(e, "durations are like 30s, 5m, 2h, 7d, 4w, 1d12h");
    }
    return LQ_EINVAL;
}

void duration_print(int64_t us, char *out, size_t cap)
{
    int shown = 0;
    size_t n = 0;
    out[0] = '\0';
    if (us < 0) {
        us = -us;
    }
    for (size_t k = 1; k < sizeof units / sizeof units[0] && shown < 2; k++) { /* days at most: "2w" reads worse than "14d" */
        int64_t v = us / units[k].us;
        if (v > 0) {
            n += (size_t)snprintf(out + n, n < cap ? cap - n : 0, "%s%lld%s", shown > 0 ? " " : "", (long long)v, units[k].name);
            us -= v * units[k].us;
        }
        shown += v > 0 || shown > 0;
    }
    if (n == 0) {
        snprintf(out, cap, "0s");
    }
}

void duration_print_rounded(int64_t us, char *out, size_t cap)
{
    us = us < 0 ? -us : us;
    int64_t minute = 60 * US_PER_S, unit = us >= 24 * 60 * minute ? 60 * minute : us >= 2 * minute ? minute : US_PER_S;
    duration_print((us + unit / 2) / unit * unit, out, cap);
}

void time_print_utc(int64_t us, char *out)
{
    time_print_local(us, NULL, out);
    int64_t ms = (us % US_PER_S + US_PER_S) % US_PER_S / 1000;
    size_t n = strlen(out);
    out[10] = 'T';
    if (ms != 0) {
        n += (size_t)snprintf(out + n, 32 - n, ".%03d", (int)ms);
    }
    snprintf(out + n, 32 - n, "Z");
}

void time_print_local(int64_t us, const struct timezone_rules *tz, char *out)
{
    int64_t s = us >= 0 ? us / US_PER_S : -((-us + US_PER_S - 1) / US_PER_S), y;
    unsigned m, d;
    s += tz != NULL ? timezone_offset_at(tz, s) : 0;
    int64_t days = s >= 0 ? s / 86400 : -((-s + 86399) / 86400), of_day = s - days * 86400;
    civil_from_days(days, &y, &m, &d);
    if (y < 0 || y > 9999) {
        y = y < 0 ? 0 : 9999;
    }
    snprintf(out, 32, "%04d-%02u-%02u %02d:%02d:%02d", (int)y, m, d, (int)(of_day / 3600), (int)(of_day / 60 % 60), (int)(of_day % 60));
}

/* The midnight, in tz, that began the day `days` before the one of now. */
static bool midnight(int64_t now_us, unsigned days, const struct timezone_rules *tz, int64_t *time_us)
{
    char date[32];
    struct time_layout *l = NULL;
    time_print_local(now_us, tz, date);
    int64_t y = strtoll(date, NULL, 10);
    unsigned m = (unsigned)strtoul(date + 5, NULL, 10), d = (unsigned)strtoul(date + 8, NULL, 10);
    civil_from_days(civil_to_days(y, m, d) - days, &y, &m, &d);
    int n = snprintf(date, sizeof date, "%04lld-%02u-%02u", (long long)y, m, d);
    if (time_layout_compile("%Y-%m-%d", &l, NULL) != LQ_OK) {
        return false;
    }
    struct time_parser p = {.layout = l, .tz = tz, .reference_us = now_us};
    bool ok = time_parse(&p, (lq_str){date, (size_t)n}, time_us, NULL);
    time_layout_free(&l);
    return ok;
}

enum lq_err time_arg_parse(lq_str s, int64_t now_us, const struct timezone_rules *tz, int64_t *time_us, struct lq_error *e)
{
    static const char *const layouts[] = {"iso8601", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d", "epoch_auto"};
    size_t at;
    int64_t d;
    if (s.n >= 3 && memcmp(s.p, "now", 3) == 0) {
        lq_str rest = {s.p + 4, s.n > 4 ? s.n - 4 : 0};
        if (s.n == 3) {
            *time_us = now_us;
            return LQ_OK;
        }
        if ((s.p[3] == '-' || s.p[3] == '+') && parse_units(rest, &d, &at)) {
            *time_us = s.p[3] == '-' ? now_us - d : now_us + d;
            return LQ_OK;
        }
    }
    if (parse_units(s, &d, &at)) {
        *time_us = now_us - d;
        return LQ_OK;
    }
    if ((lq_str_is(s, "today") && midnight(now_us, 0, tz, time_us)) || (lq_str_is(s, "yesterday") && midnight(now_us, 1, tz, time_us))) {
        return LQ_OK;
    }
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        struct time_layout *l = NULL;
        if (time_layout_compile(layouts[i], &l, NULL) != LQ_OK) {
            continue;
        }
        struct time_parser p = {.layout = l, .tz = tz, .reference_us = now_us};
        bool ok = (i != 5 || s.n >= 9) && time_parse(&p, s, time_us, NULL);
        time_layout_free(&l);
        if (ok) {
            return LQ_OK;
        }
    }
    lq_error_set(e, LQ_EINVAL, "\"%.*s\" is no time", (int)(s.n < 60 ? s.n : 60), s.p);
    lq_error_hint(e, "times are like 2026-03-02T14:00:00Z, \"2026-03-02 14:00\", 2026-03-02, today, yesterday, now-2h, 2h (= that long ago), or epoch seconds");
    return LQ_EINVAL;
}
