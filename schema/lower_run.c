/*
 * lower_run.c - run a scanner program over a line (lower.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/lower_int.h"

static inline const char *run_span(const struct lower *l, const struct op *o, const char *p, const char *end)
{
    const uint8_t *has = l->classes[o->arg].has;
    const char *limit = o->max < (size_t)(end - p) ? p + o->max : end, *q = p;
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
        case OP_SPAN_UNTIL: {
            const char *limit = o->max < (size_t)(end - p) ? p + o->max : end;
            const char *q = p < limit ? memchr(p, o->n, (size_t)(limit - p)) : NULL;
            q = q != NULL ? q : limit;
            if ((size_t)(q - p) < o->min) {
                return false;
            }
            p = q;
            break;
        }
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
