/*
 * cli.c - flags, help, errors: what every command shares (cli.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/cli/cli.h"
#include "schema/mask.h"
#include "store/control.h"
#include "store/reader.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

const struct flag cli_flags[] = {
    {"--data", "DIR", "the store (else $LQ_DATA, $XDG_STATE_HOME/lq, ~/.local/state/lq)", FLAG_DATA},
    {"--format", "NAME", "output: table, chart, csv, json, ndjson (why: text, json, markdown, html)", FLAG_FORMAT},
    {"--since", "TIME", "from: 2026-03-02, \"2026-03-02 14:00\", yesterday, now-2h, 2h (= that long ago), epoch seconds", FLAG_SINCE},
    {"--until", "TIME", "to, exclusive", FLAG_UNTIL},
    {"--tz", "ZONE", "zone of times shown, and of stamps that carry none: Europe/Berlin, UTC, local, +02:00", FLAG_TZ},
    {"--format-name", "NAME", "the logs' format; else it is detected", FLAG_FORMAT_NAME},
    {"--label", "NAME=VALUE", "a label of the sources; VALUE may hold {dir}, {file}, {1}; repeat for more", FLAG_LABEL},
    {"--label-from", "REGEX", "groups for {1} … of --label, matched against the path", FLAG_LABEL_FROM},
    {"--reference-time", "TIME", "for stamps without a year: they are at most a day later than this", FLAG_REFERENCE},
    {"--formats", "DIR", "format files of your own, besides the shipped ones", FLAG_FORMATS},
    {"--mask", "KINDS", "keep out of the store: email, token, card, ip (with commas), all or none; remembered by the store", FLAG_MASK},
    {"--mask-key", "FILE", "the key of masked names: 32 hexadecimal digits (default: mask.key beside the data, made at first)", FLAG_MASK_KEY},
    {"--id", "NAME", "identity of standard input, so that the same content counts once", FLAG_ID},
    {"--threads", "N", "parsers (default: one per core)", FLAG_THREADS},
    {"--no-sync", NULL, "do not wait for the disk (benchmarks)", FLAG_NO_SYNC},
    {"--target", "QUERY", "what went wrong: a query of one column (default: errors)", FLAG_TARGET},
    {"--onset", "TIME", "when it began, if you know better", FLAG_ONSET},
    {"--lookback", "DURATION", "how far back to look for causes (default: everything)", FLAG_LOOKBACK},
    {"--top", "N", "suspects shown (default 5)", FLAG_TOP},
    {"--listen", "ADDRESS:PORT", "where to serve (default 127.0.0.1:8088; port 0: any free one)", FLAG_LISTEN},
    {"--tokens", "FILE", "who may ask: lines of TOKEN SCOPE[,SCOPE]; needed to serve other machines", FLAG_TOKENS},
    {"--at", "TIME", "when it happened (default: now)", FLAG_AT},
    {"--host", "NAME", "the host that it concerns (default: all)", FLAG_HOST},
    {"--service", "NAME", "the service that it concerns (default: all)", FLAG_SERVICE},
    {"--explain", NULL, "show the terms of each score", FLAG_EXPLAIN},
    {"--compare", "DURATION", "the last DURATION against the one before: what is new, gone, more, fewer", FLAG_COMPARE},
    {"--after", "CURSOR", "one look instead of going on: what is new since CURSOR (at first: new); the first line printed is the cursor of the next look", FLAG_AFTER},
    {"--timeout", "DURATION", "give up after that long (lq web: each request, default 60s)", FLAG_TIMEOUT},
    {NULL, NULL, NULL, 0},
};

int cli_fail(const struct lq_error *e)
{
    lq_error_print(stderr, "lq", e);
    return e->code == LQ_EINVAL || e->code == LQ_ELIMIT ? EXIT_USAGE : EXIT_FAILED;
}

void cli_help(const struct command *cmd, FILE *f)
{
    fprintf(f, "usage: lq %s\n\n%s\n", cmd->usage, cmd->help);
    if (cmd->flags != 0) {
        fputs("\nflags:\n", f);
    }
    for (size_t i = 0; cli_flags[i].name != NULL; i++) {
        if ((cmd->flags & cli_flags[i].id) != 0) {
            char left[64];
            snprintf(left, sizeof left, "%s %s", cli_flags[i].name, cli_flags[i].value != NULL ? cli_flags[i].value : "");
            fprintf(f, "  %-24s %s\n", left, cli_flags[i].help);
        }
    }
}

static enum lq_err set_number(const char *flag, const char *value, unsigned max, unsigned *out, struct lq_error *e)
{
    char *end;
    unsigned long v = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || v == 0 || v > max) {
        return lq_error_set(e, LQ_EINVAL, "%s needs a number from 1 to %u, not \"%s\"", flag, max, value);
    }
    *out = (unsigned)v;
    return LQ_OK;
}

static enum lq_err set_flag(struct cli *c, const struct flag *f, const char *value, struct lq_error *e)
{
    switch (f->id) {
    case FLAG_DATA: c->data = value; break;
    case FLAG_FORMAT: c->format = value; break;
    case FLAG_SINCE: c->since = value; break;
    case FLAG_UNTIL: c->until = value; break;
    case FLAG_TZ: c->tz_name = value; break;
    case FLAG_FORMAT_NAME: c->format_name = value; break;
    case FLAG_REFERENCE: c->reference = value; break;
    case FLAG_FORMATS: c->formats_dir = value; break;
    case FLAG_ID: c->stdin_id = value; break;
    case FLAG_TARGET: c->target = value; break;
    case FLAG_ONSET: c->onset = value; break;
    case FLAG_LOOKBACK: c->lookback = value; break;
    case FLAG_LISTEN: c->listen = value; break;
    case FLAG_TOKENS: c->token_file = value; break;
    case FLAG_COMPARE: c->compare = value; break;
    case FLAG_TIMEOUT: return duration_parse(lq_str_of(value), &c->timeout_us, e);
    case FLAG_AFTER: c->after = value; break;
    case FLAG_AT: c->at = value; break;
    case FLAG_HOST: c->host = value; break;
    case FLAG_SERVICE: c->service = value; break;
    case FLAG_EXPLAIN: c->explain = true; break;
    case FLAG_NO_SYNC: c->no_sync = true; break;
    case FLAG_TOP: return set_number(f->name, value, 100, &c->top, e);
    case FLAG_THREADS: return set_number(f->name, value, 60, &c->threads, e);
    case FLAG_MASK_KEY: c->mask_key = value; break;
    case FLAG_MASK: c->mask_set = true; return strcmp(value, "none") == 0 ? LQ_OK : mask_parse(lq_str_of(value), &c->mask, e);
    case FLAG_LABEL: return label_rules_add(&c->labels, value, e);
    default: return label_rules_from(&c->labels, value, e);
    }
    return LQ_OK;
}

static enum lq_err unknown_flag(const struct command *cmd, const char *arg, size_t n, struct lq_error *e)
{
    const char *names[40];
    size_t k = 0;
    for (size_t i = 0; cli_flags[i].name != NULL; i++) {
        if ((cmd->flags & cli_flags[i].id) != 0) {
            names[k++] = cli_flags[i].name;
        }
    }
    const char *near = lq_nearest(arg, n, names, k);
    lq_error_set(e, LQ_EINVAL, "lq %s has no flag %.*s", cmd->name, (int)n, arg);
    if (n == 8 && memcmp(arg, "--format", 8) == 0 && (cmd->flags & FLAG_FORMAT_NAME) != 0) {
        lq_error_hint(e, "the format of logs is --format-name");
    } else if (near != NULL) {
        lq_error_hint(e, "did you mean %s?", near);
    } else {
        lq_error_hint(e, "lq %s --help shows its flags", cmd->name);
    }
    return LQ_EINVAL;
}

static const struct flag *find_flag(const struct command *cmd, const char *arg, size_t n)
{
    for (size_t i = 0; cli_flags[i].name != NULL; i++) {
        if ((cmd->flags & cli_flags[i].id) != 0 && strlen(cli_flags[i].name) == n && memcmp(cli_flags[i].name, arg, n) == 0) {
            return &cli_flags[i];
        }
    }
    return NULL;
}

int64_t cli_deadline(const struct cli *c)
{
    return c->timeout_us > 0 ? clock_monotonic_us() + c->timeout_us : 0;
}

void cli_default_data(struct cli *c)
{
    if (c->data == NULL) {
        store_default_dir(c->data_buf, sizeof c->data_buf);
        c->data = c->data_buf;
    }
}

static enum lq_err parse_args(struct cli *c, const struct command *cmd, int argc, char **argv, bool *help, struct lq_error *e)
{
    bool only_args = false;
    for (int i = 0; i < argc; i++) {
        const char *a = argv[i];
        if (only_args || a[0] != '-' || a[1] == '\0') {
            if (c->n_args == CLI_ARGS_MAX) {
                return lq_error_set(e, LQ_EINVAL, "more than %d arguments", CLI_ARGS_MAX);
            }
            c->args[c->n_args++] = a;
            continue;
        }
        if (strcmp(a, "--") == 0) {
            only_args = true;
            continue;
        }
        if (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0) {
            *help = true;
            return LQ_OK;
        }
        const char *eq = strchr(a, '=');
        size_t n = eq != NULL ? (size_t)(eq - a) : strlen(a);
        const struct flag *f = find_flag(cmd, a, n);
        if (f == NULL) {
            return unknown_flag(cmd, a, n, e);
        }
        const char *value = eq != NULL ? eq + 1 : NULL;
        if (f->value != NULL && value == NULL) {
            if (++i == argc) {
                return lq_error_set(e, LQ_EINVAL, "%s needs a value (%s)", f->name, f->value);
            }
            value = argv[i];
        } else if (f->value == NULL && value != NULL) {
            return lq_error_set(e, LQ_EINVAL, "%s takes no value", f->name);
        }
        enum lq_err err = set_flag(c, f, value, e);
        if (err != LQ_OK) {
            return err;
        }
    }
    return LQ_OK;
}

int cli_parse(struct cli *c, const struct command *cmd, int argc, char **argv)
{
    struct lq_error e = {0};
    struct winsize ws;
    bool help = false;
    enum lq_err err = parse_args(c, cmd, argc, argv, &help, &e);
    if (err == LQ_OK && help) {
        cli_help(cmd, stdout);
        return -1;
    }
    if (err == LQ_OK) {
        err = timezone_load(c->tz_name != NULL ? c->tz_name : "local", &c->tz, &e);
    }
    if (err != LQ_OK) {
        return cli_fail(&e);
    }
    cli_default_data(c);
    const char *no_color = getenv("NO_COLOR");
    c->color = isatty(STDOUT_FILENO) != 0 && !(no_color != NULL && no_color[0] != '\0');
    const char *width = getenv("LQ_WIDTH"), *color = getenv("LQ_COLOR"); /* of the terminal on which an answer to --server will be shown */
    if (width != NULL && atoi(width) >= 40) {
        c->width = (uint32_t)atoi(width);
    }
    c->color = c->color || (color != NULL && strcmp(color, "1") == 0);
    if (isatty(STDOUT_FILENO) != 0) {
        c->width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col >= 40 ? ws.ws_col : 80;
    }
    return 0;
}

enum lq_err cli_mask(const struct cli *c, struct store *s, struct lq_error *e)
{
    if (c->mask_key != NULL && !c->mask_set) {
        lq_error_set(e, LQ_EINVAL, "--mask-key is of no use without --mask");
        lq_error_hint(e, "--mask all, or email, token, card, ip");
        return LQ_EINVAL;
    }
    return c->mask_set ? store_mask(s, c->mask, c->mask_key, e) : LQ_OK;
}

enum lq_err cli_formats(const struct cli *c, struct format_set **out, struct lq_error *e)
{
    const char *dirs[1] = {c->formats_dir};
    return format_set_load(dirs, c->formats_dir != NULL ? 1 : 0, out, e);
}

enum lq_err cli_open(const struct cli *c, bool write, struct store **out, struct lq_error *e)
{
    struct store_options o = {.write = write, .no_sync = c->no_sync};
    return store_open(c->data, &o, out, e);
}

int64_t cli_now(const struct cli *c, struct snapshot *s, bool files)
{
    int64_t newest = INT64_MIN;
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_info *x = snapshot_stream(s, i);
        newest = x->lines > 0 && x->high_water_us > newest ? x->high_water_us : newest;
    }
    return newest == INT64_MIN || (!files && control_is_served(c->data)) ? clock_now_us() : newest + 1;
}

enum lq_err cli_range(const struct cli *c, int64_t now_us, int64_t *from_us, int64_t *to_us, struct lq_error *e)
{
    *from_us = INT64_MIN;
    *to_us = INT64_MAX;
    enum lq_err err = LQ_OK;
    if (c->since != NULL) {
        err = time_arg_parse(lq_str_of(c->since), now_us, c->tz, from_us, e);
    }
    if (err == LQ_OK && c->until != NULL) {
        err = time_arg_parse(lq_str_of(c->until), now_us, c->tz, to_us, e);
    }
    if (err == LQ_OK && *from_us >= *to_us) {
        err = lq_error_set(e, LQ_EINVAL, "--since is not before --until");
    }
    return err;
}
