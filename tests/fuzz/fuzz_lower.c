/*
 * fuzz_lower.c - the scanner against PCRE2: first line of the input is the pattern, the rest the text
 *
 * Where the scanner says yes, PCRE2 must say yes with the same spans. (Where it says no, PCRE2 decides: nothing to check.)
 *
 * SPDX-License-Identifier: MIT
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#include "schema/lower.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nl = size > 0 ? memchr(data, '\n', size) : NULL;
    if (nl == NULL || nl - data > 300) {
        return 0;
    }
    lq_str pattern = {(const char *)data, (size_t)(nl - data)};
    lq_str text = {(const char *)nl + 1, size - pattern.n - 1};
    int code;
    PCRE2_SIZE at;
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, PCRE2_ANCHORED | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF, &code, &at, NULL);
    if (re == NULL) {
        return 0;
    }
    struct lower *l = lower_new(pattern);
    uint32_t spans[2 * (LOWER_GROUPS_MAX + 1)];
    if (l != NULL && lower_match(l, text, spans)) {
        pcre2_match_data *md = pcre2_match_data_create_from_pattern(re, NULL);
        pcre2_match_context *mc = pcre2_match_context_create(NULL);
        pcre2_set_match_limit(mc, 1000000);
        int rc = pcre2_match(re, (PCRE2_SPTR)text.p, text.n, 0, 0, md, mc);
        if (rc != PCRE2_ERROR_MATCHLIMIT) {
            PCRE2_SIZE *ov = pcre2_get_ovector_pointer(md);
            LQ_ASSERT(rc > 0);
            for (uint32_t g = 0; g <= lower_groups(l); g++) {
                bool set = (int)g < rc && ov[2 * g] != PCRE2_UNSET;
                LQ_ASSERT(set == (spans[2 * g] != LOWER_UNSET && spans[2 * g + 1] != LOWER_UNSET));
                LQ_ASSERT(!set || (ov[2 * g] == spans[2 * g] && ov[2 * g + 1] == spans[2 * g + 1]));
            }
        }
        pcre2_match_context_free(mc);
        pcre2_match_data_free(md);
    }
    lower_free(&l);
    pcre2_code_free(re);
    return 0;
}
