/*
 * auth.c - tokens (server.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>

#include "query/http/server.h"

enum { TOKEN_BYTES_MIN = 16 };

static bool scope_bits(char *text, unsigned *out)
{
    char *save = NULL;
    *out = 0;
    for (char *w = strtok_r(text, ",", &save); w != NULL; w = strtok_r(NULL, ",", &save)) {
        unsigned bit = strcmp(w, "read") == 0 ? HTTP_READ : strcmp(w, "write") == 0 ? HTTP_WRITE : strcmp(w, "admin") == 0 ? HTTP_ADMIN : 0;
        if (bit == 0) {
            return false;
        }
        *out |= bit == HTTP_ADMIN ? HTTP_READ | HTTP_WRITE | HTTP_ADMIN : bit;
    }
    return *out != 0;
}

enum lq_err http_tokens_load(const char *path, struct http_tokens *out, struct lq_error *e)
{
    char line[512], token[256], scopes[128], rest[2];
    FILE *f = fopen(path, "re");
    enum lq_err err = LQ_OK;
    out->n = 0;
    if (f == NULL) {
        return lq_error_errno(e, errno, "cannot open", path);
    }
    for (uint32_t no = 1; err == LQ_OK && fgets(line, sizeof line, f) != NULL; no++) {
        int n = sscanf(line, " %255s %127s %1s", token, scopes, rest);
        if (n < 1 || token[0] == '#') {
            continue;
        }
        const char *bad = n != 2                                  ? "a line is: TOKEN SCOPE[,SCOPE]"
                          : strlen(token) < TOKEN_BYTES_MIN       ? "a token has at least 16 characters"
                          : strlen(token) >= HTTP_TOKEN_BYTES_MAX ? "a token has at most 127 characters"
                          : out->n == HTTP_TOKENS_MAX             ? "more than 256 tokens"
                          : !scope_bits(scopes, &out->t[out->n].scopes) ? "scopes are read, write, admin"
                                                                  : NULL;
        if (bad != NULL) {
            err = lq_error_set(e, LQ_EINVAL, "%s", bad);
            lq_error_where(e, path, no, 0, 0, "", 0); /* the text is a secret */
            continue;
        }
        memcpy(out->t[out->n].token, token, strlen(token) + 1);
        out->n++;
    }
    fclose(f);
    if (err == LQ_OK && out->n == 0) {
        err = lq_error_set(e, LQ_EINVAL, "%s has no token", path);
        lq_error_hint(e, "a line is: TOKEN SCOPE[,SCOPE]");
    }
    return err;
}

/* Base64 (RFC 4648) of at most cap - 1 bytes; false when it is none. */
static bool base64(const char *in, char *out, size_t cap)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0, have = 0;
    size_t n = 0;
    for (; *in != '\0' && *in != '='; in++) {
        const char *d = strchr(digits, *in);
        if (d == NULL || n + 1 >= cap) {
            return false;
        }
        bits = bits << 6 | (uint32_t)(d - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (char)(bits >> have & 0xff);
        }
    }
    out[n] = '\0';
    return true;
}

/* Takes as long for a wrong token as for a right one. */
static bool equal(const char a[HTTP_TOKEN_BYTES_MAX], const char b[HTTP_TOKEN_BYTES_MAX])
{
    unsigned diff = 0;
    for (size_t i = 0; i < HTTP_TOKEN_BYTES_MAX; i++) {
        diff |= (unsigned char)a[i] ^ (unsigned char)b[i];
    }
    return diff == 0;
}

unsigned http_tokens_scopes(const struct http_tokens *t, const char *authorization)
{
    char given[HTTP_TOKEN_BYTES_MAX] = "", pair[512];
    unsigned scopes = 0;
    if (authorization == NULL) {
        return 0;
    }
    if (strncasecmp(authorization, "Bearer ", 7) == 0) {
        snprintf(given, sizeof given, "%s", authorization + 7);
    } else if (strncasecmp(authorization, "Basic ", 6) == 0 && base64(authorization + 6, pair, sizeof pair)) {
        const char *colon = strchr(pair, ':');
        snprintf(given, sizeof given, "%s", colon != NULL ? colon + 1 : "");
    }
    char padded[HTTP_TOKEN_BYTES_MAX] = "";
    memcpy(padded, given, strlen(given));
    for (uint32_t i = 0; i < t->n; i++) {
        scopes |= equal(padded, t->t[i].token) ? t->t[i].scopes : 0;
    }
    return scopes;
}
