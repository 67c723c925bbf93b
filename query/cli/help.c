/*
 * help.c - help and manual pages, from the tables of commands, flags and functions
 *
 *      lq --help, lq help [query|COMMAND]      plain text
 *      lq help man, lq help man-query          lq.1 and lq-query.7, made at build time
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "query/cli/cli.h"
#include "query/lang/lang.h"

static const char *const exits[] = {"0  done", "1  the answer is a plain no", "2  usage or query error, nothing done", "3  it failed (I/O, store, network)",
                                    "4  not enough data yet", NULL};

void help_commands(FILE *f)
{
    fputs("lq: what changed before the errors started?\n\n", f);
    for (const struct command *c = commands; c->name != NULL; c++) {
        fprintf(f, "  lq %s\n      %s\n", c->usage, c->help);
    }
    fputs("\nlq COMMAND --help shows the flags of a command; lq help query the query language.\n"
          "lq --server URL COMMAND … asks an lq web or lqd elsewhere (token in $LQ_TOKEN or a file named by $LQ_TOKEN_FILE).\n", f);
}

/* ---- roff ---- */

static void roff_text(FILE *f, const char *s)
{
    for (; *s != '\0'; s++) {
        if (*s == '\\') {
            fputs("\\e", f);
        } else if (*s == '-') {
            fputs("\\-", f);
        } else if (*s == '\'') {
            fputs("\\(aq", f);
        } else {
            fputc(*s, f);
        }
    }
}

static void roff_entry(FILE *f, const char *left, const char *right)
{
    fputs(".TP\n.B ", f);
    roff_text(f, left);
    fputc('\n', f);
    roff_text(f, right);
    fputc('\n', f);
}

static void man_lq(FILE *f)
{
    fputs(".TH LQ 1 \"\" \"lq " LQ_VERSION "\" \"User Commands\"\n.SH NAME\nlq \\- what changed before the errors started?\n"
          ".SH SYNOPSIS\n.B lq\n[\\-\\-data DIR] COMMAND ...\n.br\n.B lq\n\\(aqQUERY\\(aq [FILE ...]\n"
          ".SH DESCRIPTION\nlq reads web\\-server and application logs, keeps them as time\\-series buckets in a directory, answers queries, and says what changed before\n"
          "errors started. The query language is in\n.BR lq\\-query (7).\n.SH COMMANDS\n", f);
    for (const struct command *c = commands; c->name != NULL; c++) {
        char left[200];
        snprintf(left, sizeof left, "lq %s", c->usage);
        roff_entry(f, left, c->help);
    }
    fputs(".SH FLAGS\n", f);
    for (const struct flag *x = cli_flags; x->name != NULL; x++) {
        char left[100], used[400] = "";
        snprintf(left, sizeof left, "%s%s%s", x->name, x->value != NULL ? " " : "", x->value != NULL ? x->value : "");
        for (const struct command *c = commands; c->name != NULL; c++) {
            if ((c->flags & x->id) != 0) {
                snprintf(used + strlen(used), sizeof used - strlen(used), "%s%s", used[0] != '\0' ? ", " : "", c->name);
            }
        }
        roff_entry(f, left, x->help);
        fputs("(", f);
        roff_text(f, used);
        fputs(")\n", f);
    }
    roff_entry(f, "--server URL", "ask the lq web or lqd at this address instead of a store here; output and exit status are the same. Not for load, debug, format try and files");
    fputs(".SH EXIT STATUS\n", f);
    for (size_t i = 0; exits[i] != NULL; i++) {
        fprintf(f, ".br\n%s\n", exits[i]);
    }
    fputs(".SH ENVIRONMENT\n", f);
    roff_entry(f, "LQ_DATA", "the store, where --data is not given");
    roff_entry(f, "LQ_PAGER, PAGER", "the pager for long answers on a terminal; empty for none");
    roff_entry(f, "LQ_TOKEN, LQ_TOKEN_FILE", "the token for --server, or a file that holds it");
    roff_entry(f, "NO_COLOR", "no colour");
    fputs(".SH SEE ALSO\n.BR lq\\-query (7)\n", f);
}

static void man_query(FILE *f)
{
    fputs(".TH LQ\\-QUERY 7 \"\" \"lq " LQ_VERSION "\" \"Miscellaneous\"\n.SH NAME\nlq\\-query \\- the query language of lq\n", f);
    lang_help(f, true);
    fputs(".SH SEE ALSO\n.BR lq (1)\n", f);
}

int help_topic(const char *topic)
{
    if (topic == NULL) {
        help_commands(stdout);
        return EXIT_DONE;
    }
    if (strcmp(topic, "query") == 0) {
        lang_help(stdout, false);
        return EXIT_DONE;
    }
    if (strcmp(topic, "man") == 0 || strcmp(topic, "man-query") == 0) {
        (topic[3] == '\0' ? man_lq : man_query)(stdout);
        return EXIT_DONE;
    }
    const char *names[40];
    size_t n = 0;
    for (const struct command *c = commands; c->name != NULL; c++) {
        if (strcmp(c->name, topic) == 0) {
            cli_help(c, stdout);
            return EXIT_DONE;
        }
        names[n++] = c->name;
    }
    struct lq_error e;
    names[n++] = "query";
    const char *near = lq_nearest(topic, strlen(topic), names, n);
    lq_error_set(&e, LQ_EINVAL, "no help on \"%s\"", topic);
    lq_error_hint(&e, near != NULL ? "did you mean lq help %s?" : "topics: query, and the commands (lq help lists them)%s", near != NULL ? near : "");
    return cli_fail(&e);
}
