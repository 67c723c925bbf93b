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

static void subject(FILE *f, const struct why_subject *x)
{
    fputs("\"subject\":{", f);
    text(f, "stream", x->stream);
    fputc(',', f);
    text(f, "metric", x->metric);
    fputs(",\"where\":{", f);
    for (int i = 0; i < 2 && x->dim[i] != NULL; i++) {
        fputs(i > 0 ? "," : "", f);
        json_string(f, lq_str_of(x->dim[i]));
        fputc(':', f);
        json_string(f, lq_str_of(x->value[i]));
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
    subject(f, &m->subject);
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
    fprintf(f, ",\"lead_s\":%lld,", (long long)((a->onset.time_us - s->time_us) / 1000000));
    text(f, "kind", s->kind);
    fputc(',', f);
    text(f, "title", s->title);
    fputs(",\n   ", f);
    subject(f, &s->subject);
    fputs(",\n   \"members\":[", f);
    for (uint32_t k = 0; k < s->n_members; k++) {
        fputs(k > 0 ? ",\n     " : "", f);
        print_member(f, &s->members[k]);
    }
    fputs("],\n   ", f);
    list(f, "evidence", s->evidence, s->n_evidence);
    fputs(",\n   ", f);
    list(f, "lines", s->lines, s->n_lines);
    fputs(",\n   \"terms\":{", f);
    for (int k = 0, n = 0; k < WHY_TERMS; k++) {
        if (s->terms[k] > 0) {
            fputs(n++ > 0 ? "," : "", f);
            number(f, why_term_names[k], round(s->terms[k] * 1e4) / 1e4);
        }
    }
    fputs("}}", f);
}

static void print_onset(FILE *f, const struct why_onset *o)
{
    fputc('{', f);
    when(f, "time", o->time_us);
    fputc(',', f);
    when(f, "low", o->low_us);
    fputc(',', f);
    when(f, "high", o->high_us);
    fputc(',', f);
    text(f, "type", o->type);
    fprintf(f, ",\"ongoing\":%s,", o->ongoing ? "true" : "false");
    if (o->ongoing) {
        fputs("\"end\":null", f);
    } else {
        when(f, "end", o->end_us);
    }
    fputc(',', f);
    number(f, "rate_before", o->before);
    fputc(',', f);
    number(f, "rate_after", o->after);
    fputc(',', f);
    number(f, "p", o->p);
    fputc('}', f);
}

static void count_or_null(FILE *f, const char *key, uint64_t n)
{
    if (n == UINT64_MAX) {
        fprintf(f, "\"%s\":null", key);
    } else {
        fprintf(f, "\"%s\":%llu", key, (unsigned long long)n);
    }
}

static void print_sessions(FILE *f, const struct why_sessions *x)
{
    fputs(",\"sessions_lost\":", f);
    if (x->stream == NULL) {
        fputs("null", f);
        return;
    }
    fputc('{', f);
    text(f, "stream", x->stream);
    fputc(',', f);
    when(f, "time", x->time_us);
    fputc(',', f);
    when(f, "low", x->low_us);
    fputc(',', f);
    when(f, "high", x->high_us);
    fprintf(f, ",\"lost\":%llu,", (unsigned long long)x->lost);
    number(f, "before", x->before);
    fputc(',', f);
    number(f, "after", x->after);
    fputc(',', f);
    number(f, "p", x->p);
    fputc('}', f);
}

static void print_impact(FILE *f, const struct why_answer *a)
{
    fprintf(f, "{\"requests\":%llu,\"errors\":%llu,", (unsigned long long)a->requests, (unsigned long long)a->errors);
    number(f, "share", a->requests > 0 ? (double)a->errors / (double)a->requests : NAN);
    fputc(',', f);
    count_or_null(f, "identities", a->identities);
    fputs(",\"by\":{", f);
    for (uint32_t i = 0; i < a->n_audiences; i++) {
        const struct why_audience *x = &a->audiences[i];
        if (i == 0) {
            json_string(f, lq_str_of(x->dim));
            fputs(":{", f);
        }
        fputs(i > 0 ? "," : "", f);
        json_string(f, lq_str_of(x->value));
        fprintf(f, ":{\"requests\":%llu,\"errors\":%llu,", (unsigned long long)x->requests,
                (unsigned long long)x->errors);
        count_or_null(f, "identities", x->identities);
        fputc('}', f);
    }
    fputs(a->n_audiences > 0 ? "}}" : "}", f);
    print_sessions(f, &a->sessions);
    fputc('}', f);
}

static void print_where(FILE *f, const struct why_answer *a)
{
    fputs(",\n \"where\":[", f);
    for (uint32_t i = 0; i < a->n_where; i++) {
        fputs(i > 0 ? "," : "", f);
        fputc('{', f);
        subject(f, &a->where[i].subject);
        fputc(',', f);
        number(f, "share", round(a->where[i].share * 1e4) / 1e4);
        fputc(',', f);
        text(f, "text", a->where[i].text);
        fputc('}', f);
    }
    fputc(']', f);
}

static void print_coverage(FILE *f, const struct why_answer *a)
{
    fprintf(f, ",\n \"coverage\":{\"lines\":%llu,", (unsigned long long)a->lines);
    number(f, "parsed_share", a->lines > 0 ? (double)a->parsed / (double)a->lines : NAN);
    fputs(",\"silent\":[", f);
    for (uint32_t i = 0; i < a->n_silent; i++) {
        fputs(i > 0 ? ",{" : "{", f);
        text(f, "dimension", a->silent[i].dim != NULL ? a->silent[i].dim : "stream");
        fputc(',', f);
        text(f, "value", a->silent[i].dim != NULL ? a->silent[i].value : a->silent[i].stream);
        fputc(',', f);
        when(f, "since", a->silent[i].since_us);
        fputc(',', f);
        text(f, "stream", a->silent[i].stream);
        fputc('}', f);
    }
    fputs("],\"skew_s\":null}", f);
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
        print_onset(f, &a->onset);
        fputs(",\n \"impact\":", f);
        print_impact(f, a);
    } else {
        fputs("null,\n \"impact\":null", f);
    }
    fputs(",\n \"suspects\":[", f);
    for (uint32_t i = 0; i < a->n_suspects; i++) {
        print_suspect(f, a, i);
    }
    fputs("],\n \"cleared\":[", f);
    for (uint32_t i = 0; i < a->n_cleared; i++) {
        fputs(i > 0 ? ",\n  {" : "\n  {", f);
        text(f, "title", a->cleared[i].title);
        fputc(',', f);
        when(f, "time", a->cleared[i].time_us);
        fputc(',', f);
        text(f, "reason", a->cleared[i].reason);
        fputc('}', f);
    }
    fprintf(f, "],\n \"tested\":{\"series\":%llu,\"moved\":%llu,", (unsigned long long)a->tested,
            (unsigned long long)a->moved);
    number(f, "fdr", a->has_onset ? a->fdr : NAN);
    fputc('}', f);
    print_coverage(f, a);
    print_where(f, a);
    fputs(",\n \"other_onsets\":[", f);
    for (uint32_t i = 0; i < a->n_others; i++) {
        fputs(i > 0 ? ",\n  " : "\n  ", f);
        print_onset(f, &a->others[i]);
    }
    fputs("],\n ", f);
    list(f, "notices", a->notices, a->n_notices);
    fputs("}\n", f);
}
