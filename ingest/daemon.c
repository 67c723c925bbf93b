/*
 * daemon.c - lqd from start to stop (daemon.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/daemon.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ingest/control_server.h"
#include "ingest/log.h"

enum { PATIENCE_US = 10000000, STATUS_DONE = 0, STATUS_USAGE = 2, STATUS_FAILED = 3 };

static int failed(const struct lq_error *e)
{
    lq_error_print(stderr, "lqd", e);
    return e->code == LQ_EINVAL || e->code == LQ_ELIMIT ? STATUS_USAGE : STATUS_FAILED;
}

/* ---- configuration ---- */

static enum lq_err read_config(const struct daemon_options *o, struct config **config, struct format_set **formats, struct lq_error *e)
{
    enum lq_err err = o->config_file != NULL ? config_load(o->config_file, config, e) : o->once ? config_stdin(config, e) : config_default(config, e);
    if (err != LQ_OK) {
        return err;
    }
    const char *dir = o->formats_dir != NULL ? o->formats_dir : (*config)->formats_dir;
    err = format_set_load(&dir, dir != NULL ? 1 : 0, formats, e);
    if (err == LQ_OK) {
        err = config_verify(*config, *formats, e);
    }
    if (err != LQ_OK) {
        format_set_free(formats);
        config_free(config);
    }
    return err;
}

int daemon_check(const struct daemon_options *o)
{
    struct lq_error e = {0};
    struct config *c = NULL;
    struct format_set *formats = NULL;
    enum lq_err err = read_config(o, &c, &formats, &e);
    for (uint32_t i = 0; err == LQ_OK && i < c->n_inputs; i++) {
        struct tls_context *tls = NULL;
        if (c->inputs[i].certificate != NULL) {
            err = tls_context_new(&c->inputs[i], &tls, &e);
            tls_context_free(&tls);
        }
    }
    if (err != LQ_OK) {
        return failed(&e);
    }
    printf("%s is fine: %u inputs, %zu formats\n", o->config_file != NULL ? o->config_file : "the default configuration", c->n_inputs,
           format_set_count(formats));
    format_set_free(&formats);
    config_free(&c);
    return STATUS_DONE;
}

/* ---- on the loops ---- */

struct order { /* what a loop is told to do with an input */
    struct daemon *d;
    struct input *in;
    const struct input_config *config;
    const struct timezone_rules *tz;
    enum lq_err err;
    struct lq_error e;
};

static void start_input(struct loop *l, void *arg)
{
    struct order *o = arg;
    o->err = feed_new(l->pipeline, o->in->config, &o->in->stats[l->index], &o->in->feeds[l->index], &o->e);
    if (o->err == LQ_OK) {
        o->in->type->start(o->in, l);
    }
}

static void stop_input(struct loop *l, void *arg)
{
    struct order *o = arg;
    if (o->in->feeds[l->index] != NULL) {
        o->in->type->stop(o->in, l);
        feed_free(&o->in->feeds[l->index]);
    }
}

static void move_input(struct loop *l, void *arg)
{
    struct order *o = arg;
    struct feed *old = o->in->feeds[l->index], *fresh = NULL;
    l->pipeline->tz = o->tz;
    o->err = feed_new(l->pipeline, o->config, &o->in->stats[l->index], &fresh, &o->e);
    if (o->err == LQ_OK) {
        o->in->feeds[l->index] = fresh;
        if (o->in->type->moved != NULL) {
            o->in->type->moved(o->in, l, old);
        }
        feed_free(&old);
    }
}

static enum lq_err on_loops(struct daemon *d, void (*run)(struct loop *, void *), struct order *o, struct lq_error *e)
{
    enum lq_err err = LQ_OK;
    for (unsigned i = 0; i < d->env.n_loops && err == LQ_OK; i++) {
        o->err = LQ_OK;
        loop_call(d->env.loops[i], run, o);
        err = o->err;
        if (err != LQ_OK && e != NULL) {
            *e = o->e;
        }
    }
    return err;
}

static enum lq_err input_run(struct daemon *d, struct input *in, struct lq_error *e)
{
    struct order o = {.d = d, .in = in};
    enum lq_err err = on_loops(d, start_input, &o, e);
    if (err == LQ_OK && in->type->begin != NULL) {
        in->type->begin(in);
    }
    return err;
}

static void input_halt(struct daemon *d, struct input *in)
{
    struct order o = {.d = d, .in = in};
    if (in->type->end != NULL) {
        in->type->end(in);
    }
    (void)on_loops(d, stop_input, &o, NULL);
}

/* ---- reload ---- */

static bool same_texts(const char *const *a, uint32_t na, const char *const *b, uint32_t nb)
{
    for (uint32_t i = 0; na == nb && i < na; i++) {
        if (strcmp(a[i], b[i]) != 0) {
            return false;
        }
    }
    return na == nb;
}

static struct input *find_kept(struct daemon *d, const struct input_config *c)
{
    for (struct input *in = d->inputs; in != NULL; in = in->next) {
        const struct input_config *old = in->config;
        if (!in->kept && old->kind == c->kind && same_texts(old->listen, old->n_listen, c->listen, c->n_listen) &&
            same_texts(old->paths, old->n_paths, c->paths, c->n_paths)) {
            return in;
        }
    }
    return NULL;
}

/* Opens what is new and marks what stays; nothing has changed yet when it fails. */
static enum lq_err plan_reload(struct daemon *d, const struct config *c, struct input **plan, struct lq_error *e)
{
    enum lq_err err = LQ_OK;
    for (uint32_t i = 0; i < c->n_inputs && err == LQ_OK; i++) {
        plan[i] = find_kept(d, &c->inputs[i]);
        if (plan[i] != NULL) {
            plan[i]->kept = true;
            err = input_renew(plan[i], &c->inputs[i], e);
        } else {
            err = input_open(&c->inputs[i], &d->env, &plan[i], e);
        }
    }
    for (uint32_t i = 0; i < c->n_inputs && err != LQ_OK; i++) {
        if (plan[i] != NULL && !plan[i]->kept) {
            input_free(&plan[i]);
        }
    }
    for (struct input *in = d->inputs; in != NULL && err != LQ_OK; in = in->next) {
        in->kept = false;
    }
    return err;
}

static void carry_out(struct daemon *d, const struct config *c, struct input *const *plan)
{
    struct lq_error e = {0};
    struct input *old = d->inputs, **tail = &d->inputs;
    while (old != NULL) { /* what goes */
        struct input *next = old->next;
        if (!old->kept) {
            input_halt(d, old);
            log_say(LOG_NOTE, "%s is closed: the new configuration does not have it", old->config->name);
            input_free(&old);
        }
        old = next;
    }
    for (uint32_t i = 0; i < c->n_inputs; i++) {
        struct input *in = plan[i];
        *tail = in;
        tail = &in->next;
        if (in->kept) {
            struct order o = {.d = d, .in = in, .config = &c->inputs[i], .tz = c->tz};
            if (on_loops(d, move_input, &o, &e) != LQ_OK) {
                log_failure(LOG_ERROR, &e);
            }
            in->config = &c->inputs[i];
            in->kept = false;
        } else if (input_run(d, in, &e) != LQ_OK) {
            log_failure(LOG_ERROR, &e);
        }
    }
    *tail = NULL;
}

static void reload(struct daemon *d)
{
    struct lq_error e = {0};
    struct config *c = NULL;
    struct format_set *formats = NULL;
    struct input *plan[INPUTS_MAX] = {NULL};
    log_notify("RELOADING=1");
    enum lq_err err = read_config(&d->o, &c, &formats, &e);
    if (err == LQ_OK) {
        err = plan_reload(d, c, plan, &e);
    }
    if (err != LQ_OK) {
        lq_error_print(stderr, "lqd", &e);
        log_say(LOG_ERROR, "the configuration is not reloaded; the old one stays");
        format_set_free(&formats);
        config_free(&c);
    } else {
        pthread_mutex_lock(&d->formats.lock);
        struct format_set *old = d->formats.set;
        d->formats.set = formats;
        pthread_mutex_unlock(&d->formats.lock);
        pthread_mutex_lock(&d->inputs_lock);
        carry_out(d, c, plan);
        config_free(&d->config);
        d->config = c;
        pthread_mutex_unlock(&d->inputs_lock);
        format_set_free(&old);
        log_say(LOG_NOTICE, "reloaded: %u inputs", c->n_inputs);
    }
    log_notify("READY=1");
}

/* ---- start ---- */

static enum lq_err drop_privileges(const struct config *c, struct lq_error *e)
{
    struct passwd *u = c->user != NULL ? getpwnam(c->user) : NULL;
    struct group *g = c->group != NULL ? getgrnam(c->group) : NULL;
    if (c->user != NULL && u == NULL) {
        return lq_error_set(e, LQ_EINVAL, "there is no user %s", c->user);
    }
    if (c->group != NULL && g == NULL) {
        return lq_error_set(e, LQ_EINVAL, "there is no group %s", c->group);
    }
    if (geteuid() != 0 || u == NULL) {
        return LQ_OK;
    }
    gid_t gid = g != NULL ? g->gr_gid : u->pw_gid;
    if (initgroups(u->pw_name, gid) != 0 || setgid(gid) != 0 || setuid(u->pw_uid) != 0) {
        return lq_error_errno(e, errno, "become user", c->user);
    }
    LQ_ASSERT(u->pw_uid == 0 || setuid(0) != 0); /* there is no way back */
    return LQ_OK;
}

static void raise_descriptor_limit(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

static enum lq_err open_all(struct daemon *d, struct lq_error *e)
{
    struct config *c = d->config;
    struct input **tail = &d->inputs;
    enum lq_err err = LQ_OK;
    d->env.n_loops = c->threads;
    for (uint32_t i = 0; i < c->n_inputs && err == LQ_OK; i++) {
        err = input_open(&c->inputs[i], &d->env, tail, e);
        if (err == LQ_OK) {
            tail = &(*tail)->next;
        }
    }
    if (err == LQ_OK) {
        err = drop_privileges(c, e);
    }
    struct store_options so = {.write = true, .disk_bytes_max = c->disk_bytes_max};
    umask(0007); /* readers are members of the group */
    if (err == LQ_OK) {
        err = store_open(d->data, &so, &d->store, e);
    }
    if (err == LQ_OK && c->mask != NULL) {
        err = store_mask(d->store, c->mask_kinds, c->mask_key, e);
    }
    return err;
}

static enum lq_err start_all(struct daemon *d, struct lq_error *e)
{
    enum lq_err err = LQ_OK;
    d->memory.max = d->config->buffer_bytes_max;
    d->flusher = flusher_new(d->store, d->config);
    for (unsigned i = 0; i < d->env.n_loops && err == LQ_OK; i++) {
        err = loop_new(i, d->store, &d->formats, d->config, &d->memory, d->flusher, &d->env.loops[i], e);
    }
    if (err != LQ_OK) {
        return err;
    }
    for (unsigned i = 0; i < d->env.n_loops; i++) {
        loop_start(d->env.loops[i]);
    }
    flusher_start(d->flusher, d->env.loops, d->env.n_loops);
    d->ready = true;
    for (struct input *in = d->inputs; in != NULL && err == LQ_OK; in = in->next) {
        err = input_run(d, in, e);
    }
    if (err == LQ_OK) {
        err = control_server_start(d, &d->control, e);
    }
    if (err == LQ_OK && d->o.serve != NULL) {
        err = d->o.serve(d, d->o.ctx, e);
    }
    return err;
}

/* ---- settle ---- */

struct handing_over {
    bool handed, done;
};

static void hand_over(struct loop *l, void *arg)
{
    struct handing_over *x = arg;
    x->handed = x->handed || loop_commit(l) || batch_empty(l->pipeline->open);
    x->done = x->handed && l->pipeline->spare != NULL;
}

bool daemon_settle(struct daemon *d, int64_t patience_us)
{
    int64_t until = clock_monotonic_us() + patience_us;
    for (unsigned i = 0; i < d->env.n_loops; i++) {
        struct handing_over x = {false, false};
        while (!x.done) {
            loop_call(d->env.loops[i], hand_over, &x);
            if (!x.done && clock_monotonic_us() > until) {
                return false;
            }
            if (!x.done) {
                nanosleep(&(struct timespec){0, 2000000}, NULL);
            }
        }
    }
    return true;
}

/* ---- stop ---- */

struct last_commit {
    bool done;
};

static void commit_last(struct loop *l, void *arg)
{
    struct last_commit *x = arg;
    loop_commit(l);
    x->done = l->pipeline->spare != NULL && batch_empty(l->pipeline->open);
}

/* Every loop hands over what it has; not for ever, where the store refuses. */
static void commit_everything(struct daemon *d)
{
    int64_t until = clock_monotonic_us() + PATIENCE_US;
    for (unsigned i = 0; i < d->env.n_loops; i++) {
        struct last_commit x = {false};
        while (!x.done && clock_monotonic_us() < until) {
            loop_call(d->env.loops[i], commit_last, &x);
            if (!x.done) {
                nanosleep(&(struct timespec){0, 2000000}, NULL);
            }
        }
    }
}

static int stop_all(struct daemon *d)
{
    uint64_t lost = 0, left = 0;
    struct flusher_stats stats;
    bool complete = true;
    if (d->ready) {
        if (d->o.serve_end != NULL) { /* first: its handlers ask for the others' counters, and start lq, which asks the control socket */
            d->o.serve_end(d, d->o.ctx);
        }
        control_server_stop(&d->control);
        for (struct input *in = d->inputs; in != NULL; in = in->next) {
            input_halt(d, in);
        }
        commit_everything(d);
        flusher_stats(d->flusher, &stats);
        complete = flusher_stop(d->flusher, stats.failing ? 0 : PATIENCE_US, &lost);
        for (unsigned i = 0; i < d->env.n_loops; i++) {
            loop_join(d->env.loops[i]);
            left += d->env.loops[i]->pipeline->open->counts[COUNT_LINES]; /* never handed over: the other window did not come back */
        }
        complete = complete && left == 0;
    }
    for (unsigned i = 0; i < d->env.n_loops; i++) {
        loop_free(&d->env.loops[i]);
    }
    while (d->inputs != NULL) {
        struct input *in = d->inputs;
        d->inputs = in->next;
        input_free(&in);
    }
    if (!complete) {
        log_say(LOG_ERROR, "stopped, but the store refused the last %llu lines", (unsigned long long)(lost + left));
    }
    flusher_free(&d->flusher);
    store_close(&d->store);
    format_set_free(&d->formats.set);
    config_free(&d->config);
    pthread_mutex_destroy(&d->formats.lock);
    pthread_mutex_destroy(&d->inputs_lock);
    return complete ? STATUS_DONE : STATUS_FAILED;
}

/* ---- the main thread ---- */

static void on_signal(struct ev_loop *ev, ev_signal *w, int events)
{
    struct daemon *d = w->data;
    (void)events;
    if (w->signum == SIGHUP) {
        reload(d);
        return;
    }
    log_say(LOG_NOTICE, "stopping: committing everything");
    log_notify("STOPPING=1");
    d->stopping = true;
    ev_break(ev, EVBREAK_ALL);
}

static void on_drained(struct ev_loop *ev, ev_async *w, int events)
{
    struct daemon *d = w->data;
    (void)events;
    if (d->o.once) {
        ev_break(ev, EVBREAK_ALL);
    }
}

/* A loop's thread. */
static void stdin_drained(void *arg)
{
    struct daemon *d = arg;
    ev_async_send(d->main, &d->drained);
}

/* Not the default loop: that one waits for every child of the process, also for those that http/run.c waits for itself. */
static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
static void watch(struct daemon *d)
{
    d->main = d->env.main = ev_loop_new(EVFLAG_AUTO);
    LQ_ASSERT(d->main != NULL);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        ev_signal_init(&d->signals[i], on_signal, signals[i]);
        d->signals[i].data = d;
        ev_signal_start(d->main, &d->signals[i]);
    }
    ev_async_init(&d->drained, on_drained);
    d->drained.data = d;
    ev_async_start(d->main, &d->drained);
    d->env.drained = stdin_drained;
    d->env.arg = d;
}

/* Everything is stored: a second signal changes nothing any more. */
static void unwatch(struct daemon *d)
{
    for (size_t i = 0; i < sizeof signals / sizeof signals[0] && d->main != NULL; i++) {
        ev_signal_stop(d->main, &d->signals[i]);
        signal(signals[i], SIG_IGN);
    }
    if (d->main != NULL) {
        ev_async_stop(d->main, &d->drained);
        ev_loop_destroy(d->main);
    }
}

int daemon_run(const struct daemon_options *o)
{
    struct daemon *d = lq_alloc(sizeof *d);
    struct lq_error e = {0};
    d->o = *o;
    d->started_us = clock_now_us();
    pthread_mutex_init(&d->formats.lock, NULL);
    pthread_mutex_init(&d->inputs_lock, NULL);
    signal(SIGPIPE, SIG_IGN);
    enum lq_err err = read_config(o, &d->config, &d->formats.set, &e);
    if (err == LQ_OK) {
        snprintf(d->data, sizeof d->data, "%s", o->data != NULL ? o->data : d->config->data != NULL ? d->config->data : o->default_data);
        raise_descriptor_limit();
        watch(d);
        err = open_all(d, &e);
    }
    if (err == LQ_OK) {
        d->started_us = clock_now_us();
        err = start_all(d, &e);
    }
    int status = err == LQ_OK ? STATUS_DONE : failed(&e);
    if (err == LQ_OK) {
        log_say(LOG_NOTICE, "ready: %u loops, store %s, commits every %lld ms", d->env.n_loops, d->data, (long long)(d->config->flush_us / 1000));
        log_notify("READY=1");
        ev_run(d->main, 0);
    }
    int stopped = stop_all(d);
    unwatch(d);
    free(d);
    return status != STATUS_DONE ? status : stopped;
}
