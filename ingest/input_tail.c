/*
 * input_tail.c - files that are followed: which ones, and when to look at them
 *
 * inotify says when a file was written or a directory has changed; every `poll` all of it is looked at anyway, so that a file system without inotify
 * only costs a second. One loop follows all files of an input.
 *
 * A file belongs to its inode while it is open, else to its identity (tail.h). When a path leads to a new file, its neighbours (access.log.1, access.log-20260302,
 * access.log.1.gz) that the store has a checkpoint of are read to their ends, even where the globs do not match them: they were rotated while lqd did not run.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "ingest/input.h"
#include "ingest/log.h"
#include "ingest/tail.h"

enum { FILES_MAX = 4096, DIRS_MAX = 1024, PORTIONS_AT_ONCE = 8, FAREWELL_PORTIONS = 1024 };

struct watched_dir {
    int wd;
    char *path;
};
struct tailer {
    struct input *in;
    struct loop *l;
    struct tail *files;
    uint32_t n_files;
    int inotify;
    ev_io notified;
    ev_timer poll, work, soon;
    struct waiter waiter;
    struct commit_hook hook;
    struct watched_dir dirs[DIRS_MAX];
    uint32_t n_dirs;
    bool deferred; /* a new file waits until all checkpoints are in the store */
    bool first; /* the first look: from_end counts only for files that are there at the start */
    struct log_limit cannot, many;
};

/* ---- which files ---- */

static struct tail *by_inode(struct tailer *x, const struct stat *st)
{
    for (struct tail *t = x->files; t != NULL; t = t->next) {
        if (t->state == TAIL_OPEN && t->fd >= 0 && t->st.st_ino == st->st_ino && t->st.st_dev == st->st_dev) { /* while it is open nobody else gets its inode */
            return t;
        }
    }
    return NULL;
}

static struct tail *by_path(struct tailer *x, const char *path)
{
    for (struct tail *t = x->files; t != NULL; t = t->next) {
        if (!t->renamed && strcmp(t->path, path) == 0) {
            return t;
        }
    }
    return NULL;
}

static struct tail *twin_of(struct tailer *x, const struct tail *like)
{
    for (struct tail *t = x->files; t != NULL; t = t->next) {
        if (t != like && !t->shadow && tail_same(like, t)) {
            return t;
        }
    }
    return NULL;
}

/* Every checkpoint is in the store: only then may a file be looked up there. */
static bool all_committed(const struct tailer *x)
{
    return x->l->pipeline->spare != NULL && x->l->pipeline->open->n_checkpoints == 0;
}

static void watch_dir(struct tailer *x, const char *path)
{
    char dir[4096];
    snprintf(dir, sizeof dir, "%s", path);
    char *slash = strrchr(dir, '/');
    if (slash == NULL || x->inotify < 0) {
        return;
    }
    slash[slash == dir] = '\0';
    for (uint32_t i = 0; i < x->n_dirs; i++) {
        if (strcmp(x->dirs[i].path, dir) == 0) {
            return;
        }
    }
    int wd = x->n_dirs < DIRS_MAX ? inotify_add_watch(x->inotify, dir, IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_ONLYDIR) : -1;
    if (wd >= 0) {
        x->dirs[x->n_dirs++] = (struct watched_dir){wd, lq_strdup(lq_str_of(dir))};
    }
}

static struct tail *add_file(struct tailer *x, const char *path, bool known_only)
{
    char why[256];
    if (x->n_files >= FILES_MAX) {
        if (log_may(&x->many)) {
            log_say(LOG_ERROR, "%s: more than %d files; %s is not followed", x->in->config->name, FILES_MAX, path);
        }
        return NULL;
    }
    struct feed *f = x->in->feeds[x->l->index];
    struct tail *t = tail_open(x->l, f, path, known_only, x->first && feed_config(f)->from_end, why, sizeof why);
    if (t == NULL) {
        if (why[0] != '\0' && log_may(&x->cannot)) {
            log_say(LOG_WARN, "%s: cannot follow %s: %s", feed_config(f)->name, path, why);
        }
        return NULL;
    }
    t->shadow = twin_of(x, t) != NULL;
    if (x->inotify >= 0 && !t->compressed) {
        t->wd = inotify_add_watch(x->inotify, path, IN_MODIFY | IN_MOVE_SELF | IN_DELETE_SELF);
    }
    t->next = x->files;
    x->files = t;
    x->n_files++;
    return t;
}

static void forget(struct tailer *x, struct tail **at)
{
    struct tail *t = *at;
    *at = t->next;
    if (t->wd >= 0) {
        inotify_rm_watch(x->inotify, t->wd);
    }
    tail_free(&t);
    x->n_files--;
}

/* Rotated while nobody looked: neighbours of a path that the store knows. */
static void look_at_neighbours(struct tailer *x, const char *path)
{
    char dir[4096], full[4096 + 300];
    snprintf(dir, sizeof dir, "%s", path);
    char *slash = strrchr(dir, '/');
    if (slash == NULL) {
        return;
    }
    *slash = '\0';
    const char *base = path + (slash - dir) + 1;
    size_t n = strlen(base), stem = n > 4 && strcmp(base + n - 4, ".log") == 0 ? n - 4 : n;
    DIR *d = opendir(dir[0] != '\0' ? dir : "/");
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        struct stat st;
        if (strncmp(e->d_name, base, stem) != 0 || strcmp(e->d_name, base) == 0 || strchr(".-_", e->d_name[stem]) == NULL) {
            continue;
        }
        snprintf(full, sizeof full, "%s/%s", dir, e->d_name);
        if (stat(full, &st) == 0 && S_ISREG(st.st_mode) && by_inode(x, &st) == NULL && by_path(x, full) == NULL) {
            struct tail *t = add_file(x, full, true);
            if (t != NULL) {
                t->renamed = true; /* to its end, then forgotten */
            }
        }
    }
    if (d != NULL) {
        closedir(d);
    }
}

static void look_at(struct tailer *x, const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0) {
        return;
    }
    struct tail *here = by_path(x, path), *same = by_inode(x, &st);
    bool closed = here != NULL && here->state == TAIL_OPEN && here->fd < 0 && here->st.st_ino == st.st_ino && here->st.st_dev == st.st_dev;
    if (here != NULL && (here == same || closed)) { /* of a closed one tail_read finds out whether it is another by now */
        return;
    }
    if (same == NULL && !all_committed(x)) {
        x->deferred = true;
        return;
    }
    if (here != NULL) {
        tail_renamed(here);
    }
    if (same != NULL) { /* renamed to another name that is matched too */
        free(same->path);
        same->path = lq_strdup(lq_str_of(path));
        same->renamed = false;
        return;
    }
    if (add_file(x, path, false) != NULL) {
        look_at_neighbours(x, path);
    }
}

/* What became of the files that are followed. */
static void review(struct tailer *x)
{
    int64_t now = clock_monotonic_us();
    for (struct tail **at = &x->files; *at != NULL;) {
        struct tail *t = *at;
        struct stat st;
        bool there = stat(t->path, &st) == 0;
        bool moved = !there || st.st_ino != t->st.st_ino || st.st_dev != t->st.st_dev;
        int64_t quiet = now - t->quiet_us;
        if (moved) {
            tail_renamed(t);
        }
        if (t->shadow && twin_of(x, t) == NULL) {
            forget(x, at); /* its twin has gone: look at it again, from the checkpoint */
            continue;
        }
        if (t->renamed && !t->dirty && all_committed(x) && (t->state == TAIL_FINISHED || (t->shadow && !there))) {
            forget(x, at);
            continue;
        }
        if (t->renamed && t->state == TAIL_OPEN && quiet > RENAMED_KEEP_S * 1000000LL) {
            tail_finish(t);
        } else if (!t->renamed && t->fd >= 0 && quiet > QUIET_CLOSE_S * 1000000LL) {
            tail_rest(t);
        }
        if (t->compressed && t->damaged && there && tail_changed(t, &st)) {
            t->st = st;
            t->damaged = t->done = false;
        }
        at = &(*at)->next;
    }
}

static void start_work(struct tailer *x)
{
    if (!ev_is_active(&x->work) && !x->waiter.waiting) {
        ev_timer_set(&x->work, 0., 0.);
        ev_timer_start(x->l->ev, &x->work);
    }
}

static void scan(struct tailer *x)
{
    const struct input_config *c = feed_config(x->in->feeds[x->l->index]);
    pipeline_now(x->l->pipeline, clock_now_us());
    review(x);
    for (uint32_t i = 0; i < c->n_paths; i++) {
        glob_t g = {0};
        watch_dir(x, c->paths[i]);
        if (glob(c->paths[i], GLOB_NOSORT, NULL, &g) == 0) {
            for (size_t k = 0; k < g.gl_pathc; k++) {
                watch_dir(x, g.gl_pathv[k]);
                look_at(x, g.gl_pathv[k]);
            }
        }
        globfree(&g);
    }
    x->first = x->first && x->deferred;
    if (x->deferred && !ev_is_active(&x->soon)) {
        ev_timer_set(&x->soon, 0.02, 0.);
        ev_timer_start(x->l->ev, &x->soon);
    }
    x->deferred = false;
    start_work(x);
}

/* ---- when ---- */

/* Portions of every file in turn; again at once while one of them has more. */
static void on_work(struct ev_loop *ev, ev_timer *w, int events)
{
    struct tailer *x = w->data;
    bool more = false;
    (void)ev;
    (void)events;
    for (struct tail *t = x->files; t != NULL; t = t->next) {
        bool has = tail_wants(t);
        for (int i = 0; i < PORTIONS_AT_ONCE && has; i++) {
            if (!loop_room(x->l)) {
                stat_add(feed_stats(t->feed), STAT_PAUSES, 1);
                loop_wait(x->l, &x->waiter);
                return;
            }
            has = tail_read(t);
        }
        more = more || has;
    }
    if (more) {
        start_work(x);
    }
}

static void on_room(struct waiter *w)
{
    start_work((struct tailer *)(void *)((char *)w - offsetof(struct tailer, waiter)));
}

static void on_poll(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    scan(w->data);
}

static void on_notified(struct ev_loop *ev, ev_io *w, int events)
{
    struct tailer *x = w->data;
    char buf[8192] __attribute__((aligned(8)));
    bool dirs = false;
    ssize_t n;
    (void)events;
    while ((n = read(x->inotify, buf, sizeof buf)) > 0) {
        for (ssize_t at = 0; at < n;) {
            struct inotify_event e;
            memcpy(&e, buf + at, sizeof e);
            dirs = dirs || (e.mask & ~(uint32_t)IN_MODIFY) != 0;
            if ((e.mask & IN_IGNORED) != 0) { /* the directory has gone: watch it anew when it is back */
                for (uint32_t i = 0; i < x->n_dirs; i++) {
                    if (x->dirs[i].wd == e.wd) {
                        free(x->dirs[i].path);
                        x->dirs[i] = x->dirs[--x->n_dirs];
                    }
                }
            }
            at += (ssize_t)(sizeof e + e.len);
        }
    }
    if (dirs && !ev_is_active(&x->soon)) {
        ev_timer_set(&x->soon, 0.01, 0.);
        ev_timer_start(ev, &x->soon);
    }
    start_work(x);
}

static void before_commit(struct commit_hook *h, struct batch *b)
{
    struct tailer *x = (struct tailer *)(void *)((char *)h - offsetof(struct tailer, hook));
    for (struct tail *t = x->files; t != NULL; t = t->next) {
        tail_checkpoint(t, b);
    }
}

/* ---- the row ---- */

static enum lq_err tail_input_open(struct input *in, struct lq_error *e)
{
    (void)e;
    for (uint32_t i = 0; i < in->config->n_paths; i++) {
        log_say(LOG_NOTE, "%s follows %s", in->config->name, in->config->paths[i]);
    }
    return LQ_OK;
}

static unsigned loop_of(const struct input *in)
{
    return (unsigned)(lq_hash(in->config->name, strlen(in->config->name), 0) % in->env->n_loops);
}

static void tail_start(struct input *in, struct loop *l)
{
    if (l->index != loop_of(in)) {
        return;
    }
    struct tailer *x = in->state[l->index] = lq_alloc(sizeof *x);
    double every = (double)in->config->poll_us / 1e6;
    x->in = in;
    x->l = l;
    x->first = true;
    x->waiter.resume = on_room;
    x->hook.before = before_commit;
    x->hook.next = l->hooks;
    l->hooks = &x->hook;
    x->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    ev_timer_init(&x->work, on_work, 0., 0.);
    ev_timer_init(&x->soon, on_poll, 0., 0.);
    ev_timer_init(&x->poll, on_poll, every, every);
    x->poll.data = x->work.data = x->soon.data = x->notified.data = x;
    ev_timer_start(l->ev, &x->poll);
    if (x->inotify >= 0) {
        ev_io_init(&x->notified, on_notified, x->inotify, EV_READ);
        x->notified.data = x;
        ev_io_start(l->ev, &x->notified);
    } else {
        log_say(LOG_WARN, "%s: no inotify (%s): files are looked at every %g s", in->config->name, strerror(errno), every);
    }
    scan(x);
}

static void tail_stop(struct input *in, struct loop *l)
{
    struct tailer *x = in->state[l->index];
    if (x == NULL) {
        return;
    }
    ev_timer_stop(l->ev, &x->poll);
    ev_timer_stop(l->ev, &x->work);
    ev_timer_stop(l->ev, &x->soon);
    ev_io_stop(l->ev, &x->notified);
    loop_wait_cancel(l, &x->waiter);
    for (struct tail *t = x->files; t != NULL; t = t->next) {
        for (int i = 0; i < FAREWELL_PORTIONS && loop_room(l) && tail_read(t); i++) {
        }
    }
    pipeline_settle(l->pipeline);
    before_commit(&x->hook, l->pipeline->open); /* lines and their checkpoints go together */
    for (struct commit_hook **at = &l->hooks; *at != NULL; at = &(*at)->next) {
        if (*at == &x->hook) {
            *at = x->hook.next;
            break;
        }
    }
    while (x->files != NULL) {
        forget(x, &x->files);
    }
    for (uint32_t i = 0; i < x->n_dirs; i++) {
        free(x->dirs[i].path);
    }
    if (x->inotify >= 0) {
        close(x->inotify);
    }
    free(x);
    in->state[l->index] = NULL;
}

static void tail_input_moved(struct input *in, struct loop *l, struct feed *old)
{
    struct tailer *x = in->state[l->index];
    (void)old;
    for (struct tail *t = x != NULL ? x->files : NULL; t != NULL; t = t->next) {
        tail_move(t, in->feeds[l->index]);
    }
}

struct question {
    struct input *in;
    const struct stat *st;
    bool yes;
};

static void ask(struct loop *l, void *arg)
{
    struct question *q = arg;
    struct tailer *x = q->in->state[l->index];
    q->yes = x != NULL && by_inode(x, q->st) != NULL;
}

static bool tail_input_follows(struct input *in, const struct stat *st)
{
    struct question q = {in, st, false};
    loop_call(in->env->loops[loop_of(in)], ask, &q);
    return q.yes;
}

const struct input_type input_tail = {tail_input_open, tail_start, tail_stop, tail_input_moved, NULL, NULL, tail_input_follows};
