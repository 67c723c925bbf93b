/*
 * push.c - bodies of lines and of bulk requests, and what all shapes share (push.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdlib.h>

#include "ingest/push_int.h"
#include "schema/derive.h"

/* ---- labels ---- */

struct alias {
    const char *name, *others[10];
};
static const struct alias aliases[] = {
    {"host", {"host.name", "hostname", "node_name", "node", "nodename", "k8s.node.name", "instance", "computer"}},
    {"service", {"service.name", "service_name", "app", "application", "job", "app_kubernetes_io_name", "program"}},
    {"version", {"service.version", "service_version", "app_version", "release"}},
    {"level", {"detected_level", "severity", "log_level"}},
    {"env", {"environment", "deployment.environment", "deployment.environment.name", "deployment_environment"}},
};
enum { ALIASES = sizeof aliases / sizeof aliases[0] };

static const char *canonical(const char *name)
{
    for (size_t i = 0; i < ALIASES; i++) {
        for (size_t k = 0; k < 10 && aliases[i].others[k] != NULL; k++) {
            if (strcmp(aliases[i].others[k], name) == 0) {
                return aliases[i].name;
            }
        }
    }
    return name;
}

static bool is_builtin(const char *name)
{
    for (size_t i = 0; i < ALIASES; i++) {
        if (strcmp(aliases[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Room for a builtin one is made by forgetting the last of the others. */
static uint32_t slot_for(struct labels *l, const char *name, bool *lost)
{
    *lost = false;
    for (uint32_t i = 0; i < l->n; i++) {
        if (strcmp(l->l[i].name, name) == 0) {
            return i;
        }
    }
    if (l->n < PUSH_LABELS_MAX) {
        return l->n++;
    }
    *lost = true;
    for (uint32_t i = l->n; i > 0 && is_builtin(name); i--) {
        if (!is_builtin(l->l[i - 1].name)) {
            return i - 1;
        }
    }
    return UINT32_MAX;
}

bool push_label(struct labels *l, lq_str name, lq_str value)
{
    char clean[NAME_BYTES_MAX], scratch[sizeof l->l[0].value + 8];
    size_t n = 0;
    if (value.n == 0 || name.n == 0 || (name.n >= 2 && memcmp(name.p, "__", 2) == 0)) {
        return true; /* Loki's own are in __ */
    }
    if (name.n >= sizeof clean) {
        return false;
    }
    for (; n < name.n; n++) {
        char c = name.p[n];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9' && n > 0) || c == '_' || c == '.';
        clean[n] = fine ? c : '_';
    }
    clean[n] = '\0';
    const char *own = canonical(clean);
    bool lost;
    uint32_t i = strcmp(own, "error") == 0 ? UINT32_MAX : slot_for(l, own, &lost);
    if (i == UINT32_MAX) {
        return false;
    }
    bool by_other_name = own != clean && strcmp(l->l[i].name, own) == 0 && l->l[i].value[0] != '\0';
    if (by_other_name) {
        return true; /* the first of its names says it, unless the name itself comes */
    }
    lq_str v = derive_clean(value, scratch, sizeof l->l[0].value - 8);
    snprintf(l->l[i].name, sizeof l->l[i].name, "%s", own);
    snprintf(l->l[i].value, sizeof l->l[i].value, "%.*s", (int)v.n, v.p);
    return !lost;
}

/* ---- shared ---- */

bool push__fail(struct push_reader *r, enum lq_err code, const char *fmt, ...)
{
    char text[256];
    va_list args;
    if (r->err == LQ_OK) {
        va_start(args, fmt);
        vsnprintf(text, sizeof text, fmt, args);
        va_end(args);
        r->err = lq_error_set(r->e, code, "%s", text);
        lq_error_hint(r->e, "nothing of this body was stored");
    }
    return false;
}

uint32_t push__group(struct push_reader *r)
{
    struct push_body *b = r->out;
    if (b->n_groups == PUSH_GROUPS_MAX) {
        push__fail(r, LQ_ELIMIT, "more than %d sets of labels in one body", PUSH_GROUPS_MAX);
        return UINT32_MAX;
    }
    lq_grow(&b->groups, &b->cap_groups, b->n_groups + 1, sizeof *b->groups);
    b->groups[b->n_groups] = r->o->labels != NULL ? *r->o->labels : (struct labels){0};
    return (uint32_t)b->n_groups++;
}

bool push__line(struct push_reader *r, size_t at, uint32_t group)
{
    struct push_body *b = r->out;
    if (b->n_lines == PUSH_LINES_MAX) {
        return push__fail(r, LQ_ELIMIT, "more than %d lines in one body", PUSH_LINES_MAX);
    }
    lq_grow(&b->lines, &b->cap_lines, b->n_lines + 1, sizeof *b->lines);
    b->lines[b->n_lines++] = (struct push_line){at, (uint32_t)(b->text.n - at), group};
    return true;
}

void push__string(struct lq_buf *b, lq_str s)
{
    lq_buf_byte(b, '"');
    for (size_t i = 0, from = 0; i <= s.n; i++) {
        if (i == s.n || (unsigned char)s.p[i] < 0x20 || s.p[i] == '"' || s.p[i] == '\\') {
            lq_buf_add(b, s.p + from, i - from);
            if (i < s.n) {
                lq_buf_printf(b, s.p[i] == '\n' ? "\\n" : s.p[i] == '\t' ? "\\t" : s.p[i] == '"' || s.p[i] == '\\' ? "\\%c" : "\\u%04x", (unsigned char)s.p[i]);
            }
            from = i + 1;
        }
    }
    lq_buf_byte(b, '"');
}

lq_str push__cut(struct push_reader *r, lq_str s)
{
    if (s.n > r->o->line_bytes_max) {
        r->out->cut++;
        s.n = r->o->line_bytes_max;
        while (s.n > 0 && ((unsigned char)s.p[s.n] & 0xc0) == 0x80) {
            s.n--;
        }
    }
    return s;
}

lq_str push__part(lq_str *path)
{
    const char *dot = path->n > 0 ? memchr(path->p, '.', path->n) : NULL;
    lq_str part = {path->p, dot != NULL ? (size_t)(dot - path->p) : path->n};
    size_t used = part.n + (dot != NULL);
    *path = (lq_str){path->p + used, path->n - used};
    return part;
}

bool push__index(lq_str part, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < part.n; i++) {
        if (part.p[i] < '0' || part.p[i] > '9' || i >= 9) {
            return false;
        }
        *out = *out * 10 + (uint64_t)(part.p[i] - '0');
    }
    return part.n > 0;
}

bool push__nanoseconds(struct json_value v, lq_str *digits)
{
    enum { DIGITS_MAX = 19 }; /* up to the year 2286 */
    bool fine = (v.type == LQ_JSON_STRING || v.type == LQ_JSON_NUMBER) && v.text.n > 0 && v.text.n <= DIGITS_MAX;
    for (size_t i = 0; fine && i < v.text.n; i++) {
        fine = v.text.p[i] >= '0' && v.text.p[i] <= '9';
    }
    if (fine) {
        *digits = v.text;
    }
    return fine;
}

/* ---- lines ---- */

static lq_str next_line(lq_str *rest)
{
    const char *nl = memchr(rest->p, '\n', rest->n);
    lq_str line = {rest->p, nl != NULL ? (size_t)(nl - rest->p) : rest->n};
    size_t used = line.n + (nl != NULL);
    *rest = (lq_str){rest->p + used, rest->n - used};
    if (line.n > 0 && line.p[line.n - 1] == '\r') {
        line.n--;
    }
    return line;
}

static bool blank(lq_str s)
{
    size_t i = 0;
    while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t')) {
        i++;
    }
    return i == s.n;
}

static bool add_text(struct push_reader *r, lq_str line, uint32_t group)
{
    size_t at = r->out->text.n;
    lq_buf_add(&r->out->text, line.p, line.n);
    return push__line(r, at, group);
}

static bool is_object(lq_str line, struct json_paths *none, struct lq_buf *scratch, size_t *at)
{
    lq_buf_clear(scratch);
    return json_scan(none, line, NULL, scratch, at);
}

static enum lq_err read_lines(struct push_reader *r)
{
    struct json_paths *none = json_paths_new(NULL, 0);
    struct lq_buf scratch = {0};
    lq_str rest = r->body;
    uint32_t group = push__group(r);
    size_t at;
    for (uint64_t no = 1; rest.n > 0 && r->err == LQ_OK; no++) {
        lq_str line = next_line(&rest);
        if (blank(line)) {
            continue;
        }
        if (r->o->shape == PUSH_LINES) {
            line = push__cut(r, line);
        } else if (line.n > r->o->line_bytes_max) {
            push__fail(r, LQ_ELIMIT, "line %llu of the body has %zu bytes; at most %zu are taken", (unsigned long long)no, line.n, r->o->line_bytes_max);
        } else if (!is_object(line, none, &scratch, &at)) {
            push__fail(r, LQ_EINVAL, "line %llu of the body is no JSON object: byte %zu", (unsigned long long)no, at + 1);
        }
        if (r->err == LQ_OK) {
            (void)add_text(r, line, group);
        }
    }
    lq_buf_fini(&scratch);
    json_paths_free(&none);
    return r->err;
}

/* ---- bulk ---- */

struct action {
    int kind; /* -1: none of the four */
    bool other;
    lq_str index;
};

static bool see_action(void *ctx, lq_str path, struct json_value v)
{
    static const char *const names[] = {"create", "index", "update", "delete"};
    struct action *a = ctx;
    lq_str rest = path, verb = push__part(&rest);
    for (int i = 0; i < 4; i++) {
        if (lq_str_is(verb, names[i])) {
            a->kind = i;
            if (lq_str_is(rest, "_index") && v.type == LQ_JSON_STRING) {
                a->index = v.text;
            }
            return true;
        }
    }
    a->other = true;
    return true;
}

/* {"create":{}} has no scalar at all. */
static bool empty_action(lq_str line, struct action *a)
{
    static const char *const names[] = {"{\"create\":{}}", "{\"index\":{}}"};
    char bare[20];
    size_t n = 0;
    for (size_t i = 0; i < line.n; i++) {
        if (line.p[i] != ' ' && line.p[i] != '\t') {
            if (n + 1 == sizeof bare) {
                return false;
            }
            bare[n++] = line.p[i];
        }
    }
    for (int i = 0; i < 2; i++) {
        if (strlen(names[i]) == n && memcmp(names[i], bare, n) == 0) {
            a->kind = i;
            return true;
        }
    }
    return false;
}

/* "app-2026.03.02" and "app-000017" are the index app: dates and counters are no names. */
static lq_str index_name(lq_str s)
{
    size_t n = s.n;
    while (n > 0 && ((s.p[n - 1] >= '0' && s.p[n - 1] <= '9') || s.p[n - 1] == '.' || s.p[n - 1] == '-')) {
        n--;
    }
    return n > 0 && n < s.n && s.p[n] == '-' ? (lq_str){s.p, n} : s;
}

static uint32_t index_group(struct push_reader *r, lq_str index)
{
    struct labels l = r->o->labels != NULL ? *r->o->labels : (struct labels){0};
    bool fits = push_label(&l, LQ_STR("index"), index_name(index));
    lq_str own = labels_get(&l, "index");
    for (size_t i = r->out->n_groups; i > 0; i--) { /* mostly the last one */
        if (lq_str_eq(labels_get(&r->out->groups[i - 1], "index"), own)) {
            return (uint32_t)(i - 1);
        }
    }
    uint32_t g = push__group(r);
    if (g != UINT32_MAX) {
        r->out->labels_over += !fits;
        r->out->groups[g] = l;
    }
    return g;
}

static void add_item(struct push_reader *r, const struct action *a, enum push_item_state state, uint32_t group)
{
    struct push_body *b = r->out;
    lq_grow(&b->items, &b->cap_items, b->n_items + 1, sizeof *b->items);
    b->items[b->n_items++] = (struct push_item){(uint8_t)state, (uint8_t)a->kind, group};
}

static void document(struct push_reader *r, const struct action *a, lq_str doc, struct json_paths *none, struct lq_buf *scratch)
{
    size_t at;
    uint32_t group = index_group(r, a->index.n > 0 ? a->index : lq_str_of(r->o->index != NULL ? r->o->index : ""));
    if (group == UINT32_MAX) {
        return;
    }
    enum push_item_state state = a->kind >= 2 ? ITEM_BAD_ACTION : doc.n > r->o->line_bytes_max || !is_object(doc, none, scratch, &at) ? ITEM_BAD_DOCUMENT : ITEM_TAKEN;
    if (state != ITEM_TAKEN || add_text(r, doc, group)) {
        add_item(r, a, state, group);
    }
}

static enum lq_err read_bulk(struct push_reader *r)
{
    struct json_paths *none = json_paths_new(NULL, 0);
    struct lq_buf scratch = {0}, names = {0};
    lq_str rest = r->body;
    for (uint64_t no = 1; rest.n > 0 && r->err == LQ_OK; no++) {
        lq_str line = next_line(&rest), doc = {"", 0};
        struct action a = {.kind = -1};
        size_t at = 0;
        if (blank(line)) {
            continue;
        }
        lq_buf_clear(&names);
        bool fine = json_each(line, see_action, &a, &names, &at) && (a.kind >= 0 || (!a.other && empty_action(line, &a)));
        if (!fine || a.other) {
            push__fail(r, LQ_EINVAL, "line %llu of the body is no action of a bulk request: byte %zu", (unsigned long long)no, at + 1);
        } else if (a.kind != 3 && rest.n == 0) {
            push__fail(r, LQ_EINVAL, "line %llu of the body is an action without its document", (unsigned long long)no);
        } else {
            doc = a.kind != 3 ? next_line(&rest) : doc;
            no += a.kind != 3;
            document(r, &a, doc, none, &scratch);
        }
    }
    lq_buf_fini(&names);
    lq_buf_fini(&scratch);
    json_paths_free(&none);
    return r->err;
}

/* ---- the body ---- */

enum lq_err push_parse(lq_str body, const struct push_options *o, struct push_body *out, struct lq_error *e)
{
    struct push_reader r = {.o = o, .out = out, .body = body, .e = e};
    memset(out, 0, sizeof *out);
    switch (o->shape) {
    case PUSH_ELASTIC: return read_bulk(&r);
    case PUSH_LOKI: return push__loki(&r);
    case PUSH_OTLP: return push__otlp(&r);
    default: return read_lines(&r);
    }
}

void push_body_fini(struct push_body *b)
{
    lq_buf_fini(&b->text);
    free(b->lines);
    free(b->groups);
    free(b->items);
    memset(b, 0, sizeof *b);
}

size_t push_body_bytes(const struct push_body *b)
{
    return b->text.cap + b->cap_lines * sizeof *b->lines + b->cap_groups * sizeof *b->groups + b->cap_items * sizeof *b->items;
}
