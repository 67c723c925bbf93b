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
#include "schema/event.h"

enum { GENERIC_PRIORITY = 10, INNER_LEAST = 2, INNER_SHARE = 50 /* 1 in so many sample lines */ };

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

struct tally {
    uint32_t matched, undated, lines;
};

/* An event counts once, however many lines it has. */
static void count(void *ctx, enum parse_result result, lq_str text, const struct record *r)
{
    struct tally *t = ctx;
    (void)r;
    t->matched += result == PARSE_OK || result == PARSE_NO_TIME;
    t->undated += result == PARSE_NO_TIME;
    t->lines += result == PARSE_OK || (result != PARSE_HEADER && !(t->lines > 0 && multiline_is_trace(text)));
}

/* In an envelope lines need no time of their own. */
static struct detect_score score(const struct format *f, lq_str sample, bool whole, bool enveloped)
{
    struct tally t = {0, 0, 0};
    struct events *e = NULL;
    struct parser_config c = {.format = f, .reference_us = DETECT_REFERENCE_US};
    lq_str rest = sample;
    if (events_new(&c, count, &t, &e, NULL) != LQ_OK) {
        return (struct detect_score){f, 0, 0, 0};
    }
    events_set_envelope(e, enveloped, DETECT_REFERENCE_US);
    for (uint32_t n = 0; rest.n > 0 && n < DETECT_LINES; n++) {
        lq_str line = format_next_line(&rest);
        bool cut = rest.n == 0 && !whole && sample.p[sample.n - 1] != '\n';
        if (!cut || n == 0) { /* the sample's last line may not be whole */
            events_line(e, line);
        }
    }
    events_flush(e);
    events_free(&e);
    return (struct detect_score){f, t.matched, t.undated, t.lines};
}

/* A generic format counts two thirds: it is the answer only where no other fits nearly as well. A line without a time counts half. */
static uint64_t share(const struct detect_score *x)
{
    uint64_t weight = x->format->priority < GENERIC_PRIORITY ? 2 : 3;
    return x->lines > 0 ? (uint64_t)(2 * x->matched - x->undated) * 25 * weight / 3 / x->lines : 0;
}

static int better(const void *a, const void *b)
{
    const struct detect_score *x = a, *y = b;
    if (share(x) != share(y)) {
        return share(x) > share(y) ? -1 : 1;
    }
    if (x->format->priority != y->format->priority) {
        return x->format->priority > y->format->priority ? -1 : 1;
    }
    if (x->matched != y->matched) {
        return x->matched > y->matched ? -1 : 1;
    }
    return strcmp(x->format->name, y->format->name);
}

/* Scores of all formats but pairs, best first; those that match nothing are left out. Returns their number; *lines of the sample. */
static size_t rank(const struct format_set *set, lq_str sample, bool whole, bool enveloped, struct detect_score *out, uint32_t *lines)
{
    size_t n = 0;
    *lines = 0;
    for (size_t i = 0; i < set->n; i++) {
        if (set->f[i]->inner == NULL && !(enveloped && set->f[i]->kind == PARSER_PLAIN)) {
            struct detect_score s = score(set->f[i], sample, whole, enveloped);
            *lines = s.lines > *lines ? s.lines : *lines;
            out[n] = s;
            n += s.matched > 0;
        }
    }
    qsort(out, n, sizeof *out, better);
    return n;
}

/* An inferred format under the first free name of its kind (json, json_2, …); one with the same schema is used again. */
static void add_inferred(struct format_set *s, struct format *f)
{
    char name[32];
    const char *kind = parser_kind_name(f->kind);
    for (unsigned i = 1; i < 100; i++) {
        snprintf(name, sizeof name, i == 1 ? "%s" : "%s_%u", kind, i);
        const struct format *old = NULL;
        if (format_set_find(s, name, &old, NULL) != LQ_OK) {
            f->name = lq_arena_strdup(&f->mem, lq_str_of(name));
            f->schema.name = f->name;
            format_set_put(s, f);
            return;
        }
        bool same = old->n_fields == f->n_fields && (old->time_slot == UINT32_MAX) == (f->time_slot == UINT32_MAX);
        for (uint32_t k = 0; same && k < f->n_fields; k++) {
            same = strcmp(old->fields[k].name, f->fields[k].name) == 0 && old->fields[k].role == f->fields[k].role;
        }
        if (same) {
            break;
        }
    }
    format_free(&f);
}

/* Ranks; when no shipped format fits nearly every line, one inferred from the sample competes too. */
static size_t rank_or_infer(struct format_set *set, lq_str sample, bool whole, bool enveloped, struct detect_score **all, uint32_t *lines)
{
    *all = lq_alloc((set->n + 2) * sizeof **all);
    size_t n = rank(set, sample, whole, enveloped, *all, lines);
    bool fits = n > 0 && (*all)[0].format->priority >= GENERIC_PRIORITY && ((*all)[0].matched - (*all)[0].undated) * 10 >= (*all)[0].lines * 9;
    static const enum parser_kind kinds[] = {PARSER_JSON, PARSER_CSV, PARSER_LOGFMT};
    struct format *f = NULL;
    for (size_t i = 0; i < 3 && f == NULL && !fits; i++) {
        f = format_infer(sample, kinds[i], DETECT_LINES, enveloped);
    }
    if (f != NULL) {
        add_inferred(set, f);
        n = rank(set, sample, whole, enveloped, *all, lines);
    }
    return n;
}

/* The messages of an envelope, a line each. */
static void messages_of(const struct format *f, lq_str sample, bool enveloped, struct lq_buf *out, uint32_t *lines)
{
    struct parser *p = NULL;
    struct parser_config c = {.format = f, .reference_us = DETECT_REFERENCE_US};
    *lines = 0;
    if (parser_new(&c, &p, NULL) != LQ_OK) {
        return;
    }
    p->enveloped = enveloped;
    while (sample.n > 0 && *lines < DETECT_LINES) {
        struct record r;
        lq_str line = format_next_line(&sample);
        enum parse_result result = parser_parse(p, line, &r);
        *lines += result != PARSE_HEADER;
        if (result == PARSE_OK && r.message.n > 0) {
            lq_str m = format_unmark(r.message);
            lq_buf_add(out, m.p, m.n);
            lq_buf_byte(out, '\n');
        }
    }
    parser_free(&p);
}

/* What the messages of `outer` are lines of: the pair, or outer itself. Says so in why. */
static const struct format *open_messages(struct format_set *set, const struct format *outer, lq_str sample, unsigned depth, struct detection *out)
{
    const struct format *result = outer;
    struct lq_buf messages = {0};
    uint32_t lines, inner_lines;
    if (outer->inner_slot == UINT32_MAX || depth >= INNER_MAX) {
        return outer;
    }
    messages_of(outer, sample, depth > 0, &messages, &lines);
    lq_str text = {messages.p, messages.n};
    if (text.n > 0) {
        struct detect_score *all;
        size_t n = rank_or_infer(set, text, true, true, &all, &inner_lines);
        const struct detect_score *best = NULL;
        for (size_t i = 0; i < n && best == NULL; i++) {
            best = all[i].format != outer ? &all[i] : NULL;
        }
        if (best != NULL && best->matched >= INNER_LEAST && best->matched * INNER_SHARE >= lines) {
            size_t at = strlen(out->why);
            snprintf(out->why + at, sizeof out->why - at, "; %u of %u messages are lines of %s", best->matched, lines, best->format->name);
            const struct format *inner = open_messages(set, best->format, text, depth + 1, out);
            if (format_pair(set, outer, inner, &result, NULL) != LQ_OK) {
                result = outer;
            }
        }
        free(all);
    }
    lq_buf_fini(&messages);
    return result;
}

void format_detect(struct format_set *set, lq_str sample, struct detection *out)
{
    bool whole = sample.n < DETECT_BYTES;
    uint32_t lines;
    memset(out, 0, sizeof *out);
    sample.n = sample.n < DETECT_BYTES ? sample.n : DETECT_BYTES;
    struct detect_score *all;
    size_t n = rank_or_infer(set, sample, whole, false, &all, &lines);
    for (; out->n < n && out->n < DETECT_SCORES; out->n++) {
        out->scores[out->n] = all[out->n];
    }
    const struct detect_score *best = n > 0 ? &all[0] : NULL;
    if (best != NULL && 2 * best->matched >= best->lines) {
        int used = snprintf(out->why, sizeof out->why, "%u of %u sample lines match", best->matched, best->lines);
        if (best->undated > 0) {
            used += snprintf(out->why + used, sizeof out->why - (size_t)used, ", %u of them without a time", best->undated);
        }
        if (n > 1) {
            snprintf(out->why + used, sizeof out->why - (size_t)used, "; next is %s with %u", all[1].format->name, all[1].matched);
        }
        out->format = open_messages(set, best->format, sample, 0, out);
    } else if (lines == 0 && n == 0 && sample.n == 0) {
        snprintf(out->why, sizeof out->why, "no lines to look at");
    } else if (best != NULL) {
        snprintf(out->why, sizeof out->why, "no format matches half of %u sample lines; nearest is %s with %u", best->lines, best->format->name, best->matched);
    } else {
        snprintf(out->why, sizeof out->why, "no format matches any of %u sample lines", lines);
    }
    free(all);
}
