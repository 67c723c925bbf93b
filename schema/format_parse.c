/*
 * format_parse.c - a line to a record (format.h)
 *
 * Slots hold the text of every field and derived field of the current line; the schema says which slot feeds which column. No allocation per line.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "schema/sighting_int.h"

static const char *const builtin_dims[DIM_BUILTIN] = {"error", "host", "service", "version", "env"};

void format_free(struct format **fp)
{
    struct format *f = *fp;
    if (f == NULL) {
        return;
    }
    for (uint32_t i = 0; i < DERIVE_MAX; i++) {
        cidr_map_free(&f->derived[i].cidr);
        lq_map_fini(&f->derived[i].values);
        matcher_free(&f->derived[i].regex);
    }
    for (uint32_t i = 0; i < EXTRACT_MAX; i++) {
        matcher_free(&f->extracts[i].matcher);
    }
    time_layout_free(&f->layout);
    matcher_free(&f->matcher);
    matcher_free(&f->skip);
    json_paths_free(&f->paths);
    predicate_free(&f->error);
    predicate_free(&f->partial);
    if (f->sights != NULL) {
        sight_rules_fini(f->sights);
        free(f->sights);
    }
    lq_arena_fini(&f->mem);
    free(f);
    *fp = NULL;
}

uint32_t format_slot(const struct format *f, lq_str name)
{
    for (uint32_t i = 0; i < f->n_fields; i++) {
        if (lq_str_is(name, f->fields[i].name)) {
            return i;
        }
    }
    for (uint32_t i = 0; i < f->n_derived; i++) {
        if (lq_str_is(name, f->derived[i].name)) {
            return FIELD_MAX + i;
        }
    }
    return UINT32_MAX;
}

static enum lq_err add_dim(struct format *f, const char *name, uint32_t slot, struct lq_error *e)
{
    struct stream_schema *s = &f->schema;
    for (uint32_t i = DIM_HOST; i < s->n_dims; i++) {
        if (strcmp(s->dims[i], name) == 0) {
            f->dim_slot[i] = slot;
            return LQ_OK;
        }
    }
    if (s->n_dims == DIM_MAX) {
        return lq_error_set(e, LQ_EINVAL, "more than %d dimensions", DIM_MAX);
    }
    f->dim_slot[s->n_dims] = slot;
    s->dims[s->n_dims++] = name;
    return LQ_OK;
}

enum lq_err format_finish(struct format *f, struct lq_error *e)
{
    static const char *const few[] = {"status", "status_class", "level", "method", "severity", "error", "facility", "session_end"};
    struct stream_schema *s = &f->schema;
    enum lq_err err = LQ_OK;
    s->name = f->name;
    f->message_slot = f->status_slot = f->shape_slot = f->session = UINT32_MAX;
    f->pid_slot = format_slot(f, LQ_STR("pid"));
    for (uint32_t i = 0; i < DIM_BUILTIN; i++) {
        s->dims[i] = builtin_dims[i];
        f->dim_slot[i] = UINT32_MAX;
    }
    s->n_dims = DIM_BUILTIN;
    for (uint32_t i = 0; i < f->n_fields && err == LQ_OK; i++) {
        const struct field *x = &f->fields[i];
        bool seconds = x->type == TYPE_SECONDS || x->type == TYPE_MILLISECONDS || x->type == TYPE_MICROSECONDS || x->type == TYPE_NANOSECONDS || x->type == TYPE_DURATION;
        if (strcmp(x->name, "status") == 0) {
            f->status_slot = i;
        }
        f->span_at[i] = (uint16_t)(x->extract == 0 && f->kind == PARSER_PATTERN ? 2 * x->group : 0);
        if (x->role == ROLE_DIMENSION) {
            err = add_dim(f, x->name, i, e);
        } else if (x->role == ROLE_MESSAGE) {
            f->message_slot = i;
        } else if (x->role == ROLE_MEASURE && s->n_measures < MEASURE_MAX) {
            f->measure_slot[s->n_measures] = i;
            s->measures[s->n_measures++] = (struct measure_schema){x->name, seconds ? "s" : x->type == TYPE_BYTES ? "bytes" : "",
                                                                   seconds ? 1000000 : x->type == TYPE_FLOAT ? 1000 : 1};
        } else if (x->role == ROLE_IDENTITY && s->n_identities < IDENTITY_MAX) {
            f->identity_slot[s->n_identities] = i;
            s->identities[s->n_identities++] = x->name;
        } else if (x->role == ROLE_MEASURE || x->role == ROLE_IDENTITY) {
            err = lq_error_set(e, LQ_EINVAL, "more than %d measures or %d identities", MEASURE_MAX, IDENTITY_MAX);
        }
    }
    for (uint32_t i = 0; i < f->n_derived && err == LQ_OK; i++) {
        if (f->derived[i].kind == DERIVE_SHAPE) {
            f->shape_slot = FIELD_MAX + i;
        }
        f->session = f->derived[i].kind == DERIVE_SESSION_END ? i : f->session;
        if (f->derived[i].target < 0) {
            err = add_dim(f, f->derived[i].name, FIELD_MAX + i, e);
        }
    }
    for (uint32_t i = 0; i < s->n_dims; i++) {
        for (size_t k = 0; k < sizeof few / sizeof few[0]; k++) {
            s->no_cap_probation |= (strcmp(s->dims[i], few[k]) == 0 ? 1U : 0U) << i;
        }
    }
    f->tail_slot = f->message_slot;
    if (f->message_slot < f->n_fields && f->fields[f->message_slot].extract > 0) {
        f->tail_slot = f->extracts[f->fields[f->message_slot].extract - 1].from;
    }
    s->no_cap_probation |= (1U << DIM_BUILTIN) - 1;
    s->sketch_by |= 1U << DIM_HOST | 1U << DIM_VERSION;
    return err;
}

const char *format_name(const struct format *f)
{
    return f->name;
}

const char *format_description(const struct format *f)
{
    return f->description;
}

const struct stream_schema *format_schema(const struct format *f)
{
    return &f->schema;
}

unsigned format_mask(const struct format *f)
{
    return f->schema.mask | (f->outer != NULL ? format_mask(f->outer) : 0) | (f->inner != NULL ? format_mask(f->inner) : 0);
}

int format_priority(const struct format *f)
{
    return f->priority;
}

lq_str format_sample(const struct format *f, size_t i)
{
    return i < f->n_samples ? f->samples[i].line : (lq_str){"", 0};
}

const struct stream_schema *unparsed_schema(void)
{
    static const struct stream_schema s = {.name = "unparsed", .n_dims = DIM_BUILTIN + 1,
                                           .dims = {"error", "host", "service", "version", "env", "template"},
                                           .sketch_by = 1U << DIM_HOST, .no_cap_probation = (1U << DIM_BUILTIN) - 1};
    return &s;
}

/* ---- the parser ---- */

/* The schema with custom labels appended; where each label goes. */
static enum lq_err bind_labels(const struct labels *l, struct stream_schema *schema, lq_str value[DIM_MAX], struct lq_error *e)
{
    for (uint32_t i = 0; l != NULL && i < l->n; i++) {
        uint32_t d = DIM_HOST;
        while (d < schema->n_dims && strcmp(schema->dims[d], l->l[i].name) != 0) {
            d++;
        }
        if (d == schema->n_dims) {
            if (d == DIM_MAX) {
                return lq_error_set(e, LQ_EINVAL, "no room for the label %s: %d dimensions already", l->l[i].name, DIM_MAX);
            }
            schema->dims[schema->n_dims++] = l->l[i].name;
        }
        value[d] = lq_str_of(l->l[i].value);
    }
    return LQ_OK;
}

static bool needs_search(const struct format *f)
{
    bool needs = f->n_extracts > 0 || f->skip != NULL || f->sights != NULL || f->shape_slot != UINT32_MAX;
    for (uint32_t i = 0; i < f->n_derived; i++) {
        needs = needs || f->derived[i].kind == DERIVE_REGEX;
    }
    return needs;
}

enum lq_err parser_new(const struct parser_config *c, struct parser **out, struct lq_error *e)
{
    struct parser *p = lq_alloc(sizeof *p);
    p->f = c->format != NULL && c->format->outer != NULL ? c->format->outer : c->format;
    if (c->labels != NULL) {
        p->labels = *c->labels;
    }
    p->unparsed = *unparsed_schema();
    enum lq_err err = bind_labels(&p->labels, &p->unparsed, p->unparsed_label, e);
    if (err == LQ_OK && p->f != NULL) {
        p->schema = p->f->schema;
        err = bind_labels(&p->labels, &p->schema, p->label_value, e);
        p->match = p->f->matcher != NULL ? match_state_new(p->f->matcher) : NULL;
        p->search = needs_search(p->f) ? match_state_new(NULL) : NULL;
        p->time = (struct time_parser){.layout = p->f->layout, .tz = c->tz, .reference_us = c->reference_us};
        parser_bind_memo(p, c->memo);
        p->common = p->f->set != NULL && p->f->set->messages != NULL && p->f->shape_slot != UINT32_MAX ? p->f->set->messages->sights : NULL;
        p->sights = p->common != NULL || p->f->sights != NULL ? lq_alloc(sizeof *p->sights) : NULL;
    }
    if (err == LQ_OK && p->f != c->format) {
        struct parser_config inner = *c;
        inner.format = c->format->inner;
        err = parser_new(&inner, &p->inner, e);
        if (err == LQ_OK) {
            p->inner->enveloped = true;
        }
    }
    if (err != LQ_OK) {
        parser_free(&p);
        return err;
    }
    *out = p;
    return LQ_OK;
}

void parser_free(struct parser **p)
{
    if (*p != NULL) {
        parser_free(&(*p)->inner);
        match_state_free(&(*p)->match);
        match_state_free(&(*p)->search);
        lq_buf_fini(&(*p)->s.text);
        free((*p)->sights);
        free(*p);
        *p = NULL;
    }
}

const struct stream_schema *parser_schema(const struct parser *p)
{
    return &p->schema;
}

const struct stream_schema *parser_schema_at(const struct parser *p, unsigned depth)
{
    for (; p != NULL && depth > 0; depth--) {
        p = p->inner;
    }
    return p != NULL ? &p->schema : NULL;
}

const struct stream_schema *parser_unparsed_schema(const struct parser *p)
{
    return &p->unparsed;
}

static lq_str or_label(const struct parser *p, lq_str v, const char *name)
{
    return v.n > 0 ? v : labels_get(&p->labels, name);
}

void parser_envelope(struct parser *p, lq_str host, lq_str service)
{
    p->relabelled = p->relabelled || host.n > 0 || service.n > 0;
    p->label_value[DIM_HOST] = p->unparsed_label[DIM_HOST] = or_label(p, host, "host");
    p->label_value[DIM_SERVICE] = p->unparsed_label[DIM_SERVICE] = or_label(p, service, "service");
}

void parser_reference(struct parser *p, int64_t reference_us)
{
    p->time.reference_us = reference_us;
    if (p->inner != NULL) {
        parser_reference(p->inner, reference_us);
    }
}

static enum parse_result fill_slots(struct parser *p, lq_str line)
{
    const struct format *f = p->f;
    struct parse_scratch *s = &p->s;
    if (f->kind != PARSER_PATTERN) {
        return text_slots(p, line);
    }
    lq_str head = line;
    if (f->multiline != MULTILINE_NO) { /* the pattern describes the first line; the message goes on */
        const char *nl = memchr(line.p, '\n', line.n);
        head.n = nl != NULL ? (size_t)(nl - line.p) : line.n;
        head.n -= head.n > 0 && head.n < line.n && head.p[head.n - 1] == '\r';
    }
    enum match_result m = matcher_run(f->matcher, p->match, head, s->spans);
    if (m != MATCH_YES) {
        bool skip = f->skip != NULL && matcher_run(f->skip, p->search, head, s->spans) == MATCH_YES;
        return skip ? PARSE_HEADER : m == MATCH_NO ? PARSE_NO_MATCH : PARSE_TOO_COSTLY;
    }
    for (uint32_t i = 0; i < f->n_fields; i++) {
        uint32_t from = s->spans[f->span_at[i]], to = s->spans[f->span_at[i] + 1];
        s->slots[i] = from == LOWER_UNSET ? (lq_str){"", 0} : (lq_str){line.p + from, to - from};
    }
    if (head.n < line.n && f->tail_slot < f->n_fields && s->spans[f->span_at[f->tail_slot] + 1] == head.n) {
        s->slots[f->tail_slot].n += line.n - head.n;
    }
    return PARSE_OK;
}

/* Second regexes: their groups are fields. */
static void fill_extracts(struct parser *p)
{
    const struct format *f = p->f;
    uint32_t spans[2 * (GROUP_MAX + 1)];
    for (uint32_t i = 0; f->n_extracts > 0 && i < f->n_fields; i++) {
        if (f->fields[i].extract > 0) {
            p->s.slots[i] = (lq_str){"", 0};
        }
    }
    for (uint32_t k = 0; k < f->n_extracts; k++) {
        lq_str v = p->s.slots[f->extracts[k].from];
        if (v.n == 0 || matcher_run(f->extracts[k].matcher, p->search, v, spans) != MATCH_YES) {
            continue;
        }
        for (uint32_t i = 0; i < f->n_fields; i++) {
            const struct field *x = &f->fields[i];
            if (x->extract == k + 1 && spans[2 * x->group] != LOWER_UNSET) {
                p->s.slots[i] = (lq_str){v.p + spans[2 * x->group], spans[2 * x->group + 1] - spans[2 * x->group]};
            }
        }
    }
}

/* The record becomes that of the line in its message, if there is one. What the envelope says stands where labels would. */
static void open_envelope(struct parser *p, struct record *r)
{
    struct record in;
    struct parser *inner = p->inner;
    lq_str m = format_unmark(r->message);
    for (uint32_t d = DIM_HOST; d < DIM_BUILTIN; d++) {
        inner->label_value[d] = r->dims[d];
    }
    inner->envelope_us = r->time_us;
    inner->envelope_zoned = p->time.zoned || (p->enveloped && p->envelope_zoned);
    if (m.n > 0 && parser_parse(inner, m, &in) == PARSE_OK) {
        in.line = r->line;
        in.pid = in.pid != 0 ? in.pid : r->pid;
        in.inner = (uint8_t)(in.inner + 1);
        *r = in;
    }
}

/* In an envelope a line without a time takes the envelope's, and so does one whose time knows no zone where the envelope's does. */
static bool event_time(struct parser *p, int64_t *us)
{
    lq_str stamp = p->f->time_slot != UINT32_MAX ? p->s.slots[p->f->time_slot] : (lq_str){"", 0};
    if (stamp.n == 0 && p->enveloped) {
        *us = p->envelope_us;
        p->time.zoned = p->envelope_zoned;
        return true;
    }
    if (p->f->time_slot == UINT32_MAX) {
        return false;
    }
    if (stamp.n == 0 && p->f->fields[p->f->time_slot].extract > 0) {
        *us = TIME_PENDING;
        return p->pending;
    }
    if (!time_parse(&p->time, stamp, us, NULL)) {
        return false;
    }
    if (p->enveloped && p->envelope_zoned && !p->time.zoned) {
        *us = p->envelope_us;
    }
    return true;
}

enum parse_result parser_parse(struct parser *p, lq_str line, struct record *r)
{
    const struct format *f = p->f;
    if (line.n > 0 && line.p[line.n - 1] == '\r') {
        line.n--;
    }
    if (f == NULL || (f->time_slot == UINT32_MAX && !p->enveloped && f->kind != PARSER_JSON)) {
        return PARSE_NO_MATCH;
    }
    if (p->memo != NULL && !p->enveloped) {
        memo_tidy(p->memo);
    }
    p->text = line;
    enum parse_result result = fill_slots(p, line);
    if (result != PARSE_OK) {
        return result;
    }
    fill_extracts(p);
    char bytes[MEMO_KEY_BYTES_MAX];
    lq_str key = parser_memo_key(p, bytes);
    uint64_t hash = key.n > 0 ? lq_hash(key.p, key.n, 0) : 0;
    if (key.n > 0) {
        memo_prefetch(p->memo, hash);
    }
    if (!event_time(p, &r->time_us)) {
        return f->kind == PARSER_JSON && (f->time_slot == UINT32_MAX || p->s.slots[f->time_slot].n == 0) ? PARSE_NO_TIME : PARSE_BAD_TIME;
    }
    r->message = f->message_slot != UINT32_MAX ? p->s.slots[f->message_slot] : (lq_str){"", 0};
    parser_fill(p, key, hash, r);
    p->partial = f->partial != NULL && predicate_true(f->partial, p->s.slots);
    while (f->inner_slot != UINT32_MAX && r->message.n > 0 && (r->message.p[r->message.n - 1] == '\n' || r->message.p[r->message.n - 1] == '\r')) {
        r->message.n--; /* Docker keeps the line end */
    }
    r->line = line;
    r->inner = 0;
    r->pid = f->pid_slot != UINT32_MAX ? record_pid(p->s.slots[f->pid_slot]) : 0;
    if (p->inner != NULL) {
        open_envelope(p, r);
    }
    return PARSE_OK;
}

enum parse_result parser_parse_at(struct parser *p, lq_str line, int64_t time_us, struct record *r)
{
    bool enveloped = p->enveloped, zoned = p->envelope_zoned;
    int64_t us = p->envelope_us;
    p->enveloped = p->envelope_zoned = true; /* as in an envelope with this time */
    p->envelope_us = time_us;
    enum parse_result result = parser_parse(p, line, r);
    p->enveloped = enveloped;
    p->envelope_zoned = zoned;
    p->envelope_us = us;
    return result;
}

void parser_unparsed(struct parser *p, lq_str line, int64_t time_us, struct record *r)
{
    if (line.n > 0 && line.p[line.n - 1] == '\r') {
        line.n--;
    }
    lq_str head = {line.p, line.n < 1024 ? line.n : 1024};
    memset(r, 0, sizeof *r);
    r->time_us = time_us;
    lq_str *dims = p->s.dims;
    dims[DIM_ERROR] = LQ_STR("false");
    for (uint32_t d = DIM_HOST; d < p->unparsed.n_dims; d++) {
        dims[d] = p->unparsed_label[d];
    }
    lq_str shape = derive_shape(head, p->s.derive[0]);
    dims[DIM_BUILTIN] = derive_clean(shape, p->s.cut[DIM_BUILTIN], VALUE_BYTES_MAX);
    r->dims = dims;
    r->line = line;
    r->sighting = NULL;
    r->success = false;
}

const char *parse_result_name(enum parse_result r)
{
    static const char *const names[PARSE_RESULTS] = {"parsed", "no_match", "bad_time", "too_costly", "no_time", "header"};
    return r < PARSE_RESULTS ? names[r] : "?";
}
