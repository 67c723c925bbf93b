/*
 * format.h - formats: named descriptions of lines, from YAML to records
 *
 * A format file (schema/formats/NAME.yaml, or a directory of the user) is loaded strictly: an unknown key, a wrong type, a
 * tab or a bad pattern is an error with file:line:column and the nearest known name. The keys (README.md of this folder is
 * the reference):
 *
 *   name: nginx_combined            description: …          records: requests | events
 *   priority: 50                    detection tie-break; more specific formats have a higher one
 *   pattern: '^%{IP:client} …'      PCRE2, named groups, anchored; %{NAME:field} is a piece of it (grok.h); or   parser: json, logfmt, csv, w3c, plain
 *   patterns: {NAME: '…'}           pieces of this file
 *   time: {field: time, layout: clf}
 *   fields:                         one per group (or JSON path)
 *     status: {role: dimension, type: int}
 *     request_time: {role: measure, type: seconds|milliseconds|int|float|bytes, unit: s}
 *     client: {role: identity}
 *     message: {role: message}
 *     agent: {role: ignore}
 *     method: {path: request.method, role: dimension, required: true}   structured text: where it is; a line without it is of another format
 *   extract:                        second regexes; their groups are fields too
 *     - {field: message, pattern: 'duration: (?<duration>[\d.]+) ms'}
 *   derive:                         in order; each gives a dimension
 *     route: {route: path}          status_class: {status_class: status}
 *     audience: {cidr: client, map: {10.0.0.0/8: employees, "*": customers}}
 *     level: {map: severity, values: {"3": error}, default: info}
 *     session_end: {session_end: status, target: target, method: method, user: user, referrer: referrer, location: location}   lost or logout (derive.h)
 *     template: {shape: message}     level: {level: level}     level: {severity: pri}
 *     exception: {exception: message}     frame: {frame: message}     version: {regex: message, pattern: 'v(\d+)'}
 *   error: 'status >= 500'          a comparison over fields: = != > >= < <= ~ !~ in (…), and/or/not, parentheses
 *   inner: message                  an envelope: the message may be a line of another format
 *   partial: 'flag = P'             an envelope whose message goes on in the next line (a predicate as in error:)
 *   multiline: true                 lines that follow and match no format belong to the message (multiline.h); all: every line that does not match
 *   skip: '^#'                      lines that are no records: comments, headings
 *   markers: [{kind: restart, template: '^start'}]   what lines show that was done (sighting.h); a file with nothing else: for messages of all formats
 *   mask: email,ip                  kept out of the store for lines of this format, whatever the store masks (mask.h): email, token, card, ip, or all
 *   sketch_by: [route, host, version, audience]
 *   limits: {match: 100000, depth: 1000}
 *   samples:                        tested: each line must match and give these fields
 *     - line: '…'
 *       expect: {status: "200", route: /a/{id}, time: 2015-05-17T10:05:03Z, error: false}
 *
 * Formats are immutable after loading and shared between threads; a `struct parser` is the run state of one thread.
 * Matching is PCRE2 with JIT in byte mode, anchored, with match and depth limits, reused match data and no allocation
 * per line.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_FORMAT_H
#define LQ_FORMAT_H

#include "schema/labels.h"
#include "schema/memo.h"
#include "schema/record.h"
#include "schema/timefmt.h"

struct format;     /* one loaded format */
struct format_set; /* all formats known to the program */

/* Load every *.yaml of the directories in order (a later one replaces a format of the same name). NULL = the installed
 * directory, or the source tree's when that is absent ($LQ_FORMATS overrides both). */
LQ_MUST enum lq_err format_set_load(const char *const *dirs, size_t n_dirs, struct format_set **out, struct lq_error *e);
/* One format from text, added to a set (may be a new empty set made with format_set_new). */
struct format_set *format_set_new(void);
LQ_MUST enum lq_err format_set_add_text(struct format_set *s, const char *file, lq_str yaml, struct lq_error *e);
void format_set_free(struct format_set **s);
size_t format_set_count(const struct format_set *s);
const struct format *format_set_at(const struct format_set *s, size_t i); /* by name order */
/* LQ_EINVAL with the nearest name as hint. OUTER+INNER: lines of INNER in the messages of OUTER (made when absent; not thread-safe). */
LQ_MUST enum lq_err format_set_find(struct format_set *s, const char *name, const struct format **out,
                                    struct lq_error *e);

const char *format_name(const struct format *f);
const char *format_description(const struct format *f);
/* The schema without custom labels. Built-in dimensions first (record.h). */
const struct stream_schema *format_schema(const struct format *f);
unsigned format_mask(const struct format *f); /* what it masks, with the formats in its messages */
/* Run the format's own samples; the first failure is in e. */
LQ_MUST enum lq_err format_test_samples(const struct format *f, struct lq_error *e);
/* The samples, for tests of detection: returns the i-th sample line, n = 0 past the end. */
int format_priority(const struct format *f);
lq_str format_sample(const struct format *f, size_t i);
/* CSV and W3C: the sample without its header line. */
lq_str format_record_line(const struct format *f, size_t i);
/* How lines are matched: "scanner, else PCRE2", "PCRE2", or the parser's name. */
const char *format_runs_as(const struct format *f);
/* `lq format show`: YAML-like description with roles, pattern, schema. */
void format_print(const struct format *f, struct lq_buf *out);

/* The stream `unparsed`: lines that no format matched. Dimensions: built-in and `template` (masked shape). */
const struct stream_schema *unparsed_schema(void);

enum { INNER_MAX = 3 }; /* envelopes around a line */

enum parse_result {
    PARSE_OK = 0,
    PARSE_NO_MATCH,  /* the pattern does not match */
    PARSE_BAD_TIME,  /* it matches, but the time stamp is no time */
    PARSE_TOO_COSTLY, /* match or depth limit reached */
    PARSE_NO_TIME,    /* a JSON line of this format that has no time stamp: parser_parse_at gives it one */
    PARSE_HEADER,     /* a line that names the columns of those that follow (CSV, W3C), or a comment: no record */
    PARSE_RESULTS,
};
const char *parse_result_name(enum parse_result r); /* "no_match", … : names of counters */

/*
 * One thread's parser for one source: a format bound to the source's labels, zone and reference time.
 */
struct parser;
struct parser_config {
    const struct format *format;
    const struct labels *labels;     /* may be NULL */
    const struct timezone_rules *tz; /* may be NULL: UTC */
    int64_t reference_us;
    struct memo *memo; /* of the thread that parses; NULL: nothing is remembered */
};
LQ_MUST enum lq_err parser_new(const struct parser_config *c, struct parser **out, struct lq_error *e);
void parser_free(struct parser **p);
/* Schema of the records: the format's with custom labels appended. Lives as long as the parser. */
const struct stream_schema *parser_schema(const struct parser *p);
/* Of OUTER+INNER…: the schema of records with inner == depth (0: parser_schema); NULL past the last. */
const struct stream_schema *parser_schema_at(const struct parser *p, unsigned depth);
/* CSV and W3C: where the header line put each field. A parser learns it from the header among its lines; one that begins in the middle of a source is told
 * what a parser of the beginning has learned, or made to look at the beginning. */
enum { COLUMNS_MAX = 256 };
struct columns {
    uint32_t n; /* 0: no header yet */
    uint8_t slot[COLUMNS_MAX], last[COLUMNS_MAX];
    char separator;
};
bool parser_has_columns(const struct parser *p);
const struct columns *parser_columns(const struct parser *p);
/* Whole lines of the source, to be parsed elsewhere or not at all: only headers in them are looked at. */
void parser_learn(struct parser *p, lq_str lines);

/* Line without its line end (a trailing '\r' is cut here). On PARSE_OK *r is filled, views valid until the next call. */
enum parse_result parser_parse(struct parser *p, lq_str line, struct record *r);
/* The line with a time for it, where parser_parse says PARSE_NO_TIME: that of the last line before it, else of the file, or of receipt. */
enum parse_result parser_parse_at(struct parser *p, lq_str line, int64_t time_us, struct record *r);
/* What the envelope of the next lines says (the header of a syslog message): stands where the labels host and service would. n = 0: the labels again. The
 * views must live until the next call. */
void parser_envelope(struct parser *p, lq_str host, lq_str service);
/* The reference of stamps without a year, for a parser that lives long. */
void parser_reference(struct parser *p, int64_t reference_us);
/* A record of stream `unparsed` for a line that did not match; time_us is the last event time of this source (or
 * reference time). Same labels. */
const struct stream_schema *parser_unparsed_schema(const struct parser *p);
void parser_unparsed(struct parser *p, lq_str line, int64_t time_us, struct record *r);

/*
 * Detection: score every format on sample lines of a source.
 */
enum { DETECT_LINES = 200, DETECT_BYTES = 256 * 1024, DETECT_SCORES = 16 };
struct detect_score {
    const struct format *format;
    uint32_t matched, undated, lines; /* lines of the sample that matched, with a valid time; of these, JSON without one; all */
};
struct detection {
    const struct format *format; /* NULL: none matches at least 1 in 2 lines */
    uint32_t n;                  /* scores, best first */
    struct detect_score scores[DETECT_SCORES];
    char why[256]; /* one sentence: "combined: 199 of 200 sample lines match; next is common with 12" */
};
/* Sample = the first bytes of the source. JSON lines: a format is inferred from the fields seen (time, level, message, status,
 * durations, ids) unless a shipped JSON format fits; an inferred format is added to the set under the name `json`, or
 * `json_2`… for another field set, the same for the same fields. Not thread-safe on the set. */
void format_detect(struct format_set *s, lq_str sample, struct detection *out);

/* `lq format try`: what a line becomes, field by field, or at which byte the format stops matching, and the formats that get furthest into it.
 * f: the format of the source, NULL = none. before: the lines before it, for headers. True: it matches. */
bool format_try(struct format_set *s, const struct format *f, lq_str before, lq_str line, struct lq_buf *out);

/* A PCRE2 regex for others (queries borrow it here): compiled once, matched anywhere in the text. */
struct lq_regex;
LQ_MUST enum lq_err lq_regex_new(lq_str pattern, struct lq_regex **out, struct lq_error *e);
void lq_regex_free(struct lq_regex **r);
bool lq_regex_match(const struct lq_regex *r, lq_str text); /* false also when limits are hit */
/* Groups of the first match: groups[0] is the whole; returns the number filled, 0 = no match. */
size_t lq_regex_groups(const struct lq_regex *r, lq_str text, lq_str *groups, size_t cap);

#endif
