/*
 * load_identity.c - which source is this, and which format has it (load.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/load_int.h"
#include "ingest/source_id.h"

enum lq_err load__identify(struct loader *l, const struct reading *r, const struct labels *labels, bool is_stdin, bool *out)
{
    struct lq_buf key = {0};
    size_t n = r->head.n < FINGERPRINT_BYTES ? r->head.n : FINGERPRINT_BYTES;
    struct checkpoint old = {0};
    enum lq_err err;
    *out = false;
    memset(&l->cp, 0, sizeof l->cp);
    if (is_stdin && l->o->stdin_id == NULL) {
        return LQ_OK;
    }
    if (is_stdin) {
        labels_print(labels, &key);
        lq_buf_printf(&key, "|id|%s", l->o->stdin_id);
        err = store_checkpoint_get(l->store, (lq_str){key.p, key.n}, &old, &l->pending_mem, l->e);
    } else {
        source_id_key(labels, r->head.p, n, &key);
        err = source_id_find(l->store, labels, (lq_str){r->head.p, r->head.n}, NULL, NULL, &old, &l->pending_mem, l->e);
    }
    bool known = err == LQ_OK;
    for (size_t i = 0; i < l->n_pending && !known; i++) { /* the same content twice in one command */
        if (lq_str_eq(l->pending[i].key, (lq_str){key.p, key.n})) {
            old = l->pending[i];
            known = true;
        }
    }
    if (known) {
        l->cp = old;
        l->cp.last_n = 0; /* only lqd keeps what stands before the offset */
    }
    l->cp.key = lq_arena_str(&l->pending_mem, (lq_str){key.p, key.n});
    l->cp.name = lq_arena_str(&l->pending_mem, lq_str_of(l->file->path));
    lq_buf_fini(&key);
    *out = known;
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

enum lq_err load__choose_format(struct loader *l, const struct reading *r, bool known, const struct format **out, struct lq_error *e)
{
    const char *name = l->o->format_name;
    char stored[NAME_BYTES_MAX];
    *out = NULL;
    if (name != NULL) {
        snprintf(l->file->why, sizeof l->file->why, "chosen by --format-name");
        snprintf(l->file->format, sizeof l->file->format, "%s", name);
        return format_set_find(l->o->formats, name, out, e);
    }
    snprintf(stored, sizeof stored, "%.*s", (int)l->cp.format.n, l->cp.format.p);
    if (known && format_set_find(l->o->formats, stored, out, NULL) == LQ_OK) {
        snprintf(l->file->why, sizeof l->file->why, "as before");
    } else {
        struct detection d;
        format_detect(l->o->formats, (lq_str){r->head.p, r->head.n}, &d);
        *out = d.format;
        snprintf(l->file->why, sizeof l->file->why, "%s", d.why);
    }
    if (*out == NULL && is_binary((lq_str){r->head.p, r->head.n})) {
        lq_error_set(e, LQ_EINVAL, "%s is a binary file, no log", l->file->path);
        lq_error_hint(e, "compressed logs are read when they are gzip or zstd; --format-name NAME loads it all the same");
        return LQ_EINVAL;
    }
    snprintf(l->file->format, sizeof l->file->format, "%s", *out != NULL ? format_name(*out) : "unparsed");
    return LQ_OK;
}
