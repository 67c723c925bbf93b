/*
 * format_regex.c - PCRE2: the only file that knows it
 *
 * Byte mode, JIT, match, depth and heap limits. Line patterns are anchored and first tried as a scanner (lower.h).
 *
 * SPDX-License-Identifier: MIT
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#include "schema/format_int.h"

enum { HEAP_LIMIT_KIB = 8192, REGEX_MATCH_LIMIT = 200000, REGEX_DEPTH_LIMIT = 2000, JIT_STACK_START = 32 * 1024, JIT_STACK_MAX = 512 * 1024 };

struct matcher {
    pcre2_code *code;
    bool jit;
    struct lower *lower;
    uint32_t groups, match_limit, depth_limit;
};
struct match_state {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

static enum lq_err compile_error(int code, PCRE2_SIZE at, struct lq_error *e)
{
    PCRE2_UCHAR text[200];
    pcre2_get_error_message(code, text, sizeof text);
    return lq_error_set(e, LQ_EINVAL, "bad regex: %s at byte %zu", (const char *)text, (size_t)at + 1);
}

enum lq_err matcher_new(const char *pattern, bool anchored, uint32_t match_limit, uint32_t depth_limit, struct matcher **out, size_t *error_at, struct lq_error *e)
{
    int code;
    PCRE2_SIZE at = 0;
    uint32_t groups = 0;
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, (anchored ? PCRE2_ANCHORED | PCRE2_DOLLAR_ENDONLY : 0) | PCRE2_NEVER_UTF,
                                   &code, &at, NULL);
    *error_at = at;
    if (re == NULL) {
        return compile_error(code, at, e);
    }
    pcre2_pattern_info(re, PCRE2_INFO_CAPTURECOUNT, &groups);
    if (groups > GROUP_MAX) {
        pcre2_code_free(re);
        return lq_error_set(e, LQ_EINVAL, "the pattern has %u groups; at most %d", groups, GROUP_MAX);
    }
    struct matcher *m = lq_alloc(sizeof *m);
    m->code = re;
    m->groups = groups;
    m->match_limit = match_limit;
    m->depth_limit = depth_limit;
    m->jit = pcre2_jit_compile(re, PCRE2_JIT_COMPLETE) == 0; /* without JIT it is slower, not wrong */
    m->lower = anchored ? lower_new(lq_str_of(pattern)) : NULL;
    if (m->lower != NULL && lower_groups(m->lower) != groups) {
        lower_free(&m->lower);
    }
    *out = m;
    return LQ_OK;
}

void matcher_free(struct matcher **m)
{
    if (*m != NULL) {
        pcre2_code_free((*m)->code);
        lower_free(&(*m)->lower);
        free(*m);
        *m = NULL;
    }
}

uint32_t matcher_group(const struct matcher *m, const char *name)
{
    int n = pcre2_substring_number_from_name(m->code, (PCRE2_SPTR)name);
    return n > 0 ? (uint32_t)n : 0;
}

uint32_t matcher_groups(const struct matcher *m)
{
    return m->groups;
}

bool matcher_lowered(const struct matcher *m)
{
    return m->lower != NULL;
}

static struct match_state *state_new(const pcre2_code *code, uint32_t match_limit, uint32_t depth_limit)
{
    struct match_state *s = lq_alloc(sizeof *s);
    s->data = code != NULL ? pcre2_match_data_create_from_pattern(code, NULL) : pcre2_match_data_create(GROUP_MAX + 1, NULL);
    s->context = pcre2_match_context_create(NULL);
    s->stack = pcre2_jit_stack_create(JIT_STACK_START, JIT_STACK_MAX, NULL);
    LQ_ASSERT(s->data != NULL && s->context != NULL);
    pcre2_set_match_limit(s->context, match_limit);
    pcre2_set_depth_limit(s->context, depth_limit);
    pcre2_set_heap_limit(s->context, HEAP_LIMIT_KIB);
    if (s->stack != NULL) {
        pcre2_jit_stack_assign(s->context, NULL, s->stack);
    }
    return s;
}

struct match_state *match_state_new(const struct matcher *m)
{
    return state_new(m != NULL ? m->code : NULL, m != NULL ? m->match_limit : REGEX_MATCH_LIMIT, m != NULL ? m->depth_limit : REGEX_DEPTH_LIMIT);
}

void match_state_free(struct match_state **s)
{
    if (*s != NULL) {
        pcre2_match_data_free((*s)->data);
        pcre2_match_context_free((*s)->context);
        pcre2_jit_stack_free((*s)->stack);
        free(*s);
        *s = NULL;
    }
}

enum match_result matcher_run(const struct matcher *m, struct match_state *s, lq_str line, uint32_t *spans)
{
    if (m->lower != NULL && lower_match(m->lower, line, spans)) {
        return MATCH_YES;
    }
    int rc = (m->jit ? pcre2_jit_match : pcre2_match)(m->code, (PCRE2_SPTR)line.p, line.n, 0, 0, s->data, s->context);
    if (rc == PCRE2_ERROR_NOMATCH) {
        return MATCH_NO;
    }
    if (rc < 0) {
        return MATCH_COSTLY; /* match, depth or heap limit, or the JIT stack */
    }
    const PCRE2_SIZE *ov = pcre2_get_ovector_pointer(s->data);
    for (uint32_t g = 0; g <= m->groups; g++) {
        bool set = (int)g < rc && ov[2 * g] != PCRE2_UNSET;
        spans[2 * g] = set ? (uint32_t)ov[2 * g] : LOWER_UNSET;
        spans[2 * g + 1] = set ? (uint32_t)ov[2 * g + 1] : LOWER_UNSET;
    }
    return MATCH_YES;
}

size_t matcher_reach(const struct matcher *m, lq_str line)
{
    struct match_state *s = match_state_new(m);
    size_t lo = 0, hi = line.n; /* the largest prefix that is a partial match; monotone because a prefix of a beginning is a beginning */
    while (lo < hi) {
        size_t mid = lo + (hi - lo + 1) / 2;
        int rc = pcre2_match(m->code, (PCRE2_SPTR)line.p, mid, 0, PCRE2_PARTIAL_HARD, s->data, s->context);
        if (rc == PCRE2_ERROR_PARTIAL || rc >= 0) {
            lo = mid;
        } else {
            hi = mid - 1;
        }
    }
    match_state_free(&s);
    return lo;
}

/* ---- a regex for others ---- */

struct lq_regex {
    pcre2_code *code;
    struct match_state *state;
};

enum lq_err lq_regex_new(lq_str pattern, struct lq_regex **out, struct lq_error *e)
{
    int code;
    PCRE2_SIZE at = 0;
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, PCRE2_NEVER_UTF, &code, &at, NULL);
    if (re == NULL) {
        enum lq_err err = compile_error(code, at, e);
        if (e != NULL) {
            e->column = (uint32_t)at + 1;
        }
        return err;
    }
    pcre2_jit_compile(re, PCRE2_JIT_COMPLETE);
    struct lq_regex *r = lq_alloc(sizeof *r);
    r->code = re;
    r->state = state_new(re, REGEX_MATCH_LIMIT, REGEX_DEPTH_LIMIT);
    *out = r;
    return LQ_OK;
}

void lq_regex_free(struct lq_regex **r)
{
    if (*r != NULL) {
        pcre2_code_free((*r)->code);
        match_state_free(&(*r)->state);
        free(*r);
        *r = NULL;
    }
}

bool lq_regex_match(const struct lq_regex *r, lq_str text)
{
    return pcre2_match(r->code, (PCRE2_SPTR)(text.n > 0 ? text.p : ""), text.n, 0, 0, r->state->data, r->state->context) >= 0;
}

size_t lq_regex_groups(const struct lq_regex *r, lq_str text, lq_str *groups, size_t cap)
{
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(r->code, NULL); /* of its own: formats share a regex between threads */
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    size_t n = 0;
    pcre2_set_match_limit(context, REGEX_MATCH_LIMIT);
    int rc = pcre2_match(r->code, (PCRE2_SPTR)(text.n > 0 ? text.p : ""), text.n, 0, 0, data, context);
    const PCRE2_SIZE *ov = pcre2_get_ovector_pointer(data);
    for (; (int)n < rc && n < cap; n++) {
        bool set = ov[2 * n] != PCRE2_UNSET;
        groups[n] = set ? (lq_str){text.p + ov[2 * n], ov[2 * n + 1] - ov[2 * n]} : (lq_str){"", 0};
    }
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    return n;
}
