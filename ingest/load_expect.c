/*
 * load_expect.c - where will the data end?
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/load_int.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { TAIL_BYTES = 1 << 16 };

static bool last_time(const struct load_options *o, const char *const *paths, size_t i, int64_t *out, char *format)
{
    struct source *src = NULL;
    char *head = lq_alloc(DETECT_BYTES), *tail = lq_alloc(TAIL_BYTES);
    size_t n = 0;
    bool found = false;
    struct detection d = {0};
    if (load__open(o, paths, i, &src, NULL) == LQ_OK && source_is_file(src) && !source_compressed(src) && source_read(src, head, DETECT_BYTES, &n, NULL) == LQ_OK && n > 0) {
        int fd = o->fds != NULL ? o->fds[i] : open(paths[i], O_RDONLY | O_CLOEXEC);
        const struct format *chosen = NULL;
        if (o->format_name != NULL) {
            if (format_set_find(o->formats, o->format_name, &chosen, NULL) != LQ_OK) {
                chosen = NULL;
            }
        } else {
            format_detect(o->formats, (lq_str){head, n}, &d);
            chosen = d.format;
        }
        long back = source_size(src) > TAIL_BYTES ? TAIL_BYTES : (long)source_size(src);
        struct parser_config c = {.format = chosen, .tz = o->tz, .reference_us = o->reference_us != 0 ? o->reference_us : source_mtime_us(src)};
        struct parser *p = NULL;
        ssize_t got = fd >= 0 ? pread(fd, tail, TAIL_BYTES, (off_t)source_size(src) - back) : -1;
        if (got >= 0 && chosen != NULL && parser_new(&c, &p, NULL) == LQ_OK) {
            struct record r;
            snprintf(format, NAME_BYTES_MAX, "%s", format_name(chosen));
            parser_learn(p, (lq_str){head, n});
            for (const char *q = tail, *end = tail + got; q < end;) {
                const char *nl = memchr(q, '\n', (size_t)(end - q));
                lq_str line = {q, (size_t)((nl != NULL ? nl : end) - q)};
                if (parser_parse(p, line, &r) == PARSE_OK && (!found || r.time_us > *out)) {
                    *out = r.time_us;
                    found = true;
                }
                q = nl != NULL ? nl + 1 : end;
            }
        }
        parser_free(&p);
        if (fd >= 0 && o->fds == NULL) {
            close(fd);
        }
    }
    source_close(&src);
    free(head);
    free(tail);
    return found;
}

/* The least, over the formats, of the latest last line: no stream ends before it. Only when every file can be looked at. */
void load__expect_high_water(struct store *s, const struct load_options *o, const char *const *paths, size_t n)
{
    char (*formats)[NAME_BYTES_MAX] = lq_alloc((n + 1) * sizeof *formats);
    int64_t *latest = lq_alloc((n + 1) * sizeof *latest), least = INT64_MAX, now = clock_now_us();
    size_t kinds = 0;
    bool all = n > 0;
    for (size_t i = 0; i < n && all; i++) {
        char format[NAME_BYTES_MAX];
        int64_t t = INT64_MIN;
        all = strcmp(paths[i], "-") != 0 && last_time(o, paths, i, &t, format) && t <= now;
        size_t k = 0;
        while (all && k < kinds && strcmp(formats[k], format) != 0) {
            k++;
        }
        if (all && k == kinds) {
            memcpy(formats[kinds], format, sizeof format);
            latest[kinds++] = t;
        } else if (all && t > latest[k]) {
            latest[k] = t;
        }
    }
    for (size_t k = 0; k < kinds; k++) {
        least = latest[k] < least ? latest[k] : least;
    }
    if (all && kinds > 0) {
        store_expect_high_water(s, least);
    }
    free(formats);
    free(latest);
}
