/*
 * metrics.c - what lqd knows about itself as Prometheus text (metrics.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/metrics.h"

#include <stdlib.h>
#include <unistd.h>

#include "ingest/control_server.h"

static void head(struct lq_buf *out, const char *name, const char *type, const char *help)
{
    lq_buf_printf(out, "# HELP lqd_%s %s\n# TYPE lqd_%s %s\n", name, help, name, type);
}

static void one(struct lq_buf *out, const char *name, const char *type, const char *help, double v)
{
    head(out, name, type, help);
    lq_buf_printf(out, "lqd_%s %.15g\n", name, v);
}

/* Names in the configuration are a person's: quote what Prometheus needs quoted. */
static void label(struct lq_buf *out, const char *s)
{
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\') {
            lq_buf_byte(out, '\\');
        }
        lq_buf_byte(out, (uint8_t)(*s == '\n' ? ' ' : *s));
    }
}

static void series(struct lq_buf *out, const char *name, const struct input *in, const char *reason, uint64_t v)
{
    lq_buf_printf(out, "lqd_%s{input=\"", name);
    label(out, in->config->name);
    lq_buf_printf(out, "\",type=\"%s\"", input_kind_name(in->config->kind));
    if (reason != NULL) {
        lq_buf_printf(out, ",reason=\"%s\"", reason);
    }
    lq_buf_printf(out, "} %llu\n", (unsigned long long)v);
}

static void inputs(struct daemon *d, struct lq_buf *out)
{
    char name[80];
    for (int i = 0; i < STATS; i++) {
        if (!stat_rows[i].drop) {
            snprintf(name, sizeof name, "input_%s_total", stat_rows[i].name);
            head(out, name, "counter", stat_rows[i].help);
            for (const struct input *in = d->inputs; in != NULL; in = in->next) {
                series(out, name, in, NULL, input_stat(in, (enum stat_id)i));
            }
        }
    }
    head(out, "input_dropped_total", "counter", "what was not taken, by reason");
    for (const struct input *in = d->inputs; in != NULL; in = in->next) {
        for (int i = 0; i < STATS; i++) {
            if (stat_rows[i].drop) {
                series(out, "input_dropped_total", in, stat_rows[i].name, input_stat(in, (enum stat_id)i));
            }
        }
    }
    head(out, "input_connections", "gauge", "open connections");
    for (const struct input *in = d->inputs; in != NULL; in = in->next) {
        series(out, "input_connections", in, NULL, __atomic_load_n(&in->open, __ATOMIC_RELAXED));
    }
}

/* RssAnon and the like, of /proc/self/status; kB to bytes. */
static double memory_of(const char *field)
{
    char line[256];
    double v = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, field, strlen(field)) == 0 && line[strlen(field)] == ':') {
            v = strtod(line + strlen(field) + 1, NULL) * 1024;
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    return v;
}

void metrics_print(struct daemon *d, struct lq_buf *out)
{
    struct flusher_stats s;
    flusher_stats(d->flusher, &s);
    one(out, "start_time_seconds", "gauge", "when lqd started", (double)d->started_us / 1e6);
    one(out, "commits_total", "counter", "transactions committed with fsync", (double)s.commits);
    one(out, "commit_failures_total", "counter", "commits that failed and were tried again", (double)s.failures);
    one(out, "commit_seconds_total", "counter", "time spent in commits", (double)s.microseconds / 1e6);
    one(out, "committed_lines_total", "counter", "lines that are in the store", (double)s.lines);
    one(out, "commit_last_success_seconds", "gauge", "when the last commit succeeded; 0 = none yet", (double)s.last_ok_us / 1e6);
    one(out, "commit_failing", "gauge", "1 while commits fail", s.failing);
    one(out, "unfinished_lines_bytes", "gauge", "memory of unfinished lines (limit: buffers_max)", (double)__atomic_load_n(&d->memory.used, __ATOMIC_RELAXED));
    one(out, "memory_anonymous_bytes", "gauge", "RssAnon", memory_of("RssAnon"));
    one(out, "memory_resident_bytes", "gauge", "VmRSS, pages of the store's file included", memory_of("VmRSS"));
    double busy = 0;
    for (unsigned i = 0; i < d->env.n_loops; i++) {
        busy += (double)loop_busy_us(d->env.loops[i], clock_monotonic_us()) / 1e6;
    }
    one(out, "loops", "gauge", "event loops that read lines", d->env.n_loops);
    one(out, "loops_busy_seconds_total", "counter", "how long they had something to do, together; near lqd_loops a second: they do not keep up", busy);
    struct control_stats control = {0, 0};
    if (d->control != NULL) {
        control_server_stats(d->control, &control);
    }
    one(out, "control_requests_total", "counter", "loads and markers that came by the control socket", (double)control.requests);
    one(out, "control_refused_total", "counter", "what came by the control socket and was no request, or too many", (double)control.refused);
    pthread_mutex_lock(&d->inputs_lock);
    inputs(d, out);
    pthread_mutex_unlock(&d->inputs_lock);
}
