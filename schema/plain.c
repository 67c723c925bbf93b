/*
 * plain.c - a time stamp at or near the beginning of a line (plain.h)
 *
 * A stamp is recognised by its shape: a string of byte classes (0 digit, a letter, others themselves) that must be followed by no further digit or letter.
 * The shapes below pair with layouts; the values are checked by the time parser later (a shape with month 13 is a bad time).
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/plain.h"

#include "schema/derive.h"

const char *const plain_fields[PLAIN_FIELDS] = {"time", "level", "message"};

const char plain_layout[] = "iso8601 || %b %e %H:%M:%S || clf || %d-%b-%Y %H:%M:%S || %d-%b-%Y %H:%M:%S%f || %d %b %Y %H:%M:%S%f || %d %b %Y %H:%M:%S || "
                            "%a %b %e %H:%M:%S %Y || %a %b %e %H:%M:%S%f %Y || %a %b %e %H:%M:%S %Z %Y || %a, %d %b %Y %H:%M:%S %Z || "
                            "%b %e %H:%M:%S%f || %b %e, %Y %H:%M:%S || %b %e %Y %H:%M:%S || "
                            "%Y-%m-%d-%H.%M.%S%f || %Y.%m.%d %H:%M:%S || %Y%m%d %H:%M:%S || %Y%m%dT%H%M%SZ || %Y%m%d-%H:%M:%S:%f || %y%m%d %k:%M:%S || "
                            "%m-%d %H:%M:%S%f || %m-%d %H:%M:%S || %y/%m/%d %H:%M:%S || %m/%d/%Y %H:%M:%S || %m%d %H:%M:%S%f || "
                            "%H:%M:%S%f || %H:%M:%S || epoch_auto";

/* '0' a digit, 'a' a letter, '_' a blank or a digit, '.' also ',', '*' one to nine digits, others themselves. Longest first where one begins another. */
static const char *const shapes[] = {
    "0000-00-00 00:00:00", "0000-00-00T00:00:00", "0000/00/00 00:00:00", "0000-00-00-00.00.00.*", "0000.00.00 00:00:00",
    "00/aaa/0000:00:00:00 +0000", "00-aaa-0000 00:00:00.*", "00-aaa-0000 00:00:00", "00 aaa 0000 00:00:00.*", "00 aaa 0000 00:00:00",
    "aaa aaa _0 00:00:00.* 0000", "aaa aaa _0 00:00:00 0000", "aaa aaa _0 00:00:00 aaa 0000", "aaa, 00 aaa 0000 00:00:00 aaa",
    "aaa _0, 0000 00:00:00", "aaa _0 0000 00:00:00", "aaa _0 00:00:00.*", "aaa _0 00:00:00", "aaa 0 00:00:00",
    "00000000 00:00:00", "00000000T000000Z", "00000000-00:00:00:*", "000000 _0:00:00",
    "00-00 00:00:00.*", "00-00 00:00:00", "00/00/00 00:00:00", "00/00/0000 00:00:00", "0000 00:00:00.*",
    "00:00:00.*", "00:00:00", "0000000000.*", "0000000000", "0000000000000",
};

enum { ISO_SHAPES = 3 }; /* the first ones: a fraction and a zone may follow */

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool month_at(const char *p)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (size_t i = 0; i < 36; i += 3) {
        if (memcmp(months + i, p, 3) == 0) {
            return true;
        }
    }
    return false;
}

static size_t fits(const char *shape, lq_str s)
{
    size_t n = 0;
    bool months = strstr(shape, "aaa") != NULL, month = false;
    for (; *shape != '\0'; shape++) {
        if (*shape == '*') {
            size_t from = n;
            while (n < s.n && n < from + 9 && digit(s.p[n])) {
                n++;
            }
            if (n == from) {
                return 0;
            }
            continue;
        }
        if (n == s.n) {
            return 0;
        }
        char c = s.p[n];
        bool ok = *shape == '0' ? digit(c) : *shape == 'a' ? letter(c) : *shape == '_' ? digit(c) || c == ' ' : *shape == '.' ? c == '.' || c == ',' :
                  *shape == '+' ? c == '+' || c == '-' : c == *shape;
        if (!ok) {
            return 0;
        }
        month = month || (months && *shape == 'a' && n + 3 <= s.n && month_at(s.p + n));
        n++;
    }
    return !months || month ? n : 0;
}

/* A fraction and a zone behind an ISO 8601 stamp. */
static size_t iso_tail(lq_str s, size_t n)
{
    if (n + 1 < s.n && (s.p[n] == '.' || s.p[n] == ',') && digit(s.p[n + 1])) {
        size_t from = ++n;
        while (n < s.n && n < from + 9 && digit(s.p[n])) {
            n++;
        }
    }
    if (n < s.n && s.p[n] == 'Z') {
        return n + 1;
    }
    size_t z = n + (n < s.n && s.p[n] == ' ');
    if (z + 4 < s.n && (s.p[z] == '+' || s.p[z] == '-') && digit(s.p[z + 1]) && digit(s.p[z + 2])) {
        size_t colon = s.p[z + 3] == ':';
        if (z + 4 + colon < s.n && digit(s.p[z + 3 + colon]) && digit(s.p[z + 4 + colon])) {
            return z + 5 + colon;
        }
    }
    return n;
}

/* Seconds since 1970 of 2001 to 2040, or milliseconds. */
static bool likely_epoch(lq_str s)
{
    return s.p[0] == '1' || (s.p[0] == '2' && s.p[1] < '2');
}

size_t plain_stamp(lq_str s)
{
    if (s.n < 8 || !(digit(s.p[0]) || (s.p[0] >= 'A' && s.p[0] <= 'Z'))) {
        return 0;
    }
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        if ((shapes[i][0] == 'a') != letter(s.p[0])) {
            continue;
        }
        size_t n = fits(shapes[i], s);
        if (n > 0 && i < ISO_SHAPES) {
            n = iso_tail(s, n);
        }
        bool ends = n > 0 && (n == s.n || (!digit(s.p[n]) && !letter(s.p[n])));
        if (ends && (strncmp(shapes[i], "0000000000", 10) != 0 || likely_epoch(s))) {
            return n;
        }
    }
    return 0;
}

bool plain_scan(lq_str line, lq_str *stamp, lq_str *level, lq_str *message)
{
    size_t reach = line.n < PLAIN_REACH ? line.n : PLAIN_REACH;
    for (size_t i = 0; i < reach; i++) {
        if (i > 0 && strchr(" \t[(<{\"'|", line.p[i - 1]) == NULL) {
            continue;
        }
        size_t n = plain_stamp((lq_str){line.p + i, line.n - i});
        if (n > 0) {
            size_t rest = i + n;
            while (rest < line.n && strchr(" \t])>}\"'|:,-", line.p[rest]) != NULL) {
                rest++;
            }
            *stamp = (lq_str){line.p + i, n};
            *message = (lq_str){line.p + rest, line.n - rest};
            *level = derive_level_in(*message);
            return true;
        }
    }
    return false;
}
