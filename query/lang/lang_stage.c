/*
 * lang_stage.c - by, every, and what stands behind |
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "query/lang/lang_int.h"
#include "schema/timefmt.h"

const struct lang_stage lang_stages[] = {
    {"top", "top N [by COLUMN]", "the N series with the largest COLUMN (the first one)"},
    {"bottom", "bottom N [by COLUMN]", "the N series with the smallest"},
    {"sort", "sort by COLUMN|FIELD [asc|desc]", "order of the series"},
    {"limit", "limit N", "at most N series"},
    {"compare", "compare DURATION", "the same range, DURATION earlier: for each column \"COLUMN -DURATION\" and \"COLUMN change\" (0.5 = half as much again)"},
    {"change", "change", "where each series changes its level or trend"},
    {"lines", "lines [N]", "stored example lines that match the filter: the first with each value, and failures of each day"},
    {NULL, NULL, NULL},
};

/* What people from other tools type. */
static const struct {
    const char *word, *say;
} aliases[] = {
    {"head", "limit"}, {"order", "sort by"}, {"where", "the filter stands first, before the first |"}, {"filter", "the filter stands first, before the first |"},
    {"group", "by FIELD, behind the columns"}, {"by", "by FIELD stands behind the columns, without |"}, {"timeslice", "every 5m, behind the columns"},
    {"every", "every 5m stands behind the columns, without |"}, {"bin", "every 5m, behind the columns"}, {"examples", "lines"}, {"show", "lines"}, {"diff", "compare 7d"},
    {"offset", "compare 7d"},
};

bool lang__is_stage(lq_str word)
{
    for (const struct lang_stage *s = lang_stages; s->name != NULL; s++) {
        if (lq_str_is(word, s->name)) {
            return true;
        }
    }
    return false;
}

static void parse_by(struct lang_parser *p)
{
    do {
        lq_str w = lang__peek(p);
        if (w.n == 0 || p->q->n_by == QUERY_BY_MAX) {
            lang__fail(p, p->p, 1, w.n == 0 ? "a field is missing after by" : "too many fields after by: at most 6");
            return;
        }
        p->q->by_at[p->q->n_by] = (uint32_t)(w.p - p->q->text.p);
        p->q->by[p->q->n_by++] = w;
        p->p += w.n;
    } while (lang__symbol(p, ','));
}

static bool parse_duration(struct lang_parser *p, int64_t *us)
{
    lq_str w = lang__peek(p);
    struct lq_error inner = {0};
    if (duration_parse(w, us, &inner) != LQ_OK) {
        lang__fail(p, p->p, w.n > 0 ? w.n : 1, w.n > 0 ? inner.msg : "a duration is missing here");
        lq_error_hint(p->e, "%s", w.n > 0 && inner.hint[0] != '\0' ? inner.hint : "like 30s, 5m, 2h, 7d");
        return false;
    }
    p->p += w.n;
    return true;
}

static void parse_every(struct lang_parser *p)
{
    p->q->every_at = (uint32_t)(p->p - p->q->text.p) + 1;
    if (lang__keyword(p, "auto")) {
        p->q->every_auto = true;
    } else {
        parse_duration(p, &p->q->every_us);
    }
}

void lang__by_and_every(struct lang_parser *p)
{
    while (!p->failed) {
        if (lang__keyword(p, "by")) {
            parse_by(p);
        } else if (lang__keyword(p, "every")) {
            parse_every(p);
        } else {
            break;
        }
    }
}

static uint32_t parse_count(struct lang_parser *p, const char *need)
{
    lq_str w = lang__peek(p);
    uint32_t n = 0;
    for (size_t i = 0; i < w.n; i++) {
        if (w.p[i] < '0' || w.p[i] > '9' || n > 100000000) {
            n = 0;
            break;
        }
        n = n * 10 + (uint32_t)(w.p[i] - '0');
    }
    if (n == 0) {
        lang__fail(p, p->p, w.n > 0 ? w.n : 1, need);
    }
    p->p += w.n;
    return n;
}

/* The text up to the next |, without blanks at its end. */
static lq_str rest_of_stage(struct lang_parser *p)
{
    lang__blanks(p);
    const char *start = p->p;
    while (p->p < p->end && *p->p != '|' && *p->p != '#') {
        p->p++;
    }
    const char *stop = p->p;
    while (stop > start && (stop[-1] == ' ' || stop[-1] == '\n' || stop[-1] == '\t')) {
        stop--;
    }
    return (lq_str){start, (size_t)(stop - start)};
}

static void parse_top(struct lang_parser *p, bool bottom)
{
    if (p->q->top > 0) {
        lang__fail(p, p->p - (bottom ? 6 : 3), bottom ? 6 : 3, "one top or bottom is enough");
        return;
    }
    p->q->bottom = bottom;
    p->q->top = parse_count(p, "a number is needed here, like top 10");
    if (lang__keyword(p, "by")) {
        p->q->top_rank.text = rest_of_stage(p);
        if (p->q->top_rank.text.n == 0) {
            lang__fail(p, p->p, 1, "a column is missing after by");
        }
    }
}

static void parse_sort(struct lang_parser *p)
{
    lang__keyword(p, "by");
    lq_str t = rest_of_stage(p);
    p->q->sorted = true;
    p->q->ascending = false;
    if (t.n > 4 && memcmp(t.p + t.n - 4, " asc", 4) == 0) {
        p->q->ascending = true;
        t.n -= 4;
    } else if (t.n > 5 && memcmp(t.p + t.n - 5, " desc", 5) == 0) {
        t.n -= 5;
        p->q->sort_rank.fold = RANK_MAX; /* said: not the default of a field */
    }
    while (t.n > 0 && t.p[t.n - 1] == ' ') {
        t.n--;
    }
    p->q->sort_rank.text = t;
    if (t.n == 0) {
        lang__fail(p, p->p, 1, "a column or a field is missing here");
    }
}

bool lang__at_stage(struct lang_parser *p)
{
    return lang__is_stage(lang__peek(p));
}

static void unknown_stage(struct lang_parser *p, lq_str w)
{
    const char *names[16];
    size_t n = 0;
    char msg[128];
    for (const struct lang_stage *s = lang_stages; s->name != NULL; s++) {
        names[n++] = s->name;
    }
    snprintf(msg, sizeof msg, w.n > 0 ? "unknown stage %.*s" : "a stage is missing after |%.*s", (int)(w.n < 60 ? w.n : 60), w.p);
    const char *near = w.n > 0 ? lq_nearest(w.p, w.n, names, n) : NULL;
    lang__fail(p, p->p, w.n > 0 ? w.n : 1, msg);
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
        if (lq_str_is(w, aliases[i].word)) {
            lq_error_hint(p->e, strchr(aliases[i].say, ' ') != NULL && strlen(aliases[i].say) > 12 ? "%s" : "write %s", aliases[i].say);
            return;
        }
    }
    lq_error_hint(p->e, near != NULL ? "did you mean %s?" : "stages: top N, bottom N, sort by COLUMN, limit N, compare 7d, change, lines%s", near != NULL ? near : "");
}

void lang__stage(struct lang_parser *p)
{
    lq_str w = lang__peek(p);
    if (lang__keyword(p, "top")) {
        parse_top(p, false);
    } else if (lang__keyword(p, "bottom")) {
        parse_top(p, true);
    } else if (lang__keyword(p, "sort")) {
        parse_sort(p);
    } else if (lang__keyword(p, "limit")) {
        p->q->limit = parse_count(p, "a number is needed here, like limit 10");
    } else if (lang__keyword(p, "compare")) {
        parse_duration(p, &p->q->compare_us);
    } else if (lang__keyword(p, "change")) {
        p->q->change = true;
        p->q->change_at = (uint32_t)(w.p - p->q->text.p);
    } else if (lang__keyword(p, "lines")) {
        lq_str n = lang__peek(p);
        p->q->lines = n.n > 0 ? parse_count(p, "a number is needed here, like lines 20") : LINES_DEFAULT;
        p->q->lines = p->q->lines < LINES_MAX ? p->q->lines : LINES_MAX;
    } else {
        unknown_stage(p, w);
    }
}

/* "count -7d", "count change" behind the columns themselves. */
static void name_compared(struct query *q)
{
    char d[32];
    int64_t s = q->compare_us / 1000000;
    static const struct {
        int64_t s;
        char unit;
    } units[] = {{604800, 'w'}, {86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    for (size_t i = 0; i < 5; i++) {
        if (s % units[i].s == 0 && (units[i].unit != 'w')) { /* days: as it is typed most */
            snprintf(d, sizeof d, "%lld%c", (long long)(s / units[i].s), units[i].unit);
            break;
        }
    }
    for (uint32_t c = 0; c < q->n_columns; c++) {
        lq_str name = q->column_names[c];
        struct lq_buf b = {0};
        lq_buf_printf(&b, "%.*s -%s", (int)name.n, name.p, d);
        q->column_names[q->n_columns + 2 * c] = lq_arena_str(&q->mem, (lq_str){b.p, b.n});
        b.n = 0;
        lq_buf_printf(&b, "%.*s change", (int)name.n, name.p);
        q->column_names[q->n_columns + 2 * c + 1] = lq_arena_str(&q->mem, (lq_str){b.p, b.n});
        lq_buf_fini(&b);
    }
}

static bool column_named(const struct query *q, lq_str w, uint32_t *column)
{
    for (uint32_t i = 0; i < q->n_out; i++) {
        if (lq_str_eq(q->column_names[i], w)) {
            *column = i;
            return true;
        }
    }
    for (uint32_t i = 0; i < q->n_out; i++) {
        if (w.n > 0 && q->column_names[i].n > w.n && memcmp(q->column_names[i].p, w.p, w.n) == 0) {
            *column = i;
            return true;
        }
    }
    if (q->compare_us > 0 && lq_str_is(w, "change")) {
        *column = q->n_columns + 1;
        return true;
    }
    return false;
}

/* A rank's text: [max|min|…] [of] COLUMN, COLUMN being a column's name or its beginning. */
static void resolve_rank(struct lang_parser *p, struct rank *r, bool fields)
{
    static const char *const folds[] = {"", "max", "min", "avg", "sum", "last"};
    struct query *q = p->q;
    lq_str w = r->text;
    r->field = UINT32_MAX;
    if (w.n == 0 || column_named(q, w, &r->column)) {
        return;
    }
    for (uint32_t i = 0; fields && i < q->n_by; i++) {
        if (lq_str_eq(q->by[i], w)) {
            r->field = i;
            return;
        }
    }
    for (int f = RANK_MAX; f <= RANK_LAST; f++) {
        size_t n = strlen(folds[f]);
        if (w.n >= n && memcmp(w.p, folds[f], n) == 0 && (w.n == n || w.p[n] == ' ')) {
            r->fold = (enum rank_fold)f;
            w.p += n;
            w.n -= n;
            while (w.n > 0 && w.p[0] == ' ') {
                w.p++;
                w.n--;
            }
            if (w.n == 0 || column_named(q, w, &r->column)) {
                return;
            }
            break;
        }
    }
    lang__fail(p, r->text.p, r->text.n, fields ? "this is none of the columns or fields" : "this is none of the columns");
    struct lq_buf list = {0};
    for (uint32_t i = 0; i < q->n_out; i++) {
        lq_buf_printf(&list, "%s%.*s", i > 0 ? "; " : "", (int)q->column_names[i].n, q->column_names[i].p);
    }
    lq_error_hint(p->e, "the columns are: %.*s", (int)(list.n < 180 ? list.n : 180), list.p);
    lq_buf_fini(&list);
}

void lang__finish(struct lang_parser *p)
{
    struct query *q = p->q;
    q->n_out = q->n_columns;
    if (q->compare_us > 0) {
        name_compared(q);
        q->n_out = 3 * q->n_columns;
    }
    resolve_rank(p, &q->top_rank, false);
    if (q->sorted && !p->failed) {
        bool said = q->sort_rank.fold == RANK_MAX;
        q->sort_rank.fold = RANK_AUTO;
        resolve_rank(p, &q->sort_rank, true);
        q->ascending = q->ascending || (q->sort_rank.field != UINT32_MAX && !said);
    }
    if (q->change && q->every_us == 0) {
        q->every_auto = true;
    }
}
