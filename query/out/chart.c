/*
 * chart.c - results as Unicode charts: lines over time, bars without time, a heat map where the columns are a distribution
 *
 * Lines are drawn in Braille (U+2800 …: 2 x 4 dots in a character), one panel for each series and column, all on the same time axis, which stands
 * once below them with the markers. A dot column that holds several steps shows the largest of them: a spike is never averaged away.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/out/out_int.h"

enum { CHART_WIDTH = 80, AXIS = 10, PANELS_MAX = 24, BARS_MAX = 200, ROWS_ALONE = 8, ROWS_MANY = 3, LABEL_WIDTH_MAX = 40 };

struct chart {
    const struct result *r;
    const struct out_options *o;
    struct lq_buf b;
    uint32_t cols; /* characters of the plot */
    bool streams;
};

static double value_at(const struct result *r, const struct result_series *s, uint32_t step, uint32_t column)
{
    return result_row(r, s, step)[column];
}

/* The largest value of the steps that a dot column (or character) of n shows; NAN for none. */
static double bin_value(const struct result *r, const struct result_series *s, uint32_t column, uint32_t i, uint32_t n)
{
    uint64_t from = (uint64_t)i * r->steps / n, to = ((uint64_t)i + 1) * r->steps / n;
    double best = NAN;
    for (uint64_t k = from; k < (to > from ? to : from + 1); k++) {
        double v = value_at(r, s, (uint32_t)k, column);
        best = isnan(v) ? best : isnan(best) || v > best ? v : best;
    }
    return best;
}

static void put_rune(struct lq_buf *b, uint32_t c)
{
    lq_buf_byte(b, (uint8_t)(0xe0 | c >> 12));
    lq_buf_byte(b, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
    lq_buf_byte(b, (uint8_t)(0x80 | (c & 0x3f)));
}

/* "   1.2 MB " */
static void put_axis(struct chart *c, double v, const char *unit)
{
    char text[32] = "";
    if (!isnan(v)) {
        out__human(v, unit, text);
    }
    size_t n = out__width(lq_str_of(text));
    lq_buf_printf(&c->b, "%*s%s ", n < AXIS - 1 ? (int)(AXIS - 1 - n) : 0, "", text);
}

/* ---- lines ---- */

static void plot(const double *y, uint32_t n, double low, double high, uint32_t rows, uint8_t *dots, uint32_t cols)
{
    static const uint8_t bits[2][4] = {{0x40, 0x04, 0x02, 0x01}, {0x80, 0x20, 0x10, 0x08}}; /* from the bottom dot up */
    int last = -1, height = (int)rows * 4;
    for (uint32_t i = 0; i < n; i++) {
        if (isnan(y[i])) {
            last = -1;
            continue;
        }
        int at = high > low ? (int)lround((y[i] - low) / (high - low) * (height - 1)) : 0;
        int from = last < 0 ? at : last < at ? last + 1 : last > at ? last - 1 : at, lo = from < at ? from : at, hi = from < at ? at : from;
        for (int k = lo; k <= hi; k++) {
            dots[(size_t)(rows - 1 - (uint32_t)k / 4) * cols + i / 2] |= bits[i & 1][k % 4];
        }
        last = at;
    }
}

static void panel_title(struct chart *c, const struct result_series *s, uint32_t column, double last, double high)
{
    struct lq_buf name = {0};
    char a[32], b[32];
    out__series_name(c->r, s, c->streams, &name);
    out__human(high, c->r->units[column], a);
    out__human(last, c->r->units[column], b);
    lq_buf_str(&c->b, c->o->color ? "\033[1m" : "");
    lq_buf_printf(&c->b, "%.*s  %.*s", (int)c->r->column_names[column].n, c->r->column_names[column].p, (int)name.n, name.p);
    lq_buf_printf(&c->b, "%s  (largest %s, last %s)\n", c->o->color ? "\033[0m" : "", a, b);
    lq_buf_fini(&name);
}

/* Where the series changes, under its panel. */
static void put_change_marks(struct chart *c, const struct result_series *s, uint32_t column)
{
    const struct result *r = c->r;
    bool any = false;
    char *row = lq_alloc(c->cols + 1);
    memset(row, ' ', c->cols);
    for (uint32_t i = 0; i < s->n_changes; i++) {
        if (s->changes[i].column == column) {
            row[(uint64_t)s->changes[i].step * c->cols / r->steps] = '^';
            any = true;
        }
    }
    if (any) {
        lq_buf_printf(&c->b, "%*schange %s\n", AXIS - 7, "", row);
    }
    free(row);
}

static void line_panel(struct chart *c, const struct result_series *s, uint32_t column, uint32_t rows)
{
    const struct result *r = c->r;
    uint32_t n = c->cols * 2;
    double low = INFINITY, high = -INFINITY, last = NAN, *y = lq_alloc(n * sizeof *y);
    uint8_t *dots = lq_alloc((size_t)rows * c->cols);
    for (uint32_t i = 0; i < n; i++) {
        y[i] = bin_value(r, s, column, i, n);
        low = y[i] < low ? y[i] : low;
        high = y[i] > high ? y[i] : high;
        last = isnan(y[i]) ? last : y[i];
    }
    low = low > 0 && low < high * 0.95 ? 0 : low; /* from zero, unless the line would be flat at the top */
    panel_title(c, s, column, last, isfinite(high) ? high : NAN);
    plot(y, n, low, high, rows, dots, c->cols);
    for (uint32_t k = 0; k < rows; k++) {
        put_axis(c, k == 0 && isfinite(high) ? high : k + 1 == rows && isfinite(low) ? low : NAN, r->units[column]);
        lq_buf_str(&c->b, k == 0 || k + 1 == rows ? "┤" : "│");
        for (uint32_t i = 0; i < c->cols; i++) {
            put_rune(&c->b, 0x2800U + dots[(size_t)k * c->cols + i]);
        }
        lq_buf_byte(&c->b, '\n');
    }
    put_change_marks(c, s, column);
    free(dots);
    free(y);
}

/* ---- the time axis, once for all panels ---- */

static void put_time_axis(struct chart *c)
{
    const struct result *r = c->r;
    int64_t from = r->step_start_us[0], to = r->step_start_us[r->steps];
    bool days = to - from > 86400 * 1000000LL;
    uint32_t every = 16, at = 0;
    lq_buf_printf(&c->b, "%*s└", AXIS, "");
    for (uint32_t i = 0; i < c->cols; i++) {
        lq_buf_str(&c->b, i % every == 0 ? "┬" : "─");
    }
    lq_buf_printf(&c->b, "\n%*s", AXIS + 1, "");
    for (uint32_t i = 0; i + 5 < c->cols; i += every) {
        char text[32];
        time_print_local(r->step_start_us[(uint64_t)i * r->steps / c->cols], c->o->tz, text);
        const char *show = days ? text + 5 : text + 11; /* MM-DD HH:MM, or HH:MM */
        int n = days ? 11 : 5;
        lq_buf_printf(&c->b, "%*s%.*s", (int)(i - at), "", n, show);
        at = i + (uint32_t)n;
    }
    lq_buf_byte(&c->b, '\n');
}

static void put_markers(struct chart *c)
{
    const struct result *r = c->r;
    int64_t from = r->step_start_us[0], to = r->step_start_us[r->steps];
    char *row = lq_alloc(c->cols + 1), time[32];
    memset(row, ' ', c->cols);
    for (size_t i = 0; i < c->o->n_markers; i++) {
        double at = (double)(c->o->markers[i].time_us - from) / (double)(to - from);
        if (at >= 0 && at < 1) {
            row[(uint32_t)(at * c->cols)] = i < 26 ? (char)('A' + i) : '+';
        }
    }
    if (c->o->n_markers > 0) {
        lq_buf_printf(&c->b, "%*s%s\n", AXIS + 1, "", row);
    }
    for (size_t i = 0; i < c->o->n_markers && i < 26; i++) {
        const struct marker *m = &c->o->markers[i];
        time_print_local(m->time_us, c->o->tz, time);
        lq_str name = m->name.n > 0 ? m->name : m->service;
        lq_buf_printf(&c->b, "%*s%c  %s  %.*s %.*s%s%.*s%s\n", AXIS + 1, "", (char)('A' + i), time, (int)m->kind.n, m->kind.p, (int)name.n, name.p,
                      m->host.n > 0 ? " on " : "", (int)m->host.n, m->host.p, m->inferred ? " (inferred)" : "");
    }
    free(row);
}

static void lines(struct chart *c)
{
    const struct result *r = c->r;
    uint32_t panels = r->n_series * r->q->n_columns, shown = 0;
    for (uint32_t i = 0; i < r->n_series && shown < PANELS_MAX; i++) {
        for (uint32_t k = 0; k < r->n_columns && shown < PANELS_MAX; k++, shown++) {
            line_panel(c, &r->series[i], k, panels <= 2 ? ROWS_ALONE : ROWS_MANY);
        }
    }
    if (r->n_series > 0) {
        put_time_axis(c);
        put_markers(c);
    }
    if (panels > shown) {
        lq_buf_printf(&c->b, "%u of %u charts; | top 5 chooses\n", shown, r->n_series * r->n_columns);
    }
}

/* ---- heat map: the columns are the bands of a distribution, from low to high ---- */

static const char *const shades[] = {" ", "░", "▒", "▓", "█"};

static double band(const struct result *r, const struct result_series *s, uint32_t column, uint32_t i, uint32_t n)
{
    uint64_t from = (uint64_t)i * r->steps / n, to = ((uint64_t)i + 1) * r->steps / n;
    double sum = 0;
    for (uint64_t k = from; k < (to > from ? to : from + 1); k++) {
        double v = value_at(r, s, (uint32_t)k, column);
        sum += isnan(v) ? 0 : v;
    }
    return sum;
}

static void heat_panel(struct chart *c, const struct result_series *s)
{
    const struct result *r = c->r;
    struct lq_buf name = {0};
    double most = 0;
    out__series_name(r, s, c->streams, &name);
    lq_buf_printf(&c->b, "%s%.*s%s\n", c->o->color ? "\033[1m" : "", (int)name.n, name.p, c->o->color ? "\033[0m" : "");
    for (uint32_t k = 0; k < r->n_columns; k++) {
        for (uint32_t i = 0; i < c->cols; i++) {
            double v = band(r, s, k, i, c->cols);
            most = v > most ? v : most;
        }
    }
    for (uint32_t k = r->n_columns; k-- > 0;) {
        out__fit(&c->b, r->column_names[k], AXIS - 1, true);
        lq_buf_str(&c->b, " │");
        for (uint32_t i = 0; i < c->cols; i++) {
            double v = band(r, s, k, i, c->cols); /* by the logarithm: the rare slow ones are what is looked for */
            int shade = v <= 0 ? 0 : 1 + (int)(3.999 * log1p(v) / log1p(most));
            lq_buf_str(&c->b, shades[shade < 4 ? shade : 4]);
        }
        lq_buf_byte(&c->b, '\n');
    }
    lq_buf_fini(&name);
}

static bool is_distribution(const struct query *q)
{
    return q->n_columns > 1 && q->distribution;
}

static void heat(struct chart *c)
{
    for (uint32_t i = 0; i < c->r->n_series && i < PANELS_MAX; i++) {
        heat_panel(c, &c->r->series[i]);
    }
    put_time_axis(c);
    put_markers(c);
}

/* ---- bars ---- */

static void put_bar(struct lq_buf *b, double share, uint32_t width)
{
    uint32_t eighths = share > 0 ? (uint32_t)lround(share * width * 8) : 0;
    eighths = eighths == 0 && share > 0 ? 1 : eighths;
    for (uint32_t i = 0; i < eighths / 8; i++) {
        put_rune(b, 0x2588);
    }
    if (eighths % 8 > 0) {
        put_rune(b, 0x2590U - eighths % 8); /* U+258F is one eighth, U+2589 seven */
    }
}

static void bars(struct chart *c)
{
    const struct result *r = c->r;
    size_t label = 6;
    uint32_t n = r->n_series < BARS_MAX ? r->n_series : BARS_MAX;
    struct lq_buf name = {0};
    for (uint32_t i = 0; i < n; i++) {
        name.n = 0;
        out__series_name(r, &r->series[i], c->streams, &name);
        size_t w = out__width((lq_str){name.p, name.n});
        label = w > label ? w : label;
    }
    label = label < LABEL_WIDTH_MAX ? label : LABEL_WIDTH_MAX;
    uint32_t width = c->cols + AXIS > label + 16 ? (uint32_t)(c->cols + AXIS - label - 16) : 10;
    for (uint32_t k = 0; k < r->n_columns; k++) {
        double high = 0;
        char text[32];
        for (uint32_t i = 0; i < n; i++) {
            double v = fabs(value_at(r, &r->series[i], 0, k));
            high = v > high ? v : high;
        }
        lq_buf_printf(&c->b, "%s%s%.*s%s\n", k > 0 ? "\n" : "", c->o->color ? "\033[1m" : "", (int)r->column_names[k].n, r->column_names[k].p, c->o->color ? "\033[0m" : "");
        for (uint32_t i = 0; i < n; i++) {
            double v = value_at(r, &r->series[i], 0, k);
            name.n = 0;
            out__series_name(r, &r->series[i], c->streams, &name);
            out__fit(&c->b, (lq_str){name.p, name.n}, label, false);
            out__human(v, r->units[k], text);
            size_t w = out__width(lq_str_of(text));
            lq_buf_printf(&c->b, " %*s%s ", w < 10 ? (int)(10 - w) : 0, "", text);
            put_bar(&c->b, isnan(v) || high == 0 ? 0 : fabs(v) / high, width);
            lq_buf_byte(&c->b, '\n');
        }
    }
    if (r->n_series > n) {
        lq_buf_printf(&c->b, "%u of %u; | top %d chooses\n", n, r->n_series, 20);
    }
    lq_buf_fini(&name);
}

void out__chart(const struct result *r, const struct out_options *o, FILE *f)
{
    struct chart c = {.r = r, .o = o, .streams = out__many_streams(r)};
    uint32_t width = o->width > 0 ? o->width : CHART_WIDTH;
    if (r->q->lines > 0) {
        out__table(r, o, f);
        return;
    }
    c.cols = width > AXIS + 21 ? width - AXIS - 1 : 20;
    if (r->step_us == 0) {
        bars(&c);
    } else if (is_distribution(r->q)) {
        heat(&c);
    } else {
        lines(&c);
    }
    out__flush(&c.b, f, true);
    lq_buf_fini(&c.b);
}
