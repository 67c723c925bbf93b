/*
 * out.c - tables, csv, json, ndjson (out.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/out/out.h"

#include <math.h>
#include <stdlib.h>

#include "schema/derive.h"

void number_print(double v, char out[32])
{
    if (isnan(v) || isinf(v)) {
        out[0] = '\0';
    } else if (v == floor(v) && fabs(v) < 9007199254740992.0) {
        snprintf(out, 32, "%lld", (long long)v);
    } else {
        snprintf(out, 32, "%.6g", v);
    }
}

void json_number(FILE *f, double v)
{
    char buf[32];
    number_print(v, buf);
    fputs(buf[0] != '\0' ? buf : "null", f);
}

void json_time(FILE *f, int64_t us)
{
    char buf[32];
    time_print_utc(us, buf);
    fprintf(f, "\"%s\"", buf);
}

void json_string(FILE *f, lq_str s)
{
    char *scratch = lq_alloc(4 * s.n + 16);
    lq_str clean = derive_clean(s, scratch, 4 * s.n + 8);
    fputc('"', f);
    for (size_t i = 0; i < clean.n; i++) {
        unsigned char c = (unsigned char)clean.p[i];
        if (c == '"' || c == '\\') {
            fputc('\\', f);
            fputc(c, f);
        } else if (c < 0x20) {
            fprintf(f, "\\u%04x", c);
        } else {
            fputc(c, f);
        }
    }
    fputc('"', f);
    free(scratch);
}

static lq_str by_name(const struct result *r, uint32_t i)
{
    return r->q->by[i];
}

static bool step_empty(const struct result *r, const struct result_series *s, uint32_t step)
{
    for (uint32_t c = 0; c < r->n_columns; c++) {
        double v = s->values[(size_t)step * r->n_columns + c];
        if (!isnan(v) && v != 0) {
            return false;
        }
    }
    return true;
}

static void json_labels(const struct result *r, const struct result_series *s, FILE *f)
{
    for (uint32_t i = 0; i < r->n_by; i++) {
        if (i > 0) {
            fputc(',', f);
        }
        json_string(f, by_name(r, i));
        fputc(':', f);
        json_string(f, s->labels[i]);
    }
}

static void print_json(const struct result *r, const struct out_options *o, FILE *f)
{
    (void)o;
    fputs("{\"query\":", f);
    json_string(f, r->q->text);
    fputs(",\"from\":", f);
    json_time(f, r->from_us);
    fputs(",\"to\":", f);
    json_time(f, r->to_us);
    fputs(",\"now\":", f);
    json_time(f, r->now_us);
    fputs(",\"step_s\":", f);
    if (r->step_us > 0) {
        fprintf(f, "%lld", (long long)(r->step_us / 1000000));
    } else {
        fputs("null", f);
    }
    fprintf(f, ",\n \"coverage\":{\"lines\":%llu,\"parsed_share\":", (unsigned long long)r->lines);
    json_number(f, r->lines > 0 ? 1 - (double)r->unparsed / (double)r->lines : NAN);
    fputs(",\"overflow_share\":", f);
    json_number(f, r->lines > 0 ? (double)r->overflow / (double)r->lines : NAN);
    fputs("},\n \"columns\":[", f);
    for (uint32_t i = 0; i < r->n_columns; i++) {
        fputs(i > 0 ? "," : "", f);
        json_string(f, r->q->column_names[i]);
    }
    fputs("],\n \"series\":[", f);
    for (uint32_t i = 0; i < r->n_series; i++) {
        const struct result_series *s = &r->series[i];
        fprintf(f, "%s\n  {\"stream\":", i > 0 ? "," : "");
        json_string(f, lq_str_of(s->stream));
        fputs(",\"labels\":{", f);
        json_labels(r, s, f);
        fputs(r->step_us > 0 ? "},\"points\":[" : "},\"values\":[", f);
        for (uint32_t k = 0; k < r->steps; k++) {
            if (r->step_us > 0) {
                fputs(k > 0 ? ",[" : "[", f);
                json_time(f, r->step_start_us[k]);
            }
            for (uint32_t c = 0; c < r->n_columns; c++) {
                fputs(c > 0 || r->step_us > 0 ? "," : "", f);
                json_number(f, s->values[(size_t)k * r->n_columns + c]);
            }
            fputs(r->step_us > 0 ? "]" : "", f);
        }
        fputs("]}", f);
    }
    fputs("],\n \"notices\":[", f);
    const char *p = r->notices.p, *end = p + r->notices.n;
    for (bool first = true; p != NULL && p < end; first = false) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        fputs(first ? "" : ",", f);
        json_string(f, (lq_str){p, (size_t)(nl - p)});
        p = nl + 1;
    }
    fputs("]}\n", f);
}

static void print_ndjson(const struct result *r, const struct out_options *o, FILE *f)
{
    (void)o;
    for (uint32_t i = 0; i < r->n_series; i++) {
        const struct result_series *s = &r->series[i];
        for (uint32_t k = 0; k < r->steps; k++) {
            if (r->step_us > 0 && r->n_by > 0 && step_empty(r, s, k)) {
                continue;
            }
            fputc('{', f);
            if (r->step_us > 0) {
                fputs("\"time\":", f);
                json_time(f, r->step_start_us[k]);
                fputc(',', f);
            }
            fputs("\"stream\":", f);
            json_string(f, lq_str_of(s->stream));
            if (r->n_by > 0) {
                fputc(',', f);
                json_labels(r, s, f);
            }
            for (uint32_t c = 0; c < r->n_columns; c++) {
                fputc(',', f);
                json_string(f, r->q->column_names[c]);
                fputc(':', f);
                json_number(f, s->values[(size_t)k * r->n_columns + c]);
            }
            fputs("}\n", f);
        }
    }
}

static void csv_text(FILE *f, lq_str s)
{
    bool quote = false;
    for (size_t i = 0; i < s.n; i++) {
        quote = quote || s.p[i] == ',' || s.p[i] == '"' || s.p[i] == '\n';
    }
    if (!quote) {
        fwrite(s.p, 1, s.n, f);
        return;
    }
    fputc('"', f);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"') {
            fputc('"', f);
        }
        fputc(s.p[i], f);
    }
    fputc('"', f);
}

static void print_csv(const struct result *r, const struct out_options *o, FILE *f)
{
    char buf[32];
    (void)o;
    fputs(r->step_us > 0 ? "time,stream" : "stream", f);
    for (uint32_t i = 0; i < r->n_by; i++) {
        fputc(',', f);
        csv_text(f, by_name(r, i));
    }
    for (uint32_t c = 0; c < r->n_columns; c++) {
        fputc(',', f);
        csv_text(f, r->q->column_names[c]);
    }
    fputc('\n', f);
    for (uint32_t i = 0; i < r->n_series; i++) {
        const struct result_series *s = &r->series[i];
        for (uint32_t k = 0; k < r->steps; k++) {
            if (r->step_us > 0 && r->n_by > 0 && step_empty(r, s, k)) {
                continue;
            }
            if (r->step_us > 0) {
                time_print_utc(r->step_start_us[k], buf);
                fprintf(f, "%s,", buf);
            }
            fputs(s->stream, f);
            for (uint32_t b = 0; b < r->n_by; b++) {
                fputc(',', f);
                csv_text(f, s->labels[b]);
            }
            for (uint32_t c = 0; c < r->n_columns; c++) {
                number_print(s->values[(size_t)k * r->n_columns + c], buf);
                fprintf(f, ",%s", buf);
            }
            fputc('\n', f);
        }
    }
}

/* ---- table ---- */

/* Characters on the screen: UTF-8 bytes that begin one. */
static size_t shown(lq_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    }
    return n;
}

/* The middle of a long text is cut: both ends tell most. */
static void cell_text(FILE *f, lq_str s, size_t width)
{
    size_t n = shown(s);
    char scratch[1200];
    s = derive_clean(s, scratch, sizeof scratch - 8);
    n = shown(s);
    if (n <= width) {
        fprintf(f, "%.*s%*s", (int)s.n, s.p, (int)(width - n), "");
        return;
    }
    size_t head = (width - 1) / 2, tail = width - 1 - head, i = 0, k = 0;
    while (k < head + 1 && i < s.n) {
        k += ((unsigned char)s.p[i] & 0xc0) != 0x80;
        if (k <= head) {
            i++;
        }
    }
    size_t j = s.n;
    for (k = 0; k < tail && j > i;) {
        j--;
        k += ((unsigned char)s.p[j] & 0xc0) != 0x80;
    }
    fprintf(f, "%.*s…%.*s", (int)i, s.p, (int)(s.n - j), s.p + j);
}

static void print_table(const struct result *r, const struct out_options *o, FILE *f)
{
    size_t label[QUERY_BY_MAX], column[QUERY_COLUMNS_MAX], total = 0;
    bool many = false, timed = r->step_us > 0;
    char buf[32];
    size_t stream = 6;
    for (uint32_t i = 0; i < r->n_series; i++) {
        many = many || strcmp(r->series[i].stream, r->series[0].stream) != 0;
        stream = strlen(r->series[i].stream) > stream ? strlen(r->series[i].stream) : stream;
    }
    for (uint32_t b = 0; b < r->n_by; b++) {
        label[b] = shown(by_name(r, b));
        for (uint32_t i = 0; i < r->n_series; i++) {
            size_t n = shown(r->series[i].labels[b]);
            label[b] = n > label[b] ? n : label[b];
        }
        label[b] = label[b] < 80 ? label[b] : 80;
        total += label[b] + 2;
    }
    for (uint32_t c = 0; c < r->n_columns; c++) {
        column[c] = shown(r->q->column_names[c]) > 8 ? shown(r->q->column_names[c]) : 8;
        total += column[c] + 2;
    }
    total += (timed ? 21 : 0) + (many ? stream + 2 : 0);
    for (uint32_t b = 0; o->width > 0 && b < r->n_by && total > o->width; b++) {
        size_t over = total - o->width, cut = label[b] > 12 + over ? over : label[b] > 12 ? label[b] - 12 : 0;
        label[b] -= cut;
        total -= cut;
    }
    if (timed) {
        fprintf(f, "%-19s  ", "time");
    }
    if (many) {
        fprintf(f, "%-*s  ", (int)stream, "stream");
    }
    for (uint32_t b = 0; b < r->n_by; b++) {
        cell_text(f, by_name(r, b), label[b]);
        fputs("  ", f);
    }
    for (uint32_t c = 0; c < r->n_columns; c++) {
        fprintf(f, "%s%*s%.*s", c > 0 ? "  " : "", (int)(column[c] - shown(r->q->column_names[c])), "", (int)r->q->column_names[c].n, r->q->column_names[c].p);
    }
    fputc('\n', f);
    for (uint32_t k = 0; k < r->steps; k++) {
        for (uint32_t i = 0; i < r->n_series; i++) {
            const struct result_series *s = &r->series[i];
            if (timed && r->n_by > 0 && step_empty(r, s, k)) {
                continue;
            }
            if (timed) {
                bool partial = (k == 0 && r->partial_first) || (k + 1 == r->steps && r->partial_last);
                time_print_local(r->step_start_us[k], o->tz, buf);
                fprintf(f, "%s%s ", buf, partial ? "~" : " ");
            }
            if (many) {
                fprintf(f, "%-*s  ", (int)stream, s->stream);
            }
            for (uint32_t b = 0; b < r->n_by; b++) {
                cell_text(f, s->labels[b].n > 0 ? s->labels[b] : LQ_STR("-"), label[b]);
                fputs("  ", f);
            }
            for (uint32_t c = 0; c < r->n_columns; c++) {
                number_print(s->values[(size_t)k * r->n_columns + c], buf);
                fprintf(f, "%s%*s", c > 0 ? "  " : "", (int)column[c], buf[0] != '\0' ? buf : "-");
            }
            fputc('\n', f);
        }
    }
}

const struct out_format out_formats[] = {
    {"table", "aligned columns, for people", print_table},
    {"csv", "a header row, then one row per series and step", print_csv},
    {"json", "one object", print_json},
    {"ndjson", "one object per series and step", print_ndjson},
    {NULL, NULL, NULL},
};

enum lq_err out_format_find(const char *name, const struct out_format **out, struct lq_error *e)
{
    const char *names[8];
    size_t n = 0;
    for (const struct out_format *f = out_formats; f->name != NULL; f++) {
        if (strcmp(f->name, name) == 0) {
            *out = f;
            return LQ_OK;
        }
        names[n++] = f->name;
    }
    const char *near = lq_nearest(name, strlen(name), names, n);
    lq_error_set(e, LQ_EINVAL, "unknown output format \"%s\"", name);
    lq_error_hint(e, near != NULL ? "did you mean %s?" : "formats: table csv json ndjson%s", near != NULL ? near : "");
    return LQ_EINVAL;
}
