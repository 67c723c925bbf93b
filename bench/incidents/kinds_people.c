/*
 * kinds_people.c - what people do besides releases, and what ends by itself at an instant that its message names
 *
 * Written after the first held-out table was known (README.md), for the tune part, with wordings of its own: many of the deeds use none of the words that
 * the engine lists. A harmless release or restart often stands nearer to the failures, or just before the deed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "bench/incidents/kinds.h"

struct deed {
    const char *says, *has;  /* what is logged when it is done; what the truth asks for */
    const char *grows;       /* a warning that grows until it fails; NULL = none */
    const char *fails;       /* NULL = the failures say nothing of their own */
    unsigned status;
    double slow;
};
static const struct deed deeds[] = {
    {"I3Pool db resized: max # -> #", "Pool db resized", "W3Waiting for a connection: # threads queued", "E3Timeout waiting for connection after # ms", 503, 2},
    {"I0feature checkout_v2 turned on for 100% of users (by jsmith)", "turned on for", NULL, "E1checkout_v2: cannot price basket @", 500, 0},
    {"I0Applied firewall ruleset r-# from gitops", "firewall ruleset", NULL, "E3connect to {} timed out after # ms", 504, 4},
    {"I2Rotated secret {}/password, version # is current", "Rotated secret", NULL, "E3{}: password authentication failed for user app", 500, 0},
    {"I0signal # (SIGHUP) received from #, reconfiguring", "reconfiguring", NULL, NULL, 502, 0},
    {"I3Migrating schema main to version # - drop column legacy_price", "Migrating schema", NULL, "E3column legacy_price does not exist at character #", 500, 0},
    {"I4DNS zone internal.example updated, serial #", "DNS zone", NULL, "E3could not resolve {}.internal.example", 502, 1},
    {"I0Handling signal: hup", "Handling signal", NULL, "E1unknown locale xx_XX in request @", 500, 0},
    {"I1Kill switch legacy-auth flipped to OFF by ops", "Kill switch", NULL, "E1no authenticator available for request @", 500, 0},
    {"I2ansible playbook site.yml finished: changed=#", "ansible playbook", NULL, NULL, 500, 1},
    {"I2Experiment ranker-b ramped from 5% to 50%", "Experiment ranker", "W2ranker-b took # ms", "E2ranker-b gave up on request @", 500, 3},
    {"I4New ceiling for tenant default: # requests/min", "New ceiling", NULL, "W4ceiling of tenant default hit, request @ refused", 500, 0},
    {"I0Switched primary of {} to replica-b", "Switched primary", NULL, "E3cannot execute INSERT in a read-only transaction", 500, 0},
    {"I1Loaded rule book fraud-w14 (# rules)", "Loaded rule book", NULL, "E1no rule matched transfer @", 500, 0},
    {"I3cache moved from local memory to {}", "cache moved", "W3cache miss storm: # keys/s", NULL, 503, 4},
    {"I1Reloading configuration: timeout.upstream=#ms", "Reloading configuration", NULL, "E3gave up on {} after # ms", 504, 0},
};
enum { N_DEEDS = sizeof deeds / sizeof deeds[0] };

/* Half of the failures are said in words of their own, half only as what any failure is. */
static void fail_in_words(struct plan *p, double from_h, double to_h, const struct effect *like, const char *says)
{
    static const char *const plain[] = {"E0Request @ failed", "E0Internal server error (request @)", "E0GET #: status #, see trace @"};
    for (unsigned i = 0; i < 2; i++) {
        struct effect *e = plan_effect(p, from_h, to_h);
        *e = *like;
        e->from_h = from_h;
        e->to_h = to_h;
        e->fail = like->fail / 2;
        e->slow = i == 0 ? like->slow : 0;
        e->harm = true;
        if (i == 0 && says != NULL) {
            plan_fail_says(e, world_between(p->w, 0.5, 1), "%s", says);
        } else if (i == 1) {
            plan_fail_says(e, 0.8, "%s", plain[world_pick(p->w, 3)]);
        }
    }
}

/* A release or a restart that changes nothing. */
static void bystander(struct plan *p, double at_h)
{
    plan_wave(p, at_h, 0, world_between(p->w, 0.005, 0.03), rng_chance(&p->w->rng, 0.5) ? "release" : "restart");
}

static void want_text(struct plan *p, double low_h, double high_h, const char *has)
{
    struct want *x = plan_want(p, NULL, low_h, high_h);
    x->dim = "template|message";
    snprintf(x->has, sizeof x->has, "%s", has);
}

static void deed_done(struct plan *p, const struct deed *d, double at_h, uint32_t hosts, double gap_h)
{
    char text[WORLD_TEXT_MAX];
    kind_text(text, d->says, p->w->upstream);
    double at = at_h;
    for (unsigned h = 0; h < p->w->n_hosts; h++) {
        if ((hosts >> h & 1) != 0) {
            plan_line(p, at, h, "%s", text);
            at += gap_h;
        }
    }
    plan_change(p, at_h, at, "config", d->has)->cause = true;
    want_text(p, at_h - 0.1, at + 0.3, d->has);
}

void deed_said(struct plan *p)
{
    struct world *w = p->w;
    const struct deed *d = &deeds[world_pick(w, N_DEEDS)];
    char fails[WORLD_TEXT_MAX];
    kind_text(fails, d->fails != NULL ? d->fails : "", w->upstream);
    bool later = d->grows != NULL && rng_chance(&w->rng, 0.6), near = rng_chance(&w->rng, 0.4), each = rng_chance(&w->rng, 0.5);
    double t = kind_moment(p, 0.25, 0.85), lead = later ? world_between(w, 1.2, 8) : rng_chance(&w->rng, 0.3) ? world_between(w, 0.05, 0.5) : 0.002;
    if (t + lead > w->days * 24 - 1) {
        t = w->days * 24 - 1 - lead;
    }
    plan_distract(p, 1 + world_pick(w, 3));
    deed_done(p, d, t, each ? plan_all_hosts(p) : 1U << world_pick(w, w->n_hosts), each ? world_between(w, 0.001, 0.02) : 0);
    if (near) { /* in the middle of the way, or before the deed */
        bystander(p, later ? t + lead * world_between(w, 0.3, 0.9) : t - world_between(w, 0.25, 0.7));
    }
    if (later) {
        struct effect *g = plan_effect(p, t, 0);
        g->ramp_h = lead;
        g->slow = 0.6 * d->slow;
        plan_says(g, world_between(w, 20, 120), "%s", d->grows);
    }
    struct effect like = {.routes = kind_route(p), .fail = world_between(w, 0.08, 0.6), .slow = d->slow, .status = d->status};
    fail_in_words(p, t + lead, 0, &like, d->fails != NULL ? fails : NULL);
    plan_onset(p, t + lead);
    p->high_allowed = true;
    p->variant = later ? "after hours" : lead > 0.01 ? "after minutes" : "at once";
    kind_app_only(p);
}

/* What the failures say had its end at an instant: nobody did anything. */
void ended(struct plan *p)
{
    static const struct {
        const char *says, *has, *before;
    } ends[] = {
        {"E1licence of module pdf-export has ended; request @ refused", "licence of module", "W1licence of module pdf-export ends in # days"},
        {"E2API key for {} is no longer valid (request @)", "API key for", NULL},
        {"E3no partition of relation events found for row @", "no partition of relation", NULL},
        {"E2nextval: reached maximum value of sequence orders_id_seq (#)", "reached maximum value of sequence", "W2sequence orders_id_seq at # percent"},
        {"E1id_token used before issued: local clock is # s behind", "used before issued", NULL},
        {"E4monthly volume of {} used up, next period in # days", "monthly volume of", "W4monthly volume of {}: # percent used"},
        {"E0signing key @ is retired, cannot verify session of u#", "signing key", NULL},
        {"E3account svc-web is locked (request @)", "account svc-web is locked", NULL},
        {"E1local time is not valid in zone Europe/Berlin for slot @", "local time is not valid", NULL},
        {"E2trial period over: feature search is off", "trial period over", "W2trial period: # days left"},
        {"E3password of user app has expired", "password of user app has expired", NULL},
        {"E4date # does not fit the calendar of 2026", "does not fit the calendar", NULL},
    };
    struct world *w = p->w;
    unsigned k = world_pick(w, sizeof ends / sizeof ends[0]);
    char says[WORLD_TEXT_MAX], before[WORLD_TEXT_MAX];
    kind_text(says, ends[k].says, w->upstream);
    double t = kind_moment(p, 0.3, 0.9), end = kind_end(p, t);
    plan_distract(p, 1 + world_pick(w, 3));
    if (rng_chance(&w->rng, 0.5)) {
        bystander(p, t - world_between(w, 0.2, 1.5));
    }
    if (ends[k].before != NULL) { /* once or a few times a day, long before */
        kind_text(before, ends[k].before, w->upstream);
        plan_says(plan_effect(p, world_between(w, 0, 0.5) * t, t), world_between(w, 0.05, 0.3), "%s", before);
    }
    struct effect like = {.routes = kind_route(p), .fail = world_between(w, 0.15, 0.9)};
    fail_in_words(p, t, end, &like, says);
    want_text(p, t - 0.1, t + 0.5, ends[k].has);
    plan_onset(p, t);
    p->end_h = end;
    p->high_allowed = true;
    p->variant = ends[k].before != NULL ? "with warnings" : "without";
    kind_app_only(p);
}

/* A flag that is on for some of the hosts. */
void flag_hosts(struct plan *p)
{
    struct world *w = p->w;
    static const struct deed flags[] = {
        {"I0flag new-cart=on", "flag new-cart", NULL, "E1new-cart: missing price for item #", 500, 0},
        {"I2Experiment ranker-b: this node joins group B", "joins group B", NULL, "E2ranker-b gave up on request @", 500, 1},
        {"I0now serving bundle summer with variant lazy-load", "now serving bundle", NULL, NULL, 500, 0},
        {"I3Driver switched to async mode", "Driver switched", NULL, "E3future @ was cancelled", 500, 2},
    };
    kind_at_least(w, 1, 4 + world_pick(w, 6));
    w->one_access_file = false;
    const struct deed *d = &flags[world_pick(w, 4)];
    unsigned n = 1 + world_pick(w, w->n_hosts / 2), first = world_pick(w, w->n_hosts - n + 1);
    uint32_t hosts = ((1U << n) - 1) << first;
    double t = kind_moment(p, 0.3, 0.9);
    plan_distract(p, 1 + world_pick(w, 3));
    deed_done(p, d, t, hosts, world_between(w, 0.0005, 0.01));
    if (rng_chance(&w->rng, 0.4)) {
        bystander(p, t - world_between(w, 0.2, 0.7));
    }
    struct effect like = {.routes = ROUTES_ALL, .hosts = hosts, .fail = world_between(w, 0.1, 0.6), .slow = d->slow, .status = d->status};
    fail_in_words(p, t + 0.003 + 0.01 * n, 0, &like, d->fails);
    for (unsigned h = first; h < first + n; h++) {
        struct want *x = p->n_neutral < PLAN_WANTS_MAX ? plan_neutral(p, NULL, t - 0.2, t + 2) : NULL;
        if (x != NULL) {
            x->dim = "host";
            snprintf(x->is, sizeof x->is, "%s", w->host[h]);
        }
    }
    plan_onset(p, t + 0.003);
    p->high_allowed = true;
    p->variant = n == 1 ? "one host" : "some hosts";
}

/* A setting of a sort that is changed now and then: earlier changes hurt nobody; this one acts at once, after a while, or when a restart takes it in. */
void setting_again(struct plan *p)
{
    static const struct {
        const char *says, *has; /* the first # is the key, then numbers */
    } sorts[] = {
        {"I0Refresh keys changed: [{}]", "Refresh keys"}, {"I3SET GLOBAL {} = # by ops", "SET GLOBAL"}, {"I4policy document {} replaced, revision #", "policy document"},
        {"I0Applied ConfigMap shop/{} (resourceVersion #)", "Applied ConfigMap"}, {"I2zone {}/IN: loaded serial #", "loaded serial"}, {"I1Override {} -> #", "Override"},
        {"I0tuning: {} is now # (was #)", "tuning:"}, {"I2ceiling of {} moved to #", "ceiling of"}, {"I0parameter \"{}\" altered to \"#\"", "parameter"},
    };
    static const char *const keys[] = {"max_in_flight", "pool.size", "tax.engine", "keepalive", "mail.sender", "banner.text", "cache.ttl", "search.depth"};
    static const char *const fails[] = {"E1{}: bad value, request @ refused", "E3gave up on {} after # ms", "E3Connection to {} refused", "E2no permit left for request @", NULL};
    struct world *w = p->w;
    unsigned k = world_pick(w, sizeof sorts / sizeof sorts[0]), key = world_pick(w, 8), f = world_pick(w, 5), how = world_pick(w, 4);
    bool each = rng_chance(&w->rng, 0.3);
    double t = kind_moment(p, 0.3, 0.85), lead = how == 0 ? 0.002 : how == 1 ? world_between(w, 0.04, 0.6) : how == 2 ? world_between(w, 0.05, 1) : world_between(w, 0.6, 4);
    char says[WORLD_TEXT_MAX], text[WORLD_TEXT_MAX];
    if (t + lead > w->days * 24 - 1) {
        t = w->days * 24 - 1 - lead;
    }
    plan_distract(p, 1 + world_pick(w, 3));
    for (unsigned i = 0, n = world_pick(w, 4); i < n; i++) { /* earlier, and harmless */
        kind_text(says, sorts[k].says, keys[(key + 1 + i) % 8]);
        plan_line(p, world_between(w, 0.05, 0.85) * t, world_pick(w, w->n_hosts), "%s", says);
    }
    if (rng_chance(&w->rng, 0.3)) {
        kind_text(says, sorts[k].says, keys[(key + 5) % 8]);
        plan_line(p, t + lead + world_between(w, 0.2, 0.9), world_pick(w, w->n_hosts), "%s", says);
    }
    kind_text(says, sorts[k].says, keys[key]);
    struct deed d = {.says = says, .has = sorts[k].has};
    unsigned teller = world_pick(w, w->n_hosts + w->n_backends);
    deed_done(p, &d, t, each || teller >= w->n_hosts ? plan_all_hosts(p) : 1U << teller, each ? world_between(w, 0.001, 0.01) : 0.0002);
    if (how == 2) {
        plan_wave(p, t + lead, 0, world_between(w, 0.003, 0.02), "restart");
    } else if (rng_chance(&w->rng, 0.35)) {
        bystander(p, how == 3 ? t + lead * world_between(w, 0.2, 0.7) : t - world_between(w, 0.25, 0.7));
    }
    if (fails[f] != NULL) {
        kind_text(text, fails[f], f == 0 ? keys[key] : w->upstream);
    }
    struct effect like = {.routes = kind_route(p), .fail = world_between(w, 0.08, 0.6), .slow = rng_chance(&w->rng, 0.4) ? 2 : 0, .since_start = how == 2};
    fail_in_words(p, t + lead, 0, &like, fails[f] != NULL ? text : NULL);
    plan_onset(p, t + lead);
    p->high_allowed = true;
    p->variant = (const char *[]){"at once", "after minutes", "taken in by a restart", "after hours"}[how];
    kind_app_only(p);
}
