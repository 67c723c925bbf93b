/*
 * format_show.c - what a line becomes, field by field, and what a format is
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "schema/format_int.h"
#include "schema/json_scan.h"

enum { AROUND_BEFORE = 50, AROUND_AFTER = 40, NEAREST_MAX = 3, NEAREST_LINE_MIN = 24, NEAREST_SHARE = 4 /* of the line, at least 1 in so many bytes */ };

static void print_value(struct lq_buf *out, const char *name, lq_str v, const char *role)
{
    char scratch[200];
    lq_str clean = derive_clean(v, scratch, sizeof scratch - 8);
    lq_buf_printf(out, "  %-14s %-10s %.*s\n", name, role, (int)clean.n, clean.p);
}

/* ---- why not ---- */

static bool ignore_value(void *ctx, lq_str path, struct json_value v)
{
    (void)ctx;
    (void)path;
    (void)v;
    return true;
}

/* How many bytes of the line the format understands. Of JSON: up to where it is no JSON any more; line.n + 1 when all of it is an object. */
static size_t reach_of(const struct format *f, lq_str line)
{
    size_t at = 0;
    struct lq_buf scratch = {0};
    if (f->kind == PARSER_PATTERN) {
        return matcher_reach(f->matcher, line);
    }
    if (f->kind == PARSER_JSON && json_each(line, ignore_value, NULL, &scratch, &at)) {
        at = line.n + 1;
    }
    lq_buf_fini(&scratch);
    return at;
}

static size_t columns_of(lq_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    }
    return n;
}

/* The line around a byte, with a caret under it. */
static void point_at(lq_str line, size_t at, struct lq_buf *out)
{
    char before[3 * AROUND_BEFORE + 16], after[3 * AROUND_AFTER + 16];
    size_t from = at > AROUND_BEFORE ? at - AROUND_BEFORE : 0, to = line.n - at > AROUND_AFTER ? at + AROUND_AFTER : line.n;
    lq_str left = derive_clean((lq_str){line.p + from, at - from}, before, sizeof before - 8);
    lq_str right = derive_clean((lq_str){line.p + at, to - at}, after, sizeof after - 8);
    lq_buf_printf(out, "    %s%.*s%.*s%s\n", from > 0 ? "..." : "", (int)left.n, left.p, (int)right.n, right.n > 0 ? right.p : "", to < line.n ? "..." : "");
    lq_buf_printf(out, "    %*s^\n", (int)(columns_of(left) + (from > 0 ? 3 : 0)), "");
}

static void explain(const struct format *f, lq_str line, enum parse_result result, struct lq_buf *out)
{
    size_t reach = reach_of(f, line);
    if (result == PARSE_BAD_TIME) {
        lq_buf_printf(out, "%s matches, but %s is no valid time\n", f->name, f->time_slot < FIELD_MAX ? f->fields[f->time_slot].name : "its time stamp");
    } else if (result == PARSE_NO_TIME) {
        lq_buf_printf(out, "%s matches, but has no time: it takes that of the last line before it, else of the file, or of receipt\n", f->name);
    } else if (result == PARSE_HEADER) {
        lq_buf_printf(out, "%s: a header line, no record\n", f->name);
    } else if (result == PARSE_TOO_COSTLY) {
        lq_buf_printf(out, "%s: the pattern costs too much on this line\n", f->name);
    } else if (f->kind == PARSER_PATTERN) {
        if (reach == line.n) {
            lq_buf_printf(out, "%s expects more behind the end of the line\n", f->name);
        } else {
            lq_buf_printf(out, "%s stops at byte %zu of %zu\n", f->name, reach + 1, line.n);
        }
        point_at(line, reach, out);
    } else if (f->kind == PARSER_JSON && reach <= line.n) {
        lq_buf_printf(out, "%s: this is no JSON object%s\n", f->name, reach == line.n ? ", it ends too early" : "");
        point_at(line, reach, out);
    } else if (f->kind == PARSER_JSON) {
        lq_buf_printf(out, "%s: valid JSON, but not with the keys of this format\n", f->name);
    } else {
        lq_buf_printf(out, "%s: %s\n", f->name, f->kind == PARSER_CSV ? "not the columns of the header line" : "does not match");
    }
}

/* ---- what it becomes ---- */

static bool try_one(const struct format *f, lq_str before, lq_str line, struct lq_buf *out);

static bool try_pair(const struct format *f, lq_str before, lq_str line, struct lq_buf *out)
{
    struct parser_config c = {.format = f->outer, .reference_us = clock_now_us()};
    struct parser *p = NULL;
    struct record r = {0};
    bool matches = try_one(f->outer, before, line, out);
    if (matches && parser_new(&c, &p, NULL) == LQ_OK) {
        parser_learn(p, before);
        if (parser_parse(p, line, &r) == PARSE_OK && r.message.n > 0) {
            lq_buf_str(out, "and in its message ");
            (void)try_one(f->inner, (lq_str){"", 0}, format_unmark(r.message), out);
        }
        parser_free(&p);
    }
    return matches;
}

static bool try_one(const struct format *f, lq_str before, lq_str line, struct lq_buf *out)
{
    if (f->inner != NULL) { /* the envelope, then what is in it */
        return try_pair(f, before, line, out);
    }
    struct parser_config c = {.format = f, .reference_us = clock_now_us()};
    struct parser *p = NULL;
    struct record r = {0};
    char when[32], text[64];
    if (parser_new(&c, &p, NULL) != LQ_OK) {
        return false;
    }
    parser_learn(p, before);
    enum parse_result result = parser_parse(p, line, &r);
    const struct stream_schema *s = parser_schema(p);
    bool undated = result == PARSE_NO_TIME;
    if (undated) {
        explain(f, line, result, out);
        result = parser_parse_at(p, line, c.reference_us, &r);
    }
    if (result == PARSE_OK) {
        time_print_utc(r.time_us, when);
        if (!undated) {
            lq_buf_printf(out, "%s matches\n", f->name);
            print_value(out, "time", lq_str_of(when), "time");
        }
        for (uint32_t i = 0; i < s->n_dims; i++) {
            if (r.dims[i].n > 0) {
                print_value(out, s->dims[i], r.dims[i], "dimension");
            }
        }
        for (uint32_t i = 0; i < s->n_measures; i++) {
            if ((r.measure_set >> i & 1) != 0) {
                snprintf(text, sizeof text, "%g %s", (double)r.measures[i] / (double)s->measures[i].scale, s->measures[i].unit);
                print_value(out, s->measures[i].name, lq_str_of(text), "measure");
            }
        }
        for (uint32_t i = 0; i < s->n_identities; i++) {
            print_value(out, s->identities[i], r.identities[i], "identity");
        }
        if (r.message.n > 0) {
            print_value(out, "message", r.message, "message");
        }
    } else {
        explain(f, line, result, out);
    }
    parser_free(&p);
    return result == PARSE_OK;
}

struct nearest {
    const struct format *f;
    size_t reach;
};

static int by_reach(const void *a, const void *b)
{
    const struct nearest *x = a, *y = b;
    return x->reach != y->reach ? (x->reach > y->reach ? -1 : 1) : strcmp(x->f->name, y->f->name);
}

/* The formats that get furthest into the line: one of them is most likely what it was meant to be. */
static void explain_nearest(struct format_set *s, const struct format *but, lq_str line, struct lq_buf *out)
{
    struct nearest *x = lq_alloc((s->n + 1) * sizeof *x);
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct format *f = s->f[i];
        bool eligible = f != but && f->inner == NULL && (line.n > 0 && line.p[0] == '{' ? strncmp(f->name, "json", 4) == 0 : line.n >= NEAREST_LINE_MIN);
        size_t reach = eligible ? reach_of(f, line) : 0;
        if (reach > 0 && reach * NEAREST_SHARE >= line.n) {
            x[n++] = (struct nearest){s->f[i], reach};
        }
    }
    qsort(x, n, sizeof *x, by_reach);
    for (size_t i = 0; i < n && i < NEAREST_MAX; i++) {
        struct record r = {0};
        struct parser_config c = {.format = x[i].f, .reference_us = clock_now_us()};
        struct parser *p = NULL;
        if (parser_new(&c, &p, NULL) == LQ_OK) {
            enum parse_result result = parser_parse(p, line, &r);
            if (result != PARSE_OK) {
                explain(x[i].f, line, result, out);
            }
            parser_free(&p);
        }
    }
    free(x);
}

bool format_try(struct format_set *s, const struct format *f, lq_str before, lq_str line, struct lq_buf *out)
{
    if (line.n > 0 && line.p[line.n - 1] == '\r') {
        line.n--;
    }
    bool matches = f != NULL && try_one(f, before, line, out);
    if (!matches) {
        lq_buf_str(out, f != NULL ? "" : "no format matches; it would be kept in the stream unparsed\n");
    }
    if (!matches || f->kind == PARSER_PLAIN) {
        explain_nearest(s, f, line, out);
    }
    return matches;
}

void format_print(const struct format *f, struct lq_buf *out)
{
    if (f->inner != NULL) {
        format_print(f->outer, out);
        lq_buf_str(out, "\n");
        format_print(f->inner, out);
        return;
    }
    const struct stream_schema *s = &f->schema;
    lq_buf_printf(out, "name: %s\ndescription: %s\nrecords: %s\npriority: %d\n", f->name, f->description,
                  s->kind == STREAM_REQUESTS ? "requests" : "events", f->priority);
    if (f->kind != PARSER_PATTERN) {
        lq_buf_printf(out, "parser: %s\n", parser_kind_name(f->kind));
    } else {
        lq_buf_printf(out, "pattern: %s\nmatched by: %s\n", f->pattern, format_runs_as(f));
    }
    lq_buf_printf(out, "time: %s, layout %s\n", f->time_slot < FIELD_MAX ? f->fields[f->time_slot].name : "?", f->layout_text);
    lq_buf_str(out, "dimensions:");
    for (uint32_t i = 0; i < s->n_dims; i++) {
        lq_buf_printf(out, " %s%s", s->dims[i], (s->sketch_by >> i & 1) != 0 ? "*" : "");
    }
    lq_buf_str(out, "   (*: distinct counts and quantiles kept by it)\nmeasures:");
    for (uint32_t i = 0; i < s->n_measures; i++) {
        lq_buf_printf(out, " %s%s%s%s", s->measures[i].name, s->measures[i].unit[0] != '\0' ? "(" : "", s->measures[i].unit,
                      s->measures[i].unit[0] != '\0' ? ")" : "");
    }
    lq_buf_str(out, "\nidentities:");
    for (uint32_t i = 0; i < s->n_identities; i++) {
        lq_buf_printf(out, " %s", s->identities[i]);
    }
    lq_buf_printf(out, "\nerror: %s\n", f->error_text != NULL ? f->error_text : "(never)");
    if (f->file != NULL) {
        lq_buf_printf(out, "file: %s\n", f->file);
    }
}

lq_str format_record_line(const struct format *f, size_t i)
{
    lq_str line = format_sample(f, i);
    format_next_line(&line);
    return line;
}

const char *format_runs_as(const struct format *f)
{
    return f->kind != PARSER_PATTERN ? parser_kind_name(f->kind) : matcher_lowered(f->matcher) ? "scanner, else PCRE2" : "PCRE2";
}
