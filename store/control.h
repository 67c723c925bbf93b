/*
 * control.h - asking the lqd that holds a store to write into it: `lq load` and `lq mark` while a daemon is at work
 *
 *      lq --LOAD, FILE (with its descriptor) …, GO--> DIR/control --> lqd    lq <--PROGRESS …, REPORT …, DONE or ERROR-- lqd
 *      lq --MARK-->                                                        <--DONE or ERROR--
 *
 * A stream socket in the store's directory, mode 0600: whoever may only read the store cannot write by it. Files travel as open descriptors (SCM_RIGHTS), so
 * that the asker's rights count, nothing is copied, and the daemon reads the very file; their paths go along for labels and messages.
 *
 *      OFFSET SIZE MEANING of a frame                      OFFSET SIZE MEANING of a field in its payload
 *      0      2    "lq"                                    0      1    enum control_tag
 *      2      1    CONTROL_VERSION                         1      2    length n, little endian
 *      3      1    enum control_type                       3      n    bytes; numbers: 8, little endian
 *      4      4    length of the payload, little endian
 *
 * The frame GO is 6c 71 01 04 00 00 00 00.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_CONTROL_H
#define LQ_CONTROL_H

#include "store/store.h"

enum { CONTROL_VERSION = 1, CONTROL_HEADER_BYTES = 8, CONTROL_PAYLOAD_MAX = 32 << 10, CONTROL_FILES_MAX = 4096, CONTROL_PATH_MAX = 4095 };
#define CONTROL_NAME "control"

enum control_type { CONTROL_MARK = 1, CONTROL_LOAD, CONTROL_FILE, CONTROL_GO, CONTROL_PROGRESS, CONTROL_REPORT, CONTROL_DONE, CONTROL_ERROR, CONTROL_TYPES };
enum control_tag {
    /* MARK */ TAG_TIME = 1, TAG_KIND, TAG_NAME, TAG_HOST, TAG_SERVICE, TAG_TEXT,
    /* LOAD */ TAG_FORMAT_NAME, TAG_LABEL, TAG_LABEL_FROM, TAG_TZ, TAG_REFERENCE, TAG_ID, TAG_THREADS, TAG_FORMATS, TAG_PROGRESS,
    /* FILE, REPORT */ TAG_PATH, TAG_INDEX, TAG_STATE, TAG_FORMAT, TAG_WHY, TAG_LINES, TAG_PARSED, TAG_BYTES, TAG_FAILED, TAG_ELAPSED,
    /* ERROR, REPORT */ TAG_CODE, TAG_MESSAGE, TAG_HINT, TAGS,
};

/* ---- the bytes ---- */
void control_begin(struct lq_buf *b, enum control_type t); /* clears b */
void control_put(struct lq_buf *b, enum control_tag tag, lq_str v); /* cut at what a field holds */
void control_put_u64(struct lq_buf *b, enum control_tag tag, uint64_t v);
void control_put_error(struct lq_buf *b, const struct lq_error *e);
void control_end(struct lq_buf *b);
/* False: no frame of ours. */
bool control_header(const char h[CONTROL_HEADER_BYTES], enum control_type *t, uint32_t *n);
enum control_step { CONTROL_FIELD, CONTROL_END, CONTROL_BAD };
enum control_step control_next(lq_str *payload, enum control_tag *tag, lq_str *v);
uint64_t control_u64(lq_str v); /* 0 where it is no number */
/* A field of an error; false: it is none. */
bool control_get_error(enum control_tag tag, lq_str v, struct lq_error *e);

/* ---- the socket ---- */
/* Replaces what a killed daemon left. The caller holds the writer lock. */
LQ_MUST enum lq_err control_listen(const char *dir, int *fd, struct lq_error *e);
void control_unlink(const char *dir);
/* Does a daemon hold the store? (`lq load` holds its lock, too, but does not listen.) */
bool control_is_served(const char *dir);
/* LQ_ENOENT: no daemon is there. LQ_EACCES: one is, of another user. */
LQ_MUST enum lq_err control_connect(const char *dir, int *fd, struct lq_error *e);
/* One whole frame; pass: a descriptor that goes along, -1 = none. */
LQ_MUST enum lq_err control_send(int fd, const struct lq_buf *b, int pass, struct lq_error *e);
/* One whole frame. LQ_ENODATA: the other side has closed. LQ_EINVAL: no frame of ours. *passed: a descriptor that came along (the caller's to close), or -1. */
LQ_MUST enum lq_err control_receive(int fd, enum control_type *t, struct lq_buf *payload, int *passed, struct lq_error *e);
/* store_marker_add by the daemon; the connection is closed. */
LQ_MUST enum lq_err control_marker_add(int fd, const struct marker *m, struct lq_error *e);

#endif
