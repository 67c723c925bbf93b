/*
 * config.c - configurations of lqd: from a file, the default, standard input (config.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/config.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "ingest/config_int.h"

#define HOUR_US (3600LL * SECOND_US)

const char *const config__kind_names[INPUT_KINDS] = {"tcp", "syslog_tcp", "syslog_udp", "syslog_tls", "relp", "unix", "unix_dgram", "tail", "stdin", "http"};
const char *input_kind_name(enum input_kind k)
{
    return config__kind_names[k];
}

const char *config__default_listen(enum input_kind k)
{
    switch (k) {
    case INPUT_TCP: return "127.0.0.1:5170";
    case INPUT_SYSLOG_TCP:
    case INPUT_SYSLOG_UDP: return "127.0.0.1:5514";
    case INPUT_SYSLOG_TLS: return "127.0.0.1:6514";
    case INPUT_RELP: return "127.0.0.1:2514";
    default: return NULL;
    }
}

void config__input_defaults(struct input_config *in)
{
    in->line_bytes_max = 64 << 10;
    in->connections_max = in->kind == INPUT_SYSLOG_TLS ? 1000 : 10000;
    in->socket_buffer = 8 << 20;
    in->poll_us = SECOND_US;
    in->idle_us = in->kind == INPUT_RELP || in->kind == INPUT_UNIX ? 0 : HOUR_US;
    in->mode = 0660;
}

void config__name_input(struct config *c, struct input_config *in, uint32_t i)
{
    char name[64];
    if (in->name == NULL) {
        unsigned same = 0;
        for (uint32_t k = 0; k < i; k++) {
            same += c->inputs[k].kind == in->kind;
        }
        snprintf(name, sizeof name, same > 0 ? "%s_%u" : "%s", config__kind_names[in->kind], same + 1);
        in->name = lq_arena_strdup(&c->mem, lq_str_of(name));
    }
}

static struct config *new_config(void)
{
    struct config *c = lq_alloc(sizeof *c);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    c->threads = cores < 1 ? 1 : cores > LOOPS_MAX ? LOOPS_MAX : (uint32_t)cores;
    c->flush_us = SECOND_US;
    c->ack_us = SECOND_US / 10;
    c->compact_us = 60LL * SECOND_US;
    c->window_lines = 200000;
    c->http_rate_max = 200;
    c->buffer_bytes_max = 32 << 20;
    c->tz_name = "local";
    return c;
}

/* Where there is an HTTP server logs may be pushed: its input needs no mention, but may have one, for labels or a format. */
static enum lq_err add_http_input(struct config *c, struct lq_error *e)
{
    if (c->http == NULL || strcmp(c->http, "off") == 0) {
        return LQ_OK;
    }
    for (uint32_t i = 0; i < c->n_inputs; i++) {
        if (c->inputs[i].kind == INPUT_HTTP) {
            return LQ_OK;
        }
    }
    if (c->n_inputs == INPUTS_MAX) {
        return lq_error_set(e, LQ_EINVAL, "more than %d inputs, that of HTTP included", INPUTS_MAX);
    }
    struct input_config *in = &c->inputs[c->n_inputs];
    in->kind = INPUT_HTTP;
    config__input_defaults(in);
    config__name_input(c, in, c->n_inputs++);
    return LQ_OK;
}

static enum lq_err load_zones(struct config *c, struct lq_error *e)
{
    enum lq_err err = timezone_load(c->tz_name, &c->tz, e);
    for (uint32_t i = 0; i < c->n_inputs && err == LQ_OK; i++) {
        if (c->inputs[i].tz_name != NULL) {
            err = timezone_load(c->inputs[i].tz_name, &c->inputs[i].tz, e);
        }
    }
    return err;
}

/* What follows from what was said. */
static enum lq_err complete(struct config *c, struct lq_error *e)
{
    enum lq_err err = add_http_input(c, e);
    if (err == LQ_OK && c->n_inputs == 0) {
        lq_error_set(e, LQ_EINVAL, "no inputs: lqd would have nothing to do");
        lq_error_hint(e, "inputs: [{type: syslog_tcp, listen: 127.0.0.1:5514}]");
        err = LQ_EINVAL;
    }
    return err == LQ_OK ? load_zones(c, e) : err;
}

enum lq_err config_parse(const char *file, lq_str yaml, struct config **out, struct lq_error *e)
{
    struct config *c = new_config();
    struct yaml_doc *doc = NULL;
    c->file = lq_arena_strdup(&c->mem, lq_str_of(file));
    enum lq_err err = yaml_doc_parse(file, yaml, &doc, e);
    if (err == LQ_OK) {
        err = config__read(doc, c, e);
    }
    if (err == LQ_OK) {
        err = complete(c, e);
    }
    if (err != LQ_OK && e != NULL && e->file[0] == '\0') {
        lq_error_where(e, file, 0, 0, 0, "", 0);
    }
    yaml_doc_free(&doc);
    if (err != LQ_OK) {
        config_free(&c);
        return err;
    }
    *out = c;
    return LQ_OK;
}

enum lq_err config_load(const char *path, struct config **out, struct lq_error *e)
{
    FILE *f = fopen(path, "rb");
    struct lq_buf text = {0};
    if (f == NULL) {
        return lq_error_errno(e, errno, "open", path);
    }
    lq_buf_reserve(&text, YAML_BYTES_MAX + 1);
    text.n = fread(text.p, 1, YAML_BYTES_MAX + 1, f);
    bool bad = ferror(f) != 0;
    int code = errno;
    fclose(f);
    enum lq_err err = bad ? lq_error_errno(e, code, "read", path) : config_parse(path, (lq_str){text.p, text.n}, out, e);
    lq_buf_fini(&text);
    return err;
}

static enum lq_err of_kinds(const enum input_kind *kinds, size_t n, const char *http, struct config **out, struct lq_error *e)
{
    struct config *c = new_config();
    c->http = http;
    for (size_t i = 0; i < n; i++) {
        struct input_config *in = &c->inputs[c->n_inputs];
        in->kind = kinds[i];
        config__input_defaults(in);
        if (config__default_listen(in->kind) != NULL) {
            in->listen[in->n_listen++] = config__default_listen(in->kind);
        }
        config__name_input(c, in, c->n_inputs++);
    }
    enum lq_err err = complete(c, e);
    if (err != LQ_OK) {
        config_free(&c);
        return err;
    }
    *out = c;
    return LQ_OK;
}

enum lq_err config_default(struct config **out, struct lq_error *e)
{
    static const enum input_kind kinds[] = {INPUT_SYSLOG_UDP, INPUT_SYSLOG_TCP, INPUT_RELP, INPUT_TCP};
    return of_kinds(kinds, sizeof kinds / sizeof kinds[0], "127.0.0.1:9514", out, e);
}

enum lq_err config_stdin(struct config **out, struct lq_error *e)
{
    static const enum input_kind kinds[] = {INPUT_STDIN};
    return of_kinds(kinds, 1, "off", out, e);
}

void config_free(struct config **cp)
{
    struct config *c = *cp;
    if (c != NULL) {
        for (uint32_t i = 0; i < c->n_inputs; i++) {
            timezone_free(&c->inputs[i].tz);
        }
        timezone_free(&c->tz);
        lq_arena_fini(&c->mem);
        free(c);
        *cp = NULL;
    }
}

enum lq_err config_verify(const struct config *c, struct format_set *formats, struct lq_error *e)
{
    enum lq_err err = LQ_OK;
    for (uint32_t i = 0; i < c->n_inputs && err == LQ_OK; i++) {
        const struct input_config *in = &c->inputs[i];
        const struct format *f;
        const char *files[] = {in->certificate, in->key, in->ca};
        if (in->format != NULL) {
            err = format_set_find(formats, in->format, &f, e);
        }
        for (size_t k = 0; k < 3 && err == LQ_OK; k++) {
            if (files[k] != NULL && access(files[k], R_OK) != 0) {
                err = lq_error_errno(e, errno, "read", files[k]);
            }
        }
    }
    return err;
}

bool listen_split(const char *text, char host[256], char port[8])
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || strlen(colon + 1) == 0 || strlen(colon + 1) > 5) {
        return false;
    }
    for (const char *p = colon + 1; *p != '\0'; p++) {
        if (*p < '0' || *p > '9') {
            return false;
        }
    }
    size_t n = (size_t)(colon - text);
    const char *from = text;
    if (from[0] == '[' && n > 2 && from[n - 1] == ']') {
        from++;
        n -= 2;
    } else if (memchr(from, ':', n) != NULL) {
        return false;
    }
    if (n >= 256 || atoi(colon + 1) > 65535) {
        return false;
    }
    memcpy(host, from, n);
    host[n] = '\0';
    memcpy(port, colon + 1, strlen(colon + 1) + 1);
    return true;
}
