/*
 * debug.c - digest, stats, dump (verify.c has the fourth): the doors that people and tests use to look inside
 *
 * The digest is a sum of 128-bit hashes, one for each logical fact (a cell by its values, never its ids; a value's first and last use; an
 * example line), so it cannot depend on order, chunking, threads, flushes or compaction. Heaviest identities are outside (heavy.h).
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "schema/timefmt.h"
#include "store/delta.h"
#include "store/marker.h"
#include "store/reader_int.h"

struct digest {
    uint64_t a, b;
    struct lq_buf fact;
};

static void add_fact(struct digest *d)
{
    d->a += lq_hash(d->fact.p, d->fact.n, 0x6c71);
    d->b += lq_hash(d->fact.p, d->fact.n, 0x51);
    lq_buf_clear(&d->fact);
}

static void fact_text(struct digest *d, const char *p, size_t n)
{
    lq_buf_varint(&d->fact, n);
    lq_buf_add(&d->fact, p, n);
}

static void fact_value(struct digest *d, struct snapshot *s, uint32_t stream, uint32_t dim, uint32_t value)
{
    lq_str text = snapshot_value(s, stream, dim, value)->text;
    fact_text(d, s->streams[stream]->schema.dims[dim], strlen(s->streams[stream]->schema.dims[dim]));
    fact_text(d, text.p, text.n);
}

/* What a row id stands for, by values. */
static void fact_row(struct digest *d, struct snapshot *s, uint32_t stream, int section, uint32_t id)
{
    struct stream *st = s->streams[stream];
    if (section == SECTION_TOTALS) {
        lq_buf_varint(&d->fact, id);
    } else if (section == SECTION_MARGINALS) {
        struct marginal_info m = snapshot_marginal(s, stream, id);
        lq_buf_byte(&d->fact, m.error);
        if (m.dim != MARGINAL_TOTAL) {
            fact_value(d, s, stream, m.dim, m.value);
        }
    } else {
        const uint32_t *ids = snapshot_series(s, stream, id);
        for (uint32_t i = 0; i < st->schema.n_dims; i++) {
            if (ids[i] != VALUE_ABSENT) {
                fact_value(d, s, stream, i, ids[i]);
            }
        }
    }
}

static void fact_cell(struct digest *d, const struct stream *st, const struct fragment *f, uint32_t r)
{
    lq_buf_varint(&d->fact, f->count[r]);
    for (uint32_t i = 0; i < f->n_measures; i++) {
        const struct measure_column *m = &f->m[i];
        struct bin one;
        size_t n;
        if (m->n[r] == 0) {
            continue;
        }
        fact_text(d, st->schema.measures[i].name, strlen(st->schema.measures[i].name));
        lq_buf_varint(&d->fact, m->n[r]);
        lq_buf_varint(&d->fact, lq_zigzag(m->sum[r]));
        lq_buf_varint(&d->fact, lq_zigzag(m->min[r]));
        lq_buf_varint(&d->fact, lq_zigzag(m->max[r]));
        if (m->bins_at == NULL) {
            continue;
        }
        const struct bin *bins = fragment_bins(m, r, &one, &n);
        for (size_t k = 0; k < n; k++) {
            lq_buf_varint(&d->fact, lq_zigzag(bins[k].bin));
            lq_buf_varint(&d->fact, bins[k].n);
        }
    }
    for (uint32_t i = 0; i < f->n_identities; i++) {
        const struct distinct_column *x = &f->d[i];
        if (x->at != NULL && x->at[r + 1] > x->at[r]) {
            fact_text(d, st->schema.identities[i], strlen(st->schema.identities[i]));
            lq_buf_add(&d->fact, x->entries + x->at[r], (x->at[r + 1] - x->at[r]) * sizeof *x->entries);
        }
    }
}

static enum lq_err digest_section(struct digest *d, struct snapshot *s, uint32_t stream, int tier, int section, struct lq_error *e)
{
    struct scan *c;
    const struct fragment *f;
    int64_t period;
    struct stream *st = s->streams[stream];
    uint32_t known = section == SECTION_CELLS ? snapshot_n_series(s, stream) : section == SECTION_MARGINALS ? snapshot_marginals(s, stream) : 2;
    enum lq_err err = snapshot_check(s, e);
    if (err == LQ_OK) {
        err = scan_open(s, stream, tier, (enum section)section, INT64_MIN / 4, INT64_MAX / 4, FRAGMENT_ALL, &c, e);
    }
    if (err != LQ_OK) {
        return err;
    }
    while ((err = scan_next(c, &f, &period, e)) == LQ_OK && f != NULL) {
        for (uint32_t r = 0; r < f->rows; r++) {
            if (f->id[r] >= known) {
                err = lq_error_set(e, LQ_ECORRUPT, "store %s is damaged: stream %s has a row of an unknown series %u", s->store->dir,
                                   st->schema.name, f->id[r]);
                break;
            }
            lq_buf_printf(&d->fact, "%d %d %s %lld ", tier, section, st->schema.name, (long long)(period + (int64_t)f->slot[r] * tiers[tier].step_s));
            fact_row(d, s, stream, section, f->id[r]);
            fact_cell(d, st, f, r);
            add_fact(d);
        }
        if (err != LQ_OK) {
            break;
        }
    }
    scan_close(&c);
    return err;
}

struct example_digest {
    struct digest *d;
    struct snapshot *s;
};

static bool digest_example(void *ctx, const struct example *x)
{
    struct example_digest *y = ctx;
    lq_buf_printf(&y->d->fact, "example %s %lld %d ", y->s->streams[x->stream]->schema.name, (long long)x->time_us, x->error);
    fact_value(y->d, y->s, x->stream, x->dim, x->value);
    fact_text(y->d, x->text.p, x->text.n);
    add_fact(y->d);
    return true;
}

static void digest_values(struct digest *d, struct snapshot *s, uint32_t stream)
{
    const struct stream *st = s->streams[stream];
    for (uint32_t dim = 0; dim < st->schema.n_dims; dim++) {
        for (uint32_t v = VALUE_OVERFLOW; v < snapshot_values(s, stream, dim); v++) {
            const struct value_info *x = snapshot_value(s, stream, dim, v);
            if (x->count > 0) {
                lq_buf_printf(&d->fact, "value %s %lld %lld %llu ", st->schema.name, (long long)x->first_us, (long long)x->last_us,
                              (unsigned long long)x->count);
                fact_value(d, s, stream, dim, v);
                add_fact(d);
            }
        }
    }
}

/* What lines showed that was done. Markers that people recorded are not content of logs. */
static enum lq_err digest_sightings(struct digest *d, struct snapshot *s, struct lq_error *e)
{
    struct engine_cursor *c = NULL;
    struct key_buf k = {{0}, 0};
    lq_str key, value;
    key_i64(&k, INT64_MIN);
    enum lq_err err = engine_cursor_open(s->txn, DB_MARKER, &c, e);
    for (err = err == LQ_OK ? engine_seek(c, key_str(&k), &key, &value, e) : err; err == LQ_OK; err = engine_next(c, &key, &value, e)) {
        if (marker_is_sighting(key) && engine_unseal(&value)) {
            lq_buf_str(&d->fact, "sighting ");
            fact_text(d, value.p, value.n);
            add_fact(d);
        }
    }
    engine_cursor_close(&c);
    return err == LQ_ENOENT ? LQ_OK : err;
}

enum lq_err debug_digest(struct snapshot *s, char out_hex[33], bool *capped, struct lq_error *e)
{
    struct digest d = {0};
    enum lq_err err = LQ_OK;
    for (uint32_t i = 0; i < s->n_streams && err == LQ_OK; i++) {
        for (int t = 0; t < TIERS && err == LQ_OK; t++) {
            for (int section = SECTION_CELLS; section <= SECTION_MARGINALS && err == LQ_OK; section++) {
                err = digest_section(&d, s, i, t, section, e);
            }
        }
        digest_values(&d, s, i);
        struct example_digest x = {&d, s};
        if (err == LQ_OK) {
            err = snapshot_examples(s, i, UINT32_MAX, UINT32_MAX, INT64_MIN, INT64_MAX, digest_example, &x, e);
        }
    }
    err = err == LQ_OK ? digest_sightings(&d, s, e) : err;
    lq_buf_fini(&d.fact);
    *capped = snapshot_counter(s, "overflow_values") + snapshot_counter(s, "overflow_series") + snapshot_counter(s, "overflow_cells") + snapshot_counter(s, "overflow_markers") > 0;
    snprintf(out_hex, 33, "%016llx%016llx", (unsigned long long)d.a, (unsigned long long)d.b);
    return err;
}

/* ---- stats and dump ---- */

struct waiting {
    uint64_t n, bytes, cells;
};

static enum lq_err count_delta(void *ctx, const struct delta_at *x, struct lq_error *e)
{
    struct waiting *w = ctx;
    (void)e;
    w->n++;
    w->bytes += x->bytes;
    for (uint32_t i = 0; i < x->d.n_days; i++) {
        w->cells += x->d.day[i].n;
    }
    return LQ_OK;
}

static bool print_counter(void *ctx, lq_str name, uint64_t n)
{
    lq_buf_printf(ctx, "counter %.*s %llu\n", (int)name.n, name.p, (unsigned long long)n);
    return true;
}

enum lq_err debug_stats(struct snapshot *s, struct lq_buf *out, struct lq_error *e)
{
    static const char *const sections[] = {"cells", "totals", "marginals", "heavy"};
    struct engine_usage u;
    enum lq_err err = engine_usage(s->store->engine, s->txn, &u, e);
    if (err != LQ_OK) {
        return err;
    }
    lq_buf_printf(out, "pages %llu used, %llu free, of %llu bytes; %llu readers\n", (unsigned long long)u.pages_used,
                  (unsigned long long)u.pages_free, (unsigned long long)u.page_bytes, (unsigned long long)u.readers);
    for (uint32_t i = 0; i < s->n_streams; i++) {
        const struct stream *st = s->streams[i];
        lq_buf_printf(out, "stream %s: %llu lines, %llu errors, %u series\n", st->schema.name, (unsigned long long)st->lines,
                      (unsigned long long)st->errors, snapshot_n_series(s, i));
        struct waiting w = {0};
        err = delta_each(st, s->txn, count_delta, &w, e);
        if (err != LQ_OK) {
            return err;
        }
        if (w.n > 0) {
            lq_buf_printf(out, "  waiting for the tiers: %llu deltas, %llu bytes, %llu of them cells\n", (unsigned long long)w.n,
                          (unsigned long long)w.bytes, (unsigned long long)w.cells);
        }
        for (uint32_t d = 0; d < st->schema.n_dims; d++) {
            lq_buf_printf(out, "  dimension %s: %u values\n", st->schema.dims[d], snapshot_values(s, i, d) - 2);
        }
        for (int t = 0; t < TIERS; t++) {
            for (int section = 0; section < SECTIONS; section++) {
                struct scan_cost cost;
                err = scan_cost(s, i, t, (enum section)section, INT64_MIN / 4, INT64_MAX / 4, &cost, e);
                if (err != LQ_OK) {
                    return err;
                }
                if (cost.fragments > 0) {
                    lq_buf_printf(out, "  tier %-3s %-9s %6llu periods %6llu fragments %12llu bytes\n", tiers[t].name, sections[section],
                                  (unsigned long long)cost.periods, (unsigned long long)cost.fragments, (unsigned long long)cost.bytes);
                }
            }
        }
    }
    return snapshot_counters(s, print_counter, out, e);
}

static void dump_cell(struct lq_buf *b, struct snapshot *s, uint32_t stream, int tier, int64_t time_s, const struct fragment *f, uint32_t r)
{
    const struct stream_schema *x = &s->streams[stream]->schema;
    const uint32_t *ids = snapshot_series(s, stream, f->id[r]);
    char when[32];
    time_print_utc(time_s * US, when);
    lq_buf_printf(b, "%s %s %s", x->name, tiers[tier].name, when);
    for (uint32_t d = 0; d < x->n_dims; d++) {
        if (ids[d] != VALUE_ABSENT) {
            lq_str v = snapshot_value(s, stream, d, ids[d])->text;
            lq_buf_printf(b, " %s=\"%.*s\"", x->dims[d], (int)v.n, v.p);
        }
    }
    lq_buf_printf(b, " count=%llu", (unsigned long long)f->count[r]);
    for (uint32_t i = 0; i < f->n_measures; i++) {
        if (f->m[i].n[r] > 0) {
            lq_buf_printf(b, " %s(n=%u sum=%lld min=%lld max=%lld)", x->measures[i].name, f->m[i].n[r], (long long)f->m[i].sum[r],
                          (long long)f->m[i].min[r], (long long)f->m[i].max[r]);
        }
    }
    lq_buf_byte(b, '\n');
}

static int by_text(const void *a, const void *b)
{
    return lq_str_cmp(*(const lq_str *)a, *(const lq_str *)b);
}

static enum lq_err dump_tier(struct snapshot *s, uint32_t stream, int tier, FILE *out, struct lq_error *e)
{
    struct scan *c;
    const struct fragment *f;
    int64_t period;
    enum lq_err err = scan_open(s, stream, tier, SECTION_CELLS, INT64_MIN / 4, INT64_MAX / 4, FRAGMENT_SUMS, &c, e);
    while (err == LQ_OK && (err = scan_next(c, &f, &period, e)) == LQ_OK && f != NULL) {
        struct lq_buf b = {0};
        lq_str *lines = lq_alloc((f->rows + 1) * sizeof *lines);
        size_t *at = lq_alloc((f->rows + 1) * sizeof *at);
        for (uint32_t r = 0; r < f->rows; r++) {
            at[r] = b.n;
            dump_cell(&b, s, stream, tier, period + (int64_t)f->slot[r] * tiers[tier].step_s, f, r);
        }
        for (uint32_t r = 0; r < f->rows; r++) {
            lines[r] = (lq_str){b.p + at[r], (r + 1 < f->rows ? at[r + 1] : b.n) - at[r]};
        }
        qsort(lines, f->rows, sizeof *lines, by_text);
        for (uint32_t r = 0; r < f->rows; r++) {
            fwrite(lines[r].p, 1, lines[r].n, out);
        }
        free(lines);
        free(at);
        lq_buf_fini(&b);
    }
    scan_close(&c);
    return err;
}

enum lq_err debug_dump(struct snapshot *s, FILE *out, struct lq_error *e)
{
    enum lq_err err = LQ_OK;
    for (uint32_t i = 0; i < s->n_streams && err == LQ_OK; i++) {
        for (int t = 0; t < TIERS && err == LQ_OK; t++) {
            err = dump_tier(s, i, t, out, e);
        }
    }
    return err;
}
