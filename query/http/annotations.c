/*
 * annotations.c - things that happened, for the time axis of a panel (grafana_int.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "query/http/grafana_int.h"
#include "query/out/out.h"

enum { ANNOTATIONS_MAX = 1000 };

struct annotation {
    int64_t time_us, end_us; /* equal: a moment */
    lq_str title, text, tags;
};
struct annotations {
    struct annotation *a;
    size_t n, cap;
    struct lq_arena mem;
};

static void add(struct annotations *x, int64_t time_us, int64_t end_us, const char *title, const char *text, const char *tags)
{
    if (x->n < ANNOTATIONS_MAX) {
        lq_grow(&x->a, &x->cap, x->n + 1, sizeof *x->a);
        x->a[x->n++] = (struct annotation){time_us, end_us, lq_arena_str(&x->mem, lq_str_of(title)), lq_arena_str(&x->mem, lq_str_of(text)), lq_arena_str(&x->mem, lq_str_of(tags))};
    }
}

struct marked {
    struct annotations *x;
    bool releases; /* and rollbacks only */
};

static bool add_marker(void *ctx, const struct marker *m)
{
    struct marked *k = ctx;
    char title[400], tags[400];
    if (k->releases && !lq_str_is(m->kind, "release") && !lq_str_is(m->kind, "rollback")) {
        return true;
    }
    lq_str name = m->name.n > 0 ? m->name : m->service;
    snprintf(title, sizeof title, "%.*s %.*s", (int)m->kind.n, m->kind.p, (int)(name.n < 200 ? name.n : 200), name.p);
    snprintf(tags, sizeof tags, "%.*s%s%s%.*s", (int)m->kind.n, m->kind.p, m->inferred ? ",inferred" : "", m->host.n > 0 ? "," : "",
             (int)(m->host.n < 200 ? m->host.n : 200), m->host.p);
    char *text = lq_strdup(m->text);
    add(k->x, m->time_us, m->time_us, title, text, tags);
    free(text);
    return true;
}

/* Where each series changes, with how sure and how much; the 95 % interval of the time where it is longer than a step. */
static void add_change(const struct result *r, const struct result_series *s, const struct series_change *c, struct lq_buf *name, struct annotations *x)
{
    char title[300], text[200];
    ask_series_name(r, s, c->column, name);
    snprintf(title, sizeof title, "%s of %.*s", c->type, (int)(name->n < 250 ? name->n : 250), name->p);
    snprintf(text, sizeof text, "%.4g before, %.4g after; p %.2g", c->before, c->after, c->p);
    add(x, r->step_start_us[c->step], c->high > c->step ? r->step_start_us[c->high] : r->step_start_us[c->step], title, text, "change");
}

static enum lq_err add_changes(const struct ask *a, const struct http_request *r, lq_str text, int64_t from_us, int64_t to_us, struct annotations *x, struct lq_error *e)
{
    struct asked asked = {0};
    struct ask_query q = {.text = text, .from_us = from_us, .to_us = to_us, .change = true};
    struct lq_buf name = {0};
    enum lq_err err = ask_run(a, r, &q, &asked, e);
    if (err != LQ_OK) {
        return err;
    }
    for (uint32_t i = 0; i < asked.r.n_series; i++) {
        for (uint32_t k = 0; k < asked.r.series[i].n_changes; k++) {
            add_change(&asked.r, &asked.r.series[i], &asked.r.series[i].changes[k], &name, x);
        }
    }
    lq_buf_fini(&name);
    asked_fini(&asked);
    return LQ_OK;
}

static int by_time(const void *a, const void *b)
{
    const struct annotation *x = a, *y = b;
    return x->time_us != y->time_us ? (x->time_us < y->time_us ? -1 : 1) : lq_str_cmp(x->title, y->title);
}

static bool starts(lq_str text, const char *word)
{
    size_t n = strlen(word);
    return text.n >= n && memcmp(text.p, word, n) == 0;
}

bool grafana__is_annotation(lq_str text)
{
    return lq_str_is(text, "markers") || lq_str_is(text, "releases") || starts(text, "changes of ");
}

static enum lq_err collect(const struct ask *a, const struct http_request *r, lq_str what, int64_t from_us, int64_t to_us, struct annotations *x, struct lq_error *e)
{
    struct snapshot *s = NULL;
    if (starts(what, "changes of ")) {
        return add_changes(a, r, (lq_str){what.p + 11, what.n - 11}, from_us, to_us, x, e);
    }
    if (what.n > 0 && !grafana__is_annotation(what)) {
        lq_error_set(e, LQ_EINVAL, "unknown annotation query \"%.*s\"", (int)(what.n < 100 ? what.n : 100), what.p);
        lq_error_hint(e, "markers, releases, or: changes of QUERY");
        return LQ_EINVAL;
    }
    enum lq_err err = snapshot_open(a->store, &s, e);
    struct marked m = {x, lq_str_is(what, "releases")};
    if (err == LQ_OK) {
        err = snapshot_markers(s, from_us, to_us, add_marker, &m, e);
    }
    err = ask_close(&s, err, e);
    if (err == LQ_OK && x->n > 1) {
        qsort(x->a, x->n, sizeof *x->a, by_time);
    }
    return err;
}

static void fini(struct annotations *x)
{
    free(x->a);
    lq_arena_fini(&x->mem);
}

static void print_time(FILE *f, int64_t us)
{
    fprintf(f, "%lld", (long long)(us / 1000));
}

enum lq_err grafana__annotation_frame(const struct ask *a, const struct http_request *r, lq_str what, int64_t from_us, int64_t to_us, bool *first, FILE *f, struct lq_error *e)
{
    struct annotations x = {0};
    enum lq_err err = collect(a, r, what, from_us, to_us, &x, e);
    if (err == LQ_OK) {
        fputs(*first ? "\n" : ",\n", f);
        *first = false;
        fputs("{\"type\":\"table\",\"columns\":[{\"text\":\"time\",\"type\":\"time\"},{\"text\":\"timeEnd\",\"type\":\"time\"},{\"text\":\"title\",\"type\":\"string\"},"
              "{\"text\":\"text\",\"type\":\"string\"},{\"text\":\"tags\",\"type\":\"string\"}],\"rows\":[",
              f);
        for (size_t i = 0; i < x.n; i++) {
            fputs(i > 0 ? ",[" : "[", f);
            print_time(f, x.a[i].time_us);
            fputc(',', f);
            if (x.a[i].end_us > x.a[i].time_us) {
                print_time(f, x.a[i].end_us);
            } else {
                fputs("null", f);
            }
            fputc(',', f);
            json_string(f, x.a[i].title);
            fputc(',', f);
            json_string(f, x.a[i].text);
            fputc(',', f);
            json_string(f, x.a[i].tags);
            fputc(']', f);
        }
        fputs("]}", f);
    }
    fini(&x);
    return err;
}

enum lq_err grafana__annotation_list(const struct ask *a, const struct http_request *r, lq_str what, int64_t from_us, int64_t to_us, const char *echo, FILE *f, struct lq_error *e)
{
    struct annotations x = {0};
    enum lq_err err = collect(a, r, what, from_us, to_us, &x, e);
    if (err == LQ_OK) {
        fputc('[', f);
        for (size_t i = 0; i < x.n; i++) {
            fputs(i > 0 ? ",\n{" : "\n{", f);
            if (echo != NULL) {
                fprintf(f, "\"annotation\":%s,", echo);
            }
            fputs("\"time\":", f);
            print_time(f, x.a[i].time_us);
            if (x.a[i].end_us > x.a[i].time_us) {
                fputs(",\"timeEnd\":", f);
                print_time(f, x.a[i].end_us);
            }
            fputs(",\"title\":", f);
            json_string(f, x.a[i].title);
            fputs(",\"text\":", f);
            json_string(f, x.a[i].text);
            fputs(",\"tags\":", f);
            json_string(f, x.a[i].tags);
            fputc('}', f);
        }
        fputs("]\n", f);
    }
    fini(&x);
    return err;
}
