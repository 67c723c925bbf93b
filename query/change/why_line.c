/*
 * why_line.c - the message in a stored line, found by its template
 *
 * "parameter <*> changed to <*>" says little; "parameter "statement_timeout" changed to "2s"" says what was done. A line
 * is kept whole, so the place is looked for where the template fits: each <*> stands for the shortest text that lets the
 * rest fit, the last one for what is left.
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/change/why_int.h"

enum { FIT_STEPS_MAX = 20000 };

static const char HOLE[] = "<*>";

static bool is_hole(lq_str t)
{
    return t.n >= sizeof HOLE - 1 && memcmp(t.p, HOLE, sizeof HOLE - 1) == 0;
}

static bool ends_word(char c)
{
    return c == ' ' || c == '"' || c == '\t' || c == '\n' || c == '\0';
}

static bool ends(char c, bool json)
{
    return json ? ends_word(c) : c == '\n' || c == '\\' || c == '\0';
}

/* From the last <*> on: what stands in quotes; else the rest of the line (it may stand for several words), or within
 * JSON its word. */
static size_t last_hole(lq_str line, size_t at, bool json)
{
    char quote = at < line.n && (line.p[at] == '"' || line.p[at] == '\'') ? line.p[at] : '\0';
    do {
        at++;
    } while (at < line.n && (quote != '\0' ? line.p[at] != quote : !ends(line.p[at], json)));
    return at + (quote != '\0' && at < line.n);
}

/* How many bytes at the head of the line the template fits; SIZE_MAX = it does not. */
static size_t fit(lq_str line, lq_str t, bool json, uint32_t *steps)
{
    size_t at = 0, hole_end = SIZE_MAX, tries = 0;
    lq_str after_hole = t;
    while (++*steps < FIT_STEPS_MAX) {
        if (is_hole(t)) {
            t = (lq_str){t.p + 3, t.n - 3};
            if (t.n == 0) {
                return at < line.n ? last_hole(line, at, json) : SIZE_MAX;
            }
            after_hole = t;
            tries = hole_end = at + 1;
            at = tries;
        } else if (t.n == 0) {
            return at;
        } else if (at < line.n && line.p[at] == t.p[0]) {
            at++;
            t = (lq_str){t.p + 1, t.n - 1};
        } else if (hole_end != SIZE_MAX && tries < line.n) {
            at = ++tries;
            t = after_hole;
        } else {
            return SIZE_MAX;
        }
    }
    return SIZE_MAX;
}

lq_str why__said(lq_str line, lq_str template)
{
    uint32_t steps = 0;
    bool json = line.n > 0 && line.p[0] == '{';
    for (size_t i = 0; i < line.n && !is_hole(template) && template.n > 0 && steps < FIT_STEPS_MAX; i++) {
        bool edge = i == 0 || ends_word(line.p[i - 1]) || line.p[i - 1] == ':' || line.p[i - 1] == ']';
        size_t n = edge && line.p[i] == template.p[0] ? fit((lq_str){line.p + i, line.n - i}, template, json, &steps)
                                                      : SIZE_MAX;
        if (n != SIZE_MAX) {
            return (lq_str){line.p + i, n};
        }
    }
    return (lq_str){line.p, 0};
}
