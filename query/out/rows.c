/*
 * rows.c - csv and ndjson: one row per series and step
 *
 * A series' constant part of the row is made once, and a day's part of the time: millions of rows are copies and digits.
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/out/out_int.h"

enum { TIME_BYTES = 32, TIME_SHOWN = 20 /* 2026-03-02T10:00:00Z */ };

struct rows {
    const struct result *r;
    FILE *f;
    struct lq_buf b, fixed;
    char time[TIME_BYTES]; /* of the last row */
    int64_t day;
};

static void rows_init(struct rows *x, const struct result *r, FILE *f)
{
    *x = (struct rows){.r = r, .f = f, .day = INT64_MIN};
    lq_buf_reserve(&x->b, FLUSH_BYTES + 4096);
}

static void rows_fini(struct rows *x)
{
    out__flush(&x->b, x->f, true);
    lq_buf_fini(&x->b);
    lq_buf_fini(&x->fixed);
}

/* The start of a step; within a day only the digits of the clock change. */
static const char *time_of(struct rows *x, uint32_t step)
{
    int64_t s = x->r->step_start_us[step] / 1000000, day = s / 86400;
    if (s < 0 || day != x->day) {
        time_print_utc(x->r->step_start_us[step], x->time);
        x->day = day;
        return x->time;
    }
    uint32_t of_day = (uint32_t)(s - day * 86400), part[3] = {of_day / 3600, of_day / 60 % 60, of_day % 60};
    for (unsigned i = 0; i < 3; i++) {
        x->time[11 + 3 * i] = (char)('0' + part[i] / 10);
        x->time[12 + 3 * i] = (char)('0' + part[i] % 10);
    }
    return x->time;
}

static void put_time(struct rows *x, uint32_t step)
{
    lq_buf_add(&x->b, time_of(x, step), TIME_SHOWN);
}

/* ---- ndjson ---- */

/* "stream":"…","route":"…" */
static void json_fixed(const struct result *r, const struct result_series *s, struct lq_buf *b)
{
    b->n = 0;
    lq_buf_str(b, "\"stream\":");
    out__json_string(b, lq_str_of(s->stream));
    for (uint32_t i = 0; i < r->n_by; i++) {
        lq_buf_byte(b, ',');
        out__json_string(b, r->q->by[i]);
        lq_buf_byte(b, ':');
        out__json_string(b, s->labels[i]);
    }
}

/* ,"count": for each column */
static void json_keys(const struct result *r, struct lq_buf keys[QUERY_OUT_MAX])
{
    for (uint32_t c = 0; c < r->n_columns; c++) {
        lq_buf_byte(&keys[c], ',');
        out__json_string(&keys[c], r->column_names[c]);
        lq_buf_byte(&keys[c], ':');
    }
}

static void ndjson_steps(const struct result *r, FILE *f)
{
    struct rows x;
    struct lq_buf keys[QUERY_OUT_MAX] = {0};
    rows_init(&x, r, f);
    json_keys(r, keys);
    for (uint32_t i = 0; i < r->n_series; i++) {
        const struct result_series *s = &r->series[i];
        json_fixed(r, s, &x.fixed);
        for (uint32_t k = 0; k < s->n; k++) {
            const double *v = s->values + (size_t)k * r->n_columns;
            lq_buf_byte(&x.b, '{');
            if (r->step_us > 0) {
                lq_buf_add(&x.b, "\"time\":\"", 8);
                put_time(&x, s->step[k]);
                lq_buf_add(&x.b, "\",", 2);
            }
            lq_buf_add(&x.b, x.fixed.p, x.fixed.n);
            for (uint32_t c = 0; c < r->n_columns; c++) {
                lq_buf_add(&x.b, keys[c].p, keys[c].n);
                out__json_number(&x.b, v[c]);
            }
            lq_buf_add(&x.b, "}\n", 2);
            out__flush(&x.b, f, false);
        }
    }
    for (uint32_t c = 0; c < r->n_columns; c++) {
        lq_buf_fini(&keys[c]);
    }
    rows_fini(&x);
}

static void ndjson_changes(const struct result *r, FILE *f)
{
    struct rows x;
    rows_init(&x, r, f);
    for (uint32_t i = 0; i < r->n_series; i++) {
        const struct result_series *s = &r->series[i];
        json_fixed(r, s, &x.fixed);
        for (uint32_t k = 0; k < s->n_changes; k++) {
            const struct series_change *c = &s->changes[k];
            lq_buf_str(&x.b, "{\"time\":\"");
            put_time(&x, c->step);
            lq_buf_str(&x.b, "\",\"low\":\"");
            put_time(&x, c->low);
            lq_buf_str(&x.b, "\",\"high\":\"");
            put_time(&x, c->high);
            lq_buf_str(&x.b, "\",");
            lq_buf_add(&x.b, x.fixed.p, x.fixed.n);
            lq_buf_str(&x.b, ",\"column\":");
            out__json_string(&x.b, r->column_names[c->column]);
            lq_buf_printf(&x.b, ",\"type\":\"%s\",\"before\":", c->type);
            out__json_number(&x.b, c->before);
            lq_buf_str(&x.b, ",\"after\":");
            out__json_number(&x.b, c->after);
            lq_buf_str(&x.b, ",\"p\":");
            out__json_number(&x.b, c->p);
            lq_buf_str(&x.b, "}\n");
        }
    }
    rows_fini(&x);
}

static void ndjson_lines(const struct result *r, FILE *f)
{
    struct lq_buf b = {0};
    char time[TIME_BYTES];
    for (size_t i = 0; i < r->n_lines; i++) {
        const struct result_line *l = &r->lines[i];
        time_print_utc(l->time_us, time);
        lq_buf_printf(&b, "{\"time\":\"%s\",\"stream\":", time);
        out__json_string(&b, lq_str_of(l->stream));
        lq_buf_str(&b, ",\"labels\":{");
        for (uint32_t k = 0; k < l->n_labels; k++) {
            lq_buf_str(&b, k > 0 ? "," : "");
            out__json_string(&b, l->names[k]);
            lq_buf_byte(&b, ':');
            out__json_string(&b, l->values[k]);
        }
        lq_buf_str(&b, "},\"text\":");
        out__json_string(&b, l->text);
        lq_buf_str(&b, "}\n");
    }
    out__flush(&b, f, true);
    lq_buf_fini(&b);
}

void out__ndjson(const struct result *r, const struct out_options *o, FILE *f)
{
    (void)o;
    if (r->q->lines > 0) {
        ndjson_lines(r, f);
    } else if (r->q->change) {
        ndjson_changes(r, f);
    } else {
        ndjson_steps(r, f);
    }
}

/* ---- csv ---- */

static void csv_text(struct lq_buf *b, lq_str s)
{
    bool quote = false;
    for (size_t i = 0; i < s.n; i++) {
        quote = quote || s.p[i] == ',' || s.p[i] == '"' || s.p[i] == '\n' || s.p[i] == '\r';
    }
    if (!quote) {
        lq_buf_add(b, s.p, s.n);
        return;
    }
    lq_buf_byte(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"') {
            lq_buf_byte(b, '"');
        }
        lq_buf_byte(b, (uint8_t)s.p[i]);
    }
    lq_buf_byte(b, '"');
}

static void csv_fixed(const struct result *r, const struct result_series *s, struct lq_buf *b)
{
    b->n = 0;
    lq_buf_str(b, s->stream);
    for (uint32_t i = 0; i < r->n_by; i++) {
        lq_buf_byte(b, ',');
        csv_text(b, s->labels[i]);
    }
}

static void csv_header(const struct result *r, const char *before, struct lq_buf *b)
{
    lq_buf_str(b, before);
    for (uint32_t i = 0; i < r->n_by; i++) {
        lq_buf_byte(b, ',');
        csv_text(b, r->q->by[i]);
    }
}

static void csv_steps(const struct result *r, const struct out_options *o, FILE *f)
{
    struct rows x;
    rows_init(&x, r, f);
    if (o->part == NULL || !o->part->begun) {
        csv_header(r, r->step_us > 0 ? "time,stream" : "stream", &x.b);
        for (uint32_t c = 0; c < r->n_columns; c++) {
            lq_buf_byte(&x.b, ',');
            csv_text(&x.b, r->column_names[c]);
        }
        lq_buf_byte(&x.b, '\n');
    }
    for (uint32_t i = 0; i < r->n_series; i++) {
        const struct result_series *s = &r->series[i];
        csv_fixed(r, s, &x.fixed);
        for (uint32_t k = 0; k < s->n; k++) {
            if (r->step_us > 0) {
                put_time(&x, s->step[k]);
                lq_buf_byte(&x.b, ',');
            }
            lq_buf_add(&x.b, x.fixed.p, x.fixed.n);
            for (uint32_t c = 0; c < r->n_columns; c++) {
                lq_buf_byte(&x.b, ',');
                out__number(&x.b, s->values[(size_t)k * r->n_columns + c]);
            }
            lq_buf_byte(&x.b, '\n');
            out__flush(&x.b, f, false);
        }
    }
    rows_fini(&x);
}

static void csv_changes(const struct result *r, FILE *f)
{
    struct rows x;
    rows_init(&x, r, f);
    csv_header(r, "time,low,high,stream", &x.b);
    lq_buf_str(&x.b, ",column,type,before,after,p\n");
    for (uint32_t i = 0; i < r->n_series; i++) {
        const struct result_series *s = &r->series[i];
        csv_fixed(r, s, &x.fixed);
        for (uint32_t k = 0; k < s->n_changes; k++) {
            const struct series_change *c = &s->changes[k];
            for (int t = 0; t < 3; t++) {
                put_time(&x, t == 0 ? c->step : t == 1 ? c->low : c->high);
                lq_buf_byte(&x.b, ',');
            }
            lq_buf_add(&x.b, x.fixed.p, x.fixed.n);
            lq_buf_byte(&x.b, ',');
            csv_text(&x.b, r->column_names[c->column]);
            lq_buf_printf(&x.b, ",%s,", c->type);
            out__number(&x.b, c->before);
            lq_buf_byte(&x.b, ',');
            out__number(&x.b, c->after);
            lq_buf_byte(&x.b, ',');
            out__number(&x.b, c->p);
            lq_buf_byte(&x.b, '\n');
        }
    }
    rows_fini(&x);
}

static void csv_lines(const struct result *r, const struct out_options *o, FILE *f)
{
    struct lq_buf b = {0};
    char time[TIME_BYTES];
    lq_buf_str(&b, o->part == NULL || !o->part->begun ? "time,stream,text\n" : "");
    for (size_t i = 0; i < r->n_lines; i++) {
        time_print_utc(r->lines[i].time_us, time);
        lq_buf_printf(&b, "%s,%s,", time, r->lines[i].stream);
        csv_text(&b, r->lines[i].text);
        lq_buf_byte(&b, '\n');
    }
    out__flush(&b, f, true);
    lq_buf_fini(&b);
}

void out__csv(const struct result *r, const struct out_options *o, FILE *f)
{
    if (r->q->lines > 0) {
        csv_lines(r, o, f);
    } else if (r->q->change) {
        csv_changes(r, f);
    } else {
        csv_steps(r, o, f);
    }
}
