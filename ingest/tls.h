/*
 * tls.h - TLS for connections (RFC 5425), on GnuTLS
 *
 * A context is an input's certificate, key and rules for clients, shared by all loops and immutable; a session is one connection's. Client
 * certificates: none, optional, or required; with `allow` their name (subject alternative DNS name, else CN; "*.example.org" matches one label) must be listed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_TLS_H
#define LQ_TLS_H

#include "ingest/config.h"

struct tls_context;
struct tls_session;
enum tls_result { TLS_DONE, TLS_WANT_READ, TLS_WANT_WRITE, TLS_CLOSED, TLS_FAILED };

LQ_MUST enum lq_err tls_context_new(const struct input_config *in, struct tls_context **out, struct lq_error *e);
void tls_context_free(struct tls_context **c);

struct tls_session *tls_session_new(struct tls_context *c, int fd);
void tls_session_free(struct tls_session **s); /* says goodbye if it can without waiting */
enum tls_result tls_handshake(struct tls_session *s);
const char *tls_why(const struct tls_session *s); /* after TLS_FAILED */
/* TLS_DONE with *n > 0; TLS_CLOSED at the end. */
enum tls_result tls_read(struct tls_session *s, char *p, size_t cap, size_t *n);
enum tls_result tls_write(struct tls_session *s, const char *p, size_t len, size_t *n);
bool tls_pending(const struct tls_session *s); /* decrypted bytes wait: read again */

#endif
