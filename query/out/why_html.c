/*
 * why_html.c - the answer of `why` as one file: no network, no script, charts as inline SVG on one time axis; every
 * text from logs is escaped
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "query/out/why_sentence.h"

enum { CHART_W = 720, CHART_H = 70, TEXT_MAX = 1024 };

static const char style_sheet[] =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 "
    "1rem;color:#1b1f24;background:#fff}"
    "h1{font-size:1.35rem;margin-bottom:.2rem}h2{font-size:1.05rem;margin-top:2rem;border-bottom:1px solid "
    "#d8dee4}h3{font-size:1rem;margin-bottom:.2rem}"
    "svg{width:100%;height:auto;display:block;background:#f6f8fa;margin:.4rem 0}.c{color:#57606a;font-size:.88rem}"
    "pre{background:#f6f8fa;padding:.5rem;overflow-x:auto;font-size:.8rem}.high{color:#a40e26}.medium{color:#9a6700}."
    "low{color:#57606a}"
    "table{border-collapse:collapse}td,th{padding:.15rem .7rem .15rem 0;text-align:left;vertical-align:top}"
    "@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}svg,pre{background:#161b22}h2{border-"
    "color:#30363d}.c,.low{color:#8d96a0}.high{color:#ff7b72}.medium{color:#d29922}}";

static void esc(FILE *f, const char *s)
{
    for (; *s != '\0'; s++) {
        switch (*s) {
        case '&':
            fputs("&amp;", f);
            break;
        case '<':
            fputs("&lt;", f);
            break;
        case '>':
            fputs("&gt;", f);
            break;
        case '"':
            fputs("&quot;", f);
            break;
        case '\'':
            fputs("&#39;", f);
            break;
        default:
            fputc((unsigned char)*s < 32 && *s != '\t' ? ' ' : *s, f);
        }
    }
}

static void tagged(FILE *f, const char *tag, const char *s)
{
    fprintf(f, "<%s>", tag);
    esc(f, s);
    fprintf(f, "</%.*s>\n", (int)strcspn(tag, " "), tag);
}

static double x_of(const struct why_answer *a, int64_t us)
{
    double span = (double)(a->to_us - a->from_us), x = span > 0 ? (double)(us - a->from_us) / span * CHART_W : 0;
    return x < 0 ? 0 : x > CHART_W ? CHART_W : x;
}

/* Bars of a series, the onset as a line, and the moment of a suspect. */
static void chart(FILE *f, const struct why_answer *a, const double *v, int64_t mark_us, const char *label)
{
    double top = 0, w = (double)CHART_W / WHY_SPARK;
    for (int i = 0; i < WHY_SPARK; i++) {
        top = v[i] > top ? v[i] : top;
    }
    fprintf(f, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", CHART_W, CHART_H);
    esc(f, label);
    fputs("\">", f);
    for (int i = 0; i < WHY_SPARK; i++) {
        double h = v[i] > 0 && top > 0 ? v[i] / top * (CHART_H - 6) : 0;
        if (h > 0) {
            fprintf(f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#6e9bd1\"/>", i * w + 0.5,
                    CHART_H - h, w - 1, h);
        }
    }
    if (a->has_onset) {
        fprintf(f, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"%d\" stroke=\"#cf222e\" stroke-width=\"2\"/>",
                x_of(a, a->onset.time_us), x_of(a, a->onset.time_us), CHART_H);
    }
    if (mark_us != INT64_MIN) {
        fprintf(f,
                "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"%d\" stroke=\"#bf8700\" stroke-width=\"2\" "
                "stroke-dasharray=\"4 3\"/>",
                x_of(a, mark_us), x_of(a, mark_us), CHART_H);
    }
    fputs("</svg>\n", f);
}

static void suspect(FILE *f, const struct why_answer *a, uint32_t i, const struct why_style *st)
{
    const struct why_suspect *s = &a->suspects[i];
    char t[32];
    time_print_local(s->time_us, st->tz, t);
    fprintf(f, "<h3>%u. ", i + 1);
    esc(f, s->title);
    fprintf(f, "</h3>\n<p class=\"c\">%s, <b class=\"%s\">%s confidence</b> (%.2f)</p>\n", t, s->confidence,
            s->confidence, s->score);
    if (s->spark_text != NULL) {
        chart(f, a, s->spark, s->time_us, s->spark_text);
        tagged(f, "p class=\"c\"", s->spark_text);
    }
    fputs("<ul>\n", f);
    for (uint32_t k = 0; k < s->n_evidence; k++) {
        tagged(f, "li", s->evidence[k]);
    }
    fputs("</ul>\n", f);
    if (s->n_lines > 0) {
        fputs("<pre>", f);
        for (uint32_t k = 0; k < s->n_lines; k++) {
            esc(f, s->lines[k]);
            fputc('\n', f);
        }
        fputs("</pre>\n", f);
    }
}

static void incident(FILE *f, const struct why_answer *a, const struct why_style *st)
{
    char text[TEXT_MAX], from[32], to[32];
    why_onset_sentence(a, st->tz, text, sizeof text);
    tagged(f, "h1", text);
    why_level_sentence(a, text, sizeof text);
    tagged(f, "p", text);
    chart(f, a, a->spark, INT64_MIN, a->noun);
    why_spark_label(a, text, sizeof text);
    time_print_local(a->from_us, st->tz, from);
    time_print_local(a->to_us, st->tz, to);
    fputs("<p class=\"c\">", f);
    esc(f, text);
    fprintf(f, "; %s to %s; red: the onset; dashed: the suspect</p>\n<h2>Impact</h2>\n", from, to);
    if (a->share) {
        why_impact_sentence(a, text, sizeof text);
        tagged(f, "p", text);
    }
    for (uint32_t i = 0; i < a->n_audiences; i++) {
        why_audience_sentence(&a->audiences[i], a->identity, text, sizeof text);
        tagged(f, "p", text);
    }
    if (a->sessions.stream != NULL) {
        why_sessions_sentence(&a->sessions, st->tz, text, sizeof text);
        tagged(f, "p", text);
    }
    for (uint32_t i = 0; i < a->n_where; i++) {
        tagged(f, "p", a->where[i].text);
    }
    fputs("<h2>What changed before</h2>\n", f);
    for (uint32_t i = 0; i < a->n_suspects; i++) {
        suspect(f, a, i, st);
    }
    if (a->n_cleared > 0) {
        fputs("<h2>Cleared</h2>\n<table>\n", f);
        for (uint32_t i = 0; i < a->n_cleared; i++) {
            time_print_local(a->cleared[i].time_us, st->tz, from);
            fprintf(f, "<tr><td class=\"c\">%s<td>", from);
            esc(f, a->cleared[i].title);
            fputs("<td>", f);
            esc(f, a->cleared[i].reason);
            fputc('\n', f);
        }
        fputs("</table>\n", f);
    }
}

void why_print_html(const struct why_answer *a, const struct why_style *st, FILE *f)
{
    char text[TEXT_MAX];
    fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
          "content=\"width=device-width\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
          "'unsafe-inline'\">\n<title>What changed before the errors started?</title>\n<style>",
          f);
    fputs(style_sheet, f);
    fputs("</style></head><body>\n", f);
    if (a->has_onset) {
        incident(f, a, st);
    } else {
        tagged(f, "h1", "No onset");
        chart(f, a, a->spark, INT64_MIN, a->noun);
    }
    fputs("<h2>What this rests on</h2>\n", f);
    if (a->has_onset) {
        why_tested_sentence(a, text, sizeof text);
        tagged(f, "p class=\"c\"", text);
    }
    for (uint32_t i = 0; i < a->n_silent; i++) {
        why_silent_sentence(&a->silent[i], st->tz, text, sizeof text);
        tagged(f, "p class=\"c\"", text);
    }
    for (uint32_t i = 0; i < a->n_notices; i++) {
        tagged(f, "p class=\"c\"", a->notices[i]);
    }
    fputs("</body></html>\n", f);
}
