/*
 * load_identity.c - which source is this, and which format has it (load.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/load_int.h"
#include "ingest/source_id.h"

static bool is_of(const struct checkpoint *cp, const struct lq_buf *key)
{
    return lq_str_eq(cp->key, (lq_str){key->p, key->n});
}

/* The same content twice in one command. */
static bool find_in_command(struct loader *l, const struct lq_buf *key, struct checkpoint *old, bool *busy)
{
    for (size_t i = 0; i < l->n_lanes; i++) {
        *busy = *busy || is_of(&l->lanes[i]->cp, key);
    }
    for (size_t i = 0; i < l->n_pending; i++) {
        if (is_of(&l->pending[i], key)) {
            *old = l->pending[i];
            return true;
        }
    }
    return false;
}

enum lq_err load__identify(struct loader *l, struct lane *x, const struct labels *labels, bool *busy)
{
    struct lq_buf key = {0};
    struct checkpoint old = {0};
    enum lq_err err;
    if (x->is_stdin && l->o->stdin_id == NULL) {
        return LQ_OK;
    }
    if (x->is_stdin) {
        labels_print(labels, &key);
        lq_buf_printf(&key, "|id|%s", l->o->stdin_id);
        err = store_checkpoint_get(l->store, (lq_str){key.p, key.n}, &old, &x->mem, l->e);
    } else {
        source_id_key(labels, x->head.p, x->head.n < FINGERPRINT_BYTES ? x->head.n : FINGERPRINT_BYTES, &key);
        err = source_id_find(l->store, labels, (lq_str){x->head.p, x->head.n}, NULL, NULL, &old, &x->mem, l->e);
    }
    x->known = find_in_command(l, &key, &old, busy) || err == LQ_OK;
    if (x->known) {
        x->cp = old;
        x->cp.last_n = 0; /* only lqd keeps what stands before the offset */
        x->cp.format = lq_arena_str(&x->mem, old.format);
    }
    x->cp.key = lq_arena_str(&x->mem, (lq_str){key.p, key.n});
    x->cp.name = lq_arena_str(&x->mem, lq_str_of(x->file->path));
    lq_buf_fini(&key);
    return err == LQ_ENOENT ? LQ_OK : err;
}

static bool is_binary(lq_str s)
{
    size_t nul = 0, control = 0;
    for (size_t i = 0; i < s.n && i < 65536; i++) {
        unsigned char c = (unsigned char)s.p[i];
        nul += c == 0;
        control += c < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != 0x1b;
    }
    size_t n = s.n < 65536 ? s.n : 65536;
    return n > 0 && (nul * 20 > n || control * 5 > n);
}

enum lq_err load__choose_format(struct loader *l, struct lane *x, struct lq_error *e)
{
    const char *name = l->o->format_name;
    char stored[NAME_BYTES_MAX];
    if (name != NULL) {
        snprintf(x->file->why, sizeof x->file->why, "chosen by --format-name");
        snprintf(x->file->format, sizeof x->file->format, "%s", name);
        return format_set_find(l->o->formats, name, &x->format, e);
    }
    snprintf(stored, sizeof stored, "%.*s", (int)x->cp.format.n, x->cp.format.p);
    if (x->known && format_set_find(l->o->formats, stored, &x->format, NULL) == LQ_OK) {
        snprintf(x->file->why, sizeof x->file->why, "as before");
    } else {
        struct detection d;
        format_detect(l->o->formats, (lq_str){x->head.p, x->head.n}, &d);
        x->format = d.format;
        snprintf(x->file->why, sizeof x->file->why, "%s", d.why);
    }
    if (x->format == NULL && is_binary((lq_str){x->head.p, x->head.n})) {
        lq_error_set(e, LQ_EINVAL, "%s is a binary file, no log", x->file->path);
        lq_error_hint(e,
                      "compressed logs are read when they are gzip or zstd; --format-name NAME loads it all the same");
        return LQ_EINVAL;
    }
    snprintf(x->file->format, sizeof x->file->format, "%s", x->format != NULL ? format_name(x->format) : "unparsed");
    return LQ_OK;
}
