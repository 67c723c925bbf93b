/*
 * push.h - logs that come in the body of an HTTP request: what the body says
 *
 *      body --push_parse--> lines, each with the labels of its group --push_send (input_http.c)--> channels, window, commit --> answer
 *
 * A body is read whole before anything of it is taken: where it is damaged nothing is stored, and the error names the place. Only of a bulk body single
 * documents may be refused, as its protocol says; the rest is stored. Four shapes:
 *
 *      lines    text, a line each; or JSON objects, a line each (application/x-ndjson, application/json)
 *      loki     {"streams":[{"stream":{"host":"web-1"},"values":[["<ns>","line",{…}]]}]}
 *      elastic  {"create":{"_index":"app"}} and the document in the next line, again and again
 *      otlp     {"resourceLogs":[{"resource":{"attributes":[…]},"scopeLogs":[{"scope":{"name":"…"},"logRecords":[{"timeUnixNano":"…","body":{…},…}]}]}]}
 *
 * Lines and documents are taken as they are. Entries of Loki and records of OTLP become JSON lines of the formats loki and otlp (schema/formats), which are envelopes:
 * an access log that is shipped through them is an access log. Labels, resource attributes, the index and the parameters of the address become labels; host,
 * service, version and env under their many names. At most PUSH_LABELS_MAX are kept, those four first, then in the order of the body.
 *
 * Pure: bytes in, struct out. Reading builds no tree, so that a body takes memory in proportion to its size whatever it holds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_PUSH_H
#define LQ_PUSH_H

#include "schema/labels.h"

enum { PUSH_LABELS_MAX = 8, PUSH_GROUPS_MAX = 1000, PUSH_LINES_MAX = 100000 };

enum push_shape { PUSH_LINES, PUSH_NDJSON, PUSH_LOKI, PUSH_ELASTIC, PUSH_OTLP, PUSH_SHAPES };

struct push_line {
    size_t at; /* in text */
    uint32_t n, group;
};
/* What became of a document of a bulk body, in its order. */
enum push_item_state { ITEM_TAKEN, ITEM_BAD_DOCUMENT, ITEM_BAD_ACTION };
struct push_item {
    uint8_t state, action; /* action: 0 create, 1 index, 2 update, 3 delete */
    uint32_t group;
};
struct push_body {
    struct lq_buf text;
    struct push_line *lines;
    size_t n_lines, cap_lines;
    struct labels *groups;
    size_t n_groups, cap_groups;
    struct push_item *items; /* elastic only */
    size_t n_items, cap_items;
    uint64_t cut;         /* lines that were longer than line_bytes_max */
    uint64_t labels_over; /* labels beyond PUSH_LABELS_MAX */
};
struct push_options {
    enum push_shape shape;
    const struct labels *labels; /* for all lines; what the body says of the same name wins */
    int64_t now_us;              /* for records without a time */
    size_t line_bytes_max;       /* longer texts are cut; a longer JSON object is an error */
    const char *index;           /* elastic: the index of the address; NULL = none */
};
/* LQ_EINVAL: damaged, with the line or the byte; LQ_ELIMIT: more lines or groups than the limits. out is to be freed in any case. */
LQ_MUST enum lq_err push_parse(lq_str body, const struct push_options *o, struct push_body *out, struct lq_error *e);
void push_body_fini(struct push_body *b);
/* Bytes of memory that it holds. */
size_t push_body_bytes(const struct push_body *b);

/* One label of a body: many names of host, service, version and env become that one; an empty value is none. False: a label is lost, this one or
 * another that made room for one of those four. */
bool push_label(struct labels *l, lq_str name, lq_str value);

#endif
