/*
 * format_text.c - structured text to slots: JSON, logfmt, CSV, W3C, and plain lines with a time stamp
 *
 * CSV and W3C lines mean nothing without their header: it is a line like the others, answered with PARSE_HEADER, and holds until the next one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/csv.h"
#include "schema/format_int.h"
#include "schema/logfmt.h"
#include "schema/plain.h"

struct pairs {
    const struct format *f;
    lq_str *slots;
};

static bool take_pair(void *ctx, lq_str key, lq_str value)
{
    struct pairs *x = ctx;
    for (uint32_t i = 0; i < x->f->n_fields; i++) {
        if (x->f->fields[i].extract == 0 && lq_str_is(key, x->f->fields[i].path)) {
            x->slots[i] = value;
        }
    }
    return true;
}

static bool json_slots(struct parser *p, lq_str line)
{
    struct parse_scratch *s = &p->s;
    size_t at;
    if (!json_scan(p->f->paths, line, s->json, &s->text, &at)) {
        return false;
    }
    for (uint32_t i = 0; i < p->f->n_fields; i++) {
        enum json_type t = s->json[i].type;
        bool text = t == LQ_JSON_STRING || t == LQ_JSON_NUMBER || t == LQ_JSON_TRUE || t == LQ_JSON_FALSE;
        s->slots[i] = text ? s->json[i].text : (lq_str){"", 0};
    }
    return true;
}

/* ---- columns ---- */

/* A field whose path is "date time" is the text of two neighbouring columns. */
static void place_column(const struct format *f, struct columns *c, lq_str name, lq_str before)
{
    uint32_t n = c->n;
    c->slot[n] = c->last[n] = NO_COLUMN;
    for (uint32_t i = 0; i < f->n_fields; i++) {
        const char *path = f->fields[i].path, *two = f->kind == PARSER_W3C ? strchr(path, ' ') : NULL;
        if (f->fields[i].extract > 0) {
            continue;
        }
        if (two == NULL ? lq_str_is(name, path) : n > 0 && lq_str_is(name, two + 1) && lq_str_eq(before, (lq_str){path, (size_t)(two - path)})) {
            c->slot[n] = two == NULL ? (uint8_t)i : NO_COLUMN;
            c->last[n] = (uint8_t)i;
        }
    }
    for (uint32_t i = 0; i < f->n_fields; i++) { /* the first of two */
        const char *two = f->kind == PARSER_W3C ? strchr(f->fields[i].path, ' ') : NULL;
        if (two != NULL && lq_str_eq(name, (lq_str){f->fields[i].path, (size_t)(two - f->fields[i].path)})) {
            c->slot[n] = (uint8_t)i;
        }
    }
    c->n++;
}

static char separator_of(const struct format *f, lq_str line)
{
    static const char tries[] = ",;\t|";
    if (f->kind == PARSER_W3C) {
        return memchr(line.p, '\t', line.n) != NULL ? '\t' : ' ';
    }
    char best = ',';
    size_t most = 0;
    for (size_t k = 0; k + 1 < sizeof tries; k++) {
        size_t n = 0;
        for (size_t i = 0; i < line.n; i++) {
            n += line.p[i] == tries[k];
        }
        if (n > most) {
            most = n;
            best = tries[k];
        }
    }
    return best;
}

bool text_header(const struct format *f, lq_str line, struct columns *out)
{
    static const char fields_word[] = "#Fields:";
    struct columns c = {.n = 0};
    lq_str cell = {"", 0}, before;
    bool more = true, time = false;
    uint64_t found = 0; /* fields */
    if (f->kind == PARSER_W3C) {
        if (line.n < sizeof fields_word || memcmp(line.p, fields_word, sizeof fields_word - 1) != 0) {
            return false;
        }
        line.p += sizeof fields_word - 1;
        line.n -= sizeof fields_word - 1;
        while (line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t')) {
            line.p++;
            line.n--;
        }
    }
    c.separator = separator_of(f, line);
    struct lq_buf scratch = {0};
    lq_buf_reserve(&scratch, line.n + 1);
    while (more && c.n < COLUMNS_MAX) {
        before = cell;
        if (!csv_next(&line, c.separator, &scratch, &cell, &more)) {
            break;
        }
        place_column(f, &c, cell, before);
        time = time || c.last[c.n - 1] == f->time_slot;
        found |= c.last[c.n - 1] != NO_COLUMN ? UINT64_C(1) << c.last[c.n - 1] : 0;
    }
    for (uint32_t i = 0; i < f->n_fields; i++) {
        time = time && (!f->fields[i].required || (found >> i & 1) != 0);
    }
    lq_buf_fini(&scratch);
    c.separator = f->kind == PARSER_W3C && c.separator == ' ' ? 0 : c.separator; /* values may use tabs all the same */
    if (time) {
        *out = c;
    }
    return time;
}

static enum parse_result column_slots(struct parser *p, lq_str line)
{
    struct columns *c = &p->columns;
    struct lq_buf *scratch = &p->s.text;
    const struct format *f = p->f;
    bool more = true;
    if (f->kind == PARSER_W3C ? line.p[0] == '#' : c->n == 0) {
        text_header(f, line, c);
        return f->kind == PARSER_W3C || c->n > 0 ? PARSE_HEADER : PARSE_NO_MATCH;
    }
    if (c->n == 0) {
        return PARSE_NO_MATCH;
    }
    char separator = c->separator != 0 ? c->separator : memchr(line.p, '\t', line.n) != NULL ? '\t' : ' ';
    lq_str rest = line, cell;
    uint32_t i = 0;
    lq_buf_reserve(scratch, line.n + 1);
    for (; i < c->n && more; i++) {
        if (!csv_next(&rest, separator, scratch, &cell, &more)) {
            return PARSE_NO_MATCH;
        }
        if (c->slot[i] != NO_COLUMN) {
            p->s.slots[c->slot[i]] = cell;
        }
        if (c->last[i] != NO_COLUMN && c->last[i] != c->slot[i]) { /* "date time": from the first column to the end of this one */
            lq_str *two = &p->s.slots[c->last[i]];
            two->n = cell.p >= two->p && cell.p <= line.p + line.n ? (size_t)(cell.p + cell.n - two->p) : two->n;
        }
    }
    if (i < c->n || more) {
        return PARSE_NO_MATCH;
    }
    /* The header again: files put together. */
    return f->kind == PARSER_CSV && lq_str_is(p->s.slots[f->time_slot], f->fields[f->time_slot].path) ? PARSE_HEADER : PARSE_OK;
}

/* ---- all kinds ---- */

enum parse_result text_slots(struct parser *p, lq_str line)
{
    const struct format *f = p->f;
    lq_str *slots = p->s.slots;
    enum parse_result result = PARSE_OK;
    lq_buf_clear(&p->s.text);
    for (uint32_t i = 0; i < f->n_fields; i++) {
        slots[i] = (lq_str){"", 0};
    }
    switch (f->kind) {
    case PARSER_JSON:
        result = json_slots(p, line) ? PARSE_OK : PARSE_NO_MATCH;
        break;
    case PARSER_LOGFMT:
        result = logfmt_each(line, take_pair, &(struct pairs){f, slots}, &p->s.text) ? PARSE_OK : PARSE_NO_MATCH;
        break;
    case PARSER_CSV:
    case PARSER_W3C:
        result = line.n > 0 ? column_slots(p, line) : PARSE_NO_MATCH;
        break;
    default:
        result = plain_scan(line, &slots[PLAIN_TIME], &slots[PLAIN_LEVEL], &slots[PLAIN_MESSAGE]) ? PARSE_OK : PARSE_NO_MATCH;
    }
    bool any = p->enveloped || f->kind == PARSER_JSON || (f->time_slot != UINT32_MAX && slots[f->time_slot].n > 0);
    for (uint32_t i = 0; i < f->n_fields && result == PARSE_OK && any; i++) {
        any = !f->fields[i].required || slots[i].n > 0 || f->kind == PARSER_W3C || f->kind == PARSER_CSV;
    }
    return result == PARSE_OK && !any ? PARSE_NO_MATCH : result;
}

bool parser_has_columns(const struct parser *p)
{
    return p->f != NULL && (p->f->kind == PARSER_CSV || p->f->kind == PARSER_W3C);
}

const struct columns *parser_columns(const struct parser *p)
{
    return &p->columns;
}

void parser_learn(struct parser *p, lq_str lines)
{
    bool w3c = p->f != NULL && p->f->kind == PARSER_W3C;
    while (parser_has_columns(p) && lines.n > 0 && (w3c || p->columns.n == 0)) {
        const char *mark = w3c && lines.p[0] != '#' ? memmem(lines.p, lines.n, "\n#Fields:", 9) : lines.p;
        if (mark == NULL) {
            break;
        }
        mark += *mark == '\n';
        lines = (lq_str){mark, lines.n - (size_t)(mark - lines.p)};
        lq_str line = format_next_line(&lines);
        text_header(p->f, line, &p->columns);
    }
}
