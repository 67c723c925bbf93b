/*
 * why_sentence.c - sentences (why_sentence.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/out/why_sentence.h"

#include <math.h>

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

size_t why_columns(lq_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
    }
    return n;
}

size_t why_fit(lq_str s, size_t columns)
{
    size_t i = 0, n = 0;
    while (i < s.n) {
        if (((unsigned char)s.p[i] & 0xC0) != 0x80 && ++n > columns) {
            break;
        }
        i++;
    }
    return i;
}

void why_lasted(const struct why_answer *a, char *out, size_t cap)
{
    int64_t us = (a->onset.ongoing ? a->to_us : a->onset.end_us) - a->onset.time_us;
    duration_print_rounded(us, out, cap);
}

/* The day is said once. */
static const char *same_day(const char *t, const char *other)
{
    return strncmp(t, other, 11) == 0 ? t + 11 : t;
}

void why_spark_label(const struct why_answer *a, char *out, size_t cap)
{
    double top = 0;
    for (int i = 0; i < WHY_SPARK; i++) {
        top = a->spark[i] > top ? a->spark[i] : top;
    }
    snprintf(out, cap, "%s, highest bar %.3g%s", a->noun, top, a->unit);
}

void why_onset_sentence(const struct why_answer *a, const struct timezone_rules *tz, char *out, size_t cap)
{
    char t[32], lo[32], hi[32];
    const struct why_onset *o = &a->onset;
    time_print_local(o->time_us, tz, t);
    time_print_local(o->low_us, tz, lo);
    time_print_local(o->high_us, tz, hi);
    const char *verb = a->share ? "started" : o->after < o->before ? "fell" : "rose";
    const char *how = is(o->type, "trend_change") ? ", building up" : is(o->type, "spike") ? ", a spike" : ", at once";
    snprintf(out, cap, "The %s %s %s (between %s and %s%s)", a->noun, verb, t, same_day(lo, t), same_day(hi, lo), how);
}

static const char *level(char out[40], double v, const char *unit)
{
    snprintf(out, 40, v >= 9.95 || v == 0 ? "%.0f%s" : v >= 0.0995 ? "%.2g%s" : "%.1g%s", v, unit);
    return out;
}

void why_level_sentence(const struct why_answer *a, char *out, size_t cap)
{
    char b[40], c[40];
    const struct why_onset *o = &a->onset;
    const char *since = o->ongoing ? "since" : "while it lasted";
    level(b, o->before * a->unit_scale, a->unit);
    level(c, o->after * a->unit_scale, a->unit);
    if (a->share) {
        snprintf(out, cap, "%s of the %s in %s failed before, %s %s", b, a->requests_kind ? "requests" : "lines",
                 a->stream, c, since);
    } else {
        snprintf(out, cap, "%s of %s: %s before, %s %s", a->noun, a->stream, b, c, since);
    }
}

static const char *plural(uint64_t n, const char *one, char out[96])
{
    size_t k = strlen(one);
    bool es = k > 0 && one[k - 1] == 's';
    snprintf(out, 96, "%llu %s%s", (unsigned long long)n, one, n == 1 ? "" : es ? "es" : "s");
    return out;
}

void why_impact_sentence(const struct why_answer *a, char *out, size_t cap)
{
    char span[40], who[128] = "", what[96], name[96];
    why_lasted(a, span, sizeof span);
    if (a->identities != UINT64_MAX && a->identities > 0) {
        snprintf(who, sizeof who, ", %s%s hit", a->identities > 200 ? "about " : "",
                 plural(a->identities, a->identity, name));
    }
    plural(a->requests, a->requests_kind ? "request" : "line", what);
    snprintf(out, cap, "%llu of %s failed%s; %s %s", (unsigned long long)a->errors, what, who,
             a->onset.ongoing ? "still going on after" : "it lasted", span);
}

void why_audience_sentence(const struct why_audience *x, const char *identity, char *out, size_t cap)
{
    char who[128] = "", name[96];
    if (x->identities != UINT64_MAX && x->identities > 0 && identity != NULL) {
        snprintf(who, sizeof who, ", %s hit", plural(x->identities, identity, name));
    }
    snprintf(out, cap, "%s %s: %llu of %llu failed%s", x->dim, x->value, (unsigned long long)x->errors,
             (unsigned long long)x->requests, who);
}

void why_sessions_sentence(const struct why_sessions *x, const struct timezone_rules *tz, char *out, size_t cap)
{
    char t[32];
    time_print_local(x->time_us, tz, t);
    snprintf(out, cap, "sessions lost without a logout: %.2g %% of the requests in %s before %s, %.2g %% since (%llu in the hours around the onset)", 100 * x->before, x->stream, t,
             100 * x->after, (unsigned long long)x->lost);
}

void why_tested_sentence(const struct why_answer *a, char *out, size_t cap)
{
    snprintf(out, cap,
             "%llu tests on what these %llu lines hold, %llu found a change before or at the onset (false discovery "
             "rate %.2g)",
             (unsigned long long)a->tested, (unsigned long long)a->lines, (unsigned long long)a->moved, a->fdr);
}

void why_silent_sentence(const struct why_silent *x, const struct timezone_rules *tz, char *out, size_t cap)
{
    char t[32];
    time_print_local(x->since_us, tz, t);
    if (x->dim == NULL) {
        snprintf(out, cap, "the stream %s is silent since %s", x->stream, t);
    } else {
        snprintf(out, cap, "%s %s is silent since %s (%s)", x->dim, x->value, t, x->stream);
    }
}
