/*
 * test_lower.c - which patterns are lowered, and that the spans are PCRE2's
 *
 * SPDX-License-Identifier: MIT
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <criterion/criterion.h>
#include <pcre2.h>
#include <stdio.h>

#include "schema/lower.h"

static const char combined[] =
    "^(?<client>\\S+) \\S+ (?<user>\\S+) \\[(?<time>[^\\]]+)\\] \"(?:(?<method>[A-Z]+) (?<path>[^ \"]+)(?: (?<protocol>[^\"]*))?)\" "
    "(?<status>\\d{3}) (?<bytes>\\d+|-) \"(?<referer>[^\"\\\\]*(?:\\\\.[^\"\\\\]*)*)\" \"(?<agent>[^\"\\\\]*(?:\\\\.[^\"\\\\]*)*)\"$";

static const struct {
    const char *pattern, *text;
    bool lowered, matches; /* matches: the scanner alone finds it */
} cases[] = {
    {combined, "1.2.3.4 - bob [17/May/2015:10:05:03 +0000] \"GET /a?b HTTP/1.1\" 200 12 \"-\" \"x \\\" y\"", true, true},
    {combined, "1.2.3.4 - - [17/May/2015:10:05:03 +0000] \"GET /a\" 404 - \"\" \"\"", true, true},
    {combined, "1.2.3.4 - - [17/May/2015:10:05:03 +0000] \"-\" 404 - \"\" \"\"", true, false},
    {"(a+)(b*)c?", "aabbb", true, true},
    {"(?:(a)|b)*$", "abab", true, true},
    {"(?:ab|ac)d", "acd", true, false}, /* PCRE2 backtracks into the second alternative */
    {"[^]x]+]", "ab]", true, true},
    {"[a-c\\d_-]+", "a1-_d", true, true},
    {"(.*?):(.*)", "key: value: x", true, true},
    {"(\\w+) (\\w+)? *end\\z", "one two end", true, true},
    {"x{2,3}y", "xxxy", true, true},
    {"(?P<n>\\d{1,3})(?:\\.\\d{1,3}){0,1}", "12.7", true, true},
    {"(a|b|)c", "c", true, true},
    {"(?:\\[(\\d+)\\])?: (.*)$", ": m", true, true},
    {"(?=a)a", "a", false, false},
    {"(a)\\1", "aa", false, false},
    {"(?i)a", "a", false, false},
    {"a\\b", "a", false, false},
    {"(a*)*", "aa", false, false},
    {"[[:alpha:]]+", "a", false, false},
};

Test(lower, spans_equal_pcre2)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lower *l = lower_new(lq_str_of(cases[i].pattern));
        lq_str text = lq_str_of(cases[i].text);
        uint32_t spans[2 * (LOWER_GROUPS_MAX + 1)];
        cr_expect(cases[i].lowered == (l != NULL), "case %zu: %s", i, cases[i].pattern);
        if (l == NULL) {
            continue;
        }
        cr_expect(lower_match(l, text, spans) == cases[i].matches, "case %zu: %s", i, cases[i].pattern);
        if (cases[i].matches) {
            int code;
            PCRE2_SIZE at;
            pcre2_code *re = pcre2_compile((PCRE2_SPTR)cases[i].pattern, PCRE2_ZERO_TERMINATED, PCRE2_ANCHORED | PCRE2_DOLLAR_ENDONLY,
                                           &code, &at, NULL);
            cr_assert(re != NULL, "case %zu", i);
            pcre2_match_data *md = pcre2_match_data_create_from_pattern(re, NULL);
            int rc = pcre2_match(re, (PCRE2_SPTR)text.p, text.n, 0, 0, md, NULL);
            cr_expect(rc > 0);
            const PCRE2_SIZE *ov = pcre2_get_ovector_pointer(md);
            for (uint32_t g = 0; g <= lower_groups(l); g++) {
                bool set = (int)g < rc && ov[2 * g] != PCRE2_UNSET;
                cr_expect(set == (spans[2 * g] != LOWER_UNSET), "case %zu group %u", i, g);
                cr_expect(!set || (ov[2 * g] == spans[2 * g] && ov[2 * g + 1] == spans[2 * g + 1]), "case %zu group %u", i, g);
            }
            pcre2_match_data_free(md);
            pcre2_code_free(re);
        }
        lower_free(&l);
    }
}

Test(lower, patterns_of_every_size_are_bounded)
{
    struct lq_buf b = {0};
    for (int i = 0; i < 2000; i++) {
        lq_buf_str(&b, "(?:a|b)*c");
    }
    struct lower *l = lower_new((lq_str){b.p, b.n});
    cr_expect(l == NULL, "over the limits: left to PCRE2");
    lq_buf_fini(&b);
}
