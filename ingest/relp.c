/*
 * relp.c - the frames of RELP (relp.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/relp.h"

/* Digits at *at up to a limit. -1: no number, 0: cannot be told yet, 1: read. */
static int number(const char *p, size_t n, size_t *at, uint32_t max, uint32_t *out)
{
    size_t i = *at;
    uint64_t v = 0;
    while (i < n && p[i] >= '0' && p[i] <= '9') {
        v = v * 10 + (uint64_t)(p[i++] - '0');
        if (v > max) {
            return -1;
        }
    }
    if (i == n) {
        return i - *at > 10 ? -1 : 0;
    }
    if (i == *at) {
        return -1;
    }
    *at = i;
    *out = (uint32_t)v;
    return 1;
}

static int command(const char *p, size_t n, size_t *at, lq_str *out)
{
    size_t i = *at;
    while (i < n && ((p[i] >= 'a' && p[i] <= 'z') || (p[i] >= 'A' && p[i] <= 'Z'))) {
        i++;
    }
    if (i - *at > RELP_COMMAND_MAX || (i == *at && i < n)) {
        return -1;
    }
    if (i == n) {
        return 0;
    }
    *out = (lq_str){p + *at, i - *at};
    *at = i;
    return 1;
}

static int blank(const char *p, size_t n, size_t *at)
{
    if (*at == n) {
        return 0;
    }
    return p[(*at)++] == ' ' ? 1 : -1;
}

enum relp_result relp_next(struct relp_reader *r, const char *p, size_t n, struct relp_frame *out, size_t *used)
{
    size_t at = 0;
    uint32_t len = 0;
    int ok;
    *used = 0;
    if (r->skip > 0 && n > 0) {
        *used = n < r->skip ? n : r->skip;
        r->skip -= *used;
        return RELP_SKIPPED;
    }
    if ((ok = number(p, n, &at, RELP_TXNR_MAX, &out->txnr)) != 1 || (ok = blank(p, n, &at)) != 1 || (ok = command(p, n, &at, &out->command)) != 1 ||
        (ok = blank(p, n, &at)) != 1 || (ok = number(p, n, &at, RELP_TXNR_MAX, &len)) != 1) {
        return ok < 0 ? RELP_BAD : RELP_MORE;
    }
    if (len > 0 && (ok = blank(p, n, &at)) != 1) {
        return ok < 0 ? RELP_BAD : RELP_MORE;
    }
    if (len == 0 && at < n && p[at] == ' ') { /* some senders write the blank all the same */
        at++;
    }
    if (len > r->data_max) {
        if (n - at < r->data_max) {
            return RELP_MORE;
        }
        out->data = (lq_str){p + at, r->data_max};
        *used = at + r->data_max;
        r->skip = len - r->data_max + 1;
        return RELP_TOO_LONG;
    }
    if (n - at < (size_t)len + 1) {
        return RELP_MORE;
    }
    if (p[at + len] != '\n') {
        return RELP_BAD;
    }
    out->data = (lq_str){p + at, len};
    *used = at + len + 1;
    return RELP_FRAME;
}

void relp_answer(struct lq_buf *out, uint32_t txnr, lq_str data)
{
    lq_buf_printf(out, "%u rsp %zu", txnr, data.n);
    if (data.n > 0) {
        lq_buf_byte(out, ' ');
        lq_buf_add(out, data.p, data.n);
    }
    lq_buf_byte(out, '\n');
}

void relp_answer_open(struct lq_buf *out, uint32_t txnr)
{
    relp_answer(out, txnr, LQ_STR("200 OK\nrelp_version=0\nrelp_software=lqd\ncommands=syslog"));
}
