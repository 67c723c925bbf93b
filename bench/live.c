/*
 * live.c - what a running daemon writes: bytes to disk for each byte kept
 *
 *      lqlive FORMAT FILE DIR [hold]      (FILE may be a pipe; hold: a reader holds its snapshot for the first minute of every five, of event time)
 *
 * Reads lines as fast as it can, flushes at each new second of event time as lqd does at each second of the clock, and calls store_maintain between
 * flushes; at each quarter of an hour it says how large the file is. Prints what went through write(2) to the store (/proc/self/io), what is kept (pages in use at the end) and the slowest flush.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <sys/stat.h>

#include "schema/format.h"
#include "schema/timefmt.h"
#include "store/reader.h"
#include "store/window.h"

enum { MAINTAIN_AT_ONCE = 4 };

static uint64_t written_bytes(void)
{
    char line[128];
    unsigned long long n = 0;
    FILE *f = fopen("/proc/self/io", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "wchar: %llu", &n) == 1) {
            break;
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    return n;
}

struct run {
    struct store *store;
    struct window *window;
    struct store *readers; /* its handle */
    struct snapshot *held;
    char file[4200];
    int64_t quarter;
    uint64_t lines, flushes;
    int64_t flush_us, slowest_us, maintain_us;
};

static enum lq_err flush(struct run *r, bool last, struct lq_error *e)
{
    bool more = true;
    struct checkpoint cp = {.key = LQ_STR("host=web-1|4096|0123456789abcdef0123456789abcdef"), .offset = r->lines * 200, .lines = r->lines,
                            .parsed = r->lines, .name = LQ_STR("/var/log/nginx/access.log"), .format = LQ_STR("combined_time")};
    const struct counter_delta counters[] = {{"lines", window_observations(r->window)}, {"parsed", window_observations(r->window)}};
    int64_t from = clock_monotonic_us();
    enum lq_err err = store_flush(r->store, &r->window, 1, &cp, 1, counters, 2, 1, e);
    int64_t took = clock_monotonic_us() - from;
    r->flushes++;
    r->flush_us += took;
    r->slowest_us = took > r->slowest_us ? took : r->slowest_us;
    from = clock_monotonic_us();
    while (err == LQ_OK && more) {
        err = store_maintain(r->store, MAINTAIN_AT_ONCE, last ? MAINTAIN_ALL : MAINTAIN_DUE, &more, e);
    }
    r->maintain_us += clock_monotonic_us() - from;
    return err;
}

static void say_size(const struct run *r, int64_t minute)
{
    struct stat sb;
    printf("minute %lld: the file has %.1f MB\n", (long long)minute, stat(r->file, &sb) == 0 ? (double)sb.st_blocks * 512 / 1e6 : 0);
}

/* At a new second: the file's size, and the slow reader. */
static enum lq_err each_second(struct run *r, int64_t passed_s, struct lq_error *e)
{
    bool hold = r->readers != NULL && passed_s % 300 < 60;
    enum lq_err err = LQ_OK;
    if (passed_s / 900 > r->quarter) {
        r->quarter = passed_s / 900;
        say_size(r, r->quarter * 15);
    }
    if (hold && r->held == NULL) {
        err = snapshot_open(r->readers, &r->held, e);
    } else if (!hold) {
        snapshot_close(&r->held);
    }
    return err;
}

static enum lq_err run(struct run *r, struct parser *p, struct stream_use *use, FILE *in, struct lq_error *e)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    int64_t second = 0, first = 0;
    enum lq_err err = LQ_OK;
    while (err == LQ_OK && (n = getline(&line, &cap, in)) > 0) {
        struct record rec = {0};
        if (parser_parse(p, (lq_str){line, (size_t)n - 1}, &rec) != PARSE_OK) {
            continue;
        }
        if (rec.time_us / 1000000 > second && window_observations(r->window) > 0) {
            first = first == 0 ? second : first;
            err = flush(r, false, e);
            err = err == LQ_OK ? each_second(r, second - first, e) : err;
        }
        second = rec.time_us / 1000000 > second ? rec.time_us / 1000000 : second;
        window_observe(r->window, use, &rec);
        r->lines++;
    }
    free(line);
    snapshot_close(&r->held);
    return err == LQ_OK ? flush(r, true, e) : err;
}

int main(int argc, char **argv)
{
    struct run r = {0};
    struct lq_error e = {0};
    struct format_set *formats = NULL;
    const struct format *format = NULL;
    struct parser *parser = NULL;
    struct stream_use *use = NULL;
    FILE *in = argc == 4 || argc == 5 ? fopen(argv[2], "r") : NULL;
    if (in == NULL) {
        fprintf(stderr, "usage: lqlive FORMAT FILE DIR [hold]\n");
        return 2;
    }
    enum lq_err err = format_set_load(NULL, 0, &formats, &e);
    err = err == LQ_OK ? format_set_find(formats, argv[1], &format, &e) : err;
    err = err == LQ_OK ? store_open(argv[3], &(struct store_options){.write = true}, &r.store, &e) : err;
    err = err == LQ_OK ? window_new(r.store, &r.window, &e) : err;
    err = err == LQ_OK ? parser_new(&(struct parser_config){.format = format}, &parser, &e) : err;
    err = err == LQ_OK ? stream_use_open(r.store, parser_schema(parser), &use, &e) : err;
    err = err == LQ_OK && argc == 5 ? store_open(argv[3], &(struct store_options){0}, &r.readers, &e) : err;
    snprintf(r.file, sizeof r.file, "%s/data.mdb", argv[3]);
    uint64_t before = written_bytes();
    err = err == LQ_OK ? run(&r, parser, use, in, &e) : err;
    uint64_t written = written_bytes() - before;
    struct snapshot *snap = NULL;
    struct lq_buf stats = {0};
    err = err == LQ_OK ? snapshot_open(r.store, &snap, &e) : err;
    err = err == LQ_OK ? debug_stats(snap, &stats, &e) : err;
    if (err != LQ_OK) {
        lq_error_print(stderr, "lqlive", &e);
        return 3;
    }
    unsigned long long used = 0, page = 0;
    sscanf(stats.p, "pages %llu used, %*u free, of %llu bytes", &used, &page);
    fwrite(stats.p, 1, stats.n, stdout);
    printf("%llu lines, %llu flushes of %.2f ms (slowest %.1f ms), maintenance %.2f ms after each\n", (unsigned long long)r.lines,
           (unsigned long long)r.flushes, (double)r.flush_us / 1e3 / (double)r.flushes, (double)r.slowest_us / 1e3,
           (double)r.maintain_us / 1e3 / (double)r.flushes);
    printf("written %.1f MB, kept %.1f MB: %.2f bytes written for each byte kept; %.2f bytes a line kept\n", (double)written / 1e6,
           (double)(used * page) / 1e6, (double)written / (double)(used * page), (double)(used * page) / (double)r.lines);
    lq_buf_fini(&stats);
    snapshot_close(&snap);
    stream_use_close(&use);
    parser_free(&parser);
    window_free(&r.window);
    store_close(&r.readers);
    store_close(&r.store);
    format_set_free(&formats);
    fclose(in);
    return 0;
}
