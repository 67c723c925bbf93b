/*
 * why_json.c - the answer of `why` as JSON: a contract; keys are only ever added
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "query/change/why.h"
#include "query/out/out.h"

static void text(FILE *f, const char *key, const char *s)
{
    fprintf(f, "\"%s\":", key);
    if (s == NULL) {
        fputs("null", f);
    } else {
        json_string(f, lq_str_of(s));
    }
}

static void when(FILE *f, const char *key, int64_t us)
{
    fprintf(f, "\"%s\":", key);
    json_time(f, us);
}

static void number(FILE *f, const char *key, double v)
{
    fprintf(f, "\"%s\":", key);
    json_number(f, v);
}

static void subject(FILE *f, const char *stream, const char *metric, const char *dim, const char *value)
{
    fputs("\"subject\":{", f);
    text(f, "stream", stream);
    fputc(',', f);
    text(f, "metric", metric);
    fputs(",\"where\":{", f);
    if (dim != NULL) {
        json_string(f, lq_str_of(dim));
        fputc(':', f);
        json_string(f, lq_str_of(value));
    }
    fputs("}}", f);
}

static void print_member(FILE *f, const struct why_member *m)
{
    fputc('{', f);
    when(f, "time", m->time_us);
    fputc(',', f);
    text(f, "kind", m->kind);
    fputc(',', f);
    subject(f, m->stream, m->metric, m->dim, m->value);
    fputc(',', f);
    number(f, "before", m->before);
    fputc(',', f);
    number(f, "after", m->after);
    fputc(',', f);
    number(f, "p", m->p);
    fputc(',', f);
    text(f, "text", m->text);
    fputc('}', f);
}

static void list(FILE *f, const char *key, const char *const *items, uint32_t n)
{
    fprintf(f, "\"%s\":[", key);
    for (uint32_t i = 0; i < n; i++) {
        fputs(i > 0 ? "," : "", f);
        json_string(f, lq_str_of(items[i]));
    }
    fputc(']', f);
}

static void print_suspect(FILE *f, const struct why_answer *a, uint32_t i)
{
    const struct why_suspect *s = &a->suspects[i];
    fprintf(f, "%s\n  {\"rank\":%u,", i > 0 ? "," : "", i + 1);
    text(f, "confidence", s->confidence);
    fputc(',', f);
    number(f, "score", round(s->score * 1e4) / 1e4);
    fputc(',', f);
    when(f, "time", s->time_us);
    fputc(',', f);
    when(f, "low", s->low_us);
    fputc(',', f);
    when(f, "high", s->high_us);
    fprintf(f, ",\"lead_s\":%lld,", (long long)((a->onset_us - s->time_us) / 1000000));
    text(f, "kind", s->kind);
    fputc(',', f);
    text(f, "title", s->title);
    fputs(",\n   ", f);
    subject(f, s->stream, s->metric, s->dim, s->value);
    fputs(",\n   \"members\":[", f);
    for (uint32_t k = 0; k < s->n_members; k++) {
        fputs(k > 0 ? ",\n     " : "", f);
        print_member(f, &s->members[k]);
    }
    fputs("],\n   ", f);
    list(f, "evidence", s->evidence, s->n_evidence);
    fputs(",\n   ", f);
    list(f, "lines", s->lines, s->n_lines);
    fputc('}', f);
}

void why_print_json(const struct why_answer *a, FILE *f)
{
    fputs("{\"schema\":1,\n ", f);
    text(f, "target", a->target);
    fputc(',', f);
    text(f, "stream", a->stream);
    fputc(',', f);
    when(f, "from", a->from_us);
    fputc(',', f);
    when(f, "to", a->to_us);
    fputs(",\n \"onset\":", f);
    if (a->has_onset) {
        fputc('{', f);
        when(f, "time", a->onset_us);
        fputc(',', f);
        when(f, "low", a->onset_low_us);
        fputc(',', f);
        when(f, "high", a->onset_high_us);
        fputc(',', f);
        text(f, "type", a->onset_type);
        fprintf(f, ",\"ongoing\":%s,\"end\":", a->ongoing ? "true" : "false");
        if (a->ongoing) {
            fputs("null", f);
        } else {
            json_time(f, a->end_us);
        }
        fputc(',', f);
        number(f, "rate_before", a->rate_before);
        fputc(',', f);
        number(f, "rate_after", a->rate_after);
        fputc(',', f);
        number(f, "p", a->onset_p);
        fprintf(f, "},\n \"impact\":{\"requests\":%llu,\"errors\":%llu,", (unsigned long long)a->requests, (unsigned long long)a->errors);
        number(f, "share", a->requests > 0 ? (double)a->errors / (double)a->requests : NAN);
        fprintf(f, ",\"identities\":%llu,\"by\":{}}", (unsigned long long)a->identities);
    } else {
        fputs("null,\n \"impact\":null", f);
    }
    fputs(",\n \"suspects\":[", f);
    for (uint32_t i = 0; i < a->n_suspects; i++) {
        print_suspect(f, a, i);
    }
    fputs("],\n \"cleared\":[", f);
    for (uint32_t i = 0; i < a->n_cleared; i++) {
        fprintf(f, "%s\n  {", i > 0 ? "," : "");
        text(f, "title", a->cleared[i].title);
        fputc(',', f);
        when(f, "time", a->cleared[i].time_us);
        fputc(',', f);
        text(f, "reason", a->cleared[i].reason);
        fputc('}', f);
    }
    fprintf(f, "],\n \"tested\":{\"series\":%llu,\"moved\":%llu,", (unsigned long long)a->tested, (unsigned long long)a->moved);
    number(f, "fdr", a->fdr > 0 ? a->fdr : NAN);
    fprintf(f, "},\n \"coverage\":{\"lines\":%llu,", (unsigned long long)a->lines);
    number(f, "parsed_share", a->lines > 0 ? (double)a->parsed / (double)a->lines : NAN);
    fputs(",\"silent\":[],\"skew_s\":null},\n ", f);
    list(f, "notices", a->notices, a->n_notices);
    fputs("}\n", f);
}
