/*
 * fuzz_frame.c - streams: the same messages however the bytes are cut; headers of syslog; RELP
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "ingest/frame.h"
#include "ingest/relp.h"
#include "ingest/syslog.h"

enum { BYTES_MAX = 64 };

static void frames(const uint8_t *p, size_t n, enum frame_mode mode, size_t step, struct lq_buf *out)
{
    struct framer f = {.mode = mode, .bytes_max = BYTES_MAX};
    struct lq_buf held = {0};
    for (size_t at = 0; at < n; at += step) {
        size_t from = 0, used;
        lq_str m = {"", 0};
        enum frame_result r;
        lq_buf_add(&held, p + at, n - at < step ? n - at : step);
        while ((r = frame_next(&f, held.p + from, held.n - from, &m, &used)) != FRAME_MORE) {
            LQ_ASSERT(used > 0 && from + used <= held.n);
            from += used;
            if (r != FRAME_SKIPPED) {
                LQ_ASSERT(m.n <= BYTES_MAX);
                lq_buf_byte(out, (uint8_t)r);
                lq_buf_add(out, m.p, m.n);
            }
        }
        LQ_ASSERT(held.n - from <= BYTES_MAX + FRAME_COUNT_DIGITS + 2);
        memmove(held.p, held.p + from, held.n - from);
        held.n -= from;
    }
    lq_str rest = frame_rest(&f, held.p != NULL ? held.p : "", held.n);
    lq_buf_add(out, rest.p, rest.n);
    lq_buf_fini(&held);
}

static void relp(const uint8_t *p, size_t n)
{
    struct relp_reader r = {.data_max = BYTES_MAX};
    size_t at = 0, used;
    for (;;) {
        struct relp_frame f = {0};
        enum relp_result x = relp_next(&r, (const char *)p + at, n - at, &f, &used);
        LQ_ASSERT(at + used <= n);
        at += used;
        if (x == RELP_MORE || x == RELP_BAD) {
            return;
        }
        LQ_ASSERT(used > 0 && f.data.n <= BYTES_MAX && f.txnr <= RELP_TXNR_MAX);
    }
}

static bool within(lq_str s, const char *p, size_t n)
{
    return s.n == 0 || (s.p >= p && s.p + s.n <= p + n);
}

static void header(const char *p, size_t n)
{
    static struct syslog_parser *parser;
    struct syslog_message m;
    if (parser == NULL) {
        LQ_ASSERT(syslog_parser_new(NULL, &parser, NULL) == LQ_OK);
        syslog_parser_reference(parser, 1772445600000000);
    }
    syslog_parse(parser, (lq_str){p, n}, &m);
    LQ_ASSERT(m.priority >= -1 && m.priority <= 191);
    LQ_ASSERT(within(m.host, p, n) && within(m.app, p, n) && within(m.pid, p, n) && within(m.msgid, p, n) && within(m.data, p, n) && within(m.text, p, n));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    char *copy = malloc(n > 0 ? n : 1); /* exactly n bytes: reading past them is seen */
    for (int mode = FRAME_LINES; mode <= FRAME_SYSLOG; mode++) {
        struct lq_buf whole = {0}, cut = {0};
        frames(p, n, (enum frame_mode)mode, n + 1, &whole);
        frames(p, n, (enum frame_mode)mode, n > 0 ? 1 + p[0] % 7 : 1, &cut);
        LQ_ASSERT(whole.n == cut.n && (whole.n == 0 || memcmp(whole.p, cut.p, cut.n) == 0));
        lq_buf_fini(&whole);
        lq_buf_fini(&cut);
    }
    relp(p, n);
    memcpy(copy, p, n);
    header(copy, n);
    free(copy);
    return 0;
}
