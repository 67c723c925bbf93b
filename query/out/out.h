/*
 * out.h - results as text: table, csv, json, ndjson (the JSON forms are a contract)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_OUT_H
#define LQ_OUT_H

#include "query/exec.h"

struct out_options {
    const struct timezone_rules *tz; /* of tables; JSON is always UTC */
    uint32_t width;                  /* columns of the terminal, 0 = unlimited */
};
struct out_format {
    const char *name, *help;
    void (*print)(const struct result *r, const struct out_options *o, FILE *f);
};
extern const struct out_format out_formats[]; /* ends with name NULL */
LQ_MUST enum lq_err out_format_find(const char *name, const struct out_format **out, struct lq_error *e);

/* JSON pieces: a string with quotes, valid UTF-8 whatever comes in; a number with up to `digits` significant digits, null for NAN. */
void json_string(FILE *f, lq_str s);
void json_number(FILE *f, double v);
void json_time(FILE *f, int64_t us);
/* A number for people and csv: integers plain, else 6 significant digits. "" for NAN. */
void number_print(double v, char out[32]);

#endif
