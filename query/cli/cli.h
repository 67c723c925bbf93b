/*
 * cli.h - the command line: tables of commands and flags, and what they share
 *
 * Adding a command = one file with its function and one row in the table of lq.c. --help and suggestions come from the tables.
 *
 * Exit status: 0 done, 1 a plain no, 2 usage or query error, 3 it failed, 4 not enough data yet.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_CLI_H
#define LQ_CLI_H

#include "schema/format.h"
#include "store/store.h"

enum { EXIT_DONE = 0, EXIT_NO = 1, EXIT_USAGE = 2, EXIT_FAILED = 3, EXIT_NOT_YET = 4, CLI_ARGS_MAX = 4096 };

enum flag_id {
    FLAG_DATA = 1 << 0, FLAG_FORMAT = 1 << 1, FLAG_SINCE = 1 << 2, FLAG_UNTIL = 1 << 3, FLAG_TZ = 1 << 4, FLAG_FORMAT_NAME = 1 << 5,
    FLAG_LABEL = 1 << 6, FLAG_LABEL_FROM = 1 << 7, FLAG_REFERENCE = 1 << 8, FLAG_ID = 1 << 9, FLAG_THREADS = 1 << 10, FLAG_TARGET = 1 << 11,
    FLAG_ONSET = 1 << 12, FLAG_LOOKBACK = 1 << 13, FLAG_TOP = 1 << 14, FLAG_EXPLAIN = 1 << 15, FLAG_NO_SYNC = 1 << 16, FLAG_FORMATS = 1 << 17,
    FLAG_LISTEN = 1 << 18, FLAG_TOKENS = 1 << 19, FLAG_TIMEOUT = 1 << 20, FLAG_COMPARE = 1 << 21,
    FLAG_MASK = 1 << 22, FLAG_MASK_KEY = 1 << 23,
    FLAG_AT = 1 << 25, FLAG_HOST = 1 << 26, FLAG_SERVICE = 1 << 27, FLAG_AFTER = 1 << 28,
};
enum { FLAGS_LOADING = FLAG_FORMAT_NAME | FLAG_LABEL | FLAG_LABEL_FROM | FLAG_TZ | FLAG_REFERENCE | FLAG_THREADS | FLAG_FORMATS | FLAG_MASK | FLAG_MASK_KEY };

struct query;
struct result;
struct cli {
    const char *data, *format, *since, *until, *tz_name, *format_name, *reference, *stdin_id, *target, *onset, *lookback, *formats_dir, *listen, *token_file, *compare, *after, *at, *host, *service, *mask_key;
    unsigned threads, top, mask; /* mask: enum mask_kind bits */
    bool explain, no_sync, color, mask_set;
    int64_t timeout_us;
    struct label_rules labels;
    struct timezone_rules *tz;
    const char *args[CLI_ARGS_MAX];
    size_t n_args;
    char **argv; /* of the process */
    uint32_t width; /* of the terminal, 0 = not one */
    char data_buf[4096];
};

struct command {
    const char *name, *usage, *help;
    unsigned flags; /* enum flag_id bits */
    int (*run)(struct cli *c);
};
extern const struct command commands[]; /* ends with name NULL */

/* Print the error as "lq: …"; gives the exit status for its code. */
int cli_fail(const struct lq_error *e);
/* Parse flags after the command's name into c; errors are printed. 0, or an exit status. -1: help was printed. */
int cli_parse(struct cli *c, const struct command *cmd, int argc, char **argv);
/* By --timeout, from now on: clock_monotonic_us, 0 = never. */
int64_t cli_deadline(const struct cli *c);
void cli_default_data(struct cli *c); /* where --data was not given */
void cli_help(const struct command *cmd, FILE *f);
LQ_MUST enum lq_err cli_formats(const struct cli *c, struct format_set **out, struct lq_error *e);
/* Load the arguments from `first` on into a temporary store (cmd_load.c). Files that could not be read are said, and *status set; the others are loaded. */
LQ_MUST enum lq_err cli_load_temporary(struct cli *c, size_t first, struct store **out, int *status, struct lq_error *e);
/* --mask and --mask-key, for a store that is opened for writing. */
LQ_MUST enum lq_err cli_mask(const struct cli *c, struct store *s, struct lq_error *e);
LQ_MUST enum lq_err cli_open(const struct cli *c, bool write, struct store **out, struct lq_error *e);
/* The wall clock while an lqd holds the store of --data, else (and of files) just after the newest event. */
struct snapshot;
int64_t cli_now(const struct cli *c, struct snapshot *s, bool files);
/* --since and --until against now; INT64_MIN / INT64_MAX when absent. */
LQ_MUST enum lq_err cli_range(const struct cli *c, int64_t now_us, int64_t *from_us, int64_t *to_us, struct lq_error *e);

/* Where a long answer goes: through a pager when standard output is a terminal, else standard output. Close it before the program ends. */
FILE *cli_pager_open(const struct cli *c);
void cli_pager_close(FILE *f);

/* help.c: from the tables of commands, flags, functions */
void help_commands(FILE *f);
int help_topic(const char *topic); /* an exit status */
/* complete.c: candidates for the last of the words, one a line */
int complete_words(int argc, char **argv);
/* cli.c: the table of flags, for help and completion */
struct flag {
    const char *name, *value, *help; /* value NULL: a switch */
    unsigned id;
};
extern const struct flag cli_flags[]; /* ends with name NULL */

/* Become the program `name` that lies beside this one or is installed in libexec; comes back only with an error, printed. */
int cli_start(const char *name, char **argv);

/* cmd_query.c: the query of the arguments, which is missing, wrong, or without quotes became several arguments. */
LQ_MUST enum lq_err cli_query(const struct cli *c, struct query **out, struct lq_error *e);
void cli_notices(const struct result *r); /* to standard error */

int cmd_query(struct cli *c);
int cmd_plan(struct cli *c);
int cmd_tail(struct cli *c);
int cmd_why(struct cli *c);
int cmd_mark(struct cli *c);
int cmd_markers(struct cli *c);
int cmd_load(struct cli *c);
int cmd_format(struct cli *c);
int cmd_streams(struct cli *c);
int cmd_fields(struct cli *c);
int cmd_values(struct cli *c);
int cmd_debug(struct cli *c);
int cmd_templates(struct cli *c);
int cmd_completion(struct cli *c);
int cmd_web(struct cli *c);
int cmd_backup(struct cli *c);

#endif
