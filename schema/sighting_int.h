/*
 * sighting_int.h - rules of sightings, shared by sighting.c, the loader of formats and the parser
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_SIGHTING_INT_H
#define LQ_SIGHTING_INT_H

#include "schema/format_int.h"
#include "schema/sighting.h"

enum { SIGHT_RULES_MAX = 48, SIGHT_FROM_MAX = 8, SIGHT_CACHE = 1024 };

struct sight_rule {
    const char *kind, *called;
    uint32_t confidence;
    struct matcher *shape, *read; /* NULL: none */
    struct predicate *when;
    uint32_t group_name, group_service, group_host; /* of read; 0: none */
    uint32_t name, service, host, of;               /* slots; UINT32_MAX: none */
    uint32_t n_from;
    const char *from[SIGHT_FROM_MAX];
};
struct sight_rules {
    uint32_t n;
    struct sight_rule r[SIGHT_RULES_MAX];
};
void sight_rules_fini(struct sight_rules *r);

/* What a thread remembers: which rules could fit a shape (by its hash), as a set of bits. */
struct sight_cache {
    struct {
        uint64_t hash, own, common; /* hash 0: free */
    } slots[SIGHT_CACHE];
};

/* One line: slots of the format (NULL without one), its shape and message, host and service where the rule gives none. */
struct sight_line {
    const lq_str *slots;
    lq_str shape, message, host, service;
};
bool sight_find(const struct sight_rules *own, const struct sight_rules *common, struct sight_cache *cache, struct match_state *state,
                const struct sight_line *line, struct sighting *out);

/* format_load_markers.c: the list markers: */
struct loader;
LQ_MUST enum lq_err load_markers(struct loader *l, void *list);

#endif
