/*
 * format_detect.c - which format does a source have, and why
 *
 * Every format is tried on the lines of a sample; a line counts when it matches and its time stamp is valid. The best share wins; among those that are
 * within 2 % of it the higher priority (the more specific format), then the name.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "schema/format_int.h"

lq_str format_next_line(lq_str *rest)
{
    const char *nl = rest->n > 0 ? memchr(rest->p, '\n', rest->n) : NULL;
    lq_str line = {rest->p, nl != NULL ? (size_t)(nl - rest->p) : rest->n};
    size_t used = line.n + (nl != NULL);
    rest->p += used;
    rest->n -= used;
    if (line.n > 0 && line.p[line.n - 1] == '\r') {
        line.n--;
    }
    return line;
}

struct detect_score format_score(const struct format *f, lq_str sample, bool whole)
{
    struct detect_score s = {f, 0, 0};
    struct parser *p = NULL;
    struct parser_config c = {.format = f, .reference_us = DETECT_REFERENCE_US};
    lq_str rest = sample;
    if (parser_new(&c, &p, NULL) != LQ_OK) {
        return s;
    }
    while (rest.n > 0 && s.lines < DETECT_LINES) {
        struct record r;
        lq_str line = format_next_line(&rest);
        bool cut = rest.n == 0 && !whole && sample.p[sample.n - 1] != '\n';
        if (line.n == 0 || (cut && s.lines > 0)) {
            continue; /* blank, or the sample's last line is not whole */
        }
        s.lines++;
        s.matched += parser_parse(p, line, &r) == PARSE_OK;
    }
    parser_free(&p);
    return s;
}

static int better(const void *a, const void *b)
{
    const struct detect_score *x = a, *y = b;
    uint64_t sx = x->lines > 0 ? (uint64_t)x->matched * 50 / x->lines : 0, sy = y->lines > 0 ? (uint64_t)y->matched * 50 / y->lines : 0;
    if (sx != sy) {
        return sx > sy ? -1 : 1;
    }
    if (x->format->priority != y->format->priority) {
        return x->format->priority > y->format->priority ? -1 : 1;
    }
    if (x->matched != y->matched) {
        return x->matched > y->matched ? -1 : 1;
    }
    return strcmp(x->format->name, y->format->name);
}

static bool looks_like_json(lq_str sample)
{
    size_t i = 0;
    while (i < sample.n && (sample.p[i] == ' ' || sample.p[i] == '\n')) {
        i++;
    }
    return i < sample.n && sample.p[i] == '{';
}

/* An inferred format under the first free name json, json_2, …; one with the same schema is used again. */
static void add_inferred(struct format_set *s, struct format *f)
{
    char name[32];
    for (unsigned i = 1; i < 100; i++) {
        snprintf(name, sizeof name, i == 1 ? "json" : "json_%u", i);
        const struct format *old = NULL;
        if (format_set_find(s, name, &old, NULL) != LQ_OK) {
            f->name = lq_arena_strdup(&f->mem, lq_str_of(name));
            f->schema.name = f->name;
            format_set_put(s, f);
            return;
        }
        bool same = old->n_fields == f->n_fields;
        for (uint32_t k = 0; same && k < f->n_fields; k++) {
            same = strcmp(old->fields[k].name, f->fields[k].name) == 0 && old->fields[k].role == f->fields[k].role;
        }
        if (same) {
            break;
        }
    }
    format_free(&f);
}

void format_infer(struct format_set *s, lq_str sample)
{
    struct format *f = looks_like_json(sample) ? format_infer_json(sample, DETECT_LINES) : NULL;
    if (f != NULL) {
        add_inferred(s, f);
    }
}

void format_detect(struct format_set *set, lq_str sample, struct detection *out)
{
    struct detect_score *all;
    bool whole = sample.n < DETECT_BYTES;
    memset(out, 0, sizeof *out);
    sample.n = sample.n < DETECT_BYTES ? sample.n : DETECT_BYTES;
    format_infer(set, sample);
    all = lq_alloc((set->n + 1) * sizeof *all);
    size_t n_all = 0;
    for (size_t i = 0; i < set->n; i++) {
        if (set->f[i]->inner == NULL) {
            all[n_all++] = format_score(set->f[i], sample, whole);
        }
    }
    qsort(all, n_all, sizeof *all, better);
    for (size_t i = 0; i < n_all && out->n < 16; i++) {
        if (all[i].matched > 0) {
            out->scores[out->n++] = all[i];
        }
    }
    uint32_t lines = n_all > 0 ? all[0].lines : 0;
    if (out->n > 0 && 2 * out->scores[0].matched >= lines) {
        out->format = out->scores[0].format;
        int n = snprintf(out->why, sizeof out->why, "%u of %u sample lines match", out->scores[0].matched, lines);
        if (out->n > 1) {
            n += snprintf(out->why + n, sizeof out->why - (size_t)n, "; next is %s with %u", out->scores[1].format->name, out->scores[1].matched);
        }
        uint32_t inside, of;
        const struct format *inner = format_detect_inner(set, out->format, sample, &inside, &of);
        if (inner != NULL && format_pair(set, out->format, inner, &out->format, NULL) == LQ_OK && n > 0 && (size_t)n < sizeof out->why) {
            snprintf(out->why + n, sizeof out->why - (size_t)n, "; %u of %u messages are lines of %s", inside, of, inner->name);
        }
    } else if (lines == 0) {
        snprintf(out->why, sizeof out->why, "no lines to look at");
    } else if (out->n > 0) {
        snprintf(out->why, sizeof out->why, "no format matches half of %u sample lines; nearest is %s with %u", lines, out->scores[0].format->name,
                 out->scores[0].matched);
    } else {
        snprintf(out->why, sizeof out->why, "no format matches any of %u sample lines", lines);
    }
    free(all);
}

/* ---- try and show ---- */

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
    } else if (result == PARSE_NO_MATCH && !f->is_json) {
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
    if (f->is_json) {
        lq_buf_str(out, "parser: json\n");
    } else {
        lq_buf_printf(out, "pattern: %s\nmatched by: %s\n", f->pattern, matcher_lowered(f->matcher) ? "scanner, else PCRE2" : "PCRE2");
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
