/*
 * why_kin.c - what somebody did, and what the failures say: do they speak of the same thing?
 *
 * "Rotated secret payments/password", and an hour later "payments: password authentication failed": the words that two
 * messages share say the more, the fewer other messages have them (inverse document frequency, K. Sparck Jones, 1972).
 * A word counts that hardly any message has besides these. Programs that start say their own name and nothing else, so
 * releases and restarts are asked only where a message other than a start reports them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <strings.h>

#include "query/change/why_int.h"

enum { WORD_MIN = 4, COMMON = 4, KIN_MESSAGES = 24, BEFORE_S = 3600 };

static bool same_word(lq_str a, lq_str b)
{
    return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0;
}

static bool has_word(lq_str text, lq_str word)
{
    lq_str w;
    while (why__next_word(&text, &w)) {
        if (same_word(w, word)) {
            return true;
        }
    }
    return false;
}

/* No more messages than a few have it, of all streams. */
static bool rare_word(const struct why *y, lq_str word)
{
    uint32_t n = 0;
    for (uint32_t k = 0; k < y->far.n_streams; k++) {
        const struct grid_stream *st = &y->far.streams[k];
        for (uint32_t i = 0; i < st->n_series && n <= COMMON; i++) {
            const struct grid_series *x = &st->series[i];
            n += why__is_template(st->info->schema, x->dim) &&
                 has_word(snapshot_value(y->s, st->info->id, x->dim, x->value)->text, word);
        }
    }
    return n <= COMMON;
}

static const char *shared_word(struct why *y, lq_str a, lq_str b)
{
    lq_str w;
    while (why__next_word(&a, &w)) {
        if (w.n >= WORD_MIN && !why__word_of_any_failure(w) && has_word(b, w) && rare_word(y, w)) {
            return why__printf(y->a, "%.*s", (int)w.n, w.p);
        }
    }
    return NULL;
}

static bool of_failures(const struct why *y, const struct finding *f)
{
    bool rises =
        f->shape == FINDING_NEW || f->shape == FINDING_TREND || (f->shape == FINDING_STEP && f->after > f->before);
    return f->accepted && f->message && !f->routine && rises &&
           f->time_us >= why__incident(y)->low_us - BEFORE_S * US &&
           (f->failing || f->cause != NULL || why__complains(y, f->stream, f->value) > 0);
}

void why__find_kin(struct why *y)
{
    size_t seen = 0;
    for (size_t j = 0; j < y->n_findings && seen < KIN_MESSAGES && !why__over(y); j++) {
        struct finding *f = &y->findings[j];
        if (!of_failures(y, f)) {
            continue;
        }
        seen++;
        for (uint32_t i = y->n_events; i-- > 0;) { /* the last one that speaks of it */
            struct event *e = &y->events[i];
            bool deed = e->text != NULL && e->kind != EVENT_RESTART && e->time_us <= f->time_us &&
                        !(e->stream == f->stream && e->dim == f->dim && e->value == f->value);
            const char *word = deed ? shared_word(y, lq_str_of(e->said != NULL ? e->said : e->text), f->text) : NULL;
            if (word != NULL) {
                e->kin = word;
                f->event = (int)i;
                break;
            }
        }
    }
}
