/*
 * json.c - a result as one JSON object (CLI.md, "lq query --format json")
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "query/out/out_int.h"

static void put_time(struct lq_buf *b, int64_t us)
{
    char buf[32];
    time_print_utc(us, buf);
    lq_buf_printf(b, "\"%s\"", buf);
}

static void put_head(const struct result *r, struct lq_buf *b)
{
    lq_buf_str(b, "{\"query\":");
    out__json_string(b, r->q->text);
    lq_buf_str(b, ",\"from\":");
    put_time(b, r->from_us);
    lq_buf_str(b, ",\"to\":");
    put_time(b, r->to_us);
    lq_buf_str(b, ",\"now\":");
    put_time(b, r->now_us);
    lq_buf_str(b, ",\"step_s\":");
    if (r->step_us > 0) {
        lq_buf_printf(b, "%lld", (long long)(r->step_us / 1000000));
    } else {
        lq_buf_str(b, "null");
    }
    lq_buf_printf(b, ",\n \"coverage\":{\"lines\":%llu,\"parsed_share\":", (unsigned long long)r->records);
    out__json_number(b, r->records > 0 ? 1 - (double)r->unparsed / (double)r->records : NAN);
    lq_buf_str(b, ",\"overflow_share\":");
    out__json_number(b, r->records > 0 ? (double)r->overflow / (double)r->records : NAN);
    lq_buf_str(b, "},\n \"columns\":[");
    for (uint32_t i = 0; i < r->n_columns; i++) {
        lq_buf_str(b, i > 0 ? "," : "");
        out__json_string(b, r->column_names[i]);
    }
    lq_buf_str(b, "]");
}

static void put_points(const struct result *r, const struct result_series *s, struct lq_buf *b, FILE *f)
{
    for (uint32_t k = 0, at = 0; k < r->steps; k++) {
        bool row = at < s->n && s->step[at] == k;
        const double *v = row ? s->values + (size_t)at * r->n_columns : s->empty;
        at += row;
        if (r->step_us > 0) {
            lq_buf_str(b, k > 0 ? ",[" : "[");
            put_time(b, r->step_start_us[k]);
        }
        for (uint32_t c = 0; c < r->n_columns; c++) {
            lq_buf_str(b, c > 0 || r->step_us > 0 ? "," : "");
            out__json_number(b, v[c]);
        }
        lq_buf_str(b, r->step_us > 0 ? "]" : "");
        out__flush(b, f, false);
    }
}

static void put_changes(const struct result *r, const struct result_series *s, struct lq_buf *b)
{
    lq_buf_str(b, ",\"changes\":[");
    for (uint32_t i = 0; i < s->n_changes; i++) {
        const struct series_change *c = &s->changes[i];
        lq_buf_str(b, i > 0 ? ",{\"time\":" : "{\"time\":");
        put_time(b, r->step_start_us[c->step]);
        lq_buf_str(b, ",\"low\":");
        put_time(b, r->step_start_us[c->low]);
        lq_buf_str(b, ",\"high\":");
        put_time(b, r->step_start_us[c->high]);
        lq_buf_printf(b, ",\"type\":\"%s\",\"before\":", c->type);
        out__json_number(b, c->before);
        lq_buf_str(b, ",\"after\":");
        out__json_number(b, c->after);
        lq_buf_str(b, ",\"p\":");
        out__json_number(b, c->p);
        lq_buf_str(b, ",\"column\":");
        out__json_string(b, r->column_names[c->column]);
        lq_buf_str(b, "}");
    }
    lq_buf_str(b, "]");
}

static void put_series(const struct result *r, const struct result_series *s, struct lq_buf *b, FILE *f)
{
    lq_buf_str(b, "\n  {\"stream\":");
    out__json_string(b, lq_str_of(s->stream));
    lq_buf_str(b, ",\"labels\":{");
    for (uint32_t i = 0; i < r->n_by; i++) {
        lq_buf_str(b, i > 0 ? "," : "");
        out__json_string(b, r->q->by[i]);
        lq_buf_byte(b, ':');
        out__json_string(b, s->labels[i]);
    }
    lq_buf_str(b, r->step_us > 0 ? "},\"points\":[" : "},\"values\":[");
    put_points(r, s, b, f);
    lq_buf_str(b, "]");
    if (r->q->change) {
        put_changes(r, s, b);
    }
    lq_buf_str(b, "}");
}

static void put_lines(const struct result *r, struct lq_buf *b)
{
    lq_buf_str(b, ",\n \"lines\":[");
    for (size_t i = 0; i < r->n_lines; i++) {
        const struct result_line *l = &r->lines[i];
        lq_buf_str(b, i > 0 ? ",\n  {\"time\":" : "\n  {\"time\":");
        put_time(b, l->time_us);
        lq_buf_str(b, ",\"stream\":");
        out__json_string(b, lq_str_of(l->stream));
        lq_buf_str(b, ",\"labels\":{");
        for (uint32_t k = 0; k < l->n_labels; k++) {
            lq_buf_str(b, k > 0 ? "," : "");
            out__json_string(b, l->names[k]);
            lq_buf_byte(b, ':');
            out__json_string(b, l->values[k]);
        }
        lq_buf_str(b, "},\"text\":");
        out__json_string(b, l->text);
        lq_buf_str(b, "}");
    }
    lq_buf_str(b, "]");
}

void out__json(const struct result *r, const struct out_options *o, FILE *f)
{
    struct lq_buf b = {0};
    (void)o;
    put_head(r, &b);
    lq_buf_str(&b, ",\n \"series\":[");
    for (uint32_t i = 0; i < r->n_series; i++) {
        lq_buf_str(&b, i > 0 ? "," : "");
        put_series(r, &r->series[i], &b, f);
    }
    lq_buf_str(&b, "]");
    if (r->q->lines > 0) {
        put_lines(r, &b);
    }
    lq_buf_str(&b, ",\n \"notices\":[");
    const char *p = r->notices.p, *end = p + r->notices.n;
    for (bool first = true; p != NULL && p < end; first = false) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        lq_buf_str(&b, first ? "" : ",");
        out__json_string(&b, (lq_str){p, (size_t)(nl - p)});
        p = nl + 1;
    }
    lq_buf_str(&b, "]}\n");
    out__flush(&b, f, true);
    lq_buf_fini(&b);
}
