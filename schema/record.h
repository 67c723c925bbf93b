/*
 * record.h - a parsed line: what schema/ hands to store/ (through ingest/)
 *
 * A record is borrowed: its views point into the line (or into the scratch of the parser that made it) and live until
 * the next parse with the same scratch.
 *
 * The columns of a record are those of its stream's schema (struct stream_schema): dimension i of the record is
 * dimension i of the schema. Every schema has the built-in dimensions first, in this order, so that other parts can
 * rely on their indices:
 *
 *      0 error     "true" or "false", set by the format's `error:` predicate; never absent
 *      1 host      2 service      3 version      4 env          (from fields or labels; absent = empty)
 *      5 …         the format's own dimensions, then custom labels
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_RECORD_H
#define LQ_RECORD_H

#include "schema/base/buf.h"
#include "schema/sighting.h"

enum {
    DIM_MAX = 32,        /* dimensions of a stream, built-in ones included */
    MEASURE_MAX = 8,     /* measures of a stream */
    IDENTITY_MAX = 4,    /* identities of a stream */
    NAME_BYTES_MAX = 64, /* a field's or stream's name */
    VALUE_BYTES_MAX = 256, /* a dimension value; longer ones are cut at a UTF-8 boundary and end in "…" */
    LINE_BYTES_MAX = 1 << 20, /* a longer line is cut here and counted as `line_too_long` */
};

enum { DIM_ERROR = 0, DIM_HOST, DIM_SERVICE, DIM_VERSION, DIM_ENV, DIM_BUILTIN };

/* What the records of a format are. Each record of `requests` is one request; the request stream nearest to the user
 * is the default target of `lq why`. */
enum stream_kind { STREAM_EVENTS = 0, STREAM_REQUESTS = 1 };

/* A measure is stored as int64: round(value * scale). scale is 1, 1000 or 1000000. unit: "s", "bytes", "" … of the
 * unscaled value (request_time: scale 1000000, unit "s"). */
struct measure_schema {
    const char *name;
    const char *unit;
    int64_t scale;
};

struct stream_schema {
    const char *name; /* the stream's name = the format's name */
    enum stream_kind kind;
    uint32_t n_dims, n_measures, n_identities;
    const char *dims[DIM_MAX];
    struct measure_schema measures[MEASURE_MAX];
    const char *identities[IDENTITY_MAX];
    uint32_t sketch_by; /* bit i: distinct and hourly quantile sketches are kept per value of dimension i */
    unsigned mask; /* what is masked in its texts, besides what the store masks (mask.h) */
    uint32_t no_cap_probation; /* bit i: values of dimension i are admitted at once (few by nature: status, level) */
};

struct record {
    int64_t time_us; /* event time, microseconds since 1970 UTC */
    const lq_str *dims; /* of the schema's dimensions, n = 0: absent; lives as long as what the record was parsed from is not parsed on */
    int64_t measures[MEASURE_MAX];
    uint32_t measure_set; /* bit i: measure i is present */
    lq_str identities[IDENTITY_MAX]; /* n = 0: absent */
    uint64_t pid;   /* the process that wrote it; 0 = not known */
    lq_str message; /* free text, n = 0 if the format has none */
    lq_str line;    /* the whole line, for example lines */
    bool error;
    uint8_t inner; /* envelopes around the line: which of the parser's schemas it has (parser_schema_at, format.h) */
    uint64_t memo; /* not 0: every record with this number has the same dimensions, error and success (memo.h) */
    const struct sighting *sighting; /* something was done, as this line shows; NULL: nothing */
    bool success; /* the request succeeded (no error and, for requests, status < 400): such values persist under caps */
};

/* A number of at most ten digits; else 0. */
static inline uint64_t record_pid(lq_str s)
{
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || s.n > 10) {
            return 0;
        }
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    }
    return v;
}

#endif
