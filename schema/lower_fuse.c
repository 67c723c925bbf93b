/*
 * lower_fuse.c - a lowered program made faster, with the same meaning (lower_int.h)
 *
 * Half of the operations of a line pattern are saves around spans. A save joins the span after it, and the span takes
 * the save after that, unless something jumps in between. Saves and dispatch cost a third of a match before.
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/lower_int.h"

static struct stops stops_of(const struct byte_set *set)
{
    struct stops s = {.one_byte = true};
    for (int b = 0; b < 256; b++) {
        if (set->has[b]) {
            continue;
        }
        int low = b;
        while (b + 1 < 256 && !set->has[b + 1]) {
            b++;
        }
        if (s.n == STOPS_MAX) {
            return (struct stops){0};
        }
        memset(s.low[s.n], low, sizeof s.low[0]);
        memset(s.high[s.n], b, sizeof s.high[0]);
        s.one_byte = s.one_byte && low == b;
        s.n++;
    }
    return s;
}

/* Turns the stops of a class that is one range (\d, [A-Z]) into that range. */
static void within(struct stops *s)
{
    bool two = s->n == 2 && s->low[0][0] == 0 && s->high[1][0] == 255;
    if (two) {
        int low = s->high[0][0] + 1, high = s->low[1][0] - 1;
        memset(s->low[0], low, sizeof s->low[0]);
        memset(s->high[0], high, sizeof s->high[0]);
        s->within = true;
    }
}

static uint8_t span_code(const struct stops *s, uint32_t max)
{
    if (s->n == 0 || max != UINT32_MAX) { /* \d{3} and the like are short */
        return OP_SPAN;
    }
    if (s->within) {
        return OP_SPAN_WITHIN;
    }
    return s->one_byte && s->n == 1 ? OP_SPAN_1 : s->one_byte && s->n == 2 ? OP_SPAN_2 : OP_SPAN_RANGES;
}

static void mark_targets(const struct lower *l, bool *target)
{
    for (uint32_t i = 0; i < l->n_ops; i++) {
        if (l->ops[i].code == OP_JUMP) {
            target[l->ops[i].arg] = true;
        }
    }
    for (uint32_t c = 0; c < l->n_choices; c++) {
        for (uint32_t b = 0; b < 257; b++) {
            if (l->choices[c][b] != NO_PATH) {
                target[l->choices[c][b]] = true;
            }
        }
    }
}

static void move_targets(struct lower *l, const uint16_t *moved)
{
    for (uint32_t i = 0; i < l->n_ops; i++) {
        if (l->ops[i].code == OP_JUMP) {
            l->ops[i].arg = moved[l->ops[i].arg];
        }
    }
    for (uint32_t c = 0; c < l->n_choices; c++) {
        for (uint32_t b = 0; b < 257; b++) {
            uint16_t *t = &l->choices[c][b];
            *t = *t != NO_PATH ? moved[*t] : NO_PATH;
        }
    }
}

void lower__fuse(struct lower *l)
{
    bool target[OPS_MAX] = {false};
    uint16_t moved[OPS_MAX] = {0};
    uint32_t n = 0;
    for (uint32_t c = 0; c < l->n_classes; c++) {
        l->stops[c] = stops_of(&l->classes[c]);
        within(&l->stops[c]);
    }
    mark_targets(l, target);
    for (uint32_t i = 0; i < l->n_ops; i++) {
        struct op o = l->ops[i];
        bool last = i + 1 == l->n_ops;
        moved[i] = (uint16_t)n;
        if (o.code == OP_SAVE && !last && l->ops[i + 1].code == OP_SPAN && !target[i + 1]) {
            uint16_t save = o.arg;
            o = l->ops[++i];
            o.before = save;
            moved[i] = (uint16_t)n;
            last = i + 1 == l->n_ops;
        }
        if (o.code == OP_SPAN && !last && l->ops[i + 1].code == OP_SAVE && !target[i + 1]) {
            o.after = l->ops[++i].arg;
            moved[i] = (uint16_t)n;
        }
        last = i + 1 == l->n_ops;
        if (o.code == OP_SPAN && !last && l->ops[i + 1].code == OP_LITERAL && l->ops[i + 1].n == 1 && !target[i + 1]) {
            o.then = true;
            o.n = (uint8_t)l->literals[l->ops[++i].arg];
        }
        if (o.code == OP_SPAN || o.code == OP_SET || o.code == OP_LAZY) {
            o.has = l->classes[o.arg].has;
            o.stops = &l->stops[o.arg];
        }
        if (o.code == OP_SPAN) {
            o.code = span_code(o.stops, o.max);
        }
        if (o.code == OP_LITERAL && o.n == 1) {
            o.code = OP_BYTE;
            o.n = (uint8_t)l->literals[o.arg];
        }
        l->ops[n++] = o;
    }
    l->n_ops = n;
    move_targets(l, moved);
}
