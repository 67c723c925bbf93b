/*
 * test_sighting.c - which messages show that something was done; errors in rules, with their place
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>

#include "schema/derive.h"
#include "schema/format.h"

static struct format_set *shipped(void)
{
    struct format_set *s = NULL;
    struct lq_error e = {0};
    cr_assert(format_set_load(NULL, 0, &s, &e) == LQ_OK, "%s: %s", e.file, e.msg);
    return s;
}

static bool sight(struct message_sights *m, const char *service, const char *message, struct sighting *out)
{
    char scratch[SHAPE_BYTES_MAX + 8];
    return message_sight(m, derive_shape(lq_str_of(message), scratch), lq_str_of(message), LQ_STR("web-1"), lq_str_of(service), out);
}

Test(sighting, messages_that_show_a_deed)
{
    static const struct {
        const char *service, *message, *kind, *name, *of;
    } rows[] = {
        {"kernel", "Out of memory: Killed process 3312 (java) total-vm:8kB, anon-rss:5kB", "oom", "", "java"},
        {"kernel", "oom_reaper: reaped process 3312 (java), now anon-rss:0kB", "oom", "", "kernel"},
        {"kernel", "Linux version 6.1.0-28-amd64 (gcc)", "restart", "6.1.0-28-amd64", "kernel"},
        {"systemd", "Started nginx.service - A high performance web server.", "restart", "", "nginx"},
        {"systemd", "Stopped PostgreSQL Cluster 15-main.", "restart", "PostgreSQL Cluster 15-main", "systemd"},
        {"postgres", "database system is ready to accept connections", "restart", "", "postgres"},
        {"postgres", "received SIGHUP, reloading configuration files", "config", "", "postgres"},
        {"postgres", "parameter \"work_mem\" changed to \"64MB\"", "config", "work_mem", "postgres"},
        {"sshd", "Server listening on 0.0.0.0 port 22.", "restart", "", "sshd"},
        {"app", "Starting shop-web version 2.4.1 on web-1 with PID 4312", "restart", "2.4.1", "shop-web"},
        {"app", "Starting orders v1.5.0", "restart", "1.5.0", "orders"},
        {"app", "Started OrdersApplication in 4.3 seconds (JVM running for 5.1)", "restart", "", "app"},
        {"deploy", "Deployed orders 3.2.1 to production by ci", "release", "3.2.1", "deploy"},
        {"deploy", "Rolling back to 3.2.0", "rollback", "3.2.0", "deploy"},
        {"app", "Feature flag new-checkout enabled for 100% of users", "config", "new-checkout", "app"},
        {"app", "Configuration reloaded from /etc/app.yaml", "config", "", "app"},
    };
    struct format_set *s = shipped();
    struct message_sights *m = message_sights_new(s);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int again = 0; again < 2; again++) { /* decided, then remembered */
            struct sighting x;
            bool found = sight(m, rows[i].service, rows[i].message, &x);
            cr_expect(found == (rows[i].kind != NULL), "%s: found %d", rows[i].message, found);
            if (!found || rows[i].kind == NULL) {
                continue;
            }
            cr_expect(strcmp(x.kind, rows[i].kind) == 0, "%s: %s", rows[i].message, x.kind);
            cr_expect(lq_str_is(x.name, rows[i].name), "%s: name %.*s", rows[i].message, (int)x.name.n, x.name.p);
            cr_expect(lq_str_is(x.service, rows[i].of), "%s: service %.*s", rows[i].message, (int)x.service.n, x.service.p);
            cr_expect(lq_str_is(x.host, "web-1") && x.confidence > 0 && x.confidence <= 100);
        }
    }
    message_sights_free(&m);
    format_set_free(&s);
}

Test(sighting, messages_that_show_none)
{
    static const char *const rows[] = {
        "Transaction 3312 rolled back after 31 ms", "Releasing connection 12 to the pool", "Starting task 12.0 in stage 3.1", "Started reading broadcast variable 9",
        "pam_unix(cron:session): session opened for user root by (uid=0)", "Started Session 12 of user root.", "Starting Daily apt upgrade and clean activities...",
        "Shutting down executor 5", "order 12 released from quarantine", "GET /deploy/1.2.3 took 5 ms", "reload of page 12 by user", "Failed to reload price list 12",
        "Connection closed by 10.0.0.1 port 22 [preauth]", "MemoryStore started with capacity 1.2 GB", "", "<*> <*>",
    };
    struct format_set *s = shipped();
    struct message_sights *m = message_sights_new(s);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sighting x;
        bool units = strstr(rows[i], "ession") != NULL || strstr(rows[i], "Daily") != NULL;
        cr_expect(!sight(m, units ? "systemd" : "app", rows[i], &x), "%s: %s", rows[i], x.kind);
    }
    message_sights_free(&m);
    format_set_free(&s);
}

Test(sighting, parsers_see_what_formats_say_with_and_without_a_memory)
{
    struct format_set *s = shipped();
    static const struct {
        const char *format, *line, *kind, *name, *of;
    } rows[] = {
        {"dpkg", "2026-11-25 02:42:01 upgrade libpq5:amd64 15.18-0 15.19-0", "release", "packages", ""},
        {"dpkg", "2026-11-25 02:42:01 status installed libpq5:amd64 15.18-0", NULL, "", ""},
        {"combined", "1.2.3.4 - - [02/Mar/2026:10:00:00 +0000] \"GET /assets/app.9a8b7c6d.js HTTP/1.1\" 200 1 \"-\" \"-\"", "release", "/assets/app.9a8b7c6d.js", "/assets/app.{hash}.js"},
        {"combined", "1.2.3.4 - - [02/Mar/2026:10:00:00 +0000] \"GET /assets/app.9a8b7c6d.js HTTP/1.1\" 404 1 \"-\" \"-\"", NULL, "", ""},
        {"combined", "1.2.3.4 - - [02/Mar/2026:10:00:00 +0000] \"GET /orders/12 HTTP/1.1\" 200 1 \"-\" \"-\"", NULL, "", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct memo *memos[2] = {NULL, memo_new()};
        for (int k = 0; k < 2; k++) {
            struct parser_config c = {.reference_us = 1772445600000000, .memo = memos[k]};
            struct parser *p = NULL;
            cr_assert(format_set_find(s, rows[i].format, &c.format, NULL) == LQ_OK && parser_new(&c, &p, NULL) == LQ_OK);
            for (int again = 0; again < 4; again++) {
                struct record r = {0};
                cr_assert(parser_parse(p, lq_str_of(rows[i].line), &r) == PARSE_OK);
                cr_expect((r.sighting != NULL) == (rows[i].kind != NULL), "%s, time %d", rows[i].line, again);
                if (r.sighting != NULL && rows[i].kind != NULL) {
                    cr_expect(lq_str_is(r.sighting->name, rows[i].name) && lq_str_is(r.sighting->of, rows[i].of), "%s: %.*s of %.*s", rows[i].line, (int)r.sighting->name.n,
                              r.sighting->name.p, (int)r.sighting->of.n, r.sighting->of.p);
                }
            }
            parser_free(&p);
        }
        memo_free(&memos[1]);
    }
    format_set_free(&s);
}

Test(sighting, errors_in_rules_name_the_place)
{
    static const char head[] = "name: x\npattern: '^(?<time>\\S+) (?<what>.*)$'\ntime: {field: time, layout: iso8601}\nfields:\n  time: {role: ignore}\n  what: {role: message}\n";
    static const struct {
        const char *rule, *msg, *hint;
        uint32_t line;
    } rows[] = {
        {"markers:\n  - {kind: relase, template: 'a'}\n", "unknown kind of marker relase", "did you mean release?", 8},
        {"markers:\n  - {kind: release, tempalte: 'a'}\n", "unknown key of a marker: tempalte", "did you mean template?", 8},
        {"markers:\n  - {kind: release}\n", "a marker needs template:, when: or version_of:", "", 8},
        {"markers:\n  - {template: 'a'}\n", "a marker needs kind:", "", 8},
        {"markers:\n  - {kind: release, template: '(a'}\n", "missing closing parenthesis", "", 8},
        {"markers:\n  - {kind: release, when: 'waht = 1'}\n", "unknown field", "did you mean what?", 8},
        {"markers:\n  - {kind: release, template: a, name: waht}\n", "unknown field waht", "did you mean what?", 8},
        {"markers:\n  - {kind: release, template: a, confidence: 101}\n", "a whole number is expected for confidence", "", 8},
        {"markers:\n  - {kind: release, template: a, confidence: 0}\n", "a confidence is 1 to 100 percent, not 0", "", 8},
        {"markers: {kind: release}\n", "a list is expected for markers", "", 7},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct format_set *s = format_set_new();
        struct lq_error e = {0};
        char text[1024];
        snprintf(text, sizeof text, "%s%s", head, rows[i].rule);
        cr_expect(format_set_add_text(s, "x.yaml", lq_str_of(text), &e) == LQ_EINVAL, "%s", rows[i].rule);
        cr_expect(strstr(e.msg, rows[i].msg) != NULL && e.line == rows[i].line && strstr(e.hint, rows[i].hint) != NULL, "%s: line %u: %s (%s)", rows[i].rule, e.line, e.msg, e.hint);
        format_set_free(&s);
    }
}
