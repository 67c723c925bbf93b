/*
 * out.h - results as text: table, chart, csv, json, ndjson (the JSON forms are a contract, CLI.md)
 *
 *      json            every step of every series, null where nothing is known
 *      csv, ndjson     one row per series and step that has records; a query without `by` gives every step. With `change` one row per change,
 *                      with `lines` one per line
 *      table, chart    for people: local time, units, cut to the terminal's width
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_OUT_H
#define LQ_OUT_H

#include "query/exec.h"

/* An answer that is printed in parts, as time goes on: what the parts before it have settled. */
struct out_part {
    bool begun; /* the header row is there */
    uint16_t width[1 + QUERY_BY_MAX + QUERY_OUT_MAX]; /* of a table: stream, labels, columns; they only grow */
};
struct out_options {
    const struct timezone_rules *tz; /* of tables and charts; JSON and csv are always UTC */
    uint32_t width;                  /* columns of the terminal, 0 = unlimited */
    bool color;
    const struct marker *markers; /* of the range, for charts */
    size_t n_markers;
    struct out_part *part; /* of tables and csv; NULL: the answer is whole */
};
struct out_format {
    const char *name, *help;
    void (*print)(const struct result *r, const struct out_options *o, FILE *f);
};
extern const struct out_format out_formats[]; /* ends with name NULL */
LQ_MUST enum lq_err out_format_find(const char *name, const struct out_format **out, struct lq_error *e);

/* JSON pieces: a string with quotes, valid UTF-8 whatever comes in; a number with up to 6 significant digits, null for NAN. */
void json_string(FILE *f, lq_str s);
void json_number(FILE *f, double v);
void json_time(FILE *f, int64_t us);
/* A number for people: integers plain, else 6 significant digits. "" for NAN. */
void number_print(double v, char out[32]);

#endif
