/*
 * why_text.c - the answer of `why` for people, at the width of their terminal
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "query/out/why_sentence.h"

enum { WIDTH = 96, LINE_WIDTH_MIN = 40 };

static const char *bold(const struct why_style *st)
{
    return st->color ? "\033[1m" : "";
}

static const char *faint(const struct why_style *st)
{
    return st->color ? "\033[2m" : "";
}

static const char *plain(const struct why_style *st)
{
    return st->color ? "\033[0m" : "";
}

static int width_of(const struct why_style *st)
{
    return st->width >= LINE_WIDTH_MIN && st->width < 200 ? (int)st->width - 1 : WIDTH;
}

/* Words at the width of the terminal, continued under the indent. */
static void wrapped(FILE *f, const struct why_style *st, const char *indent, const char *text)
{
    size_t at = 0, n = strlen(text), left = strlen(indent), width = (size_t)width_of(st);
    fputs(indent, f);
    size_t col = left;
    while (at < n) {
        size_t word = strcspn(text + at, " ");
        size_t cols = why_columns((lq_str){text + at, word});
        if (col > left && col + 1 + cols > width) {
            fprintf(f, "\n%*s", (int)left, "");
            col = left;
        } else if (col > left) {
            fputc(' ', f);
            col++;
        }
        fwrite(text + at, 1, word, f);
        col += cols;
        at += word + (at + word < n);
    }
    fputc('\n', f);
}

static void spark(FILE *f, const double *v)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    double top = 0;
    for (int i = 0; i < WHY_SPARK; i++) {
        top = v[i] > top ? v[i] : top;
    }
    for (int i = 0; i < WHY_SPARK; i++) {
        int level = top > 0 && v[i] >= 0 ? (int)(v[i] / top * 7.999) : 0;
        fputs(v[i] < 0 ? " " : blocks[level], f);
    }
}

/* The label stands beside the bars, or below where they leave no room. */
static void labelled_spark(FILE *f, const struct why_style *st, const double *v, const char *label, const char *style)
{
    fputs("  ", f);
    spark(f, v);
    bool beside = 2 + WHY_SPARK + 2 + (int)why_columns(lq_str_of(label)) <= width_of(st);
    fprintf(f, "%s%s", beside ? "" : "\n", style);
    wrapped(f, st, beside ? "  " : "    ", label);
    fputs(style[0] != '\0' ? plain(st) : "", f);
}

static void target_spark(FILE *f, const struct why_answer *a, const struct why_style *st)
{
    char label[128];
    why_spark_label(a, label, sizeof label);
    labelled_spark(f, st, a->spark, label, "");
    if (a->has_onset && a->to_us > a->from_us) {
        int at = (int)((double)(a->onset.time_us - a->from_us) / (double)(a->to_us - a->from_us) * WHY_SPARK);
        at = at < 0 ? 0 : at >= WHY_SPARK ? WHY_SPARK - 1 : at;
        fprintf(f, at > WHY_SPARK - 10 ? "  %*sonset ^\n" : "  %*s^ onset\n", at > WHY_SPARK - 10 ? at - 6 : at, "");
    }
}

static void print_onset(FILE *f, const struct why_answer *a, const struct why_style *st)
{
    char text[512];
    why_onset_sentence(a, st->tz, text, sizeof text);
    fputs(bold(st), f);
    wrapped(f, st, "", text);
    fputs(plain(st), f);
    why_level_sentence(a, text, sizeof text);
    wrapped(f, st, "  ", text);
    target_spark(f, a, st);
    if (a->share || a->sessions.stream != NULL) {
        fprintf(f, "\n%sImpact%s\n", bold(st), plain(st));
    }
    if (a->share) {
        why_impact_sentence(a, text, sizeof text);
        wrapped(f, st, "  ", text);
        for (uint32_t i = 0; i < a->n_audiences; i++) {
            why_audience_sentence(&a->audiences[i], a->identity, text, sizeof text);
            wrapped(f, st, "  ", text);
        }
    }
    if (a->sessions.stream != NULL) {
        why_sessions_sentence(&a->sessions, st->tz, text, sizeof text);
        wrapped(f, st, "  ", text);
    }
    if (a->n_where > 0) {
        fprintf(f, "\n%sWhere%s\n", bold(st), plain(st));
    }
    for (uint32_t i = 0; i < a->n_where; i++) {
        wrapped(f, st, "  ", a->where[i].text);
    }
}

static void print_suspect(FILE *f, const struct why_answer *a, uint32_t i, const struct why_style *st)
{
    const struct why_suspect *s = &a->suspects[i];
    char t[32], indent[16], title[1024];
    time_print_local(s->time_us, st->tz, t);
    snprintf(indent, sizeof indent, "%2u. ", i + 1);
    snprintf(title, sizeof title, "%s", s->title);
    fprintf(f, "\n%s", bold(st));
    wrapped(f, st, indent, title);
    fprintf(f, "%s    %s, %s confidence (%.2f)\n", plain(st), t, s->confidence, s->score);
    if (st->explain) {
        fputs("    score from", f);
        for (int k = 0; k < WHY_TERMS; k++) {
            if (s->terms[k] > 0.005) {
                fprintf(f, " %s %.2f", why_term_names[k], s->terms[k]);
            }
        }
        fputc('\n', f);
    }
    if (s->spark_text != NULL) {
        labelled_spark(f, st, s->spark, s->spark_text, faint(st));
    }
    for (uint32_t k = 0; k < s->n_evidence; k++) {
        wrapped(f, st, "    - ", s->evidence[k]);
    }
    for (uint32_t k = 0; k < s->n_lines; k++) {
        size_t n = strlen(s->lines[k]), fit = why_fit((lq_str){s->lines[k], n}, (size_t)width_of(st) - 9);
        fprintf(f, "      %s| %.*s%s%s\n", faint(st), (int)fit, s->lines[k], fit < n ? "…" : "", plain(st));
    }
}

static void print_others(FILE *f, const struct why_answer *a, const struct why_style *st)
{
    char t[32];
    if (a->n_others == 0) {
        return;
    }
    fprintf(f, "\n%sOther onsets%s (--onset TIME asks for one)\n", bold(st), plain(st));
    for (uint32_t i = 0; i < a->n_others; i++) {
        const struct why_onset *o = &a->others[i];
        time_print_local(o->time_us, st->tz, t);
        fprintf(f, "  %s  %s to %.3g%s", t, o->after < o->before ? "down" : "up", o->after * a->unit_scale, a->unit);
        if (!o->ongoing) {
            char span[40];
            duration_print_rounded(o->end_us - o->time_us, span, sizeof span);
            fprintf(f, " for %s", span);
        }
        fputc('\n', f);
    }
}

void why_print_text(const struct why_answer *a, const struct why_style *st, FILE *f)
{
    char t[32], indent[40];
    if (!a->has_onset) {
        target_spark(f, a, st);
    } else {
        print_onset(f, a, st);
        if (a->n_suspects > 0) {
            fprintf(f, "\n%sWhat changed before%s\n", bold(st), plain(st));
        }
        for (uint32_t i = 0; i < a->n_suspects; i++) {
            print_suspect(f, a, i, st);
        }
        if (a->n_cleared > 0) {
            fprintf(f, "\n%sCleared%s\n", bold(st), plain(st));
        }
        for (uint32_t i = 0; i < a->n_cleared; i++) {
            time_print_local(a->cleared[i].time_us, st->tz, t);
            snprintf(indent, sizeof indent, "  %s  ", t);
            wrapped(f, st, indent, a->cleared[i].title);
            wrapped(f, st, "      ", a->cleared[i].reason);
        }
        print_others(f, a, st);
        fputc('\n', f);
        char text[256];
        why_tested_sentence(a, text, sizeof text);
        wrapped(f, st, "", text);
    }
    for (uint32_t i = 0; i < a->n_silent; i++) {
        char text[256];
        why_silent_sentence(&a->silent[i], st->tz, text, sizeof text);
        wrapped(f, st, "", text);
    }
    for (uint32_t i = 0; i < a->n_notices; i++) {
        wrapped(f, st, "", a->notices[i]);
    }
}
