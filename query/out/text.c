/*
 * text.c - numbers, strings and times as text, into a buffer
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/out/out_int.h"
#include "schema/derive.h"

void number_print(double v, char out[32])
{
    if (isnan(v) || isinf(v)) {
        out[0] = '\0';
    } else if (v == floor(v) && fabs(v) < 9007199254740992.0) {
        snprintf(out, 32, "%lld", (long long)v);
    } else {
        snprintf(out, 32, "%.6g", v);
    }
}

void json_number(FILE *f, double v)
{
    char buf[32];
    number_print(v, buf);
    fputs(buf[0] != '\0' ? buf : "null", f);
}

void json_time(FILE *f, int64_t us)
{
    char buf[32];
    time_print_utc(us, buf);
    fprintf(f, "\"%s\"", buf);
}

void json_string(FILE *f, lq_str s)
{
    struct lq_buf b = {0};
    out__json_string(&b, s);
    fwrite(b.p, 1, b.n, f);
    lq_buf_fini(&b);
}

void out__json_string(struct lq_buf *b, lq_str s)
{
    char *scratch = NULL;
    size_t plain = 0;
    while (plain < s.n && (unsigned char)s.p[plain] >= 0x20 && (unsigned char)s.p[plain] < 0x7f) {
        plain++;
    }
    if (plain < s.n) {
        scratch = lq_alloc(4 * s.n + 16);
        s = derive_clean(s, scratch, 4 * s.n + 8);
    }
    lq_buf_byte(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\') {
            lq_buf_byte(b, '\\');
            lq_buf_byte(b, c);
        } else if (c < 0x20) {
            lq_buf_printf(b, "\\u%04x", c);
        } else {
            lq_buf_byte(b, c);
        }
    }
    lq_buf_byte(b, '"');
    free(scratch);
}

void out__number(struct lq_buf *b, double v)
{
    char digits[32];
    if (isnan(v) || isinf(v)) {
        return;
    }
    if (v != floor(v) || fabs(v) >= 9007199254740992.0) {
        lq_buf_printf(b, "%.10g", v);
        return;
    }
    uint64_t n = (uint64_t)fabs(v);
    size_t k = sizeof digits;
    do {
        digits[--k] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    if (v < 0) {
        digits[--k] = '-';
    }
    lq_buf_add(b, digits + k, sizeof digits - k);
}

void out__json_number(struct lq_buf *b, double v)
{
    if (isnan(v) || isinf(v)) {
        lq_buf_add(b, "null", 4);
    } else {
        out__number(b, v);
    }
}

void out__flush(struct lq_buf *b, FILE *f, bool now)
{
    if (now || b->n >= FLUSH_BYTES) {
        fwrite(b->p, 1, b->n, f);
        b->n = 0;
    }
}

/* 3 significant digits, without an exponent. */
static void three(double v, const char *unit, char out[32])
{
    double a = fabs(v);
    snprintf(out, 32, a >= 99.95 || v == floor(v) ? "%.0f%s" : a >= 9.995 ? "%.1f%s" : "%.2f%s", v, unit);
}

void out__human(double v, const char *unit, char out[32])
{
    double a = fabs(v);
    if (isnan(v) || isinf(v)) {
        snprintf(out, 32, "-");
    } else if (strcmp(unit, "s") == 0 && a > 0) {
        if (a < 1e-3) {
            three(v * 1e6, " µs", out);
        } else if (a < 0.9995) {
            three(v * 1e3, " ms", out);
        } else {
            three(v, " s", out);
        }
    } else if (strcmp(unit, "bytes") == 0) {
        static const char *const names[] = {" B", " kB", " MB", " GB", " TB", " PB"};
        int k = 0;
        while (a >= 999.5 && k < 5) {
            a /= 1000;
            v /= 1000;
            k++;
        }
        three(v, names[k], out);
    } else if (strcmp(unit, "share") == 0) {
        snprintf(out, 32, a == 0 ? "0 %%" : a < 0.001 ? "%.4f %%" : a < 0.1 ? "%.2f %%" : "%.1f %%", v * 100);
    } else if (strcmp(unit, "change") == 0) {
        snprintf(out, 32, a < 0.1 ? "%+.1f %%" : "%+.0f %%", v * 100);
    } else if (strcmp(unit, "/s") == 0) {
        snprintf(out, 32, a < 0.01 ? "%.2g /s" : a < 10 ? "%.2f /s" : a < 100 ? "%.1f /s" : "%.0f /s", v);
    } else {
        number_print(v, out);
    }
}

size_t out__width(lq_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    }
    return n;
}

void out__fit(struct lq_buf *b, lq_str s, size_t width, bool right)
{
    char scratch[2400];
    s = derive_clean(s, scratch, sizeof scratch - 8);
    size_t n = out__width(s);
    if (n <= width) {
        lq_buf_printf(b, "%*s%.*s%*s", right ? (int)(width - n) : 0, "", (int)s.n, s.p, right ? 0 : (int)(width - n), "");
        return;
    }
    size_t head = (width - 1) / 2, tail = width - 1 - head, i = 0, j = s.n, k = 0;
    while (k < head + 1 && i < s.n) {
        k += ((unsigned char)s.p[i] & 0xc0) != 0x80;
        i += k <= head;
    }
    for (k = 0; k < tail && j > i;) {
        j--;
        k += ((unsigned char)s.p[j] & 0xc0) != 0x80;
    }
    lq_buf_printf(b, "%.*s…%.*s", (int)i, s.p, (int)(s.n - j), s.p + j);
}

bool out__many_streams(const struct result *r)
{
    for (uint32_t i = 1; i < r->n_series; i++) {
        if (strcmp(r->series[i].stream, r->series[0].stream) != 0) {
            return true;
        }
    }
    return false;
}

void out__series_name(const struct result *r, const struct result_series *s, bool streams, struct lq_buf *b)
{
    char scratch[1200];
    if (streams || r->n_by == 0) {
        lq_buf_str(b, s->stream);
    }
    for (uint32_t i = 0; i < r->n_by; i++) {
        lq_str v = derive_clean(s->labels[i], scratch, sizeof scratch - 8);
        lq_buf_printf(b, "%s%.*s=%.*s", b->n > 0 ? " " : "", (int)r->q->by[i].n, r->q->by[i].p, v.n > 0 ? (int)v.n : 1, v.n > 0 ? v.p : "-");
    }
}
