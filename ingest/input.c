/*
 * input.c - what all inputs share (input.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/input.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ingest/log.h"

enum { BACKLOG = 1024 };

static const struct input_type *const types[INPUT_KINDS] = {
    [INPUT_TCP] = &input_stream,       [INPUT_SYSLOG_TCP] = &input_stream,     [INPUT_SYSLOG_UDP] = &input_datagram,
    [INPUT_SYSLOG_TLS] = &input_stream, [INPUT_RELP] = &input_stream,           [INPUT_UNIX] = &input_stream,
    [INPUT_UNIX_DGRAM] = &input_datagram, [INPUT_TAIL] = &input_tail,           [INPUT_STDIN] = &input_stdin,
    [INPUT_HTTP] = &input_http,
};

const struct input_type *input_type_of(enum input_kind k)
{
    return types[k];
}

enum lq_err input_renew(struct input *in, const struct input_config *c, struct lq_error *e)
{
    struct tls_context *fresh = NULL;
    if (c->certificate != NULL) {
        enum lq_err err = tls_context_new(c, &fresh, e);
        if (err != LQ_OK) {
            return err;
        }
    }
    if (in->tls != NULL) {
        lq_grow(&in->retired, &in->cap_retired, in->n_retired + 1, sizeof(struct tls_context *));
        in->retired[in->n_retired++] = in->tls;
    }
    in->tls = fresh;
    return LQ_OK;
}

enum lq_err input_open(const struct input_config *c, struct input_env *env, struct input **out, struct lq_error *e)
{
    struct input *in = lq_alloc(sizeof *in);
    in->config = c;
    in->type = types[c->kind];
    in->env = env;
    memset(in->fds, -1, sizeof in->fds);
    enum lq_err err = LQ_OK;
    if (c->certificate != NULL) {
        err = tls_context_new(c, &in->tls, e);
    }
    if (err == LQ_OK) {
        err = in->type->open(in, e);
    }
    if (err != LQ_OK) {
        input_free(&in);
        return err;
    }
    *out = in;
    return LQ_OK;
}

void input_free(struct input **inp)
{
    struct input *in = *inp;
    if (in == NULL) {
        return;
    }
    for (uint32_t i = 0; i < LISTEN_MAX; i++) {
        for (unsigned k = 0; k < LOOPS_MAX; k++) {
            if (in->fds[i][k] >= 0) {
                close(in->fds[i][k]);
            }
        }
    }
    for (uint32_t i = 0; i < in->n_retired; i++) {
        tls_context_free(&in->retired[i]);
    }
    free(in->retired);
    tls_context_free(&in->tls);
    free(in);
    *inp = NULL;
}

uint64_t input_stat(const struct input *in, enum stat_id id)
{
    uint64_t n = 0;
    for (unsigned i = 0; i <= LOOPS_MAX; i++) {
        n += stat_get(&in->stats[i], id);
    }
    return n;
}

uint32_t input_peer(const struct sockaddr_storage *a, char out[48])
{
    out[0] = '\0';
    if (a->ss_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)a)->sin_addr, out, 48);
    } else if (a->ss_family == AF_INET6) {
        const struct in6_addr *x = &((const struct sockaddr_in6 *)a)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(x)) {
            inet_ntop(AF_INET, x->s6_addr + 12, out, 48);
        } else {
            inet_ntop(AF_INET6, x, out, 48);
        }
    }
    return (uint32_t)strlen(out);
}

static enum lq_err cannot_listen(const struct input *in, const char *listen, int code, struct lq_error *e)
{
    enum lq_err kind = code == EACCES || code == EPERM ? LQ_EACCES : LQ_EIO;
    lq_error_set(e, kind, "%s cannot listen on %s: %s", in->config->name, listen, strerror(code));
    if (code == EADDRINUSE) {
        lq_error_hint(e, "another lqd or syslog daemon has it; choose another port with listen:");
    } else if (code == EACCES) {
        lq_error_hint(e, "ports below 1024 need root (lqd gives it up after binding: user:) or CAP_NET_BIND_SERVICE");
    }
    return kind;
}

static enum lq_err bind_unix(const struct input *in, const char *path, int type, int *out, struct lq_error *e)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return cannot_listen(in, path, errno, e);
    }
    int probe = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    struct stat st;
    bool lives = probe >= 0 && connect(probe, (struct sockaddr *)&a, sizeof a) == 0;
    if (probe >= 0) {
        close(probe);
    }
    if (!lives && lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        unlink(path); /* left by a process that was killed */
    }
    if (lives || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || chmod(path, in->config->mode) != 0 || (type == SOCK_STREAM && listen(fd, BACKLOG) != 0)) {
        int code = lives ? EADDRINUSE : errno;
        close(fd);
        return cannot_listen(in, path, code, e);
    }
    *out = fd;
    return LQ_OK;
}

static void tell_address(const struct input *in, int fd)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    char host[64], port[8];
    if (getsockname(fd, (struct sockaddr *)&a, &n) == 0 &&
        getnameinfo((struct sockaddr *)&a, n, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
        log_say(LOG_NOTE, a.ss_family == AF_INET6 ? "%s listens on [%s]:%s" : "%s listens on %s:%s", in->config->name, host, port);
    }
}

/* With port 0 and several sockets the first one chooses. */
static enum lq_err bind_inet(const struct input *in, const char *address, int type, bool share, int *out, struct lq_error *e)
{
    char host[256], port[8];
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = type, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found = NULL;
    int one = 1, zero = 0;
    LQ_ASSERT(listen_split(address, host, port));
    int rc = getaddrinfo(strcmp(host, "*") == 0 ? "::" : host, port, &hints, &found);
    if (rc != 0) {
        return lq_error_set(e, LQ_EINVAL, "%s cannot listen on %s: %s", in->config->name, address, gai_strerror(rc));
    }
    int fd = socket(found->ai_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), code = 0;
    if (fd < 0 && found->ai_family == AF_INET6 && strcmp(host, "*") == 0) { /* no IPv6 here */
        freeaddrinfo(found);
        found = NULL;
        if (getaddrinfo("0.0.0.0", port, &hints, &found) == 0) {
            fd = socket(found->ai_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        }
    }
    if (fd < 0) {
        code = errno;
    } else {
        if (type == SOCK_STREAM) {
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        }
        if (share) {
            setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
        }
        if (found->ai_family == AF_INET6 && strcmp(host, "*") == 0) {
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
        }
        if (bind(fd, found->ai_addr, found->ai_addrlen) != 0 || (type == SOCK_STREAM && listen(fd, BACKLOG) != 0)) {
            code = errno;
            close(fd);
        }
    }
    if (found != NULL) {
        freeaddrinfo(found);
    }
    if (code != 0) {
        return cannot_listen(in, address, code, e);
    }
    *out = fd;
    return LQ_OK;
}

enum lq_err input_bind(const struct input *in, const char *address, int type, bool share, bool tell, int *fd, struct lq_error *e)
{
    if (address[0] == '/') {
        enum lq_err err = bind_unix(in, address, type, fd, e);
        if (err == LQ_OK && tell) {
            log_say(LOG_NOTE, "%s listens on %s", in->config->name, address);
        }
        return err;
    }
    enum lq_err err = bind_inet(in, address, type, share, fd, e);
    if (err == LQ_OK && tell) {
        tell_address(in, *fd);
    }
    return err;
}
