/*
 * lower_run.c - run a scanner program over a line (lower.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/lower_int.h"

#ifdef __SSE2__
#include <emmintrin.h>

/* The first byte of [p, end) in one of n stop ranges, or where fewer than 16 bytes are left. */
static inline __attribute__((always_inline)) const char *skip_ranges(const struct stops *s, const unsigned n, const char *p, const char *end)
{
    __m128i low[STOPS_MAX], high[STOPS_MAX];
    for (unsigned k = 0; k < n; k++) {
        low[k] = _mm_set1_epi8((char)s->low[k]);
        high[k] = _mm_set1_epi8((char)s->high[k]);
    }
    for (; end - p >= 16; p += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p), stop = _mm_setzero_si128();
        for (unsigned k = 0; k < n; k++) { /* in the range: clamping leaves it as it is */
            stop = _mm_or_si128(stop, _mm_cmpeq_epi8(_mm_min_epu8(_mm_max_epu8(x, low[k]), high[k]), x));
        }
        unsigned mask = (unsigned)_mm_movemask_epi8(stop);
        if (mask != 0) {
            return p + __builtin_ctz(mask);
        }
    }
    return p;
}

static inline const char *skip_by_16(const struct stops *s, const char *p, const char *end)
{
    return s->n == 1 ? skip_ranges(s, 1, p, end) : s->n == 2 ? skip_ranges(s, 2, p, end) : skip_ranges(s, 3, p, end);
}
#else
static inline const char *skip_by_16(const struct stops *s, const char *p, const char *end)
{
    (void)s;
    (void)end;
    return p;
}
#endif

static inline const char *run_span(const struct lower *l, const struct op *o, const char *p, const char *end)
{
    const uint8_t *has = l->classes[o->arg].has;
    const char *limit = o->max < (size_t)(end - p) ? p + o->max : end, *q = p;
    if (l->stops[o->arg].n > 0 && limit - q >= 16) {
        q = skip_by_16(&l->stops[o->arg], q, limit);
    }
    while (q < limit && has[(uint8_t)*q]) {
        q++;
    }
    return (size_t)(q - p) < o->min ? NULL : q;
}

static inline const char *run_lazy(const struct lower *l, const struct op *o, const char *p, const char *end)
{
    const uint8_t *has = l->classes[o->arg].has;
    const char *limit = o->max < (size_t)(end - p) ? p + o->max : end;
    for (const char *q = p;; q++) {
        if ((size_t)(q - p) >= o->min && q < end && (uint8_t)*q == o->n) {
            return q;
        }
        if (q >= limit || !has[(uint8_t)*q]) {
            return NULL;
        }
    }
}

bool lower_match(const struct lower *l, lq_str line, uint32_t *spans)
{
    const char *start = line.p, *p = start, *end = start + line.n;
    memset(spans, 0xff, 2 * (l->n_groups + 1) * sizeof *spans);
    for (const struct op *o = l->ops;;) {
        switch (o->code) {
        case OP_LITERAL:
            if ((size_t)(end - p) < o->n) {
                return false;
            }
            for (unsigned i = 0; i < o->n; i++) {
                if (p[i] != l->literals[o->arg + i]) {
                    return false;
                }
            }
            p += o->n;
            break;
        case OP_SET:
            if (p == end || !l->classes[o->arg].has[(uint8_t)*p]) {
                return false;
            }
            p++;
            break;
        case OP_SPAN:
            p = run_span(l, o, p, end);
            if (p == NULL) {
                return false;
            }
            break;
        case OP_LAZY:
            p = run_lazy(l, o, p, end);
            if (p == NULL) {
                return false;
            }
            break;
        case OP_SAVE:
            spans[o->arg] = (uint32_t)(p - start);
            break;
        case OP_CHOICE: {
            uint16_t to = l->choices[o->arg][p < end ? (unsigned)(uint8_t)*p : 256U];
            if (to == NO_PATH) {
                return false;
            }
            o = &l->ops[to];
            continue;
        }
        case OP_JUMP:
            o = &l->ops[o->arg];
            continue;
        case OP_END:
            if (p != end) {
                return false;
            }
            break;
        default: /* OP_MATCH */
            spans[0] = 0;
            spans[1] = (uint32_t)(p - start);
            return true;
        }
        o++;
    }
}
