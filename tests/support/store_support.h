/*
 * store_support.h - for tests: stores in temporary directories, generated records
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_STORE_SUPPORT_H
#define LQ_STORE_SUPPORT_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/reader.h"
#include "schema/timefmt.h"
#include "store/window.h"

static const struct stream_schema web_schema = {
    .name = "web", .kind = STREAM_REQUESTS, .n_dims = 7, .dims = {"error", "host", "service", "version", "env", "status", "route"},
    .n_measures = 2, .measures = {{"bytes", "bytes", 1}, {"request_time", "s", 1000000}}, .n_identities = 1, .identities = {"client"},
    .sketch_by = 1U << 1 | 1U << 6, .no_cap_probation = 0x3f};

struct generated { /* one record, a function of its number */
    char route[32], client[32], line[96];
    lq_str dims[DIM_MAX];
    struct record r; /* its dims are these */
};

static inline uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

static inline void generate(uint32_t i, struct generated *g)
{
    static const char *const hosts[] = {"web-1", "web-2"}, *const statuses[] = {"200", "404", "500"};
    uint64_t z = mix(i * 0x9e3779b97f4a7c15U + 1);
    memset(&g->r, 0, sizeof g->r);
    memset(g->dims, 0, sizeof g->dims);
    g->r.dims = g->dims;
    snprintf(g->route, sizeof g->route, "/r%u", (unsigned)(z % 23));
    snprintf(g->client, sizeof g->client, "10.0.%u.%u", (unsigned)(z >> 8 & 7), (unsigned)(z >> 16 & 255));
    const char *status = statuses[(z >> 24) % 16 == 0 ? 2 : (z >> 24) % 7 == 0];
    g->r.error = status[0] == '5';
    g->r.success = status[0] == '2';
    g->dims[0] = g->r.error ? LQ_STR("true") : LQ_STR("false");
    g->dims[1] = lq_str_of(hosts[z >> 32 & 1]);
    g->dims[5] = lq_str_of(status);
    g->dims[6] = lq_str_of(g->route);
    g->r.time_us = 1772445600000000 + (int64_t)i * 7000000 + (int64_t)(z % 1000000);
    g->r.measures[0] = (int64_t)(z >> 40 & 0xffff);
    g->r.measures[1] = (int64_t)(z >> 20 & 0xfffff);
    g->r.measure_set = (z & 15) == 0 ? 1 : 3;
    g->r.identities[0] = lq_str_of(g->client);
    snprintf(g->line, sizeof g->line, "line %u %s %s", i, g->client, g->route);
    g->r.line = lq_str_of(g->line);
}

static inline void temp_dir(char dir[64])
{
    strcpy(dir, "/tmp/lq-test-XXXXXX");
    cr_assert(mkdtemp(dir) != NULL);
}

static inline void remove_dir(const char *dir)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", "lock.writer"};
    char path[128];
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

static inline struct store *open_store(const char *dir, struct store_options o)
{
    struct store *s = NULL;
    struct lq_error e = {0};
    o.write = true;
    o.no_sync = true;
    o.map_bytes = o.map_bytes > 0 ? o.map_bytes : 1U << 30;
    cr_assert(store_open(dir, &o, &s, &e) == LQ_OK, "%s", e.msg);
    return s;
}

/* The first `n` generated records, by one flush; `alter` may change each before. */
static inline void fill_generated(struct store *s, uint32_t n, void (*alter)(uint32_t i, struct generated *g))
{
    struct generated g;
    struct lq_error e = {0};
    struct stream_use *use = NULL;
    struct window *w = NULL;
    cr_assert(window_new(s, &w, &e) == LQ_OK && stream_use_open(s, &web_schema, &use, &e) == LQ_OK, "%s", e.msg);
    for (uint32_t i = 0; i < n; i++) {
        generate(i, &g);
        if (alter != NULL) {
            alter(i, &g);
        }
        window_observe(w, use, &g.r);
    }
    cr_assert(store_flush(s, &w, 1, NULL, 0, NULL, 0, 1, &e) == LQ_OK, "%s", e.msg);
    window_free(&w);
    stream_use_close(&use);
}

static inline void digest_of(struct store *s, char hex[33], bool *capped)
{
    struct snapshot *snap = NULL;
    struct lq_error e = {0};
    cr_assert(snapshot_open(s, &snap, &e) == LQ_OK, "%s", e.msg);
    cr_assert(debug_digest(snap, hex, capped, &e) == LQ_OK, "%s", e.msg);
    snapshot_close(&snap);
}

static inline void verify_store(struct store *s)
{
    struct snapshot *snap = NULL;
    struct lq_error e = {0};
    struct lq_buf report = {0};
    cr_assert(snapshot_open(s, &snap, &e) == LQ_OK, "%s", e.msg);
    cr_assert(debug_verify(snap, &report, &e) == LQ_OK, "%s", e.msg);
    lq_buf_fini(&report);
    snapshot_close(&snap);
}

#endif
