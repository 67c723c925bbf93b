/*
 * ask.h - what the handlers ask of the store
 *
 * One snapshot for a request, closed before the answer is written. Times come as RFC 3339, epoch seconds or milliseconds, `now-2h` or a duration.
 * Filters may be added to those of a query (Grafana's ad hoc filters).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_HTTP_ASK_H
#define LQ_HTTP_ASK_H

#include "query/exec.h"
#include "query/http/body.h"
#include "query/http/server.h"

struct ask { /* the context of all handlers of this folder */
    struct store *store;
    const struct timezone_rules *tz; /* of output for people; NULL = UTC */
    bool writable;                   /* markers may be recorded */
    bool wall_clock;                 /* now is the wall clock (a daemon holds the store), else the data's high-water mark */
};

#define ASK_BYTES_MAX (256LL << 20) /* memory of one answer: two workers have one each */
/* What a request may take: its time, while its client is there; r NULL (tests): only the memory. */
struct budget ask_budget(const struct http_request *r);
struct ask_query {
    lq_str text;
    int64_t from_us, to_us; /* INT64_MIN / INT64_MAX: as far as stored */
    int64_t every_us;       /* of a query that says none; 0 = one value */
    bool change;            /* as if it ended in | change */
    uint32_t n_filters;
    const struct body_filter *filters; /* key op value: op is = != =~ !~ < > <= >= */
    const struct timezone_rules *tz;
};
struct asked {
    struct query *q, *more; /* more: the added filters */
    struct result r;
};
LQ_MUST enum lq_err ask_run(const struct ask *a, const struct http_request *req, const struct ask_query *q, struct asked *out, struct lq_error *e);
void asked_fini(struct asked *x);

/* The end of a read: the snapshot is closed; when it met damage, that is the result - an error, not part of an answer. */
LQ_MUST enum lq_err ask_close(struct snapshot **s, enum lq_err err, struct lq_error *e);
int64_t ask_now(const struct ask *a, struct snapshot *s);
/* Oldest and newest event time stored; false when there is none. */
bool ask_extent(struct snapshot *s, int64_t *first_us, int64_t *last_us);
/* A time in a parameter: what the command line takes, and milliseconds since 1970. */
LQ_MUST enum lq_err ask_time(const struct ask *a, lq_str text, int64_t now_us, int64_t *out, struct lq_error *e);
/* since/until (or from/to) of a request; without since: the last 24 h when `day`, else everything. */
LQ_MUST enum lq_err ask_range(const struct ask *a, const struct http_request *r, struct snapshot *s, bool day, int64_t *from_us, int64_t *to_us, struct lq_error *e);
/* A number in a parameter; absent or no number: fallback. */
uint32_t ask_number(const struct http_request *r, const char *name, uint32_t fallback, uint32_t max);
/* A step for a range that gives at most `points` steps: the next of 10 s, 30 s, 1 min, 5 min … 1 d. */
int64_t ask_step(int64_t range_us, int64_t points);

/* Names of a series for people: its labels' values, and the column where there are several. */
void ask_series_name(const struct result *r, const struct result_series *s, uint32_t column, struct lq_buf *out);

extern const struct http_route api_routes[], change_routes[], line_routes[], run_routes[], marker_routes[], grafana_routes[], prometheus_routes[], page_routes[];
/* All of them are added to the server's tables, with the context `a`. */
void ask_tables(struct ask *a, struct http_server_options *o);

#endif
