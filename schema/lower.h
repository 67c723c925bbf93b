/*
 * lower.h - a regex as a scanner: the first path that PCRE2 would try, and no other
 *
 * Most log patterns need no backtracking: each part stops where the next begins. Such a pattern is lowered at load time to a small
 * program of spans, literals and one-byte choices, which runs in a third of PCRE2's time.
 *
 * Why the meaning is the same: PCRE2 explores paths in a fixed order of preference (greedy: longest first; lazy: shortest first;
 * alternatives: left to right). The scanner follows only the first path: it gives up a choice without having advanced (the next byte cannot
 * begin that alternative - PCRE2 fails there at once too), and never otherwise. So when the scanner succeeds, PCRE2's first successful path
 * is that very path, with the same spans. When it fails, nothing is known, and the caller asks PCRE2.
 *
 * Understood: literals, escapes \d \w \s \S \D \W \t \. …, classes, '.', groups (named, numbered, non-capturing), alternatives, the
 * quantifiers ? * + {n} {n,} {n,m} on single bytes, ? * + on groups (whose body is not empty), lazy quantifiers on single bytes
 * before a literal, ^ at the beginning, $ and \z. Anything else: not lowered.
 *
 * Checked against PCRE2 by tests/unit/test_lower.c and tests/fuzz/fuzz_lower.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_LOWER_H
#define LQ_LOWER_H

#include "schema/base/buf.h"

enum { LOWER_GROUPS_MAX = 64 };
#define LOWER_UNSET UINT32_MAX

struct lower; /* immutable, shared between threads */

/* NULL: the pattern is not understood. The pattern must be valid for PCRE2 (byte mode, anchored, PCRE2_DOLLAR_ENDONLY, no other
 * option) and is read with those options. */
struct lower *lower_new(lq_str pattern);
void lower_free(struct lower **l);
uint32_t lower_groups(const struct lower *l); /* capturing groups */
/* true: spans[2g], spans[2g+1] are the start and end of group g (0 = whole match), LOWER_UNSET where the group took no part;
 * spans has room for 2 * (groups + 1). false: unknown, ask PCRE2. Lines of up to 4 GiB - 2. */
bool lower_match(const struct lower *l, lq_str line, uint32_t *spans);

#endif
