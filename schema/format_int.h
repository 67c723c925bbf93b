/*
 * format_int.h - the inside of a format, shared by the format_*.c files
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_FORMAT_INT_H
#define LQ_FORMAT_INT_H

#include "schema/derive.h"
#include "schema/format.h"
#include "schema/json_scan.h"
#include "schema/lower.h"
#include "schema/sighting.h"

enum { FIELD_MAX = 48, DERIVE_MAX = 24, EXTRACT_MAX = 8, SAMPLE_MAX = 24, MAP_MAX = 64, SLOT_MAX = FIELD_MAX + DERIVE_MAX, GROUP_MAX = LOWER_GROUPS_MAX };

enum field_role { ROLE_IGNORE, ROLE_DIMENSION, ROLE_MEASURE, ROLE_IDENTITY, ROLE_MESSAGE, ROLE_TIME };
enum field_type { TYPE_STRING, TYPE_INT, TYPE_FLOAT, TYPE_SECONDS, TYPE_MILLISECONDS, TYPE_MICROSECONDS, TYPE_BYTES, TYPE_NANOSECONDS, TYPE_DURATION };

enum parser_kind { PARSER_PATTERN, PARSER_JSON, PARSER_LOGFMT, PARSER_CSV, PARSER_W3C, PARSER_PLAIN };

struct field {
    const char *name; /* also the group's name */
    const char *path; /* where the value is: JSON path, logfmt key, column; the name when not given */
    enum field_role role;
    enum field_type type;
    uint32_t group;   /* PCRE2 group number, or index of the path */
    bool required;    /* structured text: a line without it is of another format */
    uint32_t extract; /* 0: of the pattern; else of extracts[extract - 1] */
};

/* A second regex: its groups are fields, read from the text of another one. */
struct extract {
    const char *from_name, *pattern;
    uint32_t from; /* slot */
    struct matcher *matcher;
};

enum derive_kind { DERIVE_ROUTE, DERIVE_STATUS_CLASS, DERIVE_CIDR, DERIVE_MAP, DERIVE_SHAPE, DERIVE_REGEX, DERIVE_ASSET, DERIVE_LEVEL, DERIVE_LEVEL_IN,
                   DERIVE_SEVERITY, DERIVE_EXCEPTION, DERIVE_FRAME, DERIVE_SESSION_END };
enum session_arg { SESSION_TARGET, SESSION_METHOD, SESSION_USER, SESSION_REFERRER, SESSION_LOCATION, SESSION_QUERY, SESSION_ARGS };
struct derived {
    const char *name;
    enum derive_kind kind;
    uint32_t from;    /* slot */
    int64_t target;   /* >= 0: writes into this slot where it is empty (the name is also a field's) */
    struct cidr_map *cidr;
    struct lq_map values;
    const char **mapped;
    const char *fallback; /* map: default; NULL = the value itself */
    struct matcher *regex;
    uint32_t arg[SESSION_ARGS]; /* slots of session_end; UINT32_MAX = none */
};

/* Slots: fields first, then derived ones. */
struct sample {
    lq_str line;
    uint32_t n;
    const char *key[24], *want[24];
};

struct predicate;
struct matcher;
struct sight_rules;

struct format {
    struct lq_arena mem;
    const char *name, *description, *file, *pattern;
    int priority;
    enum parser_kind kind;
    enum { MULTILINE_NO, MULTILINE_YES, MULTILINE_ALL } multiline; /* do lines that the pattern does not match belong to the event before? (multiline.h); all: every one */
    struct matcher *skip;                                          /* lines that are no records: comments, headings */
    uint32_t n_fields, n_derived, n_samples, n_extracts;
    struct field fields[FIELD_MAX];
    struct derived derived[DERIVE_MAX];
    struct extract extracts[EXTRACT_MAX];
    struct sample samples[SAMPLE_MAX];
    uint32_t time_slot, message_slot, status_slot; /* UINT32_MAX = none; without a time: only in an envelope */
    uint32_t pid_slot; /* the field `pid` */
    uint32_t shape_slot;                           /* the derived field with the shape of the message; UINT32_MAX = none */
    uint32_t session;                              /* the derived field that tells how sessions end, its index; UINT32_MAX = none */
    uint32_t tail_slot;                            /* the field that the lines after the first belong to */
    uint32_t inner_slot;                           /* the field that may hold a line of another format; UINT32_MAX = none */
    const struct format *outer, *inner;            /* of a pair (format_inner.c): all else is the outer one's */
    struct time_layout *layout;
    const char *layout_text;
    struct matcher *matcher;
    struct json_paths *paths;
    bool only_markers;                             /* no format: a file of rules for messages */
    struct sight_rules *sights;                    /* markers:, NULL = none */
    const struct format_set *set;                  /* that it is in: has the rules for messages */
    struct predicate *error, *partial; /* partial: the message goes on in the next line (CRI, Docker) */
    const char *error_text;
    uint32_t match_limit, depth_limit;
    /* where a record's columns come from */
    struct stream_schema schema;
    uint32_t dim_slot[DIM_MAX]; /* UINT32_MAX: only labels give it */
    uint32_t measure_slot[MEASURE_MAX], identity_slot[IDENTITY_MAX];
    uint16_t span_at[FIELD_MAX]; /* of a pattern: where the spans of each field are; 0 for fields of extracts */
};

struct format_set {
    struct format **f;
    size_t n, cap;
    struct format *messages; /* a file with rules only: those for the messages of all formats; NULL = none */
};

/* format_load.c: one format from the text of its file */
LQ_MUST enum lq_err format_load_text(const char *file, lq_str yaml, struct format **out, struct lq_error *e);

const char *parser_kind_name(enum parser_kind k);

/* format_set.c */
void format_free(struct format **f);
struct format *format_set_get(const struct format_set *s, const char *name); /* NULL: absent */
void format_set_put(struct format_set *s, struct format *f); /* replaces one of the same name; keeps name order */
/* Finish a format whose fields, derives and time are set: schema and slots. */
LQ_MUST enum lq_err format_finish(struct format *f, struct lq_error *e);
uint32_t format_slot(const struct format *f, lq_str name); /* UINT32_MAX = no such field */

/* format_regex.c */
LQ_MUST enum lq_err matcher_new(const char *pattern, bool anchored, uint32_t match_limit, uint32_t depth_limit, struct matcher **out, size_t *error_at,
                                struct lq_error *e);
void matcher_free(struct matcher **m);
uint32_t matcher_group(const struct matcher *m, const char *name); /* 0 = none */
uint32_t matcher_groups(const struct matcher *m); /* capturing ones */
bool matcher_lowered(const struct matcher *m);
struct match_state; /* of one thread */
struct match_state *match_state_new(const struct matcher *m); /* NULL: one that serves every matcher */
void match_state_free(struct match_state **s);
enum match_result { MATCH_YES, MATCH_NO, MATCH_COSTLY };
/* spans: 2 * (groups + 1), LOWER_UNSET where a group took no part. */
enum match_result matcher_run(const struct matcher *m, struct match_state *s, lq_str line, uint32_t *spans);
/* How far the pattern got: the longest prefix of line that can still begin a match. */
size_t matcher_reach(const struct matcher *m, lq_str line);

/* format_predicate.c */
LQ_MUST enum lq_err predicate_new(const struct format *f, lq_str text, struct predicate **out, struct lq_error *e);
void predicate_free(struct predicate **p);
bool predicate_true(const struct predicate *p, const lq_str *slots);
bool predicate_uses(const struct predicate *p, uint32_t slot);
bool number_parse(lq_str s, double *v); /* decimal, the whole text */

/* format_text.c: structured text to slots */
#define NO_COLUMN UINT8_MAX

/* The time of an event whose stamp is in a line that has not come yet (a field of extract:). */
#define TIME_PENDING INT64_MIN

/* format_parse.c: the run state of one parser */
struct parse_scratch {
    lq_str slots[SLOT_MAX], dims[DIM_MAX];
    char derive[DERIVE_MAX][VALUE_BYTES_MAX + 16];
    char cut[DIM_MAX][VALUE_BYTES_MAX + 16];
    uint32_t spans[2 * (GROUP_MAX + 1)];
    struct json_value json[FIELD_MAX];
    struct lq_buf text; /* unescaped values */
};

struct parser {
    const struct format *f;
    struct parser *inner; /* of a pair */
    struct match_state *match, *search;
    struct time_parser time;
    struct labels labels;
    struct stream_schema schema, unparsed;
    lq_str label_value[DIM_MAX], unparsed_label[DIM_MAX]; /* by dimension */
    struct columns columns;
    /* in an envelope: its time, which counts when the line itself has none, or none that knows its zone while the envelope's does */
    bool enveloped, envelope_zoned;
    bool relabelled; /* parser_envelope() has given it other labels than its own */
    int64_t envelope_us;
    lq_str text;  /* the line, as it was given */
    bool partial; /* of the last line */
    bool pending; /* TIME_PENDING is an answer: the caller joins lines */
    struct parse_scratch s;
    const struct sight_rules *common;  /* the set's rules for messages, NULL: none */
    struct sight_cache *sights;        /* NULL: there are no rules */
    struct sighting sighting;          /* of the last line, where it shows one */
    struct memo *memo;            /* NULL: none */
    uint32_t number;              /* of the parser, in the keys of the memo */
    uint32_t n_key;
    uint8_t key_field[FIELD_MAX]; /* the fields that dimensions, error and success depend on */
};

/* The text of a slot of the current line; UINT32_MAX: there is none. */
static inline lq_str parser_slot(const struct parser *p, uint32_t slot)
{
    return slot != UINT32_MAX ? p->s.slots[slot] : (lq_str){"", 0};
}

/* format_fill.c: what a line says of its session */
struct session_line parser_session_line(const struct parser *p);
/* Dimensions, error, success, sighting and measures of the current line. key and its hash: parser_memo_key. */
void parser_fill(struct parser *p, lq_str key, uint64_t hash, struct record *r);

/* format_memo.c */
void parser_bind_memo(struct parser *p, struct memo *memo);
/* What the dimensions of the current line depend on, before anything is derived. n = 0: too long, or nothing is remembered. */
lq_str parser_memo_key(const struct parser *p, char key[MEMO_KEY_BYTES_MAX]);
/* The second key: of a record whose dimensions are filled in, not yet cleaned. Both are empty where nothing is remembered, or what matters is too long. */
lq_str parser_memo_dims_key(const struct parser *p, const struct record *r, char key[MEMO_KEY_BYTES_MAX]);

/* PARSE_HEADER: the line names the columns of those that follow. */
enum parse_result text_slots(struct parser *p, lq_str line);
/* Is this the header line of a CSV or W3C format? Then *out is filled. */
bool text_header(const struct format *f, lq_str line, struct columns *out);

/* event.c: lines as they are in an envelope of that time (detection looks at messages so) */
struct events;
void events_set_envelope(struct events *e, bool enveloped, int64_t us);

/* format_detect.c */
#define DETECT_REFERENCE_US 1772445600000000 /* 2026-03-02T10:00:00Z, for samples without a year */
lq_str format_next_line(lq_str *rest); /* without its line end */

/* format_inner.c */
/* The format OUTER+INNER of the set, made when absent. */
LQ_MUST enum lq_err format_pair(struct format_set *s, const struct format *outer, const struct format *inner, const struct format **out, struct lq_error *e);
lq_str format_unmark(lq_str message); /* without "@cee:" and blanks in front */

/* format_infer.c: a format for JSON, logfmt or CSV lines made from what a sample shows; NULL when they are not of that kind, or know no time (in an envelope
 * they need none). */
struct format *format_infer(lq_str sample, enum parser_kind kind, uint32_t lines_max, bool enveloped);

#endif
