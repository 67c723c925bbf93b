/*
 * input_datagram.c - syslog by UDP and by Unix datagrams
 *
 * UDP has a socket for each loop (SO_REUSEPORT: the kernel deals by sender). Datagrams are read 32 at a time. What the kernel had no room for is
 * known from SO_RXQ_OVFL and counted.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ingest/input.h"
#include "ingest/log.h"

enum { AT_ONCE = 32, DATAGRAM_BYTES = 65536, CONTROL_BYTES = 64, READS_AT_ONCE = 8, FAREWELL_READS = 4096 };

struct datagrams { /* one socket on one loop */
    struct input *in;
    struct loop *l;
    int fd;
    ev_io r;
    struct waiter waiter;
    uint32_t kernel_drops;
    struct sockaddr_storage last; /* the sender whose address is in peer */
    char peer[48];
    uint32_t peer_n;
    char *buf;
    struct mmsghdr m[AT_ONCE];
    struct iovec v[AT_ONCE];
    struct sockaddr_storage from[AT_ONCE];
    char control[AT_ONCE][CONTROL_BYTES];
};
struct datagram_loop {
    struct datagrams *d[LISTEN_MAX];
};

static enum lq_err datagram_open(struct input *in, struct lq_error *e)
{
    bool udp = in->config->kind == INPUT_SYSLOG_UDP;
    enum lq_err err = LQ_OK;
    for (uint32_t i = 0; i < in->config->n_listen && err == LQ_OK; i++) {
        char address[320];
        snprintf(address, sizeof address, "%s", in->config->listen[i]);
        if (udp && in->env->n_loops > 1) { /* SO_REUSEPORT would let a second lqd share it: ask without it first */
            int probe = -1;
            err = input_bind(in, address, SOCK_DGRAM, false, false, &probe, e);
            if (probe >= 0) {
                close(probe);
            }
        }
        for (unsigned k = 0; k < (udp ? in->env->n_loops : 1) && err == LQ_OK; k++) {
            int size = (int)in->config->socket_buffer, one = 1;
            err = input_bind(in, address, SOCK_DGRAM, udp && in->env->n_loops > 1, k == 0, &in->fds[i][k], e);
            if (err != LQ_OK) {
                break;
            }
            if (setsockopt(in->fds[i][k], SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
                setsockopt(in->fds[i][k], SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
            }
            setsockopt(in->fds[i][k], SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof one);
            char host[256], port[8];
            struct sockaddr_storage a;
            socklen_t n = sizeof a;
            if (udp && listen_split(address, host, port) && strcmp(port, "0") == 0 && getsockname(in->fds[i][k], (struct sockaddr *)&a, &n) == 0) {
                const uint8_t *p = (const uint8_t *)&a + 2; /* the port, in both families */
                snprintf(address, sizeof address, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, (unsigned)(p[0] << 8 | p[1]));
            }
        }
    }
    return err;
}

static lq_str sender(struct datagrams *d, const struct sockaddr_storage *a)
{
    if (memcmp(a, &d->last, sizeof *a) != 0) {
        d->last = *a;
        d->peer_n = input_peer(a, d->peer);
    }
    return (lq_str){d->peer, d->peer_n};
}

static void count_kernel_drops(struct datagrams *d, struct msghdr *h)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
        uint32_t total;
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            memcpy(&total, CMSG_DATA(c), sizeof total);
            if (total != d->kernel_drops) {
                feed_dropped(d->in->feeds[d->l->index], STAT_DROP_KERNEL, (uint32_t)(total - d->kernel_drops));
                d->kernel_drops = total;
            }
        }
    }
}

static void take(struct datagrams *d, int i, bool drop)
{
    struct feed *f = d->in->feeds[d->l->index];
    size_t max = feed_config(f)->line_bytes_max;
    lq_str m = {d->v[i].iov_base, d->m[i].msg_len};
    stat_add(feed_stats(f), STAT_BYTES, m.n);
    if (drop) {
        feed_dropped(f, STAT_DROP_FULL, 1);
        return;
    }
    while (m.n > 0 && (m.p[m.n - 1] == '\n' || m.p[m.n - 1] == '\0' || m.p[m.n - 1] == '\r')) {
        m.n--;
    }
    if (m.n > max || (d->m[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) {
        m.n = m.n < max ? m.n : max;
        feed_too_long(f);
    }
    feed_syslog(f, m, sender(d, &d->from[i]));
}

/* False: nothing more there. */
static bool read_once(struct datagrams *d, bool drop)
{
    for (int i = 0; i < AT_ONCE; i++) {
        d->m[i].msg_hdr.msg_namelen = sizeof d->from[i];
        d->m[i].msg_hdr.msg_controllen = CONTROL_BYTES;
        d->m[i].msg_hdr.msg_flags = 0;
    }
    int n = recvmmsg(d->fd, d->m, AT_ONCE, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
        take(d, i, drop);
    }
    if (n > 0) {
        count_kernel_drops(d, &d->m[n - 1].msg_hdr);
    }
    return n == AT_ONCE;
}

static void on_readable(struct ev_loop *ev, ev_io *w, int events)
{
    struct datagrams *d = w->data;
    (void)ev;
    (void)events;
    for (int i = 0; i < READS_AT_ONCE; i++) {
        bool room = loop_room(d->l), drop = feed_config(d->in->feeds[d->l->index])->when_full == FULL_DROP;
        if (!room && !drop) {
            stat_add(feed_stats(d->in->feeds[d->l->index]), STAT_PAUSES, 1);
            ev_io_stop(d->l->ev, &d->r);
            loop_wait(d->l, &d->waiter);
            return;
        }
        if (!read_once(d, !room)) {
            return;
        }
    }
}

static void on_room(struct waiter *w)
{
    struct datagrams *d = (struct datagrams *)(void *)((char *)w - offsetof(struct datagrams, waiter));
    ev_io_start(d->l->ev, &d->r);
}

static struct datagrams *datagrams_new(struct input *in, struct loop *l, int fd)
{
    struct datagrams *d = lq_alloc(sizeof *d);
    d->in = in;
    d->l = l;
    d->fd = fd;
    d->buf = lq_alloc_pages((size_t)AT_ONCE * DATAGRAM_BYTES);
    for (int i = 0; i < AT_ONCE; i++) {
        d->v[i] = (struct iovec){d->buf + (size_t)i * DATAGRAM_BYTES, DATAGRAM_BYTES};
        d->m[i].msg_hdr = (struct msghdr){.msg_name = &d->from[i], .msg_iov = &d->v[i], .msg_iovlen = 1, .msg_control = d->control[i]};
    }
    d->waiter.resume = on_room;
    ev_io_init(&d->r, on_readable, fd, EV_READ);
    d->r.data = d;
    ev_io_start(l->ev, &d->r);
    return d;
}

static void datagram_start(struct input *in, struct loop *l)
{
    struct datagram_loop *s = in->state[l->index] = lq_alloc(sizeof *s);
    for (uint32_t i = 0; i < LISTEN_MAX; i++) {
        if (in->fds[i][l->index] >= 0) {
            s->d[i] = datagrams_new(in, l, in->fds[i][l->index]);
        }
    }
}

static void datagram_stop(struct input *in, struct loop *l)
{
    struct datagram_loop *s = in->state[l->index];
    for (uint32_t i = 0; i < LISTEN_MAX; i++) {
        struct datagrams *d = s->d[i];
        if (d == NULL) {
            continue;
        }
        for (int k = 0; k < FAREWELL_READS && loop_room(l) && read_once(d, false); k++) {
        }
        ev_io_stop(l->ev, &d->r);
        loop_wait_cancel(l, &d->waiter);
        free(d->buf);
        free(d);
    }
    free(s);
    in->state[l->index] = NULL;
}

static void datagram_end(struct input *in)
{
    for (uint32_t i = 0; i < in->config->n_listen; i++) {
        if (in->config->listen[i][0] == '/') {
            unlink(in->config->listen[i]);
        }
    }
}

const struct input_type input_datagram = {datagram_open, datagram_start, datagram_stop, NULL, NULL, datagram_end, NULL};
