/*
 * exec_tier.c - which tier and section answer a query, and what none can
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/exec_int.h"

static enum lq_err refuse(struct run *x, enum agg_func func, bool bins, const char *msg, const char *hint)
{
    uint32_t at = 0;
    size_t width = 1;
    for (uint32_t i = 0; i < x->q->n_aggs; i++) {
        const struct agg *a = &x->q->aggs[i];
        if (a->func == func || (bins && (a->func == AGG_QUANTILE || a->func == AGG_OVER))) {
            at = a->at;
            width = a->field.n > 0 ? a->field.n : 1;
        }
    }
    query_error_at(x->q, x->e, at, width, msg);
    lq_error_hint(x->e, "%s", hint);
    return LQ_EINVAL;
}

/* "route, host, version": what distinct counts are kept by. */
static void sketched(const struct stream_schema *s, char *out, size_t cap)
{
    size_t n = 0;
    out[0] = '\0';
    for (uint32_t d = 0; d < s->n_dims && n + NAME_BYTES_MAX + 4 < cap; d++) {
        if ((s->sketch_by >> d & 1) != 0) {
            n += (size_t)snprintf(out + n, cap - n, "%s%s", n > 0 ? ", " : "", s->dims[d]);
        }
    }
}

/* Do the steps, or the ends of the range, fall on whole buckets of a tier? */
static bool fits(const struct run *x, int64_t from_us, int64_t to_us, int t)
{
    const struct result *r = x->r;
    int64_t unit = tiers[t].step_s * US;
    bool from_ok = from_us <= x->info->first_us || from_us % unit == 0, to_ok = to_us > x->info->last_us || to_us % unit == 0;
    return from_ok && to_ok && (r->step_us == 0 || (r->step_us % unit == 0 && (r->step_start_us[0] - x->shift_us) % unit == 0));
}

/* The coarsest tier whose buckets fit the steps and the range's ends; else the finest that covers the range. -1: none may be used. */
static int choose_tier(const struct run *x, int64_t from_us, int64_t to_us, bool distinct, bool cell_quantile)
{
    int64_t from = from_us > x->info->first_us ? from_us : x->info->first_us;
    for (int t = TIERS - 1; t >= TIER_10S; t--) {
        bool can = !(distinct && t == TIER_10S) && !(cell_quantile && t == TIER_1H) && x->info->tier_from_s[t] != INT64_MAX;
        if (can && x->info->tier_from_s[t] * US <= from && fits(x, from_us, to_us, t)) {
            return t;
        }
    }
    int t = exec__finest_tier(x->info, from_us, distinct);
    if (cell_quantile && t == TIER_1H) {
        return -1;
    }
    return x->info->tier_from_s[t] == INT64_MAX ? -1 : t;
}

static void edges(struct run *x, int64_t from_us, int64_t to_us)
{
    int64_t unit = tiers[x->tier].step_s, from = from_us / US - (from_us % US < 0), to = (to_us + US - 1) / US;
    x->from_s = from_us <= x->info->first_us ? INT64_MIN / (4 * US) : from - ((from % unit) + unit) % unit;
    x->to_s = to_us > x->info->last_us ? INT64_MAX / (4 * US) : to + ((-to % unit) + unit) % unit;
    bool rounded = (from_us > x->info->first_us && x->from_s != from) || (to_us <= x->info->last_us && x->to_s != to);
    if (rounded && unit >= 60 && x->pass == 0) {
        lq_buf_printf(&x->r->notices, "the ends of the range are rounded to whole %s: nothing finer is kept of it\n", unit == 60 ? "minutes" : "hours");
    }
}

static void say_plan(struct run *x, bool distinct)
{
    static const char *const names[] = {"cells (every combination of dimensions)", "totals (of the stream)", "marginals (of one dimension)"};
    struct scan_cost cost;
    struct lq_buf *b = &x->r->plan;
    if (scan_cost(x->s, x->info->id, x->tier, x->section, x->from_s, x->to_s, &cost, NULL) != LQ_OK) {
        return;
    }
    lq_buf_printf(b, "stream %s%s: tier %s, %s\n    %llu periods, %llu fragments, %.1f MB\n", x->info->schema->name,
                  x->pass > 0 ? ", the range before" : "", tiers[x->tier].name, names[x->section], (unsigned long long)cost.periods,
                  (unsigned long long)cost.fragments, (double)cost.bytes / 1e6);
    if (distinct) {
        lq_buf_printf(b, "    and marginals of the same tier, for distinct\n");
    }
    for (int t = TIERS - 1; t > x->tier; t--) {
        int64_t unit = tiers[t].step_s * US;
        const char *why = x->r->step_us > 0 && x->r->step_us % unit != 0 ? "every is no multiple of it"
                          : x->info->tier_from_s[t] == INT64_MAX         ? "it is empty"
                          : x->need_bins != 0 && t == TIER_1H && x->section == SECTION_CELLS ? "it keeps no quantiles of these fields"
                                                                                             : "the range does not begin and end on whole buckets of it";
        lq_buf_printf(b, "    not tier %s: %s\n", tiers[t].name, why);
    }
}

enum lq_err exec__choose(struct run *x)
{
    const struct result *r = x->r;
    uint32_t dims = x->filter_dims;
    bool marginal = (dims & (dims - 1)) == 0 && (dims & ~x->info->schema->sketch_by) == 0, totals = dims == 0;
    bool quantile = x->need_bins != 0, distinct = x->need_distinct != 0;
    char keys[200], hint[256];
    int64_t from_us = r->from_us - x->shift_us, to_us = r->to_us - x->shift_us;
    sketched(x->info->schema, keys, sizeof keys);
    if (distinct && !marginal) {
        snprintf(hint, sizeof hint, "use one of %.160s, and error, in the filter and by", keys);
        return refuse(x, AGG_DISTINCT, false, "distinct counts are kept for the stream and for one dimension at a time", hint);
    }
    x->marginal_dim = totals ? NO_DIM : (uint32_t)__builtin_ctz(dims);
    x->tier = choose_tier(x, from_us, to_us, distinct, quantile && !totals && !marginal);
    if (x->tier < 0 && quantile && !totals && !marginal && x->info->lines > 0) {
        snprintf(hint, sizeof hint, "ask for a later --since (the 1 min tier can), or by one of %.140s", keys);
        return refuse(x, AGG_QUANTILE, true, "quantiles for these fields are kept for 35 days; the 1 h tier does not have them", hint);
    }
    if (x->tier < 0) {
        return LQ_OK; /* nothing stored */
    }
    x->section = totals ? SECTION_TOTALS : marginal && quantile && x->tier == TIER_1H ? SECTION_MARGINALS : SECTION_CELLS;
    edges(x, from_us, to_us);
    if (x->planning) {
        say_plan(x, distinct);
    }
    return LQ_OK;
}
