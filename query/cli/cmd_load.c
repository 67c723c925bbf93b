/*
 * cmd_load.c - lq load FILE…, here or by the lqd that holds the store (store/control.h), and the temporary store of commands over files
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "ingest/load.h"
#include "query/cli/cli.h"
#include "store/control.h"
#include "store/reader.h"

enum { STEPS_AT_ONCE = 64 };

static void print_file(const struct load_file *f)
{
    static const char *const states[] = {"loaded", "continued", "already loaded", "empty", "FAILED", "left to lqd, which follows it"};
    printf("%s: %s", f->path, states[f->state]);
    if (f->lines > 0) {
        printf(", %s (%s), %llu lines", f->format, f->why, (unsigned long long)f->lines);
        if (f->parsed < f->lines) {
            printf(", %llu of them unparsed", (unsigned long long)(f->lines - f->parsed));
        }
    }
    putchar('\n');
}

/* What was not stored as it came: counters of the store, of which a load prints what it added. */
static const struct {
    const char *name, *text;
} oddities[] = {
    {"before_reach", "records older than the store reaches (400 days before the newest): not stored"},
    {"future_time", "records of the future: filed under the time of receipt"},
    {"bad_time", "lines whose time stamp is no time: in the stream unparsed"},
    {"no_time", "JSON lines without a time: filed under that of the last line before them, else of the file, or of receipt"},
    {"too_costly", "lines that cost the pattern too much: in the stream unparsed"},
    {"line_too_long", "lines cut at 1 MiB"},
    {"nul_bytes", "unparsed lines that hold NUL bytes"},
    {"overflow_values", "values over the cap of their dimension: counted as (other)"},
    {"overflow_series", "records of series over the cap of their stream: counted without their route, template and the like"},
    {"overflow_cells", "records over the cap of cells in a bucket: counted together"},
};
enum { ODDITIES = sizeof oddities / sizeof oddities[0] };

static void read_oddities(struct store *s, uint64_t n[ODDITIES])
{
    struct snapshot *snap = NULL;
    memset(n, 0, ODDITIES * sizeof *n);
    if (snapshot_open(s, &snap, NULL) == LQ_OK) {
        for (size_t i = 0; i < ODDITIES; i++) {
            n[i] = snapshot_counter(snap, oddities[i].name);
        }
        snapshot_close(&snap);
    }
}

/* A flush frees and takes its large arrays again: giving the pages back each time costs a tenth of a load. (Queries want it the other way: fresh
 * pages of the system need no clearing.) */
static void keep_pages(void)
{
    mallopt(M_MMAP_THRESHOLD, 64 << 20);
    mallopt(M_TRIM_THRESHOLD, 256 << 20);
}

/* ---- by the lqd that holds the store ---- */

/* Our local zone may be another than the daemon's. */
static const char *zone_of(const struct cli *c)
{
    const char *env = getenv("TZ");
    struct timezone_rules *tz = NULL;
    if (strcmp(timezone_name(c->tz), "local") != 0 || env == NULL) {
        return timezone_name(c->tz);
    }
    env += env[0] == ':';
    bool known = timezone_load(env, &tz, NULL) == LQ_OK;
    timezone_free(&tz);
    return known ? env : "UTC";
}

static enum lq_err send_load(const struct cli *c, const struct load_options *o, int fd, struct lq_buf *b, struct lq_error *e)
{
    char dir[4096], label[NAME_BYTES_MAX + 130];
    control_begin(b, CONTROL_LOAD);
    if (c->format_name != NULL) {
        control_put(b, TAG_FORMAT_NAME, lq_str_of(c->format_name));
    }
    for (uint32_t i = 0; i < c->labels.n; i++) {
        snprintf(label, sizeof label, "%s=%s", c->labels.name[i], c->labels.template[i]);
        control_put(b, TAG_LABEL, lq_str_of(label));
    }
    if (c->labels.from_regex != NULL) {
        control_put(b, TAG_LABEL_FROM, lq_str_of(c->labels.from_regex));
    }
    if (c->stdin_id != NULL) {
        control_put(b, TAG_ID, lq_str_of(c->stdin_id));
    }
    if (c->formats_dir != NULL) {
        control_put(b, TAG_FORMATS, lq_str_of(realpath(c->formats_dir, dir) != NULL ? dir : c->formats_dir));
    }
    control_put(b, TAG_TZ, lq_str_of(zone_of(c)));
    control_put_u64(b, TAG_REFERENCE, (uint64_t)o->reference_us);
    control_put_u64(b, TAG_THREADS, o->threads);
    control_put_u64(b, TAG_PROGRESS, o->progress != NULL);
    control_end(b);
    return control_send(fd, b, -1, e);
}

static void fail_file(struct load_file *f, int why, struct load_report *report)
{
    f->state = LOAD_FAILED;
    lq_error_errno(&f->error, why, "open", f->path);
    report->failed++;
}

/* Our rights count: each file is opened here and handed over. sent[i]: which file the daemon's i-th is. */
static enum lq_err send_files(const struct cli *c, int fd, struct lq_buf *b, struct load_report *report, size_t *sent, size_t *n_sent, struct lq_error *e)
{
    enum lq_err err = LQ_OK;
    for (size_t i = 0; i < c->n_args && err == LQ_OK; i++) {
        bool is_stdin = strcmp(c->args[i], "-") == 0;
        int file = is_stdin ? STDIN_FILENO : open(c->args[i], O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (file < 0) {
            fail_file(&report->files[i], errno, report);
            continue;
        }
        control_begin(b, CONTROL_FILE);
        control_put(b, TAG_PATH, lq_str_of(c->args[i]));
        control_end(b);
        err = control_send(fd, b, file, e);
        sent[(*n_sent)++] = i;
        if (!is_stdin) {
            close(file);
        }
    }
    return err;
}

static void take_report(lq_str rest, const size_t *sent, size_t n_sent, struct load_report *report)
{
    struct load_file f = {0}, *to = NULL;
    enum control_tag tag;
    lq_str v;
    while (control_next(&rest, &tag, &v) == CONTROL_FIELD) {
        switch ((int)tag) {
        case TAG_INDEX: to = control_u64(v) < n_sent ? &report->files[sent[control_u64(v)]] : NULL; break;
        case TAG_STATE: f.state = control_u64(v) < LOAD_STATES ? (enum load_state)control_u64(v) : LOAD_FAILED; break;
        case TAG_FORMAT: snprintf(f.format, sizeof f.format, "%.*s", (int)v.n, v.p); break;
        case TAG_WHY: snprintf(f.why, sizeof f.why, "%.*s", (int)v.n, v.p); break;
        case TAG_LINES: f.lines = control_u64(v); break;
        case TAG_PARSED: f.parsed = control_u64(v); break;
        case TAG_BYTES: f.bytes = control_u64(v); break;
        default: control_get_error(tag, v, &f.error); break;
        }
    }
    if (to != NULL) {
        f.path = to->path;
        *to = f;
    }
}

static void take_totals(lq_str rest, struct load_report *report)
{
    enum control_tag tag;
    lq_str v;
    while (control_next(&rest, &tag, &v) == CONTROL_FIELD) {
        switch ((int)tag) {
        case TAG_LINES: report->lines = control_u64(v); break;
        case TAG_PARSED: report->parsed = control_u64(v); break;
        case TAG_BYTES: report->bytes = control_u64(v); break;
        case TAG_FAILED: report->failed += control_u64(v); break;
        case TAG_ELAPSED: report->elapsed_us = (int64_t)control_u64(v); break;
        default: break;
        }
    }
}

/* Reads answers until DONE: then everything is committed. */
static enum lq_err await_answers(int fd, struct lq_buf *b, const size_t *sent, size_t n_sent, struct load_report *report, struct lq_error *e)
{
    for (;;) {
        enum control_type t = CONTROL_ERROR;
        int passed;
        enum lq_err err = control_receive(fd, &t, b, &passed, e);
        lq_str rest = {b->p, b->n}, v;
        enum control_tag tag;
        if (err != LQ_OK) {
            lq_error_set(e, LQ_EIO, "the lqd that holds the store ended before the load was done");
            lq_error_hint(e, "load the same again: what is in the store already counts once");
            return LQ_EIO;
        }
        if (t == CONTROL_REPORT) {
            take_report(rest, sent, n_sent, report);
        } else if (t == CONTROL_DONE) {
            take_totals(rest, report);
            return LQ_OK;
        } else if (t == CONTROL_PROGRESS && control_next(&rest, &tag, &v) == CONTROL_FIELD) {
            fwrite(v.p, 1, v.n, stderr);
        } else if (t == CONTROL_ERROR) {
            *e = (struct lq_error){.code = LQ_EIO};
            while (control_next(&rest, &tag, &v) == CONTROL_FIELD) {
                control_get_error(tag, v, e);
            }
            return e->code;
        }
    }
}

static enum lq_err load_by_daemon(const struct cli *c, const struct load_options *o, int fd, struct load_report *report, struct lq_error *e)
{
    struct lq_buf b = {0};
    size_t *sent = lq_alloc(c->n_args * sizeof *sent), n_sent = 0;
    report->files = lq_alloc(c->n_args * sizeof *report->files);
    report->n = c->n_args;
    for (size_t i = 0; i < c->n_args; i++) {
        report->files[i].path = c->args[i];
    }
    signal(SIGPIPE, SIG_IGN);
    enum lq_err err = send_load(c, o, fd, &b, e);
    if (err == LQ_OK) {
        err = send_files(c, fd, &b, report, sent, &n_sent, e);
    }
    if (err == LQ_OK && n_sent > 0) {
        control_begin(&b, CONTROL_GO);
        control_end(&b);
        err = control_send(fd, &b, -1, e);
    }
    if (n_sent > 0) { /* where sending broke off, lqd has said why */
        err = await_answers(fd, &b, sent, n_sent, report, e);
    }
    lq_buf_fini(&b);
    free(sent);
    return err;
}

/* ---- here ---- */

static enum lq_err load_here(const struct cli *c, struct load_options *o, struct store *store, struct load_report *report, struct lq_error *e)
{
    enum lq_err err = load_files(store, c->args, c->n_args, o, report, e);
    for (bool more = err == LQ_OK; more && err == LQ_OK;) {
        err = store_maintain(store, STEPS_AT_ONCE, MAINTAIN_ALL, &more, e);
    }
    return err;
}

static void print_report(const struct load_report *report, enum lq_err err)
{
    for (size_t i = 0; i < report->n; i++) {
        if (err == LQ_OK) { /* else nothing since the last commit is in the store, whatever was read */
            print_file(&report->files[i]);
        }
        if (report->files[i].state == LOAD_FAILED) {
            fflush(stdout);
            lq_error_print(stderr, "lq", &report->files[i].error);
        }
    }
}

static void print_totals(const struct cli *c, const struct load_report *report, const uint64_t before[ODDITIES], const uint64_t after[ODDITIES])
{
    for (size_t i = 0; i < ODDITIES; i++) {
        if (after[i] > before[i]) {
            printf("%llu %s\n", (unsigned long long)(after[i] - before[i]), oddities[i].text);
        }
    }
    double s = (double)report->elapsed_us / 1e6;
    printf("%llu lines, %.1f MB in %.2f s: %.2f M lines/s into %s\n", (unsigned long long)report->lines, (double)report->bytes / 1e6, s,
           (double)report->lines / 1e6 / (s > 0 ? s : 1e-9), c->data);
}

int cmd_load(struct cli *c)
{
    uint64_t before[ODDITIES] = {0}, after[ODDITIES];
    struct lq_error e = {0};
    struct format_set *formats = NULL;
    struct store *store = NULL;
    struct load_report report = {0};
    struct load_options o = {.format_name = c->format_name, .labels = &c->labels, .tz = c->tz, .threads = c->threads, .stdin_id = c->stdin_id,
                             .progress = isatty(STDERR_FILENO) != 0 ? stderr : NULL};
    const struct format *named;
    int lqd = -1;
    keep_pages();
    if (c->n_args == 0) {
        lq_error_set(&e, LQ_EINVAL, "files to load are missing");
        lq_error_hint(&e, "lq load access.log …, or lq load - for standard input");
        return cli_fail(&e);
    }
    enum lq_err err = control_connect(c->data, &lqd, &e);
    err = err == LQ_ENOENT ? LQ_OK : err;
    if (err == LQ_OK && lqd < 0) { /* else the formats are the daemon's */
        err = cli_formats(c, &formats, &e);
        err = err == LQ_OK && c->format_name != NULL ? format_set_find(formats, c->format_name, &named, &e) : err;
        o.formats = formats;
    }
    if (err == LQ_OK && c->reference != NULL) {
        err = time_arg_parse(lq_str_of(c->reference), clock_now_us(), c->tz, &o.reference_us, &e);
    }
    if (err == LQ_OK) {
        err = cli_open(c, lqd < 0, &store, &e);
    }
    if (err == LQ_OK) {
        if (lqd >= 0 && c->mask_set) {
            err = lq_error_set(&e, LQ_EINVAL, "an lqd holds the store: what it masks stands in its configuration");
            lq_error_hint(&e, "mask: all in lqd.yaml; or load into another directory");
        } else {
            err = lqd < 0 ? cli_mask(c, store, &e) : LQ_OK;
        }
    }
    if (err == LQ_OK) {
        read_oddities(store, before);
        err = lqd >= 0 ? load_by_daemon(c, &o, lqd, &report, &e) : load_here(c, &o, store, &report, &e);
    }
    print_report(&report, err);
    if (err == LQ_OK && report.n > 0) {
        read_oddities(store, after);
        print_totals(c, &report, before, after);
    }
    int status = err != LQ_OK ? cli_fail(&e) : report.failed > 0 ? EXIT_FAILED : EXIT_DONE;
    if (lqd >= 0) {
        close(lqd);
    }
    load_report_fini(&report);
    store_close(&store);
    format_set_free(&formats);
    return status;
}

/* A store of which nothing is left: `lq 'QUERY' FILE…` and `lq why FILE…` answer from it. */
enum lq_err cli_load_temporary(struct cli *c, size_t first, struct store **store, int *status, struct lq_error *e)
{
    keep_pages();
    struct format_set *formats = NULL;
    struct store_options so = {.temporary = true};
    struct load_report report = {0};
    struct load_options lo = {.format_name = c->format_name, .labels = &c->labels, .tz = c->tz, .threads = c->threads,
                              .progress = isatty(STDERR_FILENO) != 0 ? stderr : NULL};
    enum lq_err err = cli_formats(c, &formats, e);
    const struct format *named;
    lo.formats = formats;
    if (err == LQ_OK && c->format_name != NULL) {
        err = format_set_find(formats, c->format_name, &named, e);
    }
    if (err == LQ_OK && c->reference != NULL) {
        err = time_arg_parse(lq_str_of(c->reference), clock_now_us(), c->tz, &lo.reference_us, e);
    }
    if (err == LQ_OK) {
        err = store_open(NULL, &so, store, e);
    }
    if (err == LQ_OK) {
        err = cli_mask(c, *store, e);
    }
    if (err == LQ_OK) {
        err = load_files(*store, c->args + first, c->n_args - first, &lo, &report, e);
    }
    for (size_t i = 0; i < report.n; i++) {
        if (report.files[i].state == LOAD_FAILED) {
            lq_error_print(stderr, "lq", &report.files[i].error);
            *status = EXIT_FAILED;
        }
    }
    if (err == LQ_OK && report.lines == 0 && report.failed > 0) {
        err = lq_error_set(e, LQ_EIO, "no file could be read: there is nothing to answer from");
        lq_error_hint(e, "what follows a query are files, or - for standard input; a query of several words needs quotes");
    }
    load_report_fini(&report);
    format_set_free(&formats);
    return err;
}
