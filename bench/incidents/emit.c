/*
 * emit.c - lines of the world's formats (emit.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/incidents/emit.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { LINE_BYTES_MAX = 1024, FILES_MAX = 2 * WORLD_HOSTS_MAX };

struct line {
    double at;
    uint32_t file, seq;
    size_t off, n;
};
struct emit {
    struct plan *p;
    struct world *w;
    FILE *file[FILES_MAX];
    unsigned n_files, access_of[WORLD_HOSTS_MAX], app_of[WORLD_HOSTS_MAX];
    unsigned pid[WORLD_HOSTS_MAX];
    struct line *lines;
    size_t n_lines, cap_lines;
    char *text;
    size_t n_text, cap_text;
};

static const char *const month_names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const agents[] = {
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "okhttp/4.12.0",
    "python-requests/2.32",
    "curl/8.5.0",
};

static FILE *create(const char *dir, const char *sub, const char *name)
{
    char path[4096];
    if (sub != NULL) {
        snprintf(path, sizeof path, "%s/%s", dir, sub);
        if (mkdir(path, 0777) != 0 && errno != EEXIST) {
            fprintf(stderr, "lqincident: cannot create %s: %s\n", path, strerror(errno));
            return NULL;
        }
    }
    snprintf(path, sizeof path, "%s/%s%s%s", dir, sub != NULL ? sub : "", sub != NULL ? "/" : "", name);
    FILE *f = fopen(path, "w");
    if (f == NULL) {
        fprintf(stderr, "lqincident: cannot write %s: %s\n", path, strerror(errno));
    }
    return f;
}

/* The file of a host by the layout: HOST/access.log, access-HOST.log, HOST_name.log in a folder of its own. */
static FILE *create_of(struct emit *m, const char *dir, const char *host, const char *what)
{
    char name[128];
    switch (m->w->layout) {
    case 0: snprintf(name, sizeof name, "%s.log", what); return create(dir, host, name);
    case 1: snprintf(name, sizeof name, "%s-%s.log", what, host); return create(dir, NULL, name);
    default: snprintf(name, sizeof name, "%s.log.1", what); return create(dir, host, name);
    }
}

static unsigned add_file(struct emit *m, FILE *f)
{
    if (f != NULL) {
        setvbuf(f, NULL, _IOFBF, 1 << 16);
    }
    m->file[m->n_files] = f;
    return m->n_files++;
}

struct emit *emit_open(struct plan *p, const char *dir)
{
    struct emit *m = calloc(1, sizeof *m);
    assert(m != NULL);
    struct world *w = p->w;
    m->p = p;
    m->w = w;
    bool one_app = w->app == APP_SYSLOG || w->app == APP_SYSLOG5424; /* as a collector writes it */
    static const char *const app_names[] = {"app", "application", "app", "syslog", "messages"};
    for (unsigned h = 0; h < w->n_hosts && !w->no_access; h++) {
        m->access_of[h] = w->one_access_file && h > 0 ? m->access_of[0]
                                                      : add_file(m, w->one_access_file ? create(dir, NULL, "access.log") : create_of(m, dir, w->host[h], "access"));
    }
    for (unsigned h = 0; h < w->n_hosts + w->n_backends && w->app != APP_NONE; h++) {
        m->pid[h] = 500 + world_pick(w, 30000);
        m->app_of[h] = one_app && h > 0 ? m->app_of[0] : add_file(m, one_app ? create(dir, NULL, app_names[w->app]) : create_of(m, dir, w->host[h], "app"));
    }
    for (unsigned i = 0; i < m->n_files; i++) {
        if (m->file[i] == NULL) {
            emit_close(&m);
            return NULL;
        }
    }
    return m;
}

static void put(struct emit *m, double at, unsigned file, const char *line, size_t n)
{
    if (m->n_text + n > m->cap_text) {
        m->cap_text = 2 * (m->n_text + n);
        m->text = realloc(m->text, m->cap_text);
        assert(m->text != NULL);
    }
    if (m->n_lines == m->cap_lines) {
        m->cap_lines = 2 * m->cap_lines + 256;
        m->lines = realloc(m->lines, m->cap_lines * sizeof *m->lines);
        assert(m->lines != NULL);
    }
    memcpy(m->text + m->n_text, line, n);
    m->lines[m->n_lines] = (struct line){at, file, (uint32_t)m->n_lines, m->n_text, n};
    m->n_lines++;
    m->n_text += n;
}

static int by_file_time(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    if (x->file != y->file) {
        return x->file < y->file ? -1 : 1;
    }
    return x->at != y->at ? (x->at < y->at ? -1 : 1) : x->seq < y->seq ? -1 : x->seq > y->seq;
}

void emit_flush(struct emit *m)
{
    if (m->n_lines > 1) {
        qsort(m->lines, m->n_lines, sizeof *m->lines, by_file_time);
    }
    for (size_t i = 0; i < m->n_lines; i++) {
        fwrite(m->text + m->lines[i].off, 1, m->lines[i].n, m->file[m->lines[i].file]);
    }
    m->p->lines += m->n_lines;
    m->n_lines = m->n_text = 0;
}

int emit_close(struct emit **mp)
{
    struct emit *m = *mp;
    int failed = 0;
    for (unsigned i = 0; i < m->n_files; i++) {
        failed |= m->file[i] == NULL || fclose(m->file[i]) != 0;
    }
    free(m->lines);
    free(m->text);
    free(m);
    *mp = NULL;
    if (failed) {
        fprintf(stderr, "lqincident: cannot write: %s\n", strerror(errno));
    }
    return failed ? -1 : 0;
}

void emit_client_name(unsigned client, char out[32])
{
    unsigned h = client * 2654435761U;
    if (client % 13 == 5) {
        snprintf(out, 32, "10.%u.%u.%u", client % 7, (client >> 8) & 255, client & 255);
    } else {
        snprintf(out, 32, "%u.%u.%u.%u", 60 + (h >> 26), (h >> 20) & 255, (h >> 12) & 255, 1 + ((h >> 4) & 127));
    }
}

static int64_t at_ms(const struct emit *m, double hour)
{
    return m->w->start_s * 1000 + (int64_t)(hour * 3600e3);
}

static struct tm utc(int64_t ms)
{
    time_t t = (time_t)(ms / 1000);
    struct tm tm;
    gmtime_r(&t, &tm);
    return tm;
}

/* '{id}' becomes a number; everything else is as it is. */
static void print_path(struct emit *m, const char *path, char out[128])
{
    size_t n = 0;
    for (const char *c = path; *c != '\0' && n < 100; c++) {
        if (strncmp(c, "{id}", 4) == 0) {
            n += (size_t)snprintf(out + n, 128 - n, "%u", 1000 + world_pick(m->w, 9000));
            c += 3;
        } else {
            out[n++] = *c;
        }
    }
    out[n] = '\0';
}

void emit_access(struct emit *m, double hour, unsigned host, const struct world_route *r, const char *client, unsigned status, unsigned bytes, double seconds)
{
    char line[LINE_BYTES_MAX], path[128];
    if (m->w->no_access) {
        return;
    }
    int64_t ms = at_ms(m, hour);
    struct tm t = utc(ms);
    enum access_format f = m->p->format_change_h > 0 && hour >= m->p->format_change_h ? m->p->format_after : m->w->access;
    print_path(m, r->path, path);
    int n = snprintf(line, sizeof line, "%s - - [%02d/%s/%04d:%02d:%02d:%02d +0000] \"%s %s HTTP/1.1\" %u %u", client, t.tm_mday, month_names[t.tm_mon % 12],
                     t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec, r->method, path, status, bytes);
    size_t k = (size_t)n;
    if (f == ACCESS_COMBINED || f == ACCESS_COMBINED_TIME) {
        k += (size_t)snprintf(line + k, sizeof line - k, " \"-\" \"%s\"", agents[world_pick(m->w, 5)]);
    }
    if (f == ACCESS_COMBINED_TIME) {
        k += (size_t)snprintf(line + k, sizeof line - k, " %.3f", seconds);
    } else if (f == ACCESS_PIPES) { /* known to nobody */
        k = (size_t)snprintf(line, sizeof line, "%lld.%03d|%s|%s|%s|%u|%u|%.0f", (long long)(ms / 1000), (int)(ms % 1000), client, r->method, path, status, bytes, seconds * 1000);
    }
    line[k++] = '\n';
    put(m, hour, m->access_of[host], line, k);
}

/* '#', '@' and '~' filled. */
static void fill(struct emit *m, const char *text, char *out, size_t cap)
{
    size_t n = 0;
    for (const char *c = text; *c != '\0' && n + 24 < cap; c++) {
        switch (*c) {
        case '#': n += (size_t)snprintf(out + n, cap - n, "%u", 1 + world_pick(m->w, 9000)); break;
        case '@': n += (size_t)snprintf(out + n, cap - n, "%08x", (unsigned)(rng_next(&m->w->rng) & 0xffffffff) | 0x10000000U); break;
        case '~': {
            char ip[32];
            emit_client_name(world_pick(m->w, m->w->n_clients), ip);
            n += (size_t)snprintf(out + n, cap - n, "%s", ip);
            break;
        }
        default: out[n++] = *c;
        }
    }
    out[n] = '\0';
}

static void print_logger(const struct emit *m, char digit, char out[96])
{
    unsigned n = 0;
    while (m->w->trade->loggers[n] != NULL) {
        n++;
    }
    if (digit >= '0' && digit <= '9') {
        snprintf(out, 96, "%s.%s", m->w->trade->package, m->w->trade->loggers[(unsigned)(digit - '0') % n]);
    } else {
        snprintf(out, 96, "%s.Application", m->w->trade->package);
    }
}

void emit_app(struct emit *m, double hour, unsigned host, const char *text)
{
    static const char *const levels[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    static const unsigned priorities[] = {135, 134, 132, 131};
    char line[LINE_BYTES_MAX], message[512], logger[96];
    const struct world *w = m->w;
    if (w->app == APP_NONE || text[0] == '\0' || text[1] == '\0') {
        return;
    }
    const char *service = host < w->n_hosts ? w->service : w->upstream;
    unsigned level = text[0] == 'D' ? 0 : text[0] == 'I' ? 1 : text[0] == 'W' ? 2 : 3;
    int64_t ms = at_ms(m, hour);
    struct tm t = utc(ms);
    fill(m, text + 2, message, sizeof message);
    print_logger(m, text[1], logger);
    char day[16], clock[16];
    snprintf(day, sizeof day, "%04d-%02d-%02d", (t.tm_year + 1900) % 10000, t.tm_mon % 12 + 1, t.tm_mday % 100);
    snprintf(clock, sizeof clock, "%02d:%02d:%02d", t.tm_hour % 100, t.tm_min % 100, t.tm_sec % 100);
    int n = 0;
    switch (w->app) {
    case APP_LOGBACK:
        n = snprintf(line, sizeof line, "%s %s,%03d %-5s [exec-%u] %s - %s\n", day, clock, (int)(ms % 1000), levels[level], 1 + (unsigned)(ms % 16), logger, message);
        break;
    case APP_SPRING:
        n = snprintf(line, sizeof line, "%sT%s.%03dZ %5s %u --- [nio-8080-exec-%u] %s : %s\n", day, clock, (int)(ms % 1000), levels[level], m->pid[host], 1 + (unsigned)(ms % 9), logger, message);
        break;
    case APP_PYTHON:
        n = snprintf(line, sizeof line, "%s %s,%03d %s %s: %s\n", day, clock, (int)(ms % 1000), level == 2 ? "WARNING" : levels[level], logger, message);
        break;
    case APP_SYSLOG:
        n = snprintf(line, sizeof line, "%s %2d %s %s %s[%u]: %s%s\n", month_names[t.tm_mon % 12], t.tm_mday, clock, w->host[host], service, m->pid[host],
                     level == 3 ? "error: " : level == 2 ? "warning: " : "", message);
        break;
    case APP_SYSLOG5424:
        n = snprintf(line, sizeof line, "<%u>1 %sT%s.%03dZ %s %s %u - - %s\n", priorities[level], day, clock, (int)(ms % 1000), w->host[host], service, m->pid[host], message);
        break;
    case APP_NONE: return;
    }
    put(m, hour, m->app_of[host], line, n < (int)sizeof line ? (size_t)n : sizeof line - 1);
}
