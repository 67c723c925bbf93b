/*
 * control_load.c - a load that came by the control socket (control_server.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <sys/stat.h>

#include "ingest/control_server.h"
#include "ingest/daemon.h"
#include "ingest/load.h"
#include "ingest/log.h"

enum { STEPS_AT_ONCE = 16, SETTLE_US = 10000000 };

/* ---- progress: what the load prints goes to the asker's terminal ---- */

static ssize_t send_progress(void *cookie, const char *p, size_t n)
{
    struct lq_buf b = {0};
    control_begin(&b, CONTROL_PROGRESS);
    control_put(&b, TAG_TEXT, (lq_str){p, n});
    control_end(&b);
    (void)!control_send(*(int *)cookie, &b, -1, NULL);
    lq_buf_fini(&b);
    return (ssize_t)n;
}

/* ---- which files: not those that are followed, whose lines come in by themselves ---- */

struct load_plan {
    size_t n;
    const char **paths;
    int *fds;
    bool *followed; /* by index in the request */
};

static bool is_followed(struct daemon *d, int fd)
{
    struct stat st;
    bool yes = false;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return false;
    }
    pthread_mutex_lock(&d->inputs_lock);
    for (struct input *in = d->inputs; in != NULL && !yes; in = in->next) {
        yes = in->type->follows != NULL && in->type->follows(in, &st);
    }
    pthread_mutex_unlock(&d->inputs_lock);
    return yes;
}

static void plan(struct daemon *d, const struct control_request *r, struct lq_arena *mem, struct load_plan *out)
{
    out->paths = lq_arena_alloc(mem, r->n_files * sizeof *out->paths);
    out->fds = lq_arena_alloc(mem, r->n_files * sizeof *out->fds);
    out->followed = lq_arena_alloc(mem, r->n_files * sizeof *out->followed);
    out->n = 0;
    for (size_t i = 0; i < r->n_files; i++) {
        out->followed[i] = is_followed(d, r->files[i].fd);
        if (out->followed[i]) {
            continue;
        }
        out->paths[out->n] = r->files[i].path;
        out->fds[out->n++] = r->files[i].fd;
    }
}

/* ---- answers ---- */

static void send_report(int fd, size_t index, const struct load_file *f)
{
    struct lq_buf b = {0};
    control_begin(&b, CONTROL_REPORT);
    control_put_u64(&b, TAG_INDEX, index);
    control_put_u64(&b, TAG_STATE, (uint64_t)f->state);
    control_put(&b, TAG_FORMAT, lq_str_of(f->format));
    control_put(&b, TAG_WHY, lq_str_of(f->why));
    control_put_u64(&b, TAG_LINES, f->lines);
    control_put_u64(&b, TAG_PARSED, f->parsed);
    control_put_u64(&b, TAG_BYTES, f->bytes);
    if (f->state == LOAD_FAILED) {
        control_put_error(&b, &f->error);
    }
    control_end(&b);
    (void)!control_send(fd, &b, -1, NULL);
    lq_buf_fini(&b);
}

static void send_reports(const struct control_request *r, const struct load_plan *p, const struct load_report *report, int fd)
{
    struct lq_buf b = {0};
    for (size_t i = 0, k = 0; i < r->n_files; i++) {
        struct load_file followed = {.path = r->files[i].path, .state = LOAD_FOLLOWED};
        send_report(fd, i, p->followed[i] ? &followed : &report->files[k++]);
    }
    control_begin(&b, CONTROL_DONE);
    control_put_u64(&b, TAG_LINES, report->lines);
    control_put_u64(&b, TAG_PARSED, report->parsed);
    control_put_u64(&b, TAG_BYTES, report->bytes);
    control_put_u64(&b, TAG_FAILED, report->failed);
    control_put_u64(&b, TAG_ELAPSED, (uint64_t)report->elapsed_us);
    control_end(&b);
    (void)!control_send(fd, &b, -1, NULL);
    lq_buf_fini(&b);
}

/* ---- the whole ---- */

struct load_setup {
    struct format_set *formats;
    struct timezone_rules *tz;
    struct load_options o;
    FILE *progress;
};

static enum lq_err set_up(struct daemon *d, const struct control_request *r, int *fd, struct lq_arena *mem, struct load_setup *s, struct lq_error *e)
{
    const struct format *named;
    pthread_mutex_lock(&d->inputs_lock); /* a reload replaces the configuration */
    const char *own = d->o.formats_dir != NULL ? d->o.formats_dir : d->config->formats_dir;
    const char *dir = r->formats_dir != NULL ? r->formats_dir : own != NULL ? lq_arena_strdup(mem, lq_str_of(own)) : NULL;
    pthread_mutex_unlock(&d->inputs_lock);
    enum lq_err err = format_set_load(&dir, dir != NULL ? 1 : 0, &s->formats, e);
    if (err == LQ_OK && r->format_name != NULL) {
        err = format_set_find(s->formats, r->format_name, &named, e);
    }
    if (err == LQ_OK) {
        err = timezone_load(r->tz != NULL ? r->tz : "local", &s->tz, e);
    }
    if (err != LQ_OK) {
        return err;
    }
    if (r->progress) {
        s->progress = fopencookie(fd, "w", (cookie_io_functions_t){.write = send_progress});
    }
    s->o = (struct load_options){.formats = s->formats, .format_name = r->format_name, .labels = &r->labels, .tz = s->tz, .reference_us = r->reference_us,
                                 .threads = r->threads, .progress = s->progress, .stdin_id = r->stdin_id, .cancel_fd = *fd};
    return LQ_OK;
}

static enum lq_err run(struct daemon *d, const struct load_plan *p, struct load_setup *s, struct load_report *report, struct lq_error *e)
{
    bool more = true;
    s->o.fds = p->fds;
    enum lq_err err = load_files(d->store, p->paths, p->n, &s->o, report, e);
    store_expect_high_water(d->store, INT64_MIN);
    while (err == LQ_OK && more && !report->cancelled) {
        err = store_maintain(d->store, STEPS_AT_ONCE, MAINTAIN_ALL, &more, e);
    }
    if (err == LQ_OK && report->cancelled) {
        err = lq_error_set(e, LQ_EIO, "the load ended early: what was read so far is in the store");
        lq_error_hint(e, "load the same again: it goes on from there");
    }
    return err;
}

void control_load(struct daemon *d, const struct control_request *r, int fd)
{
    struct lq_error e = {0};
    struct lq_arena mem = {0};
    struct load_plan p = {0};
    struct load_setup s = {0};
    struct load_report report = {0};
    enum lq_err err = set_up(d, r, &fd, &mem, &s, &e);
    if (err == LQ_OK && !daemon_settle(d, SETTLE_US)) { /* what is followed has its checkpoints in the store: a copy of it is recognised */
        err = lq_error_set(&e, LQ_EIO, "lqd cannot commit what it has");
        lq_error_hint(&e, "its log says why");
    }
    if (err == LQ_OK) {
        plan(d, r, &mem, &p);
        err = run(d, &p, &s, &report, &e);
    }
    if (s.progress != NULL) {
        fclose(s.progress);
    }
    if (err == LQ_OK) {
        send_reports(r, &p, &report, fd);
    } else {
        control_answer_error(fd, &e);
    }
    log_say(LOG_NOTE, "control: %zu files, %llu lines loaded%s%s", report.n, (unsigned long long)report.lines, err != LQ_OK ? ": " : "", err != LQ_OK ? e.msg : "");
    load_report_fini(&report);
    format_set_free(&s.formats);
    timezone_free(&s.tz);
    lq_arena_fini(&mem);
}
