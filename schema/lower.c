/*
 * lower.c - compile a regex to a scanner program (lower_run.c runs it)
 *
 * Two passes over a small syntax tree: parse (recursive descent, mirrors PCRE2's grammar for the part that is understood), then emit
 * with the set of first bytes of every node. A choice is a table of 256 + 1 entries (the last: end of line) that gives the target.
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/lower_int.h"

#include <stdlib.h>

enum { NODES_MAX = 512, DEPTH_MAX = 24, REPEAT_MAX = 1000 };

enum node_kind { NODE_EMPTY, NODE_SET, NODE_END, NODE_SEQ, NODE_ALT, NODE_GROUP, NODE_REPEAT };

struct node {
    enum node_kind kind;
    uint16_t a, b;     /* children (SEQ, ALT), child (GROUP, REPEAT) */
    uint16_t class_no; /* SET */
    uint16_t group;    /* GROUP: 0 = not capturing */
    uint32_t min, max; /* REPEAT; max UINT32_MAX = no limit */
    bool lazy;
};

struct compiler {
    struct lower *out;
    const char *p, *end;
    struct node nodes[NODES_MAX];
    uint32_t n_nodes;
    bool ok;
};

/* ---- parse ---- */

static uint16_t node_new(struct compiler *c, enum node_kind kind)
{
    if (c->n_nodes == NODES_MAX) {
        c->ok = false;
        return 0;
    }
    c->nodes[c->n_nodes] = (struct node){.kind = kind};
    return (uint16_t)c->n_nodes++;
}

static uint16_t set_node(struct compiler *c, const struct byte_set *set)
{
    struct lower *l = c->out;
    uint16_t n = node_new(c, NODE_SET), k = 0;
    while (k < l->n_classes && memcmp(&l->classes[k], set, sizeof *set) != 0) {
        k++;
    }
    if (k == l->n_classes) {
        if (k == CLASSES_MAX) {
            c->ok = false;
            return n;
        }
        l->classes[l->n_classes++] = *set;
    }
    c->nodes[n].class_no = k;
    return n;
}

/* Adds what \d, \w, \s (upper case: the complement) stands for; false: not one of them. */
static bool add_escape_class(struct byte_set *set, char e)
{
    for (int b = 0; b < 256; b++) {
        bool digit = b >= '0' && b <= '9';
        bool word = digit || b == '_' || (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z');
        bool space = b == ' ' || (b >= '\t' && b <= '\r');
        bool in;
        switch (e) {
        case 'd': in = digit; break;
        case 'D': in = !digit; break;
        case 'w': in = word; break;
        case 'W': in = !word; break;
        case 's': in = space; break;
        case 'S': in = !space; break;
        default: return false;
        }
        set->has[b] |= in;
    }
    return true;
}

/* The byte that an escape stands for, or -1. */
static int escape_byte(char e)
{
    switch (e) {
    case 't': return '\t';
    case 'n': return '\n';
    case 'r': return '\r';
    default:
        return (e >= '0' && e <= '9') || (e >= 'a' && e <= 'z') || (e >= 'A' && e <= 'Z') ? -1 : (unsigned char)e;
    }
}

/* After '['. One byte of a class; -1: not understood (or an escape class, which was added). */
static int class_byte(struct compiler *c, struct byte_set *set, bool *was_class)
{
    *was_class = false;
    char ch = *c->p++;
    if (ch == '[' && c->p < c->end && (*c->p == ':' || *c->p == '.' || *c->p == '=')) {
        c->ok = false;
        return -1;
    }
    if (ch != '\\') {
        return (unsigned char)ch;
    }
    if (c->p == c->end) {
        c->ok = false;
        return -1;
    }
    char e = *c->p++;
    if (add_escape_class(set, e)) {
        *was_class = true;
        return -1;
    }
    int b = escape_byte(e);
    c->ok = c->ok && b >= 0;
    return b;
}

static uint16_t parse_class(struct compiler *c)
{
    struct byte_set set = {{0}};
    bool negated = c->p < c->end && *c->p == '^', first = true, was_class;
    c->p += negated;
    while (c->ok && c->p < c->end && (first || *c->p != ']')) {
        first = false;
        int low = class_byte(c, &set, &was_class);
        if (was_class) {
            if (c->p + 1 < c->end && *c->p == '-' && c->p[1] != ']') {
                c->ok = false; /* [\d-x]: PCRE2 has its own rule */
            }
            continue;
        }
        int high = low;
        if (c->ok && c->p + 1 < c->end && *c->p == '-' && c->p[1] != ']') {
            c->p++;
            high = class_byte(c, &set, &was_class);
            if (was_class || high < low) {
                c->ok = false;
            }
        }
        for (int b = low; c->ok && b <= high; b++) {
            set.has[b] = 1;
        }
    }
    if (c->p == c->end) {
        c->ok = false;
        return 0;
    }
    c->p++;
    for (int b = 0; negated && b < 256; b++) {
        set.has[b] = !set.has[b];
    }
    return set_node(c, &set);
}

static uint16_t parse_alternatives(struct compiler *c, unsigned depth);

/* After '('. */
static uint16_t parse_group(struct compiler *c, unsigned depth)
{
    uint16_t group = 0;
    if (c->p < c->end && *c->p == '*') {
        c->ok = false;
        return 0;
    }
    if (c->p < c->end && *c->p == '?') {
        c->p++;
        if (c->p < c->end && *c->p == 'P') {
            c->p++;
        }
        if (c->p < c->end && *c->p == ':' && c->p[-1] == '?') {
            c->p++;
        } else if (c->p + 1 < c->end && *c->p == '<' && c->p[1] != '=' && c->p[1] != '!') {
            const char *close = memchr(c->p, '>', (size_t)(c->end - c->p));
            if (close == NULL) {
                c->ok = false;
                return 0;
            }
            c->p = close + 1;
            group = (uint16_t)++c->out->n_groups;
        } else {
            c->ok = false;
            return 0;
        }
    } else {
        group = (uint16_t)++c->out->n_groups;
    }
    if (c->out->n_groups >= LOWER_GROUPS_MAX) {
        c->ok = false;
        return 0;
    }
    uint16_t body = parse_alternatives(c, depth + 1);
    if (!c->ok || c->p == c->end || *c->p != ')') {
        c->ok = false;
        return 0;
    }
    c->p++;
    uint16_t n = node_new(c, NODE_GROUP);
    c->nodes[n].a = body;
    c->nodes[n].group = group;
    return n;
}

static uint16_t parse_atom(struct compiler *c, unsigned depth)
{
    struct byte_set set = {{0}};
    char ch = *c->p++;
    switch (ch) {
    case '(':
        return parse_group(c, depth);
    case '[':
        return parse_class(c);
    case '.':
        memset(&set, 1, sizeof set);
        set.has['\n'] = 0;
        return set_node(c, &set);
    case '$':
        return node_new(c, NODE_END);
    case '\\':
        if (c->p < c->end) {
            char e = *c->p++;
            if (e == 'z') {
                return node_new(c, NODE_END);
            }
            int b = escape_byte(e);
            if (b >= 0) {
                set.has[b] = 1;
                return set_node(c, &set);
            }
            if (add_escape_class(&set, e)) {
                return set_node(c, &set);
            }
        }
        break;
    case '^': case '*': case '+': case '?': case ')':
        break;
    default:
        set.has[(unsigned char)ch] = 1;
        return set_node(c, &set);
    }
    c->ok = false;
    return 0;
}

/* {n} {n,} {n,m}; false: not a quantifier (a literal brace), which is left alone. */
static bool parse_braces(struct compiler *c, uint32_t *min, uint32_t *max)
{
    const char *p = c->p + 1;
    uint32_t v[2] = {0, UINT32_MAX};
    int i = 0, digits = 0;
    for (; p < c->end && *p != '}'; p++) {
        if (*p >= '0' && *p <= '9') {
            v[i] = (digits++ == 0 ? 0 : v[i]) * 10 + (uint32_t)(*p - '0');
            if (v[i] > REPEAT_MAX) {
                c->ok = false;
                return false;
            }
        } else if (*p == ',' && i == 0 && digits > 0) {
            i = 1;
            digits = 0;
        } else {
            return false;
        }
    }
    if (p == c->end || (i == 0 && digits == 0)) {
        return false;
    }
    c->p = p + 1;
    *min = v[0];
    *max = i == 0 ? v[0] : v[1];
    return true;
}

static uint16_t parse_quantified(struct compiler *c, unsigned depth)
{
    uint16_t atom = parse_atom(c, depth);
    uint32_t min, max;
    if (!c->ok || c->p == c->end) {
        return atom;
    }
    switch (*c->p) {
    case '?': min = 0; max = 1; c->p++; break;
    case '*': min = 0; max = UINT32_MAX; c->p++; break;
    case '+': min = 1; max = UINT32_MAX; c->p++; break;
    case '{':
        if (!parse_braces(c, &min, &max)) {
            c->ok = false; /* a literal brace: rare, not worth a rule of its own */
            return atom;
        }
        break;
    default: return atom;
    }
    bool lazy = c->p < c->end && *c->p == '?', possessive = c->p < c->end && *c->p == '+';
    c->p += lazy || possessive;
    enum node_kind kind = c->nodes[atom].kind;
    bool group = kind == NODE_GROUP;
    if ((kind != NODE_SET && !group) || (group && (lazy || min > 1 || (max != 1 && max != UINT32_MAX))) || min > max ||
        (c->p < c->end && (*c->p == '*' || *c->p == '+' || *c->p == '?'))) {
        c->ok = false;
        return atom;
    }
    uint16_t n = node_new(c, NODE_REPEAT);
    c->nodes[n].a = atom;
    c->nodes[n].min = min;
    c->nodes[n].max = max;
    c->nodes[n].lazy = lazy;
    return n;
}

static uint16_t parse_sequence(struct compiler *c, unsigned depth)
{
    uint16_t seq = node_new(c, NODE_EMPTY);
    while (c->ok && c->p < c->end && *c->p != '|' && *c->p != ')') {
        uint16_t next = parse_quantified(c, depth), n = node_new(c, NODE_SEQ);
        c->nodes[n].a = seq;
        c->nodes[n].b = next;
        seq = n;
    }
    return seq;
}

static uint16_t parse_alternatives(struct compiler *c, unsigned depth)
{
    if (depth > DEPTH_MAX) {
        c->ok = false;
        return 0;
    }
    uint16_t left = parse_sequence(c, depth);
    if (c->ok && c->p < c->end && *c->p == '|') {
        c->p++;
        uint16_t right = parse_alternatives(c, depth + 1), n = node_new(c, NODE_ALT);
        c->nodes[n].a = left;
        c->nodes[n].b = right;
        return n;
    }
    return left;
}

/* ---- first bytes ---- */

/* Adds the bytes with which node n can begin to set; true when n can match the empty string. */
static bool first_of(const struct compiler *c, uint16_t n, struct byte_set *set)
{
    const struct node *x = &c->nodes[n];
    bool empty;
    switch (x->kind) {
    case NODE_SET:
        for (int b = 0; b < 256; b++) {
            set->has[b] |= c->out->classes[x->class_no].has[b];
        }
        return false;
    case NODE_SEQ:
        return first_of(c, x->a, set) && first_of(c, x->b, set);
    case NODE_ALT:
        empty = first_of(c, x->a, set);
        return first_of(c, x->b, set) || empty;
    case NODE_GROUP:
        return first_of(c, x->a, set);
    case NODE_REPEAT:
        empty = first_of(c, x->a, set);
        return empty || x->min == 0;
    case NODE_EMPTY:
    case NODE_END:
        break;
    }
    return true;
}

/* ---- emit ---- */

static struct op *emit(struct compiler *c, enum op_code code, uint16_t arg)
{
    static struct op nowhere;
    if (c->out->n_ops == OPS_MAX) {
        c->ok = false;
        return &nowhere;
    }
    struct op *o = &c->out->ops[c->out->n_ops++];
    *o = (struct op){.code = (uint8_t)code, .arg = arg, .before = NO_SAVE, .after = NO_SAVE};
    return o;
}

static int only_byte(const struct byte_set *s, uint8_t value)
{
    int found = -1;
    for (int b = 0; b < 256; b++) {
        if (s->has[b] == value) {
            if (found >= 0) {
                return -1;
            }
            found = b;
        }
    }
    return found;
}

static void emit_node(struct compiler *c, uint16_t n, uint16_t next);

static void emit_set(struct compiler *c, uint16_t class_no)
{
    struct lower *l = c->out;
    int b = only_byte(&l->classes[class_no], 1);
    if (b < 0 || l->n_literals == LITERALS_MAX) {
        emit(c, OP_SET, class_no);
        return;
    }
    struct op *last = l->n_ops > 0 ? &l->ops[l->n_ops - 1] : NULL;
    l->literals[l->n_literals++] = (char)b;
    /* Literals join only where nothing jumps between them: the choice emitters end with an OP_JUMP or bind targets first. */
    if (last != NULL && last->code == OP_LITERAL && last->n < UINT8_MAX && last->min == 0) {
        last->n++;
    } else {
        struct op *o = emit(c, OP_LITERAL, (uint16_t)(l->n_literals - 1));
        o->n = 1;
    }
}

/* The next op is a jump target: a literal after it must not join the one before it. */
static uint16_t bind_target(struct compiler *c)
{
    struct lower *l = c->out;
    if (l->n_ops > 0) {
        struct op *last = &l->ops[l->n_ops - 1];
        if (last->code == OP_LITERAL) {
            last->min = 1; /* closed */
        }
    }
    return (uint16_t)l->n_ops;
}

static uint16_t choice_new(struct compiler *c)
{
    if (c->out->n_choices == CHOICES_MAX) {
        c->ok = false;
        return 0;
    }
    return (uint16_t)c->out->n_choices++;
}

/* Fill the entries of a choice that are still open and that `first` (or, when it may be empty, anything) can begin with. */
static void choice_fill(struct compiler *c, uint16_t choice, const struct byte_set *first, bool may_be_empty, uint16_t target)
{
    for (int b = 0; b < 257; b++) {
        uint16_t *t = &c->out->choices[choice][b];
        if (*t == NO_PATH && (may_be_empty || (b < 256 && first->has[b]))) {
            *t = target;
        }
    }
}

static void emit_repeat(struct compiler *c, const struct node *x, uint16_t next)
{
    if (c->nodes[x->a].kind == NODE_SET) {
        uint16_t class_no = c->nodes[x->a].class_no;
        struct op *o;
        if (x->lazy && x->min != x->max) {
            const struct node *follow = &c->nodes[next];
            int byte = follow->kind == NODE_SET ? only_byte(&c->out->classes[follow->class_no], 1) : -1;
            if (next == 0 || byte < 0) {
                c->ok = false;
                return;
            }
            o = emit(c, OP_LAZY, class_no);
            o->n = (uint8_t)byte;
        } else {
            o = emit(c, OP_SPAN, class_no);
        }
        o->min = x->min;
        o->max = x->max;
        return;
    }
    struct byte_set first = {{0}};
    if (first_of(c, x->a, &first)) {
        c->ok = false; /* a body that may be empty: PCRE2's rule for it is subtle */
        return;
    }
    if (x->min == 1) { /* (…)+ = body, then (…)*; the body is emitted twice */
        emit_node(c, x->a, 0);
    }
    if (x->min == 1 && x->max == 1) {
        return;
    }
    uint16_t choice = choice_new(c), loop = bind_target(c);
    emit(c, OP_CHOICE, choice);
    memset(c->out->choices[choice], 0xff, sizeof c->out->choices[choice]);
    choice_fill(c, choice, &first, false, bind_target(c));
    emit_node(c, x->a, 0);
    if (x->max != 1) {
        emit(c, OP_JUMP, loop);
    }
    choice_fill(c, choice, &first, true, bind_target(c));
}

static void emit_alternatives(struct compiler *c, const struct node *x)
{
    struct byte_set first[2] = {{{0}}, {{0}}};
    uint16_t side[2] = {x->a, x->b}, choice = choice_new(c);
    emit(c, OP_CHOICE, choice);
    memset(c->out->choices[choice], 0xff, sizeof c->out->choices[choice]);
    struct op *jump = NULL;
    for (int i = 0; i < 2 && c->ok; i++) {
        bool empty = first_of(c, side[i], &first[i]);
        choice_fill(c, choice, &first[i], empty, bind_target(c));
        emit_node(c, side[i], 0);
        if (i == 0) {
            jump = emit(c, OP_JUMP, 0);
        }
    }
    if (c->ok && jump != NULL) {
        jump->arg = bind_target(c);
    }
}

/* `next` is the node that follows in the same sequence (0 = none known): a lazy quantifier needs it. */
static void emit_node(struct compiler *c, uint16_t n, uint16_t next)
{
    struct node x = c->nodes[n];
    if (!c->ok) {
        return;
    }
    switch (x.kind) {
    case NODE_EMPTY:
        break;
    case NODE_SET:
        emit_set(c, x.class_no);
        break;
    case NODE_END:
        emit(c, OP_END, 0);
        break;
    case NODE_SEQ:
        emit_node(c, x.a, x.b);
        emit_node(c, x.b, next);
        break;
    case NODE_ALT:
        emit_alternatives(c, &x);
        break;
    case NODE_GROUP:
        if (x.group != 0) {
            emit(c, OP_SAVE, (uint16_t)(2 * x.group));
        }
        emit_node(c, x.a, next);
        if (x.group != 0) {
            emit(c, OP_SAVE, (uint16_t)(2 * x.group + 1));
        }
        break;
    case NODE_REPEAT:
        emit_repeat(c, &x, next);
        break;
    }
}

struct lower *lower_new(lq_str pattern)
{
    struct compiler *c = lq_realloc(NULL, sizeof *c); /* not zeroed, like the program: what is used is set first, and most patterns use little */
    struct lower *l = lq_realloc(NULL, sizeof *l);
    l->n_ops = l->n_classes = l->n_choices = l->n_literals = l->n_groups = 0;
    c->out = l;
    c->ok = true;
    c->nodes[0] = (struct node){.kind = NODE_EMPTY}; /* "none" */
    c->n_nodes = 1;
    c->p = pattern.p;
    c->end = pattern.p + pattern.n;
    if (c->p < c->end && *c->p == '^') {
        c->p++;
    }
    uint16_t root = c->p < c->end ? parse_alternatives(c, 0) : node_new(c, NODE_EMPTY);
    c->ok = c->ok && c->p == c->end;
    emit_node(c, root, 0);
    emit(c, OP_MATCH, 0);
    if (!c->ok) {
        lower_free(&l);
    } else {
        lower__fuse(l);
    }
    free(c);
    return l;
}

void lower_free(struct lower **l)
{
    free(*l);
    *l = NULL;
}

uint32_t lower_groups(const struct lower *l)
{
    return l->n_groups;
}
