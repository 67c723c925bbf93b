/*
 * grok.c - %{NAME:field} in patterns (grok.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/grok.h"

static const struct {
    const char *name, *pattern;
} builtin[] = {
    {"WORD", "\\w+"},
    {"NOTSPACE", "\\S+"},
    {"SPACE", "\\s*"},
    {"DATA", ".*?"},
    {"GREEDYDATA", ".*"},
    {"REST", ".*"},
    {"INT", "-?\\d+"},
    {"POSINT", "\\d+"},
    {"NUMBER", "-?\\d+(?:\\.\\d+)?"},
    {"HEX", "[0-9a-fA-F]+"},
    {"UUID", "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"},
    {"IP", "[0-9a-fA-F:.]+"},
    {"HOST", "[\\w.-]+"},
    {"IPORHOST", "[\\w.:-]+"},
    {"USER", "[\\w.@+-]+"},
    {"PATH", "/[^ ]*"},
    {"QUOTED", "[^\"\\\\]*(?:\\\\.[^\"\\\\]*)*"},
    {"QS", "\"%{QUOTED}\""},
    {"JAVACLASS", "[\\w.$]+"},
    {"LEVEL", "(?:[Ii](?:NFO|nfo)|[Ww](?:ARN|arn)(?:ING|ing)?|[Ee](?:RROR|rror|RR|rr|MERG|merg)|[Dd](?:EBUG|ebug)|[Tt](?:RACE|race)|"
              "[Ff](?:ATAL|atal|INE[RST]*)|[Nn](?:OTICE|otice)|[Cc](?:RITICAL|ritical|RIT|rit|ONFIG)|[AP](?:LERT|ANIC)|[ap](?:lert|anic)|SEVERE)"},
    {"METHOD", "[A-Z]+"},
    {"STATUS", "\\d{3}"},
    {"TIME", "\\d{2}:\\d{2}:\\d{2}"},
    {"HTTPDATE", "\\d{2}/[A-Z][a-z]{2}/\\d{4}:\\d{2}:\\d{2}:\\d{2} [+-]\\d{4}"},
    {"ISO8601", "\\d{4}-\\d{2}-\\d{2}[ T]\\d{2}:\\d{2}:\\d{2}(?:[.,]\\d{1,9})?(?:Z| ?[+-]\\d{2}:?\\d{2})?"},
    {"SYSLOGTIME", "[A-Z][a-z]{2} [ \\d]\\d \\d{2}:\\d{2}:\\d{2}"},
};
enum { N_BUILTIN = sizeof builtin / sizeof builtin[0] };

struct grok {
    const struct grok_own *own;
    struct lq_buf *out;
    struct lq_error *e;
};

static const char *find(const struct grok *g, lq_str name)
{
    for (uint32_t i = 0; g->own != NULL && i < g->own->n; i++) {
        if (lq_str_is(name, g->own->name[i])) {
            return g->own->pattern[i];
        }
    }
    for (size_t i = 0; i < N_BUILTIN; i++) {
        if (lq_str_is(name, builtin[i].name)) {
            return builtin[i].pattern;
        }
    }
    return NULL;
}

static enum lq_err unknown_name(const struct grok *g, lq_str name)
{
    const char *names[N_BUILTIN + GROK_OWN_MAX];
    size_t n = 0;
    for (uint32_t i = 0; g->own != NULL && i < g->own->n; i++) {
        names[n++] = g->own->name[i];
    }
    for (size_t i = 0; i < N_BUILTIN; i++) {
        names[n++] = builtin[i].name;
    }
    const char *near = lq_nearest(name.p, name.n, names, n);
    lq_error_set(g->e, LQ_EINVAL, "unknown piece %%{%.*s}", (int)name.n, name.p);
    lq_error_hint(g->e, near != NULL ? "did you mean %%{%s}?" : "pieces of your own go under patterns:%s", near != NULL ? near : "");
    return LQ_EINVAL;
}

static enum lq_err expand(const struct grok *g, lq_str s, unsigned depth)
{
    if (depth > GROK_DEPTH_MAX || g->out->n > GROK_BYTES_MAX) {
        return lq_error_set(g->e, LQ_EINVAL, depth > GROK_DEPTH_MAX ? "pieces use each other without end" : "the expanded pattern is too long");
    }
    for (size_t i = 0; i < s.n;) {
        if (s.p[i] == '\\' && i + 1 < s.n) { /* \%{ is a literal % */
            lq_buf_add(g->out, s.p + i, 2);
            i += 2;
            continue;
        }
        if (s.p[i] != '%' || i + 1 == s.n || s.p[i + 1] != '{') {
            lq_buf_byte(g->out, (uint8_t)s.p[i++]);
            continue;
        }
        const char *from = s.p + i + 2, *close = memchr(from, '}', s.n - i - 2);
        if (close == NULL) {
            lq_error_set(g->e, LQ_EINVAL, "%%{ without }");
        }
        lq_str name = {from, close != NULL ? (size_t)(close - from) : 0}, field = {"", 0};
        const char *colon = name.n > 0 ? memchr(name.p, ':', name.n) : NULL;
        if (colon != NULL) {
            field = (lq_str){colon + 1, (size_t)(name.p + name.n - colon) - 1};
            name.n = (size_t)(colon - name.p);
        }
        const char *piece = close != NULL ? find(g, name) : NULL;
        enum lq_err err = close == NULL ? LQ_EINVAL : piece == NULL ? unknown_name(g, name) : LQ_OK;
        if (err == LQ_OK) {
            lq_buf_printf(g->out, colon != NULL ? "(?<%.*s>" : "(?:", (int)field.n, field.p);
            err = expand(g, lq_str_of(piece), depth + 1);
            lq_buf_byte(g->out, ')');
        }
        if (err != LQ_OK) {
            if (depth == 0 && g->e != NULL) {
                g->e->column = (uint32_t)i + 1;
                g->e->width = close != NULL ? (uint32_t)(close - s.p - (long)i) + 1 : 2;
            }
            return err;
        }
        i = (size_t)(close - s.p) + 1;
    }
    return LQ_OK;
}

enum lq_err grok_expand(lq_str pattern, const struct grok_own *own, struct lq_buf *out, struct lq_error *e)
{
    struct grok g = {own, out, e};
    return expand(&g, pattern, 0);
}
