/*
 * cmd_web.c - lq web: the HTTP side over a data directory, without a daemon
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "query/cli/cli.h"
#include "query/http/ask.h"
#include "query/http/server.h"

/* ADDRESS:PORT, [ADDRESS]:PORT or PORT. */
static enum lq_err parse_listen(const char *text, char address[64], uint16_t *port, struct lq_error *e)
{
    const char *colon = strrchr(text, ':'), *digits = colon != NULL ? colon + 1 : text;
    char *end;
    unsigned long v = strtoul(digits, &end, 10);
    size_t n = colon != NULL ? (size_t)(colon - text) : 0;
    if (digits[0] < '0' || digits[0] > '9' || *end != '\0' || v > 65535 || n >= 64) {
        lq_error_set(e, LQ_EINVAL, "\"%s\" is no address to listen on", text);
        lq_error_hint(e, "ADDRESS:PORT or PORT, for example 127.0.0.1:8088");
        return LQ_EINVAL;
    }
    if (n > 2 && text[0] == '[' && text[n - 1] == ']') {
        text++;
        n -= 2;
    }
    snprintf(address, 64, "%.*s", (int)n, text);
    *port = (uint16_t)v;
    return LQ_OK;
}

static unsigned time_ms(int64_t us)
{
    return us <= 0 ? 0 : us < 1000 ? 1 : us > 86400000000 ? 86400000 : (unsigned)(us / 1000);
}

static void say_where(void *ctx, uint16_t port)
{
    const char *const *names = ctx;
    fprintf(stderr, "lq: %s is served at http://%s:%u/ (end with Ctrl-C)\n", names[0], names[1], port);
}

int cmd_web(struct cli *c)
{
    struct lq_error e = {0};
    struct store *store = NULL;
    struct snapshot *snap = NULL;
    char address[64] = "";
    uint16_t port = 0;
    enum lq_err err = parse_listen(c->listen != NULL ? c->listen : "127.0.0.1:8088", address, &port, &e);
    if (err == LQ_OK) {
        err = cli_open(c, false, &store, &e);
    }
    if (err == LQ_OK) { /* say now what is wrong with the store, not at the first request */
        err = snapshot_open(store, &snap, &e);
        snapshot_close(&snap);
    }
    struct ask ask = {.store = store, .tz = c->tz};
    struct http_server_options o = {.address = address[0] != '\0' ? address : NULL, .port = port, .token_file = c->token_file, .time_ms = time_ms(c->timeout_us)};
    ask_tables(&ask, &o);
    if (err == LQ_OK) {
        const char *names[] = {store_dir(store), address[0] != '\0' ? address : "127.0.0.1"};
        err = http_server_run(&o, say_where, names, &e);
    }
    store_close(&store);
    return err == LQ_OK ? EXIT_DONE : cli_fail(&e);
}
