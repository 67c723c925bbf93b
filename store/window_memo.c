/*
 * window_memo.c - records whose dimensions are known: one cache line for each sort of them in place of statistics and examples of every dimension
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/window_int.h"

#include <stdlib.h>

enum { MEMOS_MIN = 256, MEMOS_MAX = 8192 };

static void memo_settle(struct window_stream *ws, struct window_memo *m)
{
    const struct window_memo_dims *dims = &ws->memo_dims[m - ws->memos];
    for (uint32_t d = 0; d < ws->n_dims && m->count > 0; d++) {
        if (dims->ids[d] != VALUE_ABSENT) {
            struct value_stats *s = &ws->dims[d].stats[dims->ids[d]];
            s->first_us = m->first_us < s->first_us ? m->first_us : s->first_us;
            s->last_us = m->last_us > s->last_us ? m->last_us : s->last_us;
            s->count += m->count;
            s->flags |= dims->success ? VALUE_SUCCEEDED : 0;
        }
    }
    m->count = 0;
}

void window_memos_settle(struct window_stream *ws)
{
    for (uint32_t i = 0; ws->memos_used && i < ws->n_memos; i++) {
        if (ws->memos[i].memo != 0) {
            memo_settle(ws, &ws->memos[i]);
        }
    }
}

void window_memos_clear(struct window_stream *ws)
{
    if (ws->memos_used) {
        memset(ws->memos, 0, ws->n_memos * sizeof *ws->memos);
        ws->memos_used = false;
    }
}

/* Later, or as late with a larger hash. */
static bool after(struct sight *s, int64_t time_us, uint64_t hash)
{
    return s->r->time_us > time_us || (s->r->time_us == time_us && window__sight_hash(s) >= hash);
}

bool window_memo_covers(const struct window_memo *m, struct sight *s)
{
    const struct record *r = s->r;
    return after(s, m->first_us, m->first_hash) &&
           ((!r->error && !s->ws->messages) || (tier_period_of(TIER_1H, r->time_us / US) == m->day && after(s, m->day_time, m->day_hash)));
}

/* Few streams know many sorts of records: the places are as many as are needed, a window of 64 streams is not to take 80 MB. */
static void memos_grow(struct window_stream *ws)
{
    uint32_t n = ws->n_memos > 0 ? 2 * ws->n_memos : MEMOS_MIN;
    window_memos_settle(ws);
    free(ws->memos);
    free(ws->memo_dims);
    ws->memos = lq_alloc_pages(n * sizeof *ws->memos);
    memset(ws->memos, 0, n * sizeof *ws->memos);
    ws->memo_dims = lq_alloc(n * sizeof *ws->memo_dims);
    ws->n_memos = n;
    ws->memos_lost = 0;
}

struct window_memo *window_memo_of(struct window_stream *ws, uint64_t memo)
{
    if (ws->memos == NULL || (ws->memos_lost > ws->n_memos && ws->n_memos < MEMOS_MAX)) {
        memos_grow(ws);
    }
    return &ws->memos[memo & (ws->n_memos - 1)];
}

void window_memo_take(struct window_stream *ws, struct sight *sight, const uint32_t ids[DIM_MAX], uint32_t series)
{
    const struct record *r = sight->r;
    struct window_memo *m = window_memo_of(ws, r->memo);
    int64_t day = tier_period_of(TIER_1H, r->time_us / US);
    for (uint32_t d = 0; d < ws->n_dims; d++) {
        if (ids[d] == VALUE_OVERFLOW) {
            return; /* admitted later, perhaps; and each is counted */
        }
    }
    if (m->memo != r->memo) {
        if (m->memo != 0) {
            memo_settle(ws, m);
            ws->memos_lost++;
        }
        ws->memos_used = true;
        *m = (struct window_memo){.memo = r->memo,
                                  .first_us = r->time_us,
                                  .last_us = r->time_us,
                                  .first_hash = window__sight_hash(sight),
                                  .day = INT64_MIN,
                                  .series = series};
        struct window_memo_dims *dims = &ws->memo_dims[m - ws->memos];
        dims->success = r->success;
        memcpy(dims->ids, ids, sizeof dims->ids);
    }
    if (!after(sight, m->first_us, m->first_hash)) {
        m->first_us = r->time_us;
        m->first_hash = window__sight_hash(sight);
    }
    if ((r->error || ws->messages) && (m->day != day || !after(sight, m->day_time, m->day_hash))) {
        m->day = day;
        m->day_time = r->time_us;
        m->day_hash = window__sight_hash(sight);
    }
}
