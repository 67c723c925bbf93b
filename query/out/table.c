/*
 * table.c - results for people: aligned columns that fit the terminal
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "query/out/out_int.h"
#include "schema/derive.h"

enum { LABEL_MIN = 12, LABEL_MAX_WIDTH = 80, MEASURED_ROWS = 100000, TIME_WIDTH = 19 };

struct table {
    const struct result *r;
    const struct out_options *o;
    FILE *f;
    struct lq_buf b;
    bool streams, timed;
    size_t stream, label[QUERY_BY_MAX], column[QUERY_OUT_MAX];
};

/* Widths from the contents; then labels give way, the widest first, until a row fits. */
static void measure(struct table *t)
{
    const struct result *r = t->r;
    size_t total = (t->timed ? TIME_WIDTH + 2 : 0);
    uint64_t rows = 0;
    char buf[32];
    t->stream = 6;
    for (uint32_t b = 0; b < r->n_by; b++) {
        t->label[b] = out__width(r->q->by[b]);
    }
    for (uint32_t c = 0; c < r->n_columns; c++) {
        size_t n = out__width(r->column_names[c]);
        t->column[c] = n > 8 ? n : 8;
    }
    for (uint32_t i = 0; i < r->n_series; i++) {
        const struct result_series *s = &r->series[i];
        t->stream = strlen(s->stream) > t->stream ? strlen(s->stream) : t->stream;
        for (uint32_t b = 0; b < r->n_by; b++) {
            size_t n = out__width(s->labels[b]);
            t->label[b] = n > t->label[b] ? (n < LABEL_MAX_WIDTH ? n : LABEL_MAX_WIDTH) : t->label[b];
        }
        for (uint32_t k = 0; k < s->n * r->n_columns && rows < MEASURED_ROWS; k++, rows++) {
            uint32_t c = k % r->n_columns;
            out__human(s->values[k], r->units[c], buf);
            size_t n = out__width(lq_str_of(buf));
            t->column[c] = n > t->column[c] ? n : t->column[c];
        }
    }
    for (uint32_t b = 0; b < r->n_by; b++) {
        total += t->label[b] + 2;
    }
    for (uint32_t c = 0; c < r->n_columns; c++) {
        total += t->column[c] + 2;
    }
    total += t->streams ? t->stream + 2 : 0;
    while (t->o->width > 0 && total > t->o->width + 2U) {
        uint32_t widest = UINT32_MAX;
        for (uint32_t b = 0; b < r->n_by; b++) {
            widest = t->label[b] > LABEL_MIN && (widest == UINT32_MAX || t->label[b] > t->label[widest]) ? b : widest;
        }
        if (widest == UINT32_MAX) {
            break;
        }
        t->label[widest]--;
        total--;
    }
}

static bool grow(uint16_t *settled, size_t *width)
{
    bool more = *width > *settled;
    *settled = (uint16_t)(more ? *width : *settled);
    *width = *settled;
    return more;
}

/* Of an answer in parts: are the columns wider than those of the parts before? Then a new header stands above them. */
static bool widen(struct table *t, struct out_part *part)
{
    uint16_t *w = part->width;
    t->streams = t->streams || w[0] > 0; /* once there were several, each row says its own */
    bool more = t->streams && grow(w, &t->stream);
    w++;
    for (uint32_t b = 0; b < t->r->n_by; b++) {
        more = grow(w++, &t->label[b]) || more;
    }
    for (uint32_t c = 0; c < t->r->n_columns; c++) {
        more = grow(w++, &t->column[c]) || more;
    }
    return more || !part->begun;
}

static void put_header(struct table *t)
{
    const struct result *r = t->r;
    const char *gap = "";
    lq_buf_str(&t->b, t->o->color ? "\033[1m" : "");
    if (t->timed) {
        lq_buf_printf(&t->b, "%-*s ", TIME_WIDTH, "time");
        gap = " ";
    }
    if (t->streams) {
        lq_buf_printf(&t->b, "%s%-*s", gap, (int)t->stream, "stream");
        gap = "  ";
    }
    for (uint32_t b = 0; b < r->n_by; b++, gap = "  ") {
        lq_buf_str(&t->b, gap);
        out__fit(&t->b, r->q->by[b], t->label[b], false);
    }
    for (uint32_t c = 0; c < r->n_columns; c++, gap = "  ") {
        lq_buf_str(&t->b, gap);
        out__fit(&t->b, r->column_names[c], t->column[c], true);
    }
    lq_buf_str(&t->b, t->o->color ? "\033[0m\n" : "\n");
}

static void put_row(struct table *t, const struct result_series *s, uint32_t step, const double *v)
{
    const struct result *r = t->r;
    const char *gap = "";
    char buf[32];
    if (t->timed) {
        bool partial = (step == 0 && r->partial_first) || (step + 1 == r->steps && r->partial_last);
        time_print_local(r->step_start_us[step], t->o->tz, buf);
        lq_buf_printf(&t->b, "%s%s", buf, partial ? "~" : " ");
        gap = " ";
    }
    if (t->streams) {
        lq_buf_printf(&t->b, "%s%-*s", gap, (int)t->stream, s->stream);
        gap = "  ";
    }
    for (uint32_t b = 0; b < r->n_by; b++, gap = "  ") {
        lq_buf_str(&t->b, gap);
        out__fit(&t->b, s->labels[b].n > 0 ? s->labels[b] : LQ_STR("-"), t->label[b], false);
    }
    for (uint32_t c = 0; c < r->n_columns; c++, gap = "  ") {
        out__human(v[c], r->units[c], buf);
        size_t n = out__width(lq_str_of(buf));
        lq_buf_printf(&t->b, "%s%*s%s", gap, n < t->column[c] ? (int)(t->column[c] - n) : 0, "", buf);
    }
    lq_buf_byte(&t->b, '\n');
    out__flush(&t->b, t->f, false);
}

/* Step after step, the series of each together. */
static void put_steps(struct table *t)
{
    const struct result *r = t->r;
    uint32_t *at = lq_alloc(((size_t)r->n_series + 1) * sizeof *at);
    for (uint32_t k = 0; k < r->steps; k++) {
        for (uint32_t i = 0; i < r->n_series; i++) {
            const struct result_series *s = &r->series[i];
            if (at[i] < s->n && s->step[at[i]] == k) {
                put_row(t, s, k, s->values + (size_t)at[i]++ * r->n_columns);
            }
        }
    }
    free(at);
}

static void put_changes(struct table *t)
{
    const struct result *r = t->r;
    char time[32], low[32], high[32], before[32], after[32];
    bool any = false;
    for (uint32_t i = 0; i < r->n_series; i++) {
        const struct result_series *s = &r->series[i];
        for (uint32_t k = 0; k < s->n_changes; k++) {
            const struct series_change *c = &s->changes[k];
            struct lq_buf name = {0};
            out__series_name(r, s, t->streams, &name);
            time_print_local(r->step_start_us[c->step], t->o->tz, time);
            time_print_local(r->step_start_us[c->low], t->o->tz, low);
            time_print_local(r->step_start_us[c->high], t->o->tz, high);
            out__human(c->before, r->units[c->column], before);
            out__human(c->after, r->units[c->column], after);
            if (!any) {
                lq_buf_printf(&t->b, "%-19s  %-13s %-40s %s\n", "time", "type", "series", "what (95 % interval; chance of it in a steady series)");
            }
            any = true;
            lq_buf_printf(&t->b, "%s  %-13s ", time, c->type);
            out__fit(&t->b, (lq_str){name.p, name.n}, 40, false);
            lq_buf_printf(&t->b, " %.*s %s -> %s (%.16s to %.16s", (int)r->column_names[c->column].n, r->column_names[c->column].p, before, after, low, high);
            if (c->p >= 0) { /* not a number where the segments are too short for a test of their own */
                lq_buf_printf(&t->b, c->p <= 1e-6 ? "; p <= %.1g" : "; p %.1g", c->p);
            }
            lq_buf_str(&t->b, ")\n");
            lq_buf_fini(&name);
        }
    }
    if (!any) {
        lq_buf_printf(&t->b, "no change in %u series of %u steps\n", r->n_series, r->steps);
    }
}

static void put_lines(struct table *t)
{
    for (size_t i = 0; i < t->r->n_lines; i++) {
        const struct result_line *l = &t->r->lines[i];
        lq_str host = {"", 0};
        for (uint32_t k = 0; k < l->n_labels; k++) {
            host = lq_str_is(l->names[k], "host") ? l->values[k] : host;
        }
        if (host.n > 0) {
            lq_buf_printf(&t->b, "%.*s: ", (int)host.n, host.p);
        }
        char scratch[4096];
        lq_str text = derive_clean(l->text, scratch, sizeof scratch - 8);
        lq_buf_add(&t->b, text.p, text.n);
        lq_buf_byte(&t->b, '\n');
    }
}

void out__table(const struct result *r, const struct out_options *o, FILE *f)
{
    struct table t = {.r = r, .o = o, .f = f, .streams = out__many_streams(r), .timed = r->step_us > 0};
    if (r->q->lines > 0) {
        put_lines(&t);
    } else if (r->q->change) {
        put_changes(&t);
    } else {
        measure(&t);
        if (o->part == NULL || widen(&t, o->part)) {
            put_header(&t);
        }
        put_steps(&t);
    }
    out__flush(&t.b, f, true);
    lq_buf_fini(&t.b);
}
