/*
 * format_memo.c - which fields decide the dimensions of a format's records, and the key that they make (memo.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdatomic.h>

#include "schema/sighting_int.h"

enum { KEY_FIELDS, KEY_DIMS };

static bool decides(const struct format *f, uint32_t field)
{
    bool uses = field == f->status_slot || (f->error != NULL && predicate_uses(f->error, field));
    for (uint32_t d = DIM_HOST; d < f->schema.n_dims; d++) {
        uses = uses || f->dim_slot[d] == field;
    }
    for (uint32_t i = 0; i < f->n_derived; i++) {
        const struct derived *d = &f->derived[i];
        uses = uses || d->from == field || d->target == (int64_t)field;
        uses = uses ||
               (d->kind == DERIVE_SESSION_END && (d->arg[SESSION_TARGET] == field ||
                                                  d->arg[SESSION_METHOD] == field)); /* the others: by their evidence */
    }
    for (uint32_t i = 0; f->sights != NULL && i < f->sights->n; i++) {
        const struct sight_rule *r = &f->sights->r[i];
        uses = uses || field == r->name || field == r->of || field == r->service || field == r->host ||
               (r->when != NULL && predicate_uses(r->when, field));
    }
    return uses;
}

/* Nothing else that is looked at after parsing depends on a derived field. */
static bool can_remember(const struct format *f)
{
    for (uint32_t i = 0; i < f->n_derived; i++) {
        int64_t t = f->derived[i].target;
        bool measured = t >= 0 && f->fields[t].role != ROLE_DIMENSION && f->fields[t].role != ROLE_IGNORE;
        if (measured || (f->partial != NULL && predicate_uses(f->partial, FIELD_MAX + i))) {
            return false;
        }
    }
    return true;
}

void parser_bind_memo(struct parser *p, struct memo *memo)
{
    static _Atomic uint32_t parsers;
    if (!can_remember(p->f)) {
        return;
    }
    p->memo = memo;
    p->number = atomic_fetch_add(&parsers, 1);
    for (uint32_t i = 0; i < p->f->n_fields; i++) {
        if (decides(p->f, i)) {
            p->key_field[p->n_key++] = (uint8_t)i;
        }
    }
}

static size_t key_add(char *key, size_t at, lq_str s)
{
    if (at + 2 + s.n > MEMO_KEY_BYTES_MAX) {
        return MEMO_KEY_BYTES_MAX + 1;
    }
    key[at] = (char)s.n;
    key[at + 1] = (char)(s.n >> 8);
    lq_copy(key + at + 2, s.p, s.n);
    return at + 2 + s.n;
}

static size_t key_start(const struct parser *p, uint32_t sort, char *key)
{
    uint32_t number = p->number << 1 | sort;
    memcpy(key, &number, sizeof number);
    return sizeof number;
}

static lq_str key_of(const char *key, size_t n)
{
    return (lq_str){key, n <= MEMO_KEY_BYTES_MAX ? n : 0};
}

lq_str parser_memo_dims_key(const struct parser *p, const struct record *r, char key[MEMO_KEY_BYTES_MAX])
{
    if (p->memo == NULL) {
        return (lq_str){key, 0};
    }
    size_t n = key_start(p, KEY_DIMS, key);
    key[n++] = (char)(r->error << 1 | r->success);
    for (uint32_t d = DIM_HOST; d < p->schema.n_dims && n <= MEMO_KEY_BYTES_MAX; d++) {
        n = key_add(key, n, r->dims[d]);
    }
    return key_of(key, n);
}

lq_str parser_memo_key(const struct parser *p, char key[MEMO_KEY_BYTES_MAX])
{
    if (p->memo == NULL) {
        return (lq_str){key, 0};
    }
    size_t n = key_start(p, KEY_FIELDS, key);
    if (p->f->session != UINT32_MAX) {
        const uint32_t *arg = p->f->derived[p->f->session].arg;
        lq_str status = p->s.slots[p->f->derived[p->f->session].from];
        unsigned evidence = 0;
        if (derive_session_shows(status, parser_slot(p, arg[SESSION_TARGET]), parser_slot(p, arg[SESSION_QUERY]))) {
            struct session_line x = parser_session_line(p);
            evidence = derive_session_evidence(&x);
        }
        key[n++] = (char)evidence;
    }
    for (uint32_t i = 0; i < p->n_key && n <= MEMO_KEY_BYTES_MAX; i++) {
        n = key_add(key, n, p->s.slots[p->key_field[i]]);
    }
    bool labels = p->enveloped || p->relabelled; /* else they are those of the parser */
    for (uint32_t d = DIM_HOST; labels && d < DIM_BUILTIN && n <= MEMO_KEY_BYTES_MAX; d++) {
        n = key_add(key, n, p->label_value[d]);
    }
    return key_of(key, n);
}
