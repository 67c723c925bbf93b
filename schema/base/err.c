/*
 * err.c - fill and print errors; nearest-name suggestions
 *
 * The distance is optimal string alignment (Damerau 1964, restricted): one transposition, insertion, deletion or
 * substitution costs 1. Names are short, so the O(n*m) table with three rows is enough.
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/base/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum lq_err lq_error_set(struct lq_error *e, enum lq_err code, const char *fmt, ...)
{
    if (e != NULL) {
        va_list ap;
        memset(e, 0, sizeof *e);
        e->code = code;
        va_start(ap, fmt);
        vsnprintf(e->msg, sizeof e->msg, fmt, ap);
        va_end(ap);
    }
    return code;
}

enum lq_err lq_error_errno(struct lq_error *e, int errnum, const char *doing, const char *what)
{
    enum lq_err code = LQ_EIO;
    switch (errnum) {
    case ENOENT:
    case ENOTDIR:
        code = LQ_ENOENT;
        break;
    case EACCES:
    case EPERM:
    case EROFS:
        code = LQ_EACCES;
        break;
    case ENOSPC:
    case EDQUOT:
        code = LQ_ENOSPC;
        break;
    default:
        break;
    }
    return lq_error_set(e, code, "cannot %s %s: %s", doing, what, strerror(errnum));
}

void lq_error_hint(struct lq_error *e, const char *fmt, ...)
{
    if (e != NULL) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(e->hint, sizeof e->hint, fmt, ap);
        va_end(ap);
    }
}

/* What is right of TEXT_CUT_COLUMN is shown at TEXT_KEPT_COLUMN of a cut text. */
enum { TEXT_CUT_COLUMN = 100, TEXT_KEPT_COLUMN = 60 };

void lq_error_where(struct lq_error *e, const char *file, uint32_t line, uint32_t column, uint32_t width,
                    const char *text, size_t text_len)
{
    if (e == NULL) {
        return;
    }
    snprintf(e->file, sizeof e->file, "%s", file != NULL ? file : "");
    e->line = line;
    e->column = column;
    e->width = width > 0 ? width : 1;
    if (text == NULL) {
        return;
    }
    size_t start = 0, room = 120;
    if (column > TEXT_CUT_COLUMN) {
        start = column - TEXT_KEPT_COLUMN;
    }
    if (start > text_len) {
        start = text_len;
    }
    size_t n = text_len - start < room ? text_len - start : room;
    memcpy(e->text, text + start, n);
    e->text[n] = '\0';
    if (start > 0) { /* the position stays that of the whole line: lq_error_caret */
        memcpy(e->text, "...", n < 3 ? n : 3);
    }
}

/* Bytes of the UTF-8 character at s; 0: none, or a control character. */
static size_t printable(const unsigned char *s)
{
    static const unsigned char least[] = {0, 0xc2, 0xe0, 0xf0}, most[] = {0, 0xdf, 0xef, 0xf4};
    if (s[0] < 0x80) {
        return s[0] >= 0x20 && s[0] != 0x7f;
    }
    for (size_t n = 1; n < 4; n++) {
        if (s[0] >= least[n] && s[0] <= most[n]) {
            for (size_t i = 1; i <= n; i++) {
                if ((s[i] & 0xc0) != 0x80) {
                    return 0;
                }
            }
            return s[0] == 0xc2 && s[1] < 0xa0 ? 0 : n + 1;
        }
    }
    return 0;
}

/* What people wrote may hold anything: a terminal gets no control characters and no broken UTF-8. */
static void print_escaped(FILE *f, const char *s)
{
    while (*s != '\0') {
        size_t n = printable((const unsigned char *)s);
        if (n > 0) {
            fwrite(s, 1, n, f);
        } else {
            fputc(*s == '\t' ? ' ' : '?', f);
        }
        s += n > 0 ? n : 1;
    }
}

/* Bytes from..to of the text that begin a character (those behind its end count, too). */
static uint32_t characters(const char *text, uint32_t from, uint32_t to)
{
    uint32_t n = 0, len = (uint32_t)strlen(text);
    for (uint32_t i = from; i < to; i++) {
        n += i >= len || ((unsigned char)text[i] & 0xc0) != 0x80;
    }
    return n;
}

void lq_error_caret(const struct lq_error *e, uint32_t *at, uint32_t *width)
{
    uint32_t begin = (e->column > TEXT_CUT_COLUMN ? TEXT_KEPT_COLUMN : e->column) - 1, len = (uint32_t)strlen(e->text);
    uint32_t end = begin + e->width <= len + 1 ? begin + e->width : len + 1; /* the end of the text may be what is wrong */
    *at = characters(e->text, 0, begin) + 1;
    *width = end > begin ? characters(e->text, begin, end) : 0;
}

void lq_error_print(FILE *f, const char *prog, const struct lq_error *e)
{
    fprintf(f, "%s: ", prog);
    if (e->file[0] != '\0') {
        print_escaped(f, e->file);
        if (e->line > 0) {
            fprintf(f, ":%u", e->line);
        }
        if (e->column > 0) {
            fprintf(f, ":%u", e->column);
        }
        fputs(": ", f);
    }
    print_escaped(f, e->msg);
    fputc('\n', f);
    if (e->text[0] != '\0' && e->column > 0) {
        uint32_t at, width;
        lq_error_caret(e, &at, &width);
        fputs("  ", f);
        print_escaped(f, e->text);
        fputs("\n  ", f);
        for (uint32_t i = 1; i < at; i++) {
            fputc(' ', f);
        }
        for (uint32_t i = 0; i < width; i++) {
            fputc('^', f);
        }
        fputc('\n', f);
    }
    if (e->hint[0] != '\0') {
        fputs("hint: ", f);
        print_escaped(f, e->hint);
        fputc('\n', f);
    }
}

#define NEAREST_LEN_MAX 63

static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t row[3][NEAREST_LEN_MAX + 2];
    for (size_t j = 0; j <= m; j++) {
        row[0][j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        size_t *cur = row[i % 3], *prev = row[(i + 2) % 3], *prev2 = row[(i + 1) % 3];
        cur[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = prev[j - 1] + (a[i - 1] != b[j - 1]);
            if (prev[j] + 1 < best) {
                best = prev[j] + 1;
            }
            if (cur[j - 1] + 1 < best) {
                best = cur[j - 1] + 1;
            }
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && prev2[j - 2] + 1 < best) {
                best = prev2[j - 2] + 1;
            }
            cur[j] = best;
        }
    }
    return row[n % 3][m];
}

const char *lq_nearest(const char *word, size_t len, const char *const *names, size_t n)
{
    const char *best = NULL, *prefixed = NULL;
    size_t best_d = 2 + len / 3, prefixes = 0;
    if (len == 0 || len > NEAREST_LEN_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        size_t m = strlen(names[i]);
        if (m > NEAREST_LEN_MAX) {
            continue;
        }
        if (m > len && len >= 2 && memcmp(names[i], word, len) == 0) {
            prefixed = names[i];
            prefixes++;
        }
        size_t d = distance(word, len, names[i], m);
        if (d < best_d) {
            best_d = d;
            best = names[i];
        }
    }
    return best != NULL ? best : prefixes == 1 ? prefixed : NULL;
}

_Noreturn void lq_assert_fail(const char *expr, const char *file, int line)
{
    fprintf(stderr, "lq: internal error: %s:%d: %s does not hold\n", file, line, expr);
    abort();
}
