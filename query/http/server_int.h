/*
 * server_int.h - small parts of the server: headers, addresses, gzip, files
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_HTTP_SERVER_INT_H
#define LQ_HTTP_SERVER_INT_H

#include "query/http/server.h"

struct MHD_Connection;
struct sockaddr_storage;

const char *http__header(struct MHD_Connection *c, const char *name); /* NULL when absent */
/* A Host header that names this machine's loopback: localhost, 127.x.x.x, [::1], with or without a port. */
bool http__loopback_host(const char *host);
bool http__same_origin(const char *origin, const char *host);
LQ_MUST enum lq_err http__address(const char *address, uint16_t port, struct sockaddr_storage *out, bool *loopback, struct lq_error *e);
LQ_MUST enum lq_err http__read_file(const char *path, char **text, struct lq_error *e); /* NUL-terminated, malloc'd, at most 1 MiB */
/* In place. False, with the text as it was: it would not shrink (gzip); damaged, or more than max bytes (gunzip). */
bool http__gzip(char **text, size_t *n);
bool http__gunzip(struct lq_buf *b, size_t max);

#endif
