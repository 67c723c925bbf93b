/*
 * truth.c - DIR/truth.json: what score.py compares an answer with
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "bench/incidents/plan.h"

enum { STEP_FAILURES = 5, RAMP_FAILURES = 20 }; /* planted failures after which an onset is there for all to see */

static void when(FILE *f, const struct plan *p, const char *key, double hour)
{
    time_t t = (time_t)(p->w->start_s + (int64_t)floor(hour * 3600));
    struct tm tm;
    char text[32];
    gmtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    fprintf(f, "\"%s\":\"%s\"", key, text);
}

static void quoted(FILE *f, const char *s)
{
    fputc('"', f);
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\') {
            fputc('\\', f);
        }
        fputc(*s, f);
    }
    fputc('"', f);
}

static void wants(FILE *f, const struct plan *p, const char *key, const struct want *list, unsigned n)
{
    fprintf(f, " \"%s\":[", key);
    for (unsigned i = 0; i < n; i++) {
        const struct want *x = &list[i];
        fprintf(f, "%s\n  {\"kinds\":", i > 0 ? "," : "");
        quoted(f, x->kinds != NULL ? x->kinds : "");
        fputs(",\"dim\":", f);
        quoted(f, x->dim != NULL ? x->dim : "");
        fputs(",\"is\":", f);
        quoted(f, x->is);
        fputs(",\"has\":", f);
        quoted(f, x->has);
        fputs(",\"metric\":", f);
        quoted(f, x->metric != NULL ? x->metric : "");
        fputc(',', f);
        when(f, p, "low", x->low_h);
        fputc(',', f);
        when(f, p, "high", x->high_h);
        fputc('}', f);
    }
    fputs("],\n", f);
}

/* A rise is there between its start and the failures that show it. */
static double visible_h(const struct plan *p, unsigned i)
{
    unsigned k = p->onset_ramp ? RAMP_FAILURES : STEP_FAILURES;
    if (p->onset_high_h[i] > 0) {
        return p->onset_high_h[i];
    }
    return i == 0 && p->planted >= k && p->failure_h[k - 1] > p->onset_h[0] ? p->failure_h[k - 1] : p->onset_h[i] + 0.1;
}

/* What the incident itself says is a symptom: naming it is neither right nor a false claim. */
static void symptoms(struct plan *p)
{
    for (unsigned i = 0; i < p->n_effects && p->n_wants > 0; i++) {
        const struct effect *e = &p->effects[i];
        const char *texts[] = {e->harm ? e->fail_says : "", e->harm ? e->says : ""};
        for (unsigned k = 0; k < 2; k++) {
            size_t n = strlen(texts[k]) > 2 ? strcspn(texts[k] + 2, "#@~\"") : 0;
            if (n > 3 && p->n_neutral < PLAN_WANTS_MAX) {
                struct want *x = plan_neutral(p, NULL, e->from_h - 0.2, e->from_h + 12);
                x->dim = "template|message";
                snprintf(x->has, sizeof x->has, "%.*s", (int)n, texts[k] + 2);
            }
        }
    }
}

int truth_write(struct plan *p, const struct kind *k, uint64_t seed, const char *dir)
{
    char path[4096];
    symptoms(p);
    snprintf(path, sizeof path, "%s/truth.json", dir);
    FILE *f = fopen(path, "w");
    if (f == NULL) {
        fprintf(stderr, "lqincident: cannot write %s: %s\n", path, strerror(errno));
        return -1;
    }
    fprintf(f, "{\"kind\":\"%s\",\"variant\":\"%s\",\"seed\":%llu,\"part\":\"%s\",\"has_cause\":%s,\"high_allowed\":%s,\n", k->name, p->variant != NULL ? p->variant : "",
            (unsigned long long)seed, k->held_out || seed % 2 == 1 ? "held-out" : "tune", p->n_wants > 0 ? "true" : "false", p->high_allowed ? "true" : "false");
    fprintf(f, " \"lines\":%llu,\"days\":%g,\"hosts\":%u,\"planted\":%llu,\"others\":%llu,", (unsigned long long)p->lines, p->w->days, p->w->n_hosts,
            (unsigned long long)p->planted, (unsigned long long)p->others);
    when(f, p, "from", 0);
    fputc(',', f);
    when(f, p, "to", p->w->days * 24);
    fprintf(f, ",\n \"args\":[\"--tz\",\"UTC\"");
    if (p->w->app == APP_SYSLOG) {
        time_t t = (time_t)(p->w->start_s + (int64_t)(p->w->days * 86400));
        fprintf(f, ",\"--reference-time\",\"%lld\"", (long long)t);
    }
    fprintf(f, "],\n \"onset_optional\":%s,\"onset_ramp\":%s,\n \"onsets\":[", p->onset_optional ? "true" : "false", p->onset_ramp ? "true" : "false");
    for (unsigned i = 0; i < p->n_onsets; i++) {
        fputs(i > 0 ? ",{" : "{", f);
        when(f, p, "low", p->onset_h[i]);
        fputc(',', f);
        when(f, p, "high", visible_h(p, i));
        fputc('}', f);
    }
    fputs("],\n", f);
    wants(f, p, "cause", p->wants, p->n_wants);
    wants(f, p, "neutral", p->neutral, p->n_neutral);
    fputs(" \"changes\":[", f);
    for (unsigned i = 0; i < p->n_changes; i++) {
        fprintf(f, "%s\n  {\"kind\":\"%s\",\"name\":", i > 0 ? "," : "", p->changes[i].kind);
        quoted(f, p->changes[i].name);
        fprintf(f, ",\"cause\":%s,", p->changes[i].cause ? "true" : "false");
        when(f, p, "time", p->changes[i].at_h);
        fputs("}", f);
    }
    fputs("]}\n", f);
    return fclose(f) == 0 ? 0 : -1;
}
