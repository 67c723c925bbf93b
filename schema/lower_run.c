/*
 * lower_run.c - run a scanner program over a line (lower.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/lower_int.h"

static inline const char *span_bytes(const uint8_t *has, const char *p, const char *end)
{
    while (p < end && has[(uint8_t)*p]) {
        p++;
    }
    return p;
}

#ifdef __SSE2__
#include <emmintrin.h>

/* Bit i: byte i of the 16 at p ends the span. `code` is a constant where this is inlined. */
static inline __attribute__((always_inline)) unsigned stop_mask(const struct stops *s, enum op_code code, const char *p)
{
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
    const __m128i *low = (const __m128i *)(const void *)s->low, *high = (const __m128i *)(const void *)s->high;
    if (code == OP_SPAN_1) {
        return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, low[0]));
    }
    if (code == OP_SPAN_2) {
        return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(x, low[0]), _mm_cmpeq_epi8(x, low[1])));
    }
    if (code == OP_SPAN_WITHIN) {
        return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(_mm_max_epu8(x, low[0]), high[0]), x)) ^ 0xffff;
    }
    __m128i stop = _mm_setzero_si128();
    for (unsigned k = 0; k < s->n; k++) { /* in the range: clamping leaves it as it is */
        stop = _mm_or_si128(stop, _mm_cmpeq_epi8(_mm_min_epu8(_mm_max_epu8(x, low[k]), high[k]), x));
    }
    return (unsigned)_mm_movemask_epi8(stop);
}

/* The end of the span that begins at p. Near the end of the line the last 16 bytes are looked at again: nothing beyond
 * it is read. */
static inline __attribute__((always_inline)) const char *span_by_16(const struct op *o, enum op_code code,
                                                                    const char *start, const char *p, const char *end)
{
    const struct stops *s = o->stops;
    for (; end - p >= 16; p += 16) {
        unsigned mask = stop_mask(s, code, p);
        if (mask != 0) {
            return p + __builtin_ctz(mask);
        }
    }
    if (p == end || end - start < 16) {
        return span_bytes(o->has, p, end);
    }
    unsigned mask = stop_mask(s, code, end - 16) >> (16 - (end - p));
    return mask != 0 ? p + __builtin_ctz(mask) : end;
}
#else
static inline const char *span_by_16(const struct op *o, enum op_code code, const char *start, const char *p,
                                     const char *end)
{
    (void)code;
    (void)start;
    return span_bytes(o->has, p, end);
}
#endif

/* The span and what is fused with it. NULL: fewer than the least, or another byte follows. */
static inline __attribute__((always_inline)) const char *run_span(const struct op *o, enum op_code code, lq_str line,
                                                                  const char *p, uint32_t *spans)
{
    const char *start = line.p, *end = start + line.n, *q;
    spans[o->before] = (uint32_t)(p - start);
    if (code == OP_SPAN) {
        q = span_bytes(o->has, p, o->max < (size_t)(end - p) ? p + o->max : end);
    } else {
        q = span_by_16(o, code, start, p, end);
    }
    if ((size_t)(q - p) < o->min) {
        return NULL;
    }
    spans[o->after] = (uint32_t)(q - start);
    if (o->then) {
        return q < end && (uint8_t)*q == o->n ? q + 1 : NULL;
    }
    return q;
}

static inline const char *run_lazy(const struct op *o, const char *p, const char *end)
{
    const uint8_t *has = o->has;
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

#define RUN_SPAN(code)                                                                                                 \
    p = run_span(o, (code), line, p, spans);                                                                           \
    if (p == NULL) {                                                                                                   \
        return false;                                                                                                  \
    }                                                                                                                  \
    break

bool lower_match(const struct lower *l, lq_str line, uint32_t *spans)
{
    const char *start = line.p, *p = start, *end = start + line.n;
    memset(spans, 0xff, 2 * (l->n_groups + 1) * sizeof *spans);
    for (const struct op *o = l->ops;;) {
        switch ((enum op_code)o->code) {
        case OP_BYTE:
            if (p == end || (uint8_t)*p != o->n) {
                return false;
            }
            p++;
            break;
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
            if (p == end || !o->has[(uint8_t)*p]) {
                return false;
            }
            p++;
            break;
        case OP_SPAN:
            RUN_SPAN(OP_SPAN);
        case OP_SPAN_1:
            RUN_SPAN(OP_SPAN_1);
        case OP_SPAN_2:
            RUN_SPAN(OP_SPAN_2);
        case OP_SPAN_WITHIN:
            RUN_SPAN(OP_SPAN_WITHIN);
        case OP_SPAN_RANGES:
            RUN_SPAN(OP_SPAN_RANGES);
        case OP_LAZY:
            p = run_lazy(o, p, end);
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
        case OP_MATCH:
            spans[0] = 0;
            spans[1] = (uint32_t)(p - start);
            return true;
        }
        o++;
    }
}
