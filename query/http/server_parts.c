/*
 * server_parts.c - headers, addresses, gzip, files (server_int.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/http/server_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <zlib.h>

const char *http__header(struct MHD_Connection *c, const char *name)
{
    return MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
}

static bool is_port(const char *p)
{
    return *p == '\0' || (*p == ':' && strspn(p + 1, "0123456789") == strlen(p + 1));
}

bool http__loopback_host(const char *host)
{
    if (host == NULL) {
        return true; /* HTTP/1.0 programs; browsers always send it */
    }
    if (strncmp(host, "localhost", 9) == 0) {
        return is_port(host + 9);
    }
    if (strncmp(host, "[::1]", 5) == 0) {
        return is_port(host + 5);
    }
    return strncmp(host, "127.", 4) == 0 && is_port(host + strspn(host, "0123456789."));
}

bool http__same_origin(const char *origin, const char *host)
{
    const char *at = strstr(origin, "://");
    return at != NULL && host != NULL && strcmp(at + 3, host) == 0;
}

enum lq_err http__address(const char *address, uint16_t port, struct sockaddr_storage *out, bool *loopback, struct lq_error *e)
{
    const char *text = address == NULL || strcmp(address, "localhost") == 0 ? "127.0.0.1" : address;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        memcpy(out, &v4, sizeof v4);
        *loopback = ntohl(v4.sin_addr.s_addr) >> 24 == 127;
    } else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
        memcpy(out, &v6, sizeof v6);
        *loopback = IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
    } else {
        lq_error_set(e, LQ_EINVAL, "\"%s\" is no address to listen on", text);
        lq_error_hint(e, "an IPv4 or IPv6 address, for example 127.0.0.1 or ::1");
        return LQ_EINVAL;
    }
    return LQ_OK;
}

enum lq_err http__read_file(const char *path, char **text, struct lq_error *e)
{
    enum { FILE_BYTES_MAX = 1 << 20 };
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return lq_error_errno(e, errno, "cannot open", path);
    }
    char *p = lq_alloc(FILE_BYTES_MAX + 1);
    size_t n = fread(p, 1, FILE_BYTES_MAX, f);
    bool bad = ferror(f) != 0 || n == 0;
    fclose(f);
    if (bad) {
        free(p);
        return lq_error_set(e, LQ_EIO, "%s cannot be read, or is empty", path);
    }
    *text = p;
    return LQ_OK;
}

bool http__gzip(char **text, size_t *n)
{
    z_stream z = {0};
    if (*n > UINT32_MAX / 2 || deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        return false;
    }
    size_t cap = deflateBound(&z, *n);
    char *out = lq_alloc(cap);
    z.next_in = (Bytef *)*text;
    z.avail_in = (uInt)*n;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)cap;
    bool ok = deflate(&z, Z_FINISH) == Z_STREAM_END && z.total_out < *n;
    deflateEnd(&z);
    if (!ok) {
        free(out);
        return false;
    }
    free(*text);
    *text = out;
    *n = z.total_out;
    return true;
}

bool http__gunzip(struct lq_buf *b, size_t max)
{
    z_stream z = {0};
    struct lq_buf out = {0};
    int r = Z_OK;
    if (b->n > UINT32_MAX / 2 || inflateInit2(&z, 15 + 16) != Z_OK) {
        return false;
    }
    z.next_in = (Bytef *)b->p;
    z.avail_in = (uInt)b->n;
    while (r == Z_OK && out.n <= max) {
        lq_buf_reserve(&out, 64 << 10);
        z.next_out = (Bytef *)out.p + out.n;
        z.avail_out = 64 << 10;
        r = inflate(&z, Z_NO_FLUSH);
        out.n += (64 << 10) - z.avail_out;
        if (r == Z_STREAM_END && z.avail_in > 0) { /* several members, one after the other, are one text */
            r = inflateReset(&z);
        }
    }
    inflateEnd(&z);
    if (r != Z_STREAM_END || out.n > max) {
        lq_buf_fini(&out);
        return false;
    }
    lq_buf_fini(b);
    *b = out;
    return true;
}
