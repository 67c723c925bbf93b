/*
 * lq.c - the program: the table of commands, and which one was meant
 *
 * SPDX-License-Identifier: MIT
 */
#include <gnu/libc-version.h>
#include <malloc.h>
#include <stdlib.h>

#include "query/cli/cli.h"
#include "query/lang/lang.h"

#define READ_FLAGS (FLAG_DATA | FLAG_TZ)

const struct command commands[] = {
    {"why", "why [FILE… | -] [flags]", "What changed before the errors started? With files: answers from them alone, keeps nothing.",
     READ_FLAGS | FLAG_FORMAT | FLAG_SINCE | FLAG_UNTIL | FLAG_TARGET | FLAG_ONSET | FLAG_LOOKBACK | FLAG_TOP | FLAG_EXPLAIN | FLAG_TIMEOUT | FLAGS_LOADING, cmd_why},
    {"mark", "mark release|rollback|restart|config|note NAME [TEXT] [flags]", "Record what people did and no log says: lq mark release 2.4.1 --at \"2026-03-02 10:00\"",
     READ_FLAGS | FLAG_AT | FLAG_HOST | FLAG_SERVICE, cmd_mark},
    {"markers", "markers [FILE… | -] [flags]", "What was done: recorded markers, and restarts, releases and the like that the logs show.",
     READ_FLAGS | FLAG_FORMAT | FLAG_SINCE | FLAG_UNTIL | FLAGS_LOADING, cmd_markers},
    {"load", "load FILE… | - [flags]", "Load log files (.gz and .zst too) into the store; the same content counts once. While an lqd holds the store it does the load.",
     FLAG_DATA | FLAGS_LOADING | FLAG_ID | FLAG_NO_SYNC, cmd_load},
    {"query", "query 'QUERY' [FILE… | -] [flags]   (or just: lq 'QUERY')", "Ask the store, or files alone: lq 'status >= 500 | count by route every 5m | top 5'",
     READ_FLAGS | FLAG_FORMAT | FLAG_SINCE | FLAG_UNTIL | FLAG_TIMEOUT | FLAGS_LOADING, cmd_query},
    {"tail", "tail 'QUERY' [flags]", "The same live, while an lqd stores: a row for each step that is over (every 10s unless the query says), or `| lines` as they are stored. Ends with Ctrl-C.",
     READ_FLAGS | FLAG_FORMAT | FLAG_SINCE | FLAG_AFTER | FLAG_FORMATS, cmd_tail},
    {"plan", "plan 'QUERY' [FILE… | -] [flags]", "What a query would read, and why.", READ_FLAGS | FLAG_SINCE | FLAG_UNTIL | FLAGS_LOADING, cmd_plan},
    {"streams", "streams", "The streams of the store.", READ_FLAGS, cmd_streams},
    {"fields", "fields", "The fields of each stream; * marks those that distinct counts are kept by.", READ_FLAGS, cmd_fields},
    {"values", "values FIELD [REGEX]", "The values of a dimension, with count, first and last time seen.", READ_FLAGS, cmd_values},
    {"templates", "templates [REGEX] [--compare DURATION]", "The kinds of messages; with --compare what is new, gone, more, fewer.", READ_FLAGS | FLAG_COMPARE, cmd_templates},
    {"format", "format list | show NAME | try FILE | detect FILE… | bench [NAME]", "The known log formats; what a line becomes, or where it stops matching; what a line costs.",
     FLAG_FORMAT_NAME | FLAG_FORMATS | FLAG_TZ, cmd_format},
    {"web", "web", "Serve the store over HTTP on this machine: the page, Grafana's data sources, the API.", READ_FLAGS | FLAG_LISTEN | FLAG_TOKENS | FLAG_TIMEOUT, cmd_web},
    {"backup", "backup DIR", "A whole, compacted copy of the store in a new directory, made while others read and write.", FLAG_DATA, cmd_backup},
    {"debug", "debug digest | verify | stats | dump | changepoints FILE", "Look inside the store; change points of any series.", READ_FLAGS, cmd_debug},
    {"completion", "completion bash | zsh | fish", "Completion for a shell: source <(lq completion bash)", 0, cmd_completion},
    {NULL, NULL, NULL, 0, NULL},
};

/* Several words, an operator or a function: a query. One word that is no command is more likely a mistyped command. */
static bool looks_like_query(const char *s)
{
    for (const struct lang_function *f = lang_functions; f->name != NULL; f++) {
        if (strcmp(f->name, s) == 0) {
            return true;
        }
    }
    return strpbrk(s, " =<>~|(,:") != NULL;
}

static int unknown_command(const char *word)
{
    const char *names[40];
    size_t n = 0;
    struct lq_error e;
    for (const struct command *c = commands; c->name != NULL; c++) {
        names[n++] = c->name;
    }
    names[n++] = "help";
    if (word[0] == '\0') {
        lq_error_set(&e, LQ_EINVAL, "an empty query");
        lq_error_hint(&e, "for example: lq 'errors / count by host every 5m'; lq --help lists the commands");
        return cli_fail(&e);
    }
    const char *near = lq_nearest(word, strlen(word), names, n);
    lq_error_set(&e, LQ_EINVAL, "unknown command \"%s\"", word);
    if (near != NULL) {
        lq_error_hint(&e, "did you mean lq %s?", near);
    } else {
        lq_error_hint(&e, "lq --help lists the commands; lq 'line ~ \"%s\" | lines' searches example lines", word);
    }
    return cli_fail(&e);
}

static void version(void)
{
    printf("lq %s\nstore format %d, compiler %s, C library %s, %s, sanitizers %s\n", LQ_VERSION, STORE_FORMAT_VERSION, __VERSION__, gnu_get_libc_version(),
#ifdef __OPTIMIZE__
           "optimised",
#else
           "not optimised",
#endif
#ifdef __SANITIZE_ADDRESS__
           "on"
#else
           "off"
#endif
    );
}

/* --server URL anywhere: lq-remote sends the command line there (it needs libraries that would slow every other start). A bare query gets its command's name. */
static bool remote(int argc, char **argv, int *status)
{
    static char query[] = "query";
    bool is = false;
    int word = 0; /* the first that is no flag: a command or a query */
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        bool server = strcmp(argv[i], "--server") == 0;
        is = is || server || strncmp(argv[i], "--server=", 9) == 0;
        i += server;
        word = word == 0 && i < argc && argv[i][0] != '-' && !server ? i : word;
    }
    if (!is) {
        return false;
    }
    const struct command *c = commands;
    while (word > 0 && c->name != NULL && strcmp(c->name, argv[word]) != 0) {
        c++;
    }
    if (word > 0 && c->name == NULL && !looks_like_query(argv[word])) {
        *status = unknown_command(argv[word]);
        return true;
    }
    char **line = lq_alloc(((size_t)argc + 2) * sizeof *line);
    for (int i = 0, n = 0; i < argc; i++) {
        if (i == word && word > 0 && c->name == NULL) {
            line[n++] = query;
        }
        line[n++] = argv[i];
    }
    *status = cli_start("lq-remote", line);
    free(line);
    return true;
}

static int run(const struct command *cmd, struct cli *c, int argc, char **argv)
{
    int status = cli_parse(c, cmd, argc, argv);
    if (status == 0) {
        status = cmd->run(c);
    }
    timezone_free(&c->tz);
    return status < 0 ? EXIT_DONE : status;
}

int main(int argc, char **argv)
{
    int status = EXIT_USAGE, at = 1;
    if (remote(argc, argv, &status)) {
        return status;
    }
    mallopt(M_TRIM_THRESHOLD, 64 << 20); /* a scan frees and takes memory for each period: to give pages back between costs a third of a short query */
    mallopt(M_TOP_PAD, 1 << 20);
    struct cli *c = lq_alloc(sizeof *c);
    c->argv = argv;
    const struct command *cmd = commands;
    while (at + 1 < argc && strcmp(argv[at], "--data") == 0) { /* lq --data DIR COMMAND */
        c->data = argv[at + 1];
        at += 2;
    }
    const char *word = at < argc ? argv[at] : NULL;
    while (word != NULL && cmd->name != NULL && strcmp(cmd->name, word) != 0) {
        cmd++;
    }
    if (word == NULL) {
        help_commands(stderr);
    } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        status = help_topic(at + 1 < argc ? argv[at + 1] : NULL);
    } else if (strcmp(word, "__complete") == 0) {
        status = complete_words(argc - at - 1, argv + at + 1);
    } else if (strcmp(word, "--version") == 0) {
        version();
        status = EXIT_DONE;
    } else if (cmd->name != NULL) {
        status = run(cmd, c, argc - at - 1, argv + at + 1);
    } else if (looks_like_query(word) || (word[0] == '-' && word[1] != '\0')) { /* flags may come first */
        for (cmd = commands; strcmp(cmd->name, "query") != 0; cmd++) {
        }
        status = run(cmd, c, argc - at, argv + at);
    } else {
        status = unknown_command(word);
    }
    free(c);
    if (fflush(stdout) != 0 && status == EXIT_DONE) {
        status = EXIT_FAILED;
    }
    return status;
}
