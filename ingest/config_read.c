/*
 * config_read.c - lqd's YAML to a configuration (config.h)
 *
 * One table of keys for the whole, one for inputs: a row names the key, how it is read, where it goes and its limits.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "ingest/config_int.h"
#include "schema/mask.h"

#define HOUR_US (3600LL * SECOND_US)

static const char *const full_names[] = {"wait", "drop"};
static const char *const client_names[] = {"none", "optional", "required"};

enum key_type { KEY_TEXT, KEY_TEXTS, KEY_NUMBER32, KEY_BYTES, KEY_DURATION, KEY_BOOL, KEY_CHOICE, KEY_LABELS, KEY_OCTAL };
struct key {
    const char *name;
    enum key_type type;
    size_t at, at_count; /* where in the struct; the count of a list */
    uint64_t min, max;   /* of numbers; items of a list, names of a choice */
    const char *const *names;
    unsigned kinds;      /* inputs that know it, bits; 0 = all */
};

#define ON(k)   (1U << (k))
#define STREAMS (ON(INPUT_TCP) | ON(INPUT_SYSLOG_TCP) | ON(INPUT_SYSLOG_TLS) | ON(INPUT_RELP) | ON(INPUT_UNIX))
#define SOCKETS (STREAMS | ON(INPUT_SYSLOG_UDP) | ON(INPUT_UNIX_DGRAM))
#define TLS     (ON(INPUT_SYSLOG_TLS) | ON(INPUT_RELP) | ON(INPUT_TCP))
#define UNIX    (ON(INPUT_UNIX) | ON(INPUT_UNIX_DGRAM))
#define IN(f)   offsetof(struct input_config, f)
#define CF(f)   offsetof(struct config, f)

static const struct key input_keys[] = {
    {"type", KEY_CHOICE, IN(kind), 0, 0, INPUT_KINDS, config__kind_names, 0},
    {"name", KEY_TEXT, IN(name), 0, 0, 0, NULL, 0},
    {"listen", KEY_TEXTS, IN(listen), IN(n_listen), 1, LISTEN_MAX, NULL, SOCKETS},
    {"paths", KEY_TEXTS, IN(paths), IN(n_paths), 1, PATHS_MAX, NULL, ON(INPUT_TAIL)},
    {"format", KEY_TEXT, IN(format), 0, 0, 0, NULL, 0},
    {"tz", KEY_TEXT, IN(tz_name), 0, 0, 0, NULL, 0},
    {"labels", KEY_LABELS, IN(labels), 0, 0, 0, NULL, 0},
    {"label_from", KEY_TEXT, IN(labels.from_regex), 0, 0, 0, NULL, ON(INPUT_TAIL)},
    {"when_full", KEY_CHOICE, IN(when_full), 0, 0, 2, full_names, 0},
    {"line_bytes_max", KEY_BYTES, IN(line_bytes_max), 0, 128, LINE_BYTES_MAX, NULL, 0},
    {"connections_max", KEY_BYTES, IN(connections_max), 0, 1, 1000000, NULL, STREAMS},
    {"socket_buffer", KEY_BYTES, IN(socket_buffer), 0, 4096, 1 << 30, NULL, ON(INPUT_SYSLOG_UDP) | ON(INPUT_UNIX_DGRAM)},
    {"idle", KEY_DURATION, IN(idle_us), 0, SECOND_US, 30 * 24 * HOUR_US, NULL, STREAMS},
    {"poll", KEY_DURATION, IN(poll_us), 0, SECOND_US / 100, HOUR_US, NULL, ON(INPUT_TAIL)},
    {"from_end", KEY_BOOL, IN(from_end), 0, 0, 0, NULL, ON(INPUT_TAIL)},
    {"mode", KEY_OCTAL, IN(mode), 0, 0, 0777, NULL, UNIX},
    {"certificate", KEY_TEXT, IN(certificate), 0, 0, 0, NULL, TLS},
    {"key", KEY_TEXT, IN(key), 0, 0, 0, NULL, TLS},
    {"ca", KEY_TEXT, IN(ca), 0, 0, 0, NULL, TLS},
    {"client_certificate", KEY_CHOICE, IN(client), 0, 0, 3, client_names, TLS},
    {"allow", KEY_TEXTS, IN(allow), IN(n_allow), 1, ALLOW_MAX, NULL, TLS},
};
enum { INPUT_KEYS = sizeof input_keys / sizeof input_keys[0] };

static const struct key config_keys[] = {
    {"data", KEY_TEXT, CF(data), 0, 0, 0, NULL, 0},
    {"formats", KEY_TEXT, CF(formats_dir), 0, 0, 0, NULL, 0},
    {"mask", KEY_TEXT, CF(mask), 0, 0, 0, NULL, 0},
    {"mask_key", KEY_TEXT, CF(mask_key), 0, 0, 0, NULL, 0},
    {"user", KEY_TEXT, CF(user), 0, 0, 0, NULL, 0},
    {"group", KEY_TEXT, CF(group), 0, 0, 0, NULL, 0},
    {"tz", KEY_TEXT, CF(tz_name), 0, 0, 0, NULL, 0},
    {"threads", KEY_NUMBER32, CF(threads), 0, 1, LOOPS_MAX, NULL, 0},
    {"flush_every", KEY_DURATION, CF(flush_us), 0, SECOND_US / 20, 60LL * SECOND_US, NULL, 0},
    {"ack_every", KEY_DURATION, CF(ack_us), 0, SECOND_US / 100, 60LL * SECOND_US, NULL, 0},
    {"compact_every", KEY_DURATION, CF(compact_us), 0, SECOND_US, 24 * HOUR_US, NULL, 0},
    {"window_lines", KEY_BYTES, CF(window_lines), 0, 1000, 4000000, NULL, 0},
    {"buffers_max", KEY_BYTES, CF(buffer_bytes_max), 0, 1 << 20, 1ULL << 36, NULL, 0},
    {"disk_max", KEY_BYTES, CF(disk_bytes_max), 0, 16ULL << 20, 1ULL << 50, NULL, 0},
};
enum { CONFIG_KEYS = sizeof config_keys / sizeof config_keys[0] };

static const struct key http_keys[] = {
    {"listen", KEY_TEXT, CF(http), 0, 0, 0, NULL, 0},
    {"tokens", KEY_TEXT, CF(http_tokens), 0, 0, 0, NULL, 0},
    {"tls_cert", KEY_TEXT, CF(http_tls_cert), 0, 0, 0, NULL, 0},
    {"tls_key", KEY_TEXT, CF(http_tls_key), 0, 0, 0, NULL, 0},
    {"cors_origin", KEY_TEXT, CF(http_cors_origin), 0, 0, 0, NULL, 0},
    {"rate_max", KEY_NUMBER32, CF(http_rate_max), 0, 0, 1000000, NULL, 0},
    {"time_max", KEY_DURATION, CF(http_time_us), 0, SECOND_US / 100, HOUR_US, NULL, 0},
};
enum { HTTP_KEYS = sizeof http_keys / sizeof http_keys[0] };

struct reader {
    struct yaml_doc *doc;
    struct config *c;
    struct lq_error *e;
};

static const char *keep(struct reader *r, const char *s)
{
    return lq_arena_strdup(&r->c->mem, lq_str_of(s));
}

/* ---- one value ---- */

static enum lq_err read_texts(struct reader *r, const struct key *k, int node, void *base)
{
    const char **out = (const char **)((char *)base + k->at);
    uint32_t *count = (uint32_t *)((char *)base + k->at_count);
    bool list = yaml_doc_kind(r->doc, node) == YAML_LIST;
    size_t n = list ? yaml_doc_len(r->doc, node) : 1;
    if (n < k->min || n > k->max) {
        return yaml_doc_fail(r->doc, node, r->e, "%s takes from %llu to %llu texts", k->name, (unsigned long long)k->min, (unsigned long long)k->max);
    }
    for (size_t i = 0; i < n; i++) {
        const char *s;
        enum lq_err err = yaml_doc_text(r->doc, list ? yaml_doc_item(r->doc, node, i) : node, k->name, &s, r->e);
        if (err != LQ_OK) {
            return err;
        }
        out[i] = keep(r, s);
    }
    *count = (uint32_t)n;
    return LQ_OK;
}

static enum lq_err read_labels(struct reader *r, int node, struct label_rules *out)
{
    enum lq_err err = yaml_doc_want(r->doc, node, YAML_MAP, "labels", r->e);
    for (size_t i = 0; err == LQ_OK && i < yaml_doc_len(r->doc, node); i++) {
        char arg[NAME_BYTES_MAX + 160];
        const char *value;
        struct lq_error why = {0};
        err = yaml_doc_text(r->doc, yaml_doc_value(r->doc, node, i), "a label's value", &value, r->e);
        if (err == LQ_OK) {
            snprintf(arg, sizeof arg, "%s=%s", yaml_doc_key(r->doc, node, i), value);
            if (label_rules_add(out, arg, &why) != LQ_OK) {
                err = yaml_doc_fail(r->doc, yaml_doc_key_node(r->doc, node, i), r->e, "%s", why.msg);
            }
        }
    }
    return err;
}

static enum lq_err read_octal(struct reader *r, const struct key *k, int node, uint32_t *out)
{
    const char *s;
    char *end;
    enum lq_err err = yaml_doc_text(r->doc, node, k->name, &s, r->e);
    if (err == LQ_OK) {
        unsigned long v = strtoul(s, &end, 8);
        if (s[0] < '0' || s[0] > '7' || *end != '\0' || v > k->max) {
            return yaml_doc_fail(r->doc, node, r->e, "%s must be octal permissions like 0660, not \"%s\"", k->name, s);
        }
        *out = (uint32_t)v;
    }
    return err;
}

static enum lq_err read_value(struct reader *r, const struct key *k, int node, void *base)
{
    void *at = (char *)base + k->at;
    const char *s;
    uint64_t n = 0;
    size_t which = 0;
    enum lq_err err = LQ_OK;
    switch (k->type) {
    case KEY_TEXT:
        err = yaml_doc_text(r->doc, node, k->name, &s, r->e);
        if (err == LQ_OK) {
            *(const char **)at = keep(r, s);
        }
        break;
    case KEY_TEXTS: err = read_texts(r, k, node, base); break;
    case KEY_NUMBER32:
        err = yaml_doc_number(r->doc, node, k->name, k->min, k->max, &n, r->e);
        if (err == LQ_OK) {
            *(uint32_t *)at = (uint32_t)n;
        }
        break;
    case KEY_BYTES: err = yaml_doc_bytes(r->doc, node, k->name, k->min, k->max, at, r->e); break;
    case KEY_DURATION: err = yaml_doc_duration(r->doc, node, k->name, (int64_t)k->min, (int64_t)k->max, at, r->e); break;
    case KEY_BOOL: err = yaml_doc_bool(r->doc, node, k->name, at, r->e); break;
    case KEY_CHOICE:
        err = yaml_doc_choice(r->doc, node, k->name, k->names, k->max, &which, r->e);
        if (err == LQ_OK) {
            *(unsigned *)at = (unsigned)which;
        }
        break;
    case KEY_LABELS: err = read_labels(r, node, at); break;
    case KEY_OCTAL: err = read_octal(r, k, node, at); break;
    }
    return err;
}

static const struct key *find(const struct key *keys, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(keys[i].name, name) == 0) {
            return &keys[i];
        }
    }
    return NULL;
}

static enum lq_err unknown_key(struct reader *r, int node, const struct key *keys, size_t n, const char *what)
{
    const char *names[INPUT_KEYS + CONFIG_KEYS + 2];
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        names[count++] = keys[i].name;
    }
    if (keys == config_keys) {
        names[count++] = "inputs";
        names[count++] = "http";
    }
    return yaml_doc_unknown(r->doc, node, what, names, count, r->e);
}

/* ---- inputs ---- */

static bool is_unix(enum input_kind k)
{
    return k == INPUT_UNIX || k == INPUT_UNIX_DGRAM;
}

static enum lq_err check_input(struct reader *r, int node, struct input_config *in)
{
    struct yaml_doc *d = r->doc;
    const char *kind = config__kind_names[in->kind];
    char host[256], port[8];
    if (in->n_listen == 0 && config__default_listen(in->kind) != NULL) {
        in->listen[in->n_listen++] = config__default_listen(in->kind);
    }
    if (is_unix(in->kind) && in->n_listen == 0) {
        yaml_doc_fail(d, node, r->e, "%s needs listen: the path of its socket", kind);
        lq_error_hint(r->e, "like listen: /run/lqd/log.sock");
        return LQ_EINVAL;
    }
    if (in->kind == INPUT_TAIL && in->n_paths == 0) {
        yaml_doc_fail(d, node, r->e, "tail needs paths");
        lq_error_hint(r->e, "like paths: [/var/log/nginx/access.log, /srv/*/log/*.log]");
        return LQ_EINVAL;
    }
    for (uint32_t i = 0; i < in->n_listen; i++) {
        if (is_unix(in->kind) ? in->listen[i][0] != '/' || strlen(in->listen[i]) > 100 : !listen_split(in->listen[i], host, port)) {
            yaml_doc_fail(d, node, r->e, "listen: \"%s\" is no %s", in->listen[i], is_unix(in->kind) ? "absolute path of at most 100 bytes" : "address");
            lq_error_hint(r->e, is_unix(in->kind) ? "like /run/lqd/log.sock" : "like 127.0.0.1:5514, [::]:5514 or *:514");
            return LQ_EINVAL;
        }
    }
    for (uint32_t i = 0; i < in->n_paths; i++) {
        if (in->paths[i][0] != '/') {
            yaml_doc_fail(d, node, r->e, "paths: \"%s\" is not absolute", in->paths[i]);
            lq_error_hint(r->e, "lqd has no current directory that you could rely on");
            return LQ_EINVAL;
        }
    }
    bool tls = in->certificate != NULL || in->key != NULL;
    if ((in->kind == INPUT_SYSLOG_TLS || tls) && (in->certificate == NULL || in->key == NULL)) {
        return yaml_doc_fail(d, node, r->e, "%s with TLS needs certificate and key", kind);
    }
    if (in->client != CLIENT_NONE && in->ca == NULL) {
        return yaml_doc_fail(d, node, r->e, "client_certificate needs ca: the file of the authority that signs them");
    }
    if (in->n_allow > 0 && in->client != CLIENT_REQUIRED) {
        return yaml_doc_fail(d, node, r->e, "allow needs client_certificate: required");
    }
    return LQ_OK;
}

static enum lq_err read_input(struct reader *r, int node, struct input_config *in)
{
    struct yaml_doc *d = r->doc;
    bool typed = false;
    enum lq_err err = yaml_doc_want(d, node, YAML_MAP, "an input", r->e);
    for (size_t i = 0; err == LQ_OK && i < yaml_doc_len(d, node); i++) {
        if (strcmp(yaml_doc_key(d, node, i), "type") == 0) {
            err = read_value(r, &input_keys[0], yaml_doc_value(d, node, i), in);
            typed = true;
        }
    }
    if (err == LQ_OK && !typed) {
        yaml_doc_fail(d, node, r->e, "an input needs type");
        lq_error_hint(r->e, "one of tcp, syslog_tcp, syslog_udp, syslog_tls, relp, unix, unix_dgram, tail, stdin, http");
        err = LQ_EINVAL;
    }
    if (err == LQ_OK) {
        config__input_defaults(in);
    }
    for (size_t i = 0; err == LQ_OK && i < yaml_doc_len(d, node); i++) {
        int at = yaml_doc_key_node(d, node, i);
        const struct key *k = find(input_keys, INPUT_KEYS, yaml_doc_key(d, node, i));
        if (k == NULL) {
            err = unknown_key(r, at, input_keys, INPUT_KEYS, "key of an input");
        } else if (k->kinds != 0 && (k->kinds & ON(in->kind)) == 0) {
            err = yaml_doc_fail(d, at, r->e, "%s is no key of %s", k->name, config__kind_names[in->kind]);
        } else {
            err = read_value(r, k, yaml_doc_value(d, node, i), in);
        }
    }
    return err == LQ_OK ? check_input(r, node, in) : err;
}

static enum lq_err read_inputs(struct reader *r, int node)
{
    struct config *c = r->c;
    enum lq_err err = yaml_doc_want(r->doc, node, YAML_LIST, "inputs", r->e);
    for (size_t i = 0; err == LQ_OK && i < yaml_doc_len(r->doc, node); i++) {
        int item = yaml_doc_item(r->doc, node, i);
        if (c->n_inputs == INPUTS_MAX) {
            return yaml_doc_fail(r->doc, item, r->e, "more than %d inputs", INPUTS_MAX);
        }
        struct input_config *in = &c->inputs[c->n_inputs];
        err = read_input(r, item, in);
        if (err == LQ_OK) {
            config__name_input(c, in, c->n_inputs++);
            for (uint32_t k = 0; k + 1 < c->n_inputs && err == LQ_OK; k++) {
                if (strcmp(c->inputs[k].name, in->name) == 0) {
                    err = yaml_doc_fail(r->doc, item, r->e, "two inputs have the name %s", in->name);
                }
            }
        }
    }
    return err;
}

/* ---- the whole ---- */

/* http: ADDRESS, or a map with listen and what guards it. */
static enum lq_err read_http(struct reader *r, int node)
{
    struct yaml_doc *d = r->doc;
    char host[256], port[8];
    enum lq_err err = LQ_OK;
    if (yaml_doc_kind(d, node) != YAML_MAP) {
        err = read_value(r, &http_keys[0], node, r->c);
    }
    for (size_t i = 0; yaml_doc_kind(d, node) == YAML_MAP && i < yaml_doc_len(d, node) && err == LQ_OK; i++) {
        const struct key *k = find(http_keys, HTTP_KEYS, yaml_doc_key(d, node, i));
        err = k == NULL ? unknown_key(r, yaml_doc_key_node(d, node, i), http_keys, HTTP_KEYS, "key of http") : read_value(r, k, yaml_doc_value(d, node, i), r->c);
    }
    if (err == LQ_OK && (r->c->http == NULL || (strcmp(r->c->http, "off") != 0 && !listen_split(r->c->http, host, port)))) {
        err = yaml_doc_fail(d, node, r->e, "http: \"%s\" is no address", r->c->http != NULL ? r->c->http : "");
        lq_error_hint(r->e, "like 127.0.0.1:9514, or off");
    }
    return err;
}

static enum lq_err read_mask(struct reader *r, int node)
{
    struct lq_error why = {0};
    if (strcmp(r->c->mask, "none") == 0 || mask_parse(lq_str_of(r->c->mask), &r->c->mask_kinds, &why) == LQ_OK) {
        return LQ_OK;
    }
    yaml_doc_fail(r->doc, node, r->e, "%s", why.msg);
    lq_error_hint(r->e, "%s", why.hint);
    return LQ_EINVAL;
}

enum lq_err config__read(struct yaml_doc *d, struct config *c, struct lq_error *e)
{
    struct reader *r = &(struct reader){d, c, e};
    int root = yaml_doc_root(d);
    enum lq_err err = yaml_doc_kind(d, root) == YAML_EMPTY ? LQ_OK : yaml_doc_want(d, root, YAML_MAP, "the configuration", r->e);
    for (size_t i = 0; err == LQ_OK && i < yaml_doc_len(d, root); i++) {
        int value = yaml_doc_value(d, root, i);
        const struct key *k = find(config_keys, CONFIG_KEYS, yaml_doc_key(d, root, i));
        if (strcmp(yaml_doc_key(d, root, i), "inputs") == 0) {
            err = read_inputs(r, value);
        } else if (strcmp(yaml_doc_key(d, root, i), "http") == 0) {
            err = read_http(r, value);
        } else if (k == NULL) {
            err = unknown_key(r, yaml_doc_key_node(d, root, i), config_keys, CONFIG_KEYS, "key");
        } else if (err == LQ_OK) {
            err = read_value(r, k, value, r->c);
            if (err == LQ_OK && strcmp(k->name, "mask") == 0) {
                err = read_mask(r, value);
            }
        }
    }
    return err;
}
