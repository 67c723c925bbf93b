/*
 * why_other.c - no request fails more than usual, but does a program complain? A job that fails answers nobody
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "query/change/why_int.h"

enum { ERRORS_MIN = 10 };

static bool onset_in(const struct why *y, const char *stream, struct incident *out)
{
    struct why_options o = *y->o;
    struct why_answer a = {.from_us = y->a->from_us, .to_us = y->a->to_us};
    struct why other = {.s = y->s, .a = &a, .o = &o};
    struct lq_error e = {0};
    o.target = why__printf(&a, "stream = %s | errors", stream);
    bool found = why__read_target(&other, &e) == LQ_OK && why__find_onset(&other);
    if (found) {
        *out = *why__incident(&other);
    }
    free(other.t.num);
    free(other.t.den);
    free(other.t.seen);
    lq_arena_fini(&a.mem);
    return found;
}

void why__streams_hint(struct why *y)
{
    const char *name = NULL;
    struct incident x, most = {0};
    for (uint32_t i = 0; i < snapshot_streams(y->s) && y->a->requests_kind && !why__over(y); i++) {
        const struct stream_info *info = snapshot_stream(y->s, i);
        if (info->schema->kind == STREAM_EVENTS && info->errors >= ERRORS_MIN && onset_in(y, info->schema->name, &x) &&
            (name == NULL || x.severity > most.severity ||
             (x.severity == most.severity && strcmp(info->schema->name, name) < 0))) {
            name = info->schema->name;
            most = x;
        }
    }
    if (name != NULL) {
        char at[32];
        time_print_utc(most.time_us, at);
        why__notice(y->a, why__printf(y->a,
                                      "but errors in %s rose: %s of its records before %s, %s since; what changed "
                                      "before that: --target \"stream = %s | errors\"",
                                      name, why__percent(y, most.before), at, why__percent(y, most.after), name));
    }
}
