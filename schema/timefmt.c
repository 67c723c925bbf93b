/*
 * timefmt.c - layouts of time stamps, compiled to steps and parsed by hand (timefmt.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/timefmt.h"

#include <stdlib.h>
#include <time.h>

enum { STEPS_MAX = 48 };
#define US_PER_S   1000000LL
#define FUTURE_GAP (1LL << 50) /* a year that puts a stamp more than a day ahead of the reference is the last choice */

struct time_layout {
    char steps[STEPS_MAX]; /* directive letters; 1 = the literal in lit[] */
    char lit[STEPS_MAX];
    unsigned n;
    bool year, date, zone, epoch, iso;
    struct time_layout *next; /* tried when this one does not fit */
};

static const struct {
    const char *name, *text;
} named[] = {
    {"clf", "%d/%b/%Y:%H:%M:%S %z"},
    {"rfc3164", "%b %e %H:%M:%S"},
    {"epoch", "%s"},
    {"epoch_ms", "%L"},
    {"epoch_us", "%U"},
    {"epoch_ns", "%N"},
    {"epoch_auto", "%A"},
    {"iso8601", "%I"},
};

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static enum lq_err compile_one(const char *text, struct time_layout **out, struct lq_error *e)
{
    static const char directives[] = "YymdebHkMSfzZajsLUNAI";
    struct time_layout *l = lq_alloc(sizeof *l);
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        if (strcmp(text, named[i].name) == 0) {
            text = named[i].text;
        }
    }
    for (const char *p = text; *p != '\0'; p++) {
        char step = 1;
        if (*p == '%' && p[1] != '\0') {
            p++;
            step = *p == '%' ? 1 : *p;
        }
        if ((step != 1 && strchr(directives, step) == NULL) || l->n == STEPS_MAX) {
            lq_error_set(e, LQ_EINVAL, "unknown directive %%%c in the time layout \"%s\"", *p, text);
            lq_error_hint(e, "directives: %%Y %%y %%m %%d %%e %%b %%H %%k %%M %%S %%f %%z %%Z %%a %%j %%s %%L, or clf, iso8601, rfc3164, epoch, epoch_ms …");
            free(l);
            return LQ_EINVAL;
        }
        l->lit[l->n] = *p;
        l->steps[l->n++] = step;
        l->year |= step == 'Y' || step == 'y';
        l->date |= step == 'd' || step == 'e' || step == 'j';
        l->zone |= step == 'z' || step == 'Z';
        l->epoch |= strchr("sLUNA", step) != NULL && step != 1;
        l->iso |= step == 'I';
    }
    if (l->n == 0) {
        free(l);
        return lq_error_set(e, LQ_EINVAL, "a time layout is empty");
    }
    *out = l;
    return LQ_OK;
}

enum lq_err time_layout_compile(const char *text, struct time_layout **out, struct lq_error *e)
{
    struct time_layout *first = NULL, **last = &first;
    enum lq_err err = LQ_OK;
    while (text != NULL && err == LQ_OK) {
        const char *bar = strstr(text, " || ");
        char one[64];
        size_t n = bar != NULL ? (size_t)(bar - text) : strlen(text);
        if (n >= sizeof one) {
            err = lq_error_set(e, LQ_EINVAL, "the time layout \"%.*s\" is too long", (int)n, text);
            break;
        }
        memcpy(one, text, n);
        one[n] = '\0';
        err = compile_one(one, last, e);
        last = err == LQ_OK ? &(*last)->next : last;
        text = bar != NULL ? bar + 4 : NULL;
    }
    if (err != LQ_OK) {
        time_layout_free(&first);
        return err;
    }
    *out = first;
    return LQ_OK;
}

void time_layout_free(struct time_layout **l)
{
    while (*l != NULL) {
        struct time_layout *next = (*l)->next;
        free(*l);
        *l = next;
    }
}

bool time_layout_has_year(const struct time_layout *l)
{
    return l->year || l->epoch || l->iso;
}

bool time_layout_has_zone(const struct time_layout *l)
{
    return l->zone || l->epoch;
}

/* ---- calendar ---- */

int64_t civil_to_days(int64_t y, unsigned m, unsigned d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    unsigned yoe = (unsigned)(y - era * 400);
    unsigned doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + (int64_t)doe - 719468;
}

void civil_from_days(int64_t z, int64_t *y, unsigned *m, unsigned *d)
{
    z += 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    unsigned doe = (unsigned)(z - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp < 10 ? mp + 3 : mp - 9;
    *y = (int64_t)yoe + era * 400 + (*m <= 2);
}

static unsigned month_days(int64_t y, unsigned m)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return m == 2 && leap ? 29 : days[m - 1];
}

/* ---- parsing ---- */

struct fields {
    int64_t year;
    unsigned month, day, hour, minute, second, yday;
    int64_t us;
    int32_t offset;
    bool has_offset, is_epoch;
    int64_t epoch_us;
};

/* 1 to `max` digits (at least `min`); false when not. */
static bool digits(const char **p, const char *end, unsigned min, unsigned max, unsigned *v)
{
    const char *q = *p;
    unsigned x = 0;
    while (q < end && q < *p + max && *q >= '0' && *q <= '9') {
        x = x * 10 + (unsigned)(*q++ - '0');
    }
    if (q < *p + min) {
        return false;
    }
    *p = q;
    *v = x;
    return true;
}

static bool fraction(const char **p, const char *end, int64_t *us)
{
    const char *q = *p;
    int64_t v = 0, scale = US_PER_S;
    for (; q < end && q < *p + 9 && *q >= '0' && *q <= '9'; q++) {
        if (scale > 1) {
            scale /= 10;
            v += (*q - '0') * scale;
        }
    }
    bool ok = q > *p;
    *p = q;
    *us = v;
    return ok;
}

static bool zone(const char **p, const char *end, struct fields *f)
{
    const char *q = *p;
    unsigned h, m = 0;
    if (q < end && (*q == 'Z' || *q == 'z')) {
        *p = q + 1;
        f->has_offset = true;
        f->offset = 0;
        return true;
    }
    if (end - q < 3 || (*q != '+' && *q != '-')) {
        return false;
    }
    int sign = *q++ == '-' ? -1 : 1;
    if (!digits(&q, end, 2, 2, &h)) {
        return false;
    }
    if (q < end && *q == ':') {
        q++;
    }
    digits(&q, end, 2, 2, &m);
    if (h > 15 || m > 59) {
        return false;
    }
    f->has_offset = true;
    f->offset = sign * (int32_t)(h * 3600 + m * 60);
    *p = q;
    return true;
}

static bool zone_name(const char **p, const char *end, struct fields *f)
{
    static const struct {
        const char *name;
        int32_t offset;
    } names[] = {{"UTC", 0}, {"GMT", 0}, {"CEST", 7200}, {"CET", 3600}, {"EST", -18000}, {"EDT", -14400}, {"CST", -21600},
                 {"CDT", -18000}, {"MST", -25200}, {"MDT", -21600}, {"PST", -28800}, {"PDT", -25200}, {"BST", 3600}, {"JST", 32400}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t n = strlen(names[i].name);
        if ((size_t)(end - *p) >= n && memcmp(*p, names[i].name, n) == 0) {
            *p += n;
            f->has_offset = true;
            f->offset = names[i].offset;
            return true;
        }
    }
    return zone(p, end, f);
}

static bool epoch(const char **p, const char *end, char unit, struct fields *f)
{
    const char *q = *p;
    uint64_t u = 0; /* 19 digits fit */
    bool negative = q < end && *q == '-';
    q += negative;
    const char *start = q;
    while (q < end && *q >= '0' && *q <= '9' && q - start < 19) {
        u = u * 10 + (uint64_t)(*q++ - '0');
    }
    if (q == start || u > INT64_MAX) {
        return false;
    }
    int64_t v = (int64_t)u;
    if (unit == 'A') {
        int n = (int)(q - start);
        unit = n <= 11 ? 's' : n <= 14 ? 'L' : n <= 17 ? 'U' : 'N';
    }
    int64_t us = 0;
    if (unit == 's') {
        if (q < end && (*q == '.' || *q == ',')) {
            q++;
            if (!fraction(&q, end, &us)) {
                return false;
            }
        }
        if (v > INT64_MAX / US_PER_S / 2) {
            return false;
        }
        us += v * US_PER_S;
    } else {
        if (unit == 'L' && v > INT64_MAX / 1000) {
            return false;
        }
        us = unit == 'L' ? v * 1000 : unit == 'N' ? v / 1000 : v;
    }
    f->is_epoch = true;
    f->epoch_us = negative ? -us : us;
    *p = q;
    return true;
}

static bool month_name(const char **p, const char *end, unsigned *month)
{
    for (unsigned i = 0; i < 12 && end - *p >= 3; i++) {
        if (memcmp(*p, months[i], 3) == 0) {
            *p += 3;
            *month = i + 1;
            return true;
        }
    }
    return false;
}

static bool iso8601(const char **p, const char *end, struct fields *f)
{
    const char *q = *p;
    unsigned y;
    if (!digits(&q, end, 4, 4, &y) || q == end || (*q != '-' && *q != '/')) {
        return false;
    }
    char sep = *q++;
    if (!digits(&q, end, 2, 2, &f->month) || q == end || *q++ != sep || !digits(&q, end, 2, 2, &f->day)) {
        return false;
    }
    f->year = y;
    if (q < end && (*q == 'T' || *q == ' ' || *q == 't')) {
        q++;
        if (!digits(&q, end, 2, 2, &f->hour) || q == end || *q++ != ':' || !digits(&q, end, 2, 2, &f->minute)) {
            return false;
        }
        if (q < end && *q == ':') {
            q++;
            if (!digits(&q, end, 2, 2, &f->second)) {
                return false;
            }
            if (end - q >= 2 && (*q == '.' || *q == ',') && q[1] >= '0' && q[1] <= '9') {
                q++;
                fraction(&q, end, &f->us);
            }
        }
        const char *z = q;
        if (z < end && *z == ' ') {
            z++;
        }
        if (zone(&z, end, f)) {
            q = z;
        }
    }
    *p = q;
    return true;
}

static bool step(char directive, char lit, const char **p, const char *end, struct fields *f)
{
    unsigned v;
    switch (directive) {
    case 1:
        if (*p == end || **p != lit) {
            return false;
        }
        ++*p;
        return true;
    case 'Y':
        if (!digits(p, end, 4, 4, &v)) {
            return false;
        }
        f->year = v;
        return true;
    case 'y':
        if (!digits(p, end, 2, 2, &v)) {
            return false;
        }
        f->year = v < 69 ? 2000 + v : 1900 + v;
        return true;
    case 'm': return digits(p, end, 1, 2, &f->month);
    case 'd':
    case 'e':
        if (*p < end && **p == ' ') {
            ++*p;
        }
        return digits(p, end, 1, 2, &f->day);
    case 'b': return month_name(p, end, &f->month);
    case 'k':
        *p += *p < end && **p == ' ';
        return digits(p, end, 1, 2, &f->hour);
    case 'H': return digits(p, end, 1, 2, &f->hour);
    case 'M': return digits(p, end, 2, 2, &f->minute);
    case 'S': return digits(p, end, 2, 2, &f->second);
    case 'f':
        if (*p < end && (**p == '.' || **p == ',')) {
            ++*p;
        }
        return fraction(p, end, &f->us);
    case 'z': return zone(p, end, f);
    case 'Z': return zone_name(p, end, f);
    case 'a':
        if (end - *p < 3) {
            return false;
        }
        *p += 3;
        return true;
    case 'j': return digits(p, end, 3, 3, &f->yday);
    case 'I': return iso8601(p, end, f);
    default: return epoch(p, end, directive, f);
    }
}

/* Local fields to UTC microseconds; false for no date. */
static bool to_us(const struct time_parser *p, struct fields *f, int64_t *out)
{
    if (f->is_epoch) {
        *out = f->epoch_us;
        return true;
    }
    if (f->hour > 24 || f->minute > 59 || f->second > 60 || (f->hour == 24 && (f->minute | f->second) != 0)) {
        return false;
    }
    int64_t of_day = (int64_t)f->hour * 3600 + f->minute * 60 + f->second, best = 0, best_gap = INT64_MAX;
    bool no_date = f->month == 0 && f->yday == 0, no_year = f->year < 0;
    int64_t ref_s = p->reference_us / US_PER_S, ref_days = ref_s / 86400, ry;
    unsigned rm, rd;
    civil_from_days(ref_days, &ry, &rm, &rd);
    bool any = false;
    for (int k = -1; k <= 1; k++) { /* the candidates around the reference; one only when the date is whole */
        int64_t days;
        if (no_date) {
            days = ref_days + k;
        } else {
            int64_t y = no_year ? ry + k : f->year;
            if (f->yday > 0) {
                days = civil_to_days(y, 1, 1) + f->yday - 1;
            } else if (f->month < 1 || f->month > 12 || f->day < 1 || f->day > month_days(y, f->month)) {
                continue;
            } else {
                days = civil_to_days(y, f->month, f->day);
            }
        }
        int64_t local = days * 86400 + of_day;
        int64_t utc = f->has_offset ? local - f->offset : p->tz != NULL ? timezone_to_utc(p->tz, local) : local;
        int64_t gap = utc > ref_s + 86400 ? FUTURE_GAP + (utc - ref_s) : utc > ref_s ? utc - ref_s : ref_s - utc;
        any = true;
        if (gap < best_gap) {
            best = utc;
            best_gap = gap;
        }
        if (!no_date && !no_year) {
            break;
        }
    }
    *out = best * US_PER_S + f->us;
    return any;
}

static bool parse_one(struct time_parser *p, const struct time_layout *l, lq_str s, int64_t *out, size_t *used)
{
    const char *q = s.p, *end = s.p + s.n;
    struct fields f = {.year = -1};
    for (unsigned i = 0; i < l->n; i++) {
        if (!step(l->steps[i], l->lit[i], &q, end, &f)) {
            return false;
        }
    }
    if (used != NULL) {
        *used = (size_t)(q - s.p);
    } else if (q != end) {
        return false;
    }
    p->zoned = f.has_offset || f.is_epoch;
    return to_us(p, &f, out);
}

static bool parse_slow(struct time_parser *p, lq_str s, int64_t *out, size_t *used)
{
    for (const struct time_layout *l = p->layout; l != NULL; l = l->next) {
        if (parse_one(p, l, s, out, used)) {
            return true;
        }
    }
    return false;
}

/*
 * Stamps of the same length whose bytes equal those of the last one but for the two seconds digits and a fraction: only these are read. The place of the
 * seconds is found once: the last ':' that is followed by two digits. A changed minute or zone goes the slow way.
 */
bool time_parse(struct time_parser *p, lq_str s, int64_t *time_us, size_t *used)
{
    if (used == NULL && s.n == p->prefix_n && s.n > 0) {
        uint32_t at = (uint32_t)p->prefix[31];
        if (at > 0 && lq_equal(s.p, p->prefix, at) && lq_equal(s.p + at + 2, p->prefix + at + 2, s.n - at - 2)) {
            unsigned a = (unsigned)(s.p[at] - '0'), b = (unsigned)(s.p[at + 1] - '0');
            if (a <= 5 && b <= 9) {
                *time_us = p->prefix_us + (int64_t)(a * 10 + b) * US_PER_S;
                return true;
            }
        }
    }
    if (!parse_slow(p, s, time_us, used)) {
        return false;
    }
    p->prefix_n = 0;
    if (used == NULL && s.n < 31 && s.n > 0 && memchr(s.p, ':', s.n) != NULL) {
        for (size_t i = s.n; i-- > 1;) {
            if (s.p[i - 1] == ':' && i + 1 < s.n && s.p[i] >= '0' && s.p[i] <= '5' && s.p[i + 1] >= '0' && s.p[i + 1] <= '9' && i >= 6 &&
                s.p[i - 4] == ':') {
                memcpy(p->prefix, s.p, s.n);
                p->prefix[31] = (char)i;
                p->prefix_n = (uint32_t)s.n;
                p->prefix_us = *time_us - (int64_t)((s.p[i] - '0') * 10 + (s.p[i + 1] - '0')) * US_PER_S;
                break;
            }
        }
    }
    return true;
}

/* ---- clocks: the one place that asks the OS ---- */

int64_t clock_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

int64_t clock_monotonic_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}
