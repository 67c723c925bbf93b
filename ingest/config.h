/*
 * config.h - what lqd is told to do: a YAML file, strictly read (ingest/README.md is the reference, lqd.yaml.in the sample)
 *
 * Everything has a default; without a file lqd listens on loopback (config_default). Errors name file:line:column and the nearest known key.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_CONFIG_H
#define LQ_CONFIG_H

#include "schema/format.h"

enum { INPUTS_MAX = 32, LISTEN_MAX = 8, PATHS_MAX = 64, LOOPS_MAX = 32, ALLOW_MAX = 32 };

enum input_kind { INPUT_TCP, INPUT_SYSLOG_TCP, INPUT_SYSLOG_UDP, INPUT_SYSLOG_TLS, INPUT_RELP, INPUT_UNIX, INPUT_UNIX_DGRAM, INPUT_TAIL, INPUT_STDIN, INPUT_HTTP, INPUT_KINDS };
const char *input_kind_name(enum input_kind k); /* "tcp", "syslog_udp", … : names in the file and in metrics */

enum when_full { FULL_WAIT, FULL_DROP }; /* stop reading, or read, drop and count */
enum client_certificate { CLIENT_NONE, CLIENT_OPTIONAL, CLIENT_REQUIRED };

struct input_config {
    enum input_kind kind;
    const char *name; /* of the input, for metrics and logs */
    uint32_t n_listen, n_paths, n_allow;
    const char *listen[LISTEN_MAX]; /* "127.0.0.1:5514", "[::]:5514", a socket's path */
    const char *paths[PATHS_MAX];   /* globs of files to follow */
    const char *format;             /* NULL = detect */
    const char *tz_name;
    struct timezone_rules *tz;      /* NULL = the configuration's */
    struct label_rules labels;
    enum when_full when_full;
    uint64_t line_bytes_max, connections_max, socket_buffer;
    int64_t idle_us, poll_us;       /* 0 = never; look at files */
    uint32_t mode;                  /* of a Unix socket */
    bool from_end;                  /* files never seen before: from their end */
    /* TLS */
    const char *certificate, *key, *ca;
    enum client_certificate client;
    const char *allow[ALLOW_MAX];   /* names of clients */
};

struct config {
    struct lq_arena mem;
    const char *file; /* NULL: zero-config */
    const char *mask, *mask_key; /* NULL: what the store masks already */
    unsigned mask_kinds;
    const char *data, *formats_dir, *user, *group, *tz_name;
    const char *http, *http_tokens, *http_tls_cert, *http_tls_key, *http_cors_origin; /* http: "off" = none */
    int64_t http_time_us;   /* of one request; 0 = the server's own */
    uint32_t http_rate_max; /* requests a second from one address; 0 = any number */
    struct timezone_rules *tz;
    uint32_t threads;
    int64_t flush_us, ack_us, compact_us;
    uint64_t window_lines, buffer_bytes_max, disk_bytes_max;
    uint32_t n_inputs;
    struct input_config inputs[INPUTS_MAX];
};

/* LQ_EINVAL with the place; LQ_ENOENT, LQ_EACCES. */
LQ_MUST enum lq_err config_load(const char *path, struct config **out, struct lq_error *e);
LQ_MUST enum lq_err config_parse(const char *file, lq_str yaml, struct config **out, struct lq_error *e); /* reads no other files */
/* Loopback: syslog by UDP and TCP on 5514, RELP on 2514, lines on 5170, HTTP on 9514. */
LQ_MUST enum lq_err config_default(struct config **out, struct lq_error *e);
/* Standard input only. */
LQ_MUST enum lq_err config_stdin(struct config **out, struct lq_error *e);
void config_free(struct config **c);
/* What only the file system and the formats can tell: formats exist, keys and certificates are readable, zones are known. */
LQ_MUST enum lq_err config_verify(const struct config *c, struct format_set *formats, struct lq_error *e);

/* "127.0.0.1:5514" "[::1]:5514" "*:514": host and port apart. False: it is no address. */
bool listen_split(const char *text, char host[256], char port[8]);

#endif
