/*
 * lower_int.h - the program of a lowered pattern, shared by lower.c, lower_fuse.c and lower_run.c
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_LOWER_INT_H
#define LQ_LOWER_INT_H

#include "schema/lower.h"

enum { OPS_MAX = 1024, CLASSES_MAX = 128, CHOICES_MAX = 64, LITERALS_MAX = 512 };

struct byte_set {
    uint8_t has[256];
};

/* The bytes that end a span of a class, as ranges: most classes of real patterns (\d, \S, [^ "], [A-Z]) need three or fewer, and 16 bytes are then tested at once. */
enum { STOPS_MAX = 3 };
struct stops {
    _Alignas(16) uint8_t low[STOPS_MAX][16], high[STOPS_MAX][16]; /* each bound 16 times, ready for a register */
    uint8_t n;                                                    /* 0: more ranges than that, or none */
    bool one_byte;                                                /* every range is a single byte */
    bool within; /* low[0] to high[0] is the class itself, and all else stops */
};

enum op_code {
    OP_LITERAL,     /* n bytes at lit + arg */
    OP_SET,         /* one byte of class arg */
    OP_SPAN,        /* min..max bytes of class arg, greedy; byte by byte */
    OP_SPAN_1,      /* the same without a max, 16 bytes at a time: the class ends at one byte, */
    OP_SPAN_2,      /* at two, */
    OP_SPAN_WITHIN, /* outside one range, */
    OP_SPAN_RANGES, /* or at up to STOPS_MAX ranges */
    OP_BYTE,        /* the byte n: a literal of one */
    OP_LAZY,        /* min..max bytes of class arg, as few as possible until byte n follows */
    OP_SAVE,        /* spans[arg] = here */
    OP_CHOICE,      /* jump by choices[arg][byte or 256] */
    OP_JUMP,        /* to arg */
    OP_END,         /* end of the line only */
    OP_MATCH,
};

struct op {
    uint8_t code;
    uint8_t n;
    uint16_t arg;
    bool then; /* OP_SPAN…: the byte n must follow, and is taken too */
    uint16_t before,
        after; /* OP_SPAN…: spans[] entries to set at its start and at its end; NO_SAVE: 1, which the match sets at last */
    uint32_t min, max;
    const uint8_t *has;        /* OP_SET, OP_SPAN…, OP_LAZY: the class, */
    const struct stops *stops; /* and what ends it */
};

#define NO_PATH UINT16_MAX
#define NO_SAVE 1

struct lower {
    struct op ops[OPS_MAX];
    struct byte_set classes[CLASSES_MAX];
    struct stops stops[CLASSES_MAX]; /* of each class */
    uint16_t choices[CHOICES_MAX][257];
    char literals[LITERALS_MAX];
    uint32_t n_ops, n_classes, n_choices, n_literals, n_groups;
};

/* lower_fuse.c: the finished program made faster: a span takes the saves beside it, and its class decides how it is run. */
void lower__fuse(struct lower *l);

#endif
