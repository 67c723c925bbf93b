/*
 * frame.h - bytes of a stream into messages
 *
 * FRAME_LINES: each line is a message. FRAME_SYSLOG: for each message it is looked at anew whether it is octet-counted ("123 <34>…", RFC 6587 §3.4.1) or ends with
 * LF (§3.4.2), for real senders mix them on one port. A count is a count only when "<" follows the blank; else the digits are text of a line, and
 * FRAME_BAD says so once.
 *
 * The framer keeps no bytes: what has not ended yet is handed in again with more behind it. A message longer than `bytes_max` is given up to there as
 * FRAME_TOO_LONG and the rest of it is skipped, so an endless line costs no memory.
 *
 *      "27 <13>Oct 11 22:14:15 a b: hi" "<13>second line\n" "5 apples\n"
 *       FRAME_MESSAGE (27 bytes)         FRAME_MESSAGE       FRAME_BAD, the message is "5 apples"
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_FRAME_H
#define LQ_FRAME_H

#include <stdbool.h>

#include "schema/base/buf.h"

enum frame_mode { FRAME_LINES, FRAME_SYSLOG };
enum frame_result {
    FRAME_MORE,     /* no whole message yet */
    FRAME_MESSAGE,
    FRAME_TOO_LONG, /* a message, cut */
    FRAME_BAD,      /* a message, but its octet count is none */
    FRAME_SKIPPED,  /* bytes of a cut message: nothing to handle */
};
enum { FRAME_COUNT_DIGITS = 8 };

struct framer {
    enum frame_mode mode;
    size_t bytes_max;
    size_t skip;    /* bytes of a cut octet-counted message still to come */
    bool skip_line; /* a cut line: skip to its end */
    size_t scanned; /* bytes at the front known to hold no LF */
};

/*
 * The next message of p[0..n). *used: bytes consumed (0 with FRAME_MORE). The message is a view, without its line end and without a NUL before it; it
 * may be empty (a blank line).
 */
enum frame_result frame_next(struct framer *f, const char *p, size_t n, lq_str *message, size_t *used);
/* The stream has ended: what is left is a message, unless it is the rest of a cut one. */
lq_str frame_rest(struct framer *f, const char *p, size_t n);

#endif
