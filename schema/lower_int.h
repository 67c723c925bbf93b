/*
 * lower_int.h - the program of a lowered pattern, shared by lower.c and lower_run.c
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
    uint8_t n, low[STOPS_MAX], high[STOPS_MAX]; /* n = 0: more ranges than that, or none */
};

enum op_code {
    OP_LITERAL,    /* n bytes at lit + arg */
    OP_SET,        /* one byte of class arg */
    OP_SPAN,       /* min..max bytes of class arg, greedy */
    OP_LAZY,       /* min..max bytes of class arg, as few as possible until byte n follows */
    OP_SAVE,       /* spans[arg] = here */
    OP_CHOICE,     /* jump by choices[arg][byte or 256] */
    OP_JUMP,       /* to arg */
    OP_END,        /* end of the line only */
    OP_MATCH,
};

struct op {
    uint8_t code;
    uint8_t n;
    uint16_t arg;
    uint32_t min, max;
};

#define NO_PATH UINT16_MAX

struct lower {
    struct op ops[OPS_MAX];
    struct byte_set classes[CLASSES_MAX];
    struct stops stops[CLASSES_MAX]; /* of each class */
    uint16_t choices[CHOICES_MAX][257];
    char literals[LITERALS_MAX];
    uint32_t n_ops, n_classes, n_choices, n_literals, n_groups;
};

#endif
