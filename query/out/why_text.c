/*
 * why_text.c - the answer of `why` for people
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "query/change/why.h"
#include "schema/derive.h"

static const char *bold(bool color)
{
    return color ? "\033[1m" : "";
}

static const char *plain(bool color)
{
    return color ? "\033[0m" : "";
}

/* Words at the width of a terminal, continued under the indent. */
static void wrapped(FILE *f, const char *indent, const char *text)
{
    enum { WIDTH = 96 };
    size_t at = 0, n = strlen(text), left = strlen(indent);
    fputs(indent, f);
    size_t col = left;
    while (at < n) {
        size_t word = strcspn(text + at, " ");
        if (col > left && col + 1 + word > WIDTH) {
            fprintf(f, "\n%*s", (int)left, "");
            col = left;
        } else if (col > left) {
            fputc(' ', f);
            col++;
        }
        fwrite(text + at, 1, word, f);
        col += word;
        at += word + (at + word < n);
    }
    fputc('\n', f);
}

static void spark(const struct why_answer *a, FILE *f)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    double top = 0;
    for (int i = 0; i < WHY_SPARK; i++) {
        top = a->spark[i] > top ? a->spark[i] : top;
    }
    fputs("  ", f);
    for (int i = 0; i < WHY_SPARK; i++) {
        int level = top > 0 && a->spark[i] >= 0 ? (int)(a->spark[i] / top * 7.999) : 0;
        fputs(a->spark[i] < 0 ? " " : blocks[level], f);
    }
    fprintf(f, "  errors, up to %.3g %%\n", 100 * top);
    if (a->has_onset && a->to_us > a->from_us) {
        int at = (int)((double)(a->onset_us - a->from_us) / (double)(a->to_us - a->from_us) * WHY_SPARK);
        fprintf(f, "  %*s^ onset\n", at < WHY_SPARK ? at : WHY_SPARK - 1, "");
    }
}

static void print_onset(const struct why_answer *a, const struct timezone_rules *tz, FILE *f, bool color)
{
    char t[32], lo[32], hi[32], span[40];
    time_print_local(a->onset_us, tz, t);
    time_print_local(a->onset_low_us, tz, lo);
    time_print_local(a->onset_high_us, tz, hi);
    fprintf(f, "%sThe errors started %s%s  (between %s and %s; %s)\n", bold(color), t, plain(color), lo + 11, hi + 11,
            strcmp(a->onset_type, "trend_change") == 0 ? "rising step by step" : strcmp(a->onset_type, "spike") == 0 ? "a spike" : "a step");
    fprintf(f, "  %.3g %% of requests failed before, %.3g %% since (%s)\n", 100 * a->rate_before, 100 * a->rate_after, a->stream);
    spark(a, f);
    duration_print(((a->ongoing ? a->to_us : a->end_us) - a->onset_us) / 60000000 * 60000000, span, sizeof span);
    fprintf(f, "\n%sImpact%s  %llu of %llu requests failed", bold(color), plain(color), (unsigned long long)a->errors, (unsigned long long)a->requests);
    if (a->identities > 0) {
        fprintf(f, ", about %llu clients hit", (unsigned long long)a->identities);
    }
    fprintf(f, "; %s %s\n", a->ongoing ? "still going on after" : "it lasted", span);
}

static void print_suspect(const struct why_answer *a, uint32_t i, const struct timezone_rules *tz, bool explain, bool color, FILE *f)
{
    static const char *const terms[] = {"time", "trend", "novelty", "contrast", "recovery"};
    const struct why_suspect *s = &a->suspects[i];
    char t[32];
    time_print_local(s->time_us, tz, t);
    fprintf(f, "\n %s%u. %s%s\n", bold(color), i + 1, s->title, plain(color));
    fprintf(f, "    %s, %s confidence (%.2f)\n", t, s->confidence, s->score);
    if (explain) {
        fputs("    score from", f);
        for (int k = 0; k < 5; k++) {
            fprintf(f, " %s %.2f", terms[k], s->terms[k]);
        }
        fputc('\n', f);
    }
    for (uint32_t k = 0; k < s->n_evidence; k++) {
        wrapped(f, "    - ", s->evidence[k]);
    }
    for (uint32_t k = 0; k < s->n_lines; k++) {
        fprintf(f, "      | %.*s%s\n", 110, s->lines[k], strlen(s->lines[k]) > 110 ? "…" : "");
    }
}

void why_print_text(const struct why_answer *a, const struct timezone_rules *tz, bool explain, bool color, FILE *f)
{
    char t[32];
    if (a->has_onset) {
        print_onset(a, tz, f, color);
        fprintf(f, "\n%sWhat changed before%s\n", bold(color), plain(color));
        for (uint32_t i = 0; i < a->n_suspects; i++) {
            print_suspect(a, i, tz, explain, color, f);
        }
        if (a->n_cleared > 0) {
            fprintf(f, "\n%sCleared%s\n", bold(color), plain(color));
        }
        for (uint32_t i = 0; i < a->n_cleared; i++) {
            time_print_local(a->cleared[i].time_us, tz, t);
            fprintf(f, "  %s  %s\n", t, a->cleared[i].title);
            wrapped(f, "      ", a->cleared[i].reason);
        }
        fprintf(f, "\n%llu series tested, %llu moved before the errors (false discovery rate %.2g); %llu lines\n", (unsigned long long)a->tested,
                (unsigned long long)a->moved, a->fdr, (unsigned long long)a->lines);
    } else {
        spark(a, f);
    }
    for (uint32_t i = 0; i < a->n_notices; i++) {
        fprintf(f, "%s\n", a->notices[i]);
    }
}
