/*
 * exec_time.c - the steps of a query: how long, where they begin
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "query/exec_int.h"

static const int64_t ladder_s[] = {10, 30, 60, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86400, 7 * 86400, 28 * 86400};
enum { LADDER = sizeof ladder_s / sizeof ladder_s[0] };
#define DAY_US  (86400 * US)
#define WEEK_US (7 * DAY_US)
#define MONDAY  (4 * DAY_US) /* 1970-01-05 */

int exec__finest_tier(const struct stream_info *x, int64_t from_us, bool distinct)
{
    int64_t from = from_us > x->first_us ? from_us : x->first_us;
    int oldest = -1;
    for (int t = distinct ? TIER_1MIN : TIER_10S; t < TIERS; t++) {
        if (x->tier_from_s[t] == INT64_MAX) {
            continue;
        }
        if (x->tier_from_s[t] * US <= from) {
            return t;
        }
        oldest = oldest < 0 || x->tier_from_s[t] < x->tier_from_s[oldest] ? t : oldest;
    }
    return oldest < 0 ? TIER_10S : oldest;
}

bool exec__asks_distinct(const struct query *q)
{
    for (uint32_t i = 0; i < q->n_aggs; i++) {
        if (q->aggs[i].func == AGG_DISTINCT) {
            return true;
        }
    }
    return false;
}

/* The start of the step that holds a moment of local time. */
static int64_t floor_local(int64_t local, int64_t step)
{
    int64_t origin = step % WEEK_US == 0 ? MONDAY : 0;
    return local - (((local - origin) % step) + step) % step;
}

static int64_t local_of(const struct timezone_rules *tz, int64_t us)
{
    return us + (tz != NULL ? timezone_offset_at(tz, us / US - (us % US < 0)) * US : 0);
}

static int64_t utc_of(const struct timezone_rules *tz, int64_t local)
{
    return tz != NULL ? timezone_to_utc(tz, local / US) * US : local;
}

/* first_local: where the step that holds time_us (or one near it) begins, by the zone's clock, which may show an hour twice. */
static int64_t step_begin(int64_t first_local, int64_t step_us, const struct timezone_rules *tz, int64_t time_us)
{
    int64_t local = local_of(tz, time_us);
    return step_us > 3600 * US ? utc_of(tz, first_local) : time_us - (local - first_local);
}

int64_t exec_step_start(int64_t time_us, int64_t step_us, const struct timezone_rules *tz)
{
    return step_begin(floor_local(local_of(tz, time_us), step_us), step_us, tz, time_us);
}

int64_t exec_step_after(int64_t time_us, int64_t step_us, const struct timezone_rules *tz)
{
    return step_begin(floor_local(local_of(tz, time_us), step_us) + step_us, step_us, tz, time_us);
}

/* Steps of over an hour follow the zone's clock (a day of 23 or 25 hours is one step); shorter ones run through. */
static void fill_steps(struct result *r, const struct timezone_rules *tz, int64_t first_local)
{
    int64_t first = step_begin(first_local, r->step_us, tz, r->from_us);
    for (uint32_t i = 0; i <= r->steps; i++) {
        r->step_start_us[i] = r->step_us > 3600 * US ? utc_of(tz, first_local + (int64_t)i * r->step_us) : first + (int64_t)i * r->step_us;
    }
}

enum lq_err exec__steps(struct snapshot *s, const struct query *q, const struct exec_options *o, const bool use[STREAM_MAX], int finest,
                        struct result *r, struct lq_error *e)
{
    bool hourly = finest == TIER_1H;
    for (uint32_t i = 0; i < snapshot_streams(s); i++) {
        int t = use[i] ? exec__finest_tier(snapshot_stream(s, i), r->from_us - q->compare_us, exec__asks_distinct(q)) : TIER_10S;
        finest = t > finest ? t : finest;
    }
    int64_t unit = tiers[finest].step_s * US, range = r->to_us - r->from_us;
    r->steps = 1;
    r->step_us = q->every_us;
    if (q->every_auto) {
        uint32_t most = o->auto_steps > 0 ? o->auto_steps : q->change ? (uint32_t)AUTO_CHANGE_STEPS : (uint32_t)AUTO_STEPS, i = 0;
        while (i + 1 < LADDER && (ladder_s[i] * US < unit || range / (ladder_s[i] * US) >= most)) {
            i++;
        }
        r->step_us = ladder_s[i] * US;
    }
    if (r->step_us == 0) {
        r->step_start_us = lq_alloc(2 * sizeof *r->step_start_us);
        r->step_start_us[0] = r->from_us;
        r->step_start_us[1] = r->to_us;
        return LQ_OK;
    }
    if (r->step_us % unit != 0) {
        char asked[32], given[32];
        int64_t was = r->step_us;
        r->step_us += unit - r->step_us % unit;
        duration_print(was, asked, sizeof asked);
        duration_print(r->step_us, given, sizeof given);
        lq_buf_printf(&r->notices, "every %s is rounded up to %s: %s\n", asked, given,
                      hourly ? "heaviest identities are kept by the hour" : finest == TIER_10S ? "buckets are 10 s long" : finest == TIER_1MIN && exec__asks_distinct(q) ? "distinct counts are kept by the minute"
                      : finest == TIER_1MIN ? "data this old are kept by the minute (10 s for 2 days)" : "data this old are kept by the hour (minutes for 35 days)");
    }
    int64_t first_local = floor_local(local_of(o->tz, r->from_us), r->step_us);
    int64_t n = (local_of(o->tz, r->to_us - 1) - first_local) / r->step_us + 1;
    if (n > RESULT_STEPS_MAX) {
        lq_error_set(e, LQ_ELIMIT, "%lld steps are too many: at most %d", (long long)n, RESULT_STEPS_MAX);
        lq_error_hint(e, "use a longer every or a shorter range (--since)");
        return LQ_ELIMIT;
    }
    r->steps = n > 0 ? (uint32_t)n : 1;
    r->step_start_us = lq_alloc(((size_t)r->steps + 1) * sizeof *r->step_start_us);
    fill_steps(r, o->tz, first_local);
    r->partial_first = o->from_us > r->step_start_us[0]; /* the range cuts it; that data begin inside it is no cut */
    r->partial_last = r->to_us < r->step_start_us[r->steps];
    return LQ_OK;
}

uint32_t exec__step_of(const struct result *r, int64_t time_us)
{
    if (r->step_us == 0 || time_us < r->step_start_us[0]) {
        return 0;
    }
    if (r->step_us <= 3600 * US) {
        int64_t k = (time_us - r->step_start_us[0]) / r->step_us;
        return k < r->steps ? (uint32_t)k : r->steps - 1;
    }
    uint32_t low = 0, high = r->steps - 1; /* the last step that begins at or before it */
    while (low < high) {
        uint32_t mid = low + (high - low + 1) / 2;
        if (r->step_start_us[mid] <= time_us) {
            low = mid;
        } else {
            high = mid - 1;
        }
    }
    return low;
}

double exec__step_seconds(const struct result *r, uint32_t step)
{
    int64_t from = r->step_start_us[step], to = r->step_start_us[step + 1];
    from = r->partial_first && step == 0 && r->from_us > from ? r->from_us : from;
    to = r->partial_last && step + 1 == r->steps && r->to_us < to ? r->to_us : to;
    return to > from ? (double)(to - from) / US : 1;
}
