/*
 * test_config.c - the configuration of lqd: what is read, and where it is wrong
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "ingest/config.h"

static enum lq_err parse(const char *yaml, struct config **c, struct lq_error *e)
{
    memset(e, 0, sizeof *e);
    return config_parse("lqd.yaml", lq_str_of(yaml), c, e);
}

Test(config, everything)
{
    struct config *c = NULL;
    struct lq_error e;
    enum lq_err err = parse("data: /var/lib/lq\nthreads: 3\nflush_every: 500ms\nbuffers_max: 64MiB\nhttp: 127.0.0.1:9514\n"
                            "inputs:\n"
                            "  - {type: syslog_tcp, listen: ['127.0.0.1:514', '[::1]:514'], when_full: drop, labels: {env: prod}, tz: Europe/Berlin}\n"
                            "  - {type: syslog_udp, socket_buffer: 16MiB}\n"
                            "  - {type: syslog_udp, listen: '*:1514', name: devices}\n"
                            "  - {type: tail, paths: /var/log/nginx/*.log, format: combined, from_end: true}\n"
                            "  - {type: unix_dgram, listen: /run/lqd/log, mode: 0666}\n",
                            &c, &e);
    cr_assert(err == LQ_OK, "%s", e.msg);
    cr_expect(c->threads == 3 && c->flush_us == 500000 && c->buffer_bytes_max == 64 << 20);
    cr_assert(c->n_inputs == 6 && c->inputs[5].kind == INPUT_HTTP, "where there is HTTP, logs may be pushed");
    cr_expect(c->inputs[0].n_listen == 2 && c->inputs[0].when_full == FULL_DROP && c->inputs[0].labels.n == 1 && c->inputs[0].tz != NULL);
    cr_expect_str_eq(c->inputs[0].name, "syslog_tcp");
    cr_expect_str_eq(c->inputs[1].listen[0], "127.0.0.1:5514");
    cr_expect(c->inputs[1].socket_buffer == 16 << 20);
    cr_expect_str_eq(c->inputs[2].name, "devices");
    cr_expect(c->inputs[3].n_paths == 1 && c->inputs[3].from_end);
    cr_expect(c->inputs[4].mode == 0666);
    config_free(&c);
}

Test(config, http_guarded)
{
    struct config *c = NULL;
    struct lq_error e;
    cr_assert(parse("http: {listen: '*:9514', tokens: /t, tls_cert: /c, tls_key: /k, rate_max: 7, time_max: 5s}\ninputs: [{type: tcp}, {type: http, labels: {env: x}}]\n", &c, &e) == LQ_OK, "%s", e.msg);
    cr_expect_str_eq(c->http, "*:9514");
    cr_expect_str_eq(c->http_tokens, "/t");
    cr_expect(c->http_rate_max == 7 && c->http_time_us == 5000000);
    cr_expect(c->n_inputs == 2 && c->inputs[1].labels.n == 1, "an input of its own stands for it");
    config_free(&c);
}

Test(config, wrong)
{
    static const struct {
        const char *yaml;
        uint32_t line, column;
        const char *msg, *hint;
    } cases[] = {
        {"inptus: []\n", 1, 1, "unknown key \"inptus\"", "inputs"},
        {"threads: 0\ninputs: []\n", 1, 10, "from 1 to 32", ""},
        {"threads: 010\n", 1, 10, "not \"010\"", ""},
        {"threads: two\n", 1, 10, "not \"two\"", ""},
        {"threads: [1]\n", 1, 10, "must be a text", ""},
        {"flush_every: 7\n", 1, 14, "duration", "30s"},
        {"http: 80\n", 1, 7, "no address", "9514"},
        {"http: {listne: x}\n", 1, 8, "unknown key of http", "listen"},
        {"inputs: []\n", 0, 0, "no inputs", "type"},
        {"", 0, 0, "no inputs", "type"},
        {"inputs: {type: tcp}\n", 1, 9, "must be a list", ""},
        {"inputs:\n- {type: syslog_tpc}\n", 2, 10, "unknown type", "syslog_tcp"},
        {"inputs:\n- {listen: '1.2.3.4:5'}\n", 2, 3, "needs type", "tail"},
        {"inputs:\n- {type: tcp, listne: x}\n", 2, 15, "unknown key of an input", "listen"},
        {"inputs:\n- {type: tcp, listen: 514}\n", 2, 3, "no address", "127.0.0.1:5514"},
        {"inputs:\n- {type: tcp, listen: '::1:514'}\n", 2, 3, "no address", ""},
        {"inputs:\n- {type: tcp, listen: '1.1.1.1:70000'}\n", 2, 3, "no address", ""},
        {"inputs:\n- {type: tcp, paths: /x}\n", 2, 15, "no key of tcp", ""},
        {"inputs:\n- {type: tail, paths: var/log/x}\n", 2, 3, "not absolute", ""},
        {"inputs:\n- {type: tail}\n", 2, 3, "needs paths", ""},
        {"inputs:\n- {type: unix}\n", 2, 3, "needs listen", ""},
        {"inputs:\n- {type: syslog_tls}\n", 2, 3, "certificate", ""},
        {"inputs:\n- {type: syslog_tls, certificate: a, key: b, client_certificate: required}\n", 2, 3, "needs ca", ""},
        {"inputs:\n- {type: tcp, name: a}\n- {type: tcp, name: a}\n", 3, 3, "two inputs", ""},
        {"inputs:\n- {type: tcp, when_full: explode}\n", 2, 26, "unknown when_full", "wait"},
        {"inputs:\n- {type: tcp, tcp: 1}\ninputs: []\n", 3, 1, "twice", ""},
        {"inputs: &a []\ndata: *a\n", 0, 0, "", ""},
        {"inputs:\n\t- x\n", 2, 1, "no valid YAML", ""},
        {"a: b: c\n", 1, 5, "no valid YAML", ""},
        {"inputs:\n- {type: tcp}\n---\nx: 1\n", 0, 0, "second YAML document", ""},
        {"inputs:\n- {type: tcp, tz: Mars/Base}\n", 0, 0, "Mars/Base", ""},
        {"inputs:\n- {type: tcp, from_end: yes}\n", 2, 15, "no key of tcp", ""},
        {"inputs:\n- {type: tail, paths: /x, from_end: yes}\n", 2, 37, "true or false", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *c = NULL;
        struct lq_error e;
        enum lq_err err = parse(cases[i].yaml, &c, &e);
        cr_assert(err != LQ_OK, "%s is taken", cases[i].yaml);
        cr_expect(strstr(e.msg, cases[i].msg) != NULL, "%s: \"%s\" does not say \"%s\"", cases[i].yaml, e.msg, cases[i].msg);
        cr_expect(strstr(e.hint, cases[i].hint) != NULL, "%s: hint \"%s\" does not say \"%s\"", cases[i].yaml, e.hint, cases[i].hint);
        if (cases[i].line > 0) {
            cr_expect(e.line == cases[i].line && e.column == cases[i].column, "%s: %u:%u", cases[i].yaml, e.line, e.column);
        }
    }
}

Test(config, defaults_are_loopback)
{
    struct config *c = NULL;
    cr_assert(config_default(&c, NULL) == LQ_OK);
    for (uint32_t i = 0; i < c->n_inputs; i++) {
        for (uint32_t k = 0; k < c->inputs[i].n_listen; k++) {
            cr_expect(strncmp(c->inputs[i].listen[k], "127.0.0.1:", 10) == 0, "%s", c->inputs[i].listen[k]);
        }
    }
    cr_expect(strncmp(c->http, "127.0.0.1:", 10) == 0);
    config_free(&c);
}
