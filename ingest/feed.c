/*
 * feed.c - an input as one loop sees it; syslog messages (pipeline.h)
 *
 * A syslog message whose text is a line of a known format becomes a record of that format, with host and service from the header. All others are
 * records of the stream `syslog`: host, service (the program), severity, facility, source (the sender's address) and the template of the text; severity err
 * and worse is an error. Which format a program's texts have is detected for each program, for one host ships nginx, the application and sshd by one connection.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "ingest/pipeline_int.h"
#include "schema/derive.h"

enum { DIM_SEVERITY = DIM_BUILTIN, DIM_FACILITY, DIM_SOURCE, DIM_TEMPLATE, SYSLOG_DIMS, SEVERITY_ERR = 3 };

static const struct stream_schema syslog_schema = {
    .name = "syslog", .kind = STREAM_EVENTS, .n_dims = SYSLOG_DIMS,
    .dims = {"error", "host", "service", "version", "env", "severity", "facility", "source", "template"},
    .sketch_by = 1U << DIM_HOST | 1U << DIM_SERVICE | 1U << DIM_VERSION | 1U << DIM_TEMPLATE, .no_cap_probation = (1U << DIM_FACILITY << 1) - 1};

static enum lq_err open_syslog(struct feed *f, struct lq_error *e)
{
    f->schema = syslog_schema;
    for (uint32_t i = 0; i < f->labels.n; i++) {
        uint32_t d = DIM_HOST;
        while (d < f->schema.n_dims && strcmp(f->schema.dims[d], f->labels.l[i].name) != 0) {
            d++;
        }
        if (d == f->schema.n_dims) {
            f->schema.dims[f->schema.n_dims++] = f->labels.l[i].name;
        }
        f->label_dim[i] = (uint8_t)d;
    }
    f->sights = message_sights_new(f->p->formats->set);
    enum lq_err err = syslog_parser_new(f->tz, &f->syslog, e);
    return err == LQ_OK ? stream_use_open(f->p->store, &f->schema, &f->use, e) : err;
}

enum lq_err feed_new(struct pipeline *p, const struct input_config *in, struct input_stats *stats, struct feed **out, struct lq_error *e)
{
    struct feed *f = lq_alloc(sizeof *f);
    f->p = p;
    f->in = in;
    f->stats = stats;
    f->tz = in->tz != NULL ? in->tz : p->tz;
    f->next = p->feeds;
    p->feeds = f;
    enum lq_err err = in->kind == INPUT_TAIL ? LQ_OK : labels_resolve(&in->labels, "", &f->labels, e);
    if (err == LQ_OK && in->kind != INPUT_TCP && in->kind != INPUT_TAIL && in->kind != INPUT_STDIN && in->kind != INPUT_HTTP) {
        err = open_syslog(f, e);
    }
    if (err != LQ_OK) {
        feed_free(&f);
        return err;
    }
    *out = f;
    return LQ_OK;
}

void feed_free(struct feed **fp)
{
    struct feed *f = *fp;
    if (f != NULL) {
        feed__hand_on(f, NULL, NULL);
        for (struct feed **at = &f->p->feeds; *at != NULL; at = &(*at)->next) {
            if (*at == f) {
                *at = f->next;
                break;
            }
        }
        for (uint32_t i = 0; i <= APPS_MAX; i++) {
            channel_free(&f->apps[i]);
        }
        lq_map_fini(&f->app_ids);
        stream_use_close(&f->use);
        syslog_parser_free(&f->syslog);
        message_sights_free(&f->sights);
        free(f);
        *fp = NULL;
    }
}

const struct input_config *feed_config(const struct feed *f)
{
    return f->in;
}

struct input_stats *feed_stats(const struct feed *f)
{
    return f->stats;
}

struct pipeline *feed_pipeline(const struct feed *f)
{
    return f->p;
}

void feed_dropped(struct feed *f, enum stat_id reason, uint64_t n)
{
    stat_add(f->stats, reason, n);
    f->p->open->counts[COUNT_DROPPED] += n;
}

void feed_too_long(struct feed *f)
{
    stat_add(f->stats, STAT_TOO_LONG, 1);
    f->p->open->counts[COUNT_TOO_LONG]++;
}

static struct channel *find_app(struct feed *f, lq_str app)
{
    uint64_t hash = lq_hash(app.p, app.n, 0);
    uint32_t i = lq_map_get_hashed(&f->app_ids, app, hash);
    if (i != LQ_MAP_NONE) {
        return f->apps[i];
    }
    i = f->n_apps < APPS_MAX ? f->n_apps++ : APPS_MAX;
    if (i < APPS_MAX) {
        lq_map_add(&f->app_ids, app, hash, i);
    }
    if (f->apps[i] == NULL) {
        f->apps[i] = channel_new(f, NULL, (lq_str){"", 0}, NULL);
        f->apps[i]->is_app = true;
        if (i == APPS_MAX && f->apps[i]->state == CHANNEL_SAMPLING) {
            channel__plain(f->apps[i]);
        }
    }
    return f->apps[i];
}

/* The channel of a program, most often that of the message before; past APPS_MAX of them, one for all the others that is never sampled. */
static struct channel *app_channel(struct feed *f, lq_str app)
{
    app.n = app.n < APP_BYTES_MAX ? app.n : APP_BYTES_MAX;
    if (f->last_app != NULL && app.n == f->last_app_n && lq_equal(app.p, f->last_app_name, app.n)) {
        return f->last_app;
    }
    f->last_app = find_app(f, app);
    memcpy(f->last_app_name, app.n > 0 ? app.p : "", app.n);
    f->last_app_n = (uint32_t)app.n;
    return f->last_app;
}

/* The record of a message that is no line of another format. */
static void observe_syslog(struct feed *f, lq_str raw, const struct syslog_message *m, lq_str host, lq_str peer)
{
    lq_str dims[DIM_MAX] = {{0}};
    struct record r = {.line = raw, .message = m->text, .dims = dims, .pid = record_pid(m->pid)};
    char scratch[SHAPE_BYTES_MAX + 8], clean[4][VALUE_BYTES_MAX + 16];
    r.time_us = m->has_time ? m->time_us : f->p->now_us;
    for (uint32_t i = 0; i < f->labels.n; i++) {
        dims[f->label_dim[i]] = lq_str_of(f->labels.l[i].value);
    }
    r.error = m->priority >= 0 && (m->priority & 7) <= SEVERITY_ERR;
    r.success = !r.error;
    dims[DIM_ERROR] = r.error ? LQ_STR("true") : LQ_STR("false");
    if (host.n > 0) {
        dims[DIM_HOST] = derive_clean(host, clean[0], VALUE_BYTES_MAX);
    }
    if (m->app.n > 0) {
        dims[DIM_SERVICE] = derive_clean(m->app, clean[1], VALUE_BYTES_MAX);
    }
    dims[DIM_SEVERITY] = lq_str_of(syslog_severity_name(m->priority));
    dims[DIM_FACILITY] = lq_str_of(syslog_facility_name(m->priority));
    dims[DIM_SOURCE] = peer;
    lq_str head = {m->text.p, m->text.n < 1024 ? m->text.n : 1024};
    lq_str shape = derive_shape(head, scratch);
    struct sighting sighting;
    dims[DIM_TEMPLATE] = derive_clean(shape, clean[2], VALUE_BYTES_MAX);
    r.sighting = message_sight(f->sights, shape, m->text, r.dims[DIM_HOST], r.dims[DIM_SERVICE], &sighting) ? &sighting : NULL;
    window_observe(f->p->open->window, f->use, &r);
}

static lq_str host_of(const struct feed *f, const struct syslog_message *m, lq_str peer)
{
    lq_str label = m->host.n == 0 ? labels_get(&f->labels, "host") : (lq_str){"", 0};
    return m->host.n > 0 ? m->host : label.n > 0 ? label : peer;
}

bool feed__syslog_event(struct feed *f, struct channel *app, lq_str raw, const struct syslog_message *m, lq_str peer, uint32_t lines)
{
    struct pipeline *p = f->p;
    struct record *r = &p->record;
    enum parse_result result;
    parser_envelope(app->binding->parser, host_of(f, m, peer), m->app);
    parser_reference(app->binding->parser, p->now_us);
    if (app->state != CHANNEL_BOUND || !channel__parse(app, m->text, r, &result)) {
        return false;
    }
    r->line = raw;
    window_observe(p->open->window, app->binding->use[r->inner], r);
    app->lines += lines;
    app->parsed += lines - 1;
    stat_add(f->stats, STAT_PARSED, lines);
    p->open->counts[COUNT_LINES] += lines;
    p->open->counts[COUNT_PARSED] += lines;
    return true;
}

void feed__syslog_message(struct feed *f, struct channel *app, lq_str raw, const struct syslog_message *m, lq_str peer)
{
    struct pipeline *p = f->p;
    struct record *r = &p->record;
    enum parse_result result = PARSE_NO_MATCH;
    lq_str host = host_of(f, m, peer);
    app->lines++;
    p->open->counts[COUNT_LINES]++;
    if (app->state == CHANNEL_BOUND) {
        parser_envelope(app->binding->parser, host, m->app);
        parser_reference(app->binding->parser, p->now_us);
        bool parsed = channel__parse(app, m->text, r, &result);
        if (result == PARSE_NO_TIME) { /* the header's is the better one */
            result = parser_parse_at(app->binding->parser, m->text, m->has_time ? m->time_us : p->now_us, r);
            parsed = result == PARSE_OK;
        }
        if (parsed) {
            r->line = raw;
            window_observe(p->open->window, app->binding->use[r->inner], r);
        } else {
            channel__missed(app);
        }
    }
    if (result == PARSE_TOO_COSTLY) {
        stat_add(f->stats, STAT_TOO_COSTLY, 1);
        p->open->counts[COUNT_TOO_COSTLY]++;
    }
    if (result != PARSE_OK && m->form == SYSLOG_RAW) { /* not even a priority: no syslog */
        parser_envelope(app->binding->parser, host, (lq_str){"", 0});
        parser_unparsed(app->binding->parser, raw, app->last_us != INT64_MIN ? app->last_us : p->now_us, r);
        window_observe(p->open->window, app->binding->unparsed, r);
        stat_add(f->stats, STAT_NO_MATCH, 1);
        p->open->counts[COUNT_NO_MATCH]++;
        return;
    }
    if (result != PARSE_OK) {
        if (!m->has_time) {
            stat_add(f->stats, STAT_NO_TIME, 1);
        }
        observe_syslog(f, raw, m, host, peer);
    }
    stat_add(f->stats, STAT_PARSED, 1);
    p->open->counts[COUNT_PARSED]++;
}

void feed_syslog(struct feed *f, lq_str raw, lq_str peer)
{
    feed_syslog_from(f, raw, &(struct origin){.peer = peer});
}

void feed_origin_gone(struct feed *f, const void *conn)
{
    if (f->n_open > 0) {
        feed__hand_on(f, NULL, conn);
    }
}

void feed_syslog_from(struct feed *f, lq_str raw, const struct origin *o)
{
    struct syslog_message m;
    if (raw.n == 0 && o->ack) {
        batch_acknowledge(f->p->open, o->conn, o->txnr);
    }
    if (raw.n == 0) {
        return;
    }
    stat_add(f->stats, STAT_LINES, 1);
    syslog_parser_reference(f->syslog, f->p->now_us);
    syslog_parse(f->syslog, raw, &m);
    struct channel *app = app_channel(f, m.app);
    channel__probe(app);
    if (app->state == CHANNEL_BOUND && app->binding->events != NULL) {
        feed__join(f, app, raw, &m, o);
        return;
    }
    if (app->state == CHANNEL_SAMPLING) {
        channel__hold(app, raw, o->peer);
    } else {
        feed__syslog_message(f, app, raw, &m, o->peer);
    }
    if (o->ack) {
        batch_acknowledge(f->p->open, o->conn, o->txnr);
    }
}
