/*
 * relp.h - the frames of RELP (Reliable Event Logging Protocol, as librelp and rsyslog speak it)
 *
 *      TXNR SP COMMAND SP DATALEN [SP DATA] LF        "7 syslog 5 <13>x\n"
 *
 * Pure: bytes in, frames out. librelp's own server cannot defer an acknowledgement; here the answer to `syslog` is written after the message is committed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_RELP_H
#define LQ_RELP_H

#include <stdbool.h>

#include "schema/base/buf.h"

enum { RELP_TXNR_MAX = 999999999, RELP_COMMAND_MAX = 32 };
enum relp_result {
    RELP_MORE,
    RELP_FRAME,
    RELP_TOO_LONG, /* a frame whose data are cut at data_max; the rest is skipped */
    RELP_SKIPPED,
    RELP_BAD, /* this is no RELP: close the connection, the sender starts again with what was not acknowledged */
};
struct relp_frame {
    uint32_t txnr;
    lq_str command, data;
};
struct relp_reader {
    size_t data_max;
    size_t skip; /* of a cut frame */
};
/* Views into p. *used as in frame_next. */
enum relp_result relp_next(struct relp_reader *r, const char *p, size_t n, struct relp_frame *out, size_t *used);
/* "TXNR rsp LEN DATA\n" */
void relp_answer(struct lq_buf *out, uint32_t txnr, lq_str data);
/* The answer to `open`: what is offered. */
void relp_answer_open(struct lq_buf *out, uint32_t txnr);

#endif
