/*
 * why_markdown.c - the answer of `why` under the headings of a postmortem
 *
 * What the data show is filled in; what people must say is left as a prompt. Text from logs is escaped: it is data, not
 * markup.
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/out/why_sentence.h"

enum { TEXT_MAX = 1024 };

/* Characters that mean something in Markdown are escaped; line ends become blanks. */
static void md(FILE *f, const char *s)
{
    for (; *s != '\0'; s++) {
        if (strchr("\\`*_{}[]<>#|~", *s) != NULL) {
            fputc('\\', f);
        }
        fputc(*s == '\n' || *s == '\r' ? ' ' : *s, f);
    }
}

static void item(FILE *f, const char *s)
{
    fputs("- ", f);
    md(f, s);
    fputc('\n', f);
}

static void heading(FILE *f, const char *s)
{
    fprintf(f, "\n## %s\n\n", s);
}

/* Log lines, fenced by more backticks than they hold. */
static void fenced(FILE *f, const char *const *lines, uint32_t n)
{
    size_t most = 2;
    for (uint32_t i = 0; i < n; i++) {
        size_t run = 0;
        for (const char *p = lines[i]; *p != '\0'; p++) {
            run = *p == '`' ? run + 1 : 0;
            most = run > most ? run : most;
        }
    }
    for (int side = 0; side < 2 && n > 0; side++) {
        for (size_t i = 0; i <= most; i++) {
            fputc('`', f);
        }
        fputc('\n', f);
        for (uint32_t i = 0; i < n && side == 0; i++) {
            for (const char *p = lines[i]; *p != '\0'; p++) {
                fputc(*p == '\n' || *p == '\r' ? ' ' : *p, f);
            }
            fputc('\n', f);
        }
    }
}

struct moment {
    int64_t time_us;
    const char *what;
    int order;
};

static void add_moment(struct moment *m, size_t *n, size_t cap, int64_t time_us, const char *what)
{
    size_t i = *n;
    if (*n == cap || what == NULL) {
        return;
    }
    for (; i > 0 && m[i - 1].time_us > time_us; i--) {
        m[i] = m[i - 1];
    }
    m[i] = (struct moment){time_us, what, (int)*n};
    ++*n;
}

static void timeline(FILE *f, const struct why_answer *a, const struct why_style *st)
{
    struct moment m[2 * WHY_SUSPECTS_MAX + 8];
    size_t n = 0, cap = sizeof m / sizeof m[0];
    char t[32], began[TEXT_MAX];
    snprintf(began, sizeof began, "**the %s %s**", a->noun,
             a->share                           ? "start"
             : a->onset.after < a->onset.before ? "fall"
                                                : "rise");
    for (uint32_t i = 0; i < a->n_suspects; i++) {
        add_moment(m, &n, cap, a->suspects[i].time_us, a->suspects[i].title);
    }
    for (uint32_t i = 0; i < a->n_cleared; i++) {
        add_moment(m, &n, cap, a->cleared[i].time_us, a->cleared[i].title);
    }
    add_moment(m, &n, cap, a->onset.time_us, began);
    if (!a->onset.ongoing) {
        add_moment(m, &n, cap, a->onset.end_us, "**it is over**");
    }
    heading(f, "Timeline");
    fputs("| time | what |\n|---|---|\n", f);
    for (size_t i = 0; i < n; i++) {
        time_print_local(m[i].time_us, st->tz, t);
        fprintf(f, "| %s | ", t);
        if (m[i].what[0] == '*') {
            fputs(m[i].what, f);
        } else {
            md(f, m[i].what);
        }
        fputs(" |\n", f);
    }
}

/* As far as the data lead: what failed, what came with it, what began it. Where they end, people go on. */
static void chain(FILE *f, const struct why_answer *a)
{
    const struct why_suspect *s = &a->suspects[0];
    unsigned n = 1;
    char text[TEXT_MAX];
    fputs("\n### The chain of whys\n\n", f);
    why_level_sentence(a, text, sizeof text);
    fprintf(f, "%u. Why was it noticed? ", n++);
    md(f, text);
    fputc('\n', f);
    for (uint32_t i = 0; i < a->n_where && i < 1; i++) {
        fprintf(f, "%u. Where did it fail? ", n++);
        md(f, a->where[i].text);
        fputc('\n', f);
    }
    if (s->n_members > 0) {
        fprintf(f, "%u. Why did it fail? ", n++);
        md(f, s->members[0].text);
        fputc('\n', f);
    }
    fprintf(f, "%u. Why did that begin? ", n++);
    md(f, strcmp(s->confidence, "low") == 0 ? "these logs do not say" : s->title);
    fprintf(f, " (%s confidence)\n%u. Why was that possible, and why was it not seen before? _For people to answer._\n",
            s->confidence, n);
}

static void suspects(FILE *f, const struct why_answer *a, const struct why_style *st)
{
    char t[32];
    heading(f, "Root cause");
    if (a->n_suspects == 0) {
        fputs("Nothing in these logs changed before it started.\n", f);
    }
    for (uint32_t i = 0; i < a->n_suspects; i++) {
        const struct why_suspect *s = &a->suspects[i];
        time_print_local(s->time_us, st->tz, t);
        fprintf(f, "%s### %u. ", i > 0 ? "\n" : "", i + 1);
        md(f, s->title);
        fprintf(f, "\n\n%s, %s confidence (%.2f)\n\n", t, s->confidence, s->score);
        for (uint32_t k = 0; k < s->n_evidence; k++) {
            item(f, s->evidence[k]);
        }
        if (s->n_lines > 0) {
            fputc('\n', f);
            fenced(f, s->lines, s->n_lines);
        }
    }
    if (a->n_suspects > 0) {
        chain(f, a);
    }
    if (a->n_cleared > 0) {
        fputs("\n### Cleared\n\n", f);
    }
    for (uint32_t i = 0; i < a->n_cleared; i++) {
        fputs("- ", f);
        md(f, a->cleared[i].title);
        fputs(": ", f);
        md(f, a->cleared[i].reason);
        fputc('\n', f);
    }
}

static void measures(FILE *f)
{
    heading(f, "Corrective measures");
    fputs("_What ends it, or ended it; who does it; by when._\n\n- [ ] What was done to stop it?\n- [ ] Is what was "
          "lost or written wrong in the meantime put right?\n- [ ] Were those who were hit told?\n",
          f);
    heading(f, "Preventive measures");
    fputs(
        "_What keeps it from coming back, or shows it sooner; who does it; by when._\n\n- [ ] Which test, limit or "
        "review would have caught it?\n"
        "- [ ] Which alert would have shown the first sign, and when?\n- [ ] Where else could the same thing happen?\n",
        f);
}

void why_print_markdown(const struct why_answer *a, const struct why_style *st, FILE *f)
{
    char text[TEXT_MAX], t[32], span[40];
    time_print_local(a->has_onset ? a->onset.time_us : a->from_us, st->tz, t);
    fprintf(f, "# %s %.10s\n", a->has_onset ? "Incident of" : "No incident since", t);
    if (a->has_onset) {
        heading(f, "Duration");
        why_onset_sentence(a, st->tz, text, sizeof text);
        item(f, text);
        why_lasted(a, span, sizeof span);
        if (a->onset.ongoing) {
            fprintf(f, "- Still going on at the end of the logs, after %s\n", span);
        } else {
            time_print_local(a->onset.end_us, st->tz, t);
            fprintf(f, "- Over at %s, after %s\n", t, span);
        }
        heading(f, "Impact");
        if (a->share) {
            why_impact_sentence(a, text, sizeof text);
            item(f, text);
        }
        why_level_sentence(a, text, sizeof text);
        item(f, text);
        for (uint32_t i = 0; i < a->n_audiences; i++) {
            why_audience_sentence(&a->audiences[i], a->identity, text, sizeof text);
            item(f, text);
        }
        if (a->sessions.stream != NULL) {
            why_sessions_sentence(&a->sessions, st->tz, text, sizeof text);
            item(f, text);
        }
        for (uint32_t i = 0; i < a->n_where; i++) {
            item(f, a->where[i].text);
        }
        timeline(f, a, st);
        suspects(f, a, st);
        measures(f);
    }
    heading(f, "What this rests on");
    fprintf(f, "- %llu lines, %.4g %% of them understood\n", (unsigned long long)a->lines,
            a->lines > 0 ? 100 * (double)a->parsed / (double)a->lines : 0);
    if (a->has_onset) {
        why_tested_sentence(a, text, sizeof text);
        item(f, text);
    }
    for (uint32_t i = 0; i < a->n_silent; i++) {
        why_silent_sentence(&a->silent[i], st->tz, text, sizeof text);
        item(f, text);
    }
    for (uint32_t i = 0; i < a->n_notices; i++) {
        item(f, a->notices[i]);
    }
}
