/*
 * test_format.c - shipped formats: samples, detection, hard lines; loader errors with their place
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "schema/format.h"

static struct format_set *shipped(void)
{
    struct format_set *s = NULL;
    struct lq_error e = {0};
    cr_assert(format_set_load(NULL, 0, &s, &e) == LQ_OK, "%s: %s", e.file, e.msg);
    return s;
}

Test(format, every_sample_parses_as_it_says_and_is_detected)
{
    struct format_set *s = shipped();
    cr_assert(format_set_count(s) >= 6);
    for (size_t i = 0; i < format_set_count(s); i++) {
        const struct format *f = format_set_at(s, i);
        struct lq_error e = {0};
        cr_expect(format_test_samples(f, &e) == LQ_OK, "%s", e.msg);
        cr_expect(format_sample(f, 0).n > 0, "%s has no samples", format_name(f));
        for (size_t k = 0; format_sample(f, k).n > 0; k++) {
            struct detection d;
            format_detect(s, format_sample(f, k), &d);
            cr_expect(d.format == f, "sample %zu of %s is taken for %s", k, format_name(f), d.format != NULL ? format_name(d.format) : "nothing");
        }
    }
    format_set_free(&s);
}

/* A line that two formats match is a tie that only the order of names decides, unless one of them says that it is the more special one. */
Test(format, no_format_takes_the_lines_of_another)
{
    struct format_set *s = shipped();
    size_t lines = 0, also = 0;
    for (size_t i = 0; i < format_set_count(s); i++) {
        const struct format *f = format_set_at(s, i);
        for (size_t k = 0; format_sample(f, k).n > 0; k++) {
            struct detection d;
            format_detect(s, format_sample(f, k), &d);
            lines++;
            also += d.n > 1;
            for (uint32_t j = 1; j < d.n; j++) {
                cr_expect(format_priority(d.scores[j].format) < format_priority(f) || d.scores[j].matched < d.scores[0].matched,
                          "sample %zu of %s: %s matches it too, and is not more general", k, format_name(f), format_name(d.scores[j].format));
            }
        }
    }
    cr_log_info("%zu sample lines; %zu of them are matched by a more general format too", lines, also);
    cr_expect(lines >= 2 * format_set_count(s));
    format_set_free(&s);
}

static struct parser *parser_for(struct format_set *s, const char *name)
{
    struct parser_config c = {.reference_us = 1772445600000000};
    struct parser *p = NULL;
    cr_assert(format_set_find(s, name, &c.format, NULL) == LQ_OK);
    cr_assert(parser_new(&c, &p, NULL) == LQ_OK);
    return p;
}

Test(format, hard_lines_are_defined)
{
    struct format_set *s = shipped();
    struct parser *p = parser_for(s, "combined");
    struct record r = {0};
    static const char nul[] = "1.2.3.4 - - [02/Mar/2026:10:00:00 +0000] \"GET /a\0b HTTP/1.1\" 200 1 \"-\" \"-\"\r";
    cr_expect(parser_parse(p, (lq_str){nul, sizeof nul - 1}, &r) == PARSE_OK, "NUL byte and CRLF");
    cr_expect(lq_str_is(r.dims[7], "/a~b"), "a control byte in a route is shown as ~: %.*s", (int)r.dims[7].n, r.dims[7].p);
    static const char bad_utf8[] = "1.2.3.4 - - [02/Mar/2026:10:00:00 +0000] \"GET /\xff\xfe HTTP/1.1\" 200 1 \"-\" \"-\"";
    cr_expect(parser_parse(p, lq_str_of(bad_utf8), &r) == PARSE_OK);
    cr_expect(lq_str_is(r.dims[7], "/\\xff\\xfe"), "invalid UTF-8 is escaped: %.*s", (int)r.dims[7].n, r.dims[7].p);
    cr_expect(parser_parse(p, LQ_STR("1.2.3.4 - - [30/Feb/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\""), &r) == PARSE_BAD_TIME);
    cr_expect(parser_parse(p, LQ_STR(""), &r) == PARSE_NO_MATCH);
    char *mib = lq_alloc(LINE_BYTES_MAX);
    memset(mib, 'x', LINE_BYTES_MAX);
    cr_expect(parser_parse(p, (lq_str){mib, LINE_BYTES_MAX}, &r) == PARSE_NO_MATCH, "1 MiB line");
    free(mib);
    parser_free(&p);
    format_set_free(&s);
}

Test(format, json_roles_are_inferred)
{
    static const char lines[] =
        "{\"ts\":\"2026-03-02T10:00:00Z\",\"level\":\"error\",\"msg\":\"user 17 failed\",\"duration_ms\":12.5,\"user\":\"u1\",\"ctx\":{\"trace_id\":\"a1\"}}\n"
        "{\"ts\":\"2026-03-02T10:00:01Z\",\"level\":\"info\",\"msg\":\"user 18 ok\",\"duration_ms\":3,\"user\":\"u2\",\"ctx\":{\"trace_id\":\"b2\"}}\n";
    struct format_set *s = shipped();
    struct detection d;
    format_detect(s, LQ_STR(lines), &d);
    cr_assert(d.format != NULL && strcmp(format_name(d.format), "json") == 0, "%s", d.why);
    struct parser *p = parser_for(s, "json");
    struct record r = {0};
    lq_str first = {lines, (size_t)(strchr(lines, '\n') - lines)};
    cr_expect(parser_parse(p, first, &r) == PARSE_OK);
    cr_expect(r.error && r.time_us == 1772445600000000);
    const struct stream_schema *x = parser_schema(p);
    cr_expect(x->n_measures == 1 && r.measures[0] == 12500 && strcmp(x->measures[0].unit, "s") == 0);
    cr_expect(x->n_identities == 1 && lq_str_is(r.identities[0], "u1"));
    bool template = false;
    for (uint32_t i = 0; i < x->n_dims; i++) {
        template = template || (strcmp(x->dims[i], "template") == 0 && lq_str_is(r.dims[i], "user <*> failed"));
    }
    cr_expect(template);
    parser_free(&p);
    format_set_free(&s);
}

Test(format, a_line_in_a_syslog_message_is_a_record_of_its_own_format)
{
    static const char lines[] =
        "Mar  2 10:00:00 web-1 nginx: 1.2.3.4 - - [02/Mar/2026:10:00:00 +0100] \"GET /a?b=1 HTTP/1.1\" 500 17 \"-\" \"curl\"\n"
        "Mar  2 10:00:01 web-2 nginx: 1.2.3.5 - - [02/Mar/2026:10:00:01 +0100] \"GET /b HTTP/1.1\" 200 17 \"-\" \"curl\"\n"
        "Mar  2 10:00:02 web-2 sshd[77]: Accepted publickey for root\n";
    struct format_set *s = shipped();
    struct detection d;
    format_detect(s, LQ_STR(lines), &d);
    cr_assert(d.format != NULL && strcmp(format_name(d.format), "rfc3164+combined") == 0, "%s", d.why);
    cr_expect(strstr(d.why, "2 of 3 messages are lines of combined") != NULL, "%s", d.why);
    struct parser *p = parser_for(s, "rfc3164+combined");
    struct record r = {0};
    const char *second = strchr(lines, '\n') + 1, *third = strchr(second, '\n') + 1;
    cr_assert(strcmp(parser_schema(p)->name, "rfc3164") == 0 && strcmp(parser_schema_at(p, 1)->name, "combined") == 0);
    cr_expect(parser_parse(p, (lq_str){lines, (size_t)(second - lines) - 1}, &r) == PARSE_OK && r.inner && r.error);
    cr_expect(lq_str_is(r.dims[DIM_HOST], "web-1") && lq_str_is(r.dims[DIM_SERVICE], "nginx") && lq_str_is(r.dims[7], "/a"));
    cr_expect(r.time_us == 1772442000000000, "the time of the line itself, which knows its year and zone: %lld", (long long)r.time_us);
    cr_expect(r.line.p == lines, "the example is the whole line");
    cr_expect(parser_parse(p, (lq_str){second, (size_t)(third - second) - 1}, &r) == PARSE_OK && r.inner && lq_str_is(r.dims[DIM_HOST], "web-2"));
    cr_expect(parser_parse(p, (lq_str){third, strlen(third) - 1}, &r) == PARSE_OK && !r.inner && lq_str_is(r.dims[DIM_SERVICE], "sshd"));
    parser_free(&p);
    struct lq_error e = {0};
    const struct format *f = NULL;
    cr_expect(format_set_find(s, "combined+rfc3164", &f, &e) == LQ_EINVAL && strstr(e.msg, "carries no lines") != NULL, "%s", e.msg);
    cr_expect(format_set_find(s, "rfc3164+combind", &f, &e) == LQ_EINVAL && strstr(e.hint, "combined") != NULL, "%s", e.hint);
    format_set_free(&s);
}

Test(format, loader_errors_name_the_place)
{
    static const struct {
        const char *yaml;
        uint32_t line, column;
        const char *message, *hint;
    } cases[] = {
        {"name: x\n\tpattern: y\n", 2, 1, "tab", ""},
        {"name: x\npatern: a\n", 2, 1, "unknown key patern", "pattern"},
        {"name: x\nname: y\n", 2, 1, "twice: name", ""},
        {"name: x\npriority: 010\n", 2, 11, "a whole number is expected", ""},
        {"name: x\npattern: '(?<t>a'\ntime: {field: t, layout: clf}\nfields:\n  t: {role: ignore}\n", 2, 17, "bad regex", ""},
        {"name: x\npattern: '(?<t>a)'\ntime: {field: t, layout: clf}\nfields:\n  t: {role: mesure}\n", 5, 13, "unknown role mesure", "measure"},
        {"name: x\npattern: '(?<t>a)'\ntime: {field: t, layout: clf}\nfields:\n  t: {role: ignore}\nerror: 'q > 1'\n", 6, 9, "unknown field", ""},
        {"name: x\npattern: '(?<t>a)'\ntime: {field: t, layout: clf}\ninner: t\nfields:\n  t: {role: ignore}\n", 4, 8, "only the field with role message", ""},
        {"- a\n", 1, 1, "a mapping", ""},
        {"", 1, 1, "the file is empty", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct format_set *s = format_set_new();
        struct lq_error e = {0};
        cr_expect(format_set_add_text(s, "x.yaml", lq_str_of(cases[i].yaml), &e) == LQ_EINVAL, "case %zu", i);
        cr_expect(e.line == cases[i].line && e.column == cases[i].column, "case %zu: %u:%u %s", i, e.line, e.column, e.msg);
        cr_expect(strstr(e.msg, cases[i].message) != NULL && strstr(e.hint, cases[i].hint) != NULL, "case %zu: %s (%s)", i, e.msg, e.hint);
        format_set_free(&s);
    }
}

Test(format, shared_data_is_detected)
{
    static const struct {
        const char *path, *format;
    } cases[] = {{LQ_SHARED_DATA "/access/apache_logs", "combined"}, {LQ_SHARED_DATA "/access/auth.log", "rfc3164"}};
    for (size_t i = 0; i < 2; i++) {
        FILE *f = fopen(cases[i].path, "rb");
        if (f == NULL) {
            cr_skip("shared data is not here");
        }
        char *head = lq_alloc(DETECT_BYTES);
        size_t n = fread(head, 1, DETECT_BYTES, f);
        fclose(f);
        struct format_set *s = shipped();
        struct detection d;
        format_detect(s, (lq_str){head, n}, &d);
        cr_expect(d.format != NULL && strcmp(format_name(d.format), cases[i].format) == 0, "%s: %s", cases[i].path, d.why);
        format_set_free(&s);
        free(head);
    }
}
