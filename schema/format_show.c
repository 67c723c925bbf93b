/*
 * format_show.c - what a line becomes, field by field, and what a format is
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/format_int.h"

static void print_value(struct lq_buf *out, const char *name, lq_str v, const char *role)
{
    char scratch[200];
    lq_str clean = derive_clean(v, scratch, sizeof scratch - 8);
    lq_buf_printf(out, "  %-14s %-10s %.*s\n", name, role, (int)clean.n, clean.p);
}

static void try_one(const struct format *f, lq_str line, struct lq_buf *out);

static void try_pair(const struct format *f, lq_str line, struct lq_buf *out)
{
    struct parser_config c = {.format = f->outer, .reference_us = clock_now_us()};
    struct parser *p = NULL;
    struct record r = {0};
    try_one(f->outer, line, out);
    if (parser_new(&c, &p, NULL) == LQ_OK) {
        if (parser_parse(p, line, &r) == PARSE_OK && r.message.n > 0) {
            lq_buf_str(out, "and in its message ");
            try_one(f->inner, r.message, out);
        }
        parser_free(&p);
    }
}

static void try_one(const struct format *f, lq_str line, struct lq_buf *out)
{
    if (f->inner != NULL) { /* the envelope, then what is in it */
        try_pair(f, line, out);
        return;
    }
    struct parser_config c = {.format = f, .reference_us = clock_now_us()};
    struct parser *p = NULL;
    struct record r = {0};
    char when[32], text[64];
    if (parser_new(&c, &p, NULL) != LQ_OK) {
        return;
    }
    enum parse_result result = parser_parse(p, line, &r);
    const struct stream_schema *s = parser_schema(p);
    if (result == PARSE_OK) {
        time_print_utc(r.time_us, when);
        lq_buf_printf(out, "%s matches\n", f->name);
        print_value(out, "time", lq_str_of(when), "time");
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
    } else if (result == PARSE_NO_MATCH && f->kind == PARSER_PATTERN) {
        size_t reach = matcher_reach(f->matcher, line);
        char scratch[80];
        lq_str rest = derive_clean((lq_str){line.p + reach, line.n - reach < 40 ? line.n - reach : 40}, scratch, 64);
        lq_buf_printf(out, "%s stops at byte %zu: %.*s\n", f->name, reach + 1, (int)rest.n, rest.n > 0 ? rest.p : "");
    } else {
        lq_buf_printf(out, "%s: %s\n", f->name, result == PARSE_BAD_TIME ? "matches, but the time stamp is no valid time" : parse_result_name(result));
    }
    parser_free(&p);
}

void format_try(struct format_set *s, const struct format *f, lq_str line, struct lq_buf *out)
{
    if (line.n > 0 && line.p[line.n - 1] == '\r') {
        line.n--;
    }
    if (f != NULL) {
        try_one(f, line, out);
        return;
    }
    struct detection d;
    format_detect(s, line, &d);
    if (d.format != NULL) {
        try_one(d.format, line, out);
        return;
    }
    lq_buf_str(out, "no format matches; it would be kept in the stream unparsed\n");
    for (size_t i = 0; i < s->n; i++) {
        try_one(s->f[i], line, out);
    }
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
