/*
 * cmd_load.c - lq load FILE…, and the temporary store of commands over files
 *
 * SPDX-License-Identifier: MIT
 */
#include <malloc.h>
#include <unistd.h>

#include "ingest/load.h"
#include "query/cli/cli.h"
#include "store/reader.h"

enum { STEPS_AT_ONCE = 64 };

static void print_file(const struct load_file *f)
{
    static const char *const states[] = {"loaded", "continued", "already loaded", "empty", "FAILED"};
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

int cmd_load(struct cli *c)
{
    keep_pages();
    uint64_t before[ODDITIES] = {0}, after[ODDITIES];
    struct lq_error e = {0};
    struct format_set *formats = NULL;
    struct store *store = NULL;
    struct load_report report = {0};
    struct load_options o = {.format_name = c->format_name, .labels = &c->labels, .tz = c->tz, .threads = c->threads, .stdin_id = c->stdin_id,
                             .progress = isatty(STDERR_FILENO) != 0 ? stderr : NULL};
    if (c->n_args == 0) {
        lq_error_set(&e, LQ_EINVAL, "files to load are missing");
        lq_error_hint(&e, "lq load access.log …, or lq load - for standard input");
        return cli_fail(&e);
    }
    enum lq_err err = cli_formats(c, &formats, &e);
    const struct format *named;
    if (err == LQ_OK && c->format_name != NULL) {
        err = format_set_find(formats, c->format_name, &named, &e);
    }
    if (err == LQ_OK && c->reference != NULL) {
        err = time_arg_parse(lq_str_of(c->reference), clock_now_us(), c->tz, &o.reference_us, &e);
    }
    if (err == LQ_OK) {
        err = cli_open(c, true, &store, &e);
    }
    if (err == LQ_OK) {
        o.formats = formats;
        read_oddities(store, before);
        err = load_files(store, c->args, c->n_args, &o, &report, &e);
    }
    for (bool more = err == LQ_OK; more && err == LQ_OK;) {
        err = store_maintain(store, STEPS_AT_ONCE, MAINTAIN_ALL, &more, &e);
    }
    for (size_t i = 0; i < report.n; i++) {
        if (err == LQ_OK) { /* else nothing since the last commit is in the store, whatever was read */
            print_file(&report.files[i]);
        }
        if (report.files[i].state == LOAD_FAILED) {
            fflush(stdout);
            lq_error_print(stderr, "lq", &report.files[i].error);
        }
    }
    if (err == LQ_OK && report.n > 0) {
        read_oddities(store, after);
        for (size_t i = 0; i < ODDITIES; i++) {
            if (after[i] > before[i]) {
                printf("%llu %s\n", (unsigned long long)(after[i] - before[i]), oddities[i].text);
            }
        }
        double s = (double)report.elapsed_us / 1e6;
        printf("%llu lines, %.1f MB in %.2f s: %.2f M lines/s into %s\n", (unsigned long long)report.lines, (double)report.bytes / 1e6, s,
               (double)report.lines / 1e6 / (s > 0 ? s : 1e-9), store_dir(store));
    }
    int status = err != LQ_OK ? cli_fail(&e) : report.failed > 0 ? EXIT_FAILED : EXIT_DONE;
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
