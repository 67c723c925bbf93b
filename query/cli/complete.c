/*
 * complete.c - completion for bash, zsh and fish: small scripts that ask lq itself
 *
 *      lq completion bash|zsh|fish        the script
 *      lq __complete WORD…                candidates for the last word, one a line: commands, flags, formats; inside a query its functions,
 *                                         fields and, behind a comparison, the values of the store
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "query/cli/cli.h"
#include "query/lang/lang.h"
#include "query/out/out.h"
#include "store/reader.h"

static const char bash_script[] =
    "_lq() {\n"
    "  local cur=${COMP_WORDS[COMP_CWORD]} quote= line\n"
    "  case $cur in \\'*) quote=\\'; cur=${cur:1};; \\\"*) quote=\\\"; cur=${cur:1};; esac\n"
    "  COMPREPLY=()\n"
    "  while IFS= read -r line; do COMPREPLY+=(\"$line\"); done < <(lq __complete \"${COMP_WORDS[@]:1:COMP_CWORD-1}\" \"$cur\" 2>/dev/null)\n"
    "  [ ${#COMPREPLY[@]} -eq 0 ] && compopt -o default\n"
    "  [ -n \"$quote\" ] && compopt -o nospace\n"
    "}\n"
    "complete -F _lq lq\n";
static const char zsh_script[] =
    "#compdef lq\n"
    "_lq() {\n"
    "  local -a found\n"
    "  found=(\"${(@f)$(lq __complete \"${(@Q)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
    "  if [[ -n $found[1] ]]; then compadd -U -Q -- \"${found[@]}\"; else _files; fi\n"
    "}\n"
    "compdef _lq lq\n";
static const char fish_script[] =
    "function __lq_complete\n"
    "  set -l words (commandline -opc) (commandline -ct | string trim -c \"'\\\"\")\n"
    "  lq __complete $words[2..-1] 2>/dev/null\n"
    "end\n"
    "complete -c lq -a '(__lq_complete)'\n";

int cmd_completion(struct cli *c)
{
    static const struct {
        const char *shell, *script;
    } shells[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};
    for (size_t i = 0; i < 3 && c->n_args == 1; i++) {
        if (strcmp(c->args[0], shells[i].shell) == 0) {
            fputs(shells[i].script, stdout);
            return EXIT_DONE;
        }
    }
    struct lq_error e;
    if (c->n_args == 1) {
        lq_error_set(&e, LQ_EINVAL, "no completion for the shell \"%s\": there are bash, zsh and fish", c->args[0]);
    } else {
        lq_error_set(&e, LQ_EINVAL, "lq completion needs one shell: bash, zsh or fish");
    }
    lq_error_hint(&e, "for example: source <(lq completion bash)");
    return cli_fail(&e);
}

static void offer(const char *before, const char *part, const char *candidate, const char *after)
{
    if (strncmp(candidate, part, strlen(part)) == 0) {
        printf("%s%s%s\n", before, candidate, after);
    }
}

/* ---- inside a query ---- */

struct query_place {
    char before[QUERY_BYTES_MAX]; /* the text up to the word in work */
    const char *part;             /* the beginning of that word */
    char field[NAME_BYTES_MAX];   /* behind FIELD = : its values are wanted */
    bool stage, by;
};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

static void find_place(const char *text, struct query_place *p)
{
    size_t n = strlen(text), at = n;
    while (at > 0 && (is_word(text[at - 1]) || strchr("/{}-", text[at - 1]) != NULL)) {
        at--;
    }
    memset(p, 0, sizeof *p);
    snprintf(p->before, sizeof p->before, "%.*s", (int)at, text);
    p->part = text + at;
    size_t k = at;
    while (k > 0 && (text[k - 1] == ' ' || text[k - 1] == '"')) {
        k--;
    }
    size_t op = k;
    while (op > 0 && strchr("=!<>~", text[op - 1]) != NULL) {
        op--;
    }
    if (op < k) {
        while (op > 0 && text[op - 1] == ' ') {
            op--;
        }
        size_t end = op;
        while (op > 0 && is_word(text[op - 1])) {
            op--;
        }
        snprintf(p->field, sizeof p->field, "%.*s", (int)(end - op), text + op);
    }
    p->stage = k > 0 && text[k - 1] == '|';
    p->by = k >= 2 && (strncmp(text + k - 2, "by", 2) == 0 || text[k - 1] == ',');
}

static void offer_values(struct snapshot *s, const struct query_place *p)
{
    enum { OFFER_MAX = 200 };
    unsigned offered = 0;
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_schema *x = snapshot_stream(s, i)->schema;
        if (strcmp(p->field, "stream") == 0) {
            offer(p->before, p->part, x->name, "");
        }
        for (uint32_t d = 0; d < x->n_dims; d++) {
            for (uint32_t v = 2; strcmp(x->dims[d], p->field) == 0 && v < snapshot_values(s, i, d) && offered < OFFER_MAX; v++) {
                const struct value_info *info = snapshot_value(s, i, d, v);
                if (info->count > 0 && info->text.n > 0 && memchr(info->text.p, '\n', info->text.n) == NULL) {
                    char value[300];
                    snprintf(value, sizeof value, "%.*s", (int)info->text.n, info->text.p);
                    offer(p->before, p->part, value, "");
                    offered++;
                }
            }
        }
    }
}

static void offer_fields(struct snapshot *s, const struct query_place *p, bool measures)
{
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        const struct stream_schema *x = snapshot_stream(s, i)->schema;
        if (snapshot_stream(s, i)->lines == 0) {
            continue;
        }
        for (uint32_t d = 0; d < x->n_dims; d++) {
            offer(p->before, p->part, x->dims[d], "");
        }
        for (uint32_t k = 0; measures && k < x->n_measures; k++) {
            offer(p->before, p->part, x->measures[k].name, "");
        }
        for (uint32_t k = 0; k < x->n_identities; k++) {
            offer(p->before, p->part, x->identities[k], "");
        }
    }
}

static void complete_query(struct cli *c, const char *text)
{
    struct query_place p;
    struct lq_error e;
    struct store *store = NULL;
    struct snapshot *snap = NULL;
    find_place(text, &p);
    bool open = cli_open(c, false, &store, &e) == LQ_OK && snapshot_open(store, &snap, &e) == LQ_OK;
    size_t n = strlen(p.before);
    if (p.field[0] != '\0') {
        if (open) {
            offer_values(snap, &p);
        }
    } else {
        for (const struct lang_stage *s = lang_stages; p.stage && s->name != NULL; s++) {
            offer(p.before, p.part, s->name, "");
        }
        for (const struct lang_function *f = lang_functions; !p.by && f->name != NULL; f++) {
            offer(p.before, p.part, f->name, f->takes_field ? "(" : "");
        }
        for (size_t i = 0; i < 4 && n > 0 && !p.by && !p.stage; i++) {
            offer(p.before, p.part, ((const char *const[]){"by", "every", "and", "or"})[i], " ");
        }
        if (open && !(p.stage && n == 0)) {
            offer_fields(snap, &p, n > 0 && p.before[n - 1] == '(');
        }
    }
    snapshot_close(&snap);
    store_close(&store);
}

/* ---- on the command line ---- */

static void complete_fields(struct cli *c, const char *part)
{
    struct lq_error e;
    struct store *store = NULL;
    struct snapshot *snap = NULL;
    struct query_place p = {.part = part};
    if (cli_open(c, false, &store, &e) == LQ_OK && snapshot_open(store, &snap, &e) == LQ_OK) {
        offer_fields(snap, &p, false);
    }
    snapshot_close(&snap);
    store_close(&store);
}

int complete_words(int argc, char **argv)
{
    struct cli *c = lq_alloc(sizeof *c);
    const char *last = argc > 0 ? argv[argc - 1] : "", *before = argc > 1 ? argv[argc - 2] : "";
    const struct command *cmd = NULL;
    for (int i = 0; i + 1 < argc; i++) {
        for (const struct command *x = commands; cmd == NULL && x->name != NULL; x++) {
            cmd = strcmp(argv[i], x->name) == 0 ? x : NULL;
        }
        if (strcmp(argv[i], "--data") == 0) {
            c->data = argv[i + 1];
        }
    }
    cli_default_data(c);
    if (strcmp(before, "--format") == 0) {
        for (const struct out_format *f = out_formats; f->name != NULL; f++) {
            offer("", last, f->name, "");
        }
    } else if (last[0] == '-') {
        for (const struct flag *f = cli_flags; f->name != NULL; f++) {
            if (cmd == NULL ? (f->id & (FLAG_DATA | FLAG_FORMAT | FLAG_SINCE | FLAG_UNTIL | FLAG_TZ)) != 0 : (cmd->flags & f->id) != 0) {
                offer("", last, f->name, "");
            }
        }
    } else if (cmd == NULL && strpbrk(last, " =<>~|(,") == NULL) {
        for (const struct command *x = commands; x->name != NULL; x++) {
            offer("", last, x->name, "");
        }
        complete_query(c, last);
    } else if (cmd != NULL && strcmp(cmd->name, "values") == 0) {
        complete_fields(c, last);
    } else if (cmd == NULL || strcmp(cmd->name, "query") == 0 || strcmp(cmd->name, "plan") == 0 || strcmp(cmd->name, "tail") == 0) {
        complete_query(c, last);
    }
    free(c);
    return EXIT_DONE;
}
