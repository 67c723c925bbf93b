/*
 * control_request.c - frames to a request (control_request.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/control_request.h"

#include <stdlib.h>
#include <unistd.h>

enum { MARKER_NAME_MAX = 200, MARKER_TEXT_MAX = 2000, THREADS_LIMIT = 60 };

void control_request_init(struct control_request *r)
{
    memset(r, 0, sizeof *r);
}

void control_request_fini(struct control_request *r)
{
    for (size_t i = 0; i < r->n_files; i++) {
        close(r->files[i].fd);
    }
    free(r->files);
    lq_arena_fini(&r->mem);
    memset(r, 0, sizeof *r);
}

static enum lq_err bad(struct lq_error *e, const char *what)
{
    return lq_error_set(e, LQ_EINVAL, "a bad request: %s", what);
}

/* Text that ends up in file names and C strings holds no NUL. */
static enum lq_err text_of(struct control_request *r, lq_str v, char **out, struct lq_error *e)
{
    if (v.n == 0 || v.n > CONTROL_PATH_MAX || memchr(v.p, '\0', v.n) != NULL) {
        return bad(e, "a text that is empty, too long, or holds a NUL");
    }
    *out = lq_arena_strdup(&r->mem, v);
    return LQ_OK;
}

/* ---- a marker ---- */

static enum lq_err marker_field(struct control_request *r, enum control_tag tag, lq_str v, struct lq_error *e)
{
    struct marker *m = &r->marker;
    if (v.n > (tag == TAG_TEXT ? MARKER_TEXT_MAX : MARKER_NAME_MAX)) {
        return bad(e, "a field of a marker is too long");
    }
    switch ((int)tag) {
    case TAG_TIME: m->time_us = (int64_t)control_u64(v); return LQ_OK;
    case TAG_KIND: m->kind = lq_arena_str(&r->mem, v); return LQ_OK;
    case TAG_NAME: m->name = lq_arena_str(&r->mem, v); return LQ_OK;
    case TAG_HOST: m->host = lq_arena_str(&r->mem, v); return LQ_OK;
    case TAG_SERVICE: m->service = lq_arena_str(&r->mem, v); return LQ_OK;
    case TAG_TEXT: m->text = lq_arena_str(&r->mem, v); return LQ_OK;
    default: return bad(e, "a marker has no such field");
    }
}

/* ---- a load ---- */

static enum lq_err label_field(struct control_request *r, lq_str v, struct lq_error *e)
{
    char *text = NULL;
    enum lq_err err = text_of(r, v, &text, e);
    return err == LQ_OK ? label_rules_add(&r->labels, text, e) : err;
}

static enum lq_err load_field(struct control_request *r, enum control_tag tag, lq_str v, struct lq_error *e)
{
    switch ((int)tag) {
    case TAG_FORMAT_NAME: return text_of(r, v, &r->format_name, e);
    case TAG_LABEL: return label_field(r, v, e);
    case TAG_LABEL_FROM: return text_of(r, v, &r->label_from, e);
    case TAG_TZ: return text_of(r, v, &r->tz, e);
    case TAG_ID: return text_of(r, v, &r->stdin_id, e);
    case TAG_FORMATS: return text_of(r, v, &r->formats_dir, e);
    case TAG_REFERENCE: r->reference_us = (int64_t)control_u64(v); return LQ_OK;
    case TAG_THREADS: r->threads = control_u64(v) < THREADS_LIMIT ? (unsigned)control_u64(v) : THREADS_LIMIT; return LQ_OK;
    case TAG_PROGRESS: r->progress = control_u64(v) != 0; return LQ_OK;
    default: return bad(e, "a load has no such field");
    }
}

typedef enum lq_err field_fn(struct control_request *r, enum control_tag tag, lq_str v, struct lq_error *e);

static enum lq_err fields(struct control_request *r, lq_str payload, field_fn *fn, struct lq_error *e)
{
    enum control_tag tag;
    lq_str v;
    enum lq_err err = LQ_OK;
    enum control_step step = CONTROL_END;
    while (err == LQ_OK && (step = control_next(&payload, &tag, &v)) == CONTROL_FIELD) {
        err = fn(r, tag, v, e);
    }
    return err == LQ_OK && step == CONTROL_BAD ? bad(e, "a field that does not fit its frame") : err;
}

static enum lq_err file_frame(struct control_request *r, lq_str payload, int *fd, struct lq_error *e)
{
    enum control_tag tag;
    lq_str v;
    char *path = NULL;
    if (control_next(&payload, &tag, &v) != CONTROL_FIELD || tag != TAG_PATH || payload.n > 0) {
        return bad(e, "a file has a path and nothing else");
    }
    enum lq_err err = text_of(r, v, &path, e);
    if (err != LQ_OK) {
        return err;
    }
    if (r->n_files == CONTROL_FILES_MAX) {
        return lq_error_set(e, LQ_ELIMIT, "more than %d files", CONTROL_FILES_MAX);
    }
    if (*fd < 0) {
        err = lq_error_set(e, LQ_ELIMIT, "%s did not arrive open: lqd has no file descriptor left", path);
        lq_error_hint(e, "load fewer files at once, or raise the limit of open files (LimitNOFILE=) of lqd");
        return err;
    }
    lq_grow(&r->files, &r->cap_files, r->n_files + 1, sizeof *r->files);
    r->files[r->n_files++] = (struct control_file){path, *fd};
    *fd = -1;
    return LQ_OK;
}

static enum lq_err take(struct control_request *r, enum control_type t, lq_str payload, int *fd, bool *ready, struct lq_error *e)
{
    if (r->kind == 0 && t == CONTROL_MARK) {
        r->kind = t;
        *ready = true;
        enum lq_err err = fields(r, payload, marker_field, e);
        return err != LQ_OK || (r->marker.kind.n > 0 && r->marker.name.n > 0) ? err : bad(e, "a marker needs a kind and a name");
    }
    if (r->kind == 0 && t == CONTROL_LOAD) {
        r->kind = t;
        enum lq_err err = fields(r, payload, load_field, e);
        return err == LQ_OK && r->label_from != NULL ? label_rules_from(&r->labels, r->label_from, e) : err;
    }
    if (r->kind == CONTROL_LOAD && t == CONTROL_FILE) {
        return file_frame(r, payload, fd, e);
    }
    *ready = r->kind == CONTROL_LOAD && t == CONTROL_GO && r->n_files > 0;
    return *ready ? LQ_OK : bad(e, "a frame that does not belong there");
}

enum request_step control_request_take(struct control_request *r, enum control_type t, lq_str payload, int fd, struct lq_error *e)
{
    bool ready = false;
    enum lq_err err = take(r, t, payload, &fd, &ready, e);
    if (fd >= 0) {
        close(fd);
    }
    return err != LQ_OK ? REQUEST_BAD : ready ? REQUEST_READY : REQUEST_MORE;
}
