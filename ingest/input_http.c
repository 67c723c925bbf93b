/*
 * input_http.c - pushed bodies to channels, window and commit (input_http.h)
 *
 * A job is WAITING until there is room in the window, FED until its batch goes to the flusher, AWAY until that is back. One batch of a loop is away at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/input_http.h"

#include <stdlib.h>

enum { CHANNELS_MAX = 128, LOOK_S = 1, PATIENCE_US = 20000000, FAILING_PATIENCE_US = 2000000, KEY_BYTES_MAX = 4096 };

struct push_job {
    struct push_job *next;
    struct input *in;
    enum push_shape shape;
    struct push_body body;
    char peer[48];
    size_t peer_n;
    uint64_t charged, bytes; /* memory; of the body as it came */
    int64_t since_us; /* monotonic */
    push_done *done;  /* NULL: told already */
    void *arg;
};

struct cached { /* lines of one set of labels, one shape, one sender */
    char *key;
    uint64_t hash, used;
    struct channel *channel;
};

struct pusher { /* of one loop */
    struct input *in;
    struct loop *l;
    struct commit_hook hook;
    struct waiter waiter;
    ev_timer look;
    struct push_job *waiting, **last, *fed, *away;
    struct cached channels[CHANNELS_MAX];
    uint32_t n_channels;
    uint64_t clock;
};

static void tell(struct push_job *j, bool durable)
{
    if (j->done != NULL) {
        j->done(j->arg, durable);
        j->done = NULL;
    }
}

static void job_free(struct push_job *j, struct memory *m)
{
    memory_give(m, j->charged);
    push_body_fini(&j->body);
    free(j);
}

static void settle(struct pusher *x, struct push_job **list, bool durable)
{
    while (*list != NULL) {
        struct push_job *j = *list;
        *list = j->next;
        tell(j, durable);
        if (durable) {
            stat_add(&x->in->stats[x->l->index], STAT_BODIES, 1);
        }
        job_free(j, x->l->memory);
    }
}

/* ---- channels ---- */

/* The labels of the input stand where the body has none of that name. */
static void add_labels_of_input(const struct input *in, struct labels *l)
{
    struct labels own;
    struct lq_error e;
    if (labels_resolve(&in->config->labels, "", &own, &e) == LQ_OK) {
        for (uint32_t i = 0; i < own.n && l->n < LABEL_MAX; i++) {
            if (labels_get(l, own.l[i].name).n == 0) {
                l->l[l->n++] = own.l[i];
            }
        }
    }
}

/* Entries of Loki and OTLP are envelopes; a format of the configuration is that of the lines in them. */
static struct channel *new_channel(struct pusher *x, const struct push_job *j, const struct labels *l)
{
    char name[2 * NAME_BYTES_MAX];
    const char *format = x->in->config->format;
    if (format != NULL && (j->shape == PUSH_LOKI || j->shape == PUSH_OTLP)) {
        snprintf(name, sizeof name, "%s+%s", j->shape == PUSH_LOKI ? "loki" : "otlp", format);
        format = name;
    }
    return channel_new(x->in->feeds[x->l->index], l, (lq_str){j->peer, j->peer_n}, format);
}

static struct channel *channel_of(struct pusher *x, const struct push_job *j, const struct labels *group)
{
    struct labels l = *group;
    struct lq_buf key = {0};
    struct cached *oldest = &x->channels[0];
    add_labels_of_input(x->in, &l);
    lq_buf_printf(&key, "%d %.*s ", j->shape, (int)j->peer_n, j->peer);
    labels_print(&l, &key);
    lq_buf_byte(&key, '\0');
    uint64_t hash = lq_hash(key.p, key.n, 0);
    for (uint32_t i = 0; i < x->n_channels; i++) {
        struct cached *c = &x->channels[i];
        if (c->hash == hash && strcmp(c->key, key.p) == 0) {
            lq_buf_fini(&key);
            c->used = ++x->clock;
            return c->channel;
        }
        oldest = c->used < oldest->used ? c : oldest;
    }
    if (x->n_channels < CHANNELS_MAX) {
        oldest = &x->channels[x->n_channels++];
    } else {
        channel_free(&oldest->channel);
        free(oldest->key);
    }
    *oldest = (struct cached){key.p, hash, ++x->clock, new_channel(x, j, &l)};
    return oldest->channel;
}

static void forget_channels(struct pusher *x)
{
    for (uint32_t i = 0; i < x->n_channels; i++) {
        channel_free(&x->channels[i].channel);
        free(x->channels[i].key);
    }
    x->n_channels = 0;
}

/* ---- jobs ---- */

static void feed(struct pusher *x, struct push_job *j)
{
    struct feed *f = x->in->feeds[x->l->index];
    struct channel *c = NULL;
    uint32_t group = UINT32_MAX;
    for (size_t i = 0; i < j->body.n_lines; i++) {
        const struct push_line *line = &j->body.lines[i];
        if (line->group != group) {
            if (c != NULL) {
                channel_flush(c);
            }
            group = line->group;
            c = channel_of(x, j, &j->body.groups[group]);
        }
        channel_line(c, (lq_str){j->body.text.p + line->at, line->n});
    }
    if (c != NULL) {
        channel_flush(c); /* what the body holds is committed with it */
    }
    for (uint64_t i = 0; i < j->body.cut; i++) {
        feed_too_long(f);
    }
    stat_add(&x->in->stats[x->l->index], STAT_LABELS_OVER, j->body.labels_over);
    stat_add(&x->in->stats[x->l->index], STAT_BYTES, j->bytes);
    push_body_fini(&j->body);
    j->next = x->fed;
    x->fed = j;
}

static void feed_waiting(struct pusher *x)
{
    while (x->waiting != NULL) {
        if (!loop_room(x->l)) {
            stat_add(&x->in->stats[x->l->index], STAT_PAUSES, 1);
            loop_wait(x->l, &x->waiter);
            return;
        }
        struct push_job *j = x->waiting;
        x->waiting = j->next;
        x->last = x->waiting == NULL ? &x->waiting : x->last;
        feed(x, j);
        loop_commit_soon(x->l);
    }
}

static void on_room(struct waiter *w)
{
    feed_waiting((struct pusher *)(void *)((char *)w - offsetof(struct pusher, waiter)));
}

/* Nothing may have come of the lines: blank ones are no lines, and an empty batch is not committed. */
static void before_commit(struct commit_hook *h, struct batch *b)
{
    struct pusher *x = (struct pusher *)(void *)((char *)h - offsetof(struct pusher, hook));
    if (batch_empty(b)) {
        settle(x, &x->fed, true);
    } else {
        LQ_ASSERT(x->away == NULL);
        x->away = x->fed;
        x->fed = NULL;
    }
}

static void after_commit(struct commit_hook *h, const struct batch *b)
{
    struct pusher *x = (struct pusher *)(void *)((char *)h - offsetof(struct pusher, hook));
    (void)b;
    settle(x, &x->away, true);
}

/* Whoever waits for too long is told so. What has been fed stays where it is, and will be committed when commits work again. */
static void on_look(struct ev_loop *ev, ev_timer *w, int events)
{
    struct pusher *x = w->data;
    struct push_job *const lists[] = {x->waiting, x->fed, x->away};
    struct flusher_stats s;
    int64_t now = clock_monotonic_us();
    (void)ev;
    (void)events;
    if (x->waiting == NULL && x->fed == NULL && x->away == NULL) {
        ev_timer_stop(x->l->ev, &x->look);
        return;
    }
    flusher_stats(x->l->flusher, &s);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (struct push_job *j = lists[i]; j != NULL; j = j->next) {
            if (now - j->since_us > (s.failing ? FAILING_PATIENCE_US : PATIENCE_US)) {
                tell(j, false);
            }
        }
    }
}

/* A job arrives on its loop. */
static void arrive(struct loop *l, void *arg)
{
    struct push_job *j = arg;
    struct pusher *x = j->in->state[l->index];
    *x->last = j;
    x->last = &j->next;
    if (!ev_is_active(&x->look)) {
        ev_timer_again(l->ev, &x->look);
    }
    feed_waiting(x);
}

/* ---- workers ---- */

static struct input *find(struct daemon *d)
{
    struct input *in = d->inputs;
    while (in != NULL && in->config->kind != INPUT_HTTP) {
        in = in->next;
    }
    return in;
}

size_t push_line_bytes_max(struct daemon *d)
{
    pthread_mutex_lock(&d->inputs_lock);
    const struct input *in = find(d);
    size_t n = in != NULL ? in->config->line_bytes_max : LINE_BYTES_MAX;
    pthread_mutex_unlock(&d->inputs_lock);
    return n;
}

void push_refused(struct daemon *d)
{
    pthread_mutex_lock(&d->inputs_lock);
    struct input *in = find(d);
    if (in != NULL) {
        stat_add(&in->stats[LOOPS_MAX], STAT_BODIES_BAD, 1); /* only here, with the lock held */
    }
    pthread_mutex_unlock(&d->inputs_lock);
}

/* A reload ends an input only after what was posted to its loops before: under the lock nothing can be posted to one that has gone. */
enum lq_err push_send(struct daemon *d, enum push_shape shape, struct push_body *body, uint64_t bytes, lq_str peer, push_done *done, void *arg, struct lq_error *e)
{
    struct flusher_stats s;
    uint64_t need = push_body_bytes(body) + sizeof(struct push_job);
    flusher_stats(d->flusher, &s);
    if (s.failing) {
        lq_error_set(e, LQ_EBUSY, "the store takes no commits at the moment");
        lq_error_hint(e, "nothing of this body was stored; send it again later");
        return LQ_EBUSY;
    }
    if (!memory_take(&d->memory, need)) {
        lq_error_set(e, LQ_EBUSY, "too many bodies wait for their commit already");
        lq_error_hint(e, "nothing of this body was stored; send it again later");
        return LQ_EBUSY;
    }
    pthread_mutex_lock(&d->inputs_lock);
    struct input *in = find(d);
    if (in != NULL) {
        struct push_job *j = lq_alloc(sizeof *j);
        j->in = in;
        j->shape = shape;
        j->body = *body;
        j->peer_n = peer.n < sizeof j->peer ? peer.n : sizeof j->peer;
        memcpy(j->peer, peer.p, j->peer_n);
        j->charged = need;
        j->bytes = bytes;
        j->since_us = clock_monotonic_us();
        j->done = done;
        j->arg = arg;
        memset(body, 0, sizeof *body);
        in->turn = (in->turn + 1) % in->env->n_loops;
        loop_post(in->env->loops[in->turn], arrive, j);
    }
    pthread_mutex_unlock(&d->inputs_lock);
    if (in == NULL) {
        memory_give(&d->memory, need);
        return lq_error_set(e, LQ_ENOENT, "this lqd takes no logs by HTTP: its configuration has no input of type http");
    }
    return LQ_OK;
}

/* ---- the row ---- */

static enum lq_err http_open(struct input *in, struct lq_error *e)
{
    (void)in;
    (void)e;
    return LQ_OK; /* the sockets are the HTTP server's */
}

static void http_start(struct input *in, struct loop *l)
{
    struct pusher *x = in->state[l->index] = lq_alloc(sizeof *x);
    x->in = in;
    x->l = l;
    x->last = &x->waiting;
    x->waiter.resume = on_room;
    x->hook = (struct commit_hook){.next = l->hooks, .before = before_commit, .after = after_commit};
    l->hooks = &x->hook;
    ev_timer_init(&x->look, on_look, 0., LOOK_S);
    x->look.data = x;
}

static void http_stop(struct input *in, struct loop *l)
{
    struct pusher *x = in->state[l->index];
    ev_timer_stop(l->ev, &x->look);
    loop_wait_cancel(l, &x->waiter);
    forget_channels(x);
    for (struct commit_hook **at = &l->hooks; *at != NULL; at = &(*at)->next) {
        if (*at == &x->hook) {
            *at = x->hook.next;
            break;
        }
    }
    settle(x, &x->waiting, false);
    settle(x, &x->fed, false);
    settle(x, &x->away, false);
    free(x);
    in->state[l->index] = NULL;
}

/* Channels belong to the old feed and its formats. */
static void http_moved(struct input *in, struct loop *l, struct feed *old)
{
    (void)old;
    forget_channels(in->state[l->index]);
}

const struct input_type input_http = {http_open, http_start, http_stop, http_moved, NULL, NULL, NULL};
