/*
 * lang_help.c - the query language in words, for `lq help query` and the manual page lq-query(7): one source
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "query/lang/lang_int.h"

static const struct {
    const char *left, *right;
} filters[] = {
    {"FIELD = VALUE, FIELD != VALUE", "equal, different; numbers as numbers"},
    {"FIELD > >= < <= VALUE", "as numbers where both are, else by letters"},
    {"FIELD ~ \"REGEX\", FIELD !~ \"REGEX\"", "a PCRE2 regex anywhere in the value; (?i) ignores case"},
    {"FIELD in (A, B), FIELD not in (A, B)", "one of several values"},
    {"and, or, not, ( )", "not binds tighter than and, and tighter than or"},
    {"stream = NAME", "only that stream; else each stream that has the fields answers for itself: streams are never summed"},
    {"client = 10.0.0.7", "an identity: from the heaviest 64 of each hour, with count, errors and rate; the possible error is said"},
    {"line ~ \"REGEX\" | lines", "the text of stored example lines"},
    {NULL, NULL},
};

static const struct {
    const char *query, *says;
} examples[] = {
    {"errors / count by host every 5m", "error share of each host"},
    {"status >= 500 and route ~ \"^/api\" | count by route, status every 5m | top 5", "which endpoints fail"},
    {"p50(request_time), p99(request_time), distinct(client) by route | top 10 by p99", "the slowest routes, and how many people they serve"},
    {"over(request_time, 1s) / count every 10m", "share of requests slower than a second"},
    {"count by template | compare 1d | top 20 by change", "what is new in the application's log since yesterday"},
    {"errors / count by host every 1m | change", "when each host's error share changed"},
    {"count by client | top 10", "who sends the most requests"},
    {"level = error | lines 10", "examples of errors"},
    {NULL, NULL},
};

/* A row of two columns; in roff a tagged paragraph. */
static void row(FILE *f, bool roff, int width, const char *left, const char *right)
{
    if (roff) {
        fputs(".TP\n.B ", f);
        for (const char *p = left; *p != '\0'; p++) {
            fputs(*p == '\\' ? "\\e" : *p == '"' ? "\\(dq" : *p == '-' ? "\\-" : (char[2]){*p, '\0'}, f);
        }
        fprintf(f, "\n%s\n", right);
    } else {
        fprintf(f, "  %-*s %s\n", width, left, right);
    }
}

static void heading(FILE *f, bool roff, const char *text)
{
    fprintf(f, roff ? ".SH %s\n" : "\n%s\n", text);
}

void lang_help(FILE *f, bool roff)
{
    char left[64];
    if (roff) {
        fputs(".SH SYNOPSIS\n.B lq\n\\(aq[FILTER |] COLUMNS [by FIELD, ...] [every DURATION|auto] [| STAGE]...\\(aq\n", f);
    } else {
        fputs("A query: [FILTER |] COLUMNS [by FIELD, …] [every DURATION|auto] [| STAGE] …\n", f);
    }
    heading(f, roff, "FILTER");
    for (size_t i = 0; filters[i].left != NULL; i++) {
        row(f, roff, 38, filters[i].left, filters[i].right);
    }
    heading(f, roff, "COLUMNS");
    row(f, roff, 18, "A + - * / B", "arithmetic between functions and numbers, with ( ); several columns with commas; COLUMN as NAME");
    for (const struct lang_function *x = lang_functions; x->name != NULL; x++) {
        snprintf(left, sizeof left, "%s%s", x->name, x->takes_number ? "(FIELD, N)" : x->takes_field ? "(FIELD)" : "");
        row(f, roff, 18, left, x->help);
    }
    heading(f, roff, "STAGES");
    for (const struct lang_stage *s = lang_stages; s->name != NULL; s++) {
        row(f, roff, 38, s->usage, s->help);
    }
    row(f, roff, 38, "COLUMN", "a column, or how it begins (p99), perhaps behind max, min, avg, sum, last: which step of a series counts");
    heading(f, roff, "WORDS");
    row(f, roff, 38, "every 5m", "one value for each step; steps are aligned to midnight of the zone, those cut by the range are marked ~");
    row(f, roff, 38, "every auto", "a step that gives at most 100 of them");
    row(f, roff, 38, "30s 5m 2h 7d 4w 1d12h", "durations");
    row(f, roff, 38, "\"text\" 'text'", "a value with blanks or signs in it; \\\" is the quote itself");
    row(f, roff, 38, "# ...", "a comment, to the end of the line");
    heading(f, roff, "EXAMPLES");
    for (size_t i = 0; examples[i].query != NULL; i++) {
        snprintf(left, sizeof left, "%s", "");
        if (roff) {
            row(f, true, 0, examples[i].query, examples[i].says);
        } else {
            fprintf(f, "  lq '%s'\n      %s\n", examples[i].query, examples[i].says);
        }
    }
}
