/*
 * tls.c - TLS for connections (tls.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/tls.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>

struct tls_context {
    gnutls_certificate_credentials_t creds;
    gnutls_priority_t priority;
    enum client_certificate client;
    uint32_t n_allow;
    char *allow[ALLOW_MAX];
};
struct tls_session {
    gnutls_session_t g;
    struct tls_context *c;
    bool ready;
    char why[160];
};

static enum lq_err failed(int rc, const char *doing, const char *file, struct lq_error *e)
{
    return lq_error_set(e, LQ_EINVAL, "%s %s: %s", doing, file, gnutls_strerror(rc));
}

enum lq_err tls_context_new(const struct input_config *in, struct tls_context **out, struct lq_error *e)
{
    struct tls_context *c = lq_alloc(sizeof *c);
    enum lq_err err = LQ_OK;
    LQ_ASSERT(gnutls_certificate_allocate_credentials(&c->creds) == 0);
    c->client = in->client;
    for (uint32_t i = 0; i < in->n_allow; i++) {
        c->allow[c->n_allow++] = lq_strdup(lq_str_of(in->allow[i]));
    }
    int rc = gnutls_certificate_set_x509_key_file(c->creds, in->certificate, in->key, GNUTLS_X509_FMT_PEM);
    if (rc < 0) {
        err = failed(rc, "cannot use certificate and key", in->certificate, e);
    }
    if (err == LQ_OK && in->ca != NULL && (rc = gnutls_certificate_set_x509_trust_file(c->creds, in->ca, GNUTLS_X509_FMT_PEM)) <= 0) {
        err = failed(rc == 0 ? GNUTLS_E_NO_CERTIFICATE_FOUND : rc, "cannot use ca", in->ca, e);
    }
    if (err == LQ_OK && (rc = gnutls_priority_init(&c->priority, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2", NULL)) != 0) {
        err = failed(rc, "cannot set up", "TLS", e);
    }
    if (err != LQ_OK) {
        tls_context_free(&c);
        return err;
    }
    *out = c;
    return LQ_OK;
}

void tls_context_free(struct tls_context **cp)
{
    struct tls_context *c = *cp;
    if (c != NULL) {
        gnutls_certificate_free_credentials(c->creds);
        if (c->priority != NULL) {
            gnutls_priority_deinit(c->priority);
        }
        for (uint32_t i = 0; i < c->n_allow; i++) {
            free(c->allow[i]);
        }
        free(c);
        *cp = NULL;
    }
}

struct tls_session *tls_session_new(struct tls_context *c, int fd)
{
    static const gnutls_certificate_request_t requests[] = {GNUTLS_CERT_IGNORE, GNUTLS_CERT_REQUEST, GNUTLS_CERT_REQUIRE};
    struct tls_session *s = lq_alloc(sizeof *s);
    s->c = c;
    LQ_ASSERT(gnutls_init(&s->g, GNUTLS_SERVER | GNUTLS_NONBLOCK) == 0);
    gnutls_priority_set(s->g, c->priority);
    gnutls_credentials_set(s->g, GNUTLS_CRD_CERTIFICATE, c->creds);
    gnutls_certificate_server_set_request(s->g, requests[c->client]);
    gnutls_transport_set_int(s->g, fd);
    return s;
}

void tls_session_free(struct tls_session **sp)
{
    if (*sp != NULL) {
        if ((*sp)->ready) {
            gnutls_bye((*sp)->g, GNUTLS_SHUT_WR);
        }
        gnutls_deinit((*sp)->g);
        free(*sp);
        *sp = NULL;
    }
}

/* The client's certificate, if there is one: signed by the CA, and its name allowed. */
static bool client_allowed(struct tls_session *s)
{
    unsigned status = 0, n = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(s->g, &n);
    gnutls_x509_crt_t crt;
    if (chain == NULL || n == 0) {
        snprintf(s->why, sizeof s->why, "the client shows no certificate");
        return s->c->client != CLIENT_REQUIRED;
    }
    if (gnutls_certificate_verify_peers2(s->g, &status) != 0 || status != 0) {
        snprintf(s->why, sizeof s->why, "the client's certificate is not signed by the configured ca, or has expired");
        return false;
    }
    if (s->c->n_allow == 0) {
        return true;
    }
    bool ok = false;
    LQ_ASSERT(gnutls_x509_crt_init(&crt) == 0);
    if (gnutls_x509_crt_import(crt, &chain[0], GNUTLS_X509_FMT_DER) == 0) {
        for (uint32_t i = 0; i < s->c->n_allow && !ok; i++) {
            ok = gnutls_x509_crt_check_hostname(crt, s->c->allow[i]) != 0;
        }
    }
    gnutls_x509_crt_deinit(crt);
    if (!ok) {
        snprintf(s->why, sizeof s->why, "the name in the client's certificate is not in `allow`");
    }
    return ok;
}

static enum tls_result wants(const struct tls_session *s)
{
    return gnutls_record_get_direction(s->g) == 0 ? TLS_WANT_READ : TLS_WANT_WRITE;
}

static bool again(int rc)
{
    return rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED;
}

enum tls_result tls_handshake(struct tls_session *s)
{
    int rc;
    do {
        rc = gnutls_handshake(s->g);
    } while (rc < 0 && !again(rc) && !gnutls_error_is_fatal(rc));
    if (again(rc)) {
        return wants(s);
    }
    if (rc < 0) {
        snprintf(s->why, sizeof s->why, "%s", gnutls_strerror(rc));
        return TLS_FAILED;
    }
    if (s->c->client != CLIENT_NONE && !client_allowed(s)) {
        return TLS_FAILED;
    }
    s->ready = true;
    return TLS_DONE;
}

const char *tls_why(const struct tls_session *s)
{
    return s->why;
}

enum tls_result tls_read(struct tls_session *s, char *p, size_t cap, size_t *n)
{
    ssize_t rc = gnutls_record_recv(s->g, p, cap);
    *n = rc > 0 ? (size_t)rc : 0;
    if (rc > 0) {
        return TLS_DONE;
    }
    if (rc == 0 || rc == GNUTLS_E_PREMATURE_TERMINATION) {
        return TLS_CLOSED;
    }
    if (again((int)rc) || !gnutls_error_is_fatal((int)rc)) {
        return wants(s);
    }
    snprintf(s->why, sizeof s->why, "%s", gnutls_strerror((int)rc));
    return TLS_FAILED;
}

enum tls_result tls_write(struct tls_session *s, const char *p, size_t len, size_t *n)
{
    ssize_t rc = gnutls_record_send(s->g, p, len);
    *n = rc > 0 ? (size_t)rc : 0;
    return rc >= 0 ? TLS_DONE : again((int)rc) ? wants(s) : TLS_FAILED;
}

bool tls_pending(const struct tls_session *s)
{
    return gnutls_record_check_pending(s->g) > 0;
}
