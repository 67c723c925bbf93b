/*
 * format_sample.c - a format's own samples: each line must give the fields that the file says
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/format_int.h"

/* The text of a column or slot of a parsed sample, for comparison. */
static lq_str sample_value(const struct parser *p, const struct record *r, const char *key, char *scratch)
{
    const struct stream_schema *s = &p->schema;
    if (strcmp(key, "time") == 0) {
        time_print_utc(r->time_us, scratch);
        return lq_str_of(scratch);
    }
    for (uint32_t i = 0; i < s->n_dims; i++) {
        if (strcmp(s->dims[i], key) == 0) {
            return r->dims[i];
        }
    }
    for (uint32_t i = 0; i < s->n_measures; i++) {
        if (strcmp(s->measures[i].name, key) == 0) {
            snprintf(scratch, 64, "%g", (double)r->measures[i] / (double)s->measures[i].scale);
            return (r->measure_set >> i & 1) != 0 ? lq_str_of(scratch) : (lq_str){"", 0};
        }
    }
    for (uint32_t i = 0; i < s->n_identities; i++) {
        if (strcmp(s->identities[i], key) == 0) {
            return r->identities[i];
        }
    }
    if (strcmp(key, "message") == 0) {
        return r->message;
    }
    uint32_t slot = format_slot(p->f, lq_str_of(key));
    return slot != UINT32_MAX ? p->s.slots[slot] : LQ_STR("(no such field)");
}

enum lq_err format_test_samples(const struct format *f, struct lq_error *e)
{
    struct parser_config c = {.format = f, .reference_us = 1772445600000000 /* 2026-03-02T10:00:00Z, for stamps without a year */};
    struct parser *p = NULL;
    enum lq_err err = parser_new(&c, &p, e);
    for (uint32_t i = 0; i < f->n_samples && err == LQ_OK; i++) {
        struct record r = {0};
        lq_str line = f->samples[i].line;
        if (parser_has_columns(p)) { /* the header line, then the record */
            parser_learn(p, line);
            format_next_line(&line);
        }
        enum parse_result result = parser_parse(p, line, &r);
        if (result != PARSE_OK) {
            err = lq_error_set(e, LQ_EINVAL, "format %s: sample %u: %s: %.*s", f->name, i + 1, parse_result_name(result),
                               (int)f->samples[i].line.n, f->samples[i].line.p);
        }
        for (uint32_t k = 0; k < f->samples[i].n && err == LQ_OK; k++) {
            char scratch[64];
            lq_str got = sample_value(p, &r, f->samples[i].key[k], scratch);
            if (!lq_str_is(got, f->samples[i].want[k])) {
                err = lq_error_set(e, LQ_EINVAL, "format %s: sample %u: %s is \"%.*s\", expected \"%s\"", f->name, i + 1, f->samples[i].key[k],
                                   (int)got.n, got.p, f->samples[i].want[k]);
            }
        }
    }
    parser_free(&p);
    return err;
}
